"""The ocean of GLORYS12 and the wind of ERA5: years of daily fields, read lazily, on one grid with one set of names.

With dask the fields are read in blocks of days when they are computed; without it they are read at once. What can be
told from the headers, and from three frames of each variable, is told at once; all other values are checked when they
are read.
"""

import warnings

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError
from ..state import TABLE, VARIABLES, as_channel, channels
from .files import (
    DEPTH_NAMES,
    Box,
    Paths,
    as_day,
    conversion,
    cut,
    days_per_block,
    held,
    listed,
    open_product,
    provenance,
    regular,
    source_name,
    source_of,
    stretch,
    times_of,
    turned,
)
from .ranges import FILLS, in_range
from .report import Report

# Of each, its names in files: those of GLORYS12, HYCOM and NEMO; of models of the climate, ERA5, Copernicus and CCMP.
HYCOM = {"zos": "surf_el", "thetao": "water_temp", "so": "salinity", "uo": "water_u", "vo": "water_v"}
NEMO = {"zos": "sossheig", "thetao": "votemper", "so": "vosaline", "uo": "vozocrtx", "vo": "vomecrty"}
OCEAN = {name: (name, HYCOM[name], NEMO[name]) for name in channels("ocean", "current")}
WIND = {"uas": ("uas", "u10", "eastward_wind", "uwnd"), "vas": ("vas", "v10", "northward_wind", "vwnd")}

# "Currents at 15 m" is the depth of drogued drifters and of GenDA; below about twice that it is another current.
SURFACE, CURRENT_DEPTH, DEEPEST = 0.0, 15.0, 30.0  # m

_DIMS = ("time", "latitude", "longitude")


def read_glorys(paths: Paths) -> xr.Dataset:
    """Read daily means of the ocean: GLORYS12, or any reanalysis with its names.

    Args:
        paths: NetCDF files or Zarr stores, in any order: each may hold some of the days and some of the variables
            `zos`, `thetao`, `so`, `uo`, `vo`, or HYCOM's `surf_el`, `water_temp`, `salinity`, `water_u`, `water_v`, or
            NEMO's `sossheig`, `votemper`, `vosaline`, `vozocrtx`, `vomecrty`, with a depth axis or none.
    Returns:
        dims (time, latitude, longitude), float32: `zos` (m), `thetao` (degC), `so` (1e-3) at the uppermost level,
        `uo`, `vo` (m s-1) at the level nearest 15 m; NaN on land. Attributes: `depth_m` of each variable that states
        one, `missing_days` and which, `source`, `product`.
    Raises:
        InputError: a variable is missing; its units are unknown or its values are not of those units; no level is near
            the surface; the files lie on different grids or hold a day twice; there is no sea.
    """
    depths = {"thetao": SURFACE, "so": SURFACE, "uo": CURRENT_DEPTH, "vo": CURRENT_DEPTH}
    ocean = series([open_product(path) for path in listed(paths)], OCEAN, depths)
    days = ocean["time"].values.astype("datetime64[D]")
    twice = days[1:][days[1:] == days[:-1]]
    if len(twice):
        raise InputError(f"{ocean.attrs['source']}: several fields on {twice[0]}, expected daily means")
    ocean.attrs |= _gaps(days)
    return ocean


def read_winds(paths: Paths) -> xr.Dataset:
    """Read the wind at 10 m as daily means: ERA5, or any product with its names.

    Days that hold fewer values than others, such as the last of a series cut at midnight, have no daily mean and are
    left out, with a warning.

    Args:
        paths: NetCDF files or Zarr stores, in any order, with `u10`, `v10`, or `uas`, `vas`, or `eastward_wind`,
            `northward_wind`, or `uwnd`, `vwnd`, hourly to daily.
    Returns:
        dims (time, latitude, longitude), float32: `uas`, `vas` (m s-1), time at the beginning of each day. Attributes:
        `values_per_day`, `missing_days`, `source`, `product`.
    Raises:
        InputError: as in `read_glorys`.
    """
    winds = series([open_product(path) for path in listed(paths)], WIND, {})
    days, day_of, counts = np.unique(
        winds["time"].values.astype("datetime64[D]"), return_inverse=True, return_counts=True
    )
    often = int(counts.max())
    whole = counts == often
    if not whole.all():
        shown = ", ".join(str(day) for day in days[~whole][:3])
        warnings.warn(
            f"{winds.attrs['source']}: {(~whole).sum()} day(s) hold fewer than {often} winds ({shown}); left out",
            stacklevel=2,
        )
        winds = winds.isel(time=np.flatnonzero(whole[day_of]))
    attrs = winds.attrs | {"values_per_day": often} | _gaps(days[whole])
    if often > 1:
        winds = winds.coarsen(time=often).mean()
    winds = winds.assign_coords(time=days[whole].astype("datetime64[ns]"))
    winds.attrs = attrs
    return winds.assign({name: as_channel(winds[name], name) for name in WIND})


def wind_of_day(paths: Paths, date: np.datetime64 | None, box: Box | None) -> xr.Dataset:
    """The daily mean wind of a date, in a box; of no date, that of the only day.

    Returns:
        dims (latitude, longitude): `uas`, `vas` (m s-1), at the middle of the day; attributes as of `read_winds`, and
        `report`.

    Raises:
        InputError: as `read_winds`; there is no such day, there are several and no date, or no point is in the box.
    """
    winds = read_winds(paths)
    if date is None and winds.sizes["time"] > 1:
        raise InputError(f"{winds.attrs['source']}: {winds.sizes['time']} days of wind, expected a date to choose one")
    days = winds["time"].values.astype("datetime64[D]")
    found = np.flatnonzero(days == date.astype("datetime64[D]")) if date is not None else np.array([0])
    if not len(found):
        raise InputError(f"{winds.attrs['source']}: no wind on {as_day(date)}, the files cover {days[0]} to {days[-1]}")
    winds = winds.isel(time=int(found[0]))
    middle = winds["time"].values.astype("datetime64[D]") + np.timedelta64(12, "h")
    winds = cut(winds.assign_coords(time=middle.astype("datetime64[ns]")), box).load()
    missing = int(winds["uas"].isnull().sum())
    report = Report(winds.attrs["source"], "cells", winds["uas"].size, {"without a value": missing} if missing else {})
    return winds.assign_attrs(report.attributes())


def join(ocean: xr.Dataset, winds: xr.Dataset) -> xr.Dataset:
    """Ocean and wind on the ocean's grid and the days that both have; lazy in, lazy out.

    The wind is interpolated linearly in latitude and longitude, and is NaN on land as the ocean is.

    Args:
        ocean: from `read_glorys`. winds: from `read_winds`.
    Returns:
        `zos thetao so uo vo uas vas`, as `prepare` takes them: longitudes of a sea across 180 degrees go on beyond it.
        Attribute `days_without_wind`: how many days of the ocean were left out.
    Raises:
        InputError: no day in common, or the winds do not cover the ocean's grid.
    """
    on, ocean = {}, turned(ocean)
    winds = turned(winds, float(ocean["longitude"].mean()))
    for dim in ("latitude", "longitude"):
        inner, outer = ocean[dim].values, winds[dim].values
        slack = 1e-3
        if inner.min() < outer.min() - slack or inner.max() > outer.max() + slack:
            raise InputError(
                f"the winds cover {dim}s {outer.min():g} to {outer.max():g}, "
                f"expected the ocean's {inner.min():g} to {inner.max():g}"
            )
        on[dim] = xr.DataArray(np.clip(inner, outer.min(), outer.max()), dims=dim)
    days, wind_days = (ds["time"].values.astype("datetime64[D]") for ds in (ocean, winds))
    common, ours, theirs = np.intersect1d(days, wind_days, return_indices=True)
    if not len(common):
        raise InputError(
            f"ocean ({days[0]} to {days[-1]}) and winds ({wind_days[0]} to {wind_days[-1]}) have no day in common"
        )
    joined = ocean.isel(time=stretch(ours))
    on = {dim: places for dim, places in on.items() if winds.sizes[dim] > 1}  # between one and itself lies nothing
    winds = winds.isel(time=stretch(theirs)).astype(float).interp(on, method="linear")
    winds = winds.assign_coords({dim: joined[dim] for dim in ("time", "latitude", "longitude")})
    if joined.chunks and winds.chunks:
        winds = winds.chunk(joined.chunks)
    sea = joined["zos"].notnull()
    joined = joined.assign({name: as_channel(winds[name].where(sea), name) for name in WIND})
    joined.attrs.pop("missing_from", None)
    told = {"wind_source": winds.attrs.get("source", ""), "days_without_wind": len(days) - len(common)}
    joined.attrs |= told | _gaps(common)
    return joined


def read_reanalysis(paths: Paths) -> xr.Dataset:
    """Read whatever `prepare` can take: files of a simulated ocean, or those of an ocean and of its wind together.

    Args:
        paths: files with all of `zos thetao so uo vo uas vas`, each its own stretch of time; or files for `read_glorys`
            and for `read_winds`, in any order.
    Raises:
        InputError: as in these.
    """
    paths = listed(paths)
    names = {}
    for path in paths:
        with open_product(path) as product:
            names[path] = set(product.variables)
    simulated = [path for path in paths if {*OCEAN, *WIND} <= names[path]]
    if len(simulated) == len(paths):
        parts = [_in_blocks(open_product(path)) for path in paths]
        try:
            return _in_order(parts, f"{paths[0]} and the like")
        except xr.AlignmentError as error:
            raise InputError(f"{paths[0]}: other files lie on another grid or hold other members") from error
    winds = [path for path in paths if names[path] & {alias for aliases in WIND.values() for alias in aliases}]
    ocean = [path for path in paths if path not in winds]
    if not winds or not ocean:
        raise InputError(
            f"{paths[0]} and {len(paths) - 1} other file(s) hold only {'winds' if winds else 'the ocean'}, expected "
            "files of both, or of a simulated ocean"
        )
    return join(read_glorys(ocean), read_winds(winds))


def series(
    products: list[xr.Dataset],
    variables: dict[str, tuple[str, ...]],
    depths: dict[str, float],
    needed: tuple[str, ...] | None = None,
) -> xr.Dataset:
    """Variables of one or more files, one after the other in time, on one grid and in the units of the state.

    Args:
        variables: of each its names in files. depths: of those at a level (m). needed: those that must be there; all.
    """
    try:
        return _series(list(map(tidy, products)), variables, depths, variables if needed is None else needed)
    except BaseException:
        for product in products:  # what is refused is closed
            product.close()
        raise


def _series(products, variables, depths, needed) -> xr.Dataset:
    parts: dict[str, list[xr.DataArray]] = {name: [] for name in variables}
    paths, levels, first = list(map(source_of, products)), {}, None
    for path, product in zip(paths, products, strict=True):
        for name, aliases in variables.items():
            for alias in [alias for alias in aliases if alias in product.data_vars][:1]:
                field, depth = _field(product, path, alias, name, depths.get(name))
                if levels.setdefault(name, depth) != depth:
                    raise InputError(f"{path}: '{alias}' lies at {depth} m, expected {levels[name]} m as before it")
                first = field if first is None else first
                parts[name].append(_on_grid(field, first, path, paths[0]))

    source, fields = source_name(paths), {}
    for name, found in parts.items():
        if not found and name in needed:
            expected = " or ".join(f"'{alias}'" for alias in variables[name])
            raise InputError(f"{source}: no variable {expected}; {held(products[0])}")
        if not found:
            continue
        series = _in_order(found, source)
        time = next(iter(fields.values()), series)["time"]
        if not np.array_equal(series["time"], time):
            raise InputError(f"{source}: '{name}' has other dates than '{next(iter(fields))}', expected the same")
        _probe(series, f"{source}: '{name}'")
        fields[name] = as_channel(series, name)
    ds = _in_blocks(xr.Dataset(fields, attrs=provenance(products[0]) | {"source": source}))
    told = [f"{name} {depth:g}" for name, depth in levels.items() if depth is not None]
    return ds.assign_attrs(depth_m=", ".join(told)) if told else ds


def _on_grid(field: xr.DataArray, first: xr.DataArray, path, first_path) -> xr.DataArray:
    """The field on the very coordinates of the first, from which it may differ by rounding."""
    for dim in ("latitude", "longitude"):
        ours, expected = field[dim].values, first[dim].values
        if len(ours) != len(expected) or not np.allclose(ours, expected, rtol=0, atol=1e-4):
            raise InputError(
                f"{path}: has {len(ours)} {dim}s from {ours[0]:g} to {ours[-1]:g}, expected {len(expected)} from "
                f"{expected[0]:g} to {expected[-1]:g} as in {first_path}"
            )
    return field.assign_coords({dim: first[dim] for dim in ("latitude", "longitude")})


def tidy(product: xr.Dataset) -> xr.Dataset:
    """Coordinates under their usual names; longitude in [-180, 180), time in dates. The order is that of the file.

    Raises:
        InputError: no regular grid, or no date of the standard calendar; see `files.regular`.
    """
    source = source_of(product)
    time = times_of(product)
    name, known = str(time.name), np.atleast_1d(~np.isnat(time.values))
    if not known.any():
        raise InputError(f"{source}: no '{name}' with dates of the standard calendar; {held(product)}")
    product = regular(product.drop_vars([name, "time"], errors="ignore"))
    if time.ndim == 0:
        product = product.squeeze("time") if product.sizes.get("time") == 1 else product
        if "time" in product.dims:
            raise InputError(f"{source}: one time for {product.sizes['time']} fields, expected a time for each")
        product, time = product.expand_dims("time"), time.expand_dims("time")
    if time.dims != (name,) and time.dims != ("time",):
        raise InputError(f"{source}: '{name}' has dimensions {time.dims}, expected a regular grid")
    product = product.rename({time.dims[0]: "time"} if time.dims[0] != "time" else {})
    if not known.all():
        told = f"{source}: {(~known).sum()} of {known.size} times are missing, and their fields left out"
        warnings.warn(told, stacklevel=2)
    dated = product.assign_coords(time=("time", time.values, {"standard_name": "time"}))
    return dated if known.all() else dated.isel(time=stretch(np.flatnonzero(known)))


def _in_blocks(ds):
    """Cut a data set or array into chunks of days if dask is there; otherwise leave it to be read as a whole."""
    try:
        import dask  # noqa: F401
    except ImportError:
        return ds
    points = int(np.prod([size for dim, size in ds.sizes.items() if dim != "time"]))
    return ds.chunk({dim: -1 for dim in ds.dims} | {"time": days_per_block(points)})


def _in_order(parts: list, source: str):
    """Data sets or arrays of several files one after the other in time."""
    series = parts[0] if len(parts) == 1 else xr.concat(parts, "time", join="exact", combine_attrs="override")
    if not (np.diff(series["time"].values) > np.timedelta64(0)).all():
        series = series.sortby("time")
        time = series["time"].values
        twice = time[1:][np.diff(time) == np.timedelta64(0)]
        if len(twice):
            raise InputError(f"{source}: {pd.Timestamp(twice[0])} occurs twice, expected each time once")
    return series


def _field(product: xr.Dataset, path: str, alias: str, name: str, depth: float | None):
    """One variable at its level, in the units of the state, lazily; and the level's depth (m), if it is stated."""
    field, level = product[alias], None
    factor, offset = conversion(field, VARIABLES[name]["units"], path)
    axis = next((axis for axis in field.coords if str(axis).lower() in DEPTH_NAMES), None)
    if axis is not None and depth is not None:
        metres = conversion(field[axis], "m", path)[0] if "units" in field[axis].attrs else 1.0
        levels = metres * np.atleast_1d(abs(field[axis].values.astype(float)))  # some files count from zero downward
        nearest = int(np.argmin(np.nan_to_num(abs(levels - depth), nan=np.inf)))
        level = round(float(levels[nearest]), 3)
        if level > DEEPEST:
            raise InputError(f"{path}: '{alias}' has no level above {level:g} m, expected one within {DEEPEST:g} m")
        field = field.isel({axis: nearest}) if axis in field.dims else field
    field = field.reset_coords(drop=True)
    field = field.squeeze([dim for dim in field.dims if field.sizes[dim] == 1 and dim not in _DIMS], drop=True)
    if set(field.dims) != set(_DIMS):
        raise InputError(f"{path}: '{alias}' has dimensions {field.dims}, expected {', '.join(_DIMS)}")
    field = _in_blocks(field.transpose(*_DIMS))
    for dim in ("latitude", "longitude"):
        if not (np.diff(field[dim]) > 0).all():  # 0 and 360 are one meridian
            field = field.sortby(dim).drop_duplicates(dim)
    scale, add = (field.encoding.get(key, none) for key, none in (("scale_factor", 1.0), ("add_offset", 0.0)))
    field = xr.apply_ufunc(
        _plausible,
        field,
        kwargs={
            "factor": factor,
            "offset": offset,
            "bounds": TABLE[name].plausible,
            "fills": np.unique(np.concatenate([FILLS, FILLS * scale + add])),
            "meta": xr.Variable((), 0, field.attrs, field.encoding),
            "what": f"{path}: '{alias}' (stated units '{field.attrs['units']}')",
            "units": VARIABLES[name]["units"],
        },
        dask="parallelized",
        output_dtypes=["f4"],
        keep_attrs=False,
    )
    return field, level


def _plausible(
    values: np.ndarray, factor, offset, bounds, fills: np.ndarray, meta: xr.Variable, what: str, units: str
) -> np.ndarray:
    """Convert values to the units of the state; what is outside the stated range, and undeclared fill values, become
    NaN, other nonsense is refused."""
    values = np.where(in_range(values, meta, [(bound - offset) / factor for bound in bounds]), values, np.nan)
    converted = values * factor + offset
    outside = (converted < bounds[0]) | (converted > bounds[1])
    if outside.any():
        suspect = np.unique(values[outside])
        wrong = suspect[~np.isclose(suspect[:, None], fills, rtol=1e-5, atol=0).any(1)] * factor + offset
        if len(wrong):
            raise InputError(
                f"{what} has values from {wrong.min():.4g} to {wrong.max():.4g} {units}, "
                f"expected {bounds[0]:g} to {bounds[1]:g}"
            )
        converted = np.where(outside, np.nan, converted)
    return converted.astype("f4")


def _probe(series: xr.DataArray, what: str) -> None:
    """Read the first, the middle and the last frame, so that what is wrong with all of them is told before the work."""
    last = series.sizes["time"] - 1
    if not series.isel(time=sorted({0, last // 2, last})).notnull().any():
        raise InputError(f"{what} has no valid value, expected a box with some sea")


def _gaps(days: np.ndarray) -> dict[str, object]:
    """Attributes that tell which days between the first and the last are missing."""
    every = np.arange(days[0], days[-1] + 1)
    missing = np.setdiff1d(every, days)
    told: dict[str, object] = {"missing_days": len(missing)}
    if len(missing):
        first = [missing[0], *missing[1:][np.diff(missing) > np.timedelta64(1, "D")]]
        shown = ", ".join(str(day) for day in first[:5])
        told["missing_from"] = shown + (f" and {len(first) - 5} more gaps" if len(first) > 5 else "")
    return told
