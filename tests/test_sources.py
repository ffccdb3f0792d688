"""Readers of real products: files as providers write them, and files as they arrive when something went
wrong."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from genda_lite.errors import InputError
from genda_lite.observe.orbits import repeat_tracks
from genda_lite.sources import open_product, read_sea_level_map, read_tracks
from genda_lite.sources.files import find_coordinate, wrap_longitude

REAL = Path(__file__).parents[2] / "shared" / "real"
ALTIKA = REAL / "dt_global_alg_sla_vxxc_20170402_SARAL-Altika.nc4"
DUACS = REAL / "nrt_global_allsat_phy_l4_20190223_20190226.nc"
SWATH = REAL / "SWOT_L3_LR_SSH_Expert_026_165_20241229T165806_20241229T174933_v2.0.1.nc"
real_data = pytest.mark.skipif(not REAL.is_dir(), reason=f"the real products are not at {REAL}")

PACKED = {"dtype": "int16", "scale_factor": 1e-3, "_FillValue": -32767}


def track_points(**variables) -> xr.Dataset:
    """Four points across the Greenwich meridian, longitudes 0-360; values in metres unless given with
    attrs."""
    variables = {k: v if isinstance(v, tuple) else (v, {"units": "m"}) for k, v in variables.items()}
    points = xr.Dataset(
        {name: ("time", values, attrs) for name, (values, attrs) in variables.items()},
        coords={
            "time": np.datetime64("2017-04-02T00:00:00", "ns") + np.arange(4) * np.timedelta64(1, "s"),
            "latitude": ("time", [35.0, 35.1, 35.2, 35.3], {"units": "degrees_north"}),
            "longitude": ("time", [359.8, 359.9, 0.0, 180.0], {"units": "degrees_east"}),
        },
        attrs={"product_id": "TEST_L3", "platform": "Testika"},
    )
    points["cycle"] = ("time", np.full(4, 107, np.int16))
    points["track"] = ("time", np.full(4, 22, np.int16))
    return points


def write(dataset: xr.Dataset, path: Path, **options) -> Path:
    dataset.to_netcdf(path, **{"engine": "h5netcdf"} | options)
    return path


def sea_level_maps() -> xr.Dataset:
    """Two days of a 4 x 8 degree global map, latitude descending and longitudes 0-360; the second day is
    doubled."""
    latitude, longitude = np.arange(80.0, -81.0, -4.0), np.arange(4.0, 360.0, 8.0)
    values = np.stack([np.sin(np.deg2rad(longitude))[None] * np.ones((latitude.size, 1)) * k for k in (1, 2)])
    values[:, 0, 0] = np.nan
    coords = {
        "time": np.array(["2019-02-23", "2019-02-24"], "datetime64[ns]"),
        "latitude": ("latitude", latitude, {"units": "degrees_north"}),
        "longitude": ("longitude", longitude, {"units": "degrees_east"}),
    }
    dims = ("time", "latitude", "longitude")
    maps = xr.Dataset(coords=coords)
    maps["adt"] = (dims, values, {"units": "m", "standard_name": "sea_surface_height_above_geoid"})
    maps["ugos"] = (dims, 10 * values, {"units": "cm/s"})
    maps["vgos"] = (dims, values, {"units": "m/s"})
    return maps


# --- tracks


def test_tracks_are_unpacked_wrapped_and_cleared_of_fill_values(tmp_path):
    points = track_points(adt_unfiltered=[0.1, np.nan, -0.25, 0.5])
    tracks = read_tracks(write(points, tmp_path / "a.nc", encoding={"adt_unfiltered": PACKED}))
    assert tracks.zos.dims == ("point",) and tracks.zos.dtype == np.float64 and tracks.zos.units == "m"
    np.testing.assert_allclose(tracks.zos, [0.1, -0.25, 0.5])
    np.testing.assert_allclose(tracks.longitude, [-0.2, 0.0, -180.0])
    assert tracks.time.dtype == "datetime64[ns]"
    assert tracks.time.values[1] == np.datetime64("2017-04-02T00:00:02")
    assert list(tracks.track) == [22] * 3 and list(tracks.cycle) == [107] * 3
    assert tracks.attrs == {
        "source": "a.nc",
        "product": "TEST_L3",
        "platform": "Testika",
        "variable": "adt_unfiltered",
        "dropped_points": 1,
        "report": "4 points; 1 without a value",
    }


def test_undeclared_fill_values_and_impossible_positions_are_dropped(tmp_path):
    points = track_points(adt=[0.1, 32767.0, 0.3, 0.4])
    points["latitude"][2] = 99.0
    assert list(read_tracks(write(points, tmp_path / "a.nc")).zos) == [0.1, 0.4]


@pytest.mark.parametrize("kept", ["i2", "f4"])
def test_an_undeclared_fill_of_packed_values_is_missing_however_they_are_kept(tmp_path, kept):
    """-32768 in steps of 0.1 mm is a plausible -3.28 m; integers of 16 bits are found by their values, too."""
    codes = np.array([1000, -32768, 3000, 4000]).astype(kept)
    packed = track_points(adt=(codes, {"units": "m", "scale_factor": 1e-4}))
    np.testing.assert_allclose(read_tracks(write(packed, tmp_path / "packed.nc")).zos, [0.1, 0.3, 0.4], rtol=1e-5)


def test_topography_is_preferred_and_anomalies_are_read_only_by_name(tmp_path):
    both = write(track_points(sla_unfiltered=[9.0] * 4, adt_filtered=[1.0] * 4), tmp_path / "both.nc")
    assert read_tracks(both).attrs["variable"] == "adt_filtered"
    assert float(read_tracks(both, "sla_unfiltered").zos[0]) == 9.0

    summed = read_tracks(write(track_points(sla_unfiltered=[0.25] * 4, mdt=[0.5] * 4), tmp_path / "sum.nc"))
    assert summed.attrs["variable"] == "sla_unfiltered + mdt" and float(summed.zos[0]) == 0.75

    other = track_points(ssh=([0.5] * 4, {"units": "m", "standard_name": "sea_surface_height_above_geoid"}))
    assert read_tracks(write(other, tmp_path / "cf.nc")).attrs["variable"] == "ssh"

    alone = write(track_points(sla_unfiltered=[0.25] * 4), tmp_path / "sla.nc")
    with pytest.raises(InputError, match=r"no absolute dynamic topography.*name 'sla_unfiltered'"):
        read_tracks(alone)


def test_obvious_units_are_converted_and_others_refused(tmp_path):
    centimetres = write(track_points(adt=([25.0] * 4, {"units": "cm"})), tmp_path / "cm.nc")
    np.testing.assert_allclose(read_tracks(centimetres).zos, 0.25)
    for name, attrs in (("kelvin", {"units": "K"}), ("none", {})):
        with pytest.raises(InputError, match=r"'adt' has .*units.*, expected m"):
            read_tracks(write(track_points(adt=([1.0] * 4, attrs)), tmp_path / f"{name}.nc"))


def test_coordinates_are_found_by_name_standard_name_or_units(tmp_path):
    points = track_points(adt=[0.1] * 4)
    renamed = points.rename(latitude="lat", longitude="position_x")
    assert read_tracks(write(renamed, tmp_path / "units.nc")).sizes["point"] == 4
    renamed.position_x.attrs = {"standard_name": "longitude"}
    assert read_tracks(write(renamed, tmp_path / "standard.nc")).sizes["point"] == 4
    # Where several carry what the conventions ask for: a standard name before units, and no bounds of cells.
    renamed.position_x.attrs = {"standard_name": "longitude"}
    other = renamed.assign(a=renamed.position_x + 90, a_bnds=renamed.position_x + 45)
    other.a.attrs, other.a_bnds.attrs = {"units": "degrees_east"}, {"standard_name": "longitude"}
    assert find_coordinate(other, "longitude") == "position_x"
    renamed.position_x.attrs = {}
    with pytest.raises(InputError, match=r"no longitude found by name.*the file has .*position_x"):
        read_tracks(write(renamed, tmp_path / "none.nc"))


def test_missing_variables_times_and_points_are_told(tmp_path):
    points = track_points(adt=[np.nan] * 4)
    path = write(points, tmp_path / "a.nc")
    with pytest.raises(InputError, match="none of the 4 points of 'adt' is valid"):
        read_tracks(path)
    with pytest.raises(InputError, match=r"a\.nc: no variable 'ssh'; the file has .*adt"):
        read_tracks(path, "ssh")
    undated = points.assign_coords(time=("time", np.arange(4.0)))
    with pytest.raises(InputError, match="'time' does not decode to dates"):
        read_tracks(write(undated, tmp_path / "undated.nc"))
    with pytest.raises(InputError, match="expected one dimension in common"):
        read_tracks(write(sea_level_maps(), tmp_path / "map.nc"))


# --- files that are not what they should be


def test_unreadable_files_are_told_apart(tmp_path):
    def refused(path, match):
        for reader in (open_product, read_tracks, read_sea_level_map):
            with pytest.raises(InputError, match=match):
                reader(path)

    refused(tmp_path / "missing.nc", r"missing\.nc: no such file")
    refused(tmp_path, "is a folder")
    (tmp_path / "empty.nc").touch()
    refused(tmp_path / "empty.nc", "the file is empty")
    (tmp_path / "page.nc").write_text("<!DOCTYPE html><title>Please log in</title>")
    refused(tmp_path / "page.nc", "is not a NetCDF file")

    whole = write(track_points(adt=[0.1] * 4), tmp_path / "whole.nc").read_bytes()
    for size in (8, 100, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut.nc").write_bytes(whole[:size])
        refused(tmp_path / "cut.nc", "damaged or truncated")


def test_data_damaged_behind_a_whole_header_are_told(tmp_path):
    path = tmp_path / "a.nc"
    values = np.random.default_rng(0).normal(size=4)
    write(track_points(adt=values), path, encoding={"adt": {"zlib": True, "chunksizes": (4,)}})
    whole = path.read_bytes()
    start = whole.rindex(b"\x78\x5e")  # zlib's first bytes
    path.write_bytes(whole[: start + 2] + b"\xff" * 8 + whole[start + 10 :])
    with pytest.raises(InputError, match="cannot be read, file damaged"):
        read_tracks(path)


def test_netcdf3_is_read_too(tmp_path):
    points = track_points(adt=[0.1] * 4)
    path = write(points, tmp_path / "a.nc", engine="scipy", format="NETCDF3_64BIT")
    assert read_tracks(path).sizes["point"] == 4
    whole = path.read_bytes()
    for size in (4, 100, len(whole) // 2):
        (tmp_path / "cut.nc").write_bytes(whole[:size])
        with pytest.raises(InputError, match="damaged"):
            read_tracks(tmp_path / "cut.nc")


def test_longitudes_in_range_keep_every_bit():
    inside = np.array([-180.0, -60.083336, 0.1, np.nextafter(180.0, 0.0)])
    assert (wrap_longitude(inside[:3]) == inside[:3]).all()
    assert -180.0 <= wrap_longitude(inside[3:])[0] < 180.0
    np.testing.assert_array_equal(wrap_longitude([180.0, 359.75, -190.0, 720.0]), [-180.0, -0.25, 170.0, 0.0])


# --- maps


def test_map_is_unpacked_sorted_and_converted(tmp_path):
    path = write(sea_level_maps(), tmp_path / "a.nc", encoding={"adt": PACKED})
    day = read_sea_level_map(path)
    assert day.zos.dims == ("latitude", "longitude") and day.time.values == np.datetime64("2019-02-23")
    assert (np.diff(day.latitude) > 0).all() and (np.diff(day.longitude) > 0).all()
    assert float(day.longitude.min()) == -180.0
    west = day.zos.sel(longitude=-92.0, latitude=0.0)
    np.testing.assert_allclose(west, np.sin(np.deg2rad(-92.0)), atol=1e-3)
    assert np.isnan(day.zos.sel(latitude=80.0, longitude=4.0))
    assert [day[name].units for name in ("zos", "ugos", "vgos")] == ["m", "m s-1", "m s-1"]
    np.testing.assert_allclose(day.ugos, 0.1 * day.vgos)


def test_map_of_a_date(tmp_path):
    path = write(sea_level_maps(), tmp_path / "a.nc")
    assert read_sea_level_map(path, "2019-02-24T06:00").time.values == np.datetime64("2019-02-24")
    with pytest.raises(InputError, match="the file covers 2019-02-23 to 2019-02-24"):
        read_sea_level_map(path, "2019-03-01")
    with pytest.raises(InputError, match="is not a date"):
        read_sea_level_map(path, "soon")


def test_map_without_what_it_needs(tmp_path):
    maps = sea_level_maps()
    alone = read_sea_level_map(write(maps.drop_vars(["ugos", "vgos"]), tmp_path / "alone.nc"))
    assert list(alone.data_vars) == ["zos"]
    with pytest.raises(InputError, match=r"no variable 'adt'; the file has .*ugos"):
        read_sea_level_map(write(maps.drop_vars("adt"), tmp_path / "noadt.nc"))
    with pytest.raises(InputError, match="'adt' holds no valid value"):
        read_sea_level_map(write(maps.assign(adt=maps.adt.where(False)), tmp_path / "nan.nc"))
    with pytest.raises(InputError, match="'adt' has dimensions"):
        read_sea_level_map(write(maps.assign(adt=maps.adt.mean("latitude")), tmp_path / "dims.nc"))


# --- the same tracks on other days


def test_repeated_tracks_follow_the_orbit(tmp_path):
    tracks = read_tracks(write(track_points(adt=[0.1] * 4), tmp_path / "a.nc"))
    later = repeat_tracks(tracks, [0, 1, 35])
    assert later.sizes["point"] == 12 and list(np.unique(later.day_offset)) == [0, 1, 35]
    today, tomorrow, repeated = (later.isel(point=slice(4 * i, 4 * i + 4)) for i in range(3))
    np.testing.assert_array_equal(today.longitude, tracks.longitude)
    np.testing.assert_allclose(repeated.longitude, tracks.longitude, atol=1e-9)
    assert (repeated.time.values - tracks.time.values == np.timedelta64(35, "D")).all()
    # 14 revolutions, each 25.15 degrees further west and 100.6 minutes long.
    shift = (tomorrow.longitude.values - tracks.longitude.values) % 360.0
    np.testing.assert_allclose(shift, -14 * 360 * 35 / 501 % 360)
    hours = (tomorrow.time.values - tracks.time.values) / np.timedelta64(1, "h")
    np.testing.assert_allclose(hours, 14 * 1.6766, atol=0.01)
    np.testing.assert_array_equal(tomorrow.latitude, tracks.latitude)


@pytest.mark.parametrize(("days", "orbit"), [([], "SARAL"), ([0.5], "SARAL"), ([1], "nowhere")])
def test_repeated_tracks_refuse_nonsense(tmp_path, days, orbit):
    tracks = read_tracks(write(track_points(adt=[0.1] * 4), tmp_path / "a.nc"))
    with pytest.raises(InputError):
        repeat_tracks(tracks, days, orbit)


# --- real files


@real_data
def test_real_altika_tracks():
    tracks = read_tracks(ALTIKA)
    assert tracks.attrs["variable"] == "adt_unfiltered"
    box = (abs(tracks.longitude + 55) < 15) & (abs(tracks.latitude - 35) < 10)
    assert int(box.sum()) == 802
    assert set(np.unique(tracks.cycle)) == {107}


@real_data
def test_real_altika_precesses_as_the_orbit_says():
    """Successive ascending passes cross the equator one revolution's displacement apart."""
    tracks = read_tracks(ALTIKA)
    latitude, longitude = tracks.latitude.values, tracks.longitude.values
    crossing = np.flatnonzero((latitude[:-1] < 0) & (latitude[1:] >= 0) & (np.diff(latitude) < 0.1))
    one = -360 * 35 / 501
    shift = np.diff(longitude[crossing])
    revolutions = np.diff(tracks.track.values[crossing]) / 2  # a revolution is two passes
    np.testing.assert_allclose((shift - one * revolutions + 180) % 360 - 180, 0, atol=0.05)


@real_data
def test_real_duacs_map():
    box = read_sea_level_map(DUACS, "2019-02-23").sel(latitude=slice(33, 43), longitude=slice(-65, -55))
    assert float(box.zos.std()) == pytest.approx(0.42, abs=0.005)
    assert float(box.zos.min()) == pytest.approx(-0.54, abs=0.005)
    assert float(box.zos.max()) == pytest.approx(1.16, abs=0.005)
    speed = np.hypot(box.ugos, box.vgos)
    assert float(speed.max()) == pytest.approx(1.74, abs=0.005)
    assert float(np.sqrt((speed**2).mean())) == pytest.approx(0.52, abs=0.01)


@real_data
def test_real_files_of_other_kinds_are_refused():
    for path in sorted(REAL.iterdir()):
        for reader, own in ((read_tracks, ALTIKA), (read_sea_level_map, DUACS)):
            if path != own:
                with pytest.raises(InputError):
                    reader(path)
    with pytest.raises(InputError, match="num_lines"):
        read_tracks(SWATH, "ssha_filtered")
