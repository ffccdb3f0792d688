"""The scoreboard of twin experiments: many cases, each seen by another observing system, analysed by every method.

A case is a box of an ocean that nothing was trained on, at one date, observed by a random system with realistic orbits
and errors. All methods get the same observations with the same stated errors, and are scored on the same grid points.
They are told when altimetry was measured by its error, which grows with age.

A single estimate is scored as it is delivered, by its mean absolute error, and dressed: with a Gaussian spread that
was fitted on other oceans (`verify.dress`). Cases of one ocean are not independent of each other: differences are told
ocean by ocean, and an interval only where there are enough of them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from itertools import product
from operator import add
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from ...baselines.interpolation import Ensemble
from ...errors import InputError
from ...files import atomic_path
from ...observe.instruments import DAY
from ...observe.systems import ObservingSystem, random_system
from ...observe.table import Observations
from ...prepare.decompose import to_state
from ...prepare.frames import members_of
from ...prior import Prior
from ...state import CHANNELS, DEGREES_PER_CELL, METRES_PER_DEGREE, OCEAN, SURFACE, Grid
from .. import scores
from ..dress import Dressing
from ..engine import DRESSED, IN_TIME, OI, OURS, OWN, REGRESSION, Case, Method, analyse
from ..spectra import isotropic_spectrum
from ..table import less, pick, pivot, row, tidy
from .single import SCORED, check_apart, dressed, judged_truth, own_deviation, physical, with_derived
from .sweep import southwest

ZONES = ("all", "clear", "cloudy")  # cells: all, those that the radiometer sees, those that it does not
RANKED = ("rank_distance", "below", "above", "outside")  # what is said of a rank histogram
KINDS = ("truth", "error of the mean", "member", "mean")  # of spectra
SHORTEST = 40e3  # m, of the wavelengths at which members are to have the truth's variance
LATITUDE = 38.0  # whose distances the spectra of all boxes are taken at
COMMON = "cases that every method was run on"
UNOBSERVED = "where nothing of it is observed"
TOLD = {
    "crps": "CRPS",
    "rmse": "RMSE of the mean",
    "spread_skill": "spread/skill",
    "rank_distance": "share of truths that would have to change rank",
}
ENOUGH = 6  # oceans for an interval
DAILY = ("thetao", "so", "uas", "vas")  # what is seen day by day
DAILY_CELL = 36.0  # km, in which temperature of other days is averaged
CELL = 18.0  # km, in which a pass is averaged for methods that are told its time: their work grows with its points


@dataclass(frozen=True)
class Cases:
    """Cases, made when they are asked for: dates spread over the series, oceans by turns, boxes and systems at random.

    Case i is the same however many there are of the others, but for its date.

    Args:
        series: dims [member,] time, latitude, longitude; `zos thetao so uo vo uas vas`, daily for altimetry to be
            sampled on its own day; of a coarser series the nearest day is sampled.
        prior: for the size of the boxes, and the Ekman response that the state depends on.
        system: of a case, by its number.
        swath_error_factor: factor on SWOT's correlated errors that the stated errors do not know of.
        decorrelation: days in which sea level changes, for methods that take altimetry as of its own day
            (`posterior.lags`); 0: its age is an error for all. On 24 other cases of the held-out oceans, optimal
            interpolation has a lower CRPS of sea level with age as an error than with any one time from 2.5 to 10 days,
            in each ocean; on the validation oceans the two are level (`benchmarks/lag_time.py`).
        in_time: also make what methods of several days are shown (`ObservingSystem.in_time`): the same altimetry at its
            own time, and temperature, maps and winds of all days within the system's window, not only of the date.
    """

    series: list[xr.Dataset]
    prior: Prior
    count: int
    seed: int = 0
    system: Callable[[int], ObservingSystem] = random_system
    swath_error_factor: float = 1.0
    decorrelation: float = 0.0
    in_time: bool = False

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> Case:
        """Make a case.

        Raises:
            IndexError: no such number.
            InputError: the boxes of the prior do not fit, or the series is not what it should be.
        """
        if not 0 <= number < self.count:
            raise IndexError(number)
        rng = np.random.default_rng([self.seed, number])
        oceans = [ocean for one in self.series for ocean in members_of(one)]
        which = number % len(oceans)
        ocean, (ny, nx) = oceans[which], self.prior.shape[1:]
        rows, columns, days = (ocean.sizes[dim] for dim in ("latitude", "longitude", "time"))
        if rows < ny or columns < nx:
            raise InputError(f"the oceans have {rows} x {columns} points, expected at least {ny} x {nx}")
        system = self.system(self.seed * 10_000 + number)
        times = ocean["time"].values
        margin = int((times - times[0] < system.window * DAY).sum())  # altimetry wants both sides of the date
        margin = min(margin, (days - 1) // 2)
        day = margin + round((number + 0.5) / self.count * (days - 1 - 2 * margin))
        south, west = rng.integers(rows - ny + 1), rng.integers(columns - nx + 1)
        date = times[day]
        near = np.flatnonzero(abs(times - date) <= (system.window + 1) * DAY)
        box = {"latitude": slice(south, south + ny), "longitude": slice(west, west + nx)}
        today = ocean.isel(time=[day]).load()
        state = to_state(today, self.prior.standardizer)  # on the whole grid: its smoothing reaches beyond the box
        truth = state.assign(uo=today["uo"], vo=today["vo"]).isel(time=0, **box).drop_vars("member", errors="ignore")
        window = ocean[["zos", *DAILY] if self.in_time else ["zos"]].isel(time=near, **box).load()
        for name in () if self.in_time else DAILY:
            window[name] = today[name].isel(**box).reindex(time=window["time"])
        parts = self._parts(system, window, date)
        grid = Grid(truth["latitude"].values, truth["longitude"].values)
        clear = np.zeros(grid.shape, bool)
        if "radiometer" in parts:
            clear[grid.nearest(parts["radiometer"].latitude, parts["radiometer"].longitude)] = True
        zones = dict(zip(ZONES, (np.ones_like(clear), clear, ~clear), strict=True))
        about = {
            "altimeters": len(system.missions),
            "swot": int(system.swot),
            "cloud": 1 - clear.mean(),
            "l4_so": int("so" in system.l4),
        }
        seen, timely = reduce(add, parts.values()).inside(grid), None
        if self.decorrelation:
            unaged = replace(system, errors=replace(system.errors, variability=0.0))
            timely = averaged_tracks(reduce(add, self._parts(unaged, window, date).values()).inside(grid))
        dated = averaged_days(system.in_time(window, date).inside(grid), date) if self.in_time else None
        return Case(grid, truth["time"].values, seen, timely, dated, truth, zones, which, about)

    def _parts(self, system: ObservingSystem, window: xr.Dataset, date: np.datetime64) -> dict[str, Observations]:
        """What each instrument sees, SWOT's correlated errors being larger than what is stated."""
        parts = system.parts(window, date)
        if self.swath_error_factor != 1 and "SWOT swath" in parts:
            factor, usual = self.swath_error_factor, system.errors
            errors = replace(usual, roll=factor * usual.roll, timing=factor * usual.timing)
            loud = replace(system, errors=errors).parts(window, date)["SWOT swath"]
            parts["SWOT swath"] = replace(parts["SWOT swath"], value=loud.value)
        return parts

    def __iter__(self) -> Iterator[Case]:
        return (self[i] for i in range(self.count))


def averaged_tracks(observations: Observations) -> Observations:
    """With super-observations of `CELL` in the place of altimetry."""
    tracks = (observations.channel == "zos") & (observations.smoothing == 0)
    return observations.select(tracks).averaged(CELL) + observations.select(~tracks)


def averaged_days(observations: Observations, date: np.datetime64) -> Observations:
    """`averaged_tracks`, and temperature of other days than the date in cells of `DAILY_CELL`."""
    warm = (observations.channel == "thetao") & (observations.smoothing == 0) & (observations.time != date)
    parts = averaged_tracks(observations.select(~warm)), observations.select(warm)
    return parts[0] + parts[1].averaged(DAILY_CELL) if warm.any() else parts[0]


# --- Scores ----------------------------------------------------------------------------------------------------------


def evaluate(
    ensemble: Ensemble, case: Case, prior: Prior, deviation: xr.Dataset | None = None, ranks: int = 16
) -> xr.Dataset:
    """Scores of one ensemble in one case.

    The mean that is judged is the ensemble's own where it is known exactly, else that of its members. Derived fields
    are those of each member, averaged, but for an estimate without members.

    Args:
        deviation: of a Gaussian about an estimate without members, fields `SCORED`, dims (latitude, longitude).
        ranks: quantiles of that Gaussian, among which the truth is ranked.

    Returns:
        `mse`, `crps`, `variance`, dims (channel, zone), squared units or units; `size` (channel), the members that the
        judged mean is a mean of; `ranks` (channel, rank), shares of the truth's ranks; `power` (channel, kind,
        wavenumber) of the state's channels. Of an estimate without members and deviation the CRPS is the mean absolute
        error, and variance and ranks are missing.
    """
    truth = with_derived(case.truth)[list(SCORED)].drop_vars("time", errors="ignore")
    members = physical(ensemble.mean[None] if ensemble.draws is None else ensemble.draws, case, prior)
    best, size = members.mean("member"), dict.fromkeys(SCORED, float(members.sizes["member"]))
    if ensemble.mean is not None:  # exact for linear functions of the state
        exact = physical(ensemble.mean[None], case, prior).isel(member=0, drop=True)
        best = best.assign({name: exact[name] for name in CHANNELS})
        size |= dict.fromkeys(CHANNELS if ensemble.draws is not None else SCORED, np.inf)
    out = scores.grid_scores(members, judged_truth(case), case.zones, best, deviation)
    out["size"] = "channel", [size[name] for name in out["channel"].values]
    fields = {"truth": truth, "error of the mean": best - truth, "mean": best}
    counts = None
    if ensemble.draws is not None:
        counts, fields["member"] = scores.rank_histogram(members, truth), members
    elif deviation is not None:
        counts = scores.gaussian_ranks(best, deviation, truth, ranks)
    if counts is not None:
        counts = counts.to_array("channel")
        out["ranks"] = counts / counts.sum("rank").where(counts.sum("rank") > 0)
    dy = METRES_PER_DEGREE * DEGREES_PER_CELL  # the same of all boxes to the last digit: their spectra are averaged
    dx = dy * np.cos(np.radians(LATITUDE))
    power = {}
    for kind in KINDS:
        found = [isotropic_spectrum(fields[kind][c].values, dy, dx) for c in CHANNELS if kind in fields]
        power[kind] = xr.concat(found, pd.Index(CHANNELS, name="state")) if found else np.nan * power["truth"]
    return out.assign(power=xr.concat(power.values(), pd.Index(KINDS, name="kind")).transpose("state", ...))


# --- Runs ------------------------------------------------------------------------------------------------------------


def run_case(
    case: Case, chosen: Sequence[Method], prior: Prior, members: int, seed: int, decorrelation: float | None = None,
    dressing: Dressing | None = None,
) -> xr.Dataset:
    """Scores of several methods in one case, dims (experiment, ...) of `evaluate`, with the CPU time of each.

    Args:
        decorrelation: see `build_problem`; None where the case's observations count as of its date.
        dressing: of methods that are to be dressed.
    """
    task, tables = case.task(prior, members, seed, region=southwest(case.grid), decorrelation=decorrelation), []
    for method, ensemble, seconds in analyse(chosen, task):
        deviation = None
        if method.spread == DRESSED:
            deviation = dressed(ensemble.mean, case, prior, dressing)
        elif method.spread == OWN:
            deviation = own_deviation(ensemble, case, prior)
        table = evaluate(ensemble, case, prior, deviation, members).assign(seconds=seconds)
        tables.append(table.expand_dims(experiment=[method.name]))
    table = xr.concat(tables, "experiment", data_vars="all", coords="minimal", join="outer")
    return table.assign({**case.about, "observations": len(case.observations), "ocean": case.ocean})


def run(
    cases: Cases,
    chosen: Sequence[Method],
    prior: Prior,
    members: int = 16,
    every: int = 1,
    folder: Path | None = None,
    progress: Callable[[str], None] = lambda text: None,
    dressing: Dressing | None = None,
    made_of: str = "",
) -> xr.Dataset:
    """Scores of all cases, dims (case, experiment, ...).

    Args:
        every: `slow` methods are run on every so many.
        folder: keeps the table of each case. What is there is not computed again; a method may join later.
        dressing: of methods that are to be dressed, which are left out without it.
        made_of: what else the scores depend on, truth and networks: a folder keeps those of one such text.

    Raises:
        InputError: the folder holds tables of other settings, or see `check_apart`.
    """
    settings = f"{cases.count} {cases.seed} {cases.swath_error_factor:g} {cases.decorrelation:g} {members} {made_of}"
    settings += " in time" if cases.in_time else ""
    chosen = [m for m in chosen if dressing or m.spread != DRESSED]
    if dressing:
        check_apart(dressing, cases.series)
    spread, in_time, tables = str(dressing and dressing.digest), cases.decorrelation or None, []
    for number in range(len(cases)):
        path = folder / f"case{number:03d}.nc" if folder else None
        here, found = [m for m in chosen if not m.slow or number % every == 0], []
        if path and path.exists():
            with xr.open_dataset(path, engine="h5netcdf") as kept:
                if kept.attrs["settings"] != settings:
                    raise InputError(f"{path}: is of a run with other settings ({kept.attrs['settings']}); delete it")
                found = [kept.load().drop_encoding()]  # which has the length of the longest name
                if kept.attrs["spread"] != spread:
                    old = [m.name for m in here if m.spread == DRESSED]
                    found = [found[0].drop_sel(experiment=old, errors="ignore")]
        missing = [m for m in here if not found or m.name not in found[0]["experiment"].values]
        if missing:
            found.append(run_case(cases[number], missing, prior, members, number, in_time, dressing))
            progress(f"case {number + 1} of {len(cases)}: {float(found[-1]['seconds'].sum()):.0f} s")
        table = xr.concat(found, "experiment", data_vars="minimal", coords="minimal", compat="override", join="outer")
        if missing and path:
            with atomic_path(path) as temporary:
                table.assign_attrs(settings=settings, spread=spread).to_netcdf(temporary, engine="h5netcdf")
        tables.append(table.sel(experiment=[m.name for m in here]))
    names = [m.name for m in chosen]
    tables = [table.reindex(experiment=names).expand_dims("case") for table in tables]
    return xr.concat(tables, "case", data_vars="all", coords="minimal", join="outer").assign_attrs(members=members)


def sensitivity(
    cases: Cases, chosen: Sequence[Method], prior: Prior, members: int, factor: float = 3.0,
    folder: Path | None = None, progress: Callable[[str], None] = lambda text: None, made_of: str = "",
) -> list[dict]:
    """The cost of SWOT's correlated errors (roll and timing) being `factor` times what is stated. It is the CRPS of sea
    level over that with errors as stated, in cases that all have a swath. See `run` for the other arguments."""
    with_swath, tables = replace(cases, system=lambda number: replace(cases.system(number), swot=True)), []
    for actual in (1.0, factor):
        place = folder and folder / f"swath{actual:g}"
        if place:
            place.mkdir(exist_ok=True)
        loud = replace(with_swath, swath_error_factor=actual)
        tables.append(run(loud, chosen, prior, members, 1, place, progress, made_of=made_of))
    (quiet, loud), rows = tables, []
    for method in quiet["experiment"].values:
        crps = [t["crps"].sel(experiment=method, channel="zos", zone="all").mean() for t in (quiet, loud)]
        ratio = figures(loud)["spread_skill"].sel(experiment=method, channel="zos")
        what = f"SWOT's correlated errors {factor:g} times those stated"
        name = f"CRPS of zos, {what}, over that as stated, {method}"
        labels = {"case": what, "method": method, "channel": "zos", "zone": "all", "metric": "crps / crps as stated"}
        rows.append(row(name, crps[1] / crps[0], beside={"spread/skill": ratio, "cases": len(cases)}, **labels))
    return rows


# --- Figures ---------------------------------------------------------------------------------------------------------


def figures(table: xr.Dataset, zone: str = "all") -> xr.Dataset:
    """Averages over the cases of a table; a method is judged on the cases it was run on.

    Returns:
        `rmse`, `crps`, `spread_skill`; of the rank histogram, `rank_distance` from a flat one. `below`, `above` and
        `outside`: how many times as often as promised the truth lies below all members, above all, and either. Dims
        (experiment, channel). `resolution` (m). `member_departure`, `mean_departure`: how far, at most, the spectra of
        members and of the mean depart from the truth's (decades). Dims (experiment, state).
    """
    here, ranks = table.sel(zone=zone), table["ranks"].mean("case")
    below, above = (ranks.sizes["rank"] * ranks.isel(rank=i, drop=True) for i in (0, -1))
    shape = {"rank_distance": scores.rank_distance(ranks), "below": below, "above": above}
    power = table["power"].mean("case")
    resolution = xr.apply_ufunc(
        partial(isotropic_resolution, table["wavenumber"].values),
        power.sel(kind="error of the mean") / power.sel(kind="truth"),
        input_core_dims=[["wavenumber"]],
        vectorize=True,
    )
    judged = power.sel(wavenumber=power["wavenumber"] <= 1 / SHORTEST)
    away = {
        f"{kind}_departure": abs(np.log10(judged.sel(kind=kind) / judged.sel(kind="truth"))).max(
            "wavenumber", skipna=False
        )
        for kind in ("member", "mean")
    }
    found = shape | {"outside": 0.5 * (below + above), "resolution": resolution} | away
    judged = scores.averages(here, table["size"].max("case"), "case")
    return judged.assign({n: one.reset_coords(drop=True) for n, one in found.items()})


def isotropic_resolution(wavenumber: np.ndarray, ratio: np.ndarray) -> float:
    """Wavelength (m) below which the error's isotropic spectrum exceeds half of the truth's (Ballarotta et al. 2019),
    between wavenumbers on logarithmic scales; infinite where it does at all waves, NaN without figures."""
    if not np.isfinite(ratio).all():
        return np.nan
    beyond = np.flatnonzero(ratio > 0.5)
    if not beyond.size:
        return 1 / wavenumber[-1]
    i = beyond[0]
    if i == 0:
        return np.inf
    share = np.log(0.5 / ratio[i - 1]) / np.log(ratio[i] / ratio[i - 1])
    return float(np.exp(-np.log(wavenumber[i - 1]) - share * np.log(wavenumber[i] / wavenumber[i - 1])))


class Difference(NamedTuple):
    """Mean CRPS of one method less that of another, over the other's: of all cases, and of each ocean; and where there
    are enough oceans a 95 % confidence interval."""

    value: float
    low: float
    high: float
    cases: int
    oceans: dict[int, float]

    @property
    def agreed(self) -> bool:
        """Whether several oceans say the same of who is ahead; where they do not, the difference is within noise."""
        return len(self.oceans) > 1 and len({np.sign(share) for share in self.oceans.values()}) == 1


def paired(table: xr.Dataset, name: str, than: str, channel: str, zone: str = "all") -> Difference:
    """Case by case, for a case's difficulty is common to both and drops out; then ocean by ocean.

    Cases of one ocean share its physics and its season, and are no independent draws of what oceans are like. So the
    interval is Student's t over the oceans' means, and there is none of fewer than `ENOUGH`.
    """
    crps = table["crps"].sel(channel=channel, zone=zone)
    ours, theirs = crps.sel(experiment=name), crps.sel(experiment=than)
    both = (ours.notnull() & theirs.notnull()).values
    frame = pd.DataFrame({"less": (ours - theirs).values, "theirs": theirs.values, "ocean": table["ocean"].values})
    frame = frame[both]
    means = frame.groupby("ocean").mean()
    value, low, high = frame["less"].mean() / frame["theirs"].mean(), np.nan, np.nan
    if len(means) >= ENOUGH:
        interval = stats.ttest_1samp(means["less"], 0.0).confidence_interval(0.95)
        low, high = np.array(interval) / means["theirs"].mean()
    oceans = {int(ocean): float(share) for ocean, share in (means["less"] / means["theirs"]).items()}
    return Difference(value, low, high, len(frame), oceans)


def paired_rows(
    table: xr.Dataset, name: str, than: str, channel: str, case: str = "", detail: bool = False, **goal
) -> list[dict]:
    """`paired` as rows of `verify.table.row`: of all oceans, and of each."""
    d, where = paired(table, name, than, channel), f" {case}" if case else ""
    ends = {"low": d.low, "high": d.high}
    beside = ends | {f"ocean {ocean}": share for ocean, share in d.oceans.items()} | {"cases": d.cases}
    labels = {"case": case, "method": name, "channel": channel, "zone": "all", "metric": less("crps", than)}
    title = f"CRPS of {channel}{where}, {name} less {than} (share)"
    each = [
        row(f"{title}, ocean {ocean}", share, detail=True, ocean=ocean, **labels) for ocean, share in d.oceans.items()
    ]
    return [row(title, d.value, beside=beside, detail=detail, **goal, **labels), *each]


def targets(table: xr.Dataset) -> list[dict]:
    """The figures that have a target, and beside them those that explain them, as rows of `verify.table.row`. Those
    that `details` has, too, have no labels here.

    A single estimate is judged as it is dressed, where it is; where it is not, there is no target, for its CRPS is a
    mean absolute error."""
    judged, rows = figures(table), []
    found = judged.sel(experiment=OURS)
    names = [str(m) for m in table["experiment"].values]
    alike = [m for m in names if IN_TIME not in m]
    baselines = [m for m in alike if not m.startswith((OURS, "GenDA")) and f"{m}, {DRESSED}" not in names]
    unseen = table.isel(case=np.flatnonzero(table["l4_so"].values == 0))
    for channel in OCEAN:
        for than in baselines:
            is_ensemble = np.isfinite(judged["spread_skill"].sel(experiment=than, channel=channel))
            made = paired_rows(table, OURS, than, channel, **({"highest": 0.0} if is_ensemble else {}))
            rows += made
            if is_ensemble and channel in SURFACE:
                worst = max(one["value"] for one in made[1:])
                rows.append(row(f"{made[0]['name']}, the ocean of least gain", worst, highest=0.0, detail=True))
    if unseen.sizes["case"] > 1:
        rows += paired_rows(unseen, OURS, OI, "so", UNOBSERVED, highest=0.0)
    for channel in CHANNELS:
        goal = {"lowest": 0.9, "highest": 1.1} if channel in OCEAN else {}
        beside = {name: found[name].sel(channel=channel) for name in ("rank_distance", "below", "above")}
        value = found["spread_skill"].sel(channel=channel)
        rows.append(row(f"spread/skill of {channel}, {OURS}", value, **goal, beside=beside))
    theirs = figures(table)["mean_departure"].sel(experiment=OI)
    for channel in OCEAN:
        member, mean, other = (a.sel(state=channel) for a in (found.member_departure, found.mean_departure, theirs))
        name = f"largest departure of single members' spectrum of {channel} above 40 km (decades), {OURS}"
        rows.append(row(name, member, highest=0.15, beside={"its mean": mean, "OI": other}))
    return rows


def targets_in_time(table: xr.Dataset) -> list[dict]:
    """What a prior of several days is to gain, where the table has it, as rows of `verify.table.row`: in sea level over
    the prior of single days with the same guidance; and over optimal interpolation in space and time and the regression
    that is shown the days, in all channels of the ocean and the total current."""
    ours, names = f"{OURS}, {IN_TIME}", [str(m) for m in table["experiment"].values]
    if ours not in names:
        return []
    judged, rows = figures(table), []
    ratio = judged["rmse"].sel(experiment=ours) / judged["rmse"].sel(experiment=OURS)
    for channel in (*OCEAN, "uo", "vo"):
        goal = {"highest": 0.85} if channel == "zos" else {}
        labels = {"method": ours, "channel": channel, "zone": "all", "metric": f"rmse / rmse of {OURS}"}
        title = f"RMSE of {channel}, {ours}, over that of {OURS}"
        rows.append(row(title, ratio.sel(channel=channel), **goal, **labels))
        goal = {"highest": -0.18} if channel == "zos" else {}
        rows += paired_rows(table, ours, OURS, channel, **goal)
        for than in (f"{OI}, {IN_TIME}", f"{REGRESSION}, {IN_TIME}, {OWN}"):
            known = than in names and bool(judged["spread_skill"].sel(experiment=than, channel=channel).notnull())
            rows += paired_rows(table, ours, than, channel, highest=0.0) if known else []
        if channel in OCEAN:
            value = judged["spread_skill"].sel(experiment=ours, channel=channel)
            rows.append(row(f"spread/skill of {channel}, {ours}", value, lowest=0.9, highest=1.1))
    return rows


def details(table: xr.Dataset) -> list[dict]:
    """Every figure of every method, channel and zone, as rows without a target."""
    methods, rows = [str(m) for m in table["experiment"].values], []
    for zone in ZONES:
        found = figures(table, zone)
        for name in ("rmse", "crps", "spread_skill", *(RANKED if zone == "all" else ())):
            rows += [
                row(
                    f"{name} of {c}, {zone}, {m}", found[name].sel(experiment=m, channel=c), detail=True,
                    method=m, channel=c, zone=zone, metric=name,
                )
                for m in methods
                for c in SCORED
            ]  # fmt: skip
    rows += common(table)
    # Those of ours on the ocean's channels are among the targets.
    pairs = [(m, OI, c) for m in methods if m != OI for c in SCORED if m != OURS or c not in OCEAN]
    pairs += [(OURS, m, c) for m in methods if m.endswith(DRESSED) for c in SCORED if c not in OCEAN]
    rows += [made for one, than, c in pairs for made in paired_rows(table, one, than, c, detail=True)]
    found = figures(table)
    for name in ("resolution", "member_departure", "mean_departure"):
        rows += [
            row(
                f"{name} of {c}, {m}", found[name].sel(experiment=m, state=c), detail=True,
                method=m, channel=c, zone="all", metric=name,
            )
            for m in methods
            for c in CHANNELS
        ]  # fmt: skip
    ran = {"seconds": ("CPU seconds a case", table["seconds"].mean("case"))}
    ran["cases"] = "cases", table["seconds"].notnull().sum("case")
    return rows + [
        row(f"{title}, {m}", values.sel(experiment=m), detail=True, method=m, metric=name)
        for name, (title, values) in ran.items()
        for m in methods
    ]


def common(table: xr.Dataset) -> list[dict]:
    """On the cases that the slow methods were run on, too: the CRPS of every method in each, and the mean less that of
    optimal interpolation."""
    part = table.isel(case=table["seconds"].notnull().all("experiment").values)
    if part.sizes["case"] == table.sizes["case"]:
        return []
    seconds, rows = part["seconds"].mean("case"), []
    for method in map(str, table["experiment"].values):
        if method != OI:
            rows += [r for c in OCEAN for r in paired_rows(part, method, OI, c, COMMON, detail=True)]
        for i, c in product(range(part.sizes["case"]), OCEAN):
            crps, one = part["crps"].sel(experiment=method, channel=c, zone="all")[i], f"{COMMON}, number {i + 1}"
            labels = {"case": one, "ocean": int(part["ocean"][i]), "method": method, "channel": c, "zone": "all"}
            rows.append(row(f"CRPS of {c}, {one}, {method}", crps, detail=True, metric="crps", **labels))
        name, labels = f"CPU seconds a case, {COMMON}, {method}", {"case": COMMON, "method": method}
        rows.append(row(name, seconds.sel(experiment=method), detail=True, metric="seconds", **labels))
    return [*rows, row(COMMON, part.sizes["case"], detail=True, case=COMMON, metric="cases")]


def board(table: xr.Dataset) -> dict[str, pd.DataFrame]:
    """Tables to read, by their titles, a row a method. Methods that were run on some cases are compared on these."""
    full = table["crps"].sel(channel="zos", zone="all").notnull()
    some = full.all("experiment").values
    groups = {f"{table.sizes['case']} cases": table.isel(experiment=full.all("case").values)}
    if not full.all():
        groups[f"{some.sum()} of these cases"] = table.isel(case=some)
    frames = {title: tidy(details(part)) for title, part in groups.items()}
    out = {}
    for title, frame in frames.items():
        for metric, words in TOLD.items():
            out[f"{words}, {title}"] = pivot(pick(frame, metric=metric, zone="all"), columns="channel")
        parts = {"resolution": "resolves", "member_departure": "member", "mean_departure": "mean"}
        spectra = [
            pivot(pick(frame, metric=metric, channel=SURFACE), columns="channel").add_suffix(f", {words}")
            for metric, words in parts.items()
        ]
        seconds = pivot(pick(frame, metric="seconds")).rename(columns={"seconds": "CPU s"})
        spectra[0] /= 1e3
        out[f"{title}: effective resolution (km), spectra (decades) and cost"] = pd.concat([*spectra, seconds], axis=1)
    frame, zones = next(iter(frames.values())), ZONES[1:]
    halves = [pivot(pick(frame, metric="crps", zone=zone), columns="channel").add_suffix(f", {zone}") for zone in zones]
    wanted = [f"{c}, {zone}" for c in ("zos", "thetao", "so", "sst_gradient") for zone in zones]
    out["CRPS under clear sky and cloud"] = pd.concat(halves, axis=1)[wanted]
    return out
