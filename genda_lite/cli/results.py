"""What commands find: data to judge by, rows and tables, printed and kept."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import typer

from .common import check_places, counted

say = partial(typer.echo, err=True)  # what is no result


def print_judged(rows: list[dict]) -> None:
    """Rows of `verify.table.row`, but for the details, as a Markdown table: figures beside their targets."""
    print_table(
        [
            {
                "quantity": row["name"],
                "value": row["value"],
                "target": row["target"] or "",
                "met": {True: "yes", False: "no", None: "-"}[row["met"]],
                "beside": ", ".join(f"{value:.3f} ({name})" for name, value in row["beside"].items()),
            }
            for row in rows
            if not row["detail"]
        ]
    )


def print_boards(boards: Mapping, cases: int, members: int, quick: bool) -> None:
    """The size of an experiment, and its tables of methods, each below its title."""
    typer.echo(f"{'quick: ' if quick else ''}{counted(cases, 'case')}, {counted(members, 'member')}")
    for title, part in boards.items():
        typer.echo(f"\n{title}\n")
        print_frame(part.rename_axis("method"))


def print_frame(frame) -> None:
    """A pandas table as a Markdown table."""
    name = frame.index.name or ""
    print_table([{name: str(key)} | {str(c): v for c, v in row.items()} for key, row in frame.iterrows()])


def print_lines(lines: Iterable[dict], words: Callable[[dict], str] | None = None) -> list[dict]:
    """Print each line as soon as it is done, in words (of none, nothing), or as a row of a table, a new one where the
    columns change. Returns the lines."""
    done: list[dict] = []
    for line in lines:
        header = not done or [*line] != [*done[-1]]
        if words is None:
            typer.echo("\n" if header and done else "", nl=False)  # between two tables
            print_table([line], header)
        elif told := words(line):
            typer.echo(told)
        done.append(line)
    return done


def print_table(rows: list[dict], header: bool = True) -> None:
    """Rows of figures as a Markdown table; of none, nothing."""
    if not rows:
        return
    names = list(rows[0])
    if header:
        typer.echo("| " + " | ".join(names) + " |")
        typer.echo("|" + "---|" * len(names))
    for row in rows:
        cells = [str(v) if isinstance(v, str | int) else f"{v:.3f}" if v == v else "" for v in row.values()]
        typer.echo("| " + " | ".join(cells) + " |")


@contextmanager
def judged_by(context: typer.Context, paths: list[Path] | None, sample: str | None = None) -> Iterator[list]:
    """Data sets that a command judges by, see `verify.protocol`: test data are entered in the ledger first. Without
    paths, an embedded sample, if one is named."""
    from ..sources import load_sample
    from ..verify.protocol import open_to_judge

    with ExitStack() as stack:
        sets = open_to_judge(stack, paths, context.command_path, context.params, say)
        yield sets or ([load_sample(sample)] if sample else [])


@contextmanager
def daily_oceans(
    context: typer.Context, paths: list[Path] | None, folder: Path | None, sample: str | None = None
) -> Iterator[list]:
    """Oceans that cases are drawn from, see `judged_by`; with a folder, made if it is not there, to keep scores in.

    Raises:
        InputError: one lacks a field.
    """
    from ..prepare.decompose import require

    if folder is not None:
        folder.mkdir(exist_ok=True)
    with judged_by(context, paths, sample) as series:
        for ds in series:
            require(ds)
        yield series


@contextmanager
def forecast_ocean(context: typer.Context, path: Path, prior: Path | None) -> Iterator[tuple]:
    """What forecasts are judged by: the prior whose climatology they have, and an ocean."""
    from ..prior import load_prior

    check_places(context.params["json"], context.params["table"], read=[path, prior])
    learned = load_prior(prior)
    with judged_by(context, [path]) as (ocean,):
        yield learned, ocean


def fingerprint(*paths: Path | None) -> str:
    """What kept scores are made of: the beginnings of the files' checksums, and names of what is no file."""
    from ..sources.samples import checksum

    return " ".join(checksum(path)[:12] if path.is_file() else str(path) for path in filter(None, paths))


def conclude(context: typer.Context, rows: list[dict]) -> None:
    """Print rows beside their targets, and keep them."""
    print_judged(rows)
    save(context, rows)


def save(context: typer.Context, rows: list[dict]) -> None:
    """Keep the rows of a command, as they are and as a tidy table, if its options ask for it."""
    from ..verify.table import tidy, write_table

    given = {key: value for key, value in context.params.items() if value is not None}
    json, table = (given.pop(name, None) for name in ("json", "table"))
    if json is not None:
        write_rows(json, rows)
    if table is not None:
        seed = {"seed": given.pop("seed")} if "seed" in given else {}
        settings = ", ".join(f"{key} {in_words(value)}" for key, value in given.items())
        write_table(tidy(rows), table, command=context.command_path, settings=settings, **seed)


def in_words(value: object) -> str:
    """A setting; of a file its name, whatever folder it lies in here."""
    if isinstance(value, list | tuple):
        return " ".join(map(in_words, value))
    return value.name if isinstance(value, Path) else str(value)


def write_rows(path: Path, rows: list[dict]) -> None:
    """Rows with name, value, target, whether it is met, and any more, as JSON; what is no finite number is null."""
    import json
    import math

    from ..files import atomic_path

    plain = [
        {key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in row.items()}
        for row in rows
    ]
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(plain, indent=1, allow_nan=False) + "\n")
