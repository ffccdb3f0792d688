"""Readers of ocean and wind reanalyses: files as providers write them, in other units and orders, and files that are
not what they say."""

import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from genda_lite.errors import InputError
from genda_lite.prepare import prepare, stored_response, total_current
from genda_lite.sources import download_glorys, join, open_product, read_glorys, read_reanalysis, read_winds
from genda_lite.state import CHANNELS, VARIABLES

REAL = Path(__file__).parents[2] / "shared" / "real"
GLORYS, ERA5 = REAL / "GLORYS_NA_2012.nc", REAL / "ERA5_NA_2012.nc"
real_data = pytest.mark.skipif(not REAL.is_dir(), reason=f"the real products are not at {REAL}")

UNITS = {"zos": "m", "thetao": "degrees_C", "so": "1e-3", "uo": "m s-1", "vo": "m s-1"}
MEAN = {"zos": 0.2, "thetao": 15.0, "so": 35.5, "uo": 0.1, "vo": -0.1}
DEPTHS = np.array([0.494, 9.573, 13.467, 15.810, 29.445])


def ocean(days: int = 6, depths: np.ndarray | None = DEPTHS, seed: int = 0) -> xr.Dataset:
    """A GLORYS-like file: daily at noon, land in a corner, each level warmer by its number."""
    rng = np.random.default_rng(seed)
    latitude, longitude = 36 + np.arange(12) / 12, -60 + np.arange(14) / 12
    ds = xr.Dataset(
        coords={
            "time": np.datetime64("2012-01-01T12", "ns") + np.arange(days) * np.timedelta64(1, "D"),
            "latitude": ("latitude", latitude.astype("f4"), {"units": "degrees_north"}),
            "longitude": ("longitude", longitude.astype("f4"), {"units": "degrees_east"}),
        }
    )
    if depths is not None:
        ds = ds.assign_coords(depth=("depth", depths.astype("f4"), {"units": "m", "positive": "down"}))
    for name, units in UNITS.items():
        dims = ["time", "latitude", "longitude"]
        if depths is not None and name != "zos":
            dims.insert(1, "depth")
        values = MEAN[name] + 0.1 * rng.normal(size=[ds.sizes[dim] for dim in dims])
        if "depth" in dims:
            values += np.arange(len(depths))[:, None, None]
        ds[name] = (dims, values, {"units": units})
    return ds.where((ds.longitude > -59.8) | (ds.latitude > 36.3))


def winds(hours: int = 6 * 24, step: int = 1, gusts: float = 0.0, **names) -> xr.Dataset:
    """An ERA5-like file on a quarter of a degree, north first; eastward wind grows by 1 m/s a day, and by 24/23 m/s
    through each day."""
    latitude, longitude = np.arange(37.5, 35.4, -0.25), np.arange(-60.5, -58.4, 0.25)
    time = np.datetime64("2012-01-01T00", "ns") + np.arange(0, hours, step) * np.timedelta64(1, "h")
    ds = xr.Dataset(coords={"time": time, "latitude": latitude, "longitude": longitude})
    days = np.arange(0, hours, step) // 24
    ds["u10"] = (ds["latitude"] - 36) * 2 + (ds["longitude"] + 60) * 3 + xr.DataArray(days, dims="time")
    ds["v10"] = gusts * np.sin(ds["u10"]) + xr.DataArray(np.arange(0, hours, step) % 24, dims="time")
    for name in ("u10", "v10"):
        ds[name].attrs = {"units": "m s**-1"}
    return ds.transpose("time", "latitude", "longitude").rename(names)


def write(ds: xr.Dataset, path: Path, **options) -> Path:
    ds.to_netcdf(path, engine="h5netcdf", **options)
    return path


# --- The ocean -------------------------------------------------------------------------------------------------------


def test_levels_are_chosen_and_told(tmp_path):
    ds = ocean()
    read = read_glorys(write(ds, tmp_path / "a.nc"))
    assert read.attrs["depth_m"] == "thetao 0.494, so 0.494, uo 15.81, vo 15.81"
    assert read.attrs["missing_days"] == 0 and "depth" not in read.coords
    for name, level in {"zos": None, "thetao": 0, "so": 0, "uo": 3, "vo": 3}.items():
        assert read[name].dims == ("time", "latitude", "longitude") and read[name].dtype == np.float32
        assert read[name].attrs == VARIABLES[name]
        np.testing.assert_allclose(read[name], ds[name] if level is None else ds[name].isel(depth=level), rtol=1e-6)
    assert read["zos"].isnull().any() and read["zos"].notnull().any()


def test_files_without_a_depth_axis(tmp_path):
    flat = read_glorys(write(ocean(depths=None), tmp_path / "flat.nc"))
    assert "depth_m" not in flat.attrs
    one = ocean().isel(depth=0)  # a scalar coordinate
    assert read_glorys(write(one, tmp_path / "one.nc")).attrs["depth_m"].startswith("thetao 0.494")
    upward = ocean(depths=-DEPTHS[::-1])
    assert "uo 15.81" in read_glorys(write(upward, tmp_path / "upward.nc")).attrs["depth_m"]


def test_no_level_near_the_surface(tmp_path, refuses):
    with refuses("deep.nc", "thetao", "55.8 m", "within 30 m"):
        read_glorys(write(ocean(depths=np.array([55.8, 109.7])), tmp_path / "deep.nc"))


def test_lazily_in_blocks(tmp_path, monkeypatch):
    dask = pytest.importorskip("dask")
    path = write(ocean(), tmp_path / "a.nc")
    in_memory = read_glorys(path).load()
    monkeypatch.setattr("genda_lite.sources.files.BLOCK", 2 * 12 * 14 * 7 * 4)
    lazy = read_glorys(path)
    assert lazy.chunksizes["time"] == (2, 2, 2)
    assert lazy.chunksizes["latitude"] == (12,) and lazy.chunksizes["longitude"] == (14,)
    with dask.config.set(scheduler="processes", num_workers=1):  # what workers are given must be picklable
        xr.testing.assert_identical(lazy[["so"]].isel(time=slice(2)).compute(), in_memory[["so"]].isel(time=slice(2)))
    xr.testing.assert_identical(lazy.compute(), in_memory)


def test_without_dask(tmp_path, monkeypatch):
    path, wind = write(ocean(), tmp_path / "a.nc"), write(winds(), tmp_path / "w.nc")
    expected = join(read_glorys(path), read_winds(wind)).load()
    monkeypatch.setitem(sys.modules, "dask", None)
    plain = join(read_glorys(path), read_winds(wind))
    assert not plain.chunks
    xr.testing.assert_allclose(plain, expected)


def test_series_of_files(tmp_path, refuses):
    """Files in any order, and variables in files of their own."""
    ds = ocean()
    parts = [write(ds.isel(time=slice(i, i + 2)), tmp_path / f"{i}.nc") for i in (4, 0, 2)]
    whole = read_glorys(write(ds, tmp_path / "whole.nc"))
    series = read_glorys(parts)
    xr.testing.assert_equal(series, whole)
    assert series.attrs["source"] == "4.nc and 2 more"
    split = [write(ds[["uo", "vo"]], tmp_path / "c.nc"), write(ds.drop_vars(["uo", "vo"]), tmp_path / "t.nc")]
    xr.testing.assert_equal(read_glorys(split), whole)
    with refuses("2012-01-01", "twice"):
        read_glorys([parts[1], parts[1]])
    with refuses("other dates than"):
        read_glorys([split[0], write(ds.drop_vars(["uo", "vo"]).isel(time=slice(3)), tmp_path / "short.nc")])
    moved = ds.isel(time=[5]).assign_coords(latitude=ds.latitude + 1)
    with refuses("moved.nc", "12 latitudes from 37", "expected 12 from 36"):
        read_glorys([parts[1], write(moved, tmp_path / "moved.nc")])
    deeper = ocean(depths=DEPTHS[:3]).isel(time=[5])
    with refuses("deeper.nc", "'uo'", "13.467 m", "15.81 m"):
        read_glorys([parts[1], write(deeper, tmp_path / "deeper.nc")])
    with refuses("expected at least one"):
        read_glorys([])


def test_gaps_are_kept_and_told(tmp_path, refuses):
    ds = ocean(8).isel(time=[0, 1, 4, 5, 7])
    read = read_glorys(write(ds, tmp_path / "a.nc"))
    assert read.sizes["time"] == 5
    assert read.attrs["missing_days"] == 3 and read.attrs["missing_from"] == "2012-01-03, 2012-01-07"
    hourly = ocean().assign_coords(time=np.datetime64("2012-01-01", "ns") + np.arange(6) * np.timedelta64(1, "h"))
    with refuses("several fields on 2012-01-01", "daily means"):
        read_glorys(write(hourly, tmp_path / "hourly.nc"))


def test_grids_in_other_orders(tmp_path):
    expected = read_glorys(write(ocean(), tmp_path / "a.nc"))
    ds = ocean()
    turned = ds.isel(latitude=slice(None, None, -1)).assign_coords(longitude=ds.longitude.astype(float) % 360)
    turned = turned.roll(longitude=5, roll_coords=True).rename(latitude="lat", longitude="lon")
    read = read_glorys(write(turned.transpose("lon", "lat", ...), tmp_path / "b.nc"))
    xr.testing.assert_allclose(read, expected, rtol=1e-6)
    mixed = [write(ds.isel(time=slice(3)), tmp_path / "c.nc"), write(turned.isel(time=slice(3, 6)), tmp_path / "d.nc")]
    xr.testing.assert_allclose(read_glorys(mixed), expected, rtol=1e-6)


def test_the_greenwich_meridian_inside_the_box(tmp_path):
    ds = ocean(depths=None)
    east = ds.assign_coords(longitude=(ds.longitude.astype(float) + 59.5) % 360).sortby("longitude")
    assert np.ptp(east.longitude.values) > 350
    read = read_glorys(write(east, tmp_path / "a.nc"))
    np.testing.assert_allclose(read.longitude, ds.longitude + 59.5, atol=1e-5)
    np.testing.assert_allclose(read["so"], ds["so"], rtol=1e-6)


def in_units(ds: xr.Dataset, name: str, units: str | None, function) -> xr.Dataset:
    attrs = {} if units is None else {"units": units}
    return ds.assign({name: function(ds[name]).assign_attrs(attrs)}) if units else ds.assign(
        {name: function(ds[name]).drop_attrs()}
    )  # fmt: skip


def test_stated_units_are_converted(tmp_path):
    ds = ocean()
    other = in_units(ds, "thetao", "K", lambda x: x + 273.15)
    other = in_units(other, "uo", "cm/s", lambda x: 100 * x)
    other = in_units(other, "zos", "cm", lambda x: 100 * x)
    other = in_units(other, "so", "PSU", lambda x: x)
    xr.testing.assert_allclose(
        read_glorys(write(other, tmp_path / "b.nc")), read_glorys(write(ds, tmp_path / "a.nc")), atol=1e-4
    )


@pytest.mark.parametrize(
    ("name", "units", "function", "words"),
    [
        ("thetao", "degC", lambda x: x + 275, ("'thetao'", "'degC'", "values from", "expected -2.5 to 45")),
        ("thetao", "K", lambda x: x, ("'K'", "expected -2.5 to 45")),
        ("thetao", "degF", lambda x: x, ("units 'degF'", "expected degC")),
        ("uo", "m s-1", lambda x: 100 * x, ("'uo'", "m s-1", "expected -5 to 5")),
        ("uo", None, lambda x: x, ("no units attribute", "expected m s-1")),
        ("so", "g kg-1", lambda x: x, ("units 'g kg-1'", "expected 1e-3")),
        ("zos", "m", lambda x: x + 500, ("'zos'", "expected -5 to 5")),
        ("zos", "m", lambda x: x * np.nan, ("'zos'", "no valid value", "some sea")),
    ],
)
def test_wrong_units_and_values_are_refused(tmp_path, refuses, name, units, function, words):
    with refuses("a.nc", *words):
        read_glorys(write(in_units(ocean(), name, units, function), tmp_path / "a.nc"))


def test_missing_variables(tmp_path, refuses):
    with refuses("a.nc", "no variable 'so'", "the file has", "thetao"):
        read_glorys(write(ocean().drop_vars("so"), tmp_path / "a.nc"))
    with refuses("b.nc", "'zos' has dimensions", "expected time, latitude, longitude"):
        ds = ocean()
        read_glorys(write(ds.assign(zos=ds["uo"].assign_attrs(units="m").rename(depth="layer")), tmp_path / "b.nc"))
    with refuses("c.nc", "does not decode to dates"):
        read_glorys(write(ocean().assign_coords(time=np.arange(6)), tmp_path / "c.nc"))


@pytest.mark.filterwarnings("ignore:saving variable")
def test_undeclared_fill_values_are_masked(tmp_path):
    ds = ocean()
    expected = read_glorys(write(ds, tmp_path / "a.nc"))
    plain = ds.assign(thetao=ds["thetao"].fillna(1e20), so=ds["so"].fillna(-9999.0))
    encoding = {name: {"_FillValue": None} for name in ("thetao", "so")}
    for name, scale in (("zos", 3.05185e-4), ("uo", 6.1037e-4)):  # packed, the fill value decodes to -10 m, -20 m/s
        plain[name] = ds[name].fillna(-32767 * scale)
        encoding[name] = {"dtype": "int16", "scale_factor": scale, "_FillValue": None}
    read = read_glorys(write(plain, tmp_path / "b.nc", encoding=encoding))
    for name in UNITS:
        np.testing.assert_array_equal(read[name].isnull(), expected[name].isnull(), name)
        np.testing.assert_allclose(read[name], expected[name], atol=4e-4)


def test_nonsense_in_the_midst_is_told_when_it_is_read(tmp_path, monkeypatch, refuses):
    """Three frames are looked at when a file is opened; the others when they are computed."""
    ds = ocean(8)
    ds["uo"][5, 3, 4, 4] = 77.0
    pytest.importorskip("dask")
    monkeypatch.setattr("genda_lite.sources.files.BLOCK", 1)
    read = read_glorys(write(ds, tmp_path / "a.nc"))
    with refuses("a.nc: 'uo'", "values from 77 to 77 m s-1", "expected -5 to 5"):
        read.load()


# --- The wind --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [{}, {"u10": "uas", "v10": "vas"}, {"u10": "eastward_wind", "v10": "northward_wind"}])
@pytest.mark.parametrize("step", [1, 6, 24])
def test_winds_become_daily_means(tmp_path, step, names):
    ds = winds(step=step, **names)
    read = read_winds(write(ds.rename(time="valid_time"), tmp_path / "w.nc"))
    assert read.attrs["values_per_day"] == 24 // step and read.attrs["missing_days"] == 0
    assert (np.diff(read.latitude) > 0).all() and read["uas"].attrs == VARIABLES["uas"]
    np.testing.assert_array_equal(read["time"], np.datetime64("2012-01-01") + np.arange(6))
    np.testing.assert_allclose(read["vas"], (24 - step) / 2)
    np.testing.assert_allclose(read["uas"].sel(latitude=36, longitude=-60), np.arange(6), atol=1e-6)


def test_days_without_all_their_hours_are_left_out(tmp_path):
    ds = winds(hours=3 * 24 + 1).isel(time=np.delete(np.arange(73), 30))
    with pytest.warns(UserWarning, match=r"2 day\(s\) hold fewer than 24 winds \(2012-01-02, 2012-01-04\)"):
        read = read_winds(write(ds, tmp_path / "w.nc"))
    np.testing.assert_array_equal(read["time"].dt.day, [1, 3])
    np.testing.assert_allclose(read["vas"], 11.5)
    assert read.attrs["missing_from"] == "2012-01-02"


def test_bad_winds(tmp_path, refuses):
    with refuses("no variable 'vas' or 'v10' or 'northward_wind'"):
        read_winds(write(winds().drop_vars("v10"), tmp_path / "a.nc"))
    with refuses("'u10'", "units 'knots'", "expected m s-1"):
        read_winds(write(winds().assign(u10=winds()["u10"].assign_attrs(units="knots")), tmp_path / "b.nc"))
    with refuses("'u10'", "expected -100 to 100"):
        read_winds(write(winds().assign(u10=winds()["u10"] + 280), tmp_path / "c.nc"))


# --- Together --------------------------------------------------------------------------------------------------------


def test_winds_on_the_grid_of_the_ocean(tmp_path):
    sea, wind = read_glorys(write(ocean(), tmp_path / "o.nc")), read_winds(write(winds(), tmp_path / "w.nc"))
    both = join(sea, wind.isel(time=[0, 1, 2, 4]))
    assert both.attrs["days_without_wind"] == 2 and both.attrs["missing_from"] == "2012-01-04"
    np.testing.assert_array_equal(both["time"], sea["time"][[0, 1, 2, 4]])
    plane = (both.latitude - 36) * 2 + (both.longitude + 60) * 3 + xr.DataArray([0, 1, 2, 4], dims="time")
    np.testing.assert_allclose(both["uas"], plane.transpose(*both["zos"].dims).where(both["zos"].notnull()), atol=1e-5)
    assert both["uas"].dtype == both.load()["uas"].dtype == np.float32


def test_winds_that_do_not_match(tmp_path, refuses):
    sea, wind = read_glorys(write(ocean(), tmp_path / "o.nc")), read_winds(write(winds(), tmp_path / "w.nc"))
    with refuses("winds cover latitudes 36.5 to 37.5", "expected the ocean's 36 to"):
        join(sea, wind.sel(latitude=slice(36.5, None)))
    with refuses("2012-01-01 to 2012-01-06", "2013-01-01", "no day in common"):
        join(sea, wind.assign_coords(time=wind["time"] + np.timedelta64(366, "D")))


def test_files_are_told_apart_by_what_they_hold(tmp_path, refuses):
    paths = [write(winds(), tmp_path / "w.nc"), write(ocean(), tmp_path / "o.nc")]
    both = read_reanalysis(paths)
    xr.testing.assert_identical(both.load(), join(read_glorys(paths[1]), read_winds(paths[0])).load())
    xr.testing.assert_identical(read_reanalysis(write(both, tmp_path / "all.nc")).load(), both)
    halves = [write(both.isel(time=part), tmp_path / f"{i}.nc") for i, part in enumerate((slice(3, 6), slice(3)))]
    xr.testing.assert_equal(read_reanalysis(halves).load(), both)
    with refuses("occurs twice"):
        read_reanalysis([halves[0], halves[0]])
    with refuses("another grid"):
        read_reanalysis([halves[0], write(both.isel(latitude=slice(5), time=slice(3)), tmp_path / "part.nc")])
    with refuses("only the ocean", "expected files of both"):
        read_reanalysis(paths[1:])
    with refuses("only winds"):
        read_reanalysis(paths[:1])


def test_from_files_to_the_state_and_back(tmp_path):
    """Land stays land, and the currents close at sea."""
    both = read_reanalysis([write(winds(gusts=3.0), tmp_path / "w.nc"), write(ocean(), tmp_path / "o.nc")])
    state, standardizer = prepare(both)
    assert tuple(state.data_vars) == CHANNELS and "depth_m" in state.attrs
    assert np.isfinite(standardizer.scale).all()
    closed = total_current(state, standardizer)
    for name in ("uo", "vo"):
        np.testing.assert_allclose(closed[name], both[name], atol=1e-5)
        np.testing.assert_array_equal(closed[name].isnull(), both["zos"].isnull())
    np.testing.assert_allclose(stored_response(prepare(both, ekman="point")[0]).isnull(), both["zos"][0].isnull())


# --- Real files ------------------------------------------------------------------------------------------------------


@real_data
def test_real_ocean():
    """Subsampled GLORYS12 around the British Isles, five levels: the uppermost is 6.2 m, the next 35 m."""
    read = read_glorys(GLORYS)
    assert read.attrs["depth_m"] == "thetao 6.239, so 6.239, uo 6.239, vo 6.239"
    assert read.attrs["missing_days"] == 364 and "GLORYS" not in read.attrs.get("platform", "")
    assert dict(read.sizes) == {"time": 2, "latitude": 12, "longitude": 18}
    with open_product(GLORYS) as raw:
        for name in UNITS:
            level = raw[name].isel(depth=0) if "depth" in raw[name].dims else raw[name]
            np.testing.assert_allclose(read[name], level, rtol=1e-6)
    land = read["zos"].isnull()
    assert 0.02 < land.mean() < 0.05
    for name in UNITS:
        np.testing.assert_array_equal(read[name].isnull(), land)
    assert 7 < read["thetao"].mean() < 10 and 34.5 < read["so"].mean() < 35.5


@real_data
def test_real_winds():
    read = read_winds(ERA5)
    assert (np.diff(read.latitude) > 0).all() and float(read.latitude[0]) == 20.0
    with open_product(ERA5) as raw:
        np.testing.assert_allclose(read["uas"], raw["u10"][:, ::-1], rtol=1e-6)
    speed = np.hypot(read["uas"], read["vas"])
    assert 20 < speed.max() < 35 and 5 < speed.mean() < 10


@real_data
def test_real_ocean_and_winds_together():
    both = read_reanalysis([GLORYS, ERA5]).load()
    assert list(both["time"].dt.strftime("%F").values) == ["2012-01-01"] and both.attrs["days_without_wind"] == 1
    j, i = 5, 9
    near = read_winds(ERA5).isel(time=0).interp(latitude=both.latitude[j], longitude=both.longitude[i])
    assert float(both["uas"][0, j, i]) == pytest.approx(float(near["uas"]), abs=1e-4)
    for name in ("uas", "vas"):
        np.testing.assert_array_equal(both[name].isnull(), both["zos"].isnull())


@real_data
def test_other_real_files_are_refused():
    for path in sorted(REAL.iterdir()):
        for reader, own in ((read_glorys, GLORYS), (read_winds, ERA5)):
            if path != own:
                with pytest.raises(InputError):
                    reader(path)


# --- Downloads, against a stand-in for the client --------------------------------------------------------------------


class Client:
    """Remembers what it is asked for and writes the files of the tests above."""

    def __init__(self):
        self.asked = []

    def subset(self, **request):
        self.asked.append(request)
        first, last = (np.datetime64(request[key]) for key in ("start_datetime", "end_datetime"))
        names = [name for name in request["variables"] if name in UNITS]
        if names:
            level = slice(0, 1) if request["maximum_depth"] < 2 else slice(3, 4)
            ds = ocean(days=int((last - first) / np.timedelta64(1, "D")) + 1).isel(depth=level)[names]
        else:
            hours = int((last - first) / np.timedelta64(1, "h")) + 1
            ds = winds(hours, u10="eastward_wind", v10="northward_wind")
        ds = ds.assign_coords(time=ds["time"] + (first - ds["time"][0].values.astype("datetime64[D]")))
        ds.to_netcdf(Path(request["output_directory"]) / request["output_filename"], engine="h5netcdf")


@pytest.fixture
def client(monkeypatch) -> Client:
    client = Client()
    monkeypatch.setitem(sys.modules, "copernicusmarine", client)
    return client


def test_download_of_two_years(tmp_path, client):
    files = download_glorys(tmp_path, "2011-12-30", "2012-01-02", box=(-60, -59, 36, 37))
    assert len(files) == len(client.asked) == 6 and sorted(tmp_path.iterdir()) == sorted(files)
    surface, currents, wind = client.asked[:3]
    assert surface["variables"] == ["zos", "thetao", "so"] and currents["variables"] == ["uo", "vo"]
    assert (currents["minimum_depth"], currents["maximum_depth"]) == (15.0, 16.0)
    assert (surface["start_datetime"], surface["end_datetime"]) == ("2011-12-30T00:00:00", "2011-12-31T23:00:00")
    assert "minimum_depth" not in wind and wind["minimum_longitude"] == -60.5 and wind["maximum_latitude"] == 37.5
    assert not any("password" in key or "username" in key for request in client.asked for key in request)
    read = read_reanalysis(files)
    assert list(read["time"].dt.strftime("%F").values) == ["2011-12-30", "2011-12-31", "2012-01-01", "2012-01-02"]
    assert read.attrs["depth_m"] == "thetao 0.494, so 0.494, uo 15.81, vo 15.81"
    assert download_glorys(tmp_path, "2011-12-30", "2012-01-02", box=(-60, -59, 36, 37)) == files
    assert len(client.asked) == 6  # nothing is fetched twice


def test_download_that_fails(tmp_path, client, monkeypatch, refuses):
    def fail(**request):
        (Path(request["output_directory"]) / request["output_filename"]).write_text("half a file")
        raise ConnectionError("the service is away")

    client.subset = fail
    with pytest.raises(ConnectionError):
        download_glorys(tmp_path, "2012-01-01", "2012-01-02")
    assert not list(tmp_path.iterdir())
    with refuses("'soon'", "2010-01-01"):
        download_glorys(tmp_path, "soon", "2012-01-02")
    with refuses("ascend"):
        download_glorys(tmp_path, "2012-01-02", "2012-01-01")
    monkeypatch.setitem(sys.modules, "copernicusmarine", None)
    with refuses("copernicusmarine", "genda_lite[data]"):
        download_glorys(tmp_path, "2012-01-01", "2012-01-02")
