"""The `genda` command: simulate, train, assimilate, evaluate."""

import os
import re
import sys
import warnings
from collections.abc import Iterable
from contextlib import ExitStack
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .errors import InputError

if TYPE_CHECKING:
    import xarray as xr

JsonFile = Annotated[Path | None, typer.Option("--json", help="Also write the rows to this file.")]
TableFile = Annotated[Path | None, typer.Option("--table", help="Also write all figures as a tidy table (CSV).")]
SEEDS = 2**31 - 1  # the largest seed
app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)


NETCDF = ("", ".nc", ".nc4", ".cdf", ".netcdf")  # what names of NetCDF files end in


def show_version(wanted: bool) -> None:
    """Print the version and stop, if it is wanted."""
    if wanted:
        from .version import __version__

        typer.echo(f"genda_lite {__version__}")
        raise typer.Exit


@app.callback()
def genda(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=show_version, is_eager=True)
    ] = False,
) -> None:
    """Generative data assimilation of the surface ocean."""


@app.command()
def simulate(
    days: Annotated[int, typer.Option(help="Days to keep after the spin-up.")],
    out: Annotated[Path, typer.Option(help="NetCDF file to write.")],
    seed: Annotated[int, typer.Option(max=SEEDS, help="Seed of physics, initial state and weather.")] = 0,
    members: Annotated[int, typer.Option(help="Independent oceans, integrated together.")] = 1,
    every: Annotated[int, typer.Option(help="Keep one of so many daily means.")] = 1,
    spin_up: Annotated[int, typer.Option(help="Days to discard first.")] = 150,
    twin: Annotated[str, typer.Option(help="old, tuning or sealed: one ocean, unlike any member.")] = "none",
    alike: Annotated[bool, typer.Option(help="The same physics for every member.")] = False,
    wide: Annotated[bool, typer.Option(help="Draw physics from the wide ranges.")] = False,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    compile: Annotated[bool, typer.Option(help="Fuse the time step (needs a C++ compiler; twice as fast).")] = False,
) -> None:
    """Simulate Gulf-Stream-like oceans and write their surface as a GLORYS-like data set.

    Interrupted, the same command goes on where it stopped.
    """
    from .nature import Simulation, Twin, simulate_to_file
    from .processors import chosen_device

    check_places(out, suffixes=NETCDF)
    device = chosen_device(device)
    simulation = Simulation(days, seed, members, every, spin_up, Twin.named(twin), alike, wide)
    simulate_to_file(out, simulation, device, compile)
    size = out.stat().st_size / 1e6
    made = f"{counted(simulation.frames, 'daily mean')} of {counted(members, 'ocean')}"
    typer.echo(f"{out}: {made}, seed {seed}, {size:.1f} MB")


@app.command()
def prepare(
    inputs: Annotated[list[Path], typer.Argument(help="A simulated ocean, or an ocean and its wind: files, folders.")],
    out: Annotated[Path, typer.Argument(help="State to write: Zarr, or NetCDF if it ends in .nc.")],
    like: Annotated[
        Path | None, typer.Option(help="Take climatology and Ekman response of this prepared state (for validation).")
    ] = None,
    per_point: Annotated[bool, typer.Option(help="One Ekman response for each point, not for each latitude.")] = False,
    scheduler: Annotated[str | None, typer.Option(help="Address of a dask.distributed scheduler.")] = None,
) -> None:
    """Turn years of ocean and wind into the state that priors are trained on, in blocks of days."""
    from .prepare import prepare as run
    from .prepare import stored_response, stored_standardizer, write_state
    from .sources import open_product, read_reanalysis
    from .sources.files import ZARR_FILES, listed
    from .verify.protocol import refuse_test

    older = () if out.suffix == ".nc" else ZARR_FILES
    check_places(out, read=[*inputs, like], suffixes=("", ".zarr", ".nc"), older=older)
    inputs = listed(inputs)
    refuse_test(inputs)
    with ExitStack() as stack:
        if scheduler is not None:
            from distributed import Client

            stack.enter_context(Client(scheduler))
        standardizer, ekman = None, "point" if per_point else "latitude"
        if like is not None:
            model = stack.enter_context(open_product(like))
            standardizer, ekman = stored_standardizer(model), stored_response(model) if per_point else "latitude"
        ds = read_reanalysis(inputs)
        state, standardizer = run(ds, standardizer, ekman)
        write_state(state, standardizer, out)
    typer.echo(f"{out}: {ds.sizes['time']} days on {ds.sizes['latitude']} x {ds.sizes['longitude']} points")
    for name in ("depth_m", "missing_days", "missing_from", "days_without_wind"):
        if ds.attrs.get(name):
            typer.echo(f"{name}: {ds.attrs[name]}")


@app.command()
def train(
    data: Annotated[list[Path], typer.Option(help="Simulated or reanalysis data; give it once for each file.")],
    out: Annotated[Path, typer.Option(help="Checkpoint to write (.safetensors).")],
    config: Annotated[
        str,
        typer.Option(
            help="lite, wide, trajectory (a laptop); full (a graphics card); autoencoder (about 1.2 CPU-hours), then "
            "latent (2.5) and encoders (2)."
        ),
    ] = "lite",
    validation: Annotated[Path | None, typer.Option(help="Data of an ocean that is not trained on.")] = None,
    images: Annotated[int | None, typer.Option(help="Windows to train on, in all.")] = None,
    seed: Annotated[int, typer.Option(max=SEEDS, help="Seed of weights, windows and noise.")] = 0,
    climate: Annotated[bool, typer.Option(help="Draw a climate for each window: a wider prior.")] = False,
    device: Annotated[str | None, typer.Option(help="cpu or cuda; by default cuda where there is one.")] = None,
    mixed: Annotated[bool, typer.Option(help="Run the network in bfloat16.")] = True,
    accumulate: Annotated[int, typer.Option(help="Parts that a batch is cut into, to save memory.")] = 1,
    workers: Annotated[int, typer.Option(help="Processes that read ahead.")] = 0,
    held: Annotated[
        int | None, typer.Option(min=1, help="Frames that each process keeps in memory, 0.7 MB each; by default 5120.")
    ] = None,
    processes: Annotated[int | None, typer.Option(help="How many `torchrun` must have started.")] = None,
    warm_start: Annotated[
        Path | None, typer.Option(help="Checkpoint of the same network, or of single days, to begin with.")
    ] = None,
    autoencoder: Annotated[
        Path | None, typer.Option(help="Checkpoint whose latents they are, with --config latent or encoders.")
    ] = None,
    tensorboard: Annotated[Path | None, typer.Option(help="Folder to log to, besides the table.")] = None,
) -> None:
    """Train a diffusion prior, or an autoencoder. Started again with the same settings, it goes on where it stopped.

    Ctrl-C and SIGTERM leave a checkpoint. For several processes: `torchrun --nproc-per-node N -m genda_lite train ...`.
    """
    from dataclasses import replace

    from .latent.checkpoint import load_autoencoder
    from .prepare.frames import HELD, training_set
    from .prior import load_prior
    from .processors import chosen_device
    from .sources import open_product
    from .verify.protocol import in_words, refuse_test

    try:
        from .latent import training as latent
        from .prior.climate import WIDE
        from .prior.train import CONFIGURATIONS, Trainer
        from .prior.train import train as run
    except ImportError:
        raise InputError("training needs Accelerate: `pip install genda_lite[train]`") from None

    if out.suffix != ".safetensors":
        raise InputError(f"{out}: checkpoints are safetensors files, expected a name ending in .safetensors")
    check_places(out, read=[*data, validation, warm_start, autoencoder])
    known = CONFIGURATIONS | latent.CONFIGURATIONS
    if config not in known:
        raise InputError(f"configuration {config!r} is unknown, expected one of {', '.join(known)}")
    device = chosen_device(device)
    network, settings = known[config]
    settings = replace(settings, images=images or settings.images, seed=seed)
    if climate:
        settings = replace(settings, climate=WIDE)
    refuse_test(filter(None, [*data, validation]))
    climate_of = load_autoencoder(autoencoder).standardizer if autoencoder else None
    training = training_set([open_product(path) for path in data], climate_of, held=held or HELD)
    held_out = training_set(open_product(validation), training.standardizer) if validation else None
    begun = load_prior(str(warm_start)) if warm_start else None
    kind, parts = Trainer, (training, held_out, settings, network)
    options = {"device": device, "mixed": mixed, "accumulate": accumulate, "workers": workers, "processes": processes}
    if config in latent.CONFIGURATIONS:
        made = load_autoencoder(autoencoder) if autoencoder else None
        kind = latent.trainer(config, made, out.with_suffix(".tracers.npz"))
    trainer = kind(*parts, **options, start=begun)
    trainer.prior.training |= {"config": config, "data": [path.name for path in data]}
    if begun:
        trainer.prior.training["start"] = {"file": warm_start.name, "images_seen": begun.training.get("images_seen")}
    trainer.prior.protocol = in_words(data)
    finished = run(trainer, out, tensorboard=tensorboard)
    if trainer.is_main:
        done = trainer.step * settings.batch
        typer.echo(f"{out}: trained on {done:,} of {settings.images:,} windows of {len(training.frames)} frames")
    if not finished:
        typer.echo("stopped: the same command goes on from here", err=True)
        raise typer.Exit(1)


FORECASTS, BACKGROUNDS = ("emulator", "linear"), ("conditioned", "gaussian")
Climate = Annotated[Path | None, typer.Option("--prior", help="Prior whose climatology it has; by default ours.")]
Forecasts = Annotated[str, typer.Option("--forecast", help="persistence, nature, or a file of `genda train-forecast`.")]


@app.command("train-forecast")
def train_forecast(
    data: Annotated[list[Path], typer.Option(help="Simulated oceans; give it once for each file.")],
    out: Annotated[Path, typer.Option(help="Checkpoint to write (.safetensors).")],
    kind: Annotated[str, typer.Option(help="emulator, a network; linear, an inverse model.")] = "emulator",
    prior: Climate = None,
    validation: Annotated[Path | None, typer.Option(help="Data of an ocean that is not trained on.")] = None,
    images: Annotated[int | None, typer.Option(help="Windows to train on, in all; of linear, to fit.")] = None,
    seed: Annotated[int, typer.Option(max=SEEDS, help="Seed of weights and windows.")] = 0,
    device: Annotated[str | None, typer.Option(help="cpu or cuda; by default cuda where there is one.")] = None,
    workers: Annotated[int, typer.Option(help="Processes that read ahead.")] = 0,
    held: Annotated[int | None, typer.Option(min=1, help="Frames in memory, 0.7 MB each; by default 5120.")] = None,
) -> None:
    """Train a forecast of two days a step. Started again with the same settings, it goes on where it stopped."""
    from .prior import load_prior
    from .processors import chosen_device

    check_checkpoint(out, [*data, validation, prior], kind, FORECASTS)
    learned, device = load_prior(prior), chosen_device(device)
    training, held_out = oceans_to_train_on(data, validation, learned, held)
    if kind == "linear":
        from .cycle.forecast import LinearInverseModel
        from .cycle.passages import Passages, consecutive
        from .cycle.stored import save_linear
        from .cycle.training import STEP

        count, size = images or 6000, learned.shape[1]
        passages = Passages(training, learned.domain, size, STEP, seed=seed)
        model = LinearInverseModel.fit(consecutive(passages, count), learned.spectrum.basis, STEP)
        save_linear(model, out, learned, {"windows": count, "seed": seed, "data": [path.name for path in data]})
        typer.echo(f"{out}: fitted to {count:,} windows of {len(training.frames)} frames")
        return
    EmulatorTrainer, settings, network = trainers("EmulatorTrainer", "EMULATOR", images, seed)
    trainer = EmulatorTrainer(training, held_out, settings, network, device, workers=workers)
    run_training(trainer, out, data)


@app.command("train-background")
def train_background(
    data: Annotated[list[Path], typer.Option(help="Simulated oceans; give it once for each file.")],
    out: Annotated[Path, typer.Option(help="Checkpoint to write (.safetensors).")],
    kind: Annotated[str, typer.Option(help="conditioned, a network; gaussian, a covariance.")] = "conditioned",
    prior: Climate = None,
    forecast: Forecasts = "persistence",
    pairs: Annotated[list[Path] | None, typer.Option(help="Files of `genda pairs`; once for each.")] = None,
    validation: Annotated[Path | None, typer.Option(help="Data of an ocean that is not trained on.")] = None,
    lead: Annotated[float, typer.Option(help="Days from an analysis to the next.")] = 2.0,
    images: Annotated[int | None, typer.Option(help="Windows to train on, in all; of gaussian, to fit.")] = None,
    seed: Annotated[int, typer.Option(max=SEEDS, help="Seed of weights, windows and noise.")] = 0,
    device: Annotated[str | None, typer.Option(help="cpu or cuda; by default cuda where there is one.")] = None,
    workers: Annotated[int, typer.Option(help="Processes that read ahead.")] = 0,
    held: Annotated[int | None, typer.Option(min=1, help="Frames in memory, 0.7 MB each; by default 5120.")] = None,
) -> None:
    """Train what is known of a forecast's error: of forecasts from perfect states, or --pairs, of a cycle's own."""
    from .cycle.background import error_of
    from .cycle.pairs import KeptPairs
    from .cycle.passages import Passages
    from .cycle.stored import load_forecast, save_error
    from .prior import load_prior
    from .processors import chosen_device

    check_checkpoint(out, [*data, validation, prior, *(pairs or [])], kind, BACKGROUNDS)
    learned, device = load_prior(prior), chosen_device(device)
    model = load_forecast(forecast, learned, lead)
    kept = KeptPairs.load(pairs, learned.domain, seed=seed) if pairs else None
    training, held_out = oceans_to_train_on(data, validation, learned, held)
    if kind == "gaussian":
        count, size = images or 3000, learned.shape[1]
        passages = Passages(training, learned.domain, size, lead, seed=seed)
        made = kept.batches(count) if kept else passages.pairs(model, count)
        about = {"windows": count, "seed": seed, "forecast": Path(forecast).name, "lead": lead}
        save_error(error_of(made, learned.spectrum), out, about | {"pairs": [path.name for path in pairs or []]})
        typer.echo(f"{out}: the error of {Path(forecast).name} after {lead:g} days")
        return
    ConditionedTrainer, settings, network = trainers("ConditionedTrainer", "CONDITIONED", images, seed, lead)
    shown = {"kept": kept} if kept else {"forecast": model}
    trainer = ConditionedTrainer(training, held_out, settings, network, device, workers=workers, **shown)
    trainer.prior.training |= {"forecast": Path(forecast).name, "pairs": [path.name for path in pairs or []]}
    run_training(trainer, out, data)


@app.command("pairs")
def own_pairs(
    data: Annotated[list[Path], typer.Option(help="Simulated oceans; give it once for each file.")],
    out: Annotated[Path, typer.Option(help="File to write (.safetensors).")],
    way: Annotated[str, typer.Option(help="Way of the cycle, as of `genda cycle`.")] = "3D-Var",
    prior: Climate = None,
    forecast: Forecasts = "persistence",
    background: Annotated[Path | None, typer.Option(help="File of `genda train-background`.")] = None,
    every: Annotated[float, typer.Option(help="Days between analyses.")] = 2.0,
    days: Annotated[int, typer.Option(help="Length of a passage.")] = 40,
    spin: Annotated[int, typer.Option(help="Days of it that are left out.")] = 12,
    passages: Annotated[int, typer.Option(help="Passages of each ocean.")] = 4,
    members: Annotated[int, typer.Option(help="Size of the ensemble.")] = 8,
    seed: Annotated[int, typer.Option(max=SEEDS, help="Seed of passages, systems and ensembles.")] = 0,
) -> None:
    """Cycle over training oceans under random observing systems, and keep forecasts with their truths to train on."""
    from tqdm.auto import tqdm

    from .cycle.pairs import save_pairs
    from .sources import open_product
    from .verify.ose.cycling import load_tools
    from .verify.ose.own import Passing, own_pairs
    from .verify.protocol import refuse_test

    check_places(out, read=[*data, prior, background], suffixes=(".safetensors",))
    refuse_test(data)
    passing = Passing(way, every, days, spin, members, passages, seed)
    tools = load_tools(prior and str(prior), forecast, background, every)
    made = list(tqdm(own_pairs([open_product(path) for path in data], tools, passing), desc="pairs", unit="pair"))
    about = {"way": way, "forecast": tools.names[0], "background": tools.names[1], "every": every, "seed": seed}
    save_pairs(made, out, about | {"days": days, "spin": spin, "members": members, "data": [p.name for p in data]})
    typer.echo(f"{out}: {counted(len(made), 'pair')} of forecast and truth")


@app.command()
def cycle(
    out: Annotated[Path, typer.Option(help="Folder to write to, one file for each day.")],
    way: Annotated[str, typer.Option(help="Way to analyse: 3D-Var, prior with background, conditioned, LETKF, …")],
    data: Annotated[
        Path | None, typer.Option(help="Folder of `genda download ose`; by default the embedded twin's.")
    ] = None,
    days: Annotated[int | None, typer.Option(help="How long; by default all days with altimetry.")] = None,
    first: Annotated[str | None, typer.Option(help="First day, such as 2017-06-01.")] = None,
    every: Annotated[float, typer.Option(help="Days between analyses, steps of the forecast.")] = 2.0,
    prior: Climate = None,
    forecast: Forecasts = "persistence",
    background: Annotated[Path | None, typer.Option(help="File of `genda train-background`.")] = None,
    members: Annotated[int, typer.Option(help="Size of the ensemble.")] = 12,
    radius: Annotated[float, typer.Option(help="Of the LETKF's localization (km).")] = 150.0,
    inflation: Annotated[float, typer.Option(help="Of the LETKF's ensemble.")] = 1.0,
    steps: Annotated[int, typer.Option(help="Of DiffDA's sampler.")] = 300,
    samples: Annotated[int, typer.Option(help="How often DiffDA resamples a stretch.")] = 10,
    fresh: Annotated[bool, typer.Option(help="New noise each time; --no-fresh, as DiffDA's published code.")] = True,
    error_told: Annotated[bool, typer.Option(help="Tell DiffDA an error of the observations.")] = False,
    product: Annotated[
        list[str] | None,
        typer.Option(help="Product besides tracks; give it once for each. By default temperature L3, salinity, winds."),
    ] = None,
    withheld: Annotated[str, typer.Option(help="The altimeter that is not assimilated.")] = "c2",
    box: Annotated[
        tuple[float, float, float, float], typer.Option(help="West, east, south, north (degrees).")
    ] = (-65.0, -55.0, 33.0, 43.0),
    seed: Annotated[int, typer.Option(max=SEEDS, help="Seed of the ensembles.")] = 0,
) -> None:
    """Cycle forecasts and analyses over the days of an experiment, with nothing of the future.

    Interrupted, the same command goes on. `genda evaluate ose` judges the results.
    """
    from .sources import Archive
    from .verify.ose.cycling import DIFFDA, WAYS, dates_of, load_tools, run_cycle
    from .verify.ose.experiment import PRODUCTS, Experiment, Setting

    if way not in WAYS:
        raise InputError(f"way {way!r} is unknown, expected one of: {'; '.join(WAYS)}")
    setting = Setting(members, seed, window=every, decorrelation=0.0, products=tuple(product or PRODUCTS), box=box,
                      prior=None if prior is None else str(prior))
    check_results(out)
    experiment = Experiment(Archive(data, withheld), setting)
    dates = dates_of(experiment, days, every, first)
    painting = ("steps", steps), ("samples", samples), ("fresh", fresh), ("error_told", error_told)
    options = {"grid": setting.grid, "radius": radius, "inflation": inflation}
    options |= {"painting": painting} if way == DIFFDA else {}
    tools = load_tools(setting.prior, forecast, background, every, **options)
    typer.echo(f"{counted(len(dates), 'date')}, {dates[0]} to {dates[-1]}; {counted(members, 'member')}; to {out}")
    run_cycle(experiment, way, tools, out, dates, typer.echo)


def check_checkpoint(out: Path, read: list[Path | None], kind: str, kinds: tuple[str, ...]) -> None:
    """Whether a checkpoint of a kind can be written.

    Raises:
        InputError: another suffix or kind, or see `check_places`.
    """
    if out.suffix != ".safetensors":
        raise InputError(f"{out}: checkpoints are safetensors files, expected a name ending in .safetensors")
    if kind not in kinds:
        raise InputError(f"kind {kind!r} is unknown, expected one of {', '.join(kinds)}")
    check_places(out, read=read)


def oceans_to_train_on(data: list[Path], validation: Path | None, prior, held: int | None) -> tuple:
    """Training sets of files in the climatology of a prior, none of test data."""
    from .prepare.frames import HELD, training_set
    from .sources import open_product
    from .verify.protocol import refuse_test

    refuse_test(filter(None, [*data, validation]))
    sets = ([open_product(path) for path in data], [open_product(validation)] if validation else None)
    return tuple(ds and training_set(ds, prior.standardizer, held or HELD) for ds in sets)


def trainers(trainer: str, configuration: str, images: int | None, seed: int, lead: float | None = None) -> tuple:
    """A trainer of `cycle.training`, its settings and network."""
    try:
        from .cycle import training
    except ImportError:
        raise InputError("training needs Accelerate: `pip install genda_lite[train]`") from None
    network, settings = getattr(training, configuration)
    return getattr(training, trainer), training.configured(settings, lead, images=images, seed=seed), network


def run_training(trainer, out: Path, data: list[Path]) -> None:
    """Train, and say how far it came."""
    from .prior.train import train as run
    from .verify.protocol import in_words

    trainer.prior.training |= {"data": [path.name for path in data]}
    trainer.prior.protocol = in_words(data)
    finished = run(trainer, out)
    done = trainer.step * trainer.config.batch
    typer.echo(f"{out}: trained on {done:,} of {trainer.config.images:,} windows")
    if not finished:
        typer.echo("stopped: the same command goes on from here", err=True)
        raise typer.Exit(1)


@app.command()
def assimilate(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILES", help="Products of any sensors (NetCDF, Zarr), or folders of them.")
    ],
    out: Annotated[Path, typer.Option(help="Analysis to write (NetCDF).")],
    plot: Annotated[Path | None, typer.Option(help="Picture of the analysis to draw (.png, .pdf).")] = None,
    prior: Annotated[str | None, typer.Option(help="'gaussian' or a checkpoint; by default the shipped one.")] = None,
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
    members: Annotated[int, typer.Option(help="Size of the ensemble.")] = 16,
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
    from matplotlib.backend_bases import FigureCanvasBase

    from .files import write_dataset
    from .latent.checkpoint import load_any
    from .posterior import assimilate as run
    from .posterior.problem import best_observed_grid
    from .prior.base import state_shape
    from .sources.files import source_name
    from .state import Grid

    read = [*files, *(climatology or ()), Path(prior) if prior else None]
    check_places(out, read=read, suffixes=NETCDF)
    check_places(plot, read=[*read, out], suffixes=tuple(f".{kind}" for kind in FigureCanvasBase.filetypes))
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
        from .files import atomic_path
        from .show.maps import plot_analysis

        figure = plot_analysis(analysis, observations.to_dataset(), members=3)
        with atomic_path(plot) as temporary:
            figure.savefig(temporary, dpi=150)
        typer.echo(f"{plot}: drawn")


@app.command()
def explorer_pack(
    out: Annotated[Path, typer.Option(help="Folder to write; an older pack is replaced.")],
    prior: Annotated[str | None, typer.Option(help="A checkpoint; by default the shipped one.")] = None,
    members: Annotated[int, typer.Option(help="Size of each ensemble.")] = 16,
    keep: Annotated[
        Path | None, typer.Option(help="Folder of finished results; interrupted, the same command goes on.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="cpu or cuda; by default cuda where there is one.")] = None,
    quick: Annotated[bool, typer.Option(help="Few settings, four members, half the steps: to try a page.")] = False,
) -> None:
    """Assimilate for every setting of the explorer's controls, so that pages show it without a kernel."""
    from .prior import load_prior
    from .prior.trajectory import check_kind
    from .processors import chosen_device
    from .show.pack import make_pack

    check_results(out)
    device = chosen_device(device)
    priors = {name: load_prior(prior, name == "gaussian", device=device) for name in ("diffusion", "gaussian")}
    check_kind(priors["diffusion"], False, "the explorer")
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
    few = {"altimeters": (1, 3, 7), "clouds": (0.7, 1.0), "errors": (1.0, 4.0), "steps": 12} if quick else {}
    size = make_pack(out, priors, members=4 if quick else members, keep=keep, **few)
    typer.echo(f"{out}: {size / 1e6:.2f} MB{' (quick: not to be published)' if quick else ''}")


@app.command()
def first_screen(
    out: Annotated[Path, typer.Option(help="Script to write, for a page to load.")],
    prior: Annotated[str | None, typer.Option(help="A checkpoint; by default the shipped one.")] = None,
    members: Annotated[int, typer.Option(help="Size of each ensemble.")] = 8,
) -> None:
    """Assimilate pass after pass of the altimeters, for the film at the top of the book (some minutes)."""
    from .files import check_folder
    from .prior import load_prior
    from .show.pack import sample_truth
    from .show.scene import film, write

    check_folder(out)
    priors = {name: load_prior(prior, name == "gaussian") for name in ("diffusion", "gaussian")}
    size = write(out, "film", film(sample_truth(priors["diffusion"]), priors, members))
    typer.echo(f"{out}: {size / 1e6:.2f} MB")


@app.command()
def ose(
    out: Annotated[Path, typer.Option(help="Folder to write to, one file for each method and day.")],
    data: Annotated[
        Path | None, typer.Option(help="Folder of `genda download ose`; by default the embedded twin's.")
    ] = None,
    days: Annotated[int | None, typer.Option(help="How many; by default all with altimetry on both sides.")] = None,
    first: Annotated[str | None, typer.Option(help="First day, such as 2017-06-01.")] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(help="Method, once for each; by default climatology, optimal interpolation, regression and ours."),
    ] = None,
    members: Annotated[int, typer.Option(help="Size of each ensemble.")] = 12,
    window: Annotated[float, typer.Option(help="Days of altimetry before, and after, each day.")] = 5.0,
    weighted: Annotated[bool, typer.Option(help="Count the age of altimetry as an error.")] = True,
    decorrelation: Annotated[
        float, typer.Option(help="Days in which sea level changes; 0: the age is an independent error of each value.")
    ] = 7.0,
    error_factor: Annotated[float, typer.Option(help="Factor on all observation errors; GenDA used 0.2.")] = 1.0,
    representativity: Annotated[bool, typer.Option(help="Count scales below the grid's as an error.")] = True,
    reference: Annotated[bool, typer.Option(help="Estimate the constant between sea levels.")] = True,
    product: Annotated[
        list[str] | None,
        typer.Option(help="Product besides tracks; give it once for each. By default temperature L3, salinity, winds."),
    ] = None,
    withheld: Annotated[str, typer.Option(help="The altimeter that is not assimilated.")] = "c2",
    box: Annotated[
        tuple[float, float, float, float], typer.Option(help="West, east, south, north (degrees).")
    ] = (-65.0, -55.0, 33.0, 43.0),
    prior: Annotated[str | None, typer.Option(help="A checkpoint; by default the shipped one.")] = None,
    regression: Annotated[str | None, typer.Option(help="Checkpoint of a regression; by default the shipped.")] = None,
    trajectory: Annotated[
        str | None, typer.Option(help="A checkpoint of several days, or 'trajectory': for methods in time.")
    ] = None,
    regression_in_time: Annotated[
        str | None, typer.Option(help="Checkpoint of a regression that is shown days one by one.")
    ] = None,
    seed: Annotated[int, typer.Option(max=SEEDS, help="Seed of the ensembles.")] = 0,
    device: Annotated[str | None, typer.Option(help="cpu or cuda; by default cuda where there is one.")] = None,
    workers: Annotated[int, typer.Option(help="Processes on this machine.")] = 1,
    scheduler: Annotated[str | None, typer.Option(help="Address of a dask.distributed scheduler.")] = None,
) -> None:
    """Run an observing system experiment: analyse day after day from files of real sensors, and withhold the drifters.

    Interrupted, the same command goes on. On several machines, `torchrun --nproc-per-node N -m genda_lite ose ...`
    gives each process its share of the days. `genda evaluate ose` judges the results. With --trajectory there are
    three methods more, "ours in time", "ours in time, fast" and "optimal interpolation in time".
    """
    from .processors import chosen_device
    from .sources import Archive
    from .verify.ose.experiment import PRODUCTS, USUAL, Experiment, Setting, run

    setting = Setting(members, seed, window=window, weighted=weighted, decorrelation=decorrelation,
                      error_factor=error_factor, representativity=representativity, reference=reference,
                      products=tuple(product or PRODUCTS), box=box, prior=prior, regression=regression,
                      trajectory=trajectory, regression_in_time=regression_in_time)
    check_results(out)
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


download = typer.Typer(no_args_is_help=True, help="Fetch real data from their providers.")
app.add_typer(download, name="download")


FetchBox = Annotated[tuple[float, float, float, float], typer.Option(help="West, east, south, north (degrees).")]
Source = Annotated[str, typer.Option(help="copernicus (a free account) or open (servers without accounts).")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask before it starts.")]


@download.command("ose")
def download_ose(
    year: Annotated[int, typer.Option(help="The year to fetch.")],
    folder: Annotated[Path, typer.Option(help="Folder to write to; what is there already is kept.")] = Path("ose"),
    box: FetchBox = (-67.0, -53.0, 31.0, 45.0),
    source: Source = "copernicus",
    yes: Yes = False,
) -> None:
    """Fetch all for an experiment against drifters: tracks, maps, temperature, salinity, winds, drifters, SWOT.

    Log in first: `copernicusmarine login`, and for SWOT (from 2023) with an Earthdata account. Or take `--source open`:
    it needs no account, and has maps of sea level, temperature and salinity, winds and drifters, but no tracks.
    Interrupted, the same command goes on.
    """
    from .sources.download import plan_ose, tables

    tables(source)
    folder.mkdir(parents=True, exist_ok=True)
    fetch_pieces(folder, plan_ose(folder, year, source), box, yes)


@download.command("training")
def download_training(
    start: Annotated[str, typer.Option(help="The first day, such as 2010-01-01.")],
    end: Annotated[str, typer.Option(help="The last day.")],
    folder: Annotated[Path, typer.Option(help="Folder to write to; what is there already is kept.")] = Path("training"),
    box: FetchBox = (-70.0, -40.0, 25.0, 45.0),
    source: Source = "copernicus",
    yes: Yes = False,
) -> None:
    """Fetch a reanalysis of the ocean and its winds, for `genda prepare`: GLORYS12, or HYCOM by `--source open`.

    For GLORYS12 log in first: `copernicusmarine login`. HYCOM (1994 to 2015) and its winds (CCMP) need no account.
    Interrupted, the same command goes on.
    """
    from .sources.download import plan_training

    pieces = plan_training(folder, start, end, box, source)
    folder.mkdir(parents=True, exist_ok=True)
    fetch_pieces(folder, pieces, box, yes)


def fetch_pieces(folder: Path, pieces: list, box: tuple[float, float, float, float], yes: bool) -> None:
    """Say how much is still to be fetched, ask, and fetch it."""
    from .sources.download import fetch, sizes

    left = sizes(pieces, box)
    if not left:
        typer.echo(f"{folder}: all {len(pieces)} pieces are there")
        return
    table = {piece.name: piece.subset for piece in pieces}
    print_table(
        [
            {
                "what": name,
                "dataset": table[name].dataset,
                "variables": ", ".join(table[name].variables),
                "pieces": str(count),
                "MB, about": "unknown" if size is None else f"{size:,.0f}",
            }
            for name, (count, size) in left.items()
        ]
    )
    total = sum(size for _, size in left.values() if size is not None)
    typer.echo(f"{total:,.0f} MB or more to {folder}, box {box}; {sum(p.is_there for p in pieces)} pieces are there")
    if not yes:
        typer.confirm("Fetch them?", abort=True)
    try:
        for piece, found in fetch(pieces, box):
            typer.echo(f"{piece.path}" if found else f"{piece.name}, {piece.begin:%B %Y}: the service has none")
    except InputError:
        raise
    except Exception as error:  # clients fail in ways of their own: no connection, no account
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"the download stopped ({reason}); the same command goes on from here") from error


evaluate = typer.Typer(no_args_is_help=True, help="Measure how good something is, and print a table.")
app.add_typer(evaluate, name="evaluate")


@evaluate.command()
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
    prior: Annotated[str | None, typer.Option(help="A checkpoint; by default the shipped one.")] = None,
    regression: Annotated[
        Path | None, typer.Option(help="Checkpoint of a U-Net regression to compare, trained on the prior's data.")
    ] = None,
    members: Annotated[int, typer.Option(help="Size of each ensemble.")] = 16,
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
    from .baselines.regression import Regression
    from .sources import read_climatology
    from .verify import real_maps
    from .verify.engine import GAUSSIAN, OI, OURS, OURS_FAST, load_methods
    from .verify.real import FIRST_DAYS, FLAT, HOME, NAMES, REGIONS, evaluate_real
    from .verify.table import pivot, tidy

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
    learner, rows = Regression.load(regression) if regression else None, []
    if tracks is not None:
        mean = read_climatology(climatology) if climatology else None if regions == [HOME] else FLAT
        corners = [corner for name in regions for corner in REGIONS[name]]
        corners, first_days = (corners[:2], (0,)) if quick else (corners, FIRST_DAYS)
        chosen = [known[name] for name in (*learned, GAUSSIAN)]
        found, boxes = evaluate_real(
            tracks, map, chosen, model, members, seed, corners, first_days, mean, regression=learner
        )
        about = "the prior's climatology" if mean is None else mean.attrs.get("source", "a flat mean")
        rows += print_real(found, boxes, f"{counted(members, 'member')}; anomalies about {about}", quick)
    judged = (real_maps.TEMPERATURE, temperature, real_maps.temperature_cases), (
        real_maps.CURRENT, current, real_maps.current_cases)
    for what, path, make in judged:
        if path is None:
            continue
        cases = make(path, model, regions, seed)
        cases = islice(cases, 2) if quick else cases
        chosen, say = [known[name] for name in (*learned, GAUSSIAN, OI)], partial(typer.echo, err=True)
        found, boxes = real_maps.evaluate_maps(cases, chosen, model, members, seed, say, learner)
        here = real_maps.rows_of(found, boxes, what, GAUSSIAN, learned)
        size = f"{counted(len(boxes), 'box')}, {counted(members, 'member')}"
        typer.echo(f"\n{'quick: ' if quick else ''}{what}: {size}\n")
        frame = tidy(one for one in here if not one["detail"] and "less" not in one["metric"] and one.get("method"))
        print_frame(pivot(frame).rename(index=NAMES).rename_axis("prior"))
        print_judged([one for one in here if "less" in one["metric"]])
        rows += here
    save(context, rows)


@evaluate.command()
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
    from .sources import load_sample
    from .verify.realism import first_of, real_values, realism

    check_places(json, table, read=files or ())
    found = real_values(real) if real else {}
    with ExitStack() as stack:
        sets = open_to_judge(context, stack, files) or [load_sample("nature_heldout")]
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


@evaluate.command()
def prior(
    context: typer.Context,
    checkpoint: Annotated[str | None, typer.Argument(help="A checkpoint; by default the shipped prior.")] = None,
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
    from .latent.checkpoint import load_any
    from .prior.trajectory import check_kind
    from .sources import load_sample
    from .verify.prior import evaluate_prior, read_oceans

    check_places(json, table, read=[*(truth or ()), *(training or ())])
    model, steps = load_any(checkpoint), 20 if quick else 40
    check_kind(model, False, "this evaluation")
    samples = min(samples, 64) if quick else samples
    with ExitStack() as stack:
        unseen, known = (
            open_to_judge(context, stack, files) or [load_sample(name)]
            for files, name in ((truth, "nature_heldout"), (training, "nature_training"))
        )
        unseen = read_oceans(unseen, model, "truth", dates=12 if quick else None)
        known = read_oceans(known, model, "training data", dates=4 if quick else None)
        rows = evaluate_prior(model, unseen, known, samples, seed, steps, progress=True)
    typer.echo(
        f"{'quick: ' if quick else ''}{samples} states drawn in {steps} steps, {samples} windows of {unseen}; "
        f"training data: {known}"
    )
    print_judged(rows)
    save(context, rows)


@evaluate.command()
def posterior(
    context: typer.Context,
    seed: Annotated[int, typer.Option(max=SEEDS, help="Seed of truths, observations and ensembles.")] = 0,
    json: JsonFile = None,
    table: TableFile = None,
    quick: Annotated[bool, typer.Option(help="Two methods, fewer truths and members: a minute.")] = False,
) -> None:
    """Sample posteriors that are known exactly, and measure how far the ensembles are from them."""
    from .verify.closed_form import by_method, evaluate_posterior, rows_of
    from .verify.moving import evaluate_moving, rows_of_moving
    from .verify.table import tidy

    check_places(json, table)
    if quick:
        typer.echo("quick: two methods, fewer truths and members; the last digit is chance")
    lines = []
    for line in evaluate_posterior(quick, seed):
        print_table([line], header=not lines)
        lines.append(line)
    rows, moving = rows_of(lines), []
    typer.echo("")
    for line in evaluate_moving(quick, seed):
        print_table([line], header=not moving)
        moving.append(line)
    typer.echo("")
    print_frame(by_method(tidy(rows)))
    rows += rows_of_moving(moving)
    typer.echo("")
    print_judged(rows)
    save(context, rows)


@evaluate.command("cycle")
def evaluate_the_cycle(
    context: typer.Context,
    seed: Annotated[int, typer.Option(max=SEEDS, help="Seed of truths, observations and ensembles.")] = 0,
    json: JsonFile = None,
    table: TableFile = None,
    quick: Annotated[bool, typer.Option(help="Two cases, few ways: half a minute.")] = False,
) -> None:
    """Cycle forecasts and analyses of an ocean whose Kalman filter is known, and repaint a known posterior."""
    from .verify.cycle import evaluate_cycle, rows_of_cycle
    from .verify.repaint import evaluate_repaint, rows_of_repaint

    check_places(json, table)
    if quick:
        typer.echo("quick: two cases, few ways; the last digit is chance")
    rows = []
    for lines_of, rows_from in ((evaluate_cycle, rows_of_cycle), (evaluate_repaint, rows_of_repaint)):
        lines = []
        for line in lines_of(quick, seed):
            figures = "  ".join(f"{name} {value:.3f}" for name, value in line.items() if isinstance(value, float))
            typer.echo(f"{line['case']}, {line['method']}: {figures}")
            lines.append(line)
        rows += rows_from(lines)
    typer.echo("")
    print_judged(rows)
    save(context, rows)


@evaluate.command("forecast")
def evaluate_the_forecasts(
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
    from .cycle.stored import load_forecast, name_of
    from .prepare.frames import training_set
    from .prior import load_prior
    from .state import Grid
    from .verify.forecast import evaluate_forecasts, rows_of_forecasts

    check_places(json, table, read=[data, prior])
    learned = load_prior(prior)
    with ExitStack() as stack:
        (ocean,) = open_to_judge(context, stack, [data])
        grid = Grid(ocean["latitude"].values, ocean["longitude"].values)
        chosen = {name_of(which): load_forecast(which, learned, 2.0, grid) for which in forecast}
        leads = [2.0 * k for k in range(1, days // 2 + 1)]
        lines = []
        for line in evaluate_forecasts(chosen, training_set(ocean, learned.standardizer), leads, starts, seed):
            if line["metric"] == "rmse over persistence" and line["channel"] == "zos":
                told = f"sea level's error over persistence's {line['value']:.3f}"
                typer.echo(f"{line['method']}, day {line['day']:g}: {told}")
            lines.append(line)
    rows = rows_of_forecasts(lines)
    typer.echo("")
    print_judged(rows)
    save(context, rows)


@evaluate.command("lead-time")
def evaluate_the_lead_time(
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
    from .cycle.stored import load_forecast
    from .prior import load_prior
    from .verify.ose.cycling import WAYS
    from .verify.ose.lead_time import evaluate_lead_time, rows_of_lead_time

    check_places(json, table, read=[truth, prior])
    if strangers := [name for name in way if name not in WAYS]:
        raise InputError(f"way {strangers[0]!r} is unknown, expected one of: {'; '.join(WAYS)}")
    learned, leads = load_prior(prior), [2.0 * k for k in range(days // 2 + 1)]
    with ExitStack() as stack:
        (ocean,) = open_to_judge(context, stack, [truth])
        model = load_forecast(forecast, learned, 2.0)
        rows = rows_of_lead_time(evaluate_lead_time(folder, way, model, learned, ocean, leads, skip, seed))
    print_judged(rows)
    save(context, rows)


@evaluate.command()
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
    from .verify.latent import evaluate_latent, rows_of_latent

    if truth:
        return ablate_latent(context, truth, checkpoint, encoders, prior, cases, members, folder, seed, quick)
    for name, given in (("--latent", checkpoint), ("--encoders", encoders), ("--folder", folder), ("--prior", prior)):
        if given is not None:
            raise InputError(f"{name} goes with --truth, expected daily oceans to run the ablation on")
    check_places(json, table)
    if quick:
        typer.echo("quick: fewer truths, members and guidances; the last digit is chance")
    lines, header = [], None
    for line in evaluate_latent(quick, seed):
        if header != list(line):
            typer.echo("")
        print_table([line], header=header != list(line))
        header = list(line)
        lines.append(line)
    rows = rows_of_latent(lines)
    typer.echo("")
    print_judged(rows)
    save(context, rows)


def ablate_latent(
    context: typer.Context, truth: list[Path], checkpoint: Path | None, encoders: Path | None, prior: str | None,
    cases: int, members: int, folder: Path | None, seed: int, quick: bool,
) -> None:  # fmt: skip
    """`genda evaluate latent --truth`."""
    from .latent.checkpoint import load_encoders, load_latent
    from .prepare.decompose import require
    from .prior import load_prior
    from .prior.trajectory import check_kind
    from .sources.samples import checksum
    from .verify.osse import ablation
    from .verify.table import pivot, tidy

    check_places(*(context.params[name] for name in ("json", "table")), read=[*truth, checkpoint, encoders])
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
    if folder is not None:
        check_results(folder)
        folder.mkdir(exist_ok=True)
    given = [*truth, *filter(None, (checkpoint, encoders, Path(prior) if prior else None))]
    made_of = " ".join(checksum(path)[:12] if path.is_file() else str(path) for path in given)
    with ExitStack() as stack:
        series = open_to_judge(context, stack, truth)
        for ds in series:
            require(ds)
        drawn = ablation.OceanCases(series, model, cases, seed)
        found = ablation.run(drawn, chosen, members, folder, lambda text: typer.echo(text, err=True), made_of)
    rows = ablation.rows_of_ablation(found)
    typer.echo(f"{'quick: ' if quick else ''}{counted(cases, 'case')}, {counted(members, 'member')}")
    frame = tidy(rows)
    for setting in dict.fromkeys(frame["case"]):
        here = frame[(frame["case"] == setting) & (frame["channel"] == "zos") & frame["method"].astype(bool)]
        here = here[here["metric"].isin(("rmse", "crps", "spread_skill", "member_departure", "wasserstein"))]
        if len(here):
            typer.echo(f"\nsea level, {setting}\n")
            print_frame(pivot(here).rename_axis("method"))
    typer.echo("")
    print_judged(rows)
    save(context, rows)


@evaluate.command()
def osse(
    context: typer.Context,
    truth: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Daily fields of oceans it never saw; by default the held-out sample."),
    ] = None,
    prior: Annotated[str | None, typer.Option(help="A checkpoint; by default the shipped prior.")] = None,
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
    members: Annotated[int, typer.Option(help="Size of each ensemble.")] = 16,
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

    from .prepare.decompose import require
    from .prior.checkpoint import SHIPPED
    from .sources import load_sample
    from .sources.samples import checksum, sample_path
    from .verify.engine import OI, OURS, REGRESSION, SHIPPED_REGRESSION, load_methods
    from .verify.osse import scoreboard, single
    from .verify.protocol import refuse_test

    checkpoint = Path(prior) if prior else None
    of_days = [path for path in (trajectory and Path(trajectory), regression_in_time) if path]
    check_places(json, table, fit_dressing, read=[*(truth or ()), checkpoint, regression, dressing, *of_days])
    if fit_dressing is not None:
        if not truth or quick:
            raise InputError("expected --truth, oceans that are not scored, to fit a spread on, and no --quick")
        refuse_test(truth)
    if quick:
        cases, members, every = 3, 4, 0
        context.params |= {"cases": cases, "members": members, "every": every}  # which the table tells
    if folder is not None:
        check_results(folder)
        folder.mkdir(exist_ok=True)
    model, known = load_methods(prior, regression, trajectory=trajectory, regression_in_time=regression_in_time)
    chosen = [m for m in known.values() if every or not m.slow]
    with ExitStack() as stack:
        series = open_to_judge(context, stack, truth) or [load_sample("nature_heldout")]
        for ds in series:
            require(ds)
        drawn = scoreboard.Cases(series, model, cases, seed, in_time=bool(of_days))
        given = (*(truth or ()), checkpoint or sample_path(SHIPPED), regression or sample_path(SHIPPED_REGRESSION))
        made_of = " ".join(checksum(path)[:12] if path.is_file() else str(path) for path in (*given, *of_days))
        say = lambda text: typer.echo(text, err=True)  # noqa: E731
        if fit_dressing is not None:
            if REGRESSION not in known:
                raise InputError("there is no regression to fit a spread for, expected --regression")
            place = {"truth": ", ".join(path.name for path in truth), "seeds": single.seeds_of(series), "seed": seed}
            fitted = single.fit_dressing(replace(drawn, decorrelation=0.0), known[REGRESSION], model, say, **place)
            fitted.write(fit_dressing, command=f"{context.command_path} --fit-dressing")
            typer.echo(f"{fit_dressing}: the spread of {REGRESSION}, by classes, of {cases} cases")
            return
        spread = single.shipped_dressing(dressing, regression)
        found = scoreboard.run(drawn, chosen, model, members, max(every, 1), folder, say, spread, made_of)
        rows = [*scoreboard.targets(found), *scoreboard.targets_in_time(found)]
        if not quick:
            few = scoreboard.Cases(series, model, max(2, cases // 10), seed + 1)
            two = [known[OI], known[OURS]]
            rows += scoreboard.sensitivity(few, two, model, members, folder=folder, progress=say, made_of=made_of)
    typer.echo(f"{'quick: ' if quick else ''}{counted(cases, 'case')}, {counted(members, 'member')}")
    for title, part in scoreboard.board(found).items():
        typer.echo(f"\n{title}\n")
        print_frame(part.rename_axis("method"))
    typer.echo("")
    print_judged(rows)
    save(context, [*rows, *scoreboard.details(found)])


@evaluate.command()
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
    from matplotlib.backend_bases import FigureCanvasBase

    from .files import atomic_path
    from .prepare.decompose import require
    from .prior import load_prior
    from .sources.samples import checksum
    from .verify.engine import IN_TIME, OURS
    from .verify.osse import forecast as ahead
    from .verify.table import tidy

    checkpoint = Path(prior)
    check_places(json, table, read=[*(truth or ()), checkpoint])
    check_places(plot, read=[*(truth or ()), checkpoint], suffixes=tuple(f".{k}" for k in FigureCanvasBase.filetypes))
    if not truth:
        raise InputError("expected --truth, daily fields of oceans that the prior never saw")
    if folder is not None:
        check_results(folder)
        folder.mkdir(exist_ok=True)
    model, gaussian = (load_prior(prior, only) for only in (False, True))
    known = ahead.forecast_methods(model, gaussian)
    if quick:
        cases, members = 2, 4
        context.params |= {"cases": cases, "members": members}  # which the table tells
        del known[f"{OURS}, {IN_TIME}"]
    with ExitStack() as stack:
        series = open_to_judge(context, stack, truth)
        for ds in series:
            require(ds)
        made_of = " ".join(checksum(path)[:12] if path.is_file() else str(path) for path in (*truth, checkpoint))
        drawn, say = ahead.ForecastCases(series, model, cases, seed=seed), partial(typer.echo, err=True)
        found = ahead.run(drawn, list(known.values()), model, members, folder, say, made_of)
    rows = ahead.rows_of(found)
    typer.echo(f"{'quick: ' if quick else ''}{counted(cases, 'case')}, {counted(members, 'member')}")
    for title, part in ahead.board(found).items():
        typer.echo(f"\n{title}\n")
        print_frame(part.rename_axis("method"))
    if plot is not None:
        from .show.forecast import plot_forecast

        figure = plot_forecast(tidy(rows))
        with atomic_path(plot) as temporary:
            figure.savefig(temporary, dpi=150)
        typer.echo(f"{plot}: drawn")
    save(context, rows)


@evaluate.command("ose")
def evaluate_ose(
    context: typer.Context,
    folder: Annotated[Path | None, typer.Option(help="Results of `genda ose`.")] = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder of `genda download ose`; by default the embedded twin's.")
    ] = None,
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

    from .files import write_dataset
    from .sources import Archive
    from .verify.engine import CLIMATOLOGY, OI, OURS_FAST, REGRESSION
    from .verify.ose import experiment
    from .verify.ose import judge as ose

    check_places(json, table, maps)
    if folder is None and not quick:
        raise InputError("expected --folder, the results of `genda ose`, or --quick")
    archive = Archive(data, withheld)
    with ExitStack() as stack, TemporaryDirectory() as temporary:
        winds = archive.files("winds")[:1] if archive.has("winds") else None  # all files say what data they are of
        open_to_judge(context, stack, winds)
        if quick:
            made = experiment.Experiment(archive, experiment.Setting(members=4, cell=36.0))
            names = CLIMATOLOGY, OI, REGRESSION, OURS_FAST
            folder = Path(temporary)
            days = made.days()
            experiment.run(made, folder, made.days(2, days[min(30, len(days) - 2)]), names)
            typer.echo("quick: two days, four members, fast guidance only: figures not to be quoted")
        elif not folder.is_dir():
            raise InputError(f"{folder}: no such folder, expected the results of `genda ose`")
        rows = ose.report(archive, folder, samples, seed, typer.echo, print_frame)
        if maps is not None:
            write_dataset(ose.summary_maps(folder), maps, ose.MAPPED_STEPS)
    print_judged(rows)
    save(context, rows)


@app.command()
def student(
    book: Annotated[Path, typer.Argument(help="Folder with the notebooks.")],
    out: Annotated[Path, typer.Argument(help="Folder to write to.")],
    key: Annotated[
        Path | None, typer.Option(help="Also write the tutor's key to this Markdown file: all exercises, solved.")
    ] = None,
) -> None:
    """Write the notebooks without solutions and outputs, with an empty cell for each answer (nbgrader's metadata)."""
    from .teaching import write_key, write_student_versions

    if key and key.suffix != ".md":
        raise InputError(f"--key {key}: expected a name that ends in .md")
    for path in write_student_versions(book, out):
        typer.echo(str(path))
    if key:
        typer.echo(str(write_key(book, key)))


def counted(number: int, thing: str) -> str:
    """How many there are, as people write it: "1 member", "16 members"."""
    several = f"{thing}es" if thing.endswith("x") else f"{thing}s"
    return f"{number} {thing if number == 1 else several}"


def print_real(found: "xr.Dataset", boxes: list, about: str, quick: bool) -> list[dict]:
    """The scores of `verify.real.evaluate_real` as a table, and our priors less the Gaussian one; as rows."""
    from .verify.engine import GAUSSIAN, OURS, OURS_FAST
    from .verify.real import FIGURES, NAMES, paired_difference, rows_of
    from .verify.table import pivot, tidy

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


def print_frame(frame) -> None:
    """A pandas table as a Markdown table."""
    name = frame.index.name or ""
    print_table([{name: str(key)} | {str(c): v for c, v in row.items()} for key, row in frame.iterrows()])


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


def observed(files: list[Path], date: str | None, variable: str | None, error: float | None, state):
    """The observations in files, see `assimilate`; for a state of several days, those of its days, each at its own time
    and its age not among its errors."""
    from dataclasses import replace

    from .observe.files import kind_of, read_observations
    from .observe.instruments import InstrumentErrors
    from .observe.likelihood import within
    from .observe.table import Observations
    from .posterior.problem import middle_of_day
    from .sources import read_tracks
    from .sources.files import as_date, listed

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


def check_places(
    *paths: Path | None,
    read: Iterable[Path | None] = (),
    suffixes: tuple[str, ...] | None = None,
    older: tuple[str, ...] = (),
) -> None:
    """Whether files can be written, before the work begins.

    Args:
        read: what the command reads, and must not replace. suffixes: those that a name may have. older: files one of
            which tells that a folder is an older result, and may be replaced.

    Raises:
        InputError: the folder of a file does not exist or cannot be written to; or there is something else than a file
            in the place, or it has another suffix, or is also read.
    """
    from .files import check_folder

    places, read = list(filter(None, paths)), list(filter(None, read))
    for number, path in enumerate(places):
        check_folder(path)
        free = not path.exists() or path.is_file() or any((path / name).is_file() for name in older)
        if not (free and os.access(path.parent, os.W_OK)):
            raise InputError(f"{path}: cannot be written, expected the name of a file in a folder of yours")
        if suffixes is not None and path.suffix.lower() not in suffixes:
            known = ", ".join(filter(None, suffixes))
            raise InputError(f"{path}: no file of this kind is written, expected a name that ends in one of {known}")
        taken = [*read, *places[:number]]
        same = [one for one in taken if path.exists() and one.exists() and path.samefile(one)]
        inside = [one for one in read if path.exists() and one.resolve() in path.resolve().parents]
        if same or inside or path.resolve() in [one.resolve() for one in taken]:
            raise InputError(f"{path}: the same command reads or writes this file, expected another name")


def check_results(folder: Path) -> None:
    """Whether results can be written to a folder: a new one, or one that is there, with results to go on from.

    Raises:
        InputError: it is a file, or the folder that it lies in is not there or cannot be written to.
    """
    if not folder.is_dir():
        check_places(folder)
        if folder.exists():
            raise InputError(f"{folder}: is a file, expected the name of a folder")


def open_to_judge(context: typer.Context, stack: ExitStack, paths: list[Path] | None) -> list:
    """Data sets that a command judges by, see `verify.protocol`: test data are entered in the ledger first."""
    from .verify import protocol

    return protocol.open_to_judge(stack, paths, context.command_path, context.params, partial(typer.echo, err=True))


def save(context: typer.Context, rows: list[dict]) -> None:
    """Keep the rows of a command, as they are and as a tidy table, if its options ask for it."""
    from .verify.table import tidy, write_table

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

    from .files import atomic_path

    def plain_value(value):
        return None if isinstance(value, float) and not math.isfinite(value) else value

    plain = [{key: plain_value(value) for key, value in row.items()} for row in rows]
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(plain, indent=1, allow_nan=False) + "\n")


PLACES = ("--centre", "--box")  # options of several numbers


def with_places(arguments: list[str]) -> list[str]:
    """Numbers that are joined by commas, `--centre -62,38`, as the several that they are."""
    split: list[str] = []
    for argument in arguments:
        name, _, value = argument.partition("=")
        before, values = ([name], value) if name in PLACES and value else ([], argument)
        parts = [part.strip() for part in values.split(",")]
        numbers = all(re.fullmatch(r"[-+]?([\d.]+(e[-+]?\d+)?|nan|inf)", part) for part in parts)
        follows = before or split[-1:] in [[place] for place in PLACES]
        split += [*before, *parts] if numbers and follows else [argument]
    return split


def main() -> None:
    """Entry point: bad input and warnings each get one line, without a traceback."""
    shown = warnings.showwarning

    def show(message, category, *where, **more) -> None:
        if issubclass(category, UserWarning):
            typer.echo(f"warning: {message}", err=True)
        else:
            shown(message, category, *where, **more)

    try:
        with warnings.catch_warnings():
            warnings.showwarning = show
            app(with_places(sys.argv[1:]))
    except (InputError, FloatingPointError, OSError, MemoryError) as error:
        typer.echo(f"genda: {error or type(error).__name__}", err=True)
        raise SystemExit(2) from None
