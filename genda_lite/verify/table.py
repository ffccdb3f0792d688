"""One tidy table for all results: a row for each number, and in its columns what the number is of.

    frame = tidy(rows)
    write_table(frame, "osse.csv", command="genda evaluate osse …", seed=0)
    pivot(pick(read_table("osse.csv"), metric="crps", zone="all"), columns="channel")

`genda evaluate WHAT` makes rows: each has a name to read and, where it has one, a target; besides, the columns of the
table that it belongs to. Nothing is read back out of a name.

Methods have the names of `verify.engine`, channels those of the state (`zos`, `thetao`, ...) or of fields made of it.
A label that is empty says: of all of them (cases, oceans, dates), or that it does not apply. Methods "..., dressed" are
single estimates with a Gaussian spread (`verify.dress`). Metrics and their units, "units" being those of the channel:

    rmse, crps                of the ensemble mean, and fair CRPS (units); of forecasts by days ahead (the zone)
    rmse / rmse of diffusion  in time over that of single days
    spread_skill              spread over error of the mean, 1 if calibrated
    below, above, outside     how many times as often as promised the truth lies below or above all members, and both
    rank_distance             share of truths that would have to change rank for a flat rank histogram
    resolution                wavelength at which the isotropic spectrum of the error has half the truth's power (m)
    along_track_resolution    the same along an altimeter's tracks (km)
    member_departure,         largest departure of the spectrum of members, or of their mean, from the truth's (decades)
      mean_departure
    crps less OI, ...         `less("crps", "OI, ...")`: of the method less another; in twin experiments a share of the
                              other's, against drifters in the metric's units
    seconds, cases            CPU time of an analysis (s), and how many cases a method was run on
    vector_error, rmse_u, rmse_v, within_45, speed_bias, correlation
                              of currents at drifters, see `verify.ose.drifters` (m s-1, or 1)
    observations, drifters, observation_error
                              how many they are, and the error of a component of their velocity (m s-1)
    rank_share                how often drifters have a rank (the zone), times what a calibrated ensemble would
    days_ahead, days          on how many days a product's RMSE against the truth is below ours, and of how many
    separation                of synthetic from real drifters, by days since the start (the zone) (km)
    score, score_deviation    of the SSH mapping data challenge, see `verify.ose.tracks`; points, of the track
    units                     how many of the boxes of the real map are independent
    days lost, rmse from the truth
                              of forecasts from analyses, see `verify.ose.lead_time` (d, units)
    rmse over persistence, size over the truth's, small scales
                              of forecasts, by lead time (the case): ratios, and how far the power of sea level between
                              50 and 150 km is from the truth's (decades)
    CRPS / exact, bias, variance, observed, ..., forwards, VJPs
                              of known posteriors, see `verify.closed_form` (1, or counts)

Those of priors and of simulated oceans are called as in the text of the row.
"""

import csv
import io
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import InputError
from ..files import atomic_path
from ..version import __version__

LABELS = ("case", "ocean", "date", "method", "channel", "zone", "metric")  # what a number is of
COLUMNS = (*LABELS, "value", "low", "high")  # the last two: its 95 % interval
TARGET = "target"  # in the place of a method
COMMENT = "# "  # begins a line about the whole table


def row(
    name: str,
    value: float,
    lowest: float | None = None,
    highest: float | None = None,
    beside: Mapping[str, float] | None = None,
    detail: bool = False,
    **labels,
) -> dict:
    """A figure beside its target, from the lowest to the highest value that will do.

    Args:
        name: for a reader. beside: other figures that explain it; `low` and `high` are its 95 % interval.
        detail: a table may leave it out. labels: of `LABELS`, what it is of.

    Raises:
        TypeError: a label that is none.
    """
    if strangers := set(labels) - set(LABELS):
        raise TypeError(f"{', '.join(sorted(strangers))}: no label of a result, expected some of {', '.join(LABELS)}")
    known = {key: float(v) for key, v in (beside or {}).items() if v is not None and np.isfinite(v)}
    value, target = float(value), target_text(lowest, highest)
    met = is_met(value, lowest, highest)
    told = {"name": name, "value": value, "target": target, "goal": [lowest, highest], "met": met}
    told |= {"beside": known, "detail": detail}
    return told | {label: str(labels[label]) for label in LABELS if labels.get(label) is not None}


def less(metric: str, other: str) -> str:
    """The name of a metric less that of another method."""
    return f"{metric} less {other}"


def target_text(lowest: float | None, highest: float | None) -> str | None:
    """A range in words; None where both ends are open."""
    if lowest is None and highest is None:
        return None
    if lowest is None:
        return f"at most {highest:g}"
    return f"at least {lowest:g}" if highest is None else f"{lowest:.3g} to {highest:.3g}"


def is_met(value: float, lowest: float | None, highest: float | None) -> bool | None:
    """Whether a value lies in a range; None where both ends are open, or the value is missing."""
    if (lowest is None and highest is None) or not np.isfinite(value):
        return None
    return (lowest is None or value >= lowest) and (highest is None or value <= highest)


def tidy(rows: Iterable[Mapping]) -> pd.DataFrame:
    """The table of rows that say what they are of; those without a metric are left out.

    A figure that belongs to no method, such as one of a prior or of a simulated ocean, is followed by two more rows.
    One is what stands beside it, with its name in the place of a method. The other is its target, from `low` to `high`.

    Returns:
        columns `COLUMNS`; labels that do not apply are empty.
    """
    found, bounds = [], ("low", "high")
    for one in rows:
        if "metric" not in one:
            continue
        labels, beside = {label: one.get(label, "") for label in LABELS}, one.get("beside") or {}
        limits = {bound: one.get(bound, beside.get(bound, np.nan)) for bound in bounds}
        found.append(labels | {"value": one["value"]} | limits)
        if not labels["method"]:
            others = {name: value for name, value in (beside | one.get("real", {})).items() if name not in bounds}
            found += [labels | {"method": name, "value": value} for name, value in others.items()]
            if one.get("target"):
                found.append(labels | {"method": TARGET} | dict(zip(bounds, one["goal"], strict=True)))
    frame = pd.DataFrame(found, columns=list(COLUMNS))
    return frame.astype(dict.fromkeys(LABELS, str) | dict.fromkeys(("value", "low", "high"), float))


def pick(frame: pd.DataFrame, **labels) -> pd.DataFrame:
    """The rows with given labels: one value each, or several of which any will do.

    Raises:
        InputError: there is none.
    """
    here = frame
    for label, wanted in labels.items():
        some = [wanted] if isinstance(wanted, str) else list(wanted)
        known, here = here, here[here[label].isin(some)]
        if not len(here):
            held = ", ".join(map(repr, dict.fromkeys(known[label])))
            raise InputError(f"there is no result with {label} {', '.join(map(repr, some))}, expected one of {held}")
    return here


def number(frame: pd.DataFrame, bound: str = "value", **labels) -> float:
    """The one number with given labels.

    Args:
        bound: `value`, or `low` or `high` of its interval.

    Raises:
        InputError: there is none, or more than one.
    """
    here = pick(frame, **labels)
    if len(here) > 1:
        raise InputError(f"there are {len(here)} results with {labels}, expected one")
    return float(here[bound].iloc[0])


def pivot(frame: pd.DataFrame, index: str = "method", columns: str = "metric", bound: str = "value") -> pd.DataFrame:
    """A table to read: one label down, another across, in the order in which they first come."""
    wide = frame.pivot_table(index=index, columns=columns, values=bound, sort=False, dropna=False)
    wide = wide.reindex(index=frame[index].unique(), columns=frame[columns].unique())
    return wide.rename_axis(index=None, columns=None)


def write_table(frame: pd.DataFrame, path: str | os.PathLike, **about) -> None:
    """Write a table as CSV, after lines that say what made it; the file appears whole or not at all.

    Args:
        about: the command, its settings and seed, and anything else to know of all numbers; the version is added.
    """
    write_commented(frame[list(COLUMNS)], path, **about)


def write_commented(frame: pd.DataFrame, path: str | os.PathLike, **about) -> None:
    """`write_table` of any columns."""
    lines = {"version": __version__} | about
    text = io.StringIO()
    for key, value in lines.items():
        text.write(f"{COMMENT}{key}: {' '.join(str(value).split())}\n")
    frame.to_csv(text, index=False, float_format="%.6g", lineterminator="\n")
    with atomic_path(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")


def read_table(path: str | os.PathLike) -> pd.DataFrame:
    """A table that `write_table` wrote; what made it is in its `attrs`.

    Raises:
        InputError: no such file, or it is no such table.
    """
    about, found = read_commented(path)
    if not found or set(found[0]) != set(COLUMNS) or any(None in one.values() for one in found):
        raise InputError(f"{path}: is no table of results, expected the columns {', '.join(COLUMNS)}")
    frame = pd.DataFrame(found, columns=list(COLUMNS))
    for name in ("value", "low", "high"):
        try:
            frame[name] = pd.to_numeric(frame[name].replace("", np.nan))
        except ValueError as error:
            raise InputError(f"{path}: a {name} is no number ({error})") from None
    frame.attrs = about
    return frame


def read_commented(path: str | os.PathLike) -> tuple[dict[str, str], list[dict[str, str]]]:
    """What `write_commented` wrote: what is to be known of it, and its rows.

    Raises:
        InputError: no such file, or it is no CSV.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")  # spreadsheets put a mark in front
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}), expected a table of results (CSV)") from None
    count = next((i for i, line in enumerate(lines) if not line.startswith(COMMENT)), len(lines))
    about = dict(line.removeprefix(COMMENT).split(": ", 1) for line in lines[:count] if ": " in line)
    try:
        return about, list(csv.DictReader(line + "\n" for line in lines[count:]))
    except csv.Error as error:
        raise InputError(f"{path}: cannot be read ({error}), expected a table of results (CSV)") from None
