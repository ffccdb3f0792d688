"""The observing system experiment: windows that fit together, settings that do what they say, runs that go on."""

import json
import shutil
from dataclasses import asdict, replace
from functools import lru_cache, partial
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from test_in_time import covariance
from test_trajectory import STATE

from genda_lite.baselines.interpolation import Ensemble, climatological_ensemble
from genda_lite.observe.files import read_observations
from genda_lite.observe.instruments import InstrumentErrors
from genda_lite.observe.table import Observations
from genda_lite.prepare import total_current
from genda_lite.prior import DiffusionPrior, GaussianPrior, NetworkConfig, load_prior
from genda_lite.prior.checkpoint import FORMAT_3, save_prior
from genda_lite.sources import Archive, opening
from genda_lite.sources.archive import TWIN
from genda_lite.state import CHANNELS, QUANTUM, Grid
from genda_lite.verify import engine
from genda_lite.verify.engine import CLIMATOLOGY, IN_TIME, OI, OURS, OURS_FAST, REGRESSION, Method, interpolated
from genda_lite.verify.ose import experiment as ex
from genda_lite.verify.ose.experiment import STORED, Experiment, Setting

HOUR, DAY = np.timedelta64(1, "h"), np.timedelta64(1, "D")
FIRST = np.datetime64("2000-06-01", "ns")
WINDOW = (-62.667, -57.416, 35.333, 40.584)  # one of the shipped prior's
SETTING = Setting(members=2, steps=2, cell=72.0, products=(), box=WINDOW)
QUICK = (CLIMATOLOGY, OI, REGRESSION)
POINTS = 40  # of a pass


def write(ds: xr.Dataset, path: Path) -> None:
    ds.to_netcdf(path, engine="h5netcdf")


def archive_of(folder: Path, constant: float = 0.0, days: int = 13, box=WINDOW) -> Archive:
    """Two altimeters that cross a box every day, and a wind; the withheld products are there and cannot be read."""
    folder.mkdir()
    west, east, south, north = box
    for hour, mission in ((6, "j3"), (15, "alg")):
        latitude = np.tile(np.linspace(south + 0.05, north - 0.05, POINTS), days)
        day = np.repeat(np.arange(days), POINTS)
        longitude = west + (0.5 + 0.4 * np.sin(1.7 * day + hour)) * (east - west) + 0.1 * (latitude - south)
        sla = constant + 0.2 * np.sin(3 * longitude + day / 9) - 0.15 * (latitude - 38)
        fields = {"sla_unfiltered": sla, "mdt": np.full(sla.size, 0.4)}
        second = np.tile(np.arange(POINTS), days) * np.timedelta64(1, "s")
        coords = {
            "time": FIRST + day * DAY + hour * HOUR + second,
            "latitude": ("time", latitude, {"units": "degrees_north"}),
            "longitude": ("time", longitude % 360, {"units": "degrees_east"}),
        }
        ds = xr.Dataset({name: ("time", values, {"units": "m"}) for name, values in fields.items()}, coords)
        write(ds.assign_attrs(platform=mission), folder / f"tracks_{mission}_2000.nc")
    coords = {
        "time": FIRST + np.arange(days) * DAY,
        "latitude": ("latitude", np.arange(south - 1, north + 1, 0.5), {"units": "degrees_north"}),
        "longitude": ("longitude", np.arange(west - 1, east + 1, 0.5), {"units": "degrees_east"}),
    }
    shape = tuple(len(value[1]) if isinstance(value, tuple) else len(value) for value in coords.values())
    wind = {name: (tuple(coords), np.full(shape, 5.0), {"units": "m s-1"}) for name in ("uas", "vas")}
    write(xr.Dataset(wind, coords), folder / "winds_2000.nc")
    for name in ("tracks_c2_2000.nc", "drifters_2000.csv.gz"):
        (folder / name).write_text("whoever reads this, fails")
    return Archive(folder)


# --- Windows ---------------------------------------------------------------------------------------------------------


def points(ny: int, nx: int) -> Grid:
    return Grid.around(-60.0, 38.0, (ny, nx))


def places(windows: list[Grid], grid: Grid) -> list[tuple[int, int]]:
    """Rows and columns at which windows begin."""
    corners = (grid.nearest(w.latitude[:1], w.longitude[:1]) for w in windows)
    return [(int(row[0]), int(column[0])) for row, column in corners]


@pytest.mark.parametrize("shape", [(64, 64), (65, 64), (121, 121), (127, 128), (70, 200), (310, 64)])
def test_windows_cover_a_grid_and_overlap(shape):
    grid = points(*shape)
    windows = ex.tiles(grid, (64, 64))
    starts = places(windows, grid)
    assert starts == sorted(starts)  # row by row
    for axis, size in enumerate(shape):
        begin = np.array(sorted({start[axis] for start in starts}))
        # n windows of 64 points, neighbours sharing one or more, hold 63 n + 1 points.
        assert len(begin) == -(-(size - 1) // 63)
        assert begin[0] == 0 and begin[-1] == size - 64
        assert (np.diff(begin) < 64).all() and np.ptp(np.diff(begin)) <= 1 if len(begin) > 1 else size == 64
    assert all(window.shape == (64, 64) for window in windows)
    assert len(starts) == len({a for a, _ in starts}) * len({b for _, b in starts})


def test_a_grid_smaller_than_a_window_is_refused(refuses):
    with refuses("63 x 80 points", "(64, 64)"):
        ex.tiles(points(63, 80), (64, 64))
    with refuses("80 x 63 points", "(64, 64)"):
        ex.tiles(points(80, 63), (64, 64))


def test_weights_by_hand():
    """Two windows of four that share three columns of five."""
    grid = points(4, 5)
    share = ex.weights(ex.tiles(grid, (4, 4)), grid)
    np.testing.assert_allclose(share[0], np.tile([1, 0.75, 0.5, 0.25, 0], (4, 1)))
    np.testing.assert_allclose(share[1], np.tile([0, 0.25, 0.5, 0.75, 1], (4, 1)))


@pytest.mark.parametrize("shape", [(64, 64), (121, 121), (64, 121), (190, 121)])
def test_weights_add_to_one_and_have_no_favourite_side(shape):
    grid = points(*shape)
    windows = ex.tiles(grid, (64, 64))
    share = ex.weights(windows, grid)
    np.testing.assert_allclose(share.sum(0), 1, rtol=1e-12)
    np.testing.assert_allclose(share, share[::-1, ::-1, ::-1], atol=1e-12)  # the last window is the first one turned
    for one, (j, i) in zip(share, places(windows, grid), strict=True):
        inside = np.zeros(shape, bool)
        inside[j : j + 64, i : i + 64] = True
        assert (one[~inside] == 0).all() and (one[inside] > 0).all()
    alone = (share > 0).sum(0) == 1
    assert alone.any() and (share.max(0)[alone] == 1).all()


def parts_of(windows: list[Grid], values: list[np.ndarray]) -> list[xr.Dataset]:
    """A field in each window; values of shape (ny, nx), or (member, ny, nx)."""
    dims = ("member", "latitude", "longitude")
    return [
        xr.Dataset(
            {"zos": (dims[-value.ndim :], value, {"units": "m"})},
            w.coordinates() | ({"member": np.arange(len(value))} if value.ndim == 3 else {}),
        )
        for w, value in zip(windows, values, strict=True)
    ]


def test_what_is_constant_stays_constant():
    grid = points(40, 25)
    windows = ex.tiles(grid, (16, 16))
    members = np.array([1.0, -2.0, 7.0])[:, None, None]
    same = ex.stitched(parts_of(windows, [np.full((3, 16, 16), 4.0)] * len(windows)), windows, grid)["zos"]
    np.testing.assert_array_equal(same, np.full((3, 40, 25), 4, "f4"))
    assert same.dims == ("member", "latitude", "longitude") and same.attrs["units"] == "m" and same.dtype == "f4"
    np.testing.assert_array_equal(same["latitude"], grid.latitude)
    np.testing.assert_array_equal(same["longitude"], grid.longitude)
    one = points(16, 16)
    alone = ex.stitched(parts_of([one], [members * np.ones((16, 16))]), [one], one)["zos"]
    np.testing.assert_array_equal(alone, members * np.ones((16, 16)))


def test_a_field_without_members_is_blended():
    grid = points(4, 5)
    windows = ex.tiles(grid, (4, 4))
    out = ex.stitched(parts_of(windows, [np.full((4, 4), 1.0), np.full((4, 4), 3.0)]), windows, grid)["zos"]
    assert out.dims == ("latitude", "longitude")
    np.testing.assert_allclose(out, np.tile([1, 1.5, 2, 2.5, 3], (4, 1)))


def test_members_by_hand_where_windows_overlap():
    """Means 1 and 3; deviations +-1 and +-2: half-way, the mean of the means, and +-(1 + 2) / sqrt(2)."""
    grid, sign = points(4, 5), np.array([1.0, -1.0])[:, None, None] * np.ones((4, 4))
    windows = ex.tiles(grid, (4, 4))
    out = ex.stitched(parts_of(windows, [1 + sign, 3 + 2 * sign]), windows, grid)["zos"]
    middle = [[2 + 3 / np.sqrt(2)] * 4, [2 - 3 / np.sqrt(2)] * 4]
    np.testing.assert_allclose(out.isel(longitude=2), middle, rtol=1e-6)
    np.testing.assert_allclose(out.mean("member"), np.tile([1, 1.5, 2, 2.5, 3], (4, 1)), rtol=1e-6)


def test_a_seam_has_the_mean_of_the_variances_that_windows_have_at_their_edges():
    """Members that spread by one, and at the edges of their window, beyond which it knows nothing, by two."""
    rng, members, size = np.random.default_rng(1), 400, 12
    grid = points(size, 20)
    windows, spread = ex.tiles(grid, (size, size)), np.ones(size)
    spread[:4] = spread[-4:] = 2.0
    draws = [spread * rng.standard_normal((members, size, size)) for _ in windows]
    found = ex.stitched(parts_of(windows, draws), windows, grid)["zos"].var("member", ddof=1).mean("latitude").values
    share = ex.weights(windows, grid)[:, 0]
    expected = share[0] * np.append(spread, np.ones(8)) ** 2 + share[1] * np.append(np.ones(8), spread) ** 2
    np.testing.assert_allclose(found, expected, rtol=5 * np.sqrt(2 / members / size))
    overlap = (share > 0).all(0)
    assert overlap.sum() == 4 and found[overlap].min() > 3 and found[5] < 1.2  # it is seen in the spread


def test_the_variance_of_independent_members_is_kept_and_their_mean_blended():
    rng, members = np.random.default_rng(0), 20
    grid = points(40, 40)
    windows = ex.tiles(grid, (32, 32))
    draws = [rng.standard_normal((members, 32, 32)) for _ in windows]
    out = ex.stitched(parts_of(windows, draws), windows, grid)["zos"]
    share = ex.weights(windows, grid)
    between = share.max(0) < 0.8
    variance = out.var("member", ddof=1).values[between]
    # Of n independent points the mean of the variance has the standard error sqrt(2 / (members - 1) / n), by weights at
    # most; blending without square roots would leave sum a^2, 0.58 of it here.
    bound = 5 * np.sqrt(2 / (members - 1) / between.sum())
    assert bound < 0.1 and variance.mean() == pytest.approx(1, abs=bound)
    assert (share**2).sum(0)[between].mean() < 1 - 3 * bound
    whole = np.zeros((len(windows), members, *grid.shape))
    for one, draw, (j, i) in zip(whole, draws, places(windows, grid), strict=True):
        one[:, j : j + 32, i : i + 32] = draw
    np.testing.assert_allclose(out.mean("member"), (share * whole.mean(1)).sum(0), atol=1e-6)


def test_fields_have_the_mean_that_is_known(gaussian_prior, grid):
    prior, date = gaussian_prior, np.datetime64("2000-06-01", "ns")
    draws, mean = torch.randn(3, *prior.shape, generator=torch.Generator().manual_seed(0)), torch.zeros(prior.shape)
    moved, as_drawn, alone = (
        ex.fields_of(Ensemble(*e), prior, grid, date) for e in ((draws, mean), (draws,), (None, mean))
    )
    for found in (moved, as_drawn, alone):
        assert set(found) == set(STORED) and "time" not in found.coords
    assert alone["zos"].dims == ("latitude", "longitude")
    for name in ("zos", "thetao", "so", "u_ageo_eddy", "v_ageo_eddy"):
        np.testing.assert_allclose(moved[name].mean("member"), alone[name], atol=1e-5, err_msg=name)
        np.testing.assert_allclose(
            moved[name] - moved[name].mean("member"), as_drawn[name] - as_drawn[name].mean("member"), atol=1e-5
        )
    state = total_current(prior.standardizer.to_dataset(draws, grid, date), prior.standardizer)
    for name in STORED:
        np.testing.assert_array_equal(as_drawn[name], state[name], err_msg=name)


# --- Settings --------------------------------------------------------------------------------------------------------


def test_settings_that_cannot_be_are_refused(refuses):
    for wrong in ({"members": 1}, {"steps": 1}, {"window": 0.0}, {"window": np.nan}, {"error_factor": 0.0}):
        with refuses("at least two members and two steps", "above zero"):
            Setting(**wrong)
    for stranger in ("drifters", "tracks c2", "twin_truth"):
        with refuses("unknown products", stranger, "expected some of", "temperature L3"):
            Setting(products=("winds", stranger))


def test_a_setting_is_told_whole_and_differs_in_anything():
    setting = Setting(trajectory="c.safetensors", regression_in_time="d.safetensors")
    assert "in_time" not in Setting().text() and "trajectory" not in Setting().text()  # as results of before have it
    told = json.loads(setting.text())
    assert {k: tuple(v) if isinstance(v, list) else v for k, v in told.items()} == asdict(setting)
    changes = {"products": ("winds",), "box": WINDOW, "prior": "a.safetensors", "regression": "b.safetensors"}
    changes |= {"trajectory": "e.safetensors", "regression_in_time": "f.safetensors"}
    for name, value in asdict(setting).items():
        if name not in changes:
            changes[name] = not value if isinstance(value, bool) else value + 1
    others = [replace(setting, **{name: value}) for name, value in changes.items()]
    assert len({one.text() for one in (setting, *others)}) == len(asdict(setting)) + 1


def test_the_grid_is_all_points_of_a_twelfth_degree_in_the_box():
    grid = Setting().grid
    assert grid.shape == (121, 121) and str(grid) == "121 x 121 points, 33..43 N, 65..55 W"
    few = Setting(box=(-60.1, -59.9, 37.99, 38.26)).grid
    np.testing.assert_allclose(few.latitude * 12, [456, 457, 458, 459])
    np.testing.assert_allclose(few.longitude * 12, [-721, -720, -719])
    assert SETTING.grid.shape == (64, 64)


def test_switches_reach_the_errors_they_are_for():
    usual = InstrumentErrors(drift_length=Setting().drift_length)
    assert Setting().errors == usual and Setting(drift_length=250.0).errors == InstrumentErrors(drift_length=250.0)
    unweighted = Setting(weighted=False).errors
    assert unweighted.drift(np.array([0.0, 5.0])).tolist() == [0, 0] and unweighted == replace(usual, variability=0.0)
    on_the_grid = Setting(representativity=False).errors
    assert on_the_grid == replace(usual, representativity_sea_level=0.0, representativity_temperature=0.0)


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Archive:
    return archive_of(tmp_path_factory.mktemp("ose") / "archive")


@pytest.fixture
def observed(archive):
    """The observations of 7 June in a setting, each for itself."""
    return lambda **options: Experiment(archive, replace(SETTING, cell=0.0, **options)).observations("2000-06-07")[0]


def test_errors_are_those_of_the_setting(observed):
    """White noise of 2.5 cm, 1 cm that the grid cannot hold, and what the sea changes until the date."""
    seen = observed()
    # 06 h and 15 h are a quarter and an eighth of a day from noon: ten passes of each altimeter are within five days.
    assert len(seen) == 2 * 10 * POINTS and set(seen.channel) == {"zos"}
    lag = (seen.time - np.datetime64("2000-06-07T12", "ns")) / DAY
    assert abs(lag).max() <= 5
    change = 2 * 0.27**2 * (1 - np.exp(-((lag / 10) ** 2)))
    for length, alike in ((0.0, 1), (40.0, 40 / 6.6), (250.0, 250 / 6.6)):  # points 6.6 km apart that change together
        expected = np.sqrt(0.025**2 + 0.01**2 + alike * change)
        np.testing.assert_allclose(observed(drift_length=length).error, expected)
    np.testing.assert_allclose(observed(weighted=False).error, np.hypot(0.025, 0.01))
    np.testing.assert_allclose(observed(weighted=False, representativity=False).error, 0.025)
    attenuated = observed(error_factor=0.2)
    np.testing.assert_allclose(attenuated.error, 0.2 * seen.error)
    np.testing.assert_array_equal(attenuated.value, seen.value)


def test_age_is_an_error_or_a_time_and_never_both(archive, monkeypatch):
    """Methods with a covariance get it as a time, the others, and all if they are told so, as an error."""
    experiment = Experiment(archive, replace(SETTING, cell=0.0))
    told = {timely: experiment.observations("2000-06-07", timely)[0] for timely in (False, True)}
    np.testing.assert_allclose(told[True].error, np.hypot(0.025, 0.01))
    np.testing.assert_array_equal(told[True].value, told[False].value)

    posed, given = [], []
    prior, known = ex._tools(None, None, SETTING.steps)

    def method(task):
        given.append(task.observations)
        return known[CLIMATOLOGY].run(task)

    def build_problem(prior, seen, **options):
        posed.append((float(seen.error.max()), options.get("decorrelation")))
        return pose_of_all(prior, seen, **options)

    pose_of_all = engine.build_problem
    monkeypatch.setattr(engine, "build_problem", build_problem)
    monkeypatch.setattr(ex, "_tools", lambda *_: (prior, {CLIMATOLOGY: replace(known[CLIMATOLOGY], run=method)}))
    for options in ({}, {"decorrelation": 0.0}, {"weighted": False}):
        one = Experiment(archive, replace(SETTING, cell=0.0, **options))
        list(one.analyse(np.datetime64("2000-06-07"), [CLIMATOLOGY]))
    white, aged = float(told[True].error.max()), float(told[False].error.max())
    assert posed == [(white, Setting().decorrelation), (aged, None), (white, None)]
    assert [float(one.error.max()) for one in given] == [aged, aged, white]


def test_the_window_of_altimetry_and_the_box_bound_what_is_seen(archive, observed):
    assert len(observed(window=1.0)) == 2 * 2 * POINTS
    box = (-61.0, -58.0, 36.0, 39.0)
    few = Experiment(archive, replace(SETTING, cell=0.0, box=box)).observations("2000-06-07")[0]
    assert 0 < len(few) < 800 and (few.latitude >= 36).all() and (few.longitude <= -58).all()


def test_points_are_averaged_in_cells(archive, observed):
    every, cells = observed(), Experiment(archive, SETTING).observations("2000-06-07")[0]
    # A pass crosses eight or nine rows of 72 km, and sometimes a column.
    assert 2 * 10 * 8 <= len(cells) < 0.5 * len(every)
    assert (cells.error**-2.0).sum() == pytest.approx((every.error**-2.0).sum())


def test_temperature_is_averaged_in_cells_of_its_own(archive, monkeypatch):
    """Two values of each in one place, and cells for one of the two."""
    where = {name: ("point", [value, value]) for name, value in (("latitude", 38.0), ("longitude", -60.0))}
    pair = xr.Dataset({"zos": ("point", [0.1, 0.3]), "thetao": ("point", [20.0, 22.0])}, where)
    table = Observations.from_points(pair, "zos", 0.1) + Observations.from_points(pair, "thetao", 0.1)
    monkeypatch.setattr(ex, "read_observations", lambda *_: (table, []))
    for cells, expected in (((18.0, 0.0), {"zos": 1, "thetao": 2}), ((0.0, 36.0), {"zos": 2, "thetao": 1})):
        setting = replace(SETTING, cell=cells[0], temperature_cell=cells[1], reference=False)
        seen, _ = Experiment(archive, setting).observations("2000-06-07")
        assert {name: int((seen.channel == name).sum()) for name in expected} == expected
        assert seen.value[seen.channel == "zos"].mean() == pytest.approx(0.2)
        assert len(np.unique(seen.source)) == 2  # sources are kept apart


def test_the_reference_is_the_mean_of_all_that_is_assimilated(archive):
    """Of both altimeters and all days, less the climatology of the year; the withheld one cannot be read here."""
    experiment = Experiment(archive, SETTING)
    level, usual = [], load_prior("gaussian").standardizer
    for mission in ("j3", "alg"):
        with xr.open_dataset(archive.folder / f"tracks_{mission}_2000.nc", engine="h5netcdf") as ds:
            mean = usual.climatology(ds["latitude"].values, np.datetime64("NaT"))[0]
            level.append((ds["sla_unfiltered"] + ds["mdt"]).values - mean)
    assert experiment.reference() == pytest.approx(np.concatenate(level).mean())
    assert Experiment(archive, replace(SETTING, reference=False)).reference() == 0


def test_without_an_estimate_the_reference_is_unknown(archive, observed):
    estimated, unknown = observed(), observed(reference=False)
    np.testing.assert_allclose(unknown.value - estimated.value, Experiment(archive, SETTING).reference())
    assert set(estimated.reference_error) == {0.05} and set(unknown.reference_error) == {1.0}
    np.testing.assert_array_equal(estimated.error, unknown.error)


def test_only_sea_level_has_a_reference(archive):
    seen = Experiment(archive, replace(SETTING, products=("winds",))).observations("2000-06-07")[0]
    wind = seen.channel != "zos"
    assert wind.any() and (seen.reference_error[wind] == 0).all() and (seen.reference_error[~wind] == 0.05).all()
    np.testing.assert_allclose(seen.value[wind], 5.0)  # neither shifted nor, being a smooth map, averaged
    np.testing.assert_allclose(seen.error[wind], np.sqrt(np.pi), rtol=1e-6)
    loud = Experiment(archive, replace(SETTING, products=("winds",), error_factor=2.0)).observations("2000-06-07")[0]
    np.testing.assert_allclose(loud.error, 2 * seen.error)


def test_days_have_altimetry_on_both_sides(archive, refuses):
    experiment = Experiment(archive, SETTING)
    assert experiment.days().astype(str).tolist() == ["2000-06-06", "2000-06-07", "2000-06-08"]
    assert experiment.days(2).astype(str).tolist() == ["2000-06-06", "2000-06-07"]
    assert experiment.days(2, "2000-06-02").astype(str).tolist() == ["2000-06-02", "2000-06-03"]
    assert len(Experiment(archive, replace(SETTING, window=2.5)).days()) == 13 - 2 * 3
    with refuses("3 days to analyse", "expected 4", "2000-06-01 to 2000-06-13"):
        experiment.days(4)
    for count, first in ((None, "2001-01-01"), (2, "2000-06-13")):
        with refuses("from " + first, "2000-06-13"):
            experiment.days(count, first)
    with refuses("'yesterday' is not a date"):
        experiment.days(2, "yesterday")
    with refuses("0 days to analyse"):
        Experiment(archive, replace(SETTING, window=7.0)).days()


def test_a_product_that_is_not_there_is_refused(archive, refuses):
    with refuses("nothing of 'salinity'"):
        Experiment(archive, replace(SETTING, products=("salinity",))).observations("2000-06-07")


# --- Analyses with the shipped prior ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def analysed(archive) -> dict[str, xr.Dataset]:
    return dict(Experiment(archive, SETTING).analyse(np.datetime64("2000-06-07"), QUICK))


def test_a_constant_in_the_tracks_is_one_in_sea_level_and_nothing_else(analysed, archive, tmp_path):
    other = Experiment(archive_of(tmp_path / "higher", 0.5), SETTING)
    assert other.reference() == pytest.approx(Experiment(archive, SETTING).reference() + 0.5)
    for name, ds in other.analyse(np.datetime64("2000-06-07"), QUICK):
        for variable in STORED:
            shift = 0.5 if variable == "zos" else 0.0
            # The last bits of the numbers that go in differ, and conjugate gradients stop at a thousandth.
            np.testing.assert_allclose(ds[variable], analysed[name][variable] + shift, atol=1e-4, err_msg=variable)


def test_analyses_are_told_from_climatology_by_what_was_seen(analysed, observed, archive):
    """Optimal interpolation comes nearer to the observations of the day; the regression has no members."""
    seen = observed(window=0.5)
    where = {name: xr.DataArray(getattr(seen, name), dims="point") for name in ("latitude", "longitude")}
    reference = Experiment(archive, SETTING).reference()  # observations here are less it, analyses have it
    miss = {}
    for name, ds in analysed.items():
        mean = ds["zos"].mean("member") if "member" in ds.dims else ds["zos"]
        miss[name] = mean.isel(time=0).interp(where).values - seen.value - reference
    spread = {name: float(np.std(values)) for name, values in miss.items()}
    assert spread[OI] < 0.5 * spread[CLIMATOLOGY] and spread[REGRESSION] < spread[CLIMATOLOGY]
    assert abs(reference) > 0.4 and all(abs(values.mean()) < 0.1 for values in miss.values())
    assert "member" not in analysed[REGRESSION].dims and analysed[OI].sizes["member"] == 2


def test_an_analysis_says_how_it_was_made(analysed):
    for name, ds in analysed.items():
        assert ds.attrs["method"] == name and ds.attrs["setting"] == SETTING.text()
        assert ds["time"].values.tolist() == [np.datetime64("2000-06-07T12", "ns").astype(int)]
        assert ds.attrs["observations"] > 100 and ds.attrs["cpu_seconds"] >= 0
        assert set(ds) == set(STORED) and ds["zos"].attrs["units"] == "m" and ds["uo"].attrs["units"] == "m s-1"
        assert "reference of the assimilated tracks" in ds["zos"].attrs["comment"]
        np.testing.assert_allclose(ds["latitude"], SETTING.grid.latitude)


def test_dimensions_are_in_the_order_of_the_conventions_with_members_and_without(analysed):
    for ds in analysed.values():
        dims = ("time", "latitude", "longitude")
        assert ds["zos"].dims == (("member", *dims) if "member" in ds.dims else dims)


def test_the_means_of_interpolation_and_climatology_are_exact(analysed):
    """Not those of two members, which would miss by as much as they spread."""
    ds = analysed[CLIMATOLOGY]["thetao"].mean("member").isel(time=0)
    usual = load_prior("gaussian").standardizer.climatology(ds["latitude"].values, np.datetime64("2000-06-07T12"))[1]
    np.testing.assert_allclose(ds, np.broadcast_to(usual[:, None], ds.shape), atol=1e-4)
    assert float(analysed[CLIMATOLOGY]["thetao"].std("member").mean()) > 0.5


def test_our_method_takes_the_steps_of_the_setting():
    _, few = ex._tools(None, None, 3)
    _, many = ex._tools(None, None, 40)
    assert few[OURS].evaluations == 9 and many[OURS].evaluations == 120
    assert {name for name in ex.COMMON_NAMES if IN_TIME not in name} == set(few) and set(ex.USUAL) < set(few)


def test_no_experiment_reads_what_is_withheld(tmp_path, monkeypatch):
    """The twin with its withheld files spoiled: a day is analysed all the same, from files that are counted."""
    folder = tmp_path / "twin"
    folder.mkdir()
    withheld = {"tracks_c2_2000.nc", "drifters_2000.csv.gz"}
    for path in TWIN.iterdir():
        if path.name in withheld:
            (folder / path.name).write_text("whoever reads this, fails")
        else:
            (folder / path.name).symlink_to(path)
    assert withheld <= {path.name for path in folder.iterdir()}

    def forbidden(*_):
        raise AssertionError("an analysis asked for what is withheld")

    opened, real = set(), opening._store
    monkeypatch.setattr(opening, "_store", lambda path: opened.add(Path(path).name) or real(path))
    monkeypatch.setattr("genda_lite.sources.archive.read_drifters", forbidden)
    for place in ("genda_lite.sources.samples", "genda_lite.sources", "genda_lite.verify.ose.judge"):
        monkeypatch.setattr(f"{place}.load_sample", forbidden)
    experiment = Experiment(Archive(folder), Setting(members=2, steps=2, cell=72.0, temperature_cell=72.0, box=WINDOW))
    day = experiment.days()[30]
    ((_, ds),) = experiment.analyse(day, (OI,))
    assert all(np.isfinite(ds[name]).all() for name in STORED)
    assert opened == {
        *(f"tracks_{mission}_2000.nc" for mission in ("alg", "h2b", "j3", "s3a")),
        *(f"{name}_2000.nc" for name in ("temperature_L3", "salinity", "winds")),
    }


def test_workers_write_the_same_numbers(archive, tmp_path, monkeypatch):
    # As many threads in each of two workers as in this process: sums in another order differ in their last bits.
    monkeypatch.setattr(ex, "count_processors", lambda: 2)
    experiment, told = Experiment(archive, SETTING), []
    for folder, workers in (("one", 1), ("two", 2)):
        ex.run(experiment, tmp_path / folder, experiment.days(2), (OI,), workers, progress=told.append)
    assert len(told) == 4 and sorted(line[:10] for line in told) == ["2000-06-06"] * 2 + ["2000-06-07"] * 2
    one, two = (ex.open_results(tmp_path / folder, OI) for folder in ("one", "two"))
    xr.testing.assert_equal(one, two)
    assert one.sizes["time"] == 2


# --- Running, with a small prior -------------------------------------------------------------------------------------


SMALL_GRID = points(16, 28)
SMALL = (*SMALL_GRID.longitude[[0, -1]].tolist(), *SMALL_GRID.latitude[[0, -1]].tolist())


@lru_cache
def read_once(files: tuple[Path, ...], *more):
    return read_observations(files, *more)


@pytest.fixture(scope="module")
def small_archive(tmp_path_factory) -> Archive:
    return archive_of(tmp_path_factory.mktemp("ose") / "archive", box=SMALL)


def shrunk(archive: Archive, prior: GaussianPrior, patch: pytest.MonkeyPatch) -> Experiment:
    """Two windows of 16 x 16 points, and methods that take no time."""
    known = {
        CLIMATOLOGY: Method(CLIMATOLOGY, lambda task: climatological_ensemble(prior, task.members, task.seed)),
        OI: Method(OI, partial(interpolated, prior)),
        REGRESSION: Method(REGRESSION, lambda task: Ensemble(None, torch.zeros(prior.shape))),
    }
    patch.setattr(ex, "_tools", lambda *_: (prior, known))
    patch.setattr(ex, "read_observations", lambda files, *more: read_once(tuple(files), *more))
    return Experiment(archive, Setting(members=3, cell=18.0, products=(), box=SMALL))


@pytest.fixture
def small(small_archive, gaussian_prior, monkeypatch) -> Experiment:
    return shrunk(small_archive, gaussian_prior, monkeypatch)


BOTH = (CLIMATOLOGY, OI)


@pytest.fixture(scope="module")
def finished(small_archive, gaussian_prior, tmp_path_factory) -> Path:
    """The results of the small experiment by two methods, on all its three days."""
    folder = tmp_path_factory.mktemp("runs") / "finished"
    with pytest.MonkeyPatch.context() as patch:
        experiment = shrunk(small_archive, gaussian_prior, patch)
        ex.run(experiment, folder, experiment.days(), BOTH)
    return folder


@pytest.fixture
def out(finished, tmp_path) -> Path:
    """A copy of the finished results."""
    return Path(shutil.copytree(finished, tmp_path / "out"))


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def assert_the_same(folder: Path, finished: Path, names=BOTH, days: slice = slice(None)) -> None:
    """To the last bit, for results of the days are in the finished ones."""
    for name in names:
        expected = ex.open_results(finished, name, ("zos", "uo")).isel(time=days)
        xr.testing.assert_equal(ex.open_results(folder, name, ("zos", "uo")), expected)


def test_a_run_keeps_a_file_a_method_and_day(small, finished):
    assert small.setting.grid.shape == (16, 28)
    assert files(finished) == [f"{m}/2000-06-0{d}.nc" for m in ("climatology", "optimal_interpolation") for d in "678"]
    kept, made = ex.open_results(finished, OI), dict(small.analyse(small.days()[1], (OI,)))[OI]
    assert kept["zos"].dims == ("member", "time", "latitude", "longitude") and kept["zos"].shape == (3, 3, 16, 28)
    assert (np.diff(kept["time"].values) == DAY).all() and kept["zos"].dtype == np.dtype("f4")
    for name in STORED:
        # Integers of the file are steps apart, so that numbers move by half of one; and float32 rounds.
        step = max(QUANTUM[name], float(np.ptp(made[name].values)) / 64000)
        np.testing.assert_allclose(kept[name].isel(time=[1]), made[name], atol=0.51 * step + 1e-6, err_msg=name)
    assert set(ex.open_results(finished, OI, ("zos",))) == {"zos"}


def test_a_second_run_computes_what_is_missing_and_nothing_else(small, out, monkeypatch):
    before = {name: (out / name).read_bytes() for name in files(out)}
    asked, told, analyse = [], [], Experiment.analyse

    def counted(self, date, names):
        asked.append((str(date), names))
        return analyse(self, date, names)

    monkeypatch.setattr(Experiment, "analyse", counted)
    ex.run(small, out, small.days(2), BOTH, progress=told.append)
    assert not asked and told == ["2000-06-06: is there", "2000-06-07: is there"]
    ex.run(small, out, small.days(1), (*BOTH, REGRESSION), progress=told.append)
    assert asked == [("2000-06-06", [REGRESSION])]
    assert told[-1].startswith("2000-06-06: U-Net regression ") and CLIMATOLOGY not in told[-1]
    assert {name: (out / name).read_bytes() for name in files(out) if name in before} == before
    assert files(out / "U-Net_regression") == ["2000-06-06.nc"]


@pytest.mark.parametrize("after", [1, 2])
def test_an_interrupted_run_leaves_no_half_file_and_goes_on(small, finished, tmp_path, monkeypatch, after):
    out, days, real, written = tmp_path / "out", small.days(2), xr.Dataset.to_netcdf, []

    def interrupted(self, path, **more):
        if len(written) == after:
            Path(path).write_bytes(b"half a file")
            raise KeyboardInterrupt
        written.append(path)
        return real(self, path, **more)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(xr.Dataset, "to_netcdf", interrupted)
        ex.run(small, out, days, BOTH)
    whole = {name: (out / name).read_bytes() for name in files(out)}
    assert len(whole) == after
    ex.run(small, out, days, BOTH)
    assert len(files(out)) == 4 and {name: (out / name).read_bytes() for name in whole} == whole
    assert_the_same(out, finished, days=slice(2))


def test_results_of_other_settings_are_refused(small, out, refuses):
    ex.result_path(out, CLIMATOLOGY, small.days()[0]).unlink()
    before = files(out)
    for change in ({"seed": 1}, {"error_factor": 0.2}, {"cell": 0.0}):
        other = replace(small, setting=replace(small.setting, **change))
        with refuses("2000-06-06.nc", "other settings", "another folder"):
            ex.run(other, out, small.days(1), BOTH)
    assert files(out) == before  # refused before anything was computed


def test_results_with_another_altimeter_withheld_are_refused(small, tmp_path, refuses):
    """Else an altimeter that was assimilated could be taken for one that was not."""
    folder, out, days = archive_of(tmp_path / "archive", box=SMALL).folder, tmp_path / "out", small.days(1)
    (folder / "tracks_c2_2000.nc").write_bytes((folder / "tracks_j3_2000.nc").read_bytes())
    ex.run(replace(small, archive=Archive(folder)), out, days, (CLIMATOLOGY,))
    other = replace(small, archive=Archive(folder, withheld="j3"))
    assert other.archive.missions == ["alg", "c2"]
    with refuses("2000-06-06.nc", "another folder"):
        ex.run(other, out, days, (CLIMATOLOGY,))


def test_what_cannot_be_run_is_refused(small, tmp_path, refuses):
    out = tmp_path / "out"
    with refuses("method magic is unknown", "climatology; optimal interpolation"):
        ex.run(small, out, small.days(1), ("magic",))
    with refuses("magic"):
        next(small.analyse(small.days()[0], ("magic",)))
    assert not out.exists()
    with refuses("cannot be written", "does not exist"):
        ex.run(small, tmp_path / "no" / "where", small.days(1), BOTH)
    narrow = replace(small.setting, box=(-60.5, -59.5, 37.0, 39.0))
    with refuses("points, expected at least (16, 16)"):
        ex.run(replace(small, setting=narrow), out, small.days(1), BOTH)


@pytest.mark.parametrize("world", [2, 5])
def test_ranks_of_torchrun_share_the_days(small, finished, tmp_path, monkeypatch, world):
    monkeypatch.setenv("WORLD_SIZE", str(world))
    shares = []
    for rank in range(world):
        monkeypatch.setenv("RANK", str(rank))
        told = []
        ex.run(small, tmp_path / "shared", small.days(), (CLIMATOLOGY,), progress=told.append)
        shares.append([line[:10] for line in told])
    assert sorted(chain(*shares)) == small.days().astype(str).tolist()  # each day once
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert_the_same(tmp_path / "shared", finished, (CLIMATOLOGY,))


def test_workers_of_dask_share_the_days(small, finished, tmp_path):
    distributed, told = pytest.importorskip("distributed"), []
    here = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with distributed.LocalCluster(**here) as cluster:
        address = cluster.scheduler_address
        ex.run(small, tmp_path / "dask", small.days(2), (OI,), scheduler=address, progress=told.append)
    assert sorted(line[:10] for line in told) == ["2000-06-06", "2000-06-07"]
    assert_the_same(tmp_path / "dask", finished, (OI,), slice(2))


def test_random_numbers_belong_to_a_day_and_a_window(small, monkeypatch):
    """They are the same for every method, and whatever else is computed."""
    prior, known = ex._tools()
    seeds: dict[str, list[int]] = {name: [] for name in BOTH}

    def remembered(name, method):
        return replace(method, run=lambda task: seeds[name].append(task.seed) or method.run(task))

    monkeypatch.setattr(ex, "_tools", lambda *_: (prior, {n: remembered(n, known[n]) for n in BOTH}))
    first, second = small.days(2)
    both = dict(small.analyse(second, BOTH))
    assert seeds[CLIMATOLOGY] == seeds[OI] and len(set(seeds[OI])) == 2  # windows
    assert dict(small.analyse(second, (OI,)))[OI].drop_attrs().equals(both[OI].drop_attrs())
    list(small.analyse(first, BOTH))
    list(replace(small, setting=replace(small.setting, seed=1)).analyse(first, BOTH))
    everything = seeds[CLIMATOLOGY]
    assert len(everything) == 6 and len(set(everything)) == 6  # another day, another seed: all others


def test_windows_are_analysed_by_themselves(small, monkeypatch):
    """Each from the observations inside it, in its own grid; the seams are not to be seen in the mean."""
    prior, known = ex._tools()
    tasks = []
    spy = replace(known[OI], run=lambda task: tasks.append(task) or known[OI].run(task))
    monkeypatch.setattr(ex, "_tools", lambda *_: (prior, {OI: spy}))
    ((_, ds),) = small.analyse(small.days()[0], (OI,))
    grids = [task.problem.grid for task in tasks]
    expected = ex.tiles(small.setting.grid, (16, 16))
    for task, found, grid in zip(tasks, grids, expected, strict=True):
        np.testing.assert_allclose(found.latitude, grid.latitude)
        np.testing.assert_allclose(found.longitude, grid.longitude)
        assert grid.holds(task.observations.latitude, task.observations.longitude).all() and task.members == 3
    assert ds["zos"].shape == (3, 1, 16, 28) and not any(a.latitude is b.latitude for a, b in pairwise(grids))


def test_opening_what_is_not_there_or_of_two_settings_is_refused(small, out, tmp_path, refuses):
    with refuses("ours", "no analyses by ours", "genda ose"):
        ex.open_results(out, OURS)
    with refuses("no analyses by climatology"):
        ex.open_results(tmp_path / "nowhere", CLIMATOLOGY)
    first = small.days(1)
    ex.result_path(out, CLIMATOLOGY, first[0]).unlink()
    ex.run(replace(small, setting=replace(small.setting, seed=1)), out, first, (CLIMATOLOGY,))
    with refuses("analyses of 2 settings", "expected one"):
        ex.open_results(out, CLIMATOLOGY)
    ex.result_path(out, OI, first[0]).write_bytes(b"half a file")
    with refuses("2000-06-06.nc", "not a NetCDF file"):
        ex.open_results(out, OI)


def test_places_of_results_are_plain_names():
    names = {ex.result_path(Path("out"), name, np.datetime64("2000-06-07T12")) for name in ex.COMMON_NAMES}
    assert len(names) == len(ex.COMMON_NAMES) and {path.name for path in names} == {"2000-06-07.nc"}
    assert Path("out/GenDAs_sampler/2000-06-07.nc") in names and Path("out/ours_fast/2000-06-07.nc") in names


# --- Methods in time -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def several(standardizer, domain, tmp_path_factory) -> Path:
    """A checkpoint of seven days, two apart, in windows of 16 x 16 points."""
    state = STATE.series(CHANNELS, (-6.0, -4.0, -2.0, 0.0, 2.0, 4.0, 6.0))
    network = NetworkConfig(width=8, multipliers=(1,))
    path = tmp_path_factory.mktemp("several") / "several.safetensors"
    save_prior(DiffusionPrior(covariance(state), standardizer, domain, network, state=state), path, FORMAT_3)
    return path


def test_methods_in_time_see_every_day_and_analyse_the_region_at_once(small, several, refuses):
    """No window is cut, values count on their own days, and the analysis is one of the date like the others."""
    setting = replace(small.setting, products=("winds",), trajectory=str(several), steps=3)
    experiment, date = replace(small, setting=setting), np.datetime64("2000-06-07")
    seen, in_days = experiment.observations(date)[0], experiment.observations_in_time(date)
    assert not np.isnat(in_days.time).any()
    wind = in_days.select(in_days.channel == "uas")
    assert len(np.unique(wind.time)) == 11
    level = in_days.channel == "zos"
    assert level.sum() == (seen.channel == "zos").sum() and in_days.error[level].max() < seen.error.max()
    names = [f"{name}, {IN_TIME}" for name in (OI, OURS_FAST, OURS)]
    found = dict(experiment.analyse(date, [OI, *names]))
    assert list(found) == [OI, *names]
    for name in names:
        ds = found[name]
        assert set(STORED) <= set(ds) and ds["zos"].dims == ("member", "time", "latitude", "longitude")
        assert ds["zos"].shape == found[OI]["zos"].shape and np.isfinite(ds["zos"]).all()
        assert ds.attrs["observations"] == len(in_days) > found[OI].attrs["observations"]
    members = found[names[0]]["zos"].isel(time=0)
    assert float(members.std("member").min()) > 0
    ends = tuple(map(tuple, (setting.grid.latitude, setting.grid.longitude)))
    composed, known = ex._tools_in_time(str(several), ends, 3)
    assert composed.shape[1:] == setting.grid.shape and len(composed.windows) > 1 and list(known) == names
    assert ex.full_names(["ours in time"]) == names[2:]


def test_checkpoints_of_the_other_kind_are_refused(small, several, standardizer, domain, tmp_path, refuses):
    single = DiffusionPrior(covariance()[..., :7, :7], standardizer, domain, NetworkConfig(width=8, multipliers=(1,)))
    save_prior(single, tmp_path / "single.safetensors", FORMAT_3)
    one = replace(small, setting=replace(small.setting, trajectory=str(tmp_path / "single.safetensors")))
    with refuses("an experiment in time needs a prior of several days"):
        next(one.analyse(np.datetime64("2000-06-07"), [f"{OI}, {IN_TIME}"]))
    with refuses("method ours in time is unknown"):
        next(small.analyse(np.datetime64("2000-06-07"), ["ours in time"]))
    narrow = replace(small.setting, trajectory=str(several), box=(-60.0, -59.0, 37.0, 39.0))
    with refuses("expected at least 16 x 16"):
        next(replace(small, setting=narrow).analyse(np.datetime64("2000-06-07"), [f"{OI}, {IN_TIME}"]))
