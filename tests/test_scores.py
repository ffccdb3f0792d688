"""Scores: exact against their definitions, and right on ensembles whose quality is known."""

import math

import numpy as np
import pytest
import xarray as xr

from genda_lite.errors import InputError
from genda_lite.verify import crps, rank_histogram, rmse, spread, spread_skill_ratio
from genda_lite.verify.scores import averages, grid_scores, observed_crps, rank_distance


def draw(
    members: int, points: int, deflation: float = 1.0, seed: int = 0
) -> tuple[xr.DataArray, xr.DataArray]:
    """Members and truth from one Gaussian at each point, about a known mean; the members' deviations
    deflated."""
    rng = np.random.default_rng(seed)
    centre = rng.normal(15.0, 5.0, points)
    ensemble = centre + deflation * rng.normal(size=(members, points))
    truth = centre + rng.normal(size=points)
    attrs = {"units": "degC", "long_name": "temperature"}
    return xr.DataArray(ensemble, dims=("member", "x"), attrs=attrs), xr.DataArray(
        truth, dims="x", attrs=attrs
    )


def fair_crps_by_definition(ensemble: xr.DataArray, truth: xr.DataArray) -> xr.DataArray:
    size = ensemble.sizes["member"]
    pairs = abs(ensemble - ensemble.rename(member="other")).sum(("member", "other"))
    return abs(ensemble - truth).mean("member") - pairs / (2 * size * (size - 1))


def test_rmse_by_hand():
    truth = xr.DataArray([[0.0, 0.0], [0.0, np.nan]], dims=("y", "x"), attrs={"units": "m"})
    analysis = xr.DataArray([[3.0, 4.0], [5.0, 1.0]], dims=("y", "x"))
    assert float(rmse(analysis, truth)) == pytest.approx(math.sqrt(50 / 3))
    np.testing.assert_allclose(rmse(analysis, truth, dim="x"), [math.sqrt(12.5), 5.0])
    np.testing.assert_allclose(rmse(analysis, truth, dim=()), [[3.0, 4.0], [5.0, np.nan]])
    assert float(rmse(analysis, truth, where=analysis < 4)) == 3.0
    assert np.isnan(rmse(analysis, truth, where=analysis > 9))
    assert rmse(analysis, truth).attrs == {"units": "m"}


@pytest.mark.parametrize("members", [2, 3, 10])
def test_crps_is_its_double_sum(members):
    ensemble, truth = draw(members, 50)
    np.testing.assert_allclose(
        crps(ensemble, truth, dim=()), fair_crps_by_definition(ensemble, truth), atol=1e-12
    )
    # The position of the member dimension does not matter, nor its name.
    turned = ensemble.transpose().rename(member="realization")
    np.testing.assert_allclose(crps(turned, truth, "realization"), crps(ensemble, truth))


def test_crps_is_unbiased_in_the_ensemble_size():
    """The mean score over all sub-ensembles equals the score of the whole, exactly: the mark of a fair
    score."""
    ensemble, truth = draw(6, 20)
    pairs = [crps(ensemble.isel(member=[i, j]), truth) for i in range(6) for j in range(i)]
    assert float(np.mean(pairs)) == pytest.approx(float(crps(ensemble, truth)), abs=1e-12)


@pytest.mark.parametrize("members", [2, 5, 40])
def test_crps_of_a_gaussian_ensemble_is_the_closed_form(members):
    """Members N(0, 1), truth z: CRPS = z (2 Phi(z) - 1) + 2 phi(z) - 1/sqrt(pi) (Gneiting et al. 2005)."""
    count, z = 20_000, 0.7
    rng = np.random.default_rng(1)
    ensemble = xr.DataArray(rng.normal(size=(members, count)), dims=("member", "x"))
    truth = xr.DataArray(np.full(count, z), dims="x")
    phi, cdf = math.exp(-z * z / 2) / math.sqrt(2 * math.pi), (1 + math.erf(z / math.sqrt(2))) / 2
    scores = crps(ensemble, truth, dim=())
    standard_error = float(scores.std()) / math.sqrt(count)
    assert float(scores.mean()) == pytest.approx(
        z * (2 * cdf - 1) + 2 * phi - 1 / math.sqrt(math.pi), abs=4 * standard_error
    )


def test_spread_averages_variances():
    ensemble = xr.DataArray([[0.0, 0.0], [2.0, 4.0]], dims=("member", "x"), attrs={"units": "m"})
    np.testing.assert_allclose(spread(ensemble, dim=()), [math.sqrt(2), math.sqrt(8)])
    assert float(spread(ensemble)) == pytest.approx(math.sqrt(5))
    assert spread(ensemble).attrs == {"units": "m"}


@pytest.mark.parametrize("members", [2, 5, 30])
def test_spread_skill_ratio_of_calibrated_and_overconfident_ensembles(members):
    assert float(spread_skill_ratio(*draw(members, 40_000))) == pytest.approx(1.0, abs=0.015)
    assert float(spread_skill_ratio(*draw(members, 40_000, deflation=0.5))) < 0.75
    assert spread_skill_ratio(*draw(members, 10)).attrs == {"units": "1"}


@pytest.mark.parametrize("members", [2, 5])
def test_averages_judge_the_spread_as_the_ratio_does(members):
    """With the sampling error of the mean of few members: a factor of 1.22 for two, 1.10 for five."""
    ensemble, truth = (one.rename("zos").expand_dims(latitude=1).rename(x="longitude") for one in draw(members, 4000))
    found = averages(grid_scores(ensemble.to_dataset(), truth.to_dataset()).squeeze(), members)
    assert float(found["spread_skill"]) == pytest.approx(float(spread_skill_ratio(ensemble, truth)))
    assert float(found["spread_skill"]) == pytest.approx(1, abs=0.05)


def test_rank_histogram_is_flat_if_calibrated_and_u_shaped_if_overconfident():
    members, points = 9, 20_000
    expected = points / (members + 1)
    calibrated = rank_histogram(*draw(members, points))
    assert calibrated.dims == ("rank",) and int(calibrated.sum()) == points
    assert float((((calibrated - expected) ** 2) / expected).sum()) < 27.9  # chi-squared, 0.1 %
    overconfident = rank_histogram(*draw(members, points, deflation=0.5)) / expected
    assert overconfident[0] > 1.5 and overconfident[-1] > 1.5 and overconfident[5] < 0.8


def test_the_distance_of_ranks_from_flat_tells_what_a_ratio_hides():
    """Half of the points too wide, the others too sure of themselves: in the mean spread is error, and yet."""
    members, points = 9, 40_000
    ensemble, truth = draw(members, points)
    assert float(rank_distance(rank_histogram(ensemble, truth) / points)) < 0.01
    centre, scale = ensemble.mean("member"), np.where(np.arange(points) < points // 2, 1.3, 0.4)
    mixed = centre + (ensemble - centre) * xr.DataArray(scale / np.sqrt((scale**2).mean()), dims="x")
    assert float(spread_skill_ratio(mixed, truth)) == pytest.approx(1, abs=0.02)
    assert float(rank_distance(rank_histogram(mixed, truth) / points)) > 0.08
    by_hand = xr.DataArray([[0, 0, 1, 0], [0.5, 0, 0, 0.5], [0.25] * 4], dims=("case", "rank"))
    assert rank_distance(by_hand).values.tolist() == [0.75, 0.5, 0.0]


def test_ties_are_ranked_at_random_with_a_seed():
    ensemble = xr.DataArray(np.zeros((4, 5_000)), dims=("member", "x"))
    truth = xr.DataArray(np.zeros(5_000), dims="x")
    counts = rank_histogram(ensemble, truth)
    assert (abs(counts - 1_000) < 150).all()
    assert counts.equals(rank_histogram(ensemble, truth)) and not counts.equals(
        rank_histogram(ensemble, truth, seed=1)
    )


@pytest.mark.parametrize("score", [crps, spread_skill_ratio, rank_histogram])
def test_missing_values_and_masks_leave_points_out(score):
    ensemble, truth = draw(4, 6)
    kept = score(ensemble.isel(x=slice(0, 4)), truth.isel(x=slice(0, 4)))
    holes = ensemble.copy()
    holes[2, 5] = np.nan
    missing = score(holes, truth.where(np.arange(6) != 4))
    masked = score(ensemble, truth, where=xr.DataArray(np.arange(6) < 4, dims="x"))
    if score is not rank_histogram:  # its random numbers are drawn for other points
        np.testing.assert_allclose(missing, kept)
    assert missing.notnull().all() and missing.sum() == pytest.approx(float(kept.sum()))
    np.testing.assert_allclose(masked, missing)


def test_datasets_are_scored_variable_by_variable():
    ensemble, truth = draw(5, 30)
    both, real = xr.Dataset({"a": ensemble, "b": 2 * ensemble}), xr.Dataset({"a": truth, "b": 2 * truth})
    for score in (crps, spread_skill_ratio, rank_histogram):
        np.testing.assert_allclose(score(both, real)["a"], score(ensemble, truth))
    assert float(rmse(both, real)["b"]) == pytest.approx(2 * float(rmse(ensemble, truth)))
    assert crps(both, real)["a"].attrs == {"units": "degC"}
    with pytest.raises(InputError, match="have variables"):
        rmse(both, real[["a"]])


def test_other_grids_and_single_members_are_refused():
    ensemble, truth = draw(3, 4)
    here, there = truth.assign_coords(x=range(4)), ensemble.assign_coords(x=range(1, 5))
    for score in (rmse, crps, spread_skill_ratio, rank_histogram):
        with pytest.raises(InputError, match="different grids"):
            score(there, here)
    for score in (crps, spread_skill_ratio, rank_histogram):
        with pytest.raises(InputError, match="at least two"):
            score(ensemble.isel(member=[0]), truth)
        with pytest.raises(InputError, match="expected 'member'"):
            score(truth, truth)
        with pytest.raises(InputError, match="single field"):
            score(ensemble, ensemble)


def test_coordinates_that_differ_by_rounding_are_the_same_grid():
    latitude = np.arange(3) / 12
    field = xr.DataArray(np.arange(3.0), {"latitude": latitude})
    assert float(rmse(field, field.assign_coords(latitude=latitude + 1e-12))) == 0
    with pytest.raises(InputError):
        rmse(field, field.assign_coords(latitude=latitude + 1e-3))


@pytest.mark.parametrize("score", [rmse, crps, spread_skill_ratio])
def test_a_truth_may_know_which_ocean_it_is(score):
    ensemble, truth = draw(8, 20)
    ensemble = ensemble.assign_coords(member=range(8))
    assert float(score(ensemble, truth.assign_coords(member=3))) == float(score(ensemble, truth))


def test_ranks_are_those_of_the_scores_library():
    """Which has no ranks for ties at random, nor points that are left out."""
    from scores.probability import rank_histogram as library

    ensemble, truth = draw(9, 500, deflation=0.7)
    ours = rank_histogram(ensemble, truth)
    np.testing.assert_allclose(ours / ours.sum(), library(ensemble, truth, "member"))


def test_crps_with_observation_error_is_that_of_noisy_members():
    """The closed form is the expectation over the noise of the fair score of members to which it is added."""
    ensemble, truth = draw(4, 3)
    error, rng = 0.7, np.random.default_rng(1)
    noise = xr.DataArray(error * rng.normal(size=(4, 3, 20000)), dims=("member", "x", "draw"))
    drawn = crps(ensemble + noise, truth.broadcast_like(noise.isel(member=0)), dim="draw")
    np.testing.assert_allclose(observed_crps(ensemble, truth, error, dim=()), drawn, atol=0.015)


def test_crps_with_observation_error_in_its_limits():
    ensemble, truth = draw(5, 20)
    np.testing.assert_allclose(observed_crps(ensemble, truth, 0.0, dim=()), crps(ensemble, truth, dim=()), atol=1e-12)
    one = ensemble.isel(member=[0])
    np.testing.assert_allclose(observed_crps(one, truth, 0.0, dim=()), abs(one[0] - truth), atol=1e-12)
    # One member is a Gaussian: sigma (z (2 Phi(z) - 1) + 2 phi(z) - 1 / sqrt(pi)), Gneiting et al. (2005).
    z = (truth - one[0]).values / 0.5
    phi, cdf = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi), np.array([0.5 * math.erfc(-x / math.sqrt(2)) for x in z])
    expected = 0.5 * (z * (2 * cdf - 1) + 2 * phi - 1 / math.sqrt(math.pi))
    np.testing.assert_allclose(observed_crps(one, truth, 0.5, dim=()), expected, atol=1e-12)
    assert observed_crps(one, truth, 0.5).attrs == {"units": "degC"}


def test_crps_with_observation_error_is_best_for_the_true_distribution():
    """Members drawn as the truth is: knowing the error scores them best; without it a wider ensemble would win."""
    rng = np.random.default_rng(2)
    observed = xr.DataArray(rng.normal(size=4000) + rng.normal(size=4000), dims="x")
    members = xr.DataArray(rng.normal(size=(10, 4000)), dims=("member", "x"))
    knowing = [float(observed_crps(scale * members, observed, 1.0)) for scale in (0.7, 1.0, 1.4)]
    blind = [float(crps(scale * members, observed)) for scale in (1.0, 1.4)]
    assert knowing[1] == min(knowing) and blind[1] < blind[0]


def test_crps_agrees_with_the_scores_library():
    library = pytest.importorskip("scores.probability")
    ensemble, truth = draw(6, 30)
    theirs = library.crps_for_ensemble(ensemble, truth, "member", method="fair", preserve_dims="all")
    np.testing.assert_allclose(crps(ensemble, truth, dim=()), theirs, atol=1e-12)


def test_observation_error_must_be_one(refuses):
    ensemble, truth = draw(2, 3)
    for error in (-1.0, math.nan):
        with refuses("error", "at least 0"):
            observed_crps(ensemble, truth, error)
