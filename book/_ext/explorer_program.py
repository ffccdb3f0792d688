"""Sphinx extension: the program that draws the explorer's pack comes from the package, not from beside the pack."""

from pathlib import Path

from genda_lite.show.assets import script
from genda_lite.show.static import PROGRAM


def finish(app, exception: Exception | None) -> None:
    if exception is None and app.builder.format == "html":
        (Path(app.outdir) / "_static" / "explorer" / PROGRAM).write_text(script("explorer"), encoding="utf-8")


def setup(app) -> dict:
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
