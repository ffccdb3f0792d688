"""Sliders that work on a page without a kernel: precomputed assimilations, drawn by the reader's own browser.

Every setting of every slider is computed beforehand. The fields travel inside the page as one byte a value,
and the script beside this file (`explorer.js`) draws the ones the sliders point at.
"""

import base64
import html
import json
import zlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import xarray as xr
from matplotlib.colors import Colormap

from ..errors import InputError, atomic_path
from ..state import VARIABLES
from . import maps
from .assets import script

GRID = ("latitude", "longitude")
LEVELS = 254  # steps of a quantised value: codes 1 to 255; code 0 is a missing value


@dataclass(frozen=True)
class ChannelStyle:
    """How one channel is named and drawn; `centre` is the neutral value of a diverging map, or "median"."""

    long_name: str
    units: str = ""
    colormap: str | Colormap = "viridis"
    centre: float | str | None = None


_UNITS = {"degC": "°C", "m s-1": "m/s", "1e-3": "psu"}
STYLES = {
    name: ChannelStyle(attrs["long_name"], _UNITS.get(attrs["units"], attrs["units"]), *maps.STYLES[name])
    for name, attrs in VARIABLES.items()
}


def quantise(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """One byte a value: 1 at `low`, 255 at `high`, 0 where the value is missing.

    Args:
        values: any shape, physical units; NaN or infinite where missing.
        low, high: ends of the range (low < high); values beyond are drawn as the nearest end.
    """
    steps = np.rint((values - low) / (high - low) * LEVELS)
    return np.where(np.isfinite(values), np.clip(steps, 0, LEVELS) + 1, 0).astype(np.uint8)


def pack(codes: np.ndarray) -> str:
    """Bytes to text: each less the one before it (neighbours are alike: it shrinks well), deflate, base64."""
    differences = np.diff(codes.ravel(), prepend=np.uint8(0))  # wraps at 256, as the browser's sum does
    return base64.b64encode(zlib.compress(differences.tobytes(), 9)).decode()


def colour_table(colormap: str | Colormap) -> str:
    """The colours of the 256 codes, four bytes each (red, green, blue, opacity), base64; 0 is transparent.

    Raises:
        InputError: matplotlib and cmocean know no such colour map.
    """
    if isinstance(colormap, str):
        if colormap not in matplotlib.colormaps:
            raise InputError(f"colour map {colormap!r} is unknown to matplotlib and cmocean")
        colormap = matplotlib.colormaps[colormap]
    colours = colormap(np.linspace(0, 1, LEVELS + 1), bytes=True)
    return base64.b64encode(np.concatenate([np.zeros((1, 4), np.uint8), colours]).tobytes()).decode()


class Explorer:
    """A finished explorer: shows itself in a notebook and on a book page, or saves itself as a page."""

    def __init__(self, payload: dict[str, Any]):
        self.payload = payload

    def _repr_html_(self) -> str:
        # The script finds its element by the attribute, not by an id, so that several live on one page.
        data = json.dumps(self.payload, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        data = data.replace("<", r"\u003c")  # or a title with "</script>" in it would close the element
        return (
            '<div data-genda-explorer="waiting" class="genda-explorer">'
            f'<script type="application/json">{data}</script>'
            "<noscript>This figure has sliders, which need JavaScript.</noscript></div>"
            f"<script>{script('explorer')}</script>"
        )

    def save(self, path: str | Path, title: str = "Explorer") -> None:
        """Write a page that needs nothing else and opens from the disk.

        Raises:
            InputError: the folder does not exist.
        """
        page = (
            '<!doctype html><html lang="en"><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{html.escape(title)}</title><style>:root {{ color-scheme: light dark }}"
            "body { margin: 1rem auto; max-width: 60rem; padding: 0 .5rem }</style>"
            f"{self._repr_html_()}</html>\n"
        )
        with atomic_path(path) as temporary:
            temporary.write_text(page, encoding="utf-8")


def explorer(
    frames: xr.Dataset,
    dials: Mapping[str, str | Callable[[float], str]],
    channels: Mapping[str, ChannelStyle] | None = None,
    magnitudes: Collection[str] | Mapping[str, str] = ("spread",),
    start: Mapping[str, float] | None = None,
) -> Explorer:
    """Maps, scores and a chart under sliders, from results computed for every setting of the sliders.

    Variables of `frames` over latitude and longitude become map panels, in their order; the others become
    scores. Each has any of the dimensions (dials…, channel) besides, and `attrs["long_name"]` as its title. A
    score without `attrs["units"]` is in the channel's units and is also drawn against the dial moved last.

    Args:
        frames: the results; dials, `latitude` and `longitude` (degrees, evenly spaced) and, where there are
            several, `channel` (names) are coordinates. A dial's `attrs["long_name"]` labels its slider. NaN:
            no value.
        dials: dimension -> the setting in words, a format such as "cloud {:g} %" or a function of the value.
        channels: name -> style, where the default styles of the state's channels do not serve.
        magnitudes: panels with colours of their own, from zero; all others of a channel share one range of
            colours. Either spans every setting, so that a colour keeps its meaning while a slider moves. Given as
            panel -> group, the panels of a group share theirs.
        start: dial -> the value shown first; the middle one where not given.

    Raises:
        InputError: a dimension or coordinate is missing or unknown, or a field has no value at all.
    """
    frames = _checked(frames, dials)
    panels = [name for name, variable in frames.items() if set(GRID) <= set(variable.dims)]
    scores = [name for name in frames if name not in panels]
    if not panels:
        raise InputError("the frames hold no map: no variable has the dimensions latitude and longitude")
    groups = magnitudes if isinstance(magnitudes, Mapping) else {name: name for name in magnitudes}
    kinds = {panel: groups.get(panel, "field") for panel in panels}
    styles = STYLES | dict(channels or {})

    def describe(name: str) -> dict[str, Any]:
        """What the page knows of a panel or a score, in every channel."""
        variable = frames[name]
        title = variable.attrs.get("long_name", name)
        return {"name": name, "title": title, "dials": [dial for dial in dials if dial in variable.dims]}

    def channel_data(name: str) -> dict[str, Any]:
        """Colours, fields and scores of one channel."""
        here, style = frames.sel(channel=name), styles.get(name, ChannelStyle(name))
        scales = {
            kind: _scale(name, [here[panel].values for panel in panels if kinds[panel] == kind], style, kind)
            for kind in dict.fromkeys(kinds.values())
        }
        ends = {panel: (scales[kinds[panel]]["low"], scales[kinds[panel]]["high"]) for panel in panels}
        return {
            "name": name,
            "title": style.long_name,
            "units": style.units,
            "scales": scales,
            "fields": {panel: pack(quantise(here[panel].values, *ends[panel])) for panel in panels},
            "scores": {score: _numbers(here[score].values) for score in scores},
        }

    return Explorer(
        {
            "latitude": frames.latitude.values[[0, -1]].tolist(),
            "longitude": frames.longitude.values[[0, -1]].tolist(),
            "shape": [frames.sizes[dim] for dim in GRID],
            "dials": [_dial(frames[name], words, start or {}) for name, words in dials.items()],
            "panels": [describe(panel) | {"kind": kinds[panel]} for panel in panels],
            "scores": [describe(score) | {"units": frames[score].attrs.get("units")} for score in scores],
            "channels": [channel_data(str(name)) for name in frames.channel.values],
        }
    )


def _checked(frames: xr.Dataset, dials: Collection[str]) -> xr.Dataset:
    """The frames with north at the top and west at the left, dimensions in the order the page expects."""
    if not dials:
        raise InputError("an explorer needs at least one dial")
    for dial in dials:
        if dial not in frames.dims:
            raise InputError(f"dial {dial!r} is not a dimension of the frames: {_listed(frames.dims)}")
    if "channel" not in frames.dims:
        frames = frames.expand_dims(channel=[str(frames.coords.get("channel", xr.DataArray("")).item())])
    known = (*dials, "channel", *GRID)
    for dim in known:
        if dim not in frames.indexes:
            raise InputError(f"the frames have no coordinate {dim!r}")
    for name, variable in frames.items():
        if unknown := set(variable.dims) - set(known):
            raise InputError(f"{name} has dimension {_listed(unknown)}, expected some of {_listed(known)}")
        if len(set(GRID) & set(variable.dims)) == 1:
            raise InputError(f"{name} has one of latitude and longitude, expected both or neither")
    ordered = frames.transpose(*known, missing_dims="ignore")
    return ordered.sortby("latitude", ascending=False).sortby("longitude")


def _listed(names: Collection) -> str:
    return ", ".join(map(str, names))


def _scale(channel: str, fields: list[np.ndarray], style: ChannelStyle, kind: str) -> dict[str, Any]:
    """Range and colours that some panels of a channel share over every setting; nothing is cut off."""
    values = np.concatenate([field[np.isfinite(field)] for field in fields])
    if not values.size:
        raise InputError(f"channel {channel!r} has no value to draw in its panels of kind {kind!r}")
    low, high = float(values.min()), float(values.max())
    colormap = style.colormap
    if kind != "field":
        low, colormap = 0.0, maps.STYLES["spread"].colormap
    elif style.centre is not None:
        centre = float(np.median(values)) if style.centre == "median" else float(style.centre)
        reach = max(centre - low, high - centre)
        low, high = centre - reach, centre + reach
    return {"low": low, "high": high if high > low else low + 1, "colours": colour_table(colormap)}


def _dial(values: xr.DataArray, words: str | Callable[[float], str], start: Mapping[str, float]) -> dict:
    """A slider: its label, its settings and what each is called."""
    name, settings = str(values.name), values.values.tolist()
    first = start.get(name, settings[len(settings) // 2])
    if first not in settings:
        raise InputError(f"dial {name!r} cannot start at {first!r}, expected one of {_listed(settings)}")
    say = words.format if isinstance(words, str) else words
    return {
        "name": name,
        "title": values.attrs.get("long_name", name),
        "settings": settings,
        "words": [say(setting) for setting in settings],
        "start": settings.index(first),
    }


def _numbers(values: np.ndarray) -> list[float | None]:
    """Flat, four digits each; JSON has no NaN."""
    return [float(f"{value:.4g}") if np.isfinite(value) else None for value in values.ravel()]
