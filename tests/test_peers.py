"""The adapters of the posterior benchmark: peers solve the problem they are given, and are counted as we are."""

import math
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
import torch

from genda_lite.observe.likelihood import LinearGaussian
from genda_lite.posterior.guidance import oi_covariance, sda
from genda_lite.verify.closed_form import CASES, Counting, set_up

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))
bench, peers = import_module("posterior"), import_module("posterior_peers")
SIGMA = torch.tensor(0.7)


def task_of(name: str, share: int | None = None) -> peers.Task:
    """One truth, three members; of the observations every `share`-th."""
    experiment = set_up(replace(CASES[name], truths=1, members=3))
    likelihood = experiment.likelihood
    if share:
        points = likelihood.operator
        points.index, points.weight = points.index[::share], points.weight[::share]
        likelihood = LinearGaussian(points, likelihood.value[:, ::share], likelihood.variance[::share])
    rows = LinearGaussian(likelihood.operator, likelihood.value.expand(3, -1), likelihood.variance)
    draws = experiment.prior.spectrum.sample(3, generator=torch.Generator().manual_seed(1))
    return peers.Task(Counting(experiment.prior), rows, None, draws)


@pytest.fixture
def task() -> peers.Task:
    return task_of("Gaussian, 2 %")


@pytest.mark.parametrize("corrections", [0, 1])
def test_genda_is_score_based_data_assimilation_in_its_own_variables(task, corrections):
    """Rozet & Louppe (2023): x(t) = a x0 + b n, a network that predicts n, its guidance (sec. 3.2), the exponential
    integrator and Langevin corrections (sec. 3.3)."""
    steps, gamma, tau, least = 12, 0.1, 0.1, 1e-3

    def levels(i):
        if i == steps:  # ours ends with the mean
            return 1.0, 0.0
        a = math.cos(math.acos(math.sqrt(least)) * (1 - i / steps)) ** 2
        return a, math.sqrt(1 - a**2 + least**2)

    def noise(x, a, b):
        """n as estimated given the observations."""
        x = x.detach().requires_grad_()
        n = (x - a * task.prior.denoise(x / a, torch.tensor(b / a))) / b
        variance = task.likelihood.variance + gamma * (b / a) ** 2
        fit = -((task.likelihood.value - task.likelihood.operator((x - b * n) / a)) ** 2 / variance).sum() / 2
        return (n - b * torch.autograd.grad(fit, x)[0]).detach()

    torch.manual_seed(0)
    a, b = levels(0)
    x = a * task.start(torch.tensor(b / a))
    for i in range(steps):
        (a, b), (a_s, b_s) = levels(i), levels(i + 1)
        x = a_s / a * x + (b_s - a_s / a * b) * noise(x, a, b)
        for _ in range(corrections if b_s else 0):
            n = noise(x, a_s, b_s)
            delta = tau / n.square().mean((1, 2, 3), keepdim=True)
            x = x - b_s * delta * n + b_s * (2 * delta).sqrt() * torch.randn_like(x)
    torch.manual_seed(0)
    ours = peers.genda(task, steps, gamma, corrections, tau)
    torch.testing.assert_close(ours, x, rtol=1e-3, atol=1e-3)


def guided(task, method, schedule="ve", **options):
    """E[x0 | x, y] of azula at one noise level, and the state (3, 1, 64, 64)."""
    denoiser = peers.azula_guided(task, method, schedule, **options)
    sigmas = denoiser.schedule(times := torch.linspace(0, 1, 2001))
    at = times[int((sigmas[1] / sigmas[0] - SIGMA).abs().argmin())]
    alpha, sigma = denoiser.schedule(at)
    x = task.start(sigma / alpha)
    mean = denoiser((alpha * x).flatten(1), at).mean.unflatten(1, task.prior.shape)
    return x, sigma / alpha, mean


@pytest.mark.parametrize("schedule", ["vp", "cosine", "ve"])
@pytest.mark.parametrize(("method", "options"), [("mmps", {"iterations": 60}), ("jfps", {"iterations": 60})])
def test_azula_is_exact_where_its_method_is(task, method, options, schedule):
    """Moment matching, and a covariance of the state, give the exact mean of a Gaussian once their solver converges."""
    pytest.importorskip("azula.guidance")
    x, sigma, mean = guided(task, method, schedule, **options)
    torch.testing.assert_close(mean, oi_covariance(task.prior, task.likelihood, None)(x, sigma), rtol=0, atol=2e-3)


def test_tmpd_is_exact_for_one_observation():
    pytest.importorskip("azula.guidance")
    task = task_of("Gaussian, 2 %", share=1000)
    x, sigma, mean = guided(task, "tmpd")
    torch.testing.assert_close(mean, oi_covariance(task.prior, task.likelihood, None)(x, sigma), rtol=0, atol=1e-4)


def test_diffpir_solves_its_proximal_step(task):
    """argmin |y - H x|^2 / R + lambda / sigma^2 |x - D|^2, at points: a weighted mean."""
    pytest.importorskip("azula.guidance")
    x, sigma, mean = guided(task, "diffpir", lmbda=3.0)
    estimate = task.prior.denoise(x, sigma)
    weight = sigma**2 / 3.0 / (sigma**2 / 3.0 + task.likelihood.variance)
    innovation = task.likelihood.value - task.likelihood.operator(estimate)
    expected = estimate + task.likelihood.operator.adjoint(weight * innovation)
    torch.testing.assert_close(mean, expected, rtol=0, atol=1e-4)


def test_physicsnemo_is_sda(task):
    pytest.importorskip("physicsnemo.diffusion.samplers")
    _, score = peers.physicsnemo_score(task, gamma=0.03)
    x = task.start(SIGMA)
    mean = x + SIGMA**2 * score(x, SIGMA.expand(3))
    torch.testing.assert_close(mean, sda(task.prior, task.likelihood, None, gamma=0.03)(x, SIGMA), rtol=0, atol=1e-4)


UNITS = {  # forwards, VJPs of six steps
    "GenDA": (6, 6),
    "azula DPS": (6, 6),
    "azula PiGDM": (6, 6),
    "azula TMPD": (6, 12),
    "azula DiffPIR": (6, 0),
    "azula MMPS": (6, 12),
    "azula JFPS": (6, 0),
    "PhysicsNeMo SDA": (6, 6),
}


@pytest.mark.parametrize("name", UNITS)
def test_every_peer_draws_members_and_is_counted(task, name):
    peer = peers.PEERS[name]
    if reason := peer.missing():
        pytest.skip(reason)
    torch.manual_seed(0)
    settings = {knob: values[0] for knob, values in peer.knobs.items()}
    members = peer.run(task, 6, **peer.fixed, **settings)
    assert members.shape == (3, 1, 64, 64) and members.isfinite().all()
    assert (task.prior.forwards, task.prior.products) == UNITS[name]
    assert not torch.equal(members[0], members[1])


# --- The benchmark itself --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Gaussian, 2 %", "mixture, 2 %"])
def test_members_of_the_exact_posterior_score_one(name):
    problem = bench.exact_problem(replace(CASES[name], truths=6, members=8), 0)
    assert bench.noise(problem, repeats=3)["mean"] == pytest.approx(1, abs=0.02)
    wrong = problem.exact(0) * 1.3
    assert problem.score(wrong).mean() > 1.03


def toy(task, steps, a=0.0, b=0.0):
    """Best at a = 2, b = 3, and the better the more steps."""
    for _ in range(steps):
        task.prior.denoise(task.draws, torch.tensor(1.0))
    return torch.full_like(task.draws, (a - 2) ** 2 + (b - 3) ** 2 + 1 / steps)


def test_tuning_finds_the_best_setting_for_each_budget():
    problem = bench.exact_problem(replace(CASES["Gaussian, 2 %"], truths=1, members=2), 0)
    problem = problem._replace(score=lambda draws: draws.mean((1, 2, 3)))
    trials = bench.tune(problem, "toy", peers.Peer(toy, "genda_lite", {"a": (0, 1, 2), "b": (5, 3)}, (4, 20, 40)))
    found = bench.chosen(trials)
    assert [trial["units"] for trial in found] == [4, 20, 40]
    assert all(trial["settings"] == {"a": 2, "b": 3} for trial in found)


def test_verdicts_compare_ours_at_a_share_of_the_units():
    def line(method, units, score, spread=0.0):
        ours = method in bench.METHODS
        by_truth = [score - spread, score + spread, score]
        return {"case": "x", "method": method, "units": units, "score": score, "by truth": by_truth, "ours": ours}

    lines = [line("default", 160, 1.01), line("default", 16, 1.04), line("fast", 5, 1.2)]
    peer = line("azula MMPS", 480, 1.02)
    assert bench.verdict(lines, peer, 1 / 3)["verdict"] == "better"
    assert bench.verdict(lines, peer | {"units": 60}, 1 / 3)["verdict"] == "worse"
    assert bench.verdict(lines, peer | {"units": 15}, 1 / 3)["our method"] == "fast"
    assert bench.verdict(lines, peer | {"units": 12}, 1 / 3)["verdict"] == "ours has none so cheap"
    assert bench.verdict(lines, line("azula MMPS", 480, 1.0, spread=0.1), 1 / 3)["verdict"] == "equal"
    goals = bench.verdicts([*lines, peer, line("GenDA, gamma 0.1", 512, 1.2)])
    assert [goal["peer"] for goal in goals[:2]] == ["azula MMPS", "GenDA, gamma 0.1"]
    assert goals[1]["our units"] == 16 and goals[1]["verdict"] == "better"
