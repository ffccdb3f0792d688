"""Training of what a cycle needs: the emulator, and the denoiser conditioned on a forecast.

Both are trained as a prior is (`prior.train`): by image number, resumable, with the same optimizers and files.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from ..errors import InputError
from ..prepare.frames import TrainingSet
from ..prior.base import Domain
from ..prior.climate import WIDE
from ..prior.diffusion import NetworkConfig
from ..prior.spectral import Basis, Spectrum
from ..prior.train import Trainer, TrainingConfig, denoising_loss
from ..state import StateVector
from .conditioned import ConditionedPrior, save_conditioned
from .emulator import Emulator, EmulatorConfig
from .forecast import Forecast
from .pairs import KeptPairs
from .passages import Passages, ahead, passage

ERROR_WINDOWS = 3000  # of which the covariance of departures is estimated
RESIDUALS = 500  # of an emulator's steps, of which its error is, each time that it is saved
ROLLED_OUT = 2  # steps, of two days, that an emulator is trained over
STEP = 2.0  # days: a frame of the training oceans

# For a laptop: an hour or two each on a free core.
EMULATOR = (EmulatorConfig(), TrainingConfig(images=200_000, climate=WIDE, state=passage(STEP, ROLLED_OUT)))
CONDITIONED = (NetworkConfig(), TrainingConfig(images=300_000, climate=WIDE, state=passage(STEP, 1)))


def step_of(state: StateVector) -> tuple[float, int]:
    """Days of a step, and how many there are, of the state of a passage."""
    return state.days[1] - state.days[0], len(state.days) - 1


class PassageTrainer(Trainer):
    """A trainer of windows of consecutive days."""

    def _windows(self, data: TrainingSet, domain: Domain, seed: int) -> Passages:
        c = self.config
        step, steps = step_of(c.state)
        return Passages(data, domain, c.size, step, steps, seed=seed, climate=c.climate,
                        hide_position=c.hide_position, hide_season=c.hide_season)  # fmt: skip


# --- The emulator -----------------------------------------------------------------------------------------------------


class EmulatorTrainer(PassageTrainer):
    """Trains an `Emulator`; arguments as of `Trainer`, the network an `EmulatorConfig`."""

    prior: Emulator

    def _untrained(self, data: TrainingSet, domain: Domain, network: EmulatorConfig, mixed: bool) -> Emulator:
        change = self.changes(self.windows)
        step, _ = step_of(self.config.state)
        self._persistence = change.float()
        return Emulator(change[0], data.standardizer, network, step, mixed=mixed)

    @staticmethod
    def changes(windows: Passages, count: int = 500) -> Tensor:
        """Rms of what each channel changes from the first state to those that follow, (steps, C)."""
        total = 0.0
        for i in range(count):
            x = windows[i][0].double()
            total = total + (x[1:] - x[:1]).square().mean((-1, -2))
        return (total / count).sqrt()

    def _network(self) -> nn.Module:
        return self.prior.stepper

    def _scales(self) -> Tensor:
        return self._persistence

    def _loss(self, batch: Sequence[Tensor]) -> Tensor:
        x, _, season = batch
        return rolled_out_loss(self.model, x, season, self._persistence.to(x)).mean(1)

    def _validation(self, windows: Passages) -> "ForecastValidation":
        return ForecastValidation(windows, self._persistence)

    def write(self, path: Path) -> None:
        """The checkpoint, with the error of a step on validation windows, or on others of training."""
        found = self.validate.windows if self.validate else self.windows
        basis = Basis.cosines(self.config.size, self.config.size)
        self.prior.estimate_error(one_step_pairs(self.prior, found, RESIDUALS), basis)
        self.prior.save(path)


def rolled_out_loss(stepper: nn.Module, x: Tensor, season: Tensor, persistence: Tensor) -> Tensor:
    """Squared errors of each step of a rollout, in units of those of persistence, (B, steps, C).

    Args:
        x: (B, steps + 1, C, n, n). persistence: rms of x_k - x_0, (steps, C).
    """
    state, found = x[:, 0], []
    for k in range(1, x.shape[1]):
        state = stepper(state, season)
        found.append((state - x[:, k]).square().mean((-1, -2)) / persistence[k - 1] ** 2)
    return torch.stack(found, 1)


def one_step_pairs(emulator: Emulator, windows: Passages, count: int, batch: int = 50):
    """Forecasts a step ahead, and the truth, of the last windows of a count that is never trained on."""
    for first in range(0, count, batch):
        numbers = range(2**39 + first, 2**39 + min(first + batch, count))
        x, _, season = map(torch.stack, zip(*(windows[i] for i in numbers), strict=True))
        device = emulator.stepper.change.device
        yield ahead(emulator, x[:, 0].to(device), season, emulator.step).cpu(), x[:, 1]


class ForecastValidation:
    """Errors over persistence's on fixed windows of an ocean that is not trained on: all, and step by step."""

    def __init__(self, windows: Passages, persistence: Tensor, count: int = 256, batch: int = 64):
        self.windows, self.persistence = windows, persistence
        self.batches = list(DataLoader(windows, batch, sampler=range(count)))

    @torch.no_grad()
    def __call__(self, stepper: nn.Module) -> dict[str, float]:
        """Mean squared error over persistence's of the training data."""
        device = next(stepper.parameters()).device
        parts = [
            rolled_out_loss(stepper, x.to(device), season.to(device), self.persistence.to(device)).cpu()
            for x, _, season in self.batches
        ]
        loss = torch.cat(parts)
        steps = {f"step {k + 1}": v for k, v in enumerate(loss.mean((0, 2)).tolist())}
        return {"validation": loss.mean().item(), **steps}


# --- The conditioned denoiser -----------------------------------------------------------------------------------------


class Noisy(Dataset):
    """Pairs of forecast and truth with noise for a departure, by image number.

    Args:
        pairs: gives (states (2, C, n, n), context (5, n, n), season) of an image: the state that a forecast begins
            with, or a forecast itself, and the truth. mean, std: of ln sigma, see `prior.windows.Noise`.
    """

    def __init__(self, pairs: Dataset, mean: float, std: float, seed: int):
        self.pairs, self.mean, self.std, self.seed = pairs, mean, std, seed

    def __len__(self) -> int:
        return 2**40

    def __getitem__(self, i: int) -> tuple[Tensor, ...]:
        x, context, season = self.pairs[i]
        rng = np.random.default_rng([self.seed, i, 4])
        sigma = torch.tensor(np.exp(self.mean + self.std * rng.standard_normal()), dtype=torch.float32)
        return x, context, season, sigma, torch.from_numpy(rng.standard_normal(x[0].shape, np.float32))


class ConditionedTrainer(PassageTrainer):
    """Trains a `ConditionedPrior`.

    Args:
        forecast: whose forecasts from perfect states are shown, made anew for each image.
        kept: forecasts from analyses of a cycle, with their truths (`cycle.pairs`), in their place.

    Raises:
        InputError: neither of the two, or both, or pairs of another size than the windows.
    """

    def __init__(
        self,
        data: TrainingSet,
        validation: TrainingSet | None,
        config: TrainingConfig,
        network: NetworkConfig,
        *rest,
        forecast: Forecast | None = None,
        kept: KeptPairs | None = None,
        **options,
    ):
        if (forecast is None) == (kept is None):
            raise InputError("expected either a forecast, to be begun from perfect states, or kept pairs, not both")
        if kept is not None and tuple(kept.truths.shape[-2:]) != (config.size, config.size):
            raise InputError(f"pairs of {tuple(kept.truths.shape[-2:])} points, expected {(config.size, config.size)}")
        self.forecast, self.kept = forecast, kept
        super().__init__(data, validation if kept is None else None, config, network, *rest, **options)

    def pairs(self, count: int):
        """Pairs (b, x0) in batches, to estimate covariances of."""
        if self.kept is not None:
            return self.kept.batches(count)
        return self.windows.pairs.pairs(self.forecast, count)

    def _windows(self, data: TrainingSet, domain: Domain, seed: int) -> Noisy:
        noise = self.config.noise_mean, self.config.noise_std
        return Noisy(self.kept or super()._windows(data, domain, seed), *noise, seed)

    def _untrained(self, data: TrainingSet, domain: Domain, network: NetworkConfig, mixed: bool) -> ConditionedPrior:
        basis = Basis.eofs(x - b for b, x in self.pairs(ERROR_WINDOWS))
        covariance = Spectrum.estimate((x - b for b, x in self.pairs(ERROR_WINDOWS)), basis)
        prior = ConditionedPrior(covariance, data.standardizer, domain, network, mixed, basis)
        # Departures are smaller than anomalies: noise is drawn about their size as it is for those about theirs.
        self.windows.mean = self._mean = self.config.noise_mean + float(np.log(size_of(covariance)))
        return prior

    def _loss(self, batch: Sequence[Tensor]) -> Tensor:
        return departure_loss(self.model, self.denoiser.scaling, batch, self.forecasts)

    def forecasts(self, x: Tensor, season: Tensor) -> Tensor:
        """b of each image, of its states (B, 2, C, n, n)."""
        if self.kept is not None:
            return x[:, 0]
        return ahead(self.forecast, x[:, 0], season.cpu(), step_of(self.config.state)[0])

    def _validation(self, windows: Noisy) -> Callable[[nn.Module], dict[str, float]]:
        windows.mean = self._mean
        batches = list(DataLoader(windows, 64, sampler=range(256)))

        @torch.no_grad()
        def score(denoiser: nn.Module) -> dict[str, float]:
            device = next(denoiser.parameters()).device
            losses = [
                departure_loss(denoiser, self.average.spectrum, [a.to(device) for a in one], self.forecasts).mean()
                for one in batches
            ]
            return {"validation": float(torch.stack(losses).mean())}

        return score

    def write(self, path: Path) -> None:
        """The checkpoint."""
        save_conditioned(self.prior, path)


def size_of(covariance: Tensor) -> float:
    """Rms over points and channels of fields with a covariance (ny, nx, C, C) in orthonormal functions."""
    return float(covariance.diagonal(dim1=-2, dim2=-1).mean()) ** 0.5


def departure_loss(
    denoiser: nn.Module,
    scaling: Spectrum,
    batch: Sequence[Tensor],
    forecasts: Callable[[Tensor, Tensor], Tensor],
) -> Tensor:
    """The denoising loss of x0 - b, shown b beside the context, (B, C); one for the filter of N(b, B)."""
    x, context, season, sigma, noise = batch
    with torch.no_grad():
        b = forecasts(x, season)
    shown = torch.cat([context, b], 1)
    return denoising_loss(denoiser, scaling.loss_weight(sigma), x[:, -1] - b, shown, sigma, noise)


def configured(config: TrainingConfig, lead: float | None = None, **changes) -> TrainingConfig:
    """A configuration with some of its numbers changed; `lead`: days from the state that a forecast begins with."""
    told = {name: value for name, value in changes.items() if value is not None}
    return replace(config, **told, **({"state": passage(lead, len(config.state.days) - 1)} if lead else {}))
