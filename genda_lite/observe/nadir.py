"""Nadir altimeters: sea level at points along the ground tracks of their missions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from ..sources import read_tracks
from ..sources.files import Box, find_coordinate
from ..sources.report import Report
from .instruments import InstrumentErrors, around, by_pass, sample, timely
from .orbits import MISSIONS, ground_track
from .table import Observations


@dataclass(frozen=True)
class Nadir:
    """Nadir altimeters, see `sensors.Sensor`; their noise is white.

    Args:
        missions: those to simulate, of `orbits.MISSIONS`; files of any mission are read.
    """

    missions: tuple[str, ...] = ()
    kind = "tracks"
    apart = False
    channels = ("zos",)

    def recognises(self, product: xr.Dataset) -> bool:
        """Points: latitude and longitude share their one dimension."""
        latitude, longitude = (product[find_coordinate(product, kind)] for kind in ("latitude", "longitude"))
        return latitude.dims == longitude.dims

    def read(self, paths: Sequence, date: np.datetime64 | None, box: Box | None) -> xr.Dataset:
        """All missions together: `read_tracks`."""
        return read_tracks(paths, box=box)

    def observations(
        self, ds: xr.Dataset, date: np.datetime64 | None, window: float, errors: InstrumentErrors
    ) -> tuple[list[Observations], Report]:
        """See `altimetry`."""
        return altimetry(ds, date, window, errors, errors.nadir_variance)

    def simulate(
        self, truth: xr.Dataset, date: np.datetime64, window: float, errors: InstrumentErrors, seed: int
    ) -> dict[str, Observations | None]:
        """Each mission by its name, SWOT's nadir altimeter as "SWOT nadir"."""
        parts = {}
        for mission in self.missions:
            name = "SWOT nadir" if mission == "SWOT" else mission
            points = ground_track(MISSIONS[mission], *around(truth, date, window))
            value = sample(truth["zos"], points) + nadir_errors(points, errors, name, seed)
            parts[name] = sea_level(points, value, errors.nadir_variance(points, date))
        return parts


def nadir_errors(points: xr.Dataset, errors: InstrumentErrors, name: str, seed: int = 0) -> np.ndarray:
    """Noise of a nadir altimeter at points of `orbits.ground_track`, (m,), m."""
    return errors.nadir * by_pass(points, lambda rng: rng.standard_normal(points.attrs["samples"]), name, seed)


def sea_level(
    points: xr.Dataset, value: np.ndarray, variance: np.ndarray, reference_error: float = 0.0
) -> Observations | None:
    """Simulated observations of sea level; None where there are no points, or only land.

    Args:
        value, variance: (m,), m and m2. reference_error: as in `Observations.from_points`.
    """
    if not np.isfinite(value).any():
        return None
    table = points.assign(zos=("point", value, {"units": "m"}), error=("point", np.sqrt(variance)))
    return Observations.from_points(table, "zos", "error", reference_error=reference_error)


def altimetry(
    ds: xr.Dataset, date: np.datetime64 | None, window: float, errors: InstrumentErrors, variance: Callable
) -> tuple[list[Observations], Report]:
    """Observations of the sea level that altimeters measured, see `timely`; its reference is unknown.

    Args:
        variance: of the points and the date, (m,), m2; where the time is unknown it is the largest.
    """
    stated = variance(ds, ds["time"].values if date is None else date)
    stated = np.where(np.isnan(stated), np.nanmax(np.append(stated, errors.drift(window))), stated)
    return timely(ds, "zos", stated, date, window)
