"""The live explorer in a browser, without Jupyter: the page's own program, fed by the widget's traits.

A small model in the page stands for Jupyter's: it keeps the traits as JSON and binary, and notes what is sent.
"""

import base64
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ipywidgets.widgets.widget import _remove_buffers

import genda_lite as gl
from genda_lite.show import pack
from genda_lite.show.assets import script
from genda_lite.show.static import LEVELS, PROGRAM, packed
from genda_lite.show.widgets import OsseExplorer

ROOT = Path(__file__).parents[1]
MODEL = """
window.Model = class {
  constructor() { this.state = {}; this.heard = {}; this.unsaved = {}; this.sent = []; }
  get(name) { return this.state[name]; }
  set(name, value) {
    if (this.state[name] === value) return;
    this.state[name] = this.unsaved[name] = value;
    this.tell(name);
  }
  on(event, act) { (this.heard[event] ??= []).push(act); }
  off(event, act) { this.heard[event] = this.heard[event].filter((other) => other !== act); }
  tell(name) { for (const act of this.heard[`change:${name}`] ?? []) act(); }
  save_changes() { this.sent.push(this.unsaved); this.unsaved = {}; }
  send(message) { this.sent.push(message); }
  receive({ state, paths, buffers }) {
    paths.forEach((path, i) => {
      const bytes = Uint8Array.from(atob(buffers[i]), (letter) => letter.charCodeAt(0));
      const parent = path.slice(0, -1).reduce((object, key) => object[key], state);
      parent[path.at(-1)] = new DataView(bytes.buffer);
    });
    const other = (name) => JSON.stringify(state[name]) !== JSON.stringify(this.state[name]);
    const changed = Object.keys(state).filter(other);
    Object.assign(this.state, state);
    for (const name of new Set([...changed, "frame"])) this.tell(name);
  }
};
"""
OPEN = """async ([esm, state]) => {
  const { default: { render } } = await import(URL.createObjectURL(new Blob([esm], { type: "text/javascript" })));
  window.model = new Model();
  model.receive(state);
  window.close = render({ model, el: document.body.appendChild(document.createElement("div")) });
}"""


class Notebook:
    """A page that shows a widget, and a kernel that answers it."""

    def __init__(self, page, live: OsseExplorer):
        self.page, self.live = page, live
        self.host = page.locator("[data-genda-explorer]")

    def state(self) -> dict:
        state, paths, buffers = _remove_buffers(self.live.get_state())
        return {"state": state, "paths": paths, "buffers": [base64.b64encode(one).decode() for one in buffers]}

    def open(self) -> None:
        self.page.add_script_tag(content=MODEL)
        self.page.evaluate(OPEN, [str(self.live._esm), self.state()])
        self.wait()

    def wait(self) -> None:
        self.page.wait_for_selector("[data-genda-explorer=ready]")

    def kernel(self, act) -> None:
        """Something happens in the kernel, in a thread without the browser's event loop; the page hears of it."""
        with ThreadPoolExecutor(1) as pool:
            pool.submit(act).result()
        self.page.evaluate("state => model.receive(state)", self.state())

    def sent(self) -> list:
        return self.page.evaluate("model.sent.splice(0)")

    def answer(self) -> dict:
        """Give the kernel what the page has sent."""
        (moved,) = self.sent()
        self.kernel(lambda: [setattr(self.live, name, value) for name, value in moved.items()])
        return moved

    def pixels(self, panel: str) -> str:
        return self.page.locator(f"canvas[data-panel={panel}]").evaluate("canvas => canvas.toDataURL()")

    def at(self, panel: str, row: int, column: int) -> float:
        """What the page says of a cell when it is pointed at."""
        canvas = self.page.locator(f"canvas[data-panel={panel}]")
        box = canvas.bounding_box()
        canvas.hover(position={"x": box["width"] * (column + 0.5) / 64, "y": box["height"] * (row + 0.5) / 64})
        told = self.page.locator(f"figure:has(canvas[data-panel={panel}]) output").inner_text()
        return float(told.replace("\u2212", "-"))

    def score(self, name: str) -> str:
        return self.page.locator(f"[data-score={name}]").inner_text()


def explorer(**options) -> OsseExplorer:
    prior = gl.load_prior("gaussian")
    made = {"gaussian": prior, "twice": prior}
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(OsseExplorer, made, pack.sample_truth(prior), members=2, steps=2, **options).result()


@pytest.fixture
def notebook(page, tmp_path):
    (tmp_path / "page.html").write_text("<!doctype html><html lang=en><meta charset=utf-8><title>t</title><body>")
    page.goto((tmp_path / "page.html").as_uri())
    made = Notebook(page, explorer())
    made.open()
    yield made
    assert page.faults == []


def test_the_ensemble_of_the_kernel_is_drawn(notebook):
    live = notebook.live
    ensemble, scale = live.analysis.zos, live.frame["channels"]["zos"]["scales"]["field"]
    step = (scale["high"] - scale["low"]) / LEVELS
    drawn = {"truth": live.truth.zos, "mean": ensemble.mean("member"), "member_map": ensemble.isel(member=0)}
    for row, column in ((0, 0), (20, 45)):
        for panel, field in drawn.items():
            assert notebook.at(panel, row, column) == pytest.approx(field.values[::-1][row, column], abs=step)
    assert float(notebook.score("crps").split()[0]) == pytest.approx(live.scores[live.setting]["zos"]["crps"], rel=5e-3)
    assert notebook.score("number") == str(len(live.observations)) or len(live.observations) >= 1000


def test_a_move_is_told_to_the_kernel_and_its_answer_is_drawn(notebook):
    page, host = notebook.page, notebook.host
    before = {panel: notebook.pixels(panel) for panel in pack.VIEWS["All"]}
    score, truth = notebook.score("rmse"), notebook.at("truth", 20, 45)
    slider = page.get_by_role("slider", name="Altimeters")
    page.evaluate("document.addEventListener('keydown', () => { window.leaked = true; })")
    slider.focus()
    slider.press("ArrowRight")
    assert not page.evaluate("window.leaked")  # a notebook's own shortcuts use the same keys
    assert host.get_attribute("data-genda-explorer") == "loading" and slider.get_attribute("aria-valuetext") == "4"
    assert notebook.pixels("mean") == before["mean"]  # until the kernel answers
    assert notebook.answer() == {"altimeters": 4}
    notebook.wait()
    assert notebook.live.setting[1] == 4 and host.get_attribute("data-dial-altimeters") == "4"
    assert notebook.score("rmse") != score
    scale = notebook.live.frame["channels"]["zos"]["scales"]["field"]
    assert notebook.at("truth", 20, 45) == pytest.approx(truth, abs=2 * (scale["high"] - scale["low"]) / LEVELS)
    for panel in ("observations", "mean", "member_map", "spread"):
        assert notebook.pixels(panel) != before[panel]
    spots = page.locator("circle.spot")
    assert spots.count() == 2 * 3  # two settings of three scores
    slider.press("ArrowLeft")
    notebook.answer()
    notebook.wait()
    assert {panel: notebook.pixels(panel) for panel in before} == before and len(notebook.live.ensembles) == 2


def test_every_control_is_told_and_what_needs_no_ensemble_is_drawn_at_once(notebook):
    page, live = notebook.page, notebook.live
    before = {panel: notebook.pixels(panel) for panel in pack.VIEWS["All"]}
    page.get_by_role("slider", name="Member").press("End")
    notebook.wait()
    assert [panel for panel in before if notebook.pixels(panel) != before[panel]] == ["member_map"]
    assert notebook.answer() == {"member": 2}
    page.get_by_label("Variable").select_option("Current speed")
    notebook.wait()
    assert not [panel for panel in before if notebook.pixels(panel) == before[panel] and panel != "observations"]
    assert notebook.answer() == {"channel": "speed"}
    page.get_by_role("radio", name="Spread").check()
    assert page.locator("figure:not([hidden])").count() == 3
    assert notebook.answer() == {"view": "Spread"}
    assert (live.member, live.channel, live.view) == (2, "speed", "Spread") and len(live.ensembles) == 1
    assert "m/s" in notebook.score("crps")
    for moved, act in (
        ({"swot": True}, lambda: page.get_by_role("switch").check()),
        ({"cloud": 100}, lambda: page.get_by_role("slider", name="Cloud cover").press("End")),
        ({"error": 2}, lambda: page.get_by_role("slider", name="Observation error").press("ArrowRight")),
        ({"method": "twice"}, lambda: page.get_by_role("radio", name="twice").check()),
    ):
        act()
        assert notebook.answer() == moved
        notebook.wait()
    assert live.setting == ("twice", 3, True, 100, 2.0)
    page.wait_for_function("document.querySelector('[data-genda-explorer]').shadowRoot.querySelector('.spoken')"
                           ".textContent.includes('Method: twice')")  # fmt: skip


def test_a_slide_asks_for_one_ensemble(notebook):
    box = notebook.page.get_by_role("slider", name="Cloud cover").bounding_box()
    mouse, y = notebook.page.mouse, box["y"] + box["height"] / 2
    mouse.move(box["x"] + 0.7 * box["width"], y)
    mouse.down()
    for part in (0.5, 0.3, 0.1, 0.01):
        mouse.move(box["x"] + part * box["width"], y, steps=3)
    assert notebook.sent() == [] and notebook.host.get_attribute("data-dial-cloud") == "0"
    mouse.up()
    assert notebook.answer() == {"cloud": 0}


def test_a_cell_moves_the_controls_too(notebook):
    page, live = notebook.page, notebook.live

    def cell():
        live.altimeters, live.view, live.channel = 6, "Mean", "thetao"

    notebook.kernel(cell)
    page.wait_for_selector("[data-dial-altimeters='6'][data-channel=thetao][data-genda-explorer=ready]")
    assert page.get_by_role("slider", name="Altimeters").input_value() == "5"  # the sixth step
    assert page.get_by_role("radio", name="Mean").is_checked() and page.locator("figure:not([hidden])").count() == 3
    assert page.get_by_label("Variable").input_value() == "Surface temperature" and notebook.sent() == []


def test_the_whole_curve_is_drawn_on_demand(notebook):
    notebook.page.get_by_role("button", name="Draw the whole curve").click()
    assert notebook.sent() == [{"wanted": "curve"}]
    notebook.kernel(lambda: notebook.live._handle_custom_msg({"wanted": "curve"}, []))
    known = [row["scores"]["zos"]["sparsity"] for row in notebook.live.tried]
    assert len(known) == 7
    assert notebook.page.locator("circle.spot").count() == 3 * sum(one is not None for one in known)


def test_what_cannot_be_is_told_beside_the_truth(page, notebook, monkeypatch):
    from genda_lite.show import widgets

    def nothing(*args):
        raise gl.InputError("nothing is observed <here>")

    monkeypatch.setattr(widgets, "observe", nothing)
    page.get_by_role("slider", name="Altimeters").press("Home")
    notebook.answer()
    notebook.wait()
    assert page.locator(".kernel.failed [role=status]").inner_text() == "nothing is observed <here>"
    assert notebook.score("rmse") == "\u2013\u00a0m"
    truth, mean = (
        page.locator(f"canvas[data-panel={panel}]").get_attribute("aria-label") for panel in ("truth", "mean")
    )
    assert "no value" in mean and "no value" not in truth


SHAPE = """host => [...host.shadowRoot.querySelectorAll('*')].filter((e) => !e.closest('style, .kernel, .chart, .tick'))
  .map((e) => [e.localName, e.id.replace(/-\\d+$/, ''), e.className.baseVal ?? e.className, e.role].join(' '))
  .filter((text, i, all) => text !== all[i - 1])"""


def test_it_has_the_elements_of_the_page(browser, notebook, tmp_path):
    """Both are of one program: the same controls, maps, bars and table in the same order."""
    shutil.copytree(ROOT / "book" / "_static" / "explorer", tmp_path / "pack")
    (tmp_path / "pack" / PROGRAM).write_text(script("explorer"))
    (tmp_path / "static.html").write_text("<!doctype html>" + packed("pack")._repr_html_())
    page = browser.new_page()
    page.goto((tmp_path / "static.html").as_uri())
    page.wait_for_selector("[data-genda-explorer=ready]")
    there, here = (one.locator("[data-genda-explorer]").evaluate(SHAPE) for one in (page, notebook.page))
    page.close()
    assert here == there and len(here) > 50
