"""Real products: readers that turn providers' files into xarray with one set of names and units."""

from .altimetry import read_sea_level_map, read_tracks, repeat_tracks
from .download import download_glorys
from .files import open_product
from .reanalysis import join, read_glorys, read_reanalysis, read_winds
from .samples import load_sample

__all__ = [
    "download_glorys",
    "join",
    "load_sample",
    "open_product",
    "read_glorys",
    "read_reanalysis",
    "read_sea_level_map",
    "read_tracks",
    "read_winds",
    "repeat_tracks",
]
