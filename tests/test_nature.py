"""The simulated ocean: balances and budgets that the equations promise, and seeds that repeat."""

import math

import numpy as np
import pytest
import torch
import xarray as xr

from genda_lite.nature import GlorysGrid, NatureRun, Physics, Simulation, Twin, simulate, simulate_to_file
from genda_lite.nature.dataset import save_restart
from genda_lite.nature.dynamics import Channel, Flow, PoissonSolver, TwoLayerModel
from genda_lite.nature.grid import catmull_rom
from genda_lite.nature.physics import LIMITS, NEUTRAL, PARAMETERS, Parameter, within_limits
from genda_lite.nature.run import FIELDS
from genda_lite.nature.surface import ADVECTION, RedNoise, Winds, limited, limited_slope, season
from genda_lite.nature.twins import DESIGNS
from genda_lite.ocean.currents import wind_stress
from genda_lite.prepare import geostrophic_current
from genda_lite.state import VARIABLES

NEVER = 1e30  # s; a relaxation time that relaxes nothing
SMALL = Channel(nx=64, ny=48)
FREE = Channel(nx=64, ny=48, inflow_time=NEVER, wall_time=NEVER)
SCHEMES = pytest.mark.parametrize("advect", ADVECTION.values(), ids=ADVECTION)


def model_of(
    channel: Channel, members: int = 1, gprime: float = 0.02, drag: float = 0.0, dtype: torch.dtype = torch.float64
) -> TwoLayerModel:
    full = torch.ones(members, dtype=torch.float64)
    return TwoLayerModel(channel, gprime * full, drag * full, dtype)


def random_flow(model: TwoLayerModel, seed: int = 0) -> Flow:
    """Smooth random currents and thicknesses, projected."""
    c, b = model.channel, model.members
    generator = torch.Generator().manual_seed(seed)
    noise = model.tensor(RedNoise(c, 5 * b, 60e3, 1.0, generator).field().reshape(5, b, c.ny, c.nx))
    h = 500 + 60 * noise[0]
    u = torch.stack([0.5 * noise[1], 0.1 * noise[2]], 1)
    v = torch.stack([0.5 * noise[3], 0.1 * noise[4]], 1)
    v = torch.cat([torch.zeros_like(v[..., :1, :]), v[..., 1:, :], torch.zeros_like(v[..., :1, :])], -2)
    return at_rest_before(*model.project(u, v, h)[:2], h)


def at_rest_before(u, v, h) -> Flow:
    """A state without the diagnostics of an earlier step."""
    return Flow(u, v, h, torch.zeros_like(h), torch.zeros_like(h), torch.zeros_like(v[:, 0]))


# --- Dynamics --------------------------------------------------------------------------------------------------------


def test_balanced_jet_stays():
    """A zonal jet whose interface slopes in thermal-wind balance is a steady state of the discrete equations."""
    model = model_of(FREE)
    c, jet = FREE, torch.exp(-((FREE.y() / 50e3) ** 2))  # m s-1
    f = c.coriolis(c.y_faces()[1:-1])
    drop = f * 0.5 * (jet[1:] + jet[:-1]) * c.dx / 0.02  # g' dh/dy = -f u
    upper = 700 - torch.cat([torch.zeros(1, dtype=torch.float64), drop.cumsum(0)])
    assert upper.min() > 50
    u = torch.stack([jet, 0 * jet])[None, ..., None].expand(1, 2, c.ny, c.nx)
    h = upper[None, :, None].expand(1, c.ny, c.nx)
    start = at_rest_before(u, torch.zeros(1, 2, c.ny + 1, c.nx, dtype=torch.float64), h)
    flow = start
    for _ in range(20):
        flow = model.step(flow, u[..., :1], h[..., :1])
    assert (flow.u - start.u).abs().max() < 1e-10
    assert flow.v.abs().max() < 1e-10
    assert (flow.h - start.h).abs().max() < 1e-7
    # Sea level carries the upper jet: g d(zos)/dy = -f u.
    slope = (flow.sea_level[:, 1:] - flow.sea_level[:, :-1])[0, :, 0] / c.dx
    np.testing.assert_allclose(9.81 * slope, -f * 0.5 * (jet[1:] + jet[:-1]), atol=1e-12)


def test_inflowing_jet_is_close_to_that_balance():
    """The reference that the inflow relaxes to is the continuous balance: on the grid it differs by a few per cent."""
    run = NatureRun(Physics.draw(2, 0), 0, channel=SMALL, dtype=torch.float64)
    u, h, g = run.u_ref[..., 0], run.h_ref[..., 0], run.model.gprime[:, :, 0]
    f = SMALL.coriolis(SMALL.y_faces()[1:-1])
    shear = (u[:, 0] - u[:, 1])[:, 1:] + (u[:, 0] - u[:, 1])[:, :-1]
    tilt = -g * (h[:, 1:] - h[:, :-1]) / SMALL.dx / f
    assert shear.max() > 2 * 0.8  # a jet worth the name, m/s
    assert ((0.5 * shear - tilt).abs().amax(1) < 0.05 * tilt.amax(1)).all()


def test_internal_wave_keeps_time():
    """Without rotation the interface swings at the speed sqrt(g' h1 h2 / H): thickness, pressure and clock agree."""
    channel = Channel(nx=64, ny=16, f0=0.0, beta=0.0, inflow_time=NEVER, wall_time=NEVER)
    model, k = model_of(channel), 2 * math.pi / (64 * 8e3)
    wave = torch.cos(k * channel.x()).expand(1, channel.ny, channel.nx)
    h = 500 + 0.1 * wave
    u = torch.zeros(1, 2, channel.ny, channel.nx, dtype=torch.float64)
    flow = at_rest_before(u, torch.zeros(1, 2, channel.ny + 1, channel.nx, dtype=torch.float64), h)
    for steps in range(1, 81):
        flow = model.step(flow, u[..., :1], h[..., :1])
        if steps % 20 == 0:
            amplitude = 2 * ((flow.h - 500) * wave).mean() / 0.1
            phase = k * math.sqrt(0.02 * 500 * (channel.depth - 500) / channel.depth) * steps * channel.dt
            assert amplitude == pytest.approx(math.cos(phase), abs=0.01)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-14), (torch.float32, 1e-6)])
def test_layers_keep_their_volume(dtype, tolerance):
    """In a day without relaxation the mean thickness changes by some roundings, though the field itself moves."""
    model = model_of(FREE, members=2, dtype=dtype)
    start = flow = random_flow(model)
    for _ in range(64):
        flow = model.step(flow, flow.u[..., :1], flow.h[..., :1])
    volume = [f.h.double().mean((-1, -2)) for f in (start, flow)]
    assert (flow.h - start.h).abs().max() > 1
    assert (volume[1] / volume[0] - 1).abs().max() < tolerance


def test_step_tells_the_flux_that_moved_the_interface():
    model = model_of(FREE)
    flow = random_flow(model)
    after = model.step(flow, flow.u[..., :1], flow.h[..., :1])
    x, y = after.flux_x, after.flux_y
    loss = (x.roll(-1, -1) - x + y[:, 1:] - y[:, :-1]) * FREE.dt / FREE.dx
    torch.testing.assert_close(flow.h - loss, after.h, atol=1e-10, rtol=0)
    assert loss.abs().max() > 0.1


def test_bottom_drag_slows_the_lower_layer_only():
    """Momentum of a uniform flow decays at the drag's rate in the lower layer and not at all in the upper one."""
    model = model_of(FREE, drag=1e-6)
    u = torch.ones(1, 2, FREE.ny, FREE.nx, dtype=torch.float64)
    h = torch.full((1, FREE.ny, FREE.nx), 500.0, dtype=torch.float64)
    v = torch.zeros(1, 2, FREE.ny + 1, FREE.nx, dtype=torch.float64)
    du, *_ = model.tendencies(u, v, h, u[..., :1], h[..., :1])
    np.testing.assert_allclose(du[0, 0], 0, atol=1e-16)
    np.testing.assert_allclose(du[0, 1], -1e-6, rtol=1e-9)


def test_relaxation_pulls_to_the_reference_in_its_zones():
    model = model_of(SMALL)
    flow = random_flow(model)
    u_ref, h_ref = flow.u[..., :1] + 1.0, flow.h[..., :1] + 10.0
    on = model.tendencies(flow.u, flow.v, flow.h, u_ref, h_ref)
    off = model_of(FREE).tendencies(flow.u, flow.v, flow.h, u_ref, h_ref)
    difference = on[2] - off[2]
    interior = (slice(None), slice(13, 35), slice(31, 64))  # 100 km off the walls, 240 km off the inflow
    assert difference[interior].abs().max() < 1e-18
    middle_of_inflow = difference[0, 24, 15] / (h_ref - flow.h)[0, 24, 15]
    np.testing.assert_allclose(middle_of_inflow, 1 / (0.5 * 86400), rtol=0.01)


def test_projection_removes_the_divergence():
    model = model_of(SMALL, members=2)
    generator = torch.Generator().manual_seed(0)
    u = torch.randn(2, 2, SMALL.ny, SMALL.nx, generator=generator, dtype=torch.float64)
    v = torch.randn(2, 2, SMALL.ny + 1, SMALL.nx, generator=generator, dtype=torch.float64)
    v[..., [0, -1], :] = 0
    h = 100 + 800 * torch.rand(2, SMALL.ny, SMALL.nx, generator=generator, dtype=torch.float64)
    before = model.divergence(u, v, h).abs().max()
    u, v, _ = model.project(u, v, h)
    assert model.divergence(u, v, h).abs().max() < 1e-12 * before
    assert v[..., [0, -1], :].abs().max() == 0


@pytest.mark.parametrize("nx", [64, 63])
def test_poisson_solver_inverts_the_laplacian(nx):
    channel = Channel(nx=nx, ny=48)
    phi = torch.randn(2, 48, nx, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    phi -= phi.mean((-1, -2), keepdim=True)
    walled = torch.cat([phi[:, :1], phi, phi[:, -1:]], 1)
    laplacian = (
        phi.roll(1, -1) + phi.roll(-1, -1) + walled[:, 2:] + walled[:, :-2] - 4 * phi
    ) / channel.dx**2  # fmt: skip
    solved = PoissonSolver(channel, torch.float64, torch.device("cpu"))(laplacian)
    torch.testing.assert_close(solved, phi, atol=1e-10, rtol=0)
    # A mean, which no periodic field between walls can balance, is ignored.
    solved = PoissonSolver(channel, torch.float64, torch.device("cpu"))(laplacian + laplacian.std())
    torch.testing.assert_close(solved, phi, atol=1e-10, rtol=0)


def test_batched_members_do_not_mix():
    """A batch of two oceans takes the steps each takes alone."""
    gprime, drag = torch.tensor([0.016, 0.024]).double(), torch.tensor([0.0, 1e-6]).double()
    both = TwoLayerModel(SMALL, gprime, drag, dtype=torch.float64)
    start = random_flow(both)
    flow = start
    for _ in range(3):
        flow = both.step(flow, start.u[..., :1], start.h[..., :1])
    for m in range(2):
        some = slice(m, m + 1)
        alone = TwoLayerModel(SMALL, gprime[some], drag[some], dtype=torch.float64)
        single = at_rest_before(start.u[some], start.v[some], start.h[some])
        for _ in range(3):
            single = alone.step(single, start.u[some, ..., :1], start.h[some, ..., :1])
        torch.testing.assert_close(flow.u[some], single.u, atol=1e-12, rtol=0)
        torch.testing.assert_close(flow.sea_level[some], single.sea_level, atol=1e-9, rtol=0)


# --- Surface ---------------------------------------------------------------------------------------------------------


@SCHEMES
def test_constant_tracer_stays_constant(advect):
    generator = torch.Generator().manual_seed(2)
    h = 300 + 400 * torch.rand(1, 1, SMALL.ny, SMALL.nx, generator=generator, dtype=torch.float64)
    x = 500 * torch.randn(1, 1, SMALL.ny, SMALL.nx, generator=generator, dtype=torch.float64)  # divergent, too
    y = 500 * torch.randn(1, 1, SMALL.ny + 1, SMALL.nx, generator=generator, dtype=torch.float64)
    tracer = torch.full((1, 2, SMALL.ny, SMALL.nx), 17.0, dtype=torch.float64)
    torch.testing.assert_close(advect(tracer, h, x, y, 1350.0, 8e3), tracer, atol=1e-12, rtol=0)


@SCHEMES
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-14), (torch.float32, 1e-6)])
def test_tracer_content_is_conserved(dtype, tolerance, advect):
    """A day of the dynamics stirs the tracer; heat and salt of the layer stay what they were."""
    model = model_of(FREE, dtype=dtype)
    start = flow = random_flow(model)
    tracer = 10 + 20 * torch.rand(1, 2, FREE.ny, FREE.nx, generator=torch.Generator().manual_seed(3), dtype=dtype)
    moved = tracer
    for _ in range(64):
        after = model.step(flow, flow.u[..., :1], flow.h[..., :1])
        fluxes = after.flux_x[:, None], after.flux_y[:, None]
        flow, moved = after, advect(moved, flow.h[:, None], *fluxes, FREE.dt, FREE.dx)
    assert (moved - tracer).abs().mean() > 1
    content = [(f.h[:, None] * t).double().mean((-1, -2)) for f, t in ((start, tracer), (flow, moved))]
    assert (content[1] / content[0] - 1).abs().max() < tolerance
    assert moved.min() >= 10 - 0.1 and moved.max() <= 30 + 0.1


@SCHEMES
@pytest.mark.parametrize("axis", [-1, -2])
@pytest.mark.parametrize("speed", [1.0, -1.0])
def test_tracer_travels_with_the_flow(axis, speed, advect):
    """After a known time a bump lies where the current has carried it, little smeared and never beyond its range."""
    along = torch.arange(SMALL.nx if axis == -1 else SMALL.ny, dtype=torch.float64)
    bump = torch.exp(-(((along - 24) / 4) ** 2))
    bump = bump if axis == -1 else bump[:, None]
    tracer = bump.expand(1, 1, SMALL.ny, SMALL.nx).contiguous()
    u = torch.full((1, 1, SMALL.ny, SMALL.nx), speed if axis == -1 else 0.0, dtype=torch.float64)
    v = torch.full((1, 1, SMALL.ny + 1, SMALL.nx), speed if axis == -2 else 0.0, dtype=torch.float64)
    for _ in range(20):  # 20 steps of 0.4 cells in a layer of 1 m
        tracer = advect(tracer, torch.ones_like(u), u, v, 3200.0, 8e3)
    profile = tracer[0, 0, 20] if axis == -1 else tracer[0, 0, :, 20]
    centre = (profile * along).sum() / profile.sum()
    assert centre == pytest.approx(24 + 8 * speed, abs=0.1)
    assert profile.max() > 0.9 and profile.max() <= 1 and profile.min() >= -1e-12


def test_strongest_wind():
    wind = torch.tensor([0.0, 3 - 4j, 10 + 0j, 16j, 60 + 80j], dtype=torch.complex128)
    found = limited(wind, 32.0)
    np.testing.assert_allclose(found[:3].abs(), wind[:3].abs(), rtol=0.003)
    assert 15.7 < found[3].abs() < 16 and 31.5 < found[4].abs() < 32
    np.testing.assert_allclose(found[1:].angle(), wind[1:].angle())


def test_limiter_allows_no_new_extremes():
    a, b = torch.randn(2, 1000, generator=torch.Generator().manual_seed(0))
    slope = limited_slope(a, b)
    assert (slope[a * b <= 0] == 0).all()
    same = a * b > 0
    assert (slope[same].abs() <= 2 * torch.minimum(a.abs(), b.abs())[same] + 1e-6).all()
    torch.testing.assert_close(limited_slope(a, a), a)


def test_ekman_current_turns_right_of_a_steady_wind():
    """The slab settles to stress / depth / (r + i f): to the right of the wind in the north, by nearly 90 degrees."""
    run = NatureRun(Physics.draw(1, 0), 0, channel=SMALL)
    surface = run.surface
    still = at_rest_before(0 * run.flow.u, 0 * run.flow.v, run.flow.h)
    calm = torch.full((1, SMALL.ny, SMALL.nx), 8.0 + 0j, dtype=torch.complex64)
    surface.winds.field = lambda day: calm
    surface.physics.wind_sst_coupling.zero_()
    for _ in range(40):
        surface.force(still, 0.0, torch.zeros(1), 6 * 3600.0)
    stress, f = 1.22 / 1025 * (0.75 + 0.067 * 8) * 1e-3 * 64, 9.0e-5
    assert wind_stress(calm)[0, 0, 0].real == pytest.approx(stress, rel=1e-5)
    expected = stress / (2.2 * 8) / complex(4e-5, f)
    middle = surface.ekman[0, SMALL.ny // 2, 5].item()
    assert middle == pytest.approx(expected, rel=0.01)
    assert math.degrees(math.atan2(middle.imag, middle.real)) == pytest.approx(-66, abs=2)


def test_season():
    assert season(45.0) == pytest.approx(-1) and season(45 + 365.25 / 2) == pytest.approx(1)


@pytest.mark.parametrize("mean", [0.0, 4.0])
def test_winds_have_the_stated_strength(mean):
    """Standard deviation of each component over many independent oceans, at the equinoxes of the annual cycle."""
    physics = Physics.draw(400, 0)
    physics.wind_std.fill_(5.0)
    physics.wind_mean.fill_(mean)
    wind = Winds(Channel(nx=8, ny=8, dx=100e3), physics, torch.Generator().manual_seed(0), torch.complex128)
    wind = wind.field(45 + 365.25 / 4)
    assert wind.real.mean() == pytest.approx(mean, abs=0.7)
    assert float(wind.real.var() + wind.imag.var()) == pytest.approx(2 * 5.0**2, rel=0.1)


def test_weather_has_unit_variance_and_its_memory():
    noise = RedNoise(SMALL, 200, 60e3, 10.0, torch.Generator().manual_seed(0))
    before = noise.field().clone()
    assert float(before.var()) == pytest.approx(1, rel=0.05)
    noise.advance(5.0)
    assert float((before * noise.field()).mean()) == pytest.approx(math.exp(-0.5), rel=0.1)
    assert float(noise.field().var()) == pytest.approx(1, rel=0.05)


# --- Physics and seeds -----------------------------------------------------------------------------------------------


def test_physics_fill_their_ranges():
    physics = Physics.draw(500, 3)
    assert set(physics.as_dict()) == set(PARAMETERS)
    for name, (low, high, *_) in PARAMETERS.items():
        values = getattr(physics, name)
        if name in NEUTRAL:
            assert (values == low).all(), name
            continue
        assert low <= values.min() < low + 0.05 * (high - low), name
        assert high - 0.05 * (high - low) < values.max() <= high, name
    assert torch.corrcoef(torch.stack([physics.depth_step, physics.wind_std]))[0, 1].abs() < 0.2
    assert Physics.draw(2, 3).as_dict() == Physics.draw(2, 3).as_dict() != Physics.draw(2, 4).as_dict()


def test_old_oceans_are_drawn_as_they_always_were():
    """Parameter by parameter, all members of one at a time: wide oceans and later parameters change no old ocean."""
    physics, generator = Physics.draw(3, 2), torch.Generator().manual_seed(2)
    for name, p in list(PARAMETERS.items())[: -len(NEUTRAL)]:
        even = torch.rand(3, generator=generator, dtype=torch.float64)
        assert torch.equal(getattr(physics, name), p.low + (p.high - p.low) * even), name
    assert list(NEUTRAL) == list(PARAMETERS)[-len(NEUTRAL) :]


def test_wide_physics_fill_wider_ranges_within_limits():
    physics = Physics.draw(600, 3, wide=True)
    drawn = [{name: values[i] for name, values in physics.as_dict().items()} for i in range(600)]
    for name, p in PARAMETERS.items():
        (low, high), values = p.wide, getattr(physics, name)
        assert low <= p.low and p.high <= high and p.source, name  # no old ocean lies outside
        slack = 0.15 * (high - low)
        assert low <= values.min() < low + slack and high - slack < values.max() <= high, name
    for name, limit in LIMITS.items():
        made = [limit.of(one) for one in drawn]
        assert limit.low <= min(made) < max(made) <= limit.high and limit.source, name
    assert not within_limits(drawn[0] | {"sst_north": drawn[0]["sst_south"]})
    assert Physics.draw(2, 3, wide=True).as_dict() == Physics.draw(2, 3, wide=True).as_dict()
    assert Physics.draw(1, 3, wide=True).depth_step == physics.depth_step[0]  # whatever the number of members


def test_the_old_twin_is_among_the_wide_oceans():
    """As the card says: to a prior of wide oceans it is none of another kind."""
    assert all(p.wide[0] <= p.twin <= p.wide[1] for p in PARAMETERS.values())
    assert within_limits({name: p.twin for name, p in PARAMETERS.items()})


def test_a_deep_winter_is_slow_to_change():
    """Restoring of temperature, not of salinity, slows by the logarithm that is stated, on the coldest day."""
    rates = []
    for mixing in (0.0, 0.5):
        run = NatureRun(Physics.of(**{n: p.twin for n, p in PARAMETERS.items()} | {"winter_mixing": mixing}), 1, SMALL)
        run.surface.force(run.flow, 45.0, run.model.tensor(run.physics.jet_centre), 6 * 3600.0)
        rates.append(run.surface.rate[0, :, SMALL.ny // 2, SMALL.nx - 1])
    assert float(rates[1][0] / rates[0][0]) == pytest.approx(math.exp(-0.5), rel=1e-5)
    assert torch.equal(rates[0][1], rates[1][1])


def day_of(physics: Physics, seed: int) -> torch.Tensor:
    return NatureRun(physics, seed, channel=SMALL).advance_day()


def test_a_seed_repeats_bit_for_bit():
    physics = Physics.draw(2, 0)
    first = day_of(physics, 7)
    assert torch.isfinite(first).all() and first.shape == (2, len(FIELDS), SMALL.ny, SMALL.nx)
    assert torch.equal(first, day_of(physics, 7))
    other = day_of(physics, 8)
    assert (first - other).abs().amax((0, 2, 3)).min() > 1e-3  # every field differs


def test_members_are_oceans_of_their_own():
    """Changing one member's physics changes that member alone, and every parameter reaches the ocean."""
    physics = Physics.draw(2, 0)
    reference = day_of(physics, 7)
    assert (reference[0] - reference[1]).abs().amax((1, 2)).min() > 1e-3
    for name, p in PARAMETERS.items():
        (low, high), values = p.wide, getattr(physics, name).clone()
        values[1] = high if values[1] < (low + high) / 2 else low
        changed = day_of(Physics(**{f: getattr(physics, f) for f in PARAMETERS} | {name: values}), 7)
        assert torch.equal(changed[0], reference[0]), name
        assert not torch.equal(changed[1], reference[1]), name


def test_instability_is_told():
    run = NatureRun(Physics.draw(1, 0), 0, channel=SMALL)
    run.flow.u[:, 0] += 200.0
    with pytest.raises(FloatingPointError, match="unstable on day 1"):
        run.advance_day()


def test_a_restart_continues_bit_for_bit():
    physics = Physics.draw(2, 0)
    run, other = (NatureRun(physics, seed, channel=SMALL) for seed in (7, 8))
    run.advance_day()
    other.restore(run.state())
    for _ in range(2):
        assert torch.equal(run.advance_day(), other.advance_day())
    assert other.day == 3.0


@pytest.mark.slow
def test_precisions_agree_over_ten_days():
    """From the same state, single and double precision part by less than a hundredth of the field's variability."""
    physics = Physics.draw(1, 0)
    single, double = (NatureRun(physics, 7, dtype=dtype) for dtype in (torch.float32, torch.float64))
    for _ in range(20):  # let the jet become unstable first
        single.advance_day()
    double.restore(single.state())
    for _ in range(10):
        means = [run.advance_day().double() for run in (single, double)]
    difference = (means[0] - means[1]).square().mean((0, 2, 3)).sqrt()
    spread = means[1].sub(means[1].mean((2, 3), keepdim=True)).square().mean((0, 2, 3)).sqrt()
    assert (difference / spread).max() < 0.01
    assert (difference > 0).all()


# --- The grid of GLORYS ----------------------------------------------------------------------------------------------


def test_interpolation_is_exact_for_parabolas():
    points = torch.linspace(3, 20, 50, dtype=torch.float64)
    matrix, index = catmull_rom(points, 30), torch.arange(30).double()
    for power in range(3):
        torch.testing.assert_close(matrix @ index**power, points**power, atol=1e-10, rtol=0)
    assert torch.equal(catmull_rom(index[1:-2], 30), torch.eye(30, dtype=torch.float64)[1:-2])
    with pytest.raises(ValueError, match="beyond the field"):
        catmull_rom(points + 20, 30)


def test_map_keeps_geostrophic_balance():
    """A current in balance in the channel is in balance on the sphere, though the planetary vorticity differs."""
    channel = Channel()
    x, y = channel.x(), channel.y()[:, None]
    k, ell = 2 * math.pi / 512e3, 2 * math.pi / 640e3
    fields = torch.zeros(1, len(FIELDS), channel.ny, channel.nx, dtype=torch.float64)
    fields[0, 0] = 0.3 * torch.sin(k * x) * torch.cos(ell * y + 0.3)
    factor = 9.81 / channel.coriolis(y)
    fields[0, 3] = factor * 0.3 * ell * torch.sin(k * x) * torch.sin(ell * y + 0.3)
    fields[0, 4] = factor * 0.3 * k * torch.cos(k * x) * torch.cos(ell * y + 0.3)
    fields[0, 1] = 20.0
    mapper = GlorysGrid(channel)
    coords = {"latitude": mapper.latitude, "longitude": mapper.longitude}
    mapped = dict(zip(FIELDS, mapper(fields)[0].numpy(), strict=True))
    balanced = geostrophic_current(xr.DataArray(mapped["zos"], coords, ("latitude", "longitude")))
    for name, part in zip(("uo", "vo"), balanced, strict=True):
        # One-sided differences at the edges are left out.
        current, expected = (a[2:-2, 2:-2] for a in (mapped[name], part.values))
        assert abs(current - expected).max() < 0.003 * abs(expected).max()
        for rows in (slice(0, 30), slice(40, 70), slice(-30, None)):  # without a bias at any latitude
            gain = (current[rows] * expected[rows]).sum() / (expected[rows] ** 2).sum()
            assert gain == pytest.approx(1, abs=0.003)
    np.testing.assert_allclose(mapped["thetao"], 20.0)  # the map covers nothing but water


# --- Data sets -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def data():
    return simulate(days=2, seed=4, members=2, spin_up=1, progress=False)


def test_simulated_data_set(data):
    assert tuple(data.sizes[d] for d in ("member", "time", "latitude", "longitude")) == (2, 2, 121, 215)
    for name in FIELDS:
        assert data[name].dims == ("member", "time", "latitude", "longitude") and data[name].dtype == np.float32
        assert data[name].attrs == VARIABLES[name] and np.isfinite(data[name]).all()
    assert data["latitude"].attrs["standard_name"] == "latitude" and data["latitude"].attrs["units"] == "degrees_north"
    assert data["longitude"].attrs["units"] == "degrees_east"
    # Daily means, stamped at noon, after one day of spin-up.
    np.testing.assert_array_equal(data["time"], np.array(["2000-01-02T12", "2000-01-03T12"], "datetime64[ns]"))
    assert data.attrs["seed"] == 4 and data.attrs["Conventions"] == "CF-1.11"
    np.testing.assert_array_equal(data["physics_depth_step"], Physics.draw(2, 4).depth_step)


def test_simulated_ocean_is_plausible(data):
    """A Gulf Stream: high, warm and salty in the south, an eastward jet between."""
    south, north = data.isel(latitude=slice(0, 10)).mean(), data.isel(latitude=slice(-10, None)).mean()
    assert 0.5 < float(south["zos"] - north["zos"]) < 1.8
    assert 4 < float(south["thetao"] - north["thetao"]) < 18
    assert 0.5 < float(south["so"] - north["so"]) < 4
    assert 0.8 < float(data["uo"].max()) < 2.5 and float(data["uo"].mean()) > 0
    assert -2 < float(data["thetao"].min()) and float(data["thetao"].max()) < 32


def test_bad_simulations(refuses):
    for name, value, least in (("days", 0, 1), ("members", 0, 1), ("every", 0, 1), ("spin_up", -1, 0)):
        with refuses(name, f"at least {least}", str(value)):
            simulate(**{"days": 1, name: value}, progress=False)
    for other in ({"twin": Twin.OLD}, {"alike": True}):
        with refuses("wide", "expected neither a twin nor oceans alike"):
            Simulation(days=1, wide=True, **other)


# --- Streaming to a file ---------------------------------------------------------------------------------------------


def test_file_holds_what_memory_would(small_sea, tmp_path):
    out = tmp_path / "ocean.nc"
    simulate_to_file(out, Simulation(days=5, seed=4, members=2, every=2, spin_up=1), progress=False)
    expected = simulate(days=5, seed=4, members=2, every=2, spin_up=1, progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["ocean.nc"]
    with xr.open_dataset(out, engine="h5netcdf") as ds:
        assert ds.attrs == expected.attrs and ds.sizes == expected.sizes and ds.sizes["time"] == 3
        np.testing.assert_array_equal(ds["time"], expected["time"])
        for name in FIELDS:
            assert ds[name].attrs == VARIABLES[name] and ds[name].encoding["dtype"] == np.int16
            assert ds[name].encoding["chunksizes"][:2] == (1, 1)
            quantum = ds[name].encoding["scale_factor"]
            np.testing.assert_allclose(ds[name], expected[name], atol=0.51 * quantum, rtol=1e-6)


def test_interrupted_run_goes_on(small_sea, tmp_path, monkeypatch):
    """Killed on any day, a run that is started again gives the same file as one that never stopped."""
    simulation = Simulation(days=5, seed=4, spin_up=1)
    simulate_to_file(tmp_path / "whole.nc", simulation, progress=False)
    advance_day, days = NatureRun.advance_day, []

    def killed(run):
        days.append(run.day)
        if len(days) == 4:
            raise KeyboardInterrupt
        return advance_day(run)

    monkeypatch.setattr(NatureRun, "advance_day", killed)
    with pytest.raises(KeyboardInterrupt):
        simulate_to_file(tmp_path / "cut.nc", simulation, progress=False)
    assert not (tmp_path / "cut.nc").exists()
    simulate_to_file(tmp_path / "cut.nc", simulation, progress=False)
    assert days == [0, 1, 2, 3, 2, 3, 4, 5]  # from the last restart point on
    with (
        xr.open_dataset(tmp_path / "cut.nc", engine="h5netcdf") as cut,
        xr.open_dataset(tmp_path / "whole.nc", engine="h5netcdf") as whole,
    ):
        assert cut.identical(whole)


def test_refuses_what_would_spoil_a_file(small_sea, tmp_path, monkeypatch, refuses):
    out = tmp_path / "ocean.nc"
    simulation = Simulation(days=2, seed=4, spin_up=0)
    run, folder = simulation.run(), tmp_path / "ocean.nc.part"
    folder.mkdir()
    save_restart(run, folder, simulation)
    with refuses("ocean.nc.part", "seed = 4, not 5"):
        simulate_to_file(out, Simulation(days=2, seed=5, spin_up=0), progress=False)
    low, high, *rest = PARAMETERS["depth_step"]
    with monkeypatch.context() as patch:
        patch.setitem(PARAMETERS, "depth_step", Parameter(low + 1, high + 1, *rest))
        with refuses("ocean.nc.part", "depth_step"):
            simulate_to_file(out, simulation, progress=False)
    (folder / "restart.safetensors").write_bytes(b"broken")
    with refuses("restart.safetensors", "not a restart file"):
        simulate_to_file(out, simulation, progress=False)
    out.write_bytes(b"precious")
    with refuses("ocean.nc", "already exists"):
        simulate_to_file(out, simulation, progress=False)
    with refuses("does not exist"):
        simulate_to_file(tmp_path / "nowhere" / "ocean.nc", simulation, progress=False)
    assert out.read_bytes() == b"precious"


def test_oceans_alike_differ_by_their_weather_only(small_sea):
    run = Simulation(days=1, members=2, alike=True).run()
    for name, (low, high, *_) in PARAMETERS.items():
        assert run.physics.as_dict()[name] == pytest.approx([(low + high) / 2] * 2)
    assert not torch.equal(*run.advance_day())


@pytest.mark.parametrize("twin", [Twin.OLD, Twin.TUNING])
def test_a_file_says_which_twin_it_holds_and_how_it_is_built(small_sea, tmp_path, twin):
    out = tmp_path / "twin.nc"
    simulate_to_file(out, Simulation(days=1, seed=8, spin_up=0, twin=twin), progress=False)
    with xr.open_dataset(out, engine="h5netcdf") as ds:
        assert ds.attrs["twin"] == twin and ("structure" in ds.attrs) == (twin is Twin.TUNING)
        assert "enstrophy" in ds.attrs.get("structure", "enstrophy")
        np.testing.assert_array_equal(ds["physics_depth_step"], DESIGNS[twin].physics.depth_step)


def test_twin_is_another_ocean(refuses):
    """The old twin's physics lie outside what any old ocean can draw, its channel is finer, and it is one ocean."""
    twin = Physics.twin().as_dict()
    assert all(name in NEUTRAL or not low <= twin[name][0] <= high for name, (low, high, *_) in PARAMETERS.items())
    run = Simulation(days=1, twin=True).run()
    assert run.channel.dx < Channel().dx and run.physics.as_dict() == twin
    with refuses("twin", "members = 1", "2"):
        Simulation(days=1, members=2, twin=True)
