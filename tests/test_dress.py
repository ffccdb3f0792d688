"""A spread for products without an ensemble: what is fitted is what minimizes the score, class by class."""

import numpy as np
import pytest
import xarray as xr

from genda_lite.verify.dress import best_sigma, fit
from genda_lite.verify.scores import observed_crps


def gaussian_errors(count: int = 40_000, seed: int = 0) -> tuple[np.ndarray, dict, np.ndarray]:
    """Errors whose deviation depends on two features, which depend on each other; and the deviation."""
    rng = np.random.default_rng(seed)
    near = rng.integers(0, 3, count)
    steep = rng.exponential(size=count) + near
    sigma = np.choose(near, [0.4, 0.2, 0.1]) * np.where(steep > 1.5, 4.0, 1.0)
    return sigma * rng.standard_normal(count), {"near": near, "gradient": steep}, sigma


def score(error: np.ndarray, sigma: np.ndarray | float) -> float:
    sigma = xr.DataArray(np.broadcast_to(sigma, error.shape), dims="point")
    return float(observed_crps(xr.DataArray(error[None], dims=("member", "point")), 0 * sigma, sigma))


def test_the_crps_of_a_gaussian_of_known_deviation():
    """E CRPS of N(0, s^2), if that is the truth's distribution, is s / sqrt(pi)."""
    error, _, sigma = gaussian_errors()
    assert score(error, sigma) == pytest.approx(sigma.mean() / np.sqrt(np.pi), rel=0.01)
    assert score(error, 1e-12) == pytest.approx(abs(error).mean(), rel=1e-6)  # as delivered


def test_a_deviation_minimizes_the_score_whatever_the_errors_are():
    rng = np.random.default_rng(1)
    for error in (rng.standard_normal(3000), rng.standard_t(2, 3000), rng.laplace(1.0, 1.0, 3000)):
        best = best_sigma(error)
        least = score(error, best)
        assert all(least < score(error, factor * best) for factor in (0.9, 0.97, 1.03, 1.1))
    tails = rng.standard_t(2, 30_000)
    assert score(tails, best_sigma(tails)) < score(tails, tails.std())  # than the root mean square
    assert best_sigma(0.3 * rng.standard_normal(50_000)) == pytest.approx(0.3, rel=0.02)
    assert best_sigma(np.zeros(4)) == 0.0


def test_the_error_of_what_is_observed_is_not_the_estimates():
    rng = np.random.default_rng(2)
    seen = np.hypot(0.3, 0.4) * rng.standard_normal(50_000)
    assert best_sigma(seen, 0.4) == pytest.approx(0.3, rel=0.05)
    assert best_sigma(0.1 * seen, 0.4) == 0.0


def test_classes_know_where_errors_are_large():
    error, features, sigma = gaussian_errors()
    fitted = fit(error, features)
    assert set(fitted.table) == {f"{name} {end}" for name in features for end in ("above", "to")} | {"sigma", "points"}
    assert fitted.table["points"].sum() == len(error) and len(fitted.table) > 8
    other, features, sigma = gaussian_errors(seed=3)
    found = fitted(**features)
    assert np.isfinite(found).all()
    ideal, single = score(other, sigma), score(other, best_sigma(error))
    assert ideal < score(other, found) < ideal + 0.5 * (single - ideal)


def test_every_point_has_a_class():
    error, features, _ = gaussian_errors(500)
    fitted = fit(error, features)
    beyond = fitted(near=np.array([[-9.0, 99.0], [np.inf, np.nan]]), gradient=np.zeros((2, 2)))
    assert beyond.shape == (2, 2) and np.isfinite(beyond).tolist() == [[True, True], [True, False]]
    distance = np.where(features["near"] > 0, np.inf, 1.0)  # nothing is observed at all
    assert fit(error, {"distance": distance}).table["sigma"].is_monotonic_decreasing
    alike = fit(error, {"near": np.zeros(500)})
    assert len(alike.table) == 1 and alike.table["sigma"].item() == best_sigma(error)


def test_what_is_missing_does_not_count():
    error, features, _ = gaussian_errors(500)
    fitted = fit(error, features)
    more = {name: np.append(values, [np.nan, 1.0]) for name, values in features.items()}
    assert fit(np.append(error, [9.0, np.nan]), more).table.equals(fitted.table)


def test_what_cannot_be_dressed_is_said(refuses):
    error, features, _ = gaussian_errors(50)
    with refuses("near has shape (49,)", "(50,)"):
        fit(error, {"near": features["near"][1:]})
    with refuses("at least one point"):
        fit(np.full(50, np.nan), features)
    with refuses("near, gradient", "got speed"):
        fit(error, features)(speed=np.zeros(3))
