"""Analysed sea level against an altimeter that was withheld: the scores of the 2021a SSH mapping data challenge.

    track = read_tracks("cryosat2.nc")
    found = along_track(analysis["zos"], track)
    rmse_score(found), along_track_resolution(found)

The challenge (Le Guillou et al. 2021, doi:10.1175/JTECH-D-20-0104.1, for its first round; this one, on real
observations of 2017, doi:10.24400/527896/a01-2021.005) withholds CryoSat-2 in 33-43 N, 65-55 W.
"""

import numpy as np
import xarray as xr
from scipy.signal import welch

from ...errors import InputError
from ...ocean.trajectories import at_points, distance

LEAST = 10  # observations of a day that has a score


def along_track(zos: xr.DataArray, track: xr.Dataset, margin: float = 0.25) -> xr.Dataset:
    """An analysis where and when an altimeter passed, beside what it measured; in the order of time.

    Args:
        zos: sea level (m), dims (time, latitude, longitude); the mean of an ensemble, or one member.
        track: dims (point,): `zos` (m), `latitude`, `longitude`, `time`, as `read_tracks` gives.
        margin: degrees from the edges of the analysis within which nothing is judged; the challenge's.

    Returns:
        dims (point,): `observed` and `analysed` (m) at the points that have both. Their levels are left as they are:
        the challenge compares them directly, and an analysis with another reference must be brought to the track's.

    Raises:
        InputError: no point has both, or the analysis cannot be interpolated.
    """
    found = at_points(zos.to_dataset(name="zos"), track, ("zos",))["zos"]
    inside = np.isfinite(found.values) & np.isfinite(track["zos"].values)
    for dim in ("latitude", "longitude"):
        low, high = float(zos[dim][0]) + margin, float(zos[dim][-1]) - margin
        place = track[dim].values if dim == "latitude" else low + (track[dim].values - low) % 360
        inside &= (place >= low) & (place <= high)
    if not inside.any():
        raise InputError(f"none of the {inside.size} points of the track lies where and when the analysis is")
    order = np.argsort(track["time"].values[inside], kind="stable")
    both = {"observed": track["zos"].variable, "analysed": found.variable}
    coords = {name: track[name].variable for name in ("time", "latitude", "longitude")}
    return xr.Dataset(both, coords).isel(point=np.flatnonzero(inside)[order])


def rmse_score(found: xr.Dataset) -> xr.Dataset:
    """1 - RMSE / rms of the observed sea level, day by day: 1 is perfect, 0 no better than a sea level of zero.

    Args:
        found: of `along_track`.

    Returns:
        `score`, dims (day,), NaN for days of fewer than ten observations; `mu` and `sigma`, its mean and standard
        deviation over days, the two numbers of the challenge's table.

    Raises:
        InputError: no day has enough observations.
    """
    days, day = np.unique(found["time"].values.astype("datetime64[D]"), return_inverse=True)
    observed, analysed = found["observed"].values, found["analysed"].values
    count, square, power = (np.bincount(day, w) for w in (np.ones(day.size), (analysed - observed) ** 2, observed**2))
    score = np.where(count >= LEAST, 1 - np.sqrt(square / power), np.nan)
    if not np.isfinite(score).any():
        raise InputError(f"no day has {LEAST} observations along the track, which are needed for a score")
    out = xr.Dataset({"score": ("day", score)}, {"day": days.astype("datetime64[ns]")})
    return out.assign(mu=out["score"].mean(), sigma=out["score"].std())


def along_track_resolution(
    found: xr.Dataset, length: float = 1000e3, gap: float = 4.0, overlap: float = 0.75
) -> xr.Dataset:
    """Wavelength at which the spectrum of the error reaches half that of the observed sea level: signal / noise = 2.

    As the challenge does: tracks are cut at gaps, and into segments of equal length that overlap; spectra of the
    segments, of observation and of analysis minus observation, under a Hann window (Welch 1967,
    doi:10.1109/TAU.1967.1161901), are averaged. Wavelengths beyond the crossing, seen from the longest, are not
    resolved. The noise of the altimeter counts as error. From a box smaller than the segments nothing can be told: give
    shorter ones, which blur the spectra more, and compare like with like.

    Ballarotta, M. et al. (2019), On the resolutions of ocean altimetry maps, doi:10.5194/os-15-1091-2019.

    Args:
        found: of `along_track`, one altimeter's.
        length: of a segment (m). gap: seconds without observations that end a track. overlap: of neighbours, 0..1.

    Returns:
        dims (wavelength,), m, from the longest: `error` and `signal`, the power spectra (m2 per cycle/m), and `ratio`;
        `resolution` (m), linear between wavelengths, NaN if the error is never as large; the longest wavelength if it
        always is; `segments`, how many there were.

    Raises:
        InputError: no track is as long as a segment.
    """
    if not 0 <= overlap < 1:
        raise InputError(f"the overlap of segments is {overlap}, expected at least 0 and less than 1")
    time = found["time"].values
    lat, lon = found["latitude"].values, found["longitude"].values
    near = np.diff(time) <= np.timedelta64(round(gap * 1e9), "ns")
    apart = distance(lat[:-1], lon[:-1], lat[1:], lon[1:])
    spacing = float(np.median(apart[near])) if near.any() else np.nan
    points = int(length / spacing) if near.any() else 0
    tracks = np.split(np.arange(time.size), np.flatnonzero(~near) + 1)
    stride = max(1, round(points * (1 - overlap)))
    starts = [start for track in tracks for start in range(track[0], track[-1] + 2 - points, stride)]
    if points < 8 or not starts:
        longest = max(map(len, tracks))
        raise InputError(
            f"no track is as long as a segment of {length / 1e3:g} km (the longest has {longest} points), or the "
            f"segment has fewer than 8 points; expected another length"
        )
    rows = np.array(starts)[:, None] + np.arange(points)
    observed, analysed = found["observed"].values[rows], found["analysed"].values[rows]
    wavenumber, signal = welch(observed, 1 / spacing, nperseg=points)
    _, error = welch(analysed - observed, 1 / spacing, nperseg=points)
    wavelength, signal, error = 1 / wavenumber[1:], signal.mean(0)[1:], error.mean(0)[1:]
    ratio = error / signal
    over = np.flatnonzero(ratio >= 0.5)
    resolution = np.nan
    if over.size:
        i = over[0]
        resolution = wavelength[0] if i == 0 else np.interp(0.5, ratio[i - 1 : i + 1], wavelength[i - 1 : i + 1])
    power = {"units": "m3", "long_name": "Power spectrum (m2 per cycle per metre)"}
    return xr.Dataset(
        {
            "signal": ("wavelength", signal, power),
            "error": ("wavelength", error, power),
            "ratio": ("wavelength", ratio, {"units": "1"}),
            "resolution": ((), float(resolution), {"units": "m"}),
            "segments": len(starts),
        },
        {"wavelength": ("wavelength", wavelength, {"units": "m"})},
    )
