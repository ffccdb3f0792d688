"""The state vector: its channels, its grid, and the way between xarray in physical units and standardized tensors."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from .errors import InputError

EARTH_RADIUS = 6.371e6  # m


METRES_PER_DEGREE = np.pi * EARTH_RADIUS / 180  # along a meridian
KM_PER_DEGREE = METRES_PER_DEGREE / 1e3
DEGREES_PER_CELL = 1 / 12  # GLORYS12's grid
VARIABLES: dict[str, dict[str, str]] = {
    "zos": {"standard_name": "sea_surface_height_above_geoid", "long_name": "Sea level", "units": "m"},
    "thetao": {
        "standard_name": "sea_water_potential_temperature",
        "long_name": "Surface temperature",
        "units": "degC",
        "units_metadata": "temperature: on_scale",
    },
    "so": {"standard_name": "sea_water_salinity", "long_name": "Surface salinity", "units": "1e-3"},
    "u_ageo_eddy": {"long_name": "Eastward residual ageostrophic current", "units": "m s-1"},
    "v_ageo_eddy": {"long_name": "Northward residual ageostrophic current", "units": "m s-1"},
    "uas": {"standard_name": "eastward_wind", "long_name": "Eastward wind at 10 m", "units": "m s-1"},
    "vas": {"standard_name": "northward_wind", "long_name": "Northward wind at 10 m", "units": "m s-1"},
    "uo": {"standard_name": "eastward_sea_water_velocity", "long_name": "Eastward current", "units": "m s-1"},
    "vo": {"standard_name": "northward_sea_water_velocity", "long_name": "Northward current", "units": "m s-1"},
}
TIME = {"standard_name": "time", "long_name": "Middle of the day", "units_metadata": "leap_seconds: none"}
CHANNELS: tuple[str, ...] = ("zos", "thetao", "so", "u_ageo_eddy", "v_ageo_eddy", "uas", "vas")


def channel_index(name: str) -> int:
    """Place of a channel in the state vector.

    Raises:
        InputError: no such channel.
    """
    if name not in CHANNELS:
        raise InputError(f"channel {name!r} is not part of the state, expected one of {', '.join(CHANNELS)}")
    return CHANNELS.index(name)


def year_fraction(time) -> np.ndarray:
    """Days since New Year over 365.25, of numpy datetimes."""
    time = np.asarray(time, "datetime64[ns]")
    start = time.astype("datetime64[Y]").astype("datetime64[ns]")
    return (time - start) / np.timedelta64(1, "D") / 365.25


def harmonics(time) -> np.ndarray:
    """Constant, cosine and sine of the annual cycle, (..., 3); only the constant where the time is unknown (NaT)."""
    time = np.asarray(time, "datetime64[ns]")
    known = ~np.isnat(time)
    phase = 2 * np.pi * year_fraction(np.where(known, time, np.datetime64(0, "ns")))
    return np.stack([np.ones_like(phase), known * np.cos(phase), known * np.sin(phase)], -1)


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
        64 x 64 points, 35.33..40.58 N, -62.67..-57.42 E
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

    def holds(self, latitude, longitude) -> np.ndarray:
        """Which points lie inside the grid's outermost rows and columns."""
        inside = np.ones(np.shape(latitude), bool)
        for values, point in ((self.latitude, latitude), (self.longitude, longitude)):
            slack = 1e-6 * (values[1] - values[0])
            inside &= (point >= values[0] - slack) & (point <= values[-1] + slack)
        return inside

    def nearest(self, latitude: np.ndarray, longitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Row and column of the cell nearest to each point."""
        pairs = ((self.latitude, latitude), (self.longitude, longitude))
        row, column = (np.rint((point - v[0]) / (v[1] - v[0])).astype(int) for v, point in pairs)
        return row, column

    def __str__(self) -> str:
        lat, lon = self.latitude, self.longitude
        return f"{len(lat)} x {len(lon)} points, {lat[0]:.2f}..{lat[-1]:.2f} N, {lon[0]:.2f}..{lon[-1]:.2f} E"


@dataclass(frozen=True)
class Standardizer:
    """Climatology and scale of each channel: physical units <-> the standardized anomalies that priors live in.

    The climatology depends on latitude and season alone, so that it can be carried to any longitude; beyond its
    latitudes it is continued by its end values.

    Args:
        latitude: (n,) degrees.
        harmonics: (3, C, n) coefficients of `harmonics(time)`, in each channel's units.
        scale: (C,) standard deviation of the anomalies.
        ekman: (n,) complex Ekman response to kinematic wind stress (s m-1): current = ekman * stress.
    """

    latitude: np.ndarray
    harmonics: np.ndarray
    scale: np.ndarray
    ekman: np.ndarray

    def ekman_at(self, latitude) -> np.ndarray:
        """Ekman response at latitudes (n,), complex (s m-1)."""
        return np.interp(latitude, self.latitude, self.ekman.real) + 1j * np.interp(
            latitude, self.latitude, self.ekman.imag
        )

    def climatology(self, latitude: np.ndarray, time) -> np.ndarray:
        """Climatology at latitudes (n,) and one time, or one time each: (C, n)."""
        latitude = np.asarray(latitude, float)
        on_latitude = np.array([[np.interp(latitude, self.latitude, c) for c in h] for h in self.harmonics])
        return np.einsum("hcn,...h->cn" if np.ndim(time) == 0 else "hcn,nh->cn", on_latitude, harmonics(time))

    def to_tensor(self, frame: xr.Dataset, time=None) -> Tensor:
        """Standardized anomalies (C, ny, nx) of one surface state (dims latitude, longitude) in physical units."""
        time = frame["time"].values if time is None else time
        fields = np.stack([frame[c].transpose("latitude", "longitude").values for c in CHANNELS])
        anomaly = fields - self.climatology(frame["latitude"].values, time)[:, :, None]
        return torch.from_numpy((anomaly / self.scale[:, None, None]).astype("f4"))

    def to_dataset(self, members: Tensor, grid: Grid, time) -> xr.Dataset:
        """Physical fields of standardized anomalies (member, C, ny, nx), with total currents `uo`, `vo`."""
        fields = members.double().cpu().numpy() * self.scale[:, None, None]
        fields = (fields + self.climatology(grid.latitude, time)[:, :, None]).astype("f4")
        dims = ("member", "latitude", "longitude")
        ds = xr.Dataset(
            {name: (dims, fields[:, i], dict(VARIABLES[name])) for i, name in enumerate(CHANNELS)},
            coords={"member": np.arange(len(fields))} | grid.coordinates(),
        )
        if not np.isnat(np.datetime64(time)):
            ds = ds.assign_coords(time=np.datetime64(time, "ns"))
        return ds


# Step of each variable's 16-bit integers in files, well below any instrument's noise.
QUANTUM = {
    "zos": 1e-4,
    "thetao": 1e-3,
    "so": 2e-4,
    **dict.fromkeys(("uo", "vo", "u_ageo_eddy", "v_ageo_eddy"), 1e-3),
    **dict.fromkeys(("uas", "vas"), 2e-3),
}
