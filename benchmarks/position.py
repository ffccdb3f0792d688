"""What does it cost an analysis inside the prior's domain not to know where it is?

    python benchmarks/position.py --table data_samples/results/position.csv     # --cases for more

Boxes at random in the embedded held-out oceans are seen by three altimeters and a radiometer under clouds. Each is
analysed twice, by the fast method and with the same noise: as `region=`, where the prior may use the position, and as
`grid=`, where it ignores it. The table has the CRPS without the position over that with it.
"""

import argparse
from pathlib import Path

import numpy as np

from genda_lite import Grid, assimilate, load_prior
from genda_lite.prior import Prior
from genda_lite.sources import load_sample
from genda_lite.verify.osse.sweep import observe, southwest
from genda_lite.verify.scores import crps
from genda_lite.verify.table import tidy, write_table

CHANNELS = ("zos", "thetao", "so", "uo", "vo")
DIMS = "latitude", "longitude"
METRIC = "CRPS without position / with"


def boxes(cases: int, shape: tuple[int, int], seed: int):
    """True states, by dates and oceans in turn, in boxes at random: `load_sample("nature_heldout")`, windows of it."""
    oceans, rng = load_sample("nature_heldout"), np.random.default_rng(seed)
    dates = np.linspace(0, oceans.sizes["time"] - 1, cases).round().astype(int)
    for case, date in enumerate(dates):
        whole = oceans.isel(member=case % oceans.sizes["member"], time=date)
        row, column = (rng.integers(whole.sizes[d] - n + 1) for d, n in zip(DIMS, shape, strict=True))
        yield whole.isel(latitude=slice(row, row + shape[0]), longitude=slice(column, column + shape[1]))


def scores(prior: Prior, truth, members: int, seed: int) -> dict[str, tuple[float, float]]:
    """CRPS of each channel, with the position and without."""
    grid, date = Grid(truth["latitude"].values, truth["longitude"].values), truth["time"].values
    seen = observe(truth, 3, 0.7, seed)
    found = []
    for place in ({"region": southwest(grid)}, {"grid": (grid.latitude, grid.longitude)}):
        analysis = assimilate(prior, seen, members, seed, date=date, fast=True, **place)
        analysis = analysis.assign_coords(latitude=grid.latitude, longitude=grid.longitude)
        found.append({c: float(crps(analysis[c], truth[c])) for c in CHANNELS})
    return {c: (found[0][c], found[1][c]) for c in CHANNELS}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=24)
    parser.add_argument("--members", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--table", type=Path)
    options = parser.parse_args()
    prior, rows, all_of = load_prior(), [], {c: [] for c in CHANNELS}
    for case, truth in enumerate(boxes(options.cases, prior.shape[1:], options.seed)):
        for channel, (known, hidden) in scores(prior, truth, options.members, options.seed + case).items():
            all_of[channel].append((known, hidden))
            rows.append({"case": str(case), "channel": channel, "metric": METRIC, "value": hidden / known})
        print(case, {c: round(pairs[-1][1] / pairs[-1][0], 3) for c, pairs in all_of.items()}, flush=True)
    for channel, pairs in all_of.items():
        known, hidden = np.mean(pairs, axis=0)
        rows.append({"case": "", "channel": channel, "metric": METRIC, "value": hidden / known})
        print(f"{channel}: {hidden / known:.3f}")
    if options.table is not None:
        settings = f"cases {options.cases}, members {options.members}, fast"
        write_table(
            tidy(rows), options.table, command="python benchmarks/position.py", settings=settings, seed=options.seed
        )


if __name__ == "__main__":
    main()
