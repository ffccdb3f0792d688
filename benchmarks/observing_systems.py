"""What observing systems see: a table of their density, and a picture of tracks, swath, clouds and an L4 map.

    python benchmarks/observing_systems.py picture.png
"""

import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from genda_lite import Grid
from genda_lite.observe.instruments import InstrumentErrors
from genda_lite.observe.orbits import MISSIONS, ground_track, swath
from genda_lite.observe.smooth_maps import MAPS
from genda_lite.observe.swath import swath_errors
from genda_lite.observe.systems import NADIR, ObservingSystem, constellation, density
from genda_lite.sources import load_sample

DATE = np.datetime64("2000-12-31T12:00")
LATITUDE, LONGITUDE = (33.0, 43.0), (-65.0, -55.0)
WINDOW = DATE - np.timedelta64(5, "D"), DATE + np.timedelta64(5, "D")


def table(truth) -> pd.DataFrame:
    """Altimetry in ten days: observations a square degree, and the share of cells within 25 km of one."""
    grid = Grid(truth["latitude"].values, truth["longitude"].values)
    rows = []
    for swot in (False, True):
        for number in range(1 - swot, len(NADIR) + 1):
            seen = ObservingSystem(constellation(number), swot, cloud=1.0).observe(truth, DATE)
            rows.append({"nadir": number, "swot": swot, "observations": len(seen)} | density(seen, grid))
    return pd.DataFrame(rows).round(2)


def missions() -> pd.DataFrame:
    """Passes and 1 Hz points a day in the box, over the mission's cycle or 60 days."""
    rows = []
    for name, orbit in MISSIONS.items():
        days = min(orbit.cycle, 60.0)
        points = ground_track(orbit, DATE, DATE + np.timedelta64(round(days * 86400), "s"), LATITUDE, LONGITUDE)
        passes = len(np.unique(points["track"])) / days
        rows.append({"mission": name, "passes a day": passes, "points a day": points.sizes["point"] / days})
    return pd.DataFrame(rows).round(2)


def picture(truth, path: str) -> None:
    figure, axes = plt.subplots(3, 4, figsize=(17, 13), layout="constrained")
    axes = axes.ravel()
    for number, axis in zip((1, 2, 3, 5, 7), axes, strict=False):
        for name in constellation(number):
            points = ground_track(MISSIONS[name], *WINDOW, LATITUDE, LONGITUDE)
            axis.plot(points["longitude"], points["latitude"], ".", ms=1, label=name)
        axis.set_title(f"{number} nadir altimeter{'s' * (number > 1)}, 10 days")
    axes[4].legend(fontsize=7, markerscale=8, loc="upper right")

    cells = swath(MISSIONS["SWOT"], *WINDOW, LATITUDE, LONGITUDE, 2.0)
    nadir = ground_track(MISSIONS["SWOT"], *WINDOW, LATITUDE, LONGITUDE)
    error = swath_errors(cells, InstrumentErrors(), 2.0)
    shown = {"correlated error (cm)": error["roll"] + error["timing"], "whole error (cm)": sum(error.values())}
    for axis, (title, values) in zip(axes[5:7], shown.items(), strict=True):
        where = cells["longitude"], cells["latitude"]
        dots = axis.scatter(*where, 0.3, 100 * values, cmap="RdBu_r", vmin=-4, vmax=4, lw=0)
        axis.plot(nadir["longitude"], nadir["latitude"], "k.", ms=0.3)
        axis.set_title(f"SWOT, 10 days: {title}")
        figure.colorbar(dots, ax=axis, shrink=0.8)

    for axis, cloud in zip(axes[7:9], (0.5, 0.9), strict=True):
        seen = ObservingSystem((), cloud=cloud).observe(truth, DATE)
        dots = axis.scatter(seen.longitude, seen.latitude, 2, seen.value, cmap="viridis", lw=0)
        axis.set_title(f"SST (degC), {100 * cloud:.0f} % cloud")
        figure.colorbar(dots, ax=axis, shrink=0.8)

    parts = ObservingSystem(NADIR, cloud=1.0, l4=("zos",)).parts(truth, DATE)
    today = truth["zos"].sel(time=DATE, method="nearest")
    limits = {"cmap": "RdBu_r", "vmin": -1, "vmax": 1}
    axes[9].pcolormesh(today["longitude"], today["latitude"], today, **limits)
    axes[9].set_title("true sea level (m)")
    seen = parts["l4 zos"]
    axes[10].scatter(seen.longitude, seen.latitude, 190, seen.value, marker="s", lw=0, **limits)
    axes[10].set_title(f"L4: blurred by {MAPS['zos'].width:.0f} km, its points")
    for name in NADIR:
        seen = parts[name]
        dots = axes[11].scatter(seen.longitude, seen.latitude, 2, seen.error, vmin=0, vmax=0.25, lw=0)
    axes[11].set_title("stated error of altimetry (m)")
    figure.colorbar(dots, ax=axes[11], shrink=0.8)
    for axis in axes:
        axis.set(xlim=LONGITUDE, ylim=LATITUDE, aspect=1 / np.cos(np.radians(38)))
    figure.savefig(path, dpi=80)


if __name__ == "__main__":
    heldout = load_sample("nature_heldout").isel(member=0)
    print(missions().to_string(index=False))
    print(table(heldout).to_string(index=False))
    if len(sys.argv) > 1:
        picture(heldout, sys.argv[1])
