"""Nowcasts and forecasts: only the past is seen, each lead is judged by its own day, persistence is what it is."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr
from test_in_time import STATE, covariance, weeks
from test_trajectory import DATE

from genda_lite import cli
from genda_lite.baselines.interpolation import Ensemble
from genda_lite.observe.systems import NADIR, ObservingSystem
from genda_lite.prior import DiffusionPrior, GaussianPrior, NetworkConfig
from genda_lite.prior.checkpoint import FORMAT_3, save_prior
from genda_lite.show.forecast import plot_forecast
from genda_lite.state import CHANNELS, Grid
from genda_lite.verify.engine import IN_TIME, OI, OURS_FAST, Method
from genda_lite.verify.osse import forecast as ahead
from genda_lite.verify.table import less, number, read_table, tidy

DAY = np.timedelta64(1, "D")
SYSTEM = ObservingSystem(NADIR, cloud=0.2, l4=("so",), wind=True)
LEADS = (0, 1)


@pytest.fixture(scope="module")
def prior(standardizer, domain) -> GaussianPrior:
    """Of three days, two apart, so that forecasts reach one day ahead."""
    return GaussianPrior(covariance(), standardizer, domain, state=STATE)


@pytest.fixture(scope="module")
def series(gaussian_prior) -> xr.Dataset:
    """An ocean that stands still for a month but for sea level, which rises by 2 cm a day."""
    grid = Grid.around(-60.0, 38.0, (18, 20))
    generator = torch.Generator().manual_seed(5)
    x = torch.nn.functional.interpolate(gaussian_prior.spectrum.sample(1, generator=generator), size=grid.shape)
    one = gaussian_prior.standardizer.to_dataset(x, grid, DATE).isel(member=0, drop=True).drop_vars("time")
    one = one.rename(u_ageo_eddy="uo", v_ageo_eddy="vo")
    levels = {day: one["zos"] + 0.02 * (day - 15) for day in range(30)}
    return xr.concat([one.assign(zos=v).assign_coords(time=DATE + day * DAY) for day, v in levels.items()], "time")


@pytest.fixture(scope="module")
def cases(series, prior) -> ahead.ForecastCases:
    return ahead.ForecastCases([series], prior, 2, LEADS, system=lambda n: replace(SYSTEM, seed=n))


def test_only_the_past_is_seen(cases, series):
    for case in cases:
        age = (case.date - case.observations.time) / DAY
        assert (age >= 0).all() and 6 < age.max() <= ahead.PAST
        assert {"zos", "thetao", "so", "uas"} <= set(case.observations.channel)
        for lead in LEADS:
            here = series.sel(time=case.date + lead * DAY)
            box = {dim: case.truth[dim] for dim in ("latitude", "longitude")}
            np.testing.assert_array_equal(case.truth["zos"].sel(lead=lead), here["zos"].sel(box))
    changed = series.copy()
    changed["zos"] = series["zos"].where(series["time"] <= case.date, 99.0)
    again = replace(cases, series=[changed])[1]
    np.testing.assert_array_equal(again.observations.value, case.observations.value)


def test_a_state_is_moved_so_that_a_frame_lies_on_each_lead(prior, gaussian_prior, refuses):
    assert ahead.shifts_of(prior, (0, 1)) == {0: [0], -1: [1]}
    assert ahead.shifts_of(prior, (0, 1, 2)) == {0: [0, 2], -1: [1]}
    for lead in (3, -1):
        with refuses(f"a lead of {lead} days", "expected 0 to 1 days"):
            ahead.shifts_of(prior, (lead,))
    with refuses("a forecast needs a prior of several days"):
        ahead.forecast_methods(gaussian_prior, gaussian_prior)


def test_each_lead_is_read_from_its_own_day(cases, prior):
    """A method that answers with the day of each frame, counted from the case's date."""
    case = cases[0]

    def run(task):
        lag = (task.problem.date - case.date) / DAY + torch.tensor(prior.state.lags)
        return Ensemble(lag.float()[None, :, None, None].expand(2, -1, 16, 16))

    fields = ahead.foretold(Method("clock", run), case, prior, 2, 0)
    usual = {lead: prior.standardizer.climatology(case.grid.latitude, case.date + lead * DAY)[0, 0] for lead in LEADS}
    for lead in LEADS:
        found = float(fields["zos"].sel(lead=lead)[0, 0, 0])
        assert found == pytest.approx(usual[lead] + lead * prior.standardizer.scale[0], abs=1e-4)


def test_scores_by_days_ahead(cases, prior):
    """What is kept misses a rise of 2 cm by the day after; and what is seen of temperature is known."""
    known = ahead.forecast_methods(prior, prior)
    names = f"{OI}, {IN_TIME}", "climatology"
    table = ahead.run(cases, [known[name] for name in names], prior, 8)
    frame = tidy(ahead.rows_of(table))
    truth = [number(frame, method=ahead.TRUTH, metric="rmse", channel="zos", zone=str(lead)) for lead in LEADS]
    assert truth == pytest.approx([0.0, 0.02], abs=1e-6)
    rmse = {m: number(frame, method=m, metric="rmse", channel="thetao", zone="0") for m in names}
    assert rmse[names[0]] < 0.5 * rmse["climatology"]
    for metric in ("rmse", "crps"):
        now, kept = (number(frame, method=m, metric=metric, channel="zos", zone="0")
                     for m in (names[0], ahead.KEPT + names[0]))  # fmt: skip
        assert now == pytest.approx(kept)
    assert not len(frame[frame["metric"] == less("crps", names[0])])  # ours is not there
    figure = plot_forecast(frame)
    assert len(figure.axes) == 6 and len(figure.axes[0].lines) == 3


def test_runs_go_on_and_are_of_one_setting(cases, prior, tmp_path, refuses):
    chosen = [ahead.forecast_methods(prior, prior)["climatology"]]
    first = ahead.run(cases, chosen, prior, 3, tmp_path)
    again = ahead.run(replace(cases, series=[]), chosen, prior, 3, tmp_path)
    xr.testing.assert_allclose(first, again)
    with refuses("other settings"):
        ahead.run(cases, chosen, prior, 4, tmp_path)


def test_series_that_are_short_or_not_daily_are_refused(series, cases, refuses, standardizer, domain):
    for wrong in (series.isel(time=slice(8)), series.isel(time=slice(None, None, 2))):
        with refuses("expected 9 or more, daily and without a gap"):
            replace(cases, series=[wrong])[0]
    with refuses("12 x 20 points", "16 x 16"):
        replace(cases, series=[series.isel(latitude=slice(12))])[0]


def test_the_command(tmp_path, standardizer, domain, monkeypatch, capsys):
    state = STATE.series(CHANNELS, (-6.0, -4.0, -2.0, 0.0, 2.0, 4.0, 6.0))
    network = NetworkConfig(width=8, multipliers=(1,))
    whole = covariance(state)[:8, :8]
    several = DiffusionPrior(whole, standardizer, domain, network, state=state)
    save_prior(several, tmp_path / "several.safetensors", FORMAT_3)
    single = DiffusionPrior(whole[..., :7, :7], standardizer, domain, network)
    save_prior(single, tmp_path / "single.safetensors", FORMAT_3)
    weeks(3).to_netcdf(tmp_path / "truth.nc", engine="h5netcdf")

    def run(*arguments: str) -> int:
        monkeypatch.setattr("sys.argv", ["genda", "evaluate", "nowcast", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        return stop.value.code

    here = ["--truth", tmp_path / "truth.nc", "--quick"]
    table, picture = tmp_path / "table.csv", tmp_path / "ahead.png"
    assert not run(*here, "--prior", tmp_path / "several.safetensors", "--table", table, "--plot", picture)
    found = read_table(table)
    assert set(found["zone"]) == set("012345") and picture.stat().st_size > 1000
    assert np.isfinite(number(found, method=f"{OURS_FAST}, {IN_TIME}", metric="crps", channel="zos", zone="5"))
    assert run(*here, "--prior", tmp_path / "single.safetensors") == 2
    assert "a forecast needs a prior of several days" in capsys.readouterr().err
    assert run("--prior", tmp_path / "several.safetensors") == 2
    assert "expected --truth" in capsys.readouterr().err
