"""Observation operators: the linear maps H from a state to what would have been measured, each with its transpose H'.

An operator is called with states (B, C, ny, nx) and gives values (B, m); its `adjoint` takes values back to states.
"""

from collections.abc import Callable, Sequence
from copy import copy
from typing import Protocol, Self

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..state import KM_PER_DEGREE, Grid, mirrored


class Operator(Protocol):
    """What guidance asks of an operator; `shape` is (C, ny, nx)."""

    shape: tuple[int, int, int]

    def __call__(self, x: Tensor) -> Tensor:
        """H x: states (B, C, ny, nx) -> values (B, m)."""
        ...

    def adjoint(self, y: Tensor) -> Tensor:
        """H' y: values (B, m) -> states (B, C, ny, nx)."""
        ...

    def to(self, like: Tensor) -> Self:
        """Move to the device and precision of a tensor."""
        ...


class Points:
    """Values at points, one channel each: bilinear interpolation between the four cells around, and linear in time
    between two frames of the channel where a state holds several days: (1 - w) x_k + w x_k+1.

    Args:
        grid: the states' grid.
        channel: (m,) channel numbers. latitude, longitude: (m,) degrees, inside the grid.
        channels: how many channels the states have.
        following: (m,) channel numbers of the frames after, of share w (m,) in the values.
    """

    def __init__(
        self,
        grid: Grid,
        channel: np.ndarray,
        latitude: np.ndarray,
        longitude: np.ndarray,
        channels: int,
        following: np.ndarray | None = None,
        share: np.ndarray | None = None,
    ):
        ny, nx = grid.shape
        row = (latitude - grid.latitude[0]) / (grid.latitude[-1] - grid.latitude[0]) * (ny - 1)
        column = (grid.turned(longitude) - grid.longitude[0]) / (grid.longitude[-1] - grid.longitude[0]) * (nx - 1)
        south = np.clip(np.floor(row), 0, ny - 2).astype(int)
        west = np.clip(np.floor(column), 0, nx - 2).astype(int)
        up, right = row - south, column - west
        corner = (channel * ny + south) * nx + west
        index = np.stack([corner, corner + 1, corner + nx, corner + nx + 1], -1)
        weight = np.stack([(1 - up) * (1 - right), (1 - up) * right, up * (1 - right), up * right], -1)
        if share is not None and np.any(share):
            index = np.concatenate([index, index + ((following - channel) * ny * nx)[:, None]], -1)
            weight = np.concatenate([(1 - share)[:, None] * weight, share[:, None] * weight], -1)
        self.shape = (channels, ny, nx)
        self.index, self.exact_weight = torch.from_numpy(index), torch.from_numpy(weight)
        self.weight = self.exact_weight.float()

    def restricted(self) -> tuple[list[int], Self]:
        """The channels that are read, and the same points for states of only these channels."""
        size = self.shape[1] * self.shape[2]
        read, place = np.unique(self.index.numpy() // size, return_inverse=True)
        new = copy(self)
        new.shape = (len(read), *self.shape[1:])
        new.index = self.index % size + size * torch.from_numpy(place.reshape(self.index.shape))
        return read.tolist(), new

    def to(self, like: Tensor) -> Self:
        """Move to the device and precision of a tensor."""
        self.index, self.weight = self.index.to(like.device), self.exact_weight.to(like)
        return self

    def __call__(self, x: Tensor) -> Tensor:
        """H x: states (B, C, ny, nx) -> values (B, m)."""
        return (x.flatten(1)[:, self.index] * self.weight).sum(-1)

    def adjoint(self, y: Tensor) -> Tensor:
        """H' y: values (B, m) -> states (B, C, ny, nx)."""
        x = y.new_zeros(len(y), int(np.prod(self.shape)))
        x.index_add_(1, self.index.flatten(), (y[..., None] * self.weight).flatten(1))
        return x.unflatten(1, self.shape)


class Blurred:
    """Values of a smooth map: Gaussian means of the state, at points.

    The weights of each mean sum to one, also where the kernel leaves the grid. So a constant stays the same, and near
    an edge the mean is that of the cells inside.

    Args:
        points: where the smooth map is read.
        grid: the states' grid. scale: standard deviation of the Gaussian (km).
    """

    def __init__(self, points: Points, grid: Grid, scale: float):
        middle = np.radians(grid.latitude.mean())
        steps = [np.diff(v).mean() * KM_PER_DEGREE for v in (grid.latitude, grid.longitude)]
        self.shape = points.shape
        # Only the channels that are read are blurred, often one of seven.
        self.channels, self.points = points.restricted()
        self.rows, self.columns = (
            torch.from_numpy(gaussian_means(n, scale / step)).float()
            for n, step in zip(grid.shape, (steps[0], steps[1] * np.cos(middle)), strict=True)
        )

    def to(self, like: Tensor) -> Self:
        """Move to the device and precision of a tensor."""
        self.rows, self.columns = self.rows.to(like), self.columns.to(like)
        self.points.to(like)
        return self

    def __call__(self, x: Tensor) -> Tensor:
        """H x: states (B, C, ny, nx) -> values (B, m)."""
        return self.points(self.rows @ x[:, self.channels] @ self.columns.mT)

    def adjoint(self, y: Tensor) -> Tensor:
        """H' y: values (B, m) -> states (B, C, ny, nx)."""
        x = y.new_zeros(len(y), *self.shape)
        x[:, self.channels] = self.rows.mT @ self.points.adjoint(y) @ self.columns
        return x


def gaussian_means(n: int, scale: float) -> np.ndarray:
    """(n, n) matrix of running means with Gaussian weights of a standard deviation in cells; each row sums to one."""
    distance = np.subtract.outer(np.arange(n), np.arange(n))
    weight = np.exp(-0.5 * (distance / scale) ** 2)
    weight[weight < 1e-6] = 0.0  # numbers near underflow are slow to multiply
    return weight / weight.sum(1, keepdims=True)


class Linear:
    """Any linear map that comes with its adjoint, scaled so that its rows have unit length on average.

    Args:
        forward: states (B, C, ny, nx) -> values (B, m). adjoint: values -> states.
        shape: (C, ny, nx) of the states.

    Attributes:
        gain: the factor by which values are multiplied.

    Raises:
        InputError: a map that is not linear, or whose adjoint is not its own, see `check_adjoint`.
    """

    def __init__(self, forward: Callable[[Tensor], Tensor], adjoint: Callable[[Tensor], Tensor], shape: tuple):
        self.forward, self.backward, self.shape, self.gain = forward, adjoint, tuple(shape), 1.0
        power = check_adjoint(self)
        self.gain = power**-0.5

    def to(self, like: Tensor) -> Self:
        """The functions are taken to work on any device."""
        return self

    def __call__(self, x: Tensor) -> Tensor:
        """H x: states (B, C, ny, nx) -> values (B, m)."""
        return self.gain * self.forward(x)

    def adjoint(self, y: Tensor) -> Tensor:
        """H' y: values (B, m) -> states (B, C, ny, nx)."""
        return self.gain * self.backward(y)


class Stacked:
    """Several operators at once: the values of each, in its own places.

    Args:
        parts: operators of one shape. places: for each the places (m_i,) of its values among all m.
    """

    def __init__(self, parts: Sequence[Operator], places: Sequence[np.ndarray]):
        self.parts, self.shape = list(parts), parts[0].shape
        self.order = torch.from_numpy(np.argsort(np.concatenate(places)))
        self.places = [torch.from_numpy(np.asarray(place)) for place in places]

    def to(self, like: Tensor) -> Self:
        """Move to the device and precision of a tensor."""
        self.order = self.order.to(like.device)
        self.places = [place.to(like.device) for place in self.places]
        for part in self.parts:
            part.to(like)
        return self

    def __call__(self, x: Tensor) -> Tensor:
        """H x: states (B, C, ny, nx) -> values (B, m)."""
        return torch.cat([part(x) for part in self.parts], 1)[:, self.order]

    def adjoint(self, y: Tensor) -> Tensor:
        """H' y: values (B, m) -> states (B, C, ny, nx)."""
        return sum(part.adjoint(y[:, place]) for part, place in zip(self.parts, self.places, strict=True))


class Mirrored:
    """What an operator sees of a state whose mirror image lies on its grid (`state.mirrored`).

    Args:
        channels: their names, of the operator's states.
    """

    def __init__(self, operator: Operator, channels: Sequence[str]):
        self.operator, self.channels, self.shape = operator, channels, operator.shape

    def to(self, like: Tensor) -> Self:
        """Move to the device and precision of a tensor."""
        self.operator.to(like)
        return self

    def __call__(self, x: Tensor) -> Tensor:
        """H x: states (B, C, ny, nx) -> values (B, m)."""
        return self.operator(mirrored(x, self.channels))

    def adjoint(self, y: Tensor) -> Tensor:
        """H' y: values (B, m) -> states (B, C, ny, nx)."""
        return mirrored(self.operator.adjoint(y), self.channels)


def check_adjoint(operator: Operator, tolerance: float = 1e-4) -> float:
    """The dot-product test (Claerbout 1992, Earth Soundings Analysis): <H x, y> = <x, H' y>, and linearity, H (x + 2 z)
    = H x + 2 H z, for random vectors.

    Returns:
        the mean square length of the rows of H.

    Raises:
        InputError: the operator fails it, by more than the tolerance relative to the vectors' lengths.
    """
    generator = torch.Generator().manual_seed(0)
    x, z = torch.randn(2, 4, *operator.shape, generator=generator)
    try:
        hx, hz, both = operator(x), operator(z), operator(x + 2 * z)
        y = torch.randn(hx.shape, generator=generator)
        back = operator.adjoint(y)
    except (RuntimeError, IndexError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"the observation operator cannot be applied to states {tuple(x.shape)} ({reason}), expected a map "
            f"to (B, m) and an adjoint back"
        ) from None
    if hx.ndim != 2 or back.shape != x.shape:
        raise InputError(
            f"the observation operator maps {tuple(x.shape)} to {tuple(hx.shape)} and its adjoint back to "
            f"{tuple(back.shape)}, expected (4, m) and {tuple(x.shape)}"
        )
    left, right = (hx * y).sum(1), (x * back).flatten(1).sum(1)
    size = hx.norm(dim=1) * y.norm(dim=1) + x.flatten(1).norm(dim=1) * back.flatten(1).norm(dim=1)
    worst = ((left - right).abs() / size.clamp(min=1e-30)).max().item()
    bent = ((both - hx - 2 * hz).norm() / both.norm().clamp(min=1e-30)).item()
    if not bent < tolerance:
        raise InputError(f"the observation operator is not linear: it is off by {bent:.1e} of its values, expected H x")
    if not worst < tolerance:
        raise InputError(
            f"the adjoint of the observation operator fails the dot-product test: <H x, y> and <x, H' y> differ by "
            f"{worst:.1e} of the vectors' lengths, expected less than {tolerance:g}"
        )
    power = back.square().sum() / y.square().sum()
    if not power > 0:
        raise InputError("the observation operator sees nothing of the state, expected rows that are not zero")
    return power.item()
