"""A sensor that the package does not have is one class and one line: its files are read, its orbit is simulated."""

from dataclasses import dataclass

import numpy as np
import pytest
import xarray as xr

import genda_lite as gl
from genda_lite.observe import sensors
from genda_lite.observe.files import kind_of, read_observations
from genda_lite.observe.instruments import around, by_pass, sample, timely
from genda_lite.observe.orbits import MISSIONS, ground_track
from genda_lite.observe.systems import ObservingSystem
from genda_lite.observe.table import Observations
from genda_lite.sources.files import in_box, open_product, require, require_time, source_of
from genda_lite.sources.report import NothingValid, Tally
from genda_lite.state import Grid

DATE = np.datetime64("2017-04-02T12:00", "ns")
HOUR = np.timedelta64(1, "h")


@dataclass(frozen=True)
class SalinitySounder:
    """A made-up satellite that measures salinity at points below it, as a file of `observe` would have it."""

    error: float = 0.2  # 1e-3
    kind = "salinity sounding"
    apart = False
    channels = ("so",)

    def recognises(self, product):
        return "sounded_salinity" in product.variables

    def read(self, paths, date, box):
        (path,) = paths  # of several, `Report.total` would join the reports
        with open_product(path) as product:
            salinity = require(product, "sounded_salinity", ("point",), units="1e-3").load()
            place = {name: require(product, name, ("point",)).values for name in ("latitude", "longitude")}
            time, source = require_time(product, ("point",)).values, source_of(product)
        tally = Tally(salinity.shape)
        tally.drop(~np.isfinite(salinity), "without a value")
        if box is not None:
            tally.drop(~in_box(box, **place), "outside the box")
        report = tally.report(source, "soundings")
        if not report.kept:
            raise NothingValid(f"{source}: no sounding is valid: {report.reasons()}", report)
        coords = {name: ("point", values) for name, values in (place | {"time": time}).items()}
        return xr.Dataset({"so": salinity.drop_vars("time", errors="ignore")}, coords, report.attributes()).isel(
            point=tally.keep
        )

    def observations(self, ds, date, window, errors):
        return timely(ds, "so", self.error**2, date, window)

    def simulate(self, truth, date, window, errors, seed):
        points = ground_track(MISSIONS["SARAL"], *around(truth, date, window), sampling=10.0)
        noise = by_pass(points, lambda rng: rng.standard_normal(points.attrs["samples"]), "sounder", seed)
        points["so"] = ("point", sample(truth["so"], points) + self.error * noise, {"units": "1e-3"})
        return {"sounder": Observations.from_points(points, "so", self.error) if points.sizes["point"] else None}


SOUNDER = SalinitySounder()


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.setattr(sensors, "SENSORS", (SOUNDER, *sensors.SENSORS))


@pytest.fixture
def sounding(tmp_path):
    """Ten points an hour apart from the date on, one of them without a value."""
    n = 10
    salinity = np.where(np.arange(n) == 3, np.nan, 35 + 0.1 * np.arange(n))
    ds = xr.Dataset(
        {"sounded_salinity": ("point", salinity, {"units": "1e-3"})},
        {
            "latitude": ("point", 37.5 + 0.05 * np.arange(n), {"units": "degrees_north"}),
            "longitude": ("point", np.full(n, -60.0), {"units": "degrees_east"}),
            "time": ("point", DATE + np.arange(n) * HOUR),
        },
    )
    ds.to_netcdf(tmp_path / "sounding.nc", engine="h5netcdf")
    return tmp_path / "sounding.nc"


def truth(grid: Grid) -> xr.Dataset:
    """Salinity that rises northward, and a flat sea, for eleven days."""
    time = DATE + np.arange(-5, 6) * 24 * HOUR
    salinity = np.broadcast_to(35 + 0.1 * (grid.latitude[:, None] - 38), (len(time), *grid.shape))
    dims = ("time", "latitude", "longitude")
    return xr.Dataset({"so": (dims, salinity), "zos": (dims, 0 * salinity)}, {"time": time, **grid.coordinates()})


def test_files_are_recognised_and_read(registered, sounding):
    assert kind_of(sounding) == "salinity sounding"
    observations, (report,) = read_observations([sounding], DATE)
    assert set(observations.channel) == {"so"} and (observations.error == SOUNDER.error).all()
    np.testing.assert_allclose(observations.value, 35 + 0.1 * np.delete(np.arange(10), 3))
    assert report.dropped == {"without a value": 1}
    near, (report,) = read_observations([sounding], DATE, (-61, -59, 37.62, 39), window=0.25)
    np.testing.assert_allclose(near.latitude, [37.7, 37.75, 37.8])
    assert report.dropped == {"without a value": 1, "outside the box": 3, "more than 0.25 days from the date": 3}


def test_without_registration_a_file_is_refused(sounding, tmp_path, refuses):
    with refuses("no absolute dynamic topography", "sounded_salinity"):  # for its shape it passes for tracks
        read_observations([sounding], DATE)
    lat, lon = ("lat", np.arange(3.0)), ("lon", np.arange(3.0))
    xr.Dataset({"chl": (("lat", "lon"), np.ones((3, 3)))}, {"lat": lat, "lon": lon}).to_netcdf(tmp_path / "chl.nc")
    with refuses("chl.nc", "of no sensor", "temperature L3, salinity", "the file has chl"):
        kind_of(tmp_path / "chl.nc")


def test_it_flies_when_it_is_named_and_disturbs_no_other(registered, refuses):
    ocean = truth(Grid.around(-60.0, 38.0, (61, 61)))
    system = ObservingSystem(("SARAL",), cloud=1.0)
    usual, more = system.parts(ocean, DATE), ObservingSystem(("SARAL",), cloud=1.0, more=(SOUNDER,)).parts(ocean, DATE)
    assert set(usual) == {"SARAL"} and list(more) == ["SARAL", "sounder"]
    np.testing.assert_array_equal(usual["SARAL"].value, more["SARAL"].value)
    seen = more["sounder"]
    error = seen.value - 35 - 0.1 * (seen.latitude - 38)
    assert len(seen) > 10 and error.std() == pytest.approx(SOUNDER.error, rel=0.4)
    other = ObservingSystem((), cloud=1.0, more=(SOUNDER,), seed=1).observe(ocean, DATE)
    assert (other.value != seen.value).all()
    with refuses("no so", "to be observed"):
        ObservingSystem((), cloud=1.0, more=(SOUNDER,)).observe(ocean[["zos"]], DATE)
    with refuses("two sensors", "'sounder'"):
        ObservingSystem(more=(SOUNDER, SalinitySounder(0.1)), cloud=1.0).observe(ocean, DATE)


def test_an_analysis_takes_what_it_saw(registered, sounding, gaussian_prior, grid):
    seen = read_observations([sounding], DATE)[0].inside(grid)
    analysis = gl.assimilate(gaussian_prior, seen, members=24, grid=grid, date=DATE)  # of few the mean is chance
    there = analysis["so"].mean("member").interp(latitude=seen.latitude.mean(), longitude=-60.0)
    usual = analysis["so_climatology"].interp(latitude=seen.latitude.mean())
    assert abs(there - seen.value.mean()) < 0.5 * abs(usual - seen.value.mean())


def test_registered_sensors_have_what_is_asked_of_them():
    named = [sensor for sensor in sensors.SENSORS if not isinstance(sensor, sensors.NoSensor)]
    kinds = [sensor.kind for sensor in named]
    assert len(set(kinds)) == len(kinds)
    for asked in ("apart", "channels", "recognises", "read", "observations", "simulate"):
        assert all(hasattr(sensor, asked) for sensor in named)
