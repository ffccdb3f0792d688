"""Baselines: what careful classical methods make of the same observations."""

from typing import NamedTuple

import torch
import xarray as xr
from torch import Tensor

from ..observe.likelihood import LinearGaussian
from ..observe.table import Observations
from ..posterior.problem import build_problem
from ..posterior.solve import TOLERANCE, InnovationSolver, interpolated, perturbations
from ..prior.samplers import MemberNoise
from ..prior.spectral import INFINITE_NOISE
from .closed_form import gaussian_posterior


class Interpolation(NamedTuple):
    """Analysis and its standard error, each with dims (latitude, longitude), physical units."""

    mean: xr.Dataset
    spread: xr.Dataset


class Ensemble(NamedTuple):
    """What a method makes of observations, standardized units: draws (M, C, ny, nx), and the mean (C, ny, nx) where it
    is known better than by the mean of the draws; one that gives no ensemble has a mean and no draws, and may have the
    deviation (C, ny, nx) of a Gaussian about it."""

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


def optimal_interpolation(prior, observations: Observations, region=None, grid=None, date=None) -> Interpolation:
    """Optimal interpolation (Bretherton, Davis & Fandry 1976) with the covariance of a prior.

    Give it `load_prior("gaussian")` for multivariate interpolation, `load_prior("gaussian", univariate=True)` for
    each channel on its own. `region`, `grid` and `date` as in `assimilate`.

    Raises:
        InputError: as `assimilate`.
    """
    problem = build_problem(prior, observations, region, grid, date)
    mean, variance = gaussian_posterior(prior.spectrum, problem.likelihood)
    state = prior.standardizer.to_dataset(mean[None], problem.grid, problem.date, prior.state).isel(member=0, drop=True)
    spread = state.copy()
    scale = prior.standardizer.scale_of(prior.state)
    for name in prior.state.of_date:
        i = prior.state.index(name)
        deviation = variance[i].clamp(min=0).sqrt().cpu().numpy() * scale[i]
        spread[name] = (state[name].dims, deviation.astype("f4"), state[name].attrs)
    return Interpolation(state, spread)
