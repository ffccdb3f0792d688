"""Chapter 02, from products to training fields: answers checked. `teaching.checks` says how."""

from functools import cache
from itertools import product

import numpy as np
import xarray as xr

from ..ocean.currents import GRAVITY, SMOOTHING, coriolis, geostrophic_current, smooth
from ..prepare import fit_standardizer, standardized, to_state
from ..prepare.frames import members_of
from ..sources import load_sample
from ..state import CHANNELS, METRES_PER_DEGREE, Grid
from .checks import Wrong, called, name_the_mistake, near, number, numbers


def half_amplitude(answer) -> str:
    """exp(-k^2 s^2 / 2) = 1/2."""
    found = number(answer)
    s, root = SMOOTHING, np.sqrt(2 * np.log(2))
    right = 2 * np.pi * s / root
    if near(found, right, 0.015):
        return "So the smoothing takes away what is shorter than a few cells, and little else."
    km = METRES_PER_DEGREE / 12e3
    name_the_mistake(
        found,
        [
            (right / s, "This is for s = 1 cell; which s does the package take?"),
            (right * np.sqrt(2), "This is where the variance is halved; what of the amplitude?"),
            (2 * np.pi * s / np.sqrt(2), "This is where the amplitude has fallen to 1/e; where is it halved?"),
            (root / s, "This is a wavenumber; which wavelength belongs to it?"),
            (right / (2 * np.pi), "Mind the 2π between wavelength and wavenumber."),
            (right / 2, "This is half of a wave, from crest to trough."),
            (right * km, "This seems to be in kilometres; give it in cells."),
            (right * km * np.cos(np.radians(38)), "This seems to be in kilometres; give it in cells."),
        ],
        "Which function of the wavenumber is the Fourier transform of a Gaussian of standard deviation s? Try your "
        "answer on a sine wave with geostrophy.smooth.",
        0.015,
    )


def narrow_prior(answer) -> str:
    """p = K e^2 and q = (1 - K)^2 S^2 + K^2 e^2 with K = s^2 / (s^2 + e^2)."""
    cases = [(S, s, e) for S, s, e in product((1.0, 2.0), (0.5, 1.0, 3.0), (0.1, 1.0, 30.0))]
    found = np.array([number(called(answer, *case)) for case in cases])
    S, s, e = np.array(cases).T
    gain = s**2 / (s**2 + e**2)
    p, q = gain * e**2, (1 - gain) ** 2 * S**2 + gain**2 * e**2
    if near(found, np.sqrt(p / q)):
        return "Where is it smallest, and would anybody notice there?"
    honest = S == s
    otherwise = (
        "Write the analysis as gain times observation, its error as a sum of two independent parts, and compare."
    )
    if not near(found[honest], 1.0):
        otherwise = "If the prior is right, S = s, the ratio has to be one for every e; yours is not."
    elif not near(found[e == 30], np.sqrt(p / q)[e == 30]):
        otherwise = (
            "Try a very large e: the analysis hardly moves from the prior's mean. What does it claim then, and how "
            "large is its error?"
        )
    name_the_mistake(
        found,
        [
            (p / q, "These are variances; spread and error are standard deviations."),
            (np.sqrt(q / p), "This is error over spread."),
            (np.sqrt(p), "This is the spread alone."),
        ],
        otherwise,
    )


def ring(answer) -> str:
    """The exact geostrophic maximum, the share of it that the smoothing takes, the gradient wind at r = L."""
    exact, lost, faster = numbers(answer, (3,))
    amplitude, size, f = 0.5, 50e3, float(coriolis(38))
    right = GRAVITY * amplitude / (f * size * np.sqrt(np.e))
    if not near(exact, right, 0.03):
        name_the_mistake(
            exact,
            [
                (right * np.sqrt(np.e), "(a) This lacks the Gaussian's own value at r = L."),
                (right / np.sqrt(np.e), "(a) The Gaussian's value at r = L is counted twice."),
                (100 * right, "(a) Give speeds in m/s."),
            ],
            "(a) The speed is g/f times the slope of sea level, and largest where the slope's derivative vanishes.",
            0.03,
        )
    grid = Grid.around(-60, 38, (97, 97))
    lat, lon = np.meshgrid(grid.latitude, grid.longitude, indexing="ij")
    north, east = (lat - 38) * METRES_PER_DEGREE, (lon + 60) * METRES_PER_DEGREE * np.cos(np.radians(38))
    eddy = xr.DataArray(
        amplitude * np.exp(-0.5 * (north**2 + east**2) / size**2), grid.coordinates(), ("latitude", "longitude")
    )
    current = geostrophic_current(eddy)
    before, after = (float(np.hypot(*parts).max()) for parts in (current, [smooth(c) for c in current]))
    lost = lost / 100 if lost > 1 else lost
    if abs(lost - (1 - after / before)) > 0.015:
        if abs(lost - after / before) < 0.015:
            raise Wrong("(b) This is what is left; what is taken away?")
        raise Wrong(
            "(a) is right, (b) is not. Smooth both components with geostrophy.smooth, and compare the largest speed of "
            "the ring after it with that before."
        )
    balanced = 0.5 * f * size * (1 - np.sqrt(1 - 4 * right / (f * size)))
    if not near(faster, balanced, 0.02):
        steepness = 4 * right / (f * size)
        half, ratio = 0.5 * f * size, "(c) This is a ratio; give the speed itself (m/s)."
        name_the_mistake(
            faster,
            [
                (half * (np.sqrt(1 + steepness) - 1), "(c) This is a cyclone; which way does a high turn?"),
                (half * (1 + np.sqrt(1 - steepness)), "(c) This is the other root: no calm sea gets there."),
                (balanced - right, "(c) This is how much faster it is; give the speed itself."),
                (balanced / right, ratio),
                (balanced / right - 1, ratio),
            ],
            "(a) and (b) are right, (c) is not. Which sign has the curvature of the flow round a high in the northern "
            "hemisphere? Solve the balance at r = L for the speed (m/s).",
        )
    return "A warm ring runs faster than its sea level says."


@cache
def heldout_deviations() -> np.ndarray:
    """Standard deviations of sea level and salinity of each held-out ocean, standardized by the fit to all others."""
    judge, channels = fit_standardizer(load_sample("nature_wide")), [CHANNELS.index("zos"), CHANNELS.index("so")]
    x = [standardized(to_state(o, judge), judge)[:, channels] for o in members_of(load_sample("nature_heldout"))]
    return np.array([(one.numpy() ** 2).mean((0, 2, 3)) ** 0.5 for one in x]).ravel()


def everybodys_climatology(answer) -> str:
    """In any order, see `heldout_deviations`."""
    found = numbers(answer).ravel()
    if len(found) != 4:
        raise Wrong(
            "Expected 4 numbers: sea level and salinity of both held-out oceans, by the climatology fitted to all "
            f"training oceans; got {len(found)}."
        )
    right = heldout_deviations()
    if not near(np.sort(found), np.sort(right), 0.02):
        name_the_mistake(
            np.sort(found),
            [(np.sort(right) ** 2, "These are variances; the standard deviation is asked for.")],
            "Fit one standardizer to all training oceans at once, standardize each held-out ocean with it, and take "
            "the root mean square of its sea level and of its salinity.",
        )
    return "Compare with what the fits to single oceans say of the same water."


CHECKS = {
    "ex-smooth": half_amplitude,
    "ex-narrow": narrow_prior,
    "ex-ring": ring,
    "ex-scale": everybodys_climatology,
}
