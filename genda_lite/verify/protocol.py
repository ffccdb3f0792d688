"""Which data serve for training, tuning, validation and test, and the ledger of all scores on test data.

`TABLE` is the one source: the card prints it, and the commands know by it what they are given. Simulated data say in
their attributes what they are, whatever their file is called. Before a command reads a field of test data, it writes a
line into `ledger.csv`, at the root of the project, and where it cannot, it reads none. Pipelines are tried on the data
of the other rows. Whoever reads the files by other means than these commands is on his honour.
"""

import csv
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr

from ..errors import InputError
from ..nature.twins import Twin
from ..sources.files import open_product
from ..sources.samples import checksum

TRAINING, TUNING, VALIDATION, TEST = ROLES = ("training", "tuning", "validation", "test")
LEDGER = Path(__file__).resolve().parents[2] / "ledger.csv"
COLUMNS = ("run", "date", "commit", "clean", "command", "settings", "data", "checksum")
SAME = ("commit", "clean", "command", "settings", "data", "checksum")  # runs that agree in these show the same scores
SCORES = "scores that no choice follows"
WIDE_SEEDS = range(100, 121)  # of the wide training oceans, one each
PLACES = {"json", "table", "folder", "maps"}  # settings that say where to write: they change no score


class Part(NamedTuple):
    """Some of the data.

    `name`: what the ledger calls them. `seeds`: those of `genda simulate` (none: any). `twin`: what was given to its
    `--twin`. `files`: where they are. `served`: what they were used for. `season`: which, where a record was cut (0:
    any).
    """

    role: str
    name: str
    seeds: tuple[int, ...]
    twin: Twin
    files: str
    served: str
    season: int = 0


TABLE = (
    Part(
        TRAINING,
        "old training oceans",
        (0, 1, 5, 6),
        Twin.NONE,
        "`runs/train0.nc` to `runs/train3.nc`, by `data_samples/make.py old`; `nature_training.nc`",
        "weights, climatology, covariances; of the prior and of the regression",
    ),
    Part(
        TRAINING,
        "wide training oceans",
        tuple(WIDE_SEEDS),
        Twin.NONE,
        f"`runs/wide00.nc` to `runs/wide{len(WIDE_SEEDS) - 1:02d}.nc`, by `make data`; `nature_wide.nc`",
        "the same, of a wide prior",
    ),
    Part(
        TUNING,
        "old twin",
        (4,),
        Twin.OLD,
        "`runs/twin.nc`, by `make samples`; `twin_truth.nc`, `twin/`",
        "settings chosen by hand: lag time and its treatment, `drift_length`, steps, scales of mapped sea level",
    ),
    Part(
        TUNING,
        "tuning twin",
        (8,),
        Twin.TUNING,
        "`runs/tuning_twin.nc`, `runs/tuning_twin/1/`, by `make tuning-twin`",
        "how wide a prior must be, on an ocean of another structure; `crossover` and `inflation` of the wide prior, "
        "with the validation oceans",
    ),
    Part(
        VALIDATION,
        "validation oceans",
        (2,),
        Twin.NONE,
        "`runs/validation.nc`, by `make data`; `runs/validation_daily.nc`, by `make osse-data`",
        "choices of network and training; `crossover` and `inflation`; the errors of altimetry that is not of the day; "
        "the spread that the regression is dressed with",
    ),
    Part(
        VALIDATION,
        "held-out oceans",
        (3,),
        Twin.NONE,
        "`runs/heldout.nc`, by `make samples`; `runs/heldout_daily.nc`, `nature_heldout.nc`",
        "the scores of the oceans, of the prior and of twin experiments: looked at many times while all this was made",
    ),
    Part(TEST, "test oceans", (7,), Twin.NONE, "`runs/test_daily.nc`, by `make test-data`", SCORES),
    Part(TEST, "sealed twin", (), Twin.SEALED, "`runs/sealed_twin.nc`, by `make test-twin`", "its seasons"),
    *(
        Part(
            TEST,
            f"sealed twin, season {season}",
            (),
            Twin.SEALED,
            f"`runs/sealed_twin/{season}/`, by `make test-twin`",
            f"the final score of {served}",
            season,
        )
        for season, served in enumerate(("analyses in time", "cycles", "latent analyses"), 1)
    ),
)


def part_of(ds: xr.Dataset) -> Part | None:
    """The part of the data that a data set belongs to, by the attributes `seed` and `twin` that `genda simulate` stores
    and the `season` that the record was cut to. If several parts fit, the last in the table; if none does (real
    products), None."""
    seeds, twin = set(np.atleast_1d(ds.attrs.get("seed", ())).tolist()), ds.attrs.get("twin", Twin.NONE)
    season = ds.attrs.get("season", 0)
    fitting = (part for part in reversed(TABLE) if part.twin == twin and part.season in (0, season))
    return next((part for part in fitting if not part.seeds or seeds & set(part.seeds)), None)


def is_test(ds: xr.Dataset) -> bool:
    """Whether it is test data."""
    part = part_of(ds)
    return part is not None and part.role == TEST


def in_words(training: Iterable[Path]) -> dict[str, str]:
    """Which data serve for what, by role, of a prior that is trained on some files: what a checkpoint says of itself.

    Raises:
        InputError: see `open_product`.
    """
    found = []
    for path in training:
        with open_product(path) as ds:
            part = part_of(ds)
            found.append(part.name if part else f"{path.name}, none of the project's")
    told = {role: ", ".join(part.name for part in TABLE if part.role == role) for role in ROLES}
    return told | {TRAINING: ", ".join(dict.fromkeys(found))}


def refuse_test(paths: Iterable[Path]) -> None:
    """Let no test data pass, to be trained on or chosen by.

    Raises:
        InputError: a file holds some, or see `open_product`.
    """
    for path in paths:
        with open_product(path) as ds:
            if is_test(ds):
                raise InputError(f"{path}: holds the {part_of(ds).name}, test data, expected data to train on")


def open_to_judge(
    stack: ExitStack,
    paths: Sequence[Path] | None,
    command: str,
    settings: Mapping[str, object],
    say: Callable[[str], None] = lambda text: None,
) -> list[xr.Dataset]:
    """Open data that a command judges by; if they are test data, after a line in the ledger.

    Args:
        stack: closes them. paths: none where there are none. command, settings: to be recorded.
        say: takes a line that tells the how-many-th run on test data this is.

    Raises:
        InputError: see `open_product` and `record`.
    """
    found = [stack.enter_context(open_product(path)) for path in paths or ()]
    for path, ds in zip(paths or (), found, strict=True):
        if is_test(ds):
            name = part_of(ds).name
            say(f"{LEDGER.name}: run {record(name, path, command, settings)} on the {name}, test data")
    return found


def record(name: str, path: Path, command: str, settings: Mapping[str, object]) -> int:
    """Append a line to the ledger; returns the how-many-th run on these data it is.

    A run that continues, or is repeated at the same commit of a clean tree with the same settings, can show nothing
    new. It gets a line of its own, and keeps its number.

    Args:
        name: of the data, in `TABLE`. path: of their file, whose checksum is recorded; so is that of any file among
            the settings.

    Raises:
        InputError: there is no ledger, it cannot be written, or the code's version is not known.
    """
    before = read_ledger()
    commit, is_clean = version()
    given = {key: value for key, value in settings.items() if value is not None and key not in PLACES}
    line = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit,
        "clean": "yes" if is_clean else "no",
        "command": command,
        "settings": ", ".join(f"{key} {described(value)}" for key, value in given.items()),
        "data": name,
        "checksum": checksum(path),
    }
    again = [one["run"] for one in before if is_clean and all(one[key] == line[key] for key in SAME)]
    run = int(again[0]) if again else runs(name) + 1
    try:
        with LEDGER.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, COLUMNS, lineterminator="\n").writerow({"run": run} | line)
    except OSError as error:
        raise InputError(f"{LEDGER}: cannot be written ({error}), and no score on test data goes unrecorded") from None
    return run


def described(value: object) -> str:
    """A setting in words; of a file its checksum, too."""
    if isinstance(value, list | tuple):
        return " ".join(map(described, value))
    is_file = isinstance(value, str | Path) and Path(value).is_file()
    return f"{value} ({checksum(Path(value))[:12]})" if is_file else str(value)


def version() -> tuple[str, bool]:
    """The commit of the project, and whether nothing but the ledger differs from it.

    Raises:
        InputError: it is no checkout.
    """

    def git(*arguments: str) -> str:
        told = subprocess.run(["git", *arguments], cwd=LEDGER.parent, capture_output=True, text=True, check=True)
        return told.stdout.strip()

    try:
        return git("rev-parse", "HEAD"), not git("status", "--porcelain", "--", ".", f":!{LEDGER.name}")
    except (OSError, subprocess.CalledProcessError) as error:
        raise InputError(f"{LEDGER.parent}: no checkout ({error}), and test data are scored in one only") from None


def read_ledger() -> list[dict[str, str]]:
    """The lines of the ledger, the first one first.

    Raises:
        InputError: there is none, or it is not one.
    """
    try:
        with LEDGER.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            lines, columns = list(reader), tuple(reader.fieldnames or ())
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{LEDGER}: cannot be read ({error}), and no score on test data goes unrecorded") from None
    if columns != COLUMNS:
        raise InputError(f"{LEDGER}: has the columns {', '.join(columns)}, expected {', '.join(COLUMNS)}")
    return lines


def runs(name: str) -> int:
    """How often data of a name have been scored, by the ledger."""
    return max((int(one["run"]) for one in read_ledger() if one["data"] == name), default=0)
