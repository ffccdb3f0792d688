"""Sphinx extension: lighter pages, at no loss.

* Figures become lossless WebP: every pixel the same, in some two thirds of the bytes of a PNG.
* Those of twice the pixels (`sharp_figures`) are for sharp screens, and for readers who open them; others load half.
* The theme loads Font Awesome twice, as fonts and as a script of 1.5 MB that draws the same icons; the script goes.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

IMAGE = re.compile(r'<img\b[^>]*?\bsrc="(?P<folder>[^"]*_images/)(?P<name>[\w.-]+)"[^>]*>')
WIDTH = re.compile(r"\bwidth: (\d+)px")
HEAVY, QUALITY = 150_000, 88  # bytes of a lossless half; a heavier one is stored as WebP of this quality
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


def half(path: Path, width: int) -> Path | None:
    """A picture of about twice a width (pixels), in a file of half its pixels beside it; of any other picture, none."""
    made = path.with_name(f"{path.stem}-half.webp")
    with Image.open(path) as picture:
        if not 1.9 * width <= picture.width <= 2.1 * width:
            return None
        small = picture.convert("RGBA" if picture.mode in ("RGBA", "P") else "RGB").reduce(2)
    small.save(made, lossless=True, method=4)
    if made.stat().st_size > HEAVY:
        small.save(made, quality=QUALITY, method=4)
    return made


def halves(pages: Iterable[str], images: Path) -> dict[str, str]:
    """The names of halved pictures, by those of the pictures: all that have a size on some page."""
    sized = ((found["name"], WIDTH.search(found[0])) for page in pages for found in IMAGE.finditer(page))
    widths = {name: int(width[1]) for name, width in sized if width and (images / name).is_file()}
    made = {name: half(images / name, width) for name, width in widths.items()}
    return {name: path.name for name, path in made.items() if path}


def lighten(site: Path) -> None:
    """Rewrite the pages of a built site."""
    renamed = {path.name: webp(path).name for path in sorted((site / "_images").glob("*.png"))}
    before = {page: page.read_text(encoding="utf-8") for page in site.rglob("*.html")}
    after = {
        page: ICONS.sub("", re.sub(r"(?<=_images/)[\w.-]+\.png", lambda found: renamed.get(found[0], found[0]), text))
        for page, text in before.items()
    }
    small = halves(after.values(), site / "_images")

    def lighter(found: re.Match) -> str:
        folder, name = found["folder"], found["name"]
        if name not in small:
            return found[0]
        sharp = f' srcset="{folder}{name} 2x"' if WIDTH.search(found[0]) else ""
        return found[0].replace(f'src="{folder}{name}"', f'src="{folder}{small[name]}"{sharp}')

    for page, text in after.items():
        light = IMAGE.sub(lighter, text)
        if light != before[page]:
            page.write_text(light, encoding="utf-8")


def finish(app, exception: Exception | None) -> None:
    if exception is None and app.builder.format == "html":
        lighten(Path(app.outdir))


def setup(app) -> dict:
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
