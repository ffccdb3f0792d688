"""The `genda` command: simulate, train, assimilate, evaluate."""

from pathlib import Path
from typing import Annotated

import typer

from .errors import InputError

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def genda() -> None:
    """Generative data assimilation of the surface ocean."""


@app.command()
def simulate(
    days: Annotated[int, typer.Option(help="Days to keep after the spin-up.")],
    out: Annotated[Path, typer.Option(help="NetCDF file to write.")],
    seed: Annotated[int, typer.Option(help="Seed of physics, initial state and weather.")] = 0,
    members: Annotated[int, typer.Option(help="Independent oceans, integrated together.")] = 1,
    every: Annotated[int, typer.Option(help="Keep every so many daily means.")] = 1,
    spin_up: Annotated[int, typer.Option(help="Days to discard first.")] = 150,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    compile: Annotated[bool, typer.Option(help="Fuse the time step (needs a C++ compiler; twice as fast).")] = False,
) -> None:
    """Simulate Gulf-Stream-like oceans and write their surface as a GLORYS-like data set."""
    from .nature import simulate as run
    from .state import write_dataset

    if not out.parent.is_dir():
        raise InputError(f"{out}: cannot be written, the folder {out.parent} does not exist")
    ds = run(days, seed, members, every, spin_up, device, compile)
    write_dataset(ds, out)
    typer.echo(f"{out}: {ds.sizes['time']} daily means of {members} ocean(s), seed {seed}")


def main() -> None:
    """Entry point: bad input is told in one line, without a traceback."""
    try:
        app()
    except InputError as error:
        typer.echo(f"genda: {error}", err=True)
        raise SystemExit(2) from None
