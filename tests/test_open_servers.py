"""Downloads that want no account, against stand-ins for erddapy, pooch and xarray at their public boundary."""

import sys
from types import SimpleNamespace
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pooch
import pytest
import xarray as xr
from typer.testing import CliRunner

from genda_lite import sources
from genda_lite.cli import app
from genda_lite.errors import InputError
from genda_lite.observe.files import kind_of
from genda_lite.sources import read_drifters, read_glorys, read_reanalysis, read_temperature, read_winds
from genda_lite.sources.catalogue import OPEN_OSE, OPEN_SUBSETS, OSE
from genda_lite.sources.download import fetch, plan_ose, plan_training, sizes

BOX = (-61.0, -59.0, 35.5, 36.5)
NORTHERN = (-60.6, -60.1, 39.6, 40.4)  # across the latitude at which HYCOM's steps change
SEEN = {"adt": (0.25, "m"), "ugos": (0.1, "m s-1"), "vgos": (-0.1, "m s-1"), "mask": (1, "")}
SEEN |= {"analysed_sst": (17.0, "degree_C"), "analysis_error": (0.4, "degree_C"), "sss": (36.0, "PSU")}
SEEN |= {"uwnd": (8.0, "m s-1"), "vwnd": (-3.0, "m s-1")}


class NotFound(Exception):
    """As requests has it."""

    response = SimpleNamespace(status_code=404)


class Erddap:
    """Remembers what is asked for and answers as servers do: NetCDF-3 of a grid, or a table with a row of units."""

    def __init__(self):
        self.asked, self.addresses, self.missing = [], [], set()

    def get_download_url(self, server, **request):
        self.asked.append(request | {"server": server})
        return f"{server}/{request['protocol']}/{request['dataset_id']}?a[(0):1:(9)],b&time>={len(self.asked)}"

    def answer(self, address, path, _):
        self.addresses.append(address)
        request = self.asked[-1]
        if request["dataset_id"] in self.missing:
            raise NotFound
        (self.table if request["protocol"] == "tabledap" else self.grid)(request, path)

    def grid(self, request, path):
        asked, every = request["constraints"], {"ccmp_31_LonPM180": "6h"}.get(request["dataset_id"], "D")
        spacing = next(one.spacing for one in OPEN_OSE.values() if one.dataset[:6] == request["dataset_id"][:6])
        ds = xr.Dataset()
        for dim in ("latitude", "longitude"):
            axis = np.arange(asked[f"{dim}>="], asked[f"{dim}<="] + 1e-6, spacing * asked[f"{dim}_step"])
            ds[dim] = (dim, axis, {"units": f"degrees_{'north' if dim == 'latitude' else 'east'}"})
        # ERDDAP takes the nearest time that there is; a bound half a step too late would bring one of the next month.
        times = pd.date_range(asked["time>="][:-1], asked["time<="][:-1], freq=every)
        ds["time"] = ("time", times, {"valid_max": np.float32(325074.0)})
        ds["longitude"].attrs |= {"valid_min": np.float32(0.0), "valid_max": np.float32(360.0)}
        for name in request["variables"]:
            value, units = SEEN[name]
            kind = np.int8 if name == "mask" else np.float64
            ds[name] = (request["dim_names"], np.full([ds.sizes[d] for d in request["dim_names"]], value, kind))
            ds[name].attrs = {"units": units} if units else {}
        ds.to_netcdf(path, engine="scipy")

    def table(self, request, path):
        assert request["response"] == "csv"
        start = pd.Timestamp(request["constraints"]["time>="][:-1])
        rows = [",".join(request["variables"]), ",UTC,degrees_north,degrees_east,m/s,m/s,UTC"]
        for hour in range(30):
            when = start + pd.Timedelta(hours=hour)
            rows.append(f"101,{when:%FT%TZ},{36 + 0.01 * hour:g},{-60 + 0.01 * hour:g},0.3,-0.1,1970-01-01T00:00:00Z")
        with open(path, "w") as file:
            file.write("\n".join(rows) + "\n")


@pytest.fixture
def server(monkeypatch) -> Erddap:
    erddap = Erddap()
    for name in ("erddapy", "erddapy.core", "erddapy.core.url"):
        monkeypatch.setitem(sys.modules, name, erddap)
    monkeypatch.setattr(pooch, "HTTPDownloader", lambda timeout: erddap.answer)
    monkeypatch.setitem(sys.modules, "copernicusmarine", None)  # it is not needed
    return erddap


def hycom(first="2010-05-31", days=2) -> xr.Dataset:
    """Snapshots every three hours, at four levels; rows of 0.08 degrees up to 40 N, of 0.04 beyond."""
    latitude = np.concatenate([np.arange(39.2, 40.0, 0.08), np.arange(40.0, 40.801, 0.04)])
    longitude, depth = np.arange(-61.2, -59.5, 0.08), np.array([0.0, 8.0, 15.0, 20.0])
    time = np.arange(first, np.datetime64(first) + days, dtype="M8[h]")[::3].astype("M8[ns]")
    surface, deep = ("time", "lat", "lon"), ("time", "depth", "lat", "lon")
    hour = (time - time.astype("M8[D]")) / np.timedelta64(1, "h")

    def values(dims, base, units):
        swing = hour[:, None, None] / 100 + latitude[:, None] / 1000 + 0 * longitude
        field = base + (swing[:, None] - depth[:, None, None] / 100 if dims == deep else swing)
        return dims, field.astype("f4"), {"units": units}

    return xr.Dataset(
        {
            "surf_el": values(surface, 0.2, "m"),
            "water_temp": values(deep, 20.0, "degC"),
            "salinity": values(deep, 35.0, "psu"),
            "water_u": values(deep, 0.5, "m/s"),
            "water_v": values(deep, -0.5, "m/s"),
        },
        coords={"time": time, "depth": depth, "lat": latitude, "lon": longitude},
    )


@pytest.fixture
def opendap(monkeypatch) -> list:
    asked = []

    def opened(address, **options):
        asked.append((address, options))
        return hycom()

    monkeypatch.setitem(sys.modules, "netCDF4", SimpleNamespace())
    monkeypatch.setattr(xr, "open_dataset", opened)
    return asked


def june(pieces):
    return [piece for piece in pieces if piece.begin.month == 6]


def test_everything_that_is_fetched_can_be_read(tmp_path, server):
    pieces = june(plan_ose(tmp_path, 2019, "open"))
    assert {piece.name for piece in pieces} == set(OPEN_OSE) <= set(OSE)  # an archive finds them by the same names
    assert all(found for _, found in fetch(pieces, BOX))
    assert sorted(tmp_path.iterdir()) == sorted(piece.path for piece in pieces)
    read = {piece.name: getattr(sources, piece.subset.reader)(piece.path) for piece in pieces}
    assert (read["sea level"]["zos"] == 0.25).all() and (read["sea level"]["vgos"] == -0.1).all()
    assert (read["temperature L4"]["thetao"] == 17.0).all() and (read["temperature L4"]["error"] == 0.4).all()
    assert (read["salinity"]["so"] == 36.0).all()
    winds = read["winds"].compute()
    assert winds.attrs["values_per_day"] == 4 and winds.sizes["time"] == 30
    assert (winds["uas"] == 8.0).all() and (winds["vas"] == -3.0).all()
    assert (read["drifters"]["u"] == 0.3).all() and read["drifters"].sizes["obs"] == 30
    assert {piece.name: kind_of(piece.path) for piece in pieces if piece.name != "drifters"} == {
        "sea level": "sea level", "temperature L4": "temperature L4", "salinity": "salinity", "winds": "wind"
    }  # fmt: skip


def test_servers_are_asked_for_the_box_and_the_month(tmp_path, server):
    list(fetch(june(plan_ose(tmp_path, 2019, "open")), BOX))
    asked = {request["dataset_id"]: request for request in server.asked}
    assert asked["SEA_SURFACE_HEIGHT_2019_v3"]["server"] == "https://erddap.aoml.noaa.gov/hdb/erddap"
    mur = asked["jplMURSST41"]["constraints"]
    assert (mur["time>="], mur["time<="]) == ("2019-06-01T09:00:00Z", "2019-06-30T09:00:00Z")
    assert (mur["latitude>="], mur["latitude<="], mur["latitude_step"]) == (35.0, 37.0, 5)
    wind = asked["ccmp_31_LonPM180"]["constraints"]
    assert (wind["time>="], wind["time<="]) == ("2019-06-01T00:00:00Z", "2019-06-30T18:00:00Z")
    assert (wind["longitude>="], wind["longitude<="], wind["longitude_step"]) == (-61.5, -58.5, 1)
    drifters = asked["drifter_hourly_qc"]["constraints"]
    assert (drifters["time>="], drifters["time<"]) == ("2019-06-01T00:00:00Z", "2019-07-01T00:00:00Z")
    assert (drifters["longitude>="], drifters["latitude<="]) == (-61.0, 36.5)
    for address in server.addresses:
        assert not set("[]<>") & set(address) and "?a[(0):1:(9)],b&time>=" in unquote(address)


def test_what_a_server_does_not_have(tmp_path, server, monkeypatch):
    pieces = june(plan_ose(tmp_path, 2018, "open"))
    server.missing = {"SEA_SURFACE_HEIGHT_2018_v3"}
    assert [piece.name for piece, found in fetch(pieces, BOX) if not found] == ["sea level"]
    assert not list(tmp_path.glob("*sea_level*"))
    assert [piece.name for piece, _ in fetch(pieces, BOX)] == ["sea level"]  # all others are there

    def half(address, path, _):
        with open(path, "w") as file:
            file.write("half a file")
        raise ConnectionError("the server is away")

    monkeypatch.setattr(pooch, "HTTPDownloader", lambda timeout: half)
    with pytest.raises(ConnectionError):
        list(fetch(pieces, BOX))
    assert len(list(tmp_path.iterdir())) == len(pieces) - 1


def test_sizes_are_counted_without_asking(tmp_path, server):
    left = sizes(plan_ose(tmp_path, 2019, "open"), BOX)
    assert left["winds"] == (12, pytest.approx(12 * 13 * 9 * 31 * 4 * 2 * 8 / 1e6))
    assert left["temperature L4"][1] == pytest.approx(12 * 61 * 41 * 31 * 3 * 8 / 1e6)
    assert left["drifters"] == (12, None) and not server.asked
    model = plan_training(tmp_path, "2010-05-01", "2010-05-31", (-62, -60, 38, 40), "open")
    assert sizes(model, (-62, -60, 38, 40))["hycom"] == (1, pytest.approx(26 * 26 * 31 * 5 * 16 / 1e6))


def test_hycom_as_daily_means_on_an_even_grid(tmp_path, server, opendap):
    pieces = plan_training(tmp_path, "2010-05-31", "2010-06-01", NORTHERN, "open")
    assert [piece.path.name for piece in pieces] == [
        f"{name}_{days}_-60.6_-60.1_39.6_40.4.nc"
        for days in ("20100531-20100531", "20100601-20100601") for name in OPEN_SUBSETS
    ]  # fmt: skip
    assert all(found for _, found in fetch(pieces, NORTHERN))
    address, options = opendap[0]
    assert address == "https://tds.hycom.org/thredds/dodsC/GLBv0.08/expt_53.X/data/2010"
    assert options["engine"] == "netcdf4" and options["drop_variables"] == ["tau"]
    read = read_glorys([piece.path for piece in pieces if piece.name == "hycom"]).compute()
    np.testing.assert_allclose(np.diff(read.latitude), 0.08, atol=1e-6)
    assert read.latitude[0] == pytest.approx(39.6) and read.latitude[-1] == pytest.approx(40.4)
    assert list(read.time.dt.strftime("%F").values) == ["2010-05-31", "2010-06-01"]
    mean = 10.5 / 100 + read.latitude / 1000  # over 0, 3, ..., 21 h
    at = {"zos": 0.2, "thetao": 20.0, "so": 35.0, "uo": 0.35, "vo": -0.65}  # the current at 15 m
    for name, base in at.items():
        np.testing.assert_allclose(read[name], (base + mean + 0 * read[name]).transpose(*read[name].dims), atol=1e-4)
    joined = read_reanalysis([piece.path for piece in pieces]).compute()
    assert joined.sizes["time"] == 2 and (joined["uas"] == 8.0).all()


def test_days_that_hycom_does_not_have(tmp_path, server, opendap):
    (piece,) = [p for p in plan_training(tmp_path, "2010-07-01", "2010-07-02", NORTHERN, "open") if p.name == "hycom"]
    assert [found for _, found in fetch([piece], NORTHERN)] == [False] and not list(tmp_path.iterdir())


def test_what_cannot_be(tmp_path, server, monkeypatch, refuses):
    with refuses("'closed'", "copernicus, open"):
        plan_ose(tmp_path, 2019, "closed")
    with refuses("year 2001", "2002 to 2022"):
        plan_ose(tmp_path, 2001, "open")
    with refuses("year 2023", "2002 to 2022"):
        plan_ose(tmp_path, 2023, "open")
    with refuses("1994 to 2015"):
        plan_training(tmp_path, "2015-12-31", "2016-01-01", BOX, "open")
    monkeypatch.setitem(sys.modules, "netCDF4", None)
    with refuses("netCDF4", "genda_lite[data]"):
        list(fetch(plan_training(tmp_path, "2010-05-31", "2010-06-01", BOX, "open"), BOX))
    for name in ("erddapy", "erddapy.core", "erddapy.core.url"):
        monkeypatch.setitem(sys.modules, name, None)
    with refuses("erddapy", "genda_lite[data]"):
        list(fetch(plan_ose(tmp_path, 2019, "open"), BOX))
    assert not list(tmp_path.iterdir())


def test_commands(tmp_path, server, opendap):
    run = lambda *words: CliRunner().invoke(app, ["download", *words])  # noqa: E731
    where = ["--box", "-60.6", "-60.1", "39.6", "40.4", "--source", "open"]
    training = ["training", "--start", "2010-05-31", "--end", "2010-05-31", "--folder", str(tmp_path / "t"), *where]
    asked = CliRunner().invoke(app, ["download", *training], input="n\n")
    assert asked.exit_code == 1 and "GLBv0.08/expt_53.X" in asked.output and not opendap
    done = run(*training, "--yes")
    assert done.exit_code == 0 and len(list((tmp_path / "t").iterdir())) == 2
    assert "all 2 pieces are there" in run(*training).output
    refused = run("ose", "--year", "2019", "--folder", str(tmp_path / "o"), "--source", "closed")
    assert isinstance(refused.exception, InputError) and not (tmp_path / "o").exists()
    told = run("ose", "--year", "2019", "--folder", str(tmp_path / "o"), "--source", "open")
    assert "jplMURSST41" in told.output and "unknown" in told.output and not list((tmp_path / "o").iterdir())


def test_erddapy_takes_what_it_is_asked():
    addresses = pytest.importorskip("erddapy.core.url", reason="erddapy is not installed")
    dims, ends = ["time", "latitude"], (">=", "_step", "<=")
    limits = {f"{dim}{end}": f"{dim[0]}{at}" for dim in dims for at, end in enumerate(ends)}
    where = {"dataset_id": "a", "constraints": limits, "dim_names": dims}
    grid = addresses.get_download_url("https://b", protocol="griddap", response="nc", variables=["x", "y"], **where)
    assert grid == "https://b/griddap/a.nc?x[(t0):t1:(t2)][(l0):l1:(l2)],y[(t0):t1:(t2)][(l0):l1:(l2)]"
    limits = {"time>=": "2019-06-01T00:00:00Z", "time<": "2019-07-01T00:00:00Z", "latitude>=": 35.5}
    table = addresses.get_download_url(
        "https://b", protocol="tabledap", response="csv", variables=["ID", "ve"], dataset_id="a", constraints=limits
    )
    assert table == "https://b/tabledap/a.csv?ID,ve&time>=1559347200.0&time<1561939200.0&latitude>=35.5"


def test_names_of_mur_and_of_the_drifter_program(tmp_path, server):
    """The variables asked for are those that readers take by default."""
    pieces = june(plan_ose(tmp_path, 2019, "open"))
    list(fetch(pieces, BOX))
    path = {piece.name: piece.path for piece in pieces}
    assert read_temperature(path["temperature L4"], "2019-06-12").attrs["processing_level"] == "L4"
    assert read_winds(path["winds"]).attrs["missing_days"] == 0
    assert (read_drifters(path["drifters"])["drogue"] == -1).all()  # lost in 1970: it is not known
