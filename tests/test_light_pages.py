"""Figures become lighter and stay what they are; the icons' script goes and their style stays."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

PATH = Path(__file__).parents[1] / "book" / "_ext" / "light_pages.py"
PAGE = """<html><head><link href="../_static/vendor/fontawesome/6/css/all.min.css?digest=1" rel="stylesheet" />
  <link rel="preload" as="script" href="../_static/vendor/fontawesome/6/js/all.min.js?digest=1" />
  <script src="../_static/vendor/fontawesome/6/js/all.min.js?digest=1"></script>
</head><body><a href="../_images/map.png"><img alt="map.png" src="../_images/map.png"></a>
<img src="../_images/dot.png"><script src="../_static/scripts/bootstrap.js"></script></body></html>
"""


@pytest.fixture
def light_pages():
    spec = importlib.util.spec_from_file_location("light_pages", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def site(tmp_path) -> Path:
    (tmp_path / "_images").mkdir()
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "page.html").write_text(PAGE)
    y, x = np.mgrid[:120, :160]
    field = np.stack([x, y, (x * y) % 256, np.where(x < 80, 255, 128)], -1).astype(np.uint8)
    Image.fromarray(field).save(tmp_path / "_images" / "map.png")
    Image.new("1", (1, 1)).save(tmp_path / "_images" / "dot.png", optimize=True)
    return tmp_path


def test_no_pixel_changes_and_pages_find_their_figures(light_pages, site):
    before = np.asarray(Image.open(site / "_images" / "map.png"))
    size = (site / "_images" / "map.png").stat().st_size
    light_pages.lighten(site)
    after = site / "_images" / "map.webp"
    assert np.array_equal(np.asarray(Image.open(after)), before) and after.stat().st_size < size
    text = (site / "book" / "page.html").read_text()
    assert 'href="../_images/map.webp"' in text and 'alt="map.png" src="../_images/map.webp"' in text
    for name in ("map", "dot"):
        (left,) = (site / "_images").glob(f"{name}.*")
        assert f'src="../_images/{left.name}"' in text


def test_icons_keep_their_style_and_lose_their_script(light_pages, site):
    light_pages.lighten(site)
    text = (site / "book" / "page.html").read_text()
    assert "fontawesome/6/css" in text and "fontawesome/6/js" not in text and "bootstrap.js" in text


def test_a_sharp_figure_is_loaded_in_half_where_the_screen_is_not(light_pages, site):
    """The page loads half of the pixels, a sharp screen and a reader who opens the figure get all."""
    page = site / "book" / "page.html"
    size = 'src="../_images/map.png" style="width: 80px; height: 60px;"'
    page.write_text(PAGE.replace('src="../_images/map.png"', size))
    (site / "book" / "gallery.html").write_text('<img src="../_images/map.png">')
    light_pages.lighten(site)
    text = page.read_text()
    assert 'href="../_images/map.webp"' in text
    assert 'src="../_images/map-half.webp" srcset="../_images/map.webp 2x"' in text
    assert (site / "book" / "gallery.html").read_text() == '<img src="../_images/map-half.webp">'
    with Image.open(site / "_images" / "map-half.webp") as half, Image.open(site / "_images" / "map.webp") as whole:
        assert half.size == (80, 60) and whole.size == (160, 120)
    assert text.count("srcset") == text.count("-half") == 1  # the other has no size


def test_a_picture_that_is_not_sharp_stays_alone(light_pages, site):
    page = site / "book" / "page.html"
    page.write_text(PAGE.replace('src="../_images/map.png"', 'src="../_images/map.png" style="width: 160px;"'))
    light_pages.lighten(site)
    assert not list((site / "_images").glob("*half*")) and "srcset" not in page.read_text()


def test_a_heavy_half_is_stored_lighter(light_pages, site, monkeypatch):
    noise = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    Image.fromarray(noise).save(site / "_images" / "noise.png")
    light = light_pages.half(site / "_images" / "noise.png", 80).stat().st_size
    monkeypatch.setattr(light_pages, "HEAVY", light - 1)
    assert light_pages.half(site / "_images" / "noise.png", 80).stat().st_size < light
