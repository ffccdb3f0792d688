"""Balanced currents, geostrophic and curved, the wind's stress, and what is left of the total current without balance.

Everything here works on any further dimensions, in memory or lazily: dask arrays in, dask arrays out, with latitude and
longitude whole in every chunk.
"""

import numpy as np
import xarray as xr
from scipy.ndimage import gaussian_filter1d

from ..state import METRES_PER_DEGREE

ROTATION_RATE = 7.2921e-5  # s-1
GRAVITY = 9.81  # m s-2
AIR_DENSITY, SEA_DENSITY = 1.22, 1025.0  # kg m-3
SMOOTHING = 1.5  # cells; standard deviation of the Gaussian on the geostrophic current
EQUATOR = 5.0  # degrees of latitude within which f is too small for the balance to hold


def coriolis(latitude):
    """Planetary vorticity 2 Omega sin(latitude) (s-1); latitude in degrees."""
    return 2 * ROTATION_RATE * np.sin(np.radians(latitude))


def wind_stress(wind):
    """Kinematic wind stress (m2 s-2) of a complex wind (m s-1), array or tensor: a drag coefficient linear in speed
    (Garratt 1977)."""
    speed = abs(wind)
    return AIR_DENSITY / SEA_DENSITY * (0.75 + 0.067 * speed) * 1e-3 * speed * wind


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
        >>> from genda_lite.ocean.currents import geostrophic_current
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


def gradient_wind(u: np.ndarray, v: np.ndarray, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Current in gradient-wind balance minus the geostrophic one, complex (..., ny, nx), m s-1.

    With the speed V_g and the streamline curvature K of the geostrophic flow (positive where it turns left),

        V + K V^2 / f = V_g,   V = 2 V_g / (1 + sqrt(1 + 4 K V_g / f)),

    along the flow: slower than geostrophic round a cyclone, faster round an anticyclone; to first order the difference
    is -K V_g^2 / f. Where an anticyclone turns too sharply for a balance the root is taken as zero. The change of
    direction along meridians, tan(lat)/a, is left out: it is below a hundredth of an eddy's curvature.

    Holton, J. R. (2004), An Introduction to Dynamic Meteorology, section 3.2.5.

    Args:
        u, v: geostrophic current (..., ny, nx), m s-1.
        latitude, longitude: (ny,), (nx,) degrees.
    """
    cos, f = np.cos(np.radians(latitude))[:, None], coriolis(latitude)[:, None]
    (u_y, u_x), (v_y, v_x) = (np.gradient(c, latitude, longitude, axis=(-2, -1)) for c in (u, v))
    u_x, v_x, u_y, v_y = (d / METRES_PER_DEGREE for d in (u_x / cos, v_x / cos, u_y, v_y))
    speed2 = np.maximum(u**2 + v**2, 1e-12)
    curvature_speed = (u**2 * v_x - v**2 * u_y + u * v * (v_y - u_x)) / speed2  # K V_g
    ratio = 2 / (1 + np.sqrt(np.maximum(1 + 4 * curvature_speed / f, 0)))
    return (u + 1j * v) * (ratio - 1)


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


