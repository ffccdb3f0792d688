"""One true ocean for the live figures of a page: what could be observed of it, and a film of satellites crossing it.

The page draws members itself, with the engine of `live/`. The scene gives it the truth, and every measurement that any
observing system of the explorer could take. Until a reader touches it, the page shows the film: ensembles that were
drawn beforehand, pass after pass.
"""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from tqdm import tqdm

from ..files import atomic_path
from ..observe.systems import NADIR
from ..observe.table import Observations
from ..posterior import assimilate
from ..prior import Prior
from ..prior.base import grid_context
from ..prior.samplers import sample_prior
from ..state import Grid
from ..verify.osse.sweep import observe, southwest, with_speed
from . import assets, pack
from .static import STYLES, colour_scale, north_up, pack_smooth

FILM_CHANNELS = ("zos", "thetao")
FILM_CLOUD = 0.7  # of the sky under which the film ends
FEWEST = 10  # points of a pass that the film shows
ROUNDING = 0.01  # of the range of colours, of the waves that a map of the film is kept in


def measurements(truth: xr.Dataset, seed: int = 0) -> dict[str, Any]:
    """Every measurement that `verify.osse.sweep.observe` can take of a true state.

    A system of the explorer takes a part of them, with noise and stated error in proportion to its instruments' error:
    value = true + factor noise, error^2 = (factor instrument)^2 + unresolved^2.

    Returns:
        `altimetry`: parts in the order in which they are observed, each {name, altimeters or swot (what must fly),
        latitude, longitude (degrees), true, noise, instrument, unresolved, reference (m), source}; and `radiometer`,
        {noise, instrument, unresolved (degC), hidden}, over the whole grid, row by row from the south; `hidden` is the
        least cloud cover (%) that hides a cell.
    """
    one, two = (observe(truth, len(NADIR), 0.0, seed, True, factor) for factor in (1.0, 2.0))
    noise = two.value - one.value
    instrument = np.sqrt((two.error**2 - one.error**2) / 3)
    columns = {
        "latitude": one.latitude,
        "longitude": one.longitude,
        "true": one.value - noise,
        "noise": noise,
        "instrument": instrument,
        "unresolved": np.sqrt(one.error**2 - instrument**2),
        "reference": one.reference_error,
    }

    def part(first: int, last: int, names=tuple(columns)) -> dict[str, Any]:
        return {name: _short(columns[name][first:last]) for name in names}

    # What flies more follows what flew already, so that the sizes of smaller systems are the ends of its parts.
    ends = [0, *(len(observe(truth, number, 1.0, seed)) for number in range(1, 1 + len(NADIR)))]
    sky = len(observe(truth, len(NADIR), 1.0, seed, True))
    altimetry = [{"name": name, "altimeters": i + 1} | part(*ends[i : i + 2]) for i, name in enumerate(NADIR)]
    swath = {"name": "SWOT", "swot": True} | part(ends[-1], sky) | {"source": one.source[ends[-1] : sky].tolist()}
    hidden = np.full(len(one) - sky, 100)
    for cloud in range(99, 0, -1):
        seen = observe(truth, 0, cloud / 100, seed)
        hidden[~np.isin(one.value[sky:], seen.value)] = cloud
    radiometer = part(sky, len(one), ("noise", "instrument", "unresolved")) | {"hidden": hidden.tolist()}
    return {"altimetry": [*altimetry, swath], "radiometer": radiometer}


def _short(values: np.ndarray) -> list[float] | float:
    """Numbers of five decimals (1 m of latitude, 0.01 mm of sea level); one for all where they are the same."""
    rounded = np.round(values, 5)
    return float(rounded[0]) if (rounded == rounded[0]).all() else rounded.tolist()


def film_passes(truth: xr.Dataset, seed: int = 0) -> list[tuple[str, Observations]]:
    """What comes in, one after the other: the passes of seven altimeters in three days, by their missions, and at last
    the temperature between clouds."""
    tracks = observe(truth, len(NADIR), 1.0, seed)
    ends = [len(observe(truth, number, 1.0, seed)) for number in range(1, 1 + len(NADIR))]
    missions = np.array(NADIR)[np.searchsorted(ends, np.arange(len(tracks)), side="right")]
    order = np.argsort(tracks.time, kind="stable")
    apart = 1 + np.flatnonzero(np.diff(tracks.time[order]) > np.timedelta64(1, "m"))
    passes = [(str(missions[part[0]]), tracks.select(part)) for part in np.split(order, apart) if len(part) >= FEWEST]
    return [*passes, ("Radiometer", observe(truth, 0, FILM_CLOUD, seed))]


def film(
    truth: xr.Dataset, priors: Mapping[str, Prior], members: int = 8, seed: int = 0, progress: bool = True
) -> dict[str, Any]:
    """Ensembles of both priors, before anything is observed and after each of `film_passes`.

    Args:
        truth: see `pack.sample_truth`. priors: "diffusion" and "gaussian".

    Returns:
        `stages`: what came last, {name, channel, latitude, longitude, value} and the `count` of all observations until
        then; the first is nothing. `channels`: with the scales of their colours and, packed as smooth maps from the
        north, `truth`, `members` (one stage after the other) and `gaussian`, the mean of as many of the Gaussian prior.
    """
    grid, names = Grid(truth["latitude"].values, truth["longitude"].values), list(FILM_CHANNELS)
    stages: list[dict[str, Any]] = [{"name": "", "count": 0}]
    seen, drawn = [None], []
    for name, part in film_passes(truth, seed):
        seen.append(part if seen[-1] is None else seen[-1] + part)
        places = {column: getattr(part, column).round(3).tolist() for column in ("latitude", "longitude", "value")}
        stages.append({"name": name, "channel": str(part.channel[0]), "count": len(seen[-1])} | places)
    for observations in tqdm(seen, disable=not progress, desc="stages"):
        both = [_drawn(prior, observations, truth, grid, members, seed)[names] for prior in priors.values()]
        drawn.append(xr.concat(both, pd.Index(priors, name="prior")))
    ensembles = north_up(xr.concat(drawn, "stage"))
    return _about(truth) | {
        "members": members,
        "stages": stages,
        "channels": [_film_channel(name, north_up(truth)[name].values, ensembles[name]) for name in names],
    }


def _drawn(
    prior: Prior, seen: Observations | None, truth: xr.Dataset, grid: Grid, members: int, seed: int
) -> xr.Dataset:
    """An ensemble by the fast method; without observations draws of the prior."""
    date, standardizer = truth["time"].values, prior.standardizer
    if seen is None:
        context = grid_context(prior.domain, grid, date, True)
        return standardizer.to_dataset(sample_prior(prior, context, members, seed), grid, date, prior.state)
    analysis = assimilate(prior, seen, members, seed, southwest(grid), date=date, fast=True)
    return analysis.assign_coords(latitude=grid.latitude, longitude=grid.longitude)


def _film_channel(name: str, true: np.ndarray, ensembles: xr.DataArray) -> dict[str, Any]:
    """Scales and packed maps of one channel; dims of the ensembles: prior, stage, member, latitude, longitude."""
    shape = true.shape
    members = ensembles.sel(prior="diffusion").transpose("stage", "member", ...).values.reshape(-1, *shape)
    gaussian = ensembles.sel(prior="gaussian").mean("member").transpose("stage", ...).values
    spread = ensembles.sel(prior="diffusion").std("member", ddof=1).values
    fields = {"truth": true[None], "members": members, "gaussian": gaussian}
    style = STYLES[name]
    scales = {
        "field": colour_scale(name, list(fields.values()), style, "field", true),
        "spread": colour_scale(name, [spread], style, "spread"),
    }
    low, high = scales["field"]["low"], scales["field"]["high"]
    packed = {panel: pack_smooth((values - low) / (high - low), ROUNDING) for panel, values in fields.items()}
    counts = {panel: len(values) for panel, values in fields.items()}
    about = {"name": name, "title": style.long_name, "units": style.units, "scales": scales}
    return about | {"step": ROUNDING, "counts": counts, "maps": packed}


def _about(truth: xr.Dataset) -> dict[str, Any]:
    """When and where, from the north-west corner, as explorers take it."""
    ocean = north_up(truth)
    return {
        "date": str(truth["time"].values.astype("datetime64[s]")),
        "latitude": ocean["latitude"].values[[0, -1]].tolist(),
        "longitude": ocean["longitude"].values[[0, -1]].tolist(),
        "shape": [ocean.sizes["latitude"], ocean.sizes["longitude"]],
    }


def scene(truth: xr.Dataset) -> dict[str, Any]:
    """A true state, row by row from the south (float32, base64), and the measurements of it."""
    truth = with_speed(truth)
    names = [name for name in pack.CHANNELS if name in truth]
    fields = {name: truth[name].values.astype("<f4").tobytes() for name in names}
    truths = {name: base64.b64encode(field).decode() for name, field in fields.items()}
    return _about(truth) | {"truth": truths, "measurements": measurements(truth)}


def write(path: str | Path, name: str, content: dict[str, Any]) -> int:
    """Write a script that gives a page some content, also from the disk, as `gendaPacks[name]`; returns its size.

    Raises:
        InputError: the folder does not exist.
    """
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    with atomic_path(path) as temporary:
        temporary.write_text(f"(window.gendaPacks ??= {{}})[{json.dumps(name)}]={text};\n", encoding="utf-8")
    return Path(path).stat().st_size


def write_live(folder: str | Path, checkpoint: str | Path, truth: xr.Dataset) -> None:
    """Write what pages load to draw members: engine, prior and scene; and the program of the first screen, whose film
    is to stand there, too.

    Raises:
        InputError: the parent folder does not exist.
    """
    assets.write_engine(folder, checkpoint)
    with atomic_path(Path(folder) / "first_screen.js") as temporary:
        temporary.write_text(assets.script("first_screen"), encoding="utf-8")
    write(Path(folder) / "scene.js", "scene", scene(truth))
