"""Samplers: from a denoiser, guided or not, to draws."""

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor
from tqdm.auto import tqdm

from .base import Prior

SIGMA_MAX, SIGMA_MIN = 80.0, 0.02
PRIOR_SIGMA_MIN = 0.005  # of unconditional draws, which no observation holds: what is drawn below it looks like grain


def noise_levels(steps: int, high: float = SIGMA_MAX, low: float = SIGMA_MIN) -> Tensor:
    """Falling noise levels, evenly spaced in ln sigma, then zero: (steps + 1,).

    For a Gaussian prior the sampler's error can be followed mode by mode in closed form. Even spacing in ln sigma makes
    it the same for every mode between the two levels; the spacing of Karras et al. (2022) spends its steps on the
    lowest noise, and makes it three times larger near one standard deviation.
    """
    return torch.cat([torch.exp(torch.linspace(math.log(high), math.log(low), steps)), torch.zeros(1)])


@torch.no_grad()
def sde_2m(
    denoise: Callable[[Tensor, Tensor], Tensor],
    x: Tensor,
    sigmas: Tensor,
    noise: Callable[[], Tensor],
    eta: float = 1.0,
) -> Tensor:
    """Second-order multistep stochastic sampler: DPM-Solver++(2M) SDE, midpoint form
    (Lu et al. 2022), written in sigma.

    With h = ln(sigma_i / sigma_{i+1}) each step is exact for an estimate linear in
    ln sigma. Fresh noise, eta times that of the reverse diffusion, forgets earlier
    errors of the guidance; eta = 0 is the deterministic 2M.

    Args:
        denoise: (x, sigma) -> E[x0 | x, ...], one call a step.
        x: (B, ...) at sigmas[0]. sigmas: falling, ending in zero.
        noise: gives fresh white noise like x.
    """
    previous, previous_h = None, None
    for sigma, following in pairwise(sigmas):
        estimate = denoise(x, sigma)
        if following == 0:
            return estimate
        h = (sigma / following).log()
        gain = -torch.expm1(-(1 + eta) * h)
        x = (following / sigma) * torch.exp(-eta * h) * x + gain * estimate
        if previous is not None:
            x = x + 0.5 * gain * (h / previous_h) * (estimate - previous)
        x = x + following * (-torch.expm1(-2 * eta * h)).sqrt() * noise()
        previous, previous_h = estimate, h
    return x


class MemberNoise:
    """White noise for a batch of members, each from its own seed: the draws do not depend on the batch."""

    def __init__(self, seed: int, members: range, shape: tuple[int, ...], device):
        self.generators = [torch.Generator().manual_seed(seed * 1_000_003 + m) for m in members]
        self.shape, self.device = shape, device

    def __call__(self, *shape: int) -> Tensor:
        """A draw for each member, like the state or of another shape."""
        return torch.stack([torch.randn(shape or self.shape, generator=g) for g in self.generators]).to(self.device)


def sample_prior(
    prior: Prior,
    context: Tensor,
    count: int,
    seed: int = 0,
    steps: int = 40,
    batch: int = 32,
    progress: bool = False,
    eta: float = 0.0,
) -> Tensor:
    """Unconditional draws from a prior, standardized units (count, C, ny, nx).

    They start from N(0, S + sigma^2) at the highest noise level, with the prior's Gaussian approximation S: a red
    spectrum is not drowned by any noise that a network was trained on. At the lowest level the sampler returns a mean,
    and what is still unknown is drawn from N(0, S sigma^2 / (S + sigma^2)): else waves weaker than that noise would be
    missing.

    Args:
        context: where and when, (1, 5, ny, nx) for all draws or (count, 5, ny, nx), see `grid_context`.
        seed: draw i does not depend on how many there are.
        steps: network evaluations a draw. batch: draws at a time, which bounds the memory.
        eta: fresh noise of the sampler, see `sde_2m`. A network takes away a little more than that noise, time and
            again, so that 1 makes the draws of the shipped prior smoother than 0: at 40-80 km by 0.01-0.09 decades.
    """
    sigmas, draws, spectrum = noise_levels(steps, low=PRIOR_SIGMA_MIN), [], prior.spectrum
    unknown = spectrum.posterior_variance(sigmas[-2]).sqrt()
    with tqdm(total=count, unit="draw", disable=not progress, desc="sampling") as bar:
        for first in range(0, count, batch):
            some = range(first, min(first + batch, count))
            noise = MemberNoise(seed, some, prior.shape, spectrum.variance.device)
            here = context if len(context) == 1 else context[first : some.stop]
            start = spectrum.from_modes(spectrum.variance.sqrt() * noise()) + sigmas[0] * noise()
            mean = sde_2m(lambda x, sigma, c=here: prior.denoise(x, sigma, c), start, sigmas, noise, eta)
            draws.append(mean + spectrum.from_modes(unknown * noise()))
            bar.update(len(some))
    return torch.cat(draws)
