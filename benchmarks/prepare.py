"""How fast a long series is prepared, and in how much memory.

    python benchmarks/prepare.py --days 400 --shape 240 360
    python benchmarks/prepare.py --days 4018 --shape 240 360 --workers 2 --memory 1GB

A series like a reanalysis is generated as it is read, so that none of it is ever in memory as a whole. The rate is that
of the seven input fields in float32; both passes read them, so a disk has to deliver twice as much. The peak is of the
process, or of the largest worker, and holds some 300 MB of libraries.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import dask.array
import numpy as np
import xarray as xr

from genda_lite.prepare import prepare, write_state
from genda_lite.sources.files import days_per_block
from genda_lite.state import INPUTS, VARIABLES

SCALE = {"zos": 0.3, "thetao": 3.0, "so": 0.5, "uo": 0.5, "vo": 0.5, "uas": 6.0, "vas": 6.0}


def series(days: int, shape: tuple[int, int], block: int) -> xr.Dataset:
    """White noise of oceanic size, lazily."""
    chunks = (block, *shape)
    random = dask.array.random.default_rng(0)
    fields = {
        name: (
            ("time", "latitude", "longitude"),
            random.standard_normal((days, *shape), chunks=chunks, dtype="f4") * np.float32(SCALE[name]),
            VARIABLES[name],
        )
        for name in INPUTS
    }
    coords = {
        "time": np.datetime64("2010-01-01", "ns") + np.arange(days) * np.timedelta64(1, "D"),
        "latitude": 25 + np.arange(shape[0]) / 12,
        "longitude": -70 + np.arange(shape[1]) / 12,
    }
    return xr.Dataset(fields, coords)


def peak() -> float:
    """Largest memory this process has had, MB."""
    status = Path("/proc/self/status")  # on Linux `getrusage` counts the parent's memory, too
    if status.exists():
        return next(float(line.split()[1]) / 1024 for line in status.open() if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def measure(ds: xr.Dataset) -> tuple[float, float]:
    """Seconds of pass 1 and of pass 2, which writes."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        state, standardizer = prepare(ds)
        middle = time.perf_counter()
        write_state(state, standardizer, Path(folder) / "state.zarr")
        return middle - start, time.perf_counter() - middle


def main() -> None:
    parser = argparse.ArgumentParser(description="Rate and memory of preparing a long series.")
    parser.add_argument("--days", type=int, default=400, help="length of the series")
    parser.add_argument("--shape", type=int, nargs=2, default=(240, 360), help="latitudes and longitudes")
    parser.add_argument("--block", type=int, help="days in a chunk; by default as the readers choose")
    parser.add_argument("--workers", type=int, default=0, help="processes of a local cluster; 0 for threads")
    parser.add_argument("--memory", default="1GB", help="limit of each of them")
    arguments = parser.parse_args()
    ny, nx = arguments.shape
    ds = series(arguments.days, (ny, nx), arguments.block or days_per_block(ny * nx))
    size = ds.nbytes / 2**20
    if arguments.workers:
        from distributed import Client, LocalCluster

        options = {"n_workers": arguments.workers, "threads_per_worker": 1, "dashboard_address": None}
        with LocalCluster(memory_limit=arguments.memory, **options) as cluster, Client(cluster) as client:
            seconds = measure(ds)
            memory = max(client.run(peak).values())
    else:
        seconds, memory = measure(ds), peak()
    print(f"{size:.0f} MB in chunks of {ds.chunks['time'][0]} days of {ny} x {nx} points")
    print(f"{'pass':>6} {'s':>8} {'MB/s':>8}")
    for name, elapsed in zip(("sums", "write"), seconds, strict=True):
        print(f"{name:>6} {elapsed:8.1f} {size / elapsed:8.0f}")
    print(f"{'both':>6} {sum(seconds):8.1f} {size / sum(seconds):8.0f}   peak memory {memory:.0f} MB")


if __name__ == "__main__":
    main()
