"""What commands share: options, counts in words, and checks of the places that they write to."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError

NETCDF = ("", ".nc", ".nc4", ".cdf", ".netcdf")  # what names of NetCDF files end in
SEEDS = 2**31 - 1  # the largest seed
JsonFile = Annotated[Path | None, typer.Option("--json", help="Also write the rows to this file.")]
TableFile = Annotated[Path | None, typer.Option("--table", help="Also write all figures as a tidy table (CSV).")]
Device = Annotated[str | None, typer.Option(help="cpu or cuda; by default cuda where there is one.")]
Checkpoint = Annotated[str | None, typer.Option(help="'wide' or a checkpoint; by default the shipped one.")]
Climate = Annotated[Path | None, typer.Option("--prior", help="Prior whose climatology it has; by default ours.")]
Forecasts = Annotated[str, typer.Option("--forecast", help="persistence, nature, or a file of `genda train-forecast`.")]
Background = Annotated[Path | None, typer.Option(help="File of `genda train-background`.")]
Oceans = Annotated[list[Path], typer.Option(help="Simulated oceans; give it once for each file.")]
Validation = Annotated[Path | None, typer.Option(help="Data of an ocean that is not trained on.")]
Workers = Annotated[int, typer.Option(help="Processes that read ahead.")]
Ensembles = Annotated[int, typer.Option(help="Size of each ensemble.")]
Ensemble = Annotated[int, typer.Option(help="Size of the ensemble.")]
Box = Annotated[tuple[float, float, float, float], typer.Option(help="West, east, south, north (degrees).")]

# Of experiments with the files of real sensors.
Archived = Annotated[Path | None, typer.Option(help="Folder of `genda download ose`; by default the embedded twin's.")]
First = Annotated[str | None, typer.Option(help="First day, such as 2017-06-01.")]
Products = Annotated[
    list[str] | None,
    typer.Option(help="Product besides tracks; give it once for each. By default temperature L3, salinity, winds."),
]
Withheld = Annotated[str, typer.Option(help="The altimeter that is not assimilated.")]


def counted(number: int, thing: str) -> str:
    """How many there are, as people write it: "1 member", "16 members"."""
    several = f"{thing}es" if thing.endswith("x") else f"{thing}s"
    return f"{number} {thing if number == 1 else several}"


def check_places(
    *paths: Path | None,
    read: Iterable[Path | None] = (),
    suffixes: tuple[str, ...] | None = None,
    older: tuple[str, ...] = (),
    folder: Path | None = None,
) -> None:
    """Whether files can be written, and results to a folder, before the work begins.

    Args:
        read: what the command reads, and must not replace. suffixes: those that a name may have. older: files one of
            which tells that a folder is an older result, and may be replaced. folder: a new one, or one that is there,
            with results to go on from.

    Raises:
        InputError: the folder of a file does not exist or cannot be written to; or there is something else than a file
            in the place, or it has another suffix, or is also read; or `folder` is a file.
    """
    from ..files import check_folder

    places, read = list(filter(None, paths)), list(filter(None, read))
    for number, path in enumerate(places):
        check_folder(path)
        free = not path.exists() or path.is_file() or any((path / name).is_file() for name in older)
        if not (free and os.access(path.parent, os.W_OK)):
            raise InputError(f"{path}: cannot be written, expected the name of a file in a folder of yours")
        if suffixes is not None and path.suffix.lower() not in suffixes:
            known = ", ".join(filter(None, suffixes))
            raise InputError(f"{path}: no file of this kind is written, expected a name that ends in one of {known}")
        taken = [*read, *places[:number]]
        same = [one for one in taken if path.exists() and one.exists() and path.samefile(one)]
        inside = [one for one in read if path.exists() and one.resolve() in path.resolve().parents]
        if same or inside or path.resolve() in [one.resolve() for one in taken]:
            raise InputError(f"{path}: the same command reads or writes this file, expected another name")
    if folder is not None and not folder.is_dir():
        check_places(folder, read=places)
        if folder.exists():
            raise InputError(f"{folder}: is a file, expected the name of a folder")


def check_checkpoint(out: Path, read: list[Path | None], what: str, name: str, known: Iterable[str]) -> None:
    """Whether a checkpoint can be written of what is asked for by a name, such as a kind.

    Raises:
        InputError: another suffix, an unknown name, or see `check_places`.
    """
    if out.suffix != ".safetensors":
        raise InputError(f"{out}: checkpoints are safetensors files, expected a name ending in .safetensors")
    if name not in known:
        raise InputError(f"{what} {name!r} is unknown, expected one of {', '.join(known)}")
    check_places(out, read=read)


def check_picture(path: Path | None, read: list[Path | None]) -> None:
    """Whether a picture can be drawn, see `check_places`."""
    from matplotlib.backend_bases import FigureCanvasBase

    check_places(path, read=read, suffixes=tuple(f".{kind}" for kind in FigureCanvasBase.filetypes))


def draw(figure, path: Path) -> None:
    """Write a picture."""
    from ..files import atomic_path

    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=150)
    typer.echo(f"{path}: drawn")
