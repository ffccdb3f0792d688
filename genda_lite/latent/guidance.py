"""Guidance through the decoder: what observations of a state say about its latents, and about what no latents draw.

A state is x = D(z) + r, r ~ N(0, S_r) (`latent.autoencoder`), and an observation of it is

    y = H D(z) + H r + e,    H r + e ~ N(0, H S_r H' + R)

For latents the residual is one more error, the error of representation: correlated among neighbours, and known. Any
guidance in the prior's latent space then takes H D for its operator, linearized about its estimate z^ where D is not
linear,

    E[z0 | z, y] ~ z^ + V G' (G V G' + H S_r H' + R)^-1 (y - H D(z^)),    G = H dD/dz at z^

and V is the method's, as ever (`posterior.guidance`). With z drawn, r is drawn from what y still says of it,

    r = r~ + S_r H' (H S_r H' + R)^-1 (y - H D(z) - H r~ - e),    r~ ~ N(0, S_r), e ~ N(0, R)

(Matheron's rule), and x = D(z) + r is a draw of the posterior. For the linear latents of a Gaussian it is exact,
however few they are. Without S_r the ensemble is overconfident: it explains with latents what latents cannot draw.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import InputError
from ..observe.likelihood import LinearGaussian
from ..posterior.assimilate import DEFAULT, sample_posterior
from ..prior.samplers import Denoise
from .autoencoder import Autoencoder
from .prior import LatentPrior
from .representation import DENSE, latent_likelihood


def sample_states(
    prior: LatentPrior,
    likelihood: LinearGaussian,
    context: Tensor | None,
    members: int,
    seed: int = 0,
    guidance: str | Callable[..., Denoise] = DEFAULT.guidance,
    sampler: str = DEFAULT.sampler,
    steps: int = DEFAULT.steps,
    batch: int = 8,
    residual: bool = True,
    dense: int = DENSE,
) -> Tensor:
    """Draws of complete states from the posterior, standardized units, (members, C, ny, nx): latents by a guided
    sampler, decoded, and the residual given both; arguments as of `posterior.sample_posterior`.

    Args:
        residual: count the error of representation, and draw it. Without it this is a latent analysis as often made.
        dense: see `representation`.
    """
    known = latent_likelihood(prior.autoencoder, likelihood, residual, dense)
    z = sample_posterior(prior, known, context, members, seed, guidance, sampler, steps, batch)
    if residual:
        return prior.completed(z, likelihood, seed, batch)
    with torch.no_grad():
        return torch.cat([prior.autoencoder.decode(part) for part in z.split(batch)])


def iterated(method: Callable[..., Denoise], times: int = 2) -> Callable[..., Denoise]:
    """A guidance that linearizes more than once a step: first about z^, then about the guided estimate that came of it,
    as the iterated Kalman filter (Bell & Cathey 1993, doi:10.1109/9.250476). Each time costs the step anew.
    """

    def guidance(prior, likelihood, context) -> Denoise:
        first = method(prior, likelihood, context)

        def denoise(x: Tensor, sigma: Tensor) -> Tensor:
            estimate = first(x, sigma)
            for _ in range(times - 1):
                estimate = method(prior, likelihood.at(estimate), context)(x, sigma)
            return estimate

        return denoise

    return guidance


def statistical(prior, likelihood: LinearGaussian, context, draws: int = 64) -> Denoise:
    """A guidance for a few latents and a decoder that is far from linear: instead of a tangent at z^, a regression over
    all that is still unknown, z0 ~ N(z^, P),

        E[z0 | z, y] ~ z^ + C_zf (C_ff + R)^-1 (y - mean f),    f = H D(z0)

    with covariances C over draws: statistical linearization (Gelb 1974), and the ensemble Kalman filter's analysis. A
    tangent sees nothing of an observation that the front will reach; a regression does. No gradient is taken.

    Args:
        draws: more than there are latents; a set of fixed draws, of mean zero and covariance one, serves all steps.

    Raises:
        InputError: fewer draws.
    """
    size = math.prod(prior.shape)
    if draws <= size:
        raise InputError(f"statistical linearization of {size} latents by {draws} draws, expected more than latents")
    white = torch.randn(draws, size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    white = torch.linalg.qr(white - white.mean(0)).Q * draws**0.5
    white = white.float().view(draws, *prior.shape).to(prior.spectrum.variance)
    error = likelihood.covariance(torch.eye(likelihood.value.shape[-1]).to(likelihood.value))

    @torch.no_grad()
    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        estimate, spectrum = prior.denoise(x, sigma, context), prior.spectrum
        unknown = spectrum.from_modes(spectrum.posterior_variance(sigma).sqrt() * white)  # (K, c, h, w)
        around = estimate[:, None] + unknown
        seen = likelihood.operator(around.flatten(0, 1)).unflatten(0, (len(x), draws))
        mean = seen.mean(1)
        seen = (seen - mean[:, None]) / draws**0.5
        factor = torch.linalg.cholesky(seen.mT @ seen + error)
        weights = torch.cholesky_solve((likelihood.value - mean)[..., None], factor)
        share = (seen @ weights).view(len(x), draws, 1, 1, 1) / draws**0.5
        return estimate + (unknown * share).sum(1)

    return denoise


def weighted(prior, likelihood: LinearGaussian, context, draws: int = 256, wider: float = 1.5) -> Denoise:
    """A guidance for a few latents that is exact in the limit of many draws, however far from linear the decoder: the
    mean of z0 ~ N(z^, P), weighted with what the observations say,

        E[z0 | z, y] ~ sum_i w_i z_i,    w_i ~ N(z_i; z^, P) N(y; H D(z_i), R) / q(z_i)

    Half of the draws are about z^, and half about what `statistical` makes of these, a little wider than it says: the
    proposal of the weighted ensemble Kalman filter (Papadakis et al. 2010, doi:10.1111/j.1600-0870.2010.00461.x); q is
    the mean of both. With many latents one draw takes all the weight: it is for some, not for hundreds.

    Args:
        draws: the same for all steps. wider: factor on the deviations of the second half.
    """
    size, spectrum = math.prod(prior.shape), prior.spectrum
    uniform = torch.quasirandom.SobolEngine(size, scramble=True, seed=0).draw(draws // 2).double()
    white = torch.special.ndtri(uniform.clamp(1e-6, 1 - 1e-6)).to(spectrum.variance.device)
    error = likelihood.covariance(torch.eye(likelihood.value.shape[-1]).to(likelihood.value)).double()
    precision, least = torch.linalg.inv(error), 1e-9 * torch.eye(size).to(error)

    @torch.no_grad()
    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        estimate = prior.denoise(x, sigma, context)
        deviation = spectrum.posterior_variance(sigma).sqrt()

        def states(modes: Tensor) -> Tensor:
            """Latents of departures from z^ in modes (B, K, n), in units of their deviation."""
            away = spectrum.from_modes((deviation * modes.to(x).unflatten(2, prior.shape)).flatten(0, 1))
            return estimate[:, None] + away.unflatten(0, modes.shape[:2])

        def seen(modes: Tensor) -> Tensor:
            return likelihood.operator(states(modes).flatten(0, 1)).unflatten(0, modes.shape[:2]).double()

        zero = white.new_zeros(len(x), size)
        wide = _Proposal(zero, torch.eye(size).to(zero).expand(len(x), -1, -1))
        first = wide.draw(white)
        values = seen(first)
        anomaly, response = first - first.mean(1, keepdim=True), values - values.mean(1, keepdim=True)
        cross = anomaly.mT @ response / len(white)
        gain = torch.linalg.solve(response.mT @ response / len(white) + error, cross.mT).mT
        mean = (gain @ (likelihood.value - values.mean(1)).double()[..., None])[..., 0]
        left = anomaly.mT @ anomaly / len(white) - gain @ cross.mT
        near = _Proposal(mean, torch.linalg.cholesky(wider**2 * 0.5 * (left + left.mT) + least))
        second = near.draw(white)
        modes, values = torch.cat([first, second], 1), torch.cat([values, seen(second)], 1)
        misfit = likelihood.value[..., None, :] - values
        told = wide.log(modes) - 0.5 * ((misfit @ precision) * misfit).sum(-1)
        share = (told - torch.logaddexp(wide.log(modes), near.log(modes))).softmax(1)[..., None]
        return states((share * modes).sum(1, keepdim=True))[:, 0]

    return denoise


class _Proposal(NamedTuple):
    """Gaussians with means (B, n) and Cholesky factors (B, n, n) of their covariances."""

    mean: Tensor
    factor: Tensor

    def draw(self, white: Tensor) -> Tensor:
        """Draws (B, K, n) of white noise (K, n)."""
        return self.mean[:, None] + white @ self.factor.mT

    def log(self, x: Tensor) -> Tensor:
        """Logarithm of the density at (B, K, n) but for a constant, (B, K)."""
        away = torch.linalg.solve_triangular(self.factor, (x - self.mean[:, None]).mT, upper=False).mT
        return -0.5 * away.square().sum(-1) - self.factor.diagonal(dim1=1, dim2=2).log().sum(1, keepdim=True)


def encoded_observations(
    autoencoder: Autoencoder,
    truth: Tensor,
    error: float,
    every: int = 1,
    coarsen: int = 1,
    generator: torch.Generator | None = None,
) -> LinearGaussian:
    """An oracle: observations of latents, of the encoder's view of the complete truth, as SLAMS has them (Qu et al.
    2024, arXiv 2404.06665): coarsened or thinned in latent space, and noised there.

    No instrument measures it. It is for comparison alone: what it gains over `latent_likelihood` is what the complete
    truth tells, not what a method does.

    Args:
        truth: complete states (T, C, ny, nx). error: of the observations, standard deviations of latents.
        every: take one latent in so many along y and along x. coarsen: means over squares of so many.

    Returns:
        a likelihood of latents with values (T, m).

    Raises:
        InputError: an error that is not positive, or more to a step than there are latents.
    """
    channels, rows, columns = autoencoder.shape
    if not error > 0:
        raise InputError(f"encoded observations have an error of {error}, expected more than zero")
    if not (1 <= every <= min(rows, columns) and 1 <= coarsen <= min(rows, columns)):
        raise InputError(
            f"latents of {rows} x {columns} are to be thinned by {every} and coarsened by {coarsen}, expected 1 to "
            f"{min(rows, columns)}"
        )

    def seen(z: Tensor) -> Tensor:
        if coarsen > 1:
            z = torch.nn.functional.avg_pool2d(z, coarsen)
        return z[..., ::every, ::every].flatten(1)

    matrix = seen(torch.eye(channels * rows * columns).view(-1, channels, rows, columns)).T.contiguous()
    value = seen(autoencoder.encode(truth))
    value = value + error * torch.randn(value.shape, generator=generator).to(value)
    return LinearGaussian(_Dense(matrix, autoencoder.shape), value, torch.full_like(value[0], error**2))


class _Dense:
    """A matrix (m, c h w) as an operator on latents."""

    def __init__(self, matrix: Tensor, shape: tuple[int, int, int]):
        self.matrix, self.shape = matrix, tuple(shape)

    def to(self, like: Tensor) -> "_Dense":
        """Move to the device and precision of a tensor."""
        self.matrix = self.matrix.to(like)
        return self

    def __call__(self, z: Tensor) -> Tensor:
        """Latents (B, c, h, w) -> values (B, m)."""
        return z.flatten(1) @ self.matrix.T

    def adjoint(self, y: Tensor) -> Tensor:
        """Values -> latents."""
        return (y @ self.matrix).unflatten(1, self.shape)
