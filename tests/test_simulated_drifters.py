"""Simulated drifters: they move as they should, are the same whatever their number, and come back from their file."""

import gzip

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from genda_lite.nature.drifters import BAD, DrifterProgramme, write_insitu_csv
from genda_lite.ocean.trajectories import at_points, row_of, running_mean, segments, select

QUIET = {"inertial_speed": 0.0, "windage": (0.0, 0.0), "position_error": 0.0, "faulty": 0.0, "silence": 1e9}


def ocean(days: int = 16, u: float = 0.0, v: float = 0.0, wind: float = 0.0) -> xr.Dataset:
    """A uniform current (m s-1) and an eastward wind."""
    coords = {
        "time": np.datetime64("2020-06-01T12", "ns") + np.arange(days) * np.timedelta64(1, "D"),
        "latitude": np.arange(33, 43.1, 1.0),
        "longitude": np.arange(-65, -54.9, 1.0),
    }
    shape = tuple(len(values) for values in coords.values())
    fields = {name: (tuple(coords), np.full(shape, value)) for name, value in zip("uvw", (u, v, wind), strict=True)}
    ds = xr.Dataset(fields, coords).rename(u="uo", v="vo", w="uas")
    return ds.assign(vas=0 * ds["uas"])


def good(drifters: xr.Dataset) -> xr.Dataset:
    return select(drifters, ((drifters["u_qc"] != BAD) & (drifters["v_qc"] != BAD)).values)


@pytest.fixture(scope="module")
def drifters() -> xr.Dataset:
    return DrifterProgramme(number=8, seed=3, faulty=0.5, silence=5.0).follow(ocean(u=0.1, v=-0.05, wind=8.0))


def test_without_motion_of_their_own_they_follow_the_current():
    drifters = DrifterProgramme(number=5, **QUIET).follow(ocean(u=0.3, v=0.1))
    assert drifters.sizes["obs"] > 500
    # Positions are reported to a metre, speeds from those of two hours.
    np.testing.assert_allclose(drifters["u"], 0.3, atol=5e-4)
    np.testing.assert_allclose(drifters["v"], 0.1, atol=5e-4)
    assert (drifters["drogue"].dtype, drifters["time"].dtype) == (np.dtype("i1"), np.dtype("M8[ns]"))
    row = row_of(drifters)
    assert (np.diff(drifters["time"].values)[row[1:] == row[:-1]] == np.timedelta64(1, "h")).all()


def test_the_wind_drives_most_those_without_a_drogue():
    options = QUIET | {"windage": (0.001, 0.01), "undrogued": 0.5, "drogue_life": 5.0}
    drifters = DrifterProgramme(number=10, **options).follow(ocean(wind=10.0))
    on = drifters["drogue"].values == 1
    assert 0.1 < on.mean() < 0.9
    lost = np.diff(drifters["drogue"].values.astype(int))
    assert (lost[np.diff(row_of(drifters)) == 0] <= 0).all()  # a lost drogue does not come back
    middle = on[1:-1] & (on[2:] == on[:-2])  # both fixes of a velocity in one state
    np.testing.assert_allclose(drifters["u"][1:-1][middle], 0.01, atol=5e-4)
    assert np.median(drifters["u"].values[~on]) == pytest.approx(0.11, abs=5e-4)


def test_near_inertial_motion_has_its_strength_and_turns_clockwise_at_the_inertial_frequency():
    drifters = DrifterProgramme(number=80, **QUIET | {"inertial_speed": 0.2}).follow(ocean(days=25))
    w = drifters["u"].values + 1j * drifters["v"].values
    assert np.sqrt(np.mean(np.abs(w) ** 2)) == pytest.approx(0.2, rel=0.1)
    lag = 3  # hours
    pairs = row_of(drifters)[lag:] == row_of(drifters)[:-lag]
    lagged = (w[lag:] * w[:-lag].conj())[pairs]
    f = 2 * 7.2921e-5 * np.sin(np.radians(drifters["latitude"].values[lag:][pairs]))
    turned = np.mean(lagged * np.exp(1j * f * lag * 3600))
    assert abs(np.angle(turned)) < 0.02
    assert abs(turned) / np.mean(np.abs(w) ** 2) == pytest.approx(np.exp(-lag / 96), abs=0.03)


def test_noise_of_positions_is_that_of_speeds():
    drifters = DrifterProgramme(number=10, **QUIET | {"position_error": 100.0}).follow(ocean())
    expected = 100 * np.sqrt(2) / 7200
    assert float(drifters["u"].std()) == pytest.approx(expected, rel=0.05)
    assert float(drifters["v"].std()) == pytest.approx(expected, rel=0.05)


def test_a_drifter_is_the_same_whatever_their_number_and_another_with_another_seed(drifters):
    truth = ocean(u=0.1, v=-0.05, wind=8.0)
    options = {"faulty": 0.5, "silence": 5.0}
    fewer = DrifterProgramme(number=4, seed=3, **options).follow(truth)
    kept = np.isin(drifters["id"].values, fewer["id"].values)
    same = select(drifters, kept[row_of(drifters)])
    for name in ("u", "v", "u_qc", "v_qc", "drogue", "time", "latitude", "longitude"):
        np.testing.assert_array_equal(same[name], fewer[name], err_msg=name)
    other = DrifterProgramme(number=4, seed=4, **options).follow(truth)
    assert abs(fewer["latitude"].values[0] - other["latitude"].values[0]) > 0.01


def test_wrong_velocities_are_flagged_and_there_are_interruptions(drifters):
    bad = (drifters["u_qc"].values == BAD) | (drifters["v_qc"].values == BAD)
    assert 1 <= bad.sum() <= 8 * 5
    fast = np.maximum(abs(drifters["u"]), abs(drifters["v"])).values
    assert (fast[bad] == 10).all() and fast[~bad].max() < 2
    assert segments(good(drifters), shortest=0).sizes["traj"] > drifters.sizes["traj"]


def test_the_edge_and_land_end_a_trajectory():
    truth = ocean(u=1.0)
    drifters = DrifterProgramme(number=10, **QUIET).follow(truth)
    assert float(drifters["longitude"].max()) <= -55
    row = row_of(drifters)
    assert (np.diff(drifters["time"].values)[row[1:] == row[:-1]] == np.timedelta64(1, "h")).all()  # none comes back
    truth["uo"] = truth["uo"].where(truth["longitude"] < -58.5)
    ashore = DrifterProgramme(number=10, **QUIET).follow(truth)
    assert -60 < float(ashore["longitude"].max()) <= -59


def test_daily_means_of_the_current_are_told_by_the_filtered_velocities():
    """What a map knows of a drifter is seen through inertial motion and noise by averaging over a day."""
    truth = ocean(days=20, u=0.2, v=0.1)
    drifters = segments(good(DrifterProgramme(number=20, faulty=0.0).follow(truth)), shortest=5)
    misses = []
    for one in (drifters, running_mean(drifters)):
        misses.append(float(np.sqrt(((at_points(truth, one)["uo"] - one["u"]) ** 2).mean())))
    assert misses[0] > 0.08 and misses[1] < 0.4 * misses[0]


@pytest.mark.parametrize("name", ["drifters.csv", "drifters.csv.gz"])
def test_the_file_holds_it_all_and_is_the_same_again(drifters, tmp_path, name):
    path = tmp_path / name
    write_insitu_csv(drifters, path)
    once = path.read_bytes()
    write_insitu_csv(drifters, path)
    assert path.read_bytes() == once and [p.name for p in tmp_path.iterdir()] == [name]
    header = (gzip.decompress(once) if name.endswith("gz") else once).splitlines()[0].decode()
    assert header == (
        "variable,platform_id,platform_type,time,longitude,latitude,depth,pressure,is_depth_from_producer,"
        "value,value_qc,institution,doi,product_doi"
    )
    table = pd.read_csv(path)
    for variable, values, flags in (("EWCT", "u", "u_qc"), ("NSCT", "v", "v_qc")):
        rows = table[table["variable"] == variable]
        np.testing.assert_array_equal(rows["value"], drifters[values])
        np.testing.assert_array_equal(rows["value_qc"], drifters[flags])
        np.testing.assert_array_equal(rows["longitude"], drifters["longitude"])
        np.testing.assert_array_equal(rows["depth"] == 15, drifters["drogue"] == 1)
        np.testing.assert_array_equal(pd.to_datetime(rows["time"]).dt.tz_localize(None), drifters["time"])


def test_the_reader_of_real_files_reads_it(drifters, tmp_path):
    sources = pytest.importorskip("genda_lite.sources.drifters")
    write_insitu_csv(drifters, tmp_path / "drifters.csv")
    read, expected = sources.read_drifters(tmp_path / "drifters.csv"), good(drifters)
    for name in ("id", "rowsize", "time", "u", "v", "latitude", "longitude", "drogue"):
        np.testing.assert_array_equal(read[name], expected[name], err_msg=name)


def test_bad_input_is_refused(refuses, tmp_path, drifters):
    with refuses("at least one drifter"):
        DrifterProgramme(number=0)
    with refuses("expected uas"):
        DrifterProgramme(number=1).follow(ocean().drop_vars("uas"))
    with refuses("no water"):
        DrifterProgramme(number=1).follow(ocean() * np.nan)
    with refuses("does not exist"):
        write_insitu_csv(drifters, tmp_path / "nowhere" / "d.csv")
