"""Data to which no simple observation operator leads, as learned observations of latents.

Each kind has an encoder of its own, f(y), that estimates the latents from an image, trained with squared errors on the
latents of the true state. Such an estimate is near E[z | y]: it holds the prior already, and guidance that took it for
z with some error would count the prior twice. So it is told as what it is, a measurement of latents that is damped and
noisy, mode by mode,

    f = G z + e,    G = C_fz C_zz^-1,    e ~ N(0, C_ff - G C_zz G')

with covariances C of validation oceans, of all kinds together. For linear encoders of a Gaussian this is exact: f is
sufficient, and prior and measurement give p(z | y). Several kinds are measurements of the same latents, with the
correlations of their errors; one that is missing is left out of f, G and the covariance, and nothing else changes.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from ..errors import InputError
from ..observe.likelihood import LinearGaussian
from ..observe.nonlinear import Nonlinear
from ..prior.spectral import Basis
from ..state import Grid
from .convolutional import COARSER, Encoder

INFRARED, TRACER, DRIFTERS = "infrared image", "tracer image", "drifters"
CHANNELS = {INFRARED: 1, TRACER: 2, DRIFTERS: 3}  # maps that an encoder is shown of each
COLDEST = 4.0  # standard deviations of temperature, towards which brightness saturates in the maps
SPEED = 0.5  # m s-1, unit of drifters' velocities in the maps
DECADES = 0.5  # unit of the tracer in the maps
LEAST = 0.02  # information of a direction of the latents, per prior variance of about one, that is worth telling


# --- What an encoder is shown ----------------------------------------------------------------------------------------


def check_numbers(image: np.ndarray, what: str, gaps: bool) -> None:
    """Refuse an image of which nothing is known, or that has gaps where it must have none.

    Raises:
        InputError: as said.
    """
    missing = ~np.isfinite(image)
    if missing.all():
        raise InputError(f"{what} has no value at all (all cloud, or NaN), expected some: leave it out")
    if missing.any() and not gaps:
        raise InputError(f"{what} has {missing.sum()} missing values (NaN), expected numbers, in clouds too")


def infrared_maps(brightness: np.ndarray, usual: np.ndarray, scale: float) -> Tensor:
    """Maps (1, ny, nx) of an infrared image (degC): departures from the climatology of temperature, saturating.

    Raises:
        InputError: missing values; a real image holds its clouds.
    """
    check_numbers(brightness, "an infrared image", False)
    away = np.tanh((brightness - usual) / scale / COLDEST)
    return torch.from_numpy(np.ascontiguousarray(COLDEST * away[None])).float()


def tracer_maps(image: np.ndarray) -> Tensor:
    """Maps (2, ny, nx) of a tracer image, log10 (mg m-3): departures from the image's own mean, and where it is known.

    Raises:
        InputError: no value at all.
    """
    check_numbers(image, "a tracer image", True)
    known = np.isfinite(image)
    away = np.where(known, image - image[known].mean(), 0.0) / DECADES
    return torch.from_numpy(np.stack([away, known])).float()


def drifter_maps(told: xr.Dataset, grid: Grid) -> Tensor:
    """Maps (3, ny, nx) of drifters' velocities (`instruments.drifter_velocities`): the mean of each cell, and where
    there is one.

    Raises:
        InputError: a velocity that is missing.
    """
    inside = grid.holds(told["latitude"].values, told["longitude"].values)
    told = told.isel(obs=np.flatnonzero(inside))
    velocity = np.stack([told["u"].values, told["v"].values])
    if not np.isfinite(velocity).all():
        raise InputError("drifters have missing velocities (NaN), expected numbers: leave these drifters out")
    total = np.zeros((3, *grid.shape))
    if told.sizes["obs"]:
        place = grid.nearest(told["latitude"].values, told["longitude"].values)
        for k, values in enumerate((*velocity / SPEED, np.ones(told.sizes["obs"]))):
            np.add.at(total[k], place, values)
    number = total[2]
    total[:2] /= np.maximum(number, 1)
    total[2] = number > 0
    return torch.from_numpy(total).float()


# --- Encoders --------------------------------------------------------------------------------------------------------


class Moments(NamedTuple):
    """Second moments of cosine modes: C_ff (h, w, K c, K c) of all kinds' estimates, C_fz (h, w, K c, c) and C_zz."""

    estimates: Tensor
    cross: Tensor
    latents: Tensor


class JointEncoders:
    """An encoder for each kind of data, into the latents of one autoencoder.

    Args:
        shape: of the latents, (c, h, w). kinds: names with the number of maps of each. width: see `Encoder`.

    Attributes:
        moments: None until `measure` has found them. training, protocol: see `ConvAutoencoder`.
    """

    def __init__(self, shape: tuple[int, int, int], kinds: Mapping[str, int] | None = None, width: int = 32):
        self.shape, self.kinds, self.width = tuple(shape), dict(kinds or CHANNELS), width
        self.network = nn.ModuleDict({k.replace(" ", "_"): Encoder(n, shape[0], width) for k, n in self.kinds.items()})
        self.moments: Moments | None = None
        self.training: dict = {}
        self.protocol: dict[str, str] = {}

    def to(self, device) -> "JointEncoders":
        """Move to a device."""
        self.network.to(device)
        return self

    def estimate(self, kind: str, maps: Tensor) -> Tensor:
        """Latents (B, c, h, w) from the maps (B, n, ny, nx) of one kind.

        Raises:
            InputError: an unknown kind, maps of another number or size, or missing values.
        """
        if kind not in self.kinds:
            raise InputError(f"there is no encoder of {kind!r}, expected one of {', '.join(self.kinds)}")
        expected = self.kinds[kind], *(COARSER * n for n in self.shape[1:])
        if tuple(maps.shape[1:]) != expected:
            raise InputError(f"the encoder of {kind} was given maps {tuple(maps.shape[1:])}, expected {expected}")
        if not torch.isfinite(maps).all():
            raise InputError(f"the encoder of {kind} was given missing values (NaN), expected numbers everywhere")
        return self.network[kind.replace(" ", "_")](maps)

    def split(self, maps: Tensor) -> dict[str, Tensor]:
        """Maps of all kinds, one after the other along the second dimension, by kind."""
        return dict(zip(self.kinds, maps.split(list(self.kinds.values()), 1), strict=True))

    def loss(self, maps: Tensor, z: Tensor) -> Tensor:
        """Mean squared error of each kind's estimate (B, K)."""
        parts = self.split(maps).items()
        return torch.stack([(self.estimate(kind, part) - z).square().mean((1, 2, 3)) for kind, part in parts], 1)

    @torch.no_grad()
    def measure(self, pairs: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Find the moments of estimates and latents, of batches of maps and latents that nothing was trained on."""
        basis, count, total = Basis.cosines(*self.shape[1:]), 0, [0.0, 0.0, 0.0]
        for maps, z in pairs:
            f = basis(torch.cat([self.estimate(kind, part) for kind, part in self.split(maps).items()], 1)).double()
            c = basis(z).double()
            for i, (a, b) in enumerate(((f, f), (f, c), (c, c))):
                total[i] = total[i] + torch.einsum("nkyx,ncyx->yxkc", a, b)
            count += len(z)
        self.moments = Moments(*((part / count).float() for part in total))

    @torch.no_grad()
    def observations(self, given: Mapping[str, Tensor]) -> LinearGaussian:
        """What the maps (n, ny, nx) of some kinds say of the latents, as a linear likelihood with unit errors.

        With G and the covariance R of the errors, all that f says of z is G' R^-1 f and G' R^-1 G = U s U': values
        s^-1/2 U' G' R^-1 f of the directions s^1/2 U' z. Directions of next to no information are left out.

        Raises:
            InputError: no kind at all, moments that are not known, or see `estimate`.
        """
        if not given:
            raise InputError("no kind of data is given, expected at least one: a missing one is none where it is alone")
        if self.moments is None:
            raise InputError("the encoders do not know their errors, expected encoders that were measured")
        basis, channels = Basis.cosines(*self.shape[1:]), self.shape[0]
        f = basis(torch.cat([self.estimate(kind, maps[None]) for kind, maps in given.items()], 1))[0].double()
        order = list(self.kinds)
        rows = [channels * order.index(kind) + c for kind in given for c in range(channels)]
        total, cross = (part.double() for part in (self.moments.estimates, self.moments.cross))
        own, cross, latents = total[..., rows, :][..., rows], cross[..., rows, :], self.moments.latents.double()
        ridge = 1e-4 * latents.diagonal(dim1=-2, dim2=-1).mean() * torch.eye(channels).double()
        gain = torch.linalg.solve(latents + ridge, cross.mT).mT
        errors = own - gain @ cross.mT
        floor = 1e-4 * own.diagonal(dim1=-2, dim2=-1).mean(-1)[..., None, None] + 1e-9
        errors = errors + floor * torch.eye(len(rows)).double()
        weighted = torch.linalg.solve(errors, gain)  # R^-1 G
        information, directions = torch.linalg.eigh(0.5 * (gain.mT @ weighted + (gain.mT @ weighted).mT))
        information = information.clamp(min=0)
        told = torch.einsum("yxkc,kyx->yxc", weighted, f)
        value = torch.einsum("yxcs,yxc->yxs", directions, told) / information.clamp(min=1e-12).sqrt()
        kept = information > LEAST
        if not kept.any():
            kept = information >= information.max()
        operator = Directions((directions * information.sqrt()[..., None, :]).float(), kept, basis)
        value = value[kept].float()
        return LinearGaussian(operator, value, torch.ones_like(value))


class Directions:
    """Directions of the latents' modes: latents (B, c, h, w) -> values (B, m).

    Args:
        matrix: (h, w, c, s). kept: which of its columns (h, w, s).
    """

    def __init__(self, matrix: Tensor, kept: Tensor, basis: Basis):
        self.matrix, self.kept, self.basis = matrix, kept, basis
        self.shape = matrix.shape[2], *matrix.shape[:2]

    def to(self, like: Tensor) -> "Directions":
        """Move to the device and precision of a tensor."""
        self.matrix, self.kept = self.matrix.to(like), self.kept.to(like.device)
        self.basis.to(like.device)
        return self

    def __call__(self, z: Tensor) -> Tensor:
        """Latents -> values."""
        return torch.einsum("yxcs,bcyx->byxs", self.matrix, self.basis(z))[:, self.kept]

    def adjoint(self, y: Tensor) -> Tensor:
        """Values -> latents."""
        full = y.new_zeros(len(y), *self.kept.shape)
        full[:, self.kept] = y
        return self.basis.inverse(torch.einsum("yxcs,byxs->bcyx", self.matrix, full))


class Both:
    """Operators on the same latents, one after the other."""

    def __init__(self, parts: Sequence):
        self.parts = parts
        self.shape = next((part.shape for part in parts if hasattr(part, "shape")), ())  # a function has none
        self.sizes: list[int] = []

    def to(self, like: Tensor) -> "Both":
        """Move to the device and precision of a tensor."""
        for part in self.parts:
            part.to(like)
        return self

    def __call__(self, z: Tensor) -> Tensor:
        """Latents -> values of all."""
        seen = [part(z) for part in self.parts]
        self.sizes = [one.shape[1] for one in seen]
        return torch.cat(seen, 1)

    def adjoint(self, y: Tensor) -> Tensor:
        """Values -> latents."""
        if not self.sizes:
            self(y.new_zeros(1, *self.shape))
        return sum(part.adjoint(one) for part, one in zip(self.parts, y.split(self.sizes, 1), strict=True))


def together(*likelihoods: LinearGaussian) -> LinearGaussian:
    """Likelihoods of the same latents with independent errors, as one; each has values (m,)."""
    if len(likelihoods) == 1:
        return likelihoods[0]
    value, variance = (torch.cat([getattr(one, name) for one in likelihoods]) for name in ("value", "variance"))
    shared = torch.block_diag(*(one.shared for one in likelihoods)).view(-1, len(value))
    operator = Both([one.operator for one in likelihoods])
    if all(one.common for one in likelihoods):
        return LinearGaussian(operator, value, variance, shared)
    near = [one.operator if one.common else one.near and one.near.operator for one in likelihoods]
    return Nonlinear(operator, value, variance, shared, Both(near) if all(near) else None)
