"""The observing system experiment judged: by drifters and an altimeter that no analysis has seen.

    products = currents(archive, folder)                     # every method's current, and those of the maps
    judged = against_drifters(products, archive)

Products without an ensemble are scored as delivered and dressed (`verify.dress`): what is said of CRPS rests on the
latter. The truth, where there is one, is asked by `against_truth` alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from ...errors import InputError
from ...ocean.currents import coriolis, wind_stress
from ...ocean.trajectories import HOUR
from ...prior import load_prior
from ...sources import Archive, load_sample, open_product
from ...sources.archive import TWIN
from ...sources.files import Box
from ...sources.reanalysis import read_winds
from .. import scores
from ..engine import CLIMATOLOGY, GENDA, OI, OURS, OURS_FAST, REGRESSION
from ..table import less, pick, pivot, row, tidy
from . import drifters as against
from .drifters import (
    METRICS,
    Scorecard,
    cross_fitted,
    dressed,
    observation_error,
    rank_counts,
    running_mean,
    scorecard,
    segments,
    steepness,
)
from .experiment import BOX, KEPT, open_results, result_path
from .tracks import along_track, along_track_resolution, rmse_score

L4, GEOSTROPHIC, EKMAN = "L4", "L4 geostrophic", "L4 geostrophic + Ekman"
MEMBER, WITHOUT = f"{OURS}, one member", f"{OURS}, without residual current"
FIRST = CLIMATOLOGY, L4, GEOSTROPHIC, EKMAN, OI, REGRESSION, GENDA, OURS_FAST, OURS, MEMBER, WITHOUT
AS_MADE = tuple(dict.fromkeys((*FIRST, *KEPT)))
ORDER = tuple(name for one in AS_MADE for name in (one, dressed(one)))
IN_WORDS = KEPT | {MEMBER: "ours, one member", WITHOUT: "ours, without residual current"}  # of rows
PARTS = (MEMBER, WITHOUT)  # of our own analysis: to learn from, not to beat
REGIONS = {  # south, north, west, east (degrees)
    "north of 39.5 N": (39.5, 90.0, -180.0, 180.0 - 1e-9),
    "36.5 to 39.5 N": (36.5, 39.5, -180.0, 180.0 - 1e-9),
    "south of 36.5 N": (-90.0, 36.5, -180.0, 180.0 - 1e-9),
}
# What judges, the label `case` of rows: hourly velocities of drifters with a drogue, means over a day, drifters with
# and without a drogue, an altimeter, the twin's truth.
HOURLY, DAILY, UNDROGUED = "hourly", "24-hour means", "with undrogued"
ALTIMETER, TRUTH = "withheld altimeter", "truth"
COMPARED = ("vector_error", "crps")  # of ours and each other
SPREAD = ("crps", "spread_skill")  # what a product has another of once it is dressed
TRUE = ("zos", "thetao", "so", "uo", "vo")  # the truth's channels
NEARLY_ONE = {"lowest": 0.9, "highest": 1.1}  # of spread over error
CLASSES = 4  # of each of two features, of the errors at all points of a map
SHORTEST = 10.0  # days, of a segment; GenDA's
MAPPED_STEPS = {"uo": 5e-3, "vo": 5e-3, "zos": 2e-3, "spread": 5e-3}  # of integers in the file of `summary_maps`
SEGMENT = 800e3  # m, of the tracks that spectra are taken of; a pass crosses the box in 1,000 km


def currents(archive: Archive, folder: Path, names: Sequence[str] | None = None) -> dict[str, xr.Dataset]:
    """Currents of all that is to be judged: name -> `uo`, `vo` (m s-1), dims ([member,] time, latitude, longitude).

    Args:
        folder: of `genda ose`. names: of methods; by default those of which there are results.

    Raises:
        InputError: there are no results, they were made with another altimeter withheld than the archive has, or see
            `mapped_currents`.
    """
    names = names if names is not None else methods_in(folder)
    if not names:
        raise InputError(f"{folder}: no analyses, expected those that `genda ose` writes")
    found = {name: open_results(folder, name, ("uo", "vo")) for name in names}
    for name, one in found.items():
        if (withheld := one.attrs.get("withheld", archive.withheld)) != archive.withheld:
            raise InputError(f"{folder}: {name} was made with {withheld} withheld, expected {archive.withheld}")
    longest = max(found.values(), key=lambda one: one.sizes["time"])
    found |= mapped_currents(archive, longest["time"].values, box_of(longest))
    if OURS in found:
        found[MEMBER] = found[OURS].isel(member=0, drop=True)
        residual = open_results(folder, OURS, ("u_ageo_eddy", "v_ageo_eddy"))
        less = {"uo": found[OURS]["uo"] - residual["u_ageo_eddy"], "vo": found[OURS]["vo"] - residual["v_ageo_eddy"]}
        found[WITHOUT] = xr.Dataset(less)
    return {name: found[name] for name in ORDER if name in found}


def methods_in(folder: Path) -> list[str]:
    """The methods of which a folder has results."""
    return [name for name in KEPT if any(result_path(folder, name, "2000-01-01").parent.glob("*.nc"))]


def box_of(product: xr.Dataset | xr.DataArray) -> Box:
    """West, east, south and north of a product's grid (degrees)."""
    return tuple(float(product[dim][end]) for dim in ("longitude", "latitude") for end in (0, -1))


def mapped_currents(archive: Archive, days: np.ndarray, box: Box = BOX) -> dict[str, xr.Dataset]:
    """The geostrophic current of mapped sea level, and with the Ekman current of the day's wind added.

    Raises:
        InputError: there is no map of a day, or no wind.
    """
    level = mapped_level(archive, days, box)
    balanced = xr.Dataset({"uo": level["ugos"], "vo": level["vgos"]})
    winds, dates = read_winds(archive.files("winds")), level["time"].values.astype("datetime64[D]")
    if len(without := np.setdiff1d(dates, winds["time"].values.astype("datetime64[D]"))):
        raise InputError(f"{archive.folder}: no wind on {without[0]}, expected one of every day of mapped sea level")
    winds = winds.sel(time=dates.astype("datetime64[ns]")).assign_coords(time=level["time"]).load()
    ends = {"fill_value": "extrapolate"}  # the outermost half cell
    winds = winds.interp(latitude=level["latitude"], longitude=level["longitude"], kwargs=ends)
    response = xr.DataArray(load_prior().standardizer.ekman_at(level["latitude"].values), dims="latitude")
    drift = response * wind_stress(winds["uas"] + 1j * winds["vas"])
    driven = xr.Dataset({"uo": balanced["uo"] + drift.real, "vo": balanced["vo"] + drift.imag})
    return {GEOSTROPHIC: balanced, EKMAN: driven}


def mapped_level(archive: Archive, days: np.ndarray, box: Box = BOX) -> xr.Dataset:
    """The maps of sea level (L4) of some days: `zos` (m), `ugos`, `vgos` (m s-1).

    Raises:
        InputError: there is no map of a day.
    """
    maps = [archive.sea_level(day, box) for day in days]
    # A map of midnight is another time than one of noon: each is taken at its own.
    level = xr.concat(maps, "time", data_vars="minimal", coords="minimal", join="exact", combine_attrs="override")
    return level.drop_duplicates("time").sortby("time")


class Judged(NamedTuple):
    """What the drifters say: `card`, of hourly velocities with a drogue; `filtered`, of 24-hour means; `everyone`, of
    drifters with and without a drogue; `by_speed`, `by_region`; `ranks` of our members; `error`, of the observations;
    `drifters`, the segments."""

    card: Scorecard
    filtered: Scorecard
    everyone: Scorecard
    by_speed: Scorecard
    by_region: Scorecard
    ranks: xr.DataArray | None
    error: float
    drifters: xr.Dataset


def against_drifters(
    products: Mapping[str, xr.Dataset], archive: Archive, samples: int = 1000, seed: int = 0, box: Box = BOX
) -> Judged:
    """Score currents by GenDA's protocol: flags, segments without gaps above an hour, of ten days or more.

    Drifters that have lost their drogue slip in the wind; GenDA's protocol keeps them, `everyone` too, the others not.

    Raises:
        InputError: no drifter is where and when there are analyses.
    """
    long = segments(archive.drifters(box, drogued=True), shortest=SHORTEST)
    if not long.sizes["obs"]:
        raise InputError(f"{archive.folder}: no drifter reports for {SHORTEST:g} days without a gap in the box {box}")
    error = observation_error(long)
    smooth, every = running_mean(long), segments(archive.drifters(box), shortest=SHORTEST)
    left = error_of_means(long, error)

    without = [name for name, one in products.items() if "member" not in one.dims and name not in PARTS]

    def score(drifters: xr.Dataset, error: float, groups=None, without=()) -> Scorecard:
        return scorecard(products, drifters, error, groups, samples, seed, without)

    return Judged(
        score(long, error, without=without),
        score(smooth, left, without=without),
        score(every, error, without=without),
        score(long, error, against.speed_classes(long)),
        score(long, error, against.regions(long, REGIONS)),
        rank_counts(products[OURS], inside(long, products[OURS]), error, seed) if OURS in products else None,
        error,
        long,
    )


def inside(drifters: xr.Dataset, product: xr.Dataset) -> xr.Dataset:
    """The observations in the time of a product, without regard to trajectories."""
    time = drifters["time"].values
    return drifters.isel(obs=np.flatnonzero((time >= product["time"].values[0]) & (time <= product["time"].values[-1])))


def error_of_means(drifters: xr.Dataset, error: float, hours: int = 24) -> float:
    """Observation error of a running mean: what is left of inertial motion by a mean over so many hours.

    A mean of a motion of frequency f over H hours keeps |sin(f H / 2) / (f H / 2)| of it: 17 % at 38 degrees.
    """
    half = float(coriolis(np.abs(drifters["latitude"]).mean())) * hours * HOUR / 2
    return error * abs(np.sin(half) / half)


class Separation(NamedTuple):
    """How far synthetic drifters are from real ones: `mean` (product, day), km, with `low` and `high` of the 95 %
    interval; `less`, the same of ours less another's; `stayed` (day,), of one that does not move; `starts`."""

    mean: xr.Dataset
    less: xr.Dataset
    stayed: np.ndarray
    starts: int


def separated(products: Mapping[str, xr.Dataset], drifters: xr.Dataset, samples: int = 1000, seed: int = 0):
    """Separation of synthetic from real trajectories after 1 to 5 days, of mean currents; drifters are resampled.

    Raises:
        InputError: see `verify.drifters.separation`.
    """
    means = {n: p.mean("member") if "member" in p.dims else p for n, p in products.items()}
    found = against.separation(means, drifters)
    ids, which = np.unique(found["drifter"].values, return_inverse=True)
    apart = found["separation"].values / 1e3  # (product, start, day)
    sums = np.stack([apart[:, which == k].sum(1) for k in range(len(ids))], 1)  # (product, drifter, day)
    drawn, dims = scores.bootstrap_counts(len(ids), samples, seed), ("sample", "product", "day")
    resampled = np.einsum("sk,pkd->spd", drawn, sums) / (drawn @ np.bincount(which))[:, None, None]
    coords = {"product": list(means), "day": found["day"].values}

    def limits(values: np.ndarray, sample: np.ndarray) -> xr.Dataset:
        ends = scores.bootstrap_interval(xr.DataArray(sample, coords, dims)).to_dataset("bound")
        return ends.assign(value=(dims[1:], values))

    mean, own = apart.mean(1), list(means).index(OURS) if OURS in means else 0
    gained = limits(mean[own] - mean, resampled[:, own : own + 1] - resampled)
    stayed = found["displacement"].values.mean(0) / 1e3
    return Separation(limits(mean, resampled), gained, stayed, found.sizes["start"])


def against_altimeter(archive: Archive, folder: Path, names: Sequence[str] | None = None) -> pd.DataFrame:
    """Sea level at the withheld altimeter: RMSE (m), the challenge's score (mu, sigma), effective resolution (km).

    Returns:
        a row a method and one of the mapped product (L4), with how many points; NaN where no track is long enough.
    """
    rows, levels = {}, {}
    for name in names if names is not None else methods_in(folder):
        zos = open_results(folder, name, ("zos",))["zos"]
        levels[name] = zos.mean("member") if "member" in zos.dims else zos
    longest = max(levels.values(), key=lambda one: one.sizes["time"])
    box = box_of(longest)
    track = archive.withheld_track(box)
    levels[L4] = mapped_level(archive, longest["time"].values, box)["zos"]
    for name, zos in levels.items():
        found = along_track(zos, track)
        score = rmse_score(found)
        try:
            resolution = float(along_track_resolution(found, SEGMENT)["resolution"]) / 1e3
        except InputError:
            resolution = np.nan
        difference = found["analysed"] - found["observed"]
        rows[name] = {
            "RMSE (m)": float(np.sqrt((difference**2).mean())),
            "score": float(score["mu"]),
            "its standard deviation": float(score["sigma"]),
            "resolves (km)": resolution,
            "points": found.sizes["point"],
        }
    return pd.DataFrame(rows).T.rename_axis("method")


def against_truth(folder: Path, archive: Archive, names: Sequence[str] | None = None) -> pd.DataFrame | None:
    """Methods, and mapped sea level (L4) with its currents, against the twin's truth; None if there is none.

    Sea level is compared up to a constant: the products' reference is not the model's. The CRPS of a product without an
    ensemble is its mean absolute error. `dressed`, it gets a Gaussian spread by classes of its own value and gradient
    (of a current: speed and gradient). The spread of each half of the days is fitted on the other half. Days close to
    the middle are alike in both, which favours the product.

    Returns:
        a row a product, columns `MEASURES`: RMSE, CRPS, spread/skill and the shape of the rank histogram of each
        channel, and on how many days its RMSE is below ours; NaN for what a product has not.

    Raises:
        InputError: see `open_results`, `mapped_currents`.
    """
    truth = truth_of(archive)
    if truth is None:
        return None
    names, rows, daily = names or methods_in(folder), {}, {}
    for name, channel, field, true in fields_and_truths(folder, archive, names, truth):
        found, mse = truth_scores(field, true)
        rows.setdefault(name, {}).update({f"{channel}{words}": value for words, value in found.items()})
        daily[name, channel] = mse
        if "member" not in field.dims and field.sizes["time"] > 1:
            worn = dressed_scores(field, true)
            rows.setdefault(dressed(name), {}).update({f"{channel}{words}": value for words, value in worn.items()})
    for (name, channel), mse in daily.items():
        rows[name]["days"] = int(mse.notnull().sum())
        if name != OURS and (OURS, channel) in daily:
            rows[name][f"{channel}, days ahead of ours"] = int((mse < daily[OURS, channel]).sum())
    return pd.DataFrame({name: rows[name] for name in ORDER if name in rows}).T.rename_axis("product")


def truth_of(archive: Archive) -> xr.Dataset | None:
    """The truth of a twin: the embedded one's, or what `data_samples/make_twin.py` laid beside another's files."""
    if archive.folder.resolve() == TWIN.resolve():
        return load_sample("twin_truth")
    if not archive.has("truth"):
        return None
    with open_product(archive.files("truth")[0]) as ds:
        return ds.load()


def fields_and_truths(
    folder: Path, archive: Archive, names: Sequence[str], truth: xr.Dataset
) -> Iterator[tuple[str, str, xr.DataArray, xr.DataArray]]:
    """Name, channel, field and truth, of methods and then of maps (L4), on the methods' days and grid."""
    first, on = None, {}
    for name in names:
        found = open_results(folder, name, TRUE).dropna("time", how="all")
        first = found if first is None or found.sizes["time"] > first.sizes["time"] else first
        # Two ways of counting one grid differ by rounding; arithmetic would drop the points that do.
        on[name] = {dim: found[dim] for dim in scores.GRID}
        here = truth.sel(time=found["time"]).reindex(on[name], method="nearest", tolerance=1e-6)
        yield from ((name, channel, found[channel], here[channel]) for channel in TRUE)
    days, place = first["time"], {dim: first[dim] for dim in scores.GRID}
    here = truth.sel(time=days).reindex(place, method="nearest", tolerance=1e-6)
    level = mapped_level(archive, days.values, box_of(first))
    mapped = {L4: level[["zos"]]} | mapped_currents(archive, days.values, box_of(first))
    for name, product in mapped.items():
        if product.sizes["time"] > 1:  # at midnight, say
            product = product.interp(time=days)
        product = product.interp(place, kwargs={"fill_value": "extrapolate"})
        yield from ((name, str(channel), product[channel], here[channel]) for channel in product)


def truth_scores(field: xr.DataArray, true: xr.DataArray) -> tuple[dict[str, float], xr.DataArray]:
    """What a product of one channel scores, by the words of `MEASURES`; and the mean squared error of each day."""
    members = field.sizes.get("member", 1)
    mean = field.mean("member") if "member" in field.dims else field
    if true.name == "zos":
        field = field - (mean - true).mean()
    tables, ranks = [], 0
    for day in range(true.sizes["time"]):  # all of them at once take gigabytes
        one, that = field.isel(time=day).to_dataset(name="x"), true.isel(time=day).to_dataset(name="x")
        tables.append(scores.grid_scores(one, that).sel(channel="x", zone="all"))
        ranks = ranks + scores.rank_histogram(one["x"], that["x"]) if members > 1 else None
    table = xr.concat(tables, true["time"])
    found = {n: float(v) for n, v in scores.averages(table, members, "time").items()}
    words = {"": found["rmse"], ", CRPS": found["crps"]}
    if members > 1:
        shares = ranks / ranks.sum()
        outside = float(shares[[0, -1]].sum()) * (members + 1) / 2
        words |= {", spread/skill": found["spread_skill"], ", outside": outside}
        words |= {", ranks": float(scores.rank_distance(shares))}
    return words, table["mse"]


def dressed_scores(field: xr.DataArray, true: xr.DataArray) -> dict[str, float]:
    """CRPS and spread/skill of a product of one channel once it has a spread, by the words of `MEASURES`."""
    field = field.transpose(*true.dims)
    departures = field - true
    if true.name == "zos":
        departures = departures - departures.mean()
    half = np.broadcast_to((np.arange(true.sizes["time"]) < true.sizes["time"] // 2)[:, None, None], true.shape)
    known = np.isfinite(departures.values)
    features = {"value": field.values[known], "gradient": steepness(field).values[known]}
    sigma = cross_fitted(departures.values[known], features, half[known], CLASSES)
    error = xr.DataArray(departures.values[known], dims="point")
    crps = scores.observed_crps(error.expand_dims("member"), 0.0 * error, xr.DataArray(sigma, dims="point"))
    return {", CRPS": float(crps), ", spread/skill": float(np.sqrt((sigma**2).mean() / (error**2).mean()))}


# --- Tables and rows -------------------------------------------------------------------------------------------------


def split_of(card: Scorecard, metric: str = "vector_error") -> pd.DataFrame:
    """A measure by group, and how many hours and drifters each has."""
    frame = card.value[metric].to_pandas()
    counts = card.value[["observations", "drifters"]].to_dataframe().T
    return pd.concat([frame, counts.loc[["observations", "drifters"], frame.columns]])


def differences(card: Scorecard, metrics: Sequence[str] = COMPARED) -> pd.DataFrame:
    """Ours less every other product: a row each, columns (metric, value / low / high)."""
    rows, known = {}, list(map(str, card.value["product"].values))
    for other in known if OURS in known else ():
        if other != OURS:
            d = card.difference(OURS, str(other)).isel(group=0)
            rows[str(other)] = {(m, str(b)): float(d[m].sel(bound=b)) for m in metrics for b in d["bound"].values}
    return pd.DataFrame(rows).T.rename_axis("ours less")


def figure(value: float, table: str, product: str, words: str, **options) -> dict:
    """A row named in common words, of the current at drifters unless its labels say otherwise; a detail likewise."""
    usual = {"detail": True, "case": HOURLY, "method": product, "channel": "current", "zone": "all"}
    return row(f"{words}, {table}, {IN_WORDS.get(product, product)}", value, **(usual | options))


def rows_of(judged: Judged) -> list[dict]:
    """Figures with their targets, then all others, as rows of `verify.table.row`."""
    rows = []
    for case, card in ((HOURLY, judged.card), (DAILY, judged.filtered)):
        table, found = "ours less another" if case == HOURLY else f"ours less another, {case}", differences(card)
        for other, d in found.iterrows():
            for metric in COMPARED if is_as_made(other) else SPREAD[:1]:
                value, *ends = d[metric][["value", "low", "high"]]
                ends, about = dict(zip(("low", "high"), ends, strict=True)), {"case": case, "method": OURS}
                rows.append(figure(value, table, other, metric, beside=ends, metric=less(metric, other), **about))
                is_unfair = metric == "crps" and dressed(other) in found.index  # to the product as it was delivered
                if case == HOURLY and not is_unfair:
                    words = f"{metric} (m/s), upper end of the 95 % interval of the difference"
                    goal = {} if other in PARTS else {"highest": 0.0}
                    beside = {"difference": value} | ends
                    rows.append(figure(ends["high"], table, other, words, beside=beside, detail=False, **goal, **about))
    for case, card in ((HOURLY, judged.card), (DAILY, judged.filtered), (UNDROGUED, judged.everyone)):
        value, interval = (one.isel(group=0) for one in (card.value, card.interval()))
        for product in map(str, value["product"].values):
            for metric in METRICS if is_as_made(product) else SPREAD:
                ends = {b: float(interval[metric].sel(product=product, bound=b)) for b in ("low", "high")}
                headline = case == HOURLY and product == OURS and metric == "spread_skill"
                found, about = value[metric].sel(product=product), {"case": case, "metric": metric}
                rows.append(figure(found, case, product, metric, beside=ends, detail=not headline, **about))
    for table, card in (("by speed", judged.by_speed), ("by region", judged.by_region)):
        for group in map(str, card.value["group"].values):
            for product in map(str, card.value["product"].values):
                value = card.value["vector_error"].sel(product=product, group=group)
                rows.append(figure(value, table, product, group, zone=group, metric="vector_error"))
    counts = judged.card.value.isel(group=0)
    for name in ("observations", "drifters"):
        rows.append(figure(counts[name], HOURLY, "drifters", name, method="", metric=name))
    name = "observation error (m/s)"
    rows.append(figure(judged.error, HOURLY, "drifters", name, method="", metric="observation_error"))
    if judged.ranks is None:
        return rows
    shares, size = judged.ranks / judged.ranks.sum(), judged.ranks.size
    outside = shares[[0, -1]].sum() * size / 2
    for metric, found in (("rank_distance", scores.rank_distance(shares)), ("outside", outside)):
        rows.append(figure(found, "ranks", OURS, metric, metric=metric))
    ranked = enumerate(size * shares.values)
    return rows + [figure(s, "ranks", OURS, str(k), zone=str(k), metric="rank_share") for k, s in ranked]


def is_as_made(product: str) -> bool:
    """Whether a product is as it was delivered, and not dressed."""
    return product in AS_MADE


MEASURES = {  # columns of tables -> their labels
    "RMSE (m)": {"channel": "zos", "metric": "rmse"},
    "score": {"channel": "zos", "metric": "score"},
    "its standard deviation": {"channel": "zos", "metric": "score_deviation"},
    "resolves (km)": {"channel": "zos", "metric": "along_track_resolution"},
    "points": {"channel": "zos", "metric": "points"},
    "days": {"channel": "", "metric": "days"},
} | {
    f"{c}{words}": {"channel": c, "metric": metric}
    for c in TRUE
    for words, metric in {
        "": "rmse",
        ", CRPS": "crps",
        ", spread/skill": "spread_skill",
        ", outside": "outside",
        ", ranks": "rank_distance",
        ", days ahead of ours": "days_ahead",
    }.items()
}

TRUTHS = {  # metric -> what it says of products against the truth
    "rmse": "RMSE of the mean",
    "crps": "CRPS, of products without an ensemble as delivered (mean absolute error) and dressed",
    "spread_skill": "spread over error of the mean",
    "rank_distance": "share of truths that would have to change rank for the rank histogram to be flat",
    "outside": "how many times as often as promised the truth lies outside all members",
    "days_ahead": "days on which the product's RMSE is below ours",
}


def frame_rows(case: str, frame: pd.DataFrame) -> list[dict]:
    """Every number of the table of `against_altimeter` or `against_truth` as a row; our spread against the truth has a
    target."""
    rows = []
    for product, values in frame.iterrows():
        for column, value in values.dropna().items():
            labels = {"case": case} | MEASURES[column]
            judge = (case, product, labels["metric"]) == (TRUTH, OURS, "spread_skill")
            goal = NEARLY_ONE | {"detail": False} if judge else {}
            rows.append(figure(value, case, str(product), str(column), **labels, **goal))
    return rows


def separation_rows(found: Separation) -> list[dict]:
    """Separations as rows, and ours less the others'; zones are days since the start."""
    table, days = "separation (km)", [f"{day} d" for day in found.mean["day"].values]

    def figures(part: xr.Dataset, title: str, product: str, **labels) -> list[dict]:
        values, low, high = (part[name].sel(product=product).values for name in ("value", "low", "high"))
        return [
            figure(value, title, product, day, beside={"low": a, "high": b}, zone=day, **labels)
            for day, value, a, b in zip(days, values, low, high, strict=True)
        ]

    products, rows = [str(name) for name in found.mean["product"].values], []
    for name in products:
        rows += figures(found.mean, table, name, metric="separation")
    for name in products if OURS in products else ():
        labels = {"method": OURS, "metric": less("separation", name)}
        rows += figures(found.less, f"{table}, ours less another", name, **labels)
    stayed = zip(days, found.stayed, strict=True)
    return rows + [figure(v, table, "none moves", day, zone=day, metric="separation") for day, v in stayed]


def ours_less(frame: pd.DataFrame, metric: str, **labels) -> pd.DataFrame:
    """Ours less each other product: a row each, columns value, low, high.

    Args:
        frame: of `verify.table`. labels: such as `case`.

    Raises:
        InputError: there is no such result.
    """
    names = {less(metric, name): name for name in ORDER}
    here = pick(frame, method=OURS, metric=names, **labels).set_index("metric")[["value", "low", "high"]]
    return here.rename(index=names).rename_axis("ours less")


def current_spread(ensemble: xr.Dataset) -> xr.DataArray:
    """Spread of the total current, sqrt(var u + var v) over the members (m s-1)."""
    spread = np.sqrt(ensemble["uo"].var("member", ddof=1) + ensemble["vo"].var("member", ddof=1))
    return spread.rename("spread").assign_attrs(long_name="Spread of the current", units="m s-1")


def summary_maps(folder: Path, name: str = OURS, every: int = 2) -> xr.Dataset:
    """Maps to look at, small enough to be kept: every second point of the mean current and sea level, and the spread.

    Returns:
        dims (time, latitude, longitude): `uo`, `vo` (m s-1), `zos` (m), and `spread`, sqrt(var u + var v) (m s-1).
    """
    found = open_results(folder, name, ("uo", "vo", "zos"))
    thin = found.isel(latitude=slice(None, None, every), longitude=slice(None, None, every))
    maps = thin.mean("member", keep_attrs=True)
    maps["spread"] = current_spread(thin)
    maps = maps.dropna("time", how="all")  # days that were not analysed
    return maps.transpose("time", "latitude", "longitude").assign_attrs(found.attrs)


def report(archive: Archive, folder: Path, samples: int, seed: int, say, show) -> list[dict]:
    """Judge everything in a folder of `genda ose`, tell it in tables, and give the rows.

    Methods that were run on some days only are compared with the others on these days, in tables of their own.

    Args:
        say: takes a line. show: takes a table, a pandas frame.

    Raises:
        InputError: see `currents` and `against_drifters`.
    """
    days = {name: len(list(result_path(folder, name, "2000-01-01").parent.glob("*.nc"))) for name in methods_in(folder)}
    full = [name for name, count in days.items() if count == max(days.values())]
    few = sorted({count for count in days.values()} - {max(days.values(), default=0)}, reverse=True)
    products = currents(archive, folder, full)
    box = box_of(products[full[0]])
    judged = against_drifters(products, archive, samples, seed, box)
    rows = rows_of(judged)
    show_drifters(tidy(rows), judged, f"{max(days.values())} days", say, show)
    for count in few:
        names = [name for name, held in days.items() if held >= count]
        part = against_drifters(currents(archive, folder, names), archive, samples, seed, box)
        more, note = rows_of(part), f"{count} days"
        show_drifters(tidy(more), part, f"{count} of these days", say, show, short=True)
        rows += [one | {"name": f"{one['name']}, {note}", "date": note, "detail": True} for one in more]
    if max(days.values()) > 6:
        try:
            apart = separated(products, judged.drifters, samples, seed)
        except InputError as nothing:
            say(f"\nSeparation of drifters: {nothing}")
        else:
            say(f"\nSeparation of synthetic from real drifters (km) by days, {apart.starts} starts\n")
            made = separation_rows(apart)
            show(pivot(pick(tidy(made), metric="separation"), columns="zone").rename_axis("product"))
            rows += made
    say(f"\nAt the withheld altimeter ({archive.withheld})\n")
    try:
        altimeter = against_altimeter(archive, folder, full)
    except InputError as nothing:  # of a few days it may not have passed
        say(str(nothing))
    else:
        show(altimeter)
        rows += frame_rows(ALTIMETER, altimeter)
    truth = against_truth(folder, archive, full)
    if truth is not None:
        made = frame_rows(TRUTH, truth)
        for metric, title in TRUTHS.items():
            if all(one["metric"] != metric for one in made):  # of no ensemble, or without ours
                continue
            say(f"\nAgainst the twin's truth: {title}\n")
            show(pivot(pick(tidy(made), metric=metric), columns="channel").rename_axis("product"))
        rows += made
    return rows


def show_drifters(frame: pd.DataFrame, judged: Judged, title: str, say, show, short: bool = False) -> None:
    """Tables of what the drifters say; `short`: but for the first two.

    Args:
        frame: of the rows of `rows_of`. say, show: as for `report`.
    """
    counts = judged.card.value.isel(group=0)
    say(
        f"\n{title}: {int(counts['observations']):,} hourly velocities of {int(counts['drifters'])} drifters with a "
        f"drogue, observation error {judged.error:.3f} m/s\n"
    )
    titles = {DAILY: "\n24-hour means\n", UNDROGUED: "\nWith undrogued drifters, as in GenDA's protocol\n"}
    for case in (HOURLY,) if short else (HOURLY, DAILY, UNDROGUED):
        if case in titles:
            say(titles[case])
        here = pick(frame, case=case, zone="all", metric=METRICS)
        table, low, high = (pivot(here, bound=bound) for bound in ("value", "low", "high"))
        ends = zip(low["vector_error"], high["vector_error"], strict=True)
        table.insert(1, "95 %", [f"{a:.3f} to {b:.3f}" if np.isfinite(a) else "" for a, b in ends])
        show(table.rename_axis("product"))
        if OURS in table.index and len(table) > 1 and case != UNDROGUED:
            say("\nOurs less each other, with 95 % intervals of resampled drifters (m/s)\n")
            show(pd.concat([ours_less(frame, m, case=case).add_prefix(f"{m}, ") for m in COMPARED], axis=1))
    for kind, card in () if short else (("speed", judged.by_speed), ("region", judged.by_region)):
        say(f"\nVector error (m/s) by {kind}\n")
        show(split_of(card).rename_axis("product"))
