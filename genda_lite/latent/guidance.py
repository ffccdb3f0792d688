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

import torch
from torch import Tensor

from ..errors import InputError
from ..observe.likelihood import LinearGaussian
from ..observe.nonlinear import Nonlinear
from ..posterior.assimilate import DEFAULT, sample_posterior
from ..posterior.solve import InnovationSolver, perturbations
from ..prior.samplers import Denoise, MemberNoise
from ..prior.spectral import ALL, INFINITE_NOISE, Spectrum
from .autoencoder import Autoencoder
from .prior import LatentPrior

DENSE = 2000  # observations whose errors of representation are told as correlated; of more, their variances alone


class ThroughDecoder:
    """H D of a linear decoder, with its transpose D' H': latents (B, c, h, w) -> values (B, m)."""

    def __init__(self, operator, autoencoder: Autoencoder):
        self.operator, self.autoencoder, self.shape = operator, autoencoder, autoencoder.shape

    def to(self, like: Tensor) -> "ThroughDecoder":
        """Move to the device and precision of a tensor."""
        self.operator.to(like)
        return self

    def __call__(self, z: Tensor) -> Tensor:
        """H D z."""
        return self.operator(self.autoencoder.decode(z))

    def adjoint(self, y: Tensor) -> Tensor:
        """D' H' y."""
        return self.autoencoder.pull(self.operator.adjoint(y))


def representation(
    likelihood: LinearGaussian, residual: Spectrum | None, dense: int = DENSE
) -> tuple[Tensor, Tensor | None]:
    """R + H S_r H' as a diagonal (m,) and shared terms (k, m), see `LinearGaussian`.

    Of up to `dense` observations all covariances are kept, as eigenvectors of H S_r H'; of more, the variances.

    Raises:
        InputError: observations that are not linear: H S_r H' is then no covariance of theirs.
    """
    if residual is None:
        return likelihood.variance, likelihood.shared
    if not likelihood.common:
        raise InputError("observations of a state with a residual are not linear, expected H x, or no residual")
    operator, covariance = likelihood.operator, residual.posterior_covariance(INFINITE_NOISE)
    m = likelihood.value.shape[-1]
    identity = torch.eye(m, device=likelihood.value.device)
    rows = [operator(covariance(operator.adjoint(some))) for some in identity.split(64)]
    if m > dense:
        diagonal = torch.cat([part.diagonal(64 * i) for i, part in enumerate(rows)])
        return likelihood.variance + diagonal.clamp(min=0), likelihood.shared
    matrix = torch.cat(rows).double()
    values, vectors = torch.linalg.eigh(0.5 * (matrix + matrix.T))
    keep = values > 1e-7 * values[-1].clamp(min=1e-30)
    terms = (vectors[:, keep] * values[keep].sqrt()).T.float()
    return likelihood.variance, torch.cat([likelihood.shared, terms])


def latent_likelihood(
    autoencoder: Autoencoder, likelihood: LinearGaussian, residual: bool = True, dense: int = DENSE
) -> LinearGaussian:
    """What observations of states say about latents.

    Args:
        likelihood: of states: y = H x + e, or y = f(x) + e (`Nonlinear`) where there is no residual.
        residual: count the error of representation. Without it the latents are held to explain all that is seen.
        dense: see `representation`.

    Raises:
        InputError: observations of states of another shape.
    """
    shape = getattr(likelihood.operator, "shape", autoencoder.state_shape)
    if tuple(shape) != tuple(autoencoder.state_shape):
        raise InputError(
            f"observations are of states of shape {tuple(shape)}, and the decoder draws "
            f"{tuple(autoencoder.state_shape)}: expected a decoder of the same states"
        )
    variance, shared = representation(likelihood, autoencoder.residual if residual else None, dense)
    operator, value = likelihood.operator, likelihood.value
    if autoencoder.linear and likelihood.common:
        return LinearGaussian(ThroughDecoder(operator, autoencoder), value, variance, shared)
    return Nonlinear(lambda z: operator(autoencoder.decode(z)), value, variance, shared)


class _Residual:
    """The residual as a prior, as far as `InnovationSolver` asks for one."""

    def __init__(self, spectrum: Spectrum):
        self.spectrum = spectrum

    def covariance(self, sigma: Tensor, channels=ALL) -> Callable[[Tensor], Tensor]:
        """v -> S_r v at infinite noise."""
        return self.spectrum.posterior_covariance(sigma, channels)


def draw_residual(
    spectrum: Spectrum, likelihood: LinearGaussian, states: Tensor, seed: int = 0, batch: int = 32
) -> Tensor:
    """A draw of r for each of the states D(z) (M, C, ny, nx), given y and z, see the module's equation.

    Args:
        likelihood: of states, with values (m,) or (M, m). seed: of its noise; that of member i is its own.
    """
    noise = MemberNoise(seed, range(len(states)), spectrum.shape, spectrum.variance.device)
    unseen = spectrum.from_modes(spectrum.variance.sqrt() * noise())
    errors = likelihood.draw_errors(noise(likelihood.value.shape[-1]), noise(len(likelihood.shared)))
    solve = InnovationSolver(_Residual(spectrum), likelihood, tolerance=1e-5)
    # `perturbations` draws r~ - K (H r~ + e), and so of e + D(z) - y in place of e what is asked for.
    wanted = errors - likelihood.innovation(states)
    parts = zip(unseen.split(batch), wanted.split(batch), strict=True)
    return torch.cat([perturbations(solve, INFINITE_NOISE, *part) for part in parts])


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
    autoencoder = prior.autoencoder
    known = latent_likelihood(autoencoder, likelihood, residual, dense)
    z = sample_posterior(prior, known, context, members, seed, guidance, sampler, steps, batch)
    with torch.no_grad():
        states = torch.cat([autoencoder.decode(part) for part in z.split(batch)])
        if residual and autoencoder.residual is not None:
            # Noise of its own: the sampler has spent that of the seed.
            states = states + draw_residual(autoencoder.residual, likelihood, states, seed + 500_009, batch)
    return states


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
