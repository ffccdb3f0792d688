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
from genda_lite.verify.dress import Dressing, fit
from genda_lite.verify.engine import DRESSED, OI, Case, Method, interpolated, sampled
from genda_lite.verify.osse import scoreboard as sb
from genda_lite.verify.osse import single
from genda_lite.verify.scores import rank_distance
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
    return sb.Cases([series], gaussian_prior, 4, decorrelation=1.0)  # each day is another


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
    assert (one["size"] == 40).all()
    scale = gaussian_prior.standardizer.scale
    np.testing.assert_allclose(one["crps"] / scale, d / np.sqrt(np.pi), rtol=0.2)
    np.testing.assert_allclose(np.sqrt(one["variance"]) / scale, d, rtol=0.1)
    np.testing.assert_allclose(np.sqrt(one["mse"]) / scale, d * np.sqrt(1 + 1 / 40), rtol=0.2)
    np.testing.assert_allclose(one["ranks"].sum("rank"), 1)


@pytest.mark.parametrize("members", [2, 3])
def test_spread_over_error_of_few_members_is_one_if_they_are_calibrated(cases, gaussian_prior, members):
    """The mean of M members errs by (M + 1) / M of their variance, a known mean by their variance alone."""
    case, generator = cases[0], torch.Generator().manual_seed(1)
    x, found = truth_of(case, gaussian_prior), []
    for exact in (False, True):
        tables = []
        for _ in range(6):
            centre = x + 0.3 * torch.randn(x.shape, generator=generator)
            draws = centre + 0.3 * torch.randn(members, *x.shape, generator=generator)
            one = sb.evaluate(Ensemble(draws, centre if exact else None), case, gaussian_prior)
            tables.append(one.expand_dims(experiment=["a method"]))
        table = xr.concat(tables, "case").assign_attrs(members=members)
        found.append(sb.figures(table)["spread_skill"].sel(channel=list(CHANNELS)))
    assert all(float(ratios.mean()) == pytest.approx(1, abs=0.03) for ratios in found)


def test_a_gaussian_about_an_estimate_scores_as_its_members_would(cases, gaussian_prior):
    case, d, generator = cases[0], 0.3, torch.Generator().manual_seed(0)
    x = truth_of(case, gaussian_prior)
    centre = x + d * torch.randn(x.shape, generator=generator)
    ensemble = Ensemble(None, centre, torch.full_like(centre, d))
    deviation = single.own_deviation(ensemble, case, gaussian_prior)
    one = sb.evaluate(ensemble, case, gaussian_prior, deviation).sel(zone="all")
    members = Ensemble(centre + d * torch.randn(64, *x.shape, generator=generator))
    other = sb.evaluate(members, case, gaussian_prior).sel(zone="all")
    state = {"channel": list(CHANNELS)}
    np.testing.assert_allclose(one["crps"].sel(state), other["crps"].sel(state), rtol=0.03)
    np.testing.assert_allclose(one["variance"].sel(state), other["variance"].sel(state), rtol=0.03)
    assert one.sel(channel="uo")["crps"].isnull() and (one["size"] == np.inf).all()  # of those it says nothing
    plain = sb.evaluate(Ensemble(None, centre), case, gaussian_prior).sel(zone="all")
    assert (one["crps"].sel(state) < 0.75 * plain["crps"].sel(state)).all() and plain["variance"].isnull().all()
    ranks = one["ranks"].sel(state)
    np.testing.assert_allclose(ranks.sum("rank"), 1)
    assert ranks.sizes["rank"] == 17 and (rank_distance(ranks) < 0.15).all()
    narrow = sb.evaluate(ensemble, case, gaussian_prior, 0.3 * deviation)["ranks"].sel(state)
    assert (narrow.isel(rank=[0, -1]).sum("rank") > 0.3).all() and (rank_distance(narrow) > 0.3).all()


def test_a_dressing_is_fitted_on_other_oceans_and_used_where_errors_are_alike(
    cases, series, gaussian_prior, tmp_path, refuses
):
    guess = Method("U-Net regression", lambda task: Ensemble(None, torch.zeros(gaussian_prior.shape)))
    seeds = single.seeds_of([series.assign_attrs(seed=2)])
    fitted = single.fit_dressing(cases, guess, gaussian_prior, seeds=seeds)
    assert set(fitted.classes) == set(sb.SCORED) and single.seeds_of([series]) == ""
    fitted.write(tmp_path / "dressing.csv")
    again = Dressing.read(tmp_path / "dressing.csv")
    assert again.about["dresses"] == guess.name and again.about["seeds"] == "2"
    pd.testing.assert_frame_equal(again.classes["so"].table, fitted.classes["so"].table, check_dtype=False, rtol=1e-5)
    dress = replace(guess, name=f"{guess.name}, {DRESSED}", spread=DRESSED)
    scored = replace(cases, seed=1, count=2)
    table = sb.run(scored, [guess, dress], gaussian_prior, 4, folder=tmp_path, dressing=again)
    plain, worn = (table["crps"].sel(zone="all", experiment=m.name) for m in (guess, dress))
    ratio = worn.mean("case") / plain.mean("case")  # 0.71 for a Gaussian of the right deviation
    assert (ratio < 1).all() and ratio.mean() < 0.8
    shape = sb.figures(table).sel(experiment=dress.name, channel=list(CHANNELS))
    assert shape["spread_skill"].mean() == pytest.approx(1, abs=0.2) and shape["rank_distance"].mean() < 0.2
    assert [m for m in sb.run(scored, [guess, dress], gaussian_prior, 4)["experiment"].values] == [guess.name]

    other = replace(again, classes={name: fit(np.ones(9), {"near": np.zeros(9)}) for name in sb.SCORED})
    with pytest.raises(InputError, match="near were fitted"):  # another dressing: what is there is not taken for it
        sb.run(scored, [guess, dress], gaussian_prior, 4, folder=tmp_path, dressing=other)
    for seed in (2, np.array([1, 2])):
        with refuses("seed 2", "other oceans"):
            sb.run(replace(scored, series=[series.assign_attrs(seed=seed)]), [dress], gaussian_prior, 4, dressing=again)
    with refuses("does not say which oceans"):
        sb.run(scored, [dress], gaussian_prior, 4, dressing=replace(again, about={}))
    *whole, last = (tmp_path / "dressing.csv").read_text().splitlines()
    *limits, _, points = last.split(",")
    (tmp_path / "spoilt.csv").write_text("\n".join([*whole, ",".join([*limits, "none", points])]))
    with refuses("spoilt.csv", "cannot be read"):
        Dressing.read(tmp_path / "spoilt.csv")
    shipped = single.shipped_dressing()
    assert shipped is None or shipped.about["seeds"] == "2"
    assert single.shipped_dressing(regression=tmp_path / "own.safetensors") is None


def test_methods_are_told_when_altimetry_was_measured(cases):
    case = replace(cases, system=lambda number: ObservingSystem(NADIR[:3], cloud=1.0))[0]
    lag = abs((case.timely.time - case.date) / DAY)
    assert case.timely.error.max() < 0.03 < 0.5 < case.observations.error.max() and lag.max() > 3
    assert len(case.timely) < len(case.observations)
    assert replace(cases, decorrelation=0.0)[0].timely is None


def test_interpolation_that_is_told_the_times_errs_less(gaussian_prior):
    """A sea that changes slowly, and passes of ten days: told of their age alone, it believes too little of them."""
    grid, day = Grid.around(-60.0, 38.0, (16, 16)), np.arange(-8, 9)
    spectrum, noise = gaussian_prior.spectrum, MemberNoise(3, range(24), gaussian_prior.shape, "cpu")
    ends = spectrum.from_modes(spectrum.variance.sqrt() * noise())
    date, errors = np.datetime64("2001-02-03T12:00", "ns"), []
    for a, b in ends.view(12, 2, *ends.shape[1:]):
        turn = [np.arccos(np.exp(-((d / 10.0) ** 2))) * np.sign(d) for d in day]  # autocorrelated as is assumed
        states = torch.stack([np.cos(t) * a + np.sin(t) * b for t in turn])
        ds = gaussian_prior.standardizer.to_dataset(states, grid, date).rename(member="day").drop_vars(["day", "time"])
        truth = ds.rename(day="time").assign_coords(time=date + day * DAY).rename(u_ageo_eddy="uo", v_ageo_eddy="vo")
        drawn = sb.Cases([truth], gaussian_prior, 1, system=lambda _: ObservingSystem(NADIR[:2], cloud=1.0))
        oi = Method(OI, partial(interpolated, gaussian_prior))
        tables = [sb.run(replace(drawn, decorrelation=t), [oi], gaussian_prior, 2) for t in (10.0, 0.0)]
        errors.append([float(t["mse"].sel(channel="zos", zone="all").mean()) for t in tables])
    told, untold = np.sqrt(np.mean(errors, 0))
    assert told < 0.95 * untold


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
    fast = partial(sampled, gaussian_prior, Settings("oi", "sde-2m", 24))
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


def of_oceans(ours: np.ndarray, theirs: np.ndarray, oceans) -> xr.Dataset:
    """A table of the CRPS of two methods in many cases."""
    crps = xr.DataArray(np.stack([ours, theirs], 1)[..., None, None], dims=("case", "experiment", "channel", "zone"))
    crps = crps.assign_coords(experiment=["diffusion", "climatology"], channel=["so"], zone=["all"])
    return xr.Dataset({"crps": crps, "ocean": ("case", np.asarray(oceans))})


def test_an_interval_resamples_oceans_and_not_cases():
    """A hundred cases of eight oceans that differ: the interval is as wide as eight differences make it."""
    from scipy import stats

    rng = np.random.default_rng(0)
    oceans = np.arange(104) % 8
    less = np.linspace(-0.3, 0.1, 8)[oceans] + 0.01 * rng.standard_normal(104)
    d = sb.paired(of_oceans(2 + less, np.full(104, 2.0), oceans), "diffusion", "climatology", "so")
    means = np.array([less[oceans == k].mean() for k in range(8)])
    half = stats.t.ppf(0.975, 7) * means.std(ddof=1) / np.sqrt(8)
    assert d.value == pytest.approx(less.mean() / 2) and d.cases == 104
    assert (d.low, d.high) == pytest.approx(((means.mean() - half) / 2, (means.mean() + half) / 2))
    assert list(d.oceans.values()) == pytest.approx(list(means / 2)) and not d.agreed
    assert d.high - d.low > 3 * 1.98 * less.std() / np.sqrt(104)  # three times that of cases, were they independent


def test_of_three_oceans_each_is_told_and_no_interval(table):
    oceans = [0, 1, 2] * 5
    for own, agreed in (([-0.1, -0.2, -0.3], True), ([-0.1, -0.2, 0.1], False)):
        found = of_oceans(2 + np.array(own * 5), np.full(15, 2.0), oceans)
        d = sb.paired(found, "diffusion", "climatology", "so")
        assert np.isnan([d.low, d.high]).all() and d.agreed == agreed
        assert d.oceans == pytest.approx({k: v / 2 for k, v in enumerate(own)})
        whole, *each = sb.paired_rows(found, "diffusion", "climatology", "so")
        assert [one["ocean"] for one in each] == ["0", "1", "2"] and "ocean" not in whole
        assert not {"low", "high"} & set(whole["beside"]) and whole["beside"]["cases"] == 15
    assert not sb.paired(table.isel(case=[0, 2]), "diffusion", "climatology", "so").agreed  # one ocean


def test_the_spread_is_judged_beside_the_error_of_the_mean_of_few_members(table):
    """Of eight: the variance of the mean's error is 9/8 of the members' if they are calibrated, but of a mean that is
    known, such as that of optimal interpolation."""
    mean, state = table[["mse", "variance"]].sel(zone="all").mean("case"), {"channel": list(CHANNELS)}
    for method, factor in (("diffusion", 9 / 8), ("OI, multivariate", 1)):
        here, found = mean.sel(experiment=method, **state), sb.figures(table)["spread_skill"]
        expected = np.sqrt(factor * here["variance"] / here["mse"])
        np.testing.assert_allclose(found.sel(experiment=method, **state), expected)


def test_every_target_is_told(table):
    rows = sb.targets(table)
    names = " ".join(row["name"] for row in rows)
    for word in ("climatology", "OI, univariate", "OI, multivariate", "U-Net", "spread/skill of so", "departure"):
        assert word in names
    assert {"name", "value", "target", "met", "beside", "detail"} <= set(rows[0])
    assert len(sb.details(table)) > 500
    assert any("the ocean of least gain" in row["name"] and row["detail"] for row in rows)


def test_what_is_ahead_is_ahead_of_the_dressed_estimate(table):
    """As it is delivered, a single estimate is no match for an ensemble."""
    title = "diffusion less U-Net regression"
    assert any(f"{title} (" in row["name"] for row in sb.targets(table))
    both = table.sel(experiment=["U-Net regression"]).assign_coords(experiment=["U-Net regression, dressed"])
    both = xr.concat([table, both], "experiment", data_vars="minimal", coords="minimal", compat="override")
    names = " ".join(row["name"] for row in sb.targets(both.assign_attrs(table.attrs)))
    assert f"{title}, dressed (" in names and f"{title} (" not in names


def test_what_is_written_is_read_again_and_drawn(table, tmp_path, refuses):
    rows = sb.targets(table) + sb.details(table)
    assert len({row["name"] for row in rows}) == len(rows)
    write_rows(tmp_path / "osse.json", rows)
    written = tidy(json.loads((tmp_path / "osse.json").read_text()))
    write_table(tidy(rows), tmp_path / "osse.csv", command="a test")
    found = read_table(tmp_path / "osse.csv")
    pd.testing.assert_frame_equal(found, tidy(rows), rtol=1e-5)
    pd.testing.assert_frame_equal(written, tidy(rows).replace(np.inf, np.nan))
    labels = {"method": "diffusion, slow", "channel": "so", "zone": "all", "case": ""}
    own = sb.paired(table, "diffusion, slow", "OI, multivariate", "so")
    one = pick(written, metric=less("crps", OI), ocean="", **labels)[["value", "low", "high"]].to_numpy().squeeze()
    np.testing.assert_allclose(one, own[:3])
    each = pick(written, metric=less("crps", OI), ocean="0", **labels)["value"].item()
    assert each == pytest.approx(own.oceans[0])
    assert one_number(written, metric="cases", method="diffusion, slow", case="") == own.cases == 2
    # Where not all methods were run on all cases, each is compared on the cases of all.
    few = table.isel(case=table["seconds"].notnull().all("experiment").values)
    assert few.sizes["case"] == one_number(written, metric="cases", case=sb.COMMON) == 2 < table.sizes["case"]
    for method in ("diffusion", "diffusion, slow"):
        alike = {"case": sb.COMMON, "method": method, "channel": "so", "metric": less("crps", OI), "ocean": ""}
        assert one_number(written, **alike) == pytest.approx(sb.paired(few, method, OI, "so").value)
    ratio = sb.figures(table).spread_skill.sel(experiment="diffusion, slow", channel="so")
    assert one_number(written, metric="spread_skill", **labels) == pytest.approx(float(ratio))
    assert not written.duplicated(["case", "ocean", "date", "method", "channel", "zone", "metric"]).any()
    shares = pick(found, metric=less("crps", OI), case="", ocean="")
    everyone = {str(m) for m in table["experiment"].values} - {"OI, multivariate"}
    assert all(set(some["method"]) == everyone for _, some in shares.groupby("channel"))

    figure = board.plot_relative(found)
    places = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    def words(methods):
        return {board.WORDS.get(method, method) for method in methods}

    assert set(places) == words(everyone) and len(figure.axes) == len(sb.OCEAN)
    ours = shares[(shares["channel"] == "zos") & (shares["method"] == "diffusion")]["value"].item()
    drawn = {tuple(line.get_xydata()[0]) for line in figure.axes[0].lines if len(line.get_xydata()) == 1}
    assert (1 + ours, places.index(board.WORDS["diffusion"])) in drawn
    calibrated = board.plot_calibration(found)
    told = {tick.get_text() for tick in calibrated.axes[0].get_yticklabels()}
    assert told == words(everyone - {"U-Net regression"} | {"OI, multivariate"})
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
    for other in ({"members": 4}, {"members": 3, "made_of": "another truth"}):
        with pytest.raises(InputError, match="other settings"):
            sb.run(cases, chosen, gaussian_prior, folder=tmp_path, **other)


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


def test_a_spread_is_fitted_on_oceans_of_ones_own_that_are_no_test(tmp_path, series):
    series.isel(time=[0]).assign_attrs(seed=7).to_netcdf(tmp_path / "test.nc", engine="h5netcdf")
    here = ["--truth", str(tmp_path / "test.nc")]
    for given, words in (([], "expected --truth"), (here, "test data"), ([*here, "--quick"], "no --quick")):
        said = CliRunner().invoke(app, ["evaluate", "osse", *given, "--fit-dressing", str(tmp_path / "dressing.csv")])
        assert isinstance(said.exception, InputError) and words in str(said.exception)
    assert not (tmp_path / "dressing.csv").exists()
