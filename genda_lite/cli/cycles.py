"""Commands that cycle forecasts and analyses, and that train what a cycle needs."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError
from .common import (
    SEEDS,
    Archived,
    Background,
    Box,
    Climate,
    Device,
    Ensemble,
    First,
    Forecasts,
    Oceans,
    Products,
    Validation,
    Withheld,
    Workers,
    check_checkpoint,
    check_places,
    counted,
)
from .training import names, oceans_to_train_on, run_training

FORECASTS, BACKGROUNDS = ("emulator", "linear"), ("conditioned", "gaussian")
Held = Annotated[int | None, typer.Option(min=1, help="Frames in memory, 0.7 MB each; by default 5120.")]


def train_forecast(
    data: Oceans,
    out: Annotated[Path, typer.Option(help="Checkpoint to write (.safetensors).")],
    kind: Annotated[str, typer.Option(help="emulator, a network; linear, an inverse model.")] = "emulator",
    prior: Climate = None,
    validation: Validation = None,
    images: Annotated[int | None, typer.Option(help="Windows to train on, in all; of linear, to fit.")] = None,
    seed: Annotated[int, typer.Option(max=SEEDS, help="Seed of weights and windows.")] = 0,
    device: Device = None,
    workers: Workers = 0,
    held: Held = None,
) -> None:
    """Train a forecast of two days a step. Started again with the same settings, it goes on where it stopped."""
    from ..prior import load_prior
    from ..processors import chosen_device

    check_checkpoint(out, [*data, validation, prior], "kind", kind, FORECASTS)
    learned, device = load_prior(prior), chosen_device(device)
    training, held_out = oceans_to_train_on(data, validation, learned.standardizer, held)
    if kind == "linear":
        from ..cycle.forecast import LinearInverseModel
        from ..cycle.passages import Passages, consecutive
        from ..cycle.stored import save_linear
        from ..cycle.training import STEP

        count, size = images or 6000, learned.shape[1]
        passages = Passages(training, learned.domain, size, STEP, seed=seed)
        model = LinearInverseModel.fit(consecutive(passages, count), learned.spectrum.basis, STEP)
        save_linear(model, out, learned, {"windows": count, "seed": seed, "data": names(data)})
        typer.echo(f"{out}: fitted to {count:,} windows of {len(training.frames)} frames")
        return
    EmulatorTrainer, settings, network = trainers("EmulatorTrainer", "EMULATOR", images, seed)
    trainer = EmulatorTrainer(training, held_out, settings, network, device, workers=workers)
    trainer.prior.training |= {"data": names(data)}
    run_training(trainer, out, data)


def train_background(
    data: Oceans,
    out: Annotated[Path, typer.Option(help="Checkpoint to write (.safetensors).")],
    kind: Annotated[str, typer.Option(help="conditioned, a network; gaussian, a covariance.")] = "conditioned",
    prior: Climate = None,
    forecast: Forecasts = "persistence",
    pairs: Annotated[list[Path] | None, typer.Option(help="Files of `genda pairs`; once for each.")] = None,
    validation: Validation = None,
    lead: Annotated[float, typer.Option(help="Days from an analysis to the next.")] = 2.0,
    images: Annotated[int | None, typer.Option(help="Windows to train on, in all; of gaussian, to fit.")] = None,
    seed: Annotated[int, typer.Option(max=SEEDS, help="Seed of weights, windows and noise.")] = 0,
    device: Device = None,
    workers: Workers = 0,
    held: Held = None,
) -> None:
    """Train what is known of a forecast's error: of forecasts from perfect states, or --pairs, of a cycle's own."""
    from ..cycle.background import error_of
    from ..cycle.pairs import KeptPairs
    from ..cycle.passages import Passages
    from ..cycle.stored import load_forecast, save_error
    from ..prior import load_prior
    from ..processors import chosen_device

    check_checkpoint(out, [*data, validation, prior, *(pairs or [])], "kind", kind, BACKGROUNDS)
    learned, device = load_prior(prior), chosen_device(device)
    model = load_forecast(forecast, learned, lead)
    kept = KeptPairs.load(pairs, learned.domain, seed=seed) if pairs else None
    training, held_out = oceans_to_train_on(data, validation, learned.standardizer, held)
    if kind == "gaussian":
        count, size = images or 3000, learned.shape[1]
        passages = Passages(training, learned.domain, size, lead, seed=seed)
        made = kept.batches(count) if kept else passages.pairs(model, count)
        about = {"windows": count, "seed": seed, "forecast": Path(forecast).name, "lead": lead}
        save_error(error_of(made, learned.spectrum), out, about | {"pairs": names(pairs)})
        typer.echo(f"{out}: the error of {Path(forecast).name} after {lead:g} days")
        return
    ConditionedTrainer, settings, network = trainers("ConditionedTrainer", "CONDITIONED", images, seed, lead)
    shown = {"kept": kept} if kept else {"forecast": model}
    trainer = ConditionedTrainer(training, held_out, settings, network, device, workers=workers, **shown)
    trainer.prior.training |= {"forecast": Path(forecast).name, "pairs": names(pairs), "data": names(data)}
    run_training(trainer, out, data)


def own_pairs(
    data: Oceans,
    out: Annotated[Path, typer.Option(help="File to write (.safetensors).")],
    way: Annotated[str, typer.Option(help="Way of the cycle, as of `genda cycle`.")] = "3D-Var",
    prior: Climate = None,
    forecast: Forecasts = "persistence",
    background: Background = None,
    every: Annotated[float, typer.Option(help="Days between analyses.")] = 2.0,
    days: Annotated[int, typer.Option(help="Length of a passage.")] = 40,
    spin: Annotated[int, typer.Option(help="Days of it that are left out.")] = 12,
    passages: Annotated[int, typer.Option(help="Passages of each ocean.")] = 4,
    members: Ensemble = 8,
    seed: Annotated[int, typer.Option(max=SEEDS, help="Seed of passages, systems and ensembles.")] = 0,
) -> None:
    """Cycle over training oceans under random observing systems, and keep forecasts with their truths to train on."""
    from tqdm.auto import tqdm

    from ..cycle.pairs import save_pairs
    from ..sources import open_product
    from ..verify.ose.cycling import load_tools
    from ..verify.ose.own import Passing, own_pairs
    from ..verify.protocol import refuse_test

    check_places(out, read=[*data, prior, background], suffixes=(".safetensors",))
    refuse_test(data)
    passing = Passing(way, every, days, spin, members, passages, seed)
    tools = load_tools(prior and str(prior), forecast, background, every)
    made = list(tqdm(own_pairs([open_product(path) for path in data], tools, passing), desc="pairs", unit="pair"))
    about = {"way": way, "forecast": tools.names[0], "background": tools.names[1], "every": every, "seed": seed}
    save_pairs(made, out, about | {"days": days, "spin": spin, "members": members, "data": names(data)})
    typer.echo(f"{out}: {counted(len(made), 'pair')} of forecast and truth")


def cycle(
    out: Annotated[Path, typer.Option(help="Folder to write to, one file for each day.")],
    way: Annotated[str, typer.Option(help="Way to analyse: 3D-Var, prior with background, conditioned, LETKF, …")],
    data: Archived = None,
    days: Annotated[int | None, typer.Option(help="How long; by default all days with altimetry.")] = None,
    first: First = None,
    every: Annotated[float, typer.Option(help="Days between analyses, steps of the forecast.")] = 2.0,
    prior: Climate = None,
    forecast: Forecasts = "persistence",
    background: Background = None,
    members: Ensemble = 12,
    radius: Annotated[float, typer.Option(help="Of the LETKF's localization (km).")] = 150.0,
    inflation: Annotated[float, typer.Option(help="Of the LETKF's ensemble.")] = 1.0,
    steps: Annotated[int, typer.Option(help="Of DiffDA's sampler.")] = 300,
    samples: Annotated[int, typer.Option(help="How often DiffDA resamples a stretch.")] = 10,
    fresh: Annotated[bool, typer.Option(help="New noise each time; --no-fresh, as DiffDA's published code.")] = True,
    error_told: Annotated[bool, typer.Option(help="Tell DiffDA an error of the observations.")] = False,
    product: Products = None,
    withheld: Withheld = "c2",
    box: Box = (-65.0, -55.0, 33.0, 43.0),
    seed: Annotated[int, typer.Option(max=SEEDS, help="Seed of the ensembles.")] = 0,
) -> None:
    """Cycle forecasts and analyses over the days of an experiment, with nothing of the future.

    Interrupted, the same command goes on. `genda evaluate ose` judges the results.
    """
    from ..sources import Archive
    from ..verify.ose.cycling import DIFFDA, WAYS, dates_of, load_tools, run_cycle
    from ..verify.ose.experiment import PRODUCTS, Experiment, Setting

    if way not in WAYS:
        raise InputError(f"way {way!r} is unknown, expected one of: {'; '.join(WAYS)}")
    setting = Setting(members, seed, window=every, decorrelation=0.0, products=tuple(product or PRODUCTS), box=box,
                      prior=None if prior is None else str(prior))
    check_places(folder=out)
    experiment = Experiment(Archive(data, withheld), setting)
    dates = dates_of(experiment, days, every, first)
    painting = ("steps", steps), ("samples", samples), ("fresh", fresh), ("error_told", error_told)
    options = {"grid": setting.grid, "radius": radius, "inflation": inflation}
    options |= {"painting": painting} if way == DIFFDA else {}
    tools = load_tools(setting.prior, forecast, background, every, **options)
    typer.echo(f"{counted(len(dates), 'date')}, {dates[0]} to {dates[-1]}; {counted(members, 'member')}; to {out}")
    run_cycle(experiment, way, tools, out, dates, typer.echo)


def trainers(trainer: str, configuration: str, images: int | None, seed: int, lead: float | None = None) -> tuple:
    """A trainer of `cycle.training`, its settings and network."""
    try:
        from ..cycle import training
    except ImportError:
        raise InputError("training needs Accelerate: `pip install genda_lite[train]`") from None
    network, settings = getattr(training, configuration)
    return getattr(training, trainer), training.configured(settings, lead, images=images, seed=seed), network
