"""The balanced current, and what is left of the total current without it.

Everything here works on any further dimensions, in memory or lazily: dask arrays in, dask arrays out, with latitude and
longitude whole in every chunk.
"""

import numpy as np
import xarray as xr
from scipy.ndimage import gaussian_filter1d

from .state import EARTH_RADIUS, GRAVITY, coriolis, wind_stress

SMOOTHING = 1.5  # cells; standard deviation of the Gaussian on the geostrophic current
EQUATOR = 5.0  # degrees of latitude within which f is too small for the balance to hold
METRES_PER_DEGREE = np.pi * EARTH_RADIUS / 180


def geostrophic_current(zos: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """Current in balance with sea level on the sphere,

        u = -(g/f) dz/dy,   v = (g/f) dz/dx,   f = 2 Omega sin(latitude),   dx = R cos(latitude) d(longitude).

    Derivatives are centred, and one-sided at the edges and next to land. There is no balance at the equator: within 5
    degrees of it (`EQUATOR`) the current is NaN.

    Args:
        zos: sea level (m), dims latitude and longitude (degrees) and any others.

    Returns:
        Eastward and northward current (m s-1), dims and type of `zos`; NaN on land.

    Examples:
        Sea level that falls northward by a metre in a hundred kilometres drives a current of about a metre a second:

        >>> import numpy as np, xarray as xr
        >>> from genda_lite.geostrophy import geostrophic_current
        >>> grid = {"latitude": 38 + np.arange(5) / 12, "longitude": -60 + np.arange(5) / 12}
        >>> slope = -1e-5 * 111.2e3 * (grid["latitude"] - 38)  # m
        >>> zos = xr.DataArray(slope[:, None] * np.ones(5), grid, ("latitude", "longitude"))
        >>> u, v = geostrophic_current(zos)
        >>> round(float(u.sel(latitude=38).mean()), 2), float(abs(v).max())
        (1.09, 0.0)
    """
    latitude = zos["latitude"]
    factor = GRAVITY / METRES_PER_DEGREE / coriolis(latitude).where(abs(latitude) >= EQUATOR)
    u = -factor * _derivative(zos, "latitude")
    v = factor / np.cos(np.radians(latitude)) * _derivative(zos, "longitude")
    parts = []
    for part, name in ((u, "Eastward"), (v, "Northward")):
        part = part.transpose(*zos.dims).astype(zos.dtype)
        part.attrs = {"long_name": f"{name} geostrophic current", "units": "m s-1"}
        parts.append(part)
    return parts[0], parts[1]


def relative_vorticity(u: xr.DataArray, v: xr.DataArray) -> xr.DataArray:
    """Relative vorticity over the planetary one, (dv/dx - d(u cos)/dy / cos) / f on the sphere: positive in a cyclone.

    Args:
        u, v: eastward and northward current (m s-1), dims latitude, longitude (degrees, away from the equator) and any
            others.

    Returns:
        `vorticity`, dims of `u`; differences are centred, and one-sided at the edges.
    """
    cosine = np.cos(np.radians(u["latitude"]))
    across = v.differentiate("longitude") - (u * cosine).differentiate("latitude")
    field = (across / (cosine * METRES_PER_DEGREE * coriolis(u["latitude"]))).transpose(*u.dims)
    field.attrs = {"long_name": "Relative vorticity / f", "units": "1"}
    return field.rename("vorticity")


def smooth(field: xr.DataArray, cells: float = SMOOTHING) -> xr.DataArray:
    """Gaussian smoothing over latitude and longitude; `cells` is the standard deviation.

    Near land it is a normalised convolution G*(m f) / G*m, m = 1 at sea and 0 on land (Knutsson & Westin 1993): an
    average over the sea alone. Land stays NaN. Beyond the edges the outermost values are repeated.
    """
    return _lazily(_smooth, field, ["latitude", "longitude"], cells=cells).assign_attrs(field.attrs)


def ageostrophic_current(ds: xr.Dataset) -> xr.DataArray:
    """Total current less the smoothed geostrophic one, u + iv (m s-1), dims as `ds["uo"]`."""
    u, v = (smooth(part) for part in geostrophic_current(ds["zos"]))
    current = ((ds["uo"] - u) + 1j * (ds["vo"] - v)).transpose(*ds["uo"].dims)
    current.attrs = {"long_name": "Ageostrophic current, eastward + i northward", "units": "m s-1"}
    return current


def stress_of(ds: xr.Dataset) -> xr.DataArray:
    """Kinematic wind stress (m2 s-2), eastward + i northward, of the wind `uas`, `vas` (m s-1), see `wind_stress`."""
    stress = wind_stress(ds["uas"] + 1j * ds["vas"])
    stress.attrs = {"long_name": "Kinematic wind stress, eastward + i northward", "units": "m2 s-2"}
    return stress


def _lazily(kernel, field: xr.DataArray, dims: list[str], **options) -> xr.DataArray:
    """Apply a numpy function of the last axes to some dims of an array, chunk by chunk where it is chunked."""
    if field.chunks is not None:
        field = field.chunk(dict.fromkeys(dims, -1))
    result = xr.apply_ufunc(
        kernel,
        field,
        input_core_dims=[dims],
        output_core_dims=[dims],
        dask="parallelized",
        output_dtypes=[field.dtype],
        kwargs=options,
    )
    return result.transpose(*field.dims)


def _derivative(field: xr.DataArray, dim: str) -> xr.DataArray:
    """Derivative along a coordinate, per unit of it."""
    return _lazily(_slope, field, [dim], coordinate=field[dim].values.astype(float))


def _slope(values: np.ndarray, coordinate: np.ndarray) -> np.ndarray:
    """Derivative along the last axis: exact for parabolas, one-sided at the ends and next to a missing value."""
    step = np.diff(coordinate)
    slopes = np.diff(values) / step
    missing = np.full((*values.shape[:-1], 1), np.nan)
    before, after = np.concatenate([missing, slopes], -1), np.concatenate([slopes, missing], -1)
    weight = np.append(0.0, step) / (np.append(0.0, step) + np.append(step, 0.0))  # of the slope on the far side
    slope = (1 - weight) * before + weight * after
    slope = np.where(np.isnan(before), after, np.where(np.isnan(after), before, slope))
    return slope.astype(values.dtype, copy=False)


def _smooth(values: np.ndarray, cells: float) -> np.ndarray:
    """Gaussian over the last two axes, ignoring missing values; they stay missing."""

    def blur(data: np.ndarray) -> np.ndarray:
        for axis in (-2, -1):
            data = gaussian_filter1d(data, cells, axis=axis, mode="nearest")
        return data

    missing = np.isnan(values)
    if not missing.any():
        return blur(values)
    weight = blur((~missing).astype(values.dtype))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(missing, np.nan, blur(np.where(missing, 0, values)) / weight)
