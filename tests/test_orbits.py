"""Ground tracks and swaths: properties of repeating orbits, and the tracks of real satellites where their files are."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from genda_lite.observe.orbits import EQUATORIAL_RADIUS, MISSIONS, SECOND, Orbit, ground_track, swath
from genda_lite.sources import read_tracks
from genda_lite.state import EARTH_RADIUS

REAL = next((p / "shared" / "real" for p in Path(__file__).parents if (p / "shared" / "real").is_dir()), Path("real"))
ALTIKA = REAL / "dt_global_alg_sla_vxxc_20170402_SARAL-Altika.nc4"
SWOT_PASS = REAL / "SWOT_L3_LR_SSH_Expert_026_165_20241229T165806_20241229T174933_v2.0.1.nc"

START = np.datetime64("2000-06-01", "ns")
BOX = (33.0, 43.0), (-65.0, -55.0)
GLOBE = (-90.0, 90.0), (-180.0, 180.0)
KM_PER_DEGREE = np.pi * EARTH_RADIUS / 180e3
every_mission = pytest.mark.parametrize("orbit", MISSIONS.values(), ids=list(MISSIONS))


def days(number: float) -> np.timedelta64:
    return np.timedelta64(round(number * 86400e9), "ns")


def apart(lat_0, lon_0, lat_1, lon_1) -> np.ndarray:
    """Distance in km of neighbouring places."""
    east = ((lon_1 - lon_0 + 180) % 360 - 180) * np.cos(np.radians(lat_0))
    return KM_PER_DEGREE * np.hypot(lat_1 - lat_0, east)


def crossings(points: xr.Dataset, latitude: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where passes cross a latitude: longitude, degrees of longitude a degree of latitude, number of the pass."""
    lon, slope, number = [], [], []
    for track in np.unique(points["track"]):
        one = points.isel(point=points["track"].values == track).sortby("latitude")
        if float(one["latitude"][0]) < latitude - 1 and latitude + 1 < float(one["latitude"][-1]):
            west, here, east = np.interp([latitude - 1, latitude, latitude + 1], one["latitude"], one["longitude"])
            lon.append(here)
            slope.append((east - west) / 2)
            number.append(track)
    return np.array(lon), np.array(slope), np.array(number)


# --- Orbits ----------------------------------------------------------------------------------------------------------


@every_mission
def test_the_track_repeats_after_a_cycle(orbit):
    first = ground_track(orbit, START, START + days(6), *BOX)
    again = ground_track(orbit, START + days(orbit.cycle), START + days(6 + orbit.cycle), *BOX)
    assert first.sizes == again.sizes and first.sizes["point"] > 100
    assert apart(*(p[name].values for p in (first, again) for name in ("latitude", "longitude"))).max() < 0.1
    assert np.ptp((again["time"].values - first["time"].values) - days(orbit.cycle)) < np.timedelta64(1, "ms")


@pytest.mark.parametrize(
    ("name", "turning"), [("Sentinel-6", 66.15), ("SWOT", 77.67), ("Sentinel-3A", 81.4), ("CryoSat-2", 88.0)]
)
def test_latitude_reaches_the_turning_latitude_and_no_further(name, turning):
    """66.15 and 77.66 are what the products of Jason and SWOT state; the geocentric ones are 66.04 and 77.6."""
    points = ground_track(MISSIONS[name], START, START + days(1), *GLOBE, sampling=10.0)
    assert points["latitude"].max() == pytest.approx(turning, abs=0.05)
    assert points["latitude"].min() == pytest.approx(-turning, abs=0.05)


@every_mission
def test_equator_crossings_divide_the_equator_evenly(orbit):
    """All northward crossings of a cycle, in order of longitude, are 360 / R degrees apart."""
    lat, lon = orbit.position(np.arange(orbit.revolutions) + 0.0)
    assert abs(lat).max() < 1e-6
    np.testing.assert_allclose(np.diff(np.sort(lon % 360)), 360 / orbit.revolutions, rtol=1e-6)


@every_mission
def test_inclination_of_passes_at_38_north(orbit):
    """East over north on the ground is (cos i - (D / R) cos^2 lat) / sqrt(cos^2 lat - cos^2 i), lat geocentric (Parke
    et al. 1987, doi:10.1029/JC092iC11p11693)."""
    points = ground_track(orbit, START, START + days(8), (36.5, 39.5), (-75.0, -45.0))
    _, slope, track = crossings(points, 38.0)
    cos_lat, cos_i = np.cos(np.radians(37.84)), np.cos(np.radians(orbit.inclination))
    expected = (cos_i - orbit.turns / orbit.revolutions * cos_lat**2) / np.sqrt(cos_lat**2 - cos_i**2) / cos_lat
    assert len(slope) >= 4 and (slope > 0).any() and (slope < 0).any()
    np.testing.assert_allclose(slope, np.where(track % 2, -expected, expected), rtol=0.01)


@every_mission
def test_speed_along_the_ground(orbit):
    points = ground_track(orbit, START, START + days(0.2), *GLOBE)
    lat, lon = points["latitude"].values, points["longitude"].values
    step = np.diff(points["time"].values) / SECOND
    assert 0 < step.min() and step.max() < 1.001  # none is left out; a pass does not end on a whole second
    speed = (apart(lat[:-1], lon[:-1], lat[1:], lon[1:]) / step)[abs(lat[1:]) < 75]
    assert 5.6 < speed.min() and speed.max() < 7.1  # km/s


ALTITUDE = {"Sentinel-6": 1336, "SWOT": 890.6, "Sentinel-3A": 802, "SARAL": 786, "CryoSat-2": 717, "HY-2B": 971}


@every_mission
def test_altitude_and_precession_obey_celestial_mechanics(orbit):
    """An independent check of the table: the Earth's flattening J2 turns the plane as far as the cycle supposes."""
    mean_motion = 360 * 86400 / orbit.period  # degrees a day
    flattening = 1.5 * 1.08263e-3 * (EQUATORIAL_RADIUS / orbit.radius) ** 2
    precession = -flattening * mean_motion * np.cos(np.radians(orbit.inclination))
    earth = 360.98565 - 360 * orbit.turns / orbit.cycle  # what is left of the Earth's rotation
    assert precession == pytest.approx(earth, abs=0.015)
    for name, altitude in ALTITUDE.items():
        if orbit is MISSIONS[name]:
            assert (orbit.radius - EQUATORIAL_RADIUS) / 1e3 == pytest.approx(altitude, abs=8)


@pytest.mark.parametrize(("name", "hour"), [("Sentinel-3A", 22), ("Sentinel-3B", 22), ("SARAL", 18), ("HY-2B", 18)])
def test_sun_synchronous_satellites_keep_their_local_time(name, hour):
    points = ground_track(MISSIONS[name], START, START + days(3), (-0.5, 0.5), (-180.0, 180.0))
    north = points.isel(point=points["track"].values % 2 == 0)
    at_equator = abs(north["latitude"].values) < 0.04
    clock = (north["time"].values - START) / days(1 / 24) + north["longitude"].values / 15
    assert at_equator.sum() > 40
    np.testing.assert_allclose((clock[at_equator] - hour + 12) % 24 - 12, 0, atol=0.05)


def test_local_time_of_swot_drifts_through_the_day_in_154_days():
    orbit = MISSIONS["SWOT"]
    drift = orbit.cycle / orbit.turns - 1  # days of clock time that a turn of the Earth relative to the plane lacks
    assert 24 * 60 * drift == pytest.approx(-9.35, abs=0.1)  # minutes a day, AVISO's table


@pytest.mark.parametrize(("one", "other"), [("Sentinel-3A", "Sentinel-3B"), ("Sentinel-6", "Jason-3")])
def test_pairs_fly_midway_between_each_others_tracks(one, other):
    one, other = MISSIONS[one], MISSIONS[other]
    spacing = 360 / one.revolutions
    offset = (other.node_longitude - one.node_longitude) / spacing % 1
    assert offset == pytest.approx(0.5, abs=0.02)


@every_mission
def test_points_do_not_depend_on_range_and_box(orbit):
    wide = ground_track(orbit, START, START + days(16), (30.0, 46.0), (-70.0, -50.0))
    narrow = ground_track(orbit, START + days(7), START + days(14), *BOX)
    index = [name for name in ("track", "sample")]
    both = wide.to_dataframe().set_index(index).index.intersection(narrow.to_dataframe().set_index(index).index)
    assert len(both) == narrow.sizes["point"] > 300
    same = wide.to_dataframe().set_index(index).loc[both]
    np.testing.assert_allclose(same["longitude"], narrow["longitude"], atol=1e-9)
    assert (np.diff(narrow["time"].values) > np.timedelta64(0)).all()
    assert narrow["time"].min() >= START + days(7) and narrow["time"].max() < START + days(14)


def test_adjoining_time_ranges_share_no_point_and_miss_none():
    orbit, middle = MISSIONS["HY-2B"], START + days(0.123)
    whole = ground_track(orbit, START, START + days(0.3), *GLOBE)
    parts = [ground_track(orbit, *span, *GLOBE) for span in ((START, middle), (middle, START + days(0.3)))]
    xr.testing.assert_identical(xr.concat(parts, "point"), whole)


def test_longitudes_follow_the_box():
    a = ground_track(MISSIONS["SARAL"], START, START + days(10), *BOX)
    b = ground_track(MISSIONS["SARAL"], START, START + days(10), BOX[0], (295.0, 305.0))
    np.testing.assert_allclose(a["longitude"], b["longitude"] - 360)
    across_the_date_line = ground_track(MISSIONS["SARAL"], START, START + days(10), BOX[0], (175.0, 185.0))
    assert across_the_date_line["longitude"].min() < 176 and across_the_date_line["longitude"].max() > 184


# --- The swath -------------------------------------------------------------------------------------------------------


def test_swath_cells_lie_on_a_square_lattice_beside_nadir():
    orbit = MISSIONS["SWOT"]
    cells = swath(orbit, START, START + days(10), *BOX, cell=2.0)
    assert np.unique(cells["across"]).tolist() == [*range(-59, -10, 2), *range(11, 60, 2)]
    assert cells.attrs["columns"] == 50
    frame = cells.to_dataframe().set_index(["track", "sample", "column"])[["latitude", "longitude"]]
    line = frame.xs(int(cells["track"][len(frame) // 2]), level="track")
    for level, step in (("column", 2.0), ("sample", 2.0)):
        other = "sample" if level == "column" else "column"
        table = line.unstack(other)
        for column in table.columns.get_level_values(other).unique()[::7]:
            place = table.xs(column, axis=1, level=other).dropna()
            index = place.index.values
            beside = (np.diff(index) == 1) & ~((index[:-1] == 24) & (level == "column"))  # not across the gap
            lat, lon = place["latitude"].values, place["longitude"].values
            length = apart(lat[:-1], lon[:-1], lat[1:], lon[1:])[beside]
            np.testing.assert_allclose(length, step, rtol=0.05)
    nadir = ground_track(orbit, START, START + days(10), (32.0, 44.0), (-66.0, -54.0), sampling=0.25)
    track = int(cells["track"][0])
    path = nadir.isel(point=nadir["track"].values == track)
    for across in (-59.0, 11.0):
        edge = cells.isel(point=(cells["track"].values == track) & (cells["across"].values == across))
        for k in range(0, edge.sizes["point"], 100):
            one = edge.isel(point=k)
            far = apart(float(one["latitude"]), float(one["longitude"]), path["latitude"], path["longitude"])
            assert far.min() == pytest.approx(abs(across), abs=0.4)


def test_right_of_the_flight_is_east_when_northward():
    cells = swath(MISSIONS["SWOT"], START, START + days(10), *BOX, cell=10.0)
    for track in np.unique(cells["track"])[:4]:
        one = cells.isel(point=cells["track"].values == track)
        line = one.isel(point=one["sample"].values == int(one["sample"][one.sizes["point"] // 2]))
        eastward = np.sign(np.diff(line["longitude"])) * np.sign(np.diff(line["across"]))
        assert (eastward == (1 if track % 2 == 0 else -1)).all()


def test_a_box_as_large_as_the_earth():
    orbit = MISSIONS["SWOT"]
    cells = swath(orbit, START, START + days(0.5), *GLOBE, cell=25.0)
    lines = ground_track(orbit, START, START + days(0.5), *GLOBE, 25e3 * orbit.period / (2 * np.pi * EARTH_RADIUS))
    assert cells.sizes["point"] == 4 * lines.sizes["point"]
    assert cells["longitude"].min() < -179.9 and cells["longitude"].max() > 179.9


# --- Real satellites -------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not ALTIKA.exists(), reason=f"the real products are not at {REAL}")
def test_real_altika_passes_have_our_distance_and_slope():
    real = read_tracks(ALTIKA)
    box = (real["latitude"] > 25) & (real["latitude"] < 45) & (abs(real["longitude"] + 55) < 25)
    lon, slope, _ = crossings(real.isel(point=box.values), 35.0)
    ours = ground_track(MISSIONS["SARAL"], START, START + days(10), (25.0, 45.0), (-80.0, -30.0))
    _, our_slope, _ = crossings(ours, 35.0)
    for sign in (-1, 1):
        real_one, our_one = slope[np.sign(slope) == sign], our_slope[np.sign(our_slope) == sign]
        assert len(real_one) and np.allclose(real_one, our_one.mean(), rtol=0.01)
        gaps = np.diff(np.sort(lon[np.sign(slope) == sign]))
        np.testing.assert_allclose(gaps, MISSIONS["SARAL"].westward, atol=0.1)
    # The period, over the day; within a pass the file's times are too evenly spaced to be those of the measurements.
    lat, time = real["latitude"].values, (real["time"].values - real["time"].values[0]) / SECOND
    k = np.flatnonzero((lat[:-1] < 0) & (lat[1:] >= 0) & (np.diff(lat) < 0.1))[[0, -1]]
    revolutions = np.diff(real["track"].values[k])[0] / 2
    assert np.diff(time[k])[0] / revolutions == pytest.approx(MISSIONS["SARAL"].period, rel=1e-3)


@pytest.mark.skipif(not SWOT_PASS.exists(), reason=f"the real products are not at {REAL}")
def test_real_swot_pass_is_ours_from_one_turning_latitude_to_the_other():
    """Given where and when a real pass crosses the equator, nadir is found to 10 km along the track (the orbit's
    eccentricity) and the swath to 2 km across it."""
    with xr.open_dataset(SWOT_PASS, engine="h5netcdf") as file:
        lat, lon = (file[name].values for name in ("latitude", "longitude"))
        time, across = file["time"].values, file["cross_track_distance"].values
    middle = int(np.flatnonzero(across == 0)[0])
    k = int(np.flatnonzero(np.diff(np.sign(lat[:, middle])))[0])
    share = -lat[k, middle] / (lat[k + 1, middle] - lat[k, middle])
    node = time[k] + share * (time[k + 1] - time[k])
    longitude = lon[k, middle] + share * (lon[k + 1, middle] - lon[k, middle])
    orbit = replace(MISSIONS["SWOT"], node_longitude=longitude, node_time=str(node))
    ours = orbit.position((time - node) / SECOND / orbit.period)
    assert apart(lat[:, middle], lon[:, middle], *ours).max() < 10
    here = (lat[:, middle] > 33) & (lat[:, middle] < 43)
    cells = swath(orbit, time[0], time[-1], (33.0, 43.0), (lon[here].min() - 2, lon[here].max() + 2))
    for side in (-59, -11, 11, 59):
        edge = cells.isel(point=cells["across"].values == side)
        beside = [int(np.flatnonzero(across == side + half)[0]) for half in (-1, 1)]
        real_lon = np.interp(edge["latitude"], lat[:, beside].mean(1), lon[:, beside].mean(1))
        assert apart(edge["latitude"], edge["longitude"], edge["latitude"], real_lon).max() < 2


# --- Refused ---------------------------------------------------------------------------------------------------------


def test_bad_requests(refuses):
    orbit: Orbit = MISSIONS["SWOT"]
    with refuses("time range", "start before end"):
        ground_track(orbit, START, START, *BOX)
    with refuses("time range", "NaT"):
        ground_track(orbit, START, np.datetime64("NaT"), *BOX)
    with refuses("box", "south < north"):
        ground_track(orbit, START, START + days(1), (43.0, 33.0), BOX[1])
    with refuses("box", "west < east"):
        ground_track(orbit, START, START + days(1), BOX[0], (-55.0, -65.0))
    for sampling in (0.0, -1.0, np.nan, 1e4):
        with refuses("sampling", "positive"):
            ground_track(orbit, START, START + days(1), *BOX, sampling=sampling)
    for cell in (0.0, 60.0, np.nan):
        with refuses("swath cells", "km wide"):
            swath(orbit, START, START + days(1), *BOX, cell=cell)
