"""How good forecasts are: errors by lead time beside persistence's, scales kept or lost, and whether they stay stable.

They start from perfect states of an ocean that nothing was trained on, on dates far enough apart to count as
independent. Errors are of the whole box, which is larger than a window; of a deterministic forecast they are those of
its mean. A mean loses the small scales that it cannot know: its spectrum says how much, and a forecast that keeps
them need not be the better one.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from ..cycle.forecast import Forecast, Persistence
from ..cycle.passages import dates_of
from ..cycle.stored import PERSISTENCE
from ..errors import InputError
from ..prepare.frames import TrainingSet
from ..state import CHANNELS, Grid
from .scores import bootstrap_counts
from .spectra import isotropic_spectrum, spacing
from .table import row

DAYS = (2.0, 4.0, 6.0, 8.0, 10.0)  # lead times
SAMPLES = 1000
SMALL = (50e3, 150e3)  # m, wavelengths whose power is compared
STABLE = 1.2  # most that the size of anomalies may grow in a rollout


def starts_of(data: TrainingSet, days: Sequence[float], count: int) -> np.ndarray:
    """Frames to start from and those of each lead time, (count, 1 + leads): evenly spread over oceans and dates.

    Raises:
        InputError: fewer dates than asked for, or see `Frames.series`.
    """
    rows = data.frames.series((0.0, *days))
    if count < 2 or len(rows) < count:
        raise InputError(f"{count} starts of forecasts out of {len(rows)} dates, expected two or more that there are")
    return rows[np.linspace(0, len(rows) - 1, count).round().astype(int)]


def forecasts_of(
    forecast: Forecast, data: TrainingSet, rows: np.ndarray, days: Sequence[float]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Forecasts of each start, (leads, C, ny, nx), and the truth of the same shape.

    Raises:
        InputError: frames with land, which no forecast can take.
    """
    for start, *later in rows.tolist():
        state = data.frames[start]
        if not torch.isfinite(state).all():
            raise InputError("the ocean has land, expected open sea to forecast")
        season = data.harmonics[start, 1:]
        yield forecast(state[None], _date(season), days)[:, 0], torch.stack([data.frames[k] for k in later])


def _date(season: Tensor) -> np.datetime64:
    return dates_of(season[None])[0]


def evaluate_forecasts(
    forecasts: Mapping[str, Forecast],
    data: TrainingSet,
    days: Sequence[float] = DAYS,
    count: int = 12,
    seed: int = 0,
) -> Iterator[dict]:
    """Scores of each forecast; persistence is always among them, and goes first.

    Args:
        forecasts: by name. days: lead times, steps of all of them. count: of starts.

    Yields:
        lines with `method`, `day`, `channel`, `metric`, and `value`, some with `low` and `high`, as they are done.

    Raises:
        InputError: see `starts_of`, `forecasts_of`, and each forecast's own.
    """
    rows, scale = starts_of(data, days, count), data.standardizer.scale
    grid = Grid(data.latitude, data.longitude)
    counts = bootstrap_counts(count, SAMPLES, seed)
    still = None
    chosen = {PERSISTENCE: Persistence(min(days))} | {k: v for k, v in forecasts.items() if k != PERSISTENCE}
    for name, forecast in chosen.items():
        errors, power, size = [], 0.0, 0.0
        for found, truth in forecasts_of(forecast, data, rows, days):
            errors.append((found - truth).double().square().mean((-1, -2)))
            power = power + np.array(
                [[small_scales(part[k], grid) for part in (found, truth)] for k in range(len(days))]
            )
            size = size + torch.stack([part.double().square().mean((-1, -2)) for part in (found, truth)])
        squares = torch.stack(errors).numpy()  # (starts, leads, C)
        still = squares if still is None else still
        for k, day in enumerate(days):
            lines = {"method": name, "day": day}
            for c, channel in enumerate(CHANNELS):
                mean, base = squares[:, k, c].mean(), still[:, k, c].mean()
                drawn = np.sqrt((counts @ squares[:, k, c]) / (counts @ still[:, k, c]))
                low, high = np.quantile(drawn, [0.025, 0.975])
                yield lines | {"channel": channel, "metric": "rmse", "value": scale[c] * mean**0.5}
                ratio = {"metric": "rmse over persistence", "value": (mean / base) ** 0.5, "low": low, "high": high}
                yield lines | {"channel": channel} | ratio
                growth = float((size[0, k, c] / size[1, k, c]).sqrt())
                yield lines | {"channel": channel, "metric": "size over the truth's", "value": growth}
            kept = float(np.log10(power[k, 0] / power[k, 1]))
            yield lines | {"channel": "zos", "metric": "small scales", "value": kept}


def small_scales(state: Tensor, grid: Grid) -> float:
    """Power of sea level between the wavelengths `SMALL`, of a state (C, ny, nx), standardized."""
    level = state[CHANNELS.index("zos")].numpy()
    dy, dx = spacing(xr.Dataset(coords={"latitude": grid.latitude, "longitude": grid.longitude}))
    found = isotropic_spectrum(level, dy, dx)
    k = found["wavenumber"].values
    return float(found.values[(k >= 1 / SMALL[1]) & (k <= 1 / SMALL[0])].sum())


def rows_of_forecasts(lines: Sequence[dict]) -> list[dict]:
    """Lines of `evaluate_forecasts` as rows (see `verify.table.row`). Learned forecasts of sea level and temperature
    are to be better than persistence at every lead time, and rollouts to stay within `STABLE` of the ocean's size."""
    rows = []
    for line in lines:
        learned = line["method"] != PERSISTENCE
        target: tuple = ()
        if learned and line["metric"] == "rmse over persistence" and line["channel"] in ("zos", "thetao"):
            target = (None, 1.0)
        elif learned and line["metric"] == "size over the truth's":
            target = (None, STABLE)
        interval = {bound: line[bound] for bound in ("low", "high") if bound in line}
        case = f"forecast, day {line['day']:g}"
        name = f"{line['method']}, {case}, {line['channel']}: {line['metric']}"
        detail = line["metric"] != "rmse over persistence"
        labels = {"case": case, "method": line["method"], "channel": line["channel"], "metric": line["metric"]}
        rows.append(row(name, line["value"], *target, beside=interval, detail=detail, **labels))
    return rows
