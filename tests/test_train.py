"""Training: it learns what a Gaussian cannot know, and goes on exactly where it stopped."""

import csv
import math
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from genda_lite.prepare.frames import TrainingSet
from genda_lite.prior import Domain, NetworkConfig, load_prior
from genda_lite.prior.checkpoint import FORMAT_3, read_safetensors
from genda_lite.prior.climate import WIDE, Climate
from genda_lite.prior.muon import Muon, orthogonalized
from genda_lite.prior.train import CONFIGURATIONS, Trainer, TrainingConfig, denoising_loss, native_bfloat16, train
from genda_lite.prior.windows import Noise, Windows, sea_corners
from genda_lite.state import CHANNELS, Standardizer, harmonics
from genda_lite.verify.table import pick, read_table

ABLATION = Path(__file__).parents[1] / "data_samples/results/ablation.csv"
TINY = NetworkConfig(width=8, multipliers=(1, 2), blocks=1)
FEW = 600  # windows that the covariance is estimated of: all there is to know of so small fields
SHORT = TrainingConfig(images=240, batch=8, size=16)  # 30 steps


def rings(standardizer: Standardizer) -> TrainingSet:
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


@pytest.fixture(scope="module", autouse=True)
def few_windows():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("genda_lite.prior.train.COVARIANCE_WINDOWS", FEW)
        yield


@pytest.fixture(scope="module")
def data(standardizer) -> TrainingSet:
    return rings(standardizer)


def part(data: TrainingSet, which: slice) -> TrainingSet:
    return data._replace(frames=data.frames[which], harmonics=data.harmonics[which])


def trainer(data: TrainingSet, config: TrainingConfig = SHORT, network: NetworkConfig = TINY, **options) -> Trainer:
    return Trainer(part(data, slice(0, 40)), part(data, slice(40, 60)), config, network, mixed=False, **options)


def rows(out: Path) -> list[dict[str, str]]:
    """The log, without the time it took."""
    with out.with_suffix(".csv").open() as file:
        return [{k: v for k, v in row.items() if "seconds" not in k} for row in csv.DictReader(file)]


def at_step(trainer: Trainer, step: int, action) -> Trainer:
    """Make something happen once so many steps are done."""
    train_step = trainer.train_step

    def stepped() -> float:
        if trainer.step == step:
            action()
        return train_step()

    trainer.train_step = stepped
    return trainer


def fail() -> None:
    raise RuntimeError("power cut")


# --- Windows ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def windows(data) -> Windows:
    domain = Domain((37.0, 37 + 19 / 12), (-60.0, -60 + 23 / 12))
    return Windows(data, domain, 16, Noise())


def test_an_image_is_the_same_wherever_it_is_made(data, windows):
    alike, other = (Windows(data, windows.domain, 16, Noise(), seed=seed) for seed in (0, 1))
    for i in (0, 1, 10**9):
        assert all(torch.equal(a, b) for a, b in zip(windows[i], alike[i], strict=True))
        assert not torch.equal(windows[i][0], other[i][0]) and not torch.equal(windows[i][3], windows[i + 1][3])


def test_windows_are_what_and_where_they_say(data, windows):
    places = set()
    for i in range(2000):
        frame, south, west = windows.place(i, np.random.default_rng([0, i]))
        places.add((south, west)), places.add(frame)
        if i < 20:
            x, context, _, _ = windows[i]
            assert torch.equal(x, data.frames[frame][:, south : south + 16, west : west + 16])
            if context[0, 0, 0]:
                assert context[1, 0, 0] == pytest.approx(2 * south / 19 - 1, abs=1e-4)
                assert context[2, 0, 0] == pytest.approx(2 * west / 23 - 1, abs=1e-4)
    assert places == set(range(60)) | {(j, i) for j in range(5) for i in range(9)}  # all of them, the last ones too


def test_context_and_noise_are_drawn_as_asked(windows):
    x, context, sigma, noise = (torch.stack(a) for a in zip(*(windows[i] for i in range(400)), strict=True))
    assert x.shape == noise.shape == (400, 7, 16, 16) and context.shape == (400, 5, 16, 16)
    assert context.abs().max() < 1 + 1e-5 and noise.std() == pytest.approx(1, abs=0.01)
    known = context[:, 0, 0, 0]
    assert set(known.tolist()) == {0.0, 1.0} and known.mean() == pytest.approx(0.5, abs=0.1)
    assert (context[known == 0, 1:3] == 0).all()
    dated = context[:, 3:].abs().amax((1, 2, 3)) > 0
    assert dated.float().mean() == pytest.approx(0.9, abs=0.05)
    assert sigma.log().mean() == pytest.approx(0.7, abs=0.3) and sigma.log().std() == pytest.approx(1.7, rel=0.1)


def test_each_window_has_a_climate_of_its_own(data, windows):
    climate = Climate(temperature=0.9, salinity=1.2, salinity_alone=0.4, slope=0.5, amplitude=0.3, contrast=0.2)
    wide = Windows(data, windows.domain, 16, Noise(), climate=climate)
    climates = [wide.climate_of(i) for i in range(4000)]
    factors, displacements = (torch.stack(part) for part in zip(*climates, strict=True))
    logs = factors[:, :, 0, 0].log().std(0)
    assert logs.tolist() == pytest.approx([0.3, 0.13**0.5, 0.13**0.5, 0.3, 0.3, 0, 0], rel=0.05)
    # The plane has the variance of n_0 everywhere, and half a slope's square more in each direction at the corners.
    corner, middle = displacements[:, 1:3, 0, 0].std(0), displacements[:, 1:3, 7:9, 7:9].mean((2, 3)).std(0)
    size = torch.tensor([0.9, (1.2**2 + 0.4**2) ** 0.5])
    torch.testing.assert_close(middle, size, rtol=0.05, atol=0)
    torch.testing.assert_close(corner, size * 1.5**0.5, rtol=0.05, atol=0)
    both = torch.corrcoef(displacements[:, 1:3, 8, 8].T)[0, 1]
    assert both == pytest.approx(1.2 / (1.2**2 + 0.4**2) ** 0.5, abs=0.02)  # along the water masses
    assert not displacements[:, [0, 3, 4, 5, 6]].any()

    x, *rest = wide[5]
    plain, *same = windows[5]  # the same window and the same noise, in the training data's climate
    assert all(torch.equal(a, b) for a, b in zip(rest, same, strict=True))
    torch.testing.assert_close(x, factors[5] * plain + displacements[5])
    assert torch.equal(next(wide.fields(6))[5], x)  # network and covariance see the same


def test_a_pool_goes_through_all_frames_a_few_at_a_time(data, windows):
    small = Windows(data, windows.domain, 16, Noise(), pool=10, reuse=4)
    frames = np.array([small.place(i, np.random.default_rng([0, i]))[0] for i in range(2400)])  # ten times through
    counts = np.bincount(frames, minlength=60)
    assert counts.min() > 15 and counts.mean() == 40
    for first in range(0, 2400, 240):
        assert len(set(frames[first : first + 20])) <= 15  # ten at a time, five of them replaced meanwhile
    assert len(set(frames[240:480])) > 50


def test_windows_without_land(refuses):
    sea = np.ones((9, 12), bool)
    assert len(sea_corners(sea, 4)) == 6 * 9
    sea[5, 3] = False
    free = {(j, i) for j, i in sea_corners(sea, 4).tolist()}
    assert free == {(j, i) for j in range(6) for i in range(9) if not (2 <= j <= 5 and i <= 3)}
    sea[::3, ::3] = False
    with refuses("4 x 4", "land"):
        sea_corners(sea, 4)
    with refuses("9 x 12", "at least 10"):
        sea_corners(sea, 10)


# --- Learning --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("preconditioning", ["wiener", "edm"])
def test_training_beats_the_wiener_filter(data, preconditioning):
    """Fields never trained on are denoised better than by any Gaussian prior's filter, where the loss is one."""
    config = TrainingConfig(images=3200, batch=16, size=16, ema_images=400)
    run = trainer(data, config, replace(TINY, preconditioning=preconditioning))
    start = run.validate(run.average)
    if preconditioning == "wiener":  # untrained, the network is the Wiener filter
        assert start["validation"] == pytest.approx(1, abs=0.1)
    else:
        assert start["validation"] > 2
    for _ in range(run.config.steps):
        run.train_step()
    end = run.validate(run.average)
    assert end["validation"] < 0.92 * start["validation"]
    assert end["sigma 0.6-6"] < 0.8 * start["sigma 0.6-6"]  # where the noise hides all but the sign


def test_validation_is_the_mean_of_its_bands(data):
    validate = trainer(data).validate
    row = validate(trainer(data).average)
    assert row == validate(trainer(data).average)  # fixed windows, fixed noise
    sigma = torch.cat([batch[2] for batch in validate.batches])
    shares = [((sigma >= low) & (sigma < high)).float().mean().item() for low, high in validate.BANDS]
    assert sum(shares) == 1 and min(shares) > 0
    values = [value for name, value in row.items() if name.startswith("sigma")]
    assert sum(s * v for s, v in zip(shares, values, strict=True)) == pytest.approx(row["validation"], rel=1e-5)


def test_loss_weighs_windows_and_channels_alike(data, windows):
    """The loss of a network that returns zero is the field's power over the Wiener filter's error, by hand."""
    denoiser = trainer(data).average
    x, context, sigma, _ = (torch.stack(a) for a in zip(*(windows[i] for i in range(4)), strict=True))
    loss = denoising_loss(denoiser, denoiser.spectrum.loss_weight(sigma), x, context, sigma, torch.zeros_like(x))
    gain = denoiser.spectrum.variance / (denoiser.spectrum.variance + sigma.view(-1, 1, 1, 1) ** 2)
    bias = denoiser.spectrum.from_modes((gain - 1) * denoiser.spectrum.to_modes(x))
    expected = (bias**2).mean((-1, -2)) / (gain * sigma.view(-1, 1, 1, 1) ** 2).mean((-1, -2))
    torch.testing.assert_close(loss, expected, rtol=1e-3, atol=1e-6)


def test_scalar_preconditioning_is_edm_s(data, windows):
    """Untrained, x / (1 + sigma^2); weight (1 + sigma^2) / sigma^2 (Karras et al. 2022, table 1, sigma_data = 1)."""
    denoiser = trainer(data, network=replace(TINY, preconditioning="edm")).average
    x, context, sigma, _ = (torch.stack(a) for a in zip(*(windows[i] for i in range(4)), strict=True))
    level = sigma.view(-1, 1, 1, 1)
    torch.testing.assert_close(denoiser(x, sigma, context), x / (1 + level**2))
    torch.testing.assert_close(denoiser.scaling.loss_weight(sigma), (1 + level**2) / level**2)


@pytest.mark.parametrize("shape", [(6, 20), (20, 6), (8, 8)])
def test_muon_steps_have_singular_values_near_one(shape):
    """The same singular vectors; where a singular value was not tiny, it is one within the coefficients' accuracy."""
    matrix = torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    u, before, v = torch.linalg.svd(matrix, full_matrices=False)
    found = orthogonalized(matrix)
    singular = torch.diagonal(u.T @ found @ v.T)
    torch.testing.assert_close(u @ torch.diag(singular) @ v, found)
    assert ((singular > 0.6) & (singular < 1.3))[before > 0.1 * before[0]].all()


def test_muon_takes_momentum_and_decays():
    """Two steps by hand, where the orthogonal matrix nearest to the gradient is its sign."""
    kernel = torch.nn.Parameter(torch.full((1, 1, 1, 1), 2.0))
    muon, expected, mean = Muon([kernel], lr=0.1, momentum=0.9, weight_decay=0.5), 2.0, 0.0
    for gradient in (3.0, -1.0):
        kernel.grad = torch.full_like(kernel, gradient)
        mean = 0.9 * mean + 0.1 * gradient
        step = orthogonalized(torch.tensor([[0.1 * gradient + 0.9 * mean]])).item()
        expected = expected * (1 - 0.05) - 0.1 * step
        muon.step()
        assert kernel.item() == pytest.approx(expected, rel=1e-5) and 0.6 < abs(step) < 1.3


def test_without_muon_all_is_adam_s(data):
    config = replace(SHORT, kernel_rate=0.0)
    (adam,) = trainer(data, config).optimizers
    assert isinstance(adam, torch.optim.AdamW) and len(adam.param_groups[0]["params"]) > 20
    muon, rest = trainer(data).optimizers
    assert {p.ndim for p in muon.param_groups[0]["params"]} == {4}
    both = len(muon.param_groups[0]["params"]) + len(rest.param_groups[0]["params"])
    assert both == len(adam.param_groups[0]["params"])


def test_named_configurations():
    """`lite` and `wide` fit on a laptop and into a repository; `full` is as large as GenDA's."""
    assert CONFIGURATIONS["wide"][0] == CONFIGURATIONS["lite"][0] and CONFIGURATIONS["wide"][1].climate == WIDE
    for name, low, high, size in (("lite", 0.5e6, 1.5e6, 64), ("full", 9e6, 11e6, 128)):
        network, config = CONFIGURATIONS[name]
        from genda_lite.prior.unet import UNet

        other = ("preconditioning", "linear_estimate")
        kwargs = {k: v for k, v in network.as_dict().items() if k not in other}
        with torch.device("meta"):
            assert low < sum(p.numel() for p in UNet(19, 7, **kwargs).parameters()) < high
        assert config.size == size


def test_parts_of_a_batch_add_up(data):
    """A batch in four parts moves the weights as the whole one does."""
    whole, parts = trainer(data), trainer(data, accumulate=4)
    for _ in range(5):
        assert parts.train_step() == pytest.approx(whole.train_step(), rel=1e-5)
    for a, b in zip(whole.denoiser.parameters(), parts.denoiser.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-3)


def test_worker_processes_change_nothing(data):
    alone, helped = trainer(data), trainer(data, workers=2)
    assert [alone.train_step() for _ in range(3)] == [helped.train_step() for _ in range(3)]


# --- Going on --------------------------------------------------------------------------------------------------------


def test_interrupted_training_goes_on_exactly(data, tmp_path):
    whole, broken = tmp_path / "whole.safetensors", tmp_path / "broken.safetensors"
    once = trainer(data)
    train(once, whole, report_every=10, progress=False)

    first = at_step(trainer(data), 25, fail)  # five steps after its last report are lost and done again
    with pytest.raises(RuntimeError):
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
    assert read_safetensors(whole, FORMAT_3)[1]["tuned"] == read_safetensors(broken, FORMAT_3)[1]["tuned"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_in_good_order(data, tmp_path, number):
    """The step under way is finished, all is written, and what follows is as if nothing had been."""
    whole, stopped = tmp_path / "whole.safetensors", tmp_path / "stopped.safetensors"
    usual = signal.getsignal(number)
    assert train(trainer(data), whole, report_every=10, progress=False)
    first = at_step(trainer(data), 13, lambda: os.kill(os.getpid(), number))
    assert not train(first, stopped, report_every=10, progress=False)
    assert first.step == 14 and load_prior(stopped).training["images_seen"] == 112
    assert signal.getsignal(number) is usual
    second = trainer(data)
    assert train(second, stopped, report_every=10, progress=False)
    assert rows(stopped) == rows(whole)  # the losses of a row are averaged over the stop
    a, b = (load_prior(path).denoiser.network.state_dict() for path in (whole, stopped))
    assert all(torch.equal(a[name], b[name]) for name in a)


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
        with refuses("prior.state.safetensors", "other settings", next(iter(change))):
            train(trainer(data, replace(SHORT, **change)), out, progress=False)
    with refuses("prior.state.safetensors", "other data"):
        train(trainer(data._replace(frames=1.1 * data.frames)), out, progress=False)
    damaged = bytearray(out.with_suffix(".state.safetensors").read_bytes())
    damaged[-5] ^= 1
    out.with_suffix(".state.safetensors").write_bytes(damaged)
    with refuses("prior.state.safetensors", "checksum"):
        train(trainer(data), out, progress=False)


def test_a_training_may_begin_with_the_weights_of_another(data, tmp_path, refuses):
    """Of the data it has the covariance and the scale all the same."""
    before = trainer(data)
    for _ in range(10):
        before.train_step()
    other = part(data, slice(20, 40))
    begun = Trainer(other, None, replace(SHORT, climate=WIDE), TINY, mixed=False, start=before.prior)
    weights, theirs = (t.average.network.state_dict() for t in (begun, before))
    assert all(torch.equal(weights[name], theirs[name]) for name in theirs)
    assert all(torch.equal(a, b) for a, b in zip(begun.denoiser.parameters(), begun.average.parameters(), strict=True))
    assert not torch.allclose(begun.average.spectrum.variance, before.average.spectrum.variance, rtol=0.01)
    with refuses("another network", "the same layers"):
        trainer(data, network=replace(TINY, width=16), start=before.prior)


def test_lost_numbers_stop_and_leave_the_last_checkpoint(data, tmp_path):
    out = tmp_path / "prior.safetensors"
    run = trainer(data)

    def spoil() -> None:
        with torch.no_grad():
            run.denoiser.network.first.weight.fill_(math.nan)

    with pytest.raises(FloatingPointError, match="step 26") as caught:
        train(at_step(run, 25, spoil), out, report_every=10, progress=False)
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


def test_log_for_tensorboard(data, tmp_path):
    pytest.importorskip("tensorboard")
    train(trainer(data), tmp_path / "p.safetensors", 10, progress=False, tensorboard=tmp_path / "log")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = EventAccumulator(str(tmp_path / "log")).Reload()
    logged, table = log.Scalars("validation"), rows(tmp_path / "p.safetensors")
    assert [event.step for event in logged] == [int(row["step"]) for row in table] == [10, 20, 30]
    assert [event.value for event in logged] == pytest.approx([float(row["validation"]) for row in table], abs=1e-4)


# --- Several processes -----------------------------------------------------------------------------------------------


def test_two_processes_train_as_one(data, standardizer, tmp_path):
    """Each with half of the batch: the same first 20 losses, the same weights, one checkpoint."""
    losses = distributed(tmp_path, 2)
    alone = trainer(data)
    assert losses == pytest.approx([alone.train_step() for _ in range(20)], rel=1e-4)


def test_processes_must_be_as_many_as_asked(data, refuses, tmp_path):
    with refuses("1 process", "expected 2", "torchrun"):
        trainer(data, processes=2)
    with refuses("8 windows", "3 part"):
        trainer(data, accumulate=3)


@pytest.mark.parametrize(("able", "native"), [({"avx2": True}, False), ({"avx512_bf16": True}, True), ({}, False)])
def test_bfloat16_is_left_alone_where_it_is_emulated(data, monkeypatch, able, native):
    """An emulated convolution takes eight times as long as one in float32."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able, raising=False)
    assert native_bfloat16(torch.device("cpu")) is native
    assert Trainer(data, None, SHORT, TINY).prior.denoiser.mixed is native


def distributed(folder: Path, processes: int) -> list[float]:
    """Losses of the first 20 steps of a training shared between processes."""
    program = Path(__file__).with_name("distributed_training.py")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    run = subprocess.run(
        [*command, str(program), str(folder)], capture_output=True, text=True, timeout=180, env=environment
    )
    assert run.returncode == 0, run.stderr[-2000:]
    with (folder / "losses.csv").open() as file:
        return [float(row[0]) for row in csv.reader(file)]


def test_priors_are_trained_at_the_noise_that_the_ablation_found_best():
    losses = {
        name: pick(read_table(ABLATION), method=name, case="validation oceans", metric="loss")
        for name in ("default", "noise 0.0, 1.7", "noise 0.7, 1.2", "EDM's noise")
    }
    best = min(losses, key=lambda name: losses[name]["value"].item())
    assert best == "noise 0.0, 1.7"
    for name in ("wide", "trajectory"):
        config = CONFIGURATIONS[name][1]
        assert f"noise {config.noise_mean:.1f}, {config.noise_std:.1f}" == best
