"""Calibration beside the map: where an ensemble errs, where it says so, and whether the two agree."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..state import VARIABLES
from ..verify import scores
from .maps import _UNITS, FONT, STYLES, WIDTH, ccrs, plot_map

BLUE, GREY, ORANGE = "#0072b2", "0.45", "#d55e00"  # they differ in lightness, too


def plot_calibration(analysis: xr.Dataset, truth: xr.Dataset, channel: str, bins: int = 8) -> Figure:
    """Error of the ensemble mean and spread as maps in the same colours, a rank histogram and a spread-error diagram.

    One map is one case. Neighbouring points have correlated errors, so by chance the histogram of a calibrated ensemble
    is far from flat. The shapes become meaningful over many cases.

    Args:
        analysis: dims (member, latitude, longitude). truth: dims (latitude, longitude), the same grid.
        bins: classes of equally many points, by their spread.
    Raises:
        InputError: the grids differ, or there are fewer than two members.
    """
    members, true = analysis[channel], truth[channel]
    counts, ratio = scores.rank_histogram(members, true), float(scores.spread_skill_ratio(members, true))
    with xr.set_options(keep_attrs=True):
        spread = scores.spread(members, dim=()).assign_attrs(members.attrs)
        error = abs(members.mean("member") - true.values).assign_attrs(members.attrs)
    top = {"colormap": STYLES["spread"].colormap, "vmin": 0.0, "vmax": float(np.percentile(error, 99))}
    with plt.rc_context(FONT):
        figure = plt.figure(figsize=(WIDTH, 6.4), layout="compressed")
        grid = figure.add_gridspec(2, 2, height_ratios=(1.25, 1))
        for at, field, title in ((0, error, "Error of the mean, |mean − truth|"), (1, spread, "Ensemble spread")):
            ax = figure.add_subplot(grid[0, at], projection=ccrs.PlateCarree())
            plot_map(field, ax, title=title, degrees=("left", "bottom")[at:], **top)
        plot_ranks(figure.add_subplot(grid[1, 0]), counts)
        units = members.attrs.get("units") or VARIABLES.get(channel, {}).get("units", "")
        ax = figure.add_subplot(grid[1, 1])
        plot_spread_error(ax, spread.values, error.values, len(members), bins, _UNITS.get(units, units))
        ax.set_title(f"Spread / error: {ratio:.2f}")
    return figure


def plot_ranks(ax: Axes, counts: xr.DataArray, **style) -> None:
    """How often the truth had each rank among the members, over what a calibrated ensemble has on average.

    Args:
        counts: dims (rank,), of `verify.scores.rank_histogram`.
    """
    share = counts.values / counts.values.mean()
    ax.bar(counts["rank"], share, width=0.85, **({"color": BLUE} | style))
    ax.axhline(1, color="k", lw=0.8)
    ax.set(xlabel="members below the truth", ylabel="times as often as if calibrated", title="Rank histogram")
    ax.set_xlim(-0.6, len(share) - 0.4)


def plot_spread_error(ax: Axes, spread: np.ndarray, error: np.ndarray, members: int, bins: int, units: str) -> None:
    """Root-mean-square error of the mean in classes of points of like spread; on the line an ensemble is calibrated.

    The mean of M members errs by (M+1)/M of the variance of a calibrated ensemble, and the spread is corrected for
    this. With few members the spread itself is uncertain, by a share of 1 / (2M - 2)^1/2. Points of the smallest spread
    err by more than the spread says, points of the largest by less. So the line is flatter than the diagonal even for a
    calibrated ensemble.
    """
    order = np.array_split(np.argsort(spread, axis=None), bins)
    rms = [[np.sqrt((field.ravel()[some] ** 2).mean()) for some in order] for field in (spread, error)]
    x, y = np.sqrt((members + 1) / members) * np.array(rms[0]), np.array(rms[1])
    top = 1.08 * max(x.max(), y.max())
    ax.plot([0, top], [0, top], color="k", lw=0.8)
    ax.plot(x, y, "o-", color=BLUE, ms=4.5, lw=1.2)
    unit = f" ({units})" if units else ""
    ax.set(xlabel=f"spread{unit}", ylabel=f"error of the mean{unit}", xlim=(0, top), ylim=(0, top))
