"""Sphinx extension: on a dark page, figures of notebooks are dark, too.

Kernels that the build starts draw each figure twice (`dark_ink`). A notebook gets the light picture, as ever. Its dark
twin, named by the SHA-256 of the light one, lies in the execution cache, and goes with it. Pages get both: the theme's
classes `only-light` and `only-dark` show the right one; paper gets the light one. A picture loads when a reader of a
page of its theme comes near it, in the room that is kept for it, or when the page is printed: no reader loads both.
"""

import os
import re
import shutil
from base64 import b64decode
from hashlib import sha256
from pathlib import Path

SETTING = '\nimport sys\nsys.path.append({!r})\nc.InteractiveShellApp.extensions.append("dark_figures")\n'
FOLDER = "DARK_FIGURES"  # the variable that tells kernels where twins go
# A picture, with the link around it where that opens a picture.
SHOWN = re.compile(
    r'(?P<link><a\b[^>]*\bhref="[^"]*_images/[^"]*"[^>]*>\s*)?<img\b[^>]*\bsrc="[^"]*_images/(?P<name>[\w.-]+)\.png"[^>]*>'
    r"(?(link)\s*</a>)"
)


def load_ipython_extension(shell) -> None:
    """In a kernel of the build: every figure that is shown is drawn twice."""
    from IPython.core import pylabtools

    draw = pylabtools.retina_figure

    def draw_twice(figure, base64: bool = False, **options):
        light = draw(figure, base64=base64, **options)
        if light is not None:  # there was something to draw
            from dark_ink import darkened  # not before matplotlib is loaded

            with darkened(figure):
                dark, _ = draw(figure, **options)
            keep(dark, b64decode(light[0]) if base64 else light[0])
        return light

    pylabtools.retina_figure = draw_twice


def keep(dark: bytes, light: bytes) -> None:
    """Store the dark twin of a picture."""
    from genda_lite.files import atomic_path

    folder = Path(os.environ[FOLDER])
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(folder / f"{sha256(light).hexdigest()}.png") as temporary:
        temporary.write_bytes(dark)


def configure(app, config) -> None:
    """Ask kernels for twins, in the configuration that `sharp_figures` wrote."""
    build = Path(app.outdir).parent.resolve()
    os.environ[FOLDER] = str(build / ".jupyter_cache" / "dark")
    with (build / "ipython" / "profile_default" / "ipython_kernel_config.py").open("a", encoding="utf-8") as file:
        file.write(SETTING.format(str(Path(__file__).parent)))


def of_theme(html: str, theme: str) -> str:
    """A picture, and the link around it, for one theme."""

    def classed(tag: re.Match) -> str:
        if 'class="' in tag[0]:
            return tag[0].replace('class="', f'class="only-{theme} ')
        return tag[0].replace(tag[1], f'{tag[1]} class="only-{theme}"', 1)

    return re.sub(r"<(a|img)\b[^>]*>", classed, html)


def lazy(html: str) -> str:
    """A picture that loads late; the page keeps room for it, where it has a size."""
    size = re.search(r"\bwidth: (\d+)px; height: (\d+)px", html)
    room = ' width="{}" height="{}"'.format(*size.groups()) if size else ""
    return html.replace("<img", f'<img loading="lazy"{room}')


def paired(page: str, twins: set[str]) -> str:
    """A page whose pictures have their twins beside them, where there are any."""

    def pair(found: re.Match) -> str:
        name = found["name"]
        if name not in twins:
            return found[0]
        dark = found[0].replace(f"_images/{name}.png", f"_images/{name}-dark.png")
        # The theme hides captions that follow a picture of the other theme, so both stand in an element of their own.
        return f"<span>{of_theme(lazy(found[0]), 'light')}{of_theme(lazy(dark), 'dark')}</span>"

    return SHOWN.sub(pair, page)


def darken(site: Path, folder: Path) -> None:
    """Bring the twins of a folder to a built site's pictures and pages."""
    twins = set()
    for path in sorted((site / "_images").glob("*.png")):
        twin = folder / f"{sha256(path.read_bytes()).hexdigest()}.png"
        if twin.is_file():
            shutil.copyfile(twin, path.with_name(f"{path.stem}-dark.png"))
            twins.add(path.stem)
    for path in site.rglob("*.html"):
        page = path.read_text(encoding="utf-8")
        if (with_twins := paired(page, twins)) != page:
            path.write_text(with_twins, encoding="utf-8")


def finish(app, exception: Exception | None) -> None:
    if exception is None and app.builder.format == "html":
        darken(Path(app.outdir), Path(os.environ[FOLDER]))


def setup(app) -> dict:
    app.connect("config-inited", configure, priority=101)  # after `sharp_figures`
    app.connect("build-finished", finish, priority=400)  # before `light_pages`, which makes pictures lighter
    return {"parallel_read_safe": True, "parallel_write_safe": True}
