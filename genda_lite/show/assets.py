"""Programs of this folder, ready to stand in a page or to be loaded as a module."""

import json
from importlib.resources import files

EXPLORER = ("elements", "theme", "chart", "explorer")
PROGRAMS = {  # name -> the files that it is made of; the last line of the last one starts it
    "explorer": (*EXPLORER, "packs"),
    "live": (*EXPLORER, "live"),
    "quiz": ("elements", "theme", "quiz"),
}


def script(name: str) -> str:
    """A program for a page, in a function of its own: what it names is not seen outside."""
    return f'(() => {{\n"use strict";\n{module(name)}}})();\n'


def module(name: str) -> str:
    """A program as an ECMAScript module, with its style sheet inside."""
    text = "\n".join(_source(f"{part}.js") for part in PROGRAMS[name])
    sheet = "quiz.css" if name == "quiz" else "explorer.css"
    return text.replace("STYLE_SHEET", json.dumps(_source(sheet)))


def _source(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
