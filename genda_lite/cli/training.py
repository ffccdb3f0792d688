"""`genda train`, and what all commands that train share."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError
from .common import SEEDS, Device, Validation, Workers, check_checkpoint


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
    validation: Validation = None,
    images: Annotated[int | None, typer.Option(help="Windows to train on, in all.")] = None,
    seed: Annotated[int, typer.Option(max=SEEDS, help="Seed of weights, windows and noise.")] = 0,
    climate: Annotated[bool, typer.Option(help="Draw a climate for each window: a wider prior.")] = False,
    device: Device = None,
    mixed: Annotated[bool, typer.Option(help="Run the network in bfloat16.")] = True,
    accumulate: Annotated[int, typer.Option(help="Parts that a batch is cut into, to save memory.")] = 1,
    workers: Workers = 0,
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

    from ..latent.checkpoint import load_autoencoder
    from ..prior import load_prior
    from ..processors import chosen_device

    try:
        from ..latent import training as latent
        from ..prior.climate import WIDE
        from ..prior.train import CONFIGURATIONS, Trainer
    except ImportError:
        raise InputError("training needs Accelerate: `pip install genda_lite[train]`") from None

    known = CONFIGURATIONS | latent.CONFIGURATIONS
    check_checkpoint(out, [*data, validation, warm_start, autoencoder], "configuration", config, known)
    device = chosen_device(device)
    network, settings = known[config]
    settings = replace(
        settings, images=images or settings.images, seed=seed, climate=WIDE if climate else settings.climate
    )
    made = load_autoencoder(autoencoder) if autoencoder else None
    training, held_out = oceans_to_train_on(data, validation, made and made.standardizer, held)
    begun = load_prior(str(warm_start)) if warm_start else None
    options = {"device": device, "mixed": mixed, "accumulate": accumulate, "workers": workers, "processes": processes}
    is_latent = config in latent.CONFIGURATIONS
    kind = latent.trainer(config, made, out.with_suffix(".tracers.npz")) if is_latent else Trainer
    trainer = kind(training, held_out, settings, network, **options, start=begun)
    trainer.prior.training |= {"config": config, "data": names(data)}
    if begun:
        trainer.prior.training["start"] = {"file": warm_start.name, "images_seen": begun.training.get("images_seen")}
    run_training(trainer, out, data, f" of {len(training.frames)} frames", tensorboard)


def oceans_to_train_on(data: list[Path], validation: Path | None, standardizer, held: int | None) -> tuple:
    """Training sets of files, none of test data, in the climatology of a standardizer, or, if none, in their own."""
    from ..prepare.frames import HELD, training_set
    from ..sources import open_product
    from ..verify.protocol import refuse_test

    refuse_test(filter(None, [*data, validation]))
    training = training_set([open_product(path) for path in data], standardizer, held or HELD)
    return training, validation and training_set(open_product(validation), training.standardizer, held or HELD)


def run_training(trainer, out: Path, data: list[Path], frames: str = "", tensorboard: Path | None = None) -> None:
    """Train, and say how far it came."""
    from ..prior.train import train as run
    from ..verify.protocol import in_words

    trainer.prior.protocol = in_words(data)
    finished = run(trainer, out, tensorboard=tensorboard)
    if trainer.is_main:
        done = trainer.step * trainer.config.batch
        typer.echo(f"{out}: trained on {done:,} of {trainer.config.images:,} windows{frames}")
    if not finished:
        typer.echo("stopped: the same command goes on from here", err=True)
        raise typer.Exit(1)


def names(paths: list[Path] | None) -> list[str]:
    """What files are called, whatever folder they lie in."""
    return [path.name for path in paths or []]
