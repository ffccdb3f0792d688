"""The README: short, with a picture that moves, and with an example that runs when it is pasted."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from genda_lite.show.static import pack_smooth

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "README.md").read_text(encoding="utf-8")
RESULTS = (ROOT / "book" / "results.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return re.search(rf"(?ms)^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE)[1]


def test_it_is_read_in_five_minutes():
    assert len(PAGE.split()) <= 1200
    (commands, *_) = re.findall(r"```bash\n(.*?)```", section("Start"), re.DOTALL)
    assert len(commands.splitlines()) == 2


def test_the_example_runs_when_it_is_pasted(tmp_path):
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(example.splitlines()) <= 10
    told = f"{example}\nassert analysis.zos.dims == ('member', 'latitude', 'longitude'), analysis.zos.dims\n"
    told += "error = analysis.zos.mean('member').values - truth.zos.values\n"
    told += "assert (error**2).mean() < 0.3 * truth.zos.values.var(), (error**2).mean()\n"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"}
    subprocess.run([sys.executable, "-c", told], cwd=tmp_path, env=environment, check=True, timeout=500)
    with Image.open(tmp_path / "analysis.png") as picture:
        assert min(picture.size) > 300


def test_the_picture_moves_and_is_light():
    ((words, name),) = re.findall(r"!\[(.*?)\]\((.*?)\)", PAGE)
    assert len(words) > 40
    with Image.open(ROOT / name) as picture:
        assert picture.n_frames >= 10
    assert (ROOT / name).stat().st_size <= 1e6


def test_the_picture_shows_what_the_film_holds():
    spec = importlib.util.spec_from_file_location("draw", ROOT / "data_samples" / "draw.py")
    draw = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(draw)
    y, x = np.indices((12, 16))
    maps = np.stack([np.sin(x / 5) * np.cos(y / 4), 0.3 * np.cos(x / 7) + 0.5, np.zeros((12, 16))])
    found = draw.unpacked(pack_smooth(maps, 0.001), 3, (12, 16), 0.001)
    np.testing.assert_allclose(found, maps, atol=0.005)


def test_claims_are_few_and_each_has_a_number_and_a_link():
    claims = re.split(r"(?m)^- ", section("What is claimed").split("\n\nThe prior")[0])[1:]
    headings = re.findall(r"(?m)^#+ (.*)$", RESULTS)
    anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
    assert len(claims) == 5
    for claim in claims:
        assert re.search(r"\d", claim)
        ((file, anchor),) = re.findall(r"\]\((.*?)#(.*?)\)", claim)
        assert file == "book/results.md" and anchor in anchors


def test_links_to_files_lead_somewhere():
    for page in (PAGE, RESULTS):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page):
            assert (ROOT / target).exists(), target
