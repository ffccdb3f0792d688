"""Observing system simulation experiments: the truth is known, the observing system is ours to choose."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import xarray as xr
from tqdm.auto import tqdm

from ...errors import InputError
from ...files import atomic_path
from ...observe.instruments import InstrumentErrors
from ...observe.systems import ObservingSystem, constellation, sparsity
from ...observe.table import Observations
from ...posterior import assimilate
from ...prior import Prior
from ...state import CHANNELS, SURFACE, VARIABLES, Grid
from .. import scores

SWATH_CELL = 16.0  # km
STEADY_WINDOW = 1.5  # days before, and after, the date for which the true ocean is taken to stand still


def observe(
    truth: xr.Dataset,
    altimeters: int = 3,
    cloud: float = 0.7,
    seed: int = 0,
    swot: bool = False,
    error: float = 1.0,
) -> Observations:
    """What altimeters on their orbits and a radiometer under clouds see of one true state, which stands still for the
    three days of altimetry; more altimeters or less cloud only add observations.

    Args:
        truth: dims (latitude, longitude), `zos`, `thetao`, a scalar coordinate `time`.
        altimeters: how many, 0 to 7. cloud: share of the sea hidden, 0..1.
        swot: whether SWOT flies, too; its swath is averaged to cells of 16 km.
        error: how many times as much the instruments err as they do; the analysis is told.

    Raises:
        InputError: another number of altimeters, a cloud share outside 0..1, nothing observed at all.
    """
    errors = InstrumentErrors(variability=0.0).scaled(error)
    system = ObservingSystem(
        constellation(altimeters), swot, cloud, window=STEADY_WINDOW, swath_cell=SWATH_CELL, errors=errors, seed=seed
    )
    series = truth[["zos", "thetao"]].drop_vars("member", errors="ignore").expand_dims("time")
    return system.observe(series, truth["time"].values)


def score_table(ensembles: dict[str, xr.Dataset], truth: xr.Dataset, channels: Sequence[str] = CHANNELS) -> xr.Dataset:
    """RMSE of the mean, CRPS and spread/error of ensembles against the truth, dims (experiment, channel).

    An ensemble of one member (climatology, an interpolation) has a CRPS equal to its mean absolute error, and no
    spread.
    """
    names, tables = list(channels), []
    for ensemble in ensembles.values():
        found = scores.grid_scores(ensemble[names], truth[names]).isel(zone=0, drop=True)
        tables.append(scores.averages(found, ensemble.sizes.get("member", 1)))
    return xr.concat(tables, pd.Index(ensembles, name="experiment"))


def combine(tables: Sequence[xr.Dataset]) -> xr.Dataset:
    """One table of several cases: errors and spreads as root mean squares over the cases, CRPS as their mean."""
    cases = xr.concat(tables, dim="case")
    squared = (cases["rmse"] ** 2).mean("case")
    variance = ((cases["spread_skill"] * cases["rmse"]) ** 2).mean("case", skipna=False)
    return xr.Dataset(
        {"rmse": np.sqrt(squared), "crps": cases["crps"].mean("case"), "spread_skill": np.sqrt(variance / squared)}
    )


def as_frame(table: xr.Dataset) -> pd.DataFrame:
    """A score table to read: a row for each channel and score, a column for each experiment."""
    names = {"rmse": "RMSE", "crps": "CRPS", "spread_skill": "spread / error"}
    rows = {}
    for channel in table["channel"].values:
        units = VARIABLES[channel]["units"].replace("1e-3", "psu")
        for score, label in names.items():
            title = (VARIABLES[channel]["long_name"], label if score == "spread_skill" else f"{label} ({units})")
            rows[title] = table[score].sel(channel=channel).values
    return pd.DataFrame.from_dict(rows, orient="index", columns=table["experiment"].values).set_index(
        pd.MultiIndex.from_tuples(rows)
    )


def paired_gain(tables: Sequence[xr.Dataset], better: str, than: str) -> pd.DataFrame:
    """By how much one experiment's RMSE undercuts another's, case by case: mean, least and most, cases won.

    Cases of one ocean are not independent of each other: no standard error is claimed."""
    cases = xr.concat(tables, dim="case")["rmse"]
    gain = (1 - cases.sel(experiment=better) / cases.sel(experiment=than)).transpose("case", "channel").values
    n = len(gain)
    return pd.DataFrame(
        {
            "error reduced by": gain.mean(0),
            "least": gain.min(0),
            "most": gain.max(0),
            f"cases won, of {n}": (gain > 0).sum(0),
        },
        index=[VARIABLES[c]["long_name"] for c in cases["channel"].values],
    )


def climatology_of(analysis: xr.Dataset) -> xr.Dataset:
    """The climatology an analysis assumed, as an ensemble of one, dims (member, latitude, longitude)."""
    one = analysis.isel(member=[0])
    known = [name for name in CHANNELS if name in one]
    return xr.Dataset({name: analysis[f"{name}_climatology"].broadcast_like(one[name]) for name in known})


def sweep(
    prior: Prior | Mapping[str, Prior],
    truth: xr.Dataset,
    altimeters: Sequence[int],
    clouds: Sequence[float],
    channels: Sequence[str] = SURFACE,
    members: int = 16,
    seed: int = 0,
    progress: bool = True,
    fast: bool = True,
    swot: Sequence[bool] = (False,),
    errors: Sequence[float] = (1.0,),
    shown: int = 2,
    folder: Path | None = None,
    **options,
) -> xr.Dataset:
    """Assimilate for every observing system that can be made of the arguments: the frames of an explorer.

    Args:
        prior: one, or several with their names.
        truth: one state, dims (latitude, longitude), with a scalar coordinate `time`.
        altimeters, clouds, swot, errors: as in `observe`. fast, options: passed to `assimilate`.
        channels: also `speed`, of the total current.
        members: of each ensemble. shown: how many of them to keep.
        folder: keep each result here, and go on from what is there. Another prior or truth is told apart; for a
            changed program take another folder.

    Returns:
        maps `truth`, `observations` (NaN where not observed), `mean`, `member_map`, `spread` and scores `mean_spread`,
        `rmse`, `crps`, `spread_skill`, `sparsity` (of sea level, km) and `number` (of observations), of dims (method,
        altimeters, swot, cloud, error, member, channel, latitude, longitude) or some of them; cloud in percent.

    Raises:
        InputError: the truth lacks a channel, or nothing would be observed.
    """
    priors = prior if isinstance(prior, Mapping) else {prior.name: prior}
    truth = with_speed(truth[[c for c in truth.data_vars if c in (*CHANNELS, "uo", "vo")]])
    truth = truth.drop_vars("member", errors="ignore")
    if unknown := [name for name in channels if name not in truth]:
        raise InputError(f"the truth has no {unknown[0]!r}, expected channels among {', '.join(map(str, truth))}")
    grid = Grid(truth["latitude"].values, truth["longitude"].values)
    dials = {
        "method": list(priors),
        "altimeters": list(altimeters),
        "swot": list(swot),
        "cloud": [round(100 * c) for c in clouds],
        "error": list(errors),
    }
    about = {name: _identity(model, truth) for name, model in priors.items()} if folder else {}
    settings = list(product(priors, altimeters, swot, clouds, errors))
    frames, date = np.empty(len(settings), object), truth["time"].values
    for i, setting in enumerate(tqdm(settings, disable=not progress, desc="assimilations")):

        def frame(setting=setting) -> xr.Dataset:
            name, number, swath, cloud, error = setting
            seen = observe(truth, number, cloud, seed, swath, error)
            analysis = assimilate(priors[name], seen, members, seed, southwest(grid), date=date, fast=fast, **options)
            return frame_of(analysis, seen, truth, grid, channels, shown)

        asked = (setting, tuple(channels), members, seed, fast, shown, sorted(options.items()), str(date))
        frames[i] = _kept(folder, (*asked, about[setting[0]]), frame) if folder else frame()
    nested = frames.reshape([len(values) for values in dials.values()]).tolist()
    ds = xr.combine_nested(nested, list(dials), coords="minimal", compat="override", combine_attrs="drop_conflicts")
    ds = ds.assign_coords(dials).transpose(*dials, "channel", "member", ...)
    for name, attrs in TITLES.items():
        ds[name].attrs = attrs
    return ds


TITLES = {
    "method": {"long_name": "Method"},
    "altimeters": {"long_name": "Altimeters"},
    "swot": {"long_name": "SWOT"},
    "cloud": {"long_name": "Cloud cover"},
    "error": {"long_name": "Observation error"},
    "member": {"long_name": "Member"},
    "truth": {"long_name": "Truth"},
    "observations": {"long_name": "Observations"},
    "mean": {"long_name": "Ensemble mean"},
    "member_map": {"long_name": "Member"},
    "spread": {"long_name": "Ensemble spread"},
    "mean_spread": {"long_name": "Spread"},
    "rmse": {"long_name": "Error of the mean (RMSE)"},
    "crps": {"long_name": "CRPS"},
    "spread_skill": {"long_name": "Spread / error", "units": "1"},
    "sparsity": {"long_name": "Mean distance to the nearest sea-level observation", "units": "km"},
    "number": {"long_name": "Observations in the box", "units": ""},
}


def _identity(prior: Prior, truth: xr.Dataset) -> str:
    """A digest of all numbers of a prior and of a true state: another for every other one."""
    total = hashlib.sha256(repr((prior.crossover, prior.inflation, list(truth), *truth.sizes.items())).encode())
    parts = {id(part): part for part in (prior.spectrum, *vars(prior).values()) if isinstance(part, torch.nn.Module)}
    for part in parts.values():
        for tensor in (*part.parameters(), *part.buffers()):
            total.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    for values in (truth["latitude"], truth["longitude"], *truth.values()):
        total.update(np.ascontiguousarray(values).tobytes())
    return total.hexdigest()


def _kept(folder: Path, asked: tuple, compute: Callable[[], xr.Dataset]) -> xr.Dataset:
    """What was computed for the same question before, or what is computed now, and kept."""
    path = folder / f"{hashlib.sha256(repr(asked).encode()).hexdigest()[:16]}.nc"
    if not path.exists():
        with atomic_path(path) as temporary:
            compute().to_netcdf(temporary, engine="h5netcdf")
    with xr.open_dataset(path, engine="h5netcdf") as ds:
        return ds.load()


def with_speed(ds: xr.Dataset) -> xr.Dataset:
    """With the speed of the total current, where that is known."""
    if not {"uo", "vo"} <= set(ds.data_vars):
        return ds
    return ds.assign(speed=np.hypot(ds["uo"], ds["vo"]).assign_attrs(long_name="Current speed", units="m s-1"))


def southwest(grid: Grid) -> dict[str, tuple[float, float]]:
    """The `region` of `assimilate` that is this grid."""
    return {"southwest": (float(grid.longitude[0]), float(grid.latitude[0]))}


def gridded(observations: Observations, grid: Grid, channel: str, like: xr.DataArray) -> xr.DataArray:
    """Observed values at the nearest cells, NaN elsewhere."""
    one = observations.select(observations.channel == channel)
    cells = np.full(grid.shape, np.nan, "f4")
    cells[grid.nearest(one.latitude, one.longitude)] = one.value
    return like.copy(data=cells)


def frame_of(
    analysis: xr.Dataset,
    observations: Observations,
    truth: xr.Dataset,
    grid: Grid,
    channels: Sequence[str],
    shown: int,
) -> xr.Dataset:
    """The maps and scores of one setting of `sweep`, dims (channel, …); `shown` members are kept."""
    analysis, parts = with_speed(analysis), []
    about = {"sparsity": sparsity(observations, grid), "number": len(observations)}
    for name in channels:
        # The region's coordinates equal the truth's up to rounding; use the truth's.
        field = analysis[name].assign_coords(latitude=truth["latitude"], longitude=truth["longitude"])
        mean, true = field.mean("member"), truth[name]
        members = field.isel(member=slice(shown)).assign_coords(member=1 + np.arange(min(shown, field.sizes["member"])))
        maps = {
            "truth": true,
            "observations": gridded(observations, grid, name, true),
            "mean": mean,
            "member_map": members,
            "spread": field.std("member", ddof=1),
        }
        measures = {
            "mean_spread": scores.spread(field),
            "rmse": scores.rmse(mean, true),
            "crps": scores.crps(field, true),
            "spread_skill": scores.spread_skill_ratio(field, true),
        }
        parts.append(xr.Dataset(maps | measures | about).drop_vars("time", errors="ignore").astype("f4"))
    return xr.concat(parts, dim="channel", coords="minimal", compat="override").assign_coords(channel=list(channels))
