"""The built book: complete in itself, and alive without a kernel."""

import functools
import http.server
import re
import subprocess
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SITE = ROOT / "_build" / "html"


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves the site without a line in the log for every file."""

    def do_GET(self):
        # Chromium asks for this of its own accord where a page names no icon (the redirecting first page).
        if self.path == "/favicon.ico":
            self.send_response(204)
            self.end_headers()
        else:
            super().do_GET()

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def site():
    """Address of the book, served as it would be on the web."""
    if not SITE.exists():
        pytest.skip("the book is not built: run `make book`, or `make test`, which builds it first")
    handler = functools.partial(Quiet, directory=SITE)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_pages_ask_no_other_host_for_anything_and_log_no_error(page, site):
    names = sorted(path.relative_to(SITE) for path in SITE.rglob("*.html") if "_static" not in path.parts)
    assert Path("book/05_osse.html") in names
    for name in names:
        page.goto(f"{site}/{name}", wait_until="networkidle")
    assert page.faults == []


def test_mathematics_is_typeset(page, site):
    page.goto(f"{site}/book/index.html")
    page.wait_for_selector("mjx-container")


def test_the_chapter_on_products_describes_its_figures(page, site):
    page.goto(f"{site}/book/02_products.html")
    figures = page.locator("article figure")
    assert figures.count() >= 12
    for figure in figures.all():
        assert len(figure.locator("img").get_attribute("alt")) > 30
        assert figure.locator("figcaption").inner_text().startswith("Fig.")
    assert page.locator("article .solution.dropdown").count() >= 4
    assert page.locator("article .cell_output table").count() >= 6


def test_the_chapter_on_the_observing_problem_describes_its_figures(page, site):
    page.goto(f"{site}/book/01_observing.html")
    figures = page.locator("article figure:has(img)")
    assert figures.count() >= 9
    for figure in figures.all():
        assert len(figure.locator("img").get_attribute("alt")) > 30
        assert figure.locator("figcaption").text_content().strip().startswith("Fig.")  # some are folded away
    assert page.locator("article .solution.dropdown").count() >= 4
    assert page.locator("article .cell_output table").count() >= 5


def test_one_mission_after_another_fills_the_map(page, site):
    page.goto(f"{site}/book/01_observing.html")
    host = page.locator("[data-genda-explorer=ready]").first
    slider = host.get_by_role("slider")
    seen = []
    for key in ("Home", "End"):
        slider.press(key)
        seen.append(host.locator("canvas[data-panel=spread]").evaluate("canvas => canvas.toDataURL()"))
        seen.append(float(host.locator("[data-score=expected]").inner_text().split()[0]))
    assert seen[0] != seen[2] and seen[1] > 2 * seen[3]


def test_the_chapter_on_bayes_describes_its_figures(page, site):
    page.goto(f"{site}/book/04_bayes.html")
    figures = page.locator("article figure:has(img)")
    assert figures.count() >= 8
    for figure in figures.all():
        assert len(figure.locator("img").get_attribute("alt")) > 30
        assert figure.locator("figcaption").text_content().strip().startswith("Fig.")
    assert page.locator("article .solution.dropdown").count() >= 4


def test_exact_and_sampled_posterior_stand_side_by_side(page, site):
    page.goto(f"{site}/book/04_bayes.html")
    host = page.locator("[data-genda-explorer=ready]").first
    method = host.get_by_role("slider", name="Method")
    ratio = {}
    for key in ("Home", "ArrowRight", "ArrowRight", "ArrowRight"):
        method.press(key)
        told = host.locator("[data-score=seen]").inner_text()
        ratio[host.get_attribute("data-dial-method")] = float(told.split()[0])
    assert list(ratio) == ["default", "fast", "SDA 0.1", "SDA 0.01"]
    assert 0.8 < ratio["default"] < 1.2 and ratio["SDA 0.01"] < 0.5


NARROW = ("01_observing", "02_products", "04_bayes", "05_osse")
NARROW += ("teach", "notation", "glossary", "api", "api_prior", "data", "cite")


@pytest.mark.parametrize("name", NARROW)
def test_pages_fit_a_narrow_screen(page, site, name):
    page.set_viewport_size({"width": 380, "height": 800})
    page.goto(f"{site}/book/{name}.html", wait_until="networkidle")
    width, room = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert width <= room


def test_the_page_for_teachers_shows_figures_of_the_chapters(page, site):
    page.goto(f"{site}/book/teach.html")
    pictures = page.locator(".figure-gallery-entry img")
    assert pictures.count() >= 10
    for picture in pictures.all():
        assert len(picture.get_attribute("alt")) > 30 and picture.evaluate("picture => picture.naturalWidth") > 100
    page.locator(".figure-gallery-entry a").first.click()
    assert "/book/01_observing.html#fig-" in page.url
    assert page.locator(page.url[page.url.index("#") :]).is_visible()


def test_the_reference_explains_arguments_and_results(page, site):
    page.goto(f"{site}/book/api_prior.html")
    for name in ("posterior.assimilate.assimilate", "prior.checkpoint.load_prior", "baselines.optimal_interpolation"):
        entry = page.locator(f"dt[id='genda_lite.{name}'] + dd")
        assert len(entry.inner_text()) > 200
        assert entry.locator("dl.field-list").count() >= 1  # arguments, what is returned and raised


def test_the_page_on_citing_says_what_the_citation_file_says(page, site):
    page.goto(f"{site}/book/cite.html")
    told = page.locator("article").inner_text()
    version = re.search(r"^version: (\S+)", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)[1]
    address = re.search(r"url: &repository (\S+)", (ROOT / "_config.yml").read_text())[1]
    assert f"version = {{{version}}}" in told and address in told and "10.1029/2025MS005063" in told


def test_the_slider_of_the_first_chapter_moves_the_picture(page, site):
    page.goto(f"{site}/book/05_osse.html")
    host = page.locator("[data-genda-explorer=ready]").first
    canvas = host.locator("canvas[data-panel=spread]")
    before = canvas.evaluate("canvas => canvas.toDataURL()")
    slider = host.get_by_role("slider").first
    slider.focus()
    slider.press("ArrowRight")
    assert canvas.evaluate("canvas => canvas.toDataURL()") != before


def test_the_repository_has_one_address():
    """`_config.yml` decides; files that cannot derive the address from it must at least agree."""
    address = re.search(r"url: &repository (\S+)", (ROOT / "_config.yml").read_text())[1]
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md", "*.ipynb", "*.cff", "*.py"]
    for name in subprocess.run(listed, cwd=ROOT, capture_output=True, text=True).stdout.split():
        found = re.findall(r"https://github\.com/[\w.-]+/genda_lite\b", (ROOT / name).read_text())
        assert set(found) <= {address}, name
