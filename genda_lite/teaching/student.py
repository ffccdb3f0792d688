"""Student versions of the notebooks: without solutions and outputs, with an empty cell for each answer.

Exercises and solutions are directives of sphinx-exercise in Markdown cells: `:::{exercise}` and `:::{solution}` within
one cell, or `…-start` and `…-end` around several. Answer cells carry the metadata of nbgrader (schema 3), so that it
can collect and mark them, and a teacher can add hidden tests after them.
"""

import copy
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from ..errors import InputError
from ..files import atomic_path
from .checks import check_of, find

FENCE = re.compile(r"^(:{3,})\{(exercise|solution)(-start|-end)?\}[ \t]*(.*?)[ \t]*$")
LABEL = re.compile(r"^:label:\s*(\S+)")


def student_version(notebook: dict) -> dict:
    """A notebook (nbformat 4.5, as parsed JSON) without its solutions and outputs; cells without solutions stay as they
    are. Each solution leaves a Markdown cell if it has text and a code cell if it has code or can be checked.

    Raises:
        InputError: a solution that does not end, ends without a start, or belongs to no exercise before it.
    """
    result = copy.deepcopy(notebook)
    cells, open_solution = [], None
    asked: list[str] = []
    for cell in notebook["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] != "markdown":
            if open_solution is None:
                cells.append(blank(cell))
            elif cell["cell_type"] == "code":
                open_solution["code"].append(cell)
            continue
        touched, number = open_solution is not None, 0
        for kind, payload in pieces(text):
            if kind == "label":
                asked.append(payload)
            elif kind == "solution":
                if open_solution is not None:
                    raise InputError(f"the solution of {open_solution['label']} does not end before that of {payload}")
                if payload not in asked:
                    raise InputError(f"there is a solution of {payload!r}, but no exercise of that label before it")
                open_solution, touched = {"label": payload, "text": "", "code": []}, True
            elif kind == "end":
                if open_solution is None:
                    raise InputError("a solution ends that has not started, expected its solution-start before")
                cells += answer_cells(**open_solution)
                open_solution = None
            elif open_solution is not None:
                open_solution["text"] += payload
            elif payload.strip():
                kept = copy.deepcopy(cell)
                if touched or payload != text:
                    kept["source"] = payload.strip("\n").splitlines(keepends=True)
                    if number and "id" in kept:
                        kept["id"] = f"{cell['id']}-{number}"
                    number += 1
                cells.append(kept)
            elif not touched and payload == text:
                cells.append(copy.deepcopy(cell))
    if open_solution is not None:
        raise InputError(f"the solution of {open_solution['label']} does not end, expected a solution-end")
    result["cells"] = cells
    return result


def pieces(text: str) -> Iterator[tuple[str, str]]:
    """A Markdown cell as it reads: ("text", lines), ("label", of an exercise), ("solution", label), ("end", "").

    Lines of exercises are text, too; those between "solution" and "end" are a solution's.
    """
    lines, held, inside = text.splitlines(keepends=True), "", None
    code = None  # the fence of a code block, in which directives are not read
    n = 0
    while n < len(lines):
        line = lines[n]
        n += 1
        fence = re.match(r"^\s*(`{3,}|~{3,})", line)
        if fence and (code is None or line.strip().startswith(code)):
            code = fence[1] if code is None else None
        if inside and line.strip() == inside and code is None:
            if held:
                yield "text", held
            held, inside = "", None
            yield "end", ""
            continue
        found = FENCE.match(line.rstrip("\n")) if code is None else None
        if found is None:
            held += line
            continue
        colons, what, part, argument = found.groups()
        if what == "exercise":
            held += line
            for following in lines[n : n + 4]:
                if label := LABEL.match(following):
                    yield "label", label[1]
                    break
            continue
        if held:
            yield "text", held
            held = ""
        if part == "-end":
            yield "end", ""
        else:
            yield "solution", argument
        while n < len(lines) and re.match(r"^:[\w-]+:", lines[n]):
            n += 1  # options
        if not part:
            inside = colons
        elif n < len(lines) and lines[n].strip() == colons:
            n += 1  # what it encloses follows
        else:
            raise InputError(f"solution{part} {argument} is not closed, expected {colons} on the line after it")
    if held:
        yield "text", held
    if inside:
        raise InputError(f"a solution does not end within its cell, expected {inside} on a line of its own")


def blank(cell: dict) -> dict:
    """A cell without what running it has left."""
    cell = copy.deepcopy(cell)
    if cell["cell_type"] == "code":
        cell["outputs"], cell["execution_count"] = [], None
        cell["metadata"].pop("execution", None)
    return cell


def answer_cells(label: str, text: str, code: list[dict]) -> Iterator[dict]:
    """The empty cells in place of a solution. A code cell keeps tags and id of the solution's first one."""
    if text.strip():
        yield {
            "cell_type": "markdown",
            "id": f"{label}-words"[:64],
            # nbgrader allows words to be marked by hand only, and asks for points.
            "metadata": {"nbgrader": nbgrader(f"{label}-words", grade=True) | {"points": 1}},
            "source": ["*Your answer.*"],
        }
    if code or known(label):
        first = code[0] if code else {"metadata": {}}
        metadata = {name: first["metadata"][name] for name in ("tags",) if name in first["metadata"]}
        yield {
            "cell_type": "code",
            "execution_count": None,
            "id": first.get("id", f"{label}-code"[:64]),
            "metadata": metadata | {"nbgrader": nbgrader(label, grade=False)},
            "outputs": [],
            "source": ["# Your answer."],
        }


def known(label: str) -> bool:
    """Whether `check` can check an exercise; other books may have others."""
    try:
        return check_of(find(label)) is not None
    except InputError:
        return False


def nbgrader(name: str, grade: bool) -> dict:
    """What nbgrader wants to know of an answer cell."""
    return {"grade": grade, "grade_id": name, "locked": False, "schema_version": 3, "solution": True, "task": False}


def write_student_versions(source: str | os.PathLike, target: str | os.PathLike) -> list[Path]:
    """Write a student version of every notebook of a folder that has exercises.

    Args:
        source: a folder with notebooks (.ipynb). target: another folder; made if it is not there.

    Returns:
        the paths of the notebooks written, each of which appears whole or not at all.

    Raises:
        InputError: there is no such folder or no exercise in it, the target is the source, a file is no notebook, or a
            solution is not marked as it should be. Nothing is written then.
    """
    source, target = Path(source), Path(target)
    if not source.is_dir():
        raise InputError(f"{source}: no such folder, expected one with notebooks")
    if target.exists() and (not target.is_dir() or target.samefile(source)):
        raise InputError(f"{target}: expected another folder than {source}, whose notebooks would be overwritten")
    made = {}
    for path in sorted(source.glob("*.ipynb")):
        try:
            notebook = json.loads(path.read_text(encoding="utf-8"))
            texts = ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "markdown"]
            if any(FENCE.match(line) for text in texts for line in text.splitlines()):
                made[path.name] = json.dumps(student_version(notebook), indent=1, ensure_ascii=False) + "\n"
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise InputError(f"{path}: not a notebook, expected JSON of nbformat 4") from None
    if not made:
        raise InputError(f"{source}: no notebook in it has an exercise, expected `:::{{exercise}}` in a Markdown cell")
    target.mkdir(parents=True, exist_ok=True)
    written = []
    for name, content in made.items():
        with atomic_path(target / name) as temporary:
            temporary.write_text(content, encoding="utf-8")
        written.append(target / name)
    return written
