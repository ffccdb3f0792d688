"""How a prior trained on simulated oceans does on the real one: a mapped product, seen along real tracks.

The truth is a DUACS map of sea level. It is observed where a satellite's real ground tracks run, with noise; each
method reconstructs it, and is judged where nothing was observed. Sea level is compared up to its mean over the box,
since the products' references differ; currents are geostrophic, from sea level.
"""

import os
from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
import pandas as pd
import torch
import xarray as xr

from ..baselines.interpolation import Ensemble
from ..errors import InputError
from ..observe.instruments import sample_points
from ..observe.table import Observations
from ..ocean.currents import geostrophic_current
from ..prior import Prior
from ..sources import read_sea_level_map, read_tracks, repeat_tracks
from ..state import DEGREES_PER_CELL, Grid
from . import scores
from .engine import CLIMATOLOGY, GAUSSIAN, OURS, OURS_FAST, Case, Method, analyse
from .table import less, row

OBSERVED_SHARE = 0.04  # of the cells of a box
NOISE = 0.03  # m
# South-west corners (longitude, latitude) of adjoining 5.3 degree boxes along the Gulf Stream, clear of land.
CORNERS = ((-70.0, 35.5), (-64.6, 36.5), (-59.2, 37.5), (-53.8, 37.5), (-48.4, 37.5))
FIRST_DAYS = (0, 10)  # each box is seen twice, along the tracks of different days


NAMES = {OURS: "diffusion prior", OURS_FAST: "diffusion prior, fast", GAUSSIAN: "Gaussian prior"}  # in words
UNSEEN = "unobserved"  # the zone of the cells that no track touches


def with_currents(zos: xr.DataArray) -> xr.Dataset:
    """Sea level relative to its mean over the box, and the geostrophic current (m s-1)."""
    u, v = geostrophic_current(zos)
    return xr.Dataset({"zos": zos - zos.mean(("latitude", "longitude")), "ug": u, "vg": v})


def touched_cells(points: xr.Dataset, grid: Grid) -> np.ndarray:
    """Cells of a grid nearest to some point, (ny, nx) bool."""
    touched = np.zeros(grid.shape, bool)
    touched[grid.nearest(points["latitude"].values, points["longitude"].values)] = True
    return touched


def cases(
    tracks: xr.Dataset,
    sea_level: xr.DataArray,
    shape: tuple[int, int],
    corners=CORNERS,
    first_days=FIRST_DAYS,
    seed: int = 0,
) -> Iterator[Case]:
    """Boxes of a sea-level map observed along tracks; days of tracks are added until enough of each box is seen.

    Raises:
        InputError: the map has gaps in a box, or the tracks never see enough of it.
    """
    date = sea_level["time"].values
    for number, ((longitude, latitude), first) in enumerate(product(corners, first_days)):
        half = [(n - 1) / 2 * DEGREES_PER_CELL for n in shape]
        grid = Grid.around(longitude + half[1], latitude + half[0], shape)
        zos = sea_level.interp(latitude=grid.latitude, longitude=grid.longitude)
        if zos.isnull().any():
            raise InputError(f"the map has gaps (land or missing values) in the box {grid}, expected open ocean")
        for days in range(1, 36):
            flown = repeat_tracks(tracks, range(first, first + days))
            points = flown.isel(point=grid.holds(flown["latitude"].values, flown["longitude"].values))
            touched = touched_cells(points, grid)
            if touched.mean() >= OBSERVED_SHARE:
                break
        else:
            raise InputError(f"35 days of tracks see {touched.mean():.1%} of {grid}, expected {OBSERVED_SHARE:.0%}")
        points = sample_points(zos, points.drop_vars(["time", *points.data_vars]), NOISE, seed=seed + number)
        observations = Observations.from_points(points, channel="zos", error=NOISE)
        yield Case(grid, date, observations, truth=with_currents(zos), zones={UNSEEN: ~touched})


def score(ensemble: Ensemble, case: Case, prior: Prior) -> xr.Dataset:
    """`grid_scores` of `zos`, `ug`, `vg` where nothing was observed."""
    draws = ensemble.mean[None] if ensemble.draws is None else ensemble.draws
    zos = prior.standardizer.to_dataset(draws.cpu(), case.grid, case.date, prior.state)["zos"]
    return scores.grid_scores(with_currents(zos), case.truth, case.zones)


def evaluate_real(
    tracks_path: str | os.PathLike,
    map_path: str | os.PathLike,
    chosen: Sequence[Method],
    prior: Prior,
    members: int = 16,
    seed: int = 0,
    corners=CORNERS,
    first_days=FIRST_DAYS,
) -> tuple[xr.Dataset, list[Case]]:
    """Reconstruct real sea level along real tracks by each method, and by climatology, a single field.

    Args:
        tracks_path, map_path: DUACS L3 tracks and L4 map. prior: for the size of the boxes and the climatology.

    Returns:
        scores of `zos`, `ug` and `vg`, dims (experiment, case, channel, zone) of `grid_scores`; the cases.
    """
    sea_level = read_sea_level_map(map_path)["zos"]
    boxes = list(cases(read_tracks(tracks_path), sea_level, prior.shape[1:], corners, first_days, seed))
    chosen = [*chosen, Method(CLIMATOLOGY, lambda task: Ensemble(None, torch.zeros(prior.shape)))]
    tables = []
    for case in boxes:
        found = analyse(chosen, case.task(prior, members, seed, grid=case.grid))
        scored = {method.name: score(ensemble, case, prior) for method, ensemble, _ in found}
        tables.append(xr.concat(scored.values(), pd.Index(scored, name="experiment")))
    return xr.concat(tables, "case").assign_attrs(members=members), boxes


def combined(table: xr.Dataset) -> xr.Dataset:
    """Scores of sea level and of both components of the current together: channels `zos` and `current`."""
    level, current = table.sel(channel=["zos"]), table.sel(channel=["ug", "vg"]).sum("channel", skipna=False)
    return xr.concat([level, current.expand_dims(channel=["current"])], "channel").sel(zone=UNSEEN)


def paired_difference(table: xr.Dataset, name: str, than: str) -> dict[str, tuple[float, float]]:
    """Mean difference of the boxes' RMSE between two methods, and its standard error, for `zos` and `current`."""
    rmse = np.sqrt(combined(table)["mse"])
    difference = rmse.sel(experiment=name) - rmse.sel(experiment=than)
    error = difference.std("case", ddof=1) / np.sqrt(difference.sizes["case"])
    return {c: (float(difference.mean("case").sel(channel=c)), float(error.sel(channel=c))) for c in ("zos", "current")}


ERROR = "its standard error"
FIGURES = {  # channel and metric -> in words
    ("zos", "rmse"): "sea level RMSE (m)",
    ("current", "rmse"): "current RMSE (m/s)",
    ("zos", "crps"): "CRPS (m)",
    ("zos", "spread_skill"): "spread/error",
}


def rows_of(table: xr.Dataset, boxes: Sequence[Case]) -> list[dict]:
    """Figures of each method over all boxes as rows of `verify.table.row`, those that it has; what learned priors have
    more or less than the Gaussian one, box by box, with its standard error; and the share of the cells observed."""
    found, rows = scores.averages(combined(table), table.attrs["members"], "case"), []
    for method in map(str, table["experiment"].values):
        for (channel, metric), words in FIGURES.items():
            value = float(found[metric].sel(experiment=method, channel=channel))
            if np.isfinite(value):
                name = f"{NAMES.get(method, method)}: {words}"
                rows.append(row(name, value, method=method, channel=channel, zone=UNSEEN, metric=metric))
    for method in (OURS, OURS_FAST) if GAUSSIAN in table["experiment"] else ():
        if method not in table["experiment"]:
            continue
        for channel, pair in paired_difference(table, method, GAUSSIAN).items():
            name = f"{NAMES[method]} less {NAMES[GAUSSIAN]}: {FIGURES[channel, 'rmse']}"
            labels = {"method": method, "channel": channel, "zone": UNSEEN}
            rows.append(row(name, pair[0], detail=True, metric=less("rmse", GAUSSIAN), **labels))
            rows.append(row(f"{name}, standard error", pair[1], detail=True, metric=ERROR, **labels))
    seen = sum(1 - float(box.zones[UNSEEN].mean()) for box in boxes) / len(boxes)
    return [*rows, row("observed share of the cells", seen, detail=True, metric="observed share")]
