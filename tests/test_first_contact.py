"""First contact: the import and the help are quick because they load little, and nothing is missing for that."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import genda_lite as gl

ROOT = Path(__file__).parents[1]
HEAVY = {"torch", "numpy", "scipy", "xarray", "pandas", "matplotlib", "cartopy", "anywidget", "IPython"}


def loaded(program: str) -> set[str]:
    """Top-level modules that a program has loaded at its end, in a fresh Python."""
    told = "import atexit, sys; atexit.register(lambda: print(*{name.split('.')[0] for name in sys.modules}))"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", f"{told}; {program}"], env=environment, capture_output=True, text=True)
    return set(done.stdout.splitlines()[-1].split())


def test_the_import_and_the_help_load_nothing_heavy():
    """What takes seconds is which modules are loaded; the seconds themselves differ from machine to machine."""
    assert not loaded("import genda_lite") & HEAVY
    assert not loaded("import genda_lite.cli") & HEAVY
    for words in "--help", "assimilate --help", "evaluate --help", "--version":
        program = f"import sys; sys.argv = 'genda {words}'.split(); from genda_lite.cli import main; main()"
        found = loaded(program)
        assert "typer" in found and not found & HEAVY, words


def test_figures_are_there_without_drawing_anything():
    found = loaded("import genda_lite as gl; gl.show.explorer")
    assert "genda_lite" in found and not found & HEAVY


def test_every_public_name_comes_from_where_the_editors_are_told():
    """The names that are loaded on use are those under TYPE_CHECKING, and nothing else is public."""
    tree = ast.parse((ROOT / "genda_lite" / "__init__.py").read_text(encoding="utf-8"))
    (static,) = (node for node in tree.body if isinstance(node, ast.If))
    told = {alias.name: node.module for node in static.body for alias in node.names}
    assert {name for name, module in told.items() if module is None} == set(gl._ROOMS)
    assert {name: module for name, module in told.items() if module} == gl._NAMES
    assert set(gl.__all__) == {*gl._NAMES, "__version__"}
    assert {*gl._NAMES, *gl._ROOMS, "__version__"} <= set(dir(gl))
    for name in gl.__all__:
        assert getattr(gl, name) is not None
    for room in gl._ROOMS:
        assert getattr(gl, room).__name__ == f"genda_lite.{room}"


def test_all_rooms_are_there():
    folders = {path.parent.name for path in (ROOT / "genda_lite").glob("*/__init__.py")}
    assert folders - {"cli"} <= set(gl._ROOMS)  # the command line is run, not imported


def test_what_is_not_there_is_told():
    with pytest.raises(AttributeError, match="'genda_lite' has no attribute 'assimulate'"):
        _ = gl.assimulate
    assert not hasattr(gl, "torch")
