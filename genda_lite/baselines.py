"""Baselines: what careful classical methods make of the same observations."""

import math
from typing import NamedTuple

import torch
import xarray as xr
from torch import Tensor

from .observe import LinearGaussian, Observations
from .posterior.assimilate import pose
from .posterior.guidance import DIRECT, cholesky, conjugate_gradients
from .prior import GaussianPrior
from .prior.mixture import MixturePrior
from .prior.samplers import MemberNoise
from .prior.spectral import Spectrum
from .state import CHANNELS

PRIOR = torch.tensor(float("inf"))  # the noise at which nothing is known but the prior


class Interpolation(NamedTuple):
    """Analysis and its standard error, each with dims (latitude, longitude), physical units."""

    mean: xr.Dataset
    spread: xr.Dataset


class Ensemble(NamedTuple):
    """What a method makes of observations, standardized units: draws (M, C, ny, nx), and the mean (C, ny, nx) where it
    is known better than by the mean of the draws; one that gives no ensemble has a mean and no draws."""

    draws: Tensor | None
    mean: Tensor | None = None


class Conditioned(NamedTuple):
    """A Gaussian given observations, standardized units.

    `mean` (T, C, ny, nx) and `variance` (C, ny, nx); `evidence` (T,) ln N(y; H m, H S H' + R); `misfit` (T,) the mean
    of (y - H x)^2 / R over observations and draws x.
    """

    mean: Tensor
    variance: Tensor
    evidence: Tensor
    misfit: Tensor


def condition(spectrum: Spectrum, likelihood: LinearGaussian, values: Tensor, batch: int = 64) -> Conditioned:
    """x0 ~ N(0, S) given y = H x0 + e, in closed form, for values y (T, m):

        mean = S H' (H S H' + R)^-1 y,    variance = diag(S - S H' (H S H' + R)^-1 H S)

    One m x m Cholesky factor for m observations, in double precision, and m C ny nx numbers in single.
    """
    operator, m = likelihood.operator, values.shape[-1]
    identity = torch.eye(m, device=values.device)
    # Rows of H S, a batch of observations at a time.
    covariance = spectrum.posterior_covariance(PRIOR)
    gain = torch.cat([covariance(operator.adjoint(rows)) for rows in identity.split(batch)])
    error = likelihood.covariance(identity).double()
    factor = torch.linalg.cholesky(torch.cat([operator(rows) for rows in gain.split(batch)]).double() + error)
    gain, values = gain.flatten(1), values.double()
    weights = torch.cholesky_solve(values.mT, factor)  # (m, T)
    evidence = -0.5 * (values.mT * weights).sum(0) - factor.diagonal().log().sum() - 0.5 * m * math.log(2 * math.pi)
    # y - H mean = R w, and H x varies about H mean with covariance R - R (H S H' + R)^-1 R.
    remaining = (error - error @ torch.cholesky_solve(error, factor)).diagonal()
    misfit = (((error @ weights).square() + remaining[:, None]) / error.diagonal()[:, None]).mean(0)
    mean, explained = [], []
    for some in gain.split(4096, dim=1):  # points at a time, to save memory
        some = some.double()
        mean.append(weights.mT @ some)
        explained.append(torch.linalg.solve_triangular(factor, some, upper=False).square().sum(0))
    variance = prior_variance(spectrum) - torch.cat(explained).view(spectrum.shape)
    return Conditioned(torch.cat(mean, 1).view(-1, *spectrum.shape), variance, evidence, misfit)


def innovation_weights(
    prior, likelihood: LinearGaussian, innovation: Tensor, tolerance: float = 1e-3, iterations: int = 3000
) -> Tensor:
    """The weights of optimal interpolation, (H S H' + R)^-1 d for each row of d (B, m), any number of observations.

    By conjugate gradients: memory is B m numbers, where `condition` needs m^2. Up to `DIRECT` observations they start
    from a factor of the matrix.

    Args:
        prior: its `spectrum` is S. tolerance: residual at which a row is solved, relative to its start.
    """
    covariance = prior.spectrum.posterior_covariance(PRIOR, likelihood.observed_channels)
    observe = likelihood.observed_operator

    def matrix(v):
        return observe(covariance(observe.adjoint(v))) + likelihood.covariance(v), v

    factor = cholesky(lambda v: matrix(v)[0], innovation) if innovation.shape[-1] <= DIRECT else None
    scale = likelihood.variance + likelihood.shared.square().sum(0)

    def precondition(residual):
        return residual / scale if factor is None else torch.cholesky_solve(residual.mT, factor).mT

    return conjugate_gradients(matrix, innovation, precondition, iterations, tolerance)


@torch.no_grad()
def interpolated_ensemble(
    prior, likelihood: LinearGaussian, members: int, seed: int = 0, tolerance: float = 1e-3, iterations: int = 3000
) -> Ensemble:
    """Optimal interpolation of any number of observations, all of them: its mean, and draws of its posterior by
    Matheron's rule, mean + p - S H' (H S H' + R)^-1 (H p + e) with p ~ N(0, S) and e ~ N(0, R).

    The weights of mean and draws are solved for together, see `innovation_weights`.
    """
    spectrum, operator = prior.spectrum, likelihood.operator
    noise = MemberNoise(seed, range(members), spectrum.shape, likelihood.value.device)
    draws = spectrum.from_modes(spectrum.variance.sqrt() * noise())
    errors = likelihood.draw_errors(noise(likelihood.value.shape[-1]), noise(len(likelihood.shared)))
    innovation = torch.cat([likelihood.value[None], operator(draws) + errors])
    weights = innovation_weights(prior, likelihood, innovation, tolerance, iterations)
    increment = spectrum.posterior_covariance(PRIOR)(operator.adjoint(weights))
    mean = increment[0]
    return Ensemble(mean + draws - increment[1:], mean)


def climatological_ensemble(prior, members: int, seed: int = 0) -> Ensemble:
    """What is known without observations: draws from N(0, S), the climatology as their mean."""
    noise = MemberNoise(seed, range(members), prior.spectrum.shape, prior.spectrum.variance.device)
    draws = prior.spectrum.from_modes(prior.spectrum.variance.sqrt() * noise())
    return Ensemble(draws, torch.zeros_like(draws[0]))


def gaussian_posterior(spectrum: Spectrum, likelihood: LinearGaussian) -> tuple[Tensor, Tensor]:
    """Mean and variance of x0 ~ N(0, S) given the observations, see `condition`, each (C, ny, nx)."""
    given = condition(spectrum, likelihood, likelihood.value[None])
    return given.mean[0], given.variance


@torch.no_grad()
def chi_square(prior, likelihood: LinearGaussian) -> Tensor:
    """Innovations against the climatology, squared, in units of what is expected of them; a mean per observation,

        y' (H S H' + R)^-1 y / m

    for each row of values, (1 or B,).

    About 1 if the covariance S of the prior and the errors R are right (e.g. Menard & Chang 2000). Much more: the
    observations contradict the climatology, or one another, by more than S and R admit.
    """
    innovation = torch.atleast_2d(likelihood.value)
    return (innovation_weights(prior, likelihood, innovation) * innovation).mean(-1)


class Marginals(NamedTuple):
    """A posterior at every point: a mixture of K Gaussians for each of T cases, and the expected misfit (T,).

    `weights` (T, K), `means` (T, K, C, ny, nx), `variances` (K, C, ny, nx), double precision.
    """

    weights: Tensor
    means: Tensor
    variances: Tensor
    misfit: Tensor

    @property
    def mean(self) -> Tensor:
        """(T, C, ny, nx)."""
        return torch.einsum("tk,tkcyx->tcyx", self.weights, self.means)

    @property
    def variance(self) -> Tensor:
        """(T, C, ny, nx)."""
        return torch.einsum("tk,tkcyx->tcyx", self.weights, self.variances + self.means**2) - self.mean**2


def exact_posterior(prior: GaussianPrior | MixturePrior, likelihood: LinearGaussian, values: Tensor) -> Marginals:
    """The posterior in closed form, for values (T, m): each component of a mixture is conditioned by itself, and its
    weight multiplied by its evidence."""
    if isinstance(prior, MixturePrior):
        components, means, logarithms = prior.components, prior.means, prior.weights.double().log()
    else:
        components, means, logarithms = [prior.spectrum], values.new_zeros(1, *prior.shape), values.new_zeros(1)
    parts = [
        condition(component, likelihood, values - likelihood.operator(mean[None]))
        for component, mean in zip(components, means, strict=True)
    ]
    weights = (torch.stack([part.evidence for part in parts], 1) + logarithms).softmax(1)
    return Marginals(
        weights,
        torch.stack([part.mean + mean for part, mean in zip(parts, means, strict=True)], 1),
        torch.stack([part.variance for part in parts]),
        (weights * torch.stack([part.misfit for part in parts], 1)).sum(1),
    )


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
