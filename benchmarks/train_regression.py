"""Train the regression baseline on the oceans of `make data`, seen by random observing systems.

    python benchmarks/train_regression.py runs --out regression_lite.safetensors
    python benchmarks/train_regression.py runs --prior runs/prior_wide.safetensors --climate --variance --out …

Reads the wide oceans `wide*.nc` of the folder, or where there are none `train0.nc` to `train3.nc`, and `validation.nc`;
climatology and scales are those of the prior it is to be compared with. Ctrl-C and SIGTERM leave a checkpoint, and the
same command goes on from it. The loss is the mean squared error of standardized anomalies, of all channels alike: about
one for the climatology. With `--days -6 -4 -2 0 2 4 6` the network is shown the observations of these days one by one.
With `--variance` it is the Gaussian negative log-likelihood, half for the climatology, or with
`--crps`, too, its CRPS.
"""

import argparse
import copy
import csv
import json
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader
from tqdm.auto import tqdm

from genda_lite.baselines.regression import ObservedWindows, Regression, RegressionConfig, loss_of, patterns
from genda_lite.errors import InputError
from genda_lite.observe.instruments import DAY
from genda_lite.observe.systems import random_system
from genda_lite.prepare.frames import training_set
from genda_lite.prior import load_prior
from genda_lite.prior.checkpoint import read_safetensors, write_safetensors
from genda_lite.prior.climate import ONE, WIDE
from genda_lite.prior.signals import stop_on_signals
from genda_lite.prior.train import TrainingConfig, native_bfloat16, optimizers
from genda_lite.prior.windows import Windows
from genda_lite.sources import open_product
from genda_lite.state import CHANNELS, StateVector
from genda_lite.verify.protocol import refuse_test

FORMAT = "genda_lite regression training 1"
FIRST = 1_000_000  # number of the first system: experiments take the small numbers


def oceans_of(folder: Path) -> list[Path]:
    """The training oceans in a folder: wide ones, or if there are none those of the old width.

    Raises:
        InputError: neither.
    """
    found = sorted(folder.glob("wide*.nc")) or sorted(folder.glob("train?.nc"))
    if not found:
        raise InputError(f"{folder}: has no ocean to train on, expected wide*.nc, which `make data` simulates")
    return found


def observed(
    paths, prior, count: int, first: int, seed: int, size: int, held: int, climate=ONE, days=()
) -> ObservedWindows:
    """Windows of some oceans, with `count` patterns of observing systems from number `first` on."""
    oceans = [open_product(path) for path in paths]
    data, times = training_set(oceans, prior.standardizer, held), oceans[0]["time"].values
    step = float((times[1] - times[0]) / DAY)
    numbers = range(first, first + count)
    made = patterns(random_system, numbers, prior.standardizer, prior.domain, step, size, times, days)
    bank = list(tqdm(made, total=count, desc=f"observing systems for {paths[0].name}"))
    state = StateVector.series(CHANNELS, days) if days else None
    cut = Windows(data, prior.domain, size, seed=seed, pool=held // 2, climate=climate, state=state)
    return ObservedWindows(data, cut, bank)


@torch.no_grad()
def validate(regression: Regression, network, batches, mixed: bool, crps: bool) -> dict[str, float]:
    """The loss of each channel, and of all, on fixed windows."""
    loss = torch.cat([loss_of(regression, network, batch, mixed, crps) for batch in batches]).mean(0)
    return {"validation": loss.mean().item()} | dict(zip(CHANNELS, loss.tolist(), strict=True))


def begin_with(regression: Regression, path: Path) -> dict:
    """Take the weights of a checkpoint, and say of what training they are.

    Raises:
        InputError: it is of another architecture, or of anomalies in other units.
    """
    other = Regression.load(path)
    if other.config != regression.config or not np.allclose(other.scale, regression.scale):
        told = [f"{one.config} and scales {np.round(one.scale, 3)}" for one in (other, regression)]
        raise InputError(f"{path}: is of {told[0]}, expected {told[1]}")
    regression.network.load_state_dict(other.network.state_dict())
    return {"warm_start": other.training}


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the regression baseline.")
    parser.add_argument("folder", type=Path, help="with the oceans of `make data`")
    parser.add_argument("--prior", default=None, help="whose climatology to take; by default the shipped one")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint to write (.safetensors)")
    parser.add_argument("--images", type=int, default=192_000, help="windows to train on, in all")
    parser.add_argument("--warm-start", type=Path, help="a regression whose weights to begin with")
    parser.add_argument("--patterns", type=int, default=1000, help="different observing systems")
    parser.add_argument("--width", type=int, default=32, help="channels of the network's first level")
    parser.add_argument("--report", type=int, default=500, help="steps between reports and checkpoints")
    parser.add_argument("--checked", type=int, default=256, help="windows of the validation")
    parser.add_argument("--held", type=int, default=1600, help="frames in memory, 0.7 MB each")
    parser.add_argument("--variance", action="store_true", help="learn a deviation of each point, too")
    parser.add_argument("--crps", action="store_true", help="by the Gaussian's CRPS, not its likelihood")
    parser.add_argument("--climate", action="store_true", help="draw a climate for each window, as a wide prior does")
    parser.add_argument("--days", type=float, nargs="+", default=[], help="from the date, shown one by one")
    parser.add_argument("--validation", type=Path, help="by default validation.nc of the folder; with --days, daily")
    parser.add_argument("--threads", type=int, default=1, help="of the processor")
    parser.add_argument("--seed", type=int, default=0)
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    prior, config = load_prior(a.prior), TrainingConfig(images=a.images, seed=a.seed)
    size, mixed, paths = prior.shape[1], native_bfloat16(torch.device("cpu")), oceans_of(a.folder)
    days = tuple(sorted(a.days))
    if days and (0.0 not in days or len(days) < 2):
        raise InputError(f"--days: got {', '.join(f'{day:g}' for day in days)}, expected several, with the date (0)")
    validation = a.validation or a.folder / ("validation_daily.nc" if days else "validation.nc")
    refuse_test([*paths, validation])
    windows = observed(paths, prior, a.patterns, FIRST, a.seed, size, a.held, WIDE if a.climate else ONE, days)
    unseen = observed([validation], prior, min(a.patterns, 128), FIRST // 2, 5, size, 200, days=days)
    fixed = list(DataLoader(unseen, 64, sampler=range(a.checked)))

    shape = RegressionConfig(width=a.width, variance=a.variance, days=days)
    regression = Regression(shape, prior.standardizer.scale, prior.domain, (size, size))
    begun = begin_with(regression, a.warm_start) if a.warm_start else {}
    average = regression.network.eval().requires_grad_(False)
    network = copy.deepcopy(average).train().requires_grad_(True)
    optimizer_list = optimizers(network, config)
    parameters = list(network.parameters())
    owner = {id(p): o for o in optimizer_list for p in o.param_groups[0]["params"]}
    settings = {"images": a.images, "patterns": a.patterns, "width": a.width, "seed": a.seed}
    settings |= {"variance": a.variance, "crps": a.crps} if a.variance else {}
    settings |= {"days": list(days)} if days else {}
    settings |= {"climate": asdict(WIDE), "oceans": [path.name for path in paths]} if a.climate else {}
    settings |= begun
    state, step, spent = a.out.with_suffix(".state.safetensors"), 0, 0.0
    if state.exists():
        tensors, metadata = read_safetensors(state, FORMAT)
        if json.loads(metadata["settings"]) != settings:
            raise SystemExit(f"{state}: is of other settings; delete it or choose another --out")
        for prefix, part in (("weights.", network), ("average.", average)):
            part.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
        for i, p in enumerate(parameters):
            prefix = f"optimizer.{i}."
            kept = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
            owner[id(p)].state[p] = {k: v if k == "step" else v.to(p) for k, v in kept.items()}
        step, spent = int(metadata["step"]), float(metadata["seconds"])

    def save(row: dict | None = None) -> None:
        seconds = spent + time.process_time() - start
        tensors = {f"weights.{k}": v for k, v in network.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in average.state_dict().items()}
        for i, p in enumerate(parameters):
            tensors |= {f"optimizer.{i}.{name}": v for name, v in owner[id(p)].state[p].items()}
        write_safetensors(
            state, FORMAT, tensors, {"settings": json.dumps(settings), "step": str(step), "seconds": str(seconds)}
        )
        regression.training = settings | {"images_seen": step * config.batch, "cpu_seconds": round(seconds, 1)}
        regression.save(a.out)
        if row:
            row |= {"cpu_seconds": seconds}
            log = a.out.with_suffix(".csv")
            fresh = not log.exists()
            with log.open("a", newline="") as file:
                writer = csv.DictWriter(file, row)
                if fresh:
                    writer.writeheader()
                writer.writerow({k: round(v, 5) for k, v in row.items()})

    start, total, count = time.process_time(), 0.0, 0
    numbers = iter(range(step * config.batch, config.steps * config.batch))
    batches = iter(DataLoader(windows, config.batch, sampler=numbers))
    bar = tqdm(total=a.images, initial=step * config.batch, unit="image", unit_scale=True, desc="training")
    with bar, stop_on_signals() as stop:
        while step < config.steps and not stop.is_set():
            pace = min(1.0, (step + 1) / 100) * max(0.02, min(1.0, 2 - 2 * step / config.steps))
            for optimizer in optimizer_list:
                optimizer.zero_grad()
                for group in optimizer.param_groups:
                    group["lr"] = pace * optimizer.defaults["lr"]
            loss = loss_of(regression, network, next(batches), mixed, a.crps).mean()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            for optimizer in optimizer_list:
                optimizer.step()
            step += 1
            memory = min(1 - config.batch / min(config.ema_images, a.images / 10), step / (step + 9))
            torch._foreach_lerp_(list(average.parameters()), parameters, 1 - memory)
            total, count = total + loss.item(), count + 1
            bar.update(config.batch)
            if step % a.report == 0 or step == config.steps:
                row = {"step": step, "images": step * config.batch, "loss": total / count}
                row |= validate(regression, average, fixed, mixed, a.crps)
                bar.set_postfix(loss=f"{row['loss']:.3f}", validation=f"{row['validation']:.3f}")
                total, count = 0.0, 0
                save(row)
        if stop.is_set():
            save()


if __name__ == "__main__":
    main()
