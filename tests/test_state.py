"""The state: the way between physical and standardized units loses nothing, and files keep what they promise."""

import cmocean
import numpy as np
import pytest
import torch
import xarray as xr

from genda_lite.files import write_dataset
from genda_lite.ocean.currents import coriolis
from genda_lite.state import (
    CHANNELS,
    INPUTS,
    OCEAN,
    QUANTUM,
    SURFACE,
    TABLE,
    VARIABLES,
    Grid,
    Standardizer,
    StateVector,
    channel_index,
    channels,
    harmonics,
    in_degrees,
)

WINTER, SUMMER, UNKNOWN = np.datetime64("2000-01-01"), np.datetime64("2000-07-01"), np.datetime64("NaT")


# --- Standardizer ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("time", [WINTER, SUMMER, UNKNOWN])
def test_standardizing_and_back(standardizer, grid, time):
    members = torch.randn(3, len(CHANNELS), *grid.shape, generator=torch.Generator().manual_seed(0))
    ds = standardizer.to_dataset(members, grid, time)
    for m in range(3):
        back = standardizer.to_tensor(ds.isel(member=m), time)
        torch.testing.assert_close(back, members[m], atol=1e-4, rtol=0)


def test_physical_units(standardizer, grid):
    """Two standard deviations above the climatology, by hand: 18 degC at 38 N, -1.2 degC a degree, -4 in January."""
    ds = standardizer.to_dataset(torch.full((1, len(CHANNELS), *grid.shape), 2.0), grid, WINTER)
    expected = 18 - 1.2 * (ds["latitude"] - 38) - 4 + 2 * 2.5
    np.testing.assert_allclose(ds["thetao"].isel(member=0, longitude=3), expected, atol=1e-4)
    assert ds["thetao"].attrs == VARIABLES["thetao"] and ds["thetao"].dims == ("member", "latitude", "longitude")
    assert ds["time"].values == WINTER
    assert "time" not in standardizer.to_dataset(torch.zeros(1, len(CHANNELS), *grid.shape), grid, UNKNOWN)


def test_dims_in_any_order(standardizer, grid):
    members = torch.randn(1, len(CHANNELS), *grid.shape, generator=torch.Generator().manual_seed(1))
    frame = standardizer.to_dataset(members, grid, WINTER).isel(member=0)
    turned = standardizer.to_tensor(frame.transpose("longitude", "latitude"))
    assert torch.equal(turned, standardizer.to_tensor(frame))


def test_climatology_follows_latitude_and_season():
    latitude = np.array([30.0, 40.0])
    coefficients = np.zeros((3, len(CHANNELS), 2))
    coefficients[:, 1] = [[20.0, 10.0], [-5.0, -7.0], [1.0, 3.0]]
    s = Standardizer(latitude, coefficients, np.ones(len(CHANNELS)), np.zeros(2, complex))
    np.testing.assert_allclose(s.climatology([30, 35, 40], WINTER)[1], [15, 9, 3])
    np.testing.assert_allclose(s.climatology([30, 35, 40], UNKNOWN)[1], [20, 15, 10])
    quarter = np.datetime64("2000-01-01") + np.timedelta64(round(365.25 / 4 * 86400), "s")
    np.testing.assert_allclose(s.climatology([30, 40], quarter)[1], [21, 13], atol=1e-4)
    # Beyond its latitudes the climatology is continued, not extrapolated.
    np.testing.assert_allclose(s.climatology([-10, 70], WINTER), s.climatology([30, 40], WINTER))


def test_climatology_of_one_time_each(standardizer):
    latitude, time = np.array([34.0, 37.5, 41.0]), np.array([WINTER, SUMMER, UNKNOWN])
    together = standardizer.climatology(latitude, time)
    for i in range(3):
        np.testing.assert_allclose(together[:, i], standardizer.climatology(latitude[i : i + 1], time[i])[:, 0])


def test_annual_mean_where_the_time_is_unknown():
    np.testing.assert_array_equal(harmonics(UNKNOWN), [1, 0, 0])
    np.testing.assert_allclose(harmonics(np.array([WINTER, UNKNOWN])), [[1, 1, 0], [1, 0, 0]])


def test_coriolis():
    assert coriolis(30.0) == pytest.approx(7.2921e-5)
    assert coriolis(-30.0) == pytest.approx(-7.2921e-5)


def test_unknown_channel(refuses):
    assert CHANNELS[channel_index("so")] == "so"
    with refuses("salinity", "thetao"):
        channel_index("salinity")


# --- Grid ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(16, 16), (15, 20), (64, 64)])
def test_grid_around_a_point(shape):
    grid = Grid.around(-59.97, 38.06, shape)
    assert grid.shape == shape
    for values, centre in ((grid.latitude, 38.06), (grid.longitude, -59.97)):
        np.testing.assert_allclose(values * 12, np.round(values * 12), atol=1e-9)
        np.testing.assert_allclose(np.diff(values), 1 / 12)
        assert abs(values.mean() - centre) <= 1 / 24 + 1e-9


def test_grid_holds_its_edges():
    grid = Grid(np.linspace(30, 40, 11), np.linspace(-70, -60, 11))
    latitude = np.array([30, 40, 35, 29.9, 40.1, 35, 35])
    longitude = np.array([-70, -60, -65, -65, -65, -70.1, -59.9])
    assert grid.holds(latitude, longitude).tolist() == [True] * 3 + [False] * 4


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ([3.0, 2.0, 1.0], "ascending"),
        ([1.0, 1.0, 2.0], "ascending"),
        ([1.0], "at least two"),
        ([[1.0, 2.0], [2.0, 3.0]], "1-D"),
        ([1.0, np.nan, 3.0], "numbers"),
        ([1.0, 2.0, 4.0], "evenly spaced"),
    ],
    ids=["descending", "repeated", "single", "2-D", "missing", "uneven"],
)
def test_bad_grid(values, word, refuses):
    good = np.array([1.0, 2.0, 3.0])
    with refuses("grid latitude", word):
        Grid(np.array(values), good)
    with refuses("grid longitude", word):
        Grid(good, np.array(values))


# --- Files -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def surface(grid) -> xr.Dataset:
    """Every variable with one missing value, and one that is not packed."""
    rng = np.random.default_rng(0)
    ds = xr.Dataset(coords={"latitude": grid.latitude, "longitude": grid.longitude})
    for name, attrs in VARIABLES.items():
        values = rng.normal(10, 1, grid.shape)
        values[2, 3] = np.nan
        ds[name] = (("latitude", "longitude"), values, attrs)
    ds["spread"] = (("latitude", "longitude"), rng.normal(size=grid.shape))
    return ds


def test_file_keeps_half_a_quantum(surface, tmp_path):
    # A range too wide for 16 bits at the usual quantum must be packed more coarsely, not wrapped around.
    surface["thetao"][0, :2] = [-500.0, 500.0]
    write_dataset(surface, tmp_path / "surface.nc")
    with xr.open_dataset(tmp_path / "surface.nc", engine="h5netcdf") as back:
        for name in VARIABLES:
            quantum = 500 / 32000 if name == "thetao" else QUANTUM[name]
            assert abs(back[name] - surface[name]).max() <= quantum / 2 * (1 + 1e-6), name
            np.testing.assert_array_equal(back[name].isnull(), surface[name].isnull())
            assert back[name].attrs == VARIABLES[name]
        np.testing.assert_array_equal(back["spread"], surface["spread"])
        np.testing.assert_array_equal(back["latitude"], surface["latitude"])
        assert back["zos"].encoding["dtype"] == np.int16


def test_constant_field_in_a_file(surface, tmp_path):
    surface["zos"][:] = 0.3
    write_dataset(surface, tmp_path / "surface.nc")
    with xr.open_dataset(tmp_path / "surface.nc", engine="h5netcdf") as back:
        np.testing.assert_allclose(back["zos"], 0.3, atol=1e-6)


def test_failed_write_leaves_nothing(surface, tmp_path):
    path = tmp_path / "surface.nc"
    surface.attrs["unwritable"] = {"a": "dictionary"}
    with pytest.raises(TypeError):
        write_dataset(surface, path)
    assert list(tmp_path.iterdir()) == []
    path.write_text("an older file")
    with pytest.raises(TypeError):
        write_dataset(surface, path)
    assert [p.name for p in tmp_path.iterdir()] == ["surface.nc"] and path.read_text() == "an older file"


def test_write_to_a_missing_folder(surface, tmp_path, refuses):
    with refuses("surface.nc", "does not exist"):
        write_dataset(surface, tmp_path / "nowhere" / "surface.nc")


def test_every_channel_says_all_that_is_needed_of_it():
    for name, channel in TABLE.items():
        low, high = channel.plausible
        assert name == channel.name and low < high and 0 < channel.quantum < high and channel.label
        assert channel.role in ("ocean", "residual", "wind", "current")
        assert hasattr(cmocean.cm, channel.colours) and channel.units == VARIABLES[name]["units"]
    assert set(CHANNELS) == {name for name in TABLE if TABLE[name].role != "current"}
    assert {*OCEAN} < {*CHANNELS} and {*SURFACE} < {*OCEAN} and not {*INPUTS} & {*channels("residual")}


def test_a_state_of_today_is_all_channels():
    state = StateVector.today()
    assert state.channels == state.of_date == CHANNELS and set(state.lags) == {0.0} and len(state) == len(CHANNELS)
    assert [state.index(name) for name in CHANNELS] == list(range(len(CHANNELS)))
    assert state.places("so", "uo", "zos") == [CHANNELS.index("so"), CHANNELS.index("zos")]


def test_a_state_of_several_days_knows_what_is_where():
    state = StateVector(("zos", "thetao", "zos", "zos"), (0, 0, -2, 2.5))
    assert state.index("zos", 2.5) == 3 and state.index("thetao") == 1 and state.of_date == ("zos", "thetao")


def test_what_is_no_state_is_refused(refuses):
    with refuses("'tide'", "zos"):
        StateVector(("zos", "tide"))
    with refuses("2 channels", "1 lags"):
        StateVector(("zos", "so"), (0.0,))
    with refuses("twice"):
        StateVector(("zos", "zos"))
    with refuses("at least one"):
        StateVector(())
    for lags in ((np.nan,), (np.inf,), ("a",), 3.0, (None,)):
        with refuses("lags", "days for each"):
            StateVector(("zos",), lags)
    assert StateVector(np.array(["zos", "so"])).channels == ("zos", "so")
    with refuses("channel 'tide' is"):
        StateVector.today().index(np.str_("tide"))
    with refuses("'zos' 3 days after the date", "('zos', -2.0)"):
        StateVector(("zos", "zos"), (0.0, -2.0)).index("zos", 3.0)
    with refuses("'so'", "zos"):
        StateVector(("zos",)).index("so")


def test_the_climatology_of_a_state_is_that_of_each_entrys_day(standardizer):
    state, latitude = StateVector(("thetao", "zos", "thetao"), (0.0, 0.0, -60.0)), np.array([35.0, 40.0])
    now, before = (standardizer.climatology(latitude, np.datetime64(day)) for day in ("2017-03-02", "2017-01-01"))
    found = standardizer.climatology_of(state, latitude, np.datetime64("2017-03-02"))
    place = {name: CHANNELS.index(name) for name in ("zos", "thetao")}
    np.testing.assert_array_equal(found, [now[place["thetao"]], now[place["zos"]], before[place["thetao"]]])
    places = [place["thetao"], place["zos"], place["thetao"]]
    np.testing.assert_array_equal(standardizer.scale_of(state), standardizer.scale[places])


def test_members_of_several_days_become_fields_of_the_date(standardizer, grid):
    state = StateVector(("zos", "so", "zos"), (-3.0, 0.0, 0.0))
    members = torch.randn(2, 3, *grid.shape, generator=torch.Generator().manual_seed(0))
    date = np.datetime64("2017-03-02", "ns")
    found = standardizer.to_dataset(members, grid, date, state)
    everything = torch.zeros(2, len(CHANNELS), *grid.shape)
    everything[:, CHANNELS.index("so")], everything[:, CHANNELS.index("zos")] = members[:, 1], members[:, 2]
    xr.testing.assert_identical(found, standardizer.to_dataset(everything, grid, date)[["so", "zos"]])


def test_a_box_is_written_as_maps_are():
    assert in_degrees((33.0, 43.0), (-72.0, -54.1666)) == "33..43 N, 72..54.17 W"
    assert in_degrees((-45.0, -35.5), (20.0, 30.0)) == "45..35.5 S, 20..30 E"
    assert in_degrees((-5.0, 5.0), (-10.0, 350.0)) == "-5..5 N, -10..350 E"
