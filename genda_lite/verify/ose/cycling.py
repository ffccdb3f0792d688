"""A cycle over the ocean: forecast, analysis, and the next forecast from it, on the files of an experiment.

    tools = load_tools(setting, "emulator.safetensors", "conditioned.safetensors")
    run_cycle(Experiment(Archive(), setting), CONDITIONED, tools, "runs/cycle", dates)

All ways get the same observations, no altimetry after noon of the date, and begin with the same day, an optimal
interpolation. States are carried member by member on the whole box; what is known of windows only is composed
(`posterior.compose`). Analyses are kept as those of `genda ose` are, and judged by the same command.
"""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...baselines.interpolation import Ensemble
from ...cycle.background import Background, BackgroundPrior, with_background
from ...cycle.conditioned import FORMAT as CONDITIONED_FORMAT
from ...cycle.conditioned import ConditionedPrior, load_conditioned
from ...cycle.cycle import CentredNoise, Condition, Day, about_mean, about_members, cycle, sampled, three_d_var
from ...cycle.forecast import Forecast, Persistence
from ...cycle.ocean import localized, repainted
from ...cycle.stored import ERROR, load_error, load_forecast
from ...errors import InputError
from ...files import check_folder, write_dataset
from ...posterior.compose import ComposedPrior, extended
from ...posterior.problem import build_problem
from ...prior import Prior, load_prior
from ...prior.base import grid_context
from ...prior.checkpoint import read_safetensors, write_safetensors
from ...prior.spectral import Spectrum
from ...sources import open_product
from ...state import Grid
from ...version import __version__
from .experiment import (
    CLIMATE,
    CONDITIONED,
    CYCLED,
    DIFFDA,
    LETKF,
    THREE_D_VAR,
    TRANSITIONS,
    WITH_BACKGROUND,
    Experiment,
    Setting,
    fields_of,
    result_path,
)

WAYS = tuple(CYCLED)
NEEDS_ERROR, NEEDS_NETWORK = (THREE_D_VAR, WITH_BACKGROUND), (CONDITIONED, TRANSITIONS, DIFFDA)
RESTART = "genda_lite cycle 1"
NOON = np.timedelta64(12, "h")


@dataclass(frozen=True)
class Tools:
    """What a cycle works with.

    Args:
        prior: of windows. forecast: of the box. background: B in the prior's functions, or a conditioned prior, or
            nothing. names: of the files, to be kept with the results.
        radius: of the LETKF's localization, km. inflation: of its ensemble.
        painting: options of `cycle.ocean.repainted` other than DiffDA's.
    """

    prior: Prior
    forecast: Forecast
    background: Spectrum | ConditionedPrior | None = None
    names: tuple[str, str] = ("", "")
    radius: float = 150.0
    inflation: float = 1.0
    painting: tuple[tuple[str, object], ...] = ()


def load_tools(
    prior: str | None = None,
    forecast: str | os.PathLike = "persistence",
    background: str | os.PathLike | None = None,
    every: float = 2.0,
    device: str = "cpu",
    grid: Grid | None = None,
    **options,
) -> Tools:
    """The prior, forecast and background error or conditioned prior of files; others as of `Tools`.

    Args:
        every: step of persistence, days. grid: of the box, which the simulated ocean needs.

    Raises:
        InputError: see `load_prior`, `load_forecast`, `load_error`, `load_conditioned`.
    """
    learned = load_prior(prior, device=device)
    believed = None
    if background is not None:
        _, metadata = read_safetensors(background, ERROR, CONDITIONED_FORMAT)
        if metadata["format"] == ERROR:
            believed = load_error(background, learned)
        else:
            believed = load_conditioned(background, device)
    names = Path(forecast).name, Path(background).name if background else ""
    return Tools(learned, load_forecast(forecast, learned, every, grid), believed, names, **options)


def way_of(name: str, tools: Tools, grid: Grid) -> tuple[Condition | None, Callable | None, Callable | None]:
    """Condition, analysis and update of `cycle` for a way.

    Raises:
        InputError: an unknown way, or one that lacks what it needs.
    """
    if name not in WAYS:
        raise InputError(f"way {name!r} is unknown, expected one of: {'; '.join(WAYS)}")
    if name in NEEDS_ERROR and not isinstance(tools.background, Spectrum):
        raise InputError(f"{name} needs the covariance of its background's error, expected a file of that")
    if name in NEEDS_NETWORK and not isinstance(tools.background, ConditionedPrior):
        raise InputError(f"{name} needs a prior conditioned on forecasts, expected a file of `genda train-background`")
    if name == LETKF:
        if isinstance(tools.forecast, Persistence):
            raise InputError("LETKF needs forecasts that draw an error of their own, expected other than persistence")
        return None, None, localized(grid, tools.radius, tools.inflation)
    prior = of_box(tools.prior, grid)
    if name == CLIMATE:
        still = Background(torch.zeros(prior.shape), prior.spectrum)
        return (lambda forecasts: BackgroundPrior(still, prior)), three_d_var, None
    if name in NEEDS_NETWORK:
        given = tools.background.given
        if name == CONDITIONED:
            return about_mean(given), sampled(), None
        if name == TRANSITIONS:
            return about_members(given), sampled(), None
        return about_members(given), repainted(grid, **dict(tools.painting)), None
    error = tools.background
    if tuple(error.shape) != tuple(prior.shape):
        covariance, basis = extended(error, grid.shape, prior.spectrum.basis)
        error = Spectrum(0.5 * (covariance + covariance.mT), basis=basis)
        error.basis = prior.spectrum.basis
    if name == THREE_D_VAR:
        return about_mean(lambda b: BackgroundPrior(Background(b, error), prior)), three_d_var, None
    return about_mean(lambda b: with_background(prior, Background(b, error))), sampled(), None


def of_box(prior: Prior, grid: Grid) -> Prior:
    """A prior of windows on a grid, composed where it is larger.

    Raises:
        InputError: it is smaller.
    """
    return prior if tuple(prior.shape[1:]) == grid.shape else ComposedPrior(prior, grid.shape)


def dates_of(experiment: Experiment, days: int | None, every: float, first: str | None = None) -> np.ndarray:
    """Dates of a cycle, every so many days.

    Raises:
        InputError: see `Experiment.days`, or steps that are no whole days.
    """
    if every != round(every) or every < 1:
        raise InputError(f"analyses every {every:g} days, expected one or more whole days")
    return experiment.days(days, first)[:: round(every)]


def likelihoods(experiment: Experiment, prior: Prior, grid: Grid, dates: Sequence[np.datetime64]) -> Iterator[tuple]:
    """Each date at noon with the likelihood of what was seen until then, or none where nothing was."""
    for date in dates:
        noon = np.datetime64(date, "D") + NOON
        seen, _ = experiment.observations(date, past=True)
        if not len(seen):
            yield noon, None
            continue
        yield noon, build_problem(prior, seen, grid=grid, date=noon).likelihood


def run_cycle(
    experiment: Experiment,
    name: str,
    tools: Tools,
    folder: str | os.PathLike,
    dates: Sequence[np.datetime64],
    progress: Callable[[str], None] = lambda text: None,
) -> None:
    """Cycle over dates, and keep each analysis as `folder/<way>/<day>.nc`; interrupted, the same call goes on.

    Beside them lies the last ensemble, from which the next day goes on, with the same noise as if it had never stopped.
    A day and the ensemble after it are written whole, one after the other; a day that is there already is made again.

    Raises:
        InputError: an unknown way, or one that lacks what it needs; a folder with a cycle of other settings; or dates
            that the forecast cannot reach.
    """
    folder, setting, grid = Path(folder), experiment.setting, experiment.setting.grid
    condition, analyse, update = way_of(name, tools, grid)
    prior = of_box(tools.prior, grid)
    check_folder(folder)
    place = result_path(folder, name, dates[0]).parent
    place.mkdir(parents=True, exist_ok=True)
    told = json.dumps(json.loads(setting.text()) | cycle_settings(name, tools), sort_keys=True)
    check_results(place, told)
    restart = place / "restart.safetensors"
    known = tools.prior.domain.holds(grid)

    def context(date: np.datetime64) -> Tensor:
        return grid_context(tools.prior.domain, grid, date, known)

    done = _resumed(restart, told)
    if done is None:
        start, ensemble = first_day(experiment, prior, grid, dates[0])
        keep(start, ensemble, prior, experiment, name, told, folder)
        write_safetensors(restart, RESTART, {"ensemble": ensemble}, {"date": str(start), "setting": told})
        progress(f"{dates[0]}: optimal interpolation")
    else:
        start, ensemble = done
    rest = [date for date in dates if np.datetime64(date, "D") + NOON > start]
    days = likelihoods(experiment, prior, grid, rest)
    for day in cycle(
        tools.forecast, condition, days, ensemble, start, setting.seed, analyse, context=context, update=update
    ):
        keep(day.time, day.analysis, prior, experiment, name, told, folder)
        write_safetensors(restart, RESTART, {"ensemble": day.analysis}, {"date": str(day.time), "setting": told})
        progress(_told(day))


def _told(day: Day) -> str:
    departure, spread = (float(a.double().square().mean().sqrt()) for a in (
        day.analysis.mean(0) - day.background.mean(0), day.analysis - day.analysis.mean(0)))  # fmt: skip
    return f"{np.datetime64(day.time, 'D')}: increment {departure:.3f}, spread {spread:.3f} (standard deviations)"


def cycle_settings(name: str, tools: Tools) -> dict:
    """What a cycle's numbers depend on, besides the setting of the experiment."""
    told = {"way": name, "forecast": tools.names[0], "background": tools.names[1]}
    if name == LETKF:
        told |= {"radius": tools.radius, "inflation": tools.inflation}
    return told | ({"painting": dict(tools.painting)} if name == DIFFDA else {})


def first_day(experiment: Experiment, prior: Prior, grid: Grid, date: np.datetime64) -> tuple[np.datetime64, Tensor]:
    """The date at noon and the ensemble that every way begins with: optimal interpolation of what was seen until then.

    Raises:
        InputError: nothing was.
    """
    (noon, likelihood), setting = next(likelihoods(experiment, prior, grid, [date])), experiment.setting
    if likelihood is None:
        raise InputError(f"nothing was observed until {date}, expected a first day with observations")
    noise = CentredNoise(setting.seed, range(setting.members), tuple(prior.shape), "cpu")
    still = BackgroundPrior(Background(torch.zeros(prior.shape), prior.spectrum), prior)
    return noon, three_d_var(still, likelihood, None, noise).float()


def keep(
    noon: np.datetime64, members: Tensor, prior: Prior, experiment: Experiment, name: str, told: str, folder: Path
) -> None:
    """Write an analysis as `genda ose` does."""
    grid, reference = experiment.setting.grid, experiment.reference()
    ds = fields_of(Ensemble(members), prior, grid, noon)
    wind = prior.standardizer.to_dataset(members, grid, noon)  # of which forecasts begin, too
    ds = ds.assign({component: wind[component].drop_vars("time") for component in ("uas", "vas")})
    ds["zos"] = (ds["zos"] + np.float32(reference)).assign_attrs(ds["zos"].attrs)
    ds["zos"].attrs["comment"] = "in the reference of the assimilated tracks"
    about = {
        "Conventions": "CF-1.11",
        "title": f"Analysis of the surface ocean by {CYCLED[name]}",
        "source": f"genda_lite {__version__}",
        "method": name,
        "setting": told,
        "withheld": experiment.archive.withheld,
        "reference": reference,  # added to sea level, m
    }
    ds = ds.assign_attrs(about).expand_dims(time=[noon.astype("datetime64[ns]")])
    ds = ds.transpose("member", "time", "latitude", "longitude", missing_dims="ignore")
    write_dataset(ds, result_path(folder, name, noon))


def check_results(place: Path, told: str) -> None:
    """Whether analyses that lie in a folder are of the same cycle.

    Raises:
        InputError: one is not.
    """
    for path in sorted(place.glob("*.nc"))[:1]:
        with open_product(path) as kept:
            if kept.attrs.get("setting") != told:
                raise InputError(f"{path}: is of other settings ({kept.attrs.get('setting')}); choose another folder")


def _resumed(restart: Path, told: str) -> tuple[np.datetime64, Tensor] | None:
    """The last date and ensemble of a cycle that was interrupted; none of one that has not begun."""
    if not restart.exists():
        return None
    tensors, metadata = read_safetensors(restart, RESTART)
    if metadata.get("setting") != told:
        raise InputError(f"{restart}: is of other settings ({metadata.get('setting')}); choose another folder")
    return np.datetime64(metadata["date"], "s"), tensors["ensemble"]


__all__ = ["WAYS", "Setting", "Tools", "dates_of", "load_tools", "run_cycle"]
