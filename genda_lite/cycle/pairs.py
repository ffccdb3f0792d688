"""Pairs of forecast and truth, kept: what a denoiser conditioned on a forecast learns from.

DiffDA's pairs are forecasts from perfect states. A cycle begins its forecasts with analyses, whose error grows on: its
own forecasts are what its denoiser should be trained on, then those of the cycle with that denoiser, and so on (dataset
aggregation, Ross, Gordon & Bagnell 2011). A file holds such pairs, with the place and the season of each.
"""

import json
import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from ..errors import InputError
from ..prior.base import Domain, make_context
from ..prior.checkpoint import read_safetensors, write_safetensors
from ..state import CHANNELS, Grid, harmonics

FORMAT = "genda_lite pairs 1"
KEPT = ("forecasts", "truths", "latitude", "longitude", "season")  # tensors of a file


class Pair(NamedTuple):
    """A forecast b and the truth x0 of a date on a grid, standardized anomalies (C, ny, nx)."""

    forecast: Tensor
    truth: Tensor
    grid: Grid
    date: np.datetime64


class KeptPairs(Dataset):
    """Pairs of one file, or of several, drawn at random by image number.

    Args:
        kept: forecasts and truths (n, C, ny, nx), latitude (n, ny), longitude (n, nx), season (n, 2), see `KEPT`.
        domain: of the training data. seed: of the order.
        hide_position, hide_season: as of `prior.windows.Windows`.
    """

    def __init__(
        self, *kept: Tensor, domain: Domain, seed: int = 0, hide_position: float = 0.5, hide_season: float = 0.1
    ):
        self.forecasts, self.truths, self.latitude, self.longitude, self.season = kept
        self.domain, self.seed, self.hidden = domain, seed, (hide_position, hide_season)

    def __len__(self) -> int:
        return len(self.truths)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor, Tensor]:
        """Forecast and truth (2, C, ny, nx), context (5, ny, nx) and season (2,) of image i, any of the pairs."""
        rng = np.random.default_rng([self.seed, i, 5])
        n, hidden = int(rng.integers(len(self))), rng.random(2) < self.hidden
        context = make_context(
            self.domain,
            self.latitude[None, n],
            self.longitude[None, n],
            self.season[None, n] * (not hidden[1]),
            torch.tensor([float(not hidden[0])]),
        )[0]
        return torch.stack([self.forecasts[n], self.truths[n]]).float(), context, self.season[n]

    def batches(self, count: int, batch: int = 50) -> Iterator[tuple[Tensor, Tensor]]:
        """Pairs (b, x0) in batches, at most so many."""
        for some in torch.arange(min(count, len(self))).split(batch):
            yield self.forecasts[some].float(), self.truths[some].float()

    @classmethod
    def load(cls, paths: Sequence[str | os.PathLike], domain: Domain, **options) -> "KeptPairs":
        """Read files of `save_pairs`, one after the other.

        Raises:
            InputError: one is missing, damaged, something else, or of another size than the first.
        """
        parts = [read_safetensors(path, FORMAT)[0] for path in paths]
        for path, part in zip(paths, parts, strict=True):
            shape = tuple(part.get("truths", torch.zeros(0)).shape[1:])
            if set(part) != set(KEPT) or shape != tuple(parts[0]["truths"].shape[1:]):
                raise InputError(f"{path}: holds pairs of shape {shape}, expected those of the first file")
        return cls(*(torch.cat([part[name] for part in parts]) for name in KEPT), domain=domain, **options)


def save_pairs(pairs: Sequence[Pair], path: str | os.PathLike, about: dict | None = None) -> None:
    """Write pairs, in half precision; the file appears whole or not at all.

    Args:
        about: how they were made, plain values.

    Raises:
        InputError: there are none.
    """
    if not pairs:
        raise InputError(f"{path}: no pairs of forecast and truth to keep, expected at least one")
    tensors = {
        "forecasts": torch.stack([pair.forecast for pair in pairs]).half(),
        "truths": torch.stack([pair.truth for pair in pairs]).half(),
        "latitude": torch.stack([torch.from_numpy(pair.grid.latitude) for pair in pairs]).float(),
        "longitude": torch.stack([torch.from_numpy(pair.grid.longitude) for pair in pairs]).float(),
        "season": torch.stack([torch.from_numpy(harmonics(pair.date)[1:]) for pair in pairs]).float(),
    }
    metadata = {"channels": json.dumps(CHANNELS), "about": json.dumps(about or {})}
    write_safetensors(path, FORMAT, tensors, metadata)
