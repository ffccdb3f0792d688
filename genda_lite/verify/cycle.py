"""How well a cycle filters: every way of cycling, in closed form and sampled, beside the Kalman filter.

The ocean and its filters are those of `verify.kalman`. At best, a conditioned denoiser knows a background covariance
that is the same everywhere and every day. Its scores are computed in closed form first. Sampled cycles follow, with
denoisers trained on pairs of forecast and truth; the difference is what sampling and training add. Scores are root mean
squares over all points and days after the spin-up; sampled cycles and Kalman filter see the same truths and values.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from ..baselines.enkf import enkf, gaspari_cohn, letkf
from ..cycle.background import Background, BackgroundPrior, Conditional, with_background
from ..cycle.cycle import Analyse, CentredNoise, Condition, about_mean, about_members, cycle, three_d_var
from ..errors import InputError
from ..observe.likelihood import LinearGaussian
from ..observe.operators import Points
from ..prior import GaussianPrior
from ..state import Grid
from .closed_form import figure
from .kalman import (
    LENGTH,
    ROUNDS,
    START,
    DenseSpectrum,
    Filtered,
    Observed,
    Ocean,
    constant_covariance,
    linear_filter,
    observe,
    smoother_variance,
)

DAY = np.timedelta64(1, "D")
TARGETS = {"RMSE": 1.04, "spread": (0.95, 1.05), "variance": (0.95, 1.05)}
OWN, PERFECT, PRODUCT = "conditioned, own forecasts", "conditioned, perfect forecasts", "prior with background"
CORRECTED = "conditioned, own forecasts, corrected"
GUIDED, LETKF, ENKF = "guided transitions", "LETKF", "EnKF"
CONSTANT = "best constant B, closed form"
SCALINGS = (0.5, 0.7, 1.4, 2.0)  # of the last round's B, tried for the best
UNBOUNDED = 100.0  # times the Kalman filter's error: a cycle that has lost the ocean
RADII = (1.0, 2.0, 4.0)  # of localization, in lengths of the correlation, to choose from on other truths


@dataclass(frozen=True)
class CycleCase:
    """An ocean, what is observed of it, and how long and with how many truths and members it is cycled.

    Args:
        share: of points, observed with an `error` in standard deviations of the state. days: scored, after `spin`.
    """

    memory: float
    share: float
    error: float
    days: int = 50
    spin: int = 20
    truths: int = 2
    members: int = 32
    n: int = 16
    sampled: bool = True

    @property
    def name(self) -> str:
        """As the table has it."""
        return f"Kalman, memory {self.memory:g}, {100 * self.share:g} %, error {self.error:g}"


SAMPLED_CASES = (
    CycleCase(0.99, 0.05, 0.1),
    CycleCase(0.99, 0.10, 0.3),
    CycleCase(0.99, 0.25, 0.1),
    CycleCase(0.97, 0.10, 0.3),
    CycleCase(0.90, 0.10, 0.3),
)
CASES = SAMPLED_CASES + tuple(
    replace(CycleCase(memory, share, error), sampled=False)
    for memory in (0.99, 0.97, 0.9)
    for share in (0.05, 0.1, 0.25)
    for error in (0.1, 0.3)
    if (memory, share, error) not in {(one.memory, one.share, one.error) for one in SAMPLED_CASES}
)
QUICK = (
    CycleCase(0.99, 0.10, 0.3, spin=15),
    CycleCase(0.90, 0.10, 0.3, spin=15, sampled=False),
)


def likelihoods(ocean: Ocean, seen: Observed, error: float, members: int) -> list[tuple[np.datetime64, LinearGaussian]]:
    """Dates and what was observed of each, for members of one truth after the other."""
    places, found = np.arange(ocean.n) / 12, []
    grid = Grid(places, places)
    for day, (cells, values) in enumerate(zip(seen.cells, seen.values, strict=True)):
        rows, columns = np.divmod(cells.numpy(), ocean.n)
        operator = Points(grid, np.zeros(len(cells), int), places[rows], places[columns], 1)
        rows = values.repeat_interleave(members, 0).float()
        variance = torch.full((len(cells),), error**2)
        found.append((START + (day + 1) * DAY, LinearGaussian(operator, rows, variance)))
    return found


def run(
    ocean: Ocean,
    seen: Observed,
    error: float,
    condition: Condition,
    members: int,
    seed: int,
    analyse: Analyse | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """A cycle of members of all truths: means of forecasts, means and variances of analyses, each (D, T, n n)."""
    truths = seen.values.shape[1]
    noise = CentredNoise(seed, range(truths * members), ocean.spectrum.shape, "cpu", truths)
    ensemble = ocean.spectrum.from_modes(ocean.spectrum.variance.sqrt() * noise())
    found = []
    days = likelihoods(ocean, seen, error, members)
    for day in cycle(ocean.model, condition, days, ensemble, START, seed, analyse, groups=truths):
        groups = [states.double().flatten(1).unflatten(0, (truths, members)) for states in day[1:]]
        found.append((groups[0].mean(1), groups[1].mean(1), groups[1].var(1)))
    return tuple(map(torch.stack, zip(*found, strict=True)))


def trained(case: CycleCase, ocean: Ocean, seed: int, corrected: bool = False) -> list[Conditional]:
    """Conditioned denoisers of each round, as a network would be trained: of pairs of forecast and truth from perfect
    states, then from cycles with the denoiser of the round before (Ross et al. 2011). Truths and observed points are
    others than those that are scored."""
    share, error, spin, days = case.share, case.error, case.spin, case.days
    seen = observe(ocean, share, error, spin + days, 8, seed + 1000)
    shape, truths = (-1, 1, ocean.n, ocean.n), seen.truth.shape[1]
    later = [x.view(shape).float() for x in seen.truth[1:]]
    perfect = [ocean.carry(x).view(shape).float() for x in seen.truth[:-1]]
    pairs = list(zip(perfect, later, strict=True))
    found = [Conditional.fit(pairs, ocean.spectrum, corrected)]
    for _ in range(ROUNDS):
        forecasts, *_ = run(ocean, seen, error, about_mean(found[-1].given, truths), 16, seed, three_d_var)
        days_of = zip(forecasts[spin:], seen.truth[spin:], strict=True)
        pairs = [(b.view(shape).float(), x.view(shape).float()) for b, x in days_of]
        found.append(Conditional.fit(pairs, ocean.spectrum, corrected))
    return found


def run_ensemble(
    ocean: Ocean, seen: Observed, error: float, update: Callable, members: int, seed: int
) -> tuple[Tensor, Tensor]:
    """An ensemble Kalman filter, members with the model's own error: means and variances (D, T, n n)."""
    generator = torch.Generator().manual_seed(seed)
    days, truths, m = seen.values.shape
    shape = (truths * members, 1, ocean.n, ocean.n)
    states = ocean.spectrum.sample(truths * members, generator=generator).double()
    places = torch.stack(torch.meshgrid(torch.arange(ocean.n), torch.arange(ocean.n), indexing="ij"), -1).view(-1, 2)
    apart = (places[:, None] - places).abs()
    distance = torch.minimum(apart, ocean.n - apart).double().square().sum(-1).sqrt()  # on a periodic square
    found = []
    for day in range(days):
        states = ocean.model(states, START, [1], lambda: torch.randn(shape, generator=generator).double())[0]
        cells, groups = seen.cells[day], states.flatten(1).unflatten(0, (truths, members))
        variance = torch.full((m,), error**2, dtype=torch.float64)
        groups = torch.stack(
            [
                update(group, group[:, cells], values, variance, distance[cells], distance[cells][:, cells], generator)
                for group, values in zip(groups, seen.values[day], strict=True)
            ]
        )
        found.append((groups.mean(1), groups.var(1)))
        states = groups.view(shape)
    return tuple(map(torch.stack, zip(*found, strict=True)))


# --- Scores -----------------------------------------------------------------------------------------------------------


def root(values: Tensor) -> float:
    """Root of the mean."""
    return float(values.mean()) ** 0.5


def in_closed_form(case: CycleCase, ocean: Ocean, seen: Observed, kalman: Filtered) -> Iterator[dict]:
    """Every linear way: figures without chance, as lines with `method`, the error of the mean over the Kalman filter's,
    and the spread over that error."""
    after, error = slice(case.spin, None), case.error
    best = root(kalman.variance[after])
    yield {"method": "filter", "RMSE": best}
    ahead = slice(case.spin, case.spin + case.days // 2)  # days that have as many after them
    yield {
        "method": "smoother",
        "RMSE / Kalman": root(smoother_variance(ocean, kalman)[ahead]) / root(kalman.variance[ahead]),
    }
    single = linear_filter(ocean, seen, error, ocean.climate)
    yield {"method": "single day", "RMSE / Kalman": root(single.believed[after]) / best}
    for number, believed in enumerate(constant_covariance(ocean, seen, error, case.spin)):
        found = linear_filter(ocean, seen, error, believed)
        ratio, spread = root(found.variance[after]) / best, root(found.believed[after]) / root(found.variance[after])
        name = f"{OWN}, round {number}" if number else PERFECT
        yield {"method": f"{name}, closed form", "RMSE / Kalman": ratio, "spread / error": spread}
        if not number:  # the same gain, member by member
            yield {"method": f"{GUIDED}, closed form", "RMSE / Kalman": ratio, "spread / error": 1.0}
    scaled = [root(linear_filter(ocean, seen, error, s * believed).variance[after]) / best for s in SCALINGS]
    mean = linear_filter(ocean, seen, error, kalman.forecasts[after].mean(0))
    yield {"method": CONSTANT, "RMSE / Kalman": min(ratio, root(mean.variance[after]) / best, *scaled)}


def scores(case: CycleCase, seen: Observed, kalman: Filtered, mean: Tensor, variance: Tensor) -> dict[str, float]:
    """Scores of means and variances (D, T, n n) of an ensemble, beside the Kalman filter's on the same truths."""
    after = slice(case.spin, None)
    error, best = (root((m - seen.truth).square()[after]) for m in (mean, kalman.mean))
    spread = root(variance[after])
    return {
        "RMSE / Kalman": error / best,
        "spread / error": spread / error,
        "variance / Kalman": (spread / root(kalman.variance[after])) ** 2,
    }


def sampled_ways(case: CycleCase, ocean: Ocean, kalman: Filtered, seed: int, quick: bool) -> dict[str, Condition]:
    """How each way makes a prior of the day's forecasts; quick: two of them."""
    conditionals = trained(case, ocean, seed)
    climate = GaussianPrior(ocean.spectrum.variance.permute(1, 2, 0)[..., None], None, None, basis=ocean.spectrum.basis)
    renewal = ocean.homogeneous(ocean.renewal)
    groups, last = case.truths, conditionals[-1]
    ways = {
        f"{OWN}, round {ROUNDS}": about_mean(last.given, groups),
        GUIDED: about_members(lambda b: BackgroundPrior(Background(b, renewal))),
    }
    if quick:
        return ways
    exact = (DenseSpectrum(covariance, climate.shape) for covariance in kalman.forecasts)  # day by day
    return {
        "filter's own background, sampled": about_mean(lambda b: BackgroundPrior(Background(b, next(exact))), groups),
        PERFECT: about_mean(conditionals[0].given, groups),
        **{f"{OWN}, round {k}": about_mean(conditionals[k].given, groups) for k in range(1, ROUNDS)},
        **ways,
        PRODUCT: about_mean(lambda b: with_background(climate, Background(b, last.error)), groups),
    }


def corrected(case: CycleCase, ocean: Ocean, seen: Observed, kalman: Filtered, seed: int) -> dict[str, float]:
    """Scores of a denoiser that corrects its forecasts, too (`Conditional`): infinite where its cycle grows without
    bound, in training or after."""
    try:
        condition = about_mean(trained(case, ocean, seed, corrected=True)[-1].given, case.truths)
        found = scores(case, seen, kalman, *run(ocean, seen, case.error, condition, case.members, seed)[1:])
    except InputError:  # forecasts that are no numbers any more
        found = {"RMSE / Kalman": math.inf}
    return found if found["RMSE / Kalman"] < UNBOUNDED else {"RMSE / Kalman": math.inf}


def ensemble_filter(name: str, radius: float) -> Callable:
    """An update of `baselines.enkf` with a radius of localization (cells)."""

    def update(ensemble, observed, values, variance, distance, among, generator):
        taper = gaspari_cohn(distance, radius)
        if name == LETKF:
            return letkf(ensemble, observed, values, variance, taper)
        return enkf(ensemble, observed, values, variance, taper, gaspari_cohn(among, radius), generator)

    return update


def peers(case: CycleCase, ocean: Ocean, seen: Observed, seed: int) -> Iterator[tuple[str, Tensor, Tensor]]:
    """EnKF and LETKF, each with the radius that served best on another truth."""
    other = observe(ocean, case.share, case.error, case.spin + case.days // 2, 1, seed + 2000)
    for name in (ENKF, LETKF):
        tried = {}
        for radius in (LENGTH * factor for factor in RADII):
            run_one = partial(run_ensemble, update=ensemble_filter(name, radius), members=case.members, seed=seed)
            mean, _ = run_one(ocean, other, case.error)
            tried[root((mean - other.truth).square()[case.spin :])] = run_one
        best = tried[min(tried)]
        yield f"{name}, {case.members} members", *best(ocean, seen, case.error)


def evaluate_cycle(quick: bool = False, seed: int = 0) -> Iterator[dict]:
    """Every case in closed form; five of them sampled, too, beside ensemble Kalman filters.

    Args:
        quick: two cases, one of them sampled with the last round of training alone.

    Yields:
        lines with `case`, `method` and scores, as they are done.
    """
    for case in QUICK if quick else CASES:
        label, ocean = {"case": case.name}, Ocean(case.memory, case.n)
        seen = observe(ocean, case.share, case.error, case.spin + case.days, case.truths, seed)
        kalman = linear_filter(ocean, seen, case.error)
        for line in in_closed_form(case, ocean, seen, kalman):
            yield label | line
        if not case.sampled:
            continue
        for method, condition in sampled_ways(case, ocean, kalman, seed, quick).items():
            _, *found = run(ocean, seen, case.error, condition, case.members, seed)
            yield label | {"method": method} | scores(case, seen, kalman, *found)
        if not quick:
            yield label | {"method": CORRECTED} | corrected(case, ocean, seen, kalman, seed)
        for method, *found in peers(case, ocean, seen, seed):
            yield label | {"method": method} | scores(case, seen, kalman, *found)


def rows_of_cycle(lines: list[dict]) -> list[dict]:
    """Lines of `evaluate_cycle` as rows (see `verify.table.row`). Targets are for the conditioned denoiser that was
    trained on forecasts from its own analyses: RMSE at most 1.04 of the Kalman filter's, and spread over error 0.95 to
    1.05. A sampler that is told the filter's own background has targets, too.

    Beside the former is the least error of several constant B: of the last round's at several scales, and of the mean
    over the days of the Kalman filter's own covariance. Where that misses the target, more training would not help:
    with few observations and a long memory the background's error depends on where the last ones lay, which a constant
    B cannot say.
    """
    rows = []
    least = {line["case"]: line["RMSE / Kalman"] for line in lines if line["method"] == CONSTANT}
    for line in lines:
        exact, repaired = "own background" in line["method"], f"{OWN}, round {ROUNDS}" == line["method"]
        for score in (name for name in line if name not in ("case", "method")):
            target: tuple = ()
            if score == "RMSE / Kalman" and (repaired or exact):
                target = None, TARGETS["RMSE"] if repaired else 1.01
            elif score == "spread / error" and (repaired or exact):
                target = TARGETS["spread"]
            elif score == "variance / Kalman" and exact:
                target = TARGETS["variance"]
            limit = {CONSTANT: least[line["case"]]} if repaired and score == "RMSE / Kalman" else None
            made = figure(line, score, *target, detail=score == "variance / Kalman" and not target, beside=limit)
            rows.append(made | {"name": f"{line['case']}, {line['method']}: {score}"})
    return rows
