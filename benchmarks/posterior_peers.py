"""The peers of the posterior benchmark: other projects' guided samplers, run on our denoisers.

Each function draws members of a `Task` by a peer's own code and schedules, in so many steps; our part is the adapter
alone. All peers start from the prior's exact law at their highest noise, which is at least as good as their own start.

* GenDA (Martin, Manucharyan & Klein 2025, doi:10.1029/2025MS005063) is the score-based data assimilation of Rozet &
  Louppe (2023, arXiv:2306.10574): the diagonal guidance `posterior.guidance.sda` on the cosine variance-preserving
  schedule, 256 deterministic steps, without or with Langevin corrections. It is no package; ours is written from the
  papers, and a test holds it against their update in their own variables.
* azula 0.11.1 (https://github.com/probabilists/azula): DPS, PiGDM, TMPD, DiffPIR, MMPS, and JFPS, which takes a
  covariance of the state: it is given that of the prior's Gaussian approximation, as our fast method has it.
* PhysicsNeMo 2.2.2 (https://github.com/NVIDIA/physicsnemo): its SDA guidance with the solvers of EDM.

In an environment of its own (6 GB, as PhysicsNeMo brings PyTorch for graphics cards; it runs without one), beside this
package:

    pip install azula==0.11.1 nvidia-physicsnemo==2.2.2
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, NamedTuple

import torch
from torch import Tensor

from genda_lite.observe.likelihood import LinearGaussian
from genda_lite.posterior.guidance import sda
from genda_lite.prior.samplers import cosine_levels, euler
from genda_lite.prior.spectral import Spectrum
from genda_lite.verify.closed_form import Counting


class Task(NamedTuple):
    """A posterior to sample: one row of the likelihood's values (B, m) for each member.

    `context` (1 or B, 5, ny, nx) or None; `draws` (B, C, ny, nx) of the prior, to start from.
    """

    prior: Counting
    likelihood: LinearGaussian
    context: Tensor | None
    draws: Tensor

    def start(self, sigma: Tensor) -> Tensor:
        """Draws of x0 + sigma n."""
        return self.draws + sigma * torch.randn_like(self.draws)


# --- GenDA -----------------------------------------------------------------------------------------------------------


def genda(task: Task, steps: int, gamma: float = 0.1, corrections: int = 0, size: float = 0.1) -> Tensor:
    """Score-based data assimilation; `corrections` of a `size` (Rozet & Louppe's tau) after each step."""
    denoise, sigmas = sda(task.prior, task.likelihood, task.context, gamma), cosine_levels(steps)
    return euler(
        denoise, task.start(sigmas[0]), sigmas, lambda: torch.randn_like(task.draws), corrections=corrections, size=size
    )


# --- azula -----------------------------------------------------------------------------------------------------------


def azula_denoiser(task: Task, schedule: str):
    """Our denoiser as one of azula's, for flat states (B, C ny nx): x_t = alpha (x0 + sigma / alpha n)."""
    from azula import noise
    from azula.denoise import Denoiser, DiracPosterior

    class Wrapped(Denoiser):
        def __init__(self):
            super().__init__()
            # EDM's range is less wide than azula's, which spends many of its steps on noise that tells nothing.
            self.schedule = {
                "vp": noise.VPSchedule(),
                "cosine": noise.CosineSchedule(),
                "ve": noise.VESchedule(2e-3, 80.0),
            }[schedule]

        def forward(self, x_t: Tensor, t: Tensor) -> DiracPosterior:
            alpha, sigma = self.schedule(t)
            x = (x_t / alpha).unflatten(1, task.prior.shape)
            return DiracPosterior(mean=task.prior.denoise(x, sigma / alpha, task.context).flatten(1))

    return Wrapped()


def observe(task: Task) -> Callable[[Tensor], Tensor]:
    """H for flat states."""
    return lambda x: task.likelihood.operator(x.unflatten(1, task.prior.shape))


def mode_covariance(spectrum: Spectrum):
    """A covariance that is diagonal in the prior's modes, as one of azula's, for flat states."""
    from azula.linalg.covariance import Covariance, IsotropicCovariance

    class ModeCovariance(Covariance):
        def __init__(self, variance: Tensor):
            self.variance = variance

        @property
        def shape(self):
            return (self.variance.numel(),)

        def __add__(self, other: Covariance) -> Covariance:
            added = other.lmbda if isinstance(other, IsotropicCovariance) else other.variance
            return ModeCovariance(self.variance + added)

        def __mul__(self, other: IsotropicCovariance) -> Covariance:
            return ModeCovariance(self.variance * other.lmbda)

        def _scaled(self, x: Tensor, by: Tensor) -> Tensor:
            return spectrum.from_modes(by * spectrum.to_modes(x.unflatten(1, spectrum.shape))).flatten(1)

        def __matmul__(self, x: Tensor) -> Tensor:
            return self._scaled(x, self.variance)

        def color(self, x: Tensor) -> Tensor:
            return self._scaled(x, self.variance.sqrt())

        @property
        def inv(self) -> Covariance:
            return ModeCovariance(1 / self.variance)

        def logdet(self) -> Tensor:
            return self.variance.log().sum()

    return ModeCovariance(spectrum.variance)


def azula_guided(task: Task, method: str, schedule: str, **options):
    """A denoiser of the posterior, of azula's that are denoisers: tmpd, diffpir, mmps, jfps."""
    from azula import guidance
    from azula.linalg.covariance import DiagonalCovariance

    variance = task.likelihood.variance
    common = {"denoiser": azula_denoiser(task, schedule), "y": task.likelihood.value, "A": observe(task)} | options
    if method == "tmpd":
        return guidance.TMPDenoiser(**common, var_y=variance)
    if method == "diffpir":
        # Two iterations solve the proximal step exactly where points are observed with equal errors.
        return guidance.DiffPIRDenoiser(**common, var_y=variance, solver="cg", iterations=2)
    if method == "mmps":
        return guidance.MMPSDenoiser(**common, cov_y=DiagonalCovariance(variance))
    prior = mode_covariance(task.prior.spectrum)
    return guidance.JFPSDenoiser(**common, cov_y=DiagonalCovariance(variance), cov_x=prior)


def _azula_run(task: Task, sampler) -> Tensor:
    alpha, sigma = sampler.denoiser.schedule(sampler.timesteps[0])
    return sampler((alpha * task.start(sigma / alpha)).flatten(1)).unflatten(1, task.prior.shape)


def azula(task: Task, steps: int, method: str, sampler: str = "ddpm", schedule: str = "vp", **options) -> Tensor:
    """A guided denoiser of azula in one of its samplers."""
    from azula import sample

    kinds = {
        "ddpm": sample.DDPMSampler,
        "ddim": sample.DDIMSampler,
        "xeab": sample.xEABSampler,
    }
    return _azula_run(task, kinds[sampler](azula_guided(task, method, schedule, **options), steps=steps, silent=True))


def azula_dps(task: Task, steps: int, zeta: float = 1.0, schedule: str = "vp") -> Tensor:
    """Its zeta multiplies the gradient of one norm for the whole batch; here it is as for a batch of one."""
    from azula.guidance import DPSSampler

    zeta *= len(task.draws) ** 0.5
    denoiser, values = azula_denoiser(task, schedule), task.likelihood.value
    return _azula_run(task, DPSSampler(denoiser, values, observe(task), zeta=zeta, steps=steps, silent=True))


def azula_pgdm(task: Task, steps: int, weight: float = 1.0, eta: float = 0.0, schedule: str = "vp") -> Tensor:
    """Without errors, as azula has it. H' stands for the pseudo-inverse of H, which it is for grid points; `weight` is
    the trust in the observations."""
    from azula.guidance import PGDMSampler

    def inverse(y: Tensor) -> Tensor:
        return weight * task.likelihood.operator.adjoint(y).flatten(1)

    denoiser, values = azula_denoiser(task, schedule), task.likelihood.value
    return _azula_run(task, PGDMSampler(denoiser, values, observe(task), inverse, eta=eta, steps=steps, silent=True))


# --- PhysicsNeMo -----------------------------------------------------------------------------------------------------


def physicsnemo_score(task: Task, gamma: float):
    """PhysicsNeMo's scheduler, and the score that its SDA guidance makes of our denoiser."""
    from physicsnemo.diffusion.guidance import DPSScorePredictor, ModelConsistencyDPSGuidance
    from physicsnemo.diffusion.noise_schedulers import EDMNoiseScheduler

    scheduler, likelihood = EDMNoiseScheduler(), task.likelihood
    guidance = ModelConsistencyDPSGuidance(
        likelihood.operator,
        likelihood.value,
        likelihood.variance.sqrt()[None],
        gamma=gamma,
        sigma_fn=scheduler.sigma,
        alpha_fn=scheduler.alpha,
    )

    def denoise(x: Tensor, t: Tensor) -> Tensor:
        return task.prior.denoise(x, t, task.context)

    return scheduler, DPSScorePredictor(denoise, scheduler.x0_to_score, guidance)


@torch.no_grad()
def physicsnemo(task: Task, steps: int, gamma: float = 0.1, solver: str = "heun", churn: float = 0.0) -> Tensor:
    """SDA guidance in PhysicsNeMo's solver "heun", in half the steps, or "euler"; `churn` is S_churn for each step."""
    from physicsnemo.diffusion.samplers import sample

    steps //= 2 if solver == "heun" else 1
    scheduler, score = physicsnemo_score(task, gamma)
    options = {"S_churn": churn * steps, "num_steps": steps} if churn else {}
    start = task.start(scheduler.timesteps(steps)[0])
    denoiser = scheduler.get_denoiser(score_predictor=score)
    name = f"edm_stochastic_{solver}" if churn else solver
    return sample(denoiser, start, scheduler, steps, solver=name, solver_options=options)


# --- What is tuned ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Peer:
    """A peer with its knobs.

    Args:
        run: (task, steps, **settings) -> members. package: that must be there.
        knobs: values to try of each, the first where tuning starts: the peer's default if it has one.
        steps: to run it in, in guided calls of the denoiser.
    """

    run: Callable[..., Tensor]
    package: str
    knobs: dict[str, tuple]
    steps: tuple[int, ...]
    fixed: dict[str, Any] = field(default_factory=dict)

    def missing(self) -> str | None:
        """Why it cannot run here, if it cannot."""
        try:
            import_module(self.package)
        except ImportError as error:
            return str(error)
        return None


GAMMAS = (0.1, 0.001, 0.003, 0.01, 0.03, 0.3)
SCHEDULES, SAMPLERS = ("vp", "cosine", "ve"), ("ddpm", "ddim", "xeab")
PEERS = {
    "GenDA": Peer(genda, "genda_lite", {"gamma": GAMMAS}, (32, 64, 128, 256)),
    "GenDA, Langevin": Peer(
        genda, "genda_lite", {"gamma": GAMMAS, "size": (0.1, 0.25), "corrections": (1,)}, (16, 32, 64, 128)
    ),
    "azula DPS": Peer(
        azula_dps, "azula.guidance", {"zeta": (1.0, 0.3, 3.0, 10.0, 30.0), "schedule": SCHEDULES}, (32, 64, 128)
    ),
    "azula PiGDM": Peer(
        azula_pgdm,
        "azula.guidance",
        {"eta": (0.0, 0.5, 1.0), "schedule": SCHEDULES, "weight": (1.0, 0.5)},
        (16, 32, 64, 128),
    ),
    "azula TMPD": Peer(
        azula, "azula.guidance", {"sampler": SAMPLERS, "schedule": SCHEDULES}, (8, 16, 32, 64), {"method": "tmpd"}
    ),
    "azula DiffPIR": Peer(
        azula,
        "azula.guidance",
        {"lmbda": (10.0, 0.1, 0.3, 1.0, 3.0), "sampler": SAMPLERS, "schedule": SCHEDULES},
        (8, 16, 32, 64),
        {"method": "diffpir"},
    ),
    "azula MMPS": Peer(
        azula,
        "azula.guidance",
        {"sampler": SAMPLERS, "schedule": SCHEDULES, "solver": ("gmres", "cg"), "iterations": (1, 2, 3, 5)},
        (8, 16, 32),
        {"method": "mmps"},
    ),
    "azula JFPS": Peer(
        azula,
        "azula.guidance",
        {"iterations": (1, 3, 10, 30), "sampler": SAMPLERS, "schedule": SCHEDULES},
        (8, 16, 32, 64),
        {"method": "jfps"},
    ),
    "PhysicsNeMo SDA": Peer(
        physicsnemo,
        "physicsnemo.diffusion.samplers",
        {"gamma": GAMMAS, "solver": ("heun", "euler"), "churn": (0.0, 0.2, 0.4)},
        (16, 32, 64, 128),
    ),
}
