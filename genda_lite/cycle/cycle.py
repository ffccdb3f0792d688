"""The cycle: forecast, background, analysis, and the next day from the analysis.

    days = [(date, likelihood), (next_date, None), ...]
    for day in cycle(forecast, about_mean(conditional.given), days, ensemble, start):
        ...                                                   # day.background, day.analysis

How the background is told decides what filter it is. `about_mean` gives all members the mean of their forecasts, and B
is the covariance of its error: the Kalman filter with a constant B. `about_members` gives each its own forecast, and
what is left to know is the model's own error Q alone: guided transitions, as in DiffDA (Huang et al. 2024). Those are
calibrated (spread = error) and still further from the truth than need be, for their gain ignores that the analysis of
yesterday was uncertain, too.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
from torch import Tensor

from ..errors import InputError
from ..observe.likelihood import LinearGaussian
from ..posterior.assimilate import FAST, Settings, sample_posterior
from ..posterior.solve import InnovationSolver, interpolated, perturbations
from ..prior.samplers import MemberNoise
from ..prior.spectral import INFINITE_NOISE
from .background import BackgroundPrior
from .forecast import Forecast


class CentredNoise(MemberNoise):
    """White noise whose mean over the members is zero, and whose variance is one all the same.

    The mean of M draws is off by a share 1 / M of their variance. A cycle keeps most of that from day to day, where it
    grows to several times as much; with centred noise the mean of draws of a Gaussian is its mean (as perturbations in
    ensemble filters are kept from moving it, Sakov & Oke 2008).

    Args:
        groups: of members that follow each other, each with a mean of its own. Others as of `MemberNoise`.
    """

    def __init__(self, seed: int, members: range, shape: tuple[int, ...], device, groups: int = 1):
        super().__init__(seed, members, shape, device)
        self.groups = groups

    def __call__(self, *shape: int) -> Tensor:
        """A draw for each member, like the state or of another shape."""
        white = super().__call__(*shape).unflatten(0, (self.groups, -1))
        count = white.shape[1]
        if count == 1:
            return white.flatten(0, 1)
        return ((white - white.mean(1, keepdim=True)) * (count / (count - 1)) ** 0.5).flatten(0, 1)


Condition = Callable[[Tensor], BackgroundPrior]  # forecasts of all members (M, C, ny, nx) -> the prior of the day
Analyse = Callable[[BackgroundPrior, LinearGaussian, Tensor | None, MemberNoise], Tensor]


Update = Callable[[Tensor, LinearGaussian, MemberNoise], Tensor]  # forecasts of all members -> their analyses


class Day(NamedTuple):
    """A day of the cycle: forecasts `background` and `analysis`, both (M, C, ny, nx), standardized anomalies."""

    time: np.datetime64
    background: Tensor
    analysis: Tensor


def about_mean(given: Condition, groups: int = 1) -> Condition:
    """A condition by the mean of the members' forecasts.

    Args:
        groups: of members that have a mean of their own, as of several truths side by side.
    """

    def condition(states: Tensor) -> BackgroundPrior:
        means = states.unflatten(0, (groups, -1)).mean(1)
        return given(means if groups == 1 else means.repeat_interleave(len(states) // groups, 0))

    return condition


def about_members(given: Condition) -> Condition:
    """A condition of each member by its own forecast."""
    return given


def sampled(settings: Settings = FAST) -> Analyse:
    """Analyses by guided sampling."""

    def analyse(
        prior: BackgroundPrior, likelihood: LinearGaussian, context: Tensor | None, noise: MemberNoise
    ) -> Tensor:
        members = len(noise.generators)
        return sample_posterior(
            prior,
            likelihood,
            context,
            members,
            guidance=settings.guidance,
            sampler=settings.sampler,
            steps=settings.steps,
            batch=members,  # rows have values of their own
            noise=noise,
        )

    return analyse


def cycle(
    forecast: Forecast,
    condition: Condition,
    days: Iterable[tuple[np.datetime64, LinearGaussian | None]],
    ensemble: Tensor,
    start: np.datetime64,
    seed: int = 0,
    analyse: Analyse | None = None,
    context: Tensor | Callable[[np.datetime64], Tensor] | None = None,
    groups: int = 1,
    update: Update | None = None,
) -> Iterator[Day]:
    """Forecast and analyse, day after day, members carried one by one.

    With observations the forecast is the model's mean, and what it does not know is in the background's B. On a day
    without any the forecast stands, with a draw of its own error for each member. So does each member of an ensemble
    filter, which has no other B than their spread.

    Args:
        condition: see `about_mean`, `about_members`. days: dates with what was observed of each, or nothing.
        ensemble: (M, C, ny, nx), states at `start`. seed: of the noise; a day's draws do not depend on the days before.
        analyse: by default guided sampling by the fast method. context: of the prior, if it has one, or of a date.
        groups: of members, one after the other, that are ensembles of their own (see `CentredNoise`).
        update: an ensemble filter, in place of `condition` and `analyse`.

    Yields:
        the days, as they are done: stop and go on with the last analysis as `ensemble`, its date as `start`, and one
        finds the same ensembles, for the seed of a day is made of its date.

    Raises:
        InputError: a date that the forecast cannot reach from the one before; an ensemble of another shape; a prior
            whose background has neither one row nor one for each member.
    """
    if ensemble.ndim != 4:
        raise InputError(f"an ensemble of shape {tuple(ensemble.shape)}, expected (members, C, ny, nx)")
    states, before, members = ensemble, np.datetime64(start, "s"), len(ensemble)
    analyse = analyse or sampled()
    for date, likelihood in days:
        date = np.datetime64(date, "s")
        lead = float((date - before) / np.timedelta64(1, "D"))
        if not lead > 0:
            raise InputError(f"{date} follows {before} in the cycle, expected dates that rise")
        own = seed * 1_000_003 + int(date.astype(int)) // 60  # minutes since 1970
        blind = likelihood is None or not likelihood.value.shape[-1]
        noise = CentredNoise(own, range(members), tuple(ensemble.shape[1:]), ensemble.device, groups)
        background = forecast(states, before, [lead], noise if blind or update else None)[0]
        where = context(date) if callable(context) else context
        if blind:
            states = background
        elif update:
            states = update(background, likelihood, noise)
        else:
            prior = condition(background)
            mean = prior.background.mean
            if len(mean) not in (1, members) or mean.shape[1:] != ensemble.shape[1:]:
                raise InputError(
                    f"a background of shape {tuple(mean.shape)} for {members} members of shape "
                    f"{tuple(ensemble.shape[1:])}, expected one for all or one for each"
                )
            states = mean + analyse(prior, prior.centred(likelihood), where, noise)
        before = date
        yield Day(date, background, states)


def three_d_var(
    prior: BackgroundPrior, likelihood: LinearGaussian, context: Tensor | None, noise: MemberNoise
) -> Tensor:
    """Analyses without a sampler: 3D-Var, and draws of its error by Matheron's rule. Exact for a Gaussian prior."""
    solve, spectrum = InnovationSolver(prior, likelihood), prior.spectrum
    draws = spectrum.from_modes(spectrum.variance.sqrt() * noise().to(spectrum.variance))
    errors = likelihood.draw_errors(noise(likelihood.value.shape[-1]), noise(len(likelihood.shared)))
    return interpolated(solve) + perturbations(solve, INFINITE_NOISE, draws, errors)
