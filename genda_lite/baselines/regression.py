"""The regression baseline: a network that is shown gridded observations and answers with the most likely state, and,
with a head for it, with how far it may be off.

GenDA's own baseline (Martin et al. 2025): a U-Net trained with squared errors on the same oceans, seen by the same kind
of observing systems, learns E[x0 | y], without an ensemble. With a head for the variance it learns, point by point,
a Gaussian N(m, s^2) of the state (Nix & Weigend 1994, doi:10.1109/ICNN.1994.374138). It is shown each kind of
observation as two maps,

    H' R^-1 y / (1 + H' R^-1 1),    H' R^-1 1 / (1 + H' R^-1 1)

which for points are, cell by cell, the estimate of a value of unit variance from all that was measured there, and how
much of it is known. In time it is shown such maps of each of several days, H being linear in time between two of them.
"""

import json
import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn
from torch.utils.data import Dataset

from ..errors import InputError
from ..observe.instruments import DAY
from ..observe.likelihood import table_operator, within
from ..observe.operators import Mirrored, Operator
from ..observe.systems import ObservingSystem
from ..observe.table import Observations
from ..prepare.frames import Frames, TrainingSet
from ..prior.base import CONTEXT_CHANNELS, Domain, make_context
from ..prior.checkpoint import read_safetensors, write_safetensors
from ..prior.unet import UNet
from ..prior.windows import Windows
from ..state import CHANNELS, Grid, Standardizer, StateVector, channels, later

FORMAT = "genda_lite regression 1"
# What is observed as points, and as smooth maps.
MAPPED = channels("ocean", "wind")
KINDS = (("zos", False), ("thetao", False), *((name, True) for name in MAPPED))
LEAST = 1e-3  # standardized deviation that a head can answer with: no point is known better
LAGS = np.arange(-2, 3)  # frames before and after the date that altimetry is sampled from in training


@dataclass(frozen=True)
class RegressionConfig:
    """Size of the network, see `UNet`, whether it has a head for the variance, and the days, counted from the date and
    ascending, of which it is shown observations one by one; none: all together."""

    width: int = 32
    multipliers: tuple[int, ...] = (1, 2, 3, 2)
    blocks: int = 1
    patch: int = 2
    variance: bool = False
    days: tuple[float, ...] = ()

    @property
    def maps(self) -> int:
        """How many maps it is shown."""
        return 2 * len(KINDS) * max(1, len(self.days))


@dataclass(frozen=True)
class Part:
    """Observations of one kind: H for one channel, its states holding lags in the place of channels.

    `operator`; `error` (m,) added to H x, or the values themselves; `precision` (m,) 1 / R; `days`, whether lags are
    shown one by one. Standardized units.
    """

    operator: Operator
    error: Tensor
    precision: Tensor
    days: bool = False

    def maps(self, value: Tensor) -> Tensor:
        """The two maps of values (m,), of each day or of all days together: (2 days, ny, nx)."""
        both = torch.stack([value * self.precision, self.precision])
        both = self.operator.adjoint(both)
        weighted, known = both if self.days else both.sum(1, keepdim=True)
        return torch.cat([weighted, known]) / (1 + torch.cat([known, known]))


def parts_of(
    observations: Observations, grid: Grid, standardizer: Standardizer, date=None, lags: Sequence | None = None,
    days: Sequence[float] = (),
) -> list[Part | None]:
    """The observations inside a grid by kind, None where there are none of a kind.

    Args:
        date: values become anomalies from its climatology.
        lags: ascending days after the date that the operator's states hold; None: one state for all times. Values are
            anomalies already where it is given.
        days: ascending days after the date that are shown one by one, of which the operator's states are then; values
            outside them are left out.

    Raises:
        InputError: an observation of no kind that the network knows.
    """
    observations = observations.inside(grid)
    if days:
        observations = within(observations, StateVector.series(CHANNELS, days), date)
    smooth, parts = observations.smoothing > 0, []
    known = np.zeros(len(observations), bool)
    for name, is_smooth in KINDS:
        here = (observations.channel == name) & (smooth == is_smooth)
        known |= here
        if not here.any():
            parts.append(None)
            continue
        one, i = observations.select(here), CHANNELS.index(name)
        place, lagged = np.zeros(len(one), int), lags is not None and name == "zos" and not is_smooth
        if days:
            first, second, share = StateVector((name,) * len(days), tuple(days)).around(name, (one.time - date) / DAY)
            operator = table_operator(one, grid, first, len(days), second, share)
        else:
            if lagged:
                place = np.searchsorted(lags[:-1] + np.diff(lags) / 2, (one.time - date) / DAY)
            operator = table_operator(one, grid, place, len(lags) if lagged else 1)
        value = one.value
        if lags is None:
            dates = [later(date, day) for day in days or (0.0,)]
            usual = [standardizer.climatology(grid.latitude[:, None], day, grid.longitude)[i] for day in dates]
            usual = np.stack([np.broadcast_to(field, grid.shape) for field in usual])[None].astype("f4")
            value = value - operator(torch.from_numpy(usual))[0].numpy()
            operator = Mirrored(operator, [name] * len(dates)) if standardizer.mirrored else operator
        scale = standardizer.scale[i]
        tensors = (torch.from_numpy(np.asarray(a)).float() for a in (value / scale, (scale / one.error) ** 2))
        parts.append(Part(operator, *tensors, bool(days)))
    if not known.all():
        stranger = observations.select(~known)
        raise InputError(
            f"the regression knows no {'smooth map' if stranger.smoothing[0] else 'points'} of {stranger.channel[0]}, "
            f"expected observations like those of an ObservingSystem"
        )
    return parts


class Gaussian(NamedTuple):
    """What is known of a state: mean, and deviation, None where only the mean is."""

    mean: Tensor
    deviation: Tensor | None = None


class Regression:
    """A trained network.

    Args:
        scale: (C,) of the standardizer that its states belong to.
    """

    def __init__(self, config: RegressionConfig, scale: np.ndarray, domain: Domain, shape: tuple[int, int]):
        self.config, self.scale, self.domain, self.shape = config, np.asarray(scale), domain, tuple(shape)
        size = asdict(config)
        outputs = (1 + size.pop("variance")) * len(CHANNELS)
        size.pop("days")
        self.network = UNet(config.maps + CONTEXT_CHANNELS, outputs, **size)
        self.network.to(memory_format=torch.channels_last)
        self.training: dict = {}

    def __call__(self, shown: Tensor, mixed: bool = False, network: nn.Module | None = None) -> Gaussian:
        """Maps and context (B, 14 days + 5, ny, nx) -> the standardized state, each of its fields (B, C, ny, nx).

        Args:
            network: that is asked in place of its own, one in training.
        """
        network = network or self.network
        with torch.autocast(shown.device.type, torch.bfloat16, enabled=mixed):
            answer = network(shown, shown.new_zeros(len(shown))).float()
        if not self.config.variance:
            return Gaussian(answer)
        mean, log = answer.chunk(2, 1)
        return Gaussian(mean, LEAST * torch.exp(nn.functional.softplus(log - math.log(LEAST))))

    def fits(self, prior) -> bool:
        """Whether the standardized units, the state and the size are those of a prior."""
        same = prior.state == StateVector.today() and tuple(prior.shape[1:]) == self.shape
        return same and np.allclose(prior.standardizer.scale, self.scale, rtol=0.02)

    def check(self, prior) -> None:
        """Raises `InputError` where `fits` says no."""
        if not self.fits(prior):
            raise InputError("the regression was trained with another climatology, state or size than the prior's")

    @torch.no_grad()
    def estimate(self, prior, observations: Observations, grid: Grid, date, context: Tensor) -> Gaussian:
        """The state, each of its fields (C, ny, nx), in the standardized units of a prior of the same climatology.

        Args:
            observations: each at its own time, where the network is shown days.

        Raises:
            InputError: the prior has another state, other scales or another size, or see `parts_of`.
        """
        self.check(prior)
        days = self.config.days
        parts = parts_of(observations, grid, prior.standardizer, date, days=days)
        none = torch.zeros(2 * max(1, len(days)), *grid.shape)
        maps = [none if part is None else part.maps(part.error) for part in parts]
        found = self(torch.cat([*maps, context[0].cpu()])[None])
        return Gaussian(*(None if field is None else field[0] for field in found))

    def save(self, path: str | os.PathLike) -> None:
        """Write it, its weights in half precision; the file appears whole or not at all."""
        tensors = {f"network.{k}": v.half() for k, v in self.network.state_dict().items()}
        metadata = {
            "config": json.dumps(asdict(self.config)),
            "scale": json.dumps([float(s) for s in self.scale]),
            "domain": json.dumps([self.domain.latitude, self.domain.longitude]),
            "shape": json.dumps(self.shape),
            "training": json.dumps(self.training),
        }
        write_safetensors(path, FORMAT, tensors, metadata)

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Regression":
        """Read a file written by `save`.

        Raises:
            InputError: it is missing, damaged or something else.
        """
        tensors, metadata = read_safetensors(path, FORMAT)
        try:
            config = json.loads(metadata["config"])
            config |= {name: tuple(config.get(name, ())) for name in ("multipliers", "days")}
            domain = Domain(*(tuple(pair) for pair in json.loads(metadata["domain"])))
            new = cls(RegressionConfig(**config), json.loads(metadata["scale"]), domain, json.loads(metadata["shape"]))
            new.network.load_state_dict({k.removeprefix("network."): v for k, v in tensors.items()})
            new.training = json.loads(metadata["training"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise InputError(f"{path}: incomplete or foreign checkpoint ({error}), expected {FORMAT!r}") from None
        new.network.eval().requires_grad_(False)
        return new


# --- What it is trained on -------------------------------------------------------------------------------------------


def patterns(
    systems: Callable[[int], ObservingSystem], numbers: range, standardizer: Standardizer, domain: Domain, step: float,
    size: int, times: np.ndarray, days: Sequence[float] = (),
) -> Iterator[list[Part | None]]:
    """What observing systems see of a motionless ocean: where, when, how well, and with which errors.

    Observations are linear: with a window's own values added, H x + e, a pattern made once serves any ocean. Simulating
    the satellites takes longer than a step of training, so that patterns are made beforehand and used again and again.

    Args:
        systems: the system of a number. step: days between frames. times: dates to draw from.
        days: that are shown one by one; the system is observed on all of them (`ObservingSystem.in_time`).
    """
    for number in numbers:
        rng = np.random.default_rng([number, 6])
        west, south = (rng.uniform(low, high) for low, high in (domain.longitude, domain.latitude))
        grid = domain.fit(west, south, (size, size))
        date = rng.choice(times)
        frames = [date + round(day) * DAY for day in (np.arange(days[0], days[-1] + 1) if days else (0,))]
        calm = xr.Dataset(coords=grid.coordinates() | {"time": frames})
        for name in MAPPED:
            calm[name] = (("time", "latitude", "longitude"), np.zeros((len(frames), size, size)))
        seen = systems(number).in_time(calm, date) if days else systems(number).observe(calm, date)
        yield parts_of(seen, grid, standardizer, date, lags=days or step * LAGS, days=days)


class ObservedWindows(Dataset):
    """Random windows of many oceans, each seen by a pattern drawn at random; numbered as those of `Windows`.

    Args:
        data: frames at an even step. windows: which of them, and where; their state holds all channels of the days that
            are shown one by one. bank: of `patterns`.
    """

    def __init__(self, data: TrainingSet, windows: Windows, bank: list[list[Part | None]]):
        self.data, self.windows, self.bank = data, windows, bank
        if len(windows.state.days) > 1:
            return
        ends = data.frames.ends if isinstance(data.frames, Frames) else [len(data.frames)]
        self.starts = np.concatenate([[0], ends]).astype(int)  # of each ocean, and the end of the last
        self.zos = sea_level(data)

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        """Maps and context (14 days + 5, n, n), and the state of the date (C, n, n)."""
        w, rng = self.windows, np.random.default_rng([self.windows.seed, i, 2])
        frame, south, west = w.place(i, np.random.default_rng([w.seed, i]))
        rows, columns = slice(south, south + w.size), slice(west, west + w.size)
        factor, displacement = w.climate_of(i)
        x, season = factor * w.cut(frame, south, west) + displacement, self.data.harmonics[None, frame, 1:]
        context = make_context(w.domain, w.latitude[None, rows], w.longitude[None, columns], season, torch.ones(1))[0]
        if len(w.state.days) > 1:
            return torch.cat([*self._maps_of_days(x, rng), context]), x[[w.state.index(name) for name in CHANNELS]]
        ocean = int(np.searchsorted(self.starts, frame, side="right")) - 1
        near = np.clip(frame + LAGS, self.starts[ocean], self.starts[ocean + 1] - 1)
        lagged = torch.stack([self.zos[f][rows, columns] for f in near]).float()[None]
        zos = CHANNELS.index("zos")
        lagged = factor[zos] * lagged + displacement[zos]
        maps = []
        for (name, smooth), part in zip(KINDS, self.bank[rng.integers(len(self.bank))], strict=True):
            if part is None:
                maps.append(torch.zeros(2, w.size, w.size))
                continue
            state = lagged if name == "zos" and not smooth else x[None, CHANNELS.index(name), None]
            maps.append(part.maps(part.operator(state)[0] + part.error * rng.choice([-1.0, 1.0])))
        return torch.cat([*maps, context]), x

    def _maps_of_days(self, x: Tensor, rng: np.random.Generator) -> Iterator[Tensor]:
        """The maps of each kind (2 days, n, n) of a state of several days."""
        state = self.windows.state
        for (name, _), part in zip(KINDS, self.bank[rng.integers(len(self.bank))], strict=True):
            if part is None:
                yield torch.zeros(2 * len(state.days), *x.shape[1:])
                continue
            frames = x[[state.index(name, day) for day in state.days]][None]
            yield part.maps(part.operator(frames)[0] + part.error * rng.choice([-1.0, 1.0]))


def sea_level(data: TrainingSet) -> Tensor:
    """Standardized sea level of all frames (n, ny, nx), half precision, read without the other channels."""
    if not isinstance(data.frames, Frames):
        return torch.stack([frame[CHANNELS.index("zos")] for frame in data.frames]).half()
    standardizer, place, parts = data.standardizer, CHANNELS.index("zos"), []
    for ocean in data.frames.oceans:
        for some in np.array_split(np.arange(ocean.sizes["time"]), max(1, ocean.sizes["time"] // 60)):
            zos = ocean["zos"].isel(time=some).transpose("time", "latitude", "longitude")
            usual = [standardizer.climatology(data.latitude, t)[place] for t in zos["time"].values]
            anomaly = (zos.values - np.stack(usual)[:, :, None]) / standardizer.scale[place]
            parts.append(torch.from_numpy(anomaly).half())
    return torch.cat(parts)


def loss_of(
    regression: Regression, network: nn.Module, batch: tuple[Tensor, Tensor], mixed: bool = False, crps: bool = False
) -> Tensor:
    """Mean squared error (B, C); with a head for the variance the negative log-likelihood of the Gaussian,

        (x - m)^2 / (2 s^2) + log s

    Args:
        crps: with a head, the Gaussian's CRPS in its place, which a few large errors do not rule (Gneiting et al. 2005,
            doi:10.1175/MWR2904.1).
    """
    shown, x = batch
    mean, deviation = regression(shown, mixed, network)
    if deviation is None:
        return (mean - x).square().mean((-1, -2))
    z = (x - mean) / deviation
    if not crps:
        return (0.5 * z.square() + deviation.log()).mean((-1, -2))
    density = torch.exp(-0.5 * z.square()) / math.sqrt(2 * math.pi)
    points = deviation * (z * torch.erf(z / math.sqrt(2)) + 2 * density - 1 / math.sqrt(math.pi))
    return points.mean((-1, -2))
