"""The ocean that moves: its closed forms agree, and trajectories drawn of it meet the targets."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from genda_lite.baselines.closed_form import condition
from genda_lite.observe.likelihood import LinearGaussian
from genda_lite.observe.operators import Points
from genda_lite.posterior.assimilate import DEFAULT
from genda_lite.prior.spectral import INFINITE_NOISE
from genda_lite.state import Grid
from genda_lite.verify import moving
from genda_lite.verify.moving import CASES, Dense, Moving, kalman_smoother, rows_of_moving, run_case, seam, set_up


def test_modes_are_orthonormal_and_give_the_covariance():
    ocean = Moving(3, 8, length=1.5)
    x, z = torch.randn(2, 4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(ocean.from_modes(ocean.to_modes(x)), x, atol=1e-5, rtol=0)
    torch.testing.assert_close((ocean.to_modes(x) * z).sum(), (x * ocean.from_modes(z)).sum(), atol=1e-3, rtol=1e-4)
    unit = torch.eye(3 * 64).view(-1, 3, 8, 8)
    full = ocean.posterior_covariance(INFINITE_NOISE)(unit).flatten(1)
    torch.testing.assert_close(full, full.T, atol=1e-5, rtol=0)
    torch.testing.assert_close(full.diagonal(), torch.ones(192), atol=1e-3, rtol=0)
    draws = ocean.sample(20000, generator=torch.Generator().manual_seed(1)).flatten(1)
    torch.testing.assert_close(draws.T @ draws / len(draws), full, atol=0.05, rtol=0)
    kept = ocean.posterior_covariance(torch.tensor(0.5), [0, 2])(x[:, [0, 2]])
    padded = x.clone()
    padded[:, 1] = 0
    torch.testing.assert_close(kept, ocean.posterior_covariance(torch.tensor(0.5))(padded)[:, [0, 2]])


def test_what_one_frame_says_of_the_next_lies_downstream():
    """Two frames are two days apart: three cells westward of what is there now, and one northward."""
    ocean = Moving(2, 16, length=2.0)
    v = torch.zeros(1, 2, 16, 16)
    v[0, 0, 8, 8] = 1
    next_frame = ocean.posterior_covariance(INFINITE_NOISE)(v)[0, 1]
    place = divmod(int(next_frame.argmax()), 16)
    assert place == (8 + round(2 * moving.DRIFT[0]), 8 + round(2 * moving.DRIFT[1]))
    assert 0.5 < float(next_frame.max()) < 1


def test_the_smoother_is_conditioning_of_the_whole():
    """Observations on frames and between them, values and errors of different sizes."""
    rng, ocean = np.random.default_rng(0), Moving(5, 8, length=1.5)
    grid = Grid(np.arange(8) / 12, np.arange(8) / 12)
    earlier = np.sort(rng.integers(4, size=30))
    share = np.where(rng.uniform(size=30) < 0.3, 0.0, rng.uniform(size=30))
    operator = Points(grid, earlier, *(rng.integers(8, size=(2, 30)) / 12), 5, earlier + 1, share)
    values = torch.from_numpy(rng.normal(size=(3, 30))).float()
    variance = torch.from_numpy(rng.uniform(0.01, 0.5, 30)).float()
    likelihood = LinearGaussian(operator, values, variance)
    smoothed, exact = kalman_smoother(ocean, likelihood, values), condition(ocean, likelihood, values)
    torch.testing.assert_close(smoothed.mean, exact.mean, atol=1e-4, rtol=0)
    torch.testing.assert_close(smoothed.variance, exact.variance, atol=1e-4, rtol=0)


def test_a_window_of_the_ocean_has_its_covariance():
    ocean = Moving(2, 10, length=1.5)
    window = Dense(ocean, 6)
    full = window.vectors * window.values @ window.vectors.T
    v = torch.zeros(1, 2, 10, 10)
    v[0, 1, 2, 3] = 1
    exact = ocean.posterior_covariance(INFINITE_NOISE)(v)[0, :, :6, :6]
    torch.testing.assert_close(full.view(2, 6, 6, 2, 6, 6)[1, 2, 3], exact, atol=1e-4, rtol=0)


@pytest.fixture(scope="module")
def small():
    """Three frames of 12 x 12 points."""
    return set_up(moving.MovingCase("small", 3, 12, 0.05, truths=4, members=24))


def test_trajectories_are_the_smoothers(small):
    found = run_case(small, DEFAULT)
    assert found["CRPS / exact"] < 1.02 and found["CRPS / exact, worst day"] < 1.03
    assert 0.9 < found["variance, least of a day"] and found["variance, most of a day"] < 1.1
    assert found["forwards"] == DEFAULT.steps


def test_wrong_trajectories_are_told(small):
    """The mean of a day shifted, the spread of a day too small, and members of no number."""
    case, exact = small.case, small.exact
    noise = torch.randn(case.truths, case.members, *small.prior.shape, generator=torch.Generator().manual_seed(0))
    draws = exact.mean[:, None] + exact.variance.sqrt() * noise
    good = moving.scores(draws.flatten(0, 1), small)
    assert good["CRPS / exact, worst day"] < 1.02
    narrow, shifted = draws.clone(), draws.clone()
    narrow[:, :, 1] = exact.mean[:, None, 1] + 0.7 * (narrow[:, :, 1] - exact.mean[:, None, 1])
    shifted[:, :, 2] += exact.variance[2].sqrt()
    assert moving.scores(narrow.flatten(0, 1), small)["variance, least of a day"] < 0.6
    assert moving.scores(shifted.flatten(0, 1), small)["CRPS / exact, worst day"] > 1.3
    shifted[0] = math.nan
    assert set(moving.scores(shifted.flatten(0, 1), small).values()) == {math.inf}


def test_a_seam_is_seen():
    """Members that vary a fifth more where two windows meet."""
    parts = slice(0, 16), slice(12, 28)
    windows = [moving.Window([0], rows, columns, 0.0, torch.ones(1)) for rows in parts for columns in parts]
    members = torch.randn(20, 20, 1, 28, 28, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    variance = torch.ones(1, 28, 28)
    assert abs(seam(members, variance, windows)) < 0.01
    members[..., 13:15, :] *= 1.2
    assert seam(members, variance, windows) == pytest.approx(0.1, abs=0.02)


def test_rows_say_what_is_judged():
    scores = {"CRPS / exact": 1.01, "CRPS / exact, worst day": 1.04, "variance, least of a day": 0.97, "seam": -0.01}
    cost = {"forwards": 26, "VJPs": 52, "seconds": 3.0}
    lines = [{"case": case.name, "method": name} | scores | cost for case in CASES for name in moving.METHODS]
    rows = {row["name"]: row for row in rows_of_moving(lines)}
    assert all(name.split(", ", 1)[1].startswith("trajectory") for name in rows)
    assert rows["default, trajectory, 1 %: CRPS / exact"]["target"] == "at most 1.02"
    assert not rows["default, trajectory, 1 %: CRPS / exact, worst day"]["met"]
    assert rows["default, trajectory composed in time, 3 %: CRPS / exact, worst day"]["met"]
    assert rows["default, trajectory composed in space, 3 %: seam"]["target"] == "-0.03 to 0.03"
    assert rows["fast, trajectory, 5 %: CRPS / exact"]["target"] is None


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_targets(case):
    """What `genda evaluate posterior` reports of trajectories, as a proof."""
    found = run_case(set_up(replace(case), seed=1), DEFAULT)
    highest = moving.TARGETS["composed" if case.composed else "CRPS"]
    assert found["CRPS / exact, worst day"] <= highest
    if not case.composed:
        low, high = moving.TARGETS["variance"]
        assert low <= found["variance, least of a day"] and found["variance, most of a day"] <= high
    assert not abs(found["seam"]) > moving.TARGETS["seam"]
