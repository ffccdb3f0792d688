"""Explorers that work on a page without a kernel: precomputed results, drawn by the reader's own browser.

Every setting of every control is computed beforehand. The fields travel inside the page, or in a pack of files beside
the page, which are loaded when a reader looks at them. The program of this folder (`explorer.js` and its parts) draws
the chosen fields.
"""

import base64
import html
import json
import math
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import xarray as xr
from matplotlib.colors import Colormap
from scipy.fft import dctn

from ..errors import InputError
from ..files import atomic_folder, atomic_path
from ..state import TABLE
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


STYLES = {
    name: ChannelStyle(channel.long_name, channel.label, *maps.STYLES[name]) for name, channel in TABLE.items()
} | {"speed": ChannelStyle("Current speed", "m/s", *maps.STYLES["speed"])}


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


def pack_smooth(values: np.ndarray, step: float) -> str:
    """Smooth maps to text: amplitudes of cosines in whole steps, deflate, base64.

    The spectrum of an ocean is red: most amplitudes are less than half a step, and need not be kept. The amplitudes of
    one wave in all maps stand together, the longest waves first, up to the last wave that is kept. Each is folded to
    0, -1, 1, -2, 2, … -> 0, 1, 2, 3, 4, …, its low byte in a first plane and its high byte in a second.

    Args:
        values: (maps, rows, columns), of order one, complete. step: of an orthonormal amplitude; the error of a value
            has a standard deviation of about step / 12^1/2 at most.
    """
    count, rows, columns = values.shape
    y, x = np.indices((rows, columns))
    order = np.argsort((y**2 + x**2).ravel(), kind="stable")
    steps = np.rint(dctn(values, axes=(1, 2), norm="ortho") / step).astype(int).reshape(count, -1)[:, order]
    kept = steps.any(0).nonzero()[0].max(initial=-1) + 1
    folded = np.where(steps < 0, -2 * steps - 1, 2 * steps)[:, :kept].T.ravel()
    if folded.max(initial=0) >= 1 << 16:
        raise ValueError(f"amplitudes of up to {abs(steps).max()} steps do not fit into two bytes")
    planes = np.concatenate([folded & 255, folded >> 8]).astype(np.uint8)
    return base64.b64encode(zlib.compress(planes.tobytes(), 9)).decode()


def colour_table(colormap: str | Colormap, first: float = 0.0, last: float = 1.0) -> str:
    """The colours of the 256 codes, four bytes each (red, green, blue, opacity), base64; 0 is transparent.

    Args:
        first, last: parts of the range of codes (0 <= first < last <= 1) between which the colours change.

    Raises:
        InputError: matplotlib and cmocean know no such colour map.
    """
    if isinstance(colormap, str):
        if colormap not in matplotlib.colormaps:
            raise InputError(f"colour map {colormap!r} is unknown to matplotlib and cmocean")
        colormap = matplotlib.colormaps[colormap]
    colours = colormap((np.linspace(0, 1, LEVELS + 1) - first) / (last - first), bytes=True)
    return base64.b64encode(np.concatenate([np.zeros((1, 4), np.uint8), colours]).tobytes()).decode()


WAITING = '<div data-genda-explorer="waiting" class="genda-explorer"'
NO_SCRIPT = "<noscript>This figure has controls, which need JavaScript.</noscript></div>"
CONTENTS = "contents"  # the file of a pack that says what is in the others
PROGRAM = "explorer.js"


class Explorer:
    """A finished explorer: shows itself in a notebook and on a book page, saves itself as a page or as a pack."""

    def __init__(self, payload: dict[str, Any]):
        self.payload = payload

    def _repr_html_(self) -> str:
        # The script finds its element by the attribute, not by an id, so that several live on one page.
        data = _json(self.payload).replace("<", r"\u003c")  # or a title with "</script>" in it would close the element
        return (
            f'{WAITING}><script type="application/json">{data}</script>{NO_SCRIPT}<script>{script("explorer")}</script>'
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

    def write(self, folder: str | Path) -> None:
        """Write a pack: a folder of scripts to stand beside pages, each of which is loaded when it is needed, also from
        the disk. `packed` shows it.

        Raises:
            InputError: the parent folder does not exist, or something else is in the place.
        """
        contents = {name: value for name, value in self.payload.items() if name != "chunks"}
        with atomic_folder(folder, (f"{CONTENTS}.js",)) as temporary:
            for name, data in {CONTENTS: contents, **self.payload["chunks"]}.items():
                line = f"(window.gendaPacks ??= {{}})[{json.dumps(name)}]={_json(data)};\n"
                (temporary / f"{name}.js").write_text(line, encoding="utf-8")
            (temporary / PROGRAM).write_text(script("explorer"), encoding="utf-8")


class Packed:
    """A pack that stands beside a page, shown where it is looked at."""

    def __init__(self, address: str, live: str | None):
        self.address, self.live = address, live

    def _repr_html_(self) -> str:
        address = html.escape(self.address)
        live = f' data-live="{html.escape(self.live)}"' if self.live else ""
        return (
            f'{WAITING} data-pack="{address}"{live}><p>This figure is drawn here from files that come with the page. '
            "In a running notebook, <code>genda_lite.show.explorer()</code> computes it instead.</p>"
            f'{NO_SCRIPT}<script defer src="{address}/{PROGRAM}"></script>'
        )


def packed(address: str = "../_static/explorer", live: str | None = "../_static/live") -> Packed:
    """Show a pack written by `Explorer.write`.

    Args:
        address: of its folder, as seen from the page; by default where the pages of this book find theirs.
        live: the folder of what draws ensembles in the page, on request; None for a pack without.
    """
    return Packed(address, live)


def _json(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def static_explorer(
    frames: xr.Dataset,
    dials: Mapping[str, str | Callable[[Any], str]],
    channels: Mapping[str, ChannelStyle] | None = None,
    magnitudes: Collection[str] | Mapping[str, str] = ("spread",),
    start: Mapping[str, Any] | None = None,
    views: Mapping[str, Collection[str]] | None = None,
    against: str | None = None,
    split: Collection[str] = (),
    smooth: float | None = None,
    differences: Mapping[str, tuple[str, str, str]] | None = None,
    title: str = "Explorer",
    abstract: bool = False,
) -> Explorer:
    """Maps, scores and a chart under controls, from results computed for every setting of the controls.

    Variables of `frames` over latitude and longitude become map panels, in their order; the others become scores. Each
    may also have the dimensions (dials…, channel), and has `attrs["long_name"]` as its title. A score without
    `attrs["units"]` is in the channel's units, and a chart shows it. The chart draws it against the score `against` if
    there is one (then scores with units "1" get a strip of their own), else against the dial moved last.

    A dial of numbers becomes a slider, one of truth values a switch, one of words a row of buttons.

    Args:
        frames: the results; dials, `latitude` and `longitude` (degrees, evenly spaced) and, where there are
            several, `channel` (names) are coordinates. A dial's `attrs["long_name"]` labels its control. NaN:
            no value.
        dials: dimension -> the setting in words, a format such as "cloud {:g} %" or a function of the value.
        channels: name -> style, where the default styles of the state's channels do not serve.
        magnitudes: panels with colours of their own, from zero; all others of a channel share one range of
            colours. Either spans every setting, so that a colour keeps its meaning while a slider moves. Given as
            panel -> group, the panels of a group share theirs.
        start: dial -> the value shown first; where not given, the middle of a slider, else the first.
        views: title -> the panels to show, a choice for the reader; by default all.
        against: a positive score, the same in every channel, that the others are drawn against; it should depend on
            one dial or a few.
        split: dials whose settings are kept in files of their own when a pack is written.
        smooth: keep complete maps as waves, rounded to this fraction of the range of colours (see `pack_smooth`): a
            fraction of the size. By default every value is kept in one byte.
        differences: name -> title and two panels: a further one, which the page works out itself, of how far the first
            departs from the second, in the colours of the first group of magnitudes.
        title: names the explorer to screen readers.
        abstract: the fields lie nowhere on Earth: no degrees along the maps, and cells have numbers, not places.

    Raises:
        InputError: a dimension, coordinate, panel or score is missing or unknown, or a field has no value at all.
    """
    frames = _checked(frames, dials)
    panels = [name for name, variable in frames.items() if set(GRID) <= set(variable.dims)]
    scores = [name for name in frames if name not in panels and name != against]
    if not panels:
        raise InputError("the frames hold no map: no variable has the dimensions latitude and longitude")
    differences = dict(differences or {})
    views = {"All": [*panels, *differences]} if views is None else views
    for what, names, known in (
        ("view", [name for shown in views.values() for name in shown], [*panels, *differences]),
        ("panel of a difference", [name for _, *two in differences.values() for name in two], panels),
        ("score", [against] if against else [], [name for name in frames if name not in panels]),
        ("split dial", split, dials),
    ):
        if unknown := [name for name in names if name not in known]:
            raise InputError(f"{what} {unknown[0]!r} is unknown, expected one of {_listed(known)}")
    groups = magnitudes if isinstance(magnitudes, Mapping) else {name: name for name in magnitudes}
    kinds = {panel: groups.get(panel, "field") for panel in panels}
    magnitude = next(iter(groups.values()), "field")
    complete = {panel: smooth is not None and bool(frames[panel].notnull().all()) for panel in panels}
    styles = STYLES | dict(channels or {})
    names = [str(name) for name in frames.channel.values]
    chunks: dict[str, dict[str, str]] = {}

    def describe(name: str) -> dict[str, Any]:
        """What the page knows of a panel or a score, in every channel."""
        variable = frames[name]
        title = variable.attrs.get("long_name", name)
        return {"name": name, "title": title, "dials": [dial for dial in dials if dial in variable.dims]}

    def field(channel: str, panel: str, variable: xr.DataArray, scale: dict[str, Any]) -> dict[str, Any]:
        """Put a panel's maps into their chunks, and say how they are kept there."""
        variable = _varying(variable, dials)
        apart = [dial for dial in split if dial in variable.dims]
        # A panel that depends on one of the dials that split a pack stands in the files of all of them.
        for settings in product(*(frames[dial].values.tolist() for dial in (split if apart else ()))):
            part = variable.sel({dial: s for dial, s in zip(split, settings, strict=False) if dial in apart})
            values = part.values.reshape(-1, *part.shape[-2:])
            if complete[panel]:
                text = pack_smooth((values - scale["low"]) / (scale["high"] - scale["low"]), smooth)
            else:
                text = pack(quantise(values, scale["low"], scale["high"]))
            chunks.setdefault("-".join(map(str, (channel, *settings))), {})[panel] = text
        dims = [dial for dial in dials if dial in variable.dims and dial not in apart]
        count = math.prod(frames.sizes[dial] for dial in dims)
        how = {"step": smooth, "count": count} if complete[panel] else {}
        return {"dials": dims, "split": bool(apart)} | how

    def channel_data(name: str) -> dict[str, Any]:
        """Colours, fields and scores of one channel."""
        here, style = frames.sel(channel=name), styles.get(name, ChannelStyle(name))
        scales = {
            kind: colour_scale(name, [here[panel].values for panel in panels if kinds[panel] == kind], style, kind)
            for kind in dict.fromkeys(kinds.values())
        }
        return {
            "name": name,
            "title": style.long_name,
            "units": style.units,
            "scales": scales,
            "fields": {panel: field(name, panel, here[panel], scales[kinds[panel]]) for panel in panels},
            "scores": {score: _flat(here[score], dials) for score in scores},
        }

    def dial_data(name: str, words: str | Callable[[Any], str]) -> dict[str, Any]:
        """A control, and whether it moves one panel only and no score."""
        moved = [each for each in (*panels, *scores) if name in frames[each].dims]
        own = bool(scores) and len(moved) == 1 and moved[0] in panels
        return control(frames[name], words, start or {}) | {"own": own}

    axis = None
    if against:
        only = frames[against].isel(channel=0) if "channel" in frames[against].dims else frames[against]
        axis = describe(against) | _flat(_varying(only, dials), dials) | {"units": frames[against].attrs.get("units")}
    return Explorer(
        {
            "title": title,
            "abstract": abstract,
            "latitude": frames.latitude.values[[0, -1]].tolist(),
            "longitude": frames.longitude.values[[0, -1]].tolist(),
            "shape": [frames.sizes[dim] for dim in GRID],
            "dials": [dial_data(name, words) for name, words in dials.items()],
            "panels": [
                *(describe(panel) | {"kind": kinds[panel], "smooth": complete[panel]} for panel in panels),
                *(difference(name, *about, magnitude) for name, about in differences.items()),
            ],
            "views": [{"title": title, "panels": list(shown)} for title, shown in views.items()],
            "scores": [describe(score) | {"units": frames[score].attrs.get("units")} for score in scores],
            "against": axis,
            "split": list(split),
            "channels": [channel_data(name) for name in names],
            "chunks": chunks,
        }
    )


def difference(name: str, title: str, first: str, second: str, kind: str) -> dict[str, Any]:
    """A panel that the page works out of two others."""
    return {"name": name, "title": title, "dials": [], "kind": kind, "smooth": True, "of": [first, second]}


def _varying(variable: xr.DataArray, dials: Collection[str]) -> xr.DataArray:
    """Without the dials along which nothing changes."""
    for dial in dials:
        if dial in variable.dims and bool(
            ((variable == variable.isel({dial: 0})) | variable.isnull() & variable.isel({dial: 0}).isnull()).all()
        ):
            variable = variable.isel({dial: 0}, drop=True)
    return variable


def _flat(variable: xr.DataArray, dials: Collection[str]) -> dict[str, Any]:
    """The numbers of a score, and the dials they run over."""
    return {"dials": [dial for dial in dials if dial in variable.dims], "values": numbers(variable.values)}


def north_up(frames: xr.Dataset) -> xr.Dataset:
    """With north at the top and west at the left, as maps are drawn."""
    return frames.sortby("latitude", ascending=False).sortby("longitude")


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
    return north_up(frames.transpose(*known, missing_dims="ignore"))


def _listed(names: Collection) -> str:
    return ", ".join(map(str, names))


def colour_scale(
    channel: str, fields: Sequence[np.ndarray], style: ChannelStyle, kind: str, like: np.ndarray | None = None
) -> dict[str, Any]:
    """Range and colours that some panels of a channel share. The range holds every value; the colours span the limits
    of all maps of the book, or a few outliers would make all others pale.

    Args:
        kind: "field", or else magnitudes, from zero.
        like: a map whose limits the colours span, instead of those of all fields.

    Raises:
        InputError: no field has a value.
    """
    values = np.concatenate([field[np.isfinite(field)] for field in fields])
    if not values.size:
        raise InputError(f"channel {channel!r} has no value to draw in its panels of kind {kind!r}")
    if kind != "field":
        style = maps.STYLES["spread"]
    first, last = maps.color_limits(xr.DataArray(values if like is None else like), style)
    if kind != "field":
        first = 0.0
    low, high = min(first, float(values.min())), max(last, float(values.max()))
    ends = ((first - low) / (high - low), (last - low) / (high - low))
    return {"low": low, "high": high, "drawn": [first, last], "colours": colour_table(style.colormap, *ends)}


def control(values: xr.DataArray, words: str | Callable[[Any], str], start: Mapping[str, Any]) -> dict[str, Any]:
    """What the page knows of a control: its label, its settings and what each is called."""
    name, settings = str(values.name), values.values.tolist()
    kind = {bool: "switch", str: "choice"}.get(type(settings[0]), "slider")
    first = start.get(name, settings[len(settings) // 2 if kind == "slider" else 0])
    if first not in settings:
        raise InputError(f"dial {name!r} cannot start at {first!r}, expected one of {_listed(settings)}")
    say = words.format if isinstance(words, str) else words
    return {
        "name": name,
        "kind": kind if kind != "switch" or settings == [False, True] else "choice",
        "title": values.attrs.get("long_name", name),
        "settings": settings,
        "words": [say(setting) for setting in settings],
        "start": settings.index(first),
    }


def numbers(values: np.ndarray) -> list[float | None]:
    """Flat, four digits each; JSON has no NaN."""
    return [float(f"{value:.4g}") if np.isfinite(value) else None for value in values.ravel()]
