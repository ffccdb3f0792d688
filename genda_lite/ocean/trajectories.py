"""Following the water: fields between their grid points and dates, and the paths of what drifts with a current.

Drifters are ragged arrays as in clouddrift; `read_drifters` returns them. `u`, `v` (m s-1), `time`, `latitude` and
`longitude` lie along `obs`, one trajectory after the other. `rowsize` and `id` lie along `traj`: how many observations
a trajectory has, and whose it is. Functions of clouddrift therefore take them as they are. The few that we need are a
line or two of numpy each, and are tested against clouddrift's. We do not depend on clouddrift itself: it brings 240 MB
(pyarrow, awkward) and keeps zarr below 3; its `subset` tells trajectories apart by `id`, which segments share; its
sphere has the radius of the equator.

Elipot, S., Miron, P., Curcic, M. et al. (2024), clouddrift: a Python package to accelerate the use of Lagrangian data,
doi:10.21105/joss.06742.
"""

from collections.abc import Callable

import numpy as np
import xarray as xr
from scipy.interpolate import RegularGridInterpolator

from ..errors import InputError
from ..state import METRES_PER_DEGREE

BLOCK = 64 * 2**20  # bytes of fields that are interpolated at a time
HOUR = 3600.0  # s
SECOND = np.timedelta64(1, "s")
# (seconds, latitudes, longitudes) of n points -> (n, 2), eastward and northward, m s-1; NaN where there is no water
Current = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


class Interpolator:
    """Fields between their dates and grid points: linear in time, bilinear in space; NaN beyond them and next to land.

    Args:
        fields: dims (time, latitude, longitude) and any others; all of it is kept in memory.
        names: of its variables.
        origin: the date from which the times asked for count, by default the first of the fields.

    Raises:
        InputError: a variable or dimension is missing, or a coordinate has fewer than two values or does not ascend.
    """

    def __init__(self, fields: xr.Dataset, names: tuple[str, ...] = ("uo", "vo"), origin: np.datetime64 | None = None):
        check(fields, names)
        self.origin = fields["time"].values[0] if origin is None else np.datetime64(origin, "ns")
        values = xr.concat([fields[name].drop_vars("component", errors="ignore") for name in names], "component")
        values = values.transpose("time", "latitude", "longitude", "component", ...).values
        latitude, longitude = (fields[dim].values.astype(float) for dim in ("latitude", "longitude"))
        self.west = longitude[0]
        axes = (self.seconds(fields["time"].values), latitude, longitude)
        self.interpolate = RegularGridInterpolator(axes, values, bounds_error=False, fill_value=np.nan)

    def seconds(self, time: np.ndarray) -> np.ndarray:
        """Seconds since the origin."""
        return (np.asarray(time, "datetime64[ns]") - self.origin) / SECOND

    def __call__(self, seconds: np.ndarray, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
        """(n, number of variables, ...) at n points; longitudes may count from Greenwich or the date line."""
        longitude = self.west + (longitude - self.west) % 360
        return self.interpolate(np.stack(np.broadcast_arrays(seconds, latitude, longitude), -1))


def check(fields: xr.Dataset, names: tuple[str, ...]) -> None:
    """Whether fields can be interpolated.

    Raises:
        InputError: as `Interpolator`.
    """
    for name in names:
        if name not in fields or not {"time", "latitude", "longitude"} <= set(fields[name].dims):
            dims = f"dims {fields[name].dims}" if name in fields else f"the variables {', '.join(map(str, fields))}"
            raise InputError(f"the fields have {dims}, expected {name} with time, latitude and longitude")
    for dim in ("time", "latitude", "longitude"):
        values = fields[dim].values
        if len(values) < 2 or not (values[1:] > values[:-1]).all():
            raise InputError(f"the fields' {dim} has {len(values)} values, expected at least two that ascend")


def at_points(fields: xr.Dataset, points: xr.Dataset, names: tuple[str, ...] = ("uo", "vo")) -> xr.Dataset:
    """Fields at points in space and time, as by `Interpolator`; a few dates at a time are in memory.

    Args:
        fields: dims (time, latitude, longitude) and any others, in memory or lazy.
        points: coordinates or variables `time`, `latitude`, `longitude` along one dimension.

    Returns:
        the named variables, dims (others, and that of the points) with the points' coordinates; float64.

    Raises:
        InputError: as `Interpolator`.
    """
    check(fields, names)
    (dim,) = points["time"].dims
    time, latitude, longitude = (points[name].values for name in ("time", "latitude", "longitude"))
    dates = fields["time"].values
    interval = np.clip(np.searchsorted(dates, time, side="right") - 1, 0, len(dates) - 2)
    interval[(time < dates[0]) | (time > dates[-1]) | np.isnat(time)] = -1
    others = [d for d in fields[names[0]].dims if d not in ("time", "latitude", "longitude")]
    values = np.full((len(time), len(names), *(fields.sizes[d] for d in others)), np.nan)
    per = max(1, BLOCK // (len(names) * fields[names[0]].isel(time=0).nbytes))
    for first in range(0, len(dates) - 1, per):
        here = (interval >= first) & (interval < first + per)
        if here.any():
            between = Interpolator(fields[list(names)].isel(time=slice(first, first + per + 1)), names)
            values[here] = between(between.seconds(time[here]), latitude[here], longitude[here])
    found = {name: ((dim, *others), values[:, k], fields[name].attrs) for k, name in enumerate(names)}
    coords = {d: fields[d] for d in others if d in fields.coords}
    return xr.Dataset(found, coords | {n: c.variable for n, c in points.coords.items() if c.dims == (dim,)}).transpose(
        *others, dim
    )


def step(current: Current, seconds, position: np.ndarray, length: float) -> np.ndarray:
    """One step of the classical fourth-order Runge-Kutta method on the sphere.

    Args:
        position: (n, 2), latitude and longitude (degrees). seconds: the time, one for all or (n,).
        length: of the step (s), of either sign.

    Returns:
        (n, 2), the positions a step later; NaN where the current is NaN on the way.
    """

    def rate(elapsed, at):
        u, v = current(seconds + elapsed, at[:, 0], at[:, 1]).T
        return np.stack([v, u / np.cos(np.radians(at[:, 0]))], -1) / METRES_PER_DEGREE

    first = rate(0.0, position)
    second = rate(length / 2, position + length / 2 * first)
    third = rate(length / 2, position + length / 2 * second)
    fourth = rate(length, position + length * third)
    return position + length / 6 * (first + 2 * second + 2 * third + fourth)


def advect(current: Current, seconds, latitude, longitude, steps: int, length: float = HOUR) -> np.ndarray:
    """Paths of particles that move with a current.

    Args:
        current: an `Interpolator` of `uo`, `vo`, or a function like it.
        seconds, latitude, longitude: where and when each particle starts, (n,); they need not start together.

    Returns:
        (steps + 1, n, 2): latitude and longitude (degrees) at the start and after each step. A particle that meets land
        or leaves the fields is NaN from then on.
    """
    position = np.stack(np.broadcast_arrays(latitude, longitude), -1).astype(float)
    path = [position]
    for k in range(steps):
        position = step(current, seconds + k * length, position, length)
        path.append(position)
    return np.stack(path)


def distance(latitude, longitude, to_latitude, to_longitude):
    """Great-circle distance (m), by the haversine formula; degrees, arrays that broadcast."""
    north, east = np.radians(to_latitude - latitude), np.radians(to_longitude - longitude)
    across = np.cos(np.radians(latitude)) * np.cos(np.radians(to_latitude)) * np.sin(east / 2) ** 2
    half = np.sqrt(np.sin(north / 2) ** 2 + across)
    return 2 * np.degrees(np.arcsin(np.clip(half, 0, 1))) * METRES_PER_DEGREE


def row_of(drifters: xr.Dataset) -> np.ndarray:
    """Which trajectory each observation of a ragged array belongs to, (obs,)."""
    return np.repeat(np.arange(drifters.sizes["traj"]), drifters["rowsize"].values)


def before(drifters: xr.Dataset) -> np.ndarray:
    """How many observations of the same trajectory come before each, (obs,)."""
    sizes = drifters["rowsize"].values
    return np.arange(drifters.sizes["obs"]) - np.repeat(np.cumsum(sizes) - sizes, sizes)


def select(drifters: xr.Dataset, keep: np.ndarray, row: np.ndarray | None = None) -> xr.Dataset:
    """Some observations of a ragged array; trajectories that have none left are dropped.

    Args:
        keep: (obs,) bool.
        row: (obs,), a new division into trajectories, each within one of the old ones and numbered in order.
    """
    old = row_of(drifters)
    row = old if row is None else row
    _, first, sizes = np.unique(row[keep], return_index=True, return_counts=True)
    kept = drifters.isel(obs=np.flatnonzero(keep), traj=old[keep][first])
    return kept.assign(rowsize=("traj", sizes, drifters["rowsize"].attrs))


def segments(drifters: xr.Dataset, gap: float = 1.0, shortest: float = 10.0) -> xr.Dataset:
    """Trajectories cut where observations are missing, the long ones kept: GenDA's choice of drifters.

    GenDA's notebook demands more than 240 hourly velocities of a segment, which is the same. It leaves out a whole
    drifter if one of its eastward velocities is not flagged good. Here such a value is missing, and cuts the
    trajectory.

    Args:
        drifters: ragged array; observations without a finite `u` and `v` count as missing.
        gap: the longest time between observations of one segment (hours).
        shortest: from the first observation to the last (days).

    Returns:
        as `drifters`, with one `traj` a segment; `id` repeats for the segments of one drifter.

    Raises:
        InputError: the observations of a drifter are not in the order of time.
    """
    finite = np.isfinite(drifters["u"].values) & np.isfinite(drifters["v"].values)
    drifters = select(drifters, finite)
    row, time = row_of(drifters), drifters["time"].values
    same = row[1:] == row[:-1]
    if (same & (np.diff(time) <= np.timedelta64(0, "s"))).any():
        raise InputError("the observations of a drifter are not in the order of time, or two have the same time")
    new = ~same | (np.diff(time) > np.timedelta64(round(gap * 3600), "s"))
    drifters = select(drifters, np.ones(len(row), bool), np.cumsum(np.append(0, new))[: len(row)])
    ends = np.cumsum(drifters["rowsize"].values)
    lasts = drifters["time"].values[ends - 1] - drifters["time"].values[ends - drifters["rowsize"].values]
    return select(drifters, (lasts >= np.timedelta64(round(shortest * 86400), "s"))[row_of(drifters)])


def running_mean(drifters: xr.Dataset, samples: int = 24) -> xr.Dataset:
    """Velocity, position and time averaged over so many consecutive observations of a trajectory.

    Over 24 hours it takes out most inertial and tidal motion, which daily maps do not hold: GenDA's filtered variant.

    Args:
        drifters: hourly segments; trajectories that are too short are dropped.

    Returns:
        `u`, `v` and the coordinates at every full window, each trajectory shorter by `samples` - 1; `drogue`, if there,
        is 1 where it was on throughout, -1 where never known, else 0.
    """
    sizes = drifters["rowsize"].values
    full = before(drifters) <= np.repeat(sizes, sizes) - samples
    starts, out = np.flatnonzero(full), select(drifters, full)

    def mean(values):
        total = np.cumsum(np.append(0.0, values))
        return (total[starts + samples] - total[starts]) / samples

    origin = np.datetime64("2000-01-01", "ns") if not drifters.sizes["obs"] else drifters["time"].values.min()
    time = origin + (mean((drifters["time"].values - origin) / SECOND) * 1e9).astype("timedelta64[ns]")
    fields = {name: ("obs", mean(drifters[name].values), drifters[name].attrs) for name in ("u", "v")}
    if "drogue" in drifters:
        state = np.rint(mean(drifters["drogue"].values) * samples)
        state = np.where(abs(state) == samples, np.sign(state), 0).astype("i1")
        fields["drogue"] = ("obs", state, drifters["drogue"].attrs)
    places = {n: ("obs", mean(drifters[n].values), drifters[n].attrs) for n in ("latitude", "longitude")}
    out = out.drop_vars([n for n in out.data_vars if out[n].dims == ("obs",) and n not in fields])
    return out.assign(fields).assign_coords(places | {"time": ("obs", time, drifters["time"].attrs)})
