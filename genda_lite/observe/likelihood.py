"""Observations bound to a grid and a climatology: y = H x + e, in standardized units."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..state import Grid, Standardizer, StateVector, later
from .operators import Blurred, Linear, Mirrored, Operator, Points, Stacked
from .table import Observations, _errors


@dataclass(frozen=True)
class LinearObservations:
    """Observations by any linear map: y = H x + e, for fields x in physical units.

    Args:
        forward: H, fields (B, C, ny, nx) in the channels' units -> values (B, m). adjoint: H', values -> fields.
        value, error: (m,), error is one standard deviation; or one error for all.

    Raises:
        InputError: values or errors that are missing, errors that are not positive, shapes that differ.
    """

    forward: Callable[[Tensor], Tensor]
    adjoint: Callable[[Tensor], Tensor]
    value: np.ndarray
    error: np.ndarray | float

    def __post_init__(self):
        what = "linear observations"
        value = np.asarray(self.value, float)
        if value.ndim != 1 or not value.size:
            raise InputError(f"{what}: values have shape {value.shape}, expected (m,) with m at least one")
        error = _errors(self.error, None, value, what)
        if not np.isfinite(value).all():
            raise InputError(
                f"{what}: {(~np.isfinite(value)).sum()} of {value.size} values are missing (NaN), expected numbers: "
                f"leave them out of the values and of the map"
            )
        if not (np.isfinite(error) & (error > 0)).all():
            raise InputError(f"{what}: errors must be positive, got {error[~(error > 0)][:1]} among {value.size}")
        object.__setattr__(self, "value", value)
        object.__setattr__(self, "error", error)


class LinearGaussian:
    """A likelihood y = H x + e, e ~ N(0, R), in standardized units; R is diagonal plus rank-one terms s s'.

    Args:
        operator: H.
        value: y (m,), or (B, m) to give each row of a batch its own. variance: the diagonal of R, (m,).
        shared: (k, m) one s in each row.

    Attributes:
        observed_channels, observed_operator: the channels that H sees, and H on these alone: H P H' needs no other.
        common: whether H is the same for all rows of a batch.
        near: of an H that is not, a likelihood with one for all rows that comes near it: to precondition by.
        observations: the table that they are of, its values first, or none.
    """

    common = True
    near: "LinearGaussian | None" = None
    observations: Observations | None = None

    def __init__(self, operator: Operator, value: Tensor, variance: Tensor, shared: Tensor | None = None):
        self.operator, self.value, self.variance = operator, value, variance
        self.shared = value.new_zeros(0, len(variance)) if shared is None else shared
        self.observed_channels: slice | list[int] = slice(None)
        self.observed_operator = operator
        self._factored: tuple = ()
        self.to(value.device)

    def to(self, device: str | torch.device) -> Self:
        """Move to a device."""
        self.value, self.variance, self.shared = (a.to(device) for a in (self.value, self.variance, self.shared))
        for operator in (self.operator, self.observed_operator):
            operator.to(self.value)
        return self

    def at(self, x: Tensor) -> "LinearGaussian":
        """The likelihood near states x (B, C, ny, nx): itself, because it is linear (see `observe.nonlinear`)."""
        return self

    def innovation(self, x: Tensor) -> Tensor:
        """y - H x for states x (B, C, ny, nx), (B, m)."""
        return self.value - self.operator(x)

    def covariance(self, v: Tensor) -> Tensor:
        """R v for v (B, m)."""
        return v * self.variance + (v @ self.shared.T) @ self.shared

    def precision(self, v: Tensor, extra: Tensor | float = 0.0) -> Tensor:
        """(R + extra I)^-1 v for v (B, m), by the Sherman-Morrison-Woodbury formula.

        The small matrix in it has the size of the shared terms. Tracks of other days have many of these, so its factor
        is kept for the next v.
        """
        weighted, shared = v / (self.variance + extra), self.shared / (self.variance + extra)
        known, extra = self._factored, float(extra)
        if not (known and known[0] is self.shared and known[1] is self.variance and known[2] == extra):
            small = torch.eye(len(shared), device=v.device) + shared @ self.shared.T
            self._factored = self.shared, self.variance, extra, *torch.linalg.lu_factor(small)
        return weighted - torch.linalg.lu_solve(*self._factored[3:], (weighted @ self.shared.T).T).T @ shared

    def draw_errors(self, white: Tensor, white_shared: Tensor) -> Tensor:
        """Errors with covariance R, (B, m), from white noise (B, m) and, for the constants, (B, k)."""
        return white * self.variance.sqrt() + white_shared @ self.shared


class Likelihood(LinearGaussian):
    """Observations bound to a grid and a climatology: y, H and R in standardized units.

    R has a rank-one term s^2 1 1' for each source of unknown reference: the constant c of `observe.table`, integrated
    out.

    Args:
        linear: observations by any linear map; their values follow those of the table.
        state: what is where in a state, by default the channels of the climatology, of the date. In a state of one day
            all observations are of the date. In one of several days each is of its own time, and H is linear in time
            between the two frames around it.
        between: how far a channel departs, half-way between two frames, from their mean: a standard deviation in
            standardized units. At a share w of the way it is 2 (w (1 - w))^1/2 of that. It counts as an independent
            error.

    Raises:
        InputError: an observation lies outside the grid, or, in a state of several days, has no time or one outside
            them; or a map fails `check_adjoint`.
    """

    def __init__(
        self,
        observations: Observations,
        grid: Grid,
        standardizer: Standardizer,
        time,
        linear: Sequence[LinearObservations] = (),
        state: StateVector | None = None,
        between: Mapping[str, float] | None = None,
    ):
        state = StateVector(standardizer.channels) if state is None else state
        outside = ~grid.holds(observations.latitude, observations.longitude)
        if outside.any():
            first = np.flatnonzero(outside)[0]
            raise InputError(
                f"{outside.sum()} of {len(outside)} observations lie outside the grid ({grid}), the first at "
                f"{observations.latitude[first]:.2f} N {observations.longitude[first]:.2f} E; "
                f"keep those inside with observations.inside(grid)"
            )
        observations = replace(observations, longitude=grid.turned(observations.longitude))
        self.observations = observations
        channel, following, share = frames_around(observations, state, time)
        scales = standardizer.scale_of(state)
        scale = scales[channel]
        at_points = standardizer.climatology_of(state, observations.latitude, time, observations.longitude)
        climatology = at_points[channel, np.arange(len(channel))]
        if share.any():
            climatology = (1 - share) * climatology + share * at_points[following, np.arange(len(channel))]
        # Smooth observations see a smooth climatology.
        usual = standardizer.climatology_of(state, grid.latitude[:, None], time, grid.longitude)
        usual = np.broadcast_to(usual / scales[:, None, None], (1, len(state), *grid.shape))
        usual = torch.from_numpy(usual.astype("f4"))
        smooth = observations.smoothing > 0
        operator = table_operator(observations, grid, channel, len(state), following, share)
        climatology[smooth] = (operator(usual)[0].numpy() * scale)[smooth]

        value, variance = [(observations.value - climatology) / scale], [(observations.error / scale) ** 2]
        unlike = np.array([(between or {}).get(name, 0.0) for name in state.channels])[channel]
        variance[0] = variance[0] + 4 * share * (1 - share) * unlike**2
        members = observations.source == np.unique(observations.source)[:, None]  # (sources, m)
        shared = torch.from_numpy(members * observations.reference_error / scale).float()
        shared = shared[shared.abs().sum(1) > 0]

        parts, places = [operator], [np.arange(len(observations))]
        factor = torch.from_numpy(scales[:, None, None]).float()
        for one in linear:
            bound = Linear(
                lambda x, one=one: one.forward(x * factor.to(x)),
                lambda y, one=one: one.adjoint(y) * factor.to(y),
                operator.shape,
            )
            mean = bound(usual)[0].double().numpy()
            if mean.shape != one.value.shape:
                raise InputError(f"a linear map gives {mean.size} values, expected the {one.value.size} observed")
            parts.append(bound)
            places.append(sum(map(len, places)) + np.arange(mean.size))
            value.append(bound.gain * one.value - mean)
            variance.append((bound.gain * one.error) ** 2)
        m = sum(map(len, value))
        super().__init__(
            Stacked(parts, places) if linear else operator,
            torch.from_numpy(np.concatenate(value)).float(),
            torch.from_numpy(np.concatenate(variance)).float(),
            torch.nn.functional.pad(shared, (0, m - shared.shape[1])),
        )
        if not linear:
            # Often one or two of the state's.
            observed, place = np.unique(np.stack([channel, following]), return_inverse=True)
            place = place.reshape(2, -1)
            self.observed_channels = observed.tolist()
            self.observed_operator = table_operator(observations, grid, place[0], len(observed), place[1], share)
        if standardizer.mirrored:
            observed = np.array(state.channels)[self.observed_channels]
            self.operator = Mirrored(self.operator, state.channels)
            self.observed_operator = Mirrored(self.observed_operator, observed)


def frames_around(observations: Observations, state: StateVector, time) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The frames before and after each observation, by their numbers in the state, and the share of the latter, each
    (m,).

    In a state of one day both frames are the same, and the share is zero, whatever the time.

    Raises:
        InputError: in a state of several days: an observation, or the date, without a time, or outside the days.
    """
    if len(state.days) == 1:
        channel = np.array([state.index(c) for c in observations.channel], int)
        return channel, channel, np.zeros(len(channel))
    if np.isnat(np.datetime64(time, "ns")):
        raise InputError("a state of several days has no date, expected date= or dates=, or observations with a time")

    def told(some: np.ndarray, what: str, expected: str) -> None:
        if some.any():
            one, at = observations.channel[some][0], observations.time[some][0]
            when = "" if np.isnat(at) else f" at {np.datetime_as_string(at, 'm')}"
            raise InputError(f"{some.sum()} of {len(some)} observations {what}, the first {one}{when}; {expected}")

    told(np.isnat(observations.time), "have no time", "a state of several days needs the time of each")
    days = (observations.time - np.datetime64(time, "ns")) / np.timedelta64(1, "D")
    channel, following, share = np.zeros(len(days), int), np.zeros(len(days), int), np.zeros(len(days))
    for name in np.unique(observations.channel):
        if name not in state.channels:
            state.index(name)  # says what there is
        some = observations.channel == name
        channel[some], following[some], share[some] = state.around(name, days[some])
    first, last = (np.datetime_as_string(later(time, lag), "D") for lag in (state.days[0], state.days[-1]))
    expected = f"expected {first} to {last}: keep those with observations.during(first, last)"
    told(np.isnan(share), "lie outside the days of the analysis", expected)
    return channel, np.where(share > 0, following, channel), share


def within(observations: Observations, state: StateVector, time) -> Observations:
    """The observations that a state of several days can place: of the days on which it holds their channel.

    Args:
        time: the date of the state.
    """
    days = (observations.time - np.datetime64(time, "ns")) / np.timedelta64(1, "D")
    placed = np.zeros(len(days), bool)
    for name in np.unique(observations.channel):
        some = observations.channel == name
        if name in state.channels:
            placed[some] = np.isfinite(state.around(name, days[some])[2])
    return observations.select(placed)


def table_operator(
    observations: Observations,
    grid: Grid,
    channel: np.ndarray,
    channels: int,
    following: np.ndarray | None = None,
    share: np.ndarray | None = None,
) -> Operator:
    """H of a table: points, and Gaussian means for each smoothing; linear in time between frames, see `Points`."""
    parts, places = [], []
    for smoothing in np.unique(observations.smoothing) if len(observations) else [0.0]:
        place = np.flatnonzero(observations.smoothing == smoothing)
        where = (a[place] for a in (channel, observations.latitude, observations.longitude))
        frames = () if share is None else (following[place], share[place])
        points = Points(grid, *where, channels, *frames)
        parts.append(Blurred(points, grid, smoothing) if smoothing else points)
        places.append(place)
    return parts[0] if len(parts) == 1 else Stacked(parts, places)
