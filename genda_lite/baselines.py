"""Baselines: what careful classical methods make of the same observations."""

from typing import NamedTuple

import torch
import xarray as xr
from torch import Tensor

from .observe import Likelihood, Observations
from .posterior.assimilate import pose
from .prior.spectral import Spectrum
from .state import CHANNELS

PRIOR = torch.tensor(float("inf"))  # the noise at which nothing is known but the prior


class Interpolation(NamedTuple):
    """Analysis and its standard error, each with dims (latitude, longitude), physical units."""

    mean: xr.Dataset
    spread: xr.Dataset


def gaussian_posterior(spectrum: Spectrum, likelihood: Likelihood, batch: int = 64) -> tuple[Tensor, Tensor]:
    """Mean and variance of x0 ~ N(0, S) given y = H x0 + e, in closed form, each (C, ny, nx), standardized units.

        mean = S H' (H S H' + R)^-1 y,    variance = diag(S - S H' (H S H' + R)^-1 H S)

    One m x m Cholesky factor for m observations, in double precision: memory m (m + C ny nx) numbers.
    """
    operator, m = likelihood.operator, len(likelihood.value)
    identity = torch.eye(m, device=likelihood.value.device)
    # Rows of H S, a batch of observations at a time.
    covariance = spectrum.posterior_covariance(PRIOR)
    gain = torch.cat([covariance(operator.adjoint(rows)) for rows in identity.split(batch)])
    innovation = torch.cat([operator(rows) for rows in gain.split(batch)]) + likelihood.covariance(identity)
    factor = torch.linalg.cholesky(innovation.double())
    gain = gain.flatten(1).double()
    weights = torch.cholesky_solve(likelihood.value.double()[:, None], factor)
    explained = torch.linalg.solve_triangular(factor, gain, upper=False).square().sum(0)
    return (weights.T @ gain).view(spectrum.shape), prior_variance(spectrum) - explained.view(spectrum.shape)


def prior_variance(spectrum: Spectrum) -> Tensor:
    """Variance of N(0, S) at every point, (C, ny, nx): the basis squared, weighted by the spectrum."""
    rows, columns = spectrum.basis.rows.double() ** 2, spectrum.basis.columns.double() ** 2
    variance = spectrum.variance.double()
    if not spectrum.univariate:  # from the modes' variance to the channels'
        variance = torch.einsum("yxce,eyx->cyx", spectrum.vectors.double() ** 2, variance)
    return rows.mT @ variance @ columns


def optimal_interpolation(prior, observations: Observations, region=None, grid=None, date=None) -> Interpolation:
    """Optimal interpolation (Bretherton, Davis & Fandry 1976) with the covariance of a prior.

    Give it `load_prior("gaussian")` for multivariate interpolation, `load_prior("gaussian", univariate=True)` for
    each channel on its own. `region`, `grid` and `date` as in `assimilate`.

    Raises:
        InputError: as `assimilate`.
    """
    problem = pose(prior, observations, region, grid, date)
    mean, variance = gaussian_posterior(prior.spectrum, problem.likelihood)
    state = prior.standardizer.to_dataset(mean[None], problem.grid, problem.date).isel(member=0, drop=True)
    spread = state.copy()
    for i, name in enumerate(CHANNELS):
        deviation = variance[i].clamp(min=0).sqrt().cpu().numpy() * prior.standardizer.scale[i]
        spread[name] = (state[name].dims, deviation.astype("f4"), state[name].attrs)
    return Interpolation(state, spread)
