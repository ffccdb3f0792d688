"""The public face of the posterior: a prior and observations in, an ensemble of surface states out."""

import warnings
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
import xarray as xr
from torch import Tensor
from tqdm.auto import tqdm

from ..errors import InputError
from ..observe.likelihood import LinearGaussian, LinearObservations
from ..observe.table import Observations
from ..prepare.decompose import total_current
from ..prior.base import Prior, state_shape
from ..prior.samplers import SAMPLERS, Denoise, MemberNoise
from ..prior.spectral import INFINITE_NOISE
from ..sources import read_climatology
from ..sources.files import Paths
from ..state import VARIABLES, Grid, later
from ..version import __version__
from .compose import prepared
from .guidance import GUIDANCES
from .innovations import check_innovations
from .problem import build_problem, given_grid, relocated
from .solve import InnovationSolver, interpolated, perturbations


class Settings(NamedTuple):
    """How to sample: a guidance of `GUIDANCES`, a sampler of `SAMPLERS`, and its steps."""

    guidance: str
    sampler: str
    steps: int


DEFAULT = Settings("hybrid", "sde-2m", 26)
FAST = Settings("oi", "sde-2m", 24)


def sample_posterior(
    prior: Prior,
    likelihood: LinearGaussian,
    context: Tensor,
    members: int,
    seed: int = 0,
    guidance: str | Callable[..., Denoise] = DEFAULT.guidance,
    sampler: str = DEFAULT.sampler,
    steps: int = DEFAULT.steps,
    batch: int = 8,
    progress: bool | Callable[[int, int], None] = False,
    solve: InnovationSolver | None = None,
    noise: MemberNoise | None = None,
) -> Tensor:
    """Draws from the posterior in standardized units, (members, C, ny, nx).

    They start at the highest noise from draws of the posterior of optimal interpolation: the red end of the spectrum is
    not drowned by any noise, and has the posterior's mean and spread from the first step. A sampler ends with the
    mean E[x0 | x, y] at the lowest noise; what is still unknown there, up to that noise wherever nothing is observed
    more precisely, is drawn from the Gaussian approximation and added.

    Args:
        guidance: of `GUIDANCES`, or a function like them. sampler: of `SAMPLERS`. Others as in `assimilate`.
        batch: where the likelihood has values for each member, not less than `members`.
        solve: of prior and likelihood, where one has its factor already. noise: in place of that of the seed.
    """
    method = GUIDANCES[guidance] if isinstance(guidance, str) else guidance
    guided, solve = method(prior, likelihood, context), solve or InnovationSolver(prior, likelihood)
    run, levels = SAMPLERS[sampler]
    sigmas, spectrum = levels(steps), prior.spectrum
    noise = noise or MemberNoise(seed, range(members), prior.shape, spectrum.variance.device)
    inflation = torch.as_tensor(prior.inflation, device=spectrum.variance.device).view(-1, 1, 1)

    def unknown(sigma: Tensor, near: Tensor) -> Tensor:
        p = spectrum.from_modes(spectrum.posterior_variance(sigma).sqrt() * noise())
        errors = likelihood.draw_errors(noise(likelihood.value.shape[-1]), noise(len(likelihood.shared)))
        parts = zip(near.split(batch), p.split(batch), errors.split(batch), strict=True)
        return torch.cat([perturbations(solve.at(x), sigma, *part) for x, *part in parts])

    with tqdm(total=steps, unit="step", disable=callable(progress) or not progress, desc="assimilating") as bar:

        def denoise(x: Tensor, sigma: Tensor) -> Tensor:
            step = int((sigmas >= sigma).sum())
            if callable(progress):
                progress(step, steps)
            bar.update(step - bar.n)
            return torch.cat([guided(part, sigma) for part in x.split(batch)])

        mean = spectrum.variance.new_zeros(members, *prior.shape)
        x = interpolated(solve.at(mean)) + unknown(INFINITE_NOISE, mean) + sigmas[0] * noise()
        x = run(denoise, x, sigmas, lambda: inflation * noise())
    return x + unknown(sigmas[-2], x)


def level_source(observations: Observations) -> np.ndarray | None:
    """Which observations (m,) set the reference level of sea level: those of the first source, if none is known.

    Sources of unknown reference determine sea level up to a constant. The map is in the reference of the first of them,
    so that it speaks the language of its observations; see `constants`.
    """
    level = observations.channel == "zos"
    if not level.any() or (observations.reference_error[level] == 0).any():
        return None
    return level & (observations.source == observations.source[level].min())


def constants(likelihood: LinearGaussian, draws: Tensor, source: np.ndarray, white: Tensor) -> Tensor:
    """A draw of the constant c of one source of sea level for each draw x of the state, standardized units, (members,).

    The source says y = H x + c + e, c ~ N(0, s^2), e ~ N(0, R) without shared terms; by Bayes' rule

        c | x, y ~ N(v sum (y - H x) / r, v),    v = (1 / s^2 + sum 1 / r)^-1

    with the diagonal r of R. With x a draw of its posterior, (x, c) is one of both together, whatever the prior, and
    x + c is sea level in the reference of the source: at a single observation it is as uncertain as the observation.

    Args:
        draws: x (members, C, ny, nx). source: its observations, places (n,). white: noise (members,).
    """
    residual = (likelihood.value - likelihood.operator(draws))[:, source]
    precision = 1 / likelihood.variance[source]
    s2 = likelihood.shared[:, source].square().sum(0).mean()
    variance = 1 / (1 / s2 + precision.sum())
    return variance * (residual @ precision) + variance.sqrt() * white


def physical(draws: Tensor, prior: Prior, grid: Grid, date: np.datetime64, lag: float = 0.0) -> xr.Dataset:
    """What `assimilate` returns of one day, `lag` days from the date, but for attributes."""
    standardizer = prior.standardizer
    fields = total_current(standardizer.to_dataset(draws, grid, date, prior.state, lag), standardizer)
    usual = standardizer.climatology(grid.latitude[:, None], later(date, lag), grid.longitude)
    dims = ("latitude",) if standardizer.longitude is None else ("latitude", "longitude")
    for name, values in zip(standardizer.channels, usual, strict=True):
        attrs = {"long_name": f"{VARIABLES[name]['long_name']}, climatology", "units": VARIABLES[name]["units"]}
        fields[f"{name}_climatology"] = (dims, values.squeeze(), attrs)
    return fields


def assimilate(
    prior: Prior,
    observations: Observations,
    members: int = 16,
    seed: int = 0,
    region: dict[str, tuple[float, float]] | None = None,
    grid=None,
    date=None,
    guidance: str | None = None,
    sampler: str | None = None,
    steps: int | None = None,
    fast: bool = False,
    linear: Sequence[LinearObservations] = (),
    batch: int = 8,
    progress: bool | Callable[[int, int], None] = False,
    further: Sequence[LinearObservations] = (),
    climatology: Paths | xr.Dataset | None = None,
    dates: Sequence | None = None,
) -> xr.Dataset:
    """An ensemble of complete surface states that agree with the observations and the prior.

    A warning says so where they cannot (`posterior.innovations`), and where the grid leaves the prior's latitudes.

    Args:
        prior: from `load_prior`.
        observations: inside the grid; see `Observations.inside` to keep those that are. A prior of several days takes
            each at its own time, and refuses those outside its days (`Observations.during`). Errors are at least a
            thousandth of what their channel varies by: rounding hides smaller ones.
        members: size of the ensemble. seed: of its noise; member i does not depend on how many there are.
        region: {"centre": (longitude, latitude)} or {"southwest": (longitude, latitude)} inside the prior's domain;
            by default the box around the middle of the observations that fits into the domain.
        grid: explicit 1-D latitude and longitude (a pair, or a data set with both) of the prior's size, at the prior's
            latitudes and any longitude. The prior then ignores where it is, in its domain, too: it knows of the place
            only the climatology, and `position_used` among the attributes is "False" (`region` says "True"). With a
            climatology at any latitude, but for 5 degrees about the equator. A larger one is composed of windows
            (`posterior.compose`).
        date: for the seasonal climatology; by default the median time of the observations.
        dates: days to analyse together, of a prior of several days, as many of its frames apart; in place of `date`.
            Observations may lie on the days of the windows that hold them. More days than the prior's are composed.
        fast: no gradients of the network: `FAST` in place of `DEFAULT`, a third of the network calls or less.
        guidance, sampler, steps: other than those of `DEFAULT` or `FAST`; see `posterior.guidance` and
            `prior.samplers` for what there is.
        linear: observations by any linear map, besides those of the table.
        batch: members that go through the network at a time, which bounds the memory; member i does not depend on it.
        progress: draw a bar; or a function that is told the step and their number before each step.
        further: the former name of `linear`, for one version more.
        climatology: of the sea that `grid` lies in, in place of the prior's own: anything `sources.read_climatology`
            reads, the World Ocean Atlas or the mean of a reanalysis. The scale of the anomalies stays the prior's, and
            what the climatology lacks has a mean of zero; south of the equator the prior sees a mirror image, see
            `prepare.local`.

    Returns:
        dims (member, latitude, longitude), with dates (member, time, latitude, longitude), physical units: the state's
        channels, the total current `uo`, `vo`, and the climatology assumed, `<channel>_climatology` ([time,] latitude),
        of a place ([time,] latitude, longitude). Where no source of
        sea level has a known reference, `zos` is in that of the first, see `level_source`, and as uncertain as its
        values leave it.

    Raises:
        InputError: see `build_problem`; an error that is too small, the message says how large it must be; an unknown
            method, or fewer than one member; a climatology without a grid, and see `read_climatology`, `prepare.local`;
            both date and dates, and see `compose.prepared`.

    Examples:
        A single measurement of sea level, and the Gaussian prior (the diffusion prior is `load_prior()`):

        >>> import xarray as xr
        >>> import genda_lite as gl
        >>> place = {"latitude": ("point", [38.0]), "longitude": ("point", [-60.0])}
        >>> point = xr.Dataset({"zos": ("point", [0.9])}, place)
        >>> seen = gl.Observations.from_points(point, "zos", error=0.02, reference_error=0.0)  # m
        >>> prior = gl.load_prior("gaussian")
        >>> analysis = gl.assimilate(prior, seen, members=4, date="2017-06-01", fast=True)
        >>> dict(analysis.sizes)
        {'member': 4, 'latitude': 64, 'longitude': 64}
        >>> here = analysis.zos.interp(latitude=38.0, longitude=-60.0)
        >>> bool(abs(here - 0.9).max() < 0.1)
        True
        >>> spread = analysis.zos.std("member")  # less where it was measured than far away
        >>> bool(spread.interp(latitude=38.0, longitude=-60.0) < 0.5 * spread.max())
        True
    """
    guidance, sampler, steps = (
        given if given is not None else default
        for given, default in zip((guidance, sampler, steps), FAST if fast else DEFAULT, strict=True)
    )
    for what, name, known in (("guidance", guidance, GUIDANCES), ("sampler", sampler, SAMPLERS)):
        if name not in known:
            raise InputError(f"{what} {name!r} is unknown, expected one of {', '.join(known)}")
    if members < 1 or steps < 2 or batch < 1:
        raise InputError(f"expected members >= 1, steps >= 2, batch >= 1, got {members}, {steps}, {batch}")
    if further:
        warnings.warn("assimilate(further=…) is now assimilate(linear=…)", DeprecationWarning, 2)
    source = "the prior's"
    if climatology is not None:
        if grid is None:
            raise InputError("climatology= goes with grid=, expected the latitudes and longitudes to analyse")
        climatology, grid = read_climatology(climatology), given_grid(grid, state_shape(prior)[1:], larger=True)
        prior, source = relocated(prior, climatology, grid), climatology.attrs["source"]
    if date is not None and dates is not None:
        raise InputError("give either date=, one, or dates=, several days to analyse together, not both")
    prior, grid, middle, days = prepared(prior, grid, dates)
    problem = build_problem(prior, observations, region, grid, date if days is None else middle, [*linear, *further])
    observations = problem.observations
    # A latent prior says what observations tell of its latents, and makes complete states of these.
    latent = tuple(prior.shape) != state_shape(prior)
    told = prior.told(problem.likelihood) if latent else problem.likelihood
    solve = InnovationSolver(prior, told)
    check_innovations(solve, observations)
    draws = sample_posterior(
        prior, told, problem.context, members, seed, guidance, sampler, steps, batch, progress, solve
    )
    if latent:
        draws = prior.completed(draws, problem.likelihood, seed, batch)
    level = level_source(observations)
    if level is not None:
        white = MemberNoise(seed, range(-1, -1 - members, -1), (), draws.device)  # of seeds that no member has
        shift = constants(problem.likelihood, draws, np.flatnonzero(level), white())
        # The constant is one, whatever the day.
        draws[:, [prior.state.index("zos", day) for day in prior.state.days_of("zos")]] += shift[:, None, None, None]
    date = problem.date
    if days is None:
        analysis = physical(draws, prior, problem.grid, date)
    else:
        lags = np.round((days - date) / np.timedelta64(1, "D"), 6)
        fields = [physical(draws, prior, problem.grid, date, float(lag)) for lag in lags]
        analysis = xr.concat(fields, "time", combine_attrs="override")
        analysis = analysis.transpose("member", "time", "latitude", "longitude", missing_dims="ignore")
    if level is not None:
        analysis["zos"].attrs["comment"] = "in the reference level of the first source; the climatology has its own"
    analysis.attrs = {
        "Conventions": "CF-1.11",
        "title": "Ensemble analysis of the surface ocean",
        "source": f"genda_lite {__version__}, {prior.name} prior, {guidance} guidance, {steps} steps of {sampler}",
        "prior": prior.name,
        "guidance": guidance,
        "sampler": sampler,
        "steps": steps,
        "seed": seed,
        "observations": len(observations),
        "position_used": str(problem.position_used),
        "climatology": source,
        "climatology_date": str(date) if not np.isnat(date) else "annual mean",
        "genda_lite_version": __version__,
        "torch_version": str(torch.__version__),
    }
    return analysis
