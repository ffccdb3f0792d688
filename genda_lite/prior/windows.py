"""What a prior is trained on, image by image: windows of frames, where and when they lie, and the noise on them.

Image number i is the same in any batch, process and worker: its random numbers come from the seed and i alone. So a
training that is cut short, or shared between processes, sees what an uninterrupted one on a single machine would.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from ..errors import InputError
from ..prepare.frames import TrainingSet
from ..state import CHANNELS, StateVector
from .base import Domain, make_context
from .climate import ONE, Climate


@dataclass(frozen=True)
class Noise:
    """Distribution of noise levels, ln sigma ~ N(mean, std^2).

    The ocean's spectrum is red: to hide its large scales takes more noise than photographs need, for which Karras et
    al. (2022) take a mean of -1.2 and a standard deviation of 1.2.
    """

    mean: float = 0.7
    std: float = 1.7


class Windows(Dataset):
    """Random windows with their context and noise, numbered from zero without end.

    Args:
        data: frames to cut from. domain: its range of positions.
        size: side of a window (cells).
        noise: distribution of its level.
        hide_position, hide_season: how often the network must do without them, so that it can be used elsewhere.
        pool, reuse: where there are more than `pool` frames they are gone through in random order, `pool` at a time,
            and each gives about `reuse` windows before another takes its place: few frames are in memory, and few reads
            are needed.
        climate: by how much the climates of the windows differ.
        state: which channel of which day is where in a window; all channels of the date where not given.

    Raises:
        InputError: the frames are smaller than a window, or none of their windows is free of land; see `Frames.series`
            for states of several days.
    """

    def __init__(
        self,
        data: TrainingSet,
        domain: Domain,
        size: int,
        noise: Noise = Noise(),
        hide_position: float = 0.5,
        hide_season: float = 0.1,
        seed: int = 0,
        pool: int = 2048,
        reuse: int = 32,
        climate: Climate = ONE,
        state: StateVector | None = None,
    ):
        self.state = state or StateVector.today()
        self.data, self.domain, self.size, self.noise, self.climate = data, domain, size, noise, climate
        self.hide_position, self.hide_season = hide_position, hide_season
        self.seed, self.pool, self.reuse = seed, max(1, pool // len(self.state.days)), reuse
        self.latitude = torch.from_numpy(data.latitude.astype("f4"))
        self.longitude = torch.from_numpy(data.longitude.astype("f4"))
        # Of each date the frames of all days of the state; of one day, each frame is a date.
        self.dates = np.arange(len(data.frames))[:, None]
        if len(self.state.days) > 1:
            self.dates = data.frames.series((0.0, *self.state.days))
        self.rows = {int(row[0]): row for row in self.dates} if len(self.state.days) > 1 else {}
        self.places = [(self.state.days.index(lag), CHANNELS.index(name)) for name, lag in self.state.entries]
        self.corners = sea_corners(torch.isfinite(data.frames[0]).all(0).numpy(), size)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """A window (C, n, n), its context (5, n, n), noise level () and white noise (C, n, n)."""
        rng = np.random.default_rng([self.seed, i])
        place = self.place(i, rng)
        context = self.context(*place, rng)
        x = self.displaced(i, self.cut(*place))
        sigma = torch.tensor(np.exp(self.noise.mean + self.noise.std * rng.standard_normal()), dtype=torch.float32)
        return x, context, sigma, torch.from_numpy(rng.standard_normal(x.shape, np.float32))

    def context(self, frame: int, south: int, west: int, rng: np.random.Generator) -> Tensor:
        """Where and when a window lies, (5, n, n), or what is not hidden of it."""
        hidden, n = rng.random(2) < (self.hide_position, self.hide_season), self.size
        return make_context(
            self.domain,
            self.latitude[None, south : south + n],
            self.longitude[None, west : west + n],
            self.data.harmonics[None, frame, 1:] * (not hidden[1]),
            torch.tensor([float(not hidden[0])]),
        )[0]

    def place(self, i: int, rng: np.random.Generator) -> tuple[int, int, int]:
        """Frame and south-western corner of image i."""
        count = len(self.dates)
        if count <= self.pool:
            date = rng.integers(count)
        else:
            turn, which = divmod(i // self.reuse + rng.integers(self.pool), count)
            date = self.order(int(turn))[which]
        frame = self.dates[date, 0]
        south, west = self.corners[rng.integers(len(self.corners))]
        return int(frame), int(south), int(west)

    def cut(self, frame: int, south: int, west: int) -> Tensor:
        """A window of a frame, or of the days about it, (K, n, n)."""
        here = slice(south, south + self.size), slice(west, west + self.size)
        if not self.rows:
            return self.data.frames[frame][:, *here]
        frames = [self.data.frames[int(day)] for day in self.rows[frame][1:]]
        return torch.stack([frames[day][channel][here] for day, channel in self.places])

    def climate_of(self, i: int) -> tuple[Tensor, Tensor]:
        """Factor (K, 1, 1) and displacement (K, n, n) of image i, see `Climate`."""
        rng = np.random.default_rng([self.seed, i, 3])  # its own numbers: windows and noise are the same without
        return self.climate.draw(self.state, (self.size, self.size), rng)

    def displaced(self, i: int, x: Tensor) -> Tensor:
        """Image i (K, n, n) in its climate."""
        factor, displacement = self.climate_of(i)
        return factor * x + displacement

    def order(self, turn: int) -> np.ndarray:
        """The order in which the frames are gone through for the `turn`-th time."""
        return np.random.default_rng([self.seed, turn, 1]).permutation(len(self.dates))

    def fields(self, count: int, batch: int = 100):
        """The first windows in batches (batch, C, n, n), without their noise."""
        for first in range(0, count, batch):
            some = range(first, min(first + batch, count))
            places = [self.place(i, np.random.default_rng([self.seed, i])) for i in some]
            yield torch.stack([self.displaced(i, self.cut(*place)) for i, place in zip(some, places, strict=True)])

    def __len__(self) -> int:
        return 2**40


def sea_corners(sea: np.ndarray, size: int) -> np.ndarray:
    """South-western corners (k, 2) of the windows of a size that lie in the sea (ny, nx) entirely.

    Raises:
        InputError: there is none.
    """
    if min(sea.shape) < size:
        raise InputError(f"training fields are {sea.shape[0]} x {sea.shape[1]}, expected at least {size} a side")
    total = np.pad(np.cumsum(np.cumsum(~sea, 0), 1), ((1, 0), (1, 0)))  # land south and west of each corner
    land = total[size:, size:] - total[:-size, size:] - total[size:, :-size] + total[:-size, :-size]
    corners = np.argwhere(land == 0)
    if not len(corners):
        raise InputError(f"every window of {size} x {size} points holds land, expected some in the open sea")
    return corners
