"""How the simulated ocean converges with resolution: one meandering jet on grids of 32, 16, 8 and 4 km.

    python benchmarks/convergence.py --days 10 --compile

All start from the same balanced jet with the same meanders. Sea level is averaged to the coarsest cells, and the RMS
difference from the next finer grid is printed with the order of convergence that two differences imply.
"""

from itertools import pairwise
from typing import Annotated

import torch
import typer

from genda_lite.nature import NatureRun, Physics
from genda_lite.nature.dynamics import Channel

COARSEST = 32  # km


def sea_level(spacing: int, days: float, compile: bool, seed: int = 0) -> torch.Tensor:
    """Sea level (m) after some days on cells of `spacing` km, averaged to the coarsest cells."""
    factor = COARSEST // spacing
    channel = Channel(nx=64 * factor, ny=42 * factor, dx=1e3 * spacing, dt=5400.0 / factor)
    run = NatureRun(Physics.draw(1, seed), seed, channel, dtype=torch.float64, compile=compile)
    for _ in range(round(days * 86400 / channel.dt)):
        run.flow = run.model.step(run.flow, run.u_ref, run.h_ref)
    return torch.nn.functional.avg_pool2d(run.flow.sea_level, factor)[0]


def main(
    days: Annotated[float, typer.Option(help="Simulated days.")] = 10.0,
    finest: Annotated[int, typer.Option(help="Finest spacing (km): 32, 16, 8 or 4.")] = 4,
    compile: Annotated[bool, typer.Option(help="Fuse the time step (needs a C++ compiler).")] = False,
) -> None:
    spacings = [spacing for spacing in (32, 16, 8, 4, 2) if spacing >= finest]
    fields = [sea_level(spacing, days, compile) for spacing in spacings]
    differences = [float((a - b).square().mean().sqrt()) for a, b in pairwise(fields)]
    typer.echo(f"sea level after {days:g} days: standard deviation {float(fields[-1].std()):.3f} m")
    for i, difference in enumerate(differences):
        ratio = "" if i == 0 else f", order {torch.tensor(differences[i - 1] / difference).log2():.1f}"
        typer.echo(f"{spacings[i]:3d} km against {spacings[i + 1]:2d} km: {1e3 * difference:.2f} mm{ratio}")


if __name__ == "__main__":
    typer.run(main)
