"""Posteriors in closed form: of a Gaussian, and of a mixture of Gaussians."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from ..observe.likelihood import LinearGaussian
from ..prior import GaussianPrior
from ..prior.mixture import MixturePrior
from ..prior.spectral import INFINITE_NOISE, Spectrum


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
    covariance = spectrum.posterior_covariance(INFINITE_NOISE)
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


def gaussian_posterior(spectrum: Spectrum, likelihood: LinearGaussian) -> tuple[Tensor, Tensor]:
    """Mean and variance of x0 ~ N(0, S) given the observations, see `condition`, each (C, ny, nx)."""
    given = condition(spectrum, likelihood, likelihood.value[None])
    return given.mean[0], given.variance


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
    """Variance of N(0, S) at every point, (C, ny, nx)."""
    return spectrum.pointwise_variance()
