"""What is to be solved: a grid and a date chosen, and the observations bound to them."""

import warnings
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np
import xarray as xr
from torch import Tensor

from ..errors import InputError
from ..observe.likelihood import Likelihood, LinearObservations
from ..observe.table import Observations
from ..prepare.local import local_standardizer
from ..prior.base import Prior, grid_context, state_shape
from ..prior.trajectory import check_kind
from ..sources.files import as_date
from ..state import VARIABLES, Grid
from .lags import lagged

# Degrees of latitude. At the edges of 33-43 N the climatology changes by up to 0.3 of an anomaly a degree: continued so
# far it errs by less than half of one; and the planetary vorticity, on which the Ekman response hangs, changes by 5 %.
CONTINUED = 1.5
SMALLEST = 1e-3  # error, of its channel's scale: the square is ten times the rounding of single precision


def choose_grid(prior: Prior, observations: Observations, region, grid) -> tuple[Grid, bool]:
    """The grid to analyse on, and whether the prior may use its position.

    Raises:
        InputError: both or an ill-formed `region` and `grid`, a region outside the prior's domain, a wrong size.
    """
    shape = state_shape(prior)[1:]
    if region is not None and grid is not None:
        raise InputError("give either region= (inside the prior's domain) or grid= (at its latitudes), not both")
    if grid is not None:
        return given_grid(grid, shape), False
    if region is None:
        around = prior.domain.turned(observations.longitude), observations.latitude
        middle = [0.5 * (v.min() + v.max()) for v in around]
        return prior.domain.fit(*middle, shape), True
    try:
        ((kind, (longitude, latitude)),) = region.items()
        longitude, latitude = prior.domain.turned(float(longitude)), float(latitude)
        chosen = Grid.around(longitude, latitude, shape)
    except (AttributeError, TypeError, ValueError, OverflowError):
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


def given_grid(grid, shape: tuple[int, int], larger: bool = False) -> Grid:
    """A grid from what `assimilate` takes for one.

    Args:
        larger: it may have more points than the shape.

    Raises:
        InputError: ill-formed, or of a wrong size.
    """
    if isinstance(grid, xr.Dataset | xr.DataArray):
        grid = grid["latitude"].values, grid["longitude"].values
    if not isinstance(grid, Grid):
        try:
            latitude, longitude = grid
        except (TypeError, ValueError):
            raise InputError("grid= must be a pair of 1-D arrays, latitude and longitude (degrees)") from None
        grid = Grid(latitude, longitude)
    if larger and grid.shape[0] >= shape[0] and grid.shape[1] >= shape[1]:
        return grid
    if grid.shape != shape:
        least = "at least " if larger else ""
        raise InputError(f"grid= has {grid.shape[0]} x {grid.shape[1]} points, expected {least}{shape[0]} x {shape[1]}")
    return grid


def best_observed_grid(prior: Prior, observations: Observations) -> Grid:
    """The box inside the prior's domain that holds the most observations, among boxes half a degree apart.

    Raises:
        InputError: no observation lies in the domain.
    """
    (south, north), (west, east) = prior.domain.latitude, prior.domain.longitude
    centres = [(lon, lat) for lat in np.arange(south, north, 0.5) for lon in np.arange(west, east, 0.5)]
    grids = [prior.domain.fit(lon, lat, state_shape(prior)[1:]) for lon, lat in centres]
    counts = [grid.holds(observations.latitude, observations.longitude).sum() for grid in grids]
    if not max(counts):
        raise InputError(f"none of the {len(observations)} observations lies in the prior's domain ({prior.domain})")
    return grids[int(np.argmax(counts))]


def relocated(prior: Prior, climatology: xr.Dataset, grid: Grid) -> Prior:
    """A prior as it is, but with the climatology of another place; see `prepare.local` for what changes with it.

    Args:
        climatology: from `sources.read_climatology`.

    Raises:
        InputError: see `local_standardizer`.
    """
    there = copy(prior)
    there.standardizer = local_standardizer(prior.standardizer, climatology, grid)
    return there


def check_latitudes(prior: Prior, grid: Grid) -> None:
    """Whether what a prior knows of each latitude (climatology, season, response of the current to the wind) can be
    continued to a grid. Any longitude will do.

    Raises:
        InputError: more than `CONTINUED` degrees outside the prior's latitudes; nearer ones warn.
    """
    south, north = prior.standardizer.latitude[[0, -1]]
    beyond = max(south - grid.latitude[0], grid.latitude[-1] - north)
    told = f"the grid ({grid}) lies up to {beyond:.2f} degrees outside the prior's latitudes ({south:g}..{north:g} N)"
    if beyond > CONTINUED:
        raise InputError(
            f"{told}, where its climatology, its seasons and its currents would be wrong; choose a grid at these "
            f"latitudes, at any longitude, or give climatology="
        )
    if beyond > 1e-6:
        warnings.warn(f"{told}, where the climatology of its edge is taken to go on", stacklevel=4)


def choose_date(observations: Observations, date) -> np.datetime64:
    """The date whose season the climatology takes: as given, else the median time of the observations.

    Raises:
        InputError: what is given is no date, as a number is none.
    """
    if isinstance(date, np.datetime64):
        return date.astype("datetime64[ns]")
    if date is not None:
        return as_date(date)
    known = observations.time[~np.isnat(observations.time)]
    if len(known):
        return np.sort(known)[len(known) // 2]
    warnings.warn("no date is known: the annual-mean climatology is used; give date= for the season", stacklevel=3)
    return np.datetime64("NaT", "ns")


def middle_of_day(date: np.datetime64, always: bool = False) -> np.datetime64:
    """The noon of a date that is given as a day, where the mean of that day stands; of any date if `always`."""
    day = date.astype("datetime64[D]")
    return (day + np.timedelta64(12, "h")).astype(date.dtype) if always or day == date else date


def choose_days(dates) -> np.ndarray:
    """Days, ascending, each at noon, when the mean of a day stands: datetime64[ns] (n,).

    Raises:
        InputError: there is none, one cannot be read, or one comes twice or before an earlier one.
    """
    try:
        days = np.atleast_1d(np.asarray(dates, "datetime64[D]"))
    except (TypeError, ValueError):
        days = np.array(["NaT"], "datetime64[D]")
    if days.ndim != 1 or not days.size or np.isnat(days).any() or (np.diff(days) <= np.timedelta64(0, "D")).any():
        raise InputError(f"dates {dates!r} are no days, expected some in their order, in a form like 2019-02-23")
    return (days + np.timedelta64(12, "h")).astype("datetime64[ns]")


def check_errors(likelihood: Likelihood, observations: Observations) -> None:
    """Whether errors can be told from rounding: else values that contradict each other would not meet, but diverge.

    Raises:
        InputError: an error below `SMALLEST` of its channel's scale.
    """
    error = likelihood.variance.sqrt().cpu().numpy()
    small = np.flatnonzero(error < SMALLEST)
    if len(small):
        what = f"{error[small[0]]:.1g} of what its map varies by, expected at least {SMALLEST:g}"
        if small[0] < len(observations):
            stated, channel = observations.error[small[0]], observations.channel[small[0]]
            least, units = SMALLEST * stated / error[small[0]], VARIABLES[channel]["units"]
            least = f"{1.05 * least:.2g} {units}"  # rounded, it is not below
            what = f"{stated:.1g} {units} of {channel}, expected at least {least}; is it in these units?"
        raise InputError(f"{len(small)} of {len(error)} errors are too small to reckon with, the first {what}")


def cropped(observations: Observations, grid: Grid) -> Observations:
    """The observations inside a grid; a warning says how many are not.

    Raises:
        InputError: none is.
    """
    inside = grid.holds(observations.latitude, observations.longitude)
    told = f"of {len(inside)} observations lie outside the grid ({grid})"
    if inside.all():
        return observations
    if not inside.any():
        raise InputError(f"all {told}, expected some inside")
    warnings.warn(f"{(~inside).sum()} {told} and are left out", stacklevel=4)
    return observations.select(inside)


@dataclass(frozen=True)
class Problem:
    """What is to be solved: the observations inside a grid, bound to it and a date, in the units of a prior."""

    grid: Grid
    date: np.datetime64
    position_used: bool
    observations: Observations
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
        InputError: see `choose_grid`, `check_latitudes`, `cropped`, `choose_date`, `Likelihood`, `check_errors` and
            `lagged`; no observations.
    """
    if len(observations) == 0 and not linear:
        raise InputError("there are no observations to assimilate, expected at least one")
    grid, known = choose_grid(prior, observations, region, grid)
    check_latitudes(prior, grid)
    observations = cropped(observations, grid)
    day_alone, date = date is None, choose_date(observations, date)
    if len(prior.state.days) > 1:
        date = middle_of_day(date, day_alone)
    device = prior.spectrum.variance.device
    between = getattr(prior, "between", None)
    likelihood = Likelihood(observations, grid, prior.standardizer, date, linear, prior.state, between).to(device)
    check_errors(likelihood, observations)
    if decorrelation is not None:
        check_kind(prior, False, "decorrelation=, the age of observations as an error,")
        lag = np.zeros(len(likelihood.variance))
        dated = np.flatnonzero((observations.channel == "zos") & ~np.isnat(observations.time))
        lag[dated] = (observations.time[dated] - date) / np.timedelta64(1, "D")
        likelihood = lagged(likelihood, prior.spectrum, lag, decorrelation)
    context = grid_context(prior.domain, grid, date, known).to(device)
    return Problem(grid, date, known, observations, likelihood, context)
