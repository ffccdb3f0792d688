"""What an analysis is worth to a forecast: the lead time that is lost by not knowing the truth.

A forecast from an analysis is as wrong after tau days as one from the truth after t > tau days. The difference is the
lead time lost (Huang et al. 2024, who find at most a day),

    loss(tau) = t - tau,    RMSE_truth(t) = RMSE_analysis(tau)

at tau = 0, the age of a forecast that is as good as the analysis. Where the analysis is worse than any forecast asked
for, no more is known than that it is lost, and the loss is infinite. Intervals are by resampling of start dates.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from ...cycle.forecast import Forecast
from ...errors import InputError
from ...prepare.decompose import to_state
from ...prepare.frames import is_prepared
from ...prior import Prior
from ...sources import open_product
from ...state import CHANNELS, Grid
from ..scores import bootstrap_counts
from ..table import row
from .experiment import CYCLED, result_path

DAYS = (0.0, 2.0, 4.0, 6.0, 8.0, 10.0)
SAMPLES = 1000


def analyses_of(folder: Path, way: str, prior: Prior) -> tuple[list[np.datetime64], list[Tensor], Grid]:
    """Dates, mean states (C, ny, nx) in standardized units, and the grid of a cycle's analyses.

    Raises:
        InputError: there are none, or they lack channels of a state, such as those of `genda ose` do.
    """
    paths = sorted(result_path(folder, way, np.datetime64("2000-01-01")).parent.glob("*.nc"))
    if not paths:
        raise InputError(f"{folder}: no analyses by {CYCLED[way]}, expected those that `genda cycle` writes")
    dates, states, grid = [], [], None
    for path in paths:
        with open_product(path) as day:
            if missing := [name for name in CHANNELS if name not in day]:
                raise InputError(f"{path}: lacks {', '.join(missing)}, expected analyses that `genda cycle` writes")
            mean = day[list(CHANNELS)].isel(time=0).mean("member").load()
            mean["zos"] = mean["zos"] - np.float32(day.attrs["reference"])
            dates.append(day["time"].values[0].astype("M8[s]"))
        states.append(prior.standardizer.to_tensor(mean, dates[-1]))
        grid = Grid(mean["latitude"].values, mean["longitude"].values)
    return dates, states, grid


def truth_of(truth: xr.Dataset, grid: Grid, prior: Prior) -> dict[np.datetime64, Tensor]:
    """States of the truth on a grid, by date.

    Raises:
        InputError: the grid is no part of the truth's.
    """
    state = truth if is_prepared(truth) else to_state(truth.load(), prior.standardizer.ekman_at(truth["latitude"]))
    if "member" in state.dims:
        state = state.isel(member=0)
    try:
        places = {"latitude": grid.latitude, "longitude": grid.longitude}
        here = state.sel(places, method="nearest", tolerance=1e-4)
    except KeyError:
        raise InputError(f"the truth does not cover the analyses ({grid}), expected one that does") from None
    # Exactly the analyses' coordinates: the climatology is of them.
    here = here.assign_coords(latitude=grid.latitude, longitude=grid.longitude)
    times = here["time"].values.astype("M8[s]")
    return {t: prior.standardizer.to_tensor(here.isel(time=k), t) for k, t in enumerate(times)}


def squared_errors(
    forecast: Forecast,
    starts: Sequence[tuple[np.datetime64, Tensor]],
    truth: dict[np.datetime64, Tensor],
    days: Sequence[float],
) -> np.ndarray:
    """Mean squared errors (starts, days, C) of forecasts, at zero days of the states that they start with."""
    found = []
    for date, state in starts:
        later = [day for day in days if day]
        states = [state, *(forecast(state[None], date, later)[:, 0] if later else ())]
        states = states if 0.0 in days else states[1:]
        at = [truth[date + np.timedelta64(round(86400 * day), "s")] for day in days]
        pairs = zip(states, at, strict=True)
        found.append(torch.stack([(a - b).double().square().mean((-1, -2)) for a, b in pairs]))
    return torch.stack(found).numpy()


def lead_time_lost(perfect: np.ndarray, own: np.ndarray, days: Sequence[float]) -> np.ndarray:
    """loss(tau) for each of the days tau: lead times of the truth's forecasts that are as wrong, less tau.

    Args:
        perfect: errors (days,) of forecasts from the truth, zero on the first day. own: those from analyses (days,).
    """
    rising = np.maximum.accumulate(perfect)
    as_wrong = np.interp(own, rising, days, right=np.inf)
    return as_wrong - np.asarray(days)


def evaluate_lead_time(
    folder: Path,
    ways: Sequence[str],
    forecast: Forecast,
    prior: Prior,
    truth: xr.Dataset,
    days: Sequence[float] = DAYS,
    skip: int = 5,
    seed: int = 0,
) -> list[dict]:
    """Lines with `method`, `channel`, `day`, `error`, `perfect`, `loss`, and its `low` and `high`.

    Args:
        folder: of `genda cycle`. truth: of the twin, daily. days: lead times, the first zero. skip: analyses left out,
            in which the cycle still forgets how it began.

    Raises:
        InputError: see `analyses_of`, `truth_of`; fewer than two dates with a truth at all lead times.
    """
    lines = []
    for way in ways:
        dates, states, grid = analyses_of(folder, way, prior)
        known = truth_of(truth, grid, prior)
        last = np.timedelta64(round(86400 * max(days)), "s")
        some = [(d, x) for d, x in list(zip(dates, states, strict=True))[skip:] if d in known and d + last in known]
        if len(some) < 2:
            raise InputError(f"{len(some)} analyses with a truth {max(days):g} days later, expected two or more")
        own = squared_errors(forecast, some, known, days)
        perfect = squared_errors(forecast, [(date, known[date]) for date, _ in some], known, days)
        counts = bootstrap_counts(len(some), SAMPLES, seed)
        for c, channel in enumerate(CHANNELS):
            lost = lead_time_lost(*(np.sqrt(e[:, :, c].mean(0)) for e in (perfect, own)), days)
            drawn = np.array([
                lead_time_lost(*(np.sqrt(n @ e[:, :, c] / n.sum()) for e in (perfect, own)), days) for n in counts
            ])  # fmt: skip
            low, high = np.quantile(drawn, [0.025, 0.975], axis=0, method="nearest")
            scale = prior.standardizer.scale[c]
            for k, day in enumerate(days):
                errors = (scale * float(np.sqrt(e[:, k, c].mean())) for e in (own, perfect))
                told = dict(zip(("error", "perfect"), errors, strict=True))
                told |= {"loss": lost[k], "low": low[k], "high": high[k]}
                lines.append({"method": way, "channel": channel, "day": day} | told)
    return lines


def rows_of_lead_time(lines: Sequence[dict]) -> list[dict]:
    """Lines of `evaluate_lead_time` as rows (see `verify.table.row`); sea level and temperature are told, the rest are
    details."""
    rows = []
    for line in lines:
        case = f"lead time, day {line['day']:g}"
        labels = {"case": case, "method": line["method"], "channel": line["channel"]}
        name = f"{line['method']}, {case}, {line['channel']}"
        interval = {bound: line[bound] for bound in ("low", "high")}
        detail = line["channel"] not in ("zos", "thetao")
        lost = row(f"{name}: days lost", line["loss"], beside=interval, detail=detail, **labels, metric="days lost")
        rows.append(lost)
        for metric in ("error", "perfect"):
            told = "rmse" if metric == "error" else "rmse from the truth"
            rows.append(row(f"{name}: {told}", line[metric], detail=True, **labels, metric=told))
    return rows
