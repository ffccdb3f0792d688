"""The built pages and what they lead to: not too heavy, and no link that ends nowhere."""

import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parents[1]
SITE = ROOT / "_build" / "html"
PAGES = sorted(path for path in SITE.rglob("*.html") if "_static" not in path.parts)
HEAVY, SHARED = 2e6, 2.5e6  # bytes
OWN = {"explorer", "live"}  # folders of what some pages load for themselves
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}

pytestmark = pytest.mark.skipif(not PAGES, reason="the book is not built: run `make book`")


class Page(HTMLParser):
    """What a page links to, what it loads, where one can link to in it, and how large its explorers' packs are."""

    def __init__(self, path: Path):
        super().__init__()
        self.links, self.loaded, self.anchors, self.pack = [], [], [], 0
        self.themes: dict[str, str] = {}  # of pictures that only light, or only dark pages show: the other one
        self.inside: list[bool] = []  # for every open element, whether it is an explorer or in one
        self.in_pack = False
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, pairs):
        given = dict(pairs)
        self.anchors += filter(None, (given.get("id"), given.get("name") if tag == "a" else None))
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        if given.get("src"):
            self.loaded.append(given["src"])
            for theme, other in (("light", "dark"), ("dark", "light")):
                if f"only-{theme}" in (given.get("class") or "") and given.get("loading") == "lazy":
                    self.themes[given["src"]] = other
        if tag == "link" and given.get("rel") in ("stylesheet", "icon"):
            self.loaded.append(given["href"])
        if tag not in VOID:
            within = bool(self.inside) and self.inside[-1]
            self.inside.append(within or "data-genda-explorer" in given)
            self.in_pack = tag == "script" and self.inside[-1] and given.get("type") == "application/json"

    def handle_endtag(self, tag):
        self.in_pack = False
        if tag not in VOID and self.inside:
            self.inside.pop()

    def handle_data(self, data):
        self.pack += len(data.encode()) * self.in_pack


@cache
def parsed(path: Path) -> Page:
    return Page(path)


def target(page: Path, address: str) -> Path:
    """The file that a relative address of a page means."""
    path = unquote(urlsplit(address).path)
    return (page.parent / path).resolve() if path else page


def loaded(page: Path, theme: str | None = None) -> set[Path]:
    """The files of this site that a page asks for of its own accord; that it does in a theme, without pictures that it
    shows in the other one alone and then loads late."""
    about = parsed(page)
    asked = [address for address in about.loaded if theme is None or about.themes.get(address) != theme]
    files = {target(page, address) for address in asked if not urlsplit(address).scheme}
    return {file for file in files if file.is_file()}  # what is missing is told by another test


def name(path: Path) -> str:
    return str(path.relative_to(SITE))


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES, ids=name)
def test_a_page_weighs_at_most_2_mb(path, theme):
    """As files, uncompressed: the page without the packs of its explorers, its images, and whatever else it alone
    loads. What all pages share (the theme, the typesetter of mathematics) is loaded once and counted below."""
    page, files = parsed(path), loaded(path, theme)
    own = [file for file in files if not file.is_relative_to(SITE / "_static") or OWN & {*file.parts}]
    weight = path.stat().st_size - page.pack + sum(file.stat().st_size for file in own)
    assert weight < HEAVY, f"{weight / 1e6:.2f} MB"


def test_what_all_pages_share_is_light():
    files = set().union(*map(loaded, PAGES))
    shared = {file: file.stat().st_size for file in files if file.is_relative_to(SITE / "_static")}
    shared = {file: size for file, size in shared.items() if not OWN & {*file.parts}}
    assert sum(shared.values()) < SHARED, sorted(shared.items(), key=lambda item: -item[1])[:5]


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_links_within_the_book_lead_somewhere(path):
    page = parsed(path)
    for address in (*page.links, *page.loaded):
        parts = urlsplit(address)
        if parts.scheme or parts.netloc:
            continue
        file = target(path, address)
        assert file.is_file(), f"{address}: no such file"
        if parts.fragment and file.suffix == ".html":
            assert unquote(parts.fragment) in parsed(file).anchors, f"{address}: no such place on that page"


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_anchors_of_a_page_are_unique(path):
    # The theme and sphinx-exercise give these names more than once; nothing links to them.
    anchors = [a for a in parsed(path).anchors if a not in ("exercise-content", "solution-content", "search-input")]
    assert len(set(anchors)) == len(anchors), sorted({a for a in anchors if anchors.count(a) > 1})


def wrong(address: str) -> str | None:
    """What is wrong with an external address, as far as its form tells."""
    parts = urlsplit(address)
    if parts.scheme == "mailto":
        return None if re.fullmatch(r"[\w.+-]+@[\w-]+(\.[\w-]+)+", parts.path) else "not an address for mail"
    if parts.scheme != "https":
        return "expected https"
    if not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", parts.netloc):
        return "not the name of a host"
    if parts.netloc == "doi.org":  # may hold <, > and brackets
        return None if re.fullmatch(r"/10\.\d{4,9}/[^\s\"{}]*[^\s\"{}.,;]", parts.path) else "not a DOI"
    if re.search(r"[\s<>{}\"\\]|%(?![0-9A-Fa-f]{2})", address):
        return "a character that must be encoded, or a placeholder left open"
    return None


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_links_to_elsewhere_are_well_formed(path):
    page = parsed(path)
    assert not [(a, wrong(a)) for a in page.links if urlsplit(a).scheme and wrong(a)]


def test_the_form_of_addresses_is_judged():
    good = ("https://doi.org/10.1029/2025MS005063", "https://github.com/a/b#c", "mailto:a.b@c.org")
    assert not any(map(wrong, good))
    bad = (
        "http://example.org",
        "https://doi.org/2025MS005063",
        "https://localhost",
        "https://a.org/{x}",
        "ftp://a.org",
    )
    assert all(map(wrong, (*bad, "https://a.org/a b", "https://doi.org/10.1029/abc.", "mailto:nobody")))


# --- Works of others -------------------------------------------------------------------------------------------------

OURS = ("book.css", "favicon.svg", "documentation_options.js", "explorer/", "live/")
OTHERS = {
    "MathJax": ("vendor/mathjax/",),
    "Font Awesome": ("vendor/fontawesome/",),
    "Bootstrap": ("scripts/bootstrap", "styles/bootstrap"),
    "PyData Sphinx Theme": ("scripts/pydata", "styles/pydata", "styles/theme.css", "webpack-macros.html"),
    "Sphinx Book Theme": ("scripts/sphinx-book", "styles/sphinx-book", "locales/", "sbt-webpack-macros.html"),
    "The logos": ("images/logo_",),
    "MyST-NB": ("mystnb.",),
    "sphinx-exercise": ("exercise.css",),
    "sphinx-togglebutton": ("togglebutton.",),
    "sphinx-copybutton": ("copybutton", "copy-button.svg", "check-solid.svg"),
    "clipboard.js": ("clipboard.",),
    "sphinx-design": ("sphinx-design.", "design-tabs.js"),
    "Pygments": ("pygments.css",),
    "Sphinx": ("basic.css", "doctools.js", "searchtools.js", "language_data.js", "sphinx_highlight.js",
               "file.png", "minus.png", "plus.png"),
}  # fmt: skip


def test_every_work_of_others_in_the_pages_is_listed_with_its_licence():
    told = (SITE / "book" / "cite.html").read_text(encoding="utf-8")
    known = [(begin, work) for work, begins in OTHERS.items() for begin in begins]
    for path in (SITE / "_static").rglob("*"):
        file = path.relative_to(SITE / "_static").as_posix()
        if path.is_dir() or file.startswith(OURS):
            continue
        works = [work for begin, work in known if file.startswith(begin)]
        assert works, f"_static/{file}: whose is it? List it in book/cite.ipynb and here"
        assert works[0] in told, f"book/cite.ipynb does not name {works[0]}"
    assert "Natural Earth" in told


def test_vendored_files_have_their_licences_beside_them():
    for folder in (ROOT / "book" / "_static" / "vendor").iterdir():
        assert (folder / "LICENSE").is_file() and "licence" in (folder / "README.md").read_text(), folder.name
    assert "public domain" in (ROOT / "genda_lite" / "show" / "README.md").read_text()
