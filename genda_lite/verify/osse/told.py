"""What a method without encoders can be told of an image or of drifters: the instrument's operator, linearized, and
whatever it does not explain counted as an error."""

import numpy as np
import torch
from torch import Tensor

from ...latent.instruments import brightness, draw_sky
from ...observe.currents import current_observations
from ...observe.likelihood import Likelihood, LinearGaussian
from ...observe.operators import Linear
from ...observe.table import Observations

EVERY = 8  # cells between pixels that are told: the errors of neighbours, the same cloud's, are not independent
SKIES = 16  # that the error is estimated of
CHANGE = 0.1  # m s-1, of a current along a drifter's path in a day (component)


def clear_sky(thetao: np.ndarray) -> np.ndarray:
    """Brightness without a cloud (degC)."""
    zero = torch.zeros(())
    return brightness(torch.from_numpy(np.array(thetao, float)), zero, zero).numpy()


def told_infrared(case) -> LinearGaussian:
    """An infrared image as brightness under a clear sky, linear about the climatology of temperature; the mean that
    clouds take away, and their scatter, are those of skies drawn over the climatology."""
    standardizer, grid = case.model.standardizer, case.grid
    place = case.model.state.index("thetao")
    scale = float(standardizer.scale_of(case.model.state)[place])
    usual = np.broadcast_to(case.usual, grid.shape)
    clear, slope = clear_sky(usual), clear_sky(usual + 0.5) - clear_sky(usual - 0.5)
    rng = np.random.default_rng(0)
    skies = [draw_sky(grid, 0.5, rng) for _ in range(SKIES)]
    drawn = np.stack([brightness(torch.from_numpy(np.array(usual, float)), *(torch.from_numpy(np.asarray(a, float))
                                 for a in sky)).numpy() - clear for sky in skies])  # fmt: skip
    taken = drawn.mean()
    error = np.hypot(drawn.std(), 0.1)
    pick = slice(EVERY // 2, None, EVERY)
    seen = case.instrument("infrared image")["brightness"].values
    value = ((seen - clear - taken) / (scale * slope))[pick, pick].ravel()
    variance = ((error / (scale * slope)) ** 2)[pick, pick].ravel()
    shape = case.x.shape

    def forward(x: Tensor) -> Tensor:
        return x[:, place, pick, pick].flatten(1)

    def adjoint(y: Tensor) -> Tensor:
        x = y.new_zeros(len(y), *shape)
        x[:, place, pick, pick] = y.view(len(y), *x[0, 0, pick, pick].shape)
        return x

    parts = (torch.from_numpy(np.ascontiguousarray(a)).float() for a in (value, variance))
    operator = Linear(forward, adjoint, shape)
    value, variance = parts
    return LinearGaussian(operator, operator.gain * value, operator.gain**2 * variance)


def told_drifters(case) -> LinearGaussian:
    """Drifters' velocities as currents at the middle of their paths."""
    seen, grid = case.instrument("drifters"), case.grid
    rows, columns = grid.nearest(seen["latitude"].values, seen["longitude"].values)
    current = seen["u"].values + 1j * seen["v"].values
    linear = current_observations(grid, case.model.state, rows, columns, current, CHANGE)
    none = np.zeros(0)
    table = Observations(none.astype(str), none, none, none, none, none.astype("M8[ns]"), none.astype(int), none, none)
    return Likelihood(table, grid, case.model.standardizer, case.date, [linear], case.model.state)
