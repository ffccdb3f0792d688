"""Draw the figures of the data card from the embedded data.

    python data_samples/draw.py
"""

from pathlib import Path

import cartopy.crs as ccrs
import cmocean.cm as cmo
import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from genda_lite.ocean.currents import relative_vorticity
from genda_lite.show.maps import plot_map
from genda_lite.sources import load_sample

FOLDER = Path(__file__).resolve().parent
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


def main() -> None:
    heldout, training = load_sample("nature_heldout"), load_sample("nature_training")
    dates = np.linspace(0, heldout.sizes["time"] - 1, 4).astype(int)
    year = [(str(heldout["time"].values[i])[:10], heldout.isel(member=0, time=i)) for i in dates]
    oceans = [(f"ocean {m}", training.isel(member=m, time=1)) for m in range(0, training.sizes["member"], 2)]
    panels(year).savefig(FOLDER / "heldout_year.png", dpi=70, bbox_inches="tight")
    panels(oceans[:4]).savefig(FOLDER / "training_oceans.png", dpi=70, bbox_inches="tight")


if __name__ == "__main__":
    main()
