"""Priors on disk: one safetensors file with weights, covariance and climatology; no pickle is ever read."""

import hashlib
import json
import os
import textwrap
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..errors import InputError
from ..files import atomic_path
from ..sources.samples import sample_names, sample_path
from ..state import CHANNELS, Standardizer, StateVector
from ..version import __version__
from .base import Domain
from .diffusion import TUNED, DiffusionPrior, NetworkConfig, Tuned
from .gaussian import GaussianPrior
from .spectral import Basis
from .trajectory import compact, expanded

FORMAT = "genda_lite prior 2"
# Of the priors to come: besides, it says which channel of which day is where in a state, and holds the tuned numbers
# and the protocol.
FORMAT_3 = "genda_lite prior 3"
SHIPPED = "prior_lite.safetensors"  # in data_samples/
# What may be asked for by name: the default, that of wide oceans, and that of several days.
NAMED = {"lite": SHIPPED, "wide": "prior_wide.safetensors", "trajectory": "prior_trajectory.safetensors"}


def save_prior(prior: DiffusionPrior, path: str | os.PathLike, file_format: str = FORMAT) -> None:
    """Write a prior, its weights in half precision; the file appears whole or not at all.

    Args:
        file_format: `FORMAT`; `FORMAT_3`, which a state of several days needs; or that of a kind of its own.

    Raises:
        InputError: a format that cannot hold the state, or the folder does not exist.
    """
    if file_format == FORMAT and prior.state != StateVector(prior.standardizer.channels):
        raise InputError(f"{path}: {FORMAT!r} holds all channels of one day, expected {FORMAT_3!r} for other states")
    tensors = {f"network.{k}": v.half() for k, v in prior.denoiser.network.state_dict().items()}
    s = prior.standardizer
    if len(prior.state.days) > 1:
        kept = compact(prior.cross_covariance.cpu(), prior.state)
        tensors |= {f"covariance.{name}": part for name, part in kept.items()}
    else:
        tensors["covariance"] = prior.cross_covariance.float()
    basis, once = prior.spectrum.basis, functions_kept(prior.state)
    if len(basis.rows) == 1:
        once = [0]
    tensors["basis.rows"], tensors["basis.columns"] = basis.rows[once], basis.columns[once]
    tensors |= climatology_tensors(s)
    metadata = {
        "channels": json.dumps(s.channels),  # of the climatology
        "config": json.dumps(prior.config.as_dict()),
        "domain": json.dumps([prior.domain.latitude, prior.domain.longitude]),
        "training": json.dumps(prior.training),
    }
    if file_format != FORMAT:
        inflation = dict(zip(prior.state.channels, prior.inflation, strict=True))
        metadata["state"] = json.dumps({"channels": prior.state.channels, "lags": prior.state.lags})
        metadata["tuned"] = json.dumps({"crossover": prior.crossover, "inflation": inflation})
        metadata["protocol"] = json.dumps(prior.protocol)
        if prior.between:
            metadata["between"] = json.dumps(prior.between)
    write_safetensors(path, file_format, tensors, metadata)


def climatology_tensors(s: Standardizer) -> dict[str, Tensor]:
    """A standardizer as the tensors of a file, but for the names of its channels."""
    return {
        "climatology.latitude": torch.tensor(s.latitude),
        "climatology.harmonics": torch.tensor(s.harmonics),
        "climatology.scale": torch.tensor(s.scale),
        "climatology.ekman": torch.from_numpy(np.stack([s.ekman.real, s.ekman.imag])),
    }


def standardizer_of(tensors: dict[str, Tensor], channels: tuple[str, ...]) -> Standardizer:
    """The standardizer of a file.

    Raises:
        ValueError: its parts do not fit together, or a scale is not positive.
    """
    ekman = tensors["climatology.ekman"].numpy()
    standardizer = Standardizer(
        tensors["climatology.latitude"].numpy(),
        tensors["climatology.harmonics"].numpy(),
        tensors["climatology.scale"].numpy(),
        ekman[0] + 1j * ekman[1],
        channels,
    )
    size = len(standardizer.latitude)
    if standardizer.harmonics.shape != (3, len(channels), size) or ekman.shape != (2, size):
        raise ValueError("the parts of the climatology have other latitudes or channels")
    if not (standardizer.scale > 0).all():
        raise ValueError("a scale is not positive")
    return standardizer


def digest(tensors: dict[str, Tensor], metadata: dict[str, str]) -> str:
    """SHA-256 of all that a file says, whatever the order."""
    total = hashlib.sha256(json.dumps({k: v for k, v in sorted(metadata.items()) if k != "sha256"}).encode())
    for name, value in sorted(tensors.items()):
        total.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        total.update(value.contiguous().flatten().view(torch.uint8).numpy())
    return total.hexdigest()


def write_safetensors(
    path: str | os.PathLike, file_format: str, tensors: dict[str, Tensor], metadata: dict[str, str]
) -> None:
    """Write tensors and metadata with their format, version and checksum; the file appears whole or not at all."""
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    metadata = {"format": file_format, "genda_lite": __version__, **metadata}
    metadata["sha256"] = digest(tensors, metadata)
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata)


def read_safetensors(path: str | os.PathLike, *formats: str) -> tuple[dict, dict]:
    """Tensors and metadata of a file of one of some formats.

    Raises:
        InputError: the file is missing, is not safetensors, is cut short, was changed, or holds something else.
    """
    path, expected = Path(path), " or ".join(map(repr, formats))
    if not path.is_file():
        raise InputError(f"{path}: no such file, expected a {expected} checkpoint (safetensors)")
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") not in formats:
                found = metadata.get("format", "another program's file")
                raise InputError(f"{path}: holds {found!r}, expected a checkpoint of format {expected}")
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: not a readable safetensors file ({error}), expected {expected}") from None
    if metadata.get("sha256") != digest(tensors, metadata):
        raise InputError(f"{path}: was changed or damaged (its checksum is wrong), expected it as it was written")
    return tensors, metadata


def covariance_of(tensors: dict[str, Tensor], state: StateVector) -> Tensor:
    """The covariance (ny, nx, K, K) of a checkpoint, whole or compact."""
    if "covariance" in tensors:
        return tensors["covariance"]
    kept = {name: tensors[f"covariance.{name}"] for name in ("variance", "correlation", "tied")}
    return expanded(kept, state)


def functions_kept(state: StateVector) -> list[int]:
    """Places of a state whose functions a checkpoint keeps: those of each channel once, not of each day."""
    return [state.channels.index(name) for name in dict.fromkeys(state.channels)]


def basis_of(tensors: dict[str, Tensor], state: StateVector) -> Basis:
    """The basis of a checkpoint, for each place of the state."""
    rows, columns, names = tensors["basis.rows"], tensors["basis.columns"], list(dict.fromkeys(state.channels))
    if len(rows) == len(names) < len(state):
        place = [names.index(name) for name in state.channels]
        rows, columns = rows[place], columns[place]
    return Basis(rows, columns)


def load_prior(
    which: str | os.PathLike | None = None,
    gaussian: bool = False,
    univariate: bool = False,
    device: str = "cpu",
    mixed: bool = False,
) -> DiffusionPrior | GaussianPrior:
    """Load a prior.

    Args:
        which: "lite", the default: the diffusion prior of the book's own oceans; "wide": that of wider oceans in random
            climates, for the real ocean; "gaussian" for the Gaussian prior of the training data of "lite"; "trajectory"
            for the prior of several days; or the path of a checkpoint written by `genda train`.
        gaussian: take the Gaussian prior of that checkpoint instead of its network.
        univariate: for a Gaussian prior, drop the covariances between channels.
        mixed: run the network in bfloat16.

    Raises:
        InputError: no such file, a corrupt file, or a file of another format; there is no trajectory prior yet.

    Examples:
        >>> import genda_lite as gl
        >>> prior = gl.load_prior("gaussian")
        >>> prior.shape  # channels, latitude, longitude
        (7, 64, 64)
        >>> prior.domain.holds(gl.Grid.around(-60.0, 38.0, (64, 64)))
        True
    """
    if which == "gaussian":
        which, gaussian = None, True
    return read_prior(prior_path(which), (FORMAT, FORMAT_3), gaussian, univariate, device, mixed)


def prior_path(which: str | os.PathLike | None = None) -> Path:
    """The file of a prior: by name, see `load_prior`, or by its path; by default that of the shipped one.

    Raises:
        InputError: there is no trajectory prior yet, or see `sample_path`.
    """
    which = "lite" if which is None else which
    if which not in NAMED:
        return Path(which)
    if NAMED[which] not in sample_names():
        raise InputError(
            f"no {which} prior is shipped yet: train one with `genda train --config {which}`, and give the path of its "
            "checkpoint"
        )
    return sample_path(NAMED[which])


def read_prior(
    path: Path,
    formats: tuple[str, ...],
    gaussian: bool = False,
    univariate: bool = False,
    device: str = "cpu",
    mixed: bool = False,
    kind: type[DiffusionPrior] = DiffusionPrior,
) -> DiffusionPrior | GaussianPrior:
    """Read a checkpoint of one of some formats; arguments and errors as of `load_prior`.

    Args:
        kind: of prior that the network is.
    """
    tensors, metadata = read_safetensors(path, *formats)
    try:
        channels = tuple(json.loads(metadata["channels"]))
        if not set(channels) <= set(CHANNELS) or len(channels) != len(tensors["climatology.scale"]):
            held = f"{len(tensors['climatology.scale'])} of {', '.join(CHANNELS)}"
            raise InputError(f"{path}: has channels {', '.join(channels)}, expected {held}, as its climatology has")
        told = metadata["format"] != FORMAT  # which state, and the tuned numbers
        state = json.loads(metadata["state"]) if told else {"channels": channels}
        state = StateVector(state["channels"], state.get("lags", ()))
        covariance = covariance_of(tensors, state)
        if covariance.shape[-1] != len(state):
            raise ValueError(f"a covariance of {covariance.shape[-1]} for a state of {len(state)}")
        standardizer = standardizer_of(tensors, channels)
        domain = Domain(*((float(low), float(high)) for low, high in json.loads(metadata["domain"])))
        basis = basis_of(tensors, state)
        basis(torch.zeros(len(state), *covariance.shape[:2]))  # fits, or raises
        standardizer.scale_of(state)
        between = {str(name): float(value) for name, value in json.loads(metadata.get("between", "{}")).items()}
        if not all(0 <= value < 100 for value in between.values()):
            raise ValueError(f"frames differ from what lies between them by {between}")
        if gaussian:
            prior = GaussianPrior(covariance, standardizer, domain, univariate, basis, state)
            prior.between = between
            return prior.to(device)
        config = json.loads(metadata["config"])
        config["multipliers"] = tuple(config["multipliers"])
        tuned = TUNED
        if told:
            tuned = Tuned(**json.loads(metadata["tuned"]))
            numbers = [tuned.crossover, *tuned.inflation.values()]
            if not set(tuned.inflation) <= set(channels) or not all(type(n) in (int, float) and n > 0 for n in numbers):
                raise ValueError(f"tuned to {tuned.crossover} and {dict(tuned.inflation)}, expected positive numbers")
        prior = kind(covariance, standardizer, domain, NetworkConfig(**config), mixed, basis, state, tuned)
        prior.between = between
        prior.training, prior.protocol = json.loads(metadata["training"]), json.loads(metadata.get("protocol", "{}"))
        weights = {k.removeprefix("network."): v for k, v in tensors.items() if k.startswith("network.")}
        prior.denoiser.network.load_state_dict(weights)
    except InputError:
        raise
    except (AttributeError, LookupError, TypeError, ValueError, RuntimeError) as error:
        reason = textwrap.shorten(str(error), 200)
        expected = metadata["format"]
        raise InputError(f"{path}: incomplete or foreign checkpoint ({reason}), expected {expected!r}") from None
    prior.denoiser.eval().requires_grad_(False)
    return prior.to(device)
