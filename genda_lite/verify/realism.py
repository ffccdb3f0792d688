"""How like the real Gulf Stream a simulated ocean is: statistics of its surface beside those of real products.

Every statistic is taken from one ocean (member) at a time, over a box of 10 degrees across the Gulf Stream extension,
and has the same definition for simulated and real fields. An ocean is a Dataset in memory with dims (time, latitude,
longitude), any of the variables zos (m), thetao (degC), so (1e-3), uo, vo (m s-1), uas, vas (m s-1), ascending
coordinates and no missing values. What a record is too short or too coarse for is NaN.
"""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr
from scipy.ndimage import gaussian_filter, median_filter

from ..errors import InputError
from ..ocean.currents import geostrophic_current, gradient_wind, relative_vorticity, smooth, wind_stress
from ..prepare.climatology import without_wind
from ..prepare.decompose import require as require_inputs
from ..prepare.frames import members_of
from ..sources import open_product
from ..sources.reanalysis import tidy
from ..state import INPUTS, harmonics
from .spectra import detrend, isotropic_spectrum, slope, spacing
from .table import row

Box = tuple[float, float, float, float]  # west, east, south, north (degrees)
Values = dict[str, float]
BOX: Box = (-65.0, -55.0, 33.0, 43.0)
NARROWEST = 8.0  # degrees; statistics of a smaller part of the box do not compare
DAY = np.timedelta64(1, "D")
# Lowest and highest value that count as realistic; None leaves that end open, and (None, None) reports without judging.
TARGETS: dict[str, tuple[float | None, float | None]] = {
    "SSH std (m)": (0.30, 0.45),
    "SSH temporal std (m)": (0.22, 0.35),
    "speed rms (m/s)": (0.38, 0.55),
    "speed max of a day (m/s)": (1.4, 2.1),
    "speed max of the record (m/s)": (None, None),
    "vorticity/f rms": (0.13, 0.19),
    "vorticity/f skewness": (0.1, None),
    "SST 1st percentile (degC)": (5.0, None),
    "SST 99th percentile (degC)": (None, 28.0),
    "SST summer minus winter (degC)": (6.0, 11.0),
    "SSS 1st percentile": (33.0, None),
    "SSS 99th percentile": (None, 36.8),
    "SSH-SST correlation on the front": (0.60, 0.85),
    "SST-SSS correlation on the front": (0.85, None),
    "SSH e-folding time (d)": (10.0, 20.0),
    "KE spectral slope": (-3.6, -2.6),
    "SSH spectral slope": (-5.7, -4.5),
    "SST spectral slope": (-3.0, -1.7),
    "ageostrophic current rms (m/s)": (0.04, 0.10),
    "gradient-wind share of it": (None, None),
    "wind speed (m/s)": (7.0, 10.0),
    "wind-SST coupling (m/s per degC)": (0.2, 0.5),
    # Or within two standard errors of zero, where those are larger. Smaller trends are lost among an ocean's own years.
    "SST drift (degC per decade)": (-0.3, 0.3),
    "SSS drift (per decade)": (-0.05, 0.05),
    "SSH std drift (m per decade)": (-0.02, 0.02),
    # Power at 2 cells over that at 4. A field of steps, the roughest a sharp front can be, has 0.43; white noise has 1.
    "SSH grid noise": (None, 0.5),
    "SST grid noise": (None, 0.5),
    "current grid noise": (None, 0.5),
    # Moving fronts leave 0.07 to 0.15 in a record of nine months; a fixed step a quarter as sharp as they are, 0.25.
    "straight edges": (None, 0.25),
}


def sparse(ocean, dates: int = 400):
    """At most so many dates, evenly spaced: enough for averages, and they bound the memory for long records."""
    return ocean.isel(time=slice(None, None, -(-ocean.sizes["time"] // dates)))


def interior(field, cells: int = 1):
    """A field (..., ny, nx) without its outermost rows and columns, where differences and filters are one-sided."""
    return field[..., cells:-cells, cells:-cells]


def correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Spatial correlation of fields (..., ny, nx), (...)."""
    a, b = (x - x.mean((-2, -1), keepdims=True) for x in (a, b))
    return (a * b).mean((-2, -1)) / np.sqrt((a**2).mean((-2, -1)) * (b**2).mean((-2, -1)))


def spectral_slope(*fields: xr.DataArray) -> float:
    """Slope at wavelengths of 70-250 km of the summed spectrum; NaN on a grid too coarse to hold 70 km."""
    if max(spacing(fields[0])) * 2 > 70e3:
        return np.nan
    return slope(sum(isotropic_spectrum(field) for field in fields))


def sea_level(ocean: xr.Dataset) -> Values:
    """Variance, memory and spectrum of sea level."""
    zos = ocean["zos"].values.astype(float)
    return {
        "SSH std (m)": zos.std(),
        "SSH temporal std (m)": np.sqrt(zos.var(0).mean()) if len(zos) > 1 else np.nan,
        "SSH e-folding time (d)": e_folding_time(ocean["zos"]),
        "SSH spectral slope": spectral_slope(ocean["zos"]),
        "SSH grid noise": grid_noise(ocean["zos"]),
    }


def e_folding_time(field: xr.DataArray) -> float:
    """Lag at which the autocorrelation of anomalies about the time mean falls to 1/e, days.

    The autocovariance at a lag is the mean over the box and over all pairs of dates that far apart (whole days). So
    dates need not be evenly spaced. Between lags the logarithm is interpolated linearly. Anomalies about the mean of a
    record of finite length L lose the variance of that mean, so that the sample's autocorrelation is

        r = (rho - beta) / (1 - beta),   beta = mean of rho over all pairs of dates (about 2 T / L).

    beta is that of an exponential rho with the time T sought; it is found by iteration.

    Args:
        field: dims (time, latitude, longitude). NaN for fewer than 10 dates, less than 60 days or no crossing.
    """
    days = (field["time"].values - field["time"].values[0]) / DAY
    if len(days) < 10 or np.ptp(days) < 60:
        return np.nan
    anomaly = field.values.reshape(len(days), -1).astype(float)
    anomaly = anomaly - anomaly.mean(0)
    lag = np.rint(np.abs(days[:, None] - days)).astype(int).ravel()
    pairs = np.bincount(lag)
    held = np.flatnonzero(pairs)
    covariance = np.bincount(lag, (anomaly @ anomaly.T).ravel())[held] / pairs[held]
    sample = covariance / covariance[0]
    beta = 0.0
    for _ in range(20):
        rho = sample * (1 - beta) + beta
        below = np.flatnonzero(rho < np.exp(-1))
        if not len(below):
            return np.nan
        i = below[0]
        ends = np.log(np.maximum(rho[[i - 1, i]], 1e-3))
        time = np.interp(1, -ends, held[[i - 1, i]])
        beta = (pairs[held] * np.exp(-held / time)).sum() / pairs.sum()
    return float(time)


def current(ocean: xr.Dataset) -> Values:
    """Speed, vorticity and kinetic energy spectrum of the current."""
    squared = ocean["uo"].values ** 2 + ocean["vo"].values ** 2
    u, v = (sparse(ocean[name]) for name in ("uo", "vo"))
    rossby = interior(relative_vorticity(u, v).values).astype(float)
    anomaly = rossby - rossby.mean()
    return {
        "speed rms (m/s)": np.sqrt(squared.mean(dtype=float)),
        # Products are single days, so days are what compares; a record's extreme grows with its length.
        "speed max of a day (m/s)": np.sqrt(squared.max((1, 2))).mean(),
        "speed max of the record (m/s)": np.sqrt(squared.max()) if len(squared) > 1 else np.nan,
        "vorticity/f rms": np.sqrt((rossby**2).mean()),
        "vorticity/f skewness": (anomaly**3).mean() / (anomaly**2).mean() ** 1.5,
        "KE spectral slope": spectral_slope(u, v),
        "current grid noise": max(grid_noise(u), grid_noise(v)),
    }


def temperature(ocean: xr.Dataset) -> Values:
    """Extremes, season and spectrum of the surface temperature."""
    low, high = np.percentile(ocean["thetao"].values, (1, 99))
    return {
        "SST 1st percentile (degC)": low,
        "SST 99th percentile (degC)": high,
        "SST summer minus winter (degC)": seasonal_difference(ocean["thetao"]),
        "SST spectral slope": spectral_slope(ocean["thetao"]),
        "SST grid noise": grid_noise(ocean["thetao"]),
    }


def salinity(ocean: xr.Dataset) -> Values:
    """Extremes of the surface salinity."""
    low, high = np.percentile(ocean["so"].values, (1, 99))
    return {"SSS 1st percentile": low, "SSS 99th percentile": high}


def seasonal_difference(field: xr.DataArray) -> float:
    """Summer minus winter of the box mean: twice the amplitude of its annual harmonic, negative if winter is higher.

    NaN where the dates leave more than four months of the year out.
    """
    time = field["time"].values
    basis = harmonics(time)
    phase = np.sort(np.arctan2(basis[:, 2], basis[:, 1]))
    if np.diff(phase, append=phase[0] + 2 * np.pi).max() > 2 * np.pi / 3:
        return np.nan
    series = field.mean(("latitude", "longitude")).values.astype(float)
    _, a, b = np.linalg.lstsq(basis, series, rcond=None)[0]
    # The sea is warmest about the first of September, two thirds of the year past New Year.
    summer = np.cos(4 * np.pi / 3) * a + np.sin(4 * np.pi / 3) * b
    return float(np.copysign(2 * np.hypot(a, b), summer))


def on_the_front(ocean: xr.Dataset, size: float = 5.0, least: float = 0.25) -> list[tuple[xr.Dataset, np.ndarray]]:
    """Boxes of `size` degrees, each half over the next, and the dates when the front crosses them.

    The front crosses a box when sea level in it has a standard deviation above `least` (m) at that date: a step of
    0.5 m through its middle, half of the Gulf Stream's own.
    """
    boxes = []
    latitude, longitude = ocean["latitude"].values, ocean["longitude"].values
    for south in np.arange(latitude[0], latitude[-1] - size + 0.1, size / 2):
        for west in np.arange(longitude[0], longitude[-1] - size + 0.1, size / 2):
            box = ocean.sel(latitude=slice(south, south + size), longitude=slice(west, west + size))
            crossed = box["zos"].std(("latitude", "longitude")).values > least
            if crossed.any():
                boxes.append((box, crossed))
    return boxes


def front(ocean: xr.Dataset) -> Values:
    """Instantaneous spatial correlations in boxes of 5 degrees on the front, mean over boxes and dates."""
    warm, salty = [], []
    for box, crossed in on_the_front(ocean):
        zos, thetao, so = (box[name].values[crossed].astype(float) for name in ("zos", "thetao", "so"))
        warm.append(correlation(zos, thetao))
        salty.append(correlation(thetao, so))
    return {
        "SSH-SST correlation on the front": np.concatenate(warm).mean() if warm else np.nan,
        "SST-SSS correlation on the front": np.concatenate(salty).mean() if salty else np.nan,
    }


def ageostrophic(ocean: xr.Dataset) -> Values:
    """What neither sea level nor wind explains of the current, and how much the flow's curvature does.

    The residual is the total current minus the smoothed geostrophic current (as in the state) and minus the Ekman
    current. The Ekman current is the response of the rest to the wind stress, at each latitude, by complex least
    squares. Smoothing leaves some geostrophic current in the residual, which has nothing to do with curvature. So the
    share that `gradient_wind` explains is computed without smoothing: 1 minus its squared error over the square of the
    residual.
    """
    ocean = sparse(ocean)
    if ocean.sizes["time"] < 10:  # too few to tell the wind's part
        return {}
    balanced = geostrophic_current(ocean["zos"])
    smoothed = [smooth(part) for part in balanced]
    whole, stress = ocean["uo"] + 1j * ocean["vo"], wind_stress(ocean["uas"].astype(float) + 1j * ocean["vas"])
    rest = [without_wind(whole - (u.astype(float) + 1j * v), stress).values for u, v in (smoothed, balanced)]
    left, unsmoothed = (interior(part, 3) for part in rest)
    us, vs = (part.values.astype(float) for part in smoothed)
    curved = interior(gradient_wind(us, vs, ocean["latitude"].values, ocean["longitude"].values), 3)
    power = (np.abs(unsmoothed) ** 2).mean()
    return {
        "ageostrophic current rms (m/s)": np.sqrt((np.abs(left) ** 2).mean()),
        "gradient-wind share of it": 1 - (np.abs(unsmoothed - curved) ** 2).mean() / power,
    }


def wind(ocean: xr.Dataset) -> Values:
    """Mean wind speed."""
    speed = np.hypot(ocean["uas"], ocean["vas"])
    return {"wind speed (m/s)": float(speed.mean())}


def coupling(ocean: xr.Dataset, cutoff: float = 10.0) -> Values:
    """Regression of monthly wind speed on monthly SST, both without their scales longer than `cutoff` degrees.

    Chelton and others remove scales beyond 10 degrees of latitude by 20 of longitude with a loess filter. A box of ten
    degrees allows less: a plane is removed, then a Gaussian low-pass that halves a wave of `cutoff` degrees.
    All dates of a calendar month are averaged, months of fewer than three dates left out, the others pooled.

    Chelton, D. B. & Xie, S.-P. (2010), Coupled ocean-atmosphere interaction at oceanic mesoscales,
    doi:10.5670/oceanog.2010.05; O'Neill, L. W. et al. (2012), Journal of Climate 25, 5916-5942.
    """
    months = ocean["time"].values.astype("datetime64[M]")
    counts = dict(zip(*np.unique(months, return_counts=True), strict=True))
    kept = [month for month, n in counts.items() if n >= 3]
    if not kept:
        return {}
    speed = np.hypot(ocean["uas"].values, ocean["vas"].values)
    means = np.stack([[x[months == m].mean(0) for m in kept] for x in (speed, ocean["thetao"].values)]).astype(float)
    means = detrend(means)
    width = cutoff * np.sqrt(np.log(2) / 2) / np.pi  # degrees; standard deviation of the Gaussian
    cells = [width / float(ocean[dim].diff(dim).mean()) for dim in ("latitude", "longitude")]
    means = means - gaussian_filter(means, [0, 0, *cells], mode="reflect")
    speed, sst = means - means.mean((-2, -1), keepdims=True)
    return {"wind-SST coupling (m/s per degC)": (speed * sst).sum() / (sst**2).sum()}


def grid_noise(field: xr.DataArray) -> float:
    """Power at wavelengths of 2 to 2.5 cells over that of 4 to 5 cells, along the rows or columns, whichever is worse.

    About 1 for noise from cell to cell, 0.43 for steps sampled on the grid, far less for smooth fields. It is taken of
    currents, not of their vorticity, whose centred differences do not see a wave of two cells.
    """
    data = field.values
    ratios = []
    for axis in (-2, -1):
        n = data.shape[axis]
        lines = np.moveaxis(data, axis, -1)
        lines = lines - lines.mean(-1, keepdims=True)
        power = 0.0
        for some in np.array_split(lines, max(1, len(lines) // 64)):
            power = power + (np.abs(np.fft.rfft(some * np.hanning(n + 2)[1:-1])) ** 2).sum((0, 1))
        k = np.fft.rfftfreq(n)
        ratios.append(power[k >= 1 / 2.5].mean() / power[(k >= 1 / 5) & (k <= 1 / 4)].mean())
    return float(max(ratios))


def straight_edge(field: xr.DataArray) -> float:
    """The sharpest straight line along a row or column that persists in a field, beside the sharpness of its fronts.

    The second difference across columns is averaged over latitude and dates (and that across rows over longitude):
    moving fronts average out, a line that stays does not. The median of the eleven columns around is taken away, and
    the broad mean front with it; the largest that remains is divided by the rms second difference at single points
    and dates. A fixed step of s times that rms gives about s. NaN for fewer than 30 dates or less than half a year, in
    which fronts have not moved enough.
    """
    data, time = field.values, field["time"].values
    if len(time) < 30 or np.ptp(time) < 180 * DAY:
        return np.nan
    mean = data.mean(0, dtype=float)
    ratios = []
    for axis in (0, 1):
        kink = np.diff(mean, 2, axis).mean(1 - axis)
        sharpest = np.abs(kink - median_filter(kink, 11, mode="nearest")).max()
        ratios.append(sharpest / np.sqrt(np.mean(np.diff(sparse(field).values, 2, axis + 1) ** 2, dtype=float)))
    return float(max(ratios))


def drift(ocean: xr.Dataset) -> Values:
    """Trends of the box mean of SST and SSS and of the spatial standard deviation of SSH, per ten years.

    A line and an annual harmonic are fitted to monthly means of a record longer than three years. The standard error
    (under the name with " error") is that of independent months times sqrt((1 + r) / (1 - r)), r the residual's
    correlation from month to month.
    """
    time = ocean["time"].values
    if (time[-1] - time[0]) / DAY < 3 * 365.25:
        return {}
    place = ("latitude", "longitude")
    series = {
        "SST drift (degC per decade)": ocean["thetao"].mean(place),
        "SSS drift (per decade)": ocean["so"].mean(place),
        "SSH std drift (m per decade)": ocean["zos"].std(place),
    }
    _, month = np.unique(time.astype("datetime64[M]"), return_inverse=True)
    decades = (time - time[0]) / DAY / 3652.5
    basis = np.column_stack([decades, harmonics(time)])
    count = np.bincount(month)
    basis = np.stack([np.bincount(month, column) for column in basis.T], -1) / count[:, None]
    values = {}
    for name, one in series.items():
        y = np.bincount(month, one.values.astype(float)) / count
        fit = np.linalg.lstsq(basis, y, rcond=None)[0]
        residual = y - basis @ fit
        r = max(np.corrcoef(residual[1:], residual[:-1])[0, 1], 0.0)
        variance = (residual**2).sum() / (len(y) - basis.shape[1]) * np.linalg.inv(basis.T @ basis)[0, 0]
        values[name], values[name + " error"] = fit[0], np.sqrt(variance * (1 + r) / (1 - r))
    return values


MEASURES: tuple[tuple[Callable[[xr.Dataset], Values], tuple[str, ...]], ...] = (
    (sea_level, ("zos",)),
    (current, ("uo", "vo")),
    (temperature, ("thetao",)),
    (salinity, ("so",)),
    (front, ("zos", "thetao", "so")),
    (ageostrophic, ("zos", "uo", "vo", "uas", "vas")),
    (wind, ("uas", "vas")),
    (coupling, ("uas", "vas", "thetao")),
    (drift, ("zos", "thetao", "so")),
)


def measure(ocean: xr.Dataset) -> Values:
    """All statistics that the variables of one ocean allow; NaN where a field does not vary."""
    values: Values = {}
    with np.errstate(divide="ignore", invalid="ignore"):
        for statistic, variables in MEASURES:
            if all(name in ocean for name in variables):
                values |= statistic(ocean)
    return {name: float(value) for name, value in values.items()}


def inside(ds: xr.Dataset, box: Box = BOX) -> xr.Dataset:
    """The part of a data set (ascending latitude and longitude) in a box west, east, south, north (degrees).

    Raises:
        InputError: less than `NARROWEST` degrees of the box are held, either way.
    """
    slack = 1e-3
    west, east, south, north = box
    part = ds.sel(latitude=slice(south - slack, north + slack), longitude=slice(west - slack, east + slack))
    for dim in ("latitude", "longitude"):
        if part.sizes[dim] < 2 or float(part[dim][-1] - part[dim][0]) < NARROWEST - slack:
            raise InputError(
                f"the data set covers {float(ds[dim].min()):.2f} to {float(ds[dim].max()):.2f} degrees of {dim}, "
                f"expected at least {NARROWEST:g} degrees of the box {west:g} to {east:g} E, {south:g} to {north:g} N"
            )
    return part


def realism(ds: xr.Dataset | list[xr.Dataset], box: Box = BOX) -> list[dict]:
    """Statistics of simulated oceans beside realistic ranges, one row each.

    Args:
        ds: one or more data sets, dims ([member,] time, latitude, longitude), with zos, thetao, so, uo, vo, uas, vas;
            they may be open files: one ocean at a time is read.
        box: west, east, south, north (degrees).

    Returns:
        rows of `verify.table.row`: means over the oceans, with `low` and `high` (least and greatest of them) and `real`
        (empty, see `real_values`). The rows of drift are there only if the records are long enough.

    Raises:
        InputError: a variable, a dimension or a value is missing, or the box is not covered.
    """
    oceans = [measured(one) for data in (ds if isinstance(ds, list) else [ds]) for one in _oceans(data, box)]
    rows = []
    for name, (lowest, highest) in TARGETS.items():
        known = [ocean[name] for ocean in oceans if np.isfinite(ocean.get(name, np.nan))]
        if not known and "drift" in name:
            continue
        value = float(np.mean(known)) if known else np.nan
        if "drift" in name:
            # The mean of independent members errs less than each of them.
            error = np.sqrt(sum(ocean[name + " error"] ** 2 for ocean in oceans if name in ocean)) / len(known)
            highest = max(highest, 2 * float(error))
            lowest = -highest
        ends = {"low": min(known, default=np.nan), "high": max(known, default=np.nan)}
        rows.append(row(name, value, lowest, highest, metric=name) | ends | {"real": {}})
    return rows


def require(ds: xr.Dataset) -> None:
    """Check that a data set holds what an ocean is made of.

    Raises:
        InputError: a variable or dimension is missing, or the time is not one of dates.
    """
    require_inputs(ds)
    if ds["time"].dtype.kind != "M":
        raise InputError(f"time is of type {ds['time'].dtype}, expected dates")


def first_of(ds: xr.Dataset, members: int = 2, dates: int = 60) -> xr.Dataset:
    """A quick look at a data set: a few members, and a few dates spread over their first year."""
    require(ds)
    year = int((ds["time"].values - ds["time"].values[0] < 366 * DAY).sum())
    ds = ds.isel(time=slice(0, year, -(-year // dates)))
    return ds.isel(member=slice(members)) if "member" in ds.dims else ds


def measured(pair: tuple[xr.Dataset, xr.Dataset]) -> Values:
    """Statistics of an ocean: of its part in the box, and of straight lines anywhere on its grid."""
    part, whole = pair
    with np.errstate(invalid="ignore"):
        return measure(part) | {"straight edges": max(straight_edge(whole[name]) for name in ("thetao", "so"))}


def _oceans(ds: xr.Dataset, box: Box):
    """Each ocean of a data set in memory: its part in the box, and its tracers on the whole grid."""
    require(ds)
    ds = ds[list(INPUTS)].sortby(["time", "latitude", "longitude"])
    inside(ds, box)
    for one in members_of(ds):
        part = inside(one, box).load().astype("f4")
        for name in INPUTS:
            if part[name].isnull().any():
                raise InputError(f"{name} has missing values in the box, expected fields without land or gaps")
        yield part, one[["thetao", "so"]].load().astype("f4")


# Real products by their usual file names: what to call them, the box to judge them in, and their variables. A second
# box tells how much one day in one box says.
CURRENT = {"uo": "uo", "vo": "vo"}
WIND = {"u10": "uas", "v10": "vas"}
PRODUCTS: tuple[tuple[str, str, Box, dict[str, str]], ...] = (
    ("*allsat_phy_l4*.nc", "DUACS", BOX, {"adt": "zos", "ugos": "uo", "vgos": "vo"}),
    ("cmems_mod_glo_phy-cur_anfc_0.083deg*.nc", "Mercator", BOX, CURRENT),
    ("cmems_mod_glo_phy-cur_anfc_0.083deg*.nc", "Mercator 55-45W", (-55.0, -45.0, 33.0, 43.0), CURRENT),
    ("*OSTIA*.nc", "OSTIA", BOX, {"analysed_sst": "thetao"}),
    ("GLORYS*.nc", "GLORYS", BOX, {name: name for name in ("zos", "thetao", "so", "uo", "vo")}),
    ("ERA5*.nc", "ERA5", BOX, WIND),
    ("ERA5*.nc", "ERA5 50-40W", (-50.0, -40.0, 33.0, 43.0), WIND),
)
MAPPED = ("DUACS", "OSTIA")  # their small scales are those of the mapping, on a grid of a quarter of a degree


def real_values(folder: str | os.PathLike) -> dict[str, Values]:
    """The same statistics of the real products in a folder: name of the statistic -> product -> value.

    Products that are not there, or do not cover the box, are left out. The currents of DUACS are geostrophic. Maps of
    observations (DUACS, OSTIA) are smoother than the sea at the wavelengths of the slopes, which are left out, too.

    Raises:
        InputError: there is no such folder, or a product in it cannot be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder, expected one with real products")
    found: dict[str, Values] = {}
    for pattern, label, box, names in PRODUCTS:
        for path in sorted(folder.glob(pattern)):
            with open_product(path) as ds:
                try:
                    ocean = inside(_standard(ds, names), box).load()
                except InputError:  # another part of the ocean, or not all the variables
                    continue
            if any(bool(ocean[name].isnull().any()) for name in ocean):
                continue
            for name, value in measure(ocean).items():
                mapped = label in MAPPED and name.endswith(("slope", "noise"))
                if name in TARGETS and np.isfinite(value) and not mapped:
                    found.setdefault(name, {})[label] = value
    return found


def _standard(ds: xr.Dataset, names: dict[str, str]) -> xr.Dataset:
    """A product's surface under the names, units and order of dimensions used here."""
    names = {theirs: ours for theirs, ours in names.items() if theirs in ds}
    ds = tidy(ds)[list(names)].rename(names)
    ds = ds.isel(depth=0, drop=True) if "depth" in ds.dims else ds
    ds = ds.sortby(["latitude", "longitude"]).transpose("time", "latitude", "longitude")
    if "thetao" in ds and ds["thetao"].attrs.get("units", "").lower().startswith("k"):
        ds["thetao"] = ds["thetao"] - 273.15
    return ds
