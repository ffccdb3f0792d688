"""Answers to the book's exercises, checked. A wrong one is told what is wrong with it, and not what is right.

    from genda_lite.teaching import check
    check("ex-smooth", 8.0)
    assert check("2.2", 8.0)    # the same exercise, by its number: the second of chapter 2, also "products-2"

What is right is computed here from the package or from the mathematics behind the exercise. Some exercises ask for
words or for judgement; a program cannot mark those.
"""

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module

import numpy as np
import torch

from ..errors import InputError

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
        exercise: its label ("ex-smooth", or "smooth"), its number in the book ("2.2", or "Exercise 2.2"), or the
            chapter's name and the exercise's place in it ("products-2").
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
    praise = check_of(label)
    if praise is None:
        raise InputError(
            f"{label} asks for words or for judgement, which no program can check: discuss it, then compare"
        )
    try:
        return Verdict(True, praise(answer))
    except Wrong as wrong:
        return Verdict(False, str(wrong))


def find(exercise: str) -> str:
    """The label of an exercise, by its label, its number in the book, or its chapter and place.

    Raises:
        InputError: there is none.
    """
    names = {label: label for labels in EXERCISES.values() for label in labels}
    names |= {label.removeprefix("ex-"): label for label in names}
    for number, (chapter, labels) in enumerate(EXERCISES.items(), 1):
        for n, label in enumerate(labels, 1):
            names |= dict.fromkeys((f"{number}.{n}", f"{chapter}-{n}"), label)
    key = str(exercise).strip().lower().removeprefix("exercise").strip()
    if key not in names:
        chapter, _, place = key.rpartition("-")
        near = difflib.get_close_matches(key, [name for name in names if not name[-1].isdigit()], 1)
        if chapter in EXERCISES and place.isdigit():
            count = len(EXERCISES[chapter])
            hint = f"chapter {chapter} has {count}, {chapter}-1 to {chapter}-{count}"
        elif near:
            hint = f"did you mean {near[0]!r}?"
        else:
            hint = "expected a label like 'ex-smooth', or a number like '2.2', the second exercise of chapter 2"
        raise InputError(f"there is no exercise {exercise!r}: {hint}")
    return names[key]


def check_of(label: str) -> Callable | None:
    """What checks an exercise: it takes an answer and returns praise, or raises `Wrong`. None where no program can.
    The module of a chapter's name holds its checks, and is loaded when it is first needed."""
    chapter = next(chapter for chapter, labels in EXERCISES.items() if label in labels)
    return import_module(f".{chapter}", __package__).CHECKS.get(label)


# --- What an answer may look like ------------------------------------------------------------------------------------


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


def name_the_mistake(answer, mistakes: Iterable[tuple[object, str]], otherwise: str, relative: float = 0.01):
    """Compare a wrong answer with usual mistakes: raise with the hint of the one that was made, else with general
    advice."""
    for value, hint in mistakes:
        if near(answer, value, relative):
            raise Wrong(hint)
    raise Wrong(otherwise)
