"""Sphinx extension: what pages load when it is asked for comes from the package, not from git: the program that draws
the explorer's pack, the engine of live figures, and the shipped prior as a script."""

from pathlib import Path

from genda_lite.show import assets
from genda_lite.show.static import PROGRAM
from genda_lite.sources.samples import sample_path


def finish(app, exception: Exception | None) -> None:
    if exception is not None or app.builder.format != "html":
        return
    pages = Path(app.outdir) / "_static"
    (pages / "explorer" / PROGRAM).write_text(assets.script("explorer"), encoding="utf-8")
    assets.write_engine(pages / "live", sample_path("prior_lite.safetensors"))


def setup(app) -> dict:
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
