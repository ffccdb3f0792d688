"""The scoreboard: honest cases, scores right on ensembles whose quality is known, tables that say who is ahead."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from typer.testing import CliRunner

from genda_lite.baselines.interpolation import Ensemble, climatological_ensemble
from genda_lite.cli import app, write_rows
from genda_lite.errors import InputError
from genda_lite.observe.instruments import DAY
from genda_lite.observe.systems import NADIR, ObservingSystem, random_system
from genda_lite.posterior.assimilate import Settings
from genda_lite.prior import GaussianPrior
from genda_lite.prior.samplers import MemberNoise
from genda_lite.show import board
from genda_lite.state import CHANNELS, Grid
from genda_lite.verify.engine import OI, Case, Method, interpolated, sampled
from genda_lite.verify.osse import scoreboard as sb
from genda_lite.verify.table import less, pick, read_table, tidy, write_table
from genda_lite.verify.table import number as one_number


@pytest.fixture(scope="module")
def series(gaussian_prior) -> xr.Dataset:
    """Two oceans of 30 days whose states are draws of the prior on a larger grid, each day another."""
    grid = Grid.around(-60.0, 38.0, (24, 24))
    times = np.datetime64("2001-01-01T12:00", "ns") + np.arange(30) * DAY
    noise = MemberNoise(0, range(60), gaussian_prior.shape, "cpu")
    x = gaussian_prior.spectrum.from_modes(gaussian_prior.spectrum.variance.sqrt() * noise())
    x = torch.nn.functional.interpolate(x, size=grid.shape, mode="bilinear")
    days = []
    for i, one in enumerate(x):
        state = gaussian_prior.standardizer.to_dataset(one[None], grid, times[i % 30]).isel(member=0, drop=True)
        days.append(state.rename(u_ageo_eddy="uo", v_ageo_eddy="vo"))
    both = [xr.concat(days[k : k + 30], "time") for k in (0, 30)]
    return xr.concat(both, "member")


@pytest.fixture(scope="module")
def cases(series, gaussian_prior) -> sb.Cases:
    return sb.Cases([series], gaussian_prior, 4)


# --- Cases -----------------------------------------------------------------------------------------------------------


def test_systems_are_of_all_kinds_and_reproducible():
    systems = [random_system(seed) for seed in range(200)]
    assert {len(s.missions) for s in systems} == set(range(1, 8))
    assert {s.swot for s in systems} == {s.wind for s in systems} == {False, True}
    assert {s.l4 for s in systems} >= {(), ("zos",), ("zos", "thetao", "so")}
    assert 0 <= min(s.cloud for s in systems) < 0.05 and 0.9 < max(s.cloud for s in systems) <= 0.95
    assert random_system(3) == random_system(3) != random_system(4)


def test_a_case_is_what_its_ocean_holds(cases, series):
    case = cases[1]
    ocean = series.isel(member=1).sel(time=case.date)
    box = {name: case.truth[name] for name in ("latitude", "longitude")}
    for name in ("zos", "thetao", "so", "uo", "vo", "uas", "vas"):
        np.testing.assert_array_equal(case.truth[name], ocean[name].sel(box))
    assert case.grid.holds(case.observations.latitude, case.observations.longitude).all()
    radiometer = (case.observations.channel == "thetao") & (case.observations.smoothing == 0)
    assert radiometer.sum() == case.zones["clear"].sum()
    again = cases[1]
    assert again.truth.equals(case.truth) and (again.observations.value == case.observations.value).all()


def test_altimetry_of_a_case_is_of_its_own_day(cases, series):
    case = replace(cases, system=lambda number: ObservingSystem(NADIR, cloud=1.0))[0]
    seen, zos = case.observations, series["zos"].isel(member=0)
    where = {name: ("point", getattr(seen, name)) for name in ("latitude", "longitude")}
    where = {name: xr.DataArray(v[1], dims="point") for name, v in where.items()}
    day = zos.sel(time=xr.DataArray(seen.time, dims="point"), method="nearest")
    own = np.array([float(day[i].interp({k: v[i] for k, v in where.items()})) for i in range(0, len(seen), 7)])
    assert np.std(seen.value[::7] - own) < 0.05 < np.std(own)


def test_dates_keep_away_from_the_ends_of_the_series(series, gaussian_prior):
    dates = [case.date for case in sb.Cases([series], gaussian_prior, 6)]
    first, last = series["time"].values[[0, -1]]
    assert dates == sorted(dates) and len(set(dates)) == 6
    assert min(dates) - first >= 5 * DAY and last - max(dates) >= 5 * DAY


def test_louder_errors_are_not_told(cases):
    system = ObservingSystem(NADIR[:1], swot=True, cloud=1.0)
    for number in range(4):
        same = replace(cases, system=lambda _: system)
        quiet, loud = (replace(same, swath_error_factor=f)[number].observations for f in (1.0, 3.0))
        np.testing.assert_array_equal(quiet.error, loud.error)
        if (quiet.value != loud.value).any():
            return
    raise AssertionError("SWOT came by in no case")


def test_boxes_that_do_not_fit_are_refused(series, gaussian_prior, refuses):
    with refuses("12 x 24", "16 x 16"):
        sb.Cases([series.isel(latitude=slice(12))], gaussian_prior, 2)[0]


# --- Scores ----------------------------------------------------------------------------------------------------------


def truth_of(case: Case, prior) -> torch.Tensor:
    return prior.standardizer.to_tensor(case.truth)


def test_the_truth_itself_scores_zero(cases, gaussian_prior):
    case = cases[0]
    x = truth_of(case, gaussian_prior)
    one = sb.evaluate(Ensemble(None, x), case, gaussian_prior)
    state = one.sel(channel=list(CHANNELS))
    assert float(state["crps"].max()) < 1e-4 and float(state["mse"].max()) < 1e-8
    assert one["variance"].isnull().all() and "ranks" not in one
    power = one["power"]
    np.testing.assert_allclose(power.sel(kind="mean"), power.sel(kind="truth"), rtol=1e-3)


def test_scores_of_a_known_ensemble(cases, gaussian_prior):
    """White deviations of the truth by d, as large as those of the members: calibrated, with a CRPS of d / sqrt(pi)."""
    case, d, generator = cases[0], 0.3, torch.Generator().manual_seed(0)
    x = truth_of(case, gaussian_prior)
    centre = x + d * torch.randn(x.shape, generator=generator)
    draws = centre + d * torch.randn(40, *x.shape, generator=generator)
    one = sb.evaluate(Ensemble(draws), case, gaussian_prior).sel(zone="all", channel=list(CHANNELS))
    scale = gaussian_prior.standardizer.scale
    np.testing.assert_allclose(one["crps"] / scale, d / np.sqrt(np.pi), rtol=0.2)
    np.testing.assert_allclose(np.sqrt(one["variance"]) / scale, d, rtol=0.1)
    np.testing.assert_allclose(np.sqrt(one["mse"]) / scale, d * np.sqrt(1 + 1 / 40), rtol=0.2)
    np.testing.assert_allclose(one["ranks"].sum("rank"), 1)


def test_zones_split_the_whole(cases, gaussian_prior):
    case = cases[0]
    one = sb.evaluate(climatological_ensemble(gaussian_prior, 3), case, gaussian_prior)["mse"].sel(channel="so")
    share = case.zones["clear"].mean()
    assert float(one.sel(zone="all")) == pytest.approx(
        share * float(one.sel(zone="clear")) + (1 - share) * float(one.sel(zone="cloudy"))
    )


def test_isotropic_resolution_is_where_the_error_has_half_the_power():
    k = np.arange(1, 30) / 500e3
    ratio = (k * 100e3) ** 2
    assert sb.isotropic_resolution(k, ratio) == pytest.approx(np.sqrt(2) * 100e3, rel=1e-6)
    assert sb.isotropic_resolution(k, ratio * 1e-9) == pytest.approx(1 / k[-1])
    assert sb.isotropic_resolution(k, np.ones_like(k)) == np.inf
    assert np.isnan(sb.isotropic_resolution(k, k * np.nan))


# --- The board -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def table(cases, gaussian_prior, covariance, standardizer, domain) -> xr.Dataset:
    univariate = GaussianPrior(covariance, standardizer, domain, univariate=True)
    fast = partial(sampled, gaussian_prior, Settings("oi", "sde-2m", 12))
    chosen = [
        Method("climatology", lambda task: climatological_ensemble(gaussian_prior, task.members)),
        Method("OI, univariate", partial(interpolated, univariate)),
        Method("OI, multivariate", partial(interpolated, gaussian_prior)),
        Method("U-Net regression", lambda task: Ensemble(None, torch.zeros(gaussian_prior.shape))),
        Method("diffusion", fast),
        Method("diffusion, slow", fast, slow=True),
    ]
    return sb.run(cases, chosen, gaussian_prior, members=8, every=2)


def test_observations_help_and_the_sampler_is_optimal_interpolation(table):
    crps = table["crps"].sel(zone="all", channel="thetao").mean("case")  # in this ocean each day's sea level is new
    climatology, oi, ours = (
        float(crps.sel(experiment=name)) for name in ("climatology", "OI, multivariate", "diffusion")
    )
    assert oi < 0.8 * climatology and ours == pytest.approx(oi, rel=0.1)


def test_slow_methods_run_on_some_cases_and_are_compared_on_these(table):
    ran = table["crps"].sel(experiment="diffusion, slow", channel="zos", zone="all").notnull()
    assert ran.values.tolist() == [True, False, True, False]
    same = sb.paired(table, "diffusion, slow", "diffusion", "zos")
    assert same.value == pytest.approx(0, abs=1e-9) and same.cases == 2
    tables = sb.board(table)
    assert any(title.startswith("CRPS, 4 cases") for title in tables)
    names = list(tables["CRPS, 2 of these cases"].index)
    assert "diffusion, slow" in names and len(names) == 6
    assert "diffusion, slow" not in tables["CRPS, 4 cases"].index
    crps = table["crps"].sel(experiment="climatology", channel="so", zone="all")
    assert tables["CRPS, 4 cases"].loc["climatology", "so"] == pytest.approx(float(crps.mean()))


def test_paired_differences_have_the_interval_of_student(table):
    from scipy import stats

    a, b = (table["crps"].sel(experiment=m, channel="so", zone="all").values for m in ("diffusion", "climatology"))
    d = sb.paired(table, "diffusion", "climatology", "so")
    half = stats.t.ppf(0.975, 3) * (a - b).std(ddof=1) / 2
    assert d.value == pytest.approx((a - b).mean() / b.mean())
    assert (d.low, d.high) == pytest.approx((d.value - half / b.mean(), d.value + half / b.mean()))


def test_the_spread_is_judged_beside_the_error_of_the_mean_of_few_members(table):
    """Of eight: the variance of the mean's error is 9/8 of the members' if they are calibrated."""
    mean = table[["mse", "variance"]].sel(zone="all").mean("case")
    np.testing.assert_allclose(sb.figures(table)["spread_skill"], np.sqrt(9 / 8 * mean["variance"] / mean["mse"]))


def test_every_target_is_told(table):
    rows = sb.targets(table)
    names = " ".join(row["name"] for row in rows)
    for word in ("climatology", "OI, univariate", "OI, multivariate", "U-Net", "spread/skill of so", "departure"):
        assert word in names
    assert {"name", "value", "target", "met", "beside", "detail"} <= set(rows[0])
    assert len(sb.details(table)) > 500


def test_what_is_written_is_read_again_and_drawn(table, tmp_path, refuses):
    rows = sb.targets(table) + sb.details(table)
    assert len({row["name"] for row in rows}) == len(rows)
    write_rows(tmp_path / "osse.json", rows)
    written = tidy(json.loads((tmp_path / "osse.json").read_text()))
    write_table(tidy(rows), tmp_path / "osse.csv", command="a test")
    found = read_table(tmp_path / "osse.csv")
    pd.testing.assert_frame_equal(found, tidy(rows), rtol=1e-5)
    pd.testing.assert_frame_equal(written, tidy(rows).replace(np.inf, np.nan))
    labels = {"method": "diffusion, slow", "channel": "so", "zone": "all"}
    own = sb.paired(table, "diffusion, slow", "OI, multivariate", "so")
    one = pick(written, metric=less("crps", OI), **labels)[["value", "low", "high"]].to_numpy().squeeze()
    np.testing.assert_allclose(one, own[:3])
    assert one_number(written, metric="cases", method="diffusion, slow") == own.cases == 2
    ratio = sb.figures(table).spread_skill.sel(experiment="diffusion, slow", channel="so")
    assert one_number(written, metric="spread_skill", **labels) == pytest.approx(float(ratio))
    assert not written.duplicated(["case", "ocean", "date", "method", "channel", "zone", "metric"]).any()
    shares = pick(found, metric=less("crps", OI), case="")
    everyone = {str(m) for m in table["experiment"].values} - {"OI, multivariate"}
    assert all(set(some["method"]) == everyone for _, some in shares.groupby("channel"))

    figure = board.plot_relative(found)
    places = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert set(places) == everyone and len(figure.axes) == len(sb.OCEAN)
    ours = shares[(shares["channel"] == "zos") & (shares["method"] == "diffusion")]["value"].item()
    drawn = {tuple(line.get_xydata()[0]) for line in figure.axes[0].lines if len(line.get_xydata()) == 1}
    assert (1 + ours, places.index("diffusion")) in drawn
    calibrated = board.plot_calibration(found)
    assert {tick.get_text() for tick in calibrated.axes[0].get_yticklabels()} == everyone - {"U-Net regression"} | {
        "OI, multivariate"
    }
    assert len(board.plot_cost(found).axes[0].texts) == len(everyone) + 1
    with refuses("genda evaluate osse"):
        board.plot_relative(found[found["metric"] == "rmse"])
    with refuses("genda evaluate osse"):
        board.plot_relative(tidy([{"name": "something else", "value": 1.0}]))


def test_growth_of_cost_is_drawn_where_one_thing_varies():
    usual = {"members": 16, "size": 64, "observations": 1000}
    varied = [{}, {"members": 4}, {"size": 128}, {"observations": 8000}]
    rows = [usual | {"method": "default", "seconds": 10.0 + i} | change for i, change in enumerate(varied)]
    figure = board.plot_growth([*rows, usual | {"method": "GenDA's sampler", "seconds": 40.0}], usual)
    drawn = [ax.lines[0].get_xydata().tolist() for ax in figure.axes]
    assert drawn == [[[4, 11], [16, 10]], [[64, 10], [128, 12]], [[1000, 10], [8000, 13]]]
    assert figure.axes[1].lines[2].get_xydata().tolist() == [[64, 40]]


def test_a_run_goes_on_from_the_cases_that_are_there(cases, gaussian_prior, tmp_path):
    calls = []

    def climatology(task):
        calls.append(task.seed)
        return climatological_ensemble(gaussian_prior, task.members, task.seed)

    chosen = [Method("climatology", climatology)]
    whole = sb.run(cases, chosen, gaussian_prior, 3, folder=tmp_path)
    (tmp_path / "case002.nc").unlink()
    again = sb.run(cases, chosen, gaussian_prior, 3, folder=tmp_path)
    assert calls == [0, 1, 2, 3, 2]
    xr.testing.assert_allclose(again.drop_vars("seconds"), whole.drop_vars("seconds"))
    guess = Method("an educated guess", lambda task: Ensemble(None, torch.zeros(gaussian_prior.shape)))
    more = sb.run(cases, [guess, *chosen], gaussian_prior, 3, folder=tmp_path)
    assert len(calls) == 5 and list(more["experiment"]) == ["an educated guess", "climatology"]
    xr.testing.assert_allclose(more["ranks"].sel(experiment=["climatology"]), whole["ranks"])
    again = sb.run(cases, [guess, *chosen], gaussian_prior, 3, folder=tmp_path)
    assert len(calls) == 5 and again.drop_encoding().identical(more)
    assert more["crps"].sel(zone="all").notnull().all() and more["ranks"].sel(experiment=guess.name).isnull().all()
    with pytest.raises(InputError, match="other settings"):
        sb.run(cases, chosen, gaussian_prior, 4, folder=tmp_path)


def test_sensitivity_to_errors_that_are_not_told(cases, gaussian_prior, tmp_path):
    chosen = [Method("OI, multivariate", partial(interpolated, gaussian_prior))]
    (row,) = sb.sensitivity(replace(cases, count=2), chosen, gaussian_prior, 4, factor=30.0, folder=tmp_path)
    assert row["value"] > 1 and row["beside"]["cases"] == 2
    assert len(list(tmp_path.glob("swath1/*.nc"))) == len(list(tmp_path.glob("swath30/*.nc"))) == 2


@pytest.mark.slow
def test_the_quick_board_of_the_shipped_prior(tmp_path):
    said = CliRunner().invoke(app, ["evaluate", "osse", "--quick", "--json", str(tmp_path / "rows.json")])
    assert said.exit_code == 0, said.output
    rows = {row["name"]: row for row in json.loads((tmp_path / "rows.json").read_text())}
    assert rows["CRPS of thetao, diffusion less climatology (share)"]["met"]
    assert rows["crps of so, all, diffusion"]["value"] > 0


def test_the_command_refuses_what_it_cannot_write(tmp_path):
    said = CliRunner().invoke(app, ["evaluate", "osse", "--json", str(tmp_path / "no" / "rows.json")])
    assert isinstance(said.exception, InputError) and "does not exist" in str(said.exception)
