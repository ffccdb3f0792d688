"""How well the posterior is sampled: guided ensembles against posteriors that are known exactly.

The priors here are Gaussians and a mixture of Gaussians, whose denoisers are exact; observations are linear with
Gaussian errors, and so the posterior is known in closed form. What remains is the error of guidance and sampler alone.

For each of several truths an ensemble is drawn. Scores are means over all truths that the exact posterior allows, not
over the one that was drawn: for a point where the posterior is F and the members are x_i

    CRPS = 1/M sum_i E|x_i - Y| - 1/(2 M (M-1)) sum_ij |x_i - x_j|,    Y ~ F

which is least for an ensemble drawn from F itself, E|Y - Y'| / 2: the score `CRPS / exact` is then 1.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ..baselines.closed_form import Marginals, exact_posterior
from ..observe.instruments import altimeter_tracks, clear_sky
from ..observe.likelihood import LinearGaussian
from ..observe.operators import Blurred, Operator, Points, Stacked
from ..posterior.assimilate import DEFAULT, FAST, Settings, sample_posterior
from ..posterior.guidance import hybrid, sda
from ..prior import GaussianPrior
from ..prior.mixture import MixturePrior
from ..prior.spectral import ALL, Spectrum
from ..state import CHANNELS, Grid
from .table import pick, pivot, row

N = 64  # points a side
ERROR = 0.05  # of observations, in standard deviations of the state
CORNER = 6.0  # half cycles in the domain, beyond which the variance of a mode falls
GRID = Grid.around(-60.0, 38.0, (N, N))


# --- Priors and observations -----------------------------------------------------------------------------------------


def red_spectrum(corner: float = CORNER, slope: float = 4.0, variance: float = 1.0, n: int = N) -> Tensor:
    """Variance of cosine modes (n, n) that falls as k^-slope beyond a corner (half cycles), for fields of a variance; a
    slope of 4 in two dimensions is one of 3 for the isotropic spectrum."""
    k = torch.arange(n, dtype=torch.float64)
    power = (1 + (k[:, None] ** 2 + k**2) / corner**2) ** (-slope / 2)
    return variance * n**2 * power / power.sum()


def smooth_spectrum(length: float, n: int = N) -> Tensor:
    """Variance of cosine modes (n, n) of fields of variance one whose correlation is exp(-(d / length)^2 / 2), of a
    length in points: there are next to no small scales."""
    k = torch.arange(n, dtype=torch.float64) * math.pi * length / n
    power = torch.exp(-(k[:, None] ** 2 + k**2) / 2)
    return n**2 * power / power.sum()


def gaussian(channels: int = 1, n: int = N) -> GaussianPrior:
    """A Gaussian with a k^-3 spectrum; several channels are correlated at large scales, independent at small ones."""
    power, k = red_spectrum(n=n), torch.arange(n, dtype=torch.float64)
    mixing = torch.randn(channels, channels, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    correlated = mixing @ mixing.T
    correlated = correlated / correlated.diagonal().sqrt().outer(correlated.diagonal().sqrt())
    large = torch.exp(-(k[:, None] ** 2 + k**2).sqrt() / 12)[..., None, None]
    coherence = large * correlated + (1 - large) * torch.eye(channels)
    return GaussianPrior((power[..., None, None] * coherence).float(), None, None)


def mixture(n: int = N) -> MixturePrior:
    """Four regimes of one channel: a front in one of two places, over a smooth sea or one full of eddies."""
    y = torch.arange(n, dtype=torch.float64) / n
    front = torch.tanh((y - 0.35) / 0.06) - torch.tanh((y - 0.65) / 0.06)
    front = (0.8 * (front - front.mean()))[:, None].expand(n, n)
    smooth, rough = red_spectrum(4.0, 5.0, 0.3, n), red_spectrum(12.0, 4.0, 1.0, n)
    covariances = [s[..., None, None].float() for s in (smooth, rough, smooth, rough)]
    means = torch.stack([front, front, -front, -front])[:, None].float()
    return MixturePrior(torch.full((4,), 0.25), means, covariances)


def at_random(fraction: float, rng: np.random.Generator) -> Points:
    """A share of the grid points of the only channel."""
    cells = np.sort(rng.permutation(N * N)[: round(fraction * N * N)])
    rows, columns = np.divmod(cells, N)
    return Points(GRID, np.zeros(len(cells), int), GRID.latitude[rows], GRID.longitude[columns], 1)


def swath(width: float, rng: np.random.Generator) -> Points:
    """Every cell in a diagonal band over a share of the width, one channel: many correlated neighbours."""
    rows, columns = np.indices((N, N))
    inside = (columns + 0.4 * rows + rng.integers(N)) % N < width * N
    rows, columns = np.nonzero(inside)
    return Points(GRID, np.zeros(len(rows), int), GRID.latitude[rows], GRID.longitude[columns], 1)


def smooth_map(rng: np.random.Generator) -> Blurred:
    """A smooth map of the only channel: Gaussian means of 15 km, every fourth cell."""
    rows, columns = (a.ravel() + 2 for a in np.indices((N // 4, N // 4)) * 4)
    points = Points(GRID, np.zeros(len(rows), int), GRID.latitude[rows], GRID.longitude[columns], 1)
    return Blurred(points, GRID, 15.0)


def many_instruments(rng: np.random.Generator) -> Stacked:
    """Of all channels: sea level along tracks, between the cells; temperature through gaps in the clouds, every
    other cell; a smooth map of salinity."""
    tracks = altimeter_tracks(GRID, 4, seed=int(rng.integers(99)))
    rows, columns = np.nonzero(clear_sky(GRID, 0.7, seed=int(rng.integers(99))).values)
    thin = (rows % 2 == 0) & (columns % 2 == 0)
    rows, columns = rows[thin], columns[thin]
    coarse = [a.ravel() + 4 for a in np.indices((N // 8, N // 8)) * 8]

    def points(channel, latitude, longitude):
        place = np.full(len(latitude), CHANNELS.index(channel))
        return Points(GRID, place, latitude, longitude, len(CHANNELS))

    parts = [
        points("zos", tracks["latitude"].values, tracks["longitude"].values),
        points("thetao", GRID.latitude[rows], GRID.longitude[columns]),
        Blurred(points("so", GRID.latitude[coarse[0]], GRID.longitude[coarse[1]]), GRID, 15.0),
    ]
    counts = [part(torch.zeros(1, *part.shape)).shape[1] for part in parts]
    return Stacked(parts, np.split(np.arange(sum(counts)), np.cumsum(counts)[:-1]))


@dataclass(frozen=True)
class ExactCase:
    """A prior whose posterior is known, what is observed of it, and how many truths and members to try.

    Args:
        operator: from a random generator, the observation operator.
        error: of the observations, or the least and the greatest among them.
        constant: standard deviation of an error that all of them share.
        repeats: how often each place is observed; errors are then alike, and the posterior is that of the means.
        believed: the spectrum (ny, nx) that guidance takes for that of the prior, if it is wrong about it. The denoiser
            is right, as a network may be whose climatological covariance is not that of the day.
    """

    name: str
    prior: Callable[[], GaussianPrior | MixturePrior]
    operator: Callable[[np.random.Generator], Operator]
    error: float | tuple[float, float] = ERROR
    constant: float = 0.0
    truths: int = 12
    members: int = 16
    believed: Tensor | None = None
    repeats: int = 1


MANY = f"Gaussian, {len(CHANNELS)} channels"
# A mixture's truths differ more than a Gaussian's: over twelve of them the ratio of variances varies by 0.03, and over
# 32 by more than half of the tolerance. So there are more of them. All methods see the same.
CASES = {
    case.name: case
    for case in (
        ExactCase("Gaussian, 2 %", gaussian, lambda rng: at_random(0.02, rng)),
        ExactCase("Gaussian, 10 %", gaussian, lambda rng: at_random(0.1, rng)),
        ExactCase("Gaussian, 30 %", gaussian, lambda rng: at_random(0.3, rng)),
        ExactCase("mixture, 2 %", mixture, lambda rng: at_random(0.02, rng), truths=64),
        ExactCase("mixture, 10 %", mixture, lambda rng: at_random(0.1, rng), truths=64),
        ExactCase("Gaussian, smooth map", gaussian, smooth_map),
        ExactCase("Gaussian, 20,480 values", gaussian, lambda rng: at_random(1.0, rng), truths=1, repeats=5),
        ExactCase(MANY, lambda: gaussian(len(CHANNELS)), many_instruments, (0.03, 0.3), truths=2),
    )
}
POINTS = [name for name in CASES if "%" in name]
VARIANCES_OF = "Gaussian, 10 %"  # the case that stands for others where a table has no room for all
WRONG = {  # spectra to be believed; the true correlation falls to 0.6 within 4.5 points
    "length x 0.8": red_spectrum(CORNER / 0.8),
    "length x 1.25": red_spectrum(CORNER / 1.25),
    "white": torch.ones(N, N, dtype=torch.float64),
    "twice as long, no small scales": smooth_spectrum(9.0),
}
MISLED = [
    ExactCase(
        f"S wrong, {how}, {share} %",
        gaussian,
        lambda rng, share=share: at_random(share / 100, rng),
        truths=6,
        believed=spectrum,
    )
    for how, spectrum in WRONG.items()
    for share in (5, 30)
]
SWEEP = [
    ExactCase(f"{where}, error {error:g}", gaussian, operator, error, constant, truths=2, members=8)
    for where, operator, constant in (
        ("1 %", lambda rng: at_random(0.01, rng), 0.0),
        ("20 %", lambda rng: at_random(0.2, rng), 0.0),
        ("60 %", lambda rng: at_random(0.6, rng), 0.0),
        ("swath", lambda rng: swath(0.25, rng), 0.0),
        ("swath of unknown level", lambda rng: swath(0.25, rng), 1.0),
    )
    for error in (0.005, 0.05, 1.0)
]
QUICK_MISLED = [case for case in MISLED if "twice" in case.name][:1]
QUICK_SWEEP = [case for case in SWEEP if case.name in ("1 %, error 1", "swath, error 0.005")]


class Sampler(NamedTuple):
    """What to compare: settings of sampling, and a variant of the guidance if it is not that of the settings."""

    settings: Settings
    guidance: Callable | None = None


SAMPLED = {
    "default": Sampler(DEFAULT),
    "fast": Sampler(FAST),
    "default, 2M without noise": Sampler(DEFAULT._replace(sampler="2m")),
    "default, Heun": Sampler(DEFAULT._replace(sampler="heun", steps=13)),
    "default, Heun with churn": Sampler(DEFAULT._replace(sampler="heun-churn", steps=13)),
    "default, one iteration in 80 steps": Sampler(DEFAULT._replace(steps=80), partial(hybrid, iterations=1)),
    "MMPS, 3 iterations": Sampler(Settings("mmps", "sde-2m", 20)),
    "OI-Jacobian": Sampler(Settings("oi-jacobian", "sde-2m", 80)),
    "GenDA, gamma 0.1": Sampler(Settings("sda", "vp", 256)),
    "GenDA, gamma 0.01": Sampler(Settings("sda", "vp", 256), partial(sda, gamma=0.01)),
    "GenDA, gamma 0.1, Langevin": Sampler(Settings("sda", "vp-langevin", 256)),
    "DPS": Sampler(Settings("dps", "vp", 256)),
}
# Highest CRPS / exact for priors of each kind, lowest and highest ratio of variances.
TARGETS = {
    "default": {"units": 80, "Gaussian": 1.01, "mixture": 1.02, "variance": (0.95, 1.05), "S wrong": 1.03},
    "fast": {"units": 24, "Gaussian": 1.015, "mixture": None, "variance": (0.93, 1.07), "S wrong": None},
}
COMPARED_WHERE_MISLED = (*TARGETS, "default, one iteration in 80 steps", "MMPS, 3 iterations")


class Counting:
    """A prior that counts the calls of its denoiser and the vector-Jacobian products.

    Args:
        believed: a spectrum to be taken for that of the prior, see `ExactCase`.
    """

    def __init__(self, prior, believed: Tensor | None = None):
        self.prior, self.forwards, self.products = prior, 0, 0
        self.spectrum = prior.spectrum if believed is None else Spectrum(believed[..., None, None].float())

    def __getattr__(self, name):
        return getattr(self.prior, name)

    def denoise(self, x: Tensor, sigma: Tensor, context=None) -> Tensor:
        """The prior's, counted."""
        self.forwards += 1
        if x.requires_grad:
            x.register_hook(self._count)
        return self.prior.denoise(x, sigma, context)

    def covariance(self, sigma: Tensor, channels=ALL) -> Callable[[Tensor], Tensor]:
        """Of the spectrum."""
        return self.spectrum.posterior_covariance(sigma, channels)

    def _count(self, gradient: Tensor) -> None:
        self.products += 1


class Experiment(NamedTuple):
    """Truths, their observations, and the exact posterior."""

    case: ExactCase
    prior: GaussianPrior | MixturePrior
    likelihood: LinearGaussian
    truth: Tensor
    exact: Marginals


def set_up(case: ExactCase, seed: int = 0) -> Experiment:
    """Draw truths and observations of a case, and find their posteriors."""
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    prior, once = case.prior(), case.operator(rng)
    operator = repeated(once, case.repeats)
    shape = (case.truths, *prior.shape)
    truth = prior.sample(case.truths, generator) if isinstance(prior, MixturePrior) else None
    truth = prior.spectrum.sample(case.truths, generator=generator) if truth is None else truth
    seen = operator(truth.view(shape))
    low, high = case.error if isinstance(case.error, tuple) else (case.error, case.error)
    error = torch.from_numpy(np.exp(rng.uniform(math.log(low), math.log(high), seen.shape[1]))).float()
    shared = torch.full((int(case.constant > 0), seen.shape[1]), case.constant)
    white = [torch.randn(case.truths, size, generator=generator) for size in (seen.shape[1], len(shared))]
    likelihood = LinearGaussian(operator, seen, error**2, shared)
    likelihood.value = values = seen + likelihood.draw_errors(*white)
    if case.repeats == 1:
        exact = exact_posterior(prior, likelihood, values)
    else:
        each = values.unflatten(1, (case.repeats, -1))
        means, variance = each.mean(1), likelihood.variance.view(case.repeats, -1)[0] / case.repeats
        exact = exact_posterior(prior, LinearGaussian(once, means, variance), means)
        about = (each - means[:, None]).square().mean((1, 2)) / (variance * case.repeats).mean()
        exact = exact._replace(misfit=exact.misfit / case.repeats + about)
    return Experiment(case, prior, likelihood, truth, exact)


def repeated(operator: Operator, times: int) -> Operator:
    """An operator that sees all its places several times, one round after the other."""
    if times == 1:
        return operator
    count = operator(torch.zeros(1, *operator.shape)).shape[1]
    return Stacked([operator] * times, np.arange(times * count).reshape(times, count))


# --- Scores ----------------------------------------------------------------------------------------------------------


def expected_distance(mean: Tensor, variance: Tensor) -> Tensor:
    """E|Z| for Z ~ N(mean, variance)."""
    deviation = variance.clamp(min=1e-30).sqrt()
    z = mean / deviation
    return deviation * math.sqrt(2 / math.pi) * torch.exp(-0.5 * z**2) + mean * torch.erf(z / math.sqrt(2))


def crps_ratio(members: Tensor, exact: Marginals) -> float:
    """Expected fair CRPS of members (T, M, C, ny, nx) over that of the exact posterior (Grimit et al. 2006)."""
    size, components = members.shape[1], exact.weights.shape[1]
    weights, means, variances = exact.weights, exact.means, exact.variances
    shape = (-1, 1, 1, 1)
    error, half = 0.0, 0.0
    for k in range(components):
        distance = expected_distance(members - means[:, None, k], variances[k]).mean(1)
        error = error + (weights[:, k].view(shape) * distance).mean()
        for j in range(components):
            distance = expected_distance(means[:, k] - means[:, j], variances[k] + variances[j])
            half = half + 0.5 * ((weights[:, k] * weights[:, j]).view(shape) * distance).mean()
    order = 2.0 * torch.arange(1, size + 1, dtype=members.dtype) - size - 1
    differences = torch.einsum("m,tmcyx->tcyx", order, members.sort(1).values).mean() / (size * (size - 1))
    return float((error - differences) / half)


def rank_distance(members: Tensor, exact: Marginals) -> float:
    """How far the rank histogram is from flat: the share of truths that would have to change rank, 0..1."""
    deviation = exact.variances.clamp(min=1e-30).sqrt()
    below = 0.0
    for k in range(exact.weights.shape[1]):
        z = (members - exact.means[:, None, k]) / deviation[k]
        below = below + exact.weights[:, k].view(-1, 1, 1, 1, 1) * torch.special.ndtr(z)
    below = below.sort(1).values.mean((0, 2, 3, 4))
    edges = torch.cat([below.new_zeros(1), below, below.new_ones(1)])
    share = edges.diff()
    return float(0.5 * (share - 1 / len(share)).abs().sum())


def scores(draws: Tensor, experiment: Experiment) -> dict[str, float]:
    """Scores of draws (T M, C, ny, nx), the members of one truth after the other; all are infinite if any diverged."""
    names = ("CRPS / exact", "bias", "variance, observed", "variance, unobserved", "misfit / exact", "rank distance")
    if not torch.isfinite(draws).all():
        return dict.fromkeys(names, math.inf)
    case, likelihood, exact = experiment.case, experiment.likelihood, experiment.exact
    members = draws.double().unflatten(0, (case.truths, case.members))
    mean, variance = members.mean(1), members.var(1)
    squared_bias = ((mean - exact.mean) ** 2 - variance / case.members).mean() / exact.variance.mean()
    seen = likelihood.operator.adjoint(torch.ones(1, likelihood.value.shape[1]))[0] > 1e-3
    ratios = [float(variance[:, at].mean() / exact.variance[:, at].mean()) for at in (seen, ~seen)]
    rows = likelihood.value.repeat_interleave(case.members, 0)
    variances = likelihood.variance + (likelihood.shared**2).sum(0)
    misfit = ((rows - likelihood.operator(draws)) ** 2 / variances).mean() / exact.misfit.mean()
    values = (
        crps_ratio(members, exact),
        math.copysign(math.sqrt(abs(squared_bias)), squared_bias),
        *ratios,
        float(misfit),
        rank_distance(members, exact),
    )
    return dict(zip(names, values, strict=True))


def run_case(
    experiment: Experiment, settings: Settings, guidance: Callable | None = None, seed: int = 0
) -> dict[str, float]:
    """Sample every truth's posterior, all members in one batch, and score them; with calls, products and seconds."""
    case, likelihood = experiment.case, experiment.likelihood
    prior = Counting(experiment.prior, case.believed)
    count = case.truths * case.members
    rows = LinearGaussian(
        likelihood.operator, likelihood.value.repeat_interleave(case.members, 0), likelihood.variance, likelihood.shared
    )
    start = time.perf_counter()
    draws = sample_posterior(
        prior, rows, None, count, seed, guidance or settings.guidance, settings.sampler, settings.steps, batch=count
    )
    seconds = time.perf_counter() - start
    return scores(draws, experiment) | {"forwards": prior.forwards, "VJPs": prior.products, "seconds": seconds}


# --- The table -------------------------------------------------------------------------------------------------------


def evaluate_posterior(quick: bool = False, seed: int = 0) -> Iterator[dict]:
    """Run the default and the fast method on every case, on a sweep of errors and densities, and on cases whose S is
    wrong. Then run the other methods on the same truths, where points are observed.

    Args:
        quick: the default and the fast method, one channel, few truths, and a corner of the sweep.

    Yields:
        lines with `case`, `method` and the scores, as they are done.
    """
    cases = list(CASES.values())
    if quick:
        cases = [replace(case, truths=4, members=8) for case in cases if "7" not in case.name and case.repeats == 1]
    sweep = [replace(case, name=f"sweep: {case.name}") for case in (QUICK_SWEEP if quick else SWEEP)]
    misled = [replace(case, truths=2, members=8) for case in QUICK_MISLED] if quick else MISLED
    compared = [] if quick else [CASES[name] for name in POINTS]
    others = [name for name in SAMPLED if name not in TARGETS]
    for some, methods in (
        (cases + sweep, TARGETS),
        (misled, TARGETS if quick else COMPARED_WHERE_MISLED),
        (compared, others),
    ):
        for case in some:
            experiment = set_up(case, seed)
            for name in methods:
                yield {"case": case.name, "method": name} | run_case(experiment, *SAMPLED[name], seed)


def by_method(frame: pd.DataFrame) -> pd.DataFrame:
    """A table of methods, of the rows of `rows_of`: what each costs, its CRPS where points are observed, and its
    variances at one density."""
    one = pivot(pick(frame, case=VARIANCES_OF))
    crps = pivot(pick(frame, case=POINTS, metric="CRPS / exact"), columns="case")
    table = pd.DataFrame({"forwards + VJPs": (one["forwards"] + one["VJPs"]).astype(int)})
    for kind in ("Gaussian", "mixture"):
        cases = [case for case in POINTS if case.startswith(kind)]
        densities = " / ".join(case.split(", ")[1].removesuffix(" %") for case in cases)
        table[f"CRPS / exact, {kind}, {densities} %"] = crps[cases].map("{:.3f}".format).agg(" / ".join, axis=1)
    for where in ("observed", "unobserved"):
        table[f"variance, {where}, {VARIANCES_OF}"] = one[f"variance, {where}"]
    return table.rename_axis("method")


def rows_of(lines: list[dict]) -> list[dict]:
    """Lines of `evaluate_posterior` as rows `name`, `value`, `target`, `met`, … (see `verify.table.row`).

    Targets are for the default and the fast method. They limit the calls and products together, the CRPS and the
    variances where points are observed, and the CRPS where S is wrong. And nothing in the sweep may diverge: no CRPS
    may reach twice the exact one.
    """
    rows = []
    for name, target in TARGETS.items():
        own = [line for line in lines if line["method"] == name]
        units = own[0]["forwards"] + own[0]["VJPs"]
        rows.append(row(f"{name}: forwards + VJPs", units, highest=target["units"]))
        rows.append(row(f"{name}: VJPs", own[0]["VJPs"], highest=0 if name == "fast" else None))
        for line in own:
            if line["case"] in POINTS:
                kind = line["case"].split(",")[0]
                rows.append(figure(line, "CRPS / exact", highest=target[kind]))
                judged = target["variance"] if target[kind] else (None, None)
                rows += [figure(line, f"variance, {where}", *judged) for where in ("observed", "unobserved")]
            elif line["case"].startswith("S wrong"):
                rows.append(figure(line, "CRPS / exact", highest=target["S wrong"]))
        sweep = [line["CRPS / exact"] for line in own if line["case"].startswith("sweep")]
        title, labels = f"{name}, sweep of {len(sweep)}", {"case": "sweep", "method": name}
        diverged = sum(not ratio < 2 for ratio in sweep)
        rows.append(row(f"{title}: runs that diverged", diverged, highest=0, metric="diverged", **labels))
        rows.append(row(f"{title}: worst CRPS / exact", max(sweep), metric="worst CRPS / exact", **labels))
    told = {made["name"] for made in rows}
    others = [figure(line, score, detail=True) for line in lines for score in line if score not in ("case", "method")]
    rows += [made for made in others if made["name"] not in told]
    # What diverged has no finite score, and misses its target.
    return [made | {"met": False} if made["target"] and made["value"] == math.inf else made for made in rows]


def figure(line: dict, score: str, *judged, **options) -> dict:
    """One score of a line as a row; `judged`: the lowest and highest value that will do."""
    labels = {"case": line["case"], "method": line["method"], "metric": score}
    return row(f"{line['method']}, {line['case']}: {score}", line[score], *judged, **options, **labels)
