"""Release drifters on the fraternal twin: the withheld observations of the default experiment.

    python data_samples/make_drifters.py

They are read as real ones are (`read_drifters`). The twin's truth is read to make them, and by nothing that analyses.
"""

from pathlib import Path
from typing import Annotated

import typer

from genda_lite.drifters import DrifterProgramme, write_insitu_csv
from genda_lite.sources import load_sample

FOLDER = Path(__file__).resolve().parent


def main(
    out: Annotated[Path, typer.Option(help="File to write; compressed if it ends in .gz.")] = FOLDER
    / "twin_drifters.csv.gz",
    number: Annotated[int, typer.Option(help="How many drifters; more only add to those there are.")] = 40,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
) -> None:
    drifters = DrifterProgramme(number, seed).follow(load_sample("twin_truth"))
    write_insitu_csv(drifters, out)
    heard, hours = drifters.sizes["traj"], drifters.sizes["obs"]
    typer.echo(f"{out.name}: {heard} drifters, {hours} hourly velocities, {out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    typer.run(main)
