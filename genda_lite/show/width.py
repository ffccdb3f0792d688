"""How wide a prior has to be, drawn: priors beside each other on oceans that they were not made of."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..errors import InputError
from ..verify.table import less, number, pick
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
    first, used = next(iter(contenders)), []
    with plt.rc_context(FONT):
        figure = plt.figure(figsize=(WIDTH, 1.9 + 0.52 * len(contenders)), layout="constrained")
        blocks = dict(zip(("crps", "spread_skill"), figure.subfigures(2, 1), strict=True))
        for metric, block in blocks.items():
            axes = block.subplots(1, len(judges), sharex=True, sharey=True, squeeze=False)[0]
            for ax, judge in zip(axes, judges, strict=True):
                here = pick(table, case=judge, metric=metric)
                held = [c for c in CHANNELS if len(here) and c in set(here.dropna(subset="value")["channel"])]
                for shift, channel in zip(np.linspace(-0.22, 0.22, len(held)) if len(held) > 1 else [0.0], held,
                                          strict=True):
                    words, mark, color = CHANNELS[channel]
                    yardstick = number(here, method=first, channel=channel) if metric == "crps" else 1.0
                    for place, name in enumerate(contenders):
                        value, style = number(here, method=name, channel=channel) / yardstick, {"color": color}
                        if value > FARTHEST:
                            ax.plot(FARTHEST, place + shift, ">", ms=4.5, **style)
                            ax.text(0.97 * FARTHEST, place + shift, f"{value:.1f}", ha="right", va="center", fontsize=7)
                            continue
                        label = words if channel not in used else None
                        ax.plot(value, place + shift, mark, ms=4.5, label=label, **style)
                        used.append(channel)
                        paired = table[(table["case"] == judge) & (table["method"] == name)
                                       & (table["channel"] == channel) & (table["metric"] == less("crps", first))]
                        if metric == "crps" and len(paired):
                            ax.plot(1 + paired[["low", "high"]].values[0], [place + shift] * 2, lw=1.2, **style)
                if metric == "spread_skill":
                    ax.axvspan(0.9, 1.1, color=GREY, alpha=0.2, lw=0)
                else:
                    ax.set_title(JUDGES[judge])
                ax.axvline(1, color="k", lw=0.8)
            axes[0].set_xlim(right=1.03 * FARTHEST)
            axes[0].set_yticks(range(len(contenders)), contenders.values())
            axes[0].invert_yaxis()
        blocks["crps"].supxlabel(f"CRPS / CRPS of {contenders[first]}", fontsize=FONT["font.size"])
        blocks["spread_skill"].supxlabel("spread / error of the mean", fontsize=FONT["font.size"])
        marks = {line.get_label(): line for ax in blocks["crps"].axes for line in ax.lines}
        marks = {word: marks[word] for word, _, _ in CHANNELS.values() if word in marks}
        figure.legend(marks.values(), marks, loc="outside lower center", ncols=len(marks), frameon=False, fontsize=8)
    return figure
