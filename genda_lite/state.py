"""The state of the ocean: its channels and grid, physical and standardized."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
import xarray as xr
from scipy.interpolate import RegularGridInterpolator
from torch import Tensor

from .errors import InputError
from .processors import bound_threads

bound_threads()  # torch is loaded now, for whatever of the package needs it

EARTH_RADIUS = 6.371e6  # m
METRES_PER_DEGREE = np.pi * EARTH_RADIUS / 180  # along a meridian
KM_PER_DEGREE = METRES_PER_DEGREE / 1e3
DEGREES_PER_CELL = 1 / 12  # GLORYS12's grid


@dataclass(frozen=True)
class Channel:
    """A variable of the surface ocean, and all that the package needs to know of it.

    Args:
        name: as in GLORYS12 and CMIP. long_name: for people. units: CF's, in which all values are.
        role: "ocean", "residual" (current), "wind", which make up the state; or "current", the total one, which follows
            from them.
        quantum: step of the 16-bit integers in files, well below any instrument's noise.
        plausible: what lies outside is a fill value, or in other units.
        seasonal: its climatology has an annual cycle; the others have a time mean only (GenDA).
        colours: of its maps, a colour map of cmocean. neutral: value in the middle of a diverging one: a number, or
            "median".
        label: of its units in figures. standard_name: CF's. more: further CF attributes.
        northward: a component along the meridian, of the other sign in a mirror at the equator.
    """

    name: str
    long_name: str
    units: str
    role: str
    quantum: float
    plausible: tuple[float, float]
    seasonal: bool
    colours: str
    neutral: float | str | None = None
    label: str = ""
    standard_name: str | None = None
    more: tuple[tuple[str, str], ...] = ()
    northward: bool = False

    @property
    def attributes(self) -> dict[str, str]:
        """As a variable of a CF data set has them."""
        named = {"standard_name": self.standard_name} if self.standard_name else {}
        return named | {"long_name": self.long_name, "units": self.units} | dict(self.more)


# The order of those of the state is that of the state vector.
_TABLE = (
    Channel("zos", "Sea level", "m", "ocean", 1e-4, (-5.0, 5.0), False, "balance", "median", "m",
            "sea_surface_height_above_geoid"),
    Channel("thetao", "Surface temperature", "degC", "ocean", 1e-3, (-2.5, 45.0), True, "thermal", None, "°C",
            "sea_water_potential_temperature", (("units_metadata", "temperature: on_scale"),)),
    Channel("so", "Surface salinity", "1e-3", "ocean", 2e-4, (0.0, 60.0), True, "haline", None, "psu",
            "sea_water_salinity"),
    Channel("u_ageo_eddy", "Eastward residual ageostrophic current", "m s-1", "residual", 1e-3, (-5.0, 5.0), False,
            "balance", 0.0, "m/s"),
    Channel("v_ageo_eddy", "Northward residual ageostrophic current", "m s-1", "residual", 1e-3, (-5.0, 5.0), False,
            "balance", 0.0, "m/s", northward=True),
    Channel("uas", "Eastward wind at 10 m", "m s-1", "wind", 2e-3, (-100.0, 100.0), True, "delta", 0.0, "m/s",
            "eastward_wind"),
    Channel("vas", "Northward wind at 10 m", "m s-1", "wind", 2e-3, (-100.0, 100.0), True, "delta", 0.0, "m/s",
            "northward_wind", northward=True),
    Channel("uo", "Eastward current", "m s-1", "current", 1e-3, (-5.0, 5.0), False, "balance", 0.0, "m/s",
            "eastward_sea_water_velocity"),
    Channel("vo", "Northward current", "m s-1", "current", 1e-3, (-5.0, 5.0), False, "balance", 0.0, "m/s",
            "northward_sea_water_velocity", northward=True),
)  # fmt: skip
TABLE: dict[str, Channel] = {channel.name: channel for channel in _TABLE}


def channels(*roles: str) -> tuple[str, ...]:
    """Names of the channels of some roles, in the order of the table."""
    return tuple(name for name, channel in TABLE.items() if channel.role in roles)


VARIABLES: dict[str, dict[str, str]] = {name: channel.attributes for name, channel in TABLE.items()}
CHANNELS: tuple[str, ...] = channels("ocean", "residual", "wind")
OCEAN: tuple[str, ...] = channels("ocean", "residual")  # what is to be analysed; the wind drives it
SURFACE: tuple[str, ...] = channels("ocean")  # what instruments see of it
INPUTS: tuple[str, ...] = channels("ocean") + channels("current") + channels("wind")  # that a state is made from
TIME = {"standard_name": "time", "long_name": "Middle of the day", "units_metadata": "leap_seconds: none"}


def as_channel(field: xr.DataArray, name: str) -> xr.DataArray:
    """A field as files hold a channel: float32, with the attributes of the table and no others."""
    field = field.astype("f4")
    field.attrs = dict(VARIABLES[name])
    return field


def channel_index(name: str) -> int:
    """Place of a channel among `CHANNELS`.

    Raises:
        InputError: no such channel.
    """
    return StateVector.today().index(name)


HALF_A_DAY = 0.5 + 1e-6


@dataclass(frozen=True)
class StateVector:
    """Which channel of which day is where in a state (K, ny, nx).

    Args:
        channels: (K,) names. lags: (K,) days after the date; without them all are of the date.

    Raises:
        InputError: no channels, an unknown one, another number of lags, or an entry that is there twice.

    Examples:
        >>> from genda_lite.state import CHANNELS, StateVector
        >>> state = StateVector(("zos", "zos", "thetao"), (0.0, -2.0, 0.0))
        >>> state.index("zos", -2.0), state.of_date
        (1, ('zos', 'thetao'))
        >>> len(StateVector.today()) == len(CHANNELS)
        True
    """

    channels: tuple[str, ...]
    lags: tuple[float, ...] = ()

    def __post_init__(self):
        try:
            names, lags = tuple(map(str, self.channels)), tuple(map(float, self.lags))
        except (TypeError, ValueError):
            names, lags = (), (np.nan,)
        if not all(abs(lag) < 1e5 for lag in lags):
            raise InputError(f"a state has lags {self.lags!r}, expected names of channels, and days for each")
        object.__setattr__(self, "channels", names)
        object.__setattr__(self, "lags", lags or (0.0,) * len(names))
        if strangers := [name for name in self.channels if name not in CHANNELS]:
            raise InputError(f"channel {strangers[0]!r} is none of a state, expected some of {', '.join(CHANNELS)}")
        if not self.channels or len(self.lags) != len(self.channels):
            raise InputError(
                f"a state has {len(self.channels)} channels and {len(self.lags)} lags, expected at least one, and as "
                f"many of both"
            )
        if len(set(self.entries)) < len(self.channels):
            raise InputError("a state holds a channel of one day twice, expected each once")

    @classmethod
    def today(cls) -> Self:
        """All channels, of the date alone."""
        return cls(CHANNELS)

    @classmethod
    def series(cls, channels: Sequence[str], lags: Sequence[float]) -> Self:
        """Channels at several days, those of the date first, then day by day."""
        days = sorted(lags, key=lambda lag: (lag != 0, lag))
        return cls(tuple(channels) * len(days), tuple(lag for lag in days for _ in channels))

    @property
    def entries(self) -> list[tuple[str, float]]:
        """Channel and lag (days) of each place."""
        return list(zip(self.channels, self.lags, strict=True))

    @property
    def of_date(self) -> tuple[str, ...]:
        """The channels of the date, in order."""
        return self.of_day(0.0)

    def of_day(self, lag: float) -> tuple[str, ...]:
        """The channels of a day, in order."""
        return tuple(name for name, day in self.entries if day == lag)

    @property
    def days(self) -> tuple[float, ...]:
        """The days of which the state holds something, ascending, counted from the date."""
        return tuple(sorted(set(self.lags)))

    def days_of(self, channel: str) -> tuple[float, ...]:
        """The days of which it holds a channel, ascending."""
        return tuple(sorted(lag for name, lag in self.entries if name == channel))

    def shifted(self, days: float) -> Self:
        """The same channels as many days later."""
        return type(self)(self.channels, tuple(lag + days for lag in self.lags))

    def around(self, channel: str, days: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Between which frames of a channel moments lie: places of the earlier and of the later frame, and the share
        of the later one, each (m,). A frame is the mean of its day: up to half a day beyond the outermost is theirs.

        Args:
            days: (m,) from the date. Outside all frames the share is NaN.
        """
        held = self.days_of(channel)
        frames, places = np.array(held), np.array([self.index(channel, lag) for lag in held])
        known = np.where(np.isfinite(days), days, np.inf)
        first = np.clip(np.searchsorted(frames, known, side="right") - 1, 0, max(len(frames) - 2, 0))
        second = np.minimum(first + 1, len(frames) - 1)
        gap = np.where(second > first, frames[second] - frames[first], 1.0)
        share = np.clip((known - frames[first]) / gap, 0, second - first)
        first, share = np.where(share == 1, second, first), np.where(share == 1, 0.0, share)  # on a frame it is alone
        outside = (known < frames[0] - HALF_A_DAY) | (known > frames[-1] + HALF_A_DAY)
        return places[first], places[second], np.where(outside, np.nan, share)

    def __len__(self) -> int:
        return len(self.channels)

    def index(self, channel: str, lag: float = 0.0) -> int:
        """Place of a channel of a day.

        Raises:
            InputError: it is not part of the state.
        """
        if (channel, lag) not in self.entries:
            when = f" {lag:g} days after the date" if lag else ""
            held = ", ".join(self.of_date if not lag else map(str, self.entries))
            raise InputError(f"channel {str(channel)!r}{when} is not part of the state, expected one of {held}")
        return self.entries.index((channel, lag))

    def places(self, *names: str) -> list[int]:
        """Places of some channels of the date; of those that the state has."""
        return [self.index(name) for name in names if name in self.of_date]


def mirrored(x: Tensor, channels: Sequence[str]) -> Tensor:
    """A state (..., K, ny, nx) in a mirror at the equator: rows in reverse order, northward channels of the other sign.

    The equations of motion hold in it, with f of the other sign: a sea of the north becomes one of the south.
    """
    sign = x.new_tensor([-1.0 if TABLE[name].northward else 1.0 for name in channels])
    return x.flip(-2) * sign.view(-1, 1, 1)


def harmonics(time, order: int = 1) -> np.ndarray:
    """Constant, and cosine and sine of the annual cycle and of its multiples up to an order, (..., 1 + 2 order); only
    the constant where the time is unknown (NaT)."""
    time = np.asarray(time, "datetime64[ns]")
    known = ~np.isnat(time)
    date = np.where(known, time, np.datetime64(0, "ns"))
    years = (date - date.astype("datetime64[Y]")) / np.timedelta64(1, "D") / 365.25  # since New Year
    phases = [2 * np.pi * k * years for k in range(1, order + 1)]
    waves = [known * wave(phase) for phase in phases for wave in (np.cos, np.sin)]
    return np.stack([np.ones_like(years), *waves], -1)


@dataclass(frozen=True)
class Grid:
    """A regular latitude-longitude grid: ascending `latitude` (ny,) and `longitude` (nx,), degrees.

    Raises:
        InputError: coordinates that are not 1-D, finite, ascending and evenly spaced.

    Examples:
        >>> from genda_lite import Grid
        >>> grid = Grid.around(longitude=-60.0, latitude=38.0, shape=(64, 64))
        >>> grid.shape
        (64, 64)
        >>> print(grid)
        64 x 64 points, 35.33..40.58 N, 62.67..57.42 W
    """

    latitude: np.ndarray
    longitude: np.ndarray

    def __post_init__(self):
        for name in ("latitude", "longitude"):
            values = np.asarray(getattr(self, name), float)
            step = np.diff(values)
            if values.ndim != 1 or len(values) < 2 or not np.isfinite(values).all() or (step <= 0).any():
                raise InputError(f"grid {name} must be a 1-D array of at least two ascending numbers (degrees)")
            if np.ptp(step) > 1e-3 * step.mean():
                raise InputError(f"grid {name} must be evenly spaced, got steps from {step.min():g} to {step.max():g}")
            object.__setattr__(self, name, values)

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.latitude), len(self.longitude)

    @classmethod
    def around(cls, longitude: float, latitude: float, shape: tuple[int, int], step: float = DEGREES_PER_CELL) -> Self:
        """The grid of a shape centred near a point, on whole multiples of the step."""
        ny, nx = shape
        j0, i0 = round(latitude / step - (ny - 1) / 2), round(longitude / step - (nx - 1) / 2)
        return cls((j0 + np.arange(ny)) * step, (i0 + np.arange(nx)) * step)

    def coordinates(self) -> dict:
        """Coordinate variables of a CF data set on this grid."""
        return {
            "latitude": ("latitude", self.latitude, {"standard_name": "latitude", "units": "degrees_north"}),
            "longitude": ("longitude", self.longitude, {"standard_name": "longitude", "units": "degrees_east"}),
        }

    def turned(self, longitude) -> np.ndarray:
        """Longitudes by whole turns to where the grid counts its own, be that from 0 to 360, from -180, or across 180;
        those already there are not changed by a bit."""
        slack = 1e-6 * (self.longitude[1] - self.longitude[0])
        return longitude - 360.0 * np.floor((longitude - self.longitude[0] + slack) / 360.0)

    def holds(self, latitude, longitude) -> np.ndarray:
        """Which points lie inside the grid's outermost rows and columns."""
        inside = np.ones(np.shape(latitude), bool)
        for values, point in ((self.latitude, latitude), (self.longitude, self.turned(longitude))):
            slack = 1e-6 * (values[1] - values[0])
            inside &= (point >= values[0] - slack) & (point <= values[-1] + slack)
        return inside

    def nearest(self, latitude: np.ndarray, longitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Row and column of the cell nearest to each point."""
        pairs = ((self.latitude, latitude), (self.longitude, self.turned(longitude)))
        row, column = (np.rint((point - v[0]) / (v[1] - v[0])).astype(int) for v, point in pairs)
        return row, column

    def __str__(self) -> str:
        ends = [(values[0], values[-1]) for values in (self.latitude, self.longitude)]
        return f"{len(self.latitude)} x {len(self.longitude)} points, {in_degrees(*ends)}"


def in_degrees(latitude: tuple[float, float], longitude: tuple[float, float]) -> str:
    """A box as all messages write it: "33..43 N, 72..54.17 W"."""
    parts = []
    for (low, high), (positive, negative) in ((latitude, "NS"), (longitude, "EW")):
        sign, name = (-1, negative) if low < 0 and high <= 0 else (1, positive)
        parts.append(f"{round(sign * float(low), 2):g}..{round(sign * float(high), 2):g} {name}")
    return ", ".join(parts)


@dataclass(frozen=True)
class Standardizer:
    """Climatology and scale of each channel: physical units <-> the standardized anomalies that priors live in.

    The climatology of a trained prior depends on latitude and season alone, so that it can be carried to any longitude.
    That of one place (`prepare.local`) depends on longitude, too. Beyond its edges it is continued by its end values.

    Args:
        latitude: (n,) degrees.
        harmonics: (3, C, n) coefficients of `harmonics(time)`, in each channel's units; (1 + 2 order, C, n, nx) of a
            place.
        scale: (C,) standard deviation of the anomalies.
        ekman: (n,) complex Ekman response to kinematic wind stress (s m-1): current = ekman * stress.
        channels: (C,) their names.
        longitude: (nx,) degrees, of a place.
        mirrored: the anomalies that priors live in are those of the other hemisphere, see `state.mirrored`.
    """

    latitude: np.ndarray
    harmonics: np.ndarray
    scale: np.ndarray
    ekman: np.ndarray
    channels: tuple[str, ...] = CHANNELS
    longitude: np.ndarray | None = None
    mirrored: bool = False

    def ekman_at(self, latitude) -> np.ndarray:
        """Ekman response at latitudes (n,), complex (s m-1)."""
        return np.interp(latitude, self.latitude, self.ekman)

    def climatology(self, latitude: np.ndarray, time, longitude: np.ndarray | float = 0.0) -> np.ndarray:
        """Climatology at points of any shape (...) and one time, or one time each: (C, ...).

        Latitude and longitude are broadcast where longitude matters: (ny, 1) and (nx,) give (C, ny, nx) in a place, and
        (C, ny, 1) elsewhere.
        """
        latitude = np.asarray(latitude, float)
        if self.longitude is None:
            here = np.array([[np.interp(latitude, self.latitude, c) for c in h] for h in self.harmonics])
        else:
            axes = self.latitude, self.longitude
            points = np.broadcast_arrays(latitude, longitude)
            points = [np.clip(p, axis[0], axis[-1]) for p, axis in zip(points, axes, strict=True)]
            table = RegularGridInterpolator(axes, np.moveaxis(self.harmonics, (0, 1), (-2, -1)))
            here = np.moveaxis(table(tuple(points)), (-2, -1), (0, 1))
        return np.einsum("hc...,...h->c...", here, harmonics(time, len(self.harmonics) // 2))

    def scale_of(self, state: StateVector) -> np.ndarray:
        """Scale of each entry of a state, (K,)."""
        return self.scale[[self.channels.index(name) for name in state.channels]]

    def climatology_of(self, state: StateVector, latitude: np.ndarray, time, longitude=0.0) -> np.ndarray:
        """Climatology of each entry of a state around one date, (K, ...), at points as in `climatology`."""
        days = {lag: later(time, lag) for lag in set(state.lags)}
        found = {lag: self.climatology(latitude, day, longitude) for lag, day in days.items()}
        return np.stack([found[lag][self.channels.index(name)] for name, lag in state.entries])

    def to_tensor(self, frame: xr.Dataset, time=None) -> Tensor:
        """Standardized anomalies (C, ny, nx) of one surface state (dims latitude, longitude) in physical units."""
        time = frame["time"].values if time is None else time
        fields = np.stack([frame[c].transpose("latitude", "longitude").values for c in self.channels])
        usual = self.climatology(frame["latitude"].values[:, None], time, frame["longitude"].values)
        x = torch.from_numpy(((fields - usual) / self.scale[:, None, None]).astype("f4"))
        return mirrored(x, self.channels) if self.mirrored else x

    def to_dataset(
        self, members: Tensor, grid: Grid, time, state: StateVector | None = None, lag: float = 0.0
    ) -> xr.Dataset:
        """Physical fields of one day, dims (member, latitude, longitude), of standardized anomalies.

        Args:
            members: (member, K, ny, nx). time: the date of the state. state: what is where in them; by default the
                standardizer's channels.
            lag: which day, counted from the date.
        """
        state = StateVector(self.channels) if state is None else state
        members = mirrored(members, state.channels) if self.mirrored else members
        fields = members.double().cpu().numpy() * self.scale_of(state)[:, None, None]
        usual = self.climatology_of(state, grid.latitude[:, None], time, grid.longitude)
        fields = (fields + usual).astype("f4")
        dims = ("member", "latitude", "longitude")
        ds = xr.Dataset(
            {name: (dims, fields[:, state.index(name, lag)], dict(VARIABLES[name])) for name in state.of_day(lag)},
            coords={"member": np.arange(len(fields))} | grid.coordinates(),
        )
        if not np.isnat(np.datetime64(time)):
            ds = ds.assign_coords(time=later(time, lag))
        return ds


def later(time, days: float) -> np.datetime64:
    """A time as many days later, to the second."""
    return np.datetime64(time, "ns") + np.timedelta64(round(days * 86400), "s")


QUANTUM = {name: channel.quantum for name, channel in TABLE.items()}  # of integers in files
