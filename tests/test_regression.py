"""The regression baseline: what it is shown, what it is trained on, and that it learns."""

import json
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

from genda_lite.baselines.interpolation import interpolated_ensemble
from genda_lite.baselines.regression import (
    FORMAT,
    KINDS,
    ObservedWindows,
    Regression,
    RegressionConfig,
    loss_of,
    parts_of,
    patterns,
)
from genda_lite.observe.instruments import DAY
from genda_lite.observe.systems import L4, NADIR, ObservingSystem
from genda_lite.observe.table import Observations
from genda_lite.posterior.problem import build_problem
from genda_lite.prepare.frames import TrainingSet
from genda_lite.prior.checkpoint import read_safetensors
from genda_lite.prior.samplers import MemberNoise
from genda_lite.prior.windows import Windows
from genda_lite.sources.samples import sample_path
from genda_lite.state import CHANNELS, Grid, harmonics
from genda_lite.verify.scores import observed_crps

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

DATE = np.datetime64("2001-02-03T12:00", "ns")
EVERYTHING = ObservingSystem(NADIR, swot=True, cloud=0.4, l4=L4, wind=True)


@pytest.fixture(scope="module")
def frames(gaussian_prior) -> TrainingSet:
    """Two months of an ocean, standing still: 20 frames of one draw of the prior, three days apart."""
    grid = Grid.around(-60.0, 38.0, (16, 16))
    noise = MemberNoise(0, range(1), gaussian_prior.shape, "cpu")
    x = gaussian_prior.spectrum.from_modes(gaussian_prior.spectrum.variance.sqrt() * noise())[0]
    times = DATE + 3 * np.arange(20) * DAY
    return TrainingSet(
        [x] * 20, torch.from_numpy(harmonics(times)).float(), grid.latitude, grid.longitude, gaussian_prior.standardizer
    )


def one_point(grid: Grid, row: int, column: int, value: float, error: float) -> Observations:
    table = xr.Dataset({"thetao": ("point", [value])})
    table = table.assign_coords(
        latitude=("point", grid.latitude[[row]]), longitude=("point", grid.longitude[[column]])
    )
    return Observations.from_points(table, "thetao", error)


def test_a_point_is_shown_as_the_estimate_of_a_value_of_unit_variance(grid, standardizer):
    usual = standardizer.climatology(grid.latitude, DATE)[1]
    scale = standardizer.scale[1]
    parts = parts_of(one_point(grid, 3, 5, usual[3] + 2 * scale, 0.5 * scale), grid, standardizer, DATE)
    assert [part is None for part in parts] == [kind != ("thetao", False) for kind in KINDS]
    value, known = parts[1].maps(parts[1].error)
    assert float(known[3, 5]) == pytest.approx(1 / (1 + 0.25), rel=1e-4)
    assert float(value[3, 5]) == pytest.approx(2 / (1 + 0.25), rel=1e-4)
    assert float(known.sum() - known[3, 5]) == pytest.approx(0, abs=1e-5)


def test_two_points_in_a_cell_count_by_their_precision(grid, standardizer):
    usual, scale = standardizer.climatology(grid.latitude, DATE)[1][3], standardizer.scale[1]
    both = one_point(grid, 3, 5, usual + scale, 0.5 * scale) + one_point(grid, 3, 5, usual - scale, scale)
    value, known = (m[3, 5] for m in (lambda p: p.maps(p.error))(parts_of(both, grid, standardizer, DATE)[1]))
    assert float(known) == pytest.approx(5 / 6, rel=1e-4) and float(value) == pytest.approx(3 / 6, rel=1e-4)


def test_every_kind_of_a_system_is_shown(gaussian_prior, grid):
    (pattern,) = patterns(
        lambda _: EVERYTHING, range(1), gaussian_prior.standardizer, gaussian_prior.domain, 3.0, 16, np.array([DATE])
    )
    assert all(part is not None for part in pattern)
    stranger = one_point(grid, 1, 1, 0.0, 1.0)
    stranger = replace(stranger, channel=np.array(["so"]))
    with pytest.raises(ValueError, match="no points of so"):
        parts_of(stranger, grid, gaussian_prior.standardizer, DATE)


def test_training_shows_what_a_case_shows(gaussian_prior, frames):
    """A pattern laid over an ocean that stands still is the simulated observation of that ocean."""
    grid, standardizer = Grid(frames.latitude, frames.longitude), gaussian_prior.standardizer
    quiet = replace(EVERYTHING, seed=3)
    truth = standardizer.to_dataset(frames.frames[0][None], grid, DATE).isel(member=0).drop_vars(["member", "time"])
    series = xr.concat([truth.assign_coords(time=DATE + day * DAY) for day in range(-5, 6)], "time")
    calm = xr.zeros_like(series)
    lags = 3.0 * np.arange(-2, 3)
    seen, pattern = (
        parts_of(quiet.observe(series, DATE), grid, standardizer, DATE),
        parts_of(quiet.observe(calm, DATE), grid, standardizer, DATE, lags=lags),
    )
    x = frames.frames[0]
    for (name, smooth), one, other in zip(KINDS, seen, pattern, strict=True):
        state = x[CHANNELS.index(name)].expand(1, 5 if name == "zos" and not smooth else 1, -1, -1)
        shown = other.maps(other.operator(state)[0] + other.error)
        # Smooth maps blur the climatology, too, which has no place in the pattern: a slope at the edges.
        torch.testing.assert_close(shown, one.maps(one.error), atol=0.05 if smooth else 2e-3, rtol=0)


def observed(prior, frames, system, count) -> ObservedWindows:
    """Windows that `count` systems see."""
    bank = patterns(system, range(count), prior.standardizer, prior.domain, 3.0, 16, np.array([DATE]))
    return ObservedWindows(frames, Windows(frames, prior.domain, 16), list(bank))


def test_windows_are_reproducible_and_complete(gaussian_prior, frames):
    windows = observed(gaussian_prior, frames, lambda n: replace(EVERYTHING, seed=n), 3)
    shown, x = windows[7]
    assert shown.shape == (2 * len(KINDS) + 5, 16, 16) and x.shape == (7, 16, 16)
    assert torch.isfinite(shown).all() and shown.equal(windows[7][0]) and not shown.equal(windows[8][0])


def small() -> RegressionConfig:
    return RegressionConfig(width=8, multipliers=(1, 1))


def windows_of_one_ocean(prior, frames) -> list[torch.Tensor]:
    """Eight windows, all seen by one system."""
    windows = observed(prior, frames, lambda _: EVERYTHING, 1)
    return [torch.stack(parts) for parts in zip(*(windows[i] for i in range(8)), strict=True)]


def test_it_learns_and_survives_the_disk(gaussian_prior, frames, tmp_path, refuses):
    batch = windows_of_one_ocean(gaussian_prior, frames)
    torch.manual_seed(0)
    regression = Regression(small(), gaussian_prior.standardizer.scale, gaussian_prior.domain, (16, 16))
    optimizer = torch.optim.Adam(regression.network.parameters(), 3e-3)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = loss_of(regression, regression.network, batch).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]

    regression.save(tmp_path / "regression.safetensors")
    again = Regression.load(tmp_path / "regression.safetensors")
    grid = Grid(frames.latitude, frames.longitude)
    truth = gaussian_prior.standardizer.to_dataset(frames.frames[0][None], grid, DATE).isel(member=0).drop_vars("time")
    series = xr.concat([truth.assign_coords(time=DATE + day * DAY) for day in range(-5, 6)], "time")
    seen = EVERYTHING.observe(series, DATE).inside(grid)
    problem = build_problem(gaussian_prior, seen, {"southwest": (grid.longitude[0], grid.latitude[0])}, None, DATE)
    estimate, deviation = again.estimate(gaussian_prior, seen, problem.grid, DATE, problem.context)
    assert deviation is None
    oi = interpolated_ensemble(gaussian_prior, problem.likelihood, 2).mean
    error, climatology = ((a - frames.frames[0]).square().mean() for a in (estimate, torch.zeros_like(oi)))
    assert error < 0.4 * climatology  # it knows this one ocean by heart
    again.scale = 2 * again.scale
    with refuses("another climatology"):
        again.estimate(gaussian_prior, seen, problem.grid, DATE, problem.context)
    (tmp_path / "regression.safetensors").write_bytes(b"no")
    with refuses("safetensors"):
        Regression.load(tmp_path / "regression.safetensors")


@pytest.mark.parametrize("crps", [False, True])
def test_a_head_learns_how_far_the_state_is_off(gaussian_prior, frames, crps):
    """Of noise of two sizes, west and east, which no observation tells of, it can only learn the deviation."""
    shown, x = windows_of_one_ocean(gaussian_prior, frames)
    size = torch.where(torch.arange(16) < 8, 0.3, 1.2)
    torch.manual_seed(0)
    config = replace(small(), variance=True)
    regression = Regression(config, gaussian_prior.standardizer.scale, gaussian_prior.domain, (16, 16))
    shown = torch.linspace(-1, 1, 16).expand_as(shown)  # where a column is
    optimizer = torch.optim.Adam(regression.network.parameters(), 1e-2)
    generator = torch.Generator().manual_seed(1)
    for _ in range(120):
        noise = size * torch.randn(x.shape, generator=generator)
        optimizer.zero_grad()
        loss_of(regression, regression.network, (shown, noise), crps=crps).mean().backward()
        optimizer.step()
    mean, deviation = regression(shown)
    assert mean.shape == deviation.shape == x.shape and (deviation > 0).all()
    west, east = deviation[..., 2:6].mean(), deviation[..., 10:14].mean()
    assert west.item() == pytest.approx(0.3, rel=0.15) and east.item() == pytest.approx(1.2, rel=0.15)


def test_losses_of_a_head_are_those_of_a_gaussian(gaussian_prior):
    regression = Regression(replace(small(), variance=True), np.ones(7), gaussian_prior.domain, (16, 16))
    x, deviation = torch.full((1, 7, 16, 16), 0.4), 0.5
    shown = torch.zeros(1, 2 * len(KINDS) + 5, 16, 16)

    def network(shown, noise):
        log = torch.full((1, 7, 16, 16), float(np.log(deviation)))
        return torch.cat([torch.full((1, 7, 16, 16), 0.1), log], 1)

    found = regression(shown, network=network)
    torch.testing.assert_close(found.deviation, torch.full_like(x, deviation), atol=2e-3, rtol=0)
    likelihood, score = (loss_of(regression, network, (shown, x), crps=crps) for crps in (False, True))
    expected = -torch.distributions.Normal(0.1, deviation).log_prob(torch.tensor(0.4)) - 0.5 * np.log(2 * np.pi)
    torch.testing.assert_close(likelihood, expected.float().expand(1, 7), atol=3e-3, rtol=0)
    one = xr.DataArray([[0.1]], dims=("member", "x"))
    crps = float(observed_crps(one, xr.DataArray([0.4], dims="x"), deviation))
    torch.testing.assert_close(score, torch.full((1, 7), crps), atol=1e-3, rtol=0)


def test_a_training_begins_with_the_weights_of_a_like_regression_alone(tmp_path, refuses):
    begin_with = import_module("train_regression").begin_with
    path = sample_path("regression_lite.safetensors")
    other = Regression.load(path)
    new = Regression(other.config, other.scale, other.domain, other.shape)
    assert begin_with(new, path) == {"warm_start": other.training}
    for mine, theirs in zip(new.network.parameters(), other.network.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    with refuses("is of RegressionConfig"):
        begin_with(Regression(other.config, 2 * other.scale, other.domain, other.shape), path)


def test_a_checkpoint_without_a_head_is_read_as_before(gaussian_prior, tmp_path):
    path = sample_path("regression_lite.safetensors")
    _, metadata = read_safetensors(path, FORMAT)
    assert "variance" not in json.loads(metadata["config"])
    shipped = Regression.load(path)
    assert not shipped.config.variance
    shown = torch.zeros(1, 2 * len(KINDS) + 5, *shipped.shape)
    mean, deviation = shipped(shown)
    assert deviation is None and mean.shape == (1, 7, *shipped.shape)

    new = Regression(replace(small(), variance=True), np.ones(7), gaussian_prior.domain, (16, 16))
    new.save(tmp_path / "head.safetensors")
    assert Regression.load(tmp_path / "head.safetensors").config == new.config
