"""Fetching the reanalysis that priors of the real ocean are trained on, and the data of experiments against drifters.

Copernicus Marine is free and wants an account: `copernicusmarine login` once, after which its client finds the account
by itself; NASA Earthdata, for SWOT alone, likewise. Nothing here sees a name or a password. Open servers want none
(`open_servers`).
"""

import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd

from ..errors import InputError
from ..files import atomic_folder, atomic_path
from .catalogue import SOURCES, Subset, of_year
from .files import Box, check_box
from .open_servers import fetch_grid, fetch_model, fetch_table, grid_size, model_size
from .pieces import NothingThere, Piece, client

TRAINING_BOX: Box = (-70.0, -40.0, 25.0, 45.0)
GULF_STREAM: Box = (-67.0, -53.0, 31.0, 45.0)  # GenDA's box, and two degrees around it


def plan_training(
    folder: str | os.PathLike, start, end, box: Box = TRAINING_BOX, source: str = "copernicus"
) -> list[Piece]:
    """Ocean and wind that a prior of the real ocean is trained on: by year of Copernicus, by month of open servers.

    Args:
        folder: to write to. start, end: first and last day, such as "2010-01-01".
        box: west, east, south, north (degrees). source: a name in `SOURCES`.

    Raises:
        InputError: the days or the box cannot be, the source is unknown or does not cover them.
    """
    table = tables(source)[0]
    try:
        first, last = pd.Timestamp(start).normalize(), pd.Timestamp(end).normalize()
    except ValueError:
        raise InputError(f"{start!r} and {end!r} must be days, expected a form like 2010-01-01") from None
    check_box(box)
    if not first <= last:
        raise InputError(f"days {start} to {end}: expected them to ascend")
    if source == "open":
        begins, ends = (edge(subset.years[i] for subset in table.values()) for edge, i in ((max, 0), (min, 1)))
        if not begins <= first.year <= last.year <= ends:
            raise InputError(f"days {start} to {end}: open servers have ocean and wind of {begins} to {ends} alone")
    west, east, south, north = box
    pieces = []
    for period in pd.period_range(first, last, freq="Y" if source == "copernicus" else "M"):
        begin, until = max(first, period.start_time), min(last, period.end_time.normalize())
        for name, subset in table.items():
            file = f"{name}_{begin:%Y%m%d}-{until:%Y%m%d}_{west:g}_{east:g}_{south:g}_{north:g}.nc"
            pieces.append(Piece(name, subset, begin, until, Path(folder, file)))
    return pieces


def download_glorys(folder: str | os.PathLike, start, end, box: Box = TRAINING_BOX) -> list[Path]:
    """Fetch GLORYS12 and winds of some days, a file for each year and each of `SUBSETS`; those that are there are kept.

    Args:
        folder, start, end, box: as in `plan_training`.

    Returns:
        The files, as `read_reanalysis` takes them.

    Raises:
        InputError: the folder, the days or the box cannot be, or `copernicusmarine` is not installed.
    """
    pieces = plan_training(folder, start, end, box)
    list(fetch(pieces, box))
    return [piece.path for piece in pieces]


def plan_ose(folder: str | os.PathLike, year: int, source: str = "copernicus") -> list[Piece]:
    """What an experiment against drifters needs of a year, month by month, be it there or not.

    Args:
        source: a name in `SOURCES`. Open servers have no tracks of altimeters that the readers can take: maps in place.

    Raises:
        InputError: the folder does not exist, the source is unknown, or the year is none that its data cover.
    """
    folder, this_year = Path(folder), pd.Timestamp.now().year
    table = tables(source)[1]
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder, expected one to download to")
    needed = of_year(year, table)
    if source == "open" and not {"winds", "temperature L4", "drifters"} <= needed.keys():
        raise InputError(f"year {year}: temperature, winds and drifters are not all open, expected 2002 to 2022")
    if source != "open" and not ("winds" in needed and any(name.startswith("tracks") for name in needed)):
        raise InputError(f"year {year}: altimeter tracks and winds are not all known, expected 2008 to {this_year}")
    if year > this_year:
        raise InputError(f"year {year}: is yet to come, expected 2008 to {this_year}")
    pieces = []
    for name, subset in needed.items():
        for begin in pd.date_range(f"{year}-01-01", periods=12, freq="MS"):
            ending = {"table": ".csv", "tabledap": ".csv", "files": "", "granules": ""}.get(subset.kind, ".nc")
            path = folder / f"{name.replace(' ', '_')}_{begin:%Y%m}{ending}"
            pieces.append(Piece(name, subset, begin, begin + pd.offsets.MonthEnd(0), path))
    return pieces


def sizes(pieces: list[Piece], box: Box = GULF_STREAM) -> dict[str, tuple[int, float | None]]:
    """What is still to be fetched, by name: how many pieces, and about how many MB, None where the service cannot tell.

    Copernicus is asked for one piece of each data set, of open servers it is counted how many values one holds; others
    are taken to be as large. Nothing is downloaded.
    """
    check_box(box)
    left: dict[str, list[Piece]] = {}
    for piece in pieces:
        if not piece.is_there:
            left.setdefault(piece.name, []).append(piece)
    found = {}
    for name, missing in left.items():
        size = _KINDS[missing[0].subset.kind][2](missing[0], box)
        found[name] = len(missing), None if size is None else size * len(missing)
    return found


def fetch(pieces: list[Piece], box: Box = GULF_STREAM) -> Iterator[tuple[Piece, bool]]:
    """Fetch what is not there, piece by piece; interrupted, the same call goes on from the piece it was at.

    Args:
        pieces: from `plan_ose` or `plan_training`. box: west, east, south, north (degrees).

    Yields:
        each missing piece as soon as it has been asked for, and whether there was anything of it.

    Raises:
        InputError: a client is not installed, or the box cannot be. What the clients raise is passed on.
    """
    check_box(box)
    missing = [piece for piece in pieces if not piece.is_there]
    for kind in {piece.subset.kind for piece in missing}:
        client(_KINDS[kind][0])
    for piece in missing:
        try:
            _KINDS[piece.subset.kind][1](piece, box)
        except NothingThere:
            yield piece, False
        else:
            yield piece, True


def tables(source: str) -> tuple[dict[str, Subset], dict[str, Subset]]:
    """Of a source the table for training, and that for experiments.

    Raises:
        InputError: it is none of `SOURCES`.
    """
    if source not in SOURCES:
        raise InputError(f"source {source!r} is unknown, expected one of {', '.join(SOURCES)}")
    return SOURCES[source]


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
        client("copernicusmarine").subset(**request, **_into(temporary))
        if not temporary.stat().st_size:  # of a table without rows no file is written
            raise NothingThere


def _subset_size(piece: Piece, box: Box) -> float | None:
    request = _request(piece.subset, piece.begin, piece.until, box)
    return client("copernicusmarine").subset(**request, **_into(piece.path), dry_run=True).file_size


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
        client("copernicusmarine").get(**_originals(piece), output_directory=str(temporary), overwrite=True)
        if not any(temporary.iterdir()):
            raise NothingThere


def _files_size(piece: Piece, box: Box) -> float | None:
    return (
        client("copernicusmarine").get(**_originals(piece), output_directory=str(piece.path), dry_run=True).total_size
    )


def _found_granules(piece: Piece, box: Box) -> list:
    """NASA's files that touch the box."""
    west, east, south, north = box
    return client("earthaccess").search_data(
        short_name=piece.subset.dataset,
        granule_name=f"*{piece.subset.variables[0]}*",
        temporal=(piece.begin.isoformat(), (piece.until + pd.Timedelta("1D")).isoformat()),
        bounding_box=(west, south, east, north),
    )


def _granules(piece: Piece, box: Box) -> None:
    earthaccess = client("earthaccess")
    earthaccess.login()
    found = _found_granules(piece, box)
    if not found:
        raise NothingThere
    with atomic_folder(piece.path, ()) as temporary:
        earthaccess.download(found, str(temporary))
        if len(list(temporary.iterdir())) < len(found):
            raise InputError(f"{piece.path}: not all of {len(found)} files have come, expected them; try again")


def _granules_size(piece: Piece, box: Box) -> float | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # the size is a method that becomes an attribute in version 1
        sizes = [one.size() if callable(one.size) else one.size for one in _found_granules(piece, box)]
    return float(sum(sizes))


# Of each kind the client, what fetches a piece, and what tells its size: MB, None if nobody knows.
_KINDS: dict[str, tuple[str, Callable, Callable]] = {
    "subset": ("copernicusmarine", _subset, _subset_size),
    "table": ("copernicusmarine", _subset, _subset_size),
    "files": ("copernicusmarine", _files, _files_size),
    "granules": ("earthaccess", _granules, _granules_size),
    "griddap": ("erddapy", fetch_grid, grid_size),
    "tabledap": ("erddapy", fetch_table, lambda piece, box: None),
    "opendap": ("netCDF4", fetch_model, model_size),
}
