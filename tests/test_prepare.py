"""From products to the state: currents of analytic seas, a planted Ekman response, and sums that close."""

import numpy as np
import pytest
import torch
import xarray as xr

from genda_lite.prepare import (
    ageostrophic_current,
    fit_ekman,
    fit_standardizer,
    geostrophic_current,
    smooth,
    to_state,
    total_current,
    training_set,
    wind_stress,
)
from genda_lite.state import CHANNELS, VARIABLES, Standardizer

LATITUDE = 36 + np.arange(48) / 12
LONGITUDE = -60 + np.arange(40) / 12
METRES = 111194.9  # a degree of latitude on a sphere of 6371 km


def sea(function, latitude=LATITUDE, longitude=LONGITUDE) -> xr.DataArray:
    lat, lon = np.meshgrid(latitude, longitude, indexing="ij")
    coords = {"latitude": latitude, "longitude": longitude}
    return xr.DataArray(function(lat, lon), coords, ("latitude", "longitude"), attrs={"units": "m"})


def ocean(times: int = 12, seed: int = 0) -> xr.Dataset:
    """Weeks of a random sea over two years, with a seasonal cycle in temperature."""
    rng = np.random.default_rng(seed)
    latitude, longitude = 36 + np.arange(14) / 12, -60 + np.arange(16) / 12
    time = np.datetime64("2001-01-10", "ns") + np.arange(times) * np.timedelta64(61, "D")
    ds = xr.Dataset(coords={"time": time, "latitude": latitude, "longitude": longitude})
    for name, scale in zip(
        ("zos", "thetao", "so", "uo", "vo", "uas", "vas"), (0.2, 2.0, 0.4, 0.5, 0.5, 6.0, 6.0), strict=True
    ):
        values = scale * rng.normal(size=(times, 14, 16))
        ds[name] = (("time", "latitude", "longitude"), values, VARIABLES[name])
    ds["thetao"] += 15 + 5 * np.cos(2 * np.pi * (ds["time"].dt.dayofyear - 1) / 365.25) - (ds["latitude"] - 36)
    return ds


# --- Geostrophy ------------------------------------------------------------------------------------------------------


def test_zonal_front():
    """High water in the south of a northern ocean drives an eastward jet, of strength g A / (f w)."""
    u, v = geostrophic_current(sea(lambda lat, lon: -0.5 * np.tanh((lat - 38) / 1.0)))
    f = 2 * 7.2921e-5 * np.sin(np.radians(LATITUDE))
    expected = 9.81 / f * 0.5 / METRES / np.cosh(LATITUDE - 38) ** 2
    assert expected.max() > 0.4
    np.testing.assert_allclose(u[1:-1].mean("longitude"), expected[1:-1], rtol=0.01)
    np.testing.assert_allclose(v, 0, atol=1e-12)
    assert u.dims == ("latitude", "longitude") and u.attrs["units"] == "m s-1"


def test_meridional_front():
    """Sea level rising eastward drives a northward current; a degree of longitude shrinks with latitude."""
    u, v = geostrophic_current(sea(lambda lat, lon: 0.3 * lon))
    f = 2 * 7.2921e-5 * np.sin(np.radians(LATITUDE))
    expected = 9.81 / f * 0.3 / (METRES * np.cos(np.radians(LATITUDE)))
    np.testing.assert_allclose(v, np.broadcast_to(expected[:, None], v.shape), rtol=1e-5)
    np.testing.assert_allclose(u, 0, atol=1e-12)


def test_southern_hemisphere_turns_the_other_way():
    def slope(lat, lon):
        return 0.1 * lat + 0.2 * lon

    north, south = (geostrophic_current(sea(slope, latitude)) for latitude in (LATITUDE, -LATITUDE[::-1]))
    for a, b in zip(north, south, strict=True):
        np.testing.assert_allclose(b.values[::-1], -a.values, rtol=1e-6)


def test_smoothing_is_the_stated_gaussian():
    impulse = sea(lambda lat, lon: 0.0 * lat)
    impulse[24, 20] = 1.0
    blurred = smooth(impulse, 2.0)
    offset = np.arange(-3, 4)
    profile = blurred[24, 17:24] / blurred[24, 20]
    np.testing.assert_allclose(profile, np.exp(-(offset**2) / 8), rtol=1e-6)
    assert float(blurred.sum()) == pytest.approx(1.0)
    np.testing.assert_allclose(blurred[21:28, 20], blurred[24, 17:24])


# --- Ekman response and the residual ---------------------------------------------------------------------------------


def test_planted_ekman_response_is_found():
    ds = ocean()
    planted = np.linspace(200, 150, 14) * np.exp(-1j * np.linspace(0.5, 1.2, 14))
    drift = planted[:, None] * wind_stress(ds["uas"].values + 1j * ds["vas"].values)
    u, v = geostrophic_current(ds["zos"])
    # A steady current that the wind does not explain must not bias the response.
    ds["uo"], ds["vo"] = smooth(u) + drift.real + 0.3, smooth(v) + drift.imag - 0.2
    np.testing.assert_allclose(ageostrophic_current(ds), drift + 0.3 - 0.2j, atol=1e-12)
    np.testing.assert_allclose(fit_ekman([ds]), planted, rtol=1e-10)
    np.testing.assert_allclose(fit_ekman([ds.isel(time=slice(5)), ds.isel(time=slice(5, 12))]), planted, rtol=1e-10)


def test_wind_stress_along_the_wind():
    stress = wind_stress(np.array([10.0, -10.0j]))
    assert stress[0] == pytest.approx(1.22 / 1025 * 1.42e-3 * 100)
    assert stress[1] == pytest.approx(-1j * stress[0])


def test_currents_close():
    """The parts of the current add up to what they were made from."""
    ds = ocean()
    ekman = fit_ekman([ds])
    standardizer = Standardizer(ds["latitude"].values, np.zeros((3, 7, 14)), np.ones(7), ekman)
    state = to_state(ds, ekman)
    assert tuple(state.data_vars) == CHANNELS and "uo" not in state
    closed = total_current(state, standardizer)
    for name in ("uo", "vo"):
        np.testing.assert_allclose(closed[name], ds[name], atol=1e-5)
        assert closed[name].dims == ds[name].dims and closed[name].attrs == VARIABLES[name]


# --- Training sets ---------------------------------------------------------------------------------------------------


def test_training_set_has_zero_mean_and_unit_scale():
    data = training_set(ocean())
    assert data.frames.shape == (12, 7, 14, 16) and data.frames.dtype == torch.float32
    np.testing.assert_allclose(data.frames.mean((0, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose((data.frames**2).mean((0, 2, 3)), 1, atol=1e-5)
    assert data.harmonics.shape == (12, 3)


def test_climatology_takes_latitude_and_season_out():
    data = training_set(ocean())
    np.testing.assert_allclose(data.frames[:, 0].mean((0, 2)), 0, atol=1e-5)  # each latitude has its own mean
    # Temperature loses its 5 degC cycle; what is left of it is the noise of the fit.
    np.testing.assert_allclose(torch.einsum("ny,nh->yh", data.frames[:, 1].mean(-1), data.harmonics), 0, atol=1e-4)
    assert data.standardizer.scale[1] == pytest.approx(2.0, rel=0.05)
    # Sea level and the residual current have a mean, but no season.
    seasonal = np.abs(data.standardizer.harmonics[1:]).max((0, 2)) > 0
    assert dict(zip(CHANNELS, seasonal, strict=True)) == {
        "zos": False, "thetao": True, "so": True, "u_ageo_eddy": False, "v_ageo_eddy": False, "uas": True, "vas": True
    }  # fmt: skip


def test_validation_data_take_the_training_climatology():
    standardizer = fit_standardizer([ocean()])
    other = ocean(seed=1)
    data = training_set(other, standardizer)
    assert data.standardizer is standardizer
    warmer = training_set(other.assign(thetao=other["thetao"] + 1), standardizer)
    shift = warmer.frames[:, 1] - data.frames[:, 1]
    np.testing.assert_allclose(shift, 1 / standardizer.scale[1], atol=1e-5)


def test_members_and_the_order_of_dims_do_not_matter():
    a, b = ocean(seed=2), ocean(seed=3)
    listed = training_set([a, b])
    joined = training_set(xr.concat([a, b], "member").transpose("longitude", "time", "member", "latitude"))
    torch.testing.assert_close(joined.frames, listed.frames)
    np.testing.assert_allclose(joined.standardizer.ekman, listed.standardizer.ekman)


def test_bad_training_data(refuses):
    ds = ocean()
    with refuses("lacks uo, vas", "expected zos"):
        training_set(ds.drop_vars(["uo", "vas"]))
    with refuses("zos", "time, latitude and longitude"):
        training_set(ds.isel(time=0))
    with refuses("different grids", "latitude"):
        training_set([ds, ds.assign_coords(latitude=ds["latitude"] + 1)])
    with refuses("latitude", "ascending"):
        training_set(ds.sortby("latitude", ascending=False))
    with refuses("so", "missing values"):
        training_set(ds.assign(so=ds["so"].where(ds["longitude"] > -59.5)))
    with refuses("2 date(s)", "at least 3"):
        training_set(ds.isel(time=slice(2)))
