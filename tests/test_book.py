"""The built book: complete in itself, and alive without a kernel."""

import functools
import http.server
import re
import runpy
import threading
from pathlib import Path

import pytest
from matplotlib.colors import to_rgb

ROOT = Path(__file__).parents[1]
SITE = ROOT / "_build" / "html"
GROUND, INK = map(runpy.run_path(ROOT / "book" / "_ext" / "dark_ink.py").get, ("GROUND", "INK"))
SHOTS = ROOT / "_build" / "screenshots"


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


# Pictures that wait until a reader comes near them are loaded.
LOADED = """() => Promise.all([...document.images].filter((image) => image.getClientRects().length).map((image) => {
  image.loading = "eager";
  return image.decode();
}))"""


def pages() -> list[str]:
    return sorted(str(p.relative_to(SITE)) for p in SITE.rglob("*.html") if "_static" not in p.parts)


def test_the_book_has_its_pages():
    if not SITE.exists():
        pytest.skip("the book is not built")
    assert {"book/index.html", "book/01_observing.html", "book/05_osse.html", "book/06_ose.html"} <= set(pages())


@pytest.mark.parametrize("name", pages() or ["none"])
def test_pages_ask_no_other_host_log_no_error_and_fit_a_narrow_screen(page, site, name):
    """In light, dark and narrow; the pictures stay in _build/screenshots, to be looked at."""
    folder = SHOTS / Path(name).parent
    folder.mkdir(parents=True, exist_ok=True)
    page.goto(f"{site}/{name}", wait_until="networkidle")
    for scheme, width in (("light", 1280), ("dark", 1280), ("light", 380)):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        page.evaluate(LOADED)
        shot = folder / f"{Path(name).stem}-{scheme if width > 400 else 'narrow'}.png"
        page.screenshot(path=shot, full_page=True)
        scroll, room = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert scroll <= room or width > 400
    assert page.faults == []


# The lightness of two colours as WCAG 2.1 compares them, for every element that has text of its own; of what lies
# beneath it, the nearest that is opaque. What is hidden needs no contrast.
CONTRAST = """root => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const above = (e) => e.parentElement ?? e.getRootNode().host;
  const paper = (e) => {
    for (; e; e = above(e)) {
      const colour = parse(getComputedStyle(e).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const e of root.querySelectorAll("*")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    const style = getComputedStyle(e);
    if (!own || !e.getClientRects().length || style.visibility === "hidden") continue;
    if (["STYLE", "SCRIPT"].includes(e.tagName)) continue;
    const ink = parse(e.namespaceURI.endsWith("svg") ? style.fill : style.color);
    const [a, b] = [light(ink), light(paper(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.push(`${e.tagName} ${e.textContent.trim().slice(0, 30)}: ${ratio.toFixed(2)}`);
  }
  return poor;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_explorer_is_legible(page, site, scheme):
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{site}/book/index.html")
    host = explored(page)
    assert host.get_attribute("data-mode") == scheme
    assert host.evaluate(f"host => ({CONTRAST})(host.shadowRoot)") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_first_screen_is_legible_and_stands_at_the_top(page, site, scheme):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(f"{site}/book/index.html")
    page.wait_for_selector("[data-genda-figure=first_screen][data-state=ready]")
    host = page.locator("[data-genda-figure=first_screen]")
    assert host.get_attribute("data-mode") == scheme
    assert host.evaluate(f"host => ({CONTRAST})(host.shadowRoot)") == []
    boxes = [canvas.bounding_box() for canvas in host.locator("canvas").all()]
    assert max(box["y"] + box["height"] for box in boxes if box) < 800
    assert host.bounding_box()["y"] < page.locator("article p").first.bounding_box()["y"]


@pytest.mark.parametrize("name", ["index", "01_observing", "05_osse", "06_ose"])
def test_running_text_is_legible_in_the_dark(page, site, name):
    page.emulate_media(color_scheme="dark")
    page.goto(f"{site}/book/{name}.html", wait_until="networkidle")
    paragraphs = "root => [...root.querySelectorAll('article > section > p, article section > p')]"
    poor = page.locator("article").first.evaluate(f"root => ({paragraphs})(root).flatMap({CONTRAST})")
    assert poor == []


# Of each pair of pictures: whether dark and light are seen, whether they are alike, and the dark one's first pixel.
PAIRS = """() => [...document.querySelectorAll("article img[src*='_images/'].only-light")].map((light) => {
  const dark = light.closest("span").querySelector("img.only-dark");
  const canvas = document.createElement("canvas").getContext("2d");
  canvas.drawImage(dark, 0, 0);
  const seen = [dark, light].map((image) => getComputedStyle(image).display !== "none");
  const size = (image) => [image.alt, image.getAttribute("width"), image.getAttribute("height")].join();
  const alike = size(dark) === size(light) && dark.naturalWidth > 100;
  return [...seen, alike, [...canvas.getImageData(0, 0, 1, 1).data]];
})"""


@pytest.mark.parametrize("name", ["01_observing", "02_products", "03_prior", "04_bayes", "05_osse", "06_ose"])
def test_every_figure_of_a_chapter_is_dark_on_a_dark_page(page, site, name):
    page.emulate_media(color_scheme="dark")
    page.goto(f"{site}/book/{name}.html", wait_until="networkidle")
    page.wait_for_selector("html[data-theme=dark]")
    page.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
    page.evaluate(LOADED)
    dark = "[...document.querySelectorAll('article img.only-dark')]"
    page.wait_for_function(f"{dark}.every((image) => image.complete && image.naturalWidth)")
    pairs = page.evaluate(PAIRS)
    assert len(pairs) == page.locator("article img[src*='_images/']:not(.only-dark)").count() >= 8
    body = "getComputedStyle(document.body)"
    ground, ink = (f"rgb{tuple(round(255 * v) for v in to_rgb(colour))}" for colour in (GROUND, INK))
    assert page.evaluate(f"[{body}.backgroundColor, {body}.color]") == [ground, ink]
    for *told, pixel in pairs:
        assert told == [True, False, True]
        assert pixel == pytest.approx([*(255 * v for v in to_rgb(GROUND)), 255], abs=3)  # heavy halves are lossy


def explored(page):
    """The first pack's explorer of a page, once it is drawn."""
    host = page.locator("[data-genda-explorer][data-pack]").first
    host.scroll_into_view_if_needed()
    page.wait_for_function("host => host.dataset.gendaExplorer === 'ready'", arg=host.element_handle())
    return host


@pytest.mark.parametrize("name", ["index", "05_osse"])
def test_every_control_of_the_explorer_changes_the_figure_by_keyboard_alone(page, site, name):
    page.goto(f"{site}/book/{name}.html")
    host = explored(page)
    drawn = (
        "host => JSON.stringify([...host.shadowRoot.querySelectorAll('figure:not([hidden]) canvas')]"
        ".map((canvas) => canvas.toDataURL()))"
    )
    handle, reached = host.element_handle(), set()
    host.locator("#channel").focus()
    for _ in range(16):
        at, kind, last = host.evaluate(
            "host => { const e = host.shadowRoot.activeElement; return [e?.id, e?.type, e?.value === e?.max]; }"
        )
        if kind in ("button", "file"):  # what plays members, or computes
            page.keyboard.press("Tab")
            continue
        if not at:
            break  # past the controls
        reached.add(at.rsplit("-", 1)[0] if kind == "radio" else at)
        before = host.evaluate(drawn)
        key = {"checkbox": "Space", "select-one": "ArrowDown"}.get(kind, "ArrowLeft" if last else "ArrowRight")
        page.keyboard.press(key)
        page.wait_for_function(f"([host, before]) => ({drawn})(host) !== before", arg=[handle, before])
        page.wait_for_function("host => host.dataset.gendaExplorer === 'ready'", arg=handle)
        page.keyboard.press("Tab")
    assert reached == {"channel", *(f"dial-{i}" for i in range(6)), "view"}
    told = "host => host.shadowRoot.querySelector('[role=status]').textContent"
    page.wait_for_function(f"host => ({told})(host).includes('CRPS')", arg=handle)
    assert page.faults == []


def test_the_explorer_is_usable_on_a_narrow_screen(page, site):
    page.set_viewport_size({"width": 380, "height": 800})
    page.goto(f"{site}/book/index.html")
    host = explored(page)
    for control in host.locator("input:not([type=radio]), .buttons label, select, canvas[data-panel]").all():
        box = control.bounding_box()
        if box:
            assert box["x"] >= 0 and box["x"] + box["width"] <= 380


def test_the_packs_are_light():
    if not SITE.exists():
        pytest.skip("the book is not built")
    size = sum(path.stat().st_size for path in (SITE / "_static" / "explorer").iterdir())
    assert 0 < size < 3e6, f"{size / 1e6:.1f} MB"


def test_mathematics_is_typeset(page, site):
    page.goto(f"{site}/book/index.html")
    page.wait_for_selector("mjx-container")


def test_the_chapter_on_products_describes_its_figures(page, site):
    page.goto(f"{site}/book/02_products.html")
    figures = page.locator("article figure")
    assert figures.count() >= 12
    for figure in figures.all():
        assert len(figure.locator("img.only-light").get_attribute("alt")) > 30
        assert figure.locator("figcaption").inner_text().startswith("Fig.")
    assert page.locator("article .solution.dropdown").count() >= 4
    assert page.locator("article .cell_output table").count() >= 6


def test_the_chapter_on_the_observing_problem_describes_its_figures(page, site):
    page.goto(f"{site}/book/01_observing.html")
    figures = page.locator("article figure:has(img)")
    assert figures.count() >= 9
    for figure in figures.all():
        assert len(figure.locator("img.only-light").get_attribute("alt")) > 30
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
        assert len(figure.locator("img.only-light").get_attribute("alt")) > 30
        assert figure.locator("figcaption").text_content().strip().startswith("Fig.")
    assert page.locator("article .solution.dropdown").count() >= 4


def test_the_chapter_against_the_drifters_describes_its_figures_and_shows_its_tables(page, site):
    page.goto(f"{site}/book/06_ose.html")
    figures = page.locator("article figure:has(img)")
    assert figures.count() >= 7
    for figure in figures.all():
        assert len(figure.locator("img.only-light").get_attribute("alt")) > 30
        assert figure.locator("figcaption").text_content().strip().startswith("Fig.")
    assert page.locator("article .solution.dropdown").count() >= 4
    assert page.locator("article .cell_output table").count() >= 5


def test_the_days_of_the_experiment_pass_under_a_slider(page, site):
    page.goto(f"{site}/book/06_ose.html")
    host = page.locator("[data-genda-explorer=ready]").first
    slider, drawn = host.get_by_role("slider"), []
    for key in ("Home", "End"):
        slider.press(key)
        drawn += [
            host.locator(f"canvas[data-panel={panel}]").evaluate("canvas => canvas.toDataURL()")
            for panel in ("mean", "drifters", "spread")
        ]
    assert len(set(drawn)) == 6 and page.faults == []


def test_exact_and_sampled_posterior_stand_side_by_side(page, site):
    page.goto(f"{site}/book/04_bayes.html")
    host = page.locator("[data-genda-explorer=ready]").first
    ratio = {}
    for name in ("default", "fast", "SDA 0.1", "SDA 0.01"):
        host.get_by_role("radio", name=name, exact=True).check()
        told = host.locator("[data-score=seen]").inner_text()
        ratio[host.get_attribute("data-dial-method")] = float(told.split()[0])
    assert list(ratio) == ["default", "fast", "SDA 0.1", "SDA 0.01"]
    assert 0.8 < ratio["default"] < 1.2 and ratio["SDA 0.01"] < 0.5


def test_the_page_for_teachers_shows_figures_of_the_chapters(page, site):
    page.goto(f"{site}/book/teach.html")
    pictures = page.locator(".figure-gallery-entry img.only-light")
    assert pictures.count() >= 10
    page.evaluate(LOADED)
    for picture in pictures.all():
        assert len(picture.get_attribute("alt")) > 30 and picture.evaluate("picture => picture.naturalWidth") > 100
    page.locator(".figure-gallery-entry a").first.click()
    assert "/book/01_observing.html#fig-" in page.url
    assert page.locator(page.url[page.url.index("#") :]).is_visible()


def test_the_reference_explains_arguments_and_results(page, site):
    page.goto(f"{site}/book/api_prior.html")
    interpolation = "baselines.interpolation.optimal_interpolation"
    for name in ("posterior.assimilate.assimilate", "prior.checkpoint.load_prior", interpolation):
        entry = page.locator(f"dt[id='genda_lite.{name}'] + dd")
        assert len(entry.inner_text()) > 200
        assert entry.locator("dl.field-list").count() >= 1  # arguments, what is returned and raised


def test_the_page_on_citing_says_what_the_citation_file_says(page, site):
    page.goto(f"{site}/book/cite.html")
    told = page.locator("article").inner_text()
    version = re.search(r"^version: (\S+)", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)[1]
    address = re.search(r"url: &repository (\S+)", (ROOT / "_config.yml").read_text())[1]
    assert f"version = {{{version}}}" in told and address in told and "10.1029/2025MS005063" in told
