"""Observations: what was measured, where, how well, and the linear operator that says what a state would have shown.

    y = H x + c + e,    e ~ N(0, R),    c ~ N(0, s^2) shared by all values of one source

Every source, along-track or map, becomes a table of points. At points H interpolates; values of smooth maps are
Gaussian means at points. Observations that no table can hold go into `LinearObservations`. The constant c is the
unknown reference of sea level: `zos` differs between products by a constant, which is no signal.

Errors of different values are independent. Two values at one point count as two measurements: they pull towards their
mean, weighted by 1 / error^2, however far apart they are. There may be more values than grid points. Thin neighbouring
values with correlated errors (maps, swaths), or give them larger errors.
"""

from collections.abc import Hashable
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
import xarray as xr

from ..errors import InputError
from ..sources.files import known_units
from ..state import KM_PER_DEGREE, VARIABLES, Grid, channel_index

UNKNOWN_REFERENCE = 1.0  # m; standard deviation of the constant between two products' sea levels
SALINITIES = ("1", "g kg-1", "g/kg")  # units that are taken for those of practical salinity in a table of one's own


def _coordinate(ds: xr.Dataset | xr.DataArray, name: str, what: str) -> xr.DataArray:
    if name not in ds.coords and name not in getattr(ds, "data_vars", {}):
        raise InputError(f"{what} has no {name!r}, expected variables latitude and longitude (degrees)")
    return ds[name]


def _check_units(values: xr.DataArray, channel: str, what: str) -> None:
    units, expected = values.attrs.get("units"), VARIABLES[channel]["units"]
    if not (units is None or known_units(units, expected) == (1.0, 0.0) or (channel == "so" and units in SALINITIES)):
        raise InputError(f"{what} {values.name!r} is in {units!r}, expected {expected!r} for channel {channel}")


def _errors(error, source: xr.Dataset | None, like: np.ndarray, what: str) -> np.ndarray:
    if isinstance(error, str):
        if source is None or error not in source:
            raise InputError(f"{what} has no error variable {error!r}, expected a number or the name of a variable")
        error = source[error].values
    error = np.asarray(error, float)
    try:
        error = np.broadcast_to(error, like.shape)
    except ValueError:
        raise InputError(f"{what}: errors have shape {error.shape}, expected one number or {like.shape}") from None
    return error


@dataclass(frozen=True)
class Observations:
    """A table of m point values; every field is an array of shape (m,). Add two tables with `+`.

    Args:
        channel: name of the observed channel.
        latitude, longitude: degrees.
        value, error: in the channel's units; error is one standard deviation.
        time: datetime64[ns], NaT where unknown. A prior of single days treats all values as values of its date. A prior
            of several days uses the time of each.
        source: number of the source; values of one source share the unknown constant.
        reference_error: standard deviation of that constant, 0 where the reference is known.
        smoothing: km; 0 for values at points, else they are Gaussian means of this standard deviation.

    Examples:
        >>> import xarray as xr
        >>> from genda_lite import Grid, Observations
        >>> points = xr.Dataset(
        ...     {"zos": ("point", [0.12, 0.31, 0.22])},  # m
        ...     {"latitude": ("point", [37.5, 38.0, 48.0]), "longitude": ("point", [-60.2, -60.0, -59.8])},
        ... )
        >>> observations = Observations.from_points(points, "zos", error=0.03)
        >>> len(observations), len(observations + observations)
        (3, 6)
        >>> observations.inside(Grid.around(-60.0, 38.0, (64, 64))).value
        array([0.12, 0.31])
    """

    channel: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    value: np.ndarray
    error: np.ndarray
    time: np.ndarray
    source: np.ndarray
    reference_error: np.ndarray
    smoothing: np.ndarray

    @classmethod
    def _table(cls, channel, latitude, longitude, value, error, time, reference_error, what, smoothing=0.0) -> Self:
        """Drop missing values, check the rest, and make the table of one source."""
        channel_index(channel)
        if reference_error is None:
            reference_error = UNKNOWN_REFERENCE if channel == "zos" else 0.0
        if not 0 <= reference_error < np.inf:
            raise InputError(f"{what}: reference_error of {channel} must be zero or positive, got {reference_error}")
        if not 0 <= smoothing < np.inf:
            raise InputError(f"{what}: smoothing of {channel} must be zero or positive (km), got {smoothing}")
        if value.size == 0:
            raise InputError(f"{what} holds no values of {channel}, expected at least one")
        keep = np.isfinite(value) & np.isfinite(latitude) & np.isfinite(longitude)
        if not keep.any():
            raise InputError(
                f"{what}: all {value.size} values of {channel} are missing (NaN or masked), expected at least one"
            )
        bad = ~(np.isfinite(error) & (error > 0)) & keep
        if bad.any():
            raise InputError(
                f"{what}: errors of {channel} must be positive, "
                f"got {error[bad][0]:g} at {bad.sum()} of {keep.sum()} values"
            )
        m = int(keep.sum())
        try:
            time = np.broadcast_to(np.asarray(time, "datetime64[ns]"), value.shape)
        except (TypeError, ValueError):
            raise InputError(f"{what}: time must be one date, or one for each value of {channel}") from None
        return cls(
            np.full(m, channel),
            latitude[keep].astype(float),
            longitude[keep].astype(float),
            value[keep].astype(float),
            error[keep],
            time[keep],
            np.zeros(m, int),
            np.full(m, float(reference_error)),
            np.full(m, float(smoothing)),
        )

    @classmethod
    def from_points(
        cls,
        points: xr.Dataset,
        channel: str,
        error: float | str,
        variable: Hashable | None = None,
        reference_error: float | None = None,
    ) -> Self:
        """Observations at points.

        Args:
            points: 1-D `latitude`, `longitude` (degrees), a value, optionally `time` and an error variable.
            channel: the channel observed.
            error: one standard deviation in the channel's units, or the name of a variable that holds it.
            variable: name of the value; by default the channel's name, else the only remaining variable.
            reference_error: standard deviation of the unknown constant all these values share; by default 1 m for
                `zos`, 0 for the others.

        Raises:
            InputError: unknown channel, missing or multi-dimensional variables, wrong units, no valid value,
                non-positive errors.
        """
        what = "points"
        channel_index(channel)
        if not isinstance(points, xr.Dataset):
            raise InputError(f"points must be an xarray.Dataset, got {type(points).__name__}")
        if variable is None:
            named = {"latitude", "longitude", "time"} | ({error} if isinstance(error, str) else set())
            others = [v for v in points.data_vars if v not in named]
            variable = channel if channel in points else others[0] if len(others) == 1 else None
        if variable is None or variable not in points:
            raise InputError(
                f"points: cannot tell which variable holds {channel}; it has {', '.join(map(str, points.data_vars))}, "
                f"name one with variable="
            )
        values = points[variable]
        if values.ndim != 1:
            raise InputError(f"points variable {variable!r} has dims {values.dims}, expected one dimension")
        _check_units(values, channel, "points variable")
        coordinates = [_coordinate(points, name, what) for name in ("latitude", "longitude")]
        for coordinate in coordinates:
            if coordinate.shape != values.shape:
                raise InputError(
                    f"points {coordinate.name} has shape {coordinate.shape}, expected {values.shape} like {variable!r}"
                )
        time = points["time"].values if "time" in points else np.datetime64("NaT")
        errors = _errors(error, points, values.values, what)
        latitude, longitude = (c.values for c in coordinates)
        return cls._table(channel, latitude, longitude, values.values, errors, time, reference_error, what)

    @classmethod
    def from_grid(
        cls,
        field: xr.DataArray,
        channel: str,
        error: float | xr.DataArray,
        mask: xr.DataArray | np.ndarray | None = None,
        reference_error: float | None = None,
        smoothing: float = 0.0,
    ) -> Self:
        """Observations from a map: every cell that is finite and, if a mask is given, where the mask is true.

        Args:
            field: dims (latitude, longitude), in the channel's units; a scalar coordinate `time` is used if present.
            mask: same shape, true where observed (for SST: clear sky).
            error, reference_error: as in `from_points`.
            smoothing: for smooth (L4) maps, the standard deviation (km) of the Gaussian that each value is a mean over.

        Raises:
            InputError: as `from_points`, and for a field or mask of the wrong dims or shape, or a negative smoothing.
        """
        what = "map"
        channel_index(channel)
        if not isinstance(field, xr.DataArray) or set(field.dims) != {"latitude", "longitude"}:
            got = f"dims {field.dims}" if isinstance(field, xr.DataArray) else type(field).__name__
            raise InputError(f"map of {channel}: got {got}, expected a DataArray with dims (latitude, longitude)")
        for name in ("latitude", "longitude"):
            _coordinate(field, name, what)
        _check_units(field, channel, "map")

        def aligned(other, name):
            if isinstance(other, xr.DataArray) and set(other.dims) == set(field.dims):
                other = other.transpose(*field.dims)
                for dim in field.dims:
                    if dim in other.coords and not np.array_equal(other[dim], field[dim]):
                        raise InputError(f"{name} of the map has another {dim} than the map, expected the same grid")
            if np.shape(other) != field.shape:
                raise InputError(f"{name} of the map has shape {np.shape(other)}, expected {field.shape}")
            return np.asarray(other)

        values = field.values.astype(float)
        if mask is not None:
            observed = np.nan_to_num(aligned(mask, "mask").astype(float)) != 0  # a missing mask value hides, too
            values = np.where(observed, values, np.nan)
        errors = _errors(aligned(error, "error") if np.ndim(error) else error, None, values, what)
        latitude, longitude = (c.transpose(*field.dims) for c in xr.broadcast(field["latitude"], field["longitude"]))
        time = field["time"].values if "time" in field.coords and field["time"].ndim == 0 else np.datetime64("NaT")
        return cls._table(
            channel,
            latitude.values.ravel(),
            longitude.values.ravel(),
            values.ravel(),
            errors.ravel(),
            time,
            reference_error,
            what,
            smoothing,
        )

    def __add__(self, other: Self) -> Self:
        if not isinstance(other, Observations):
            return NotImplemented
        return _joined(self, replace(other, source=other.source + 1 + self.source.max(initial=-1)))

    def __len__(self) -> int:
        return len(self.value)

    def select(self, keep: np.ndarray) -> Self:
        """The observations where a boolean array (m,) is true, or at some places."""
        return type(self)(**{f.name: getattr(self, f.name)[keep] for f in fields(self)})

    def inside(self, grid: Grid) -> Self:
        """The observations inside a grid."""
        return self.select(grid.holds(self.latitude, self.longitude))

    def during(self, first, last) -> Self:
        """The observations from one day to another, the last day included. Those without a time are left out.

        Raises:
            InputError: no days.
        """
        try:
            start, end = (np.datetime64(day, "D") for day in (first, last))
        except ValueError:
            start = end = np.datetime64("NaT", "D")
        if np.isnat([start, end]).any() or end < start:
            raise InputError(f"observations during {first} to {last}: expected two days, the earlier first")
        return self.select((self.time >= start) & (self.time < end + np.timedelta64(1, "D")))

    def averaged(self, width: float) -> Self:
        """Super-observations: means of the values of one source and channel in a cell, within an hour, weighted by 1 /
        error^2. The error of a mean is that of independent values. Smooth maps stay as they are.

        This saves work where values are denser than the state's grid, and loses what is smaller than the cells.

        Args:
            width: of the cells (km).

        Raises:
            InputError: a width that is not positive.

        Examples:
            >>> import xarray as xr
            >>> from genda_lite import Observations
            >>> place = {"latitude": ("point", [38.01, 38.02]), "longitude": ("point", [-60.01, -60.01])}
            >>> pair = Observations.from_points(xr.Dataset({"zos": ("point", [0.1, 0.3])}, place), "zos", error=0.04)
            >>> mean = pair.averaged(20.0)
            >>> mean.value, mean.error.round(3)
            (array([0.2]), array([0.028]))
        """
        if not width > 0:
            raise InputError(f"the cells of super-observations must have a width above zero (km), got {width}")
        points = self.select(self.smoothing == 0)
        if not len(points):
            return self
        step = width / KM_PER_DEGREE
        row = np.floor(points.latitude / step).astype(int)
        column = np.floor(points.longitude * np.cos(np.radians(row * step)) / step).astype(int)
        _, channel = np.unique(points.channel, return_inverse=True)
        hour = points.time.astype("datetime64[h]").astype(int)
        keys = np.stack([channel, points.source, hour, row, column], 1)
        _, first, cell = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        weight = points.error**-2.0
        total = np.bincount(cell, weight)
        means = {
            name: np.bincount(cell, weight * getattr(points, name)) / total
            for name in ("latitude", "longitude", "value")
        }
        new = replace(points.select(first), error=total**-0.5, **means)
        return _joined(new, self.select(self.smoothing > 0))

    def to_dataset(self) -> xr.Dataset:
        """The table as a data set with dims (point,): value, error, and coordinates."""
        ds = xr.Dataset({"value": ("point", self.value), "error": ("point", self.error)})
        names = ("channel", "latitude", "longitude", "time", "source")
        return ds.assign_coords({name: ("point", getattr(self, name)) for name in names})


def _joined(*tables: Observations) -> Observations:
    """The rows of one table after those of the other."""
    return Observations(**{f.name: np.concatenate([getattr(t, f.name) for t in tables]) for f in fields(Observations)})
