"""A folder of products, as `genda download ose` leaves it or as the fraternal twin's is embedded, and what is in it."""

import contextlib
import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError
from .altimetry import read_sea_level_map, read_tracks
from .drifters import read_drifters
from .files import Box, as_day
from .maps import map_of_day
from .reanalysis import read_winds
from .samples import FOLDER, sample_names, sample_path

TWIN = FOLDER / "twin"
WITHHELD = "c2"  # CryoSat-2, as in the SSH mapping data challenge 2021a
_MONTH = re.compile(r"_(\d{4})(0[1-9]|1[0-2])$")
_DAY = re.compile(r"_(\d{4}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))_")


class Archive:
    """Products by their names in the catalogue (`OSE`): "tracks j3", "temperature L3", "drifters", ….

    Entries of the folder are `<name>_<when>`, files or folders of files: `tracks_j3_201706/`, `winds_201706.nc`. What
    is withheld, the drifters and one altimeter, is here too, and `files` gives it only when it is asked for by name.

    Args:
        folder: by default the embedded twin's.
        withheld: the mission that is not assimilated.

    Raises:
        InputError: no such folder, no tracks in it besides those withheld, or a file of the twin is damaged.

    Examples:
        >>> from genda_lite.sources import Archive
        >>> archive = Archive()
        >>> archive.missions
        ['alg', 'h2b', 'j3', 's3a']
        >>> [path.name for path in archive.files("winds")]
        ['winds_2000.nc']
    """

    def __init__(self, folder: str | os.PathLike | None = None, withheld: str = WITHHELD):
        self.folder, self.withheld = Path(folder or TWIN), withheld
        if self.folder == TWIN:
            for name in sample_names():
                if name.startswith("twin/"):
                    sample_path(name)  # here, complete and unchanged
        if not self.folder.is_dir():
            raise InputError(f"{self.folder}: no such folder, expected one that `genda download ose` has filled")
        names = {path.name.split("_")[1] for path in self.folder.glob("tracks_*_*")}
        self.missions = sorted(names - {withheld})
        if not self.missions:
            raise InputError(
                f"{self.folder}: no tracks besides those withheld, expected tracks_<mission>_… (open servers have none)"
            )

    def has(self, name: str) -> bool:
        """Whether there is anything of a product."""
        return any(self.folder.glob(f"{name.replace(' ', '_')}_*"))

    def files(self, name: str, date: np.datetime64 | None = None, margin: float = 1.0) -> list[Path]:
        """Files of a product that may hold the days around a date; all of them without a date.

        A month in an entry's name (`_201706`) and a day in a file's (`_20170602_`) tell what need not be opened.

        Raises:
            InputError: there is none.
        """
        entries = sorted(self.folder.glob(f"{name.replace(' ', '_')}_*"))
        if not entries:
            raise InputError(f"{self.folder}: nothing of {name!r}, expected {name.replace(' ', '_')}_… to be there")
        found = [
            path
            for entry in entries
            if _may_hold(entry.name.split(".")[0], date, margin)
            for path in (sorted(p for p in entry.rglob("*") if p.is_file()) if entry.is_dir() else [entry])
            if _may_hold(path.name, date, margin)
        ]
        if not found:
            raise InputError(f"{self.folder}: nothing of {name!r} within {margin:g} days of {as_day(date)}")
        return found

    def tracks(self, date: np.datetime64 | None = None, margin: float = 1.0) -> list[Path]:
        """Files of all altimeters that are assimilated, see `files`."""
        found = []
        for mission in self.missions:
            with contextlib.suppress(InputError):  # an altimeter may rest for a while
                found += self.files(f"tracks {mission}", date, margin)
        if not found:
            raise InputError(f"{self.folder}: no altimeter's tracks within {margin:g} days of {as_day(date)}")
        return found

    def days(self) -> np.ndarray:
        """Days (datetime64[D]) of which there is a wind: the longest period that can be analysed."""
        return read_winds(self.files("winds"))["time"].values.astype("datetime64[D]")

    def withheld_track(self, box: Box | None = None) -> xr.Dataset:
        """The altimeter that no analysis has seen, see `read_tracks`; unfiltered."""
        return read_tracks(self.files(f"tracks {self.withheld}"), box=box)

    def drifters(self, box: Box | None = None, drogued: bool = False) -> xr.Dataset:
        """The drifters, which no analysis has seen, see `read_drifters`."""
        return read_drifters(self.files("drifters"), box, drogued)

    def sea_level(self, date: np.datetime64, box: Box | None = None) -> xr.Dataset:
        """The mapped sea level (L4) of a day, with its geostrophic current: what an analysis is compared with."""
        return map_of_day(read_sea_level_map, "sea level", self.files("sea level", date), date, box)


def _may_hold(name: str, date: np.datetime64 | None, margin: float) -> bool:
    """Whether a name does not say that a file or folder is of other days."""
    if date is None:
        return True
    first, last = (pd.Timestamp(date) + pd.Timedelta(days=sign * (margin + 1)) for sign in (-1, 1))
    if month := _MONTH.search(name):
        begin = pd.Timestamp(int(month[1]), int(month[2]), 1)
        return begin <= last and begin + pd.offsets.MonthEnd(0) >= first.normalize()
    if day := _DAY.search(name):
        return first.normalize() <= pd.Timestamp(day[1]) <= last
    return True
