"""How easily does the prose of the pages read?

    pip install "textstat<0.7.5" "setuptools<81"
    python benchmarks/reading.py [PAGE ...] [--worst 50]

Without names all pages of the book are read. For each page: Flesch's reading ease (higher is easier; 60 is plain
English), the Flesch-Kincaid grade (years of school), words a sentence, and the share of sentences above 25 words. Then
the sentences of the highest grade, to be rewritten. Code, tables, formulas and headings are left out, so the figures
are those of the sentences. A formula counts as one short word.

Later versions of textstat fetch a dictionary of pronunciation when they start. The older ones count syllables offline,
and import what setuptools has dropped since.
"""

import argparse
import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
LONG = 25  # words
LEFT_OUT = (
    r"```(?!\{glossary\}|\n).*?```",  # code, and directives that hold no prose
    r"^```.*$",
    r"\$\$.*?\$\$(?: \([\w-]+\))?",
    r"<!--.*?-->",
    r"^\|.*$",  # tables
    r"^#.*$",  # headings
    r"^\([\w-]+\)=$",
    r"^:::.*$",
    r"^:\w+:.*$",
    r"</?\w[^>]*>",
    r"\{cite:p\}`[^`]*`",
)
INSTEAD = (
    (r"\{cite:t\}`[^`]*`", "Author"),
    (r"\{(?:doc|ref|numref|term)\}`([^`<]*?)(?: <[^>]*>)?`", r"\1"),
    (r"\{\w+(?::\w+)?\}`[^`]*`", "it"),
    (r"\{\{.*?\}\}", "here"),
    (r"\$[^$]+\$", "x"),
    (r"`[^`]*`", "name"),
    (r"!?\[([^\]]*)\]\([^)]*\)", r"\1"),
    (r"\*{1,2}(?=\S)|(?<=\S)\*{1,2}", ""),
)


def text_of(path: Path) -> str:
    """A page's Markdown; of a notebook, that of its Markdown cells."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    return "\n\n".join("".join(c["source"]) for c in json.loads(text)["cells"] if c["cell_type"] == "markdown")


def sentences(markdown: str) -> list[str]:
    """The sentences of a page's prose, each as one line of plain words."""
    for pattern in LEFT_OUT:
        lines = ".*?" not in pattern
        markdown = re.sub(pattern, "\n" if lines or "`" in pattern else " ", markdown, flags=re.M if lines else re.S)
    for pattern, plain in INSTEAD:
        markdown = re.sub(pattern, plain, markdown, flags=re.DOTALL)
    found = []
    for block in re.split(r"\n\s*\n|\n(?=\s*(?:[-*:]|\d+\.)\s)", markdown):
        block = re.sub(r"^\s*(?:[-*:]|\d+\.)\s+", "", " ".join(block.split()))
        found += re.split(r"(?<=[.!?])[)\"']*\s+(?=[A-Z(\"'])", block)
    return [one for one in found if len(words(one)) > 2]


def words(sentence: str) -> list[str]:
    return re.findall(r"[A-Za-z][\w'-]*", sentence)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="*", type=Path, help="by default all of the book, and the README")
    parser.add_argument("--worst", type=int, default=0, help="how many of the hardest sentences to list")
    arguments = parser.parse_args()
    try:
        import textstat
    except ImportError:
        sys.exit('counting syllables needs textstat: pip install "textstat<0.7.5" "setuptools<81"')

    textstat.set_rounding(False)  # it would round syllables a word to a tenth: eight points of ease
    pages = arguments.pages or [ROOT / "README.md", *sorted((ROOT / "book").glob("0*.ipynb")),
                                *sorted((ROOT / "book").glob("[!a]*.md"))]  # fmt: skip
    hard = []
    print(f"{'page':24} {'ease':>5} {'grade':>6} {'words a sentence':>17} {'above ' + str(LONG):>9} {'sentences':>10}")
    for page in pages:
        found = sentences(text_of(page))
        if not found:
            continue
        sizes = [len(words(one)) for one in found]
        prose = " ".join(one.rstrip(".:;,") + "." for one in found)
        ease, grade = textstat.flesch_reading_ease(prose), textstat.flesch_kincaid_grade(prose)
        share = sum(size > LONG for size in sizes) / len(sizes)
        print(f"{page.name:24} {ease:5.1f} {grade:6.1f} {sum(sizes) / len(sizes):17.1f} {share:9.0%} {len(sizes):10}")
        graded = [one for one, n in zip(found, sizes, strict=True) if n > 5]
        hard += [(textstat.flesch_kincaid_grade(one), page.name, one) for one in graded]
    for grade, name, one in sorted(hard, reverse=True)[: arguments.worst]:
        print(f"\n{grade:4.1f}  {name}\n{one}")


if __name__ == "__main__":
    main()
