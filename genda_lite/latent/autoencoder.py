"""Autoencoders: a state in fewer numbers, and what of it they forget.

A decoder D draws a state from latents z, and a state is what is drawn and what is not,

    x = D(z) + r,    r ~ N(0, S_r)

The residual r of an encoder and decoder, x - D(E(x)), is the error of representation of data assimilation (Janjic et
al. 2018, doi:10.1002/qj.3130): an instrument sees it, and no latents can explain it. Whoever leaves it out takes it for
a signal; see `latent.guidance`.

The linear autoencoder is the Gaussian special case. Its latents are the leading empirical orthogonal functions (EOFs),
whitened, and its residual is the rest of the spectrum, independent of them: nothing about it is approximate.
"""

from collections.abc import Callable, Iterable
from copy import deepcopy
from math import prod
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from ..errors import InputError
from ..observe.nonlinear import Tangent
from ..prior.spectral import Basis, Spectrum


class Linearization(NamedTuple):
    """A decoder near latents z: `state` D(z) (B, C, ny, nx); `push` carries changes of latents to the state, J dz, and
    `pull` carries those of the state back, J' v, J = dD/dz."""

    state: Tensor
    push: Callable[[Tensor], Tensor]
    pull: Callable[[Tensor], Tensor]


class Autoencoder(Protocol):
    """What is asked of an autoencoder; states and latents are standardized.

    Attributes:
        shape: of latents, (c, h, w). state_shape: of states, (C, ny, nx).
        residual: S_r, of x - D(E(x)); none where a decoder draws all there is.
        linear: whether D is a linear map, D(0) = 0.
    """

    shape: tuple[int, int, int]
    state_shape: tuple[int, int, int]
    residual: Spectrum | None
    linear: bool

    def encode(self, x: Tensor) -> Tensor:
        """States (B, C, ny, nx) -> latents (B, c, h, w)."""
        ...

    def decode(self, z: Tensor) -> Tensor:
        """Latents -> states."""
        ...

    def linearize(self, z: Tensor) -> Linearization:
        """D near z, by a JVP and a VJP."""
        ...


class Differentiable:
    """What a decoder that is no linear map has for its derivative."""

    linear = False

    def linearize(self, z: Tensor) -> Linearization:
        """D near latents z (B, c, h, w), by automatic differentiation."""
        tangent = Tangent(lambda at: self.decode(at).flatten(1), z)
        shape = self.state_shape
        return Linearization(
            tangent.value.unflatten(1, shape),
            lambda dz: tangent(dz).unflatten(1, shape),
            lambda v: tangent.adjoint(v.flatten(1)),
        )


class LinearAutoencoder:
    """The leading EOFs of a spectrum, whitened: each latent is one of them, of variance one.

    Args:
        spectrum: of the states.
        keep: how many functions along y and x to keep, of each channel's. A basis has those of most variance, or the
            longest waves, first.

    Raises:
        InputError: none to keep, or more than there are.
    """

    linear = True

    def __init__(self, spectrum: Spectrum, keep: tuple[int, int]):
        channels, ny, nx = spectrum.shape
        rows, columns = keep
        if not (0 < rows <= ny and 0 < columns <= nx):
            raise InputError(f"an autoencoder is to keep {rows} x {columns} modes, expected 1 x 1 to {ny} x {nx}")
        self.shape, self.state_shape = (channels, rows, columns), spectrum.shape
        basis = spectrum.basis
        self.kept = deepcopy(spectrum)  # with the modes that are kept and no others
        self.kept.basis = Basis(basis.rows[:, :rows], basis.columns[:, :columns])
        self.kept.variance = spectrum.variance[:, :rows, :columns].contiguous()
        if not spectrum.univariate:
            self.kept.vectors = spectrum.vectors[:rows, :columns]
        self.residual = deepcopy(spectrum)
        self.residual.variance[:, :rows, :columns] = 0.0

    @property
    def compression(self) -> float:
        """How many numbers of a state there are to one of its latents."""
        return prod(self.state_shape) / prod(self.shape)

    def encode(self, x: Tensor) -> Tensor:
        """States (B, C, ny, nx) -> latents (B, C, h, w), exact least squares."""
        return self.kept.to_modes(x) / self.kept.variance.sqrt()

    def decode(self, z: Tensor) -> Tensor:
        """Latents -> states: the part that EOFs draw."""
        return self.kept.from_modes(z * self.kept.variance.sqrt())

    def pull(self, x: Tensor) -> Tensor:
        """The transpose of `decode`: states -> latents."""
        return self.kept.to_modes(x) * self.kept.variance.sqrt()

    def linearize(self, z: Tensor) -> Linearization:
        """The same at all z."""
        return Linearization(self.decode(z), self.decode, self.pull)


def residual_spectrum(autoencoder: Autoencoder, fields: Iterable[Tensor], basis: Basis | None = None) -> Spectrum:
    """S_r, estimated of x - D(E(x)) of fields given in batches (B, C, ny, nx), which it must not have been trained on:
    what it draws of its training data it need not draw of others.

    Raises:
        InputError: fields of another shape, none, or missing values.
    """
    parts = []
    for x in fields:
        if tuple(x.shape[1:]) != tuple(autoencoder.state_shape):
            raise InputError(
                f"an autoencoder was given fields of shape {tuple(x.shape[1:])}, expected {autoencoder.state_shape}"
            )
        if not torch.isfinite(x).all():
            raise InputError("an autoencoder was given fields with missing values (NaN), expected numbers everywhere")
        with torch.no_grad():
            parts.append(x - autoencoder.decode(autoencoder.encode(x)))
    if not parts:
        raise InputError("a residual is to be estimated of no fields, expected at least one batch")
    return Spectrum(Spectrum.estimate(parts, basis), basis=basis)
