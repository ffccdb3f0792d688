"""Live figures: one idea each, moved by hand, in the reader's own browser.

Each function prepares the numbers of a figure and gives a `Figure`, which shows itself in a notebook and on a page. Its
program is `figure/NAME.js`, on the kit that all of them share (`figure.js`). Functions there have the names of those
in Python whose mathematics they repeat. A page needs no kernel, and asks no other host for anything.
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
import torch
import xarray as xr
from torch import Tensor

from ..errors import InputError
from ..observe.instruments import InstrumentErrors
from ..observe.orbits import EQUATORIAL_RADIUS, FLATTENING, MISSIONS, SECOND
from ..observe.systems import NADIR
from ..ocean.trajectories import distance
from ..posterior import assimilate
from ..prior import Prior, samplers
from ..sources import ragged_slices
from ..state import CHANNELS, Grid
from ..verify.osse.sweep import observe, score_table, southwest
from . import maps
from .assets import script
from .static import STYLES, ChannelStyle, colour_scale, pack, pack_smooth, quantise

DAY, HOUR = np.timedelta64(1, "D"), np.timedelta64(1, "h")
WHITE = 4.5  # standard deviations that grain and standardized fields are kept within
ROUNDING = 0.01  # of that range, of an amplitude
NO_SCRIPT = "<noscript>This figure is moved by hand, which needs JavaScript.</noscript>"


class Figure:
    """A live figure, finished.

    Args:
        name: of its program in `figure/`.
        title: stands above it, and names it to screen readers.
        data: for the program, as JSON.
    """

    def __init__(self, name: str, title: str, **data: Any):
        self.name, self.data = name, {"title": title} | data

    def _repr_html_(self) -> str:
        data = json.dumps(self.data, separators=(",", ":"), allow_nan=False).replace("<", r"\u003c")
        # The class is the explorer's: the book's style sheet takes the light sheet away from under it in the dark.
        return (
            f'<div data-genda-figure="{self.name}" data-state="waiting" class="genda-explorer">'
            f'<script type="application/json">{data}</script>{NO_SCRIPT}</div>'
            f"<script>{script(self.name)}</script>"
        )


def _ends(values: np.ndarray) -> list[float]:
    return [float(values[0]), float(values[-1])]


def interpolation(s: float, length: float) -> Figure:
    """Optimal interpolation of three observations on a line: drag them, their errors, the place, the length scale.

    Args:
        s: standard deviation of the anomaly (m). length: where its covariance falls to nearly zero (km).
    """
    return Figure(
        "interpolation", "Optimal interpolation, moved by hand", s=s, length=length,
        at=[120.0, 260.0, 480.0], values=[0.6 * s, 1.2 * s, -0.8 * s], errors=[0.2 * s, 0.3 * s, 0.2 * s], target=340.0,
    )  # fmt: skip


class _Fields:
    """Standardized fields of one channel for a page: north first, in colours that span those of one of them."""

    def __init__(self, channel: str, latitude: np.ndarray, longitude: np.ndarray, like: np.ndarray):
        """latitude, longitude: ascending, degrees. like: (ny, nx)."""
        style = ChannelStyle(channel, "std", maps.STYLES[channel].colormap)
        scale = colour_scale(channel, [np.array([-WHITE, WHITE])], style, "field", like)
        self.low, self.high = scale["low"], scale["high"]
        self.about = {
            "channel": STYLES[channel].long_name, "scale": scale, "shape": list(like.shape),
            "latitude": _ends(latitude[::-1]), "longitude": _ends(longitude),
        }  # fmt: skip

    def smooth(self, values: np.ndarray) -> dict[str, Any]:
        """Fields (maps, ny, nx), as waves."""
        text = pack_smooth((values[:, ::-1] - self.low) / (self.high - self.low), ROUNDING)
        return {"text": text, "step": ROUNDING, "count": len(values)}

    def white(self, values: np.ndarray) -> str:
        """A field of grain (ny, nx), of variance one, a byte a value."""
        return pack(quantise(values[::-1], -WHITE, WHITE))


def orbits(
    date: np.datetime64,
    latitude: tuple[float, float],
    longitude: tuple[float, float],
    days: int = 10,
    number: int = 1,
    wide: tuple[tuple[float, float], tuple[float, float]] = ((24, 50), (-84, -44)),
) -> Figure:
    """Ground tracks of altimeters, as they are flown: play the days, change the number of altimeters.

    Args:
        date: the first day. latitude, longitude: of the frame whose coverage is counted, ends, degrees.
        number: of altimeters, to start with. wide: latitudes and longitudes of the map.
    """
    missions = [
        {
            "name": name, "inclination": orbit.inclination, "period": orbit.period, "westward": orbit.westward,
            "flattening": FLATTENING * EQUATORIAL_RADIUS / orbit.radius, "node": orbit.node_longitude,
            "time": float((np.datetime64(orbit.node_time, "ns") - np.datetime64(date, "ns")) / SECOND),
        }
        for name, orbit in MISSIONS.items() if name in NADIR
    ]  # fmt: skip
    (south, north), (west, east) = wide
    shores = maps.land().intersection(shapely.box(west, south, east, north)).simplify(0.15)
    land = [np.round(part.exterior.coords, 1).tolist() for part in shores.geoms if part.area > 0.3]
    return Figure(
        "orbits", "Where altimeters fly", missions=missions, days=days, start=days / 5, number=number, land=land,
        box={"latitude": list(latitude), "longitude": list(longitude)},
        wide={"latitude": [south, north], "longitude": [west, east]},
    )  # fmt: skip


def noise(
    prior: Prior,
    state: Tensor,
    context: Tensor,
    latitude: np.ndarray,
    longitude: np.ndarray,
    channel: str = "thetao",
    levels: int = 31,
    seed: int = 0,
) -> Figure:
    """A field under noise of any strength, and the denoiser's estimate of it.

    Args:
        state: standardized, (1, C, ny, nx). context: see `grid_context`. latitude, longitude: of its grid, degrees.
        channel: that is drawn. levels: how many strengths, from 0.05 to 50 standard deviations.
    """
    i = CHANNELS.index(channel)
    white = torch.randn(state.shape, generator=torch.Generator().manual_seed(seed))
    sigmas = torch.logspace(np.log10(0.05), np.log10(50.0), levels)
    with torch.no_grad():
        found = torch.cat([prior.denoise(state + sigma * white, sigma, context)[:, i] for sigma in sigmas])
    truth = state[0, i].numpy()
    fields = _Fields(channel, latitude, longitude, truth)
    return Figure(
        "noise", "One ocean under noise, and what the network makes of it", **fields.about, start=1.0,
        truth=fields.smooth(truth[None]), white=fields.white(white[0, i].numpy()), levels=sigmas.tolist(),
        estimates=fields.smooth(found.numpy()),
    )  # fmt: skip


def draw(
    prior: Prior,
    context: Tensor,
    latitude: np.ndarray,
    longitude: np.ndarray,
    channel: str = "thetao",
    steps: int = 40,
    seed: int = 0,
) -> Figure:
    """From noise to an ocean: the states and estimates of one draw of `sample_prior`.

    Args:
        Others: as of `noise`.
    """
    i, start, found, sigmas = CHANNELS.index(channel), [], [], []

    class Recorded:
        """A prior that keeps what it is asked and what it answers."""

        def __getattr__(self, name):
            return getattr(prior, name)

        def denoise(self, x, sigma, context):
            estimate = prior.denoise(x, sigma, context)
            start.append(x[0, i].numpy())
            found.append(estimate[0, i].numpy())
            sigmas.append(float(sigma))
            return estimate

    samplers.sample_prior(Recorded(), context, 1, seed, steps)
    fields = _Fields(channel, latitude, longitude, found[-1])
    return Figure(
        "draw", "From noise to an ocean that never was", **fields.about, sigmas=[*sigmas, 0.0],
        start=fields.white(start[0] / np.hypot(1, sigmas[0])), estimates=fields.smooth(np.stack(found)),
    )  # fmt: skip


def water_masses(sides: Sequence[float] = (-1.0, 1.0), width: float = 0.3) -> Figure:
    """The exact denoiser of a prior with two sides: drag the noisy value, change the noise.

    Args:
        sides, width: means and standard deviation of two equally likely Gaussians (standard deviations of the anomaly).
    """
    return Figure("water_masses", "Which water is it? The denoiser decides", sides=list(sides), width=width)


def bayes(
    sides: Sequence[float] = (-1.0, 1.0), width: float = 0.3, value: float = 0.3, error: float = 0.5
) -> Figure:
    """A posterior, exact and as guidance with V = gamma sigma^2 draws it: drag the measurement, its error, gamma.

    Args:
        sides, width: of the prior, as of `water_masses`. value, error: of the measurement, to start with.
    """
    title = "Bayes’ rule with a denoiser, and what γ does to it"
    return Figure("bayes", title, sides=list(sides), width=width, value=value, error=error)


def trails(
    current: xr.Dataset,
    drifters: xr.Dataset,
    first: str | np.datetime64,
    days: int = 15,
    every: int = 3,
    centre: tuple[float, float] | None = None,
) -> Figure:
    """Paths of drifters over a current, and of particles that it carries from where the drifters were.

    Args:
        current: `uo`, `vo` (m s-1), dims (time, latitude, longitude), a day apart and complete.
        drifters: ragged array of hourly observations, see `read_drifters`. first: the date to begin with, of `current`.
        days: to follow them. every: hours between the points that are kept of a path.
        centre: where the reader's particles are released first, (latitude, longitude), by default the middle.

    Raises:
        InputError: the current does not hold these days, or no drifter is in it on the first.
    """
    begin = np.datetime64(first, "ns")
    fields = current.sel(time=slice(begin, begin + days * DAY)).sortby("latitude").sortby("longitude")
    if fields.sizes["time"] != days + 1 or (np.diff(fields["time"].values) != DAY).any():
        found = fields.sizes["time"]
        raise InputError(f"the current has {found} dates from {first} on, expected {days + 1}, a day apart")
    start = fields["time"].values[0]
    latitude, longitude = fields["latitude"].values, fields["longitude"].values
    paths = []
    for rows in ragged_slices(drifters):
        hours = (drifters["time"].values[rows] - start) / HOUR
        place = np.stack([drifters[name].values[rows] for name in ("latitude", "longitude")], -1)
        wanted = np.arange(0, min(24 * days, hours[-1]) + 1, every)
        if hours[0] > 0 or len(wanted) < 2:
            continue
        path = np.stack([np.interp(wanted, hours, column) for column in place.T], -1)
        inside = ((path >= (latitude[0], longitude[0])) & (path <= (latitude[-1], longitude[-1]))).all(1)
        count = len(path) if inside.all() else int(inside.argmin())
        if count > 1:
            paths.append(path[:count].round(3).tolist())
    if not paths:
        raise InputError(f"no drifter is within the current on {first}, expected one or more")
    u, v = (fields[name].transpose("time", "latitude", "longitude").values for name in ("uo", "vo"))
    fastest, speed = float(max(abs(u).max(), abs(v).max())), np.hypot(u, v)

    def packed(values: np.ndarray) -> dict[str, Any]:
        text = pack_smooth((values[:, ::-1] / fastest + 1) / 2, ROUNDING)
        return {"text": text, "step": ROUNDING, "count": len(values)}

    middle = (float(latitude.mean()), float(longitude.mean()))
    return Figure(
        "trails", "Drifters, and where the analysed current takes the water", shape=list(u.shape), fastest=fastest,
        latitude=_ends(latitude), longitude=_ends(longitude), centre=list(centre or middle),
        start=f"{start.astype('datetime64[s]')}Z", u=packed(u), v=packed(v), drifters=paths, every=every,
        speed=colour_scale("speed", [speed], STYLES["speed"], "field"),
    )  # fmt: skip


def observing(
    prior: Prior,
    truth: xr.Dataset,
    altimeters: int = 3,
    members: int = 8,
    steps: int = 12,
    folder: str = "../_static/live",
) -> Figure:
    """The reader draws tracks, as many kilometres as real satellites flew. The page assimilates their measurements by
    the fast method, and scores the result.

    Args:
        prior: the shipped one, which the page has. truth: `pack.sample_truth`, which the page has, too.
        altimeters: their kilometres in three days are the budget, and their score is the one to beat.
        steps: of the sampler.
        folder: of the engine, the prior and the ocean, as seen from the page.
    """
    seen = observe(truth, altimeters, cloud=1.0)
    place = np.stack([seen.latitude, seen.longitude])
    grid = Grid(truth["latitude"].values, truth["longitude"].values)
    there = {"region": southwest(grid), "date": truth["time"].values}
    analysis = assimilate(prior, seen, members, 0, fast=True, steps=steps, **there)
    scored = score_table({"real": analysis}, truth, ["zos"]).sel(experiment="real", channel="zos")
    spacing = float(np.median(distance(*place[:, :-1], *place[:, 1:]))) / 1e3
    truth = truth["zos"].values
    scale = colour_scale("zos", [truth], STYLES["zos"], "field")
    spread = np.array([0.0, np.ceil(10 * float(analysis["zos"].std("member").max())) / 10])
    return Figure(
        "observing", "Your own satellites, on a budget", folder=folder, shape=list(grid.shape), scale=scale,
        latitude=_ends(grid.latitude[::-1]), longitude=_ends(grid.longitude), members=members, steps=steps,
        spread=colour_scale("zos", [spread], STYLES["zos"], "spread", spread), altimeters=altimeters,
        spacing=spacing, budget=len(seen) * spacing, error=float(seen.error[0]), noise=InstrumentErrors().nadir,
        white=np.random.default_rng(0).standard_normal(300).round(3).tolist(),
        flown={name: getattr(seen, name).round(2).tolist() for name in ("latitude", "longitude")},
        reference={name: float(scored[name]) for name in ("crps", "rmse")},
        tracks=[[[35.3, -63.5], [40.0, -61.5]], [[40.0, -61.0], [35.3, -59.2]]],
    )  # fmt: skip
