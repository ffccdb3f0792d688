"""Training the diffusion prior: denoise random windows of simulated oceans at random noise levels."""

import copy
import csv
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from tqdm.auto import tqdm

from ..errors import InputError, atomic_path
from ..prepare import TrainingSet
from .base import Domain, make_context
from .checkpoint import read_safetensors, save_prior
from .diffusion import Denoiser, DiffusionPrior, NetworkConfig
from .spectral import Spectrum, random_crops

STATE_FORMAT = "genda_lite training state 1"


@dataclass(frozen=True)
class TrainingConfig:
    """How to train.

    Args:
        images: windows to train on, in all. batch: windows a step.
        learning_rate: held for the first half, then lowered linearly to a fiftieth; 100 steps of warm-up.
        noise_mean, noise_std: of ln sigma. The ocean's spectrum is red: larger noise than for photographs.
        hide_position, hide_season: how often the network must do without them, so that it can be used elsewhere.
        ema_images: memory of the averaged weights, in images.
        size: side of the windows (cells).
    """

    images: int = 500_000
    batch: int = 16
    learning_rate: float = 2e-3
    noise_mean: float = 0.7
    noise_std: float = 1.7
    hide_position: float = 0.5
    hide_season: float = 0.1
    ema_images: int = 16_000
    size: int = 64
    seed: int = 0

    @property
    def steps(self) -> int:
        return self.images // self.batch


class Windows:
    """Random windows of a training set with their context and noise levels."""

    def __init__(self, data: TrainingSet, domain: Domain, config: TrainingConfig):
        self.data, self.domain, self.config = data, domain, config
        self.latitude = torch.from_numpy(data.latitude.astype("f4"))
        self.longitude = torch.from_numpy(data.longitude.astype("f4"))

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Windows (count, C, n, n), contexts (count, 5, n, n) and noise levels (count,)."""
        c, n = self.config, self.config.size
        x, frame, south, west = random_crops(self.data.frames, (n, n), count, generator)
        index = torch.arange(n)
        uniform = torch.rand(2, count, generator=generator)
        season = self.data.harmonics[frame, 1:] * (uniform[1, :, None] >= c.hide_season)
        context = make_context(
            self.domain,
            self.latitude[south[:, None] + index],
            self.longitude[west[:, None] + index],
            season,
            (uniform[0] >= c.hide_position).float(),
        )
        sigma = torch.exp(c.noise_mean + c.noise_std * torch.randn(count, generator=generator))
        return x, context, sigma


def denoising_loss(denoiser: Denoiser, x: Tensor, context: Tensor, sigma: Tensor, noise: Tensor) -> Tensor:
    """Squared error of each window and channel in units of the Wiener filter's expected one, (B, C)."""
    error = denoiser(x + sigma.view(-1, 1, 1, 1) * noise, sigma, context) - x
    return (denoiser.loss_weight(sigma) * error**2).mean((-1, -2))


class Validation:
    """The loss on fixed windows with fixed noise, from an ocean not trained on."""

    BANDS = ((0.0, 0.6), (0.6, 6.0), (6.0, float("inf")))

    def __init__(self, windows: Windows, count: int = 256, batch: int = 64):
        generator = torch.Generator().manual_seed(5)
        self.x, self.context, self.sigma = windows.draw(count, generator)
        self.noise = torch.randn(self.x.shape, generator=generator)
        self.batch = batch

    @torch.no_grad()
    def __call__(self, denoiser: Denoiser) -> dict[str, float]:
        """Mean loss, and by band of noise."""
        device = next(denoiser.parameters()).device
        parts = [
            denoising_loss(denoiser, *(a.to(device) for a in batch)).mean(1).cpu()
            for batch in zip(
                *(a.split(self.batch) for a in (self.x, self.context, self.sigma, self.noise)), strict=True
            )
        ]
        loss = torch.cat(parts)
        row = {"validation": loss.mean().item()}
        for low, high in self.BANDS:
            row[f"sigma {low:g}-{high:g}"] = loss[(self.sigma >= low) & (self.sigma < high)].mean().item()
        return row


class Trainer:
    """Weights, their average, optimizer and random state; everything needed to go on exactly where it stopped."""

    def __init__(
        self,
        data: TrainingSet,
        validation: TrainingSet | None,
        config: TrainingConfig,
        network: NetworkConfig,
        device: str = "cpu",
        mixed: bool = True,
    ):
        self.config, self.device = config, device
        height, width = data.frames.shape[-2:]
        if min(height, width) < config.size:
            raise InputError(f"training fields are {height} x {width}, expected at least {config.size} a side")
        torch.manual_seed(config.seed)
        domain = Domain(
            (float(data.latitude[0]), float(data.latitude[-1])), (float(data.longitude[0]), float(data.longitude[-1]))
        )
        covariance = Spectrum.estimate(data.frames, (config.size, config.size), seed=config.seed)
        self.prior = DiffusionPrior(covariance, data.standardizer, domain, network, mixed)
        self.prior.training = {**asdict(config), "frames": len(data.frames)}
        self.prior.to(device)
        self.average = self.prior.denoiser
        self.denoiser = copy.deepcopy(self.average)
        self.average.requires_grad_(False)
        self.optimizer = torch.optim.AdamW(
            self.denoiser.parameters(), lr=config.learning_rate, betas=(0.9, 0.99), weight_decay=1e-4
        )
        self.generator = torch.Generator().manual_seed(config.seed + 1)
        self.windows = Windows(data, domain, config)
        self.validate = Validation(Windows(validation, domain, config)) if validation is not None else None
        self.checksum = round(float(data.frames[:: max(1, len(data.frames) // 16)].double().std()), 6)
        self.step = 0

    def learning_rate(self) -> float:
        done = self.step / self.config.steps
        return self.config.learning_rate * min(1.0, (self.step + 1) / 100) * max(0.02, min(1.0, 2 - 2 * done))

    def train_step(self) -> float:
        """One step of the optimizer; returns the loss."""
        c = self.config
        x, context, sigma = self.windows.draw(c.batch, self.generator)
        noise = torch.randn(x.shape, generator=self.generator)
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate()
        loss = denoising_loss(self.denoiser, *(a.to(self.device) for a in (x, context, sigma, noise))).mean()
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.denoiser.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        memory = min(1 - c.batch / c.ema_images, self.step / (self.step + 9))  # short at first, to forget the start
        with torch.no_grad():
            for mean, new in zip(self.average.parameters(), self.denoiser.parameters(), strict=True):
                mean.lerp_(new, 1 - memory)
        return loss.item()

    def settings(self) -> dict:
        """What a resumed training must have in common with the one it continues."""
        data = {"frames": self.prior.training["frames"], "checksum": self.checksum}
        return json.loads(json.dumps({**asdict(self.config), **self.prior.config.as_dict(), **data}))

    def save_state(self, path: Path) -> None:
        """Write everything `resume` needs."""
        tensors = {f"weights.{k}": v for k, v in self.denoiser.network.state_dict().items()}
        tensors |= {f"average.{k}": v.clone() for k, v in self.average.network.state_dict().items()}
        for i, p in enumerate(self.denoiser.parameters()):
            for name, value in self.optimizer.state[p].items():
                tensors[f"optimizer.{i}.{name}"] = value
        tensors["generator"] = self.generator.get_state()
        metadata = {
            "format": STATE_FORMAT,
            "step": str(self.step),
            "settings": json.dumps(self.settings()),
            "record": json.dumps(self.prior.training),
        }
        with atomic_path(path) as temporary:
            save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, temporary, metadata)

    def resume(self, path: Path) -> None:
        """Go on from a saved state.

        Raises:
            InputError: not a training state, or one of another configuration.
        """
        tensors, metadata = read_safetensors(path, STATE_FORMAT)
        if json.loads(metadata.get("settings", "null")) != self.settings():
            raise InputError(f"{path}: is of a training with other settings; choose another --out or delete it")

        def part(prefix):
            return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}

        self.denoiser.network.load_state_dict(part("weights."))
        self.average.network.load_state_dict(part("average."))
        for i, p in enumerate(self.denoiser.parameters()):
            state = part(f"optimizer.{i}.")
            self.optimizer.state[p] = {k: v if k == "step" else v.to(p) for k, v in state.items()}
        self.generator.set_state(tensors["generator"])
        self.prior.training = json.loads(metadata["record"])
        self.step = int(metadata["step"])


def train(trainer: Trainer, out: Path, report_every: int = 250, progress: bool = True) -> None:
    """Train to the end, writing the prior to `out` with its state and log beside it every `report_every` steps.

    Started again with the same settings, it resumes from the state.

    Raises:
        FloatingPointError: the loss is no longer a number; the last checkpoint stays.
    """
    out = Path(out)
    state, log = out.with_suffix(".state.safetensors"), out.with_suffix(".csv")
    if state.exists():
        trainer.resume(state)
    seconds, total, count = time.process_time(), 0.0, 0
    bar = tqdm(total=trainer.config.steps, initial=trainer.step, unit="step", disable=not progress, desc="training")
    while trainer.step < trainer.config.steps:
        loss = trainer.train_step()
        if not loss < float("inf"):
            raise FloatingPointError(f"the loss is {loss} at step {trainer.step}; the last good checkpoint is {out}")
        total, count = total + loss, count + 1
        bar.update()
        if trainer.step % report_every == 0 or trainer.step == trainer.config.steps:
            row = {"step": trainer.step, "images": trainer.step * trainer.config.batch, "loss": total / count}
            row |= trainer.validate(trainer.average) if trainer.validate else {}
            spent = trainer.prior.training.get("cpu_seconds", 0.0) + time.process_time() - seconds
            row["cpu_seconds"] = trainer.prior.training["cpu_seconds"] = round(spent, 1)
            seconds, total, count = time.process_time(), 0.0, 0
            trainer.prior.training["images_seen"] = row["images"]
            trainer.prior.training["validation_loss"] = row.get("validation")
            bar.set_postfix(loss=f"{row['loss']:.3f}", validation=f"{row.get('validation', float('nan')):.3f}")
            save_prior(trainer.prior, out)
            trainer.save_state(state)
            _append(log, row)
    bar.close()


def _append(path: Path, row: dict) -> None:
    fresh = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, row)
        if fresh:
            writer.writeheader()
        writer.writerow({k: round(v, 5) if isinstance(v, float) else v for k, v in row.items()})
