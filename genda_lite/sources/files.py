"""Opening products, and finding in them what a reader needs or saying plainly what is missing.

Providers follow the CF conventions loosely: coordinates go by several names, longitudes run over 0-360 or
-180-180, the same unit has many spellings. The differences are settled here, so that each reader is only
about its product.
"""

import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import cf_xarray  # noqa: F401, gives data sets their `.cf`
import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError

BLOCK = 32 * 2**20  # bytes of seven float32 fields, the inputs of a state, that are worked on at a time
ZARR_FILES = ("zarr.json", ".zgroup")  # one of which every store has
LATITUDE = {"standard_name": "latitude", "units": "degrees_north"}
LONGITUDE = {"standard_name": "longitude", "units": "degrees_east"}

Paths = str | os.PathLike | Sequence[str | os.PathLike]
Box = tuple[float, float, float, float]  # west, east, south, north (degrees); across 180 degrees west exceeds east

# The first bytes of a file tell its format better than its name does.
_HDF5, _NETCDF3 = b"\x89HDF\r\n\x1a\n", (b"CDF\x01", b"CDF\x02", b"CDF\x05")

_COORDINATES = {  # usual names in lower case
    "latitude": ("latitude", "lat", "nav_lat"),
    "longitude": ("longitude", "lon", "nav_lon"),
    "time": ("time", "juld", "valid_time"),
}
DEPTH_NAMES = ("depth", "deptht", "depthu", "depthv", "lev")

# unit -> spelling, without spaces -> factor. Only what can be nothing else is converted: pint would take furlongs, too,
# reads "ms-1" as per millisecond, and knows neither "degrees_C" nor "PSS-78".
_UNITS = {
    "m": {"m": 1.0, "metre": 1.0, "metres": 1.0, "meter": 1.0, "meters": 1.0, "cm": 1e-2, "mm": 1e-3},
    "m s-1": {"ms-1": 1.0, "m/s": 1.0, "ms**-1": 1.0, "ms^-1": 1.0, "cms-1": 1e-2, "cm/s": 1e-2}
    | {"metrepersecond": 1.0, "meter/second": 1.0},
    "degC": {"degC": 1.0, "degreesC": 1.0, "degree_C": 1.0, "degrees_C": 1.0, "deg_C": 1.0, "°C": 1.0}
    | {"Celsius": 1.0, "celsius": 1.0, "degree_Celsius": 1.0, "degrees_Celsius": 1.0, "degrees_celsius": 1.0}
    | {"K": 1.0, "kelvin": 1.0, "Kelvin": 1.0},
    "1e-3": {"1e-3": 1.0, "1e-03": 1.0, "0.001": 1.0, ".001": 1.0, "psu": 1.0, "PSU": 1.0, "PSS-78": 1.0},
}
_OFFSETS = {"K": -273.15, "kelvin": -273.15, "Kelvin": -273.15}


def open_product(path: str | os.PathLike, decode_times: bool = True) -> xr.Dataset:
    """Open a NetCDF file or a Zarr store lazily; use it as a context manager, or close it.

    NetCDF-4 is read through h5netcdf; the older NetCDF-3, in which some products still come, through scipy.

    Args:
        path: a NetCDF file, or the folder of a Zarr store.
        decode_times: leave times as they are where this is False.
    Returns:
        the dataset as in the file, with scaled integers, fill values and times decoded.
    Raises:
        InputError: the file is missing, empty, truncated or otherwise unreadable, or is not NetCDF.
    """
    path = Path(path)
    if any((path / name).is_file() for name in ZARR_FILES):
        return _open_zarr(path, decode_times)
    if not path.is_file():
        problem = "is a folder" if path.is_dir() else "no such file"
        raise InputError(f"{path}: {problem}, expected a NetCDF file")
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    if not start:
        raise InputError(f"{path}: the file is empty, expected NetCDF")
    if start == _HDF5:
        engine = "h5netcdf"
    elif start[:4] in _NETCDF3:
        engine = "scipy"
    else:
        raise InputError(f"{path}: is not a NetCDF file (it starts with {start!r})")
    try:
        return xr.open_dataset(path, engine=engine, decode_timedelta=False, decode_times=decode_times)
    except ImportError:
        raise  # a broken installation is no fault of the file
    except Exception as error:  # a damaged file fails in ways as many as there are bytes
        if "decode time" in str(error):
            return _open_with_fills_in_times(path, engine)
        raise InputError(
            f"{path}: damaged or truncated, not readable as NetCDF ({_summary(error)})"
        ) from error


def _open_with_fills_in_times(path: Path, engine: str) -> xr.Dataset:
    """Open a file whose times hold fill values that no attribute declares, as those of drifters do (-1e34)."""
    raw = xr.open_dataset(path, engine=engine, decode_timedelta=False, decode_times=False)
    for name, variable in raw.variables.items():
        if " since " in str(variable.attrs.get("units", "")) and variable.dtype.kind == "f":
            raw[name] = raw[name].where(abs(raw[name]) < 1e15)
    try:
        decoded = xr.decode_cf(raw, decode_timedelta=False)
    except Exception as error:
        raw.close()
        raise InputError(
            f"{path}: its times cannot be decoded, expected units such as 'days since 1950-01-01' and the "
            f"standard calendar"
        ) from error
    decoded.encoding["source"] = str(path)
    decoded.set_close(raw.close)
    return decoded


def _open_zarr(path: Path, decode_times: bool) -> xr.Dataset:
    try:
        import zarr  # noqa: F401
    except ImportError:
        raise InputError(f"{path}: is a Zarr store, to read it `pip install genda_lite[data]`") from None
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*consolidated", RuntimeWarning)  # matters for remote stores only
            return xr.open_dataset(path, engine="zarr", decode_timedelta=False, decode_times=decode_times)
    except Exception as error:
        raise InputError(f"{path}: damaged, not readable as Zarr ({_summary(error)})") from error


def days_per_block(points: int) -> int:
    """How many frames of so many points make a block."""
    return max(1, int(BLOCK // (points * 7 * 4)))


def source_of(dataset: xr.Dataset) -> str:
    """The path a dataset was opened from, to name it in messages."""
    return dataset.encoding.get("source", "dataset")


def held(dataset: xr.Dataset) -> str:
    """The variables a dataset has, for messages about one it lacks."""
    names = [str(name) for name in dataset.variables]
    return f"the file has {', '.join(names)}" if names else "the file has no variables"


def find_coordinate(dataset: xr.Dataset, kind: str) -> str:
    """The name under which a file keeps its latitude, longitude or time.

    It is looked for by the usual names, then by CF `standard_name`, then by its units and what else cf_xarray knows.

    Args:
        dataset: an open product.
        kind: "latitude", "longitude" or "time".
    Raises:
        InputError: there is none.
    """
    names = _COORDINATES[kind]
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
        f"{source_of(dataset)}: no {kind} found by name ({', '.join(names)}), standard_name or units; "
        f"{held(dataset)}"
    )


def require(
    dataset: xr.Dataset, name: str, dims: Sequence[str] | None = None, units: str | None = None
) -> xr.DataArray:
    """Load a variable that must be there.

    Args:
        dataset: an open product.
        name: of the variable.
        dims: its dimensions, in any order; the result has them in the order given. None accepts any.
        units: "m", "m s-1", "degC" or "1e-3". Other spellings, multiples (cm, mm, cm/s) and kelvin are
            converted. None leaves the values as they are.
    Returns:
        the variable in memory; float64 and with `units` in its attributes when units are given.
    Raises:
        InputError: the variable is missing, has other dimensions or units, or cannot be read from the file.
    """
    source = source_of(dataset)
    if name not in dataset.variables:
        raise InputError(f"{source}: no variable '{name}'; {held(dataset)}")
    variable = dataset[name]
    if dims is not None and set(variable.dims) != set(dims):
        raise InputError(
            f"{source}: '{name}' has dimensions ({', '.join(map(str, variable.dims))}), "
            f"expected ({', '.join(map(str, dims))})"
        )
    factor, offset = (1.0, 0.0) if units is None else conversion(variable, units, source)
    try:
        variable = variable.load()
    except Exception as error:  # the header may be whole while the data are not
        raise InputError(f"{source}: '{name}' cannot be read, file damaged ({_summary(error)})") from error
    if dims is not None:
        variable = variable.transpose(*dims)
    if units is not None:
        attrs = variable.attrs | {"units": units}
        variable = (variable.astype(np.float64) * factor + offset).assign_attrs(attrs)
    return variable


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
    return (_UNITS[units][spelling], _OFFSETS.get(spelling, 0.0)) if spelling in _UNITS[units] else None


def require_time(dataset: xr.Dataset, dims: Sequence[str] | None = None) -> xr.DataArray:
    """Load the time coordinate as datetime64[ns].

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


def listed(paths: Paths) -> list:
    """One or more paths as a list; a folder stands for the NetCDF files in it.

    Raises:
        InputError: there are none.
    """
    paths = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    if not paths:
        raise InputError("no file to read, expected at least one path")
    return [file for path in paths for file in (sorted(Path(path).glob("*.nc")) or [path])]


def source_name(paths: Sequence) -> str:
    """The name of the first file, and how many more there are."""
    return Path(paths[0]).name + (f" and {len(paths) - 1} more" if len(paths) > 1 else "")


def time_index(dataset: xr.Dataset, date: str | np.datetime64 | None) -> int:
    """The place along time nearest to a date; the first if the date is None.

    Raises:
        InputError: no time within a day of the date, or what is given is no date.
    """
    times = np.atleast_1d(require_time(dataset).values)
    if times.size == 0:
        raise InputError(f"{source_of(dataset)}: the time axis is empty")
    if date is None:
        return 0
    gaps = far_from(times, as_date(date))
    nearest = int(np.argmin(gaps))
    if not gaps[nearest] <= np.timedelta64(1, "D"):
        first, last = (str(np.datetime_as_string(t, "D")) for t in (times.min(), times.max()))
        raise InputError(
            f"{source_of(dataset)}: no map within a day of {date}; the file covers {first} to {last}"
        )
    return nearest


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
        stamp = pd.Timestamp(date)
    except ValueError as error:
        raise InputError(f"date '{date}' is not a date, expected something like 2019-02-23") from error
    return (stamp.tz_convert(None) if stamp.tz else stamp).to_datetime64().astype("datetime64[ns]")


def in_box(box: Box, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Which points lie in a box, edges included; the box may straddle 180 degrees.

    Raises:
        InputError: not four numbers with south below north.
    """
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


def wrap_longitude(longitude: np.ndarray) -> np.ndarray:
    """Longitudes in degrees brought to [-180, 180), float64; those already there are not changed by a bit."""
    longitude = np.asarray(longitude, np.float64)
    wrapped = longitude - 360.0 * np.floor((longitude + 180.0) / 360.0)
    return np.maximum(wrapped, -180.0)  # the sum above may round up just below 180


def provenance(dataset: xr.Dataset) -> dict[str, str]:
    """Attributes for a reader's result: the file's name, and the product, platform and version it states."""
    attrs = {"source": Path(source_of(dataset)).name}
    for ours, theirs in (
        ("product", ("product_id", "id", "title")),
        ("platform", ("platform",)),
        ("product_version", ("product_version",)),
    ):
        stated = [str(dataset.attrs[key]) for key in theirs if key in dataset.attrs]
        if stated:
            attrs[ours] = stated[0]
    return attrs


def _summary(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
