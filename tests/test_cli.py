"""The command line: it works end to end, and bad input is told in one line with nothing half-written."""

import json
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
import small
import xarray as xr

from genda_lite import cli
from genda_lite.cli.results import print_lines

REAL = Path(__file__).parents[2] / "shared" / "real"
TRACKS = REAL / "dt_global_alg_sla_vxxc_20170402_SARAL-Altika.nc4"
MAP = REAL / "nrt_global_allsat_phy_l4_20190223_20190226.nc"
needs_real = pytest.mark.skipif(not TRACKS.exists(), reason=f"the real products are not at {REAL}")


def genda(monkeypatch, *arguments) -> int:
    """Run `genda ARGUMENTS` in this process; returns its exit status."""
    monkeypatch.setattr("sys.argv", ["genda", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return stop.value.code or 0


@pytest.fixture
def tracks(tmp_path) -> Path:
    """A small along-track file across the prior's domain."""
    n = 80
    ds = xr.Dataset(
        {"adt": ("time", 0.3 * np.sin(np.arange(n) / 9), {"units": "m"})},
        coords={
            "time": np.datetime64("2019-02-23", "ns") + np.arange(n) * np.timedelta64(1, "s"),
            "latitude": ("time", np.linspace(36, 40, n), {"units": "degrees_north"}),
            "longitude": ("time", np.linspace(297, 299, n), {"units": "degrees_east"}),
        },
    )
    path = tmp_path / "tracks.nc"
    ds.to_netcdf(path, engine="h5netcdf")
    return path


def test_simulate_train_assimilate(monkeypatch, tmp_path, tracks, capsys):
    """The whole path, tiny: an ocean, a prior trained on it, a map made with the prior."""
    ocean, prior, out, picture = (tmp_path / name for name in ("o.nc", "p.safetensors", "a.nc", "a.png"))
    assert genda(monkeypatch, "simulate", "--days", 3, "--spin-up", 0, "--seed", 4, "--out", ocean) == 0
    assert genda(monkeypatch, "train", "--data", ocean, "--validation", ocean, "--out", prior, "--images", 32) == 0
    arguments = ["assimilate", tracks, "--prior", prior, "--out", out, "--plot", picture, "--members", 3, "--fast"]
    assert genda(monkeypatch, *arguments) == 0
    with xr.open_dataset(out, engine="h5netcdf") as analysis:
        assert analysis.sizes["member"] == 3 and np.isfinite(analysis["zos"]).all()
        assert analysis.attrs["seed"] == 0
    assert picture.stat().st_size > 10_000
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        ["o.nc", "p.safetensors", "p.state.safetensors", "p.csv", "a.nc", "a.png", "tracks.nc"]
    )
    assert "3 members from" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["simulate", "--days", 0, "--out", "OUT"], "days must be at least 1"),
        (["simulate", "--days", 1, "--out", "OUT/nowhere/x.nc"], "does not exist"),
        (["train", "--data", "TRACKS", "--out", "OUT.safetensors"], "lacks"),
        (["train", "--data", "TRACKS", "--out", "OUT.pt"], "safetensors"),
        (["evaluate", "real", "--json", "OUT"], "nothing to judge by"),
        (["evaluate", "real", "--tracks", "TRACKS"], "go together"),
        (["evaluate", "real", "--current", "TRACKS", "--region", "atlantis"], "is unknown, expected all"),
        (["simulate", "--days", 1, "--wide", "--alike", "--out", "OUT"], "wide oceans have physics of their own"),
        (["assimilate", "MISSING", "--out", "OUT"], "no such file"),
        (["assimilate", "TEXT", "--out", "OUT"], "not a NetCDF file"),
        (["assimilate", "TRACKS", "--out", "OUT", "--error", 0], "errors of zos must be positive"),
        (["assimilate", "TRACKS", "--out", "OUT", "--prior", "TEXT"], "safetensors"),
        (["assimilate", "TRACKS", "--out", "OUT", "--variable", "sst"], "no variable 'sst'"),
        (["assimilate", "TRACKS", "--out", "OUT", "--centre", 0, 0], "none of its 80 points"),
        (["assimilate", "TRACKS", "--out", "OUT", "--centre", "nan", "nan"], "expected a longitude and a latitude"),
        (["assimilate", "TRACKS", "--out", "OUT", "--centre", "nan,38"], "expected a longitude and a latitude"),
        (["assimilate", "TRACKS", "--out", "OUT", "--centre", "-62,95"], "expected a longitude and a latitude"),
        (["assimilate", "TRACKS", "--out", "TRACKS"], "the same command reads or writes this file"),
        (["assimilate", "TRACKS", "--out", "LINK"], "the same command reads or writes this file"),
        (["assimilate", "HERE", "--out", "TRACKS"], "the same command reads or writes this file"),
        (["assimilate", "TRACKS", "--out", "OUT.nc", "--plot", "OUT.xyz"], "a name that ends in one of"),
        (["assimilate", "TRACKS", "--out", "OUT.txt"], "a name that ends in one of .nc"),
        (["assimilate", "TRACKS", "--out", "FOLDER"], "cannot be written"),
        (["assimilate", "TRACKS", "--out", "PIPE"], "cannot be written"),
        (["assimilate", "TRACKS", "--out", "OUT", "--date", "soon"], "is not a date"),
        (["assimilate", "TRACKS", "--out", "OUT", "--date", "0001-01-01"], "is not a date"),
        (["assimilate", "TRACKS", "--out", "OUT", "--date", "2019-02-23", "--error", 1], "go with tracks alone"),
        (["assimilate", "TRACKS", "--out", "OUT", "--date", "1999-02-23"], "no observation within 5 days of 1999"),
        (["prepare", "TRACKS", "TRACKS"], "the same command reads or writes this file"),
        (["prepare", "TRACKS", "OUT.txt"], "a name that ends in one of .zarr, .nc"),
        (["prepare", "HERE", "OUT.nc"], "not a NetCDF file"),
        (["prepare", "TRACKS", "FOLDER"], "cannot be written"),
        (["simulate", "--days", 1, "--out", "OUT.nc", "--device", "mps"], "device 'mps' is not available here"),
        (["train", "--data", "TRACKS", "--out", "OUT.safetensors", "--device", "tpu"], "expected one of cpu"),
        (["ose", "--out", "OUT", "--days", 1, "--device", "mps"], "device 'mps' is not available here"),
        (["ose", "--out", "TRACKS"], "is a file, expected the name of a folder"),
        (["ose", "--out", "OUT", "--box", "nan,nan,33,43"], "box (nan, nan, 33.0, 43.0): expected west, east"),
        (["cycle", "--way", "3D-Var", "--out", "OUT", "--box", "-60,-70,33,43"], "expected west, east"),
        (["explorer-pack", "--out", "TRACKS"], "is a file, expected the name of a folder"),
        (["evaluate", "nowcast", "--truth", "TRACKS", "--folder", "TEXT"], "is a file, expected the name of a folder"),
        (["evaluate", "osse", "--json", "OUT", "--folder", "OUT"], "the same command reads or writes this file"),
        (["evaluate", "osse", "--truth", "TRACKS", "--quick"], "the data set lacks zos"),
        (["evaluate", "nature", "TRACKS", "--json", "TRACKS"], "the same command reads or writes this file"),
    ],
)
def test_bad_input_is_told_in_one_line(monkeypatch, tmp_path, tracks, capsys, arguments, told):
    text = tmp_path / "text.nc"
    text.write_text("not what you think")
    (tmp_path / "folder.nc").mkdir()
    (tmp_path / "link.nc").symlink_to(tracks)
    os.mkfifo(tmp_path / "pipe.nc")
    before = sorted(tmp_path.iterdir())
    names = {"OUT": tmp_path / "out", "TRACKS": tracks, "TEXT": text, "MISSING": tmp_path / "missing.nc"}
    names |= {"FOLDER": tmp_path / "folder.nc", "LINK": tmp_path / "link.nc", "PIPE": tmp_path / "pipe.nc"}
    names |= {"HERE": tmp_path}
    whole = tracks.read_bytes()
    filled = []
    for argument in map(str, arguments):
        for name, path in names.items():
            argument = argument.replace(name, str(path))
        filled.append(argument)
    assert genda(monkeypatch, *filled) == 2
    error = capsys.readouterr().err
    assert told in error and "Traceback" not in error
    assert len([line for line in error.splitlines() if line.startswith("genda: ")]) == 1
    assert sorted(tmp_path.iterdir()) == before and tracks.read_bytes() == whole


def test_a_seed_that_no_generator_takes_is_refused(monkeypatch, tmp_path, tracks, capsys):
    assert genda(monkeypatch, "assimilate", tracks, "--out", tmp_path / "a.nc", "--seed", 2**70) == 2
    assert "--seed" in capsys.readouterr().err and not (tmp_path / "a.nc").exists()


def test_several_sensors_of_a_date_are_cropped_to_the_box(monkeypatch, tmp_path, tracks, capsys):
    """Tracks and a map that reach beyond the box: what is inside is assimilated, and a line says so."""
    map_of_day = tmp_path / "sst.nc"
    axes = {"lat": np.arange(30.125, 44, 0.25), "lon": np.arange(-70.125, -52, 0.25)}
    values = np.full((1, len(axes["lat"]), len(axes["lon"])), 291.0)
    ds = xr.Dataset({"analysed_sst": (("time", "lat", "lon"), values, {"units": "kelvin"})}, axes)
    ds["time"] = np.array(["2019-02-23"], "datetime64[ns]")
    ds.to_netcdf(map_of_day, engine="h5netcdf")
    out = tmp_path / "a.nc"
    common = ["--out", out, "--members", 2, "--fast", "--prior", "gaussian", "--centre", "-62,38"]
    assert genda(monkeypatch, "assimilate", tracks, map_of_day, "--date", "2019-02-23", *common) == 0
    told = capsys.readouterr()
    assert "lie outside the grid" in told.err and "Traceback" not in told.err and "UserWarning" not in told.err
    assert "80 of 80 points kept" in told.err and "cells kept" in told.err
    with xr.open_dataset(out, engine="h5netcdf") as analysis:
        assert analysis.attrs["observations_file"] == "tracks.nc and 1 more"
        assert analysis.attrs["climatology_date"].startswith("2019-02-23")
        assert float(analysis.longitude.mean()) == pytest.approx(-62, abs=0.1)
        inside = analysis.attrs["observations"]
    assert inside == 80 + 21 * 10  # the map thinned to two widths of its blur: each row, every other column


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (["a.nc", "--centre", "-62,38"], ["a.nc", "--centre", "-62", "38"]),
        (["--centre=-62.5,38", "a.nc"], ["--centre", "-62.5", "38", "a.nc"]),
        (["--centre", "-62", "38"], ["--centre", "-62", "38"]),
        (["--box", "-65,-55,33,43"], ["--box", "-65", "-55", "33", "43"]),
        (["--centre", "a,b", "--out", "1,2.nc"], ["--centre", "a,b", "--out", "1,2.nc"]),
        (["--out=1,2"], ["--out=1,2"]),
    ],
)
def test_numbers_joined_by_commas(given, meant):
    assert cli.with_places(given) == meant


def test_version(monkeypatch, capsys):
    from genda_lite.version import __version__

    assert genda(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"genda_lite {__version__}\n"


@needs_real
def test_real_tracks_give_a_map_with_spread(monkeypatch, tmp_path):
    out, picture = tmp_path / "analysis.nc", tmp_path / "analysis.png"
    assert genda(monkeypatch, "assimilate", TRACKS, "--out", out, "--plot", picture, "--members", 8, "--fast") == 0
    with xr.open_dataset(out, engine="h5netcdf") as analysis:
        zos = analysis["zos"]
        assert 0.05 < float(zos.std("member").mean()) < 0.5
        assert analysis.attrs["observations"] > 50


@needs_real
def test_real_map_from_real_tracks_beats_climatology(monkeypatch, tmp_path):
    table = tmp_path / "rows.json"
    assert genda(monkeypatch, "evaluate", "real", "--tracks", TRACKS, "--map", MAP, "--quick", "--json", table) == 0
    rows = {row["name"]: row["value"] for row in json.loads(table.read_text())}
    for figure in ("sea level RMSE (m)", "CRPS (m)"):
        assert rows[f"diffusion prior, fast: {figure}"] < rows[f"climatology: {figure}"]


def test_prepare_then_train(monkeypatch, tmp_path, capsys):
    """A state and its validation, prepared once and trained on; Zarr and NetCDF."""
    pytest.importorskip("zarr")
    ocean, state, held_out, prior = (tmp_path / name for name in ("o.nc", "s.zarr", "v.nc", "p.safetensors"))
    assert genda(monkeypatch, "simulate", "--days", 3, "--spin-up", 0, "--seed", 4, "--out", ocean) == 0
    for _ in range(2):  # an older result is replaced
        assert genda(monkeypatch, "prepare", ocean, state) == 0
    assert "s.zarr: 3 days on" in capsys.readouterr().out
    assert genda(monkeypatch, "prepare", ocean, held_out, "--like", state) == 0
    assert genda(monkeypatch, "train", "--data", state, "--validation", held_out, "--out", prior, "--images", 32) == 0
    assert genda(monkeypatch, "prepare", ocean, tmp_path / "nowhere" / "s.zarr") == 2
    assert genda(monkeypatch, "prepare", state, tmp_path / "again.zarr") == 2
    assert "does not exist" in capsys.readouterr().err


@pytest.mark.parametrize("out", ["s.zarr", "s.nc"])
def test_prepare_meets_a_damaged_block_in_the_midst(monkeypatch, tmp_path, capsys, out):
    """Found when the work has begun, in a worker: one sentence, and nothing half-written."""
    days, units = 9, {"zos": "m", "thetao": "degrees_C", "so": "1e-3", "uo": "m s-1", "vo": "m s-1"}
    ocean = small.field({name: (name, unit, 0.0) for name, unit in units.items()}, times=days)
    winds = small.field({"u10": ("uas", "m s-1", 0.0), "v10": ("vas", "m s-1", 0.0)}, times=days)
    winds["u10"] = winds["u10"] + xr.DataArray(np.arange(days) % 4, dims="time")
    winds["u10"].attrs["units"] = "m s-1"
    for name, ds in (("o.nc", ocean), ("w.nc", winds)):
        one_day = {"chunksizes": (1, 12, 14), "fletcher32": True}
        ds.to_netcdf(tmp_path / name, engine="h5netcdf", encoding={name: one_day for name in ds.data_vars})
    assert genda(monkeypatch, "prepare", tmp_path, tmp_path / "whole.zarr") == 0
    before = sorted(path.name for path in tmp_path.iterdir())
    with h5py.File(tmp_path / "w.nc") as file:
        at = file["v10"].id.get_chunk_info(2).byte_offset
    content = bytearray((tmp_path / "w.nc").read_bytes())
    content[at + 100] ^= 0x55
    (tmp_path / "w.nc").write_bytes(content)
    capsys.readouterr()
    assert genda(monkeypatch, "prepare", tmp_path / "o.nc", tmp_path / "w.nc", tmp_path / out) == 2
    told = capsys.readouterr().err
    assert "w.nc: 'v10' cannot be read, file damaged" in told and "Traceback" not in told
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_run_goes_on_in_the_folder_it_was_stopped_in(monkeypatch, tmp_path, capsys):
    from genda_lite.errors import InputError
    from genda_lite.verify.osse import scoreboard

    def stop(*arguments, **options):
        raise InputError("stopped")

    monkeypatch.setattr(scoreboard, "run", stop)
    for _ in range(2):  # the folder is made, then there
        assert genda(monkeypatch, "evaluate", "osse", "--quick", "--folder", tmp_path / "osse") == 2
        assert "stopped" in capsys.readouterr().err
    (tmp_path / "file").touch()
    for place, told in (("file", "is a file, expected the name of a folder"), ("no/where", "does not exist")):
        assert genda(monkeypatch, "evaluate", "osse", "--quick", "--folder", tmp_path / place) == 2
        assert told in capsys.readouterr().err


def test_counts_are_written_as_people_write_them():
    assert [cli.counted(n, "member") for n in (0, 1, 16)] == ["0 members", "1 member", "16 members"]
    assert [cli.counted(n, "box") for n in (1, 2)] == ["1 box", "2 boxes"]


def test_lines_are_printed_as_they_come(capsys):
    """A table goes on while its columns stay; other columns begin another one; in words, an empty line is none."""
    told = []

    def lines():
        for line in ({"a": "x", "b": 1.0}, {"a": "y", "b": 2.0}, {"c": 3}):
            yield line
            told.append(capsys.readouterr().out)

    assert print_lines(lines()) == [{"a": "x", "b": 1.0}, {"a": "y", "b": 2.0}, {"c": 3}]
    assert told == ["| a | b |\n|---|---|\n| x | 1.000 |\n", "| y | 2.000 |\n", "\n| c |\n|---|\n| 3 |\n"]
    print_lines(lines(), lambda line: line.get("a", ""))
    assert told[3:] == ["x\n", "y\n", ""]
