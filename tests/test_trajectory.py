"""States of several days: observations at their own time, and priors that know how the sea moves."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr
from conftest import red_covariance
from test_prepare import ocean

import genda_lite as gl
from genda_lite import cli
from genda_lite.baselines.interpolation import optimal_interpolation
from genda_lite.baselines.mapping import ALONG_TRACK_ERROR, SIGNAL, mapped_level
from genda_lite.observe.likelihood import Likelihood
from genda_lite.observe.operators import Points, check_adjoint
from genda_lite.observe.table import Observations
from genda_lite.posterior.problem import build_problem
from genda_lite.prepare.frames import training_set
from genda_lite.prior import DiffusionPrior, Domain, GaussianPrior, NetworkConfig, checkpoint, load_prior
from genda_lite.prior import train as training
from genda_lite.prior.base import CONTEXT_CHANNELS
from genda_lite.prior.climate import Climate
from genda_lite.prior.trajectory import (
    TRAJECTORY,
    between_frames,
    check_kind,
    compact,
    expanded,
    shared_functions,
    spacing,
)
from genda_lite.prior.unet import UNet
from genda_lite.prior.windows import Noise, Windows
from genda_lite.state import CHANNELS, Grid, StateVector
from genda_lite.verify.engine import load_methods

DATE = np.datetime64("2017-06-10T12:00", "ns")
DAYS = (-2.0, 0.0, 2.0)
STATE = StateVector.series(("zos", "thetao", "so", "u_ageo_eddy", "v_ageo_eddy", "uas", "vas"), DAYS)


def in_time(covariance: torch.Tensor, state: StateVector, memory: float = 5.0) -> torch.Tensor:
    """The covariance of several days of one whose channels forget at one rate."""
    days = torch.tensor(state.lags)
    rho = torch.exp(-(days[:, None] - days).abs() / memory)
    place = [CHANNELS.index(name) for name in state.channels]
    return covariance[:, :, place][..., place] * rho


@pytest.fixture(scope="module")
def prior(standardizer, domain) -> GaussianPrior:
    covariance = red_covariance(16, 16, len(CHANNELS))
    return GaussianPrior(in_time(covariance, STATE), standardizer, domain, state=STATE)


def table(grid: Grid, days, value=0.5, channel="zos", **options) -> Observations:
    """Values in the middle of a grid, so many days from the date."""
    days = np.atleast_1d(np.asarray(days, float))
    time = DATE + (days * 86400e9).astype("m8[ns]")
    latitude, longitude, values = (np.full(len(days), one) for one in (grid.latitude[8], grid.longitude[8], value))
    where = {"latitude": ("n", latitude), "longitude": ("n", longitude), "time": ("n", time)}
    points = xr.Dataset({channel: ("n", values)}, where)
    return Observations.from_points(points, channel, 0.02, reference_error=0.0, **options)


# --- The state and H -------------------------------------------------------------------------------------------------


def test_a_series_has_the_channels_of_the_date_first():
    state = StateVector.series(("zos", "so"), (-3.0, 0.0, 3.0))
    assert state.entries == [("zos", 0), ("so", 0), ("zos", -3), ("so", -3), ("zos", 3), ("so", 3)]
    assert state.days == (-3, 0, 3) and state.of_day(3.0) == ("zos", "so") and spacing(state) == 3
    assert state.shifted(3.0).days == (0, 3, 6) and TRAJECTORY.of_date == CHANNELS
    assert shared_functions(StateVector.today()) == [StateVector.today().places("thetao", "so")]
    assert [len(group) for group in shared_functions(STATE)] == [3, 6, 3, 3, 3, 3]


def test_moments_lie_between_frames_and_half_a_day_beyond_is_the_last_ones():
    earlier, later, share = STATE.around("so", np.array([-2.4, -2.0, -1.5, 0.0, 1.0, 2.3, 2.6, -3.0, np.nan]))
    before, now, after = (STATE.index("so", day) for day in DAYS)
    assert earlier[:6].tolist() == [before, before, before, now, now, after]
    assert later[2] == now and later[4] == after
    np.testing.assert_allclose(share[:6], [0, 0, 0.25, 0, 0.5, 0])
    assert np.isnan(share[6:]).all()
    lean = StateVector(("zos", "zos", "uas"), (0.0, 2.0, 0.0))
    earlier, later, share = lean.around("uas", np.array([-0.4, 0.5, 0.6]))
    assert earlier.tolist() == later.tolist() == [2, 2, 2] and share[:2].tolist() == [0, 0] and np.isnan(share[2])


def test_between_two_frames_h_is_linear_in_time(grid):
    rng, channels = np.random.default_rng(0), 6
    where = (rng.uniform(v[0], v[-1], 20) for v in (grid.latitude, grid.longitude))
    share = rng.uniform(size=20)
    channel, following = rng.integers(3, size=20), rng.integers(3, 6, size=20)
    latitude, longitude = where
    both = Points(grid, channel, latitude, longitude, channels, following, share)
    x = torch.randn(2, channels, *grid.shape, generator=torch.Generator().manual_seed(0))
    first, second = (Points(grid, c, latitude, longitude, channels)(x) for c in (channel, following))
    weight = torch.from_numpy(share).float()
    torch.testing.assert_close(both(x), (1 - weight) * first + weight * second, atol=1e-5, rtol=0)
    check_adjoint(both)
    read, few = both.restricted()
    torch.testing.assert_close(few(x[:, read]), both(x))


def test_an_observation_is_of_its_own_time(prior, standardizer, grid):
    """Value, climatology and error of one between two frames."""
    seen = table(grid, [0.5], 20.0, "thetao")
    unlike = Likelihood(seen, grid, standardizer, DATE, state=STATE, between={"thetao": 0.1})
    exact = Likelihood(seen, grid, standardizer, DATE, state=STATE)
    now, after = STATE.index("thetao"), STATE.index("thetao", 2.0)
    assert exact.observed_channels == sorted([now, after])
    x = torch.zeros(1, *prior.shape)
    x[:, now], x[:, after] = 1.0, 5.0
    assert float(exact.operator(x)) == pytest.approx(0.75 * 1 + 0.25 * 5)
    assert float(exact.observed_operator(x[:, exact.observed_channels])) == pytest.approx(2.0)
    usual = [standardizer.climatology(seen.latitude, day)[1, 0] for day in (DATE, DATE + np.timedelta64(2, "D"))]
    scale = standardizer.scale[1]
    assert float(exact.value) == pytest.approx((20.0 - 0.75 * usual[0] - 0.25 * usual[1]) / scale, abs=1e-5)
    assert float(unlike.variance - exact.variance) == pytest.approx(4 * 0.25 * 0.75 * 0.1**2, rel=1e-3)


def test_observations_that_cannot_be_placed_are_refused(prior, grid, refuses):
    timeless = replace(table(grid, [0.0, 1.0]), time=np.array([DATE, np.datetime64("NaT")]))
    with refuses("1 of 2 observations have no time", "the first zos"):
        gl.assimilate(prior, timeless, members=1, grid=grid, date=DATE, fast=True)
    with refuses("1 of 2 observations lie outside", "2017-06-13", "2017-06-08 to 2017-06-12", "during"):
        gl.assimilate(prior, table(grid, [0.0, 3.0]), members=1, grid=grid, date=DATE, fast=True)
    with refuses("no date"):
        build_problem(prior, timeless.select([1]), grid=grid)
    with refuses("decorrelation", "single days"):
        build_problem(prior, table(grid, [0.0]), grid=grid, date=DATE, decorrelation=7.0)
    two = StateVector(("zos",) * 2, (0, 2))
    lean = GaussianPrior(red_covariance(16, 16, 2), prior.standardizer, prior.domain, state=two)
    with refuses("'uas'", "zos"):
        build_problem(lean, table(grid, [0.0], 3.0, "uas"), grid=grid, date=DATE)


def test_observations_of_some_days(grid, refuses):
    seen = table(grid, [-1.0, 0.0, 1.0])
    assert len(seen.during("2017-06-10", "2017-06-11")) == 2
    for days in (("2017-06-11", "2017-06-10"), ("soon", "2017-06-10"), (None, None)):
        with refuses("expected two days"):
            seen.during(*days)


# --- Analyses --------------------------------------------------------------------------------------------------------


def test_an_analysis_of_several_days_is_one(prior, grid):
    """Fields of each date in its own units; what is seen of one day is known of the next, and less the day after."""
    dates = ["2017-06-08", "2017-06-10", "2017-06-12"]
    found = gl.assimilate(prior, table(grid, [-2.0], 0.9), members=24, grid=grid, dates=dates, fast=True)
    assert found.zos.dims == ("member", "time", "latitude", "longitude") and found.sizes["time"] == 3
    np.testing.assert_array_equal(found.time.values, DATE + np.array([-2, 0, 2]) * np.timedelta64(1, "D"))
    here = found.isel(latitude=8, longitude=8)
    spread = here.zos.std("member").values
    assert spread[0] < 0.03 < spread[1] < spread[2]
    assert abs(here.zos.mean("member").values[0] - 0.9) < 0.02
    usual = prior.standardizer.climatology(grid.latitude, found.time.values[2])[1]
    np.testing.assert_allclose(found.thetao_climatology.isel(time=2), usual)
    assert {"uo", "vo"} < set(found.data_vars) and found.attrs["climatology_date"].startswith("2017-06-10")
    one = gl.assimilate(prior, table(grid, [-2.0], 0.9), members=24, grid=grid, date=DATE, fast=True)
    xr.testing.assert_allclose(one.zos, found.zos.isel(time=1), atol=1e-5)


def test_a_reference_that_is_unknown_is_one_for_all_days(prior, grid):
    seen = replace(table(grid, [-2.0, 2.0], 0.9), reference_error=np.full(2, 1.0))
    found = gl.assimilate(prior, seen, members=16, grid=grid, dates=["2017-06-08", "2017-06-12"], fast=True)
    here = found.zos.isel(latitude=8, longitude=8)
    assert (here.std("member") < 0.04).all() and (abs(here.mean("member") - 0.9) < 0.03).all()


def test_more_days_than_the_priors_are_composed(prior, grid):
    days = [f"2017-06-{day:02d}" for day in range(4, 17, 2)]
    seen = table(grid, [-6.0, 5.0], 0.9)
    found = gl.assimilate(prior, seen, members=12, grid=grid, dates=days, fast=True)
    assert found.sizes["time"] == 7
    spread = found.zos.isel(latitude=8, longitude=8).std("member").values
    assert spread[0] < 0.03 and spread[3] > 3 * spread[0] and spread[-1] > spread[-2]
    interpolated = optimal_interpolation(prior, seen, grid=grid, dates=days)
    error = found.zos.mean("member") - interpolated.mean.zos
    assert float(abs(error).mean()) < 0.4 * float(interpolated.spread.zos.mean())
    assert interpolated.spread.zos.dims == ("time", "latitude", "longitude")


def test_dates_that_cannot_be_are_refused(prior, gaussian_prior, grid, refuses):
    seen = table(grid, [0.0])
    twice = ["2017-06-10", "2017-06-10"]
    for dates in (["2017-06-31"], [], "soon", ["2017-06-10", "2017-06-08"], [None], twice, 3.5):
        with refuses("are no days"):
            gl.assimilate(prior, seen, grid=grid, dates=dates)
    with refuses("1 day(s) apart", "frames of the prior 2"):
        gl.assimilate(prior, seen, grid=grid, dates=["2017-06-10", "2017-06-11"])
    with refuses("either date=", "dates="):
        gl.assimilate(prior, seen, grid=grid, dates=["2017-06-10"], date=DATE)
    with refuses("dates= needs a prior of several days", "genda train"):
        gl.assimilate(gaussian_prior, seen, grid=grid, dates=["2017-06-10"])


def test_mapping_as_duacs_does_it(standardizer, grid, refuses):
    seen = table(grid, [-3.0], 0.9) + table(grid, [0.0], 3.0, "uas")
    level, error = mapped_level(seen, standardizer, grid, DATE)
    usual = standardizer.climatology(grid.latitude, np.datetime64("NaT"))[0]
    share = SIGNAL**2 / (SIGNAL**2 + ALONG_TRACK_ERROR**2) * np.exp(-((3 / 7) ** 2))
    assert level[8, 8] - usual[8] == pytest.approx(share * (0.9 - usual[8])) and error[8, 8] < error[0, 0]
    loose = replace(seen, reference_error=np.where(seen.channel == "zos", 1.0, 0.0))
    np.testing.assert_allclose(mapped_level(loose, standardizer, grid, DATE)[0][:, 8], usual, atol=1e-9)
    with refuses("12 days"):
        mapped_level(table(grid, [20.0]), standardizer, grid, DATE)


# --- Checkpoints and training ----------------------------------------------------------------------------------------


def test_the_covariance_is_stored_compactly(prior):
    covariance = in_time(red_covariance(16, 16, len(CHANNELS)), STATE)
    kept = compact(covariance, STATE)
    back = expanded(kept, STATE)
    variance = torch.diagonal(covariance, dim1=-2, dim2=-1)
    scale = (variance[..., :, None] * variance[..., None, :]).sqrt()
    torch.testing.assert_close(back[:8, :8] / scale[:8, :8], covariance[:8, :8] / scale[:8, :8], atol=1e-4, rtol=0)
    torch.testing.assert_close(torch.diagonal(back, dim1=-2, dim2=-1), variance)
    level, warm, salt = (STATE.index(name) for name in ("zos", "thetao", "so"))
    assert (back[8:, :, level, warm] == 0).all()
    torch.testing.assert_close(back[..., warm, salt], covariance[..., warm, salt], atol=1e-3, rtol=0)
    with pytest.raises(ValueError, match="fit the state"):
        expanded(kept, StateVector.today())


def test_there_is_no_shipped_trajectory_yet(refuses, monkeypatch):
    monkeypatch.setattr(checkpoint, "sample_names", dict)
    with refuses("no trajectory prior is shipped yet", "genda train --config trajectory"):
        load_prior("trajectory")


SHORT = training.TrainingConfig(images=32, batch=8, size=8, state=StateVector.series(CHANNELS, (-2.0, 0.0, 2.0)))
TINY = NetworkConfig(width=8, multipliers=(1,))


@pytest.fixture(scope="module", autouse=True)
def few_windows():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "COVARIANCE_WINDOWS", 300)
        yield


@pytest.fixture(scope="module")
def daily() -> xr.Dataset:
    """Two series of twelve days, the second half a year later."""
    first = ocean()
    time = first["time"].values[0] + np.arange(first.sizes["time"]) * np.timedelta64(1, "D")
    return xr.concat([first.assign_coords(time=time), ocean(seed=1).assign_coords(time=time)], "member")


def test_windows_hold_days_of_one_series(daily, standardizer):
    data = training_set(daily)
    count = daily.sizes["time"]
    windows = Windows(data, Domain((33, 43), (-70, -50)), 8, Noise(), state=SHORT.state, seed=3)
    assert len(windows.dates) == 2 * (count - 4)
    rng = np.random.default_rng([3, 5])
    frame, south, west = windows.place(5, rng)
    x = windows[5][0]
    assert x.shape == (21, 8, 8) and 2 <= frame % count < count - 2
    for place, (name, lag) in enumerate(SHORT.state.entries):
        whole = data.frames[frame + int(lag)][CHANNELS.index(name)]
        torch.testing.assert_close(x[place], whole[south : south + 8, west : west + 8])
    wide = Windows(data, windows.domain, 8, Noise(), state=SHORT.state, seed=3, climate=Climate(temperature=1.0))
    shift = (wide[5][0] - x)[SHORT.state.index("thetao")]
    torch.testing.assert_close((wide[5][0] - x)[SHORT.state.index("thetao", -2.0)], shift, atol=1e-5, rtol=0)
    assert shift.abs().max() > 0.1  # the climate of a window is one, whatever the day


def test_series_with_gaps_or_too_short_are_refused(daily, refuses):
    keep = [0, 1, 2, 3, 6, 7, 8, 9, 10, 11]
    data = training_set(daily.isel(time=keep))
    with refuses("gap after", "every 1 day"):
        Windows(data, Domain((33, 43), (-70, -50)), 8, Noise(), state=SHORT.state)
    with refuses("no date of the series", "-20, 0, 20"):
        far = StateVector.series(CHANNELS, (-20.0, 0.0, 20.0))
        Windows(training_set(daily), Domain((33, 43), (-70, -50)), 8, Noise(), state=far)


def test_what_lies_between_frames_is_measured_where_it_can_be(daily):
    data = training_set(daily)
    found = between_frames(data, SHORT.state)
    frames = torch.stack(list(data.frames)).unflatten(0, (2, -1))
    unlike = frames[:, 1:-1] - 0.5 * (frames[:, :-2] + frames[:, 2:])
    assert found["thetao"] == pytest.approx(float(unlike[:, :, 1].square().mean().sqrt()), rel=0.02)
    assert between_frames(training_set(daily.isel(time=slice(None, None, 2))), SHORT.state) == {}
    assert between_frames(data, StateVector.today()) == {}


def test_a_trajectory_is_trained_saved_and_used(daily, tmp_path, refuses, monkeypatch, capsys):
    """The command on a tiny series; the checkpoint is loaded, analyses several days, and is refused where one of single
    days is needed."""
    monkeypatch.setitem(training.CONFIGURATIONS, "trajectory", (TINY, SHORT))
    data, out = tmp_path / "series.nc", tmp_path / "prior.safetensors"
    daily.to_netcdf(data, engine="h5netcdf")
    command = ["genda", "train", "--data", str(data), "--out", str(out), "--config", "trajectory"]
    monkeypatch.setattr("sys.argv", command)
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert not stop.value.code
    prior, gaussian = load_prior(out), load_prior(out, gaussian=True)
    assert prior.state == gaussian.state == SHORT.state and prior.shape == (21, 8, 8)
    assert prior.training["state"]["lags"] and set(prior.between) == set(CHANNELS) == set(gaussian.between)
    assert isinstance(prior, DiffusionPrior) and out.stat().st_size < 8e6
    latitude, longitude = (daily[dim].values[:8] for dim in ("latitude", "longitude"))
    grid = Grid(latitude, longitude)
    where = {"latitude": ("n", latitude[3:4]), "longitude": ("n", longitude[3:4]), "time": ("n", [DATE])}
    points = xr.Dataset({"zos": ("n", [0.1])}, where)
    seen = Observations.from_points(points, "zos", 0.05)
    found = gl.assimilate(prior, seen, members=2, grid=grid, dates=["2017-06-10", "2017-06-12"], steps=3)
    assert found.sizes["time"] == 2 and np.isfinite(found.zos).all()
    with refuses("this evaluation needs a prior of single days", "got one of 3 days"):
        load_methods(str(out))
    pack = ["explorer-pack", "--out", str(tmp_path / "pack"), "--prior", str(out)]
    for more in (["evaluate", "prior", str(out)], pack):
        monkeypatch.setattr("sys.argv", ["genda", *more])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        assert stop.value.code == 2 and "a prior of single days, got one of 3 days" in capsys.readouterr().err
    with refuses("other settings", "state"):
        other = replace(SHORT, state=StateVector.series(CHANNELS, (-1.0, 0.0, 1.0)))
        trainer = training.Trainer(training_set(daily), None, other, TINY)
        trainer.resume(out.with_suffix(".state.safetensors"))
    content, told = checkpoint.read_safetensors(out, checkpoint.FORMAT_3)
    spoilt = tmp_path / "spoilt.safetensors"
    checkpoint.write_safetensors(spoilt, checkpoint.FORMAT_3, content | {"covariance.tied": torch.zeros(1)}, told)
    with refuses("fit the state"):
        load_prior(spoilt)
    check_kind(prior, True, "this")
    with refuses("this needs"):
        check_kind(prior, False, "this")


def test_the_configuration_fits_the_repository():
    """Weights in half precision, the compact covariance, and the functions of 49 channels: at most 8 MB."""
    network, config = training.CONFIGURATIONS["trajectory"]
    told = network.as_dict()
    size = {name: told[name] for name in ("width", "multipliers", "blocks", "patch")}
    k = len(config.state)
    with torch.device("meta"):
        weights = sum(p.numel() for p in UNet(2 * k + CONTEXT_CHANNELS, k, **size).parameters())
    assert config.state == TRAJECTORY and k == 49
    covariance = 4 * k * 64**2 + 2 * 32**2 * (k * (k - 1) // 2 - 7) + 2 * 7 * 64**2
    assert 2 * weights + covariance + 2 * 4 * len(CHANNELS) * 64**2 < 8e6
