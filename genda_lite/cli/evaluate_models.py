"""`genda evaluate` for what analyses are made with: simulated oceans, priors, forecasts."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError
from .common import SEEDS, Climate, Forecasts, JsonFile, TableFile, check_places, counted
from .results import conclude, forecast_ocean, judged_by, print_lines, print_table, save


def nature(
    context: typer.Context,
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE", help="Simulated data; by default the held-out sample.")
    ] = None,
    real: Annotated[Path | None, typer.Option(help="Folder of real products to measure, too.")] = None,
    json: JsonFile = None,
    table: TableFile = None,
    quick: Annotated[bool, typer.Option(help="Two oceans, sixty dates of their first year: seconds.")] = False,
) -> None:
    """Compare the statistics of simulated oceans with those of the real Gulf Stream."""
    from ..verify.realism import first_of, real_values, realism

    check_places(json, table, read=files or ())
    found = real_values(real) if real else {}
    with judged_by(context, files, "nature_heldout") as sets:
        sets = [first_of(ds) for ds in sets] if quick else sets
        rows = [row | {"real": found.get(row["name"], {})} for row in realism(sets)]
    oceans, dates = (sum(ds.sizes.get(dim, 1) for ds in sets) for dim in ("member", "time"))
    size = f"{counted(oceans, 'ocean')}, {counted(dates, 'date')} in {counted(len(sets), 'data set')}"
    typer.echo(f"{'quick: ' if quick else ''}{size}")
    print_table(
        [
            {
                "quantity": row["name"],
                "mean": row["value"],
                "range over oceans": f"{row['low']:.3f} to {row['high']:.3f}" if row["low"] == row["low"] else "",
                "target": row["target"] or "",
                "met": {True: "yes", False: "no", None: "-"}[row["met"]],
                "real products": ", ".join(f"{value:.3g} ({name})" for name, value in row["real"].items()),
            }
            for row in rows
        ]
    )
    save(context, rows)


def prior(
    context: typer.Context,
    checkpoint: Annotated[
        str | None, typer.Argument(help="'wide' or a checkpoint; by default the shipped prior.")
    ] = None,
    truth: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Oceans it never saw; by default the held-out sample.")
    ] = None,
    training: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Its training data; by default the sample of them.")
    ] = None,
    samples: Annotated[int, typer.Option(help="States to draw.")] = 512,
    seed: Annotated[int, typer.Option(max=SEEDS, help="Seed of windows, noise and draws.")] = 0,
    json: JsonFile = None,
    table: TableFile = None,
    quick: Annotated[bool, typer.Option(help="At most 64 states, in fewer steps, and fewer dates: a minute.")] = False,
) -> None:
    """Measure a prior on oceans it never saw: how well it denoises, and how much its draws resemble these oceans."""
    from ..latent.checkpoint import load_any
    from ..prior.trajectory import check_kind
    from ..verify.prior import evaluate_prior, read_oceans

    check_places(json, table, read=[*(truth or ()), *(training or ())])
    model, steps = load_any(checkpoint), 20 if quick else 40
    check_kind(model, False, "this evaluation")
    samples = min(samples, 64) if quick else samples
    with (
        judged_by(context, truth, "nature_heldout") as held_out,
        judged_by(context, training, "nature_wide" if checkpoint == "wide" else "nature_training") as trained,
    ):
        unseen = read_oceans(held_out, model, "truth", dates=12 if quick else None)
        known = read_oceans(trained, model, "training data", dates=4 if quick else None)
        rows = evaluate_prior(model, unseen, known, samples, seed, steps, progress=True)
    typer.echo(
        f"{'quick: ' if quick else ''}{samples} states drawn in {steps} steps, {samples} windows of {unseen}; "
        f"training data: {known}"
    )
    conclude(context, rows)


def forecast(
    context: typer.Context,
    data: Annotated[Path, typer.Option(help="An ocean that nothing was trained on, a frame a day or two.")],
    forecast: Annotated[list[str], typer.Option(help="A file of `genda train-forecast`; give it once for each.")],
    prior: Climate = None,
    days: Annotated[int, typer.Option(help="Longest lead time, in steps of two.")] = 10,
    starts: Annotated[int, typer.Option(help="Forecasts to start, evenly spread.")] = 24,
    seed: Annotated[int, typer.Option(max=SEEDS, help="Seed of the intervals.")] = 0,
    json: JsonFile = None,
    table: TableFile = None,
) -> None:
    """Score forecasts from perfect states by lead time, beside persistence: errors, scales kept, stability."""
    from ..cycle.stored import load_forecast, name_of
    from ..prepare.frames import training_set
    from ..state import Grid
    from ..verify.forecast import evaluate_forecasts, rows_of_forecasts

    with forecast_ocean(context, data, prior) as (learned, ocean):
        grid = Grid(ocean["latitude"].values, ocean["longitude"].values)
        chosen = {name_of(which): load_forecast(which, learned, 2.0, grid) for which in forecast}
        leads = [2.0 * k for k in range(1, days // 2 + 1)]
        frames = training_set(ocean, learned.standardizer)
        rows = rows_of_forecasts(print_lines(evaluate_forecasts(chosen, frames, leads, starts, seed), of_sea_level))
    typer.echo("")
    conclude(context, rows)


def of_sea_level(line: dict) -> str:
    """A line of `evaluate_forecasts` in words, if it compares sea level with persistence's."""
    if (line["metric"], line["channel"]) != ("rmse over persistence", "zos"):
        return ""
    return f"{line['method']}, day {line['day']:g}: sea level's error over persistence's {line['value']:.3f}"


def lead_time(
    context: typer.Context,
    folder: Annotated[Path, typer.Option(help="Results of `genda cycle`.")],
    truth: Annotated[Path, typer.Option(help="The twin's ocean, a frame a day.")],
    way: Annotated[list[str], typer.Option(help="Way of the cycle; give it once for each.")],
    forecast: Forecasts = "persistence",
    prior: Climate = None,
    days: Annotated[int, typer.Option(help="Longest lead time, in steps of two.")] = 10,
    skip: Annotated[int, typer.Option(help="Analyses that are left out first.")] = 5,
    seed: Annotated[int, typer.Option(max=SEEDS, help="Seed of the intervals.")] = 0,
    json: JsonFile = None,
    table: TableFile = None,
) -> None:
    """Forecast from analyses and from the truth, and say how many days of lead time an analysis loses."""
    from ..cycle.stored import load_forecast
    from ..verify.ose.cycling import WAYS
    from ..verify.ose.lead_time import evaluate_lead_time, rows_of_lead_time

    if strangers := [name for name in way if name not in WAYS]:
        raise InputError(f"way {strangers[0]!r} is unknown, expected one of: {'; '.join(WAYS)}")
    with forecast_ocean(context, truth, prior) as (learned, ocean):
        model, leads = load_forecast(forecast, learned, 2.0), [2.0 * k for k in range(days // 2 + 1)]
        rows = rows_of_lead_time(evaluate_lead_time(folder, way, model, learned, ocean, leads, skip, seed))
    conclude(context, rows)
