"""From the files of real products to observations: what each file is, how well it measures, how smooth it is.

    observations, reports = read_observations(["tracks.nc", "sst.nc", "swot.nc"], "2017-04-02", box=(-66, -54, 32, 44))
"""

from collections.abc import Callable, Sequence
from functools import partial, reduce
from operator import add

import numpy as np
import xarray as xr

from ..errors import InputError
from ..sources import open_product, read_salinity, read_sea_level_map, read_swath, read_temperature, read_tracks
from ..sources.files import Box, Paths, as_date, far_from, find_coordinate, in_box, listed, source_name
from ..sources.reanalysis import OCEAN, WIND, read_winds
from ..sources.report import NothingValid, Report
from ..state import KM_PER_DEGREE
from .instruments import DAY, MAPS, InstrumentErrors
from .table import Observations

SWATH_CELL = 8.0  # km, to which SWOT's pixels are averaged

_WINDS = {alias for aliases in WIND.values() for alias in aliases}
_TEMPERATURES = {"analysed_sst", "adjusted_sea_surface_temperature", "sea_surface_temperature"}
_SALINITIES = {"sos", "sss", "sss_smap", "smap_sss"}
_DRIFTERS = {"ewct", "nsct", "ve", "vn"}


def kind_of(path) -> str:
    """What a file holds: "tracks", "swath", "sea level", "temperature L3" or "L4", "salinity" or "wind".

    Raises:
        InputError: it is unreadable, or holds no product that is an observation of the state: drifters and reanalyses
            are named as such.
    """
    if str(path).lower().endswith((".csv", ".txt", ".csv.gz")):
        raise InputError(f"{path}: tables are drifters, which verify analyses and are no observations: read_drifters")
    with open_product(path) as product:
        names = {str(name) for name in product.variables}
        if {name.lower() for name in names} & _DRIFTERS:
            raise InputError(f"{path}: drifters verify analyses and are no observations: read them by read_drifters")
        if names & _WINDS:
            return "wind"
        if names & _TEMPERATURES:
            return "temperature L4" if "analysed_sst" in names else "temperature L3"
        if names & _SALINITIES:
            return "salinity"
        if names & {*OCEAN} and "adt" not in names:
            raise InputError(f"{path}: an ocean model or reanalysis is no observation: read it by read_glorys")
        latitude, longitude = (product[find_coordinate(product, kind)] for kind in ("latitude", "longitude"))
        if latitude.ndim == 2:
            return "swath"
        return "tracks" if latitude.dims == longitude.dims else "sea level"


def read_observations(
    paths: Paths,
    date=None,
    box: Box | None = None,
    window: float = 5.0,
    errors: InstrumentErrors | None = None,
) -> tuple[Observations, list[Report]]:
    """Read the files of real products as observations of one day's state.

    Errors are those of `instruments`: along tracks and swaths instrument, representativity and the sea's drift from the
    observation to the date; maps (L4) are Gaussian means of the width and with the error of `instruments.MAPS`, thinned
    to two widths, their error counted pi times in variance because it is smooth (see `instruments.smooth_map`).
    Satellites' temperature (L3) has its stated errors, at least the sensor's, and that of representativity.

    Args:
        paths: files in any order and of any kind that `kind_of` knows; of each kind of map that of the date is taken.
        date: of the analysis (UTC). None takes the first map of each file, and all altimetry as if simultaneous.
        box: west, east, south, north; only what lies inside is read.
        window: days of altimetry before, and after, the date.
        errors: of the instruments.

    Returns:
        the observations, each product a source of its own; and for each kind what was read and left out.

    Raises:
        InputError: a file cannot be read or recognised, none holds the date, or nothing is left.
    """
    errors = errors or InstrumentErrors()
    date = None if date is None else as_date(date)
    files: dict[str, list] = {}
    for path in listed(paths):
        files.setdefault(kind_of(path), []).append(path)
    tables, reports, refused = [], [], []
    for kind, group in files.items():
        for read in _readers(kind, group, date, box):
            try:
                table, report = _table(kind, read(), date, window, errors)
            except NothingValid as nothing:  # one file without a valid value does not spoil the others
                table, report = [], nothing.report
                refused.append(str(nothing))
            tables += table
            reports.append(report)
    if not tables:
        told = "; ".join(refused or map(str, reports))
        raise InputError(told if refused else f"no observation within {window:g} days of {date}: {told}")
    return reduce(add, tables), reports


def _readers(kind: str, paths: Sequence, date, box: Box | None) -> list[Callable[[], xr.Dataset]]:
    """Each reads what makes one table."""
    if kind == "tracks":
        return [partial(read_tracks, paths, box=box)]
    if kind == "swath":
        return [partial(read_swath, path, cell=SWATH_CELL, box=box) for path in paths]
    return [partial(_winds, paths, date, box) if kind == "wind" else partial(_of_day, kind, paths, date, box)]


def _table(
    kind: str, ds: xr.Dataset, date, window: float, errors: InstrumentErrors
) -> tuple[list[Observations], Report]:
    report = Report.of(ds)
    if kind in ("tracks", "swath"):
        now = ds["time"].values if date is None else date
        lag = np.abs((ds["time"].values - now) / DAY)
        if kind == "tracks":
            variance = errors.nadir_variance(ds, now)
        else:
            variance = errors.swath_variance(ds.assign_coords(across=ds["across"].fillna(0.0)), now, SWATH_CELL)
        late = lag > window  # an unknown time counts as that of the analysis
        variance = np.where(np.isnan(variance), np.nanmax(np.append(variance, errors.drift(window))), variance)
        if late.any():
            dropped = report.dropped | {f"more than {window:g} days from the date": int(late.sum())}
            report = Report(report.source, report.what, report.read, dropped)
        if late.all():
            return [], report
        points = ds.assign(error=("point", np.sqrt(variance))).isel(point=~late)
        return [Observations.from_points(points, "zos", "error", "zos")], report
    channels = [name for name in ("zos", "thetao", "so", "uas", "vas") if name in ds]
    if ds.attrs.get("processing_level") == "L3":
        stated = ds["error"].fillna(errors.temperature) if "error" in ds else xr.zeros_like(ds["thetao"])
        error = np.hypot(np.maximum(stated, errors.temperature), errors.representativity_temperature)
        return [Observations.from_grid(ds["thetao"], "thetao", error)], report
    return [_smooth(ds[channel], channel) for channel in channels], report


def _smooth(field: xr.DataArray, channel: str) -> Observations:
    """A map (L4) as Gaussian means at points two widths apart."""
    product = MAPS[channel]
    middle = np.cos(np.radians(field["latitude"].values.mean()))
    steps = [np.median(np.diff(field[dim].values)) for dim in ("latitude", "longitude")]
    every = [max(1, round(2 * product.width / (KM_PER_DEGREE * step))) for step in (steps[0], steps[1] * middle)]
    # No further apart than the map is wide, or a small map would lose all its points.
    place = [slice(min(n // 2, size - 1), None, n) for n, size in zip(every, field.shape, strict=True)]
    error = float(np.sqrt(np.pi) * product.error)
    return Observations.from_grid(field[place[0], place[1]], channel, error, smoothing=product.width)


def _of_day(kind: str, paths: Sequence, date, box: Box | None) -> xr.Dataset:
    """The map of the date, from the file that holds the nearest time."""
    readers = {"sea level": read_sea_level_map, "salinity": read_salinity}
    read = readers.get(kind, read_temperature)
    maps, refused = [], []
    for path in paths:
        try:
            maps.append(read(path, date, box))
        except InputError as error:
            refused.append(error)
            if len(paths) == 1 or "no map within a day" not in str(error):
                raise
        if date is None:
            break
    if not maps:
        raise InputError(f"{source_name(paths)}: no map of {kind} within a day of {date}")
    return min(maps, key=lambda one: far_from(one["time"].values, date)) if len(maps) > 1 else maps[0]


def _winds(paths: Sequence, date, box: Box | None) -> xr.Dataset:
    """The daily mean wind of the date."""
    winds = read_winds(paths)
    if date is None and winds.sizes["time"] > 1:
        raise InputError(f"{winds.attrs['source']}: {winds.sizes['time']} days of wind, expected a date to choose one")
    days = winds["time"].values.astype("datetime64[D]")
    found = np.flatnonzero(days == date.astype("datetime64[D]")) if date is not None else np.array([0])
    if not len(found):
        raise InputError(f"{winds.attrs['source']}: no wind on {date}, the files cover {days[0]} to {days[-1]}")
    winds = winds.isel(time=int(found[0]))
    if box is not None:
        rows = in_box(box, winds["latitude"].values, np.full(winds.sizes["latitude"], box[0]))
        columns = in_box(box, np.full(winds.sizes["longitude"], box[2]), winds["longitude"].values)
        if not (rows.any() and columns.any()):
            raise InputError(f"{winds.attrs['source']}: no point in the box {box}")
        winds = winds.isel(latitude=rows, longitude=columns)
    winds = winds.load()
    missing = int(winds["uas"].isnull().sum())
    report = Report(winds.attrs["source"], "cells", winds["uas"].size, {"without a value": missing} if missing else {})
    return winds.assign_attrs({"processing_level": "L4"} | report.attributes())
