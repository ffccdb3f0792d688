"""Fetching the reanalysis that priors of the real ocean are trained on, and the data of experiments against drifters.

Copernicus Marine is free and wants an account: `copernicusmarine login` once, after which its client finds the account
by itself; NASA Earthdata, for SWOT alone, likewise. Nothing here sees a name or a password.
"""

import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from ..errors import InputError
from ..files import atomic_folder, atomic_path
from .catalogue import SUBSETS, Subset, of_year
from .files import Box

GULF_STREAM: Box = (-67.0, -53.0, 31.0, 45.0)  # GenDA's box, and two degrees around it


def download_glorys(
    folder: str | os.PathLike, start, end, box: tuple[float, float, float, float] = (-70.0, -40.0, 25.0, 45.0)
) -> list[Path]:
    """Fetch ocean and wind of some days, a file for each year and each of `SUBSETS`; those that are there are kept.

    Args:
        folder: to write to. start, end: first and last day, such as "2010-01-01".
        box: west, east, south, north (degrees).

    Returns:
        The files, as `read_reanalysis` takes them.

    Raises:
        InputError: the folder, the days or the box cannot be, or `copernicusmarine` is not installed.
    """
    folder = Path(folder)
    try:
        first, last = pd.Timestamp(start).normalize(), pd.Timestamp(end).normalize()
    except ValueError:
        raise InputError(f"{start!r} and {end!r} must be days, expected a form like 2010-01-01") from None
    _check_box(box)
    if not first <= last:
        raise InputError(f"days {start} to {end}: expected them to ascend")
    client = _client("copernicusmarine")
    west, east, south, north = box
    files = []
    for year in range(first.year, last.year + 1):
        begin, until = max(first, pd.Timestamp(year, 1, 1)), min(last, pd.Timestamp(year, 12, 31))
        for name, subset in SUBSETS.items():
            path = folder / f"{name}_{begin:%Y%m%d}-{until:%Y%m%d}_{west:g}_{east:g}_{south:g}_{north:g}.nc"
            files.append(path)
            if path.exists():
                continue
            with atomic_path(path) as temporary:
                client.subset(**_request(subset, begin, until, box), **_into(temporary))
    return files


class Piece(NamedTuple):
    """A month of a data set, fetched at once.

    Args:
        name: in the table. subset: what to fetch. begin, until: first and last day.
        path: the file or folder it becomes.
    """

    name: str
    subset: Subset
    begin: pd.Timestamp
    until: pd.Timestamp
    path: Path

    @property
    def is_there(self) -> bool:
        """Whether it has been fetched: pieces come into being whole."""
        return self.path.exists()


def plan_ose(folder: str | os.PathLike, year: int) -> list[Piece]:
    """What an experiment against drifters needs of a year, month by month, be it there or not.

    Raises:
        InputError: the folder does not exist, or the year is none that altimetry and winds cover.
    """
    folder, this_year = Path(folder), pd.Timestamp.now().year
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder, expected one to download to")
    needed = of_year(year)
    if "winds" not in needed or not any(name.startswith("tracks") for name in needed) or year > this_year:
        raise InputError(f"year {year}: altimeter tracks and winds are not all known, expected 2008 to {this_year}")
    pieces = []
    for name, subset in needed.items():
        for begin in pd.date_range(f"{year}-01-01", periods=12, freq="MS"):
            ending = {"subset": ".nc", "table": ".csv"}.get(subset.kind, "")
            path = folder / f"{name.replace(' ', '_')}_{begin:%Y%m}{ending}"
            pieces.append(Piece(name, subset, begin, begin + pd.offsets.MonthEnd(0), path))
    return pieces


def size_ose(pieces: list[Piece], box: Box = GULF_STREAM) -> dict[str, tuple[int, float | None]]:
    """What is still to be fetched, by name: how many pieces, and about how many MB, None where the service cannot tell.

    The service is asked for one month of each data set; others are taken to be as large. Nothing is downloaded.
    """
    _check_box(box)
    left: dict[str, list[Piece]] = {}
    for piece in pieces:
        if not piece.is_there:
            left.setdefault(piece.name, []).append(piece)
    sizes = {}
    for name, missing in left.items():
        size = _SIZES[missing[0].subset.kind](missing[0], box)
        sizes[name] = len(missing), None if size is None else size * len(missing)
    return sizes


def fetch_ose(pieces: list[Piece], box: Box = GULF_STREAM) -> Iterator[tuple[Piece, bool]]:
    """Fetch what is not there, piece by piece; interrupted, the same call goes on from the piece it was at.

    Args:
        pieces: from `plan_ose`. box: west, east, south, north (degrees).

    Yields:
        each missing piece as soon as it has been asked for, and whether there was anything of it.

    Raises:
        InputError: a client is not installed, or the box cannot be. What the clients raise is passed on.
    """
    _check_box(box)
    for kind in {piece.subset.kind for piece in pieces if not piece.is_there}:
        _client("earthaccess" if kind == "granules" else "copernicusmarine")
    for piece in pieces:
        if not piece.is_there:
            try:
                _FETCH[piece.subset.kind](piece, box)
            except _Nothing:
                yield piece, False
            else:
                yield piece, True


class _Nothing(Exception):
    """The service has nothing of a piece."""


def _client(name: str):
    """A client, imported when it is needed."""
    try:
        return __import__(name)
    except ImportError:
        raise InputError(f"downloading needs the package {name}: `pip install genda_lite[data]`") from None


def _check_box(box: Box) -> None:
    west, east, south, north = box
    if not (west < east and south < north):
        raise InputError(f"box {box}: expected west, east and south, north to ascend (one box a side of 180 degrees)")


def _request(subset: Subset, begin: pd.Timestamp, until: pd.Timestamp, box: Box) -> dict:
    """What Copernicus' client is asked for."""
    west, east, south, north = box
    return {
        "dataset_id": subset.dataset,
        "variables": list(subset.variables),
        "minimum_longitude": west - subset.margin,
        "maximum_longitude": east + subset.margin,
        "minimum_latitude": south - subset.margin,
        "maximum_latitude": north + subset.margin,
        "start_datetime": begin.isoformat(),
        "end_datetime": (until + pd.Timedelta("23h")).isoformat(),  # the last hour of the wind
        **dict(zip(("minimum_depth", "maximum_depth"), subset.depths or (), strict=False)),
        **({"file_format": "csv"} if subset.kind == "table" else {}),
    }


def _into(path: Path) -> dict:
    return {"output_directory": str(path.parent), "output_filename": path.name, "overwrite": True}


def _subset(piece: Piece, box: Box) -> None:
    """A file cut to the box by the service."""
    request = _request(piece.subset, piece.begin, piece.until, box)
    with atomic_path(piece.path) as temporary:
        _client("copernicusmarine").subset(**request, **_into(temporary))
        if not temporary.stat().st_size:  # of a table without rows no file is written
            raise _Nothing


def _subset_size(piece: Piece, box: Box) -> float | None:
    request = _request(piece.subset, piece.begin, piece.until, box)
    return _client("copernicusmarine").subset(**request, **_into(piece.path), dry_run=True).file_size


def _originals(piece: Piece) -> dict:
    """The provider's files of a month lie in folders year/month."""
    return {
        "dataset_id": piece.subset.dataset,
        "filter": f"*/{piece.begin:%Y/%m}/*",
        "no_directories": True,
    }


def _files(piece: Piece, box: Box) -> None:
    """The provider's files of a month, as a folder."""
    with atomic_folder(piece.path, ()) as temporary:
        _client("copernicusmarine").get(**_originals(piece), output_directory=str(temporary), overwrite=True)
        if not any(temporary.iterdir()):
            raise _Nothing


def _files_size(piece: Piece, box: Box) -> float | None:
    return _client("copernicusmarine").get(
        **_originals(piece), output_directory=str(piece.path), dry_run=True
    ).total_size


def _found_granules(piece: Piece, box: Box) -> list:
    """NASA's files that touch the box."""
    west, east, south, north = box
    return _client("earthaccess").search_data(
        short_name=piece.subset.dataset,
        granule_name=f"*{piece.subset.variables[0]}*",
        temporal=(piece.begin.isoformat(), (piece.until + pd.Timedelta("1D")).isoformat()),
        bounding_box=(west, south, east, north),
    )


def _granules(piece: Piece, box: Box) -> None:
    earthaccess = _client("earthaccess")
    earthaccess.login()
    found = _found_granules(piece, box)
    if not found:
        raise _Nothing
    with atomic_folder(piece.path, ()) as temporary:
        earthaccess.download(found, str(temporary))
        if len(list(temporary.iterdir())) < len(found):
            raise InputError(f"{piece.path}: not all of {len(found)} files have come, expected them; try again")


def _granules_size(piece: Piece, box: Box) -> float | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # the size is a method that becomes an attribute in version 1
        sizes = [one.size() if callable(one.size) else one.size for one in _found_granules(piece, box)]
    return float(sum(sizes))


_FETCH: dict[str, Callable] = {"subset": _subset, "table": _subset, "files": _files, "granules": _granules}
_SIZES: dict[str, Callable] = {
    "subset": _subset_size,
    "table": _subset_size,
    "files": _files_size,
    "granules": _granules_size,
}
