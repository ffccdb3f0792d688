"""Any box, any duration: the denoiser of a whole field, composed of denoisers of windows.

A prior knows windows, of some size and of some days. A larger field is covered by overlapping ones, in space and in
time. For each point the whole field's E[x0 | x] is taken to be that of a window in whose middle the point lies: what
is further away tells next to nothing more. With weights a_w that add up to one,

    D(x) = sum_w a_w D_w(x_w)

(for a trajectory Rozet & Louppe 2023, arXiv 2306.10574, algorithm 2, who take a frame's score from the window that has
the frame in its middle; in space the weights here fall to the window's edges, so that nothing jumps). It is a denoiser
like any other: guidance and samplers see one state of the whole field and all its observations at once, and nothing
is stitched together afterwards.

**What is approximated.** (i) A window does not see beyond its edges. At high noise, where a field is known by its
largest scales alone, much lies there; what connects windows then are the points that they share, and guidance, whose
covariance is the whole field's. (ii) That covariance is `extended` from the window's: stationary, weaker with the
distance, and nothing is correlated further than a window is wide. In time the whole is the Markov process whose windows
are the prior's. (iii) The derivative of D is not symmetric where weights change, so that a network's own covariance,
sigma^2 J', is not either. `verify.moving` measures what all this costs, against the whole field in closed form.
"""

import math
from collections.abc import Callable, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from ..errors import InputError
from ..prior.base import Prior
from ..prior.spectral import ALL, Basis, Spectrum
from ..prior.trajectory import check_kind, spacing
from ..state import Grid, StateVector, later
from .problem import choose_days, given_grid

STATES = 32  # windows times members at a time, which bounds the memory


class Window(NamedTuple):
    """A part of a field: places of the window's entries in the whole state, its rows and columns, days of its date
    after the whole's, and its weights (K, ny, nx)."""

    places: list[int]
    rows: slice
    columns: slice
    shift: float
    weight: Tensor

    def index(self, shape: Sequence[int]) -> Tensor:
        """Where its values are in a flattened state of a shape (K, ny, nx)."""
        places = torch.tensor(self.places)[:, None, None] * shape[1]
        lines = (places + torch.arange(self.rows.start, self.rows.stop)[:, None]) * shape[2]
        return (lines + torch.arange(self.columns.start, self.columns.stop)).flatten()


class ComposedPrior:
    """A prior of a larger field, of more days, or both (see `Prior` for the attributes).

    Args:
        prior: of windows. shape: (ny, nx) of the whole, at least the window's.
        shifts: days of the windows' dates, from the date of the whole; ascending.
        overlap: of neighbouring windows, in their width.

    Raises:
        InputError: a field smaller than a window.
    """

    def __init__(
        self,
        prior: Prior,
        shape: tuple[int, int] | None = None,
        shifts: Sequence[float] = (0.0,),
        overlap: float = 0.5,
    ):
        self.prior, self.standardizer, self.domain = prior, prior.standardizer, prior.domain
        shape = tuple(prior.shape[1:] if shape is None else shape)
        self.state = joined(prior.state, shifts)
        self.shape = (len(self.state), *shape)
        self.name, self.crossover = prior.name, prior.crossover
        self.between = getattr(prior, "between", None)
        self.inflation = prior.inflation
        if not isinstance(prior.inflation, float | int):
            known = dict(zip(prior.state.channels, prior.inflation, strict=True))
            self.inflation = tuple(known[name] for name in self.state.channels)
        covariance, basis = extended(prior.spectrum, shape)
        covariance = lengthened(covariance, prior.state, self.state, shifts)
        self.spectrum = Spectrum(covariance, prior.spectrum.univariate, repeated(basis, prior.state, self.state))
        self.spectrum.to(prior.spectrum.variance.device)
        self.windows = windows_of(prior, self.state, shape, shifts, overlap)

    def denoise(self, x: Tensor, sigma: Tensor, context: Tensor | None) -> Tensor:
        """E[x0 | x], composed; a few windows and members at a time, so that memory does not grow with the field.

        Where a gradient is asked for, each part is computed anew on the way back instead of being kept.
        """
        sigma = torch.as_tensor(sigma, dtype=x.dtype, device=x.device).expand(len(x))
        flat, many = x.flatten(1), max(1, STATES // len(x))
        total = torch.zeros_like(flat)
        for first in range(0, len(self.windows), many):
            some = self.windows[first : first + many]
            index = torch.cat([window.index(self.shape) for window in some]).to(x.device)
            keep = len(self.windows) <= many or not x.requires_grad
            run = self._some if keep else lambda *a: checkpoint(self._some, *a, use_reentrant=False)
            total = total.index_add(1, index, run(flat, index, sigma, context, some))
        return total.view(x.shape)

    def _some(
        self, flat: Tensor, index: Tensor, sigma: Tensor, context: Tensor | None, some: Sequence[Window]
    ) -> Tensor:
        """The share of some windows in the estimate, (B, all their values)."""
        count, shape = len(some), self.prior.shape
        parts = flat[:, index].view(-1, *shape)  # a member's windows one after the other
        where = None
        if context is not None:
            places = torch.cat([_days_later(context[:, :, w.rows, w.columns], w.shift) for w in some])
            where = places.view(count, -1, *places.shape[1:]).transpose(0, 1)
            where = where.expand(len(flat), -1, -1, -1, -1).flatten(0, 1)
        estimate = self.prior.denoise(parts, sigma.repeat_interleave(count), where)
        weight = torch.stack([window.weight for window in some]).to(flat)
        return (weight * estimate.view(-1, count, *shape)).flatten(1)

    def covariance(self, sigma: Tensor, channels=ALL) -> Callable[[Tensor], Tensor]:
        """v -> S sigma^2 / (S + sigma^2) v, with the extended S."""
        return self.spectrum.posterior_covariance(sigma, channels)

    def to(self, device) -> "ComposedPrior":
        """Move to a device."""
        self.prior.to(device)
        self.spectrum.to(device)
        return self


def _days_later(context: Tensor, days: float) -> Tensor:
    """A context some days later: the season's cosine and sine, turned; zero where it is unknown."""
    if not days:
        return context
    turn = 2 * math.pi * days / 365.25
    cosine, sine = context[:, -2:-1], context[:, -1:]
    c, s = math.cos(turn), math.sin(turn)
    return torch.cat([context[:, :-2], c * cosine - s * sine, s * cosine + c * sine], 1)


def covering(prior: Prior, days: np.ndarray) -> tuple[np.datetime64, list[float]]:
    """The date of a whole that holds all channels of some days, and the dates of its windows, in days from it.

    One window is enough if it holds them all, with the days in its middle. Else there is one for each frame between
    those that hold the first and the last day, so that each day is as near to the middle of one as it can be.

    Args:
        days: datetime64 (n,), ascending.

    Raises:
        InputError: the prior is of single days, or days are not as many of its frames apart.
    """
    check_kind(prior, True, "dates=")
    state, step = prior.state, spacing(prior.state)
    frames = (days - days[0]) / np.timedelta64(1, "D") / step
    if (abs(frames - np.rint(frames)) > 1e-6).any():
        raise InputError(
            f"the dates lie {np.diff(days).min() / np.timedelta64(1, 'D'):g} day(s) apart, but the frames of the prior "
            f"{step:g}: expected multiples of that"
        )
    last = int(np.rint(frames[-1]))
    before = min(-state.days_of(name)[0] for name in state.of_date) / step
    after = min(state.days_of(name)[-1] for name in state.of_date) / step
    first, final = int(before), last - int(after)  # frames on which the first and the last window are
    if first >= final:
        first = final = min(max(last // 2, final), first)
    shifts = [step * (frame - first) for frame in range(first, final + 1)]
    return later(days[0], step * first), shifts


def prepared(prior: Prior, grid=None, dates=None) -> tuple[Prior, Grid | None, np.datetime64 | None, np.ndarray | None]:
    """A prior of what is asked for: composed of windows where it is larger, or longer, than one.

    Args:
        grid, dates: as in `assimilate`.

    Returns:
        the prior; the grid; the date of its state and the days asked for, where there are `dates`.

    Raises:
        InputError: a grid smaller than a window, or see `choose_days`, `covering`.
    """
    days = date = None
    shape, shifts = prior.shape[1:], [0.0]
    if dates is not None:
        days = choose_days(dates)
        date, shifts = covering(prior, days)
    if grid is not None:
        grid = given_grid(grid, shape, larger=True)
        shape = grid.shape
    if len(shifts) > 1 or shape != tuple(prior.shape[1:]):
        prior = ComposedPrior(prior, shape, shifts)
    return prior, grid, date, days


# --- Windows ---------------------------------------------------------------------------------------------------------


def joined(state: StateVector, shifts: Sequence[float]) -> StateVector:
    """The state that holds those of several dates: their channels and days, those of the first date in its order."""
    entries = dict.fromkeys(entry for shift in shifts for entry in state.shifted(shift).entries)
    return StateVector(*zip(*entries, strict=True))


def starts(size: int, n: int, overlap: float) -> np.ndarray:
    """Where windows of n points begin that cover a line of points, neighbours sharing at least a part of their width.

    Raises:
        InputError: the line is shorter than a window.
    """
    if size < n:
        raise InputError(f"the box has {size} points a side, expected at least the {n} of a window")
    shared = round(overlap * n)
    number = 1 + -(-(size - n) // (n - shared))
    return np.rint(np.linspace(0, size - n, number)).astype(int)


def ramps(begins: np.ndarray, n: int, size: int) -> np.ndarray:
    """Weights (window, size) of windows on a line: each falls from its middle to its edges where it has a neighbour,
    as the square of a sine, and they add up to one."""
    rise = np.sin(0.5 * np.pi * np.minimum(1.0, (np.arange(n) + 0.5) / (n // 2))) ** 2
    out = np.zeros((len(begins), size))
    for one, begin in zip(out, begins, strict=True):
        up = np.ones(n) if begin == begins[0] else rise
        down = np.ones(n) if begin == begins[-1] else rise[::-1]
        one[begin : begin + n] = up * down
    return out / out.sum(0)


def turns(state: StateVector, whole: StateVector, shifts: Sequence[float]) -> np.ndarray:
    """Weights (shift, K of the whole) of the windows of several dates: an entry is that of the window in whose middle
    it lies nearest, among those that hold it; of two that are equally near, the mean."""
    middles = {name: np.mean(state.days_of(name)) for name in set(state.channels)}
    out = np.zeros((len(shifts), len(whole)))
    for place, (name, day) in enumerate(whole.entries):
        away = [abs(day - s - middles[name]) if (name, day) in state.shifted(s).entries else np.inf for s in shifts]
        nearest = np.isclose(away, min(away))
        out[nearest, place] = 1 / nearest.sum()
    return out


def windows_of(
    prior: Prior, whole: StateVector, shape: tuple[int, int], shifts: Sequence[float], overlap: float
) -> list[Window]:
    """All windows of a field with their weights."""
    (ny, nx), found = prior.shape[1:], []
    south, west = (starts(size, n, overlap) for size, n in zip(shape, (ny, nx), strict=True))
    up, right = ramps(south, ny, shape[0]), ramps(west, nx, shape[1])
    time = turns(prior.state, whole, shifts)
    for t, j, i in product(range(len(shifts)), range(len(south)), range(len(west))):
        places = [whole.index(*entry) for entry in prior.state.shifted(shifts[t]).entries]
        rows, columns = slice(south[j], south[j] + ny), slice(west[i], west[i] + nx)
        weight = time[t, places, None, None] * up[j, rows, None] * right[i, columns]
        found.append(Window(places, rows, columns, float(shifts[t]), torch.from_numpy(weight).float()))
    return found


# --- The covariance of the whole -------------------------------------------------------------------------------------


def covariance_of(spectrum: Spectrum) -> Tensor:
    """The covariance (ny, nx, K, K) of each function of the basis, double precision."""
    variance = spectrum.variance.double().permute(1, 2, 0)
    if spectrum.univariate:
        return torch.diag_embed(variance)
    vectors = spectrum.vectors.double()
    return vectors @ (variance[..., None] * vectors.mT)


def overlaps(functions: Tensor, others: Tensor) -> Tensor:
    """Sum over positions of each function and another, as a function of the distance between the two, both ways taken
    together: (n, n) and (n, n) -> (n functions, 2 n - 1 distances from 1 - n to n - 1)."""
    n = functions.shape[-1]
    a, b = (torch.fft.rfft(f.double(), 2 * n) for f in (functions, others))
    one_way = torch.fft.irfft(a.conj() * b, 2 * n).roll(n, -1)[:, 1:]
    return 0.5 * (one_way + one_way.flip(-1))


def extended(spectrum: Spectrum, shape: tuple[int, int], within: Basis | None = None) -> tuple[Tensor, Basis]:
    """The covariance of a larger field, and its basis, of that of a window.

    The window's covariance, summed over all pairs of points as far apart, is a function of distance alone,

        C(dy, dx) = sum_kl A_k(dy) S_kl B_l(dx),    A_k(dy) = 1/n sum over y of r_k(y) r_k(y + dy)

    and so is the larger field's. It ends at the window's width: pairs far apart are few, and divided by n, not by their
    number, C stays a covariance, whatever S is (the estimate of a stationary series, e.g. Priestley 1981, section 5.3).
    Its functions of y are the eigenvectors of C(dy, 0), those of x of C(0, dx), and S'_kl the mean of C over pairs of
    them. A field of the window's shape keeps what it has.

    Args:
        within: functions of the larger field to take, such as those of another covariance in the same functions of the
            window; what they do not hold apart is left out.

    Returns:
        (Ny, Nx, K, K) and the basis.
    """
    channels, ny, nx = spectrum.shape
    window, basis = covariance_of(spectrum).cpu(), Basis(spectrum.basis.rows.cpu(), spectrum.basis.columns.cpu())
    if (ny, nx) == tuple(shape):
        return window, basis
    rows, columns = (f.expand(channels, -1, -1) for f in (basis.rows, basis.columns))
    kind = [min(d for d in range(channels) if rows[d].equal(rows[c]) and columns[d].equal(columns[c]))
            for c in range(channels)]  # fmt: skip

    def between(c: int, d: int) -> Tensor:
        return overlaps(rows[c], rows[d]).mT @ window[:, :, c, d] @ overlaps(columns[c], columns[d]) / (ny * nx)

    # Channels that share their functions in the window go on sharing them.
    new_rows, new_columns = torch.zeros(channels, shape[0], shape[0]), torch.zeros(channels, shape[1], shape[1])
    for first in sorted(set(kind)):
        same = [c for c in range(channels) if kind[c] == first]
        alike = sum(between(c, c) / window[:, :, c, c].sum() for c in same)
        for new, line in ((new_rows, alike[:, nx - 1]), (new_columns, alike[ny - 1])):
            new[same] = functions_of(line, new.shape[-1]).float()
    if within is not None:
        new_rows, new_columns = (f.cpu().expand(channels, -1, -1) for f in (within.rows, within.columns))
    covariance = torch.zeros(*shape, channels, channels, dtype=torch.float64)
    measured: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}
    for c in range(channels):
        for d in range(c, channels):
            key = kind[c], kind[d]
            if key not in measured:
                measured[key] = tuple(
                    overlaps(f[c], f[d])[:, f.shape[-1] - n : f.shape[-1] + n - 1]
                    for f, n in ((new_rows, ny), (new_columns, nx))
                )
            along_y, along_x = measured[key]
            covariance[..., c, d] = covariance[..., d, c] = along_y @ between(c, d) @ along_x.mT
    return covariance, Basis(new_rows, new_columns)


def functions_of(line: Tensor, n: int) -> Tensor:
    """Eigenvectors (n, n) in rows, most variance first, of the covariance of n points on a line, given by distance from
    1 - m to m - 1, zero beyond."""
    half = len(line) // 2
    full = torch.nn.functional.pad(line[half:], (0, max(0, n - half - 1)))
    distance = (torch.arange(n)[:, None] - torch.arange(n)).abs()
    vectors = torch.linalg.eigh(full[distance]).eigenvectors.flip(-1).mT
    return vectors * torch.where(vectors[:, :1] < 0, -1.0, 1.0)


def repeated(basis: Basis, state: StateVector, whole: StateVector) -> Basis:
    """The basis of a longer state: that of each channel, on all days."""
    if len(basis.rows) == 1:
        return basis
    place = [state.channels.index(name) for name in whole.channels]
    return Basis(basis.rows[place], basis.columns[place])


def lengthened(covariance: Tensor, state: StateVector, whole: StateVector, shifts: Sequence[float]) -> Tensor:
    """The covariance of more days than a prior's: of the Markov process whose windows are its own.

    What a window adds to those before it depends on them only through what it shares with them, x_s:

        x_n = A x_s + q,    A = S_ns S_ss^-1,    q ~ N(0, S_nn - A S_sn)

    Of all processes with these windows it is the one of greatest entropy (Burg 1975 for a single series).

    Args:
        covariance: (..., K, K). state: of the prior. whole: the longer one. shifts: ascending.
    """
    if len(shifts) == 1:
        return covariance
    n = len(whole)
    total = covariance.new_zeros(*covariance.shape[:-2], n, n)
    done: list[int] = []
    for shift in shifts:
        places = [whole.index(*entry) for entry in state.shifted(shift).entries]
        fresh = [i for i, place in enumerate(places) if place not in done]
        known = [i for i, place in enumerate(places) if place in done]
        new, shared = [places[i] for i in fresh], [places[i] for i in known]
        own = covariance[..., fresh, :][..., fresh]
        if shared:
            among = covariance[..., known, :][..., known]
            floor = Spectrum.FLOOR * torch.eye(len(known), dtype=among.dtype)
            gain = torch.linalg.solve(among + floor, covariance[..., known, :][..., fresh]).mT  # A
            rest = own - gain @ covariance[..., known, :][..., fresh]
            own = rest + gain @ total[..., shared, :][..., shared] @ gain.mT
            cross = gain @ total[..., shared, :][..., done]
            for i, place in enumerate(new):
                total[..., place, done] = total[..., done, place] = cross[..., i, :]
        for i, place in enumerate(new):
            total[..., place, new] = own[..., i, :]
        done += new
    return total
