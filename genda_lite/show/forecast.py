"""Forecasts drawn: the error by how many days ahead they look."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from ..errors import InputError
from ..state import VARIABLES
from ..verify.engine import CLIMATOLOGY, IN_TIME, OI, OURS
from ..verify.osse.forecast import KEPT
from ..verify.table import number, pick
from .calibration import BLUE, GREY, ORANGE
from .maps import FONT, WIDTH

# Methods and what they are called; lines that differ in shape and in lightness.
DRAWN = {
    f"{OURS}, {IN_TIME}": ("ours", {"color": BLUE, "marker": "o"}),
    f"{OI}, {IN_TIME}": ("optimal interpolation in space and time", {"color": ORANGE, "marker": "s"}),
    f"{KEPT}{OI}, {IN_TIME}": ("its nowcast, kept", {"color": ORANGE, "marker": "s", "ls": ":", "mfc": "w"}),
    f"{KEPT}{OURS}, {IN_TIME}": ("our nowcast, kept", {"color": BLUE, "marker": "o", "ls": ":", "mfc": "w"}),
    CLIMATOLOGY: ("climatology", {"color": GREY, "ls": "--"}),
}
SHOWN = {"zos": "Sea level", "thetao": "Temperature", "uo": "Eastward current"}


def plot_forecast(table: pd.DataFrame, drawn: Mapping[str, tuple[str, dict]] = DRAWN) -> Figure:
    """RMSE of the mean and CRPS by days ahead, for sea level, temperature and the eastward current.

    Args:
        table: of `genda evaluate nowcast`. drawn: its methods, what they are called, and how their lines look; those
            that the table lacks are left out.

    Raises:
        InputError: it holds none of these methods.
    """
    held = [name for name in drawn if name in set(table["method"])]
    if not held:
        raise InputError(f"the table has no forecast, expected methods like {next(iter(drawn))!r}")
    known = table[table["metric"].eq("rmse") & table["value"].notna()]
    channels = [channel for channel in SHOWN if channel in set(known["channel"])]
    with plt.rc_context(FONT):
        figure, axes = plt.subplots(
            2, len(channels), figsize=(WIDTH, 5.2), sharex=True, layout="constrained", squeeze=False
        )
        for (metric, words), line in zip({"rmse": "RMSE", "crps": "CRPS"}.items(), axes, strict=True):
            for ax, channel in zip(line, channels, strict=True):
                here = pick(table, metric=metric, channel=channel)
                for name in held:
                    label, style = drawn[name]
                    leads = sorted(int(zone) for zone in here[here["method"] == name].dropna(subset="value")["zone"])
                    values = [number(here, method=name, zone=str(lead)) for lead in leads]
                    ax.plot(leads, values, label=label, lw=1.4, ms=4.5, **style)
                units = VARIABLES[channel]["units"].replace("degC", "°C").replace("m s-1", "m/s")
                ax.set_ylabel(f"{words} ({units})")
                ax.set_ylim(bottom=0)
        for ax, channel in zip(axes[0], channels, strict=True):
            ax.set_title(SHOWN[channel])
        for ax in axes[1]:
            ax.set_xlabel("days after the last observation")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    return figure
