"""From products to the state: currents of analytic seas, a planted Ekman response, and sums that close; the same in
memory, in blocks of days, and on a cluster."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from genda_lite.prepare import (
    ageostrophic_current,
    ekman_response,
    fit_ekman,
    fit_standardizer,
    geostrophic_current,
    prepare,
    smooth,
    stored_response,
    stored_standardizer,
    to_state,
    total_current,
    wind_stress,
    write_state,
)
from genda_lite.sources import open_product, read_sea_level_map
from genda_lite.state import CHANNELS, INPUTS, VARIABLES, Standardizer, harmonics

DUACS = Path(__file__).parents[2] / "shared" / "real" / "nrt_global_allsat_phy_l4_20190223_20190226.nc"

LATITUDE = 36 + np.arange(48) / 12
LONGITUDE = -60 + np.arange(40) / 12
METRES = 111194.9  # a degree of latitude on a sphere of 6371 km


def sea(function, latitude=LATITUDE, longitude=LONGITUDE) -> xr.DataArray:
    lat, lon = np.meshgrid(latitude, longitude, indexing="ij")
    coords = {"latitude": latitude, "longitude": longitude}
    return xr.DataArray(function(lat, lon), coords, ("latitude", "longitude"), attrs={"units": "m"})


def ocean(times: int = 12, seed: int = 0) -> xr.Dataset:
    """Weeks of a random sea over two years, with a seasonal cycle in temperature."""
    rng = np.random.default_rng(seed)
    latitude, longitude = 36 + np.arange(14) / 12, -60 + np.arange(16) / 12
    time = np.datetime64("2001-01-10", "ns") + np.arange(times) * np.timedelta64(61, "D")
    ds = xr.Dataset(coords={"time": time, "latitude": latitude, "longitude": longitude})
    scales = {"zos": 0.2, "thetao": 2.0, "so": 0.4, "uo": 0.5, "vo": 0.5, "uas": 6.0, "vas": 6.0}
    for name in INPUTS:
        values = scales.get(name, 1.0) * rng.normal(size=(times, 14, 16))
        ds[name] = (("time", "latitude", "longitude"), values, VARIABLES[name])
    ds["thetao"] += 15 + 5 * np.cos(2 * np.pi * (ds["time"].dt.dayofyear - 1) / 365.25) - (ds["latitude"] - 36)
    return ds


# --- Geostrophy ------------------------------------------------------------------------------------------------------


def test_zonal_front():
    """High water in the south of a northern ocean drives an eastward jet, of strength g A / (f w)."""
    u, v = geostrophic_current(sea(lambda lat, lon: -0.5 * np.tanh((lat - 38) / 1.0)))
    f = 2 * 7.2921e-5 * np.sin(np.radians(LATITUDE))
    expected = 9.81 / f * 0.5 / METRES / np.cosh(LATITUDE - 38) ** 2
    assert expected.max() > 0.4
    np.testing.assert_allclose(u[1:-1].mean("longitude"), expected[1:-1], rtol=0.01)
    np.testing.assert_allclose(v, 0, atol=1e-12)
    assert u.dims == ("latitude", "longitude") and u.attrs["units"] == "m s-1"


def test_meridional_front():
    """Sea level rising eastward drives a northward current; a degree of longitude shrinks with latitude."""
    u, v = geostrophic_current(sea(lambda lat, lon: 0.3 * lon))
    f = 2 * 7.2921e-5 * np.sin(np.radians(LATITUDE))
    expected = 9.81 / f * 0.3 / (METRES * np.cos(np.radians(LATITUDE)))
    np.testing.assert_allclose(v, np.broadcast_to(expected[:, None], v.shape), rtol=1e-5)
    np.testing.assert_allclose(u, 0, atol=1e-12)


def test_southern_hemisphere_turns_the_other_way():
    def slope(lat, lon):
        return 0.1 * lat + 0.2 * lon

    north, south = (geostrophic_current(sea(slope, latitude)) for latitude in (LATITUDE, -LATITUDE[::-1]))
    for a, b in zip(north, south, strict=True):
        np.testing.assert_allclose(b.values[::-1], -a.values, rtol=1e-6)


def test_no_balance_at_the_equator():
    latitude = np.arange(-8.0, 8.1, 0.5)
    for part in geostrophic_current(sea(lambda lat, lon: 0.1 * lat + 0.2 * lon, latitude)):
        np.testing.assert_array_equal(np.isnan(part).all("longitude"), abs(latitude) < 5)
        np.testing.assert_array_equal(np.isnan(part).any("longitude"), abs(latitude) < 5)
        np.testing.assert_array_equal(np.isnan(smooth(part)), np.isnan(part))


def test_currents_reach_the_coast():
    """A slope is known to the last cell at sea, of which land makes a one-sided difference; land stays without."""
    slope = sea(lambda lat, lon: 0.1 * lat + 0.2 * lon)
    land = (slope.longitude > -58.5) & (slope.latitude < 38)
    whole, coastal = geostrophic_current(slope), geostrophic_current(slope.where(~land))
    for a, b in zip(whole, coastal, strict=True):
        np.testing.assert_array_equal(b.isnull(), land.broadcast_like(b))
        np.testing.assert_allclose(b, a.where(~land), rtol=1e-9)


def test_smoothing_averages_the_sea_alone():
    rng = np.random.default_rng(0)
    land = sea(lambda lat, lon: rng.random(lat.shape)) < 0.3
    np.testing.assert_allclose(smooth(sea(lambda lat, lon: 0 * lat + 2.5).where(~land)), xr.where(land, np.nan, 2.5))
    # One point against the definition, the Gaussian truncated at four standard deviations.
    field = sea(lambda lat, lon: rng.normal(size=lat.shape)).where(~land)
    j, i = next((j, i) for j in range(20, 30) for i in range(15, 25) if not land[j, i])
    window = field[j - 6 : j + 7, i - 6 : i + 7].values
    offset = np.arange(-6, 7)
    weight = np.exp(-(offset[:, None] ** 2 + offset**2) / (2 * 1.5**2)) * np.isfinite(window)
    assert smooth(field)[j, i] == pytest.approx(np.nansum(weight * window) / weight.sum())


@pytest.mark.skipif(not DUACS.exists(), reason=f"the real products are not at {DUACS.parent}")
@pytest.mark.parametrize(
    ("box", "least"),
    [
        ({}, 0.99),
        ({"latitude": slice(25, 45), "longitude": slice(-70, -40)}, 0.99),
        ({"latitude": slice(33, 43), "longitude": slice(-65, -55)}, 0.995),
    ],
)
def test_real_geostrophic_currents(box, least):
    """Currents from a DUACS map against its own, over the globe outside 5 degrees, and in two boxes."""
    day = read_sea_level_map(DUACS)
    for ours, theirs in zip(geostrophic_current(day["zos"]), (day["ugos"], day["vgos"]), strict=True):
        ours, theirs = ours.sel(box), theirs.sel(box)
        known = (ours.notnull() & theirs.notnull()).values
        assert known.sum() > 0.99 * (theirs.notnull() & (abs(theirs.latitude) > 5)).sum() > 1000
        assert np.corrcoef(ours.values[known], theirs.values[known])[0, 1] > least


def test_smoothing_is_the_stated_gaussian():
    impulse = sea(lambda lat, lon: 0.0 * lat)
    impulse[24, 20] = 1.0
    blurred = smooth(impulse, 2.0)
    offset = np.arange(-3, 4)
    profile = blurred[24, 17:24] / blurred[24, 20]
    np.testing.assert_allclose(profile, np.exp(-(offset**2) / 8), rtol=1e-6)
    assert float(blurred.sum()) == pytest.approx(1.0)
    np.testing.assert_allclose(blurred[21:28, 20], blurred[24, 17:24])


# --- Ekman response and the residual ---------------------------------------------------------------------------------


def test_planted_ekman_response_is_found():
    ds = ocean()
    planted = np.linspace(200, 150, 14) * np.exp(-1j * np.linspace(0.5, 1.2, 14))
    drift = planted[:, None] * wind_stress(ds["uas"].values + 1j * ds["vas"].values)
    u, v = geostrophic_current(ds["zos"])
    # A steady current that the wind does not explain must not bias the response.
    ds["uo"], ds["vo"] = smooth(u) + drift.real + 0.3, smooth(v) + drift.imag - 0.2
    np.testing.assert_allclose(ageostrophic_current(ds), drift + 0.3 - 0.2j, atol=1e-12)
    np.testing.assert_allclose(fit_ekman([ds]), planted, rtol=1e-10)
    np.testing.assert_allclose(fit_ekman([ds.isel(time=slice(5)), ds.isel(time=slice(5, 12))]), planted, rtol=1e-10)


def planted_point_by_point(ds: xr.Dataset, seed: int = 5) -> xr.DataArray:
    """Give a sea currents in which each point answers the wind in its own way; returns the responses."""
    rng = np.random.default_rng(seed)
    shape = ds.sizes["latitude"], ds.sizes["longitude"]
    planted = rng.uniform(100, 200, shape) * np.exp(-1j * rng.uniform(0.5, 1.2, shape))
    u, v = geostrophic_current(ds["zos"])
    drift = planted * wind_stress(ds["uas"] + 1j * ds["vas"])
    ds["uo"], ds["vo"] = smooth(u) + drift.real + 0.3, smooth(v) + drift.imag - 0.2
    return xr.DataArray(planted, dims=("latitude", "longitude"))


def test_each_point_has_its_response():
    ds = ocean(30)
    planted = planted_point_by_point(ds)
    response = ekman_response(ds)
    assert response.dims == ("latitude", "longitude") and response.attrs["units"] == "s m-1"
    np.testing.assert_allclose(response, planted, rtol=1e-10)
    # That of a latitude is the regression over all of its points, not the mean of their responses.
    current, stress = ageostrophic_current(ds).values, wind_stress(ds["uas"] + 1j * ds["vas"]).values
    current, stress = current - current.mean(0), stress - stress.mean(0)
    for row in (0, 9):
        x, y = stress[:, row].reshape(-1, 1), current[:, row].ravel()
        assert fit_ekman([ds])[row] == pytest.approx(np.linalg.lstsq(x, y, rcond=None)[0][0])


def test_land_and_gaps_are_left_out_of_the_response():
    ds = ocean(30)
    planted = planted_point_by_point(ds)
    land = (ds.longitude < -59.7) & (ds.latitude < 36.4)
    gap = xr.DataArray(np.arange(30) == 7, dims="time")
    response = ekman_response(ds.assign(uo=ds["uo"].where(~land & ~gap), uas=ds["uas"].where(~gap)))
    np.testing.assert_allclose(response, planted.where(~land), rtol=1e-10)


def test_wind_stress_along_the_wind():
    stress = wind_stress(np.array([10.0, -10.0j]))
    assert stress[0] == pytest.approx(1.22 / 1025 * 1.42e-3 * 100)
    assert stress[1] == pytest.approx(-1j * stress[0])


def test_currents_close():
    """The parts of the current add up to what they were made from."""
    ds = ocean()
    ekman = fit_ekman([ds])
    standardizer = Standardizer(ds["latitude"].values, np.zeros((3, len(CHANNELS), 14)), np.ones(len(CHANNELS)), ekman)
    state = to_state(ds, ekman)
    assert tuple(state.data_vars) == CHANNELS and "uo" not in state
    closed = total_current(state, standardizer)
    for name in ("uo", "vo"):
        np.testing.assert_allclose(closed[name], ds[name], atol=1e-5)
        assert closed[name].dims == ds[name].dims and closed[name].attrs == VARIABLES[name]


def test_currents_close_with_a_response_of_each_point():
    ds = ocean()
    state, standardizer = prepare(ds, ekman="point")
    closed = total_current(state, stored_response(state))
    for name in ("uo", "vo"):
        np.testing.assert_allclose(closed[name], ds[name], atol=1e-5)
    np.testing.assert_allclose(stored_response(state), ekman_response(ds))
    np.testing.assert_allclose(standardizer.ekman, fit_ekman([ds]))
    # The scale is that of the residual actually kept.
    residual = state["u_ageo_eddy"] - state["u_ageo_eddy"].mean(("time", "longitude"))
    assert standardizer.scale[3] == pytest.approx(float(residual.std()), rel=1e-6)


def test_response_of_another_grid(refuses):
    ds = ocean()
    response = ekman_response(ds)
    with refuses("Ekman response", "another grid", "(14, 16)"):
        to_state(ds, response[:5])
    with refuses("Ekman response", "another grid"):
        to_state(ds, response.assign_coords(latitude=response.latitude + 1))
    with refuses("ekman", "'latitude', 'point'"):
        prepare(ds, ekman="row")


# --- One pass of sums against the definitions ------------------------------------------------------------------------


def with_land(ds: xr.Dataset) -> xr.Dataset:
    """Land in a corner, in every variable; the southernmost row is land altogether."""
    land = (ds.latitude < 36.05) | ((ds.longitude < -59.5) & (ds.latitude < 36.5))
    return ds.where(~land)


@pytest.mark.parametrize("change", [lambda ds: ds, with_land], ids=["sea", "land"])
@pytest.mark.parametrize("ekman", ["latitude", "point"])
def test_climatology_is_the_least_squares_fit(change, ekman):
    """Coefficients and scales from sums in one pass equal those fitted to the state, latitude by latitude."""
    ds = change(ocean(24))
    state, standardizer = prepare(ds, ekman=ekman)
    basis = harmonics(ds["time"].values)
    for c, name in enumerate(CHANNELS):
        k = 3 if name in ("thetao", "so", "uas", "vas") else 1
        squares = []
        for row in range(1, 14):
            values = state[name].values[:, row].astype(float)
            known = np.isfinite(values)
            when = np.broadcast_to(np.arange(24)[:, None], values.shape)[known]
            fitted = np.linalg.lstsq(basis[when, :k], values[known], rcond=None)[0]
            np.testing.assert_allclose(standardizer.harmonics[:k, c, row], fitted, rtol=1e-4, atol=1e-5)
            squares.append((values[known] - basis[when, :k] @ fitted) ** 2)
        if change is with_land:  # the row without sea continues its neighbour
            np.testing.assert_array_equal(standardizer.harmonics[:, c, 0], standardizer.harmonics[:, c, 1])
            assert standardizer.scale[c] == pytest.approx(np.sqrt(np.concatenate(squares).mean()), rel=1e-5)
    assert np.isfinite(standardizer.ekman).all()


def test_what_has_no_climatology_is_told(refuses):
    ds = ocean()
    with refuses("wind that varies", "equator"):
        prepare(ds.assign(uas=0 * ds["uas"], vas=0 * ds["vas"]))
    with refuses("wind that varies", "equator"):
        prepare(ds.assign_coords(latitude=ds["latitude"] - 36))
    with refuses("so has no valid value"):
        prepare(ds.assign(so=np.nan * ds["so"]))
    with refuses("so does not vary"):
        prepare(ds.assign(so=0 * ds["so"] + 35))
    with refuses("latitude", "ascending"):
        prepare(ds.sortby("latitude", ascending=False))


# --- Lazily ----------------------------------------------------------------------------------------------------------


class Computed:
    """A dask scheduler that counts how often something is computed."""

    def __init__(self):
        self.times = 0

    def __call__(self, graph, keys, **options):
        import dask.threaded

        self.times += 1
        return dask.threaded.get(graph, keys, **options)


@pytest.fixture
def computed():
    dask = pytest.importorskip("dask")
    counter = Computed()
    with dask.config.set(scheduler=counter):
        yield counter


def in_chunks(ds: xr.Dataset, days: int = 5) -> xr.Dataset:
    return ds.astype("f4").chunk(time=days, latitude=7, longitude=9)


def test_lazy_in_lazy_out(computed):
    ds = ocean(12)
    lazy, response = in_chunks(ds), fit_ekman([ds])
    memory = to_state(ds.astype("f4"), response)
    outputs = [
        (geostrophic_current(lazy["zos"])[1], geostrophic_current(ds["zos"])[1]),
        (smooth(lazy["uo"]), smooth(ds["uo"])),
        (ageostrophic_current(lazy), ageostrophic_current(ds)),
        (to_state(lazy, response)["v_ageo_eddy"], memory["v_ageo_eddy"]),
        (total_current(in_chunks(memory), response)["uo"], ds["uo"]),
    ]
    assert computed.times == 0
    for one, other in outputs:
        assert one.chunks and not other.chunks and one.dims == other.dims
        assert one.chunksizes["time"] == (5, 5, 2)
        np.testing.assert_allclose(one, other, atol=2e-6)


def test_two_passes(computed, tmp_path):
    """All that is fitted takes one computation, and writing another."""
    ds = with_land(ocean(24))
    expected, fitted = prepare(ds)
    state, standardizer = prepare(in_chunks(ds))
    assert computed.times == 1 and state["zos"].chunks
    for name in ("harmonics", "scale", "ekman"):
        np.testing.assert_allclose(getattr(standardizer, name), getattr(fitted, name), rtol=2e-5, atol=2e-6)
    write_state(state, standardizer, tmp_path / "state.nc")
    assert computed.times == 2
    with open_product(tmp_path / "state.nc") as back:
        for name in CHANNELS:
            np.testing.assert_allclose(back[name], expected[name], atol=2e-5)
            assert back[name].dtype == np.float32 and back[name].attrs == VARIABLES[name]


def test_members_in_blocks(computed):
    ds = xr.concat([ocean(seed=2), ocean(seed=3)], "member")
    _, expected = prepare(ds)
    state, standardizer = prepare(in_chunks(ds).chunk(member=1))
    assert state["u_ageo_eddy"].dims == ("member", "time", "latitude", "longitude")
    np.testing.assert_allclose(standardizer.scale, expected.scale, rtol=1e-5)
    np.testing.assert_allclose(standardizer.scale, fit_standardizer([ocean(seed=2), ocean(seed=3)]).scale, rtol=1e-5)


def test_without_dask():
    """The base installation has no dask: arrays in memory are prepared all the same."""
    program = (
        "import sys; sys.modules.update(dict.fromkeys(['dask', 'dask.array', 'distributed', 'zarr']));"
        "sys.path.insert(0, 'tests'); import test_prepare as t, numpy as np;"
        "state, s = t.prepare(t.ocean()); closed = t.total_current(state, s);"
        "np.testing.assert_allclose(closed['uo'], t.ocean()['uo'], atol=1e-5);"
        "from genda_lite.prepare.frames import training_set; training_set(t.ocean(), s).frames[0]"
    )
    root = Path(__file__).parents[1]
    run = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr


# --- States in files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["state.nc", "state.zarr"])
def test_state_and_climatology_in_a_file(name, tmp_path):
    if name.endswith(".zarr"):
        pytest.importorskip("zarr")
    ds = ocean()
    state, standardizer = prepare(ds)
    for _ in range(2):  # the second replaces the first
        write_state(state, standardizer, tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    with open_product(tmp_path / name) as back:
        stored = stored_standardizer(back)
        for part in ("latitude", "harmonics", "scale", "ekman"):
            np.testing.assert_array_equal(getattr(stored, part), getattr(standardizer, part))
        for channel in CHANNELS:
            np.testing.assert_array_equal(back[channel], state[channel])
        np.testing.assert_allclose(total_current(back.load(), stored_response(back))["uo"], ds["uo"], atol=1e-5)


def test_a_state_is_written_whole_or_not_at_all(tmp_path, refuses):
    pytest.importorskip("zarr")
    dask_array = pytest.importorskip("dask.array")
    state, standardizer = prepare(ocean())
    broken = state.copy()

    def fail(block):
        raise RuntimeError("the disk is full")

    def dawdle(block):  # still at work, in another thread, when salinity fails
        time.sleep(0.3)
        return block

    for name, compute in {"so": fail, "thetao": dawdle}.items():
        values = dask_array.from_array(state[name].values)
        broken[name] = state[name].copy(data=values.map_blocks(compute, dtype="f4", meta=values))
    write_state(state, standardizer, tmp_path / "older.zarr")
    for name in ("new.zarr", "older.zarr", "new.nc"):
        with pytest.raises(RuntimeError, match="disk is full"):
            write_state(broken, standardizer, tmp_path / name)
    time.sleep(0.5)
    assert [path.name for path in tmp_path.iterdir()] == ["older.zarr"]
    with open_product(tmp_path / "older.zarr") as older:
        np.testing.assert_array_equal(older["so"], state["so"])
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter").touch()
    with refuses("thesis", "no older result"):
        write_state(state, standardizer, tmp_path / "thesis")
    assert (tmp_path / "thesis" / "chapter").exists()
    with refuses("does not exist"):
        write_state(state, standardizer, tmp_path / "nowhere" / "state.zarr")


# --- On a cluster ----------------------------------------------------------------------------------------------------

WORKER_MEMORY = 600e6  # bytes; a worker with its libraries begins at about 350 MB
SIDE, DAYS_OF_YEAR = 160, 120


def days_of_year(name: str, first: int, last: int) -> np.ndarray:
    """A field on some of the days of the one year that the long series repeats."""
    frames = []
    for day in range(first, last):
        noise = np.random.default_rng([day, INPUTS.index(name)]).standard_normal((SIDE, SIDE), dtype="f4")
        season = 15 + 5 * np.cos(2 * np.pi * day / 365.25) if name == "thetao" else 0.5
        frames.append(np.float32(0.3 if name == "zos" else 1.0) * noise + np.float32(season))
    return np.stack(frames)


def repeated_year(years: int, days: int) -> xr.Dataset:
    """The same first days of each of several years, generated as they are computed."""
    import dask.array

    def block(name: str, block_info=None) -> np.ndarray:
        first = block_info[None]["array-location"][0][0] % DAYS_OF_YEAR
        return days_of_year(name, first, first + days)

    shape, chunks = (years * DAYS_OF_YEAR, SIDE, SIDE), ((days,) * (years * DAYS_OF_YEAR // days), SIDE, SIDE)
    time = [np.datetime64(f"{2000 + y}-01-01", "ns") + np.arange(DAYS_OF_YEAR) * np.timedelta64(1, "D")
            for y in range(years)]  # fmt: skip
    ds = xr.Dataset(coords={
        "time": np.concatenate(time), "latitude": 25 + np.arange(SIDE) / 12, "longitude": -70 + np.arange(SIDE) / 12
    })  # fmt: skip
    for name in INPUTS:
        lazy = dask.array.map_blocks(block, name, chunks=chunks, dtype="f4", meta=np.empty((0, 0, 0), "f4"))
        assert lazy.shape == shape
        ds[name] = (("time", "latitude", "longitude"), lazy)
    return ds


@pytest.mark.slow
def test_a_series_larger_than_the_memory_of_a_cluster(tmp_path):
    """Years that repeat have the climatology of one of them, which is small enough to be fitted in memory."""
    distributed = pytest.importorskip("distributed")
    pytest.importorskip("zarr")
    ds = repeated_year(years=15, days=20)
    assert ds.nbytes > 2 * WORKER_MEMORY
    year = ds.isel(time=slice(DAYS_OF_YEAR)).compute(scheduler="synchronous")
    expected, fitted = prepare(year)
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with (
        distributed.LocalCluster(memory_limit=int(WORKER_MEMORY), **options) as cluster,
        distributed.Client(cluster) as client,
    ):
        workers = set(client.scheduler_info()["workers"])
        state, standardizer = prepare(ds)
        write_state(state, standardizer, tmp_path / "state.zarr")
        assert set(client.scheduler_info()["workers"]) == workers  # none was killed for its memory
        peaks = client.run(peak_memory)
    assert len(peaks) == 2 and max(peaks.values()) < WORKER_MEMORY, peaks
    for name in ("harmonics", "scale", "ekman"):
        np.testing.assert_allclose(getattr(standardizer, name), getattr(fitted, name), rtol=1e-6, atol=1e-9)
    with open_product(tmp_path / "state.zarr") as back:
        last = back.isel(time=slice(-DAYS_OF_YEAR, None))
        for name in CHANNELS:
            np.testing.assert_allclose(last[name], expected[name], atol=1e-5)


def peak_memory() -> float:
    """The largest memory this process has had, in bytes; nothing where the system does not tell."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return sum(1024 * float(line.split()[1]) for line in lines if line.startswith("VmHWM"))
