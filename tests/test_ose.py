"""The experiment judged: scores whose truth is known, from files as providers and `genda ose` leave them."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from test_drifters import long_csv
from typer.testing import CliRunner

from genda_lite.cli import app
from genda_lite.errors import InputError
from genda_lite.observe.table import Observations
from genda_lite.ocean.currents import coriolis
from genda_lite.ocean.trajectories import advect
from genda_lite.prior import load_prior
from genda_lite.show.drifters import plot_differences
from genda_lite.sources import Archive
from genda_lite.state import KM_PER_DEGREE
from genda_lite.verify.engine import CLIMATOLOGY, OI, OURS, OURS_FAST, REGRESSION
from genda_lite.verify.ose import experiment
from genda_lite.verify.ose import judge as ose
from genda_lite.verify.ose.drifters import METRICS, dressed
from genda_lite.verify.ose.judge import ALTIMETER, DAILY, EKMAN, GEOSTROPHIC, HOURLY, L4, MEMBER, TRUTH, WITHOUT
from genda_lite.verify.table import less, pick, pivot, tidy
from genda_lite.verify.table import number as one_number

# Uniform currents have no variance, and no correlation with anything.
pytestmark = pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")

HOUR, DAY = np.timedelta64(1, "h"), np.timedelta64(1, "D")
FIRST = np.datetime64("2000-06-01", "ns")
LATITUDE, LONGITUDE = np.arange(33.0, 43.1), np.arange(-65.0, -54.9)
BACKGROUND, INERTIAL, BIAS = 0.3 + 0.1j, 0.15, 0.2  # m/s: the current, what turns about it, a wrong product's error
DROGUED = [34.0, 35.0, 36.0, 37.0, 37.5, 38.0, 39.0, 40.0, 41.0, 42.0]  # degrees north


def noon(day: int) -> np.datetime64:
    return FIRST + day * DAY + 12 * HOUR


def maps(u, v=None, days=range(30, 42), **more) -> xr.Dataset:
    """Uniform fields, one a member if there are several; a complex number is a current."""
    fields = {"uo": np.real(u), "vo": np.imag(u) if v is None else v} | more
    coords = {"time": [noon(day) for day in days], "latitude": LATITUDE, "longitude": LONGITUDE}
    grid = xr.DataArray(np.ones([len(c) for c in coords.values()]), coords, list(coords))
    values = {
        n: f if isinstance(f, xr.DataArray) else xr.DataArray(f, dims=["member"][: np.ndim(f)])
        for n, f in fields.items()
    }
    return xr.Dataset({name: value * grid for name, value in values.items()})


def three(value) -> np.ndarray:
    """Three members that spread by a tenth about a value."""
    return value + 0.1 * np.array([-1, 0, 1])


def fleet() -> pd.DataFrame:
    """Ten drifters with a drogue, two without, and one that is heard of for nine days, each at its latitude.

    They report the background and inertial motion; those without a drogue slip eastward by twice the inertial speed.
    """
    tables = []
    for number, latitude in enumerate([*DROGUED, 36.2, 38.2, 37.2]):
        hours = np.arange(24 * (9 if number == 12 else 11) + 1)
        turning = INERTIAL * np.exp(-1j * (coriolis(latitude) * 3600 * hours + number))
        velocity = BACKGROUND + turning + 2 * INERTIAL * (number in (10, 11))
        one = {"id": f"d{number:02d}", "time": pd.Timestamp(noon(30)) + pd.to_timedelta(hours, "h")}
        one |= {"latitude": latitude, "longitude": -62.0 + 0.3 * number + 0.002 * hours}
        one |= {"u": velocity.real, "v": velocity.imag, "depth": 0.0 if number in (10, 11) else 15.0, "qc": 1}
        tables.append(pd.DataFrame(one))
    return pd.concat(tables, ignore_index=True)


def level(latitude, longitude):
    """A sea level that bilinear interpolation finds exactly (m)."""
    return 0.5 - 0.1 * (latitude - 38) + 0.02 * (longitude + 60)


def write(ds: xr.Dataset, path: Path) -> None:
    ds.to_netcdf(path, engine="h5netcdf")


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Archive:
    """45 days of mapped sea level that is biased, and of wind from the west, then from the south; drifters and the
    withheld altimeter tell the truth."""
    folder = tmp_path_factory.mktemp("archive")
    (folder / "tracks_j3_2000.nc").write_text("nothing here reads what was assimilated")
    coords = {
        "time": FIRST + np.arange(45) * DAY,
        "latitude": ("latitude", LATITUDE, {"units": "degrees_north"}),
        "longitude": ("longitude", LONGITUDE, {"units": "degrees_east"}),
    }
    dims, ones = ("time", "latitude", "longitude"), np.ones((45, LATITUDE.size, LONGITUDE.size))
    adt = level(LATITUDE[:, None], LONGITUDE) + 0.1
    fields = {"adt": (adt * ones, "m"), "ugos": (0.3 * ones + BIAS, "m s-1"), "vgos": (0.1 * ones, "m s-1")}
    mapped = xr.Dataset({name: (dims, v, {"units": units}) for name, (v, units) in fields.items()}, coords)
    write(mapped.assign_coords(time=mapped["time"] + 12 * HOUR), folder / "sea_level_2000.nc")
    southerly = (np.arange(45) >= 35)[:, None, None]
    winds = {"uas": (dims, 10.0 * ones * ~southerly, {"units": "m s-1"})}
    winds |= {"vas": (dims, 10.0 * ones * southerly, {"units": "m s-1"})}
    # The wind's points lie half a cell off, and leave out the outermost half cell of sea level's.
    inner = xr.Dataset(winds, coords).isel(latitude=slice(-1), longitude=slice(-1))
    for dim in ("latitude", "longitude"):
        inner = inner.assign_coords({dim: (dim, inner[dim].values + 0.5, coords[dim][2])})
    write(inner, folder / "winds_2000.nc")
    points = 150
    time = np.concatenate(
        [noon(day) - 3 * HOUR + np.arange(points) * np.timedelta64(1, "s") for day in (31, 32, 33, 34)]
    )
    north = np.tile(np.linspace(33.3, 42.7, points), 4)
    east = -60 + 0.2 * (north - 38)
    metres = {"units": "m"}
    track = {
        "sla_unfiltered": ("time", level(north, east) - 0.4, metres),
        "mdt": ("time", np.full(north.size, 0.4), metres),
    }
    where = {"latitude": ("time", north, coords["latitude"][2]), "longitude": ("time", east, coords["longitude"][2])}
    write(xr.Dataset(track, {"time": time} | where).assign_attrs(platform="c2"), folder / "tracks_c2_2000.nc")
    long_csv(fleet(), folder / "drifters_2000.csv")
    return Archive(folder)


def keep(folder: Path, name: str, ds: xr.Dataset, setting: str = "{}") -> None:
    """Results of a method as `genda ose` leaves them."""
    for time in ds["time"].values:
        path = experiment.result_path(folder, name, time)
        path.parent.mkdir(parents=True, exist_ok=True)
        write(ds.sel(time=[time]).assign_attrs(setting=setting), path)


# --- Super-observations ----------------------------------------------------------------------------------------------


def points(values, errors=0.1, latitude=38.01, longitude=-60.01, channel="zos", time=None) -> Observations:
    values = np.asarray(values, float)
    ds = xr.Dataset({channel: ("point", values), "error": ("point", np.broadcast_to(errors, values.shape))})
    for name, place in (("latitude", latitude), ("longitude", longitude)):
        ds[name] = ("point", np.broadcast_to(place, values.shape))
    if time is not None:
        ds["time"] = ("point", np.broadcast_to(np.asarray(time, "M8[ns]"), values.shape))
    return Observations.from_points(ds, channel, "error", channel)


def test_a_mean_is_weighted_by_the_inverse_variances():
    """Errors of 0.1 and 0.2: weights of 100 and 25."""
    seen = points([1.0, 2.0], [0.1, 0.2], [38.01, 38.06], [-60.01, -60.06]).averaged(20.0)
    assert len(seen) == 1 and seen.channel.tolist() == ["zos"] and seen.smoothing.tolist() == [0]
    assert seen.value[0] == pytest.approx((100 * 1 + 25 * 2) / 125)
    assert seen.error[0] == pytest.approx(1 / np.sqrt(125))
    assert seen.latitude[0] == pytest.approx((100 * 38.01 + 25 * 38.06) / 125)
    assert seen.longitude[0] == pytest.approx(-(100 * 60.01 + 25 * 60.06) / 125)
    assert seen.reference_error.tolist() == [1.0]


def test_sources_channels_and_hours_are_kept_apart():
    pair = points([1.0, 3.0])
    assert (pair + pair).averaged(20.0).value.tolist() == [2.0, 2.0]
    assert (pair + pair).averaged(20.0).source.tolist() == [0, 1]
    both = points([1.0, 3.0], channel="thetao") + points([1.0, 5.0], channel="so")
    one_source = type(both)(**{**vars(both), "source": np.zeros(4, int)})
    found = one_source.averaged(20.0)
    assert dict(zip(found.channel, found.value, strict=True)) == {"thetao": 2.0, "so": 3.0}
    times = ["2000-06-01T05:10", "2000-06-01T05:50", "2000-06-01T06:10"]
    assert sorted(points([1.0, 3.0, 7.0], time=times).averaged(20.0).value) == [2.0, 7.0]


def test_smooth_maps_stay_as_they_are():
    field = xr.DataArray(
        np.full((3, 3), 20.0),
        {"latitude": [37.9, 38.0, 38.1], "longitude": [-60.1, -60.0, -59.9]},
        ("latitude", "longitude"),
    )
    smooth = Observations.from_grid(field, "thetao", 0.3, smoothing=20.0)
    mixed = (points([1.0, 3.0]) + smooth).averaged(100.0)
    assert len(mixed) == 1 + 9 and (mixed.smoothing == 20).sum() == 9
    np.testing.assert_array_equal(mixed.value[mixed.smoothing > 0], smooth.value)
    for alone in (smooth.averaged(100.0), smooth):
        np.testing.assert_array_equal(alone.latitude, smooth.latitude)
    assert len(Observations.from_grid(field, "thetao", 0.3).averaged(100.0)) < 9  # values at points are


def test_what_is_known_in_all_is_kept_and_points_hardly_move():
    rng = np.random.default_rng(0)
    seen = points(
        rng.normal(size=500), rng.uniform(0.05, 0.3, 500), rng.uniform(35, 40, 500), rng.uniform(-63, -57, 500)
    )
    for width in (5.0, 50.0, 2000.0):
        mean = seen.averaged(width)
        before, after = seen.error**-2.0, mean.error**-2.0
        assert after.sum() == pytest.approx(before.sum())
        assert (after * mean.value).sum() == pytest.approx((before * seen.value).sum())
        apart = np.hypot(
            seen.latitude[:, None] - mean.latitude,
            (seen.longitude[:, None] - mean.longitude) * np.cos(np.radians(seen.latitude))[:, None],
        )
        assert KM_PER_DEGREE * apart.min(1).max() < np.sqrt(2) * width
    assert len(seen.averaged(50.0)) < len(seen.averaged(5.0)) <= 500
    np.testing.assert_allclose(points(np.full(50, 3.0), rng.uniform(0.1, 1, 50)).averaged(20.0).value, 3.0)


def test_cells_without_a_width_are_refused(refuses):
    for width in (0.0, -1.0, np.nan):
        with refuses("width above zero"):
            points([1.0, 2.0]).averaged(width)


# --- Currents --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mapped(archive) -> dict[str, xr.Dataset]:
    return ose.mapped_currents(archive, np.array([noon(day) for day in (33, 34, 35, 36)]))


def test_the_wind_adds_its_ekman_current(mapped):
    """At 38 N: the response there times the stress of a wind of 10 m/s, to the right of the wind."""
    stress = 1.22 / 1025 * (0.75 + 0.067 * 10) * 1e-3 * 10 * 10
    drift = complex(load_prior().standardizer.ekman_at(38.0)) * stress
    assert 0.02 < abs(drift) < 0.3 and drift.imag < 0
    for day, wind in enumerate((1, 1, 1j, 1j)):  # from the west, then from the south
        for dim, part in (("uo", (drift * wind).real), ("vo", (drift * wind).imag)):
            added = mapped[EKMAN][dim] - mapped[GEOSTROPHIC][dim]
            assert float(added.isel(time=day).sel(latitude=38, longitude=-60)) == pytest.approx(part, rel=1e-4)


def test_the_geostrophic_current_is_that_of_the_map(mapped):
    np.testing.assert_allclose(mapped[GEOSTROPHIC]["uo"], 0.3 + BIAS)
    np.testing.assert_allclose(mapped[GEOSTROPHIC]["vo"], 0.1)
    for ds in mapped.values():
        assert ds["uo"].dims == ("time", "latitude", "longitude") and ds["uo"].shape == (4, 11, 11)
        assert ds["time"].values.tolist() == [noon(day).astype(int) for day in (33, 34, 35, 36)]


def test_currents_reach_to_the_edges_of_the_maps(mapped):
    """The wind's outermost points lie half a cell inside; without a current there, nothing is judged there."""
    for ds in mapped.values():
        assert bool(ds.notnull().to_array().all())


def test_maps_at_midnight_are_taken_at_their_own_time(mapped, archive, tmp_path):
    for path in archive.folder.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "sea_level_2000.nc").unlink()
    with xr.open_dataset(archive.folder / "sea_level_2000.nc", engine="h5netcdf") as ds:
        write(ds.assign_coords(time=ds["time"] - 12 * HOUR), tmp_path / "sea_level_2000.nc")
    found = ose.mapped_currents(Archive(tmp_path), np.array([noon(day) for day in (33, 34, 35)]))
    times = found[EKMAN]["time"].values
    assert (times == times.astype("M8[D]")).all() and (np.diff(times) == DAY).all()
    drift = (found[EKMAN] - found[GEOSTROPHIC]).sel(latitude=38, longitude=-60)
    same = (mapped[EKMAN] - mapped[GEOSTROPHIC]).sel(latitude=38, longitude=-60)
    for time in times:  # with the wind of the map's day
        day = same.sel(time=time + 12 * HOUR)
        assert [float(drift[n].sel(time=time)) for n in ("uo", "vo")] == pytest.approx(
            [float(day[n]) for n in ("uo", "vo")]
        )


def test_all_currents_of_an_experiment(archive, tmp_path, refuses):
    with refuses("no analyses", "genda ose"):
        ose.currents(archive, tmp_path)
    residual = {"u_ageo_eddy": 0.04, "v_ageo_eddy": -0.02}
    keep(tmp_path, OURS, maps(three(0.3), three(0.1), (31, 32), **residual))
    keep(tmp_path, CLIMATOLOGY, maps(0.1, 0.0, (31, 32)))
    found = ose.currents(archive, tmp_path)
    assert list(found) == [CLIMATOLOGY, GEOSTROPHIC, EKMAN, OURS, MEMBER, WITHOUT]
    assert ose.methods_in(tmp_path) == [CLIMATOLOGY, OURS]
    for ds in found.values():
        assert set(ds.data_vars) == {"uo", "vo"} and ds["time"].values.tolist() == [
            noon(d).astype(int) for d in (31, 32)
        ]
    np.testing.assert_allclose(found[MEMBER]["uo"], 0.2, rtol=1e-6)
    np.testing.assert_allclose(found[WITHOUT]["uo"].mean("member"), 0.26, rtol=1e-6)
    np.testing.assert_allclose(found[WITHOUT]["vo"].mean("member"), 0.12, rtol=1e-6)
    assert list(ose.currents(archive, tmp_path, [CLIMATOLOGY])) == [CLIMATOLOGY, GEOSTROPHIC, EKMAN]


def test_a_day_that_was_not_analysed_is_left_out_and_not_interpolated_across(archive, tmp_path):
    keep(tmp_path, CLIMATOLOGY, maps(BACKGROUND, None, (31, 32, 35, 36), zos=0.4))
    found = ose.currents(archive, tmp_path)[CLIMATOLOGY]
    assert found["time"].values.tolist() == [noon(day).astype(int) for day in range(31, 37)]
    assert found["uo"].isnull().all(("latitude", "longitude")).values.tolist() == [0, 0, 1, 1, 0, 0]
    judged = ose.against_drifters({CLIMATOLOGY: found}, archive, samples=5)
    # Noon to noon, twice; the last hour before the gap is where two fields meet, and one of them is missing.
    assert int(judged.card.value["observations"].squeeze()) == 10 * (24 + 25)


def test_results_are_judged_in_the_box_they_cover(archive, tmp_path):
    """Three drifters are in the southern third; the others are not asked for."""
    south = maps(BACKGROUND, None, range(31, 38), zos=0.4).sel(latitude=slice(33, 36))
    keep(tmp_path, CLIMATOLOGY, south)
    shown = []
    rows = ose.report(archive, tmp_path, 5, 0, lambda line: None, shown.append)
    hourly = labelled(rows, HOURLY)
    assert hourly["", "drifters"]["value"] == 3
    assert hourly[CLIMATOLOGY, "vector_error"]["value"] == pytest.approx(INERTIAL, rel=1e-5)
    at_the_edge = labelled(rows, ALTIMETER)[CLIMATOLOGY, "points"]["value"]
    assert 0 < at_the_edge < 600 * 3 / 9.4


def test_results_of_another_altimeter_withheld_are_refused(archive, tmp_path, refuses):
    keep(tmp_path, CLIMATOLOGY, maps(0.1, 0.0, (31, 32)).assign_attrs(withheld="j3"))
    with refuses("climatology was made with j3 withheld", "expected c2"):
        ose.currents(archive, tmp_path)
    keep(tmp_path, CLIMATOLOGY, maps(0.1, 0.0, (33, 34)).assign_attrs(withheld="c2"))
    with refuses("2 settings", "expected one"):
        experiment.open_results(tmp_path, CLIMATOLOGY, ("uo",))


def test_a_day_without_wind_is_refused(archive, refuses):
    wind = xr.open_dataset(archive.folder / "winds_2000.nc", engine="h5netcdf").load()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ose, "read_winds", lambda files: wind.isel(time=slice(34)))
        with refuses("no wind on 2000-07-05"):
            ose.mapped_currents(archive, np.array([noon(day) for day in (33, 34)]))


# --- Drifters --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("latitude", [33.0, 38.0, 43.0])
@pytest.mark.parametrize("hours", [12, 24, 48])
def test_a_mean_leaves_of_inertial_motion_what_a_sum_says(latitude, hours):
    drifters = xr.Dataset({"latitude": ("obs", np.full(3, latitude))})
    time = (np.arange(100_000) + 0.5) / 100_000 * hours * 3600
    left = abs(np.exp(-1j * coriolis(latitude) * time).mean())
    assert ose.error_of_means(drifters, 0.2, hours) == pytest.approx(0.2 * left, rel=1e-6)


def test_inside_is_the_time_of_the_analyses(archive):
    drifters = archive.drifters(drogued=True)
    some = ose.inside(drifters, maps(0.0, 0.0, (31, 32)))
    assert (
        some.sizes["obs"] == 11 * 25 and some["time"].values.min() == noon(31) and some["time"].values.max() == noon(32)
    )


@pytest.fixture(scope="module")
def judged(archive) -> ose.Judged:
    """Climatology and the mean of ours are what drifters report, but for inertial motion; the maps are biased."""
    biased = maps(BACKGROUND + BIAS)
    products = {CLIMATOLOGY: maps(BACKGROUND), GEOSTROPHIC: biased, EKMAN: biased, OURS: maps(three(0.3), three(0.1))}
    return ose.against_drifters(products, archive, samples=200)


DELIVERED = [name for one in (CLIMATOLOGY, GEOSTROPHIC, EKMAN) for name in (one, dressed(one))]


def value(card, product: str, metric: str = "vector_error", group: str = "all") -> float:
    return float(card.value[metric].sel(product=product, group=group))


def test_what_is_fast_is_all_that_is_left_of_the_truth(judged):
    """A current that drifters have turns about: each hour misses by the inertial speed, whatever the phase."""
    assert value(judged.card, OURS) == pytest.approx(INERTIAL, rel=1e-6)
    seen = fleet().query("id < 'd10'")
    velocity = (seen["u"] + 1j * seen["v"]).to_numpy()
    assert value(judged.card, GEOSTROPHIC) == pytest.approx(np.abs(velocity - BACKGROUND - BIAS).mean(), rel=1e-6)
    assert value(judged.card, GEOSTROPHIC, "rmse_v") == pytest.approx(
        np.sqrt(np.mean((velocity.imag - 0.1) ** 2)), rel=1e-6
    )
    counts = judged.card.value.isel(group=0)
    assert int(counts["drifters"]) == 10 and int(counts["observations"]) == 10 * 265


def test_the_observations_error_is_the_inertial_motion(judged):
    # A mean over the mean latitude's period leaves up to an eighth of it further north and south.
    assert judged.error == pytest.approx(INERTIAL / np.sqrt(2), rel=0.1)
    ratio = np.sqrt((2 * 4 / 3 * 0.1**2 + 2 * judged.error**2) / INERTIAL**2)  # members spread by 0.1 in u and in v
    assert value(judged.card, OURS, "spread_skill") == pytest.approx(ratio, rel=1e-6)


def test_a_day_s_mean_takes_most_of_it_out(judged):
    """Of 24 hourly values that turn by x an hour remains sin(12 x) / (24 sin(x / 2)), at each drifter's latitude."""
    x = coriolis(np.array(DROGUED)) * 3600
    left = INERTIAL * np.abs(np.sin(12 * x) / (24 * np.sin(x / 2)))
    assert value(judged.filtered, OURS) == pytest.approx(left.mean(), rel=1e-6)
    assert int(judged.filtered.value["observations"].squeeze()) == 10 * (265 - 23)


def test_drifters_without_a_drogue_count_where_they_should(judged):
    assert int(judged.everyone.value["drifters"].squeeze()) == 12
    seen = fleet().query("id < 'd12'")
    velocity = (seen["u"] + 1j * seen["v"]).to_numpy()
    assert value(judged.everyone, OURS) == pytest.approx(np.abs(velocity - BACKGROUND).mean(), rel=1e-6)
    assert value(judged.everyone, OURS) > value(judged.card, OURS) + 0.02


def test_regions_and_speeds_split_all_that_is_judged(judged):
    """At 39.5 and 36.5 N: three drifters north, four between, three south, 265 hours each."""
    counts = judged.by_region.value["observations"]
    assert {str(g): int(n) for g, n in zip(counts["group"].values, counts.values, strict=True)} == {
        "north of 39.5 N": 3 * 265,
        "36.5 to 39.5 N": 4 * 265,
        "south of 36.5 N": 3 * 265,
    }
    assert int(judged.by_speed.value["observations"].sum()) == 10 * 265
    for region in counts["group"].values:
        assert value(judged.by_region, OURS, group=str(region)) == pytest.approx(INERTIAL, rel=1e-6)


def test_ranks_are_those_of_our_members(judged):
    assert judged.ranks.sizes == {"rank": 4} and int(judged.ranks.sum()) == 2 * 10 * 265
    assert judged.drifters.sizes["traj"] == 10  # the segments that were judged; nine days are too few


def test_the_truth_beats_a_biased_product_beyond_doubt(judged):
    table = ose.differences(judged.card)
    assert list(table.index) == DELIVERED
    for metric in ("vector_error", "crps"):
        low, difference, high = (table.loc[GEOSTROPHIC, (metric, bound)] for bound in ("low", "value", "high"))
        assert low < difference < high < 0
    less = value(judged.card, OURS) - value(judged.card, GEOSTROPHIC)
    assert table.loc[GEOSTROPHIC, ("vector_error", "value")] == pytest.approx(less)


def test_identical_products_differ_by_nothing(judged):
    same = judged.card.difference(GEOSTROPHIC, EKMAN)[["vector_error", "crps", "rmse_u"]]
    assert (same.to_array() == 0).all()
    # So does the mean of ours from what it is the mean of, to the rounding of a mean.
    bounds = [ose.differences(judged.card).loc[CLIMATOLOGY, ("vector_error", b)] for b in ("value", "low", "high")]
    np.testing.assert_allclose(bounds, 0, atol=1e-12)


def test_drifters_that_cannot_be_judged_are_refused(archive, refuses):
    for box, told in (((-65, -55, 37.1, 37.3), "no drifter reports for 10 days"), ((-65, -64, 33, 34), "no valid fix")):
        with refuses(told, str(box)):
            ose.against_drifters({CLIMATOLOGY: maps(0.0, 0.0)}, archive, box=box)
    with refuses("when all products have a current"):
        ose.against_drifters({CLIMATOLOGY: maps(0.0, 0.0, (1, 2))}, archive)


# --- Tables and rows -------------------------------------------------------------------------------------------------


def labelled(rows: list[dict], case: str, date: str = "", zone: str = "all") -> dict:
    """Rows by method and metric, each once."""
    wanted = {"case": case, "date": date, "zone": zone}
    here = [row for row in rows if "metric" in row and wanted == {k: row.get(k, "") for k in wanted}]
    found = {(row.get("method", ""), row["metric"]): row for row in here}
    assert len(found) == len(here)
    return found


def test_rows_have_what_a_page_needs_and_every_number_once(judged):
    rows = ose.rows_of(judged)
    for row in rows:
        assert {"name", "value", "target", "met", "beside", "detail"} <= set(row)
        assert row["target"] or {"case", "zone", "channel", "metric"} <= set(row)
        assert type(row["value"]) is float and all(type(number) is float for number in row["beside"].values())
    assert len({row["name"] for row in rows}) == len(rows)
    assert not tidy(rows).duplicated(["case", "date", "method", "channel", "zone", "metric"]).any()
    hourly = labelled(rows, HOURLY)
    differences = {less(metric, other) for metric in ose.COMPARED for other in (CLIMATOLOGY, GEOSTROPHIC, EKMAN)}
    differences |= {less("crps", dressed(other)) for other in (CLIMATOLOGY, GEOSTROPHIC, EKMAN)}
    ranked = {"rank_distance", "outside"}
    assert {metric for product, metric in hourly if product == OURS} == set(METRICS) | differences | ranked
    assert {metric for product, metric in hourly if product == dressed(EKMAN)} == {"crps", "spread_skill"}
    assert hourly[OURS, "vector_error"]["value"] == value(judged.card, OURS)
    low, high = judged.card.interval()["vector_error"].sel(product=OURS).squeeze().values
    assert hourly[OURS, "vector_error"]["beside"] == {"low": low, "high": high}
    assert hourly["", "drifters"]["value"] == 10 and hourly["", "observations"]["value"] == 2650
    gain = labelled(rows, DAILY)[OURS, less("vector_error", GEOSTROPHIC)]
    assert gain["value"] == value(judged.filtered, OURS) - value(judged.filtered, GEOSTROPHIC)
    assert gain["beside"]["low"] < gain["value"] < gain["beside"]["high"] and gain["target"] is None
    assert gain["name"] == "vector_error, ours less another, 24-hour means, L4 geostrophic"
    shares = pick(tidy(rows), metric="rank_share", method=OURS)["value"]
    assert len(shares) == 4 and np.mean(shares) == pytest.approx(1)
    assert hourly[OURS, "outside"]["value"] == pytest.approx(shares.iloc[[0, -1]].mean())
    assert hourly[OURS, "rank_distance"]["value"] == pytest.approx(abs(shares - 1).mean() / 2)


def targets(rows: list[dict], metric: str = "vector_error") -> dict:
    words = f"{metric} (m/s), upper end of the 95 % interval of the difference, ours less another"
    names = {f"{words}, {ose.IN_WORDS.get(name, name)}": name for name in ose.ORDER}
    return {names[row["name"]]: row["met"] for row in rows if row["name"] in names}


def test_targets_are_met_by_the_truth_and_missed_by_a_bias(judged, archive):
    rows = ose.rows_of(judged)
    assert targets(rows)[GEOSTROPHIC] is True and targets(rows)[EKMAN] is True
    products = {CLIMATOLOGY: maps(BACKGROUND), OURS: maps(three(0.3 + BIAS), three(0.1)), MEMBER: maps(0.0, 0.0)}
    other = ose.rows_of(ose.against_drifters(products, archive, samples=50))
    assert targets(other) == {CLIMATOLOGY: False, MEMBER: None}  # a part of ours is there to learn from
    headlines = [row for row in rows if not row["detail"]]
    assert all("ours less another" in row["name"] or row["case"] == HOURLY for row in headlines)
    # Where the observations' error is most of it, a ratio of one says little: it is told, and judges nothing.
    (ratio,) = (row for row in headlines if row.get("metric") == "spread_skill")
    assert ratio["target"] is None and ratio["method"] == OURS


def test_in_crps_the_dressed_products_are_to_be_beaten(judged, archive):
    """The score of a product as delivered is shown, and no target rests on it; a part of ours is not dressed."""
    rows = ose.rows_of(judged)
    met = targets(rows, "crps")
    assert list(met) == [dressed(name) for name in (CLIMATOLOGY, GEOSTROPHIC, EKMAN)]
    assert met[dressed(GEOSTROPHIC)] is True
    # A spread makes up for a bias in part: the gain over the product as delivered was larger.
    gains = [labelled(rows, DAILY)[OURS, less("crps", n)]["value"] for n in (GEOSTROPHIC, dressed(GEOSTROPHIC))]
    assert gains[0] < gains[1] < 0
    assert value(judged.filtered, dressed(GEOSTROPHIC), "crps") < value(judged.filtered, GEOSTROPHIC, "crps")
    assert dressed(OURS) not in judged.card.value["product"]  # it has members
    products = {CLIMATOLOGY: maps(BACKGROUND), OURS: maps(three(0.3 + BIAS), three(0.1)), MEMBER: maps(0.0, 0.0)}
    other = ose.against_drifters(products, archive, samples=20)
    assert dressed(MEMBER) not in other.card.value["product"]
    assert targets(ose.rows_of(other), "crps") == {dressed(CLIMATOLOGY): False, MEMBER: None}


def test_printed_intervals_are_those_of_drifters(judged):
    """All of 95 %, by the same draws of drifters; two of one latitude would be no more than one."""
    rows = [row for row in ose.rows_of(judged) if {"low", "high"} <= set(row["beside"])]
    assert {row["case"] for row in rows} == {HOURLY, DAILY, ose.UNDROGUED} and len(rows) > 50
    card = judged.card
    for product, metric in ((GEOSTROPHIC, "vector_error"), (dressed(EKMAN), "crps"), (OURS, "spread_skill")):
        drawn = card.resampled[metric].sel(product=product, group="all").values
        beside = labelled(rows, HOURLY)[product, metric]["beside"]
        assert [beside["low"], beside["high"]] == pytest.approx(np.quantile(drawn, [0.025, 0.975]).tolist())
    for other in (EKMAN, dressed(EKMAN)):
        drawn = card.resampled["crps"].sel(product=OURS) - card.resampled["crps"].sel(product=other)
        beside = labelled(rows, HOURLY)[OURS, less("crps", other)]["beside"]
        assert [beside["low"], beside["high"]] == pytest.approx(np.quantile(drawn, [0.025, 0.975]).tolist())


def test_products_without_ours_are_judged_too(archive):
    """A run of a baseline alone, and the quick one, have nothing to subtract."""
    judged = ose.against_drifters({CLIMATOLOGY: maps(BACKGROUND), OI: maps(0.0, 0.0)}, archive, samples=20)
    assert judged.ranks is None
    told, shown = [], []
    rows = ose.rows_of(judged)
    ose.show_drifters(tidy(rows), judged, "12 days", told.append, shown.append)
    assert labelled(rows, HOURLY)[CLIMATOLOGY, "vector_error"]["value"] == pytest.approx(INERTIAL, rel=1e-6)
    assert (OI, "crps") in labelled(rows, HOURLY)
    assert not any("less" in row["metric"] or row["target"] for row in rows)
    assert len(shown) == 5 and "10 drifters with a drogue" in told[0]


def test_tables_are_found_again_in_the_rows(judged, refuses):
    frame = tidy(json.loads(json.dumps(ose.rows_of(judged))))
    here = pick(frame, case=HOURLY, zone="all", metric=METRICS)
    table = pivot(here)
    assert table.loc[OURS, "vector_error"] == pytest.approx(INERTIAL, rel=1e-6)
    assert list(table.index) == [*DELIVERED, OURS] and list(table.columns) == list(METRICS)
    assert np.isnan(table.loc[dressed(EKMAN), "vector_error"])  # that of the product
    low, high = (one_number(here, bound, method=GEOSTROPHIC, metric="crps") for bound in ("low", "high"))
    assert low <= table.loc[GEOSTROPHIC, "crps"] <= high
    gain = ose.ours_less(frame, "crps", case=HOURLY)
    assert list(gain.index) == DELIVERED
    assert list(ose.ours_less(frame, "vector_error", case=HOURLY).index) == [CLIMATOLOGY, GEOSTROPHIC, EKMAN]
    own = ose.differences(judged.card).loc[GEOSTROPHIC]["crps"]
    assert gain.loc[GEOSTROPHIC].to_dict() == own.to_dict()
    assert set(pick(frame, zone=ose.REGIONS)["zone"]) == set(ose.REGIONS)
    with refuses("no result with case 'hourley'", "24-hour means", "hourly"):
        pick(frame, case="hourley")


def test_the_figure_of_differences_has_the_dressed_products_in_crps_alone(judged):
    left, right = plot_differences(tidy(ose.rows_of(judged))).axes
    assert [label.get_text() for label in left.get_yticklabels()] == DELIVERED
    for ax, expected in ((left, {0, 2, 4}), (right, set(range(6)))):
        assert {round(float(line.get_ydata()[0])) for line in ax.lines if len(line.get_xdata()) == 1} == expected


# --- Trajectories ----------------------------------------------------------------------------------------------------


def drifting(speed: float, numbers=(0, 1, 2), hours: int = 24 * 8) -> xr.Dataset:
    """Drifters that go north-east with a current, each from its own place."""
    parts = []
    for number in numbers:
        start = np.array([34.0 + number]), np.array([-62.0 + number])
        path = advect(lambda s, lat, lon: np.full((1, 2), speed), 0.0, *start, hours)[:, 0]
        parts.append((np.full(hours + 1, speed), path))
    each = [hours + 1] * len(parts)
    return xr.Dataset(
        {n: ("obs", np.concatenate([s for s, _ in parts])) for n in ("u", "v")} | {"rowsize": ("traj", each)},
        {
            "id": ("traj", [f"d{number}" for number in numbers]),
            "time": ("obs", np.tile(noon(30) + np.arange(hours + 1) * HOUR, len(parts))),
            "latitude": ("obs", np.concatenate([path[:, 0] for _, path in parts])),
            "longitude": ("obs", np.concatenate([path[:, 1] for _, path in parts])),
        },
    )


def test_synthetic_drifters_in_the_same_current_do_not_part():
    """Ours has it, the others have none: they part by the way the real ones go."""
    still = maps(0.0, 0.0)
    found = ose.separated(
        {GEOSTROPHIC: still, EKMAN: still, OURS: maps(three(0.2), three(0.2))}, drifting(0.2), samples=50
    )
    daily = np.hypot(0.2, 0.2) * 86.4 * np.arange(1, 6)  # km
    mean, less = found.mean["value"], found.less["value"]
    np.testing.assert_allclose(mean.sel(product=OURS), 0, atol=1e-3)  # the mean of the members' currents
    np.testing.assert_allclose(mean.sel(product=EKMAN), daily, rtol=3e-3)
    np.testing.assert_allclose(less.sel(product=EKMAN), -daily, rtol=3e-3)
    np.testing.assert_allclose(found.stayed, daily, rtol=3e-3)
    assert (found.less["high"].sel(product=EKMAN) < 0).all() and (found.less.sel(product=OURS) == 0).to_array().all()
    assert (found.mean["low"] <= mean).all() and (mean <= found.mean["high"]).all()
    assert found.starts == 3 * 4 and mean.dims == ("product", "day")


def test_identical_currents_part_alike():
    found = ose.separated({OURS: maps(0.1, 0.0), EKMAN: maps(0.1, 0.0)}, drifting(0.2, (0, 1)), samples=20)
    assert (found.less.to_array() == 0).all()
    rows = ose.separation_rows(found)
    assert all(row["detail"] and row["target"] is None for row in rows)
    assert len({row["name"] for row in rows}) == len(rows)
    assert set(pick(tidy(rows), metric=less("separation", EKMAN), method=OURS)["value"]) == {0}
    stayed = [row["value"] for row in rows if row["method"] == "none moves"]
    np.testing.assert_allclose(stayed, found.stayed)


def test_without_ours_no_separation_is_called_ours_less_another():
    found = ose.separated({CLIMATOLOGY: maps(0.0, 0.0), OI: maps(0.2, 0.2)}, drifting(0.2, (0, 1)), samples=20)
    assert {row["metric"] for row in ose.separation_rows(found)} == {"separation"}


# --- The withheld altimeter and the truth ----------------------------------------------------------------------------


def test_the_withheld_altimeter_tells_levels_and_scales(archive, tmp_path):
    here = xr.DataArray(level(LATITUDE[:, None], LONGITUDE), {"latitude": LATITUDE, "longitude": LONGITUDE})
    days = range(30, 36)
    keep(tmp_path, OURS, maps(0.0, 0.0, days, zos=here + xr.DataArray([-0.1, 0.0, 0.1], dims="member"))[["zos"]])
    keep(tmp_path, CLIMATOLOGY, maps(0.0, 0.0, days, zos=0.0)[["zos"]])
    table = ose.against_altimeter(archive, tmp_path)
    assert list(table.index) == [CLIMATOLOGY, OURS, "L4"] and (table["points"] == 600).all()
    # Linear interpolation of a linear field, written in float64.
    assert table.loc[OURS, "RMSE (m)"] == pytest.approx(0, abs=1e-6) and table.loc[OURS, "score"] == pytest.approx(
        1, abs=1e-5
    )
    assert table.loc["L4", "RMSE (m)"] == pytest.approx(0.1, rel=1e-6)
    north = np.linspace(33.3, 42.7, 150)
    rms = np.sqrt(np.mean(level(north, -60 + 0.2 * (north - 38)) ** 2))
    assert table.loc[CLIMATOLOGY, "RMSE (m)"] == pytest.approx(rms, rel=1e-6)
    assert table.loc[CLIMATOLOGY, "score"] == pytest.approx(0, abs=1e-6)
    assert table.loc["L4", "score"] == pytest.approx(1 - 0.1 / rms, rel=1e-5)
    # Of no sea level the error is the signal, at all scales: nothing up to the longest wave is resolved.
    assert table.loc[CLIMATOLOGY, "resolves (km)"] == pytest.approx(800, rel=0.02)
    assert len(ose.frame_rows(ALTIMETER, table)) == table.size


def test_the_truth_is_asked_of_the_twin_alone(archive, tmp_path, monkeypatch):
    def forbidden(name):
        raise AssertionError(f"{name} was asked for")

    monkeypatch.setattr(ose, "load_sample", forbidden)
    keep(tmp_path, OURS, maps(three(0.3), three(0.1), (31, 32)))
    assert ose.against_truth(tmp_path, archive) is None


@pytest.fixture
def twin(archive, monkeypatch) -> xr.Dataset:
    """The truth of four days, which the archive's maps know nothing of but for the sea level's slope."""
    rng, shape = np.random.default_rng(0), (4, 11, 11)
    coords = {"time": [noon(day) for day in (31, 32, 33, 34)], "latitude": LATITUDE, "longitude": LONGITUDE}
    fields = {name: (tuple(coords), rng.normal(size=shape)) for name in ose.TRUE}
    truth = xr.Dataset(fields, coords)
    truth["zos"] = truth["zos"] + level(LATITUDE[:, None], LONGITUDE)
    monkeypatch.setattr(ose, "TWIN", archive.folder)
    rounded = truth.assign_coords(longitude=LONGITUDE + 1e-13)  # the same points, counted in another way
    monkeypatch.setattr(ose, "load_sample", lambda name: {"twin_truth": rounded}[name])
    return truth


def test_errors_against_the_truth_by_hand(archive, twin, tmp_path):
    """Sea level off by a constant and temperature by half a degree; members spread by a tenth."""
    found = twin.isel(time=slice(2))
    shift = {"zos": 0.31, "thetao": 0.5, "so": 0.0, "uo": 0.2, "vo": -0.2}
    found = found.map(lambda field: field + shift[field.name])
    keep(tmp_path, REGRESSION, found)
    keep(tmp_path, OURS, found + xr.DataArray([-0.1, 0.0, 0.1], dims="member"))
    table = ose.against_truth(tmp_path, archive)
    delivered = [L4, GEOSTROPHIC, EKMAN, REGRESSION]
    assert list(table.index) == [name for one in delivered for name in (one, dressed(one))] + [OURS]
    assert table.loc[OURS, ["zos", "thetao", "uo", "vo"]].tolist() == pytest.approx([0, 0.5, 0.2, 0.2], abs=1e-6)
    # A variance of 0.01, times 4 / 3 for three members.
    assert table.loc[OURS, "thetao, spread/skill"] == pytest.approx(0.1 * np.sqrt(4 / 3) / 0.5, rel=1e-5)
    # Mean distance 0.5 (all members on one side), less half the mean distance of pairs, (0.1 + 0.1 + 0.2) / 3.
    assert table.loc[OURS, "thetao, CRPS"] == pytest.approx(0.5 - 0.5 * 0.4 / 3, rel=1e-5)
    # Below all members always: twice as often as two ranks of four would be, three quarters in the wrong rank.
    assert table.loc[OURS, "thetao, outside"] == 2 and table.loc[OURS, "thetao, ranks"] == 0.75
    assert table.loc[REGRESSION, "thetao, CRPS"] == pytest.approx(0.5, rel=1e-5)  # the mean absolute error
    assert np.isnan(table.loc[REGRESSION, "thetao, spread/skill"])
    assert np.isnan(table.loc[OURS, "so, days ahead of ours"])
    # One error everywhere: the deviation with the least score is error / sqrt(ln 2), whatever the class.
    assert table.loc[dressed(REGRESSION), "thetao, spread/skill"] == pytest.approx(1 / np.sqrt(np.log(2)), rel=1e-3)
    assert table.loc[dressed(REGRESSION), "thetao, CRPS"] < 0.45
    rows = ose.frame_rows(TRUTH, table)
    assert all(np.isfinite(row["value"]) for row in rows)
    assert not tidy(rows).duplicated(["method", "channel", "metric"]).any()
    judging = {row["channel"]: row["met"] for row in rows if row["target"]}
    assert judging == dict.fromkeys(ose.TRUE, False)  # spread over error is 0.9 to 1.1 nowhere


def test_a_report_tells_what_there_is_against_the_truth(archive, twin, tmp_path):
    """Of a product alone: no ranks of an ensemble, no days ahead of ours, and no word of them."""
    keep(tmp_path, REGRESSION, twin.isel(time=slice(2)) + 0.5)
    said, shown = [], []
    rows = ose.report(archive, tmp_path, 5, 0, said.append, shown.append)
    titles = [line for line in said if "twin's truth" in line]
    assert [title.split(": ")[1].split(",")[0].split(" o")[0].strip() for title in titles] == ["RMSE", "CRPS", "spread"]
    assert one_number(tidy(rows), case=TRUTH, method=L4, metric="rmse", channel="zos") > 0
    assert list(shown[-3].index)[:3] == [L4, GEOSTROPHIC, EKMAN] and not any(row["target"] for row in rows)
    assert "nan" not in shown[0]["95 %"].str.cat()


def test_mapped_sea_level_stands_beside_the_methods(archive, twin, tmp_path):
    """Up to its mean, the map is the truth's slope: what is left is noise of one metre. On the days on which ours errs
    by half of that the map is not ahead, on the others it is."""
    found = twin[list(ose.TRUE)].copy(deep=True)
    found["zos"] = twin["zos"] + xr.DataArray([0.5, 0.5, 0.5, 3.0], dims="time") * np.sign(twin["vo"])
    keep(tmp_path, OURS, found + xr.DataArray([-0.1, 0.0, 0.1], dims="member"))
    table = ose.against_truth(tmp_path, archive)
    noise = twin["zos"] - level(LATITUDE[:, None], LONGITUDE)
    assert table.loc[L4, "zos"] == pytest.approx(float(noise.std()), rel=1e-5)
    # A Gaussian error: dressed it has the score of its own deviation, as delivered sqrt(2) times that.
    assert table.loc[dressed(L4), "zos, CRPS"] == pytest.approx(float(noise.std()) / np.sqrt(np.pi), rel=0.08)
    assert table.loc[L4, "zos, CRPS"] == pytest.approx(float(noise.std()) * np.sqrt(2 / np.pi), rel=0.08)
    assert (table.loc[L4, "zos, days ahead of ours"], table.loc[L4, "days"]) == (1, 4)
    assert table.loc[[GEOSTROPHIC, EKMAN], "uo, days ahead of ours"].tolist() == [0, 0]
    error = twin["uo"] - 0.3 - BIAS
    assert table.loc[GEOSTROPHIC, "uo"] == pytest.approx(float(np.sqrt((error**2).mean())), rel=1e-5)
    assert table.loc[EKMAN, "uo"] != table.loc[GEOSTROPHIC, "uo"] and np.isnan(table.loc[L4, "uo"])
    rows = ose.frame_rows(TRUTH, table)
    assert one_number(tidy(rows), method=L4, channel="zos", metric="days_ahead") == 1


# --- The report and the command --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def results(archive, tmp_path_factory) -> Path:
    """A week of ours, which has the truth, and of a biased regression; interpolation of two days of it."""
    folder = tmp_path_factory.mktemp("results")
    residual = {"u_ageo_eddy": 0.05, "v_ageo_eddy": 0.0}
    keep(folder, OURS, maps(three(0.3), three(0.1), range(31, 38), zos=0.4, **residual))
    keep(folder, REGRESSION, maps(BACKGROUND + BIAS, None, range(31, 38), zos=0.2))
    keep(folder, OI, maps(three(0.3), three(0.2), (33, 34), zos=0.4))
    return folder


@pytest.fixture(scope="module")
def report(archive, results) -> tuple[list[str], list[pd.DataFrame], list[dict]]:
    said, shown, separated = [], [], ose.separated

    def of_two(products, drifters, samples, seed):
        """To follow drifters takes time: two of the products will do."""
        assert list(products) == [GEOSTROPHIC, EKMAN, REGRESSION, OURS, MEMBER, WITHOUT]
        return separated({name: products[name] for name in (REGRESSION, OURS)}, drifters, samples, seed)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ose, "separated", of_two)
        rows = ose.report(archive, results, 50, 0, said.append, shown.append)
    return said, shown, rows


def test_a_report_tells_tables_and_gives_their_numbers(report):
    said, shown, rows = report
    text = "".join(said)
    for title in (
        "7 days: 1,450 hourly velocities of 10 drifters",
        "2 of these days: 250",
        "24-hour means",
        "undrogued",
    ):
        assert title in text
    for title in ("by speed", "by region", "Separation", "20 starts", "At the withheld altimeter (c2)"):
        assert title in text
    assert "truth" not in text
    assert len(said) == len(shown) and all(isinstance(frame, pd.DataFrame) for frame in shown)
    without = [name for one in (GEOSTROPHIC, EKMAN, REGRESSION) for name in (one, dressed(one))]
    assert list(shown[0].index) == [*without, OURS, MEMBER, WITHOUT]
    assert len({row["name"] for row in rows}) == len(rows)
    for row in rows:
        assert {"name", "value", "target", "met"} <= set(row)
    assert not tidy(rows).duplicated(["case", "date", "method", "channel", "zone", "metric"]).any()
    assert labelled(rows, HOURLY)[OURS, "vector_error"]["value"] == pytest.approx(INERTIAL, rel=1e-5)
    assert labelled(rows, ALTIMETER)[REGRESSION, "rmse"]["value"] > 0.1


def test_methods_of_few_days_are_compared_on_these(report):
    _, _, rows = report
    all_days, few = labelled(rows, HOURLY), labelled(rows, HOURLY, "2 days")
    assert (OI, "vector_error") in few and (OI, "vector_error") not in all_days
    assert (
        few["", "observations"]["value"] == 10 * 25
        and all_days["", "observations"]["value"] == 10 * 145
    )
    assert all(row["detail"] for row in few.values())
    assert any(row["target"] and not row["detail"] for row in rows)


def test_separations_of_the_report_are_those_of_the_currents(report):
    """The regression is wrong by 0.2 m/s, so that its drifters part from ours by 17 km a day."""
    _, _, rows = report
    frame = tidy(rows)
    apart = pivot(pick(frame, metric="separation"), columns="zone")
    assert list(apart) == [f"{day} d" for day in range(1, 6)]
    assert apart.loc[REGRESSION, "1 d"] != apart.loc[OURS, "1 d"]
    ours_less = one_number(frame, metric=less("separation", REGRESSION), method=OURS, zone="5 d")
    assert ours_less == pytest.approx(apart.loc[OURS, "5 d"] - apart.loc[REGRESSION, "5 d"])


def test_days_without_a_pass_of_the_withheld_altimeter_are_judged_by_drifters_alone(archive, tmp_path):
    """It crosses the box every other day; here on the 31st to the 34th."""
    keep(tmp_path, REGRESSION, maps(BACKGROUND, None, (36, 37), zos=0.4))
    said, shown = [], []
    rows = ose.report(archive, tmp_path, 10, 0, said.append, shown.append)
    assert labelled(rows, HOURLY)[REGRESSION, "vector_error"]["value"] == pytest.approx(INERTIAL, rel=1e-5)
    assert not labelled(rows, ALTIMETER) and "c2" in "".join(said)


def test_maps_to_keep_are_means_and_spreads_of_every_second_point(results):
    found = ose.summary_maps(results)
    assert set(found.data_vars) == {"uo", "vo", "zos", "spread"} and found["uo"].dims == (
        "time",
        "latitude",
        "longitude",
    )
    np.testing.assert_array_equal(found["latitude"], LATITUDE[::2])
    np.testing.assert_allclose(found["uo"], 0.3, rtol=1e-5)
    np.testing.assert_allclose(found["spread"], 0.1 * np.sqrt(2), rtol=1e-5)  # 0.1 in u and in v


def invoked(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_commands_explain_themselves():
    for command, words in (
        (("ose", "--help"), ("--data", "--method", "--withheld")),
        (("evaluate", "ose", "--help"), ("--quick",)),
    ):
        told = invoked(*command)
        assert told.exit_code == 0
        for word in words:
            assert word in told.output


def test_what_the_commands_cannot_do_is_told_in_one_sentence(archive, tmp_path):
    nowhere = tmp_path / "no" / "where"
    for arguments, words in (
        (("evaluate", "ose"), ("--folder", "--quick")),
        (("evaluate", "ose", "--folder", nowhere), ("no such folder", "genda ose")),
        (("evaluate", "ose", "--folder", tmp_path, "--data", archive.folder), ("no analyses", "genda ose")),
        (("evaluate", "ose", "--folder", tmp_path, "--data", nowhere), ("no such folder", "genda download ose")),
        (("evaluate", "ose", "--folder", tmp_path, "--json", nowhere), ("cannot be written", "does not exist")),
        (("ose", "--out", tmp_path / "out", "--data", nowhere), ("no such folder",)),
        (("ose", "--out", tmp_path / "out", "--data", archive.folder, "--members", 1), ("at least two members",)),
        (
            ("ose", "--out", tmp_path / "out", "--data", archive.folder, "--days", 99),
            ("35 days to analyse", "expected 99"),
        ),
    ):
        told = invoked(*arguments)
        assert isinstance(told.exception, InputError), (arguments, told.output)
        message = str(told.exception)
        assert "\n" not in message and all(word in message for word in words), message
    assert not list(tmp_path.iterdir())


def test_the_command_judges_a_folder_and_keeps_rows_and_maps(archive, results, report, tmp_path, monkeypatch):
    asked, (_, shown, rows) = [], report

    def told_before(data, folder, samples, seed, say, show):
        asked.append((data.folder, data.withheld, folder, samples, seed))
        show(shown[0])
        return rows

    monkeypatch.setattr(ose, "report", told_before)
    where = ("--folder", results, "--data", archive.folder, "--samples", 20, "--seed", 3, "--withheld", "c2")
    told = invoked("evaluate", "ose", *where, "--json", tmp_path / "rows.json", "--maps", tmp_path / "maps.nc")
    assert told.exit_code == 0, told.exception
    assert asked == [(archive.folder, "c2", results, 20, 3)]
    lines = told.output.splitlines()
    assert any(line.startswith("| product | vector_error | 95 % |") for line in lines)
    assert any(line.startswith("| quantity | value | target | met |") for line in lines)
    saved = json.loads((tmp_path / "rows.json").read_text())
    assert len(saved) == len(rows) and sum(line.startswith(f"| {OURS} |") for line in lines) == 1
    assert labelled(saved, HOURLY)[OURS, "vector_error"]["value"] == pytest.approx(INERTIAL, rel=1e-5)
    with xr.open_dataset(tmp_path / "maps.nc", engine="h5netcdf") as ds:
        np.testing.assert_allclose(ds["uo"], 0.3, atol=2.6e-3)  # in integers of 5 mm/s
    assert sorted(path.name for path in tmp_path.iterdir()) == ["maps.nc", "rows.json"]


def test_the_quick_command_makes_its_own_two_days(archive, monkeypatch):
    made = {}

    def run(one, folder, days, names):
        made.update(days=days, names=names, members=one.setting.members)
        for name in names:
            keep(folder, name, maps(three(0.3), three(0.1), (33, 34), zos=0.4))

    monkeypatch.setattr(experiment, "run", run)
    told = invoked("evaluate", "ose", "--quick", "--data", archive.folder, "--samples", 20)
    assert len(made["days"]) == 2 and made["days"][1] - made["days"][0] == DAY
    assert (made["names"], made["members"]) == ((CLIMATOLOGY, OI, REGRESSION, OURS_FAST), 4)
    assert told.exit_code == 0, told.exception
    assert "quick: two days" in told.output and "| climatology |" in told.output


def test_the_quick_command_can_do_with_a_month(archive, tmp_path, monkeypatch):
    """As a first month of a download is: winds of thirty days, of which twenty can be analysed."""
    (tmp_path / "tracks_j3_200006").mkdir()
    with xr.open_dataset(archive.folder / "winds_2000.nc", engine="h5netcdf") as ds:
        write(ds.isel(time=slice(30)), tmp_path / "winds_200006.nc")
    asked = []

    def run(one, folder, days, names):
        asked.extend(days)
        raise InputError("as far as here")

    monkeypatch.setattr(experiment, "run", run)
    told = invoked("evaluate", "ose", "--quick", "--data", tmp_path)
    assert str(told.exception) == "as far as here" and len(asked) == 2
