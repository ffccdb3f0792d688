"""Three kinds of data to which no simple observation operator leads, as instruments see a simulated ocean.

Each is what a learned encoder is for: the sea is in it, and so is something else that nobody knows.

*An infrared image with its clouds*: brightness, of sea, vapour and cloud together; saturating under thick cloud.
*An image of a stirred tracer*, such as chlorophyll: folded by weeks of currents, out of an unknown source.
*Velocities of drifters*: displacements along paths that the current itself decides.

Random numbers belong to the instrument, the day and the seed, as those of `observe.instruments`. Figures with a source
name it. All others are assumptions: of the right order, chosen so that an instrument has the difficulty it stands for.
"""

from typing import NamedTuple

import numpy as np
import torch
import xarray as xr
from scipy.ndimage import gaussian_filter
from torch import Tensor

from ..errors import InputError
from ..observe.instruments import day_number, generator
from ..observe.radiometer import broken_clouds, cloud_rank
from ..ocean.trajectories import HOUR, Interpolator, advect
from ..state import KM_PER_DEGREE, METRES_PER_DEGREE, Grid


def grid_of(field: xr.DataArray | xr.Dataset) -> Grid:
    """The grid of a field."""
    return Grid(field["latitude"].values, field["longitude"].values)


def check_share(cloud: float, what: str) -> None:
    """Refuse a share of cloud that is none, or that leaves nothing of the sea.

    Raises:
        InputError: outside 0..1, or one.
    """
    if not 0 <= cloud <= 1:
        raise InputError(f"{what}: the share of cloud is {cloud}, expected 0 to 1")
    if cloud == 1:
        raise InputError(f"{what} is all cloud, expected some of the sea: a share of cloud below 1")


# --- Infrared image --------------------------------------------------------------------------------------------------


class Sky(NamedTuple):
    """The air over a grid, (ny, nx) each: optical depth of cloud in the infrared, and temperature of its top (degC)."""

    depth: np.ndarray
    top: np.ndarray


def draw_sky(grid: Grid, cloud: float, rng: np.random.Generator, thickest: float = 8.0, base: float = 8.0) -> Sky:
    """Broken clouds (`observe.radiometer.cloud_rank`), thin at their edges: optical depth grows as the square of how
    far a cell is inside, and with it the height of the top, 1 to 4 km.

    Args:
        cloud: share of the cells that are not clear. thickest: greatest optical depth, assumed; exp(-8) is 0.03 %, so
            that thick cloud hides the sea.
        base: temperature of a top at 1 km (degC), assumed; from there it falls by 6.5 K each km (ISO 2533, standard
            atmosphere).
    """
    rank = (cloud_rank(grid, rng) + 0.5) / (grid.shape[0] * grid.shape[1])
    inside = np.clip((rank - (1 - cloud)) / max(cloud, 1e-9), 0, 1)
    return Sky(thickest * inside**2, base - 6.5 * 3.0 * inside)


def brightness(thetao: Tensor, depth: Tensor, top: Tensor, vapour: float = 1.5) -> Tensor:
    """Brightness temperature of one window channel near 11 um (degC), differentiable:

        B = t (T - d) + (1 - t) T_top,   t = exp(-depth),   d = vapour exp(0.064 (T - 15))

    Vapour over a warm sea hides more of it: the pressure of saturation grows by L / (R_v T^2) = 6.4 % a degree at
    15 degC (Clausius and Clapeyron), and the deficit d is assumed to grow with it. Under cloud of depth 8 no more than
    0.03 % is of the sea.

    Args:
        thetao: temperature of the sea (degC). depth, top: see `Sky`; all broadcast. vapour: d at 15 degC (K), assumed.
    """
    through = torch.exp(-depth)
    return through * (thetao - vapour * torch.exp(0.064 * (thetao - 15.0))) + (1 - through) * top


def infrared_image(thetao: xr.DataArray, cloud: float = 0.5, noise: float = 0.1, seed: int = 0) -> xr.Dataset:
    """The image that a radiometer takes of a true temperature (dims latitude, longitude, degC; a coordinate `time`).

    Args:
        cloud: share that is not clear. noise: of the radiometer (K), assumed.

    Returns:
        `brightness` (degC), complete, the clouds in it; and, which no user of a real image has, `optical_depth` (1) and
        `cloud_top` (degC).

    Raises:
        InputError: a share of cloud outside 0..1, an image all cloud, or missing temperatures.
    """
    check_share(cloud, "an infrared image")
    thetao = thetao.transpose("latitude", "longitude")
    if thetao.isnull().any():
        raise InputError(f"an infrared image: {int(thetao.isnull().sum())} temperatures are missing, expected none")
    errors, clouds = (generator(name, day_number(thetao), seed) for name in ("infrared image", "infrared clouds"))
    sky = draw_sky(grid_of(thetao), cloud, clouds)
    seen = brightness(*(torch.from_numpy(np.array(a, float)) for a in (thetao.values, *sky))).numpy()
    dims = ("latitude", "longitude")
    return xr.Dataset(
        {
            "brightness": (dims, seen + noise * errors.standard_normal(seen.shape), {"units": "degree_Celsius"}),
            "optical_depth": (dims, sky.depth, {"units": "1"}),
            "cloud_top": (dims, sky.top, {"units": "degree_Celsius"}),
        },
        {dim: thetao[dim] for dim in dims},
    )


# --- Stirred tracer --------------------------------------------------------------------------------------------------


def draw_source(grid: Grid, rng: np.random.Generator, scale: float = 200.0, contrast: float = 0.2) -> np.ndarray:
    """Where a tracer comes from, log10 (mg m-3), (ny, nx): more in the north, by one decade over 10 degrees, and smooth
    at random besides.

    Args:
        scale: of the random part (km), standard deviation of its filter. contrast: its standard deviation (decades).
            Both, and the decade, are assumed.
    """
    steps = [abs(np.diff(v).mean()) * KM_PER_DEGREE for v in (grid.latitude, grid.longitude)]
    steps[1] *= np.cos(np.radians(grid.latitude.mean()))
    random = gaussian_filter(rng.standard_normal(grid.shape), [scale / step for step in steps], mode="reflect")
    north = 0.1 * (grid.latitude - grid.latitude.mean())[:, None]
    return -0.5 + north + contrast * random / max(random.std(), 1e-12)


def stirred_tracer(
    truth: xr.Dataset,
    date: np.datetime64,
    days: int = 20,
    memory: float = 15.0,
    cloud: float = 0.3,
    noise: float = 0.13,
    seed: int = 0,
    source: np.ndarray | None = None,
) -> xr.DataArray:
    """An image of a tracer that currents have stirred: what a cell holds is a mean of the source along the way that its
    water came, the latest weighing most,

        c(x, t) = sum_s w_s S(X(t - s)) / sum_s w_s,    w_s = exp(-s / memory)

    which solves dc/dt = (S - c) / memory along the path X without any numerical mixing; paths are followed backwards,
    and end where they leave the box.

    Args:
        truth: `uo`, `vo` (m s-1), dims time, latitude, longitude, daily, from `days` before the date.
        days: that paths are followed. memory: days that the tracer forgets its past in, assumed.
        cloud: share that is hidden (NaN). noise: in decades; 0.13 is 35 %, the goal for chlorophyll from SeaWiFS
            (Mueller & Austin 1995, NASA TM 104566, 25).
        source: S, (ny, nx); drawn where not given, for nobody knows it.

    Returns:
        log10 of a concentration (mg m-3), dims latitude, longitude, with gaps.

    Raises:
        InputError: currents missing, or of too few days; a share of cloud outside 0..1, or an image all cloud.
    """
    check_share(cloud, "an image of a tracer")
    date = np.datetime64(date, "ns")
    currents, grid = Interpolator(truth, origin=date), grid_of(truth)
    first = truth["time"].values[0]
    if first > date - np.timedelta64(days, "D") or truth["time"].values[-1] < date:
        raise InputError(
            f"a tracer stirred for {days} days until {np.datetime_as_string(date, 'D')} needs currents of all of them, "
            f"and those given are from {np.datetime_as_string(first, 'D')} to "
            f"{np.datetime_as_string(truth['time'].values[-1], 'D')}"
        )
    number = int(date.astype("datetime64[D]").astype(int))
    errors, clouds, sources = (generator(name, number, seed) for name in ("tracer", "tracer clouds", "tracer source"))
    source = draw_source(grid, sources) if source is None else np.asarray(source, float)
    latitude, longitude = (a.ravel() for a in np.meshgrid(grid.latitude, grid.longitude, indexing="ij"))
    hours = 6.0
    path = advect(currents, 0.0, latitude, longitude, int(days * 24 / hours), -hours * HOUR)
    dims = ("latitude", "longitude")
    field = xr.DataArray(source, {"latitude": grid.latitude, "longitude": grid.longitude}, dims)
    total, weight = np.zeros(latitude.size), np.zeros(latitude.size)
    for k, at in enumerate(path):
        points = [xr.DataArray(a, dims="points") for a in at.T]
        here = field.interp(latitude=points[0], longitude=points[1]).values
        inside, share = np.isfinite(here), np.exp(-k * hours / 24 / memory)
        total[inside] += share * here[inside]
        weight[inside] += share
    image = (total / weight).reshape(grid.shape) + noise * errors.standard_normal(grid.shape)
    image[~broken_clouds(grid, cloud, clouds)] = np.nan
    attrs = {"units": "log10(mg m-3)", "long_name": "Tracer, stirred by the currents"}
    return xr.DataArray(image, field.coords, dims, "tracer", attrs)


# --- Drifters --------------------------------------------------------------------------------------------------------


def drifter_velocities(
    truth: xr.Dataset,
    date: np.datetime64,
    number: int = 20,
    hours: int = 24,
    position_error: float = 30.0,
    windage: float = 0.0007,
    seed: int = 0,
) -> xr.Dataset:
    """What drifters tell of the current about a date: their displacement over some hours, by the time it took.

    It is no current at a point: the path that it is a mean over is the current's own doing, and the wind has a share.

    Args:
        truth: `uo`, `vo` and, where there are any, the winds `uas`, `vas` (m s-1), dims time, latitude, longitude.
        number: of drifters, released at random in the inner four fifths of the box. hours: of the displacement,
            centred on the date. position_error: of each end (m), assumed. windage: share of the wind (Niiler et al.
            1995, with a drogue; see `nature.drifters`).

    Returns:
        dims (obs,): `u`, `v` (m s-1), `latitude`, `longitude` half-way between the ends, `time`; drifters that have
        left the box in the meantime are missing from it.

    Raises:
        InputError: currents missing, no drifter, no hours, or a date whose hours the currents do not cover.
    """
    if number < 1 or hours < 1:
        raise InputError(f"{number} drifters are to be followed for {hours} hours, expected at least 1 of both")
    start = np.datetime64(date, "ns") - np.timedelta64(round(hours * 1800), "s")
    end, known = start + np.timedelta64(hours, "h"), truth["time"].values
    if not (known[0] <= start and end <= known[-1]):
        raise InputError(
            f"drifters from {np.datetime_as_string(start, 'h')} to {np.datetime_as_string(end, 'h')} need currents of "
            f"all that time, and those given are from {np.datetime_as_string(known[0], 'h')} to "
            f"{np.datetime_as_string(known[-1], 'h')}"
        )
    windy = {"uas", "vas"} <= set(truth)
    fields = Interpolator(truth, ("uo", "vo", *(("uas", "vas") if windy else ())), start)

    def moving(seconds, latitude, longitude) -> np.ndarray:
        values = fields(seconds, latitude, longitude)
        return values[:, :2] + (windage * values[:, 2:] if windy else 0.0)

    rng = generator("drifter velocities", int(start.astype("datetime64[D]").astype(int)), seed)
    share = 0.1 + 0.8 * rng.random((number, 2))
    errors = position_error * rng.standard_normal((number, 4)) / METRES_PER_DEGREE
    box = [(truth[dim].values[0], np.ptp(truth[dim].values)) for dim in ("latitude", "longitude")]
    places = [low + width * part for (low, width), part in zip(box, share.T, strict=True)]
    first, last = (advect(moving, 0.0, *places, hours)[k] + errors[:, 2 * i : 2 * i + 2] for i, k in ((0, 0), (1, -1)))
    kept = np.isfinite(last).all(1)
    first, last = first[kept], last[kept]
    middle, moved = (first + last) / 2, (last - first) * METRES_PER_DEGREE / (hours * HOUR)
    u = moved[:, 1] * np.cos(np.radians(middle[:, 0]))
    return xr.Dataset(
        {"u": ("obs", u, {"units": "m s-1"}), "v": ("obs", moved[:, 0], {"units": "m s-1"})},
        {
            "latitude": ("obs", middle[:, 0]),
            "longitude": ("obs", middle[:, 1]),
            "time": ("obs", np.full(len(u), np.datetime64(date, "ns"))),
        },
    )
