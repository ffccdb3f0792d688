"""Teaching: checks accept right answers and explain wrong ones; student notebooks hold no solution."""

import json
import re
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
import yaml
from typer.testing import CliRunner

from genda_lite.cli import app
from genda_lite.observe.instruments import DAY
from genda_lite.observe.orbits import MISSIONS, ground_track
from genda_lite.observe.systems import constellation
from genda_lite.posterior import guidance
from genda_lite.sources import load_sample
from genda_lite.teaching import check, student_version, write_student_versions
from genda_lite.teaching.checks import EXERCISES, check_of
from genda_lite.verify import scores

BOOK = Path(__file__).parents[1] / "book"
CHAPTERS = sorted(BOOK.glob("0*.ipynb"))
CHECKS = [label for labels in EXERCISES.values() for label in labels if check_of(label)]


def markdown(path: Path) -> str:
    cells = json.loads(path.read_text())["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def exercises_in(path: Path) -> list[str]:
    return re.findall(r"^:{3,}\{exercise(?:-start)?\}.*\n:label: (\S+)", markdown(path), re.MULTILINE)


# --- Answers ---------------------------------------------------------------------------------------------------------


@cache
def crossings(days: float = 5.0) -> dict[int, list[float]]:
    date = load_sample("nature_heldout").time.values[10]
    found = {}
    for n in (1, 3, 7):
        tracks = [
            ground_track(MISSIONS[name], date - days * DAY, date + days * DAY, (33, 43), (-65, -55))
            for name in constellation(n)
        ]
        passes = [t.isel(point=t.track.values == one) for t in tracks for one in np.unique(t.track)]
        passes = [p for p in passes if p.latitude.min() < 38 < p.latitude.max()]
        found[n] = [float(p.longitude[np.argmin(abs(p.latitude.values - 38))]) for p in passes]
    return found


def eddies(width: float = 40.0) -> np.ndarray:
    size = np.array([30.0, 50.0, 100.0])
    q = size**2 / (size**2 + width**2)
    return np.stack([q, q**1.5, q**2], 1)


def narrow(S, s, e):
    gain = s**2 / (s**2 + e**2)
    return (gain * e**2 / ((1 - gain) ** 2 * S**2 + gain**2 * e**2)) ** 0.5


def edm(S, sigma):
    return (S + sigma**2) ** -0.5, S / (S + sigma**2), (S * sigma**2 / (S + sigma**2)) ** 0.5


def small_ocean(n: int = 5000) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.choice([-1.0, 1.0], n) + 0.3 * rng.normal(size=n)


def white(factor=lambda sigma: sigma**2 / (1 + sigma**2), sign: float = 1.0):
    def guide(prior, likelihood, context):
        def denoise(x, sigma):
            estimate, carried = guidance.linearized(prior, x, sigma, context)
            weights = likelihood.precision(likelihood.value - likelihood.operator(estimate), extra=factor(sigma))
            return estimate + sign * carried(likelihood.operator.adjoint(weights))

        return denoise

    return guide


def ranks(ensemble, taken, drop=True):
    others = ensemble.drop_isel(member=taken) if drop else ensemble
    return scores.rank_histogram(others, ensemble.isel(member=taken, drop=True))


@cache
def ring(sign: int = -1, root: int = -1) -> float:
    """Speed of the gradient wind round a ring of 0.5 m and 50 km at its radius, from the geostrophic one."""
    f, size = 2 * 7.2921e-5 * np.sin(np.radians(38)), 50e3
    geostrophic = 9.81 * 0.5 / (f * size * np.e**0.5)
    steepness = 4 * sign * geostrophic / (f * size)
    return -sign * 0.5 * f * size * (1 + root * (1 + steepness) ** 0.5) if sign else geostrophic


def salinity_and_level() -> list[float]:
    from genda_lite import CHANNELS, prepare
    from genda_lite.prepare.frames import members_of

    judge, found = prepare.fit_standardizer(load_sample("nature_wide")), []
    for other in members_of(load_sample("nature_heldout")):
        x = prepare.standardized(prepare.to_state(other, judge), judge)
        found += [float((x[:, CHANNELS.index(c)] ** 2).mean() ** 0.5) for c in ("zos", "so")]
    return found


def turned(latitude: float) -> float:
    """The angle by which inertial motion turns in twelve hours."""
    return 2 * 7.2921e-5 * np.sin(np.radians(latitude)) * 43200


def left_by_days(a):
    """Of the variance at a date: by a measurement t = a T before it, and with another as long after it."""
    days = np.array([-a, a])
    to_date, between = np.exp(-(days**2)), np.exp(-(np.subtract.outer(days, days) ** 2))
    return 1 - to_date[0] ** 2, 1 - to_date @ np.linalg.solve(between, to_date)


def mean_of_turning(latitude: float) -> float:
    """What a mean over 24 hours leaves of it, by summing up."""
    hours = np.linspace(-1, 1, 20001)
    return abs(np.exp(1j * hours * turned(latitude)).mean())


RIGHT = {
    "ex-observing-second": ["b", "(b)", " B "],
    "ex-observing-orbit": [0.844, -0.156, 0.156, -15.6, 84.4],
    "ex-observing-eddy": [eddies(), eddies().tolist(), 100 * eddies(), eddies().T, pd.DataFrame(eddies())],
    "ex-observing-across": [crossings],
    "ex-observing-wrong": [["half of s", "twice the length"], ("twice the length", "half of s")],
    "ex-smooth": [8.006, 8.0, np.float32(8.0), torch.tensor(8.0), np.array([8.01]), xr.DataArray(8.0)],
    "ex-narrow": [narrow],
    "ex-ring": [(ring(0), 0.07, ring()), [ring(0), 7, ring()]],
    "ex-scale": [salinity_and_level],
    "ex-prior-covariance": [
        lambda S, sigma: S * sigma**2 / (S + sigma**2), lambda S, sigma: 1 / (1 / S + 1 / sigma**2),
    ],
    "ex-prior-edm": [edm, lambda S, sigma: torch.tensor(edm(S, sigma))],
    "ex-prior-sampler": [small_ocean(), small_ocean(20_000)[:, None], torch.tensor(small_ocean())],
    "ex-bayes-limits": [("prior", "no"), ["Prior", "No"]],
    "ex-bayes-twice": [lambda gamma, sigma, n: gamma * sigma**2 / n],
    "ex-bayes-own": [white()],
    "ex-error": [("up", "up")],
    "ex-members": [lambda m: ((m + 1) / m) ** 0.5, 1.0308, (17 / 16) ** 0.5],
    "ex-osse-rugged": [ranks, lambda ensemble, taken: ranks(ensemble, taken).values.tolist()],
    "ex-ose-between": [left_by_days, lambda a: torch.tensor(left_by_days(a))],
    "ex-ose-floor": [lambda e: e * np.sqrt(np.pi / 2), lambda e: torch.tensor(1.25331 * e)],
    "ex-ose-filter": [lambda latitude: abs(np.sinc(turned(latitude) / np.pi)), mean_of_turning],
}  # fmt: skip

# Usual mistakes, and a word that the explanation has to hold.
WRONG = {
    "ex-observing-second": [("a", "hole"), ("c", "'a', 'b'"), (2, "Expected")],
    "ex-observing-orbit": [
        (1 / 0.844, "the way from"), ((500 / 1336) ** 1.5, "centre"), (0.8925, "power"), (0.5, "period"),
        ("less", "number"),
    ],
    "ex-observing-eddy": [
        (eddies() ** 0.5, "two"), (1 - eddies(), "lost"), (np.ones((3, 3)), "integral"), (eddies()[:2], "3 x 3"),
        (eddies()[:, [0, 0, 2]], "speeds"), (eddies()[:, [0, 1, 1]], "vorticities"),
    ],
    "ex-observing-across": [
        ({1: [], 3: [], 7: []}, "few"), (lambda: crossings(10.0), "many"), ([1, 2], "keys"),
        (lambda: {n: np.array(x) + 0.5 for n, x in crossings().items()}, "longitudes"),
    ],
    "ex-observing-wrong": [
        (["half the length"], "half the length"), (["half of s"], "twice the length"), ("half of s", "list"),
        (["all"], "Expected one of"),
    ],
    "ex-smooth": [
        (5.337, "s = 1"), (11.32, "variance"), (6.664, "1/e"), (0.785, "wavenumber"), (4.0, "half of a wave"),
        (74.0, "kilometres"), (3.0, "Fourier"), ("eight", "'eight'"), (float("nan"), "finite"), (True, "True"),
        ([1, 2], "shape"),
    ],
    "ex-narrow": [
        (lambda S, s, e: narrow(S, s, e) ** 2, "variances"), (lambda S, s, e: 1 / narrow(S, s, e), "over spread"),
        (lambda S, s, e: s / S + e, "S = s"), (lambda S, s, e: 1.0, "very large"), (0.5, "function"),
        (lambda S, s: 1.0, "TypeError"),
    ],
    "ex-ring": [
        ((1.09, 0.07, 0.81), "r = L"), ((100 * ring(0), 0.07, ring()), "m/s"), ((ring(0), 0.93, ring()), "left"),
        ((ring(0), 0.3, ring()), "(b)"), ((ring(0), 0.07, ring(1)), "cyclone"), ((ring(0), 0.07, ring(-1, 1)), "root"),
        ((ring(0), 0.07, ring(0)), "curvature"), ((0.2, 0.07, 0.8), "slope"), (0.66, "3 numbers"),
    ],
    "ex-scale": [([1, 1], "4 numbers"), ([1, 1, 1, 1], "all"), (lambda: np.square(salinity_and_level()), "variances")],
    "ex-prior-covariance": [
        (lambda S, sigma: S / (S + sigma**2), "slope"), (lambda S, sigma: S**2 / (S + sigma**2), "known"),
        (lambda S, sigma: sigma**2, "noise"), (lambda S, sigma: S, "small σ"),
    ],
    "ex-prior-edm": [
        (lambda S, sigma: (1.0, 0.5, 1.0), "input"), (lambda S, sigma: (edm(S, sigma)[0], 0.5, 1.0), "c_skip"),
        (lambda S, sigma: (*edm(S, sigma)[:2], 1.0), "target"), (lambda S, sigma: 1.0, "3 numbers"),
        (lambda S, sigma: edm(1.0, sigma), "variance"),
    ],
    "ex-prior-sampler": [
        (np.random.default_rng(0).normal(size=5000) * 1.09**0.5, "single"), (80 * small_ocean(), "zero"),
        (np.sign(small_ocean()), "width"), (small_ocean(50), "2,000"), (2 * small_ocean(), "differ"),
    ],
    "ex-bayes-limits": [(("posterior", "no"), "(a)"), (("prior", "yes"), "(b)"), ("prior", "two words")],
    "ex-bayes-twice": [
        (lambda gamma, sigma, n: gamma * sigma**2, "each reading"),
        (lambda gamma, sigma, n: gamma * sigma**2 * n, "way round"),
        (lambda gamma, sigma, n: gamma * sigma**2 / n**2, "power of n"), (lambda gamma, sigma, n: 1.0, "Sum"),
    ],
    "ex-bayes-own": [
        (white(lambda sigma: sigma**2), "γ = 1"), (white(lambda sigma: 0.0), "left out"), (white(sign=-1.0), "sign"),
        (white(sign=0.0), "not heard"), (white(sign=0.5), "sda"), (lambda prior, likelihood, context: None, "function"),
        (lambda prior, likelihood, context: lambda x, sigma: 1.0, "tensor"),
    ],
    "ex-error": [
        (("down", "up"), "spread"), (("up", "down"), "ratio"), ("up", "two words"), (("up", "sideways"), "'down'"),
    ],
    "ex-members": [
        (17 / 16, "squared"), ((16 / 17) ** 0.5, "below one"), (0.0308, "how much more"), (3.08, "percent"),
        (lambda m: (m / (m - 1)) ** 0.5, "variance"), (lambda m: 2.0, "which variances"),
        (lambda m: 1 / 0, "ZeroDivision"),
    ],
    "ex-osse-rugged": [
        (lambda e, taken: ranks(e, taken, drop=False), "still in"), (lambda e, taken: ranks(e, taken)[::-1], "top"),
        (lambda e, taken: ranks(e, 1), "not those"), (lambda e, taken: ranks(e, taken) / 2, "counts"),
        (lambda e, taken: [120], "1 ranks"),
    ],
    "ex-ose-between": [
        (lambda a: (left_by_days(a)[0], left_by_days(a)[0] / 2), "Half"),
        (lambda a: (1 - np.exp(-2 * a**2), 1 / (1 + 2 / np.expm1(2 * a**2))), "one undoes the other"),
        (lambda a: (left_by_days(a)[0], left_by_days(a)[0] ** 2), "covariance"),
        (lambda a: tuple(1 - one for one in left_by_days(a)), "what is known"),
        (lambda a: left_by_days(a)[::-1], "First"), (lambda a: (1 - np.exp(-(a**2)), 0.5), "rho squared"),
        (lambda a: (0.3, 0.1), "Condition"), (lambda a: 0.3, "2 numbers"),
    ],
    "ex-ose-floor": [
        (lambda e: e, "one component"), (lambda e: 2**0.5 * e, "mean square"), (lambda e: 0.0, "drifters are not"),
        (lambda e: e * (2 / np.pi) ** 0.5, "mean size"), (lambda e: e * np.pi**0.5 / 2, "of one component, or"),
        (lambda e: 2 * e**2, "square of a speed"), (lambda e: 7.0, "distributed"), (0.1, "function"),
    ],
    "ex-ose-filter": [
        (lambda at: np.sin(turned(at)) / turned(at), "backwards"), (lambda at: 100 * mean_of_turning(at), "percent"),
        (lambda at: mean_of_turning(at) ** 2, "energy"), (lambda at: 1 - mean_of_turning(at), "taken out"),
        (lambda at: abs(np.sinc(2 * turned(at) / np.pi)), "not f T"), (lambda at: abs(np.sinc(turned(at))), "pi"),
        (lambda at: 0.5, "Average"),
    ],
}  # fmt: skip


def made(answer, label):
    """Answers that take a moment are made when they are needed; those to some exercises are functions themselves."""
    lazy = label in ("ex-observing-across", "ex-scale") and callable(answer)
    return answer() if lazy else answer


@pytest.mark.parametrize("label", CHECKS)
def test_right_answers_are_accepted_in_any_form(label):
    for answer in RIGHT[label]:
        verdict = check(label, made(answer, label))
        assert verdict, (answer, verdict)
        assert repr(verdict).startswith("Right. ")


@pytest.mark.parametrize("label", CHECKS)
def test_usual_mistakes_are_explained(label):
    for answer, word in WRONG[label]:
        verdict = check(label, made(answer, label))
        assert not verdict, answer
        assert word in verdict.told, (answer, verdict)
        assert repr(verdict).startswith("Not yet. ") and "\n" not in verdict.told


@pytest.mark.parametrize("label", CHECKS)
def test_explanations_do_not_give_a_number_away(label):
    numbers = {
        "ex-observing-orbit": ("0.84", "15.", "16 %"),
        "ex-observing-eddy": tuple(f"{value:.2f}" for value in eddies().ravel()),
        "ex-smooth": ("8.0", "74", "5.3"),
        "ex-members": ("1.03",),
        "ex-ring": (f"{ring(0):.2f}", f"{ring():.2f}", "7 %"),
    }
    for answer, _ in WRONG[label] if label in numbers else ():
        told = check(label, made(answer, label)).told
        assert not [number for number in numbers[label] if number in told]


def test_an_exercise_has_a_label_and_a_place():
    for name in ("ex-members", "members", "osse-2", "OSSE-2", "5.2", "Exercise 5.2"):
        assert check(name, 1.0308)


def test_unknown_exercises_are_refused(refuses):
    with refuses("did you mean 'ex-smooth'"):
        check("ex-smoth", 8)
    with refuses("no exercise 'osse-21'", "chapter osse has 5, osse-1 to osse-5"):
        check("osse-21", 8)
    for number in ("5.6", "7.1", "0.1", "21", "Exercise 21"):
        with refuses(f"no exercise {number!r}", "a number like '2.2'"):
            check(number, 8)
    with refuses("ex-gauss", "no program can check"):
        check("osse-3", "because")


def test_the_list_of_exercises_is_that_of_the_chapters():
    assert [exercises_in(path) for path in CHAPTERS] == [list(labels) for labels in EXERCISES.values()]
    assert list(EXERCISES) == [path.stem.split("_")[1] for path in CHAPTERS]


def test_the_book_numbers_exercises_as_check_does():
    """By chapter, in the order of the table of contents: its chapters, and only they, are numbered."""
    chapters, appendix = yaml.safe_load((BOOK.parent / "_toc.yml").read_text())["parts"]
    assert chapters["numbered"] == 1 and "numbered" not in appendix
    assert [Path(entry["file"]).stem for entry in chapters["chapters"]] == [path.stem for path in CHAPTERS]


def test_chapters_say_how_their_exercises_are_checked():
    for path, labels in zip(CHAPTERS, EXERCISES.values(), strict=True):
        if "genda_lite.teaching" in path.read_text():
            named = set(re.findall(r'`check\("(ex-[\w-]+)"', markdown(path)))
            assert named == set(labels) & set(CHECKS)


# --- Student notebooks -----------------------------------------------------------------------------------------------


def text_of(cell: dict) -> str:
    return "".join(cell["source"])


def solutions_in(path: Path) -> tuple[list[str], list[str]]:
    """Lines of text that stand in solutions, and the cells that are nothing else."""
    lines, cells, inside = [], [], None
    for cell in json.loads(path.read_text())["cells"]:
        if inside and "{solution" not in text_of(cell):
            cells.append(cell["id"])
        for line in text_of(cell).splitlines() if cell["cell_type"] == "markdown" else ():
            if line.startswith(":::{solution-start}"):
                inside = ":::{solution-end}"
            elif line.startswith(":::{solution}"):
                inside = ":::"
            elif inside and line.strip() == inside:
                inside = None
            elif inside and len(line) > 3 and not line.startswith((":class:", "```")):
                lines.append(line)
    return lines, cells


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_student_versions_hold_exercises_and_no_solution(path):
    before_run = path.read_text()
    source = json.loads(before_run)
    for cell in source["cells"]:  # as after a run
        if cell["cell_type"] == "code":
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["the secret"]}]
            cell["execution_count"] = 3
    before = json.dumps(source)
    student = student_version(source)
    assert json.dumps(source) == before  # the source is left alone
    text = json.dumps(student, ensure_ascii=False)
    assert "{solution" not in text and "the secret" not in text
    assert all(cell.get("execution_count") is None for cell in student["cells"])

    lines, cells = solutions_in(path)
    assert len(lines) > 8
    kept = "\n".join(map(text_of, student["cells"])).splitlines()
    assert not [line for line in lines if line in kept]
    assert exercises_in(path) == re.findall(r":label: (ex-[\w-]+)", "\n".join(kept))

    # All else is as it was.
    by_id = {cell["id"]: cell for cell in student["cells"]}
    assert len(by_id) == len(student["cells"])
    untouched = [c for c in json.loads(before_run)["cells"] if c["id"] not in cells and "{solution" not in text_of(c)]
    assert len(untouched) > 40
    assert [by_id[cell["id"]] for cell in untouched] == untouched
    missing = {line for line in markdown(path).splitlines() if len(line) > 3} - set(kept) - set(lines)
    assert all(re.match(r":::\{solution|:class: dropdown|```", line) for line in missing), missing


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_student_versions_are_notebooks_that_nbgrader_can_mark(path):
    nbformat = pytest.importorskip("nbformat")
    student = student_version(json.loads(path.read_text()))
    nbformat.validate(nbformat.from_dict(student))
    answers = [cell for cell in student["cells"] if "nbgrader" in cell["metadata"]]
    names = [cell["metadata"]["nbgrader"]["grade_id"] for cell in answers]
    assert len(names) == len(set(names))
    assert {re.sub("-words$", "", name) for name in names} == set(exercises_in(path))
    for cell in answers:
        about = cell["metadata"]["nbgrader"]
        assert about["solution"] and about["schema_version"] == 3 and not about["locked"]
        assert about["grade"] == (cell["cell_type"] == "markdown") == ("points" in about)
        assert len(cell["source"]) == 1
    checkable = set(exercises_in(path)) & set(CHECKS)
    assert checkable <= set(names)  # where `check` is called


def notebook(*cells: tuple[str, str], tags: tuple[str, ...] = ()) -> dict:
    parts = []
    for n, (kind, text) in enumerate(cells):
        cell = {"cell_type": kind, "id": f"cell{n}", "metadata": {}, "source": text.splitlines(keepends=True)}
        if kind == "code":
            cell |= {"execution_count": None, "outputs": [], "metadata": {"tags": list(tags)} if tags else {}}
        parts.append(cell)
    return {"cells": parts, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


ASKED = "Before.\n\n:::{exercise-start} One\n:label: ex-one\n:::\nWhat?\n:::{exercise-end}\n:::\n\n"
START, END = ":::{solution-start} ex-one\n:class: dropdown\n:::\nSo:", ":::{solution-end}\n:::\n\nAfter."


def test_a_solution_around_cells_leaves_two_empty_ones():
    student = student_version(
        notebook(("markdown", ASKED + START), ("code", "1 + 1"), ("code", "2"), ("markdown", END), tags=("hide-input",))
    )
    assert [(c["cell_type"], "".join(c["source"])) for c in student["cells"]] == [
        ("markdown", ASKED.strip()), ("markdown", "*Your answer.*"), ("code", "# Your answer."), ("markdown", "After."),
    ]  # fmt: skip
    assert student["cells"][2]["id"] == "cell1" and student["cells"][2]["metadata"]["tags"] == ["hide-input"]


def test_directives_in_a_block_of_code_are_text():
    text = "```\n:::{solution} ex-one\n```"
    assert student_version(notebook(("markdown", text)))["cells"][0]["source"] == text.splitlines(keepends=True)


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ([ASKED + START], "does not end"),
        ([ASKED + END], "not started"),
        ([START + END], "no exercise of that label"),
        ([ASKED + ":::{solution} ex-one\nSo."], "within its cell"),
        ([ASKED + START, START + END], "does not end before"),
        ([ASKED + ":::{solution-start} ex-one\nSo."], "not closed"),
    ],
)
def test_solutions_that_are_marked_wrongly_are_refused(refuses, cells, words):
    with refuses(words):
        student_version(notebook(*(("markdown", cell) for cell in cells)))


def test_one_command_writes_them_all(tmp_path):
    for _ in range(2):  # again, over older ones
        result = CliRunner().invoke(app, ["student", str(BOOK), str(tmp_path / "new" / "out")])
        assert result.exit_code == 0, result.output
    names = sorted(path.name for path in (tmp_path / "new" / "out").iterdir())
    assert names == [path.name for path in CHAPTERS]  # and nothing half-written beside them


def test_the_key_is_written_beside_them(tmp_path):
    key = ["--key", str(tmp_path / "key.md")]
    result = CliRunner().invoke(app, ["student", str(BOOK), str(tmp_path / "out"), *key])
    assert result.exit_code == 0 and result.output.endswith("key.md\n")
    assert (tmp_path / "key.md").read_text().startswith("# Tutor's key")
    result = CliRunner().invoke(app, ["student", str(BOOK), str(tmp_path / "more"), "--key", "key.pdf"])
    assert result.exit_code == 1 and not (tmp_path / "more").exists()


def test_nothing_is_written_where_something_is_wrong(tmp_path, refuses):
    source, target = tmp_path / "source", tmp_path / "target"
    with refuses("no such folder"):
        write_student_versions(source, target)
    source.mkdir()
    with refuses("no notebook in it has an exercise"):
        write_student_versions(source, target)
    (source / "a.ipynb").write_text(json.dumps(notebook(("markdown", ASKED))))
    with refuses("overwritten"):
        write_student_versions(source, source)
    (source / "b.ipynb").write_text("half a noteb")
    with refuses("b.ipynb", "not a notebook"):
        write_student_versions(source, target)
    (source / "b.ipynb").write_text(json.dumps(notebook(("markdown", ASKED + START))))
    with refuses("b.ipynb", "does not end"):
        write_student_versions(source, target)
    assert not target.exists()


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_every_exercise_says_what_one_learns(path):
    fence = r"^:{3,}\{exercise(?:-start)?\}.*\n:label: (\S+)\n(?::::\n)?(.*)"
    first = re.findall(fence, markdown(path), re.MULTILINE)
    assert [label for label, _ in first] == exercises_in(path) and len(first) >= 4
    assert [label for label, line in first if not re.match(r"\*\*You learn to\*\* .{20,}\.$", line)] == []
