"""Commands that make the book: what its pages show without a kernel, and the students' notebooks."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError
from .common import Checkpoint, Device, Ensembles, check_places


def explorer_pack(
    out: Annotated[Path, typer.Option(help="Folder to write; an older pack is replaced.")],
    prior: Checkpoint = None,
    members: Ensembles = 16,
    keep: Annotated[
        Path | None, typer.Option(help="Folder of finished results; interrupted, the same command goes on.")
    ] = None,
    device: Device = None,
    quick: Annotated[bool, typer.Option(help="Few settings, four members, half the steps: to try a page.")] = False,
) -> None:
    """Assimilate for every setting of the explorer's controls, so that pages show it without a kernel."""
    from ..prior import load_prior
    from ..prior.trajectory import check_kind
    from ..processors import chosen_device
    from ..show.pack import make_pack

    check_places(folder=out)
    device = chosen_device(device)
    priors = {name: load_prior(prior, name == "gaussian", device=device) for name in ("diffusion", "gaussian")}
    check_kind(priors["diffusion"], False, "the explorer")
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
    few = {"altimeters": (1, 3, 7), "clouds": (0.7, 1.0), "errors": (1.0, 4.0), "steps": 12} if quick else {}
    size = make_pack(out, priors, members=4 if quick else members, keep=keep, **few)
    typer.echo(f"{out}: {size / 1e6:.2f} MB{' (quick: not to be published)' if quick else ''}")


def first_screen(
    out: Annotated[Path, typer.Option(help="Script to write, for a page to load.")],
    prior: Checkpoint = None,
    members: Ensembles = 8,
) -> None:
    """Assimilate pass after pass of the altimeters, for the film at the top of the book (some minutes)."""
    from ..files import check_folder
    from ..prior import load_prior
    from ..show.pack import sample_truth
    from ..show.scene import film, write

    check_folder(out)
    priors = {name: load_prior(prior, name == "gaussian") for name in ("diffusion", "gaussian")}
    size = write(out, "film", film(sample_truth(priors["diffusion"]), priors, members))
    typer.echo(f"{out}: {size / 1e6:.2f} MB")


def student(
    book: Annotated[Path, typer.Argument(help="Folder with the notebooks.")],
    out: Annotated[Path, typer.Argument(help="Folder to write to.")],
    key: Annotated[
        Path | None, typer.Option(help="Also write the tutor's key to this Markdown file: all exercises, solved.")
    ] = None,
) -> None:
    """Write the notebooks without solutions and outputs, with an empty cell for each answer (nbgrader's metadata)."""
    from ..teaching import write_key, write_student_versions

    if key and key.suffix != ".md":
        raise InputError(f"--key {key}: expected a name that ends in .md")
    for path in write_student_versions(book, out):
        typer.echo(str(path))
    if key:
        typer.echo(str(write_key(book, key)))
