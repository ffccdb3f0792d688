"""What the scripts of this folder share: the chapters, a fresh copy of the project, a fresh environment."""

import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def chapters(only: list[str] = ()) -> list[str]:
    """The notebooks of the table of contents, in its order: `book/01_observing.ipynb`, …; or those named."""
    listed = re.findall(r"- file: (\S+)", (ROOT / "_toc.yml").read_text(encoding="utf-8"))
    found = [f"{name}.ipynb" for name in listed if (ROOT / f"{name}.ipynb").is_file()]
    unknown = set(only) - {Path(name).stem for name in found}
    if unknown:
        sys.exit(f"no such chapter: {', '.join(sorted(unknown))}; there are {', '.join(Path(n).stem for n in found)}")
    return [name for name in found if not only or Path(name).stem in only]


def patience() -> int:
    """Seconds that a cell may take, as in the build of the book."""
    return int(re.search(r"(?m)^  timeout: (\d+)", (ROOT / "_config.yml").read_text(encoding="utf-8"))[1])


def tracked() -> list[str]:
    """Names of the project's files: those that git tracks, or would."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True, text=True).stdout.split("\0")
    return sorted({name for name in names if name and (ROOT / name).is_file()})


def copy_project(target: Path) -> None:
    """The project as a visitor gets it: without ignored files, with what is not yet committed."""
    for name in tracked():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target / name)


class Environment:
    """A fresh virtual environment of the Python that runs this script."""

    def __init__(self, folder: Path):
        venv.create(folder, with_pip=True)
        self.python = str(folder / "bin" / "python")
        # What the caller has set up for its own environment must not reach into this one.
        foreign = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "JUPYTER_PATH", "IPYTHONDIR")
        foreign += ("OMP_WAIT_POLICY", "OMP_NUM_THREADS")  # Binder's start script and the package see to these
        self.variables = {name: value for name, value in os.environ.items() if name not in foreign}
        self.variables["PATH"] = f"{folder / 'bin'}{os.pathsep}{self.variables['PATH']}"
        self.variables["PYTHONNOUSERSITE"] = "1"
        # PyTorch's index is asked briefly and once: where it cannot be reached, pip goes on without it.
        self.variables |= {"PIP_TIMEOUT": "10", "PIP_RETRIES": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}

    def run(self, *arguments: str, **options) -> subprocess.CompletedProcess:
        """`python …` in this environment; unless told otherwise, an error is raised."""
        return subprocess.run([self.python, *map(str, arguments)], **{"check": True, "env": self.variables} | options)

    def pip(self, *arguments: str, **options) -> subprocess.CompletedProcess:
        return self.run("-m", "pip", "--quiet", *arguments, **options)

    def packages(self) -> dict[str, str]:
        """Name and version of all that is installed."""
        told = self.run("-m", "pip", "list", "--format=freeze", capture_output=True, text=True).stdout
        return dict(line.split("==") for line in told.split())


def table(head: list[str], rows: list[list]) -> str:
    """Columns of text, the first to the left and the others to the right."""
    cells = [[str(cell) for cell in row] for row in [head, *rows]]
    width = [max(len(row[n]) for row in cells) for n in range(len(head))]
    lines = [
        "  ".join(c.ljust(w) if n == 0 else c.rjust(w) for n, (c, w) in enumerate(zip(row, width, strict=True)))
        for row in cells
    ]
    return "\n".join(line.rstrip() for line in lines)
