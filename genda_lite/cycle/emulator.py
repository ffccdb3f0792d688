"""A learned forecast: a small U-Net that carries the surface a step of two days further.

    x' = x + s F(x, season),    s: how much each channel changes in a step

It is deterministic: where the future is not known it gives the mean of what may come, and is smoother than the ocean.
Training rolls it out over several steps, so that it learns to start from its own forecasts; errors of each channel and
step count in units of persistence's, so that one is no skill. What a step leaves unknown is a Gaussian N(0, Q) of its
residuals on windows that it was not trained on, drawn for each member where an ensemble asks for it.

It sees the surface alone, and no position: any box serves whose latitudes are those of its training oceans. What flows
in across the box's edge it has to guess.
"""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import InputError
from ..posterior.compose import extended
from ..prior.base import Prior
from ..prior.checkpoint import read_safetensors, write_safetensors
from ..prior.samplers import White
from ..prior.spectral import Basis, Spectrum
from ..prior.unet import UNet
from ..state import CHANNELS, Standardizer
from .background import kept_spectrum, spectrum_of
from .forecast import steps_of
from .passages import seasons_of

FORMAT = "genda_lite emulator 1"


@dataclass(frozen=True)
class EmulatorConfig:
    """The network, see `UNet` for its size."""

    width: int = 32
    multipliers: tuple[int, ...] = (1, 2, 3, 2)
    blocks: int = 1
    patch: int = 2
    dropout: float = 0.0

    def as_dict(self) -> dict:
        """Plain values, to record in a checkpoint."""
        return asdict(self)


class Stepper(nn.Module):
    """The network of one step: states (B, C, ny, nx) and their season (B, 2) -> states a step later.

    Args:
        change: s, rms of what each channel changes in a step, (C,).
    """

    def __init__(self, change: Tensor, config: EmulatorConfig, mixed: bool = False):
        super().__init__()
        self.register_buffer("change", change.float().view(-1, 1, 1), persistent=False)
        self.network = UNet(len(change) + 2, len(change), **config.as_dict())
        self.mixed = mixed
        self.multiple = config.patch * 2 ** (len(config.multipliers) - 1)
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor, season: Tensor) -> Tensor:
        ny, nx = x.shape[-2:]
        inputs = torch.cat([x, season[:, :, None, None].expand(-1, -1, ny, nx)], 1)
        more = [-n % self.multiple for n in (nx, ny)]
        padded = F.pad(inputs, (0, more[0], 0, more[1]), mode="replicate")
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.mixed):
            found = self.network(padded, x.new_zeros(len(x)))
        return x + self.change * found[..., :ny, :nx].float()


class Emulator:
    """The network as a `Forecast`.

    Args:
        change: see `Stepper`. standardizer: of its training data, whose scales and climatology states must have.
        step: days. error: Q of a step, in windows; none where it is not known yet.
    """

    name = "emulator"

    def __init__(
        self,
        change: Tensor,
        standardizer: Standardizer,
        config: EmulatorConfig | None = None,
        step: float = 2.0,
        error: Spectrum | None = None,
        mixed: bool = False,
    ):
        self.config, self.standardizer, self.step = config or EmulatorConfig(), standardizer, step
        self.stepper = Stepper(change, self.config, mixed)
        self.error = error
        self.training: dict = {}
        self.protocol: dict[str, str] = {}
        self._errors: dict[tuple[int, int], Spectrum] = {}

    def to(self, device) -> "Emulator":
        """Move to a device."""
        self.stepper.to(device)
        return self

    @torch.no_grad()
    def __call__(
        self, states: Tensor, time: np.datetime64, days: Sequence[float], noise: White | None = None
    ) -> Tensor:
        """See `Forecast`; with noise, a draw of N(0, Q) is added in every step. Fields may have any size.

        Raises:
            InputError: other channels, lead times that are no steps, or noise where Q is not known.
        """
        channels = len(self.stepper.change)
        if states.ndim != 4 or states.shape[1] != channels:
            raise InputError(f"states of shape {tuple(states.shape)}, expected (members, {channels}, ny, nx)")
        steps, found, season = steps_of(days, self.step), [], seasons_of(time, len(states)).to(states)
        x = states
        for n in range(1, steps[-1] + 1):
            x = self.stepper(x, season)
            if noise is not None:
                error = self.error_on(tuple(states.shape[-2:]))
                x = x + error.from_modes(error.variance.sqrt() * noise().to(error.variance)).to(x)
            if n in steps:
                found.append(x)
        return torch.stack(found)

    def error_on(self, shape: tuple[int, int]) -> Spectrum:
        """Q on fields of a shape, at least that of the windows."""
        if self.error is None:
            raise InputError("the emulator does not know its error yet, expected one whose training has estimated it")
        if tuple(self.error.shape[1:]) == shape:
            return self.error
        if shape not in self._errors:
            covariance, basis = extended(self.error, shape)
            self._errors[shape] = Spectrum(covariance, basis=basis)
        return self._errors[shape]

    def estimate_error(self, pairs: Iterable[tuple[Tensor, Tensor]], basis: Basis) -> None:
        """Q of pairs (forecast a step ahead, truth) in batches, in functions of a basis."""
        self.error = Spectrum(Spectrum.estimate((x - b for b, x in pairs), basis), basis=basis)
        self._errors = {}

    def save(self, path: str | os.PathLike) -> None:
        """Write it, its weights in half precision; the file appears whole or not at all."""
        tensors = {f"network.{k}": v.half() for k, v in self.stepper.network.state_dict().items()}
        tensors["change"] = self.stepper.change.flatten()
        tensors["scale"] = torch.tensor(self.standardizer.scale)
        if self.error is not None:
            tensors |= kept_spectrum("error", self.error)
        metadata = {
            "config": json.dumps(self.config.as_dict()),
            "channels": json.dumps(self.standardizer.channels),
            "step": json.dumps(self.step),
            "training": json.dumps(self.training),
            "protocol": json.dumps(self.protocol),
        }
        write_safetensors(path, FORMAT, tensors, metadata)

    @classmethod
    def load(cls, path: str | os.PathLike, prior: Prior) -> "Emulator":
        """Read a file written by `save`.

        Args:
            prior: with the climatology that the states are anomalies of.

        Raises:
            InputError: it is missing, damaged or something else, or of another climatology.
        """
        tensors, metadata = read_safetensors(path, FORMAT)
        try:
            config = json.loads(metadata["config"])
            config["multipliers"] = tuple(config["multipliers"])
            check_scale(path, tensors["scale"], json.loads(metadata["channels"]), prior)
            error = spectrum_of("error", tensors)
            new = cls(
                tensors["change"], prior.standardizer, EmulatorConfig(**config), json.loads(metadata["step"]), error
            )
            new.stepper.network.load_state_dict(
                {k.removeprefix("network."): v for k, v in tensors.items() if k.startswith("network.")}
            )
            new.training, new.protocol = json.loads(metadata["training"]), json.loads(metadata["protocol"])
        except InputError:
            raise
        except (KeyError, TypeError, ValueError, RuntimeError) as wrong:
            raise InputError(f"{path}: incomplete or foreign checkpoint ({wrong}), expected {FORMAT!r}") from None
        new.stepper.eval().requires_grad_(False)
        return new


def check_scale(path: str | os.PathLike, scale: Tensor, channels: Sequence[str], prior: Prior) -> None:
    """Whether a forecast and a prior have one climatology.

    Raises:
        InputError: other channels or scales.
    """
    own = prior.standardizer.scale
    if tuple(channels) != tuple(CHANNELS) or len(scale) != len(own) or not np.allclose(scale, own, rtol=1e-3):
        raise InputError(
            f"{path}: has other channels or scales than the prior, expected one trained on its climatology"
        )
