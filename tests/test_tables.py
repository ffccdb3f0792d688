"""Every number of a result on a page is that of a stored table, and what no table holds is no result."""

import json
import sys
from collections import Counter
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

import pytest

from genda_lite.sources.samples import sample_names
from genda_lite.verify.table import LABELS, read_table, tidy, write_table

ROOT = Path(__file__).parents[1]
sys.path += [str(ROOT / "data_samples"), str(ROOT / "benchmarks")]
tables, claims = import_module("tables"), import_module("claims")

# Phrases of the pages whose numbers are no results: settings, sizes, dates, versions.
SETTINGS = {
    "README.md": (
        "Python 3.11",
        "An analysis of 16 members",
        "CC BY 4.0",
        "within 5 degrees of the equator",
        "Martin, Manucharyan & Klein 2025, [doi:10.1029/2025MS005063",
        "Rozet & Louppe 2023",
    ),
    "book/results.md": (
        "64 x 64 points",
        "a k^-3 spectrum",
        "an error of 0.05 standard deviations",
        "12 of the Gaussian and 64 of the mixture, with 16 members for each",
        "With 20,480 values",
        "in 80 steps has it right",
        "errors from 0.005 to 1, 1 to 60 % of the points",
        "23 February 2019",
        "3 cm of noise",
        "The scores are those of 32 members",
        "2 to 30 % of",
        "256 steps of the variance-preserving schedule",
        "256 steps of its schedule",
        "up to 256 (GenDA's own steps",
        "gamma 0.1",
        "In the mixture with 10 %",
        "clouds over 0 to 95 % of the sea",
        "three oceans, 16 members",
        "Two truths with 8 members each",
        "Six truths with 16 members each",
        "61 daily analyses of 10 x 10 degrees, with 12 members and the default guidance in 16 steps",
        "The 95 % intervals come from resampling",
        "There are 16 members",
        "with 95 % intervals over independent seas",
        "a spread of 0.9 to 1.1 times the error",
        "It uses 25 days of altimetry, ours 11,",
        "means over 24 hours",
        "a 16-member analysis",
        "1,000 observations",
    ),
    "data_samples/README.md": (
        "at most 5 % worse on oceans of the old width",
        "about 2.7 standard deviations (a mean of 1 in its logarithm), by a slip: the ablation had found 1 to be "
        "better than the 2 of",
        "with 95 % intervals over independent seas",
        "we aimed at 0.9 to 1.1 times the error",
        "temperature to 100 km, sea level to 200 km",
        "gradients and currents are 95th percentiles",
        "32 draws for each product",
        "displacements of 1.8 degrees and 0.5 in salinity",
        "half of what one iteration in 80 steps does",
        "3.8 MB",
        "2.7 MB",
        "0.3 MB",
        "4.2 MB",
        "0.7 MB",
        "1.0 MB",
        "CC BY 4.0",
        "2048 x 1344 km at 8 km",
        "1/12 degree grid (33-43 N, 72-54.2 W)",
        "cells of 6 km",
        "ten, with 90 daily frames each",
        "1.5 GB of memory and 160 MB of disk",
        "3 dates of each of 10 of the 20 training oceans | 0, 1 |",
        "a year of 2 oceans that nothing was trained on: dates 5 and 10 days apart, every 45 days; 65-55 W | 3 |",
        "the fraternal twin, 75 days, 65-55 W: **the truth of experiments; an analysis must not read it** | 4 |",
        "16-bit integers in steps of 1 mm, 0.01 degC, 0.002, 5 mm/s (currents) and 2 cm/s (wind)",
        "its 75 days can tell",
        "two iterations, of 5, 10, 20, 60 and none, none is better than 20",
        "one iteration in 80 steps (160 calls)",
        "8 members, 24 cases and 12, of which",
        "Three iterations in 20 steps are within noise",
        "seed 0, then",
        "1.96 standard errors",
        "whose annual cycle is 7 degC",
        "cells of 32, 16, 8 and 4 km",
        "DUACS 23 February 2019, OSTIA 5 June 2017, Mercator January 2024, ERA5 2012",
        "observes the 75 days of (30 May to 12 August 2000 of the model's calendar)",
        "CryoSat-2",
        "Sentinel-3A, SARAL, HY-2B",
        "2.5 cm of white noise, and an unknown constant of 31 cm",
        "clouds over 70 % of the sea on average (standard deviation 15 % from day to day), noise 0.4 degC",
        "a Gaussian of 20, 50, 25 km, with a smooth error of 0.3 degC, 0.15, 1 m/s",
        "space and time, 1/4 degree",
        "Its scales, 250 km and 7 days",
        "three oceans of the old width (seed 2)",
        "3 dates of each of 8 of the 21 wide training oceans | 100 to 114, even",
        "simulates 75 days and observes them",
        "as below, with 160 drifters",
        "three seasons of 75 days, 200 days apart, with 160 drifters each",
        "80 drifters, hourly",
        "15 cm/s (rms)",
        "positions to 30 m",
        "not scored (4 to 7)",
        "7 days of 2.5, 3.5, 5, 7, 10, 14",
        "40 km of 0, 40, 100, 250",
        "16 of 12, 16, 24, 40, 80",
        "windows of 7, 9 and 12 days of altimetry instead of 5",
        "64 x 64 points of 1/12 degree: a U-Net of 1.35 M parameters (patches of 2 x 2 points, widths 32 to 96, four "
        "levels)",
        "4,880 frames (every third day of 20 oceans x 730 days, 40 model years; seeds 0, 1, 5, 6), 800,000 windows in "
        "batches of 32, seed 0",
        "Muon (rate 0.03), all else by AdamW (0.002)",
        "shortened from 1.2 M windows",
        "frames every two days of 21 oceans x 730 days (seeds 100 to 120), two processes, bfloat16, seed 0",
        "234,208 windows from those of (which had seen 800,000), 114,976 more, never past",
        "240,000 in the climate in use, to the end of the rates (38 CPU-minutes a process)",
        "on eight cases each of the tuning twin and of the validation oceans ( ): 10 (20 does as well), 1.2 in sea "
        "level, 1.05 in temperature, 1.15 in the residual current",
        "on oceans of the old width (24 cases of seed 2), on the tuning twin (24), and on the real products",
        "two processes, bfloat16, seed 0",
        "One of the 21",
        "oceans of seed 2",
        "oceans of seed 3",
        "512 draws",
        "of 24,000 windows each",
        "centred at 1 instead of 2 standard deviations",
        "between 40 and 150 km",
        "between 160,000 and 800,000 windows",
        "18 trainings of equal compute, 24,000 windows of the default",
        "2e-3 for all",
        "(128 x 128 points)",
        "above 20 standard deviations of noise",
        "of 1, 5, 20 and none",
        "inflated by 5 % for sea level and 15 % for the residual current ( ; of 1, 1.02, 1.05, 1.1 and 1.2)",
        "Martin et al. 2025",
        "a U-Net of 1.35 M parameters, of the size of the prior's",
        "with 1,000 random systems of the scoreboard's kind, for 192,000 windows",
        "in 120 cases on a year of three",
    ),
}


@pytest.fixture(scope="module")
def registered() -> list:
    return claims.claims()


@pytest.mark.parametrize("name", tables.pages())
def test_a_page_says_what_the_stored_tables_say(name, registered):
    page = tables.read_page(ROOT / name)
    new, changes = tables.renewed(name, page, registered, tables.TABLES)
    assert not changes, "\n".join([*changes, "`make tables` writes the stored numbers"])
    assert new == page


def test_every_table_is_on_a_page():
    marked = [m[2] for name in tables.pages() for m in tables.MARKED.finditer(tables.read_page(ROOT / name))]
    assert sorted(marked) == sorted(tables.TABLES)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_number_in_prose_is_claimed_or_no_result(name, registered):
    page, own = tables.read_page(ROOT / name), [claim for claim in registered if claim.page == name]
    found = tables.uncovered(page, own, SETTINGS[name])
    assert not found, f"{name}: neither a claim of data_samples/claims.py nor a setting: {found}"
    plain = " ".join(tables.prose(page, own).split())
    assert not [phrase for phrase in SETTINGS[name] if phrase not in plain], "no longer on the page"


def test_stored_tables_say_what_made_them():
    paths = sorted(tables.RESULTS.iterdir())
    assert paths and {path.suffix for path in paths} == {".csv"}
    for path in paths:
        about = read_table(path).attrs
        assert {"version", "command", "settings", "seed"} <= set(about), path.name
    assert not [name for name in sample_names() if name.startswith("results")]  # the pages are their checksum


def test_no_mutant_is_silently_wrong_ends_in_a_traceback_or_hangs():
    found = read_table(tables.RESULTS / "mutants.csv").set_index("metric")["value"]
    assert not found[["silently wrong", "traceback", "hang"]].any()
    assert (found[["read right", "refused"]] > 0).all()


def labels(frame) -> set[tuple]:
    """What the numbers of a table are of."""
    return set(frame[list(LABELS)].itertuples(index=False, name=None))


def made_by(benchmark: str) -> set[tuple]:
    """What a benchmark would write, by its labels."""
    bench, one = import_module(benchmark), 1.0
    if benchmark == "assimilate":
        return labels(tidy(bench.labelled([asdict(job) | {"seconds": one, "MiB": one} for job in bench.jobs()])))
    if benchmark == "ablation":
        errors = [f"{score} {channel}" for score in ("rmse", "crps") for channel in ("zos", "thetao", "so")]
        columns = ("parameters", "frames", "images", "validation loss", "twin loss", *errors)
        return labels(tidy(bench.labelled([{"name": name} | dict.fromkeys(columns, one) for name in bench.VARIANTS])))
    if benchmark == "mutants_table":
        return labels(tidy(bench.labelled(Counter())))
    if benchmark == "train":
        columns, methods = ("images/s", "MiB", "validation loss"), bench.OURS + bench.PEERS
        rows = [{"name": name, "precision": "bf16"} | dict.fromkeys(columns, one) for name in methods]
        return labels(tidy(bench.labelled(rows)))
    settings = ("gamma 0.1", "gamma 0.01", "best gamma")
    peers = [*bench.PEERS, *(f"GenDA, {one}{more}" for one in settings for more in ("", ", Langevin"))]
    lines = [
        {"case": case, "method": method, "fixed": True, "score": one, "units": 9}
        for case in bench.POINTS
        for method in [*bench.METHODS, *peers]
    ]
    found = {"our score": one, "our units": 9, "difference": one, "standard error": one}
    goals = [
        {"goal": goal, "case": case, "our method": method} | found
        for goal in bench.GOALS
        for case in bench.POINTS
        for method in ("default", "fast")
    ]
    noises = [{"case": case, "mean": one, "deviation": one} for case in bench.POINTS]
    return labels(tidy(bench.labelled(lines, goals, noises)))


@pytest.mark.parametrize(
    ("name", "benchmark"),
    [
        ("speed", "assimilate"),
        ("ablation", "ablation"),
        ("training", "train"),
        ("peers", "posterior"),
        ("mutants", "mutants_table"),
    ],
)
def test_benchmarks_write_what_is_stored(name, benchmark):
    known = labels(read_table(tables.RESULTS / f"{name}.csv"))
    assert known and known <= made_by(benchmark)


# --- The mechanism, on a small page ----------------------------------------------------------------------------------

PAGE = """# Scores

Ours is better by 21 % (95 % interval
16 to 25), on 1,200 cases.

<!-- table scores -->

| method | CRPS |
|---|---|
| ours | 0.50 |

<!-- /table -->

It is **ahead**.
"""
INTERVAL = "by {:.0f} % (95 % interval {:.0f} to {:.0f}), on {:,} cases"
AHEAD = tables.Claim("p.md", "It is **ahead**")


def scores() -> str:
    return tables.markdown(["method", "CRPS"], [["ours", "0.50"]])


def renewed(page: str = PAGE, *some: tables.Claim, **own) -> tuple[str, list[str]]:
    some = some or (tables.Claim("p.md", INTERVAL, (21.2, 15.9, 25.4, 1200)), AHEAD)
    return tables.renewed("p.md", page, some, {"scores": scores} | own)


def test_an_unchanged_page_stays():
    assert renewed() == (PAGE, [])


@pytest.mark.parametrize(("right", "wrong"), [("21 %", "22 %"), ("25)", "-25)"), ("1,200", "1200"), ("0.50", "0.51")])
def test_a_changed_number_is_found_and_mended(right, wrong):
    page, changes = renewed(PAGE.replace(right, wrong))
    said = " ".join(changes)
    assert page == PAGE and said.startswith("p.md") and "stored" in said and wrong.strip(" %)") in said


def test_a_line_too_many_is_found_and_mended():
    page, changes = renewed(PAGE.replace("| ours | 0.50 |", "| ours | 0.50 |\n| theirs | 0.60 |"))
    assert page == PAGE and changes == ["p.md, table scores, printed: | theirs | 0.60 |"]


def test_what_cannot_be_mended_is_said(refuses):
    with refuses("p.md", "It is **ahead**", "0 times"):
        renewed(PAGE.replace("ahead", "behind"))
    with refuses("It is **ahead**", "2 times"):
        renewed(f"{PAGE}\n{PAGE.splitlines()[-1]}\n")
    with refuses("It is **ahead**", "no longer so"):
        renewed(PAGE, AHEAD._replace(holds=False))
    with refuses("p.md", "4 numbers"):
        renewed(PAGE, tables.Claim("p.md", INTERVAL, (1.0, 2.0)))
    with refuses("there is no table scores", "ranks"):
        tables.renewed("p.md", PAGE, (), {"ranks": scores})


def test_an_unknown_label_is_one_sentence(tmp_path, monkeypatch, refuses):
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    monkeypatch.setattr(tables, "stored", tables.stored.__wrapped__)
    write_table(tidy([{"method": "ours", "metric": "crps", "value": 0.5}]), tmp_path / "few.csv", command="none")
    assert tables.value("few", method="ours", metric="crps") == 0.5
    with refuses("results/few.csv", "method 'theirs'", "'ours'"):
        tables.value("few", method="theirs")
    with refuses("none.csv", "cannot be read"):
        tables.value("none", method="ours")


def test_what_is_ahead_is_so_in_every_ocean_or_by_an_interval(tmp_path, monkeypatch):
    """Of few oceans there is no interval; then each of them has to say so. A single estimate is judged dressed."""
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    monkeypatch.setattr(tables, "stored", tables.stored.__wrapped__)
    labels = {"method": claims.OURS, "zone": "all", "metric": tables.LESS}
    rows = [
        labels | {"channel": channel, "ocean": ocean, "value": v, "low": low, "high": high}
        for channel, (low, high), shares in (
            ("zos", (None, None), (-0.2, -0.3, -0.1)),
            ("so", (None, None), (-0.1, -0.3, 0.1)),
            ("thetao", (-0.2, -0.05), (-0.3, 0.1, -0.1)),
            ("u_ageo_eddy", (-0.2, 0.05), (-0.3, -0.1, -0.1)),
        )
        for ocean, v in zip(("", "0", "1"), shares, strict=True)
    ]
    write_table(tidy(rows), tmp_path / "osse.csv", command="none")
    assert tables.of_oceans("zos", claims.OURS) == (-0.2, [-0.3, -0.1])
    assert claims.gain_of_oceans("zos") == pytest.approx((20, 10, 30))
    ahead = {channel: tables.surely_ahead(channel, claims.OURS) for channel in ("zos", "so", "thetao", "u_ageo_eddy")}
    assert ahead == {"zos": True, "so": False, "thetao": True, "u_ageo_eddy": False}


def test_numbers_that_nothing_covers_are_found():
    claim = tables.Claim("p.md", INTERVAL, (21.2, 15.9, 25.4, 1200))
    page = PAGE + "Run `f(3)`, see [there](http://a.org/7). Two of 64 x 64 points err by 0.3 m.\n\n```bash\n5\n```\n"
    assert len(tables.uncovered(page, [claim])) == 3
    (found,) = tables.uncovered(page, [claim], ["64 x 64 points"])
    assert "err by 0.3 m" in found
    assert len(tables.uncovered(page, [])) == 8


def test_numbers_are_printed_as_they_should():
    assert [tables.printed(v, s) for v, s in ((-0.0001, "+.3f"), (0.0026, "+.3f"), (1022, ",.0f"), (-0.2, ".1f"))] == [
        "0.000",
        "+0.003",
        "1,022",
        "-0.2",
    ]


def test_a_notebook_keeps_everything_but_the_number(tmp_path):
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": ["Ours is better\n", "by 20 %.\n"]},
        {"cell_type": "code", "metadata": {}, "outputs": [], "source": ["by = 20  # %"]},
        {"cell_type": "markdown", "metadata": {}, "source": []},
    ]
    path = tmp_path / "p.ipynb"
    path.write_text(json.dumps({"cells": cells, "nbformat": 4}, indent=1, ensure_ascii=False) + "\n")
    before, page = path.read_text(), tables.read_page(path)
    tables.write_page(path, page)
    assert path.read_text() == before
    tables.write_page(path, tables.with_claims(page, [tables.Claim("p", "by {:.0f} %", (21,))])[0])
    assert path.read_text() == before.replace("by 20 %", "by 21 %")
