"""Sphinx extension and command: the chapters' figures as files for slides, and the deck of the three-hour lab.

    python book/_ext/slides.py     # `make slides`, after `make book`: to _build/slides

The same is written to the folder `slides` of a built site. `figures.zip` holds every figure with a name as its notebook
drew it, with captions and descriptions. `lab.html` is `book/lab.md`, a slide to a page, for a browser to show or print.

In the deck, a line of three hyphens ends a slide, `![](fig-name)` is a figure of the chapters, and what follows a line
`Notes:` is for the tutor.
"""

import io
import json
import re
import sys
import zipfile
from base64 import b64decode
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt
from PIL import Image

from genda_lite.errors import InputError
from genda_lite.files import atomic_path

BOOK = Path(__file__).parents[1]
PAGE = Path(__file__).with_name("slides.html")
SUFFIXES = {"image/svg+xml": ".svg", "image/png": ".png"}  # of a cell's outputs, the sharper first
QUALITY = 85  # of pictures in the deck, as WebP; the zip holds them as they are
LICENCE = "The figures are licensed under CC BY 4.0: name genda_lite where you show them."


class Figure(NamedTuple):
    """A figure that a notebook has drawn: its name, its file, and what the page says under it and instead of it."""

    name: str
    suffix: str
    data: bytes
    caption: str
    alt: str


def figures_of(notebook: dict) -> Iterable[Figure]:
    """The figures of an executed notebook that have a name, in its order."""
    for cell in notebook["cells"]:
        about = cell["metadata"].get("mystnb", {})
        figure = about.get("figure", {})
        for output in cell.get("outputs", ()) if "name" in figure else ():
            held = output.get("data", {})
            kind = next((kind for kind in SUFFIXES if kind in held), None)
            if kind is None:
                continue
            text = "".join(held[kind])
            data = text.encode() if kind.endswith("xml") else b64decode(text)
            alt = about.get("image", {}).get("alt", "")
            yield Figure(figure["name"], SUFFIXES[kind], data, figure.get("caption", ""), alt)
            break


def gathered(folder: Path) -> dict[str, Figure]:
    """All figures of a folder of executed notebooks, by name.

    Raises:
        InputError: there is no executed notebook with a figure.
    """
    paths = sorted(folder.glob("*.ipynb"))
    notebooks = (json.loads(path.read_text(encoding="utf-8")) for path in paths)
    found = {figure.name: figure for notebook in notebooks for figure in figures_of(notebook)}
    if not found:
        raise InputError(f"{folder}: no figure of an executed notebook, run `make book` first")
    return found


def write_zip(figures: Mapping[str, Figure], path: Path) -> None:
    """All figures, and a page with their captions and descriptions."""
    told = [f"## {f.name}{f.suffix}\n\n{f.caption}\n\nWhat one sees: {f.alt}\n" for f in figures.values()]
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as file:
        for figure in figures.values():
            file.writestr(f"{figure.name}{figure.suffix}", figure.data)
        file.writestr("captions.md", "\n".join(["# Figures of genda_lite\n", f"{LICENCE}\n", *told]))


def asked_for(deck: str) -> list[str]:
    """The names of the figures that a deck shows."""
    return re.findall(r"!\[[^\]]*\]\((fig-[\w-]+)\)", deck)


def shown(figure: Figure) -> str:
    """The file of a figure in the deck."""
    return f"{figure.name}{figure.suffix.replace('.png', '.webp')}"


def write_shown(figure: Figure, folder: Path) -> None:
    """Write it, lighter than the notebook drew it."""
    path = folder / shown(figure)
    if path.suffix == ".svg":
        path.write_bytes(figure.data)
    else:
        with Image.open(io.BytesIO(figure.data)) as picture:
            picture.convert("RGB").save(path, quality=QUALITY, method=4)


def written(deck: str, figures: Mapping[str, Figure]) -> str:
    """A deck as one page of HTML, whose figures lie in `figures/` beside it.

    Raises:
        InputError: the deck shows a figure that no chapter has.
    """
    unknown = [name for name in asked_for(deck) if name not in figures]
    if unknown:
        raise InputError(f"the deck shows {', '.join(unknown)}, expected names of the chapters' figures")

    def picture(found: re.Match) -> str:
        figure = figures[found[2]]
        return f"![{found[1] or figure.alt}](figures/{shown(figure)})"

    markdown, sections = MarkdownIt().enable("table"), []
    parts = re.split(r"(?m)^---$", re.sub(r"!\[([^\]]*)\]\((fig-[\w-]+)\)", picture, deck).strip())
    for number, part in enumerate(parts, 1):
        front, _, notes = part.partition("\nNotes:\n")
        aside = f"<aside><h2>Notes</h2>{markdown.render(notes)}</aside>" if notes.strip() else ""
        foot = f"<footer>{number} / {len(parts)}</footer>"
        sections.append(f'<section tabindex="-1">{markdown.render(front)}{aside}{foot}</section>')
    title = re.search(r"(?m)^# (.*)$", deck)
    page = PAGE.read_text(encoding="utf-8").replace("TITLE", escape(title[1] if title else "Slides"))
    return page.replace("SECTIONS", "\n".join(sections))


def write(executed: Path, folder: Path, deck: Path = BOOK / "lab.md") -> list[Path]:
    """Write the figures and the deck to a folder; returns the paths of what to hand out."""
    figures, text = gathered(executed), deck.read_text(encoding="utf-8")
    page = written(text, figures)
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    for name in asked_for(text):
        write_shown(figures[name], folder / "figures")
    write_zip(figures, folder / "figures.zip")
    with atomic_path(folder / "lab.html") as temporary:
        temporary.write_text(page, encoding="utf-8")
    return [folder / "lab.html", folder / "figures.zip"]


def finish(app, exception: Exception | None) -> None:
    if exception is None and app.builder.format == "html":
        write(Path(app.outdir).parent / "jupyter_execute" / "book", Path(app.outdir) / "slides")


def setup(app) -> dict:
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


if __name__ == "__main__":
    build = BOOK.parent / "_build"
    try:
        print(*write(build / "jupyter_execute" / "book", build / "slides"), sep="\n")
    except InputError as error:
        sys.exit(str(error))
