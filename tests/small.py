"""Small files of every product, as providers write them: numbers not decoded, so that a test can spoil each of them.

All show one sea, whose values follow from where and when they are: what a reader gives can be judged point by point.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h5netcdf
import numpy as np
import xarray as xr

from genda_lite.sources import (
    read_climatology,
    read_drifters,
    read_glorys,
    read_salinity,
    read_sea_level_map,
    read_swath,
    read_temperature,
    read_temperature_swath,
    read_tracks,
    read_winds,
)

NOON = np.datetime64("2017-04-02T12:00", "ns")
DAYS = {"units": "days since 1950-01-01", "calendar": "standard"}
NORTH, EAST = {"units": "degrees_north"}, {"units": "degrees_east"}
WEST, SOUTH = -62.0, 36.0


def days(time: np.ndarray) -> np.ndarray:
    """Times as numbers of `DAYS`."""
    return (time - np.datetime64("1950-01-01", "ns")) / np.timedelta64(1, "D")


def sea(channel: str, latitude, longitude) -> np.ndarray:
    """The truth of a channel at points: of any longitude, in its units."""
    wave = np.sin(np.radians(3.0 * longitude)) + 0.2 * (latitude - 38.0)
    mean, scale = {"zos": (0.1, 0.3), "thetao": (18.0, 2.0), "so": (35.0, 0.5), "error": (0.05, 0.0)}.get(
        channel, (0.2, 0.3)
    )
    return mean + scale * wave


def raw(dims: tuple, coords: dict, variables: dict, **attrs) -> xr.Dataset:
    """Variables with their attributes, no fill value that is not asked for."""
    ds = xr.Dataset({name: (d, values, a) for name, (d, values, a) in (coords | variables).items()}, attrs=attrs)
    for name in ds.variables:
        ds[name].encoding["_FillValue"] = None
    return ds


def tracks(n=40, west=WEST) -> xr.Dataset:
    along = np.arange(n)
    latitude, longitude = SOUTH + 0.1 * along, west + 0.05 * along
    coords = {
        "time": (("time",), days(NOON + along * np.timedelta64(1, "s")), DAYS),
        "latitude": (("time",), latitude, NORTH),
        "longitude": (("time",), longitude, EAST),
    }
    values = {"adt": (("time",), sea("zos", latitude, longitude), {"units": "m"})}
    return raw(("time",), coords, values, platform="Altika", title="Tracks")


def field(names: dict, west=WEST, times=1, depth=None, axes=("latitude", "longitude")) -> xr.Dataset:
    """A map; name in the file -> channel, units, and what to add to the truth in them."""
    latitude, longitude = SOUTH + 0.25 * np.arange(12), west + 0.25 * np.arange(14)
    when = NOON + np.arange(times) * np.timedelta64(1, "D")
    coords = {
        "time": (("time",), days(when), DAYS),
        axes[0]: ((axes[0],), latitude, NORTH),
        axes[1]: ((axes[1],), longitude, EAST),
    }
    dims = ("time", *axes)
    values = {}
    for name, (channel, units, add) in names.items():
        truth = np.broadcast_to(sea(channel, latitude[:, None], longitude) + add, (times, 12, 14)).copy()
        values[name] = (dims, truth, {"units": units} if units else {})
    return raw(dims, coords, values, title="Map")


def sea_level(**where) -> xr.Dataset:
    names = {"adt": ("zos", "m", 0.0), "ugos": ("uo", "m/s", 0.0), "vgos": ("vo", "m/s", 0.0)}
    return field(names | {"err_sla": ("error", "m", 0.0)}, **where)


def temperature(**where) -> xr.Dataset:
    names = {"analysed_sst": ("thetao", "kelvin", 273.15), "analysis_error": ("error", "kelvin", 0.0)}
    ds = field(names, axes=("lat", "lon"), **where)
    return ds.assign(mask=(ds.analysed_sst.dims, np.ones(ds.analysed_sst.shape, np.int8)))


def salinity(**where) -> xr.Dataset:
    return field({"sos": ("so", "1e-3", 0.0)}, **where)


def winds(**where) -> xr.Dataset:
    return field({"u10": ("uas", "m s**-1", 0.0), "v10": ("vas", "m s**-1", 0.0)}, times=2, **where)


def glorys(**where) -> xr.Dataset:
    units = {"zos": "m", "thetao": "degrees_C", "so": "1e-3", "uo": "m s-1", "vo": "m s-1"}
    return field({name: (name, unit, 0.0) for name, unit in units.items()}, times=2, **where)


def climatology(**where) -> xr.Dataset:
    """April of the World Ocean Atlas, whose times are months since a year of the past."""
    names = {"t_an": ("thetao", "degrees_celsius", 0.0), "s_an": ("so", "1", 0.0)}
    ds = field(names, axes=("lat", "lon"), **where).drop_vars("time")
    ds["time"] = ("time", np.array([3.5]), {"units": "months since 1955-01-01 00:00:00"})
    ds["time"].encoding["_FillValue"] = None
    return ds


def swath(west=WEST) -> xr.Dataset:
    line, pixel = np.arange(20)[:, None], np.arange(10)
    latitude, longitude = SOUTH + 0.02 * line + 0.0 * pixel, west + 0.02 * pixel + 0.0 * line
    dims = ("num_lines", "num_pixels")
    coords = {
        "time": (dims[:1], days(NOON + line[:, 0] * np.timedelta64(300, "ms")), DAYS),
        "latitude": (dims, latitude, NORTH),
        "longitude": (dims, longitude, EAST),
    }
    values = {
        "ssha_filtered": (dims, sea("zos", latitude, longitude) - 0.5, {"units": "m"}),
        "mdt": (dims, np.full((20, 10), 0.5), {"units": "m"}),
        "quality_flag": (dims, np.zeros((20, 10), np.uint8), {}),
    }
    return raw(dims, coords, values, title="Swath")


def pixels(west=WEST) -> xr.Dataset:
    """GHRSST L2P: one time for all, and the seconds of each pixel after it."""
    line, pixel = np.arange(20)[:, None], np.arange(10)
    latitude, longitude = SOUTH + 0.02 * line + 0.0 * pixel, west + 0.02 * pixel + 0.0 * line
    dims = ("time", "nj", "ni")
    coords = {
        "time": (("time",), days(np.array([NOON])), DAYS),
        "lat": (dims[1:], latitude, NORTH),
        "lon": (dims[1:], longitude, EAST),
    }
    values = {
        "sea_surface_temperature": (dims, sea("thetao", latitude, longitude)[None] + 273.15, {"units": "kelvin"}),
        "sst_dtime": (dims, 2.0 * line[None] + np.zeros((1, 1, 10)), {"units": "seconds"}),
        "quality_level": (dims, np.full((1, 20, 10), 5, np.int8), {}),
    }
    return raw(dims, coords, values, title="Pixels")


def drifter(west=WEST, n=40) -> xr.Dataset:
    hours = np.arange(n)
    latitude, longitude = SOUTH + 0.01 * hours, west + 0.02 * hours
    coords = {
        "TIME": (("TIME",), days(NOON + hours * np.timedelta64(1, "h")), DAYS),
        "LATITUDE": (("TIME",), latitude, NORTH),
        "LONGITUDE": (("TIME",), longitude, EAST),
    }
    values = {
        "EWCT": (("TIME",), sea("uo", latitude, longitude), {"units": "m s-1"}),
        "NSCT": (("TIME",), sea("vo", latitude, longitude), {"units": "m s-1"}),
        "EWCT_QC": (("TIME",), np.ones(n, np.int8), {}),
    }
    return raw(("TIME",), coords, values, platform_code="101")


@dataclass(frozen=True)
class Product:
    """A product: what makes its file, what reads it, the channels that come out, and of what in the file each is.

    `dated`: whether its times are days, and not the same in all years.
    """

    make: Callable[..., xr.Dataset]
    read: Callable
    channels: dict[str, str]
    dated: bool = True


PRODUCTS = {
    "tracks": Product(tracks, read_tracks, {"zos": "adt"}),
    "sea level": Product(sea_level, read_sea_level_map, {"zos": "adt", "ugos": "ugos", "vgos": "vgos"}),
    "temperature": Product(temperature, read_temperature, {"thetao": "analysed_sst"}),
    "salinity": Product(salinity, read_salinity, {"so": "sos"}),
    "winds": Product(winds, read_winds, {"uas": "u10", "vas": "v10"}),
    "ocean": Product(glorys, read_glorys, {name: name for name in ("zos", "thetao", "so", "uo", "vo")}),
    "climatology": Product(climatology, read_climatology, {"thetao": "t_an", "so": "s_an"}, dated=False),
    "swath": Product(swath, read_swath, {"zos": "ssha_filtered"}),
    "pixels": Product(pixels, read_temperature_swath, {"thetao": "sea_surface_temperature"}),
    "drifters": Product(drifter, read_drifters, {"u": "EWCT", "v": "NSCT"}),
}


def write(ds: xr.Dataset, path: Path, group: str = "/") -> Path:
    """Write a data set with checksums of all that HDF5 has them for, so that damage can be seen."""
    with h5netcdf.File(path, "w", libver="latest") as file:
        target = file if group == "/" else file.create_group(group)
        target.dimensions = dict(ds.sizes)
        for name, variable in ds.variables.items():
            fill = variable.encoding.get("_FillValue")
            options = {"chunks": variable.shape, "fletcher32": True} if variable.size and variable.ndim else {}
            made = target.create_variable(str(name), variable.dims, variable.dtype, fillvalue=fill, **options)
            if variable.size:
                made[...] = variable.values
            for key, value in variable.attrs.items():
                made.attrs[key] = value
        for key, value in ds.attrs.items():
            file.attrs[key] = value
    return path
