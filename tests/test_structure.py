"""Oceans built otherwise: a sea floor with hills, other schemes, other laws of stress and mixed layer."""

import math
from dataclasses import fields

import numpy as np
import pytest
import torch
from scipy.linalg import eigh
from test_nature import FREE, SMALL, at_rest_before, random_flow

from genda_lite.nature import GlorysGrid, NatureRun, Physics
from genda_lite.nature.dynamics import Channel, TwoLayerModel, east, pad_y, v_at_u, west
from genda_lite.nature.physics import NEUTRAL
from genda_lite.nature.structure import TRAINING, Hill, Structure, large_yeager_stress, stratified_depth
from genda_lite.nature.surface import advect, advect_cubic
from genda_lite.nature.twins import DESIGNS, RIDGE, Twin, other_family

FAMILY = other_family(RIDGE, viscosity=1e10)  # in a small channel the hills come closer, for it is periodic
MEANS = [20.7285584, 36.3989963, 0.317738667, -0.0904419711, 11.9091443, 0.67184077]
SPREADS = [0.346904013, 4.33269464, 0.652615539, 0.509488418, 0.04910025, 3.55757217, 1.75529475]
F_PLANE = Channel(nx=64, ny=48, beta=0.0, inflow_time=1e30, wall_time=1e30)


def test_the_training_oceans_are_what_they_were():
    """Means and spreads of a day of the old twin's physics, as they were before there was any choice of structure."""
    day = NatureRun(Physics.twin(), 7, channel=SMALL, dtype=torch.float64).advance_day()[0]
    np.testing.assert_allclose(day[1:].mean((1, 2)), MEANS, rtol=1e-6)
    np.testing.assert_allclose(day.std((1, 2)), SPREADS, rtol=1e-6)


def test_a_run_of_the_other_family_is_another_ocean_and_restarts_bit_for_bit():
    run, other, flat = (
        NatureRun(Physics.twin(), seed, channel=SMALL, structure=structure)
        for seed, structure in ((7, FAMILY), (8, FAMILY), (7, TRAINING))
    )
    first, flat_first = run.advance_day(), flat.advance_day()
    assert torch.isfinite(first).all()
    assert (first - flat_first).abs().amax((0, 2, 3))[:5].min() > 1e-2  # all but the wind itself
    other.restore(run.state())
    assert torch.equal(run.advance_day(), other.advance_day())


# --- The sea floor ---------------------------------------------------------------------------------------------------


def test_a_hill_is_where_it_says():
    """A ridge to the northeast: its crest falls off slowly, its flanks fast, and it goes on beyond the seam in x."""
    x, y = torch.arange(0, 1000.0, 10).double(), torch.arange(-300, 300.0, 10).double()
    found = Structure((Hill(x=100, y=-50, height=800, length=200, width=40, angle=45),)).elevation(x, y, 1000.0)
    at = lambda east, north: float(found[int((north + 300) / 10), int(east / 10) % 100])  # noqa: E731
    assert found.shape == (60, 100) and at(100, -50) == found.max() == 800
    assert at(200, 50) == pytest.approx(800 * math.exp(-0.5 * 2e4 / 200**2))
    assert at(60, -10) == pytest.approx(800 * math.exp(-0.5 * 3200 / 40**2))
    assert at(-60, -210) == pytest.approx(800 * math.exp(-0.5 * 2 * 160**2 / 200**2))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_an_ocean_at_rest_over_hills_stays_at_rest(dtype):
    model = TwoLayerModel(FREE, torch.tensor([0.02]), torch.tensor([0.0]), dtype, structure=FAMILY)
    assert FREE.depth - model.depth.min() > 1000
    h = torch.full((1, FREE.ny, FREE.nx), 500.0, dtype=dtype)
    u, v = (torch.zeros(1, 2, FREE.ny + k, FREE.nx, dtype=dtype) for k in (0, 1))
    flow = at_rest_before(u, v, h)
    for _ in range(20):
        flow = model.step(flow, u[..., :1], h[..., :1])
    assert flow.u.abs().max() == flow.v.abs().max() == 0 and torch.equal(flow.h, h)


def test_over_hills_the_divergence_goes_and_the_layers_keep_their_volume():
    model = TwoLayerModel(FREE, torch.full((2,), 0.02), torch.zeros(2), structure=FAMILY)
    start = flow = random_flow(model)
    u, v = (torch.randn(a.shape, generator=torch.Generator().manual_seed(0)) for a in (start.u, start.v))
    v[..., [0, -1], :] = 0
    before = model.divergence(u, v, start.h)
    after = model.divergence(*model.project(u, v, start.h)[:2], start.h)
    assert after.std() < 2e-3 * before.std()  # hills so close are harder than the twins'
    for _ in range(64):
        flow = model.step(flow, flow.u[..., :1], flow.h[..., :1])
    volume = [f.h.double().mean((-1, -2)) for f in (start, flow)]
    assert (flow.h - start.h).abs().max() > 1 and (volume[1] / volume[0] - 1).abs().max() < 1e-6


@pytest.mark.parametrize("momentum", ["upwind", "enstrophy"])
def test_a_topographic_wave_travels_as_theory_has_it(momentum):
    """A fluid of one density on an f-plane, shallower in the north: the gravest wave travels westward at the frequency
    of the linear equation, omega ((phi' / D)' - k^2 phi / D) = f k (1/D)' phi; over a flat bottom it would stand."""
    c, k = F_PLANE, 2 * math.pi / (F_PLANE.nx * F_PLANE.dx)
    wall = Hill(x=0.0, y=c.ny * c.dx / 2, height=1500.0, length=1e12, width=120e3)
    full = torch.zeros(1, dtype=torch.float64)
    model = TwoLayerModel(c, full, full, torch.float64, structure=Structure((wall,), momentum))
    depth = model.depth[:, 0]
    on_faces = 0.5 * (depth[1:] + depth[:-1])
    inverse = 1 / depth.numpy()
    stiff = (np.diag(inverse[1:] + inverse[:-1]) - np.diag(inverse[1:-1], 1) - np.diag(inverse[1:-1], -1)) / c.dx**2
    stiff += np.diag(k**2 / on_faces.numpy())
    frequencies, modes = eigh(np.diag(c.f0 * k * np.diff(inverse) / c.dx), stiff)
    phi = torch.cat([torch.zeros(1), torch.from_numpy(modes[:, -1]) / abs(modes[:, -1]).max(), torch.zeros(1)])
    wave = phi[:, None] * torch.exp(1j * k * c.dx * torch.arange(c.nx))  # at corners

    stream = 1e5 * wave.real  # m3 s-1: some mm/s
    u = -(stream[1:] - stream[:-1]) / c.dx / depth[:, None]
    v = torch.zeros(c.ny + 1, c.nx, dtype=torch.float64)
    v[1:-1] = ((east(stream) - stream) / c.dx)[1:-1] / on_faces[:, None]
    h = torch.full((1, c.ny, c.nx), 500.0, dtype=torch.float64)
    flow = at_rest_before(u.expand(1, 2, -1, -1), v.expand(1, 2, -1, -1), h)
    steps = round(1.0 / (frequencies[-1] * c.dt))  # a sixth of a period
    for _ in range(steps):
        flow = model.step(flow, u[None, None, :, :1], h[..., :1])
    transport = 500.0 * flow.u[0, 0] + (depth[:, None] - 500.0) * flow.u[0, 1]
    found = torch.cat([torch.zeros(1, c.nx), -(transport * c.dx).cumsum(0)])
    there = (found * wave).sum()
    assert steps > 20 and abs(there) == pytest.approx(float(abs((stream * wave).sum())), rel=0.02)
    assert math.atan2(there.imag, there.real) == pytest.approx(-frequencies[-1] * steps * c.dt, rel=0.02)


def test_energy_does_not_grow_over_hills():
    model = TwoLayerModel(FREE, torch.tensor([0.02]), torch.tensor([0.0]), structure=FAMILY)

    def energy(flow) -> float:
        layers = torch.stack([flow.h, model.depth - flow.h], 1)
        u2, v2 = flow.u**2, flow.v**2
        kinetic = 0.25 * (layers * (u2 + east(u2) + v2[..., 1:, :] + v2[..., :-1, :])).sum()
        return float(kinetic + 0.5 * 0.02 * ((flow.h - 500) ** 2).sum())

    flow = random_flow(model)
    told = [energy(flow)]
    for _ in range(2):
        for _ in range(64):
            flow = model.step(flow, flow.u[..., :1], flow.h[..., :1])
        told.append(energy(flow))
    assert told[0] > told[1] > told[2] > 0.7 * told[0]


# --- The schemes -----------------------------------------------------------------------------------------------------


def test_potential_enstrophy_is_conserved():
    """d/dt of the sum of h q^2 at corners, by the tendencies of vorticity and thickness, vanishes away from walls."""
    model = TwoLayerModel(F_PLANE, torch.tensor([0.02]), torch.tensor([0.0]), torch.float64, structure=FAMILY)
    generator = torch.Generator().manual_seed(0)
    u, v = (torch.randn(1, 2, 48 + k, 64, generator=generator, dtype=torch.float64) for k in (0, 1))
    for a in (u, v):
        a[..., :4, :] = a[..., -4:, :] = 0
    h, dx = 300 + 200 * torch.rand(1, 48, 64, generator=generator, dtype=torch.float64), F_PLANE.dx
    zeta = torch.zeros_like(v)
    zeta[..., 1:-1, :] = (v - west(v))[..., 1:-1, :] / dx - (u[..., 1:, :] - u[..., :-1, :]) / dx

    def at_corners(a):
        padded = pad_y(a, 1)
        return v_at_u(padded)

    q = (zeta + F_PLANE.f0)[:, 0] / at_corners(h)
    du, dv = (a[:, 0] for a in model.enstrophy_flux(u, v, h, zeta))
    flux_x = 0.5 * (h + west(h)) * u[:, 0]
    pairs = pad_y(h, 1)
    flux_y = 0.5 * (pairs[:, 1:] + pairs[:, :-1]) * v[:, 0]
    dh = -(east(flux_x) - flux_x + flux_y[:, 1:] - flux_y[:, :-1]) / dx
    dzeta = torch.zeros_like(q)
    dzeta[:, 1:-1] = (dv - west(dv))[:, 1:-1] / dx - (du[:, 1:] - du[:, :-1]) / dx
    made, lost = 2 * q * dzeta, -(q**2) * at_corners(dh)
    assert abs((made + lost).sum()) < 1e-12 * made.abs().sum()
    assert abs(made.sum()) > 1e-6 * made.abs().sum()


def test_viscosity_damps_a_wave_at_its_rate():
    structure = Structure(momentum="enstrophy", viscosity=1e10)
    smooth, rough = (
        TwoLayerModel(F_PLANE, torch.zeros(1), torch.zeros(1), torch.float64, structure=s)
        for s in (Structure(momentum="enstrophy"), structure)
    )
    k = 2 * math.pi * 8 / (64 * 8e3)
    u = torch.cos(k * F_PLANE.x()).expand(1, 2, 48, 64).contiguous()
    v = torch.sin(k * F_PLANE.x()).expand(1, 2, 49, 64).clone()
    v[..., [0, -1], :] = 0
    h = torch.full((1, 48, 64), 500.0, dtype=torch.float64)
    both = [model.tendencies(u, v, h, u[..., :1], h[..., :1]) for model in (smooth, rough)]
    rate = 1e10 * (2 * math.sin(k * 8e3 / 2) / 8e3) ** 4
    np.testing.assert_allclose(both[1][0] - both[0][0], -rate * u, atol=1e-12)
    np.testing.assert_allclose((both[1][1] - both[0][1])[..., 4:-4, :], -rate * v[..., 4:-4, :], atol=1e-12)


@pytest.mark.parametrize(("scheme", "least", "most"), [(advect, 1.8, 2.2), (advect_cubic, 2.8, 3.2)])
def test_order_of_advection(scheme, least, most):
    """A wave, carried along a quarter of the channel: halving the cells divides the error by 2^order, away from the
    crests, which limiters clip."""
    errors = []
    for n in (64, 128):
        x = 2 * math.pi * (torch.arange(n).double() + 0.5) / n
        tracer = torch.sin(x).expand(1, 1, 8, n)
        u, v = torch.full((1, 1, 8, n), 0.4, dtype=torch.float64), torch.zeros(1, 1, 9, n, dtype=torch.float64)
        steps = n * 5 // 8
        for _ in range(steps):
            tracer = scheme(tracer, torch.ones_like(u), u, v, 1.0, 1.0)
        exact = torch.sin(x - math.pi / 2)
        errors.append((tracer[0, 0, 0] - exact)[exact.abs() < 0.7].abs().mean())
    assert least < math.log2(errors[0] / errors[1]) < most


def test_cubic_advection_makes_no_new_extremes():
    """Steps in a turning, shearing flow without divergence stay within 0 and 1, and keep more of their contrast."""
    n, k = 64, 2 * math.pi / 64
    i, j = torch.arange(n).double(), torch.arange(n + 1).double()
    stream = 3.0 * torch.sin(k * i)[None] * torch.sin(math.pi * j / n)[:, None]  # at corners, in cells
    fx, fy = -(stream[1:] - stream[:-1])[None, None], (east(stream) - stream)[None, None]
    tracer = ((i[None] // 16 + i[:, None] // 16) % 2)[None, None]
    kept = []
    for scheme in (advect_cubic, advect):
        moved = tracer
        for _ in range(150):
            moved = scheme(moved, torch.ones_like(tracer), fx, fy, 1.0, 1.0)
        kept.append(moved)
    assert kept[0].min() > -1e-9 and kept[0].max() < 1 + 1e-9
    assert kept[0].var() > kept[1].var() > 0.05


# --- The laws --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("speed", "coefficient"),
    # By hand from eq. 11: 2.70 / s + 0.142 + s / 13.09 - 3.14807e-10 s^6; 2.34 where it levels off.
    [(1.0, 2.9184), (5.0, 1.0640), (10.0, 1.1756), (20.0, 1.7847), (30.0, 2.2943), (33.0, 2.34), (50.0, 2.34)],
)
def test_stress_has_the_papers_drag_coefficient(speed, coefficient):
    stress = large_yeager_stress(torch.tensor([speed * complex(0.6, 0.8)], dtype=torch.complex128))
    np.testing.assert_allclose(stress, 1.22 / 1025 * coefficient * 1e-3 * speed**2 * complex(0.6, 0.8), rtol=1e-4)


def test_stress_is_continuous_and_calm_in_a_calm():
    wind = torch.tensor([0.0, 32.999, 33.001], dtype=torch.complex128)
    found = large_yeager_stress(wind).abs()
    assert found[0] == 0 and found[2] / found[1] == pytest.approx(1, abs=2e-3)


def test_mixed_layer_deepens_with_wind_and_winter():
    f, wind = torch.tensor(9e-5), torch.tensor([0.0, 5.0, 10.0, 20.0, 60.0], dtype=torch.complex64)
    summer, winter = (stratified_depth(wind, large_yeager_stress(wind), f, season) for season in (1.0, -1.0))
    assert summer[0] == winter[0] == 10 and winter[4] == 150
    friction = math.sqrt(1.22 / 1025 * 1.1756e-3 * 100)
    assert float(summer[2]) == pytest.approx(1.6818 * friction / math.sqrt(0.0055 * math.e * 9e-5), rel=1e-3)
    assert float(winter[2] / summer[2]) == pytest.approx(math.e, rel=1e-4)
    assert 15 < summer[2] < 20 < 45 < winter[2] < 55 and (winter.diff() > 0).all()


# --- The twins -------------------------------------------------------------------------------------------------------


def test_the_new_twins_differ_from_training_in_every_choice_and_from_each_other():
    tuning, sealed = DESIGNS[Twin.TUNING], DESIGNS[Twin.SEALED]
    for twin in (tuning, sealed):
        assert set(twin.structure.differences()) == {f.name for f in fields(Structure)}
        assert twin.channel.dx not in {Channel().dx, Channel.twin().dx}
        c = twin.channel
        floor = c.depth - twin.structure.elevation(c.x(), c.y(), c.nx * c.dx)
        assert floor.min() - float(twin.physics.mean_depth + twin.physics.depth_step) > 1000  # of the lower layer
        assert (21600 / c.dt) % 1 == 0
        GlorysGrid(c)  # covers the region
    assert DESIGNS[Twin.OLD].structure.differences() == {}
    for name, value in tuning.physics.as_dict().items():
        assert name in NEUTRAL or value != sealed.physics.as_dict()[name], name
    assert tuning.structure.hills != sealed.structure.hills and tuning.channel.dx != sealed.channel.dx


def test_twins_are_known_by_name(refuses):
    assert [Twin.named(name) for name in ("none", "old", "tuning", "sealed")] == [0, 1, 2, 3]
    with refuses("no twin 'evil'", "sealed"):
        Twin.named("evil")
