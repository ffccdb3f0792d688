"""What a prior of the moving ocean owes to each of its choices: trainings of equal compute, compared on unseen oceans.

    python benchmarks/trajectory.py runs                                   # every variant, then the table
    python benchmarks/trajectory.py runs --only "5 days, 4 apart"          # one of them; the table of those there are
    python benchmarks/trajectory.py runs --table data_samples/results/trajectory.csv

Reads the wide oceans `wide*.nc` of the folder and `validation_daily.nc`. Each variant trains with the same compute: as
many windows as it can see while the first sees a given number, by its speed beside the first's in this process.
Trainings are kept in `runs/trajectory/`; Ctrl-C and SIGTERM leave a checkpoint, and the same command goes on from it.

The denoising loss (in units of each variant's own univariate Wiener filter) compares variants of the same days alone:
more days, each under its own noise, are an easier problem. What decides are analyses of the validation oceans, all of
the same cases, observed on all days of the system's window. The Gaussian of each variant is optimal interpolation in
space and time with its days. Beside them stands a prior of single days (`--beside`).
"""

import argparse
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from unittest.mock import patch

import torch
from ablation import relative_speed

from genda_lite.errors import InputError
from genda_lite.files import atomic_path
from genda_lite.prepare.frames import TrainingSet, training_set
from genda_lite.prior import load_prior
from genda_lite.prior import train as training
from genda_lite.prior.train import CONFIGURATIONS, Trainer
from genda_lite.prior.trajectory import TRAJECTORY
from genda_lite.sources import open_product
from genda_lite.sources.samples import checksum
from genda_lite.state import CHANNELS, StateVector
from genda_lite.verify.engine import IN_TIME, OI, OURS_FAST, Method, load_methods, methods_in_time
from genda_lite.verify.osse import scoreboard
from genda_lite.verify.protocol import in_words, refuse_test
from genda_lite.verify.table import pick, pivot, tidy, write_table

NETWORK, CONFIG = CONFIGURATIONS["trajectory"]
SINGLE = "single days"
# Sea level, which altimeters see in passing, at nine days; temperature, which is seen under gaps in the clouds, at
# three; all else on the date.
LEAN = StateVector(
    (*CHANNELS, *["zos"] * 8, *["thetao"] * 2),
    (*[0.0] * len(CHANNELS), -8.0, -6.0, -4.0, -2.0, 2.0, 4.0, 6.0, 8.0, -2.0, 2.0),
)


@dataclass(frozen=True)
class Variant:
    """What differs from the first: the network, the days, and whether it starts from a prior of single days."""

    network: dict = field(default_factory=dict)
    state: StateVector = TRAJECTORY
    begun: bool = False


VARIANTS = {
    "7 days, 2 apart": Variant(),
    "5 days, 4 apart": Variant(state=StateVector.series(CHANNELS, (-8.0, -4.0, 0.0, 4.0, 8.0))),
    "sea level on 9 days, temperature on 3": Variant(state=LEAN),
    "convolutions in time": Variant({"width": 16, "days": "convolved"}),
    "linear estimate in space and time shown": Variant({"joint": "shown"}),
    "linear estimate in space and time corrected": Variant({"joint": "skip"}),
    "begun as single days": Variant(begun=True),
}
FIRST = next(iter(VARIANTS))


def trainer_of(variant: Variant, data: TrainingSet, unseen: TrainingSet | None, images: int, begun: str | None):
    """A training at its start."""
    start = load_prior(begun) if variant.begun else None
    config = replace(CONFIG, images=images, state=variant.state)
    return Trainer(data, unseen, config, replace(NETWORK, **variant.network), start=start)


def speed_of(variant: Variant, data: TrainingSet) -> float:
    """Windows a second of a variant over the first's."""
    if variant == VARIANTS[FIRST] or variant.begun:
        return 1.0
    with patch.object(training, "COVARIANCE_WINDOWS", 300):
        trainers = [trainer_of(one, data, None, 10**6, None) for one in (VARIANTS[FIRST], variant)]
    return relative_speed(trainers, steps=3)


def place_of(folder: Path, name: str) -> Path:
    """The checkpoint of a variant."""
    return folder / f"{re.sub('[^a-z0-9]+', '_', name.lower())}.safetensors"


def images_of(name: str, place: Path, paths: list[Path], images: int) -> int:
    """How many windows a variant sees, measured once."""
    kept = place.with_suffix(".json")
    if not kept.exists():
        few = training_set([open_product(paths[0]).isel(time=slice(0, 20))])
        told = {"images": images, "speed": speed_of(VARIANTS[name], few)}
        with atomic_path(kept) as temporary:
            temporary.write_text(json.dumps(told))
    told = json.loads(kept.read_text())
    if told["images"] != images:
        raise InputError(f"{kept}: is of a comparison by {told['images']:,} windows, expected {images:,}; delete it")
    return round(images * told["speed"] / CONFIG.batch) * CONFIG.batch


def train(name: str, place: Path, arguments: argparse.Namespace, paths: list[Path], data: TrainingSet) -> bool:
    """Train a variant to its end, if it is not there; False if it was stopped."""
    images = images_of(name, place, paths, arguments.images)
    if place.exists() and load_prior(place).training["images_seen"] >= images:
        return True
    unseen = training_set(open_product(arguments.folder / "validation_daily.nc"), data.standardizer)
    trainer = trainer_of(VARIANTS[name], data, unseen, images, arguments.beside)
    trainer.prior.training |= {"config": f"trajectory: {name}", "data": [path.name for path in paths]}
    trainer.prior.protocol = in_words(paths)
    print(f"{name}: {images:,} windows", flush=True)
    return training.train(trainer, place, report_every=arguments.report)


def labelled(name: str, chosen: list[Method], cases: scoreboard.Cases, folder: Path, made_of: str, members: int):
    """The figures of methods on all cases, as rows; kept in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    say = lambda text: print(f"{name}: {text}", flush=True)  # noqa: E731
    found = scoreboard.run(cases, chosen, cases.prior, members, folder=folder, progress=say, made_of=made_of)
    figures, channels = scoreboard.figures(found), [*CHANNELS, "uo", "vo"]
    for method in chosen:
        here = figures.sel(experiment=method.name)
        about = {"method": name, "case": method.name.removesuffix(f", {IN_TIME}")}
        for metric in ("rmse", "crps", "spread_skill"):
            for channel in channels:
                value = float(here[metric].sel(channel=channel))
                yield about | {"channel": channel, "metric": metric, "value": value}
        seconds = float(found["seconds"].sel(experiment=method.name).mean())
        yield about | {"metric": "seconds", "value": seconds}


def rows_of(name: str, place: Path, cases: scoreboard.Cases, members: int) -> Iterator[dict]:
    """Every number of a trained variant as a row of `verify.table`."""
    prior, gaussian = (load_prior(place, gaussian=only) for only in (False, True))
    told, digest = prior.training, checksum(place)[:16]
    weights = sum(p.numel() for p in prior.denoiser.network.parameters())
    sizes = {"channels": len(prior.state), "parameters": weights, "megabytes": place.stat().st_size / 1e6}
    trained = {"images": told["images_seen"], "cpu_seconds": told["cpu_seconds"], "loss": told["validation_loss"]}
    yield from ({"method": name, "metric": key, "value": value} for key, value in (sizes | trained).items())
    known = methods_in_time(prior, gaussian, cases.prior)
    chosen = [known[f"{method}, {IN_TIME}"] for method in (OI, OURS_FAST)]
    yield from labelled(name, chosen, cases, place.parent / "scores" / digest, digest, members)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Ablation of the prior of several days, at equal compute.")
    parser.add_argument("folder", type=Path, help="with wide*.nc and validation_daily.nc")
    parser.add_argument("--images", type=int, default=60_000, help="windows that the first variant sees")
    parser.add_argument("--only", nargs="+", choices=list(VARIANTS), default=list(VARIANTS), help="variants to train")
    parser.add_argument("--beside", help="checkpoint of single days, to begin with and beside; by default the shipped")
    parser.add_argument("--cases", type=int, default=12, help="to analyse")
    parser.add_argument("--members", type=int, default=8)
    parser.add_argument("--held", type=int, default=4000, help="frames in memory, 0.7 MB each")
    parser.add_argument("--report", type=int, default=250, help="steps between checkpoints")
    parser.add_argument("--table", type=Path, help="write all figures as a tidy table (CSV) to this file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    paths, daily = sorted(arguments.folder.glob("wide*.nc")), arguments.folder / "validation_daily.nc"
    if not paths or not daily.exists():
        raise InputError(f"{arguments.folder}: expected wide*.nc, by `make data`, and validation_daily.nc")
    refuse_test([*paths, daily])
    results = arguments.folder / "trajectory"
    results.mkdir(exist_ok=True)
    data = None
    for name in arguments.only:
        place = place_of(results, name)
        data = data or training_set([open_product(path) for path in paths], held=arguments.held)
        if not train(name, place, arguments, paths, data):
            print("stopped: the same command goes on from here")
            raise SystemExit(1)
    single, known = load_methods(arguments.beside)
    cases = scoreboard.Cases([open_product(daily)], single, arguments.cases, in_time=True)
    chosen, rows = [known[OI], known[OURS_FAST]], []
    for name in VARIANTS:
        if place_of(results, name).exists():
            rows += rows_of(name, place_of(results, name), cases, arguments.members)
    name = checksum(Path(arguments.beside))[:16] if arguments.beside else "shipped"
    rows += labelled(SINGLE, chosen, cases, results / "scores" / name, name, arguments.members)
    frame = tidy(rows)
    if arguments.table:
        told = f"{arguments.images:,} windows of the first variant, equal compute for all, about single days"
        told += f" {arguments.beside or 'the shipped prior'}; {arguments.cases} cases, {arguments.members} members"
        write_table(frame, arguments.table, command="python benchmarks/trajectory.py runs", settings=told, seed=0)
    for way in (OI, OURS_FAST):
        here = pick(frame, case=way, channel=["zos", "thetao", "so", "uo"], metric=["rmse", "crps", "spread_skill"])
        here = here.assign(figure=here["channel"] + " " + here["metric"])
        print(f"\n{way}\n", pivot(here, columns="figure").map("{:.4f}".format).to_string(), sep="")


if __name__ == "__main__":
    main()
