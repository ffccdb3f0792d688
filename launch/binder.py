"""Try Binder as a reader would: `make try-binder`.

Builds a fresh environment as repo2docker does, from the files in `binder/` and nothing else: first what the image of
mybinder.org has (`repo2docker.txt`), then `binder/requirements.txt`, from the root of a fresh copy of the project.
By way of `binder/start` it starts a Jupyter server and runs the chapters through it; tells time and memory, and fails
where Binder would.

    python launch/binder.py [CHAPTER ...]    # 01_observing, …; without names: every notebook of the table of contents
    python launch/binder.py --lock           # resolve binder/requirements.txt anew and write binder/constraints.txt
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from project import ROOT, Environment, chapters, copy_project

HERE = Path(__file__).parent
REQUIREMENTS, CONSTRAINTS = ROOT / "binder" / "requirements.txt", ROOT / "binder" / "constraints.txt"


def lock(environment: Environment, project: Path) -> None:
    """Write the versions that `binder/requirements.txt` would add to the image if nothing were pinned."""
    free = [line for line in REQUIREMENTS.read_text().splitlines() if not line.startswith("--constraint")]
    (project / "requirements.txt").write_text("\n".join(free) + "\n")
    report = project / "report.json"
    environment.pip("install", "--dry-run", "--report", report, "-r", "requirements.txt", cwd=project)
    packages = [entry["metadata"] for entry in json.loads(report.read_text())["install"]]
    # Without the part that names a build of PyTorch: whichever index answers, the version is the same.
    pins = {p["name"].lower().replace("_", "-"): p["version"].split("+")[0] for p in packages}
    pins.pop("genda-lite", None)
    foreign = [name for name in pins if name.startswith(("nvidia-", "triton"))]
    if foreign:
        sys.exit(f"pip would take a CUDA build of torch ({', '.join(foreign)}): is PyTorch's CPU index out of reach?")
    head = "# What requirements.txt adds to Binder's image, pinned. Written by `make binder-lock`.\n"
    CONSTRAINTS.write_text(head + "".join(f"{name}=={pins[name]}\n" for name in sorted(pins)))
    print(f"{CONSTRAINTS}: {len(pins)} packages")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("chapters", nargs="*", metavar="CHAPTER")
    parser.add_argument("--lock", action="store_true")
    told = parser.parse_args()
    names = chapters(told.chapters)
    python = "python-{}.{}".format(*sys.version_info)
    wanted = (ROOT / "binder" / "runtime.txt").read_text().strip()
    if python != wanted:
        sys.exit(f"Binder has {wanted}, this is {python}: run `make try-binder PYTHON={wanted.replace('-', '')}`")
    with tempfile.TemporaryDirectory(prefix="binder-") as folder:
        project = Path(folder) / "project"
        copy_project(project)
        environment = Environment(Path(folder) / "environment")
        begin = time.monotonic()
        environment.pip("install", "-r", HERE / "repo2docker.txt")
        if told.lock:
            return lock(environment, project)
        image = environment.packages()
        environment.pip("install", "--no-cache-dir", "-r", "binder/requirements.txt", cwd=project)
        environment.run("-m", "pip", "check")
        now = environment.packages()
        changed = [f"{name} {image[name]} -> {now.get(name)}" for name in image if image[name] != now.get(name)]
        if changed:
            sys.exit(f"binder/requirements.txt changes what Binder's image has: {', '.join(changed)}")
        print(f"environment: {len(now)} packages, torch {now['torch']}, built in {time.monotonic() - begin:.0f} s")
        sys.stdout.flush()
        command = [project / "binder" / "start", environment.python, HERE / "server.py", project, *names]
        sys.exit(subprocess.run(command, cwd=project, env=environment.variables).returncode)


if __name__ == "__main__":
    main()
