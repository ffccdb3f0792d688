"""Training the diffusion prior: denoise random windows of many oceans at random noise levels."""

import copy
import json
import os
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd
import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm.auto import tqdm

from ..errors import InputError
from ..prepare.frames import TrainingSet
from ..state import StateVector
from .base import Domain
from .checkpoint import FORMAT_3, read_safetensors, save_prior, write_safetensors
from .climate import ONE, WIDE, Climate
from .diffusion import Denoiser, DiffusionPrior, NetworkConfig
from .muon import Muon
from .signals import stop_on_signals
from .spectral import Basis, Spectrum
from .trajectory import TRAJECTORY, between_frames, compact, expanded, shared_functions, widened
from .windows import Noise, Windows

STATE_FORMAT = "genda_lite training state 3"
TODAY = StateVector.today()
COVARIANCE_WINDOWS = 6000  # of which the covariance is estimated


@dataclass(frozen=True)
class TrainingConfig:
    """How to train; the same settings and data give the same prior.

    Args:
        images: windows to train on, in all. batch: windows a step, all processes together.
        kernel_rate: learning rate of the convolutions' kernels, by Muon; 0: by AdamW like the rest.
        learning_rate: of all else, by AdamW. Both are held for the first half, after 100 steps of warm-up, then lowered
            linearly to a fiftieth.
        noise_mean, noise_std: of ln sigma, see `Noise`.
        hide_position, hide_season: see `Windows`.
        ema_images: memory of the averaged weights, in images.
        size: side of the windows (cells).
        climate: by how much the climates of the windows differ.
        state: which channel of which day is where in a window.
    """

    images: int = 800_000
    batch: int = 32
    kernel_rate: float = 0.03
    learning_rate: float = 2e-3
    noise_mean: float = 0.7
    noise_std: float = 1.7
    hide_position: float = 0.5
    hide_season: float = 0.1
    ema_images: int = 50_000
    size: int = 64
    seed: int = 0
    climate: Climate = ONE
    state: StateVector = TODAY

    def as_dict(self) -> dict:
        """Plain values, to record in a checkpoint; the state where it is one of several days."""
        told = asdict(self)
        if len(self.state.days) == 1:
            del told["state"]
        return told

    @property
    def steps(self) -> int:
        return self.images // self.batch


# `lite` trains on a laptop, as do `wide`, the same network for climates wider than any one sea's, and `trajectory`, for
# several days at once; `full` is of the size of GenDA's (Martin et al. 2025): 128 x 128, ten million parameters.
CONFIGURATIONS = {
    "lite": (NetworkConfig(), TrainingConfig()),
    "wide": (NetworkConfig(), TrainingConfig(images=480_000, noise_mean=0.0, climate=WIDE)),
    "full": (
        NetworkConfig(width=64, multipliers=(1, 2, 2, 3), blocks=2, patch=2, dropout=0.13),
        TrainingConfig(images=20_000_000, batch=64, learning_rate=4e-4, ema_images=500_000, size=128),
    ),
    "trajectory": (
        NetworkConfig(),
        TrainingConfig(images=480_000, noise_mean=0.0, climate=WIDE, state=TRAJECTORY),
    ),
}


def denoising_loss(denoiser: nn.Module, weight: Tensor, x: Tensor, context: Tensor, sigma: Tensor, noise: Tensor):
    """Weighted squared error of each window and channel, (B, C).

    Args:
        denoiser: (x, sigma, context) -> E[x0 | x]. weight: (B, C or 1, 1, 1), see `Spectrum.loss_weight`.
        x, noise: (B, C, n, n). context: (B, 5, n, n). sigma: (B,).
    """
    error = denoiser(x + sigma.view(-1, 1, 1, 1) * noise, sigma, context) - x
    return (weight * error**2).mean((-1, -2))


def estimate_covariance(fields: Callable[[], Iterable[Tensor]], state: StateVector = TODAY) -> tuple[Tensor, Basis]:
    """The covariance of windows, see `Spectrum`, and the basis in which it is diagonal.

    Args:
        fields: gives the windows in batches (B, K, n, n), each time it is asked. state: what is where in them.
    """
    basis = Basis.eofs(fields(), shared_functions(state))
    return Spectrum.estimate(fields(), basis), basis


class Validation:
    """The loss on fixed windows with fixed noise, from an ocean not trained on.

    Args:
        spectrum: the univariate one whose Wiener filter has a loss of one.
    """

    BANDS = ((0.0, 0.6), (0.6, 6.0), (6.0, float("inf")))

    def __init__(self, windows: Windows, spectrum: Spectrum, count: int = 512, batch: int = 64):
        self.spectrum = spectrum
        self.batches = list(DataLoader(windows, batch, sampler=range(count)))

    @torch.no_grad()
    def __call__(self, denoiser: Denoiser) -> dict[str, float]:
        """Mean loss, and by band of noise."""
        device = next(denoiser.parameters()).device
        parts = []
        for batch in self.batches:
            x, context, sigma, noise = (a.to(device) for a in batch)
            parts.append(denoising_loss(denoiser, self.spectrum.loss_weight(sigma), x, context, sigma, noise).mean(1))
        loss, sigma = torch.cat(parts).cpu(), torch.cat([batch[2] for batch in self.batches])
        row = {"validation": loss.mean().item()}
        for low, high in self.BANDS:
            row[f"sigma {low:g}-{high:g}"] = loss[(sigma >= low) & (sigma < high)].mean().item()
        return row


def optimizers(denoiser: Denoiser, config: TrainingConfig) -> list[torch.optim.Optimizer]:
    """Muon for the kernels of 3 x 3 convolutions, AdamW for all else."""
    kernels = [p for p in denoiser.parameters() if p.ndim == 4 and p.shape[-1] > 1 and config.kernel_rate]
    chosen = {id(p) for p in kernels}
    rest = [p for p in denoiser.parameters() if id(p) not in chosen]
    adam = torch.optim.AdamW(rest, lr=config.learning_rate, betas=(0.9, 0.99), weight_decay=1e-4)
    return [Muon(kernels, lr=config.kernel_rate), adam] if kernels else [adam]


def native_bfloat16(device: torch.device) -> bool:
    """Whether a device computes in bfloat16 by itself; others emulate it, up to ten times slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    able = getattr(torch.cpu, "get_capabilities", dict)()  # recent releases can tell
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))


class Trainer:
    """Weights, their average and the optimizer; everything needed to go on exactly where it stopped.

    Args:
        data, validation: oceans to train on, and others to measure the loss on.
        config, network: see `CONFIGURATIONS`.
        device: "cpu", or "cuda" for the graphics card of each process.
        mixed: run the network in bfloat16, where the device can.
        accumulate: parts that the share of a batch is cut into, where it does not fit into memory at once.
        workers: processes that cut windows ahead of time; none: the training does it itself.
        processes: how many there must be, started by `torchrun`.
        start: a prior whose network's weights the training begins with, in place of random ones; for a state of several
            days also one of single days (`trajectory.widened`).

    Raises:
        InputError: other than the processes asked for, a batch that they cannot share evenly, another network in the
            prior to start from, or see `Windows`.
    """

    cut: Callable[..., Windows] = Windows  # what cuts windows from frames

    def __init__(
        self,
        data: TrainingSet,
        validation: TrainingSet | None,
        config: TrainingConfig,
        network: NetworkConfig,
        device: str = "cpu",
        mixed: bool = True,
        accumulate: int = 1,
        workers: int = 0,
        processes: int | None = None,
        start: DiffusionPrior | None = None,
    ):
        self.config, self.accumulate, self.workers = config, accumulate, workers
        self.accelerator = Accelerator(
            cpu=device == "cpu", kwargs_handlers=[DistributedDataParallelKwargs(broadcast_buffers=False)]
        )
        self._check_processes(processes or int(os.environ.get("WORLD_SIZE", 1)))
        torch.manual_seed(config.seed)
        domain = Domain(
            (float(data.latitude[0]), float(data.latitude[-1])), (float(data.longitude[0]), float(data.longitude[-1]))
        )
        self.windows = self._windows(data, domain, config.seed)
        self.unseen = validation
        self.prior = self._untrained(data, domain, network, mixed and native_bfloat16(self.accelerator.device))
        self.prior.training = {**config.as_dict(), "frames": len(data.frames), "processes": self.processes}
        self.prior.to(self.accelerator.device)
        self.average = self._network()
        if start is not None:
            self._start_from(start)
        self.denoiser = copy.deepcopy(self.average)
        self.average.eval().requires_grad_(False)
        self.optimizers = optimizers(self.denoiser, config)
        self.model = self.accelerator.prepare_model(self.denoiser)
        self.validate = None
        if validation is not None:
            self.validate = self._validation(self._windows(validation, domain, 5))
        self.step = 0
        self.batches = None
        self.running = [0.0, 0]  # sum and count of the losses since the last report

    @property
    def processes(self) -> int:
        return self.accelerator.num_processes

    @property
    def is_main(self) -> bool:
        """Whether this process is the one that writes."""
        return self.accelerator.is_main_process

    def _check_processes(self, asked: int) -> None:
        if self.processes != asked:
            raise InputError(
                f"{self.processes} process(es) take part in the training, expected {asked}; "
                f"start them with `torchrun --nproc-per-node {asked} -m genda_lite train ...`"
            )
        share = self.processes * self.accumulate
        if self.config.batch % share:
            raise InputError(
                f"a batch of {self.config.batch} windows cannot be shared evenly by {self.processes} process(es) in "
                f"{self.accumulate} part(s), expected a multiple of {share}"
            )

    def _start_from(self, start: DiffusionPrior) -> None:
        """Take over the weights of a network of the same layers, or of one of single days that is to see several;
        scaling and covariance are of the data to train on."""
        own, theirs = (prior.denoiser.network.state_dict() for prior in (self.prior, start))
        if start.state == TODAY != self.prior.state and self.prior.config == start.config:
            theirs = widened(theirs, own, self.prior.state, self.prior.config.linear_estimate)
        if {name: w.shape for name, w in own.items()} != {name: w.shape for name, w in theirs.items()}:
            told = f"{start.config.as_dict()} with {start.shape[0]} channels"
            raise InputError(f"the prior to start from has another network ({told}), expected one of the same layers")
        self.average.network.load_state_dict(theirs)

    # What another kind of network does in its own way, see `cycle.training`.

    def _untrained(self, data: TrainingSet, domain: Domain, network: NetworkConfig, mixed: bool) -> DiffusionPrior:
        """What is to be trained, with the covariance of the windows."""
        state = self.config.state
        covariance, basis = estimate_covariance(lambda: self.windows.fields(COVARIANCE_WINDOWS), state)
        if len(state.days) > 1:
            covariance = expanded(compact(covariance, state), state)  # as a checkpoint will have it
        prior = DiffusionPrior(covariance, data.standardizer, domain, network, mixed, basis, state)
        prior.between = between_frames(data, state)
        if not prior.between and self.unseen is not None:  # of days between frames of training, of daily fields alone
            prior.between = between_frames(self.unseen, state)
        return prior

    def _network(self) -> nn.Module:
        """The part that learns, with all of its weights in `network`."""
        return self.prior.denoiser

    def _scales(self) -> Tensor:
        """What tells the data apart from others."""
        return self.average.spectrum.variance

    def _validation(self, windows: Windows) -> Callable[[nn.Module], dict[str, float]]:
        """Scores of a network on windows that it is not trained on."""
        count = max(128, 512 // len(self.config.state.days))  # they are kept in memory
        return Validation(windows, self.denoiser.spectrum, count)

    def _loss(self, batch: Sequence[Tensor]) -> Tensor:
        """Of each window and channel, (B, C)."""
        x, context, sigma, noise = batch
        weight = self.denoiser.scaling.loss_weight(sigma)
        return denoising_loss(self.model, weight, x, context, sigma, noise)

    def write(self, path: Path) -> None:
        """The checkpoint to use."""
        save_prior(self.prior, path, FORMAT_3)

    def _windows(self, data: TrainingSet, domain: Domain, seed: int) -> Windows:
        c, noise = self.config, Noise(self.config.noise_mean, self.config.noise_std)
        hidden = c.hide_position, c.hide_season
        return self.cut(data, domain, c.size, noise, *hidden, seed, climate=c.climate, state=c.state)

    def _batches(self):
        """This process's share of each batch from the present step on, in `accumulate` parts."""
        batch, share = self.config.batch, self.config.batch // self.processes
        first = self.accelerator.process_index * share
        numbers = (step * batch + first + i for step in range(self.step, self.config.steps) for i in range(share))
        return iter(
            DataLoader(
                self.windows,
                share // self.accumulate,
                sampler=numbers,
                num_workers=self.workers,
                pin_memory=self.accelerator.device.type == "cuda",
                multiprocessing_context="spawn" if self.workers else None,  # open files do not survive a fork
            )
        )

    def pace(self) -> float:
        """What learning rates are multiplied by: a short rise, a plateau for half of the training, a linear fall."""
        done = self.step / self.config.steps
        return min(1.0, (self.step + 1) / 100) * max(0.02, min(1.0, 2 - 2 * done))

    def train_step(self) -> float:
        """One step of the optimizer; returns the loss of the whole batch."""
        if self.batches is None:
            self.batches = self._batches()
        for optimizer in self.optimizers:
            optimizer.zero_grad()
            for group in optimizer.param_groups:
                group["lr"] = self.pace() * optimizer.defaults["lr"]
        total = torch.zeros((), device=self.accelerator.device)
        for part in range(self.accumulate):
            batch = [a.to(self.accelerator.device, non_blocking=True) for a in next(self.batches)]
            complete = part == self.accumulate - 1  # gradients are exchanged once a step
            with nullcontext() if complete else self.accelerator.no_sync(self.model):
                loss = self._loss(batch).mean() / self.accumulate
                self.accelerator.backward(loss)
            total += loss.detach()
        nn.utils.clip_grad_norm_(self.denoiser.parameters(), 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
        self.step += 1
        self._update_average()
        return self.accelerator.reduce(total, "mean").item()

    @torch.no_grad()
    def _update_average(self) -> None:
        memory = 1 - self.config.batch / self.config.ema_images
        memory = min(memory, self.step / (self.step + 9))  # short at first, to forget the start
        new = list(self.denoiser.parameters())
        torch._foreach_lerp_(list(self.average.parameters()), new, 1 - memory)

    def _optimizer_of(self, parameter: nn.Parameter) -> torch.optim.Optimizer:
        return next(o for o in self.optimizers if any(parameter is p for p in o.param_groups[0]["params"]))

    def settings(self) -> dict:
        """What a resumed training must have in common with the one it continues."""
        frames = self.prior.training["frames"]
        return json.loads(json.dumps({**self.config.as_dict(), **self.prior.config.as_dict(), "frames": frames}))

    def save_state(self, path: Path) -> None:
        """Write everything `resume` needs."""
        tensors = {"variance": self._scales()}
        tensors |= {f"weights.{k}": v for k, v in self.denoiser.network.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.network.state_dict().items()}
        for i, p in enumerate(self.denoiser.parameters()):
            tensors |= {f"optimizer.{i}.{name}": value for name, value in self._optimizer_of(p).state[p].items()}
        metadata = {
            "step": str(self.step),
            "settings": json.dumps(self.settings()),
            "record": json.dumps(self.prior.training),
            "running": json.dumps(self.running),
        }
        write_safetensors(path, STATE_FORMAT, tensors, metadata)

    def resume(self, path: Path) -> None:
        """Go on from a saved state.

        Raises:
            InputError: not a training state, or one of another configuration or other data.
        """
        tensors, metadata = read_safetensors(path, STATE_FORMAT)
        before, now = json.loads(metadata["settings"]), self.settings()
        for name in now:
            if before.get(name) != now[name]:
                raise InputError(
                    f"{path}: is of a training with other settings ({name} = {before.get(name)}, not {now[name]}); "
                    "choose another --out or delete it"
                )

        if not torch.allclose(tensors["variance"], self._scales().cpu(), rtol=0.01):
            raise InputError(f"{path}: is of a training on other data; choose another --out or delete it")

        def part(prefix):
            return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}

        self.denoiser.network.load_state_dict(part("weights."))
        self.average.network.load_state_dict(part("average."))
        for i, p in enumerate(self.denoiser.parameters()):
            state = part(f"optimizer.{i}.")
            self._optimizer_of(p).state[p] = {k: v if k == "step" else v.to(p) for k, v in state.items()}
        self.prior.training = json.loads(metadata["record"])
        self.running = json.loads(metadata["running"])
        self.step, self.batches = int(metadata["step"]), None


def train(
    trainer: Trainer,
    out: Path,
    report_every: int = 500,
    progress: bool = True,
    tensorboard: str | os.PathLike | None = None,
) -> bool:
    """Train, writing the prior to `out` with its state and log beside it every `report_every` steps.

    Started again with the same settings, it resumes from the state. On SIGINT (Ctrl-C) or SIGTERM the step under way is
    finished and everything is written.

    Args:
        tensorboard: folder to log to, besides the table (.csv).

    Returns:
        whether it came to its end; False if it was asked to stop.

    Raises:
        FloatingPointError: the loss is no longer a number; the last checkpoint stays.
    """
    out = Path(out)
    state = out.with_suffix(".state.safetensors")
    if state.exists():
        trainer.resume(state)
    record = Record(trainer, out, tensorboard)
    config = trainer.config
    bar = tqdm(
        total=config.images,
        initial=trainer.step * config.batch,
        unit="image",
        unit_scale=True,
        disable=not progress or not trainer.is_main,
        desc="training",
    )
    with bar, stop_on_signals() as stop:
        while trainer.step < config.steps:
            loss = trainer.train_step()
            if not loss < float("inf"):
                raise FloatingPointError(
                    f"the loss is {loss} at step {trainer.step}; the last good checkpoint is {out}"
                    if out.exists()
                    else f"the loss is {loss} at step {trainer.step}, before the first checkpoint"
                )
            trainer.running = [trainer.running[0] + loss, trainer.running[1] + 1]
            bar.update(config.batch)
            asked = agreed(trainer.accelerator, stop.is_set())
            if trainer.step % report_every == 0 or trainer.step == config.steps:
                bar.set_postfix(record.report())
            if asked:
                record.save()
                return trainer.step == config.steps
    return True


def agreed(accelerator: Accelerator, stop: bool) -> bool:
    """Whether any process was asked to stop: all stop at the same step."""
    if accelerator.num_processes == 1:
        return stop
    return bool(accelerator.reduce(torch.tensor(float(stop), device=accelerator.device), "sum").item())


class Record:
    """What a training leaves on disk: the prior, the state to resume from, the log."""

    def __init__(self, trainer: Trainer, out: Path, tensorboard: str | os.PathLike | None):
        self.trainer, self.out = trainer, out
        self.clocks = time.process_time(), time.perf_counter()
        self.writer = None
        if tensorboard is not None and trainer.is_main:
            from torch.utils.tensorboard import SummaryWriter

            self.writer = SummaryWriter(str(tensorboard), purge_step=trainer.step)

    def report(self) -> dict[str, str]:
        """Validate, save and add a row to the log; returns what a progress bar shows."""
        t = self.trainer
        (total, count), t.running = t.running, [0.0, 0]
        if not t.is_main:
            return {}
        row = {"step": t.step, "images": t.step * t.config.batch, "loss": total / count}
        row |= t.validate(t.average) if t.validate else {}
        t.prior.training["validation_loss"] = row.get("validation")
        self.save()
        row |= {name: t.prior.training[name] for name in ("cpu_seconds", "seconds")}
        log = self.out.with_suffix(".csv")
        line = pd.DataFrame([{k: round(v, 5) if isinstance(v, float) else v for k, v in row.items()}])
        line.to_csv(log, mode="a", header=not log.exists(), index=False, lineterminator="\r\n")
        if self.writer:
            for name in row.keys() - {"step"}:
                self.writer.add_scalar(name, row[name], t.step)
            self.writer.flush()
        return {name: f"{row[name]:.3f}" for name in ("loss", "validation") if name in row}

    def save(self) -> None:
        """Write the prior and the state, each whole or not at all."""
        t = self.trainer
        if not t.is_main:
            return
        now = time.process_time(), time.perf_counter()
        for name, before, after in zip(("cpu_seconds", "seconds"), self.clocks, now, strict=True):
            t.prior.training[name] = round(t.prior.training.get(name, 0.0) + after - before, 1)
        self.clocks = now
        t.prior.training["images_seen"] = t.step * t.config.batch
        t.write(self.out)
        t.save_state(self.out.with_suffix(".state.safetensors"))
