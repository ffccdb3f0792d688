"""The `genda` command: simulate, train, assimilate, evaluate.

The tables say which function answers which command; modules hold the commands of one subject each, and `evaluate_*`
those of `genda evaluate`. What is heavy is imported inside of commands: the help is quick.
"""

import re
import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Annotated

import typer

from ..errors import InputError
from ..processors import keep_freed_memory
from . import (
    analyses,
    book,
    cycles,
    data,
    evaluate_exact,
    evaluate_experiments,
    evaluate_maps,
    evaluate_models,
    training,
)
from .analyses import observed
from .book import first_screen
from .common import counted
from .results import write_rows

__all__ = ["InputError", "app", "counted", "first_screen", "main", "observed", "with_places", "write_rows"]

COMMANDS = {
    "simulate": data.simulate,
    "prepare": data.prepare,
    "train": training.train,
    "train-forecast": cycles.train_forecast,
    "train-background": cycles.train_background,
    "pairs": cycles.own_pairs,
    "cycle": cycles.cycle,
    "assimilate": analyses.assimilate,
    "explorer-pack": book.explorer_pack,
    "first-screen": book.first_screen,
    "ose": analyses.ose,
    "student": book.student,
}
DOWNLOAD = {"ose": data.download_ose, "training": data.download_training}
EVALUATE = {
    "real": evaluate_maps.real,
    "nature": evaluate_models.nature,
    "prior": evaluate_models.prior,
    "posterior": evaluate_exact.posterior,
    "cycle": evaluate_exact.cycle,
    "forecast": evaluate_models.forecast,
    "lead-time": evaluate_models.lead_time,
    "latent": evaluate_exact.latent,
    "osse": evaluate_experiments.osse,
    "nowcast": evaluate_experiments.nowcast,
    "ose": evaluate_experiments.ose,
}


def group(commands: Mapping[str, Callable], **about) -> typer.Typer:
    """Commands under one name."""
    made = typer.Typer(no_args_is_help=True, **about)
    for name, command in commands.items():
        made.command(name)(command)
    return made


app = group(COMMANDS, pretty_exceptions_enable=False)
app.add_typer(group(DOWNLOAD, help="Fetch real data from their providers."), name="download")
app.add_typer(group(EVALUATE, help="Measure how good something is, and print a table."), name="evaluate")


def show_version(wanted: bool) -> None:
    """Print the version and stop, if it is wanted."""
    if wanted:
        from ..version import __version__

        typer.echo(f"genda_lite {__version__}")
        raise typer.Exit


@app.callback()
def genda(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=show_version, is_eager=True)
    ] = False,
) -> None:
    """Generative data assimilation of the surface ocean."""


PLACES = ("--centre", "--box")  # options of several numbers


def with_places(arguments: list[str]) -> list[str]:
    """Numbers that are joined by commas, `--centre -62,38`, as the several that they are."""
    split: list[str] = []
    for argument in arguments:
        name, _, value = argument.partition("=")
        before, values = ([name], value) if name in PLACES and value else ([], argument)
        parts = [part.strip() for part in values.split(",")]
        numbers = all(re.fullmatch(r"[-+]?([\d.]+(e[-+]?\d+)?|nan|inf)", part) for part in parts)
        follows = before or split[-1:] in [[place] for place in PLACES]
        split += [*before, *parts] if numbers and follows else [argument]
    return split


def main() -> None:
    """Entry point: bad input and warnings each get one line, without a traceback."""
    keep_freed_memory()
    shown = warnings.showwarning

    def show(message, category, *where, **more) -> None:
        if issubclass(category, UserWarning):
            typer.echo(f"warning: {message}", err=True)
        else:
            shown(message, category, *where, **more)

    try:
        with warnings.catch_warnings():
            warnings.showwarning = show
            app(with_places(sys.argv[1:]))
    except (InputError, FloatingPointError, OSError, MemoryError) as error:
        typer.echo(f"genda: {error or type(error).__name__}", err=True)
        raise SystemExit(2) from None
