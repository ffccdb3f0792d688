"""A denoiser conditioned on a forecast, as in DiffDA (Huang et al. 2024, arXiv 2401.05932), and as a prior.

What is drawn is the departure x0 - b of the truth from its forecast b. The network is shown b beside the noisy
departure, and is preconditioned by the departures' covariance B where that of single states has S:

    D(z, sigma; b) = c_skip z + c_out F(c_in z, c_skip z, b, sigma)

    z = x0 - b + sigma n,    c_skip = B / (B + sigma^2)

Untrained it is the filter of N(b, B), whose analyses are 3D-Var. What it can learn: where a forecast errs in the mean,
where it is less to be trusted (fronts, rings), and how its errors look. It cannot learn more than its pairs show.
DiffDA's are forecasts *from perfect states*: such a network knows the error Q that the model makes, and not that the
state it began with was uncertain. Trained on forecasts from analyses of its own cycle it knows M P M' + Q, in the mean.

**What feeds back.** A network that is shown b learns to correct it: at infinite noise D = E[x0 - b | b]. Forecasts of a
filter that lags behind the ocean are too weak, and their best correction makes them stronger. In a cycle that is part
of the next forecast. In the linear ocean of `verify.kalman`, where the correction is a matrix (see `Conditional`),
cycles trained so on their own forecasts grew without bound. Keep the pairs of all rounds, those from perfect states
among them, and look at the size of a cycle's forecasts before they are trained on.

Without observations it is a post-processor of forecasts, DiffDA's first phase.
"""

import os

import torch
from torch import Tensor

from ..posterior.compose import ComposedPrior
from ..prior.base import CONTEXT_CHANNELS, Domain, Prior
from ..prior.checkpoint import read_prior, save_prior
from ..prior.diffusion import TUNED, DiffusionPrior, NetworkConfig, Tuned
from ..prior.spectral import Basis
from ..state import CHANNELS, Standardizer, StateVector
from .background import Background, BackgroundPrior

FORMAT = "genda_lite conditioned prior 1"


class ConditionedPrior(DiffusionPrior):
    """The network, a prior of departures whose context holds the forecast, too: (B or 1, 5 + C, ny, nx)."""

    name = "conditioned"
    context_channels = CONTEXT_CHANNELS + len(CHANNELS)

    def __init__(
        self,
        covariance: Tensor,
        standardizer: Standardizer,
        domain: Domain,
        config: NetworkConfig | None = None,
        mixed: bool = False,
        basis: Basis | None = None,
        state: StateVector | None = None,
        tuned: Tuned | None = None,
    ):
        if tuned is None:  # not tuned yet: that of single days, in standard deviations of what is drawn
            size = float(covariance.diagonal(dim1=-2, dim2=-1).mean()) ** 0.5
            tuned = Tuned(TUNED.crossover * size, {})
        super().__init__(covariance, standardizer, domain, config, mixed, basis, state, tuned)
        self._composed: dict[tuple[int, int], ComposedPrior] = {}

    def given(self, forecast: Tensor) -> "Departures":
        """The prior given forecasts b (C, ny, nx), or (B, C, ny, nx), one for each row of a batch. A field larger than
        the network's windows is composed of them (`posterior.compose`)."""
        shape = tuple(forecast.shape[-2:])
        return Departures(self if shape == tuple(self.shape[1:]) else self.on(shape), forecast)

    def on(self, shape: tuple[int, int]) -> ComposedPrior:
        """The prior of a larger field, made once for each shape."""
        if shape not in self._composed:
            self._composed[shape] = ComposedPrior(self, shape)
        return self._composed[shape]


class Departures(BackgroundPrior):
    """The conditioned denoiser of one day: a `Prior` of x0 - b, for any guidance and sampler.

    Args:
        network: a `ConditionedPrior`, or one composed of it. forecast: b (C, ny, nx), or (B, C, ny, nx).
    """

    name = "conditioned"

    def __init__(self, network: Prior, forecast: Tensor):
        super().__init__(Background(forecast, network.spectrum), network)
        self.network = network
        self.crossover, self.inflation = network.crossover, network.inflation

    def denoise(self, z: Tensor, sigma: Tensor, context: Tensor | None = None) -> Tensor:
        """E[x0 - b | z], (B, C, ny, nx); without a context neither place nor season is known."""
        b = self.background.mean.to(z)
        if context is None:
            context = z.new_zeros(1, CONTEXT_CHANNELS, *z.shape[-2:])
        rows = max(len(b), len(context))
        shown = torch.cat([context.expand(rows, -1, -1, -1), b.expand(rows, -1, -1, -1)], 1)
        return self.network.denoise(z, sigma, shown)


def save_conditioned(prior: ConditionedPrior, path: str | os.PathLike) -> None:
    """Write it, its weights in half precision; the file appears whole or not at all."""
    save_prior(prior, path, FORMAT)


def load_conditioned(path: str | os.PathLike, device: str = "cpu", mixed: bool = False) -> ConditionedPrior:
    """Read a file of `save_conditioned`.

    Raises:
        InputError: it is missing, damaged, or something else.
    """
    return read_prior(path, (FORMAT,), device=device, mixed=mixed, kind=ConditionedPrior)
