"""The posterior, proved on a Gaussian prior: the guided ensemble must be that of optimal interpolation."""

import numpy as np
import pytest
import torch
import xarray as xr

import genda_lite as gl
from genda_lite.baselines import gaussian_posterior, optimal_interpolation, prior_variance
from genda_lite.observe import Likelihood, altimeter_tracks, clear_sky, sample_points
from genda_lite.posterior.assimilate import pose, sample_posterior
from genda_lite.posterior.guidance import METHODS, conjugate_gradients
from genda_lite.posterior.samplers import noise_levels, sde_2m
from genda_lite.prior import Domain, GaussianPrior
from genda_lite.state import CHANNELS, Grid, Standardizer

N = 16
DATE = np.datetime64("2019-02-23", "ns")


@pytest.fixture(scope="module")
def prior() -> GaussianPrior:
    """A red spectrum, channels correlated with each other, on 16 x 16 points."""
    rng = np.random.default_rng(0)
    k = np.hypot(*np.meshgrid(np.arange(N), np.arange(N), indexing="ij"))
    spectrum = (1 + (k / 1.5) ** 2) ** -2.0
    spectrum *= N * N / spectrum.sum()
    mixing = rng.standard_normal((len(CHANNELS),) * 2)
    correlation = np.corrcoef(mixing)
    covariance = torch.from_numpy(spectrum[..., None, None] * (0.8 * correlation + 0.2 * np.eye(len(CHANNELS))))
    scale = np.array([0.4, 3.0, 0.5, 0.1, 0.1, 5.0, 5.0])
    standardizer = Standardizer(
        np.array([30.0, 50.0]), np.zeros((3, len(CHANNELS), 2)), scale, np.zeros(2, complex)
    )
    return GaussianPrior(covariance.float(), standardizer, Domain((30.0, 50.0), (-70.0, -50.0)))


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


@pytest.mark.parametrize("guidance", METHODS)
@pytest.mark.parametrize("channels", [1, 2])
def test_guided_ensemble_is_optimal_interpolation(prior, grid, truth, guidance, channels):
    """Mean and variance of the ensemble against the closed form, at observed and unobserved points."""
    problem = pose(prior, observe(truth, grid, channels), grid=grid, date=DATE)
    mean, variance = gaussian_posterior(prior.spectrum, problem.likelihood)
    members = 512
    draws = sample_posterior(prior, problem.likelihood, problem.context, members, 0, guidance, batch=128).double()

    seen = problem.likelihood.operator.adjoint(torch.ones(1, len(problem.likelihood.value)))[0] > 0
    assert 0.02 < seen.double().mean() < 0.5
    for where in (seen, ~seen):
        ratio = (draws.var(0)[where].mean() / variance[where].mean()).item()
        assert 0.93 < ratio < 1.07
    # The mean of M draws scatters about the exact one with variance / M; anything beyond is bias.
    squared_bias = ((draws.mean(0) - mean) ** 2).mean() - draws.var(0).mean() / members
    assert squared_bias < 0.05**2 * variance.mean()


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
        ({"grid": (np.arange(8.0), np.arange(8.0))}, "expected 16 x 16"),
        ({"grid": 3}, "pair of 1-D arrays"),
        ({"date": "the ides of March"}, "cannot be read"),
        ({"guidance": "magic"}, "oi-jacobian"),
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
    v = conjugate_gradients(lambda v: v @ a, b, a.diagonal(), 1e-6, 100)
    torch.testing.assert_close(v @ a, b, atol=1e-3, rtol=0)


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
