"""What runs on a graphics card gives what the processor gives."""

import numpy as np
import pytest
import torch
import xarray as xr
from test_train import rings, trainer

import genda_lite as gl
from genda_lite.baselines import climatological_ensemble, exact_posterior, interpolated_ensemble
from genda_lite.instruments import DAY
from genda_lite.nature.physics import Physics
from genda_lite.nature.run import NatureRun
from genda_lite.posterior.assimilate import pose, sample_posterior
from genda_lite.posterior.guidance import METHODS
from genda_lite.sources import Archive
from genda_lite.state import Grid
from genda_lite.verify.experiment import METHODS as COMPARED
from genda_lite.verify.experiment import Experiment, Setting

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA graphics card on this machine")

GRID = Grid.around(-60.0, 38.0, (64, 64))
DATE = np.datetime64("2000-07-01T12", "ns")


@pytest.fixture(autouse=True)
def full_precision():
    """Convolutions on cards round to ten bits unless told not to."""
    before, torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.allow_tf32, False
    yield
    torch.backends.cudnn.allow_tf32 = before


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
    problem = pose(prior, observations, grid=GRID, date=DATE, **options)
    assert problem.likelihood.value.device.type == device
    return make(prior, problem).cpu()


def alike(a: torch.Tensor, b: torch.Tensor, tolerance: float) -> bool:
    return bool(((a - b).square().mean() / b.square().mean()).sqrt() < tolerance)


@pytest.mark.parametrize("guidance", METHODS)
def test_guided_ensembles(observations, guidance):
    def make(prior, problem):
        return sample_posterior(prior, problem.likelihood, problem.context, 3, 1, guidance, steps=6, batch=2)

    card, processor = (on(device, observations, make, decorrelation=7.0) for device in ("cuda", "cpu"))
    assert alike(card, processor, 0.02)


@pytest.mark.parametrize("method", [interpolated_ensemble, None])
def test_gaussian_ensembles(observations, method):
    def make(prior, problem):
        if method is None:
            return climatological_ensemble(prior, 3, 1).draws
        return method(prior, problem.likelihood, 3, 1).draws

    card, processor = (on(device, observations, make) for device in ("cuda", "cpu"))
    assert alike(card, processor, 0.01)


def test_closed_form(observations):
    few = observations.select(np.arange(len(observations)) % 5 == 0)

    def make(device):
        prior = gl.load_prior("gaussian", device=device)
        likelihood = pose(prior, few, grid=GRID, date=DATE).likelihood
        return exact_posterior(prior, likelihood, likelihood.value[None]).mean.cpu()

    assert alike(make("cuda"), make("cpu"), 1e-3)


def test_mixed_precision(observations):
    """In bfloat16 an ensemble differs by far less than its spread."""
    problem = pose(gl.load_prior(device="cuda"), observations, grid=GRID, date=DATE)

    def make(mixed: bool):
        prior = gl.load_prior(device="cuda", mixed=mixed)
        return sample_posterior(prior, problem.likelihood, problem.context, 8, 1, steps=12)

    rounded, full = make(True), make(False)
    assert (rounded - full).square().mean() < 0.1 * full.var(0).mean()


def test_the_experiment_by_all_methods():
    """A day of the embedded twin, a window of it."""
    setting = Setting(members=2, steps=3, cell=72.0, box=(-62.667, -57.416, 35.333, 40.584))
    names = [name for name in COMPARED if "GenDA" not in name]
    days = {
        device: dict(Experiment(Archive(), setting, device).analyse(np.datetime64("2000-07-01"), names))
        for device in ("cuda", "cpu")
    }
    for name in names:
        for field, one in days["cpu"][name].items():
            other = days["cuda"][name][field]
            assert float(((other - one) ** 2).mean() ** 0.5) < 0.02 * float(one.std()), (name, field)


def test_an_ocean_is_simulated():
    """The first day, before chaos tells."""
    card, processor = (NatureRun(Physics.draw(2, 0), 7, device=device).advance_day() for device in ("cuda", "cpu"))
    for field in range(card.shape[1]):
        assert alike(card[:, field].cpu().double(), processor[:, field].double(), 0.02), field


def test_training(standardizer):
    """The same windows and noise: losses differ by rounding only."""
    data = rings(standardizer)
    trainers = (trainer(data, device=device) for device in ("cuda", "cpu"))
    card, processor = ([one.train_step() for _ in range(8)] for one in trainers)
    assert np.allclose(card, processor, rtol=0.02)
