"""A tutor's key: every exercise of the notebooks with its solution, as one page to read or to print."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from ..errors import InputError
from ..files import atomic_path
from .student import known, pieces

EXERCISE = re.compile(
    r"^:::\{exercise(?:-start)?\}[ \t]*(?P<title>[^\n]*)\n:label: (?P<label>\S+)\n(?::::\n)?(?P<text>.*?)"
    r"^:::(?:\{exercise-end\}\n:::)?$",
    re.MULTILINE | re.DOTALL,
)
ROLE = re.compile(r"\{[\w:]+\}`([^`<]*?)(?: <([^>]*)>)?`")  # of Sphinx, which a plain page cannot resolve


def exercises(notebook: dict) -> Iterator[tuple[str, str, str]]:
    """The exercises of a notebook (parsed JSON) in their order: label, title, and text with the code cells inside.

    Raises:
        InputError: an exercise or a solution is not marked as it should be.
    """
    text, code = "", []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        text += f"{source}\n\n" if cell["cell_type"] == "markdown" else f"\0{len(code)}\0\n\n"
        code.append(source)
    for found in EXERCISE.finditer(text):
        yield found["label"], found["title"].strip(), with_code(found["text"], notebook)


def with_code(text: str, notebook: dict) -> str:
    """Text in which code cells, noted by their number, stand as blocks of Python."""
    return re.sub(r"\0(\d+)\0", lambda n: f"```python\n{''.join(notebook['cells'][int(n[1])]['source'])}\n```", text)


def solutions(notebook: dict) -> dict[str, str]:
    """The solutions of a notebook, by the label of their exercise: text, with code cells as blocks of Python."""
    found: dict[str, str] = {}
    inside = None
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code":
            if inside is not None:
                found[inside] += f"\n```python\n{source.strip()}\n```\n\n"
            continue
        for kind, payload in pieces(source):
            if kind == "solution":
                inside = payload
                found.setdefault(payload, "")
            elif kind == "end":
                inside = None
            elif kind == "text" and inside is not None:
                found[inside] += payload
    return found


def plain(text: str) -> str:
    """Markdown without what only Sphinx resolves: roles become the name that they hold, equations lose their label."""
    text = re.sub(r"(?m)^\$\$ \([\w-]+\)$", "$$", text)
    return ROLE.sub(lambda role: role[1] if role[2] else f"`{role[1]}`", text).strip()


def key_of(notebook: dict, chapter: int = 1) -> str:
    """The part of the key that belongs to a notebook; empty where it has no exercise.

    Args:
        notebook: nbformat 4.5, as parsed JSON. chapter: its number, by which exercises are numbered.

    Raises:
        InputError: an exercise has no solution, or is not marked as it should be.
    """
    heading = re.search(r"(?m)^# (.*)$", "\n".join("".join(c["source"]) for c in notebook["cells"]))
    told, answers = [], solutions(notebook)
    for number, (label, title, text) in enumerate(exercises(notebook), 1):
        if label not in answers:
            raise InputError(f"the exercise {label} has no solution, expected one below it")
        name = f"### Exercise {chapter}.{number}" + (f". {title}" if title else "")
        way = f"Checked by `check(\"{chapter}.{number}\", …)`, or by its label `{label}`." if known(label) else (
            f"To be marked by reading (`{label}`)."
        )  # fmt: skip
        told += [f"{name}\n\n{plain(text)}\n\n**Answer**\n\n{plain(answers[label])}\n\n*{way}*\n"]
    return "\n".join([f"## {heading[1] if heading else f'Chapter {chapter}'}\n", *told]) if told else ""


def write_key(source: str | os.PathLike, target: str | os.PathLike) -> Path:
    """Write the key to all notebooks of a folder, in the order of their names, as one Markdown file.

    Args:
        source: a folder with notebooks (.ipynb). target: a file; it appears whole or not at all.

    Raises:
        InputError: there is no exercise in the folder, a file is no notebook, or an exercise has no solution.
    """
    source, target, made = Path(source), Path(target), []
    for path in sorted(source.glob("*.ipynb")):
        try:
            part = key_of(json.loads(path.read_text(encoding="utf-8")), len(made) + 1)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise InputError(f"{path}: not a notebook, expected JSON of nbformat 4") from None
        made += [part] if part else []
    if not made:
        raise InputError(f"{source}: no notebook in it has an exercise, expected `:::{{exercise}}` in a Markdown cell")
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(target) as temporary:
        temporary.write_text("\n".join(["# Tutor's key\n", *made]), encoding="utf-8")
    return target
