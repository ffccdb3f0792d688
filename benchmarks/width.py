"""How wide must a prior be? The parts of its width, one by one, judged on oceans that it was not made of.

    python benchmarks/width.py runs --real ../shared/real --table data_samples/results/width.csv
    python benchmarks/width.py runs --real … --prior old=prior_lite.safetensors --prior new=prior_wide.safetensors
    python benchmarks/width.py --quick             # few windows, two cases of the embedded sample: does it work?

Rows are Gaussian priors, which cost no training: of the old oceans' physics and of the wide ones' (`wide*.nc` of the
folder, where there are some), each in one climate, with each part of the random climate alone, and with all of it. The
old physics come from the shipped prior's covariance, as draws: to second order they are its training oceans. With
`--prior` the checkpoints of networks join, each as its Gaussian prior and by diffusion.

They are judged on oceans of the old width, on the tuning twin (`make tuning-twin`), and with `--real` on real products:
temperature, current, sea level. Choices are made by the twin and by the products, not by oceans of the family that a
prior is trained on. Each result is kept in `FOLDER/width`, and the same command goes on.
"""

import argparse
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from genda_lite import load_prior
from genda_lite.errors import InputError
from genda_lite.files import atomic_path
from genda_lite.prepare.frames import TrainingSet, training_set
from genda_lite.prior import GaussianPrior, Prior
from genda_lite.prior.base import Domain
from genda_lite.prior.climate import ONE, WIDE, Climate
from genda_lite.prior.train import estimate_covariance
from genda_lite.prior.windows import Windows
from genda_lite.sources import load_sample, open_product
from genda_lite.state import OCEAN, Standardizer, StateVector
from genda_lite.verify import real, real_maps, scores
from genda_lite.verify.engine import OI, OURS, Method, interpolated, methods
from genda_lite.verify.osse import scoreboard
from genda_lite.verify.protocol import is_test, refuse_test
from genda_lite.verify.table import less, pivot, row, tidy, write_table

# The climate that was taken apart; one so large turned out to be too large, see `genda_lite.prior.climate`.
LARGER = Climate(temperature=0.9, salinity=1.15, salinity_alone=0.4, slope=1.0, amplitude=0.3, contrast=0.3)
CLIMATES = {
    "one climate": ONE,
    "displaced along the water masses": Climate(LARGER.temperature, LARGER.salinity, slope=LARGER.slope),
    "salinity alone": Climate(salinity_alone=LARGER.salinity_alone, slope=LARGER.slope),
    "amplitude": Climate(amplitude=LARGER.amplitude),
    "contrast": Climate(contrast=LARGER.contrast),
    "all, larger": LARGER,
    "all": WIDE,
}
OLD, WIDER = "old physics", "wide physics"
GAUSSIAN, DIFFUSION = "Gaussian", "diffusion"
TRACKS, LEVEL = "dt_global_alg*.nc4", "nrt_global_allsat_phy_l4*.nc"
MAPS = {  # what is judged -> the products' files, and what makes cases of one
    real_maps.TEMPERATURE: ("*OSTIA*.nc", real_maps.temperature_cases),
    real_maps.CURRENT: ("cmems_mod_glo_phy-cur*.nc", real_maps.current_cases),
}
CREDIT = "real products: generated using E.U. Copernicus Marine Service Information"
CHANNELS = (*OCEAN, "current")  # that are told of
METRICS = ("rmse", "crps", "spread_skill", "rank_distance")
REGIONAL = ("crps", "spread_skill")  # of each region


class Contender(NamedTuple):
    """A prior that is judged, by a method of the engine; `key` tells it from another of the same name."""

    name: str
    prior: Prior
    method: Method
    key: str


# --- Gaussian priors of some width -----------------------------------------------------------------------------------


def climates_of(fields: Tensor, climate: Climate, seed: int) -> Tensor:
    """Windows (n, K, ny, nx), each in a climate of its own, as `Windows` has them."""
    out = torch.empty_like(fields)
    for i, x in enumerate(fields):
        factor, displacement = climate.draw(StateVector.today(), x.shape[1:], np.random.default_rng([seed, i, 3]))
        out[i] = factor * x + displacement
    return out


def gaussian_of(fields: Tensor, climate: Climate, standardizer: Standardizer, domain: Domain, seed: int = 0):
    """The Gaussian prior of windows in random climates."""
    displaced = climates_of(fields, climate, seed)
    covariance, basis = estimate_covariance(lambda: iter(displaced.split(100)))
    return GaussianPrior(covariance, standardizer, domain, basis=basis)


def old_windows(count: int) -> tuple[Tensor, Standardizer, Domain]:
    """Draws of the shipped Gaussian prior."""
    prior = load_prior("gaussian")
    generator = torch.Generator().manual_seed(0)
    return prior.spectrum.sample(count, generator=generator), prior.standardizer, prior.domain


def wide_windows(paths: list[Path], count: int) -> tuple[Tensor, Standardizer, Domain]:
    """Windows of the wide oceans, about their own climatology."""
    data: TrainingSet = training_set([open_product(path) for path in paths], held=64)
    ends = [(float(axis[0]), float(axis[-1])) for axis in (data.latitude, data.longitude)]
    windows = Windows(data, Domain(*ends), 64, pool=64, reuse=4)
    return torch.cat(list(windows.fields(count))), data.standardizer, windows.domain


def gaussians(folder: Path | None, count: int) -> Iterator[Contender]:
    """Every physics in every climate."""
    paths = sorted(folder.glob("wide*.nc")) if folder else []
    refuse_test(paths)
    sources: dict[str, Callable] = {OLD: old_windows}
    if paths:
        sources[WIDER] = partial(wide_windows, paths)
    for physics, source in sources.items():
        made = cache(partial(source, count))  # only if a result is missing
        for name, climate in CLIMATES.items():
            told = f"{physics} {[path.name for path in paths] if physics == WIDER else ''} {asdict(climate)} {count}"
            prior = Lazy(lambda made=made, climate=climate: gaussian_of(made()[0], climate, *made()[1:]))
            run = Method(OI, lambda task, prior=prior: interpolated(prior.get(), task))
            yield Contender(f"{physics}, {name}: {GAUSSIAN}", prior, run, told)


class Lazy:
    """A prior that is made when it is asked for."""

    def __init__(self, make: Callable[[], Prior]):
        self.get = cache(make)


def networks(given: list[str]) -> Iterator[Contender]:
    """Checkpoints NAME=FILE: the Gaussian prior of each, and diffusion."""
    for one in given:
        name, _, path = one.partition("=")
        if not path:
            raise InputError(f"--prior {one}: expected NAME=FILE")
        prior, gaussian = load_prior(path), load_prior(path, gaussian=True)
        digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        known = methods(prior, gaussian, gaussian)
        for kind, model, method in ((GAUSSIAN, gaussian, known[OI]), (DIFFUSION, prior, known[OURS])):
            yield Contender(f"{name}: {kind}", Lazy(lambda model=model: model), method, f"{kind} {digest}")


# --- Judges ----------------------------------------------------------------------------------------------------------


def judged(table: xr.Dataset, ranks: xr.DataArray, size, regions: list[str], units: np.ndarray) -> xr.Dataset:
    """Scores of each case, `mse`, `crps`, `variance`, (case, channel), `ranks` (case, channel, rank), and `size`, the
    members that the judged means are means of; beside each case its region, and its independent unit."""
    out = table[["mse", "crps", "variance"]].reset_coords(drop=True).drop_vars("case", errors="ignore")
    out = out.assign(ranks=ranks.reset_coords(drop=True).drop_vars("case", errors="ignore"), size=size)
    return out.assign_coords(region=("case", regions), unit=("case", units))


def on_oceans(series: list[xr.Dataset], cases: int, members: int, one: Contender) -> xr.Dataset:
    """On simulated oceans, of which some may be chosen by."""
    prior = one.prior.get()
    found = scoreboard.run(scoreboard.Cases(series, prior, cases), [one.method], prior, members)
    found, oceans = found.isel(experiment=0, drop=True).sel(zone="all", drop=True), found["ocean"].values.astype(int)
    size = found["size"].isel(case=0, drop=True)
    return judged(found, found["ranks"], size, [f"ocean {n}" for n in oceans], oceans)


def on_real(found: xr.Dataset, boxes: list, regions: list[str], members: int) -> xr.Dataset:
    """Of tables of real products, which are scored where nothing was observed."""
    found = found.isel(experiment=[0])
    ranks = real.combined_ranks(found).isel(experiment=0)
    return judged(real.combined(found).isel(experiment=0), ranks, float(members), regions, real.units(boxes))


def on_map(what: str, path: Path, regions: list[str], members: int, one: Contender) -> xr.Dataset:
    """On a real map."""
    prior = one.prior.get()
    found, boxes = real_maps.evaluate_maps(MAPS[what][1](path, prior, regions), [one.method], prior, members)
    return on_real(found, [box.case for box in boxes], [box.region for box in boxes], members)


def on_sea_level(tracks: Path, maps: list[Path], regions: list[str], members: int, one: Contender) -> xr.Dataset:
    """On real sea level along real tracks."""
    prior, tables, boxes, names = one.prior.get(), [], [], []
    for region in regions:
        mean = None if region == real.HOME else real.FLAT
        found, here = real.evaluate_real(
            tracks, maps, [one.method], prior, members, corners=real.REGIONS[region], climatology=mean
        )
        tables.append(found.isel(experiment=[0]))
        boxes += here
        names += [region] * len(here)
    return on_real(xr.concat(tables, "case"), boxes, names, members)


def regions_in(given: list[str] | None, quick: bool) -> list[str]:
    """Regions of real sea level and temperature: eight, over 1,500 km apart."""
    eight = list(real.REGIONS)[:8]
    return (given or eight)[: 2 if quick else None]


def judges(arguments: argparse.Namespace) -> Iterator[tuple[str, Callable[[Contender], xr.Dataset]]]:
    """Every judge by its name."""
    folder, cases, members, quick = arguments.folder, arguments.cases, arguments.members, arguments.quick
    daily = folder / "validation_daily.nc" if folder else None
    there = daily is not None and daily.exists()
    old = open_product(daily) if there else load_sample("nature_heldout")
    yield "old oceans" if there else "embedded sample", partial(on_oceans, [old], cases, members)
    twin = folder / "tuning_twin.nc" if folder else None
    if twin and twin.exists():
        series = open_product(twin)
        if is_test(series):
            raise InputError(f"{twin}: holds test data, expected the tuning twin")
        yield "tuning twin", partial(on_oceans, [series], cases, members)
    if arguments.real is None:
        return
    if not arguments.real.is_dir():
        raise InputError(f"{arguments.real}: no such folder, expected one with real products")
    regions = regions_in(arguments.region, quick)
    for what, (pattern, _) in MAPS.items():
        # The current is of the North Atlantic alone: all regions there.
        here = regions if what == real_maps.TEMPERATURE else arguments.region or list(real.REGIONS)
        for path in sorted(arguments.real.glob(pattern))[:1]:
            yield f"real {what}", partial(on_map, what, path, here[: 2 if quick else None], members)
    tracks, maps = (sorted(arguments.real.glob(pattern)) for pattern in (TRACKS, LEVEL))
    if tracks and maps:
        yield "real sea level", partial(on_sea_level, tracks[0], maps, regions, members)


# --- The table -------------------------------------------------------------------------------------------------------


def kept(folder: Path | None, judge: str, one: Contender, settings: str, run: Callable) -> xr.Dataset:
    """A contender's scores by a judge: from the folder, or computed and kept there."""
    if folder is None:
        return run(one)
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(f"{judge} {one.key} {settings}".encode()).hexdigest()[:16]
    path = folder / f"{digest}.nc"
    if not path.exists():
        with atomic_path(path) as temporary:
            run(one).assign_attrs(judge=judge, prior=one.name).to_netcdf(temporary, engine="h5netcdf")
    with xr.open_dataset(path, engine="h5netcdf") as found:
        return found.load()


def figures(found: xr.Dataset) -> xr.Dataset:
    """RMSE, CRPS, spread over error and distance from a flat rank histogram of all cases together, (channel,)."""
    table = scores.averages(found, found["size"], "case")
    return table.assign(rank_distance=scores.rank_distance(found["ranks"].mean("case").transpose("rank", ...)))


def share(found: xr.Dataset, other: xr.Dataset, samples: int = 2000) -> xr.Dataset:
    """CRPS less that of another contender, as a share of it: `value`, and the ends `low` and `high` of its 95 %
    interval, for which independent units are resampled; NaN where there are too few. (channel,)"""
    sums = [one["crps"].groupby(one["unit"]).sum() for one in (found, other)]
    value = sums[0].sum("unit") / sums[1].sum("unit") - 1
    ends = {"low": value * np.nan, "high": value * np.nan}
    if sums[0].sizes["unit"] >= real.ENOUGH:
        drawn = xr.DataArray(scores.bootstrap_counts(sums[0].sizes["unit"], samples), dims=("sample", "unit"))
        found = scores.bootstrap_interval(drawn.dot(sums[0]) / drawn.dot(sums[1]) - 1)
        ends = {end: found.sel(bound=end, drop=True) for end in ends}
    return xr.Dataset({"value": value} | ends)


def opponents(names: list[str]) -> Iterator[tuple[str, str]]:
    """Who is compared with whom: a climate with one climate, wide physics with old, all with the narrowest; a network
    with its own Gaussian prior, with the first network, and with the Gaussian prior of the first."""
    first = next((name for name in names if name.endswith(DIFFUSION)), None)
    for name in names:
        one, _, kind = name.rpartition(": ")
        physics, _, climate = one.partition(", ")
        pairs = ((physics, "one climate"), (OLD, climate), (OLD, "one climate"))
        against = [f"{other}, {which}: {kind}" for other, which in pairs] if climate else []
        if first and not climate:
            begun = first.rpartition(": ")[0]
            against = [f"{one}: {GAUSSIAN}", f"{begun}: {kind}", f"{begun}: {GAUSSIAN}"]
        yield from ((name, other) for other in dict.fromkeys(against) if other in names and other != name)


def rows_of(judge: str, tables: dict[str, xr.Dataset]) -> list[dict]:
    """Figures of every contender by one judge, of all cases and of each region, and the CRPS of some less others'."""
    rows, where = [], next(iter(tables.values())).reset_coords()[["region", "unit"]]
    regions = dict.fromkeys(map(str, where["region"].values))
    for region in (None, *(regions if len(regions) > 1 else ())):
        case = f"{judge}, {region}" if region else judge
        some = np.flatnonzero(where["region"] == region) if region else slice(None)
        here = {name: found.isel(case=some) for name, found in tables.items()}
        for name, found in here.items():
            table = figures(found)
            for metric in REGIONAL if region else METRICS:
                for channel in (c for c in CHANNELS if c in table["channel"]):
                    labels = {"case": case, "method": name, "channel": channel, "metric": metric}
                    rows.append(row(f"{name}: {metric} of {case}", table[metric].sel(channel=channel), **labels))
        for name, other in () if region else opponents(list(tables)):
            told = share(here[name], here[other])
            for channel in (c for c in CHANNELS if c in told["channel"]):
                d = {key: float(told[key].sel(channel=channel)) for key in ("value", "low", "high")}
                labels = {"case": case, "method": name, "channel": channel, "metric": less("crps", other)}
                ends = {"low": d["low"], "high": d["high"]}
                rows.append(row(f"{name} less {other}: CRPS of {case} (share)", d["value"], beside=ends, **labels))
    units = len(np.unique(where["unit"]))
    return [*rows, row(f"independent units of {judge}", units, case=judge, metric="units")]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Judge priors of several widths on oceans they were not made of.")
    parser.add_argument("folder", type=Path, nargs="?", help="with wide*.nc, tuning_twin.nc, validation_daily.nc")
    parser.add_argument("--prior", action="append", default=[], metavar="NAME=FILE", help="a checkpoint, too")
    parser.add_argument("--only-priors", action="store_true", help="the checkpoints alone")
    parser.add_argument("--real", type=Path, help="folder of real products")
    parser.add_argument("--region", nargs="+", choices=list(real.REGIONS), help="of real products")
    parser.add_argument("--judge", nargs="+", help="only these, by the names in the table: processes can share them")
    parser.add_argument("--windows", type=int, default=3000, help="of which a covariance is estimated")
    parser.add_argument("--cases", type=int, default=24, help="of each simulated judge")
    parser.add_argument("--members", type=int, default=16)
    parser.add_argument("--table", type=Path, help="write all figures as a tidy table (CSV)")
    parser.add_argument("--quick", action="store_true", help="few windows, two cases, two regions")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.windows, arguments.cases, arguments.members = 200, 2, 4
    torch.set_num_threads(1)
    contenders = list(networks(arguments.prior))
    if not arguments.only_priors:
        contenders = [*gaussians(arguments.folder, arguments.windows), *contenders]
    settings = f"{arguments.cases} {arguments.members} {arguments.region} {arguments.quick}"
    place, rows = arguments.folder and arguments.folder / "width", []
    for judge, run in judges(arguments):
        if arguments.judge and judge not in arguments.judge:
            continue
        tables = {}
        for one in contenders:
            print(f"{judge}: {one.name}", flush=True)
            tables[one.name] = kept(place, judge, one, settings, run)
        rows += rows_of(judge, tables)
        here = tidy(r for r in rows if r.get("case") == judge and r["metric"] in METRICS[:3])
        here = here[here["channel"].isin(["zos", "thetao", "so", "current"])].dropna(subset="value")
        here["figure"] = here["channel"] + " " + here["metric"]
        print(pivot(here, columns="figure").map("{:.3f}".format).to_string(), flush=True)
    if arguments.table:
        told = f"{arguments.windows} windows a covariance, {arguments.cases} cases, {arguments.members} members"
        command = f"python benchmarks/width.py runs{' --only-priors' * arguments.only_priors}"
        command += "".join(f" --prior {given}" for given in arguments.prior)
        command += " --real …" * (arguments.real is not None)
        command += "".join(f' --judge "{judge}"' for judge in arguments.judge or ())
        about = {"data": CREDIT} if arguments.real else {}
        write_table(tidy(rows), arguments.table, command=command, settings=told, seed=0, **about)


if __name__ == "__main__":
    main()
