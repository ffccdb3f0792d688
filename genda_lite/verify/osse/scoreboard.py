"""The scoreboard of twin experiments: many cases, each seen by another observing system, analysed by every method.

A case is a box of an ocean that nothing was trained on, at one date, observed by a random system with realistic orbits
and errors. All methods get the same observations with the same stated errors, and are scored on the same grid points.
"""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from operator import add
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from ...baselines.interpolation import Ensemble, climatological_ensemble, interpolated_ensemble
from ...baselines.regression import Regression
from ...errors import InputError
from ...files import atomic_path
from ...observe.instruments import DAY, InstrumentErrors
from ...observe.systems import ObservingSystem, random_system
from ...observe.table import Observations
from ...ocean.currents import relative_vorticity
from ...posterior.assimilate import DEFAULT, FAST, Settings, sample_posterior
from ...posterior.guidance import GUIDANCES, sda
from ...posterior.problem import Problem, build_problem
from ...prepare.decompose import to_state, total_current
from ...prepare.frames import members_of
from ...prior import GaussianPrior, Prior
from ...sources.samples import sample_names, sample_path
from ...state import CHANNELS, DEGREES_PER_CELL, METRES_PER_DEGREE, OCEAN, SURFACE, Grid
from .. import scores
from ..prior import EDGE
from ..spectra import isotropic_spectrum
from ..table import row
from .sweep import southwest

DERIVED = ("uo", "vo", "vorticity", "sst_gradient")  # of these all but the edges are judged
SCORED = (*CHANNELS, *DERIVED)
ZONES = ("all", "clear", "cloudy")  # cells: all, those that the radiometer sees, those that it does not
KINDS = ("truth", "error of the mean", "member", "mean")  # of spectra
SHORTEST = 40e3  # m, of the wavelengths at which members are to have the truth's variance
LATITUDE = 38.0  # whose distances the spectra of all boxes are taken at
OURS = "diffusion"
SHIPPED_REGRESSION = "regression_lite.safetensors"
INTERPOLATIONS = ("OI, univariate", "OI, multivariate")


@dataclass(frozen=True)
class Case:
    """A true state of a box (dims latitude, longitude), its observations, and which cells the radiometer sees."""

    truth: xr.Dataset
    system: ObservingSystem
    observations: Observations
    clear: np.ndarray
    ocean: int

    @property
    def grid(self) -> Grid:
        return Grid(self.truth["latitude"].values, self.truth["longitude"].values)

    @property
    def date(self) -> np.datetime64:
        return self.truth["time"].values


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
    """

    series: list[xr.Dataset]
    prior: Prior
    count: int
    seed: int = 0
    system: Callable[[int], ObservingSystem] = random_system
    swath_error_factor: float = 1.0

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
        window = ocean[["zos"]].isel(time=near, **box).load()
        for name in ("thetao", "so", "uas", "vas"):
            window[name] = today[name].isel(**box).reindex(time=window["time"])
        parts = system.parts(window, date)
        if self.swath_error_factor != 1 and "SWOT swath" in parts:
            usual, factor = InstrumentErrors(), self.swath_error_factor
            errors = InstrumentErrors(roll=factor * usual.roll, timing=factor * usual.timing)
            loud = replace(system, errors=errors).parts(window, date)["SWOT swath"]
            parts["SWOT swath"] = replace(parts["SWOT swath"], value=loud.value)
        grid = Grid(truth["latitude"].values, truth["longitude"].values)
        clear = np.zeros(grid.shape, bool)
        if "radiometer" in parts:
            clear[grid.nearest(parts["radiometer"].latitude, parts["radiometer"].longitude)] = True
        return Case(truth, system, reduce(add, parts.values()).inside(grid), clear, which)

    def __iter__(self) -> Iterator[Case]:
        return (self[i] for i in range(self.count))


# --- Methods ---------------------------------------------------------------------------------------------------------


class Task(NamedTuple):
    """What a method is given: the problem in standardized units, the observations it was posed from, and how many
    members are wanted."""

    problem: Problem
    observations: Observations
    members: int
    seed: int


@dataclass(frozen=True)
class Method:
    """A way to an ensemble. `slow`: too slow for all cases, it is run on some; `evaluations` of the network a member,
    forwards and VJPs."""

    name: str
    run: Callable[[Task], Ensemble]
    slow: bool = False
    evaluations: int = 0


def sampled(prior: Prior, settings: Settings, task: Task, guidance=None) -> Ensemble:
    """Guided sampling."""
    likelihood, context = task.problem.likelihood, task.problem.context
    guidance = guidance or settings.guidance
    return Ensemble(
        sample_posterior(
            prior, likelihood, context, task.members, task.seed, guidance, settings.sampler, settings.steps
        )
    )


def regressed(prior: Prior, regression: Regression, task: Task) -> Ensemble:
    """The U-Net's estimate: no ensemble."""
    problem = task.problem
    return Ensemble(None, regression.estimate(prior, task.observations, problem.grid, problem.date, problem.context))


def methods(
    prior: Prior, gaussian: GaussianPrior, univariate: GaussianPrior, regression: Regression | None = None
) -> list[Method]:
    """Every method of the scoreboard, baselines first.

    Args:
        prior: the learned one; `gaussian` and `univariate` are of the same training data.
        regression: left out if there is none.
    """
    many = DEFAULT.steps
    found = [
        Method("climatology", lambda task: climatological_ensemble(gaussian, task.members, task.seed)),
        Method(INTERPOLATIONS[0], lambda task: interpolated(univariate, task)),
        Method(INTERPOLATIONS[1], lambda task: interpolated(gaussian, task)),
    ]
    if regression is not None:
        found.append(Method("U-Net regression", partial(regressed, prior, regression), evaluations=1))
    found += [
        Method("Gaussian prior", partial(sampled, gaussian, FAST)),
        Method(OURS, partial(sampled, prior, DEFAULT), evaluations=2 * many),
        Method(f"{OURS}, fast", partial(sampled, prior, FAST), evaluations=FAST.steps),
    ]
    others = [name for name in GUIDANCES if name not in (DEFAULT.guidance, FAST.guidance)]
    forwards = {"mmps": 4}
    found += [
        Method(
            f"{OURS}, {name}", partial(sampled, prior, DEFAULT._replace(guidance=name)), True,
            forwards.get(name, 2) * many,
        )
        for name in others
    ]
    found += [
        Method(
            f"GenDA's sampler, gamma {gamma:g}",
            partial(sampled, prior, Settings("sda", "vp", 256), guidance=partial(sda, gamma=gamma)), True, 512,
        )
        for gamma in (0.1, 0.01)
    ]
    return found


def shipped_regression(path: Path | None = None) -> Regression | None:
    """The regression of a file, or the shipped one; None if there is none."""
    if path is None and SHIPPED_REGRESSION not in sample_names():
        return None
    return Regression.load(path or sample_path(SHIPPED_REGRESSION))


def interpolated(prior: GaussianPrior, task: Task) -> Ensemble:
    return interpolated_ensemble(prior, task.problem.likelihood, task.members, task.seed)


# --- Scores ----------------------------------------------------------------------------------------------------------


def with_derived(fields: xr.Dataset) -> xr.Dataset:
    """Add vorticity over f and the size of the temperature gradient (degC / 100 km)."""
    across = 1e5 / METRES_PER_DEGREE
    cosine = np.cos(np.radians(fields["latitude"]))
    gradient = np.hypot(
        fields["thetao"].differentiate("latitude"), fields["thetao"].differentiate("longitude") / cosine
    )
    return fields.assign(vorticity=relative_vorticity(fields["uo"], fields["vo"]), sst_gradient=across * gradient)


def evaluate(ensemble: Ensemble, case: Case, prior: Prior) -> xr.Dataset:
    """Scores of one ensemble in one case.

    The mean that is judged is the ensemble's own where it is known exactly, else that of its members. Derived fields
    are those of each member, averaged, but for an estimate without members.

    Returns:
        `mse`, `crps`, `variance`, dims (channel, zone), squared units or units; `ranks` (channel, rank), shares of the
        truth's ranks; `power` (channel, kind, wavenumber) of the state's channels. Of an estimate without members the
        CRPS is the mean absolute error, and variance and ranks are missing.
    """
    truth = with_derived(case.truth)[list(SCORED)].drop_vars("time", errors="ignore")

    def physical(x) -> xr.Dataset:
        fields = prior.standardizer.to_dataset(x.cpu(), case.grid, case.date).drop_vars("time")
        fields = total_current(fields, prior.standardizer)
        return with_derived(fields)[list(SCORED)].assign_coords(
            latitude=truth["latitude"], longitude=truth["longitude"]
        )

    members = None if ensemble.draws is None else physical(ensemble.draws)
    best = members.mean("member") if members is not None else physical(ensemble.mean[None]).isel(member=0, drop=True)
    if ensemble.mean is not None:  # exact for linear functions of the state
        exact = physical(ensemble.mean[None]).isel(member=0, drop=True)
        best = best.assign({name: exact[name] for name in CHANNELS})
    error = best - truth
    maps = {"mse": error**2, "crps": abs(error)}
    if members is not None:
        maps |= {"crps": scores.crps(members, truth, dim=()), "variance": members.var("member", ddof=1)}

    inner = np.zeros(case.grid.shape, bool)
    inner[EDGE:-EDGE, EDGE:-EDGE] = True
    zones = {"all": np.ones(case.grid.shape, bool), "clear": case.clear, "cloudy": ~case.clear}
    out = {}
    for name in ("mse", "crps", "variance"):
        values = np.full((len(SCORED), len(ZONES)), np.nan)
        for c, channel in enumerate(SCORED):
            for z, zone in enumerate(ZONES):
                where = zones[zone] & inner if channel in DERIVED else zones[zone]
                if name in maps and where.any():
                    values[c, z] = maps[name][channel].values[where].mean()
        out[name] = (("channel", "zone"), values)
    if members is not None:
        counts = scores.rank_histogram(members, truth).to_array("channel").sel(channel=list(SCORED))
        out["ranks"] = (("channel", "rank"), counts.values / counts.sum("rank").values[:, None])
    dy = METRES_PER_DEGREE * DEGREES_PER_CELL  # the same of all boxes to the last digit: their spectra are averaged
    dx = dy * np.cos(np.radians(LATITUDE))
    fields = {"truth": truth, "error of the mean": error, "member": members, "mean": best}
    power = []
    for channel in CHANNELS:
        found = [
            isotropic_spectrum(fields[kind][channel].values, dy, dx) if fields[kind] is not None else None
            for kind in KINDS
        ]
        power.append([np.full_like(found[0], np.nan) if one is None else one.values for one in found])
        wavenumber = found[0]["wavenumber"].values
    out["power"] = (("state", "kind", "wavenumber"), np.array(power))
    coords = {"channel": list(SCORED), "zone": list(ZONES), "state": list(CHANNELS), "kind": list(KINDS)}
    return xr.Dataset(out, coords | {"wavenumber": wavenumber})


def run_case(case: Case, chosen: Sequence[Method], prior: Prior, members: int, seed: int) -> xr.Dataset:
    """Scores of several methods in one case, dims (experiment, ...) of `evaluate`, with the CPU time of each."""
    problem = build_problem(prior, case.observations, southwest(case.grid), None, case.date)
    tables = []
    for method in chosen:
        start = time.process_time()
        ensemble = method.run(Task(problem, case.observations, members, seed))
        seconds = time.process_time() - start
        tables.append(evaluate(ensemble, case, prior).assign(seconds=seconds).expand_dims(experiment=[method.name]))
    table = xr.concat(tables, "experiment", data_vars="all", coords="minimal", join="outer")
    system = case.system
    about = {
        "observations": len(case.observations),
        "altimeters": len(system.missions),
        "swot": int(system.swot),
        "cloud": 1 - case.clear.mean(),
        "l4_so": int("so" in system.l4),
        "ocean": case.ocean,
    }
    return table.assign(about)


def run(
    cases: Cases,
    chosen: Sequence[Method],
    prior: Prior,
    members: int = 16,
    every: int = 1,
    folder: Path | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> xr.Dataset:
    """Scores of all cases, dims (case, experiment, ...).

    Args:
        every: `slow` methods are run on every so many.
        folder: keeps the table of each case. What is there is not computed again; a method may join later.

    Raises:
        InputError: the folder holds tables of other settings.
    """
    settings = f"{cases.count} {cases.seed} {cases.swath_error_factor:g} {members}"
    tables = []
    for number in range(len(cases)):
        path = folder / f"case{number:03d}.nc" if folder else None
        here, found = [m for m in chosen if not m.slow or number % every == 0], []
        if path and path.exists():
            with xr.open_dataset(path, engine="h5netcdf") as kept:
                if kept.attrs["settings"] != settings:
                    raise InputError(f"{path}: is of a run with other settings ({kept.attrs['settings']}); delete it")
                found = [kept.load().drop_encoding()]  # which has the length of the longest name
        missing = [m for m in here if not found or m.name not in found[0]["experiment"].values]
        if missing:
            found.append(run_case(cases[number], missing, prior, members, number))
            progress(f"case {number + 1} of {len(cases)}: {float(found[-1]['seconds'].sum()):.0f} s")
        table = xr.concat(found, "experiment", data_vars="minimal", coords="minimal", compat="override", join="outer")
        if missing and path:
            with atomic_path(path) as temporary:
                table.assign_attrs(settings=settings).to_netcdf(temporary, engine="h5netcdf")
        tables.append(table.sel(experiment=[m.name for m in here]))
    names = [m.name for m in chosen]
    tables = [table.reindex(experiment=names).expand_dims("case") for table in tables]
    return xr.concat(tables, "case", data_vars="all", coords="minimal", join="outer").assign_attrs(members=members)


def sensitivity(
    cases: Cases, chosen: Sequence[Method], prior: Prior, members: int, factor: float = 3.0,
    folder: Path | None = None, progress: Callable[[str], None] = lambda text: None,
) -> list[dict]:
    """What it costs that SWOT's correlated errors (roll and timing) are `factor` times what is stated: CRPS of sea
    level over that with the stated ones, in cases that all have a swath. See `run` for the other arguments."""
    with_swath, tables = replace(cases, system=lambda number: replace(cases.system(number), swot=True)), []
    for actual in (1.0, factor):
        place = folder and folder / f"swath{actual:g}"
        if place:
            place.mkdir(exist_ok=True)
        tables.append(run(replace(with_swath, swath_error_factor=actual), chosen, prior, members, 1, place, progress))
    (quiet, loud), rows = tables, []
    for method in quiet["experiment"].values:
        crps = [t["crps"].sel(experiment=method, channel="zos", zone="all").mean() for t in (quiet, loud)]
        ratio = figures(loud).spread_skill.sel(experiment=method, channel="zos")
        name = f"CRPS of zos, SWOT's correlated errors {factor:g} times those stated, over that as stated, {method}"
        rows.append(row(name, crps[1] / crps[0], beside={"spread/skill": ratio, "cases": len(cases)}))
    return rows


# --- Figures ---------------------------------------------------------------------------------------------------------


class Figures(NamedTuple):
    """Averages over cases, dims (experiment, channel): RMSE, CRPS, spread/skill, `outside`, how many times as often as
    promised the truth lies outside all members; dims (experiment, state): effective resolution (m) and the largest
    departures of the spectra of members and of the mean from the truth's (decades)."""

    rmse: xr.DataArray
    crps: xr.DataArray
    spread_skill: xr.DataArray
    outside: xr.DataArray
    resolution: xr.DataArray
    member_departure: xr.DataArray
    mean_departure: xr.DataArray


def figures(table: xr.Dataset, zone: str = "all") -> Figures:
    """Averages over the cases of a table; a method is judged on the cases it was run on."""
    members, here = table.attrs["members"], table.sel(zone=zone)
    mse, variance = here["mse"].mean("case"), here["variance"].mean("case")
    ratio = np.sqrt((members + 1) / members * variance / mse)
    outside = here["ranks"].isel(rank=[0, -1]).sum("rank", skipna=False).mean("case") * (members + 1) / 2
    power = table["power"].mean("case")
    resolution = xr.apply_ufunc(
        partial(effective_resolution, table["wavenumber"].values),
        power.sel(kind="error of the mean") / power.sel(kind="truth"),
        input_core_dims=[["wavenumber"]],
        vectorize=True,
    )
    judged = power.sel(wavenumber=power["wavenumber"] <= 1 / SHORTEST)
    away = {
        kind: abs(np.log10(judged.sel(kind=kind) / judged.sel(kind="truth"))).max("wavenumber", skipna=False)
        for kind in ("member", "mean")
    }
    return Figures(
        np.sqrt(mse), here["crps"].mean("case"), ratio, outside, resolution, away["member"], away["mean"]
    )


def effective_resolution(wavenumber: np.ndarray, ratio: np.ndarray) -> float:
    """Wavelength (m) below which the error's spectrum exceeds half of the truth's (Ballarotta et al. 2019); infinite
    where it does at all waves, NaN without figures."""
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
    """Mean CRPS of one method less that of another, over the other's, and its 95 % confidence interval."""

    value: float
    low: float
    high: float
    cases: int


def paired(table: xr.Dataset, name: str, than: str, channel: str, zone: str = "all") -> Difference:
    """Case by case, by Student's t: a case's difficulty is common to both and drops out.

    Cases of one ocean are weeks apart and in different boxes; they count as independent.
    """
    crps = table["crps"].sel(channel=channel, zone=zone)
    ours, theirs = crps.sel(experiment=name), crps.sel(experiment=than)
    both = (ours.notnull() & theirs.notnull()).values
    difference, unit = (ours - theirs).values[both], theirs.values[both].mean() if both.any() else np.nan
    if both.sum() < 2:
        return Difference(difference.mean() / unit if both.any() else np.nan, np.nan, np.nan, int(both.sum()))
    interval = stats.ttest_1samp(difference, 0.0).confidence_interval(0.95)
    return Difference(difference.mean() / unit, interval.low / unit, interval.high / unit, int(both.sum()))


def targets(table: xr.Dataset) -> list[dict]:
    """The figures that have a target, and beside them those that explain them, as rows of `verify.table.row`."""
    found, rows = figures(table), []
    present = [str(m) for m in table["experiment"].values]
    baselines = [m for m in present if not m.startswith((OURS, "GenDA"))]
    unseen = table.isel(case=np.flatnonzero(table["l4_so"].values == 0))
    judged = [(c, table, "") for c in OCEAN]
    if unseen.sizes["case"] > 1:
        judged.append(("so", unseen, " where nothing of it is observed"))
    for channel, some, where in judged:
        for than in baselines if not where else INTERPOLATIONS[1:]:
            d = paired(some, OURS, than, channel)
            beside = {"95 % low": d.low, "95 % high": d.high, "cases": d.cases}
            name = f"CRPS of {channel}{where}, {OURS} less {than} (share)"
            rows.append(row(name, d.value, highest=0.0, beside=beside))
            if channel in SURFACE and not where:
                rows.append(row(f"{name}, upper end of its 95 % interval", d.high, highest=0.0, detail=True))
    for channel in CHANNELS:
        goal = {"lowest": 0.9, "highest": 1.1} if channel in OCEAN else {}
        value, outside = (a.sel(experiment=OURS, channel=channel) for a in (found.spread_skill, found.outside))
        rows.append(row(f"spread/skill of {channel}, {OURS}", value, **goal, beside={"truth outside": outside}))
    for channel in OCEAN:
        values = (a.sel(state=channel) for a in (found.member_departure, found.mean_departure))
        member, mean = values
        beside = {"its mean": mean.sel(experiment=OURS), "OI": mean.sel(experiment=INTERPOLATIONS[1])}
        name = f"largest departure of single members' spectrum of {channel} above 40 km (decades), {OURS}"
        rows.append(row(name, member.sel(experiment=OURS), highest=0.15, beside=beside))
    return rows


def details(table: xr.Dataset) -> list[dict]:
    """Every figure of every method, channel and zone, as rows without a target."""
    rows = []
    for zone in ZONES:
        f = figures(table, zone)
        for name in ("rmse", "crps", "spread_skill", "outside")[: 4 if zone == "all" else 3]:
            values = getattr(f, name)
            rows += [
                row(f"{name} of {c}, {zone}, {m}", values.sel(experiment=m, channel=c), detail=True)
                for m in table["experiment"].values
                for c in SCORED
            ]
    yardstick = INTERPOLATIONS[1]
    for m in map(str, table["experiment"].values):
        # Those of ours on the ocean's channels are among the targets.
        compared = [c for c in SCORED if m != OURS or c not in OCEAN] if m != yardstick else []
        for c in compared:
            d = paired(table, m, yardstick, c)
            beside = {"95 % low": d.low, "95 % high": d.high, "cases": d.cases}
            rows.append(row(f"CRPS of {c}, {m} less {yardstick} (share)", d.value, beside=beside, detail=True))
    f = figures(table)
    for name in ("resolution", "member_departure", "mean_departure"):
        values = getattr(f, name)
        rows += [
            row(f"{name} of {c}, {m}", values.sel(experiment=m, state=c), detail=True)
            for m in table["experiment"].values
            for c in CHANNELS
        ]
    rows += [
        row(f"CPU seconds a case, {m}", table["seconds"].sel(experiment=m).mean(), detail=True)
        for m in table["experiment"].values
    ]
    return rows


_NAMES = (
    re.compile(rf"CRPS of (?P<channel>\w+), (?P<method>.+) less {re.escape(INTERPOLATIONS[1])} \(share\)"),
    re.compile(r"(?P<score>rmse|crps|spread_skill|outside) of (?P<channel>\w+), (?P<zone>\w+), (?P<method>.+)"),
    re.compile(r"CPU (?P<score>seconds) a case, (?P<method>.+)"),
)


def frame_of(rows: list[dict]) -> pd.DataFrame:
    """The figures of every method, from the rows that `targets` and `details` made and `genda evaluate osse --json`
    wrote: columns `score` (rmse, crps, spread_skill, outside, seconds; crps_share, relative to multivariate optimal
    interpolation), `channel`, `zone`, `method`, `value`, `low`, `high` (of the 95 % interval) and `cases`.

    Raises:
        InputError: the rows hold none of these.
    """
    found = []
    for one in rows:
        match = next(filter(None, (name.fullmatch(one["name"]) for name in _NAMES)), None)
        if match:
            beside = one.get("beside", {})
            limits = {"low": beside.get("95 % low"), "high": beside.get("95 % high"), "cases": beside.get("cases")}
            about = {"score": "crps_share", "channel": None, "zone": "all"} | match.groupdict()
            found.append(about | {"value": one["value"]} | limits)
    if not found:
        raise InputError("the rows hold no score of a method, expected those of `genda evaluate osse --json`")
    frame = pd.DataFrame(found).astype({name: float for name in ("value", "low", "high", "cases")})
    order = {name: i for i, name in enumerate(frame.loc[frame["score"] == "rmse", "method"].unique())}
    return frame.sort_values("method", key=lambda names: names.map(order), kind="stable", ignore_index=True)


def board(table: xr.Dataset) -> dict[str, list[dict]]:
    """Tables to read: title -> rows, a method each. Methods that were run on some cases are compared on these alone."""
    full = table["crps"].sel(channel="zos", zone="all").notnull()
    some = full.all("experiment").values
    groups = {f"{table.sizes['case']} cases": table.isel(experiment=full.all("case").values)}
    if not full.all():
        groups[f"{some.sum()} of these cases"] = table.isel(case=some)
    out = {}
    for title, part in groups.items():
        f = figures(part)
        for score, values in (("CRPS", f.crps), ("RMSE of the mean", f.rmse), ("spread/skill", f.spread_skill)):
            out[f"{score}, {title}"] = [
                {"method": str(m)} | {c: float(values.sel(experiment=m, channel=c)) for c in SCORED}
                for m in part["experiment"].values
            ]
        out[f"{title}: effective resolution (km), spectra (decades) and cost"] = [
            {"method": str(m)}
            | {f"{c}, resolves": float(f.resolution.sel(experiment=m, state=c)) / 1e3 for c in SURFACE}
            | {f"{c}, member": float(f.member_departure.sel(experiment=m, state=c)) for c in SURFACE}
            | {f"{c}, mean": float(f.mean_departure.sel(experiment=m, state=c)) for c in SURFACE}
            | {"CPU s": float(part["seconds"].sel(experiment=m).mean())}
            for m in part["experiment"].values
        ]
    halves = {zone: figures(table.isel(experiment=full.all("case").values), zone) for zone in ZONES[1:]}
    out["CRPS under clear sky and cloud"] = [
        {"method": str(m)}
        | {
            f"{c}, {zone}": float(f.crps.sel(experiment=m, channel=c))
            for c in ("zos", "thetao", "so", "sst_gradient")
            for zone, f in halves.items()
        }
        for m in halves["clear"].crps["experiment"].values
    ]
    return out
