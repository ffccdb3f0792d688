"""The posterior, proved on a Gaussian prior: the guided ensemble must be that of optimal interpolation."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr
from conftest import red_covariance

import genda_lite as gl
from genda_lite.baselines.closed_form import gaussian_posterior, prior_variance
from genda_lite.baselines.interpolation import interpolated_ensemble, optimal_interpolation
from genda_lite.observe.instruments import altimeter_tracks, clear_sky, sample_points
from genda_lite.observe.likelihood import Likelihood, LinearGaussian, LinearObservations
from genda_lite.posterior import solve as solver
from genda_lite.posterior.assimilate import FAST, constants, level_source, sample_posterior
from genda_lite.posterior.guidance import GUIDANCES
from genda_lite.posterior.problem import build_problem
from genda_lite.posterior.solve import InnovationSolver, conjugate_gradients, interpolated, perturbations
from genda_lite.prior import DiffusionPrior, Domain, GaussianPrior, NetworkConfig
from genda_lite.prior.samplers import SAMPLERS, noise_levels, sde_2m
from genda_lite.state import CHANNELS, Grid, Standardizer, StateVector

N = 16
DATE = np.datetime64("2019-02-23", "ns")


def gaussian_prior(n: int) -> GaussianPrior:
    """A red spectrum, channels correlated with each other, on n x n points."""
    rng = np.random.default_rng(0)
    k = np.hypot(*np.meshgrid(np.arange(n), np.arange(n), indexing="ij"))
    spectrum = (1 + (k / 1.5) ** 2) ** -2.0
    spectrum *= n * n / spectrum.sum()
    mixing = rng.standard_normal((len(CHANNELS),) * 2)
    correlation = np.corrcoef(mixing)
    covariance = torch.from_numpy(spectrum[..., None, None] * (0.8 * correlation + 0.2 * np.eye(len(CHANNELS))))
    scale = np.array([0.4, 3.0, 0.5, 0.1, 0.1, 5.0, 5.0])
    standardizer = Standardizer(np.array([30.0, 50.0]), np.zeros((3, len(CHANNELS), 2)), scale, np.zeros(2, complex))
    return GaussianPrior(covariance.float(), standardizer, Domain((30.0, 50.0), (-70.0, -50.0)))


@pytest.fixture(scope="module")
def prior() -> GaussianPrior:
    return gaussian_prior(N)


@pytest.fixture(scope="module")
def grid() -> Grid:
    return Grid.around(-60.0, 38.0, (N, N))


@pytest.fixture(scope="module")
def truth(prior, grid) -> xr.Dataset:
    draw = prior.spectrum.sample(1, generator=torch.Generator().manual_seed(3))
    return prior.standardizer.to_dataset(draw, grid, DATE).isel(member=0, drop=True)


def observe(truth, grid, channels: int) -> gl.Observations:
    """Tracks of sea level of unknown reference, and with more channels a cloudy temperature map as well."""
    points = sample_points(truth["zos"], altimeter_tracks(grid, 3, seed=1), 0.03, seed=2)
    observations = gl.Observations.from_points(points, "zos", 0.03, reference_error=0.1)
    if channels > 1:
        noise = 0.3 * np.random.default_rng(4).standard_normal(truth["thetao"].shape)
        clear = clear_sky(grid, 0.7, seed=1)
        observations += gl.Observations.from_grid(truth["thetao"] + noise, "thetao", 0.3, mask=clear)
    return observations


@pytest.mark.parametrize(("channels", "settings"), [(1, {}), (2, FAST._asdict())])
def test_guided_ensemble_is_optimal_interpolation(prior, grid, truth, channels, settings):
    """Mean and variance of a sampled ensemble against the closed form, over the whole state."""
    problem = build_problem(prior, observe(truth, grid, channels), grid=grid, date=DATE)
    mean, variance = gaussian_posterior(prior.spectrum, problem.likelihood)
    members = 256
    draws = sample_posterior(prior, problem.likelihood, problem.context, members, 0, batch=128, **settings).double()
    assert 0.93 < (draws.var(0) / variance).mean() < 1.07
    # The mean of M draws scatters about the exact one with variance / M; anything beyond is bias.
    squared_bias = ((draws.mean(0) - mean) ** 2).mean() - draws.var(0).mean() / members
    assert squared_bias < 0.07**2 * variance.mean()


def test_guided_sampler_has_the_exact_mean_and_variance():
    """Without sampling error: for a Gaussian prior the sampler is linear in its noise, so its response to every unit of
    noise gives the variance of the ensemble, at observed and at unobserved points."""
    n = 6
    prior = gaussian_prior(n)
    grid = Grid.around(-60.0, 38.0, (n, n))
    draw = prior.spectrum.sample(1, generator=torch.Generator().manual_seed(3))
    truth = prior.standardizer.to_dataset(draw, grid, DATE).isel(member=0, drop=True)
    likelihood = Likelihood(observe(truth, grid, 2), grid, prior.standardizer, DATE)
    mean, variance = gaussian_posterior(prior.spectrum, likelihood)

    size, sigmas = len(CHANNELS) * n * n, noise_levels(24)
    unit = torch.eye(size).view(size, len(CHANNELS), n, n)
    denoise = GUIDANCES["oi"](prior, likelihood, None)
    quiet = sde_2m(denoise, mean[None].float(), sigmas, lambda: torch.zeros(1, len(CHANNELS), n, n))[0]
    assert ((quiet - mean) ** 2).mean() < 0.02**2 * variance.mean()

    likelihood.value = torch.zeros_like(likelihood.value)  # what is left is linear
    prior_columns = prior.spectrum.posterior_covariance(torch.tensor(torch.inf))(unit)
    everything = likelihood.operator(prior_columns)
    weights = torch.linalg.solve(
        likelihood.operator(
            prior.spectrum.posterior_covariance(torch.tensor(torch.inf))(
                likelihood.operator.adjoint(torch.eye(len(likelihood.value)))
            )
        ).double()
        + likelihood.covariance(torch.eye(len(likelihood.value))).double(),
        everything.T.double(),
    )
    posterior = prior_columns.view(size, size).double() - everything.double() @ weights
    start = torch.linalg.cholesky(posterior + sigmas[0] ** 2 * torch.eye(size)).T.float().view_as(unit)

    def power(x, sigmas, kick):
        """Of the response to a start and to the first noise that is drawn."""
        kicks = iter([kick])
        return (sde_2m(denoise, x, sigmas, lambda: next(kicks, 0 * unit)) ** 2).sum(0)

    response = power(start, sigmas, 0 * unit)
    for step in range(len(sigmas) - 2):  # before its noise, nothing stirs
        response += power(0 * unit, sigmas[step:], unit)

    seen = likelihood.operator.adjoint(torch.ones(1, len(likelihood.value)))[0] > 0
    for where in (seen, ~seen):
        assert 0.93 < response[where].mean() / variance[where].mean() < 1.07
        assert 0.93 < (response / variance)[where].mean() < 1.07


def test_jacobian_guidance_is_the_same_for_a_gaussian(prior, grid, truth):
    """There sigma^2 J' is the posterior covariance, so that both methods take the same steps."""
    problem = build_problem(prior, observe(truth, grid, 2), grid=grid, date=DATE)
    runs = [
        sample_posterior(prior, problem.likelihood, problem.context, 4, 0, guidance, steps=24)
        for guidance in ("oi", "oi-jacobian", "hybrid")
    ]
    for run in runs[1:]:
        torch.testing.assert_close(runs[0], run, atol=0.02, rtol=0)


def test_closed_form_is_the_dense_formula(prior, grid, truth):
    """`gaussian_posterior` against textbook matrices, built column by column."""
    likelihood = Likelihood(observe(truth, grid, 2), grid, prior.standardizer, DATE)
    size = len(CHANNELS) * N * N
    columns = torch.eye(size).view(size, len(CHANNELS), N, N)
    s = prior.spectrum.posterior_covariance(torch.tensor(float("inf")))(columns).view(size, size).double()
    h = likelihood.operator(columns).T.double()
    r = likelihood.covariance(torch.eye(len(likelihood.value))).double()
    gain = s @ h.T @ torch.linalg.inv(h @ s @ h.T + r)
    mean, variance = gaussian_posterior(prior.spectrum, likelihood)
    torch.testing.assert_close(mean.flatten(), gain @ likelihood.value.double(), atol=2e-4, rtol=0)
    torch.testing.assert_close(variance.flatten(), (s - gain @ h @ s).diagonal(), atol=2e-4, rtol=0)
    torch.testing.assert_close(prior_variance(prior.spectrum).flatten(), s.diagonal(), atol=1e-5, rtol=0)


def test_analysis_ignores_a_constant_of_unknown_reference(prior, grid, truth):
    """Tracks shifted by a constant give the same analysis when their reference is unknown, and another when it is."""
    points = sample_points(truth["zos"], altimeter_tracks(grid, 3, seed=1), 0.03, seed=2)
    shifted = points.assign(zos=points["zos"] + 0.7)

    def mean(points, reference_error):
        observations = gl.Observations.from_points(points, "zos", 0.03, reference_error=reference_error)
        return optimal_interpolation(prior, observations, grid=grid, date=DATE).mean["zos"]

    assert abs(mean(points, 30.0) - mean(shifted, 30.0)).max() < 0.01
    assert abs(mean(points, 0.0) - mean(shifted, 0.0)).max() > 0.3


def test_same_seed_same_ensemble_whatever_the_batch(prior, grid, truth):
    observations = observe(truth, grid, 1)

    def run(**options):
        return gl.assimilate(prior, observations, grid=grid, date=DATE, steps=6, **options)["zos"].values

    reference = run(members=5, seed=1)
    np.testing.assert_array_equal(reference, run(members=5, seed=1))
    np.testing.assert_allclose(reference, run(members=5, seed=1, batch=2), atol=2e-4)
    np.testing.assert_allclose(reference[:3], run(members=3, seed=1), atol=2e-4)
    assert abs(reference - run(members=5, seed=2)).max() > 0.01


def test_analysis_says_what_it_is(prior, grid, truth):
    analysis = gl.assimilate(prior, observe(truth, grid, 2), members=2, grid=grid, date=DATE, steps=4)
    assert analysis["zos"].dims == ("member", "latitude", "longitude")
    assert set(CHANNELS) | {"uo", "vo"} <= set(analysis.data_vars)
    for name in (*CHANNELS, "uo", "vo"):
        assert analysis[name].attrs["units"] == gl.VARIABLES[name]["units"]
        assert np.isfinite(analysis[name]).all()
    np.testing.assert_allclose(analysis["latitude"], grid.latitude)
    assert analysis["zos_climatology"].dims == ("latitude",)
    assert analysis.attrs["seed"] == 0 and analysis.attrs["genda_lite_version"] == gl.__version__
    assert analysis.attrs["climatology_date"].startswith("2019-02-23")
    assert "reference level" in analysis["zos"].attrs["comment"]


def test_sea_level_is_in_the_reference_of_its_observations(prior, truth, grid):
    """Values shifted by a metre give a map shifted by a metre, and the same currents."""
    points = sample_points(truth["zos"], altimeter_tracks(grid, 3, seed=1), 0.03, seed=2)

    def run(points):
        observations = gl.Observations.from_points(points, "zos", 0.03, reference_error=30.0)
        return gl.assimilate(prior, observations, members=4, grid=grid, date=DATE)

    here, there = run(points), run(points.assign(zos=points["zos"] + 1))
    np.testing.assert_allclose(there["zos"], here["zos"] + 1, atol=0.02)
    np.testing.assert_allclose(there["vo"], here["vo"], atol=0.05)


def of_two_sources(truth, grid, second: float) -> gl.Observations:
    """Two altimeters of unknown reference; the values of the second are shifted."""
    one, two = (sample_points(truth["zos"], altimeter_tracks(grid, 1, seed=k), 0.03, seed=k) for k in (1, 2))
    observations = gl.Observations.from_points(one, "zos", 0.03, reference_error=0.5)
    return observations + gl.Observations.from_points(two.assign(zos=two["zos"] + second), "zos", 0.03)


@pytest.mark.parametrize("count", [1, 4, None], ids=["single", "few", "two sources"])
def test_sea_level_is_as_uncertain_as_its_reference_leaves_it(prior, truth, grid, count):
    """In closed form: sea level and the constant of the first source, which its map takes in, are together Gaussian. At
    a single observation the spread is the error of the observation; it was nothing."""
    observations = of_two_sources(truth, grid, 0.7)
    observations = observations.select(np.arange(len(observations)) < (count or len(observations)))
    likelihood = Likelihood(observations, grid, prior.standardizer, DATE)
    first, zos = level_source(observations), prior.state.index("zos")
    assert first.sum() == (count or (observations.source == 0).sum())

    shared, m = likelihood.shared[0], len(observations)
    gain = prior.spectrum.posterior_covariance(torch.tensor(torch.inf))(likelihood.operator.adjoint(torch.eye(m)))
    matrix = (likelihood.operator(gain) + likelihood.covariance(torch.eye(m))).double()
    gain[:, zos] += shared.max() * shared[:, None, None]
    gain = gain.flatten(1).double()
    mean = (likelihood.value.double() @ torch.linalg.solve(matrix, gain)).view(prior.shape)[zos]
    variance = prior_variance(prior.spectrum) - (gain * torch.linalg.solve(matrix, gain)).sum(0).view(prior.shape)
    variance = variance[zos] + shared.max() ** 2

    members = 2000
    draws = interpolated_ensemble(prior, likelihood, members, tolerance=1e-5).draws
    white = torch.randn(members, generator=torch.Generator().manual_seed(5))
    level = draws[:, zos] + constants(likelihood, draws, np.flatnonzero(first), white)[:, None, None]
    standard = (level.double() - mean) / variance.sqrt()
    assert abs(standard.mean(0)).max() < 5 / np.sqrt(members)
    assert abs(standard.var(0) - 1).max() < 5 * np.sqrt(2 / members)
    if count == 1:
        analysis = gl.assimilate(prior, observations, members=64, grid=grid, date=DATE, fast=True)["zos"]
        here = analysis.interp(latitude=observations.latitude[0], longitude=observations.longitude[0])
        assert float(here.std()) == pytest.approx(0.03, rel=0.35)
        assert abs(float(here.mean()) - observations.value[0]) < 0.02


def test_the_first_source_sets_the_level(prior, truth, grid):
    """The values of another may be shifted; the map stays where it was."""
    runs = [
        gl.assimilate(prior, of_two_sources(truth, grid, by), members=8, grid=grid, date=DATE, fast=True)["zos"]
        for by in (0.0, 0.7)
    ]
    assert abs(runs[1] - runs[0]).mean() < 0.05


def test_region_by_centre_by_corner_and_by_default(prior, truth, grid):
    observations = observe(truth, grid, 1)
    options = {"members": 1, "steps": 2, "date": DATE}
    centre = gl.assimilate(prior, observations, region={"centre": (-60.0, 38.0)}, **options)
    corner = (float(centre["longitude"][0]), float(centre["latitude"][0]))
    by_corner = gl.assimilate(prior, observations, region={"southwest": corner}, **options)
    np.testing.assert_allclose(centre["latitude"], by_corner["latitude"])
    np.testing.assert_allclose(centre["longitude"], by_corner["longitude"])
    assert centre.attrs["position_used"] == "True"
    elsewhere = gl.assimilate(prior, observations, grid=grid, **options)
    assert elsewhere.attrs["position_used"] == "False"
    by_default = gl.assimilate(prior, observations, **options)
    assert len(observations.inside(Grid(by_default["latitude"], by_default["longitude"]))) == len(observations)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"region": {"centre": (-60.0, 38.0)}, "grid": "given"}, "not both"),
        ({"region": {"centre": (0.0, 0.0)}}, "leaves the prior's domain"),
        ({"region": {"middle": (-60.0, 38.0)}}, "southwest"),
        ({"grid": (np.arange(8.0), np.arange(8.0))}, "expected at least 16 x 16"),
        ({"grid": 3}, "pair of 1-D arrays"),
        ({"date": "the ides of March"}, "is not a date"),
        ({"guidance": "magic"}, "oi-jacobian"),
        ({"sampler": "magic"}, "sde-2m"),
        ({"steps": 1}, "steps >= 2"),
        ({"members": 0}, "members >= 1"),
        ({"region": {"centre": (-55.0, 45.0)}}, "outside the grid"),
    ],
)
def test_bad_options_are_told_in_one_sentence(prior, grid, truth, options, told):
    options = {k: grid if isinstance(v, str) and v == "given" else v for k, v in options.items()}
    with pytest.raises(gl.InputError, match=told) as error:
        gl.assimilate(prior, observe(truth, grid, 1), **({"date": DATE} | options))
    assert "\n" not in str(error.value)


def test_no_observations_are_refused(prior, truth, grid):
    none = observe(truth, grid, 1).select(np.zeros(len(observe(truth, grid, 1)), bool))
    with pytest.raises(gl.InputError, match="no observations"):
        gl.assimilate(prior, none, grid=grid, date=DATE)


def test_unknown_date_warns_and_takes_the_annual_mean(prior, truth, grid):
    with pytest.warns(UserWarning, match="annual-mean"):
        analysis = gl.assimilate(prior, observe(truth, grid, 1), members=1, steps=2, grid=grid)
    assert analysis.attrs["climatology_date"] == "annual mean"


def test_conjugate_gradients_solves_each_row():
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(20, 20, generator=generator)
    a = a @ a.T + torch.eye(20)
    b = torch.randn(3, 20, generator=generator)
    v = conjugate_gradients(lambda v: (v @ a, v), b, lambda r, _: r / a.diagonal(), 100, 1e-6)
    torch.testing.assert_close(v @ a, b, atol=1e-3, rtol=0)


def test_conjugate_gradients_leaves_what_is_solved():
    """One unknown is solved in one iteration; what rounding leaves of the residual is no direction for the others."""
    b = torch.randn(2000, 1, generator=torch.Generator().manual_seed(0)) * torch.logspace(-20, 10, 2000)[:, None]
    v = conjugate_gradients(lambda v: (0.7 * v, v), b, lambda r, _: 0.9 * r, 5)
    torch.testing.assert_close(0.7 * v, b)


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_sampler_converges_to_a_gaussian_at_second_order(eta):
    """Variance of a scalar Gaussian after the sampler: the error falls about fourfold when steps double."""

    def error(steps):
        sigmas = noise_levels(steps).double()
        # The sampler is linear here: follow the variance exactly, through its response to independent unit inputs.
        inputs = torch.eye(steps + 1, dtype=torch.float64)
        unit = iter(inputs[1:])
        start = inputs[0] * (1 + sigmas[0] ** 2).sqrt()
        out = sde_2m(lambda x, s: x / (1 + s**2), start, sigmas, lambda: next(unit), eta)
        return abs((out**2).sum().item() - 1)

    coarse, fine = error(20), error(40)
    assert fine < 0.02
    assert coarse / fine > 3


@pytest.mark.parametrize("steps", [12, 26])
def test_few_steps_keep_the_variance_of_a_gaussian(steps):
    """Of modes well above the lowest noise, the last of which is left to others: within half a percent; plain, a step
    as long adds several."""

    def variance(sampler, power):
        sigmas, generator = noise_levels(steps).double(), torch.Generator().manual_seed(0)
        draw = lambda: torch.randn(200_000, generator=generator, dtype=torch.float64)  # noqa: E731
        out = sampler(lambda x, s: x * power / (power + s**2), (power + sigmas[0] ** 2) ** 0.5 * draw(), sigmas, draw)
        below = power * sigmas[-2] ** 2 / (power + sigmas[-2] ** 2)
        return float((out.var() + below) / power)

    for power in (0.3, 10.0):
        assert variance(SAMPLERS["sde-2m"].run, power) == pytest.approx(1, abs=0.015)
        assert variance(sde_2m, power) > 1.02


def test_sampler_starts_from_the_gaussian_posterior(prior, grid, truth):
    """`interpolated` and `perturbations` have the closed form's mean and variance, unknown constants included."""
    likelihood = Likelihood(observe(truth, grid, 2), grid, prior.standardizer, DATE)
    mean, variance = gaussian_posterior(prior.spectrum, likelihood)
    generator, count = torch.Generator().manual_seed(0), 2000
    white = [torch.randn(count, n, generator=generator) for n in (len(likelihood.value), len(likelihood.shared))]
    draws = prior.spectrum.sample(count, generator=generator)
    solve = InnovationSolver(prior, likelihood)
    unknown = perturbations(solve, torch.tensor(torch.inf), draws, likelihood.draw_errors(*white))
    draws = (interpolated(solve) + unknown).double()
    assert ((draws.mean(0) - mean) ** 2).mean() < 3 * variance.mean() / count
    assert abs((draws.var(0) / variance).mean() - 1) < 0.03


# --- Every method and sampler ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def network(prior) -> DiffusionPrior:
    """An untrained network with random weights: a denoiser that is not linear, its Jacobian no covariance."""
    torch.manual_seed(0)
    made = DiffusionPrior(
        torch.einsum("yxce,eyx,yxde->yxcd", prior.spectrum.vectors, prior.spectrum.variance, prior.spectrum.vectors),
        prior.standardizer, prior.domain, NetworkConfig(width=8, multipliers=(1, 1)),
    )  # fmt: skip
    for weight in made.denoiser.network.parameters():
        torch.nn.init.normal_(weight, std=0.2)
    made.denoiser.eval().requires_grad_(False)
    return made


@pytest.mark.parametrize("method", GUIDANCES)
def test_every_guidance_runs_on_a_network_and_draws_closer_to_the_observations(network, grid, truth, method):
    problem = build_problem(network, observe(truth, grid, 2), grid=grid, date=DATE)
    likelihood, context = problem.likelihood, problem.context
    draws = sample_posterior(network, likelihood, context, 4, 0, method, steps=16)
    assert torch.isfinite(draws).all() and not draws.requires_grad
    x, sigma = network.spectrum.sample(4, 1.0, torch.Generator().manual_seed(0)), torch.tensor(1.0)

    def misfit(estimate):
        return ((likelihood.value - likelihood.operator(estimate)) ** 2).sum()

    options = {"gamma": 10.0} if method == "sda" else {}  # 0.1 oversteps here
    guided = GUIDANCES[method](network, likelihood, context, **options)(x, sigma)
    assert misfit(guided) < misfit(network.denoise(x, sigma, context))


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_serves_the_posterior(prior, grid, truth, sampler):
    """Observed points of a Gaussian: exact guidance and enough steps give the closed form's mean."""
    problem = build_problem(prior, observe(truth, grid, 1), grid=grid, date=DATE)
    mean, variance = gaussian_posterior(prior.spectrum, problem.likelihood)
    steps = 128 if sampler.startswith("vp") else 32
    draws = sample_posterior(prior, problem.likelihood, problem.context, 64, 0, "oi", sampler, steps, batch=64)
    off = ((draws.mean(0) - mean) ** 2).mean() - draws.var(0).mean() / 64
    assert off < 0.15**2 * variance.mean()
    assert 0.85 < draws.var(0).mean() / variance.mean() < 1.15


def test_hybrid_is_exact_for_a_gaussian(prior, grid, truth):
    """At any noise it is optimal interpolation, whatever the shares; plain MMPS comes to the same in many steps."""
    problem = build_problem(prior, observe(truth, grid, 2), grid=grid, date=DATE)
    for level in (0.05, 1.0, 20.0):
        sigma, x = torch.tensor(level), prior.spectrum.sample(3, level, torch.Generator().manual_seed(0))
        exact = GUIDANCES["oi"](prior, problem.likelihood, None)(x, sigma)
        for crossover in (0.3, None):
            ours = GUIDANCES["hybrid"](prior, problem.likelihood, None, crossover)(x, sigma)
            torch.testing.assert_close(ours, exact, atol=2e-3, rtol=0)
        if level < 20:
            plain = GUIDANCES["mmps"](prior, problem.likelihood, None, iterations=150)(x, sigma)
            torch.testing.assert_close(plain, exact, atol=2e-2, rtol=0)


def test_solvers_agree(prior, grid, truth, monkeypatch):
    """Cholesky and conjugate gradients, with and without an unknown constant."""
    likelihood = build_problem(prior, observe(truth, grid, 2), grid=grid, date=DATE).likelihood
    d = torch.randn(3, len(likelihood.value), generator=torch.Generator().manual_seed(0))
    direct = [InnovationSolver(prior, likelihood)(torch.tensor(s), d) for s in (0.1, 1.0, 10.0)]
    monkeypatch.setattr(solver, "DIRECT", 0)
    for level, expected in zip((0.1, 1.0, 10.0), direct, strict=True):
        ours = InnovationSolver(prior, likelihood, max_iterations=400)(torch.tensor(level), d)
        assert (ours - expected).norm() < 2e-3 * expected.norm()


@pytest.mark.parametrize(("reuse", "iterations"), [(3.0, 12), (solver.REUSE, solver.MAX_ITERATIONS)])
def test_a_factor_serves_until_the_noise_has_fallen(prior, grid, truth, monkeypatch, reuse, iterations):
    """Few iterations bring it to another noise, also for errors so small that the matrix is all but singular."""
    likelihood = build_problem(prior, observe(truth, grid, 2), grid=grid, date=DATE).likelihood
    likelihood.variance = torch.full_like(likelihood.variance, 1e-5)
    d = likelihood.operator(prior.spectrum.sample(3, generator=torch.Generator().manual_seed(0)))
    monkeypatch.setattr(solver, "REUSE", reuse)
    solve = InnovationSolver(prior, likelihood, iterations)
    later, refactored = 2.1 / reuse, 1.8 / reuse
    for level, made_at in ((2.0, 2.0), (1.5, 2.0), (later, 2.0), (refactored, refactored), (3.0, 3.0)):
        sigma = torch.tensor(level)
        ours, fresh = (s(sigma, d) for s in (solve, InnovationSolver(prior, likelihood, iterations)))
        assert float(solve.factored_at) == pytest.approx(made_at)
        seen = [likelihood.operator(prior.covariance(sigma)(likelihood.operator.adjoint(v))) for v in (ours, fresh)]
        assert (seen[0] - seen[1]).norm() < 1e-3 * d.norm()


def test_inflation_widens_the_channels_it_is_given_for(prior, grid, truth, monkeypatch):
    problem = build_problem(prior, observe(truth, grid, 1), grid=grid, date=DATE)

    def spread():
        draws = sample_posterior(prior, problem.likelihood, problem.context, 32, 0, "oi", steps=24, batch=32)
        return draws.std(0).mean((1, 2))

    before = spread()
    monkeypatch.setattr(prior, "inflation", (1.0, 1.0, 1.2, 1.0, 1.0, 1.0, 1.0))
    ratio = spread() / before
    assert ratio[2] > 1.1
    assert ratio[[0, 1, 3, 4, 5, 6]].max() < 1.05  # these learn of it by their correlation with that channel


def test_a_jacobian_that_is_no_covariance_ends_the_iterations(prior, grid, truth):
    """A denoiser that turns against its input: no step is taken, none blows up."""
    likelihood = build_problem(prior, observe(truth, grid, 1), grid=grid, date=DATE).likelihood

    class Contrary:
        spectrum, covariance, crossover = prior.spectrum, staticmethod(prior.covariance), np.inf

        @staticmethod
        def denoise(x, sigma, context):
            return -x

    x, sigma = torch.randn(2, *prior.shape, generator=torch.Generator().manual_seed(0)), torch.tensor(1.0)
    for method in ("mmps", "hybrid"):
        torch.testing.assert_close(GUIDANCES[method](Contrary, likelihood, None)(x, sigma), -x)


@pytest.mark.parametrize("level", [0.3, 3.0])
def test_sda_and_dps_are_the_formulas_of_their_papers(prior, grid, truth, level):
    """For a Gaussian prior sigma^2 J' is the covariance of what is unknown; away from a noise of one every power of it
    tells."""
    likelihood = build_problem(prior, observe(truth, grid, 2), grid=grid, date=DATE).likelihood
    x, sigma = prior.spectrum.sample(2, level, torch.Generator().manual_seed(0)), torch.tensor(level)
    estimate = prior.denoise(x, sigma, None)
    innovation = likelihood.value - likelihood.operator(estimate)
    unit = torch.eye(innovation.shape[-1])

    def guided(name: str, **options) -> torch.Tensor:
        return GUIDANCES[name](prior, likelihood, None, **options)(x, sigma)

    def carried(weights: torch.Tensor) -> torch.Tensor:
        return estimate + prior.covariance(sigma)(likelihood.operator.adjoint(weights))

    weights = torch.linalg.solve(likelihood.covariance(unit) + 0.1 * level**2 * unit, innovation.T).T
    torch.testing.assert_close(guided("sda", gamma=0.1), carried(weights), atol=1e-4, rtol=1e-3)
    weights = 40 / level * innovation / innovation.norm(dim=-1, keepdim=True)
    torch.testing.assert_close(guided("dps", zeta=40.0), carried(weights), atol=1e-4, rtol=1e-3)


def test_hybrid_blends_the_climatological_covariance_with_that_of_the_network(prior, grid, truth):
    """A denoiser of too little response: at low noise its own covariance counts, at high noise that of the spectrum."""
    likelihood = build_problem(prior, observe(truth, grid, 1), grid=grid, date=DATE).likelihood

    class Timid:
        spectrum, covariance, crossover = prior.spectrum, staticmethod(prior.covariance), 1.0

        @staticmethod
        def denoise(x, sigma, context):
            return 0.5 * prior.denoise(x, sigma, context)

    guides = {name: GUIDANCES[name](Timid, likelihood, None) for name in ("hybrid", "oi")}
    guides["own"] = GUIDANCES["hybrid"](Timid, likelihood, None, np.inf)
    apart = {}
    for level in (0.01, 1.0, 20.0):
        x = prior.spectrum.sample(2, level, torch.Generator().manual_seed(0))
        found = {name: guide(x, torch.tensor(level)) for name, guide in guides.items()}
        whole = (found["oi"] - found["own"]).norm()
        apart[level] = [float((found["hybrid"] - found[name]).norm() / whole) for name in ("own", "oi")]
    assert apart[0.01][0] < 0.05 and min(apart[1.0]) > 0.2 and apart[20.0][1] < 0.05


def test_bfloat16_network_gives_nearly_the_same(network, grid, truth):
    observations = observe(truth, grid, 1)
    options = {"members": 2, "grid": grid, "date": DATE, "steps": 8}
    runs = []
    for mixed in (False, True):
        network.denoiser.mixed = mixed
        runs.append(gl.assimilate(network, observations, **options)["zos"].values)
    network.denoiser.mixed = False
    assert np.isfinite(runs[1]).all()
    assert 0 < abs(runs[1] - runs[0]).max() < 0.1 * runs[0].std() + 0.05


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no graphics card")
def test_graphics_card_gives_the_same(grid, truth):
    observations = observe(truth, grid, 2)
    runs = [
        gl.assimilate(gaussian_prior(N).to(device), observations, members=2, grid=grid, date=DATE, steps=8)["zos"]
        for device in ("cpu", "cuda")
    ]
    np.testing.assert_allclose(*runs, atol=5e-3)


# --- Awkward observations: what happens is part of the contract -----------------------------------------------------


def point_values(values, error, latitude=38.02, longitude=-60.03) -> gl.Observations:
    """Values of temperature, all at one point."""
    points = xr.Dataset({"thetao": ("point", np.asarray(values, float), {"units": "degC"})})
    for name, where in (("latitude", latitude), ("longitude", longitude)):
        points[name] = ("point", np.broadcast_to(where, len(values)).astype(float))
    return gl.Observations.from_points(points, "thetao", error)


def test_duplicates_count_as_measurements(prior, grid):
    """A value told twice is one with the error divided by the square root of two; neither solver minds."""
    once = optimal_interpolation(prior, point_values([2.0], 0.5 / np.sqrt(2)), grid=grid, date=DATE)
    twice = optimal_interpolation(prior, point_values([2.0, 2.0], 0.5), grid=grid, date=DATE)
    np.testing.assert_allclose(once.mean["thetao"], twice.mean["thetao"], atol=1e-4)
    np.testing.assert_allclose(once.spread["thetao"], twice.spread["thetao"], atol=1e-4)
    runs = [
        gl.assimilate(prior, told, members=32, grid=grid, date=DATE, fast=True)["thetao"]
        for told in (point_values([2.0], 0.5 / np.sqrt(2)), point_values([2.0, 2.0], 0.5))
    ]
    means = [run.mean("member").interp(latitude=38.02, longitude=-60.03) for run in runs]
    np.testing.assert_allclose(*means, atol=0.3)


def test_contradictions_meet_at_their_weighted_mean(prior, grid):
    """Two values at one point, hundreds of errors apart: the analysis stands between them by 1 / error^2, as sure as if
    they agreed, and nothing diverges."""
    told = point_values([-9.0, 9.0], 0.03) + point_values([9.0], 0.03)
    with pytest.warns(UserWarning, match="contradict"):
        analysis = gl.assimilate(prior, told, members=16, grid=grid, date=DATE)["thetao"]
    here = analysis.interp(latitude=38.02, longitude=-60.03)
    assert np.isfinite(analysis).all()
    np.testing.assert_allclose(here.mean(), 3.0, atol=0.3)
    assert here.std() < 0.1


@pytest.mark.parametrize("fast", [True, False])
def test_the_smallest_errors_are_solved_for_and_smaller_ones_refused(prior, grid, fast):
    """Pairs a thousand errors apart meet half-way where the refusal says that errors are large enough."""
    latitude = np.repeat(np.linspace(grid.latitude[2], grid.latitude[-3], 6), 2)
    options = {"members": 4, "grid": grid, "date": DATE, "fast": fast}

    def pairs(error: float) -> gl.Observations:
        return point_values([1.0, -1.0] * 6, error, latitude, grid.longitude[7] + 0.01)

    with pytest.raises(gl.InputError, match=r"1e-06 degC of thetao, expected at least (\S+) degC") as refusal:
        gl.assimilate(prior, pairs(1e-6), **options)
    smallest = float(re.search(r"at least (\S+) degC", str(refusal.value))[1])
    with pytest.warns(UserWarning, match="contradict"):
        analysis = gl.assimilate(prior, pairs(smallest), **options)["thetao"]
    here = analysis.mean("member").interp(latitude=latitude[::2], longitude=grid.longitude[7] + 0.01)
    scale = prior.standardizer.scale[1]
    assert smallest < 0.0012 * scale
    assert abs(here).max() < 0.02 * scale and abs(analysis).max() < 6 * scale


@pytest.mark.parametrize("direct", [True, False])
def test_more_observations_than_grid_points(prior, grid, truth, monkeypatch, direct):
    """Three values a cell: the ensemble is that of optimal interpolation, whichever solver is at work."""
    monkeypatch.setattr(solver, "DIRECT", 1000 if direct else 0)
    rng = np.random.default_rng(0)
    where = {name: rng.uniform(v[0], v[-1], 768) for name, v in vars(grid).items()}
    where = xr.Dataset(coords={name: ("point", values) for name, values in where.items()})
    points = sample_points(truth["thetao"], where, 0.3, seed=1)
    observations = gl.Observations.from_points(points, "thetao", 0.3)
    problem = build_problem(prior, observations, grid=grid, date=DATE)
    mean, variance = gaussian_posterior(prior.spectrum, problem.likelihood)
    draws = sample_posterior(prior, problem.likelihood, problem.context, 64, 0, **FAST._asdict(), batch=64)
    off = ((draws.mean(0) - mean) ** 2).mean() - draws.var(0).mean() / 64
    assert off < 0.1**2 * variance.mean() and 0.93 < draws.var(0).mean() / variance.mean() < 1.07


def test_linear_map_beside_the_table(prior, grid, truth):
    """Mean temperature over the box, as a map of its own: the analysis takes it up, with the table's points."""
    box = prior.shape[1] * prior.shape[2]

    def forward(x):
        return x[:, 1].mean((1, 2))[:, None]

    def adjoint(y):
        x = y.new_zeros(len(y), *prior.shape)
        x[:, 1] = y[:, :, None] / box
        return x

    further = [LinearObservations(forward, adjoint, np.array([4.0]), 0.05)]
    options = {"members": 8, "grid": grid, "date": DATE, "fast": True}
    table = observe(truth, grid, 1)
    analysis = gl.assimilate(prior, table, linear=further, **options)
    np.testing.assert_allclose(analysis["thetao"].mean(("latitude", "longitude")), 4.0, atol=0.3)
    without = gl.assimilate(prior, table, **options)
    assert abs(without["thetao"].mean() - 4.0) > 1
    with pytest.raises(gl.InputError, match="dot-product test") as error:
        wrong = LinearObservations(forward, lambda y: 2 * adjoint(y), np.array([4.0]), 0.05)
        gl.assimilate(prior, table, linear=[wrong], **options)
    assert "\n" not in str(error.value)


def test_errors_may_differ_from_value_to_value(prior, grid, truth):
    """Heterogeneous errors: where they are small the ensemble is close to the values, where large it is not."""
    likelihood = build_problem(prior, observe(truth, grid, 2), grid=grid, date=DATE).likelihood
    generator = torch.Generator().manual_seed(0)
    likelihood.variance = 10 ** torch.empty(len(likelihood.value)).uniform_(-5, 1, generator=generator)
    mean, variance = gaussian_posterior(prior.spectrum, likelihood)
    draws = sample_posterior(prior, likelihood, None, 128, 0, **FAST._asdict(), batch=128).double()
    assert 0.9 < (draws.var(0) / variance).mean() < 1.1
    squared_bias = ((draws.mean(0) - mean) ** 2).mean() - draws.var(0).mean() / 128
    assert squared_bias < 0.07**2 * variance.mean()


@pytest.mark.parametrize("settings", [{}, FAST._asdict()], ids=["default", "fast"])
def test_tiny_errors_on_a_smooth_sea(settings):
    """Every cell observed to 1e-4 of a field so smooth that H P H' is singular but for rounding: nothing diverges."""
    k = torch.arange(N, dtype=torch.float64)
    power = (1 + (k[:, None] ** 2 + k**2) / 4) ** -6.0
    covariance = (N * N * power / power.sum())[..., None, None].float()
    prior, cells = GaussianPrior(covariance, None, None), torch.arange(N * N)
    truth = prior.spectrum.sample(1, generator=torch.Generator().manual_seed(0))

    class Everywhere:
        shape = (1, N, N)

        def __call__(self, x):
            return x.flatten(1)[:, cells]

        def adjoint(self, y):
            return y.view(-1, *self.shape)

        def to(self, like):
            return self

    likelihood = LinearGaussian(Everywhere(), truth.flatten(1)[0], torch.full((N * N,), 1e-8))
    draws = sample_posterior(prior, likelihood, None, 4, 0, **settings)
    assert abs(draws - truth).max() < 0.01


def test_a_state_of_two_days_is_analysed_and_gives_the_fields_of_the_date(standardizer, domain, grid, truth):
    """The prior says what is where; the day before is drawn with the date, and follows it as the covariance says."""
    state = StateVector((*CHANNELS, "zos"), (*(0.0 for _ in CHANNELS), -1.0))
    covariance, level = red_covariance(*grid.shape, len(state)), state.index("zos")
    before = state.index("zos", -1.0)
    covariance[..., before, :] = 0.9 * covariance[..., level, :]
    covariance[..., :, before] = 0.9 * covariance[..., :, level]
    covariance[..., before, before] = covariance[..., level, level]
    prior = GaussianPrior(covariance, standardizer, domain, state=state)
    seen = observe(truth, grid, 1)
    noon = np.datetime64(DATE, "ns") + np.timedelta64(12, "h")  # that of a date given as a day
    seen = replace(seen, time=np.full(len(seen), noon))
    analysis = gl.assimilate(prior, seen, members=8, grid=grid, date=DATE, fast=True)
    assert {*CHANNELS, "uo", "vo"} < set(analysis.data_vars) and analysis.sizes["member"] == 8
    problem = build_problem(prior, seen, grid=grid, date=DATE)
    assert problem.likelihood.observed_channels == [level]
    mean, variance = gaussian_posterior(prior.spectrum, problem.likelihood)
    torch.testing.assert_close(mean[before], 0.9 * mean[level], atol=1e-3, rtol=0)
    draws = sample_posterior(prior, problem.likelihood, problem.context, 128, guidance="oi", steps=24, batch=128)
    assert 0.9 < (draws[:, before].var(0) / variance[before]).mean() < 1.1
