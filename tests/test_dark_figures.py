"""Figures for a dark page: what turns, what stays, and nothing of it is left in the figure."""

import importlib.util
import io
import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import shapely
from cartopy.crs import PlateCarree
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_rgb, to_rgba
from PIL import Image

EXTENSIONS = Path(__file__).parents[1] / "book" / "_ext"


def load(name: str):
    spec = importlib.util.spec_from_file_location(name, EXTENSIONS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ink, pages = load("dark_ink"), load("dark_figures")


def png(figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=100, facecolor=figure.get_facecolor())
    return file.getvalue()


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB")) / 255


def contrast(colour, ground) -> float:
    bright = sorted(ink.luminance(ink.linear(np.array(to_rgb(c)))) + 0.05 for c in (colour, ground))
    return bright[1] / bright[0]


def turn(colour, **options) -> tuple:
    return tuple(ink.turned(np.array([to_rgba(colour)]), **options)[0])


@pytest.fixture
def line_plot():
    figure, ax = plt.subplots(figsize=(4, 3), layout="constrained")
    ax.plot([0, 1], [0, 1], "k", label="truth")
    ax.plot([0, 1], [1, 0], "o-", color="0.6", mfc="w", label="measured")
    ax.plot([0, 1], [0.5, 0.6], color="navy", label="guess")
    ax.fill_between([0, 1], 0.2, 0.3, color="0.85")
    ax.annotate("here", (0.5, 0.5), (0.2, 0.8), arrowprops={"arrowstyle": "->"}, bbox={"facecolor": "w"})
    ax.set(title="A title", xlabel="day")
    ax.legend()
    yield figure
    plt.close(figure)


@pytest.fixture
def map_plot():
    """A field with contours, an island's black coast, a track and a word on it; degrees and units beside it."""
    figure = plt.figure(figsize=(4, 3), layout="compressed")
    ax = figure.add_subplot(projection=PlateCarree())
    field = np.arange(400.0).reshape(20, 20)
    drawn = ax.pcolormesh(np.arange(20.0), np.arange(20.0), field, cmap="RdBu")
    ax.add_geometries([shapely.Point(12, 12).buffer(3)], PlateCarree(), facecolor="none", edgecolor="k")
    ax.plot([0, 19], [19, 0], "k.", ms=2)
    ax.contour(np.arange(20.0), np.arange(20.0), field, [50, 250], colors="w")
    ax.text(4, 15, "on it", color="k")
    ax.gridlines(draw_labels=["left", "bottom"], xlocs=[5, 10], ylocs=[5, 10], color="0.2", alpha=0.35)
    figure.colorbar(drawn, ax=ax).set_label("m")
    ax.set_title("A title")
    yield figure
    plt.close(figure)


@pytest.mark.parametrize("plot", ["line_plot", "map_plot"])
def test_a_figure_is_restored_bit_by_bit(plot, request):
    figure = request.getfixturevalue(plot)
    png(figure)
    before, layout = png(figure), figure.get_layout_engine()
    with ink.darkened(figure):
        dark = png(figure)
    assert png(figure) == before and figure.get_layout_engine() is layout
    assert dark != before and pixels(dark).shape == pixels(before).shape
    assert pixels(dark)[0, 0] == pytest.approx(to_rgb(ink.GROUND)) and pixels(before)[0, 0] == pytest.approx(1)


def test_a_figure_is_restored_when_drawing_fails(line_plot):
    before = png(line_plot)
    with pytest.raises(RuntimeError), ink.darkened(line_plot):
        raise RuntimeError
    assert png(line_plot) == before


def test_greys_keep_their_contrast_and_change_sides():
    assert turn("white")[:3] == pytest.approx(to_rgb(ink.GROUND), abs=1e-6)
    assert turn("black")[:3] == to_rgb(ink.INK)
    for grey in ("0.95", "0.7", "0.45"):
        assert contrast(turn(grey), ink.GROUND) == pytest.approx(contrast(grey, "w"), rel=1e-6)
    assert contrast(turn("0.8", least=4.5), ink.GROUND) == pytest.approx(4.5)
    assert turn((0, 0, 0, 0.3))[3] == 0.3 and turn("none") == to_rgba("none")


@pytest.mark.parametrize("colour", ["navy", "#00f", "darkred", "#0072b2", "#d55e00", "C2", "gold"])
def test_colours_stand_out_from_the_dark_as_from_white(colour):
    after = turn(colour)
    assert contrast(after, ink.GROUND) >= min(contrast(colour, "w"), ink.TEXT) - 1e-9
    assert np.argmax(after[:3]) == np.argmax(to_rgb(colour)) and max(after) <= 1
    if contrast(colour, ink.GROUND) > ink.TEXT:
        assert after == to_rgba(colour)


def test_all_writing_and_all_lines_of_a_plot_are_seen(line_plot):
    png(line_plot)
    (ax,) = line_plot.axes
    with ink.darkened(line_plot):
        for seen in (*line_plot.findobj(plt.Text), *ax.lines):
            assert contrast(seen.get_color(), ink.GROUND) > 4.499, seen
        black, grey, navy = ax.lines
        assert black.get_color() == pytest.approx(to_rgba(ink.INK))
        assert np.argmax(navy.get_color()[:3]) == 2
        assert grey.get_markerfacecolor() == pytest.approx(to_rgba(ink.GROUND), abs=1e-6)
        # What a legend shows is what is drawn, so nothing was turned twice.
        for line, shown in zip(ax.lines, ax.get_legend().get_lines(), strict=True):
            assert tuple(shown.get_color()) == tuple(line.get_color())
        (note,) = ax.texts
        assert note.get_bbox_patch().get_facecolor() == pytest.approx(to_rgba(ink.GROUND), abs=1e-6)
        assert note.arrow_patch.get_edgecolor() == pytest.approx(to_rgba(ink.INK))


def inside(figure, axes, content: bytes) -> np.ndarray:
    """The pixels within the frame of axes."""
    picture = pixels(content)
    ends = axes.get_position().extents * np.tile(picture.shape[1::-1], 2)
    left, low, right, high = np.round(ends).astype(int)
    return picture[len(picture) - high + 3 : len(picture) - low - 3, left + 3 : right - 3]


def test_a_field_and_what_lies_on_it_stay(map_plot):
    png(map_plot)
    light = png(map_plot)
    with ink.darkened(map_plot):
        dark = png(map_plot)
        writing = [text for text, _ in ink.artists(map_plot) if isinstance(text, plt.Text) and text.get_text()]
        assert {"A title", "m", "10°E", "10°N", "on it"} <= {text.get_text() for text in writing}
        for text in writing:
            assert text.get_color() == ("k" if text.get_text() == "on it" else pytest.approx(to_rgba(ink.INK)))
    for axes in map_plot.axes:
        assert np.array_equal(inside(map_plot, axes, dark), inside(map_plot, axes, light))
    over = inside(map_plot, map_plot.axes[0], light)
    assert over.max() == 1 and over.max(-1).min() == 0  # white contours and a black coast were there


def test_the_paper_of_a_field_shows_black_and_white(map_plot):
    ax = map_plot.axes[0]
    (mesh,) = (one for one in ax.collections if isinstance(one, QuadMesh))
    mesh.set_array(np.where(mesh.get_array() < 100, np.nan, mesh.get_array()))
    for paper in ("w", "0.92"):
        ax.set_facecolor(paper)
        png(map_plot)
        with ink.darkened(map_plot):
            grey = ax.get_facecolor()[:3]
            seen = inside(map_plot, ax, png(map_plot))[-2, 20]
        assert seen == pytest.approx(grey, abs=2 / 255) and max(grey) - min(grey) < 1e-6
        assert contrast(grey, "k") > 2.99 and contrast(grey, "w") > 4.5


def test_a_mesh_of_one_colour_is_paper(map_plot):
    """Whether axes have no other colours, or points of many."""
    ax = map_plot.axes[0]
    (mesh,) = (one for one in ax.collections if isinstance(one, QuadMesh))
    mesh.set(array=np.zeros((20, 20)), cmap="Greys", clim=(0, 1))
    for points, expected in ((False, to_rgb(ink.GROUND)), (True, None)):
        if points:
            ax.scatter([3, 9, 15], [4, 8, 16], c=[1, 2, 3], cmap="viridis")
        png(map_plot)
        with ink.darkened(map_plot):
            seen = inside(map_plot, ax, png(map_plot))[-2, 20]
            assert seen == pytest.approx(expected or ax.get_facecolor()[:3], abs=2 / 255) and max(seen) < 0.5


PAGE = (
    '<figure id="it"><a class="reference internal image-reference" href="../_images/map.png"><img alt="A map." '
    'src="../_images/map.png" style="width: 80px; height: 60px;" /></a>\n<figcaption>It.</figcaption></figure>'
    '<a class="reference internal" href="it.html#it"><img alt="A map." src="../_images/map.png" /></a>'
    '<img alt="None." src="../_images/other.png" />'
)


def test_a_page_shows_each_theme_its_picture(tmp_path, monkeypatch):
    site, folder = tmp_path / "html", tmp_path / "dark"
    for place in (site / "_images", site / "book", folder):
        place.mkdir(parents=True)
    for name, colour in (("map", "white"), ("other", "grey")):
        Image.new("RGB", (160, 120), colour).save(site / "_images" / f"{name}.png")
    light = (site / "_images" / "map.png").read_bytes()
    monkeypatch.setenv(pages.FOLDER, str(folder))
    pages.keep(b"the dark twin", light)
    (site / "book" / "page.html").write_text(PAGE)
    pages.darken(site, folder)

    assert (site / "_images" / "map-dark.png").read_bytes() == b"the dark twin"
    assert (site / "_images" / "map.png").read_bytes() == light
    page = (site / "book" / "page.html").read_text()
    linked, unlinked, alone = re.findall(r"<span>.*?</span>|<img.*?>", page)
    assert alone in PAGE  # there is no twin
    for theme, name in (("light", "map"), ("dark", "map-dark")):
        link = re.search(rf'<a class="only-{theme} [^>]*href="../_images/{name}.png"><img [^>]*></a>', linked)[0]
        picture = re.search("<img.*?>", link)[0]
        assert f'src="../_images/{name}.png"' in picture and f'class="only-{theme}"' in picture
        assert 'loading="lazy" width="80" height="60"' in picture
    assert [re.findall(r"only-\w+", tag) for tag in re.findall("<img.*?>", unlinked)] == [["only-light"], ["only-dark"]]
    # The theme hides a caption after a sibling that it hides.
    assert page.index("</span>") < page.index("<figcaption>") and page.count("A map.") == 4
