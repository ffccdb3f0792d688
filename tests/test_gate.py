"""Whatever file comes: right, or refused in one sentence. Each kind of trouble, for every reader that can meet it."""

import gc
import gzip
import json
import os
import pickle
import sys
import time

import h5netcdf
import h5py
import numpy as np
import pytest
import small
import xarray as xr

from genda_lite.errors import InputError
from genda_lite.observe.files import read_observations
from genda_lite.posterior.problem import choose_date
from genda_lite.sources import (
    Report,
    join,
    open_product,
    read_climatology,
    read_drifters,
    read_glorys,
    read_sea_level_map,
    read_swath,
    read_temperature,
    read_temperature_swath,
    read_tracks,
    read_winds,
)
from genda_lite.sources import inspector as inspecting
from genda_lite.sources.files import in_range, listed, stated_time
from genda_lite.sources.report import NothingValid
from genda_lite.state import Grid

EVERY = sorted(small.PRODUCTS)
MAPS = ("sea level", "temperature", "salinity")


@pytest.fixture
def put(tmp_path):
    """Write a data set of `small` to a file and give its path."""
    return lambda ds, name="a.nc", **options: small.write(ds, tmp_path / name, **options)


def spoil(ds: xr.Dataset, name: str, where, value) -> xr.Dataset:
    values = ds[name].values.astype("f8").copy()
    values[where] = value
    new = xr.Variable(ds[name].dims, values, ds[name].attrs, ds[name].encoding)
    return ds.drop_vars(name).assign({name: new})


def check(found: xr.Dataset, product: small.Product) -> None:
    """Every value is the truth where it is."""
    names = {"u": "uo", "v": "vo", "ugos": "uo", "vgos": "vo"}
    for channel in product.channels:
        truth = small.sea(names.get(channel, channel), found["latitude"], found["longitude"])
        assert found[channel].notnull().any() and float(abs(found[channel] - truth).max()) < 1e-5


# --- 1. times


@pytest.mark.parametrize("name", EVERY)
def test_times_that_nobody_asks_for_do_not_matter(put, name):
    product = small.PRODUCTS[name]
    ds = product.make()
    ds["tau"] = ((), 0.0, {"units": "hours since analysis"})
    check(product.read(put(ds)).compute(), product)


@pytest.mark.parametrize("value", [9.96921e36, -1e34, np.nan, np.inf, -np.inf, 999999.0, -9999.0])
def test_a_time_that_is_none_loses_its_own_value_alone(put, value):
    found = read_tracks(put(spoil(small.tracks(), "time", [0, 3], value)))
    assert found.sizes["point"] == 38 and Report.of(found).dropped == {"without a time": 2}
    assert abs(found.time.values - small.NOON).max() < np.timedelta64(1, "m")
    found = read_drifters(put(spoil(small.drifter(), "TIME", 5, value), "d.nc"))
    assert found.sizes["obs"] == 39 and Report.of(found).dropped == {"without a time": 1}
    found = read_swath(put(spoil(small.swath(), "time", 4, value), "s.nc"))
    assert found.sizes["point"] == 200 and int(np.isnat(found.time).sum()) == 10


def test_a_field_without_a_time_is_left_out_of_a_series(put):
    path = put(spoil(small.winds(), "time", 1, np.inf))
    with pytest.warns(UserWarning, match="1 of 2 times are missing"):
        found = read_winds(path)
    assert list(found.time.values) == [np.datetime64("2017-04-02")]
    check(found.compute(), small.PRODUCTS["winds"])


@pytest.mark.parametrize("units", ["seconds since 1970-01-01T00:00Z", "days since 0001-01-01", "hours since 1900-1-1"])
def test_times_are_counted_in_any_units(put, units):
    ds = small.tracks()
    unit, since = units.split(" since ")
    epoch = {"1970": "1970-01-01", "0001": "0001-01-01", "1900": "1900-01-01"}[since[:4]]
    step = np.timedelta64(1, {"seconds": "s", "days": "D", "hours": "h"}[unit])
    when = (small.NOON.astype("M8[s]") - np.datetime64(epoch, "s")) / step
    if epoch == "0001-01-01":
        when += 2  # the standard calendar is Julian before 1582
    ds = ds.drop_vars("time").assign(time=("time", np.full(40, when), {"units": units}))
    ds.time.encoding["_FillValue"] = None
    assert abs(read_tracks(put(ds)).time.values - small.NOON).max() < np.timedelta64(1, "s")


def test_nanoseconds_are_not_rounded(put):
    when = np.datetime64("2017-04-02T12:00:00.123456789", "ns").astype("i8") + np.arange(40)
    ds = small.tracks().drop_vars("time").assign(time=("time", when, {"units": "nanoseconds since 1970-01-01"}))
    ds.time.encoding["_FillValue"] = np.int64(np.iinfo("i8").min)
    assert (read_tracks(put(ds)).time.values.astype("i8") == when).all()


def test_packed_times_have_the_fill_value_of_their_integers(put):
    """The greatest integer would be a day of the year 2083."""
    seconds = np.rint((small.tracks().time.values - 24000.0) * 86400).astype("i4")
    seconds[4] = np.iinfo("i4").max
    packed = {"units": small.DAYS["units"], "scale_factor": 1 / 86400, "add_offset": 24000.0}
    ds = small.tracks().drop_vars("time").assign(time=("time", seconds, packed))
    ds.time.encoding["_FillValue"] = None
    found = read_tracks(put(ds))
    assert Report.of(found).dropped == {"without a time": 1}
    assert abs(found.time.values - small.NOON).max() < np.timedelta64(1, "m")


def test_pixels_may_each_have_a_time(put):
    ds, line = small.swath(), np.arange(20)[:, None]
    when = ds.time.values[:, None] + np.arange(10) / 86400
    found = read_swath(put(ds.drop_vars("time").assign(time=(ds.mdt.dims, when, small.DAYS))))
    after = (found.time.values - small.NOON) / np.timedelta64(1, "s")
    np.testing.assert_allclose(after, (0.3 * line + np.arange(10)).ravel(), atol=1e-3)


@pytest.mark.parametrize(
    ("values", "units", "kept"),
    [(5.0, "seconds", 200), (5.0, "minutes", 200), (np.where(np.arange(20)[:, None] < 3, 2e9, 5.0), "s", 170)],
)
def test_pixels_have_times_near_that_of_their_granule(put, values, units, kept):
    ds = small.pixels()
    dims = ds.sst_dtime.dims
    ds = ds.drop_vars("sst_dtime").assign(sst_dtime=(dims, values * np.ones((1, 20, 10)), {"units": units}))
    found = read_temperature_swath(put(ds))
    assert found.sizes["point"] == kept
    after = (found.time.values - small.NOON) / np.timedelta64(1, "s")
    np.testing.assert_allclose(after, 300.0 if units == "minutes" else 5.0)


def test_a_mean_of_pixels_takes_the_times_that_are_known(put):
    """The first line of a square has none, which must not count as a number."""
    found = read_swath(put(spoil(small.swath(), "time", [0, 8, 9, 10, 11], 9.96921e36)), cell=8.0)
    lines = np.round((found.latitude.values - small.SOUTH) / 0.02, 1)
    after = (found.time.values - small.NOON) / np.timedelta64(1, "s")
    assert np.isnat(found.time.values[lines == 9.5]).all() and (lines == 9.5).any()
    np.testing.assert_allclose(after[lines == 1.5], 0.3 * 2.0, atol=1e-6)
    np.testing.assert_allclose(after[lines > 12], 0.3 * lines[lines > 12], atol=1e-6)


def test_months_that_are_none_are_no_months(put, refuses):
    ds = small.climatology()
    assert list(read_climatology(put(ds)).time.dt.month.values) == [4]
    with refuses("a.nc", "dates of the standard calendar"):
        read_climatology(put(spoil(ds, "time", 0, 9.96921e36)))
    check(read_climatology(put(ds.isel(time=0), "d.nc")).compute(), small.PRODUCTS["climatology"])
    ds = ds.drop_vars("time")
    check(read_climatology(put(ds, "b.nc")).compute(), small.PRODUCTS["climatology"])
    with refuses("c.nc", "no time found"):
        read_climatology(put(ds.isel(time=[0, 0]), "c.nc"))


@pytest.mark.parametrize("date", ["NaT", 20170402, 3.5, "soon"])
def test_what_is_no_date_is_refused(put, refuses, date):
    with refuses("is not a date"):
        read_sea_level_map(put(small.sea_level()), date)
    with refuses("is not a date"):
        choose_date(None, date)


def test_the_stated_range_of_times_may_be_stale(put):
    """It is that of the first file where files have been joined, as in one of GLORYS12."""
    ds = small.winds()
    ds.time.attrs |= {"valid_min": float(ds.time[0]), "valid_max": float(ds.time[0])}
    found = read_winds(put(ds)).compute()
    assert found.sizes["time"] == 2
    check(found, small.PRODUCTS["winds"])


def test_years_that_no_date_here_holds_are_none(tmp_path):
    """In nanoseconds the year 9999 would be 1816."""
    days = ("2017-04-02T01:00Z", "9999-12-31T00:00Z", "0001-01-01", "0000-00-00")
    (tmp_path / "a.csv").write_text("id,time,lat,lon,u,v\n" + "".join(f"7,{day},36,-61,0.1,0.2\n" for day in days))
    found = read_drifters(tmp_path / "a.csv")
    assert Report.of(found).dropped == {"without a time": 3} and str(found.time.values[0])[:13] == "2017-04-02T01"


def test_a_date_with_a_zone_is_brought_to_utc():
    assert choose_date(None, "2017-04-02T02:00+02:00") == np.datetime64("2017-04-02")


# --- 2. maps without a time axis


@pytest.mark.parametrize("name", MAPS)
def test_a_scalar_time_is_the_time_of_the_map(put, refuses, name):
    product = small.PRODUCTS[name]
    path = put(product.make().isel(time=0))
    for date in (None, "2017-04-02"):
        found = product.read(path, date=date)
        assert found.time.values == small.NOON
        check(found, product)
    with refuses("a.nc", "no map within a day of 1999-01-01", "2017-04-02"):
        product.read(path, date="1999-01-01")


@pytest.mark.parametrize("name", MAPS)
def test_a_map_without_a_time_has_no_date(put, refuses, name):
    product = small.PRODUCTS[name]
    paths = [put(product.make().isel(time=0).drop_vars("time"), f"{n}.nc") for n in "ab"]
    found = product.read(paths[0])
    assert "time" not in found.coords
    check(found, product)
    with refuses("a.nc", "no time to compare with 2017-04-02", "time_coverage_start"):
        product.read(paths[0], date="2017-04-02")
    with refuses("a.nc", "no time"):
        read_observations(paths, "2017-04-02")


def test_a_swath_without_times_has_no_date(put, refuses):
    path = put(small.swath().drop_vars("time"))
    seen, _ = read_observations(path)
    with refuses("no observation within 5 days of 2017-04-02", f"{len(seen)} without a time"):
        read_observations(path, "2017-04-02")
    ds = spoil(small.swath(), "time", slice(0, 8), np.nan)
    some, (report,) = read_observations(put(ds, "b.nc"), "2017-04-02")
    assert 0 < len(some) == len(seen) - report.dropped["without a time"] < len(seen)


def test_a_dimension_of_size_one_needs_no_variable(put, refuses):
    path = put(small.sea_level().drop_vars("time"))
    check(read_sea_level_map(path), small.PRODUCTS["sea level"])
    with refuses("no time"):
        read_sea_level_map(path, date="2017-04-02")


@pytest.mark.parametrize("name", ["winds", "ocean"])
def test_fields_without_times_are_no_series(put, refuses, name):
    product, ds = small.PRODUCTS[name], small.PRODUCTS[name].make()
    with refuses("a.nc", "no 'time'", "the file has"):
        product.read(put(ds.drop_vars("time")))
    stated = {"time_coverage_start": "2017-04-02T00:00:00", "time_coverage_end": "2017-04-03T00:00:00"}
    with refuses("b.nc", "one time for 2 fields"):
        product.read(put(ds.drop_vars("time").assign_attrs(stated), "b.nc"))
    found = product.read(put(ds.isel(time=0).drop_vars("time").assign_attrs(stated), "c.nc"))
    assert found.time.values[0].astype("M8[D]") == small.NOON.astype("M8[D]")
    check(found.compute(), product)


def test_attributes_may_say_the_time(put, refuses):
    ds = small.temperature().isel(time=0).drop_vars("time")
    path = put(ds.assign_attrs(start_time="20170402T000000Z", stop_time="20170403T000000Z"))
    assert read_temperature(path, "2017-04-02").time.values == small.NOON
    with refuses("covers 2017-04-02"):
        read_temperature(path, "2017-04-05")
    for start, stop in (("2017-01-01", "2017-12-31"), ("00:00:00 UTC", "23:59:59 UTC"), ("today", "tomorrow")):
        assert np.isnat(stated_time(ds.assign_attrs(time_coverage_start=start, time_coverage_end=stop)))


def test_attributes_say_the_time_where_the_only_one_is_none(put):
    stated = {"time_coverage_start": "2017-04-02T00:00:00Z", "time_coverage_end": "2017-04-03T00:00:00Z"}
    path = put(spoil(small.temperature(), "time", 0, np.inf).assign_attrs(stated))
    assert read_temperature(path, "2017-04-02").time.values == small.NOON
    ds = spoil(small.field({"adt": ("zos", "m", 0.0)}, times=2), "time", 0, np.inf).assign_attrs(stated)
    assert read_sea_level_map(put(ds, "b.nc"), "2017-04-03").time.values == small.NOON + np.timedelta64(1, "D")


@pytest.mark.parametrize("name", ["sea level", "winds"])
def test_a_forecast_is_of_the_time_that_it_is_valid_at(put, name):
    """Beside `valid_time`, `time` is when the forecast started."""
    product = small.PRODUCTS[name]
    ds = product.make().isel(time=0)
    start = ds.time.variable.copy(data=ds.time.values - 2.0)
    found = product.read(put(ds.rename(time="valid_time").assign(time=start))).compute()
    assert found.time.values.ravel()[0].astype("M8[D]") == small.NOON.astype("M8[D]")
    check(found, product)


# --- 3. fill values and ranges


@pytest.mark.parametrize("value", [9.96921e36, 999.0, -9999.0, 2147.483647, np.nan])
@pytest.mark.parametrize("name", ["latitude", "longitude"])
def test_numbers_that_are_no_place(put, name, value):
    found = read_tracks(put(spoil(small.tracks(), name, [0, 7], value)))
    assert Report.of(found).dropped == {"without a position": 2}
    check(found, small.PRODUCTS["tracks"])
    found = read_swath(put(spoil(small.swath(), name, (3, 3), value), "s.nc"))
    assert found.sizes["point"] == 199 and Report.of(found).dropped == {"without a position": 1}
    check(found, small.PRODUCTS["swath"])
    found = read_drifters(put(spoil(small.drifter(), name.upper(), 3, value), "d.nc"))
    assert found.sizes["obs"] == 39 and Report.of(found).dropped == {"without a position": 1}
    found = read_sea_level_map(put(spoil(small.sea_level(), name, -1, value), "m.nc"))
    other = 12 if name == "longitude" else 14
    assert Report.of(found).dropped == {"without a position": other}
    check(found, small.PRODUCTS["sea level"])
    found = read_glorys(put(spoil(small.glorys(), name, -1, value), "g.nc")).compute()
    assert found.sizes[name] == {"latitude": 11, "longitude": 13}[name]
    check(found, small.PRODUCTS["ocean"])


@pytest.mark.parametrize("units", ["degrees_west", "radians", "degrees_east"])
def test_places_are_counted_as_their_units_say(put, units):
    count = {"degrees_west": lambda x: -x, "radians": np.radians, "degrees_east": lambda x: x}[units]
    for name in ("tracks", "drifters", "sea level"):
        product, ds = small.PRODUCTS[name], small.PRODUCTS[name].make()
        axis = next(v for v in ds.variables if str(v).lower() == "longitude")
        ds = ds.drop_vars(axis).assign({axis: (ds[axis].dims, count(ds[axis].values), {"units": units})})
        ds[axis].encoding["_FillValue"] = None
        check(product.read(put(ds, f"{name}.nc")), product)


def test_two_fill_values_do_not_make_a_height(put):
    """9999.5 m and -9999 m would add up to a plausible half a metre."""
    ds = small.tracks().rename(adt="sla_unfiltered").assign(mdt=("time", np.zeros(40), {"units": "m"}))
    found = read_tracks(put(spoil(spoil(ds, "sla_unfiltered", 5, 9999.5), "mdt", 5, -9999.0)))
    assert Report.of(found).dropped == {"with an implausible value": 1}
    ds = spoil(spoil(small.swath(), "ssha_filtered", (2, 2), 9999.5), "mdt", (2, 2), -9999.0)
    assert Report.of(read_swath(put(ds, "s.nc"))).dropped == {"with an implausible value": 1}


def test_a_nadir_without_a_place_is_refused(put, refuses):
    points = ("n", np.array([3], "i4"))
    ds = spoil(small.swath(), "latitude", (3, 3), np.nan).assign(i_num_line=points, i_num_pixel=points)
    with refuses("no pixel of the nadir is valid", "without a position"):
        read_swath(put(ds), "nadir", "ssha_filtered")


def test_distances_from_nadir_have_fill_values_too(put):
    distance = ("num_pixels", np.where(np.arange(10) < 3, 1e20, 10.0), {"units": "km"})
    found = read_swath(put(small.swath().assign(cross_track_distance=distance)))
    assert int(found.across.isnull().sum()) == 60 and (found.across.dropna("point") == 10).all()


def test_integers_without_a_fill_value_still_have_one(put):
    """327.67 E is a place, but not where packed integers end."""
    ds = small.tracks()
    packed = np.rint(ds.longitude.values / 0.01).astype("i2")
    packed[5] = 32767
    ds = ds.drop_vars("longitude").assign(longitude=("time", packed, small.EAST | {"scale_factor": 0.01}))
    ds.longitude.encoding["_FillValue"] = None
    found = read_tracks(put(ds))
    assert found.sizes["point"] == 39 and float(abs(found.longitude + 61).max()) < 2


def test_bytes_have_fill_values_too(put):
    """Undeclared: of signed ones the least two, of unsigned ones the greatest, however they are kept."""
    ds = small.pixels()
    bias = np.zeros((1, 20, 10), "i1")
    bias[0, 0], bias[0, 1] = -128, -127
    ds["sses_bias"] = (ds.quality_level.dims, bias, {"units": "kelvin", "scale_factor": 0.01, "add_offset": 0.0})
    ds.sses_bias.encoding["_FillValue"] = None
    check(read_temperature_swath(put(ds)), small.PRODUCTS["pixels"])
    truth = small.salinity().sos.values
    for number, unsigned in enumerate((False, True)):
        codes = np.rint((truth - 34.0) / 0.01).astype("u1")  # on both sides of 128
        codes[0, 0, :3] = 255
        attrs = {"units": "1e-3", "scale_factor": 0.01, "add_offset": 34.0}
        attrs |= {"_Unsigned": "true"} if unsigned else {}
        ds = small.salinity()
        ds = ds.drop_vars("sos").assign(sos=(ds.sos.dims, codes.view("i1") if unsigned else codes, attrs))
        ds.sos.encoding["_FillValue"] = None
        found = small.PRODUCTS["salinity"].read(put(ds, f"{number}.nc"))
        assert found.so[0, :3].isnull().all() and int(found.so.isnull().sum()) == 3
        assert float(abs(found.so - small.sea("so", found.latitude, found.longitude)).max()) < 0.006


STATED = {
    "packed, as the values are": (np.int16(-20000), np.int16(12000)),
    "packed, as floats": (np.float32(-20000), np.float32(12000)),
    "unpacked": (-1.9, 1.3),
    "unpacked, in whole numbers": (np.int16(-2), np.int16(1)),
}


@pytest.mark.parametrize("stated", STATED)
@pytest.mark.parametrize("as_pair", [False, True])
def test_a_stated_range_counts_in_the_numbers_it_means(put, stated, as_pair):
    low, high = STATED[stated]
    ds = small.sea_level()
    values = np.full((1, 12, 14), 1000, "i2")
    values[0, 0] = 30000  # 3 m
    attrs = {"valid_range": np.array([low, high])} if as_pair else {"valid_min": low, "valid_max": high}
    ds = ds.drop_vars("adt").assign(
        adt=(("time", "latitude", "longitude"), values, {"units": "m", "scale_factor": 1e-4} | attrs)
    )
    ds.adt.encoding["_FillValue"] = np.int16(-32767)
    found = read_sea_level_map(put(ds))
    np.testing.assert_allclose(found.zos[1:], 0.1)
    assert found.zos[0].isnull().all() and "valid_max" not in found.zos.attrs


@pytest.mark.parametrize(("scale", "end"), [(1e-3, "max"), (-1e-3, "min")])
def test_a_range_may_have_one_end(put, scale, end):
    """Of packed integers, which count downward where the scale is negative."""
    ds = small.winds()
    codes = np.rint(ds.u10.values / scale).astype("i2")
    codes[0, 0, 0] = 5000 if scale > 0 else -5000
    attrs = {"units": "m/s", "scale_factor": scale, f"valid_{end}": np.int16(2000 if scale > 0 else -2000)}
    ds = ds.drop_vars("u10").assign(u10=(ds.u10.dims, codes, attrs))
    ds.u10.encoding["_FillValue"] = np.int16(-32767)
    found = read_winds(put(ds)).compute()
    assert np.isnan(found.uas[0, 0, 0]) and int(found.uas.isnull().sum()) == 1


def test_the_range_of_bytes_is_theirs(put):
    """Packed, 0 to 250 are 2.5 m/s; unpacked they would hide all winds from the east."""
    ds = small.winds()
    codes = np.rint((ds.u10.values + 1.0) / 0.01).astype("u1")
    codes[0, 0, :3], codes[0, 1, 0] = 253, 50
    attrs = {"units": "m/s", "scale_factor": 0.01, "add_offset": -1.0, "valid_range": np.array([0, 250], "u1")}
    ds = ds.drop_vars("u10").assign(u10=(ds.u10.dims, codes, attrs))
    ds.u10.encoding["_FillValue"] = np.uint8(255)
    found = read_winds(put(ds)).compute()
    assert found.uas[0, 0, :3].isnull().all() and int(found.uas.isnull().sum()) == 3
    np.testing.assert_allclose(found.uas[0, 1, 0], -0.5, atol=1e-6)


def test_a_range_that_leaves_nothing_is_no_range(put):
    ds = small.temperature()
    ds.analysed_sst.attrs |= {"valid_min": -2.0, "valid_max": 40.0}  # of degrees Celsius, beside kelvin
    check(read_temperature(put(ds)), small.PRODUCTS["temperature"])


@pytest.mark.parametrize("stated", [(-np.inf, np.inf), (2.0, -2.0)])
def test_a_range_that_says_nothing_is_no_range(put, stated):
    ds = small.tracks()
    ds.adt.attrs["valid_range"] = np.array(stated)
    assert read_tracks(put(ds)).sizes["point"] == 40


def test_a_range_may_be_narrow(put):
    """A calm day: less than a fiftieth of what a wind may be."""
    ds = small.winds()
    ds.v10.attrs |= {"valid_min": float(ds.v10.min()), "valid_max": float(ds.v10.max())}
    found = read_winds(put(spoil(ds, "v10", (0, 0, 0), 3.0))).compute()
    assert int(found.vas.isnull().sum()) == 1
    check(found, small.PRODUCTS["winds"])


def test_ranges_hold_in_lazy_series_and_beside_the_values(put):
    ds = small.glorys()
    ds.thetao.attrs |= {"valid_max": float(ds.thetao.max()) + 1}
    found = read_glorys(put(spoil(ds, "thetao", (0, 0, 0), 30.0))).compute()
    assert np.isnan(found.thetao[0, 0, 0]) and int(found.thetao.isnull().sum()) == 1
    ds = small.sea_level()
    for name, value in (("ugos", 9.9e36), ("vgos", -9999.0), ("err_sla", 1e20)):
        ds = spoil(ds, name, (0, 2, 2), value)
    found = read_sea_level_map(put(ds, "b.nc"))
    assert [int(found[name].isnull().sum()) for name in ("zos", "ugos", "vgos", "error")] == [0, 1, 1, 1]


def test_longitudes_may_have_been_wrapped_since_their_range_was_stated():
    stated = xr.DataArray([0.0], attrs={"valid_min": 0.125, "valid_max": 359.875, "units": "degrees_east"})
    assert in_range(np.array([-62.0, 298.0]), stated, (-180.0, 360.0)).all()


@pytest.mark.parametrize(("units", "step"), [("m", 1.0), ("centimeters", 100.0), ("cm", 100.0), (None, 1.0)])
def test_depths_are_counted_as_their_units_say(put, units, step):
    found = read_glorys(put(layered(units, step))).compute()
    assert found.attrs["depth_m"] == "uo 15, vo 15"
    check(found, small.PRODUCTS["ocean"])


@pytest.mark.parametrize("units", ["km", "dbar", "sigma_level"])
def test_levels_that_are_no_depths_are_refused(put, refuses, units):
    with refuses("a.nc", f"'depth' has units '{units}', expected m"):
        read_glorys(put(layered(units, 1.0)))


def layered(units: str | None, step: float) -> xr.Dataset:
    """An ocean whose current has levels: the one that is wanted, and another a thousand times as deep."""
    ds = small.glorys()
    depth = np.array([15.0, 15000.0]) * step
    ds = ds.assign(depth=("depth", depth, {"units": units} if units else {}))
    for name in ("uo", "vo"):
        values = np.stack([ds[name].values, ds[name].values + 1.0], 1)
        ds = ds.drop_vars(name).assign({name: (("time", "depth", *ds[name].dims[1:]), values, ds[name].attrs)})
        ds[name].encoding["_FillValue"] = None
    ds.depth.encoding["_FillValue"] = None
    return ds


# --- 4. flags


@pytest.mark.parametrize("declared", [True, False])
def test_a_missing_mask_is_not_land(put, declared):
    ds = small.temperature()
    ds = ds.assign(mask=(ds.mask.dims, np.full(ds.mask.shape, -128, np.int8)))
    ds.mask.encoding["_FillValue"] = np.int8(-128) if declared else None
    found = read_temperature(put(ds))
    check(found, small.PRODUCTS["temperature"])
    report = Report.of(found)
    assert report.kept == 168 and report.noted == {"without 'mask'": 168}
    assert "168 without 'mask'" in str(report)


def test_a_missing_flag_of_a_swath_is_not_a_bad_one(put):
    ds = small.swath()
    flag = np.zeros((20, 10), np.uint8)
    flag[0], flag[1] = 255, 5
    ds = ds.assign(quality_flag=(ds.quality_flag.dims, flag))
    ds.quality_flag.encoding["_FillValue"] = np.uint8(255)
    report = Report.of(read_swath(put(ds)))
    assert report.dropped == {"flagged bad": 10} and report.noted == {"without 'quality_flag'": 10}


def test_flags_that_are_not_set_by_custom(put):
    """The greatest of unsigned integers; of OceanSITES' table what nobody has looked at, and what is not in it."""
    flags = np.where(np.arange(20)[:, None] < 3, 2**32 - 1, np.where(np.arange(20)[:, None] < 5, 4, 0)) + np.zeros(10)
    ds = small.swath().drop_vars("quality_flag").assign(ssha_filtered_qual=(small.swath().mdt.dims, flags.astype("u4")))
    ds.ssha_filtered_qual.encoding["_FillValue"] = None
    report = Report.of(read_swath(put(ds, "q.nc")))
    assert report.dropped == {"flagged bad": 20} and report.noted == {"without 'ssha_filtered_qual'": 30}
    report = Report.of(read_drifters(put(small.drifter().assign(EWCT_QC=(("TIME",), np.zeros(40, "i1"))), "z.nc")))
    assert not report.dropped and report.noted == {"without 'flags'": 40}
    ds = small.swath()
    ds = ds.assign(quality_flag=(ds.quality_flag.dims, np.full((20, 10), 255, np.uint8)))
    report = Report.of(read_swath(put(ds)))
    assert report.kept == 200 and report.noted == {"without 'quality_flag'": 200}
    flags = np.where(np.arange(40) < 3, 4, np.where(np.arange(40) < 10, -128, 1)).astype(np.int8)
    report = Report.of(read_drifters(put(small.drifter().assign(EWCT_QC=(("TIME",), flags)), "d.nc")))
    assert report.dropped == {"flagged bad": 3} and report.noted == {"without 'flags'": 7}
    ds = small.pixels()
    ds["l2p_flags"] = (ds.quality_level.dims, np.full((1, 20, 10), 2, np.int16))
    ds.l2p_flags.values[0, 4:] = -1
    ds.l2p_flags.encoding["_FillValue"] = np.int16(-1)
    report = Report.of(read_temperature_swath(put(ds, "p.nc")))
    assert report.dropped == {"on land, lakes or ice": 40} and report.noted == {"without 'l2p_flags'": 160}


@pytest.mark.parametrize(
    ("name", "flag"),
    [("temperature", "mask"), ("swath", "quality_flag"), ("pixels", "quality_level"), ("drifters", "EWCT_QC")],
)
def test_flags_that_cannot_be_read_are_not_passed_over(put, refuses, name, flag):
    product = small.PRODUCTS[name]
    ds = product.make()
    path = put(ds.drop_vars(flag))
    with h5py.File(path, "r+") as file:
        file.create_dataset(flag, ds[flag].shape, np.dtype([("a", "i1"), ("b", "i1")]))
    with refuses("a.nc", f"'{flag}' cannot be read"):
        product.read(path)


@pytest.mark.parametrize("name", ["temperature", "pixels"])
def test_a_missing_quality_is_told_from_a_low_one(put, refuses, name):
    """GHRSST has no data where it has no quality."""
    product = small.PRODUCTS[name]
    ds = product.make()
    first = next(iter(product.channels.values()))
    level = np.full(ds[first].shape, 5, np.int8)
    level[0, 0], level[0, 1] = -128, 2
    ds["quality_level"] = (ds[first].dims, level)
    ds.quality_level.encoding["_FillValue"] = np.int8(-128)
    found, row = product.read(put(ds)), level.shape[-1]
    assert Report.of(found).dropped == {"without 'quality_level'": row, "of quality below 4": row}
    check(found, product)


# --- 5. degenerate axes


@pytest.mark.parametrize("box", [(-60.3, -60.2, 35, 40), (-62, -58, 37.2, 37.3), (-60.3, -60.2, 37.2, 37.3)])
@pytest.mark.parametrize("name", [*MAPS, "winds"])
def test_a_box_with_one_row_or_column(put, name, box):
    found, _ = read_observations(put(small.PRODUCTS[name].make()), "2017-04-02", box=box)
    for channel in set(found.channel):
        rows = found.channel == channel
        truth = small.sea(str(channel), found.latitude[rows], found.longitude[rows])
        np.testing.assert_allclose(found.value[rows], truth, atol=1e-5)


@pytest.mark.parametrize("cells", [{"latitude": [3]}, {"longitude": [3]}, {"latitude": [3], "longitude": [3]}])
def test_ocean_and_wind_of_one_row_or_column(put, cells):
    ocean, wind = read_glorys(put(small.glorys().isel(cells))), read_winds(put(small.winds().isel(cells), "w.nc"))
    check(join(ocean, wind).compute(), small.PRODUCTS["winds"])


def test_a_row_that_is_there_twice(put):
    for ds in (small.sea_level(), small.sea_level().isel(latitude=slice(None, None, -1))):
        found = read_sea_level_map(put(ds.isel(latitude=[0, 1, 1, 2, 3])))
        assert found.sizes["latitude"] == 4
        check(found, small.PRODUCTS["sea level"])


# --- 6. lazy reads


@pytest.mark.parametrize("name", EVERY)
def test_a_damaged_block_is_told_with_file_and_variable(put, refuses, name):
    product = small.PRODUCTS[name]
    path, variable = put(product.make()), list(product.channels.values())[-1]
    with h5py.File(path) as file:
        chunk = file[variable].id.get_chunk_info(0)
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset + chunk.size // 2] ^= 0x55
    path.write_bytes(content)
    with refuses("a.nc", f"'{variable}' cannot be read, file damaged"):
        product.read(path).compute()


@pytest.mark.parametrize("name", EVERY)
def test_times_that_cannot_be_read_are_not_passed_over(put, refuses, name):
    product, ds = small.PRODUCTS[name], small.PRODUCTS[name].make()
    path, time = put(ds), next(v for v in ds.variables if str(v).lower() == "time")
    with h5py.File(path) as file:
        chunk = file[time].id.get_chunk_info(0)
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset] ^= 0x55
    path.write_bytes(content)
    with refuses("a.nc", f"'{time}' cannot be read", "damaged"):
        product.read(path)


@pytest.mark.parametrize("name", ["winds", "tracks"])
def test_chunks_that_are_not_there_are_no_zeros(tmp_path, refuses, name):
    """As an interrupted copy of a Zarr store leaves it."""
    pytest.importorskip("zarr")
    product = small.PRODUCTS[name]
    variable = next(iter(product.channels.values()))
    product.make().to_zarr(tmp_path / "a.zarr", zarr_format=2, consolidated=False)
    check(product.read(tmp_path / "a.zarr").compute(), product)
    for chunk in (tmp_path / "a.zarr" / variable).glob("[0-9]*"):
        chunk.unlink()
    with refuses("a.zarr", f"'{variable}' cannot be read", "1 of its 1 chunks are not there"):
        product.read(tmp_path / "a.zarr")


def test_what_dask_sends_home_is_whole():
    told = pickle.loads(pickle.dumps(NothingValid("a.nc: nothing", Report("a.nc", "points", 3, {"gone": 3}))))
    assert str(told) == "a.nc: nothing" and told.report.kept == 0


# --- 7. longitudes


@pytest.mark.parametrize("west", [-62.0, 298.0, 179.0, -181.0 + 360.0, -1.0, 359.0])
@pytest.mark.parametrize("name", EVERY)
def test_any_convention_of_longitude(put, name, west):
    product = small.PRODUCTS[name]
    ds = product.make(west=west)
    for number, turn in enumerate((lambda x: x, lambda x: x % 360, lambda x: (x + 180) % 360 - 180)):
        axis = next(v for v in ds.variables if str(v).lower().startswith("lon"))
        one = ds.drop_vars(axis).assign({axis: (ds[axis].dims, turn(ds[axis].values), ds[axis].attrs)})
        one[axis].encoding["_FillValue"] = None
        found = product.read(put(one, f"{number}.nc")).compute()
        assert -180 <= found.longitude.min() and found.longitude.max() < 180
        assert found[next(iter(product.channels))].size == ds[product.channels[next(iter(product.channels))]].size
        check(found, product)


@pytest.mark.parametrize("west", [177.4, -182.6, 357.9, -2.1, 297.4])
def test_grids_hold_points_of_any_convention(put, west):
    seen, _ = read_observations(put(small.tracks(west=west + 1.0)), "2017-04-02")
    for turn in (0.0, 360.0, -360.0):
        grid = Grid(35 + np.arange(64) / 12, west + turn + np.arange(64) / 12)
        inside = seen.inside(grid)
        assert len(inside) == 40
        row, column = grid.nearest(inside.latitude, inside.longitude)
        assert abs(grid.latitude[row] - inside.latitude).max() < 0.05
        away = grid.longitude[column] - inside.longitude
        assert abs((away + 180) % 360 - 180).max() < 0.05


@pytest.mark.parametrize(("west", "turn"), [(178.5, 0.0), (178.5, 360.0), (-62.0, 0.0), (358.5, 0.0)])
def test_a_sea_across_180_is_of_one_piece(put, west, turn):
    """So that it is a grid, and no wind is interpolated around the Earth."""
    ocean, wind = small.glorys(west=west).isel(longitude=slice(1, -1)), small.winds(west=west)
    east = wind.longitude.values % 360 - turn
    wind = wind.drop_vars("longitude").assign_coords(longitude=("longitude", east, small.EAST))
    wind.longitude.encoding["_FillValue"] = None
    joined = join(read_glorys(put(ocean)), read_winds(put(wind, "w.nc"))).compute()
    grid = Grid(joined.latitude.values, joined.longitude.values)
    assert grid.shape == (12, 12)
    for name in ("zos", "uo", "uas"):
        off = joined[name] - small.sea(name, joined.latitude, joined.longitude)
        assert joined[name].notnull().all() and float(abs(off).max()) < 1e-5
    half = put(wind.isel(longitude=slice(0, 7)), "half.nc")
    with pytest.raises(InputError, match="the winds cover longitudes"):
        join(read_glorys(put(ocean)), read_winds(half))


def test_the_axis_of_a_model_may_go_on_beyond_360(put):
    ds = small.glorys(west=359.0)
    longitude = 74.0 + (ds.longitude.values - 74.0) % 360  # 359 to 362.25
    found = read_glorys(put(ds.assign(longitude=("longitude", longitude, small.EAST)))).compute()
    assert found.sizes["longitude"] == 14
    check(found, small.PRODUCTS["ocean"])


# --- 8. sparse drifters


@pytest.mark.parametrize(
    "depth", [np.full((24, 2), np.nan), np.where(np.arange(24)[:, None] < 12, [[np.nan, 15.0]], [[0.0, np.nan]]), None]
)
def test_drifters_with_levels_that_are_seldom_known(put, depth):
    dims, time = ("time", "depth_level"), small.days(small.NOON + np.arange(24) * np.timedelta64(1, "h"))
    place = np.arange(24)[:, None] + np.zeros(2)
    known = np.array([[False, True]] * 24) if depth is None else np.isfinite(depth)
    known = known if known.any() else np.array([[False, True]] * 24)
    variables = {
        "EWCT": (dims, np.where(known, 0.5, np.nan), {"units": "m s-1"}),
        "NSCT": (dims, np.where(known, -0.1, np.nan), {"units": "m s-1"}),
    }
    coords = {
        "time": (("time",), time, small.DAYS),
        "latitude": (dims, 37 + 0.004 * place, small.NORTH),
        "longitude": (dims, -61 + 0.01 * place, small.EAST),
    }
    ds = small.raw(dims, coords, variables, platform_id="6201234")
    if depth is not None:
        ds["depth"] = (dims, depth, {"units": "m"})
    found = read_drifters(put(ds))
    assert found.sizes["obs"] == 24 and list(found.id.values) == ["6201234"]
    assert (found.u == 0.5).all() and (found.v == -0.1).all()
    assert set(found.drogue.values) <= {-1, 0, 1}


@pytest.mark.parametrize("kind", ["depth of each level", "levels first", "depth is a fill value"])
def test_drifters_with_levels_as_others_write_them(put, kind):
    ds = small.drifter().drop_vars("EWCT_QC")
    levels = {k: np.stack([np.full(40, np.nan), ds[k].values], 1) for k in ("EWCT", "NSCT")}
    first = kind == "levels first"
    dims = ("LEVEL", "TIME") if first else ("TIME", "LEVEL")
    ds = ds.assign({k: (dims, v.T if first else v, {"units": "m s-1"}) for k, v in levels.items()})
    depths = np.array([0.0, 9.96921e36 if kind == "depth is a fill value" else 15.0])
    ds["DEPH"] = ("LEVEL", depths, {"units": "m"})
    ds.DEPH.encoding["_FillValue"] = None
    found = read_drifters(put(ds))
    check(found, small.PRODUCTS["drifters"])
    assert found.sizes["obs"] == 40 and set(found.drogue.values) == {-1 if kind == "depth is a fill value" else 1}


def test_drifters_in_rows_keep_their_names(put):
    """As ERDDAP writes them: times along trajectory and fix, names along trajectory."""
    one, dims, east = small.drifter(), ("traj", "obs"), np.array([[0.0], [5.0]])
    latitude, longitude = one.LATITUDE.values + 0 * east, one.LONGITUDE.values + east
    coords = {
        "time": (dims, one.TIME.values + 0 * east, small.DAYS),
        "lat": (dims, latitude, small.NORTH),
        "lon": (dims, longitude, small.EAST),
    }
    values = {
        "ve": (dims, small.sea("uo", latitude, longitude), {"units": "m/s"}),
        "vn": (dims, small.sea("vo", latitude, longitude), {"units": "m/s"}),
        "ID": (dims[:1], np.array([5, 6]), {}),
    }
    found = read_drifters(put(small.raw(dims, coords, values)))
    assert list(found.id.values) == ["5", "6"] and list(found.rowsize.values) == [40, 40]
    check(found, small.PRODUCTS["drifters"])


def test_fixes_of_no_drifter_are_left_out(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,time,lat,lon,u,v\n7,2017-04-02T00:00Z,36,-61,0.1,0.2\n,2017-04-02T01:00Z,36,-61,0.1,0.2\n")
    found = read_drifters(path)
    assert list(found.id.values) == ["7"] and Report.of(found).dropped == {"without an id": 1}


# --- 9. finding and opening files


def test_folders_hold_files_of_several_suffixes(tmp_path, put):
    names = ["a.nc", "b.nc4", "c.NC", ".hidden.nc", "readme.txt"]
    for number, name in enumerate(names):
        put(small.tracks(west=-62.0 + 0.1 * number).assign_attrs(platform=f"Mission {number}"), name)
    with pytest.warns(UserWarning, match="1 passed over, such as readme.txt"):
        assert [path.name for path in listed(tmp_path)] == ["a.nc", "b.nc4", "c.NC"]
    (tmp_path / "readme.txt").write_text("of no interest")
    assert read_tracks(tmp_path).sizes["point"] == 120
    (tmp_path / "tables").mkdir()
    rows = "".join(f"1,2017-04-02T{hour:02}:00:00Z,36.{hour:02},-61,0.1,0.2\n" for hour in range(24))
    (tmp_path / "tables" / "gdp.csv.gz").write_bytes(gzip.compress(f"id,time,lat,lon,u,v\n{rows}".encode()))
    assert read_drifters(tmp_path / "tables").sizes["obs"] == 24


@pytest.mark.parametrize("other", ["b.nc.gz", "april", "b.hdf", "b"])
def test_what_else_in_a_folder_may_be_products_is_told(tmp_path, put, other):
    put(small.tracks())
    (tmp_path / "readme.txt").write_text("of no interest")
    start = {"b.nc.gz": b"\x1f\x8b", "b.hdf": b"\x0e\x03\x13\x01", "b": b"CDF\x01"}
    (tmp_path / other).write_bytes(start[other]) if other in start else (tmp_path / other).mkdir()
    with pytest.warns(UserWarning, match=f"1 passed over, such as {other}"):
        assert read_tracks(tmp_path).sizes["point"] == 40


def test_a_file_that_is_given_twice_counts_once(tmp_path, put):
    path = put(small.swath())
    (tmp_path / "link.nc").symlink_to(path)
    once, _ = read_observations(path)
    for paths in ([path, path], [tmp_path, path]):
        assert len(read_observations(paths)[0]) == len(once)


def test_tables_of_other_customs_say_what_they_have(tmp_path, refuses):
    (tmp_path / "a.csv").write_text("id;time;lat;lon;u;v\n7;2017-04-02T00:00Z;36;-61;0,1;0,2\n")
    with refuses("a.csv", "no id of drifters", "id;time;lat;lon;u;v"):
        read_drifters(tmp_path / "a.csv")


def test_a_filter_that_is_not_known_is_named(put, refuses):
    """NetCDF's zstd, of which the HDF5 library here knows nothing."""
    path = put(small.tracks())
    with h5py.File(path, "r+") as file:
        made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        made.set_chunk((40,))
        made.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (3,))
        space = h5py.h5s.create_simple((40,))
        h5py.h5d.create(file.id, b"sla", h5py.h5t.NATIVE_FLOAT, space, made).write_direct_chunk((0,), bytes(8), 0)
    check(read_tracks(path), small.PRODUCTS["tracks"])
    with refuses("a.nc", "'sla' cannot be read", "the filter 32015, which is not known"):
        read_tracks(path, "sla")


@pytest.mark.parametrize("paths", [[], None, 5, "x" * 300])
def test_what_is_no_path_is_refused(refuses, paths):
    with refuses("no such file" if isinstance(paths, str) else "no file to read"):
        read_tracks(paths)


def test_a_folder_without_products_says_so(tmp_path, refuses):
    with refuses("is a folder without products", ".nc4"):
        read_tracks(tmp_path)


def test_other_groups_are_named_where_something_is_missing(put, refuses):
    path = put(small.tracks().drop_vars("adt"), group="/data_01")
    with h5netcdf.File(path, "r+") as file:
        ku = file.create_group("data_01/ku")
        ku.dimensions = {"time": 40}
        ku.create_variable("adt", ("time",), "f8")
    with refuses("no absolute dynamic topography", "/data_01/ku"):
        read_tracks(path)


@pytest.mark.parametrize("how", ["link", "storage", "virtual"])
def test_values_that_lie_in_other_files_are_not_read(tmp_path, put, refuses, how):
    other = put(small.tracks(), "other.nc")
    path = put(small.tracks().drop_vars("adt"))
    with h5py.File(path, "r+") as file:
        if how == "link":
            file["adt"] = h5py.ExternalLink(str(other), "/adt")
        elif how == "storage":
            file.create_dataset("adt", (40,), "f8", external=[(str(other), 0, 320)])
        else:
            layout = h5py.VirtualLayout((40,), "f8")
            layout[:] = h5py.VirtualSource(str(other), "adt", (40,))
            file.create_virtual_dataset("adt", layout)
    with refuses("a.nc", "values from other files"):
        read_tracks(path)


@pytest.mark.parametrize("name", ["adt", "latitude"])
def test_pickled_values_are_not_read(tmp_path, refuses, name):
    """Zarr's metadata may ask for a codec that unpickles; written with an escape it is no other."""
    pytest.importorskip("zarr")
    small.tracks().to_zarr(tmp_path / "a.zarr", zarr_format=2, consolidated=False)
    check(read_tracks(tmp_path / "a.zarr"), small.PRODUCTS["tracks"])
    place = tmp_path / "a.zarr" / name / ".zarray"
    described = json.loads(place.read_text()) | {"filters": [{"id": "pickle", "protocol": 4}], "dtype": "|O"}
    place.write_text(json.dumps(described).replace("pickle", "p\\u0069ckle"))
    with refuses("a.zarr", "it holds pickled values"):
        read_tracks(tmp_path / "a.zarr")


@pytest.mark.parametrize(
    ("start", "told"),
    [
        (b"CDF\x05\0\0\0\0", "CDF-5"), (b"GRIB\0\0\0\2", "GRIB"), (b"\x0e\x03\x13\x01", "HDF4"),
        (b"PK\x03\x04\0\0", "ZIP"), (gzip.compress(b"CDF\x01"), "gzip"), (b"<!DOCTYPE html>", "not a NetCDF file"),
    ],
)  # fmt: skip
def test_formats_that_are_not_read_are_named(tmp_path, refuses, start, told):
    (tmp_path / "a.nc").write_bytes(start + bytes(100))
    for read in (open_product, read_tracks, read_winds, read_swath):
        with refuses("a.nc", told):
            read(tmp_path / "a.nc")


def test_types_that_are_not_read_matter_where_they_are_asked_for(put, refuses):
    path = put(small.tracks())
    with h5py.File(path, "r+") as file:
        file.create_dataset("history_of", (40,), h5py.vlen_dtype(np.int32))
        file.create_dataset("both", (40,), np.dtype([("a", "f4"), ("b", "i4")]))
    check(read_tracks(path), small.PRODUCTS["tracks"])
    for name in ("history_of", "both"):
        with refuses("a.nc", f"'{name}' cannot be read"):
            read_tracks(path, name)


@pytest.mark.parametrize("name", EVERY)
def test_variables_may_lie_in_a_group(put, refuses, name):
    product = small.PRODUCTS[name]
    path = put(product.make(), group="/data/ku")
    check(product.read(path).compute(), product)
    with h5netcdf.File(path, "r+") as file:
        other = file.create_group("left")
        other.dimensions = {"latitude": 2}
        other.create_variable("latitude", ("latitude",), "f8")
    with refuses("a.nc", "2 groups", "/data/ku"):
        product.read(path)


def test_groups_that_hold_each_other_are_refused(put, refuses):
    path = put(small.tracks(), group="/data")
    with h5py.File(path, "r+") as file:
        file["data/again"] = file["/"]
    with refuses("a.nc", "damaged", "its group /data/again holds itself"):
        read_tracks(path)


def test_a_file_on_which_the_library_hangs_is_refused(tmp_path, refuses):
    """A block of zeros in HDF5's global heap, as an interrupted download in parts leaves it."""
    ds = xr.Dataset({"adt": (("latitude", "longitude"), np.full((4, 5), 0.1), {"units": "m", "long_name": "Level"})})
    ds = ds.assign_coords(latitude=("latitude", np.arange(4.0)), longitude=("longitude", np.arange(5.0)))
    path = tmp_path / "a.nc"
    ds.to_netcdf(path, engine="h5netcdf")
    content = bytearray(path.read_bytes())
    at = content.find(b"GCOL") + 32
    content[at : at + 64] = bytes(64)
    path.write_bytes(content)
    if inspecting._inspector is not None:
        inspecting._inspector.end()  # what it has used before is counted when it ends
    processor = os.times()
    with refuses("a.nc", "damaged"):
        read_sea_level_map(path)
    used = os.times()
    assert used.children_user + used.user - processor.children_user - processor.user < 10
    following = small.write(small.tracks(), tmp_path / "b.nc")
    check(read_tracks(following), small.PRODUCTS["tracks"])


def test_nothing_is_said_beside_the_refusal(put, refuses, monkeypatch, capfd):
    """A library's traceback from what it could not close."""
    path, random = put(small.tracks()), np.random.default_rng(4)
    content = np.frombuffer(path.read_bytes(), np.uint8).copy()
    content[random.integers(200, len(content), 500)] = random.integers(0, 256, 500)
    path.write_bytes(content.tobytes())
    unraisable = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)
    with refuses("a.nc", "damaged"):
        read_tracks(path)
    gc.collect()
    assert not unraisable and not capfd.readouterr().err


def test_a_process_that_dies_or_is_silent_is_told(put, refuses, monkeypatch):
    for verdict in ("died", "silent"):
        path = put(small.tracks(), f"{verdict}.nc")
        monkeypatch.setattr(inspecting.Inspector, "next", lambda self, verdict=verdict: verdict)
        with refuses(f"{verdict}.nc", "damaged", inspecting.LOST[verdict]):
            read_tracks(path)


def test_where_no_process_can_be_started_files_are_read_all_the_same(put, monkeypatch):
    def refused(*arguments, **options):
        raise PermissionError("no processes here")

    monkeypatch.setattr(inspecting, "_inspector", None)
    monkeypatch.setattr(inspecting.subprocess, "Popen", refused)
    check(read_tracks(put(small.tracks())), small.PRODUCTS["tracks"])


def test_a_file_is_looked_at_once(put, monkeypatch):
    path = put(small.tracks())
    read_tracks(path)
    monkeypatch.setattr(inspecting.Inspector, "ask", lambda self, path: pytest.fail("asked again"))
    start = time.perf_counter()
    read_tracks(path)
    assert time.perf_counter() - start < 60


# --- 10. text


def test_text_that_is_no_utf8(put, refuses, tmp_path):
    path = put(small.tracks().assign_attrs(title=np.bytes_(b"\xf4"), id=np.bytes_(b"\xe9t\xe9")))
    found = read_tracks(path)
    assert found.attrs["product"] == "été"
    found.to_netcdf(tmp_path / "again.nc", engine="h5netcdf")
    ds = small.tracks()
    ds.adt.attrs["units"] = np.bytes_(b"m\xb0")
    with refuses("units 'm°'"):
        read_tracks(put(ds, "b.nc"))


def test_a_name_that_is_no_utf8(put, tmp_path):
    path = put(small.tracks()).rename(os.path.join(tmp_path, os.fsdecode(b"\xe9t\xe9.nc")))
    found = read_tracks(path)
    assert found.attrs["source"] == "été.nc"
    found.to_netcdf(tmp_path / "again.nc", engine="h5netcdf")


def test_a_sentence_is_one_line_that_can_be_written():
    told = str(InputError("a\nfile \udce9 named\todd"))
    assert told == "a file \\udce9 named odd" and told.encode()
