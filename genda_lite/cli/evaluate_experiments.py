"""`genda evaluate` by experiments: analyses and forecasts of simulated oceans, and of days of real sensors."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError
from .common import SEEDS, Archived, Ensembles, JsonFile, TableFile, check_picture, check_places, draw
from .results import conclude, daily_oceans, fingerprint, judged_by, print_boards, print_frame, save, say


def osse(
    context: typer.Context,
    truth: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Daily fields of oceans it never saw; by default the held-out sample."),
    ] = None,
    prior: Annotated[str | None, typer.Option(help="'wide' or a checkpoint; by default the shipped prior.")] = None,
    trajectory: Annotated[
        str | None, typer.Option(help="A checkpoint of several days, or 'trajectory': its methods, too.")
    ] = None,
    regression_in_time: Annotated[
        Path | None, typer.Option(help="Checkpoint of a regression that is shown days one by one, too.")
    ] = None,
    regression: Annotated[
        Path | None, typer.Option(help="Checkpoint of the U-Net regression; by default the shipped one.")
    ] = None,
    dressing: Annotated[
        Path | None, typer.Option(help="Spread of the regression, by classes; by default the shipped one's.")
    ] = None,
    fit_dressing: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Fit that spread on these oceans, write it here, score nothing.")
    ] = None,
    cases: Annotated[int, typer.Option(min=1, help="Boxes, dates and observing systems.")] = 60,
    members: Ensembles = 16,
    every: Annotated[int, typer.Option(help="Run slow methods on one of so many cases; 0: on none.")] = 10,
    seed: Annotated[int, typer.Option(max=SEEDS, help="Seed of cases and ensembles.")] = 0,
    folder: Annotated[Path | None, typer.Option(help="Keep each case's scores here, and go on from them.")] = None,
    json: JsonFile = None,
    table: TableFile = None,
    quick: Annotated[bool, typer.Option(help="Three cases, four members, no slow method: two minutes.")] = False,
) -> None:
    """Score analyses of simulated oceans by every method, with 1 to 7 altimeters, SWOT, clouds, smooth maps and winds.

    Altimetry samples the ocean of its own day, so the truth should be daily:
    `genda simulate --days 365 --seed 3 --members 3 --out runs/heldout_daily.nc`. The embedded sample is not daily, and
    its nearest day is taken. Methods in time (--trajectory, --regression-in-time) are shown the same altimetry at its
    own time, and temperature, maps and winds of all days of the window. The spread of the dressed regression comes from
    oceans that are not scored: `genda evaluate osse --truth runs/validation_daily.nc --cases 120 --fit-dressing
    dressing.csv`.
    """
    from dataclasses import replace

    from ..prior.checkpoint import SHIPPED, prior_path
    from ..verify.engine import OI, OURS, REGRESSION, load_methods, regression_path
    from ..verify.osse import scoreboard, single
    from ..verify.protocol import refuse_test

    checkpoint = prior_path(prior)
    of_days = [path for path in (trajectory and prior_path(trajectory), regression_in_time) if path]
    read = [*(truth or ()), checkpoint, regression, dressing, *of_days]
    check_places(json, table, fit_dressing, read=read, folder=folder)
    if fit_dressing is not None:
        if not truth or quick:
            raise InputError("expected --truth, oceans that are not scored, to fit a spread on, and no --quick")
        refuse_test(truth)
    if quick:
        cases, members, every = 3, 4, 0
        context.params |= {"cases": cases, "members": members, "every": every}  # which the table tells
    model, known = load_methods(prior, regression, trajectory=trajectory, regression_in_time=regression_in_time)
    chosen = [m for m in known.values() if every or not m.slow]
    with daily_oceans(context, truth, folder, "nature_heldout") as series:
        drawn = scoreboard.Cases(series, model, cases, seed, in_time=bool(of_days))
        made_of = fingerprint(*(truth or ()), checkpoint, regression or regression_path(model), *of_days)
        if fit_dressing is not None:
            if REGRESSION not in known:
                raise InputError("there is no regression to fit a spread for, expected --regression")
            place = {"truth": ", ".join(path.name for path in truth), "seeds": single.seeds_of(series), "seed": seed}
            fitted = single.fit_dressing(replace(drawn, decorrelation=0.0), known[REGRESSION], model, say, **place)
            fitted.write(fit_dressing, command=f"{context.command_path} --fit-dressing")
            typer.echo(f"{fit_dressing}: the spread of {REGRESSION}, by classes, of {cases} cases")
            return
        other = regression if checkpoint.name == SHIPPED else regression_path(model)
        spread = single.shipped_dressing(dressing, other)
        found = scoreboard.run(drawn, chosen, model, members, max(every, 1), folder, say, spread, made_of)
        rows = [*scoreboard.targets(found), *scoreboard.targets_in_time(found)]
        if not quick:
            few = scoreboard.Cases(series, model, max(2, cases // 10), seed + 1)
            two = [known[OI], known[OURS]]
            rows += scoreboard.sensitivity(few, two, model, members, folder=folder, progress=say, made_of=made_of)
    print_boards(scoreboard.board(found), cases, members, quick)
    typer.echo("")
    conclude(context, [*rows, *scoreboard.details(found)])


def nowcast(
    context: typer.Context,
    prior: Annotated[str, typer.Option(help="A checkpoint of several days, or 'trajectory'.")] = "trajectory",
    truth: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Daily fields of oceans it never saw.")
    ] = None,
    cases: Annotated[int, typer.Option(min=1, help="Boxes, dates and observing systems.")] = 24,
    members: Annotated[int, typer.Option(min=2, help="Size of each ensemble.")] = 16,
    seed: Annotated[int, typer.Option(max=SEEDS, help="Seed of cases.")] = 0,
    folder: Annotated[Path | None, typer.Option(help="Keep each case's scores here, and go on from them.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Picture of the error by days ahead to draw (.png, .pdf).")] = None,
    json: JsonFile = None,
    table: TableFile = None,
    quick: Annotated[bool, typer.Option(help="Two cases, four members, fast guidance only.")] = False,
) -> None:
    """Score nowcasts and forecasts, given observations of the past alone, by how many days ahead they look.

    Beside a prior of several days stand optimal interpolation in space and time, and persistence: nowcasts that are
    kept, and the truth that is kept. `genda simulate --days 365 --seed 2 --out runs/validation_daily.nc` makes a truth.
    """
    from ..prior import load_prior
    from ..prior.checkpoint import prior_path
    from ..verify.engine import IN_TIME, OURS
    from ..verify.osse import forecast as ahead
    from ..verify.table import tidy

    read = [*(truth or ()), Path(prior)]
    check_places(json, table, read=read, folder=folder)
    check_picture(plot, read)
    if not truth:
        raise InputError("expected --truth, daily fields of oceans that the prior never saw")
    model, gaussian = (load_prior(prior, only) for only in (False, True))
    known = ahead.forecast_methods(model, gaussian)
    if quick:
        cases, members = 2, 4
        context.params |= {"cases": cases, "members": members}  # which the table tells
        del known[f"{OURS}, {IN_TIME}"]
    with daily_oceans(context, truth, folder) as series:
        drawn, made_of = ahead.ForecastCases(series, model, cases, seed=seed), fingerprint(*truth, prior_path(prior))
        found = ahead.run(drawn, list(known.values()), model, members, folder, say, made_of)
    rows = ahead.rows_of(found)
    print_boards(ahead.board(found), cases, members, quick)
    if plot is not None:
        from ..show.forecast import plot_forecast

        draw(plot_forecast(tidy(rows)), plot)
    save(context, rows)


def ose(
    context: typer.Context,
    folder: Annotated[Path | None, typer.Option(help="Results of `genda ose`.")] = None,
    data: Archived = None,
    withheld: Annotated[str, typer.Option(help="The altimeter that was not assimilated.")] = "c2",
    samples: Annotated[int, typer.Option(help="Samples of the bootstrap over drifters.")] = 1000,
    seed: Annotated[int, typer.Option(max=SEEDS, help="Seed of the bootstrap.")] = 0,
    json: JsonFile = None,
    table: TableFile = None,
    maps: Annotated[
        Path | None, typer.Option(help="Also write mean current, its spread and sea level of each day to this file.")
    ] = None,
    quick: Annotated[bool, typer.Option(help="Two days of fast analyses, made now: a minute or so.")] = False,
) -> None:
    """Judge an experiment by drifters and an altimeter that no analysis has seen, and last by the twin's truth."""
    from tempfile import TemporaryDirectory

    from ..files import write_dataset
    from ..sources import Archive
    from ..verify.engine import CLIMATOLOGY, OI, OURS_FAST, REGRESSION
    from ..verify.ose import experiment, judge

    check_places(json, table, maps)
    if folder is None and not quick:
        raise InputError("expected --folder, the results of `genda ose`, or --quick")
    archive = Archive(data, withheld)
    # All files of a twin say what data they are of, and no archive is without tracks.
    known = "winds", "truth", f"tracks {archive.missions[0]}"
    says = next(archive.files(name)[:1] for name in known if archive.has(name))
    with judged_by(context, says), TemporaryDirectory() as temporary:
        if quick:
            made = experiment.Experiment(archive, experiment.Setting(members=4, cell=36.0))
            names = CLIMATOLOGY, OI, REGRESSION, OURS_FAST
            folder = Path(temporary)
            days = made.days()
            experiment.run(made, folder, made.days(2, days[min(30, len(days) - 2)]), names)
            typer.echo("quick: two days, four members, fast guidance only: figures not to be quoted")
        elif not folder.is_dir():
            raise InputError(f"{folder}: no such folder, expected the results of `genda ose`")
        rows = judge.report(archive, folder, samples, seed, typer.echo, print_frame)
        if maps is not None:
            write_dataset(judge.summary_maps(folder), maps, judge.MAPPED_STEPS)
    conclude(context, rows)


def ablate_latent(
    context: typer.Context, truth: list[Path], checkpoint: Path | None, encoders: Path | None, prior: str | None,
    cases: int, members: int, folder: Path | None, seed: int, quick: bool,
) -> None:  # fmt: skip
    """`genda evaluate latent --truth`."""
    from ..latent.checkpoint import load_encoders, load_latent
    from ..prior import load_prior
    from ..prior.checkpoint import prior_path
    from ..prior.trajectory import check_kind
    from ..verify.osse import ablation
    from ..verify.table import pivot, tidy

    check_places(context.params["json"], context.params["table"], read=[*truth, checkpoint, encoders], folder=folder)
    if encoders is not None and checkpoint is None:
        raise InputError("--encoders goes with --latent, expected the latent prior whose latents they estimate")
    model = load_prior(prior)
    check_kind(model, False, "this evaluation")
    latent = load_latent(checkpoint) if checkpoint else None
    joint = load_encoders(encoders, latent.autoencoder) if encoders else None
    chosen = ablation.ways(ablation.Models(model, load_prior(prior, gaussian=True), latent, joint))
    if quick:
        cases, members, middle = 2, 2, ablation.MIDDLE
        context.params |= {"cases": cases, "members": members}
        chosen = {name: one for name, one in chosen.items() if one[1] == middle or one[1].kinds}
    made_of = fingerprint(*truth, checkpoint, encoders, prior_path(prior))
    with daily_oceans(context, truth, folder) as series:
        drawn = ablation.OceanCases(series, model, cases, seed)
        found = ablation.run(drawn, chosen, members, folder, say, made_of)
    rows = ablation.rows_of_ablation(found)
    frame, boards = tidy(rows), {}
    for setting in dict.fromkeys(frame["case"]):
        here = frame[(frame["case"] == setting) & (frame["channel"] == "zos") & frame["method"].astype(bool)]
        here = here[here["metric"].isin(("rmse", "crps", "spread_skill", "member_departure", "wasserstein"))]
        if len(here):
            boards[f"sea level, {setting}"] = pivot(here)
    print_boards(boards, cases, members, quick)
    typer.echo("")
    conclude(context, rows)
