"""The simulated ocean as a forecast, begun anew from a surface.

A surface says nothing of what lies below, where the ocean's other half is. What is done below it:

**Sea level** is the pressure at the surface. Its departure from the reference jet's lifts or lowers the interface, so
that the pressure in the lower layer is unchanged (Cooper & Haines 1996, J. Geophys. Res. 101, 1059-1077),

    h = h_ref + g (eta - eta_ref) / g'

**The upper layer** flows in geostrophic balance with sea level, **the lower layer** as the reference jet's does: eddies
below the thermocline are left out, and have to spin up anew. **Temperature and salinity** are those of the surface, in
the whole upper layer, as always in this model. **The wind** and all other weather is drawn from the model's climate,
and not continued: it has forgotten in two days. **Outside the box** of the surface, and towards its edges, lies the
reference jet.

The forecast is that of the training oceans' physics: on a twin, whose structure is another, it errs as real models do.
It draws its own weather, and so has no mean of its own; an ensemble has one.
"""

from collections.abc import Sequence

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from ..errors import InputError
from ..nature.dataset import EPOCH
from ..nature.dynamics import Channel, east, west, with_walls
from ..nature.grid import CENTRE_LATITUDE, EARTH_RADIUS, WEST_LONGITUDE, WEST_X, GlorysGrid
from ..nature.physics import Physics
from ..nature.run import FIELDS, NatureRun
from ..ocean.currents import GRAVITY
from ..prepare.decompose import to_state
from ..prior.samplers import White
from ..state import CHANNELS, Grid, Standardizer
from .forecast import steps_of

MARGIN = 80e3  # m, within a box's edge, over which its surface gives way to the reference jet
THINNEST = 30.0  # m, of a layer


class NatureForecast:
    """The simulated ocean, started from surfaces on a part of its own map (`nature.grid.GlorysGrid`).

    Args:
        grid: of the states, a part of that map. standardizer: of the states.
        physics: of each member, or of one for all; by default the middle of the training oceans'.
        seed: of the weather. channel: by default the training oceans'.

    Raises:
        InputError: a grid that is no part of the map.
    """

    name, step = "simulated ocean", 1.0

    def __init__(
        self,
        grid: Grid,
        standardizer: Standardizer,
        physics: Physics | None = None,
        seed: int = 0,
        channel: Channel | None = None,
    ):
        self.grid, self.standardizer, self.seed = grid, standardizer, seed
        self.physics, self.channel = physics, channel or Channel()
        self.map = GlorysGrid(self.channel)
        self.here = tuple(
            _part(whole, part)
            for whole, part in ((self.map.latitude, grid.latitude), (self.map.longitude, grid.longitude))
        )

    @torch.no_grad()
    def __call__(
        self, states: Tensor, time: np.datetime64, days: Sequence[float], noise: White | None = None
    ) -> Tensor:
        """See `Forecast`: means of the days about each lead time. Each call draws weather of its own, from the seed and
        the date; `noise` is not asked, for the weather is the forecast's own error."""
        if tuple(states.shape[1:]) != (len(CHANNELS), *self.grid.shape):
            expected = (len(CHANNELS), *self.grid.shape)
            raise InputError(f"states of shape {tuple(states.shape[1:])}, expected the forecast's own {expected}")
        steps, found = steps_of(days, self.step), []
        run = self.restarted(states, time)
        run.advance_day(0.5)  # a day's mean is of its noon
        for day in range(1, steps[-1] + 1):
            means = run.advance_day()
            if day in steps:
                found.append(self.surface(means, time + np.timedelta64(day, "D")).to(states))
        return torch.stack(found)

    def restarted(self, states: Tensor, time: np.datetime64) -> NatureRun:
        """An ocean whose surface is that of each state."""
        members, date = len(states), np.datetime64(time, "s")
        seed = int(np.random.SeedSequence([self.seed, int(date.astype(int))]).generate_state(1)[0])
        physics = repeated(self.physics or Physics.middle(1), members)
        run = NatureRun(physics, seed, self.channel)
        model, flow, surface = run.model, run.flow, run.surface
        run.day = float((date - EPOCH.astype("M8[s]")) / np.timedelta64(1, "D"))
        level, *tracers = self.on_channel(states, date)
        share = model.tensor(self.share())
        reference = reference_level(run)
        departure = share * (model.tensor(level) - reference)  # of sea level, from the jet's
        pressure = GRAVITY * departure
        # Geostrophic: gradients at the centres, carried to the faces.
        dx = self.channel.dx
        slope_x = (east(pressure) - west(pressure)) / (2 * dx)
        padded = torch.cat([pressure[..., :1, :], pressure, pressure[..., -1:, :]], -2)
        slope_y = (padded[..., 2:, :] - padded[..., :-2, :]) / (2 * dx)
        u, v = -slope_y / model.f_centres, slope_x / model.f_centres
        flow.h = (run.h_ref + pressure / model.gprime).clamp(THINNEST, self.channel.depth - THINNEST)
        flow.u = run.u_ref.expand_as(flow.u).clone()
        flow.v = torch.zeros_like(flow.v)
        flow.u[:, 0] += 0.5 * (u + west(u))
        flow.v[:, 0] += with_walls(0.5 * (v[..., 1:, :] + v[..., :-1, :]))
        flow.u, flow.v, _ = model.project(flow.u, flow.v, flow.h)
        flow.sea_level = reference + departure
        centre = model.tensor(physics.jet_centre + run.displacement)
        usual = surface.inflow_profile(run.day, centre)
        surface.tracers = share * model.tensor(torch.stack(tracers, 1)) + (1 - share) * usual
        return run

    def on_channel(self, states: Tensor, time: np.datetime64) -> list[Tensor]:
        """Sea level, temperature and salinity on the channel's centres, each (B, ny, nx): linear between the states'
        points, the nearest of these outside."""
        fields = self.standardizer.to_dataset(states, self.grid, time)
        rows, columns = (line.double() for line in self.lines())
        return [rows @ torch.from_numpy(fields[name].values).double() @ columns.T for name in ("zos", "thetao", "so")]

    def lines(self) -> tuple[Tensor, Tensor]:
        """Weights of rows (ny, NY) and columns (nx, NX) that interpolate from the grid to the channel."""
        latitude, longitude = places(self.channel)
        return _linear(latitude, self.grid.latitude), _linear(longitude, self.grid.longitude)

    def share(self) -> Tensor:
        """How much the surface counts at each of the channel's centres, (ny, nx): one inside, none outside the box."""
        sides = []
        for place, axis in zip(places(self.channel), (self.grid.latitude, self.grid.longitude), strict=True):
            metres = np.radians(np.minimum(place - axis[0], axis[-1] - place)) * EARTH_RADIUS
            if axis is self.grid.longitude:
                metres = metres * np.cos(np.radians(CENTRE_LATITUDE))
            sides.append(np.sin(0.5 * np.pi * np.clip(metres / MARGIN, 0, 1)) ** 2)
        return torch.from_numpy(np.outer(*sides))

    def surface(self, means: Tensor, time: np.datetime64) -> Tensor:
        """Standardized anomalies on the grid, of daily means on the channel."""
        data = self.map(means).double().cpu().numpy()
        coords = {"latitude": self.map.latitude, "longitude": self.map.longitude, "time": [time]}
        dims = ("time", "latitude", "longitude")
        found = []
        for member in data:
            ds = xr.Dataset({name: (dims, member[None, k]) for k, name in enumerate(FIELDS)}, coords)
            state = to_state(ds, self.standardizer.ekman_at(self.map.latitude))
            state = state.isel(time=0, latitude=self.here[0], longitude=self.here[1])
            found.append(self.standardizer.to_tensor(state, time))
        return torch.stack(found)


def reference_level(run: NatureRun) -> Tensor:
    """Sea level of the reference jet, in balance with its flow and of zero mean, (B, ny, 1): f u = -g d eta / dy."""
    model = run.model
    slope = -model.f_centres * run.u_ref[:, 0] / GRAVITY  # at the centres
    level = torch.cumsum(0.5 * (slope + torch.cat([slope[:, :1], slope[:, :-1]], 1)), 1) * run.channel.dx
    return level - level.mean((1, 2), keepdim=True)


def places(channel: Channel) -> tuple[np.ndarray, np.ndarray]:
    """Latitude of the channel's rows and longitude of its columns, see `GlorysGrid`."""
    scale = EARTH_RADIUS * np.cos(np.radians(CENTRE_LATITUDE))
    mercator = channel.y().numpy() / scale + np.arcsinh(np.tan(np.radians(CENTRE_LATITUDE)))
    longitude = WEST_LONGITUDE + np.degrees((channel.x().numpy() - WEST_X) / scale)
    return np.degrees(np.arctan(np.sinh(mercator))), longitude


def repeated(physics: Physics, members: int) -> Physics:
    """The physics of each member, of one for all.

    Raises:
        InputError: of another number.
    """
    held = len(physics.jet_centre)
    if held == members:
        return physics
    if held != 1:
        raise InputError(f"physics of {held} oceans for {members} members, expected one for all or one for each")
    return Physics(**{name: value.expand(members).clone() for name, value in vars(physics).items()})


def _part(whole: np.ndarray, part: np.ndarray) -> slice:
    first = int(np.argmin(abs(whole - part[0])))
    if first + len(part) > len(whole) or not np.allclose(whole[first : first + len(part)], part, atol=1e-6):
        raise InputError(
            f"a grid from {part[0]:.2f} to {part[-1]:.2f} degrees, expected a part of the simulated ocean's, "
            f"{whole[0]:.2f} to {whole[-1]:.2f}"
        )
    return slice(first, first + len(part))


def _linear(points: np.ndarray, axis: np.ndarray) -> Tensor:
    place = np.clip((points - axis[0]) / (axis[1] - axis[0]), 0, len(axis) - 1)
    first = np.minimum(place.astype(int), len(axis) - 2)
    weights = np.zeros((len(points), len(axis)))
    weights[np.arange(len(points)), first] = 1 - (place - first)
    weights[np.arange(len(points)), first + 1] += place - first
    return torch.from_numpy(weights)
