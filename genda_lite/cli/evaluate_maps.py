"""`genda evaluate real`: maps of the real ocean, reconstructed from few of their values."""

from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError
from .common import SEEDS, Checkpoint, Ensembles, JsonFile, TableFile, check_places, counted
from .results import print_frame, print_judged, save, say


def real(
    context: typer.Context,
    tracks: Annotated[
        Path | None, typer.Option(help="DUACS along-track file, for the geometry of its tracks; with --map.")
    ] = None,
    map: Annotated[
        list[Path] | None, typer.Option(help="DUACS sea-level map, the truth; once for each day.")
    ] = None,
    temperature: Annotated[
        Path | None, typer.Option(help="Temperature map (L4), seen between simulated clouds.")
    ] = None,
    current: Annotated[
        Path | None, typer.Option(help="Map of the surface current; a tenth of its vectors are observed.")
    ] = None,
    prior: Checkpoint = None,
    regression: Annotated[
        Path | None, typer.Option(help="Checkpoint of a U-Net regression to compare, trained on the prior's data.")
    ] = None,
    members: Ensembles = 16,
    seed: Annotated[int, typer.Option(max=SEEDS, help="Seed of noise and ensembles.")] = 0,
    region: Annotated[
        list[str] | None,
        typer.Option(help="One of verify.real.REGIONS, once for each, or all; by default the Gulf Stream."),
    ] = None,
    climatology: Annotated[
        list[Path] | None,
        typer.Option(help="World Ocean Atlas, or a reanalysis' means, for sea level; by default the prior's in the "
                     "Gulf Stream, none elsewhere: a flat sea level."),
    ] = None,
    json: JsonFile = None,
    table: TableFile = None,
    quick: Annotated[bool, typer.Option(help="Two boxes, eight members, fast guidance: a minute.")] = False,
) -> None:
    """Reconstruct real maps from few of their values: sea level along real tracks, temperature between clouds, current.

    Compares diffusion, the Gaussian prior, climatology and, for temperature and current, optimal interpolation.
    """
    from ..baselines.regression import Regression
    from ..sources import read_climatology
    from ..verify import real_maps
    from ..verify.engine import GAUSSIAN, OI, OURS, OURS_FAST, load_methods
    from ..verify.real import FIRST_DAYS, FLAT, HOME, REGIONS, evaluate_real

    check_places(json, table, read=[tracks, *(map or ()), temperature, current, *(climatology or ())])
    if (tracks is None) != (not map):
        raise InputError("--tracks and --map go together, expected both, or neither")
    if tracks is None and temperature is None and current is None:
        raise InputError("there is nothing to judge by, expected --tracks with --map, --temperature or --current")
    regions = list(REGIONS) if region == ["all"] else region or [HOME]
    if strangers := set(regions) - set(REGIONS):
        raise InputError(f"region {min(strangers)!r} is unknown, expected all or one of {', '.join(REGIONS)}")
    model, known = load_methods(prior)
    members, learned = (8, [OURS_FAST]) if quick else (members, [OURS, OURS_FAST])
    chosen = [known[name] for name in (*learned, GAUSSIAN)]
    learner, rows = Regression.load(regression) if regression else None, []
    few = 2 if quick else None  # boxes
    if tracks is not None:
        mean = read_climatology(climatology) if climatology else None if regions == [HOME] else FLAT
        corners = [corner for name in regions for corner in REGIONS[name]][:few]
        found, boxes = evaluate_real(
            tracks, map, chosen, model, members, seed, corners, FIRST_DAYS[: 1 if quick else None], mean, learner
        )
        about = "the prior's climatology" if mean is None else mean.attrs.get("source", "a flat mean")
        rows += print_real(found, boxes, f"{counted(members, 'member')}; anomalies about {about}", quick)
    judged = (real_maps.TEMPERATURE, temperature, real_maps.temperature_cases), (
        real_maps.CURRENT, current, real_maps.current_cases)
    for what, path, cases_of in judged:
        if path is not None:
            cases = islice(cases_of(path, model, regions, seed), few)
            found, boxes = real_maps.evaluate_maps(cases, [*chosen, known[OI]], model, members, seed, say, learner)
            size = f"{counted(len(boxes), 'box')}, {counted(members, 'member')}"
            typer.echo(f"\n{'quick: ' if quick else ''}{what}: {size}\n")
            rows += print_maps(real_maps.rows_of(found, boxes, what, GAUSSIAN, learned))
    save(context, rows)


def print_real(found, boxes: list, about: str, quick: bool) -> list[dict]:
    """The scores of `verify.real.evaluate_real` as a table, and our priors less the Gaussian one; as rows."""
    from ..verify.engine import GAUSSIAN, OURS, OURS_FAST
    from ..verify.real import FIGURES, NAMES, paired_difference, rows_of
    from ..verify.table import pivot, tidy

    rows = rows_of(found, boxes)
    seen = f"{counted(len(boxes), 'box')}, {rows[-1]['value']:.1%} of the cells observed"
    typer.echo(f"{'quick: ' if quick else ''}{seen}, {about}")
    frame = tidy(one for one in rows if not one["detail"])
    frame["figure"] = [FIGURES[pair] for pair in zip(frame["channel"], frame["metric"], strict=True)]
    print_frame(pivot(frame, columns="figure").rename(index=NAMES).rename_axis("prior"))
    for name in (OURS, OURS_FAST):
        if name in found["experiment"].values:
            level, flow = paired_difference(found, name, GAUSSIAN, boxes).values()
            less = f"{NAMES[name]} less {NAMES[GAUSSIAN]}, RMSE"
            typer.echo(f"{less}: sea level {level.text('m')}; current {flow.text('m/s')}")
    return rows


def print_maps(rows: list[dict]) -> list[dict]:
    """Rows of `verify.real_maps`: the figures of each method over all boxes, and our priors less the Gaussian one."""
    from ..verify.real import NAMES
    from ..verify.table import pivot, tidy

    frame = tidy(one for one in rows if not one["detail"] and "less" not in one["metric"] and one.get("method"))
    print_frame(pivot(frame).rename(index=NAMES).rename_axis("prior"))
    print_judged([one for one in rows if "less" in one["metric"]])
    return rows
