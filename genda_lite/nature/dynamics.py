"""Two-layer rigid-lid primitive equations on a beta-plane channel: the water under our simulated Gulf Stream.

For layer k = 1 (upper), 2 (lower), on an Arakawa C-grid, periodic in x, free-slip walls in the north and south:

    du/dt = +(zeta + f) v - d/dx (K + M_k) + relaxation - drag        M_1 = p_s,  M_2 = p_s - g' h
    dv/dt = -(zeta + f) u - d/dy (K + M_k) + relaxation - drag        K   = (u^2 + v^2) / 2
    dh/dt = -div(h u_1) + relaxation                                  h_1 = h,    h_2 = H - h

The surface pressure p_s keeps the depth-integrated flow free of divergence: one Poisson solve a stage. The thickness of
the upper layer alone is stepped, in flux form, so both layers conserve their volume to rounding. There is no explicit
viscosity; fifth-order upwind reconstruction of thickness and vorticity damps the grid scale. Time stepping is the
three-stage strong-stability-preserving Runge-Kutta scheme (Shu & Osher 1988). That is the training oceans' structure;
`structure.Structure` may choose hills on the sea floor, of height b, so that h_2 = H - b - h, and another scheme.

Every tensor carries a leading batch dimension: members are independent oceans, and may differ in their physics.
Shapes: h (B, ny, nx) at centres, u (B, 2, ny, nx) on west faces, v (B, 2, ny + 1, nx) on south faces.
"""

import math
import warnings
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from ..ocean.currents import GRAVITY
from .physics import Physics
from .structure import TRAINING, Structure

DAY = 86400.0  # s
RECIRCULATION_WIDTH = 300e3  # m


@dataclass(frozen=True)
class Channel:
    """The channel all members share: geometry (m), planetary vorticity, time step (s) and relaxation zones.

    The western zone holds the inflowing jet; the northern and southern ones absorb what reaches the walls.
    """

    nx: int = 256
    ny: int = 168
    dx: float = 8e3
    dt: float = 1350.0
    depth: float = 3500.0  # less than the real 4500 m: with two layers the eddies are then as strong as real ones
    f0: float = 9.0e-5  # s-1, at mid-channel
    beta: float = 1.8e-11  # m-1 s-1
    inflow_width: float = 240e3
    inflow_time: float = 0.5 * DAY
    wall_width: float = 100e3
    wall_time: float = 8.0 * DAY
    vorticity_bias: float = 0.4  # share of the upwind bias in the flux of vorticity: a little damping is enough

    @classmethod
    def twin(cls) -> Self:
        """The fraternal twin's channel: a deeper sea, resolved with 6 km."""
        return cls(nx=342, ny=224, dx=6e3, dt=1080.0, depth=4000.0)

    def x(self) -> Tensor:
        """Distance of the cell centres from the western edge (m), (nx,)."""
        return (torch.arange(self.nx, dtype=torch.float64) + 0.5) * self.dx

    def y(self) -> Tensor:
        """Distance of the cell centres from mid-channel, northward (m), (ny,)."""
        return (torch.arange(self.ny, dtype=torch.float64) + 0.5 - self.ny / 2) * self.dx

    def y_faces(self) -> Tensor:
        """Distance of the south faces (and corners) from mid-channel (m), (ny + 1,)."""
        return (torch.arange(self.ny + 1, dtype=torch.float64) - self.ny / 2) * self.dx

    def coriolis(self, y: Tensor) -> Tensor:
        """Planetary vorticity at y (s-1)."""
        return self.f0 + self.beta * y

    def wall_weight(self, y: Tensor) -> Tensor:
        """Weight of the northern and southern relaxation zones, one at the walls."""
        distance = self.ny * self.dx / 2 - y.abs()
        return (1 - distance / self.wall_width).clamp(0, 1) ** 2

    def inflow_weight(self) -> Tensor:
        """Weight of the western relaxation zone, (nx,)."""
        x = self.x()
        bump = torch.sin(math.pi * x / self.inflow_width) ** 2
        return torch.where(x < self.inflow_width, bump, torch.zeros_like(x))


@dataclass
class Flow:
    """The dynamical state, and what the last step diagnosed.

    Args:
        u, v, h: as above (m s-1, m).
        sea_level: (B, ny, nx), of zero mean (m).
        flux_x, flux_y: upper layer's volume flux through west and south faces, mean of the step (m2 s-1); with it,
            and no relaxation, h changes by exactly -dt div(flux).
    """

    u: Tensor
    v: Tensor
    h: Tensor
    sea_level: Tensor
    flux_x: Tensor
    flux_y: Tensor


def pad_y(a: Tensor, n: int) -> Tensor:
    """Repeat the first and last rows n times."""
    south = a[..., :1, :].expand(*a.shape[:-2], n, a.shape[-1])
    north = a[..., -1:, :].expand(*a.shape[:-2], n, a.shape[-1])
    return torch.cat([south, a, north], -2)


def pad_x(a: Tensor, n: int) -> Tensor:
    """Periodic continuation by n columns on each side."""
    return torch.cat([a[..., -n:], a, a[..., :n]], -1)


def west(a: Tensor) -> Tensor:
    """The western neighbour of every column: joined, for `torch.roll` compiles to an index computed point by point."""
    return torch.cat([a[..., -1:], a[..., :-1]], -1)


def east(a: Tensor) -> Tensor:
    """The eastern neighbour of every column."""
    return torch.cat([a[..., 1:], a[..., :1]], -1)


def with_walls(inner: Tensor) -> Tensor:
    """Add a row of zeros along both walls to a field on the interior south faces."""
    wall = torch.zeros_like(inner[..., :1, :])
    return torch.cat([wall, inner, wall], -2)


def upwind5(stencil: list[Tensor], velocity: Tensor, bias: float = 1.0) -> Tensor:
    """Fifth-order upwind value between the third and fourth of six neighbours (e.g. Hundsdorfer et al. 1995).

    With less than the whole upwind bias it damps the grid scale less; without, it is the centred sixth-order value.
    """
    m3, m2, m1, p1, p2, p3 = stencil
    centred = (37.0 * (m1 + p1) - 8.0 * (m2 + p2) + (m3 + p3)) / 60.0
    upwinding = (10.0 * (p1 - m1) - 5.0 * (p2 - m2) + (p3 - m3)) / 60.0
    return centred - bias * torch.sign(velocity) * upwinding


def upwind3(stencil: list[Tensor], velocity: Tensor, bias: float = 1.0) -> Tensor:
    """The same of third order, from the inner four; without the bias centred, of fourth order."""
    _, m2, m1, p1, p2, _ = stencil
    centred = (7.0 * (m1 + p1) - (m2 + p2)) / 12.0
    return centred - bias * torch.sign(velocity) * (3.0 * (p1 - m1) - (p2 - m2)) / 12.0


def upwind_x(a: Tensor, velocity: Tensor, shift: int = 0, bias: float = 1.0, scheme=upwind5) -> Tensor:
    """Values of `a` halfway between columns i-1 and i (shift 0) or i and i+1 (shift 1)."""
    n = a.shape[-1]
    padded = pad_x(a, 3)
    return scheme([padded[..., shift + j : shift + j + n] for j in range(6)], velocity, bias)


def upwind_y(a: Tensor, velocity: Tensor, bias: float = 1.0, scheme=upwind5) -> Tensor:
    """Values of `a` halfway between rows; as many rows as `velocity` has (one more than `a`, or one fewer)."""
    rows = velocity.shape[-2]
    first = 0 if rows == a.shape[-2] + 1 else 1
    padded = pad_y(a, 3)
    return scheme([padded[..., first + j : first + j + rows, :] for j in range(6)], velocity, bias)


def v_at_u(a: Tensor) -> Tensor:
    """From south faces to west faces, the mean of four."""
    pairs = a[..., 1:, :] + a[..., :-1, :]
    return 0.25 * (pairs + west(pairs))


def u_at_v(a: Tensor) -> Tensor:
    """From west faces to south faces, the mean of four; zero on the walls."""
    pairs = a + east(a)
    return with_walls(0.25 * (pairs[..., 1:, :] + pairs[..., :-1, :]))


def laplacian_u(u: Tensor, dx: float) -> Tensor:
    """Five-point Laplacian on west faces, between walls of free slip."""
    padded = pad_y(u, 1)
    return (west(u) + east(u) + padded[..., 2:, :] + padded[..., :-2, :] - 4 * u) / dx**2


def laplacian_v(v: Tensor, dx: float) -> Tensor:
    """The same on south faces; zero on the walls, where v is."""
    inner = v[..., 1:-1, :]
    return with_walls(west(inner) + east(inner) + v[..., 2:, :] + v[..., :-2, :] - 4 * inner) / dx**2


def ratio(a: Tensor, b: Tensor) -> Tensor:
    """a / b, zero where b is: an ocean at rest has nothing to solve."""
    return torch.where(b == 0, 0.0, a / b)


class PoissonSolver:
    """Exact inverse of the five-point Laplacian: cosines in y (Neumann walls) times Fourier modes in x (periodic).

    The cosines are a dense matrix product: at these sizes faster than the FFT of a mirrored field.
    """

    def __init__(self, channel: Channel, dtype: torch.dtype, device: torch.device):
        nx, ny, dx = channel.nx, channel.ny, channel.dx
        j = torch.arange(ny, dtype=torch.float64)
        k = torch.arange(nx // 2 + 1, dtype=torch.float64)
        cosines = torch.cos(math.pi * (j[None] + 0.5) * j[:, None] / ny)
        eigenvalues = (
            (2 * torch.cos(math.pi * j / ny) - 2)[:, None] + (2 * torch.cos(2 * math.pi * k / nx) - 2)[None]
        ) / dx**2
        eigenvalues[0, 0] = math.inf  # the mean is free: choose zero
        self.nx = nx
        self.cosines = (cosines / cosines.norm(dim=1, keepdim=True)).to(device, dtype)
        self.inverse = (1 / eigenvalues).repeat_interleave(2, 1).to(device, dtype)  # of real and imaginary parts

    def __call__(self, rhs: Tensor) -> Tensor:
        """Solve laplacian(phi) = rhs for phi of zero mean, (B, ny, nx)."""
        modes = torch.view_as_real(torch.fft.rfft(rhs)).flatten(-2)
        modes = self.cosines.T @ (self.cosines @ modes * self.inverse)
        return torch.fft.irfft(torch.view_as_complex(modes.unflatten(-1, (-1, 2))), n=self.nx)


class TwoLayerModel:
    """The channel with each member's stratification, jet and drag.

    Args:
        channel: geometry and time step.
        reduced_gravity, bottom_drag: g' (m s-2) and the lower layer's drag rate (s-1), each (B,).
        compile: fuse the step with torch.compile (needs a C++ compiler on a CPU; about twice as fast).
        structure: sea floor and scheme.
    """

    ITERATIONS = 4  # of the pressure over hills: leave less than 1e-3 of the divergence that a step makes

    def __init__(
        self,
        channel: Channel,
        reduced_gravity: Tensor,
        bottom_drag: Tensor,
        dtype: torch.dtype = torch.float32,
        device: str | torch.device = "cpu",
        compile: bool = False,
        structure: Structure = TRAINING,
    ):
        self.channel, self.structure, self.dtype, self.device = channel, structure, dtype, torch.device(device)
        self.members = len(reduced_gravity)
        tensor = self.tensor
        y, yf = channel.y(), channel.y_faces()
        self.f_faces = tensor(channel.coriolis(yf)[:, None])
        self.f_centres = tensor(channel.coriolis(y)[:, None])
        self.gprime = tensor(reduced_gravity.double()[:, None, None])
        self.drag = tensor(torch.stack([torch.zeros_like(bottom_drag), bottom_drag], 1).double()[..., None, None])
        self.inflow_rate = tensor(channel.inflow_weight()[None] / channel.inflow_time)
        self.rate_centres = tensor(self._relaxation(y))
        self.rate_faces = tensor(self._relaxation(yf))
        self.depth: float | Tensor = channel.depth  # of the whole water (m), (ny, nx) over hills
        if structure.hills:
            self.depth = tensor(channel.depth - structure.elevation(channel.x(), y, channel.nx * channel.dx))
        self.poisson = PoissonSolver(channel, dtype, self.device)
        if compile:  # it tells that it leaves the Fourier transforms as they are: nothing is lost by that
            warnings.filterwarnings("ignore", "Torchinductor does not support code generation for complex operators")
        self._step = torch.compile(self._runge_kutta, dynamic=False) if compile else self._runge_kutta

    @property
    def complex_dtype(self) -> torch.dtype:
        return torch.complex128 if self.dtype == torch.float64 else torch.complex64

    def tensor(self, a: Tensor) -> Tensor:
        """`a` in the model's precision, on the model's device."""
        return a.to(self.device, self.dtype)

    def _relaxation(self, y: Tensor) -> Tensor:
        c = self.channel
        return c.inflow_weight()[None] / c.inflow_time + c.wall_weight(y)[:, None] / c.wall_time

    def tendencies(self, u, v, h, u_ref, h_ref):
        """Right-hand sides of the module's equations without the surface pressure, and the upper layer's fluxes."""
        dx, is_upwind = self.channel.dx, self.structure.momentum == "upwind"
        scheme = upwind5 if is_upwind else upwind3
        flux_x = u[:, 0] * upwind_x(h, u[:, 0], scheme=scheme)
        flux_y = with_walls((v[:, 0] * upwind_y(h, v[:, 0], scheme=scheme))[..., 1:-1, :])
        dh = -(east(flux_x) - flux_x + flux_y[..., 1:, :] - flux_y[..., :-1, :]) / dx

        shear = with_walls(u[..., 1:, :] - u[..., :-1, :])  # free slip: none across the walls
        zeta = (v - west(v) - shear) / dx  # at corners, (ny + 1, nx)
        u2, v2 = u * u, v * v
        kinetic = 0.25 * (u2 + east(u2) + v2[..., 1:, :] + v2[..., :-1, :])
        montgomery = torch.stack([kinetic[:, 0], kinetic[:, 1] - self.gprime * h], 1)

        du, dv = self.upwind_flux(u, v, zeta) if is_upwind else self.enstrophy_flux(u, v, h, zeta)
        du = du - (montgomery - west(montgomery)) / dx
        dv = dv - with_walls(montgomery[..., 1:, :] - montgomery[..., :-1, :]) / dx
        if self.structure.viscosity:
            du = du - self.structure.viscosity * laplacian_u(laplacian_u(u, dx), dx)
            dv = dv - self.structure.viscosity * laplacian_v(laplacian_v(v, dx), dx)

        du = du - self.drag * u - self.rate_centres * (u - u_ref)
        dv = dv - (self.drag + self.rate_faces) * v
        dh = dh - self.rate_centres * (h - h_ref)
        return du, dv, dh, flux_x, flux_y

    def upwind_flux(self, u: Tensor, v: Tensor, zeta: Tensor) -> tuple[Tensor, Tensor]:
        """Coriolis force and flux of vorticity (m s-2), the vorticity upwind."""
        bias, v_on_u, u_on_v = self.channel.vorticity_bias, v_at_u(v), u_at_v(u)
        du = (upwind_y(zeta, v_on_u, bias) + self.f_centres) * v_on_u
        return du, -(upwind_x(zeta, u_on_v, 1, bias) + self.f_faces) * u_on_v

    def enstrophy_flux(self, u: Tensor, v: Tensor, h: Tensor, zeta: Tensor) -> tuple[Tensor, Tensor]:
        """Coriolis force and flux of vorticity (m s-2), the mean of potential vorticity times that of the layer's
        volume flux: conserves potential enstrophy (Sadourny 1975, his second scheme).

        Sadourny, R. (1975), The dynamics of finite-difference models of the shallow-water equations,
        doi:10.1175/1520-0469(1975)032<0680:TDOFDM>2.0.CO;2.
        """
        layers = torch.stack([h, self.depth - h], 1)
        pairs = pad_y(layers, 1)
        pairs = 0.5 * (pairs[..., 1:, :] + pairs[..., :-1, :])  # on south faces
        potential = (zeta + self.f_faces) / (0.5 * (pairs + west(pairs)))  # at corners
        du = 0.5 * (potential[..., 1:, :] + potential[..., :-1, :]) * v_at_u(pairs * v)
        return du, -0.5 * (potential + east(potential)) * u_at_v(0.5 * (layers + west(layers)) * u)

    def divergence(self, u: Tensor, v: Tensor, h: Tensor) -> Tensor:
        """Divergence of the depth-integrated flow, (B, ny, nx), m s-1."""
        h = torch.stack([h, self.depth - h], 1)
        transport_x = (0.5 * (h + west(h)) * u).sum(1)
        transport_y = with_walls((0.5 * (h[..., 1:, :] + h[..., :-1, :]) * v[..., 1:-1, :]).sum(1))
        return (east(transport_x) - transport_x + transport_y[..., 1:, :] - transport_y[..., :-1, :]) / self.channel.dx

    def project(self, u, v, h):
        """Remove the divergence of the depth-integrated flow; returns the velocity potential that did it (m2 s-1)."""
        dx, potential = self.channel.dx, self.potential(self.divergence(u, v, h))
        u = u - ((potential - west(potential)) / dx)[:, None]
        v = v - with_walls((potential[..., 1:, :] - potential[..., :-1, :]) / dx)[:, None]
        return u, with_walls(v[..., 1:-1, :]), potential

    def potential(self, divergence: Tensor) -> Tensor:
        """Solve div(depth grad(phi)) = divergence for phi of zero mean (m2 s-1), (B, ny, nx): exactly over a flat
        bottom, and over hills by some steps of conjugate gradients. The flat solution is their preconditioner (Concus &
        Golub 1973). The eigenvalues then lie between the least and the greatest depth, over the flat one.

        Concus, P. & Golub, G. H. (1973), Use of fast direct methods for the efficient numerical solution of
        nonseparable elliptic equations, doi:10.1137/0710092.
        """
        if not self.structure.hills:
            return self.poisson(divergence / self.depth)
        dx, depth, flat = self.channel.dx, self.depth, self.channel.depth
        depth_x, depth_y = 0.5 * (depth + west(depth)), 0.5 * (depth[1:] + depth[:-1])
        phi, residual = torch.zeros_like(divergence), divergence
        direction, before = phi, None
        for _ in range(self.ITERATIONS):
            z = self.poisson(residual / flat)
            power = (residual * z).sum((-1, -2), keepdim=True)
            direction = z if before is None else z + ratio(power, before) * direction
            gradient_x = depth_x * (direction - west(direction)) / dx
            gradient_y = with_walls(depth_y * (direction[..., 1:, :] - direction[..., :-1, :]) / dx)
            image = (east(gradient_x) - gradient_x + gradient_y[..., 1:, :] - gradient_y[..., :-1, :]) / dx
            length = ratio(power, (direction * image).sum((-1, -2), keepdim=True))
            phi, residual, before = phi + length * direction, residual - length * image, power
        return phi

    def _runge_kutta(self, u, v, h, u_ref, h_ref):
        dt = self.channel.dt
        start = u, v, h
        mean_x = mean_y = 0.0
        # Shu-Osher form: an Euler step, drawn back towards the start; `share` is each slope's part in the whole step.
        for back, share in ((0.0, 1 / 6), (3 / 4, 1 / 6), (1 / 3, 2 / 3)):
            *slope, flux_x, flux_y = self.tendencies(u, v, h, u_ref, h_ref)
            euler = [a + dt * s for a, s in zip((u, v, h), slope, strict=True)]
            # A difference, for rounded weights that do not add up to one would be a source of water.
            stage = [a + back * (b - a) for a, b in zip(euler, start, strict=True)]
            h = stage[2]
            u, v, potential = self.project(*stage)
            mean_x, mean_y = mean_x + share * flux_x, mean_y + share * flux_y
        return u, v, h, potential / ((1 - back) * dt * GRAVITY), mean_x, mean_y

    def step(self, flow: Flow, u_ref: Tensor, h_ref: Tensor) -> Flow:
        """Advance by one time step towards the reference jet: u_ref (B, 2, ny, 1), h_ref (B, ny, 1)."""
        return Flow(*self._step(flow.u, flow.v, flow.h, u_ref, h_ref))


def jet(model: TwoLayerModel, physics: Physics, displacement: Tensor, strength: Tensor) -> tuple[Tensor, Tensor]:
    """A front of the interface with recirculations on its flanks, and the flow in thermal-wind balance with it.

        h = mean_depth - depth_step / 2 * F(y),    F = tanh(y / width) (1 - r + r sech(y / L)),    L = 300 km

    Away from the front the step shrinks by the fraction r: the flow there is westward, as on both sides of the Gulf
    Stream (Hogg 1992).

    Args:
        physics: with `depth_step`, `jet_width`, `jet_centre`, `mean_depth`, `deep_fraction` and `recirculation` (r).
        displacement, strength: of the centre (m), and a factor of the step, each (B,).

    Returns:
        Velocity (B, 2, ny, 1) and upper thickness (B, ny, 1).
    """
    c = model.channel
    step, width, mean, deep, r = (
        a[:, None]
        for a in (
            physics.depth_step * strength,
            physics.jet_width,
            physics.mean_depth,
            physics.deep_fraction,
            physics.recirculation,
        )
    )
    y = c.y()[None] - (physics.jet_centre + displacement)[:, None]
    front, flank = torch.tanh(y / width), 1 / torch.cosh(y / RECIRCULATION_WIDTH)
    decay = 1 - r + r * flank
    d_front = (1 - front**2) / width
    d_decay = -r * flank * torch.tanh(y / RECIRCULATION_WIDTH) / RECIRCULATION_WIDTH
    h = mean - 0.5 * step * front * decay
    slope = -0.5 * step * (d_front * decay + front * d_decay)
    shear = -model.gprime.double().cpu()[:, 0] / c.coriolis(c.y()) * slope
    u = torch.stack([shear * (1 + deep), shear * deep], 1)
    return model.tensor(u[..., None]), model.tensor(h[..., None])


def initial_flow(model: TwoLayerModel, u_ref: Tensor, h_ref: Tensor, generator: torch.Generator) -> Flow:
    """The reference jet with random meanders of the interface of some 15 m, to start the instability."""
    c, members = model.channel, model.members
    wavenumber = torch.arange(3, 14, dtype=torch.float64)[:, None]
    phase = 2 * math.pi * (c.x() / (c.nx * c.dx) * wavenumber)  # (11, nx)
    offset = 2 * math.pi * torch.rand(members, 11, 1, generator=generator, dtype=torch.float64)
    amplitude = 15.0 * torch.randn(members, 11, 1, generator=generator, dtype=torch.float64)
    wave = (amplitude * torch.cos(phase + offset)).sum(1)  # (B, nx)
    h = h_ref + model.tensor(torch.exp(-((c.y() / 100e3) ** 2))[:, None] * wave[:, None])
    u = u_ref.expand(-1, -1, -1, c.nx).clone()
    v = torch.zeros(members, 2, c.ny + 1, c.nx, dtype=model.dtype, device=model.device)
    u, v, _ = model.project(u, v, h)
    return Flow(u, v, h, torch.zeros_like(h), torch.zeros_like(h), torch.zeros_like(v[:, 0]))
