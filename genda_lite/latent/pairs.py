"""What encoders of modalities are trained on: windows of simulated oceans, and how instruments see them.

The tracer needs the currents of weeks, on a grid that paths do not leave at once. So it is made beforehand of some
frames, without noise or clouds, and each gives many windows; images, clouds, noise and drifters are drawn for each
window anew.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn
from tqdm.auto import tqdm

from ..errors import InputError
from ..files import atomic_path
from ..observe.radiometer import broken_clouds
from ..prepare.frames import Frames, TrainingSet
from ..prior.base import Domain
from ..prior.spectral import Spectrum, White
from ..prior.train import Trainer, TrainingConfig
from ..prior.windows import Windows
from ..state import Grid
from .checkpoint import fingerprint, save_encoders
from .convolutional import ConvAutoencoder
from .instruments import brightness, draw_sky, drifter_velocities, stirred_tracer
from .modalities import CHANNELS, JointEncoders, drifter_maps, infrared_maps, tracer_maps

PER_OCEAN = 16  # frames of each ocean that a tracer is stirred for
DAYS = 20  # that it is stirred
MEASURED = 512  # windows that the errors of encoders are measured on
TRAINING = TrainingConfig(images=100_000, batch=32, kernel_rate=0.0, learning_rate=2e-3)
CLOUDS = 0.2, 0.8  # least and most share of cloud of a training image
NUMBER = 5, 40  # least and most drifters


class Stirred(NamedTuple):
    """A frame with its date, tracer (ny, nx), log10 (mg m-3), and current `uo`, `vo` (2, ny, nx), m s-1."""

    date: np.datetime64
    tracer: np.ndarray
    current: np.ndarray


def stirred_frames(
    data: TrainingSet, per_ocean: int = PER_OCEAN, seed: int = 0, keep: Path | None = None, progress: bool = False
) -> dict[int, Stirred]:
    """Frames with their tracers, by number, evenly spread over each ocean's dates.

    Args:
        keep: a file (.npz) for the tracers that are made: it takes longer than reading them. Those of other data are
            replaced. progress: draw a bar.

    Raises:
        InputError: prepared states, which do not hold the currents, or series too short.
    """
    if not isinstance(data.frames, Frames) or "uo" not in data.frames.oceans[0]:
        raise InputError("tracers are stirred by currents uo and vo, expected simulated oceans, not prepared states")
    of = f"{len(data.frames)} {per_ocean} {seed} {data.latitude[0]:.3f} {data.longitude[0]:.3f}"
    found, first = _kept(keep, of), 0
    oceans = tqdm(data.frames.oceans, unit="ocean", disable=not progress, desc="stirring tracers")
    for number, ocean in enumerate(oceans):
        time = ocean["time"].values
        ready = np.flatnonzero(time - time[0] >= np.timedelta64(DAYS, "D"))
        if not len(ready):
            raise InputError(f"an ocean has {len(time)} frames of less than {DAYS} days, expected more for a tracer")
        some = ready[np.linspace(0, len(ready) - 1, min(per_ocean, len(ready))).round().astype(int)]
        for k in (k for k in some if first + int(k) not in found):
            near = ocean[["uo", "vo"]].isel(time=time >= time[k] - np.timedelta64(DAYS + 2, "D"))
            near = near.sel(time=slice(None, time[k])).load()
            image = stirred_tracer(near, time[k], DAYS, cloud=0.0, noise=0.0, seed=seed + number)
            current = np.stack([near[name].isel(time=-1).values for name in ("uo", "vo")])
            found[first + int(k)] = Stirred(time[k], image.values.astype("f4"), current.astype("f4"))
        first += len(time)
        if keep is not None:
            parts = dict(zip(Stirred._fields, map(np.stack, zip(*found.values(), strict=True)), strict=True))
            with atomic_path(keep) as temporary, open(temporary, "wb") as file:
                np.savez(file, of=of, frame=np.array(list(found)), **parts)
    return found


def _kept(keep: Path | None, of: str) -> dict[int, Stirred]:
    """The tracers of a file, if it is there and they are of the same data."""
    if keep is None or not keep.exists():
        return {}
    with np.load(keep) as kept:  # which reads no pickle
        if str(kept["of"]) != of:
            return {}
        parts = [kept[name] for name in Stirred._fields]
        return {int(n): Stirred(*one) for n, *one in zip(kept["frame"], *parts, strict=True)}


def still(current: np.ndarray, grid: Grid, date: np.datetime64) -> xr.Dataset:
    """A current (2, ny, nx) as it is on a date, for the day about it: what changes half a day before and after a date
    cancels in a displacement, but for its curvature."""
    time = date + np.array([-1, 1]) * np.timedelta64(1, "D")
    dims = ("time", "latitude", "longitude")
    fields = {name: (dims, np.stack([part, part])) for name, part in zip(("uo", "vo"), current, strict=True)}
    return xr.Dataset(fields, {"time": time, **grid.coordinates()})


class SeenWindows(Windows):
    """Windows of frames whose tracers are known: the maps of all kinds, one after the other, and the latents.

    Args:
        autoencoder: whose latents. stirred: from `stirred_frames`. Others as of `Windows`.
    """

    def __init__(self, autoencoder: ConvAutoencoder, stirred: dict[int, Stirred], data: TrainingSet, *args, **options):
        self.autoencoder, self.stirred = autoencoder, stirred
        super().__init__(data, *args, **options)
        self.dates = np.array(sorted(stirred))[:, None]

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        rng = np.random.default_rng([self.seed, i])
        frame, south, west = self.place(i, rng)
        x, n, known = self.cut(frame, south, west), self.size, self.stirred[frame]
        box = slice(south, south + n), slice(west, west + n)
        grid = Grid(self.data.latitude[box[0]], self.data.longitude[box[1]])
        maps = torch.cat([self.infrared(x, grid, known.date, rng), *self.others(known, box, grid, rng, i)])
        with torch.no_grad():
            return maps, self.autoencoder.encode(x[None])[0]

    def infrared(self, x: Tensor, grid: Grid, date: np.datetime64, rng: np.random.Generator) -> Tensor:
        """Maps of an image under a sky drawn at random."""
        standardizer, place = self.data.standardizer, self.state.index("thetao")
        scale = float(standardizer.scale[place])
        usual = standardizer.climatology(grid.latitude, date)[place][:, None]
        thetao = torch.from_numpy(usual + scale * x[place].numpy())
        sky = draw_sky(grid, rng.uniform(*CLOUDS), rng)
        seen = brightness(thetao, *(torch.from_numpy(np.asarray(a, float)) for a in sky)).numpy()
        return infrared_maps(seen + 0.1 * rng.standard_normal(seen.shape), usual, scale)

    def others(self, known: Stirred, box: tuple[slice, slice], grid: Grid, rng: np.random.Generator, i: int):
        """Maps of a tracer under clouds of its own, with noise, and of drifters."""
        image = known.tracer[box] + 0.13 * rng.standard_normal((self.size, self.size))
        image = np.where(broken_clouds(grid, rng.uniform(*CLOUDS), rng), image, np.nan)
        current = still(known.current[:, box[0], box[1]], grid, known.date)
        told = drifter_velocities(current, known.date, int(rng.integers(NUMBER[0], NUMBER[1] + 1)), seed=i)
        return tracer_maps(image), drifter_maps(told, grid)


class EncoderTrainer(Trainer):
    """Trains `JointEncoders`; other arguments as of `Trainer`.

    Args:
        keep: a name (.npz) beside which the tracers are kept, of training and of validation data.

    Raises:
        InputError: no validation data, on which their errors are measured, or see `stirred_frames`.
    """

    def __init__(self, autoencoder: ConvAutoencoder, data: TrainingSet, validation: TrainingSet | None,
                 config: TrainingConfig = TRAINING, network=None, per_ocean: int = PER_OCEAN, keep: Path | None = None,
                 **options):  # fmt: skip
        if validation is None:
            raise InputError("encoders need --validation, oceans they are not trained on: their errors there count")
        self.autoencoder, self.per_ocean, self.keep = autoencoder, per_ocean, keep
        data, validation = (one._replace(standardizer=autoencoder.standardizer) for one in (data, validation))
        super().__init__(data, validation, config, network, **options)

    def _windows(self, data: TrainingSet, domain: Domain, seed: int) -> Windows:
        keep = self.keep and self.keep.with_suffix(f".{seed}.npz")
        stirred = stirred_frames(data, self.per_ocean, seed, keep, progress=True)
        self.cut = partial(SeenWindows, self.autoencoder, stirred)
        return super()._windows(data, domain, seed)

    def _untrained(self, data: TrainingSet, domain: Domain, network, mixed: bool) -> JointEncoders:
        encoders = JointEncoders(self.autoencoder.shape)
        encoders.config = self.autoencoder.config
        return encoders

    def _network(self) -> nn.Module:
        return Trained(self.prior)

    def _validation(self, windows: Windows) -> Callable[[nn.Module], dict[str, float]]:
        pairs = [windows[i] for i in range(MEASURED)]
        self.unseen = [tuple(torch.stack(part) for part in zip(*pairs[k : k + 64], strict=True))
                       for k in range(0, MEASURED, 64)]  # fmt: skip

        @torch.no_grad()
        def measured(network: nn.Module) -> dict[str, float]:
            loss = torch.cat([self.prior.loss(*pair) for pair in self.unseen]).mean(0)
            return {"validation": loss.mean().item()} | dict(zip(CHANNELS, loss.tolist(), strict=True))

        return measured

    def _loss(self, batch: list[Tensor]) -> Tensor:
        """Squared errors of each kind's estimate (B, K); of a latent that is guessed it is one."""
        return self.model(*batch)

    def write(self, path: Path) -> None:
        """Write the encoders with averaged weights, measured on the validation data."""
        self.prior.measure(self.unseen)
        self.prior.training["autoencoder"] = fingerprint(self.autoencoder)
        save_encoders(self.prior, path)


class Trained(nn.Module):
    """Encoders as what a trainer trains: (maps, latents) -> squared errors."""

    def __init__(self, encoders: JointEncoders):
        super().__init__()
        self.encoders, self.network = (encoders,), encoders.network
        self.spectrum: Spectrum = White(encoders.shape)

    def forward(self, maps: Tensor, z: Tensor) -> Tensor:
        encoders, own = self.encoders[0], self.network
        parts = encoders.split(maps).items()
        return torch.stack(
            [(own[kind.replace(" ", "_")](part) - z).square().mean((1, 2, 3)) for kind, part in parts], 1
        )
