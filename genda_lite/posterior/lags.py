"""Observations of other days: what they say of the date of the analysis.

Let the state vary in time as a Gaussian process with the prior's covariance S in space and the autocorrelation
rho = exp(-(dt/T)^2). Of an observation at the lag t,

    y = H x(t) + e,    x(t) = rho(t) x + d,    cov(d, d') = (rho(t - t') - rho(t) rho(t')) S

where x is the state of the date and d, the change, is independent of it. Divided by rho, for S and rho as above,

    y / rho = H x + e / rho + c,    cov(c, c') = (exp(2 t t' / T^2) - 1) H S H'

so that it is an observation of x with a correlated error: alike for neighbours of one pass, and *opposite* before and
after the date, between which the analysis interpolates. For a Gaussian prior this is optimal interpolation in space and
time (Bretherton et al. 1976; for altimetry Le Traon et al. 1998, doi:10.1175/1520-0426(1998)015<0522:AIMMOM>2.0.CO;2).
"""

import copy

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..observe import LinearGaussian
from ..prior.spectral import Spectrum

KEPT = 1e-6  # of the largest variance: directions of less are left out


@torch.no_grad()
def lagged(likelihood: LinearGaussian, spectrum: Spectrum, lag: np.ndarray, decorrelation: float) -> LinearGaussian:
    """A likelihood of the state of the date, from one whose values belong to other days.

    Args:
        likelihood: in standardized units; its errors are those of the instruments.
        spectrum: S. lag: days by which each value is later than the date, (m,); 0 leaves it as it is.
        decorrelation: T, days.

    Returns:
        the likelihood of y / rho. Its R has as many terms more as the lagged values have independent directions.

    Raises:
        InputError: a time that is not above zero.
    """
    if not decorrelation > 0:
        raise InputError(f"the decorrelation time must be above zero days, got {decorrelation}")
    late = torch.from_numpy(np.flatnonzero(lag)).to(likelihood.value.device)
    age = torch.from_numpy(np.asarray(lag, float) / decorrelation).to(likelihood.value.device)
    change = torch.expm1(2 * age[late, None] * age[late]) * prior_covariance(likelihood, spectrum, late)
    variance, directions = torch.linalg.eigh(0.5 * (change + change.mT))
    kept = variance > KEPT * variance.max() if len(late) else slice(None)
    terms = likelihood.shared.new_zeros(len(variance[kept]), len(age))
    terms[:, late] = (directions[:, kept] * variance[kept].sqrt()).mT.to(terms)

    timely, factor = copy.copy(likelihood), torch.exp(age**2).to(likelihood.value)  # 1 / rho
    timely.value, timely.variance = likelihood.value * factor, likelihood.variance * factor**2
    timely.shared = torch.cat([likelihood.shared * factor, terms])
    return timely


def prior_covariance(likelihood: LinearGaussian, spectrum: Spectrum, some: Tensor, batch: int = 64) -> Tensor:
    """H S H' between some of the observations, in double precision."""
    observe = likelihood.observed_operator
    covariance = spectrum.posterior_covariance(torch.tensor(torch.inf), likelihood.observed_channels)
    rows = torch.nn.functional.one_hot(some, likelihood.value.shape[-1]).to(likelihood.value)
    parts = [observe(covariance(observe.adjoint(part)))[:, some] for part in rows.split(batch)]
    return torch.cat(parts).double() if parts else torch.zeros(0, 0, dtype=torch.float64, device=some.device)
