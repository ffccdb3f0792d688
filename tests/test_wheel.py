"""The package as others install it: a wheel with all that the package reads from its own folder."""

import re
import subprocess
import sys
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from genda_lite import __version__

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
    assert {"genda_lite/show/explorer.js", "genda_lite/teaching/osse.py"} <= set(wheel.namelist())


def test_the_wheel_holds_nothing_else(wheel):
    tops = {name.split("/")[0].split(".")[0] for name in wheel.namelist()}
    assert {top.split("-")[0] for top in tops} == {"genda_lite"}


@pytest.fixture
def installed(wheel, tmp_path):
    """Runs code on the package of the wheel, with nothing of the project around it and a cache of its own."""
    wheel.extractall(tmp_path / "site")
    paths = {"PYTHONPATH": str(tmp_path / "site"), "XDG_CACHE_HOME": str(tmp_path / "cache"), "HOME": str(tmp_path)}

    def run(code: str) -> str:
        ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True,
                             env=paths | {"OMP_NUM_THREADS": "1", "NO_PROXY": "*"})  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    return run


@pytest.fixture
def released(tmp_path):
    """Stands for the repository's address: serves the embedded files as the release of this version does."""
    place = tmp_path / "web" / "raw" / f"v{__version__}"
    place.mkdir(parents=True)
    (place / "data_samples").symlink_to(ROOT / "data_samples")
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path / "web")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def readdress(site: Path, address: str) -> None:
    """Give the installed package another address of its repository."""
    (path,) = site.glob("genda_lite-*.dist-info/METADATA")
    found = re.compile(r"(?m)^Project-URL: Repository, (\S+)$")
    text = path.read_text(encoding="utf-8")
    assert found.search(text)[1].startswith("https://github.com/")
    path.write_text(found.sub(f"Project-URL: Repository, {address}", text), encoding="utf-8")


def test_the_package_runs_from_the_wheel(installed, tmp_path):
    said = installed("""
import genda_lite, genda_lite.teaching as teaching
print(genda_lite.__file__, teaching.check("ex-smooth", 8.0))
""")
    assert said.startswith(str(tmp_path)) and "Right." in said
    (entries,) = (tmp_path / "site").glob("genda_lite-*.dist-info/entry_points.txt")
    assert "genda = genda_lite.cli:main" in entries.read_text()


def test_the_wheel_fetches_its_prior_once(installed, released, tmp_path):
    server, address = released
    readdress(tmp_path / "site", address)
    load = "import genda_lite; print(genda_lite.load_prior('gaussian').shape)"
    assert installed(load) == "(7, 64, 64)\n"
    (kept,) = (tmp_path / "cache").rglob("*.*s")
    assert kept.name == "prior_lite.safetensors" and kept.parent.name == f"v{__version__}"
    kept.write_bytes(b"half")  # damaged: fetched again
    assert installed(load) == "(7, 64, 64)\n"
    server.shutdown()
    server.server_close()
    assert installed(load) == "(7, 64, 64)\n"


def test_the_wheel_brings_the_twin_too(installed, released, tmp_path):
    readdress(tmp_path / "site", released[1])
    assert installed("from genda_lite.sources import Archive; print(Archive().missions)").startswith("['alg', 'h2b',")


def test_what_cannot_be_fetched_is_refused_in_a_sentence(installed, released, tmp_path):
    server, address = released
    readdress(tmp_path / "site", address)
    load = """
import genda_lite
try:
    genda_lite.load_prior()
except genda_lite.InputError as error:
    print(error)
"""
    served = tmp_path / "web" / "raw" / f"v{__version__}" / "data_samples"
    served.unlink()
    served.mkdir()
    missing = installed(load)
    (served / "prior_lite.safetensors").write_bytes(b"another file")
    for told in (missing, installed(load)):
        assert "prior_lite.safetensors: cannot be fetched (" in told and told.count("\n") == 1
        assert f"expected a connection to {address}/raw/v" in told and "by hand" in told
    server.shutdown()
    server.server_close()
    assert "cannot be fetched (" in installed(load)
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]  # nothing half-made is left
