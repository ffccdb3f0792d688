"""A small book: figures have twice the pixels, keep their size, open in full, have dark twins, and go to the slides."""

import json
import re
import subprocess
import sys
import zipfile
from base64 import b64decode
from hashlib import sha256
from pathlib import Path

import nbformat
import pytest
from PIL import Image

EXTENSIONS = Path(__file__).parents[1] / "book" / "_ext"
CONFIG = f"""\
title: A small book
only_build_toc_files: true
execute: {{execute_notebooks: cache, timeout: 120, raise_on_error: true}}
html: {{use_issues_button: false}}
sphinx:
  local_extensions: {{sharp_figures: {EXTENSIONS}, dark_figures: {EXTENSIONS}, light_pages: {EXTENSIONS}}}
"""
DRAW = "import matplotlib.pyplot as plt\nplt.figure(figsize=(4, 2)).add_axes((0, 0, 1, 1)).plot([0, 1])\nplt.show()"
ABOUT = {"mystnb": {"figure": {"name": "fig-it", "caption": "It."}, "image": {"alt": "A line that rises."}}}


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("book")
    cells = [nbformat.v4.new_markdown_cell("# A chapter"), nbformat.v4.new_code_cell(DRAW, metadata=ABOUT)]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    (folder / "book").mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), folder / "book" / "it.ipynb")
    (folder / "_config.yml").write_text(CONFIG)
    (folder / "_toc.yml").write_text("{format: jb-book, root: index, chapters: [{file: book/it}]}")
    (folder / "index.md").write_text("# Start")
    program = Path(sys.executable).with_name("jupyter-book")
    subprocess.run([program, "build", "-W", "."], cwd=folder, check=True, capture_output=True)
    return folder / "_build"


def test_a_figure_has_twice_the_pixels_and_leads_to_its_file(built):
    page = (built / "html" / "book" / "it.html").read_text(encoding="utf-8")
    link, figure = re.search(r'<a [^>]*href="\.\./(_images/[\w.]+)"[^>]*>(<img [^>]*>)', page).groups()
    with Image.open(built / "html" / link) as picture:
        width, height = picture.size
    shown = {side: int(re.search(rf"{side}: (\d+)px", figure)[1]) for side in ("width", "height")}
    assert (width, height) == pytest.approx((2 * shown["width"], 2 * shown["height"]), abs=1) and width > 700
    assert link in figure and 'alt="A line that rises."' in figure


def test_a_figure_has_a_dark_twin_that_leads_to_its_own_file(built):
    page = (built / "html" / "book" / "it.html").read_text(encoding="utf-8")
    found = re.findall(r'<a class="only-(\w+) [^>]*href="\.\./(_images/[\w.-]+)"[^>]*>(<img [^>]*>)', page)
    assert [theme for theme, *_ in found] == ["light", "dark"]
    pictures = []
    for _, link, figure in found:
        small = re.search(r'src="\.\./(_images/[\w.-]+)"', figure)[1]
        assert f'srcset="../{link} 2x"' in figure and 'alt="A line that rises."' in figure
        with Image.open(built / "html" / link) as whole, Image.open(built / "html" / small) as half:
            pictures.append((whole.size, half.size, whole.convert("L").getpixel((50, 50))))
    (size, half, white), (dark_size, dark_half, ground) = pictures
    assert (size, half) == (dark_size, dark_half) and half[0] * 2 == pytest.approx(size[0], abs=1)
    assert white == 255 and ground == 18
    # In the notebook stands the light one, and the twin lies where the next build finds it.
    executed = json.loads((built / "jupyter_execute" / "book" / "it.ipynb").read_text(encoding="utf-8"))
    light = b64decode(executed["cells"][1]["outputs"][0]["data"]["image/png"])
    (twin,) = (built / ".jupyter_cache" / "dark").iterdir()
    assert twin.name == f"{sha256(light).hexdigest()}.png"


def test_the_executed_notebook_is_where_slides_look_for_it(built):
    executed = json.loads((built / "jupyter_execute" / "book" / "it.ipynb").read_text(encoding="utf-8"))
    assert "image/png" in executed["cells"][1]["outputs"][0]["data"]
    sys.path.insert(0, str(EXTENSIONS))
    try:
        import slides
    finally:
        sys.path.remove(str(EXTENSIONS))
    deck = built / "deck.md"
    deck.write_text("# It\n\n![](fig-it)\n")
    _, packed = slides.write(built / "jupyter_execute" / "book", built / "slides", deck)
    with zipfile.ZipFile(packed) as file, file.open("fig-it.png") as data, Image.open(data) as picture:
        assert picture.size[0] > 700
    assert "figures/fig-it.webp" in (built / "slides" / "lab.html").read_text()
