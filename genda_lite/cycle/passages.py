"""What forecasts are learned from: windows of a training ocean as it passes by, some days of one place."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from ..prepare.frames import TrainingSet
from ..prior.base import Domain
from ..prior.windows import Windows
from ..state import CHANNELS, StateVector, harmonics
from .forecast import Forecast

YEAR = 365.25  # days


def passage(step: float, steps: int) -> StateVector:
    """The state of a passage: all channels of the date, and of as many steps (days) after it."""
    return StateVector.series(CHANNELS, [step * k for k in range(steps + 1)])


class Passages(Windows):
    """Random windows of consecutive days, each of one place and of one climate, numbered as those of `Windows`.

    Args:
        step: days from one state to the next. steps: how many follow the first. Others as of `Windows`.
    """

    def __init__(self, data: TrainingSet, domain: Domain, size: int, step: float, steps: int = 1, **options):
        super().__init__(data, domain, size, state=passage(step, steps), **options)
        self.step, self.steps = step, steps

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor, Tensor]:
        """The states (steps + 1, C, n, n), the context of the first (5, n, n), and its season (2,)."""
        rng = np.random.default_rng([self.seed, i])
        place = self.place(i, rng)
        context, x = self.context(*place, rng), self.displaced(i, self.cut(*place))
        return x.unflatten(0, (self.steps + 1, -1)), context, self.data.harmonics[place[0], 1:]

    def pairs(self, forecast: Forecast, count: int, batch: int = 50) -> Iterator[tuple[Tensor, Tensor]]:
        """Forecasts b of the last states, from the first ones as they are, and the truths x0, in batches."""
        for first in range(0, count, batch):
            numbers = range(first, min(first + batch, count))
            states, _, season = map(torch.stack, zip(*(self[i] for i in numbers), strict=True))
            yield ahead(forecast, states[:, 0], season, self.step * self.steps), states[:, -1]


def consecutive(passages: Passages, count: int, batch: int = 50) -> Iterator[tuple[Tensor, Tensor]]:
    """States a step apart, in batches (B, C, n, n) of both."""
    for first in range(0, count, batch):
        states = torch.stack([passages[i][0] for i in range(first, min(first + batch, count))])
        yield states[:, 0], states[:, 1]


def ahead(forecast: Forecast, states: Tensor, season: Tensor, days: float) -> Tensor:
    """A forecast's mean so many days later, (B, C, ny, nx).

    Args:
        states: (B, C, ny, nx). season: cosine and sine of each, (B, 2).
    """
    return forecast(states, dates_of(season), [days])[0]


def dates_of(season: Tensor) -> np.ndarray:
    """Dates (B,) of the year 2000 that have these cosines and sines of the season (B, 2)."""
    share = np.arctan2(season[:, 1].double().numpy(), season[:, 0].double().numpy()) / (2 * np.pi) % 1
    return np.datetime64("2000-01-01", "s") + np.round(share * YEAR * 86400).astype("timedelta64[s]")


def seasons_of(time, rows: int) -> Tensor:
    """Cosine and sine of the season (rows, 2) of one date, or of one date for each row."""
    return torch.from_numpy(np.broadcast_to(harmonics(time)[..., 1:], (rows, 2)).astype("f4"))


Source = Callable[[], Iterator[tuple[Tensor, Tensor]]]  # gives pairs (b, x0) anew each time that it is asked
