"""Chapter 06, against the drifters: answers checked. `teaching.checks` says how."""

import numpy as np

from ..ocean.currents import coriolis
from .checks import called, name_the_mistake, near, number, numbers


def left_between_two_days(answer) -> str:
    """1 - exp(-2 a^2) and 1 - 1 / cosh(2 a^2), as a function of a = t / T."""
    a = np.array([0.2, 0.5, 1.0])
    found = np.array([numbers(called(answer, float(one)), (2,)) for one in a])
    known = np.exp(-2 * a**2)
    once, twice = 1 - known, 1 - 1 / np.cosh(2 * a**2)
    if near(found, np.stack([once, twice], 1)):
        return "Three days before and three after, T = 7: 31 % is left by one of them, and 6 % by both."
    mistakes = [
        (once, once / 2, "Half of it would be left if the two were independent; what changed before and after is not."),
        (once, once / (1 + known), "The changes before and after the date are not independent: one undoes the other."),
        (once, once**2, "The two measurements do not fail independently of each other: what is their covariance?"),
        (known, 1 - twice, "This is what is known; expected what is left."),
        (twice, once, "First what one measurement leaves, then what both do."),
    ]
    name_the_mistake(
        found,
        [
            *((np.stack([first, second], 1), hint) for first, second, hint in mistakes),
            (np.stack([1 - np.sqrt(known), found[:, 1]], 1), "A correlation rho explains rho squared of the variance."),
        ],
        "Condition a Gaussian: the variance less b' A^-1 b, b the covariances with the date, A those between the days.",
    )


def perfect_analysis(answer) -> str:
    """e sqrt(pi/2), as a function of e."""
    e = np.array([0.05, 0.1, 0.2])
    found = np.array([number(called(answer, float(one))) for one in e])
    right = e * np.sqrt(np.pi / 2)
    if near(found, right, 1e-3):
        return "No product can be nearer to the drifters than this, on average."
    name_the_mistake(
        found,
        [
            (e, "This is the error of one component; the vector has two."),
            (np.sqrt(2) * e, "This is the root mean square of the vector's length; expected the mean of its length."),
            (e * np.sqrt(2 / np.pi), "This is the mean size of one component; expected the mean length of the vector."),
            (e * np.sqrt(np.pi) / 2, "Is e the error of one component, or of the vector?"),
            (2 * e**2, "This is a square of a speed."),
            (0 * e, "The analysis is perfect, but the drifters are not."),
        ],
        "The error is a vector of two independent Gaussian components: how is its length distributed, with which mean?",
        1e-3,
    )


def left_by_a_mean(answer) -> str:
    """|sin(f T / 2) / (f T / 2)|, as a function of the latitude in degrees."""
    latitude = np.array([20.0, 38.0, 45.0, 60.0])
    found = np.array([number(called(answer, float(one))) for one in latitude])
    half = coriolis(latitude) * 12 * 3600
    signed = np.sin(half) / half
    if near(found, abs(signed), 0.01):
        return "At 38 degrees 17 % is left; nothing at 30 degrees, where the inertial period is a day."
    name_the_mistake(
        found,
        [
            (signed, "Where this is negative the mean points backwards; expected how much is left, a size."),
            (100 * abs(signed), "This seems to be in percent; expected a share."),
            (signed**2, "This is what is left of the energy; expected the amplitude."),
            (abs(np.sin(2 * half) / (2 * half)), "From -T/2 to T/2: the angle at the ends is f T / 2, not f T."),
            (abs(np.sinc(half)), "NumPy's sinc has a factor of pi in it."),
            (1 - abs(signed), "This is what is taken out; expected what is left."),
        ],
        "Average exp(-i f t) over t from -12 to 12 hours, f = 2 Omega sin(latitude), latitude in degrees, f in 1/s.",
    )


CHECKS = {
    "ex-ose-between": left_between_two_days,
    "ex-ose-floor": perfect_analysis,
    "ex-ose-filter": left_by_a_mean,
}
