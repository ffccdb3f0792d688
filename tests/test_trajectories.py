"""Interpolation and advection against closed forms; ragged arrays by hand and against clouddrift."""

import numpy as np
import pytest
import xarray as xr

from genda_lite.ocean.currents import coriolis
from genda_lite.ocean.trajectories import (
    Interpolator,
    advect,
    at_points,
    before,
    distance,
    row_of,
    running_mean,
    segments,
    select,
)
from genda_lite.sources import ragged_slices
from genda_lite.state import EARTH_RADIUS, METRES_PER_DEGREE

DAYS = np.arange("2020-06-01T12", "2020-06-05T12", 24, dtype="datetime64[h]").astype("datetime64[ns]")


def linear(members: int | None = None) -> xr.Dataset:
    """Fields that linear interpolation in time, latitude and longitude holds exactly."""
    coords = {"time": DAYS, "latitude": np.arange(33, 35.1, 0.25), "longitude": np.arange(-60, -57.9, 0.25)}
    day = xr.DataArray(np.arange(4.0), {"time": DAYS}, ("time",))
    lat, lon = (xr.DataArray(coords[d], {d: coords[d]}, (d,)) for d in ("latitude", "longitude"))
    ds = xr.Dataset({"uo": day + 2 * lat + 3 * lon, "vo": day - lat * lon})
    return ds if members is None else ds * xr.DataArray(np.arange(1.0, members + 1), dims="member")


def ragged(*rows: tuple[str, np.ndarray, np.ndarray]) -> xr.Dataset:
    """Trajectories of an id, hours since the first of June, and eastward velocities; northward 0, at 34 N 59 W."""
    hours, u = (np.concatenate([row[k] for row in rows]).astype(float) for k in (1, 2))
    time = np.datetime64("2020-06-01", "ns") + (hours * 3600e9).astype("timedelta64[ns]")
    return xr.Dataset(
        {"u": ("obs", u), "v": ("obs", 0 * u), "rowsize": ("traj", [len(row[1]) for row in rows])},
        {
            "id": ("traj", [row[0] for row in rows]),
            "time": ("obs", time),
            "latitude": ("obs", np.full(u.size, 34.0)),
            "longitude": ("obs", np.full(u.size, -59.0)),
        },
    )


def points(time, latitude, longitude) -> xr.Dataset:
    where = {"time": np.asarray(time, "datetime64[ns]"), "latitude": latitude, "longitude": longitude}
    return xr.Dataset(coords={name: ("obs", np.atleast_1d(values)) for name, values in where.items()})


@pytest.mark.parametrize("members", [None, 3])
@pytest.mark.parametrize("block", [1, 2**26])
def test_linear_fields_are_interpolated_exactly(members, block, monkeypatch):
    monkeypatch.setattr("genda_lite.ocean.trajectories.BLOCK", block)
    rng = np.random.default_rng(0)
    time = DAYS[0] + (rng.uniform(0, 3 * 86400, 50) * 1e9).astype("timedelta64[ns]")
    where = points(time, rng.uniform(33, 35, 50), rng.uniform(-60, -58, 50))
    found = at_points(linear(members), where)
    day = (time - DAYS[0]) / np.timedelta64(1, "D")
    expected = day + 2 * where["latitude"].values + 3 * where["longitude"].values
    if members:
        assert found["uo"].dims == ("member", "obs")
        expected = expected * np.arange(1, 4)[:, None]
    np.testing.assert_allclose(found["uo"].values, expected, atol=1e-9)
    # Lazily, too, and with longitudes that count the other way round.
    other = where.assign_coords(longitude=where["longitude"] + 360)
    np.testing.assert_allclose(at_points(linear(members).chunk(time=1), other)["uo"], expected, atol=1e-9)


def test_nothing_is_known_beyond_the_fields_or_beside_land():
    fields = linear()
    fields["uo"][:, 4, 4] = np.nan  # 34 N, 59 W
    time = [DAYS[0], DAYS[-1], DAYS[0] - np.timedelta64(1, "s"), DAYS[-1] + np.timedelta64(1, "s"), "NaT", DAYS[1]]
    where = points([*time, DAYS[1]], [33.6] * 5 + [35.1, 34.1], [-59.4] * 6 + [-59.1])
    np.testing.assert_array_equal(np.isnan(at_points(fields, where)["uo"]), [0, 0, 1, 1, 1, 1, 1])


def test_solid_body_rotation_returns_and_converges_at_fourth_order():
    """A sphere turned about an axis through 40 N, 60 W: particles go round it on circles."""
    period = 5 * 86400.0
    axis = np.radians([40.0, -60.0])

    def unit(lat, lon):
        return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], -1)

    def current(seconds, latitude, longitude):
        lat, lon = np.radians(latitude), np.radians(longitude)
        velocity = np.cross(unit(*axis), unit(lat, lon)) * (2 * np.pi / period) * np.degrees(1) * METRES_PER_DEGREE
        east = np.stack([-np.sin(lon), np.cos(lon), 0 * lon], -1)
        north = np.stack([-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)], -1)
        return np.stack([(velocity * east).sum(-1), (velocity * north).sum(-1)], -1)

    start = np.array([41.0, 38.0, 44.0]), np.array([-59.0, -62.0, -66.0])
    misses = []
    for steps in (20, 40):
        path = advect(current, 0.0, *start, steps, period / steps)
        misses.append(distance(*path[-1].T, *start).max())
        radius = distance(path[..., 0], path[..., 1], 40.0, -60.0)
        assert np.ptp(radius, axis=0).max() < 1e3
    # On a circle the method lags by 2 pi (2 pi / steps)^4 / 120 radians a turn (its first neglected term).
    assert misses[1] == pytest.approx(radius.max() * 2 * np.pi * (2 * np.pi / 40) ** 4 / 120, rel=0.5)
    assert misses[0] / misses[1] == pytest.approx(16, rel=0.3)


def test_uniform_current_with_an_inertial_oscillation():
    """Particles drift with the mean and turn clockwise on circles of radius speed / f."""
    mean, speed, f = 0.3 + 0.1j, 0.2, coriolis(35.0)

    def current(seconds, latitude, longitude):
        w = mean + speed * np.exp(-1j * f * seconds)
        # At sea level of 35 N wherever the particle is: on the plane, where the closed form holds.
        w = w.real * np.cos(np.radians(latitude)) / np.cos(np.radians(35.0)) + 1j * w.imag
        return np.stack([w.real, w.imag], -1)

    late = 7200.0  # the second particle starts later, in another phase
    path = advect(current, np.array([0.0, late]), np.full(2, 35.0), np.full(2, -60.0), 72)
    for i, begin in enumerate((0.0, late)):
        t = begin + 3600.0 * np.arange(73)
        z = mean * (t - begin) + 1j * speed / f * (np.exp(-1j * f * t) - np.exp(-1j * f * begin))
        east = (path[:, i, 1] + 60) * METRES_PER_DEGREE * np.cos(np.radians(35.0))
        north = (path[:, i, 0] - 35) * METRES_PER_DEGREE
        np.testing.assert_allclose(east + 1j * north, z, atol=2.0)  # m, of 100 km


def test_particles_that_leave_are_lost_and_do_not_return():
    fields = linear() * 0 + xr.Dataset({"uo": 1.0, "vo": 0.0})
    path = advect(Interpolator(fields), 0.0, np.array([34.0, 34.0]), np.array([-58.2, -60.0]), 24)
    gone = np.isnan(path[:, 0, 1])
    assert not gone[:4].any() and gone[-1] and (np.diff(gone.astype(int)) >= 0).all()
    assert np.isfinite(path[:, 1]).all()
    assert distance(*path[-1, 1], 34.0, -60.0) == pytest.approx(86400, rel=1e-4)


def test_distance_along_a_meridian_and_across_the_date_line():
    assert distance(10.0, 20.0, 11.0, 20.0) == pytest.approx(METRES_PER_DEGREE)
    assert distance(0.0, 179.5, 0.0, -179.5) == pytest.approx(METRES_PER_DEGREE)


def test_segments_are_cut_at_gaps_and_only_long_ones_kept():
    whole = np.arange(241)  # from the first to the last hour ten days
    broken = np.append(np.arange(250), np.arange(251, 600))  # an hour missing: cut in two
    drifters = ragged(("a", whole, 0.1 * whole), ("b", np.arange(240), np.zeros(240)), ("c", broken, np.ones(599)))
    long = segments(drifters)
    assert list(long["id"].values) == ["a", "c", "c"] and list(long["rowsize"].values) == [241, 250, 349]
    np.testing.assert_array_equal(long["u"][:241], 0.1 * whole)
    assert long["time"].values[241 + 250] == np.datetime64("2020-06-11T11")
    # A missing velocity cuts as a missing observation does.
    drifters["u"][100] = np.nan
    assert list(segments(drifters)["id"].values) == ["c", "c"]
    assert segments(drifters, gap=2.0)["rowsize"].values.tolist() == [240, 599]
    assert segments(drifters, shortest=99).sizes["obs"] == 0


def test_segments_refuse_a_disorder_of_time(refuses):
    with refuses("order of time"):
        segments(ragged(("a", np.array([0, 2, 1]), np.zeros(3))))


def test_running_mean_by_hand():
    hours = np.arange(30)
    drifters = ragged(("a", hours, hours**2), ("b", hours[:10], hours[:10]), ("c", hours[:24], np.ones(24)))
    drifters["drogue"] = ("obs", np.concatenate([np.ones(26), np.zeros(4), np.ones(34)]).astype("i1"))
    mean = running_mean(drifters)
    assert list(mean["id"].values) == ["a", "c"] and list(mean["rowsize"].values) == [7, 1]
    expected = [np.mean(hours[k : k + 24] ** 2.0) for k in range(7)]
    np.testing.assert_allclose(mean["u"], [*expected, 1.0])
    assert mean["time"].values[0] == np.datetime64("2020-06-01T11:30")
    assert mean["drogue"].values.tolist() == [1, 1, 1, 0, 0, 0, 0, 1]
    assert running_mean(select(drifters, np.zeros(64, bool))).sizes["obs"] == 0


def test_segments_agree_with_clouddrift():
    clouddrift = pytest.importorskip("clouddrift")
    rng = np.random.default_rng(1)
    rows = []
    for name in "abc":
        hours = np.flatnonzero(rng.random(1500) > 0.004)
        rows.append((name, hours, rng.normal(size=hours.size)))
    drifters = ragged(*rows)
    sizes = clouddrift.ragged.segment(
        drifters["time"].values, np.timedelta64(1, "h"), rowsize=drifters["rowsize"].values
    )
    u, kept = clouddrift.ragged.prune(drifters["u"].values, sizes, 241)
    long = segments(drifters)
    np.testing.assert_array_equal(long["u"], u)
    np.testing.assert_array_equal(long["rowsize"], kept)
    assert row_of(long).max() == len(kept) - 1


def test_ragged_arrays_and_distances_agree_with_clouddrift():
    clouddrift = pytest.importorskip("clouddrift")
    rng = np.random.default_rng(2)
    drifters = ragged(*((name, np.arange(n), rng.normal(size=n)) for name, n in (("a", 40), ("b", 10), ("c", 30))))
    sizes, index = drifters["rowsize"].values, clouddrift.ragged.rowsize_to_index(drifters["rowsize"])
    np.testing.assert_array_equal(row_of(drifters), clouddrift.ragged.obs_index_to_row(np.arange(80), sizes))
    np.testing.assert_array_equal(before(drifters), np.arange(80) - index[row_of(drifters)])
    assert [rows.start for rows in ragged_slices(drifters)] == list(index[:-1])
    xr.testing.assert_identical(
        select(drifters, drifters["u"].values > 1.5),
        clouddrift.ragged.subset(drifters, {"u": lambda u: u > 1.5}, row_dim_name="traj"),
    )
    means = [clouddrift.ragged.chunk(drifters["u"].values[rows], 24, 23).mean(1) for rows in ragged_slices(drifters)]
    np.testing.assert_allclose(running_mean(drifters)["u"], np.concatenate(means), atol=1e-12)
    (lat, to_lat), (lon, to_lon) = rng.uniform(-90, 90, (2, 100)), rng.uniform(-180, 180, (2, 100))
    theirs = clouddrift.sphere.distance(lon, lat, to_lon, to_lat) / clouddrift.sphere.EARTH_RADIUS_METERS
    np.testing.assert_allclose(distance(lat, lon, to_lat, to_lon), theirs * EARTH_RADIUS, rtol=1e-12)


def test_bad_fields_are_refused(refuses):
    with refuses("expected uo"):
        Interpolator(linear().drop_vars("uo"))
    with refuses("time", "at least two"):
        at_points(linear().isel(time=[0]), points(DAYS[:1], 34.0, -59.0))
    with refuses("latitude", "ascend"):
        Interpolator(linear().isel(latitude=slice(None, None, -1)))
