"""What of a latent space is worth what: one factor at a time from a middle case, on oceans that nothing was trained on.

    found = run(OceanCases(series, model, 30), ways(models), model, members=8, folder=Path("ablation"))
    rows = rows_of_ablation(found)

The paper's ablation (Qu et al. 2024, arXiv 2404.06665) coarsens, noises and thins the encoder's view of the complete
truth, and judges the pooled values of one draw. Here observations are of the sea, an ensemble is judged place by place,
and the paper's way is a row of its own, an oracle. Sea level is observed everywhere, as means of squares of cells or in
single cells, in units of its standard deviation; temperature likewise where a setting says so; and images and drifters
by their encoders. Two rows show what a score can see: the climatology, and the truth of another day, which pooled
values cannot tell from the truth.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import xarray as xr
from scipy.stats import wasserstein_distance
from torch import Tensor

from ...baselines.interpolation import Ensemble
from ...errors import InputError
from ...files import atomic_path
from ...latent.guidance import encoded_observations, sample_states
from ...latent.instruments import drifter_velocities, infrared_image, stirred_tracer
from ...latent.modalities import (
    CHANNELS,
    DRIFTERS,
    INFRARED,
    TRACER,
    JointEncoders,
    drifter_maps,
    infrared_maps,
    together,
    tracer_maps,
)
from ...latent.prior import LatentPrior, linear_latents
from ...latent.representation import latent_likelihood
from ...observe.likelihood import LinearGaussian
from ...posterior.assimilate import FAST, sample_posterior
from ...prepare.decompose import to_state
from ...prepare.frames import members_of
from ...prior.base import Prior, grid_context, state_shape
from ...prior.gaussian import GaussianPrior
from ...state import Grid
from ..engine import CLIMATOLOGY, Case
from ..table import row
from .scoreboard import evaluate, figures, paired_rows
from .told import told_drifters, told_infrared

PIXEL, PIXEL_GAUSSIAN, PIXEL_TOLD = "pixel", "pixel, Gaussian", "pixel, told the instrument"
LINEAR, CONVOLUTIONAL, JOINT = "latent linear", "latent convolutional", "latent joint"
WITHOUT, ORACLE, ANOTHER = "latent convolutional, without residual", "latent oracle", "truth of another day"
SEPARATOR = " | "  # between a way and a setting, in the name of an experiment
SCORED = ("zos", "thetao", "so", "uo", "vo")
DAYS = 20  # that a tracer is stirred
TARGETS = {"spread / error": (0.9, 1.1), "CRPS / pixel": 1.10, "seconds / pixel": 0.5}


class Setting(NamedTuple):
    """What is observed: means of squares of `coarsen` cells, in one of `every` of them along y and along x, with an
    `error` in standard deviations; of sea level, and of temperature if `temperature`; and `kinds` of other data."""

    coarsen: int = 4
    every: int = 1
    error: float = 0.5
    temperature: bool = False
    kinds: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """To be read."""
        parts = [f"means of {self.coarsen} cells" if self.coarsen > 1 else f"every {self.every}th cell"]
        parts += [f"error {self.error:g}", *(["temperature"] if self.temperature else []), *self.kinds]
        return ", ".join(parts)


MIDDLE = Setting()
COARSENED = tuple(MIDDLE._replace(coarsen=n) for n in (4, 8, 16, 32))
NOISED = tuple(MIDDLE._replace(error=e) for e in (0.1, 0.5, 1.0, 2.0))
THINNED = tuple(MIDDLE._replace(coarsen=1, every=n) for n in (4, 8, 12, 16))
EXTRA = (MIDDLE._replace(temperature=True), *(MIDDLE._replace(kinds=(kind,)) for kind in CHANNELS))
ALL_KINDS = MIDDLE._replace(kinds=tuple(CHANNELS))
SETTINGS = tuple(dict.fromkeys((*COARSENED, *NOISED, *THINNED, *EXTRA, ALL_KINDS)))


# --- Cases -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SeenCase(Case):
    """A case whose truth x (C, ny, nx) is seen by what a setting asks for; errors and skies are drawn by its number.

    Args:
        x: the truth, standardized. another: that of another day at the same place. today: all fields of the date.
        past: `uo`, `vo` of the days before and of the day after. number: of the case.
    """

    x: Tensor | None = None
    another: Tensor | None = None
    today: xr.Dataset | None = None
    past: xr.Dataset | None = None
    model: Prior | None = None
    number: int = 0
    known: dict = field(default_factory=dict)

    @property
    def context(self) -> Tensor:
        """Where and when, (1, 5, ny, nx)."""
        return grid_context(self.model.domain, self.grid, self.date, True)

    def observed(self, setting: Setting) -> LinearGaussian:
        """What is said of states by what a simple operator leads to."""
        places = [self.model.state.index(name) for name in ("zos", *(["thetao"] if setting.temperature else []))]
        operator = Averages(self.x.shape, places, setting.coarsen, setting.every)
        seen = operator(self.x[None])[0]
        generator = torch.Generator().manual_seed(self.number)
        value = seen + setting.error * torch.randn(seen.shape, generator=generator)
        return LinearGaussian(operator, value, torch.full_like(value, setting.error**2))

    def instrument(self, kind: str) -> xr.Dataset | xr.DataArray:
        """What an instrument saw."""
        if kind not in self.known:
            if kind == INFRARED:
                seen = infrared_image(self.today["thetao"].assign_coords(time=self.date), 0.5, seed=self.number)
            elif kind == TRACER:
                seen = stirred_tracer(self.past.sel(time=slice(None, self.date)), self.date, DAYS, seed=self.number)
            else:
                seen = drifter_velocities(self.past, self.date, seed=self.number)
            self.known[kind] = seen
        return self.known[kind]

    @cached_property
    def usual(self) -> np.ndarray:
        """The climatology of temperature (ny, 1), degC."""
        place = self.model.standardizer.channels.index("thetao")
        return self.model.standardizer.climatology(self.grid.latitude[:, None], self.date, self.grid.longitude)[place]

    def maps(self, kind: str) -> Tensor:
        """What an encoder is shown of an instrument."""
        seen = self.instrument(kind)
        if kind == DRIFTERS:
            return drifter_maps(seen, self.grid)
        if kind == TRACER:
            return tracer_maps(seen.values)
        scale = float(self.model.standardizer.scale[self.model.standardizer.channels.index("thetao")])
        return infrared_maps(seen["brightness"].values, self.usual, scale)


class Averages:
    """Means of squares of cells of some channels, in one of `every` squares: states (B, C, ny, nx) -> values (B, m)."""

    def __init__(self, shape: Sequence[int], places: list[int], coarsen: int, every: int):
        self.shape, self.places, self.coarsen, self.every = tuple(shape), places, coarsen, every

    def to(self, like: Tensor) -> "Averages":
        """It has no numbers of its own."""
        return self

    def __call__(self, x: Tensor) -> Tensor:
        """H x."""
        x = x[:, self.places]
        if self.coarsen > 1:
            x = torch.nn.functional.avg_pool2d(x, self.coarsen)
        return x[..., self.every // 2 :: self.every, self.every // 2 :: self.every].flatten(1)

    def adjoint(self, y: Tensor) -> Tensor:
        """H' y."""
        _, ny, nx = self.shape
        n, first = self.coarsen, self.every // 2
        squares = y.new_zeros(len(y), len(self.places), ny // n, nx // n)
        inside = squares[..., first :: self.every, first :: self.every]
        inside.copy_(y.view(inside.shape))
        out = y.new_zeros(len(y), *self.shape)
        out[:, self.places, : ny // n * n, : nx // n * n] = (
            squares.repeat_interleave(n, -2).repeat_interleave(n, -1) / n**2
        )
        return out


@dataclass(frozen=True)
class OceanCases:
    """Cases, made when they are asked for: dates spread over the series, oceans by turns, boxes at random.

    Args:
        series: dims [member,] time, latitude, longitude, daily; `zos thetao so uo vo uas vas`.
        model: a prior of states of the size wanted, latent or not.
    """

    series: list[xr.Dataset]
    model: Prior
    count: int
    seed: int = 0

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> SeenCase:
        """Make a case.

        Raises:
            IndexError: no such number.
            InputError: oceans smaller than a box, or series that are not daily or too short.
        """
        if not 0 <= number < self.count:
            raise IndexError(number)
        rng = np.random.default_rng([self.seed, number, 7])
        oceans = [ocean for one in self.series for ocean in members_of(one)]
        ocean, (ny, nx) = oceans[number % len(oceans)], state_shape(self.model)[1:]
        rows, columns, days = (ocean.sizes[dim] for dim in ("latitude", "longitude", "time"))
        times = ocean["time"].values
        if rows < ny or columns < nx:
            raise InputError(f"the oceans have {rows} x {columns} points, expected at least {ny} x {nx}")
        if days < DAYS + 3 or (np.diff(times) > np.timedelta64(36, "h")).any():
            raise InputError(f"a tracer and drifters need daily fields of {DAYS + 3} days or more, got {days} dates")
        day = DAYS + 1 + round((number + 0.5) / self.count * (days - DAYS - 3))
        south, west = rng.integers(rows - ny + 1), rng.integers(columns - nx + 1)
        box = {"latitude": slice(south, south + ny), "longitude": slice(west, west + nx)}
        other = (day + days // 2) % days
        both = [ocean.isel(time=[k]).load() for k in (day, other)]
        # On the whole grid: the smoothing of a state's currents reaches beyond the box.
        states = [to_state(one, self.model.standardizer).isel(time=0, **box) for one in both]
        today = both[0].isel(time=0, **box).drop_vars("member", errors="ignore")
        truth = states[0].assign(uo=today["uo"], vo=today["vo"]).drop_vars("member", errors="ignore")
        near = ocean[["uo", "vo"]].isel(time=slice(day - DAYS - 1, day + 2), **box).load()
        grid = Grid(truth["latitude"].values, truth["longitude"].values)
        x, another = (self.model.standardizer.to_tensor(state) for state in states)
        return SeenCase(
            grid, times[day], (), truth=truth, zones={"all": np.ones(grid.shape, bool)}, ocean=number % len(oceans),
            x=x, another=another, today=today, past=near, model=self.model, number=number,
        )  # fmt: skip


# --- Ways ------------------------------------------------------------------------------------------------------------


class Models(NamedTuple):
    """What is compared: priors of states, a latent prior and encoders of other data, those that there are."""

    pixel: Prior
    gaussian: GaussianPrior
    latent: LatentPrior | None = None
    encoders: JointEncoders | None = None


Way = Callable[[SeenCase, Setting, int], Ensemble]


def pixel(prior: Prior, case: SeenCase, setting: Setting, members: int, told: bool = False) -> Ensemble:
    """Guided sampling of states; `told` what other data say by the instruments' linearized operators."""
    likelihood = case.observed(setting)
    if told:
        likelihood = together(likelihood, *(TOLD[kind](case) for kind in setting.kinds if kind in TOLD))
    return Ensemble(sample_posterior(prior, likelihood, case.context, members, case.number, *FAST))


def through(prior: LatentPrior, case: SeenCase, setting: Setting, members: int, residual: bool = True) -> Ensemble:
    """Guidance through the decoder."""
    return Ensemble(
        sample_states(prior, case.observed(setting), case.context, members, case.number, *FAST, residual=residual)
    )


def jointly(
    prior: LatentPrior, encoders: JointEncoders, case: SeenCase, setting: Setting, members: int
) -> Ensemble:  # fmt: skip
    """Guidance through the decoder, and by the encoders of other data."""
    simple = case.observed(setting)
    known = together(
        latent_likelihood(prior.autoencoder, simple),
        encoders.observations({kind: case.maps(kind) for kind in setting.kinds}),
    )
    z = sample_posterior(prior, known, case.context, members, case.number, *FAST)
    return Ensemble(prior.completed(z, simple, case.number))


def oracle(prior: LatentPrior, case: SeenCase, setting: Setting, members: int) -> Ensemble:
    """The paper's way: the encoder's view of the complete truth, coarsened or thinned by as much in latent space, and
    decoded as it is."""
    cells = case.x.shape[1] // prior.shape[1]
    generator = torch.Generator().manual_seed(case.number)
    sizes = {"every": max(1, setting.every // cells), "coarsen": max(1, setting.coarsen // cells)}
    known = encoded_observations(prior.autoencoder, case.x[None], setting.error, generator=generator, **sizes)
    known.value = known.value[0]
    z = sample_posterior(prior, known, case.context, members, case.number, *FAST)
    with torch.no_grad():
        return Ensemble(prior.autoencoder.decode(z))


def climatology(prior: GaussianPrior, case: SeenCase, setting: Setting, members: int) -> Ensemble:
    """Draws of the Gaussian prior."""
    return Ensemble(prior.spectrum.sample(members, generator=torch.Generator().manual_seed(case.number)))


def another_day(case: SeenCase, setting: Setting, members: int) -> Ensemble:
    """The true state of another day, as if it were an estimate."""
    return Ensemble(None, case.another)


TOLD = {INFRARED: told_infrared, DRIFTERS: told_drifters}


def ways(models: Models, settings: Sequence[Setting] = SETTINGS) -> dict[str, tuple[Way, Setting]]:
    """All that is run, by name: way and setting. Ways that no setting touches are run in the middle case only."""
    latent = models.latent
    if latent is not None and models.pixel.state != latent.state:
        raise InputError("the latent prior decodes to other states than the pixel prior's, expected the same channels")
    keep = tuple(n // 4 for n in models.gaussian.shape[1:])
    plain: dict[str, Way] = {
        PIXEL: partial(pixel, models.pixel),
        LINEAR: partial(through, linear_latents(models.gaussian, keep)),
    }
    if latent is not None:
        plain |= {
            CONVOLUTIONAL: partial(through, latent),
            WITHOUT: partial(through, latent, residual=False),
            ORACLE: partial(oracle, latent),
        }
    chosen = {}
    for setting in settings:
        here = plain
        if setting.kinds:
            here = {}
            if any(kind in TOLD for kind in setting.kinds):
                here[PIXEL_TOLD] = partial(pixel, models.pixel, told=True)
            if latent is not None and models.encoders is not None:
                here[JOINT] = partial(jointly, latent, models.encoders)
        chosen |= {f"{name}{SEPARATOR}{setting.name}": (way, setting) for name, way in here.items()}
    once = {
        PIXEL_GAUSSIAN: partial(pixel, models.gaussian),
        CLIMATOLOGY: partial(climatology, models.gaussian),
        ANOTHER: another_day,
    }
    return chosen | {f"{name}{SEPARATOR}{MIDDLE.name}": (way, MIDDLE) for name, way in once.items()}


# --- Runs ------------------------------------------------------------------------------------------------------------


def pooled(ensemble: Ensemble, case: SeenCase) -> xr.DataArray:
    """Wasserstein-1 distance between the values of one draw and those of the truth, standard deviations, wherever they
    are, dims (state,)."""
    draw = (ensemble.draws if ensemble.draws is not None else ensemble.mean[None])[0]
    distances = [wasserstein_distance(a.flatten(), b.flatten()) for a, b in zip(draw, case.x, strict=True)]
    return xr.DataArray(distances, {"state": list(case.model.state.channels)}, ("state",))


def run(
    cases: OceanCases,
    chosen: dict[str, tuple[Way, Setting]],
    members: int = 8,
    folder: Path | None = None,
    progress: Callable[[str], None] = lambda text: None,
    made_of: str = "",
) -> xr.Dataset:
    """Scores of all cases, dims (case, experiment, ...) of `scoreboard.evaluate`, with `wasserstein` and CPU `seconds`.

    Args:
        folder: keeps the table of each case; what is there is not computed again, and an experiment may join later.
        made_of: what else the scores depend on: a folder keeps those of one such text.

    Raises:
        InputError: the folder holds tables of other settings.
    """
    settings, tables = f"{cases.count} {cases.seed} {members} {made_of}", []
    for number in range(len(cases)):
        path, found = folder / f"case{number:03d}.nc" if folder else None, []
        if path and path.exists():
            with xr.open_dataset(path, engine="h5netcdf") as kept:
                if kept.attrs["settings"] != settings:
                    raise InputError(f"{path}: is of a run with other settings ({kept.attrs['settings']}); delete it")
                found = [kept.load().drop_encoding()]
        missing = [name for name in chosen if not found or name not in found[0]["experiment"].values]
        case, fresh = cases[number] if missing else None, []
        for name in missing:
            way, setting = chosen[name]
            start = time.process_time()
            ensemble = way(case, setting, members)
            seconds = time.process_time() - start
            scored = evaluate(ensemble, case, case.model, None, members)
            scored = scored.assign(wasserstein=pooled(ensemble, case), seconds=seconds)
            fresh.append(scored.expand_dims(experiment=[name]))
        if fresh:
            new = xr.concat(fresh, "experiment", data_vars="all", coords="minimal", join="outer")
            found.append(new.assign(ocean=case.ocean))
        table = xr.concat(found, "experiment", data_vars="minimal", coords="minimal", compat="override", join="outer")
        if missing and path:
            with atomic_path(path) as temporary:
                table.assign_attrs(settings=settings).to_netcdf(temporary, engine="h5netcdf")
            progress(f"case {number + 1} of {len(cases)}: {float(table['seconds'].sum()):.0f} s")
        tables.append(table.sel(experiment=list(chosen)).expand_dims("case"))
    return xr.concat(tables, "case", data_vars="all", coords="minimal", join="outer").assign_attrs(members=members)


def rows_of_ablation(table: xr.Dataset) -> list[dict]:
    """Every experiment's figures, and what is claimed of them, as rows of `verify.table.row`.

    A difference has an interval where there are oceans enough, else it is told ocean by ocean (`scoreboard.paired`).
    """
    summary, rows = figures(table), []
    mean = table.mean("case")
    for name in table["experiment"].values:
        way, setting = name.split(SEPARATOR)
        here, labels = summary.sel(experiment=name), {"case": setting, "method": way}
        for metric in ("rmse", "crps", "spread_skill"):
            for channel in SCORED:
                goal = {}
                if metric == "spread_skill" and channel == "zos" and way in (LINEAR, CONVOLUTIONAL, JOINT):
                    goal = dict(zip(("lowest", "highest"), TARGETS["spread / error"], strict=True))
                value = here[metric].sel(channel=channel)
                title = f"{way}, {setting}: {metric}, {channel}"
                rows.append(row(title, value, **goal, detail=not goal, channel=channel, zone="all", metric=metric,
                                **labels))  # fmt: skip
        for channel in table["state"].values:
            for metric, value in (("member_departure", here), ("wasserstein", mean.sel(experiment=name))):
                title = f"{way}, {setting}: {metric}, {channel}"
                value = value[metric].sel(state=channel)
                rows.append(row(title, value, detail=True, channel=channel, metric=metric, **labels))
        seconds = mean["seconds"].sel(experiment=name)
        rows.append(row(f"{way}, {setting}: seconds", seconds, detail=True, metric="seconds", **labels))
    return [*rows, *claims(table)]


def claims(table: xr.Dataset) -> list[dict]:
    """What is claimed, as paired differences of CRPS: a latent prior less the pixel prior in every setting, each kind
    of data less none; and a latent prior's cost over the pixel prior's."""
    known, rows = set(table["experiment"].values), []

    def named(way: str, setting: Setting) -> str:
        return f"{way}{SEPARATOR}{setting.name}"

    for way in (LINEAR, CONVOLUTIONAL):
        for setting in SETTINGS:
            one, other = named(way, setting), named(PIXEL, setting)
            if {one, other} <= known:
                goal = {"highest": TARGETS["CRPS / pixel"] - 1} if setting == MIDDLE and way == CONVOLUTIONAL else {}
                rows += paired_rows(table, one, other, "zos", setting.name, detail=not goal, **goal)
        one, other = named(way, MIDDLE), named(PIXEL, MIDDLE)
        if {one, other} <= known:
            spent = table["seconds"].mean("case")
            ratio = spent.sel(experiment=one) / spent.sel(experiment=other)
            highest = TARGETS["seconds / pixel"] if way == CONVOLUTIONAL else None
            rows.append(row(f"{way}: CPU / pixel", ratio, highest=highest, method=way, metric="seconds / pixel"))
    for kind in (*CHANNELS, None):
        setting = ALL_KINDS if kind is None else MIDDLE._replace(kinds=(kind,))
        one, other = named(JOINT, setting), named(CONVOLUTIONAL, MIDDLE)
        if {one, other} <= known:
            for channel in ("thetao", "uo", "zos"):
                rows += paired_rows(table, one, other, channel, setting.name, highest=0.0)
    return rows
