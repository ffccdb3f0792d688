"""Analyses of the ocean that need to know where its observations lie: an ensemble filter, and DiffDA's own way."""

import numpy as np
import torch
from torch import Tensor

from ..baselines.enkf import letkf_of_fields
from ..errors import InputError
from ..observe.likelihood import LinearGaussian
from ..observe.table import Observations
from ..prior.samplers import MemberNoise
from ..state import KM_PER_DEGREE, Grid, StateVector
from .background import BackgroundPrior
from .cycle import Update
from .repaint import LENGTH, SAMPLES, STEPS, WIDTH, kriged, repaint, soft_mask

KM_A_CELL = KM_PER_DEGREE / 12
SPREAD = 150.0  # km, of localization


def kilometres(latitude: np.ndarray, longitude: np.ndarray, grid: Grid) -> tuple[Tensor, Tensor]:
    """Distances northward and eastward of points from the rows and columns of a grid, (m, ny) and (m, nx), km: on a
    plane that touches the Earth in the grid's middle."""
    north = (latitude[:, None] - grid.latitude) * KM_PER_DEGREE
    east = (longitude[:, None] - grid.longitude) * KM_PER_DEGREE * np.cos(np.radians(grid.latitude.mean()))
    return torch.from_numpy(north), torch.from_numpy(east)


def localized(grid: Grid, radius: float = SPREAD, inflation: float = 1.0) -> Update:
    """The LETKF of a cycle, observations acting within `radius` (Gaspari & Cohn's, zero beyond twice that).

    Args:
        grid: of the states. radius: km. inflation: factor on the departures of forecasts from their mean.

    Returns:
        an update; it raises InputError for likelihoods that are of no table.
    """

    def update(background: Tensor, likelihood: LinearGaussian, noise: MemberNoise) -> Tensor:
        seen = _table(likelihood)
        north, east = kilometres(seen.latitude, seen.longitude, grid)

        def distance(rows: slice, columns: slice) -> Tensor:
            return torch.hypot(north[:, rows, None], east[:, None, columns])

        mean = background.mean(0)
        states = mean + inflation * (background - mean)
        observed = likelihood.operator(states)
        # The constant of a source, common to its values, counts as an error of each.
        variance = likelihood.variance + likelihood.shared.square().sum(0)
        args = (a.double() for a in (observed, likelihood.value, variance))
        return letkf_of_fields(states, *args, distance, radius)

    return update


def _table(likelihood: LinearGaussian) -> Observations:
    if likelihood.observations is None:
        raise InputError("this analysis needs to know where observations lie, expected those of a table")
    return likelihood.observations


def gathered(likelihood: LinearGaussian, state: StateVector, grid: Grid) -> dict[int, tuple[Tensor, Tensor]]:
    """Values by channel on the cells nearest to them, the mean where there are several: cells (k,) by their number in
    the grid, and values (B, k). Values of smooth maps are left out: they are means over many cells."""
    seen, values, found = _table(likelihood), torch.atleast_2d(likelihood.value), {}
    rows, columns = grid.nearest(seen.latitude, seen.longitude)
    cells = torch.from_numpy(rows * grid.shape[1] + columns)
    for place, name in enumerate(state.of_date):
        some = torch.from_numpy(np.flatnonzero((seen.channel == name) & (seen.smoothing == 0)))
        if not len(some):
            continue
        which, group = cells[some].unique(return_inverse=True)
        total = values.new_zeros(len(values), len(which)).index_add(1, group, values[:, some])
        found[place] = which, total / group.bincount()
    return found


def known_maps(
    prior: BackgroundPrior, likelihood: LinearGaussian, grid: Grid, width: float = WIDTH
) -> tuple[Tensor, Tensor]:
    """DiffDA's interpolated observations and soft mask: departures from the forecast, kriged channel by channel.

    Where DiffDA observes all variables of a column, here a channel that nobody observes has a mask of zero.

    Args:
        likelihood: of the departure, see `BackgroundPrior.centred`.

    Returns:
        the map (B, C, ny, nx) and the mask (C, ny, nx).
    """
    mask = torch.zeros(prior.shape)
    maps = torch.zeros(len(torch.atleast_2d(likelihood.value)), *prior.shape)
    y, x = np.meshgrid(grid.latitude, grid.longitude, indexing="ij")
    for place, (cells, own) in gathered(likelihood, prior.state, grid).items():
        here = cells.numpy()
        north, east = kilometres(y.ravel()[here], x.ravel()[here], grid)
        between = torch.hypot(north[:, :, None], east[:, None, :]).flatten(1).T  # (cells of the grid, k)
        apart = between[cells].fill_diagonal_(0)
        maps[:, place] = kriged(own, between, apart, simple=True).float().view(-1, *grid.shape)
        mask[place] = soft_mask(between / KM_A_CELL, width).float().view(grid.shape)
    return maps, mask


def repainted(
    grid: Grid,
    steps: int = STEPS,
    length: int = LENGTH,
    samples: int = SAMPLES,
    width: float = WIDTH,
    fresh: bool = True,
    error_told: bool = False,
):
    """DiffDA's analyses: what is known of a departure, repainted into draws of the prior. By default as published, but
    for fresh noise in resampling (`fresh=False` has the published code's).

    Args:
        error_told: the known part is noised to its own error, the mean over its observations; see `repaint`.
        Others as of `repaint` and `soft_mask`.
    """

    def analyse(
        prior: BackgroundPrior, likelihood: LinearGaussian, context: Tensor | None, noise: MemberNoise
    ) -> Tensor:
        known, mask = known_maps(prior, likelihood, grid, width)
        error = float(likelihood.variance.mean().sqrt()) if error_told else 0.0
        members = len(noise.generators)
        return repaint(
            prior,
            known,
            mask,
            members,
            context,
            steps=steps,
            length=length,
            samples=samples,
            fresh=fresh,
            error=error,
            noise=noise,
        )

    return analyse
