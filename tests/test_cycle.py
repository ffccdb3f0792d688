"""Forecasts, backgrounds, the cycle, RePaint: each held against what is known in closed form."""

import itertools
import json
import math

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from genda_lite import cli
from genda_lite.baselines.enkf import enkf, gaspari_cohn, letkf
from genda_lite.cycle.background import (
    Background,
    BackgroundPrior,
    Conditional,
    error_of,
    limited,
    matrices,
    with_background,
)
from genda_lite.cycle.cycle import CentredNoise, about_mean, about_members, cycle, three_d_var
from genda_lite.cycle.forecast import LinearInverseModel, Persistence, Waves
from genda_lite.cycle.repaint import calls, ddpm_levels, jumps, kriged, repaint, soft_mask
from genda_lite.errors import InputError
from genda_lite.observe.likelihood import LinearGaussian
from genda_lite.observe.operators import Points
from genda_lite.posterior.assimilate import sample_posterior
from genda_lite.posterior.solve import InnovationSolver, interpolated
from genda_lite.prior import GaussianPrior
from genda_lite.prior.spectral import INFINITE_NOISE, Basis, Spectrum
from genda_lite.state import Grid
from genda_lite.verify import cycle as verify
from genda_lite.verify import repaint as ring
from genda_lite.verify.kalman import START, Ocean, linear_filter, observe, smoother_variance

N = 8
TODAY = np.datetime64("2000-01-01", "s")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def spectrum(scale: float, seed: int, channels: int = 2) -> Spectrum:
    """A covariance of channels that differs from mode to mode."""
    mixing = torch.randn(N, N, channels, channels, generator=generator(seed), dtype=torch.float64)
    return Spectrum(scale * (mixing @ mixing.mT + 0.2 * torch.eye(channels)), basis=Basis.periodic(N, N))


def dense(one: Spectrum, sigma=INFINITE_NOISE) -> torch.Tensor:
    size = math.prod(one.shape)
    return one.posterior_covariance(sigma)(torch.eye(size).view(-1, *one.shape)).flatten(1).double()


def seen_points(values: torch.Tensor, error: float = 0.1, seed: int = 0, channels: int = 2) -> LinearGaussian:
    """Some cells of some channels, with values (m,) or (B, m)."""
    m, rng = values.shape[-1], np.random.default_rng(seed)
    places, grid = rng.permutation(N * N)[:m], Grid(np.arange(N) / 12, np.arange(N) / 12)
    rows, columns = np.divmod(places, N)
    operator = Points(grid, rng.integers(channels, size=m), rows / 12, columns / 12, channels)
    return LinearGaussian(operator, values, torch.full((m,), error**2))


# --- Forecasts --------------------------------------------------------------------------------------------------------


def test_hartley_functions_are_orthonormal_and_diagonal_for_a_periodic_sea():
    basis = Basis.periodic(N, 6)
    torch.testing.assert_close(basis.rows @ basis.rows.mT, torch.eye(N)[None], atol=1e-6, rtol=0)
    ocean = Ocean(0.9, N)
    torch.testing.assert_close(dense(ocean.spectrum), ocean.climate, atol=1e-5, rtol=0)
    assert float(ocean.climate.diagonal().mean()) == pytest.approx(1)


def test_a_linear_inverse_model_finds_the_ocean_and_is_calibrated():
    """Fitted to pairs, it carries as the ocean does; and forecasts with their error have the ocean's variance."""
    ocean = Ocean(0.95, N)
    x = ocean.spectrum.sample(4000, generator=generator()).double()
    draw = generator(1)
    y = ocean.model(x, TODAY, [1], lambda: torch.randn(x.shape, generator=draw, dtype=x.dtype))[0]
    model = LinearInverseModel.fit([(x[:2000], y[:2000]), (x[2000:], y[2000:])], Waves())
    carried = ocean.model(x[:50], TODAY, [1, 3])
    assert float((model(x[:50], TODAY, [1])[0] - carried[0]).square().mean()) < 2e-3
    torch.testing.assert_close(model.error.real, ocean.model.error.real, atol=0.02, rtol=0.15)
    ensemble = model(x, TODAY, [2], lambda: torch.randn(x.shape, generator=draw, dtype=x.dtype))[0]
    waves = [Waves()(states).abs().square().mean((0, 1)) for states in (ensemble, x)]
    assert float((waves[0] / waves[1] - 1).abs().max()) < 0.2 and float(waves[0].sum() / waves[1].sum()) > 0.97


def test_a_model_of_channels_in_a_basis():
    """Channels that feed each other, a matrix a mode; two steps are one after the other."""
    s = spectrum(1.0, 0)
    mixing = 0.5 * torch.randn(N, N, 2, 2, generator=generator(3), dtype=torch.float64) / 2
    start = matrices(s)
    later = mixing @ start @ mixing.mT + 0.1 * torch.eye(2)
    model = LinearInverseModel(later, mixing, s.basis, 0.5, start)
    x = s.sample(3, generator=generator())
    expected = s.basis.inverse(torch.einsum("yxcd,bdyx->bcyx", mixing.float(), s.basis(x)))
    torch.testing.assert_close(model(x, TODAY, [0.5])[0], expected)
    once = model(x, TODAY, [0.5, 1.0])
    torch.testing.assert_close(once[1], model(once[0], TODAY, [0.5])[0])


def test_persistence_stands_still():
    x = torch.randn(2, 1, 4, 4)
    assert torch.equal(Persistence()(x, TODAY, [1, 5])[1], x)


@pytest.mark.parametrize("days", [[], [0], [0.5], [2, 1], [-1]])
def test_lead_times_that_cannot_be_given_are_refused(days):
    with pytest.raises(InputError, match="lead times of"):
        Persistence()(torch.zeros(1, 1, 4, 4), TODAY, days)


def test_models_that_cannot_be_are_refused():
    s = torch.eye(1).expand(4, 4, 1, 1).double()
    with pytest.raises(InputError, match="more variance"):
        LinearInverseModel(s, 1.1 * s, Basis.cosines(4, 4))
    with pytest.raises(InputError, match="states of shape"):
        LinearInverseModel(s, 0.5 * s, Basis.cosines(4, 4))(torch.zeros(1, 1, 5, 4), TODAY, [1])
    with pytest.raises(InputError, match="pairs of states"):
        LinearInverseModel.fit([(torch.zeros(1, 2, 4, 4),) * 2], Basis.cosines(4, 4))


# --- Backgrounds ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def told():
    """A Gaussian prior of two channels, told a forecast."""
    s = spectrum(1.0, 0)
    prior = GaussianPrior(matrices(s), None, None, basis=s.basis)
    background = Background(s.sample(1, generator=generator(5))[0], spectrum(0.03, 1))
    return prior, with_background(prior, background)


@pytest.mark.parametrize("guidance", ["oi", "hybrid"])
def test_with_a_background_a_gaussian_prior_gives_3d_var(told, guidance):
    _, product = told
    likelihood = seen_points(torch.randn(12, generator=generator(2)))
    b, error = product.background.mean, dense(product.spectrum)
    rows = likelihood.operator.adjoint(torch.eye(12)).flatten(1).double()
    r = likelihood.covariance(torch.eye(12)).double()
    gain = error @ rows.T @ torch.linalg.inv(rows @ error @ rows.T + r)
    mean = b.flatten().double() + gain @ (likelihood.value.double() - rows @ b.flatten().double())
    centred = product.centred(likelihood)
    found = b + interpolated(InnovationSolver(product, centred, tolerance=1e-6))
    torch.testing.assert_close(found.flatten().double(), mean, atol=2e-4, rtol=0)
    draws = b + sample_posterior(product, centred, None, 300, guidance=guidance, batch=300)
    exact = error - gain @ rows @ error
    off = (draws.mean(0).flatten().double() - mean) / exact.diagonal().sqrt()
    assert float(off.square().mean()) < 2 / 300
    assert float(draws.var(0).flatten().double().sum() / exact.diagonal().sum()) == pytest.approx(1, abs=0.06)


def test_what_the_prior_knows_beyond_its_covariance_is_kept_as_the_product_says(told):
    """A denoiser of another covariance than S: D~ = P~ (P^-1 D + B^-1 b), by dense matrices."""
    prior, _ = told
    s, b = prior.spectrum, Background(prior.spectrum.sample(3, generator=generator(4)), spectrum(0.03, 1))

    class Other(GaussianPrior):
        def denoise(self, x, sigma, context=None):
            return 0.8 * self.spectrum.wiener_filter(x, sigma) + 0.1

    product = with_background(Other(matrices(s), None, None, basis=s.basis), b)
    z = torch.randn(3, 2, N, N, generator=generator(6))
    for sigma in (0.05, 0.7, 20.0):
        d = (0.8 * s.wiener_filter(z + b.mean, torch.tensor(sigma)) + 0.1).flatten(1).double()
        unit = torch.eye(d.shape[1], dtype=torch.float64)
        s_inverse, b_inverse = torch.linalg.inv(dense(s)), torch.linalg.inv(dense(product.spectrum))
        precision = s_inverse + unit / sigma**2
        right = d @ precision + b.mean.flatten(1).double() @ b_inverse
        expected = torch.linalg.solve(precision + b_inverse - s_inverse, right.T).T - b.mean.flatten(1)
        found = product.denoise(z, torch.tensor(sigma)).flatten(1).double()
        torch.testing.assert_close(found, expected, atol=2e-3, rtol=0)
    one = product.denoise(z, torch.tensor([0.05, 0.7, 20.0]))
    torch.testing.assert_close(one[2:], product.denoise(z, torch.tensor(20.0))[2:], atol=1e-4, rtol=0)


def test_a_forecast_is_never_believed_to_be_worse_than_climatology():
    s, b = spectrum(1.0, 0), spectrum(3.0, 1)
    found = limited(b, s)
    gap = torch.linalg.eigvalsh(matrices(s) - matrices(found))
    assert float(gap.min()) > -1e-4 and float(torch.linalg.eigvalsh(matrices(b) - matrices(found)).min()) > -1e-4
    small = spectrum(1e-3, 1)
    assert limited(small, s) is small


def test_backgrounds_that_cannot_be_are_refused(told):
    prior, _ = told
    error = spectrum(0.03, 1)
    with pytest.raises(InputError, match="a background of shape"):
        Background(torch.zeros(2, N, N + 1), error)
    with pytest.raises(InputError, match="1 values missing"):
        Background(
            torch.zeros(2, N, N).index_fill(0, torch.tensor([0]), 0).put_(torch.tensor([3]), torch.tensor([math.nan])),
            error,
        )
    with pytest.raises(InputError, match="standard deviations from the prior's climatology"):
        with_background(prior, Background(torch.full((2, N, N), 300.0), error))
    with pytest.raises(InputError, match="in functions of its own"):
        with_background(prior, Background(torch.zeros(2, N, N), Spectrum(matrices(error))))


def test_conditioning_is_learned_from_pairs():
    """Forecasts that fade and err: regression and error are those of the joint Gaussian; B of x0 - b is larger."""
    s = spectrum(1.0, 0)
    q = spectrum(0.1, 1)
    forecast = s.sample(20000, generator=generator(1))
    truth = 0.6 * forecast + q.sample(20000, generator=generator(2))
    found = Conditional.fit(zip(forecast.split(5000), truth.split(5000), strict=True), s)
    torch.testing.assert_close(found.regression.float(), 0.6 * torch.eye(2).expand(N, N, 2, 2), atol=0.05, rtol=0)
    torch.testing.assert_close(matrices(found.error), matrices(q), atol=0.02, rtol=0.1)
    prior = found.given(forecast[:3])
    torch.testing.assert_close(prior.background.mean, 0.6 * forecast[:3], atol=0.1, rtol=0)
    assert float(matrices(error_of([(forecast, truth)], s)).mean()) > 1.5 * float(matrices(q).mean())
    plain = Conditional.fit([(forecast, truth)], s, corrected=False)
    torch.testing.assert_close(matrices(plain.error), matrices(error_of([(forecast, truth)], s)), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(plain.given(forecast[:3]).background.mean, forecast[:3], atol=1e-5, rtol=0)
    with pytest.raises(InputError, match="pairs of forecast and truth"):
        Conditional.fit([(forecast[:1], truth[:1])], s)


# --- The cycle --------------------------------------------------------------------------------------------------------


def test_the_filter_in_closed_form_is_conditioning_of_all_days_and_its_own_belief():
    ocean = Ocean(0.9, 6)
    seen = observe(ocean, 0.2, 0.2, 4, 2, 0)
    kalman = linear_filter(ocean, seen, 0.2)
    torch.testing.assert_close(kalman.variance, kalman.believed, atol=1e-9, rtol=0)
    n = 36  # the joint covariance of four days, conditioned on all that was seen
    joint, cells, row = torch.zeros(4 * n, 4 * n, dtype=torch.float64), [], ocean.climate
    for lag in range(4):
        for day in range(4 - lag):
            a, b = slice(day * n, (day + 1) * n), slice((day + lag) * n, (day + lag + 1) * n)
            joint[a, b], joint[b, a] = row, row.T
        row = ocean.carry(row)
    cells = torch.cat([day * n + here for day, here in enumerate(seen.cells)])
    matrix = joint[cells][:, cells] + 0.04 * torch.eye(len(cells), dtype=torch.float64)
    gain = torch.linalg.solve(matrix, joint[cells]).T
    mean = seen.values.transpose(0, 1).flatten(1) @ gain.T
    variance = (joint - gain @ joint[cells]).diagonal().view(4, n)
    torch.testing.assert_close(mean.view(2, 4, n)[:, 3], kalman.mean[3], atol=1e-8, rtol=0)
    torch.testing.assert_close(variance[3], kalman.variance[3], atol=1e-8, rtol=0)
    torch.testing.assert_close(variance, smoother_variance(ocean, kalman), atol=1e-8, rtol=0)


def test_the_filter_in_closed_form_stays_right_for_as_long_as_it_is_asked():
    """Without a hand on it rounding makes its covariance less symmetric each day, a hundredfold in ten days, and after
    sixty it is another filter's."""
    case = verify.SAMPLED_CASES[2]
    ocean = Ocean(case.memory, case.n)
    seen = observe(ocean, case.share, case.error, case.spin + case.days, 1, 0)
    kalman = linear_filter(ocean, seen, case.error)
    torch.testing.assert_close(kalman.forecasts[-1], kalman.forecasts[-1].T, atol=1e-12, rtol=0)
    torch.testing.assert_close(kalman.variance[-1], kalman.believed[-1], atol=1e-9, rtol=0)


def test_a_cycle_told_the_filters_background_is_the_kalman_filter():
    case = verify.CycleCase(0.95, 0.1, 0.2, days=8, spin=4, truths=2, members=64, n=N)
    ocean = Ocean(case.memory, N)
    seen = observe(ocean, case.share, case.error, 12, 2, 0)
    kalman = linear_filter(ocean, seen, case.error)
    exact = iter([verify.DenseSpectrum(f, (1, N, N)) for f in kalman.forecasts])
    condition_ = about_mean(lambda b: BackgroundPrior(Background(b, next(exact))), 2)
    _, mean, variance = verify.run(ocean, seen, case.error, condition_, case.members, 0)
    found = verify.scores(case, seen, kalman, mean, variance)
    assert found["RMSE / Kalman"] < 1.03 and found["variance / Kalman"] == pytest.approx(1, abs=0.05)


def test_centred_noise_moves_no_mean_and_is_as_wide():
    noise = CentredNoise(0, range(400), (3,), "cpu", 100)
    white = noise().unflatten(0, (100, 4))
    assert float(white.mean(1).abs().max()) < 1e-6 and float(white.var(1).mean()) == pytest.approx(4 / 3, rel=0.2)
    assert float(white.square().mean()) == pytest.approx(1, abs=0.1)
    assert CentredNoise(0, range(2), (3,), "cpu", 2)().abs().min() > 0


def test_members_do_not_lead_their_mean_astray():
    """Few members, constant B: the mean stays that of the filter in closed form."""
    ocean, error = Ocean(0.99, N), 0.3
    seen = observe(ocean, 0.1, error, 30, 2, 0)
    believed = 0.1 * ocean.climate
    exact, few = linear_filter(ocean, seen, error, believed), ocean.homogeneous(believed)
    condition_ = about_mean(lambda b: BackgroundPrior(Background(b, few)), 2)
    _, mean, _ = verify.run(ocean, seen, error, condition_, 8, 0, three_d_var)
    assert float((mean - exact.mean)[15:].square().mean()) < 0.02 * float(exact.variance[15:].mean())


def test_guided_transitions_spread_as_they_err_and_err_more():
    """Each member by its own forecast, gain of Q: sampled members have the error of the closed form."""
    ocean, error = Ocean(0.98, N), 0.3
    seen = observe(ocean, 0.1, error, 40, 2, 0)
    kalman, guided = linear_filter(ocean, seen, error), linear_filter(ocean, seen, error, ocean.renewal)
    renewal = ocean.homogeneous(ocean.renewal)
    condition_ = about_members(lambda b: BackgroundPrior(Background(b, renewal)))
    _, mean, variance = verify.run(ocean, seen, error, condition_, 48, 0, three_d_var)
    late = slice(15, None)
    assert verify.root(guided.variance[late]) > 1.1 * verify.root(kalman.variance[late])
    assert verify.root(variance[late]) == pytest.approx(verify.root(guided.variance[late]), rel=0.04)
    assert float((mean - guided.mean)[late].square().mean()) < 0.1 * float(guided.variance[late].mean())


@pytest.fixture
def small():
    ocean = Ocean(0.9, N)
    seen = observe(ocean, 0.2, 0.2, 4, 1, 0)
    days = verify.likelihoods(ocean, seen, 0.2, 6)
    condition_ = about_mean(lambda b: BackgroundPrior(Background(b, ocean.homogeneous(0.3 * ocean.climate))))
    return ocean, days, condition_, ocean.spectrum.sample(6, generator=generator())


def test_a_cycle_goes_on_where_it_stopped(small):
    ocean, days, condition_, ensemble = small
    whole = list(cycle(ocean.model, condition_, days, ensemble, START))
    first = list(itertools.islice(cycle(ocean.model, condition_, days, ensemble, START), 2))
    rest = list(cycle(ocean.model, condition_, days[2:], first[-1].analysis, first[-1].time))
    assert all(torch.equal(a.analysis, b.analysis) for a, b in zip(whole, first + rest, strict=True))
    assert not torch.equal(
        whole[0].analysis, next(iter(cycle(ocean.model, condition_, days, ensemble, START, 1))).analysis
    )


def test_without_observations_the_forecast_stands_with_its_error(small):
    ocean, days, condition_, _ = small
    ensemble = ocean.spectrum.sample(600, generator=generator())
    (day,) = cycle(ocean.model, condition_, [(days[0][0], None)], ensemble, START)
    assert torch.equal(day.background, day.analysis)
    new = day.analysis - ocean.model(ensemble, START, [1])[0]
    assert float(new.var()) == pytest.approx(float(ocean.renewal.diagonal().mean()), rel=0.1)


def test_cycles_that_cannot_be_are_refused(small):
    ocean, days, condition_, ensemble = small
    with pytest.raises(InputError, match="dates that rise"):
        list(cycle(ocean.model, condition_, [days[1], days[0]], ensemble, START))
    with pytest.raises(InputError, match=r"lead times of 0\.5 days"):
        list(cycle(ocean.model, condition_, days, ensemble, START + np.timedelta64(12, "h")))
    with pytest.raises(InputError, match="an ensemble of shape"):
        list(cycle(ocean.model, condition_, days, ensemble[0], START))
    with pytest.raises(InputError, match="one for all or one for each"):
        list(
            cycle(
                ocean.model, lambda b: condition_(b).__class__(Background(b[:4], ocean.spectrum)), days, ensemble, START
            )
        )


# --- Ensemble filters -------------------------------------------------------------------------------------------------


def test_the_letkf_without_localization_is_the_kalman_filter_of_its_ensemble():
    x = torch.randn(12, 20, generator=generator(), dtype=torch.float64)
    cells, variance = torch.tensor([1, 5, 17]), torch.tensor([0.1, 0.3, 0.2], dtype=torch.float64)
    values = torch.randn(3, generator=generator(1), dtype=torch.float64)
    p = torch.cov(x.T)
    gain = torch.linalg.solve(p[cells][:, cells] + torch.diag(variance), p[cells]).T
    mean, covariance = x.mean(0) + gain @ (values - x.mean(0)[cells]), p - gain @ p[cells]
    found = letkf(x, x[:, cells], values, variance, torch.ones(3, 20, dtype=torch.float64))
    torch.testing.assert_close(found.mean(0), mean)
    torch.testing.assert_close(torch.cov(found.T), covariance)
    many = torch.randn(20000, 20, generator=generator(2), dtype=torch.float64)
    drawn = enkf(many, many[:, cells], values, variance, torch.ones(3, 20), torch.ones(3, 3), generator(3))
    gain = torch.linalg.solve(torch.eye(3) + torch.diag(variance), torch.eye(20, dtype=torch.float64)[cells]).T
    torch.testing.assert_close(drawn.mean(0), gain @ values, atol=0.05, rtol=0)
    torch.testing.assert_close(drawn.var(0), 1 - gain.sum(1), atol=0.05, rtol=0)
    with pytest.raises(InputError, match="at least two"):
        letkf(x[:1], x[:1, cells], values, variance, torch.ones(3, 20))


def test_far_away_nothing_is_heard():
    distance = torch.arange(0, 40, dtype=torch.float64) / 10
    taper = gaspari_cohn(distance, 1.5)
    assert taper[0] == 1 and taper[31:].abs().max() == 0 and (taper.diff() <= 1e-12).all()
    x = torch.randn(5, 40, generator=generator(), dtype=torch.float64)
    found = letkf(x, x[:, :1], torch.ones(1).double(), torch.ones(1).double() * 0.01, taper[None])
    torch.testing.assert_close(found[:, 31:], x[:, 31:])
    assert float((found[:, 0] - 1).abs().max()) < 0.4


# --- RePaint ----------------------------------------------------------------------------------------------------------


def test_repaints_way_has_the_published_number_of_calls():
    assert calls() == 2910 and calls(samples=1) == 300
    way = list(jumps(6, 2, 2))
    assert way == [(6, 5), (5, 4), (4, 3), (3, 2), (2, 4), (4, 3), (3, 2), (2, 1), (1, 0), (0, 2), (2, 1), (1, 0)]
    with pytest.raises(InputError, match="one or more"):
        list(jumps(0))


def test_noise_levels_are_ddpms():
    levels = ddpm_levels(1000).double()
    beta = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
    a = 1 / (1 + levels[:-1].flip(0) ** 2)
    torch.testing.assert_close(1 - a[1:] / a[:-1], beta[1:], atol=1e-5, rtol=1e-3)
    assert len(ddpm_levels(300)) == 301 and (ddpm_levels(300).diff() < 0).all()


def test_kriging_is_unbiased_exact_at_observations_and_the_dense_answer():
    rng = np.random.default_rng(0)
    places, grid = torch.from_numpy(rng.uniform(0, 100, (7, 2))), torch.from_numpy(rng.uniform(0, 100, (30, 2)))
    apart, between = torch.cdist(places, places), torch.cdist(torch.cat([grid, places]), places)
    values = torch.from_numpy(rng.normal(size=(2, 7)))
    found = kriged(values, between, apart, 60.0, 9)
    torch.testing.assert_close(found[:, 30:], values)
    torch.testing.assert_close(kriged(values + 5, between, apart, 60.0), found + 5)
    system = torch.ones(8, 8, dtype=torch.float64)
    system[:7, :7], system[7, 7] = torch.exp(-apart / 60.0), 0
    right = torch.cat([torch.exp(-between / 60.0), torch.ones(37, 1)], 1)
    torch.testing.assert_close(found, values @ torch.linalg.solve(system, right.T)[:7])
    # Simple kriging: a mean of zero, towards which it goes far away.
    plain = kriged(values, between, apart, 60.0, simple=True)
    weights = torch.linalg.solve(torch.exp(-apart / 60.0), torch.exp(-between / 60.0).T)
    torch.testing.assert_close(plain, values @ weights)
    assert float(kriged(values, between[:1] + 1e4, apart, 60.0, simple=True).abs().max()) < 1e-9
    near = kriged(values, between, apart, 60.0, 1)
    torch.testing.assert_close(near, values[:, between.argmin(1)])
    with pytest.raises(InputError, match="in one place"):
        kriged(values[:, :2], between[:, :2], torch.zeros(2, 2), 60.0)


def test_masks():
    distance = torch.tensor([[0.0, 3.0], [1.5, 1.5], [4.0, 9.0]])
    torch.testing.assert_close(
        soft_mask(distance), torch.tensor([1.0, math.exp(-0.5), math.exp(-0.5 * (4 / 1.5) ** 2)])
    )
    assert soft_mask(distance, 0.0).tolist() == [1, 0, 0]


def test_repainting_is_nearly_exact_with_a_hard_mask_and_cannot_be_told_an_error():
    """Perfect observations, hard mask: nearly the posterior. With errors no variance is left where it was observed,
    unless they are told; a soft mask takes it from the surroundings, too."""
    short = dict(steps=60, length=6, samples=5)
    perfect, noisy = ring.ring(0.1, 0.0, 4), ring.ring(0.1, 0.3, 4)

    def scores(case, **options):
        distance = (torch.arange(64)[:, None] - torch.arange(64)).abs()
        between = torch.minimum(distance, 64 - distance).double()[:, case.cells]
        known = kriged(case.values, between, between[case.cells], ring.RANGE).float().view(-1, 1, 1, 64)
        mask = soft_mask(between, options.pop("width", 0.0)).float().view(1, 1, 64)
        return ring.scores(case, repaint(case.prior, known.repeat_interleave(16, 0), mask, 64, **short, **options))

    hard, soft = scores(perfect), scores(perfect, width=1.5)
    assert hard["CRPS / exact"] < 1.12 and soft["CRPS / exact"] > hard["CRPS / exact"] + 0.02
    assert soft["variance, unobserved"] < 0.7 * hard["variance, unobserved"]
    assert scores(noisy)["variance, observed"] < 0.01
    assert scores(noisy, error=0.3)["variance, observed"] > 0.3
    assert scores(perfect, fresh=False)["CRPS / exact"] > hard["CRPS / exact"] + 0.1


def test_repainting_refuses_other_shapes():
    prior = ring.ring(0.1, 0.0, 1).prior
    with pytest.raises(InputError, match="a known map of shape"):
        repaint(prior, torch.zeros(1, 1, 60), torch.ones(1, 1, 64), 2)
    with pytest.raises(InputError, match="a mask of shape"):
        repaint(prior, torch.zeros(1, 1, 64), 2 * torch.ones(1, 1, 64), 2)


# --- The table --------------------------------------------------------------------------------------------------------


def test_genda_evaluate_cycle_writes_rows_named_kalman(tmp_path, monkeypatch):
    monkeypatch.setattr(verify, "QUICK", (verify.CycleCase(0.9, 0.1, 0.3, days=5, spin=3, members=8, n=N),))
    monkeypatch.setattr(ring, "evaluate_repaint", lambda quick, seed: iter(()))
    result = CliRunner().invoke(cli.app, ["evaluate", "cycle", "--quick", "--json", str(tmp_path / "rows.json")])
    assert result.exit_code == 0, result.output
    rows = {one["name"]: one for one in json.loads((tmp_path / "rows.json").read_text())}
    assert all(name.startswith("Kalman, memory 0.9, 10 %, error 0.3, ") for name in rows)
    assert rows["Kalman, memory 0.9, 10 %, error 0.3, guided transitions, closed form: spread / error"]["value"] == 1
    judged = rows["Kalman, memory 0.9, 10 %, error 0.3, conditioned, own forecasts, round 3: RMSE / Kalman"]
    assert judged["target"] == "at most 1.04"


@pytest.mark.slow
@pytest.mark.parametrize("case", verify.SAMPLED_CASES[1:4:2], ids=lambda case: case.name)
def test_a_denoiser_trained_on_its_own_forecasts_is_nearly_the_kalman_filter(case):
    ocean = Ocean(case.memory, case.n)
    seen = observe(ocean, case.share, case.error, case.spin + case.days, case.truths, 0)
    kalman = linear_filter(ocean, seen, case.error)
    way = verify.sampled_ways(case, ocean, kalman, 0, True)[f"{verify.OWN}, round 3"]
    _, *found = verify.run(ocean, seen, case.error, way, case.members, 0)
    scores = verify.scores(case, seen, kalman, *found)
    assert scores["RMSE / Kalman"] < 1.08 and 0.93 < scores["spread / error"] < 1.07
