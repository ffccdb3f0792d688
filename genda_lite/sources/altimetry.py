"""Sea level from altimeters: points along the tracks of nadir altimeters (L3), and mapped products (L4).

The variable is absolute dynamic topography, the height of the sea above the geoid, called `zos` here as in
models. Its mean over the globe is a matter of convention and may differ between products by a constant.
"""

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError
from .files import (
    find_coordinate,
    held,
    open_product,
    provenance,
    require,
    require_time,
    source_of,
    wrap_longitude,
)

# The names of absolute dynamic topography in order of preference: 'unfiltered' keeps the small scales, and
# the noise that goes with them, which is what assimilation with a stated observation error wants. A sum needs
# both its parts.
_TOPOGRAPHY = (
    ("adt_unfiltered",),
    ("adt_filtered",),
    ("adt",),
    ("sla_unfiltered", "mdt"),
    ("sla_filtered", "mdt"),
    ("sla", "mdt"),
)
_STANDARD_NAME = "sea_surface_height_above_geoid"

# Dynamic topography stays within 3 m of zero; beyond this a value is a fill value the file does not declare.
_LIMIT = 10.0


def read_tracks(path: str | os.PathLike, variable: str | None = None) -> xr.Dataset:
    """Read sea level along altimeter tracks, from DUACS L3 or any CF file of points in space and time.

    Args:
        path: a NetCDF file.
        variable: the variable to read. By default absolute dynamic topography: `adt_unfiltered`,
            `adt_filtered` or `adt`, else the sum of `mdt` and `sla_unfiltered`, `sla_filtered` or `sla`, else
            a variable with standard_name sea_surface_height_above_geoid. A sea level anomaly is never taken
            for the topography: it is read only when named.
    Returns:
        dims (point,): `zos` (m, float64), with coordinates `latitude`, `longitude` (in [-180, 180)), `time`
        (datetime64[ns]) and, where the file has them, `cycle` and `track` (pass number in the cycle). Points
        without a plausible value, position and time are dropped. Attributes: `source` (file name),
        `variable`, `dropped_points` and, where the file states them, `product`, `platform`,
        `product_version`.
    Raises:
        InputError: the file is unreadable, lacks a variable, is not along-track, has units that are no
            length, or holds no valid point.
    """
    with open_product(path) as product:
        names = (variable,) if variable else _topography(product)
        latitude = require(product, find_coordinate(product, "latitude"))
        longitude = require(product, find_coordinate(product, "longitude"))
        dims = latitude.dims
        if len(dims) != 1 or longitude.dims != dims:
            raise InputError(
                f"{path}: latitude and longitude have dimensions {dims} and {longitude.dims}, expected one "
                f"dimension in common, of points along the tracks"
            )
        time = require_time(product, dims)
        parts = [require(product, name, dims, units="m") for name in names]
        extra = {
            name: require(product, name, dims) for name in ("cycle", "track") if name in product.variables
        }
        attrs = provenance(product) | {"variable": " + ".join(names)}

    values = sum(part.values for part in parts)
    described = {key: parts[0].attrs[key] for key in ("standard_name", "long_name") if key in parts[0].attrs}
    if len(parts) > 1:
        described = {"standard_name": _STANDARD_NAME, "long_name": "Absolute dynamic topography"}
    valid = (
        np.isfinite(values)
        & (np.abs(values) < _LIMIT)
        & (np.abs(latitude.values) <= 90.0)
        & np.isfinite(longitude.values)
        & ~np.isnat(time.values)
    )
    if not valid.any():
        raise InputError(f"{path}: none of the {valid.size} points of '{attrs['variable']}' is valid")
    return xr.Dataset(
        {"zos": ("point", values[valid], described | {"units": "m"})},
        coords={
            "latitude": ("point", latitude.values[valid].astype(np.float64), _LATITUDE),
            "longitude": ("point", wrap_longitude(longitude.values[valid]), _LONGITUDE),
            "time": ("point", time.values[valid], {"standard_name": "time"}),
            **{name: ("point", array.values[valid]) for name, array in extra.items()},
        },
        attrs=attrs | {"dropped_points": int((~valid).sum())},
    )


def read_sea_level_map(path: str | os.PathLike, date: str | np.datetime64 | None = None) -> xr.Dataset:
    """Read one day of a gridded sea-level product (DUACS L4).

    Args:
        path: a NetCDF file with `adt` on a regular latitude-longitude grid.
        date: the day wanted, such as "2019-02-23"; the nearest time of the file is taken if within a day.
            None takes the first time.
    Returns:
        dims (latitude, longitude), both ascending, longitude in [-180, 180): `zos` (m, from `adt`) and, where
        the file has them, the geostrophic velocities `ugos`, `vgos` (m s-1); land is NaN. Coordinate `time`,
        and attributes as for `read_tracks`.
    Raises:
        InputError: the file is unreadable, lacks a variable, has other dimensions or units, does not cover
            the date, or holds no valid value then.
    """
    with open_product(path) as product:
        latitude, longitude = (find_coordinate(product, kind) for kind in ("latitude", "longitude"))
        require(product, latitude, (latitude,))
        require(product, longitude, (longitude,))
        attrs = provenance(product) | {"variable": "adt"}
        day = product
        if "adt" in product.variables and "time" in product["adt"].dims:
            day = product.isel(time=_index_of(product, date))
        elif date is not None:
            raise InputError(f"{path}: no 'adt' with a time dimension to select {date} from; {held(product)}")
        dims = (latitude, longitude)
        fields = {"zos": require(day, "adt", dims, units="m")}
        for name in ("ugos", "vgos"):
            if name in product.variables:
                fields[name] = require(day, name, dims, units="m s-1")

    result = xr.Dataset(fields, attrs=attrs)
    result["zos"] = result.zos.where(abs(result.zos) < _LIMIT)
    if not result.zos.notnull().any():
        raise InputError(f"{path}: 'adt' holds no valid value")
    result = result.rename({latitude: "latitude", longitude: "longitude"})
    result = result.assign_coords(
        latitude=("latitude", result.latitude.values.astype(np.float64), _LATITUDE),
        longitude=("longitude", wrap_longitude(result.longitude.values), _LONGITUDE),
    )
    # A file that holds both 0 and 360 holds the same meridian twice.
    return result.drop_duplicates("longitude").sortby(["latitude", "longitude"])


class Orbit(NamedTuple):
    """An exactly repeating orbit: `revolutions` in `days` nodal days (solar days if sun-synchronous)."""

    revolutions: int
    days: int


ORBITS = {"SARAL": Orbit(revolutions=501, days=35)}


def repeat_tracks(tracks: xr.Dataset, days: Sequence[int], orbit: str = "SARAL") -> xr.Dataset:
    """The ground tracks of a satellite as flown some days later: a realistic pattern for any period.

    An orbit that repeats after R revolutions in D nodal days sees the Earth make D turns eastward under its
    plane in R revolutions, so each revolution crosses the equator 360 D / R degrees further west. k
    revolutions later the satellite passes the same latitudes, displaced in longitude and time by

        -360 k D / R degrees (mod 360)   and   k D / R days.

    After d days we take the whole number of revolutions nearest to d days, k = round(d R / D), so that the
    time is right within half a revolution (50 minutes). A nodal day is one turn of the Earth relative to the
    orbital plane: the solar day, if the orbit is sun-synchronous.

    SARAL/AltiKa flew the sun-synchronous ENVISAT orbit, R = 501 and D = 35: one day later (k = 14) its tracks
    lie 7.9 degrees further east. Since July 2016 it drifts freely near that orbit, so that for those years
    the pattern is right but the repetition is not exact.

    Args:
        tracks: dims (point,) with coordinates `latitude`, `longitude` (degrees), `time`, as `read_tracks`
            gives.
        days: the offsets in days, whole numbers of either sign.
        orbit: a name in `ORBITS`.
    Returns:
        the points for each offset, one after the other along `point`, with the coordinate `day_offset`
        (days). Variables are copied unchanged: the positions are of use, to sample another field at.
    Raises:
        InputError: an unknown orbit, offsets that are not whole numbers, or none of them.
    """
    if orbit not in ORBITS:
        raise InputError(f"orbit '{orbit}' is not known, expected one of {', '.join(ORBITS)}")
    offsets = np.atleast_1d(np.asarray(days))
    if offsets.ndim != 1 or offsets.size == 0 or offsets.dtype.kind not in "iu":
        raise InputError(f"days must be a sequence of whole numbers, not {days!r}")
    revolutions, period = ORBITS[orbit]
    passes = []
    for offset in offsets:
        k = round(int(offset) * revolutions / period)
        longitude = wrap_longitude(tracks.longitude.values - 360.0 * (k * period % revolutions) / revolutions)
        later = pd.Timedelta(days=k * period / revolutions).to_timedelta64()
        passes.append(
            tracks.assign_coords(
                longitude=("point", longitude, tracks.longitude.attrs),
                time=("point", tracks.time.values + later, tracks.time.attrs),
                day_offset=("point", np.full(tracks.sizes["point"], offset), {"units": "days"}),
            )
        )
    return xr.concat(passes, dim="point")


_LATITUDE = {"standard_name": "latitude", "units": "degrees_north"}
_LONGITUDE = {"standard_name": "longitude", "units": "degrees_east"}


def _topography(product: xr.Dataset) -> tuple[str, ...]:
    """The variables whose sum is absolute dynamic topography."""
    for names in _TOPOGRAPHY:
        if all(name in product.variables for name in names):
            return names
    for name, variable in product.data_vars.items():
        if variable.attrs.get("standard_name") == _STANDARD_NAME:
            return (name,)
    anomalies = [name for name in ("sla_unfiltered", "sla_filtered", "sla") if name in product.variables]
    hint = f"; name '{anomalies[0]}' to read the anomaly, without the mean topography," if anomalies else ""
    raise InputError(
        f"{source_of(product)}: no absolute dynamic topography (adt…, or sla… with mdt){hint}; "
        f"{held(product)}"
    )


def _index_of(product: xr.Dataset, date: str | np.datetime64 | None) -> int:
    """The index along time nearest to `date`."""
    times = require_time(product, ("time",)).values
    if times.size == 0:
        raise InputError(f"{source_of(product)}: the time axis is empty")
    if date is None:
        return 0
    try:
        wanted = pd.Timestamp(date).to_datetime64()
    except ValueError as error:
        raise InputError(f"date '{date}' is not a date, expected something like 2019-02-23") from error
    gaps = np.abs(times - wanted)
    nearest = int(np.argmin(gaps))
    if not gaps[nearest] <= np.timedelta64(1, "D"):
        first, last = (str(np.datetime_as_string(t, "D")) for t in (times.min(), times.max()))
        raise InputError(
            f"{source_of(product)}: no map within a day of {date}; the file covers {first} to {last}"
        )
    return nearest
