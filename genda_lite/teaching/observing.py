"""Chapter 01, the observing problem: answers checked. `teaching.checks` says how."""

from collections.abc import Iterable
from functools import cache

import numpy as np

from ..observe.instruments import DAY
from ..observe.orbits import MISSIONS, ground_track
from ..observe.smooth_maps import MAPS
from ..observe.systems import constellation
from ..sources import open_product
from ..sources.samples import sample_path
from ..state import EARTH_RADIUS
from .checks import Wrong, choice, name_the_mistake, number, numbers, share


def second_altimeter(answer) -> str:
    """Tracks lie 250 km apart and return after ten days: which hole is worse, 125 km or five days?"""
    if choice(answer, ("a", "b")) == "a":
        raise Wrong(
            "Find the point that is worst observed, in space and in time, and read off the figure of the correlations "
            "what is left of them at that distance and after that many days. Which of the two holes costs more?"
        )
    return "Now: for what would you choose the other one?"


def bargain(answer) -> str:
    """The period goes with the distance from the Earth's centre to the power 3/2."""
    found = number(answer)
    low, high = EARTH_RADIUS + 500e3, EARTH_RADIUS + 1336e3
    right = (low / high) ** 1.5
    factor = found / 100 if abs(found) > 2 else found
    if any(abs(factor - value) < 0.006 for value in (right, right - 1, 1 - right)):
        return "So no choice of the orbit gains much."

    def both(ratio):
        return ratio, ratio - 1, 1 - ratio

    mistakes = [
        ((500 / 1336) ** 1.5, "Kepler's law counts distances from the centre of the Earth, not from its surface."),
        (1 / right, "This is the way from the low orbit to the high one."),
        (low / high, "The product goes with the period; with which power of the distance does that go?"),
        ((low / high) ** 3, "Kepler's law holds for the square of the period."),
    ]
    name_the_mistake(
        factor,
        [(value, hint) for ratio, hint in mistakes for value in both(ratio)],
        "Expected the product at 500 km over that at 1,336 km, or the change relative to the latter. How does the "
        "product depend on the period, and the period on the distance from the Earth's centre?",
        0.02,
    )


def blurred_eddy(answer) -> str:
    """q, q^3/2, q^2 with q = L^2 / (L^2 + w^2)."""
    table = share(numbers(answer, (3, 3)))
    size = np.array([30.0, 50.0, 100.0])
    width = MAPS["zos"].width
    q = size**2 / (size**2 + width**2)
    right = np.stack([q, q**1.5, q**2], 1)
    for candidate in (table, table.T):
        if np.abs(candidate - right).max() < 0.015:
            return "Two derivatives cost more than one, and one more than none."
    amplitude, speed, _ = (np.abs(table - right) < 0.015).all(0)
    if not amplitude:
        name_the_mistake(
            table[:, 0],
            [
                (np.sqrt(q), "The amplitudes are those of a blur in one direction; a map is blurred in two."),
                (1 - q, "The amplitudes say what is lost; what is left?"),
                (
                    size**2 / (size + width) ** 2,
                    "Of two Gaussians that are convolved the variances add, not the widths.",
                ),
            ],
            "The first column, the amplitudes, is not right. The blur keeps the integral of the eddy over the plane "
            f"and adds to its variance in each direction; the map's w is {width:g} km. A row for each L, please.",
        )
    if not speed:
        raise Wrong(
            "The amplitudes are right, the speeds are not. The largest speed is proportional to amplitude over size, "
            "and the blur changes both."
        )
    raise Wrong(
        "Amplitudes and speeds are right, the vorticities are not. In the centre vorticity is proportional to "
        "amplitude over the square of the size."
    )


@cache
def crossing_longitudes(n: int) -> np.ndarray:
    """Where tracks of the first n altimeters cross 38 N within five days of the chapter's date, ascending."""
    with open_product(sample_path("nature_heldout.nc")) as ocean:
        date = ocean.time.values[10]
    where = []
    for name in constellation(n):
        track = ground_track(MISSIONS[name], date - 5 * DAY, date + 5 * DAY, (33.0, 43.0), (-65.0, -55.0))
        for one in np.unique(track.track):
            along = track.isel(point=np.flatnonzero(track.track == one)).sortby("latitude")
            if along.latitude.min() < 38 < along.latitude.max():
                where.append(float(np.interp(38, along.latitude, along.longitude)))
    return np.sort(where)


def crossings(answer) -> str:
    """Longitudes of crossings, see `crossing_longitudes`."""
    if not isinstance(answer, dict) or set(answer) != {1, 3, 7}:
        raise Wrong("Expected a dictionary with the keys 1, 3 and 7, the numbers of altimeters.")
    for n, given in sorted(answer.items()):
        found, right = np.sort(numbers(given).ravel()), crossing_longitudes(n)
        if len(found) != len(right):
            many = "Too many" if len(found) > len(right) else "Too few"
            raise Wrong(
                f"{many} crossings by {n} altimeter{'s' * (n > 1)}: {len(found)}. Take each pass within five days of "
                "the date, before and after, once, and only if it has points on both sides of 38°N."
            )
        if np.abs(found - right).max() > 0.1:
            raise Wrong(f"The number of crossings by {n} is right, their longitudes (degrees east) are not.")
    return "How long is the longest gap between them, for each n?"


def wrong_covariance(answer) -> str:
    """The expected error of an interpolation that believes in B where C is true, and the error that it claims."""
    options = ("half the length", "twice the length", "half of s")
    if isinstance(answer, str) or not isinstance(answer, Iterable):
        raise Wrong(f"Expected a list of some of {', '.join(map(repr, options))}.")
    found = {choice(one, options) for one in answer}
    place = np.arange(0.0, 1000.0, 14.0)  # km along a pass, with a gap of 300 km
    heard = np.abs(place - place.mean()) > 150
    error = 0.025**2 * np.eye(heard.sum())

    def covariance(deviation=0.15, length=200.0):
        r = 3.34 * np.abs(place[:, None] - place) / length
        return deviation**2 * (1 + r + r**2 / 6 - r**3 / 6) * np.exp(-r)

    beliefs = zip(options, ({"length": 100.0}, {"length": 400.0}, {"deviation": 0.075}), strict=True)
    true, too_little = covariance(), set()
    for name, belief in beliefs:
        b = covariance(**belief)
        gain = np.linalg.solve(b[heard][:, heard] + error, b[heard][:, ~heard]).T
        claimed = np.trace(b[~heard][:, ~heard] - gain @ b[heard][:, ~heard])
        made = np.trace(true[~heard][:, ~heard] - 2 * gain @ true[heard][:, ~heard])
        made += np.trace(gain @ (true[heard][:, heard] + error) @ gain.T)
        too_little |= {name} if claimed < 0.64 * made else set()  # a standard error of four fifths
    for name in options:
        if (name in found) != (name in too_little):
            raise Wrong(
                f"Look again at {name!r}: is the error that is claimed in the gap, as root mean square, well below the "
                "error that is made there?"
            )
    return "And nothing in the data warned of it."


CHECKS = {
    "ex-observing-second": second_altimeter,
    "ex-observing-orbit": bargain,
    "ex-observing-eddy": blurred_eddy,
    "ex-observing-across": crossings,
    "ex-observing-wrong": wrong_covariance,
}
