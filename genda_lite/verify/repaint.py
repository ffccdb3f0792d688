"""RePaint against the exact posterior: what DiffDA's way with observations makes of mask, error and resampling.

A Gaussian of 64 points on a ring, some of them observed, its denoiser exact. The posterior is known, and so is what an
ensemble drawn from it would score; guided sampling stands beside. RePaint runs at its published setting (300 steps,
jumps of 10, 10 samples: 2,910 calls) unless its name says otherwise.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ..baselines.closed_form import Marginals
from ..cycle.repaint import WIDTH, calls, kriged, repaint, soft_mask
from ..observe.likelihood import LinearGaussian
from ..observe.operators import Linear
from ..posterior.assimilate import FAST, sample_posterior
from ..prior import GaussianPrior
from ..prior.spectral import INFINITE_NOISE, Basis
from .closed_form import crps_ratio, figure

POINTS, CORRELATION = 64, 3.0  # on the ring; length, in points
RANGE = 600.0 / 28.0  # of kriging: DiffDA's 600 km, in cells of a quarter of a degree
PERFECT = 1e-3  # error of an observation without one: in closed form it must have some
TRUTHS, MEMBERS = 12, 16


@dataclass(frozen=True)
class Painting:
    """A way of repainting: the mask's width (0: hard), whether an error is told, and RePaint's options."""

    width: float = 0.0
    told: bool = False
    fresh: bool = True
    samples: int = 10
    eta: float = 0.0


WAYS = {
    "RePaint, hard mask": Painting(),
    "RePaint, soft mask": Painting(WIDTH),
    "RePaint, hard mask, error told": Painting(told=True),
    "RePaint, soft mask, error told": Painting(WIDTH, told=True),
    "RePaint, hard mask, same noise at each visit": Painting(fresh=False),
    "RePaint, hard mask, no resampling": Painting(samples=1),
    "RePaint, hard mask, no resampling, DDPM": Painting(samples=1, eta=1.0),
}
OURS = "guided, fast"
SHARES, ERRORS = (0.05, 0.1, 0.25), (0.0, 0.1, 0.3)
EVERYWHERE = ("RePaint, hard mask", "RePaint, soft mask", "RePaint, hard mask, error told", OURS)


class Ring(NamedTuple):
    """A prior, what is observed of it (cells (m,), values (T, m), their error), and the exact posterior."""

    prior: GaussianPrior
    cells: Tensor
    values: Tensor
    error: float
    exact: Marginals


def ring(share: float, error: float, truths: int = TRUTHS, seed: int = 0) -> Ring:
    """Draw truths of the k^-4 Gaussian and observe the same points of each."""
    generator = torch.Generator().manual_seed(seed)
    k = 2 * math.pi * torch.fft.fftfreq(POINTS, dtype=torch.float64)
    power = (1 + (CORRELATION * k) ** 2) ** -2
    power = POINTS * power / power.sum()
    prior = GaussianPrior(power[None, :, None, None], None, None, basis=Basis.periodic(1, POINTS))
    prior.state = None
    rows = torch.eye(POINTS).view(-1, 1, 1, POINTS)
    s = prior.covariance(INFINITE_NOISE)(rows).flatten(1).double()
    cells = torch.randperm(POINTS, generator=generator)[: round(share * POINTS)].sort().values
    truth = prior.spectrum.sample(truths, generator=generator).double().flatten(1)
    noise = torch.randn(truths, len(cells), generator=generator, dtype=torch.float64)
    values, variance = truth[:, cells] + error * noise, max(error, PERFECT) ** 2
    gain = torch.linalg.solve(s[cells][:, cells] + variance * torch.eye(len(cells)), s[cells]).T
    mean, spread = values @ gain.T, s.diagonal() - (gain * s[:, cells]).sum(1)
    shape = (-1, 1, 1, 1, POINTS)
    exact = Marginals(mean.new_ones(truths, 1), mean.view(shape), spread.view(1, 1, 1, POINTS), mean.new_zeros(truths))
    return Ring(prior, cells, values, error, exact)


def painted(case: Ring, way: Painting, members: int = MEMBERS, seed: int = 0) -> Tensor:
    """Draws of one way for each truth, (T M, 1, 1, 64)."""
    apart = (torch.arange(POINTS)[:, None] - torch.arange(POINTS)).abs().double()
    distance = torch.minimum(apart, POINTS - apart)
    between = distance[:, case.cells]
    known = kriged(case.values, between, between[case.cells], RANGE, simple=True).float().view(-1, 1, 1, POINTS)
    mask = soft_mask(between, way.width).float().view(1, 1, POINTS)
    return repaint(
        case.prior,
        known.repeat_interleave(members, 0),
        mask,
        len(known) * members,
        seed=seed,
        samples=way.samples,
        eta=way.eta,
        fresh=way.fresh,
        error=case.error if way.told else 0.0,
    )


def guided(case: Ring, members: int = MEMBERS, seed: int = 0) -> Tensor:
    """Draws of guided sampling by the fast method, as of `painted`."""
    m, cells = len(case.cells), case.cells

    def adjoint(y: Tensor) -> Tensor:
        return y.new_zeros(len(y), POINTS).index_add(1, cells, y).view(-1, 1, 1, POINTS)

    operator = Linear(lambda x: x.flatten(1)[:, cells], adjoint, (1, 1, POINTS))
    values = operator.gain * case.values.float().repeat_interleave(members, 0)
    variance = torch.full((m,), (operator.gain * max(case.error, PERFECT)) ** 2)
    count = len(values)
    return sample_posterior(
        case.prior,
        LinearGaussian(operator, values, variance),
        None,
        count,
        seed,
        FAST.guidance,
        FAST.sampler,
        FAST.steps,
        batch=count,
    )


def scores(case: Ring, draws: Tensor) -> dict[str, float]:
    """CRPS over that of the exact posterior, and the variance over the exact one, at observed points and elsewhere."""
    members = draws.double().unflatten(0, (len(case.values), -1))
    variance, exact = members.var(1).mean((0, 1, 2)), case.exact.variances.flatten()
    seen = torch.zeros(POINTS, dtype=torch.bool).index_fill(0, case.cells, True)
    found = {"CRPS / exact": crps_ratio(members, case.exact)}
    for name, at in (("observed", seen), ("unobserved", ~seen)):
        if name == "unobserved" or case.error:  # exact: none at points observed without error
            found[f"variance, {name}"] = float(variance[at].mean() / exact[at].mean())
    return found


def evaluate_repaint(quick: bool = False, seed: int = 0) -> Iterator[dict]:
    """Masks by density and error; further ways at one tenth observed.

    Args:
        quick: one density and error, half of the truths.

    Yields:
        lines with `case`, `method`, `calls` of the denoiser, and scores.
    """
    for share in (0.1,) if quick else SHARES:
        for error in (0.3,) if quick else ERRORS:
            case = ring(share, error, TRUTHS // 2 if quick else TRUTHS, seed)
            label = {"case": f"repainting, {100 * share:g} %, error {error:g}"}
            yield label | {"method": OURS, "calls": FAST.steps} | scores(case, guided(case, seed=seed))
            for name, way in WAYS.items():
                if (way.told and not error) or not (share == 0.1 or name in EVERYWHERE):
                    continue
                found = scores(case, painted(case, way, seed=seed))
                yield label | {"method": name, "calls": calls(samples=way.samples)} | found


def rows_of_repaint(lines: list[dict]) -> list[dict]:
    """Lines of `evaluate_repaint` as rows (see `verify.table.row`); RePaint has no targets, it is reported."""
    rows = []
    for line in lines:
        for score in (name for name in line if name not in ("case", "method")):
            highest = 1.02 if score == "CRPS / exact" and line["method"] == OURS else None
            rows.append(figure(line, score, None, highest, detail=score == "calls"))
    return rows
