"""The observing system experiment: day after day, what sensors saw becomes ensembles of the surface ocean.

    experiment = Experiment(Archive(), Setting(members=16))
    run(experiment, "runs/ose", experiment.days(8), workers=2)

A day's observations come from files as providers deliver them. The region is larger than the window that priors know:
each window is analysed by itself, and windows overlap. A prior of several days analyses the whole region at once,
composed of windows (`posterior.compose`). Every method gets the same observations with the same errors; those in time
get each at its own time, and temperature, maps and winds of all days within the window, not only of the date.
Drifters and one altimeter are withheld, and nothing here reads them.
"""

import contextlib
import json
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache, reduce
from multiprocessing import get_context
from operator import add
from pathlib import Path

import numpy as np
import torch
import xarray as xr

from ...baselines.interpolation import Ensemble
from ...errors import InputError
from ...files import check_folder, write_dataset
from ...observe.files import read_observations
from ...observe.instruments import InstrumentErrors
from ...observe.likelihood import within
from ...observe.table import Observations
from ...posterior.assimilate import Settings
from ...posterior.compose import prepared
from ...posterior.problem import build_problem
from ...prepare.decompose import total_current
from ...prior import Prior, load_prior
from ...prior.trajectory import check_kind
from ...processors import count_processors
from ...sources import Archive, Report, open_product, read_tracks
from ...sources.files import as_date, check_box
from ...state import CHANNELS, DEGREES_PER_CELL, Grid
from ...version import __version__
from ..engine import (
    CLIMATOLOGY,
    GENDA,
    IN_TIME,
    OI,
    OURS,
    OURS_FAST,
    REGRESSION,
    Case,
    Method,
    Task,
    analyse,
    load_methods,
    methods,
    sampled,
)
from ..osse.sweep import southwest

# Ways of a cycle, which analyse day after day from a forecast.
CLIMATE, THREE_D_VAR, LETKF = "OI, past only", "3D-Var", "LETKF"
WITH_BACKGROUND, CONDITIONED = "prior with background", "conditioned"
TRANSITIONS, DIFFDA = "guided transitions", "DiffDA"
BOX = (-65.0, -55.0, 33.0, 43.0)  # GenDA's: west, east, south, north
COMMON_NAMES = {  # of the methods that an experiment knows: on the command line, of folders, in sentences
    CLIMATOLOGY: "climatology",
    OI: "optimal interpolation",
    REGRESSION: "U-Net regression",
    GENDA: "GenDA's sampler",
    OURS_FAST: "ours, fast",
    OURS: "ours",
    f"{REGRESSION}, {IN_TIME}": "U-Net regression in time",
    f"{OI}, {IN_TIME}": "optimal interpolation in time",
    f"{OURS_FAST}, {IN_TIME}": "ours in time, fast",
    f"{OURS}, {IN_TIME}": "ours in time",
}
CYCLED = {  # ways of a cycle (`cycling`), by other commands
    CLIMATE: "optimal interpolation, past only",
    THREE_D_VAR: "3D-Var",
    WITH_BACKGROUND: "prior with background",
    CONDITIONED: "conditioned prior",
    TRANSITIONS: "guided transitions",
    DIFFDA: "DiffDA",
    LETKF: "LETKF",
}
KEPT = COMMON_NAMES | CYCLED  # all whose analyses a folder may hold
USUAL = (CLIMATOLOGY, OI, REGRESSION, OURS)  # GenDA's takes five times as long; in so few steps ours is fast itself
STORED = ("zos", "thetao", "so", "u_ageo_eddy", "v_ageo_eddy", "uo", "vo")
PRODUCTS = ("temperature L3", "salinity", "winds")  # besides the tracks
REFERENCE_ERROR = 0.05  # m, of the level of a day's sea level once the bias is estimated


@dataclass(frozen=True)
class Setting:
    """What is assimilated, and how; everything that numbers depend on.

    Args:
        members: of each ensemble. seed: of everything random. steps: of our default sampler.
        window: days of altimetry before, and after, the date.
        weighted: the age of altimetry counts; else all of the window counts as of the day.
        decorrelation: days in which sea level changes, by which methods that have a covariance take the altimetry of
            other days for what it is (`posterior.lags`); 0: they, as all others, count its age as an error. Of 2.5,
            3.5, 5, 7, 10 and 14 days, 7 had the least error by optimal interpolation on 4 to 7 August of the twin, not
            scored.
        drift_length: of that error (`InstrumentErrors.drift`), km along a track within which it is one and the same;
            the shorter, the more of an old track's slopes, which are currents, is believed. We tried 0, 40, 100 and 250
            km on two days of the twin (4 and 7 August) that are not scored. 40 km had the least error of sea level, and
            next to the least of the current. On the training oceans, 250 km is best for sea level.
        error_factor: on the standard deviation of every observation's error; GenDA attenuated by 0.2. What the sea
            itself changes between two days (`decorrelation`) stays as it is.
        representativity: what instruments see and the grid cannot hold is part of the error.
        reference: the constant between the products' sea level and the prior's is estimated, once for all days; else
            it is taken for unknown, each day and window anew.
        cell, temperature_cell: widths (km) of the cells in which a source's points, and those of temperature, are
            averaged (`Observations.averaged`), two and four of the grid: it halves the time; 0 for every point.
        products: assimilated besides the tracks, names of the catalogue. Mapped sea level and temperature (L4) can be,
            and are not by default: they are made of the same measurements, which would count twice.
        box: west, east, south, north (degrees).
        prior, regression: checkpoints, by default the shipped ones.
        trajectory, regression_in_time: checkpoints of several days, for methods in time; none, no such methods.

    Raises:
        InputError: a number that cannot be, or a product that is none.
    """

    members: int = 12
    seed: int = 0
    steps: int = 16
    window: float = 5.0
    weighted: bool = True
    decorrelation: float = 7.0
    drift_length: float = 40.0
    error_factor: float = 1.0
    representativity: bool = True
    reference: bool = True
    cell: float = 18.0
    temperature_cell: float = 36.0
    products: tuple[str, ...] = PRODUCTS
    box: tuple[float, float, float, float] = BOX
    prior: str | None = None
    regression: str | None = None
    trajectory: str | None = None
    regression_in_time: str | None = None

    def __post_init__(self):
        for name in ("products", "box"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if self.members < 2 or self.steps < 2 or not self.window > 0 or not self.error_factor > 0:
            raise InputError(
                "expected at least two members and two steps, and a window and an error factor above zero, got "
                f"{self.members}, {self.steps}, {self.window}, {self.error_factor}"
            )
        if not self.decorrelation >= 0:
            raise InputError(f"expected a decorrelation time of zero days or more, got {self.decorrelation}")
        check_box(self.box)
        known = (*PRODUCTS, "temperature L4", "sea level", "swath")
        if strangers := set(self.products) - set(known):
            raise InputError(f"unknown products {', '.join(sorted(strangers))}, expected some of {', '.join(known)}")

    @property
    def errors(self) -> InstrumentErrors:
        """Of the instruments."""
        errors = InstrumentErrors(drift_length=self.drift_length)
        if not self.weighted:
            errors = replace(errors, variability=0.0)
        if not self.representativity:
            errors = replace(errors, representativity_sea_level=0.0, representativity_temperature=0.0)
        return errors

    @property
    def grid(self) -> Grid:
        """All points of the 1/12 degree grid in the box."""
        west, east, south, north = (v / DEGREES_PER_CELL for v in self.box)
        ends = ((np.ceil(low - 1e-6), np.floor(high + 1e-6)) for low, high in ((south, north), (west, east)))
        return Grid(*(np.arange(low, high + 1) * DEGREES_PER_CELL for low, high in ends))

    def text(self) -> str:
        """Everything, to be kept with the results; of methods in time where there are any."""
        later = ("trajectory", "regression_in_time")
        told = {name: value for name, value in asdict(self).items() if value is not None or name not in later}
        return json.dumps(told, sort_keys=True)


@lru_cache(maxsize=2)
def _tools(
    prior: str | None, regression: str | None, steps: int, device: str = "cpu", in_time: str | None = None
) -> tuple[Prior, dict[str, Method]]:
    """The learned prior, and the methods of `COMMON_NAMES` that analyse window by window."""
    given = {"regression_in_time": Path(in_time)} if in_time else {}
    learned, known = load_methods(prior, Path(regression) if regression else None, device, **given)
    found = {name: known[name] for name in COMMON_NAMES if name in known}
    settings = Settings("hybrid", "sde-2m", steps)
    found[OURS] = replace(found[OURS], run=lambda task: sampled(learned, settings, task), evaluations=3 * steps)
    return learned, found


@lru_cache(maxsize=2)
def _tools_in_time(
    trajectory: str | None, grid: tuple[tuple[float, ...], tuple[float, ...]], steps: int, device: str = "cpu"
) -> tuple[Prior | None, dict[str, Method]]:
    """The prior of several days, composed for a whole grid, and the methods of `COMMON_NAMES` that analyse it at once;
    none without a checkpoint.

    Raises:
        InputError: a prior of single days, or a grid smaller than its window.
    """
    if trajectory is None:
        return None, {}
    several, gaussian = (load_prior(trajectory, only, device=device) for only in (False, True))
    check_kind(several, True, "an experiment in time")
    several, gaussian = (prepared(one, Grid(*map(np.array, grid)))[0] for one in (several, gaussian))
    known = methods(several, gaussian, gaussian)
    settings = Settings("hybrid", "sde-2m", steps)
    known[OURS] = replace(known[OURS], run=lambda task: sampled(several, settings, task), evaluations=3 * steps)
    return several, {f"{name}, {IN_TIME}": known[name] for name in (OI, OURS_FAST, OURS)}


@dataclass(frozen=True)
class Experiment:
    """An archive of products, how they are assimilated, and the device that computes it: "cpu" or "cuda"."""

    archive: Archive
    setting: Setting = field(default_factory=Setting)
    device: str = "cpu"

    def days(self, count: int | None = None, first: str | np.datetime64 | None = None) -> np.ndarray:
        """Days (datetime64[D]) to analyse, by default all that have altimetry on both sides.

        Raises:
            InputError: the archive does not hold so many.
        """
        known = self.archive.days()
        margin = int(np.ceil(self.setting.window))
        days = known[margin:-margin] if first is None else known[known >= as_date(first).astype("datetime64[D]")]
        if count is not None:
            days = days[:count]
        if not len(days) or (count or 0) > len(days):
            raise InputError(
                f"{self.archive.folder}: {len(days)} days to analyse from {first or 'the first'} on, expected "
                f"{count or 'at least one'}; there is a wind from {known[0]} to {known[-1]}"
            )
        return days

    def reference(self) -> float:
        """The products' sea level less the prior's climatology (m), the mean over all tracks of the archive; 0 if it is
        not to be estimated."""
        return _reference(self.archive.folder, self.archive.withheld, self.setting)

    def observations(
        self, date: np.datetime64, timely: bool = False, past: bool = False
    ) -> tuple[Observations, list[Report]]:
        """What was seen of a day, errors as they are stated to every method; sea level in the prior's reference.

        Args:
            timely: the age of altimetry is not among the errors, for methods to which it is told as a time.
            past: no altimetry after noon of the date, as a forecaster has it. What is a mean of the day is of its noon.

        Raises:
            InputError: see `read_observations`.
        """
        setting, noon = self.setting, np.datetime64(date, "D") + np.timedelta64(12, "h")
        errors = replace(setting, weighted=setting.weighted and not timely).errors
        files = self.archive.tracks(noon, setting.window)
        for name in setting.products:
            files += self.archive.files(name, noon)
        return self._read(files, noon, errors, past)

    def observations_in_time(self, date: np.datetime64) -> Observations:
        """What was seen on all days within the window, each value at its own time; errors do not hold its age.

        A product of which there is nothing on a day, other than the date, is left out there.

        Raises:
            InputError: see `observations`.
        """
        noon, days = np.datetime64(date, "D") + np.timedelta64(12, "h"), int(self.setting.window)
        seen = [self.observations(date, timely=True)[0]]
        for day in [noon + np.timedelta64(n, "D") for n in range(-days, days + 1) if n]:
            for name in self.setting.products:
                with contextlib.suppress(InputError):
                    seen.append(self._read(self.archive.files(name, day), day, self.setting.errors)[0])
        return reduce(add, seen)

    def _read(
        self, files: list[Path], noon: np.datetime64, errors: InstrumentErrors, past: bool = False
    ) -> tuple[Observations, list[Report]]:
        """Observations of a day in some files, see `observations`."""
        setting = self.setting
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*day.s. hold fewer", UserWarning)  # a month's last day, cut
            seen, reports = read_observations(files, noon, setting.box, setting.window, errors)
        if past:
            seen = seen.select(~((seen.channel == "zos") & (seen.time > noon)))
        level = seen.channel == "zos"
        known = np.where(level, REFERENCE_ERROR, seen.reference_error) if setting.reference else seen.reference_error
        seen = replace(
            seen,
            value=seen.value - level * self.reference(),
            error=seen.error * setting.error_factor,
            reference_error=known,
        ).inside(setting.grid)
        warm = seen.channel == "thetao"
        parts = (seen.select(~warm), setting.cell), (seen.select(warm), setting.temperature_cell)
        return reduce(add, (part.averaged(cell) if cell else part for part, cell in parts)), reports

    def analyse(self, date: np.datetime64, names: Sequence[str] = USUAL) -> Iterator[tuple[str, xr.Dataset]]:
        """Analyses of a day by several methods: name and data set, see `stitched`.

        Raises:
            InputError: an unknown method, or see `observations`.
        """
        setting = self.setting
        prior, known = self._windowed()
        ends = tuple(map(tuple, (setting.grid.latitude, setting.grid.longitude)))
        composed, whole = _tools_in_time(setting.trajectory, ends, setting.steps, self.device)
        names = full_names(names, known | whole)
        seen, _ = self.observations(date)
        in_days = self.observations_in_time(date) if any(IN_TIME in name for name in names) else None
        in_time = {"decorrelation": setting.decorrelation} if setting.weighted and setting.decorrelation else {}
        dated = self.observations(date, timely=True)[0] if in_time else seen
        noon = np.datetime64(date, "D") + np.timedelta64(12, "h")
        parts: dict[str, list] = {name: [] for name in names}
        seconds = dict.fromkeys(names, 0.0)
        windows, small = tiles(setting.grid, prior.shape[1:]), [name for name in names if name in known]
        for number, window in enumerate(windows if small else ()):
            own = in_days.inside(window) if in_days is not None else None
            case = Case(window, noon, seen.inside(window), dated.inside(window), own)
            place = {"region": southwest(window)} if prior.domain.holds(window) else {"grid": window}
            seed = self._seed(date, number)
            task = case.task(prior, setting.members, seed, **place, **in_time)
            for name, (_, ensemble, took) in zip(small, analyse((known[n] for n in small), task), strict=True):
                parts[name].append(fields_of(ensemble, prior, window, noon))
                seconds[name] += took
        large = [name for name in names if name in whole]
        if large:
            place = {"region": southwest(setting.grid)} if prior.domain.holds(setting.grid) else {"grid": setting.grid}
            problem = build_problem(composed, within(in_days, composed.state, noon), date=noon, **place)
            task = Task(problem, problem.observations, setting.members, self._seed(date, 0))
            for name, (_, ensemble, took) in zip(large, analyse((whole[n] for n in large), task), strict=True):
                parts[name], seconds[name] = [fields_of(ensemble, composed, setting.grid, noon)], took
        for name in names:
            ds = stitched(parts[name], [setting.grid] if name in whole else windows, setting.grid)
            ds["zos"] = ds["zos"] + np.float32(self.reference())
            ds["zos"].attrs = parts[name][0]["zos"].attrs | {"comment": "in the reference of the assimilated tracks"}
            about = {
                "Conventions": "CF-1.11",
                "title": f"Analysis of the surface ocean by {COMMON_NAMES[name]}",
                "source": f"genda_lite {__version__}",
                "method": name,
                "setting": setting.text(),
                "withheld": self.archive.withheld,
                "observations": len(in_days if IN_TIME in name else seen),
                "cpu_seconds": round(seconds[name], 2),
            }
            ds = ds.assign_attrs(about).expand_dims(time=[noon.astype("datetime64[ns]")])
            yield name, ds.transpose("member", "time", "latitude", "longitude", missing_dims="ignore")

    def _windowed(self) -> tuple[Prior, dict[str, Method]]:
        """The prior of single days, and the methods that analyse window by window."""
        setting, later = self.setting, ()
        if setting.regression_in_time:
            later = (setting.regression_in_time,)
        return _tools(setting.prior, setting.regression, setting.steps, self.device, *later)

    def _seed(self, date: np.datetime64, number: int) -> int:
        """Of a day and a window."""
        day = int(np.datetime64(date, "D").astype(int))
        return int(np.random.SeedSequence([self.setting.seed, day, number]).generate_state(1)[0])


@lru_cache(maxsize=4)
def _reference(folder: Path, withheld: str, setting: Setting) -> float:
    if not setting.reference:
        return 0.0
    prior, _ = _tools(setting.prior, setting.regression, setting.steps)
    tracks = read_tracks(Archive(folder, withheld).tracks(), box=setting.box)
    usual = prior.standardizer.climatology(tracks["latitude"].values, np.datetime64("NaT"))[CHANNELS.index("zos")]
    return float((tracks["zos"].values - usual).mean())


def full_names(names: Sequence[str], known=COMMON_NAMES) -> list[str]:
    """The names of methods in the engine, of those or of common ones.

    Raises:
        InputError: a name is none of a method.
    """
    meant = {common: name for name, common in COMMON_NAMES.items() if name in known} | {name: name for name in known}
    if strangers := [name for name in names if name not in meant]:
        common = "; ".join(COMMON_NAMES[name] for name in known)
        raise InputError(f"method {', '.join(strangers)} is unknown, expected some of: {common}")
    return [meant[name] for name in names]


# --- Windows ---------------------------------------------------------------------------------------------------------


def tiles(grid: Grid, shape: tuple[int, int]) -> list[Grid]:
    """Windows of a shape that cover a grid, as few as possible, evenly spread, row by row.

    Raises:
        InputError: the grid is smaller than a window.
    """
    starts = []
    for size, n in zip(grid.shape, shape, strict=True):
        if size < n:
            raise InputError(f"the box has {grid.shape[0]} x {grid.shape[1]} points, expected at least {shape}")
        number = -(-(size - 1) // (n - 1))  # neighbours share a point or more
        starts.append(np.rint(np.linspace(0, size - n, number)).astype(int))
    return [
        Grid(grid.latitude[j : j + shape[0]], grid.longitude[i : i + shape[1]]) for j in starts[0] for i in starts[1]
    ]


def weights(windows: Sequence[Grid], grid: Grid) -> np.ndarray:
    """Share of each window in each point of a grid, (window, ny, nx): one where it is alone, falling linearly to its
    edges where windows overlap; they add up to one."""
    out = np.zeros((len(windows), *grid.shape))
    for one, window in zip(out, windows, strict=True):
        sides = []
        for whole, part in ((grid.latitude, window.latitude), (grid.longitude, window.longitude)):
            n, first = len(part), int(np.argmin(abs(whole - part[0])))
            rise, fall = np.arange(1, n + 1), np.arange(n, 0, -1)
            # At the box's own edge there is no neighbour to give way to.
            side = np.minimum(rise if first > 0 else n, fall if first + n < len(whole) else n)
            sides.append((slice(first, first + n), side))
        (rows, j), (columns, i) = sides
        one[rows, columns] = np.outer(j, i)
    shared = (out > 0).sum(0) > 1
    out = np.where(shared, out, out > 0)
    return out / out.sum(0)


def fields_of(ensemble: Ensemble, prior: Prior, window: Grid, date: np.datetime64) -> xr.Dataset:
    """Physical fields `STORED` of an ensemble, dims ([member,] latitude, longitude).

    Where a method knows its mean better than from its members, they are shifted to have it.
    """
    draws = ensemble.draws
    if draws is None:
        draws = ensemble.mean[None]
    elif ensemble.mean is not None:
        draws = draws - draws.mean(0) + ensemble.mean
    ds = prior.standardizer.to_dataset(draws.cpu(), window, date, prior.state)
    ds = total_current(ds, prior.standardizer)
    ds = ds[list(STORED)].drop_vars("time", errors="ignore")
    return ds if ensemble.draws is not None else ds.isel(member=0, drop=True)


def stitched(parts: Sequence[xr.Dataset], windows: Sequence[Grid], grid: Grid) -> xr.Dataset:
    """One analysis from those of overlapping windows w, with weights a that add up to one,

        mean = sum a m_w,    deviation of a member = sum sqrt(a) (x_w - m_w)

    Members of two windows know nothing of each other, so that a mean of them would vary too little where windows
    overlap. By the square roots, whose squares add up to one, the variance at a point is sum a s_w^2, the mean of those
    that the windows have there. These are larger than in the middle of a window, since it knows nothing of what was
    seen beyond its edges: seams stand out in the spread.

    Returns:
        dims ([member,] latitude, longitude) of the grid.
    """
    share = xr.DataArray(weights(windows, grid), dims=("window", "latitude", "longitude"))
    out = None
    for part, window, a in zip(parts, windows, share, strict=True):
        j, i = (
            int(np.argmin(abs(w - p[0])))
            for w, p in zip((grid.latitude, grid.longitude), (window.latitude, window.longitude), strict=True)
        )
        here = {"latitude": slice(j, j + window.shape[0]), "longitude": slice(i, i + window.shape[1])}
        a = a.isel(here)
        mean = part.mean("member") if "member" in part.dims else part
        blended = a * mean + np.sqrt(a) * (part - mean)
        if out is None:
            template = {d: n for d, n in part.sizes.items() if d == "member"} | dict(
                zip(("latitude", "longitude"), grid.shape, strict=True)
            )
            coords = grid.coordinates() | ({"member": part["member"]} if "member" in part.dims else {})
            out = xr.Dataset(
                {n: (tuple(template), np.zeros(tuple(template.values())), v.attrs) for n, v in part.items()}, coords
            )
        for name in out:
            out[name][here] += blended[name].transpose(*out[name].dims).values
    return out.astype("f4")


# --- Running ---------------------------------------------------------------------------------------------------------


def result_path(folder: Path, name: str, date: np.datetime64) -> Path:
    """Where the analysis of a day by a method is kept."""
    place = KEPT[name].replace(" ", "_").replace(",", "").replace("'", "")
    return folder / place / f"{np.datetime64(date, 'D')}.nc"


def run_day(experiment: Experiment, folder: Path, date: np.datetime64, names: Sequence[str]) -> dict[str, float]:
    """Analyse a day by the methods of which the folder has no result yet; each is written whole or not at all.

    Returns:
        CPU seconds by method.

    Raises:
        InputError: the folder holds results of other settings, or see `Experiment.analyse`.
    """
    missing = []
    for name in names:
        path = result_path(folder, name, date)
        if not path.exists():
            missing.append(name)
            continue
        with open_product(path) as kept:
            if kept.attrs.get("setting") != experiment.setting.text():
                raise InputError(f"{path}: is of other settings ({kept.attrs.get('setting')}); choose another folder")
            if (withheld := kept.attrs.get("withheld")) != experiment.archive.withheld:
                raise InputError(f"{path}: was made with {withheld} withheld; choose another folder")
    done = {}
    for name, ds in experiment.analyse(date, missing) if missing else ():
        path = result_path(folder, name, date)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_dataset(ds, path)
        done[name] = ds.attrs["cpu_seconds"]
    return done


def _initialise(threads: int) -> None:
    torch.set_num_threads(threads)


def run(
    experiment: Experiment,
    folder: str | os.PathLike,
    days: Sequence[np.datetime64],
    names: Sequence[str] = USUAL,
    workers: int = 1,
    scheduler: str | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> None:
    """Analyse days, and keep the results as `folder/<method>/<day>.nc`; interrupted, the same call goes on.

    Days are independent of each other, so they can be shared: among processes of this machine (`workers`), among
    several machines by `torchrun` (each rank takes its share), or among the workers of a dask scheduler. Random numbers
    belong to a day and a window, so the results do not depend on who computes them.

    Args:
        scheduler: address of a dask.distributed scheduler, whose workers see the same folders.

    Raises:
        InputError: an unknown method, results of other settings in the folder, or see `Experiment.observations`.
    """
    folder = Path(folder)
    names = full_names(names)
    check_folder(folder)
    folder.mkdir(exist_ok=True)
    rank, world = (int(os.environ.get(key, default)) for key, default in (("RANK", "0"), ("WORLD_SIZE", "1")))
    days = list(days)[rank::world]
    if scheduler is not None:
        from distributed import Client
        from distributed import as_completed as finished

        with Client(scheduler) as client:
            futures = {client.submit(run_day, experiment, folder, d, names, pure=False): d for d in days}
            for future in finished(futures):
                progress(_told(futures[future], future.result()))
        return
    if workers <= 1:
        for date in days:
            progress(_told(date, run_day(experiment, folder, date, names)))
        return
    threads = max(1, count_processors() // workers)
    with ProcessPoolExecutor(workers, get_context("spawn"), _initialise, (threads,)) as pool:
        futures = {pool.submit(run_day, experiment, folder, date, names): date for date in days}
        try:
            for future in as_completed(futures):
                progress(_told(futures[future], future.result()))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _told(date: np.datetime64, seconds: dict[str, float]) -> str:
    took = ", ".join(f"{COMMON_NAMES[name]} {value:.0f} s" for name, value in seconds.items())
    return f"{np.datetime64(date, 'D')}: {took or 'is there'}"


def open_results(folder: str | os.PathLike, name: str, variables: Sequence[str] = STORED) -> xr.Dataset:
    """Some variables of a method's analyses of all days, in memory: dims ([member,] time, latitude, longitude).

    Days between them of which there is none are NaN, so that nothing is interpolated across.

    Raises:
        InputError: there is none, or they are not all of one setting and with the same altimeter withheld.
    """
    place = result_path(Path(folder), name, np.datetime64("2000-01-01")).parent
    days, settings = [], set()
    for path in sorted(place.glob("*.nc")):
        with open_product(path) as day:
            days.append(day[list(variables)].load().astype("f4"))
            settings.add((day.attrs.get("setting"), day.attrs.get("withheld")))
    if not days:
        raise InputError(f"{place}: no analyses by {KEPT[name]}, expected those that `genda ose` writes")
    if len(settings) > 1:
        raise InputError(f"{place}: analyses of {len(settings)} settings, expected one")
    found = xr.concat(days, "time", combine_attrs="override", join="exact")
    first, last, day = *found["time"].values[[0, -1]], np.timedelta64(1, "D")
    return found.reindex(time=np.arange(first, last + day, day))
