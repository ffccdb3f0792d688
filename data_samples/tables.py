"""Every number of a result on a page comes from a stored table; `make tables` puts it there.

    python data_samples/tables.py            # write the numbers anew, say which changed
    python data_samples/tables.py --check    # only say which differ

The tables are those of `results/`, made by the commands that their first lines tell (`genda_lite.verify.table`). Of a
page two things are written from them: what is between `<!-- table NAME -->` and `<!-- /table -->`, by the function of
that name below, and the numbers in the sentences of `claims.py`. The words are the author's: a sentence that is not
there as it is registered, or that its numbers no longer bear out, is an error. In the notebooks tables are drawn by
their own cells.
"""

import difflib
import json
import re
import sys
from collections.abc import Callable, Iterable
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from genda_lite.errors import InputError
from genda_lite.files import atomic_path
from genda_lite.nature.dynamics import Channel
from genda_lite.nature.physics import LIMITS, PARAMETERS
from genda_lite.nature.structure import TRAINING
from genda_lite.nature.twins import DESIGNS, Twin
from genda_lite.show.board import DIVERGED
from genda_lite.verify import cycle as cycling
from genda_lite.verify import protocol as parts
from genda_lite.verify import realism
from genda_lite.verify.closed_form import POINTS, VARIANCES_OF
from genda_lite.verify.engine import DRESSED
from genda_lite.verify.osse.scoreboard import COMMON
from genda_lite.verify.table import TARGET, is_met, number, pick, read_table, target_text

FOLDER = Path(__file__).resolve().parent
ROOT, RESULTS = FOLDER.parent, FOLDER / "results"


# --- The mechanism ---------------------------------------------------------------------------------------------------

NUMBER = r"[+-]?\d+(?:,\d{3})*(?:\.\d+)?"
MARKED = re.compile(r"(<!-- table (\S+) -->\n+)(.*?)(\n+<!-- /table -->)", re.DOTALL)
BREAK = "\n\f\n"  # between the cells of a notebook


class Claim(NamedTuple):
    """A sentence, or a part of one, with the numbers in it.

    `text` has a format in braces for each of `values`; where it has a blank, the page may break the line. `holds` says
    whether what the words claim is true.
    """

    page: str
    text: str
    values: tuple[float, ...] = ()
    holds: bool = True

    def printed(self) -> list[str]:
        """The numbers as the page should have them."""
        specs = re.findall(r"\{:?(.*?)\}", self.text)
        if len(specs) != len(self.values) or not np.isfinite(self.values).all():
            raise InputError(f"{self.page}: {self.text!r} has {len(specs)} numbers, its values are {self.values}")
        return [printed(value, spec) for value, spec in zip(self.values, specs, strict=True)]

    def find(self, page: str) -> re.Match:
        """Where it stands.

        Raises:
            InputError: nowhere, or more than once.
        """
        parts = [r"\s+".join(map(re.escape, part.split(" "))) for part in re.split(r"\{.*?\}", self.text)]
        found = list(re.finditer(f"({NUMBER})".join(parts), page))
        if len(found) != 1:
            raise InputError(f"{self.page}: {self.text!r} is there {len(found)} times, expected once")
        return found[0]


def printed(value: float, spec: str) -> str:
    """A formatted number; zero has no sign."""
    text = format(value, spec)
    return text if float(text.replace(",", "")) else text.lstrip("+-")


def with_claims(page: str, claims: Iterable[Claim]) -> tuple[str, list[str]]:
    """A page with the numbers of its claims, and what was changed.

    Raises:
        InputError: a claim is not on the page, or does not hold.
    """
    changes = []
    for claim in claims:
        found, wanted = claim.find(page), claim.printed()
        if not claim.holds:
            raise InputError(f"{claim.page}: {claim.text!r} is no longer so, by the stored tables")
        for i in range(len(wanted), 0, -1):  # from behind, so that places stay valid
            if (old := found[i]) != (new := wanted[i - 1]):
                changes.append(f"{claim.page}: {claim.text!r}: stored {new}, printed {old}")
                page = page[: found.start(i)] + new + page[found.end(i) :]
    return page, changes


def with_tables(name: str, page: str, tables: dict[str, Callable[[], str]]) -> tuple[str, list[str]]:
    """A page with its marked tables made anew, and what was changed.

    Raises:
        InputError: a mark has the name of no table.
    """
    changes = []

    def made(mark: re.Match) -> str:
        if mark[2] not in tables:
            raise InputError(f"{name}: there is no table {mark[2]}, expected one of {', '.join(tables)}")
        new = tables[mark[2]]()
        for line in difflib.unified_diff(mark[3].strip().splitlines(), new.splitlines(), n=0):
            if line[:2] in ("-|", "+|"):
                changes.append(f"{name}, table {mark[2]}, {'printed' if line[0] == '-' else 'stored'}: {line[1:]}")
        return mark[1] + new + mark[4]

    return MARKED.sub(made, page), changes


def read_page(path: Path) -> str:
    """The text of a page; of a notebook, that of its Markdown cells."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    return BREAK.join("".join(cell["source"]) for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown")


def write_page(path: Path, text: str) -> None:
    """Write what `read_page` read, changed."""
    if path.suffix == ".ipynb":
        notebook = json.loads(path.read_text(encoding="utf-8"))
        cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
        for cell, source in zip(cells, text.split(BREAK), strict=True):
            cell["source"] = source.splitlines(keepends=True)
        text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def renewed(name: str, page: str, claims: Iterable[Claim], tables: dict[str, Callable[[], str]]) -> tuple[str, list]:
    """A page with all its numbers as stored, and what was changed."""
    page, changed = with_tables(name, page, tables)
    page, more = with_claims(page, [claim for claim in claims if claim.page == name])
    return page, changed + more


def prose(page: str, claims: Iterable[Claim]) -> str:
    """What is neither code nor an address nor a marked table, without the numbers in claims."""
    for claim in claims:
        found = claim.find(page)
        page = page[: found.start()] + re.sub(NUMBER, "", found[0]) + page[found.end() :]
    for pattern in (MARKED.pattern, r"```.*?```", r"`[^`]*`", r"\]\([^)]*\)", r"https?://\S+", r"<[^>]*>"):
        page = re.sub(pattern, " ", page, flags=re.DOTALL)
    return " ".join(page.split())


def uncovered(page: str, claims: Iterable[Claim], allowed: Iterable[str] = ()) -> list[str]:
    """The numbers in the prose of a page that no claim holds, each with what is around it.

    `allowed`: phrases whose numbers are no results.
    """
    page = prose(page, claims)
    for phrase in allowed:
        page = page.replace(phrase, " ")
    return [page[max(m.start() - 40, 0) : m.end() + 25] for m in re.finditer(r"(?<![\w.])\d[\d.,]*", page)]


# --- The tables ------------------------------------------------------------------------------------------------------


@cache
def stored(name: str) -> pd.DataFrame:
    """A table of `results/`."""
    return read_table(RESULTS / f"{name}.csv")


def value(name: str, bound: str = "value", **labels: str) -> float:
    """One number of a stored table."""
    try:
        return number(stored(name), bound, **labels)
    except InputError as error:
        raise InputError(f"results/{name}.csv: {error}") from None


def names(table: str, label: str = "method", **labels: str) -> list[str]:
    """The values of a label, in the order in which they first come."""
    return list(dict.fromkeys(pick(stored(table), **labels)[label]))


def markdown(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of Markdown."""
    heads = list(heads)
    lines = [heads, *rows]
    text = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([text[0], "|" + "---|" * len(heads), *text[1:]])


def closed_form() -> str:
    """Methods against posteriors that are known."""
    kinds = {kind: [case for case in POINTS if case.startswith(kind)] for kind in ("Gaussian", "mixture")}
    heads, zones = ["method", "forwards + VJPs"], ("observed", "unobserved")
    for kind, cases in kinds.items():
        shares = " / ".join(case.split(", ")[1].removesuffix(" %") for case in cases)
        heads.append(f"CRPS / exact, {kind}, {shares} %")
    heads += [f"variance, {zone}, {VARIANCES_OF}" for zone in zones]
    rows = []
    for method in names("posterior", case=VARIANCES_OF):
        here = {"method": method, "case": VARIANCES_OF}
        units = sum(value("posterior", metric=metric, **here) for metric in ("forwards", "VJPs"))
        rows.append([method, f"{units:.0f}"])
        for cases in kinds.values():
            found = [value("posterior", method=method, case=case, metric="CRPS / exact") for case in cases]
            rows[-1].append(" / ".join(f"{v:.3f}" for v in found))
        rows[-1] += [f"{value('posterior', metric=f'variance, {zone}', **here):.3f}" for zone in zones]
    return markdown(heads, rows)


REAL = {
    "diffusion": "diffusion prior",
    "diffusion, fast": "diffusion prior, fast",
    "Gaussian prior": "Gaussian prior",
    "climatology": "climatology",
}


def real() -> str:
    """Priors on a map of the real sea level."""
    rows = []
    for method, name in REAL.items():
        here = {"method": method, "zone": "unobserved"}
        found = [value("real", channel=c, metric="rmse", **here) for c in ("zos", "current")]
        found.append(value("real", channel="zos", metric="crps", **here))
        has_spread = "spread_skill" in names("real", "metric", **here)
        spread = f"{value('real', channel='zos', metric='spread_skill', **here):.2f}" if has_spread else ""
        rows.append([name, *(f"{v:.3f}" for v in found), spread])
    return markdown(["prior", "sea level RMSE (m)", "current RMSE (m/s)", "CRPS (m)", "spread/error"], rows)


PEERS = (
    "default",
    "fast",
    "GenDA, gamma 0.1",
    "GenDA, best gamma",
    "GenDA, best gamma, Langevin",
    "azula DPS",
    "azula PiGDM",
    "azula TMPD",
    "azula DiffPIR",
    "azula MMPS",
    "azula JFPS",
    "PhysicsNeMo SDA",
)


def peers() -> str:
    """The sampler beside its peers."""
    cases = names("peers", "case", method="default")

    def score(method: str, case: str) -> str:
        crps, units = (value("peers", method=method, case=case, metric=m) for m in ("CRPS / exact", "forwards + VJPs"))
        return f"{crps:.3f} ({units:.0f})"

    rows = ([method, *(score(method, case) for case in cases)] for method in PEERS)
    return markdown(["CRPS / exact (forwards + VJPs)", *cases], rows)


OCEAN = ("zos", "thetao", "so", "u_ageo_eddy", "v_ageo_eddy")
YARDSTICK = "OI, multivariate"
LESS = f"crps less {YARDSTICK}"  # a share of its
BOARD = {
    "climatology": "climatology",
    "OI, univariate": "optimal interpolation, univariate",
    YARDSTICK: "optimal interpolation, multivariate",
    "U-Net regression": "U-Net regression (no ensemble)",
    "U-Net regression, dressed": "U-Net regression, dressed",
    "Gaussian prior": "Gaussian prior, sampled",
    "diffusion": "**diffusion, default**",
    "diffusion, fast": "**diffusion, fast**",
}


def methods() -> list[str]:
    """Those of `BOARD` that were run."""
    return [method for method in BOARD if method in names("osse")]


def of_oceans(channel: str, method: str, than: str = YARDSTICK, case: str = "") -> tuple[float, list[float]]:
    """CRPS of a method less that of another, as a share of the other's: of all cases, and of those of each ocean."""
    labels = {"case": case, "method": method, "channel": channel, "zone": "all", "metric": f"crps less {than}"}
    oceans = [ocean for ocean in names("osse", "ocean", **labels) if ocean]
    return value("osse", ocean="", **labels), [value("osse", ocean=ocean, **labels) for ocean in oceans]


def surely_ahead(channel: str, method: str, than: str = YARDSTICK) -> bool:
    """Whether a method has less CRPS than another by more than chance: by the 95 % interval where there is one, which
    wants many oceans, else by a percent or more in every ocean."""
    labels = {"case": "", "ocean": "", "method": method, "channel": channel, "zone": "all"}
    high, oceans = value("osse", "high", metric=f"crps less {than}", **labels), of_oceans(channel, method, than)[1]
    return high < 0 if np.isfinite(high) else len(oceans) > 1 and max(oceans) <= -0.01


def board() -> str:
    """The scoreboard of twin experiments."""

    def crps(method: str, channel: str) -> str:
        one = {"method": method, "channel": channel, "zone": "all"}
        text = f"{value('osse', case='', metric='crps', **one):{'.3f' if channel in ('thetao', 'so') else '#.3g'}}"
        return f"**{text}**" if method != YARDSTICK and surely_ahead(channel, method) else text

    rows = []
    for method in methods():
        *scalars, u, v = (crps(method, channel) for channel in OCEAN)
        ratios = [value("osse", method=method, channel=c, zone="all", metric="spread_skill") for c in OCEAN]
        spread = " / ".join(f"{r:.2f}" for r in ratios) if np.isfinite(ratios).all() else ""
        seconds = f"{value('osse', case='', method=method, metric='seconds'):.0f}"
        rows.append([BOARD[method], *scalars, f"{u}, {v}", spread, seconds])
    units = ["sea level (m)", "temperature (degC)", "salinity", "residual current u, v (m/s)"]
    return markdown(["method", *units, "spread/error", "CPU s"], rows)


GUIDANCES = {
    "diffusion": "default (hybrid)",
    "diffusion, fast": "fast (OI)",
    "diffusion, mmps": "MMPS, 3 iterations",
    "diffusion, oi-jacobian": "OI-Jacobian",
    "diffusion, sda": "SDA, gamma 0.1, our sampler",
    "diffusion, dps": "DPS",
    "GenDA's sampler, gamma 0.1": "GenDA's sampler, gamma 0.1",
    "GenDA's sampler, gamma 0.01": "GenDA's sampler, gamma 0.01",
}


def guidance(method: str, channel: str) -> float:
    """CRPS over that of multivariate optimal interpolation, on the cases that all guidances ran on."""
    return 1 + value("osse", case=COMMON, ocean="", metric=LESS, method=method, channel=channel, zone="all")


def guidances() -> str:
    """The guidances side by side."""
    rows = []
    for method, name in GUIDANCES.items():
        found = (guidance(method, channel) for channel in OCEAN)
        *scalars, u, v = (f"{ratio:.2f}" if ratio < DIVERGED else "diverges" for ratio in found)
        rows.append([name, *scalars, f"{u}, {v}", f"{value('osse', case=COMMON, method=method, metric='seconds'):.0f}"])
    return markdown(["guidance", "sea level", "temperature", "salinity", "residual current u, v", "CPU s"], rows)


PRODUCTS = {
    "climatology": "climatology",
    "L4 geostrophic": "L4 geostrophic",
    "L4 geostrophic + Ekman": "L4 geostrophic + Ekman",
    YARDSTICK: "optimal interpolation",
    "U-Net regression": "U-Net regression",
    "diffusion": "**ours**",
    "diffusion, one member": "ours, one member",
    "diffusion, without residual current": "ours, without residual current",
}
ENSEMBLES = ("climatology", YARDSTICK, "diffusion", "diffusion, without residual current")  # products with a spread
HOURLY = {"case": "hourly", "date": "", "channel": "current", "zone": "all"}
DAILY = HOURLY | {"case": "24-hour means"}


def as_judged(product: str) -> str:
    """The product whose CRPS is compared: one without an ensemble as it is dressed."""
    worn = f"{product}, {DRESSED}"
    return worn if worn in names("ose", **HOURLY) else product


def ours_less(product: str, metric: str) -> str:
    """Our score less a product's with its interval, in bold where that excludes zero."""
    labels = HOURLY | {"method": "diffusion", "metric": f"{metric} less {product}"}
    found = [value("ose", bound, **labels) for bound in ("value", "low", "high")]
    text = "{} ({} to {})".format(*(printed(v, "+.4f") for v in found))
    return f"**{text}**" if found[1] * found[2] > 0 else text


JUDGED = {  # of the table of widths, the channels that each judge knows
    "old oceans": ("zos", "thetao", "so"),
    "tuning twin": ("zos", "thetao", "so"),
    "real temperature": ("thetao",),
    "real current": ("current",),
    "real sea level": ("zos", "current"),
}
WORDS = {"zos": "sea level", "thetao": "temperature", "so": "salinity", "current": "current"}


def width() -> str:
    """Gaussian priors of each physics in each climate."""
    physics = {"old physics": "old", "wide physics": "wide"}
    climates = [m.split(", ", 1)[1] for m in names("width", case="old oceans") if m.startswith("old physics")]
    rows = []
    for climate in dict.fromkeys(climates):
        for one, word in physics.items():
            row = [word, climate.removesuffix(": Gaussian")]
            for judge, channels in JUDGED.items():
                figures = []
                for channel in channels:
                    here = {"case": judge, "channel": channel}
                    method, first = f"{one}, {climate}", "old physics, one climate: Gaussian"
                    crps, yardstick = (value("width", method=m, metric="crps", **here) for m in (method, first))
                    spread = value("width", method=method, metric="spread_skill", **here)
                    figures.append(f"{crps / yardstick:.2f} ({spread:.2f})")
                row.append(" / ".join(figures))
            rows.append(row)
    heads = [f"{judge}, {' / '.join(WORDS[c] for c in channels)}" for judge, channels in JUDGED.items()]
    return markdown(["physics", "climate", *heads], rows)


def networks(real: bool = False) -> str:
    """The shipped prior and that of wide oceans, on oceans that neither was made of; of all judges, or of the real ones
    alone."""
    contenders = {f"{which}: {kind}": f"{kind}, {words}"
                  for kind in ("Gaussian", "diffusion") for which, words in (("old", "lite"), ("new", "wide"))}
    rows = []
    known = (judge for judge in names("networks", "case", metric="crps") if judge in JUDGED)
    for judge in (judge for judge in known if judge.startswith("real") or not real):
        for channel in (*JUDGED[judge], *(() if judge.startswith("real") else OCEAN[3:])):
            labels = {"case": judge, "channel": channel}
            figures = [[value("networks", method=m, metric=metric, **labels) for metric in ("crps", "spread_skill")]
                       for m in contenders]
            told = [f"{printed(crps, '.3g')} ({spread:.2f})" for crps, spread in figures]
            paired = [percentage("networks", method="new: diffusion", metric=f"crps less {other}", **labels)
                      for other in ("old: diffusion", "new: Gaussian")]
            rows.append([f"{judge}, {WORDS.get(channel) or f'residual current {channel[0]}'}", *told, *paired])
    heads = ["diffusion, wide less lite (%)", "diffusion less Gaussian, both wide (%)"]
    return markdown(["CRPS (spread/error)", *contenders.values(), *heads], rows)


def networks_on_real() -> str:
    """`networks` on real products."""
    return networks(real=True)


BESIDE = {  # channel and metric of `beside.csv` -> in words
    ("thetao", "deviation"): "temperature, standard deviation (degC)",
    ("thetao", "steep"): "temperature, gradient (degC in 100 km)",
    ("zos", "deviation"): "sea level, standard deviation (m)",
    ("zos", "fast"): "geostrophic current (m/s)",
    ("current", "rms"): "current, rms (m/s)",
    ("current", "fast"): "current (m/s)",
}


def beside() -> str:
    """Draws of either prior beside real maps: medians over boxes, with deciles."""
    found, rows = stored("beside"), []
    sets = list(names("beside"))
    for (channel, metric), words in BESIDE.items():
        here = found[found["channel"].eq(channel) & found["metric"].eq(metric)].set_index("method")
        told = [
            "{:.2f} ({:.2f} to {:.2f})".format(*here.loc[one, ["value", "low", "high"]]) if one in here.index else ""
            for one in sets
        ]
        rows.append([words, *told])
    return markdown(["in a box of 64 x 64 points", *sets], rows)


def percentage(table: str, **labels: str) -> str:
    """A share in percent with its interval, where there is one; in bold where that excludes zero."""
    found = [100 * value(table, bound, **labels) for bound in ("value", "low", "high")]
    if not np.isfinite(found[1]):
        return f"{found[0]:+.0f}"
    text = "{:+.0f} ({:+.0f} to {:+.0f})".format(*found)
    return f"**{text}**" if found[1] * found[2] > 0 else text


def drifters() -> str:
    """Every product against the drifters."""
    rows = []
    for method, name in PRODUCTS.items():
        hourly, is_ours = partial(value, "ose", method=method, **HOURLY), method == "diffusion"
        apart = value("ose", method=method, metric="separation", **HOURLY | {"zone": "3 d"})
        judged = as_judged(method)
        crps = [f"{value('ose', method=m, metric='crps', **HOURLY):.4f}" for m in dict.fromkeys((method, judged))]
        rows.append(
            [
                name,
                f"{hourly(metric='vector_error'):.3f}",
                ", ".join(f"{hourly(metric=metric):.3f}" for metric in ("rmse_u", "rmse_v")),
                f"{hourly(metric='within_45'):.2f}",
                ", dressed ".join(crps),
                f"{hourly(metric='spread_skill'):.2f}" if method in ENSEMBLES else "",
                f"{value('ose', method=method, metric='vector_error', **DAILY):.3f}",
                f"{apart:.0f}",
                *("" if is_ours else ours_less(*pair) for pair in ((method, "vector_error"), (judged, "crps"))),
            ]
        )
    heads = ["product", "vector error (m/s)", "RMSE u, v", "within 45°", "CRPS", "spread/skill"]
    heads += ["24-h means, vector error", "after 3 days (km)", "ours less it: vector error (95 %)", "CRPS (95 %)"]
    return markdown(heads, rows)


def genda() -> str:
    """GenDA's own figures."""
    case, metrics = "real drifters, 2017", {"vector_error": "mean vector error", "rmse_u": "RMSE u", "rmse_v": "RMSE v"}
    rows = []
    for method in names("genda", case=case):
        known = names("genda", "metric", method=method)
        rows.append(
            [method, *(f"{value('genda', method=method, metric=m):.4f}" if m in known else "" for m in metrics)]
        )
    return markdown([f"another data set: {case}", *metrics.values()], rows)


USUAL = "16 members, 64 x 64 points, 1000 observations"
MB = 2**20 / 1e6  # in a MiB


def speed() -> str:
    """What an analysis costs."""
    rows = []
    for method in names("speed", case=USUAL):
        seconds, memory = (value("speed", case=USUAL, method=method, metric=m) for m in ("seconds", "MiB"))
        rows.append([method, f"{seconds:.1f}", f"{MB * memory:.0f}"])
    return markdown(["method", "seconds", "memory (MB)"], rows)


def met(v: float, low: float | None, high: float | None) -> str:
    """Whether a value is in a range."""
    return {True: "yes", False: "no", None: "-"}[is_met(v, low, high)]


def nature() -> str:
    """The statistics of the held-out oceans beside those of the real one."""
    rows = []
    for quantity in names("nature", "metric", case="", method=""):
        mean, low, high = (value("nature", b, case="", method="", metric=quantity) for b in ("value", "low", "high"))
        target = realism.TARGETS[quantity]
        products = [name for name in names("nature", case="", metric=quantity) if name not in ("", TARGET)]
        real = ", ".join(f"{value('nature', method=name, metric=quantity):.3g} ({name})" for name in products)
        told = [f"{mean:.3f}", f"{low:.3f} to {high:.3f}", target_text(*target) or "", met(mean, *target), real]
        rows.append([quantity, *told])
    return markdown(["quantity", "mean", "range over oceans", "target", "met", "real products"], rows)


def drift() -> str:
    """Trends over ten years."""
    rows = []
    for quantity in names("drift", "metric"):
        spec = ".2f" if "SST" in quantity else ".3f"
        found = (value("drift", method=m, metric=quantity) for m in ("trend per decade", "noise"))
        rows.append([quantity, *(f"{v:{spec}}" for v in found)])
    return markdown(["quantity", "trend per decade", "noise"], rows)


def prior() -> str:
    """The scores of the shipped prior."""
    scores, rows = pick(stored("prior"), case="", method=""), []
    for metric, channel in scores[["metric", "channel"]].itertuples(index=False):
        here, target, words = {"case": "", "metric": metric, "channel": channel}, (None, None), ""
        one, methods = value("prior", method="", **here), names("prior", **here)
        if TARGET in methods:
            bounds = (value("prior", b, method=TARGET, **here) for b in ("low", "high"))
            target = tuple(b if np.isfinite(b) else None for b in bounds)
            words = "below 1" if target == (None, 1) else target_text(*target)
        beside = [f"{value('prior', method=m, **here):.3f} ({m})" for m in methods if m not in ("", TARGET)]
        name = f"{metric}, {channel}" if channel else metric
        rows.append([name, f"{one:.3f}", words, met(one, *target), ", ".join(beside)])
    return markdown(["quantity", "value", "target", "met", "beside"], rows)


def training() -> str:
    """The speed of training beside other networks."""
    rows, networks = [], {"`lite`": ("genda_lite",)}
    for peer in ("PhysicsNeMo SongUNet", "PhysicsNeMo DiT"):
        networks[f"{peer}, our loss / EDM's"] = f"{peer}, Wiener loss", peer
    for name, methods in networks.items():
        cells = []
        for metric in ("images/s", "MiB", "validation loss"):
            found = [value("training", method=m, metric=metric) for m in methods]
            spec = ".0f" if metric != "validation loss" else ".1f" if min(found) > 1 else ".2f"
            cells.append(" / ".join(f"{v:{spec}}" for v in found))
        rows.append([name, *cells])
    return markdown(["network", "images/s", "memory of a step (MiB)", "validation loss after two minutes"], rows)


def extent(low: float, high: float) -> str:
    """A range in words; one number where it has no width."""
    return f"{low:g} to {high:g}" if low < high else f"{low:g}"


def physics() -> str:
    """The ranges of the oceans' physics, from the code."""
    rows = (
        [f"`{n}`", extent(p.low, p.high), extent(*p.wide), f"{p.twin:g}", p.units, p.meaning, p.source]
        for n, p in PARAMETERS.items()
    )
    titles = ["parameter", "old oceans", "wide oceans", "old twin", "units", "meaning", "the wide range rests on"]
    return markdown(titles, rows)


def limits() -> str:
    """What the parameters of a wide ocean may make together, from the code."""
    rows = ([name, extent(limit.low, limit.high), limit.units, limit.source] for name, limit in LIMITS.items())
    return markdown(["of all parameters together", "from", "units", "rests on"], rows)


def structure() -> str:
    """How the training oceans and the twins of another structure are built, from the code."""
    twins = [DESIGNS[Twin.TUNING], DESIGNS[Twin.SEALED]]
    channels, built = [Channel(), *(t.channel for t in twins)], [TRAINING, *(t.structure for t in twins)]
    hills = [[f"{hill.height:.0f}" for hill in one.hills] for one in built]
    rows = [
        ["cells (km)", *(f"{c.dx / 1e3:g}" for c in channels)],
        ["time step (s)", *(f"{c.dt:g}" for c in channels)],
        ["depth (m)", *(f"{c.depth:g}" for c in channels)],
        ["hills on the sea floor (m)", *(", ".join(heights) or "none" for heights in hills)],
        ["`viscosity` (m4 s-1)", *(f"{one.viscosity:g}" if one.viscosity else "none" for one in built)],
    ]
    for name in ("momentum", "tracers", "stress", "mixed_layer"):
        rows.append([f"`{name}`", *(getattr(one, name) for one in built)])
    for name, p in PARAMETERS.items():
        rows.append([f"`{name}`", extent(p.low, p.high), *(f"{getattr(t.physics, name).item():g}" for t in twins)])
    return markdown(["choice or parameter", "old training oceans", "tuning twin", "sealed twin"], rows)


def protocol() -> str:
    """Which data served for what, from the code, and how often test data were scored, from the ledger."""
    rows = []
    for part in parts.TABLE:
        seeds = ", ".join(map(str, part.seeds)) or "any"
        if len(part.seeds) > 4:
            seeds = f"{part.seeds[0]} to {part.seeds[-1]}"
        count = str(parts.runs(part.name)) if part.role == parts.TEST else "any number"
        rows.append([part.role, part.name, seeds, part.files, part.served, count])
    return markdown(["for", "data", "seed", "files", "served for", "scored"], rows)


CHOICE = {  # method of `benchmarks/guidance.py` -> its name here, and its calls a member
    "default": ("two iterations, 26 steps: the default", 78),
    "hybrid, 3 iterations, 20 steps": ("three iterations, 20 steps", 80),
    "MMPS, 3 iterations, 20 steps": ("MMPS, three iterations, 20 steps", 80),
}
FORMER = "hybrid, 1 iteration, 80 steps"


def choice() -> str:
    """Which guidance the default shall be."""
    rows = []
    for case in names("choice", "case"):
        for method, (name, calls) in CHOICE.items():
            cells = []
            for channel in OCEAN:
                labels = {"case": case, "method": method, "channel": channel, "metric": f"crps less {FORMER}"}
                found = pick(stored("choice"), **labels).set_index("ocean")["value"]
                each = found.drop("")
                whole, least, most = (f"{round(100 * v) + 0:+d}" for v in (found[""], each.min(), each.max()))
                cells.append(f"{whole} ({least} to {most})")
            *scalars, u, v = cells
            rows.append([case, name, str(calls), *scalars, f"{u}, {v}"])
    return markdown(["oceans", "guidance", "calls", "sea level", "temperature", "salinity", "residual current"], rows)


CYCLED = {
    "smoother": "Kalman smoother, which sees later days, too",
    "filter's own background, sampled": "sampled, told the Kalman filter's own covariance",
    cycling.CONSTANT: "the best constant covariance tried, closed form",
    f"{cycling.OWN}, round {cycling.ROUNDS}": "conditioned denoiser, trained on its own forecasts",
    f"{cycling.OWN}, round 1": "the same, first round",
    cycling.PERFECT: "conditioned denoiser, trained on perfect forecasts",
    cycling.CORRECTED: "conditioned denoiser that corrects its forecasts, too",
    cycling.PRODUCT: "prior with background, no training",
    cycling.GUIDED: "guided transitions",
    f"{cycling.LETKF}, 32 members": "LETKF, 32 members",
    f"{cycling.ENKF}, 32 members": "EnKF, 32 members",
    "single day": "each day by itself",
}


def missing(name: str) -> str:
    """What a page says in the place of a table that no command has stored yet; nothing of one that is there."""
    return "" if (RESULTS / f"{name}.csv").exists() else "*(Not stored yet: the command below makes it.)*"


def cycle() -> str:
    """Ways of cycling beside the Kalman filter: error over its error and, in brackets, spread over error."""
    if told := missing("cycle"):
        return told
    cases, rows = [case.name for case in cycling.SAMPLED_CASES], []
    for method, told in CYCLED.items():
        cells = []
        for case in cases:
            here = {"case": case, "method": method}
            error, known = value("cycle", metric="RMSE / Kalman", **here), names("cycle", "metric", **here)
            spread = f" ({value('cycle', metric='spread / error', **here):.2f})" if "spread / error" in known else ""
            cells.append(f"{error:.3f}{spread}" if np.isfinite(error) else "grows without bound")
        rows.append([told, *cells])
    return markdown(["error / Kalman (spread / error)", *(case.removeprefix("Kalman, ") for case in cases)], rows)


def repainted() -> str:
    """RePaint on a known posterior, a tenth of the points observed: CRPS over exact, and variances over exact ones."""
    if told := missing("cycle"):
        return told
    cases = [case for case in names("cycle", "case") if case.startswith("repainting, 10 %")]
    methods = list(dict.fromkeys(method for case in cases for method in names("cycle", case=case)))
    rows = []
    for method in methods:
        there = [case for case in cases if method in names("cycle", case=case)]
        calls, cells = value("cycle", case=there[0], method=method, metric="calls"), []
        for case in cases:
            if case not in there:
                cells.append("")
                continue
            known = names("cycle", "metric", case=case, method=method)
            zones = [f"variance, {zone}" for zone in ("observed", "unobserved")]
            found = [value("cycle", case=case, method=method, metric=one) if one in known else None for one in zones]
            crps = value("cycle", case=case, method=method, metric="CRPS / exact")
            cells.append(f"{crps:.2f} ({', '.join('none' if v is None else f'{v:.2f}' for v in found)})")
        rows.append([method, f"{calls:,.0f}", *cells])
    heads = (case.removeprefix("repainting, 10 %, ") for case in cases)
    return markdown(["CRPS / exact (variance / exact, observed and elsewhere)", "calls", *heads], rows)


def mutants() -> str:
    """What readers made of files that were spoilt: how many of each product, and of all."""
    outcomes = names("mutants", "metric")
    counts = {case: [value("mutants", case=case, metric=one) for one in outcomes] for case in names("mutants", "case")}
    counts["all"] = [sum(column) for column in zip(*counts.values(), strict=True)]
    rows = [[case, f"{sum(found):,.0f}", *(f"{n:,.0f}" for n in found)] for case, found in counts.items()]
    return markdown(["product", "mutants", *outcomes], rows)


def results() -> str:
    """What is stored, and what made it."""
    rows = []
    for path in sorted(RESULTS.glob("*.csv")):
        about = read_table(path).attrs
        origin = "recorded" if "recorded" in about else "as computed"
        rows.append([f"`{path.name}`", f"`{about['command']}`", about["settings"], about["seed"], origin])
    return markdown(["file", "command", "settings", "seed", "digits"], rows)


TABLES = {
    made.__name__: made
    for made in (
        closed_form,
        real,
        peers,
        board,
        guidances,
        drifters,
        genda,
        speed,
        physics,
        limits,
        structure,
        nature,
        drift,
        prior,
        width,
        networks,
        networks_on_real,
        beside,
        training,
        protocol,
        choice,
        mutants,
        cycle,
        repainted,
        results,
    )
}


def pages() -> list[str]:
    """The pages with marked tables or claims."""
    from claims import claims

    marked = "README.md", "book/results.md", "book/develop.md", "data_samples/README.md"
    return list(dict.fromkeys([*marked, *(claim.page for claim in claims())]))


def main() -> None:
    from claims import claims

    changed = []
    for name in pages():
        page = read_page(ROOT / name)
        new, changes = renewed(name, page, claims(), TABLES)
        changed += changes
        if changes and "--check" not in sys.argv:
            write_page(ROOT / name, new)
    print("\n".join(changed) if changed else "all numbers on the pages are those of the stored tables")
    sys.exit(bool(changed) and "--check" in sys.argv)


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(str(error))
