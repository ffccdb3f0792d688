"""Analysed currents against drifters.

    long = segments(good_drifters)                          # GenDA's choice: hourly, unbroken, over ten days
    card = scorecard({"ours": analysis, "geostrophic": map}, long, observation_error(long))
    card.value, card.interval(), card.difference("ours", "geostrophic")

The measures of GenDA's notebook (Martin, Manucharyan & Klein 2025, doi:10.1029/2025MS005063), with three additions.
Probabilistic scores take account of the observations' error. Intervals come from resampling whole drifters, because the
hourly velocities of one drifter are not independent. Products without a spread are given one (`verify.dress`), so that
an ensemble does not win merely by having one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from ...errors import InputError
from ...ocean.currents import coriolis
from ...ocean.trajectories import (
    HOUR,
    SECOND,
    Interpolator,
    advect,
    at_points,
    before,
    distance,
    row_of,
    running_mean,
    segments,
)
from ...sources import ragged_slices
from .. import scores
from ..dress import fit
from ..engine import DRESSED

__all__ = ["Scorecard", "observation_error", "rank_counts", "running_mean", "scorecard", "segments", "separation"]

COMPONENTS = (("uo", "u"), ("vo", "v"))  # of an analysis, and of a drifter
CLASSES = 3  # of each of two features by which a product is dressed: there are some tens of drifters
METRICS = {  # name -> units
    "vector_error": "m s-1",
    "rmse_u": "m s-1",
    "rmse_v": "m s-1",
    "within_45": "1",
    "speed_bias": "m s-1",
    "correlation": "1",
    "crps": "m s-1",
    "spread_skill": "1",
}


def observation_error(drifters: xr.Dataset, hours: int | None = None) -> float:
    """Standard deviation of what a drifter's hourly velocity has and a daily map has not, one component (m s-1).

    It is that of the velocity about its running mean, from the drifters alone: inertial and tidal motion, and noise. A
    mean over one inertial period removes all inertial motion, so the departures hold all of it. A mean over 24 hours at
    38 degrees leaves -17 % of it, and the departures are too large by as much. What persists for days is not counted:
    slip in the wind, eddies smaller than the map's cells.

    Args:
        drifters: hourly segments.
        hours: of the running mean; by default the inertial period at their mean latitude.

    Raises:
        InputError: no segment is as long as the running mean.
    """
    if hours is None:
        latitude = float(np.abs(drifters["latitude"]).mean())
        hours = round(2 * np.pi / coriolis(max(latitude, 5.0)) / HOUR)
    mean = running_mean(drifters, hours)
    if not mean.sizes["obs"]:
        raise InputError(f"no segment has {hours} observations, too few for a running mean")
    sizes = np.repeat(drifters["rowsize"].values, drifters["rowsize"].values)
    middle = (before(drifters) >= hours // 2) & (before(drifters) <= sizes - hours + hours // 2)
    departures = [drifters[name].values[middle] - mean[name].values for name in ("u", "v")]
    return float(np.sqrt(np.mean(np.square(departures))))


@dataclass(frozen=True)
class Scorecard:
    """Measures of several products against the same observations.

    Attributes:
        value: one variable a measure (`METRICS`), dims (product, group); `observations` and `drifters` count.
        resampled: the same of resampled drifters, dims (sample, product, group).
    """

    value: xr.Dataset
    resampled: xr.Dataset

    def interval(self, level: float = 0.95) -> xr.Dataset:
        """Bootstrap percentile intervals, dims (bound, product, group)."""
        return scores.bootstrap_interval(self.resampled, level)

    def difference(self, product: str, other: str, level: float = 0.95) -> xr.Dataset:
        """A product's measures less another's, dims (bound, group), `bound` being value, low and high.

        The same drifters are drawn for both, so that what makes an hour hard for either cancels: an interval without
        zero tells them apart even where their own intervals overlap.

        Raises:
            InputError: there is no such product.
        """
        known = list(self.value["product"].values)
        for name in (product, other):
            if name not in known:
                raise InputError(f"there is no product {name!r}, expected one of {', '.join(known)}")
        names = list(METRICS)
        value, samples = (
            (part[names].sel(product=product, drop=True) - part[names].sel(product=other, drop=True)).assign_attrs({})
            for part in (self.value, self.resampled)
        )
        return xr.concat([value.expand_dims(bound=["value"]), scores.bootstrap_interval(samples, level)], "bound")


def scorecard(
    products: Mapping[str, xr.Dataset],
    drifters: xr.Dataset,
    error: float,
    groups: np.ndarray | None = None,
    samples: int = 1000,
    seed: int = 0,
    without_spread: Sequence[str] = (),
) -> Scorecard:
    """Score analyses, interpolated to drifters in space and time, where all of them have a current.

    Over the observations, with a = (ua, va) the ensemble mean and o = (u, v) the drifter's velocity:

        vector_error = mean |a - o|;  rmse_u, rmse_v
        within_45: share of the angles between a and o of at most 45 degrees
        speed_bias = mean |a| - mean |o|, which is negative for a smooth mean of a good ensemble
        correlation: of the vectors, sum a'.o' / sqrt(sum |a'|^2 sum |o'|^2), ' for less the mean; the real part of the
            complex correlation (Kundu 1976)
        crps: `observed_crps`, mean of both components
        spread_skill = sqrt((((M+1)/M) mean variance + error^2) / mean square of a - o), over both components; 1 if the
            ensemble's spread and the observations' error together are as large as the departures. Without members the
            spread is zero: that is the product as delivered.

    Kundu, P. K. (1976), Ekman veering observed near the ocean bottom,
    doi:10.1175/1520-0485(1976)006<0238:EVONTO>2.0.CO;2.

    Args:
        products: name -> `uo`, `vo` (m s-1), dims ([member,] time, latitude, longitude).
        drifters: ragged array with `u`, `v` (m s-1), such as `segments` or `running_mean` give; segments with the same
            `id` are resampled together.
        error: standard deviation of a component of the drifters' velocities (m s-1), `observation_error` say.
        groups: (obs,) labels by which to split, `speed_classes` or `regions` for example.
        samples: of the bootstrap. seed: of it. Drifters caught in one eddy are not independent, either: where many are,
            the intervals are too narrow.
        without_spread: products without members, which are scored a second time, `dressed`: as N(a, sigma^2) of what is
            observed. Classes of the analysed speed and of the norm of the current's gradient give sigma. Each half of
            the drifters gets the sigma that was fitted on the other half. A single drifter has no other half: nothing
            is dressed.

    Raises:
        InputError: no products, one that cannot be interpolated, or no observation where all have a current.
    """
    if not products:
        raise InputError("there are no products to score, expected at least one")
    found = {name: at_points(product, drifters) for name, product in products.items()}
    steep = {
        name: at_points(steepness(products[name]["uo"], products[name]["vo"]).to_dataset(name="s"), drifters, ("s",))
        for name in without_spread
    }
    usable = np.isfinite(drifters["u"].values) & np.isfinite(drifters["v"].values)
    for one in found.values():
        for name, _ in COMPONENTS:
            usable &= np.isfinite(one[name].transpose(..., "obs").values).reshape(-1, len(usable)).all(0)
    if not usable.any():
        raise InputError(
            f"none of the {usable.size} observations of drifters lies where and when all products have a current"
        )
    groups = np.full(usable.size, "all") if groups is None else np.asarray(groups)
    labels, group = np.unique(groups[usable], return_inverse=True)
    ids, drifter = np.unique(drifters["id"].values[row_of(drifters)][usable], return_inverse=True)

    def summed(terms: dict[str, np.ndarray]) -> xr.Dataset:
        cell, size = drifter * len(labels) + group, len(ids) * len(labels)
        dims, shape = ("drifter", "group"), (len(ids), len(labels))
        return xr.Dataset({n: (dims, np.bincount(cell, t, size).reshape(shape)) for n, t in terms.items()})

    here, terms = drifters.isel(obs=usable), {}
    for name, one in found.items():
        one = one.isel(obs=usable)
        terms[name] = _terms(one, here, error)
        if name in steep and len(ids) > 1:
            departures = np.stack([one[a].values - here[o].values for a, o in COMPONENTS])
            unknown = np.nan_to_num(steep[name]["s"].values[usable], nan=np.inf)  # beside a gap
            features = {"speed": np.hypot(one["uo"], one["vo"]).values, "gradient": unknown}
            sigma = cross_fitted(departures, features, halves(len(ids))[drifter])
            terms[dressed(name)] = _terms(one, here, error, sigma)
    sums = xr.concat([summed(one) for one in terms.values()], "product").assign_coords(
        product=list(terms), group=labels
    )
    drawn = scores.bootstrap_counts(len(ids), samples, seed)
    weights = xr.DataArray(drawn.astype(float), dims=("sample", "drifter"))
    value = _measures(sums.sum("drifter"))
    value["observations"] = sums["count"].isel(product=0, drop=True).sum("drifter").astype(int)
    value["drifters"] = (sums["count"].isel(product=0, drop=True) > 0).sum("drifter")
    return Scorecard(value, _measures(sums.map(lambda one: weights.dot(one))))


def dressed(name: str) -> str:
    """What a product is called once it has been given a spread."""
    return f"{name}, {DRESSED}"


def steepness(*fields: xr.DataArray) -> xr.DataArray:
    """Norm of the horizontal gradients of some fields together (units per degree)."""
    return np.sqrt(sum(field.differentiate(dim) ** 2 for field in fields for dim in scores.GRID))


def halves(count: int) -> np.ndarray:
    """A half of some units, drawn once and for all: no one can choose the luckier draw, (count,) bool."""
    return np.random.default_rng(0).permutation(count) < count // 2


def cross_fitted(
    departures: np.ndarray, features: Mapping[str, np.ndarray], half: np.ndarray, number: int = CLASSES
) -> np.ndarray:
    """Deviations of departures by classes of features, (n,): those of either half are fitted on the other half.

    Args:
        departures: (..., n), of what is observed, so that its error is in the deviations, too. features: (n,) each.
        half: (n,) bool. number: of classes of each feature.

    Raises:
        InputError: a half is empty, or see `verify.dress.fit`.
    """
    sigma = np.empty(half.shape)
    for part in (half, ~half):
        known = departures[..., ~part]
        fitted = fit(known, {n: np.broadcast_to(f[~part], known.shape) for n, f in features.items()}, number=number)
        sigma[part] = fitted(**{name: values[part] for name, values in features.items()})
    return sigma


def _terms(
    analysis: xr.Dataset, drifters: xr.Dataset, error: float, sigma: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """What each observation adds to the sums from which `_measures` are made, (obs,) each.

    `sigma`: (obs,), of what is observed, of a product without members that has been given a spread.
    """
    terms = {"count": np.ones(drifters.sizes["obs"])}
    means, members = [], analysis.sizes.get("member", 1)
    terms["crps"], terms["variance"] = np.zeros_like(terms["count"]), np.zeros_like(terms["count"])
    if sigma is not None:
        terms["variance"] = 2 * (sigma**2 - error**2)
    blurred = error if sigma is None else xr.DataArray(sigma, dims="obs")
    for name, observed in COMPONENTS:
        field = analysis[name] if "member" in analysis[name].dims else analysis[name].expand_dims("member")
        means.append(field.mean("member").values)
        terms["crps"] += 0.5 * scores.observed_crps(field, drifters[observed], blurred, dim=()).values
        if members > 1:
            terms["variance"] += (members + 1) / members * field.var("member", ddof=1).values
    a, o = means[0] + 1j * means[1], drifters["u"].values + 1j * drifters["v"].values
    terms |= {"error": np.abs(a - o), "square_u": (a - o).real ** 2, "square_v": (a - o).imag ** 2}
    turned = a * o.conj()
    terms["within"] = (turned.real >= np.abs(turned.imag)).astype(float)  # |angle| <= 45 degrees
    terms |= {"speed": np.abs(a), "observed_speed": np.abs(o), "dot": turned.real}
    terms |= {"a_u": a.real, "a_v": a.imag, "o_u": o.real, "o_v": o.imag, "a_a": np.abs(a) ** 2, "o_o": np.abs(o) ** 2}
    terms["noise"] = np.full_like(terms["count"], 2 * error**2)
    return terms


def _measures(sums: xr.Dataset) -> xr.Dataset:
    """The measures of `scorecard` from sums of `_terms`; NaN for a group without observations."""
    m = sums / sums["count"].where(sums["count"] > 0)
    cross = m["dot"] - m["a_u"] * m["o_u"] - m["a_v"] * m["o_v"]
    spread_a, spread_o = (m[f"{x}_{x}"] - m[f"{x}_u"] ** 2 - m[f"{x}_v"] ** 2 for x in "ao")
    square = m["square_u"] + m["square_v"]
    measures = {
        "vector_error": m["error"],
        "rmse_u": np.sqrt(m["square_u"]),
        "rmse_v": np.sqrt(m["square_v"]),
        "within_45": m["within"],
        "speed_bias": m["speed"] - m["observed_speed"],
        "correlation": cross / np.sqrt(spread_a * spread_o),
        "crps": m["crps"],
        "spread_skill": np.sqrt((m["variance"] + m["noise"]) / square),
    }
    return xr.Dataset({name: measures[name].assign_attrs(units=units) for name, units in METRICS.items()})


def rank_counts(analysis: xr.Dataset, drifters: xr.Dataset, error: float, seed: int = 0) -> xr.DataArray:
    """Rank histogram of the drifters' velocities among the members, both components together.

    Noise of the observations' error is added to the members: without it a perfect ensemble looks overconfident (Hamill
    2001; Saetra et al. 2004, doi:10.1175/1520-0493(2004)132<1487:EOOEOT>2.0.CO;2).

    Args:
        analysis: `uo`, `vo` (m s-1), dims (member, time, latitude, longitude). drifters, error: as for `scorecard`.

    Returns:
        counts, dims (rank,). Neighbouring hours are not independent, so neither are they.

    Raises:
        InputError: as for `scorecard`, or there are fewer than two members.
    """
    found, rng = at_points(analysis, drifters), np.random.default_rng(seed)
    counts = []
    for name, observed in COMPONENTS:
        noisy = found[name] + error * rng.standard_normal(found[name].shape)
        counts.append(scores.rank_histogram(noisy, drifters[observed], seed=seed))
    return (counts[0] + counts[1]).rename("counts")


def speed_classes(drifters: xr.Dataset, edges: tuple[float, ...] = (0.25, 0.5, 1.0)) -> np.ndarray:
    """Labels by observed speed (m s-1), (obs,), for `scorecard`.

    An observation that was picked for its high speed owes part of this speed to chance. So every product looks too slow
    there, and too fast where speeds are low. Compare products within a class, and not one class with another.
    """
    bounds = [*edges, np.inf]
    speed = np.hypot(drifters["u"].values, drifters["v"].values)
    names = [f"{low:g}-{high:g} m/s" for low, high in zip([0.0, *edges[:-1]], edges, strict=True)]
    return np.array([*names, f"{edges[-1]:g} m/s and more"])[np.searchsorted(bounds[:-1], speed, side="right")]


def regions(drifters: xr.Dataset, boxes: Mapping[str, tuple[float, float, float, float]]) -> np.ndarray:
    """Labels by place, (obs,), for `scorecard`: the first box (south, north, west, east; degrees) that holds it.

    Observations in none are "elsewhere".
    """
    latitude, longitude = drifters["latitude"].values, drifters["longitude"].values
    inside = [
        (latitude >= south) & (latitude <= north) & ((longitude - west) % 360 <= (east - west) % 360)
        for south, north, west, east in boxes.values()
    ]
    return np.select(inside, list(boxes), "elsewhere")


def separation(
    analyses: Mapping[str, xr.Dataset], drifters: xr.Dataset, days: int = 5, every: float = 24.0, length: float = HOUR
) -> xr.Dataset:
    """How far synthetic drifters, started on real ones, are from them after 1, 2, ... days.

    A start counts if the real drifter reports for all these days without a gap, and the synthetic ones of all products
    stay at sea. So slow and central places count for more than they would otherwise.

    Args:
        analyses: name -> `uo`, `vo` (m s-1), dims ([member,] time, latitude, longitude); a member at a time is in
            memory.
        drifters: hourly segments.
        every: hours between starts along a segment. length: of a step of the integration (s), a part of a day.

    Returns:
        `separation` (m), dims (product, start, day), the mean over the members of an ensemble; for the path in its mean
        current, pass the mean. `displacement` (m), dims (start, day): how far the real drifter has moved, which is its
        separation from one that stays. `drifter` (start,): whose start it is. Resample drifters, not starts.

    Raises:
        InputError: an analysis cannot be interpolated, or no start counts.
    """
    time = drifters["time"].values
    starts = []
    lead, between = np.arange(days + 1) * np.timedelta64(1, "D"), np.timedelta64(round(every * 3600), "s")
    for rows in ragged_slices(drifters):
        row = time[rows]
        wanted = np.arange(row[0], row[-1] - lead[-1] + SECOND, between)
        at = np.searchsorted(row, wanted[:, None] + lead)
        exact = (at < len(row)) & (row[np.minimum(at, len(row) - 1)] == wanted[:, None] + lead)
        starts.append(rows.start + at[exact.all(1)])
    where = np.concatenate(starts) if starts else np.empty((0, days + 1), int)  # (start, day)
    latitude, longitude = drifters["latitude"].values[where], drifters["longitude"].values[where]
    steps = round(86400 / length)
    parts = []
    for analysis in analyses.values():
        members = range(analysis.sizes.get("member", 1))
        apart = []
        for m in members:
            one = analysis.isel(member=m) if "member" in analysis.dims else analysis
            current = Interpolator(one)
            seconds = current.seconds(time[where[:, 0]])
            path = advect(current, seconds, latitude[:, 0], longitude[:, 0], days * steps, length)[::steps]
            apart.append(distance(path[..., 0].T, path[..., 1].T, latitude, longitude))
        parts.append(np.mean(apart, 0))
    apart = np.array(parts)[..., 1:]
    stayed = distance(latitude[:, :1], longitude[:, :1], latitude, longitude)[:, 1:]
    counts = np.isfinite(apart).all((0, 2))
    if not counts.any():
        raise InputError(f"no drifter can be followed for {days} days where and when all analyses have a current")
    metres = {"units": "m"}
    return xr.Dataset(
        {
            "separation": (("product", "start", "day"), apart[:, counts], metres),
            "displacement": (("start", "day"), stayed[counts], metres),
            "drifter": ("start", drifters["id"].values[row_of(drifters)[where[counts, 0]]]),
        },
        {"product": list(analyses), "day": np.arange(1, days + 1)},
    )
