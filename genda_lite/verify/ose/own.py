"""Pairs of forecast and truth from a cycle over training oceans, as random observing systems see them.

They are what a denoiser conditioned on a forecast is trained on in the rounds after the first (`cycle.pairs`). Each
passage is a window of an ocean, cycled for some weeks under one observing system; the first days, which still forget
how the cycle began, are left out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import xarray as xr

from ...cycle.background import Background, BackgroundPrior
from ...cycle.cycle import CentredNoise, cycle, three_d_var
from ...cycle.pairs import Pair
from ...errors import InputError
from ...observe.systems import random_system
from ...posterior.problem import build_problem
from ...prepare.decompose import to_state
from ...prepare.frames import is_prepared, members_of
from ...prior.base import grid_context
from ...state import Grid
from .cycling import Tools, way_of

FIRST_SYSTEM = 3_000_000  # number of the first observing system: experiments and the regression take others


@dataclass(frozen=True)
class Passing:
    """How training oceans are cycled over.

    Args:
        way: of `cycling.WAYS`. every: days between analyses. days: of a passage, of which the first `spin` are left
            out. members: of its ensemble. passages: of each ocean.

    Raises:
        InputError: no days left, or fewer than two members.
    """

    way: str
    every: float = 2.0
    days: int = 40
    spin: int = 12
    members: int = 8
    passages: int = 4
    seed: int = 0

    def __post_init__(self):
        if self.days <= self.spin or self.members < 2 or self.passages < 1:
            raise InputError(
                f"{self.days} days of which {self.spin} are left out, {self.members} members and {self.passages} "
                f"passages, expected days to be left, two members and one passage or more"
            )


def own_pairs(oceans: Sequence[xr.Dataset], tools: Tools, passing: Passing) -> Iterator[Pair]:
    """Forecasts of a cycle, the mean of its members, and the truth, day after day of passage after passage.

    Args:
        oceans: dims ([member,] time, latitude, longitude), the inputs of a state, not test data.

    Raises:
        InputError: see `way_of`; an ocean shorter than a passage, smaller than a window, or of frames that are not as
            many days apart as analyses.
    """
    number = 0
    for ocean in (one for ds in oceans for one in members_of(ds)):
        for _ in range(passing.passages):
            rng = np.random.default_rng([passing.seed, number, 7])
            yield from cycled(*passage_of(ocean, tools, passing, rng), tools, passing, number)
            number += 1


def passage_of(
    ocean: xr.Dataset, tools: Tools, passing: Passing, rng: np.random.Generator
) -> tuple[xr.Dataset, xr.Dataset, Grid]:
    """A window of an ocean for the days of a passage as it is and as a state, and its grid."""
    time, shape = ocean["time"].values, tuple(tools.prior.shape[1:])
    step = np.timedelta64(round(86400 * passing.every), "s")
    gap = time[1] - time[0] if len(time) > 1 else step
    stride, frames = int(step // gap), round(passing.days / passing.every) + 1
    if stride < 1 or abs(stride * gap - step) > np.timedelta64(1, "h"):
        days = gap / np.timedelta64(1, "D")
        raise InputError(f"an ocean has frames {days:g} days apart, expected {passing.every:g}, or a part of that")
    taken = stride * (frames - 1) + 1
    sizes = ocean.sizes["time"], ocean.sizes["latitude"], ocean.sizes["longitude"]
    room = [size - n + 1 for size, n in zip(sizes, (taken, *shape), strict=True)]
    if min(room) < 1:
        raise InputError(f"an ocean of {sizes} days and points, expected at least {(taken, *shape)}")
    first, south, west = (int(rng.integers(n)) for n in room)
    whole = ocean.isel(time=slice(first, first + taken)).load()
    ekman = tools.prior.standardizer.ekman_at(whole["latitude"])
    # The state is made of the whole field, as in training: currents at a window's edge need its neighbours.
    state = whole if is_prepared(whole) else to_state(whole, ekman)
    here = {"latitude": slice(south, south + shape[0]), "longitude": slice(west, west + shape[1])}
    series = whole.isel(here)
    return series, state.isel(here), Grid(series["latitude"].values, series["longitude"].values)


def cycled(
    series: xr.Dataset, truth: xr.Dataset, grid: Grid, tools: Tools, passing: Passing, number: int
) -> Iterator[Pair]:
    """One passage."""
    prior = tools.prior
    system = replace(random_system(FIRST_SYSTEM + number), window=passing.every)
    step = np.timedelta64(round(86400 * passing.every), "s")
    dates = np.arange(series["time"].values[0], series["time"].values[-1] + np.timedelta64(1, "h"), step)

    def seen(date: np.datetime64):
        try:
            found = system.observe(series, date)
        except InputError:  # nothing flies over on this day
            return None
        found = found.select(~((found.channel == "zos") & (found.time > date))).inside(grid)
        return build_problem(prior, found, grid=grid, date=date).likelihood if len(found) else None

    first = seen(dates[0])
    noise = CentredNoise(passing.seed + number, range(passing.members), tuple(prior.shape), "cpu")
    climate = BackgroundPrior(Background(torch.zeros(prior.shape), prior.spectrum), prior)
    if first is None:
        ensemble = prior.spectrum.from_modes(prior.spectrum.variance.sqrt() * noise())
    else:
        ensemble = three_d_var(climate, first, None, noise).float()
    condition, analyse, update = way_of(passing.way, tools, grid)
    known = prior.domain.holds(grid)
    days = ((date, seen(date)) for date in dates[1:])
    steps = cycle(
        tools.forecast,
        condition,
        days,
        ensemble,
        dates[0],
        passing.seed + number,
        analyse,
        context=lambda date: grid_context(prior.domain, grid, date, known),
        update=update,
    )
    for day in steps:
        if day.time - dates[0].astype("M8[s]") >= np.timedelta64(passing.spin, "D"):
            state = prior.standardizer.to_tensor(truth.sel(time=day.time, method="nearest"), day.time)
            yield Pair(day.background.mean(0), state, grid, day.time)
