"""In how many days sea level changes, for methods that are told when altimetry was measured (`posterior.lags`).

    make osse-data
    python benchmarks/lag_time.py runs/validation_daily.nc --table data_samples/results/lag_time.csv     # half an hour

Optimal interpolation on cases that the scoreboard does not score (another seed: other boxes, dates and observing
systems), with each lag time, and with the age of altimetry as an error. The way with the lowest CRPS of sea level is
the scoreboard's (`scoreboard.Cases`).
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import xarray as xr
from tqdm.auto import tqdm

from genda_lite.sources import open_product
from genda_lite.verify.engine import OI, load_methods
from genda_lite.verify.osse import scoreboard
from genda_lite.verify.protocol import refuse_test
from genda_lite.verify.table import pick, pivot, tidy, write_table

TIMES = (0.0, 2.5, 3.5, 5.0, 7.0, 10.0)  # days; 0: its age is an error
SEED = 1  # the scoreboard's cases are of seed 0
METRICS = ("crps", "rmse", "spread_skill")


def labelled(found: xr.Dataset, case: str) -> Iterator[dict]:
    """The figures of all cases together, and the CRPS of each ocean, as rows of `verify.table`."""
    parts = {"": found} | {str(n): part for n, part in found.groupby("ocean")}
    for ocean, part in parts.items():
        judged = scoreboard.figures(part).sel(experiment=OI)
        for metric in METRICS if not ocean else METRICS[:1]:
            for channel in ("zos", "thetao", "uo", "vo"):
                value = float(judged[metric].sel(channel=channel))
                yield {"case": case, "method": OI, "ocean": ocean, "channel": channel, "metric": metric, "value": value}


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Choose the lag time of twin experiments.")
    parser.add_argument("truth", type=Path, help="daily fields of oceans that nothing was trained on")
    parser.add_argument("--cases", type=int, default=24)
    parser.add_argument("--table", type=Path, help="write all figures as a tidy table (CSV) to this file, too")
    arguments = parser.parse_args()
    refuse_test([arguments.truth])
    prior, known = load_methods()
    rows = []
    with open_product(arguments.truth) as truth:
        cases = scoreboard.Cases([truth], prior, arguments.cases, SEED)
        for time in tqdm(TIMES, desc="lag times"):
            found = scoreboard.run(replace(cases, decorrelation=time), [known[OI]], prior)
            rows += labelled(found, f"{time:g} days" if time else "age as an error")
    frame = tidy(rows)
    if arguments.table:
        about = {
            "command": f"python benchmarks/lag_time.py runs/{arguments.truth.name}",
            "settings": f"{arguments.cases} cases, seed {SEED}",
        }
        write_table(frame, arguments.table, **about, seed=SEED)
    for metric in METRICS:
        print(f"\n{metric}\n\n{pivot(pick(frame, metric=metric, ocean=''), 'case', 'channel').round(4).to_markdown()}")
    print("\nCRPS of sea level, by ocean\n")
    print(pivot(pick(frame, metric="crps", channel="zos"), "case", "ocean").round(4).to_markdown())


if __name__ == "__main__":
    main()
