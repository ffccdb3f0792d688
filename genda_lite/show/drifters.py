"""Drifters and currents, drawn: tracks over analyses, day by day, and the table of `genda evaluate ose`."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr
from cartopy.mpl.geoaxes import GeoAxes
from matplotlib.figure import Figure

from ..errors import InputError
from ..sources import ragged_slices
from ..state import Grid
from ..verify.ose.judge import DAILY, HOURLY, IN_WORDS, ORDER, OURS, PARTS, ours_less
from ..verify.table import pick, pivot
from .calibration import BLUE, GREY, ORANGE
from .maps import FONT, WIDTH, ccrs, plot_map
from .static import ChannelStyle, Explorer, static_explorer

DAY = np.timedelta64(1, "D")


def plot_day(
    current: xr.Dataset,
    drifters: xr.Dataset,
    date: np.datetime64,
    days: float = 2.0,
    ax: GeoAxes | None = None,
    title: str | None = None,
    every: int = 6,
) -> GeoAxes:
    """The speed of a current with the paths of drifters around a date, and their velocities every few hours.

    Args:
        current: `uo`, `vo` (m s-1), dims (latitude, longitude).
        drifters: ragged array, see `read_drifters`. days: before and after the date. every: hours between arrows.

    Returns:
        the axes.
    """
    speed = np.hypot(current["uo"], current["vo"]).rename("speed").assign_attrs(units="m s-1", long_name="Speed")
    ax = plot_map(speed, ax, title=title)
    plate = ccrs.PlateCarree()
    for rows in ragged_slices(drifters):
        one = drifters.isel(obs=rows)
        near = np.abs(one["time"].values - np.datetime64(date, "ns")) <= days * DAY
        if near.sum() > 1:
            one = one.isel(obs=near)
            ax.plot(one["longitude"], one["latitude"], color="k", lw=1.4, transform=plate)
            some = one.isel(obs=slice(0, None, every))
            ax.quiver(
                some["longitude"].values, some["latitude"].values, some["u"].values, some["v"].values,
                color=ORANGE, scale=14, width=0.004, zorder=4, transform=plate,
            )  # fmt: skip
    return ax


def plot_velocity(drifter: xr.Dataset, mean: xr.Dataset, analysis: xr.Dataset | None = None) -> Figure:
    """Hourly velocity of one drifter, its running mean, and the ensemble along its way.

    Args:
        drifter, mean: `u`, `v` along obs (m s-1), hourly and smoothed.
        analysis: `uo`, `vo` along (member, obs) at the drifter's places; drawn as mean and two standard deviations.
    """
    with plt.rc_context(FONT):
        figure, axes = plt.subplots(2, 1, figsize=(WIDTH, 4.2), sharex=True, layout="constrained")
        for ax, (name, ours, label) in zip(axes, (("u", "uo", "eastward"), ("v", "vo", "northward")), strict=True):
            ax.plot(drifter["time"], drifter[name], color=GREY, lw=0.8, label="drifter, hourly")
            ax.plot(mean["time"], mean[name], color="k", lw=1.6, label="drifter, 24-hour mean")
            if analysis is not None:
                middle, spread = analysis[ours].mean("member"), analysis[ours].std("member", ddof=1)
                ax.fill_between(drifter["time"], middle - 2 * spread, middle + 2 * spread, color=BLUE, alpha=0.25, lw=0)
                ax.plot(drifter["time"], middle, color=BLUE, lw=1.4, label="analysis, two standard deviations")
            ax.set_ylabel(f"{label} (m/s)")
            ax.axhline(0, color="k", lw=0.5)
        axes[0].legend(ncols=3, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, 1.25), frameon=False)
        for label in axes[1].get_xticklabels():
            label.set_rotation(20)
    return figure


def plot_differences(judged: pd.DataFrame) -> Figure:
    """Mean vector error and CRPS of ours less those of every other product, with 95 % intervals: left is better.

    Dots: hour by hour; rings: of 24-hour means.

    Args:
        judged: the table of `genda evaluate ose --table` (`verify.table`).

    Raises:
        InputError: it has no such differences.
    """
    names = [name for name in ours_less(judged, "crps", case=HOURLY, date="").index if name not in PARTS]
    with plt.rc_context(FONT):
        size = (WIDTH, 1.1 + 0.42 * len(names))
        figure, axes = plt.subplots(1, 2, figsize=size, sharey=True, layout="constrained")
        titles = {"vector_error": "mean vector error", "crps": "CRPS"}
        for ax, (metric, title) in zip(axes, titles.items(), strict=True):
            for case, shift, filled in ((HOURLY, -0.13, True), (DAILY, 0.13, False)):
                table = ours_less(judged, metric, case=case, date="")
                for place, name in enumerate(names):
                    if name not in table.index:  # a dressed product has the vector error of the undressed one
                        continue
                    value, *ends = table.loc[name, ["value", "low", "high"]]
                    colour = BLUE if ends[1] < 0 else ORANGE if ends[0] > 0 else "0.35"
                    ax.plot(ends, [place + shift] * 2, color=colour, lw=1.6)
                    ax.plot(value, place + shift, "o", ms=5.5, color=colour, mfc=colour if filled else "w")
            ax.axvline(0, color="k", lw=0.8)
            ax.set(title=title, xlabel="ours less the other (m/s)")
            ax.set_xscale("symlog", linthresh=0.02)
            ticks = [-0.2, -0.1, -0.05, -0.02, -0.01, 0, 0.01, 0.02]
            left, right = ax.get_xlim()
            ax.set_xticks([t for t in ticks if left <= t <= right], [f"{t:g}" for t in ticks if left <= t <= right])
            ax.tick_params(axis="x", labelrotation=45)
        for label, face in (("hourly", "0.35"), ("24-hour means", "w")):
            axes[0].plot([], [], "o", color="0.35", mfc=face, label=label)
        figure.legend(loc="outside lower center", ncols=2, fontsize=9)
        axes[0].set_yticks(range(len(names)), [IN_WORDS.get(name, name) for name in names])
        axes[0].invert_yaxis()
    return figure


def plot_separation(judged: pd.DataFrame, names: Sequence[str] = ORDER) -> Figure:
    """How far synthetic drifters are from real ones, day by day.

    Args:
        judged: the table of `genda evaluate ose --table` (`verify.table`).

    Raises:
        InputError: it has no separations.
    """
    found = pivot(pick(judged, metric="separation", date=""), columns="zone")
    days = np.arange(1, 1 + found.shape[1])
    with plt.rc_context(FONT):
        figure, ax = plt.subplots(figsize=(0.75 * WIDTH, 3.6), layout="constrained")
        shown = [name for name in (*names, "none moves") if name in found.index and name not in PARTS]
        for name, mark in zip(shown, "ov^sDP*Xd", strict=False):
            bold = {"color": BLUE, "lw": 2.4, "zorder": 3} if name == OURS else {"lw": 1.2}
            ax.plot(days, found.loc[name], marker=mark, ms=4.5, label=IN_WORDS.get(name, name), **bold)
        ax.set(xlabel="days after the start", ylabel="separation (km)", xticks=days)
        ax.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    return figure


def painted(drifters: xr.Dataset, grid: xr.Dataset, date: np.datetime64, days: float = 2.0) -> np.ndarray:
    """The speed that drifters had around a date, in the cells of a grid they were in; NaN elsewhere, (ny, nx)."""
    near = np.abs(drifters["time"].values - np.datetime64(date, "ns")) <= days * DAY
    here = drifters.isel(obs=np.flatnonzero(near))
    shape = grid.sizes["latitude"], grid.sizes["longitude"]
    cells = Grid(grid["latitude"].values, grid["longitude"].values)
    row, column = cells.nearest(here["latitude"].values, here["longitude"].values)
    inside = (row >= 0) & (row < shape[0]) & (column >= 0) & (column < shape[1])
    cell = np.ravel_multi_index((row[inside], column[inside]), shape)
    speed = np.hypot(here["u"].values, here["v"].values)[inside]
    count, total = (np.bincount(cell, w, shape[0] * shape[1]) for w in (np.ones(len(cell)), speed))
    with np.errstate(invalid="ignore"):
        return (total / count).reshape(shape)


def day_explorer(maps: xr.Dataset, drifters: xr.Dataset, every: int = 1) -> Explorer:
    """Analysed speed, its spread and what drifters measured around each day, under a slider that works on a page.

    Args:
        maps: of `verify.ose.summary_maps`. drifters: ragged array. every: so many days.

    Raises:
        InputError: the maps lack a variable.
    """
    missing = [name for name in ("uo", "vo", "spread") if name not in maps]
    if missing:
        raise InputError(f"the maps lack {', '.join(missing)}, expected those of `genda evaluate ose --maps`")
    some = maps.isel(time=slice(None, None, every))
    dims, days = ("day", "latitude", "longitude"), some["time"].values
    frames = xr.Dataset(
        coords={d: some[d].values for d in dims[1:]} | {"channel": "speed", "day": np.arange(len(days))}
    )
    frames["day"].attrs["long_name"] = "Day"
    speed = np.hypot(some["uo"], some["vo"]).transpose("time", *dims[1:]).values
    told = np.stack([painted(drifters, some, day) for day in days])
    frames["mean"] = (dims, speed, {"long_name": "Analysed speed"})
    frames["drifters"] = (dims, told, {"long_name": "Drifters, 2 days around"})
    frames["spread"] = (dims, some["spread"].transpose("time", *dims[1:]).values, {"long_name": "Spread"})
    style = {"speed": ChannelStyle("Current", "m/s", "cmo.speed")}
    words = [pd.Timestamp(day).strftime("%-d %B") for day in days]
    return static_explorer(
        frames, {"day": lambda n: words[int(n)]}, style, smooth=2e-3, title="Analysed current and drifters, day by day"
    )
