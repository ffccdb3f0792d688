"""The Gaussian prior: multivariate optimal interpolation, seen as a diffusion model.

Its denoiser is the Wiener filter, its posterior covariance does not depend on the state, and so every step of the
guided sampler is exact up to discretization: the ensemble must be that of optimal interpolation.
"""

import math
from collections.abc import Callable

from torch import Tensor

from ..state import Standardizer, StateVector
from .base import Domain
from .spectral import ALL, Basis, Spectrum


class GaussianPrior:
    """x0 ~ N(0, S), S diagonal in a basis (see `Prior` for the attributes).

    Args:
        covariance, univariate, basis: see `Spectrum`. state: what is where in a state; all channels of the date where
            not given.
    """

    name = "gaussian"
    crossover, inflation = math.inf, 1.0  # exact

    def __init__(
        self,
        covariance: Tensor,
        standardizer: Standardizer,
        domain: Domain,
        univariate: bool = False,
        basis: Basis | None = None,
        state: StateVector | None = None,
    ):
        self.spectrum = Spectrum(covariance, univariate, basis)
        self.shape, self.state = self.spectrum.shape, state or StateVector.today()
        self.standardizer, self.domain = standardizer, domain
        self.between: dict[str, float] = {}

    def denoise(self, x: Tensor, sigma: Tensor, context: Tensor | None = None) -> Tensor:
        """The Wiener filter; `context` is ignored: a stationary covariance is the same everywhere."""
        return self.spectrum.wiener_filter(x, sigma)

    def covariance(self, sigma: Tensor, channels=ALL) -> Callable[[Tensor], Tensor]:
        """v -> S sigma^2 / (S + sigma^2) v, exact."""
        return self.spectrum.posterior_covariance(sigma, channels)

    def to(self, device) -> "GaussianPrior":
        """Move to a device."""
        self.spectrum.to(device)
        return self
