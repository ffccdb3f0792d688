"""What the instruments share: their errors, their random numbers, and how a true ocean is sampled at their points.

Every random number belongs to a measurement: to its seed, instrument, pass and place in the pass, or day and channel.
The order of drawing does not matter. Two observing systems that share a measurement share its value.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self
from zlib import crc32

import numpy as np
import torch
import xarray as xr
from scipy.ndimage import gaussian_filter

from ..errors import InputError
from ..sources.report import Report
from ..state import Grid
from .operators import Points
from .orbits import SWATH
from .table import Observations

DAY = np.timedelta64(1, "D")
ALONG_TRACK = 6.6  # km between nadir points at 1 Hz


@dataclass(frozen=True)
class InstrumentErrors:
    """Standard deviations of the errors between the true ocean and its measurements.

    Args:
        nadir: white noise of 1 Hz sea level (m): 1.5 to 2.5 cm in waves of 2 m, by altimeter, and more in higher ones
            (Tran et al. 2002, doi:10.1175/1520-0426(2002)019<2095:AOTCTC>2.0.CO;2).
        karin: white noise of SWOT in cells of 2 km (m), averaged in wider cells; half the 2.7 cm that the mission's
            error budget grants a cell of 1 km (Esteban-Fernandez 2017, JPL D-79084).
        roll: sea level at the swath's outer edge by a tilt of the interferometer (m), correlated over `roll_length` km
            along the track. timing: a delay common to the swath (m), correlated over `timing_length` km. Together they
            are 1.4 cm over the swath; 1 cm was expected to remain after the calibration of Level 3 (Dibarboure et al.
            2022, doi:10.3390/rs14236070). Lengths and Gaussian shape are simple choices of ours.
        temperature: of infrared SST, white (degC).
        representativity_sea_level, representativity_temperature: what an instrument sees and a grid of 1/12 degree
            cannot represent (m, degC). It enters the stated error only, because the simulated truth has no such scales.
        variability, decorrelation: of sea level in time: standard deviation (m) and e-folding time (d), measured on the
            simulated training oceans, where exp(-(dt/T)^2) fits the autocorrelation from 3 to 12 days to 0.03.
        drift_length: the distance along a line within which sea level changes alike from one day to another (km): the
            integral of the correlation of the change. Points within it have one error in common: see `drift`.
    """

    nadir: float = 0.025
    karin: float = 0.014
    roll: float = 0.015
    roll_length: float = 500.0
    timing: float = 0.01
    timing_length: float = 2000.0
    temperature: float = 0.4
    representativity_sea_level: float = 0.01
    representativity_temperature: float = 0.2
    variability: float = 0.27
    decorrelation: float = 10.0
    drift_length: float = 250.0

    def scaled(self, factor: float) -> Self:
        """The instruments with `factor` times their errors; errors of representativity stay as they are."""
        names = ("nadir", "karin", "roll", "timing", "temperature")
        return replace(self, **{name: factor * getattr(self, name) for name in names})

    def drift(self, days: np.ndarray) -> np.ndarray:
        """Variance of sea level's change over a time lag, 2 s^2 (1 - exp(-(dt/T)^2)) (m2).

        The n points of a pass within `drift_length` change together. Errors in a table are independent from point to
        point. So the stated variance is n times this, and a mean over many points has the right error. On validation
        oceans (eight cases, altimetry alone) this lowers the CRPS of sea level by optimal interpolation from 0.122 to
        0.092 of its standard deviation, and raises its spread/error from 0.57 to 1.02.
        """
        return 2 * self.variability**2 * (1 - np.exp(-((days / self.decorrelation) ** 2)))

    def nadir_variance(self, points: xr.Dataset, date: np.datetime64) -> np.ndarray:
        """Stated error variance of nadir sea level for an analysis of a date, (m,), m2."""
        alike = max(1.0, self.drift_length / ALONG_TRACK)
        white = self.nadir**2 + self.representativity_sea_level**2
        return white + alike * self.drift((points["time"].values - date) / DAY)

    def swath_variance(self, points: xr.Dataset, date: np.datetime64, cell: float) -> np.ndarray:
        """The same of a swath in cells of `cell` km, without the timing error."""
        small = (self.karin * 2 / cell) ** 2 + self.representativity_sea_level**2
        tilt = (self.roll * points["across"].values / SWATH[1]) ** 2
        across = min(self.drift_length, 2 * (SWATH[1] - SWATH[0]))
        alike = max(1.0, self.drift_length * across / cell**2)
        return small + tilt + alike * self.drift((points["time"].values - date) / DAY)


def around(truth: xr.Dataset, date: np.datetime64, window: float) -> tuple:
    """The time range and the box of a truth, as `orbits` takes them: start, end, (south, north), (west, east).

    Args:
        window: days before, and after, the date.
    """
    half = np.timedelta64(round(window * 86400), "s")
    return date - half, date + half, truth["latitude"].values[[0, -1]], truth["longitude"].values[[0, -1]]


def sample(series: xr.DataArray, points: xr.Dataset) -> np.ndarray:
    """A field (dims time, latitude, longitude) at points, (m,): bilinear, on the nearest day."""
    days = series["time"].values
    used, day = np.unique(np.searchsorted(days[:-1] + np.diff(days) / 2, points["time"].values), return_inverse=True)
    fields = torch.from_numpy(series.isel(time=used).transpose("time", "latitude", "longitude").values.astype(float))
    # The operator of the analysis, with days in the place of channels.
    grid = Grid(series["latitude"].values, series["longitude"].values)
    where = points["latitude"].values, points["longitude"].values
    return Points(grid, day, *where, channels=len(used)).to(fields)(fields[None])[0].numpy()


def timely(
    ds: xr.Dataset, channel: str, variance: np.ndarray | float, date: np.datetime64 | None, window: float
) -> tuple[list[Observations], Report]:
    """Observations of the points measured within a window of days around a date; and the report of their reader, which
    also counts the points left out.

    Args:
        ds: dims (point,), with a variable and its `time`.
        variance: of the errors, one number or (m,). date: None takes all as if simultaneous, those of unknown time too.
    """
    away = np.zeros(ds.sizes["point"]) if date is None else np.abs((ds["time"].values - date) / DAY)
    timeless, late = np.isnan(away), away > window
    dropped = {"without a time": timeless.sum(), f"more than {window:g} days from the date": late.sum()}
    report = Report.of(ds)
    report = replace(report, dropped=report.dropped | {why: int(count) for why, count in dropped.items() if count})
    if (timeless | late).all():
        return [], report
    error = np.broadcast_to(np.sqrt(variance), late.shape)
    points = ds.assign(error=("point", error)).isel(point=~(timeless | late))
    return [Observations.from_points(points, channel, "error", channel)], report


def generator(name: str, number: int, seed: int) -> np.random.Generator:
    """The random numbers of one instrument on one pass, or day."""
    return np.random.default_rng([seed, crc32(name.encode()), number % 2**32])


def by_pass(points: xr.Dataset, draw: Callable, name: str, seed: int) -> np.ndarray:
    """Random numbers of points along tracks, (m,): each pass draws those of all its points, seen or not.

    Args:
        draw: from a generator to an array (samples,), or (samples, columns) in a swath.
    """
    track, sample = points["track"].values, points["sample"].values
    values = np.empty(len(track))
    for one in np.unique(track):
        here = track == one
        numbers = draw(generator(name, int(one), seed))[sample[here]]
        values[here] = numbers if numbers.ndim == 1 else numbers[np.arange(len(numbers)), points["column"].values[here]]
    return values


def day_number(field: xr.DataArray) -> int:
    """The day of a field, to number its random numbers by."""
    return int(field["time"].values.astype("datetime64[D]").astype(int))


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
