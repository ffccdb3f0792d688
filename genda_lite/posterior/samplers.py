"""Samplers: from a denoiser to draws."""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

SIGMA_MAX, SIGMA_MIN = 80.0, 0.02


def noise_levels(steps: int, high: float = SIGMA_MAX, low: float = SIGMA_MIN, rho: float = 7.0) -> Tensor:
    """Falling noise levels, evenly spaced in sigma^(1/rho) (Karras et al. 2022, eq. 5), then zero: (steps + 1,)."""
    ramp = torch.linspace(high ** (1 / rho), low ** (1 / rho), steps)
    return torch.cat([ramp**rho, torch.zeros(1)])


@torch.no_grad()
def sde_2m(
    denoise: Callable[[Tensor, Tensor], Tensor], x: Tensor, sigmas: Tensor, noise: Callable[[], Tensor]
) -> Tensor:
    """Second-order multistep stochastic sampler, DPM-Solver++(2M) SDE (Lu et al. 2022; in sigma, midpoint form).

    With h = ln(sigma_i / sigma_{i+1}), each step is exact for a denoised estimate linear in ln sigma; the fresh noise
    forgets earlier errors of the guidance, which a deterministic sampler would keep.

    Args:
        denoise: (x, sigma) -> E[x0 | x, ...], one call a step.
        x: (B, ...) at sigmas[0]. sigmas: falling, ending in zero. noise: fresh white noise like x.
    """
    previous, previous_h = None, None
    for sigma, following in pairwise(sigmas):
        estimate = denoise(x, sigma)
        if following == 0:
            return estimate
        h = (sigma / following).log()
        gain = -torch.expm1(-2 * h)
        x = (following / sigma) * torch.exp(-h) * x + gain * estimate
        if previous is not None:
            x = x + 0.5 * gain * (h / previous_h) * (estimate - previous)
        x = x + following * gain.sqrt() * noise()
        previous, previous_h = estimate, h
    return x
