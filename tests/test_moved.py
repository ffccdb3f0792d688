"""What has moved is found where it was, with a line that says where it is."""

import importlib
import pickle
import subprocess
import sys

import pytest

from genda_lite import moved, systems  # an old path
from genda_lite.observe.systems import ObservingSystem


@pytest.mark.parametrize(("old", "new"), moved.MODULES.items())
def test_modules_are_found_under_their_old_paths(old, new):
    sys.modules.pop(f"genda_lite.{old}", None)
    with pytest.warns(DeprecationWarning, match=rf"genda_lite\.{old} is now genda_lite\.{new},"):
        found = importlib.import_module(f"genda_lite.{old}")
    assert found is importlib.import_module(f"genda_lite.{new}")
    assert found.__spec__.name == f"genda_lite.{new}"


@pytest.mark.parametrize(
    ("place", "name", "new"),
    [
        (place, name, new)
        for place, table in moved.NAMES.items()
        for name, new in (table.items() if isinstance(table, dict) else ())
    ],
)
def test_names_are_found_where_they_were(place, name, new):
    with pytest.warns(DeprecationWarning, match=rf"genda_lite\.{place}\.{name} is now genda_lite\.{new}\."):
        found = getattr(importlib.import_module(f"genda_lite.{place}"), name)
    now = moved.RENAMED.get(f"{new}.{name}", name)
    assert found is getattr(importlib.import_module(f"genda_lite.{new}"), now)


def test_other_names_are_unknown_as_ever():
    with pytest.raises(AttributeError, match=r"genda_lite\.state.*no attribute 'colour'"):
        importlib.import_module("genda_lite.state").colour  # noqa: B018
    with pytest.raises(ImportError):
        importlib.import_module("genda_lite.tides")


def test_what_was_imported_by_an_old_path_is_the_same():
    assert systems.ObservingSystem is ObservingSystem
    assert pickle.loads(pickle.dumps(ObservingSystem())) == ObservingSystem()  # as workers are sent it


def test_the_line_names_the_place_that_asked(tmp_path):
    script = tmp_path / "old.py"
    script.write_text("import genda_lite\nfrom genda_lite.geostrophy import smooth\n")
    ran = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert "old.py:2: DeprecationWarning: genda_lite.geostrophy is now genda_lite.ocean.currents" in ran.stderr
