"""Prepared states in files, with the climatology and the Ekman response that belong to them."""

import contextlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import xarray as xr

from ..errors import InputError
from ..files import atomic_folder, atomic_path
from ..sources.files import ZARR_FILES
from ..state import CHANNELS, Standardizer
from ..version import __version__
from .climatology import as_response

_STORED = "climatology_"  # how the variables of a standardizer begin


def write_state(state: xr.Dataset, standardizer: Standardizer, path: str | os.PathLike) -> None:
    """Write a state with its standardizer inside: Zarr, or NetCDF if the name ends in .nc; whole or not at all.

    A lazy state is computed block by block on the way, by threads or by the workers of a cluster. Zarr is the better
    choice on a cluster: workers write their blocks at the same time.

    Args:
        state: from `prepare`, float32 (m, degC, 1e-3, m s-1).
        path: to write; an older result there is replaced.

    Raises:
        InputError: the folder does not exist, the place is taken by something else, or zarr is not installed.
    """
    path = Path(path)
    ds = xr.merge([state, _store(standardizer)], combine_attrs="override").drop_encoding()
    ds.attrs = state.attrs | {"Conventions": "CF-1.11", "genda_lite_version": __version__}
    if path.suffix == ".nc":
        frame = {name: (1,) * (ds[name].ndim - 2) + ds[name].shape[-2:] for name in CHANNELS}
        encoding = {name: {"compression": "gzip", "compression_opts": 2, "chunksizes": frame[name]} for name in frame}
        with atomic_path(path) as temporary, _finished_threads():
            ds.to_netcdf(temporary, engine="h5netcdf", encoding=encoding)
        return
    try:
        import zarr  # noqa: F401
    except ImportError:
        raise InputError(f"{path}: Zarr needs `pip install genda_lite[data]`, or a name ending in .nc") from None
    if ds.chunks:
        ds = ds.chunk(time=max(ds.chunks["time"]))  # Zarr wants chunks of one size
    with atomic_folder(path, holds=ZARR_FILES) as temporary, _finished_threads():
        ds.to_zarr(temporary, mode="w", consolidated=False)


@contextlib.contextmanager
def _finished_threads() -> Iterator[None]:
    """Threads that compute lazy fields, all done at the end.

    When a block fails, dask raises at once, while its other threads still write theirs: into a folder being removed.
    """
    try:
        import dask
        from dask.system import CPU_COUNT
    except ImportError:  # then no field is lazy
        yield
        return
    with ThreadPoolExecutor(CPU_COUNT) as pool, dask.config.set(pool=pool):
        yield


def _store(standardizer: Standardizer) -> xr.Dataset:
    """A standardizer as variables of a file."""
    s, rows = standardizer, _STORED + "latitude"
    channels = {"channels": " ".join(CHANNELS)}
    response = {"long_name": "Ekman response to kinematic wind stress", "units": "s m-1"}
    return xr.Dataset(
        {
            _STORED + "harmonics": (("harmonic", "channel", rows), s.harmonics, channels),
            _STORED + "scale": ("channel", s.scale, channels),
            _STORED + "ekman_real": (rows, s.ekman.real, response),
            _STORED + "ekman_imag": (rows, s.ekman.imag, response),
        },
        coords={rows: (rows, s.latitude, {"units": "degrees_north"})},
    )


def stored_standardizer(ds: xr.Dataset) -> Standardizer:
    """The standardizer inside a prepared data set.

    Raises:
        InputError: there is none, or it is of other channels.
    """
    if _STORED + "harmonics" not in ds:
        raise InputError("the data set holds no climatology, expected one written by `genda prepare`")
    if ds[_STORED + "harmonics"].attrs.get("channels") != " ".join(CHANNELS):
        raise InputError(f"the climatology of the data set is of other channels, expected {', '.join(CHANNELS)}")
    latitude, harmonic, scale, real, imag = (
        ds[_STORED + name].values for name in ("latitude", "harmonics", "scale", "ekman_real", "ekman_imag")
    )
    return Standardizer(latitude, harmonic, scale, real + 1j * imag)


def stored_response(ds: xr.Dataset) -> xr.DataArray:
    """The Ekman response a state was made with: of each point if it holds one, else of each latitude.

    Raises:
        InputError: see `stored_standardizer`.
    """
    if "ekman_real" in ds:
        return as_response((ds["ekman_real"] + 1j * ds["ekman_imag"]).load(), ds)
    return as_response(stored_standardizer(ds), ds)
