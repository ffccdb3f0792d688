"""Limits that one is told of before an analysis: places the prior does not know, errors and values that cannot be."""

import importlib
import warnings

import numpy as np
import pytest
import torch
import xarray as xr

import genda_lite as gl
from genda_lite.observe.likelihood import LinearObservations
from genda_lite.posterior import solve as solver
from genda_lite.posterior.innovations import LIMIT, check_innovations, checks
from genda_lite.posterior.problem import CONTINUED, build_problem
from genda_lite.posterior.solve import InnovationSolver
from genda_lite.state import CHANNELS, Grid

DATE = np.datetime64("2019-02-23", "ns")


def points(values, channel="thetao", error=0.3, latitude=38.02, longitude=-60.03) -> gl.Observations:
    """Values of a channel, side by side on a parallel where the longitudes differ."""
    ds = xr.Dataset({channel: ("point", np.asarray(values, float))})
    for name, where in (("latitude", latitude), ("longitude", longitude)):
        ds[name] = ("point", np.broadcast_to(where, len(ds[channel])).astype(float))
    return gl.Observations.from_points(ds, channel, error)


# --- Where -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("south", [-38.0, 0.0, 20.0, 33 - CONTINUED - 0.1, 43 + CONTINUED - 1.1, 60.0])
def test_other_latitudes_are_refused(gaussian_prior, refuses, south):
    """The domain is 33-43 N: seasons are turned round at 38 S, and so is the drift from the wind."""
    grid = Grid(south + np.arange(16) / 12, -60 + np.arange(16) / 12)
    seen = points([15.0], latitude=south + 0.5, longitude=-59.5)
    with refuses("outside the prior's latitudes (33..43 N)", str(grid), "seasons", "currents", "any longitude"):
        build_problem(gaussian_prior, seen, grid=grid, date=DATE)
    with refuses("latitudes"):
        gl.assimilate(gaussian_prior, seen, grid=grid, date=DATE)


def test_latitudes_a_little_outside_warn_and_longitudes_never_do(gaussian_prior):
    beyond = Grid(43 - 1 / 12 + np.arange(16) / 12, -60 + np.arange(16) / 12)
    with pytest.warns(UserWarning, match=r"1\.17 degrees outside the prior's latitudes") as told:
        build_problem(gaussian_prior, points([15.0], latitude=43.0, longitude=-59.5), grid=beyond, date=DATE)
    assert len(told) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for west in (-179.0, 0.0, 150.0):
            for south in (33.0, 43 - 15 / 12):
                grid = Grid(south + np.arange(16) / 12, west + np.arange(16) / 12)
                seen = points([15.0], latitude=south + 0.5, longitude=west + 0.5)
                build_problem(gaussian_prior, seen, grid=grid, date=DATE)


# --- How exactly -----------------------------------------------------------------------------------------------------


def test_errors_that_rounding_would_hide_are_refused(gaussian_prior, grid, refuses):
    """Else pairs of values that contradict each other did not meet but diverged: by metres from 1e-4 m on."""
    pairs, places = [0.6, 0.4] * 8, np.repeat(grid.longitude[::2], 2)
    with refuses("16 of 17 errors", "0.0001 m of zos", "expected at least 0.00032 m", "units"):
        seen = points([15.0]) + points(pairs, "zos", 1e-4, longitude=places)
        build_problem(gaussian_prior, seen, grid=grid, date=DATE)
    mean = LinearObservations(lambda x: x[:, 1].mean((1, 2))[:, None], whole, np.array([18.0]), 1e-6)
    with refuses("1 of 2 errors", "its map"):
        build_problem(gaussian_prior, points([15.0]), grid=grid, date=DATE, linear=[mean])
    with pytest.warns(UserWarning, match="contradict"):
        seen = points(pairs, "zos", 1e-3, longitude=places)
        analysis = gl.assimilate(gaussian_prior, seen, members=2, grid=grid, date=DATE, fast=True)
    assert abs(analysis["zos"]).max() < 3
    np.testing.assert_allclose(analysis["zos"].interp(latitude=38.02, longitude=places), 0.5, atol=0.05)


def whole(y):
    """The adjoint of the mean temperature of 16 x 16 cells."""
    x = y.new_zeros(len(y), len(CHANNELS), 16, 16)
    x[:, 1] = y[:, :, None] / 256
    return x


# --- What ------------------------------------------------------------------------------------------------------------


@pytest.fixture(params=[2000, 0], ids=["factor", "iterations"])
def judged(request, gaussian_prior, grid, monkeypatch):
    """What the door says of observations: at most one sentence; whichever solver is at work."""
    monkeypatch.setattr(solver, "DIRECT", request.param)

    def judge(observations, linear=()) -> str:
        likelihood = build_problem(gaussian_prior, observations, grid=grid, date=DATE, linear=linear).likelihood
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            check_innovations(InnovationSolver(gaussian_prior, likelihood), observations)
        assert len(told) < 2
        sentence = str(told[0].message) if told else ""
        assert "\n" not in sentence
        return sentence

    return judge


def wide(prior, grid, amplitude: float, offset: float) -> gl.Observations:
    """Tracks, and temperature in two cells of five, of an ocean with larger anomalies than the prior's."""
    draw = prior.spectrum.sample(1, generator=torch.Generator().manual_seed(3)) * amplitude + offset
    truth = prior.standardizer.to_dataset(draw, grid, DATE).isel(member=0, drop=True)
    rng = np.random.default_rng(0)
    warm = truth["thetao"] + 0.3 * rng.normal(size=grid.shape)
    tracks = truth["zos"] + 0.03 * rng.normal(size=grid.shape)
    return gl.Observations.from_grid(tracks, "zos", 0.03, mask=np.eye(16)) + gl.Observations.from_grid(
        warm, "thetao", 0.3, mask=rng.random(grid.shape) < 0.4
    )


@pytest.mark.parametrize(("amplitude", "offset"), [(1, 0), (3, 0), (3, 2)])
def test_an_ocean_wider_than_the_prior_is_no_reason_to_warn(judged, gaussian_prior, grid, amplitude, offset):
    assert judged(wide(gaussian_prior, grid, amplitude, offset)) == ""


def test_other_units_are_told(judged, gaussian_prior, grid):
    """One value of 290, or a whole map whose values agree with each other: each lies far from the climatology."""
    for kelvin in (points([290.0]), points(288 + np.arange(10) / 10, longitude=grid.longitude[:10])):
        told = judged(wide(gaussian_prior, grid, 1, 0) + kelvin)
        assert f"{len(kelvin)} of" in told and "from the climatology" in told and "kelvin" in told
        assert "thetao of source 2 at 38.02 N" in told and "degC with an error of 0.3 degC" in told


def test_contradictions_are_told_wherever_they_hide(judged, gaussian_prior, grid):
    """Two metres between neighbours, alone and among many; far from each other they are unusual, not impossible."""
    near, far = (points([1.5, -0.5], "zos", 0.01, longitude=-60.03 + np.array([0, apart])) for apart in (0.002, 0.5))
    for seen in (near, wide(gaussian_prior, grid, 1, 0) + near):
        told = judged(seen)
        assert "2 of" in told and "from what the others let one expect" in told and "zos of source" in told
        assert "errors that are too small" in told and "kelvin" not in told
    assert judged(far) == ""


def test_neighbours_two_metres_apart_are_told_of_the_shipped_prior():
    """They gave currents of 21 m/s; two values far apart in a real sea are none of the door's business."""
    prior = gl.load_prior("gaussian")
    for apart, suspect in ((1 / 12, 2), (2.0, 0)):
        seen = points([1.0, -1.0], "zos", 0.01, longitude=[-60.0, -60.0 + apart])
        likelihood = build_problem(prior, seen, date=DATE).likelihood
        assert int((checks(InnovationSolver(prior, likelihood))[1] > LIMIT).sum()) == suspect


def test_a_linear_map_is_named(judged):
    mean = LinearObservations(lambda x: x[:, 1].mean((1, 2))[:, None], whole, np.array([290.0]), 0.1)
    assert "value 0 of the linear observations" in judged(points([18.0]), [mean])


def test_the_checks_are_those_of_the_dense_matrices(gaussian_prior, grid):
    """Leaving one out in turn, and the variance of each value."""
    seen = wide(gaussian_prior, grid, 1, 0)
    seen = seen.select(np.arange(len(seen)) % 6 == 0)
    likelihood = build_problem(gaussian_prior, seen, grid=grid, date=DATE).likelihood
    rows = torch.eye(len(seen))
    covariance = gaussian_prior.covariance(torch.tensor(torch.inf))
    matrix = likelihood.operator(covariance(likelihood.operator.adjoint(rows))) + likelihood.covariance(rows)
    matrix, value = matrix.double().numpy(), likelihood.value.double().numpy()
    expected = np.empty((2, len(seen)))
    for i in range(len(seen)):
        others = np.arange(len(seen)) != i
        weights = np.linalg.solve(matrix[np.ix_(others, others)], matrix[others, i])
        variance = matrix[i, i] - weights @ matrix[others, i]
        expected[:, i] = value[i] / matrix[i, i] ** 0.5, (value[i] - weights @ value[others]) / variance**0.5
    found = checks(InnovationSolver(gaussian_prior, likelihood, tolerance=1e-6), draws=4000)
    np.testing.assert_allclose(found, abs(expected), rtol=0.06, atol=0.01)


def test_the_analysis_asks_once_and_factors_once(gaussian_prior, grid, monkeypatch):
    module = importlib.import_module("genda_lite.posterior.assimilate")
    made = []
    monkeypatch.setattr(solver, "cholesky", lambda *a, made=made, real=solver.cholesky: made.append(1) or real(*a))
    seen, options = points([290.0]), {"members": 2, "grid": grid, "date": DATE, "steps": 2, "guidance": "oi"}
    with pytest.warns(UserWarning, match="kelvin") as told:
        gl.assimilate(gaussian_prior, seen, **options)
    assert len(told) == 1 and told[0].filename == __file__
    with_check = len(made)
    made.clear()
    monkeypatch.setattr(module, "check_innovations", lambda *_: None)
    gl.assimilate(gaussian_prior, seen, **options)
    assert len(made) == with_check
