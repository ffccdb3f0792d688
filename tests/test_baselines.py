"""Optimal interpolation of any number of observations is that of the closed form."""

import numpy as np
import pytest
import torch

from genda_lite.baselines.closed_form import gaussian_posterior, prior_variance
from genda_lite.baselines.interpolation import chi_square, climatological_ensemble, interpolated_ensemble
from genda_lite.observe.likelihood import LinearGaussian
from genda_lite.observe.operators import Points
from genda_lite.prior import GaussianPrior
from genda_lite.state import CHANNELS


@pytest.fixture(params=[False, True], ids=["multivariate", "univariate"])
def prior(request, covariance, standardizer, domain) -> GaussianPrior:
    return GaussianPrior(covariance, standardizer, domain, univariate=request.param)


@pytest.fixture
def likelihood(grid, prior) -> LinearGaussian:
    """120 points of two channels with errors from 0.05 to 0.5, sixty of which share a constant."""
    rng, m = np.random.default_rng(0), 120
    channel = np.repeat([0, 1], m // 2)
    where = (rng.uniform(v[0], v[-1], m) for v in (grid.latitude, grid.longitude))
    shared = torch.zeros(1, m)
    shared[0, :60] = 0.7
    error = torch.from_numpy(rng.uniform(0.05, 0.5, m)).float()
    value = torch.from_numpy(rng.normal(size=m)).float()
    return LinearGaussian(Points(grid, channel, *where, len(CHANNELS)), value, error**2, shared)


def test_mean_and_draws_are_those_of_the_closed_form(prior, likelihood):
    mean, variance = gaussian_posterior(prior.spectrum, likelihood)
    found = interpolated_ensemble(prior, likelihood, 400, tolerance=1e-5)
    torch.testing.assert_close(found.mean.double(), mean, atol=2e-3, rtol=0)
    deviation = (found.draws - found.mean).double()
    torch.testing.assert_close(deviation.square().mean(), variance.mean(), rtol=0.02, atol=0)
    standard = deviation.square().mean(0) / variance
    assert abs(standard.mean() - 1) < 0.02 and 0.7 < standard.min() and standard.max() < 1.4
    assert abs(deviation.mean(0) / variance.sqrt()).max() < 5 / np.sqrt(400)


def test_draws_do_not_depend_on_how_many_there_are(prior, likelihood):
    few, many = (interpolated_ensemble(prior, likelihood, members, seed=3, tolerance=1e-5) for members in (2, 5))
    torch.testing.assert_close(few.draws, many.draws[:2], atol=1e-3, rtol=0)


def test_climatology_has_the_variance_of_the_prior(prior):
    found = climatological_ensemble(prior, 600)
    assert not found.mean.any()
    ratio = found.draws.double().square().mean(0) / prior_variance(prior.spectrum)
    assert abs(ratio.mean() - 1) < 0.02


def test_innovations_that_are_as_expected_have_a_chi_square_of_one(prior, likelihood):
    """And four times as much if they are twice as large."""
    truths = climatological_ensemble(prior, 300, seed=7).draws
    noise = torch.from_numpy(np.random.default_rng(1).normal(size=(300, 121))).float()
    seen = likelihood.operator(truths) + likelihood.draw_errors(noise[:, :-1], noise[:, -1:])
    found, doubled = (
        chi_square(prior, LinearGaussian(likelihood.operator, values, likelihood.variance, likelihood.shared))
        for values in (seen, 2 * seen)
    )
    assert found.shape == (300,)
    assert abs(found.mean() - 1) < 4 * found.std() / np.sqrt(300)
    assert found.std() == pytest.approx(np.sqrt(2 / 120), rel=0.2)  # of a chi-square with 120 degrees of freedom
    torch.testing.assert_close(doubled, 4 * found, rtol=1e-3, atol=0)


def test_the_chi_square_is_that_of_the_dense_matrices(prior, likelihood):
    rows = torch.eye(120)
    matrix = likelihood.operator(prior.covariance(torch.tensor(torch.inf))(likelihood.operator.adjoint(rows)))
    matrix = (matrix + likelihood.covariance(rows)).double().numpy()
    value = likelihood.value.double().numpy()
    assert chi_square(prior, likelihood).item() == pytest.approx(value @ np.linalg.solve(matrix, value) / 120, rel=1e-3)
