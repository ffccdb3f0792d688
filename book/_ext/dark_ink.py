"""The colours of a figure of matplotlib for a dark page, and back.

Neutral ink and paper keep their contrast and change sides: what stands out from white by a ratio stands out from the
dark ground by the same ratio, as far as there is light for it; writing and lines by what text needs at least. Colours
stay; those that stood out better from white are lightened, up to the same contrast.
Colours that stand for numbers stay, and so does what is drawn over them. The paper of such axes becomes a grey on which
black and white both show, because colour maps go from one to the other.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import Collection, QuadMesh
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.offsetbox import OffsetBox
from matplotlib.patches import Patch
from matplotlib.spines import Spine
from matplotlib.text import Text

GROUND, INK = "#121212", "#ced6dd"  # the theme's dark page and its writing
TEXT, SHAPES = 4.5, 3.0  # the contrast that text and shapes need: WCAG 2.1, 1.4.3 and 1.4.11
FLARE = 0.05  # light from elsewhere that WCAG counts on a screen
NEUTRAL = 0.04  # the largest difference between red, green and blue of what counts as grey
INKS = {  # whose colours are turned
    Text: ("color",),
    Line2D: ("color", "markerfacecolor", "markerfacecoloralt", "markeredgecolor"),
    Patch: ("facecolor", "edgecolor"),
    Collection: ("facecolor", "edgecolor"),
}


def linear(rgb: np.ndarray) -> np.ndarray:
    """Light of sRGB values from 0 to 1; `encoded` is the way back."""
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def encoded(light: np.ndarray) -> np.ndarray:
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def luminance(light: np.ndarray) -> np.ndarray:
    """Of linear colours (..., 3); a contrast is the ratio of two, each with FLARE added."""
    return light @ np.array([0.2126, 0.7152, 0.0722])


DARK, LIGHT = (luminance(linear(np.array(to_rgb(colour)))) for colour in (GROUND, INK))
PAPER = SHAPES * FLARE / (DARK + FLARE)  # contrast of the grey on which black just shows


def turned(colours: np.ndarray, least: float = 1.0) -> np.ndarray:
    """Colours for the dark ground.

    Args:
        colours: as they are on white: red, green, blue and alpha from 0 to 1, (n, 4).
        least: contrast that they have at least.
    """
    rgb, alpha = colours[:, :3], colours[:, 3:]
    light = linear(rgb)
    own = luminance(light)[:, None]
    contrast = np.maximum((1 + FLARE) / (own + FLARE), least)
    goal = contrast * (DARK + FLARE) - FLARE
    grey = np.where(goal < LIGHT, encoded(goal), to_rgb(INK))
    # A colour gets more of its own light, as far as there is more, and then white light.
    goal = np.minimum(contrast, TEXT) * (DARK + FLARE) - FLARE
    with np.errstate(divide="ignore", invalid="ignore"):  # of black and white, which are greys
        light = light * np.clip(goal / own, 1.0, 1 / light.max(axis=1, keepdims=True))
        bright = luminance(light)[:, None]
        colour = encoded(light + (1 - light) * np.clip((goal - bright) / (1 - bright), 0.0, 1.0))
    neutral = np.ptp(rgb, axis=1, keepdims=True) < NEUTRAL
    after = np.where(neutral, grey, np.where(goal > own, colour, rgb))
    return np.where(alpha > 0, np.hstack([after, alpha]), colours)


def is_mapped(artist: Artist) -> bool:
    """Whether its colours stand for numbers. Those of a mesh of one colour do not."""
    if not isinstance(artist, Collection) or artist.get_array() is None:
        return isinstance(artist, AxesImage)
    faces, edges = artist.get_facecolor(), artist.get_edgecolor()
    return bool(np.ptp(faces if len(faces) else edges, axis=0).any())


def children(artist: Artist) -> list[Artist]:
    """What an artist draws, also what does not count as its children: a graticule's lines, a text's box and arrow."""
    lines = getattr(artist, "get_visible_children", list)()
    box, arrow = getattr(artist, "get_bbox_patch", lambda: None)(), getattr(artist, "arrow_patch", None)
    found = dict.fromkeys([*artist.get_children(), *lines, box, arrow])  # each once
    return [part for part in found if part is not None]


def is_outside(artist: Artist, axes: Axes) -> bool:
    """Whether a text or a legend stands beside the axes, by its middle."""
    if not isinstance(artist, (Text, Legend)):
        return False
    box = artist.get_window_extent()
    return not axes.bbox.contains((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2)


def artists(parent: Artist, field: Axes | None = None) -> Iterator[tuple[Artist, Axes | None]]:
    """All artists below one, each with the axes of mapped colours that it is drawn in, or None."""
    for child in children(parent):
        if isinstance(child, Axes):
            yield from artists(child, child if any(map(is_mapped, child.get_children())) else None)
        else:
            apart = field is not None and not isinstance(parent, OffsetBox) and is_outside(child, field)
            within = None if apart or isinstance(child, (Axis, Spine)) else field
            yield child, within
            yield from artists(child, within)


def turn(artist: Artist, field: Axes | None) -> None:
    """Give an artist that was drawn before its colours for the dark ground."""
    names = next((names for kind, names in INKS.items() if isinstance(artist, kind)), ())
    several = isinstance(artist, Collection)
    of_one_colour = several and artist.get_array() is not None and not is_mapped(artist)
    if field is not None and artist is not field.patch and not (of_one_colour and isinstance(artist, QuadMesh)):
        return
    before = {name: getattr(artist, f"get_{name}")() for name in names}
    if of_one_colour:
        Collection.set_array(artist, None)  # Cartopy's meshes themselves refuse it
    for name, value in before.items():
        colours = value if several else np.array([to_rgba(value)])
        # Writing, lines and markers of their colour are ink; markers of another colour may be filled with paper.
        is_ink = "color" in before and to_rgba(value) == to_rgba(before["color"])
        after = turned(colours, TEXT if is_ink else PAPER if field is not None else 1.0)
        getattr(artist, f"set_{name}")(after if several else after[0])


@contextmanager
def darkened(figure: Figure) -> Iterator[None]:
    """A figure that was drawn before has the colours of a dark page, and afterwards its own."""
    found, layout = dict(artists(figure)), figure.get_layout_engine()
    before = {artist: vars(artist).copy() for artist in found}
    figure.set_layout_engine("none")  # a layout that is made again may move what it has placed
    try:
        for artist, field in found.items():
            turn(artist, field)
        yield
    finally:
        for artist, state in before.items():
            vars(artist).clear()
            vars(artist).update(state)
        figure.set_layout_engine(layout)
