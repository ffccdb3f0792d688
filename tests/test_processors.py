"""Threads: as many as there are processors for, asleep while they wait; memory kept; and what the user says stays."""

import ctypes
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from genda_lite import processors

ROOT = Path(__file__).parents[1]


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Pretends a machine of eight processors, with these control groups."""

    def pretend(own: str, groups: dict[str, str]) -> None:
        (tmp_path / "own").write_text(own)
        for name, text in groups.items():
            (tmp_path / "groups" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "groups" / name).write_text(text)

    monkeypatch.setattr(processors, "GROUPS", tmp_path / "groups")
    monkeypatch.setattr(processors, "OWN", tmp_path / "own")
    monkeypatch.setattr(os, "process_cpu_count", lambda: 8, raising=False)
    return pretend


def quota(quota: int, period: int = 100_000, group: str = "cpu") -> dict[str, str]:
    """Files of version 1."""
    return {f"{group}/cpu.cfs_quota_us": f"{quota}\n", f"{group}/cpu.cfs_period_us": f"{period}\n"}


@pytest.mark.parametrize(
    ("own", "groups", "count"),
    [
        ("0::/\n", {"cpu.max": "max 100000\n"}, 8),
        ("0::/\n", {"cpu.max": "200000 100000\n"}, 2),  # a container
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 2),  # a part of a processor counts as one
        ("0::/\n", {"cpu.max": "5000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "6400000 100000\n"}, 8),  # not more than there are
        ("0::/a/b\n", {"a/cpu.max": "300000 100000", "a/b/cpu.max": "max 100000", "other/cpu.max": "1 1"}, 3),
        ("0::/a/b\n", {"a/cpu.max": "300000 100000", "a/b/cpu.max": "200000 100000"}, 2),
        ("2:cpuacct,cpu:/\n1:cpuset:/\n", quota(400_000), 4),
        ("2:cpu:/\n", quota(-1), 8),
        ("2:cpu:/a\n", quota(-1) | quota(75_000, 50_000, "cpu/a"), 2),
        ("2:cpu,cpuacct:/docker/of-the-host\n", quota(300_000, group="cpu,cpuacct"), 3),
        ("3:cpuset:/a\n0::/\n", {"cpuset/a/cpu.max": "1 1"}, 8),  # not a group of this kind
    ],
)
def test_no_more_processors_than_the_control_groups_allow(machine, own, groups, count):
    machine(own, groups)
    assert processors.count_processors() == count


@pytest.mark.parametrize("own", ["", "\n", "0::/", "nonsense", "::::", "2:cpu", "0::/../..\n", "0::/\0\n"])
@pytest.mark.parametrize("text", ["", "max", "1 2 3", "x y", "100000 0", "-1 -1", "0 100000", "\0"])
def test_a_strange_machine_never_raises(machine, own, text):
    machine(own, {"cpu.max": text, "cpu/cpu.cfs_quota_us": text, "cpu/cpu.cfs_period_us": text})
    assert processors.count_processors() == 8


def test_without_control_groups_the_affinity_counts(machine, monkeypatch):
    assert processors.count_processors() == 8  # none of the files is there
    monkeypatch.delattr(os, "process_cpu_count")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {1, 3, 5}, raising=False)
    assert processors.count_processors() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert processors.count_processors() == 1


def test_threads_are_taken_back_but_never_added(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    set_to = []
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    monkeypatch.setattr(torch, "set_num_threads", set_to.append)
    for count in (2, 4, 8):
        monkeypatch.setattr(processors, "count_processors", lambda count=count: count)
        processors.bound_threads()
    assert set_to == [2]
    monkeypatch.setattr(processors, "count_processors", lambda: 2)
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    processors.bound_threads()
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.delitem(sys.modules, "torch")
    processors.bound_threads()
    assert set_to == [2]


def fresh(program: str, **variables: str) -> subprocess.CompletedProcess:
    """Run a program in a fresh Python that has only these of the variables that OpenMP reads."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    environment |= {"PYTHONPATH": str(ROOT)} | variables
    return subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)


def spins(program: str, **variables: str) -> int:
    """How often a waiting thread of torch looks before it sleeps: GNU's OpenMP tells its settings as torch loads it."""
    told = fresh(program, OMP_DISPLAY_ENV="verbose", **variables).stderr
    found = re.search(r"GOMP_SPINCOUNT = '(\d+)'", told)
    if found is None:
        pytest.skip("torch has another OpenMP here than GNU's")
    return int(found[1])


def test_the_threads_of_torch_sleep_while_they_wait_unless_told_otherwise():
    assert spins("import torch") > 0  # what we are here for
    assert spins("import genda_lite.state") == 0
    assert spins("import genda_lite, torch") == 0
    assert spins("import genda_lite.state", OMP_WAIT_POLICY="active") > 0


def test_the_package_bounds_the_threads_of_torch():
    for loaded in "import genda_lite", "genda_lite.Grid":  # before the package and after it
        program = f"import torch; torch.set_num_threads(64); {loaded}; print(torch.get_num_threads())"
        program = program if loaded.startswith("import") else f"import genda_lite; {program}"
        assert fresh(program).stdout.split() == [str(processors.count_processors())]


def test_the_count_is_told_without_loading_anything():
    command = [sys.executable, "-I", ROOT / "genda_lite" / "processors.py"]
    assert subprocess.run(command, capture_output=True, text=True).stdout == f"{processors.count_processors()}\n"


# --- Memory ----------------------------------------------------------------------------------------------------------

COUNT = """
import resource, numpy, genda_lite, genda_lite.processors
told = {call}
faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    some = [numpy.full(3_000_000, 1, "u1") for _ in range(8)]  # of 732 pages each
    del some
print(told, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults)
"""


def pages_after(call: str, **environment: str) -> tuple[str, int]:
    """What a call returned in a new process, and how many pages the system had to hand out for arrays after it."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    program = [sys.executable, "-c", COUNT.format(call=call)]
    done = subprocess.run(program, env=plain | environment, capture_output=True, text=True, check=True)
    told, faults = done.stdout.split()
    return told, int(faults)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only GNU's C library can be told")
def test_pages_of_an_array_serve_the_next_one():
    told, many = pages_after("None")
    kept, few = pages_after("genda_lite.processors.keep_freed_memory()")
    assert (told, kept) == ("None", "True")
    assert few < 2 * 8 * 733 and few < many / 5


def test_the_choice_of_the_user_stays():
    assert pages_after("genda_lite.processors.keep_freed_memory()", MALLOC_TRIM_THRESHOLD_="131072")[0] == "False"


def test_where_there_is_no_such_library_nothing_changes(monkeypatch):
    for name in [name for name in os.environ if name.startswith("MALLOC_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert not processors.keep_freed_memory()
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not processors.keep_freed_memory()
