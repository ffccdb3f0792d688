"""The test on a map of the real sea level: its figures, what learned priors have more or less than the Gaussian, and
how much of that is independent. The map and the tracks are made up here: it runs without the real ones."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from typer.testing import CliRunner

from genda_lite.baselines.interpolation import Ensemble
from genda_lite.cli import app
from genda_lite.errors import InputError
from genda_lite.state import KM_PER_DEGREE, Grid
from genda_lite.verify import real
from genda_lite.verify.engine import CLIMATOLOGY, GAUSSIAN, OURS, Case, Method, interpolated
from genda_lite.verify.real import ENOUGH, UNSEEN, evaluate_real, paired_difference, rows_of, units, with_currents
from genda_lite.verify.table import number, tidy


@pytest.fixture
def table() -> xr.Dataset:
    """Three boxes; the learned prior's error of sea level is 0.1, 0.2, 0.3 m, the Gaussian's up to 0.05 less."""
    error = np.array([[0.1, 0.2, 0.3], [0.08, 0.18, 0.25], [0.5, 0.5, 0.5]])
    fields = {"zos": error, "ug": error, "vg": np.zeros_like(error)}
    mse = np.stack([fields[name] ** 2 for name in ("zos", "ug", "vg")], -1)[..., None]
    variance = np.where(np.arange(3)[:, None, None, None] < 2, mse, np.nan)
    dims = ("experiment", "case", "channel", "zone")
    coords = {"experiment": [OURS, GAUSSIAN, "climatology"], "channel": ["zos", "ug", "vg"], "zone": [UNSEEN]}
    scores = {"mse": mse, "crps": np.sqrt(mse) / 2, "variance": variance}
    return xr.Dataset({name: (dims, values) for name, values in scores.items()}, coords, {"members": 9})


@pytest.fixture
def boxes() -> list[Case]:
    grid = Grid.around(-60.0, 38.0, (10, 10))
    unseen = [np.arange(100).reshape(10, 10) >= seen for seen in (4, 6, 8)]
    return [Case(grid, np.datetime64("2019-02-23"), None, zones={UNSEEN: zone}) for zone in unseen]


def test_figures_are_those_of_all_boxes(table, boxes):
    rows = rows_of(table, boxes)
    frame = tidy(rows)
    rmse = number(frame, method=OURS, channel="zos", metric="rmse")
    assert rmse == pytest.approx(np.sqrt((0.01 + 0.04 + 0.09) / 3))
    assert number(frame, method=OURS, channel="zos", metric="spread_skill") == pytest.approx(np.sqrt(10 / 9))
    assert not ((frame["method"] == "climatology") & (frame["metric"] == "spread_skill")).any()  # it has no ensemble
    assert number(frame, metric="observed share") == pytest.approx(0.06)
    assert {"diffusion prior: sea level RMSE (m)", "climatology: CRPS (m)"} < {row["name"] for row in rows}


def test_learned_priors_are_compared_with_the_gaussian_box_by_box(table, boxes):
    """Three views of one box on one day: each is shown, and no interval is claimed."""
    rows = rows_of(table, boxes)
    frame = tidy(rows)
    difference = np.array([0.02, 0.02, 0.05])
    for channel in ("zos", "current"):
        here = frame[(frame["metric"] == f"rmse less {GAUSSIAN}") & (frame["channel"] == channel)]
        of_all = here[here["case"] == ""].squeeze()
        assert of_all["value"] == pytest.approx(difference.mean()) and np.isnan([of_all["low"], of_all["high"]]).all()
        np.testing.assert_allclose(here.loc[here["case"] != "", "value"], difference)
    assert number(frame, metric="units") == 1 and not frame["metric"].str.contains("standard error").any()
    text = paired_difference(table, OURS, GAUSSIAN, boxes)["zos"].text("m")
    assert text == "+0.030 m (+0.020 to +0.050 in 3 boxes, 1 independent: too few for an interval)"
    alone = tidy(rows_of(table.sel(experiment=[OURS, "climatology"]), boxes))
    assert not alone["metric"].str.contains("less").any()


# --- What is independent ---------------------------------------------------------------------------------------------


def box(longitude: float, latitude: float = 38.0, date: str = "2019-02-23", size: int = 10) -> Case:
    grid = Grid.around(longitude, latitude, (size, size))
    return Case(grid, np.datetime64(date), None, zones={UNSEEN: np.ones(grid.shape, bool)})


def test_boxes_are_independent_if_they_are_far_apart_or_long():
    assert units([box(-60), box(-60), box(-59.1)]).tolist() == [0, 0, 0]  # tracks of other days, and side by side
    width, km = 9 / 12, KM_PER_DEGREE * np.cos(np.radians(38))
    for gap, count in ((290.0, 1), (310.0, 2)):  # km, edge to edge
        assert len(set(units([box(-60), box(-60 + width + gap / km)]))) == count
        assert len(set(units([box(-60, 38), box(-60, 38 + width + gap / KM_PER_DEGREE)]))) == count
    assert len(set(units([box(-60), box(-60, date="2019-03-20"), box(-60, date="2019-04-10")]))) == 1  # in a chain
    assert len(set(units([box(-60), box(-60, date="2019-04-10")]))) == 2
    corners = [box(longitude + 2.6, latitude + 2.6, size=64) for longitude, latitude in real.CORNERS]
    assert set(units([*corners, *corners])) == {0}  # one jet on one day, however many boxes it is cut into


def test_intervals_resample_what_is_independent():
    """Eight days; boxes of one day err alike: the standard error is that of days, not of all boxes."""
    rng, days, per = np.random.default_rng(0), 8, 6
    boxes = [box(-60 + i, date=f"20{day:02d}-02-23") for day in range(days) for i in range(per)]
    daily = rng.normal(0.02, 0.03, days)
    rmse = np.stack([0.3 + np.repeat(daily, per), np.full(days * per, 0.3)])
    mse = xr.DataArray(rmse**2, dims=("experiment", "case"))
    mse = mse.expand_dims(channel=["zos", "ug", "vg"], zone=[UNSEEN]).assign_coords(experiment=[OURS, GAUSSIAN])
    table = xr.Dataset({"mse": mse, "crps": mse, "variance": mse}, attrs={"members": 9})
    found = paired_difference(table, OURS, GAUSSIAN, boxes)["zos"]
    assert found.units == days >= ENOUGH and found.value == pytest.approx(daily.mean())
    of_days, of_boxes = (daily.std() / np.sqrt(n) for n in (days, days * per))
    assert (found.high - found.low) / (2 * 1.96) == pytest.approx(of_days, rel=0.1) and of_boxes < 0.5 * of_days
    labels = {"method": OURS, "channel": "zos", "case": "", "metric": f"rmse less {GAUSSIAN}"}
    frame = tidy(rows_of(table, boxes))
    assert [number(frame, bound, **labels) for bound in ("low", "high")] == [found.low, found.high]
    assert "95 %, 8 independent)" in found.text("m")
    few = paired_difference(table.isel(case=slice(5 * per)), OURS, GAUSSIAN, boxes[: 5 * per])["zos"]
    assert few.units == 5 and np.isnan(few.low)


# --- From files ------------------------------------------------------------------------------------------------------

CORNERS = ((-60.6, 37.4), (-55.4, 38.0))


def level(latitude, longitude):
    """A sea level with an eddy or two in a box of 1.3 degrees (m)."""
    return 0.4 - 0.1 * (latitude - 38) + 0.15 * np.sin(7 * longitude) * np.cos(6 * latitude)


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> tuple[Path, Path]:
    """Tracks across both boxes, and a map, in the formats of DUACS."""
    folder = tmp_path_factory.mktemp("duacs")
    n = 60
    north = np.tile(np.linspace(36, 40, n), 2)
    east = np.concatenate([west + 0.3 + 0.2 * (np.linspace(36, 40, n) - 37) for west, _ in CORNERS])
    time = np.datetime64("2017-04-02", "ns") + np.arange(2 * n) * np.timedelta64(1, "s")
    degrees = {"latitude": {"units": "degrees_north"}, "longitude": {"units": "degrees_east"}}
    metres = {"units": "m"}
    where = {"latitude": ("time", north, degrees["latitude"]), "longitude": ("time", east % 360, degrees["longitude"])}
    tracks = xr.Dataset({"adt_unfiltered": ("time", level(north, east), metres)}, {"time": time} | where)
    grid = {"latitude": np.arange(35, 42, 0.125), "longitude": np.arange(298, 307, 0.125)}
    coords = {"time": [np.datetime64("2019-02-23", "ns")]}
    coords |= {name: (name, values, degrees[name]) for name, values in grid.items()}
    adt = level(grid["latitude"][:, None], grid["longitude"] - 360)[None]
    paths = folder / "tracks.nc", folder / "map.nc"
    for ds, path in zip((tracks, xr.Dataset({"adt": (tuple(coords), adt, metres)}, coords)), paths, strict=True):
        ds.to_netcdf(path, engine="h5netcdf")
    return paths


def test_a_region_of_the_south_is_scored_as_its_mirror_image(files, tmp_path, gaussian_prior):
    """About a flat mean; without a climatology the prior does not go there."""
    below = [tmp_path / path.name for path in files]
    for path, there in zip(files, below, strict=True):
        with xr.open_dataset(path, engine="h5netcdf") as ds:
            turned = ds.assign_coords(latitude=(-ds["latitude"]).assign_attrs(ds["latitude"].attrs))
            turned.to_netcdf(there, engine="h5netcdf")
    method, side = Method(GAUSSIAN, partial(interpolated, gaussian_prior)), 15 / 12
    tables = []
    for paths, corners in ((files, CORNERS), (below, [(lon, -lat - side) for lon, lat in CORNERS])):
        options = {"corners": corners, "first_days": (0,), "climatology": real.FLAT}
        table, boxes = evaluate_real(paths[0], paths[1:], [method], gaussian_prior, 5, **options)
        tables.append(table)
    assert real.name_of(boxes[0]).startswith("38.0 S 60.0 W")
    for name in ("mse", "variance"):
        np.testing.assert_allclose(*(np.sqrt(table[name]) for table in tables), rtol=0.02)
    with pytest.raises(InputError, match="or give climatology="):
        evaluate_real(below[0], below[1:], [method], gaussian_prior, 5, corners=corners, first_days=(0,))


def test_regions_are_apart_and_unknown_ones_refused():
    boxes = [box(lon + 2.6, lat + 2.6, size=64) for corners in real.REGIONS.values() for lon, lat in corners[:1]]
    assert len(set(units(boxes))) == len(real.REGIONS) >= 8
    files = ["--tracks", "none.nc", "--map", "none.nc"]
    with pytest.raises(InputError, match="'atlantis' is unknown, expected all or one of gulf-stream, kuroshio"):
        CliRunner().invoke(app, ["evaluate", "real", *files, "--region", "atlantis"], catch_exceptions=False)


def test_a_map_is_reconstructed_from_its_values_along_tracks(files, gaussian_prior):
    """What comes out of the files is scored by hand: the spread with its factor (M + 1) / M, where nothing was seen."""
    kept, members = [], 5
    spied = Method(OURS, lambda task: kept.append(interpolated(gaussian_prior, task)) or kept[-1])
    methods = [spied, Method(GAUSSIAN, partial(interpolated, gaussian_prior))]
    where = {"corners": CORNERS, "first_days": (0,)}
    table, boxes = evaluate_real(files[0], files[1:], methods, gaussian_prior, members, **where)
    assert table["experiment"].values.tolist() == [OURS, GAUSSIAN, CLIMATOLOGY] and len(boxes) == 2
    variance, square, crps = [], [], []
    for ensemble, one in zip(kept, boxes, strict=True):
        assert 0.04 <= 1 - one.zones[UNSEEN].mean() < 0.2 and len(one.observations) >= 10
        expected = xr.DataArray(level(one.grid.latitude[:, None], one.grid.longitude), one.truth["zos"].coords)
        np.testing.assert_allclose(one.truth["zos"], expected - expected.mean(), atol=0.03)
        fields = gaussian_prior.standardizer.to_dataset(ensemble.draws, one.grid, one.date, gaussian_prior.state)
        zos = with_currents(fields["zos"])["zos"].values[:, one.zones[UNSEEN]]
        true = one.truth["zos"].values[one.zones[UNSEEN]]
        variance.append(zos.var(0, ddof=1).mean())
        square.append(((zos.mean(0) - true) ** 2).mean())
        pairs = abs(zos[:, None] - zos).sum((0, 1)) / (2 * members * (members - 1))
        crps.append((abs(zos - true).mean(0) - pairs).mean())
    frame = tidy(rows_of(table, boxes))
    here = {"method": OURS, "channel": "zos", "case": ""}
    ratio = np.sqrt((members + 1) / members * np.mean(variance) / np.mean(square))
    assert number(frame, metric="spread_skill", **here) == pytest.approx(ratio, rel=1e-5)
    assert number(frame, metric="rmse", **here) == pytest.approx(np.sqrt(np.mean(square)), rel=1e-5)
    assert number(frame, metric="crps", **here) == pytest.approx(np.mean(crps), rel=1e-5)
    assert number(frame, metric="units") == 2  # two corners, 350 km apart


def test_the_command_says_how_much_is_independent(files, gaussian_prior, tmp_path, monkeypatch):
    from genda_lite.verify import engine

    known = {name: Method(name, partial(interpolated, gaussian_prior)) for name in (engine.OURS_FAST, GAUSSIAN)}
    known[OURS] = Method(OURS, lambda task: Ensemble(torch.zeros(2, *gaussian_prior.shape), None))
    monkeypatch.setattr(engine, "load_methods", lambda prior: (gaussian_prior, known))
    monkeypatch.setitem(real.REGIONS, real.HOME, CORNERS)
    arguments = ["--tracks", files[0], "--map", files[1], "--quick", "--json", tmp_path / "rows.json"]
    told = CliRunner().invoke(app, ["evaluate", "real", *map(str, arguments)])
    assert told.exit_code == 0, told.exception
    assert "2 boxes" in told.output and "2 independent: too few for an interval" in told.output
    assert "anomalies about the prior's climatology" in told.output
    assert "+-" not in told.output and (tmp_path / "rows.json").stat().st_size > 1000
