"""Guidance: from a prior and observations to a denoiser of the posterior.

A diffusion model samples its prior by calling D = E[x0 | x] at falling noise. To sample the posterior, call an
approximation of E[x0 | x, y] instead: a guided denoiser is a denoiser. By Bayes' rule and Tweedie's formula it is

    E[x0 | x, y] = D + sigma^2 grad_x ln p(y | x)

and with x0 | x ~ N(D, V) and y = H x0 + e, e ~ N(0, R), whose V hardly depends on x,

    E[x0 | x, y] ~ D + sigma^2 J' H' (H V H' + R)^-1 (y - H D),    J = dD / dx

The exact V is sigma^2 J'. The methods differ in the V they take, and in whether the innovation y - H D is carried back
into the state by the network's Jacobian, one vector-Jacobian product (VJP), or by the covariance of the prior.

Observations that are no linear map of the state are linearized about D, in each step anew (`observe.nonlinear`).
"""

from collections.abc import Callable

import torch
from torch import Tensor

from ..observe.likelihood import LinearGaussian
from ..prior.base import Prior
from ..prior.samplers import Denoise
from .solve import InnovationSolver, conjugate_gradients


def linearized(prior: Prior, x: Tensor, sigma: Tensor, context: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """D(x) and the function v -> sigma^2 J' v, a VJP each."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        estimate = prior.denoise(x, sigma, context)

    def covariance(v: Tensor) -> Tensor:
        return sigma**2 * torch.autograd.grad(estimate, x, v, retain_graph=True)[0]

    return estimate.detach(), covariance


def oi_covariance(prior: Prior, likelihood: LinearGaussian, context: Tensor) -> Denoise:
    """Optimal interpolation inside the denoiser:

        E[x0 | x, y] ~ D + P H' (H P H' + R)^-1 (y - H D),   P = S sigma^2 (S + sigma^2)^-1

    with the climatological spectrum S. No gradient through the network. Exact for a Gaussian prior, where P is the
    covariance of x0 given x: then each step is optimal interpolation (Bretherton et al. 1976) of what is still unknown
    at this noise.
    """

    solve = InnovationSolver(prior, likelihood)

    @torch.no_grad()
    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        estimate = prior.denoise(x, sigma, context)
        here = solve.at(estimate)
        weights = here(sigma, here.likelihood.innovation(estimate))
        increment = prior.covariance(sigma)(here.likelihood.operator.adjoint(weights))
        return estimate + increment

    return denoise


def oi_jacobian(prior: Prior, likelihood: LinearGaussian, context: Tensor) -> Denoise:
    """The same weights, carried back by the network's own Jacobian J = dD/dx, one vector-Jacobian product a step:

        E[x0 | x, y] ~ D + sigma^2 J' H' (H P H' + R)^-1 (y - H D)

    since Cov[x0 | x] = sigma^2 J' (Tweedie's formula, once more differentiated): the innovation spreads along the flow.
    """

    solve = InnovationSolver(prior, likelihood)

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        estimate, covariance = linearized(prior, x, sigma, context)
        here = solve.at(estimate)
        weights = here(sigma, here.likelihood.innovation(estimate))
        return estimate + covariance(here.likelihood.operator.adjoint(weights))

    return denoise


def innovation_matrix(
    likelihood: LinearGaussian, covariance: Callable[[Tensor], Tensor]
) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """p -> ((H V H' + R) p, V H' p), for `conjugate_gradients`: V H' p is kept for each direction p, so that no product
    with V is left for the end. The first is zero, which ends them, where V is not positive along H' p: a covariance
    is, a network's derivative need not be."""

    def matrix(p: Tensor) -> tuple[Tensor, Tensor]:
        carried = covariance(likelihood.operator.adjoint(p))
        seen = likelihood.operator(carried)
        positive = (p * seen).sum(-1, keepdim=True) > 0
        return positive * (seen + likelihood.covariance(p)), carried

    return matrix


def mmps(prior: Prior, likelihood: LinearGaussian, context: Tensor, iterations: int = 3) -> Denoise:
    """Moment-matching posterior sampling (MMPS, Rozet et al. 2024): V is the network's own covariance,

        E[x0 | x, y] ~ D + V H' (H V H' + R)^-1 (y - H D),    V = sigma^2 J'

    solved by a few iterations of conjugate gradients, one VJP each, preconditioned by R and the mean variance of what
    is unknown.
    """

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        estimate, covariance = linearized(prior, x, sigma, context)
        here = likelihood.at(estimate)
        matrix, unknown = innovation_matrix(here, covariance), prior.spectrum.posterior_variance(sigma).mean()
        return estimate + conjugate_gradients(
            matrix, here.innovation(estimate), lambda r, _: here.precision(r, extra=unknown), iterations
        )

    return denoise


def hybrid(
    prior: Prior, likelihood: LinearGaussian, context: Tensor, crossover: float | None = None, iterations: int = 2
) -> Denoise:
    """The climatological covariance and the network's own, blended, as hybrid ensemble-variational assimilation blends
    a static background covariance with one of the day (Hamill & Snyder 2000). The default:

        E[x0 | x, y] ~ D + V H' (H V H' + R)^-1 (y - H D),    V = (1 - a) P + a sigma^2 J',    a = c^2 / (c^2 + sigma^2)

    A network is trained to be right about the mean. At very high noise, where the largest scales are decided, it can
    be so without being right about its derivative J, while P holds those scales well: they shall not be misled before
    the network has anything to say. An exact denoiser is its own best guide: c = inf.

    The system is solved by a few iterations of conjugate gradients, one VJP each. The first direction is that of
    optimal interpolation, (H P H' + R)^-1 (y - H D): for a Gaussian prior it is the solution, and where observations
    are dense and precise no other comes near it so soon. Those after it are preconditioned as in `mmps`, without S:
    they mend what a wrong S has misled, and what the flow of the day has unlike its climatology.

    Args:
        crossover: c, in standard deviations; by default that of the prior.
        iterations: of conjugate gradients; 1 is optimal interpolation's direction, its length decided by V.
    """
    solve = InnovationSolver(prior, likelihood)
    crossover = prior.crossover if crossover is None else crossover

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        share = 1 / (1 + (sigma / crossover) ** 2)
        estimate, network_covariance = linearized(prior, x, sigma, context)
        static_covariance, unknown = prior.covariance(sigma), prior.spectrum.posterior_variance(sigma).mean()
        static = solve.at(estimate)
        here = static.likelihood

        def precondition(residual: Tensor, iteration: int) -> Tensor:
            return here.precision(residual, extra=unknown) if iteration else static(sigma, residual)

        matrix = innovation_matrix(here, lambda v: (1 - share) * static_covariance(v) + share * network_covariance(v))
        return estimate + conjugate_gradients(matrix, here.innovation(estimate), precondition, iterations)

    return denoise


def sda(prior: Prior, likelihood: LinearGaussian, context: Tensor, gamma: float = 0.1) -> Denoise:
    """Score-based data assimilation (SDA, Rozet & Louppe 2023; GenDA, Martin et al. 2025): H V H' is taken to be
    gamma sigma^2, as if what is unknown were white,

        E[x0 | x, y] ~ D + sigma^2 J' H' (R + gamma sigma^2 I)^-1 (y - H D)

    gamma has no universal value. Where many correlated points are observed, gamma sigma^2 is far less than the largest
    eigenvalue of H V H', each step overshoots, and the sampler may diverge.
    """

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        estimate, covariance = linearized(prior, x, sigma, context)
        here = likelihood.at(estimate)
        weights = here.precision(here.innovation(estimate), extra=gamma * sigma**2)
        return estimate + covariance(here.operator.adjoint(weights))

    return denoise


def dps(prior: Prior, likelihood: LinearGaussian, context: Tensor, zeta: float = 40.0) -> Denoise:
    """Diffusion posterior sampling (Chung et al. 2023, Algorithm 1): V = 0, and for 1 / R a step of given length,

        E[x0 | x, y] ~ D + zeta sigma J' H' (y - H D) / |y - H D|

    The paper moves the variance-preserving state x / (1 + sigma^2)^1/2 by a fixed multiple of the gradient of
    |y - H D|, in each of a given number of steps. Told to a sampler as a shift of the estimate, it depends less on the
    steps, and fades out below a noise of one. The errors R do not enter: zeta stands for them.
    """

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        estimate, covariance = linearized(prior, x, sigma, context)
        here = likelihood.at(estimate)
        innovation = here.innovation(estimate)
        length = innovation.norm(dim=-1, keepdim=True).clamp(min=1e-30)
        return estimate + zeta / sigma * covariance(here.operator.adjoint(innovation / length))

    return denoise


GUIDANCES: dict[str, Callable[..., Denoise]] = {
    "hybrid": hybrid,
    "mmps": mmps,
    "oi-jacobian": oi_jacobian,
    "oi": oi_covariance,
    "sda": sda,
    "dps": dps,
}
