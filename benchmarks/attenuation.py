"""What attenuated errors do to guidance: one window of the twin's 30 June, whose tracks are told to be too good.

    python benchmarks/attenuation.py --table data_samples/results/attenuation.csv       # a minute

Prints, for the stated errors and for a fifth of them, the step length s that one iteration of the default takes along
the weights w of optimal interpolation (`guidance.hybrid`) at every noise, a mean over members; and the spread of the
current by it, by the covariance alone (`oi`), and by the network's Jacobian without a length (`oi-jacobian`).
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from genda_lite import load_prior
from genda_lite.baselines.interpolation import chi_square
from genda_lite.observe.likelihood import LinearGaussian
from genda_lite.posterior.assimilate import Settings
from genda_lite.posterior.guidance import hybrid
from genda_lite.posterior.problem import build_problem
from genda_lite.posterior.solve import InnovationSolver
from genda_lite.prior.base import Prior
from genda_lite.sources import Archive
from genda_lite.verify.engine import Task, sampled
from genda_lite.verify.ose.experiment import Experiment, Setting, fields_of
from genda_lite.verify.ose.judge import current_spread
from genda_lite.verify.table import tidy, write_table

WINDOW = (-62.667, -57.416, 35.333, 40.584)  # west, east, south, north
DAY = np.datetime64("2000-06-30")
SETTINGS = Settings("hybrid", "sde-2m", Setting.steps)


class Recorded:
    """The default guidance with one iteration, and its step lengths: {sigma: s}.

    It adds s v to the estimate D, where v = V H'w, and s w'(H V H' + R) w = w'd for the innovation d; so
    s = w'(d - H s v) / w'R w.
    """

    def __init__(self):
        self.lengths: dict[float, float] = {}

    def __call__(self, prior: Prior, likelihood: LinearGaussian, context: torch.Tensor):
        guided, solve = hybrid(prior, likelihood, context, iterations=1), InnovationSolver(prior, likelihood)

        def denoise(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
            found = guided(x, sigma)
            with torch.no_grad():
                innovation = likelihood.value - likelihood.operator(prior.denoise(x, sigma, context))
                weights = solve(sigma, innovation)
                unexplained = likelihood.value - likelihood.operator(found)
                length = (weights * unexplained).sum(-1) / (weights * likelihood.covariance(weights)).sum(-1)
            self.lengths[float(sigma)] = float(length.mean())
            return found

        return denoise


def spread(prior: Prior, task: Task, guidance) -> float:
    """Of the total current (m/s), a mean over the window."""
    ensemble = sampled(prior, SETTINGS, task, guidance)
    return float(current_spread(fields_of(ensemble, prior, task.problem.grid, task.problem.date)).mean())


def labelled(lengths: dict, results: dict) -> Iterator[dict]:
    """Every number as a row of `verify.table`: the case is the errors; of step lengths the zone is the noise."""
    for case, found in results.items():
        for (metric, method), value in found.items():
            yield {"case": case, "method": method, "metric": metric, "value": value}
        for sigma, value in lengths[case].items():
            yield {
                "case": case,
                "method": "default",
                "zone": f"sigma {sigma:.3g}",
                "metric": "step length",
                "value": value,
            }


def main() -> None:
    parser = argparse.ArgumentParser(description="What attenuated errors do to guidance.")
    parser.add_argument("--table", type=Path, help="write all figures as a tidy table (CSV) to this file, too")
    arguments = parser.parse_args()
    prior, archive = load_prior(), Archive()
    lengths, results = {}, {}
    for factor in (1.0, 0.2):
        setting = Setting(box=WINDOW, error_factor=factor)
        seen, _ = Experiment(archive, setting).observations(DAY, timely=True)
        noon = DAY + np.timedelta64(12, "h")
        problem = build_problem(prior, seen, grid=setting.grid, date=noon, decorrelation=setting.decorrelation)
        task, recorded, title = Task(problem, seen, 8, setting.seed), Recorded(), f"errors x {factor:g}"
        found = {("chi_square", ""): chi_square(prior, problem.likelihood).item()}
        for name, guidance in {"default": recorded, "oi": "oi", "oi-jacobian": "oi-jacobian"}.items():
            found["spread", name] = spread(prior, task, guidance)
        lengths[title], results[title] = recorded.lengths, found
    if arguments.table:
        about = {"command": "python benchmarks/attenuation.py", "settings": f"window {WINDOW} of the twin, {DAY}"}
        write_table(tidy(labelled(lengths, results)), arguments.table, **about, seed=Setting.seed)
    print(pd.DataFrame(lengths).rename_axis("sigma").round(2).to_markdown())
    print()
    table = pd.DataFrame(results).rename_axis(["metric", "method"]).round(3)
    print(table.reset_index().to_markdown(index=False))


if __name__ == "__main__":
    main()
