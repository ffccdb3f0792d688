"""A linear ocean whose Kalman filter is known, and what any linear filter makes of it, without chance.

The ocean is linear and Gaussian. Waves of a red spectrum S drift with a current on a periodic square, forget a little
from day to day, the short ones sooner, and are renewed at random:

    x' = M x + q,    q ~ N(0, Q),    Q = S - M S M'

Other points are observed each day. The posterior of each day given all days before it is that of the Kalman filter
(Kalman 1960). A filter that believes another covariance B of its background has the gain K of that B, and its error
follows exactly, whatever it believes,

    F = M A M' + Q,    A = (I - K H) F (I - K H)' + K R K',    K = B H' (H B H' + R)^-1

so that ways of cycling can be compared without chance. Guided transitions have B = Q for each member by itself: their
members spread exactly as their mean errs.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ..cycle.forecast import LinearInverseModel, Waves
from ..prior.spectral import ALL, INFINITE_NOISE, Basis, Spectrum
from .moving import DRIFT

START = np.datetime64("2000-01-01", "s")
LENGTH = 2.5  # cells of the correlation
ROUNDS = 3  # of training on forecasts from analyses of one's own cycle


class Ocean:
    """The ocean on n x n points.

    Args:
        memory: share that the longest waves keep from day to day, M = memory^(1 + (k / 8)^2) for k waves in the square.

    Attributes:
        spectrum: S. model: M and Q, as a `LinearInverseModel`.
    """

    def __init__(self, memory: float, n: int = 16):
        self.n = n
        k = 2 * math.pi * torch.fft.fftfreq(n, dtype=torch.float64)
        size = (k[:, None] ** 2 + k**2).sqrt()
        power = (1 + (LENGTH * size) ** 2) ** -2
        power = (n**2 * power / power.sum())[..., None, None]
        moves = torch.where(k.abs() > math.pi - 1e-6, 0.0, k)  # the shortest wave has no direction
        angle = -(DRIFT[0] * moves[:, None] + DRIFT[1] * moves)
        keep = memory ** (1 + (size * n / (2 * math.pi) / 8) ** 2)
        self.spectrum = Spectrum(power, basis=Basis.periodic(n, n))
        self.model = LinearInverseModel(power, torch.polar(keep, angle)[..., None, None], Waves())
        unit = torch.eye(n * n, dtype=torch.float64)
        self.climate = self._apply(power.to(torch.complex128), unit)  # S and Q, (n n, n n)
        self.renewal = self._apply(self.model.error, unit)

    def _apply(self, matrix: Tensor, rows: Tensor) -> Tensor:
        return torch.fft.ifft2(torch.fft.fft2(rows.view(-1, self.n, self.n)) * matrix[..., 0, 0]).real.flatten(1)

    def carry(self, rows: Tensor) -> Tensor:
        """M x for each row x (B, n n), double precision."""
        return self._apply(self.model.transition, rows)

    def forecast_covariance(self, analysis: Tensor) -> Tensor:
        """M A M' + Q."""
        return self.carry(self.carry(analysis).T) + self.renewal

    def homogeneous(self, covariance: Tensor) -> Spectrum:
        """The nearest covariance that is the same everywhere: the diagonal in the modes."""
        rows, columns = (part[0].double() for part in (self.spectrum.basis.rows, self.spectrum.basis.columns))
        modes = torch.kron(rows, columns)
        variance = ((modes @ covariance) * modes).sum(1).view(self.n, self.n)
        return Spectrum(variance[..., None, None], basis=self.spectrum.basis)


class Observed(NamedTuple):
    """Days of truths (D, T, n n), which cells are observed each day (D, m), and the values (D, T, m)."""

    truth: Tensor
    cells: Tensor
    values: Tensor


def observe(ocean: Ocean, share: float, error: float, days: int, truths: int, seed: int) -> Observed:
    """Let truths pass, and observe other points of them each day: the same points of all."""
    generator, points = torch.Generator().manual_seed(seed), ocean.n**2

    def white(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    x = ocean.spectrum.sample(truths, generator=generator).double()
    m, found = round(share * points), ([], [], [])
    for day in range(days):
        if day:
            x = ocean.model(x, START, [1], lambda: white(truths, 1, ocean.n, ocean.n))[0]
        cells = torch.randperm(points, generator=generator)[:m].sort().values
        flat = x.flatten(1)
        for part, value in zip(found, (flat, cells, flat[:, cells] + error * white(truths, m)), strict=True):
            part.append(value)
    return Observed(*map(torch.stack, found))


class Filtered(NamedTuple):
    """A filter's days, in double precision: means (D, T, n n) given the values; the true variance of their error and
    the variance that the filter believes, (D, n n); the covariances of forecasts F and analyses A, (D, n n, n n)."""

    mean: Tensor
    variance: Tensor
    believed: Tensor
    forecasts: Tensor
    analyses: Tensor


def linear_filter(ocean: Ocean, seen: Observed, error: float, believed: Tensor | None = None) -> Filtered:
    """A filter that believes a covariance B of its background, the same each day; without one, the Kalman filter,
    B = F. It starts from the climate."""
    points, (days, truths, m) = ocean.n**2, seen.values.shape
    noise = error**2 * torch.eye(m, dtype=torch.float64)
    mean, covariance, kept = torch.zeros(truths, points, dtype=torch.float64), ocean.climate, []
    for day in range(days):
        if day:
            mean, covariance = ocean.carry(mean), ocean.forecast_covariance(covariance)
        b, cells = covariance if believed is None else believed, seen.cells[day]
        gain = torch.linalg.solve(b[cells][:, cells] + noise, b[cells]).T  # K
        mean = mean + (seen.values[day] - mean[:, cells]) @ gain.T
        cross, forecast = gain @ covariance[cells], covariance  # K H F
        innovation = covariance[cells][:, cells] + noise
        covariance = covariance - cross - cross.T + gain @ innovation @ gain.T
        # Rounding leaves it less symmetric each day: in some oceans the filter is lost after sixty.
        covariance = 0.5 * (covariance + covariance.T)
        kept.append((mean, covariance.diagonal(), (b.diagonal() - (gain * b[:, cells]).sum(1)), forecast, covariance))
    return Filtered(*map(torch.stack, zip(*kept, strict=True)))


def smoother_variance(ocean: Ocean, kalman: Filtered) -> Tensor:
    """Of each day given all days, before and after (Rauch, Tung & Striebel 1965), (D, n n)."""
    covariance, found = kalman.analyses[-1], [kalman.variance[-1]]
    for analysis, forecast in zip(kalman.analyses[:-1].flip(0), kalman.forecasts[1:].flip(0), strict=True):
        gain = torch.linalg.solve(forecast, ocean.carry(analysis).T).T  # A M' F^-1
        covariance = analysis + gain @ (covariance - forecast) @ gain.T
        found.append(covariance.diagonal())
    return torch.stack(found[::-1])


def constant_covariance(ocean: Ocean, seen: Observed, error: float, spin: int, rounds: int = ROUNDS) -> list[Tensor]:
    """What a conditioned denoiser learns in each round of training: Q of forecasts from perfect states, then the mean
    covariance F of forecasts from analyses of the filter before, the same everywhere."""
    found = [ocean.renewal]
    for _ in range(rounds):
        mean = linear_filter(ocean, seen, error, found[-1]).forecasts[spin:].mean(0)
        matrix = ocean.homogeneous(mean).posterior_covariance(INFINITE_NOISE)
        unit = torch.eye(ocean.n**2).view(-1, 1, ocean.n, ocean.n)
        found.append(matrix(unit).flatten(1).double())
    return found


class DenseSpectrum(Spectrum):
    """Any covariance matrix of one channel, by its eigenvectors."""

    def __init__(self, covariance: Tensor, shape: tuple[int, int, int]):
        nn.Module.__init__(self)
        self.shape, self.univariate = shape, True
        values, vectors = torch.linalg.eigh(covariance)
        self.register_buffer("variance", values.clamp(min=self.FLOOR).float().view(shape), persistent=False)
        self.register_buffer("vectors", vectors.float(), persistent=False)

    def to_modes(self, x: Tensor) -> Tensor:
        """Fields -> modes."""
        return (x.flatten(1) @ self.vectors).view(x.shape)

    def from_modes(self, z: Tensor) -> Tensor:
        """Modes -> fields."""
        return (z.flatten(1) @ self.vectors.T).view(z.shape)

    def posterior_covariance(self, sigma: Tensor, channels: slice | list[int] = ALL) -> Callable[[Tensor], Tensor]:
        """As of any `Spectrum`."""
        variance = self.posterior_variance(sigma)
        return lambda v: self.from_modes(variance * self.to_modes(v))
