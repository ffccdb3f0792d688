"""The address and the version of the project, the same everywhere.

    python launch/address.py [https://github.com/OWNER/REPOSITORY]      (or: make address [URL=…])

The address is kept in `_config.yml`, the version in `genda_lite/version.py`. Files that cannot read them there repeat
them: the first code cell of every notebook, which fetches the release on Colab; README.md, whose links are read on
GitHub; CITATION.cff; pyproject.toml. This script writes them all. Run it after a change of the version or with a new
notebook, too.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REPEATING = ("_config.yml", "README.md", "CITATION.cff", "pyproject.toml")
CELL = """\
# On Colab: fetch the release, add what Colab lacks, and leave what it has (torch, numpy) as it is. Elsewhere: nothing.
import os
import sys

if "google.colab" in sys.modules:
    !test -e genda_lite || git clone -q --depth 1 -b {tag} {address} genda_lite
    !pip list --format=freeze --exclude genda_lite > colab.txt
    !pip install --quiet --constraint colab.txt --editable "./genda_lite[train]"
    sys.path.insert(0, "genda_lite")
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads sleep while they wait; torch asks as it is loaded
    import torch

    if torch.cuda.is_available():
        print("GPU:", torch.cuda.get_device_name())
    else:
        print("No GPU: all runs without one, more slowly. For one, choose 'Change runtime type' in the menu 'Runtime',")
        print("then 'T4 GPU', and run the notebook from the top again.")
"""


def address() -> str:
    """https://github.com/OWNER/REPOSITORY"""
    return re.search(r"url: &repository (\S+)", (ROOT / "_config.yml").read_text(encoding="utf-8"))[1]


def version() -> str:
    return re.search(r'__version__ = "(.+)"', (ROOT / "genda_lite" / "version.py").read_text(encoding="utf-8"))[1]


def cell() -> str:
    """The first code cell of every notebook."""
    return CELL.format(address=address(), tag=f"v{version()}").rstrip("\n")


def links(text: str) -> Iterator[tuple[str, str]]:
    """The project in the links of a text: ("OWNER/REPOSITORY", the tag or branch, or nothing)."""
    name = rf"(?:genda_lite|{re.escape(address().rsplit('/', 1)[1])})"
    for pattern in (
        rf"github\.com/([\w.-]+/{name})\b(?:\.git)?(?:/(?:blob|tree|raw)/([\w.-]+))?",
        r"mybinder\.org/v2/gh/([\w.-]+/[\w.-]+)/([\w.-]+)",
        r"colab\.research\.google\.com/github/([\w.-]+/[\w.-]+)/blob/([\w.-]+)",
    ):
        for found in re.finditer(pattern, text):
            yield found[1], found[2] or ""
    for found in re.finditer(rf"https://([\w-]+)\.github\.io/({name})\b", text):
        yield f"{found[1]}/{found[2]}", ""


def rewritten(text: str, old: str, new: str) -> str:
    """A file with the links of `old`, an address, made into those of `new`, and with the version as it is now."""
    (old_owner, old_name), (owner, name) = (a.removeprefix("https://github.com/").split("/") for a in (old, new))
    tag = f"v{version()}"
    # Links that name a release: Binder's and Colab's; and the launch buttons' branch.
    text = re.sub(rf"(gh/{old_owner}/{old_name}/|github/{old_owner}/{old_name}/blob/)[\w.-]+", rf"\g<1>{tag}", text)
    text = re.sub(r"(branch: &tag )\S+", rf"\g<1>{tag}", text)
    text = re.sub(r"(?m)^version: \S+$", f"version: {version()}", text)
    text = re.sub(rf"\b{re.escape(old_owner)}/{re.escape(old_name)}\b", f"{owner}/{name}", text)
    return text.replace(f"https://{old_owner}.github.io/{old_name}", f"https://{owner}.github.io/{name}")


def with_cell(notebook: dict) -> dict:
    """A notebook whose first code cell is `cell()`, in place of an earlier one of its kind or before all others."""
    first = next(n for n, c in enumerate(notebook["cells"]) if c["cell_type"] == "code")
    source = cell().splitlines(keepends=True)
    if "google.colab" in "".join(notebook["cells"][first]["source"]):
        notebook["cells"][first]["source"] = source
    else:
        kept = {"execution_count": None, "id": "on-colab", "metadata": {"tags": ["remove-cell"]}, "outputs": []}
        notebook["cells"].insert(first, {"cell_type": "code"} | kept | {"source": source})
    return notebook


def main(*urls: str) -> None:
    old = address()
    new = urls[0].rstrip("/").removesuffix(".git") if urls else old
    if not re.fullmatch(r"https://github\.com/[\w-]+/[\w.-]+", new):
        sys.exit(f"{new}: expected https://github.com/OWNER/REPOSITORY")
    after = {ROOT / name: rewritten((ROOT / name).read_text(encoding="utf-8"), old, new) for name in REPEATING}
    changed = [path for path, text in after.items() if path.read_text(encoding="utf-8") != text]
    for path in changed:  # `_config.yml` first, for the cells are made from it
        path.write_text(after[path], encoding="utf-8")
    for path in sorted((ROOT / "book").glob("*.ipynb")):
        text = path.read_text(encoding="utf-8")
        made = json.dumps(with_cell(json.loads(text)), indent=1, ensure_ascii=False) + "\n"
        if made != text:
            path.write_text(made, encoding="utf-8")
            changed.append(path)
    print(f"{new}, version {version()}:", ", ".join(str(p.relative_to(ROOT)) for p in changed) or "all agree")


if __name__ == "__main__":
    main(*filter(None, sys.argv[1:]))
