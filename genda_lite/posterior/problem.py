"""What is to be solved: a grid and a date chosen, and the observations bound to them."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from torch import Tensor

from ..errors import InputError
from ..observe.likelihood import Likelihood, LinearObservations
from ..observe.table import Observations
from ..prior.base import Prior, grid_context
from ..state import Grid
from .lags import lagged


def choose_grid(prior: Prior, observations: Observations, region, grid) -> tuple[Grid, bool]:
    """The grid to analyse on, and whether the prior may use its position.

    Raises:
        InputError: both or an ill-formed `region` and `grid`, a region outside the prior's domain, a wrong size.
    """
    shape = prior.shape[1:]
    if region is not None and grid is not None:
        raise InputError("give either region= (inside the prior's domain) or grid= (anywhere), not both")
    if grid is not None:
        if isinstance(grid, xr.Dataset | xr.DataArray):
            grid = grid["latitude"].values, grid["longitude"].values
        if not isinstance(grid, Grid):
            try:
                latitude, longitude = grid
            except (TypeError, ValueError):
                raise InputError("grid= must be a pair of 1-D arrays, latitude and longitude (degrees)") from None
            grid = Grid(latitude, longitude)
        if grid.shape != shape:
            raise InputError(f"grid= has {grid.shape[0]} x {grid.shape[1]} points, expected {shape[0]} x {shape[1]}")
        return grid, False
    if region is None:
        middle = [0.5 * (v.min() + v.max()) for v in (observations.longitude, observations.latitude)]
        return prior.domain.fit(*middle, shape), True
    try:
        ((kind, (longitude, latitude)),) = region.items()
        chosen = Grid.around(float(longitude), float(latitude), shape)
    except (AttributeError, TypeError, ValueError):
        kind = None
    if kind == "southwest":
        half = [np.ptp(v) / 2 for v in (chosen.longitude, chosen.latitude)]
        chosen = Grid.around(longitude + half[0], latitude + half[1], shape)
    elif kind != "centre":
        raise InputError(
            "region= must be {'centre': (longitude, latitude)} or {'southwest': (longitude, latitude)}, "
            f"got {region!r}"
        )
    if not prior.domain.holds(chosen):
        raise InputError(
            f"the region ({chosen}) leaves the prior's domain ({prior.domain}); choose another or use grid="
        )
    return chosen, True


def best_observed_grid(prior: Prior, observations: Observations) -> Grid:
    """The box inside the prior's domain that holds the most observations, among boxes half a degree apart.

    Raises:
        InputError: no observation lies in the domain.
    """
    (south, north), (west, east) = prior.domain.latitude, prior.domain.longitude
    centres = [(lon, lat) for lat in np.arange(south, north, 0.5) for lon in np.arange(west, east, 0.5)]
    grids = [prior.domain.fit(lon, lat, prior.shape[1:]) for lon, lat in centres]
    counts = [grid.holds(observations.latitude, observations.longitude).sum() for grid in grids]
    if not max(counts):
        raise InputError(f"none of the {len(observations)} observations lies in the prior's domain ({prior.domain})")
    return grids[int(np.argmax(counts))]


def choose_date(observations: Observations, date) -> np.datetime64:
    """The date whose season the climatology takes: as given, else the median time of the observations.

    Raises:
        InputError: a date that cannot be read.
    """
    if date is not None:
        try:
            return np.datetime64(date, "ns")
        except ValueError:
            raise InputError(f"date {date!r} cannot be read, expected a form like 2019-02-23") from None
    known = observations.time[~np.isnat(observations.time)]
    if len(known):
        return np.sort(known)[len(known) // 2]
    warnings.warn("no date is known: the annual-mean climatology is used; give date= for the season", stacklevel=3)
    return np.datetime64("NaT", "ns")


@dataclass(frozen=True)
class Problem:
    """What is to be solved: observations bound to a grid and date, in the units of a prior."""

    grid: Grid
    date: np.datetime64
    position_used: bool
    likelihood: Likelihood
    context: Tensor


def build_problem(
    prior: Prior,
    observations: Observations,
    region=None,
    grid=None,
    date=None,
    linear: Sequence[LinearObservations] = (),
    decorrelation: float | None = None,
) -> Problem:
    """Choose grid and date, and bind the observations to them; arguments as in `assimilate`.

    Args:
        decorrelation: days in which sea level changes (`lagged`): its observations are then taken to be of their own
            time, and their errors must not hold their age a second time. By default all count as of the date.

    Raises:
        InputError: see `choose_grid`, `choose_date`, `Likelihood`, `lagged`; no observations.
    """
    if len(observations) == 0:
        raise InputError("there are no observations to assimilate, expected at least one")
    grid, known = choose_grid(prior, observations, region, grid)
    date = choose_date(observations, date)
    device = prior.spectrum.variance.device
    likelihood = Likelihood(observations, grid, prior.standardizer, date, linear, prior.state).to(device)
    if decorrelation is not None:
        lag = np.zeros(len(likelihood.variance))
        dated = np.flatnonzero((observations.channel == "zos") & ~np.isnat(observations.time))
        lag[dated] = (observations.time[dated] - date) / np.timedelta64(1, "D")
        likelihood = lagged(likelihood, prior.spectrum, lag, decorrelation)
    return Problem(grid, date, known, likelihood, grid_context(prior.domain, grid, date, known).to(device))
