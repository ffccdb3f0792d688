"""The data that come with the project, in `data_samples/`."""

from pathlib import Path

import xarray as xr

from ..errors import InputError
from .files import open_product

FOLDER = Path(__file__).resolve().parents[2] / "data_samples"


def load_sample(name: str = "nature_sample") -> xr.Dataset:
    """Load one of the embedded data sets into memory.

    Args:
        name: "nature_sample": states of a simulated ocean that no prior was trained on, dims (time, latitude,
            longitude), named and gridded like GLORYS12.

    Raises:
        InputError: there is no such sample.
    """
    path = FOLDER / f"{name}.nc"
    if not path.exists():
        there = ", ".join(sorted(p.stem for p in FOLDER.glob("*.nc"))) or "none"
        raise InputError(f"there is no sample {name!r} in {FOLDER}, expected one of: {there}")
    with open_product(path) as ds:
        return ds.load()
