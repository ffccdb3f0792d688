"""Fetching from servers that ask for no account: grids and tables of ERDDAP, and HYCOM's reanalysis by OPeNDAP.

ERDDAP cuts on the server and answers with a file: `erddapy` builds the address, `pooch` writes the answer to the disk.
Of HYCOM the days are read one after the other through xarray, averaged, and written as a file of daily means.
"""

from urllib.parse import quote

import numpy as np
import pandas as pd
import pooch
import xarray as xr

from ..files import atomic_path
from .files import ROUNDING, Box
from .pieces import NothingThere, Piece, client

TIMEOUT = 600.0  # s without a byte; servers cut the box before they send any
STEP = 0.08  # degrees between HYCOM's latitudes south of 40 N; north of it they lie twice as close


def fetch_grid(piece: Piece, box: Box) -> None:
    """A file that ERDDAP's griddap cuts to the box, every `stride`-th cell."""
    subset, (first, every) = piece.subset, piece.subset.hours
    west, east, south, north = _widened(box, subset.margin)
    last = piece.until + pd.Timedelta(hours=24 - every + first)
    corners = {
        "time": (_stamp(piece.begin + pd.Timedelta(hours=first)), 1, _stamp(last)),
        "latitude": (south, subset.stride, north),
        "longitude": (west, subset.stride, east),
    }
    parts = {">=": 0, "_step": 1, "<=": 2}
    _retrieve(
        piece,
        protocol="griddap",
        response="nc",
        dim_names=list(corners),
        constraints={f"{dim}{end}": three[at] for dim, three in corners.items() for end, at in parts.items()},
    )


def fetch_table(piece: Piece, box: Box) -> None:
    """A table of what ERDDAP's tabledap has in the box."""
    west, east, south, north = _widened(box, piece.subset.margin)
    constraints = {
        "time>=": _stamp(piece.begin),
        "time<": _stamp(piece.until + pd.Timedelta(days=1)),
        "latitude>=": south,
        "latitude<=": north,
        "longitude>=": west,
        "longitude<=": east,
    }
    _retrieve(piece, protocol="tabledap", response="csv", constraints=constraints)


def fetch_model(piece: Piece, box: Box) -> None:
    """Daily means, on a grid with one step, of the snapshots that HYCOM's server has at OPeNDAP."""
    client("netCDF4")
    subset, address = piece.subset, f"{piece.subset.server}/{piece.subset.dataset}".format(year=piece.begin.year)
    west, east, south, north = _widened(box, subset.margin)
    # `tau` counts hours of a forecast and is no date, though it looks like one.
    with xr.open_dataset(address, engine="netcdf4", drop_variables=["tau"], chunks=None) as product:
        place = {"lat": slice(south - ROUNDING, north + ROUNDING), "lon": slice(west - ROUNDING, east + ROUNDING)}
        product = product[list(subset.variables)].sel(place)
        rows = np.arange(product["lat"].values[0], product["lat"].values[-1] + STEP / 4, STEP)
        days = []
        for day in pd.date_range(piece.begin, piece.until):
            today = product.sel(time=slice(day, day + pd.Timedelta("23h59min")))
            if not today.sizes["time"]:
                continue
            levels = {name: _level(today[name], 15.0 if name in ("water_u", "water_v") else 0.0) for name in today}
            means = xr.Dataset({name: field.load().mean("time", keep_attrs=True) for name, field in levels.items()})
            days.append(means.sel(lat=rows, method="nearest").assign_coords(lat=rows, time=day))
    if not days:
        raise NothingThere
    whole = xr.concat(days, "time", combine_attrs="override").astype("f4")
    for name, field in whole.variables.items():
        field.encoding = {"zlib": True} if name in subset.variables else {}
    whole["lat"].attrs, whole["lon"].attrs = {"units": "degrees_north"}, {"units": "degrees_east"}
    with atomic_path(piece.path) as temporary:
        whole.to_netcdf(temporary, engine="h5netcdf")


def grid_size(piece: Piece, box: Box) -> float:
    """MB that griddap will send: it tells none, but values are as many as there are cells, eight bytes each at most."""
    west, east, south, north = _widened(box, piece.subset.margin)
    step = piece.subset.spacing * piece.subset.stride
    cells = ((east - west) / step + 1) * ((north - south) / step + 1)
    return cells * piece.days * (24 / piece.subset.hours[1]) * len(piece.subset.variables) * 8 / 1e6


def model_size(piece: Piece, box: Box) -> float:
    """MB that the server sends: of each day eight snapshots in integers of two bytes."""
    west, east, south, north = _widened(box, piece.subset.margin)
    cells = ((east - west) / piece.subset.spacing + 1) * ((north - south) / piece.subset.spacing + 1)
    return cells * piece.days * len(piece.subset.variables) * 8 * 2 / 1e6


def _level(field: xr.DataArray, depth: float) -> xr.DataArray:
    return field.sel(depth=depth, method="nearest", drop=True) if "depth" in field.dims else field


def _widened(box: Box, margin: float) -> Box:
    west, east, south, north = box
    return west - margin, east + margin, south - margin, north + margin


def _stamp(time: pd.Timestamp) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


def _retrieve(piece: Piece, **request) -> None:
    """Ask ERDDAP and write what it answers; of a dataset, a time or a place that it does not have it says 404."""
    subset = piece.subset
    request |= {"dataset_id": subset.dataset.format(year=piece.begin.year), "variables": list(subset.variables)}
    address = client("erddapy.core.url").get_download_url(subset.server, **request)
    place, query = address.split("?", 1)
    with atomic_path(piece.path) as temporary:
        try:  # brackets and signs of comparison must be escaped
            pooch.HTTPDownloader(timeout=TIMEOUT)(f"{place}?{quote(query, safe='&=,:()')}", str(temporary), None)
        except Exception as error:
            if getattr(getattr(error, "response", None), "status_code", None) == 404:
                raise NothingThere from None
            raise
