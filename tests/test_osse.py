"""Twin experiments: nested observing systems, scores, the explorer's frames, the live sliders."""

import asyncio
import functools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import xarray as xr

import genda_lite as gl
from genda_lite import prepare
from genda_lite.errors import InputError
from genda_lite.observe.instruments import InstrumentErrors
from genda_lite.show import pack
from genda_lite.show.widgets import OsseExplorer
from genda_lite.sources import load_sample
from genda_lite.verify.osse import sweep as osse


@pytest.fixture(scope="module")
def prior():
    return gl.load_prior()


@pytest.fixture(scope="module")
def truth(prior) -> xr.Dataset:
    ocean = load_sample("nature_heldout").isel(member=0, time=12)
    ocean = ocean.assign(prepare.to_state(ocean, prior.standardizer.ekman_at(ocean.latitude)))
    return ocean.isel(latitude=slice(30, 94), longitude=slice(30, 94))


def apart(test):
    """Runs a test in a thread of its own: that of the browser's tests keeps an event loop running, as a notebook's."""

    @functools.wraps(test)
    def run(*args, **kwargs):
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(test, *args, **kwargs).result()

    return run


def pairs(observations: gl.Observations) -> set:
    return set(zip(observations.channel, observations.latitude, observations.longitude, strict=True))


def test_more_altimeters_and_less_cloud_only_add_observations(truth):
    few = osse.observe(truth, altimeters=2, cloud=0.8)
    many = osse.observe(truth, altimeters=4, cloud=0.3)
    assert pairs(few) < pairs(many)


def test_observations_differ_from_the_standing_truth_by_the_stated_error(truth):
    seen, errors = osse.observe(truth, altimeters=7, cloud=0.0), InstrumentErrors()
    for channel, true in (("zos", errors.nadir), ("thetao", errors.temperature)):
        one = seen.select(seen.channel == channel)
        where = {name: ("point", getattr(one, name)) for name in ("latitude", "longitude")}
        residual = one.value - truth[channel].interp({k: xr.DataArray(v[1], dims="point") for k, v in where.items()})
        assert abs(float(residual.std()) / true - 1) < 5 / np.sqrt(2 * len(one))
        assert true < one.error.min() == one.error.max() < 1.2 * true  # what the grid cannot hold is told, too


def test_a_system_that_sees_nothing_is_refused(truth):
    with pytest.raises(gl.InputError, match="nothing is observed"):
        osse.observe(truth, altimeters=0, cloud=1.0)


def test_diffusion_ensembles_beat_climatology_and_the_gaussian_prior(prior):
    """Not figures to quote, but the least a shipped prior must do on oceans it has not seen."""
    oceans, tables = load_sample("nature_heldout").isel(latitude=slice(30, 94), longitude=slice(30, 94)), []
    for ocean, time in ((0, 3), (0, 12), (1, 12)):
        truth = prepare.to_state(oceans.isel(member=ocean, time=time), prior.standardizer.ekman_at(oceans.latitude))
        seen = osse.observe(truth, altimeters=4, cloud=0.5)
        where = osse.southwest(gl.Grid(truth.latitude, truth.longitude))
        options = {"members": 8, "region": where, "date": truth.time.values, "fast": True}
        ensembles = {
            "diffusion": gl.assimilate(prior, seen, **options),
            "gaussian": gl.assimilate(gl.load_prior("gaussian"), seen, **options),
        }
        ensembles["climatology"] = osse.climatology_of(ensembles["diffusion"])
        tables.append(osse.score_table(ensembles, truth, ["zos", "thetao", "so"]))
        crps = {method: tables[-1].crps.sel(experiment=method) for method in ensembles}
        assert (crps["diffusion"] < crps["climatology"]).all()
        assert crps["diffusion"].sel(channel="thetao") < crps["gaussian"].sel(channel="thetao")
        assert (tables[-1].spread_skill.sel(experiment="diffusion") > 0.3).all()
    crps = osse.combine(tables).crps
    assert (crps.sel(experiment="diffusion") < crps.sel(experiment="gaussian")).all()


def test_combined_table_of_one_case_is_that_case(prior, truth):
    seen = osse.observe(truth, altimeters=2)
    where = osse.southwest(gl.Grid(truth.latitude, truth.longitude))
    ensemble = gl.assimilate(prior, seen, members=3, steps=4, region=where, date=truth.time.values)
    one = osse.score_table({"it": ensemble}, truth, ["zos", "so"])
    xr.testing.assert_allclose(osse.combine([one]), one)


def test_swot_only_adds_observations_and_the_error_can_be_scaled(truth):
    truth = truth.assign_coords(time=np.datetime64("2000-07-29"))  # SWOT crosses the box on that day
    without, with_it = (osse.observe(truth, 3, 0.7, swot=flies) for flies in (False, True))
    assert pairs(without) < pairs(with_it)
    noisy = osse.observe(truth, 3, 0.7, error=4.0)
    assert pairs(noisy) == pairs(without)
    where = {name: ("point", getattr(without, name)) for name in ("latitude", "longitude")}
    points = {name: xr.DataArray(value[1], dims="point") for name, value in where.items()}
    exact = np.where(without.channel == "zos", truth.zos.interp(points), truth.thetao.interp(points))
    np.testing.assert_allclose(noisy.value - exact, 4 * (without.value - exact), atol=1e-5)
    level = without.channel == "zos"
    usual = InstrumentErrors()
    assert noisy.error[level].min() == pytest.approx(np.hypot(4 * usual.nadir, usual.representativity_sea_level))


def test_sweep_gives_the_explorer_what_it_needs(truth, tmp_path, monkeypatch):
    model = gl.load_prior("gaussian")
    settings = {"altimeters": [1, 3], "clouds": [1.0], "errors": [1.0, 4.0], "channels": ["zos", "speed"]}
    options = settings | {"members": 3, "steps": 2, "progress": False, "folder": tmp_path}
    frames = osse.sweep({"gaussian": model}, truth, **options)
    sizes = {"method": 1, "altimeters": 2, "swot": 1, "cloud": 1, "error": 2, "channel": 2}
    assert dict(frames["mean"].sizes) == sizes | {"latitude": 64, "longitude": 64}
    assert frames.sizes["member"] == 2
    seen = frames["observations"].notnull().sum(("latitude", "longitude")).sel(channel="zos").isel(error=0).squeeze()
    assert 0 < int(seen[0]) < int(seen[1])
    sparse = frames["sparsity"].isel(channel=0, error=0).squeeze()
    assert float(sparse[0]) > float(sparse[1]) > 0

    def never(*args, **kwargs):
        raise AssertionError("computed again")

    monkeypatch.setattr(osse, "assimilate", never)
    xr.testing.assert_allclose(osse.sweep({"gaussian": model}, truth, **options), frames)  # what is done is kept

    explorer = pack.observing_explorer(frames)
    dials = {dial["name"]: dial for dial in explorer.payload["dials"]}
    assert dials["member"]["own"] and dials["error"]["words"] == ["as flown", "4 times"]
    assert dials["altimeters"]["start"] == 1 and explorer.payload["against"]["dials"] == ["altimeters"]
    assert set(explorer.payload["chunks"]) == {"zos", "speed"}  # one method: nothing to split by


def test_what_the_truth_does_not_hold_is_refused(truth):
    with pytest.raises(InputError, match="'speed'"):
        osse.sweep({}, truth.drop_vars("uo"), [1], [1.0], channels=["zos", "speed"])


@apart
def test_live_controls_make_a_new_ensemble_and_a_new_picture(truth):
    live = OsseExplorer({"gaussian": gl.load_prior("gaussian")}, truth, members=2, steps=2)
    before, count, ensemble = live.frame["channels"], len(live.observations), live.analysis
    live.altimeters = 6
    assert len(live.observations) > count
    assert live.frame["channels"] != before and live.progress == 1
    live.altimeters = 3
    assert live.analysis is ensemble and len(live.ensembles) == 2  # remembered
    assert live.frame["channels"] == before and len(live.tried) == 2  # the curve has two settings now
    for control, value in (("cloud", 100), ("error", 4.0)):
        before = live.frame["channels"]
        setattr(live, control, value)
        assert live.frame["channels"] != before, control
    # The page has what it takes to show another variable, other maps and another member by itself (test_notebook.py).
    maps = {name: channel["maps"] for name, channel in live.frame["channels"].items()}
    assert list(maps) == [channel["name"] for channel in live.contents["channels"]] and "speed" in maps
    for panels in maps.values():
        assert set(panels) == set(pack.PANELS) and len(set(panels.values())) == len(panels)
        one, other = np.frombuffer(panels["member_map"], np.uint8).reshape(2, 64, 64)
        assert (one != other).any()
    assert live.contents["channels"][-1]["units"] == "m/s" and live.tried[-1]["scores"]["speed"]["crps"] > 0
    assert not live.status and not live.failed


@apart
def test_a_system_that_sees_nothing_is_told_beside_the_controls(truth, monkeypatch):
    from genda_lite.show import widgets

    def nothing(*args):
        raise InputError("nothing is observed <here>")

    monkeypatch.setattr(widgets, "observe", nothing)
    live = OsseExplorer({"gaussian": gl.load_prior("gaussian")}, truth, members=2, steps=2)
    assert live.status == "nothing is observed <here>" and live.failed  # the page shows it as text: test_notebook.py
    assert [list(channel["maps"]) for channel in live.frame["channels"].values()] == 4 * [["truth"]]


@apart
def test_in_a_running_loop_many_moves_are_one(truth):
    """As in a notebook: the widget is there before its ensemble is, and a slide over settings makes one ensemble."""

    async def hand() -> OsseExplorer:
        live = OsseExplorer({"gaussian": gl.load_prior("gaussian")}, truth, members=2, steps=2)
        assert live.frame["channels"]["zos"]["maps"]["truth"] and not live.ensembles
        live.cloud = 100
        for number in (4, 5, 6):
            live.altimeters = number
        await asyncio.sleep(0.5)
        return live

    live = asyncio.run(hand())
    assert [setting[1] for setting in live.ensembles] == [6] and live.waiting is None


def test_a_teacher_gets_the_explorer_in_one_line(monkeypatch):
    monkeypatch.setattr(OsseExplorer, "move", lambda self: None)  # not the ensemble, only what it is made for
    from genda_lite import show

    live = show.explorer(device="cpu")
    assert list(live.priors) == ["diffusion", "gaussian"] and live.members == 8 and live.options == {"fast": True}
    assert live.truth.zos.shape == (64, 64)
