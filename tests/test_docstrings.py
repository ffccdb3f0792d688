"""The reference from docstrings: plain text becomes reStructuredText, its meaning unchanged; nothing is left out.

The examples in docstrings run, and give what they say.
"""

import doctest
import importlib
import importlib.util
import re
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PATH = ROOT / "book" / "_ext" / "plain_docstrings.py"
# Not for import by others: the command line says all with --help.
INTERNAL = {"__main__", "cli", "moved", "processors", "version", "prior.signals", "show.assets"}
INTERNAL |= {f"cli.{path.stem}" for path in (ROOT / "genda_lite" / "cli").glob("*.py")}
# Answers to exercises: `teaching.checks` says how they are checked, and a reference would give them away.
INTERNAL |= {f"teaching.{chapter}" for chapter in ("observing", "products", "prior", "bayes", "osse", "ose")}


@pytest.fixture(scope="module")
def extension():
    spec = importlib.util.spec_from_file_location("plain_docstrings", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def rewritten(extension):
    return extension.rewritten


def test_fields_of_named_tuples_are_left_out_unless_they_say_something(extension):
    class Pair(NamedTuple):
        """Two numbers. first, second: which."""

        first: float
        second: float

        def swapped(self):
            """The other way round."""

    told = {name: extension.skip(None, "class", name, getattr(Pair, name), False, {}) for name in ("first", "second")}
    assert told == {"first": True, "second": True}
    assert extension.skip(None, "class", "swapped", Pair.swapped, False, {}) is None
    Pair.first.__doc__ = "The one (m)."
    assert extension.skip(None, "class", "first", Pair.first, False, {}) is None


def test_formulas_become_literal_blocks_and_sections_stay(rewritten):
    before, formula, after = ["What it is,", ""], "    x* = |y|,   k_", ["", "and more.", ""]
    sections = ["Args:", "    a: of `size` n.", "    b: c*d."]
    assert rewritten([*before, formula, *after, *sections]) == [
        *before, ".. code-block:: text", "", formula, *after, "Args:", "    a: of ``size`` n.", r"    b: c\*d.",
    ]  # fmt: skip


def test_a_formula_that_follows_at_once_is_parted_from_its_paragraph(rewritten):
    assert rewritten(["So", "    a = b"]) == ["So", "", ".. code-block:: text", "", "    a = b"]


def test_marks_lose_their_meaning_and_names_become_code(rewritten):
    assert rewritten(["The |x| of `a_` and b_, `f`s."]) == [r"The \|x\| of ``a_`` and b\_, ``f``\ s."]


def test_arguments_that_share_a_line_are_parted(rewritten):
    text = ["Do it.", "", "Args:", "    a: of all. b: the other. Note: c, d: two", "        more. c, d: both."]
    assert rewritten(text, ["a", "b", "c", "d"])[3:] == [
        "    a: of all.", "    b: the other. Note: c, d: two", "        more.", "    c, d: both.",
    ]  # fmt: skip


def test_examples_stay_as_they_are(rewritten):
    session = ["Examples:", "    A *b* c_:", "", "    >>> a * b_", "    |x|", "", "    *"]
    assert rewritten(session) == ["Examples:", r"    A \*b\* c\_:", *session[2:6], r"    \*"]


EXAMPLES = ("observe.systems", "observe.table", "ocean.currents", "posterior.assimilate", "prior.checkpoint", "state")
EXAMPLES += ("sources.archive", "teaching.checks", "verify.dress", "verify.scores")


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_give_what_they_say(name):
    tried = doctest.testmod(importlib.import_module(f"genda_lite.{name}"), optionflags=doctest.ELLIPSIS)
    assert tried.attempted >= 3 and tried.failed == 0


def test_every_module_with_an_example_is_tried():
    files = [path for path in (ROOT / "genda_lite").rglob("*.py") if "    >>> " in path.read_text()]
    assert {".".join(path.relative_to(ROOT / "genda_lite").with_suffix("").parts) for path in files} == set(EXAMPLES)


def test_the_reference_leaves_no_module_out():
    pages = "".join(page.read_text() for page in (ROOT / "book").glob("api*.md"))
    listed = set(re.findall(r"automodule:: genda_lite\.(\S+)", pages))
    files = [path.relative_to(ROOT / "genda_lite") for path in (ROOT / "genda_lite").rglob("*.py")]
    modules = {".".join(path.with_suffix("").parts) for path in files if path.name != "__init__.py"}
    packages = [path for path in files if path.name == "__init__.py" and path.parts[1:]]  # most only gather names
    modules |= {".".join(p.parent.parts) for p in packages if "\ndef " in (ROOT / "genda_lite" / p).read_text()}
    assert listed == modules - INTERNAL, "book/api*.md and the package differ"
