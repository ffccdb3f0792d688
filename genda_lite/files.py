"""Writing files and folders so that none is left half-made."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import xarray as xr

from .errors import InputError
from .state import QUANTUM, TIME


def check_folder(path: str | os.PathLike) -> None:
    """Whether there is a folder to write a file or folder into.

    Raises:
        InputError: there is none.
    """
    if not Path(path).parent.is_dir():
        raise InputError(f"{path}: cannot be written, the folder {Path(path).parent} does not exist")


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """A temporary path beside `path`, renamed to it when the block succeeds and removed when it fails.

    The suffix is kept, so that libraries that choose a format by it still do.

    Raises:
        InputError: the folder does not exist.
    """
    path = Path(path)
    check_folder(path)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes files private; give the result the mode any other new file would have.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: str | os.PathLike, holds: tuple[str, ...]) -> Iterator[Path]:
    """A temporary folder beside `path`, renamed to it when the block succeeds and removed when it fails.

    Args:
        holds: names of files one of which tells that an older folder of that name may be replaced.

    Raises:
        InputError: the parent folder does not exist, or something else is in the place.
    """
    path = Path(path)
    check_folder(path)
    if path.exists() and not any((path / name).is_file() for name in holds):
        raise InputError(f"{path}: is in the way and no older result, expected a free name")
    work = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.stem}-"))
    temporary = work / path.name
    temporary.mkdir()
    try:
        yield temporary
        older = work / "older"
        if path.exists():
            path.replace(older)
        try:
            temporary.replace(path)
        except OSError:
            if older.exists():
                older.replace(path)
            raise
    finally:
        shutil.rmtree(work, ignore_errors=True)


def packed(step: float, middle: float, effort: int) -> dict:
    """Encoding of a field as compressed 16-bit integers."""
    return {
        "dtype": "int16",
        "scale_factor": step,
        "add_offset": middle,
        "_FillValue": -32768,
        "compression": "gzip",
        "compression_opts": effort,
        "shuffle": True,
    }


def write_dataset(ds: xr.Dataset, path: str | os.PathLike, quantum: dict[str, float] = QUANTUM) -> None:
    """Write a data set to CF NetCDF, surface fields packed to 16-bit integers; nothing is left behind on failure.

    Args:
        quantum: step of each variable's integers; it widens where a field's range asks for it.
    """
    if "time" in ds.coords:
        ds = ds.assign_coords(time=ds["time"].assign_attrs(TIME))
    encoding = {str(name): {"_FillValue": None} for name in ds.coords}
    for name, variable in ds.data_vars.items():
        if name in quantum and variable.dtype.kind == "f":
            middle = 0.5 * (float(variable.max()) + float(variable.min()))
            half_range = 0.5 * (float(variable.max()) - float(variable.min()))
            encoding[name] = packed(max(quantum[name], half_range / 32000), middle, effort=9)
    with atomic_path(path) as temporary:
        ds.to_netcdf(temporary, engine="h5netcdf", encoding=encoding)
