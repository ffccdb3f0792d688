"""Surface temperature in a satellite's own pixels: GHRSST L2P granules."""

import os

import numpy as np
import xarray as xr

from ..state import TABLE, VARIABLES
from .files import NO_RANGE, Box, in_box, open_product, provenance, require, require_time
from .maps import FLAGS, GOOD_QUALITY
from .points import pixel_places, point_set
from .report import Tally

LONGEST = 2 * 86400.0  # s from a granule's time to a pixel's; what claims to be more is a fill value
NO_SEA = 2 | 4 | 8 | 16  # of l2p_flags: land, ice, lake, river (GHRSST Data Specification 2, section 9.12)
_NAME = "sea_surface_temperature"


def read_temperature_swath(path: str | os.PathLike, box: Box | None = None, quality: int = GOOD_QUALITY) -> xr.Dataset:
    """Read a granule of sea surface temperature in pixels of the swath (GHRSST L2P).

    Args:
        path: a NetCDF file with two-dimensional latitude and longitude, in kelvin or degC.
        box: west, east, south, north; only what lies inside is read and counted.
        quality: the least `quality_level` that is kept, where the file has one.
    Returns:
        dims (point,): `thetao` (degC), the sensor's bias taken off, and `error` (degC) where the file has one;
        coordinates `latitude`, `longitude`, `time` (the file's with `sst_dtime` added). Attributes as for
        `read_tracks`.
    Raises:
        InputError: the file is unreadable, lacks a variable, is no swath; or no pixel is valid: the message counts why.
    """
    with open_product(path) as product:
        north, east, dims = pixel_places(product)

        def read(name: str, bounds=NO_RANGE, units: str | None = None) -> np.ndarray | None:
            return require(product, name, dims, units, bounds).values if name in product.variables else None

        values = require(product, _NAME, dims, units="degC").values
        bias, level = (read(name, FLAGS[name]) for name in ("sses_bias", "quality_level"))
        spread, flags = read("sses_standard_deviation", (0.0, 40.0)), read("l2p_flags", (-(2.0**31), 2.0**31))
        counted = "sst_dtime" in product and "units" in product["sst_dtime"].attrs  # in seconds if it does not say
        lag = read("sst_dtime", (-LONGEST, LONGEST), "s" if counted else None)
        reference = require_time(product).values.ravel()[0]
        attrs = provenance(product) | {"variable": _NAME, "processing_level": "L2P"}

    inside = np.ones(north.shape, bool) if box is None else in_box(box, north, east)
    values = values - (0.0 if bias is None else np.nan_to_num(bias))
    lag = np.zeros(north.shape) if lag is None else lag
    tally = Tally(int(inside.sum()))
    tally.sound(values[inside], TABLE["thetao"].plausible, north[inside], east[inside])
    if flags is not None:
        tally.flagged(flags[inside], lambda flag: _bits(flag) & NO_SEA == 0, "on land, lakes or ice", "l2p_flags")
    if level is not None:
        tally.drop(~(level[inside] >= quality), f"of quality below {quality}")
    tally.drop(np.isnat(reference) | ~np.isfinite(lag[inside]), "without a time")
    report = tally.report(attrs["source"], "pixels")
    report.expect_some(f"{path}: no pixel is valid", box)
    keep = inside.copy()
    keep[inside] = tally.keep
    time = reference + np.rint(lag[keep] * 1e9).astype("timedelta64[ns]")
    fields = {"thetao": (values[keep], VARIABLES["thetao"])}
    if spread is not None:
        fields["error"] = (spread[keep], {"units": "degC"})
    return point_set(fields, north[keep], east[keep], time, attrs, report)


def _bits(flags: np.ndarray) -> np.ndarray:
    return np.nan_to_num(flags).astype(np.int64)
