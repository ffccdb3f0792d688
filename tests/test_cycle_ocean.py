"""The cycle over the ocean: its ways, its files, what it never sees, and how it goes on."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr
from conftest import red_covariance
from test_cli import genda
from test_experiment import archive_of

from genda_lite.baselines.enkf import gaspari_cohn, letkf, letkf_of_fields
from genda_lite.cycle.background import Background, BackgroundPrior, matrices
from genda_lite.cycle.conditioned import ConditionedPrior
from genda_lite.cycle.cycle import CentredNoise
from genda_lite.cycle.forecast import LinearInverseModel, Persistence
from genda_lite.cycle.ocean import gathered, known_maps, localized, repainted
from genda_lite.cycle.stored import Windowed, load_error, load_forecast, on_field, save_error, save_linear
from genda_lite.observe.likelihood import Likelihood
from genda_lite.observe.table import Observations
from genda_lite.prepare.frames import TrainingSet
from genda_lite.prior import Domain, GaussianPrior, NetworkConfig
from genda_lite.prior.spectral import Spectrum
from genda_lite.state import CHANNELS, Grid
from genda_lite.verify.forecast import evaluate_forecasts, rows_of_forecasts
from genda_lite.verify.ose import cycling, judge
from genda_lite.verify.ose.cycling import Tools, run_cycle
from genda_lite.verify.ose.experiment import KEPT, Experiment, Setting, open_results
from genda_lite.verify.ose.lead_time import analyses_of, evaluate_lead_time, lead_time_lost, rows_of_lead_time
from genda_lite.verify.ose.own import Passing, own_pairs

C, N = len(CHANNELS), 16
BOX = (-62.0, -60.5, 37.0, 38.5)  # 19 x 19 points
NOON = np.datetime64("2000-06-05T12:00", "s")


@pytest.fixture(scope="module")
def prior(standardizer) -> GaussianPrior:
    return GaussianPrior(red_covariance(N, N, C), standardizer, Domain((33.0, 43.0), (-72.0, -52.0)))


@pytest.fixture(scope="module")
def error(prior) -> Spectrum:
    return Spectrum(0.1 * matrices(prior.spectrum), basis=prior.spectrum.basis)


@pytest.fixture(scope="module")
def network(prior) -> ConditionedPrior:
    small = NetworkConfig(width=8, multipliers=(1, 2))
    parts = prior.standardizer, prior.domain, small
    return ConditionedPrior(0.1 * red_covariance(N, N, C), *parts, basis=prior.spectrum.basis)


@pytest.fixture
def experiment(tmp_path) -> Experiment:
    archive = archive_of(tmp_path / "archive", box=BOX)
    return Experiment(archive, Setting(members=3, window=2.0, decorrelation=0.0, products=(), box=BOX, reference=False))


def tools(prior, **more) -> Tools:
    return Tools(prior, Persistence(2.0), **more)


# --- Forecasts on disk ------------------------------------------------------------------------------------------------


def test_a_linear_model_is_kept_and_blended_on_a_larger_field(prior, tmp_path, refuses):
    """Where one window is alone the forecast is its own, a factor is a factor everywhere, and errors are drawn."""
    s = matrices(prior.spectrum)
    keep = torch.rand(N, N, 1, 1, generator=torch.Generator().manual_seed(0)).double() * torch.eye(C).double()
    model = LinearInverseModel(s, keep, prior.spectrum.basis, 2.0)
    save_linear(model, tmp_path / "lim.safetensors", prior)
    again = load_forecast(tmp_path / "lim.safetensors", prior)
    x = torch.randn(2, C, N, N)
    torch.testing.assert_close(again(x, NOON, [2, 4]), model(x, NOON, [2, 4]), atol=1e-4, rtol=1e-3)
    wide = torch.randn(1, C, 21, N)
    found = again(wide, NOON, [2])[0]
    torch.testing.assert_close(found[:, :, :2], model(wide[:, :, :N], NOON, [2])[0][:, :, :2], atol=1e-4, rtol=1e-3)
    half = Windowed(LinearInverseModel(s, 0.5 * torch.eye(C).expand(N, N, C, C).double(), prior.spectrum.basis, 2.0))
    wide = torch.randn(1, C, 21, 23)
    torch.testing.assert_close(half(wide, NOON, [2, 4])[1], 0.25 * wide, atol=1e-5, rtol=1e-4)
    drawn = half(torch.zeros(300, C, 21, 23), NOON, [2], lambda: torch.randn(300, C, 21, 23))[0]
    expected = on_field(half.error, (21, 23)).pointwise_variance().mean()
    assert float(drawn.square().mean() / expected) == pytest.approx(1, abs=0.1)
    with refuses("no such file"):
        load_forecast(tmp_path / "none.safetensors", prior)


def test_a_background_error_is_kept_and_never_larger_than_the_priors(prior, error, tmp_path, refuses):
    save_error(Spectrum(3.0 * matrices(error), basis=error.basis), tmp_path / "b.safetensors")
    found = matrices(load_error(tmp_path / "b.safetensors", prior))
    torch.testing.assert_close(found.float(), (3.0 * matrices(error)).float(), atol=1e-4, rtol=1e-3)
    save_error(Spectrum(30.0 * matrices(error), basis=error.basis), tmp_path / "large.safetensors")
    gap = matrices(prior.spectrum) - matrices(load_error(tmp_path / "large.safetensors", prior))
    assert float(torch.linalg.eigvalsh(gap).min()) > -1e-3
    other = GaussianPrior(red_covariance(8, 8, C), prior.standardizer, prior.domain)
    with refuses("a background error of shape"):
        load_error(tmp_path / "b.safetensors", other)


# --- Where observations lie -------------------------------------------------------------------------------------------


def table(grid: Grid, rows, columns, values, channel="zos") -> Observations:
    place = {"latitude": ("n", grid.latitude[rows]), "longitude": ("n", grid.longitude[columns])}
    points = xr.Dataset({channel: ("n", np.asarray(values, float))}, place)
    return Observations.from_points(points, channel, 0.02, reference_error=0.0)


@pytest.fixture
def grid() -> Grid:
    return Grid.around(-60.0, 38.0, (N, N))


def test_the_letkf_of_fields_is_that_of_their_points():
    x = torch.randn(6, 2, 9, 11, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rows, columns = torch.tensor([1, 4, 8]), torch.tensor([2, 9, 5])
    y, values, variance = x[:, 0, rows, columns], torch.ones(3).double(), torch.full((3,), 0.2).double()

    def distance(j, i):
        return torch.hypot(
            (torch.arange(9)[None, j, None] - rows[:, None, None]).double(),
            (torch.arange(11)[None, None, i] - columns[:, None, None]).double(),
        )

    found = letkf_of_fields(x, y, values, variance, distance, 2.0, block=4)
    taper = gaspari_cohn(distance(slice(None), slice(None)).flatten(1), 2.0)
    for channel in range(2):
        expected = letkf(x[:, channel].flatten(1), y, values, variance, taper)
        torch.testing.assert_close(found[:, channel].flatten(1), expected)


def test_a_localized_update_moves_what_is_near(prior, grid):
    likelihood = Likelihood(table(grid, [8], [8], [1.5]), grid, prior.standardizer, NOON)
    states = prior.spectrum.sample(8, generator=torch.Generator().manual_seed(0))
    found = localized(grid, radius=20.0)(states, likelihood, None)
    moved = (found - states).abs().amax((0, 1))
    assert moved[8, 8] > 0.1 and moved[0].max() < 1e-5 and moved[:, 15].max() < 1e-5
    seen = [float((likelihood.value - likelihood.operator(x)).abs().mean()) for x in (states, found)]
    assert seen[1] < 0.3 * seen[0]


def test_known_maps_are_kriged_departures_and_a_mask_for_what_is_observed(prior, error, grid):
    """Two values in one cell are one; channels that nobody observes have a mask of zero."""
    seen = table(grid, [3, 3, 12], [4, 4, 10], [0.6, 0.8, 0.2]) + table(grid, [5], [6], [20.0], "thetao")
    likelihood = Likelihood(seen, grid, prior.standardizer, NOON)
    b = prior.spectrum.sample(1, generator=torch.Generator().manual_seed(1))[0]
    told = BackgroundPrior(Background(b, error), prior)
    centred = told.centred(likelihood)
    cells, values = gathered(centred, prior.state, grid)[0]
    assert cells.tolist() == [3 * N + 4, 12 * N + 10]
    torch.testing.assert_close(values[0, 0], centred.value[0, :2].mean())
    maps, mask = known_maps(told, centred, grid)
    assert maps.shape == (1, C, N, N) and mask[2:].abs().max() == 0
    assert mask[0, 3, 4] == 1 and mask[0, 3, 5] == pytest.approx(np.exp(-0.5 * (0.79 / 1.5) ** 2), abs=0.02)
    torch.testing.assert_close(maps[0, 0, 12, 10], values[0, 1], atol=1e-4, rtol=0)
    torch.testing.assert_close(maps[0, 1, 5, 6], centred.value[0, 3], atol=1e-4, rtol=0)


def test_repainting_gives_the_observed_values(prior, error, grid):
    likelihood = Likelihood(table(grid, [3, 12], [4, 10], [0.6, 0.2]), grid, prior.standardizer, NOON)
    told = BackgroundPrior(Background(torch.zeros(C, N, N), error), prior)
    noise = CentredNoise(0, range(4), (C, N, N), "cpu")
    draws = repainted(grid, steps=20, length=5, samples=2, width=0.0)(told, told.centred(likelihood), None, noise)
    torch.testing.assert_close(likelihood.operator(draws), likelihood.value.expand(4, 2), atol=1e-4, rtol=0)
    assert draws[:, 0, 8, 8].std() > 0.01


# --- The cycle --------------------------------------------------------------------------------------------------------


def run(experiment, way, given, folder, count=3):
    dates = cycling.dates_of(experiment, 2 * count - 1, 2.0, "2000-06-03")
    run_cycle(experiment, way, given, folder, dates)
    return open_results(folder, way, ("zos", "thetao", "uo"))


@pytest.mark.parametrize("way", cycling.WAYS)
def test_every_way_cycles_on_a_box_larger_than_a_window(experiment, prior, error, network, tmp_path, way):
    believed = network if way in cycling.NEEDS_NETWORK else error if way in cycling.NEEDS_ERROR else None
    given = tools(prior, background=believed, painting=(("steps", 6), ("length", 3), ("samples", 1)))
    if way == cycling.LETKF:
        lim = LinearInverseModel(matrices(prior.spectrum), 0.9 * torch.eye(C).expand(N, N, C, C).double(),
                                 prior.spectrum.basis, 2.0)  # fmt: skip
        given = replace(given, forecast=Windowed(lim))
    found = run(experiment, way, given, tmp_path / "out", 2)
    assert found["zos"].dropna("time", how="all").shape == (3, 2, 19, 19)
    assert np.isfinite(found["uo"].isel(time=-1)).all() and float(found["zos"].std("member").mean()) > 0


def test_what_judges_an_experiment_knows_every_way(experiment, prior, error, tmp_path):
    run(experiment, cycling.THREE_D_VAR, tools(prior, background=error), tmp_path / "out", 2)
    assert judge.methods_in(tmp_path / "out") == [cycling.THREE_D_VAR]
    assert set(KEPT) <= set(judge.ORDER) and set(cycling.WAYS) < set(judge.IN_WORDS)


def test_a_cycle_that_stops_goes_on_as_if_it_had_not(experiment, prior, error, tmp_path):
    given = tools(prior, background=error)
    whole = run(experiment, cycling.THREE_D_VAR, given, tmp_path / "whole")
    run(experiment, cycling.THREE_D_VAR, given, tmp_path / "cut", 2)
    again = run(experiment, cycling.THREE_D_VAR, given, tmp_path / "cut")
    xr.testing.assert_identical(whole, again)
    assert not list((tmp_path / "cut").rglob("*tmp*"))


def test_nothing_after_noon_is_seen(experiment, prior, error, tmp_path):
    """The afternoon's altimeter counts on the next date, not on its own."""
    seen, _ = experiment.observations(NOON, past=True)
    both, _ = experiment.observations(NOON)
    assert 0 < len(seen) < len(both) and (seen.time <= NOON).all() and (both.time > NOON).any()


def test_what_was_seen_is_worth_something(experiment, prior, error, tmp_path):
    """3D-Var from day to day stays nearer to the tracks to come than the climatology."""
    found = run(experiment, cycling.THREE_D_VAR, tools(prior, background=error), tmp_path / "out", 4)
    seen, _ = experiment.observations(np.datetime64("2000-06-10"))
    at = found["zos"].isel(time=-1).mean("member").interp(
        latitude=("n", seen.latitude), longitude=("n", seen.longitude))  # fmt: skip
    usual = prior.standardizer.climatology(seen.latitude, NOON)[0]
    off = [float(np.nanmean((seen.value - values) ** 2)) for values in (at.values, usual)]
    assert off[0] < 0.5 * off[1]


def test_cycles_that_cannot_be_are_refused(experiment, prior, error, network, tmp_path, refuses):
    dates = cycling.dates_of(experiment, 3, 2.0, "2000-06-03")
    with refuses("covariance of its background's error"):
        run_cycle(experiment, cycling.THREE_D_VAR, tools(prior), tmp_path / "a", dates)
    with refuses("conditioned on forecasts"):
        run_cycle(experiment, cycling.CONDITIONED, tools(prior, background=error), tmp_path / "a", dates)
    with refuses("draw an error of their own"):
        run_cycle(experiment, cycling.LETKF, tools(prior), tmp_path / "a", dates)
    with refuses("forecasts one box"):
        load_forecast("nature", prior)
    with refuses("way 'nudging' is unknown"):
        run_cycle(experiment, "nudging", tools(prior), tmp_path / "a", dates)
    with refuses("whole days"):
        cycling.dates_of(experiment, 3, 0.5)
    run_cycle(experiment, cycling.THREE_D_VAR, tools(prior, background=error), tmp_path / "b", dates)
    other = Experiment(experiment.archive, replace(experiment.setting, seed=9))
    with refuses("is of other settings"):
        run_cycle(other, cycling.THREE_D_VAR, tools(prior, background=error), tmp_path / "b", dates)
    with refuses("lead times of 2 days"):
        three = replace(tools(prior, background=error), forecast=Persistence(3.0))
        run_cycle(experiment, cycling.THREE_D_VAR, three, tmp_path / "c", dates)
    assert not (tmp_path / "a").exists() or not list((tmp_path / "a").rglob("*.nc"))


# --- Pairs of its own, and the commands -------------------------------------------------------------------------------


def test_a_cycle_over_training_oceans_gives_pairs(prior, error, standardizer):
    """Of the days after the spin-up; forecasts are of the truth's size and nearer to it than the climatology."""
    rng = np.random.default_rng(0)
    time = np.datetime64("2000-06-01T12:00", "ns") + np.arange(8) * np.timedelta64(2, "D")
    latitude, longitude = 36 + np.arange(20) / 12, -62 + np.arange(22) / 12
    usual = np.stack([standardizer.climatology(latitude[:, None], t) for t in time])
    wave = np.sin(np.linspace(0, 5, 22)) * np.cos(np.linspace(0, 4, 20))[:, None]
    fields = usual + standardizer.scale[:, None, None] * rng.choice([-1.5, 1.5], C)[:, None, None] * wave
    dims = ("time", "latitude", "longitude")
    ds = xr.Dataset({name: (dims, fields[:, k]) for k, name in enumerate(CHANNELS)})
    ds = ds.assign_coords(time=time, latitude=latitude, longitude=longitude)
    passing = Passing(cycling.THREE_D_VAR, days=10, spin=6, members=3, passages=1)
    pairs = list(own_pairs([ds], tools(prior, background=error), passing))
    assert len(pairs) == 3
    for pair in pairs:
        assert pair.forecast.shape == pair.truth.shape == (C, N, N)
        zos = [float(a[0].square().mean()) for a in (pair.forecast - pair.truth, pair.truth)]
        assert zos[0] < 0.7 * zos[1]
    again = list(own_pairs([ds], tools(prior, background=error), passing))
    assert all(torch.equal(a.forecast, b.forecast) for a, b in zip(pairs, again, strict=True))


def test_passages_that_cannot_be_are_refused(prior, error, refuses):
    with refuses("expected days to be left"):
        Passing(cycling.THREE_D_VAR, days=10, spin=10)


def test_skill_by_lead_time():
    """Persistence is one by definition; a forecast that halves what it is given is told as too small."""
    rng = np.random.default_rng(0)

    class Half:
        step = 2.0

        def __call__(self, states, time, days, noise=None):
            return torch.stack([0.5**k * states for k in range(1, len(days) + 1)])

    class Series(list):
        def series(self, lags):
            return np.arange(6)[:, None] + np.array([round(lag / 2) for lag in lags])

    waves = np.sin(np.arange(24) / 3 + np.arange(10)[:, None, None, None]) * np.ones((10, C, 16, 24))
    frames = Series(torch.from_numpy((waves + 0.1 * rng.normal(size=waves.shape)).astype("f4")))
    season = torch.tensor([[1.0, 1.0, 0.0]] * 10)
    scale = type("Scale", (), {"scale": np.full(C, 2.0)})
    data = TrainingSet(frames, season, 37 + np.arange(16) / 12, -60 + np.arange(24) / 12, scale)
    lines = list(evaluate_forecasts({"half": Half()}, data, (2.0, 4.0), 4))

    def value(**wanted):
        (one,) = (line for line in lines if all(line[k] == v for k, v in wanted.items()))
        return one["value"]

    assert value(method="persistence", day=2.0, channel="zos", metric="rmse over persistence") == 1
    assert value(method="half", day=4.0, channel="so", metric="size over the truth's") == pytest.approx(0.25, abs=0.03)
    assert value(method="half", day=2.0, channel="zos", metric="small scales") == pytest.approx(-0.6, abs=0.2)
    error = (frames[1] - frames[0])[0].square().mean() ** 0.5
    assert value(method="persistence", day=2.0, channel="zos", metric="rmse") == pytest.approx(
        2 * float(error), rel=0.2
    )
    rows = rows_of_forecasts(lines)
    judged = next(one for one in rows if one["name"] == "half, forecast, day 2, zos: rmse over persistence")
    assert judged["target"] == "at most 1"


def test_the_commands_from_an_ocean_to_a_cycle(monkeypatch, tmp_path, capsys):
    """Tiny: a forecast and a background error are trained, pairs are made, and the twin is cycled."""
    ocean = tmp_path / "o.nc"
    assert genda(monkeypatch, "simulate", "--days", 8, "--spin-up", 0, "--every", 2, "--seed", 4, "--out", ocean) == 0
    lim, b, pairs = (tmp_path / f"{name}.safetensors" for name in ("lim", "b", "pairs"))
    data = ("--data", ocean)
    assert genda(monkeypatch, "train-forecast", *data, "--kind", "linear", "--images", 60, "--out", lim) == 0
    assert genda(monkeypatch, "train-background", *data, "--kind", "gaussian", "--images", 40, "--forecast", lim,
                 "--out", b) == 0  # fmt: skip
    assert genda(monkeypatch, "pairs", *data, "--forecast", lim, "--background", b, "--days", 6, "--spin", 2,
                 "--passages", 1, "--members", 2, "--out", pairs) == 0  # fmt: skip
    again = tmp_path / "again.safetensors"
    assert genda(monkeypatch, "train-background", *data, "--kind", "gaussian", "--pairs", pairs, "--forecast", lim,
                 "--out", again) == 0  # fmt: skip
    out = tmp_path / "cycle"
    assert genda(monkeypatch, "cycle", "--way", "3D-Var", "--forecast", lim, "--background", b, "--days", 3,
                 "--members", 2, "--box", -62.667, -57.416, 35.333, 40.584, "--out", out) == 0  # fmt: skip
    assert len(list(out.rglob("*.nc"))) == 2
    assert genda(monkeypatch, "evaluate", "forecast", *data, "--forecast", lim, "--days", 4, "--starts", 2,
                 "--table", tmp_path / "forecast.csv") == 0  # fmt: skip
    assert "rmse over persistence" in (tmp_path / "forecast.csv").read_text()
    with xr.open_dataset(min(out.rglob("*.nc"))) as first, xr.open_dataset(ocean) as ds:
        dates = first["time"].values[0] + np.arange(ds.sizes["time"]) * np.timedelta64(2, "D")
        ds.assign_coords(time=dates).to_netcdf(tmp_path / "truth.nc", engine="h5netcdf")
    capsys.readouterr()
    shown = ("--truth", tmp_path / "truth.nc", "--forecast", lim, "--table", tmp_path / "lead.csv")
    assert genda(monkeypatch, "evaluate", "lead-time", "--folder", out, "--way", "3D-Var", *shown, "--days", 2,
                 "--skip", 0) == 0  # fmt: skip
    assert "3D-Var, lead time, day 2, zos: days lost" in capsys.readouterr().out
    assert "rmse from the truth" in (tmp_path / "lead.csv").read_text()
    assert genda(monkeypatch, "cycle", "--way", "nudging", "--out", out) == 2
    assert "way 'nudging' is unknown" in capsys.readouterr().err


@pytest.mark.slow
def test_the_commands_of_the_networks(monkeypatch, tmp_path):
    ocean = tmp_path / "o.nc"
    assert genda(monkeypatch, "simulate", "--days", 14, "--spin-up", 0, "--every", 2, "--out", ocean) == 0
    emulator, network = (tmp_path / f"{name}.safetensors" for name in ("emulator", "network"))
    assert genda(monkeypatch, "train-forecast", "--data", ocean, "--images", 64, "--out", emulator) == 0
    assert genda(monkeypatch, "train-background", "--data", ocean, "--forecast", emulator, "--images", 64,
                 "--out", network) == 0  # fmt: skip
    assert emulator.stat().st_size < 4e6 and network.stat().st_size < 4e6


# --- Lead time --------------------------------------------------------------------------------------------------------


def test_lead_time_lost_by_hand():
    """An analysis as wrong as a forecast of three days loses three days at once; one that no forecast is as bad as,
    more than can be told."""
    days, perfect = [0.0, 2.0, 4.0, 6.0], np.array([0.0, 2.0, 3.0, 4.0])
    lost = lead_time_lost(perfect, np.array([2.5, 3.5, 3.9, 9.0]), days)
    np.testing.assert_allclose(lost, [3.0, 3.0, 1.8, np.inf])
    np.testing.assert_allclose(lead_time_lost(perfect, perfect, days), 0)


def test_lead_time_of_a_cycle(experiment, prior, error, tmp_path, refuses):
    """From the files of a cycle, against a truth that is a little off its analyses, and drifts away from them."""
    run(experiment, cycling.THREE_D_VAR, tools(prior, background=error), tmp_path / "out", 3)
    dates, states, grid = analyses_of(tmp_path / "out", cycling.THREE_D_VAR, prior)
    assert [str(date)[:10] for date in dates] == ["2000-06-03", "2000-06-05", "2000-06-07"]
    rng = torch.Generator().manual_seed(0)
    walk = torch.randn(9, C, *grid.shape, generator=rng).cumsum(0)
    truth = []
    for k in range(9):
        day = np.datetime64("2000-06-03T12:00", "ns") + k * np.timedelta64(1, "D")
        ds = prior.standardizer.to_dataset((states[0] + 0.5 + walk[k])[None], grid, day).isel(member=0)
        truth.append(ds)
    truth = xr.concat(truth, "time")
    lines = evaluate_lead_time(
        tmp_path / "out", [cycling.THREE_D_VAR], Persistence(2.0), prior, truth, (0.0, 2.0, 4.0), 0
    )
    zos = [line for line in lines if line["channel"] == "zos"]
    assert [line["day"] for line in zos] == [0, 2, 4] and all(line["loss"] > 0 for line in zos)
    assert zos[0]["perfect"] < 1e-3 < zos[0]["error"] and all(line["low"] <= line["high"] for line in zos)
    rows = rows_of_lead_time(lines)
    assert "3D-Var, lead time, day 0, zos: days lost" in [one["name"] for one in rows]
    with refuses("expected two or more"):
        evaluate_lead_time(tmp_path / "out", [cycling.THREE_D_VAR], Persistence(2.0), prior, truth, (0.0, 8.0), 0)
    with refuses("no analyses by LETKF"):
        analyses_of(tmp_path / "out", cycling.LETKF, prior)
