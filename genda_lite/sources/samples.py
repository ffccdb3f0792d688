"""The data that come with the project: in a checkout those in `data_samples/`, else fetched from the release."""

import textwrap
from functools import cache
from importlib.metadata import metadata
from pathlib import Path

import pooch
import xarray as xr

from ..errors import InputError
from ..files import atomic_path
from ..version import __version__
from .files import open_product

REGISTRY = Path(__file__).with_name("SHA256SUMS")  # goes with the package, that of a wheel, too
FOLDER = Path(__file__).resolve().parents[2] / "data_samples"
INSTALLED = not FOLDER.is_dir()  # without the project around the package
if INSTALLED:
    FOLDER = Path(pooch.os_cache("genda_lite")) / f"v{__version__}"


@cache
def checksum(path: Path) -> str:
    """SHA-256 of a file; each file is read once a session."""
    return pooch.file_hash(path)


def data_files(folder: Path) -> list[Path]:
    """The data in a folder, and in that of the twin's observations beside them; not `results/`, the tables of results,
    which a test holds against the pages."""
    found = [path for place in (folder, folder / "twin") if place.is_dir() for path in place.iterdir()]
    return sorted(path for path in found if path.suffix in (".nc", ".safetensors", ".csv", ".gz"))


def write_checksums(folder: Path, registry: Path = REGISTRY) -> None:
    """Write a file of the checksums of all data of a folder, as `sha256sum` does."""
    checksum.cache_clear()
    lines = [f"{checksum(path)}  {path.relative_to(folder).as_posix()}\n" for path in data_files(folder)]
    with atomic_path(registry) as temporary:
        temporary.write_text("".join(lines))


def sample_names() -> dict[str, str]:
    """The embedded files and their checksums."""
    return dict(line.split()[::-1] for line in REGISTRY.read_text().splitlines())


def release() -> str:
    """Where the release of this version has its embedded files, by the address in the package's own metadata."""
    addresses = dict(line.split(", ") for line in metadata("genda_lite").get_all("Project-URL"))
    return f"{addresses['Repository']}/raw/v{__version__}/data_samples/"


def sample_path(filename: str) -> Path:
    """Path of an embedded file, complete and unchanged; fetched once where the package has no project around it.

    Raises:
        InputError: there is no such file, or it is not the one its checksum in `SHA256SUMS` was taken of, or it cannot
            be fetched.
    """
    listed, path = sample_names(), FOLDER / filename
    if filename not in listed or not (INSTALLED or path.is_file()):
        raise InputError(f"there is no {filename} in {FOLDER}, expected one of: {', '.join(sorted(listed))}")
    if INSTALLED:
        try:
            pooch.create(FOLDER, release(), registry=listed).fetch(filename)
        except (OSError, ValueError) as error:  # no connection or no room; what came is another file
            where, reason = f"{release()}{filename}", textwrap.shorten(str(error), 200)
            raise InputError(
                f"{path}: cannot be fetched ({reason}), expected a connection to {where}, or that file here by hand"
            ) from error
    elif checksum(path) != listed[filename]:
        raise InputError(f"{path}: damaged or changed, its checksum is not that in SHA256SUMS; fetch it again")
    return path


def load_sample(name: str) -> xr.Dataset:
    """Load one of the embedded data sets of simulated oceans into memory, named and gridded like GLORYS12.

    Args:
        name: "nature_training": a few dates of ten of the oceans the shipped prior is trained on, dims (member, time,
            latitude, longitude).
            "nature_wide": the same of eight of the wide oceans, those of the wide prior.
            "nature_heldout": a year of oceans that no prior was trained on, in the box 65-55 W, 33-43 N.
            "twin_truth": the fraternal twin, which stands for the real ocean in experiments; day by day. Analyses
            must not read it before they are scored.

    Raises:
        InputError: there is no such sample, or it is damaged or out of reach.
    """
    with open_product(sample_path(f"{name}.nc")) as ds:
        return ds.load()
