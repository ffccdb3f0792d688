"""Drifters: trajectories with velocities, to verify currents with. They are no observations of the state here.

A set of trajectories is a ragged array as in clouddrift (Elipot et al. 2024, doi:10.21105/joss.06742): the fixes of all
drifters one after the other along `obs`, and how many belong to each drifter in `rowsize` along `traj`.

    for rows in ragged_slices(ds): ds.isel(obs=rows)         # one drifter after the other
"""

import gzip
import io
import os
import re
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError
from ..state import KM_PER_DEGREE
from .files import (
    LATITUDE,
    LONGITUDE,
    NO_RANGE,
    PLAUSIBLE,
    SUFFIXES,
    Box,
    Paths,
    held,
    in_box,
    listed,
    open_product,
    place,
    require,
    require_time,
    source_name,
    source_of,
)
from .opening import plausible_dates, text
from .report import PLACELESS, Report, Tally

TABLES = (".csv", ".txt", ".csv.gz")

# Copernicus Marine In Situ (OceanSITES): 1 good, 2 probably good, 5 changed, 7 nominal, 8 interpolated; 0 is of what
# nobody has looked at, and what lies beyond the last is a fill value.
GOOD_FLAGS, LAST_FLAG = (1, 2, 5, 7, 8), 9
GOOD, BAD = 1.0, 0.0
FASTEST = 5.0  # m/s; no current of the open sea, and no drifter, is faster
DEEPEST = 500.0  # m; no drifter has its drogue there
DROGUE_DEPTH = 10.0  # m; a drogue hangs at 15 m, an undrogued drifter floats at 0 m
ON, LOST, UNKNOWN = 1, 0, -1  # states of the drogue
AGROUND_KM, AGROUND = 0.5, np.timedelta64(24, "h")  # that long within that distance of the last fix: on a beach
RAN_AGROUND = 1  # the Global Drifter Program's typedeath

_GZIP, _DAMAGED = b"\x1f\x8b", (EOFError, OSError, zlib.error)
_U, _V = ("ewct", "ve", "u"), ("nsct", "vn", "v")
_NAMES = {  # in lower case
    "id": ("id", "ids", "platform_id", "platform_code", "platform", "trajectory", "drifter_id"),
    "time": ("time", "date"),
    "latitude": ("latitude", "lat"),
    "longitude": ("longitude", "lon", "lon360"),
    "u": _U,
    "v": _V,
    "depth": ("depth", "deph"),
    "drogue": ("drogue_status", "drogue_presence", "drogue"),
    "drogue_lost": ("drogue_lost_date",),
    "death": ("typedeath",),
    "end": ("end_date", "end_time"),
    "u_qc": tuple(f"{name}_{flag}" for name in _U for flag in ("qc", "quality_flag")),
    "v_qc": tuple(f"{name}_{flag}" for name in _V for flag in ("qc", "quality_flag")),
    "time_qc": ("time_qc",),
    "position_qc": ("position_qc",),
    "value_qc": ("value_qc",),
}
_DATES = (*_NAMES["time"], *_NAMES["drogue_lost"], *_NAMES["end"])
_EXPECTED = {"depth": (None, (-DEEPEST, DEEPEST)), **dict.fromkeys("uv", ("m s-1", (-100.0, 100.0)))}
_FLAGS = ("time_qc", "position_qc", "u_qc", "v_qc", "value_qc")


def read_drifters(paths: Paths, box: Box | None = None, drogued: bool = False) -> xr.Dataset:
    """Read drifters: Copernicus Marine In Situ (CSV, NetCDF), the Global Drifter Program (ERDDAP's CSV and NetCDF,
    files of single drifters), or a ragged array of clouddrift (NetCDF, Zarr).

    Fixes are dropped, and counted, that lack time, position or velocity; that a quality flag calls bad, or that move
    faster than any drifter; that repeat a time of the same drifter; and the last ones of a drifter that lies still, or
    ended aground by its metadata. A lost drogue is told by its own flag or date or, failing these, by the depth that is
    stated (15 m with, 0 m without).

    Args:
        paths: one or more files, in any order. Times with a zone are brought to UTC; others are UTC.
        box: west, east, south, north; only fixes inside are read and counted.
        drogued: keep only fixes whose drogue is known to be on.
    Returns:
        dims (traj, obs): `rowsize` (traj); `latitude`, `longitude` (degrees, in [-180, 180)), `u`, `v` (m s-1) and
        `drogue` (1 on, 0 lost, -1 unknown) along obs; coordinates `id` (traj) and `time` (obs, UTC, ascending in each
        trajectory). Attributes `source` and `report` (see `Report.of`).
    Raises:
        InputError: a file is unreadable, lacks a variable or states other units; or no fix is valid.
    """
    paths = listed(paths, (*SUFFIXES, *TABLES))
    tables = [_read(path) for path in paths]
    cut = sum(table.attrs["cut"] for table in tables)
    table = pd.concat(tables).sort_values(["id", "time"], kind="stable", ignore_index=True)
    placeless = table[["latitude", "longitude"]].isna().any(axis=1).to_numpy()
    inside = in_box(box, table["latitude"], table["longitude"]) | placeless
    tally = Tally(inside, {"cut off at the end of the file": cut})
    tally.drop(table["time"].isna(), "without a time")
    tally.drop(placeless, PLACELESS)
    tally.drop(table["id"] == "", "without an id")
    tally.flagged(table["flag"].to_numpy(), lambda flag: flag == GOOD, "flagged bad", "flags")
    tally.drop(table[["u", "v"]].isna().any(axis=1), "without a velocity")
    tally.drop(np.hypot(table["u"], table["v"]) > FASTEST, f"faster than {FASTEST:g} m/s")
    kept = table[tally.keep]
    twice = kept.index[kept.duplicated(["id", "time"])]
    tally.drop(table.index.isin(twice), "at a time of the same drifter held before")
    tally.drop(table.index.isin(_aground(table[tally.keep])), "aground")
    if drogued:
        tally.drop(table["drogue"] != ON, "without a drogue")
    report = tally.report(source_name(paths), "fixes")
    report.expect_some(f"{report.source}: no valid fix of a drifter", box)
    return _ragged(table[tally.keep], report)


def ragged_slices(ds: xr.Dataset) -> list[slice]:
    """The rows along `obs` of each trajectory."""
    ends = np.cumsum(ds["rowsize"].values)
    return [slice(int(end - size), int(end)) for end, size in zip(ends, ds["rowsize"].values, strict=True)]


def _ragged(table: pd.DataFrame, report: Report) -> xr.Dataset:
    ids, sizes = np.unique(table["id"].to_numpy(str), return_counts=True)
    described = {
        "latitude": LATITUDE,
        "longitude": LONGITUDE,
        "u": {"units": "m s-1", "standard_name": "eastward_sea_water_velocity"},
        "v": {"units": "m s-1", "standard_name": "northward_sea_water_velocity"},
    }
    ds = xr.Dataset(
        {"rowsize": ("traj", sizes, {"long_name": "Number of fixes", "sample_dimension": "obs"})}
        | {name: ("obs", table[name].to_numpy(np.float64), attrs) for name, attrs in described.items()},
        coords={
            "id": ("traj", ids, {"cf_role": "trajectory_id"}),
            "time": ("obs", table["time"].to_numpy("datetime64[ns]"), {"standard_name": "time"}),
        },
        attrs={"featureType": "trajectory", "source": report.source} | report.attributes(),
    )
    flags = {"flag_values": np.array([LOST, ON, UNKNOWN], np.int8), "flag_meanings": "lost on unknown"}
    ds["drogue"] = ("obs", table["drogue"].to_numpy(np.int8), {"long_name": "Drogue"} | flags)
    return ds


def _aground(table: pd.DataFrame) -> list:
    """The rows of the last fixes of drifters that have come to rest."""
    rows = []
    for _, one in table.groupby("id", sort=False):
        time, north, east = (one[name].to_numpy() for name in ("time", "latitude", "longitude"))
        shift = (east - east[-1] + 180) % 360 - 180
        away = np.hypot(north - north[-1], shift * np.cos(np.radians(north[-1]))) * KM_PER_DEGREE > AGROUND_KM
        rest = np.flatnonzero(away)[-1] + 1 if away.any() else 0
        still = (np.arange(len(one)) >= rest) & (time[-1] - time[rest] >= AGROUND)
        ended = (one["death"] == RAN_AGROUND) & one["end"].notna()
        still |= (ended & (one["time"] > one["end"] - pd.Timedelta(AGROUND))).to_numpy()
        rows += list(one.index[still])
    return rows


# --- Files to tables ------------------------------------------------------------------------------------------------


def _read(path: str | os.PathLike) -> pd.DataFrame:
    """A table of fixes: id, time, latitude, longitude, u, v, flag, drogue, death, end."""
    path = Path(path)
    with _text_product(path) if _is_text(path) else open_product(path) as product:
        columns = _columns(product)
    n = len(columns["time"])
    table = pd.DataFrame(
        {name: columns[name] for name in ("id", "time")}
        | {name: np.asarray(columns[name], np.float64) for name in ("latitude", "longitude", "u", "v")}
        | {"flag": _flag(columns, n), "drogue": _drogue(columns, n)}
        | {"death": columns.get("death", np.full(n, -1))}
        | {"end": columns.get("end", np.full(n, np.datetime64("NaT", "ns")))}
    )
    table.attrs["cut"] = product.encoding.get("cut", 0)
    return table


def _flag(columns: dict, n: int) -> np.ndarray:
    """`GOOD`, `BAD` if any flag of a fix says so, NaN where there are flags, but none that is set."""
    flags = np.array([_numbers(columns[name]) for name in _FLAGS if name in columns] or np.full((1, n), GOOD_FLAGS[0]))
    known = (flags > 0) & (flags <= LAST_FLAG)
    bad = (known & ~np.isin(flags, GOOD_FLAGS)).any(0)
    return np.where(bad, BAD, np.where(known.any(0), GOOD, np.nan))


def _numbers(values: np.ndarray) -> np.ndarray:
    """As float64, NaN where it is no number; flags may be written in letters."""
    values = np.asarray(values)
    values = values.astype(str) if values.dtype.kind in "SO" else values
    return pd.to_numeric(values, errors="coerce").astype(np.float64)


def _drogue(columns: dict, n: int) -> np.ndarray:
    """The state of the drogue at each fix."""
    drogue = np.full(n, UNKNOWN, np.int8)
    if "depth" in columns:
        depth = np.abs(_numbers(columns["depth"]))
        drogue = np.where(np.isnan(depth), UNKNOWN, np.where(depth >= DROGUE_DEPTH, ON, LOST)).astype(np.int8)
    if "drogue_lost" in columns:  # no date: it never was; 1970: it is not known
        lost, time = pd.to_datetime(columns["drogue_lost"]), pd.to_datetime(columns["time"])
        drogue = np.where(pd.isna(lost) | (time < lost), ON, LOST).astype(np.int8)
        drogue[np.asarray(lost.year == 1970)] = UNKNOWN
    if "drogue" in columns:  # 1 present, 0 or 4 (Copernicus) absent, 2 unknown
        flag = _numbers(columns["drogue"])
        drogue = np.where(flag == 1, ON, np.where(np.isin(flag, (0, 4)), LOST, UNKNOWN)).astype(np.int8)
    return drogue


def _columns(product: xr.Dataset) -> dict[str, np.ndarray]:
    """One array a quantity, along all fixes, of a NetCDF file or Zarr store."""
    source = source_of(product)
    names = (*product.variables, *product.encoding.get("unreadable", {}))
    as_written = {str(name).lower(): str(name) for name in names}
    time = require_time(product)
    n = time.size
    sizes = np.array([n])
    if "rowsize" in as_written:
        sizes = np.nan_to_num(require(product, as_written["rowsize"], bounds=(0, n)).values, nan=0).astype(int)
    if sizes.sum() != n:
        raise InputError(f"{source}: 'rowsize' adds up to {sizes.sum()}, expected the {n} fixes that the file holds")
    columns, (level, levels) = {"time": time.values.ravel()}, _level(product, as_written, time)

    def along(found: xr.DataArray) -> np.ndarray:
        if time.ndim > 1 and {*found.dims} <= {*time.dims}:  # a row a drifter
            found = found.variable.set_dims(time.sizes).transpose(*time.dims)
        values = _fixes_first(found, time).values
        if values.ndim == 2 and len(values) == n and values.shape[1] > level.max(initial=0):
            values = values[np.arange(n), level]
        if values.size == n:
            return values.ravel()
        if values.size == len(sizes):
            return np.repeat(values.ravel(), sizes)
        if found.dims == levels:
            return values[level]
        raise InputError(f"{source}: '{name}' has {values.size} values, expected {n} as there are times")

    for ours, aliases in _NAMES.items():
        for name in [as_written[alias] for alias in aliases if alias in as_written and ours not in columns][:1]:
            if ours in PLAUSIBLE:
                columns[ours] = along(place(product, name, ours))
            else:
                columns[ours] = along(require(product, name, None, *_EXPECTED.get(ours, ())))
    if "id" not in columns:
        stated = [str(product.attrs[key]) for key in ("platform_code", "platform_id", "id") if key in product.attrs]
        columns["id"] = np.full(n, (stated[0].strip() if stated else "") or Path(source).stem)
    if missing := [name for name in ("latitude", "longitude", "u", "v") if name not in columns]:
        raise InputError(f"{source}: no {missing[0]} of drifters ({', '.join(_NAMES[missing[0]])}); {held(product)}")
    columns["id"] = _text(columns["id"])
    if "end" in columns and columns["end"].dtype.kind != "M":
        del columns["end"]
    return columns


def _fixes_first(values: xr.DataArray, time: xr.DataArray) -> xr.DataArray:
    """With the dimension of the times first, if there are more."""
    first = time.dims if time.ndim == 1 and time.dims[0] in values.dims else ()
    return values.transpose(*first, ...)


def _level(product: xr.Dataset, as_written: dict[str, str], time: xr.DataArray) -> tuple[np.ndarray, tuple]:
    """Of each fix the level to take where values are given at several: of those with a velocity that nearest to 15 m,
    or the first where the depth is unknown. And the dimension of the levels, if there is one."""

    def first(names: tuple[str, ...]) -> xr.DataArray:
        found = [as_written[name] for name in names if name in as_written]
        return _fixes_first(require(product, found[0], bounds=NO_RANGE), time) if found else xr.DataArray(np.nan)

    n, (speed, depth) = time.size, map(first, (_U, _NAMES["depth"][::-1]))
    if speed.ndim != 2 or len(speed) != n:
        return np.zeros(n, int), ("",)
    levels, speed, depth = speed.dims[1:], speed.values, depth.values
    depth = depth[:, None] if depth.shape == (n,) != speed.shape[1:] else depth
    if np.shape(depth) not in ((), speed.shape, (n, 1), speed.shape[1:]):
        depth = np.array(np.nan)
    far = np.nan_to_num(np.abs(np.abs(np.broadcast_to(depth, speed.shape)) - 15.0), nan=1e6)
    return np.where(np.isnan(speed), np.inf, far).argmin(1), levels


def _text(ids: np.ndarray) -> np.ndarray:
    """Identifiers as text, whether they are numbers, bytes or text in the file."""
    if ids.dtype.kind == "f":
        return np.where(np.isfinite(ids), np.nan_to_num(ids).astype(np.int64).astype(str), "")
    if ids.dtype.kind in "SO":
        ids = np.array([text(one) if isinstance(one, bytes) else str(one) for one in ids])
    return np.char.strip(ids.astype(str))


def _is_text(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            start = file.read(512)
    except OSError:
        return False  # `open_product` says what is wrong
    if start.startswith(_GZIP):
        return True
    return bool(start) and b"\0" not in start and not {*start.splitlines()[0]}.isdisjoint(b",;\t")


def _text_product(path: Path) -> xr.Dataset:
    """A CSV file, compressed or not, as an open product, all columns along `obs`.

    It has a row a fix, or (Copernicus) a row a fix and variable.
    """
    try:
        content = path.read_bytes()
        content = gzip.decompress(content) if content.startswith(_GZIP) else content
        if b"\0" in content:
            raise EOFError("it is no text")
        options = {"dtype": str, "skipinitialspace": True, "on_bad_lines": "error"}
        raw = pd.read_csv(io.StringIO(text(content)), **options)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, *_DAMAGED) as error:
        raise InputError(f"{path}: damaged, not readable as CSV ({str(error).splitlines()[0]})") from error
    heads = [re.fullmatch(r"(.*?)\s*(?:[(\[](.*)[)\]])?\s*", str(head)).groups() for head in raw]  # "time (UTC)"
    raw.columns = [name.lower() for name, _ in heads]
    units = dict.fromkeys((*_U, *_V), "m s-1")  # Copernicus' table states none
    units |= {name.lower(): unit for name, unit in heads if unit}
    raw = raw.loc[:, ~raw.columns.duplicated()]
    if "time" not in raw:
        raw = raw.rename(columns={"date": "time"})
    cut = int(len(raw) > 0 and content[-1:] not in b"\r\n")
    raw = raw.iloc[: len(raw) - cut]  # what follows the last end of line is half a row
    if "time" in raw and len(raw) and str(raw["time"].iloc[0]).strip() == "UTC":  # ERDDAP's row of units
        units |= dict(raw.iloc[0].dropna())
        raw = raw.iloc[1:]
    if not len(raw):
        raise InputError(f"{path}: the table has no rows, expected fixes of drifters")
    if {"variable", "value"} <= set(raw):
        raw = _wide(raw, path)
    if not set(raw) & set(_NAMES["id"]):
        raise InputError(f"{path}: no id of drifters ({', '.join(_NAMES['id'])}); the file has {', '.join(raw)}")

    def typed(name: str) -> np.ndarray:
        if name in _DATES:
            return _dates(raw[name])
        if name in _NAMES["id"]:
            return raw[name].fillna("").to_numpy(str)
        return pd.to_numeric(raw[name], errors="coerce").to_numpy(np.float64)

    product = xr.Dataset({name: ("obs", typed(name), {"units": units.get(name, "")}) for name in raw})
    product.encoding = {"source": str(path), "cut": cut}
    return product


def _dates(values: pd.Series) -> np.ndarray:
    """Dates in UTC; what is none becomes NaT."""
    dates = pd.to_datetime(values, errors="coerce", utc=True, format="ISO8601")
    return plausible_dates(dates.dt.tz_localize(None).to_numpy())


def _wide(raw: pd.DataFrame, path: Path) -> pd.DataFrame:
    """A row a fix from a row a fix and variable."""
    keys = [name for name in ("platform_id", "time", "latitude", "longitude", "depth") if name in raw]
    if not {"platform_id", "time", "latitude", "longitude"} <= set(keys):
        raise InputError(f"{path}: expected columns platform_id, time, latitude, longitude beside variable and value")
    rows = raw.assign(variable=raw["variable"].astype(str).str.lower())
    rows = rows[rows["variable"].isin((*_U, *_V, *_NAMES["drogue"]))]
    if rows.empty:
        shown = ", ".join(sorted(map(str, raw["variable"].unique()))[:8])
        raise InputError(f"{path}: no velocities EWCT and NSCT among the variables, the file has {shown}")
    # A fix that is there twice would be two values in one place; numbered, the copies stay copies.
    rows["copy"] = rows.groupby([*keys, "variable"], dropna=False).cumcount()
    held = [name for name in ("value", "value_qc") if name in rows]
    wide = rows.pivot(index=[*keys, "copy"], columns="variable", values=held)
    wide.columns = [name + what.removeprefix("value") for what, name in wide.columns]
    return wide.reset_index()
