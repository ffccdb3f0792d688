"""Opening products: of which format a file is, what in it can be read, and what it says of time.

All readers come through `open_product`. What is wrong with one variable matters when that variable is asked for: a type
that is not known, a damaged block, times that no calendar has.
"""

import json
import os
import re
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import xarray as xr
from xarray.backends import BackendArray, H5NetCDFStore, ScipyDataStore
from xarray.conventions import decode_cf_variable
from xarray.core import indexing

from ..errors import InputError
from .inspector import inspect
from .ranges import FILLS, is_extreme

ZARR_FILES = ("zarr.json", ".zgroup")  # one of which every store has
COORDINATES = {  # usual names in lower case
    "latitude": ("latitude", "lat", "nav_lat"),
    "longitude": ("longitude", "lon", "nav_lon"),
    "time": ("valid_time", "time", "juld", "time_counter"),  # beside a valid time, `time` is that of a forecast's start
}
WORDS = {"units", "standard_name", "axis", "calendar", "coordinates", "bounds", "grid_mapping", "positive"}  # text only
# Times that are negative fill values, further from the middle of the others, or outside these years, are none.
LIFETIME, YEARS = 300 * 365.25 * 86400.0, np.array(["1800", "2200"], "datetime64[s]")

# The first bytes of a file tell its format better than its name does; HDF5's may follow a block of somebody's own.
_HDF5, _NETCDF3 = b"\x89HDF\r\n\x1a\n", (b"CDF\x01", b"CDF\x02")
_OTHERS = {
    b"CDF\x05": "a NetCDF file of the format CDF-5, expected NetCDF-4 or NetCDF-3: `nccopy -k nc4 OLD NEW` converts it",
    b"GRIB": "a GRIB file, expected NetCDF: `grib_to_netcdf` converts it",
    b"\x0e\x03\x13\x01": "an HDF4 file, expected NetCDF: `ncl_convert2nc` converts it",
    b"PK\x03\x04": "a ZIP archive, expected the NetCDF file inside",
    b"\x1f\x8b": "compressed by gzip, expected the NetCDF file inside: `gunzip` unpacks it",
}


def open_product(path: str | os.PathLike) -> xr.Dataset:
    """Open a NetCDF file or a Zarr store lazily; use it as a context manager, or close it.

    NetCDF-4 is read through h5netcdf; the older NetCDF-3, in which some products still come, through scipy. Variables
    may lie in a group, if in one only.

    Args:
        path: a NetCDF file, or the folder of a Zarr store.
    Returns:
        the dataset as in the file, with scaled integers, fill values and times decoded. A time that is infinite or a
        fill value, declared or not, is NaT; times without a date in the standard calendar stay as they are. Variables
        that cannot be opened are left out, and named with the reason in `encoding["unreadable"]`; groups beside that
        which is read in `encoding["groups"]`. Values that turn out to be damaged when they are read raise InputError,
        in dask's workers, too.
    Raises:
        InputError: the file is missing, empty, truncated or otherwise unreadable, or is not NetCDF.
    """
    path = Path(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of fill values that contradict each other, and the like
            opened, attrs, groups, close = _store(path)
            variables, unreadable = {}, {}
            for name, get in opened.items():
                try:
                    variables[text(name)] = _variable(f"{path}: '{text(name)}'", get())
                except Exception as error:
                    unreadable[text(name)] = summary(error).removeprefix(f"{path}: '{text(name)}' cannot be read, ")
            try:
                raw = xr.Dataset(variables, attrs=_plain(attrs))
                product = xr.decode_cf(raw, decode_times=False, decode_timedelta=False)
            except Exception:
                close()
                raise
    except (ImportError, InputError):
        raise  # a broken installation is no fault of the file
    except Exception as error:  # a damaged file fails in ways as many as there are bytes
        raise _damaged(path, summary(error)) from error
    product.encoding = {"source": str(path), "unreadable": unreadable, "groups": groups}
    product.set_close(close)
    return product


def summary(error: Exception) -> str:
    """The first line of what an error says."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def text(value: str | bytes) -> str:
    """Text as UTF-8 can write it; what is no UTF-8 in a file is taken for Latin-1."""
    raw = value if isinstance(value, bytes) else value.encode("utf-8", "surrogateescape")
    try:
        return raw.decode().replace("\0", "")
    except UnicodeDecodeError:
        return raw.decode("latin-1").replace("\0", "")


def _damaged(path: Path, reason: str) -> InputError:
    return InputError(f"{path}: damaged or truncated, not readable as NetCDF ({reason})")


def _store(path: Path) -> tuple[dict[str, Callable], dict, list[str], Callable]:
    """What opens each variable, by name; attributes; groups that are not read; and what closes the file."""
    if any(os.path.isfile(path / name) for name in ZARR_FILES):
        try:
            names = (".zmetadata", "*/.zarray", "zarr.json", "*/zarr.json")
            described = [one for name in names for one in path.glob(name)]
            if any('"pickle"' in json.dumps(json.loads(one.read_bytes())) for one in described):
                raise ValueError("it holds pickled values, which could run any program")
            raw = xr.open_dataset(path, engine="zarr", decode_cf=False, chunks=None)
            opened = {name: partial(_complete, path, name, raw.variables[name]) for name in raw.variables}
        except ImportError:
            raise InputError(f"{path}: is a Zarr store, to read it `pip install genda_lite[data]`") from None
        except Exception as error:
            raise InputError(f"{path}: damaged, not readable as Zarr ({summary(error)})") from error
        return opened, raw.attrs, [], raw.close
    attrs: dict = {}
    others: list[str] = []
    if _is_hdf5(path):
        if (verdict := inspect(path)) != "whole":
            raise _damaged(path, verdict)
        store = H5NetCDFStore.open(str(path), phony_dims="access")
        group, others = _group_with_data(store.ds, path)
        if group != "/":
            attrs = dict(store.get_attrs())
            store = H5NetCDFStore.open(str(path), phony_dims="access", group=group)
    else:
        store = ScipyDataStore(str(path))
    found, attrs = store.ds.variables, attrs | dict(store.get_attrs())
    return {name: partial(_opened, store, name, found[name]) for name in found}, attrs, others, store.close


def _complete(path: Path, name: str, variable: xr.Variable) -> xr.Variable:
    """A variable of a Zarr store. Chunks of it that are not there hold its fill value.

    Raises:
        ValueError: some are not there and would be read as numbers. Points and flags may all be zero, a map is not.
    """
    import zarr

    array = zarr.open_array(path, path=name, mode="r")
    fill = array.metadata.fill_value
    numbers = variable.dtype.kind == "f" and (fill is None or (np.isfinite(fill) and variable.ndim > 1))
    if numbers and (lost := array.nchunks - array.nchunks_initialized):
        raise ValueError(f"{lost} of its {array.nchunks} chunks are not there")
    return variable


def _opened(store, name: str, found) -> xr.Variable:
    """A variable as its store opens it.

    Raises:
        TypeError: it is packed by a filter that the HDF5 library does not have here, such as NetCDF's zstd.
    """
    made = found._h5ds.id.get_create_plist() if isinstance(store, H5NetCDFStore) else None
    for number, *_, filter_name in map(made.get_filter, range(made.get_nfilters())) if made else ():
        if not h5py.h5z.filter_avail(number):
            raise TypeError(f"it is packed by the filter {filter_name.decode() or number}, which is not known here")
    return store.open_store_variable(name, found)


def is_product(path: Path) -> bool:
    """Whether what has none of the usual suffixes may be a product all the same: a folder, or by its first bytes."""
    if not os.path.isfile(path):
        return os.path.isdir(path)
    try:
        with path.open("rb") as file:
            return file.read(8).startswith((_HDF5, *_NETCDF3, *_OTHERS))
    except OSError:
        return False


def _is_hdf5(path: Path) -> bool:
    """Whether a file is NetCDF-4; if not it is NetCDF-3.

    Raises:
        InputError: it is neither, or cannot be read.
    """
    if not os.path.isfile(path):
        problem = "is a folder" if os.path.isdir(path) else "no such file"
        raise InputError(f"{path}: {problem}, expected a NetCDF file")
    try:
        with path.open("rb") as file:
            start = file.read(2056)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    if not start:
        raise InputError(f"{path}: the file is empty, expected NetCDF")
    for signature, what in _OTHERS.items():
        if start.startswith(signature):
            raise InputError(f"{path}: is {what}")
    hdf5 = any(start[at:].startswith(_HDF5) for at in (0, 512, 1024, 2048))
    if not (hdf5 or start.startswith(_NETCDF3)):
        raise InputError(f"{path}: is not a NetCDF file (it starts with {start[:8]!r})")
    return hdf5


def _group_with_data(file, path: Path) -> tuple[str, list[str]]:
    """The group that holds the variables: that with a latitude, of all groups; and others that hold some."""

    def walk(group, place: str) -> Iterator[tuple[str, set[str]]]:
        yield place or "/", {text(name).lower() for name in group.variables}
        for name, child in group.groups.items():
            yield from walk(child, f"{place}/{name}")

    groups = dict(walk(file, ""))
    found = [place for place, names in groups.items() if not names.isdisjoint(COORDINATES["latitude"])]
    found = found or [place for place, names in groups.items() if names][:1] or ["/"]
    if len(found) > 1 and "/" not in found:
        raise InputError(
            f"{path}: its variables lie in {len(found)} groups ({', '.join(found[:5])}), expected one; `ncks -G : -g "
            f"{found[0].strip('/')} OLD NEW` takes one out"
        )
    chosen = "/" if "/" in found else found[0]
    return chosen, [place for place, names in groups.items() if names and place != chosen]


class _Guarded(BackendArray):
    """Values of a variable that are read when they are asked for; if they cannot be, it is told which they are."""

    def __init__(self, variable: xr.Variable, what: str):
        self.variable, self.what = variable, what
        self.shape, self.dtype = variable.shape, variable.dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> np.ndarray:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._read)

    def _read(self, key: tuple) -> np.ndarray:
        try:
            return np.asarray(self.variable[key].values)
        except Exception as error:
            raise InputError(f"{self.what} cannot be read, file damaged ({summary(error)})") from error


def _variable(what: str, raw: xr.Variable) -> xr.Variable:
    """A variable as `xarray.decode_cf` takes it, its times decoded.

    Raises:
        Exception: its type or its attributes cannot be understood.
    """
    if raw.dtype.kind in "VO" and raw.encoding.get("dtype", str) is not str:
        raise TypeError("it is of a type that is not read")
    lazy = indexing.LazilyIndexedArray(_Guarded(raw, what))
    variable = xr.Variable(raw.dims, lazy, _plain(raw.attrs), raw.encoding)
    if not np.all(np.isfinite(scale := np.asarray(raw.attrs.get("scale_factor", 1.0), float)) & (scale != 0)):
        raise ValueError(f"its scale_factor is {raw.attrs['scale_factor']}")
    decoded = decode_cf_variable(what, variable, decode_times=False, decode_timedelta=False)
    if not re.search(r"\ssince\s", str(variable.attrs.get("units", ""))) or raw.ndim > 2:
        return variable
    return _dates(variable, decoded)


def _dates(variable: xr.Variable, decoded: xr.Variable) -> xr.Variable:
    """A variable with dates in place of numbers, NaT where the number is none; as it is where there is no such date."""
    attrs = {key: variable.attrs[key] for key in ("units", "calendar") if key in variable.attrs}
    numbers = decoded.values.astype(np.float64) if decoded.dtype.kind == "f" else decoded.values
    if variable.dtype.kind in "iu" and not {"scale_factor", "add_offset"} & {*variable.attrs}:
        numbers = variable.values  # floating point would round nanoseconds
    bad = ~np.isfinite(decoded.values.astype(float)) | (np.abs(numbers.astype(float)) > 1e19)
    bad |= is_extreme(variable.values)  # packed or not; a stated range is often that of the first of joined files
    bad |= np.isin(numbers, FILLS[FILLS < 0])

    def dates(values) -> np.ndarray:
        coded = xr.Dataset({"t": (("n",), np.ravel(values), attrs)})
        return xr.decode_cf(coded, decode_timedelta=False)["t"].values

    try:
        zero, one = dates([0, 1])
        middle = np.median(numbers[~bad].astype(float)) if not bad.all() else 0.0
        bad |= np.abs(numbers.astype(float) - middle) * pd.Timedelta(one - zero).total_seconds() > LIFETIME
        times = dates(np.where(bad, np.rint(middle).astype(numbers.dtype), numbers)).reshape(numbers.shape)
    except Exception:
        return variable
    if times.dtype.kind != "M":
        return variable
    times = np.where(bad, np.datetime64("NaT"), plausible_dates(times))
    rest = {key: value for key, value in variable.attrs.items() if key not in (*attrs, "_FillValue", "missing_value")}
    return xr.Variable(variable.dims, times, rest, attrs | {"dtype": variable.dtype})


def plausible_dates(times: np.ndarray) -> np.ndarray:
    """Times as datetime64[ns], which holds few centuries; NaT for those that no observation is of."""
    seconds = times.astype("datetime64[s]")
    known = (seconds >= YEARS[0]) & (seconds <= YEARS[1])
    return np.where(known, times, np.datetime64("NaT")).astype("datetime64[ns]")


def _plain(attrs: dict) -> dict:
    """Attributes that can be printed and written: text and numbers."""
    plain = {}
    for key, value in attrs.items():
        if isinstance(value, str | bytes) or str(key) in WORDS:
            value = value if isinstance(value, str | bytes) else str(value)
            plain[text(key)] = text(value)
        elif np.asarray(value).dtype.kind in "biufU":
            plain[text(key)] = value
        elif np.asarray(value).dtype.kind in "SO" and all(isinstance(v, str | bytes) for v in np.ravel(value)):
            plain[text(key)] = [text(v) for v in np.ravel(value)]
    return plain
