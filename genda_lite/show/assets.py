"""Programs of this folder, ready to stand in a page or to be loaded as a module."""

import base64
import json
import re
from importlib.resources import files
from pathlib import Path

EXPLORER = ("elements", "theme", "controls", "maps", "chart", "explorer")
FIGURE = ("elements", "theme", "controls", "maps", "fields", "figure")
FIGURES = {  # and what they need beside the kit
    "interpolation": (), "orbits": (), "noise": ("fields",), "draw": ("fields",), "water_masses": ("mixture",),
    "bayes": ("mixture",), "trails": ("fields",),
}  # fmt: skip
COMPANY = ("ensemble", "company")
PROGRAMS = {  # name -> the files that it is made of; the last line of the last one starts it
    "explorer": (*EXPLORER, "fields", *COMPANY, "alive", "packs"),
    "first_screen": (*FIGURE, *COMPANY, "hand", "first_screen"),
    "observing": (*FIGURE, *COMPANY, "figure/observing"),
    "notebook": (*EXPLORER, "notebook"),
    "quiz": ("elements", "theme", "quiz"),
} | {name: (*FIGURE, *(f"figure/{part}" for part in (*parts, name))) for name, parts in FIGURES.items()}
SHEETS = {
    "quiz": ("quiz",),
    "explorer": ("kit", "explorer"),
    "notebook": ("kit", "explorer"),
    "first_screen": ("kit", "figure", "first_screen"),
}
# What a worker of the engine runs, each file after those that it imports.
WORKER = ("errors", "kernels", "random", "state", "base", "spectral", "unet", "diffusion", "gaussian", "currents",
          "checkpoint", "samplers", "operators", "likelihood", "solve", "guidance", "problem", "assimilate",
          "worker")  # fmt: skip


def script(name: str) -> str:
    """A program for a page, in a function of its own: what it names is not seen outside."""
    return f'(() => {{\n"use strict";\n{module(name)}}})();\n'


def module(name: str) -> str:
    """A program as an ECMAScript module, with its style sheet inside."""
    text = "\n".join(_source(f"{part}.js") for part in PROGRAMS[name])
    sheet = "\n".join(_source(f"{part}.css") for part in SHEETS.get(name, ("kit", "figure")))
    return text.replace("STYLE_SHEET", json.dumps(sheet))


def engine() -> str:
    """The engine of live figures for a page, `window.gendaLive` (see `live/engine.mjs`), with kernels and workers
    inside. It needs only a checkpoint, and works from the disk, where scripts cannot import."""
    worker = '"use strict";\n' + "".join(map(_plain, WORKER))
    kernels = {"plain": _base64("live/kernels.wasm"), "relaxed": _base64("live/kernels_relaxed.wasm")}
    text = _plain("errors") + _plain("engine")
    text = text.replace("WORKER_SOURCE", json.dumps(worker)).replace("KERNEL_BYTES", json.dumps(kernels))
    return f'(() => {{\n"use strict";\n{text}window.gendaLive = {{ openEngine, InputError }};\n}})();\n'


def checkpoint(path: str | Path) -> str:
    """A checkpoint as a script beside a page: a page from the disk may load scripts, and no other files."""
    return f'window.gendaCheckpoint = "{base64.b64encode(Path(path).read_bytes()).decode()}";\n'


def write_engine(folder: str | Path, path: str | Path) -> None:
    """The engine and a checkpoint as scripts of a folder beside pages, where `sharedEngine` of `figure.js` looks."""
    folder = Path(folder)
    folder.mkdir(exist_ok=True)
    (folder / "engine.js").write_text(engine(), encoding="utf-8")
    (folder / "prior.js").write_text(checkpoint(path), encoding="utf-8")


def _plain(name: str) -> str:
    """A module of the engine without its imports and exports: all stand in one scope."""
    text = re.sub(r"^import .*\n", "", _source(f"live/{name}.mjs"), flags=re.M)
    return re.sub(r"^export ", "", text, flags=re.M)


def _source(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _base64(name: str) -> str:
    return base64.b64encode(files(__package__).joinpath(name).read_bytes()).decode()
