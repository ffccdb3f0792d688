"""A decoder that is not linear, whose posterior is known all the same: a front.

Two latents, place z1 and strength z2, N(0, 1) each, draw a line of 64 points,

    x(y) = 0.8 exp(0.3 z2) tanh((y - 0.5 - 0.15 z1) / 0.06),    0 < y < 1

which is observed at a few of them. The posterior is found by quadrature over the two. It is far from Gaussian: between
two observations a front may lie anywhere.
"""

import math
import time
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from ..latent.autoencoder import Differentiable
from ..latent.guidance import iterated, statistical, weighted
from ..latent.prior import LatentPrior, unit_basis
from ..latent.representation import latent_likelihood
from ..observe.likelihood import LinearGaussian
from ..observe.operators import Linear
from ..posterior.assimilate import DEFAULT, FAST, Settings, sample_posterior
from ..posterior.guidance import GUIDANCES
from ..prior import GaussianPrior
from .closed_form import Counting, N


def repeated(likelihood: LinearGaussian, members: int) -> LinearGaussian:
    """Values of each truth for all its members."""
    value = likelihood.value.repeat_interleave(members, 0)
    return LinearGaussian(likelihood.operator, value, likelihood.variance, likelihood.shared)


class Front(Differentiable):
    """A front of two parameters as a decoder, see the module's equation; it draws all there is."""

    shape, state_shape, residual = (2, 1, 1), (1, N, 1), None

    def __init__(self):
        self.y = ((torch.arange(N) + 0.5) / N).view(1, 1, N, 1)
        places, strengths = torch.linspace(-4.5, 4.5, 241), torch.linspace(-4.5, 4.5, 121)
        self.grid = torch.cartesian_prod(places, strengths).view(-1, *self.shape)

    def decode(self, z: Tensor) -> Tensor:
        """Latents (B, 2, 1, 1) -> lines (B, 1, 64, 1)."""
        place, strength = z.split(1, 1)
        return 0.8 * torch.exp(0.3 * strength) * torch.tanh((self.y - 0.5 - 0.15 * place) / 0.06)

    def encode(self, x: Tensor) -> Tensor:
        """The nearest in squares, of the grid of the quadrature."""
        return self.grid[torch.cdist(x.flatten(1), self.decode(self.grid).flatten(1)).argmin(1)]


class FrontCase(NamedTuple):
    """How many points of the line are observed, and with what error."""

    points: int
    error: float

    @property
    def name(self) -> str:
        """To be read."""
        return f"front, {self.points} points, error {self.error:g}"


FRONTS = (FrontCase(4, 0.2), FrontCase(8, 0.1), FrontCase(16, 0.05))
FRONT_METHODS = {
    "default": (DEFAULT, None),
    "default, iterated": (DEFAULT, iterated(GUIDANCES["hybrid"], 3)),
    "fast": (FAST, None),
    "fast, iterated": (FAST, iterated(GUIDANCES["oi"], 3)),
    "statistical": (FAST, statistical),
    "weighted": (FAST, weighted),
    "MMPS": (Settings("mmps", "sde-2m", 20), None),
    "OI-Jacobian": (Settings("oi-jacobian", "sde-2m", 80), None),
    "SDA, gamma 0.1": (Settings("sda", "vp", 64), None),
    "DPS": (Settings("dps", "vp", 128), None),
}
QUICK_FRONT_METHODS = ("default", "fast", "fast, iterated", "statistical", "weighted")


class Atoms:
    """A distribution of numbers by weighted values at P places, for scores of the posterior by quadrature.

    Args:
        values: (K, P), of every place. weights: (K, T), of sum one, for each of T truths.
    """

    def __init__(self, values: Tensor, weights: Tensor):
        self.values, order = values.sort(0)
        self.weights = weights[order].movedim(-1, 0)  # (T, K, P)
        self.mean = (self.weights * self.values).sum(1)  # (T, P)
        self.variance = (self.weights * (self.values - self.mean[:, None]) ** 2).sum(1)

    def crps(self, members: Tensor) -> tuple[Tensor, Tensor]:
        """Expected fair CRPS of members (T, M, P), and that of the distribution itself, each (T, P)."""
        below, sums = self.weights.cumsum(1), (self.weights * self.values).cumsum(1)
        own = (below[:, :-1] * (1 - below[:, :-1]) * self.values.diff(dim=0)).sum(1)
        edges = self.values.T.contiguous().expand(len(members), -1, -1).contiguous()
        place = torch.searchsorted(edges, members.movedim(1, 2).contiguous(), right=True).movedim(2, 1)
        first = (place == 0).double()
        at = (place - 1).clamp(min=0)
        share, part = (torch.gather(a, 1, at) * (1 - first) for a in (below, sums))
        distance = (members * (2 * share - 1) - 2 * part + self.mean[:, None]).mean(1)
        size = members.shape[1]
        order = 2.0 * torch.arange(1, size + 1, dtype=members.dtype) - size - 1
        pairs = torch.einsum("m,tmp->tp", order, members.sort(1).values) / (size * (size - 1))
        return distance - pairs, own


class FrontExperiment(NamedTuple):
    """Observations of fronts, and their exact posterior: of the two latents, then of all points of the line."""

    case: FrontCase
    prior: LatentPrior
    likelihood: LinearGaussian
    exact: Atoms


def set_up_front(case: FrontCase, truths: int, seed: int = 0) -> FrontExperiment:
    """Draw fronts, observe them at the same points, and find the posteriors by quadrature."""
    generator = torch.Generator().manual_seed(seed)
    front = Front()
    prior = LatentPrior(front, GaussianPrior(torch.eye(2).view(1, 1, 2, 2), None, None, basis=unit_basis(1, 1)))
    points = torch.randperm(N, generator=generator)[: case.points]

    def spread(y: Tensor) -> Tensor:
        x = y.new_zeros(len(y), N)
        x[:, points] = y
        return x.view(-1, *front.state_shape)

    operator = Linear(lambda x: x.flatten(1)[:, points], spread, front.state_shape)
    seen = operator(front.decode(torch.randn(truths, *front.shape, generator=generator)))
    values = seen + case.error * torch.randn(seen.shape, generator=generator)
    drawn = front.decode(front.grid)
    misfit = ((operator(drawn).double()[:, None] - values) ** 2).sum(-1) / case.error**2
    weights = (-0.5 * (misfit + front.grid.double().flatten(1).square().sum(1, keepdim=True))).softmax(0)
    atoms = Atoms(torch.cat([front.grid.flatten(1), drawn.flatten(1)], 1).double(), weights)
    variance = torch.full((case.points,), case.error**2)
    return FrontExperiment(case, prior, LinearGaussian(operator, values, variance), atoms)


def run_front(
    experiment: FrontExperiment, settings: Settings, guidance=None, members: int = 32, seed: int = 0
) -> dict[str, float]:
    """Scores and cost of one guidance through the decoder of a front."""
    prior, count = Counting(experiment.prior), len(experiment.likelihood.value) * members
    likelihood = latent_likelihood(experiment.prior.autoencoder, repeated(experiment.likelihood, members))
    start = time.perf_counter()
    z = sample_posterior(
        prior, likelihood, None, count, seed, guidance or settings.guidance, settings.sampler, settings.steps, count
    )
    seconds = time.perf_counter() - start
    draws = torch.cat([z.flatten(1), experiment.prior.autoencoder.decode(z).flatten(1)], 1).double()
    names = ("CRPS / exact", "CRPS / exact, place", "CRPS / exact, strength", "variance, line")
    found = dict.fromkeys(names, math.inf)
    if torch.isfinite(draws).all():
        draws = draws.unflatten(0, (-1, members))
        error, own = (part.mean(0) for part in experiment.exact.crps(draws))
        parts = (slice(2, None), slice(0, 1), slice(1, 2))
        found = {name: float(error[at].mean() / own[at].mean()) for name, at in zip(names, parts, strict=False)}
        found[names[-1]] = float(draws.var(1)[:, 2:].mean() / experiment.exact.variance[:, 2:].mean())
    return found | {"forwards": prior.forwards, "VJPs": prior.products, "seconds": seconds}


def evaluate_fronts(quick: bool, seed: int) -> Iterator[dict]:
    """Lines of every front by every guidance."""
    for case in FRONTS:
        experiment = set_up_front(case, 12 if quick else 24, seed)
        for name in QUICK_FRONT_METHODS if quick else FRONT_METHODS:
            found = run_front(experiment, *FRONT_METHODS[name], members=16 if quick else 32, seed=seed)
            yield {"case": case.name, "method": f"latent front, {name}"} | found
