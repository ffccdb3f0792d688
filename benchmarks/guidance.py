"""Which guidance shall be the default? Several, on the same prior and the same observations of oceans to validate on.

    python benchmarks/guidance.py --truth runs/validation_daily.nc --folder runs/guidance --table guidance.csv
    python benchmarks/guidance.py --quick           # six cases of the embedded sample: does it work?

Cases are those of `genda evaluate osse`, of oceans that may be chosen by (`verify.protocol`); a third of them is of
**oceans of another climate**, wider than any that the prior was trained on, as real ones are: anomalies half as large
again, and water masses warmer and saltier by a plane across the ocean, of one standard deviation. Differences of CRPS
from one iteration in 80 steps, the former default, are told ocean by ocean. Half a minute a case and method on a core.
"""

import argparse
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from genda_lite import load_prior
from genda_lite.errors import InputError
from genda_lite.ocean.currents import geostrophic_current
from genda_lite.posterior.assimilate import DEFAULT, Settings
from genda_lite.posterior.guidance import hybrid, mmps
from genda_lite.prepare.frames import members_of
from genda_lite.prior import Prior
from genda_lite.sources import load_sample, open_product
from genda_lite.state import CHANNELS, OCEAN
from genda_lite.verify.engine import Case, Method, sampled
from genda_lite.verify.osse import scoreboard
from genda_lite.verify.protocol import is_test
from genda_lite.verify.table import tidy, write_table

REFERENCE = "hybrid, 1 iteration, 80 steps"
VARIANTS = {
    REFERENCE: (80, partial(hybrid, iterations=1)),
    "hybrid, 1 iteration, 40 steps": (40, partial(hybrid, iterations=1)),
    "default": (DEFAULT.steps, hybrid),
    "hybrid, 3 iterations, 20 steps": (20, partial(hybrid, iterations=3)),
    "MMPS, 3 iterations, 20 steps": (20, partial(mmps, iterations=3)),
    **{f"default, crossover {c:g}": (DEFAULT.steps, partial(hybrid, crossover=c)) for c in (5.0, 10.0, 60.0, np.inf)},
}
DENSE = 0.6  # cloud below which more than two fifths of temperature are seen: innovations are then many
AMPLITUDE = 1.5  # of anomalies, of an ocean of another climate
WARMER = {"thetao": 1.0, "so": 1.0}  # standard deviations, of the plane


def widened(ocean: xr.Dataset, prior: Prior, seed: int) -> xr.Dataset:
    """An ocean of another climate: its anomalies of sea level, temperature and salinity are larger, its current is in
    balance with them, and its water masses are warmer and saltier by a plane."""
    standardizer, rng = prior.standardizer, np.random.default_rng(seed)
    latitude, time, dims = ocean["latitude"].values, ocean["time"].values, ("time", "latitude")
    usual = np.stack([standardizer.climatology(latitude, t) for t in time])  # (time, channel, latitude)
    constant, north, east = rng.standard_normal(3)
    across = xr.DataArray(np.linspace(-1, 1, ocean.sizes["longitude"]), dims="longitude")
    along = xr.DataArray(np.linspace(-1, 1, len(latitude)), dims="latitude")
    plane, wide = constant + north * along + east * across, ocean.copy()
    for name in ("zos", "thetao", "so"):
        k = CHANNELS.index(name)
        climatology = xr.DataArray(usual[:, k], dims=dims)
        offset = WARMER.get(name, 0.0) * float(standardizer.scale[k]) * plane
        wide[name] = (climatology + AMPLITUDE * (ocean[name] - climatology) + offset).transpose(*ocean[name].dims)
    for name, more in zip(("uo", "vo"), geostrophic_current(wide["zos"] - ocean["zos"]), strict=True):
        wide[name] = ocean[name] + more
    return wide


@dataclass(frozen=True)
class Mixed(scoreboard.Cases):
    """Cases of all oceans by turns, in every third turn of another climate."""

    @cached_property
    def oceans(self) -> list[xr.Dataset]:
        """One by one."""
        return [ocean for one in self.series for ocean in members_of(one)]

    @cached_property
    def wide(self) -> scoreboard.Cases:
        """The same cases, all of them of another climate."""
        return replace(self, series=[widened(ocean, self.prior, 100 + i) for i, ocean in enumerate(self.oceans)])

    def is_wide(self, number: int) -> bool:
        """Whether a case is of another climate."""
        return number // len(self.oceans) % 3 == 2

    def __getitem__(self, number: int) -> Case:
        """See `scoreboard.Cases`."""
        return scoreboard.Cases.__getitem__(self.wide if self.is_wide(number) else self, number)


def methods(prior: Prior, names: list[str]) -> list[Method]:
    """Variants as methods of the engine."""
    return [
        Method(name, partial(sampled, prior, Settings("hybrid", "sde-2m", steps), guidance=guide))
        for name, (steps, guide) in VARIANTS.items()
        if name in names
    ]


def rows_of(found: xr.Dataset, wide: np.ndarray) -> list[dict]:
    """CRPS less that of the reference, of cases of either climate, of all and of those that are densely observed."""
    rows, dense = [], found["cloud"].values < DENSE
    climates = {"validation oceans": ~wide, "another climate": wide}
    parts = climates | {f"{title}, much of temperature seen": part & dense for title, part in climates.items()}
    for title, part in parts.items():
        table = found.isel(case=np.flatnonzero(part))
        for name in map(str, table["experiment"].values):
            for channel in OCEAN if name != REFERENCE else ():
                rows += scoreboard.paired_rows(table, name, REFERENCE, channel, title)
    return rows


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Compare guidances on oceans to validate on.")
    parser.add_argument("--truth", type=Path, nargs="+", help="daily fields; by default the embedded held-out sample")
    parser.add_argument("--only", nargs="+", choices=list(VARIANTS), default=list(VARIANTS), help="variants to run")
    parser.add_argument("--cases", type=int, default=36)
    parser.add_argument("--members", type=int, default=8)
    parser.add_argument("--folder", type=Path, help="keep each case's scores here, and go on from them")
    parser.add_argument("--table", type=Path, help="write the rows as a tidy table")
    parser.add_argument("--quick", action="store_true", help="six cases, four members, two variants")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.cases, arguments.members, arguments.only = 6, 4, [REFERENCE, "default"]
    series = [open_product(path) for path in arguments.truth or ()] or [load_sample("nature_heldout")]
    if any(map(is_test, series)):
        raise InputError("a guidance is not chosen on test data, expected oceans to validate on")
    if arguments.folder:
        arguments.folder.mkdir(parents=True, exist_ok=True)
    prior = load_prior()
    cases = Mixed(series, prior, arguments.cases)
    only = dict.fromkeys([REFERENCE, *arguments.only])
    found = scoreboard.run(cases, methods(prior, list(only)), prior, arguments.members, 1, arguments.folder, print)
    rows = rows_of(found, np.array([cases.is_wide(number) for number in range(arguments.cases)]))
    frame = tidy(rows)
    whole = frame[frame["ocean"].astype(str) == ""]
    print(pd.pivot_table(whole, "value", ["case", "method"], "channel").map("{:+.1%}".format).to_string())
    print(found["seconds"].mean("case").to_series().round(1).to_string())
    if arguments.table:
        settings = f"{arguments.cases} cases, {arguments.members} members"
        truth = "".join(f" --truth runs/{path.name}" for path in arguments.truth or ())
        command = f"python benchmarks/guidance.py{truth} --cases {arguments.cases}"
        write_table(frame, arguments.table, command=command, settings=settings, seed=0)


if __name__ == "__main__":
    main()
