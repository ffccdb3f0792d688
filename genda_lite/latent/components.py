"""Linear latents of a mixture, exactly: each component has a residual of its own.

What latents cannot draw of a mixture is no Gaussian. Taken for one, of the same second moments, it is told too wide for
calm components and too narrow for wild ones. Given the component k all is Gaussian again,

    y = H D z + H m_k + e,    e ~ N(0, H S_k H' + R)

with mean m_k and covariance S_k of its residual, and both the estimate of each and how probable each is are known,

    E[z0 | z, y] = sum_k p_k (z_k + P_k G' A_k^-1 d_k),    A_k = G P_k G' + H S_k H' + R,    d_k = y - H m_k - G z_k
    p_k ~ w_k N(z; mean_k, V_k + sigma^2) N(d_k; 0, A_k)

with z_k and P_k, mean and covariance of the latents of component k at noise sigma. A component's residual is then drawn
given y and z. All of it is dense algebra, for some hundred observations.
"""

from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor

from ..observe.likelihood import LinearGaussian
from ..posterior.assimilate import DEFAULT, sample_posterior
from ..prior.mixture import MixturePrior
from ..prior.samplers import Denoise
from ..prior.spectral import Spectrum
from .prior import OWN_NOISE, LatentPrior
from .representation import ThroughDecoder, draw_residual, latent_likelihood, representation


@dataclass(frozen=True)
class Component:
    """One component of a mixture in latents and residual: weight, mean (n,) and variance (n,) of the latents, and mean
    (C, ny, nx) and spectrum of the residual."""

    weight: Tensor
    mean: Tensor
    variance: Tensor
    residual_mean: Tensor
    residual: Spectrum


def components_of(mixture: MixturePrior, latent: LatentPrior) -> list[Component]:
    """The components of a mixture of states in its linear latents (`linear_latents`)."""
    autoencoder, found = latent.autoencoder, []
    _, rows, columns = latent.shape
    scale = autoencoder.kept.variance[0]
    for weight, mean, component in zip(mixture.weights, mixture.means, mixture.components, strict=True):
        residual = deepcopy(component)
        residual.variance[:, :rows, :columns] = 0.0
        z = autoencoder.encode(mean[None])
        variance = (component.variance[0, :rows, :columns] / scale).flatten()
        found.append(Component(weight, z.flatten(), variance, mean - autoencoder.decode(z)[0], residual))
    return found


class ByComponent:
    """What observations of states say about latents of a mixture.

    Args:
        parts: from `components_of`. latent: the prior of latents. likelihood: of states, linear.
    """

    def __init__(self, parts: list[Component], latent: LatentPrior, likelihood: LinearGaussian):
        self.parts, self.latent, self.likelihood = parts, latent, likelihood
        autoencoder, identity = latent.autoencoder, torch.eye(likelihood.value.shape[-1])
        through = ThroughDecoder(likelihood.operator, autoencoder.decode, autoencoder.pull, autoencoder.shape)
        self.matrix = torch.cat([through.adjoint(some).flatten(1) for some in identity.split(64)]).double()  # G (m, n)
        self.offsets = [likelihood.operator(part.residual_mean[None]).double() for part in parts]
        self.errors = []
        for part in parts:
            variance, shared = representation(likelihood, part.residual)
            self.errors.append(torch.diag(variance.double()) + shared.double().T @ shared.double())

    def log_probability(self, part: Component, z: Tensor, noise: Tensor) -> Tensor:
        """ln w_k N(z; mean_k, V_k + noise) but for a constant, (B,)."""
        variance = part.variance.double() + noise
        return part.weight.log() - 0.5 * ((z - part.mean) ** 2 / variance + variance.log()).sum(1)

    def guidance(self, prior, likelihood, context) -> Denoise:
        """The module's equation, in the form of a guidance; the arguments are those it was made of."""

        @torch.no_grad()
        def denoise(x: Tensor, sigma: Tensor) -> Tensor:
            z, noise, found, logs = x.flatten(1).double(), sigma.double() ** 2, [], []
            for part, offset, error in zip(self.parts, self.offsets, self.errors, strict=True):
                share = part.variance.double() / (part.variance.double() + noise)
                unknown, estimate = share * noise, part.mean + share * (z - part.mean)
                factor = torch.linalg.cholesky((self.matrix * unknown) @ self.matrix.T + error)
                innovation = self.likelihood.value - offset - estimate @ self.matrix.T
                weights = torch.cholesky_solve(innovation.T, factor).T
                found.append(estimate + unknown * (weights @ self.matrix))
                evidence = -0.5 * (innovation * weights).sum(1) - factor.diagonal().log().sum()
                logs.append(self.log_probability(part, z, noise) + evidence)
            probability = torch.stack(logs).softmax(0)[..., None]
            return (probability * torch.stack(found)).sum(0).to(x).view(x.shape)

        return denoise

    def probability(self, z: Tensor) -> Tensor:
        """Of each component once latents (B, c, h, w) and observations are known, (components, B)."""
        flat, logs = z.flatten(1).double(), []
        for part, offset, error in zip(self.parts, self.offsets, self.errors, strict=True):
            factor = torch.linalg.cholesky(error)
            innovation = self.likelihood.value - offset - flat @ self.matrix.T
            evidence = -0.5 * (innovation * torch.cholesky_solve(innovation.T, factor).T).sum(1)
            logs.append(self.log_probability(part, flat, torch.zeros(())) + evidence - factor.diagonal().log().sum())
        return torch.stack(logs).softmax(0)

    def completed(self, z: Tensor, seed: int) -> Tensor:
        """Complete states (B, C, ny, nx) of latents, each with the residual of a component drawn for it."""
        states = self.latent.autoencoder.decode(z)
        generator = torch.Generator().manual_seed(seed + OWN_NOISE)
        which = torch.multinomial(self.probability(z).T, 1, generator=generator)[:, 0]
        known, total = self.likelihood, states.clone()
        for k, part in enumerate(self.parts):
            some = which == k
            value = known.value - self.offsets[k].to(known.value)
            shifted = LinearGaussian(known.operator, value, known.variance, known.shared)
            drawn = draw_residual(part.residual, shifted, states, seed + OWN_NOISE, len(states))
            total[some] += drawn[some] + part.residual_mean
        return total


def sample_components(
    mixture: MixturePrior,
    latent: LatentPrior,
    likelihood: LinearGaussian,
    members: int,
    seed: int = 0,
    sampler: str = DEFAULT.sampler,
    steps: int = DEFAULT.steps,
) -> Tensor:
    """Draws of complete states (members, C, ny, nx) through the linear latents of a mixture, exact but for the
    sampler's steps; the counterpart of `guidance.sample_states`."""
    exact = ByComponent(components_of(mixture, latent), latent, likelihood)
    known = latent_likelihood(latent.autoencoder, likelihood)
    z = sample_posterior(latent, known, None, members, seed, exact.guidance, sampler, steps, members)
    return exact.completed(z, seed)
