"""Observing systems: nested, with the errors they state, sampled from the true ocean of the right day."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from genda_lite.errors import InputError
from genda_lite.observe.instruments import ALONG_TRACK, InstrumentErrors, sample
from genda_lite.observe.likelihood import table_operator
from genda_lite.observe.nadir import nadir_errors
from genda_lite.observe.orbits import MISSIONS, SWATH, ground_track, swath
from genda_lite.observe.radiometer import broken_clouds
from genda_lite.observe.smooth_maps import MAPS, smooth_map
from genda_lite.observe.swath import swath_errors
from genda_lite.observe.systems import L4, NADIR, ObservingSystem, constellation, density
from genda_lite.observe.table import Observations
from genda_lite.state import CHANNELS, VARIABLES, Grid

DATE = np.datetime64("2001-03-10T12:00", "ns")
DAY = np.timedelta64(1, "D")
GRID = Grid(np.linspace(33, 43, 61), np.linspace(-65, -55, 61))
BOX = (33.0, 43.0), (-65.0, -55.0)


def ocean(day_after_day: float = 0.0, count: int = 13, step: int = 1) -> xr.Dataset:
    """Every channel a plane that rises evenly in time; exact under bilinear interpolation."""
    lat, lon = np.meshgrid(GRID.latitude, GRID.longitude, indexing="ij")
    plane = 0.1 * (lat - 38) + 0.05 * (lon + 60)
    time = DATE + (np.arange(count) - count // 2) * step * DAY
    fields = plane + day_after_day * (np.arange(count) - count // 2)[:, None, None] * step
    coords = {"time": time, "latitude": GRID.latitude, "longitude": GRID.longitude}
    dims = tuple(coords)
    return xr.Dataset({c: (dims, fields.copy(), {"units": VARIABLES[c]["units"]}) for c in CHANNELS}, coords)


def frame(system: ObservingSystem, truth: xr.Dataset, date=DATE) -> pd.DataFrame:
    """What a system sees, with what tells a measurement as index."""
    names = ("channel", "latitude", "longitude", "time", "value", "error")
    parts = system.parts(truth, date)
    tables = {name: pd.DataFrame({n: getattr(part, n) for n in names}) for name, part in parts.items()}
    table = pd.concat(tables, names=["instrument", None]).reset_index("instrument")
    return table.set_index(["instrument", "channel", "time", "latitude", "longitude"]).sort_index()


@pytest.fixture(scope="module")
def truth() -> xr.Dataset:
    return ocean()


# --- Nested ----------------------------------------------------------------------------------------------------------

GROWING = {
    "missions": [ObservingSystem(constellation(n), cloud=1.0) for n in (1, 2, 5, 7)],
    "missions in another order": [ObservingSystem(("HY-2B", "SARAL")), ObservingSystem(NADIR[::-1])],
    "swot": [ObservingSystem(), ObservingSystem(swot=True)],
    "clouds": [ObservingSystem(cloud=c) for c in (1.0, 0.95, 0.5, 0.0)],
    "maps": [ObservingSystem(l4=L4[:n]) for n in (0, 1, 3)],
    "winds": [ObservingSystem(l4=("so",)), ObservingSystem(l4=("so",), wind=True)],
    "window": [ObservingSystem(swot=True, window=w) for w in (1.0, 2.5, 5.0)],
    "all": [ObservingSystem(NADIR[:1], cloud=0.9), ObservingSystem(NADIR, True, 0.1, L4, True)],
}


@pytest.mark.parametrize("case", GROWING)
def test_larger_systems_only_add_observations(case, truth):
    tables = [frame(system, truth) for system in GROWING[case]]
    for small, large in pairwise(tables):
        assert large.index.is_unique and len(large) > len(small)
        pd.testing.assert_frame_equal(large.loc[small.index], small, rtol=0, atol=1e-9)


def test_constellations_grow_one_by_one():
    assert [len(constellation(n)) for n in range(8)] == list(range(8))
    assert all(large[:-1] == small for small, large in pairwise(map(constellation, range(8))))
    assert "SWOT" not in constellation(7)


def test_a_seed_gives_the_same_again_and_another_something_else(truth):
    system = ObservingSystem(NADIR[:2], swot=True, l4=("zos",))
    one, again, other = (s.observe(truth, DATE) for s in (system, system, replace(system, seed=1)))
    np.testing.assert_array_equal(one.value, again.value)
    altimetry = one.channel == "zos"
    assert (abs(one.value[altimetry] - other.value[: len(one)][altimetry]) > 1e-6).mean() > 0.99
    scenes = ObservingSystem((), cloud=0.5, l4=("zos",))
    today, tomorrow = (frame(scenes, truth, day).droplevel("time")["value"] for day in (DATE, DATE + DAY))
    both = today.index.intersection(tomorrow.index)  # each day has its own clouds and noise
    assert len(both) < 0.75 * len(today) and (abs(today[both] - tomorrow[both]) > 1e-6).mean() > 0.99


def test_noise_belongs_to_one_instrument_and_pass():
    points = ground_track(MISSIONS["SARAL"], DATE, DATE + 10 * DAY, *BOX)
    noise = [nadir_errors(points, InstrumentErrors(), name) for name in ("SARAL", "HY-2B")]
    track = points["track"].values
    noise += [nadir_errors(points.assign_coords(track=("point", track + 2)), InstrumentErrors(), "SARAL")]
    for i, one in enumerate(noise):
        assert one.std() == pytest.approx(InstrumentErrors().nadir, rel=0.15)
        for other in noise[:i]:
            assert abs(np.corrcoef(one, other)[0, 1]) < 5 / np.sqrt(len(one))


# --- The truth of the right day, and the error that is stated --------------------------------------------------------


def at(seen: Observations, slope: float = 0.0) -> np.ndarray:
    days = (seen.time - DATE) / DAY
    return 0.1 * (seen.latitude - 38) + 0.05 * (seen.longitude + 60) + slope * np.rint(days)


def test_altimetry_sees_the_ocean_of_its_own_day():
    """Sea level that rises 10 m a day: a wrong day would be ten metres off."""
    rising = ocean(10.0)
    for name, part in ObservingSystem(NADIR[:3], swot=True, cloud=1.0).parts(rising, DATE).items():
        assert abs(part.value - at(part, 10.0)).max() < 0.2, name
        assert abs(part.time - DATE).max() < 5 * DAY and np.ptp(part.time) > 5 * DAY


def test_radiometer_and_maps_see_the_day_of_the_date():
    rising = ocean(10.0)
    for hours, level in ((0, 0.0), (11, 0.0), (31, 10.0), (40, 20.0)):
        date = DATE + np.timedelta64(hours, "h")
        for name, part in ObservingSystem((), cloud=0.5, l4=L4, wind=True).parts(rising, date).items():
            assert np.median(part.value - at(part)) == pytest.approx(level, abs=1.0), name


def test_gaps_are_filled_by_the_nearest_day():
    series = ocean(10.0, count=3, step=5)  # days -5, 0 and 5
    seen = ObservingSystem(NADIR[:3], cloud=1.0).observe(series, DATE)
    days = (seen.time - DATE) / DAY
    nearest = np.where(days < -2.5, -5, np.where(days > 2.5, 5, 0))
    assert abs(seen.value - at(seen) - 10 * nearest).max() < 0.2
    alone = ObservingSystem(NADIR[:1], cloud=1.0).observe(series.isel(time=[1]), DATE)
    assert abs(alone.value - at(alone)).max() < 0.2


def test_sampling_agrees_with_xarray():
    rng = np.random.default_rng(0)
    series = ocean()["zos"]
    series = series.copy(data=rng.normal(size=series.shape))
    points = ground_track(MISSIONS["SARAL"], DATE - 4 * DAY, DATE + 4 * DAY, *BOX)
    where = {name: points[name].drop_vars(list(points.coords)) for name in ("latitude", "longitude")}
    daily = series.sel(time=points["time"].drop_vars(list(points.coords)), method="nearest")
    expected = [daily[k].interp({n: v[k] for n, v in where.items()}).item() for k in range(0, len(daily), 50)]
    np.testing.assert_allclose(sample(series, points)[::50], expected, atol=1e-9)


def test_stated_errors_are_those_made_today(truth):
    """At the analysis time, without representativity, stated and actual errors agree instrument by instrument."""
    errors = InstrumentErrors(representativity_sea_level=0.0, representativity_temperature=0.0, variability=0.0)
    system = ObservingSystem(NADIR, swot=True, cloud=0.3, window=15.0, errors=errors)
    for name, part in system.parts(ocean(count=31), DATE).items():
        error = part.value - at(part)
        if name == "SWOT swath":
            assert len(np.unique(part.source)) > 10 and (part.reference_error == errors.timing).all()
            error = np.concatenate([e - e.mean() for e in (error[part.source == s] for s in np.unique(part.source))])
            assert np.sqrt((error**2).mean() / (part.error**2).mean()) == pytest.approx(1, abs=0.25), name
        else:
            assert (error / part.error).std() == pytest.approx(1, abs=5 / np.sqrt(2 * len(part))), name
            assert (part.reference_error == 0).all()


def test_the_error_grows_with_the_lag_as_the_ocean_changes():
    """A sea of waves that decorrelate as supposed changes by what the stated error says."""
    errors = InstrumentErrors()
    rng = np.random.default_rng(0)
    time = np.arange(400.0)
    # exp(-(dt/T)^2) is the autocorrelation of white noise under a Gaussian of width T / 2.
    kernel = np.exp(-0.5 * ((time[:80] - 40) / (errors.decorrelation / 2)) ** 2)
    series = np.apply_along_axis(np.convolve, 1, rng.normal(size=(300, 400)), kernel, "valid")
    series *= errors.variability / series.std()
    for lag in (1, 3, 5, 10, 30):
        change = ((series[:, lag:] - series[:, :-lag]) ** 2).mean()
        assert change == pytest.approx(errors.drift(np.array(lag)), rel=0.1)
    seen = ObservingSystem(NADIR, cloud=1.0).observe(ocean(), DATE)
    lag = abs(seen.time - DATE) / DAY
    assert seen.error[lag < 0.05].max() < 0.03 and 0.14 < seen.error[lag > 4].min()
    order = np.argsort(lag)
    assert (np.diff(seen.error[order]) >= -1e-9).all()


def test_points_that_drift_together_are_told_as_independent_ones():
    """Change of sea level along a pass with a correlation of the stated length: the errors told explain its mean's."""
    errors = InstrumentErrors(nadir=1e-6, representativity_sea_level=1e-6)
    n, count = 4000, 200
    width = errors.drift_length / np.sqrt(2 * np.pi)  # km; of a Gaussian correlation whose integral is the length
    kernel = np.exp(-0.5 * (np.arange(-200, 201) * ALONG_TRACK / (width / np.sqrt(2))) ** 2)
    rng = np.random.default_rng(0)
    change = np.array([np.convolve(rng.normal(size=n + 400), kernel, "valid") for _ in range(count)])
    change *= np.sqrt(errors.drift(2.0)) / change.std()
    points = xr.Dataset({"time": ("point", np.full(n, DATE + 2 * DAY))})
    told = errors.nadir_variance(points, DATE)[0] / n
    assert change.mean(1).var() == pytest.approx(told, rel=0.4)  # a variance of 200 numbers is known to 10 %


# --- Swath, clouds, maps ---------------------------------------------------------------------------------------------


def test_swath_errors_have_their_shapes_and_sizes():
    errors, cell = InstrumentErrors(), 25.0
    points = swath(MISSIONS["SWOT"], DATE, DATE + 20 * DAY, (-60.0, 60.0), (0.0, 60.0), cell)
    parts = swath_errors(points, errors, cell)
    assert float(parts["noise"].std()) == pytest.approx(errors.karin * 2 / cell, rel=0.02)
    table = parts.to_dataframe().set_index(["track", "sample", "column"]).sort_index()
    timing, roll = (table[name].unstack("column").dropna() for name in ("timing", "roll"))
    assert np.ptp(timing.values, axis=1).max() < 1e-12  # the same across the track
    across = np.unique(points["across"])
    np.testing.assert_allclose(roll.values / across, np.broadcast_to(roll.values[:, :1] / across[0], roll.shape))
    assert (roll.values[:, 0] / across[0] * SWATH[1]).std() == pytest.approx(errors.roll, rel=0.1)
    assert timing.values[:, 0].std() == pytest.approx(errors.timing, rel=0.15)
    assert abs(np.corrcoef(roll.iloc[:, 0], timing.iloc[:, 0])[0, 1]) < 0.2
    tilt = roll.iloc[:, 0] / roll.iloc[:, 0].std()
    for kilometres in (100, 500, 1000):
        lag = round(kilometres / cell)
        pairs = [(a[:-lag], a[lag:]) for _, a in tilt.groupby("track") if len(a) > 2 * lag]
        correlation = np.mean(np.concatenate([a.values * b.values for a, b in pairs]))
        assert correlation == pytest.approx(np.exp(-((kilometres / errors.roll_length) ** 2) / 2), abs=0.12)


def test_wider_swath_cells_are_fewer_and_less_noisy(truth):
    fine, wide = (ObservingSystem((), True, 1.0, swath_cell=c).parts(truth, DATE)["SWOT swath"] for c in (5.0, 10.0))
    assert len(fine) / len(wide) == pytest.approx(4, rel=0.1)
    assert fine.error.min() > wide.error.min()


@pytest.mark.parametrize("cloud", [0.0, 0.3, 0.9, 0.95, 1.0])
def test_clouds_hide_the_stated_share(cloud):
    sky = broken_clouds(GRID, cloud, np.random.default_rng(1))
    assert 1 - sky.mean() == pytest.approx(cloud, abs=1 / sky.size)


def test_clouds_are_of_many_sizes():
    """Neighbouring cells share their weather, and yet the edges are ragged: both far from scattered cells."""
    edges, coarse = [], []
    for seed in range(5):
        sky = broken_clouds(GRID, 0.5, np.random.default_rng(seed))
        edges.append((sky[1:] != sky[:-1]).mean())  # scattered cells: one half
        coarse.append(sky[:60, :60].reshape(6, 10, 6, 10).mean((1, 3)).std())  # scattered cells: 0.05
    assert 0.17 < np.mean(coarse) < 0.45
    assert 0.03 < np.mean(edges) < 0.25


def test_the_analysis_knows_how_a_map_is_blurred(standardizer):
    """Up to the edges: what remains between a map and H of the truth is its own error."""
    box = Grid.around(-60.0, 38.0, (64, 64))
    rng = np.random.default_rng(1)
    rough = xr.DataArray(rng.normal(0, 50, box.shape), box.coordinates(), ("latitude", "longitude"), name="zos")
    seen = smooth_map(rough.assign_coords(time=DATE))
    operator = table_operator(seen, box, np.zeros(len(seen), int), 1)
    remains = seen.value - operator(torch.from_numpy(rough.values)[None, None].float())[0].numpy()
    assert remains.std() == pytest.approx(MAPS["zos"].error, rel=0.4) and abs(remains).max() < 4 * MAPS["zos"].error


def test_a_map_is_blurred_and_its_stated_error_is_that_of_its_mean():
    """A wave of 5.3 widths is halved; what is left of the truth is within the stated error."""
    lat = np.broadcast_to(GRID.latitude[:, None], GRID.shape)
    width = MAPS["zos"].width
    wave = 100 * np.sin(2 * np.pi * (lat - 38) * 111.195 / (5.336 * width))  # the map's own error is nothing beside it
    field = ocean()["zos"].isel(time=0, drop=True).copy(data=wave)
    seen = smooth_map(field.assign_coords(time=DATE))
    inner = abs(seen.latitude - 38) < 3
    true = 100 * np.sin(2 * np.pi * (seen.latitude - 38) * 111.195 / (5.336 * width))
    assert np.polyfit(true[inner], seen.value[inner], 1)[0] == pytest.approx(0.5, abs=0.02)
    rows = np.unique(seen.latitude)
    assert np.diff(rows).mean() * 111.195 == pytest.approx(2 * width, rel=0.1)

    calm = xr.zeros_like(field).assign_coords(time=DATE)
    values = np.concatenate([smooth_map(calm, seed).value for seed in range(20)])
    assert values.std() == pytest.approx(MAPS["zos"].error, rel=0.1)

    # Stated as independent, the errors of the points explain that of their mean.
    stated = smooth_map(calm).error[0] ** 2
    means = [smooth_map(calm, seed).value.mean() for seed in range(200)]
    count = len(smooth_map(calm))
    assert np.std(means) == pytest.approx(np.sqrt(stated / count), rel=0.15)


def test_land_is_not_observed(truth):
    land = truth["longitude"] < -60.0
    system = ObservingSystem(NADIR[:3], swot=True, cloud=0.2, l4=L4, wind=True)
    for name, part in system.parts(truth.where(~land), DATE).items():
        assert len(part) and (part.longitude >= -60.0).all() and np.isfinite(part.value).all(), name
    with pytest.raises(InputError):
        system.observe(truth.where(truth["longitude"] > 0), DATE)
    warm = (xr.ones_like(truth["thetao"]) * 20).where(~land).rename("thetao")
    coast = smooth_map(warm.sel(time=DATE))  # land does not cool the sea beside it
    assert abs(coast.value - 20).max() < 5 * MAPS["thetao"].error


def test_the_truth_may_be_in_any_order_of_dimensions(truth):
    system = ObservingSystem(NADIR[:2], swot=True, cloud=0.4, l4=L4, wind=True)
    turned = frame(system, truth.transpose("longitude", "time", "latitude"))
    pd.testing.assert_frame_equal(turned, frame(system, truth))


# --- Density ---------------------------------------------------------------------------------------------------------


def test_density_of_a_known_pattern():
    """One meridian: the cells within 25 km of it are a strip of 50 km."""
    points = xr.Dataset({"zos": ("point", np.zeros(1001))})
    points["latitude"] = ("point", np.linspace(33, 43, 1001))
    points["longitude"] = ("point", np.full(1001, -60.0))
    fine = Grid(np.linspace(33, 43, 121), np.linspace(-65, -55, 121))
    found = density(Observations.from_points(points, "zos", 0.03), fine)
    assert found["per_degree2"] == pytest.approx(10.01)
    assert found["near"] == pytest.approx(50 / (10 * 111.2 * np.cos(np.radians(38))), abs=0.01)
    points["latitude"] = points["latitude"] + 20
    assert density(Observations.from_points(points, "zos", 0.03), fine) == {"per_degree2": 0.0, "near": 0.0}


# --- Refused ---------------------------------------------------------------------------------------------------------

BAD_SYSTEMS = {
    "unknown mission": ({"missions": ("Jason-9",)}, ("missions", "Jason-3", "Jason-9")),
    "SWOT as nadir": ({"missions": ("SWOT",)}, ("missions", "SWOT")),
    "a string": ({"missions": "SARAL"}, ("missions", "'SARAL'")),
    "twice the same": ({"missions": ("SARAL", "SARAL")}, ("missions", "different")),
    "unknown map": ({"l4": ("uas",)}, ("l4", "zos, thetao, so", "uas")),
    "cloud in percent": ({"cloud": 70}, ("cloud fraction", "0..1", "70")),
    "no number": ({"cloud": np.nan}, ("cloud fraction", "0..1", "nan")),
    "no window": ({"window": 0.0}, ("window", "positive", "0.0")),
    "negative seed": ({"seed": -1}, ("seed", "-1")),
}


@pytest.mark.parametrize("case", BAD_SYSTEMS)
def test_bad_systems(case, refuses):
    arguments, words = BAD_SYSTEMS[case]
    with refuses(*words):
        ObservingSystem(**arguments)


BAD_TRUTHS = {
    "no such variable": (lambda t: t.drop_vars("zos"), DATE, ("zos", "has thetao")),
    "one state": (lambda t: t.isel(time=0), DATE, ("dims ('latitude', 'longitude')", "expand_dims")),
    "an ensemble": (lambda t: t.expand_dims(member=2), DATE, ("'member'", "expected time, latitude and longitude")),
    "times in disorder": (lambda t: t.isel(time=slice(None, None, -1)), DATE, ("times", "order")),
    "another year": (lambda t: t, DATE + 365 * DAY, ("2002-03-10", "2001-03-04", "2001-03-16")),
    "no date": (lambda t: t, np.datetime64("NaT"), ("date", "NaT")),
}


@pytest.mark.parametrize("case", BAD_TRUTHS)
def test_bad_truths(case, truth, refuses):
    spoil, date, words = BAD_TRUTHS[case]
    with refuses(*words):
        ObservingSystem().observe(spoil(truth), date)


def test_a_system_that_sees_nothing_is_refused(truth, refuses):
    with refuses("nothing is observed", "5 days"):
        ObservingSystem((), cloud=1.0).observe(truth, DATE)
    for number in (-1, 8):
        with refuses("0 to 7", str(number)):
            constellation(number)
