"""Surface temperature and salinity from gridded products: GHRSST L3 and L4, and salinity L4."""

import os
from collections.abc import Callable, Sequence

import numpy as np
import xarray as xr

from ..errors import InputError
from ..state import TABLE, VARIABLES
from .files import (
    DEPTH_NAMES,
    NO_RANGE,
    Box,
    as_day,
    cut,
    far_from,
    has,
    held,
    moment,
    open_product,
    provenance,
    regular,
    require,
    source_name,
    source_of,
)
from .report import PLACELESS, Tally

GOOD_QUALITY = 4  # GHRSST's quality_level: 4 acceptable, 5 best (GHRSST Data Specification 2, section 9.11)
OPEN_SEA = 1  # GHRSST's mask: bit 1 water, 2 land, 4 lake, 8 sea ice, 16 river

# Analyses (GHRSST's, OISST) first, then observations: in L3S products 'adjusted' is relative to the best sensor.
ANALYSED = ("analysed_sst", "sst")
SEEN = ("adjusted_sea_surface_temperature", "sea_surface_temperature")
SALINITY = ("sos", "sss", "SSS", "sss_smap", "smap_sss")  # Copernicus; SMOS, BEC's and CATDS'; SMAP, RSS' and JPL's
_ERRORS = {
    "analysed_sst": ("analysis_error", "analysis_uncertainty"),
    "sst": ("err",),
    "adjusted_sea_surface_temperature": ("sses_standard_deviation",),
    "sea_surface_temperature": ("sses_standard_deviation",),
    "sos": ("sos_error",),
    "sss": ("sss_error",),
    "sss_smap": ("sss_smap_uncertainty", "sss_smap_unc"),
    "smap_sss": ("smap_sss_uncertainty",),
    "adt": ("err_sla",),
}
FLAGS = {"sses_bias": (-10.0, 10.0), "quality_level": (0, 5), "mask": (0, 63)}  # and their range


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
        variable: by default `analysed_sst`, `sst` (OISST), `adjusted_sea_surface_temperature` or
            `sea_surface_temperature`.
        quality: the least `quality_level` that is kept, where the file has one (0 to 5, see `GOOD_QUALITY`).
    Returns:
        dims (latitude, longitude): `thetao` (degC), NaN where nothing was seen or it was dropped, and `error` (degC)
        where the file has one. Of L3 the sensor's bias (`sses_bias`) is taken off. What `mask` calls land, lake or ice
        is dropped. Attributes: `processing_level` (L3 or L4), and as for `read_tracks`.
    Raises:
        InputError: as `read_sea_level_map`; the message counts why each value was dropped.
    """
    with open_product(path) as product:
        name = variable or _first_of(product, (*ANALYSED, *SEEN), "sea surface temperature")
        if "qual_sst" in product.variables:
            raise InputError(
                f"{path}: is of NASA's ocean colour group ('qual_sst', of which 0 is best), expected a map of GHRSST "
                "('quality_level') or OISST"
            )
        beside = {flag: (flag, None, flag_range) for flag, flag_range in FLAGS.items() if has(product, flag)}
        if name != "sea_surface_temperature":
            beside.pop("sses_bias", None)
        result = read_map(product, "thetao", name, date, box, beside)
    if "sses_bias" in result:
        result["thetao"] = result["thetao"] - result["sses_bias"].fillna(0.0)

    def flags(tally: Tally) -> None:
        if "mask" in result:
            tally.flagged(result["mask"].values, lambda mask: mask == OPEN_SEA, "on land, lakes or ice", "mask")
        if "quality_level" in result:
            of_quality(tally, result["quality_level"].values, quality)

    return checked(result, "thetao", path, "without a value (land or cloud)", flags)


def read_salinity(
    path: str | os.PathLike,
    date: str | np.datetime64 | None = None,
    box: Box | None = None,
    variable: str | None = None,
) -> xr.Dataset:
    """Read one day of mapped sea surface salinity (L4, or L3 of SMOS and SMAP).

    Args:
        path: a NetCDF file with `sos`, or another usual name. date, box: as in `read_sea_level_map`.
    Returns:
        dims (latitude, longitude): `so` (1e-3), and `error` where the file has one. Attributes as `read_temperature`.
    Raises:
        InputError: as `read_sea_level_map`.
    """
    with open_product(path) as product:
        name = variable or _first_of(product, (*SALINITY, "so"), "sea surface salinity")
        result = read_map(product, "so", name, date, box)
    return checked(result, "so", path, "without a value (land)")


def read_map(
    product: xr.Dataset,
    channel: str,
    name: str,
    date: str | np.datetime64 | None,
    box: Box | None,
    beside: dict[str, tuple[str, str | None, tuple[float, float]]] | None = None,
) -> xr.Dataset:
    """A channel of an open product on one day, at the surface, in a box, with the error that the file states; no more
    than this is read.

    Args:
        name: of the channel in the file. beside: further ones: our name -> name in the file, units, plausible range.
    Returns:
        dims (latitude, longitude), both ascending, longitude in [-180, 180); coordinate `time` where it is known.
        Attributes `variable`, `processing_level`, and see `provenance`.
    Raises:
        InputError: a variable is missing, has other dimensions or units; the date or the box is not covered.
    """
    units, (low, high) = VARIABLES[channel]["units"], TABLE[channel].plausible
    names = {channel: (name, units, NO_RANGE)}
    for error in [error for error in _ERRORS.get(name, ()) if has(product, error)][:1]:
        names["error"] = (error, None if units == "degC" else units, (0.0, high - low))  # a spread: of which K are degC
    grid = regular(product)
    placeless = 0 if box else grid.encoding["placeless"]
    day = cut(grid, box)
    where, time = moment(day, date)
    if name in day.variables and (several := [d for d in where if d not in day[name].dims and day.sizes[d] > 1]):
        raise InputError(f"{source_of(product)}: '{name}' has no dimension '{several[0]}', it is of no single time")
    for axis in day.dims:  # the uppermost level, as products write even those that have one
        if str(axis).lower() in (*DEPTH_NAMES, "zlev") and axis in day.variables:
            where[str(axis)] = int(np.argmin(np.nan_to_num(np.abs(day[axis].values), nan=np.inf)))
    day, fields = day.isel(where), {}
    for ours, (theirs, expected, bounds) in (names | (beside or {})).items():
        field = require(day, theirs, ("latitude", "longitude"), expected, bounds)
        fields[ours] = field.reset_coords([c for c in field.coords if c not in ("latitude", "longitude")], drop=True)
    result = xr.Dataset(fields)
    if not np.isnat(time.values):
        result = result.assign_coords(time=((), time.values, time.attrs))
    level = "L3" if channel == "thetao" and name not in ANALYSED else "L4"
    result.attrs = provenance(product) | {"variable": name, "processing_level": level}
    result.encoding["placeless"] = placeless
    # A file that holds both 0 and 360 holds the same meridian twice.
    return result.drop_duplicates("longitude").drop_duplicates("latitude").sortby(["latitude", "longitude"])


def dated(found: xr.Dataset) -> xr.Dataset:
    """A map of a day, which must say which.

    Raises:
        InputError: it does not.
    """
    if "time" not in found.coords:
        raise InputError(f"{found.attrs['source']}: the map has no time, expected one, for the season is judged by it")
    return found


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
        raise InputError(f"{source_name(paths)}: no map of {what} within a day of {as_day(date)}")
    return min(maps, key=lambda one: far_from(one["time"].values, date)) if len(maps) > 1 else maps[0]


def of_quality(tally: Tally, level: np.ndarray, least: int) -> None:
    """Drop what GHRSST's `quality_level` calls worse; where there is none, there was no data (GDS 2, section 9.11)."""
    tally.drop(np.isnan(level.astype(float)), "without 'quality_level'")
    tally.drop(~(level >= least), f"of quality below {least}")


def _first_of(product: xr.Dataset, names: tuple[str, ...], what: str) -> str:
    for name in names:
        if name in product.variables:
            return name
    raise InputError(f"{source_of(product)}: no {what} ({', '.join(names)}); {held(product)}")


def checked(
    result: xr.Dataset, channel: str, path, empty: str, flags: Callable[[Tally], None] = lambda tally: None
) -> xr.Dataset:
    """What `read_map` gives, with only what is good and plausible; refused if that is nothing.

    Args:
        empty: what is said of missing values. flags: drops what is flagged.
    """
    values, (low, high) = result[channel].values, TABLE[channel].plausible
    tally = Tally(values.shape, {PLACELESS: result.encoding["placeless"]})
    tally.drop(np.isnan(values), empty)
    flags(tally)
    tally.drop(~((values >= low) & (values <= high)), f"outside {low:g} to {high:g} {VARIABLES[channel]['units']}")
    report = tally.report(result.attrs["source"], "cells")
    report.expect_some(f"{path}: '{result.attrs['variable']}' holds no valid value among {report.read:,}")
    result[channel] = result[channel].where(tally.keep).assign_attrs(VARIABLES[channel])
    if "error" in result:
        result["error"] = result["error"].where(tally.keep).assign_attrs(units=VARIABLES[channel]["units"])
    result = result.drop_vars([name for name in FLAGS if name in result])
    return result.assign_attrs(report.attributes())
