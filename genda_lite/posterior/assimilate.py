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
from ..prior.base import Prior
from ..prior.samplers import SAMPLERS, Denoise, MemberNoise
from ..prior.spectral import INFINITE_NOISE
from ..state import VARIABLES
from ..version import __version__
from .guidance import GUIDANCES
from .problem import build_problem
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
) -> Tensor:
    """Draws from the posterior in standardized units, (members, C, ny, nx).

    They start at the highest noise from draws of the posterior of optimal interpolation: the red end of the spectrum is
    not drowned by any noise, and has the posterior's mean and spread from the first step. A sampler ends with the
    mean E[x0 | x, y] at the lowest noise; what is still unknown there, up to that noise wherever nothing is observed
    more precisely, is drawn from the Gaussian approximation and added.

    Args:
        guidance: of `GUIDANCES`, or a function like them. sampler: of `SAMPLERS`. Others as in `assimilate`.
        batch: where the likelihood has values for each member, not less than `members`.
    """
    method = GUIDANCES[guidance] if isinstance(guidance, str) else guidance
    guided, solve = method(prior, likelihood, context), InnovationSolver(prior, likelihood)
    run, levels = SAMPLERS[sampler]
    sigmas, spectrum = levels(steps), prior.spectrum
    noise = MemberNoise(seed, range(members), prior.shape, spectrum.variance.device)
    inflation = torch.as_tensor(prior.inflation, device=spectrum.variance.device).view(-1, 1, 1)

    def unknown(sigma: Tensor) -> Tensor:
        p = spectrum.from_modes(spectrum.posterior_variance(sigma).sqrt() * noise())
        errors = likelihood.draw_errors(noise(likelihood.value.shape[-1]), noise(len(likelihood.shared)))
        parts = zip(p.split(batch), errors.split(batch), strict=True)
        return torch.cat([perturbations(solve, sigma, *part) for part in parts])

    with tqdm(total=steps, unit="step", disable=callable(progress) or not progress, desc="assimilating") as bar:

        def denoise(x: Tensor, sigma: Tensor) -> Tensor:
            step = int((sigmas >= sigma).sum())
            if callable(progress):
                progress(step, steps)
            bar.update(step - bar.n)
            return torch.cat([guided(part, sigma) for part in x.split(batch)])

        x = interpolated(solve) + unknown(INFINITE_NOISE) + sigmas[0] * noise()
        x = run(denoise, x, sigmas, lambda: inflation * noise())
    return x + unknown(sigmas[-2])


def level_source(observations: Observations) -> np.ndarray | None:
    """Which observations (m,) set the reference level of sea level: those of the first source, if none is known.

    Sources of unknown reference determine sea level up to a constant. Each member is shifted to agree on average with
    the first of them, so that the map speaks the language of its observations.
    """
    level = observations.channel == "zos"
    if not level.any() or (observations.reference_error[level] == 0).any():
        return None
    return level & (observations.source == observations.source[level].min())


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
) -> xr.Dataset:
    """An ensemble of complete surface states that agree with the observations and the prior.

    Args:
        prior: from `load_prior`.
        observations: inside the grid; see `Observations.inside` to keep those that are.
        members: size of the ensemble. seed: of its noise; member i does not depend on how many there are.
        region: {"centre": (longitude, latitude)} or {"southwest": (longitude, latitude)} inside the prior's domain;
            by default the box around the middle of the observations that fits into the domain.
        grid: explicit 1-D latitude and longitude (a pair, or a data set with both) of the prior's size, anywhere: the
            prior then ignores where it is.
        date: for the seasonal climatology; by default the median time of the observations.
        fast: no gradients of the network: `FAST` in place of `DEFAULT`, a sixth of the work or less.
        guidance, sampler, steps: other than those of `DEFAULT` or `FAST`; see `posterior.guidance` and
            `prior.samplers` for what there is.
        linear: observations by any linear map, besides those of the table.
        batch: members that go through the network at a time, which bounds the memory; member i does not depend on it.
        progress: draw a bar; or a function that is told the step and their number before each step.
        further: the former name of `linear`, for one version more.

    Returns:
        dims (member, latitude, longitude), physical units: the state's channels, the total current `uo`, `vo`, and the
        climatology assumed, `<channel>_climatology` (latitude). Where no source of sea level has a known
        reference, `zos` is in that of the first, see `level_source`.

    Raises:
        InputError: see `build_problem`; an unknown method, or fewer than one member.

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
    problem = build_problem(prior, observations, region, grid, date, [*linear, *further])
    draws = sample_posterior(
        prior, problem.likelihood, problem.context, members, seed, guidance, sampler, steps, batch, progress
    )
    level = level_source(observations)
    if level is not None:
        residual = problem.likelihood.value - problem.likelihood.operator(draws)
        draws[:, prior.state.index("zos")] += residual[:, np.flatnonzero(level)].mean(1)[:, None, None]
    date = problem.date
    analysis = total_current(prior.standardizer.to_dataset(draws, problem.grid, date, prior.state), prior.standardizer)
    climatology = prior.standardizer.climatology(problem.grid.latitude, date)
    for name, values in zip(prior.standardizer.channels, climatology, strict=True):
        attrs = {"long_name": f"{VARIABLES[name]['long_name']}, climatology", "units": VARIABLES[name]["units"]}
        analysis[f"{name}_climatology"] = ("latitude", values, attrs)
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
        "climatology_date": str(date) if not np.isnat(date) else "annual mean",
        "genda_lite_version": __version__,
        "torch_version": str(torch.__version__),
    }
    return analysis
