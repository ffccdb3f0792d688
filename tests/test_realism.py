"""Realism: each statistic is right on fields that are known, and the table says what it should."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from genda_lite import cli, sources
from genda_lite.ocean.currents import GRAVITY, coriolis, geostrophic_current, relative_vorticity, smooth, wind_stress
from genda_lite.state import EARTH_RADIUS
from genda_lite.verify import realism as r
from genda_lite.verify.table import is_met

REAL = Path(__file__).parents[2] / "shared" / "real"
needs_real = pytest.mark.skipif(not REAL.is_dir(), reason=f"the real products are not at {REAL}")

LATITUDE, LONGITUDE = np.arange(33, 43.01, 1 / 4), np.arange(-65, -54.99, 1 / 4)
RNG = np.random.default_rng


def array(values: np.ndarray, time=None, latitude=LATITUDE, longitude=LONGITUDE) -> xr.DataArray:
    """Values that broadcast to (time, latitude, longitude), with their coordinates; one date if none are given."""
    time = np.array(["2000-01-01"], "datetime64[ns]") if time is None else time
    shape = len(time), len(latitude), len(longitude)
    coords = {"time": time, "latitude": latitude, "longitude": longitude}
    return xr.DataArray(np.broadcast_to(values, shape), coords, tuple(coords))


def dates(count: int, every: float = 1.0) -> np.ndarray:
    return np.datetime64("2000-01-01", "ns") + (np.arange(count) * every * 86400e9).astype("timedelta64[ns]")


def make_ocean(count: int = 41, every: float = 9, seed: int = 0) -> xr.Dataset:
    """A meandering front in geostrophic balance, warm and salty to its south, with a season and a gusty wind."""
    rng, time = RNG(seed), dates(count, every)
    phase = rng.uniform(0, 2 * np.pi, (count, 1, 1))
    axis = 38 + 1.5 * np.sin(np.radians(60 * LONGITUDE) + phase)
    zos = array(-0.5 * np.tanh((LATITUDE[:, None] - axis) / 0.8), time)
    season = -4 * np.cos(2 * np.pi * (np.arange(count) * every / 365.25 - 1 / 6))[:, None, None]
    thetao = 18 + 8 * zos + season - 0.2 * (LATITUDE[:, None] - 38)
    u, v = geostrophic_current(zos)
    gusts = rng.normal(0, 1, (2, count, 1, 1))
    fields = {"zos": zos, "thetao": thetao, "so": 35 + 0.15 * (thetao - season - 18), "uo": u, "vo": v}
    fields |= {"uas": array(7 + gusts[0] + 0.3 * (thetao.values - season - 18), time), "vas": array(gusts[1], time)}
    return xr.Dataset(fields)


@pytest.fixture(scope="module")
def ocean() -> xr.Dataset:
    return make_ocean()


@pytest.fixture(scope="module")
def two_oceans(ocean) -> xr.Dataset:
    return xr.concat([ocean, make_ocean(seed=1)], "member")


def vortex(sign: float) -> tuple[xr.DataArray, np.ndarray]:
    """Sea level of a Gaussian eddy of 0.4 m and 60 km on a fine grid, and the distance from its middle (m)."""
    latitude, longitude = np.arange(36, 40, 1 / 24), np.arange(-62, -57, 1 / 24)
    y, x = np.radians(latitude - 38)[:, None], np.radians(longitude + 59.5) * np.cos(np.radians(38))
    distance = EARTH_RADIUS * np.hypot(y, x)
    return array(sign * 0.4 * np.exp(-((distance / 60e3) ** 2) / 2), None, latitude, longitude), distance


def test_vorticity_of_a_rotating_shell_is_exact_and_a_cyclone_is_positive():
    u = array(10 * np.cos(np.radians(LATITUDE))[:, None])
    zeta = relative_vorticity(u, 0 * u)
    expected = 2 * 10 / EARTH_RADIUS / (2 * 7.2921e-5)
    np.testing.assert_allclose(r.interior(zeta.values), expected, rtol=1e-4)
    zos, distance = vortex(-1)  # sea level is low inside a cyclone
    assert (relative_vorticity(*geostrophic_current(zos)).values[0][distance < 20e3] > 0.1).all()


@pytest.mark.parametrize("sign", [-1, 1])
def test_gradient_wind_of_a_vortex(sign):
    """Round a circle of radius R the curvature is 1/R, so that the balance V^2/R + f V = g dz/dR can be solved."""
    zos, distance = vortex(sign)
    latitude, longitude = zos["latitude"].values, zos["longitude"].values
    u, v = (part.values[0] for part in geostrophic_current(zos))
    change = r.gradient_wind(u, v, latitude, longitude)
    f = coriolis(latitude)[:, None]
    geostrophic = GRAVITY / f * np.abs(zos.values[0]) * distance / 60e3**2
    turn = -sign / np.maximum(distance, 1)  # cyclones turn left
    speed = 2 * geostrophic / (1 + np.sqrt(1 + 4 * turn * geostrophic / f))
    ring = (distance > 30e3) & (distance < 120e3)
    told = np.abs(u + 1j * v + change) - np.abs(u + 1j * v)
    np.testing.assert_allclose(told[ring], (speed - geostrophic)[ring], atol=0.05 * np.abs(speed - geostrophic).max())
    assert (sign * told[ring] > 0).all()  # a cyclone is slower than geostrophic, an anticyclone faster


def test_current_of_gradient_wind_and_ekman_leaves_nothing(ocean):
    # A wind that knows nothing of the eddies: a chance correlation would be taken for their Ekman current.
    gusts = [array(RNG(seed).normal(0, 6, ocean["zos"].shape), ocean["time"].values) for seed in range(2)]
    ocean = ocean.assign(uas=gusts[0], vas=gusts[1])

    def with_current(extra):
        stress = wind_stress(ocean["uas"].values + 1j * ocean["vas"].values)
        total = extra + 120 * np.exp(-1j * np.pi / 4) * stress
        return ocean.assign(uo=ocean["zos"].copy(data=total.real), vo=ocean["zos"].copy(data=total.imag))

    u, v = (part.values for part in geostrophic_current(ocean["zos"]))
    us, vs = (smooth(part).values for part in geostrophic_current(ocean["zos"]))
    smoothed = r.ageostrophic(with_current(us + 1j * vs))
    assert smoothed["ageostrophic current rms (m/s)"] < 0.005
    curved = r.gradient_wind(us, vs, LATITUDE, LONGITUDE)
    assert r.ageostrophic(with_current(u + 1j * v + curved))["gradient-wind share of it"] > 0.95
    noise = RNG(7).normal(0, 0.05, (2, *u.shape))
    noisy = r.ageostrophic(with_current(us + 1j * vs + noise[0] + 1j * noise[1]))
    assert noisy["ageostrophic current rms (m/s)"] == pytest.approx(0.05 * np.sqrt(2), rel=0.05)


@pytest.mark.parametrize("memory", [8, 15, 25])
@pytest.mark.parametrize("days", [dates(270), dates(90, 3), np.sort(RNG(5).choice(dates(300), 100, replace=False))])
def test_e_folding_time_of_red_noise(memory, days):
    n = int((days[-1] - days[0]) / r.DAY) + 1
    rho, noise = np.exp(-1 / memory), RNG(memory).normal(size=(n, 20, 20))
    series = [noise[0]]
    for now in noise[1:]:
        series.append(rho * series[-1] + np.sqrt(1 - rho**2) * now)
    kept = ((days - days[0]) / r.DAY).astype(int)
    field = array(np.stack(series)[kept], days, np.arange(20), np.arange(20))
    assert r.e_folding_time(field) == pytest.approx(memory, rel=0.1)


def test_short_records_have_no_e_folding_time():
    noise = array(RNG(0).normal(size=(90, 41, 41)), dates(90))
    assert r.e_folding_time(noise) < 1.5
    assert np.isnan(r.e_folding_time(noise.isel(time=slice(0, 50))))
    assert np.isnan(r.e_folding_time(noise.isel(time=slice(0, None, 10))))


def test_the_season_has_a_sign_and_needs_most_of_a_year():
    time = dates(365)
    warm_in_september = -np.cos(2 * np.pi * (np.arange(365) / 365.25 - 1 / 6))[:, None, None]
    assert r.seasonal_difference(array(15 + 4 * warm_in_september, time)) == pytest.approx(8, rel=1e-3)
    assert r.seasonal_difference(array(15 - 4 * warm_in_september, time)) == pytest.approx(-8, rel=1e-3)
    assert np.isnan(r.seasonal_difference(array(15 + 4 * warm_in_september, time).isel(time=slice(0, 200))))


def test_correlations_on_the_front_only(ocean):
    values = r.front(ocean)
    assert values["SST-SSS correlation on the front"] == pytest.approx(1, abs=0.01)
    assert values["SSH-SST correlation on the front"] > 0.95
    noise = 8 * float(ocean["zos"].std()) * RNG(0).normal(size=ocean["zos"].shape)
    noisy = r.front(ocean.assign(thetao=ocean["thetao"] + noise))["SSH-SST correlation on the front"]
    # The noise is as strong as the signal of the whole box; a box of 5 degrees on the front holds rather less.
    assert 0.5 < noisy < 1 / np.sqrt(2)
    assert np.isnan(r.front(ocean.assign(zos=0.2 * ocean["zos"]))["SSH-SST correlation on the front"])
    box, crossed = r.on_the_front(ocean)[0]
    np.testing.assert_array_equal(crossed, box["zos"].std(("latitude", "longitude")) > 0.25)


def test_coupling_of_a_wind_made_from_sst(ocean):
    warm = ocean.isel(time=slice(0, 12)).assign_coords(time=dates(12, 5))
    wind = 8 + 0.35 * (warm["thetao"] - 15) + 0.5 * (warm["latitude"] - 38)  # the large scale does not count
    values = r.coupling(warm.assign(uas=wind, vas=0 * wind))
    assert values["wind-SST coupling (m/s per degC)"] == pytest.approx(0.35, abs=0.01)
    assert r.coupling(ocean) == {} or np.isfinite(r.coupling(ocean)["wind-SST coupling (m/s per degC)"])
    assert r.coupling(ocean.isel(time=slice(0, 2))) == {}


def test_drift_is_the_trend_beside_its_error():
    time = dates(150, 12)
    years = (time - time[0]) / r.DAY / 365.25
    noise = RNG(0).normal(0, 0.1, (150, 1, 1))
    thetao = 15 + 0.2 * years[:, None, None] + 4 * np.cos(2 * np.pi * years)[:, None, None] + noise
    still = array(RNG(1).normal(size=(150, 1, 1)) * LATITUDE[:, None], time)
    ocean = xr.Dataset({"thetao": array(thetao, time), "so": array(35 + noise, time), "zos": still})
    values = r.drift(ocean)
    assert values["SST drift (degC per decade)"] == pytest.approx(2, abs=0.15)
    for name in ("SSS drift (per decade)", "SSH std drift (m per decade)"):
        assert abs(values[name]) < 3 * values[name + " error"]
    assert values["SST drift (degC per decade)"] > 10 * values["SST drift (degC per decade) error"]
    assert r.drift(ocean.isel(time=slice(0, 80))) == {}


def test_grid_noise_tells_noise_from_fronts():
    shape = (3, 41, 41)
    assert r.grid_noise(array(RNG(0).normal(size=shape), dates(3))) == pytest.approx(1, abs=0.2)
    steps = array(np.sign(LATITUDE - 38)[:, None] + 1.0 * (LONGITUDE > -61), dates(3))
    assert r.grid_noise(steps) == pytest.approx(0.43, abs=0.03)
    smooth_field = make_ocean(3)["thetao"]
    assert r.grid_noise(smooth_field) < 0.1
    checkerboard = 0.05 * (-1) ** (np.arange(41)[:, None] + np.arange(41))
    assert r.grid_noise(smooth_field + checkerboard) > 0.5


def test_straight_edges_are_seen_and_moving_fronts_are_not():
    moving = make_ocean(200, 2)["thetao"]
    moving = moving + array(RNG(0).normal(0, 0.3, moving.shape), moving["time"].values)
    limit = r.TARGETS["straight edges"][1]
    assert r.straight_edge(moving) < limit
    sharpness = float(np.sqrt((moving.diff("longitude", 2) ** 2).mean()))
    for dim in ("latitude", "longitude"):
        line = 0.5 * sharpness * (moving[dim] > float(moving[dim][13]))
        assert r.straight_edge(moving + line) > limit
    assert np.isnan(r.straight_edge(moving.isel(time=slice(0, 60))))


def test_rows_say_value_range_target_and_whether_it_is_met(two_oceans):
    rows = r.realism(two_oceans)
    keys = {"name", "value", "low", "high", "target", "goal", "met", "beside", "detail", "metric", "real"}
    assert [set(row) for row in rows] == [keys] * len(rows) and all(row["metric"] == row["name"] for row in rows)
    by_name = {row["name"]: row for row in rows}
    assert list(by_name) == [name for name in r.TARGETS if "drift" not in name]
    for row in rows:
        assert np.isnan(row["value"]) or row["low"] <= row["value"] <= row["high"]
        assert row["met"] is None if np.isnan(row["value"]) or row["target"] is None else row["met"] in (True, False)
    std = by_name["SSH std (m)"]
    each = [float(two_oceans["zos"].isel(member=m).std()) for m in range(2)]
    assert std["value"] == pytest.approx(np.mean(each), rel=1e-5) and std["high"] == pytest.approx(max(each), rel=1e-5)
    assert std["target"] == "0.3 to 0.45" and std["met"] == (0.3 <= std["value"] <= 0.45)
    assert by_name["SST summer minus winter (degC)"]["value"] == pytest.approx(8, abs=0.5)
    assert by_name["gradient-wind share of it"]["met"] is None
    assert by_name["SST 99th percentile (degC)"]["target"] == "at most 28"


def test_the_order_of_dimensions_members_and_data_sets_does_not_matter(two_oceans):
    rows = r.realism(two_oceans)
    turned = two_oceans.transpose("longitude", "member", "latitude", "time").isel(latitude=slice(None, None, -1))
    apart = [two_oceans.isel(member=m) for m in range(2)]
    for other in (r.realism(turned), r.realism(apart)):
        for one, two in zip(rows, other, strict=True):
            assert one["value"] == pytest.approx(two["value"], rel=1e-3, nan_ok=True)


def test_long_records_tell_their_drift():
    ocean = make_ocean(60, 25)
    rows = {row["name"]: row for row in r.realism(ocean)}
    assert rows["SSS drift (per decade)"]["met"] is True
    warming = ocean["thetao"] + (ocean["time"] - ocean["time"][0]) / r.DAY * 1e-3
    rows = {row["name"]: row for row in r.realism(ocean.assign(thetao=warming.transpose(*ocean["zos"].dims)))}
    drift = rows["SST drift (degC per decade)"]
    assert drift["value"] == pytest.approx(3.65, abs=1) and drift["met"] is False and " to " in drift["target"]


def test_a_constant_ocean_and_a_single_date_are_told_without_warnings(ocean):
    still = 0 * ocean + 1
    rows = {row["name"]: row for row in r.realism(still)}
    assert rows["SSH std (m)"]["met"] is False
    assert np.isnan(rows["SSH-SST correlation on the front"]["value"])
    rows = {row["name"]: row for row in r.realism(ocean.isel(time=slice(0, 1)))}
    assert np.isnan(rows["SSH temporal std (m)"]["value"]) and np.isfinite(rows["speed rms (m/s)"]["value"])


def test_bad_input_is_refused(ocean, refuses):
    with refuses("lacks so, uas", "expected"):
        r.realism(ocean.drop_vars(["so", "uas"]))
    with refuses("longitude", "at least 8 degrees"):
        r.realism(ocean.assign_coords(longitude=LONGITUDE + 5))
    with refuses("latitude", "at least 8 degrees"):
        r.realism(ocean.isel(latitude=slice(0, 20)))
    with refuses("thetao", "missing values"):
        r.realism(ocean.assign(thetao=ocean["thetao"].where(ocean["latitude"] < 42)))
    with refuses("dims"):
        r.realism(ocean.isel(time=0))
    with refuses("expected dates"):
        r.realism(ocean.assign_coords(time=np.arange(41)))
    with refuses("no such folder"):
        r.real_values("nowhere")


def test_eight_degrees_of_the_box_are_enough(ocean):
    rows = r.realism(ocean.sel(longitude=slice(-64, -56)))
    assert np.isfinite(rows[0]["value"])


def test_real_products_are_found_by_name_and_measured_alike(ocean, tmp_path):
    """Files as providers write them: other names, 0-360 longitude, north first, kelvin, levels; one elsewhere."""
    first = ocean.isel(time=slice(0, 1))
    east = first.assign_coords(longitude=first["longitude"] + 360)
    topography = east[["zos", "uo", "vo"]].rename(zos="adt", uo="ugos", vo="vgos")
    topography.to_netcdf(tmp_path / "nrt_global_allsat_phy_l4_x.nc", engine="h5netcdf")
    kelvin = (first[["thetao"]] + 273.15).rename(thetao="analysed_sst", latitude="lat", longitude="lon")
    kelvin["analysed_sst"].attrs["units"] = "kelvin"
    kelvin.isel(lat=slice(None, None, -1)).to_netcdf(tmp_path / "x-OSTIA-x.nc", engine="h5netcdf")
    deep = first[["thetao", "so"]].expand_dims(depth=[0.5, 100.0]).assign(zos=first["zos"])
    deep.to_netcdf(tmp_path / "GLORYS_x.nc", engine="h5netcdf")
    elsewhere = first[["uo", "vo"]].assign_coords(longitude=first["longitude"] - 30)
    elsewhere.to_netcdf(tmp_path / "cmems_mod_glo_phy-cur_anfc_0.083deg_x.nc", engine="h5netcdf")

    found, expected = r.real_values(tmp_path), r.measure(first)
    assert found["SSH std (m)"].keys() == {"DUACS", "GLORYS"}
    assert "Mercator" not in found["speed max of a day (m/s)"] and "SSH temporal std (m)" not in found
    for name, values in found.items():
        for product, value in values.items():
            assert value == pytest.approx(expected[name], rel=1e-3, abs=1e-3), (name, product)
    assert "DUACS" not in found["SSH spectral slope"]  # a map's small scales are not the sea's


@needs_real
def test_the_real_gulf_stream_meets_its_targets():
    found = r.real_values(REAL)
    assert found["speed rms (m/s)"]["Mercator"] == pytest.approx(0.42, abs=0.01)
    assert found["speed max of a day (m/s)"]["Mercator"] == pytest.approx(1.52, abs=0.01)
    assert found["vorticity/f rms"]["Mercator"] == pytest.approx(0.16, abs=0.005)
    assert found["SSH std (m)"]["DUACS"] == pytest.approx(0.42, abs=0.005)
    assert found["speed rms (m/s)"]["DUACS"] == pytest.approx(0.52, abs=0.01)
    speed = "speed rms (m/s)", "speed max of a day (m/s)"
    for name in ("SSH std (m)", *speed, "SST 1st percentile (degC)", "wind speed (m/s)"):
        for value in found[name].values():
            assert is_met(value, *r.TARGETS[name]), name
    assert all(value > 0 for value in found["vorticity/f skewness"].values())


def genda(monkeypatch, *arguments) -> int:
    """Run `genda ARGUMENTS` in this process; returns its exit status."""
    monkeypatch.setattr("sys.argv", ["genda", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return stop.value.code or 0


def test_evaluate_nature_prints_a_table_and_writes_rows(monkeypatch, tmp_path, capsys, two_oceans):
    path, table = tmp_path / "ocean.nc", tmp_path / "rows.json"
    two_oceans.to_netcdf(path, engine="h5netcdf")
    assert genda(monkeypatch, "evaluate", "nature", path, path, "--real", tmp_path, "--json", table) == 0
    told = capsys.readouterr().out
    assert told.startswith("4 oceans") and "| SSH std (m) | 0.4" in told and "nan" not in told
    rows = json.loads(table.read_text())
    assert len(rows) == len(told.splitlines()) - 3
    for row in rows:
        assert {"name", "value", "target", "met", "real"} <= set(row)
    # Without a file it is the held-out sample that is judged.
    monkeypatch.setattr(sources, "load_sample", {"nature_heldout": two_oceans}.__getitem__)
    assert genda(monkeypatch, "evaluate", "nature", "--quick") == 0
    assert capsys.readouterr().out.startswith("quick: 2 oceans, 41 dates")


def test_quick_takes_few_dates_of_the_first_year_and_two_members(two_oceans):
    three = xr.concat([make_ocean(200, 4)] * 3, "member")
    few = r.first_of(three)
    assert few.sizes["member"] == 2 and 40 <= few.sizes["time"] <= 60
    assert few["time"][-1] - few["time"][0] < 366 * r.DAY


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["MISSING"], "no such file"),
        (["--real", "MISSING"], "no such folder"),
        (["EMPTY"], "lacks zos"),
        (["EMPTY", "--quick"], "lacks zos"),
    ],
)
def test_bad_arguments_are_told_in_one_line(monkeypatch, tmp_path, capsys, arguments, told):
    empty = tmp_path / "empty.nc"
    xr.Dataset({"a": 1}).to_netcdf(empty, engine="h5netcdf")
    names = {"MISSING": tmp_path / "missing.nc", "EMPTY": empty}
    assert genda(monkeypatch, "evaluate", "nature", *(names.get(a, a) for a in arguments)) == 2
    error = capsys.readouterr().err
    assert told in error and len(error.splitlines()) == 1
