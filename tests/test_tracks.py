"""The scores of the SSH mapping challenge: by hand, and on errors whose spectrum is known."""

import numpy as np
import pytest
import xarray as xr

from genda_lite.state import METRES_PER_DEGREE
from genda_lite.verify.ose.tracks import along_track, along_track_resolution, rmse_score

SPACING = 6.4e3  # m


def track(passes: int, points: int = 170, seed: int = 0) -> xr.Dataset:
    """Northward passes from 33 N, six hours apart, a point a second."""
    start = np.datetime64("2017-01-01", "ns")
    second = np.arange(points)
    time = start + (np.arange(passes)[:, None] * np.timedelta64(6, "h")) + second * np.timedelta64(1, "s")
    latitude = np.broadcast_to(33 + second * SPACING / METRES_PER_DEGREE, time.shape)
    longitude = np.broadcast_to(np.linspace(-64, -56, passes)[:, None], time.shape)
    coords = {"time": time, "latitude": latitude, "longitude": longitude}
    return xr.Dataset(coords={name: ("point", values.ravel()) for name, values in coords.items()})


def red(rng, passes: int, points: int, exponent: float) -> np.ndarray:
    """Random series (passes, points) with a spectrum k^exponent, of variance one."""
    k = np.fft.rfftfreq(4 * points, SPACING)
    k[0] = np.inf
    waves = np.fft.irfft(np.fft.rfft(rng.normal(size=(passes, 4 * points))) * k ** (exponent / 2))
    return waves[:, :points] / waves.std()


def pair(observed, analysed, where) -> xr.Dataset:
    return where.assign(observed=("point", np.ravel(observed)), analysed=("point", np.ravel(analysed)))


def test_sea_level_along_the_track():
    """A field that is linear in everything, at the points that lie inside it by the margin."""
    where = track(4)
    coords = {
        "time": np.array(["2017-01-01", "2017-01-02"], "M8[ns]"),
        "latitude": np.arange(33, 43.1, 0.5),
        "longitude": np.arange(-65, -54.9, 0.5),
    }
    lat, lon = (xr.DataArray(coords[d], dims=d) for d in ("latitude", "longitude"))
    day = xr.DataArray([0.0, 1.0], dims="time")
    zos = (0.1 * day + 0.02 * lat + 0.03 * lon).assign_coords(coords)
    values = np.arange(float(where.sizes["point"]))
    values[100] = np.nan
    shuffled = np.random.default_rng(0).permutation(values.size)
    found = along_track(zos, where.assign(zos=("point", values)).isel(point=shuffled))
    assert (np.diff(found["time"].values) > np.timedelta64(0)).all()
    np.testing.assert_array_equal(found["observed"], values[np.isfinite(values) & (where["latitude"] >= 33.25)])
    days = (found["time"].values - coords["time"][0]) / np.timedelta64(1, "D")
    expected = 0.1 * days + 0.02 * found["latitude"] + 0.03 * found["longitude"]
    np.testing.assert_allclose(found["analysed"], expected, atol=1e-12)


def test_rmse_score_by_hand():
    """A day with an error of a tenth, one with half, and one with too few observations to count."""
    where = track(9, 20)
    day = where["time"].values.astype("M8[D]").astype(int)
    observed = np.where(np.arange(day.size) % 2, 0.4, -0.4)
    analysed = observed * np.select([day == day[0], day == day[0] + 1], [1.1, 0.5], 3.0)
    found = pair(observed, analysed, where).isel(point=slice(0, 8 * 20 + 9))
    score = rmse_score(found)
    np.testing.assert_allclose(score["score"], [0.9, 0.5, np.nan])
    assert float(score["mu"]) == pytest.approx(0.7) and float(score["sigma"]) == pytest.approx(0.2)
    with pytest.raises(ValueError, match="no day"):
        rmse_score(found.isel(point=slice(0, 5)))


@pytest.mark.parametrize("wavelength", [120e3, 250e3])
def test_resolution_of_an_analysis_that_resolves_waves_down_to_a_length(wavelength):
    """Longer waves are right, shorter ones are not in it: the ratio jumps from 0 to 1 at that length."""
    rng = np.random.default_rng(1)
    observed = red(rng, 60, 170, -3)
    waves = np.fft.rfft(observed)
    waves[:, np.fft.rfftfreq(170, SPACING) > 1 / wavelength] = 0
    found = along_track_resolution(pair(observed, np.fft.irfft(waves, 170), track(60)))
    assert float(found["resolution"]) == pytest.approx(wavelength, rel=0.25)
    assert found["ratio"].sel(wavelength=slice(None, 400e3)).max() < 0.5 < float(found["ratio"][-20:].min())


def test_resolution_where_noise_crosses_half_of_a_known_spectrum():
    """White error under a signal of k^-2: they cross where the two spectra, known to a constant, do."""
    rng = np.random.default_rng(2)
    passes, points = 200, 170
    observed = red(rng, passes, points, -2)
    error = 0.3 * rng.normal(size=observed.shape)
    found = along_track_resolution(pair(observed, observed + error, track(passes)))
    np.testing.assert_allclose(found["error"][1:-1].mean(), 2 * SPACING * 0.09, rtol=0.03)  # one-sided, white
    fitted = np.exp((np.log(found["signal"]) - 2 * np.log(found["wavelength"]))[5:40].mean())
    assert float(found["resolution"]) == pytest.approx(np.sqrt(2 * SPACING * 0.09 / 0.5 / float(fitted)), rel=0.1)
    assert int(found["segments"]) == passes


def test_gaps_end_tracks_and_segments_overlap():
    where = track(10, 330)
    observed = red(np.random.default_rng(3), 10, 330, -2)
    found = pair(observed, 0 * observed, where)
    points = int(1000e3 / SPACING)
    whole = along_track_resolution(found)
    assert int(whole["segments"]) == 10 * len(range(0, 330 - points + 1, round(points / 4)))
    assert float(whole["resolution"]) == float(whole["wavelength"][0])  # nothing is resolved
    kept = np.arange(3300) % 330 != 165
    cut = along_track_resolution(found.isel(point=kept), gap=1.5)
    assert int(cut["segments"]) == 10 * len(range(0, 165 - points + 1, round(points / 4))) + 10 * len(
        range(0, 164 - points + 1, round(points / 4))
    )
    assert np.isnan(along_track_resolution(pair(observed, observed, where))["resolution"])


def test_bad_input_is_refused(refuses):
    where = track(3, 50)
    found = pair(np.ones(150), np.ones(150), where)
    with refuses("1000 km", "50 points"):
        along_track_resolution(found)
    with refuses("overlap"):
        along_track_resolution(found, overlap=1.0)
    far = xr.DataArray(
        np.zeros((2, 2, 2)),
        {"time": np.array(["2018-01-01", "2018-01-02"], "M8[ns]"), "latitude": [33, 34], "longitude": [-65, -64]},
        ("time", "latitude", "longitude"),
    )
    with refuses("none of the 150 points"):
        along_track(far, where.assign(zos=("point", np.ones(150))))
