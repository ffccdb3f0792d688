"""What the default prior owes to each of its choices: trainings of equal compute, compared on unseen oceans.

    python benchmarks/ablation.py runs --minutes 15               # every variant, then the table
    python benchmarks/ablation.py runs --minutes 15 --only edm    # one of them; the table of those that are there

Each variant trains for the same CPU time on one thread, its schedule as long as it can be in that time. Reported are
the denoising loss (in units of the default's Wiener filter) on the validation oceans and on the fraternal twin, and the
errors of analyses of the twin from three altimeter tracks and a cloudy radiometer. Choices are made by the validation
loss.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import xarray as xr

from genda_lite.errors import atomic_path
from genda_lite.frames import TrainingSet, training_set
from genda_lite.posterior import assimilate
from genda_lite.prepare import to_state, total_current
from genda_lite.prior.train import CONFIGURATIONS, Trainer, Validation
from genda_lite.prior.windows import Noise, Windows
from genda_lite.sources import open_product
from genda_lite.state import Grid
from genda_lite.verify.osse import ObservingSystem, combine, score_table

NETWORK, CONFIG = CONFIGURATIONS["lite"]
EDM = replace(NETWORK, preconditioning="edm")
EDM_NOISE = {"noise_mean": -1.2, "noise_std": 1.2}

# name: network, changes of the training, oceans (None: all), every so many frames of each, physics
VARIANTS = {
    "default": (NETWORK, {}, None, 1),
    "edm": (EDM, {}, None, 1),
    "edm, its own noise": (EDM, EDM_NOISE, None, 1),
    "noise of EDM": (NETWORK, EDM_NOISE, None, 1),
    "noise 0.0, 1.7": (NETWORK, {"noise_mean": 0.0}, None, 1),
    "noise 0.7, 1.2": (NETWORK, {"noise_std": 1.2}, None, 1),
    "0.4 M parameters": (replace(NETWORK, width=16), {}, None, 1),
    "0.7 M parameters": (replace(NETWORK, width=24), {}, None, 1),
    "1.2 M parameters": (replace(NETWORK, width=32), {}, None, 1),
    "10 oceans, 240 frames": (NETWORK, {}, None, 10),
    "10 oceans, 800 frames": (NETWORK, {}, None, 3),
    "1 ocean, 240 frames": (NETWORK, {}, 1, 1),
    "3 oceans, 240 frames": (NETWORK, {}, 3, 3),
}


def chosen(sets: list[xr.Dataset], oceans: int | None, every: int) -> list[xr.Dataset]:
    """The first oceans of the data sets, and every so many of their frames."""
    taken = []
    for one in sets:
        left = one.sizes["member"] if oceans is None else min(one.sizes["member"], oceans - sum(map(_members, taken)))
        if left:
            taken.append(one.isel(member=slice(left), time=slice(None, None, every)))
    return taken


def _members(ds: xr.Dataset) -> int:
    return ds.sizes["member"]


def images_per_second(trainer: Trainer, steps: int = 30) -> float:
    """Speed on this machine, per CPU second, after the first steps."""
    for _ in range(5):
        trainer.train_step()
    start = time.process_time()
    for _ in range(steps):
        trainer.train_step()
    return steps * trainer.config.batch / (time.process_time() - start)


def trained(data: TrainingSet, network, config, seconds: float) -> Trainer:
    """A training that takes so many CPU seconds."""
    rate = images_per_second(Trainer(data, None, config, network))
    trainer = Trainer(data, None, replace(config, images=int(rate * seconds)), network)
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
        observations = ObservingSystem(3, 0.7, seed=i).observe(frame)
        grid = Grid(frame["latitude"].values, frame["longitude"].values)
        analysis = assimilate(prior, observations, members, grid=grid, date=frame["time"].values)
        tables.append(score_table({"": analysis}, frame, ("zos", "thetao", "so")))
    table = combine(tables).isel(experiment=0)
    return {
        f"{score} {channel}": float(table[score].sel(channel=channel))
        for channel in ("zos", "thetao", "so")
        for score in ("rmse", "crps")
    }


def run(name: str, folder: Path, seconds: float) -> dict:
    """Train and measure one variant."""
    network, changes, oceans, every = VARIANTS[name]
    sets = [open_product(folder / file) for file in ("train0.nc", "train1.nc")]
    everything = training_set(sets)  # all variants are measured in the units of all the data
    data = training_set(chosen(sets, oceans, every), everything.standardizer)
    trainer = trained(data, network, replace(CONFIG, **changes), seconds)
    row = {
        "name": name,
        "parameters": sum(p.numel() for p in trainer.denoiser.parameters()),
        "frames": len(data.frames),
        "images": trainer.step * trainer.config.batch,
    }
    unit = Trainer(everything, None, CONFIG, NETWORK).denoiser.spectrum
    for label in ("validation", "twin"):
        unseen = training_set(open_product(folder / f"{label}.nc"), everything.standardizer)
        windows = Windows(unseen, trainer.prior.domain, CONFIG.size, Noise(CONFIG.noise_mean, CONFIG.noise_std), seed=5)
        row[f"{label} loss"] = Validation(windows, unit, count=1024)(trainer.average)["validation"]
    return row | twin_errors(trainer.prior, open_product(folder / "twin.nc").isel(member=0).load())


def main() -> None:
    parser = argparse.ArgumentParser(description="Ablation of the default prior, at equal compute.")
    parser.add_argument("folder", type=Path, help="with train0.nc, train1.nc, validation.nc and twin.nc")
    parser.add_argument("--minutes", type=float, default=15.0, help="CPU time of each training")
    parser.add_argument("--only", nargs="+", choices=list(VARIANTS), default=list(VARIANTS), help="variants to train")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    results = arguments.folder / "ablation"
    results.mkdir(exist_ok=True)
    for name in arguments.only:
        path = results / f"{name}.json"
        if not path.exists():
            row = run(name, arguments.folder, 60 * arguments.minutes)
            with atomic_path(path) as temporary:
                temporary.write_text(json.dumps(row))
    rows = [json.loads(path.read_text()) for name in VARIANTS if (path := results / f"{name}.json").exists()]
    print("| " + " | ".join(rows[0]) + " |\n|" + "---|" * len(rows[0]))
    for row in rows:
        cells = [v if isinstance(v, str) else f"{v:.4g}" if isinstance(v, float) else f"{v:,}" for v in row.values()]
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
