"""Autoencoders and latent priors on disk: safetensors, as `prior.checkpoint` has them.

A latent prior's file holds its autoencoder, too: latents of one are nothing to another, and a file that names its
decoder would be read with the wrong one some day.
"""

import json
import os
import textwrap
from collections.abc import Mapping

import torch
from torch import Tensor

from ..errors import InputError
from ..prior.base import Domain, Prior
from ..prior.checkpoint import (
    NAMED,
    climatology_tensors,
    digest,
    load_prior,
    read_safetensors,
    standardizer_of,
    write_safetensors,
)
from ..prior.diffusion import NetworkConfig
from ..prior.spectral import Spectrum
from ..state import StateVector
from .convolutional import AutoencoderConfig, ConvAutoencoder, ModeMap
from .modalities import JointEncoders, Moments
from .prior import LatentDiffusion, LatentPrior

FORMAT = "genda_lite autoencoder 1"
LATENT_FORMAT = "genda_lite latent prior 1"
ENCODERS_FORMAT = "genda_lite encoders 1"
INSIDE = "autoencoder."  # begins the names of the autoencoder's tensors in a latent prior's file


# --- Covariances -----------------------------------------------------------------------------------------------------


def packed(spectrum: Spectrum, name: str) -> dict[str, Tensor]:
    """A spectrum of cosine modes as tensors: deviations, and of the correlations the upper half, in half precision."""
    if spectrum.univariate:
        covariance = torch.diag_embed(spectrum.variance.permute(1, 2, 0))
    else:
        covariance = (spectrum.vectors * spectrum.variance.permute(1, 2, 0)[..., None, :]) @ spectrum.vectors.mT
    deviation = covariance.diagonal(dim1=-2, dim2=-1).sqrt()
    upper = torch.triu_indices(*covariance.shape[-2:], 1)
    correlation = (covariance / deviation[..., None] / deviation[..., None, :])[..., upper[0], upper[1]]
    return {f"{name}.deviation": deviation.float(), f"{name}.correlation": correlation.half()}


def unpacked(tensors: Mapping[str, Tensor], name: str) -> Spectrum:
    """The spectrum of `packed`."""
    deviation, correlation = tensors[f"{name}.deviation"].float(), tensors[f"{name}.correlation"].float()
    channels = deviation.shape[-1]
    matrix = torch.eye(channels).expand(*deviation.shape, channels).clone()
    upper = torch.triu_indices(channels, channels, 1)
    matrix[..., upper[0], upper[1]] = matrix[..., upper[1], upper[0]] = correlation
    return Spectrum(matrix * deviation[..., None] * deviation[..., None, :])


# --- Autoencoders ----------------------------------------------------------------------------------------------------


def _tensors_of(autoencoder: ConvAutoencoder) -> dict[str, Tensor]:
    """All that an autoencoder needs but its climatology."""
    network = autoencoder.module.network.state_dict()
    tensors = {f"network.{k}": v.half() if v.is_floating_point() else v for k, v in network.items()}
    # Mean and variance of the latents decide on what the decoder is told: they stay as precise as they are.
    tensors |= {f"network.{k}": v for k, v in network.items() if k.startswith("standard.")}
    tensors["variance"] = autoencoder.module.spectrum.pointwise_variance().mean((-1, -2)).float()
    if autoencoder.residual is not None:
        tensors |= packed(autoencoder.residual, "residual")
        tensors["stand_in"] = autoencoder.stand_in.matrix.half()
    return tensors


def _metadata_of(autoencoder: ConvAutoencoder) -> dict[str, str]:
    domain = autoencoder.domain
    return {
        "channels": json.dumps(autoencoder.standardizer.channels),
        "config": json.dumps(autoencoder.config.as_dict()),
        "shape": json.dumps(autoencoder.state_shape),
        "domain": json.dumps([domain.latitude, domain.longitude]),
        "training": json.dumps(autoencoder.training),
        "protocol": json.dumps(autoencoder.protocol),
    }


def save_autoencoder(autoencoder: ConvAutoencoder, path: str | os.PathLike) -> None:
    """Write an autoencoder, its weights in half precision; the file appears whole or not at all."""
    tensors = _tensors_of(autoencoder) | climatology_tensors(autoencoder.standardizer)
    write_safetensors(path, FORMAT, tensors, _metadata_of(autoencoder))


def _made(tensors: Mapping[str, Tensor], climatology: dict[str, Tensor], metadata: Mapping[str, str]):
    """The autoencoder of tensors and metadata."""
    shape, channels = tuple(json.loads(metadata["shape"])), tuple(json.loads(metadata["channels"]))
    domain = Domain(*((float(low), float(high)) for low, high in json.loads(metadata["domain"])))
    # Of the states' spectrum training needs the variance of each channel, and nothing else does.
    white = torch.diag_embed(tensors["variance"].expand(*shape[1:], shape[0]))
    autoencoder = ConvAutoencoder(
        Spectrum(white, univariate=True),
        standardizer_of(climatology, channels),
        domain,
        AutoencoderConfig(**json.loads(metadata["config"])),
        StateVector(channels),
    )
    network = {k.removeprefix("network."): v for k, v in tensors.items() if k.startswith("network.")}
    autoencoder.module.network.load_state_dict(network)
    if "stand_in" in tensors:
        autoencoder.residual = unpacked(tensors, "residual")
        autoencoder.stand_in = ModeMap(tensors["stand_in"].float(), shape)
    autoencoder.training, autoencoder.protocol = json.loads(metadata["training"]), json.loads(metadata["protocol"])
    autoencoder.module.eval().requires_grad_(False)
    return autoencoder


def _guarded(path, metadata: Mapping[str, str], make):
    try:
        return make()
    except InputError:
        raise
    except (AttributeError, LookupError, TypeError, ValueError, RuntimeError) as error:
        reason = textwrap.shorten(str(error), 200)
        raise InputError(
            f"{path}: incomplete or foreign checkpoint ({reason}), expected {metadata['format']!r}"
        ) from None


def load_autoencoder(path: str | os.PathLike, device: str = "cpu") -> ConvAutoencoder:
    """Read an autoencoder that `genda train --config autoencoder` wrote, or that of a latent prior.

    Raises:
        InputError: no such file, a corrupt one, or one of another format.
    """
    tensors, metadata = read_safetensors(path, FORMAT, LATENT_FORMAT)
    inside = {k.removeprefix(INSIDE): v for k, v in tensors.items() if k.startswith(INSIDE)}
    if metadata["format"] == LATENT_FORMAT:
        own = json.loads(metadata["autoencoder"])
        return _guarded(path, metadata, lambda: _made(inside, tensors, own)).to(device)
    return _guarded(path, metadata, lambda: _made(tensors, tensors, metadata)).to(device)


# --- Latent priors ---------------------------------------------------------------------------------------------------


def save_latent(prior: LatentPrior, path: str | os.PathLike) -> None:
    """Write a latent prior with its autoencoder; the file appears whole or not at all."""
    latents, autoencoder = prior.prior, prior.autoencoder
    tensors = {f"network.{k}": v.half() for k, v in latents.denoiser.network.state_dict().items()}
    tensors["covariance"] = latents.cross_covariance.float()
    tensors |= {f"{INSIDE}{k}": v for k, v in _tensors_of(autoencoder).items()}
    metadata = {
        "config": json.dumps(latents.config.as_dict()),
        "training": json.dumps(latents.training),
        "protocol": json.dumps(latents.protocol),
        "tuned": json.dumps({"crossover": latents.crossover, "inflation": latents.inflation}),
        "autoencoder": json.dumps(_metadata_of(autoencoder)),
    }
    write_safetensors(path, LATENT_FORMAT, tensors | climatology_tensors(autoencoder.standardizer), metadata)


def load_latent(path: str | os.PathLike, gaussian: bool = False, device: str = "cpu", mixed: bool = False):
    """Read a latent prior that `genda train --config latent` wrote.

    Args:
        gaussian: take the Gaussian prior of its latents in place of the network. mixed: run the network in bfloat16.

    Raises:
        InputError: no such file, a corrupt one, or one of another format.
    """
    tensors, metadata = read_safetensors(path, LATENT_FORMAT)
    autoencoder = load_autoencoder(path)

    def make() -> LatentPrior:
        if gaussian:
            return LatentPrior.gaussian(autoencoder, tensors["covariance"])
        config = json.loads(metadata["config"])
        config["multipliers"] = tuple(config["multipliers"])
        latents = LatentDiffusion(tensors["covariance"], autoencoder, NetworkConfig(**config), mixed)
        tuned = json.loads(metadata["tuned"])
        latents.crossover, latents.inflation = float(tuned["crossover"]), float(tuned["inflation"])
        latents.training, latents.protocol = json.loads(metadata["training"]), json.loads(metadata["protocol"])
        network = {k.removeprefix("network."): v for k, v in tensors.items() if k.startswith("network.")}
        latents.denoiser.network.load_state_dict(network)
        latents.denoiser.eval().requires_grad_(False)
        return LatentPrior(autoencoder, latents)

    return _guarded(path, metadata, make).to(device)


def load_any(which: str | os.PathLike | None = None, **options) -> Prior:
    """A prior of whatever kind: a latent one of a file that holds one, else see `prior.load_prior`."""
    if which not in (None, "gaussian", *NAMED):
        try:
            read_safetensors(which, LATENT_FORMAT)
        except InputError:
            return load_prior(which, **options)
        return load_latent(which, **options)
    return load_prior(which, **options)


# --- Encoders of modalities ------------------------------------------------------------------------------------------


def save_encoders(encoders: JointEncoders, path: str | os.PathLike) -> None:
    """Write encoders with the moments that their errors follow from; the file appears whole or not at all."""
    tensors = {f"network.{k}": v.half() for k, v in encoders.network.state_dict().items()}
    if encoders.moments is not None:
        tensors |= {f"moments.{name}": part for name, part in encoders.moments._asdict().items()}
    metadata = {
        "shape": json.dumps(encoders.shape),
        "kinds": json.dumps(encoders.kinds),
        "width": str(encoders.width),
        "training": json.dumps(encoders.training),
        "protocol": json.dumps(encoders.protocol),
    }
    write_safetensors(path, ENCODERS_FORMAT, tensors, metadata)


def load_encoders(path: str | os.PathLike, autoencoder: ConvAutoencoder | None = None) -> JointEncoders:
    """Read encoders that `genda train --config encoders` wrote.

    Args:
        autoencoder: whose latents they must be of.

    Raises:
        InputError: no such file, a corrupt one or one of another format, or encoders into the latents of another
            autoencoder.
    """
    tensors, metadata = read_safetensors(path, ENCODERS_FORMAT)

    def make() -> JointEncoders:
        encoders = JointEncoders(json.loads(metadata["shape"]), json.loads(metadata["kinds"]), int(metadata["width"]))
        network = {k.removeprefix("network."): v for k, v in tensors.items() if k.startswith("network.")}
        encoders.network.load_state_dict(network)
        if "moments.latents" in tensors:
            encoders.moments = Moments(*(tensors[f"moments.{name}"] for name in Moments._fields))
        encoders.training, encoders.protocol = json.loads(metadata["training"]), json.loads(metadata["protocol"])
        encoders.network.eval().requires_grad_(False)
        return encoders

    encoders = _guarded(path, metadata, make)
    if autoencoder is not None and encoders.training.get("autoencoder") != fingerprint(autoencoder):
        raise InputError(f"{path}: its encoders are into the latents of another autoencoder, expected those of this")
    return encoders


def fingerprint(autoencoder: ConvAutoencoder) -> str:
    """By which an autoencoder is known: of its weights, as they are on disk."""
    network = autoencoder.module.network.state_dict()
    return digest({k: v.half() if v.is_floating_point() else v for k, v in network.items()}, {})[:16]
