"""Scores against drifters: by hand, on ensembles whose quality is known, and with intervals that mean what they say."""

import numpy as np
import pytest
import xarray as xr
from scipy.special import erf

from genda_lite.ocean.currents import coriolis
from genda_lite.ocean.trajectories import advect, segments
from genda_lite.verify.dress import best_sigma
from genda_lite.verify.ose.drifters import (
    METRICS,
    cross_fitted,
    halves,
    observation_error,
    rank_counts,
    regions,
    scorecard,
    separation,
    speed_classes,
)
from genda_lite.verify.scores import crps

HOUR = np.timedelta64(1, "h")
START = np.datetime64("2020-06-01T12", "ns")


def maps(u, v, days: int = 20) -> xr.Dataset:
    """Uniform currents, one member each if there are several."""
    coords = {
        "time": START + np.arange(days) * np.timedelta64(1, "D"),
        "latitude": np.arange(33, 43.1, 2.0),
        "longitude": np.arange(-65, -54.9, 2.0),
    }
    grid = xr.DataArray(np.ones([len(c) for c in coords.values()]), coords, list(coords))
    u, v = (xr.DataArray(x, dims="member" if np.ndim(x) else ()) for x in (u, v))
    return xr.Dataset({"uo": u * grid, "vo": v * grid})


def drifters(u, v, sizes=None, latitude=38.0, longitude=-60.0) -> xr.Dataset:
    """Velocities of drifters that lie at one place, hourly."""
    u, v = np.asarray(u, float), np.asarray(v, float)
    sizes = [u.size] if sizes is None else sizes
    hours = np.concatenate([np.arange(n) for n in sizes])
    return xr.Dataset(
        {"u": ("obs", u), "v": ("obs", v), "rowsize": ("traj", sizes)},
        {
            "id": ("traj", [f"d{i}" for i in range(len(sizes))]),
            "time": ("obs", START + hours * HOUR),
            "latitude": ("obs", np.broadcast_to(latitude, u.shape)),
            "longitude": ("obs", np.broadcast_to(longitude, u.shape)),
        },
    )


def test_measures_by_hand():
    """Three velocities and a mean current of (1, 0), of two members (0.5, 0) and (1.5, 0)."""
    seen = drifters([1.0, 0.6, 0.0], [1.0, 0.5, -2.0])
    card = scorecard({"two": maps([0.5, 1.5], [0.0, 0.0])}, seen, 0.5)
    value = card.value.sel(product="two", group="all")
    misses = np.array([1.0, np.hypot(0.4, 0.5), np.hypot(1, 2)])
    assert float(value["vector_error"]) == pytest.approx(misses.mean())
    assert float(value["rmse_u"]) == pytest.approx(np.sqrt((0 + 0.16 + 1) / 3))
    assert float(value["rmse_v"]) == pytest.approx(np.sqrt((1 + 0.25 + 4) / 3))
    assert float(value["within_45"]) == pytest.approx(2 / 3)  # 45 degrees, 39.8 and 90
    assert float(value["speed_bias"]) == pytest.approx(1 - (np.sqrt(2) + np.hypot(0.6, 0.5) + 2) / 3)
    # Variance of the members 0.5 in u and 0 in v; times 3/2; and 0.25 of noise in each.
    assert float(value["spread_skill"]) == pytest.approx(np.sqrt((0.75 + 0.5) / np.mean(misses**2)))
    assert np.isnan(value["correlation"])  # of a current that never changes
    assert int(value["observations"]) == 3 and int(value["drifters"]) == 1
    assert card.value["vector_error"].attrs["units"] == "m s-1"


def test_correlation_is_one_of_turned_and_scaled_and_numpys_for_a_component():
    rng = np.random.default_rng(0)
    seen = drifters(rng.normal(size=200), np.zeros(200))
    time = xr.DataArray(rng.normal(size=20), dims="time")
    analysis = maps(1.0, 0.0)
    analysis["uo"] = analysis["uo"] * time
    found = np.interp(np.arange(200) / 24, np.arange(20), time)
    value = scorecard({"a": analysis}, seen, 0.1).value
    assert float(value["correlation"].squeeze()) == pytest.approx(np.corrcoef(found, seen["u"])[0, 1])
    twice = drifters(2 * found + 1, np.zeros(200))
    assert float(scorecard({"a": analysis}, twice, 0.1).value["correlation"].squeeze()) == pytest.approx(1)


def test_crps_without_error_is_that_of_the_scores():
    rng = np.random.default_rng(1)
    seen, members = drifters(*rng.normal(size=(2, 100))), rng.normal(size=(2, 5))
    value = scorecard({"a": maps(*members)}, seen, 0.0).value
    by_hand = [
        float(crps(xr.DataArray(m, dims="member").expand_dims(obs=100), xr.DataArray(o.values, dims="obs")))
        for m, o in zip(members, (seen["u"], seen["v"]), strict=True)
    ]
    assert float(value["crps"].squeeze()) == pytest.approx(np.mean(by_hand))


def test_a_perfect_ensemble_is_told_from_overconfident_ones_in_spite_of_the_error():
    rng = np.random.default_rng(2)
    error, days = 0.3, 400
    true, centre = rng.normal(size=(2, 1, days)), rng.normal(size=(2, 1, days))
    members = centre + 0.5 * rng.normal(size=(2, 9, days))
    truth = (centre + 0.5 * true)[:, 0]
    one = maps(np.ones(9), np.ones(9), days)
    dims = {"member": np.arange(9), "time": one["time"]}
    pack = [xr.DataArray(x, dims, ("member", "time")) for x in members]
    seen = drifters(*(truth + error * rng.normal(size=(2, days))))
    seen["time"] = ("obs", one["time"].values)

    def ensemble(scale):
        u, v = (x.mean("member") + scale * (x - x.mean("member")) for x in pack)
        return one.assign(uo=one["uo"] * u, vo=one["vo"] * v)

    card = scorecard({"right": ensemble(1.0), "sure": ensemble(0.3), "timid": ensemble(3.0)}, seen, error)
    ratio, score = card.value["spread_skill"].squeeze().values, card.value["crps"].squeeze().values
    assert ratio[0] == pytest.approx(1, abs=0.07) and ratio[1] < 0.8 and ratio[2] > 1.5
    assert score[0] < min(score[1:])
    counts = rank_counts(ensemble(1.0), seen, error)
    assert counts.sizes == {"rank": 10} and int(counts.sum()) == 2 * days
    assert ((counts - 80) ** 2 / 80).sum() < 25  # chi-square, 9 degrees of freedom: one in 300
    extremes = [int(rank_counts(ensemble(s), seen, e)[[0, -1]].sum()) for s, e in ((1.0, 0.0), (0.3, error))]
    assert min(extremes) > 1.3 * int(counts[[0, -1]].sum())


def test_all_products_are_scored_where_all_have_a_current():
    seen = drifters(np.ones(48), np.zeros(48))
    late = maps(1.0, 0.0).isel(time=slice(1, None))  # without the first day
    card = scorecard({"late": late, "all": maps(0.0, 0.0)}, seen, 0.1)
    assert int(card.value["observations"].squeeze()) == 24
    np.testing.assert_allclose(card.value["vector_error"].squeeze(), [0, 1], atol=1e-12)


def test_intervals_are_those_of_drifters_not_of_hours():
    """Each drifter's error is one number, all its hours long: the standard error is that of so many drifters."""
    rng = np.random.default_rng(3)
    n, hours = 40, 100
    level = np.abs(rng.normal(1.0, 0.3, n))
    seen = drifters(np.repeat(level, hours), np.zeros(n * hours), [hours] * n)
    card = scorecard({"still": maps(0.0, 0.0)}, seen, 0.1, samples=2000)
    low, high = card.interval()["vector_error"].squeeze().values
    standard_error = level.std(ddof=1) / np.sqrt(n)
    assert float(card.value["vector_error"].squeeze()) == pytest.approx(level.mean())
    assert (high - low) / (2 * 1.96) == pytest.approx(standard_error, rel=0.1)
    # Segments of one drifter go together.
    halves = seen.isel(obs=slice(None)).assign_coords(id=("traj", np.repeat([f"d{i}" for i in range(n // 2)], 2)))
    assert int(scorecard({"a": maps(0.0, 0.0)}, halves, 0.1).value["drifters"].squeeze()) == n // 2


def test_paired_differences_are_sharper_than_the_intervals_they_come_from():
    rng = np.random.default_rng(4)
    n, hours = 30, 50
    level = rng.normal(2.0, 0.5, n)
    seen = drifters(np.repeat(level, hours), np.zeros(n * hours), [hours] * n)
    card = scorecard({"worse": maps(0.0, 0.0), "better": maps(0.1, 0.0)}, seen, 0.1)
    difference = card.difference("better", "worse")["vector_error"].squeeze()
    np.testing.assert_allclose(difference, -0.1, atol=1e-9)
    low, high = card.interval()["vector_error"].squeeze().values
    assert (low[0] < high[1]) and (low[1] < high[0])  # they overlap, and yet all drifters agree
    same = card.difference("better", "better")
    assert float(abs(same).to_dataarray().fillna(0).max()) == 0
    assert list(difference["bound"].values) == ["value", "low", "high"]


def test_groups_split_the_observations():
    speeds = np.array([0.1, 0.2, 0.3, 0.7, 1.5, 0.25])
    seen = drifters(speeds, np.zeros(6), latitude=np.array([34, 36, 36, 40, 40, 40.0]))
    classes = speed_classes(seen)
    assert list(classes) == ["0-0.25 m/s"] * 2 + ["0.25-0.5 m/s", "0.5-1 m/s", "1 m/s and more", "0.25-0.5 m/s"]
    value = scorecard({"still": maps(0.0, 0.0)}, seen, 0.1, classes).value.sel(product="still")
    np.testing.assert_allclose(value["vector_error"].sel(group="0.25-0.5 m/s"), 0.275)
    assert value["observations"].sum() == 6
    boxes = {"south": (33, 35, -65, -55), "jet": (35, 38, 295, 305)}
    assert list(regions(seen, boxes)) == ["south", "jet", "jet", "elsewhere", "elsewhere", "elsewhere"]


def test_error_of_observations_is_what_is_fast():
    """All of the inertial motion, and nothing of a current that changes slowly."""
    hours = np.arange(24 * 30)
    w = 0.2 * np.exp(-1j * coriolis(38.0) * 3600 * hours)
    seen = drifters(0.5 + np.append(w, w).real + 0.001 * np.append(hours, hours), np.append(w, w).imag, [720, 720])
    assert observation_error(seen) == pytest.approx(0.2 / np.sqrt(2), rel=0.03)
    # A day's mean leaves sin(x)/x of it, x = 12 h f, which is negative here.
    x = 12 * 3600 * coriolis(38.0)
    assert observation_error(seen, 24) == pytest.approx(0.2 * (1 - np.sin(x) / x) / np.sqrt(2), rel=0.01)


def test_separation_of_known_currents():
    """The real drifters move with one current, the synthetic ones with another: they part at the difference."""
    hours, speed = 24 * 8 + 1, 0.2
    path = advect(lambda s, lat, lon: np.full((1, 2), speed), 0.0, np.array([35.0]), np.array([-62.0]), hours - 1)
    seen = drifters(np.full(hours, speed), np.full(hours, speed), latitude=path[:, 0, 0], longitude=path[:, 0, 1])
    table = separation({"same": maps(0.2, 0.2), "still": maps(0.0, 0.0), "both": maps([0.2, 0.0], [0.2, 0.0])}, seen)
    assert table["separation"].dims == ("product", "start", "day") and table.sizes["start"] == 4
    one_day = np.hypot(speed, speed) * 86400
    np.testing.assert_allclose(table["separation"].sel(product="same"), 0, atol=1)
    still = table["separation"].sel(product="still")
    np.testing.assert_allclose(still, np.broadcast_to(one_day * np.arange(1, 6), (4, 5)), rtol=2e-3)
    np.testing.assert_allclose(table["displacement"], still, rtol=1e-9)
    np.testing.assert_allclose(table["separation"].sel(product="both"), still / 2, atol=1)
    assert list(table["drifter"].values) == ["d0"] * 4


def test_separation_needs_unbroken_days():
    hours = np.delete(np.arange(24 * 9), 24 * 6)  # a gap on the seventh day
    seen = drifters(np.zeros(hours.size), np.zeros(hours.size)).assign_coords(time=("obs", START + hours * HOUR))
    starts = separation({"a": maps(0.0, 0.0)}, segments(seen, shortest=1)).sizes["start"]
    assert starts == 1  # the first day; the second piece is shorter than five days


def test_bad_input_is_refused(refuses):
    seen = drifters(np.ones(5), np.ones(5))
    with refuses("no products"):
        scorecard({}, seen, 0.1)
    with refuses("none of the 5 observations"):
        scorecard({"a": maps(0.0, 0.0)}, drifters(np.ones(5), np.ones(5), latitude=60.0), 0.1)
    card = scorecard({"a": maps(0.0, 0.0)}, seen, 0.1)
    assert set(METRICS) <= set(card.value)
    with refuses("'b'", "expected one of a"):
        card.difference("a", "b")
    with refuses("19 observations"):
        observation_error(seen)
    with refuses("5 days"):
        separation({"a": maps(0.0, 0.0)}, seen)


# --- Dressed ---------------------------------------------------------------------------------------------------------


def uncertain(count: int = 60, hours: int = 200) -> tuple[xr.Dataset, xr.Dataset, np.ndarray]:
    """A product that errs by 0.1 m/s where its current is slow and by 0.4 where it is fast; drifters in either, and the
    deviations of what they report."""
    rng = np.random.default_rng(5)
    fast = np.arange(count) % 2 == 1
    sigma = np.repeat(np.where(fast, 0.4, 0.1), hours)
    product = maps(0.0, 0.0)
    product["uo"] = product["uo"] + xr.where(product["latitude"] > 38, 1.0, 0.2)
    noise = rng.standard_normal((2, sigma.size))
    u, v = sigma * noise + np.array([np.repeat(np.where(fast, 1.0, 0.2), hours), 0 * sigma])
    return product, drifters(u, v, [hours] * count, np.repeat(np.where(fast, 41.0, 35.0), hours)), sigma


def test_a_dressed_product_has_the_score_of_its_true_spread():
    """The expected CRPS of N(0, s^2) is s / sqrt(pi); as delivered the product is scored as if it erred by the
    observations' error alone, here next to nothing: by its mean absolute error, s sqrt(2 / pi)."""
    product, seen, sigma = uncertain()
    card = scorecard({"map": product}, seen, 1e-3, samples=20, without_spread=["map"])
    value = card.value.isel(group=0)
    assert list(value["product"].values) == ["map", "map, dressed"]
    crps = value["crps"].values
    assert crps[1] == pytest.approx(sigma.mean() / np.sqrt(np.pi), rel=0.02)
    assert crps[0] == pytest.approx(sigma.mean() * np.sqrt(2 / np.pi), rel=0.02)
    assert value["spread_skill"].values[1] == pytest.approx(1, abs=0.05) and value["spread_skill"].values[0] < 0.01
    assert value["vector_error"].values[0] == value["vector_error"].values[1]
    # One spread for all would score worse than the classes do.
    single = float(
        scorecard({"map": product}, seen, float(np.sqrt((sigma**2).mean())), samples=2).value["crps"].squeeze()
    )
    assert crps[1] < 0.95 * single


def test_a_spread_is_fitted_on_drifters_that_it_does_not_judge():
    """A half whose errors are doubled gets the deviation of the other, and the other way round."""
    rng = np.random.default_rng(6)
    half = halves(40)
    assert half.sum() == 20 and (half == halves(40)).all() and halves(3).sum() == 1
    drifter = np.repeat(np.arange(40), 500)
    scale = np.where(half, 0.2, 0.4)[drifter]
    departures = scale * rng.standard_normal((2, drifter.size))
    sigma = cross_fitted(departures, {"speed": np.zeros(drifter.size)}, half[drifter])
    np.testing.assert_allclose(sigma[half[drifter]], 0.4, rtol=0.02)
    np.testing.assert_allclose(sigma[~half[drifter]], 0.2, rtol=0.02)


def test_halves_are_of_drifters_not_of_segments_or_hours():
    """Two segments of one drifter, two drifters: the one errs by 0.2, the other by 0.4, each hour the same."""
    seen = drifters(np.repeat([0.2, 0.2, 0.4], 100), np.zeros(300), [100] * 3)
    seen = seen.assign_coords(id=("traj", ["a", "a", "b"]))
    card = scorecard({"still": maps(0.0, 0.0)}, seen, 0.05, samples=5, without_spread=["still"])
    errors, other = np.array([[0.2, 0.0], [0.4, 0.0]]), (1, 0)

    def gauss(x, s):
        z = x / s
        return s * (z * erf(z / np.sqrt(2)) + np.sqrt(2 / np.pi) * np.exp(-(z**2) / 2) - 1 / np.sqrt(np.pi))

    by_hand = [gauss(errors[k], best_sigma(errors[other[k]])).mean() for k in (0, 0, 1)]
    assert float(card.value["crps"].sel(product="still, dressed").squeeze()) == pytest.approx(
        np.mean(by_hand), rel=1e-4
    )
    alone = drifters(np.ones(50), np.zeros(50))
    assert list(
        scorecard({"still": maps(0.0, 0.0)}, alone, 0.1, samples=2, without_spread=["still"]).value["product"]
    ) == ["still"]


def test_an_ensemble_is_ahead_of_a_dressed_product_only_by_what_it_knows():
    """Against a product as delivered any spread wins; against a dressed one an ensemble of the same mean does not."""
    product, seen, _ = uncertain()
    rng = np.random.default_rng(7)
    members = xr.DataArray(rng.standard_normal(200), dims="member")
    members = (members - members.mean()) / members.std(ddof=1)
    scale = xr.where(product["latitude"] > 38, 0.4, 0.1)
    ensemble = product.map(lambda field: field + scale * members)
    card = scorecard({"map": product, "ensemble": ensemble}, seen, 1e-3, samples=200, without_spread=["map"])
    delivered, worn = (card.difference("ensemble", name)["crps"].squeeze() for name in ("map", "map, dressed"))
    assert float(delivered.sel(bound="high")) < -0.02
    assert abs(float(worn.sel(bound="value"))) < -0.2 * float(delivered.sel(bound="value"))
