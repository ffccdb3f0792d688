"""Chapter 04, Bayes with a denoiser: answers checked. `teaching.checks` says how."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import product

import numpy as np
import torch

from ..verify import closed_form
from .checks import Wrong, called, choice, name_the_mistake, near, number


def limits(answer) -> str:
    """(a) The weight 1 / (r^2 + gamma sigma^2) goes to zero. (b) The truth itself misfits by R."""
    if isinstance(answer, str) or not isinstance(answer, Iterable) or len(given := list(answer)) != 2:
        raise Wrong("Expected two words, (a) 'prior', 'posterior' or 'observations', and (b) 'yes' or 'no'.")
    drawn, good = choice(given[0], ("prior", "posterior", "observations")), choice(given[1], ("yes", "no"))
    if drawn != "prior":
        raise Wrong("(a) What becomes of the weight of the innovation, at any σ, when γ grows without bound?")
    if good != "no":
        raise Wrong("(b) By how much does the truth itself misfit the observations, on average?")
    return "Find an ensemble of that kind in the figure that varies γ."


def same_thing_twice(answer) -> str:
    """The V of one reading with error r^2 / n that weighs the mean innovation as SDA weighs n readings."""
    cases = [(gamma, sigma, n) for gamma, sigma, n in product((0.01, 0.5), (0.2, 3.0), (1, 4, 25))]
    found = np.array([number(called(answer, *case)) for case in cases])
    right, r2 = [], 0.3
    for gamma, sigma, n in cases:
        weight = np.linalg.solve((gamma * sigma**2 + r2) * np.eye(n), np.ones(n)).sum()
        right.append(1 / weight - r2 / n)
    right = np.array(right)
    if near(found, right):
        return "What then of a swath, where large scales are observed a thousand times?"
    gamma, sigma, n = np.array(cases).T
    name_the_mistake(
        found,
        [
            (gamma * sigma**2, "This is what SDA says for each reading. It hears the same innovation n times."),
            (n * right * n, "It depends on n the other way round: is more redundant more certain, or less?"),
            (right / n, "The power of n is too high."),
            (gamma * sigma / n, "Look at the power of σ."),
        ],
        "Sum the weights that SDA gives to the n innovations, and ask which V would give the same weight to their "
        "mean, whose error is r²/n.",
    )


def white_prior(answer) -> str:
    """D + C H' (V + R)^-1 (y - H D) with a Gaussian prior's exact C = sigma^2 J', and V = sigma^2 / (1 + sigma^2)."""
    case = closed_form.set_up(replace(closed_form.CASES["Gaussian, 10 %"], truths=1, members=2), seed=0)
    denoise = called(answer, case.prior, case.likelihood, None)
    generator = torch.Generator().manual_seed(0)
    for level in (0.05, 0.5, 1.0, 5.0):
        sigma = torch.tensor(level)
        x = case.truth[:1].view(1, *case.prior.shape) + sigma * torch.randn(2, *case.prior.shape, generator=generator)
        found = called(denoise, x, sigma)
        if not isinstance(found, torch.Tensor) or found.shape != x.shape:
            told = tuple(found.shape) if isinstance(found, torch.Tensor) else type(found).__name__
            raise Wrong(f"The denoiser returns {told}, expected a tensor of the shape of its input, {tuple(x.shape)}.")
        found = found.detach()
        estimate = case.prior.denoise(x, sigma)
        innovation = case.likelihood.value - case.likelihood.operator(estimate)
        back = case.likelihood.operator.adjoint
        carry = case.prior.covariance(sigma)

        def guided(extra, carry=carry, estimate=estimate, innovation=innovation, back=back):
            return estimate + carry(back(case.likelihood.precision(innovation, extra=extra)))

        size = float(innovation.abs().max())

        def like(other, size=size, found=found):
            return bool((found - other).abs().max() < 2e-3 * size)

        right = sigma**2 / (1 + sigma**2)
        if like(guided(right)):
            continue
        mistakes = [
            (estimate, "the guided denoiser is the prior's own: the observations are not heard"),
            (guided(sigma**2), "V is σ², which is SDA with γ = 1"),
            (guided(0.1 * sigma**2), "V is that of SDA"),
            (guided(0.0), "the uncertainty of the denoised state is left out, only R is in the weights"),
            (guided(right**0.5), "V is a standard deviation, expected a variance"),
            (guided(1 / (1 + sigma**2)), "V lacks the factor σ²"),
            (estimate + back(case.likelihood.precision(innovation, extra=right)),
             "the weights are right, but they are not carried back by σ²J'"),
            (2 * estimate - guided(right), "the sign of the innovation is turned"),
        ]  # fmt: skip
        reason = next((hint for other, hint in mistakes if like(other)), None)
        reason = reason or "the guess is not that of the given V; compare your lines with those of `sda`, one by one"
        raise Wrong(f"At σ = {level:g} {reason}.")
    return "In which limit is it right, and to which side does it err?"


CHECKS = {
    "ex-bayes-limits": limits,
    "ex-bayes-twice": same_thing_twice,
    "ex-bayes-own": white_prior,
}
