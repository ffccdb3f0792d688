"""Chapter 03, a prior that has seen the ocean: answers checked. `teaching.checks` says how."""

from itertools import product

import numpy as np
from scipy.stats import kstest, norm

from .checks import Wrong, called, name_the_mistake, near, number, numbers


def remaining_variance(answer) -> str:
    """sigma^2 times the slope of the Wiener filter, for one wave of variance S."""
    cases = [(S, sigma) for S, sigma in product((0.25, 1.0, 9.0), (0.1, 1.0, 5.0))]
    found = np.array([number(called(answer, *case)) for case in cases])
    S, sigma = np.array(cases).T
    gain = S / (S + sigma**2)
    if near(found, sigma**2 * gain):
        return "It does not depend on x: a Gaussian never knows more at one place than at another."
    name_the_mistake(
        found,
        [
            (gain, "This is the slope of the denoiser; what is it to be multiplied with?"),
            (S * gain, "This is the variance of the denoised wave: what is known, not what remains unknown."),
            (np.sqrt(sigma**2 * gain), "This is a standard deviation; the covariance is asked for."),
            (sigma * gain, "Look at the power of σ in front of the Jacobian."),
            (np.broadcast_to(sigma**2, S.shape), "This is the variance of the noise; does the prior know nothing?"),
        ],
        "For the Gaussian prior D is linear in x. What is its slope for a wave of variance S? Then, for small σ the "
        "result must vanish, and for large σ it must be what the prior says.",
    )


def coefficients(answer) -> str:
    """Three demands, each tried by itself with the variances of Gaussians."""
    for S, sigma in product((0.25, 1.0, 9.0), (0.1, 1.0, 5.0)):
        c_in, c_skip, c_out = numbers(called(answer, S, sigma), (3,))
        at = f"for S = {S:g} and σ = {sigma:g}"
        if not near(c_in**2 * (S + sigma**2), 1.0):
            raise Wrong(f"{at.capitalize()} the input c_in x has the variance {c_in**2 * (S + sigma**2):.3g}, not one.")

        def left(c, S=S, sigma=sigma):
            return (1 - c) ** 2 * S + c**2 * sigma**2

        if min(left(c_skip - 0.01), left(c_skip + 0.01)) < left(c_skip):
            raise Wrong(f"c_in is right. {at.capitalize()} another c_skip leaves a smaller error to the network.")
        if not near(c_out**2, left(c_skip)):
            ratio = left(c_skip) / c_out**2 if c_out else np.inf
            raise Wrong(
                f"c_in and c_skip are right. {at.capitalize()} the target has the variance {ratio:.3g}, not one."
            )
    return "And the correlation of that target with the input?"


def particles(answer) -> str:
    """The largest distance of distribution functions (Kolmogorov-Smirnov) from the small ocean's, and from others."""
    draws = numbers(answer).ravel()
    if len(draws) < 2000:
        raise Wrong(f"Expected at least 2,000 draws, to tell distributions apart; got {len(draws)}.")
    sides, width = (-1.0, 1.0), 0.3  # the chapter's small ocean

    def prior(x):
        return np.mean([norm.cdf(x, side, width) for side in sides], 0)

    distance = kstest(draws, prior).statistic
    if distance < 0.04:
        return "The denoiser alone made these draws: it is the prior."
    if kstest(draws, norm(0, np.sqrt(1 + width**2)).cdf).statistic < 0.04:
        raise Wrong("These draws are a single Gaussian of the right variance. Whose denoiser was it?")
    if draws.std() > 5:
        raise Wrong(f"Their standard deviation is {draws.std():.1f}: noise is left. Do the levels go down to zero?")
    if np.abs(np.abs(draws) - 1).max() < 0.15:
        raise Wrong(
            "Nearly all draws lie on -1 and 1, but the prior has some width; look at size and sign of your steps."
        )
    raise Wrong(
        f"The distribution functions of draws and prior differ by up to {distance:.2f}. The flow says "
        "dx/dσ = (x - D)/σ; a step goes from one level to the next, which is lower; the "
        "start is noise of the size of the highest."
    )


CHECKS = {
    "ex-prior-covariance": remaining_variance,
    "ex-prior-edm": coefficients,
    "ex-prior-sampler": particles,
}
