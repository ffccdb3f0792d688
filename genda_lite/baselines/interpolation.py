"""Baselines: what careful classical methods make of the same observations."""

from typing import NamedTuple

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from ..observe.likelihood import LinearGaussian
from ..observe.table import Observations
from ..posterior.compose import prepared
from ..posterior.problem import build_problem
from ..posterior.solve import TOLERANCE, InnovationSolver, interpolated, perturbations
from ..prior.samplers import MemberNoise
from ..prior.spectral import INFINITE_NOISE
from .closed_form import gaussian_posterior


class Interpolation(NamedTuple):
    """Analysis and its standard error, each with dims ([time,] latitude, longitude), physical units."""

    mean: xr.Dataset
    spread: xr.Dataset


class Ensemble(NamedTuple):
    """What a method makes of observations, in standardized units: draws (M, C, ny, nx), and the mean (C, ny, nx) where
    it is known better than by the mean of the draws. A method without an ensemble has a mean and no draws. It may have
    a deviation (C, ny, nx), that of a Gaussian about the mean."""

    draws: Tensor | None
    mean: Tensor | None = None
    deviation: Tensor | None = None


ITERATIONS = 3000  # of conjugate gradients at most; a few hundred are enough for thousands of observations


@torch.no_grad()
def interpolated_ensemble(
    prior, likelihood: LinearGaussian, members: int, seed: int = 0, tolerance: float = TOLERANCE
) -> Ensemble:
    """Optimal interpolation of any number of observations, all of them: its mean, and draws of its posterior, the mean
    plus `perturbations` of p ~ N(0, S) and e ~ N(0, R).

    Memory is a few numbers a member and observation, where `condition` needs the square of the observations.

    Args:
        prior: its `spectrum` is S. tolerance: see `InnovationSolver`.
    """
    spectrum = prior.spectrum
    solve = InnovationSolver(prior, likelihood, ITERATIONS, tolerance)
    noise = MemberNoise(seed, range(members), spectrum.shape, likelihood.value.device)
    draws = spectrum.from_modes(spectrum.variance.sqrt() * noise())
    errors = likelihood.draw_errors(noise(likelihood.value.shape[-1]), noise(len(likelihood.shared)))
    mean = interpolated(solve)[0]
    return Ensemble(mean + perturbations(solve, INFINITE_NOISE, draws, errors), mean)


def climatological_ensemble(prior, members: int, seed: int = 0) -> Ensemble:
    """What is known without observations: draws from N(0, S), the climatology as their mean."""
    noise = MemberNoise(seed, range(members), prior.spectrum.shape, prior.spectrum.variance.device)
    draws = prior.spectrum.from_modes(prior.spectrum.variance.sqrt() * noise())
    return Ensemble(draws, torch.zeros_like(draws[0]))


@torch.no_grad()
def chi_square(prior, likelihood: LinearGaussian) -> Tensor:
    """Innovations against the climatology, squared, in units of what is expected of them; a mean per observation,

        y' (H S H' + R)^-1 y / m

    for each row of values, (1 or B,).

    About 1 if the covariance S of the prior and the errors R are right (e.g. Menard & Chang 2000). Much more: the
    observations contradict the climatology, or one another, by more than S and R admit.
    """
    innovation = torch.atleast_2d(likelihood.value)
    weights = InnovationSolver(prior, likelihood, ITERATIONS)(INFINITE_NOISE, innovation)
    return (weights * innovation).mean(-1)


def optimal_interpolation(
    prior, observations: Observations, region=None, grid=None, date=None, dates=None
) -> Interpolation:
    """Optimal interpolation (Bretherton, Davis & Fandry 1976) with the covariance of a prior.

    The prior decides what is interpolated: all channels together with `load_prior("gaussian")`, each on its own with
    `load_prior("gaussian", univariate=True)`, and in space and time with a Gaussian prior of several days. `region`,
    `grid`, `date` and `dates` as in `assimilate`.

    Raises:
        InputError: as `assimilate`.
    """
    prior, grid, middle, days = prepared(prior, grid, dates)
    problem = build_problem(prior, observations, region, grid, date if days is None else middle)
    mean, variance = gaussian_posterior(prior.spectrum, problem.likelihood)
    scale = prior.standardizer.scale_of(prior.state)

    def of_day(lag: float) -> tuple[xr.Dataset, xr.Dataset]:
        fields = prior.standardizer.to_dataset(mean[None], problem.grid, problem.date, prior.state, lag)
        fields = fields.isel(member=0, drop=True)
        spread = fields.copy()
        for name in prior.state.of_day(lag):
            i = prior.state.index(name, lag)
            deviation = variance[i].clamp(min=0).sqrt().cpu().numpy() * scale[i]
            spread[name] = (fields[name].dims, deviation.astype("f4"), fields[name].attrs)
        return fields, spread

    if days is None:
        return Interpolation(*of_day(0.0))
    lags = np.round((days - problem.date) / np.timedelta64(1, "D"), 6)
    parts = zip(*(of_day(float(lag)) for lag in lags), strict=True)
    return Interpolation(*(xr.concat(part, "time", combine_attrs="override") for part in parts))
