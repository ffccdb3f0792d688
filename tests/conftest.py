"""A browser for the tests that need one."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

MISSING = "no Chromium on this machine: `apt-get install chromium`, or `playwright install chromium`"


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

    page.on("request", request)
    page.on("requestfailed", lambda request: page.faults.append(f"{page.url} did not get {request.url}"))
    page.on("console", lambda said: said.type == "error" and page.faults.append(f"{page.url}: {said.text}"))
    page.on("pageerror", lambda error: page.faults.append(f"{page.url}: {error}"))
    yield page
    page.close()
