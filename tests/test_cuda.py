"""What runs on a graphics card gives what the processor gives; without one, a pretended card refuses what it would."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
import xarray as xr
from test_train import rings, trainer

import genda_lite as gl
from genda_lite.baselines.closed_form import exact_posterior
from genda_lite.baselines.interpolation import climatological_ensemble, interpolated_ensemble
from genda_lite.nature.physics import Physics
from genda_lite.nature.run import NatureRun
from genda_lite.observe.instruments import DAY
from genda_lite.posterior.assimilate import sample_posterior
from genda_lite.posterior.guidance import GUIDANCES
from genda_lite.posterior.problem import build_problem
from genda_lite.sources import Archive
from genda_lite.state import Grid
from genda_lite.verify.engine import OURS_FAST
from genda_lite.verify.ose.experiment import USUAL, Experiment, Setting

PRETENDED = "GENDA_PRETENDED_CARD" in os.environ
needs_card = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA graphics card on this machine")

GRID = Grid.around(-60.0, 38.0, (64, 64))
DATE = np.datetime64("2000-07-01T12", "ns")


@pytest.fixture
def card():
    """The name of the device. Convolutions on real cards round to ten bits unless told not to."""
    if PRETENDED:
        from pretended import pretended

        with pretended() as name:
            yield name
        return
    if not torch.cuda.is_available():
        pytest.skip("no CUDA graphics card on this machine")
    before, torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.allow_tf32, False
    yield "cuda"
    torch.backends.cudnn.allow_tf32 = before


def pretend(*options: str) -> None:
    """Run tests of this file on a pretended card, in a process of their own."""
    if torch.cuda.is_available() or PRETENDED:
        pytest.skip("there is a card")
    pytest.importorskip("torch.utils.backend_registration")
    if not hasattr(torch.utils.backend_registration, "_setup_privateuseone_for_python_backend"):
        pytest.skip("this PyTorch cannot pretend a device")
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *options, __file__]
    done = subprocess.run(command, env=os.environ | {"GENDA_PRETENDED_CARD": "1"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_experiment_on_a_pretended_card():
    pretend("-k", "test_the_experiment and not pretended")


@pytest.mark.slow
def test_all_on_a_pretended_card():
    pretend()


@pytest.fixture(scope="module")
def observations() -> gl.Observations:
    """300 points of sea level of four days, and 300 of temperature; their errors partly shared."""
    rng = np.random.default_rng(0)
    parts = []
    for name, usual, error, reference_error in (("zos", 0.5, 0.05, 0.05), ("thetao", 22.0, 0.5, 0.0)):
        latitude, longitude = (rng.uniform(p.min(), p.max(), 300) for p in (GRID.latitude, GRID.longitude))
        values = usual + 2 * error * rng.standard_normal(300)
        time = DATE + rng.integers(-2, 2, 300) * DAY
        coords = {"latitude": latitude, "longitude": longitude, "time": time}
        points = xr.Dataset({name: ("point", values)}, {key: ("point", one) for key, one in coords.items()})
        parts.append(gl.Observations.from_points(points, name, error, reference_error=reference_error))
    return parts[0] + parts[1]


def on(device: str, observations, make, **options):
    prior = gl.load_prior(device=device)
    problem = build_problem(prior, observations, grid=GRID, date=DATE, **options)
    assert problem.likelihood.value.device.type == device
    return make(prior, problem).cpu()


def alike(a: torch.Tensor, b: torch.Tensor, tolerance: float) -> bool:
    return bool(((a - b).square().mean() / b.square().mean()).sqrt() < tolerance)


@pytest.mark.parametrize("guidance", GUIDANCES)
def test_guided_ensembles(card, observations, guidance):
    def make(prior, problem):
        return sample_posterior(prior, problem.likelihood, problem.context, 3, 1, guidance, steps=6, batch=2)

    there, processor = (on(device, observations, make, decorrelation=7.0) for device in (card, "cpu"))
    assert alike(there, processor, 0.02)


@pytest.mark.parametrize("method", [interpolated_ensemble, None])
def test_gaussian_ensembles(card, observations, method):
    def make(prior, problem):
        if method is None:
            return climatological_ensemble(prior, 3, 1).draws
        return method(prior, problem.likelihood, 3, 1).draws

    there, processor = (on(device, observations, make) for device in (card, "cpu"))
    assert alike(there, processor, 0.01)


def test_closed_form(card, observations):
    few = observations.select(np.arange(len(observations)) % 5 == 0)

    def make(device):
        prior = gl.load_prior("gaussian", device=device)
        likelihood = build_problem(prior, few, grid=GRID, date=DATE).likelihood
        return exact_posterior(prior, likelihood, likelihood.value[None]).mean.cpu()

    assert alike(make(card), make("cpu"), 1e-3)


@needs_card
def test_mixed_precision(card, observations):
    """In bfloat16 an ensemble differs by far less than its spread."""
    problem = build_problem(gl.load_prior(device="cuda"), observations, grid=GRID, date=DATE)

    def make(mixed: bool):
        prior = gl.load_prior(device="cuda", mixed=mixed)
        return sample_posterior(prior, problem.likelihood, problem.context, 8, 1, steps=12)

    rounded, full = make(True), make(False)
    assert (rounded - full).square().mean() < 0.1 * full.var(0).mean()


def test_the_experiment(card):
    """A day of the embedded twin, a window of it."""
    setting = Setting(members=2, steps=3, cell=72.0, box=(-62.667, -57.416, 35.333, 40.584))
    names = (*USUAL, OURS_FAST)
    days = {
        device: dict(Experiment(Archive(), setting, device).analyse(np.datetime64("2000-07-01"), names))
        for device in (card, "cpu")
    }
    for name in names:
        for field, one in days["cpu"][name].items():
            other = days[card][name][field]
            assert float(((other - one) ** 2).mean() ** 0.5) < 0.02 * float(one.std()), (name, field)


def test_an_ocean_is_simulated(card):
    """The first day, before chaos tells."""
    there, processor = (NatureRun(Physics.draw(2, 0), 7, device=device).advance_day() for device in (card, "cpu"))
    for field in range(processor.shape[1]):
        assert alike(there[:, field].cpu().double(), processor[:, field].double(), 0.02), field


@needs_card
def test_training(card, standardizer):
    """The same windows and noise: losses differ by rounding only."""
    data = rings(standardizer)
    trainers = (trainer(data, device=device) for device in (card, "cpu"))
    there, processor = ([one.train_step() for _ in range(8)] for one in trainers)
    assert np.allclose(there, processor, rtol=0.02)
