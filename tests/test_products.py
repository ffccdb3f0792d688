"""Readers of products to each one's documented format, and the way from files to observations."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from genda_lite.errors import InputError
from genda_lite.observe.files import kind_of, read_observations
from genda_lite.sources import Report, read_salinity, read_sea_level_map, read_swath, read_temperature, read_tracks
from genda_lite.sources.files import in_box
from genda_lite.state import Grid

REAL = Path(__file__).parents[2] / "shared" / "real"
real_data = pytest.mark.skipif(not REAL.is_dir(), reason=f"the real products are not at {REAL}")
ALTIKA = REAL / "dt_global_alg_sla_vxxc_20170402_SARAL-Altika.nc4"
DUACS = REAL / "nrt_global_allsat_phy_l4_20190223_20190226.nc"
OSTIA = REAL / "20170605120000-UKMO-L4_GHRSST-SSTfnd-OSTIAanom-GLOB-v02.0-fv02.0.nc"
SWOT_FLAGGED = REAL / "SWOT_L3_LR_SSH_Expert_026_165_20241229T165806_20241229T174933_v2.0.1.nc"
SWOT_MED = REAL / "SWOT_L3_LR_SSH_Expert_003_v2.0.1-med.nc"
DRIFTER = REAL / "MO_TS_DC_0-2820800.nc"
ERA5 = REAL / "ERA5_NA_2012.nc"
GLORYS = REAL / "GLORYS_NA_2012.nc"
MERCATOR = REAL / "cmems_mod_glo_phy-cur_anfc_0.083deg_P1D-m_2024-01_100W-020E_10N-65N.nc"
BOX = (-65.0, -55.0, 33.0, 43.0)
DAY = np.datetime64("2017-04-02", "ns")
SECOND = np.timedelta64(1, "s")


def write(ds: xr.Dataset, path: Path, **options) -> Path:
    ds.to_netcdf(path, engine="h5netcdf", **options)
    return path


def tracks(platform="SARAL/AltiKa", start=0, n=6, names=("sla_unfiltered", "mdt")) -> xr.Dataset:
    """DUACS L3 as of 2021 and later: n points a second apart across 60 W, longitudes 0-360, in packed integers."""
    along = np.arange(start, start + n)
    ds = xr.Dataset(coords={"time": ("time", DAY + along * SECOND)})
    ds["latitude"] = ("time", 36 + 0.06 * along, {"units": "degrees_north"})
    ds["longitude"] = ("time", 300 + 0.02 * along, {"units": "degrees_east"})
    for name in names:
        ds[name] = ("time", np.full(n, 0.25 if name.lower() == "mdt" else 0.5), {"units": "m"})
    return ds.assign_attrs(platform=platform, product_version="DT2021")


def grid_map(variables: dict, times=("2017-04-02",), longitude=None) -> xr.Dataset:
    """A regular quarter-degree map; variable -> value or (time, latitude, longitude) array and attributes."""
    latitude = np.arange(35.125, 37, 0.25)
    longitude = np.arange(-61.875, -58, 0.25) if longitude is None else longitude
    ds = xr.Dataset(
        coords={
            "time": np.array(times, "datetime64[ns]"),
            "latitude": ("latitude", latitude, {"units": "degrees_north"}),
            "longitude": ("longitude", longitude, {"units": "degrees_east"}),
        }
    )
    shape = (len(times), len(latitude), len(longitude))
    for name, (values, attrs) in variables.items():
        ds[name] = (("time", "latitude", "longitude"), np.broadcast_to(values, shape).copy(), attrs)
    return ds


def swath(lines=40, flags=True, expert=True) -> xr.Dataset:
    """SWOT L3 as of version 2: KaRIn at 10-60 km on both sides, the nadir altimeter in the middle column."""
    rng = np.random.default_rng(0)
    across = np.arange(-68.0, 69.0, 2.0)
    line = np.arange(lines)
    dims = ("num_lines", "num_pixels")
    karin = (abs(across) >= 10) & (abs(across) <= 60)
    ssha = np.where(karin, 0.1 + 0.01 * rng.standard_normal((lines, 69)), np.nan)
    nadir = np.arange(0, lines, 4)
    ssha[nadir, 34] = 0.3
    ds = xr.Dataset(
        {
            "time": ("num_lines", DAY + line * np.timedelta64(300, "ms")),
            "ssha_filtered": (dims, ssha, {"units": "m"}),
            "mdt": (dims, np.full((lines, 69), 0.4), {"units": "m"}),
            "i_num_line": ("num_nadir", nadir.astype(np.int16)),
            "i_num_pixel": ("num_nadir", np.full(len(nadir), 34, np.int8)),
            "latitude": (dims, 36 + 0.018 * line[:, None] + 0 * across, {"units": "degrees_north"}),
            "longitude": (dims, 300 + 0.022 / 2 * across + 0 * line[:, None], {"units": "degrees_east"}),
        }
    )
    if expert:
        ds["cross_track_distance"] = ("num_pixels", across, {"units": "km"})
        ds["ssha_unfiltered"] = ds.ssha_filtered + 0.001
        ds["ssha_unfiltered"].attrs = {"units": "m"}
    if flags:
        flag = np.where(karin, 0, 102) + 0 * line[:, None]
        flag[:10] = 5
        ds["quality_flag"] = (dims, flag.astype(np.uint8))
    return ds


# --- tracks of several missions


def test_missions_are_read_together_in_order_of_time(tmp_path):
    later = write(tracks("Sentinel-3A", start=3).assign_coords(time=DAY + 10 * SECOND + np.arange(6) * SECOND / 2),
                  tmp_path / "s3a.nc")
    first = write(tracks(), tmp_path / "alg.nc")
    again = write(tracks(start=2), tmp_path / "alg2.nc")  # four of its six points are in alg.nc, too
    both = read_tracks([later, first, again])
    assert both.sizes["point"] == 6 + 8 and (np.diff(both.time) >= np.timedelta64(0)).all()
    assert Report.of(both).dropped == {"held twice": 4} and both.attrs["dropped_points"] == 4
    assert "left out: 4 held twice" in str(Report.of(both))
    assert dict(zip(*np.unique(both.mission, return_counts=True), strict=True)) == {"SARAL/AltiKa": 8, "Sentinel-3A": 6}
    np.testing.assert_allclose(both.zos, 0.75)
    assert read_tracks([tmp_path]).equals(both.isel(point=slice(None)))  # a folder stands for its files


def test_simultaneous_values_of_two_missions_are_both_kept(tmp_path):
    files = [write(tracks(name), tmp_path / f"{name}.nc") for name in ("a", "b")]
    assert read_tracks(files).sizes["point"] == 12


def test_unsorted_and_repeated_times_of_one_file(tmp_path):
    mixed = tracks().isel(time=[3, 0, 0, 5, 1])
    read = read_tracks(write(mixed, tmp_path / "a.nc"))
    assert (np.diff(read.time) > np.timedelta64(0)).all()
    assert Report.of(read).dropped == {"held twice": 1}


def test_filtered_or_not_and_names_of_old(tmp_path):
    ds = tracks(names=("sla_unfiltered", "sla_filtered", "mdt"))
    ds["sla_filtered"][:] = 0.4
    path = write(ds, tmp_path / "new.nc")
    assert float(read_tracks(path).zos[0]) == 0.75 and float(read_tracks(path, filtered=True).zos[0]) == 0.65
    assert read_tracks(path, filtered=True).attrs["variable"] == "sla_filtered + mdt"
    old = write(tracks(names=("SLA", "MDT")), tmp_path / "old.nc")
    assert read_tracks(old).attrs["variable"] == "SLA + MDT"
    with pytest.raises(InputError, match="name 'SLA'"):
        read_tracks(write(tracks(names=("SLA",)), tmp_path / "anomaly.nc"))


def test_every_reason_is_counted_once(tmp_path):
    ds = tracks(n=8)
    ds["sla_unfiltered"].values[:2] = np.nan, 40.0
    ds["latitude"].values[2] = np.nan
    ds["time"] = ("time", np.where(np.arange(8) == 3, np.datetime64("NaT"), ds.time.values))
    report = Report.of(read_tracks(write(ds, tmp_path / "a.nc")))
    assert report.dropped == dict.fromkeys(
        ("without a value", "with an implausible value", "without a position", "without a time"), 1
    )
    assert report.read == 8 and report.kept == 4


def test_boxes_and_the_date_line(tmp_path):
    ds = tracks().assign(longitude=("time", [178, 179, 179.9, 180.1, 181, 190.0], {"units": "degrees_east"}))
    path = write(ds, tmp_path / "a.nc")
    across = read_tracks(path, box=(178.5, -178.5, 30, 40))
    np.testing.assert_allclose(across.longitude, [179, 179.9, -179.9, -179])
    assert Report.of(across).read == 4
    with pytest.raises(InputError, match=r"none of the 0 points .* in the box"):
        read_tracks(path, box=(0, 10, 30, 40))
    with pytest.raises(InputError, match="south below north"):
        read_tracks(path, box=(0, 10, 40, 30))
    assert in_box((0, 360, -90, 90), np.array([0.0]), np.array([-77.0])).all()
    assert list(in_box((-180, 180, 0, 1), np.zeros(2), np.array([-180.0, 179.0]))) == [True, True]


def test_times_with_zones_and_of_other_calendars(tmp_path):
    ds = tracks(n=2).drop_vars("time")
    seconds = ("time", np.array([0.0, 60.0]))
    zone = {"units": "seconds since 2017-04-02T02:00:00+02:00", "calendar": "standard"}
    path = write(ds.assign_coords(time=(*seconds, zone)), tmp_path / "zone.nc")
    assert read_tracks(path).time.values[0] == DAY
    for calendar in ("noleap", "360_day"):
        other = {"units": "days since 2017-01-01", "calendar": calendar}
        with pytest.raises(InputError, match="standard calendar"):
            read_tracks(write(ds.assign_coords(time=(*seconds, other)), tmp_path / f"{calendar}.nc"))


# --- maps


def test_analysed_temperature(tmp_path):
    ds = grid_map(
        {
            "analysed_sst": (291.15, {"units": "kelvin"}),
            "analysis_error": (0.4, {"units": "kelvin"}),
            "mask": (1, {"flag_meanings": "water land optional_lake_surface sea_ice optional_river_surface"}),
        },
        times=("2017-04-02T12", "2017-04-03T12"),
    ).rename(latitude="lat", longitude="lon")
    ds["mask"].values[:, 0, :3] = [2, 5, 9]  # land, lake, sea ice
    ds["analysed_sst"][:, 1, 0] = np.nan
    path = write(ds, tmp_path / "ostia.nc", encoding={"mask": {"dtype": "i1"}})
    day = read_temperature(path, "2017-04-03")
    assert day.thetao.units == "degC" and float(day.thetao.max()) == pytest.approx(18.0)
    assert day.time.values == np.datetime64("2017-04-03T12") and day.attrs["processing_level"] == "L4"
    assert Report.of(day).dropped == {"without a value (land or cloud)": 1, "on land, lakes or ice": 3}
    np.testing.assert_allclose(day.error.values[~np.isnan(day.error)], 0.4)
    assert int(day.error.isnull().sum()) == int(day.thetao.isnull().sum()) == 4
    box = read_temperature(path, box=(-61, -60, 35, 36))
    assert box.sizes == {"latitude": 4, "longitude": 4}
    with pytest.raises(InputError, match="no point in the box"):
        read_temperature(path, box=(0, 10, 35, 36))
    with pytest.raises(InputError, match="no map within a day of 2018"):
        read_temperature(path, "2018-01-01")


def test_observed_temperature_has_a_quality(tmp_path):
    ds = grid_map(
        {
            "sea_surface_temperature": (290.15, {"units": "kelvin"}),
            "sses_bias": (0.5, {"units": "kelvin"}),
            "sses_standard_deviation": (0.3, {"units": "kelvin"}),
            "quality_level": (5.0, {}),
        }
    )
    ds["quality_level"].values[0, 0, :4] = [3, 4, np.nan, 0]
    path = write(ds, tmp_path / "l3.nc")
    day = read_temperature(path)
    assert float(day.thetao.max()) == pytest.approx(16.5)  # without its bias
    unknown = {"without 'quality_level'": 1}
    assert day.attrs["processing_level"] == "L3" and Report.of(day).dropped == unknown | {"of quality below 4": 2}
    assert Report.of(read_temperature(path, quality=5)).dropped == unknown | {"of quality below 5": 3}
    bad = write(ds.assign(quality_level=ds.quality_level * 0 + 1), tmp_path / "bad.nc")
    with pytest.raises(InputError, match=r"among \d+ \(1 without 'quality_level', \d+ of quality below 4\)"):
        read_temperature(bad)
    with pytest.raises(InputError, match=r"outside -2\.5 to 45 degC"):
        read_temperature(write(grid_map({"analysed_sst": (291.0, {"units": "celsius"})}), tmp_path / "unit.nc"))


def test_salinity(tmp_path):
    ds = grid_map({"sos": (35.0, {"units": ".001"}), "sos_error": (0.2, {"units": "1e-3"})})
    ds["sos"][0, 0, 0] = np.nan
    surface = ds.expand_dims(depth=[0.0]).assign_coords(depth=("depth", [0.0], {"units": "m"}))
    day = read_salinity(write(surface, tmp_path / "sss.nc"))
    assert day.so.units == "1e-3" and float(day.so.max()) == 35.0 and float(day.error.max()) == 0.2
    assert Report.of(day).dropped == {"without a value (land)": 1}
    with pytest.raises(InputError, match="no sea surface salinity"):
        read_salinity(write(grid_map({"chl": (1.0, {})}), tmp_path / "chl.nc"))


def test_maps_across_the_date_line(tmp_path):
    ds = grid_map({"adt": (0.5, {"units": "m"}), "err_sla": (0.02, {"units": "m"})}, longitude=np.arange(170.5, 190))
    whole = read_sea_level_map(write(ds, tmp_path / "a.nc"))
    assert whole.sizes["longitude"] == 20 and (np.diff(whole.longitude) > 0).all()
    assert float(whole.error.max()) == pytest.approx(0.02)
    cut = read_sea_level_map(tmp_path / "a.nc", box=(178, -178, 35, 36))
    np.testing.assert_allclose(cut.longitude, [-179.5, -178.5, 178.5, 179.5])


# --- swaths


def test_flags_and_the_nadir_altimeter(tmp_path):
    path = write(swath(), tmp_path / "SWOT_L3_LR_SSH_Expert_003_007_20230802T021413_20230802T030539_v2.0.1.nc")
    karin = read_swath(path)
    assert karin.sizes["point"] == 30 * 52 and not karin.nadir.any()
    assert karin.attrs["variable"] == "ssha_unfiltered + mdt"
    assert float(karin.zos.mean()) == pytest.approx(0.5, abs=0.01)
    assert Report.of(karin).dropped["flagged bad"] == 40 * 69 - 10 - 30 * 52
    assert abs(karin.across).min() >= 10 and set(karin.track.values) == {7} and set(karin.cycle.values) == {3}
    assert float(karin.longitude.max()) < -59 and karin.time.dtype == "datetime64[ns]"
    nadir = read_swath(path, "nadir")
    assert nadir.sizes["point"] == 10 and nadir.nadir.all()
    np.testing.assert_allclose(nadir.zos, 0.701)
    assert read_swath(path, "all").sizes["point"] == 30 * 52 + 10
    assert read_swath(path, variable="ssha_filtered").zos.mean() < 0.2


def test_basic_files_have_neither_flags_nor_distances(tmp_path):
    read = read_swath(write(swath(flags=False, expert=False), tmp_path / "basic.nc"))
    assert read.sizes["point"] == 40 * 52 and read.attrs["variable"] == "ssha_filtered + mdt"
    assert read.across.isnull().all() and "track" not in read.coords


def test_swaths_of_level_2(tmp_path):
    ds = swath(flags=False).rename(ssha_filtered="ssha_karin_2", mdt="mean_dynamic_topography")
    ds = ds.drop_vars(["ssha_unfiltered", "i_num_line", "i_num_pixel"])
    ds["cross_track_distance"] = (ds.latitude.dims, ds.cross_track_distance.values * 1e3 + 0 * ds.latitude.values,
                                  {"units": "m"})
    ds["height_cor_xover"] = (ds.latitude.dims, np.full(ds.latitude.shape, 0.05), {"units": "m"})
    ds["ssha_karin_2_qual"] = (ds.latitude.dims, np.zeros(ds.latitude.shape, np.uint32))
    ds["ssha_karin_2_qual"][:5] = 64
    read = read_swath(write(ds, tmp_path / "l2.nc"))
    assert float(read.zos.median()) == pytest.approx(0.55, abs=0.01) and abs(read.across).max() == 60
    assert Report.of(read).dropped["flagged bad"] == 5 * 69


def test_swaths_are_averaged_to_cells(tmp_path):
    path = write(swath(), tmp_path / "a.nc")
    fine, coarse = read_swath(path), read_swath(path, cell=8.0)
    assert fine.sizes["point"] / 18 < coarse.sizes["point"] < fine.sizes["point"] / 14
    assert float(coarse.zos.std()) == pytest.approx(0.01 / 4, rel=0.3)
    assert float(coarse.latitude.mean()) == pytest.approx(float(fine.latitude.mean()), abs=0.02)
    assert abs(coarse.time.mean() - fine.time.mean()) < np.timedelta64(300, "ms")
    ds = swath().assign(longitude=lambda ds: ds.longitude - 120)  # 180 degrees in its middle
    assert (abs(read_swath(write(ds, tmp_path / "b.nc"), cell=8.0).longitude) > 179).all()


def test_swaths_with_nothing_in_them(tmp_path):
    ds = swath()
    ds["quality_flag"][:] = 102
    path = write(ds, tmp_path / "a.nc")
    with pytest.raises(InputError, match=r"no pixel of the swath is valid \(2,750 flagged bad\).*10 nadir points"):
        read_swath(path)
    with pytest.raises(InputError, match=r"10 nadir points hold 'ssha_unfiltered' without 'mdt'.*variable="):
        read_swath(write(ds.assign(mdt=ds.mdt * np.nan), tmp_path / "nomdt.nc"))
    with pytest.raises(InputError, match="name 'ssha_unfiltered' to read the anomaly"):
        read_swath(write(ds.drop_vars("mdt"), tmp_path / "b.nc"))
    with pytest.raises(InputError, match="expected two in common"):
        read_swath(write(tracks(), tmp_path / "c.nc"), variable="mdt")
    with pytest.raises(InputError, match="part 'left'"):
        read_swath(path, "left")
    with pytest.raises(InputError, match="cells of 1 km"):
        read_swath(path, cell=1)


# --- from files to observations


def test_files_of_all_kinds_become_observations(tmp_path):
    days = ("2017-04-02", "2017-04-03")
    hours = np.arange(0, 48, 6) * np.timedelta64(1, "h") + DAY
    sst = {"adjusted_sea_surface_temperature": (290.15, {"units": "kelvin"}), "quality_level": (5, {})}
    files = [
        write(tracks(), tmp_path / "a.nc"),
        write(tracks("Jason-3", start=20), tmp_path / "b.nc"),
        write(swath(), tmp_path / "swot.nc"),
        write(grid_map({"adt": (0.5, {"units": "m"})}, days), tmp_path / "l4.nc"),
        write(grid_map(sst, days), tmp_path / "l3s.nc"),
        write(grid_map({"analysed_sst": (291.15, {"units": "kelvin"})}, days), tmp_path / "ostia.nc"),
        write(grid_map({"sos": (35.0, {"units": "1e-3"})}, days), tmp_path / "sss.nc"),
        write(grid_map({"u10": (5.0, {"units": "m s-1"}), "v10": (1.0, {"units": "m s-1"})}, hours), tmp_path / "w.nc"),
    ]
    kinds = ["tracks", "tracks", "swath", "sea level", "temperature L3", "temperature L4", "salinity", "wind"]
    assert [kind_of(path) for path in files] == kinds
    observations, reports = read_observations(files, "2017-04-03", box=(-62, -58, 35, 37))
    assert set(observations.channel) == {"zos", "thetao", "so", "uas", "vas"}
    maps = observations.smoothing > 0
    assert set(observations.channel[~maps]) == {"zos", "thetao"}
    widths = dict(zip(observations.channel[maps], observations.smoothing[maps], strict=True))
    assert widths == {"zos": 40.0, "thetao": 20.0, "so": 50.0, "uas": 25.0, "vas": 25.0}
    assert (observations.error > 0).all() and observations.inside(Grid.around(-60, 36, (40, 80))).value.size > 100
    assert sum(report.what == "points" for report in reports) == 1  # two missions are one product
    altimetry = observations.select((observations.channel == "zos") & ~maps)
    assert altimetry.error.min() > 0.025  # a day has passed since
    with pytest.raises(InputError, match="no observation within 5 days of 2017-06-01"):
        read_observations(files[:3], "2017-06-01")
    late = read_observations(files[:2], "2017-04-09", window=10)[0]
    assert late.error.min() > 2 * altimetry.error.min()


def test_one_file_without_a_valid_value_does_not_spoil_the_others(tmp_path):
    flagged = swath()
    flagged["quality_flag"][:] = 102
    files = [write(flagged, tmp_path / "flagged.nc"), write(tracks(), tmp_path / "a.nc")]
    observations, reports = read_observations(files, "2017-04-02")
    assert len(observations) == 6 and reports[0].kept == 0 and "2,750 flagged bad" in str(reports[0])
    with pytest.raises(InputError, match=r"flagged\.nc: no pixel of the swath is valid.*nothing to assimilate"):
        read_observations(files[:1], "2017-04-02")


def test_a_map_of_the_date_is_found_among_files(tmp_path):
    files = [
        write(grid_map({"adt": (number, {"units": "m"})}, (f"2017-04-{number:02}",)), tmp_path / f"{number}.nc")
        for number in (1, 2, 3)
    ]
    assert set(read_observations(files, "2017-04-02")[0].value) == {2.0}
    with pytest.raises(InputError, match="no map of sea level within a day"):
        read_observations(files, "2017-05-02")


def test_what_is_no_observation_is_told(tmp_path):
    reanalysis = write(grid_map({"thetao": (18.0, {"units": "degC"})}), tmp_path / "glorys.nc")
    with pytest.raises(InputError, match="reanalysis is no observation"):
        kind_of(reanalysis)
    with pytest.raises(InputError, match="drifters"):
        kind_of(tmp_path / "drifters.csv")


# --- real files


@real_data
def test_every_real_file_is_recognised():
    expected = {
        ALTIKA: "tracks",
        DUACS: "sea level",
        OSTIA: "temperature L4",
        SWOT_FLAGGED: "swath",
        SWOT_MED: "swath",
        ERA5: "wind",
    }
    for path, kind in expected.items():
        assert kind_of(path) == kind
    for path, words in {GLORYS: "reanalysis", MERCATOR: "reanalysis", DRIFTER: "drifters"}.items():
        with pytest.raises(InputError, match=words):
            kind_of(path)
    files = {path for path in REAL.iterdir() if path.suffix != ".md"}
    assert files == {*expected, GLORYS, MERCATOR, DRIFTER}


@real_data
def test_real_swaths():
    with pytest.raises(InputError, match=r"679,614 flagged bad.*726 nadir points hold 'ssha_unfiltered' without 'mdt'"):
        read_swath(SWOT_FLAGGED)
    nadir = read_swath(SWOT_FLAGGED, "nadir", "ssha_unfiltered")
    assert nadir.sizes["point"] == 726 and float(abs(nadir.zos).max()) < 1.5
    with pytest.raises(InputError, match="name 'ssha_filtered'"):
        read_swath(SWOT_MED)
    med = read_swath(SWOT_MED, variable="ssha_filtered")
    assert med.sizes["point"] == 17851 and np.isnat(med.time).all() and float(med.zos.std()) < 0.2


@real_data
def test_real_temperature():
    box = read_temperature(OSTIA, "2017-06-05", box=BOX)
    assert box.sizes == {"latitude": 40, "longitude": 40}
    assert 9 < float(box.thetao.min()) and float(box.thetao.max()) < 28


@real_data
def test_real_observations_of_one_day():
    observations, reports = read_observations([ALTIKA], "2017-04-02", (-70, -40, 25, 45))
    assert len(observations) == 802 and str(reports[0]).endswith("802 of 802 points kept")
    observations, _ = read_observations([ERA5], "2012-01-01", (-48, -40, 33, 43))
    assert set(observations.channel) == {"uas", "vas"} and (observations.smoothing == 25).all()
    observations, _ = read_observations([DUACS], "2019-02-23", BOX)
    assert (observations.smoothing == 40).all() and 100 < len(observations) < 400
