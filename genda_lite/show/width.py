"""How wide a prior has to be, drawn: priors beside each other on oceans that they were not made of."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..errors import InputError
from ..verify.table import less, number, pick
from .board import _beyond
from .calibration import BLUE, GREY, ORANGE
from .maps import FONT, WIDTH

JUDGES = {  # of the table -> in words
    "old oceans": "Oceans of\nthe old width",
    "tuning twin": "Twin of another\nstructure",
    "real temperature": "Real\ntemperature",
    "real current": "Real\ncurrent",
    "real sea level": "Real\nsea level",
}
CHANNELS = {  # with marks that differ in shape and in lightness
    "zos": ("sea level", "o", BLUE),
    "thetao": ("temperature", "s", ORANGE),
    "so": ("salinity", "^", "k"),
    "current": ("current", "D", GREY),
}
FARTHEST = 1.5  # ratio that is drawn to scale


def plot_width(table: pd.DataFrame, contenders: Mapping[str, str]) -> Figure:
    """CRPS over that of the first contender, and spread over error of the mean, by every judge there is.

    Left of the line is better above; below, one is calibrated and 0.9 to 1.1 shaded. A stroke is the 95 % interval of
    the paired difference, where the table has one. Arrows: beyond the axis.

    Args:
        table: of `benchmarks/width.py`. contenders: its methods, in order, and what they are called.

    Raises:
        InputError: the table has none of the judges, or lacks a contender.
    """
    judges = [judge for judge in JUDGES if judge in set(table["case"])]
    if not judges:
        raise InputError(f"the table has no judge, expected cases of {', '.join(JUDGES)}")
    first = next(iter(contenders))
    with plt.rc_context(FONT):
        figure = plt.figure(figsize=(WIDTH, 1.9 + 0.52 * len(contenders)), layout="constrained")
        told = contenders[first][0].lower() + contenders[first][1:]
        labels = {"crps": f"CRPS / CRPS of {told}", "spread_skill": "spread / error of the mean"}
        for (metric, label), block in zip(labels.items(), figure.subfigures(2, 1), strict=True):
            axes = block.subplots(1, len(judges), sharex=True, sharey=True, squeeze=False)[0]
            for ax, judge in zip(axes, judges, strict=True):
                _draw(ax, table[table["case"] == judge], metric, list(contenders), first)
                if metric == "crps":
                    ax.set_title(JUDGES[judge])
            axes[0].set_xlim(right=1.03 * FARTHEST)
            axes[0].set_yticks(range(len(contenders)), contenders.values())
            axes[0].set_ylim(len(contenders) - 0.4, -0.6)
            block.supxlabel(label, fontsize=FONT["font.size"])
        marks = {words: Line2D([], [], color=color, marker=mark, ls="", ms=4.5)
                 for channel, (words, mark, color) in CHANNELS.items() if channel in set(table["channel"])}
        figure.legend(marks.values(), marks, loc="outside lower center", ncols=len(marks), frameon=False, fontsize=8)
    return figure


def _draw(ax: Axes, table: pd.DataFrame, metric: str, contenders: Sequence[str], first: str) -> None:
    """A judge's figures: a row for each contender, and in it a mark for each channel."""
    here = pick(table, metric=metric).dropna(subset="value")
    channels = [channel for channel in CHANNELS if channel in set(here["channel"])]
    for channel, shift in zip(channels, 0.22 * (np.arange(len(channels)) - (len(channels) - 1) / 2), strict=True):
        _, mark, color = CHANNELS[channel]
        yardstick = number(here, method=first, channel=channel) if metric == "crps" else 1.0
        for place, name in enumerate(contenders):
            at, value = place + shift, number(here, method=name, channel=channel) / yardstick
            if value > FARTHEST:
                _beyond(ax, at, f"{value:.1f}", {"color": color}, FARTHEST)
                continue
            ax.plot(value, at, mark, ms=4.5, color=color)
            paired = table[table["metric"].eq(less("crps", first)) & table["method"].eq(name)
                           & table["channel"].eq(channel)]
            if metric == "crps" and len(paired):
                ax.plot(1 + paired[["low", "high"]].values[0], [at] * 2, lw=1.2, color=color)
    if metric == "spread_skill":
        ax.axvspan(0.9, 1.1, color=GREY, alpha=0.2, lw=0)
    ax.axvline(1, color="k", lw=0.8)
