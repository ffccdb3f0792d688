"""Drifters on a simulated ocean: what they would have reported, in the format of the real product.

    programme = DrifterProgramme(number=60)
    write_insitu_csv(programme.follow(truth), "drifters.csv.gz")

They are the withheld observations of an experiment: made from the truth, which an analysis must not read.
"""

import gzip
import os
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError
from ..files import atomic_path
from ..ocean.currents import coriolis
from ..ocean.trajectories import HOUR, Interpolator, step
from ..state import METRES_PER_DEGREE

GOOD, BAD = 1, 4  # OceanSITES flags
DAY = 24  # hours
DROGUE_DEPTH = 15.0  # m
CURRENT = {
    "u": {"standard_name": "eastward_sea_water_velocity", "long_name": "Eastward current", "units": "m s-1"},
    "v": {"standard_name": "northward_sea_water_velocity", "long_name": "Northward current", "units": "m s-1"},
}


@dataclass(frozen=True)
class DrifterProgramme:
    """Which drifters there are, and how they behave; each is the same whatever their number.

    A drifter moves with the truth's current, near-inertial motion of its own and a share of the wind. Gusts of random
    strength and direction start near-inertial motion, w = u + i v, at random times. It turns at the local inertial
    frequency and decays: dw/dt = -(i f + 1/decay) w + gusts (Pollard & Millard 1970).

    Defaults: inertial motion of 0.1 to 0.2 m/s in these latitudes (Chaigneau, Pizarro & Rojas 2008), gone in days;
    slip of 0.07 % of the wind with a drogue (Niiler et al. 1995), 0.86 % more without (Pazan & Niiler 2001); positions
    by GPS.

    Chaigneau, A., Pizarro, O. & Rojas, W. (2008), Global climatology of near-inertial current characteristics from
    Lagrangian observations, doi:10.1029/2008GL034060.
    Niiler, P. P. et al. (1995), Measurements of the water-following capability of holey-sock and TRISTAR drifters,
    doi:10.1016/0967-0637(95)00076-3.
    Pazan, S. E. & Niiler, P. P. (2001), Recovery of near-surface velocity from undrogued drifters,
    doi:10.1175/1520-0426(2001)018<0476:RONSVF>2.0.CO;2.
    Pollard, R. T. & Millard, R. C. (1970), Comparison between observed and simulated wind-generated inertial
    oscillations, doi:10.1016/0011-7471(70)90043-4.

    Args:
        number: of drifters released, in space uniformly, in time from 20 days before the record (of these, those that
            would have been released before it start with it) to 12 days before its end.
        seed: of everything random.
        inertial_speed: root-mean-square speed of the near-inertial motion (m s-1). inertial_decay, gusts: days that it
            lasts, and between gusts, on average.
        windage: share of the wind that drives a drifter with a drogue, and what it loses with the drogue.
        undrogued: share of the drifters that have no drogue from the start. drogue_life: mean days until others lose
            theirs.
        position_error: standard deviation of a position (m).
        silence: mean days between interruptions, of 2 to 24 hours.
        faulty: share of the drifters of which up to five velocities are wrong, and flagged so.
    """

    number: int = 40
    seed: int = 0
    inertial_speed: float = 0.15
    inertial_decay: float = 4.0
    gusts: float = 3.0
    windage: tuple[float, float] = (0.0007, 0.0086)
    undrogued: float = 0.2
    drogue_life: float = 150.0
    position_error: float = 30.0
    silence: float = 30.0
    faulty: float = 0.15

    def __post_init__(self):
        if self.number < 1 or min(self.inertial_decay, self.gusts, self.drogue_life, self.silence) <= 0:
            raise InputError(f"{self}: expected at least one drifter, and times that are positive")

    def draw(self, i: int, hours: int, box: tuple[float, float, float, float]) -> dict:
        """All that is random about drifter `i` in a record of so many hours and a box (south, north, west, east)."""
        rng = np.random.default_rng([self.seed, i])
        release = max(0, rng.integers(-20 * DAY, max(hours - 12 * DAY, 1)))
        south, north, west, east = box
        places = np.stack([rng.uniform(south, north, 50), rng.uniform(west, east, 50)], -1)
        loss = 0.0 if rng.random() < self.undrogued else release + rng.exponential(self.drogue_life * DAY)
        # The variance of a shot noise: rate x mean square of the shots x decay / 2.
        strength = self.inertial_speed * np.sqrt(2 * self.gusts / self.inertial_decay)
        blows = rng.random(hours) < 1 / (self.gusts * DAY)
        gusts = blows * strength * complex_normal(rng, hours)
        start = self.inertial_speed * complex_normal(rng, 1)[0]
        noise = self.position_error / METRES_PER_DEGREE * rng.standard_normal((hours + 1, 2))
        silent = np.zeros(hours + 1, bool)
        for k in np.flatnonzero(rng.random(hours + 1) < 1 / (self.silence * DAY)):
            silent[k : k + rng.integers(2, 25)] = True
        count = rng.integers(1, 6) * (rng.random() < self.faulty)
        faults = rng.random(count), rng.integers(0, 2, count), rng.choice([-10.0, 10.0], count)
        return {
            "release": release,
            "places": places,
            "loss": loss,
            "gusts": gusts,
            "start": start,
            "noise": noise,
            "silent": silent,
            "faults": faults,
        }

    def follow(self, truth: xr.Dataset) -> xr.Dataset:
        """Release the drifters and read what they report every hour.

        A trajectory ends where its drifter meets land or leaves the fields. Velocities are centred differences of the
        positions reported an hour before and after, as they would be without noise of their own.

        Args:
            truth: `uo`, `vo` (m s-1) and the wind `uas`, `vas` (m s-1), dims (time, latitude, longitude); daily, say.

        Returns:
            a ragged array (`genda_lite.ocean.trajectories`), as `read_drifters` gives: `u`, `v` (m s-1) and `drogue`
            (1 on, 0 lost) by `obs`, and the flags `u_qc`, `v_qc`; drifters that report nothing are not in it.

        Raises:
            InputError: a variable is missing, the record has less than a day, or there is no water.
        """
        fields = Interpolator(truth, ("uo", "vo", "uas", "vas"))
        time = truth["time"].values
        hours = int((time[-1] - time[0]) / np.timedelta64(1, "h"))
        if hours < DAY:
            raise InputError(f"the truth lasts {hours} hours, expected at least a day")
        box = [float(truth[d][end]) for d in ("latitude", "longitude") for end in (0, -1)]
        drawn = [self.draw(i, hours, box) for i in range(self.number)]
        release, loss, start = (np.array([d[name] for d in drawn]) for name in ("release", "loss", "start"))
        gusts, silent = (np.array([d[name] for d in drawn]) for name in ("gusts", "silent"))
        position = np.array([at_sea(d["places"], d["release"] * HOUR, fields) for d in drawn])

        path, motion = [position], start
        for k in range(hours):
            slip = np.where(k < loss, self.windage[0], sum(self.windage))
            turning = -(1j * coriolis(position[:, 0]) + 1 / (self.inertial_decay * DAY * HOUR))

            def current(seconds, latitude, longitude, k=k, slip=slip, turning=turning, motion=motion):
                u, v, wind_u, wind_v = fields(seconds, latitude, longitude).T
                inertial = motion * np.exp(turning * (seconds - k * HOUR))
                return np.stack([u + slip * wind_u + inertial.real, v + slip * wind_v + inertial.imag], -1)

            moved = step(current, k * HOUR, position, HOUR)
            motion = motion * np.exp(turning * HOUR) + gusts[:, k]
            # Before its release a drifter's gusts pass, at the latitude of its release.
            motion = np.where(np.isnan(motion), 0, motion)
            position = np.where((k >= release)[:, None], moved, position)
            path.append(position)

        track = np.stack(path, 1)  # (drifter, hour, 2)
        track[np.arange(hours + 1) < release[:, None]] = np.nan
        scale = np.stack([np.ones(track.shape[:2]), 1 / np.cos(np.radians(track[..., 0]))], -1)
        track = np.round(track + scale * np.array([d["noise"] for d in drawn]), 5)  # as many digits as are reported
        speed = (track[:, 2:] - track[:, :-2]) / scale[:, 1:-1] * METRES_PER_DEGREE / (2 * HOUR)
        velocity = np.full_like(track, np.nan)
        velocity[:, 1:-1] = np.round(speed[..., ::-1], 4)
        heard = np.isfinite(velocity).all(-1) & ~silent
        flags = np.full(velocity.shape, GOOD, np.int8)
        for i, one in enumerate(drawn):
            for where, component, value in zip(*one["faults"], strict=True):
                if (there := np.flatnonzero(heard[i])).size:
                    k = there[int(where * there.size)]
                    velocity[i, k, component], flags[i, k, component] = value, BAD
        return self.ragged(time[0], track, velocity, flags, heard, loss)

    def ragged(self, start, track, velocity, flags, heard, loss) -> xr.Dataset:
        """Arrays (drifter, hour, ...) as a ragged array of what was heard."""
        which, hour = np.nonzero(heard)
        rows, sizes = np.unique(which, return_counts=True)
        names = ("u", "v")
        fields = {n: ("obs", velocity[heard][:, c], CURRENT[n]) for c, n in enumerate(names)}
        flag = {"long_name": "Quality flag", "flag_values": np.array([GOOD, BAD], "i1"), "flag_meanings": "good bad"}
        fields |= {f"{n}_qc": ("obs", flags[heard][:, c], flag) for c, n in enumerate(names)}
        state = {"long_name": "Drogue", "flag_values": np.array([0, 1], "i1"), "flag_meanings": "lost on"}
        fields["drogue"] = ("obs", (hour < loss[which]).astype("i1"), state)
        fields["rowsize"] = ("traj", sizes, {"long_name": "Observations of a trajectory", "sample_dimension": "obs"})
        time = start.astype("datetime64[ns]") + hour * np.timedelta64(1, "h")
        coords = {
            "id": ("traj", [f"99{self.seed:02d}{row:03d}" for row in rows], {"cf_role": "trajectory_id"}),
            "time": ("obs", time, {"standard_name": "time"}),
            "latitude": ("obs", track[heard][:, 0], {"standard_name": "latitude", "units": "degrees_north"}),
            "longitude": ("obs", track[heard][:, 1], {"standard_name": "longitude", "units": "degrees_east"}),
        }
        attrs = {"title": "Simulated drifters", "seed": self.seed, "featureType": "trajectory"}
        return xr.Dataset(fields, coords, attrs)


def complex_normal(rng: np.random.Generator, size: int) -> np.ndarray:
    """Complex numbers of mean square one, all directions alike."""
    return rng.standard_normal((size, 2)) @ np.array([1, 1j]) / np.sqrt(2)


def at_sea(places: np.ndarray, seconds: float, fields: Interpolator) -> np.ndarray:
    """The first of some places (n, 2) where there is water.

    Raises:
        InputError: there is none.
    """
    wet = np.isfinite(fields(seconds, places[:, 0], places[:, 1])).all(-1)
    if not wet.any():
        raise InputError(f"there is no water at {len(places)} random places of the fields, nowhere to release drifters")
    return places[wet.argmax()]


def write_insitu_csv(drifters: xr.Dataset, path: str | os.PathLike) -> None:
    """Write drifters as Copernicus Marine delivers in-situ observations in CSV; compressed if the name ends in `.gz`.

    It is the table that the toolbox's `subset` gives of `cmems_obs-ins_glo_phy-cur_my_drifter_PT1H`, one line a value:

        variable: EWCT, eastward, or NSCT, northward (all lines of one, then of the other, by drifter and time)
        platform_id, platform_type: number of the drifter; DC
        time: UTC, 2017-05-08T05:00:00Z. longitude, latitude: degrees
        depth: of what drifts (m): 15 with a drogue, 0 without. pressure: empty. is_depth_from_producer: 1
        value: m s-1. value_qc: OceanSITES flag, 1 good, 2 probably good, 3 and 4 bad
        institution, doi, product_doi: text

    Args:
        drifters: ragged array with `u`, `v`, their flags `u_qc`, `v_qc`, and `drogue`.

    Raises:
        InputError: the folder does not exist.
    """
    fixes = {
        "platform_id": np.repeat(drifters["id"].values, drifters["rowsize"].values),
        "platform_type": "DC",
        "time": pd.to_datetime(drifters["time"].values).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "longitude": drifters["longitude"].values,
        "latitude": drifters["latitude"].values,
        "depth": np.where(drifters["drogue"].values == 1, DROGUE_DEPTH, 0.0),
        "pressure": np.nan,
        "is_depth_from_producer": 1,
    }
    maker = {"institution": "genda_lite (simulated)", "doi": "", "product_doi": ""}
    parts = [
        pd.DataFrame(
            {"variable": variable}
            | fixes
            | {"value": drifters[name].values, "value_qc": drifters[f"{name}_qc"].values}
            | maker
        )
        for variable, name in (("EWCT", "u"), ("NSCT", "v"))
    ]
    table = pd.concat(parts).to_csv(index=False, lineterminator="\n").encode()
    with atomic_path(path) as temporary:
        # Without name and time in its header a compressed file is the same again.
        temporary.write_bytes(gzip.compress(table, mtime=0) if temporary.suffix == ".gz" else table)
