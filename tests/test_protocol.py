"""What data serve for what, and the ledger: no score on test data is shown that is not in it."""

import re
import subprocess
import sys
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from genda_lite import cli
from genda_lite.nature import Twin
from genda_lite.sources.samples import FOLDER
from genda_lite.verify import protocol

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "data_samples"))
claims, tables, make = (import_module(name) for name in ("claims", "tables", "make"))
SEALED = {"sealed twin", *(f"sealed twin, season {k}" for k in (1, 2, 3))}
SIMULATED = {"days": 90, "members": 10, "every": 1, "spin_up": 150, "alike": 0}


def ocean(path: Path, **attrs) -> Path:
    """A file that says in its attributes which simulation it is of; there are no fields in it."""
    xr.Dataset(attrs=SIMULATED | {"twin": 0} | attrs).to_netcdf(path, engine="h5netcdf")
    return path


def genda(monkeypatch, *arguments) -> int:
    """Run `genda ARGUMENTS` in this process; returns its exit status."""
    monkeypatch.setattr("sys.argv", ["genda", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return stop.value.code or 0


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=someone", "-c", "user.email=someone@example.org")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def ledger(tmp_path, monkeypatch) -> Path:
    """An empty one, in a small checkout with nothing to commit."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    path = folder / "ledger.csv"
    path.write_text(",".join(protocol.COLUMNS) + "\n")
    git(folder, "init")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "a ledger")
    monkeypatch.setattr(protocol, "LEDGER", path)
    return path


# --- The table -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attrs", "role"),
    [
        ({"seed": 0}, "training"),
        ({"seed": np.array([0, 1])}, "training"),
        ({"seed": 100}, "training"),
        ({"seed": 2}, "validation"),
        ({"seed": 3, "twin": 0}, "validation"),
        ({"seed": 4, "twin": 1}, "tuning"),
        ({"seed": 7}, "test"),
        ({"seed": np.array([0, 7])}, "test"),
        ({"seed": 7, "twin": 1}, None),
        ({"seed": 8, "twin": 2}, "tuning"),
        ({"seed": 8}, None),
        ({"seed": 9, "twin": 3}, "test"),
        ({"seed": 4, "twin": 3, "season": 2}, "test"),  # whatever its seed: it is the same sea
        ({"twin": 3, "season": 7}, "test"),
        ({"seed": 99}, None),
        ({"seed": "7 of 9"}, None),
        ({}, None),
    ],
)
def test_data_are_known_by_their_attributes(attrs, role):
    part = protocol.part_of(xr.Dataset(attrs=attrs))
    assert role == (part and part.role)


def test_each_season_of_the_sealed_twin_has_a_name_of_its_own():
    names = [protocol.part_of(xr.Dataset(attrs={"twin": 3, "season": season})).name for season in range(5)]
    assert names == ["sealed twin", *(f"sealed twin, season {k}" for k in (1, 2, 3)), "sealed twin"]


def test_each_seed_serves_for_one_thing():
    seeds = [(part.twin, seed) for part in protocol.TABLE for seed in part.seeds]
    assert len(set(seeds)) == len(seeds) and {part.name for part in protocol.TABLE if not part.seeds} == SEALED
    assert {part.role for part in protocol.TABLE} == set(protocol.ROLES)


def test_the_embedded_samples_and_the_makers_agree_with_the_table():
    roles = dict.fromkeys(("nature_training", "nature_wide"), "training")
    roles |= {"nature_heldout": "validation", "twin_truth": "tuning"}
    for name, role in roles.items():
        with xr.open_dataset(FOLDER / f"{name}.nc", engine="h5netcdf") as ds:
            assert protocol.part_of(ds).role == role
    for name, simulation in make.OCEANS.items():
        part = protocol.part_of(xr.Dataset(attrs={"seed": simulation.seed, "twin": 0}))
        assert part.role == ("training" if simulation.wide else "validation"), name
    assert all(f"runs/wide{number:02d}.nc" in protocol.TABLE[1].files for number in (0, len(make.OCEANS) - 2))
    for name, simulation in (make.SIMULATIONS | make.OLD).items():
        part = protocol.part_of(xr.Dataset(attrs={"seed": simulation.seed, "twin": int(simulation.twin)}))
        assert f"runs/{name}.nc" in part.files or (name.startswith("train") and part.role == "training")
    for file, twin, role in (("test_daily", "none", "test"), ("tuning_twin", "tuning", "tuning")):
        text = (ROOT / "Makefile").read_text()
        (command,) = re.findall(rf"^\t.*(genda simulate .*{file}.nc)", text, re.MULTILINE)
        (seed,) = re.findall(r"--seed (\d+)", command)
        assert (f"--twin {twin}" in command) == (twin != "none")
        assert protocol.part_of(xr.Dataset(attrs={"seed": int(seed), "twin": Twin.named(twin)})).role == role


def test_a_prior_says_which_data_served_for_what(tmp_path):
    told = protocol.in_words([ocean(tmp_path / f"{seed}.nc", seed=seed) for seed in (100, 101, 98)])
    assert told["training"] == "wide training oceans, 98.nc, none of the project's"
    assert "tuning twin" in told["tuning"] and "held-out oceans" in told["validation"] and "test oceans" in told["test"]


def test_nobody_trains_on_test_data(monkeypatch, tmp_path, capsys):
    test, other = ocean(tmp_path / "innocent.nc", seed=7), ocean(tmp_path / "o.nc", seed=0)
    for arguments in (
        ("train", "--data", test),
        ("train", "--data", other, "--validation", test),
        ("prepare", test, tmp_path / "state.nc"),
    ):
        out = () if arguments[0] == "prepare" else ("--out", tmp_path / "p.safetensors")
        assert genda(monkeypatch, *arguments, *out) == 2
        error = capsys.readouterr().err
        assert "innocent.nc: holds the test oceans, test data" in error and len(error.splitlines()) == 1


# --- The ledger ------------------------------------------------------------------------------------------------------


COMMANDS = {
    "nature": ("genda_lite.verify.realism.first_of", ()),
    "prior": ("genda_lite.verify.prior.read_oceans", ("--truth",)),
    "osse": ("genda_lite.prepare.decompose.require", ("--truth",)),
}


@pytest.mark.parametrize("what", COMMANDS)
def test_the_ledger_is_told_before_anything_is_computed(monkeypatch, tmp_path, capsys, ledger, what):
    work, option = COMMANDS[what]
    test, told = ocean(tmp_path / "innocent.nc", seed=7), []

    def stop(*arguments, **options):
        told.append((ledger.read_text(), capsys.readouterr().out))
        raise cli.InputError("enough")

    monkeypatch.setattr(work, stop)
    assert genda(monkeypatch, "evaluate", what, *option, test, "--quick") == 2
    ((text, shown),) = told
    line = protocol.read_ledger()[0]
    assert text == ledger.read_text() and not shown
    assert line["run"] == "1" and line["clean"] == "yes" and len(line["commit"]) == 40
    assert line["command"].endswith(f"evaluate {what}") and line["data"] == "test oceans"
    assert "quick True" in line["settings"] and "innocent.nc" in line["settings"] and len(line["checksum"]) == 64


def test_the_ledger_is_told_before_an_experiment_on_the_sealed_twin_is_judged(monkeypatch, tmp_path, capsys, ledger):
    """The observations of a season say what they are, though they are no simulated fields."""
    data, told = tmp_path / "data", []
    data.mkdir()
    for name in ("tracks_j3", "tracks_c2"):
        xr.Dataset(attrs={"seed": 9, "twin": 3, "season": 2}).to_netcdf(data / f"{name}_2001.nc")
    judge = lambda *arguments: told.extend(protocol.read_ledger()) or []  # noqa: E731
    monkeypatch.setattr("genda_lite.verify.ose.judge.report", judge)
    assert genda(monkeypatch, "evaluate", "ose", "--data", data, "--folder", tmp_path) == 0
    assert [(line["data"], line["run"]) for line in told] == [("sealed twin, season 2", "1")]
    assert "test data" in capsys.readouterr().err


@pytest.mark.parametrize("seed", [0, 2, 3, 99])
def test_other_data_are_not_recorded(ledger, tmp_path, seed):
    with ExitStack() as stack:
        (ds,) = protocol.open_to_judge(stack, [ocean(tmp_path / "o.nc", seed=seed)], "genda evaluate osse", {})
        assert ds.attrs["seed"] == seed and protocol.open_to_judge(stack, None, "genda evaluate osse", {}) == []
    assert protocol.read_ledger() == [] and protocol.runs("test oceans") == 0


def test_runs_are_counted(ledger, tmp_path):
    data, code, prior = ocean(tmp_path / "o.nc", seed=7), ledger.with_name("code.py"), tmp_path / "p.safetensors"

    def run(**settings) -> int:
        return protocol.record("test oceans", data, "genda evaluate osse", settings)

    prior.write_text("weights")
    assert run(prior=prior) == 1
    assert run(prior=prior) == 1 and run(prior=prior, table=Path("t.csv")) == 1  # it can show nothing new
    assert run(prior=prior, seed=1) == 2
    code.write_text("another method")
    assert [run(prior=prior), run(prior=prior)] == [3, 4]  # of a changed tree nobody knows what it computes
    git(ledger.parent, "add", ".")
    git(ledger.parent, "commit", "-m", "another method")
    assert [run(prior=prior), run(prior=prior)] == [5, 5]
    lines = protocol.read_ledger()
    assert [line["clean"] for line in lines] == ["yes"] * 4 + ["no"] * 2 + ["yes"] * 2
    assert re.search(r"p\.safetensors \([0-9a-f]{12}\)", lines[0]["settings"])
    assert protocol.runs("test oceans") == 5 and protocol.runs("sealed twin") == 0


def test_what_cannot_be_recorded_is_not_scored(monkeypatch, tmp_path, capsys, ledger):
    data = ocean(tmp_path / "o.nc", seed=7)

    def refused() -> str:
        assert genda(monkeypatch, "evaluate", "nature", data) == 2
        said = capsys.readouterr()
        assert not said.out and len(said.err.splitlines()) == 1
        return said.err

    ledger.write_text("run,date\n")
    assert "expected run, date, commit" in refused()
    ledger.unlink()
    assert "cannot be read" in refused() and not ledger.exists()
    ledger.write_text(",".join(protocol.COLUMNS) + "\n")
    (ledger.parent / ".git").rename(tmp_path / "git")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert "no checkout" in refused()
    monkeypatch.setattr(protocol, "version", lambda: ("0" * 40, True))
    monkeypatch.setattr(Path, "open", read_only(Path.open))
    assert "cannot be written" in refused() and "unrecorded" in refused()


def read_only(real):
    """`Path.open` of a file that may be read only; a mode would not hold back a test that runs as root."""

    def opened(path, mode="r", *arguments, **options):
        if "a" in mode or "w" in mode:
            raise PermissionError("read-only")
        return real(path, mode, *arguments, **options)

    return opened


def test_the_ledger_of_the_project_counts_without_gaps():
    for part in protocol.TABLE:
        numbers = [int(line["run"]) for line in protocol.read_ledger() if line["data"] == part.name]
        assert list(dict.fromkeys(numbers)) == list(range(1, len(set(numbers)) + 1))


# --- The pages -------------------------------------------------------------------------------------------------------

SAID = re.compile(r"\b(?:asked|scored|looked at|judged)\s+(?:only\s+|but\s+|just\s+)?(?:once|last)\b", re.IGNORECASE)


def test_a_page_says_asked_once_only_where_the_ledger_does():
    """Each such phrase is a claim of `claims.py`, made by `asked_once`, which the ledger bears out."""
    book = [path for pattern in ("*.md", "*.ipynb") for path in (ROOT / "book").glob(pattern)]
    for path in [ROOT / "README.md", FOLDER / "README.md", *book]:
        page, name = tables.read_page(path), path.relative_to(ROOT).as_posix()
        backed = [claim for claim in claims.claims() if claim.page == name and SAID.search(claim.text)]
        assert all(claim in claims.asked() for claim in backed)
        assert len(SAID.findall(page)) == len(backed), f"{name}: {SAID.findall(page)}"


def test_asked_once_holds_after_one_run(ledger, tmp_path):
    data = ocean(tmp_path / "o.nc", seed=7)
    claim = lambda: claims.asked_once("p.md", "on oceans that were asked once", "test oceans")  # noqa: E731
    held = [claim().holds]
    for seed in (0, 0, 1):
        protocol.record("test oceans", data, "genda evaluate osse", {"seed": seed})
        held.append(claim().holds)
    assert held == [False, True, True, False]


def test_the_card_counts_the_runs(ledger, tmp_path):
    assert tables.protocol().count("| 0 |") == 5
    protocol.record("test oceans", ocean(tmp_path / "o.nc", seed=7), "genda evaluate osse", {})
    assert f"| {protocol.SCORES} | 1 |" in tables.protocol()
    protocol.record("sealed twin, season 2", ocean(tmp_path / "s.nc", seed=9), "genda evaluate ose", {})
    lines = [line for line in tables.protocol().splitlines() if "sealed twin, season" in line]
    assert [line.split("|")[-2].strip() for line in lines] == ["0", "1", "0"]
