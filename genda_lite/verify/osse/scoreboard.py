"""The scoreboard of twin experiments: many cases, each seen by another observing system, analysed by every method.

A case is a box of an ocean that nothing was trained on, at one date, observed by a random system with realistic orbits
and errors. All methods get the same observations with the same stated errors, and are scored on the same grid points.
"""

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

from ...baselines.interpolation import Ensemble
from ...errors import InputError
from ...files import atomic_path
from ...observe.instruments import DAY, InstrumentErrors
from ...observe.systems import ObservingSystem, random_system
from ...ocean.currents import relative_vorticity
from ...prepare.decompose import to_state, total_current
from ...prepare.frames import members_of
from ...prior import Prior
from ...state import CHANNELS, DEGREES_PER_CELL, METRES_PER_DEGREE, OCEAN, SURFACE, Grid
from .. import scores
from ..engine import OI, OURS, Case, Method, analyse
from ..prior import EDGE
from ..spectra import isotropic_spectrum
from ..table import less, pick, pivot, row, tidy
from .sweep import southwest

DERIVED = ("uo", "vo", "vorticity", "sst_gradient")  # of these all but the edges are judged
SCORED = (*CHANNELS, *DERIVED)
ZONES = ("all", "clear", "cloudy")  # cells: all, those that the radiometer sees, those that it does not
KINDS = ("truth", "error of the mean", "member", "mean")  # of spectra
SHORTEST = 40e3  # m, of the wavelengths at which members are to have the truth's variance
LATITUDE = 38.0  # whose distances the spectra of all boxes are taken at
UNOBSERVED = "where nothing of it is observed"


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
        zones = dict(zip(ZONES, (np.ones_like(clear), clear, ~clear), strict=True))
        about = {
            "altimeters": len(system.missions),
            "swot": int(system.swot),
            "cloud": 1 - clear.mean(),
            "l4_so": int("so" in system.l4),
        }
        seen = reduce(add, parts.values()).inside(grid)
        return Case(grid, truth["time"].values, seen, truth=truth, zones=zones, ocean=which, about=about)

    def __iter__(self) -> Iterator[Case]:
        return (self[i] for i in range(self.count))


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
        fields = prior.standardizer.to_dataset(x.cpu(), case.grid, case.date, prior.state).drop_vars("time")
        fields = total_current(fields, prior.standardizer)
        return with_derived(fields)[list(SCORED)].assign_coords(
            latitude=truth["latitude"], longitude=truth["longitude"]
        )

    members = physical(ensemble.mean[None] if ensemble.draws is None else ensemble.draws)
    best = members.mean("member")
    if ensemble.mean is not None:  # exact for linear functions of the state
        exact = physical(ensemble.mean[None]).isel(member=0, drop=True)
        best = best.assign({name: exact[name] for name in CHANNELS})
    inner = np.zeros(case.grid.shape, bool)
    inner[EDGE:-EDGE, EDGE:-EDGE] = True
    judged = truth.assign({name: truth[name].where(xr.DataArray(inner, dims=scores.GRID)) for name in DERIVED})
    out = scores.grid_scores(members, judged, case.zones, best)
    fields = {"truth": truth, "error of the mean": best - truth, "mean": best}
    if ensemble.draws is not None:
        counts = scores.rank_histogram(members, truth).to_array("channel")
        out["ranks"] = counts / counts.sum("rank")
        fields["member"] = members
    dy = METRES_PER_DEGREE * DEGREES_PER_CELL  # the same of all boxes to the last digit: their spectra are averaged
    dx = dy * np.cos(np.radians(LATITUDE))
    power = {}
    for kind in KINDS:
        found = [isotropic_spectrum(fields[kind][c].values, dy, dx) for c in CHANNELS if kind in fields]
        power[kind] = xr.concat(found, pd.Index(CHANNELS, name="state")) if found else np.nan * power["truth"]
    return out.assign(power=xr.concat(power.values(), pd.Index(KINDS, name="kind")).transpose("state", ...))


def run_case(case: Case, chosen: Sequence[Method], prior: Prior, members: int, seed: int) -> xr.Dataset:
    """Scores of several methods in one case, dims (experiment, ...) of `evaluate`, with the CPU time of each."""
    task = case.task(prior, members, seed, region=southwest(case.grid))
    tables = [
        evaluate(ensemble, case, prior).assign(seconds=seconds).expand_dims(experiment=[method.name])
        for method, ensemble, seconds in analyse(chosen, task)
    ]
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
        `rmse`, `crps`, `spread_skill`, and `outside`, how many times as often as promised the truth lies outside all
        members, dims (experiment, channel); `resolution` (m), and `member_departure` and `mean_departure`, the largest
        departures of the spectra of members and of the mean from the truth's (decades), dims (experiment, state).
    """
    members, here = table.attrs["members"], table.sel(zone=zone)
    outside = here["ranks"].isel(rank=[0, -1]).sum("rank", skipna=False).mean("case") * (members + 1) / 2
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
    found = {"outside": outside, "resolution": resolution} | away
    return scores.averages(here, members, "case").assign({n: one.reset_coords(drop=True) for n, one in found.items()})


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


def paired_row(table: xr.Dataset, name: str, than: str, channel: str, case: str = "", **options) -> dict:
    """`paired` as a row of `verify.table.row`."""
    d, where = paired(table, name, than, channel), f" {case}" if case else ""
    beside = {"low": d.low, "high": d.high, "cases": d.cases}
    labels = {"case": case, "method": name, "channel": channel, "zone": "all", "metric": less("crps", than)}
    title = f"CRPS of {channel}{where}, {name} less {than} (share)"
    return row(title, d.value, beside=beside, **labels, **options)


def targets(table: xr.Dataset) -> list[dict]:
    """The figures that have a target, and beside them those that explain them, as rows of `verify.table.row`. Those
    that `details` has, too, have no labels here."""
    found, rows = figures(table).sel(experiment=OURS), []
    baselines = [m for m in map(str, table["experiment"].values) if not m.startswith((OURS, "GenDA"))]
    unseen = table.isel(case=np.flatnonzero(table["l4_so"].values == 0))
    for channel in OCEAN:
        for than in baselines:
            made = paired_row(table, OURS, than, channel, highest=0.0)
            rows.append(made)
            if channel in SURFACE:
                high = made["beside"].get("high", np.nan)
                rows.append(row(f"{made['name']}, upper end of its 95 % interval", high, highest=0.0, detail=True))
    if unseen.sizes["case"] > 1:
        rows.append(paired_row(unseen, OURS, OI, "so", UNOBSERVED, highest=0.0))
    for channel in CHANNELS:
        goal = {"lowest": 0.9, "highest": 1.1} if channel in OCEAN else {}
        value, outside = (found[name].sel(channel=channel) for name in ("spread_skill", "outside"))
        rows.append(row(f"spread/skill of {channel}, {OURS}", value, **goal, beside={"truth outside": outside}))
    theirs = figures(table)["mean_departure"].sel(experiment=OI)
    for channel in OCEAN:
        member, mean, other = (a.sel(state=channel) for a in (found.member_departure, found.mean_departure, theirs))
        name = f"largest departure of single members' spectrum of {channel} above 40 km (decades), {OURS}"
        rows.append(row(name, member, highest=0.15, beside={"its mean": mean, "OI": other}))
    return rows


def details(table: xr.Dataset) -> list[dict]:
    """Every figure of every method, channel and zone, as rows without a target."""
    methods, rows = [str(m) for m in table["experiment"].values], []
    for zone in ZONES:
        found = figures(table, zone)
        for name in ("rmse", "crps", "spread_skill", "outside")[: 4 if zone == "all" else 3]:
            rows += [
                row(
                    f"{name} of {c}, {zone}, {m}", found[name].sel(experiment=m, channel=c), detail=True,
                    method=m, channel=c, zone=zone, metric=name,
                )
                for m in methods
                for c in SCORED
            ]  # fmt: skip
    # Those of ours on the ocean's channels are among the targets.
    pairs = [(m, c) for m in methods if m != OI for c in SCORED if m != OURS or c not in OCEAN]
    rows += [paired_row(table, m, OI, c, detail=True) for m, c in pairs]
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
        for metric, words in (("crps", "CRPS"), ("rmse", "RMSE of the mean"), ("spread_skill", "spread/skill")):
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
