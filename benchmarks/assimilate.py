"""What an analysis costs: seconds and memory by method, members, grid and number of observations.

    python benchmarks/assimilate.py --table data_samples/results/speed.csv --figure speed.png --json speed.json

One of the four is varied at a time, from 16 members, 64 x 64 points, 1,000 observations of sea level and temperature.
The network is the shipped one; on other grids it is applied as it is, with the prior's covariances read at the same
wavenumbers: the cost is that of a prior trained there. Each row is the best of several runs in a process of its own, so
that its memory can be told: the peak of the whole process on a CPU, what the card holds on a GPU.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from genda_lite import Grid, load_prior
from genda_lite.files import atomic_path
from genda_lite.observe.table import Observations
from genda_lite.posterior.assimilate import DEFAULT, FAST, Settings, sample_posterior
from genda_lite.posterior.problem import build_problem
from genda_lite.prior import DiffusionPrior
from genda_lite.verify.table import tidy, write_table

METHODS = {"default": DEFAULT, "fast": FAST, "GenDA's sampler": Settings("sda", "vp", 256)}
DATE = np.datetime64("2001-01-01T12:00")
CENTRE = -60.0, 38.0


@dataclass(frozen=True)
class Job:
    """What is timed."""

    method: str = "default"
    members: int = 16
    size: int = 64
    observations: int = 1000


def jobs() -> Iterator[Job]:
    """The methods, and then one thing after the other varied."""
    yield from (Job(method) for method in METHODS)
    for method in ("default", "fast"):
        one = Job(method)
        yield from (replace(one, members=m) for m in (1, 4, 64))
        yield from (replace(one, size=n) for n in (32, 96, 128))
        yield from (replace(one, observations=m) for m in (100, 2000, 4000, 8000))


def prior_of(size: int) -> DiffusionPrior:
    """The shipped prior, or its network on another grid."""
    shipped = load_prior()
    if shipped.shape[1:] == (size, size):
        return shipped
    wave = np.rint(np.arange(size) * shipped.shape[1] / size).astype(int).clip(max=shipped.shape[1] - 1)
    covariance = shipped.cross_covariance[wave][:, wave]
    other = DiffusionPrior(covariance, shipped.standardizer, shipped.domain, shipped.config)
    other.denoiser.network.load_state_dict(shipped.denoiser.network.state_dict())
    other.denoiser.eval().requires_grad_(False)
    return other


def seen(grid: Grid, count: int) -> Observations:
    """Half sea level, half temperature, at random points."""
    rng = np.random.default_rng(0)
    parts = []
    for channel, mean, error, m in (("zos", 0.5, 0.03, count // 2), ("thetao", 18.0, 0.4, count - count // 2)):
        where = (rng.uniform(v[0], v[-1], m) for v in (grid.latitude, grid.longitude))
        value = mean + error * rng.normal(size=m)
        parts.append(Observations._table(channel, *where, value, np.full(m, error), DATE, None, "points"))
    return parts[0] + parts[1]


def measure(job: Job, device: str, repeats: int) -> dict:
    """Seconds of an analysis, the problem posed beforehand, and the peak of memory."""
    prior = prior_of(job.size).to(device)
    grid = Grid.around(*CENTRE, (job.size, job.size))
    problem = build_problem(prior, seen(grid, job.observations), None, grid, DATE)
    settings, seconds = METHODS[job.method], []
    for _ in range(repeats):
        start = time.perf_counter()
        draws = sample_posterior(prior, problem.likelihood, problem.context, job.members, 0, *settings)
        assert draws.cpu().isfinite().all()
        seconds.append(time.perf_counter() - start)
    if device == "cpu":
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    else:
        memory = torch.cuda.max_memory_allocated() / 2**20
    return asdict(job) | {"seconds": min(seconds), "MiB": memory, "threads": torch.get_num_threads(), "device": device}


def labelled(rows: list[dict]) -> Iterator[dict]:
    """Every number as a row of `verify.table`; the case says it all in words, its numbers are metrics, too."""
    for row in rows:
        case = "{members} members, {size} x {size} points, {observations} observations".format(**row)
        for metric in ("members", "size", "observations", "seconds", "MiB"):
            yield {"case": case, "method": row["method"], "metric": metric, "value": row[metric]}


def main() -> None:
    parser = argparse.ArgumentParser(description="Seconds and memory of an analysis.")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--threads", type=int, help="of a CPU; by default as many as torch takes")
    parser.add_argument("--repeats", type=int, default=2, help="runs of each row, of which the fastest counts")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    parser.add_argument("--table", type=Path, help="write the rows as a tidy table (CSV) to this file")
    parser.add_argument("--figure", type=Path, help="draw to this file")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        if arguments.threads:
            torch.set_num_threads(arguments.threads)
        print(json.dumps(measure(Job(**json.loads(arguments.one)), arguments.device, arguments.repeats)))
        return
    rows = []
    for job in jobs():
        command = [sys.executable, __file__, "--one", json.dumps(asdict(job)), "--device", arguments.device]
        command += ["--repeats", str(arguments.repeats)]
        command += ["--threads", str(arguments.threads)] if arguments.threads else []
        ended = subprocess.run(command, capture_output=True, text=True)
        if ended.returncode:
            sys.exit(f"{job}: {ended.stderr.strip().splitlines()[-1]}")
        rows.append(json.loads(ended.stdout.splitlines()[-1]))
        print(rows[-1], flush=True)
    if arguments.json:
        with atomic_path(arguments.json) as temporary:
            temporary.write_text(json.dumps(rows, indent=1) + "\n")
    if arguments.table:
        settings = f"{rows[0]['device']}, {rows[0]['threads']} threads, the best of {arguments.repeats} runs"
        command = "python benchmarks/assimilate.py"
        write_table(tidy(labelled(rows)), arguments.table, command=command, settings=settings, seed=0)
    if arguments.figure:
        import matplotlib

        matplotlib.use("Agg")
        from genda_lite.show.board import plot_growth  # not above: a quarter of what is measured would be its memory

        plot_growth(rows, asdict(Job())).savefig(arguments.figure, dpi=150)


if __name__ == "__main__":
    main()
