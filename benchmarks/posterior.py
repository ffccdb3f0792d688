"""Guided sampling beside its peers: how good an ensemble is for how many calls of the same denoiser.

    python benchmarks/posterior.py --table data_samples/results/peers.csv --figure peers.png --json peers.json
    python benchmarks/posterior.py --quick                        # two cases, few truths: does it work?
    python benchmarks/posterior.py --prior default                # the shipped prior on held-out oceans, CRPS of truths

Posteriors are those of `genda_lite.verify.closed_form`, known in closed form; cost is counted in units, forwards plus
vector-Jacobian products (VJPs) of the denoiser, in the same way for all. The peers and how to install them: see
`posterior_peers.py`; those that are not installed are left out.

Peers are tuned, in every case by itself: a search along one knob after the other, for each number of steps, on other
truths and seeds than those reported. Then for each budget of units the setting that tuning liked best within it is
run on the truths reported. Ours is not tuned: its defaults are the same in all cases, and for fewer units it takes the
default guidance in as many steps as they allow, or, where these are less than eight, the fast one.
"""

import argparse
import copy
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
from posterior_peers import PEERS, Peer, Task
from torch import Tensor

from genda_lite import Grid, load_prior
from genda_lite.baselines.closed_form import Marginals
from genda_lite.files import atomic_path
from genda_lite.observe.likelihood import LinearGaussian
from genda_lite.observe.operators import Points
from genda_lite.posterior.assimilate import DEFAULT, FAST, sample_posterior
from genda_lite.posterior.solve import InnovationSolver, interpolated, perturbations
from genda_lite.prepare import to_state
from genda_lite.prior import Prior
from genda_lite.prior.base import grid_context
from genda_lite.prior.mixture import MixturePrior
from genda_lite.sources import load_sample
from genda_lite.verify.closed_form import CASES, POINTS, Counting, ExactCase, Experiment, crps_ratio, set_up
from genda_lite.verify.table import tidy, write_table

BUDGETS = (16, 32, 64, 128, 256)  # units
TUNING_SEED = 1000  # added to the seed
DIVERGED = 1e6  # score of an ensemble that is not finite
REFERENCE, PUBLISHED_STEPS = "GenDA, gamma 0.1", 256


# --- What is sampled -------------------------------------------------------------------------------------------------


class Problem(NamedTuple):
    """Posteriors of some truths, to be sampled with some members each.

    `likelihood` has a row for each member, those of one truth after the other; `draws` are of the prior, one for each
    member; `score` gives each truth's score of all members (T M, C, ny, nx), less is better.
    """

    name: str
    prior: Prior
    likelihood: LinearGaussian
    context: Tensor | None
    draws: Tensor
    score: Callable[[Tensor], Tensor]
    exact: Callable[[int], Tensor] | None = None


def one_row_each(likelihood: LinearGaussian, members: int) -> LinearGaussian:
    """The likelihood with each truth's values repeated for its members."""
    rows = copy.copy(likelihood)
    rows.value = likelihood.value.repeat_interleave(members, 0)
    return rows


def ratios(draws: Tensor, exact: Marginals, members: int) -> Tensor:
    """CRPS / exact of each truth."""
    ensembles = draws.double().unflatten(0, (-1, members))
    cases = [Marginals(w[None], m[None], exact.variances, exact.misfit) for w, m in zip(*exact[:2], strict=True)]
    return torch.tensor([crps_ratio(x[None], one) for x, one in zip(ensembles, cases, strict=True)])


def exact_members(experiment: Experiment, rows: LinearGaussian, seed: int) -> Tensor:
    """Draws from the exact posterior: its component by chance, then the mean and a perturbation of that Gaussian."""
    generator, prior, size = torch.Generator().manual_seed(seed), experiment.prior, experiment.case.members
    is_mixture = isinstance(prior, MixturePrior)
    components = prior.components if is_mixture else [prior.spectrum]
    means = prior.means if is_mixture else torch.zeros(1, *prior.shape)
    which = torch.multinomial(experiment.exact.weights.repeat_interleave(size, 0), 1, generator=generator)[:, 0]
    members = torch.empty(len(rows.value), *prior.shape)
    for k, (component, mean) in enumerate(zip(components, means, strict=True)):
        own = which == k
        values = rows.value[own] - rows.operator(mean[None])
        given = LinearGaussian(rows.operator, values, rows.variance, rows.shared)
        errors = given.variance.sqrt() * torch.randn(values.shape, generator=generator)
        gaussian = SimpleNamespace(spectrum=component, covariance=component.posterior_covariance)
        solve = InnovationSolver(gaussian, given)
        draws = component.sample(int(own.sum()), generator=generator)
        spread = perturbations(solve, torch.tensor(torch.inf), draws, errors)
        members[own] = mean + interpolated(solve) + spread
    return members


def exact_problem(case: ExactCase, seed: int) -> Problem:
    """A case of `verify.posterior`."""
    experiment, generator = set_up(case, seed), torch.Generator().manual_seed(seed + 1)
    rows = one_row_each(experiment.likelihood, case.members)
    draw = experiment.prior.sample if isinstance(experiment.prior, MixturePrior) else experiment.prior.spectrum.sample
    return Problem(
        case.name,
        experiment.prior,
        rows,
        None,
        draw(len(rows.value), generator=generator),
        partial(ratios, exact=experiment.exact, members=case.members),
        partial(exact_members, experiment, rows),
    )


def learned_problem(prior: Prior, fraction: float, truths: int, members: int, seed: int) -> Problem:
    """The learned prior and oceans it has not seen: sea level and temperature at a share of the cells each, with errors
    of a tenth of a standard deviation. One box, many dates; the score is the CRPS, in standard deviations."""
    rng, oceans = np.random.default_rng(seed), load_sample("nature_heldout")
    whole, (ny, nx) = Grid(oceans["latitude"].values, oceans["longitude"].values), prior.shape[1:]
    south, west = (rng.integers(have - need) for have, need in zip(whole.shape, (ny, nx), strict=True))
    grid = Grid(whole.latitude[south : south + ny], whole.longitude[west : west + nx])
    frames = [oceans.isel(member=m, time=t) for m in oceans["member"].values for t in range(oceans.sizes["time"])]
    chosen = [frames[i] for i in np.sort(rng.permutation(len(frames))[:truths])]
    box = {"latitude": slice(south, south + ny), "longitude": slice(west, west + nx)}
    truth = torch.stack(
        [prior.standardizer.to_tensor(to_state(frame, prior.standardizer).isel(box)) for frame in chosen]
    )
    context = torch.cat([grid_context(prior.domain, grid, frame["time"].values, True) for frame in chosen])

    cells = [rng.permutation(ny * nx)[: round(fraction * ny * nx)] for _ in range(2)]
    rows, columns = np.divmod(np.concatenate(cells), nx)
    channel = np.repeat([0, 1], len(cells[0]))
    operator, observed = (
        Points(grid, channel, grid.latitude[rows], grid.longitude[columns], channels) for channels in (len(truth[0]), 2)
    )
    seen = operator(truth)
    generator = torch.Generator().manual_seed(seed)
    values = seen + 0.1 * torch.randn(seen.shape, generator=generator)
    likelihood = LinearGaussian(operator, values, torch.full(seen.shape[1:], 0.01))
    likelihood.observed_channels, likelihood.observed_operator = [0, 1], observed

    def score(draws: Tensor) -> Tensor:
        ensembles = draws.unflatten(0, (truths, members)).double()
        order = 2.0 * torch.arange(1, members + 1, dtype=torch.float64) - members - 1
        halves = torch.einsum("m,tmcyx->tcyx", order, ensembles.sort(1).values) / (members * (members - 1))
        return ((ensembles - truth[:, None]).abs().mean(1) - halves).mean((1, 2, 3))

    draws = prior.spectrum.sample(truths * members, generator=generator)
    name = f"learned, {100 * fraction:g} %"
    return Problem(name, prior, one_row_each(likelihood, members), context.repeat_interleave(members, 0), draws, score)


# --- Runs ------------------------------------------------------------------------------------------------------------


def ours(task: Task, steps: int, guidance: str, sampler: str = "sde-2m", seed: int = 0) -> Tensor:
    """The package's own posterior, all members in one batch."""
    count = len(task.draws)
    return sample_posterior(
        task.prior, task.likelihood, task.context, count, seed, guidance, sampler, steps, batch=count
    )


METHODS = {  # and the steps of their curves; the settings of `assimilate` are among them
    "default": Peer(ours, "genda_lite", {}, (8, 12, 21, 42, DEFAULT.steps), {"guidance": DEFAULT.guidance}),
    "fast": Peer(ours, "genda_lite", {}, (5, 10, FAST.steps, 48), {"guidance": FAST.guidance}),
    "OI-Jacobian": Peer(ours, "genda_lite", {}, (8, 32), {"guidance": "oi-jacobian"}),
    "MMPS": Peer(ours, "genda_lite", {}, (4, 8, 16, 32), {"guidance": "mmps"}),
}
SETTINGS = {"default": DEFAULT.steps, "fast": FAST.steps}  # those of `assimilate`


def measure(problem: Problem, method: str, peer: Peer, steps: int, settings: dict, seed: int = 0) -> dict:
    """One ensemble for each truth, as a row of the table."""
    counting = Counting(problem.prior)
    task = Task(counting, problem.likelihood, problem.context, problem.draws)
    torch.manual_seed(seed)
    start = time.process_time()
    members = peer.run(task, steps, **peer.fixed, **settings)
    seconds = time.process_time() - start
    by_truth = problem.score(members).nan_to_num(DIVERGED, DIVERGED).clamp(max=DIVERGED)
    return {
        "case": problem.name,
        "method": method,
        "steps": steps,
        "settings": settings,
        "forwards": counting.forwards,
        "VJPs": counting.products,
        "units": counting.forwards + counting.products,
        "seconds": round(seconds, 3),
        "score": float(by_truth.mean()),
        "by truth": [round(v, 5) for v in by_truth.tolist()],
    }


def tune(problem: Problem, method: str, peer: Peer) -> list[dict]:
    """Trials of a search along one knob after the other, for each number of steps from what was best in fewer. The most
    steps are tried with what was best in fewer alone."""
    settings, trials = {knob: values[0] for knob, values in peer.knobs.items()}, []
    for steps in peer.steps:
        best = measure(problem, method, peer, steps, settings)
        trials.append(best)
        if steps == peer.steps[-1] and len(peer.steps) > 1:
            break
        for knob, values in peer.knobs.items():
            for value in values:
                if value != settings[knob]:
                    trials.append(measure(problem, method, peer, steps, settings | {knob: value}))
                    best = min(best, trials[-1], key=lambda trial: trial["score"])
            settings = best["settings"]
    return trials


def chosen(trials: list[dict]) -> list[dict]:
    """For each budget the trial with the best score within it, each once."""
    best = []
    for budget in BUDGETS:
        within = [trial for trial in trials if trial["units"] <= budget]
        if within and (found := min(within, key=lambda trial: trial["score"])) not in best:
            best.append(found)
    return best


def run(tuning: Problem, test: Problem, quick: bool, peers: dict[str, Peer]) -> Iterator[dict]:
    """Tune peers on one problem and report on the other; `fixed` marks settings that are not chosen by tuning."""
    for method, peer in METHODS.items():
        for steps in peer.steps[:-1] if quick else peer.steps:
            line = measure(test, method, peer, steps, {})
            yield line | {"ours": True, "fixed": SETTINGS.get(method) == steps}
    for method, peer in peers.items():
        trials = tune(tuning, method, replace(peer, steps=peer.steps[:2]) if quick else peer)
        for trial in chosen(trials):
            line = measure(test, method, peer, trial["steps"], trial["settings"])
            yield line | {"ours": False, "fixed": False}
        if method.startswith("GenDA"):  # at its published number of steps
            best = min((t for t in trials if t["steps"] == max(t["steps"] for t in trials)), key=lambda t: t["score"])
            gammas = {"gamma 0.1": 0.1, "gamma 0.01": 0.01, "best gamma": best["settings"]["gamma"]}
            done = {}
            for label, gamma in gammas.items():
                settings = best["settings"] | {"gamma": gamma}
                if gamma not in done:
                    done[gamma] = measure(test, method, peer, 32 if quick else PUBLISHED_STEPS, settings)
                yield done[gamma] | {"method": method.replace("GenDA", f"GenDA, {label}"), "ours": False, "fixed": True}


# --- What comes of it ------------------------------------------------------------------------------------------------


def difference(one: dict, other: dict) -> tuple[float, float]:
    """By how much one score is above another, and the standard error, from the truths in pairs."""
    by_truth = np.subtract(one["by truth"], other["by truth"])
    return float(by_truth.mean()), float(by_truth.std(ddof=1) / math.sqrt(len(by_truth)))


def verdict(lines: list[dict], peer: dict, share: float) -> dict:
    """Ours at a share of a peer's units: the default guidance, or the fast one where that is too dear, in as many steps
    as the units allow."""

    def affordable(method: str) -> list[dict]:
        return [line for line in lines if line["method"] == method and line["units"] <= share * peer["units"]]

    own = affordable("default") or affordable("fast")
    made = {"case": peer["case"], "peer": peer["method"], "units": peer["units"], "score": peer["score"]}
    if not own:
        return made | {"verdict": "ours has none so cheap"}
    best = max(own, key=lambda line: line["units"])
    above, error = difference(best, peer)
    said = "better" if above < -2 * error else "worse" if above > 2 * error else "equal"
    return made | {
        "our method": best["method"],
        "our units": best["units"],
        "our score": best["score"],
        "difference": above,
        "standard error": error,
        "verdict": said,
    }


def verdicts(lines: list[dict]) -> list[dict]:
    """The two goals in each case: the best peer's CRPS at a third of its units, GenDA's published setting at a
    twentieth. Then the first against every peer that none betters at its cost or below."""
    found = []
    for case in dict.fromkeys(line["case"] for line in lines):
        own = [line for line in lines if line["case"] == case]
        peers = sorted((line for line in own if not line["ours"]), key=lambda line: (line["units"], line["score"]))
        front = [p for i, p in enumerate(peers) if all(p["score"] < cheaper["score"] for cheaper in peers[:i])]
        if front:
            found.append({"goal": "best peer, a third"} | verdict(own, front[-1], 1 / 3))
        for line in own:
            if line["method"] == REFERENCE:
                found.append({"goal": "GenDA, a twentieth"} | verdict(own, line, 1 / 20))
        found += [{"goal": "any peer, a third"} | verdict(own, peer, 1 / 3) for peer in front]
    return found


def noise(problem: Problem, repeats: int = 8) -> dict:
    """What ensembles drawn from the exact posterior score: its mean is 1, its deviation what chance does."""
    found = [float(problem.score(problem.exact(seed)).mean()) for seed in range(repeats)]
    return {"case": problem.name, "mean": float(np.mean(found)), "deviation": float(np.std(found, ddof=1))}


def published(lines: list[dict], case: str, method: str) -> dict | None:
    """The line of a method that a table shows: of its fixed setting, else at the budget where it is best."""
    own = [line for line in lines if (line["case"], line["method"]) == (case, method)]
    return min([line for line in own if line["fixed"]] or own, key=lambda line: line["score"], default=None)


def score_name(case: str) -> str:
    """What is scored in a case."""
    return "CRPS" if case.startswith("learned") else "CRPS / exact"


GOALS = {  # of `verdicts`, in the words of the table of results
    "best peer, a third": "ours at a third of the best peer's units",
    "GenDA, a twentieth": "ours at a twentieth of GenDA's units",
}


def labelled(lines: list[dict], goals: list[dict], noises: list[dict]) -> Iterator[dict]:
    """What is published as rows of `verify.table`: methods, ours at a share of the cost, exact draws."""
    units = "forwards + VJPs"
    cases, methods = (list(dict.fromkeys(line[key] for line in lines)) for key in ("case", "method"))
    for method in methods:
        for case in cases:
            if line := published(lines, case, method):
                about = {"case": case, "method": method}
                yield about | {"metric": score_name(case), "value": line["score"]}
                yield about | {"metric": units, "value": line["units"]}
    for goal in goals:
        if goal["goal"] in GOALS and "our score" in goal:
            name = GOALS[goal["goal"]]
            about = {"case": goal["case"], "method": name if goal["our method"] == "default" else f"{name}, fast"}
            yield about | {"metric": score_name(goal["case"]), "value": goal["our score"]}
            yield about | {"metric": units, "value": goal["our units"]}
            yield about | {"metric": "difference", "value": goal["difference"]}
            yield about | {"metric": "standard error", "value": goal["standard error"]}
    for made in noises:
        about = {"case": made["case"], "method": "exact posterior"}
        yield about | {"metric": score_name(made["case"]), "value": made["mean"]}
        yield about | {"metric": "deviation", "value": made["deviation"]}


def markdown(lines: list[dict], goals: list[dict]) -> str:
    """The tables: scores by method and budget, then the verdicts."""
    cases = list(dict.fromkeys(line["case"] for line in lines))
    text = [f"| {score_name(cases[0])} (units) | {' | '.join(cases)} |", "|---|" + "---|" * len(cases)]

    for method in dict.fromkeys(line["method"] for line in lines):
        shown = [published(lines, case, method) for case in cases]
        cells = [f"{line['score']:.3f} ({line['units']})" if line else "-" for line in shown]
        text.append(f"| {method} | {' | '.join(cells)} |")
    text += ["", "| goal | case | peer | units | score | ours | units | score | difference | |", "|---|" + "---|" * 9]
    for goal in goals:
        told = [goal["goal"], goal["case"], goal["peer"], goal["units"], f"{goal['score']:.3f}"]
        if "our score" in goal:
            told += [goal["our method"], goal["our units"], f"{goal['our score']:.3f}"]
            told += [f"{goal['difference']:+.3f} ± {goal['standard error']:.3f}"]
        else:
            told += ["-"] * 4
        text.append(f"| {' | '.join(map(str, [*told, goal['verdict']]))} |")
    return "\n".join(text) + "\n"


# Okabe & Ito's colours, which the colour-blind can tell apart; ours are black and blue.
STYLES = {
    "default": ("#000000", "o", 2.6),
    "fast": ("#0072B2", "o", 2.6),
    "OI-Jacobian": ("#000000", "v", 1.0),
    "MMPS": ("#0072B2", "v", 1.0),
    "GenDA": ("#D55E00", "s", 1.5),
    "GenDA, Langevin": ("#D55E00", "D", 1.5),
    "azula DPS": ("#999999", "x", 1.2),
    "azula PiGDM": ("#999999", "+", 1.2),
    "azula TMPD": ("#E69F00", "^", 1.2),
    "azula DiffPIR": ("#56B4E9", "<", 1.2),
    "azula MMPS": ("#009E73", ">", 1.5),
    "azula JFPS": ("#CC79A7", "p", 1.5),
    "PhysicsNeMo SDA": ("#D55E00", "P", 1.2),
}


def picture(lines: list[dict], noises: list[dict], path: Path) -> None:
    """Quality against cost, a panel for each case."""
    cases = list(dict.fromkeys(line["case"] for line in lines))
    columns = min(3, len(cases) + 1)
    rows = math.ceil((len(cases) + 1) / columns)
    figure, axes = plt.subplots(rows, columns, figsize=(4.6 * columns, 4.0 * rows), squeeze=False, layout="constrained")
    learned = cases[0].startswith("learned")
    low, high = 1e-3, 2.0
    for case, axis in zip(cases, axes.flat, strict=False):
        for method, (colour, marker, width) in STYLES.items():
            own = [x for x in lines if (x["case"], x["method"]) == (case, method)]
            own = sorted(own, key=lambda line: line["units"])
            height = [x["score"] if learned else np.clip(x["score"] - 1, low, high) for x in own]
            line = "-" if method in METHODS else "--"
            (drawn,) = axis.plot([x["units"] for x in own], height, line, color=colour, marker=marker, lw=width, ms=6)
            drawn.set_label(f"{method}, ours" if method in METHODS else method)
            drawn.set_zorder(3 if method in METHODS else 2)
        for at, line in enumerate(x for x in lines if x["case"] == case and x["fixed"] and not x["ours"]):
            height = line["score"] if learned else np.clip(line["score"] - 1, low, high)
            label = "GenDA, 256 steps, fixed gamma" if at == 0 else None
            axis.plot(line["units"], height, "*", color="#D55E00", ms=11, mec="k", mew=0.6, label=label, ls="none")
        for made in noises:
            if made["case"] == case:
                chance = max(2 * made["deviation"], low)
                axis.axhspan(low / 2, chance, color="0.9", zorder=0, label="within chance of exact")
        axis.set(xscale="log", yscale="log", title=case, xlabel="forwards + VJPs")
        axis.set_xticks(ticks := [5, 10, 20, 50, 100, 200, 500, 1000], [str(t) for t in ticks])
        axis.minorticks_off()
        if not learned:
            axis.set(ylim=(0.8 * low, 1.15 * high))
            axis.set_yticks([0.001, 0.01, 0.1, 1.0], ["≤ 1.001", "1.01", "1.1", "2"])
        axis.grid(color="0.92", which="major")
        axis.set_axisbelow(True)
    for axis in axes[:, 0]:
        axis.set_ylabel("CRPS (standard deviations)" if learned else "CRPS / exact")
    handles, labels = axes.flat[0].get_legend_handles_labels()
    for axis in list(axes.flat)[len(cases) :]:
        axis.axis("off")
    axes.flat[len(cases)].legend(handles, labels, loc="center", frameon=False)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110, format=path.suffix[1:])


def problems(arguments) -> Iterator[tuple[Problem, Problem]]:
    """Pairs to tune on and to report."""
    seed = arguments.seed
    if arguments.prior:
        prior = load_prior(None if arguments.prior == "default" else arguments.prior)
        truths, members = (1, 4) if arguments.quick else (arguments.truths, arguments.members)
        for fraction in (0.02,) if arguments.quick else (0.02, 0.1):
            tuning = learned_problem(prior, fraction, 1, 4, seed + TUNING_SEED)
            yield tuning, learned_problem(prior, fraction, truths, members, seed)
        return
    names = arguments.case or (["Gaussian, 10 %", "mixture, 2 %"] if arguments.quick else POINTS)
    sizes = ((2, 4), (2, 4)) if arguments.quick else ((8, 2), (arguments.truths, arguments.members))
    for name in names:
        small, large = (replace(CASES[name], truths=t, members=m) for t, m in sizes)
        yield exact_problem(small, seed + TUNING_SEED), exact_problem(large, seed)


def save(made: dict, path: Path | None) -> None:
    """What is done so far."""
    if path:
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(made | {"verdicts": verdicts(made["lines"])}, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description="Guided sampling beside its peers, on the same denoisers.")
    parser.add_argument("--quick", action="store_true", help="two cases, few truths and steps")
    parser.add_argument(
        "--prior", help="'default' or a checkpoint: oceans it has not seen, instead of known posteriors"
    )
    parser.add_argument("--case", nargs="+", choices=POINTS, help="these only")
    parser.add_argument("--truths", type=int, default=10, help="in each case; more of them or of members, less chance")
    parser.add_argument("--members", type=int, default=4, help="of each truth")
    parser.add_argument("--seed", type=int, default=0, help="of truths, observations and members")
    parser.add_argument("--json", type=Path, help="write all rows and verdicts to this file")
    parser.add_argument("--table", type=Path, help="write what is published as a tidy table (CSV) to this file")
    parser.add_argument("--figure", type=Path, help="draw quality against cost to this file")
    parser.add_argument(
        "--redraw", type=Path, metavar="JSON", help="tables and figure of an earlier run; nothing is run"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.redraw:
        made = json.loads(arguments.redraw.read_text())
    else:
        peers = {}
        for name, peer in PEERS.items():
            if reason := peer.missing():
                print(f"{name}: left out ({reason})", flush=True)
            else:
                peers[name] = peer
        made = {"seed": arguments.seed, "quick": arguments.quick, "lines": [], "noise": []}
        for tuning, test in problems(arguments):
            if test.exact:
                made["noise"].append(noise(test))
                print(json.dumps(made["noise"][-1]), flush=True)
            for line in run(tuning, test, arguments.quick, peers):
                made["lines"].append(line)
                save(made, arguments.json)
                shown = {key: value for key, value in line.items() if key not in ("by truth", "ours")}
                print(json.dumps(shown), flush=True)
    goals = verdicts(made["lines"])
    print(markdown(made["lines"], goals))
    if arguments.table:
        packages = {"azula": "azula", "nvidia-physicsnemo": "physicsnemo"}
        known = [f"{name} {version(name)}" for name, module in packages.items() if find_spec(module)]
        settings = f"{arguments.truths} truths of {arguments.members} members each; peers tuned on others, case by case"
        settings = "; ".join([settings, *known])
        about = {"command": "python benchmarks/posterior.py", "settings": settings, "seed": made["seed"]}
        write_table(tidy(labelled(made["lines"], goals, made["noise"])), arguments.table, **about)
    if arguments.figure:
        picture(made["lines"], made["noise"], arguments.figure)


if __name__ == "__main__":
    main()
