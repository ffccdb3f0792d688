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

S is that of each channel and day alone. The estimate that takes all of them together, with the covariances between
channels and days, can be shown beside x in its place, or also stand in for c_skip x, with the variance that it leaves
for c_out.
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

CHOICES = {"joint": ("no", "shown", "skip"), "days": ("folded", "convolved")}  # the usual one first


@dataclass(frozen=True)
class NetworkConfig:
    """The network (see `UNet` for its size) and what it is asked for.

    Args:
        preconditioning: "wiener", by the training spectrum, or "edm", by scalars.
        linear_estimate: show the network c_skip x beside c_in x.
        joint: "shown": the network is shown the linear estimate of all channels and days together in place of that of
            each alone, "no"; "skip": that is also what it corrects.
        days: of a state of several: "folded" into channels, or "convolved", each day a frame, with convolutions in time
            (all channels on all days).

    Raises:
        InputError: another preconditioning, or other words; a joint estimate that is not shown.
    """

    width: int = 32
    multipliers: tuple[int, ...] = (1, 2, 3, 2)
    blocks: int = 1
    patch: int = 2
    dropout: float = 0.0
    preconditioning: str = "wiener"
    linear_estimate: bool = True
    joint: str = "no"
    days: str = "folded"

    def __post_init__(self):
        for name, known in (("preconditioning", ("wiener", "edm")), *CHOICES.items()):
            if getattr(self, name) not in known:
                expected = ", ".join(map(repr, known[:-1])) + f" or {known[-1]!r}"
                raise InputError(f"{name} is {getattr(self, name)!r}, expected {expected}")
        if self.joint != "no" and not self.linear_estimate:
            raise InputError(f"joint is {self.joint!r} without a linear estimate to show, expected linear_estimate")

    def as_dict(self) -> dict:
        """Plain values, to record in a checkpoint; choices that came later where they are not the usual ones."""
        return {name: value for name, value in asdict(self).items() if value != CHOICES.get(name, (None,))[0]}


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
        joint: spectrum with all covariances, where the configuration asks for its estimate.
        state: what is where, where days are convolved.

    Raises:
        InputError: days that are to be convolved do not hold the same channels.
    """

    def __init__(
        self,
        spectrum: Spectrum,
        config: NetworkConfig,
        mixed: bool = False,
        context: int = CONTEXT_CHANNELS,
        joint: Spectrum | None = None,
        state: StateVector | None = None,
    ):
        super().__init__()
        channels, self.order, frames = spectrum.shape[0], None, 1
        self.spectrum, self.mixed = spectrum, mixed
        size = asdict(config)
        self.scaling = spectrum if size.pop("preconditioning") == "wiener" else White(spectrum.shape)
        self.linear_estimate, kind = size.pop("linear_estimate"), size.pop("joint")
        self.joint, self.joint_skip = None, kind == "skip"
        if kind != "no" and joint is not None and not joint.univariate:
            self.joint = joint
            self.register_buffer("squares", joint.vectors.permute(2, 3, 0, 1).square().flatten(1), persistent=False)
        if size.pop("days") == "convolved" and state is not None and len(state.days) > 1:
            self.order, frames = frame_by_frame(state), len(state.days)
        channels = channels // frames
        inputs = channels * (1 + self.linear_estimate) + context
        self.network = UNet(inputs, channels, frames=frames, **size)
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor, sigma: Tensor, context: Tensor) -> Tensor:
        """E[x0 | x]: x (B, C, ny, nx), sigma (B,), context (B or 1, 5 or more, ny, nx)."""
        s = self.scaling
        modes = s.to_modes(x)
        variance, noise = s.variance, sigma.view(-1, 1, 1, 1) ** 2
        linear = s.from_modes(modes * (variance / (variance + noise)))
        unknown = s.posterior_variance(sigma).mean((-1, -2), keepdim=True).sqrt()
        shown = [s.from_modes(modes / (variance + noise).sqrt())]
        if self.joint is not None:
            j = self.joint
            estimate = j.from_modes(j.to_modes(x) * (j.variance / (j.variance + noise)))
            shown.append(estimate / self._of_channels(j.variance**2 / (j.variance + noise)))
            if self.joint_skip:
                linear, unknown = estimate, self._of_channels(j.posterior_variance(sigma))
        elif self.linear_estimate:
            deviation = (variance**2 / (variance + noise)).mean((-1, -2), keepdim=True).sqrt()
            shown.append(linear / deviation)
        shown.insert(1, context.expand(len(x), -1, -1, -1))
        return linear + unknown * self._correction(shown, sigma.log() / 4)

    def _of_channels(self, variance: Tensor) -> Tensor:
        """Deviation of each channel, (B, C, 1, 1), of the variance of joint modes."""
        total = variance.flatten(1) @ self.squares.mT / variance[0, 0].numel()
        return total.sqrt()[..., None, None]

    def _correction(self, shown: list[Tensor], level: Tensor) -> Tensor:
        """What the network answers, (B, C, ny, nx), to fields (B, ., ny, nx): those of the state, and the context."""
        count, frames = len(level), 1
        if self.order is not None:
            frames = len(self.order)
            places = [place for frame in self.order for place in frame]
            shown = [
                one.repeat_interleave(frames, 0) if i == 1 else one[:, places].unflatten(1, (frames, -1)).flatten(0, 1)
                for i, one in enumerate(shown)
            ]
        inputs = torch.cat(shown, 1)
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=self.mixed):
            answer = self.network(inputs, level.repeat_interleave(frames)).float()
        if self.order is None:
            return answer
        back = sorted(range(len(places)), key=places.__getitem__)
        return answer.unflatten(0, (count, frames)).flatten(1, 2)[:, back]


def frame_by_frame(state: StateVector) -> list[list[int]]:
    """Places of the channels of each day, day by day.

    Raises:
        InputError: days that do not hold the same channels.
    """
    names = list(dict.fromkeys(state.channels))
    if len(names) * len(state.days) != len(state):
        raise InputError(
            f"the state holds {len(state)} fields of {len(names)} channels on {len(state.days)} days, expected all "
            f"channels on all days where days are convolved"
        )
    return [[state.index(name, day) for name in names] for day in state.days]


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
        # The network is preconditioned channel by channel; guidance takes all covariances, so that an innovation in
        # one channel reaches the others in the same step.
        self.spectrum = Spectrum(covariance, basis=basis)
        univariate = Spectrum(covariance, univariate=True, basis=basis)
        self.denoiser = Denoiser(
            univariate, self.config, mixed, self.context_channels, self.spectrum, self.state
        )
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
