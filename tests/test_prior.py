"""Priors: exact where there is a closed form, and files that come back whole or not at all."""

import json
import os
import pickle

import numpy as np
import pytest
import scipy.fft
import torch
from conftest import red_covariance
from safetensors.torch import load_file, save_file

from genda_lite.prior import (
    DiffusionPrior,
    Domain,
    GaussianPrior,
    NetworkConfig,
    checkpoint,
    load_prior,
    sample_prior,
    save_prior,
)
from genda_lite.prior.base import CONTEXT_CHANNELS, grid_context, make_context
from genda_lite.prior.diffusion import TUNED, Tuned
from genda_lite.prior.samplers import PRIOR_SIGMA_MIN
from genda_lite.prior.spectral import Basis, Spectrum, cosine_matrix, signed
from genda_lite.prior.unet import UNet
from genda_lite.sources.samples import sample_path
from genda_lite.state import CHANNELS, Grid, StateVector
from genda_lite.verify import engine

SIGMAS = (0.05, 1.0, 20.0)
TINY = NetworkConfig(width=8, multipliers=(1, 2), blocks=1)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=seeded(seed))


def dense(covariance: torch.Tensor, univariate: bool = False, basis: Basis | None = None) -> np.ndarray:
    """The covariance of all values of a field, (C ny nx, C ny nx), by another implementation of the cosines."""
    ny, nx, channels, _ = covariance.shape
    cosines = np.kron(*(scipy.fft.dct(np.eye(n), axis=0, norm="ortho") for n in (ny, nx)))
    functions = [cosines] * channels
    if basis:
        functions = [np.kron(basis.rows[c].double(), basis.columns[c].double()) for c in range(channels)]
    by_mode = covariance.double().numpy().reshape(ny * nx, channels, channels)
    if univariate:
        by_mode = by_mode * np.eye(channels)
    blocks = np.einsum("cmp,mcd,dmq->cpdq", functions, by_mode, functions)
    return blocks.reshape(channels * ny * nx, channels * ny * nx)


def rotations(count: int, n: int, seed: int) -> torch.Tensor:
    return torch.linalg.qr(draw(count, n, n, seed=seed)).Q


@pytest.fixture(params=["cosines", "another for each channel"])
def basis(request) -> Basis | None:
    return None if request.param == "cosines" else Basis(rotations(3, 8, 1), rotations(3, 8, 2))


# --- Modes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ny", "nx"), [(16, 16), (12, 20)])
def test_cosines_are_orthonormal(ny, nx):
    transform = Basis.cosines(ny, nx)
    x = draw(2, 3, ny, nx)
    torch.testing.assert_close(transform.inverse(transform(x)), x, atol=1e-5, rtol=0)
    np.testing.assert_allclose(transform(x), scipy.fft.dctn(x.numpy(), axes=(-2, -1), norm="ortho"), atol=1e-5)
    np.testing.assert_allclose(cosine_matrix(ny) @ cosine_matrix(ny).T, np.eye(ny), atol=1e-6)


def test_eofs_are_found_again(small_covariance):
    """From fields made of known functions, in the order of their variance and up to their signs."""
    falling = torch.diagonal(small_covariance, dim1=-2, dim2=-1).mean((0, 1)) * torch.ones(8, 8, 1)
    falling = falling * (2.0 ** -torch.arange(8.0)).view(8, 1, 1) * (2.0 ** -torch.arange(8.0)).view(1, 8, 1)
    known = Basis(rotations(3, 8, 1), rotations(3, 8, 2))
    fields = Spectrum(torch.diag_embed(falling), basis=known).sample(20_000, generator=seeded(3))
    found = Basis.eofs(fields.split(3000))
    for a, b in ((found.rows, known.rows), (found.columns, known.columns)):
        np.testing.assert_allclose(a @ a.mT, np.broadcast_to(np.eye(8), (3, 8, 8)), atol=1e-5)
        np.testing.assert_allclose((a @ b.mT).abs(), np.broadcast_to(np.eye(8), (3, 8, 8)), atol=0.08)
        assert (a[..., 0] >= 0).all()
    # Channels that share theirs keep all of their covariance; a scale does not count.
    shared = Basis.eofs((fields * torch.tensor([1.0, 1.0, 9.0]).view(3, 1, 1)).split(3000), [[0, 2]])
    assert torch.equal(shared.rows[0], shared.rows[2])
    torch.testing.assert_close(shared.rows[1], found.rows[1])


def test_eofs_describe_a_window_better_than_cosines():
    """A random walk's variance grows along its axis: its modes are not cosines, and fewer carry as much."""
    walk = draw(4000, 1, 16, 16, seed=4).cumsum(-1).cumsum(-2)
    kept = []
    for basis in (Basis.eofs([walk]), Basis.cosines(16, 16)):
        power = (basis(walk) ** 2).mean((0, 1)).flatten().sort(descending=True).values
        kept.append((power[:5].sum() / power.sum()).item())
    assert kept[0] > kept[1] + 0.02


@pytest.mark.parametrize("univariate", [False, True])
@pytest.mark.parametrize("sigma", [*SIGMAS, np.inf])
def test_posterior_covariance_is_the_dense_one(small_covariance, univariate, sigma, basis):
    """S - S (S + sigma^2)^-1 S, and S itself where nothing is known."""
    spectrum = Spectrum(small_covariance, univariate, basis)
    s = dense(small_covariance, univariate, basis)
    expected = s if np.isinf(sigma) else s - s @ np.linalg.solve(s + sigma**2 * np.eye(len(s)), s)
    unit = torch.eye(len(s)).unflatten(1, spectrum.shape)
    found = spectrum.posterior_covariance(torch.tensor(sigma))(unit).flatten(1)
    np.testing.assert_allclose(found, expected, atol=1e-5 * expected.max())
    torch.testing.assert_close(found, found.T, atol=1e-5 * float(expected.max()), rtol=0)
    among = spectrum.posterior_covariance(torch.tensor(sigma), [0, 2])(draw(2, 2, 8, 8))
    zeros = torch.zeros(2, 1, 8, 8)
    whole = torch.cat([draw(2, 2, 8, 8)[:, :1], zeros, draw(2, 2, 8, 8)[:, 1:]], 1)
    full = spectrum.posterior_covariance(torch.tensor(sigma))(whole)
    torch.testing.assert_close(among, full[:, [0, 2]], atol=1e-4, rtol=1e-4)
    # What tying the channels together adds is what sets the two apart.
    assert univariate == (np.abs(expected[:64, 64:]).max() < 1e-10)


@pytest.mark.parametrize("univariate", [False, True])
@pytest.mark.parametrize("sigma", SIGMAS)
def test_wiener_filter_is_the_gaussian_posterior_mean(
    small_covariance, standardizer, domain, univariate, sigma, basis
):
    prior = GaussianPrior(small_covariance, standardizer, domain, univariate, basis)
    s = dense(small_covariance, univariate, basis)
    x = draw(2, *prior.shape)
    expected = np.linalg.solve(s + sigma**2 * np.eye(len(s)), x.flatten(1).double().numpy().T).T @ s
    np.testing.assert_allclose(prior.denoise(x, torch.tensor(sigma)).flatten(1), expected, atol=2e-5)


@pytest.mark.parametrize("turned", [1.0, -1.0])
def test_signs_of_the_modes_do_not_depend_on_the_solver(small_covariance, turned, monkeypatch):
    """Draws of one seed are the same wherever a solver turns an eigenvector round."""
    expected = Spectrum(small_covariance).sample(2, generator=torch.Generator().manual_seed(0))
    solve = torch.linalg.eigh

    def turning(matrix):
        values, vectors = solve(matrix)
        return values, turned * vectors

    monkeypatch.setattr(torch.linalg, "eigh", turning)
    spectrum = Spectrum(small_covariance)
    torch.testing.assert_close(spectrum.sample(2, generator=torch.Generator().manual_seed(0)), expected)
    largest = spectrum.vectors.gather(-2, spectrum.vectors.abs().argmax(-2, keepdim=True))
    assert (largest > 0).all()


def test_of_equally_large_components_the_first_is_positive():
    vectors = torch.tensor([[-1.0, 1.0], [1.0 + 1e-6, 1.0]]) / 2**0.5
    torch.testing.assert_close(signed(vectors), torch.tensor([[1.0, 1.0], [-1.0, 1.0]]) / 2**0.5, atol=1e-5, rtol=0)


def test_noise_of_each_sample(small_covariance):
    spectrum = Spectrum(small_covariance)
    x, sigmas = draw(3, *spectrum.shape), torch.tensor(SIGMAS)
    together = spectrum.wiener_filter(x, sigmas)
    for i in range(3):
        torch.testing.assert_close(together[i : i + 1], spectrum.wiener_filter(x[i : i + 1], sigmas[i]))


def test_posterior_variance_is_the_filters_error(small_covariance):
    """The mean squared error of the Wiener filter over many draws is what the spectrum says it is."""
    spectrum, sigma = Spectrum(small_covariance), 1.5
    truth = spectrum.sample(4000, generator=seeded())
    estimate = spectrum.wiener_filter(truth + sigma * draw(*truth.shape, seed=1), torch.tensor(sigma))
    error = ((estimate - truth) ** 2).mean()
    assert error == pytest.approx(spectrum.posterior_variance(torch.tensor(sigma)).mean().item(), rel=0.01)


@pytest.mark.parametrize("univariate", [False, True])
@pytest.mark.parametrize("sigma", [0.0, 2.0])
def test_samples_have_the_stated_covariance(small_covariance, univariate, sigma, basis):
    """Every entry of the sample covariance lies within its Monte-Carlo error of the dense one."""
    count = 20_000
    spectrum = Spectrum(small_covariance, univariate, basis)
    x = spectrum.sample(count, sigma, seeded(1)).flatten(1).double().numpy()
    expected = dense(small_covariance, univariate, basis)
    expected = expected + sigma**2 * np.eye(len(expected))
    power = np.diag(expected)
    deviation = np.sqrt((np.outer(power, power) + expected**2) / count)
    score = (x.T @ x / count - expected) / deviation
    assert np.sqrt((score**2).mean()) == pytest.approx(1, abs=0.15)
    assert np.abs(score).max() < 6


def test_estimated_covariance_is_that_of_the_fields(small_covariance, basis):
    fields = Spectrum(small_covariance, basis=basis).sample(3000, generator=seeded(2))
    found = Spectrum.estimate(fields.split(700), basis)
    scale = torch.diagonal(small_covariance, dim1=-2, dim2=-1).sqrt()
    error = (found - small_covariance) / (scale[..., :, None] * scale[..., None, :])
    assert error.abs().max() < 6 * np.sqrt(2 / 3000)
    assert error.mean().abs() < 0.01


# --- Domain and context ----------------------------------------------------------------------------------------------


def test_domain_fits_grids_inside(domain):
    for longitude, latitude in ((-60, 38), (-72, 33), (-52, 43), (-200, 90), (0, 38)):
        assert domain.holds(domain.fit(longitude, latitude, (16, 16)))
    middle = domain.fit(-60, 38, (16, 16))
    assert abs(middle.longitude.mean() + 60) < 1 / 12 and abs(middle.latitude.mean() - 38) < 1 / 12
    corner = domain.fit(-200, 90, (16, 16))
    assert corner.longitude[0] == pytest.approx(-72) and corner.latitude[-1] == pytest.approx(43)
    assert not domain.holds(Grid(corner.latitude + 1 / 12, corner.longitude))
    assert not domain.holds(Grid(corner.latitude, corner.longitude - 1 / 12))


def test_context_says_where_and_when():
    domain = Domain((30.0, 40.0), (-70.0, -50.0))
    latitude = torch.linspace(30, 40, 5).expand(2, -1)
    longitude = torch.linspace(-70, -50, 9).expand(2, -1)
    season = torch.tensor([[0.6, -0.8], [0.0, 0.0]])
    context = make_context(domain, latitude, longitude, season, torch.tensor([1.0, 0.0]))
    assert context.shape == (2, CONTEXT_CHANNELS, 5, 9) and context.abs().max() < 1 + 1e-6
    torch.testing.assert_close(context[0, 0], torch.ones(5, 9))
    torch.testing.assert_close(context[0, 1], torch.linspace(-1, 1, 5)[:, None].expand(5, 9))
    torch.testing.assert_close(context[0, 2], torch.linspace(-1, 1, 9).expand(5, 9))
    torch.testing.assert_close(context[0, 3:], season[0][:, None, None].expand(2, 5, 9))
    assert (context[1] == 0).all()  # hidden position, unknown season


def test_context_of_a_grid(domain):
    inside = domain.fit(-60, 38, (16, 16))
    known = grid_context(domain, inside, np.datetime64("2000-01-01"), known=True)
    assert known.shape == (1, CONTEXT_CHANNELS, 16, 16) and known.abs().max() < 1 + 1e-6
    torch.testing.assert_close(known[0, 3:, 0, 0], torch.tensor([1.0, 0.0]))
    elsewhere = grid_context(domain, Grid.around(140.0, 35.0, (16, 16)), np.datetime64("NaT"), known=False)
    assert (elsewhere == 0).all()


# --- The diffusion prior ---------------------------------------------------------------------------------------------


@pytest.fixture
def diffusion(covariance, standardizer, domain) -> DiffusionPrior:
    torch.manual_seed(0)
    prior = DiffusionPrior(covariance, standardizer, domain, TINY)
    prior.denoiser.requires_grad_(False)
    prior.training = {"seed": 3, "images_seen": 10}
    return prior


@pytest.fixture
def trained(diffusion) -> DiffusionPrior:
    """One whose network says something."""
    for parameter in diffusion.denoiser.network.parameters():
        parameter += 0.05 * torch.randn(parameter.shape, generator=seeded(parameter.numel()))
    return diffusion


def noisy(prior, sigma: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    x = prior.spectrum.sample(2, sigma, seeded(5))
    return x, torch.tensor(sigma), draw(1, CONTEXT_CHANNELS, *prior.shape[1:], seed=6)


@pytest.mark.parametrize("sigma", SIGMAS)
def test_untrained_network_is_the_univariate_wiener_filter(diffusion, covariance, sigma):
    x, level, context = noisy(diffusion, sigma)
    expected = Spectrum(covariance, univariate=True).wiener_filter(x, level)
    torch.testing.assert_close(diffusion.denoise(x, level, context), expected, atol=1e-6, rtol=0)


def test_trained_network_is_not(trained, covariance):
    x, level, context = noisy(trained, 1.0)
    linear = Spectrum(covariance, univariate=True).wiener_filter(x, level)
    denoised = trained.denoise(x, level, context)
    assert (denoised - linear).abs().max() > 0.05
    assert (denoised - trained.denoise(x, level, context.flip(-1))).abs().max() > 1e-4  # it looks at the context
    one_each = trained.denoise(x, torch.tensor([1.0, 1.0]), context.expand(2, -1, -1, -1))
    torch.testing.assert_close(one_each, denoised)


@pytest.mark.parametrize("sigma", SIGMAS)
def test_loss_of_the_wiener_filter_is_one(covariance, sigma, standardizer, domain):
    """The unit of the loss: what the untrained network scores on Gaussian fields."""
    univariate = covariance * torch.eye(len(CHANNELS))
    denoiser = DiffusionPrior(univariate, standardizer, domain, TINY).denoiser.requires_grad_(False)
    x = denoiser.spectrum.sample(200, generator=seeded(7))
    level = torch.full((200,), sigma)
    error = denoiser(x + sigma * draw(*x.shape, seed=8), level, torch.zeros(1, CONTEXT_CHANNELS, 16, 16)) - x
    loss = (denoiser.spectrum.loss_weight(level) * error**2).mean((0, -2, -1))
    np.testing.assert_allclose(loss, 1, atol=0.1)


def test_network_of_any_size():
    for patch, blocks, multipliers in ((1, 1, (1,)), (2, 2, (1, 2)), (2, 1, (1, 2, 3))):
        network = UNet(12, 7, width=8, multipliers=multipliers, blocks=blocks, patch=patch)
        assert network(draw(2, 12, 16, 24), torch.zeros(2)).shape == (2, 7, 16, 24)


def test_the_first_layer_is_that_of_folded_pixels():
    """Without a gradient it is another computation of the same."""
    for patch in (1, 2, 4):
        network, x = UNet(12, 7, width=8, multipliers=(1, 2), patch=patch), draw(2, 12, 16, 24)
        for weights in network.parameters():
            torch.nn.init.normal_(weights, std=0.1, generator=seeded(patch))
        one, other = (network(given, torch.zeros(2)).detach() for given in (x, x.clone().requires_grad_()))
        torch.testing.assert_close(one, other, atol=1e-5 * float(other.abs().max()), rtol=1e-4)


def test_a_product_with_the_covariance_of_many_channels_is_that_of_few(monkeypatch, small_covariance):
    """For few there is a matrix for each function of the basis, for many the way through the modes."""
    spectrum, sigma = Spectrum(small_covariance), torch.tensor(0.7)
    for channels in (slice(None), [0, 2]):
        v = draw(3, len(torch.arange(spectrum.shape[0])[channels]), *spectrum.shape[1:])
        few = spectrum.posterior_covariance(sigma, channels)(v)
        with monkeypatch.context() as patched:
            patched.setattr(Spectrum, "FEW", 0)
            many = spectrum.posterior_covariance(sigma, channels)(v)
        torch.testing.assert_close(many, few, atol=1e-5, rtol=1e-4)


# --- Draws -----------------------------------------------------------------------------------------------------------


def test_draws_have_the_priors_variance_at_all_scales(covariance, standardizer, domain):
    """Above the sampler's lowest noise, where it follows the denoiser, and below, where the Gaussian rest is drawn."""
    wavenumber = np.hypot(np.arange(16)[:, None], np.arange(16))
    steep = covariance * torch.from_numpy(10 ** (-wavenumber / 2.5)).float()[..., None, None]
    prior = GaussianPrior(steep, standardizer, domain)
    context = torch.zeros(1, CONTEXT_CHANNELS, 16, 16)
    x = sample_prior(prior, context, 400, seed=3, batch=100)
    ratio = (prior.spectrum.to_modes(x) ** 2).mean(0) / prior.spectrum.variance
    weak = prior.spectrum.variance < PRIOR_SIGMA_MIN**2
    assert 0.1 < weak.float().mean() < 0.9
    assert ratio[weak].mean() == pytest.approx(1, abs=0.03)
    assert ratio[~weak].mean() == pytest.approx(1, abs=0.03)
    few = sample_prior(prior, context, 3, seed=3)
    torch.testing.assert_close(few, x[:3], atol=1e-4, rtol=1e-4)  # a draw does not depend on how many there are


# --- On disk ---------------------------------------------------------------------------------------------------------


def test_saved_prior_is_the_same_prior(trained, tmp_path):
    path = tmp_path / "prior.safetensors"
    save_prior(trained, path)
    assert [p.name for p in tmp_path.iterdir()] == ["prior.safetensors"]
    loaded = load_prior(path)
    for sigma in SIGMAS:
        x, level, context = noisy(trained, sigma)
        torch.testing.assert_close(
            loaded.denoise(x, level, context), trained.denoise(x, level, context), atol=2e-3, rtol=0
        )  # weights in half precision
        assert torch.equal(loaded.covariance(level)(x), trained.covariance(level)(x))
    for name in ("latitude", "harmonics", "scale", "ekman"):
        np.testing.assert_array_equal(getattr(loaded.standardizer, name), getattr(trained.standardizer, name))
    assert (loaded.domain, loaded.config, loaded.training) == (trained.domain, trained.config, trained.training)
    assert loaded.shape == trained.shape
    _, before = checkpoint.read_safetensors(path, checkpoint.FORMAT)
    save_prior(loaded, path)
    assert checkpoint.read_safetensors(path, checkpoint.FORMAT)[1]["sha256"] == before["sha256"]


def test_a_file_of_format_2_is_of_all_channels_and_has_the_shipped_numbers(saved):
    loaded = load_prior(saved)
    assert loaded.state == StateVector.today() and loaded.crossover == TUNED.crossover and loaded.protocol == {}
    assert dict(zip(CHANNELS, loaded.inflation, strict=True)) == dict.fromkeys(CHANNELS, 1.0) | TUNED.inflation


def test_a_file_of_format_3_says_its_state_its_numbers_and_its_protocol(standardizer, domain, tmp_path, refuses):
    state = StateVector(("zos", "thetao", "zos"), (0.0, 0.0, -2.0))
    covariance, tuned = red_covariance(16, 16, 3), Tuned(7.0, {"zos": 1.2})
    torch.manual_seed(0)
    config = NetworkConfig(width=16, multipliers=(1,))
    prior = DiffusionPrior(covariance, standardizer, domain, config, state=state, tuned=tuned)
    prior.protocol = {"training": "seeds 0 and 1", "validation": "seed 2"}
    path = tmp_path / "prior.safetensors"
    with refuses("prior.safetensors", "genda_lite prior 2", "genda_lite prior 3"):
        save_prior(prior, path)
    save_prior(prior, path, checkpoint.FORMAT_3)
    loaded, gaussian = load_prior(path), load_prior(path, gaussian=True)
    assert loaded.state == gaussian.state == state and loaded.protocol == prior.protocol
    assert (loaded.crossover, loaded.inflation, gaussian.inflation) == (7.0, (1.2, 1.0, 1.2), 1.0)
    assert loaded.shape == gaussian.shape == (3, 16, 16)
    for tensors, metadata, word in (
        ({}, {"state": json.dumps({"channels": ["zos", "tide", "zos"], "lags": [0, 0, -2]})}, "tide"),
        ({}, {"state": json.dumps({"channels": ["zos"], "lags": [0]})}, "prior 3"),
        ({}, {"tuned": json.dumps({"crossover": 3.0})}, "inflation"),
        ({}, {"tuned": json.dumps({"crossover": float("nan"), "inflation": {}})}, "positive"),
        ({}, {"tuned": json.dumps({"crossover": 3.0, "inflation": {"tide": 1.0}})}, "tide"),
        ({}, {"tuned": json.dumps({"crossover": 3.0, "inflation": "1"})}, "prior 3"),
        ({}, {"state": "null"}, "prior 3"),
        ({}, {"domain": json.dumps(["ab", "cd"])}, "prior 3"),
        ({"climatology.scale": torch.full((len(CHANNELS),), torch.nan)}, {}, "scale"),
        ({"climatology.ekman": torch.zeros(1, 11)}, {}, "prior 3"),
        ({"climatology.ekman": torch.zeros(2, 3)}, {}, "climatology"),
    ):
        content, told = checkpoint.read_safetensors(path, checkpoint.FORMAT_3)
        spoilt = tmp_path / "spoilt.safetensors"
        checkpoint.write_safetensors(spoilt, checkpoint.FORMAT_3, content | tensors, told | metadata)
        with refuses(word):
            load_prior(spoilt)


def test_gaussian_of_the_same_training_data(trained, covariance, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "sample_path", lambda name: tmp_path / name)
    save_prior(trained, tmp_path / checkpoint.SHIPPED)
    assert isinstance(load_prior(), DiffusionPrior)
    x, level, _ = noisy(trained, 1.0)
    for univariate in (False, True):
        gaussian = load_prior("gaussian", univariate=univariate)
        assert gaussian.name == "gaussian"
        torch.testing.assert_close(gaussian.denoise(x, level), Spectrum(covariance, univariate).wiener_filter(x, level))


@pytest.fixture
def saved(trained, tmp_path):
    path = tmp_path / "prior.safetensors"
    save_prior(trained, path)
    return path


@pytest.mark.parametrize("keep", [0, 4, 500, -1])
def test_truncated_file(saved, keep, refuses):
    saved.write_bytes(saved.read_bytes()[:keep])
    with refuses(str(saved), "genda_lite prior 2"):
        load_prior(saved)


def test_corrupt_file(saved, refuses):
    content = bytearray(saved.read_bytes())
    content[20:40] = os.urandom(20)
    saved.write_bytes(content)
    with refuses(str(saved), "genda_lite prior 2"):
        load_prior(saved)


def test_tampered_file(saved, refuses):
    """Weights or words changed behind the file's back."""
    whole = saved.read_bytes()
    for place in (-5, whole.index(b'"seed"') if b'"seed"' in whole else whole.index(b"domain") + 14):
        content = bytearray(whole)
        content[place] ^= 1
        saved.write_bytes(content)
        with refuses(str(saved), "checksum"):
            load_prior(saved)


def test_foreign_files(tmp_path, refuses):
    path = tmp_path / "other.safetensors"
    for metadata, word in ((None, "another program"), ({"format": "pt"}, "'pt'")):
        save_file({"weight": torch.zeros(3)}, path, metadata)
        with refuses(str(path), word, "genda_lite prior 2"):
            load_prior(path)
    with refuses(str(tmp_path / "nowhere.safetensors"), "no such file"):
        load_prior(tmp_path / "nowhere.safetensors")
    with refuses(str(tmp_path)):
        load_prior(tmp_path)


def altered(saved, tensors=None, **metadata) -> None:
    """Write the prior again with some of its content replaced; None takes a part away."""
    _, old = checkpoint.read_safetensors(saved, checkpoint.FORMAT)
    content = {k: v.clone() for k, v in load_file(saved).items()} | (tensors or {})
    content, told = ({k: v for k, v in all_of.items() if v is not None} for all_of in (content, old | metadata))
    checkpoint.write_safetensors(saved, checkpoint.FORMAT, content, told)


@pytest.mark.parametrize(
    ("tensors", "metadata", "word"),
    [
        ({"covariance": None}, {}, "covariance"),
        ({"covariance": torch.zeros(16, 16)}, {}, "incomplete"),
        ({"basis.rows": torch.zeros(7, 8, 8)}, {}, "incomplete"),
        ({"network.first.bias": None}, {}, "first.bias"),
        ({"network.first.bias": torch.zeros(3)}, {}, "first.bias"),
        ({}, {"config": None}, "config"),
        ({}, {"config": '{"depth": 3, "multipliers": [1]}'}, "depth"),
        ({}, {"domain": "[[1, 2"}, "incomplete"),
        ({}, {"channels": '["zos", "thetao"]'}, "channels zos, thetao"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_incomplete_checkpoints(saved, tensors, metadata, word, refuses):
    altered(saved, tensors, **metadata)
    with refuses(str(saved), word, "expected"):
        load_prior(saved)


class Trap:
    """Unpickled, it leaves a trace."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_pickles_are_not_read(tmp_path, refuses):
    torch.save({"weight": torch.zeros(3), "trap": Trap(tmp_path / "sprung")}, tmp_path / "model.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    for name in ("model.pt", "plain.pt"):
        with refuses(name, "safetensors"):
            load_prior(tmp_path / name)
    assert not (tmp_path / "sprung").exists()


def test_failed_save_leaves_nothing_half_written(saved, trained, monkeypatch):
    before = saved.read_bytes()

    def full_disk(tensors, path, metadata):
        path.write_bytes(before[:100])
        raise OSError("no space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full_disk)
    for name in (saved, saved.with_name("new.safetensors")):
        with pytest.raises(OSError, match="no space"):
            save_prior(trained, name)
    assert [p.name for p in saved.parent.iterdir()] == [saved.name] and saved.read_bytes() == before


def test_save_to_a_missing_folder(trained, tmp_path, refuses):
    with refuses("does not exist"):
        save_prior(trained, tmp_path / "nowhere" / "prior.safetensors")


def test_the_shipped_priors_are_known_by_name():
    lite, wide = load_prior("lite"), load_prior("wide")
    assert lite.config == wide.config == load_prior().config and lite.shape == wide.shape
    assert wide.protocol["training"] and wide.crossover != lite.crossover
    varies = {name: prior.standardizer.scale[CHANNELS.index("so")] for name, prior in (("lite", lite), ("wide", wide))}
    assert varies["wide"] > 1.3 * varies["lite"]
    gaussian = load_prior("wide", gaussian=True)
    torch.testing.assert_close(gaussian.spectrum.variance, wide.spectrum.variance)


def test_a_regression_goes_with_the_prior_of_its_oceans(refuses):
    for name in ("lite", "wide"):
        assert engine.shipped_regression(prior=load_prior(name, gaussian=True)).config.variance is (name == "wide")
    with refuses("another climatology"):
        engine.load_methods("wide", sample_path("regression_lite.safetensors"))
