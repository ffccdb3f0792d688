"""What this process takes of its machine: processors, with threads that leave room for others, and memory.

torch shares a computation among threads that wait for each other many times a second. They wait by spinning, which is
fast while every thread has a processor of its own. Where other work takes one of the processors, they spin for a thread
that does not run, and all is four times slower or worse. So `import genda_lite` lets threads sleep while they wait,
which costs nothing that we could measure, and has no more of them than there are processors for.

Linux's C library gives the memory of a large array back to the system as soon as the array is gone. The next array is
then handed out page by page anew, each page cleared first. A network makes and drops hundreds of arrays a step: a
training of several days spent a quarter of its time so. The `genda` command keeps what is freed: it then holds the most
that it has needed so far, and gives all of it back when it ends. A library must not decide that for the program that it
is part of, so `import genda_lite` does not. `make train` starts its programs likewise, by `MALLOC_MMAP_MAX_=0` and
`MALLOC_TRIM_THRESHOLD_=2000000000`.

What you have chosen stays: `OMP_WAIT_POLICY`, `OMP_NUM_THREADS` and `MALLOC_…` in the environment win.

    python -I genda_lite/processors.py    # the number, without loading anything else
"""

import ctypes
import math
import os
import sys
from pathlib import Path

# Parameters of mallopt, see its manual page: large arrays by mmap, what is given back, how much is asked for at a time.
MMAP_MAX, TRIM_THRESHOLD, TOP_PAD = -4, -1, -2
GROUPS, OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")  # Linux's control groups, and which of them is ours


def count_processors() -> int:
    """The processors that this process may use, at least 1.

    Not more than its affinity allows, nor than the quota of its control group or of one above it, as a container has
    it. A part of a processor counts as one. On other systems than Linux: the processors that there are.
    """
    known = getattr(os, "process_cpu_count", None)  # from Python 3.13
    if known is not None:
        count = known()
    elif hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count()
    return max(1, min([count or 1, *(math.ceil(quota) for quota in map(_quota, _groups()) if quota)]))


def chosen_device(name: str | None) -> str:
    """A device of torch by its name; by default the graphics card where there is one.

    Raises:
        InputError: it is unknown, or this machine does not have it.
    """
    import torch

    from .errors import InputError

    cards = torch.cuda.device_count() if torch.cuda.is_available() else 0
    known = ["cpu", *(["cuda"] if cards else []), *(f"cuda:{card}" for card in range(cards))]
    if name is not None and name not in known:
        raise InputError(f"device {name!r} is not available here, expected one of {', '.join(known)}")
    return name or ("cuda" if cards else "cpu")


def _groups() -> list[Path]:
    """The folders of this process's control groups and of those above them; some may not exist."""
    try:
        lines = OWN.read_text().splitlines()
    except (OSError, ValueError):
        lines = []
    # Inside a container the name of the group may be the host's, which is not to be seen there: its own is the root.
    found = [GROUPS, GROUPS / "cpu"]
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, name = rest.partition(":")
        if not controllers or "cpu" in controllers.split(","):  # version 2, which names none; version 1
            root = GROUPS / controllers
            group = root / name.strip("/")
            found += [group, *(above for above in group.parents if above.is_relative_to(root))]
    return found


def _quota(group: Path) -> float | None:
    """How many processors a control group may keep busy; None where there is no limit, or none to be read."""
    try:
        if (group / "cpu.max").exists():  # version 2
            quota, period = (group / "cpu.max").read_text().split()
        else:
            quota, period = ((group / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        return int(quota) / int(period) if int(quota) > 0 and int(period) > 0 else None
    except (OSError, ValueError):  # ValueError: "max", or nothing that we know
        return None


def sleep_while_waiting() -> None:
    """Let threads sleep while they wait for each other, in this process and its children.

    To be called before torch is loaded: OpenMP, which runs its threads, reads its environment once.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def bound_threads() -> None:
    """Take back torch's threads beyond `count_processors`, if torch is loaded. It never adds any.

    We do not set `OMP_NUM_THREADS` for that: children would take it for the user's choice. `torchrun` and dask give
    each of their processes one thread, but only where it is not set.
    """
    torch = sys.modules.get("torch")
    if torch is not None and "OMP_NUM_THREADS" not in os.environ:
        count = count_processors()
        if torch.get_num_threads() > count:
            torch.set_num_threads(count)


def keep_freed_memory() -> bool:
    """Keep memory that is freed for the next arrays, in this process and as long as it runs.

    Returns:
        whether it does: only GNU's C library can be told so, and what the environment says stays.
    """
    if not sys.platform.startswith("linux") or any(name.startswith("MALLOC_") for name in os.environ):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    asked = ((MMAP_MAX, 0), (TRIM_THRESHOLD, 2**31 - 1), (TOP_PAD, 64 * 2**20))  # bytes
    return all(mallopt(name, value) for name, value in asked)


if __name__ == "__main__":
    print(count_processors())
