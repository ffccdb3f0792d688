"""Surface temperature and salinity from gridded products: GHRSST L3 and L4, and salinity L4."""

import os
from collections.abc import Callable, Sequence

import numpy as np
import xarray as xr

from ..errors import InputError
from ..state import TABLE, VARIABLES
from .files import (
    DEPTH_NAMES,
    LATITUDE,
    LONGITUDE,
    Box,
    far_from,
    find_coordinate,
    held,
    in_box,
    open_product,
    provenance,
    require,
    source_name,
    source_of,
    time_index,
    wrap_longitude,
)
from .report import NothingValid, Tally

GOOD_QUALITY = 4  # GHRSST's quality_level: 4 acceptable, 5 best (GHRSST Data Specification 2, section 9.11)
OPEN_SEA = 1  # GHRSST's mask: bit 1 water, 2 land, 4 lake, 8 sea ice, 16 river

# Analyses first, then observations: in L3S products 'adjusted' is relative to the best sensor.
_TEMPERATURE = ("analysed_sst", "adjusted_sea_surface_temperature", "sea_surface_temperature")
_SALINITY = ("sos", "sss", "sss_smap", "smap_sss", "so")
_ERRORS = {
    "analysed_sst": ("analysis_error", "analysis_uncertainty"),
    "adjusted_sea_surface_temperature": ("sses_standard_deviation",),
    "sea_surface_temperature": ("sses_standard_deviation",),
    "sos": ("sos_error",),
    "sss": ("sss_error",),
}


def read_temperature(
    path: str | os.PathLike,
    date: str | np.datetime64 | None = None,
    box: Box | None = None,
    variable: str | None = None,
    quality: int = GOOD_QUALITY,
) -> xr.Dataset:
    """Read one day of sea surface temperature: a GHRSST analysis (L4) or what satellites saw between clouds (L3).

    Args:
        path: a NetCDF file on a regular latitude-longitude grid, in kelvin or degC.
        date, box: as in `read_sea_level_map`.
        variable: by default `analysed_sst`, `adjusted_sea_surface_temperature` or `sea_surface_temperature`.
        quality: the least `quality_level` that is kept, where the file has one (0 to 5, see `GOOD_QUALITY`).
    Returns:
        dims (latitude, longitude): `thetao` (degC), NaN where nothing was seen or it was dropped, and `error` (degC)
        where the file has one. Of L3 the sensor's bias (`sses_bias`) is taken off. What `mask` calls land, lake or ice
        is dropped. Attributes: `processing_level` (L3 or L4), and as for `read_tracks`.
    Raises:
        InputError: as `read_sea_level_map`; the message counts why each value was dropped.
    """
    with open_product(path) as product:
        name = variable or _first_of(product, _TEMPERATURE, "sea surface temperature")
        bias = name == "sea_surface_temperature" and "sses_bias" in product.variables
        level = "L4" if name == "analysed_sst" else "L3"
        names = {"thetao": (name, "degC")} | _error_of(product, name, "degC")
        names |= {"sses_bias": ("sses_bias", None)} if bias else {}
        names |= {flag: (flag, None) for flag in ("quality_level", "mask") if flag in product.variables}
        result = day_of(product, names, date, box)
        attrs = provenance(product) | {"variable": name, "processing_level": level}
    if bias:
        result["thetao"] = result["thetao"] - result["sses_bias"].fillna(0.0)
    tally = Tally(result["thetao"].shape)
    tally.drop(result["thetao"].isnull(), "without a value (land or cloud)")
    if "mask" in result:
        tally.drop(result["mask"] != OPEN_SEA, "on land, lakes or ice")
    if "quality_level" in result:
        tally.drop(~(result["quality_level"] >= quality), f"of quality below {quality}")
    return _checked(result, "thetao", tally, attrs, path)


def read_salinity(
    path: str | os.PathLike,
    date: str | np.datetime64 | None = None,
    box: Box | None = None,
    variable: str | None = None,
) -> xr.Dataset:
    """Read one day of mapped sea surface salinity (L4).

    Args:
        path: a NetCDF file with `sos`, or another usual name. date, box: as in `read_sea_level_map`.
    Returns:
        dims (latitude, longitude): `so` (1e-3), and `error` where the file has one. Attributes as `read_temperature`.
    Raises:
        InputError: as `read_sea_level_map`.
    """
    with open_product(path) as product:
        name = variable or _first_of(product, _SALINITY, "sea surface salinity")
        result = day_of(product, {"so": (name, "1e-3")} | _error_of(product, name, "1e-3"), date, box)
        attrs = provenance(product) | {"variable": name, "processing_level": "L4"}
    tally = Tally(result["so"].shape)
    tally.drop(result["so"].isnull(), "without a value (land)")
    return _checked(result, "so", tally, attrs, path)


def day_of(
    product: xr.Dataset,
    names: dict[str, tuple[str, str | None]],
    date: str | np.datetime64 | None,
    box: Box | None,
) -> xr.Dataset:
    """Variables of an open product on one day, at the surface, in a box; no more than these is read.

    Args:
        names: our name -> name in the file and units (None: as they are).
    Returns:
        dims (latitude, longitude), both ascending, longitude in [-180, 180); coordinate `time` where there is one.
    Raises:
        InputError: a variable is missing, has other dimensions or units; the date or the box is not covered.
    """
    dims = tuple(find_coordinate(product, kind) for kind in ("latitude", "longitude"))
    latitude, longitude = (require(product, dim, (dim,)).values for dim in dims)
    latitude, longitude = latitude.astype(np.float64), wrap_longitude(longitude)
    day = product
    if box is not None:
        rows = np.flatnonzero(in_box(box, latitude, np.full(latitude.shape, box[0])))
        columns = np.flatnonzero(in_box(box, np.full(longitude.shape, box[2]), longitude))
        if not (len(rows) and len(columns)):
            raise InputError(
                f"{source_of(product)}: no point in the box {box}; the file covers {latitude.min():g} to "
                f"{latitude.max():g} N, {longitude.min():g} to {longitude.max():g} E"
            )
        day = day.isel({dims[0]: rows, dims[1]: columns})
        latitude, longitude = latitude[rows], longitude[columns]
    fields = {}
    for ours, (name, units) in names.items():
        axes = product[name].dims if name in product.variables else dims
        time = [axis for axis in axes if axis in product.variables and product[axis].dtype.kind in "MO"]
        place = {axis: time_index(product, date) for axis in time}
        for axis in axes:  # the uppermost level, as products write even those that have one
            if str(axis).lower() in (*DEPTH_NAMES, "zlev") and axis in product.variables:
                place[axis] = int(np.argmin(np.abs(product[axis].values)))
        field = require(day.isel(place), name, dims, units=units)
        keep = [str(axis) for axis in time if axis in field.coords]
        fields[ours] = field.reset_coords([c for c in field.coords if c not in (*dims, *keep)], drop=True)
    result = xr.Dataset(fields)
    result = result.rename({theirs: ours for theirs, ours in zip(dims, ("latitude", "longitude"), strict=True)})
    result = result.assign_coords(
        latitude=("latitude", latitude, LATITUDE), longitude=("longitude", longitude, LONGITUDE)
    )
    # A file that holds both 0 and 360 holds the same meridian twice.
    return result.drop_duplicates("longitude").sortby(["latitude", "longitude"])


def map_of_day(read: Callable, what: str, paths: Sequence, date: np.datetime64 | None, box: Box | None) -> xr.Dataset:
    """The map of a date, from the file that holds the nearest time; of no date, the first.

    Args:
        read: one of the readers of a day's map, (path, date, box) -> data set. what: it reads, in words.
    Raises:
        InputError: as `read` has it of one file; of several, none has a map within a day.
    """
    maps = []
    for path in paths:
        try:
            maps.append(read(path, date, box))
        except InputError as error:
            if len(paths) == 1 or "no map within a day" not in str(error):
                raise
        if date is None:
            break
    if not maps:
        raise InputError(f"{source_name(paths)}: no map of {what} within a day of {date}")
    return min(maps, key=lambda one: far_from(one["time"].values, date)) if len(maps) > 1 else maps[0]


def _first_of(product: xr.Dataset, names: tuple[str, ...], what: str) -> str:
    for name in names:
        if name in product.variables:
            return name
    raise InputError(f"{source_of(product)}: no {what} ({', '.join(names)}); {held(product)}")


def _error_of(product: xr.Dataset, name: str, units: str) -> dict[str, tuple[str, str | None]]:
    """The error that a product states: a spread, of which kelvin are degC."""
    for error in _ERRORS.get(name, ()):
        if error in product.variables:
            return {"error": (error, None if units == "degC" else units)}
    return {}


def _checked(result: xr.Dataset, channel: str, tally: Tally, attrs: dict, path) -> xr.Dataset:
    """Only what is good and plausible; refused if that is nothing."""
    values, (low, high) = result[channel].values, TABLE[channel].plausible
    tally.drop(~((values >= low) & (values <= high)), f"outside {low:g} to {high:g} {VARIABLES[channel]['units']}")
    report = tally.report(attrs["source"], "cells")
    if not report.kept:
        message = f"{path}: '{attrs['variable']}' holds no valid value: {report.reasons()} of {report.read:,}"
        raise NothingValid(message, report)
    result[channel] = result[channel].where(tally.keep).assign_attrs(VARIABLES[channel])
    if "error" in result:
        result["error"] = result["error"].where(tally.keep).assign_attrs(units=VARIABLES[channel]["units"])
    result = result[[name for name in (channel, "error") if name in result]]
    return result.assign_attrs(attrs | report.attributes())
