"""Observations of other days: conditioning on them is that of a state and its changes, written out."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr

import genda_lite as gl
from genda_lite.baselines.closed_form import gaussian_posterior, prior_variance
from genda_lite.baselines.interpolation import interpolated_ensemble
from genda_lite.observe.likelihood import LinearGaussian
from genda_lite.observe.operators import Points
from genda_lite.posterior.assimilate import sample_posterior
from genda_lite.posterior.lags import lagged, prior_covariance
from genda_lite.posterior.problem import build_problem
from genda_lite.prior import GaussianPrior
from genda_lite.state import CHANNELS

T = 7.0  # days
DATE = np.datetime64("2019-02-23", "ns")


@pytest.fixture
def prior(covariance, standardizer, domain) -> GaussianPrior:
    return GaussianPrior(covariance, standardizer, domain)


@pytest.fixture
def lag() -> np.ndarray:
    """Of sixty values of sea level, and twenty of temperature on the day itself; six passes of ten values."""
    return np.concatenate([np.repeat([-5.0, -2.5, -0.3, 1.0, 3.0, 4.8], 10), np.zeros(20)])


@pytest.fixture
def likelihood(grid, lag) -> LinearGaussian:
    rng, m = np.random.default_rng(0), len(lag)
    channel = np.repeat([0, 1], [60, 20])
    where = (rng.uniform(v[0], v[-1], m) for v in (grid.latitude, grid.longitude))
    error = torch.from_numpy(rng.uniform(0.05, 0.5, m)).float()
    return LinearGaussian(
        Points(grid, channel, *where, len(CHANNELS)), torch.from_numpy(rng.normal(size=m)).float(), error**2
    )


def in_space_and_time(prior, likelihood, lag) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and variance of the state of the date, the state and its changes since being independent."""
    spectrum, operator = prior.spectrum, likelihood.operator
    gain = spectrum.posterior_covariance(torch.tensor(torch.inf))(operator.adjoint(torch.eye(len(lag))))  # rows of H S
    rho = torch.from_numpy(np.exp(-((lag / T) ** 2)))
    change = 1 + torch.from_numpy(np.exp(-((np.subtract.outer(lag, lag) / T) ** 2))) - rho[:, None] - rho
    matrix = operator(gain).double() * (1 + change) + torch.diag(likelihood.variance.double())
    gain = gain.flatten(1).double()
    weights = torch.linalg.solve(matrix, gain)
    mean = (likelihood.value.double() @ weights).view(spectrum.shape)
    return mean, prior_variance(spectrum) - (gain * weights).sum(0).view(spectrum.shape)


def test_it_is_optimal_interpolation_in_space_and_time(prior, likelihood, lag):
    mean, variance = gaussian_posterior(prior.spectrum, lagged(likelihood, prior.spectrum, lag, T))
    expected, expected_variance = in_space_and_time(prior, likelihood, lag)
    torch.testing.assert_close(mean, expected, atol=2e-4, rtol=0)
    torch.testing.assert_close(variance, expected_variance, atol=2e-4, rtol=0)
    other, _ = gaussian_posterior(prior.spectrum, likelihood)
    assert abs(mean - other).max() > 0.1  # that the days differ matters


def test_the_sampled_posterior_is_the_same(prior, likelihood, lag, grid):
    """By the guidance of a diffusion prior, and by the baseline."""
    expected, variance = in_space_and_time(prior, likelihood, lag)
    timely, members = lagged(likelihood, prior.spectrum, lag, T), 200
    context = torch.zeros(1, 6, *prior.shape[1:])
    for draws in (
        sample_posterior(prior, timely, context, members, guidance="oi", steps=24),
        interpolated_ensemble(prior, timely, members).draws,
    ):
        standard = (draws.double() - expected) / variance.sqrt()
        assert abs(standard.mean(0)).max() < 5 / np.sqrt(members)
        assert standard.square().mean() == pytest.approx(1, abs=0.05)


def test_changes_before_and_after_the_date_are_opposite(grid, prior):
    """One place, two days before and two after."""
    operator = Points(grid, np.array([0, 0]), np.full(2, 38.0), np.full(2, -60.0), len(CHANNELS))
    pair = LinearGaussian(operator, torch.tensor([1.0, 0.6]), torch.full((2,), 0.01**2))
    rho, twice = np.exp(-((2 / T) ** 2)), np.exp(-((4 / T) ** 2))
    for lags, alike in (((-2.0, 2.0), 1 + twice - 2 * rho), ((2.0, 2.0), 2 - 2 * rho)):
        shared = lagged(pair, prior.spectrum, np.array(lags), T).shared
        error = (shared.mT @ shared).numpy()
        assert error[0, 0] == pytest.approx(error[1, 1], rel=1e-4)
        assert error[0, 1] / error[0, 0] == pytest.approx(alike / (2 - 2 * rho), rel=1e-3)
    assert 1 + twice - 2 * rho < 0


def test_observations_of_the_date_stay_as_they_are(prior, likelihood, lag):
    same = lagged(likelihood, prior.spectrum, np.zeros(len(lag)), T)
    assert same.shared.shape == (0, len(lag))
    torch.testing.assert_close(same.value, likelihood.value)
    torch.testing.assert_close(same.variance, likelihood.variance)
    timely = lagged(likelihood, prior.spectrum, lag, T)
    assert not timely.shared[:, 60:].any() and torch.equal(timely.value, likelihood.value)
    assert (timely.covariance(torch.eye(80)).diagonal()[:60] > likelihood.variance[:60]).all()


def test_a_problem_is_posed_in_time_for_sea_level_alone(prior, grid, refuses):
    """Temperature, and what has no time, count as of the date."""
    ds = xr.Dataset({"value": ("point", np.full(3, 0.5)), "error": ("point", np.full(3, 0.1))})
    ds["latitude"], ds["longitude"] = ("point", np.full(3, 38.0)), ("point", np.full(3, -60.0))
    ds["time"] = ("point", DATE + np.array([-3, 0, 2]) * np.timedelta64(1, "D"))
    level, warm = (gl.Observations.from_points(ds.rename(value=c), c, "error", c) for c in ("zos", "thetao"))
    seen = level + warm + replace(level, time=np.full(3, np.datetime64("NaT", "ns")))
    timely, usual = (build_problem(prior, seen, grid=grid, date=DATE, **more) for more in ({"decorrelation": T}, {}))
    added = [one.likelihood.covariance(torch.eye(9)).diagonal().numpy() for one in (timely, usual)]
    change = 2 - 2 * np.exp(-((np.array([-3, 0, 2, *[0] * 6]) / T) ** 2))
    variance = float(prior_covariance(usual.likelihood, prior.spectrum, torch.tensor([0])))
    np.testing.assert_allclose(added[0] - added[1], change * variance, atol=1e-4 * variance)
    with refuses("decorrelation time", "above zero", "0"):
        build_problem(prior, level, grid=grid, date=DATE, decorrelation=0.0)


def test_the_precision_is_the_covariances_inverse_whatever_was_asked_before(prior, likelihood, lag):
    """What is kept of one question answers no other: another noise, other errors, other terms."""
    timely, v = lagged(likelihood, prior.spectrum, lag, T), torch.randn(3, 80, generator=torch.manual_seed(1))
    for extra in (0.5, 0.5, 0.0, 0.5):
        for one in (timely, likelihood, lagged(timely, prior.spectrum, lag, T)):
            whole = one.covariance(v) + extra * v
            torch.testing.assert_close(one.precision(whole, torch.tensor(extra)), v, atol=2e-3, rtol=0)
    timely.variance = 2 * timely.variance
    torch.testing.assert_close(timely.precision(timely.covariance(v)), v, atol=2e-3, rtol=0)
