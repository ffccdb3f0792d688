"""Running the simulated ocean and writing its daily means as a GLORYS-like data set.

The channel lies on a Mercator map that is true at mid-channel, so that it can be read on a latitude-longitude grid.
"""

import math
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
import xarray as xr
from torch import Tensor
from tqdm.auto import tqdm

from ..errors import InputError
from ..state import DEGREES_PER_CELL, EARTH_RADIUS, VARIABLES, coriolis
from ..version import __version__
from .dynamics import DAY, Channel, Flow, JetProfile, TwoLayerModel, east, initial_flow
from .physics import Physics
from .surface import Surface, ornstein_uhlenbeck

FORCING_STEP = 6 * 3600.0  # s
SPIN_UP_DAYS = 150
CENTRE_LATITUDE = 38.1  # where the planetary vorticity is the channel's f0
WEST_LONGITUDE, WEST_X = -72.0, 300e3  # the eastern end of the inflow zone lies at 72 W
FIELDS = ("zos", "thetao", "so", "uo", "vo", "uas", "vas")


class NatureRun:
    """An ensemble of simulated oceans, advanced a day at a time.

    Args:
        physics: parameters of the B members.
        seed: seeds the initial meanders, the weather and the wandering of the inflow.
        compile: see `TwoLayerModel`.
    """

    def __init__(
        self,
        physics: Physics,
        seed: int,
        channel: Channel | None = None,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
        compile: bool = False,
    ):
        self.channel = channel or Channel()
        self.physics, self.day = physics, 0.0
        self.model = TwoLayerModel(
            self.channel, physics.reduced_gravity, physics.bottom_drag, dtype, device, compile
        )
        self.generator = torch.Generator().manual_seed(seed)
        self.jet = JetProfile(
            physics.depth_step, physics.jet_width, physics.jet_centre, physics.mean_depth, physics.deep_fraction
        )
        self.wander = torch.zeros(self.model.members, dtype=torch.float64)
        self.pulse = torch.zeros(self.model.members, dtype=torch.float64)
        self._steer(0.0)
        self.flow: Flow = initial_flow(self.model, self.u_ref, self.h_ref, self.generator)
        self.surface = Surface(self.model, physics, self.generator, compile)

    def _steer(self, dt: float) -> None:
        """Let the inflowing jet wander (memory 20 d) and pulse (60 d)."""

        def noise():
            return torch.randn(self.model.members, generator=self.generator, dtype=torch.float64)

        self.wander = ornstein_uhlenbeck(self.wander, noise(), dt, 20 * DAY)
        self.pulse = ornstein_uhlenbeck(self.pulse, noise(), dt, 60 * DAY)
        self.displacement = self.wander * self.physics.inflow_wander
        strength = 1 + self.pulse * self.physics.inflow_pulse
        self.u_ref, self.h_ref = self.jet.reference(self.model, self.displacement, strength)

    @torch.no_grad()
    def advance_day(self) -> Tensor:
        """Integrate one day; returns the daily means of FIELDS on the channel's centres, (B, 7, ny, nx)."""
        steps = round(FORCING_STEP / self.channel.dt)
        windows = round(DAY / FORCING_STEP)
        mean = torch.zeros(())
        for _ in range(windows):
            self._steer(FORCING_STEP)
            centre = self.model.tensor(self.physics.jet_centre + self.displacement)
            self.surface.force(self.flow, self.day, centre, FORCING_STEP)
            total = 0.0
            for _ in range(steps):
                self.flow = self.model.step(self.flow, self.u_ref, self.h_ref)
                self.surface.step(self.flow)
                total = total + self._sample()
            mean = mean + total / (steps * windows)
            self.day += FORCING_STEP / DAY
        if not torch.isfinite(mean).all():
            raise FloatingPointError(f"the simulated ocean became unstable on day {self.day:.0f}")
        return mean

    def _sample(self) -> Tensor:
        flow, surface = self.flow, self.surface
        u = flow.u[:, 0] + surface.u_ekman
        v = flow.v[:, 0] + surface.v_ekman
        u, v = 0.5 * (u + east(u)), 0.5 * (v[:, 1:] + v[:, :-1])
        temperature, salinity = surface.tracers.unbind(1)
        wind = surface.wind
        return torch.stack([flow.sea_level, temperature, salinity, u, v, wind.real, wind.imag], 1)


class GlorysGrid:
    """The channel east of its inflow zone on GLORYS12's grid: whole multiples of 1/12 degree.

    The northern and southern walls lie beyond it, the outer reaches of their relaxation zones within.

    The map is conformal, so currents scale by m f_channel / f_earth, m = cos(centre) / cos(latitude): then geostrophic
    balance holds on the sphere exactly as it does in the channel. The factor stays within 8 % of one.
    """

    def __init__(self, channel: Channel):
        scale = EARTH_RADIUS * math.cos(math.radians(CENTRE_LATITUDE))
        self.latitude = np.arange(33 * 12, 43 * 12 + 1) * DEGREES_PER_CELL
        self.longitude = WEST_LONGITUDE + np.arange(0, 232) * DEGREES_PER_CELL
        mercator = np.arcsinh(np.tan(np.radians(self.latitude)))
        y = scale * (mercator - np.arcsinh(np.tan(np.radians(CENTRE_LATITUDE))))
        x = WEST_X + scale * np.radians(self.longitude - WEST_LONGITUDE)
        stretch = math.cos(math.radians(CENTRE_LATITUDE)) / np.cos(np.radians(self.latitude))
        factor = stretch * (channel.f0 + channel.beta * y) / coriolis(self.latitude)
        self.current_factor = torch.from_numpy(factor)[:, None]
        # grid_sample's coordinates run from -1 to 1 between the outer edges of the array.
        column = torch.from_numpy(2 * x / (channel.nx * channel.dx) - 1)
        row = torch.from_numpy(2 * y / (channel.ny * channel.dx))
        self.sampling = torch.stack(torch.meshgrid(column, row, indexing="xy"), -1)[None]

    def __call__(self, fields: Tensor) -> Tensor:
        """Interpolate daily means (B, 7, ny, nx) to (B, 7, latitude, longitude), bicubic."""
        where = self.sampling.to(fields).expand(len(fields), -1, -1, -1)
        out = F.grid_sample(fields, where, mode="bicubic", align_corners=False)
        factor = self.current_factor.to(out)
        out[:, 3] *= factor
        out[:, 4] *= factor
        return out


def daily_means(run: NatureRun, days: int, every: int, spin_up: int, progress: bool) -> Iterator[tuple[float, Tensor]]:
    """Yield (day, fields on the GLORYS grid) every so many days, after the spin-up."""
    grid = GlorysGrid(run.channel)
    for count in tqdm(range(spin_up + days), unit="day", disable=not progress, desc="simulated ocean"):
        day, means = run.day, run.advance_day()
        if count >= spin_up and (count - spin_up) % every == 0:
            yield day, grid(means).cpu()


def simulate(
    days: int,
    seed: int = 0,
    members: int = 1,
    every: int = 1,
    spin_up: int = SPIN_UP_DAYS,
    device: str = "cpu",
    compile: bool = False,
    progress: bool = True,
) -> xr.Dataset:
    """Simulate the surface of Gulf-Stream-like oceans, each with physics drawn at random from `physics.RANGES`.

    Args:
        days: length after the spin-up (d).
        seed: of physics, initial state and weather; the same seed gives the same ocean.
        members: number of independent oceans, integrated together.
        every: keep every so many daily means.

    Returns:
        Daily means, dims (member, time, latitude, longitude), variables `zos` (m), `thetao` (degC), `so` (1e-3),
        `uo`, `vo` (total current of the upper layer and the Ekman layer, m s-1), `uas`, `vas` (m s-1), float32.

    Raises:
        InputError: a length, count or interval below one, or a negative spin-up.
    """
    for name, value in (("days", days), ("members", members), ("every", every)):
        if value < 1:
            raise InputError(f"{name} must be at least 1, got {value}")
    if spin_up < 0:
        raise InputError(f"spin_up must be at least 0, got {spin_up}")
    physics = Physics.draw(members, seed)
    run = NatureRun(physics, seed + 1, device=device, compile=compile)
    grid = GlorysGrid(run.channel)
    stamps, frames = [], []
    for day, frame in daily_means(run, days, every, spin_up, progress):
        stamps.append(np.datetime64("2000-01-01", "ns") + np.timedelta64(round((day + 0.5) * DAY), "s"))
        frames.append(frame.numpy())
    data = np.stack(frames, 1)  # (member, time, field, latitude, longitude)
    dims = ("member", "time", "latitude", "longitude")
    ds = xr.Dataset(
        {name: (dims, data[:, :, i], dict(VARIABLES[name])) for i, name in enumerate(FIELDS)},
        coords={
            "member": np.arange(members),
            "time": np.array(stamps),
            "latitude": ("latitude", grid.latitude, {"standard_name": "latitude", "units": "degrees_north"}),
            "longitude": ("longitude", grid.longitude, {"standard_name": "longitude", "units": "degrees_east"}),
        },
    )
    for name, values in physics.as_dict().items():
        ds[f"physics_{name}"] = ("member", values)
    ds.attrs = {
        "Conventions": "CF-1.11",
        "title": "Simulated surface ocean like the Gulf Stream extension (daily means)",
        "source": f"genda_lite {__version__} two-layer nature run",
        "seed": seed,
        "spin_up_days": spin_up,
    }
    return ds
