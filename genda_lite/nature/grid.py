"""Reading the simulated channel on GLORYS12's latitude-longitude grid.

The channel lies on a Mercator map that is true at mid-channel.
"""

import math

import numpy as np
import torch
from torch import Tensor

from ..ocean.currents import coriolis
from ..state import DEGREES_PER_CELL, EARTH_RADIUS
from .dynamics import Channel

CENTRE_LATITUDE = 38.1  # where the planetary vorticity is the channel's f0
WEST_LONGITUDE, WEST_X = -72.0, 420e3  # some way downstream of the inflow zone, where the jet has begun to meander
COLUMNS = 215


def catmull_rom(position: Tensor, count: int) -> Tensor:
    """Cubic convolution (Keys 1981, a = -1/2) from `count` points to fractional indices (n,): a matrix (n, count).

    Exact for quadratics, so that slopes, and with them geostrophic currents, come through without a ripple.
    """
    first = position.floor().long() - 1
    t = position - position.floor()
    weights = torch.stack(
        [
            t * (-0.5 + t * (1 - 0.5 * t)),
            1 + t * t * (-2.5 + 1.5 * t),
            t * (0.5 + t * (2 - 1.5 * t)),
            t * t * (-0.5 + 0.5 * t),
        ],
        1,
    )
    if first.min() < 0 or first.max() + 3 >= count:
        raise ValueError("interpolation reaches beyond the field")
    return torch.zeros(len(position), count, dtype=position.dtype).scatter_(
        1, first[:, None] + torch.arange(4), weights
    )


class GlorysGrid:
    """The channel between its relaxation zones on GLORYS12's grid, whole multiples of 1/12 degree: 33-43 N, from 72 W.

    The map is conformal, so currents scale by m f_channel / f_earth, m = cos(centre) / cos(latitude): then geostrophic
    balance holds on the sphere exactly as it does in the channel. The factor stays within 8 % of one.
    """

    def __init__(self, channel: Channel):
        scale = EARTH_RADIUS * math.cos(math.radians(CENTRE_LATITUDE))
        self.latitude = np.arange(33 * 12, 43 * 12 + 1) * DEGREES_PER_CELL
        self.longitude = WEST_LONGITUDE + np.arange(COLUMNS) * DEGREES_PER_CELL
        mercator = np.arcsinh(np.tan(np.radians(self.latitude)))
        y = scale * (mercator - np.arcsinh(np.tan(np.radians(CENTRE_LATITUDE))))
        x = WEST_X + scale * np.radians(self.longitude - WEST_LONGITUDE)
        stretch = math.cos(math.radians(CENTRE_LATITUDE)) / np.cos(np.radians(self.latitude))
        factor = stretch * (channel.f0 + channel.beta * y) / coriolis(self.latitude)
        self.current_factor = torch.from_numpy(factor)[:, None]
        self.rows = catmull_rom(torch.from_numpy(y / channel.dx + channel.ny / 2 - 0.5), channel.ny)
        self.columns = catmull_rom(torch.from_numpy(x / channel.dx - 0.5), channel.nx)

    def __call__(self, fields: Tensor) -> Tensor:
        """Interpolate daily means (B, 7, ny, nx) to (B, 7, latitude, longitude)."""
        out = self.rows.to(fields) @ fields @ self.columns.to(fields).T
        out[:, 3:5] *= self.current_factor.to(out)
        return out
