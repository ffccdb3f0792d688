"""Scores of an analysis or an ensemble against the truth, point by point on the same grid.

Each takes xarray objects and averages over the named dimensions `dim`: None averages over all of them, `()` over none
and gives a map. A point counts where the mask `where` is true (everywhere if None) and no value there is missing, in
the truth or in any member; so all scores of one ensemble are those of the same points. Where no point counts the score
is NaN. Everything is computed in float64.

Squared errors and the CRPS of each point are those of the `scores` library (Leeuwenburg et al. 2024,
doi:10.21105/joss.06889).
"""

import warnings
from collections.abc import Hashable, Iterable, Mapping
from typing import TypeVar

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import erf, ndtr
from scores.continuous import mse
from scores.probability import crps_for_ensemble

from ..errors import InputError

Fields = TypeVar("Fields", xr.DataArray, xr.Dataset)
GRID = ("latitude", "longitude")
Dim = str | Iterable[Hashable] | None


def rmse(analysis: Fields, truth: Fields, dim: Dim = None, where: xr.DataArray | None = None) -> Fields:
    """Root-mean-square error, sqrt(mean((analysis - truth)^2)), in the units of the fields.

    Args:
        analysis: any dims. For the error of the ensemble mean pass `ensemble.mean("member")`; with the
            members in place the error is that of single members.
        truth: the same grid.
        dim: dimensions to average over.
        where: true where a point counts.
    Raises:
        InputError: the grids differ.
    """
    analysis, truth, where = _on_one_grid(analysis, truth, where)
    squared = _masked(mse(analysis, truth, preserve_dims="all"), where)
    return _like(np.sqrt(squared.mean(dim)), truth)


def crps(
    ensemble: Fields,
    truth: Fields,
    member_dim: str = "member",
    dim: Dim = None,
    where: xr.DataArray | None = None,
) -> Fields:
    """Fair continuous ranked probability score, in the units of the fields; 0 is best.

    For members x_1 … x_M and truth y

        CRPS = 1/M sum_i |x_i - y|  -  1/(2 M (M-1)) sum_i sum_j |x_i - x_j|.

    With M-1 in place of M in the second term (Ferro 2014) the expected score does not depend on the
    ensemble's size: it estimates what infinitely many members would score. With sorted members the double sum
    is 2 sum_i (2i - M - 1) x_(i), so the cost is that of sorting (Zamo & Naveau 2018).

    Ferro, C. A. T. (2014), Fair scores for ensemble forecasts, doi:10.1002/qj.2270.
    Zamo, M. & Naveau, P. (2018), Estimation of the CRPS with limited information,
    doi:10.1007/s11004-017-9709-7.

    Args:
        ensemble: dims (member, …), at least two members.
        truth: the same grid, without members.
        member_dim: name of the members' dimension.
        dim: dimensions to average over.
        where: true where a point counts.
    Raises:
        InputError: the grids differ, or there are fewer than two members.
    Examples:
        Members on either side of the truth, and members that both lie below it (map of the score):

        >>> import xarray as xr
        >>> from genda_lite.verify.scores import crps
        >>> ensemble = xr.DataArray([[0.1, 0.1], [0.3, 0.3]], dims=("member", "point"))
        >>> truth = xr.DataArray([0.2, 0.5], dims="point")
        >>> crps(ensemble, truth, dim=()).values.round(3)
        array([0. , 0.2])
    """
    _members(ensemble, truth, member_dim)
    ensemble, truth, where = _on_one_grid(ensemble, truth, where)
    ensemble = ensemble - truth  # relative to the truth, so that digits are not lost to a large mean
    points = crps_for_ensemble(ensemble, 0.0 * truth, member_dim, method="fair", preserve_dims="all")
    points = points.where(ensemble.notnull().all(member_dim))  # the library would do without the missing members
    return _like(_masked(points, where).mean(dim), truth)


def observed_crps(
    ensemble: Fields,
    observed: Fields,
    error: float | Fields,
    member_dim: str = "member",
    dim: Dim = None,
    where: xr.DataArray | None = None,
) -> Fields:
    """Fair CRPS against observations that have an error themselves, in the units of the fields.

    What is observed is the truth plus an error; a forecast of it is the ensemble blurred by that error's distribution.
    With the error N(0, error^2) the expectations of the CRPS are those of a mixture of Gaussians (Grimit et al. 2006),

        CRPS = 1/M sum_i A(x_i - y, error)  -  1/(2 M (M-1)) sum_i sum_j!=i A(x_i - x_j, sqrt(2) error),
        A(m, s) = E|N(m, s^2)| = m (2 Phi(m/s) - 1) + 2 s phi(m/s),

    and no noise need be drawn. Scored so, the true distribution is the best one on average; scored as `crps` does,
    one that is too wide by the error is (Ferro 2017). A single member stands for N(x, error^2), whose score it gets
    (Gneiting et al. 2005); without error that is its absolute error. So is a product scored that has a Gaussian spread
    in place of members (`verify.dress`): its deviation is the error, together with that of the observations.

    Ferro, C. A. T. (2017), Measuring forecast performance in the presence of observation error, doi:10.1002/qj.3115.
    Gneiting, T. et al. (2005), Calibrated probabilistic forecasting using ensemble model output statistics and minimum
    CRPS estimation, doi:10.1175/MWR2904.1.
    Grimit, E. P. et al. (2006), The continuous ranked probability score for circular variables and its application to
    mesoscale forecast ensemble verification, doi:10.1256/qj.05.235.

    Args:
        ensemble: dims (member, …), one member or more.
        observed: the same points, without members.
        error: standard deviation of the observations' error, one for all or one for each; where it is missing, no
            point counts.
        member_dim, dim, where: as for `crps`.

    Raises:
        InputError: as for `crps`, or a negative error.
    """
    size = _members(ensemble, observed, member_dim, least=1)
    ensemble, observed, where = _on_one_grid(ensemble, observed, where)
    error = _same_labels(error, ensemble) if isinstance(error, xr.DataArray | xr.Dataset) else xr.DataArray(error)
    lowest = error.to_array().min() if isinstance(error, xr.Dataset) else error.min()
    if not lowest >= 0:
        raise InputError(f"the observations' error is {float(lowest)}, expected a standard deviation of at least 0")

    def score(members, value, error):
        members, error = members - value[..., None], error[..., None]
        total = _folded_mean(members, error).mean(-1)
        if size == 1:
            return total - error[..., 0] / np.sqrt(np.pi)
        for lag in range(1, size):  # every pair once
            pairs = _folded_mean(members[..., lag:] - members[..., :-lag], np.sqrt(2) * error)
            total = total - pairs.sum(-1) / (size * (size - 1))
        return total

    points = xr.apply_ufunc(score, ensemble, observed, error, input_core_dims=[[member_dim], [], []])
    return _like(_masked(points, where).mean(dim), observed)


def _folded_mean(mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """E|N(mean, deviation^2)|."""
    with np.errstate(over="ignore"):  # without deviation it is |mean|
        z = mean / np.maximum(deviation, np.finfo(float).tiny)
        return mean * erf(z / np.sqrt(2)) + deviation * np.sqrt(2 / np.pi) * np.exp(-0.5 * z**2)


def spread(
    ensemble: Fields, member_dim: str = "member", dim: Dim = None, where: xr.DataArray | None = None
) -> Fields:
    """Ensemble spread: the square root of the mean unbiased ensemble variance, in the units of the fields.

    Variances are averaged, not standard deviations, so that the spread compares with `rmse` (Fortin et al.
    2014).

    Args:
        ensemble: dims (member, …), at least two members.
        member_dim: name of the members' dimension.
        dim: dimensions to average over; `()` gives the map of the standard deviation.
        where: true where a point counts.
    Raises:
        InputError: there are fewer than two members, or the mask is on another grid.
    """
    _members(ensemble, None, member_dim)
    ensemble, _, where = _on_one_grid(ensemble, None, where)
    variance = ensemble.var(member_dim, ddof=1, skipna=False)
    return _like(np.sqrt(_masked(variance, where).mean(dim)), ensemble)


def spread_skill_ratio(
    ensemble: Fields,
    truth: Fields,
    member_dim: str = "member",
    dim: Dim = None,
    where: xr.DataArray | None = None,
) -> Fields:
    """Spread over error of the ensemble mean, without units: 1 if calibrated, below 1 if overconfident.

        ratio = sqrt((M+1)/M) spread / RMSE of the mean.

    Let the truth be one more draw from the distribution of the members. The error of the mean of M members then has two
    parts: the truth's own deviation, and the sampling error of the mean. Together they have 1 + 1/M times the variance
    of the members: hence the factor.

    Fortin, V. et al. (2014), Why should ensemble spread match the RMSE of the ensemble mean?,
    doi:10.1175/JHM-D-14-0008.1.

    Args:
        ensemble: dims (member, …), at least two members.
        truth: the same grid, without members.
        member_dim: name of the members' dimension.
        dim: dimensions to average over, in the spread and in the error alike.
        where: true where a point counts.
    Raises:
        InputError: the grids differ, or there are fewer than two members.
    """
    size = _members(ensemble, truth, member_dim)
    ensemble, truth, where = _on_one_grid(ensemble, truth, where)
    variance = ensemble.var(member_dim, ddof=1, skipna=False)
    squared = (ensemble.mean(member_dim, skipna=False) - truth) ** 2
    # Each without the points that the other misses.
    variance, squared = (
        _masked(a, where).where(b.notnull()) for a, b in ((variance, squared), (squared, variance))
    )
    return _like(np.sqrt((size + 1) / size * variance.mean(dim) / squared.mean(dim)), truth, units="1")


def rank_histogram(
    ensemble: Fields,
    truth: Fields,
    member_dim: str = "member",
    dim: Dim = None,
    where: xr.DataArray | None = None,
    seed: int = 0,
) -> Fields:
    """How often the truth ranks 0, 1, … M among the members: flat if calibrated, U-shaped if overconfident.

    The rank is the number of members below the truth; among members equal to it the rank is drawn at random,
    lest bounded or rounded variables look uncalibrated.

    Hamill, T. M. (2001), Interpretation of rank histograms for verifying ensemble forecasts,
    doi:10.1175/1520-0493(2001)129<0550:IORHFV>2.0.CO;2.

    Args:
        ensemble: dims (member, …), at least two members.
        truth: the same grid, without members.
        member_dim: name of the members' dimension.
        dim: dimensions to count over.
        where: true where a point counts.
        seed: of the random ranks.
    Returns:
        counts (int) with the dimension `rank` of size M + 1 last.
    Raises:
        InputError: the grids differ, or there are fewer than two members.
    """
    size = _members(ensemble, truth, member_dim)
    ensemble, truth, where = _on_one_grid(ensemble, truth, where)
    rng = np.random.default_rng(seed)

    def rank(members, value):
        below = (members < value[..., None]).sum(-1)
        ties = (members == value[..., None]).sum(-1)
        missing = np.isnan(members).any(-1) | np.isnan(value)
        return np.where(missing, np.nan, below + rng.integers(0, ties + 1))

    ranks = _masked(xr.apply_ufunc(rank, ensemble, truth, input_core_dims=[[member_dim], []]), where)
    counts = xr.concat([(ranks == r).sum(dim) for r in range(size + 1)], dim="rank")
    counts = counts.assign_coords(rank=np.arange(size + 1)).transpose(..., "rank")
    return _like(counts, truth, units="1")


def gaussian_ranks(mean: Fields, deviation: Fields, truth: Fields, size: int, dim: Dim = None) -> Fields:
    """`rank_histogram` of N(mean, deviation^2): the truth's ranks among `size` quantiles that cut it into equal parts,
    which is the histogram of its probability integral transform (e.g. Gneiting et al. 2007,
    doi:10.1111/j.1467-9868.2007.00587.x).

    Args:
        mean, deviation, truth: the same grid. Points where one is missing do not count.
    """
    part = ndtr((truth - mean) / deviation)
    ranks = np.floor(part * (size + 1)).clip(max=size)
    counts = xr.concat([(ranks == r).sum(dim) for r in range(size + 1)], dim="rank")
    return counts.assign_coords(rank=np.arange(size + 1)).transpose(..., "rank")


def rank_distance(shares: xr.DataArray) -> xr.DataArray:
    """How far a rank histogram is from flat: the share of truths that would have to change rank, 0..1.

    Args:
        shares: of each rank, adding up to one; dims (rank, ...).
    """
    return 0.5 * abs(shares - 1 / shares.sizes["rank"]).sum("rank", skipna=False)


def grid_scores(
    ensemble: xr.Dataset,
    truth: xr.Dataset,
    zones: Mapping[str, np.ndarray] | None = None,
    mean: xr.Dataset | None = None,
    deviation: xr.Dataset | None = None,
) -> xr.Dataset:
    """What one ensemble scores on a grid, channel by channel and zone by zone.

    Args:
        ensemble: dims ([member,] ..., latitude, longitude). truth: the same variables without members.
        zones: cells (ny, nx) that count, by name; by default all of them, "all".
        mean: to be judged in place of the members' mean, where it is known better.
        deviation: of a Gaussian about a single field, the same variables; where it is missing no point counts.

    Returns:
        `mse`, of the mean, `crps` (fair) and `variance` of the members, dims (channel, zone), in squared units or
        units; see `averages`. Of a single field without a deviation the CRPS is its mean absolute error, and the
        variance missing.

    Raises:
        InputError: the grids or the variables differ.
    """
    zones = {"all": np.ones([truth.sizes[dim] for dim in GRID], bool)} if zones is None else zones
    fields, truth, _ = _on_one_grid(ensemble, truth, None)
    if fields.sizes.get("member", 1) > 1:
        best = fields.mean("member", skipna=False) if mean is None else mean.astype(float)
        points = {"crps": crps(fields, truth, dim=()), "variance": fields.var("member", ddof=1, skipna=False)}
    else:
        best = fields.squeeze("member", drop=True) if "member" in fields.dims else fields
        points = {"crps": abs(best - truth)}
        if deviation is not None:
            points["crps"] = observed_crps(best.expand_dims("member"), truth, deviation, dim=())
            points["variance"] = _same_labels(deviation, best) ** 2
    points["mse"] = (best - truth) ** 2
    stacked = xr.concat([one.to_array("channel") for one in points.values()], pd.Index(points, name="score"))
    stacked = stacked.where(stacked.notnull().all("score"))
    over = [dim for dim in stacked.dims if dim not in ("channel", "score")]
    parts = [stacked.where(xr.DataArray(zone, dims=GRID)).mean(over) for zone in zones.values()]
    found = xr.concat(parts, pd.Index(zones, name="zone")).transpose("channel", "zone", "score").to_dataset("score")
    return found if "variance" in found else found.assign(variance=np.nan * found["mse"])


def averages(found: xr.Dataset, members: int | xr.DataArray, dim: Dim = ()) -> xr.Dataset:
    """Scores of `grid_scores`, averaged over cases: `rmse` of the mean, `crps`, and `spread_skill`, the ratio of spread
    and error, see `spread_skill_ratio`.

    Args:
        members: that the judged means are means of; infinite where a mean is known exactly.
    """
    mean = found[["mse", "crps", "variance"]].mean(dim)
    ratio = np.sqrt((1 + 1 / members) * mean["variance"] / mean["mse"])
    return xr.Dataset({"rmse": np.sqrt(mean["mse"]), "crps": mean["crps"], "spread_skill": ratio})


def bootstrap_counts(units: int, samples: int, seed: int = 0) -> np.ndarray:
    """How often each of some independent units is drawn, with replacement, in each sample, (samples, units).

    Efron, B. & Tibshirani, R. J. (1993), An Introduction to the Bootstrap: resampling of the independent units.
    """
    return np.random.default_rng(seed).multinomial(units, np.full(units, 1 / units), samples)


def bootstrap_interval(samples: Fields, level: float = 0.95) -> Fields:
    """Percentile interval of resampled values, dims (bound, ...), `bound` being low and high.

    Args:
        samples: dims (sample, ...).
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN", RuntimeWarning)  # what is not defined, of any sample
        bounds = samples.quantile([(1 - level) / 2, (1 + level) / 2], "sample").rename(quantile="bound")
    return bounds.assign_coords(bound=["low", "high"])


def _members(ensemble: Fields, truth: Fields | None, member_dim: str, least: int = 2) -> int:
    """The number of members, if there are enough for a variance."""
    if member_dim not in ensemble.dims:
        raise InputError(
            f"the ensemble has dimensions {tuple(ensemble.dims)}, expected '{member_dim}' among them"
        )
    if truth is not None and member_dim in truth.dims:
        raise InputError(f"the truth has the dimension '{member_dim}', expected a single field")
    size = ensemble.sizes[member_dim]
    if size < least:
        raise InputError(f"the ensemble has {size} member, expected at least {'two' if least == 2 else least}")
    return size


def _on_one_grid(fields: Fields, truth: Fields | None, where: xr.DataArray | None):
    """The inputs in float64, if their coordinates agree; xarray would silently keep the points in common.

    A coordinate that differs by rounding only, as one twelfth of a degree does between two ways of counting, agrees.
    """
    if isinstance(fields, xr.Dataset) and truth is not None and set(fields) != set(truth):
        raise InputError(f"the fields to compare have variables {list(fields)} and {list(truth)}")
    given = [fields, truth, where]
    try:
        given = [fields, *(item if item is None else _same_labels(item, fields) for item in given[1:])]
        xr.align(*(item for item in given if item is not None), join="exact")
    except ValueError as error:
        raise InputError(f"the fields to compare, or the mask, are on different grids: {error}") from error
    fields, truth, where = given
    return fields.astype(float), None if truth is None else truth.astype(float), where


def _same_labels(item: Fields, reference: Fields) -> Fields:
    """`item` with the reference's coordinates where they are equal up to rounding. Labels of its own for the
    reference's dimensions are dropped: a truth picked from several oceans still has its number as `member`."""
    item = item.drop_vars([name for name in item.coords if name in reference.dims and name not in item.dims])
    labels = {}
    for dim in GRID:
        if dim in item.indexes and dim in reference.indexes and item.sizes[dim] == reference.sizes[dim]:
            if np.allclose(item[dim], reference[dim], rtol=0, atol=1e-6):
                labels[dim] = reference[dim]
    return item.assign_coords(labels)


def _masked(points: Fields, where: xr.DataArray | None) -> Fields:
    return points if where is None else points.where(where)


def _like(score: Fields, reference: Fields, units: str | None = None) -> Fields:
    """The score with its own units or the reference's, and no other attributes: those describe the field."""
    if isinstance(score, xr.Dataset):
        return score.map(lambda variable: _like(variable, reference[variable.name], units))
    units = units or reference.attrs.get("units")
    score.attrs = {} if units is None else {"units": units}
    return score
