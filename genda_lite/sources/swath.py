"""SWOT: the sea level of KaRIn's two swaths, and of the nadir altimeter between them."""

import os
import re
from pathlib import Path

import numpy as np
import xarray as xr

from ..errors import InputError
from .altimetry import LIMIT, added, topography
from .files import (
    NO_RANGE,
    Box,
    in_box,
    open_product,
    optional,
    provenance,
    require,
    require_time,
    source_of,
    states_time,
    wrap_longitude,
)
from .points import at_pixels, pixel_places, point_set
from .report import Tally

PIXEL = 2.0  # km, the posting of low-rate products along and across the track
WIDEST = 1000.0  # km from nadir; what claims to lie farther is a fill value
# The greatest number of a flag's type, unsigned, is its fill value by NetCDF's custom, be it declared or not.
_SET, _SET_QUAL = {"quality_flag": (0, 2**8 - 2)}, (0, 2**32 - 2)

# Sums that make absolute dynamic topography: L3 of version 2 and later, L3 of version 1, L2 with its calibration.
_TOPOGRAPHY = (
    ("ssha_unfiltered", "mdt"),
    ("ssha_filtered", "mdt"),
    ("ssha", "mdt"),
    ("ssha_noiseless", "mdt"),
    ("ssha_karin_2", "height_cor_xover", "mean_dynamic_topography"),
)
PARTS = ("swath", "nadir", "all")


def read_swath(
    path: str | os.PathLike,
    part: str = "swath",
    variable: str | None = None,
    cell: float = PIXEL,
    box: Box | None = None,
) -> xr.Dataset:
    """Read a pass of SWOT: L3 Basic or Expert (AVISO), or L2 Expert (PO.DAAC).

    Of KaRIn, pixels that a flag (`quality_flag`, or `…_qual` of the variable) does not call good are dropped; a file
    without flags is edited already, as L3 Basic is. L3 keeps the nadir altimeter in the pixels that `i_num_line` and
    `i_num_pixel` list, which KaRIn's flag says nothing about.

    Args:
        path: a NetCDF file with two-dimensional latitude and longitude.
        part: "swath" (KaRIn), "nadir" or "all".
        variable: by default the sum of `mdt` and `ssha_unfiltered`, `ssha_filtered`, `ssha` or `ssha_noiseless`; of L2,
            `ssha_karin_2`, `height_cor_xover` and `mean_dynamic_topography`. An anomaly is read only when named.
        cell: km; pixels are averaged to squares of about this width, if half of each is valid. Neighbouring pixels
            have errors alike: 8 km lose little.
        box: west, east, south, north; only what lies inside is read and counted.
    Returns:
        dims (point,): `zos` (m), with coordinates `latitude`, `longitude`, `time` (NaT where the file has none),
        `across` (km from nadir, right of the flight positive; NaN if unknown), `nadir` (bool), and `cycle` and `track`
        where the file's name tells them. Attributes as for `read_tracks`, and `cell_km`.
    Raises:
        InputError: the file is unreadable, lacks a variable, is no swath; or no pixel is valid: the message counts why.
    """
    if part not in PARTS:
        raise InputError(f"part {part!r} of a swath is unknown, expected one of {', '.join(PARTS)}")
    if not PIXEL <= cell < 200:
        raise InputError(f"cells of {cell:g} km: expected at least the pixels' {PIXEL:g} km, and less than the swath")
    with open_product(path) as product:
        names = (variable,) if variable else topography(product, _TOPOGRAPHY)
        pixels, longitude = pixel_places(product)
        north, east, dims = pixels.values, longitude.values, pixels.dims
        addends = [require(product, name, dims, units="m").values for name in names]
        values = added(addends)
        applying = ["quality_flag", *(f"{name}_qual" for name in names)]  # in each, 0 is good
        flags = {name: optional(product, name, dims, bounds=_SET.get(name, _SET_QUAL)) for name in applying}
        time = _time(product, pixels)
        across = _across(product, pixels)
        nadir = _nadir(product, north.shape)
        attrs = provenance(product) | {"variable": " + ".join(names), "cell_km": float(cell)}

    fields = {"zos": values, "latitude": north, "east": east, "across": across}
    seconds = time.astype("datetime64[ns]").astype(np.int64)  # NaT is the least integer
    tally = Tally(in_box(box, north, east) & {"swath": ~nadir, "nadir": nadir, "all": True}[part])
    for name, flag in flags.items():
        if flag is not None:
            tally.flagged(np.where(nadir, 0, flag), lambda flag: flag == 0, "flagged bad", name)
    tally.sound(values, (-LIMIT, LIMIT), north, east)
    report, valid = tally.report(attrs["source"], "pixels"), tally.keep
    hint = "" if report.kept else f", nothing to assimilate{_other_ways(names, part, nadir, values, addends[0])}"
    report.expect_some(f"{path}: no pixel of the {part} is valid", box, hint)

    swath = [_averaged(fields, seconds, valid & ~nadir, round(cell / PIXEL))]
    swath += [_averaged(fields, seconds, valid & nadir, 1)]
    count = [len(table["zos"]) for table in swath]
    table = {name: np.concatenate([one[name] for one in swath]) for name in swath[0]}
    if not sum(count):
        raise InputError(f"{path}: no cell of {cell:g} km is half valid, expected a smaller cell")
    numbers = re.search(r"_(\d{3})_(\d{3})_\d{8}T", Path(path).name)
    extra = dict(zip(("cycle", "track"), map(int, numbers.groups()), strict=True)) if numbers else {}
    extra = {name: np.full(sum(count), number) for name, number in extra.items()}
    zos = {"zos": (table["zos"], {"units": "m", "long_name": "Sea level"})}
    east, parts = wrap_longitude(table["east"]), np.repeat([False, True], count)
    across = xr.Variable("point", table["across"], {"units": "km"})
    ds = point_set(zos, table["latitude"], east, table["time"], attrs, report, nadir=parts, **extra)
    return ds.assign_coords(across=across)


def _other_ways(names: tuple[str, ...], part: str, nadir: np.ndarray, values: np.ndarray, anomaly: np.ndarray) -> str:
    """What else a file without a valid pixel has to offer."""
    ways = [("", values, ""), (names[0], anomaly, f", variable='{names[0]}'")]
    for what, has, variable in ways[: len(names)]:
        count = int((nadir & np.isfinite(has)).sum())
        if count and (part == "swath" or what):
            only = f" hold '{what}' without '{names[1]}' and" if what else ""
            return f"; its {count} nadir points{only} are read by part='nadir'{variable}"
    return ""


def _time(product: xr.Dataset, pixels: xr.DataArray) -> np.ndarray:
    """The time of each pixel, or of its line."""
    if not states_time(product):
        return np.full(pixels.shape, np.datetime64("NaT", "ns"))
    return at_pixels(product, require_time(product), pixels)


def _across(product: xr.Dataset, pixels: xr.DataArray) -> np.ndarray:
    """Distance from nadir of each pixel (km)."""
    distance = optional(product, "cross_track_distance", bounds=NO_RANGE)
    if distance is None:
        return np.full(pixels.shape, np.nan)
    metres = str(distance.attrs.get("units", "km")).strip() in ("m", "metre", "meters", "metres")
    distance = at_pixels(product, distance, pixels).astype(np.float64) / (1e3 if metres else 1.0)
    return np.where(np.abs(distance) < WIDEST, distance, np.nan)


def _nadir(product: xr.Dataset, shape: tuple[int, int]) -> np.ndarray:
    """Which pixels hold values of the nadir altimeter."""
    nadir = np.zeros(shape, bool)
    if "i_num_line" in product.variables and "i_num_pixel" in product.variables:
        line, pixel = (require(product, name, bounds=NO_RANGE).values for name in ("i_num_line", "i_num_pixel"))
        known = np.isfinite(line.astype(float)) & np.isfinite(pixel.astype(float))
        line, pixel = line[known].astype(int), pixel[known].astype(int)
        if ((line < 0) | (line >= shape[0]) | (pixel < 0) | (pixel >= shape[1])).any():
            raise InputError(f"{source_of(product)}: 'i_num_line' and 'i_num_pixel' point outside the {shape} pixels")
        nadir[line, pixel] = True
    return nadir


def _averaged(fields: dict[str, np.ndarray], time: np.ndarray, valid: np.ndarray, width: int) -> dict[str, np.ndarray]:
    """Means over squares of `width` pixels of which at least half are valid, one point each."""
    lines, pixels = np.nonzero(valid)
    across = -(-valid.shape[1] // width)
    square, first, place, count = np.unique(
        lines // width * across + pixels // width, return_index=True, return_inverse=True, return_counts=True
    )
    half = count >= width**2 / 2

    def mean(name):
        values = fields[name][lines, pixels]
        step = values - values[first][place]
        if name == "east":  # a square may straddle 180 degrees
            step = (step + 180) % 360 - 180
        return (values[first] + np.bincount(place, step, len(square)) / count)[half]

    table = {name: mean(name) for name in fields}
    start, nat = time[lines, pixels], np.iinfo(np.int64).min
    known, last = start != nat, start.max(initial=0)
    lag = np.bincount(place, np.where(known, start - last, 0), len(square))
    times = np.bincount(place, known, len(square))
    mean_time = last + np.rint(lag / np.maximum(times, 1)).astype(np.int64)
    table["time"] = np.where(times > 0, mean_time, nat)[half].astype("datetime64[ns]")
    return table
