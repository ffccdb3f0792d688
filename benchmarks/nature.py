"""How fast the simulated ocean runs: model years per core-hour.

    python benchmarks/nature.py --members 1 4 --compile

CPU time is what is divided by, so that a busy machine spoils the figure little; on a GPU it is elapsed time. The first
day of each run, which compiles, is not counted.
"""

import argparse
import time

import torch

from genda_lite.nature import NatureRun, Physics

DAYS_PER_YEAR = 365.25


def measure(members: int, days: int, device: str, compile: bool, seed: int = 0) -> tuple[float, float]:
    """CPU seconds and elapsed seconds of some days of an ensemble."""
    run = NatureRun(Physics.draw(members, seed), seed + 1, device=device, compile=compile)
    run.advance_day()  # its check for instability waits for the device, so nothing is left in a queue
    cpu, elapsed = time.process_time(), time.perf_counter()
    for _ in range(days):
        run.advance_day()
    return time.process_time() - cpu, time.perf_counter() - elapsed


def main() -> None:
    parser = argparse.ArgumentParser(description="Model years per core-hour of the simulated ocean.")
    parser.add_argument("--members", type=int, nargs="+", default=[1, 4], help="sizes of the ensemble to time")
    parser.add_argument("--days", type=int, default=5, help="simulated days to time")
    parser.add_argument("--compile", action="store_true", help="fuse the time step (needs a C++ compiler)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    on_cpu = arguments.device == "cpu"
    unit = "core-hour" if on_cpu else "device-hour"
    where = torch.__version__, arguments.device, f"{arguments.threads} thread(s)", f"compile {arguments.compile}"
    print("torch", *where, sep=", ")
    print(f"{'members':>8} {'cpu s/day':>10} {'s/day':>8} {f'years per {unit}':>22}")
    for members in arguments.members:
        cpu, elapsed = measure(members, arguments.days, arguments.device, arguments.compile)
        hours = (cpu if on_cpu else elapsed) / 3600
        years = members * arguments.days / DAYS_PER_YEAR
        print(f"{members:8d} {cpu / arguments.days:10.2f} {elapsed / arguments.days:8.2f} {years / hours:22.2f}")


if __name__ == "__main__":
    main()
