"""Make the simulated data of this project from nothing.

    python data_samples/make.py oceans --compile --processes 2      # what priors are trained on, `make data`
    python data_samples/make.py samples --compile                   # the embedded files, `make samples`

Oceans are simulated to `runs/`, a file each. Interrupted, both go on where they stopped; a file that is complete is not
simulated again.
"""

import multiprocessing
import os
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
import xarray as xr

from genda_lite.errors import InputError
from genda_lite.files import write_dataset
from genda_lite.nature import Simulation, simulate_to_file
from genda_lite.nature.run import FIELDS
from genda_lite.observe.instruments import DAY
from genda_lite.sources import open_product
from genda_lite.sources.samples import REGISTRY, write_checksums
from genda_lite.verify.protocol import WIDE_SEEDS

FOLDER = Path(__file__).resolve().parent
RUNS = FOLDER.parent / "runs"

# Of the old width, seen by no network: what two of the embedded files are cut from, and what tells how a training goes.
SIMULATIONS = {
    "validation": Simulation(days=365, seed=2, members=2, every=5),
    "heldout": Simulation(days=365, seed=3, members=3, every=5),
    "twin": Simulation(days=75, seed=4, twin=True),
}
# Wide oceans, each a file of its own, that networks are trained on, with the validation oceans.
OCEANS = {f"wide{i:02d}": Simulation(730, seed, every=2, wide=True) for i, seed in enumerate(WIDE_SEEDS)}
OCEANS |= {"validation": SIMULATIONS["validation"]}
# Of the old width, that the shipped prior and the table of its choices (`benchmarks/ablation.py`) were trained on.
OLD = {f"train{i}": Simulation(730, seed, members=5, every=3) for i, seed in enumerate((0, 1, 5, 6))}
# Samples of training oceans, and what they are cut from.
EMBEDDED = {
    "nature_training": ("train0", "train1"),
    "nature_wide": tuple(f"wide{i:02d}" for i in range(0, 16, 2)),
}

BOX = {"latitude": slice(32.99, 43.01), "longitude": slice(-65.01, -54.99)}
# Rounded well below what the fields mean, so that they compress.
QUANTUM = {"zos": 1e-3, "thetao": 0.01, "so": 2e-3, "uo": 5e-3, "vo": 5e-3, "uas": 0.02, "vas": 0.02}


def spread_dates(count: int) -> np.ndarray:
    """Every ninth date, the next, and the second after that: lags of one, two and three intervals, all year round."""
    return np.array([i for i in range(count) if i % 9 in (0, 1, 3)])


def training_dates(times: np.ndarray) -> np.ndarray:
    """Three dates of the first year, four months apart where there are so many."""
    days = (times - times[0]) / DAY
    return np.unique([abs(days - wanted).argmin() for wanted in (30, 150, 270)])


def cut(ds: xr.Dataset, dates: np.ndarray, box: dict | None = None) -> xr.Dataset:
    """Some dates of a simulation, in memory, without its settings of packing."""
    part = ds.isel(time=dates).sel(box or {}).load()
    for variable in part.variables.values():
        variable.encoding = {}
    return part


def end_with(parent: int) -> None:
    """End this process with the one that started it: two that write one file would spoil it."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def simulate_one(path: Path, simulation: Simulation, parent: int, options: dict) -> None:
    """One file, by one thread: two oceans at a time are faster than one on two processors."""
    threading.Thread(target=end_with, args=(parent,), daemon=True).start()
    torch.set_num_threads(1)
    simulate_to_file(path, simulation, **options)


def simulate_all(runs: Path, simulations: dict[str, Simulation], processes: int = 1, **options) -> list[str]:
    """Simulate what is missing in `runs`, several at a time.

    Returns:
        the names of those that became unstable, which the others did not wait for.
    """
    runs.mkdir(exist_ok=True)
    missing = {name: runs / f"{name}.nc" for name in simulations if not (runs / f"{name}.nc").exists()}
    if processes == 1:
        failed = []
        for name, path in missing.items():
            try:
                simulate_to_file(path, simulations[name], **options)
            except FloatingPointError as error:
                failed.append(told(name, error))
        return failed
    context = multiprocessing.get_context("spawn")  # threads do not survive a fork
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        work = {name: (path, simulations[name], os.getpid(), options) for name, path in missing.items()}
        started = {pool.submit(simulate_one, *task): name for name, task in work.items()}
        try:
            return list(unstable(started))
        except BrokenProcessPool:
            raise InputError(f"a process was ended; the same command goes on from what is in {runs}") from None
        except BaseException:  # no further ocean is begun
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def unstable(started: dict) -> Iterable[str]:
    """The names of simulations that became unstable, once all have ended."""
    for future in as_completed(started):
        try:
            future.result()
        except FloatingPointError as error:
            yield told(started[future], error)


def told(name: str, error: FloatingPointError) -> str:
    """Say that an ocean failed; its name."""
    typer.echo(f"{name}: {error}", err=True)
    return name


def make(
    folder: Path, runs: Path, simulations: dict[str, Simulation] = SIMULATIONS | OCEANS | OLD, embedded=EMBEDDED,
    **options,
) -> None:
    """Simulate what is missing in `runs`, and write the embedded files and their checksums to `folder`."""
    needed = [name for names in embedded.values() for name in names]
    simulate_all(runs, {name: simulations[name] for name in (*needed, "heldout", "twin")}, **options)
    paths = {name: runs / f"{name}.nc" for name in simulations}

    samples = {name: training_sample([paths[one] for one in names]) for name, names in embedded.items()}
    with open_product(paths["heldout"]) as ds:
        heldout = cut(ds.isel(member=slice(0, 2)), spread_dates(ds.sizes["time"]), BOX)
    with open_product(paths["twin"]) as ds:
        twin = cut(ds.isel(member=0), np.arange(ds.sizes["time"]), BOX)
        twin = twin[list(FIELDS)].reset_coords(drop=True)

    for name, ds in (samples | {"nature_heldout": heldout, "twin_truth": twin}).items():
        write_dataset(ds, folder / f"{name}.nc", QUANTUM)
    write_checksums(folder, REGISTRY if folder == FOLDER else folder / REGISTRY.name)


def training_sample(paths: Sequence[Path]) -> xr.Dataset:
    """Some dates of training oceans, dims (member, time, latitude, longitude)."""
    oceans = []
    for path in paths:
        with open_product(path) as ds:
            oceans.append(cut(ds, training_dates(ds["time"].values)))
    training = xr.concat(oceans, "member").assign_coords(member=np.arange(sum(o.sizes["member"] for o in oceans)))
    training["member"].attrs = oceans[0]["member"].attrs
    training.attrs = oceans[0].attrs | {"seed": [ocean.attrs["seed"] for ocean in oceans]}
    training.attrs["members"] = training.sizes["member"]
    return training


app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
Compile = Annotated[bool, typer.Option(help="Fuse the time step (needs a C++ compiler; twice as fast).")]
Device = Annotated[str, typer.Option(help="cpu or cuda.")]
Processes = Annotated[int, typer.Option(min=1, help="Oceans at a time, a thread each.")]


@app.command("oceans")
def make_oceans(compile: Compile = False, device: Device = "cpu", processes: Processes = 1) -> None:
    """Simulate the wide oceans that priors are trained on, and the validation oceans."""
    failed = simulate_all(RUNS, OCEANS, processes, compile=compile, device=device)
    there = [path for name in OCEANS if (path := RUNS / f"{name}.nc").exists()]
    size = sum(path.stat().st_size for path in there) / 1e9
    typer.echo(f"{RUNS}: {len(there)} of {len(OCEANS)} files, {size:.2f} GB")
    if failed:
        typer.echo(f"unstable: {', '.join(failed)}", err=True)
        raise typer.Exit(1)


@app.command("samples")
def make_samples(compile: Compile = False, device: Device = "cpu", processes: Processes = 1) -> None:
    """Simulate what is missing of the oceans that the embedded files are cut from, and cut them."""
    make(FOLDER, RUNS, processes=processes, compile=compile, device=device)
    for path in sorted(FOLDER.glob("*.nc")):
        typer.echo(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")


@app.command("old")
def make_old(compile: Compile = False, device: Device = "cpu", processes: Processes = 1) -> None:
    """Simulate the training oceans of the old width, which `benchmarks/ablation.py` compares networks on."""
    simulate_all(RUNS, OLD, processes, compile=compile, device=device)


if __name__ == "__main__":
    app()
