"""Now and tomorrow: only the past is observed, and analyses are judged by how far ahead they look.

A prior of several days knows how the sea moves. Given observations of days up to a date, the later days of its state
are forecasts: no model is integrated, the ensemble is drawn from the posterior of all days at once. To beat are
optimal interpolation in space and time, which is the Gaussian prior of the same training data, and persistence: what
is known of the date is kept for the days to come.

Frames lie some days apart. A day between two of them is judged with the state moved back in time, so that a frame lies
on it. Cases of one ocean are not independent: differences are told as on the scoreboard (`scoreboard.paired`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from ...errors import InputError
from ...files import atomic_path
from ...observe.instruments import DAY
from ...observe.likelihood import within
from ...observe.systems import ObservingSystem, random_system
from ...observe.table import Observations
from ...posterior.assimilate import physical
from ...posterior.problem import build_problem
from ...prepare.frames import members_of
from ...prior import GaussianPrior, Prior
from ...prior.trajectory import check_kind, spacing
from ...state import INPUTS, Grid, later
from .. import scores
from ..engine import CLIMATOLOGY, IN_TIME, OI, OURS, OURS_FAST, Method, Task, methods
from ..table import less, row
from .scoreboard import averaged_days, paired
from .sweep import southwest

LEADS = (0, 1, 2, 3, 4, 5)  # days after the last observation
JUDGED = ("zos", "thetao", "so", "uo", "vo")
PAST = 7.0  # days before the date that are observed
KEPT = "persistence of "
TRUTH = f"{KEPT}the truth"


@dataclass(frozen=True)
class ForecastCase:
    """A box whose past was observed up to a date, each value at its own time, and the truth of the days to come, dims
    (lead, latitude, longitude); which of several oceans it is of."""

    grid: Grid
    date: np.datetime64
    observations: Observations
    truth: xr.Dataset
    ocean: int = 0


@dataclass(frozen=True)
class ForecastCases:
    """Cases, made when they are asked for: dates spread over the series, oceans by turns, boxes and systems at random.

    Args:
        series: dims [member,] time, latitude, longitude, daily: `zos thetao so uo vo uas vas`.
        prior: for the size of the boxes. leads: days ahead. system: of a case, by its number.
    """

    series: list[xr.Dataset]
    prior: Prior
    count: int
    leads: Sequence[int] = LEADS
    seed: int = 0
    system: Callable[[int], ObservingSystem] = random_system

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> ForecastCase:
        """Make a case.

        Raises:
            IndexError: no such number.
            InputError: the boxes of the prior do not fit, or the series is short or not daily.
        """
        if not 0 <= number < self.count:
            raise IndexError(number)
        rng = np.random.default_rng([self.seed, number, 8])
        oceans = [ocean for one in self.series for ocean in members_of(one)]
        which = number % len(oceans)
        ocean, (ny, nx) = oceans[which], self.prior.shape[1:]
        rows, columns, days = (ocean.sizes[dim] for dim in ("latitude", "longitude", "time"))
        times, past, ahead = ocean["time"].values, int(PAST), max(self.leads)
        if rows < ny or columns < nx:
            raise InputError(f"the oceans have {rows} x {columns} points, expected at least {ny} x {nx}")
        if days < past + ahead + 1 or (np.diff(times) != DAY).any():
            least = past + ahead + 1
            raise InputError(f"a series of {days} frames, expected {least} or more, daily and without a gap")
        day = past + round((number + 0.5) / self.count * (days - 1 - past - ahead))
        south, west = rng.integers(rows - ny + 1), rng.integers(columns - nx + 1)
        box = {"latitude": slice(south, south + ny), "longitude": slice(west, west + nx)}
        known = ocean[list(INPUTS)].isel(time=slice(day - past, day + 1), **box).load()
        system = replace(self.system(self.seed * 10_000 + number), window=PAST)
        date = times[day]
        seen = system.in_time(known, date)
        grid = Grid(known["latitude"].values, known["longitude"].values)
        seen = averaged_days(seen.select(seen.time <= date).inside(grid), date)
        truth = ocean[list(JUDGED)].isel(time=[day + lead for lead in self.leads], **box).load()
        truth = truth.rename(time="lead").assign_coords(lead=list(self.leads)).drop_vars("member", errors="ignore")
        return ForecastCase(grid, date, seen, truth, which)

    def __iter__(self) -> Iterator[ForecastCase]:
        return (self[i] for i in range(self.count))


def forecast_methods(prior: Prior, gaussian: GaussianPrior) -> dict[str, Method]:
    """The methods that are given the past alone, by their names.

    Args:
        prior: of several days. gaussian: of the same training data.

    Raises:
        InputError: a prior of single days.
    """
    check_kind(prior, True, "a forecast")
    known = methods(prior, gaussian, gaussian)
    found = {CLIMATOLOGY: known[CLIMATOLOGY]}
    for name in (OI, OURS_FAST, OURS):
        found[f"{name}, {IN_TIME}"] = replace(known[name], name=f"{name}, {IN_TIME}")
    return found


def shifts_of(prior: Prior, leads: Sequence[int]) -> dict[float, list[int]]:
    """How many days before the last observation the date of the state lies, as a negative number, for which leads.

    Raises:
        InputError: a lead that is no day of the state, however it is moved by less than the days between two frames.
    """
    step, found = spacing(prior.state), {}
    held = set(prior.state.days_of("zos"))
    for lead in leads:
        shift = -((-lead) % step)
        if lead < 0 or lead - shift not in held:
            raise InputError(
                f"a lead of {lead:g} days lies beyond the prior's, expected 0 to {max(held) - step + 1:g} days"
            )
        found.setdefault(shift, []).append(lead)
    return found


def foretold(method: Method, case: ForecastCase, prior: Prior, members: int, seed: int) -> xr.Dataset:
    """Fields `JUDGED` of each lead, dims (member, lead, latitude, longitude), by a method given the past alone.

    Channels that the state does not hold on a day are missing there.
    """
    days, known = [], prior.domain.holds(case.grid)
    place = {"region": southwest(case.grid)} if known else {"grid": case.grid}
    for shift, leads in shifts_of(prior, list(case.truth["lead"].values)).items():
        date = later(case.date, shift)
        problem = build_problem(prior, within(case.observations, prior.state, date), date=date, **place)
        draws = method.run(Task(problem, problem.observations, members, seed)).draws
        for lead in leads:
            fields = physical(draws, prior, problem.grid, date, float(lead - shift)).drop_vars("time")
            fields = fields[[name for name in JUDGED if name in fields]]
            fields = fields.assign_coords({dim: case.truth[dim].variable for dim in scores.GRID})
            days.append(fields.assign_coords(lead=lead))
    return xr.concat(days, "lead", combine_attrs="override", join="outer").sortby("lead")


def scored(fields: xr.Dataset, truth: xr.Dataset) -> xr.Dataset:
    """Scores of `grid_scores` by lead: dims (channel, zone), a zone being so many days ahead."""
    parts = []
    for lead in truth["lead"].values:
        one = fields.sel(lead=lead, drop=True)
        here = [name for name in JUDGED if name in one and bool(one[name].notnull().any())]
        found = scores.grid_scores(one[here], truth[here].sel(lead=lead, drop=True))
        parts.append(found.assign_coords(zone=[str(lead)]).reindex(channel=list(JUDGED)))
    return xr.concat(parts, "zone")


def run_case(case: ForecastCase, chosen: Sequence[Method], prior: Prior, members: int, seed: int) -> xr.Dataset:
    """Scores of several methods and of persistence, dims (experiment, channel, zone)."""
    found = {}
    for method in chosen:
        fields = foretold(method, case, prior, members, seed)
        found[method.name] = scored(fields, case.truth)
        if method.name != CLIMATOLOGY and 0 in case.truth["lead"]:
            now = fields.sel(lead=0, drop=True)
            kept = xr.concat([now.assign_coords(lead=lead) for lead in case.truth["lead"].values], "lead")
            found[KEPT + method.name] = scored(kept, case.truth)
    if 0 in case.truth["lead"]:
        now = case.truth.sel(lead=0, drop=True).broadcast_like(case.truth)
        found[TRUTH] = scored(now.expand_dims("member"), case.truth)
    table = xr.concat(found.values(), pd.Index(found, name="experiment"))
    return table.assign(ocean=case.ocean, observations=len(case.observations))


def run(
    cases: ForecastCases,
    chosen: Sequence[Method],
    prior: Prior,
    members: int = 16,
    folder: Path | None = None,
    progress: Callable[[str], None] = lambda text: None,
    made_of: str = "",
) -> xr.Dataset:
    """Scores of all cases, dims (case, experiment, channel, zone).

    Args:
        folder: keeps the table of each case; what is there is not computed again.
        made_of: what else the scores depend on; a folder keeps those of one such text.

    Raises:
        InputError: the folder holds tables of other settings, or see `ForecastCases`, `shifts_of`.
    """
    shifts_of(prior, cases.leads)
    names = ", ".join(method.name for method in chosen)
    settings, tables = f"{cases.count} {cases.seed} {list(cases.leads)} {members} {names} {made_of}", []
    for number in range(len(cases)):
        path = folder / f"forecast{number:03d}.nc" if folder else None
        if path and path.exists():
            with xr.open_dataset(path, engine="h5netcdf") as kept:
                if kept.attrs["settings"] != settings:
                    raise InputError(f"{path}: is of a run with other settings ({kept.attrs['settings']}); delete it")
                tables.append(kept.load())
            continue
        tables.append(run_case(cases[number], chosen, prior, members, number))
        progress(f"case {number + 1} of {len(cases)}")
        if path:
            with atomic_path(path) as temporary:
                tables[-1].assign_attrs(settings=settings).to_netcdf(temporary, engine="h5netcdf")
    return xr.concat(tables, "case", combine_attrs="drop").assign_attrs(members=members)


def figures(table: xr.Dataset) -> xr.Dataset:
    """`rmse` of the mean, `crps` and `spread_skill` over all cases, dims (experiment, channel, zone)."""
    return scores.averages(table, table.attrs["members"], "case")


def rows_of(table: xr.Dataset) -> list[dict]:
    """Every figure as a row of `verify.table`, zones being days ahead, and the CRPS of each method less that of optimal
    interpolation and of its persistence."""
    found, rows = figures(table), []
    names = [str(name) for name in table["experiment"].values]
    linear = f"{OI}, {IN_TIME}"
    for channel in JUDGED:
        for zone in map(str, table["zone"].values):
            for name in names:
                here = found.sel(experiment=name, channel=channel, zone=zone)
                labels = {"method": name, "channel": channel, "zone": zone}
                for metric in ("rmse", "crps", "spread_skill"):
                    title = f"{metric} of {channel}, {zone} days ahead, {name}"
                    rows.append(row(title, here[metric], detail=metric != "rmse", metric=metric, **labels))
                for than in (linear, KEPT + linear):
                    if name.startswith(OURS) and than in names:
                        d = paired(table, name, than, channel, zone)
                        title = f"CRPS of {channel}, {zone} days ahead, {name} less {than} (share)"
                        beside = {"low": d.low, "high": d.high, "cases": d.cases}
                        rows.append(row(title, d.value, beside=beside, metric=less("crps", than), **labels))
    return rows


def board(table: xr.Dataset) -> Mapping[str, pd.DataFrame]:
    """Tables to read, by their titles: a row a method, a column for each number of days ahead."""
    found = figures(table)
    return {
        f"{words} of {channel}, by days ahead": found[metric]
        .sel(channel=channel)
        .to_pandas()
        .map(lambda value: f"{value:.4f}" if value == value else "")
        for channel in ("zos", "thetao")
        for metric, words in (("rmse", "RMSE"), ("crps", "CRPS"), ("spread_skill", "spread/error"))
    }
