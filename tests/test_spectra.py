"""Isotropic spectra: they hold the variance, and find the wavelengths and power laws put in."""

import numpy as np
import pytest
import xarray as xr

from genda_lite.verify.spectra import detrend, isotropic_spectrum, slope, spacing

DY, DX = 9.3e3, 7.3e3  # m; cells of 1/12 degree at 38 N


def power_law(exponent: float, frames: int = 20, n: int = 512, seed: int = 0) -> np.ndarray:
    """Periodic random fields (frames, n, n) whose isotropic spectrum is k^exponent."""
    k = np.hypot(np.fft.fftfreq(n, DY)[:, None], np.fft.fftfreq(n, DX))
    k[0, 0] = np.inf
    white = np.random.default_rng(seed).normal(size=(frames, n, n))
    return np.fft.ifft2(np.fft.fft2(white) * np.sqrt(k ** (exponent - 1))).real


def integral(spectrum: xr.DataArray) -> float:
    return float(spectrum.sum() * spectrum["wavenumber"][0])


def test_the_integral_is_the_variance_of_the_windowed_field():
    field = detrend(power_law(-2, 3)[:, :90, :121])
    window = np.hanning(92)[1:-1, None] * np.hanning(123)[1:-1]
    windowed = field * window
    variance = windowed.var((-2, -1)).mean() / (window**2).mean()
    assert integral(isotropic_spectrum(field, DY, DX)) == pytest.approx(variance, rel=1e-10)


def test_white_noise_keeps_its_variance_and_grows_with_wavenumber():
    noise = np.random.default_rng(1).normal(0, 3, (50, 120, 120))
    spectrum = isotropic_spectrum(noise, DY, DX)
    assert integral(spectrum) == pytest.approx(9, rel=0.01)
    assert slope(spectrum) == pytest.approx(1, abs=0.1)  # as many modes as the ring is long


@pytest.mark.parametrize("exponent", [-5 / 3, -2, -3, -4, -5])
def test_power_laws_are_recovered(exponent):
    field = power_law(exponent)[:, 100:356, 100:356]
    assert slope(isotropic_spectrum(field, DY, DX)) == pytest.approx(exponent, abs=0.1)


def test_a_wave_stands_at_its_wavelength_whatever_its_direction():
    y, x = DY * np.arange(128)[:, None], DX * np.arange(160)
    for angle in (0.0, 0.7, np.pi / 2):
        wave = np.sin(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / 120e3)
        spectrum = isotropic_spectrum(wave, DY, DX)
        assert 1 / float(spectrum.idxmax()) == pytest.approx(120e3, rel=0.1)


def test_a_plane_has_no_spectrum():
    field = power_law(-2, 1)[0, :50, :60]
    tilted = field + 3 + 0.2 * np.arange(50)[:, None] - 0.5 * np.arange(60)
    np.testing.assert_allclose(isotropic_spectrum(tilted, DY, DX), isotropic_spectrum(field, DY, DX), rtol=1e-8)


def test_distances_come_from_the_coordinates_and_the_order_of_dimensions_does_not_matter():
    latitude, longitude = np.arange(33, 43, 1 / 4), np.arange(-65, -55, 1 / 4)
    field = xr.DataArray(
        np.random.default_rng(2).normal(size=(3, 40, 40)),
        {"latitude": latitude, "longitude": longitude},
        ("time", "latitude", "longitude"),
    )
    dy, dx = spacing(field)
    assert dy == pytest.approx(111.195e3 / 4, rel=1e-4) and dx == pytest.approx(dy * np.cos(np.radians(37.875)))
    spectrum = isotropic_spectrum(field.transpose("longitude", "time", "latitude"))
    xr.testing.assert_allclose(spectrum, isotropic_spectrum(field.values, dy, dx))
    assert spectrum["wavenumber"].attrs["units"] == "m-1"


def test_bad_input_is_refused(refuses):
    with refuses("8 x 8"):
        isotropic_spectrum(np.zeros((5, 20)), DY, DX)
    with refuses("missing values"):
        isotropic_spectrum(np.full((20, 20), np.nan), DY, DX)
    with refuses("dy and dx"):
        isotropic_spectrum(np.zeros((20, 20)))
    with refuses("latitude and longitude"):
        isotropic_spectrum(xr.DataArray(np.zeros((20, 20)), dims=("y", "x")))
    with refuses("at least 3"):
        slope(isotropic_spectrum(np.ones((10, 10)), DY, DX))


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_rings_of_the_power_of_xrft_are_the_spectrum():
    """Its own isotropic spectrum averages in wider rings, times k, and does not add up to the variance."""
    xrft = pytest.importorskip("xrft")
    values = detrend(power_law(-3, 1)[0, :60, :72])
    field = xr.DataArray(values, {"y": DY * np.arange(60), "x": DX * np.arange(72)}, ("y", "x"))
    window = np.hanning(62)[1:-1, None] * np.hanning(74)[1:-1]
    power = xrft.power_spectrum(field * window / np.sqrt((window**2).mean()), dim=["y", "x"], true_phase=True)
    step = max(1 / (60 * DY), 1 / (72 * DX))
    ring = np.rint(np.hypot(power["freq_y"], power["freq_x"]) / step).astype(int)
    cell = 1 / (60 * DY) / (72 * DX)
    expected = np.bincount(ring.values.ravel(), power.values.ravel() * cell)[1:] / step
    np.testing.assert_allclose(isotropic_spectrum(values, DY, DX), expected, rtol=1e-12)
    tilted = field + 0.3 * field["x"] / DX - field["y"] / DY + 2
    plane = np.abs(tilted).max()
    np.testing.assert_allclose(detrend(tilted.values), xrft.detrend(tilted, ["y", "x"], "linear"), atol=1e-13 * plane)
