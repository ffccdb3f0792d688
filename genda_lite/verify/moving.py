"""How well trajectories are sampled: an ocean that moves, whose posterior the Kalman smoother knows.

The ocean is linear and Gaussian. Waves of a red spectrum drift with a current, forget a little from frame to frame, the
short ones sooner, and are renewed at random,

    x_k+1 = M x_k + q,    M = a(k) exp(-i k . u dt) for each wave of wavenumber k,    q ~ N(0, (1 - a^2) S)

a first-order autoregression carried by a flow. Observations lie at moments between the frames, H is linear in time
between two of them. The posterior of all frames is that of the Kalman filter (Kalman 1960) and the smoother of Rauch,
Tung & Striebel (1965), here for pairs of frames, as an observation sees two.

The prior of a trajectory has the exact denoiser of this ocean, as a network may. What guidance believes of its
covariance is estimated from draws as in training (`Spectrum.estimate`), in functions that do not know which way the
waves travel. Composed priors (`posterior.compose`) are given windows of it, and judged by the whole in closed form.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ..baselines.closed_form import Marginals, condition
from ..observe.likelihood import LinearGaussian
from ..observe.operators import Points
from ..posterior.assimilate import DEFAULT, FAST, Settings, sample_posterior
from ..posterior.compose import ComposedPrior, Window
from ..prior.spectral import ALL, INFINITE_NOISE, Basis, Spectrum
from ..prior.trajectory import shared_functions
from ..state import Grid, StateVector
from .closed_form import Counting, crps_ratio, figure

STEP = 2.0  # days between frames
DRIFT = (0.5, -1.5)  # cells a day, northward and eastward
ERROR = 0.1  # of observations, in standard deviations of the state
DRAWS = 2000  # of which the believed covariance is estimated


class Moving(Spectrum):
    """The covariance of some frames of the ocean, on a periodic square of n x n points.

    Of each wave the frames are a first-order autoregression, once the drift is undone: real eigenvectors in time, the
    same for the waves k and -k. Modes are the real Hartley transform of the waves, cos + sin.

    Args:
        frames: how many, `STEP` apart. n: points a side. length: of the correlation (cells).
        memory: days after which the longest waves have forgotten all but 1/e; a wave of the length `length` in a
            quarter of it.
    """

    def __init__(self, frames: int, n: int, length: float = 3.0, memory: float = 12.0):
        nn.Module.__init__(self)
        self.shape, self.univariate = (frames, n, n), False
        k = 2 * math.pi * torch.fft.fftfreq(n, dtype=torch.float64)
        size = (k[:, None] ** 2 + k**2).sqrt() * length
        power = (1 + size**2) ** -2
        self.power = n**2 * power / power.sum()
        self.forget = torch.exp(-STEP / memory * (1 + 0.5 * size))  # a, of each wave
        moves = torch.where(k.abs() > math.pi - 1e-6, 0.0, k)  # the shortest wave has no direction
        angle = -STEP * (DRIFT[0] * moves[:, None] + DRIFT[1] * moves)
        self.turn = torch.polar(torch.ones_like(angle), angle)
        t = torch.arange(frames, dtype=torch.float64)
        correlation = self.forget[..., None, None] ** (t[:, None] - t).abs()
        values, vectors = torch.linalg.eigh(correlation)
        variance = (values.clamp(min=0) * self.power[..., None]).permute(2, 0, 1)
        self.register_buffer("variance", variance.clamp(min=self.FLOOR).float().contiguous(), persistent=False)
        self.register_buffer("vectors", vectors.float(), persistent=False)
        self.register_buffer("phase", (self.turn ** t[:, None, None]).to(torch.complex64), persistent=False)

    def to_modes(self, x: Tensor) -> Tensor:
        """Fields (B, T, n, n) -> uncorrelated modes."""
        waves = torch.fft.fft2(x, norm="ortho") * self.phase.conj()
        return self.rotate(waves.real - waves.imag)

    def from_modes(self, z: Tensor) -> Tensor:
        """Modes -> fields."""
        h = self.rotate_back(z)
        back = h.flip(-2, -1).roll((1, 1), (-2, -1))  # of -k
        return torch.fft.ifft2(torch.complex(0.5 * (h + back), 0.5 * (back - h)) * self.phase, norm="ortho").real

    def posterior_covariance(self, sigma: Tensor, channels: slice | list[int] = ALL) -> Callable[[Tensor], Tensor]:
        """As of any `Spectrum`."""
        variance = self.posterior_variance(sigma)

        def product(v: Tensor) -> Tensor:
            x = v.new_zeros(len(v), *self.shape)
            x[:, channels] = v
            return self.from_modes(variance * self.to_modes(x))[:, channels]

        return product

    def pointwise_variance(self) -> Tensor:
        """One, but for rounding and the floor."""
        return torch.full(self.shape, float(self.variance.double().mean()), dtype=torch.float64)

    def propagate(self, x: Tensor) -> Tensor:
        """M x, for x (B, n, n) of one frame, double precision."""
        return torch.fft.ifft2(torch.fft.fft2(x) * self.forget * self.turn).real

    def renewal(self) -> Tensor:
        """The covariance of q, (n n, n n), double precision."""
        n = self.shape[-1]
        unit = torch.eye(n * n, dtype=torch.float64).view(-1, n, n)
        return torch.fft.ifft2(torch.fft.fft2(unit) * (1 - self.forget**2) * self.power).real.flatten(1)


class Smoothed(NamedTuple):
    """The posterior of all frames: mean (B, T, n, n) and variance (T, n, n), double precision."""

    mean: Tensor
    variance: Tensor


def kalman_smoother(ocean: Moving, likelihood: LinearGaussian, values: Tensor) -> Smoothed:
    """The posterior of all frames given values (B, m), by filter and smoother.

    The filter carries the frames k - 1 and k together, since an observation between them sees both; the smoother goes
    back with the gain G = P_k-1,k P_k,k^-1.
    """
    frames, n, _ = ocean.shape
    points, m = n * n, values.shape[-1]
    seen = likelihood.operator.adjoint(torch.eye(m)).double().flatten(2)  # rows of H: (m, T, n n)
    last = torch.tensor([int(rows.abs().sum(1).nonzero().max()) for rows in seen])
    error = likelihood.covariance(torch.eye(m)).double()
    start = torch.fft.ifft2(torch.fft.fft2(torch.eye(points, dtype=torch.float64).view(-1, n, n)) * ocean.power).real

    def moved(rows: Tensor) -> Tensor:
        return ocean.propagate(rows.view(-1, n, n)).flatten(1)

    mean = torch.zeros(len(values), 2 * points, dtype=torch.float64)
    cov = torch.zeros(2 * points, 2 * points, dtype=torch.float64)
    cov[points:, points:] = start.flatten(1)
    new, renewal, kept = slice(points, None), ocean.renewal(), []
    for k in range(frames):
        if k:
            before, here = mean[:, new].clone(), cov[new, new].clone()
            across = moved(here)  # P M'
            mean = torch.cat([before, moved(before)], 1)
            cov = torch.cat([torch.cat([here, across], 1), torch.cat([across.T, moved(across.T) + renewal], 1)])
        some = (last == k).nonzero()[:, 0]
        if len(some):
            rows = torch.cat([seen[some, k - 1] if k else torch.zeros_like(seen[some, 0]), seen[some, k]], 1)
            gain = cov @ rows.T  # P H'
            factor = torch.linalg.cholesky(rows @ gain + error[some][:, some])
            weights = torch.cholesky_solve((values[:, some].double() - mean @ rows.T).T, factor)
            mean = mean + (gain @ weights).T
            half = torch.linalg.solve_triangular(factor, gain.T, upper=False)
            cov = cov - half.T @ half
        kept.append((mean, cov))
    mean, cov = kept[-1][0][:, new], kept[-1][1][new, new]
    means, variances = [mean], [cov.diagonal()]
    for filtered, joint in reversed(kept[1:]):
        old = slice(0, points)
        gain = torch.linalg.solve(joint[new, new], joint[new, old]).T
        mean = filtered[:, old] + (mean - filtered[:, new]) @ gain.T
        cov = joint[old, old] + gain @ (cov - joint[new, new]) @ gain.T
        means.append(mean)
        variances.append(cov.diagonal())
    shape = -1, frames, n, n
    return Smoothed(torch.stack(means[::-1], 1).view(shape), torch.stack(variances[::-1]).view(shape[1:]))


# --- Priors ----------------------------------------------------------------------------------------------------------


class Dense(nn.Module):
    """A Gaussian of a window of a few frames, by its eigenvectors."""

    def __init__(self, ocean: Moving, size: int):
        super().__init__()
        self.shape = (ocean.shape[0], size, size)
        units = torch.zeros(math.prod(self.shape), *ocean.shape)
        units[:, :, :size, :size] = torch.eye(len(units)).view(-1, *self.shape)
        rows = torch.cat([ocean.posterior_covariance(INFINITE_NOISE)(part) for part in units.split(128)])
        full = rows[:, :, :size, :size].flatten(1).double()
        values, vectors = torch.linalg.eigh(0.5 * (full + full.T))
        self.values, self.vectors = values.clamp(min=0).float(), vectors.float()

    def wiener_filter(self, x: Tensor, sigma: Tensor) -> Tensor:
        """E[x0 | x]."""
        noise = torch.as_tensor(sigma).view(-1, 1) ** 2
        gain = self.values / (self.values + noise)
        return (((x.flatten(1) @ self.vectors) * gain) @ self.vectors.T).view(x.shape)


class MovingPrior:
    """The ocean, or a window of it, as a prior (see `prior.Prior`): an exact denoiser, and a covariance as training
    estimates it, of draws in empirical orthogonal functions."""

    name = "moving"
    crossover, inflation, between = math.inf, 1.0, {}
    standardizer = domain = None

    def __init__(self, ocean: Moving, size: int | None = None, seed: int = 0):
        self.exact = ocean if size is None else Dense(ocean, size)
        self.shape = self.exact.shape
        half = (self.shape[0] - 1) / 2
        self.state = StateVector(("zos",) * self.shape[0], tuple(STEP * (k - half) for k in range(self.shape[0])))
        draws = ocean.sample(DRAWS, generator=torch.Generator().manual_seed(seed))
        draws = draws[:, :, : self.shape[1], : self.shape[2]]
        basis = Basis.eofs([draws], shared_functions(self.state))
        self.spectrum = Spectrum(Spectrum.estimate([draws], basis), basis=basis)

    def denoise(self, x: Tensor, sigma: Tensor, context: Tensor | None = None) -> Tensor:
        """Exact."""
        return self.exact.wiener_filter(x, sigma)

    def covariance(self, sigma: Tensor, channels=ALL) -> Callable[[Tensor], Tensor]:
        """As it is believed."""
        return self.spectrum.posterior_covariance(sigma, channels)


# --- Cases -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MovingCase:
    """What is observed of an ocean, by what prior it is sampled, and how many truths and members to try.

    Args:
        frames, side: of the whole. fraction: of all points of all frames that is observed, at moments between frames.
        window: frames of the prior's windows, and points a side; the whole where not given.
    """

    name: str
    frames: int
    side: int
    fraction: float
    truths: int = 4
    members: int = 24
    window: tuple[int, int] | None = None

    @property
    def composed(self) -> bool:
        """Whether the prior knows only windows of it."""
        return self.window is not None


CASES = (
    MovingCase("trajectory, 1 %", 7, 24, 0.01, truths=8),
    MovingCase("trajectory, 5 %", 7, 24, 0.05, truths=8),
    MovingCase("trajectory composed in time, 3 %", 9, 24, 0.03, window=(5, 24)),
    MovingCase("trajectory composed in space, 3 %", 3, 28, 0.03, truths=8, members=20, window=(3, 16)),
)
TARGETS = {"CRPS": 1.02, "composed": 1.05, "variance": (0.95, 1.05), "seam": 0.03}
METHODS: dict[str, Settings] = {"default": DEFAULT, "fast": FAST}


class MovingExperiment(NamedTuple):
    """A case with its prior, truths' observations, and the exact posterior."""

    case: MovingCase
    prior: MovingPrior | ComposedPrior
    likelihood: LinearGaussian
    values: Tensor
    exact: Smoothed


def set_up(case: MovingCase, seed: int = 0) -> MovingExperiment:
    """Draw truths and observations of a case, and find their posteriors: by the Kalman smoother; of a part of the ocean
    by conditioning the whole (`baselines.closed_form`), which is the same."""
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    frames, side = case.window or (case.frames, case.side)
    period = case.side if side == case.side else round(1.4 * case.side)  # the box is no torus
    ocean = Moving(case.frames, period)
    if not case.composed:
        prior = MovingPrior(ocean)
    else:
        part = MovingPrior(Moving(frames, period), None if side == case.side else side)
        shifts = [STEP * (k - 0.5 * (case.frames - frames)) for k in range(case.frames - frames + 1)]
        prior = ComposedPrior(part, (case.side, case.side), shifts)
    m = round(case.fraction * case.frames * case.side**2)
    box, whole = (Grid(np.arange(n) / 12, np.arange(n) / 12) for n in (case.side, period))
    state, places = prior.state, rng.integers(case.side, size=(2, m)) / 12
    ordered = [state.index("zos", day) for day in state.days]  # a composed state has its own order
    earlier, later, share = state.around("zos", rng.uniform(state.days[0], state.days[-1], m))
    operator = Points(box, earlier, *places, len(state), later, share)
    rank = np.argsort(ordered)
    on_ocean = Points(whole, rank[earlier], *places, case.frames, rank[later], share)
    truth = ocean.sample(case.truths, generator=generator)
    values = on_ocean(truth) + ERROR * torch.randn(case.truths, m, generator=generator)
    variance = torch.full((m,), ERROR**2)
    likelihood, known = LinearGaussian(operator, values, variance), LinearGaussian(on_ocean, values, variance)
    if case.composed:
        found = condition(ocean, known, values)
        exact = Smoothed(found.mean, found.variance)
    else:
        exact = kalman_smoother(ocean, known, values)
    here = slice(0, case.side)
    mean, spread = exact.mean[..., here, here][:, rank], exact.variance[..., here, here][rank]
    return MovingExperiment(case, prior, likelihood, values, Smoothed(mean, spread))


# --- Scores ----------------------------------------------------------------------------------------------------------


def scores(draws: Tensor, experiment: MovingExperiment) -> dict[str, float]:
    """Scores of draws (B M, T, n, n), the members of one truth after the other, over all days and at the worst of them;
    all are infinite if any diverged."""
    case, exact = experiment.case, experiment.exact
    order = [experiment.prior.state.index("zos", day) for day in experiment.prior.state.days]
    members = draws.double().unflatten(0, (case.truths, case.members))[:, :, order]
    mean, variance = exact.mean[:, order], exact.variance[order]
    ratios, crps = [], []
    for day in range(len(order)):
        one = slice(day, day + 1)
        known = Marginals(mean.new_ones(case.truths, 1), mean[:, None, one], variance[None, one], mean.new_zeros(1))
        crps.append(crps_ratio(members[:, :, one], known))
        ratios.append(float(members[:, :, day].var(1).mean() / variance[day].mean()))
    found = {
        "CRPS / exact": float(np.mean(crps)),
        "CRPS / exact, worst day": max(crps),
        "variance, least of a day": min(ratios),
        "variance, most of a day": max(ratios),
        "seam": math.nan,  # there is none
    }
    if case.window and case.window[1] < case.side:
        found["seam"] = seam(members, variance, experiment.prior.windows)
    return found if torch.isfinite(draws).all() else dict.fromkeys(found, math.inf)


def seam(members: Tensor, variance: Tensor, windows: Sequence[Window]) -> float:
    """How visible the seams of windows are. The spread is taken over the exact one, in rows and columns where two
    windows have equal weight. It is compared with that three to five points beside them; the mean difference is
    returned, as a share.

    Args:
        members: (B, M, T, n, n). variance: exact, (T, n, n). windows: of the composed prior.
    """
    ratio = (members.var(1).mean(0) / variance).mean(0)
    changes = []
    for line, parts in ((ratio.mean(1), [w.rows for w in windows]), (ratio.mean(0), [w.columns for w in windows])):
        begins = sorted({part.start for part in parts})
        ends = sorted({part.stop for part in parts})
        for begin, end in zip(begins[1:], ends, strict=False):
            middle = (begin + end) // 2
            beside = torch.cat([line[middle - 6 : middle - 3], line[middle + 3 : middle + 6]])
            changes.append(line[middle - 1 : middle + 1].mean().sqrt() / beside.mean().sqrt() - 1)
    return float(torch.stack(changes).mean())


def run_case(experiment: MovingExperiment, settings: Settings, seed: int = 0) -> dict[str, float]:
    """Scores and cost of one way of sampling."""
    case, likelihood = experiment.case, experiment.likelihood
    values = experiment.values.repeat_interleave(case.members, 0)
    rows = LinearGaussian(likelihood.operator, values, likelihood.variance)
    prior = Counting(experiment.prior)
    start, count = time.perf_counter(), case.truths * case.members
    draws = sample_posterior(
        prior, rows, None, count, seed, settings.guidance, settings.sampler, settings.steps, batch=count
    )
    seconds = time.perf_counter() - start
    return scores(draws, experiment) | {"forwards": prior.forwards, "VJPs": prior.products, "seconds": seconds}


def evaluate_moving(quick: bool = False, seed: int = 0) -> Iterator[dict]:
    """Every case by the default and the fast method; lines as of `closed_form.evaluate_posterior`.

    Args:
        quick: half of the truths, and fewer members.
    """
    for case in CASES:
        experiment = set_up(replace(case, truths=case.truths // 2, members=16) if quick else case, seed)
        for name, settings in METHODS.items():
            yield {"case": case.name, "method": name} | run_case(experiment, settings, seed)


def rows_of_moving(lines: list[dict]) -> list[dict]:
    """Lines of `evaluate_moving` as rows, see `closed_form.rows_of`. Targets are for the default. Its CRPS may be 1.02
    times the exact one at every day, and 1.05 times where the prior is composed of windows. The variance of every day
    has a target, too, and no seam may show in the spread."""
    rows = []
    for line in lines:
        judged = line["method"] == "default"
        composed = "composed" in line["case"]
        for score in (name for name, value in line.items() if name not in ("case", "method") and value == value):
            target: tuple = ()
            if judged and score.startswith("CRPS"):
                target = None, TARGETS["composed" if composed else "CRPS"]
            elif judged and score.startswith("variance") and not composed:
                target = TARGETS["variance"]
            elif judged and score == "seam":
                target = -TARGETS["seam"], TARGETS["seam"]
            rows.append(figure(line, score, *target, detail=not (target or score.startswith("CRPS"))))
    return [made | {"met": False} if made["target"] and made["value"] == math.inf else made for made in rows]
