"""What a cycle learns: forecasts, denoisers conditioned on them, and pairs of both, on a tiny sea that drifts."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

from genda_lite.cycle import training
from genda_lite.cycle.conditioned import ConditionedPrior, load_conditioned, save_conditioned
from genda_lite.cycle.emulator import Emulator, EmulatorConfig
from genda_lite.cycle.forecast import Persistence
from genda_lite.cycle.pairs import KeptPairs, Pair, save_pairs
from genda_lite.cycle.passages import Passages, dates_of, passage
from genda_lite.observe.likelihood import LinearGaussian
from genda_lite.observe.operators import Points
from genda_lite.posterior.assimilate import sample_posterior
from genda_lite.prepare.frames import Frames, TrainingSet
from genda_lite.prior import Domain, GaussianPrior, NetworkConfig
from genda_lite.prior.spectral import Basis, Spectrum
from genda_lite.prior.train import TrainingConfig, train
from genda_lite.state import CHANNELS, Grid, harmonics

N, C = 16, len(CHANNELS)
TINY = EmulatorConfig(width=8, multipliers=(1, 2), blocks=1)
SMALL = NetworkConfig(width=8, multipliers=(1, 2), blocks=1)
STEP = 2.0
SHORT = TrainingConfig(images=1600, batch=16, size=N, ema_images=400, state=passage(STEP, 2))
DAY = np.datetime64("2000-06-01T12:00", "s")


def drifting(seed: int, days: int = 40, ny: int = 20, nx: int = 24) -> np.ndarray:
    """Anomalies (days, C, ny, nx): waves of large scale that drift a cell eastward from frame to frame, with a little
    noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:ny, : nx + days]
    field = 0.0
    for k in (1, 2, 3):
        phase = rng.uniform(0, 2 * np.pi, (C, 1, 1))
        field = field + np.sin(2 * np.pi * (k * x / 24 + rng.choice([-1, 1], (C, 1, 1)) * y / 20) + phase)
    frames = [field[:, :, days - day : days - day + nx] for day in range(days)]
    return np.stack(frames) + 0.05 * rng.normal(size=(days, C, ny, nx))


def sea(standardizer, *seeds: int) -> TrainingSet:
    """Such oceans as training data, a frame every two days."""
    latitude, longitude = 37 + np.arange(20) / 12, -60 + np.arange(24) / 12
    time = DAY.astype("M8[ns]") + np.arange(40) * np.timedelta64(2, "D")
    oceans = []
    for seed in seeds:
        usual = np.stack([standardizer.climatology(latitude[:, None], t) for t in time])
        fields = usual + standardizer.scale[:, None, None] * drifting(seed)
        dims = ("time", "latitude", "longitude")
        ds = xr.Dataset({name: (dims, fields[:, k]) for k, name in enumerate(CHANNELS)})
        oceans.append(ds.assign_coords(time=time, latitude=latitude, longitude=longitude))
    season = torch.from_numpy(np.concatenate([harmonics(time)] * len(seeds)).astype("f4"))
    return TrainingSet(Frames(oceans, standardizer), season, latitude, longitude, standardizer)


@pytest.fixture(scope="module")
def oceans(standardizer) -> TrainingSet:
    return sea(standardizer, 0, 1, 2, 3)


@pytest.fixture(scope="module")
def unseen(standardizer) -> TrainingSet:
    return sea(standardizer, 9)


@pytest.fixture(scope="module")
def local() -> Domain:
    return Domain((37.0, 37 + 19 / 12), (-60.0, -60 + 23 / 12))


@pytest.fixture(scope="module", autouse=True)
def few():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "ERROR_WINDOWS", 200)
        patch.setattr(training, "RESIDUALS", 100)
        yield


def like(standardizer, domain) -> GaussianPrior:
    return GaussianPrior(torch.eye(C).expand(N, N, C, C).clone(), standardizer, domain)


# --- Passages ---------------------------------------------------------------------------------------------------------


def test_a_passage_is_one_place_as_time_goes_by(oceans, local):
    passages = Passages(oceans, local, N, STEP, 2, seed=1)
    for i in range(5):
        frame, south, west = passages.place(i, np.random.default_rng([1, i]))
        x, context, season = passages[i]
        assert x.shape == (3, C, N, N) and context.shape == (5, N, N)
        for k in range(3):
            assert torch.equal(x[k], oceans.frames[frame + k][:, south : south + N, west : west + N])
        assert torch.equal(season, oceans.harmonics[frame, 1:])
        assert frame // 40 == (frame + 2) // 40  # of one ocean


def test_dates_have_the_season_that_they_are_of():
    time = np.datetime64("2000-01-01", "s") + np.array([0, 50, 183, 300]) * np.timedelta64(86400, "s")
    season = torch.from_numpy(harmonics(time)[:, 1:])
    assert (abs(dates_of(season) - time) < np.timedelta64(2, "m")).all()


# --- The emulator -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(oceans, unseen, tmp_path_factory) -> tuple[training.EmulatorTrainer, Path]:
    out = tmp_path_factory.mktemp("emulator") / "emulator.safetensors"
    trainer = training.EmulatorTrainer(oceans, unseen, SHORT, TINY, mixed=False)
    assert train(trainer, out, report_every=100, progress=False)
    return trainer, out


def error(forecast, data: TrainingSet, domain: Domain, steps: int) -> float:
    """Mean squared error of a forecast, from perfect states of an ocean."""
    pairs = list(Passages(data, domain, N, STEP, steps, seed=3).pairs(forecast, 60))
    return float(torch.cat([(b - x).square().mean((1, 2, 3)) for b, x in pairs]).mean())


def test_untrained_an_emulator_is_persistence(standardizer):
    x = torch.randn(2, C, 10, 14)
    emulator = Emulator(torch.ones(C), standardizer, TINY)
    torch.testing.assert_close(emulator(x, DAY, [2, 6]), x.expand(2, -1, -1, -1, -1))


def test_an_emulator_learns_that_the_sea_drifts(trained, unseen, local, standardizer):
    emulator = Emulator.load(trained[1], like(standardizer, local))
    for steps, share in ((1, 0.75), (3, 0.9)):
        assert error(emulator, unseen, local, steps) < share * error(Persistence(STEP), unseen, local, steps)


def test_a_rollout_is_one_step_after_the_other(trained, standardizer, local):
    emulator, x = Emulator.load(trained[1], like(standardizer, local)), torch.randn(2, C, N, N)
    once = emulator(x, DAY, [2, 4])
    torch.testing.assert_close(once[1], emulator(once[0], DAY, [2])[0])


def test_an_emulator_takes_fields_of_any_size(trained, standardizer, local):
    emulator = Emulator.load(trained[1], like(standardizer, local))
    assert emulator(torch.randn(1, C, 21, 19), DAY, [4]).shape == (1, 1, C, 21, 19)
    drawn = emulator(torch.zeros(1, C, 21, 19), DAY, [2], lambda: torch.randn(1, C, 21, 19))
    assert drawn.shape == (1, 1, C, 21, 19)


def test_its_ensembles_spread_as_it_errs(trained, unseen, local, standardizer):
    """What it does not know of a step is drawn: the variance of the draws is its error's."""
    emulator = Emulator.load(trained[1], like(standardizer, local))
    x = torch.zeros(400, C, N, N)
    draw = torch.Generator().manual_seed(0)
    drawn = emulator(x, DAY, [STEP], lambda: torch.randn(x.shape, generator=draw))[0] - emulator(x, DAY, [STEP])[0]
    passages = Passages(unseen, local, N, STEP, 1, seed=0)
    errors = torch.cat([x - b for b, x in passages.pairs(emulator, 200)])
    assert float(drawn.var() / errors.square().mean()) == pytest.approx(1, abs=0.15)


def test_training_goes_on_where_it_stopped(oceans, trained, tmp_path, monkeypatch):
    """Cut short, and continued, it has the weights of one that was not."""
    short = replace(SHORT, images=96)
    whole, cut = (training.EmulatorTrainer(oceans, None, short, TINY, mixed=False) for _ in range(2))
    assert train(whole, tmp_path / "whole.safetensors", 2, progress=False)
    step = cut.train_step
    monkeypatch.setattr(cut, "train_step", lambda: step() if cut.step < 4 else 1 / 0)
    with pytest.raises(ZeroDivisionError):
        train(cut, tmp_path / "cut.safetensors", 2, progress=False)
    again = training.EmulatorTrainer(oceans, None, short, TINY, mixed=False)
    assert train(again, tmp_path / "cut.safetensors", 2, progress=False)
    for a, b in zip(whole.average.parameters(), again.average.parameters(), strict=True):
        assert torch.equal(a, b)


def test_the_log_tells_the_error_over_persistences(trained):
    with trained[1].with_suffix(".csv").open() as file:
        log = list(csv.DictReader(file))
    assert float(log[-1]["step 1"]) < 0.75 and float(log[-1]["validation"]) < 0.9


def test_foreign_checkpoints_and_states_are_refused(trained, standardizer, local, refuses, tmp_path):
    other = like(replace(standardizer, scale=2 * standardizer.scale), local)
    with refuses("other channels or scales"):
        Emulator.load(trained[1], other)
    with refuses("expected a checkpoint"):
        load_conditioned(trained[1])
    emulator = Emulator(torch.ones(C), standardizer, TINY)
    with refuses("states of shape"):
        emulator(torch.zeros(1, 3, N, N), DAY, [2])
    with refuses("lead times of 3 days"):
        emulator(torch.zeros(1, C, N, N), DAY, [3])
    with refuses("does not know its error"):
        emulator(torch.zeros(1, C, N, N), DAY, [2], lambda: torch.zeros(1, C, N, N))


# --- The conditioned denoiser -----------------------------------------------------------------------------------------

PAIRED = replace(SHORT, images=960, state=passage(STEP, 1))


@pytest.fixture(scope="module")
def conditioned(oceans, unseen, tmp_path_factory) -> tuple[training.ConditionedTrainer, Path]:
    out = tmp_path_factory.mktemp("conditioned") / "conditioned.safetensors"
    trainer = training.ConditionedTrainer(oceans, unseen, PAIRED, SMALL, mixed=False, forecast=Persistence(STEP))
    assert train(trainer, out, report_every=60, progress=False)
    return trainer, out


def untrained(standardizer, domain, seed: int = 0) -> ConditionedPrior:
    mixing = torch.randn(N, N, C, C, generator=torch.Generator().manual_seed(seed))
    covariance = 0.05 * (mixing @ mixing.mT / C + 0.3 * torch.eye(C))
    return ConditionedPrior(covariance, standardizer, domain, SMALL, basis=Basis.cosines(N, N))


def test_untrained_it_is_the_filter_of_the_background(standardizer, local):
    """And its covariance is B: guidance then is 3D-Var."""
    prior = untrained(standardizer, local)
    b = torch.randn(C, N, N)
    told = prior.given(b)
    z, sigma = torch.randn(3, C, N, N), torch.tensor(0.3)
    univariate = Spectrum(prior.cross_covariance, univariate=True, basis=prior.spectrum.basis)
    torch.testing.assert_close(told.denoise(z, sigma), univariate.wiener_filter(z, sigma), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(told.covariance(sigma)(z), prior.spectrum.posterior_covariance(sigma)(z))
    assert torch.equal(told.background.mean[0], b)


def test_it_learns_what_a_forecast_lacks(conditioned, unseen, local):
    """Of persistence on a sea that drifts: the departure follows from the forecast."""
    prior = load_conditioned(conditioned[1])
    states, context, _ = map(torch.stack, zip(*(Passages(unseen, local, N, STEP)[i] for i in range(40)), strict=True))
    b, truth = states[:, 0], states[:, 1]
    told, sigma = prior.given(b), torch.tensor(5.0)
    noise = torch.randn(b.shape, generator=torch.Generator().manual_seed(0))
    found = told.denoise(truth - b + sigma * noise, sigma, context)
    blind = told.spectrum.wiener_filter(truth - b + sigma * noise, sigma)
    misled = prior.given(b.flip(0)).denoise(truth - b + sigma * noise, sigma, context)
    left, filtered, wrong = (float((d - (truth - b)).square().mean()) for d in (found, blind, misled))
    assert left < 0.88 * filtered and left < 0.9 * wrong


def test_every_guidance_and_sampler_takes_it(conditioned, unseen, local):
    """Analyses of the departure: nearer to the truth than the forecast, which it is told as a row or as rows."""
    prior = load_conditioned(conditioned[1])
    states, context, _ = Passages(unseen, local, N, STEP)[5]
    grid = Grid(np.arange(N) / 12, np.arange(N) / 12)
    rng = np.random.default_rng(0)
    rows, columns, channel = rng.integers(N, size=60), rng.integers(N, size=60), rng.integers(C, size=60)
    operator = Points(grid, channel, rows / 12, columns / 12, C)
    likelihood = LinearGaussian(operator, operator(states[1:])[0], torch.full((60,), 0.05**2))
    for forecast in (states[0], states[0].expand(4, -1, -1, -1)):
        told = prior.given(forecast)
        for guidance in ("oi", "hybrid"):
            draws = sample_posterior(
                told, told.centred(likelihood), context[None], 4, guidance=guidance, steps=8, batch=4
            )
            found = (told.background.mean + draws).mean(0)
            assert (found - states[1]).square().mean() < 0.5 * (states[0] - states[1]).square().mean()


def test_a_larger_field_is_composed_of_windows(standardizer, local):
    prior = untrained(standardizer, local)
    b = torch.randn(C, 20, 24)
    told = prior.given(b)
    assert told.shape == (C, 20, 24) and prior.given(b).network is told.network
    z = torch.randn(2, C, 20, 24)
    assert told.denoise(z, torch.tensor(0.3), torch.zeros(1, 5, 20, 24)).shape == z.shape
    window = prior.given(b[:, :N, :N]).denoise(z[:, :, :N, :N], torch.tensor(0.3))
    corner = told.denoise(z, torch.tensor(0.3))[..., :4, :4]
    torch.testing.assert_close(corner, window[..., :4, :4])  # where one window is alone


def test_what_it_knows_is_kept(standardizer, local, tmp_path):
    prior = untrained(standardizer, local)
    torch.nn.init.normal_(prior.denoiser.network.last[-1].weight, std=0.1)
    save_conditioned(prior, tmp_path / "a.safetensors")
    again = load_conditioned(tmp_path / "a.safetensors")
    b, z = torch.randn(C, N, N), torch.randn(1, C, N, N)
    torch.testing.assert_close(
        again.given(b).denoise(z, torch.tensor(0.2)), prior.given(b).denoise(z, torch.tensor(0.2)), atol=2e-3, rtol=0
    )
    assert again.crossover == pytest.approx(prior.crossover)


# --- Kept pairs -------------------------------------------------------------------------------------------------------


def test_pairs_are_kept_and_trained_on(oceans, local, tmp_path, refuses):
    rng = torch.Generator().manual_seed(0)
    grid = Grid(oceans.latitude[:N], oceans.longitude[:N])
    pairs = []
    for day in range(30):
        truth = oceans.frames[day][:, :N, :N]
        pairs.append(Pair(truth + 0.3 * torch.randn(C, N, N, generator=rng), truth, grid, DAY))
    save_pairs(pairs, tmp_path / "pairs.safetensors", {"round": 1})
    kept = KeptPairs.load([tmp_path / "pairs.safetensors"] * 2, local)
    assert len(kept) == 60
    states, context, season = kept[0]
    assert states.shape == (2, C, N, N) and context.shape == (5, N, N)
    torch.testing.assert_close(season, torch.from_numpy(harmonics(DAY)[1:].astype("f4")))
    trainer = training.ConditionedTrainer(oceans, None, replace(PAIRED, images=64), SMALL, mixed=False, kept=kept)
    assert float(trainer.prior.cross_covariance.diagonal(dim1=-2, dim2=-1).mean()) == pytest.approx(0.09, rel=0.1)
    # Noise is drawn about the size of departures, as it is about that of anomalies elsewhere.
    assert trainer.windows.mean == pytest.approx(PAIRED.noise_mean + np.log(0.3), abs=0.06)
    assert train(trainer, tmp_path / "c.safetensors", progress=False)
    with refuses("no pairs"):
        save_pairs([], tmp_path / "none.safetensors")
    with refuses("not both"):
        training.ConditionedTrainer(oceans, None, PAIRED, SMALL, mixed=False)
    with refuses("expected (8, 8)"):
        training.ConditionedTrainer(oceans, None, replace(PAIRED, size=8), SMALL, mixed=False, kept=kept)
