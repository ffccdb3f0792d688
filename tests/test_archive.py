"""The archive: what a folder of products holds, what of it is opened for a day, and what no analysis gets."""

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from test_drifters import fixes, long_csv
from test_products import grid_map, write

from genda_lite.observe.files import read_observations
from genda_lite.ocean.currents import geostrophic_current
from genda_lite.sources import Archive, Report, read_drifters, read_temperature, read_tracks
from genda_lite.sources.samples import checksum
from genda_lite.verify.ose.tracks import along_track

HOUR, DAY = np.timedelta64(1, "h"), np.timedelta64(1, "D")
BOX = (-65.0, -55.0, 33.0, 43.0)
PRODUCTS = ("temperature L3", "salinity", "winds")


def touched(folder: Path, *names: str) -> Path:
    """A folder of files without content: whoever opens one, fails."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def sea_level(days, level: float):
    """A map a day of so much sea level at rest."""
    resting = (0.0, {"units": "m s-1"})
    return grid_map({"adt": (level, {"units": "m"}), "ugos": resting, "vgos": resting}, days)


def names(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


# --- Folders ---------------------------------------------------------------------------------------------------------


def test_missions_are_those_of_the_folder_but_for_the_withheld(tmp_path):
    entries = "tracks_j3_201706/a.nc", "tracks_c2_201706/a.nc", "tracks_c2n_202101/a.nc", "tracks_s6a-lr_202101/a.nc"
    touched(tmp_path, *entries, "drifters_201706.csv", "winds_201706.nc")
    assert Archive(tmp_path).missions == ["c2n", "j3", "s6a-lr"]
    assert Archive(str(tmp_path), withheld="j3").missions == ["c2", "c2n", "s6a-lr"]
    archive = Archive(tmp_path)
    assert names(archive.files("tracks c2")) == ["a.nc"]  # and not those of c2n, whose name begins alike
    assert archive.has("winds") and archive.has("tracks c2") and not archive.has("salinity")


@pytest.mark.parametrize(
    ("date", "margin", "months"),
    [
        ("2017-06-15", 1, ["06"]),
        ("2017-06-01", 1, ["05", "06"]),
        ("2017-06-30T12", 1, ["06", "07"]),
        ("2017-06-15", 20, ["05", "06", "07"]),
        ("2019-06-15", 1, []),
        (None, 1, ["05", "06", "07"]),
    ],
)
def test_months_that_cannot_hold_the_date_are_left_alone(tmp_path, refuses, date, margin, months):
    touched(tmp_path, "tracks_j3_201706/a.nc", *(f"winds_2017{month}.nc" for month in ("05", "06", "07")))
    archive, date = Archive(tmp_path), None if date is None else np.datetime64(date)
    if months:
        assert names(archive.files("winds", date, margin)) == [f"winds_2017{month}.nc" for month in months]
    else:
        with refuses("nothing of 'winds'", "within 1 days", "2019-06-15"):
            archive.files("winds", date, margin)


@pytest.mark.parametrize("date", ["2017-05-02", "2017-05-31T12", "2017-06-01", "2017-06-15T23", "2017-07-01T00"])
@pytest.mark.parametrize("margin", [1.0, 2.5, 5.0])
def test_days_in_names_of_files_are_all_that_may_be_near_and_few_more(tmp_path, date, margin):
    days = np.arange("2017-04-01", "2017-09-01", dtype="M8[D]")
    for day in days:
        month = str(day)[:7].replace("-", "")
        touched(tmp_path, f"tracks_j3_{month}/dt_global_phy_l3_1hz_{str(day).replace('-', '')}_20240205.nc")
    date, reach = np.datetime64(date, "ns"), np.timedelta64(round(margin * 24), "h")
    found = {name.split("_")[-2] for name in names(Archive(tmp_path).tracks(date, margin))}
    begin = days.astype("M8[ns]")
    for slack, compare in ((0 * DAY, found.issuperset), (2 * DAY, found.issubset)):
        near = (begin + DAY > date - reach - slack) & (begin <= date + reach + slack)
        assert compare({str(day).replace("-", "") for day in days[near]})
    assert len(Archive(tmp_path).tracks()) == len(days)


def test_names_without_a_date_are_opened_on_any(tmp_path):
    touched(tmp_path, "tracks_j3_2017/all.nc", "winds_2017.nc", "salinity_201706_v2/one.nc")
    archive, date = Archive(tmp_path), np.datetime64("1999-01-01")
    assert [names(archive.files(name, date)) for name in ("tracks j3", "winds", "salinity")] == [
        ["all.nc"],
        ["winds_2017.nc"],
        ["one.nc"],
    ]


def test_a_damaged_file_of_another_month_does_no_harm(tmp_path, refuses):
    touched(tmp_path, "tracks_j3_201706/a.nc")
    write(sea_level(("2017-06-14", "2017-06-15"), 0.3), tmp_path / "sea_level_201706.nc")
    (tmp_path / "sea_level_201707.nc").write_text("damaged")
    archive = Archive(tmp_path)
    assert float(archive.sea_level(np.datetime64("2017-06-15"))["zos"].mean()) == pytest.approx(0.3)
    with refuses("sea_level_201707.nc", "not a NetCDF file"):
        archive.sea_level(np.datetime64("2017-06-30"))


def test_the_map_of_the_day_is_found_among_months(tmp_path, refuses):
    """At the end of June the nearest map may lie in July's file."""
    touched(tmp_path, "tracks_j3_201706/a.nc")
    for month, days, level in (("06", ("2017-06-28", "2017-06-29"), 0.1), ("07", ("2017-07-01", "2017-07-02"), 0.2)):
        write(sea_level(days, level), tmp_path / f"sea_level_2017{month}.nc")
    archive = Archive(tmp_path)
    for date, level in (("2017-06-29", 0.1), ("2017-06-30T18", 0.2), ("2017-07-01", 0.2)):
        assert float(archive.sea_level(np.datetime64(date))["zos"].mean()) == pytest.approx(level)
    with refuses("no map within a day of 2017-06-15", "the file covers"):
        archive.sea_level(np.datetime64("2017-06-15"))


def test_days_are_those_of_the_winds(tmp_path):
    touched(tmp_path, "tracks_j3_201706/a.nc")
    metres = {"units": "m s-1"}
    for month, days in (("06", ("2017-06-29", "2017-06-30")), ("07", ("2017-07-01",))):
        winds = grid_map({"eastward_wind": (5.0, metres), "northward_wind": (0.0, metres)}, days)
        write(winds, tmp_path / f"winds_2017{month}.nc")
    days = Archive(tmp_path).days()
    assert days.dtype == np.dtype("M8[D]") and list(days.astype(str)) == ["2017-06-29", "2017-06-30", "2017-07-01"]


def test_a_number_that_is_no_month_says_nothing(tmp_path):
    folder = touched(tmp_path, "tracks_j3_201706/a.nc", "salinity_201713.nc", "temperature_L3_x/nrt_20171399_a.nc")
    archive = Archive(folder)
    for name in ("salinity", "temperature L3"):
        assert len(archive.files(name, np.datetime64("2017-06-20"))) == 1


def test_an_altimeter_may_rest(tmp_path, refuses):
    touched(tmp_path, "tracks_alg_201705/a.nc", "tracks_j3_201705/b.nc", "tracks_j3_201706/c.nc")
    archive = Archive(tmp_path)
    assert names(archive.tracks(np.datetime64("2017-06-20"), 5.0)) == ["c.nc"]
    assert names(archive.tracks(np.datetime64("2017-05-20"), 5.0)) == names(archive.tracks())[:2] == ["a.nc", "b.nc"]
    with refuses("no altimeter's tracks within 5 days of 2017-08-20"):
        archive.tracks(np.datetime64("2017-08-20"), 5.0)


def test_what_is_not_there_is_told_in_one_sentence(tmp_path, refuses):
    with refuses("nowhere", "no such folder", "genda download ose"):
        Archive(tmp_path / "nowhere")
    with refuses(str(tmp_path), "no tracks besides those withheld"):
        Archive(tmp_path)
    touched(tmp_path, "tracks_c2_201706/a.nc", "winds_201706.nc", "tracks.nc")
    with refuses("no tracks besides those withheld", "tracks_<mission>_"):
        Archive(tmp_path)
    archive = Archive(touched(tmp_path, "tracks_j3_201706/a.nc"))
    for ask in (lambda: archive.files("temperature L3"), lambda: archive.files("temperature L3", "2017-06-01")):
        with refuses("nothing of 'temperature L3'", "temperature_L3_"):
            ask()
    with refuses("nothing of 'drifters'"):
        archive.drifters()
    with refuses("nothing of 'tracks c2n'"):
        Archive(tmp_path, withheld="c2n").withheld_track()


def test_a_folder_in_place_of_a_folder_must_be_one(tmp_path, refuses):
    (tmp_path / "file").touch()
    with refuses("file", "no such folder"):
        Archive(tmp_path / "file")


def test_a_damaged_file_of_the_embedded_twin_is_refused(tmp_path, monkeypatch, refuses):
    twin = touched(tmp_path / "twin", "tracks_j3_2000.nc", "winds_2000.nc")
    empty = hashlib.sha256().hexdigest()
    (tmp_path / "SHA256SUMS").write_text("".join(f"{empty}  twin/{path.name}\n" for path in twin.iterdir()))
    monkeypatch.setattr("genda_lite.sources.samples.FOLDER", tmp_path)
    monkeypatch.setattr("genda_lite.sources.samples.REGISTRY", tmp_path / "SHA256SUMS")
    monkeypatch.setattr("genda_lite.sources.archive.TWIN", twin)
    assert Archive().missions == ["j3"]
    (twin / "winds_2000.nc").write_text("another wind")
    checksum.cache_clear()
    with refuses("winds_2000.nc", "damaged or changed", "SHA256SUMS"):
        Archive()
    assert Archive(touched(tmp_path / "mine", "tracks_j3_2000.nc")).missions == ["j3"]  # other folders have none
    (twin / "winds_2000.nc").unlink()
    with refuses("winds_2000.nc"):
        Archive()


def test_a_file_of_the_reader_s_own_beside_the_twin_does_no_harm(tmp_path, monkeypatch):
    """Such as a desktop leaves in every folder that is looked at."""
    twin = touched(tmp_path / "twin", "tracks_j3_2000.nc")
    (tmp_path / "SHA256SUMS").write_text(f"{hashlib.sha256().hexdigest()}  twin/tracks_j3_2000.nc\n")
    touched(twin, ".DS_Store", ".ipynb_checkpoints/a.ipynb")
    monkeypatch.setattr("genda_lite.sources.samples.FOLDER", tmp_path)
    monkeypatch.setattr("genda_lite.sources.samples.REGISTRY", tmp_path / "SHA256SUMS")
    monkeypatch.setattr("genda_lite.sources.archive.TWIN", twin)
    assert Archive().missions == ["j3"]


# --- What is withheld ------------------------------------------------------------------------------------------------


def test_analyses_cannot_get_what_is_withheld_from_the_tracks(tmp_path):
    days = [f"201706{day:02d}" for day in range(1, 31)]
    for mission in ("c2", "c2n", "j3"):
        touched(tmp_path, *(f"tracks_{mission}_201706/dt_{mission}_{day}_x.nc" for day in days))
    touched(tmp_path, "drifters_201706.csv", "tracks_c2_201707/a.nc")
    archive = Archive(tmp_path)
    for date in (None, *np.arange("2017-06-01", "2017-06-30", dtype="M8[D]")):
        assert {path.parent.name for path in archive.tracks(date, 40.0)} == {"tracks_c2n_201706", "tracks_j3_201706"}
    other = Archive(tmp_path, withheld="j3")
    assert {path.parent.name.split("_")[1] for path in other.tracks()} == {"c2", "c2n"}


def test_observations_refuse_the_drifters_even_when_asked(refuses):
    archive = Archive()
    with refuses("drifters_2000.csv.gz", "verify analyses and are no observations"):
        read_observations([*archive.tracks(), *archive.files("drifters")], "2000-07-01", BOX)


# --- The twin that comes with the project ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def twin() -> Archive:
    return Archive()


def test_the_twin_has_two_months_of_everything(twin):
    days = twin.days()
    assert len(days) == 75 and (np.diff(days) == DAY).all()
    assert twin.missions == ["alg", "h2b", "j3", "s3a"]
    for name in ("tracks c2", "sea level", "temperature L3", "temperature L4", "salinity", "winds", "drifters"):
        assert twin.has(name)


def test_tracks_of_the_twin_are_those_of_its_altimeters(twin):
    found, withheld, days = read_tracks(twin.tracks()), twin.withheld_track(BOX), twin.days()
    assert set(found["mission"].values) == set(twin.missions) and set(withheld["mission"].values) == {"c2"}
    for one in (found, withheld):
        assert one.attrs["variable"] == "sla_unfiltered + mdt"
        assert one["time"].values.min() >= days[0] and one["time"].values.max() < days[-1] + DAY
        assert ((one["latitude"] >= 33) & (one["latitude"] <= 43)).all()
        assert ((one["longitude"] >= -65) & (one["longitude"] <= -55)).all()
        assert abs(one["zos"]).max() < 2.5 and 0.2 < float(one["zos"].std()) < 0.8
        assert not Report.of(one).dropped
        # Every altimeter passes every day or two, at about 1 Hz.
        hours = np.unique(one["time"].values.astype("M8[h]"))
        assert np.diff(hours).max() < 3 * DAY and one.sizes["point"] > 100 * len(days)
        assert float(np.median(np.diff(one["time"].values) / np.timedelta64(1, "s"))) == pytest.approx(1.0, abs=0.1)


def test_drifters_of_the_twin_move_as_they_say(twin):
    everyone, drogued = twin.drifters(), twin.drifters(BOX, drogued=True)
    assert everyone.sizes["traj"] == 80 and 40 < drogued.sizes["traj"] < 80
    assert drogued.sizes["obs"] < everyone.sizes["obs"] and (drogued["drogue"] == 1).all()
    assert Report.of(everyone).dropped.keys() >= {"flagged bad"}
    speed = np.hypot(everyone["u"], everyone["v"])
    assert float(speed.max()) < 3 and 0.1 < float(speed.mean()) < 0.8
    # An hour apart at the ends of two hours, positions say what the velocity between them says.
    one = everyone.isel(obs=slice(0, int(everyone["rowsize"][0])))
    hourly = (np.diff(one["time"].values) == HOUR)[1:] & (np.diff(one["time"].values) == HOUR)[:-1]
    moved = (one["latitude"].values[2:] - one["latitude"].values[:-2]) * 111.2e3 / 7200
    np.testing.assert_allclose(moved[hourly], one["v"].values[1:-1][hourly], atol=2e-3)


def test_mapped_sea_level_of_the_twin_is_near_the_altimeter_it_has_not_seen(twin):
    track = twin.withheld_track(BOX)
    days, points = np.unique(track["time"].values.astype("M8[D]"), return_counts=True)
    day = days[points.argmax()]
    found = twin.sea_level(day, BOX)
    assert set(found.data_vars) == {"zos", "ugos", "vgos", "error"} and bool(found["zos"].notnull().all())
    assert abs(found["time"].values - day.astype("M8[ns]")) <= DAY
    for name, current in zip(("ugos", "vgos"), geostrophic_current(found["zos"]), strict=True):
        # Both are written in steps of a millimetre (a second), and a slope is told over half a degree: 1 mm there is a
        # current of 1e-3 m * 9.81 m s-2 / (9e-5 s-1 * 4e4 m) = 3 mm/s. At the edges it is told over a quarter.
        np.testing.assert_allclose(found[name], current, atol=7e-3)
    assert 0 < float(found["error"].min()) and float(found["error"].max()) < 0.31
    maps = xr.concat([twin.sea_level(day + shift * DAY, BOX)["zos"] for shift in (-1, 0, 1)], "time")
    near = along_track(maps, track)
    miss = near["analysed"] - near["observed"]
    assert near.sizes["point"] > 100 and abs(float(miss.mean())) < 0.1  # one reference
    assert float(miss.std()) < 0.5 * float(near["observed"].std())


def test_observations_of_the_twin_are_of_all_channels_and_plausible(twin):
    day = twin.days()[40] + 12 * HOUR
    files = [path for name in PRODUCTS for path in twin.files(name, day)]
    seen, reports = read_observations(twin.tracks(day, 5.0) + files, day, BOX)
    assert len(reports) == 4 and all(report.kept for report in reports)
    limits = {"zos": (-2.5, 2.5), "thetao": (0, 35), "so": (30, 38), "uas": (-30, 30), "vas": (-30, 30)}
    assert set(seen.channel) == set(limits)
    for channel, (low, high) in limits.items():
        values = seen.value[seen.channel == channel]
        assert len(values) > 50 and low < values.min() < values.mean() < values.max() < high, channel
    assert (seen.latitude >= 33).all() and (seen.longitude >= -65).all() and (seen.longitude <= -55).all()
    level = seen.channel == "zos"
    assert len(np.unique(seen.source[level])) == 1 and (abs(seen.time[level] - day) <= 5 * DAY).all()
    # What is not assimilated by default can be read as well.
    more, _ = read_observations([*twin.files("temperature L4", day), *twin.files("sea level", day)], day, BOX)
    assert set(more.channel) == {"thetao", "zos"} and (more.smoothing > 0).all()


def test_clouds_hide_a_part_of_the_twin(twin):
    (path,) = twin.files("temperature L3")
    shares = [float(read_temperature(path, day, BOX)["thetao"].notnull().mean()) for day in twin.days()[5::10]]
    assert 0.02 < min(shares) < max(shares) < 0.8 and np.ptp(shares) > 0.05


# --- Compressed and damaged tables -----------------------------------------------------------------------------------


@pytest.fixture
def table(tmp_path) -> Path:
    return long_csv(fixes(), tmp_path / "plain.csv")


@pytest.mark.parametrize("name", ["drifters_201703.csv.gz", "no ending"])
def test_a_compressed_table_is_the_table(table, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(gzip.compress(table.read_bytes()))
    plain, compressed = read_drifters(table), read_drifters(path)
    assert compressed.drop_attrs().identical(plain.drop_attrs()) and compressed.attrs["report"] == plain.attrs["report"]


def test_tables_of_several_months_compressed_or_not_are_read_together(table, tmp_path):
    folder = touched(tmp_path / "ose", "tracks_j3_201703/a.nc")
    later = fixes().assign(time=lambda t: t["time"] + pd.Timedelta(days=31))
    long_csv(fixes(), folder / "drifters_201703.csv")
    (folder / "drifters_201704.csv.gz").write_bytes(gzip.compress(long_csv(later, table).read_bytes()))
    found = Archive(folder).drifters()
    assert list(found["id"].values) == ["101", "202"] and list(found["rowsize"].values) == [120, 120]
    assert Archive(folder).drifters(drogued=True)["id"].values.tolist() == ["101"]
    assert Archive(folder).drifters((-61.0, -55.0, 36.5, 43.0))["id"].values.tolist() == ["202"]


def test_a_truncated_table_is_refused_wherever_it_was_cut(table, tmp_path, refuses):
    whole, path = gzip.compress(table.read_bytes()), tmp_path / "drifters_201703.csv.gz"
    for size in np.linspace(3, len(whole) - 1, 25).astype(int):
        path.write_bytes(whole[:size])
        with refuses("drifters_201703.csv.gz", "damaged"):
            read_drifters(path)
    for size in (0, 1):
        path.write_bytes(whole[:size])
        with refuses("drifters_201703.csv.gz"):
            read_drifters(path)


def test_flipped_bits_are_found_by_the_checksum(table, tmp_path, refuses):
    whole, path = bytearray(gzip.compress(table.read_bytes())), tmp_path / "drifters_201703.csv.gz"
    for place in (len(whole) // 3, len(whole) // 2, len(whole) - 6):
        flipped = bytearray(whole)
        flipped[place] ^= 0x10
        path.write_bytes(flipped)
        with refuses("drifters_201703.csv.gz", "damaged"):
            read_drifters(path)


def test_compressed_nothing_is_refused(table, tmp_path, refuses):
    path, header = tmp_path / "drifters_201703.csv.gz", table.read_bytes().splitlines()[0] + b"\n"
    for content, told in ((b"", "damaged"), (header, "no rows"), (b"\xff\xfe\x00\x01" * 9, "damaged")):
        path.write_bytes(gzip.compress(content))
        with refuses("drifters_201703.csv.gz", told):
            read_drifters(path)


def test_half_a_row_at_the_end_of_a_compressed_table_is_counted(table, tmp_path):
    path = tmp_path / "drifters_201703.csv.gz"
    path.write_bytes(gzip.compress(table.read_bytes()[:-40]))
    report = Report.of(read_drifters(path))
    assert report.dropped["cut off at the end of the file"] == 1
    assert report.kept == 119  # of 2 x 60 fixes one has lost its northward velocity
