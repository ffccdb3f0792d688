"""The benchmarks that choose how wide a prior is, and the numbers of its sampler, on small cases."""

import argparse
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

from genda_lite import load_prior
from genda_lite.errors import InputError
from genda_lite.prior.climate import ONE, WIDE, Climate
from genda_lite.prior.windows import Windows
from genda_lite.show.width import plot_width
from genda_lite.state import CHANNELS, Grid, StateVector
from genda_lite.verify.table import tidy

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))
width, tune, corners, beside = (import_module(name) for name in ("width", "tune", "corners", "beside"))


def test_windows_are_displaced_as_those_of_a_training():
    x = torch.randn(3, 7, 16, 16, generator=torch.Generator().manual_seed(0))
    told = width.climates_of(x, WIDE, seed=4)
    windows = object.__new__(Windows)
    windows.seed, windows.size, windows.climate, windows.state = 4, 16, WIDE, StateVector.today()
    for i in range(3):
        assert torch.equal(told[i], windows.displaced(i, x[i]))
    assert torch.equal(width.climates_of(x, ONE, seed=4), x)


def test_the_parts_of_the_climate_make_up_all_of_it():
    parts = [c for name, c in width.CLIMATES.items() if name not in ("one climate", "all", "all, larger")]
    for field in ("temperature", "salinity", "salinity_alone", "amplitude", "contrast"):
        assert [getattr(c, field) for c in parts if getattr(c, field)] == [getattr(width.LARGER, field)]
        assert 0 < getattr(WIDE, field) < getattr(width.LARGER, field)


def test_a_gaussian_prior_is_as_wide_as_its_climate():
    """A displacement of s standard deviations adds s^2 to the variance of a window of unit variance."""
    fields = torch.randn(400, 7, 8, 8, generator=torch.Generator().manual_seed(0))
    climate = Climate(temperature=2.0)
    prior = width.gaussian_of(fields, climate, standardizer=None, domain=None)
    variance = prior.spectrum.sample(4000, generator=torch.Generator().manual_seed(1)).var(0).mean((1, 2))
    assert variance[CHANNELS.index("thetao")] == pytest.approx(5.0, rel=0.15)
    assert variance[CHANNELS.index("zos")] == pytest.approx(1.0, rel=0.1)
    assert StateVector.today() == prior.state


def scores_of(crps, regions, units):
    """A contender's scores in some cases, of one channel."""
    values = xr.DataArray(np.asarray(crps, float)[:, None], {"channel": ["zos"]}, ("case", "channel"))
    table = xr.Dataset({"mse": values**2, "crps": values, "variance": values**2})
    ranks = xr.DataArray(np.full((len(crps), 1, 5), 0.2), {"channel": ["zos"]}, ("case", "channel", "rank"))
    return width.judged(table, ranks, 4.0, list(regions), np.asarray(units))


def test_a_result_is_kept_and_not_computed_again(tmp_path):
    one = width.Contender("old: Gaussian", None, None, "key")
    first = width.kept(tmp_path / "width", "twin", one, "s", lambda contender: scores_of([0.1], ["ocean 0"], [0]))
    again = width.kept(tmp_path / "width", "twin", one, "s", lambda contender: pytest.fail("computed again"))
    assert again.drop_attrs().identical(first.drop_attrs()) and float(again["crps"].item()) == 0.1
    other = one._replace(key="other")
    assert width.kept(tmp_path / "width", "twin", other, "s", lambda c: scores_of([2.0], ["x"], [0]))["crps"] == 2.0


def test_contenders_are_compared_unit_by_unit():
    """A share of the other's CRPS; an interval only where there are units enough, and never of cases alone."""
    other, one = np.array([1.0, 2, 3, 4, 5, 6, 7, 8]), np.array([0.9, 1.8, 2.7, 3.6, 4.5, 5.4, 6.3, 9.6])
    each = [width.share(scores_of(one, "r" * 8, u), scores_of(other, "r" * 8, u)) for u in (range(8), [0] * 8)]
    for told in each:
        assert float(told["value"].item()) == pytest.approx(one.sum() / other.sum() - 1)
    assert float(each[0]["low"].item()) == pytest.approx(-0.1, abs=1e-6)  # samples without the last unit
    assert float(each[0]["low"].item()) < float(each[0]["value"].item()) < float(each[0]["high"].item())
    assert np.isnan(each[1]["low"].item())


def test_who_is_compared_with_whom():
    names = ["old physics, one climate: Gaussian", "wide physics, one climate: Gaussian", "wide physics, all: Gaussian",
             "old: Gaussian", "old: diffusion", "new: Gaussian", "new: diffusion"]
    assert list(width.opponents(names)) == [
        ("wide physics, one climate: Gaussian", "old physics, one climate: Gaussian"),
        ("wide physics, all: Gaussian", "wide physics, one climate: Gaussian"),
        ("wide physics, all: Gaussian", "old physics, one climate: Gaussian"),
        ("old: diffusion", "old: Gaussian"),
        ("new: Gaussian", "old: Gaussian"),
        ("new: diffusion", "new: Gaussian"),
        ("new: diffusion", "old: diffusion"),
        ("new: diffusion", "old: Gaussian"),
    ]


def test_rows_are_of_all_cases_and_of_each_region():
    tables = {name: scores_of(crps, ["a", "b"], [0, 1]) for name, crps in
              {"old: diffusion": [1.0, 3.0], "new: diffusion": [0.5, 3.0]}.items()}
    rows = {(r["case"], r.get("method"), r["metric"]): r["value"] for r in width.rows_of("twin", tables)}
    assert rows["twin", "new: diffusion", "crps"] == 1.75 and rows["twin, b", "new: diffusion", "crps"] == 3.0
    assert ("twin, a", "new: diffusion", "crps less old: diffusion") not in rows  # the table stays short
    assert rows["twin", "new: diffusion", "crps less old: diffusion"] == pytest.approx(-0.125)
    assert rows["twin", None, "units"] == 2


def test_the_figure_draws_every_contender_by_every_judge():
    names = {"old: Gaussian": "Old, Gaussian", "new: diffusion": "New, diffusion"}
    rows = []
    for judge in ("tuning twin", "real sea level"):
        tables = {n: scores_of([1.0 + i, 2.0], ["a", "b"], [0, 1]) for i, n in enumerate(("old: diffusion", *names))}
        rows += width.rows_of(judge, tables)
    figure = plot_width(tidy(rows), names)
    above, below = (part.axes for part in figure.subfigs)
    assert [ax.get_title() for ax in above] == ["Twin of another\nstructure", "Real\nsea level"] and len(below) == 2
    ratios = [line.get_xdata()[0] for line in above[0].lines if line.get_marker() == "o"]
    assert ratios == pytest.approx([1.0, 2.5 / 2.0])
    assert [t.get_text() for t in above[0].get_yticklabels()] == list(names.values())
    with pytest.raises(InputError, match="no judge"):
        plot_width(tidy([r | {"case": "none"} for r in rows]), names)


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


def test_oceans_of_the_old_width_are_not_replaced_by_others_without_a_word(tmp_path):
    told = argparse.Namespace(folder=tmp_path, cases=2, members=2, quick=True, region=None, real=None)
    assert [name for name, _ in width.judges(told)] == ["embedded sample"]


def test_a_map_is_described_as_sharp_as_it_is():
    grid = Grid.around(-60.0, 38.0, (64, 64))
    km = 9.27 * np.arange(64)
    fields = np.repeat(0.02 * km[:, None], 64, 1)
    slope = xr.DataArray(fields, coords=grid.coordinates(), dims=("latitude", "longitude"))
    assert beside.gradient(slope) == pytest.approx(2.0)  # 2 degC in 100 km
    wave = slope.copy(data=np.tile(np.sin(2 * np.pi * km / 100), (64, 1)))
    half = beside.smoothed(wave, 100.0).values[:, 16:-16]
    assert np.abs(half).max() == pytest.approx(0.5, abs=0.03)
    found = beside.described(xr.Dataset({"thetao": slope}))
    assert found["thetao", "deviation"] == pytest.approx(float(beside.smoothed(slope, 100.0).std()))
    assert found["thetao", "steep"] == pytest.approx(2.0, rel=0.02)


def test_products_that_are_not_there_are_named(tmp_path, refuses):
    with refuses(tmp_path.name, "OSTIA", "expected one"):
        list(beside.real_boxes(tmp_path, load_prior("gaussian")))
