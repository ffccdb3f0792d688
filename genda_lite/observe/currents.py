"""Current vectors as observations: what they say of sea level, whose slope drives them, and of the residual current."""

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from ..ocean.currents import geostrophic_current, smooth
from ..state import Grid, StateVector
from .likelihood import LinearObservations

EKMAN = 0.05  # m s-1, of the part that the wind drives: not linear in the wind, it counts as an error


def current_observations(
    grid: Grid, state: StateVector, rows: np.ndarray, columns: np.ndarray, current: np.ndarray, error: float
) -> LinearObservations:
    """Vectors of the surface current in cells of a grid,

        u + i v = smoothed geostrophic current of zos + residual current + e,    e ~ N(0, error^2 + EKMAN^2) a component

    Args:
        grid: of the analysis, 5 degrees or more from the equator. state: what is where in it.
        rows, columns: of the cells, (m,). current: u + i v there (m s-1), (m,). error: of a component (m s-1).

    Returns:
        2 m values, eastward ones first, for `assimilate(linear=…)` and `build_problem`.
    """
    balance = Balance(grid)
    zos, u, v = (state.index(name) for name in ("zos", "u_ageo_eddy", "v_ageo_eddy"))
    place = torch.from_numpy(np.asarray(rows) * grid.shape[1] + np.asarray(columns))

    def forward(x: Tensor) -> Tensor:
        parts = zip(balance(x[:, zos]), (x[:, u], x[:, v]), strict=True)
        return torch.cat([(balanced + rest).flatten(1)[:, place] for balanced, rest in parts], 1)

    def adjoint(y: Tensor) -> Tensor:
        x = y.new_zeros(len(y), len(state), *grid.shape)
        maps = []
        for part in y.chunk(2, 1):
            empty = y.new_zeros(len(y), grid.shape[0] * grid.shape[1])
            maps.append(empty.index_add(1, place, part).unflatten(1, grid.shape))
        x[:, zos], x[:, u], x[:, v] = balance.adjoint(*maps), *maps
        return x

    value = np.concatenate([np.real(current), np.imag(current)])
    return LinearObservations(forward, adjoint, value, float(np.hypot(error, EKMAN)))


class Balance:
    """The smoothed geostrophic current of sea level z on a grid, in matrices: u = A z B', v = C z D'."""

    def __init__(self, grid: Grid):
        def response(latitude: np.ndarray, longitude: np.ndarray, of) -> list[xr.DataArray]:
            """What functions of latitude (k, ny) times functions of longitude (k, nx) become."""
            fields = latitude[:, :, None] * longitude[:, None]
            return of(xr.DataArray(fields, {"k": range(len(fields))} | grid.coordinates(), ("k", *grid.coordinates())))

        ny, nx = grid.shape
        flat_x, flat_y, ramp = np.ones((ny, nx)), np.ones((nx, ny)), grid.longitude[None]
        smooth_y = response(np.eye(ny), flat_x, smooth).values[:, :, 0].T
        smooth_x = response(flat_y, np.eye(nx), smooth).values[:, 0].T
        u = response(np.eye(ny), flat_x, geostrophic_current)[0].values[:, :, 0].T
        slope = response(np.ones((1, ny)), ramp, geostrophic_current)[1].values[0, :, 0]  # of a degree's rise a degree
        v = response(flat_y, np.eye(nx), geostrophic_current)[1].values[:, 0].T / slope[0]
        self.matrices = [
            torch.from_numpy(np.ascontiguousarray(m)).float()
            for m in (smooth_y @ u, smooth_x, smooth_y * slope, smooth_x @ v)
        ]

    def __call__(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Eastward and northward current (B, ny, nx) of sea level (B, ny, nx)."""
        a, b, c, d = (m.to(z) for m in self.matrices)
        return a @ z @ b.T, c @ z @ d.T

    def adjoint(self, u: Tensor, v: Tensor) -> Tensor:
        """The transpose."""
        a, b, c, d = (m.to(u) for m in self.matrices)
        return a.T @ u @ b + c.T @ v @ d
