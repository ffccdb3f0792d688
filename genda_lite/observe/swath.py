"""SWOT's swath: sea level in square cells on both sides of nadir, with errors that are correlated along and across the
track."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial, reduce
from operator import add

import numpy as np
import xarray as xr
from scipy.ndimage import gaussian_filter1d

from ..sources import read_swath
from ..sources.files import Box, find_coordinate
from ..sources.report import Report
from .instruments import InstrumentErrors, around, by_pass, sample
from .nadir import altimetry, sea_level
from .orbits import MISSIONS, SWATH, swath
from .table import Observations

SWATH_CELL = 8.0  # km


@dataclass(frozen=True)
class Swath:
    """KaRIn's swath, see `sensors.Sensor`.

    Args:
        cell: width of the cells that pixels are averaged to (km).
    """

    cell: float = SWATH_CELL
    kind = "swath"
    apart = True  # a pass is a source
    channels = ("zos",)

    def recognises(self, product: xr.Dataset) -> bool:
        """Latitude has two dimensions."""
        return product[find_coordinate(product, "latitude")].ndim == 2

    def read(self, paths: Sequence, date: np.datetime64 | None, box: Box | None) -> xr.Dataset:
        """One pass: `read_swath`."""
        return read_swath(*paths, cell=self.cell, box=box)

    def observations(
        self, ds: xr.Dataset, date: np.datetime64 | None, window: float, errors: InstrumentErrors
    ) -> tuple[list[Observations], Report]:
        """See `nadir.altimetry`; where the distance across the track is unknown the tilt is not counted."""
        variance = partial(errors.swath_variance, cell=self.cell)
        return altimetry(ds.assign_coords(across=ds["across"].fillna(0.0)), date, window, errors, variance)

    def simulate(
        self, truth: xr.Dataset, date: np.datetime64, window: float, errors: InstrumentErrors, seed: int
    ) -> dict[str, Observations | None]:
        """As "SWOT swath", a pass a source: within a box of ten degrees its timing error is nearly one constant."""
        points = swath(MISSIONS["SWOT"], *around(truth, date, window), self.cell)
        error = swath_errors(points, errors, self.cell, seed)
        value = sample(truth["zos"], points) + (error["noise"] + error["roll"] + error["timing"]).values
        variance = errors.swath_variance(points, date, self.cell)
        passes = [points["track"].values == one for one in np.unique(points["track"])]
        tables = [sea_level(points.isel(point=p), value[p], variance[p], errors.timing) for p in passes]
        tables = [table for table in tables if table]
        return {"SWOT swath": reduce(add, tables) if tables else None}


def swath_errors(points: xr.Dataset, errors: InstrumentErrors, cell: float, seed: int = 0) -> xr.Dataset:
    """Errors of a swath at cells of `orbits.swath` of width `cell` (km).

    Returns:
        dims (point,), m: `noise`, white; `roll`, proportional to the distance across the track; `timing`, the same
        across the track.
    """
    lines, columns = points.attrs["samples"], points.attrs["columns"]

    def along(length):
        # Under a Gaussian of width s, white noise gets the correlation exp(-d^2 / (4 s^2)).
        s = length / cell / np.sqrt(2)
        scale = np.sqrt(2 * np.sqrt(np.pi) * s)
        return lambda rng: scale * gaussian_filter1d(rng.standard_normal(lines), s, mode="wrap")

    white = by_pass(points, lambda rng: rng.standard_normal((lines, columns)), "SWOT noise", seed)
    tilt = by_pass(points, along(errors.roll_length), "SWOT roll", seed) * points["across"].values / SWATH[1]
    delay = by_pass(points, along(errors.timing_length), "SWOT timing", seed)
    parts = {"noise": errors.karin * 2 / cell * white, "roll": errors.roll * tilt, "timing": errors.timing * delay}
    return xr.Dataset({name: ("point", values, {"units": "m"}) for name, values in parts.items()}, points.coords)
