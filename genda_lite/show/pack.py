"""The explorer of observing systems: its controls, and the pack of precomputed ensembles that a page shows."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import xarray as xr

from ..files import check_folder
from ..prepare.decompose import to_state
from ..prior import Prior, load_prior
from ..sources import load_sample
from ..verify.osse.sweep import sweep
from .static import Explorer, static_explorer

PRIOR_TITLES = {"diffusion": "Diffusion prior", "gaussian": "Gaussian prior (OI)"}
CHANNELS = ("zos", "thetao", "so", "speed")
ANALYSIS = ("mean", "member_map", "spread")
PANELS = ("truth", "observations", *ANALYSIS)
DIFFERENCES = {"mean_error": ("Error of the mean", "mean", "truth")}
VIEWS = {"All": (*PANELS, *DIFFERENCES)} | {
    title: ("truth", "observations", name)
    for title, name in zip(("Mean", "Member", "Spread", "Error"), (*ANALYSIS, *DIFFERENCES), strict=True)
}
# The case shown first is a typical one: neither its error nor its spread/error stands out among boxes and dates drawn
# at random from the same oceans (a slow test draws them).
START = {"method": "diffusion", "altimeters": 7, "swot": False, "cloud": 70, "error": 1.0, "member": 1}
ROUNDING = 0.02  # of the range of colours; maps then err by a third of this, and the pack stays below 3 MB
TITLE = "Explorer of observing systems"


ERROR_IN_WORDS = {0.5: "half", 1.0: "as flown", 2.0: "twice"}  # against the instruments that fly
WORDS = {
    "altimeters": "{:g}",
    "swot": lambda flies: "with SWOT" if flies else "no SWOT",
    "cloud": "{:g} %",
    "error": lambda factor: ERROR_IN_WORDS.get(factor, f"{factor:g} times"),
    "method": lambda name: PRIOR_TITLES.get(name, name),
    "member": "Member {:g}",
}


def sample_priors(device: str = "cpu") -> dict[str, Prior]:
    """The shipped prior, and the Gaussian one of the same training data."""
    return {"diffusion": load_prior(device=device), "gaussian": load_prior("gaussian", device=device)}


def sample_truth(prior: Prior) -> xr.Dataset:
    """One day of an ocean that no prior was trained on, a box of 64 x 64 cells that SWOT crosses."""
    box = {"latitude": slice(35, 40.25), "longitude": slice(-64, -58.75)}
    ocean = load_sample("nature_heldout").isel(member=0).sel(time=["2000-07-29"], method="nearest")
    return ocean.assign(to_state(ocean, prior.standardizer)).isel(time=0).sel(box)


def observing_explorer(frames: xr.Dataset) -> Explorer:
    """The explorer of the results of `verify.osse.sweep`, which it starts in the middle where `START` was not run."""
    start = {dial: first for dial, first in START.items() if first in frames[dial].values}
    return static_explorer(
        frames, WORDS, start=start, views=VIEWS, against="sparsity", split=["method"], smooth=ROUNDING,
        differences=DIFFERENCES, title=TITLE,
    )  # fmt: skip


def make_pack(
    folder: str | Path,
    priors: Mapping[str, Prior] | None = None,
    truth: xr.Dataset | None = None,
    altimeters: Sequence[int] = (1, 2, 3, 5, 7),
    swot: Sequence[bool] = (False, True),
    clouds: Sequence[float] = (0.3, 0.7, 1.0),
    errors: Sequence[float] = (0.5, 1.0, 4.0),
    channels: Sequence[str] = CHANNELS,
    members: int = 16,
    shown: int = 2,
    seed: int = 0,
    progress: bool = True,
    keep: Path | None = None,
    **options,
) -> int:
    """Assimilate for every setting of the controls, and write the pack that `static.packed` shows on a page.

    Args:
        folder: to write; an older pack is replaced.
        priors: name -> prior; by default the shipped ones. truth: by default `sample_truth`.
        keep: folder of results that are done, to go on from when interrupted.
        Others: see `verify.osse.sweep`.

    Returns:
        its size in bytes.

    Raises:
        InputError: the parent folder does not exist, or something else is in the place.
    """
    folder = Path(folder)
    check_folder(folder)
    priors = priors or sample_priors()
    truth = sample_truth(next(iter(priors.values()))) if truth is None else truth
    frames = sweep(
        priors, truth, altimeters, clouds, channels, members, seed, progress,
        swot=swot, errors=errors, shown=shown, folder=keep, **options,
    )  # fmt: skip
    observing_explorer(frames).write(folder)
    return sum(path.stat().st_size for path in folder.iterdir())
