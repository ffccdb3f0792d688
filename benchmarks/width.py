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
import pandas as pd
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
from genda_lite.state import Standardizer, StateVector
from genda_lite.verify import real, real_maps, scores
from genda_lite.verify.engine import OI, OURS, Method, interpolated, methods
from genda_lite.verify.osse import scoreboard
from genda_lite.verify.protocol import is_test, refuse_test
from genda_lite.verify.table import pivot, row, tidy, write_table

CLIMATES = {
    "one climate": ONE,
    "displaced along the water masses": Climate(WIDE.temperature, WIDE.salinity, slope=WIDE.slope),
    "salinity alone": Climate(salinity_alone=WIDE.salinity_alone, slope=WIDE.slope),
    "amplitude": Climate(amplitude=WIDE.amplitude),
    "contrast": Climate(contrast=WIDE.contrast),
    "all": WIDE,
}
OLD, WIDER = "old physics", "wide physics"
TRACKS, LEVEL = "dt_global_alg*.nc4", "nrt_global_allsat_phy_l4*.nc"
MAPS = {  # what is judged -> the products' files, and what makes cases of one
    real_maps.TEMPERATURE: ("*OSTIA*.nc", real_maps.temperature_cases),
    real_maps.CURRENT: ("cmems_mod_glo_phy-cur*.nc", real_maps.current_cases),
}
METRICS = ("rmse", "crps", "spread_skill", "rank_distance")


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
            yield Contender(f"{physics}, {name}: Gaussian", prior, run, told)


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
        for kind, model, method in (("Gaussian", gaussian, known[OI]), ("diffusion", prior, known[OURS])):
            yield Contender(f"{name}: {kind}", Lazy(lambda model=model: model), method, f"{kind} {digest}")


# --- Judges ----------------------------------------------------------------------------------------------------------


def on_oceans(series: list[xr.Dataset], cases: int, members: int, one: Contender) -> list[dict]:
    """Figures on simulated oceans, of which some may be chosen by."""
    prior = one.prior.get()
    found = scoreboard.run(scoreboard.Cases(series, prior, cases), [one.method], prior, members)
    table = scoreboard.figures(found).isel(experiment=0)
    return [
        {"channel": str(channel), "metric": metric, "value": float(table[metric].sel(channel=channel))}
        for metric in METRICS
        for channel in table["channel"].values
    ]


def on_map(what: str, path: Path, regions: list[str], members: int, one: Contender) -> list[dict]:
    """Figures on a real map, of all regions together and of each."""
    prior = one.prior.get()
    found, boxes = real_maps.evaluate_maps(MAPS[what][1](path, prior, regions), [one.method], prior, members)
    rows = real_maps.rows_of(found.isel(experiment=[0]), boxes, what, OI, [])
    return [
        {"channel": r["channel"], "metric": r["metric"], "value": r["value"], "region": r["case"].partition(", ")[2]}
        for r in rows
        if r.get("method")
    ]


def on_sea_level(tracks: Path, maps: list[Path], regions: list[str], members: int, one: Contender) -> list[dict]:
    """Figures on real sea level along real tracks, of all regions together and of each."""
    prior, rows = one.prior.get(), []
    tables = []
    for region in regions:
        mean = None if region == real.HOME else real.FLAT
        found, _ = real.evaluate_real(
            tracks, maps, [one.method], prior, members, corners=real.REGIONS[region], climatology=mean
        )
        tables.append((region, found.isel(experiment=[0])))
    everywhere = xr.concat([table for _, table in tables], "case")
    for region, table in [("", everywhere), *tables]:
        means = scores.averages(real.combined(table), members, "case").isel(experiment=0)
        for metric in means.data_vars:
            for channel in map(str, means["channel"].values):
                value = float(means[metric].sel(channel=channel))
                rows.append({"channel": channel, "metric": str(metric), "value": value, "region": region})
    return rows


def regions_in(given: list[str] | None, quick: bool) -> list[str]:
    """Regions of real sea level and temperature: eight, over 1,500 km apart."""
    eight = list(real.REGIONS)[:8]
    return (given or eight)[: 2 if quick else None]


def judges(arguments: argparse.Namespace) -> Iterator[tuple[str, Callable[[Contender], list[dict]]]]:
    """Every judge by its name."""
    folder, cases, members, quick = arguments.folder, arguments.cases, arguments.members, arguments.quick
    daily = folder / "validation_daily.nc" if folder else None
    old = [open_product(daily)] if daily and daily.exists() else [load_sample("nature_heldout")]
    yield "old oceans", partial(on_oceans, old, cases, members)
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


def kept(folder: Path | None, judge: str, one: Contender, settings: str, run: Callable) -> list[dict]:
    """A contender's figures by a judge: from the folder, or computed and kept there."""
    if folder is None:
        return run(one)
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(f"{judge} {one.key} {settings}".encode()).hexdigest()[:16]
    path = folder / f"{digest}.csv"
    if not path.exists():
        frame = pd.DataFrame(run(one)).assign(judge=judge, prior=one.name)
        with atomic_path(path) as temporary:
            frame.to_csv(temporary, index=False)
    return pd.read_csv(path, keep_default_na=False, na_values={"value": ""}).to_dict("records")


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
        for one in contenders:
            print(f"{judge}: {one.name}", flush=True)
            for found in kept(place, judge, one, settings, run):
                case = f"{judge}, {found['region']}" if found.get("region") else judge
                labels = {"case": case, "method": one.name, "channel": found["channel"], "metric": found["metric"]}
                rows.append(row(f"{one.name}: {found['metric']} of {case}", found["value"], **labels))
        here = tidy(r for r in rows if r["case"] == judge and r["metric"] in ("rmse", "crps", "spread_skill"))
        here = here[here["channel"].isin(["zos", "thetao", "so", "current"])].dropna(subset="value")
        here["figure"] = here["channel"] + " " + here["metric"]
        print(pivot(here, columns="figure").map("{:.3f}".format).to_string(), flush=True)
    if arguments.table:
        told = f"{arguments.windows} windows a covariance, {arguments.cases} cases, {arguments.members} members"
        write_table(tidy(rows), arguments.table, command="python benchmarks/width.py runs", settings=told, seed=0)


if __name__ == "__main__":
    main()
