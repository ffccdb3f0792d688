"""Nothing on a page has to be scrolled sideways, on a wide screen or on a phone.

Needs the built book: `make book`. Text, code and printed lines have to wrap. On a phone a wide table or equation may
scroll in a box of its own.
"""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SITE = ROOT / "_build" / "html"
PAGES = sorted(path for path in SITE.rglob("*.html") if "_static" not in path.parts)
CSS = (ROOT / "book" / "_static" / "book.css").read_text(encoding="utf-8")

# What is wider than its box, or reaches beyond the article. Allowed to scroll by themselves: boxes of the selector.
SIDEWAYS = """allowed => {
  const article = document.querySelector("article"), edge = article.getBoundingClientRect().right;
  const blocks = "h1, h2, h3, p, pre, li, dt, dd, figure, img, svg, canvas, table, details, div";
  const unseen = (e) => !e.getClientRects().length || getComputedStyle(e).visibility === "hidden";
  const hidden = (e) => unseen(e) || e.closest("mjx-container");
  const boxed = (e) => allowed && e.closest(allowed);
  const wide = (e) => e.scrollWidth > e.clientWidth + 1 && /auto|scroll/.test(getComputedStyle(e).overflowX);
  return [...article.querySelectorAll(blocks)]
    .filter((e) => !hidden(e) && !boxed(e) && (wide(e) || e.getBoundingClientRect().right > edge + 1))
    .map((e) => `${e.tagName} ${e.className}: ${e.textContent.trim().replace(/\\s+/g, " ").slice(0, 60)}`);
}"""
SCROLLERS = "div.math, .text_html:has(> table), .pst-scrollable-table-container"


@pytest.mark.parametrize("width", [1280, 380])
@pytest.mark.parametrize("path", PAGES or [None], ids=lambda path: str(path.relative_to(SITE)) if path else "none")
def test_nothing_overflows_sideways(page, path, width):
    if path is None:
        pytest.skip("the book is not built: run `make book`, or `make test`, which builds it first")
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(path.as_uri(), wait_until="networkidle")
    scroll, room = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert scroll <= room
    if page.locator("article").count():
        found = page.evaluate(SIDEWAYS, SCROLLERS if width < 600 else None)
        assert found == [], f"{len(found)} at {width} pixels"


def shown(page, inner: str, css: str, width: int = 380) -> list[str]:
    """What reaches too far in an article of this content."""
    page.set_viewport_size({"width": width, "height": 900})
    page.set_content(f"<style>body {{ margin: 0 }} pre {{ overflow: auto }} {css}</style>"
                     f'<article class="bd-article">{inner}</article>')  # fmt: skip
    return page.evaluate(SIDEWAYS, SCROLLERS if width < 600 else None)


CODE = f'<div class="highlight"><pre>{"word = " + "x" * 300}</pre></div>'
TABLE = f'<div class="cell_output"><div class="text_html"><table><tr><td>{"9" * 200}</td></tr></table></div></div>'


def test_long_lines_of_code_break(page):
    assert len(shown(page, CODE, "")) == 1
    assert shown(page, CODE, CSS) == [] == shown(page, CODE, CSS, 1280)


def test_a_wide_table_scrolls_by_itself_on_a_phone_only(page):
    assert shown(page, TABLE, CSS) == []
    assert shown(page, TABLE, CSS, 1280) != []
    assert shown(page, '<div style="width: 2000px">x</div>', CSS) != []
