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
from genda_lite.baselines.closed_form import gaussian_posterior
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
from genda_lite.verify.osse import sweep

LIVE = Path(assets.__file__).parent / "live"
SHIPPED = "prior_lite.safetensors"
CHECKPOINT = "checkpoint.js"
SAME = 1e-3  # standard deviations; 5e-5 is usual
# Opens an engine on the page's checkpoint, or on bytes.
OPEN = """async ({ bytes, ...options }) => {
  const decoded = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;
  const checkpoint = bytes === undefined ? "checkpoint.js" : decoded(bytes);
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
    return max(abs(found[name] - expected[name].values).max() / scale[name] for name in found)


# --- Members of the shipped prior -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def prior():
    return gl.load_prior()


@pytest.fixture(scope="module")
def truth(prior):
    return sample_truth(prior)


@pytest.fixture(scope="module")
def references(prior, truth) -> dict:
    """Observing systems, and Python's members for each."""
    tracks = sweep.observe(truth, altimeters=2, cloud=1.0)
    systems = {
        "tracks of unknown level": replace(tracks, reference_error=np.full(len(tracks), 1.0)),
        "temperature between clouds": sweep.observe(truth, altimeters=0, cloud=0.95),
        "a smooth map": smooth_map(truth["zos"]) + smooth_map(truth["so"]),
    }
    region = {"southwest": (float(truth["longitude"][0]), float(truth["latitude"][0]))}
    date = truth["time"].values
    return {k: (v, gl.assimilate(prior, v, 3, 5, region=region, date=date, fast=True)) for k, v in systems.items()}


@pytest.mark.parametrize("relaxed", [False, True])
def test_members_are_those_of_python(live, prior, truth, references, relaxed):
    opened = live.open(sample_path(SHIPPED), relaxed=relaxed)
    assert opened["channels"] == list(prior.state.channels) and tuple(opened["shape"]) == prior.shape
    assert opened["relaxed"] == relaxed
    grid = Grid(truth["latitude"].values, truth["longitude"].values)
    for name, (seen, expected) in references.items():
        told, found = live.run(seen, grid, truth["time"].values)
        assert agrees(found, expected, prior) < SAME, name
        assert found["zos"].std(0).mean() > 0.02, name
        assert told["steps"][-1] == told["of"] == FAST.steps + 1, name
        assert len(told["steps"]) > FAST.steps and told["note"] == "", name


def test_the_speed_of_the_current_is_that_of_python(live, prior, truth, references):
    """Smoothed geostrophic, Ekman and residual current of the same members."""
    opened = live.open(sample_path(SHIPPED))
    assert opened["fields"] == [*opened["channels"], "speed"]
    seen, expected = references["tracks of unknown level"]
    grid = Grid(truth["latitude"].values, truth["longitude"].values)
    _, found = live.run(seen, grid, truth["time"].values, channels=["speed"])
    python = sweep.with_speed(expected)["speed"].values
    assert list(found) == ["speed"] and python.max() > 0.8
    assert abs(found["speed"] - python).max() < 2e-3  # m/s


# --- Of a small one of another size: a state of other channels, in format 3 -------------------------------------------

DATE = np.datetime64("2019-02-23T12:00:00")
STATE = StateVector(("thetao", "zos", "so"))
SMALL = NetworkConfig(width=8, multipliers=(1, 2, 1), blocks=2)


def small_prior(standardizer, domain, config: NetworkConfig = SMALL, state: StateVector = STATE) -> DiffusionPrior:
    torch.manual_seed(0)
    prior = DiffusionPrior(
        red_covariance(24, 24, 3), standardizer, domain, config, state=state, tuned=Tuned(5.0, {"zos": 1.3})
    )
    for parameter in prior.denoiser.network.parameters():
        parameter.requires_grad_(False).add_(0.05 * torch.randn(parameter.shape)).copy_(parameter.half())
    return prior


@pytest.fixture
def small(standardizer, domain, tmp_path) -> Path:
    path = tmp_path / "small.safetensors"
    save_prior(small_prior(standardizer, domain), path, FORMAT_3)
    return path


@pytest.fixture(scope="module")
def box() -> Grid:
    return Grid.around(-60.0, 38.0, (24, 24))


def observe(grid: Grid, channel: str, count: int, **columns) -> gl.Observations:
    """Values anywhere in a grid, about the climatology of the tests."""
    random = np.random.default_rng(count)
    place = [random.uniform(v[0], v[-1], count) for v in (grid.latitude, grid.longitude)]
    middle, scale = {"zos": (0.5, 0.3), "thetao": (14.0, 2.5), "so": (35.5, 0.5)}[channel]
    column = {"reference_error": 0.0, "smoothing": 0.0} | columns
    return gl.Observations(
        np.full(count, channel), *place, middle + scale * random.standard_normal(count),
        np.full(count, 0.2 * scale), np.full(count, DATE), np.zeros(count, int),
        *(np.full(count, column[name]) for name in ("reference_error", "smoothing")),
    )  # fmt: skip


def python_members(path: Path, seen: gl.Observations, grid: Grid, members: int, gaussian: bool = False):
    """Prior, likelihood and draws, standardized units."""
    prior = gl.load_prior(path, gaussian=gaussian)
    middle = {"southwest": (float(grid.longitude[0]), float(grid.latitude[0]))}
    problem = build_problem(prior, seen, region=middle, date=DATE)
    return prior, problem.likelihood, sample_posterior(prior, problem.likelihood, problem.context, members, 5, *FAST)


def test_members_of_a_small_network_are_those_of_python(live, small, box):
    seen = observe(box, "thetao", 60) + observe(box, "so", 9, smoothing=40.0, reference_error=0.5)
    seen += observe(box, "zos", 30) + observe(box, "zos", 20, reference_error=0.4)
    prior, _, draws = python_members(small, seen, box, 5)
    assert live.open(small)["channels"] == live.open(small)["fields"] == list(STATE.channels)
    _, found = live.run(seen, box, DATE, members=5)
    assert agrees(found, prior.standardizer.to_dataset(draws, box, DATE, STATE), prior) < SAME
    _, alone = live.run(seen, box, DATE, members=2, channels=["zos"])  # a member does not depend on the others
    assert list(alone) == ["zos"] and abs(alone["zos"] - found["zos"][:2]).max() < 1e-4


def test_the_gaussian_prior_draws_the_closed_form(live, small, box):
    """Mean and variance over the whole state, as Python's own are tested."""
    seen = observe(box, "thetao", 60) + observe(box, "zos", 30) + observe(box, "zos", 20, reference_error=0.4)
    prior, likelihood, draws = python_members(small, seen, box, 2, gaussian=True)
    mean, variance = gaussian_posterior(prior.spectrum, likelihood)
    members = 128
    live.open(small)
    _, found = live.run(seen, box, DATE, members=members, gaussian=True)
    two, exact = (prior.standardizer.to_dataset(x, box, DATE, STATE) for x in (draws, mean[None]))
    assert agrees({name: field[:2] for name, field in found.items()}, two, prior) < SAME
    for name, scale, wide in zip(STATE.channels, prior.standardizer.scale_of(STATE), variance.numpy(), strict=True):
        drawn = found[name] / scale
        assert 0.9 < (drawn.var(0) / wide).mean() < 1.1
        squared_bias = ((drawn.mean(0) - exact[name].values[0] / scale) ** 2).mean() - drawn.var(0).mean() / members
        assert squared_bias < 0.07**2 * wide.mean()


def test_nothing_observed_is_a_draw_of_the_prior(live, small, box):
    prior = gl.load_prior(small)
    draws = sample_prior(prior, grid_context(prior.domain, box, DATE, True), 3, seed=5)
    live.open(small)
    for nothing in (None, observe(box, "zos", 0)):
        _, found = live.run(nothing, box, DATE)
        assert agrees(found, prior.standardizer.to_dataset(draws, box, DATE, STATE), prior) < SAME


def test_many_observations_are_thinned_and_the_page_is_told(live, small, box):
    live.open(small)
    told, found = live.run(observe(box, "thetao", 5000), box, DATE, steps=4)
    assert told["note"].startswith("1000 of 5000 observations are used") and np.isfinite(found["so"]).all()


# --- Runs -------------------------------------------------------------------------------------------------------------


def test_a_newer_run_ends_an_older_one_and_so_does_leaving(live, small, box):
    live.open(small)
    request = as_request(observe(box, "thetao", 60), box, DATE) | {"members": 8}
    told = live.page.evaluate(
        """async (request) => {
          const follow = async (request, leave) => {
            let last = null;
            for await (const now of engine.assimilate(request)) {
              last = now.step;
              if (leave) break;
            }
            return last;
          };
          const left = await follow(request, true);
          const older = follow({ ...request, steps: 2000 }), newer = follow({ ...request, members: 1 });
          const [first, second] = [await older, await newer];
          return [left, first, second, await follow({ ...request, steps: 4 })];
        }""",
        request,
    )
    left, older, newer, last = told
    assert left < 25 and (older is None or older < 2000) and newer == 25 and last == 5


BAD = (
    ({"observations": {"latitude": [50.0]}}, "1 of 1 observations lie outside the grid (24 x 24 points"),
    ({"observations": {"value": [None]}}, "value of observation 1 is null, expected a number"),
    ({"observations": {"error": 0}}, "error of observation 1 is 0, expected a number above zero"),
    ({"observations": {"error": 1e-9}}, "too small to reckon with"),
    ({"observations": {"channel": "tide"}}, "'tide' is not part of the state, expected one of thetao, zos, so"),
    ({"observations": {"longitude": [1.0, 2.0]}}, "2 numbers of longitude for 1 values"),
    ({"grid": {"latitude": [1.0, 2.0, 4.0], "longitude": [1.0, 2.0]}}, "grid latitude must be"),
    ({"grid": {"latitude": [1.0, 2.0], "longitude": [1.0, 2.0]}}, "the grid has 2 x 2 points, expected 24 x 24"),
    ({"date": "yesterday"}, "date yesterday cannot be read"),
    ({"channels": ["tide"]}, "channel 'tide' is asked for"),
    ({"members": 0}, "expected whole numbers, members >= 1"),
    ({"steps": 1.5}, "steps >= 2, got 3, 1.5"),
)


def test_bad_input_is_refused_in_a_sentence_and_the_engine_goes_on(live, small, box):
    live.open(small)
    request = as_request(observe(box, "thetao", 1), box, DATE)
    for change, word in BAD:
        merged = {k: request[k] | v if isinstance(v, dict) else v for k, v in change.items()}
        assert word in live.refused(RUN, request | merged)
    assert live.run(observe(box, "thetao", 1), box, DATE, steps=2)[0]["steps"][-1] == 3


# --- Checkpoints ------------------------------------------------------------------------------------------------------


def test_what_is_no_checkpoint_is_refused_in_a_sentence(live, small, standardizer, domain, tmp_path):
    whole = small.read_bytes()
    changed = bytearray(whole)
    changed[-1] ^= 1
    tensors, metadata = read_safetensors(small, FORMAT_3)

    def written(name: str, tensors: dict = tensors, **told) -> bytes:
        write_safetensors(tmp_path / name, FORMAT_3, tensors, metadata | {k: json.dumps(v) for k, v in told.items()})
        return (tmp_path / name).read_bytes()

    lacking = {name: tensor for name, tensor in tensors.items() if name != "network.first.bias"}
    config = SMALL.as_dict()
    cases = {
        "cut short": whole[: len(whole) // 2],
        "its header is longer": whole[:100],
        "not a readable safetensors file": b"no",
        "holds 'genda_lite regression": sample_path("regression_lite.safetensors").read_bytes(),
        "its checksum is wrong": bytes(changed),
        "expected wiener": written("edm", config=config | {"preconditioning": "edm"}),
        "patches of 1": written("patch", config=config | {"patch": 1}),
        "several days": written("days", state={"channels": ["zos", "zos", "so"], "lags": [0, -2, 0]}),
        "network.first.bias": written("lacking", lacking),
        "is of shape": written("wide", config=config | {"width": 16}),
        "incomplete or foreign": written("none", config=None),
        "no climatology": written("strange", state={"channels": ["zos", "tide", "so"]}),
    }
    live.open(small)
    for word, content in cases.items():
        told = live.refused(OPEN, {"bytes": base64.b64encode(content).decode(), "workers": 1, "file": "mine"})
        assert word in told and told.startswith("mine: ")


def test_a_file_of_format_2_is_read_too(live, standardizer, domain, tmp_path):
    path = tmp_path / "older.safetensors"
    config = NetworkConfig(width=8, multipliers=(1,))
    save_prior(DiffusionPrior(red_covariance(8, 8, 7), standardizer, domain, config), path, FORMAT)
    assert live.open(path)["shape"] == [7, 8, 8]


# --- What is shipped --------------------------------------------------------------------------------------------------


def test_the_kernels_are_of_their_source():
    """`build.sh` writes the checksums when it compiles: a source or a binary that changed alone is seen."""
    lines = [line.split() for line in (LIVE / "SHA256SUMS").read_text().splitlines()]
    assert {name for _, name in lines} == {"kernels.c", "kernels.wasm", "kernels_relaxed.wasm"}
    for known, name in lines:
        assert hashlib.sha256((LIVE / name).read_bytes()).hexdigest() == known, f"{name}: run {LIVE / 'build.sh'}"
        assert (LIVE / name).stat().st_size < 20_000


def test_every_file_is_part_of_the_engine_and_says_what_it_mirrors():
    modules = {path.stem: path.read_text(encoding="utf-8") for path in LIVE.glob("*.mjs")}
    assert set(modules) == {*assets.WORKER, "engine"}
    for name in set(modules) - {"engine", "worker", "kernels", "random"}:  # these have no twin
        twin = modules[name].split("\n")[0].removeprefix("// ").split(".py")[0]
        assert (Path(gl.__file__).parent / f"{twin}.py").is_file() and twin.split("/")[-1] == name
