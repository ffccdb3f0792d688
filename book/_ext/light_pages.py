"""Sphinx extension: lighter pages, at no loss.

* Figures become lossless WebP: every pixel the same, in some two thirds of the bytes of a PNG.
* The theme loads Font Awesome twice, as fonts and as a script of 1.5 MB that draws the same icons; the script goes.
"""

import re
from pathlib import Path

from PIL import Image

ICONS = re.compile(r"\s*<(?:script|link)\b[^>]*fontawesome[^>]*\.js[^>]*>(?:</script>)?")


def webp(path: Path) -> Path:
    """The lighter of a PNG file and the same picture as WebP; the other is removed."""
    made = path.with_suffix(".webp")
    with Image.open(path) as picture:
        opaque = picture.mode in ("RGB", "L") or (picture.mode == "RGBA" and picture.getextrema()[3] == (255, 255))
        (picture.convert("RGB") if opaque else picture.convert("RGBA")).save(made, lossless=True, method=4)
    if made.stat().st_size >= path.stat().st_size:
        made.unlink()
        return path
    path.unlink()
    return made


def lighten(site: Path) -> None:
    """Rewrite the pages of a built site."""
    renamed = {path.name: webp(path).name for path in sorted((site / "_images").glob("*.png"))}
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        light = re.sub(r"(?<=_images/)[\w.-]+\.png", lambda found: renamed.get(found[0], found[0]), text)
        light = ICONS.sub("", light)
        if light != text:
            page.write_text(light, encoding="utf-8")


def finish(app, exception: Exception | None) -> None:
    if exception is None and app.builder.format == "html":
        lighten(Path(app.outdir))


def setup(app) -> dict:
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
