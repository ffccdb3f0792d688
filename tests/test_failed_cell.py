"""A book whose cell fails ends with one line: which cell, why, what to do; the traceback is in a file."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

EXTENSIONS = Path(__file__).parents[1] / "book" / "_ext"
CONFIG = f"""\
title: A small book
only_build_toc_files: true
execute: {{execute_notebooks: cache, timeout: 3, raise_on_error: true}}
html: {{use_issues_button: false}}
sphinx:
  local_extensions: {{failed_cell: {EXTENSIONS}}}
"""
LOG = "_build/html/reports/failed_cell.log"


def build(folder: Path, *cells: str, text: str = "# A chapter") -> subprocess.CompletedProcess:
    """Build a book of one notebook, as `make book` does."""
    made = [nbformat.v4.new_markdown_cell(text), *map(nbformat.v4.new_code_cell, cells)]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    (folder / "book").mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=made, metadata={"kernelspec": kernel}), folder / "book" / "it.ipynb")
    (folder / "_config.yml").write_text(CONFIG)
    (folder / "_toc.yml").write_text("{format: jb-book, root: index, chapters: [{file: book/it}]}")
    (folder / "index.md").write_text("# Start")
    program = Path(sys.executable).with_name("jupyter-book")
    command = [program, "build", "-W", "--keep-going", "."]
    return subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.parametrize(
    ("source", "why", "todo"),
    [
        (
            "\nraise ValueError('no file\\nof this name')",
            "ValueError: no file",
            "jupyter execute book/it.ipynb` runs this",
        ),
        ("while True: pass", "it ran past the limit of 3 s", "raise execute.timeout in _config.yml"),
        ("import os; os._exit(9)", "its kernel died, most often for want of memory", "close other work"),
    ],
    ids=["error", "limit", "dead"],
)
def test_the_last_line_says_which_cell_why_and_what_to_do(tmp_path, source, why, todo):
    done = build(tmp_path, "x = 1", source, "1 / 0")
    assert done.returncode == 1
    last = done.stdout.splitlines()[-1]
    assert last.startswith(f"book/it.ipynb, cell [2] `{source.strip()}`: {why}")
    assert todo in last and last.endswith(f"The full traceback: {LOG}")
    assert "Traceback (most recent call last)" in (tmp_path / LOG).read_text()
    assert "\x1b" not in (tmp_path / LOG).read_text()
    assert "ZeroDivisionError" not in done.stdout  # the cells that follow do not run
    if todo.endswith("this"):
        assert "Traceback" not in done.stdout


def test_warnings_are_errors_and_told_as_ever(tmp_path):
    done = build(tmp_path, "x = 1", text="# A chapter\n\n{numref}`fig-nowhere`")
    assert done.returncode == 1 and not (tmp_path / LOG).exists()
    assert "WARNING: undefined label" in done.stdout and "What to do" not in done.stdout
