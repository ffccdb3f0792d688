"""The simulated ocean begun anew from a surface: in balance, and with the surface that it was given."""

import numpy as np
import pytest
import torch
import xarray as xr

from genda_lite.cycle.nature import NatureForecast, places, reference_level
from genda_lite.nature.dynamics import Channel
from genda_lite.nature.grid import GlorysGrid
from genda_lite.nature.physics import Physics
from genda_lite.nature.run import FIELDS, NatureRun
from genda_lite.prepare.decompose import to_state
from genda_lite.state import CHANNELS, Grid

COARSE = Channel(nx=128, ny=84, dx=16e3, dt=2700.0)
TIME = np.datetime64("2000-07-01T12:00", "s")
BOX = slice(10, 110), slice(20, 180)  # of the map's rows and columns


@pytest.fixture(scope="module")
def sea(standardizer):
    """A run whose jet has begun to meander, its surface of two dates, two days apart, and the box that is known."""
    run = NatureRun(Physics.middle(1), 3, COARSE)
    for _ in range(12):
        run.advance_day()
    run.day = float((TIME - np.datetime64("2000-01-01", "s")) / np.timedelta64(1, "D")) - 0.5
    whole = GlorysGrid(COARSE)
    grid = Grid(whole.latitude[BOX[0]], whole.longitude[BOX[1]])
    found = []
    for day in range(3):
        data = whole(run.advance_day()).double().numpy()[0]
        dims = ("time", "latitude", "longitude")
        time = TIME + np.timedelta64(day, "D")
        coords = {"latitude": whole.latitude, "longitude": whole.longitude, "time": [time]}
        ds = xr.Dataset({name: (dims, data[None, k]) for k, name in enumerate(FIELDS)}, coords)
        state = to_state(ds, standardizer.ekman_at(whole.latitude)).isel(time=0, latitude=BOX[0], longitude=BOX[1])
        found.append(standardizer.to_tensor(state, time))
    return run, torch.stack(found), grid


def test_the_channel_lies_where_the_map_says():
    """A field of the channel that is linear in latitude and longitude is so on the map."""
    latitude, longitude = map(torch.from_numpy, places(COARSE))
    field = (latitude[:, None] + 0.1 * longitude).expand(1, len(FIELDS), -1, -1)
    whole = GlorysGrid(COARSE)
    found = whole(field.double())[0, 0].numpy()
    expected = whole.latitude[:, None] + 0.1 * whole.longitude
    np.testing.assert_allclose(found, expected, atol=2e-4)


def test_the_reference_jet_is_in_balance():
    run = NatureRun(Physics.middle(1), 0, COARSE)
    level, dx = reference_level(run)[0, :, 0], COARSE.dx
    slope = (level[2:] - level[:-2]) / (2 * dx)
    flow = -run.model.f_centres[1:-1, 0] * run.u_ref[0, 0, 1:-1, 0] / 9.81
    assert float((slope - flow).abs().max()) < 0.2 * float(flow.abs().max())  # differences across a jet two cells wide


def test_a_restart_has_the_surface_that_it_was_given_and_stays_in_balance(sea, standardizer):
    """Well inside the box: sea level at once, and six hours later, when the model has diagnosed it itself; temperature
    as given; the lower layer as the jet's."""
    _, states, grid = sea
    run = NatureForecast(grid, standardizer, channel=COARSE).restarted(states[:1], TIME)
    whole = GlorysGrid(COARSE)
    inner = slice(25, 95), slice(45, 155)

    def level(flow):
        return whole(flow.sea_level.double()[:, None].expand(-1, 7, -1, -1))[0, 0][inner]

    given = standardizer.to_dataset(states[:1], grid, TIME)["zos"].isel(
        member=0, latitude=slice(15, 85), longitude=slice(25, 135)
    )
    given = torch.from_numpy(given.values).double()
    spread = float((given - given.mean(1, keepdim=True)).std())
    assert float((level(run.flow) - given).std()) < 0.15 * spread
    run.advance_day(0.25)
    assert float((level(run.flow) - given).std()) < 0.35 * spread
    warm = whole(run.surface.tracers[:, :1].double().expand(-1, 7, -1, -1))[0, 0][inner]
    expected = standardizer.to_dataset(states[:1], grid, TIME)["thetao"].isel(
        member=0, latitude=slice(15, 85), longitude=slice(25, 135)
    )
    assert float(np.sqrt(np.mean((warm.numpy() - expected.values) ** 2))) < 0.15 * float(expected.std())


def test_forecasts_are_of_the_days_asked_for(sea, standardizer):
    _, states, grid = sea
    forecast = NatureForecast(grid, standardizer, channel=COARSE)
    found = forecast(states[:1].expand(2, -1, -1, -1), TIME, [1])
    assert found.shape == (1, 2, len(CHANNELS), *grid.shape) and torch.isfinite(found).all()
    torch.testing.assert_close(found, forecast(states[:1].expand(2, -1, -1, -1), TIME, [1]))
    inner = found[0, :, :2, 15:85, 25:135]
    change = (inner - states[0, :2, 15:85, 25:135]).square().mean().sqrt()
    assert change < 0.5 * states[0, :2, 15:85, 25:135].std()


def test_boxes_elsewhere_and_other_physics_are_refused(sea, standardizer, refuses):
    with refuses("expected a part of the simulated ocean's"):
        NatureForecast(Grid.around(-40.0, 38.0, (20, 20)), standardizer, channel=COARSE)
    _, states, grid = sea
    with refuses("physics of 3 oceans for 2 members"):
        NatureForecast(grid, standardizer, Physics.middle(3), channel=COARSE)(states[:2], TIME, [1])
    with refuses("expected the forecast's own"):
        NatureForecast(grid, standardizer, channel=COARSE)(states[:, :, :-1], TIME, [1])
