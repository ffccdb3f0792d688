"""Infrared radiometers: the temperature of the sea between clouds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from ..sources import read_temperature, read_temperature_swath
from ..sources.files import Box, as_day, far_from, find_coordinate
from ..sources.maps import SEEN, map_of_day
from ..sources.report import Report
from ..state import KM_PER_DEGREE, Grid
from .instruments import InstrumentErrors, day_number, generator
from .table import Observations

DAY = np.timedelta64(1, "D")


@dataclass(frozen=True)
class Radiometer:
    """Infrared radiometers, see `sensors.Sensor`; their files are maps with gaps (L3).

    Args:
        cloud: share of the sea that is hidden where they are simulated, 0..1.
    """

    cloud: float = 0.7
    kind = "temperature L3"
    apart = False
    channels = ("thetao",)

    def recognises(self, product: xr.Dataset) -> bool:
        """It holds a temperature, under GHRSST's name."""
        return not set(SEEN).isdisjoint(product.variables)

    def read(self, paths: Sequence, date: np.datetime64 | None, box: Box | None) -> xr.Dataset:
        """The map of the date."""
        return map_of_day(read_temperature, self.kind, paths, date, box)

    def observations(
        self, ds: xr.Dataset, date: np.datetime64 | None, window: float, errors: InstrumentErrors
    ) -> tuple[list[Observations], Report]:
        """With the errors stated, at least the sensor's, and that of representativity."""
        return [Observations.from_grid(ds["thetao"], "thetao", total_error(ds, errors))], Report.of(ds)

    def simulate(
        self, truth: xr.Dataset, date: np.datetime64, window: float, errors: InstrumentErrors, seed: int
    ) -> dict[str, Observations | None]:
        """Of the date, as "radiometer"."""
        today = truth["thetao"].sel(time=date, method="nearest")
        return {"radiometer": radiometer(today, self.cloud, errors, seed)}


@dataclass(frozen=True)
class RadiometerSwath(Radiometer):
    """The same in the pixels of the swaths (L2P), one granule a file. Pixels within a day of the date count."""

    kind = "temperature L2P"
    apart = True

    def recognises(self, product: xr.Dataset) -> bool:
        """Latitude has two dimensions, or three with that of time."""
        return super().recognises(product) and product[find_coordinate(product, "latitude")].ndim > 1

    def read(self, paths: Sequence, date: np.datetime64 | None, box: Box | None) -> xr.Dataset:
        """One granule: `read_temperature_swath`."""
        return read_temperature_swath(*paths, box=box)

    def observations(
        self, ds: xr.Dataset, date: np.datetime64 | None, window: float, errors: InstrumentErrors
    ) -> tuple[list[Observations], Report]:
        """With the errors stated, at least the sensor's, and that of representativity."""
        report = Report.of(ds)
        near = np.ones(ds.sizes["point"], bool) if date is None else far_from(ds["time"].values, date) <= DAY
        if not near.all():
            dropped = report.dropped | {f"more than a day from {as_day(date)}": int((~near).sum())}
            report = Report(report.source, report.what, report.read, dropped, report.noted)
        points = ds[["thetao"]].assign(error=total_error(ds, errors)).isel(point=near)
        return [Observations.from_points(points, "thetao", "error")] if near.any() else [], report


def total_error(ds: xr.Dataset, errors: InstrumentErrors) -> xr.DataArray:
    """The errors stated (degC), at least the sensor's, with that of representativity."""
    stated = ds["error"].fillna(errors.temperature) if "error" in ds else xr.zeros_like(ds["thetao"])
    return np.hypot(np.maximum(stated, errors.temperature), errors.representativity_temperature)


def radiometer(thetao: xr.DataArray, cloud: float, errors: InstrumentErrors, seed: int = 0) -> Observations | None:
    """Infrared temperature of a true field (dims latitude, longitude) under clouds; None if they hide it all."""
    thetao = thetao.transpose("latitude", "longitude")
    noise, clouds = (generator(name, day_number(thetao), seed) for name in ("radiometer", "clouds"))
    sky = broken_clouds(Grid(thetao["latitude"].values, thetao["longitude"].values), cloud, clouds)
    seen = thetao.copy(data=thetao.values + errors.temperature * noise.standard_normal(thetao.shape))
    if not (np.isfinite(seen.values) & sky).any():
        return None
    error = float(np.hypot(errors.temperature, errors.representativity_temperature))
    return Observations.from_grid(seen, str(thetao.name), error, mask=sky)


def broken_clouds(grid: Grid, cloud: float, rng: np.random.Generator, outer: float = 500.0) -> np.ndarray:
    """Where the sea is seen between clouds of all sizes up to `outer` km, (ny, nx). Less cloud only uncovers cells. See
    `cloud_rank`."""
    rank = cloud_rank(grid, rng, outer)
    return rank < round((1 - cloud) * rank.size)


def cloud_rank(grid: Grid, rng: np.random.Generator, outer: float = 500.0) -> np.ndarray:
    """Cells of a grid by the thickness of the air's water above them, 0 the thinnest, (ny, nx).

    Cloud is where a random field with the spectrum of cloud liquid water, k^-5/3 along any line (Cahalan & Snider 1989,
    Marine stratocumulus structure, Remote Sensing of Environment 28), is thickest.
    """
    ny, nx = grid.shape
    km = KM_PER_DEGREE * np.array([1.0, np.cos(np.radians(grid.latitude.mean()))])
    steps = km * [grid.latitude[1] - grid.latitude[0], grid.longitude[1] - grid.longitude[0]]
    # Twice as large as needed, because the transform is periodic and the sky is not.
    wavenumber = np.hypot(np.fft.fftfreq(2 * ny, steps[0])[:, None], np.fft.rfftfreq(2 * nx, steps[1]))
    amplitude = (wavenumber**2 + outer**-2) ** (-(5 / 3 + 1) / 4)  # k^-8/3 in the plane is k^-5/3 along a line
    white = np.fft.rfft2(rng.standard_normal((2 * ny, 2 * nx)))
    thickness = np.fft.irfft2(amplitude * white, s=(2 * ny, 2 * nx))[:ny, :nx]
    return thickness.ravel().argsort().argsort().reshape(ny, nx)
