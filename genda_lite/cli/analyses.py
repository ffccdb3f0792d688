"""Commands that analyse the ocean from observations: `genda assimilate`, and day after day `genda ose`."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError
from .common import (
    NETCDF,
    SEEDS,
    Archived,
    Box,
    Checkpoint,
    Device,
    Ensemble,
    Ensembles,
    First,
    Products,
    Withheld,
    check_picture,
    check_places,
    counted,
    draw,
)


def assimilate(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILES", help="Products of any sensors (NetCDF, Zarr), or folders of them.")
    ],
    out: Annotated[Path, typer.Option(help="Analysis to write (NetCDF).")],
    plot: Annotated[Path | None, typer.Option(help="Picture of the analysis to draw (.png, .pdf).")] = None,
    prior: Annotated[
        str | None, typer.Option(help="'wide', 'gaussian' or a checkpoint; by default the shipped one.")
    ] = None,
    centre: Annotated[
        tuple[float, float] | None,
        typer.Option(help="Longitude and latitude of the middle; by default the best-observed box of the domain."),
    ] = None,
    date: Annotated[
        str | None,
        typer.Option(help="Date of the analysis, such as 2017-04-02; by default the middle of the observations."),
    ] = None,
    variable: Annotated[
        str | None, typer.Option(help="Variable of tracks to read, without --date; by default absolute topography.")
    ] = None,
    error: Annotated[
        float | None,
        typer.Option(help="Error of tracks (m, one standard deviation), 0.03; with --date, the sensors' errors."),
    ] = None,
    members: Ensemble = 16,
    seed: Annotated[int, typer.Option(max=SEEDS, help="Seed of the ensemble.")] = 0,
    fast: Annotated[bool, typer.Option(help="Without gradients of the network: less work, less exact.")] = False,
    guidance: Annotated[
        str | None, typer.Option(help="One of posterior.guidance.GUIDANCES; by default hybrid.")
    ] = None,
    climatology: Annotated[
        list[Path] | None,
        typer.Option(help="World Ocean Atlas, or a reanalysis' means: for a centre outside the prior's latitudes."),
    ] = None,
) -> None:
    """Map the sea from observations: an ensemble of surface states that agree with them.

    Without --date, altimeter tracks alone count as simultaneous. In all other cases the error of a value includes that
    of its sensor and that of its age, and maps are those of the date. Observations outside the box are left out. A
    prior of several days takes each value at its own time instead, and leaves out what is of none of its days.
    """
    from ..files import write_dataset
    from ..latent.checkpoint import load_any
    from ..posterior import assimilate as run
    from ..posterior.problem import best_observed_grid
    from ..prior.base import state_shape
    from ..sources.files import source_name
    from ..state import Grid

    read = [*files, *(climatology or ()), Path(prior) if prior else None]
    check_places(out, read=read, suffixes=NETCDF)
    check_picture(plot, [*read, out])
    if centre is not None and not (abs(centre[0]) <= 360 and abs(centre[1]) <= 90):
        raise InputError(f"centre {centre[0]:g} {centre[1]:g}: expected a longitude and a latitude (degrees)")
    model = load_any(prior)
    everywhere = observed(files, date, variable, error, model.state)
    grid = best_observed_grid(model, everywhere) if centre is None else Grid.around(*centre, state_shape(model)[1:])
    observations = everywhere.inside(grid)
    if not len(observations):
        raise InputError(f"{source_name(files)}: none of its {len(everywhere)} points lies in the box {grid}")
    options = {"guidance": guidance, "fast": fast, "climatology": climatology, "date": date}
    analysis = run(model, everywhere, members, seed, grid=grid, progress=True, **options)
    analysis.attrs["observations_file"] = source_name(files)
    write_dataset(analysis, out)
    typer.echo(f"{out}: {counted(members, 'member')} from {counted(len(observations), 'observation')} on {grid}")
    if plot is not None:
        from ..show.maps import plot_analysis

        draw(plot_analysis(analysis, observations.to_dataset(), members=3), plot)


def observed(files: list[Path], date: str | None, variable: str | None, error: float | None, state):
    """The observations in files, see `assimilate`; for a state of several days, those of its days, each at its own time
    and its age not among its errors."""
    from dataclasses import replace

    from ..observe.files import kind_of, read_observations
    from ..observe.instruments import InstrumentErrors
    from ..observe.likelihood import within
    from ..observe.table import Observations
    from ..posterior.problem import middle_of_day
    from ..sources import read_tracks
    from ..sources.files import as_date, listed

    if date is None and {kind_of(path) for path in listed(files)} == {"tracks"}:
        return Observations.from_points(read_tracks(files, variable), "zos", 0.03 if error is None else error)
    if variable is not None or error is not None:
        raise InputError("--variable and --error go with tracks alone, and without --date: sensors have their own")
    in_time, errors = date is not None and len(state.days) > 1, InstrumentErrors()
    errors = replace(errors, variability=0.0) if in_time else errors
    observations, reports = read_observations(files, date, errors=errors)
    for report in reports:
        typer.echo(str(report), err=True)
    return within(observations, state, middle_of_day(as_date(date))) if in_time else observations


def ose(
    out: Annotated[Path, typer.Option(help="Folder to write to, one file for each method and day.")],
    data: Archived = None,
    days: Annotated[int | None, typer.Option(help="How many; by default all with altimetry on both sides.")] = None,
    first: First = None,
    method: Annotated[
        list[str] | None,
        typer.Option(help="Method, once for each; by default climatology, optimal interpolation, regression and ours."),
    ] = None,
    members: Ensembles = 12,
    window: Annotated[float, typer.Option(help="Days of altimetry before, and after, each day.")] = 5.0,
    weighted: Annotated[bool, typer.Option(help="Count the age of altimetry as an error.")] = True,
    decorrelation: Annotated[
        float, typer.Option(help="Days in which sea level changes; 0: the age is an independent error of each value.")
    ] = 7.0,
    error_factor: Annotated[float, typer.Option(help="Factor on all observation errors; GenDA used 0.2.")] = 1.0,
    representativity: Annotated[bool, typer.Option(help="Count scales below the grid's as an error.")] = True,
    reference: Annotated[bool, typer.Option(help="Estimate the constant between sea levels.")] = True,
    product: Products = None,
    withheld: Withheld = "c2",
    box: Box = (-65.0, -55.0, 33.0, 43.0),
    prior: Checkpoint = None,
    regression: Annotated[str | None, typer.Option(help="Checkpoint of a regression; by default the shipped.")] = None,
    trajectory: Annotated[
        str | None, typer.Option(help="A checkpoint of several days, or 'trajectory': for methods in time.")
    ] = None,
    regression_in_time: Annotated[
        str | None, typer.Option(help="Checkpoint of a regression that is shown days one by one.")
    ] = None,
    seed: Annotated[int, typer.Option(max=SEEDS, help="Seed of the ensembles.")] = 0,
    device: Device = None,
    workers: Annotated[int, typer.Option(help="Processes on this machine.")] = 1,
    scheduler: Annotated[str | None, typer.Option(help="Address of a dask.distributed scheduler.")] = None,
) -> None:
    """Run an observing system experiment: analyse day after day from files of real sensors, and withhold the drifters.

    Interrupted, the same command goes on. On several machines, `torchrun --nproc-per-node N -m genda_lite ose ...`
    gives each process its share of the days. `genda evaluate ose` judges the results. With --trajectory there are
    three methods more, "ours in time", "ours in time, fast" and "optimal interpolation in time".
    """
    from ..processors import chosen_device
    from ..sources import Archive
    from ..verify.ose.experiment import PRODUCTS, USUAL, Experiment, Setting, run

    setting = Setting(members, seed, window=window, weighted=weighted, decorrelation=decorrelation,
                      error_factor=error_factor, representativity=representativity, reference=reference,
                      products=tuple(product or PRODUCTS), box=box, prior=prior, regression=regression,
                      trajectory=trajectory, regression_in_time=regression_in_time)
    check_places(folder=out)
    device = chosen_device(device)
    experiment = Experiment(Archive(data, withheld), setting, device)
    chosen = experiment.days(days, first)
    typer.echo(f"{counted(len(chosen), 'day')}, {chosen[0]} to {chosen[-1]}; {counted(members, 'member')}; to {out}")
    seen, reports = experiment.observations(chosen[0])
    for report in reports:
        typer.echo(str(report))
    typer.echo(f"{len(seen)} observations of {chosen[0]}, averaged in cells of {setting.cell:g} km, "
               f"temperature {setting.temperature_cell:g} km")
    run(experiment, out, chosen, tuple(method or USUAL), workers, scheduler, typer.echo)
