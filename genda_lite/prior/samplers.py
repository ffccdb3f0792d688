"""Samplers: from a denoiser, guided or not, to draws.

All are written for x = x0 + sigma n, and have one signature: `denoise(x, sigma)`, states at the first of the falling
noise levels `sigmas`, which end in zero, and a source of white noise. With an exact denoiser all sample the same law;
they differ in how many calls they need and in what becomes of the errors of an approximate one.
"""

import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor
from tqdm.auto import tqdm

from .base import Prior

SIGMA_MAX, SIGMA_MIN = 80.0, 0.02
PRIOR_SIGMA_MIN = 0.005  # of unconditional draws, which no observation holds: what is drawn below it looks like grain
Denoise = Callable[[Tensor, Tensor], Tensor]
White = Callable[[], Tensor]


def noise_levels(steps: int, high: float = SIGMA_MAX, low: float = SIGMA_MIN) -> Tensor:
    """Falling noise levels, evenly spaced in ln sigma, then zero: (steps + 1,).

    For a Gaussian prior the sampler's error can be followed mode by mode in closed form. Even spacing in ln sigma makes
    it the same for every mode between the two levels; the spacing of Karras et al. (2022) spends its steps on the
    lowest noise, and makes it three times larger near one standard deviation.
    """
    return torch.cat([torch.exp(torch.linspace(math.log(high), math.log(low), steps)), torch.zeros(1)])


def karras_levels(steps: int, high: float = SIGMA_MAX, low: float = SIGMA_MIN, rho: float = 7.0) -> Tensor:
    """Noise levels evenly spaced in sigma^(1/rho), then zero: (steps + 1,) (Karras et al. 2022, eq. 5)."""
    root = torch.linspace(high ** (1 / rho), low ** (1 / rho), steps, dtype=torch.float64)
    return torch.cat([root**rho, torch.zeros(1)]).float()


def cosine_levels(steps: int, least: float = 1e-3) -> Tensor:
    """Noise levels of the cosine variance-preserving schedule, even in time, then zero: (steps + 1,).

    There the state is a(t) x0 + b(t) n with a = cos^2(w t), b^2 = 1 - a^2 + least^2 and a(1) = least (Rozet & Louppe
    2023, as used by GenDA, Martin et al. 2025). Divided by a it is x0 + sigma n with sigma = b / a.
    """
    t = torch.linspace(1, 0, steps + 1, dtype=torch.float64)[:-1]
    a = torch.cos(math.acos(math.sqrt(least)) * t) ** 2
    return torch.cat([(1 - a**2 + least**2).sqrt() / a, torch.zeros(1)]).float()


@torch.no_grad()
def euler(denoise: Denoise, x: Tensor, sigmas: Tensor, noise: White, corrections: int = 0, size: float = 0.1) -> Tensor:
    """First order and deterministic: Euler's step for dx/dsigma = (x - D) / sigma (DDIM, Song et al. 2021).

    On `cosine_levels` these are the variance-preserving predictor of Rozet & Louppe (2023) and GenDA's steps. Each of
    their Langevin corrections costs one more call and draws x closer to the law at its noise level:

        x <- x + d s + sqrt(2 d) n,   s = (D - x) / sigma^2,   d = size C ny nx / |s|^2

    Args:
        corrections: after each step. size: of a correction; the law it leads to is too wide by 2 / (2 - size), in
            variance.
    """
    for sigma, following in pairwise(sigmas):
        estimate = denoise(x, sigma)
        if following == 0:
            return estimate
        x = estimate + (following / sigma) * (x - estimate)
        for _ in range(corrections):
            score = (denoise(x, following) - x) / following**2
            step = size / score.square().mean(tuple(range(1, x.ndim)), keepdim=True)
            x = x + step * score + (2 * step).sqrt() * noise()
    return x


@torch.no_grad()
def heun(denoise: Denoise, x: Tensor, sigmas: Tensor, noise: White, churn: float = 0.0) -> Tensor:
    """Second order, two calls a step (Karras et al. 2022, Algorithm 2).

    Args:
        churn: how much noise to add and take away again over all steps (S_churn); 0 is deterministic.
    """
    raised_by = 1 + min(churn / (len(sigmas) - 1), math.sqrt(2) - 1)
    for sigma, following in pairwise(sigmas):
        if churn:
            raised = raised_by * sigma
            x, sigma = x + (raised**2 - sigma**2).sqrt() * noise(), raised
        estimate = denoise(x, sigma)
        if following == 0:
            return estimate
        slope = (x - estimate) / sigma
        there = x + (following - sigma) * slope
        slope_there = (there - denoise(there, following)) / following
        x = x + 0.5 * (following - sigma) * (slope + slope_there)
    return x


@torch.no_grad()
def sde_2m(denoise: Denoise, x: Tensor, sigmas: Tensor, noise: White, eta: float = 1.0) -> Tensor:
    """Second-order multistep stochastic sampler: DPM-Solver++(2M) SDE, midpoint form (Lu et al. 2022), in sigma.

    With h = ln(sigma_i / sigma_{i+1}), the estimate at the middle of a step is extrapolated from the last two. Fresh
    noise forgets earlier errors of the guidance: with eta = 1 that of the reverse diffusion, more with more; eta = 0 is
    the deterministic 2M.

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


def calibrated_sde_2m(denoise: Denoise, x: Tensor, sigmas: Tensor, noise: White) -> Tensor:
    """`sde_2m` with a little less fresh noise, so that few steps give a Gaussian its variance.

    Of a Gaussian prior the sampler is linear in its start and its noise, and the variance of what it draws is known. In
    steps evenly spaced in ln sigma it is too large by the same share, 3.4 % in 26 steps, for every mode that stands
    well above the lowest noise; the noise is made smaller by the root of that share.
    """
    steps, levels = len(sigmas) - 1, sigmas.double().cpu()
    inputs = torch.eye(steps + 1, dtype=torch.float64)  # the start and each draw of noise, one unit each
    fresh = iter(inputs[1:])
    response = sde_2m(
        lambda x, s: x / (1 + s**2), inputs[0] * (1 + levels[0] ** 2).sqrt(), levels, lambda: next(fresh)
    )
    lowest = levels[-2] ** 2
    known = 1 / (1 + lowest)  # of the variance: the rest is below the lowest noise, for others to draw
    scale = float((known / response.square().sum()).sqrt())
    return sde_2m(denoise, x, sigmas, lambda: scale * noise())


class Sampler(NamedTuple):
    """A sampler with the noise levels it is used on."""

    run: Callable[[Denoise, Tensor, Tensor, White], Tensor]
    levels: Callable[[int], Tensor]


SAMPLERS: dict[str, Sampler] = {
    "sde-2m": Sampler(calibrated_sde_2m, noise_levels),
    "2m": Sampler(partial(sde_2m, eta=0.0), noise_levels),
    "heun": Sampler(heun, karras_levels),
    "heun-churn": Sampler(partial(heun, churn=10.0), karras_levels),
    "vp": Sampler(euler, cosine_levels),
    "vp-langevin": Sampler(partial(euler, corrections=1), cosine_levels),
}


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
