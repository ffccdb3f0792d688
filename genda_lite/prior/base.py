"""What every prior offers to the sampler, whether it is a Gaussian or a network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ..state import Grid, Standardizer, StateVector, harmonics, in_degrees
from .spectral import ALL, Spectrum


@dataclass(frozen=True)
class Domain:
    """The latitudes and longitudes that a prior was trained on, as ranges (degrees)."""

    latitude: tuple[float, float]
    longitude: tuple[float, float]

    def turned(self, longitude):
        """Longitudes by whole turns to the half of the Earth around the domain."""
        return longitude - 360.0 * np.rint((longitude - np.mean(self.longitude)) / 360.0)

    def holds(self, grid: Grid) -> bool:
        """Whether a grid lies inside."""
        slack = 1e-6
        ranges = ((self.latitude, grid.latitude), (self.longitude, grid.longitude))
        return all(low - slack <= v[0] and v[-1] <= high + slack for (low, high), v in ranges)

    def fit(self, longitude: float, latitude: float, shape: tuple[int, int]) -> Grid:
        """The grid of a shape centred nearest to a point that lies inside."""
        probe = Grid.around(0.0, 0.0, shape)
        half = [np.ptp(values) / 2 for values in (probe.latitude, probe.longitude)]
        (south, north), (west, east) = self.latitude, self.longitude
        latitude = min(max(latitude, south + half[0]), north - half[0])
        longitude = min(max(self.turned(longitude), west + half[1]), east - half[1])
        return Grid.around(longitude, latitude, shape)

    def __str__(self) -> str:
        return in_degrees(self.latitude, self.longitude)


CONTEXT_CHANNELS = 5  # position known, latitude, longitude; cosine and sine of the season


def make_context(domain: Domain, latitude: Tensor, longitude: Tensor, season: Tensor, known: Tensor) -> Tensor:
    """Where and when a window lies, as channels beside the state.

    Args:
        latitude: (B, ny). longitude: (B, nx). season: (B, 2), zero where unknown.
        known: (B,) one where the position may be used, zero where the window could lie anywhere.

    Returns:
        (B, 5, ny, nx): `known`, latitude and longitude scaled to -1..1 over the domain, season.
    """
    ny, nx = latitude.shape[1], longitude.shape[1]
    position = []
    for values, (low, high) in ((latitude, domain.latitude), (longitude, domain.longitude)):
        position.append((2 * values - low - high) / (high - low))
    full = (-1, ny, nx)
    here = known[:, None, None].expand(full)
    parts = [here, here * position[0][:, :, None].expand(full), here * position[1][:, None, :].expand(full)]
    parts += [season[:, i, None, None].expand(full) for i in (0, 1)]
    return torch.stack(parts, 1).float()


def grid_context(domain: Domain, grid: Grid, time, known: bool) -> Tensor:
    """The context (1, 5, ny, nx) of one grid and date; NaT means the season is unknown.

    In the other hemisphere than the prior's the seasons are half a year apart.
    """
    across = np.mean(domain.latitude) * grid.latitude.mean() < 0
    season = torch.from_numpy(harmonics(time)[None, 1:]) * (-1 if across else 1)
    rows, columns = torch.tensor(grid.latitude)[None], torch.tensor(grid.longitude)[None]
    return make_context(domain, rows, columns, season, torch.tensor([float(known)]))


def state_shape(prior: "Prior") -> tuple[int, int, int]:
    """The shape (K, ny, nx) of the states that a prior speaks of: its own, but for a latent one."""
    return tuple(getattr(prior, "state_shape", prior.shape))


class Prior(Protocol):
    """A distribution of standardized anomalies x0 (C, ny, nx), known through its denoiser.

    Attributes:
        state: which channel of which day is where in a state. shape: (K, ny, nx) of it.
        standardizer: from and to physical units.
        domain: where it was trained.
        spectrum: the Gaussian approximation used for starting samples and for guidance.
        crossover: noise (standard deviations) below which the derivative of `denoise` is a better covariance of x0
            given x than that of the spectrum, see `posterior.guidance.hybrid`; infinite for an exact denoiser.
        inflation: factor on the fresh noise of a sampler of the posterior, for all channels or for each; one for an
            exact denoiser. An approximate one is too smooth: it takes for noise some of what is state, and ensembles
            come out too narrow (Karras et al. 2022, whose S_noise this is).
        between: of a prior of several days, see `observe.likelihood.Likelihood`; nothing where it is not known.
    """

    state: StateVector
    shape: tuple[int, int, int]
    standardizer: Standardizer
    domain: Domain
    spectrum: Spectrum
    crossover: float
    inflation: float | Sequence[float]
    between: Mapping[str, float] = MappingProxyType({})

    def denoise(self, x: Tensor, sigma: Tensor, context: Tensor) -> Tensor:
        """E[x0 | x] for x = x0 + sigma n: (B, C, ny, nx) -> the same; sigma is a scalar or (B,)."""
        ...

    def covariance(self, sigma: Tensor, channels=ALL):
        """A function v -> Cov[x0 | x] v, or an approximation of it, at noise sigma, among some of the channels."""
        ...
