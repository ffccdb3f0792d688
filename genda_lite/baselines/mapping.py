"""Sea level mapped in space and time from altimeters alone, as DUACS does it: optimal interpolation with a covariance
of a simple form, whose scales are tuned to the sea.

    C = s^2 (1 + r + r^2/6 - r^3/6) e^-r e^-(dt/T)^2,    r = 3.337 d / L

(Arhan & Colin de Verdiere 1985, Dynamics of eddy motions in the eastern North Atlantic; for altimetry Le Traon et al.
1998, doi:10.1175/1520-0426(1998)015<0522:AIMMOM>2.0.CO;2), with L its first zero. It is the Gaussian prior of a
trajectory with one channel, at all distances and ages, and a covariance that is written down instead of learned.
"""

import numpy as np
import xarray as xr
from scipy.linalg import cho_factor, cho_solve

from ..errors import InputError
from ..observe.table import Observations
from ..state import KM_PER_DEGREE, Grid, Standardizer

# L and T have the least error at the withheld altimeter of the old twin among those that
# `data_samples/make_twin.py --tune` tries.
ZERO, DECORRELATION, SIGNAL = 250.0, 7.0, 0.3  # km, days, m
MAPPED, THINNED = 12.0, 4  # days before and after that a map draws from; every so many points of a track
ALONG_TRACK_ERROR = 0.02  # m, of the filtered tracks


class Mapping:
    """Optimal interpolation of filtered tracks in space and time, as DUACS L4 maps sea level.

    Args:
        tracks: of the altimeters that are mapped. zero, decorrelation: scales of the covariance (km, days).
        thinned: every so many points of a track are used.
    """

    def __init__(
        self,
        tracks: dict[str, xr.Dataset],
        zero: float = ZERO,
        decorrelation: float = DECORRELATION,
        thinned: int = THINNED,
    ):
        self.zero, self.decorrelation = zero, decorrelation
        self.seen = xr.concat([one.isel(time=slice(None, None, thinned)) for one in tracks.values()], "time")
        self.places = self.place_of(self.seen)

    @staticmethod
    def place_of(points: xr.Dataset) -> np.ndarray:
        """Kilometres northward and eastward, (2, n)."""
        east = (points["longitude"].values + 180) % 360 - 180
        return KM_PER_DEGREE * np.stack([points["latitude"].values, np.cos(np.radians(38.0)) * east])

    def covariance(self, here: np.ndarray, there: np.ndarray, days: np.ndarray) -> np.ndarray:
        """Of sea level at n places and m others, (n, m)."""
        r = 3.337 * np.hypot(*(here[:, :, None] - there[:, None])) / self.zero
        return SIGNAL**2 * (1 + r + r**2 / 6 - r**3 / 6) * np.exp(-r) * np.exp(-((days / self.decorrelation) ** 2))

    def at(self, place: np.ndarray, date: np.datetime64) -> tuple[np.ndarray, np.ndarray]:
        """Anomaly and its formal error at places (2, n) on a date."""
        age = (self.seen["time"].values - date) / np.timedelta64(1, "D")
        near = abs(age) <= MAPPED
        age, there, value = age[near], self.places[:, near], self.seen["sla_filtered"].values[near]
        known = self.covariance(there, there, age[:, None] - age)
        known[np.diag_indices_from(known)] += ALONG_TRACK_ERROR**2
        to = self.covariance(place, there, age[None])
        gain = cho_solve(cho_factor(known), to.T).T
        return gain @ value, np.sqrt(np.maximum(SIGNAL**2 - (to * gain).sum(1), 0))


def mapped_level(
    observations: Observations,
    standardizer: Standardizer,
    grid: Grid,
    date: np.datetime64,
    zero: float = ZERO,
    decorrelation: float = DECORRELATION,
) -> tuple[np.ndarray, np.ndarray]:
    """Sea level (m) of a date and its formal error, each (ny, nx), from the sea level of a table at its own times.

    The anomalies are those about the climatology; of a source of unknown reference their mean is taken out.

    Args:
        observations: others than of sea level, and those without a time, are left out.

    Raises:
        InputError: no sea level with a time within `MAPPED` days of the date.
    """
    level = observations.select((observations.channel == "zos") & ~np.isnat(observations.time))
    near = abs(level.time - np.datetime64(date, "ns")) <= np.timedelta64(round(MAPPED * 86400), "s")
    if not near.any():
        raise InputError(f"no sea level lies within {MAPPED:g} days of {np.datetime_as_string(date, 'D')}")
    place = standardizer.channels.index("zos")
    usual = standardizer.climatology(level.latitude, np.datetime64("NaT"), level.longitude)[place]
    anomaly = level.value - usual
    for source in np.unique(level.source[level.reference_error > 0]):
        anomaly[level.source == source] -= anomaly[level.source == source].mean()
    seen = xr.Dataset(
        {"sla_filtered": ("time", anomaly)},
        {"time": level.time, "latitude": ("time", level.latitude), "longitude": ("time", level.longitude)},
    )
    mapping = Mapping({"table": seen}, zero, decorrelation, thinned=1)
    rows, columns = np.meshgrid(grid.latitude, grid.longitude, indexing="ij")
    points = xr.Dataset({"latitude": ("n", rows.ravel()), "longitude": ("n", columns.ravel())})
    found, error = (part.reshape(grid.shape) for part in mapping.at(mapping.place_of(points), date))
    usual = standardizer.climatology(grid.latitude[:, None], np.datetime64("NaT"), grid.longitude)[place]
    return found + usual, error
