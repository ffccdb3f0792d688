"""Networks of several days, and what is made of them: variants, a start from single days, methods, forecasts."""

import importlib.util
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from conftest import red_covariance
from test_prepare import ocean
from test_trajectory import DATE, DAYS, STATE, in_time, table

from genda_lite import cli
from genda_lite.baselines.interpolation import optimal_interpolation
from genda_lite.baselines.regression import KINDS, ObservedWindows, Regression, RegressionConfig, parts_of, patterns
from genda_lite.errors import InputError
from genda_lite.observe.likelihood import within
from genda_lite.observe.systems import NADIR, ObservingSystem
from genda_lite.posterior.problem import build_problem
from genda_lite.prepare.frames import TrainingSet, training_set
from genda_lite.prior import DiffusionPrior, GaussianPrior, NetworkConfig, load_prior
from genda_lite.prior import train as training
from genda_lite.prior.checkpoint import FORMAT_3, save_prior
from genda_lite.prior.diffusion import Denoiser, frame_by_frame
from genda_lite.prior.spectral import Spectrum
from genda_lite.prior.trajectory import compact, expanded, widened
from genda_lite.prior.windows import Windows
from genda_lite.state import CHANNELS, Grid, StateVector, harmonics
from genda_lite.verify import engine
from genda_lite.verify.engine import GENDA, IN_TIME, OI, OURS, OURS_FAST, OWN, REGRESSION, Case
from genda_lite.verify.table import number, read_table

TINY = NetworkConfig(width=8, multipliers=(1,))
SIGMA = torch.tensor([0.3, 4.0])


def covariance(state: StateVector = STATE) -> torch.Tensor:
    """Of several days, as a checkpoint keeps it."""
    return expanded(compact(in_time(red_covariance(16, 16, len(CHANNELS)), state), state), state)


def denoiser(config: NetworkConfig, state: StateVector = STATE) -> Denoiser:
    """With random weights in the last layer, which begins with zeros."""
    torch.manual_seed(1)
    known = covariance(state) if len(state.days) > 1 else red_covariance(16, 16, len(CHANNELS))
    made = Denoiser(Spectrum(known, univariate=True), config, joint=Spectrum(known), state=state)
    torch.nn.init.normal_(made.network.last[-1].weight, std=0.1)
    return made


def noisy(state: StateVector = STATE) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return (torch.randn(2, k, 16, 16, generator=generator) for k in (len(state), 5))


# --- Networks --------------------------------------------------------------------------------------------------------


def test_a_network_without_an_answer_is_the_linear_estimate_that_was_chosen(standardizer, domain, tmp_path):
    x, context = noisy()
    each, joint = (Spectrum(covariance(), univariate=one).wiener_filter(x, SIGMA) for one in (True, False))
    assert (each - joint).abs().max() > 0.1
    for kind, expected in (("no", each), ("shown", each), ("skip", joint)):
        prior = DiffusionPrior(covariance(), standardizer, domain, replace(TINY, joint=kind), state=STATE)
        prior.denoiser.requires_grad_(False)
        torch.testing.assert_close(prior.denoise(x, SIGMA, context), expected, atol=2e-4, rtol=1e-3)
        save_prior(prior, tmp_path / "prior.safetensors", FORMAT_3)
        again = load_prior(tmp_path / "prior.safetensors")
        assert again.config == prior.config
        torch.testing.assert_close(again.denoise(x, SIGMA, context), expected, atol=2e-3, rtol=1e-2)


def test_joint_estimates_are_shown_with_unit_variance_and_leave_what_they_leave():
    made, shown = denoiser(replace(TINY, joint="skip")), []
    known = made.joint.pointwise_variance().mean((-1, -2)).float()
    found = made._of_channels(made.joint.variance[None])[0, :, 0, 0]
    torch.testing.assert_close(found**2, known, rtol=1e-3, atol=1e-5)
    made.network.register_forward_pre_hook(lambda _, inputs: shown.append(inputs[0]))
    x = made.joint.sample(400, 4.0, torch.Generator().manual_seed(2))
    made(x, torch.tensor([4.0]), torch.zeros(1, 5, 16, 16))
    size = shown[0][:, -len(STATE) :].square().mean((0, 2, 3)).sqrt()
    torch.testing.assert_close(size, torch.ones(len(STATE)), atol=0.1, rtol=0)


def test_convolutions_in_time_begin_as_a_network_of_single_days():
    """All days go through one network; what passes between them is learned."""
    config, today = replace(TINY, days="convolved"), StateVector.today()
    made, single = denoiser(config), denoiser(TINY, today)
    missing, strange = made.network.load_state_dict(single.network.state_dict(), strict=False)
    assert missing and all("in_time" in name for name in missing) and not strange
    fields, context = noisy()
    shown = [fields, context, 0.5 * fields]
    answer = made._correction(shown, SIGMA)
    assert frame_by_frame(STATE)[1] == [STATE.index(name) for name in CHANNELS]  # the date is the second of three days
    for day in DAYS:
        here = [STATE.index(name, day) for name in CHANNELS]
        alone = single._correction([fields[:, here], context, 0.5 * fields[:, here]], SIGMA)
        torch.testing.assert_close(answer[:, here], alone, atol=1e-5, rtol=1e-4)
    mixing = [m for name, m in made.network.named_modules() if name.endswith("in_time")]
    torch.nn.init.normal_(mixing[0].mix.weight, std=0.1)
    here, first, last = ([STATE.index(name, day) for name in CHANNELS] for day in (0.0, *DAYS[::2]))
    for other in (first, last):
        changed = fields.clone()
        changed[:, other] = 0
        after = made._correction([changed, context, shown[2]], SIGMA)
        assert (after[:, here] - made._correction(shown, SIGMA)[:, here]).abs().max() > 1e-3


def test_days_that_hold_other_channels_are_not_convolved(refuses):
    lean = StateVector((*CHANNELS, "zos"), (0.0,) * 7 + (2.0,))
    with refuses("8 fields of 7 channels on 2 days", "expected all channels on all days"):
        denoiser(replace(TINY, days="convolved"), lean)
    with refuses("joint is 'soon'", "'no', 'shown' or 'skip'"):
        replace(TINY, joint="soon")
    with refuses("without a linear estimate"):
        replace(TINY, joint="skip", linear_estimate=False)
    assert set(TINY.as_dict()).isdisjoint({"joint", "days"})  # checkpoints of before are resumed


def test_a_network_of_single_days_starts_one_of_several(refuses):
    """The date is seen and corrected as before, and nothing else is."""
    single, several = denoiser(TINY, StateVector.today()), denoiser(TINY)
    weights = widened(single.network.state_dict(), several.network.state_dict(), STATE, True)
    several.network.load_state_dict(weights)
    fields, context = noisy()
    today = [STATE.index(name) for name in CHANNELS]
    answer = several._correction([fields, context, 0.5 * fields], SIGMA)
    alone = single._correction([fields[:, today], context, 0.5 * fields[:, today]], SIGMA)
    torch.testing.assert_close(answer[:, today], alone, atol=1e-5, rtol=1e-4)
    others = [place for place in range(len(STATE)) if place not in today]
    assert (answer[:, others] == 0).all() and alone.abs().max() > 0.1


# --- Observations of all days ----------------------------------------------------------------------------------------

DAY = np.timedelta64(1, "D")
DAILY = ObservingSystem(NADIR[:3], cloud=0.4, l4=("so",), wind=True, window=2.0, seed=4)


def standing(prior, grid: Grid, days: int = 7) -> xr.Dataset:
    """A draw of a prior of single days that stands still, a frame a day about the date."""
    torch.manual_seed(3)
    x = prior.spectrum.sample(1, generator=torch.Generator().manual_seed(3))
    one = prior.standardizer.to_dataset(x, grid, DATE).isel(member=0, drop=True).drop_vars("time")
    return xr.concat([one.assign_coords(time=DATE + day * DAY) for day in range(-(days // 2), days // 2 + 1)], "time")


def test_a_system_sees_every_day_of_its_window(gaussian_prior, grid):
    """Altimetry without the error of its age, and the rest day by day, each with its own clouds and errors."""
    truth = standing(gaussian_prior, grid)
    once, seen = DAILY.observe(truth, DATE), DAILY.in_time(truth, DATE)
    level = [some.select(some.channel == "zos") for some in (once, seen)]
    np.testing.assert_array_equal(level[0].value, level[1].value)
    assert (level[1].error < level[0].error).mean() > 0.5 and level[1].error.max() < 0.03
    warm = seen.select(seen.channel == "thetao")
    assert np.unique((warm.time - DATE) / DAY).tolist() == [-2, -1, 0, 1, 2]
    places = [set(zip(*(getattr(some, name) for name in ("latitude", "longitude")), strict=True))
              for some in (warm.select(warm.time == DATE), warm.select(warm.time == DATE + DAY))]  # fmt: skip
    assert places[0] != places[1]
    assert set(seen.channel[seen.time == DATE - 2 * DAY]) >= {"so", "uas", "vas"}
    blind = replace(DAILY, cloud=1.0, l4=(), wind=False)
    assert len(blind.in_time(truth, DATE)) == len(blind.observe(truth, DATE))


def test_what_a_state_holds_no_day_of_is_left_out(grid):
    lean = StateVector(("zos", "zos", "thetao"), (0.0, 2.0, 0.0))
    seen = table(grid, [-1.0, 0.0, 1.0, 3.0]) + table(grid, [0.0, 1.0], 15.0, "thetao") + table(grid, 0.0, 5.0, "uas")
    kept = within(seen, lean, DATE)
    assert sorted(zip(kept.channel, (kept.time - DATE) / DAY, strict=True)) == [("thetao", 0), ("zos", 0), ("zos", 1)]


# --- Methods ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def several(standardizer, domain) -> GaussianPrior:
    return GaussianPrior(covariance(), standardizer, domain, state=STATE)


def test_methods_of_several_days_answer_for_the_date_in_the_units_of_the_others(several, gaussian_prior, grid, refuses):
    """In the units of a prior with another climatology; observations of the days beside it count, and those further
    away are left out."""
    s = gaussian_prior.standardizer
    elsewhere = replace(s, harmonics=s.harmonics + 1, scale=2 * s.scale)
    other = GaussianPrior(red_covariance(16, 16, 7), elsewhere, several.domain)
    seen = table(grid, [-1.0, 2.0, 6.0], 0.9) + table(grid, 1.0, 25.0, "thetao")
    case = Case(grid, DATE, table(grid, 0.0, 0.9), dated=seen)
    known = engine.methods_in_time(several, several, other)
    assert list(known) == [f"{name}, {IN_TIME}" for name in (OI, OURS, OURS_FAST, GENDA)]
    for place in ({"grid": grid}, {"region": {"southwest": (grid.longitude[0], grid.latitude[0])}}):
        found = known[f"{OI}, {IN_TIME}"].run(case.task(other, 5, 0, **place))
        exact = optimal_interpolation(several, within(seen, STATE, DATE), date=DATE, **place).mean
        fields = other.standardizer.to_dataset(found.mean[None], grid, DATE)
        assert found.draws.shape == (5, 7, 16, 16)
        for name in ("zos", "thetao", "uas"):
            np.testing.assert_allclose(fields[name][0], exact[name], atol=2e-3 * s.scale[CHANNELS.index(name)])
    assert abs(exact.zos.values[8, 8] - 0.9) < 0.1
    draws = known[f"{OURS_FAST}, {IN_TIME}"].run(case.task(other, 40, 0, grid=grid)).draws
    spread = other.standardizer.scale[0] * draws[:, 0, 8, 8].std()
    assert 0.01 < float(spread) < 0.2 and abs(float(draws[:, 0].mean(0)[8, 8] - found.mean[0, 8, 8])) < 0.05
    with refuses("observations at their own time"):
        known[f"{OI}, {IN_TIME}"].run(case.task(other, 2, 0, grid=grid)._replace(dated=None))
    with refuses("a method in time needs a prior of several days"):
        engine.methods_in_time(other, other, other)


def test_a_day_is_its_noon_for_a_state_of_several(several, gaussian_prior, grid):
    """The mean of a day stands at its noon; an hour that is given is kept, and so is the date of a single day."""
    day = np.datetime64("2017-06-10", "ns")
    asked = {"date": day, "grid": grid}
    assert build_problem(several, table(grid, [0.2, -1.0]), **asked).date == DATE
    assert build_problem(several, table(grid, [0.2, 0.3, -1.0]), grid=grid).date == DATE
    hour = day + np.timedelta64(9, "h")
    assert build_problem(several, table(grid, 0.2), grid=grid, date=hour).date == hour
    assert build_problem(gaussian_prior, table(grid, 0.2), **asked).date == day


def test_the_command_takes_files_at_their_own_time(several, standardizer, domain, tmp_path, monkeypatch, capsys):
    """The age of altimetry is a time and no error; what is of none of the days is left out."""
    n = 40
    where = {"latitude": ("time", np.linspace(37, 39, n)), "longitude": ("time", np.linspace(-60.5, -59.5, n) % 360)}
    for name, units in (("latitude", "degrees_north"), ("longitude", "degrees_east")):
        where[name] = (*where[name], {"units": units})
    times = DATE + np.where(np.arange(n) < 30, 1, 4) * DAY
    ds = xr.Dataset({"adt": ("time", np.full(n, 0.5), {"units": "m"})}, {"time": times, **where})
    ds.to_netcdf(tmp_path / "tracks.nc", engine="h5netcdf")
    files, day = [tmp_path / "tracks.nc"], "2017-06-10"
    aged = cli.observed(files, day, None, None, StateVector.today())
    timely = cli.observed(files, day, None, None, STATE)
    assert len(aged) == n and len(timely) == 30 and timely.error.max() < 0.03 < aged.error.min()
    made = DiffusionPrior(covariance(), standardizer, domain, TINY, state=STATE)
    save_prior(made, tmp_path / "p.safetensors", FORMAT_3)
    command = ["genda", "assimilate", tmp_path / "tracks.nc", "--prior", tmp_path / "p.safetensors", "--fast"]
    command += ["--date", day, "--centre", "-60,38", "--members", 2, "--out", tmp_path / "a.nc"]
    monkeypatch.setattr("sys.argv", list(map(str, command)))
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert not stop.value.code and "2 members from" in capsys.readouterr().out


# --- The regression --------------------------------------------------------------------------------------------------

TWO_DAYS = RegressionConfig(width=8, multipliers=(1, 1), variance=True, days=(-2.0, 0.0, 2.0))


def test_observations_are_shown_day_by_day(standardizer, grid):
    """One a day and a half after the date counts three times as much two days after it as on it; anomalies are those
    about the climatology of their own day."""
    usual = [standardizer.climatology(grid.latitude, DATE + n * DAY)[1, 8] for n in (0, 2)]
    value = 0.25 * usual[0] + 0.75 * usual[1] + standardizer.scale[1]
    seen = replace(table(grid, [1.5], value, "thetao"), error=np.full(1, standardizer.scale[1]))
    part = parts_of(seen + table(grid, 4.0), grid, standardizer, DATE, days=DAYS)[KINDS.index(("thetao", False))]
    maps = part.maps(part.error)
    assert maps.shape == (6, 16, 16)
    value, known = maps[:3, 8, 8], maps[3:, 8, 8]
    torch.testing.assert_close(known, torch.tensor([0.0, 0.25 / 1.25, 0.75 / 1.75]), atol=1e-4, rtol=0)
    torch.testing.assert_close(value, known, atol=1e-3, rtol=0)
    assert parts_of(seen + table(grid, 4.0), grid, standardizer, DATE, days=DAYS)[0] is None  # outside the days


def test_training_in_time_shows_what_a_case_shows(gaussian_prior, grid):
    """A pattern laid over an ocean that stands still is the simulated observation of that ocean, day by day."""
    truth, standardizer = standing(gaussian_prior, grid), gaussian_prior.standardizer
    times = DATE + 2 * np.arange(-5, 6) * DAY
    flat = replace(standardizer, harmonics=standardizer.harmonics * np.array([1, 0, 0])[:, None, None])
    x = flat.to_tensor(truth.isel(time=0))
    data = TrainingSet([x] * 11, torch.from_numpy(harmonics(times)).float(), grid.latitude, grid.longitude, flat)
    data = data._replace(frames=Still(data.frames))
    state = StateVector.series(CHANNELS, DAYS)
    (made,) = patterns(lambda _: DAILY, range(1), flat, gaussian_prior.domain, 2.0, 16, np.array([DATE]), DAYS)
    assert {part.maps(part.error).shape for part in made if part} == {(6, 16, 16)}
    bank = [parts_of(DAILY.in_time(xr.zeros_like(truth), DATE), grid, flat, DATE, lags=DAYS, days=DAYS)]
    windows = ObservedWindows(data, Windows(data, gaussian_prior.domain, 16, state=state), bank)
    case = parts_of(DAILY.in_time(truth, DATE), grid, flat, DATE, days=DAYS)
    shown, state_of_date = windows[0]
    assert shown.shape == (2 * len(KINDS) * 3 + 5, 16, 16)
    torch.testing.assert_close(state_of_date, x)
    for i, part in enumerate(case):
        expected = torch.zeros(6, 16, 16) if part is None else part.maps(part.error)
        known = shown[6 * i + 3 : 6 * i + 6]
        torch.testing.assert_close(known, expected[3:], atol=2e-3, rtol=0)
    torch.testing.assert_close(bank[0][0].maps(bank[0][0].operator(x[0].expand(1, 3, -1, -1))[0] + bank[0][0].error),
                               case[0].maps(case[0].error), atol=5e-3, rtol=0)  # fmt: skip


class Still(list):
    """Frames of an ocean, two days apart."""

    def series(self, lags) -> np.ndarray:
        rows = np.arange(1, len(self) - 1)
        return rows[:, None] + np.rint(np.array(lags) / 2).astype(int)


def test_a_regression_in_time_is_a_method_and_survives_the_disk(gaussian_prior, grid, tmp_path, refuses, monkeypatch):
    scale = gaussian_prior.standardizer.scale
    made = Regression(TWO_DAYS, scale, gaussian_prior.domain, (16, 16))
    torch.nn.init.normal_(made.network.last[-1].weight, std=0.1)
    made.save(tmp_path / "in_time.safetensors")
    again = Regression.load(tmp_path / "in_time.safetensors")
    assert again.config == TWO_DAYS
    known = {method.name: method for method in engine.regressions(gaussian_prior, again)}
    assert list(known) == [f"{REGRESSION}, {IN_TIME}", f"{REGRESSION}, {IN_TIME}, {OWN}"]
    seen = table(grid, [-1.0, 2.0, 6.0], 0.9)
    case = Case(grid, DATE, table(grid, 0.0, 0.9), dated=seen)
    task = case.task(gaussian_prior, 2, 0, grid=grid)
    found = known[f"{REGRESSION}, {IN_TIME}"].run(task)
    assert found.draws is None and found.mean.shape == found.deviation.shape == (7, 16, 16)
    fewer = known[f"{REGRESSION}, {IN_TIME}"].run(task._replace(dated=seen.select([1])))
    assert (fewer.mean - found.mean).abs().max() > 1e-4  # the day before counts
    with refuses("observations at their own time"):
        known[f"{REGRESSION}, {IN_TIME}"].run(task._replace(dated=None))
    with refuses("in_time.safetensors", "one by one"):
        engine.load_methods(regression=tmp_path / "in_time.safetensors")
    Regression(replace(TWO_DAYS, days=()), scale, gaussian_prior.domain, (16, 16)).save(tmp_path / "day.safetensors")
    with refuses("day.safetensors", "expected a regression in time"):
        engine.load_methods(regression_in_time=tmp_path / "day.safetensors")


# --- Trainings -------------------------------------------------------------------------------------------------------


@pytest.fixture
def ablation(monkeypatch):
    """The command, on windows of 8 x 8 cells and tiny networks."""
    path = Path(__file__).parents[1] / "benchmarks" / "trajectory.py"
    monkeypatch.syspath_prepend(path.parent)
    spec = importlib.util.spec_from_file_location("trajectory_benchmark", path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module.training, "COVARIANCE_WINDOWS", 100)
    short = replace(module.CONFIG, batch=8, size=8, state=STATE)
    monkeypatch.setattr(module, "CONFIG", short)
    monkeypatch.setattr(module, "NETWORK", TINY)
    tiny = {
        "first": module.Variant(state=STATE),
        "convolved": module.Variant({"days": "convolved"}, STATE),
        "begun": module.Variant(state=STATE, begun=True),
    }
    monkeypatch.setattr(module, "VARIANTS", tiny)
    monkeypatch.setattr(module, "FIRST", "first")
    return module


def weeks(seed: int) -> xr.Dataset:
    """Thirty days of a random sea."""
    days = ocean(30, seed)
    return days.assign_coords(time=DATE + np.arange(30) * DAY)


def test_the_ablation_trains_goes_on_and_tells(ablation, tmp_path, monkeypatch, capsys):
    """All variants, from the same data, with a table of every figure; a second call trains nothing."""
    for name, seed in (("wide00", 0), ("wide01", 1), ("validation_daily", 2)):
        weeks(seed).to_netcdf(tmp_path / f"{name}.nc", engine="h5netcdf")
    data = training_set([weeks(0), weeks(1)])
    single = training.Trainer(data, None, training.TrainingConfig(images=8, batch=8, size=8), TINY, mixed=False)
    save_prior(single.prior, tmp_path / "single.safetensors", FORMAT_3)
    table_of = tmp_path / "table.csv"
    command = ["trajectory.py", str(tmp_path), "--images", "32", "--cases", "1", "--members", "2"]
    command += ["--beside", str(tmp_path / "single.safetensors"), "--table", str(table_of)]
    monkeypatch.setattr("sys.argv", command)
    ablation.main()
    found = read_table(table_of)
    assert set(found["method"]) == {*ablation.VARIANTS, ablation.SINGLE}
    assert number(found, method="first", metric="images") == 32
    assert number(found, method="begun", metric="images") == 32
    crps = [number(found, method=m, case=OURS_FAST, channel="zos", metric="crps") for m in ablation.VARIANTS]
    assert all(np.isfinite(crps)) and len(set(crps)) == 3
    assert number(found, method="convolved", metric="parameters") > 0
    monkeypatch.setattr(training, "train", None)
    ablation.main()  # nothing is left to train
    monkeypatch.setattr("sys.argv", [*command[:3], "64", *command[4:]])
    with pytest.raises(InputError, match="by 32 windows, expected 64"):
        ablation.main()


SHORT = training.TrainingConfig(images=32, batch=8, size=8, state=STATE)


@pytest.fixture
def few(monkeypatch) -> TrainingSet:
    """Frames of one ocean, two days apart."""
    monkeypatch.setattr(training, "COVARIANCE_WINDOWS", 100)
    return training_set(weeks(0).isel(time=slice(None, None, 2)))


@pytest.mark.parametrize("choice", [{}, {"joint": "skip"}, {"days": "convolved"}])
def test_an_interrupted_training_of_several_days_goes_on_exactly(few, tmp_path, choice):
    network = replace(TINY, **choice)
    through, before, after = (training.Trainer(few, None, SHORT, network, mixed=False) for _ in range(3))
    losses = [through.train_step() for _ in range(4)]
    assert [before.train_step() for _ in range(2)] == losses[:2]
    before.save_state(tmp_path / "state.safetensors")
    after.resume(tmp_path / "state.safetensors")
    assert [after.train_step() for _ in range(2)] == losses[2:]
    for one, other in zip(through.average.parameters(), after.average.parameters(), strict=True):
        assert one.equal(other)
    save_prior(after.prior, tmp_path / "prior.safetensors", FORMAT_3)
    x, context = (part[..., :8, :8] for part in noisy())
    again = load_prior(tmp_path / "prior.safetensors")
    expected = after.prior.denoise(x, SIGMA, context)
    torch.testing.assert_close(again.denoise(x, SIGMA, context), expected, atol=0.01, rtol=0.01)


def test_what_lies_between_frames_comes_from_daily_validation_data(few):
    """The training oceans have no days between their frames."""
    daily = training_set(weeks(2), few.standardizer)
    assert training.Trainer(few, None, SHORT, TINY).prior.between == {}
    found = training.Trainer(few, daily, SHORT, TINY).prior.between
    assert set(found) == set(CHANNELS) and found["zos"] > 0.5  # each day is another


def test_a_training_of_several_days_begins_with_single_ones(few, refuses):
    single = training.Trainer(few, None, replace(SHORT, state=StateVector.today()), TINY, mixed=False)
    for _ in range(2):
        single.train_step()
    begun = training.Trainer(few, None, SHORT, TINY, mixed=False, start=single.prior)
    inner = "middle.0.conv1.weight"
    assert begun.denoiser.network.state_dict()[inner].equal(single.average.network.state_dict()[inner])
    last = begun.denoiser.network.last[-1].weight.unflatten(0, (len(STATE), -1)).abs().sum((1, 2, 3, 4))
    assert (last[[STATE.index(name) for name in CHANNELS]] > 0).all() and (last > 0).sum() == len(CHANNELS)
    with refuses("another network", "expected one of the same layers"):
        training.Trainer(few, None, SHORT, replace(TINY, width=16), mixed=False, start=single.prior)
    with refuses("another network"):
        training.Trainer(few, None, SHORT, replace(TINY, joint="shown"), mixed=False, start=single.prior)


def test_the_regression_in_time_is_trained_by_a_command(gaussian_prior, standardizer, domain, tmp_path, monkeypatch):
    """On days of oceans that are two days apart, and watched on daily ones."""
    path = Path(__file__).parents[1] / "benchmarks" / "train_regression.py"
    spec = importlib.util.spec_from_file_location("train_regression_in_time", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "RegressionConfig", partial(RegressionConfig, multipliers=(1, 1)))
    for name, seed, every in (("wide00", 0, 2), ("validation_daily", 2, 1)):
        weeks(seed).isel(time=slice(None, None, every)).to_netcdf(tmp_path / f"{name}.nc", engine="h5netcdf")
    single = DiffusionPrior(red_covariance(8, 8, 7), standardizer, domain, TINY)
    save_prior(single, tmp_path / "single.safetensors", FORMAT_3)
    out = tmp_path / "regression.safetensors"
    command = ["train_regression.py", tmp_path, "--prior", tmp_path / "single.safetensors", "--out", out, "--variance"]
    command += ["--images", 32, "--patterns", 2, "--width", 8, "--checked", 4, "--held", 40, "--days", *DAYS]
    monkeypatch.setattr("sys.argv", list(map(str, command)))
    module.main()
    made = Regression.load(out)
    assert made.config.days == DAYS and made.config.variance and made.training["days"] == list(DAYS)
    assert made.training["images_seen"] == 32
    monkeypatch.setattr("sys.argv", [*map(str, command[:-3]), "2", "4"])
    with pytest.raises(InputError, match=r"got 2, 4, expected several, with the date \(0\)"):
        module.main()


# --- Twin experiments ------------------------------------------------------------------------------------------------


def test_twin_experiments_hold_methods_in_time(standardizer, domain, gaussian_prior, tmp_path, monkeypatch, capsys):
    """The command: one table of all methods on the same cases, from two oceans of draws, each day another."""
    grid, generator = Grid.around(-60.0, 38.0, (24, 24)), torch.Generator().manual_seed(7)
    fields = torch.nn.functional.interpolate(gaussian_prior.spectrum.sample(24, generator=generator), size=grid.shape)
    days = [
        standardizer.to_dataset(x[None], grid, DATE + i * DAY).isel(member=0, drop=True) for i, x in enumerate(fields)
    ]
    truth = xr.concat(days, "time").rename(u_ageo_eddy="uo", v_ageo_eddy="vo")
    truth.to_netcdf(tmp_path / "truth.nc", engine="h5netcdf")
    paths = {name: tmp_path / f"{name}.safetensors" for name in ("single", "several", "day", "days")}
    single = DiffusionPrior(red_covariance(16, 16, 7), standardizer, domain, TINY)
    save_prior(single, paths["single"], FORMAT_3)
    save_prior(DiffusionPrior(covariance(), standardizer, domain, TINY, state=STATE), paths["several"], FORMAT_3)
    for name, shown in (("day", ()), ("days", DAYS)):
        made = Regression(replace(TWO_DAYS, days=shown), standardizer.scale, domain, (16, 16))
        made.save(paths[name])

    def run(*more) -> int:
        command = ["genda", "evaluate", "osse", "--quick", "--truth", tmp_path / "truth.nc", "--prior", paths["single"]]
        monkeypatch.setattr("sys.argv", [str(word) for word in (*command, "--regression", paths["day"], *more)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        return stop.value.code

    given = ("--trajectory", paths["several"], "--regression-in-time", paths["days"])
    assert not run(*given, "--table", tmp_path / "table.csv", "--folder", tmp_path / "cases")
    found = read_table(tmp_path / "table.csv")
    for name in (OI, OURS, OURS_FAST, f"{REGRESSION}, {IN_TIME}", f"{REGRESSION}, {IN_TIME}, {OWN}"):
        timely = name if name.startswith(REGRESSION) else f"{name}, {IN_TIME}"
        values = [number(found, method=m, metric="crps", channel="zos", zone="all") for m in {name, timely}]
        assert np.isfinite(values).all() and len(set(values)) == len({name, timely})
    ours = f"{OURS}, {IN_TIME}"
    for than in (OURS, f"{OI}, {IN_TIME}", f"{REGRESSION}, {IN_TIME}, {OWN}"):
        assert np.isfinite(number(found, method=ours, channel="zos", zone="all", ocean="", metric=f"crps less {than}"))
    ratio = number(found, method=ours, channel="zos", metric=f"rmse / rmse of {OURS}")
    rmse = [number(found, method=m, channel="zos", metric="rmse", zone="all") for m in (ours, OURS)]
    assert ratio == pytest.approx(rmse[0] / rmse[1], rel=1e-4)
    capsys.readouterr()
    assert run("--trajectory", paths["single"]) == 2
    assert "a method in time needs a prior of several days" in capsys.readouterr().err
    assert run("--folder", tmp_path / "cases") == 2
    assert "is of a run with other settings" in capsys.readouterr().err
