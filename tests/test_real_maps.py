"""Real maps of temperature and current as judges, on maps that are made up here: what is observed, where it is judged,
about which climatology, and what a current vector says of the state."""

import numpy as np
import pytest
import small
import torch
import xarray as xr

from genda_lite.baselines.interpolation import Ensemble
from genda_lite.observe.currents import EKMAN, Balance, current_observations
from genda_lite.observe.operators import check_adjoint
from genda_lite.ocean.currents import geostrophic_current, smooth
from genda_lite.prior import GaussianPrior
from genda_lite.prior.base import Domain
from genda_lite.state import CHANNELS, Grid, Standardizer, StateVector
from genda_lite.verify import real, real_maps
from genda_lite.verify.engine import CLIMATOLOGY, OI, Method, interpolated
from genda_lite.verify.real import UNSEEN
from genda_lite.verify.table import number, tidy

SIZE = 12
PLACES = {"gulf-stream": ((-60.0, 38.0),), "kuroshio": ((150.0, 34.0),), "agulhas": ((20.0, -42.0),)}
DATE = np.datetime64("2017-06-05T12:00")


@pytest.fixture
def prior(monkeypatch) -> GaussianPrior:
    """White in its modes, about zero at 33 to 43 N."""
    monkeypatch.setattr(real, "REGIONS", PLACES)
    monkeypatch.setattr(real_maps, "REGIONS", PLACES)
    latitude, scale = np.linspace(33, 43, 11), np.array([0.3, 2.0, 0.5, 0.1, 0.1, 6.0, 6.0])
    standardizer = Standardizer(latitude, np.zeros((3, 7, 11)), scale, np.full(11, 300 - 300j))
    variance = torch.zeros(SIZE, SIZE, 7, 7) + 3.0 * torch.eye(7)
    variance[4:] *= 1e-3  # red enough to interpolate
    variance[:, 4:] *= 1e-3
    return GaussianPrior(variance, standardizer, Domain((33.0, 43.0), (-70.0, -50.0)))


@pytest.fixture
def maps(tmp_path):
    """Temperature in kelvin and current of the whole globe, smooth."""
    latitude, longitude = np.arange(-60, 60.1, 0.25), np.arange(-179.875, 180, 0.25)
    y, x = np.meshgrid(latitude, longitude, indexing="ij")
    coords = {"time": [DATE], "lat": latitude, "lon": longitude}
    dims = ("time", "lat", "lon")
    celsius = (30 - 0.4 * abs(y) + 3 * np.sin(2 * x))[None]
    sst = xr.Dataset({"analysed_sst": (dims, celsius + 273.15, {"units": "kelvin"})}, coords)
    flow = (0.5 * np.sin(3 * y))[None], (0.3 * np.cos(3 * x))[None]
    current = {n: (dims, f, {"units": "m s-1"}) for n, f in zip(("uo", "vo"), flow, strict=True)}
    paths = tmp_path / "sst.nc", tmp_path / "current.nc"
    for ds, path in zip((sst, xr.Dataset(current, coords)), paths, strict=True):
        for name, unit in (("lat", "degrees_north"), ("lon", "degrees_east")):
            ds[name].attrs["units"] = unit
        ds.to_netcdf(path, engine="h5netcdf")
    return paths


def test_balance_in_matrices_is_the_smoothed_geostrophic_current():
    grid, rng = Grid.around(-60.0, -38.0, (SIZE, SIZE + 2)), np.random.default_rng(0)
    zos = rng.standard_normal((2, *grid.shape))
    field = xr.DataArray(zos, {"k": [0, 1]} | grid.coordinates(), ("k", "latitude", "longitude"))
    told = Balance(grid)(torch.from_numpy(zos))
    for mine, theirs in zip(told, geostrophic_current(field), strict=True):
        theirs = smooth(theirs).values
        np.testing.assert_allclose(mine.numpy(), theirs, atol=2e-6 * abs(theirs).max())


def test_a_vector_sees_the_slope_of_sea_level_and_the_residual():
    grid, state = Grid.around(-60.0, 38.0, (SIZE, SIZE)), StateVector.today()
    rows, columns = np.array([3, 8]), np.array([5, 2])
    seen = current_observations(grid, state, rows, columns, np.array([0.1 + 0.2j, 0.3 + 0.4j]), 0.12)
    np.testing.assert_allclose(seen.value, [0.1, 0.3, 0.2, 0.4])
    assert seen.error == pytest.approx([np.hypot(0.12, EKMAN)] * 4)

    class Bound:
        shape = (len(state), *grid.shape)
        __call__, adjoint = staticmethod(seen.forward), staticmethod(seen.adjoint)

    check_adjoint(Bound())
    x = torch.zeros(1, *Bound.shape)
    x[0, CHANNELS.index("u_ageo_eddy"), 3, 5] = 0.7
    assert seen.forward(x)[0].tolist() == pytest.approx([0.7, 0, 0, 0])
    slope = xr.DataArray(1e-6 * np.arange(SIZE)[:, None] * np.ones(SIZE), grid.coordinates(), ("latitude", "longitude"))
    x = torch.zeros(1, *Bound.shape)
    x[0, CHANNELS.index("zos")] = torch.from_numpy(slope.values)
    u, _ = (smooth(part).values for part in geostrophic_current(slope))
    np.testing.assert_allclose(seen.forward(x)[0, :2], u[rows, columns], rtol=1e-4)


def test_temperature_is_hidden_by_clouds_and_judged_there(prior, maps):
    """At home about the prior's climatology, elsewhere about the mean of what is seen: south of the equator, too."""
    cases = list(real_maps.temperature_cases(maps[0], prior))
    assert [one.region for one in cases] == list(PLACES)
    for one in cases:
        unseen = one.case.zones[UNSEEN]
        assert 0.6 < unseen.mean() < 0.8 and len(one.case.observations) == (~unseen).sum()
        assert 5 < float(one.case.truth["thetao"].min()) < float(one.case.truth["thetao"].max()) < 30  # degC
        if one.region == real.HOME:
            assert one.climatology is None
        else:
            assert float(one.climatology["thetao"].std()) < 1e-9
            assert float(one.climatology["thetao"].mean()) == pytest.approx(one.case.observations.value.mean())
    chosen = [Method(OI, lambda task: interpolated(prior, task))]
    found, boxes = real_maps.evaluate_maps(cases, chosen, prior, members=8)
    frame = tidy(real_maps.rows_of(found, boxes, real_maps.TEMPERATURE, OI, []))
    ours = number(frame, method=OI, metric="rmse", case="temperature")
    each, none = (
        [number(frame, method=m, metric="rmse", case=f"temperature, {region}") for region in PLACES]
        for m in (OI, CLIMATOLOGY)
    )
    assert all(one < 0.8 * other for one, other in zip(each, none, strict=True))
    assert none[0] > 10 > none[1]  # at home the prior's mean of zero, elsewhere that of what is seen
    assert np.sqrt(np.mean(np.square(each))) == pytest.approx(ours)  # a box a region
    assert number(frame, metric="units", case="temperature") == 3
    assert 0 < number(frame, method=OI, metric="rank_distance", case="temperature") < 1


def test_a_tenth_of_the_vectors_is_observed(prior, maps):
    (one,) = real_maps.current_cases(maps[1], prior, ["gulf-stream"])
    assert (~one.case.zones[UNSEEN]).sum() == round(0.1 * SIZE**2) == len(one.linear[0].value) / 2
    found, boxes = real_maps.evaluate_maps(
        [one], [Method(OI, lambda task: interpolated(prior, task))], prior, members=6
    )
    frame = tidy(real_maps.rows_of(found, boxes, real_maps.CURRENT, OI, []))
    assert set(frame["channel"]) == {"current", ""}
    ours, none = (number(frame, method=m, metric="rmse", case="current") for m in (OI, CLIMATOLOGY))
    assert ours < none
    truth = one.case.truth
    unseen = xr.DataArray(one.case.zones[UNSEEN], dims=("latitude", "longitude"))
    power = sum(float((truth[name] ** 2).where(unseen).mean()) for name in ("uo", "vo"))
    assert none == pytest.approx(np.sqrt(power), rel=1e-4)  # about a flat sea and no wind, nothing moves


def test_a_single_field_has_no_ranks(prior, maps):
    (one,) = real_maps.temperature_cases(maps[0], prior, ["gulf-stream"])
    found = real_maps.score(Ensemble(None, torch.zeros(prior.shape)), one.case, prior)
    assert "ranks" not in found and np.isnan(found["variance"]).all()


def test_a_map_without_a_time_is_refused(prior, tmp_path, refuses):
    current = small.field({"u": ("uo", "m/s", 0.0), "v": ("vo", "m/s", 0.0)})
    for ds, cases in ((small.temperature(), real_maps.temperature_cases), (current, real_maps.current_cases)):
        path = small.write(ds.isel(time=0).drop_vars("time"), tmp_path / "a.nc")
        with refuses("a.nc", "the map has no time"):
            next(cases(path, prior))


def test_maps_with_gaps_or_elsewhere_are_refused(prior, maps, refuses):
    with xr.open_dataset(maps[0], engine="h5netcdf") as ds:
        holed = ds.load()
    holed["analysed_sst"][0, (holed.lat > 38) & (holed.lat < 39)] = np.nan
    holed.to_netcdf(maps[0].with_name("holed.nc"), engine="h5netcdf")
    with refuses("temperature", "gaps", "expected open ocean"):
        list(real_maps.temperature_cases(maps[0].with_name("holed.nc"), prior, ["gulf-stream"]))
    holed.sel(lat=slice(-60, 0)).to_netcdf(maps[0].with_name("south.nc"), engine="h5netcdf")
    cases = real_maps.temperature_cases(maps[0].with_name("south.nc"), prior, ["gulf-stream"])
    with refuses("covers no box"):
        real_maps.evaluate_maps(cases, [], prior)
