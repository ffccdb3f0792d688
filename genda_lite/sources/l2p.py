"""Surface temperature in a satellite's own pixels: GHRSST L2P granules."""

import os

import numpy as np
import xarray as xr

from ..state import TABLE, VARIABLES
from .files import Box, in_box, open_product, optional, provenance, require, require_time
from .maps import FLAGS, GOOD_QUALITY, of_quality
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
        north, east = pixel_places(product)
        dims = north.dims
        values = require(product, _NAME, dims, units="degC").values
        bias, level = (optional(product, name, dims, None, FLAGS[name]) for name in ("sses_bias", "quality_level"))
        spread = optional(product, "sses_standard_deviation", dims, None, (0.0, 40.0))
        flags = optional(product, "l2p_flags", dims, None, (-(2.0**31), 2.0**31))
        counted = "sst_dtime" in product and "units" in product["sst_dtime"].attrs  # in seconds if it does not say
        lag = optional(product, "sst_dtime", dims, "s" if counted else None, (-LONGEST, LONGEST))
        reference = require_time(product).values.ravel()[0]
        attrs = provenance(product) | {"variable": _NAME, "processing_level": "L2P"}

    values = values - (0.0 if bias is None else np.nan_to_num(bias))
    lag = np.zeros(north.shape) if lag is None else lag.values
    tally = Tally(in_box(box, north.values, east.values))
    tally.sound(values, TABLE["thetao"].plausible, north.values, east.values)
    if flags is not None:
        good = lambda flag: np.nan_to_num(flag).astype(np.int64) & NO_SEA == 0  # noqa: E731
        tally.flagged(flags.values, good, "on land, lakes or ice", "l2p_flags")
    if level is not None:
        of_quality(tally, level.values, quality)
    tally.drop(np.isnat(reference) | ~np.isfinite(lag), "without a time")
    report, keep = tally.report(attrs["source"], "pixels"), tally.keep
    report.expect_some(f"{path}: no pixel is valid", box)
    time = reference + np.rint(lag[keep] * 1e9).astype("timedelta64[ns]")
    fields = {"thetao": (values[keep], VARIABLES["thetao"])}
    if spread is not None:
        fields["error"] = (spread.values[keep], {"units": "degC"})
    return point_set(fields, north.values[keep], east.values[keep], time, attrs, report)
