"""The embedded data are what their card says they are."""

import hashlib
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import genda_lite as gl
from genda_lite.nature import Simulation
from genda_lite.nature.physics import LIMITS, NEUTRAL, PARAMETERS
from genda_lite.prior.checkpoint import SHIPPED
from genda_lite.sources import load_sample
from genda_lite.sources.samples import FOLDER, REGISTRY, data_files, sample_path


def test_checksums():
    for line in REGISTRY.read_text().splitlines():
        digest, name = line.split()
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == digest, name


def test_every_file_has_a_checksum_and_a_line_on_the_card():
    card = (FOLDER / "README.md").read_text()
    summed = {line.split()[1] for line in REGISTRY.read_text().splitlines()}
    files = {path.relative_to(FOLDER).as_posix() for path in data_files(FOLDER)}
    assert files == summed and {path.name for path in FOLDER.rglob("*.nc")} <= {Path(name).name for name in files}
    assert all(name in card for name in files)


def test_card_states_the_physics():
    """The table of ranges on the card is that of the code."""
    card = (FOLDER / "README.md").read_text()
    for name, p in PARAMETERS.items():
        old = f"{p.low:g}" if name in NEUTRAL else f"{p.low:g} to {p.high:g}"
        wide = f"{p.wide[0]:g} to {p.wide[1]:g}"
        assert f"| `{name}` | {old} | {wide} | {p.twin:g} | {p.units} | {p.meaning} | {p.source} |" in card, name
    for name, limit in LIMITS.items():
        assert f"| {name} | {limit.low:g} to {limit.high:g} | {limit.units} | {limit.source} |" in card, name


TWIN = [f"twin/{name}_2000.nc" for name in ("sea_level", "tracks_c2", "temperature_L3")]


@pytest.mark.parametrize("name", ["nature_training.nc", "nature_wide.nc", "nature_heldout.nc", "twin_truth.nc", *TWIN])
def test_embedded_data_follow_the_cf_conventions(name):
    """No error by the IOOS checker; it runs apart, for it brings a second HDF5 library."""
    command = shutil.which("compliance-checker", path=Path(sys.executable).parent)
    if command is None:
        pytest.skip("compliance-checker is not installed (extra `test`)")
    said = subprocess.run([command, "--test", "cf:1.11", str(FOLDER / name)], capture_output=True, text=True)
    assert said.returncode == 0 and "All tests passed!" in said.stdout, said.stdout


def test_shipped_prior_is_small_trained_and_better_than_gaussian():
    assert sample_path(SHIPPED).stat().st_size <= 6e6
    training = gl.load_prior().training
    assert training["cpu_seconds"] >= 30 * 60
    assert training["frames"] * 3 >= 3 * 365  # daily means, every third day kept
    assert training["validation_loss"] < 1.0  # in units of the Wiener filter's loss


def test_sample_looks_like_the_gulf_stream():
    ocean = load_sample("nature_heldout")
    assert set(ocean.data_vars) >= {"zos", "thetao", "so", "uo", "vo", "uas", "vas"}
    speed = np.hypot(ocean["uo"], ocean["vo"])
    assert 1.2 < float(speed.max()) < 2.5
    assert 0.3 < float(ocean["zos"].std()) < 0.65
    assert 33.0 < float(ocean["so"].quantile(0.01)) < float(ocean["so"].quantile(0.99)) < 36.9


def test_damaged_sample_is_refused(tmp_path, monkeypatch, refuses):
    monkeypatch.setattr("genda_lite.sources.samples.FOLDER", tmp_path)
    monkeypatch.setattr("genda_lite.sources.samples.REGISTRY", tmp_path / "SHA256SUMS")
    (tmp_path / "SHA256SUMS").write_text(f"{hashlib.sha256(b'whole').hexdigest()}  ocean.nc\n")
    (tmp_path / "ocean.nc").write_bytes(b"half")
    with refuses("ocean.nc", "damaged or changed", "SHA256SUMS"):
        load_sample("ocean")
    with refuses("no lake.nc", "ocean.nc"):
        load_sample("lake")


def load_make():
    """The command as a module."""
    spec = importlib.util.spec_from_file_location("make", FOLDER / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    return make


def test_data_are_made_again_alike(small_sea, tmp_path):
    """The command that made the embedded files, on short runs: the same files twice, with the dates it promises."""
    make = load_make()
    everything = make.SIMULATIONS | make.OCEANS | make.OLD
    assert set(make.SIMULATIONS) == {"validation", "heldout", "twin"}
    assert set(make.EMBEDDED["nature_training"]) <= set(make.OLD)
    assert set(make.EMBEDDED["nature_wide"]) <= set(make.OCEANS)
    assert len({simulation.seed for simulation in everything.values()}) == len(everything)
    assert sum(one.wide for one in make.OCEANS.values()) >= 20
    short = {
        "train0": Simulation(days=3, seed=0, members=2, spin_up=0),
        "wide00": Simulation(days=3, seed=100, spin_up=0, wide=True),
        "wide02": Simulation(days=3, seed=102, spin_up=0, wide=True),
        "heldout": Simulation(days=4, seed=3, members=2, spin_up=0),
        "twin": Simulation(days=2, seed=4, spin_up=0, twin=True),
    }
    embedded = {"nature_training": ("train0",), "nature_wide": ("wide00", "wide02")}
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        make.make(tmp_path / name, tmp_path / name / "runs", short, embedded, progress=False)
    sums = [(tmp_path / name / "SHA256SUMS").read_text() for name in ("one", "two")]
    assert sums[0] == sums[1] and len(sums[0].splitlines()) == 4
    with xr.open_dataset(tmp_path / "one" / "nature_wide.nc", engine="h5netcdf") as ds:
        assert ds.sizes == {"member": 2, "time": 1, "latitude": 121, "longitude": 215}  # all wanted dates are the last
        assert len(np.unique(ds["physics_depth_step"])) == 2 and ds.attrs["seed"].tolist() == [100, 102]
    with xr.open_dataset(tmp_path / "one" / "nature_heldout.nc", engine="h5netcdf") as ds:
        assert ds.sizes == {"member": 2, "time": 3, "latitude": 121, "longitude": 121}
    with xr.open_dataset(tmp_path / "one" / "twin_truth.nc", engine="h5netcdf") as ds:
        assert ds.sizes == {"time": 2, "latitude": 121, "longitude": 121}


def test_an_ocean_that_fails_stops_no_other(small_sea, tmp_path, monkeypatch):
    """A file each; what is there is left alone, and what became unstable is told by its name."""
    make = load_make()
    short = {f"wide{i}": Simulation(days=2, seed=100 + i, spin_up=0, every=2, wide=True) for i in range(2)}
    whole = make.simulate_to_file

    def fails(path, simulation, **options):
        if simulation.seed == 100:
            raise FloatingPointError("the simulated ocean became unstable on day 1")
        whole(path, simulation, **options)

    with monkeypatch.context() as patch:
        patch.setattr(make, "simulate_to_file", fails)
        assert make.simulate_all(tmp_path, short, progress=False) == ["wide0"]
    assert [path.name for path in tmp_path.glob("*.nc")] == ["wide1.nc"]
    before = (tmp_path / "wide1.nc").read_bytes()
    assert make.simulate_all(tmp_path, short, progress=False) == []
    assert (tmp_path / "wide1.nc").read_bytes() == before
    with xr.open_dataset(tmp_path / "wide0.nc", engine="h5netcdf") as ds:
        assert ds.attrs["wide"] == 1 and ds.attrs["seed"] == 100 and ds.sizes["member"] == 1
        assert ds["physics_front_width"].values != NEUTRAL["front_width"]
