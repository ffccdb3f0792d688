"""Surface temperature in a satellite's own pixels: GHRSST L2P granules."""

import os

import numpy as np
import xarray as xr

from ..errors import InputError
from ..state import TABLE, VARIABLES
from .files import (
    LATITUDE,
    LONGITUDE,
    NO_RANGE,
    Box,
    in_box,
    open_product,
    places,
    provenance,
    require,
    require_time,
)
from .maps import FLAGS, GOOD_QUALITY
from .report import PLACELESS, NothingValid, Tally

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
        latitude, longitude = places(product)
        latitude, longitude = (place.squeeze([d for d in place.dims if d == "time"]) for place in (latitude, longitude))
        dims = latitude.dims
        if len(dims) != 2 or set(longitude.dims) != set(dims):
            raise InputError(
                f"{path}: latitude and longitude have dimensions {dims} and {longitude.dims}, expected two in common, "
                f"along and across the swath"
            )

        def read(name: str, units: str | None = None, bounds=NO_RANGE) -> np.ndarray | None:
            return require(product, name, dims, units, bounds).values if name in product.variables else None

        values = require(product, _NAME, dims, units="degC").values
        bias, spread, flags, lag = (
            read("sses_bias", bounds=FLAGS["sses_bias"]),
            read("sses_standard_deviation", bounds=(0.0, 40.0)),
            read("l2p_flags"),
            read("sst_dtime"),
        )
        level = read("quality_level", bounds=FLAGS["quality_level"])
        reference = require_time(product).values.ravel()[0]
        attrs = provenance(product) | {"variable": _NAME, "processing_level": "L2P"}

    north, east = latitude.values, longitude.transpose(*dims).values
    inside = np.ones(north.shape, bool) if box is None else in_box(box, north, east)
    values = values - (0.0 if bias is None else np.nan_to_num(bias))
    lag = np.zeros(north.shape) if lag is None else lag
    low, high = TABLE["thetao"].plausible
    tally = Tally(int(inside.sum()))
    tally.drop(np.isnan(values[inside]), "without a value (land or cloud)")
    if flags is not None:
        sea = np.nan_to_num(flags[inside]).astype(np.int64) & NO_SEA == 0
        tally.drop(~sea, "on land, lakes or ice")
    if level is not None:
        tally.drop(~(level[inside] >= quality), f"of quality below {quality}")
    tally.drop(~((values[inside] >= low) & (values[inside] <= high)), f"outside {low:g} to {high:g} degC")
    tally.drop(~np.isfinite(north + east)[inside], PLACELESS)
    tally.drop(np.isnat(reference) | ~np.isfinite(lag[inside]), "without a time")
    report = tally.report(attrs["source"], "pixels")
    if not report.kept:
        where = f" in the box {box}" if box else ""
        raise NothingValid(f"{path}: no pixel is valid{where} ({report.reasons() or 'there is none'})", report)
    keep = inside.copy()
    keep[inside] = tally.keep
    time = reference + np.rint(lag[keep] * 1e9).astype("timedelta64[ns]")
    fields = {"thetao": ("point", values[keep], VARIABLES["thetao"])}
    if spread is not None:
        fields["error"] = ("point", spread[keep], {"units": "degC"})
    coords = {
        "latitude": ("point", north[keep], LATITUDE),
        "longitude": ("point", east[keep], LONGITUDE),
        "time": ("point", time, {"standard_name": "time"}),
    }
    return xr.Dataset(fields, coords, attrs | {"dropped_points": report.read - report.kept} | report.attributes())
