"""Twin experiments: nested observing systems, scores, the explorer's frames, the live sliders."""

import numpy as np
import pytest
import xarray as xr

import genda_lite as gl
from genda_lite import prepare
from genda_lite.instruments import Errors
from genda_lite.show.explorer import explorer
from genda_lite.show.widgets import OsseExplorer
from genda_lite.sources import load_sample
from genda_lite.verify import osse


@pytest.fixture(scope="module")
def prior():
    return gl.load_prior()


@pytest.fixture(scope="module")
def truth(prior) -> xr.Dataset:
    ocean = load_sample("nature_heldout").isel(member=0, time=12)
    state = prepare.to_state(ocean, prior.standardizer.ekman_at(ocean.latitude))
    return state.isel(latitude=slice(30, 94), longitude=slice(30, 94))


def pairs(observations: gl.Observations) -> set:
    return set(zip(observations.channel, observations.latitude, observations.longitude, strict=True))


def test_more_altimeters_and_less_cloud_only_add_observations(truth):
    few = osse.observe(truth, altimeters=2, cloud=0.8)
    many = osse.observe(truth, altimeters=4, cloud=0.3)
    assert pairs(few) < pairs(many)


def test_observations_differ_from_the_standing_truth_by_the_stated_error(truth):
    seen, errors = osse.observe(truth, altimeters=7, cloud=0.0), Errors()
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


def test_sweep_gives_the_explorer_what_it_needs(prior, truth):
    frames = osse.sweep(prior, truth, [1, 3], [0.5, 1.0], members=3, steps=4, progress=False)
    sizes = {"altimeters": 2, "cloud": 2, "channel": 3, "latitude": 64, "longitude": 64}
    assert dict(frames["mean"].sizes) == sizes
    seen = frames["observations"].notnull().sum(("latitude", "longitude"))
    few, many = (int(seen.sel(altimeters=n, cloud=50, channel="zos")) for n in (1, 3))
    assert 0 < few < many
    assert int(seen.sel(altimeters=1, cloud=100, channel="thetao")) == 0
    assert int(seen.sel(altimeters=1, cloud=50, channel="thetao")) == 2048
    words = {"altimeters": "{:g} altimeters", "cloud": "cloud {:g} %"}
    page = explorer(frames, dials=words)._repr_html_()
    assert len(page) < 1_000_000


def test_live_sliders_make_a_new_ensemble_and_a_new_picture(prior, truth):
    live = OsseExplorer(prior, truth, members=2, steps=4)
    before, count = live.picture.value, len(live.observations)
    live.altimeters.value = 6
    assert len(live.observations) > count
    assert live.picture.value != before
    ensemble = live.analysis
    live.channel.value = "so"
    assert live.analysis is ensemble  # another variable of the same ensemble needs no new one
    assert "1e-3" in live.status.value
