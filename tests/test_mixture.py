"""The mixture of Gaussians: its denoiser and its posterior against definitions that share no line with them."""

import pytest
import torch

from genda_lite.baselines.closed_form import exact_posterior
from genda_lite.observe.likelihood import LinearGaussian
from genda_lite.observe.operators import Linear
from genda_lite.prior.mixture import MixturePrior

SHAPE = (1, 4, 4)


@pytest.fixture(scope="module")
def prior() -> MixturePrior:
    """Three components, of other means and other spectra."""
    generator = torch.Generator().manual_seed(0)
    k = torch.arange(4.0)
    k = (k[:, None] ** 2 + k**2).sqrt()
    weights = torch.tensor([0.5, 0.3, 0.2])
    means = torch.randn(3, *SHAPE, generator=generator)
    means = means - torch.einsum("k,kcyx->cyx", weights, means)
    shapes = ((2.0, 1.0), (1.0, 3.0), (0.5, 2.0))  # variance of the mean, slope
    covariances = [(variance * (1 + k) ** -slope)[..., None, None] for variance, slope in shapes]
    return MixturePrior(weights, means, covariances)


def dense(prior) -> list[torch.Tensor]:
    """Each component's covariance as a matrix, double precision."""
    unit = torch.eye(16).view(16, *SHAPE)
    return [c.posterior_covariance(torch.tensor(torch.inf))(unit).flatten(1).double() for c in prior.components]


def log_density(prior, x: torch.Tensor, sigma: float) -> torch.Tensor:
    """ln p(x0 + sigma n) at x (B, 16)."""
    parts = []
    for weight, mean, covariance in zip(prior.weights, prior.means, dense(prior), strict=True):
        noisy = covariance + sigma**2 * torch.eye(16)
        normal = torch.distributions.MultivariateNormal(mean.flatten().double(), noisy)
        parts.append(weight.double().log() + normal.log_prob(x))
    return torch.stack(parts).logsumexp(0)


@pytest.mark.parametrize("sigma", [0.05, 0.5, 3.0])
def test_denoiser_is_tweedie(prior, sigma):
    """E[x0 | x] = x + sigma^2 grad ln p(x)."""
    x = (prior.sample(8, torch.Generator().manual_seed(1)) + sigma).double().flatten(1).requires_grad_()
    (score,) = torch.autograd.grad(log_density(prior, x, sigma).sum(), x)
    expected = (x + sigma**2 * score).detach().float()
    noise = torch.full((8,), sigma)
    for level in (torch.tensor(sigma), noise):
        ours = prior.denoise(x.detach().float().view(8, *SHAPE), level).flatten(1)
        torch.testing.assert_close(ours, expected, atol=2e-4, rtol=0)


def test_sample_and_spectrum_have_the_same_moments(prior):
    draws = prior.sample(40000, torch.Generator().manual_seed(2))
    assert draws.mean(0).abs().max() < 0.04
    modes = prior.spectrum.basis(draws)
    torch.testing.assert_close((modes**2).mean(0)[0], prior.spectrum.variance[0], rtol=0.06, atol=0)


def test_exact_posterior_is_that_of_weighted_draws(prior):
    """Against importance sampling from the prior: weights, mean, variance and misfit."""
    matrix = torch.randn(3, 16, generator=torch.Generator().manual_seed(3)) / 4
    operator = Linear(lambda x: x.flatten(1) @ matrix.T, lambda y: (y @ matrix).view(-1, *SHAPE), SHAPE)
    variance = torch.tensor([0.3, 0.5, 0.4])
    values = torch.tensor([[0.5, -1.0, 0.8], [-0.2, 0.4, 0.1]])
    exact = exact_posterior(prior, LinearGaussian(operator, values, variance), values)
    draws = prior.sample(400000, torch.Generator().manual_seed(4))
    squares = (values[:, None] - operator(draws)) ** 2 / variance
    weights = (-0.5 * squares.sum(-1)).softmax(1)
    mean = torch.einsum("tb,bcyx->tcyx", weights, draws)
    spread = torch.einsum("tb,bcyx->tcyx", weights, draws**2) - mean**2
    torch.testing.assert_close(exact.mean.float(), mean, atol=0.02, rtol=0)
    torch.testing.assert_close(exact.variance.float(), spread, atol=0.02, rtol=0.02)
    torch.testing.assert_close(exact.misfit.float(), torch.einsum("tb,tbm->t", weights, squares) / 3, atol=0.02, rtol=0)
    assert (exact.weights.amax(1) < 0.98).all()  # the component stays open: its weight was tested, too
