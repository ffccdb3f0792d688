"""Formats beside those of Copernicus, each read right or refused by name."""

import numpy as np
import pytest
import small
import xarray as xr

from genda_lite.errors import InputError
from genda_lite.observe.files import kind_of, read_observations
from genda_lite.sources import read_glorys, read_salinity, read_temperature, read_temperature_swath
from genda_lite.sources.files import known_units, open_product
from genda_lite.sources.maps import read_map
from genda_lite.verify.real_maps import CURRENTS

DAY = "2017-04-02"


@pytest.fixture
def put(tmp_path):
    return lambda ds, name="a.nc": small.write(ds, tmp_path / name)


def truth(found: xr.Dataset, channel: str) -> np.ndarray:
    return small.sea(channel, found.latitude.values[:, None], found.longitude.values)


def test_oisst(put):
    """NOAA's daily analysis: `sst` in Celsius at the level `zlev`, its error `err`, longitudes 0 to 360."""
    names = {"sst": ("thetao", "Celsius", 0.0), "anom": ("zos", "Celsius", 0.0), "err": ("error", "Celsius", 0.0)}
    ds = small.field(names, west=298.0, axes=("lat", "lon")).expand_dims(zlev=[0.0], axis=1)
    path = put(ds)
    found = read_temperature(path, DAY)
    np.testing.assert_allclose(found.thetao, truth(found, "thetao"), atol=1e-9)
    np.testing.assert_allclose(found.error, 0.05, atol=1e-9)
    assert found.attrs["processing_level"] == "L4" and kind_of(path) == "temperature L4"
    seen, _ = read_observations(path, DAY)
    assert set(seen.channel) == {"thetao"} and (seen.smoothing > 0).all()


def test_temperature_of_the_ocean_colour_group_is_refused(put, refuses):
    ds = small.field({"sst": ("thetao", "degree_C", 0.0)}, axes=("lat", "lon"))
    path = put(ds.assign(qual_sst=ds.sst * 0))
    with refuses("a.nc", "qual_sst", "GHRSST"):
        read_temperature(path)


@pytest.mark.parametrize(
    ("name", "error", "units"),
    [("sss_smap", "sss_smap_uncertainty", "1e-3"), ("smap_sss", "smap_sss_uncertainty", "PSU"), ("SSS", None, "pss")],
)
def test_salinity_of_smap_and_smos(put, name, error, units):
    names = {name: ("so", units, 0.0)} | ({error: ("error", units, 0.0)} if error else {})
    path = put(small.field(names, axes=("lat", "lon")))
    found = read_salinity(path, DAY)
    np.testing.assert_allclose(found.so, truth(found, "so"), atol=1e-9)
    assert ("error" in found) == bool(error) and kind_of(path) == "salinity"


def test_salinity_in_swaths_is_refused(put, refuses):
    ds = small.swath().rename(ssha_filtered="smap_sss").drop_vars(["mdt", "quality_flag"])
    ds.smap_sss.attrs["units"] = "PSU"
    with refuses("a.nc", "expected a regular grid"):
        read_observations(put(ds), DAY)


def granule(**attrs) -> xr.Dataset:
    """GHRSST L2P: one reference time, the seconds of each pixel after it, a bias, a level of quality, flags of bits."""
    line, pixel = np.arange(30)[:, None], np.arange(20)
    latitude, longitude = small.SOUTH + 0.01 * line + 0.001 * pixel, small.WEST + 0.01 * pixel + 0.002 * line
    dims, seen = ("nj", "ni"), ("time", "nj", "ni")
    coords = {
        "time": (("time",), small.days(small.NOON[None] if small.NOON.ndim else np.array([small.NOON])), small.DAYS),
        "lat": (dims, latitude, small.NORTH),
        "lon": (dims, longitude, small.EAST),
    }
    one = np.ones((1, 30, 20))
    quality, flags = np.full((1, 30, 20), 5, np.int8), np.ones((1, 30, 20), np.int16)
    quality[0, :4], flags[0, 4, :5], flags[0, 5, :3] = 3, 2, 8  # unsure; land; a lake
    kelvin = small.sea("thetao", latitude, longitude)[None] + 273.15
    values = {
        "sea_surface_temperature": (seen, kelvin + 0.3, {"units": "kelvin"}),
        "sst_dtime": (seen, one * 2.0 * line, {"units": "seconds"}),
        "sses_bias": (seen, one * 0.3, {"units": "kelvin"}),
        "sses_standard_deviation": (seen, one * 0.5, {"units": "kelvin"}),
        "quality_level": (seen, quality, {}),
        "l2p_flags": (seen, flags, {}),
    }  # fmt: skip
    return small.raw(seen, coords, values, id="L2P", **attrs)


def test_pixels_of_l2p(put):
    path = put(granule())
    found = read_temperature_swath(path)
    assert found.sizes["point"] == 600 - 80 - 5 - 3
    assert "80 of quality below 4" in found.attrs["report"] and "8 on land, lakes or ice" in found.attrs["report"]
    expected = small.sea("thetao", found.latitude.values, found.longitude.values)
    np.testing.assert_allclose(found.thetao, expected, atol=1e-9)  # the bias is taken off
    np.testing.assert_allclose(found.error, 0.5)
    seconds = (found.time.values - small.NOON) / np.timedelta64(1, "s")
    line = np.rint((found.latitude - small.SOUTH - 0.001 * np.rint((found.longitude - small.WEST) / 0.01)) / 0.01)
    assert seconds[0] == 8.0 and seconds[-1] == 58.0 and line.size == 512
    assert read_temperature_swath(path, quality=3).sizes["point"] == 592
    box = (small.WEST, small.WEST + 0.1, small.SOUTH, small.SOUTH + 0.1)
    inside = read_temperature_swath(path, box)
    assert 0 < inside.sizes["point"] < 512 and inside.longitude.max() <= small.WEST + 0.1


def test_l2p_as_observations(put, refuses):
    path = put(granule())
    assert kind_of(path) == "temperature L2P"
    (report,) = read_observations(path, DAY)[1]
    seen, _ = read_observations([path, put(granule(), "b.nc")], DAY)
    assert len(seen) == 2 * 512 and set(seen.channel) == {"thetao"} and report.kept == 512
    np.testing.assert_allclose(seen.error, np.hypot(0.5, 0.2))  # stated, and of representativity
    with refuses("more than a day from 2017-04-09"):
        read_observations(path, "2017-04-09")
    bad = granule()
    bad["quality_level"][:] = 0
    with refuses("no pixel is valid", "592 of quality below 4"):
        read_observations(put(bad, "c.nc"), DAY)


def test_hycom(put, refuses):
    units = {"surf_el": "m", "water_temp": "degC", "salinity": "psu", "water_u": "m/s", "water_v": "m/s"}
    channels = dict(zip(units, ("zos", "thetao", "so", "uo", "vo"), strict=True))
    path = put(small.field({name: (channels[name], unit, 0.0) for name, unit in units.items()}, times=2))
    found = read_glorys(path).compute()
    for channel in channels.values():
        np.testing.assert_allclose(found[channel][0], truth(found, channel), atol=1e-4)
    with refuses("a.nc", "read it by read_glorys"):
        read_observations(path, DAY)


def test_nemo(put, refuses):
    """On a regular grid it is read; the curved grid of the model itself is refused as such, not for want of `adt`."""
    units = {"sossheig": "m", "votemper": "degC", "vosaline": "PSU", "vozocrtx": "m/s", "vomecrty": "m/s"}
    channels = dict(zip(units, ("zos", "thetao", "so", "uo", "vo"), strict=True))
    ds = small.field({name: (channels[name], unit, 0.0) for name, unit in units.items()}, times=2)
    ds = ds.rename(time="time_counter").expand_dims(deptht=[0.5], axis=1)
    path = put(ds)
    found = read_glorys(path).compute()
    for channel in channels.values():
        np.testing.assert_allclose(found[channel][0], truth(found, channel), atol=1e-4)
    curved = small.pixels().rename(lat="nav_lat", lon="nav_lon", sea_surface_temperature="votemper")
    curved = put(curved.drop_vars(["sst_dtime", "quality_level"]), "b.nc")
    with refuses("b.nc", "'nav_lat' has dimensions ('nj', 'ni')", "expected a regular grid"):
        read_glorys(curved)
    for one in (path, curved):
        with refuses("read it by read_glorys"):
            read_observations(one, DAY)


def test_oscar_judges_and_is_no_observation(put, refuses):
    """Its axes are called latitude and longitude, the coordinates along them lat and lon; longitude comes first."""
    ds = small.field({"u": ("uo", "m s-1", 0.0), "v": ("vo", "m s-1", 0.0)}, west=298.0, axes=("lat", "lon"))
    inner = {
        name: (("time", "longitude", "latitude"), ds[name].values.transpose(0, 2, 1), ds[name].attrs) for name in "uv"
    }
    axes = {"lat": (("latitude",), ds.lat.values, small.NORTH), "lon": (("longitude",), ds.lon.values, small.EAST)}
    path = put(small.raw((), {"time": (("time",), ds.time.values, small.DAYS)} | axes, inner))
    assert ("u", "v") in CURRENTS
    with open_product(path) as product:
        found = read_map(product, "uo", "u", DAY, None, {"vo": ("v", "m s-1", (-10.0, 10.0))}).load()
    np.testing.assert_allclose(found.uo, truth(found, "uo"), atol=1e-9)
    np.testing.assert_allclose(found.vo, truth(found, "vo"), atol=1e-9)
    with refuses("a.nc", "OSCAR", "evaluate real --current"):
        read_observations(path, DAY)


def test_other_maps_are_told_how_to_be_named(put, refuses):
    path = put(small.field({"height": ("zos", "m", 0.0)}))
    with refuses("a.nc", "of no sensor that is known", "height", "ncrename -v OLD,adt"):
        read_observations(path, DAY)


@pytest.mark.parametrize(
    ("units", "spellings"),
    [
        ("1e-3", ["pss", "PSS-78", "PSU", "psu", "1e-3", "practical salinity units"]),
        ("degC", ["degree_celsius", "degrees_C", "degree_C", "Celsius", "deg C", "degreeC"]),
        ("m", ["meters", "metre", "m"]),
        ("m s-1", ["meters/second", "Meters/second", "m/s", "m s**-1", "m.s-1"]),
    ],
)
def test_units_as_they_are_spelled(units, spellings):
    assert {known_units(one, units) for one in spellings} == {(1.0, 0.0)}
    assert known_units("furlong", units) is None


def test_reading_by_another_reader_says_what_is_there(put):
    with pytest.raises(InputError, match="surface salinity"):
        read_salinity(put(small.temperature()))
