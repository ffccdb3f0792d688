"""The surface of the simulated ocean: winds, Ekman current, temperature and salinity.

Winds are travelling red-noise storms, strengthened over warm water. A slab Ekman layer answers to the wind stress with
inertial motion. Temperature and salinity are carried by the upper layer and the Ekman current, and restored to a sharp
front in the inflow and to broad seasonal profiles elsewhere. Shapes are (B, ny, nx) unless said otherwise.
"""

import math

import torch
from torch import Tensor

from .dynamics import DAY, Channel, Flow, TwoLayerModel, east, pad_y, west, with_walls
from .physics import Physics
from .structure import MIXED_LAYER, STRESS

COLDEST_DAY = 45.0  # day of the year
YEAR = 365.25  # d


def season(day: float) -> float:
    """The annual cycle: -1 on the coldest day of the year, +1 half a year later."""
    return -math.cos(2 * math.pi * (day - COLDEST_DAY) / YEAR)


def ornstein_uhlenbeck(previous: Tensor, noise: Tensor, dt: float, decay_time: float) -> Tensor:
    """One step of red noise with unit variance where `noise` has it."""
    memory = math.exp(-dt / decay_time)
    return memory * previous + math.sqrt(1 - memory**2) * noise


class Winds:
    """Ten-metre wind from a random streamfunction: Fourier modes with red-noise amplitudes, drifting eastward.

    The kinetic-energy spectrum is flat beyond 2200 km and falls as k^-3 down to 150 km, as synoptic weather's does
    (Nastrom & Gage 1985); the axis of the storms is tilted by 17 degrees.
    """

    DECAY, DRIFT, TILT = 2.5 * DAY, 9.0, math.radians(17.0)  # s, m s-1, rad
    DOMAIN, PEAK, SHORTEST = 6144e3, 2200e3, 150e3  # m

    def __init__(self, channel: Channel, physics: Physics, generator: torch.Generator, dtype: torch.dtype):
        count = int(self.DOMAIN // self.SHORTEST)
        base = 2 * math.pi / self.DOMAIN
        self.k = base * torch.arange(1, count + 1).double()[None]
        self.ell = base * torch.arange(-count, count + 1).double()[:, None]
        total = torch.hypot(self.k, self.ell)
        amplitude = (1 + (total * self.PEAK / (2 * math.pi)) ** 2) ** -1.5 * (total < 2 * math.pi / self.SHORTEST)
        # Each wind component gets the member's standard deviation.
        self.amplitude = amplitude * 2 / ((amplitude * total) ** 2).sum().sqrt()
        self.wave_x = torch.exp(1j * self.k.T * channel.x()).to(dtype)  # (k, nx)
        self.wave_y = torch.exp(1j * channel.y()[:, None] * self.ell.T).to(dtype)  # (ny, ell)
        self.physics, self.generator, self.dtype = physics, generator, dtype
        self.state = self._noise()

    def _noise(self) -> Tensor:
        shape = (len(self.physics.wind_std), *self.amplitude.shape)
        return torch.randn(shape, generator=self.generator, dtype=torch.complex128)

    def advance(self, dt: float) -> None:
        drifted = self.state * torch.exp(-1j * self.k * self.DRIFT * dt)
        self.state = ornstein_uhlenbeck(drifted, self._noise(), dt, self.DECAY)

    def field(self, day: float) -> Tensor:
        """Complex wind u + iv (m s-1); 30 % stronger in winter than on average."""
        modes = self.state * self.amplitude * self.physics.wind_std[:, None, None]  # (B, ell, k)
        gradient = torch.stack([-1j * self.ell * modes, 1j * self.k * modes], 1).to(self.dtype)
        wind = (self.wave_y @ gradient @ self.wave_x).real  # (B, 2, ny, nx)
        tilt = complex(math.cos(self.TILT), math.sin(self.TILT))
        mean = self.physics.wind_mean.to(wind.dtype)[:, None, None]
        return (torch.complex(wind[:, 0], wind[:, 1]) * tilt + mean) * (1 - 0.3 * season(day))


class RedNoise:
    """A smooth random field of unit variance: Gaussian covariance of scale `length` (m), memory `decay` (s)."""

    def __init__(self, channel: Channel, members: int, length: float, decay: float, generator: torch.Generator):
        self.shape, self.decay, self.generator = (members, 2 * channel.ny, channel.nx), decay, generator
        kx = 2 * math.pi * torch.fft.rfftfreq(channel.nx, channel.dx).double()
        ky = 2 * math.pi * torch.fft.fftfreq(2 * channel.ny, channel.dx).double()
        smooth = torch.exp(-0.25 * (kx**2 + ky[:, None] ** 2) * length**2)
        # White noise has unit power in every mode, so the mean squared filter over the full plane is the variance.
        weight = torch.full_like(kx, 2.0)
        weight[0] = weight[-1] = 1.0
        variance = (smooth**2 * weight).sum() / (2 * channel.ny * channel.nx)
        self.filter = smooth / variance.sqrt()
        self.state = self._noise()

    def _noise(self) -> Tensor:
        white = torch.randn(self.shape, generator=self.generator, dtype=torch.float64)
        return torch.fft.irfft2(torch.fft.rfft2(white) * self.filter, s=self.shape[1:])

    def advance(self, dt: float) -> None:
        self.state = ornstein_uhlenbeck(self.state, self._noise(), dt, self.decay)

    def field(self) -> Tensor:
        return self.state[:, : self.shape[1] // 2]


def limited(wind: Tensor, strongest: float) -> Tensor:
    """A complex wind that nears, and never exceeds, the strongest speed; less than 1 % weaker up to half of it."""
    return wind / (1 + (wind.abs() / strongest) ** 4) ** 0.25


def limited_slope(a: Tensor, b: Tensor) -> Tensor:
    """Monotonised-central limiter of two one-sided differences (van Leer 1977)."""
    steepest = torch.minimum(2 * torch.minimum(a.abs(), b.abs()), 0.5 * (a + b).abs())
    return torch.where(a * b > 0, torch.sign(a) * steepest, torch.zeros_like(a))


def advect(tracer: Tensor, h: Tensor, flux_x: Tensor, flux_y: Tensor, dt: float, dx: float) -> Tensor:
    """One step of flux-limited Lax-Wendroff advection in a layer of changing thickness.

        tracer' = (h tracer - dt div(flux tracer)) / (h - dt div(flux))

    A constant tracer stays constant, and the content h tracer is conserved where h changes by -dt div(flux).

    Args:
        tracer: (B, C, ny, nx). h: thickness at the start of the step, (B, 1, ny, nx) (m).
        flux_x: volume flux (B, 1, ny, nx) through west faces, flux_y: (B, 1, ny + 1, nx) through south faces (m2 s-1).
    """
    fx, fy = flux_x * dt / dx, flux_y * dt / dx
    courant = fx.abs() / torch.where(fx > 0, west(h), h)
    difference = tracer - west(tracer)
    slope = limited_slope(difference, east(difference))
    from_west = west(tracer) + 0.5 * (1 - courant) * west(slope)
    from_east = tracer - 0.5 * (1 - courant) * slope
    content_x = fx * torch.where(fx > 0, from_west, from_east)

    padded, thickness = pad_y(tracer, 2), pad_y(h, 1)
    courant = fy.abs() / torch.where(fy > 0, thickness[..., :-1, :], thickness[..., 1:, :])
    difference = padded[..., 1:, :] - padded[..., :-1, :]
    slope = limited_slope(difference[..., :-1, :], difference[..., 1:, :])
    from_south = padded[..., 1:-2, :] + 0.5 * (1 - courant) * slope[..., :-1, :]
    from_north = padded[..., 2:-1, :] - 0.5 * (1 - courant) * slope[..., 1:, :]
    content_y = fy * torch.where(fy > 0, from_south, from_north)

    def loss(x, y):
        return east(x) - x + y[..., 1:, :] - y[..., :-1, :]

    return (h * tracer - loss(content_x, content_y)) / (h - loss(fx, fy))


def limited_cubic(far: Tensor, near: Tensor, ahead: Tensor, courant: Tensor) -> Tensor:
    """What crosses a face of third order in space and time, limited (Hundsdorfer & Trompert 1994):

        near + s (ahead - near),   s = max(0, min(1, d0 + d1 r, r (1 - c) / c)),   r = (near - far) / (ahead - near)
        d0 = (2 - c)(1 - c) / 6,   d1 = (1 - c^2) / 6

    Hundsdorfer, W. & Trompert, R. A. (1994), Method of lines and direct discretization: a comparison for linear
    advection, doi:10.1016/0168-9274(94)90009-4.

    Args:
        far, near, ahead: the tracer in the two cells upstream of the face, and in the one downstream.
        courant: c, from 0 to 1.
    """
    step, rise = ahead - near, near - far
    sign = torch.sign(step)
    part = sign * ((2 - courant) * (1 - courant) * step + (1 - courant**2) * rise) / 6
    most = torch.minimum(step.abs(), sign * rise * (1 - courant) / courant.clamp(min=1e-9))
    return near + sign * torch.minimum(part, most).clamp(min=0.0)


def advect_cubic(tracer: Tensor, h: Tensor, flux_x: Tensor, flux_y: Tensor, dt: float, dx: float) -> Tensor:
    """One step of limited third-order advection, along x and then along y; arguments and promises of `advect`.

    Each of the two changes thickness and content together, so that a constant stays constant.
    """

    def face(m2, m1, p1, p2, flux, h_minus, h_plus):
        forward = flux > 0
        courant = flux.abs() / torch.where(forward, h_minus, h_plus)
        upstream = (torch.where(forward, a, b) for a, b in ((m2, p2), (m1, p1), (p1, m1)))
        return flux * limited_cubic(*upstream, courant)

    fx, fy = flux_x * dt / dx, flux_y * dt / dx
    content = face(west(west(tracer)), west(tracer), tracer, east(tracer), fx, west(h), h)
    between = h - (east(fx) - fx)
    tracer = (h * tracer - (east(content) - content)) / between

    padded, thickness, rows = pad_y(tracer, 2), pad_y(between, 1), fy.shape[-2]
    cells = (padded[..., j : j + rows, :] for j in range(4))
    content = face(*cells, fy, thickness[..., :-1, :], thickness[..., 1:, :])
    after = between - (fy[..., 1:, :] - fy[..., :-1, :])
    return (between * tracer - (content[..., 1:, :] - content[..., :-1, :])) / after


ADVECTION = {"slopes": advect, "cubic": advect_cubic}


class Surface:
    """Winds, Ekman layer and tracers above a `TwoLayerModel`, updated every six hours and every model step."""

    EKMAN_DAMPING = 4e-5  # s-1
    STRONGEST = 32.0  # m s-1; Gaussian winds would now and then blow up to twice as hard

    def __init__(self, model: TwoLayerModel, physics: Physics, generator: torch.Generator, compile: bool = False):
        channel = model.channel
        self.model, self.physics = model, physics
        self.winds = Winds(channel, physics, generator, model.complex_dtype)
        self.salt_weather = RedNoise(channel, model.members, 250e3, 25 * DAY, generator)
        self.heat_weather = RedNoise(channel, model.members, 400e3, 10 * DAY, generator)
        self.y = model.tensor(channel.y())[None, :, None]
        self.rotation = (self.EKMAN_DAMPING + 1j * model.f_centres).to(model.complex_dtype)
        kx = 2 * math.pi * torch.fft.rfftfreq(channel.nx, channel.dx).double()
        ky = 2 * math.pi * torch.fft.fftfreq(2 * channel.ny, channel.dx).double()
        self.low_pass = model.tensor(torch.exp(-0.25 * (kx**2 + ky[:, None] ** 2) * 250e3**2))
        shape = (model.members, channel.ny, channel.nx)
        self.ekman = torch.zeros(shape, dtype=model.complex_dtype, device=model.device)
        centre = model.tensor(physics.jet_centre)
        self.tracers = self.inflow_profile(0.0, centre).expand(-1, 2, *shape[1:]).clone()  # T (degC), S (psu)
        self._advance = torch.compile(self._carry, dynamic=False) if compile else self._carry

    def column(self, name: str) -> Tensor:
        """A physical parameter, shaped to multiply (B, ny, nx)."""
        return self.model.tensor(getattr(self.physics, name))[:, None, None]

    def inflow_profile(self, day: float, centre: Tensor) -> Tensor:
        """Temperature and salinity across the inflowing front, with its warm core, (B, 2, ny, 1)."""
        y = self.y - centre[:, None, None]
        south = 0.5 * (1 - torch.tanh((y - 12e3) / self.column("front_width")))
        core = torch.exp(-(((y + 25e3) / 45e3) ** 2))
        poleward = y / 640e3
        cycle = season(day)
        warm = self.column("sst_south") + cycle * self.column("sst_range_south") - 1.5 * poleward
        cold = self.column("sst_north") + cycle * self.column("sst_range_north") - 2.5 * poleward
        fresh = self.column("salinity_north") - 0.4 * poleward
        temperature = cold + (warm - cold) * south + self.column("core_warmth") * core
        salinity = fresh + (self.column("salinity_south") - fresh) * south + 0.05 * core
        return torch.stack([temperature, salinity], 1)

    def broad_profile(self, day: float, centre: Tensor) -> Tensor:
        """The smooth profiles that the atmosphere restores to, (B, 2, ny, 1)."""
        y = (self.y - centre[:, None, None]) / 640e3
        shape = torch.tanh(1.8 * y) / math.tanh(1.8)

        def across(name):
            south, north = self.column(f"{name}_south"), self.column(f"{name}_north")
            return 0.5 * (south + north) + 0.5 * (north - south) * shape

        temperature = across("sst") - 1.5 * shape + season(day) * across("sst_range")
        return torch.stack([temperature, across("salinity") - 0.2 * shape], 1)

    def force(self, flow: Flow, day: float, centre: Tensor, dt: float) -> None:
        """Renew wind, Ekman current and restoring for the next `dt` seconds; `centre` is the inflow's y (m), (B,)."""
        model = self.model
        for noise in (self.winds, self.salt_weather, self.heat_weather):
            noise.advance(dt)
        sst = self.tracers[:, 0]
        mirrored = torch.cat([sst, sst.flip(-2)], -2)
        broad = torch.fft.irfft2(torch.fft.rfft2(mirrored) * self.low_pass, s=mirrored.shape[-2:])[:, : sst.shape[1]]
        calm = self.winds.field(day).to(model.device)
        self.wind = limited(calm * (1 + self.column("wind_sst_coupling") * (sst - broad)), self.STRONGEST)

        u, v = flow.u[:, 0], flow.v[:, 0]
        current = torch.complex(0.5 * (u + east(u)), 0.5 * (v[:, 1:] + v[:, :-1]))
        stress = STRESS[model.structure.stress](self.wind - current)
        depth = MIXED_LAYER[model.structure.mixed_layer](self.wind, stress, model.f_centres, season(day))
        steady = stress / depth / self.rotation
        decay = torch.exp(-self.rotation * dt)
        mean = steady + (self.ekman - steady) * (1 - decay) / (self.rotation * dt)
        self.ekman = steady + (self.ekman - steady) * decay
        self.u_ekman = 0.5 * (mean.real + west(mean.real))
        self.v_ekman = with_walls(0.5 * (mean.imag[:, 1:] + mean.imag[:, :-1]))

        inflow, broad = self.inflow_profile(day, centre), self.broad_profile(day, centre)
        weather = torch.stack(
            [
                self.column("heat_weather") * model.tensor(self.heat_weather.field()) + 0.35 * calm.imag,
                self.column("salt_weather")
                * model.tensor(self.salt_weather.field())
                * (0.25 + torch.sigmoid(self.y / 150e3)),
            ],
            1,
        )
        # The deeper the mixed layer of late winter, the longer it takes the air to change its temperature.
        quicker = torch.exp(self.column("winter_mixing") * season(day))
        atmosphere = torch.stack([quicker / (self.column("heat_time") * DAY), 1 / (self.column("salt_time") * DAY)], 1)
        # The inflowing front is imposed around the jet alone: a zone that reached the walls would show as an edge.
        near_jet = torch.exp(-(((self.y - centre[:, None, None]) / 200e3) ** 2))[:, None]
        inflowing = model.inflow_rate * near_jet
        self.rate = atmosphere + inflowing
        self.target = (atmosphere * (broad + weather) + inflowing * inflow) / self.rate

    def _carry(self, tracers, h, flux_x, flux_y, u_ekman, v_ekman, target, rate):
        c = self.model.channel
        flux_x = flux_x + 0.5 * (h + west(h)) * u_ekman
        flux_y = flux_y + with_walls(0.5 * (h[:, 1:] + h[:, :-1]) * v_ekman[:, 1:-1])
        moved = ADVECTION[self.model.structure.tracers](
            tracers, h[:, None], flux_x[:, None], flux_y[:, None], c.dt, c.dx
        )
        return moved + c.dt * rate / (1 + c.dt * rate) * (target - moved)

    def step(self, h: Tensor, flow: Flow) -> None:
        """Carry the tracers through one model step, from upper thickness h (B, ny, nx) to `flow`."""
        self.tracers = self._advance(
            self.tracers, h, flow.flux_x, flow.flux_y, self.u_ekman, self.v_ekman, self.target, self.rate
        )
