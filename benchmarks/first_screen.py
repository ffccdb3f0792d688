"""How soon the first screen of the book answers: seconds from a click to the last step of eight members.

    python benchmarks/first_screen.py          # with nothing else running; needs Chromium and playwright

Cold is the first click, which fetches engine, prior and ocean from a local server and starts the workers; warm is every
later one. On two idle cores cold should stay below 5 s and warm below 3 s. Where other work is done, the seconds of
processor time tell more: they are those of all threads of the page.
"""

import functools
import http.server
import shutil
import tempfile
import threading
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

import genda_lite as gl
from genda_lite.show.pack import sample_truth
from genda_lite.show.scene import write_live
from genda_lite.sources.samples import sample_path

FILM = Path(__file__).parents[1] / "book" / "_static" / "live" / "film.js"
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>First screen</title>
<div data-genda-figure="first_screen" data-state="waiting"><script type="application/json">
{"title": "First screen", "folder": "live"}</script></div><script defer src="live/first_screen.js"></script></html>"""


def main() -> None:
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        (folder / "page.html").write_text(PAGE)
        write_live(folder / "live", sample_path("prior_lite.safetensors"), sample_truth(gl.load_prior()))
        shutil.copy(FILM, folder / "live")
        handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
        handler.func.log_message = lambda *args: None
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        known = shutil.which("chromium") or playwright.chromium.executable_path
        browser = playwright.chromium.launch(executable_path=known, chromium_sandbox=False)
        session = browser.new_browser_cdp_session()
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(600_000)
        page.goto(f"http://127.0.0.1:{server.server_port}/page.html")
        page.wait_for_selector("[data-state=ready]")

        def worked() -> float:
            processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
            return sum(process["cpuTime"] for process in processes if process["type"] == "renderer")

        box = page.locator(".hand").bounding_box()
        for i, across in enumerate((0.3, 0.5, 0.7)):
            begun, before = time.perf_counter(), worked()
            page.mouse.click(box["x"] + across * box["width"], box["y"] + 0.5 * box["height"])
            page.wait_for_selector(".hand[data-run=running]")
            page.wait_for_selector(".hand[data-run=done]")
            took = f"{time.perf_counter() - begun:.1f} s, {worked() - before:.1f} s of processor time"
            print(f"{'warm' if i else 'cold'}: {took}, {page.locator('.told').first.inner_text()}")
        browser.close()
        server.shutdown()


if __name__ == "__main__":
    main()
