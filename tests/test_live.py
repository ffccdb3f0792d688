"""The engine of live figures in a browser: the members that it draws from a checkpoint are those of Python.

The page is opened from the disk, where scripts may not import and files cannot be fetched.
"""

import base64
import hashlib
import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import red_covariance

import genda_lite as gl
from genda_lite.observe.smooth_maps import smooth_map
from genda_lite.posterior.assimilate import FAST, sample_posterior
from genda_lite.posterior.problem import build_problem
from genda_lite.prior import DiffusionPrior
from genda_lite.prior.base import grid_context
from genda_lite.prior.checkpoint import FORMAT, FORMAT_3, read_safetensors, save_prior, write_safetensors
from genda_lite.prior.diffusion import NetworkConfig, Tuned
from genda_lite.prior.samplers import sample_prior
from genda_lite.show import assets
from genda_lite.show.pack import sample_truth
from genda_lite.sources.samples import sample_path
from genda_lite.state import Grid, StateVector
from genda_lite.verify import osse
from genda_lite.verify.osse import sweep

LIVE = Path(assets.__file__).parent / "live"
SHIPPED = "prior_lite.safetensors"
CHECKPOINT = "checkpoint.js"
SAME = 1e-3  # standard deviations; 5e-5 is usual
# Opens an engine on the page's checkpoint, or on bytes.
OPEN = """async ({ bytes, ...options }) => {
  const checkpoint = bytes === undefined ? "checkpoint.js" : Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0)).buffer;
  window.engine?.close();
  window.engine = await gendaLive.openEngine({ checkpoint, ...options });
  return { ...engine.prior, relaxed: engine.relaxed };
}"""
# Runs it to the end: the steps as they came, and the last fields.
RUN = """async (request) => {
  const steps = [];
  let last;
  for await (const now of engine.assimilate(request)) {
    steps.push(now.step);
    last = now;
  }
  const text = (field) => btoa(Array.from(new Uint8Array(field.buffer), (byte) => String.fromCharCode(byte)).join(""));
  const fields = Object.fromEntries(Object.entries(last.fields).map(([name, field]) => [name, text(field)]));
  return { steps, of: last.steps, note: last.note, fields };
}"""
REFUSED = "async (call) => { try { await call(); } catch (error) { return [error.name, error.message]; } }"


class Live:
    """A page with an engine."""

    def __init__(self, page, folder: Path):
        self.page, self.folder = page, folder

    def open(self, checkpoint: Path, **options) -> dict:
        """Open the page, and an engine on a checkpoint beside it."""
        (self.folder / CHECKPOINT).write_text(assets.checkpoint(checkpoint))
        (self.folder / "engine.js").write_text(assets.engine(), encoding="utf-8")
        page = '<!doctype html><meta charset="utf-8"><title>Live</title><script src="engine.js"></script>'
        (self.folder / "page.html").write_text(page)
        self.page.goto((self.folder / "page.html").as_uri())
        return self.page.evaluate(OPEN, {"workers": 2} | options)

    def run(self, seen: gl.Observations | None, grid: Grid, date=None, **options) -> tuple[dict, dict[str, np.ndarray]]:
        """What the page says of a run, and the members, channel -> (members, ny, nx)."""
        request = as_request(seen, grid, date) | options
        told = self.page.evaluate(RUN, request)
        shape = (-1, *grid.shape)
        found = {k: np.frombuffer(base64.b64decode(v), "<f4").reshape(shape) for k, v in told.pop("fields").items()}
        return told, found

    def refused(self, program: str, argument) -> str:
        """The sentence that a call is refused with."""
        name, message = self.page.evaluate(f"(argument) => ({REFUSED})(() => ({program})(argument))", argument)
        assert name == "InputError" and "\n" not in message
        return message


def as_request(seen: gl.Observations | None, grid: Grid, date=None) -> dict:
    request = {"grid": {"latitude": list(grid.latitude), "longitude": list(grid.longitude)}, "members": 3, "seed": 5}
    if seen is not None:
        table = {f.name: getattr(seen, f.name).tolist() for f in fields(seen) if f.name != "time"}
        request["observations"] = table | {"referenceError": table.pop("reference_error")}
    return request | ({} if date is None else {"date": str(np.datetime64(date, "s"))})


@pytest.fixture
def live(page, tmp_path):
    yield Live(page, tmp_path)
    assert page.faults == []


def agrees(found: dict[str, np.ndarray], expected, prior) -> float:
    """The largest difference of members, in standard deviations."""
    scale = dict(zip(prior.state.channels, prior.standardizer.scale_of(prior.state), strict=True))
    assert set(found) == set(scale)
    return max(abs(found[name] - expected[name].values).max() / scale[name] for name in found)


# --- Members -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def prior():
    return gl.load_prior()


@pytest.fixture(scope="module")
def truth(prior):
    return sample_truth(prior)


def observing_systems(truth) -> dict[str, gl.Observations]:
    tracks = sweep.observe(truth, altimeters=2, cloud=1.0)
    return {
        "tracks of unknown level": replace(tracks, reference_error=np.full(len(tracks), 1.0)),
        "temperature between clouds": sweep.observe(truth, altimeters=0, cloud=0.95),
        "a smooth map": smooth_map(truth["zos"]) + smooth_map(truth["so"]),
    }


@pytest.mark.parametrize("relaxed", [False, True])
def test_members_are_those_of_python(live, prior, truth, relaxed):
    grid, date = Grid(truth["latitude"].values, truth["longitude"].values), truth["time"].values
    opened = live.open(sample_path(SHIPPED), relaxed=relaxed)
    assert opened["channels"] == list(prior.state.channels) and tuple(opened["shape"]) == prior.shape
    assert opened["relaxed"] == relaxed
    for name, seen in observing_systems(truth).items():
        region = {"southwest": (float(grid.longitude[0]), float(grid.latitude[0]))}
        expected = gl.assimilate(prior, seen, 3, 5, region=region, date=date, fast=True)
        told, found = live.run(seen, grid, date)
        assert agrees(found, expected, prior) < SAME, name
        assert found["zos"].std(0).mean() > 0.02, name
        assert told["steps"][-1] == told["of"] == FAST.steps + 1 and len(told["steps"]) > FAST.steps, name
