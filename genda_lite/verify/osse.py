"""Observing system simulation experiments: the truth is known, the observing system is ours to choose."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from tqdm.auto import tqdm

from ..instruments import Errors
from ..observe import Observations
from ..posterior import assimilate
from ..prior import Prior
from ..state import CHANNELS, VARIABLES, Grid
from ..systems import ObservingSystem, constellation
from . import scores

STANDSTILL = 1.5  # days before, and after, the date for which the true ocean is taken to stand still


def observe(truth: xr.Dataset, altimeters: int = 3, cloud: float = 0.7, seed: int = 0) -> Observations:
    """What altimeters on their orbits and a radiometer under clouds see of one true state, which stands still for the
    three days of altimetry; more altimeters or less cloud only add observations.

    Args:
        truth: dims (latitude, longitude), `zos`, `thetao`, a scalar coordinate `time`.
        altimeters: how many, 0 to 7. cloud: share of the sea hidden, 0..1.

    Raises:
        InputError: another number of altimeters, a cloud share outside 0..1, nothing observed at all.
    """
    still = Errors(variability=0.0)
    system = ObservingSystem(constellation(altimeters), cloud=cloud, window=STANDSTILL, errors=still, seed=seed)
    series = truth[["zos", "thetao"]].drop_vars("member", errors="ignore").expand_dims("time")
    return system.observe(series, truth["time"].values)


def score_table(ensembles: dict[str, xr.Dataset], truth: xr.Dataset, channels: Sequence[str] = CHANNELS) -> xr.Dataset:
    """RMSE of the mean, CRPS and spread/error of ensembles against the truth, dims (experiment, channel).

    An ensemble of one member (climatology, an interpolation) has a CRPS equal to its mean absolute error, and no
    spread.
    """
    rows = []
    for ensemble in ensembles.values():
        for name in channels:
            field, true = ensemble[name], truth[name]
            if field.sizes.get("member", 1) > 1:
                rows.append(
                    (
                        float(scores.rmse(field.mean("member"), true)),
                        float(scores.crps(field, true)),
                        float(scores.spread_skill_ratio(field, true)),
                    )
                )
            else:
                field = field.squeeze(drop=True)
                rows.append((float(scores.rmse(field, true)), float(abs(field - true).mean()), np.nan))
    values = np.array(rows).reshape(len(ensembles), len(channels), 3)
    coords = {"experiment": list(ensembles), "channel": list(channels)}
    names = ("rmse", "crps", "spread_skill")
    return xr.Dataset({n: (("experiment", "channel"), values[..., i]) for i, n in enumerate(names)}, coords)


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
    """By how much one experiment's RMSE undercuts another's, case by case: mean, standard error, cases won."""
    cases = xr.concat(tables, dim="case")["rmse"]
    gain = (1 - cases.sel(experiment=better) / cases.sel(experiment=than)).transpose("case", "channel").values
    n = len(gain)
    return pd.DataFrame(
        {
            "error reduced by": gain.mean(0),
            "standard error": gain.std(0, ddof=1) / np.sqrt(n),
            f"cases won, of {n}": (gain > 0).sum(0),
        },
        index=[VARIABLES[c]["long_name"] for c in cases["channel"].values],
    )


def climatology_of(analysis: xr.Dataset) -> xr.Dataset:
    """The climatology an analysis assumed, as an ensemble of one, dims (member, latitude, longitude)."""
    one = analysis.isel(member=[0])
    return xr.Dataset({name: analysis[f"{name}_climatology"].broadcast_like(one[name]) for name in CHANNELS})


def sweep(
    prior: Prior,
    truth: xr.Dataset,
    altimeters: Sequence[int],
    clouds: Sequence[float],
    channels: Sequence[str] = ("zos", "thetao", "so"),
    members: int = 16,
    seed: int = 0,
    progress: bool = True,
    fast: bool = True,
    **options,
) -> xr.Dataset:
    """Assimilate for every number of altimeters and every cloud share: the frames of an explorer.

    Args:
        truth: one state, dims (latitude, longitude), with a scalar coordinate `time`.
        altimeters, clouds: as in `observe`. fast, options: passed to `assimilate`.

    Returns:
        maps `truth`, `observations` (NaN where not observed), `mean`, `member_1`, `member_2`, `spread` and scores
        `rmse`, `mean_spread`, `spread_skill`, dims (altimeters, cloud, channel[, latitude, longitude]);
        cloud in percent.
    """
    truth = truth[[c for c in truth.data_vars if c in (*CHANNELS, "uo", "vo")]].drop_vars("member", errors="ignore")
    grid = Grid(truth["latitude"].values, truth["longitude"].values)
    settings = [(n, c) for n in altimeters for c in clouds]
    frames = []
    for number, cloud in tqdm(settings, disable=not progress, desc="assimilations"):
        observations = observe(truth, number, cloud, seed)
        analysis = assimilate(
            prior, observations, members, seed, date=truth["time"].values, region=southwest(grid), fast=fast, **options
        )
        frames.append(_frame(analysis, observations, truth, grid, channels))
    percent = [round(100 * c) for c in clouds]
    index = pd.MultiIndex.from_product([list(altimeters), percent], names=["altimeters", "cloud"])
    ds = xr.concat(frames, dim=pd.Index(range(len(frames)), name="setting"))
    ds = ds.assign_coords(xr.Coordinates.from_pandas_multiindex(index, "setting")).unstack("setting")
    ds = ds.transpose("altimeters", "cloud", "channel", ...)
    for name, title in TITLES.items():
        ds[name].attrs = title
    ds["altimeters"].attrs["long_name"] = "Altimeters"
    ds["cloud"].attrs["long_name"] = "Cloud cover"
    return ds


TITLES = {
    "truth": {"long_name": "Truth"},
    "observations": {"long_name": "Observations"},
    "mean": {"long_name": "Ensemble mean"},
    "member_1": {"long_name": "Member 1"},
    "member_2": {"long_name": "Member 2"},
    "spread": {"long_name": "Ensemble spread"},
    "rmse": {"long_name": "Error of the mean (RMSE)"},
    "mean_spread": {"long_name": "Ensemble spread"},
    "spread_skill": {"long_name": "Spread / error", "units": "1"},
}


def southwest(grid: Grid) -> dict[str, tuple[float, float]]:
    """The `region` of `assimilate` that is this grid."""
    return {"southwest": (float(grid.longitude[0]), float(grid.latitude[0]))}


def _gridded(observations: Observations, grid: Grid, channel: str, like: xr.DataArray) -> xr.DataArray:
    """Observed values at the nearest cells, NaN elsewhere."""
    one = observations.select(observations.channel == channel)
    cells = np.full(grid.shape, np.nan, "f4")
    cells[grid.nearest(one.latitude, one.longitude)] = one.value
    return like.copy(data=cells)


def _frame(analysis, observations, truth, grid, channels) -> xr.Dataset:
    parts = []
    for name in channels:
        # The region's coordinates equal the truth's up to rounding; use the truth's.
        field = analysis[name].assign_coords(latitude=truth["latitude"], longitude=truth["longitude"])
        true = truth[name]
        parts.append(
            xr.Dataset(
                {
                    "truth": true,
                    "observations": _gridded(observations, grid, name, true),
                    "mean": field.mean("member"),
                    "member_1": field.isel(member=0, drop=True),
                    "member_2": field.isel(member=1, drop=True),
                    "spread": field.std("member", ddof=1),
                    "rmse": scores.rmse(field.mean("member"), true),
                    "mean_spread": scores.spread(field),
                    "spread_skill": scores.spread_skill_ratio(field, true),
                }
            ).drop_vars(["time", "member"], errors="ignore")
        )
    return xr.concat(parts, dim="channel", coords="minimal", compat="override").assign_coords(channel=list(channels))
