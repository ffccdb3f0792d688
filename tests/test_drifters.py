"""Readers of drifters: every format gives one ragged array, and what is bad is counted."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from genda_lite.errors import InputError
from genda_lite.sources import Report, ragged_slices, read_drifters

REAL = Path(__file__).parents[2] / "shared" / "real"
real_data = pytest.mark.skipif(not REAL.is_dir(), reason=f"the real products are not at {REAL}")
START = pd.Timestamp("2017-03-01")


def fixes(n=60, ids=("101", "202")) -> pd.DataFrame:
    """Two drifters that go east at 0.3 m/s and north at 0.1 m/s, an hour between fixes; the second without drogue."""
    tables = []
    for number, name in enumerate(ids):
        hours = np.arange(n)
        tables.append(
            pd.DataFrame(
                {
                    "id": name,
                    "time": START + pd.to_timedelta(hours, "h"),
                    "latitude": 36.0 + number + 0.1 * 3600 * hours / 111e3,
                    "longitude": -60.0 + 0.3 * 3600 * hours / 90e3,
                    "u": 0.3 + 0.01 * number,
                    "v": 0.1,
                    "depth": 15.0 * (1 - number),
                    "qc": 1,
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def long_csv(table: pd.DataFrame, path: Path) -> Path:
    """As Copernicus' client writes them: a row a fix and variable, sorted by variable."""
    rows = []
    for variable, column in (("EWCT", "u"), ("NSCT", "v")):
        one = pd.DataFrame({"variable": variable, "platform_id": table["id"], "platform_type": "DC"})
        one["time"] = table["time"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
        for name in ("longitude", "latitude", "depth"):
            one[name] = table[name]
        one["pressure"], one["is_depth_from_producer"] = np.nan, 1
        one["value"], one["value_qc"] = table[column], table.get(f"{column}_qc", table["qc"])
        one["institution"], one["doi"], one["product_doi"] = "AOML", np.nan, "https://doi.org/10.17882/86236"
        rows.append(one)
    pd.concat(rows).to_csv(path, index=False)
    return path


def erddap_csv(table: pd.DataFrame, path: Path, units="m/s", lost="") -> Path:
    """As ERDDAP writes the Global Drifter Program: a row of names, a row of units, empty where there is nothing."""
    one = pd.DataFrame({"ID": table["id"], "time": table["time"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")})
    one["latitude"], one["longitude"], one["ve"], one["vn"] = (table[c] for c in ("latitude", "longitude", "u", "v"))
    one["drogue_lost_date"] = lost
    text = one.to_csv(index=False)
    names, rows = text.split("\n", 1)
    path.write_text(f"{names}\n,UTC,degrees_north,degrees_east,{units},{units},UTC\n{rows}")
    return path


def ragged(table: pd.DataFrame, **more) -> xr.Dataset:
    """clouddrift's ragged array of the Global Drifter Program (gdp1h)."""
    ids, sizes = np.unique(table["id"], return_counts=True)
    ds = xr.Dataset({"rowsize": ("traj", sizes)}, {"id": ("traj", ids.astype(np.int64))})
    for name, column in (("lat", "latitude"), ("lon", "longitude"), ("ve", "u"), ("vn", "v")):
        units = {"units": "m/s"} if column in "uv" else {}
        ds[name] = ("obs", table[column].to_numpy(), units)
    ds = ds.assign_coords(time=("obs", table["time"].to_numpy("datetime64[ns]")))
    return ds.assign(more)


def copernicus_netcdf(table: pd.DataFrame, path: Path) -> Path:
    """A drifter of Copernicus In Situ: dims TIME, DEPTH, positions on dims of their own, flags beside the values."""
    n = len(table)
    ds = xr.Dataset(coords={"TIME": ("TIME", table["time"].to_numpy("datetime64[ns]"))})
    ds["LATITUDE"] = ("LATITUDE", table["latitude"].to_numpy("f4"))
    ds["LONGITUDE"] = ("LONGITUDE", table["longitude"].to_numpy("f4"))
    ds["POSITION_QC"], ds["TIME_QC"] = ("POSITION", np.ones(n, "i1")), ("TIME", np.ones(n, "i1"))
    for name, column in (("EWCT", "u"), ("NSCT", "v")):
        ds[name] = (("TIME", "DEPTH"), table[[column]].to_numpy("f4"), {"units": "m s-1"})
        ds[f"{name}_QC"] = (("TIME", "DEPTH"), table[["qc"]].to_numpy("i1"))
    ds["DEPH"] = (("TIME", "DEPTH"), table[["depth"]].to_numpy("f4"), {"units": "m"})
    ds.attrs["platform_code"] = table["id"].iloc[0]
    ds.to_netcdf(path, engine="h5netcdf")
    return path


def check(ds: xr.Dataset, table: pd.DataFrame) -> None:
    assert list(ds.id.values) == ["101", "202"] and list(ds.rowsize.values) == [60, 60]
    np.testing.assert_allclose(ds.latitude, table["latitude"], atol=1e-5)
    np.testing.assert_allclose(ds.longitude, table["longitude"], atol=1e-5)
    np.testing.assert_allclose(ds.u, table["u"], atol=1e-6)
    np.testing.assert_allclose(ds.v, table["v"], atol=1e-6)
    assert (ds.time.values == table["time"].to_numpy("datetime64[ns]")).all()
    assert ds.u.units == "m s-1" and Report.of(ds).dropped == {}


def test_every_format_gives_the_same(tmp_path):
    table = fixes()
    lost = np.where(table["id"] == "202", "2017-01-01T00:00:00Z", "")
    check(ds := read_drifters(long_csv(table, tmp_path / "long.csv")), table)
    assert list(ds.drogue.values) == [1] * 60 + [0] * 60
    assert [round(float(ds.u[rows].mean()) * 100) for rows in ragged_slices(ds)] == [30, 31]
    check(ds := read_drifters(erddap_csv(table, tmp_path / "erddap.csv", lost=lost)), table)
    assert list(ds.drogue.values) == [1] * 60 + [0] * 60
    slow = table.assign(u=table["u"] * 100, v=table["v"] * 100)
    check(read_drifters(erddap_csv(slow, tmp_path / "cm.csv", "cm/s")), table)

    file = ragged(table, drogue_status=("obs", (table["id"] == "101").to_numpy()))
    file.to_netcdf(tmp_path / "gdp1h.nc", engine="h5netcdf")
    check(ds := read_drifters(tmp_path / "gdp1h.nc"), table)
    assert list(ds.drogue.values) == [1] * 60 + [0] * 60
    file = ragged(table).rename(id="ID").assign(ids=("obs", table["id"].astype(int).to_numpy()))  # older names
    lost = np.array(["NaT", "2017-01-01"], "datetime64[ns]")
    file.assign(drogue_lost_date=("traj", lost)).to_netcdf(tmp_path / "old.nc", engine="h5netcdf")
    check(ds := read_drifters(tmp_path / "old.nc"), table)
    assert list(ds.drogue.values) == [1] * 60 + [0] * 60

    singles = []
    for name, one in table.groupby("id"):
        singles.append(copernicus_netcdf(one, tmp_path / f"MO_TS_DC_{name}.nc"))
    check(ds := read_drifters(singles[::-1]), table)
    assert list(ds.drogue.values) == [1] * 60 + [0] * 60
    singles = []
    for name, one in table.groupby("id"):  # a single drifter of the Global Drifter Program: dims (traj, obs)
        file = ragged(one).drop_vars(["id", "time"]).rename(lat="latitude", lon="longitude")
        file = file.map(lambda v: v.expand_dims("traj") if v.dims == ("obs",) else v, keep_attrs=True)
        file = file.assign(ID=("traj", [int(name)]), time=(("traj", "obs"), one["time"].to_numpy()[None]))
        file.to_netcdf(tmp_path / f"drifter_{name}.nc", engine="h5netcdf")
        singles.append(tmp_path / f"drifter_{name}.nc")
    check(read_drifters(singles), table)


def test_files_of_single_drifters_with_fills_that_are_not_declared(tmp_path):
    """The Global Drifter Program's own files: -1e34 for a drogue that was never lost, and for what is missing."""
    table, since = fixes(ids=("101",)), {"units": "seconds since 1970-01-01 00:00:00"}
    seconds = (table["time"] - pd.Timestamp(0)).dt.total_seconds().to_numpy()
    names = {"ve": "u", "vn": "v", "latitude": "latitude", "longitude": "longitude"}
    values = {ours: table[name].to_numpy().copy()[None] for ours, name in names.items()}
    rows = {name: (("traj", "obs"), one, {"units": "m/s"}) for name, one in values.items()}
    ds = xr.Dataset(rows | {"time": (("traj", "obs"), seconds[None], since), "ID": ("traj", [101])})
    ds["drogue_lost_date"] = ("traj", [-1e34], since)
    ds["ve"][0, 3] = -1e34
    ds.to_netcdf(tmp_path / "drifter_101.nc", engine="h5netcdf")
    read = read_drifters(tmp_path / "drifter_101.nc")
    assert Report.of(read).dropped == {"without a velocity": 1} and set(read.drogue.values) == {1}
    assert read.time.values[0] == np.datetime64("2017-03-01") and read.attrs["source"] == "drifter_101.nc"


def test_netcdf_of_erddap(tmp_path):
    """One row a fix, identifiers as characters."""
    table = fixes()
    ds = xr.Dataset({"ID": ("row", table["id"].to_numpy("S15")), "time": ("row", table["time"].to_numpy())})
    for name, column in (("latitude", "latitude"), ("longitude", "longitude"), ("ve", "u"), ("vn", "v")):
        ds[name] = ("row", table[column].to_numpy(), {"units": "m/s"})
    ds.to_netcdf(tmp_path / "a.nc", engine="scipy")
    check(read_drifters(tmp_path / "a.nc"), table)


def test_zarr_of_clouddrift(tmp_path):
    pytest.importorskip("zarr")
    ragged(fixes()).to_zarr(tmp_path / "gdp.zarr", consolidated=False)
    check(read_drifters(tmp_path / "gdp.zarr"), fixes())


def test_the_result_is_a_ragged_array_that_survives_a_file(tmp_path):
    ds = read_drifters(long_csv(fixes(), tmp_path / "a.csv"))
    ds.to_netcdf(tmp_path / "b.nc", engine="h5netcdf")
    again = read_drifters(tmp_path / "b.nc")
    for name in ("u", "v", "latitude", "longitude", "drogue", "rowsize", "time", "id"):
        assert (again[name].values == ds[name].values).all(), name


def test_bad_fixes_are_dropped_and_counted(tmp_path):
    table = fixes()
    table.loc[[5, 6], "u"] = 10.0
    table.loc[5, "qc"] = 4  # flagged; the other is caught by its speed
    table.loc[7, "latitude"] = np.nan
    table.loc[8, "u"] = np.nan
    table.loc[9, "longitude"] = 999.0
    table = pd.concat([table, table.iloc[[20, 21]].assign(u=0.0)])  # times that are there already
    ds = read_drifters(long_csv(table, tmp_path / "a.csv"))
    report = Report.of(ds)
    assert report.dropped == {
        "without a position": 2,
        "flagged bad": 1,
        "without a velocity": 1,
        "faster than 5 m/s": 1,
        "at a time of the same drifter held before": 2,
    }
    assert report.read == 122 and report.kept == ds.sizes["obs"] == 115 and float(ds.u.max()) < 0.4
    assert float(ds.u.min()) > 0.2  # of two fixes at a time the first is kept
    assert "115 of 122 fixes kept; left out: 2 without a position, 1 flagged bad" in str(report)


def test_flags_are_those_of_either_component(tmp_path):
    table = fixes().assign(u_qc=1, v_qc=1)
    table.loc[3, "u_qc"], table.loc[4, "v_qc"], table.loc[5, "u_qc"], table.loc[6, "u_qc"] = 4, 3, 2, 8
    ds = read_drifters(long_csv(table, tmp_path / "a.csv"))
    assert Report.of(ds).dropped == {"flagged bad": 2}


def test_order_and_time_zones(tmp_path):
    table = fixes()
    path = erddap_csv(table.sample(frac=1, random_state=0), tmp_path / "a.csv")
    check(read_drifters(path), table)
    path.write_text(path.read_text().replace("T00:00:00Z", "T02:00:00+02:00"))
    check(read_drifters(path), table)
    with pytest.raises(InputError, match=r"no valid fix .*without a time"):
        path.write_text(path.read_text().replace("2017-", "soon"))
        read_drifters(path)


def test_drifters_that_ran_aground(tmp_path):
    table = fixes()
    second = table["id"] == "202"
    still = second & (table["time"] >= START + pd.Timedelta("30h"))
    place = table[second].iloc[30]
    table.loc[still, ["latitude", "longitude", "u", "v"]] = [place["latitude"], place["longitude"], 0.0, 0.0]
    ds = read_drifters(long_csv(table, tmp_path / "a.csv"))
    assert list(ds.rowsize.values) == [60, 30] and Report.of(ds).dropped == {"aground": 30}

    stays = fixes().assign(latitude=36.0, longitude=-60.0)[:20]  # 19 hours at one place tell nothing
    assert Report.of(read_drifters(long_csv(stays, tmp_path / "b.csv"))).dropped == {}

    file = ragged(fixes(), typedeath=("traj", [1, 3]))  # what the provider knows: the first ran aground at its end
    ends = np.array(["2017-03-03T11:00", "2017-03-03T11:00"], "datetime64[ns]")
    file.assign(end_date=("traj", ends)).to_netcdf(tmp_path / "c.nc", engine="h5netcdf")
    ds = read_drifters(tmp_path / "c.nc")
    assert list(ds.rowsize.values) == [36, 60] and Report.of(ds).dropped == {"aground": 24}


def test_drogues(tmp_path):
    table = fixes()
    ds = read_drifters(long_csv(table, tmp_path / "a.csv"), drogued=True)
    assert list(ds.id.values) == ["101"] and Report.of(ds).dropped == {"without a drogue": 60}
    unknown = ragged(table, drogue_lost_date=("traj", np.array(["1970-01-01", "2017-03-02"], "datetime64[ns]")))
    unknown.to_netcdf(tmp_path / "b.nc", engine="h5netcdf")
    drogue = read_drifters(tmp_path / "b.nc").drogue.values
    assert (drogue[:60] == -1).all() and list(drogue[60:]) == [1] * 24 + [0] * 36


def test_boxes_and_the_date_line(tmp_path):
    table = fixes(ids=("101",)).assign(longitude=lambda t: 179.9 + (t["longitude"] + 60))
    path = long_csv(table, tmp_path / "a.csv")
    ds = read_drifters(path)
    assert ds.longitude.min() < -179 and ds.longitude.max() > 179 and Report.of(ds).dropped == {}
    half = read_drifters(path, box=(179, -180, 30, 40))
    assert 0 < half.sizes["obs"] < 60 and Report.of(half).read == half.sizes["obs"]
    with pytest.raises(InputError, match="no valid fix of a drifter in the box"):
        read_drifters(path, box=(0, 10, 30, 40))


def test_partial_downloads(tmp_path, refuses):
    whole = long_csv(fixes(), tmp_path / "whole.csv").read_bytes()
    path = tmp_path / "cut.csv"
    path.write_bytes(whole[: whole.rindex(b"0.1,1,AOML") + 2])
    report = Report.of(read_drifters(path))
    assert report.dropped["cut off at the end of the file"] == 1 and report.dropped["without a velocity"] == 1
    path.write_bytes(whole[: whole.index(b"\n") + 1])
    with refuses("no rows"):
        read_drifters(path)
    path.write_bytes(whole[: whole.index(b"NSCT")])
    with refuses("no v of drifters"):
        read_drifters(path)
    path.write_bytes(b"")
    with refuses("the file is empty"):
        read_drifters(path)
    with refuses("no such file"):
        read_drifters(tmp_path / "none.csv")
    with refuses("no file to read"):
        read_drifters([])
    path.write_text("<html>\n<title>Please log in</title>")
    with refuses("is not a NetCDF file"):
        read_drifters(path)
    path.write_text('a,b\n1,2\n1,2,3\n"')
    with refuses("damaged, not readable as CSV"):
        read_drifters(path)
    file = ragged(fixes())
    file.assign(rowsize=("traj", [60, 61])).to_netcdf(tmp_path / "rows.nc", engine="h5netcdf")
    with refuses("'rowsize' adds up to 121", "120"):
        read_drifters(tmp_path / "rows.nc")


def test_what_is_missing_is_told(tmp_path, refuses):
    path = erddap_csv(fixes(), tmp_path / "a.csv", units="knots")
    with refuses("'ve' has units 'knots'", "m s-1"):
        read_drifters(path)
    path.write_text(path.read_text().replace("knots", "m/s").replace("ve,vn", "sst,vn"))
    with refuses("no u of drifters", "ewct, ve"):
        read_drifters(path)
    path.write_text("variable,platform_id,time,latitude,longitude,value\nTEMP,1,2017-03-01,36,-60,18\n")
    with refuses("no velocities EWCT and NSCT", "TEMP"):
        read_drifters(path)
    ragged(fixes()).drop_vars("ve").to_netcdf(tmp_path / "b.nc", engine="h5netcdf")
    with refuses("no u of drifters", "the file has"):
        read_drifters(tmp_path / "b.nc")


def test_clouddrift_takes_it(tmp_path):
    clouddrift = pytest.importorskip("clouddrift", reason="clouddrift is not installed")
    ds = read_drifters(long_csv(fixes(), tmp_path / "a.csv"))
    subset = clouddrift.ragged.subset(ds, {"id": "202"}, id_var_name="id", row_dim_name="traj")
    assert subset.sizes["obs"] == 60 and "clouddrift" in sys.modules


@real_data
def test_real_drifter():
    ds = read_drifters(REAL / "MO_TS_DC_0-2820800.nc")
    assert list(ds.id.values) == ["0-2820800"] and ds.sizes["obs"] == 138
    assert Report.of(ds).dropped == {"flagged bad": 4} and float(np.hypot(ds.u, ds.v).max()) < 0.6
    assert set(ds.drogue.values) == {0}
