"""Draw the figures of the data card from the embedded data, and the README's moving picture from the book's film.

    python data_samples/draw.py
"""

import base64
import io
import json
import zlib
from pathlib import Path

import cartopy.crs as ccrs
import cmocean.cm as cmo
import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from PIL import Image
from scipy.fft import idctn

from genda_lite.files import atomic_path
from genda_lite.ocean.currents import relative_vorticity
from genda_lite.show.maps import plot_map
from genda_lite.sources import load_sample

FOLDER = Path(__file__).resolve().parent
FILM = FOLDER.parent / "book" / "_static" / "live" / "film.js"  # what `genda first-screen` wrote
# Limits of the panels: variable -> colour map, low, high, label.
PANELS = {
    "zos": (cmo.balance, -1.1, 1.1, "sea level (m)"),
    "thetao": (cmo.thermal, 5, 28, "temperature (degC)"),
    "so": (cmo.haline, 33, 36.8, "salinity"),
    "vorticity": (cmo.curl, -0.6, 0.6, "vorticity/f"),
}


def panels(frames: list[tuple[str, xr.Dataset]]) -> Figure:
    """A row for each frame, a column for each field."""
    figure, axes = plt.subplots(
        len(frames),
        len(PANELS),
        figsize=(3.4 * len(PANELS), 2.9 * len(frames)),
        subplot_kw={"projection": ccrs.PlateCarree()},
        squeeze=False,
        layout="compressed",
    )
    for row, (heading, frame) in zip(axes, frames, strict=True):
        fields = frame.assign(vorticity=relative_vorticity(frame["uo"], frame["vo"]))
        for ax, (name, (colormap, low, high, label)) in zip(row, PANELS.items(), strict=True):
            plot_map(fields[name], ax, colormap, low, high, f"{label}, {heading}", "")
    return figure


def unpacked(text: str, count: int, shape: tuple[int, int], step: float) -> np.ndarray:
    """What `show.static.pack_smooth` packed: (count, rows, columns)."""
    low, high = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8).reshape(2, -1).astype(int)
    folded = (low + 256 * high).reshape(-1, count).T
    y, x = np.indices(shape)
    order = np.argsort((y**2 + x**2).ravel(), kind="stable")
    amplitudes = np.zeros((count, y.size))
    amplitudes[:, order[: folded.shape[1]]] = step * np.where(folded % 2, -(folded + 1) // 2, folded // 2)
    return idctn(amplitudes.reshape(count, *shape), axes=(1, 2), norm="ortho")


def film(path: Path, size: float = 2.2, dpi: int = 90) -> None:
    """The film of the book's first screen as a moving picture (animated WebP): satellites cross a true ocean, and the
    ensemble sharpens."""
    text = FILM.read_text(encoding="utf-8")
    story = json.loads(text[text.index("]=") + 2 : text.rindex(";")])
    shape, count, stages = tuple(story["shape"]), story["members"], story["stages"]
    (north, south), (west, east) = story["latitude"], story["longitude"]
    rows = []
    for channel in story["channels"]:
        low, high = (channel["scales"]["field"][end] for end in ("low", "high"))
        maps = {
            name: low + (high - low) * unpacked(packed, channel["counts"][name], shape, channel["step"])
            for name, packed in channel["maps"].items()
        }
        members = maps["members"].reshape(len(stages), count, *shape)
        known = [np.broadcast_to(maps["truth"], members[:, 0].shape), members.mean(1), members[:, 0]]
        colours = {"zos": cmo.balance, "thetao": cmo.thermal}[channel["name"]]
        ends = channel["scales"]["field"]["drawn"]
        rows.append((channel, [*((field, colours, ends) for field in known)]))
        rows[-1][1].append((members.std(1, ddof=1), cmo.amp, (0, channel["scales"]["spread"]["drawn"][1])))
    titles = ("true ocean and what was seen", "ensemble mean", "one of the members", "spread: what is not known")
    pictures = []
    for stage, last in enumerate(stages):
        figure, axes = plt.subplots(len(rows), 4, figsize=(4 * size, len(rows) * size + 0.5), layout="compressed")
        for line, (channel, panels_of) in zip(axes, rows, strict=True):
            for ax, (field, colours, (low, high)) in zip(line, panels_of, strict=True):
                ax.imshow(field[stage], colours, extent=(west, east, south, north), vmin=low, vmax=high, aspect="auto")
                ax.set(xticks=[], yticks=[], xlim=(west, east), ylim=(south, north))
            for seen in stages[1 : stage + 1]:
                if seen["channel"] == channel["name"]:
                    line[0].plot(seen["longitude"], seen["latitude"], "k.", markersize=1.5)
            line[0].set_ylabel(f"{channel['title'].lower()} ({channel['units']})")
        for ax, title in zip(axes[0], titles, strict=True):
            ax.set_title(title, fontsize=10)
        what = f"{last['name']}: {last['count']} observations" if last["count"] else "before anything is observed"
        figure.suptitle(what, fontsize=11)
        with io.BytesIO() as stream:
            figure.savefig(stream, dpi=dpi, format="png")
            pictures.append(Image.open(stream).convert("RGB"))
        plt.close(figure)
    times = [1200, *[800] * (len(pictures) - 2), 3000]  # ms
    with atomic_path(path) as temporary:
        pictures[0].save(
            temporary, "WEBP", save_all=True, append_images=pictures[1:], duration=times, loop=0, quality=80, method=6
        )


def main() -> None:
    heldout, training = load_sample("nature_heldout"), load_sample("nature_training")
    dates = np.linspace(0, heldout.sizes["time"] - 1, 4).astype(int)
    year = [(str(heldout["time"].values[i])[:10], heldout.isel(member=0, time=i)) for i in dates]
    oceans = [(f"ocean {m}", training.isel(member=m, time=1)) for m in range(0, training.sizes["member"], 2)]
    panels(year).savefig(FOLDER / "heldout_year.png", dpi=70, bbox_inches="tight")
    panels(oceans[:4]).savefig(FOLDER / "training_oceans.png", dpi=70, bbox_inches="tight")
    film(FOLDER / "film.webp")


if __name__ == "__main__":
    main()
