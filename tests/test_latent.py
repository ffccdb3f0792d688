"""One latent space: its algebra against dense matrices, its posteriors against closed forms, its instruments against
flows whose paths are known."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr

from genda_lite import cli
from genda_lite.baselines.closed_form import condition, exact_posterior, gaussian_posterior
from genda_lite.errors import InputError
from genda_lite.latent import LatentPrior, LinearAutoencoder, latent_likelihood, linear_latents, sample_states
from genda_lite.latent import instruments as see
from genda_lite.latent.autoencoder import residual_spectrum
from genda_lite.latent.components import ByComponent, components_of, sample_components
from genda_lite.latent.guidance import encoded_observations, iterated, statistical, weighted
from genda_lite.latent.prior import latent_spectrum, unit_basis
from genda_lite.latent.representation import draw_residual, representation
from genda_lite.observe.likelihood import LinearGaussian
from genda_lite.observe.nonlinear import Nonlinear, Tangent
from genda_lite.observe.operators import Linear, check_adjoint
from genda_lite.posterior.assimilate import DEFAULT, FAST, sample_posterior
from genda_lite.posterior.guidance import GUIDANCES
from genda_lite.prior import GaussianPrior
from genda_lite.prior.spectral import Basis, Spectrum
from genda_lite.verify import closed_form, front
from genda_lite.verify import latent as verify

N, M = 12, 40


@pytest.fixture(scope="module", params=[1, 2], ids=["one channel", "two channels"])
def prior(request) -> GaussianPrior:
    return closed_form.gaussian(request.param, N)


def observed(prior, error: float = 0.1, seed: int = 0) -> LinearGaussian:
    """Values of a draw at random points, of the first channel."""
    generator = torch.Generator().manual_seed(seed)
    place = torch.randperm(N * N, generator=generator)[:M]

    def back(y):
        x = y.new_zeros(len(y), prior.shape[0] * N * N)
        x[:, place] = y
        return x.view(-1, *prior.shape)

    operator = Linear(lambda x: x.flatten(1)[:, place], back, prior.shape)
    truth = prior.spectrum.sample(1, generator=generator)
    value = operator(truth)[0] + error * torch.randn(M, generator=generator)
    return LinearGaussian(operator, value, torch.full((M,), error**2))


# --- Observations that are not linear --------------------------------------------------------------------------------


def test_a_tangent_is_the_derivative_and_has_its_transpose():
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(7, 2 * 9, generator=generator, dtype=torch.float64)

    def function(x):
        return torch.tanh(x.flatten(1) @ matrix.T) * x[:, 0].flatten(1)[:, :7]

    at, dx = torch.randn(2, 3, 2, 3, 3, generator=generator, dtype=torch.float64)
    tangent = Tangent(function, at)
    torch.testing.assert_close(tangent.value, function(at))
    step = 1e-5 * dx
    torch.testing.assert_close(tangent(dx), (function(at + step) - function(at - step)) / 2e-5, rtol=1e-6, atol=1e-8)
    y = torch.randn(3, 7, generator=generator, dtype=torch.float64)
    torch.testing.assert_close((tangent(dx) * y).sum(1), (dx * tangent.adjoint(y)).flatten(1).sum(1), rtol=1e-4, atol=0)


@pytest.mark.parametrize("guidance", ["hybrid", "oi", "mmps", "oi-jacobian", "sda", "dps"])
def test_a_linear_function_told_as_nonlinear_gives_the_same_draws(guidance):
    prior = closed_form.gaussian(1, N)
    likelihood = observed(prior)
    other = Nonlinear(likelihood.operator, likelihood.value, likelihood.variance)
    draws = [sample_posterior(prior, one, None, 3, guidance=guidance, steps=8, batch=2) for one in (likelihood, other)]
    torch.testing.assert_close(*draws, atol=0.02, rtol=0.01)


# --- Autoencoders ----------------------------------------------------------------------------------------------------


def test_linear_latents_are_white_and_what_is_left_is_the_residual(prior):
    autoencoder = LinearAutoencoder(prior.spectrum, (4, 3))
    x = prior.spectrum.sample(4000, generator=torch.Generator().manual_seed(1))
    z = autoencoder.encode(x)
    assert z.shape[1:] == autoencoder.shape and autoencoder.compression == N * N / 12
    covariance = z.flatten(1).T @ z.flatten(1) / len(z)
    torch.testing.assert_close(covariance, torch.eye(len(covariance)), atol=0.09, rtol=0)
    torch.testing.assert_close(autoencoder.encode(autoencoder.decode(z)), z, atol=1e-4, rtol=0)
    r = x - autoencoder.decode(z)
    assert (z.flatten(1).T @ r.flatten(1) / len(z)).abs().max() < 0.06
    expected = autoencoder.residual.pointwise_variance().float()
    torch.testing.assert_close(r.var(0), expected, atol=0.01, rtol=0.12)
    assert 0.1 < expected.mean() < 0.8


def test_decoder_and_its_transpose(prior):
    autoencoder = LinearAutoencoder(prior.spectrum, (4, 3))
    likelihood = latent_likelihood(autoencoder, observed(prior))
    assert check_adjoint(likelihood.operator) > 0
    z = torch.randn(2, *autoencoder.shape)
    at = autoencoder.linearize(z)
    torch.testing.assert_close(at.state, at.push(z))
    by_derivative = front.Differentiable.linearize(autoencoder, z)
    for ours, theirs in zip(at[1:], by_derivative[1:], strict=True):
        v = z if ours is at.push else at.state
        torch.testing.assert_close(ours(v), theirs(v), atol=1e-4, rtol=1e-4)


def test_empirical_functions_are_kept_in_their_own_order():
    fields = torch.randn(50, 1, 8, 8, generator=torch.Generator().manual_seed(0)).cumsum(2).cumsum(3)
    basis = Basis.eofs([fields])
    spectrum = Spectrum(Spectrum.estimate([fields], basis), basis=basis)
    autoencoder = LinearAutoencoder(spectrum, (2, 2))
    left = (fields - autoencoder.decode(autoencoder.encode(fields))).square().mean() / fields.square().mean()
    assert left < 0.2
    found = residual_spectrum(autoencoder, [fields], basis)
    torch.testing.assert_close(found.variance, autoencoder.residual.variance.clamp(min=1e-8), rtol=1e-3, atol=1e-4)


# --- The error of representation -------------------------------------------------------------------------------------


def test_representation_is_a_covariance_of_what_is_seen(prior):
    autoencoder, likelihood = LinearAutoencoder(prior.spectrum, (3, 3)), observed(prior)
    rows = likelihood.operator.adjoint(torch.eye(M))
    expected = likelihood.operator(autoencoder.residual.posterior_covariance(torch.tensor(torch.inf))(rows))
    variance, shared = representation(likelihood, autoencoder.residual)
    torch.testing.assert_close(shared.T @ shared, expected, atol=1e-5, rtol=0)
    assert (variance == likelihood.variance).all()
    variance, shared = representation(likelihood, autoencoder.residual, dense=M - 1)
    torch.testing.assert_close(variance, likelihood.variance + expected.diagonal(), atol=1e-5, rtol=0)
    assert not len(shared)
    # What the decoder draws and what it does not make up the whole.
    told = latent_likelihood(autoencoder, likelihood)
    drawn = told.operator(told.operator.adjoint(torch.eye(M)))
    whole = likelihood.operator(prior.covariance(torch.tensor(torch.inf))(rows))
    torch.testing.assert_close(drawn + expected, whole, atol=1e-4, rtol=0)


def test_the_residual_is_drawn_given_the_observations(prior):
    autoencoder, likelihood = LinearAutoencoder(prior.spectrum, (3, 3)), observed(prior)
    states = autoencoder.decode(torch.randn(1, *autoencoder.shape, generator=torch.Generator().manual_seed(2)))
    draws = draw_residual(autoencoder.residual, likelihood, states.expand(3000, -1, -1, -1), batch=3000)
    known = condition(autoencoder.residual, likelihood, likelihood.innovation(states))
    torch.testing.assert_close(draws.mean(0).double(), known.mean[0], atol=0.06, rtol=0)
    torch.testing.assert_close(draws.var(0).double(), known.variance, atol=0.02, rtol=0.15)
    modes = autoencoder.residual.to_modes(draws)
    assert modes[:, :, :3, :3].abs().max() < 1e-3  # nothing of what the latents hold


@pytest.mark.parametrize("settings", [DEFAULT, FAST], ids=["default", "fast"])
def test_latents_of_a_gaussian_are_exact_at_any_compression(prior, settings):
    likelihood = observed(prior)
    mean, variance = gaussian_posterior(prior.spectrum, likelihood)
    for keep in (8, 2) if prior.shape[0] == 1 else (4,):
        latent = linear_latents(prior, (keep, keep))
        draws = sample_states(latent, likelihood, None, 200, 0, *settings, 200).double()
        bias = ((draws.mean(0) - mean) ** 2 / variance).mean() - 1 / 200
        assert bias.abs() < 0.01
        assert float(draws.var(0).mean() / variance.mean()) == pytest.approx(1, abs=0.05)
    without = sample_states(latent, likelihood, None, 100, 0, *settings, 100, residual=False).double()
    assert without.var(0).mean() < 0.3 * variance.mean() < 0.3 * ((without.mean(0) - mean) ** 2).mean() * 2


def test_a_decoder_told_as_nonlinear_gives_the_same_states():
    """The path of decoders that are not linear, by one that is."""
    prior = closed_form.gaussian(1, N)
    likelihood, latent = observed(prior), linear_latents(prior, (4, 4))
    expected = sample_states(latent, likelihood, None, 4, guidance="oi", steps=8)
    latent.autoencoder.linear = False
    found = sample_states(latent, likelihood, None, 4, guidance="oi", steps=8)
    torch.testing.assert_close(found, expected, atol=0.03, rtol=0.01)


def test_latents_of_a_mixture_have_its_second_moments():
    mixture = closed_form.mixture(16)
    latent = linear_latents(mixture, (4, 4))
    draws = latent.prior.sample(20000, torch.Generator().manual_seed(0))
    torch.testing.assert_close(draws.square().mean(0), torch.ones(1, 4, 4), atol=0.12, rtol=0)
    encoded = latent.autoencoder.encode(mixture.sample(20000, torch.Generator().manual_seed(1)))
    fourth = [z.pow(4).mean(0) for z in (draws, encoded)]
    torch.testing.assert_close(*fourth, rtol=0.25, atol=0.2)  # and more than these
    assert latent.spectrum.variance == pytest.approx(1, abs=1e-4)
    own = verify.of_gaussian_residual(mixture, 4)
    assert own.spectrum.variance == pytest.approx(mixture.spectrum.variance, rel=0.02, abs=0.02)


def test_latents_of_a_mixture_are_exact_component_by_component():
    """However few there are; a mixture's residual is no Gaussian."""
    mixture = closed_form.mixture(N)
    likelihood, latent = observed(mixture), linear_latents(mixture, (3, 3))
    exact = exact_posterior(mixture, likelihood, likelihood.value[None])
    draws = sample_components(mixture, latent, likelihood, 400).double()
    bias = ((draws.mean(0) - exact.mean[0]) ** 2 / exact.variance[0]).mean() - 1 / 400
    assert abs(float(bias)) < 0.02
    assert float(draws.var(0).mean() / exact.variance[0].mean()) == pytest.approx(1, abs=0.07)
    exactly = ByComponent(components_of(mixture, latent), latent, likelihood)
    chance = exactly.probability(latent.autoencoder.encode(draws.float()))
    torch.testing.assert_close(chance.sum(0), torch.ones(400).double())


def test_latents_that_are_maps_have_a_spectrum():
    prior = closed_form.gaussian(1, N)
    autoencoder = LinearAutoencoder(prior.spectrum, (4, 4))
    fields = [prior.spectrum.sample(100, generator=torch.Generator().manual_seed(i)) for i in (0, 1)]
    assert latent_spectrum(autoencoder, fields).shape == (4, 4, 1, 1)


def test_an_oracle_sees_the_complete_truth():
    prior = closed_form.gaussian(1, N)
    autoencoder = LinearAutoencoder(prior.spectrum, (4, 4))
    truth = prior.spectrum.sample(2, generator=torch.Generator().manual_seed(0))
    z = autoencoder.encode(truth)
    oracle = encoded_observations(autoencoder, truth, 1e-4)
    torch.testing.assert_close(oracle.value, z.flatten(1), atol=1e-3, rtol=0)
    thin = encoded_observations(autoencoder, truth, 1e-4, every=2)
    torch.testing.assert_close(thin.value, z[..., ::2, ::2].flatten(1), atol=1e-3, rtol=0)
    coarse = encoded_observations(autoencoder, truth, 1e-4, coarsen=2)
    torch.testing.assert_close(coarse.value, z.unfold(2, 2, 2).unfold(3, 2, 2).mean((-1, -2)).flatten(1), atol=1e-3,
                               rtol=0)  # fmt: skip
    assert check_adjoint(coarse.operator) > 0
    draws = sample_posterior(linear_latents(prior, (4, 4)), oracle, None, 2, steps=8)
    torch.testing.assert_close(draws, z, atol=0.1, rtol=0)


# --- A front ---------------------------------------------------------------------------------------------------------


def test_scores_by_quadrature_are_those_of_many_draws():
    experiment = front.set_up_front(front.FrontCase(4, 0.2), truths=3)
    exact, generator = experiment.exact, torch.Generator().manual_seed(0)
    which = torch.multinomial(exact.weights[:, :, 5], 3000, True, generator=generator)  # of one place of the line
    draws = exact.values[:, 5][which]
    members = torch.randn(3, 20, exact.values.shape[1], generator=generator, dtype=torch.float64)
    error, own = exact.crps(members)
    m = members[:, :, 5]
    pairs = (m[:, :, None] - m[:, None]).abs().sum((1, 2)) / (2 * 20 * 19)
    torch.testing.assert_close(error[:, 5], (m[:, :, None] - draws[:, None]).abs().mean((1, 2)) - pairs, atol=0.02,
                               rtol=0)  # fmt: skip
    by_draws = (draws - draws.roll(1, 1)).abs().mean(1) / 2
    torch.testing.assert_close(own[:, 5], by_draws, atol=0.02, rtol=0.1)
    torch.testing.assert_close(exact.variance[:, 5], draws.var(1), atol=0.01, rtol=0.15)


def test_a_front_is_found_through_its_decoder():
    """By a regression over what is unknown; a tangent at one place sees less."""
    experiment = front.set_up_front(front.FrontCase(4, 0.2), truths=4)
    found = front.run_front(experiment, *front.FRONT_METHODS["statistical"], members=16)
    assert found["CRPS / exact"] < 1.06 and (found["forwards"], found["VJPs"]) == (24, 0)
    exactly = front.run_front(experiment, FAST._replace(steps=16), weighted, members=16)
    assert exactly["CRPS / exact"] < 1.05 and exactly["variance, line"] == pytest.approx(1, abs=0.2)
    tangent = front.run_front(experiment, FAST._replace(steps=8), members=8)
    assert tangent["CRPS / exact"] > found["CRPS / exact"] + 0.02
    with pytest.raises(InputError, match="expected more than latents"):
        statistical(closed_form.gaussian(1, N), observed(closed_form.gaussian(1, N)), None, draws=64)


def test_an_iteration_is_about_the_estimate_that_the_last_has_given():
    """Gauss-Newton: of a linear decoder one is enough, of x^2 more come nearer."""
    prior = GaussianPrior(torch.eye(1).view(1, 1, 1, 1), None, None, basis=unit_basis(1, 1))
    likelihood = Nonlinear(lambda x: (x + 3).flatten(1) ** 2, torch.tensor([16.0]), torch.tensor([1e-4]))
    x, sigma = torch.zeros(1, 1, 1, 1), torch.tensor(80.0)
    once, often = (iterated(GUIDANCES["oi"], k)(prior, likelihood, None)(x, sigma).item() for k in (1, 3))
    assert abs(often - 1) < 0.01 < abs(once - 1)


def test_a_front_is_encoded_by_what_draws_it():
    decoder = front.Front()
    z = torch.tensor([[0.5, -0.3], [-1.0, 1.0]]).view(2, 2, 1, 1)
    torch.testing.assert_close(decoder.encode(decoder.decode(z)), z, atol=0.1, rtol=0)


# --- Instruments -----------------------------------------------------------------------------------------------------

LATITUDE, LONGITUDE = np.linspace(37, 40, 25), np.linspace(-62, -58, 25)
NOON = np.datetime64("2020-02-01T00:00", "ns")


def flow(u, v) -> xr.Dataset:
    """A steady current of 30 days, of functions of latitude and longitude."""
    time = NOON + np.arange(-25, 6) * np.timedelta64(1, "D")
    latitude, longitude = np.meshgrid(LATITUDE, LONGITUDE, indexing="ij")
    dims = ("time", "latitude", "longitude")
    shape = (len(time), *latitude.shape)
    fields = {n: (dims, np.broadcast_to(f(latitude, longitude), shape)) for n, f in (("uo", u), ("vo", v))}
    return xr.Dataset(fields, {"time": time, "latitude": LATITUDE, "longitude": LONGITUDE})


def temperature() -> xr.DataArray:
    values = 15 + 2.0 * (LATITUDE - 38.5)[:, None] + 0.0 * LONGITUDE
    coords = {"latitude": LATITUDE, "longitude": LONGITUDE, "time": NOON}
    return xr.DataArray(values, coords, ("latitude", "longitude"), "thetao")


def test_an_infrared_image_has_the_clouds_in_it():
    truth = temperature()
    image = see.infrared_image(truth, 0.5, noise=0.0)
    clear, thick = image["optical_depth"] == 0, image["optical_depth"] > 6
    assert float(clear.mean()) == pytest.approx(0.5, abs=0.02) and thick.any()
    deficit = (truth - image["brightness"]).where(clear)
    assert float(deficit.min()) > 0.5 and float(deficit.max()) < 3  # vapour
    assert float((image["brightness"] - image["cloud_top"]).where(thick).max()) < 0.1  # saturated
    clear = see.infrared_image(truth, 0.0, noise=0.0)
    assert (clear["optical_depth"] == 0).all()


def test_brightness_is_told_to_guidance_by_its_derivative():
    depth = torch.tensor([0.0, 1.0, 8.0])
    tangent = Tangent(lambda x: see.brightness(x.flatten(1), depth, torch.tensor(0.0)), torch.full((1, 1, 1, 3), 15.0))
    slope = tangent(torch.ones(1, 1, 1, 3))[0]
    expected = torch.exp(-depth) * (1 - 1.5 * 0.064)
    torch.testing.assert_close(slope, expected)


def test_a_tracer_that_follows_its_source_stays_and_one_that_is_carried_does_not():
    still = flow(lambda y, x: 0.0 * x, lambda y, x: 0.0 * x)
    source = 0.1 * (LONGITUDE + 60.0)[None] + 0.0 * LATITUDE[:, None]
    image = see.stirred_tracer(still, NOON, noise=0.0, cloud=0.0, source=source)
    np.testing.assert_allclose(image.values, source, atol=1e-6)
    # Eastward, 0.1 m/s: values come from the west, by a mean of the way that is weighted with the memory.
    east = flow(lambda y, x: 0.1 + 0.0 * x, lambda y, x: 0.0 * x)
    image = see.stirred_tracer(east, NOON, days=4, memory=1.0, noise=0.0, cloud=0.0, source=source)
    lags = np.arange(17) * 0.25
    mean = (lags * np.exp(-lags)).sum() / np.exp(-lags).sum() * 86400 * 0.1
    degrees = mean / (111195 * np.cos(np.radians(LATITUDE[12])))
    assert float((source - image.values)[12, 20]) == pytest.approx(0.1 * degrees, rel=0.02)
    hidden = see.stirred_tracer(still, NOON, cloud=0.4)
    assert float(hidden.isnull().mean()) == pytest.approx(0.4, abs=0.01)


def test_drifters_tell_a_mean_along_their_path():
    east = flow(lambda y, x: 0.3 + 0.0 * x, lambda y, x: 0.0 * x)
    told = see.drifter_velocities(east, NOON, 10, position_error=0.0)
    np.testing.assert_allclose(told["u"], 0.3, rtol=1e-3)
    assert abs(told["v"]).max() < 1e-3
    # Around 38.5 N, 60 W once in two days: half a turn a day, whose chord is 2 / pi of the way.
    rate, metres = np.pi / 86400, 111195.0
    squeeze = np.cos(np.radians(38.5))
    turning = flow(lambda y, x: -rate * (y - 38.5) * metres, lambda y, x: rate * (x + 60) * metres * squeeze)
    told = see.drifter_velocities(turning, NOON, 30, position_error=0.0)
    assert 0 < told.sizes["obs"] <= 30
    speed = np.hypot(told["u"], told["v"])
    distance = np.hypot((told["latitude"] - 38.5) * metres, (told["longitude"] + 60) * metres * squeeze)
    assert float((distance * rate).max()) < 0.1 * float(speed.max())  # the middle of a chord of half a turn
    assert float(speed.min()) > 0
    noisy = see.drifter_velocities(east, NOON, 200, position_error=1000.0, hours=24)
    assert float(noisy["v"].std()) == pytest.approx(1000 * 2**0.5 / 86400, rel=0.15)


# --- Bad input -------------------------------------------------------------------------------------------------------


def test_what_does_not_fit_is_told_in_a_sentence():
    prior = closed_form.gaussian(1, N)
    autoencoder, likelihood = LinearAutoencoder(prior.spectrum, (4, 4)), observed(prior)
    other = LinearAutoencoder(closed_form.gaussian(1, 8).spectrum, (4, 4))
    still = flow(lambda y, x: 0.0 * x, lambda y, x: 0.0 * x)
    truth = prior.spectrum.sample(1)
    refused = [
        ("0 x 4 modes", lambda: LinearAutoencoder(prior.spectrum, (0, 4))),
        ("13 x 4 modes", lambda: LinearAutoencoder(prior.spectrum, (13, 4))),
        ("expected a prior of this autoencoder's latents", lambda: LatentPrior(autoencoder, prior)),
        ("expected a decoder of the same states", lambda: latent_likelihood(other, likelihood)),
        ("expected a Gaussian or a mixture", lambda: linear_latents(linear_latents(prior, (4, 4)), (2, 2))),
        ("fields of shape", lambda: residual_spectrum(autoencoder, [torch.zeros(1, 1, 8, 8)])),
        ("missing values", lambda: residual_spectrum(autoencoder, [torch.full((1, *prior.shape), torch.nan)])),
        ("at least one batch", lambda: residual_spectrum(autoencoder, [])),
        ("expected more than zero", lambda: encoded_observations(autoencoder, truth, 0.0)),
        ("thinned by 5", lambda: encoded_observations(autoencoder, truth, 0.1, every=5)),
        ("not linear", lambda: latent_likelihood(autoencoder, Nonlinear(torch.sin, *likelihood_parts(likelihood)))),
        ("all cloud", lambda: see.infrared_image(temperature(), 1.0)),
        ("expected 0 to 1", lambda: see.stirred_tracer(still, NOON, cloud=-0.1)),
        ("temperatures are missing", lambda: see.infrared_image(temperature().where(temperature() > 15))),
        ("needs currents of all of them", lambda: see.stirred_tracer(still, NOON, days=40)),
        ("need currents of all that time", lambda: see.drifter_velocities(still, NOON, hours=400)),
        ("expected at least 1 of both", lambda: see.drifter_velocities(still, NOON, number=0)),
    ]
    for sentence, attempt in refused:
        with pytest.raises(InputError, match=sentence):
            attempt()


def likelihood_parts(likelihood):
    return likelihood.value, likelihood.variance


# --- The command -----------------------------------------------------------------------------------------------------


def test_command_writes_rows(monkeypatch, tmp_path, capsys):
    """The whole command on few and small cases; every target has its row."""
    monkeypatch.setattr(verify, "KEPT", {16: 16})
    monkeypatch.setattr(verify, "QUICK_TRUTHS", {verify.GAUSSIAN: 1, verify.MIXTURE: 1})
    small = closed_form.set_up
    monkeypatch.setattr(verify, "set_up", lambda case, seed: small(replace(case, truths=2, members=2), seed))
    monkeypatch.setattr(front, "FRONTS", front.FRONTS[:1])
    monkeypatch.setattr(front, "QUICK_FRONT_METHODS", ("default", "statistical"))
    out = tmp_path / "rows.json"
    monkeypatch.setattr("sys.argv", ["genda", "evaluate", "latent", "--quick", "--json", str(out)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert not stop.value.code
    rows = {row["name"]: row for row in json.loads(out.read_text())}
    assert all(name.startswith("latent ") for name in rows)
    assert rows["latent linear 16x, default, Gaussian, 10 %: CRPS / exact"]["target"] == "at most 1.01"
    assert rows["latent linear 16x, fast, Gaussian, 10 %: variance, observed"]["target"] == "0.95 to 1.05"
    assert rows["latent linear 16x, default, mixture, 10 %: CRPS / exact"]["target"] == "at most 1.02"
    assert rows["latent linear 16x, by component, mixture, 10 %: CRPS / exact"]["target"] == "at most 1.02"
    assert rows["latent front, default, front, 4 points, error 0.2: CRPS / exact"]["target"] == "at most 1.05"
    assert rows["latent linear 16x, without residual, Gaussian, 10 %: CRPS / exact"]["target"] is None
    assert rows["latent linear 16x, without residual, Gaussian, 10 %: spread / error"]["value"] < 0.3
    assert rows["latent oracle, Gaussian, 10 %, truth: Wasserstein-1"]["target"] is None
    assert "| latent linear 16x, default, Gaussian, 10 %: CRPS / exact |" in capsys.readouterr().out


def test_what_diverged_misses_its_target():
    line = {"case": "front, 4 points, error 0.2", "method": "latent front, default", "CRPS / exact": float("inf")}
    (row,) = verify.rows_of_latent([line])
    assert row["met"] is False


def test_unit_basis_leaves_modes_as_they_are():
    x = torch.randn(1, 1, 3, 4)
    torch.testing.assert_close(unit_basis(3, 4)(x), x)
