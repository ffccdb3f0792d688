"""A quiz that works on a page without a kernel: pictures, a button for each, a verdict and a score.

The answers travel sealed (base64), so that neither the page nor a glance at its source gives them away. The script
`quiz.js` draws into a shadow root, as the explorer's does, so that the page's styles and the quiz's leave each other
alone.
"""

import base64
import io
import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from PIL import Image

from ..errors import InputError
from ..state import METRES_PER_DEGREE
from . import maps
from .assets import script

PNG = b"\x89PNG\r\n\x1a\n"
HEAVIEST = 1_000_000  # bytes of a quiz's HTML
COLOURS = 96  # of a picture
RARE = 0.02  # of real maps: what fewer of them show gives a drawn one away
BLOCK = 5  # cells across: detail is what a mean over so many does not show
TRAITS = {  # what `traits` measures -> how it is told
    "front": "its sharpest front has {:.2g} °C in 10 km",
    "detail": "its detail below 50 km has a standard deviation of {:.2g} °C",
    "range": "it is {:.0f} °C from its coldest to its warmest water",
    "level": "sea level and temperature correlate by {:.2f}",
}


class Question(NamedTuple):
    """A question.

    Args:
        text: what is asked.
        pictures: PNG files to choose from, two or more.
        answer: which picture is right, from 0.
        reveal: what is said once it is answered.
    """

    text: str
    pictures: Sequence[bytes]
    answer: int
    reveal: str


class Quiz:
    """A finished quiz: shows itself in a notebook and on a book page."""

    def __init__(self, payload: dict):
        self.payload = payload

    def _repr_html_(self) -> str:
        data = json.dumps(self.payload, separators=(",", ":")).replace("<", r"\u003c")
        # The class is the explorer's: the book's style sheet takes the light sheet away from under it in the dark.
        return (
            '<div data-genda-quiz="waiting" class="genda-explorer">'
            f'<script type="application/json">{data}</script>'
            "<noscript>This quiz has buttons, which need JavaScript.</noscript></div>"
            f"<script>{script('quiz')}</script>"
        )


def quiz(questions: Sequence[Question], title: str = "Quiz", picture: str = "map") -> Quiz:
    """Questions one after the other, each answered by choosing a picture.

    Args:
        title: names the quiz to screen readers and stands above it.
        picture: what a picture is, in words that fit all of them and favour none ("map of surface temperature").

    Raises:
        InputError: no question, fewer than two pictures, a picture that is not a PNG, an answer that is none of them,
            or more than a megabyte altogether.
    """
    if not questions:
        raise InputError("a quiz needs at least one question")
    made = []
    for number, question in enumerate(questions, 1):
        count = len(question.pictures)
        if count < 2:
            raise InputError(f"question {number} has {count} picture(s), expected two or more")
        if not all(bytes(data[:8]) == PNG for data in question.pictures):
            raise InputError(f"question {number} has a picture that is not a PNG file, expected the bytes of one")
        if isinstance(question.answer, bool) or question.answer not in range(count):
            raise InputError(f"question {number} has the answer {question.answer!r}, expected 0 to {count - 1}")
        sealed = json.dumps({"answer": int(question.answer), "reveal": question.reveal})
        made.append(
            {
                "text": question.text,
                "pictures": [base64.b64encode(data).decode() for data in question.pictures],
                "sealed": base64.b64encode(sealed.encode()).decode(),
            }
        )
    finished = Quiz({"title": title, "picture": picture, "questions": made})
    if (size := len(finished._repr_html_())) > HEAVIEST:
        raise InputError(f"the quiz takes {size} bytes, expected at most {HEAVIEST}; take smaller pictures or fewer")
    return finished


def traits(temperature: xr.DataArray, sea_level: xr.DataArray) -> dict[str, float]:
    """What an eye might go by in a map of temperature (degC) with sea level (m) as lines, by the names in `TRAITS`.

    Args:
        temperature, sea_level: dims (latitude, longitude), regular and ascending, larger than a block of cells.
    """
    t, z = (field.transpose("latitude", "longitude").values.astype(float) for field in (temperature, sea_level))
    latitude, longitude = temperature.latitude.values, temperature.longitude.values
    north, east = METRES_PER_DEGREE * latitude, METRES_PER_DEGREE * np.cos(np.radians(latitude.mean())) * longitude
    slope = np.hypot(np.gradient(t, north, axis=0), np.gradient(t, east, axis=1))
    around = np.lib.stride_tricks.sliding_window_view(t, (BLOCK, BLOCK)).mean((-2, -1))
    edge = BLOCK // 2
    return {
        "front": 1e4 * float(np.percentile(slope, 99.5)),
        "detail": float((t[edge:-edge, edge:-edge] - around).std()),
        "range": float(np.ptp(np.percentile(t, (0.5, 99.5)))),
        "level": float(np.corrcoef(t.ravel(), z.ravel())[0, 1]),
    }


def giveaway(drawn: Mapping[str, float], real: Sequence[Mapping[str, float]]) -> str:
    """What tells a drawn map from real ones: the trait in which the fewest of them go as far, or that none does.

    Args:
        drawn: `traits` of the map. real: those of many others. Two in a hundred real maps go as far in any one trait
            and direction; in one trait or another it is one in six, by chance.
    """
    further = {}
    for name in TRAITS:
        others = np.array([one[name] for one in real])
        above, below = int((others >= drawn[name]).sum()), int((others <= drawn[name]).sum())
        further[name] = min(above, below)
    name = min(further, key=further.__getitem__)
    count = further[name]
    if count > RARE * len(real):
        return "Nothing that we measure gives it away: fronts, detail, range and sea level are like those of the model."
    told = "None" if count == 0 else f"Only {count}"
    verb = "go" if count > 1 else "goes"
    said = TRAITS[name].format(drawn[name])
    return f"What gives it away: {said}. {told} of {len(real)} maps of the model {verb} as far."


def picture(
    field: xr.DataArray,
    contours: xr.DataArray | None = None,
    colormap: str | Colormap | None = None,
    vmin: float | None = None,
    vmax: float | None = None,
    height: int = 280,
) -> bytes:
    """A bare map as a small PNG: no axes, no land, a degree of longitude as long as it is at the map's middle.

    Args:
        field: dims (latitude, longitude). contours: sea level (m), drawn as lines every 20 cm.
        colormap: by default that of the field's name. vmin, vmax: of the colours, by default those of a map.
        height: pixels.

    Raises:
        InputError: the field has other dimensions or no value.
    """
    if set(field.dims) != {"latitude", "longitude"}:
        raise InputError(f"a picture needs dimensions (latitude, longitude), the field has {field.dims}")
    field = field.transpose("latitude", "longitude").sortby("latitude").sortby("longitude")
    style = maps.STYLES.get(field.name, maps.Style("cmo.dense"))
    low, high = maps.color_limits(field, style)
    low, high = low if vmin is None else vmin, high if vmax is None else vmax
    latitude, longitude = field.latitude.values, field.longitude.values
    aspect = np.ptp(longitude) * np.cos(np.radians(latitude.mean())) / np.ptp(latitude)
    figure = Figure(figsize=(height * aspect / 100, height / 100), dpi=100)
    canvas = FigureCanvasAgg(figure)
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set_axis_off()
    ax.pcolormesh(longitude, latitude, field, cmap=colormap or style.colormap, vmin=low, vmax=high, shading="nearest")
    if contours is not None:
        contours = contours.transpose("latitude", "longitude").sortby("latitude").sortby("longitude")
        levels = np.arange(np.floor(contours.min() / 0.2), np.ceil(contours.max() / 0.2) + 1) * 0.2
        ax.contour(longitude, latitude, contours.values, levels, colors="w", linewidths=0.7, linestyles="solid")
    ax.set_xlim(longitude[[0, -1]])
    ax.set_ylim(latitude[[0, -1]])
    canvas.draw()
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    with io.BytesIO() as file:
        image.save(file, "PNG", optimize=True)
        return file.getvalue()
