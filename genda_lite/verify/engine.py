"""Where cases meet methods: one loop for twin experiments, the real map, and the experiment with real sensors.

    prior, known = load_methods()
    task = case.task(prior, members=16, seed=0, grid=case.grid)
    for method, ensemble, seconds in analyse([known[OI], known[OURS]], task):
        ...                                                     # scores of the ensemble, rows of `verify.table`

Each evaluation brings its cases and what judges them; methods, their names and the loop over them are here.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import xarray as xr

from ..baselines.interpolation import Ensemble, climatological_ensemble, interpolated_ensemble
from ..baselines.regression import Regression
from ..errors import InputError
from ..observe.likelihood import within
from ..observe.table import Observations
from ..posterior.assimilate import DEFAULT, FAST, Settings, sample_posterior
from ..posterior.guidance import GUIDANCES, sda
from ..posterior.problem import Problem, build_problem
from ..prior import GaussianPrior, Prior, load_prior
from ..prior.trajectory import check_kind
from ..sources.samples import sample_names, sample_path
from ..state import Grid

CLIMATOLOGY, REGRESSION, GAUSSIAN = "climatology", "U-Net regression", "Gaussian prior"
DRESSED, OWN = "dressed", "own spread"  # a Gaussian about a single estimate: by classes (`dress`), or its own
OI_UNIVARIATE, OI = "OI, univariate", "OI, multivariate"
OURS, OURS_FAST = "diffusion", "diffusion, fast"
IN_TIME = "in time"  # of methods that are given the observations of several days, each at its own time
GENDA, GENDA_SMALL = (f"GenDA's sampler, gamma {gamma:g}" for gamma in (0.1, 0.01))
SHIPPED_REGRESSIONS = ("regression_lite.safetensors", "regression_wide.safetensors")


class Task(NamedTuple):
    """What a method is given: the problem in standardized units, the observations it was posed from, how many members
    are wanted, and the observations of all days where methods of several days are to have them."""

    problem: Problem
    observations: Observations
    members: int
    seed: int
    dated: Observations | None = None


@dataclass(frozen=True)
class Case:
    """A box at a date, what was seen of it, and the truth that judges, where it is known.

    Args:
        observations: inside the grid.
        timely: the same with the age of altimetry not among the errors, for problems to which it is told as a time.
        dated: what methods of several days are shown, each value at its own time (`ObservingSystem.in_time`).
        truth: dims (latitude, longitude).
        zones: cells (ny, nx) that are scored together, by name.
        ocean: which of several it is of.
        about: what else is to be known of it, numbers by name.
    """

    grid: Grid
    date: np.datetime64
    observations: Observations
    timely: Observations | None = None
    dated: Observations | None = None
    truth: xr.Dataset | None = None
    zones: Mapping[str, np.ndarray] = field(default_factory=dict)
    ocean: int = 0
    about: Mapping[str, float] = field(default_factory=dict)

    def task(self, prior: Prior, members: int, seed: int, **options) -> Task:
        """What methods are to do.

        Args:
            options: of `build_problem`; among them `region` or `grid`.

        Raises:
            InputError: see `build_problem`.
        """
        observations = self.observations if self.timely is None else self.timely
        problem = build_problem(prior, observations, date=self.date, **options)
        return Task(problem, self.observations, members, seed, self.dated)


@dataclass(frozen=True)
class Method:
    """A method of analysis. `slow`: it is run on some of the cases only. `evaluations`: of the network for each member,
    forwards and VJPs. `spread`: of a single estimate; none as it is delivered, else `DRESSED` or `OWN`."""

    name: str
    run: Callable[[Task], Ensemble]
    slow: bool = False
    evaluations: int = 0
    spread: str = ""


def analyse(chosen: Iterable[Method], task: Task) -> Iterator[tuple[Method, Ensemble, float]]:
    """Run methods one after the other: each with its ensemble and the CPU seconds that it took."""
    for method in chosen:
        start = time.process_time()
        ensemble = method.run(task)
        yield method, ensemble, time.process_time() - start


# --- Methods ---------------------------------------------------------------------------------------------------------


def sampled(prior: Prior, settings: Settings, task: Task, guidance=None) -> Ensemble:
    """Guided sampling."""
    likelihood, context = task.problem.likelihood, task.problem.context
    guidance = guidance or settings.guidance
    return Ensemble(
        sample_posterior(
            prior, likelihood, context, task.members, task.seed, guidance, settings.sampler, settings.steps
        )
    )


def interpolated(prior: GaussianPrior, task: Task) -> Ensemble:
    """Optimal interpolation."""
    return interpolated_ensemble(prior, task.problem.likelihood, task.members, task.seed)


def regressed(prior: Prior, regression: Regression, task: Task) -> Ensemble:
    """The U-Net's estimate: no ensemble, and with a head for it a deviation."""
    problem, observations = task.problem, task.observations
    if regression.config.days:
        observations = seen_in_time(task)
    found = regression.estimate(prior, observations, problem.grid, problem.date, problem.context)
    return Ensemble(None, found.mean, found.deviation)


def regressions(prior: Prior, regression: Regression) -> list[Method]:
    """The regression as it is delivered, dressed, and, with a head for it, with its own spread; one that is shown days
    is not dressed, for the classes are of another."""
    name = f"{REGRESSION}, {IN_TIME}" if regression.config.days else REGRESSION
    one = Method(name, partial(regressed, prior, regression), evaluations=1)
    spreads = (*(() if regression.config.days else (DRESSED,)), *((OWN,) if regression.config.variance else ()))
    return [one, *(replace(one, name=f"{name}, {spread}", spread=spread) for spread in spreads)]


def seen_in_time(task: Task) -> Observations:
    """The observations of a task at their own times.

    Raises:
        InputError: it has none.
    """
    if task.dated is None:
        raise InputError("a method of several days needs observations at their own time, expected cases made in time")
    return task.dated


def of_several_days(several: Prior, run: Callable[[Task], Ensemble], units: Prior, task: Task) -> Ensemble:
    """What a prior of several days makes of the observations of all its days, for the date alone.

    Args:
        run: a method with this prior. units: the prior in whose standardized units the ensemble is to be.

    Raises:
        InputError: see `seen_in_time`, `build_problem`.
    """
    asked = task.problem
    grid, date = asked.grid, asked.date
    corner = {"southwest": (float(grid.longitude[0]), float(grid.latitude[0]))}
    place = {"region": corner} if asked.position_used else {"grid": grid}
    seen = within(seen_in_time(task), several.state, date)
    found = run(task._replace(problem=build_problem(several, seen, date=date, **place)))
    today = [several.state.index(name) for name in units.state.channels]
    own, other = several.standardizer, units.standardizer
    usual = [one.climatology(grid.latitude[:, None], date, grid.longitude) for one in (own, other)]
    factor = torch.from_numpy(own.scale / other.scale)[:, None, None]
    shift = torch.from_numpy((usual[0] - usual[1]) / other.scale[:, None, None])

    def converted(x):
        return None if x is None else (factor.to(x) * x[..., today, :, :] + shift.to(x)).float()

    return Ensemble(converted(found.draws), converted(found.mean))


def methods_in_time(several: Prior, gaussian: GaussianPrior, units: Prior) -> dict[str, Method]:
    """The methods of a prior of several days by their names: `IN_TIME` of those of single days.

    Args:
        gaussian: of the same training data: optimal interpolation in space and time. units: see `of_several_days`.

    Raises:
        InputError: a prior of single days.
    """
    check_kind(several, True, "a method in time")
    with_prior = {OI: gaussian, OURS: several, OURS_FAST: several, GENDA: several}
    known = methods(several, gaussian, gaussian)
    found = [known[name] for name in with_prior]
    return {
        f"{method.name}, {IN_TIME}": replace(
            method, name=f"{method.name}, {IN_TIME}",
            run=partial(of_several_days, with_prior[method.name], method.run, units),
        )
        for method in found
    }  # fmt: skip


def methods(
    prior: Prior, gaussian: GaussianPrior, univariate: GaussianPrior, regression: Regression | None = None
) -> dict[str, Method]:
    """Every method by its name, baselines first.

    Args:
        prior: the learned one; `gaussian` and `univariate` are of the same training data.
        regression: left out if there is none.
    """
    many, forwards = DEFAULT.steps, {"mmps": 4}
    found = [
        Method(CLIMATOLOGY, lambda task: climatological_ensemble(gaussian, task.members, task.seed)),
        Method(OI_UNIVARIATE, partial(interpolated, univariate)),
        Method(OI, partial(interpolated, gaussian)),
        *(regressions(prior, regression) if regression else []),
        Method(GAUSSIAN, partial(sampled, gaussian, FAST)),
        Method(OURS, partial(sampled, prior, DEFAULT), evaluations=3 * many),
        Method(OURS_FAST, partial(sampled, prior, FAST), evaluations=FAST.steps),
    ]
    for name in GUIDANCES:
        if name not in (DEFAULT.guidance, FAST.guidance):
            run, count = partial(sampled, prior, DEFAULT._replace(guidance=name)), forwards.get(name, 2) * many
            found.append(Method(f"{OURS}, {name}", run, True, count))
    for name, gamma in ((GENDA, 0.1), (GENDA_SMALL, 0.01)):
        run = partial(sampled, prior, Settings("sda", "vp", 256), guidance=partial(sda, gamma=gamma))
        found.append(Method(name, run, True, 512))
    return {method.name: method for method in found}


def regression_path(prior: Prior) -> Path | None:
    """The shipped regression that was trained on the oceans of a prior; None if there is none."""
    shipped = [sample_path(name) for name in SHIPPED_REGRESSIONS if name in sample_names()]
    return next((path for path in shipped if Regression.load(path).fits(prior)), None)


def shipped_regression(path: Path | None = None, prior: Prior | None = None) -> Regression | None:
    """The regression of a file, or the shipped one of a prior, by default of the shipped prior; None if there is
    none."""
    path = path or regression_path(prior or load_prior(gaussian=True))
    return None if path is None else Regression.load(path)


def load_methods(
    prior: str | None = None,
    regression: Path | None = None,
    device: str = "cpu",
    trajectory: str | None = None,
    regression_in_time: Path | None = None,
) -> tuple[Prior, dict[str, Method]]:
    """The learned prior of a checkpoint, by default the shipped one, and all methods by their names.

    Args:
        trajectory: checkpoint of a prior of several days, or "trajectory": its methods, too (`methods_in_time`).
        regression_in_time: checkpoint of a regression that is shown days: its methods, too.

    Raises:
        InputError: a prior of several days where one of single days is needed, or the other way round; the same of
            regressions; or see `load_prior`, `Regression.load`.
    """
    learned = load_prior(prior, device=device)
    check_kind(learned, False, "this evaluation")
    gaussian, univariate = (load_prior(prior, True, univariate=single, device=device) for single in (False, True))
    single = shipped_regression(regression, learned)
    if single is not None and single.config.days:
        raise InputError(f"{regression}: is shown days one by one, expected it as the regression in time")
    if single is not None:
        single.check(learned)
    known = methods(learned, gaussian, univariate, single)
    if trajectory is not None:
        several, linear = (load_prior(trajectory, only, device=device) for only in (False, True))
        known |= methods_in_time(several, linear, learned)
    if regression_in_time is not None:
        other = Regression.load(regression_in_time)
        if not other.config.days:
            raise InputError(f"{regression_in_time}: is shown all days together, expected a regression in time")
        known |= {method.name: method for method in regressions(learned, other)}
    return learned, known
