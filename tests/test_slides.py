"""Figures for slides, and the deck of the lab: taken from executed notebooks, complete in itself, moved by keys."""

import importlib.util
import io
import json
import re
import zipfile
from base64 import b64encode
from pathlib import Path

import pytest
from PIL import Image

from genda_lite.teaching import key_of, write_key
from genda_lite.teaching.checks import EXERCISES, find

ROOT = Path(__file__).parents[1]
DECK = (ROOT / "book" / "lab.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def slides():
    spec = importlib.util.spec_from_file_location("slides", ROOT / "book" / "_ext" / "slides.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def png(size: tuple[int, int] = (900, 500)) -> bytes:
    with io.BytesIO() as file:
        Image.new("RGB", size, "steelblue").save(file, "PNG")
        return file.getvalue()


def drawn(name: str, **data) -> dict:
    about = {"mystnb": {"figure": {"name": name, "caption": f"Caption of {name}."}, "image": {"alt": f"Seen: {name}."}}}
    text = {"output_type": "stream", "name": "stdout", "text": "drawn"}
    return {"cell_type": "code", "metadata": about, "outputs": [text, {"data": data}], "source": []}


@pytest.fixture
def executed(tmp_path, slides) -> Path:
    """Executed notebooks with every figure of the deck, and one that is drawn as curves, too."""
    picture = b64encode(png()).decode()
    cells = [drawn(name, **{"image/png": picture}) for name in slides.asked_for(DECK)]
    curves = {"image/png": picture, "image/svg+xml": ["<svg>", "</svg>"]}
    cells += [drawn("fig-curves", **curves), {"cell_type": "code", "metadata": {}, "outputs": [], "source": []}]
    (tmp_path / "executed").mkdir()
    (tmp_path / "executed" / "01.ipynb").write_text(json.dumps({"cells": cells}))
    return tmp_path / "executed"


def test_all_figures_are_in_the_zip_as_the_notebook_drew_them(slides, executed, tmp_path):
    deck, packed = slides.write(executed, tmp_path / "slides")
    with zipfile.ZipFile(packed) as file:
        names = file.namelist()
        assert file.read("fig-observing-today.png") == png() and file.read("fig-curves.svg") == b"<svg></svg>"
        told = file.read("captions.md").decode()
    assert len(names) == len(set(slides.asked_for(DECK))) + 2 and "CC BY 4.0" in told
    assert "Caption of fig-curves." in told and "Seen: fig-curves." in told
    page = deck.read_text()
    for source in re.findall(r'<img src="([^"]+)"', page):
        with Image.open(deck.parent / source) as picture:
            assert picture.size == (900, 500) and picture.format == "WEBP"
    assert 'alt="Seen: fig-observing-today."' in page
    assert not re.search(r"(?:src|href)=\"?https?:", page)


def test_what_is_missing_is_said(slides, executed, tmp_path, refuses):
    with refuses("no figure of an executed notebook", "make book"):
        slides.gathered(tmp_path)
    with refuses("the deck shows fig-nowhere"):
        slides.written("# One\n\n![](fig-nowhere)\n", slides.gathered(executed))


def test_the_deck_shows_figures_and_exercises_that_the_chapters_have(slides):
    have = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "book").glob("0*.ipynb"))
    assert len(slides.asked_for(DECK)) >= 6
    for name in slides.asked_for(DECK):
        assert f'"name": "{name}"' in have
    for label in re.findall(r'check\("([\w.-]+)"', DECK):
        find(label)
    minutes = [int(m) for pair in re.findall(r"Minutes (\d+) to (\d+)", DECK) for m in pair]
    assert minutes[0] == 0 and minutes[-1] == 180 and minutes[1:-1:2] == minutes[2::2]  # no gap, no overlap
    numbers = re.findall(r"Exercises? (\d\.\d)(?: and (\d\.\d))?", DECK)
    assert {find(n) for pair in numbers for n in pair if n} == {
        "ex-observing-second", "ex-error", "ex-members", "ex-osse-launch"
    }  # fmt: skip


@pytest.mark.parametrize("width", [1280, 380])
def test_the_deck_fits_and_is_moved_by_keys(page, slides, executed, tmp_path, width):
    deck, _ = slides.write(executed, tmp_path / "slides")
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(deck.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not page.locator("aside").first.is_visible()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("Math.abs(document.querySelectorAll('section')[2].getBoundingClientRect().top) < 2")
    page.keyboard.press("n")
    assert page.locator("aside").nth(2).is_visible()
    assert page.get_by_role("button", name="Notes (N)").get_attribute("aria-pressed") == "true"
    page.keyboard.press("ArrowLeft")
    page.wait_for_function("Math.abs(document.querySelectorAll('section')[1].getBoundingClientRect().top) < 2")
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible() and page.locator("aside").first.is_visible()
    assert page.faults == []


# --- The tutor's key -------------------------------------------------------------------------------------------------


def test_the_key_has_every_exercise_of_the_book_with_its_answer(tmp_path):
    told = write_key(ROOT / "book", tmp_path / "key.md").read_text(encoding="utf-8")
    numbers = [f"{n}.{k}" for n, labels in enumerate(EXERCISES.values(), 1) for k in range(1, len(labels) + 1)]
    assert re.findall(r"(?m)^### Exercise (\d\.\d)", told) == numbers
    for part, label in zip(told.split("### Exercise ")[1:], sum(EXERCISES.values(), ()), strict=True):
        question, answer = part.split("**Answer**\n\n")
        assert f"`{label}`" in answer and "You learn to" in question and len(answer.split()) > 30
    assert not re.search(r"^:::|\{[\w:]+\}`|\0", told, re.MULTILINE)
    assert "ranks(ensemble, taken)" in told and "```python\ndef ranks" in told


def notebook(*cells: tuple[str, str]) -> dict:
    return {"cells": [{"cell_type": kind, "metadata": {}, "source": [text]} for kind, text in cells]}


def test_a_key_joins_text_and_code_and_refuses_an_exercise_without_an_answer(tmp_path, refuses):
    asked = (
        ":::{exercise-start} Why?\n:label: ex-why\n:::\nSay why, by {doc}`the page <01_it>`.\n:::{exercise-end}\n:::\n"
    )
    answered = ":::{solution-start} ex-why\n:class: dropdown\n:::\nBecause\n\n$$\na = b\n$$ (eq-a)\n"
    cells = [
        ("markdown", "# It"),
        ("markdown", asked + answered),
        ("code", "x = 1"),
        ("markdown", "so.\n:::{solution-end}\n:::"),
    ]
    assert key_of(notebook(*cells), 4) == (
        "## It\n\n### Exercise 4.1. Why?\n\nSay why, by the page.\n\n**Answer**\n\nBecause\n\n$$\na = b\n$$\n\n"
        "```python\nx = 1\n```\n\nso.\n\n*To be marked by reading (`ex-why`).*\n"
    )
    with refuses("ex-why has no solution"):
        key_of(notebook(("markdown", asked)))
    with refuses("no notebook in it has an exercise"):
        write_key(tmp_path, tmp_path / "key.md")
