"""Isotropic wavenumber spectra of two-dimensional fields, and their slopes.

Planes and two-dimensional power are those of xrft to twelve digits, as a test holds. Its isotropic spectrum averages
over wider rings and does not add up to the variance; what is left is no shorter with it, and every installation would
have dask.
"""

import numpy as np
import xarray as xr

from ..errors import InputError
from ..state import METRES_PER_DEGREE

FRAMES_AT_ONCE = 64  # bounds the memory of the transforms


def spacing(field: xr.DataArray | xr.Dataset) -> tuple[float, float]:
    """Distance between rows and between columns (dy, dx) of a latitude-longitude grid, m; dx at the mean latitude."""
    latitude, longitude = field["latitude"].values.astype(float), field["longitude"].values.astype(float)
    dy, dx = (abs(np.diff(axis).mean()) * METRES_PER_DEGREE for axis in (latitude, longitude))
    return dy, dx * np.cos(np.radians(latitude.mean()))


def detrend(field: np.ndarray) -> np.ndarray:
    """Subtract the least-squares plane from fields (..., ny, nx)."""
    ny, nx = field.shape[-2:]
    # Centred axes, the constant and each other are orthogonal on a full grid: three projections are the fit.
    y, x = np.arange(ny) - (ny - 1) / 2, np.arange(nx) - (nx - 1) / 2
    field = field - field.mean((-2, -1), keepdims=True)
    slope_y = (field.mean(-1) @ y / (y @ y))[..., None, None]
    slope_x = (field.mean(-2) @ x / (x @ x))[..., None, None]
    return field - slope_y * y[:, None] - slope_x * x


def isotropic_spectrum(
    field: np.ndarray | xr.DataArray, dy: float | None = None, dx: float | None = None
) -> xr.DataArray:
    """One-dimensional isotropic power spectrum E(k) of fields, averaged over all leading dimensions.

    A plane is removed and a Hann window applied; the variance that the window takes is restored. The two-dimensional
    power is then summed over rings of total wavenumber k = sqrt(kx^2 + ky^2). A ring is as wide as the step dk of the
    coarser wavenumber axis. The integral over k is then a variance:

        sum_k E(k) dk = variance(window * field) / mean(window^2).

    Rings beyond the Nyquist wavenumber of the coarser axis are cut by the edges of the plane.

    Errico, R. M. (1985), Spectra computed from a limited area grid,
    doi:10.1175/1520-0493(1985)113<1554:SCFALA>2.0.CO;2.

    Args:
        field: (..., ny, nx) array, or a DataArray with the dims latitude and longitude.
        dy, dx: distances between rows and columns, m; by default those of the latitudes and longitudes.

    Returns:
        dims (wavenumber,): power, squared units of the field per (cycle/m), at `wavenumber` dk, 2 dk, ... (cycle/m).

    Raises:
        InputError: fewer than 8 rows or columns, missing values, or neither distances nor coordinates.
    """
    if isinstance(field, xr.DataArray):
        if not {"latitude", "longitude"} <= set(field.dims):
            raise InputError(f"the field has dims {field.dims}, expected latitude and longitude among them")
        if dy is None or dx is None:
            dy, dx = spacing(field)
        field = field.transpose(..., "latitude", "longitude").values
    if dy is None or dx is None:
        raise InputError("an array needs the distances dy and dx between its rows and columns (m)")
    ny, nx = field.shape[-2:]
    if min(ny, nx) < 8:
        raise InputError(f"the field has {ny} x {nx} points, expected at least 8 x 8 for a spectrum")
    window = np.hanning(ny + 2)[1:-1, None] * np.hanning(nx + 2)[1:-1]
    window /= np.sqrt((window**2).mean())
    frames = field.reshape(-1, ny, nx)
    power = 0.0
    for first in range(0, len(frames), FRAMES_AT_ONCE):
        some = detrend(frames[first : first + FRAMES_AT_ONCE].astype(float))
        power = power + (np.abs(np.fft.fft2(some * window)) ** 2).sum(0)
    power = power / len(frames) / (ny * nx) ** 2  # sums to the variance
    if not np.isfinite(power).all():
        raise InputError("the field has missing values, expected none for a spectrum")
    ky, kx = np.fft.fftfreq(ny, dy)[:, None], np.fft.fftfreq(nx, dx)
    step = max(1 / (ny * dy), 1 / (nx * dx))
    ring = np.rint(np.hypot(ky, kx) / step).astype(int).ravel()
    energy = np.bincount(ring, power.ravel()) / step
    wavenumber = step * np.arange(len(energy))
    return xr.DataArray(
        energy[1:],
        {"wavenumber": ("wavenumber", wavenumber[1:], {"units": "m-1", "long_name": "Wavenumber (cycles per metre)"})},
        name="power",
        attrs={"long_name": "Isotropic power spectrum"},
    )


def slope(spectrum: xr.DataArray, shortest: float = 70e3, longest: float = 250e3) -> float:
    """Exponent of the power law k^slope fitted to a spectrum between two wavelengths (m); least squares of the logs.

    The window blurs a spectrum over neighbouring wavenumbers. So the slope of a steep spectrum comes out too steep
    where only a few wavenumbers lie below the fit, as at 250 km in a box of ten degrees. It is too steep by 0.1 at -3
    and by 0.2 at -5, if the spectrum is flat beyond 400 km. Compare fields only with fields on a box of the same size.

    Raises:
        InputError: fewer than three wavenumbers lie between them.
    """
    k = spectrum["wavenumber"].values
    inside = (k >= 1 / longest) & (k <= 1 / shortest)
    if inside.sum() < 3:
        raise InputError(
            f"the spectrum has {inside.sum()} wavenumbers between wavelengths of {shortest / 1e3:g} and "
            f"{longest / 1e3:g} km, expected at least 3 for a slope"
        )
    return float(np.polyfit(np.log(k[inside]), np.log(spectrum.values[inside]), 1)[0])
