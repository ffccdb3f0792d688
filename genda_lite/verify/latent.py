"""How well posteriors are sampled through a latent space: against those that are known exactly.

Three questions, each with its own exact answer.

*Linear latents.* Truths are draws of a Gaussian or a mixture on 64 x 64 points, and the posterior is that of the
complete state, not of what latents can draw of it (`verify.closed_form`). With the error of representation told and the
residual drawn, the latents of a Gaussian must reach it at any compression; without, the overconfidence is measured. A
mixture's residual is a mixture, too, and drawn as a Gaussian: a second row compares with the posterior of just that.

*A decoder that is not linear*: a front of two parameters (`verify.front`).

*An oracle*: latents observed as the encoder sees the complete truth (`latent.guidance.encoded_observations`). Its draws
are scored against the truth itself, and others beside it likewise. Wasserstein-1 is given, too: the distance between
the pooled values of one draw and those of the truth. It does not see where anything is.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from scipy.stats import wasserstein_distance
from torch import Tensor

from ..baselines.closed_form import exact_posterior
from ..latent.guidance import encoded_observations, sample_states
from ..latent.prior import LatentPrior, linear_latents
from ..posterior.assimilate import DEFAULT, FAST, Settings, sample_posterior
from ..prior.mixture import MixturePrior
from .closed_form import CASES, Counting, Experiment, figure, scores, set_up
from .front import evaluate_fronts, repeated

KEPT = {4: 32, 16: 16, 64: 8}  # compression -> modes along y and x that are kept, of 64
GAUSSIAN, MIXTURE = "Gaussian, 10 %", "mixture, 10 %"
OWN = "mixture of Gaussian residual, 10 %"  # the posterior of what is sampled
TRUTHS, QUICK_TRUTHS = {GAUSSIAN: 8, MIXTURE: 48}, {GAUSSIAN: 2, MIXTURE: 8}
TARGETS = {"Gaussian": 1.01, "mixture": 1.02, "front": 1.05, "variance": (0.95, 1.05)}
ORACLE = {"every": 1, "error": 0.5}  # of latents, standard deviations

# --- Linear latents --------------------------------------------------------------------------------------------------


def calibration(draws: Tensor, experiment: Experiment) -> dict[str, float]:
    """Of draws (T M, C, ny, nx): spread over error of the mean, and error of the mean over the exact posterior's. Both
    are expectations over all truths that the exact posterior allows. What the finite number of members adds is
    removed."""
    members = draws.double().unflatten(0, (experiment.case.truths, experiment.case.members))
    size, exact = experiment.case.members, experiment.exact
    spread, left = members.var(1).mean(), exact.variance.mean()
    error = ((members.mean(1) - exact.mean) ** 2).mean() + left
    return {
        "spread / error": float((spread * (1 + 1 / size) / error).sqrt()),
        "RMSE / exact": float(((error - spread / size) / left).sqrt()),
    }


def run_linear(
    experiment: Experiment, prior: LatentPrior, settings: Settings, residual: bool = True, seed: int = 0
) -> tuple[Tensor, dict[str, float]]:
    """Draws of every truth's posterior through linear latents, and what they cost."""
    case = experiment.case
    counted, count = Counting(prior), case.truths * case.members
    start = time.perf_counter()
    draws = sample_states(
        counted, repeated(experiment.likelihood, case.members), None, count, seed, *settings, count, residual
    )
    seconds = time.perf_counter() - start
    return draws, {"forwards": counted.forwards, "VJPs": counted.products, "seconds": seconds}


def of_gaussian_residual(prior: MixturePrior, kept: int) -> MixturePrior:
    """The mixture that linear latents stand for: the modes left out have the same variance in all components."""
    covariances = []
    for component in prior.components:
        variance = prior.spectrum.variance[0].clone()
        variance[:kept, :kept] = component.variance[0, :kept, :kept]
        covariances.append(variance[..., None, None])
    patterns = prior.components[0].basis(prior.means)
    patterns[..., kept:, :] = 0.0
    patterns[..., :, kept:] = 0.0
    means = prior.components[0].basis.inverse(patterns)
    return MixturePrior(prior.weights, means, covariances)


def evaluate_linear(quick: bool, seed: int) -> Iterator[dict]:
    """Lines of linear latents, a Gaussian's and a mixture's."""
    for name in (GAUSSIAN, MIXTURE):
        truths = (QUICK_TRUTHS if quick else TRUTHS)[name]
        experiment = set_up(replace(CASES[name], truths=truths, members=16 if quick or name == MIXTURE else 32), seed)
        for compression, kept in KEPT.items():
            if quick and name == MIXTURE and compression > 16:
                continue
            prior = linear_latents(experiment.prior, (kept, kept))
            ways = {"default": (DEFAULT, True), "fast": (FAST, True), "without residual": (FAST, False)}
            if name == MIXTURE:
                ways.pop("fast")
            for way, (settings, residual) in ways.items():
                draws, cost = run_linear(experiment, prior, settings, residual, seed)
                label = {"case": name, "method": f"latent linear {compression}x, {way}"}
                yield label | scores(draws, experiment) | calibration(draws, experiment) | cost
                if name == MIXTURE and residual:
                    own = of_gaussian_residual(experiment.prior, kept)
                    exact = exact_posterior(own, experiment.likelihood, experiment.likelihood.value)
                    known = experiment._replace(exact=exact)
                    yield label | {"case": OWN} | scores(draws, known) | calibration(draws, known) | cost


# --- Against the truth itself ----------------------------------------------------------------------------------------


def against_truth(draws: Tensor, experiment: Experiment) -> dict[str, float]:
    """Scores of draws (T M, C, ny, nx) against the truths: fair CRPS and the error of the mean, both over those of the
    exact posterior; spread over error; and Wasserstein-1 between the pooled values of one draw and those of the truth
    (standard deviations)."""
    truth, exact = experiment.truth.double()[:, None], experiment.exact
    members = draws.double().unflatten(0, (len(truth), -1))
    size = members.shape[1]
    spread = members.var(1).mean() if size > 1 else members.new_tensor(math.nan)
    order = 2.0 * torch.arange(1, size + 1, dtype=members.dtype) - size - 1
    pairs = torch.einsum("m,tmcyx->tcyx", order, members.sort(1).values).mean() / max(size * (size - 1), 1)
    own = exact.variance.clamp(min=0).sqrt().mean() / math.sqrt(math.pi)  # CRPS of a Gaussian that is right
    error = ((members.mean(1) - truth[:, 0]) ** 2).mean()
    pooled = [wasserstein_distance(a.flatten(), b.flatten()) for a, b in zip(members[:, 0], truth[:, 0], strict=True)]
    return {
        "CRPS of truth / exact": float(((members - truth).abs().mean() - pairs) / own),
        "RMSE of truth / exact": float((error / exact.variance.mean()).sqrt()),
        "spread / error": float((spread * (1 + 1 / size) / error).sqrt()),
        "Wasserstein-1": float(np.mean(pooled)),
    }


def evaluate_oracle(quick: bool, seed: int) -> Iterator[dict]:
    """Lines of the oracle, of guidance through the decoder, and of the truth of another day, at 16x: all of the same
    truths, and none with a target."""
    case = replace(CASES[GAUSSIAN], truths=4 if quick else 16, members=16)
    experiment = set_up(case, seed)
    case, prior = experiment.case, linear_latents(experiment.prior, (KEPT[16], KEPT[16]))
    generator = torch.Generator().manual_seed(seed + 1)
    oracle = encoded_observations(prior.autoencoder, experiment.truth, generator=generator, **ORACLE)
    count = case.truths * case.members
    z = sample_posterior(prior, repeated(oracle, case.members), None, count, seed, *FAST, count)
    found = {
        "oracle": prior.autoencoder.decode(z),
        "linear 16x": run_linear(experiment, prior, FAST, seed=seed)[0],
        "linear 16x without residual": run_linear(experiment, prior, FAST, False, seed)[0],
        "truth of another day": experiment.truth.roll(1, 0),
    }
    for name, draws in found.items():
        yield {"case": f"{GAUSSIAN}, truth", "method": f"latent {name}"} | against_truth(draws, experiment)


# --- The table -------------------------------------------------------------------------------------------------------


def evaluate_latent(quick: bool = False, seed: int = 0) -> Iterator[dict]:
    """All cases; lines as of `closed_form.evaluate_posterior`.

    Args:
        quick: fewer truths, members and guidances.
    """
    yield from evaluate_linear(quick, seed)
    yield from evaluate_fronts(quick, seed)
    yield from evaluate_oracle(quick, seed)


def rows_of_latent(lines: list[dict]) -> list[dict]:
    """Lines of `evaluate_latent` as rows, see `closed_form.rows_of`. Targets are those of the default, of the fast
    method for a Gaussian and of the statistical one for a front: CRPS, and of linear latents of a Gaussian the
    variances."""
    shown = ("CRPS", "spread / error", "variance, observed", "variance, unobserved", "Wasserstein-1", "RMSE of truth")
    rows = []
    for line in lines:
        kind = line["case"].split(",")[0].split(" ")[0]
        way = line["method"].split(", ", 1)[-1]
        judged = way == "default" or (kind, way) in (("Gaussian", "fast"), ("front", "statistical"))
        for score in (name for name, value in line.items() if name not in ("case", "method") and value == value):
            target: tuple = ()
            if judged and score == "CRPS / exact":
                target = None, TARGETS[kind]
            elif judged and kind == "Gaussian" and score in ("variance, observed", "variance, unobserved"):
                target = TARGETS["variance"]
            rows.append(figure(line, score, *target, detail=not (target or score.startswith(shown))))
    return [made | {"met": False} if made["target"] and made["value"] == math.inf else made for made in rows]
