"""Single estimates in twin experiments: the fields that are judged, and the Gaussian spread of what has no members.

    fitted = fit_dressing(Cases(validation, prior, 120), known[REGRESSION], prior, seeds=seeds_of(validation))
    deviation = dressed(estimate, case, prior, fitted)           # of another ocean's case
"""

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from scipy.ndimage import gaussian_filter

from ...baselines.interpolation import Ensemble
from ...errors import InputError
from ...observe.table import Observations
from ...ocean.currents import relative_vorticity
from ...prepare.decompose import total_current
from ...prior import Prior
from ...sources.samples import sample_names, sample_path
from ...state import CHANNELS, METRES_PER_DEGREE, Grid
from .. import scores
from ..dress import Dressing, fit
from ..engine import Case, Method
from ..prior import EDGE
from .sweep import southwest

DERIVED = ("uo", "vo", "vorticity", "sst_gradient")  # of these all but the edges are judged
SCORED = (*CHANNELS, *DERIVED)
OBSERVED_BY = dict.fromkeys(("u_ageo_eddy", "v_ageo_eddy", "uo", "vo", "vorticity"), "zos") | {"sst_gradient": "thetao"}
NEAR = 3.0  # cells, over which observations count as near
SHIPPED_DRESSING = "regression_lite_dressing.csv"


def with_derived(fields: xr.Dataset) -> xr.Dataset:
    """Add vorticity over f and the size of the temperature gradient (degC / 100 km)."""
    across = 1e5 / METRES_PER_DEGREE
    cosine = np.cos(np.radians(fields["latitude"]))
    gradient = np.hypot(
        fields["thetao"].differentiate("latitude"), fields["thetao"].differentiate("longitude") / cosine
    )
    return fields.assign(vorticity=relative_vorticity(fields["uo"], fields["vo"]), sst_gradient=across * gradient)


def physical(x, case: Case, prior: Prior) -> xr.Dataset:
    """States (M, C, ny, nx) as fields `SCORED`, dims (member, latitude, longitude) of the truth's grid."""
    fields = prior.standardizer.to_dataset(x.cpu(), case.grid, case.date, prior.state).drop_vars("time")
    fields = with_derived(total_current(fields, prior.standardizer))[list(SCORED)]
    return fields.assign_coords({dim: case.truth[dim].variable for dim in scores.GRID})


def judged_truth(case: Case) -> xr.Dataset:
    """The true fields `SCORED`, derived ones away from the edges."""
    truth = with_derived(case.truth)[list(SCORED)].drop_vars("time", errors="ignore")
    inner = np.zeros(case.grid.shape, bool)
    inner[EDGE:-EDGE, EDGE:-EDGE] = True
    return truth.assign({name: truth[name].where(xr.DataArray(inner, dims=scores.GRID)) for name in DERIVED})


def features(observations: Observations, grid: Grid, field: xr.DataArray) -> dict[str, np.ndarray]:
    """Two features of an estimate's points that its errors depend on, (ny, nx) each. The first is how much is observed
    near a point: the density of observations of the channel within about `NEAR` cells; for currents, of observations of
    sea level. The second is the size of the estimate's gradient.

    Two-fold on 120 validation cases, classes of both have 0.73 (temperature) to 0.75 (sea level) of the mean absolute
    error. With observations of all channels, weighted by their precision or not, temperature has 0.74 or 0.76; six
    classes of each in place of four gain 0.003 at most.
    """
    seen = observations.select(observations.channel == OBSERVED_BY.get(field.name, field.name))
    near = np.zeros(grid.shape)
    np.add.at(near, grid.nearest(seen.latitude, seen.longitude), 1.0)
    gradient = np.hypot(*np.gradient(field.transpose(*scores.GRID).values))
    return {"near": gaussian_filter(near, NEAR, mode="nearest"), "gradient": gradient}


def dressed(mean, case: Case, prior: Prior, dressing: Dressing) -> xr.Dataset:
    """The deviation about an estimate (C, ny, nx), fields `SCORED`."""
    fields = physical(mean[None], case, prior).isel(member=0, drop=True)
    return fields.map(
        lambda one: one.copy(data=dressing.classes[one.name](**features(case.observations, case.grid, one)))
        if one.name in dressing.classes
        else np.nan * one
    )


def own_deviation(ensemble: Ensemble, case: Case, prior: Prior) -> xr.Dataset:
    """The deviation that an estimate comes with; of derived fields it says nothing."""
    scale = prior.standardizer.scale_of(prior.state)
    fields = physical(ensemble.mean[None], case, prior).isel(member=0, drop=True)
    deviation = ensemble.deviation.cpu().numpy()
    known = {name: scale[i] * deviation[i] for name in CHANNELS for i in [prior.state.index(name)]}
    return fields.map(lambda one: one.copy(data=known[one.name]) if one.name in known else np.nan * one)


def fit_dressing(
    cases: Iterable[Case], method: Method, prior: Prior, progress: Callable[[str], None] = lambda text: None, **about
) -> Dressing:
    """Classes of deviations of a method's single estimate, fitted on cases that are not to be scored.

    Args:
        about: what else to keep with it; `seeds` of the oceans, by which `check_apart` knows them.
    """
    errors: dict[str, list] = {name: [] for name in SCORED}
    known: dict[str, list] = {name: [] for name in SCORED}
    for number, case in enumerate(cases):
        ensemble = method.run(case.task(prior, 1, number, region=southwest(case.grid)))
        fields, truth = physical(ensemble.mean[None], case, prior).isel(member=0, drop=True), judged_truth(case)
        for name in SCORED:
            errors[name].append((fields[name] - truth[name]).transpose(*scores.GRID).values)
            known[name].append(features(case.observations, case.grid, fields[name]))
        progress(f"case {number + 1}")
    classes = {
        name: fit(np.stack(errors[name]), {f: np.stack([one[f] for one in known[name]]) for f in known[name][0]})
        for name in SCORED
    }
    return Dressing(classes, {"dresses": method.name, "cases": len(errors["zos"])} | about)


def shipped_dressing(path: Path | None = None, regression: Path | None = None) -> Dressing | None:
    """The dressing of a file, or that of the shipped regression of the default prior; none for any other regression."""
    if path is None and (regression is not None or SHIPPED_DRESSING not in sample_names()):
        return None
    return Dressing.read(path or sample_path(SHIPPED_DRESSING))


def seeds_of(series: Sequence[xr.Dataset]) -> str:
    """The seeds of simulated oceans, as their files say; none of others."""
    seeds = {int(seed) for one in series for seed in np.atleast_1d(one.attrs.get("seed", []))}
    return ", ".join(map(str, sorted(seeds)))


def check_apart(dressing: Dressing, series: Sequence[xr.Dataset]) -> None:
    """Whether a dressing was fitted on other oceans than these.

    Raises:
        InputError: it was not, or it does not say.
    """
    if "seeds" not in dressing.about:
        raise InputError("a spread does not say which oceans it was fitted on, expected the seeds in its first lines")
    fitted, scored = (set(re.findall(r"\d+", text)) for text in (dressing.about["seeds"], seeds_of(series)))
    if both := sorted(fitted & scored):
        raise InputError(
            f"the spread of {dressing.about.get('dresses', 'an estimate')} was fitted on oceans of seed "
            f"{', '.join(both)}, which are to be scored; expected one of other oceans"
        )
