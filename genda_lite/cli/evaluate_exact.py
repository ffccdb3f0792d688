"""`genda evaluate` where the answer is known exactly: posteriors, cycles, latent spaces."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError
from .common import SEEDS, JsonFile, TableFile, check_places
from .evaluate_experiments import ablate_latent
from .results import conclude, print_frame, print_lines


def posterior(
    context: typer.Context,
    seed: Annotated[int, typer.Option(max=SEEDS, help="Seed of truths, observations and ensembles.")] = 0,
    json: JsonFile = None,
    table: TableFile = None,
    quick: Annotated[bool, typer.Option(help="Two methods, fewer truths and members: a minute.")] = False,
) -> None:
    """Sample posteriors that are known exactly, and measure how far the ensembles are from them."""
    from ..verify.closed_form import by_method, evaluate_posterior, rows_of
    from ..verify.moving import evaluate_moving, rows_of_moving
    from ..verify.table import tidy

    check_places(json, table)
    if quick:
        typer.echo("quick: two methods, fewer truths and members; the last digit is chance")
    rows = rows_of(print_lines(evaluate_posterior(quick, seed)))
    typer.echo("")
    moving = rows_of_moving(print_lines(evaluate_moving(quick, seed)))
    typer.echo("")
    print_frame(by_method(tidy(rows)))
    typer.echo("")
    conclude(context, rows + moving)


def cycle(
    context: typer.Context,
    seed: Annotated[int, typer.Option(max=SEEDS, help="Seed of truths, observations and ensembles.")] = 0,
    json: JsonFile = None,
    table: TableFile = None,
    quick: Annotated[bool, typer.Option(help="Two cases, few ways: half a minute.")] = False,
) -> None:
    """Cycle forecasts and analyses of an ocean whose Kalman filter is known, and repaint a known posterior."""
    from ..verify.cycle import evaluate_cycle, rows_of_cycle
    from ..verify.repaint import evaluate_repaint, rows_of_repaint

    check_places(json, table)
    if quick:
        typer.echo("quick: two cases, few ways; the last digit is chance")
    rows = rows_of_cycle(print_lines(evaluate_cycle(quick, seed), in_figures))
    rows += rows_of_repaint(print_lines(evaluate_repaint(quick, seed), in_figures))
    typer.echo("")
    conclude(context, rows)


def in_figures(line: dict) -> str:
    """A line in words: its case, its method and its figures."""
    figures = "  ".join(f"{name} {value:.3f}" for name, value in line.items() if isinstance(value, float))
    return f"{line['case']}, {line['method']}: {figures}"


def latent(
    context: typer.Context,
    seed: Annotated[int, typer.Option(max=SEEDS, help="Seed of truths, observations and ensembles.")] = 0,
    json: JsonFile = None,
    table: TableFile = None,
    truth: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Daily oceans: the ablation on these, in place of what is known exactly."),
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option("--latent", help="Latent prior of `genda train --config latent`, with --truth.")
    ] = None,
    encoders: Annotated[
        Path | None, typer.Option(help="Encoders of `genda train --config encoders`, with --latent.")
    ] = None,
    prior: Annotated[str | None, typer.Option(help="A checkpoint to compare with; by default the shipped one.")] = None,
    cases: Annotated[int, typer.Option(min=1, help="Boxes and dates, with --truth.")] = 30,
    members: Annotated[int, typer.Option(min=2, help="Size of each ensemble, with --truth.")] = 8,
    folder: Annotated[
        Path | None, typer.Option(help="Keep each case's scores here, with --truth, and go on from them.")
    ] = None,
    quick: Annotated[bool, typer.Option(help="Fewer truths, members and guidances: half a minute.")] = False,
) -> None:
    """Sample posteriors through a latent space, and measure how far the ensembles are from the exact ones.

    With --truth, on oceans: what is observed, how well, with which other data, and how a latent prior does beside one
    of states, one factor at a time. Interrupted, the same command with --folder goes on.
    """
    from ..verify.latent import evaluate_latent, rows_of_latent

    if truth:
        return ablate_latent(context, truth, checkpoint, encoders, prior, cases, members, folder, seed, quick)
    for name, given in (("--latent", checkpoint), ("--encoders", encoders), ("--folder", folder), ("--prior", prior)):
        if given is not None:
            raise InputError(f"{name} goes with --truth, expected daily oceans to run the ablation on")
    check_places(json, table)
    if quick:
        typer.echo("quick: fewer truths, members and guidances; the last digit is chance")
    typer.echo("")
    rows = rows_of_latent(print_lines(evaluate_latent(quick, seed)))
    typer.echo("")
    conclude(context, rows)
