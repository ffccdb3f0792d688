"""The diffusion prior: a network that knows what a Gaussian cannot.

EDM (Karras et al. 2022) writes the denoiser as c_skip x + c_out F(c_in x, sigma) with scalar coefficients, right for
white data of unit variance. The ocean's spectrum is red, so we take coefficients from the variances S of the training
data's modes ("Wiener preconditioning"):

    D(x, sigma) = c_skip x + c_out F(c_in x, c_skip x, sigma)

    c_skip = S / (S + sigma^2),  c_in = (S + sigma^2)^-1/2      for each mode and channel
    c_out = (mean of S sigma^2 / (S + sigma^2))^1/2             for each channel: the rms of what the filter leaves

With F = 0 the denoiser is the univariate Wiener filter; what the network has to learn has unit variance at any noise.
It is shown the filter's estimate, too: in c_in x all modes have one variance, and the few that stand above the noise
are lost among the many that do not. EDM's own coefficients are those of S = 1, and can be had for comparison.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..errors import InputError
from ..state import Standardizer, StateVector
from .base import CONTEXT_CHANNELS, Domain
from .spectral import ALL, Basis, Spectrum, White
from .unet import UNet


@dataclass(frozen=True)
class NetworkConfig:
    """The network (see `UNet` for its size) and what it is asked for.

    Args:
        preconditioning: "wiener", by the training spectrum, or "edm", by scalars.
        linear_estimate: show the network c_skip x beside c_in x.

    Raises:
        InputError: another preconditioning.
    """

    width: int = 32
    multipliers: tuple[int, ...] = (1, 2, 3, 2)
    blocks: int = 1
    patch: int = 2
    dropout: float = 0.0
    preconditioning: str = "wiener"
    linear_estimate: bool = True

    def __post_init__(self):
        if self.preconditioning not in ("wiener", "edm"):
            raise InputError(f"preconditioning is {self.preconditioning!r}, expected 'wiener' or 'edm'")

    def as_dict(self) -> dict:
        """Plain values, to record in a checkpoint."""
        return asdict(self)


class Tuned(NamedTuple):
    """Numbers of a prior that were chosen by CRPS and spread of analyses of the validation oceans, see `Prior`:
    `crossover`, and the `inflation` of channels, one for those not named."""

    crossover: float
    inflation: Mapping[str, float]


# Of the shipped network, whose file, of an older format, does not hold them.
TUNED = Tuned(20.0, {"zos": 1.05, "u_ageo_eddy": 1.15, "v_ageo_eddy": 1.15})


class Denoiser(nn.Module):
    """The preconditioned network.

    Args:
        spectrum: univariate spectrum of the training data.
        config: size of the network.
        mixed: run the network in bfloat16 (the transforms stay in float32).
        context: channels of the context.
    """

    def __init__(self, spectrum: Spectrum, config: NetworkConfig, mixed: bool = False, context: int = CONTEXT_CHANNELS):
        super().__init__()
        channels = spectrum.shape[0]
        self.spectrum, self.mixed = spectrum, mixed
        size = config.as_dict()
        self.scaling = spectrum if size.pop("preconditioning") == "wiener" else White(spectrum.shape)
        self.linear_estimate = size.pop("linear_estimate")
        self.network = UNet(channels * (1 + self.linear_estimate) + context, channels, **size)
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor, sigma: Tensor, context: Tensor) -> Tensor:
        """E[x0 | x]: x (B, C, ny, nx), sigma (B,), context (B or 1, 5 or more, ny, nx)."""
        s = self.scaling
        modes = s.to_modes(x)
        variance, noise = s.variance, sigma.view(-1, 1, 1, 1) ** 2
        linear = s.from_modes(modes * (variance / (variance + noise)))
        shown = [s.from_modes(modes / (variance + noise).sqrt()), context.expand(len(x), -1, -1, -1)]
        if self.linear_estimate:
            deviation = (variance**2 / (variance + noise)).mean((-1, -2), keepdim=True).sqrt()
            shown.append(linear / deviation)
        inputs = torch.cat(shown, 1).contiguous(memory_format=torch.channels_last)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.mixed):
            correction = self.network(inputs, sigma.log() / 4)
        unknown = s.posterior_variance(sigma).mean((-1, -2), keepdim=True).sqrt()
        return linear + unknown * correction.float()


class DiffusionPrior:
    """A trained denoiser as a prior (see `Prior` for the attributes).

    Args:
        covariance, basis: of the training data, see `Spectrum`. state: what is where in a state; all channels of the
            date where not given. tuned: see `Tuned`.

    Attributes:
        training: how it was trained. protocol: which data served for training, tuning, validation and test, in words.
        between: see `Prior`.
    """

    name = "diffusion"
    context_channels = CONTEXT_CHANNELS

    def __init__(
        self,
        covariance: Tensor,
        standardizer: Standardizer,
        domain: Domain,
        config: NetworkConfig | None = None,
        mixed: bool = False,
        basis: Basis | None = None,
        state: StateVector | None = None,
        tuned: Tuned = TUNED,
    ):
        self.state = state or StateVector.today()
        self.crossover = tuned.crossover
        self.inflation = tuple(tuned.inflation.get(name, 1.0) for name in self.state.channels)
        self.config = config or NetworkConfig()
        self.cross_covariance = covariance
        self.denoiser = Denoiser(
            Spectrum(covariance, univariate=True, basis=basis), self.config, mixed, self.context_channels
        )
        # The network is preconditioned channel by channel; guidance takes all covariances, so that an innovation in
        # one channel reaches the others in the same step.
        self.spectrum = Spectrum(covariance, basis=basis)
        self.shape = self.spectrum.shape
        self.standardizer, self.domain = standardizer, domain
        self.training: dict = {}
        self.protocol: dict[str, str] = {}
        self.between: dict[str, float] = {}

    def denoise(self, x: Tensor, sigma: Tensor, context: Tensor) -> Tensor:
        """The network's E[x0 | x]."""
        sigma = torch.as_tensor(sigma, dtype=x.dtype, device=x.device)
        return self.denoiser(x, sigma.expand(len(x)), context)

    def covariance(self, sigma: Tensor, channels=ALL) -> Callable[[Tensor], Tensor]:
        """v -> S sigma^2 / (S + sigma^2) v: the Gaussian approximation, an upper bound on average."""
        return self.spectrum.posterior_covariance(sigma, channels)

    def to(self, device) -> "DiffusionPrior":
        """Move to a device."""
        self.denoiser.to(device)
        self.spectrum.to(device)
        return self
