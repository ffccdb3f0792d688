"""The data that come with the project, in `data_samples/`."""

import hashlib
from functools import cache
from pathlib import Path

import xarray as xr

from ..errors import InputError
from ..files import atomic_path
from .files import open_product

FOLDER = Path(__file__).resolve().parents[2] / "data_samples"


@cache
def checksum(path: Path) -> str:
    """SHA-256 of a file; each file is read once a session."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def data_files(folder: Path) -> list[Path]:
    """The data in a folder, and in that of the twin's observations beside them; not `results/`, the tables of results,
    which a test holds against the pages."""
    found = [path for place in (folder, folder / "twin") if place.is_dir() for path in place.iterdir()]
    return sorted(path for path in found if path.suffix in (".nc", ".safetensors", ".csv", ".gz"))


def write_checksums(folder: Path) -> None:
    """Write SHA256SUMS of all data of a folder."""
    checksum.cache_clear()
    lines = [f"{checksum(path)}  {path.relative_to(folder).as_posix()}\n" for path in data_files(folder)]
    with atomic_path(folder / "SHA256SUMS") as temporary:
        temporary.write_text("".join(lines))


def sample_names() -> dict[str, str]:
    """The embedded files and their checksums.

    Raises:
        InputError: the package was installed without the project around it.
    """
    sums = FOLDER / "SHA256SUMS"
    if not sums.is_file():
        raise InputError(f"{FOLDER}: the embedded data are not here, expected the whole project (`pip install -e .`)")
    return dict(line.split()[::-1] for line in sums.read_text().splitlines())


def sample_path(filename: str) -> Path:
    """Path of an embedded file, complete and unchanged.

    Raises:
        InputError: there is no such file, or it is not the one its checksum in `SHA256SUMS` was taken of, or
            the package was installed without the project around it.
    """
    listed, path = sample_names(), FOLDER / filename
    if filename not in listed or not path.is_file():
        raise InputError(f"there is no {filename} in {FOLDER}, expected one of: {', '.join(sorted(listed))}")
    if checksum(path) != listed[filename]:
        raise InputError(f"{path}: damaged or changed, its checksum is not that in SHA256SUMS; fetch it again")
    return path


def load_sample(name: str) -> xr.Dataset:
    """Load one of the embedded data sets of simulated oceans into memory, named and gridded like GLORYS12.

    Args:
        name: "nature_training": a few dates of every ocean the shipped prior is trained on, dims (member, time,
            latitude, longitude).
            "nature_heldout": a year of oceans that no prior was trained on, in the box 65-55 W, 33-43 N.
            "twin_truth": the fraternal twin, which stands for the real ocean in experiments; day by day. Analyses
            must not read it before they are scored.

    Raises:
        InputError: there is no such sample, or it is damaged.
    """
    with open_product(sample_path(f"{name}.nc")) as ds:
        return ds.load()
