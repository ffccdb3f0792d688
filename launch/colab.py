"""Try Colab as a reader would: `make try-colab`.

Builds an environment with Colab's versions (`colab-2026.01.txt`) and its mark, the module `google.colab`, serves the
project in the place of its address under the tag of its release, and runs every chapter in a folder that holds nothing
but the notebook. The first cell must fetch and install all that the others need, and leave alone what was there. Before
the next chapter, what was installed is taken away again.

    python launch/colab.py [CHAPTER ...]    # 01_observing, …; without names: every notebook of the table of contents
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

from address import address, version
from project import ROOT, Environment, chapters, copy_project, patience, table

COLAB = Path(__file__).parent / "colab-2026.01.txt"
PYTHON = (3, 12)


def release(folder: Path) -> None:
    """The project as a repository of one commit, tagged as the next release."""
    copy_project(folder)
    git = ["git", "-c", "user.name=try-colab", "-c", "user.email=try-colab@localhost", "-c", "commit.gpgsign=false"]
    for command in ("init -q", "add --all --force", "commit -q -m release", f"tag v{version()}"):
        subprocess.run([*git, *command.split()], cwd=folder, check=True)


def install(environment: Environment) -> None:
    """Colab's packages. Colab has a CUDA build of torch; PyTorch's CPU build of the same version stands for it."""
    pins = [line for line in COLAB.read_text().splitlines() if line and not line.startswith("#")]
    torch = next(pin for pin in pins if pin.startswith("torch=="))
    pins.remove(torch)
    binder = (ROOT / "binder" / "requirements.txt").read_text()
    index = re.search(r"--extra-index-url (\S+)", binder)[1]
    try:
        environment.pip("install", "--no-compile", "--extra-index-url", index, f"{torch}+cpu", *pins)
    except subprocess.CalledProcessError:
        print(f"note: there is no CPU build of {torch} at hand; the one that Binder has stands for it")
        pins = [pin for pin in pins if not pin.startswith("setuptools==")]  # it wants a newer one
        environment.pip("install", "--no-compile", re.search(r"(?m)^torch==\S+", binder)[0] + "+cpu", *pins)


def mark(environment: Environment) -> None:
    """Make `google.colab` loaded in every Python that starts, as it is on Colab."""
    asked = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(environment.run("-c", asked, capture_output=True, text=True).stdout.strip())
    (packages / "google" / "colab").mkdir(parents=True)
    (packages / "google" / "colab" / "__init__.py").write_text('"""Stands for Colab\'s own module."""\n')
    (packages / "colab.pth").write_text("import google.colab\n")


def visit(environment: Environment, notebook: Path) -> str:
    """Run a notebook from top to bottom; what its first code cell prints."""
    environment.run("-m", "jupyter", "execute", "--inplace", f"--timeout={patience()}", notebook, capture_output=True)
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    first = next(cell for cell in cells if cell["cell_type"] == "code")
    return "".join("".join(output.get("text", "")) for output in first["outputs"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("chapters", nargs="*", metavar="CHAPTER")
    names = chapters(parser.parse_args().chapters)
    if sys.version_info[:2] != PYTHON:
        print(f"note: Colab has Python {PYTHON[0]}.{PYTHON[1]}, this is {sysconfig.get_python_version()}")
    with tempfile.TemporaryDirectory(prefix="colab-") as folder:
        folder = Path(folder)
        release(folder / "release")
        environment = Environment(folder / "environment")
        install(environment)
        mark(environment)
        before = environment.packages()
        served = f"url.file://{folder / 'release'}.insteadOf"
        environment.variables |= {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": served, "GIT_CONFIG_VALUE_0": address()}
        rows = []
        for name in names:
            content = folder / "content" / Path(name).stem
            content.mkdir(parents=True)
            notebook = Path(shutil.copy(folder / "release" / name, content))
            begin = time.monotonic()
            try:
                said = visit(environment, notebook)
            except subprocess.CalledProcessError as error:
                sys.exit(f"{name}:\n{error.stderr.decode()}")
            after = environment.packages()
            changed = [f"{p} {v} -> {after.get(p)}" for p, v in before.items() if after.get(p) != v]
            if changed:
                sys.exit(f"{name} changes what Colab has: {', '.join(changed)}")
            if "GPU" not in said:
                sys.exit(f"{name}: the first cell does not say whether there is a GPU:\n{said}")
            added = sorted(set(after) - set(before))
            rows.append([name, f"{time.monotonic() - begin:.0f}", " ".join(added)])
            print(f"{name}: {rows[-1][1]} s", flush=True)
            environment.pip("uninstall", "--yes", *added)
    print("\n" + table(["chapter", "installs and runs (s)", "added"], rows))
    print(f"torch {before['torch']} and numpy {before['numpy']} are what they were; so are all others.")


if __name__ == "__main__":
    main()
