"""Run by `torchrun`: a few steps of a training that processes share; the first of them writes the losses."""

import sys
from pathlib import Path

import numpy as np
import torch
from test_train import FEW, rings, trainer

from genda_lite.prior import train
from genda_lite.state import CHANNELS, Standardizer


def main(folder: Path) -> None:
    """Train, and write `losses.csv` and a checkpoint."""
    torch.set_num_threads(1)
    train.COVARIANCE_WINDOWS = FEW
    channels = len(CHANNELS)
    data = rings(Standardizer(np.arange(3.0), np.zeros((3, channels, 3)), np.ones(channels), np.zeros(3, complex)))
    run = trainer(data, processes=2)
    losses = [run.train_step() for _ in range(20)]
    if run.is_main:
        (folder / "losses.csv").write_text("".join(f"{loss!r}\n" for loss in losses))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
