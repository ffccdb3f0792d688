"""Answers to the book's exercises, checked. A wrong one is told what is wrong with it, and not what is right.

    from genda_lite.teaching import check
    check("ex-smooth", 8.0)
    assert check("products-2", 8.0)    # the same exercise: the second of its chapter

What is right is computed here from the package or from the mathematics behind the exercise. Some exercises ask for
words or for judgement; a program cannot mark those.
"""

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache
from itertools import product

import numpy as np
import torch
import xarray as xr

from ..errors import InputError
from ..observe.instruments import DAY
from ..observe.smooth_maps import MAPS
from ..ocean.currents import GRAVITY, SMOOTHING, coriolis, geostrophic_current, smooth
from ..state import CHANNELS, EARTH_RADIUS, METRES_PER_DEGREE, Grid

# All exercises, in the order of the chapters.
EXERCISES = {
    "observing": (
        "ex-observing-second",
        "ex-observing-orbit",
        "ex-observing-eddy",
        "ex-observing-across",
        "ex-observing-wrong",
    ),
    "products": ("ex-l4", "ex-smooth", "ex-narrow", "ex-ring", "ex-scale", "ex-own"),
    "prior": ("ex-prior-blur", "ex-prior-covariance", "ex-prior-edm", "ex-prior-sampler", "ex-prior-steps"),
    "bayes": ("ex-bayes-limits", "ex-bayes-twice", "ex-bayes-own", "ex-bayes-sampler"),
    "osse": ("ex-error", "ex-members", "ex-gauss", "ex-osse-rugged", "ex-osse-launch"),
    "ose": ("ex-ose-between", "ex-ose-floor", "ex-ose-filter", "ex-ose-drogue", "ex-ose-attenuate"),
}
CHECKS: dict[str, Callable] = {}


@dataclass(frozen=True)
class Verdict:
    """Whether an answer is right, and what there is to say about it. True in an `assert` where it is right."""

    right: bool
    told: str

    def __bool__(self) -> bool:
        return self.right

    def __repr__(self) -> str:
        return f"{'Right' if self.right else 'Not yet'}. {self.told}"


class Wrong(Exception):
    """Why an answer is wrong, for the student to read."""


def check(exercise: str, answer) -> Verdict:
    """Check the answer to an exercise. The exercise says what form its answer has; differences of rounding do
    not matter.

    Args:
        exercise: its label ("ex-smooth", or "smooth"), or the chapter's name and the exercise's place in it
            ("products-2").
        answer: a number, an array, a choice, or a function, as the exercise asks for.

    Returns:
        the verdict: true or false, and a sentence or two.

    Raises:
        InputError: there is no such exercise, or a program cannot check it.

    Examples:
        >>> from genda_lite.teaching import check
        >>> check("osse-2", lambda members: ((members + 1) / members) ** 0.5).right
        True
        >>> check("ex-smooth", "eight")
        Not yet. Expected a number, got 'eight'.
    """
    label = find(exercise)
    if label not in CHECKS:
        raise InputError(
            f"{label} asks for words or for judgement, which no program can check: discuss it, then compare"
        )
    try:
        return Verdict(True, CHECKS[label](answer))
    except Wrong as wrong:
        return Verdict(False, str(wrong))


def find(exercise: str) -> str:
    """The label of an exercise, by label or by chapter and number.

    Raises:
        InputError: there is none.
    """
    names = {label: label for labels in EXERCISES.values() for label in labels}
    names |= {label.removeprefix("ex-"): label for label in names}
    names |= {f"{chapter}-{n}": label for chapter, labels in EXERCISES.items() for n, label in enumerate(labels, 1)}
    key = str(exercise).strip().lower()
    if key not in names:
        near = difflib.get_close_matches(key, names, 1)
        hint = (
            f"did you mean {near[0]!r}?" if near else "expected a label like 'ex-smooth' or a place like 'products-2'"
        )
        raise InputError(f"there is no exercise {exercise!r}: {hint}")
    return names[key]


# --- What an answer may look like ------------------------------------------------------------------------------------


def checks(label: str) -> Callable:
    """Register a check: it takes an answer and returns praise, or raises `Wrong`."""

    def register(function: Callable) -> Callable:
        CHECKS[label] = function
        return function

    return register


def numbers(answer, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """An answer as an array of finite floats: lists, arrays, tensors, tables."""
    asked = "a number" if shape == () else "numbers" if shape is None else f"{' x '.join(map(str, shape))} numbers"
    try:
        array = np.asarray(answer.detach().cpu() if isinstance(answer, torch.Tensor) else answer)
        array = array.astype(float) if array.dtype.kind in "iufO" else None
    except (TypeError, ValueError):
        array = None
    if array is None:
        told = repr(answer) if isinstance(answer, str | int | float | bool) else type(answer).__name__
        raise Wrong(f"Expected {asked}, got {told}.")
    if shape is not None and array.size == np.prod(shape, dtype=int) and array.squeeze().shape == shape:
        array = array.reshape(shape)
    if shape is not None and array.shape != shape:
        raise Wrong(f"Expected {asked}, got an array of shape {array.shape}.")
    if not np.isfinite(array).all():
        raise Wrong(f"Expected finite {asked.removeprefix('a ')}, and some are not.")
    return array


def number(answer) -> float:
    """An answer as one float."""
    return float(numbers(answer, ()))


def share(value):
    """Percent, where numbers can only be meant so, become fractions."""
    return value / 100 if np.abs(value).max() > 2 else value


def choice(answer, options: Iterable[str]) -> str:
    """An answer as one of a few words."""
    given = str(answer).strip().strip("().").lower()
    if not isinstance(answer, str) or given not in options:
        raise Wrong(f"Expected one of {', '.join(map(repr, options))}, got {answer!r}.")
    return given


def called(function, *arguments):
    """What a student's function returns; if it stops, that is told."""
    if not callable(function):
        raise Wrong(f"Expected a function, got {type(function).__name__}.")
    try:
        return function(*arguments)
    except Exception as error:
        raise Wrong(f"The function stops with {type(error).__name__}: {error}") from error


def near(a, b, relative: float = 0.01) -> bool:
    """Whether numbers agree to a fraction of the right ones."""
    return bool(np.all(np.abs(np.subtract(a, b)) <= relative * np.abs(b)))


def told_apart(answer, mistakes: Iterable[tuple[object, str]], otherwise: str, relative: float = 0.01):
    """Raise with what is known of a usual mistake, if the answer is one, else with general advice."""
    for value, hint in mistakes:
        if near(answer, value, relative):
            raise Wrong(hint)
    raise Wrong(otherwise)


# --- 1: the observing problem ----------------------------------------------------------------------------------------


@checks("ex-observing-second")
def second_altimeter(answer) -> str:
    """Tracks lie 250 km apart and return after ten days: which hole is worse, 125 km or five days?"""
    if choice(answer, ("a", "b")) == "a":
        raise Wrong(
            "Find the point that is worst observed, in space and in time, and read off the figure of the correlations "
            "what is left of them at that distance and after that many days. Which of the two holes costs more?"
        )
    return "Now: for what would you choose the other one?"


@checks("ex-observing-orbit")
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
    told_apart(
        factor,
        [(value, hint) for ratio, hint in mistakes for value in both(ratio)],
        "Expected the product at 500 km over that at 1,336 km, or the change relative to the latter. How does the "
        "product depend on the period, and the period on the distance from the Earth's centre?",
        0.02,
    )


@checks("ex-observing-eddy")
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
        told_apart(
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
    from ..observe.orbits import MISSIONS, ground_track
    from ..observe.systems import constellation
    from ..sources import open_product
    from ..sources.samples import sample_path

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


@checks("ex-observing-across")
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


@checks("ex-observing-wrong")
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


# --- 2: from products to training fields -----------------------------------------------------------------------------


@checks("ex-smooth")
def half_amplitude(answer) -> str:
    """exp(-k^2 s^2 / 2) = 1/2."""
    found = number(answer)
    s, root = SMOOTHING, np.sqrt(2 * np.log(2))
    right = 2 * np.pi * s / root
    if near(found, right, 0.015):
        return "So the smoothing takes away what is shorter than a few cells, and little else."
    km = METRES_PER_DEGREE / 12e3
    told_apart(
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


@checks("ex-narrow")
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
    told_apart(
        found,
        [
            (p / q, "These are variances; spread and error are standard deviations."),
            (np.sqrt(q / p), "This is error over spread."),
            (np.sqrt(p), "This is the spread alone."),
        ],
        otherwise,
    )


@checks("ex-ring")
def ring(answer) -> str:
    """The exact geostrophic maximum, the share of it that the smoothing takes, the gradient wind at r = L."""
    exact, lost, faster = numbers(answer, (3,))
    amplitude, size, f = 0.5, 50e3, float(coriolis(38))
    right = GRAVITY * amplitude / (f * size * np.sqrt(np.e))
    if not near(exact, right, 0.03):
        told_apart(
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
        told_apart(
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
    from ..prepare.decompose import fit_standardizer, standardized, to_state
    from ..prepare.frames import members_of
    from ..sources import load_sample

    judge, channels = fit_standardizer(load_sample("nature_training")), [CHANNELS.index("zos"), CHANNELS.index("so")]
    x = [standardized(to_state(o, judge), judge)[:, channels] for o in members_of(load_sample("nature_heldout"))]
    return np.array([(one.numpy() ** 2).mean((0, 2, 3)) ** 0.5 for one in x]).ravel()


@checks("ex-scale")
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
        told_apart(
            np.sort(found),
            [(np.sort(right) ** 2, "These are variances; the standard deviation is asked for.")],
            "Fit one standardizer to all training oceans at once, standardize each held-out ocean with it, and take "
            "the root mean square of its sea level and of its salinity.",
        )
    return "Compare with what the fits to single oceans say of the same water."


# --- 3: a prior that has seen the ocean ------------------------------------------------------------------------------


@checks("ex-prior-covariance")
def remaining_variance(answer) -> str:
    """sigma^2 times the slope of the Wiener filter, for one wave of variance S."""
    cases = [(S, sigma) for S, sigma in product((0.25, 1.0, 9.0), (0.1, 1.0, 5.0))]
    found = np.array([number(called(answer, *case)) for case in cases])
    S, sigma = np.array(cases).T
    gain = S / (S + sigma**2)
    if near(found, sigma**2 * gain):
        return "It does not depend on x: a Gaussian never knows more at one place than at another."
    told_apart(
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


@checks("ex-prior-edm")
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


@checks("ex-prior-sampler")
def particles(answer) -> str:
    """The largest distance of distribution functions (Kolmogorov-Smirnov) from the small ocean's, and from others."""
    from scipy.stats import kstest, norm

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


# --- 4: Bayes with a denoiser ----------------------------------------------------------------------------------------


@checks("ex-bayes-limits")
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


@checks("ex-bayes-twice")
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
    told_apart(
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


@checks("ex-bayes-own")
def white_prior(answer) -> str:
    """D + C H' (V + R)^-1 (y - H D) with a Gaussian prior's exact C = sigma^2 J', and V = sigma^2 / (1 + sigma^2)."""
    from ..verify import closed_form as known

    case = known.set_up(replace(known.CASES["Gaussian, 10 %"], truths=1, members=2), seed=0)
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


# --- 5: the OSSE -----------------------------------------------------------------------------------------------------


@checks("ex-error")
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


@checks("ex-members")
def few_members(answer) -> str:
    """sqrt(1 + 1/M), as a function of M, or for M = 16."""
    size = np.array([2.0, 5.0, 16.0, 100.0]) if callable(answer) else np.array([16.0])
    found = np.array([number(called(answer, int(m))) for m in size]) if callable(answer) else np.array([number(answer)])
    right = np.sqrt((size + 1) / size)
    if near(found, right, 1e-3):
        return "The package's ratio of spread to error takes it into account."
    told_apart(
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


@checks("ex-osse-rugged")
def member_as_truth(answer) -> str:
    """A function of an ensemble and of a member's number: the rank histogram of that member among the others."""
    from ..verify.scores import rank_histogram

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


@checks("ex-ose-between")
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
    told_apart(
        found,
        [
            *((np.stack([first, second], 1), hint) for first, second, hint in mistakes),
            (np.stack([1 - np.sqrt(known), found[:, 1]], 1), "A correlation rho explains rho squared of the variance."),
        ],
        "Condition a Gaussian: the variance less b' A^-1 b, b the covariances with the date, A those between the days.",
    )


@checks("ex-ose-floor")
def perfect_analysis(answer) -> str:
    """e sqrt(pi/2), as a function of e."""
    e = np.array([0.05, 0.1, 0.2])
    found = np.array([number(called(answer, float(one))) for one in e])
    right = e * np.sqrt(np.pi / 2)
    if near(found, right, 1e-3):
        return "No product can be nearer to the drifters than this, on average."
    told_apart(
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


@checks("ex-ose-filter")
def left_by_a_mean(answer) -> str:
    """|sin(f T / 2) / (f T / 2)|, as a function of the latitude in degrees."""
    latitude = np.array([20.0, 38.0, 45.0, 60.0])
    found = np.array([number(called(answer, float(one))) for one in latitude])
    half = coriolis(latitude) * 12 * 3600
    signed = np.sin(half) / half
    if near(found, abs(signed), 0.01):
        return "At 38 degrees 17 % is left; nothing at 30 degrees, where the inertial period is a day."
    told_apart(
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
