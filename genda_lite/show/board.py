"""The scoreboard of twin experiments, drawn: who is ahead and how surely, whose spread can be believed, at what cost.

All but `plot_growth` take the table of `genda evaluate osse --table` (`verify.table`).
"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..errors import InputError
from ..state import OCEAN, SURFACE, VARIABLES
from ..verify.engine import OI, OURS, OURS_FAST
from ..verify.table import less
from .calibration import BLUE, GREY, ORANGE
from .maps import FONT, WIDTH

YARDSTICK = OI
RELATIVE = less("crps", YARDSTICK)
FARTHEST = 2.0  # ratio that is drawn to scale
DIVERGED = 100.0  # ratio from which the number is not written
SHORT = {
    "thetao": "Temperature",
    "so": "Salinity",
    "u_ageo_eddy": "Residual current,\neastward",
    "v_ageo_eddy": "Residual current,\nnorthward",
}

WORDS = {  # of methods whose names are not for readers
    "OI, univariate": "optimal interpolation, univariate",
    "OI, multivariate": "optimal interpolation",
    "diffusion": "diffusion, default",
    "diffusion, mmps": "diffusion, MMPS",
    "diffusion, oi-jacobian": "diffusion, OI and Jacobian",
    "diffusion, sda": "diffusion, SDA",
    "diffusion, dps": "diffusion, DPS",
}


def plot_relative(board: pd.DataFrame, channels: Sequence[str] = OCEAN) -> Figure:
    """CRPS of every method over that of multivariate optimal interpolation: left of the line is better. A stroke marks
    each ocean. With enough oceans there are 95 % intervals of the paired difference. Hollow: run on some of the cases
    only. Arrows: values beyond the axis.

    Raises:
        InputError: the frame has no CRPS relative to optimal interpolation.
    """
    shares, order, cases = _some(board, RELATIVE, channels), _methods(board), _by_method(board, "cases")
    each = _some(board, RELATIVE, channels, oceans=True)
    names = [name for name in order if name in set(shares["method"])]
    with plt.rc_context(FONT):
        figure, axes = _panels(channels, height=0.6 + 0.26 * len(names), sharey=True)
        for ax, channel in zip(axes, channels, strict=True):
            here = shares[shares["channel"] == channel].set_index("method").reindex(names)
            for place, (name, one) in enumerate(here.iterrows()):
                style = _style(name) | ({"mfc": "none"} if cases[name] < cases.max() else {})
                if 1 + one["value"] > FARTHEST:
                    _beyond(ax, place, f"{1 + one['value']:.1f}" if one["value"] < DIVERGED else "diverges", style)
                    continue
                if one[["low", "high"]].notna().all():
                    ax.plot(1 + one[["low", "high"]].astype(float), [place] * 2, color=style["color"], lw=1.6)
                ax.plot(1 + one["value"], place, "o", ms=5.5, **style)
                own = each[(each["channel"] == channel) & (each["method"] == name)]["value"]
                ax.vlines(1 + own, place - 0.3, place + 0.3, color=style["color"], lw=1)
            ax.axvline(1, color="k", lw=0.8)
            ax.set(xscale="log", title=_title(channel))
        axes[0].set_xlim(0.55, 1.06 * FARTHEST)
        for ax in axes:
            _plain_ticks(ax)
        axes[0].set_yticks(range(len(names)), [WORDS.get(name, name) for name in names])
        axes[0].invert_yaxis()
        figure.supxlabel(f"CRPS / CRPS of {WORDS[YARDSTICK]}", fontsize=FONT["font.size"])
    return figure


def plot_calibration(board: pd.DataFrame, channels: Sequence[str] = OCEAN) -> Figure:
    """Spread over error of the mean, and how often the truth lies outside all members, for every method with an
    ensemble. One is calibrated; 0.9 to 1.1 is shaded.

    A ratio of one can hide a spread that is too large in some places and too small in others; the ends of the rank
    histogram do not. Arrows: beyond the axis.

    Raises:
        InputError: the frame has no ratio of spread and error, or no ranks.
    """
    told = {"spread_skill": "spread / error of the mean", "outside": "truth outside all members, times as promised"}
    found = {metric: _some(board, metric, channels).dropna(subset="value") for metric in told}
    names = [name for name in _methods(board) if name in set(found["spread_skill"]["method"])]
    with plt.rc_context(FONT):
        figure = plt.figure(figsize=(WIDTH, 1.2 + 0.44 * len(names)), layout="constrained")
        for (metric, label), part in zip(told.items(), figure.subfigures(2, 1), strict=True):
            axes = part.subplots(1, len(channels), sharex=True, sharey=True, squeeze=False)[0]
            for ax, channel in zip(axes, channels, strict=True):
                one = found[metric][found[metric]["channel"] == channel].set_index("method")["value"].reindex(names)
                ax.axvspan(0.9, 1.1, color=GREY, alpha=0.2, lw=0)
                ax.axvline(1, color="k", lw=0.8)
                for place, (name, value) in enumerate(one.items()):
                    if value > FARTHEST:
                        _beyond(ax, place, f"{value:.1f}", _style(name))
                    else:
                        ax.plot(value, place, "o", ms=5.5, **_style(name))
                ax.set(title=_title(channel))
            axes[0].set_xlim(min(0.4, found[metric]["value"].min() - 0.05), 1.06 * FARTHEST)
            axes[0].set_xticks([0.5, 1, 1.5, 2])
            axes[0].set_yticks(range(len(names)), [WORDS.get(name, name) for name in names])
            axes[0].invert_yaxis()
            part.supxlabel(label, fontsize=FONT["font.size"])
    return figure


def plot_cost(board: pd.DataFrame, channels: Sequence[str] = SURFACE) -> Figure:
    """CRPS over that of multivariate optimal interpolation against CPU seconds an analysis: lower left is better.

    Raises:
        InputError: the frame has no seconds, or no CRPS relative to optimal interpolation.
    """
    shares, seconds = _some(board, RELATIVE, channels), _by_method(board, "seconds")
    names = [name for name in _methods(board) if name in {*shares["method"], YARDSTICK} & {*seconds.index}]
    with plt.rc_context(FONT):
        figure, axes = _panels(channels, height=3.2)
        for ax, channel in zip(axes, channels, strict=True):
            here = shares[shares["channel"] == channel].set_index("method")["value"]
            for number, name in enumerate(names, 1):
                at = max(seconds[name], 1e-2), 1.0 if name == YARDSTICK else 1 + here.get(name, float("nan"))
                ax.plot(*at, "o", ms=5.5, label=f"{number} {WORDS.get(name, name)}", **_style(name))
                ax.annotate(str(number), at, (4, 3), textcoords="offset points", fontsize=7)
            ax.axhline(1, color="k", lw=0.8)
            ax.set(xscale="log", yscale="log", title=_title(channel), xlabel="CPU seconds an analysis")
            _plain_ticks(ax, "y")
        axes[0].set_ylabel(f"CRPS / CRPS of {WORDS[YARDSTICK]}")
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=7.5, frameon=False)
    return figure


def plot_growth(rows: Sequence[dict], usual: Mapping[str, float]) -> Figure:
    """Seconds of an analysis against members, grid and number of observations, each varied by itself.

    Args:
        rows: of `benchmarks/assimilate.py`: `method`, `members`, `size`, `observations`, `seconds`.
        usual: `members`, `size`, `observations` where they are not varied.
    """
    labels = {"members": "members", "size": "grid points along a side", "observations": "observations"}
    table = pd.DataFrame(rows)
    with plt.rc_context(FONT):
        figure, axes = plt.subplots(1, 3, figsize=(WIDTH, 3.0), layout="constrained", sharey=True)
        for ax, (what, label) in zip(axes, labels.items(), strict=True):
            others = [k for k in labels if k != what]
            here = table[(table[others] == [usual[k] for k in others]).all(axis=1)].sort_values(what)
            for method, color, mark in (("default", BLUE, "o-"), ("fast", BLUE, "o--")):
                line = here[here["method"] == method]
                ax.loglog(line[what], line["seconds"], mark, color=color, ms=4.5, label=method)
            alone = here[~here["method"].isin(["default", "fast"])]
            ax.plot(alone[what], alone["seconds"], "s", color=ORANGE, ms=5.5, label="GenDA's sampler")
            ticks = sorted(here[what].unique())
            ax.set_xticks(ticks, [f"{t / 1000:g}k" if t >= 1000 else str(t) for t in ticks])
            ax.set(xlabel=label)
            ax.grid(alpha=0.3)
        low, high = axes[0].get_ylim()
        round_ones = [k * 10.0**n for n in range(-2, 5) for k in (1, 2, 5) if low <= k * 10.0**n <= high]
        axes[0].set_yticks(round_ones, [f"{t:g}" for t in round_ones])
        for ax in axes:
            ax.minorticks_off()
        axes[0].set_ylabel("seconds an analysis")
        axes[0].legend(fontsize=8)
    return figure


def _some(board: pd.DataFrame, metric: str, channels: Sequence[str], oceans: bool = False) -> pd.DataFrame:
    """A metric of all cells, of all cases or of those of each ocean."""
    here = board[(board["metric"] == metric) & (board["case"] == "") & board["zone"].isin(["all", ""])]
    here = here[here["ocean"].ne("") == oceans]
    found = here[here["channel"].isin(channels)]
    if found.empty and not oceans:
        raise InputError(f"the scoreboard holds no {metric}, expected the table of `genda evaluate osse --table`")
    return found


def _by_method(board: pd.DataFrame, metric: str) -> pd.Series:
    return _some(board, metric, [""]).set_index("method")["value"]


def _methods(board: pd.DataFrame) -> list[str]:
    """In the order of the scoreboard."""
    return list(_by_method(board, "cases").index)


def _panels(channels: Sequence[str], height: float, **options) -> tuple[Figure, list[Axes]]:
    figure, axes = plt.subplots(1, len(channels), figsize=(WIDTH, height), layout="constrained", squeeze=False,
                                sharex="sharey" in options, **options)
    return figure, list(axes[0])


def _beyond(ax: Axes, place: float, words: str, style: dict, farthest: float = FARTHEST) -> None:
    """An arrow at the end of the axis, and what lies beyond it."""
    ax.plot(farthest, place, ">", ms=5.5, **style)
    ax.text(0.93 * farthest, place, words, ha="right", va="center", fontsize=7.5)


def _plain_ticks(ax: Axes, axis: str = "x") -> None:
    """Round ratios in place of powers of ten."""
    low, high = getattr(ax, f"get_{axis}lim")()
    ticks = [t for t in (0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.2, 1.5, 2, 3, 4, 6) if low <= t <= high]
    ticks = ticks if len(ticks) <= 4 else [t for t in ticks if t in (0.5, 0.7, 1, 1.5, 2, 4)]
    getattr(ax, f"set_{axis}ticks")(ticks, [f"{t:g}" for t in ticks])
    ax.tick_params(axis=axis, which="minor", bottom=False, left=False, labelbottom=False, labelleft=False)


def _style(method: str) -> dict:
    """Ours blue, other samplers of the same prior orange, baselines grey."""
    color = BLUE if method in (OURS, OURS_FAST) else ORANGE if method.startswith((OURS, "GenDA")) else GREY
    return {"color": color}


def _title(channel: str) -> str:
    return SHORT.get(channel) or VARIABLES.get(channel, {}).get("long_name", channel)
