"""Downloads of an experiment's data, against stand-ins for the providers' clients at their public boundary."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from test_drifters import fixes, long_csv
from test_products import grid_map, tracks, write
from typer.testing import CliRunner

from genda_lite import sources
from genda_lite.cli import app
from genda_lite.errors import InputError
from genda_lite.sources.catalogue import OSE, of_year
from genda_lite.sources.download import fetch, plan_ose, sizes

BOX = (-61.0, -59.0, 35.5, 36.5)
UNITS = {"analysed_sst": "kelvin", "analysis_error": "kelvin", "adjusted_sea_surface_temperature": "kelvin"}
UNITS |= {"sos": "1e-3", "sos_error": "1e-3", "adt": "m", "err_sla": "m", "ugos": "m s-1", "vgos": "m s-1"}
UNITS |= {"eastward_wind": "m s-1", "northward_wind": "m s-1"}
VALUES = {"analysed_sst": 290.0, "adjusted_sea_surface_temperature": 290.0, "sos": 35.0, "quality_level": 5, "mask": 1}


class Copernicus:
    """Remembers requests and answers as the client does: with a file of the variables asked for, or with its size."""

    def __init__(self):
        self.asked, self.dry = [], []

    def subset(self, dataset_id, variables, output_directory, output_filename, overwrite, dry_run=False, **where):
        assert overwrite and not {"username", "password"} & set(where)
        if dry_run:
            self.dry.append(dataset_id)
            return SimpleNamespace(file_size=None if where.get("file_format") else 2.0)
        self.asked.append((dataset_id, where))
        path = Path(output_directory, output_filename)
        if where.get("file_format") == "csv":
            long_csv(fixes(), path)
        else:
            fields = {name: (VALUES.get(name, 0.1), {"units": UNITS.get(name, "1")}) for name in variables}
            days = np.arange(where["start_datetime"], where["end_datetime"], dtype="M8[D]")[:2]
            write(grid_map(fields, days), path)

    def get(self, dataset_id, filter, no_directories, output_directory, overwrite=False, dry_run=False):
        assert no_directories
        if dry_run:
            self.dry.append(dataset_id)
            return SimpleNamespace(total_size=40.0)
        self.asked.append((dataset_id, filter))
        if "j2n" not in dataset_id:  # that satellite flew until May
            ds = tracks(dataset_id, names=("sla_unfiltered", "sla_filtered", "mdt"))
            write(ds, Path(output_directory, "dt_global_phy_l3_1hz_20170402_20240205.nc"))


class Earthdata:
    """The part of earthaccess that is used."""

    def __init__(self):
        self.logins, self.searches = 0, []

    def login(self):
        self.logins += 1

    def search_data(self, **where):
        self.searches.append(where)
        return [SimpleNamespace(size=size) for size in (lambda: 9.0, lambda: 9.0, 9.0)]  # a method before version 1

    def download(self, granules, folder):
        for number, _ in enumerate(granules):
            write(tracks(), Path(folder, f"{number}.nc"))


@pytest.fixture
def copernicus(monkeypatch) -> Copernicus:
    monkeypatch.setitem(sys.modules, "copernicusmarine", client := Copernicus())
    monkeypatch.setitem(sys.modules, "earthaccess", None)
    return client


def months(pieces, *names):
    return [piece for piece in pieces if piece.name in names and piece.begin.month in (4, 6)]


def test_the_table_holds_what_readers_need():
    """What readers ask for by default, and identifiers as the Data Store spells them."""
    needed = {
        "read_tracks": {"sla_unfiltered", "mdt"},
        "read_sea_level_map": {"adt", "ugos", "vgos"},
        "read_winds": {"eastward_wind", "northward_wind"},
        "read_salinity": {"sos"},
        "read_drifters": {"EWCT", "NSCT"},
        "read_swath": {"Expert"},
    }
    for name, one in OSE.items():
        assert hasattr(sources, one.reader), name
        assert needed.get(one.reader, set()) <= set(one.variables), name
    assert "quality_level" in OSE["temperature L3"].variables and "mask" in OSE["temperature L4"].variables
    assert {name: OSE[name].dataset for name in OSE if not name.startswith("tracks")} == {
        "sea level": "cmems_obs-sl_glo_phy-ssh_my_allsat-l4-duacs-0.125deg_P1D",
        "temperature L3": "cmems_obs-sst_glo_phy_my_l3s_P1D-m",
        "temperature L4": "METOFFICE-GLO-SST-L4-REP-OBS-SST",
        "salinity": "cmems_obs-mob_glo_phy-sss_my_multi_P1D",
        "winds": "cmems_obs-wind_glo_phy_my_l4_0.125deg_PT1H",
        "drifters": "cmems_obs-ins_glo_phy-cur_my_drifter_PT1H",
        "swath": "SWOT_L2_LR_SSH_D",
    }
    flown = {name.split()[1] for name in of_year(2017) if name.startswith("tracks")}
    assert flown == {"alg", "c2", "h2ag", "j2n", "j2g", "j3", "s3a"}  # those of the 2021a mapping challenge
    assert OSE["tracks c2"].dataset == "cmems_obs-sl_glo_phy-ssh_my_c2-l3-duacs_PT1S"
    assert "swath" not in of_year(2017) and "swath" in of_year(2024)


def test_everything_that_is_fetched_can_be_read(tmp_path, copernicus):
    pieces = plan_ose(tmp_path, 2017)
    assert len(pieces) == 12 * len(of_year(2017)) and not any(piece.is_there for piece in pieces)
    pieces = months(pieces, *of_year(2017))
    fetched = list(fetch(pieces, BOX))
    assert [piece for piece, found in fetched if not found] == [p for p in pieces if p.name == "tracks j2n"]
    for piece, found in fetched:
        if found:
            read = getattr(sources, piece.subset.reader)
            assert read(piece.path).sizes
    assert sorted(tmp_path.iterdir()) == sorted(piece.path for piece, found in fetched if found)

    where = dict(copernicus.asked)["METOFFICE-GLO-SST-L4-REP-OBS-SST"]
    assert (where["minimum_longitude"], where["maximum_latitude"]) == (-61.5, 37.0)
    assert (where["start_datetime"], where["end_datetime"]) == ("2017-06-01T00:00:00", "2017-06-30T23:00:00")
    assert dict(copernicus.asked)["cmems_obs-sl_glo_phy-ssh_my_c2-l3-duacs_PT1S"] == "*/2017/06/*"


def test_what_is_there_is_kept_and_sizes_are_told(tmp_path, copernicus):
    pieces = plan_ose(tmp_path, 2017)
    some = months(pieces, "salinity", "tracks c2", "drifters")
    list(fetch(some, BOX))
    before = len(copernicus.asked)
    assert all(piece.is_there for piece in some) and not list(fetch(some, BOX)) and len(copernicus.asked) == before
    left = sizes(pieces, BOX)
    assert left["salinity"] == (10, 20.0) and left["tracks c2"] == (10, 400.0) and left["tracks s3a"] == (12, 480.0)
    assert left["drifters"] == (10, None)
    assert len(copernicus.dry) == len(of_year(2017)) and len(copernicus.asked) == before  # asked, not downloaded


def test_an_interrupted_download_goes_on(tmp_path, copernicus, monkeypatch):
    pieces = months(plan_ose(tmp_path, 2017), "salinity", "tracks c2", "drifters")
    subset, get = copernicus.subset, copernicus.get

    def half(**request):
        Path(request["output_directory"], request.get("output_filename", "one.nc")).write_text("half a file")
        raise ConnectionError("the service is away")

    for name, left in (("get", 6), ("subset", 4)):
        monkeypatch.setattr(copernicus, name, half)
        with pytest.raises(ConnectionError):
            list(fetch(pieces, BOX))
        monkeypatch.setattr(copernicus, name, {"get": get, "subset": subset}[name])
        assert sum(not piece.is_there for piece in pieces) == left
        assert set(tmp_path.iterdir()) == {piece.path for piece in pieces if piece.is_there}
        if name == "get":
            list(fetch(months(pieces, "tracks c2"), BOX))
    assert len(list(fetch(pieces, BOX))) == 4 and all(piece.is_there for piece in pieces)


def test_months_without_drifters(tmp_path, copernicus, monkeypatch):
    monkeypatch.setattr(copernicus, "subset", lambda **request: None)  # of a table without rows no file is written
    pieces = months(plan_ose(tmp_path, 2017), "drifters")
    assert [found for _, found in fetch(pieces, BOX)] == [False, False] and not list(tmp_path.iterdir())


def test_swot_comes_from_earthdata(tmp_path, copernicus, monkeypatch, refuses):
    pieces = months(plan_ose(tmp_path, 2024), "swath")
    with refuses("earthaccess", "genda_lite[data]"):
        list(fetch(pieces, BOX))
    monkeypatch.setitem(sys.modules, "earthaccess", client := Earthdata())
    assert sizes(pieces, BOX) == {"swath": (2, 54.0)} and client.logins == 0
    assert all(found for _, found in fetch(pieces, BOX)) and client.logins == 2
    assert client.searches[-1] == {
        "short_name": "SWOT_L2_LR_SSH_D",
        "granule_name": "*Expert*",
        "temporal": ("2024-06-01T00:00:00", "2024-07-01T00:00:00"),
        "bounding_box": (-61.0, 35.5, -59.0, 36.5),
    }
    monkeypatch.setattr(client, "download", lambda granules, folder: write(tracks(), Path(folder, "1.nc")))
    with refuses("not all of 3 files"):
        list(fetch(months(plan_ose(tmp_path, 2025), "swath"), BOX))


def test_what_cannot_be(tmp_path, copernicus, monkeypatch, refuses):
    with refuses("year 1999", "2008"):
        plan_ose(tmp_path, 1999)
    with refuses("year 2999"):
        plan_ose(tmp_path, 2999)
    with refuses("no such folder"):
        plan_ose(tmp_path / "none", 2017)
    pieces = plan_ose(tmp_path, 2017)
    with refuses("ascend", "180 degrees"):
        sizes(pieces, (170, -170, 30, 40))
    monkeypatch.setitem(sys.modules, "copernicusmarine", None)
    with refuses("copernicusmarine", "genda_lite[data]"):
        list(fetch(pieces, BOX))


def test_command(tmp_path, copernicus, monkeypatch):
    pieces = plan_ose(tmp_path, 2017)
    monkeypatch.setattr("genda_lite.sources.download.plan_ose", lambda *_: months(pieces, "salinity", "drifters"))
    command = ["download", "ose", "--year", "2017", "--folder", str(tmp_path), "--box", "-61", "-59", "35", "37"]
    refused = CliRunner().invoke(app, command, input="n\n")
    assert refused.exit_code == 1 and not copernicus.asked and "| salinity | cmems_obs-mob" in refused.output
    assert "| 2 | 4 |" in refused.output and "| 2 | unknown |" in refused.output and "Fetch them?" in refused.output

    def away(dry_run=False, **_):
        return SimpleNamespace(file_size=2.0) if dry_run else 1 / 0

    with monkeypatch.context() as patch:
        patch.setattr(copernicus, "subset", away)
        stopped = CliRunner().invoke(app, [*command, "--yes"])
    assert isinstance(stopped.exception, InputError) and "goes on from here" in str(stopped.exception)
    done = CliRunner().invoke(app, [*command, "--yes"])
    assert done.exit_code == 0 and "salinity_201704.nc" in done.output and len(copernicus.asked) == 4
    assert "all 4 pieces are there" in CliRunner().invoke(app, command).output


def test_the_clients_take_what_they_are_asked():
    """Where the real client is installed: the options exist under these names."""
    client = pytest.importorskip("copernicusmarine", reason="copernicusmarine is not installed")
    import inspect

    common = {"dataset_id", "output_directory", "overwrite", "dry_run"}
    corners = {f"{side}_{axis}" for side in ("minimum", "maximum") for axis in ("longitude", "latitude", "depth")}
    subset = common | corners | {"variables", "start_datetime", "end_datetime", "output_filename", "file_format"}
    assert subset <= set(inspect.signature(client.subset).parameters)
    assert common | {"filter", "no_directories"} <= set(inspect.signature(client.get).parameters)
    assert "file_size" in client.ResponseSubset.model_fields and "total_size" in client.ResponseGet.model_fields
