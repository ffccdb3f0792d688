"""Sphinx extension: where a cell of a notebook fails, the build ends with one line that says which, why, what to do.

Without it, the build ends with some two hundred lines: the tracebacks of Sphinx, of what runs notebooks, of the cell.
They go to a file that the line names. Warnings, and errors that are not of a cell, are told as ever.
"""

import os
import re
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and those that led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def last_line(error: BaseException, log: str) -> str | None:
    """What to tell of an error that ended the build; None where it is not that of a cell."""
    # The errors themselves hold the cell's source, not its place; the calls in which they were raised know it.
    calls = {
        frame.f_code.co_name: frame.f_locals
        for link in chain(error)
        for frame, _ in traceback.walk_tb(link.__traceback__)
    }
    if "start_client" not in calls or "async_execute_cell" not in calls:
        return None
    path = os.path.relpath(calls["start_client"]["self"].path)
    runner, index = (calls["async_execute_cell"][name] for name in ("self", "cell_index"))
    kinds = {type(link): link for link in chain(error)}
    if CellTimeoutError in kinds:
        why = f"it ran past the limit of {runner.timeout} s"
        todo = "close other work, or raise execute.timeout in _config.yml"
    elif DeadKernelError in kinds:
        why, todo = "its kernel died, most often for want of memory", "close other work"
    elif CellExecutionError in kinds:
        raised = kinds[CellExecutionError]
        why = f"{raised.ename}: {raised.evalue}".splitlines()[0].removesuffix(": ")
        jupyter = os.path.relpath(Path(sys.executable).with_name("jupyter"))
        todo = f"`{jupyter} execute {path}` runs this notebook alone"
    else:
        return None
    number = sum(cell.cell_type == "code" for cell in runner.nb.cells[: index + 1])  # [1], [2], … as Jupyter has it
    first = next(filter(None, map(str.strip, runner.nb.cells[index].source.splitlines())), "")
    return f"{path}, cell [{number}] `{first}`: {why}. What to do: {todo}. The full traceback: {log}"


def finish(app, exception: Exception | None) -> None:
    log = Path(app.outdir) / "reports" / "failed_cell.log"
    line = exception and last_line(exception, os.path.relpath(log))
    if line:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(COLOUR.sub("", "".join(traceback.format_exception(exception))), encoding="utf-8")
        sys.exit(line)


def setup(app) -> dict:
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
