"""Scripts of this folder, ready to stand in a page."""

import json
from importlib.resources import files


def script(name: str) -> str:
    """`name`.js with the style sheet `name`.css inside, and the function that follows the page's theme."""
    style = json.dumps(_source(f"{name}.css"))
    return _source(f"{name}.js").replace("STYLE_SHEET", style).replace("  // FOLLOW_THEME\n", _source("theme.js"))


def _source(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
