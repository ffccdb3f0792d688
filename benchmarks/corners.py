"""Do the wide ranges hold oceans that stay stable, and like the real one? The worst of many draws, and some at random.

    python benchmarks/corners.py --compile                       # a quarter of an hour of a core
    python benchmarks/corners.py --compile --table corners.csv

Of many draws within the limits it takes those at the ends of what could go wrong: the thinnest layer under the fastest
jet, the greatest step over the weakest drag, the sharpest front with the greatest contrasts in the strongest wind, and
the weakest jet of all. Beside them are the first oceans of `make data`. Each is spun up, then measured as
`genda evaluate nature` does; printed are the thinnest the upper layer gets, the fastest current, and the statistics
beside their targets: of each ocean, and their mean over the oceans drawn at random.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import xarray as xr

from genda_lite.nature import NatureRun, Physics, Simulation
from genda_lite.nature.dataset import advance
from genda_lite.nature.physics import LIMITS, PARAMETERS
from genda_lite.verify.protocol import WIDE_SEEDS
from genda_lite.verify.realism import TARGETS, inside, measure
from genda_lite.verify.table import is_met, tidy, write_table

Values = dict[str, float]
EXTREMES: dict[str, Callable[[Values], float]] = {  # of standardized parameters and limits: greatest at the corner
    "thin and fast": lambda v: v["speed of the inflow"] - v["upper layer in the north"],
    "high, little drag": lambda v: v["sea-level step"] - v["bottom_drag"] + v["inflow_pulse"],
    "sharp": lambda v: v["contrast of temperature"] + v["contrast of salinity"] + v["wind_std"] - v["front_width"],
    "weak": lambda v: -v["speed of the inflow"] - v["contrast of temperature"],
}


@dataclass
class Silent:
    """A progress bar that shows nothing."""

    def update(self) -> None:
        """Nothing."""


def drawn(count: int, seed: int) -> list[Values]:
    """Parameters of many wide oceans."""
    columns = Physics.draw(count, seed, wide=True).as_dict()
    return [{name: values[i] for name, values in columns.items()} for i in range(count)]


def corners(count: int = 2000, seed: int = 12345) -> dict[str, Values]:
    """The oceans among many draws that are farthest out, by what they are."""
    many = drawn(count, seed)
    told = pd.DataFrame([one | {name: limit.of(one) for name, limit in LIMITS.items()} for one in many])
    standard = ((told - told.mean()) / told.std()).to_dict("records")
    return {name: many[int(np.argmax([far(one) for one in standard]))] for name, far in EXTREMES.items()}


def simulated(one: Values, seed: int, spin_up: int, days: int, compile: bool) -> tuple[Values, xr.Dataset]:
    """The thinnest upper layer (m) and the fastest current (m/s) of a run, and every other of its daily means.

    Raises:
        FloatingPointError: it became unstable.
    """
    physics = Physics(**{name: torch.tensor([one[name]], dtype=torch.float64) for name in PARAMETERS})
    run, thinnest, fastest, parts = NatureRun(physics, seed, compile=compile), np.inf, 0.0, []
    simulation = Simulation(days, seed, every=2, spin_up=spin_up)
    while (day := round(run.day)) < spin_up + days:
        part = advance(run, simulation, min(10, spin_up + days - day), Silent())
        thinnest = min(thinnest, float(run.flow.h.min()))
        fastest = max(fastest, float(run.flow.u[:, 0].abs().max()))
        parts.append(part)
    whole = xr.concat([part for part in parts if part.sizes["time"]], "time", data_vars="minimal")
    return {"thinnest upper layer (m)": thinnest, "fastest current (m/s)": fastest}, whole.isel(member=0)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Simulate the corners of the wide ranges, and measure them.")
    parser.add_argument("--random", type=int, default=4, help="oceans of `make data` beside them")
    parser.add_argument("--spin-up", type=int, default=150)
    parser.add_argument("--days", type=int, default=120)
    parser.add_argument("--compile", action="store_true", help="fuse the time step (needs a C++ compiler)")
    parser.add_argument("--table", type=Path, help="write all figures as a tidy table (CSV)")
    a = parser.parse_args()
    torch.set_num_threads(1)
    oceans = corners() | {f"seed {seed}": drawn(1, seed)[0] for seed in WIDE_SEEDS[: a.random]}
    rows, found = [], {}
    for number, (name, one) in enumerate(oceans.items()):
        try:
            extremes, ocean = simulated(one, number + 1, a.spin_up, a.days, a.compile)
            found[name] = extremes | measure(inside(ocean.drop_vars([f"physics_{p}" for p in PARAMETERS])))
        except FloatingPointError as error:
            found[name] = {}
            print(f"{name}: {error}")
        left = [s for s, target in TARGETS.items() if is_met(found[name].get(s, np.nan), *target) is False]
        told = ", ".join(f"{s} {found[name][s]:.3g}" for s in left)
        ends = ", ".join(f"{s} {v:.3g}" for s, v in list(found[name].items())[:2])
        print(f"{name}: {ends}; outside its target: {told or 'nothing'}", flush=True)
        rows += [{"ocean": name, "metric": s, "value": v} for s, v in found[name].items()]
    mean = pd.DataFrame(found)[[name for name in found if name.startswith("seed")]].mean(axis=1)
    for s, target in TARGETS.items():
        if s in mean and is_met(mean[s], *target) is not None:
            print(f"mean of the oceans at random, {s}: {mean[s]:.3f}{'' if is_met(mean[s], *target) else ' NOT MET'}")
    if a.table:
        settings = f"{a.spin_up} days of spin-up, {a.days} days, {a.random} oceans of make data"
        write_table(tidy(rows), a.table, command="python benchmarks/corners.py --compile", settings=settings, seed=0)


if __name__ == "__main__":
    main()
