"""Observations: what was measured, where, how well, and the linear operator that says what a state would have shown.

    y = H x + c + e,    e ~ N(0, R),    c ~ N(0, s^2) shared by all values of one source

Every source, along-track or map, becomes a table of points, where H interpolates; smooth maps are Gaussian means at
points. What no table can hold goes into `LinearObservations`. The constant c stands for the unknown reference of sea
level: `zos` of different products differ by a constant, which must not pass for signal.

Errors of different values are independent. Two values at one point count as two measurements: they pull towards their
mean, weighted by 1 / error^2, however far apart they are; there may be more values than grid points. Many neighbouring
values whose errors are alike (maps, swaths) should be thinned or given larger errors.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import torch
import xarray as xr
from scipy.ndimage import gaussian_filter
from torch import Tensor

from .errors import InputError
from .operators import KM_PER_DEGREE, Blurred, Linear, Operator, Points, Stacked
from .state import VARIABLES, Grid, Standardizer, channel_index

UNKNOWN_REFERENCE = 1.0  # m; standard deviation of the constant between two products' sea levels
UNIT_NAMES = {
    "m": {"m", "metre", "metres", "meter", "meters"},
    "degC": {"degC", "degrees_C", "degree_C", "degrees_Celsius", "degree_Celsius", "celsius", "Celsius", "°C"},
    "1e-3": {"1e-3", "0.001", "psu", "PSU", "1", "g kg-1", "g/kg"},
    "m s-1": {"m s-1", "m/s", "m s**-1", "metre per second", "meter/second"},
}


def _coordinate(ds: xr.Dataset | xr.DataArray, name: str, what: str) -> xr.DataArray:
    if name not in ds.coords and name not in getattr(ds, "data_vars", {}):
        raise InputError(f"{what} has no {name!r}, expected variables latitude and longitude (degrees)")
    return ds[name]


def _check_units(values: xr.DataArray, channel: str, what: str) -> None:
    units, expected = values.attrs.get("units"), VARIABLES[channel]["units"]
    if units is not None and units not in UNIT_NAMES[expected]:
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
        time: datetime64[ns], NaT where unknown.
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
        shift = 1 + self.source.max(initial=-1)
        joined = {}
        for field in fields(self):
            a, b = getattr(self, field.name), getattr(other, field.name)
            joined[field.name] = np.concatenate([a, b + shift if field.name == "source" else b])
        return type(self)(**joined)

    def __len__(self) -> int:
        return len(self.value)

    def select(self, keep: np.ndarray) -> Self:
        """The observations where a boolean array (m,) is true."""
        return type(self)(**{f.name: getattr(self, f.name)[keep] for f in fields(self)})

    def inside(self, grid: Grid) -> Self:
        """The observations inside a grid."""
        return self.select(grid.holds(self.latitude, self.longitude))

    def averaged(self, width: float) -> Self:
        """Super-observations: the values at points that one source has of a channel in a cell, within an hour, become
        their mean, weighted by 1 / error^2; its error is that of independent values. Smooth maps stay as they are.

        It saves work where values are denser than the state's grid, and loses what is smaller than the cells.

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
        kept = {f.name: getattr(points, f.name)[first] for f in fields(self)}
        new = type(self)(**(kept | means | {"error": total**-0.5}))
        parts = new, self.select(self.smoothing > 0)
        return type(self)(**{f.name: np.concatenate([getattr(one, f.name) for one in parts]) for f in fields(self)})

    def to_dataset(self) -> xr.Dataset:
        """The table as a data set with dims (point,): value, error, and coordinates."""
        ds = xr.Dataset({"value": ("point", self.value), "error": ("point", self.error)})
        names = ("channel", "latitude", "longitude", "time", "source")
        return ds.assign_coords({name: ("point", getattr(self, name)) for name in names})


@dataclass(frozen=True)
class LinearObservations:
    """Observations by any linear map: y = H x + e, for fields x in physical units.

    Args:
        forward: H, fields (B, C, ny, nx) in the channels' units -> values (B, m). adjoint: H', values -> fields.
        value, error: (m,), error is one standard deviation; or one error for all.

    Raises:
        InputError: values or errors that are missing, errors that are not positive, shapes that differ.
    """

    forward: Callable[[Tensor], Tensor]
    adjoint: Callable[[Tensor], Tensor]
    value: np.ndarray
    error: np.ndarray | float

    def __post_init__(self):
        what = "linear observations"
        value = np.asarray(self.value, float)
        if value.ndim != 1 or not value.size:
            raise InputError(f"{what}: values have shape {value.shape}, expected (m,) with m at least one")
        error = _errors(self.error, None, value, what)
        if not np.isfinite(value).all():
            raise InputError(
                f"{what}: {(~np.isfinite(value)).sum()} of {value.size} values are missing (NaN), expected numbers: "
                f"leave them out of the values and of the map"
            )
        if not (np.isfinite(error) & (error > 0)).all():
            raise InputError(f"{what}: errors must be positive, got {error[~(error > 0)][:1]} among {value.size}")
        object.__setattr__(self, "value", value)
        object.__setattr__(self, "error", error)


class LinearGaussian:
    """A likelihood y = H x + e, e ~ N(0, R), in standardized units; R is diagonal plus rank-one terms s s'.

    Args:
        operator: H.
        value: y (m,), or (B, m) to give each row of a batch its own. variance: the diagonal of R, (m,).
        shared: (k, m) one s in each row.

    Attributes:
        observed_channels, observed_operator: the channels that H sees, and H on these alone: H P H' needs no other.
    """

    def __init__(self, operator: Operator, value: Tensor, variance: Tensor, shared: Tensor | None = None):
        self.operator, self.value, self.variance = operator, value, variance
        self.shared = value.new_zeros(0, len(variance)) if shared is None else shared
        self.observed_channels: slice | list[int] = slice(None)
        self.observed_operator = operator
        self.to(value.device)

    def to(self, device: str | torch.device) -> Self:
        """Move to a device."""
        self.value, self.variance, self.shared = (a.to(device) for a in (self.value, self.variance, self.shared))
        for operator in (self.operator, self.observed_operator):
            operator.to(self.value)
        return self

    def covariance(self, v: Tensor) -> Tensor:
        """R v for v (B, m)."""
        return v * self.variance + (v @ self.shared.T) @ self.shared

    def precision(self, v: Tensor, extra: Tensor | float = 0.0) -> Tensor:
        """(R + extra I)^-1 v for v (B, m), by the Sherman-Morrison-Woodbury formula."""
        weighted, shared = v / (self.variance + extra), self.shared / (self.variance + extra)
        small = torch.eye(len(shared), device=v.device) + shared @ self.shared.T
        return weighted - torch.linalg.solve(small, (weighted @ self.shared.T).T).T @ shared

    def draw_errors(self, white: Tensor, white_shared: Tensor) -> Tensor:
        """Errors with covariance R, (B, m), from white noise (B, m) and, for the constants, (B, k)."""
        return white * self.variance.sqrt() + white_shared @ self.shared


class Likelihood(LinearGaussian):
    """Observations bound to a grid and a climatology: y, H and R in standardized units.

    The rank-one terms of R are those of the sources of unknown reference, s^2 1 1': the constant c of the module's
    equation, integrated out.

    Args:
        further: observations by any linear map; their values follow those of the table.

    Raises:
        InputError: an observation lies outside the grid, or a map fails `check_adjoint`.
    """

    def __init__(
        self,
        observations: Observations,
        grid: Grid,
        standardizer: Standardizer,
        time,
        further: Sequence[LinearObservations] = (),
    ):
        outside = ~grid.holds(observations.latitude, observations.longitude)
        if outside.any():
            first = np.flatnonzero(outside)[0]
            raise InputError(
                f"{outside.sum()} of {len(outside)} observations lie outside the grid ({grid}), the first at "
                f"{observations.latitude[first]:.2f} N {observations.longitude[first]:.2f} E; "
                f"keep those inside with observations.inside(grid)"
            )
        channel = np.array([channel_index(c) for c in observations.channel])
        scale = standardizer.scale[channel]
        climatology = standardizer.climatology(observations.latitude, time)[channel, np.arange(len(channel))]
        # Smooth observations see a smooth climatology.
        usual = standardizer.climatology(grid.latitude, time) / standardizer.scale[:, None]
        usual = torch.from_numpy(usual[None, :, :, None].repeat(len(grid.longitude), -1)).float()
        smooth = observations.smoothing > 0
        operator = table_operator(observations, grid, channel, len(standardizer.scale))
        climatology[smooth] = (operator(usual)[0].numpy() * scale)[smooth]

        value, variance = [(observations.value - climatology) / scale], [(observations.error / scale) ** 2]
        members = observations.source == np.unique(observations.source)[:, None]  # (sources, m)
        shared = torch.from_numpy(members * observations.reference_error / scale).float()
        shared = shared[shared.abs().sum(1) > 0]

        parts, places = [operator], [np.arange(len(observations))]
        factor = torch.from_numpy(standardizer.scale[:, None, None]).float()
        for one in further:
            linear = Linear(
                lambda x, one=one: one.forward(x * factor.to(x)),
                lambda y, one=one: one.adjoint(y) * factor.to(y),
                operator.shape,
            )
            mean = linear(usual)[0].double().numpy()
            if mean.shape != one.value.shape:
                raise InputError(f"a linear map gives {mean.size} values, expected the {one.value.size} observed")
            parts.append(linear)
            places.append(sum(map(len, places)) + np.arange(mean.size))
            value.append(linear.gain * one.value - mean)
            variance.append((linear.gain * one.error) ** 2)
        m = sum(map(len, value))
        super().__init__(
            Stacked(parts, places) if further else operator,
            torch.from_numpy(np.concatenate(value)).float(),
            torch.from_numpy(np.concatenate(variance)).float(),
            torch.nn.functional.pad(shared, (0, m - shared.shape[1])),
        )
        if not further:
            observed, place = np.unique(channel, return_inverse=True)  # often one or two of seven
            self.observed_channels = observed.tolist()
            self.observed_operator = table_operator(observations, grid, place, len(observed))


def table_operator(observations: Observations, grid: Grid, channel: np.ndarray, channels: int) -> Operator:
    """H of a table: points, and Gaussian means for each smoothing."""
    parts, places = [], []
    for smoothing in np.unique(observations.smoothing) if len(observations) else [0.0]:
        place = np.flatnonzero(observations.smoothing == smoothing)
        where = (a[place] for a in (channel, observations.latitude, observations.longitude))
        points = Points(grid, *where, channels)
        parts.append(Blurred(points, grid, smoothing) if smoothing else points)
        places.append(place)
    return parts[0] if len(parts) == 1 else Stacked(parts, places)


# --- Simulated observing systems -------------------------------------------------------------------------------------


def altimeter_tracks(grid: Grid, number: int, seed: int = 0, spacing: float = 1 / 16) -> xr.Dataset:
    """Points along straight nadir-altimeter tracks that cross a grid.

    Passes are ascending or descending at random, tilted 20 degrees from the meridian as at mid-latitudes, and cross the
    middle row at places spread evenly with jitter. With the same seed, fewer tracks are the first of more.

    Args:
        number: how many tracks. spacing: along the track, degrees of latitude (7 km by default, as 1 Hz altimetry).

    Returns:
        dims (point,), coordinates `latitude`, `longitude`, `track`; no variables.

    Raises:
        InputError: a negative number.
    """
    if number < 0:
        raise InputError(f"the number of tracks must not be negative, got {number}")
    rng = np.random.default_rng(seed)
    south, north = grid.latitude[[0, -1]]
    west, east = grid.longitude[[0, -1]]
    latitude = np.arange(south, north, spacing)
    # The golden ratio spreads any number of crossings evenly, and adding one moves none.
    crossing = (rng.random() + 0.618034 * np.arange(number)) % 1
    heading = np.where((rng.integers(2) + np.arange(number)) % 2, 1, -1)
    slope = np.tan(np.radians(20)) / np.cos(np.radians((south + north) / 2))
    longitude = (
        west + crossing[:, None] * (east - west) + heading[:, None] * slope * (latitude - (south + north) / 2)[None]
    )
    track = np.broadcast_to(np.arange(number)[:, None], longitude.shape)
    latitude = np.broadcast_to(latitude, longitude.shape)
    keep = (longitude >= west) & (longitude <= east)
    coords = {"latitude": latitude[keep], "longitude": longitude[keep], "track": track[keep]}
    return xr.Dataset(coords={name: ("point", values) for name, values in coords.items()})


def clear_sky(grid: Grid, cloud_fraction: float, seed: int = 0, scale: float = 0.6) -> xr.DataArray:
    """Where a radiometer sees the sea: true outside random clouds of size `scale` (degrees).

    With the same seed, a smaller cloud fraction uncovers more and hides nothing new.

    Raises:
        InputError: a fraction outside 0..1.
    """
    if not 0 <= cloud_fraction <= 1:
        raise InputError(f"the cloud fraction must lie in 0..1, got {cloud_fraction}")
    rng = np.random.default_rng(seed)
    steps = [values[1] - values[0] for values in (grid.latitude, grid.longitude)]
    cover = gaussian_filter(rng.standard_normal(grid.shape), [scale / s / 2 for s in steps], mode="wrap")
    rank = cover.ravel().argsort().argsort().reshape(grid.shape) / cover.size
    return xr.DataArray(
        rank >= cloud_fraction,
        coords={"latitude": grid.latitude, "longitude": grid.longitude},
        dims=("latitude", "longitude"),
        name="clear_sky",
    )


def sample_points(field: xr.DataArray, points: xr.Dataset, error: float, seed: int = 0) -> xr.Dataset:
    """What an instrument would have measured: a field (dims latitude, longitude) at points, plus white noise.

    Returns:
        `points` with a variable of the field's name and units.
    """
    where = {name: points[name].drop_vars(points[name].coords) for name in ("latitude", "longitude")}
    values = field.interp(where, method="linear").values
    noise = error * np.random.default_rng(seed).standard_normal(values.shape)
    attrs = {"units": field.attrs["units"]} if "units" in field.attrs else {}
    return points.assign({field.name: ("point", values + noise, attrs)})
