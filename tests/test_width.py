"""The benchmarks that choose how wide a prior is, and the numbers of its sampler, on small cases."""

import argparse
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

from genda_lite.prior.climate import ONE, WIDE, Climate
from genda_lite.prior.windows import Windows
from genda_lite.state import CHANNELS, StateVector

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))
width, tune, corners = (import_module(name) for name in ("width", "tune", "corners"))


def test_windows_are_displaced_as_those_of_a_training():
    x = torch.randn(3, 7, 16, 16, generator=torch.Generator().manual_seed(0))
    told = width.climates_of(x, WIDE, seed=4)
    windows = object.__new__(Windows)
    windows.seed, windows.size, windows.climate, windows.state = 4, 16, WIDE, StateVector.today()
    for i in range(3):
        assert torch.equal(told[i], windows.displaced(i, x[i]))
    assert torch.equal(width.climates_of(x, ONE, seed=4), x)


def test_the_parts_of_the_climate_make_up_all_of_it():
    parts = [c for name, c in width.CLIMATES.items() if name not in ("one climate", "all")]
    for field in ("temperature", "salinity", "salinity_alone", "amplitude", "contrast"):
        assert [getattr(c, field) for c in parts if getattr(c, field)] == [getattr(WIDE, field)]


def test_a_gaussian_prior_is_as_wide_as_its_climate():
    """A displacement of s standard deviations adds s^2 to the variance of a window of unit variance."""
    fields = torch.randn(400, 7, 8, 8, generator=torch.Generator().manual_seed(0))
    climate = Climate(temperature=2.0)
    prior = width.gaussian_of(fields, climate, standardizer=None, domain=None)
    variance = prior.spectrum.sample(4000, generator=torch.Generator().manual_seed(1)).var(0).mean((1, 2))
    assert variance[CHANNELS.index("thetao")] == pytest.approx(5.0, rel=0.15)
    assert variance[CHANNELS.index("zos")] == pytest.approx(1.0, rel=0.1)
    assert StateVector.today() == prior.state


def test_a_result_is_kept_and_not_computed_again(tmp_path):
    one = width.Contender("old: Gaussian", None, None, "key")
    rows = [{"channel": "zos", "metric": "rmse", "value": 0.1, "region": ""}]
    first = width.kept(tmp_path / "width", "twin", one, "s", lambda contender: rows)
    again = width.kept(tmp_path / "width", "twin", one, "s", lambda contender: pytest.fail("computed again"))
    assert first == again and again[0]["value"] == 0.1 and again[0]["region"] == ""
    other = width.kept(tmp_path / "width", "twin", one._replace(key="other"), "s", lambda c: [rows[0] | {"value": 2.0}])
    assert other[0]["value"] == 2.0


def test_corners_keep_to_the_limits_and_differ():
    found = corners.corners(count=200)
    assert set(found) == set(corners.EXTREMES)
    assert all(width_limits(one) for one in found.values())
    assert len({one["depth_step"] for one in found.values()}) > 1


def width_limits(one: dict) -> bool:
    return corners.LIMITS and all(limit.low <= limit.of(one) <= limit.high for limit in corners.LIMITS.values())


def test_the_number_with_the_least_crps_is_taken(monkeypatch, tmp_path):
    """The crossover that is best on the mean of the channels, then each channel's own inflation."""
    prior = argparse.Namespace(
        state=StateVector.today(), training={}, crossover=20.0, inflation=(1.0,) * 7,
        denoiser=torch.nn.Linear(1, 1).requires_grad_(False),
    )

    def crps(_, tried, series, a):
        assert all(len(other.inflation) == 7 for other in tried.values())
        values = np.ones((1, len(tried), len(tune.OCEAN)))
        for k, other in enumerate(tried.values()):
            values[0, k] = 1 + abs(other.crossover - 5.0) / 100
            values[0, k, 0] += abs(other.inflation[0] - 1.1)
        coords = {"experiment": list(tried), "channel": list(tune.OCEAN)}
        return xr.DataArray(values, coords, ("series", "experiment", "channel"))

    written = {}
    monkeypatch.setattr(tune, "crps_of", crps)
    monkeypatch.setattr(tune, "load_prior", lambda path: prior)
    monkeypatch.setattr(tune, "save_prior", lambda p, path, form: written.update(prior=p, form=form))
    monkeypatch.setattr(sys, "argv", ["tune.py", "some.safetensors", "--table", str(tmp_path / "t.csv")])
    tune.main()
    assert written["form"] == tune.FORMAT_3 and written["prior"].crossover == 5.0
    assert written["prior"].inflation[CHANNELS.index(tune.OCEAN[0])] == 1.1
    assert set(written["prior"].inflation) == {1.0, 1.1} and "tuned" in written["prior"].training
    assert (tmp_path / "t.csv").exists()
