"""Code serves the page: what stays open is short, the rest is folded, and a chapter begins with a question and picture.

Heights are estimated from the sources, in pixels of a page 1280 wide; the built book is not needed.
"""

import ast
import copy
import json
import re
from functools import cache
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
CHAPTERS = ("01_observing", "02_products", "03_prior", "04_bayes", "05_osse", "06_ose")
STILL_OPEN: tuple[str, ...] = ()  # chapters whose code is not folded yet; one moves up when it is
MOST_LINES, MOST_SHARE, FIRST_SCREEN = 12, 0.15, 900

LETTERS, LINE, CODE_LINE, BAR = 90, 27, 19, 45  # a line of text and its height, a line of code, what is folded
BOX, FIGURE, EXPLORER, OUTPUT, FORMULA, HEADING = 40, 450, 650, 90, 70, 50
FIGURES = r"\b(?:figures\.\w+|static_explorer|\w+\.day_explorer|explorer)\("


def notebook(name: str) -> list[dict]:
    return json.loads((ROOT / "book" / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]


@cache
def defined() -> dict[str, int]:
    """Functions and methods of the package, by name, with their lines less the docstring."""
    found = {}
    for path in sorted((ROOT / "genda_lite").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                first = node.body[0]
                told = first.end_lineno - first.lineno + 1 if ast.get_docstring(node) else 0
                found[node.name] = node.end_lineno - node.lineno + 1 - told
    return found


def on_page(cells: list[dict]) -> list[tuple[str, str, dict]]:
    """Kind, text and metadata of all that a reader sees; a solution is a bar until it is opened."""
    seen, inside = [], False
    for cell in cells:
        text, about = "".join(cell["source"]), cell["metadata"]
        if cell["cell_type"] == "code":
            if not inside and "remove-cell" not in about.get("tags", []):
                seen.append(("code", text, about))
            continue
        parts = re.split(r"(?m)^:::\{(solution-start|solution-end)\}.*$", text)
        for mark, part in zip([None, *parts[1::2]], parts[::2], strict=True):
            inside = mark == "solution-start" if mark else inside
            if mark == "solution-start":
                seen.append(("bar", "", {}))
            elif not inside:
                for piece in re.split(r"(?ms)^:::\{solution\}.*?^:::$", part):
                    seen.append(("text", piece, {}))
    return seen


def is_open(about: dict) -> bool:
    return not {"hide-input", "remove-input", "hide-cell"} & set(about.get("tags", []))


def is_figure(text: str, about: dict) -> bool:
    return "figure" in about.get("mystnb", {}) or bool(re.search(FIGURES, text))


def heights(kind: str, text: str, about: dict) -> tuple[float, float]:
    """Pixels of open code, and of everything."""
    if kind == "bar":
        return 0, BAR
    if kind == "code":
        lines = len(text.splitlines())
        printed = sum(defined()[name.split(".")[-1]] for name in re.findall(r"(?m)^source\(([\w.]+)\)", text))
        code = (CODE_LINE * lines + BOX) * is_open(about) + (CODE_LINE * printed + BOX) * (printed > 0)
        shown = EXPLORER if re.search(FIGURES, text) else FIGURE if is_figure(text, about) else OUTPUT
        last = text.strip().splitlines()[-1]
        quiet = printed or re.match(r"(import|from|\s|def |\w+(, \w+)* = )", last)
        return code, code + BAR * (not is_open(about)) + (0 if quiet else shown)
    fences = re.findall(r"(?ms)^```\w+\n(.*?)^```$", text)
    code = sum(CODE_LINE * len(fence.splitlines()) + BOX for fence in fences)
    text = re.sub(r"(?ms)^```\w+\n.*?^```$", "", text)
    formulas, text = len(re.findall(r"(?s)\$\$.*?\$\$", text)), re.sub(r"(?s)\$\$.*?\$\$", "\n\n", text)
    headings = len(re.findall(r"(?m)^#+ ", text))
    height = formulas * FORMULA + headings * HEADING
    for block in re.split(r"\n\s*\n|\n(?=[-|]|\d\. )", re.sub(r"(?m)^(#+ .*|:::.*|:\w+:.*|\(.*\)=)$", "", text)):
        if block.strip():
            height += LINE * -(-len(" ".join(block.split())) // LETTERS) + 5
    return code, code + height


def share(cells: list[dict]) -> float:
    """How much of a page's height is open code."""
    code, whole = (sum(one) for one in zip(*(heights(*piece) for piece in on_page(cells)), strict=True))
    return code / whole


def too_long(cells: list[dict]) -> list[str]:
    seen = [text for kind, text, about in on_page(cells) if kind == "code" and is_open(about)]
    return [text for text in seen if len(text.splitlines()) > MOST_LINES]


def before_the_first_picture(cells: list[dict]) -> float:
    """Pixels above it."""
    height = 0.0
    for kind, text, about in on_page(cells):
        code, whole = heights(kind, text, about)
        if kind == "code" and is_figure(text, about):
            return height + code + BAR * (not is_open(about))
        height += whole
    return float("inf")


def test_every_chapter_is_named_here():
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    (chapters,) = (part["chapters"] for part in contents["parts"] if part["caption"] == "Chapters")
    assert sorted(Path(one["file"]).name for one in chapters) == sorted((*CHAPTERS, *STILL_OPEN))


@pytest.mark.parametrize("name", CHAPTERS)
def test_open_code_is_short_and_a_small_part_of_the_page(name):
    cells = notebook(name)
    assert too_long(cells) == []
    assert 0.005 < share(cells) <= MOST_SHARE  # something has to stay that teaches


@pytest.mark.parametrize("name", CHAPTERS)
def test_folded_code_says_in_a_line_what_it_does(name):
    folded = [c for c in notebook(name) if "hide-input" in c["metadata"].get("tags", [])]
    assert len(folded) > 5
    for cell in folded:
        says = cell["metadata"].get("mystnb", {}).get("code_prompt_show", "")
        assert says.startswith("Code: ") and 10 < len(says) < 90 and "\n" not in says, cell["id"]


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapter_begins_with_a_question_and_a_picture(name):
    cells = notebook(name)
    first = "".join(cells[0]["source"])
    assert first.startswith("# ") and "?" in first
    assert before_the_first_picture(cells) <= FIRST_SCREEN / 2  # so that the picture itself is seen


def test_the_estimate_notices_what_is_opened():
    cells = copy.deepcopy(notebook("01_observing"))
    before = share(cells)
    for cell in cells:
        cell["metadata"]["tags"] = [tag for tag in cell["metadata"].get("tags", []) if tag != "hide-input"]
    assert share(cells) > max(2 * before, MOST_SHARE) and too_long(cells)
    assert before_the_first_picture(cells) > FIRST_SCREEN


def test_solutions_count_as_the_bar_that_they_are():
    def cell(kind: str, text: str) -> dict:
        return {"cell_type": kind, "source": [text], "metadata": {}}

    long = "x = 1\n" * 40
    cells = [cell("markdown", ":::{solution-start} ex-a\n:::\nText\n"), cell("code", long),
             cell("markdown", "more\n:::{solution-end}\n:::\nAfter")]  # fmt: skip
    assert too_long(cells) == [] and share(cells) == 0
    assert too_long([*cells, cell("code", long)]) == [long]
    assert share([cell("code", long), cell("markdown", "word " * 400)]) > 0.5
