"""Small worlds for tests of the package, and a browser for the tests that need one."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from genda_lite.errors import InputError
from genda_lite.nature.dynamics import Channel
from genda_lite.nature.twins import DESIGNS
from genda_lite.prior import Domain, GaussianPrior
from genda_lite.state import CHANNELS, Grid, Standardizer

HARMLESS: tuple[str, ...] = ()  # parts of console errors that are known and harmless; there is none
MISSING = "no Chromium on this machine: `apt-get install chromium`, or `playwright install chromium`"


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Tiny tensors gain nothing from threads, and one thread adds up in the same order every time."""
    torch.set_num_threads(1)


@pytest.fixture
def refuses() -> Callable:
    """`with refuses("zos", "expected"):` demands an InputError of one sentence that holds these words."""

    @contextmanager
    def check(*words: str) -> Iterator[None]:
        with pytest.raises(InputError) as caught:
            yield
        message = str(caught.value)
        assert "\n" not in message
        for word in words:
            assert word in message, f"{word!r} is not in {message!r}"

    return check


# Mean, change per degree of latitude, cosine and sine of the season, and scale; a new channel gets its own, too.
CLIMATES = {
    "zos": (0.5, -0.10, 0.0, 0.0, 0.3),
    "thetao": (18.0, -1.2, -4.0, -2.0, 2.5),
    "so": (35.5, -0.3, 0.1, 0.05, 0.5),
    "u_ageo_eddy": (0.0, 0.01, 0.0, 0.0, 0.12),
    "v_ageo_eddy": (0.0, -0.01, 0.0, 0.0, 0.11),
    "uas": (3.0, 0.2, 2.0, 0.5, 6.0),
    "vas": (0.5, -0.1, 0.3, -0.2, 5.0),
}


@pytest.fixture(scope="session")
def standardizer() -> Standardizer:
    """A climatology with a different slope and season for every channel, so that none passes for another."""
    latitude = np.linspace(33.0, 43.0, 11)
    rows = [CLIMATES.get(name, (k, 0.1 * k, 0.0, 0.0, 0.1 * k)) for k, name in enumerate(CHANNELS)]
    mean, slope, cosine, sine, scale = np.array(rows, float).T
    constant = mean[:, None] + slope[:, None] * (latitude - 38)
    cosine, sine = (part[:, None] * np.ones(11) for part in (cosine, sine))
    ekman = (4.0 + 0.1 * latitude) * np.exp(-1j * (0.8 + 0.01 * latitude)) * 50
    return Standardizer(latitude, np.stack([constant, cosine, sine]), scale, ekman)


@pytest.fixture(scope="session")
def grid() -> Grid:
    """16 x 16 cells of 1/12 degree."""
    return Grid.around(-60.0, 38.0, (16, 16))


def red_covariance(ny: int, nx: int, channels: int, seed: int = 0) -> torch.Tensor:
    """A red spectrum whose channels are correlated at large scales and independent at small ones."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(channels, channels)) + 2 * np.eye(channels)
    correlated = mixing @ mixing.T / channels
    wavenumber = np.hypot(np.arange(ny)[:, None], np.arange(nx))
    power = (1 + (wavenumber / 2) ** 2) ** -1.5
    large = np.exp(-wavenumber / 4)[..., None, None]
    covariance = power[..., None, None] * (large * correlated + (1 - large) * np.eye(channels))
    return torch.from_numpy(8 * covariance).float()


@pytest.fixture(scope="session")
def covariance() -> torch.Tensor:
    """(16, 16, C, C) of all channels."""
    return red_covariance(16, 16, len(CHANNELS))


@pytest.fixture(scope="session")
def small_covariance() -> torch.Tensor:
    """(8, 8, 3, 3): small enough for dense matrices."""
    return red_covariance(8, 8, 3, seed=1)


@pytest.fixture(scope="session")
def domain() -> Domain:
    return Domain((33.0, 43.0), (-72.0, -52.0))


@pytest.fixture(scope="session")
def gaussian_prior(covariance, standardizer, domain) -> GaussianPrior:
    return GaussianPrior(covariance, standardizer, domain)


@pytest.fixture
def small_sea(monkeypatch) -> None:
    """Simulated oceans with 16 km cells, written in parts of two days: the machinery without the wait."""
    coarse = Channel(nx=128, ny=84, dx=16e3, dt=2700.0)
    monkeypatch.setattr("genda_lite.nature.run.Channel", lambda: coarse)
    for twin, design in DESIGNS.items():
        monkeypatch.setitem(DESIGNS, twin, design._replace(channel=coarse))
    monkeypatch.setattr("genda_lite.nature.dataset.PART_DAYS", 2)


@pytest.fixture(scope="session")
def browser() -> Iterator:
    """Chromium without a window: the system's, else the one Playwright has installed."""
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        known = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
        executable = next(filter(None, known), playwright.chromium.executable_path)
        if not Path(executable).exists():
            pytest.skip(MISSING)
        # Tests may run as root, where Chromium's sandbox does not.
        chromium = playwright.chromium.launch(executable_path=executable, chromium_sandbox=False)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser) -> Iterator:
    """A new page; `page.faults` records console errors and requests to another host, wherever it goes."""
    page = browser.new_page()
    page.faults = []
    local = ("file:", "data:", "blob:", "http://127.0.0.1:")

    def request(request):
        if not request.url.startswith(local):
            page.faults.append(f"{page.url} asked for {request.url}")

    def said(message):
        if message.type == "error" and not any(known in message.text for known in HARMLESS):
            page.faults.append(f"{page.url}: {message.text}")

    page.on("request", request)
    page.on("requestfailed", lambda request: page.faults.append(f"{page.url} did not get {request.url}"))
    page.on("console", said)
    page.on("pageerror", lambda error: page.faults.append(f"{page.url}: {error}"))
    yield page
    page.close()
