"""Samplers, without guidance: their order of accuracy, and the law they sample."""

from functools import partial
from inspect import signature
from itertools import pairwise

import pytest
import torch

from genda_lite.prior.samplers import SAMPLERS, cosine_levels, euler, heun, karras_levels, noise_levels, sde_2m


def scalar_variance(run, sigmas) -> float:
    """Variance of x0 ~ N(0, 1) after a sampler that is linear in its noise, through its response to unit inputs."""
    inputs = iter(torch.eye(3 * len(sigmas), dtype=torch.float64))
    start = next(inputs) * (1 + sigmas[0] ** 2).sqrt()
    out = run(lambda x, s: x / (1 + s**2), start, sigmas, lambda: next(inputs))
    return (out**2).sum().item()


ORDERS = {
    "2m": (lambda *a: sde_2m(*a, eta=0.0), 2),
    "sde-2m": (sde_2m, 2),
    "heun": (heun, 2),
    "euler": (euler, 1),
}


@pytest.mark.parametrize("name", ORDERS)
def test_order_of_accuracy(name):
    """Doubling the steps divides the error by about two to the order."""
    run, order = ORDERS[name]
    coarse, fine = (abs(scalar_variance(run, noise_levels(n, 80.0, 1e-3).double()) - 1) for n in (40, 80))
    assert fine < 0.01 * 8 ** (2 - order)
    assert 0.75 * 2**order < coarse / fine < 1.5 * 2**order


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_draws_the_prior(name):
    """A Gaussian away from zero, 8 x 8 values: mean and variance of many draws."""
    generator = torch.Generator().manual_seed(0)
    steps = 256 if name.startswith("vp") else 40
    run, levels = SAMPLERS[name]
    sigmas = levels(steps)

    def white():
        return torch.randn(1000, 1, 8, 8, generator=generator)

    def denoise(x, sigma):
        return 3 + (x - 3) * 0.25 / (0.25 + sigma**2)

    draws = run(denoise, 3 + (0.25 + sigmas[0] ** 2).sqrt() * white(), sigmas, white)
    assert abs(draws.mean() - 3) < 0.02
    assert 0.93 < draws.var() / 0.25 < 1.1


@pytest.mark.parametrize("size", [0.1, 0.5])
def test_langevin_corrections_forget_the_start(size):
    """From a constant, many corrections at one noise level lead to its law, but for the known error of their size."""
    generator = torch.Generator().manual_seed(0)

    def white():
        return torch.randn(500, 1, 8, 8, generator=generator)

    sigmas = torch.tensor([2.0, 1.0, 0.0])
    drawn = []

    def denoise(x, sigma):
        drawn.append(x)
        return x / (1 + sigma**2)

    euler(denoise, torch.ones(500, 1, 8, 8), sigmas, white, corrections=60, size=size)
    assert drawn[-1].var() / 2 == pytest.approx(2 / (2 - size), rel=0.04)


def test_samplers_are_those_of_another_library():
    """Diffusers' DPM-Solver++(2M), as SDE and as ODE, Heun's and Euler's, on a denoiser that is not linear: the same
    noise levels, the same draws."""
    diffusers, count, shape = pytest.importorskip("diffusers"), 12, (3, 2, 8, 8)

    def generator() -> torch.Generator:
        return torch.Generator().manual_seed(1)

    def denoise(x, sigma):
        return torch.tanh(x / (1 + sigma**2)) + 0.3 / (1 + sigma)

    def drawn(scheduler, output) -> torch.Tensor:
        """By their loop; `output` makes of estimate, state and noise what they want of a network."""
        x, noise = scheduler.sigmas[0] * start, generator()
        own = {"generator": noise} if "generator" in signature(scheduler.step).parameters else {}
        for t in scheduler.timesteps:
            scheduler.scale_model_input(x, t)
            sigma = scheduler.sigmas[scheduler.step_index]
            x = scheduler.step(output(denoise(x, sigma), x, sigma), t, x, **own).prev_sample
        return x

    start = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    for kind, schedule, levels, ours in (
        ("sde-dpmsolver++", "exponential", noise_levels, sde_2m),
        ("dpmsolver++", "exponential", noise_levels, partial(sde_2m, eta=0.0)),
        ("sde-dpmsolver++", "karras", karras_levels, sde_2m),
    ):
        known = diffusers.EDMDPMSolverMultistepScheduler(0.02, 80.0, 1.0, schedule, algorithm_type=kind)
        known.set_timesteps(count)
        torch.testing.assert_close(levels(count), known.sigmas, rtol=1e-5, atol=0)
        theirs = drawn(known, lambda d, x, s: (d - x / (1 + s**2)) * (1 + s**2).sqrt() / s)  # EDM's scalars, undone
        noise = generator()
        found = ours(denoise, known.sigmas[0] * start, known.sigmas, lambda: torch.randn(shape, generator=noise))  # noqa: B023
        torch.testing.assert_close(found, theirs, rtol=1e-3, atol=1e-4)
    for name, ours in (("HeunDiscreteScheduler", heun), ("EulerDiscreteScheduler", euler)):
        known = getattr(diffusers, name)(use_karras_sigmas=True)
        known.set_timesteps(count)
        levels = torch.unique_consecutive(known.sigmas)
        theirs = drawn(known, lambda d, x, s: (x - d) / s)
        torch.testing.assert_close(ours(denoise, levels[0] * start, levels, None), theirs, rtol=1e-3, atol=1e-4)


def test_levels_fall_from_the_first_to_zero():
    for levels in (noise_levels, karras_levels, cosine_levels):
        sigmas = levels(20)
        assert len(sigmas) == 21 and sigmas[-1] == 0
        assert all(a > b for a, b in pairwise(sigmas))
    assert noise_levels(20)[0] == pytest.approx(80) and karras_levels(20)[19] == pytest.approx(0.02)
    assert cosine_levels(256)[0] == pytest.approx(1000, rel=1e-3)  # a = 1e-3: all but noise


def test_deterministic_samplers_draw_no_noise():
    def silent():
        raise AssertionError("noise was drawn")

    x = torch.randn(2, 1, 4, 4, generator=torch.Generator().manual_seed(0)) * 80
    for run in (euler, heun):
        first = run(lambda x, s: x / (1 + s**2), x, noise_levels(8), silent)
        torch.testing.assert_close(first, run(lambda x, s: x / (1 + s**2), x, noise_levels(8), silent))
