"""Training: it learns what a Gaussian cannot know, and goes on exactly where it stopped."""

import csv
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from genda_lite.prepare import TrainingSet
from genda_lite.prior import NetworkConfig, load_prior
from genda_lite.prior.train import Trainer, TrainingConfig, denoising_loss, train
from genda_lite.state import CHANNELS, harmonics

TINY = NetworkConfig(width=8, multipliers=(1, 2), blocks=1)
SHORT = TrainingConfig(images=240, batch=8, size=16)  # 30 steps


@pytest.fixture(scope="module")
def data(standardizer) -> TrainingSet:
    """Rings of either sign on weak noise: once the sign is seen the field is known, which no Wiener filter can use."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:20, :24]
    ring = np.exp(-((np.hypot(y - 10, x - 12) - 5) ** 2) / 8)
    strength = np.linspace(1.0, 2.0, len(CHANNELS))[:, None, None]
    sign = rng.choice([-1.0, 1.0], size=(60, 1, 1, 1))
    frames = sign * strength * ring + 0.1 * rng.normal(size=(60, len(CHANNELS), 20, 24))
    season = harmonics(np.datetime64("2000-01-01", "ns") + np.arange(60) * np.timedelta64(6, "D"))
    latitude, longitude = 37 + np.arange(20) / 12, -60 + np.arange(24) / 12
    frames, season = (torch.from_numpy(a.astype("f4")) for a in (frames, season))
    return TrainingSet(frames, season, latitude, longitude, standardizer)


def part(data: TrainingSet, which: slice) -> TrainingSet:
    return data._replace(frames=data.frames[which], harmonics=data.harmonics[which])


def trainer(data: TrainingSet, config: TrainingConfig = SHORT, network: NetworkConfig = TINY) -> Trainer:
    return Trainer(part(data, slice(0, 40)), part(data, slice(40, 60)), config, network, mixed=False)


def rows(out: Path) -> list[dict[str, str]]:
    """The log, without the time it took."""
    with out.with_suffix(".csv").open() as file:
        return [{k: v for k, v in row.items() if "seconds" not in k} for row in csv.DictReader(file)]


def interrupted_after(trainer: Trainer, steps: int, spoil=None) -> None:
    """Make a trainer stop (as by the keyboard) or spoil itself once so many steps are done."""
    train_step = trainer.train_step

    def step() -> float:
        if trainer.step == steps:
            if spoil is None:
                raise KeyboardInterrupt
            spoil(trainer)
        return train_step()

    trainer.train_step = step


def test_training_beats_the_wiener_filter(data):
    """Fields never trained on are denoised better than by any Gaussian prior's filter, where the loss is one."""
    run = trainer(data, TrainingConfig(images=3200, batch=16, size=16, ema_images=400))
    start = run.validate(run.average)  # untrained, the network is the Wiener filter
    assert start["validation"] == pytest.approx(1, abs=0.1)
    for _ in range(run.config.steps):
        run.train_step()
    end = run.validate(run.average)
    assert end["validation"] < 0.92 * start["validation"]
    assert end["sigma 0.6-6"] < 0.8 * start["sigma 0.6-6"]  # where the noise hides all but the sign


def test_validation_is_the_mean_of_its_bands(data):
    validate = trainer(data).validate
    row = validate(trainer(data).average)
    assert row == validate(trainer(data).average)  # fixed windows, fixed noise
    bands = [(validate.sigma >= low) & (validate.sigma < high) for low, high in validate.BANDS]
    shares = [band.float().mean().item() for band in bands]
    assert sum(shares) == 1 and min(shares) > 0
    values = [value for name, value in row.items() if name.startswith("sigma")]
    assert sum(s * v for s, v in zip(shares, values, strict=True)) == pytest.approx(row["validation"], rel=1e-5)


def test_windows_know_where_they_lie_and_sometimes_not(data):
    windows = trainer(data).windows
    x, context, sigma = windows.draw(400, torch.Generator().manual_seed(0))
    assert x.shape == (400, 7, 16, 16) and context.shape == (400, 5, 16, 16) and context.abs().max() < 1 + 1e-6
    known = context[:, 0, 0, 0]
    assert set(known.tolist()) == {0.0, 1.0} and known.mean() == pytest.approx(0.5, abs=0.1)
    assert (context[known == 0, 1:3] == 0).all()
    dated = context[:, 3:].abs().amax((1, 2, 3)) > 0
    assert dated.float().mean() == pytest.approx(0.9, abs=0.05)
    assert sigma.log().mean() == pytest.approx(0.7, abs=0.3) and sigma.log().std() == pytest.approx(1.7, rel=0.1)
    # The position told is the window's own: the ring's centre lies at the same place in all of them.
    row = torch.einsum("nyx,y->n", x[:, 0].abs(), torch.arange(16.0)) / x[:, 0].abs().sum((1, 2))
    south = context[:, 1, 0, 0]
    assert torch.corrcoef(torch.stack([row[known == 1], south[known == 1]]))[0, 1] < -0.8


def test_loss_weighs_windows_and_channels_alike(data):
    """The loss of a network that returns zero is the field's power over the Wiener filter's error, by hand."""
    denoiser = trainer(data).average
    x, context, sigma = trainer(data).windows.draw(4, torch.Generator().manual_seed(1))
    loss = denoising_loss(denoiser, x, context, sigma, torch.zeros_like(x))
    gain = denoiser.spectrum.variance / (denoiser.spectrum.variance + sigma.view(-1, 1, 1, 1) ** 2)
    bias = denoiser.spectrum.from_modes((gain - 1) * denoiser.spectrum.to_modes(x))
    expected = (bias**2).mean((-1, -2)) / (gain * sigma.view(-1, 1, 1, 1) ** 2).mean((-1, -2))
    torch.testing.assert_close(loss, expected, rtol=1e-3, atol=1e-6)


def test_interrupted_training_goes_on_exactly(data, tmp_path):
    whole, broken = tmp_path / "whole.safetensors", tmp_path / "broken.safetensors"
    once = trainer(data)
    train(once, whole, report_every=10, progress=False)

    first = trainer(data)
    interrupted_after(first, 25)  # five steps after its last report are lost and done again
    with pytest.raises(KeyboardInterrupt):
        train(first, broken, report_every=10, progress=False)
    assert [row["step"] for row in rows(broken)] == ["10", "20"]
    second = trainer(data)
    train(second, broken, report_every=10, progress=False)

    assert second.step == once.step == 30
    for name in ("denoiser", "average"):
        pairs = zip(getattr(once, name).parameters(), getattr(second, name).parameters(), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs), name
    assert rows(broken) == rows(whole) and len(rows(whole)) == 3
    a, b = load_prior(whole), load_prior(broken)
    assert all(torch.equal(v, b.denoiser.network.state_dict()[k]) for k, v in a.denoiser.network.state_dict().items())
    assert b.training["images_seen"] == 240 and b.training["seed"] == SHORT.seed


def test_finished_training_is_left_alone(data, tmp_path):
    out = tmp_path / "prior.safetensors"
    train(trainer(data), out, report_every=30, progress=False)
    before = out.read_bytes()
    train(trainer(data), out, report_every=30, progress=False)
    assert out.read_bytes() == before and len(rows(out)) == 1


def test_a_seed_repeats_and_another_differs(data):
    a, b, c = (trainer(data, replace(SHORT, seed=seed)) for seed in (0, 0, 1))
    losses = [[run.train_step() for _ in range(3)] for run in (a, b, c)]
    assert losses[0] == losses[1] != losses[2]


def test_other_settings_do_not_resume(data, tmp_path, refuses):
    out = tmp_path / "prior.safetensors"
    train(trainer(data), out, report_every=30, progress=False)
    for change in ({"learning_rate": 1e-3}, {"seed": 1}, {"images": 480}):
        with refuses("prior.state.safetensors", "other settings"):
            train(trainer(data, replace(SHORT, **change)), out, progress=False)


def test_lost_numbers_stop_and_leave_the_last_checkpoint(data, tmp_path):
    out = tmp_path / "prior.safetensors"

    def spoil(trainer):
        with torch.no_grad():
            trainer.denoiser.network.first.weight.fill_(math.nan)

    run = trainer(data)
    interrupted_after(run, 25, spoil)
    with pytest.raises(FloatingPointError, match="step 26") as caught:
        train(run, out, report_every=10, progress=False)
    assert str(out) in str(caught.value)
    left = load_prior(out)
    assert left.training["images_seen"] == 160
    assert all(torch.isfinite(p).all() for p in left.denoiser.network.parameters())
    assert [row["step"] for row in rows(out)] == ["10", "20"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["prior.csv", "prior.safetensors", "prior.state.safetensors"]
    # What is left can be trained on.
    again = trainer(data)
    train(again, out, report_every=10, progress=False)
    assert again.step == 30


def test_fields_smaller_than_a_window(data, refuses):
    with refuses("20 x 24", "at least 32"):
        trainer(data, replace(SHORT, size=32))
