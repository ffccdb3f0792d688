"""How fast a prior trains, and how far it comes in a given time, beside public networks of the same size.

    python benchmarks/train.py runs                       # images/s and memory of a step
    python benchmarks/train.py runs --minutes 15          # and the validation loss after so much computing
    python benchmarks/train.py runs --minutes 2 --precision bf16 --table data_samples/results/training.csv

`runs` holds train0.nc, train1.nc and validation.nc, see `data_samples/make.py old`. The peers (see `train_peer`) are
left out where they are not installed. All have as many parameters as `lite`, the same batches, and the same optimizer
of AdamW with a learning rate chosen among three for each by a run of a tenth of the time; `lite` has its own
settings. On a CPU time is that of one core, on a GPU it is elapsed time. Each row runs in a process of its own, so
that its memory can be told.
"""

import argparse
import copy
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from genda_lite.prepare.frames import training_set
from genda_lite.prior.base import CONTEXT_CHANNELS
from genda_lite.prior.spectral import White
from genda_lite.prior.train import CONFIGURATIONS, Trainer, optimizers
from genda_lite.sources import open_product
from genda_lite.verify.table import tidy, write_table

OURS = ("genda_lite", "genda_lite, scalar EDM")
PEERS = ("PhysicsNeMo SongUNet", "PhysicsNeMo SongUNet, Wiener loss", "PhysicsNeMo DiT", "PhysicsNeMo DiT, Wiener loss")
RATES = 5e-4, 1e-3, 2e-3  # learning rates that a peer is tuned over
DATES = 60  # of each series: 600 frames of ten oceans, more than minutes of training wear out


def trainer(name: str, folder: Path, mixed: bool, device: str, dates: int) -> Trainer:
    """A training of ours, or one whose network is a peer, on dates spread over the series."""
    network, config = CONFIGURATIONS["lite"]
    if name.endswith("scalar EDM"):
        network = replace(network, preconditioning="edm")
    oceans = [open_product(folder / f"train{i}.nc") for i in (0, 1)]
    data = training_set([ds.isel(time=np.linspace(0, ds.sizes["time"] - 1, dates).astype(int)) for ds in oceans])
    validation = training_set(open_product(folder / "validation.nc"), data.standardizer)
    one = Trainer(data, validation, replace(config, images=10**6), network, device, mixed)
    if name in PEERS:
        from train_peer import peer

        parameters = sum(p.numel() for p in one.denoiser.parameters())
        shape = one.denoiser.spectrum.shape
        net = peer(parameters, shape[0], CONTEXT_CHANNELS, config.size, mixed, transformer="DiT" in name).to(device)
        net.scaling = one.denoiser.spectrum if name.endswith("Wiener loss") else White(shape).to(device)
        one.average = net.eval().requires_grad_(False)
    return fresh(one, name)


def fresh(one: Trainer, name: str, images: int = 10**6, rate: float = RATES[1]) -> Trainer:
    """The same training from its start: what its data cost to prepare is paid once."""
    one = copy.copy(one)
    one.config = replace(one.config, images=images)
    one.average = copy.deepcopy(one.average)
    one.denoiser = one.model = copy.deepcopy(one.average).train().requires_grad_(True)
    one.optimizers = optimizers(one.denoiser, one.config)
    if name in PEERS:
        one.optimizers = [torch.optim.AdamW(one.denoiser.parameters(), lr=rate, betas=(0.9, 0.99), weight_decay=1e-4)]
    one.step, one.batches, one.running = 0, None, [0.0, 0]
    return one


def clock(device: str) -> float:
    """CPU seconds of this process, or elapsed seconds once the GPU has done its work."""
    if device == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def peak_memory(device: str) -> float:
    """MiB."""
    if device == "cpu":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return torch.cuda.max_memory_allocated() / 2**20


def speed(one: Trainer, device: str, steps: int = 20) -> float:
    """Images per second, once warm."""
    for _ in range(5):
        one.train_step()
    start = clock(device)
    for _ in range(steps):
        one.train_step()
    return steps * one.config.batch / (clock(device) - start)


def loss_after(start: Trainer, name: str, images: int, rate: float) -> float:
    """Validation loss of a training on so many images, in units of the Wiener filter's."""
    one = fresh(start, name, images, rate)
    while one.step < one.config.steps:
        one.train_step()
    return one.validate(one.average)["validation"]


def measure(name: str, folder: Path, mixed: bool, device: str, minutes: float) -> dict:
    """One row of the table."""
    before = peak_memory(device)
    speed(trainer(name, folder, mixed, device, 3), device, steps=2)  # few data, so that they do not count
    memory = peak_memory(device) - before
    start = trainer(name, folder, mixed, device, DATES)
    images_per_second = speed(fresh(start, name), device)
    row = {
        "name": name,
        "precision": "bf16" if mixed else "fp32",
        "parameters": sum(p.numel() for p in start.denoiser.parameters()),
        "images/s": images_per_second,
        "MiB": memory,
    }
    if minutes:
        chosen = RATES[1]
        if name in PEERS:
            few = max(int(6 * minutes * images_per_second), 200)
            trials = {rate: loss_after(start, name, few, rate) for rate in RATES}
            chosen = row["learning rate"] = min(trials, key=trials.get)
        row["validation loss"] = loss_after(start, name, int(60 * minutes * images_per_second), chosen)
    return row


def labelled(rows: list[dict]) -> Iterator[dict]:
    """Every number as a row of `verify.table`, and how many times as fast ours trains as each peer."""
    for row in rows:
        about = {"case": row["precision"], "method": row["name"]}
        for name, value in row.items():
            if name not in ("name", "precision"):
                yield about | {"metric": name, "value": value}
        ours = [one["images/s"] for one in rows if (one["name"], one["precision"]) == (OURS[0], row["precision"])]
        if ours and row["name"] in PEERS:
            yield about | {"metric": f"images/s of {OURS[0]} over its", "value": ours[0] / row["images/s"]}


def main() -> None:
    parser = argparse.ArgumentParser(description="Speed and memory of the training, beside peers.")
    parser.add_argument("folder", type=Path, help="with train0.nc, train1.nc and validation.nc")
    parser.add_argument("--minutes", type=float, default=0.0, help="computing time of each training; 0: only the speed")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--precision", nargs="+", default=["fp32", "bf16"], help="fp32, bf16")
    parser.add_argument("--only", nargs="+", choices=OURS + PEERS, default=OURS + PEERS, help="rows to make")
    parser.add_argument("--json", type=Path, help="write the rows to this file, too")
    parser.add_argument("--table", type=Path, help="write all figures as a tidy table (CSV) to this file, too")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        torch.set_num_threads(1)
        mixed = arguments.precision == ["bf16"]
        row = measure(arguments.one, arguments.folder, mixed, arguments.device, arguments.minutes)
        print(json.dumps(row))
        return
    rows = []
    for name in arguments.only:
        for precision in arguments.precision:
            command = [sys.executable, __file__, str(arguments.folder), "--one", name, "--precision", precision]
            command += ["--minutes", str(arguments.minutes), "--device", arguments.device]
            ended = subprocess.run(command, capture_output=True, text=True)
            if ended.returncode:
                reason = ended.stderr.strip().splitlines() or ["it was ended"]
                print(f"{name}, {precision}: left out ({reason[-1]})")
                continue
            rows.append(json.loads(ended.stdout.splitlines()[-1]))
            print(json.dumps(rows[-1]), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")
    if arguments.table:
        settings = f"{arguments.device}, {arguments.minutes:g} minutes each; peers by AdamW at the best of {RATES}"
        about = {"command": "python benchmarks/train.py runs", "settings": settings, "seed": 0}
        write_table(tidy(labelled(rows)), arguments.table, **about)


if __name__ == "__main__":
    main()
