"""Encoders of other data as learned observations: exact where encoders are linear, none the worse for what is missing;
and the pairs that they are trained on."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr
from test_latent import LATITUDE, LONGITUDE, NOON, flow

from genda_lite.baselines.closed_form import gaussian_posterior
from genda_lite.latent.checkpoint import fingerprint, load_encoders, save_encoders
from genda_lite.latent.convolutional import AutoencoderConfig, ConvAutoencoder
from genda_lite.latent.modalities import (
    CHANNELS,
    DRIFTERS,
    INFRARED,
    TRACER,
    JointEncoders,
    drifter_maps,
    infrared_maps,
    together,
    tracer_maps,
)
from genda_lite.latent.pairs import TRAINING, EncoderTrainer, SeenWindows, Stirred, stirred_frames
from genda_lite.observe.likelihood import LinearGaussian
from genda_lite.observe.nonlinear import Nonlinear
from genda_lite.observe.operators import Linear, check_adjoint
from genda_lite.prepare.frames import TrainingSet
from genda_lite.prior import Domain, GaussianPrior
from genda_lite.prior.spectral import Spectrum
from genda_lite.prior.train import train
from genda_lite.state import CHANNELS as STATE
from genda_lite.state import Grid, harmonics

GRID = Grid.around(-60.0, 38.0, (16, 16))
KINDS = {"one": 1, "two": 1}


def prior_of(deviation: float = 2.0) -> GaussianPrior:
    """Latents of 4 x 4 points in two channels, red and correlated."""
    wave = np.hypot(np.arange(4)[:, None], np.arange(4))
    power = torch.from_numpy(deviation**2 * (1 + wave**2) ** -1.0).float()
    mix = torch.tensor([[1.0, 0.4], [0.4, 1.0]])
    return GaussianPrior(power[..., None, None] * mix, None, None)


class Linearly(JointEncoders):
    """Encoders that are the best linear estimates of latents seen with an error: of one channel, or of the sum."""

    ERRORS = {"one": 0.5, "two": 0.3}  # noqa: RUF012

    def __init__(self, prior: GaussianPrior):
        super().__init__(prior.shape, KINDS, 8)
        self.prior, self.gains = prior, {}

    def seen(self, kind, z):
        return z[:, 0] if kind == "one" else z[:, 0] + z[:, 1]

    def likelihood(self, kind, value):
        shape, m = self.prior.shape, 16

        def back(y):
            parts = y.view(len(y), *shape[1:])
            return torch.stack([parts, parts if kind == "two" else torch.zeros_like(parts)], 1)

        operator = Linear(lambda z: self.seen(kind, z).flatten(1), back, shape)
        gain = operator.gain
        return LinearGaussian(operator, gain * value, torch.full((m,), (gain * self.ERRORS[kind]) ** 2))

    def estimate(self, kind, maps):
        values = maps[:, 0, ::4, ::4].flatten(1)
        if kind not in self.gains:  # the posterior mean is linear in the values
            units = [self.likelihood(kind, one) for one in torch.eye(16)]
            self.gains[kind] = torch.stack([gaussian_posterior(self.prior.spectrum, u)[0] for u in units]).float()
        return torch.einsum("bm,mcyx->bcyx", values, self.gains[kind])

    def observe(self, z, seed):
        generator, maps = torch.Generator().manual_seed(seed), []
        for kind in KINDS:
            value = self.seen(kind, z)
            value = value + self.ERRORS[kind] * torch.randn(value.shape, generator=generator)
            maps.append(value.repeat_interleave(4, -2).repeat_interleave(4, -1)[:, None])
        return torch.cat(maps, 1)


@pytest.fixture(scope="module")
def linear():
    prior = prior_of()
    encoders = Linearly(prior)
    pairs = []
    for seed in range(10):
        z = prior.spectrum.sample(200, generator=torch.Generator().manual_seed(seed))
        pairs.append((encoders.observe(z, 100 + seed), z))
    encoders.measure(pairs)
    return encoders


@pytest.mark.parametrize("given", [("one",), ("two",), ("one", "two"), ("two", "one")])
def test_learned_observations_of_a_gaussian_give_its_posterior(linear, given):
    """The prior is not counted twice, whatever is missing: the estimates alone have next to none of the spread."""
    prior = linear.prior
    z = prior.spectrum.sample(1, generator=torch.Generator().manual_seed(77))
    maps = linear.split(linear.observe(z, 78))
    told = linear.observations({kind: maps[kind][0] for kind in given})
    assert check_adjoint(told.operator) > 0
    mean, variance = gaussian_posterior(prior.spectrum, told)
    exact = together(*(linear.likelihood(kind, maps[kind][0, 0, ::4, ::4].flatten()) for kind in given))
    expected, left = gaussian_posterior(prior.spectrum, exact)
    assert float(((mean - expected) ** 2 / left).mean()) < 0.05
    assert float(variance.mean() / left.mean()) == pytest.approx(1, abs=0.08)


def test_observations_of_latents_come_together():
    generator, parts = torch.Generator().manual_seed(0), []
    for m, error in ((5, 0.1), (7, 0.4)):
        matrix = torch.randn(m, 32, generator=generator)
        back = lambda y, a=matrix: (y @ a).view(-1, 2, 4, 4)  # noqa: E731
        operator = Linear(lambda z, a=matrix: z.flatten(1) @ a.T, back, (2, 4, 4))
        parts.append(LinearGaussian(operator, torch.randn(m, generator=generator), torch.full((m,), error**2)))
    parts[1].shared = 0.3 * torch.randn(2, 7, generator=generator)
    both = together(*parts)
    assert both.value.shape == (12,) and check_adjoint(both.operator) > 0
    v = torch.randn(3, 12, generator=generator)
    expected = torch.cat([part.covariance(one) for part, one in zip(parts, v.split([5, 7], 1), strict=True)], 1)
    torch.testing.assert_close(both.covariance(v), expected)
    assert together(parts[0]) is parts[0]
    curved = Nonlinear(lambda z: torch.tanh(z).flatten(1)[:, :3], torch.zeros(3), torch.ones(3))
    mixed = together(curved, parts[0])
    assert not mixed.common and mixed.near is None
    at = mixed.at(torch.zeros(2, 2, 4, 4))
    z = torch.randn(2, 2, 4, 4, generator=generator)
    torch.testing.assert_close(at.operator(z), torch.cat([z.flatten(1)[:, :3], parts[0].operator(z)], 1))


# --- Maps ------------------------------------------------------------------------------------------------------------


def test_what_encoders_are_shown():
    usual = np.full((16, 1), 15.0)
    shown = infrared_maps(np.full((16, 16), -60.0), usual, 2.0)
    assert shown.shape == (1, 16, 16) and -4 <= shown.min() < -3.9  # saturated
    image = np.full((16, 16), -0.5)
    image[:8] = np.nan
    image[8] += 0.5
    away, known = tracer_maps(image)
    assert known[:8].sum() == 0 and known[8:].min() == 1 and away[:8].abs().max() == 0 and away[8].min() > 0
    told = xr.Dataset({"u": ("obs", [0.5, 0.25, 9.0]), "v": ("obs", [0.0, 0.0, 9.0])},
                      {"latitude": ("obs", [GRID.latitude[3]] * 2 + [80.0]),
                       "longitude": ("obs", [GRID.longitude[5]] * 2 + [0.0])})  # fmt: skip
    maps = drifter_maps(told, GRID)
    assert maps[2].sum() == 1 and float(maps[0, 3, 5]) == pytest.approx(0.75)  # the mean of two; a third lies outside


def test_windows_as_instruments_see_them(standardizer):
    generator = torch.Generator().manual_seed(0)
    frames = torch.randn(4, len(STATE), 25, 25, generator=generator)
    season = torch.from_numpy(harmonics(NOON + np.arange(4) * np.timedelta64(1, "D")).astype("f4"))
    data = TrainingSet(frames, season, LATITUDE, LONGITUDE, standardizer)
    current = np.stack([np.full((25, 25), 0.5), np.zeros((25, 25))])
    tracer = np.broadcast_to(LONGITUDE, (25, 25)).astype("f4")
    spectrum = Spectrum(torch.eye(len(STATE)).expand(16, 16, -1, -1), univariate=True)
    autoencoder = ConvAutoencoder(spectrum, config=AutoencoderConfig(latents=3, width=8))
    autoencoder.module.eval()
    windows = SeenWindows(autoencoder, {2: Stirred(NOON, tracer, current)}, data,
                          Domain((37.0, 40.0), (-62.0, -58.0)), 16)  # fmt: skip
    maps, z = windows[5]
    assert maps.shape == (sum(CHANNELS.values()), 16, 16) and z.shape == (3, 4, 4)
    again, _ = windows[5]
    torch.testing.assert_close(maps, again)
    frame, south, west = windows.place(5, np.random.default_rng([0, 5]))
    assert frame == 2
    torch.testing.assert_close(z, autoencoder.encode(frames[2:3, :, south : south + 16, west : west + 16])[0].detach())
    infrared, tracer, known, u, v, number = maps
    assert torch.isfinite(maps).all() and infrared.abs().max() <= 4
    hidden = tracer[known == 0]
    assert len(hidden) and hidden.abs().max() == 0 and tracer[known == 1].std() > 0
    assert number.sum() >= 1 and (u[number > 0] - 1).abs().max() < 0.1 and v[number > 0].abs().max() < 0.1


def test_tracers_are_stirred_once_for_frames_that_have_a_past(standardizer, monkeypatch, tmp_path):
    monkeypatch.setattr("genda_lite.latent.pairs.DAYS", 3)
    from genda_lite.prepare.frames import Frames

    ocean = flow(lambda y, x: 0.3 + 0.0 * x, lambda y, x: 0.0 * x).isel(time=slice(0, 8))
    made = object.__new__(Frames)
    made.oceans, made.ends = [ocean], np.array([8])
    data = TrainingSet(made, torch.zeros(8, 3), LATITUDE, LONGITUDE, standardizer)
    found = stirred_frames(data, per_ocean=3)
    assert sorted(found) == [3, 5, 7] and found[5].date == ocean["time"].values[5]
    assert np.isfinite(found[5].tracer).all() and np.allclose(found[5].current[0], 0.3)
    stirred_frames(data, 3, keep=tmp_path / "t.npz")
    with monkeypatch.context() as patch:
        patch.setattr("genda_lite.latent.pairs.stirred_tracer", lambda *a, **k: pytest.fail("stirred again"))
        again = stirred_frames(data, 3, keep=tmp_path / "t.npz")
    assert sorted(again) == [3, 5, 7] and again[5].date == found[5].date
    np.testing.assert_array_equal(again[7].tracer, found[7].tracer)
    assert len(stirred_frames(data, 2, keep=tmp_path / "t.npz")) == 2  # of others, made anew


# --- On disk, and bad input ------------------------------------------------------------------------------------------


def test_encoders_are_stored_with_their_errors_and_belong_to_an_autoencoder(tmp_path, refuses):
    spectrum = Spectrum(torch.eye(7).expand(16, 16, -1, -1), univariate=True)
    autoencoder, other = (ConvAutoencoder(spectrum, config=AutoencoderConfig(latents=2, width=8)) for _ in range(2))
    encoders = JointEncoders((2, 4, 4), width=8)
    generator = torch.Generator().manual_seed(0)
    batch = torch.randn(64, 6, 16, 16, generator=generator), torch.randn(64, 2, 4, 4, generator=generator)
    with refuses("do not know their errors"):
        encoders.observations({INFRARED: batch[0][0, :1]})
    encoders.measure([batch])
    encoders.training["autoencoder"] = fingerprint(autoencoder)
    save_encoders(encoders, tmp_path / "e.safetensors")
    again = load_encoders(tmp_path / "e.safetensors", autoencoder)
    maps = {INFRARED: batch[0][0, :1], DRIFTERS: batch[0][0, 3:]}
    told, expected = again.observations(maps), encoders.observations(maps)
    z = torch.randn(1, 2, 4, 4, generator=generator)
    for say in (lambda a: a.operator.adjoint(a.value[None]), lambda a: a.operator.adjoint(a.operator(z))):
        torch.testing.assert_close(say(told), say(expected), rtol=0.05, atol=0.02)
    with refuses("latents of another autoencoder"):
        load_encoders(tmp_path / "e.safetensors", other)


def test_what_encoders_cannot_take_is_told_in_a_sentence(linear, refuses):
    encoders = JointEncoders((2, 4, 4), width=8)
    with refuses("no kind of data is given", "expected at least one"):
        linear.observations({})
    with refuses("no encoder of 'radar'", "infrared image"):
        encoders.estimate("radar", torch.zeros(1, 1, 16, 16))
    with refuses("maps (2, 16, 16)", "expected (1, 16, 16)"):
        encoders.estimate(INFRARED, torch.zeros(1, 2, 16, 16))
    with refuses("missing values"):
        encoders.estimate(TRACER, torch.full((1, 2, 16, 16), torch.nan))
    with refuses("all cloud", "leave it out"):
        tracer_maps(np.full((16, 16), np.nan))
    with refuses("missing values", "in clouds too"):
        infrared_maps(np.where(np.eye(16), np.nan, 1.0), np.zeros((16, 1)), 1.0)
    told = xr.Dataset({"u": ("obs", [np.nan]), "v": ("obs", [0.0])},
                      {"latitude": ("obs", [38.0]), "longitude": ("obs", [-60.0])})  # fmt: skip
    with refuses("missing velocities"):
        drifter_maps(told, GRID)


def test_encoders_are_trained_and_measured(standardizer, tmp_path, monkeypatch, refuses):
    """A few steps of the whole: what is written knows its errors and its autoencoder, and is heard."""
    generator = torch.Generator().manual_seed(0)
    frames = torch.randn(4, len(STATE), 25, 25, generator=generator)
    season = torch.from_numpy(harmonics(NOON + np.arange(4) * np.timedelta64(1, "D")).astype("f4"))
    data = TrainingSet(frames, season, LATITUDE, LONGITUDE, standardizer)
    stirred = Stirred(NOON, np.broadcast_to(LONGITUDE, (25, 25)).astype("f4"), np.zeros((2, 25, 25)))
    monkeypatch.setattr("genda_lite.latent.pairs.stirred_frames", lambda *a, **k: dict.fromkeys(range(4), stirred))
    monkeypatch.setattr("genda_lite.latent.pairs.MEASURED", 24)
    spectrum = Spectrum(torch.eye(len(STATE)).expand(16, 16, -1, -1), univariate=True)
    autoencoder = ConvAutoencoder(spectrum, standardizer, Domain((37.0, 40.0), (-62.0, -58.0)),
                                  AutoencoderConfig(latents=2, width=8))  # fmt: skip
    autoencoder.module.settle([frames[..., :16, :16]])
    autoencoder.module.requires_grad_(False)
    config = replace(TRAINING, images=16, batch=4, size=16)
    with refuses("encoders need --validation"):
        EncoderTrainer(autoencoder, data, None, config)
    path = tmp_path / "encoders.safetensors"
    assert train(EncoderTrainer(autoencoder, data, data, config), path, report_every=2, progress=False)
    encoders = load_encoders(path, autoencoder)
    assert encoders.training["images_seen"] == 16 and path.stat().st_size < 4e6
    maps = torch.randn(6, 16, 16, generator=generator)
    told = encoders.observations({INFRARED: maps[:1], TRACER: maps[1:3]})
    assert len(told.value) >= 1 and torch.isfinite(told.value).all()
    again = EncoderTrainer(autoencoder, data, data, config)
    again.resume(path.with_suffix(".state.safetensors"))
    assert again.step == 4
