"""The gate that all readers share: finding in a product what a reader needs, or saying plainly what is missing.

Providers follow the CF conventions loosely: coordinates go by several names, longitudes run over 0-360 or -180-180, the
same unit has many spellings, fill values and ranges are stated or not. The differences are settled here, so that each
reader is only about its product.
"""

import numbers
import os
import re
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

import cf_xarray  # noqa: F401, gives data sets their `.cf`
import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError
from ..state import TABLE
from .opening import COORDINATES, ZARR_FILES, is_product, open_product, summary, text  # noqa: F401
from .ranges import NO_RANGE, in_range

BLOCK = 32 * 2**20  # bytes of seven float32 fields, the inputs of a state, that are worked on at a time
LATITUDE = {"standard_name": "latitude", "units": "degrees_north"}
LONGITUDE = {"standard_name": "longitude", "units": "degrees_east"}
SUFFIXES = (".nc", ".nc4", ".cdf", ".netcdf", ".h5", ".hdf5")  # of files that are looked for in a folder

Paths = str | os.PathLike | Sequence[str | os.PathLike]
Box = tuple[float, float, float, float]  # west, east, south, north (degrees); across 180 degrees west exceeds east

DEPTH_NAMES = ("depth", "deptht", "depthu", "depthv", "lev")
PLAUSIBLE = {"latitude": (-90.0, 90.0), "longitude": (-180.0, 360.0)}
ROUNDING = 1e-3  # degrees by which single precision may leave them

# unit -> spelling, without spaces, as it is or in lower case -> factor. What can be nothing else is converted. No kept
# library serves: UDUNITS (cf-units) and pint take furlongs, too, read "ms-1" as per millisecond, and UDUNITS knows
# neither "pss", "PSU" nor "PSS-78", pint neither "degrees_C" nor "PSS-78"; each would want such a list beside it.
_UNITS = {
    "s": {"s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0, "minutes": 60.0, "hours": 3600.0},
    "m": {"m": 1.0, "metre": 1.0, "metres": 1.0, "meter": 1.0, "meters": 1.0, "cm": 1e-2, "mm": 1e-3}
    | {"centimeters": 1e-2, "centimetres": 1e-2},
    "m s-1": {"ms-1": 1.0, "m/s": 1.0, "ms**-1": 1.0, "ms^-1": 1.0, "cms-1": 1e-2, "cm/s": 1e-2}
    | {"metrepersecond": 1.0, "meter/second": 1.0, "meters/second": 1.0, "metres/second": 1.0, "m.s-1": 1.0},
    "degC": {"degc": 1.0, "degreec": 1.0, "degreesc": 1.0, "degree_c": 1.0, "degrees_c": 1.0, "deg_c": 1.0, "°C": 1.0}
    | {"celsius": 1.0, "degree_celsius": 1.0, "degrees_celsius": 1.0, "K": 1.0, "kelvin": 1.0, "degk": 1.0},
    "1e-3": {"1e-3": 1.0, "1e-03": 1.0, "0.001": 1.0, ".001": 1.0, "psu": 1.0, "pss": 1.0, "pss-78": 1.0, "pss78": 1.0}
    | {"practicalsalinityunit": 1.0, "practicalsalinityunits": 1.0},
}
_OFFSETS = {"K": -273.15, "kelvin": -273.15, "degk": -273.15}
_CHANNEL = {"m": "zos", "m s-1": "uo", "degC": "thetao", "1e-3": "so"}  # that tells what is plausible in such units


def days_per_block(points: int) -> int:
    """How many frames of so many points make a block."""
    return max(1, int(BLOCK // (points * 7 * 4)))


def source_of(dataset: xr.Dataset) -> str:
    """The path a dataset was opened from, to name it in messages."""
    return dataset.encoding.get("source", "dataset")


def held(dataset: xr.Dataset) -> str:
    """The variables a dataset has, for messages about one it lacks."""
    names = [str(name) for name in dataset.variables]
    lost = "".join(f"; '{name}' cannot be read: {why}" for name, why in dataset.encoding.get("unreadable", {}).items())
    if others := dataset.encoding.get("groups"):
        lost += f"; other variables lie in its group(s) {', '.join(others)}, of which none is read"
    return (f"the file has {', '.join(names)}" if names else "the file has no variables") + lost


def find_coordinate(dataset: xr.Dataset, kind: str) -> str:
    """The name under which a file keeps its latitude, longitude or time.

    It is looked for by the usual names, then by CF `standard_name`, then by its units and what else cf_xarray knows.

    Args:
        dataset: an open product.
        kind: "latitude", "longitude" or "time".
    Raises:
        InputError: there is none.
    """
    names = COORDINATES[kind]
    by_lower = {str(name).lower(): name for name in dataset.variables}
    found = [by_lower[name] for name in names if name in by_lower]
    if not found:  # among coordinates and other variables alike, for many files do not say which are which
        cf = dataset.set_coords(list(dataset.data_vars)).cf
        stated = [*cf.standard_names.get(kind, ()), *cf.coordinates.get(kind, ())]
        # Cell bounds carry the same attributes, on one more dimension (CF 7.1).
        found = [name for name in stated if not str(name).lower().endswith(("bnds", "bounds"))]
    if found:
        return found[0]
    raise InputError(
        f"{source_of(dataset)}: no {kind} found by name ({', '.join(names)}), standard_name or units; {held(dataset)}"
    )


def require(
    dataset: xr.Dataset,
    name: str,
    dims: Sequence[str] | None = None,
    units: str | None = None,
    bounds: tuple[float, float] | None = None,
) -> xr.DataArray:
    """Load a variable that must be there.

    Args:
        dataset: an open product.
        name: of the variable.
        dims: its dimensions, in any order, besides others of size one; the result has them in the order given. None
            accepts any.
        units: "m", "m s-1", "degC", "1e-3" or "s". Other spellings, multiples (cm, mm, cm/s) and kelvin are
            converted. None leaves the values as they are.
        bounds: of numbers; what is beyond them, in these units, is missing, as is what is outside the range that the
            file states.
    Returns:
        the variable in memory; float64 and with `units` in its attributes when units are given.
    Raises:
        InputError: the variable is missing, has other dimensions or units, or cannot be read from the file.
    """
    source = source_of(dataset)
    if name not in dataset.variables:
        if why := dataset.encoding.get("unreadable", {}).get(name):
            raise InputError(f"{source}: '{name}' cannot be read, file damaged or of a kind that is not known ({why})")
        raise InputError(f"{source}: no variable '{name}'; {held(dataset)}")
    variable = dataset[name]
    if dims is not None:
        variable = variable.squeeze([d for d in variable.dims if d not in dims and variable.sizes[d] == 1])
        if set(variable.dims) != set(dims):
            raise InputError(
                f"{source}: '{name}' has dimensions ({', '.join(map(str, dataset[name].dims))}), "
                f"expected ({', '.join(map(str, dims))})"
            )
    factor, offset = (1.0, 0.0) if units is None else conversion(variable, units, source)
    try:
        variable = variable.load()
    except InputError:
        raise
    except Exception as error:  # scales that are no numbers, sizes that fit into no memory
        raise InputError(f"{source}: '{name}' cannot be read, file damaged ({summary(error)})") from error
    if dims is not None:
        variable = variable.transpose(*dims)
    if (units is not None or bounds is not None) and variable.dtype.kind not in "biuf":
        raise InputError(f"{source}: '{name}' holds no numbers")
    bounds = bounds or NO_RANGE
    if variable.dtype.kind in "iuf":
        expected = TABLE[_CHANNEL[units]].plausible if units in _CHANNEL else bounds
        good = in_range(variable.values, variable, [(bound - offset) / factor for bound in expected])
        values = variable.values if units is None else variable.values.astype(np.float64) * factor + offset
        missing = ~(good & (values >= bounds[0]) & (values <= bounds[1])) & ~np.isnan(values)
        attrs = {key: value for key, value in variable.attrs.items() if not key.startswith("valid_")}
        variable = variable.copy(data=np.where(missing, np.nan, values) if missing.any() else values)
        variable.attrs = attrs | ({} if units is None else {"units": units})
    return variable


def has(dataset: xr.Dataset, name: str) -> bool:
    """Whether a product has a variable, be it one that can be read or not."""
    return name in dataset.variables or name in dataset.encoding.get("unreadable", {})


def optional(dataset: xr.Dataset, name: str, *how, **more) -> xr.DataArray | None:
    """What `require` gives of a variable, None where a product lacks it."""
    return require(dataset, name, *how, **more) if has(dataset, name) else None


def conversion(variable: xr.DataArray, units: str, source: str) -> tuple[float, float]:
    """Factor and offset from the units that a variable states to others.

    Raises:
        InputError: it states none, or others than those, or multiples of them, that are known.
    """
    found = variable.attrs.get("units")
    known = known_units(found, units)
    if known is None:
        stated = "no units attribute" if found is None else f"units '{found}'"
        raise InputError(f"{source}: '{variable.name}' has {stated}, expected {units}")
    return known


def known_units(found, units: str) -> tuple[float, float] | None:
    """Factor and offset from units as they are spelled to others, None where they are not among those known."""
    spelling = "".join(str(found).split())
    spelling = spelling if spelling in _UNITS[units] else spelling.lower()
    return (_UNITS[units][spelling], _OFFSETS.get(spelling, 0.0)) if spelling in _UNITS[units] else None


def require_time(dataset: xr.Dataset, dims: Sequence[str] | None = None) -> xr.DataArray:
    """Load the time coordinate as datetime64[ns], NaT where a time is none.

    Raises:
        InputError: there is no time, or its units are not those of a date in the standard calendar.
    """
    name = find_coordinate(dataset, "time")
    time = require(dataset, name, dims)
    if time.dtype.kind != "M":
        raise InputError(
            f"{source_of(dataset)}: '{name}' does not decode to dates, "
            f"expected units such as 'days since 1950-01-01' and the standard calendar"
        )
    return time.astype("datetime64[ns]")


def places(dataset: xr.Dataset) -> tuple[xr.DataArray, xr.DataArray]:
    """Latitude and longitude of a product, float64, longitude in [-180, 180); NaN where a number is no place on Earth.

    Raises:
        InputError: see `find_coordinate` and `require`.
    """
    return tuple(place(dataset, find_coordinate(dataset, kind), kind) for kind in PLAUSIBLE)


def place(dataset: xr.Dataset, name: str, kind: str) -> xr.DataArray:
    """One of `places`, by its name: degrees north or east, whatever it is counted in."""
    found = require(dataset, name, bounds=NO_RANGE).astype(np.float64)
    units, (low, high) = str(found.attrs.get("units", "")).lower(), PLAUSIBLE[kind]
    values = np.degrees(found.values) if units.startswith("rad") else found.values
    values = -values if re.match("degrees?_?(w|south)", units) else values
    steps = np.diff(values.ravel())
    even = values.ndim == 1 and len(steps) > 1 and np.ptp(steps) < 0.01 * abs(steps[0]) < 1
    axis = kind == "longitude" and even and abs(values).max() < 720  # in whatever turn
    good = ((values >= low - ROUNDING) & (values <= high + ROUNDING)) | axis
    values = np.where(good, values, np.nan)
    return found.copy(data=values if kind == "latitude" else wrap_longitude(values))


def regular(dataset: xr.Dataset) -> xr.Dataset:
    """A product on a regular grid with dims, and coordinates, `latitude` and `longitude` (see `places`), in the order
    of the file; rows and columns without a place are left out, and their cells counted in `encoding["placeless"]`.

    Raises:
        InputError: latitude or longitude is no dimension.
    """
    names = {find_coordinate(dataset, kind): kind for kind in PLAUSIBLE}
    coordinates = places(dataset)
    for name, place in zip(names, coordinates, strict=True):
        if place.ndim != 1 or coordinates[0].dims == coordinates[1].dims:
            raise InputError(f"{source_of(dataset)}: '{name}' has dimensions {place.dims}, expected a regular grid")
    # The dimension may go by another name than its coordinate: OSCAR has `lat` along `latitude`.
    axes = {place.dims[0]: name for name, place in zip(names, coordinates, strict=True) if place.dims != (name,)}
    dataset = dataset.swap_dims(axes) if axes else dataset
    dataset = dataset.rename({name: kind for name, kind in names.items() if name != kind})
    cells = dataset.sizes["latitude"] * dataset.sizes["longitude"]
    for kind, place, attrs in zip(PLAUSIBLE, coordinates, (LATITUDE, LONGITUDE), strict=True):
        dataset = dataset.assign_coords({kind: (kind, place.values, attrs)})
        known = np.flatnonzero(np.isfinite(place.values))
        if not len(known):
            raise InputError(f"{source_of(dataset)}: no {kind} of its axis is a place on Earth")
        dataset = dataset.isel({kind: stretch(known)})
    dataset.encoding["placeless"] = cells - dataset.sizes["latitude"] * dataset.sizes["longitude"]
    return dataset


def cut(dataset: xr.Dataset, box: Box | None) -> xr.Dataset:
    """What of a regular grid lies in a box.

    Raises:
        InputError: no point does.
    """
    if box is None:
        return dataset
    in_box(box, 0.0, 0.0)  # whether it is one
    latitude, longitude = dataset["latitude"].values, dataset["longitude"].values
    rows = np.flatnonzero(in_box(box, latitude, np.full(latitude.shape, box[0])))
    columns = np.flatnonzero(in_box(box, np.full(longitude.shape, box[2]), longitude))
    if not (len(rows) and len(columns)):
        raise InputError(
            f"{source_of(dataset)}: no point in the box {box}; the file covers {latitude.min():g} to "
            f"{latitude.max():g} N, {longitude.min():g} to {longitude.max():g} E"
        )
    return dataset.isel(latitude=stretch(rows), longitude=stretch(columns))


def turned(dataset: xr.Dataset, middle: float | None = None) -> xr.Dataset:
    """A regular grid with longitudes, ascending before and after, within half a turn of a middle; by default its own,
    so that a sea across 180 degrees is of one piece."""
    longitude = dataset["longitude"].values
    if middle is None:
        gaps, around = np.diff(longitude), longitude[0] + 360.0 - longitude[-1]
        first = int(np.argmax(gaps)) + 1 if len(gaps) and gaps.max() > 1.5 * around else 0
        middle = longitude[first] + (longitude[first - 1] - longitude[first]) % 360.0 / 2
    turns = np.floor((longitude - middle + 180.0) / 360.0)
    if not turns.any():
        return dataset
    return dataset.assign_coords(longitude=("longitude", longitude - 360.0 * turns, LONGITUDE)).sortby("longitude")


def stretch(indices: np.ndarray) -> np.ndarray | slice:
    """A slice instead of places in a row, which keeps chunks as they are."""
    first, last = int(indices[0]), int(indices[-1])
    return slice(first, last + 1) if len(indices) == last - first + 1 else indices


def listed(paths: Paths, suffixes: tuple[str, ...] = SUFFIXES) -> list:
    """One or more paths as a list; a folder stands for the files and Zarr stores in it, those hidden aside. What else
    may hold products, such as a folder in it, is passed over with a warning.

    Raises:
        InputError: there are none.
    """
    paths = [paths] if isinstance(paths, str | os.PathLike) else list(paths if isinstance(paths, Iterable) else ())
    if not paths:
        raise InputError("no file to read, expected at least one path")

    def is_zarr(path) -> bool:
        return any(os.path.isfile(os.path.join(path, name)) for name in ZARR_FILES)

    found: list = []
    for path in paths:
        if not os.path.isdir(path) or is_zarr(path):
            found.append(path)
            continue
        entries = [entry for entry in sorted(Path(path).iterdir()) if not entry.name.startswith(".")]
        inside = [one for one in entries if is_zarr(one) or (one.name.lower().endswith(suffixes) and one.is_file())]
        expected = f"expected files that end in {', '.join(suffixes)}"
        if not inside:
            raise InputError(f"{path}: is a folder without products, {expected}")
        if passed := [one.name for one in entries if one not in inside and is_product(one)]:
            warnings.warn(f"{path}: {len(passed)} passed over, such as {passed[0]}; {expected}", stacklevel=2)
        found += inside
    return found


def source_name(paths: Sequence) -> str:
    """The name of the first file, and how many more there are."""
    return text(Path(paths[0]).name) + (f" and {len(paths) - 1} more" if len(paths) > 1 else "")


def moment(dataset: xr.Dataset, date: str | np.datetime64 | None) -> tuple[dict[str, int], xr.DataArray]:
    """Where along time the map of a date is, and its time (see `times_of`); of no date, the first.

    Raises:
        InputError: no time within a day of the date, none that is known, or what is given is no date.
    """
    times = times_of(dataset)
    values = np.atleast_1d(times.values)
    if values.size == 0:
        raise InputError(f"{source_of(dataset)}: the time axis is empty")
    nearest = 0
    if date is not None:
        date = as_date(date)
        known = values[~np.isnat(values)]
        if not known.size:
            raise InputError(
                f"{source_of(dataset)}: has no time to compare with {as_day(date)}, expected a variable 'time' or "
                f"attributes time_coverage_start and time_coverage_end"
            )
        gaps = far_from(values, date)
        nearest = int(np.argmin(np.where(np.isnat(gaps), np.timedelta64(2**62, "ns"), gaps)))
        if not gaps[nearest] <= np.timedelta64(1, "D"):
            covered = f"the file covers {as_day(known.min())} to {as_day(known.max())}"
            raise InputError(f"{source_of(dataset)}: no map within a day of {as_day(date)}; {covered}")
    where = {str(times.dims[0]): nearest} if times.ndim else {}
    return where, times.isel(where)


def times_of(dataset: xr.Dataset) -> xr.DataArray:
    """The times of a product, along an axis or one alone; see `require_time`.

    A product without a time, or whose only one is none, has the middle of what its attributes say that it covers (at
    most ten days); NaT if they say nothing.

    Raises:
        InputError: the file has a time that cannot be read.
    """
    try:
        time = require_time(dataset, dataset[find_coordinate(dataset, "time")].dims[:1])
    except InputError:
        if states_time(dataset):
            raise
        return xr.DataArray(stated_time(dataset), name="time")
    return time.copy(data=np.full(time.shape, stated_time(dataset))) if time.size == 1 and time.isnull().all() else time


def states_time(dataset: xr.Dataset) -> bool:
    """Whether a product has a variable that is called a time, be it one that can be read or not."""
    names = [*dataset.variables, *dataset.encoding.get("unreadable", {})]
    return any(str(name).lower() in COORDINATES["time"] for name in names)


def stated_time(dataset: xr.Dataset) -> np.datetime64:
    """The middle of the time that a file's attributes say it covers, NaT if they do not, or more than ten days."""
    ends = []
    for keys in (("time_coverage_start", "start_time", "start_date"), ("time_coverage_end", "stop_time", "stop_date")):
        stated = [str(dataset.attrs[key]) for key in keys if key in dataset.attrs]
        stated = [one for one in stated if re.match(r"\d{4}-?\d{2}-?\d{2}", one)]  # with a date
        try:
            ends.append(as_date(stated[0]))
        except (IndexError, InputError):
            return np.datetime64("NaT", "ns")
    length = ends[1] - ends[0]
    long = not np.timedelta64(0) <= length <= np.timedelta64(10, "D")
    return np.datetime64("NaT", "ns") if long else ends[0] + length // 2


def far_from(time: np.ndarray, date: np.datetime64) -> np.ndarray:
    """How long times are from a date; a date without hours is a day, from any time of which it is no time at all."""
    day = date.astype("datetime64[D]")
    same = (np.asarray(time).astype("datetime64[D]") == day) & (date == day)
    return np.where(same, np.timedelta64(0, "ns"), np.abs(time - date))


def as_date(date: str | np.datetime64) -> np.datetime64:
    """A date as datetime64[ns]; with a time zone it is brought to UTC.

    Raises:
        InputError: it is not a date.
    """
    try:
        stamp = pd.NaT if isinstance(date, numbers.Number) else pd.Timestamp(date).as_unit("ns")
    except (ValueError, TypeError, OverflowError):
        stamp = pd.NaT
    if stamp is pd.NaT:
        raise InputError(f"date '{date}' is not a date, expected something like 2019-02-23")
    return (stamp.tz_convert(None) if stamp.tz else stamp).to_datetime64()


def as_day(date: np.datetime64) -> str:
    """The day of a date, as people write it."""
    return str(np.datetime64(date, "D"))


def in_box(box: Box | None, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Which points lie in a box, edges included; the box may straddle 180 degrees. Without a box all do.

    Raises:
        InputError: not four numbers with south below north.
    """
    if box is None:
        return np.ones(np.broadcast_shapes(np.shape(latitude), np.shape(longitude)), bool)
    try:
        west, east, south, north = map(float, box)
    except (TypeError, ValueError):
        raise InputError(f"box {box!r}: expected four numbers (west, east, south, north)") from None
    if not (south < north and np.isfinite([west, east]).all()):
        raise InputError(f"box {box!r}: expected south below north (west, east, south, north)")
    width = east - west if east - west >= 360 else (east - west) % 360
    slack = 1e-9
    return (
        (np.asarray(latitude) >= south - slack)
        & (np.asarray(latitude) <= north + slack)
        & ((np.asarray(longitude, np.float64) - west + slack) % 360 <= width + 2 * slack)
    )


def check_box(box: Box) -> None:
    """Whether a box is one that ascends, as downloads and experiments need it.

    Raises:
        InputError: it does not.
    """
    west, east, south, north = box
    if not (-360 <= west < east <= 360 and -90 <= south < north <= 90):
        raise InputError(f"box {box}: expected west, east and south, north to ascend (one box a side of 180 degrees)")


def wrap_longitude(longitude: np.ndarray) -> np.ndarray:
    """Longitudes in degrees brought to [-180, 180), float64; those already there are not changed by a bit."""
    longitude = np.asarray(longitude, np.float64)
    wrapped = longitude - 360.0 * np.floor((longitude + 180.0) / 360.0)
    return np.maximum(wrapped, -180.0)  # the sum above may round up just below 180


def provenance(dataset: xr.Dataset) -> dict[str, str]:
    """Attributes for a reader's result: the file's name, and the product, platform and version it states."""
    attrs = {"source": text(Path(source_of(dataset)).name)}
    for ours, theirs in (
        ("product", ("product_id", "id", "title")),
        ("platform", ("platform",)),
        ("product_version", ("product_version",)),
    ):
        stated = [str(dataset.attrs[key]) for key in theirs if key in dataset.attrs]
        if stated:
            attrs[ours] = stated[0]
    return attrs
