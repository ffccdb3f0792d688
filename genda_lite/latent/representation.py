"""The error of representation: what observations of states say about latents, and about what no latents draw.

See `latent.guidance` for the equations.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from ..errors import InputError
from ..observe.likelihood import LinearGaussian
from ..observe.nonlinear import Nonlinear
from ..posterior.solve import InnovationSolver, perturbations
from ..prior.samplers import MemberNoise
from ..prior.spectral import ALL, INFINITE_NOISE, Spectrum
from .autoencoder import Autoencoder

DENSE = 2000  # observations whose errors of representation are told as correlated; of more, their variances alone


class ThroughDecoder:
    """H D of a linear decoder, with its transpose D' H': latents (B, c, h, w) -> values (B, m).

    Args:
        operator: H. decode, pull: D and D'. shape: of latents.
    """

    def __init__(self, operator, decode: Callable[[Tensor], Tensor], pull: Callable[[Tensor], Tensor], shape):
        self.operator, self.decode, self.pull, self.shape = operator, decode, pull, tuple(shape)

    def to(self, like: Tensor) -> "ThroughDecoder":
        """Move to the device and precision of a tensor."""
        self.operator.to(like)
        return self

    def __call__(self, z: Tensor) -> Tensor:
        """H D z."""
        return self.operator(self.decode(z))

    def adjoint(self, y: Tensor) -> Tensor:
        """D' H' y."""
        return self.pull(self.operator.adjoint(y))


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
        through = ThroughDecoder(operator, autoencoder.decode, autoencoder.pull, autoencoder.shape)
        return LinearGaussian(through, value, variance, shared)
    near, stand_in = None, getattr(autoencoder, "stand_in", None)
    if stand_in is not None and likelihood.common:
        near = ThroughDecoder(operator, stand_in, stand_in.adjoint, autoencoder.shape)
    return Nonlinear(lambda z: operator(autoencoder.decode(z)), value, variance, shared, near)


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
