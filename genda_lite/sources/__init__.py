"""Real products: readers that turn providers' files into xarray with one set of names and units."""

from .altimetry import read_sea_level_map, read_tracks, repeat_tracks
from .files import open_product
from .samples import load_sample

__all__ = ["load_sample", "open_product", "read_sea_level_map", "read_tracks", "repeat_tracks"]
