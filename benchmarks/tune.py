"""Choose the numbers of the sampler that belong to a network, `crossover` and `inflation`, and write them into it.

    python benchmarks/tune.py runs/prior_wide.safetensors --truth runs/tuning_twin.nc runs/validation_daily.nc
    python benchmarks/tune.py CHECKPOINT --quick            # two cases of the embedded sample: does it work?

First the crossover: of each, the default guidance analyses the same cases; the one with the lowest CRPS over that of
the first, the mean of its logarithm over the channels of the ocean, is taken. With it the inflation, all channels at
once: each channel takes the one with its lowest CRPS, of those whose fresh noise is its own. The twin is of another
structure than the training oceans, the validation oceans are of their family: give both. Each case is kept in
`--folder`, and the same command goes on. Half a minute a case and number on a core.
"""

import argparse
import hashlib
from copy import copy
from functools import partial
from pathlib import Path

import numpy as np
import torch
import xarray as xr

from genda_lite import load_prior
from genda_lite.errors import InputError
from genda_lite.posterior.assimilate import DEFAULT
from genda_lite.prior import Prior
from genda_lite.prior.checkpoint import FORMAT_3, save_prior
from genda_lite.sources import load_sample, open_product
from genda_lite.state import OCEAN
from genda_lite.verify.engine import Method, sampled
from genda_lite.verify.osse import scoreboard
from genda_lite.verify.protocol import is_test
from genda_lite.verify.table import tidy, write_table

CROSSOVERS = (20.0, 2.0, 5.0, 10.0, 60.0, float("inf"))
INFLATIONS = (1.0, 1.05, 1.1, 1.15, 1.2, 1.3, 1.4)


def with_numbers(prior: Prior, crossover: float, inflation: float) -> Prior:
    """The prior with other numbers."""
    other = copy(prior)
    other.crossover, other.inflation = crossover, (inflation,) * len(prior.state)
    return other


def crps_of(prior: Prior, tried: dict[str, Prior], series: list[xr.Dataset], a: argparse.Namespace) -> xr.DataArray:
    """CRPS of the ocean's channels, mean over the cases of all series, dims (experiment, channel)."""
    chosen = [Method(name, partial(sampled, other, DEFAULT)) for name, other in tried.items()]
    tables = []
    for number, one in enumerate(series):
        folder = a.folder and a.folder / f"{a.digest}-{number}"
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
        cases = scoreboard.Cases([one], prior, a.cases)
        found = scoreboard.run(cases, chosen, prior, a.members, folder=folder, progress=print)
        tables.append(found["crps"].sel(zone="all", channel=list(OCEAN)).mean("case"))
    return xr.concat(tables, "series")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Choose crossover and inflation of a prior on data for tuning.")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--truth", type=Path, nargs="+", help="daily fields to choose by; by default the sample")
    parser.add_argument("--out", type=Path, help="checkpoint to write; by default the same")
    parser.add_argument("--cases", type=int, default=8, help="of each file")
    parser.add_argument("--members", type=int, default=8)
    parser.add_argument("--folder", type=Path, help="keep each case here, and go on from it")
    parser.add_argument("--table", type=Path, help="write the CRPS of all that was tried as a tidy table (CSV)")
    parser.add_argument("--quick", action="store_true", help="two cases, two members, two numbers each")
    a = parser.parse_args()
    crossovers, inflations = CROSSOVERS, INFLATIONS
    if a.quick:
        a.cases, a.members, crossovers, inflations = 2, 2, CROSSOVERS[:2], INFLATIONS[:2]
    torch.set_num_threads(1)
    series = [open_product(path) for path in a.truth or ()] or [load_sample("nature_heldout")]
    if any(map(is_test, series)):
        raise InputError("numbers are not chosen on test data, expected data for tuning")
    prior = load_prior(a.checkpoint)
    weights = hashlib.sha256(b"".join(p.numpy().tobytes() for p in prior.denoiser.parameters()))
    a.digest = weights.hexdigest()[:12]  # of what is tuned, not of the numbers

    rows = []

    def keep(found: xr.DataArray, what: str) -> None:
        for one in found.transpose("series", "experiment", "channel"):
            case = f"{what}, series {int(one['series']) if 'series' in one.coords else 0}"
            for method, channels in zip(one["experiment"].values, one.values, strict=True):
                labels = zip(one["channel"].values, channels, strict=True)
                rows.extend(
                    {"case": case, "method": str(method), "channel": str(c), "metric": "crps", "value": v}
                    for c, v in labels
                )

    tried = {f"crossover {c:g}": with_numbers(prior, c, 1.0) for c in crossovers}
    found = crps_of(prior, tried, series, a).assign_coords(series=range(len(series)))
    keep(found, "crossover")
    gain = np.log(found / found.isel(experiment=0)).mean(("channel", "series"))
    crossover = crossovers[int(gain.argmin("experiment"))]
    print(f"crossover {crossover:g}:", dict(zip(tried, np.round(gain.values, 4), strict=True)))

    tried = {f"crossover {crossover:g}, inflation {i:g}": with_numbers(prior, crossover, i) for i in inflations}
    found = crps_of(prior, tried, series, a).assign_coords(series=range(len(series)))
    keep(found, "inflation")
    each = np.log(found / found.isel(experiment=0)).mean("series")
    best = {str(c): inflations[int(each.sel(channel=c).argmin("experiment"))] for c in each["channel"].values}
    print("inflation:", best)

    prior.crossover = crossover
    prior.inflation = tuple(best.get(name, 1.0) for name in prior.state.channels)
    names = [path.name for path in a.truth or ()]
    prior.training = prior.training | {"tuned": f"crossover and inflation on {', '.join(names) or 'the sample'}"}
    save_prior(prior, a.out or a.checkpoint, FORMAT_3)
    print(f"{a.out or a.checkpoint}: written")
    if a.table:
        settings = f"{a.cases} cases of each of {', '.join(names) or 'the sample'}, {a.members} members"
        write_table(tidy(rows), a.table, command="python benchmarks/tune.py", settings=settings, seed=0)


if __name__ == "__main__":
    main()
