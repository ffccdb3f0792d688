"""What the default prior owes to each of its choices: trainings of equal compute, compared on unseen oceans.

    genda simulate --seed 8 --members 3 --days 730 --every 9 --alike --out runs/alike.nc
    python benchmarks/ablation.py runs                 # every variant, then the table
    python benchmarks/ablation.py runs --only default  # one of them; the table of those that are there
    python benchmarks/ablation.py runs --table data_samples/results/ablation.csv

Each variant trains with the same compute: as many windows as it can see while the default sees a given number of them.
A network of another size gets more or fewer, by its speed beside the default's in this process. Reported are the
denoising loss (in units of the default's Wiener filter) on the validation oceans and on the fraternal twin, and the
errors of analyses of the twin from three altimeters and a cloudy radiometer. Choices are made by the validation
loss.
"""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
import xarray as xr

from genda_lite.files import atomic_path
from genda_lite.posterior import assimilate
from genda_lite.prepare import to_state, total_current
from genda_lite.prepare.frames import TrainingSet, training_set
from genda_lite.prior.diffusion import NetworkConfig
from genda_lite.prior.spectral import Basis, Spectrum
from genda_lite.prior.train import CONFIGURATIONS, Trainer, TrainingConfig, Validation
from genda_lite.prior.windows import Noise, Windows
from genda_lite.sources import open_product
from genda_lite.state import Grid
from genda_lite.verify.osse.sweep import combine, observe, score_table
from genda_lite.verify.table import tidy, write_table

NETWORK, CONFIG = CONFIGURATIONS["lite"]
EDM_NOISE = {"noise_mean": -1.2, "noise_std": 1.2}
TRAINING = ("train0", "train1", "train2", "train3")


@dataclass(frozen=True)
class Variant:
    """What differs from the default: the network, the training, the oceans (None: all), every so many of their frames,
    whether they are oceans of the same physics, the modes."""

    network: dict = field(default_factory=dict)
    config: dict = field(default_factory=dict)
    oceans: int | None = None
    every: int = 1
    alike: bool = False
    cosines: bool = False


VARIANTS = {
    "default": Variant(),
    "default, another seed": Variant(config={"seed": 1}),
    "EDM's scalars": Variant({"preconditioning": "edm"}),
    "EDM's scalars and noise": Variant({"preconditioning": "edm"}, EDM_NOISE),
    "EDM's noise": Variant(config=EDM_NOISE),
    "noise 0.0, 1.7": Variant(config={"noise_mean": 0.0}),
    "noise 0.7, 1.2": Variant(config={"noise_std": 1.2}),
    "cosines for EOFs": Variant(cosines=True),
    "AdamW for all": Variant(config={"kernel_rate": 0.0}),
    "without the linear estimate": Variant({"linear_estimate": False}),
    "0.3 M parameters": Variant({"width": 16}),
    "0.8 M parameters": Variant({"width": 24}),
    "1.4 M parameters, patches of 4": Variant({"width": 64, "multipliers": (1, 1, 1), "patch": 4}),
    "20 oceans, 260 frames": Variant(every=20),
    "20 oceans, 980 frames": Variant(every=5),
    "1 ocean, 244 frames": Variant(oceans=1),
    "3 oceans alike, 246 frames": Variant(alike=True),
    "3 oceans, 246 frames": Variant(oceans=3, every=3),
}


def part(data: TrainingSet, length: int, oceans: int | None, every: int) -> TrainingSet:
    """The first oceans of a training set, of `length` frames each, and every so many of their frames; in memory."""
    ends = len(data.frames) if oceans is None else oceans * length
    chosen = [i for i in range(ends) if i % length % every == 0]
    return data._replace(frames=[data.frames[i] for i in chosen], harmonics=data.harmonics[chosen])


def relative_speed(trainers: Sequence[Trainer], rounds: int = 6, steps: int = 6) -> float:
    """Windows a second of the second training over the first's; in turns, so that other work on the machine slows
    both."""

    def seconds(trainer: Trainer) -> float:
        start = time.process_time()
        for _ in range(steps):
            trainer.train_step()
        return time.process_time() - start

    times = np.array([[seconds(trainer) for trainer in trainers] for _ in range(rounds)])
    first, other = np.median(times[1:], axis=0)  # the first round warms up
    return float(first / other)


def trained(data: TrainingSet, network: NetworkConfig, config: TrainingConfig) -> Trainer:
    """A training from its first step to its last."""
    trainer = Trainer(data, None, config, network)
    while trainer.step < trainer.config.steps:
        trainer.train_step()
    return trainer


def twin_errors(prior, truth: xr.Dataset, cases: int = 8, members: int = 8) -> dict[str, float]:
    """RMSE and CRPS of sea level, temperature and salinity in analyses of the twin."""
    tables = []
    for i, date in enumerate(np.linspace(0, truth.sizes["time"] - 1, cases).astype(int)):
        here = {"latitude": slice(24, 88), "longitude": slice(28, 92)}
        frame = truth.isel(time=date, **here)
        frame = total_current(to_state(frame, prior.standardizer), prior.standardizer)
        observations = observe(frame, 3, 0.7, seed=i)
        grid = Grid(frame["latitude"].values, frame["longitude"].values)
        analysis = assimilate(prior, observations, members, grid=grid, date=frame["time"].values, fast=True)
        tables.append(score_table({"": analysis}, frame, ("zos", "thetao", "so")))
    table = combine(tables).isel(experiment=0)
    return {
        f"{score} {channel}": float(table[score].sel(channel=channel))
        for channel in ("zos", "thetao", "so")
        for score in ("rmse", "crps")
    }


def run(name: str, folder: Path, everything: TrainingSet, unit: Spectrum, length: int, images: int) -> dict:
    """Train and measure one variant; losses in units of the Wiener filter of the spectrum `unit`."""
    variant, standardizer = VARIANTS[name], everything.standardizer
    if variant.alike:
        data = training_set(open_product(folder / "alike.nc"), standardizer)
    else:
        data = part(everything, length, variant.oceans, variant.every)
    modes = Basis.cosines(CONFIG.size, CONFIG.size)
    network = replace(NETWORK, **variant.network)
    if network != NETWORK:
        images = round(images * relative_speed([Trainer(data, None, CONFIG, one) for one in (NETWORK, network)]))
    with patch.object(Basis, "eofs", lambda *_: modes) if variant.cosines else nullcontext():
        trainer = trained(data, network, replace(CONFIG, images=images, **variant.config))
    row = {
        "name": name,
        "parameters": sum(p.numel() for p in trainer.denoiser.parameters()),
        "frames": len(data.frames),
        "images": trainer.step * trainer.config.batch,
    }
    for label in ("validation", "twin"):
        unseen = training_set(open_product(folder / f"{label}.nc"), standardizer)
        windows = Windows(unseen, trainer.prior.domain, CONFIG.size, Noise(CONFIG.noise_mean, CONFIG.noise_std), seed=5)
        row[f"{label} loss"] = Validation(windows, unit, count=1024)(trainer.average)["validation"]
    return row | twin_errors(trainer.prior, open_product(folder / "twin.nc").isel(member=0).load())


def labelled(rows: list[dict]) -> Iterator[dict]:
    """Every number as a row of `verify.table`: counts, losses on unseen oceans, errors of analyses."""
    losses = {"validation loss": "validation oceans", "twin loss": "twin"}
    for row in rows:
        for name, value in row.items():
            if name in losses:
                labels = {"case": losses[name], "metric": "loss"}
            elif name.startswith(("rmse", "crps")):
                metric, channel = name.split(" ")
                labels = {"case": "twin", "channel": channel, "metric": metric}
            else:
                labels = {"metric": name}
            if name != "name":
                yield labels | {"method": row["name"], "value": value}


def main() -> None:
    parser = argparse.ArgumentParser(description="Ablation of the default prior, at equal compute.")
    parser.add_argument("folder", type=Path, help="with the oceans of `data_samples/make.py old` and alike.nc")
    parser.add_argument("--images", type=int, default=24_000, help="windows that the default sees")
    parser.add_argument("--only", nargs="+", choices=list(VARIANTS), default=list(VARIANTS), help="variants to train")
    parser.add_argument("--table", type=Path, help="write all figures as a tidy table (CSV) to this file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    results = arguments.folder / "ablation"
    results.mkdir(exist_ok=True)
    oceans = [open_product(arguments.folder / f"{file}.nc") for file in TRAINING]
    everything = training_set(oceans)
    unit = Trainer(everything, None, CONFIG, NETWORK).denoiser.spectrum  # of the default, for all variants
    for name in arguments.only:
        path = results / f"{name}.json"
        if not path.exists():
            row = run(name, arguments.folder, everything, unit, oceans[0].sizes["time"], arguments.images)
            with atomic_path(path) as temporary:
                temporary.write_text(json.dumps(row))
    rows = [json.loads(path.read_text()) for name in VARIANTS if (path := results / f"{name}.json").exists()]
    if arguments.table:
        settings = f"{arguments.images:,} windows of the default, equal compute for all; analyses: eight of the twin"
        about = {"command": "python benchmarks/ablation.py runs", "settings": settings}
        write_table(tidy(labelled(rows)), arguments.table, **about, seed="0; 1 in the second row")
    print("| " + " | ".join(rows[0]) + " |\n|" + "---|" * len(rows[0]))
    for row in rows:
        cells = [v if isinstance(v, str) else f"{v:.4g}" if isinstance(v, float) else f"{v:,}" for v in row.values()]
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
