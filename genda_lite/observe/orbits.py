"""Where altimeters measure: ground tracks and swaths of real missions, from the geometry of their orbits alone.

An exactly repeating orbit makes R revolutions while the Earth makes D turns under its plane. The satellite moves evenly
on a circle of inclination i; u, its angle from the ascending node, gives geocentric latitude and longitude

    sin(latitude) = sin i sin u,   longitude = node + atan2(cos i sin u, cos u),   node = node_0 - 360 (D / R) (t / P),

P being the time from node to node (Capderou 2014, Handbook of Satellite Orbits, ch. 8). Eccentricity (0.001) and the
short-period effects of the Earth's flattening are left out: a few kilometres on the ground.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError
from ..sources.files import wrap_longitude
from ..state import EARTH_RADIUS

GRAVITATION = 3.986004e14  # m3 s-2, of the Earth (WGS 84)
EQUATORIAL_RADIUS, FLATTENING = 6378.137e3, 1 / 298.257  # m; of the ellipsoid (WGS 84)
SWATH = 10.0, 60.0  # km from nadir to the edges of KaRIn's swath, on either side (Morrow et al. 2019)
SECOND = np.timedelta64(10**9, "ns")


@dataclass(frozen=True)
class Orbit:
    """A circular orbit whose ground track repeats exactly, for ever.

    Args:
        inclination: degrees; above 90 the satellite moves westward.
        revolutions: per repeat cycle. turns: of the Earth relative to the orbital plane, per cycle.
        cycle: length of the cycle (days); equals `turns` if the orbit is sun-synchronous.
        node_longitude, node_time: where (degrees east) and when (UTC) it crosses the equator northward, once.
    """

    inclination: float
    revolutions: int
    turns: int
    cycle: float
    node_longitude: float
    node_time: str

    @property
    def period(self) -> float:
        """Seconds from one ascending node to the next."""
        return self.cycle * 86400 / self.revolutions

    @property
    def radius(self) -> float:
        """Distance from the Earth's centre (m), by Kepler's third law."""
        return (GRAVITATION * (self.period / (2 * np.pi)) ** 2) ** (1 / 3)

    @property
    def westward(self) -> float:
        """Degrees that each equator crossing lies west of the one before."""
        return 360 * self.turns / self.revolutions

    def behind(self, angle: float) -> Self:
        """The orbit of a second satellite in the same plane, `angle` degrees behind."""
        later = np.datetime64(self.node_time, "ns") + angle / 360 * self.period * SECOND
        return replace(self, node_longitude=self.node_longitude - angle / 360 * self.westward, node_time=str(later))

    def position(self, revolution: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Geodetic latitude and longitude (degrees) under the satellite, `revolution` revolutions after its node."""
        u, inclination = 2 * np.pi * (revolution % 1), np.radians(self.inclination)
        geocentric = np.arcsin(np.sin(inclination) * np.sin(u))
        # Nadir is where the ellipsoid's normal meets the satellite, to first order in the flattening.
        latitude = geocentric + FLATTENING * EQUATORIAL_RADIUS / self.radius * np.sin(2 * geocentric)
        longitude = np.degrees(np.arctan2(np.cos(inclination) * np.sin(u), np.cos(u)))
        return np.degrees(latitude), self.node_longitude + longitude - self.westward * revolution


# Inclinations and cycles: aviso.altimetry.fr (Jason-3, SARAL/ENVISAT, SWOT science orbit), sentinels.copernicus.eu
# (Sentinel-3, 3B 140 degrees from 3A), openadb.dgfi.tum.de (CryoSat-2: 5344 revolutions in 369 turns of the Earth, by
# the precession of its plane 368.24 days), ilrs.gsfc.nasa.gov (HY-2B: inclination, 14 days; 193 revolutions follow from
# its altitude of 971 km). Sentinel-6 flies on the reference track (pass 1 at 99.92 E, Jason-3 Products Handbook),
# Jason-3 half-way between its tracks as since April 2022, SARAL on ENVISAT's track (a node at 320.613 E, SCIAMACHY's
# geolocation files), the sun-synchronous ones at their local times. Otherwise the place in the cycle on a given date is
# ours: the pattern is real, the calendar is not, and all fly in every year.
_SENTINEL_6 = Orbit(66.04, 127, 10, 9.9156, 99.924, "2020-12-01T00:00")
_SENTINEL_3A = Orbit(98.65, 385, 27, 27.0, 0.0, "2016-03-01T22:00")  # 22:00 local time northward
MISSIONS: dict[str, Orbit] = {
    "Sentinel-6": _SENTINEL_6,
    "Sentinel-3A": _SENTINEL_3A,
    "Sentinel-3B": _SENTINEL_3A.behind(140.0),
    "SARAL": Orbit(98.55, 501, 35, 35.0, 320.613, "2013-03-14T20:37:33"),  # 18:00 local time northward
    "CryoSat-2": Orbit(92.03, 5344, 369, 368.24, 0.0, "2010-07-16T00:00"),
    "HY-2B": Orbit(99.35, 193, 14, 14.0, 0.0, "2018-11-01T18:00"),  # 18:00 local time northward
    "Jason-3": _SENTINEL_6.behind(162.0),
    "SWOT": Orbit(77.6, 292, 21, 20.86455, 0.0, "2023-07-21T00:00"),
}


def ground_track(
    orbit: Orbit,
    start: np.datetime64,
    end: np.datetime64,
    latitude: tuple[float, float],
    longitude: tuple[float, float],
    sampling: float = 1.0,
) -> xr.Dataset:
    """Points under a satellite, within a time range and a box.

    A pass runs from one turning latitude to the other; its points are counted from its start, so that the same ones are
    found whatever the range and the box.

    Args:
        start, end: UTC. latitude, longitude: (south, north) and (west, east), degrees.
        sampling: seconds between points.

    Returns:
        dims (point,), ordered in time: coordinates `latitude`, `longitude` (degrees, from the box's western edge
        eastward), `time`, `track` (number of the pass, even if northward) and `sample` (number of the point in it);
        attribute `samples`, how many points a pass has.

    Raises:
        InputError: an empty box or time range, or a sampling that is not positive.
    """
    (south, north), (west, east) = latitude, longitude
    if not (-90 <= south < north <= 90 and west < east <= west + 360):
        raise InputError(
            f"box {south}..{north} N, {west}..{east} E is not one: expected south < north and west < east <= west + 360"
        )
    start, end = (np.datetime64(t, "ns") for t in (start, end))
    if not start < end:  # false for NaT, too
        raise InputError(f"time range {start} to {end} is empty, expected start before end")
    if not 0 < sampling < orbit.period / 100:
        raise InputError(f"sampling must be positive and at most {orbit.period / 100:.0f} s, got {sampling}")

    node = np.datetime64(orbit.node_time, "ns")
    first, last = (int(np.floor(2 * ((t - node) / SECOND / orbit.period + 0.25))) for t in (start, end))
    passes = np.arange(first, last + 1)
    samples = np.arange(int(np.ceil(orbit.period / 2 / sampling)))

    def where(track, sample):
        turned = (track - 0.5) / 2 + sample * sampling / orbit.period  # revolutions since the node
        lat, lon = orbit.position(turned)
        return turned, lat, west + (lon - west) % 360

    def inside(lat, lon, margin):
        around = (lon - west + margin) % 360 <= east - west + 2 * margin
        return around & (lat >= south - margin) & (lat <= north + margin)

    coarse = max(1, int(20 / sampling))  # every 20 s, 140 km: which passes come near at all
    _, lat, lon = where(passes[:, None], samples[::coarse])
    margin = 3.0 / max(np.cos(np.radians(max(abs(south), abs(north)))), 0.02)
    near = passes[inside(lat, lon, margin).any(1)]
    track, sample = (a.ravel() for a in np.meshgrid(near, samples, indexing="ij"))
    turned, lat, lon = where(track, sample)
    time = node + (turned * orbit.period * 1e9).astype("timedelta64[ns]")
    keep = inside(lat, lon, 0.0) & (time >= start) & (time < end)
    coords = {"latitude": lat, "longitude": lon, "time": time, "track": track, "sample": sample}
    coords = {name: ("point", values[keep]) for name, values in coords.items()}
    return xr.Dataset(coords=coords, attrs={"samples": len(samples)})


def swath(
    orbit: Orbit,
    start: np.datetime64,
    end: np.datetime64,
    latitude: tuple[float, float],
    longitude: tuple[float, float],
    cell: float = 2.0,
) -> xr.Dataset:
    """Centres of the square cells of a wide-swath altimeter, within a time range and a box.

    Args:
        cell: their width and length (km). The rest as in `ground_track`.

    Returns:
        as `ground_track` (`sample` is the number of the line across the track), with coordinates `across` (km from
        nadir, to the right of the flight) and `column` (number of the cell in its line); attributes `samples` and
        `columns`.

    Raises:
        InputError: as `ground_track`, or cells that do not fit in the swath.
    """
    inner, outer = SWATH
    if not 0.1 <= cell <= outer - inner:
        raise InputError(f"swath cells must be 0.1 to {outer - inner:g} km wide, got {cell}")
    side = inner + cell * (np.arange(int((outer - inner) / cell + 1e-9)) + 0.5)
    across = np.concatenate([-side[::-1], side])
    sampling = cell * 1e3 / (2 * np.pi * EARTH_RADIUS / orbit.period)
    (south, north), (west, east) = latitude, longitude
    reach = np.degrees(outer * 1e3 / EARTH_RADIUS)
    aside = reach / max(np.cos(np.radians(max(abs(south), abs(north)))), 0.02)
    wider = (max(south - reach, -90), min(north + reach, 90)), (west - aside, min(east + aside, west - aside + 360))
    lines = ground_track(orbit, start, end, *wider, sampling)

    # Each cell lies `across` along the great circle that leaves nadir to the right of the flight.
    turned = (lines["track"].values - 0.5) / 2 + lines["sample"].values * sampling / orbit.period
    behind, ahead = (np.array(orbit.position(turned + step)) for step in (-1e-5, 1e-5))
    northward, eastward = np.diff([behind, ahead], axis=0)[0]
    lat, lon = (np.radians(lines[name].values)[:, None] for name in ("latitude", "longitude"))
    bearing = np.arctan2(np.cos(lat) * ((eastward + 180) % 360 - 180)[:, None], northward[:, None]) + np.pi / 2
    angle = across * 1e3 / EARTH_RADIUS
    cell_lat = np.arcsin(np.sin(lat) * np.cos(angle) + np.cos(lat) * np.sin(angle) * np.cos(bearing))
    turn = np.arctan2(np.sin(bearing) * np.sin(angle) * np.cos(lat), np.cos(angle) - np.sin(lat) * np.sin(cell_lat))
    values = {"latitude": np.degrees(cell_lat), "longitude": np.degrees(lon + turn)}
    values |= {name: lines[name].values[:, None] for name in ("time", "track", "sample")}
    values |= {"across": across, "column": np.arange(len(across))}
    values = {name: np.broadcast_to(v, (lines.sizes["point"], len(across))).ravel() for name, v in values.items()}
    values["longitude"] = west + (values["longitude"] - west) % 360
    keep = (values["latitude"] >= south) & (values["latitude"] <= north) & (values["longitude"] <= east)
    attrs = lines.attrs | {"columns": len(across)}
    return xr.Dataset(coords={name: ("point", v[keep]) for name, v in values.items()}, attrs=attrs)


def repeat_tracks(tracks: xr.Dataset, days: Sequence[int], orbit: str = "SARAL") -> xr.Dataset:
    """The ground tracks of a satellite as flown some days later: a realistic pattern for any period.

    An orbit that repeats after R revolutions in D nodal days sees the Earth make D turns eastward under its
    plane in R revolutions, so each revolution crosses the equator 360 D / R degrees further west. k
    revolutions later the satellite passes the same latitudes, displaced in longitude and time by

        -360 k D / R degrees (mod 360)   and   k T / R days,

    T being the length of the cycle in days. After d days we take the whole number of revolutions nearest to d days,
    k = round(d R / T), so that the time is right within half a revolution (50 minutes).

    SARAL/AltiKa flew the sun-synchronous ENVISAT orbit, R = 501 and D = T = 35: one day later (k = 14) its tracks
    lie 7.9 degrees further east. Since July 2016 it drifts freely near that orbit, so that for those years
    the pattern is right but the repetition is not exact.

    Args:
        tracks: dims (point,) with coordinates `latitude`, `longitude` (degrees), `time`, as `read_tracks` gives.
        days: the offsets in days, whole numbers of either sign.
        orbit: a name in `MISSIONS`.

    Returns:
        the points for each offset, one after the other along `point`, with the coordinate `day_offset`
        (days). Variables are copied unchanged: the positions are of use, to sample another field at.

    Raises:
        InputError: an unknown orbit, offsets that are not whole numbers, or none of them.
    """
    if orbit not in MISSIONS:
        raise InputError(f"orbit '{orbit}' is not known, expected one of {', '.join(MISSIONS)}")
    offsets = np.atleast_1d(np.asarray(days))
    if offsets.ndim != 1 or offsets.size == 0 or offsets.dtype.kind not in "iu":
        raise InputError(f"days must be a sequence of whole numbers, not {days!r}")
    flown, passes = MISSIONS[orbit], []
    for offset in offsets:
        k = round(int(offset) * flown.revolutions / flown.cycle)
        turned = 360.0 * (k * flown.turns % flown.revolutions) / flown.revolutions
        later = pd.Timedelta(days=k * flown.cycle / flown.revolutions).to_timedelta64()
        passes.append(
            tracks.assign_coords(
                longitude=("point", wrap_longitude(tracks.longitude.values - turned), tracks.longitude.attrs),
                time=("point", tracks.time.values + later, tracks.time.attrs),
                day_offset=("point", np.full(tracks.sizes["point"], offset), {"units": "days"}),
            )
        )
    return xr.concat(passes, dim="point")
