"""Sphinx extension: docstrings in plain text, as this package writes them, become reStructuredText.

The docstrings are written for people who read the source. Formulas are set apart by indentation, names stand in single
backticks, and no character is escaped; short arguments share a line. Here formulas become literal blocks, names become
code, arguments get lines of their own, and characters that mean something to reStructuredText lose that meaning. The
sections (Args, Returns, ...) are left to `sphinx.ext.napoleon`.
"""

import inspect
import re
from collections.abc import Collection

FORMULA = ".. code-block:: text"  # it is not Python
SECTIONS = {"Args:", "Attributes:", "Examples:", "Raises:", "Returns:", "Yields:"}


def rewritten(lines: list[str], arguments: Collection[str] = ()) -> list[str]:
    """A docstring without common indentation, line by line, as reStructuredText."""
    result, in_section, in_formula, in_session = [], False, False, False
    for line in apart(lines, arguments):
        indented = line.startswith(" ")
        if line and not indented:
            in_section, in_formula = line.strip() in SECTIONS, False
        elif indented and not in_section and not in_formula:
            # A formula follows; a paragraph of its own says so, whatever the one before ends with.
            result += ([""] if result and result[-1] else []) + [FORMULA, ""]
            in_formula = True
        in_session = bool(line.strip()) and (in_session or line.lstrip().startswith(">>> "))  # till a blank line
        result.append(line if in_formula or in_session else plain(line))
    return result


def apart(lines: list[str], arguments: Collection[str]) -> list[str]:
    """`a: this. b: that.` among the Args becomes two lines, where a and b are arguments."""
    if not arguments:
        return lines
    following = re.compile(rf"(?<=[.;]) (?=(?:(?:{'|'.join(map(re.escape, arguments))})(?:, )?)+: )")
    result, in_args = [], False
    for line in lines:
        if line and not line.startswith(" "):
            in_args = line.strip() in {"Args:", "Attributes:"}
        first, *others = following.split(line) if in_args else [line]
        result += [first, *(f"    {other}" for other in others)]
    return result


def plain(line: str) -> str:
    """One line of prose: names in backticks become code, all else means what it looks like."""
    parts = re.split(r"(``[^`]+``|`[^`]+`)", line)
    code = [f"``{part.strip('`')}``" for part in parts[1::2]]
    prose = [re.sub(r"([*|\\]|(?<=\w)_(?!\w))", r"\\\1", part) for part in parts[::2]]
    prose[1:] = [rf"\ {part}" if part[:1].isalnum() else part for part in prose[1:]]  # `field`s
    return "".join(x for pair in zip(prose, [*code, ""], strict=True) for x in pair)


def process(app, what, name, obj, options, lines) -> None:
    """Rewrite a docstring in place."""
    try:
        arguments = [known for known in inspect.signature(obj).parameters if known != "self"]
    except (TypeError, ValueError):  # a module, an attribute
        arguments = []
    lines[:] = rewritten(lines, arguments)


def skip(app, what, name, obj, skipped, options) -> bool | None:
    """Leave out what Python itself says of the fields of a named tuple, "Alias for field number 0"."""
    return True if (inspect.getdoc(obj) or "").startswith("Alias for field number") else None


def setup(app) -> dict:
    app.connect("autodoc-skip-member", skip)
    app.connect("autodoc-process-docstring", process, priority=400)  # before napoleon, at 500
    return {"parallel_read_safe": True, "parallel_write_safe": True}
