"""Sea level from altimeters: points along the tracks of nadir altimeters (L3), and mapped products (L4).

The variable is absolute dynamic topography, the height of the sea above the geoid, called `zos` here as in
models. Its mean over the globe is a matter of convention and may differ between products by a constant.
"""

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError
from ..state import TABLE
from .files import (
    Box,
    Paths,
    held,
    in_box,
    listed,
    open_product,
    places,
    provenance,
    require,
    require_time,
    source_name,
    source_of,
)
from .maps import checked, read_map
from .points import point_set
from .report import Report, Tally

_STANDARD_NAME = "sea_surface_height_above_geoid"
_UNFILTERED, _FILTERED = ("_unfiltered", "_filtered", ""), ("_filtered", "", "_unfiltered")

# Dynamic topography stays within 3 m of zero; beyond this a value is a fill value the file does not declare.
LIMIT = 10.0


def read_tracks(
    paths: Paths, variable: str | None = None, filtered: bool = False, box: Box | None = None
) -> xr.Dataset:
    """Read sea level along altimeter tracks, from DUACS L3 or any CF files of points in space and time.

    Args:
        paths: one or more NetCDF files, of one mission or several, in any order.
        variable: the variable to read. By default absolute dynamic topography: `adt_unfiltered`,
            `adt_filtered` or `adt`, else the sum of `mdt` and `sla_unfiltered`, `sla_filtered` or `sla` (older
            files write them in capitals), else a variable with standard_name sea_surface_height_above_geoid.
            A sea level anomaly is never taken for the topography: it is read only when named.
        filtered: prefer the filtered variables. 'Unfiltered' keeps the small scales, and the noise that goes
            with them, which is what assimilation with a stated observation error wants.
        box: west, east, south, north; only what lies inside is read and counted.
    Returns:
        dims (point,), in order of time: `zos` (m, float64), with coordinates `latitude`, `longitude` (in
        [-180, 180)), `time` (datetime64[ns], UTC), `mission` and, where the files have them, `cycle` and `track`
        (pass number in the cycle). Points without a plausible value, position and time are dropped, and so are
        those that several files hold of one mission; where missions cross, both are kept. Attributes: `source`
        (file name), `variable`, `dropped_points`, `report` (see `Report.of`) and, where the first file states
        them, `product`, `platform`, `product_version`.
    Raises:
        InputError: a file is unreadable, lacks a variable, is not along-track, has units that are no length or
            times of another calendar; or none holds a valid point.
    """
    paths = listed(paths)
    parts, reports = zip(*(_tracks_of(path, variable, filtered, box) for path in paths), strict=True)
    read = Report.total(reports, source_name(paths))
    attrs = parts[0].attrs | {"source": read.source}
    where = f"{paths[0]}{f' and {len(paths) - 1} more' if len(paths) > 1 else ''}"
    read.expect_some(f"{where}: none of the {read.read} points of '{attrs['variable']}' is valid", box)
    parts = [part for part in parts if part.sizes["point"]]
    for name in ("cycle", "track"):  # only some of the files may have them
        if not all(name in part.coords for part in parts):
            parts = [part.drop_vars(name, errors="ignore") for part in parts]
    # One mission after the other would hide which values are simultaneous; the sort keeps the order of equals.
    tracks = parts[0] if len(parts) == 1 else xr.concat(parts, "point", combine_attrs="override")
    tracks = tracks.isel(point=np.argsort(tracks["time"].values, kind="stable"))
    names = ["mission", "time", "latitude", "longitude"]
    twice = pd.DataFrame({name: tracks[name].values for name in names}).duplicated().values
    if twice.any():
        tracks = tracks.isel(point=~twice)
        read = replace(read, dropped=read.dropped | {"held twice": int(twice.sum())})
    tracks.attrs = attrs | {"dropped_points": read.read - read.kept} | read.attributes()
    return tracks


def _tracks_of(
    path: str | os.PathLike, variable: str | None, filtered: bool, box: Box | None
) -> tuple[xr.Dataset, Report]:
    """The valid points of one file."""
    with open_product(path) as product:
        endings = _FILTERED if filtered else _UNFILTERED
        sums = [(f"adt{end}",) for end in endings] + [(f"sla{end}", "mdt") for end in endings]
        names = (variable,) if variable else topography(product, sums)
        latitude, longitude = places(product)
        dims = latitude.dims
        if len(dims) != 1 or longitude.dims != dims:
            raise InputError(
                f"{path}: latitude and longitude have dimensions {dims} and {longitude.dims}, expected one "
                f"dimension in common, of points along the tracks"
            )
        time = require_time(product, dims)
        parts = [require(product, name, dims, units="m") for name in names]
        extra = {name: require(product, name, dims) for name in ("cycle", "track") if name in product.variables}
        attrs = provenance(product) | {"variable": " + ".join(names)}

    values = added([part.values for part in parts])
    described = {key: parts[0].attrs[key] for key in ("standard_name", "long_name") if key in parts[0].attrs}
    if len(parts) > 1:
        described = {"standard_name": _STANDARD_NAME, "long_name": "Absolute dynamic topography"}
    north, east, when = latitude.values, longitude.values, time.values
    tally = Tally(in_box(box, north, east))
    tally.sound(values, (-LIMIT, LIMIT), north, east)
    tally.drop(np.isnat(when), "without a time")
    keep = tally.keep
    extra = {name: array.values[keep] for name, array in extra.items()}
    mission = np.full(int(keep.sum()), attrs.get("platform", Path(path).stem))
    zos = {"zos": (values[keep], described | {"units": "m"})}
    ds = point_set(zos, north[keep], east[keep], when[keep], attrs, mission=mission, **extra)
    return ds, tally.report(attrs["source"], "points")


def added(parts: list[np.ndarray]) -> np.ndarray:
    """The sum of heights (m), infinite where one of them is a fill value that another might make good."""
    return np.where(np.any([np.abs(part) > LIMIT for part in parts], 0), np.inf, sum(parts))


def read_sea_level_map(
    path: str | os.PathLike, date: str | np.datetime64 | None = None, box: Box | None = None
) -> xr.Dataset:
    """Read one day of a gridded sea-level product (DUACS L4).

    Args:
        path: a NetCDF file with `adt` on a regular latitude-longitude grid.
        date: the day wanted, such as "2019-02-23"; the nearest time of the file is taken if within a day.
            None takes the first time.
        box: west, east, south, north; only this is read.
    Returns:
        dims (latitude, longitude), both ascending, longitude in [-180, 180): `zos` (m, from `adt`) and, where
        the file has them, the geostrophic velocities `ugos`, `vgos` (m s-1) and the formal mapping `error` (m,
        from `err_sla`); land is NaN. Coordinate `time`, and attributes as for `read_tracks`.
    Raises:
        InputError: the file is unreadable, lacks a variable, has other dimensions or units, does not cover
            the date or the box, or holds no valid value there.
    """
    with open_product(path) as product:
        currents = [name for name in ("ugos", "vgos") if name in product.variables]
        beside = {name: (name, "m s-1", TABLE["uo"].plausible) for name in currents}
        result = read_map(product, "zos", "adt", date, box, beside)
    described = result["zos"].attrs
    result = checked(result, "zos", path, "without a value")
    result["zos"].attrs = described
    return result


def topography(product: xr.Dataset, sums: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """The variables whose sum is absolute dynamic topography: the first of some sums that a product has, in capitals or
    not, else what CF's standard name says.

    Raises:
        InputError: there are none; an anomaly is never taken for them.
    """
    as_written, anomalies = {str(name).lower(): str(name) for name in product.variables}, []
    for names in sums:
        if all(name in as_written for name in names):
            return tuple(as_written[name] for name in names)
        anomalies += [as_written[name] for name in names[:1] if name in as_written]
    for name, variable in product.data_vars.items():
        if variable.attrs.get("standard_name") == _STANDARD_NAME:
            return (name,)
    hint = f"; name '{anomalies[0]}' to read the anomaly, without the mean topography" if anomalies else ""
    raise InputError(
        f"{source_of(product)}: no absolute dynamic topography (adt…, or sla… or ssha… with mdt){hint}; {held(product)}"
    )
