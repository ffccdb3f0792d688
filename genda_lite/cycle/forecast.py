"""Forecasts: states and time in, states of later days out.

A linear model says x' = M x + q, q ~ N(0, Q): what is carried over, and what is new. A cycle has two uses for it.
Without `noise` the forecast is the mean M x, whose error somebody else knows: the covariance B of a background. With it
each member has a draw of q of its own, and an ensemble of forecasts the spread of its error.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..prior.samplers import White
from ..prior.spectral import Basis


class Forecast(Protocol):
    """Any model of the days to come; `step` is its time step in days."""

    step: float

    def __call__(
        self, states: Tensor, time: np.datetime64, days: Sequence[float], noise: White | None = None
    ) -> Tensor:
        """States of later days.

        Args:
            states: members (B, C, ny, nx), standardized anomalies of the date. time: the date.
            days: lead times, rising multiples of `step`.
            noise: gives white noise like the states, for draws of the forecast's own error; none for its mean.

        Returns:
            (len(days), B, C, ny, nx).

        Raises:
            InputError: lead times that the model cannot give, states of another shape.
        """
        ...


def steps_of(days: Sequence[float], step: float) -> list[int]:
    """How many time steps each lead time takes.

    Raises:
        InputError: no lead times, or some that are no positive, rising multiples of the step.
    """
    steps = [round(day / step) for day in days]
    whole = all(abs(n * step - day) < 1e-6 for n, day in zip(steps, days, strict=True))
    if not steps or not whole or any(a >= b for a, b in zip([0, *steps], steps, strict=False)):
        told = ", ".join(f"{day:g}" for day in days) or "none"
        raise InputError(f"lead times of {told} days, expected rising multiples of the forecast's step of {step:g}")
    return steps


class Persistence:
    """Tomorrow is as today: the forecast to beat. It has no error of its own to draw; `background.error_of` estimates
    it."""

    def __init__(self, step: float = 1.0):
        self.step = step

    def __call__(
        self, states: Tensor, time: np.datetime64, days: Sequence[float], noise: White | None = None
    ) -> Tensor:
        """The states themselves at every lead time, (len(days), B, C, ny, nx)."""
        return states.expand(len(steps_of(days, self.step)), *states.shape)


class Waves:
    """Fields of a periodic sea as complex waves, where a phase is a displacement, so that a current acts mode by mode.
    It serves a `LinearInverseModel` in the place of a `Basis`."""

    def __call__(self, x: Tensor) -> Tensor:
        """Fields (B, C, ny, nx) -> complex coefficients."""
        return torch.fft.fft2(x, norm="ortho")

    def inverse(self, c: Tensor) -> Tensor:
        """Coefficients -> fields."""
        return torch.fft.ifft2(c, norm="ortho").real


class LinearInverseModel:
    """The best linear forecast, mode by mode (Penland & Sardeshmukh 1995, J. Climate 8, 1999-2024):

        x' = M x + q,    M = C1 C0^-1,    q ~ N(0, Q),    Q = S - M C0 M'

    with C0 the covariance of states, C1 that with the states a step later, S of those: for each function of a basis a
    matrix among the channels. It is calibrated by construction: the forecasts' variance is that of the ocean,
    M C0 M' + Q = S, and their error is Q.

    Args:
        covariance: S (ny, nx, C, C), also taken for C0. transition: M (ny, nx, C, C).
        basis: a `Basis`, or `Waves` with complex matrices. step: days.
        start: C0 where it is not S.

    Raises:
        InputError: matrices of different shape; an M that makes more variance than there is.
    """

    def __init__(
        self,
        covariance: Tensor,
        transition: Tensor,
        basis: Basis | Waves,
        step: float = 1.0,
        start: Tensor | None = None,
    ):
        if covariance.shape != transition.shape or covariance.ndim != 4:
            shapes = f"{tuple(covariance.shape)} and {tuple(transition.shape)}"
            raise InputError(f"covariance and transition have shapes {shapes}, expected (ny, nx, C, C) twice")
        self.basis, self.step, self.shape = basis, step, (covariance.shape[-1], *covariance.shape[:2])
        self.transition = transition
        self.start = covariance if start is None else start
        carried = transition @ self.start.to(transition) @ transition.mH
        self.error = covariance.to(transition) - carried
        values, vectors = torch.linalg.eigh(0.5 * (self.error + self.error.mH))
        if float(values.min()) < -1e-4 * float(covariance.abs().max()):
            raise InputError("the transition makes more variance than the covariance has, expected S - M S M' >= 0")
        self.root = vectors * values.clamp(min=0).sqrt()[..., None, :] @ vectors.mH

    def __call__(
        self, states: Tensor, time: np.datetime64, days: Sequence[float], noise: White | None = None
    ) -> Tensor:
        """See `Forecast`; with noise, q is drawn in every step."""
        if states.shape[1:] != self.shape:
            raise InputError(f"states of shape {tuple(states.shape[1:])}, expected the forecast's own {self.shape}")
        steps, found = steps_of(days, self.step), []
        c = self.basis(states)
        for n in range(1, steps[-1] + 1):
            c = _product(self.transition, c)
            if noise is not None:
                c = c + _product(self.root, self.basis(noise().to(states)))
            if n in steps:
                found.append(self.basis.inverse(c))
        return torch.stack(found)

    @classmethod
    def fit(
        cls, pairs: Iterable[tuple[Tensor, Tensor]], basis: Basis | Waves, step: float = 1.0
    ) -> "LinearInverseModel":
        """The model of pairs of states a step apart, in batches (B, C, ny, nx).

        Raises:
            InputError: no more pairs than channels.
        """
        c0, c1, s, count = moments(pairs, basis)
        if count <= c0.shape[-1]:
            raise InputError(f"{count} pairs of states a step apart, expected more than the {c0.shape[-1]} channels")
        return cls(s, c1 @ inverse(c0), basis, step, c0)


def moments(pairs: Iterable[tuple[Tensor, Tensor]], basis: Basis | Waves) -> tuple[Tensor, Tensor, Tensor, int]:
    """Second moments, mode by mode, of pairs (x, y): of x with itself, of y with x, of y with itself, each
    (ny, nx, C, C), double precision; and how many pairs there are."""
    total, count = [0.0, 0.0, 0.0], 0
    for x, y in pairs:
        a, b = basis(x), basis(y)
        a, b = (v.to(torch.complex128 if v.is_complex() else torch.float64) for v in (a, b))
        for i, (left, right) in enumerate(((a, a), (b, a), (b, b))):
            total[i] = total[i] + torch.einsum("bcyx,bdyx->yxcd", left, right.conj())
        count += len(x)
    if not count:
        raise InputError("no pairs of states, expected at least one")
    return *(part / count for part in total), count


def inverse(matrix: Tensor, floor: float = 1e-8) -> Tensor:
    """Of covariances, mode by mode; a mode without variance has a floor."""
    return torch.linalg.inv(matrix + floor * torch.eye(matrix.shape[-1], dtype=matrix.dtype))


def _product(matrix: Tensor, c: Tensor) -> Tensor:
    return torch.einsum("yxde,beyx->bdyx", matrix.to(c.dtype), c)
