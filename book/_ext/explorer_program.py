"""Sphinx extension: what pages load when it is asked for comes from the package, not from git: the programs that draw
the explorer's pack and the first screen, the engine of live figures, the shipped prior as a script, and an ocean."""

from pathlib import Path

from genda_lite.prior import load_prior
from genda_lite.show import assets
from genda_lite.show.pack import sample_truth
from genda_lite.show.scene import write_live
from genda_lite.show.static import PROGRAM
from genda_lite.sources.samples import sample_path


def finish(app, exception: Exception | None) -> None:
    if exception is not None or app.builder.format != "html":
        return
    pages = Path(app.outdir) / "_static"
    (pages / "explorer" / PROGRAM).write_text(assets.script("explorer"), encoding="utf-8")
    write_live(pages / "live", sample_path("prior_lite.safetensors"), sample_truth(load_prior()))


def setup(app) -> dict:
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
