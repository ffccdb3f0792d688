"""From products to the state: what a sea-level map says of the current, what the wind adds, and what is left over.

    total current = smoothed geostrophic + Ekman + residual ("ageostrophic eddy")

following the decomposition of GenDA (Martin, Manucharyan & Klein 2025): the geostrophic part comes from sea level, the
Ekman part is a linear response to wind stress, and the residual (curvature of the flow, fronts, inertial motion) is a
channel of its own.
"""

from typing import NamedTuple

import numpy as np
import torch
import xarray as xr
from scipy.ndimage import gaussian_filter1d
from torch import Tensor
from tqdm.auto import tqdm

from .errors import InputError
from .state import CHANNELS, EARTH_RADIUS, GRAVITY, VARIABLES, Grid, Standardizer, coriolis, harmonics, wind_stress

SMOOTHING = 1.5  # cells; standard deviation of the Gaussian on the geostrophic current
METRES_PER_DEGREE = np.pi * EARTH_RADIUS / 180
REQUIRED = ("zos", "thetao", "so", "uo", "vo", "uas", "vas")


def geostrophic_current(zos: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """Current in balance with sea level (m): u = -(g/f) dz/dy, v = (g/f) dz/dx, in m s-1; any further dims are kept."""
    factor = GRAVITY / coriolis(zos["latitude"]) / METRES_PER_DEGREE
    u = -factor * zos.differentiate("latitude")
    v = factor / np.cos(np.radians(zos["latitude"])) * zos.differentiate("longitude")
    names = ("Eastward", "Northward")
    parts = []
    for part, name in zip((u, v), names, strict=True):
        part = part.transpose(*zos.dims).astype(zos.dtype)
        part.attrs = {"long_name": f"{name} geostrophic current", "units": "m s-1"}
        parts.append(part)
    return parts[0], parts[1]


def smooth(field: xr.DataArray, cells: float = SMOOTHING) -> xr.DataArray:
    """Gaussian smoothing over latitude and longitude; `cells` is the standard deviation."""
    data = field.values
    for dim in ("latitude", "longitude"):
        data = gaussian_filter1d(data, cells, axis=field.get_axis_num(dim), mode="nearest")
    return field.copy(data=data)


def ageostrophic_current(ds: xr.Dataset) -> np.ndarray:
    """Complex total current minus the smoothed geostrophic one (m s-1), dims as in `ds["uo"]`."""
    u, v = geostrophic_current(ds["zos"])
    return ds["uo"].values - smooth(u).values + 1j * (ds["vo"].values - smooth(v).values)


class TrainingSet(NamedTuple):
    """Standardized frames (n, C, ny, nx) with their harmonics of the year (n, 3), and how they were made."""

    frames: Tensor
    harmonics: Tensor
    latitude: np.ndarray
    longitude: np.ndarray
    standardizer: Standardizer


def require(ds: xr.Dataset, names: tuple[str, ...] = REQUIRED) -> None:
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


def members_of(ds: xr.Dataset) -> list[xr.Dataset]:
    """The oceans in a data set, one by one; a data set without a `member` dimension is one ocean."""
    if "member" not in ds["zos"].dims:
        return [ds.transpose("time", "latitude", "longitude", ...)]
    return [ds.isel(member=m).transpose("time", "latitude", "longitude", ...) for m in range(ds.sizes["member"])]


def fit_ekman(oceans: list[xr.Dataset]) -> np.ndarray:
    """Least-squares Ekman response at each latitude, (ny,) complex: ageostrophic current = response * stress."""
    cross = power = 0.0
    for ocean in oceans:
        stress = wind_stress(ocean["uas"].values + 1j * ocean["vas"].values)
        current = ageostrophic_current(ocean)
        stress = stress - stress.mean(0)
        cross = cross + (np.conj(stress) * (current - current.mean(0))).sum((0, 2))
        power = power + (np.abs(stress) ** 2).sum((0, 2))
    return cross / power


def to_state(ds: xr.Dataset, ekman: np.ndarray) -> xr.Dataset:
    """The state's channels from `zos thetao so uo vo uas vas`, given the Ekman response of each latitude (ny,)."""
    stress = wind_stress(ds["uas"].values + 1j * ds["vas"].values)
    residual = ageostrophic_current(ds) - ekman[:, None] * stress
    dims = ds["uo"].dims
    parts = {"u_ageo_eddy": residual.real, "v_ageo_eddy": residual.imag}
    new = {name: (dims, part.astype("f4"), dict(VARIABLES[name])) for name, part in parts.items()}
    return ds.assign(new)[list(CHANNELS)]


def total_current(state: xr.Dataset, standardizer: Standardizer) -> xr.Dataset:
    """Add `uo` and `vo` to a state: smoothed geostrophic + Ekman + residual current (m s-1)."""
    u, v = geostrophic_current(state["zos"])
    ekman = xr.DataArray(standardizer.ekman_at(state["latitude"]), dims="latitude")
    wind = state["uas"].copy(data=wind_stress(state["uas"].values + 1j * state["vas"].values))
    drift = (ekman * wind).transpose(*state["uas"].dims)
    uo = smooth(u) + drift.real + state["u_ageo_eddy"]
    vo = smooth(v) + drift.imag + state["v_ageo_eddy"]
    return state.assign(
        uo=uo.astype("f4").assign_attrs(VARIABLES["uo"]), vo=vo.astype("f4").assign_attrs(VARIABLES["vo"])
    )


def fit_standardizer(oceans: list[xr.Dataset]) -> Standardizer:
    """Climatology (latitude and season; season for temperature, salinity and wind only), scales and Ekman response.

    Raises:
        InputError: too few dates for a climatology.
    """
    dates = len(np.unique(np.concatenate([ocean["time"].values for ocean in oceans])))
    if dates < 3:
        raise InputError(f"the data hold {dates} date(s), expected at least 3 to fit a mean and an annual cycle")
    ekman = fit_ekman(oceans)
    latitude = oceans[0]["latitude"].values.astype(float)
    normal, moment, square, count = 0.0, 0.0, 0.0, 0
    states = [to_state(o, ekman) for o in oceans]
    for state in states:
        basis = harmonics(state["time"].values)  # (n, 3)
        zonal = np.stack([state[c].mean("longitude").values for c in CHANNELS]).astype(float)  # (C, n, ny)
        normal = normal + basis.T @ basis
        moment = moment + np.einsum("nh,cny->hcy", basis, zonal)
    coefficients = np.linalg.solve(normal, moment.reshape(3, -1)).reshape(moment.shape)
    for c, name in enumerate(CHANNELS):
        if name in ("zos", "u_ageo_eddy", "v_ageo_eddy"):
            coefficients[:, c] = 0.0
            coefficients[0, c] = moment[0, c] / normal[0, 0]
    standardizer = Standardizer(latitude, coefficients, np.ones(len(CHANNELS)), ekman)
    for state in states:
        anomalies = standardized(state, standardizer)
        square = square + (anomalies.double() ** 2).sum((0, 2, 3)).numpy()
        count += anomalies[:, 0].numel()
    return Standardizer(latitude, coefficients, np.sqrt(square / count), ekman)


def standardized(state: xr.Dataset, standardizer: Standardizer) -> Tensor:
    """Standardized anomalies (time, C, ny, nx) of a state with dims (time, latitude, longitude)."""
    latitude, basis = state["latitude"].values, harmonics(state["time"].values)
    on_latitude = np.array(
        [[np.interp(latitude, standardizer.latitude, c) for c in h] for h in standardizer.harmonics]
    )
    climatology = np.einsum("hcy,nh->ncy", on_latitude, basis)[..., None]
    fields = np.stack([state[c].values for c in CHANNELS], 1)
    return torch.from_numpy(((fields - climatology) / standardizer.scale[:, None, None]).astype("f4"))


def training_set(
    ds: xr.Dataset | list[xr.Dataset], standardizer: Standardizer | None = None, progress: bool = False
) -> TrainingSet:
    """Standardized frames of all oceans in one or more data sets (dims [member,] time, latitude, longitude).

    Args:
        standardizer: use this climatology and scale (for validation data) instead of fitting them.

    Raises:
        InputError: a variable or a value is missing, the grids differ or do not ascend, or too few dates.
    """
    sets = ds if isinstance(ds, list) else [ds]
    for one in sets:
        require(one)
        for name in REQUIRED:
            if one[name].isnull().any():
                raise InputError(f"{name} has missing values, expected fields without land or gaps")
        for dim in ("latitude", "longitude"):
            if not np.array_equal(one[dim], sets[0][dim]):
                raise InputError(f"the data sets lie on different grids ({dim}); expected one grid")
    Grid(sets[0]["latitude"].values, sets[0]["longitude"].values)  # the climatology needs ascending latitudes
    oceans = [ocean for one in sets for ocean in members_of(one)]
    standardizer = standardizer or fit_standardizer(oceans)
    ekman = standardizer.ekman_at(oceans[0]["latitude"])
    bar = tqdm(oceans, disable=not progress, desc="oceans")
    frames = [standardized(to_state(ocean, ekman), standardizer) for ocean in bar]
    basis = np.concatenate([harmonics(ocean["time"].values) for ocean in oceans])
    return TrainingSet(
        torch.cat(frames),
        torch.from_numpy(basis.astype("f4")),
        oceans[0]["latitude"].values,
        oceans[0]["longitude"].values,
        standardizer,
    )
