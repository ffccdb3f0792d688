"""The package as others install it: a wheel with all that the package reads from its own folder."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# What git tracks in the package, or would: all of it belongs into the wheel.
LISTED = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "genda_lite"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    """Built without the network, from a copy: setuptools leaves its traces beside the source."""
    listed = subprocess.run(LISTED, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout: what belongs into the wheel is not known")
    pytest.importorskip("setuptools", "77")
    source, out = (tmp_path_factory.mktemp(name) for name in ("source", "wheel"))
    for name in (*listed.stdout.split(), "pyproject.toml", "README.md", "LICENSE"):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    build = [sys.executable, "-m", "pip", "wheel", str(source), "--no-deps", "--no-build-isolation", "--no-index"]
    made = subprocess.run([*build, "--quiet", "--wheel-dir", str(out)], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    (path,) = out.glob("genda_lite-*-py3-none-any.whl")
    with zipfile.ZipFile(path) as opened:
        opened.listed = listed.stdout.split()
        yield opened


def test_the_wheel_holds_every_file_of_the_package(wheel):
    missing = {name for name in wheel.listed if (ROOT / name).is_file()} - set(wheel.namelist())
    assert not missing
    assert {"genda_lite/show/explorer.js", "genda_lite/teaching/checks.py"} <= set(wheel.namelist())


def test_the_wheel_holds_nothing_else(wheel):
    tops = {name.split("/")[0].split(".")[0] for name in wheel.namelist()}
    assert {top.split("-")[0] for top in tops} == {"genda_lite"}


def test_the_package_runs_from_the_wheel(wheel, tmp_path):
    wheel.extractall(tmp_path)
    code = """
import genda_lite, genda_lite.teaching as teaching
print(genda_lite.__file__, teaching.check("ex-smooth", 8.0))
try:
    genda_lite.load_prior()
except genda_lite.InputError as error:
    print(error)
"""
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True,
                         env={"PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1"})  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith(str(tmp_path)) and "Right." in ran.stdout
    assert "the embedded data are not here" in ran.stdout  # a wheel has the package, and not the project around it
    (entries,) = tmp_path.glob("genda_lite-*.dist-info/entry_points.txt")
    assert "genda = genda_lite.cli:main" in entries.read_text()
