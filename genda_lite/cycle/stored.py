"""Forecasts and background errors on disk, and a forecast of windows on a larger field."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..posterior.compose import extended, ramps, starts
from ..prior.base import Prior
from ..prior.checkpoint import read_safetensors, write_safetensors
from ..prior.samplers import White
from ..prior.spectral import Basis, Spectrum
from ..state import Grid
from .background import kept_spectrum, limited, spectrum_of
from .emulator import FORMAT as EMULATOR
from .emulator import Emulator, check_scale
from .forecast import Forecast, LinearInverseModel, Persistence, steps_of
from .nature import NatureForecast

LINEAR, ERROR = "genda_lite linear inverse model 1", "genda_lite background error 1"
PERSISTENCE, NATURE = "persistence", "nature"  # forecasts that need no file


class Windowed:
    """A forecast of windows on a field of any larger size: windows overlap by half, and their forecasts are blended
    with weights that fall to the edges, step by step. What flows into a window is known of its neighbour.

    Args:
        forecast: of windows, with `error`, Q of a step. overlap: of neighbouring windows, in their width.
    """

    name = "linear inverse model"

    def __init__(self, forecast: LinearInverseModel, overlap: float = 0.5):
        self.forecast, self.step, self.overlap = forecast, forecast.step, overlap
        self.error = Spectrum(forecast.error.real, basis=forecast.basis)
        self._errors: dict[tuple[int, int], Spectrum] = {}

    def __call__(
        self, states: Tensor, time: np.datetime64, days: Sequence[float], noise: White | None = None
    ) -> Tensor:
        """See `Forecast`."""
        steps, found, x = steps_of(days, self.step), [], states
        for n in range(1, steps[-1] + 1):
            x = self.stepped(x, time)
            if noise is not None:
                error = self.error_on(tuple(x.shape[-2:]))
                x = x + error.from_modes(error.variance.sqrt() * noise().to(error.variance)).to(x)
            if n in steps:
                found.append(x)
        return torch.stack(found)

    def stepped(self, x: Tensor, time: np.datetime64) -> Tensor:
        """The mean a step later."""
        _, ny, nx = self.forecast.shape
        if tuple(x.shape[-2:]) == (ny, nx):
            return self.forecast(x, time, [self.step])[0]
        south, west = (starts(size, n, self.overlap) for size, n in zip(x.shape[-2:], (ny, nx), strict=True))
        up, right = ramps(south, ny, x.shape[-2]), ramps(west, nx, x.shape[-1])
        total = torch.zeros_like(x)
        for j, row in enumerate(south):
            for i, column in enumerate(west):
                rows, columns = slice(row, row + ny), slice(column, column + nx)
                weight = torch.from_numpy(np.outer(up[j, rows], right[i, columns])).to(x)
                total[..., rows, columns] += weight * self.forecast(x[..., rows, columns], time, [self.step])[0]
        return total

    def error_on(self, shape: tuple[int, int]) -> Spectrum:
        """Q on fields of a shape."""
        if shape not in self._errors:
            self._errors[shape] = on_field(self.error, shape)
        return self._errors[shape]


def on_field(error: Spectrum, shape: tuple[int, int]) -> Spectrum:
    """A covariance of windows on a field of any larger shape, stationary (`posterior.compose.extended`)."""
    if tuple(error.shape[1:]) == tuple(shape):
        return error
    covariance, basis = extended(error, shape)
    return Spectrum(covariance, basis=basis)


def save_linear(model: LinearInverseModel, path: str | os.PathLike, prior: Prior, about: dict | None = None) -> None:
    """Write a linear inverse model of a prior's windows, in a `Basis`; the file appears whole or not at all."""
    covariance = model.error + model.transition @ model.start @ model.transition.mT
    tensors = {
        "transition": model.transition.float(),
        "covariance": covariance.float(),
        "start": model.start.float(),
        "rows": model.basis.rows,
        "columns": model.basis.columns,
        "scale": torch.tensor(prior.standardizer.scale),
    }
    told = {"channels": list(prior.standardizer.channels), "step": model.step, "about": about or {}}
    write_safetensors(path, LINEAR, tensors, {name: json.dumps(value) for name, value in told.items()})


def load_forecast(which: str | os.PathLike, prior: Prior, step: float = 1.0, grid: Grid | None = None) -> Forecast:
    """A forecast: "persistence", "nature" for the simulated ocean with the middle of the training oceans' physics, or
    the file of an emulator or of a linear inverse model.

    Args:
        prior: with the climatology that the states are anomalies of. step: of persistence, days.
        grid: of the states, which the simulated ocean needs.

    Raises:
        InputError: no such file, a damaged one, one of something else, or one of another climatology; the simulated
            ocean without a grid, and see `NatureForecast`.
    """
    if str(which) == PERSISTENCE:
        return Persistence(step)
    if str(which) == NATURE:
        if grid is None:
            raise InputError("the simulated ocean forecasts one box, expected a use with a grid of its own")
        return NatureForecast(grid, prior.standardizer)
    tensors, metadata = read_safetensors(which, EMULATOR, LINEAR)
    if metadata["format"] == EMULATOR:
        return Emulator.load(which, prior)
    try:
        check_scale(which, tensors["scale"], json.loads(metadata["channels"]), prior)
        basis = Basis(tensors["rows"], tensors["columns"])
        parts = (tensors[name].double() for name in ("covariance", "transition"))
        model = LinearInverseModel(*parts, basis, json.loads(metadata["step"]), tensors["start"].double())
    except (KeyError, ValueError, RuntimeError) as wrong:
        if isinstance(wrong, InputError):
            raise
        raise InputError(f"{which}: incomplete or foreign file ({wrong}), expected {LINEAR!r}") from None
    return Windowed(model)


def save_error(error: Spectrum, path: str | os.PathLike, about: dict | None = None) -> None:
    """Write a background's error covariance B; the file appears whole or not at all."""
    write_safetensors(path, ERROR, kept_spectrum("error", error), {"about": json.dumps(about or {})})


def load_error(path: str | os.PathLike, prior: Prior) -> Spectrum:
    """Read a file of `save_error`: B, limited to the covariance of the prior in whose functions it is.

    Raises:
        InputError: it is missing, damaged, something else, or in functions of another prior.
    """
    tensors, _ = read_safetensors(path, ERROR)
    error, basis = spectrum_of("error", tensors), prior.spectrum.basis
    if error is None or tuple(error.shape) != tuple(prior.shape):
        held = None if error is None else tuple(error.shape)
        raise InputError(f"{path}: holds a background error of shape {held}, expected the prior's {tuple(prior.shape)}")
    same = (torch.allclose(getattr(error.basis, part), getattr(basis, part), atol=1e-5) for part in ("rows", "columns"))
    if not all(same):
        raise InputError(f"{path}: is in functions of another prior, expected those of the prior that is cycled")
    return limited(Spectrum(tensors["error.covariance"], basis=basis), prior.spectrum)


def name_of(which: str | os.PathLike) -> str:
    """What a forecast is called in tables: of a file its stem."""
    return {PERSISTENCE: PERSISTENCE, NATURE: NatureForecast.name}.get(str(which), Path(which).stem.replace("_", " "))
