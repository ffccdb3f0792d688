"""Observing systems: from one altimeter to seven, with SWOT or without, under clouds, with smooth maps and winds.

    system = ObservingSystem(constellation(3), swot=True, cloud=0.8, l4=("zos",), wind=True)
    observations = system.observe(truth_series, date)

More missions or less cloud only add observations; those that two systems share have the same values.
"""

from dataclasses import dataclass, field, replace
from functools import reduce
from operator import add

import numpy as np
import xarray as xr
from scipy.spatial import cKDTree

from ..errors import InputError
from ..state import EARTH_RADIUS, Grid
from .instruments import DAY, InstrumentErrors
from .nadir import Nadir
from .orbits import MISSIONS
from .radiometer import Radiometer
from .sensors import Sensor
from .smooth_maps import LEVEL_4, WINDS
from .swath import SWATH_CELL, Swath
from .table import Observations

NADIR = tuple(name for name in MISSIONS if name != "SWOT")
L4 = tuple(LEVEL_4)


def constellation(number: int) -> tuple[str, ...]:
    """The first `number` nadir altimeters, 0 to 7; each constellation contains the smaller ones.

    Raises:
        InputError: another number.
    """
    if not 0 <= number <= len(NADIR):
        raise InputError(f"a constellation has 0 to {len(NADIR)} nadir altimeters, got {number}")
    return NADIR[:number]


def random_system(seed: int) -> "ObservingSystem":
    """An observing system drawn at random: 1 to 7 nadir altimeters, SWOT or not, cloud over 0 to 95 %, each smooth map
    and the winds with even odds. One seed decides all that is random in it."""
    rng = np.random.default_rng([seed, 5])
    return ObservingSystem(
        missions=constellation(int(rng.integers(1, 1 + len(NADIR)))),
        swot=bool(rng.integers(2)),
        cloud=float(rng.uniform(0, 0.95)),
        l4=tuple(name for name in L4 if rng.integers(2)),
        wind=bool(rng.integers(2)),
        seed=seed,
    )


@dataclass(frozen=True)
class ObservingSystem:
    """Which satellites fly, what they measure and how well.

    Args:
        missions: nadir altimeters, of `NADIR`. swot: SWOT, its nadir altimeter and its swath.
        cloud: share of the sea hidden from the radiometer, 0..1; at 1 it sees nothing.
        l4: channels seen as smooth maps, of `L4`. wind: smooth maps of both components of the wind.
        window: days of altimetry before, and after, the date of the analysis.
        swath_cell: width of the cells that SWOT's swath is averaged to (km).
        errors: of the instruments. seed: of everything random.
        more: further sensors, registered or not, with their own options. A sensor flies only if it is given here.
            Otherwise each newly registered sensor would change all experiments.

    Raises:
        InputError: an unknown or repeated mission or map, a cloud share outside 0..1, a window that is not positive.

    Examples:
        What three altimeters see of a flat sea is their errors:

        >>> import numpy as np, xarray as xr
        >>> from genda_lite.observe.systems import ObservingSystem, constellation
        >>> system = ObservingSystem(constellation(3), cloud=1.0)  # no temperature
        >>> system.missions
        ('Sentinel-6', 'Sentinel-3A', 'Sentinel-3B')
        >>> grid = {"latitude": 33 + np.arange(121) / 12, "longitude": -65 + np.arange(121) / 12}
        >>> date = np.datetime64("2017-06-01T12:00", "ns")
        >>> flat = xr.DataArray(np.zeros((1, 121, 121)), {"time": [date], **grid}, ("time", "latitude", "longitude"))
        >>> seen = system.observe(flat.to_dataset(name="zos"), date)
        >>> len(seen) > 1000, bool(abs(seen.value).max() < 0.2)
        (True, True)
    """

    missions: tuple[str, ...] = NADIR[:3]
    swot: bool = False
    cloud: float = 0.7
    l4: tuple[str, ...] = ()
    wind: bool = False
    window: float = 5.0
    swath_cell: float = SWATH_CELL
    errors: InstrumentErrors = field(default_factory=InstrumentErrors)
    seed: int = 0
    more: tuple[Sensor, ...] = ()

    def __post_init__(self):
        for what, names, known in (("missions", self.missions, NADIR), ("l4", self.l4, L4)):
            if isinstance(names, str) or not set(names) <= set(known) or len(set(names)) < len(names):
                raise InputError(f"{what} must be different names out of {', '.join(known)}, got {names!r}")
        if not 0 <= self.cloud <= 1:
            raise InputError(f"the cloud fraction must lie in 0..1, got {self.cloud}")
        if not 0 < self.window < np.inf:
            raise InputError(f"the window must be a positive number of days, got {self.window}")
        if self.seed < 0:
            raise InputError(f"the seed must not be negative, got {self.seed}")

    @property
    def sensors(self) -> tuple[Sensor, ...]:
        """The sensors that fly, with the settings of the system."""
        altimeters = (*self.missions, *(("SWOT",) if self.swot else ()))
        flying = (
            (Nadir(altimeters), altimeters),
            (Swath(self.swath_cell), self.swot),
            (Radiometer(self.cloud), self.cloud < 1),
            *((LEVEL_4[name], True) for name in self.l4),
            (WINDS, self.wind),
            *((sensor, True) for sensor in self.more),
        )
        return tuple(sensor for sensor, flies in flying if flies)

    def observe(self, truth: xr.Dataset, date: np.datetime64) -> Observations:
        """All that the system sees of a true ocean: the sum of `parts`."""
        return reduce(add, self.parts(truth, date).values())

    def in_time(self, truth: xr.Dataset, date: np.datetime64) -> Observations:
        """All that the system sees within its window, each value at its own time, for methods that know the time.

        The age of altimetry is not among its errors. What `parts` sees of the date alone is here seen of every day of
        the truth within the window, with that day's clouds and errors.

        Args:
            truth, date: as in `parts`.

        Raises:
            InputError: as `parts`.
        """
        timely = replace(self, errors=replace(self.errors, variability=0.0))
        daily = replace(timely, missions=(), swot=False)
        seen = [timely.observe(truth, date)]
        for day in truth["time"].values if daily.sensors else ():
            if DAY / 2 < abs(day - date) <= self.window * DAY:
                seen += daily.seen(truth, day).values()
        return reduce(add, seen)

    def parts(self, truth: xr.Dataset, date: np.datetime64) -> dict[str, Observations]:
        """What each instrument sees of a true ocean.

        Altimetry is sampled from the true ocean of its own day, the rest from that of the date. If the series lacks
        that day, the nearest one is sampled. The stated error of altimetry is then too large, not too small.

        Args:
            truth: dims (time, latitude, longitude), the channels that are observed, in their units.
            date: of the analysis (UTC), within a day of the series.

        Returns:
            observations by name: missions, "SWOT nadir", "SWOT swath", "radiometer", "l4 zos" and so on, "wind".
            Instruments that see nothing are left out. All have the truth's reference of sea level, except that each
            pass of the swath has an unknown constant, its timing error.

        Raises:
            InputError: a variable or dimension is missing, the date lies outside the series, nothing is seen at all, or
                two sensors have one name.
        """
        parts = self.seen(truth, date)
        if not parts:
            raise InputError(f"nothing is observed within {self.window:g} days of {date} by {self}")
        return parts

    def seen(self, truth: xr.Dataset, date: np.datetime64) -> dict[str, Observations]:
        """`parts`, or nothing where nothing is seen."""
        date = np.datetime64(date, "ns")
        _check(truth, sorted({channel for sensor in self.sensors for channel in sensor.channels}), date)
        parts = {}
        for sensor in self.sensors:
            seen = sensor.simulate(truth, date, self.window, self.errors, self.seed)
            if twice := parts.keys() & seen.keys():
                raise InputError(f"two sensors are both called {min(twice)!r}, expected different names")
            parts |= seen
        return {name: part for name, part in parts.items() if part is not None}


def density(observations: Observations, grid: Grid, distance: float = 25.0) -> dict[str, float]:
    """How densely a grid is observed.

    Returns:
        `per_degree2`: observations per square degree; `near`: share of cells within `distance` km of one.
    """
    inside = observations.inside(grid)
    area = np.ptp(grid.latitude) * np.ptp(grid.longitude)
    return {"per_degree2": float(len(inside) / area), "near": float((_distance(inside, grid) <= distance).mean())}


def sparsity(observations: Observations, grid: Grid, channel: str = "zos") -> float:
    """How sparsely a channel is observed: the mean distance from a cell of the grid to the nearest observation of it in
    the grid (km), infinite where there is none."""
    return float(_distance(observations.select(observations.channel == channel).inside(grid), grid).mean())


def _distance(observations: Observations, grid: Grid) -> np.ndarray:
    """From each cell to the nearest observation, km; infinite if there is none."""
    latitude, longitude = (a.ravel() for a in np.meshgrid(grid.latitude, grid.longitude, indexing="ij"))
    if not len(observations):
        return np.full(latitude.size, np.inf)
    return cKDTree(_cartesian(observations.latitude, observations.longitude)).query(_cartesian(latitude, longitude))[0]


def _cartesian(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Places on the sphere, (m, 3), km."""
    lat, lon = np.radians(latitude), np.radians(longitude)
    return EARTH_RADIUS / 1e3 * np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], -1)


def _check(truth: xr.Dataset, needed: list[str], date: np.datetime64) -> None:
    for name in needed:
        if name not in truth:
            raise InputError(f"the truth has no {name}, which is to be observed; it has {', '.join(truth.data_vars)}")
        if set(truth[name].dims) != {"time", "latitude", "longitude"}:
            raise InputError(
                f"truth {name} has dims {truth[name].dims}, expected time, latitude and longitude "
                f"(of one state: truth.expand_dims('time'))"
            )
    days = truth["time"].values
    if (np.diff(days) <= np.timedelta64(0)).any():
        raise InputError("the times of the truth do not ascend, expected a series in order")
    if not days[0] - DAY <= date <= days[-1] + DAY:
        first, last = (np.datetime_as_string(t, "D") for t in days[[0, -1]])
        raise InputError(f"the date {date} lies outside the truth, expected one within a day of {first} to {last}")
