"""Any small file of any product, spoilt in any of many ways, is read right or refused in one sentence, soon."""

import mutants
import pytest
import small
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    judge = mutants.Judge(tmp_path_factory.mktemp("mutants"))
    yield judge
    judge.end()


def test_there_are_many_ways_to_spoil_a_file():
    assert len(mutants.MUTATIONS) + len(mutants.DAMAGES) - 2 >= 30


def run(judge: mutants.Judge, count: int) -> None:
    products, ways = st.sampled_from(sorted(small.PRODUCTS)), st.sampled_from(sorted(mutants.MUTATIONS))
    damages = st.one_of(st.just("whole"), st.sampled_from(sorted(mutants.DAMAGES)))

    @settings(
        max_examples=count, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck), report_multiple_bugs=False,
    )  # fmt: skip
    @given(products, st.lists(ways, min_size=1, max_size=2, unique=True), damages, st.integers(0, 2**32 - 1))
    def every_mutant(name, mutations, damage, seed):
        outcome, told = judge(name, mutations, damage, seed)
        assert outcome in mutants.GOOD, f"{outcome}: {told}"

    every_mutant()
    print(dict(judge.outcomes))


def test_mutants_are_read_right_or_refused(judge):
    run(judge, 300)
    assert min(judge.outcomes[one] for one in mutants.GOOD) > 20  # of both there are many


@pytest.mark.slow
def test_ten_thousand_mutants(judge):
    run(judge, 10_000)
