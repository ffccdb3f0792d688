"""Smooth maps (L4) of sea level, temperature, salinity and wind: complete, blurred, with smooth errors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from operator import add

import numpy as np
import xarray as xr
from scipy.ndimage import gaussian_filter

from ..sources import read_salinity, read_sea_level_map, read_temperature
from ..sources.files import Box
from ..sources.maps import ANALYSED, SALINITY, map_of_day
from ..sources.reanalysis import WIND, wind_of_day
from ..sources.report import Report
from ..state import KM_PER_DEGREE
from .instruments import InstrumentErrors, day_number, generator
from .table import Observations


@dataclass(frozen=True)
class SmoothMap:
    """How a mapped (L4) product differs from the truth.

    Args:
        width: standard deviation of its blur (km); waves of 5.3 widths lose half their amplitude.
        error: standard deviation of a smooth error added to the blurred field (the channel's units).
    """

    width: float
    error: float


# Half-amplitude wavelengths: 210 km in sea level (DUACS resolves about 200 km at mid-latitudes, Ballarotta et al. 2019,
# doi:10.5194/os-15-1091-2019), 110 km in temperature, 270 km in salinity, 130 km in wind.
MAPS = {
    "zos": SmoothMap(40.0, 0.04),
    "thetao": SmoothMap(20.0, 0.3),
    "so": SmoothMap(50.0, 0.15),
    "uas": SmoothMap(25.0, 1.0),
    "vas": SmoothMap(25.0, 1.0),
}


@dataclass(frozen=True)
class Level4:
    """Smooth maps of one product, see `sensors.Sensor`.

    Args:
        kind: of its files. names: variables; a file with one of them is recognised.
        read: (paths, date, box) -> the map of the date, its channels by their names.
        channels: those that it maps. part: what it is called where it is simulated.
    """

    kind: str
    names: tuple[str, ...]
    read: Callable[[Sequence, np.datetime64 | None, Box | None], xr.Dataset]
    channels: tuple[str, ...]
    part: str
    apart = False

    def recognises(self, product: xr.Dataset) -> bool:
        """It holds one of `names`."""
        return not set(self.names).isdisjoint(product.variables)

    def observations(
        self, ds: xr.Dataset, date: np.datetime64 | None, window: float, errors: InstrumentErrors
    ) -> tuple[list[Observations], Report]:
        """With the widths and errors of `MAPS`, thinned to two widths. The stated errors of a map do not say how
        correlated they are."""
        return [thinned(ds[channel], channel) for channel in self.channels], Report.of(ds)

    def simulate(
        self, truth: xr.Dataset, date: np.datetime64, window: float, errors: InstrumentErrors, seed: int
    ) -> dict[str, Observations | None]:
        """Of the date, as `part`."""
        today = truth.sel(time=date, method="nearest")
        return {self.part: reduce(add, (smooth_map(today[channel], seed) for channel in self.channels))}


def smooth_map(field: xr.DataArray, seed: int = 0) -> Observations:
    """The mapped product of a true field (dims latitude, longitude; its name a channel): blurred, with a smooth error.

    Its points lie two widths w of the blur apart and count as Gaussian means (`Observations.smoothing`). They could
    also count as point values whose error includes what the blur removed. On validation oceans optimal interpolation of
    the means has a CRPS that is lower by 18 % in sea level, 7 % in temperature and 8 % in salinity. The correlation of
    the smooth error, exp(-d^2 / (4 w^2)), covers an area of 4 pi w^2, which holds pi points. So the stated variance is
    pi times the true one, and a mean over many points has the right error. Near an edge or a coast the mean is that of
    the sea inside.
    """
    channel, field = str(field.name), field.transpose("latitude", "longitude")
    product = MAPS[channel]
    latitude, longitude = (field[name].values for name in ("latitude", "longitude"))
    rows, columns = latitude[1] - latitude[0], (longitude[1] - longitude[0]) * np.cos(np.radians(latitude.mean()))
    cells = [product.width / (KM_PER_DEGREE * step) for step in (rows, columns)]
    sea = np.isfinite(field.values)
    blur = partial(gaussian_filter, sigma=cells, mode="constant", truncate=5.0)  # as far as `Blurred` looks
    blurred = blur(np.where(sea, field.values, 0.0)) / np.maximum(blur(sea.astype(float)), 1e-9)
    white = generator(f"map of {channel}", day_number(field), seed).standard_normal(field.shape)
    error = np.sqrt(4 * np.pi * cells[0] * cells[1]) * gaussian_filter(white, cells, mode="wrap")
    seen = field.copy(data=np.where(sea, blurred + product.error * error, np.nan))
    j, i = (max(1, round(2 * c)) for c in cells)
    stated, seen = float(np.sqrt(np.pi) * product.error), seen[j // 2 :: j, i // 2 :: i]
    return Observations.from_grid(seen, channel, stated, reference_error=0.0, smoothing=product.width)


def thinned(field: xr.DataArray, channel: str) -> Observations:
    """A map of a product as Gaussian means at points two widths apart, their errors as in `smooth_map`."""
    product = MAPS[channel]
    middle = np.cos(np.radians(field["latitude"].values.mean()))
    # Of a single row or column the step is not known, and there is nothing to thin.
    steps = [np.median(np.diff(field[dim].values)) if field.sizes[dim] > 1 else np.inf for dim in field.dims]
    every = [max(1, round(2 * product.width / (KM_PER_DEGREE * step))) for step in (steps[0], steps[1] * middle)]
    # No further apart than the map is wide, or a small map would lose all its points.
    place = [slice(min(n // 2, size - 1), None, n) for n, size in zip(every, field.shape, strict=True)]
    error = float(np.sqrt(np.pi) * product.error)
    return Observations.from_grid(field[place[0], place[1]], channel, error, smoothing=product.width)


LEVEL_4 = {  # by channel
    channel: Level4(kind, names, partial(map_of_day, read, kind), (channel,), f"l4 {channel}")
    for channel, kind, names, read in (
        ("zos", "sea level", ("adt",), read_sea_level_map),
        ("thetao", "temperature L4", ANALYSED, read_temperature),
        ("so", "salinity", SALINITY, read_salinity),
    )
}
WINDS = Level4("wind", tuple(sum(WIND.values(), ())), wind_of_day, tuple(WIND), "wind")
