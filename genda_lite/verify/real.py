"""How a prior trained on simulated oceans does on the real one: a mapped product, seen along real tracks.

The truth is a DUACS map of sea level. It is observed where a satellite's real ground tracks run, with noise; each
method reconstructs it, and is judged where nothing was observed. Sea level is compared up to its mean over the box,
since the products' references differ; currents are geostrophic, from sea level.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import xarray as xr

from ..errors import InputError
from ..observe.instruments import sample_points
from ..observe.table import Observations
from ..posterior import assimilate
from ..prepare.decompose import geostrophic_current
from ..prior import Prior
from ..sources import read_sea_level_map, read_tracks, repeat_tracks
from ..state import DEGREES_PER_CELL, Grid
from . import scores

OBSERVED_SHARE = 0.04  # of the cells of a box
NOISE = 0.03  # m
# South-west corners (longitude, latitude) of adjoining 5.3 degree boxes along the Gulf Stream, clear of land.
CORNERS = ((-70.0, 35.5), (-64.6, 36.5), (-59.2, 37.5), (-53.8, 37.5), (-48.4, 37.5))
FIRST_DAYS = (0, 10)  # each box is seen twice, along the tracks of different days


@dataclass(frozen=True)
class Case:
    """One box: its truth (`zos`, `ug`, `vg`), its observations, and which cells a track touches."""

    grid: Grid
    truth: xr.Dataset
    observations: Observations
    observed: xr.DataArray


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
        observed = xr.DataArray(touched, coords=zos.coords, dims=zos.dims)
        yield Case(grid, with_currents(zos), observations, observed)


def score(ensemble: xr.Dataset, case: Case) -> dict[str, float]:
    """Sums over a box's unobserved cells, from which `evaluate` makes root-mean-square figures."""
    unseen = ~case.observed
    mean = ensemble.mean("member")
    row = {
        "zos": float(scores.rmse(mean["zos"], case.truth["zos"], where=unseen)) ** 2,
        "current": sum(float(scores.rmse(mean[c], case.truth[c], where=unseen)) ** 2 for c in ("ug", "vg")),
    }
    if ensemble.sizes["member"] > 1:
        row["crps"] = float(scores.crps(ensemble["zos"], case.truth["zos"], where=unseen))
        row["spread"] = float(scores.spread(ensemble["zos"], where=unseen)) ** 2
    else:  # the CRPS of a single field is its mean absolute error
        row["crps"] = float(abs(mean["zos"] - case.truth["zos"]).where(unseen).mean())
    return row


def evaluate_real(
    tracks_path: str | os.PathLike,
    map_path: str | os.PathLike,
    experiments: dict[str, tuple[Prior, dict]],
    members: int = 16,
    seed: int = 0,
    corners=CORNERS,
    first_days=FIRST_DAYS,
) -> tuple[xr.Dataset, list[Case]]:
    """Reconstruct real sea level along real tracks with each prior, and with climatology.

    Args:
        tracks_path, map_path: DUACS L3 tracks and L4 map.
        experiments: name -> prior and options of `assimilate`; all priors of one size.

    Returns:
        squared scores, dims (experiment, box): `zos` (m2), `current` (m2 s-2), `crps` (m), `spread` (m2); the cases.
    """
    shape = next(iter(experiments.values()))[0].shape[1:]
    sea_level = read_sea_level_map(map_path)["zos"]
    date = sea_level["time"].values
    boxes = list(cases(read_tracks(tracks_path), sea_level, shape, corners, first_days, seed))
    rows: dict[str, list[dict]] = {}
    for case in boxes:
        for name, (prior, options) in experiments.items():
            analysis = assimilate(prior, case.observations, members, seed, grid=case.grid, date=date, **options)
            rows.setdefault(name, []).append(score(with_currents(analysis["zos"]), case))
        profile = analysis["zos_climatology"].broadcast_like(case.truth["zos"]).expand_dims("member")
        rows.setdefault("climatology", []).append(score(with_currents(profile), case))
    names = ("zos", "current", "crps", "spread")
    columns = {name: [[row.get(name, np.nan) for row in boxes_] for boxes_ in rows.values()] for name in names}
    table = xr.Dataset({name: (("experiment", "box"), values) for name, values in columns.items()})
    return table.assign_coords(experiment=list(rows)), boxes


def paired_difference(table: xr.Dataset, name: str, than: str) -> dict[str, tuple[float, float]]:
    """Mean difference of the boxes' RMSE between two experiments, and its standard error, for sea level and current."""
    out = {}
    for variable in ("zos", "current"):
        rmse = np.sqrt(table[variable])
        difference = rmse.sel(experiment=name) - rmse.sel(experiment=than)
        out[variable] = float(difference.mean()), float(difference.std(ddof=1) / np.sqrt(difference.size))
    return out


def summarize(table: xr.Dataset, members: int) -> list[dict]:
    """Figures of each experiment over all boxes: root-mean-square errors, CRPS, spread against error."""
    out = []
    for name in table["experiment"].values:
        one = table.sel(experiment=name)
        ratio = np.sqrt((members + 1) / members * one["spread"].mean() / one["zos"].mean())
        out.append(
            {
                "prior": str(name),
                "sea level RMSE (m)": float(np.sqrt(one["zos"].mean())),
                "current RMSE (m/s)": float(np.sqrt(one["current"].mean())),
                "CRPS (m)": float(one["crps"].mean()),
                "spread/error": float(ratio),
            }
        )
    return out
