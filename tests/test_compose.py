"""Composed priors: windows add up to one, a single one is the prior itself, and their covariance is the windows'."""

import numpy as np
import pytest
import torch
from conftest import red_covariance

import genda_lite as gl
from genda_lite.posterior import compose
from genda_lite.posterior.compose import ComposedPrior, covariance_of, covering, extended, joined, lengthened, starts
from genda_lite.prior import Domain, GaussianPrior
from genda_lite.prior.base import grid_context, make_context
from genda_lite.prior.spectral import INFINITE_NOISE, Basis, Spectrum
from genda_lite.state import Grid, StateVector
from genda_lite.verify.moving import Moving, MovingPrior

DAYS = StateVector(("zos",) * 3, (0.0, -2.0, 2.0))


def of_days(memory: float = 4.0, n: int = 8) -> GaussianPrior:
    """Three frames of one channel that forget at a rate: a Markov process."""
    days = torch.tensor(DAYS.lags)
    rho = torch.exp(-(days[:, None] - days).abs() / memory)
    return GaussianPrior(red_covariance(n, n, 1) * rho, None, None, state=DAYS)


@pytest.mark.parametrize("shape", [(8, 8), (8, 13), (21, 30)])
def test_windows_cover_a_field_and_their_weights_add_up_to_one(shape):
    prior = ComposedPrior(of_days(), shape, (-2.0, 0.0, 2.0))
    total = torch.zeros(prior.shape)
    for window in prior.windows:
        total[window.places, window.rows, window.columns] += window.weight
        assert window.weight.shape == (3, 8, 8) and window.weight.min() >= 0
    torch.testing.assert_close(total, torch.ones(prior.shape))
    assert len(prior.windows) == 3 * len(starts(shape[0], 8, 0.5)) * len(starts(shape[1], 8, 0.5))
    assert prior.state.days == (-4, -2, 0, 2, 4)


def test_a_frame_is_that_of_the_window_in_whose_middle_it_lies():
    prior = ComposedPrior(of_days(), (8, 8), (-2.0, 0.0, 2.0))
    weight = {w.shift: dict(zip((prior.state.lags[p] for p in w.places), w.weight[:, 0, 0], strict=True))
              for w in prior.windows}  # fmt: skip
    assert weight[-2.0] == {-4.0: 1.0, -2.0: 1.0, 0.0: 0.0}
    assert weight[0.0] == {-2.0: 0.0, 0.0: 1.0, 2.0: 0.0}
    assert weight[2.0] == {0.0: 0.0, 2.0: 1.0, 4.0: 1.0}


def test_one_window_is_the_prior_itself():
    prior = of_days()
    whole = ComposedPrior(prior, (8, 8))
    x = torch.randn(5, *prior.shape, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(whole.denoise(x, torch.tensor(0.7), None), prior.denoise(x, torch.tensor(0.7), None))
    torch.testing.assert_close(whole.spectrum.variance, prior.spectrum.variance, atol=1e-4, rtol=1e-4)
    a, b = (p.covariance(INFINITE_NOISE)(x) for p in (whole, prior))
    torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


def test_memory_is_bounded_and_the_gradient_is_the_same(monkeypatch):
    """Few windows at a time, recomputed on the way back, give what all at once do."""
    prior = ComposedPrior(of_days(), (12, 12), (-2.0, 0.0, 2.0))
    x = torch.randn(2, *prior.shape, generator=torch.Generator().manual_seed(0), requires_grad=True)
    found, most = [], []
    for states in (1000, 4):
        monkeypatch.setattr(compose, "STATES", states)
        counted = prior.prior.denoise

        def denoise(parts, *rest, run=counted):
            most.append(len(parts))
            return run(parts, *rest)

        monkeypatch.setattr(prior.prior, "denoise", denoise)
        estimate = prior.denoise(x, torch.tensor(1.0), None)
        found.append((estimate.detach(), torch.autograd.grad(estimate.square().sum(), x)[0]))
        monkeypatch.setattr(prior.prior, "denoise", counted)
    torch.testing.assert_close(found[0], found[1])
    assert most[0] == 2 * len(prior.windows) and set(most[1:]) == {4} and len(most) == 1 + 2 * len(prior.windows) // 2


def test_a_longer_markov_process_is_the_process():
    """The covariance of five frames from that of three, of an autoregression of first order, is its own."""
    prior, shifts = of_days(), (-2.0, 0.0, 2.0)
    whole = joined(prior.state, shifts)
    found = lengthened(covariance_of(prior.spectrum), prior.state, whole, shifts)
    days = torch.tensor(whole.lags, dtype=torch.float64)
    exact = red_covariance(8, 8, 1).double() * torch.exp(-(days[:, None] - days).abs() / 4)
    torch.testing.assert_close(found, exact, atol=1e-4, rtol=1e-4)


def test_a_larger_field_has_the_windows_covariance():
    """Between points of the middle, nearer to each other than half a window."""
    ocean = Moving(1, 48, length=2.0)
    part = MovingPrior(ocean, 16)
    covariance, basis = extended(part.spectrum, (30, 27))
    whole = Spectrum(covariance, basis=basis)
    assert whole.shape == (1, 30, 27)
    torch.testing.assert_close(basis.rows[0] @ basis.rows[0].mT, torch.eye(30), atol=1e-5, rtol=0)
    v = torch.zeros(1, 1, 30, 27)
    v[0, 0, 15, 13] = 1
    found = whole.posterior_covariance(INFINITE_NOISE)(v)[0, 0]
    u = torch.zeros(1, 1, 48, 48)
    u[0, 0, 15, 13] = 1
    exact = ocean.posterior_covariance(INFINITE_NOISE)(u)[0, 0, :30, :27]
    near = torch.zeros(30, 27, dtype=bool)
    near[8:23, 6:21] = True
    assert (found - exact)[near].abs().max() < 0.12 and abs(float(found[15, 13]) - 1) < 0.06


def test_channels_that_share_functions_go_on_sharing_them():
    covariance = red_covariance(8, 8, 3)
    rows = torch.linalg.qr(torch.randn(2, 8, 8, generator=torch.Generator().manual_seed(0)))[0]
    basis = Basis(rows[[0, 1, 1]], rows[[1, 0, 0]])
    _, wide = extended(Spectrum(covariance, basis=basis), (11, 12))
    assert wide.rows[1].equal(wide.rows[2]) and not wide.rows[0].equal(wide.rows[1])


def test_a_window_some_days_later_sees_the_season_of_its_date(grid):
    domain, date = Domain((33, 43), (-70, -50)), np.datetime64("2017-06-10", "ns")
    now, later = (grid_context(domain, grid, date + days * np.timedelta64(1, "D"), True) for days in (0, 20))
    torch.testing.assert_close(compose._days_later(now, 20.0), later, atol=1e-5, rtol=0)
    unknown = make_context(domain, torch.zeros(1, 4), torch.zeros(1, 4), torch.zeros(1, 2), torch.zeros(1))
    torch.testing.assert_close(compose._days_later(unknown, 20.0), unknown)


def test_dates_are_covered_by_as_few_windows_as_hold_them():
    prior = of_days()
    day = np.datetime64("2017-06-10T12:00", "ns")

    def windows(*frames):
        date, shifts = covering(prior, day + np.array(frames) * np.timedelta64(2, "D"))
        return int((date - day) / np.timedelta64(1, "D")), shifts

    assert windows(0) == (0, [0]) and windows(0, 2) == (2, [0]) and windows(0, 1, 2) == (2, [0])
    assert windows(0, 3) == (2, [0, 2]) and windows(0, 1, 5) == (2, [0, 2, 4, 6])
    lean = of_days()
    lean.state = StateVector(("zos", "zos", "so"), (0.0, -2.0, 0.0))
    assert covering(lean, day + np.array([0, 2]) * np.timedelta64(1, "D")) == (day, [0, 2])


def test_a_box_larger_than_a_window_is_analysed_at_once(gaussian_prior, refuses):
    """The prior of single days, sampled on 16 x 24 points; an observation on either side of where windows meet."""
    wide = Grid.around(-60.0, 38.0, (16, 24))
    places = {"latitude": ("n", wide.latitude[[8, 8]]), "longitude": ("n", wide.longitude[[4, 19]])}
    seen = gl.Observations.from_points(
        gl.observe.table.xr.Dataset({"zos": ("n", [0.9, 0.1])}, places), "zos", 0.02, reference_error=0.0
    )
    found = gl.assimilate(gaussian_prior, seen, members=12, grid=wide, date="2017-06-10", fast=True)
    assert found.zos.shape == (12, 16, 24) and np.isfinite(found.uo).all()
    mean = found.zos.mean("member").values
    assert abs(mean[8, 4] - 0.9) < 0.03 and abs(mean[8, 19] - 0.1) < 0.03
    with refuses("15 x 24 points", "at least 16 x 16"):
        gl.assimilate(gaussian_prior, seen, grid=Grid.around(-60.0, 38.0, (15, 24)), date="2017-06-10")
