"""A convolutional autoencoder and a prior of its latents: what they are before training, that they learn, and that they
go on where they stopped."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr
from test_train import part, rings

import genda_lite as gl
from genda_lite.baselines.closed_form import gaussian_posterior
from genda_lite.latent import ConvAutoencoder, LatentPrior, latent_likelihood
from genda_lite.latent import training as latent_training
from genda_lite.latent.checkpoint import load_any, load_autoencoder, load_latent, save_autoencoder, save_latent
from genda_lite.latent.convolutional import AutoencoderConfig, ModeMap
from genda_lite.latent.prior import LatentDiffusion
from genda_lite.latent.representation import ThroughDecoder
from genda_lite.latent.training import AutoencoderTrainer, LatentTrainer
from genda_lite.observe.likelihood import LinearGaussian
from genda_lite.observe.operators import Linear, check_adjoint
from genda_lite.posterior.assimilate import FAST, sample_posterior
from genda_lite.prior import GaussianPrior, NetworkConfig
from genda_lite.prior.spectral import Spectrum
from genda_lite.prior.train import train

TINY = AutoencoderConfig(latents=4, width=16, blocks=1)
SHORT = replace(latent_training.TRAINING, images=2400, batch=16, size=16)
LATENT_SHORT = replace(latent_training.LATENT_TRAINING, images=320, batch=16, size=16)
NETWORK = NetworkConfig(width=8, multipliers=(1, 2), blocks=1, patch=1)


@pytest.fixture(scope="module", autouse=True)
def few_windows():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latent_training, "MEASURED", 128)
        patch.setattr(latent_training, "COVARIANCE_WINDOWS", 200)
        yield


@pytest.fixture(scope="module")
def data(standardizer):
    return rings(standardizer)


def halves(data):
    return part(data, slice(0, 40)), part(data, slice(40, 60))


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """An autoencoder, trained for seconds, and its file."""
    path = tmp_path_factory.mktemp("autoencoder") / "autoencoder.safetensors"
    trainer = AutoencoderTrainer(*halves(data), SHORT, TINY)
    first = trainer.validate(trainer.average)
    assert train(trainer, path, report_every=150, progress=False)
    return path, first, trainer


def spectrum(channels: int, n: int) -> Spectrum:
    wave = np.hypot(np.arange(n)[:, None], np.arange(n))
    power = torch.from_numpy(8 * (1 + (wave / 2) ** 2) ** -1.5).float()
    return Spectrum(power[..., None, None] * torch.eye(channels), univariate=True)


@pytest.fixture(scope="module")
def random() -> ConvAutoencoder:
    """Weights at random, blocks that do something, latents settled."""
    torch.manual_seed(0)
    s = spectrum(2, 32)
    made = ConvAutoencoder(s, config=TINY)
    for name, p in made.module.named_parameters():
        if "layers.4.weight" in name:
            torch.nn.init.normal_(p, std=0.1)
    made.module.settle([s.sample(64, generator=torch.Generator().manual_seed(0))])
    made.module.requires_grad_(False)
    return made


# --- The network -----------------------------------------------------------------------------------------------------


def test_latents_are_few_and_standardized(random):
    assert random.shape == (4, 8, 8) and random.compression == 8
    assert ConvAutoencoder(spectrum(7, 64)).shape == (8, 16, 16)
    z = random.encode(spectrum(2, 32).sample(64, generator=torch.Generator().manual_seed(1)))
    torch.testing.assert_close(z.mean((0, 2, 3)), torch.zeros(4), atol=0.15, rtol=0)
    torch.testing.assert_close(z.std((0, 2, 3)), torch.ones(4), atol=0.15, rtol=0)


def test_a_latent_draws_what_is_near_it_and_windows_of_any_size_the_same(random):
    z = torch.randn(1, 4, 24, 24, generator=torch.Generator().manual_seed(0))
    whole, part = random.decode(z), random.decode(z[..., 4:20, 4:20])
    assert whole.shape == (1, 2, 96, 96)
    inner = slice(20, 44)  # the decoder reaches 18 cells
    torch.testing.assert_close(whole[..., 16:80, 16:80][..., inner, inner], part[..., inner, inner])
    x = spectrum(2, 32).sample(1)
    assert random.encode(torch.cat([x, x], -1)).shape == (1, 4, 8, 16)


def test_the_decoders_derivative_has_its_transpose(random):
    generator = torch.Generator().manual_seed(0)
    z, dz = torch.randn(2, 3, *random.shape, generator=generator)
    near = random.linearize(z)
    step = 1e-3 * dz
    change = (random.decode(z + step) - random.decode(z - step)) / 2e-3
    torch.testing.assert_close(near.push(dz), change, atol=2e-3, rtol=0.02)
    v = torch.randn(near.state.shape, generator=generator)
    left, right = (near.push(dz) * v).flatten(1).sum(1), (dz * near.pull(v)).flatten(1).sum(1)
    torch.testing.assert_close(left, right, rtol=1e-3, atol=1e-3)


def test_what_stands_in_for_a_decoder_is_its_best_linear_map():
    generator = torch.Generator().manual_seed(0)
    true = ModeMap(torch.randn(4, 4, 2, 3, generator=generator), (2, 16, 16))
    flat = Linear(lambda z: true(z).flatten(1), lambda x: true.adjoint(x.view(-1, 2, 16, 16)), (3, 4, 4))
    assert check_adjoint(flat) > 0
    z = torch.randn(400, 3, 4, 4, generator=generator)
    noise = 0.1 * torch.randn(400, 2, 16, 16, generator=generator)
    torch.testing.assert_close(ModeMap.fit(z, true(z) + noise).matrix, true.matrix, atol=0.05, rtol=0.01)


# --- Guidance through it ---------------------------------------------------------------------------------------------


class Almost(ConvAutoencoder):
    """A decoder that is a linear map, told as if it were none, with what stands in for it being near alone."""

    def __init__(self, true: ModeMap, stand_in: ModeMap):
        self.state_shape, self.shape, self.residual = true.shape, (3, 4, 4), None
        self.module, self.true, self.stand_in = torch.nn.Identity(), true, stand_in

    def decode(self, z):
        return self.true(z)


def test_few_iterations_are_enough_where_something_near_the_decoder_is_known():
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(4, 4, 2, 3, generator=generator) * torch.tensor([3.0, 1.0, 0.3])
    true, near = (ModeMap(m, (2, 16, 16)) for m in (matrix, matrix + 0.15 * torch.randn(matrix.shape)))
    latents = LatentPrior(Almost(true, near), gaussian_latents())
    place = torch.randperm(512, generator=generator)[:60]

    def back(y):
        return y.new_zeros(len(y), 512).index_add(1, place, y).view(-1, 2, 16, 16)

    operator = Linear(lambda x: x.flatten(1)[:, place], back, (2, 16, 16))
    value = operator(true(torch.randn(1, 3, 4, 4, generator=generator)))[0]
    likelihood = LinearGaussian(operator, value + 0.1 * torch.randn(60, generator=generator), torch.full((60,), 0.01))
    told = latent_likelihood(latents.autoencoder, likelihood)
    assert told.near is not None and not told.common
    through = ThroughDecoder(operator, true, true.adjoint, latents.shape)
    exact = LinearGaussian(through, likelihood.value, likelihood.variance)
    mean, variance = gaussian_posterior(latents.spectrum, exact)
    z = sample_posterior(latents, told, None, 200, 0, *FAST, batch=200).double()
    assert float(((z.mean(0) - mean) ** 2 / variance).mean()) - 1 / 200 < 0.02
    assert float(z.var(0).mean() / variance.mean()) == pytest.approx(1, abs=0.08)


def gaussian_latents():
    return GaussianPrior(torch.eye(3).expand(4, 4, 3, 3), None, None)


# --- Training --------------------------------------------------------------------------------------------------------


def test_an_autoencoder_learns_and_knows_what_it_forgets(trained, data):
    path, first, trainer = trained
    last = trainer.validate(trainer.average)
    assert last["validation"] < 0.6 * first["validation"]
    autoencoder = load_autoencoder(path)
    assert autoencoder.training["images_seen"] == SHORT.images and path.stat().st_size < 4e6
    x = trainer.unseen
    z = autoencoder.encode(x)
    torch.testing.assert_close(z.std((0, 2, 3)), torch.ones(4), atol=0.1, rtol=0)
    residual = (x - autoencoder.decode(z)).square().mean((0, 2, 3))
    told = autoencoder.residual.pointwise_variance().mean((1, 2)).float()
    torch.testing.assert_close(told, residual, rtol=0.03, atol=1e-4)
    drawn = autoencoder.decode(z)
    assert (autoencoder.stand_in(z) - drawn).square().mean() < 0.5 * drawn.square().mean()


def test_an_autoencoders_training_goes_on_where_it_stopped(data, tmp_path):
    config = replace(SHORT, images=96)
    whole = AutoencoderTrainer(*halves(data), config, TINY)
    train(whole, tmp_path / "whole.safetensors", report_every=3, progress=False)
    cut = AutoencoderTrainer(*halves(data), config, TINY)
    for _ in range(3):
        cut.train_step()
    cut.save_state(tmp_path / "cut.state.safetensors")
    again = AutoencoderTrainer(*halves(data), config, TINY)
    train(again, tmp_path / "cut.safetensors", report_every=3, progress=False)
    for (name, one), other in zip(whole.average.named_parameters(), again.average.parameters(), strict=True):
        torch.testing.assert_close(one, other, msg=name)


def test_a_latent_prior_is_trained_saved_and_assimilates(trained, data, tmp_path, standardizer):
    autoencoder = load_autoencoder(trained[0])
    trainer = LatentTrainer(autoencoder, *halves(data), LATENT_SHORT, NETWORK)
    assert trainer.prior.shape == (4, 4, 4)
    path = tmp_path / "latent.safetensors"
    assert train(trainer, path, report_every=10, progress=False)
    prior = load_any(path)
    assert isinstance(prior, LatentPrior) and path.stat().st_size < 4e6
    z = torch.randn(2, 4, 4, 4)
    expected = trainer.prior.denoise(z, torch.tensor(1.0), torch.zeros(1, 5, 4, 4))
    found = prior.denoise(z, torch.tensor(1.0), torch.zeros(1, 5, 16, 16))  # context of the states' grid
    torch.testing.assert_close(found, expected, atol=0.02, rtol=0.02)
    torch.testing.assert_close(prior.autoencoder.decode(z), autoencoder.decode(z))
    assert load_latent(path, gaussian=True).prior.name == "gaussian"
    grid = gl.Grid(data.latitude[:16], data.longitude[:16])
    place = {"latitude": ("point", grid.latitude[[4, 11]]), "longitude": ("point", grid.longitude[[4, 11]])}
    usual = standardizer.climatology(grid.latitude[[4, 11]], np.datetime64("2000-06-01", "ns"))[0]
    seen = gl.Observations.from_points(
        xr.Dataset({"zos": ("point", usual + 0.2)}, place), "zos", error=0.02, reference_error=0.0
    )
    analysis = gl.assimilate(prior, seen, members=8, grid=grid, date="2000-06-01", fast=True)
    assert analysis.sizes["latitude"] == 16 and analysis.prior == "latent diffusion"
    there = analysis.zos.isel(latitude=4, longitude=4) - usual[0]
    assert abs(float(there.mean()) - 0.2) < 0.05 and float(there.std()) < 0.05
    assert float(analysis.zos.std("member").max()) > 0.05


def test_states_are_complete_with_their_residual(trained):
    autoencoder = load_autoencoder(trained[0])
    prior = LatentPrior(autoencoder, LatentDiffusion(torch.eye(4).expand(4, 4, 4, 4), autoencoder, NETWORK))
    z = torch.zeros(400, 4, 4, 4)
    left = prior.completed(z) - autoencoder.decode(z)
    told = autoencoder.residual.pointwise_variance().mean((1, 2)).float()
    torch.testing.assert_close(left.square().mean((0, 2, 3)), told, rtol=0.1, atol=1e-4)


# --- Bad input -------------------------------------------------------------------------------------------------------


def test_what_cannot_be_is_told_in_a_sentence(trained, data, tmp_path, refuses):
    autoencoder = load_autoencoder(trained[0])
    with refuses("expected multiples of 4"):
        ConvAutoencoder(spectrum(2, 18), config=TINY)
    with refuses("expected 4 maps"):
        autoencoder.decode(torch.zeros(1, 5, 4, 4))
    with refuses("expected a prior of this autoencoder's latents"):
        LatentPrior(autoencoder, LatentDiffusion(torch.eye(8).expand(4, 4, 8, 8), autoencoder, NETWORK))
    with refuses("needs --validation"):
        AutoencoderTrainer(data, None, SHORT, TINY)
    with refuses("needs --autoencoder"):
        latent_training.trainer("latent")
    with refuses("expected the same"):
        LatentTrainer(autoencoder, data, None, replace(LATENT_SHORT, size=20), NETWORK)
    with refuses("missing values"):
        autoencoder.measure([torch.full((2, *autoencoder.state_shape), torch.nan)])
    save_autoencoder(autoencoder, tmp_path / "a.safetensors")
    with refuses("expected a checkpoint of format 'genda_lite latent prior 1'"):
        load_latent(tmp_path / "a.safetensors")
    prior = LatentPrior(autoencoder, LatentDiffusion(torch.eye(4).expand(4, 4, 4, 4), autoencoder, NETWORK))
    autoencoder.config = replace(autoencoder.config, latents=5)
    save_latent(prior, tmp_path / "b.safetensors")
    with refuses("incomplete or foreign"):
        load_latent(tmp_path / "b.safetensors")
