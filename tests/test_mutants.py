"""Any small file of any product, spoilt in any of many ways, is read right or refused in one sentence, soon."""

import json
import queue
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import mutants
import pytest
import small
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SOON = 300.0  # s of waiting; a reader that hangs uses up a processor, and the reader's own limit is a few seconds of it
GOOD = (mutants.RIGHT, mutants.REFUSED)


class Judge:
    """A process that makes, reads and judges mutants; a new one in the place of one that hangs or dies."""

    def __init__(self, folder: Path):
        self.folder, self.outcomes, self.process = folder, Counter(), None

    def _start(self) -> None:
        command = [sys.executable, str(Path(mutants.__file__))]
        options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
        self.process, self.said = subprocess.Popen(command, **options), queue.SimpleQueue()

        def listen(process, said):
            for line in process.stdout:
                said.put(json.loads(line))
            said.put((mutants.TRACEBACK, "the process died"))

        threading.Thread(target=listen, args=(self.process, self.said), daemon=True).start()
        assert self.said.get(timeout=SOON) == "ready"

    def __call__(self, name: str, mutations: list[str], damage: str, seed: int) -> tuple[str, str]:
        if self.process is None or self.process.poll() is not None:
            self._start()
        path = self.folder / "mutant.nc"
        self.process.stdin.write(json.dumps([str(path), name, mutations, damage, seed]) + "\n")
        self.process.stdin.flush()
        try:
            outcome, told = self.said.get(timeout=SOON)
        except queue.Empty:
            outcome, told = mutants.HANG, f"nothing after {SOON:g} s"
            self.process.kill()
        left = sorted(file.name for file in self.folder.iterdir())
        assert left in ([], ["mutant.nc"]), left
        path.unlink(missing_ok=True)
        self.outcomes[outcome] += 1
        return outcome, told


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    judge = Judge(tmp_path_factory.mktemp("mutants"))
    yield judge
    if judge.process is not None:
        judge.process.kill()


def test_there_are_many_ways_to_spoil_a_file():
    assert len(mutants.MUTATIONS) + len(mutants.DAMAGES) - 2 >= 30


def run(judge: Judge, count: int) -> None:
    products, ways = st.sampled_from(sorted(small.PRODUCTS)), st.sampled_from(sorted(mutants.MUTATIONS))
    damages = st.one_of(st.just("whole"), st.sampled_from(sorted(mutants.DAMAGES)))

    @settings(
        max_examples=count, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck), report_multiple_bugs=False,
    )  # fmt: skip
    @given(products, st.lists(ways, min_size=1, max_size=2, unique=True), damages, st.integers(0, 2**32 - 1))
    def every_mutant(name, mutations, damage, seed):
        outcome, told = judge(name, mutations, damage, seed)
        assert outcome in GOOD, f"{outcome}: {told}"

    every_mutant()
    print(dict(judge.outcomes))


def test_mutants_are_read_right_or_refused(judge):
    run(judge, 300)
    assert min(judge.outcomes[one] for one in GOOD) > 20  # of both there are many


@pytest.mark.slow
def test_ten_thousand_mutants(judge):
    run(judge, 10_000)
