"""Cut the embedded sample out of a simulated ocean: four dates through the year of one member.

    python benchmarks/make_sample.py test.nc data_samples/nature_sample.nc --member 1
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from genda_lite.nature.run import FIELDS
from genda_lite.sources import open_product
from genda_lite.state import write_dataset


def main(
    source: Path,
    out: Path,
    member: Annotated[int, typer.Option(help="Which ocean of the file.")] = 1,
    dates: Annotated[int, typer.Option(help="How many dates, spread evenly.")] = 4,
) -> None:
    with open_product(source) as ds:
        last = ds.sizes["time"] - 1
        sample = ds.isel(member=member, time=np.linspace(0.05 * last, 0.97 * last, dates).astype(int)).load()
    sample = sample[list(FIELDS)].reset_coords(drop=True)
    for variable in sample.variables.values():
        variable.encoding = {}
    write_dataset(sample, out)
    typer.echo(f"{out}: {', '.join(str(t)[:10] for t in sample['time'].values)}")


if __name__ == "__main__":
    typer.run(main)
