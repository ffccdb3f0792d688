"""How a prior trained on simulated oceans does on the real one: a mapped product, seen along real tracks.

The truth is a DUACS map of sea level. It is observed where a satellite's real ground tracks run, with noise; each
method reconstructs it, and is judged where nothing was observed. Sea level is compared up to its mean over the box,
since the products' references differ; currents are geostrophic, from sea level.

Boxes side by side on one day hold one and the same meandering jet, and a box seen along other tracks has the same
truth: they are not independent. Intervals resample what is (`units`), and where that is little, none is claimed.
"""

import os
from collections.abc import Iterator, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
import xarray as xr
from scipy.sparse.csgraph import connected_components

from ..baselines.interpolation import Ensemble
from ..baselines.regression import Regression
from ..errors import InputError
from ..observe.instruments import sample_points
from ..observe.orbits import repeat_tracks
from ..observe.table import Observations
from ..ocean.currents import geostrophic_current
from ..posterior.problem import relocated
from ..prior import Prior
from ..sources import read_sea_level_map, read_tracks
from ..sources.maps import dated
from ..state import DEGREES_PER_CELL, KM_PER_DEGREE, Grid
from . import scores
from .engine import CLIMATOLOGY, GAUSSIAN, OURS, OURS_FAST, Case, Method, analyse, regressions
from .table import less, row

OBSERVED_SHARE = 0.04  # of the cells of a box
NOISE = 0.03  # m
# South-west corners (longitude, latitude) of 5.3 degree boxes in strong currents, clear of land; the middles of
# regions are more than 1,500 km apart.
REGIONS = {
    "gulf-stream": ((-70.0, 35.5), (-64.6, 36.5), (-59.2, 37.5), (-53.8, 37.5), (-48.4, 37.5)),
    "kuroshio": ((143.0, 33.0), (148.4, 33.5), (153.8, 34.0)),
    "agulhas": ((16.5, -42.0), (21.9, -42.5), (27.3, -42.5)),
    "brazil-malvinas": ((-54.0, -42.0),),
    "east-australia": ((154.0, -36.0),),
    "kerguelen": ((65.0, -48.0),),
    "south-pacific": ((-150.0, -58.0),),
    "drake-passage": ((-60.0, -60.0),),
    "north-atlantic-current": ((-46.0, 44.0),),
    "loop-current": ((-90.5, 23.3),),
    "caribbean": ((-79.0, 11.7),),
    "azores": ((-33.0, 31.5),),
    "iceland-basin": ((-29.0, 55.0),),
}
HOME = "gulf-stream"  # the region whose climatology the prior has
FLAT = xr.Dataset()  # a climatology without a slope of sea level: where none is known, all of it is left to the tracks
CORNERS = REGIONS[HOME]
FIRST_DAYS = (0, 10)  # each box is seen twice, along the tracks of different days
FAR, LONG = 300.0, 30.0  # km and days between boxes that are independent: rings are smaller, and change in less
ENOUGH = 6  # independent units for a 95 % interval: with fewer, even if all agree, a sign test does not reach it


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
        zones, about = {UNSEEN: ~touched}, {"first day": first}
        yield Case(grid, date, observations, truth=with_currents(zos), zones=zones, about=about)


def units(boxes: Sequence[Case]) -> np.ndarray:
    """Which independent unit each box belongs to, (box,), counted from zero.

    Boxes belong together that are within `FAR` of each other, edge to edge, and within `LONG`; so do those that are
    linked by others.
    """
    dates = np.array([box.date for box in boxes], "datetime64[s]").astype(float) / 86400
    together = abs(dates[:, None] - dates) < LONG
    latitude, longitude = (np.array([getattr(box.grid, d)[[0, -1]] for box in boxes]) for d in scores.GRID)
    shrunk = np.cos(np.radians(abs(latitude).mean()))
    gaps = [
        np.maximum(0.0, np.maximum.outer(ends[:, 0], ends[:, 0]) - np.minimum.outer(ends[:, 1], ends[:, 1])) * scale
        for ends, scale in ((latitude, KM_PER_DEGREE), (longitude, KM_PER_DEGREE * shrunk))
    ]
    return connected_components(together & (np.hypot(*gaps) < FAR))[1]


def name_of(box: Case) -> str:
    """A box in words: its centre, its date, and from which day on it is seen."""
    latitude, longitude = (float(np.mean(getattr(box.grid, d))) for d in scores.GRID)
    place = f"{abs(latitude):.1f} {'N' if latitude > 0 else 'S'} {abs(longitude):.1f} {'E' if longitude > 0 else 'W'}"
    return f"{place}, {np.datetime64(box.date, 'D')}, tracks from day {box.about.get('first day', 0):g}"


def score(ensemble: Ensemble, case: Case, prior: Prior) -> xr.Dataset:
    """`grid_scores` of `zos`, `ug`, `vg` where nothing was observed, and the `ranks_of` the truth."""
    draws = ensemble.mean[None] if ensemble.draws is None else ensemble.draws
    fields = with_currents(prior.standardizer.to_dataset(draws.cpu(), case.grid, case.date, prior.state)["zos"])
    return scores.grid_scores(fields, case.truth, case.zones).merge(ranks_of(fields, case))


def ranks_of(fields: xr.Dataset, case: Case) -> xr.Dataset:
    """The `ranks` of a case's truth, dims (channel, zone, rank); none for a single field."""
    if fields.sizes.get("member", 1) < 2:
        return xr.Dataset()
    parts = []
    for zone in case.zones.values():
        where = xr.DataArray(zone, dims=scores.GRID)
        counts = scores.rank_histogram(fields, case.truth, where=where).to_array("channel")
        parts.append(counts / counts.sum("rank"))
    return xr.concat(parts, pd.Index(case.zones, name="zone")).drop_vars("rank").to_dataset(name="ranks")


def evaluate_real(
    tracks_path: str | os.PathLike,
    map_paths: Sequence[str | os.PathLike],
    chosen: Sequence[Method],
    prior: Prior,
    members: int = 16,
    seed: int = 0,
    corners=CORNERS,
    first_days=FIRST_DAYS,
    climatology: xr.Dataset | None = None,
    regression: Regression | None = None,
) -> tuple[xr.Dataset, list[Case]]:
    """Reconstruct real sea level along real tracks by each method, and by climatology, a single field.

    Args:
        tracks_path, map_paths: DUACS L3 tracks and L4 maps, of a day each. prior: for the size of the boxes and the
            climatology. climatology: another, of the boxes' seas: from `read_climatology`, or `FLAT`. regression: it
            joins, if there is one.

    Returns:
        scores of `zos`, `ug` and `vg`, dims (experiment, case, channel, zone) of `grid_scores`, and `ranks`; the cases.
    """
    tracks, boxes = read_tracks(tracks_path), []
    for path in map_paths:
        sea_level = dated(read_sea_level_map(path))["zos"]
        boxes += cases(tracks, sea_level, prior.shape[1:], corners, first_days, seed + len(boxes))
    chosen = [*chosen, Method(CLIMATOLOGY, lambda task: Ensemble(None, torch.zeros(prior.shape)))]
    tables = []
    for case in boxes:
        there = prior if climatology is None else relocated(prior, climatology, case.grid)
        here = [*chosen, *(regressions(there, regression)[:1] if regression else [])]
        found = analyse(here, case.task(there, members, seed, grid=case.grid))
        scored = {method.name: score(ensemble, case, there) for method, ensemble, _ in found}
        tables.append(xr.concat(scored.values(), pd.Index(scored, name="experiment"), data_vars="all", join="outer"))
    return xr.concat(tables, "case").assign_attrs(members=members), boxes


def combined(table: xr.Dataset) -> xr.Dataset:
    """Scores of scalars, and of both components of the current together: channels `zos`, `thetao`, `current`, those of
    them that there are."""
    table, there = table.sel(zone=UNSEEN).drop_vars("ranks", errors="ignore"), set(table["channel"].values)
    parts = [table.sel(channel=[name]) for name in ("zos", "thetao") if name in there]
    for pair in (["ug", "vg"], ["uo", "vo"]):
        if there.issuperset(pair):
            parts.append(table.sel(channel=pair).sum("channel", skipna=False).expand_dims(channel=["current"]))
    return xr.concat(parts, "channel")


def combined_ranks(table: xr.Dataset) -> xr.DataArray:
    """Ranks of both components of the current together, under the names of `combined`."""
    ranks = table["ranks"].sel(zone=UNSEEN)
    names = {"uo": "current", "vo": "current", "ug": "current", "vg": "current"}
    groups = xr.DataArray([names.get(str(c), str(c)) for c in ranks["channel"].values], dims="channel")
    return ranks.groupby(groups.rename("group")).mean("channel").rename(group="channel")


class Difference(NamedTuple):
    """A method's RMSE less another's: `value`, the mean over boxes, with the 95 % interval `low` to `high` (NaN where
    there are too few independent units); `boxes`, of each; `units`, how many are independent."""

    value: float
    low: float
    high: float
    boxes: np.ndarray
    units: int

    def text(self, unit: str) -> str:
        """In words."""
        if np.isfinite(self.low):
            return f"{self.value:+.3f} {unit} ({self.low:+.3f} to {self.high:+.3f}, 95 %, {self.units} independent)"
        each = f"{self.boxes.min():+.3f} to {self.boxes.max():+.3f} in {self.boxes.size} boxes"
        return f"{self.value:+.3f} {unit} ({each}, {self.units} independent: too few for an interval)"


def paired_difference(
    table: xr.Dataset, name: str, than: str, boxes: Sequence[Case], samples: int = 2000, seed: int = 0,
    metric: str = "rmse",
) -> dict[str, Difference]:
    """Differences of the boxes' RMSE, or CRPS, between two methods, for the channels of `combined`; independent units
    are resampled."""
    found = combined(table)
    figure = np.sqrt(found["mse"]) if metric == "rmse" else found[metric]
    apart, which = figure.sel(experiment=name) - figure.sel(experiment=than), units(boxes)
    count, found = which.max() + 1, {}
    drawn = scores.bootstrap_counts(count, samples, seed)
    for channel in map(str, apart["channel"].values):
        each, ends = apart.sel(channel=channel).values, [np.nan, np.nan]
        if count >= ENOUGH:
            means = drawn @ np.bincount(which, each) / (drawn @ np.bincount(which))
            ends = scores.bootstrap_interval(xr.DataArray(means, dims="sample")).values.tolist()
        found[channel] = Difference(float(each.mean()), *ends, each, int(count))
    return found


FIGURES = {  # channel and metric -> in words
    ("zos", "rmse"): "sea level RMSE (m)",
    ("current", "rmse"): "current RMSE (m/s)",
    ("zos", "crps"): "CRPS (m)",
    ("zos", "spread_skill"): "spread/error",
}


def rows_of(table: xr.Dataset, boxes: Sequence[Case]) -> list[dict]:
    """Rows of `verify.table.row`: the figures of each method over all boxes; the difference of each learned prior from
    the Gaussian one, with its interval if there is one, and in each box; the number of independent units; and the share
    of the cells observed."""
    found, rows = scores.averages(combined(table), table.attrs["members"], "case"), []
    for method in map(str, table["experiment"].values):
        for (channel, metric), words in FIGURES.items():
            value = float(found[metric].sel(experiment=method, channel=channel))
            if np.isfinite(value):
                name = f"{NAMES.get(method, method)}: {words}"
                rows.append(row(name, value, method=method, channel=channel, zone=UNSEEN, metric=metric))
    if "ranks" in table:
        away = scores.rank_distance(combined_ranks(table).mean("case").transpose("rank", ...))
        for one in away.stack(of=("experiment", "channel")).dropna("of"):
            labels = {"method": one["experiment"].item(), "channel": one["channel"].item(), "zone": UNSEEN}
            name = f"{labels['method']}: share of truths in the wrong rank, {labels['channel']}"
            rows.append(row(name, one, detail=True, metric="rank_distance", **labels))
    for method in (OURS, OURS_FAST) if GAUSSIAN in table["experiment"] else ():
        if method not in table["experiment"]:
            continue
        for channel, d in paired_difference(table, method, GAUSSIAN, boxes).items():
            name = f"{NAMES[method]} less {NAMES[GAUSSIAN]}: {FIGURES[channel, 'rmse']}"
            labels = {"method": method, "channel": channel, "zone": UNSEEN, "metric": less("rmse", GAUSSIAN)}
            rows.append(row(name, d.value, beside={"low": d.low, "high": d.high}, detail=True, **labels))
            for box, value in zip(map(name_of, boxes), d.boxes, strict=True):
                rows.append(row(f"{name}, {box}", value, detail=True, case=box, **labels))
        for channel, d in paired_difference(table, method, GAUSSIAN, boxes, metric="crps").items():
            labels = {"method": method, "channel": channel, "zone": UNSEEN, "metric": less("crps", GAUSSIAN)}
            name = f"{NAMES[method]} less {NAMES[GAUSSIAN]}: CRPS, {channel}"
            rows.append(row(name, d.value, beside={"low": d.low, "high": d.high}, detail=True, **labels))
    seen = sum(1 - float(box.zones[UNSEEN].mean()) for box in boxes) / len(boxes)
    rows.append(row("independent units among the boxes", units(boxes).max() + 1, detail=True, metric="units"))
    return [*rows, row("observed share of the cells", seen, detail=True, metric="observed share")]
