"""Samplers: from a denoiser to draws."""

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

SIGMA_MAX, SIGMA_MIN = 80.0, 0.02


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
