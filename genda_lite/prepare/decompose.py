"""From products to the state: what a sea-level map says of the current, what the wind adds, and what is left over.

    total current = smoothed geostrophic + Ekman + residual ("ageostrophic eddy")

following the decomposition of GenDA (Martin, Manucharyan & Klein 2025, doi:10.1029/2025MS005063): the geostrophic part
comes from sea level (`ocean.currents`), the Ekman part is a linear response to wind stress (`climatology`), and the
residual (curvature of the flow, fronts, inertial motion) is a channel of its own. A simulated ocean and a reanalysis
take the same way, in memory or, with dask, in blocks of days.
"""

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from ..errors import InputError
from ..ocean.currents import (
    ageostrophic_current,
    geostrophic_current,
    smooth,
    stress_of,
)
from ..state import CHANNELS, INPUTS, Grid, Standardizer, as_channel
from .climatology import as_response, ekman_response, fit


def require(ds: xr.Dataset, names: tuple[str, ...] = INPUTS) -> None:
    """Check that a data set has the variables the state is made from.

    Raises:
        InputError: a variable or dimension is missing.
    """
    missing = [name for name in names if name not in ds]
    if missing:
        raise InputError(f"the data set lacks {', '.join(missing)}; expected {', '.join(names)}")
    dims = {"time", "latitude", "longitude"}
    if not dims <= set(ds["zos"].dims):
        raise InputError(f"zos has dims {ds['zos'].dims}, expected time, latitude and longitude")


def to_state(ds: xr.Dataset, ekman: Standardizer | xr.DataArray | np.ndarray) -> xr.Dataset:
    """The state's channels, the residual current being u + iv - smoothed geostrophic current - response * wind stress.

    Args:
        ds: `zos` (m), `thetao` (degC), `so` (1e-3), `uo`, `vo`, `uas`, `vas` (m s-1); lazy in, lazy out.
        ekman: the Ekman response (s m-1) of each latitude (ny,), of each point (latitude, longitude), or a standardizer
            with the former.

    Raises:
        InputError: a response of another grid.
    """
    residual = ageostrophic_current(ds) - as_response(ekman, ds) * stress_of(ds)
    residual = residual.transpose(*ds["uo"].dims)
    parts = {"u_ageo_eddy": residual.real, "v_ageo_eddy": residual.imag}
    return ds.assign({name: as_channel(part, name) for name, part in parts.items()})[list(CHANNELS)]


def total_current(state: xr.Dataset, ekman: Standardizer | xr.DataArray | np.ndarray) -> xr.Dataset:
    """Add `uo` and `vo` to a state: smoothed geostrophic + Ekman + residual current (m s-1), the inverse of `to_state`.

    Args:
        state: dims latitude, longitude and any others; lazy in, lazy out.
        ekman: the response the state was made with, as in `to_state`.

    Raises:
        InputError: a response of another grid.
    """
    drift = as_response(ekman, state) * stress_of(state)
    u, v = (smooth(part) for part in geostrophic_current(state["zos"]))
    balanced = {"uo": u + drift.real, "vo": v + drift.imag}
    residual = {"uo": state["u_ageo_eddy"], "vo": state["v_ageo_eddy"]}
    total = {name: part.transpose(*state["uas"].dims) + residual[name] for name, part in balanced.items()}
    return state.assign({name: as_channel(current, name) for name, current in total.items()})


def prepare(
    ds: xr.Dataset,
    standardizer: Standardizer | None = None,
    ekman: str | xr.DataArray | np.ndarray = "latitude",
) -> tuple[xr.Dataset, Standardizer]:
    """The state of a whole series, and its climatology: two passes over data of any length.

    Pass 1 sums up what the Ekman response, the climatology and the scales need, in one go. Pass 2, the state, is left
    to be computed: write it with `write_state`. Memory is bounded by a few blocks of days where `ds` is lazy.

    Args:
        ds: `zos thetao so uo vo uas vas` (m, degC, 1e-3, m s-1), dims [member,] time, latitude, longitude; NaN on land.
        standardizer: of other data, for validation; then nothing is fitted, unless `ekman` asks for it.
        ekman: the response that is taken out of the residual current. "latitude": one for each latitude, as in the
            standardizer; analyses at any longitude can then be turned back into total currents. "point": one for each
            point, as in GenDA; it belongs to this box and is stored beside the state. Or a given one, such as that of
            the training data.

    Returns:
        The state, float32, and the standardizer. A response of each point is in the state, see `stored_response`.

    Raises:
        InputError: a variable is missing, the grid is not ascending and even, or see `fit_standardizer`.
    """
    require(ds)
    if isinstance(ekman, str) and ekman not in ("latitude", "point"):
        raise InputError(f"ekman is {ekman!r}, expected 'latitude', 'point' or a response")
    Grid(ds["latitude"].values, ds["longitude"].values)
    ds = ds[list(INPUTS)].transpose(..., "time", "latitude", "longitude")
    if ds.chunks:
        ds = ds.unify_chunks().chunk(latitude=-1, longitude=-1)
    if standardizer is None:
        standardizer, response = fit(ds, ekman)
    elif isinstance(ekman, str):
        response = as_response(standardizer, ds) if ekman == "latitude" else ekman_response(ds)
    else:
        response = as_response(ekman, ds)
    state = to_state(ds, response)
    state = state.assign({name: as_channel(state[name], name) for name in CHANNELS})
    if response.ndim == 2:
        for part, values in (("real", response.real), ("imag", response.imag)):
            values.attrs = {"long_name": f"Ekman response, {part} part", "units": "s m-1"}
            state[f"ekman_{part}"] = values
    return state, standardizer


def standardized(state: xr.Dataset, standardizer: Standardizer) -> Tensor:
    """Standardized anomalies (time, C, ny, nx) of a state with dims (time, latitude, longitude)."""
    return torch.stack([standardizer.to_tensor(state.isel(time=day)) for day in range(state.sizes["time"])])
