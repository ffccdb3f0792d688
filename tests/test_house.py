"""The house stays in order: rooms import only what is below them, and there are no more than one can keep in mind."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MOST = 24  # rooms


@pytest.fixture(scope="module")
def house():
    spec = importlib.util.spec_from_file_location("house", ROOT / "book" / "_ext" / "house.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_rooms_and_modules_import_in_one_direction(house):
    modules = house.arrows()
    graph = house.rooms(modules)
    assert max(house.floors(graph).values()) > 5
    house.floors({name: {t for t in targets if t in modules} - {name} for name, targets in modules.items()})


def test_there_are_few_rooms(house):
    graph = house.rooms(house.arrows())
    assert {"state", "prior", "posterior", "verify/osse", "cli"} < set(graph)
    assert len(graph) <= MOST


def test_a_circle_is_told(house):
    assert house.floors({"a": {"b"}, "b": set()}) == {"b": 1, "a": 2}
    with pytest.raises(ValueError, match="a -> b -> c -> a"):
        house.floors({"a": {"b"}, "b": {"c"}, "c": {"a"}})


def test_an_import_inside_a_function_counts(house, tmp_path, monkeypatch):
    monkeypatch.setattr(house, "PACKAGE", tmp_path)
    (tmp_path / "upper").mkdir()
    (tmp_path / "upper" / "__init__.py").write_text("")
    (tmp_path / "lower.py").write_text("")
    (tmp_path / "upper" / "room.py").write_text("def work():\n    from ..lower import thing\n    return thing\n")
    assert house.rooms(house.arrows())["upper"] == {"lower"}


def test_what_follows_is_not_drawn(house):
    assert house.drawn({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == {"a": {"b"}, "b": {"c"}, "c": set()}


def test_every_room_says_what_it_is_for_and_stands_in_the_picture(house):
    picture = house.picture()
    for room in set(house.rooms(house.arrows())) - house.HIDDEN:
        assert len(house.purpose(room)) > 20
        assert f"<b>{room}</b>" in picture
    assert picture.count("<path") >= 15


def test_the_maintainers_page_names_files_that_exist():
    page = (ROOT / "book" / "develop.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:genda_lite|tests|book)/[\w/.]+\.(?:py|md|ipynb))`", page)) - {
        "book/07_name.ipynb", "genda_lite/teaching/name.py", "genda_lite/observe/name.py", "tests/test_name.py"
    }  # fmt: skip
    assert len(named) >= 5
    assert [name for name in named if not (ROOT / name).exists()] == []
