"""Guidance: from a prior and observations to a denoiser of the posterior.

A diffusion model samples its prior by calling E[x0 | x] at falling noise. To sample the posterior, call an
approximation of E[x0 | x, y] instead: a guided denoiser is a denoiser. Both methods here treat what is still unknown
at noise sigma as Gaussian, x0 | x ~ N(D, P), and differ in how they carry the innovation back into the state.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from ..observe import Likelihood
from ..prior.base import Prior

Denoiser = Callable[[Tensor, Tensor], Tensor]


def conjugate_gradients(
    matrix: Callable[[Tensor], Tensor], rhs: Tensor, scale: Tensor, tolerance: float, max_iterations: int
) -> Tensor:
    """Solve A v = b for a symmetric positive A, each row of b (B, m) on its own (Hestenes & Stiefel 1952).

    Args:
        scale: (m,) approximate diagonal of A, the preconditioner.
        tolerance: a row is solved when its residual has fallen below this fraction of its start; it then stays as it
            is, so that the result does not depend on the rows beside it.
    """
    v, residual = torch.zeros_like(rhs), rhs.clone()
    z = residual / scale
    direction, power = z, (residual * z).sum(-1, keepdim=True)
    goal = tolerance**2 * power
    for _ in range(max_iterations):
        unsolved = power > goal
        if not unsolved.any():
            break
        image = matrix(direction)
        step = unsolved * power / (direction * image).sum(-1, keepdim=True).clamp(min=1e-30)
        v = v + step * direction
        residual = residual - step * image
        z = residual / scale
        previous, power = power, (residual * z).sum(-1, keepdim=True)
        direction = z + power / previous.clamp(min=1e-30) * direction
    return v


def innovation_weights(
    prior: Prior,
    likelihood: Likelihood,
    innovation: Tensor,
    sigma: Tensor,
    tolerance: float = 1e-4,
    max_iterations: int = 100,
) -> Tensor:
    """(H P H' + R)^-1 d for innovations d (B, m): how much each observation still pulls at noise sigma."""
    observe = likelihood.observed_operator
    covariance = prior.covariance(sigma, likelihood.observed_channels)

    def matrix(v):
        return observe(covariance(observe.adjoint(v))) + likelihood.covariance(v)

    unknown = prior.spectrum.posterior_variance(sigma).mean()
    scale = likelihood.variance + (likelihood.shared**2).sum(0) + unknown
    return conjugate_gradients(matrix, innovation, scale, tolerance, max_iterations)


def oi_covariance(prior: Prior, likelihood: Likelihood, context: Tensor) -> Denoiser:
    """Optimal interpolation inside the denoiser:

        E[x0 | x, y] ~ D + P H' (H P H' + R)^-1 (y - H D),   P = S sigma^2 (S + sigma^2)^-1

    with the climatological spectrum S. No gradient through the network. Exact for a
    Gaussian prior, where P is the covariance of x0 given x: then each step is optimal
    interpolation (Bretherton et al. 1976) of what is still unknown at this noise.
    """

    @torch.no_grad()
    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        estimate = prior.denoise(x, sigma, context)
        innovation = likelihood.value - likelihood.operator(estimate)
        weights = innovation_weights(prior, likelihood, innovation, sigma)
        increment = prior.covariance(sigma)(likelihood.operator.adjoint(weights))
        return estimate + increment

    return denoise


def oi_jacobian(prior: Prior, likelihood: Likelihood, context: Tensor) -> Denoiser:
    """The same weights, carried back by the network's own Jacobian J = dD/dx, one vector-Jacobian product a step:

        E[x0 | x, y] ~ D + sigma^2 J' H' (H P H' + R)^-1 (y - H D)

    since Cov[x0 | x] = sigma^2 J' (Tweedie; Rozet et al. 2024, eq. 15): the innovation spreads along the flow.
    """

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            estimate = prior.denoise(x, sigma, context)
        innovation = likelihood.value - likelihood.operator(estimate.detach())
        weights = innovation_weights(prior, likelihood, innovation, sigma)
        (increment,) = torch.autograd.grad(estimate, x, likelihood.operator.adjoint(weights))
        return estimate.detach() + sigma**2 * increment

    return denoise


def interpolated_draws(prior: Prior, likelihood: Likelihood, draws: Tensor, errors: Tensor) -> Tensor:
    """Draws of the Gaussian posterior from draws s of the Gaussian prior N(0, S) and e of the errors N(0, R):

        s + S H' (H S H' + R)^-1 (y + e - H s)

    (Matheron's rule, e.g. Journel & Huijbregts 1978). The sampler starts from these: at the highest noise level the
    members then have the posterior's mean and spread, not the prior's.
    """
    everything = torch.tensor(torch.inf)
    weights = innovation_weights(prior, likelihood, likelihood.value + errors - likelihood.operator(draws), everything)
    return draws + prior.covariance(everything)(likelihood.operator.adjoint(weights))


METHODS: dict[str, Callable[[Prior, Likelihood, Tensor], Denoiser]] = {
    "oi": oi_covariance,
    "oi-jacobian": oi_jacobian,
}
