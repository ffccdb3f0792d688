"""The tool that measures how easily the pages read takes their prose, and nothing else."""

import json
import re
import sys
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "benchmarks"))
reading = import_module("reading")

PAGE = """# A heading is no sentence

(a-label)=
Sea level is *smooth*. The wind, `uas`, is smoother still
({doc}`02_products`)! With $x = 3$ it counts {cite:p}`chelton2001altimetry`.

$$
a = b . C
$$ (eq-one)

| a table | of figures |
|---|---|

```bash
genda simulate --days 3. Then more.
```

- one item of a list;
- see [the exercise](ex-one) for another.

```{glossary}
altimeter
  A radar that measures the height of the sea.
```
"""


def test_sentences_are_those_of_the_prose():
    assert reading.sentences(PAGE) == [
        "Sea level is smooth.",
        "The wind, name, is smoother still (02_products)!",
        "With x it counts .",
        "one item of a list;",
        "see the exercise for another.",
        "altimeter A radar that measures the height of the sea.",
    ]
    assert reading.words("The sea's level, 3 m.") == ["The", "sea's", "level", "m"]


def test_a_notebook_is_read_without_its_code(tmp_path):
    cells = [{"cell_type": "markdown", "source": ["One sentence\n", "is here."]}]
    cells.append({"cell_type": "code", "source": ["no_prose = 1"]})
    (tmp_path / "page.ipynb").write_text(json.dumps({"cells": cells}))
    assert reading.sentences(reading.text_of(tmp_path / "page.ipynb")) == ["One sentence is here."]


def lengths(path: Path) -> list[int]:
    return [len(reading.words(one)) for one in reading.sentences(reading.text_of(path))]


def test_the_chapters_keep_short_sentences():
    for name in ("01_observing", "02_products", "03_prior", "04_bayes", "05_osse", "06_ose"):
        sizes = lengths(ROOT / "book" / f"{name}.ipynb")
        assert len(sizes) > 200 and sum(sizes) / len(sizes) < 15
        assert sum(size > reading.LONG for size in sizes) < 0.1 * len(sizes)


def test_the_other_pages_keep_short_sentences():
    for name in ("results", "use", "teach", "develop", "index", "glossary"):
        sizes = lengths(ROOT / "book" / f"{name}.md")
        assert len(sizes) > 20 and sum(sizes) / len(sizes) < 16, name
        assert sum(size > reading.LONG for size in sizes) < 0.15 * len(sizes), name


def test_no_heading_stands_twice_on_a_page():
    """Text that is put into the wrong cell brings its heading along."""
    for path in (*(ROOT / "book").glob("0*.ipynb"), *(ROOT / "book").glob("*.md")):
        text = re.sub(r"(?ms)^```.*?^```", "", reading.text_of(path))
        headings = [f"{found[1]} {found[2]}" for found in re.finditer(r"(?m)^(#+) (.*)$", text)]
        assert len(set(headings)) == len(headings), path.name
