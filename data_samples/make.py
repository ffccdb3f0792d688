"""Make the simulated data of this folder from nothing.

    python data_samples/make.py --compile

The oceans are simulated to `runs/` (about three hours of one core and 1.5 GB), which training reads, and cut to small
files here. Interrupted, it goes on where it stopped; an ocean that is complete is not simulated again.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
import xarray as xr

from genda_lite.files import write_dataset
from genda_lite.nature import Simulation, simulate_to_file
from genda_lite.nature.run import FIELDS
from genda_lite.sources import open_product
from genda_lite.sources.samples import REGISTRY, write_checksums

FOLDER = Path(__file__).resolve().parent
RUNS = FOLDER.parent / "runs"

SIMULATIONS = {
    "train0": Simulation(days=730, seed=0, members=5, every=3),
    "train1": Simulation(days=730, seed=1, members=5, every=3),
    "train2": Simulation(days=730, seed=5, members=5, every=3),
    "train3": Simulation(days=730, seed=6, members=5, every=3),
    "validation": Simulation(days=365, seed=2, members=2, every=5),
    "heldout": Simulation(days=365, seed=3, members=3, every=5),
    "twin": Simulation(days=75, seed=4, twin=True),
}

BOX = {"latitude": slice(32.99, 43.01), "longitude": slice(-65.01, -54.99)}
# Rounded well below what the fields mean, so that they compress.
QUANTUM = {"zos": 1e-3, "thetao": 0.01, "so": 2e-3, "uo": 5e-3, "vo": 5e-3, "uas": 0.02, "vas": 0.02}


def spread_dates(count: int) -> np.ndarray:
    """Every ninth date, the next, and the second after that: lags of one, two and three intervals, all year round."""
    return np.array([i for i in range(count) if i % 9 in (0, 1, 3)])


def training_dates(count: int) -> np.ndarray:
    """Three dates of the first year, four months apart where there are so many."""
    return np.arange(10, 91, 40) if count > 90 else np.arange(count)


def cut(ds: xr.Dataset, dates: np.ndarray, box: dict | None = None) -> xr.Dataset:
    """Some dates of a simulation, in memory, without its settings of packing."""
    part = ds.isel(time=dates).sel(box or {}).load()
    for variable in part.variables.values():
        variable.encoding = {}
    return part


def make(folder: Path, runs: Path, simulations: dict[str, Simulation] = SIMULATIONS, **options) -> None:
    """Simulate what is missing in `runs`, and write the embedded files and their checksums to `folder`."""
    runs.mkdir(exist_ok=True)
    paths = {name: runs / f"{name}.nc" for name in simulations}
    for name, simulation in simulations.items():
        if not paths[name].exists():
            simulate_to_file(paths[name], simulation, **options)

    oceans = []
    for name in ("train0", "train1"):
        with open_product(paths[name]) as ds:
            oceans.append(cut(ds, training_dates(ds.sizes["time"])))
    training = xr.concat(oceans, "member").assign_coords(member=np.arange(sum(o.sizes["member"] for o in oceans)))
    training["member"].attrs = oceans[0]["member"].attrs
    training.attrs = oceans[0].attrs | {"seed": [ocean.attrs["seed"] for ocean in oceans]}
    training.attrs["members"] = training.sizes["member"]
    with open_product(paths["heldout"]) as ds:
        heldout = cut(ds.isel(member=slice(0, 2)), spread_dates(ds.sizes["time"]), BOX)
    with open_product(paths["twin"]) as ds:
        twin = cut(ds.isel(member=0), np.arange(ds.sizes["time"]), BOX)
        twin = twin[list(FIELDS)].reset_coords(drop=True)

    for name, ds in (("nature_training", training), ("nature_heldout", heldout), ("twin_truth", twin)):
        write_dataset(ds, folder / f"{name}.nc", QUANTUM)
    write_checksums(folder, REGISTRY if folder == FOLDER else folder / REGISTRY.name)


def main(
    compile: Annotated[bool, typer.Option(help="Fuse the time step (needs a C++ compiler; twice as fast).")] = False,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    make(FOLDER, RUNS, compile=compile, device=device)
    for path in sorted(FOLDER.glob("*.nc")):
        typer.echo(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    typer.run(main)
