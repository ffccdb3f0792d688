"""Training autoencoders (`genda train --config autoencoder`), then latent priors (`latent`) and encoders (`encoders`).

Encoders are trained in `latent.pairs`. All are `prior.train.Trainer` with other windows and another loss: they
resume, report and stop as it does.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import InputError
from ..prepare.frames import TrainingSet
from ..prior.base import Domain
from ..prior.climate import WIDE
from ..prior.spectral import Spectrum
from ..prior.train import COVARIANCE_WINDOWS, Trainer, TrainingConfig
from ..prior.windows import Windows
from .autoencoder import Autoencoder
from .checkpoint import save_autoencoder, save_latent
from .convolutional import AutoencoderConfig, ConvAutoencoder, place_of_sea_level, reconstruction_loss
from .pairs import TRAINING as ENCODER_TRAINING
from .pairs import EncoderTrainer
from .prior import LATENT_NETWORK, LatentDiffusion, LatentPrior

MEASURED = 512  # windows that the latents, and what they forget, are measured on
# Convolutions of an autoencoder are trained by AdamW alone: a decoder has no noise level that Muon's steps would suit.
TRAINING = TrainingConfig(images=400_000, batch=32, kernel_rate=0.0, learning_rate=2e-3, climate=WIDE)
LATENT_TRAINING = TrainingConfig(images=1_000_000, noise_mean=0.0, climate=WIDE)
CONFIGURATIONS = {
    "autoencoder": (AutoencoderConfig(), TRAINING),
    "latent": (LATENT_NETWORK, LATENT_TRAINING),
    "encoders": (None, ENCODER_TRAINING),
}


class AutoencoderTrainer(Trainer):
    """Trains a `ConvAutoencoder`; arguments as of `Trainer`, with an `AutoencoderConfig` for the network.

    What the latents forget is measured on the validation data, without which there is no covariance of the residual.
    """

    def __init__(self, data: TrainingSet, validation: TrainingSet | None, config: TrainingConfig, network, **options):
        if validation is None:
            raise InputError(
                "an autoencoder needs --validation, oceans that it is not trained on: what it draws of its training "
                "data it need not draw of others"
            )
        if options.get("start") is not None:
            raise InputError("an autoencoder begins with weights at random, expected no --warm-start")
        super().__init__(data, validation, config, network, **options)

    def _untrained(self, data: TrainingSet, domain: Domain, network: AutoencoderConfig, mixed: bool) -> ConvAutoencoder:
        covariance = Spectrum.estimate(self.windows.fields(min(COVARIANCE_WINDOWS, 2 * MEASURED)))
        spectrum = Spectrum(covariance, univariate=True)
        autoencoder = ConvAutoencoder(spectrum, data.standardizer, domain, network, self.config.state)
        self.zos = place_of_sea_level(self.config.state, spectrum.shape[0])
        return autoencoder

    def _network(self) -> nn.Module:
        return self.prior.module

    def _validation(self, windows: Windows) -> Callable[[nn.Module], dict[str, float]]:
        self.unseen = torch.cat(list(windows.fields(MEASURED)))
        white = torch.randn(MEASURED, *self.prior.shape, generator=torch.Generator().manual_seed(5))

        @torch.no_grad()
        def measured(network: nn.Module) -> dict[str, float]:
            self._settle()
            parts = zip(self.unseen.split(64), white.split(64), strict=True)
            loss = torch.cat([self._lost(network, x.to(self._device()), n.to(self._device())) for x, n in parts])
            return {"validation": loss.mean().item()} | self.prior.errors(self.unseen.to(self._device()))

        return measured

    def _device(self) -> torch.device:
        return next(self.average.parameters()).device

    def _settle(self) -> None:
        """Latents of the averaged weights have a mean and a variance of their own."""
        self.average.settle(x.to(self._device()) for x in self.windows.fields(MEASURED))

    def _lost(self, network: nn.Module, x: Tensor, noise: Tensor) -> Tensor:
        return reconstruction_loss(network, self.denoiser.spectrum, self.prior.config, self.zos, x, noise)

    def _loss(self, batch: list[Tensor]) -> Tensor:
        """Shares of the variance lost (B, C); the windows' noise serves for that of the latents."""
        x, _, _, noise = batch
        self.denoiser.train()
        shape = self.prior.shape
        return self._lost(self.model, x, noise.flatten(1)[:, : shape[0] * shape[1] * shape[2]].unflatten(1, shape))

    def write(self, path: Path) -> None:
        """Write the autoencoder with averaged weights, measured on the validation data."""
        self._settle()
        self.prior.measure([x.to(self._device()) for x in self.unseen.split(64)])
        save_autoencoder(self.prior, path)


class LatentWindows(Windows):
    """Windows as an autoencoder writes them: latents (c, h, w), context and white noise of their size."""

    def __init__(self, autoencoder: Autoencoder, *args, **options):
        self.autoencoder = autoencoder
        super().__init__(*args, **options)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        x, context, sigma, noise = super().__getitem__(i)
        with torch.no_grad():
            z = self.autoencoder.encode(x[None])[0]
        context = F.adaptive_avg_pool2d(context, z.shape[1:])
        return z, context, sigma, noise.flatten()[: z.numel()].view(z.shape)

    def fields(self, count: int, batch: int = 100):
        """The latents of the first windows in batches."""
        for x in super().fields(count, batch):
            with torch.no_grad():
                yield self.autoencoder.encode(x)


class LatentTrainer(Trainer):
    """Trains a diffusion prior of the latents of an autoencoder; other arguments as of `Trainer`.

    Raises:
        InputError: data whose climatology has other scales than the autoencoder's, or windows of another size.
    """

    def __init__(self, autoencoder: ConvAutoencoder, data: TrainingSet, validation: TrainingSet | None,
                 config: TrainingConfig, network=LATENT_NETWORK, **options):  # fmt: skip
        if tuple(autoencoder.state_shape[1:]) != (config.size, config.size):
            raise InputError(
                f"the autoencoder is of windows of {autoencoder.state_shape[1]} x {autoencoder.state_shape[2]}, and "
                f"training is on {config.size} x {config.size}: expected the same"
            )
        if not np.allclose(data.standardizer.scale, autoencoder.standardizer.scale, rtol=0.02):
            raise InputError("the data have other scales than those of the autoencoder, expected the data it is of")
        if autoencoder.residual is None:
            raise InputError("the autoencoder does not know what its latents forget, expected one that was measured")
        self.autoencoder, self.cut = autoencoder, partial(LatentWindows, autoencoder)
        super().__init__(data._replace(standardizer=autoencoder.standardizer), validation, config, network, **options)

    def _untrained(self, data: TrainingSet, domain: Domain, network, mixed: bool) -> LatentDiffusion:
        covariance = Spectrum.estimate(self.windows.fields(COVARIANCE_WINDOWS))
        return LatentDiffusion(covariance, self.autoencoder, network, mixed)

    def write(self, path: Path) -> None:
        """Write the latent prior with its autoencoder."""
        save_latent(LatentPrior(self.autoencoder, self.prior), path)


def trainer(
    config: str, autoencoder: ConvAutoencoder | None = None, keep: Path | None = None
) -> Callable[..., Trainer]:
    """What `genda train` trains with a configuration of `CONFIGURATIONS`.

    Args:
        keep: see `EncoderTrainer`.

    Raises:
        InputError: no autoencoder for a latent prior, or for encoders.
    """
    if config == "autoencoder":
        return AutoencoderTrainer
    if autoencoder is None:
        what = "a latent prior needs" if config == "latent" else "encoders need"
        raise InputError(f"{what} --autoencoder, the checkpoint of `genda train --config autoencoder`")
    if config == "latent":
        return partial(LatentTrainer, autoencoder)
    return partial(EncoderTrainer, autoencoder, keep=keep)
