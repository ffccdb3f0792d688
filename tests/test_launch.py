"""What launches the book elsewhere agrees with itself: address, release, first cells, versions on Binder and on Colab.

Whether it works there is tried by `make try-binder` and `make try-colab`.
"""

import importlib
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from genda_lite.processors import count_processors

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
NOTEBOOKS = sorted((ROOT / "book").glob("*.ipynb"))
PAGES = [ROOT / "_build" / "html" / "book" / f"{path.stem}.html" for path in NOTEBOOKS]


@pytest.fixture
def launch(monkeypatch):
    """Imports a script of the folder `launch`, which is no package: its scripts need nothing but a bare Python."""
    monkeypatch.syspath_prepend(ROOT / "launch")
    yield importlib.import_module
    for name in ("address", "project", "binder", "busy", "colab"):
        sys.modules.pop(name, None)


@pytest.fixture
def address(launch):
    return launch("address")


def first_cell(notebook: dict) -> dict:
    return next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")


# --- One address, one release ----------------------------------------------------------------------------------------


def test_every_link_to_the_project_has_its_address_and_release(address):
    here = address.address().removeprefix("https://github.com/")
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--"]
    kinds = ("*.md", "*.ipynb", "*.cff", "*.py", "*.toml", "*.yml", "*.txt", "Makefile", ".ci/*")
    names = subprocess.run([*listed, *kinds], cwd=ROOT, capture_output=True, text=True).stdout.split("\0")
    found = {n: set(address.links((ROOT / n).read_text())) for n in names if n and (ROOT / n).is_file()}
    found.pop("tests/test_launch.py", None)
    assert {"_config.yml", "README.md", "CITATION.cff", "pyproject.toml"} <= {n for n, links in found.items() if links}
    for name, links in found.items():
        assert links <= {(here, ""), (here, f"v{address.version()}")}, name


def test_the_version_stands_in_one_place(address):
    version, config = address.version(), (ROOT / "_config.yml").read_text()
    assert re.search(r"branch: &tag (\S+)", config)[1] == f"v{version}"
    cff = (ROOT / "CITATION.cff").read_text()
    assert re.search(r"(?m)^version: (\S+)", cff)[1] == version
    assert re.search(r"(?m)^repository-code: (\S+)", cff)[1] == address.address()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["urls"]["Repository"] == address.address() and "version" in project["dynamic"]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_launch_buttons_open_the_release(path, address):
    if not path.exists():
        pytest.skip("the book is not built: run `make book`")
    name = f"book/{path.stem}.ipynb"
    here, tag = address.address().removeprefix("https://github.com/"), f"v{address.version()}"
    links = set(re.findall(r'href="([^"]+)"', path.read_text()))
    assert f"https://mybinder.org/v2/gh/{here}/{tag}?urlpath=lab/tree/{name}" in links
    assert f"https://colab.research.google.com/github/{here}/blob/{tag}/{name}" in links


def test_links_are_found_in_any_form(address):
    text = """https://github.com/me/genda_lite, git@github.com/me/genda_lite.git, https://me.github.io/genda_lite/,
    https://mybinder.org/v2/gh/me/other/main?urlpath=lab https://colab.research.google.com/github/me/other/blob/v1/a.ipynb
    https://github.com/someone/else https://github.com/me/genda_lite/blob/v2/README.md https://them.github.io/posts"""
    assert list(address.links(text)) == [
        ("me/genda_lite", ""), ("me/genda_lite", ""), ("me/genda_lite", "v2"),
        ("me/other", "main"), ("me/other", "v1"), ("me/genda_lite", ""),
    ]  # fmt: skip


def test_one_command_sets_the_address_everywhere(address, tmp_path, monkeypatch, capsys):
    for name in (*address.REPEATING, "genda_lite/version.py", *(f"book/{path.name}" for path in NOTEBOOKS)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "genda_lite/version.py").write_text('__version__ = "2.5.0"\n')
    monkeypatch.setattr(address, "ROOT", tmp_path)
    address.main("https://github.com/an-owner/ocean.book/")
    assert "README.md" in capsys.readouterr().out
    for path in (*map(tmp_path.joinpath, address.REPEATING), *sorted((tmp_path / "book").glob("*.ipynb"))):
        links = set(address.links(path.read_text()))
        assert links and links <= {("an-owner/ocean.book", ""), ("an-owner/ocean.book", "v2.5.0")}, path.name
        assert "0.1.0" not in path.read_text() or "2.5.0" in path.read_text()
    assert "version: 2.5.0\n" in (tmp_path / "CITATION.cff").read_text()
    address.main()
    assert "all agree" in capsys.readouterr().out
    address.main("https://github.com/genda-lite/genda_lite")
    (tmp_path / "genda_lite/version.py").write_bytes((ROOT / "genda_lite/version.py").read_bytes())
    address.main(importlib.import_module("address").address())
    for name in address.REPEATING:
        assert (tmp_path / name).read_bytes() == (ROOT / name).read_bytes()


@pytest.mark.parametrize("wrong", ["http://github.com/a/b", "https://github.com/a", "a/b", "https://gitlab.com/a/b"])
def test_other_addresses_are_refused(address, wrong):
    with pytest.raises(SystemExit, match="expected https://github"):
        address.main(wrong)


# --- The first cell --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_notebook_begins_with_the_same_cell(path, address):
    cell = first_cell(json.loads(path.read_text()))
    assert "".join(cell["source"]) == address.cell(), "run `make address`"
    assert cell["metadata"] == {"tags": ["remove-cell"]}


@pytest.mark.parametrize("path", [p for p in NOTEBOOKS if p.stem[0] == "0"], ids=lambda path: path.stem)
def test_student_notebooks_begin_with_it_too(path, address):
    from genda_lite.teaching import student_version

    assert "".join(first_cell(student_version(json.loads(path.read_text())))["source"]) == address.cell()


def run(code: str, monkeypatch, on_colab: bool) -> list[str]:
    """Run a cell, and list the commands that it would have given to the shell."""
    from IPython.core.inputtransformer2 import TransformerManager

    commands = []
    monkeypatch.setattr(sys, "path", list(sys.path))
    if on_colab:
        monkeypatch.setitem(sys.modules, "google.colab", sys)
    shell = type("Shell", (), {"system": staticmethod(commands.append)})
    exec(TransformerManager().transform_cell(code), {"get_ipython": lambda: shell})
    return commands


def test_the_first_cell_does_nothing_elsewhere(address, monkeypatch, capsys):
    before = list(sys.path)
    assert run(address.cell(), monkeypatch, on_colab=False) == []
    assert sys.path == before and capsys.readouterr().out == ""


def test_on_colab_it_fetches_the_release_and_keeps_what_is_there(address, monkeypatch, capsys):
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    clone, listing, install = run(address.cell(), monkeypatch, on_colab=True)
    assert clone.endswith(f"-b v{address.version()} {address.address()} genda_lite")
    assert listing.endswith("> colab.txt") and "--constraint colab.txt" in install
    assert sys.path[0] == "genda_lite" and os.environ["OMP_WAIT_POLICY"] == "passive"
    assert "GPU" in capsys.readouterr().out


# --- Threads, and the time that a cell may take ----------------------------------------------------------------------


def test_binder_starts_its_server_with_threads_that_leave_room(tmp_path):
    start = ROOT / "binder" / "start"
    show = ["sh", "-c", "echo $OMP_WAIT_POLICY $OMP_NUM_THREADS and $0", "all that follows"]
    quiet = {name: value for name, value in os.environ.items() if not name.startswith("OMP_")}
    quiet["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{quiet['PATH']}"
    done = subprocess.run([start, *show], cwd=tmp_path, env=quiet, capture_output=True, text=True)
    assert done.stdout == f"passive {count_processors()} and all that follows\n" and not done.stderr
    own = quiet | {"OMP_WAIT_POLICY": "active", "OMP_NUM_THREADS": "7"}
    assert subprocess.run([start, *show], env=own, capture_output=True, text=True).stdout.startswith("active 7 and")


def test_all_that_runs_by_itself_runs_by_make_which_settles_how_threads_wait():
    assert re.search(r"(?m)^export OMP_WAIT_POLICY \?= passive$", (ROOT / "Makefile").read_text())
    commands = [line for path in WORKFLOWS for line in re.findall(r"(?m)^ +- run: (.+)$", path.read_text())]
    assert len(commands) == len(WORKFLOWS) and all(re.match(r"make |\.ci/run$", line) for line in commands)
    # Otherwise the job would end before the cell does, with nothing told.
    for path in WORKFLOWS:
        assert int(re.search(r"timeout-minutes: (\d+)", path.read_text())[1]) * 60 > 3600


def test_a_cell_may_take_as_long_everywhere(launch):
    assert launch("project").patience() == 3600
    for path in (ROOT / "launch").glob("*.py"):
        for given in re.findall(r"timeout=(.*)", path.read_text()):
            assert "patience()" in given or given.startswith("60)"), path.name  # a minute for an answer of the server


def test_the_chapters_on_a_busy_machine(launch, monkeypatch, capsys):
    """The report, and its verdict, with a notebook that takes 10 s and one that keeps a processor busy beside it."""
    busy = launch("busy")
    monkeypatch.setattr(sys, "argv", ["busy.py", "cite", "--beside", "2"])
    monkeypatch.setattr(busy, "seconds", lambda name: 10.0)
    monkeypatch.setattr(busy, "beside", lambda count, name: 14.5 * count)
    busy.main()
    assert "book/cite.ipynb: 10 s alone, 29 s beside" in capsys.readouterr().out
    monkeypatch.setattr(busy, "beside", lambda count, name: 15.5 * count)
    with pytest.raises(SystemExit, match=r"take 3\.1 times as long, expected at most 3"):
        busy.main()


def test_busy_processes_run_as_long_as_the_notebook(launch, monkeypatch):
    busy, started = launch("busy"), []
    real = subprocess.Popen
    monkeypatch.setattr(busy.subprocess, "Popen", lambda *told: started.append(real(*told)) or started[-1])
    monkeypatch.setattr(busy, "seconds", lambda name: [process.poll() for process in started])
    assert busy.beside(2, "a notebook") == [None, None]
    assert all(process.poll() is not None for process in started)


# --- Versions --------------------------------------------------------------------------------------------------------


def wanted() -> list[Requirement]:
    """What the chapters need: the package with its extra `train`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [Requirement(line) for line in project["dependencies"] + project["optional-dependencies"]["train"]]


def pins(*names: str) -> dict[str, str]:
    lines = "\n".join((ROOT / name).read_text() for name in names).splitlines()
    found = (re.fullmatch(r"([\w.-]+)==([\w.+]+)", line) for line in lines)
    return {one[1].lower().replace("_", "-"): one[2] for one in found if one}


def test_binder_pins_all_that_the_chapters_need():
    pinned = pins("binder/requirements.txt", "binder/constraints.txt", "launch/repo2docker.txt")
    for need in wanted():
        assert need.specifier.contains(pinned[need.name]), f"{need}: run `make binder-lock`"
    assert not [name for name in pinned if name.startswith("nvidia")]


def test_colab_has_nothing_older_than_the_chapters_need():
    has = pins("launch/colab-2026.01.txt")
    for need in wanted():
        assert need.name not in has or need.specifier.contains(has[need.name]), f"Colab has {has[need.name]}: {need}"
    assert need.name in has  # the test would pass on an empty list


def test_torch_is_the_same_build_everywhere():
    make, binder = (ROOT / "Makefile").read_text(), (ROOT / "binder" / "requirements.txt").read_text()
    assert re.search(r"(?m)^TORCH +\?= (\S+)", make)[1] == re.search(r"(?m)^torch\S+", binder)[0]
    assert re.search(r"(?m)^TORCH_CPU \?= (\S+)", make)[1] == re.search(r"--extra-index-url (\S+)", binder)[1]


def test_the_scripts_know_the_chapters(launch):
    project = launch("project")
    names = project.chapters()
    assert set(names) == {f"book/{path.name}" for path in NOTEBOOKS}
    assert project.chapters(["05_osse"]) == ["book/05_osse.ipynb"]
    with pytest.raises(SystemExit, match="no such chapter: 99; there are 01_observing"):
        project.chapters(["99"])
