"""Readers that turn providers' files into one set of names and units."""

from .altimetry import read_sea_level_map, read_tracks
from .archive import Archive
from .climatology import read_climatology
from .download import download_glorys
from .drifters import ragged_slices, read_drifters
from .files import open_product
from .l2p import read_temperature_swath
from .maps import read_salinity, read_temperature
from .reanalysis import join, read_glorys, read_reanalysis, read_winds
from .report import Report
from .samples import load_sample
from .swath import read_swath

__all__ = [
    "Archive",
    "Report",
    "download_glorys",
    "join",
    "load_sample",
    "open_product",
    "ragged_slices",
    "read_climatology",
    "read_drifters",
    "read_glorys",
    "read_reanalysis",
    "read_salinity",
    "read_sea_level_map",
    "read_swath",
    "read_temperature",
    "read_temperature_swath",
    "read_tracks",
    "read_winds",
]
