"""How a prior does on real maps of temperature and current, beside sea level (`real`).

Temperature is a map without gaps (L4), seen between simulated clouds; the current is one day of a model's, of which a
tenth of the vectors are observed. Each method is judged where nothing was observed, in boxes of the regions of `real`
that the map covers; intervals resample boxes far apart.

Where the prior has no climatology, that of temperature is the mean of what is observed, and sea level is flat.
"""

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
import xarray as xr

from ..baselines.interpolation import Ensemble
from ..baselines.regression import Regression
from ..errors import InputError
from ..observe.currents import current_observations
from ..observe.instruments import InstrumentErrors
from ..observe.likelihood import LinearObservations
from ..observe.radiometer import radiometer
from ..observe.table import Observations
from ..posterior.problem import relocated
from ..prepare.decompose import total_current
from ..prior import Prior
from ..sources import open_product, read_temperature
from ..sources.maps import dated, read_map
from ..state import DEGREES_PER_CELL, TABLE, Grid
from . import scores
from .engine import CLIMATOLOGY, Case, Method, analyse, regressions
from .real import (
    FLAT,
    HOME,
    REGIONS,
    UNSEEN,
    combined,
    combined_ranks,
    name_of,
    paired_difference,
    ranks_of,
    units,
)
from .table import less, row

CLOUD = 0.7  # share of the sea that is hidden
VECTORS = 0.1  # share of the cells whose current is observed
NOISE = 0.05  # m s-1, of a component
CURRENTS = (("uo", "vo"), ("u", "v"), ("water_u", "water_v"))  # names in files: of NEMO, OSCAR and HYCOM
TEMPERATURE, CURRENT = "temperature", "current"  # what is judged


@dataclass(frozen=True)
class MapCase:
    """A case of `engine`, its region, the climatology of its place (None: the prior's), and what no table holds."""

    case: Case
    region: str
    climatology: xr.Dataset | None
    linear: tuple[LinearObservations, ...] = ()


def boxes_of(
    shape: tuple[int, int], regions: Sequence[str] | None, covered: xr.DataArray
) -> Iterator[tuple[str, Grid]]:
    """Boxes of regions, by default of all, that lie inside a map, each with its region."""
    half = [(n - 1) / 2 * DEGREES_PER_CELL for n in shape]
    ends = [(float(covered[dim].min()), float(covered[dim].max())) for dim in scores.GRID]
    for region in REGIONS if regions is None else regions:
        for longitude, latitude in REGIONS[region]:
            grid = Grid.around(longitude + half[1], latitude + half[0], shape)
            sides = zip((grid.latitude, grid.longitude), ends, strict=True)
            if all(low <= side[0] and side[-1] <= high for side, (low, high) in sides):
                yield region, grid


def on_grid(field: xr.DataArray, grid: Grid, what: str) -> xr.DataArray:
    """A map on a box, by linear interpolation.

    Raises:
        InputError: it has gaps there.
    """
    found = field.interp(latitude=grid.latitude, longitude=grid.longitude)
    if found.isnull().any():
        raise InputError(f"the map of {what} has gaps (land, ice or missing values) in the box {grid}, expected open "
                         f"ocean")
    return found


def temperature_cases(
    path: str | os.PathLike, prior: Prior, regions: Sequence[str] | None = None, seed: int = 0
) -> Iterator[MapCase]:
    """Boxes of a temperature map (L4), each seen by a radiometer between clouds.

    Raises:
        InputError: see `read_temperature`; the map has gaps in a box.
    """
    product = dated(read_temperature(path))
    field, date = product["thetao"], product["time"].values
    field = _around(field)
    for number, (region, grid) in enumerate(boxes_of(prior.shape[1:], regions, field)):
        truth = on_grid(field, grid, TEMPERATURE).assign_coords(time=date)
        seen = radiometer(truth, CLOUD, InstrumentErrors(), seed + number)
        unseen = np.ones(grid.shape, bool)
        unseen[grid.nearest(seen.latitude, seen.longitude)] = False
        there = None if region == HOME else flat(grid, date, thetao=float(seen.value.mean()))
        case = Case(grid, date, seen, truth=truth.to_dataset(name="thetao").drop_vars("time"), zones={UNSEEN: unseen})
        yield MapCase(case, region, there)


def current_cases(
    path: str | os.PathLike, prior: Prior, regions: Sequence[str] | None = None, seed: int = 0
) -> Iterator[MapCase]:
    """Boxes of a map of the surface current (one of `CURRENTS`), a tenth of whose vectors are observed.

    Raises:
        InputError: the map has gaps in a box, or cannot be read.
    """
    with open_product(path) as opened:
        east, north = next((pair for pair in CURRENTS if pair[0] in opened.variables), CURRENTS[0])
        northward = {"vo": (north, "m s-1", TABLE["vo"].plausible)}
        product = dated(read_map(opened, "uo", east, None, None, northward).load())
    product, date = _around(product), product["time"].values
    for number, (region, grid) in enumerate(boxes_of(prior.shape[1:], regions, product["uo"])):
        rng = np.random.default_rng([seed, number, 9])
        truth = xr.Dataset({name: on_grid(product[name], grid, CURRENT) for name in ("uo", "vo")})
        observed = rng.choice(grid.shape[0] * grid.shape[1], round(VECTORS * truth["uo"].size), replace=False)
        rows, columns = np.unravel_index(np.sort(observed), grid.shape)
        noise = NOISE * (rng.standard_normal((len(rows), 2)) @ [1, 1j])
        vectors = (truth["uo"].values + 1j * truth["vo"].values)[rows, columns] + noise
        unseen = np.ones(grid.shape, bool)
        unseen[rows, columns] = False
        linear = current_observations(grid, prior.state, rows, columns, vectors, NOISE)
        case = Case(grid, date, nothing(), truth=truth.drop_vars("time", errors="ignore"), zones={UNSEEN: unseen})
        yield MapCase(case, region, None if region == HOME else FLAT, (linear,))


def _around(field):
    """Longitudes from -180 to 180, ascending, as boxes have them."""
    longitude = (field["longitude"] + 180) % 360 - 180
    return field.assign_coords(longitude=longitude).sortby("longitude").sortby("latitude")


def nothing() -> Observations:
    """A table without rows."""
    point = xr.Dataset({"zos": ("point", [0.0])}, {"latitude": ("point", [0.0]), "longitude": ("point", [0.0])})
    return Observations.from_points(point, channel="zos", error=1.0).select(np.zeros(1, bool))


def flat(grid: Grid, date: np.datetime64, **means: float) -> xr.Dataset:
    """A climatology without place and season."""
    shape = (1, *grid.shape)
    fields = {name: (("time", *scores.GRID), np.full(shape, mean)) for name, mean in means.items()}
    source = "mean of what is observed"
    return xr.Dataset(fields, {"time": [date]} | grid.coordinates(), {"source": source, "months_averaged": 12})


def score(ensemble: Ensemble, case: Case, prior: Prior) -> xr.Dataset:
    """`grid_scores` and `ranks` (channel, zone, rank), shares of the truth's ranks among members, of what the truth
    of a case holds."""
    draws = ensemble.mean[None] if ensemble.draws is None else ensemble.draws
    fields = prior.standardizer.to_dataset(draws.cpu(), case.grid, case.date, prior.state)
    if "uo" in case.truth:
        fields = total_current(fields, prior.standardizer)
    fields = fields[list(case.truth)].assign_coords({dim: case.truth[dim].variable for dim in scores.GRID})
    return scores.grid_scores(fields, case.truth, case.zones).merge(ranks_of(fields, case))


def evaluate_maps(
    cases: Iterable[MapCase],
    chosen: Sequence[Method],
    prior: Prior,
    members: int = 16,
    seed: int = 0,
    say: Callable[[str], None] = lambda text: None,
    regression: Regression | None = None,
) -> tuple[xr.Dataset, list[MapCase]]:
    """Analyse maps by each method, and by climatology, a single field.

    Args:
        cases: of `temperature_cases` or `current_cases`. prior: for the standardized units. say: takes a line a case.
        regression: joins where a table holds the observations.

    Returns:
        scores, dims (experiment, case, channel, zone), and the cases.

    Raises:
        InputError: the map covers no box.
    """
    chosen = [*chosen, Method(CLIMATOLOGY, lambda task: Ensemble(None, torch.zeros(prior.shape)))]
    tables, boxes = [], []
    for one in cases:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "the climatology .* too few or too close for a season")
            there = prior if one.climatology is None else relocated(prior, one.climatology, one.case.grid)
        task = one.case.task(there, members, seed, grid=one.case.grid, linear=one.linear)
        here = [*chosen, *(regressions(there, regression)[:1] if regression and not one.linear else [])]
        scored = {m.name: score(ensemble, one.case, there) for m, ensemble, _ in analyse(here, task)}
        tables.append(xr.concat(scored.values(), pd.Index(scored, name="experiment"), data_vars="all", join="outer"))
        boxes.append(one)
        say(f"{one.region}, {name_of(one.case).partition(', tracks')[0]}")
    if not boxes:
        raise InputError("the map covers no box of the regions asked for, expected one that does")
    return xr.concat(tables, "case").assign_attrs(members=members), boxes


def rows_of(found: xr.Dataset, boxes: Sequence[MapCase], what: str, gaussian: str, learned: Sequence[str]) -> list:
    """Figures of each method over all boxes, and in each region, as rows of `verify.table.row`; CRPS and RMSE of
    learned priors less those of the Gaussian one, with 95 % intervals over what is independent.

    Args:
        what: `TEMPERATURE` or `CURRENT`, the rows' case. gaussian, learned: names of experiments.
    """
    cases, rows = [one.case for one in boxes], []
    regions = np.array([one.region for one in boxes])
    for region in ("", *dict.fromkeys(regions)):
        here = found.isel(case=np.flatnonzero(regions == region) if region else slice(None))
        table = scores.averages(combined(here), found.attrs["members"], "case")
        if "ranks" in here:
            table["rank_distance"] = scores.rank_distance(combined_ranks(here).mean("case").transpose("rank", ...))
        case = f"{what}, {region}" if region else what
        for method in map(str, table["experiment"].values):
            for channel in map(str, table["channel"].values):
                for metric in table.data_vars:
                    value = float(table[metric].sel(experiment=method, channel=channel))
                    if np.isfinite(value):
                        labels = {"method": method, "channel": channel, "zone": UNSEEN, "metric": str(metric)}
                        name = f"{method}: {metric} of {case}"
                        rows.append(row(name, value, detail=bool(region), case=case, **labels))
    for method in learned if gaussian in found["experiment"] else ():
        for metric in ("crps", "rmse") if method in found["experiment"] else ():
            for channel, d in paired_difference(found, method, gaussian, cases, metric=metric).items():
                labels = {"method": method, "channel": channel, "zone": UNSEEN, "metric": less(metric, gaussian)}
                name, ends = f"{method} less {gaussian}: {metric} of {what}", {"low": d.low, "high": d.high}
                rows.append(row(name, d.value, beside=ends, case=what, **labels))
    rows.append(row(f"independent units among the boxes of {what}", units(cases).max() + 1, case=what, metric="units"))
    return rows
