"""A mixture of Gaussians: a prior that is not Gaussian, yet whose denoiser and posterior are known in closed form.

It is the touchstone of guidance: whatever a method gets wrong about a prior with several regimes shows against the
exact posterior, without a network's own errors in between.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..state import Standardizer
from .base import Domain
from .spectral import ALL, Basis, Spectrum


class MixturePrior:
    """x0 ~ sum_k w_k N(m_k, S_k) (see `Prior` for the attributes).

    The Gaussian approximation `spectrum` is what would be estimated of many draws, as for a network: second moments,
    mode by mode, sum_k w_k (S_k + m_k m_k').

    Args:
        weights: (K,), of sum one. means: (K, C, ny, nx), of weighted mean zero, as anomalies have.
        covariances, basis: of each component, see `Spectrum`.
    """

    name = "mixture"
    crossover, inflation = math.inf, 1.0  # exact

    def __init__(
        self,
        weights: Tensor,
        means: Tensor,
        covariances: Sequence[Tensor],
        standardizer: Standardizer | None = None,
        domain: Domain | None = None,
        basis: Basis | None = None,
    ):
        self.weights, self.means = weights, means
        self.components = [Spectrum(covariance, basis=basis) for covariance in covariances]
        self.patterns = self.components[0].basis(means)
        squares = torch.einsum("kcyx,kdyx->kyxcd", self.patterns, self.patterns)
        total = sum(w * (s + m) for w, s, m in zip(weights, covariances, squares, strict=True))
        self.spectrum = Spectrum(total, basis=basis)
        self.shape = self.spectrum.shape
        self.standardizer, self.domain = standardizer, domain

    def denoise(self, x: Tensor, sigma: Tensor, context: Tensor | None = None) -> Tensor:
        """E[x0 | x] = sum_k r_k (m_k + S_k (S_k + sigma^2)^-1 (x - m_k)), r_k the probability of component k given x:
        r_k ~ w_k N(x; m_k, S_k + sigma^2). `context` is ignored."""
        noise = torch.as_tensor(sigma) ** 2
        noise = noise.view(-1, 1, 1, 1) if noise.ndim else noise
        estimates, likelihoods, coefficients = [], [], self.spectrum.basis(x)  # the components' modes share the basis
        for weight, pattern, component in zip(self.weights, self.patterns, self.components, strict=True):
            modes, precision = component.rotate(coefficients - pattern), 1 / (component.variance + noise)
            estimates.append(pattern + component.rotate_back(modes * (component.variance * precision)))
            distance = (modes**2 * precision).sum((-3, -2, -1), dtype=torch.float64)
            size = precision.log().sum((-3, -2, -1), dtype=torch.float64)
            likelihoods.append(weight.log() - 0.5 * (distance - size))
        probability = torch.stack(likelihoods).softmax(0).to(x).view(len(estimates), -1, 1, 1, 1)
        return self.spectrum.basis.inverse(sum(p * e for p, e in zip(probability, estimates, strict=True)))

    def covariance(self, sigma: Tensor, channels=ALL) -> Callable[[Tensor], Tensor]:
        """v -> S sigma^2 / (S + sigma^2) v of the Gaussian approximation."""
        return self.spectrum.posterior_covariance(sigma, channels)

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Draws (count, C, ny, nx)."""
        which = torch.multinomial(self.weights, count, replacement=True, generator=generator)
        draws = torch.stack([component.sample(count, generator=generator) for component in self.components])
        return draws[which, torch.arange(count)] + self.means[which]

    def to(self, device) -> "MixturePrior":
        """Move to a device."""
        self.weights, self.means = self.weights.to(device), self.means.to(device)
        self.patterns = self.patterns.to(device)
        for spectrum in (*self.components, self.spectrum):
            spectrum.to(device)
        return self
