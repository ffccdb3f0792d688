"""Chapter 05, the observing system simulation experiment: answers checked. `teaching.checks` says how."""

from collections.abc import Iterable

import numpy as np
import xarray as xr

from ..verify.scores import rank_histogram
from .checks import Wrong, called, choice, name_the_mistake, near, number, numbers


def pretended_error(answer) -> str:
    """One number: prior s^2, true error e^2, pretended error E^2."""
    if isinstance(answer, str) or not isinstance(answer, Iterable) or len(given := list(answer)) != 2:
        raise Wrong("Expected two words, 'up' or 'down', for the spread along the tracks and for spread over error.")
    found = [choice(word, ("up", "down")) for word in given]
    s, e = 0.15, 0.027  # the size of anomalies and the altimeter's error (m); the signs do not depend on them

    def spread_and_ratio(assumed):
        gain = s**2 / (s**2 + assumed**2)
        spread = gain * assumed**2
        return spread, spread / ((1 - gain) ** 2 * s**2 + gain**2 * e**2)

    before, after = spread_and_ratio(e), spread_and_ratio(0.3)
    right = ["up" if b > a else "down" for a, b in zip(before, after, strict=True)]
    if found[0] != right[0]:
        raise Wrong(
            "The spread along the tracks: how much of it do observations take away that are believed to be bad?"
        )
    if found[1] != right[1]:
        raise Wrong("The ratio: the observations are better than they are said to be. Is the ensemble then too modest?")
    return "An assumed error is part of what you claim to know."


def few_members(answer) -> str:
    """sqrt(1 + 1/M), as a function of M, or for M = 16."""
    size = np.array([2.0, 5.0, 16.0, 100.0]) if callable(answer) else np.array([16.0])
    found = np.array([number(called(answer, int(m))) for m in size]) if callable(answer) else np.array([number(answer)])
    right = np.sqrt((size + 1) / size)
    if near(found, right, 1e-3):
        return "The package's ratio of spread to error takes it into account."
    name_the_mistake(
        found,
        [
            (right**2, "This is the factor of the squared error."),
            (1 / right, "This is below one, but a mean of few members errs more, not less."),
            (right - 1, "This is by how much more it errs; expected the factor."),
            (100 * (right - 1), "This seems to be in percent; expected the factor."),
            (np.sqrt(size / (size - 1)), "This corrects a variance that is taken about the members' own mean."),
            (1 / np.sqrt(size), "This is the sampling error of the mean alone, relative to the spread."),
            (np.sqrt(size), "With more members it would err more; it must go to one."),
        ],
        "Truth and members are draws of one distribution. The error of the mean is the difference of the truth and of "
        "a mean of M draws: which variances add? Give a function of M, or the factor for M = 16.",
        1e-3,
    )


def member_as_truth(answer) -> str:
    """A function of an ensemble and of a member's number: the rank histogram of that member among the others."""
    values = np.random.default_rng(0).normal(size=(9, 12, 10))
    coords = {"member": np.arange(9), "latitude": 36 + np.arange(12) / 12, "longitude": -60 + np.arange(10) / 12}
    ensemble = xr.DataArray(values, coords, ("member", "latitude", "longitude"), name="zos")
    for taken in (0, 4, 8):
        found = numbers(called(answer, ensemble, taken)).ravel()
        others, truth = ensemble.drop_isel(member=taken), ensemble.isel(member=taken, drop=True)
        right = rank_histogram(others, truth).values
        if found.sum() != values[0].size:
            raise Wrong(f"Every point of the map has one rank: expected {values[0].size} counts, got {found.sum():g}.")
        if len(found) == len(right) + 1:
            raise Wrong("There is one rank too many: is the member that you took for the truth still in the ensemble?")
        if len(found) != len(right):
            raise Wrong(f"Got {len(found)} ranks. A truth can rank below, above, or between the members that are left.")
        if not near(found, right, 0.0):
            if near(found, right[::-1], 0.0):
                raise Wrong("The ranks are counted from the top; count the members below the truth.")
            raise Wrong(f"The counts are not those of member {taken} among the others.")
    return "Are they as flat as you expected?"


CHECKS = {
    "ex-error": pretended_error,
    "ex-members": few_members,
    "ex-osse-rugged": member_as_truth,
}
