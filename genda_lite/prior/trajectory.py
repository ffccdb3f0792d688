"""A prior of the moving ocean: states at several days, drawn together.

The prior of single days says what the sea may look like, that of a trajectory how it moves. Its state holds the
channels of several days (`state.StateVector`), one after the other, so that a Gaussian of it is optimal interpolation
in space *and* time, and its network the U-Net of one day with more channels (Rozet & Louppe 2023, arXiv 2306.10574,
section 3.2, who fold the days of a short trajectory into channels, too). Preconditioning, guidance and samplers are
those of one day.

**Covariance.** For every function of the basis a matrix ties K = channels x days numbers to each other:

    S_kl = [ Cov(c_t, d_t') ]    for channels c, d and days t, t'

A channel has the same functions on all days, so that its waves keep their shape from day to day. A basis of real
functions cannot hold that a wave *travels*: cov(c_t(x), c_t'(x')) is taken to be the same for x - x' and x' - x. What
moves one way only the network has to know.

**On disk** these matrices would be the larger part of a checkpoint: 4,096 functions of 49 numbers squared. Of waves
shorter than four cells next to nothing is correlated in time. So only the variances are kept of all functions; the
correlations of the first half of them in either direction, as integers of 16 bits; and those of temperature with
salinity of the same day, which water masses tie together at all scales, of all functions.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..state import CHANNELS, StateVector
from .base import CONTEXT_CHANNELS

if TYPE_CHECKING:
    from .base import Prior

# Sea level changes in a week. Which days and how many is to be chosen on validation oceans.
TRAJECTORY = StateVector.series(CHANNELS, (-6.0, -4.0, -2.0, 0.0, 2.0, 4.0, 6.0))
WATER_MASSES = ("thetao", "so")
STEPS = 32767  # of correlations as integers


def shared_functions(state: StateVector) -> list[list[int]]:
    """Groups of places that share their functions of y and of x: a channel on all its days; temperature and salinity,
    which water masses tie together at all scales, theirs, too."""
    groups: dict[str, list[int]] = {}
    for place, name in enumerate(state.channels):
        groups.setdefault(WATER_MASSES[0] if name in WATER_MASSES else name, []).append(place)
    return [group for group in groups.values() if len(group) > 1]


def spacing(state: StateVector) -> float:
    """Days from one frame to the next.

    Raises:
        InputError: frames that are not evenly spaced, or a single one.
    """
    gaps = {round(later - earlier, 6) for earlier, later in zip(state.days, state.days[1:], strict=False)}
    if len(gaps) != 1:
        held = ", ".join(f"{day:g}" for day in state.days)
        raise InputError(f"the state holds the days {held}, expected two or more, evenly apart")
    return gaps.pop()


def check_kind(prior: "Prior", days: bool, what: str) -> None:
    """Whether a prior is of the kind that is needed.

    Args:
        days: one of several days; else of single days. what: that needs it.

    Raises:
        InputError: it is of the other kind.
    """
    count = len(prior.state.days)
    if days and count == 1:
        raise InputError(
            f"{what} needs a prior of several days, got one of single days: train one with "
            f"`genda train --config trajectory`"
        )
    if not days and count > 1:
        raise InputError(f"{what} needs a prior of single days, got one of {count} days, such as load_prior() gives")


def between_frames(data, state: StateVector, dates: int = 60) -> dict[str, float]:
    """By how much each channel differs, half-way between two frames, from their mean: standard deviations in
    standardized units, of some dates of the training data (a `TrainingSet`).

    Nothing, where the state is of one day, or the series have no frames half-way.
    """
    if len(state.days) == 1:
        return {}
    half = spacing(state) / 2
    try:
        rows = data.frames.series((-half, 0.0, half))
    except InputError:
        return {}
    some = rows[np.linspace(0, len(rows) - 1, min(dates, len(rows))).round().astype(int)]
    total = 0.0
    for before, now, after in some.tolist():
        unlike = data.frames[now] - 0.5 * (data.frames[before] + data.frames[after])
        total = total + unlike.square().nanmean((1, 2))
    return {name: round(float(value), 5) for name, value in zip(CHANNELS, (total / len(some)).sqrt(), strict=True)}


def widened(
    single: dict[str, Tensor], several: dict[str, Tensor], state: StateVector, linear_estimate: bool
) -> dict[str, Tensor]:
    """Weights of a U-Net of single days as the start of one of several days, folded into channels.

    The channels of the date are seen and corrected as before. Those of the other days are at first neither: their
    weights in the first and in the last layer are zero.

    Args:
        single, several: weights by name, of one and of the other. linear_estimate: whether the networks are shown it.
    """
    entry, outcome = "first.weight", ("last.2.weight", "last.2.bias")
    today, size = [state.index(name) for name in CHANNELS], len(state)
    seen = [*today, *range(size, size + CONTEXT_CHANNELS)]
    if linear_estimate:
        seen += [size + CONTEXT_CHANNELS + place for place in today]
    out = dict(single)
    squares = single[outcome[1]].shape[0] // len(CHANNELS)  # that pixels are folded into

    def folded(places: list[int]) -> list[int]:
        return [squares * place + k for place in places for k in range(squares)]

    out[entry] = torch.zeros_like(several[entry])
    out[entry][:, folded(seen)] = single[entry].to(several[entry])
    for name in outcome:
        out[name] = torch.zeros_like(several[name])
        out[name][folded(today)] = single[name].to(several[name])
    return out


# --- The covariance on disk ------------------------------------------------------------------------------------------


def _pairs(state: StateVector, tied: bool) -> list[tuple[int, int]]:
    """Pairs of places whose correlations are kept: of the water masses of a day (tied), or all others."""
    found = []
    for i, (name, day) in enumerate(state.entries):
        for j in range(i + 1, len(state)):
            same = day == state.lags[j] and {name, state.channels[j]} == {*WATER_MASSES}
            if same == tied:
                found.append((i, j))
    return found


def _upper(pairs: Sequence[tuple[int, int]]) -> tuple[list[int], list[int]]:
    return [i for i, _ in pairs], [j for _, j in pairs]


def compact(covariance: Tensor, state: StateVector) -> dict[str, Tensor]:
    """What a checkpoint keeps of a covariance (ny, nx, K, K): variances (K, ny, nx), and correlations as integers."""
    ny, nx = covariance.shape[0] // 2, covariance.shape[1] // 2
    variance = torch.diagonal(covariance, dim1=-2, dim2=-1)
    deviation = variance.clamp(min=1e-12).sqrt()
    correlation = (covariance / (deviation[..., :, None] * deviation[..., None, :])).clamp(-1, 1)
    whole = (STEPS * correlation).round().to(torch.int16)
    (i, j), (k, m) = _upper(_pairs(state, tied=False)), _upper(_pairs(state, tied=True))
    return {
        "variance": variance.permute(2, 0, 1).float().contiguous(),
        "correlation": whole[:ny, :nx, i, j].permute(2, 0, 1).contiguous(),
        "tied": whole[..., k, m].permute(2, 0, 1).contiguous(),
    }


def expanded(kept: dict[str, Tensor], state: StateVector) -> Tensor:
    """The covariance (ny, nx, K, K) of what a checkpoint keeps.

    Raises:
        ValueError: its parts are of another state, or of different sizes.
    """
    variance, correlation, tied = (kept[name] for name in ("variance", "correlation", "tied"))
    (i, j), (k, m) = _upper(_pairs(state, tied=False)), _upper(_pairs(state, tied=True))
    ny, nx = variance.shape[1:]
    shapes = (len(state), ny, nx), (len(i), ny // 2, nx // 2), (len(k), ny, nx)
    if (tuple(variance.shape), tuple(correlation.shape), tuple(tied.shape)) != shapes:
        raise ValueError("the parts of the covariance do not fit the state")
    full = torch.eye(len(state)).repeat(ny, nx, 1, 1)
    full[..., k, m] = full[..., m, k] = tied.permute(1, 2, 0).float() / STEPS
    full[: ny // 2, : nx // 2, i, j] = full[: ny // 2, : nx // 2, j, i] = correlation.permute(1, 2, 0).float() / STEPS
    deviation = variance.permute(1, 2, 0).sqrt()
    return full * deviation[..., :, None] * deviation[..., None, :]
