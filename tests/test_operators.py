"""Observation operators: every adjoint is one, smooth maps are means, and what is no linear map is refused."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from genda_lite.observe.likelihood import Likelihood, LinearGaussian, LinearObservations
from genda_lite.observe.operators import Blurred, Linear, Points, Stacked, check_adjoint
from genda_lite.observe.table import Observations
from genda_lite.state import CHANNELS, KM_PER_DEGREE, Grid

DATE = np.datetime64("2010-03-01")
GRID = Grid.around(-60.0, 38.0, (16, 20))
SHAPE = (len(CHANNELS), 16, 20)


def scattered(count: int = 30, channel: int = 0, seed: int = 0) -> Points:
    rng = np.random.default_rng(seed)
    where = (rng.uniform(v[0], v[-1], count) for v in (GRID.latitude, GRID.longitude))
    return Points(GRID, np.full(count, channel), *where, len(CHANNELS))


def nodes(channel: int = 0) -> Points:
    rows, columns = (a.ravel() for a in np.indices(GRID.shape))
    where = GRID.latitude[rows], GRID.longitude[columns]
    return Points(GRID, np.full(len(rows), channel), *where, len(CHANNELS))


def both() -> Stacked:
    order = np.random.default_rng(0).permutation(50)
    return Stacked([scattered(30), Blurred(scattered(20, 2), GRID, 20.0)], [order[:30], order[30:]])


OPERATORS = {
    "points": scattered,
    "smooth": lambda: Blurred(scattered(), GRID, 25.0),
    "several": both,
    "linear": lambda: Linear(lambda x: x.mean((2, 3)), lambda y: y[..., None, None].expand(-1, *SHAPE) / 320, SHAPE),
}


@pytest.mark.parametrize("kind", OPERATORS)
def test_adjoint_is_the_transpose(kind):
    operator = OPERATORS[kind]()
    size = int(np.prod(SHAPE))
    forward = operator(torch.eye(size).view(size, *SHAPE))  # (size, m): H'
    m = forward.shape[1]
    torch.testing.assert_close(operator.adjoint(torch.eye(m)).flatten(1), forward.T, atol=1e-6, rtol=0)
    assert check_adjoint(operator) == pytest.approx(float(forward.square().sum() / m), rel=0.5)


def test_smooth_values_are_gaussian_means():
    """In the middle the kernel is scipy's; a constant stays what it is up to the edges."""
    smooth = Blurred(nodes(), GRID, 12.0)
    x = torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(0))
    steps = [KM_PER_DEGREE / 12, KM_PER_DEGREE / 12 * np.cos(np.radians(GRID.latitude.mean()))]
    expected = gaussian_filter(x[0, 0].numpy(), [12.0 / s for s in steps], truncate=8, mode="constant")
    seen = smooth(x)[0].view(16, 20)
    np.testing.assert_allclose(seen[8, 10], expected[8, 10], atol=1e-4)
    torch.testing.assert_close(smooth(torch.ones(1, *SHAPE)), torch.ones(1, 320), atol=1e-5, rtol=0)
    assert float(smooth(x).std()) < 0.5 * float(x[:, 0].std())


def test_several_operators_keep_their_places():
    operator, x = both(), torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(0))
    values = operator(x)
    for part, place in zip(operator.parts, operator.places, strict=True):
        torch.testing.assert_close(values[:, place], part(x))


def test_linear_maps_have_rows_of_unit_length():
    linear = OPERATORS["linear"]()
    rows = linear.adjoint(torch.eye(len(CHANNELS)))
    torch.testing.assert_close(rows.flatten(1).norm(dim=1), torch.ones(len(CHANNELS)), rtol=0.3, atol=0)


def first(x):
    return x[:, 0].flatten(1)


def into_first(y):
    x = torch.zeros(len(y), *SHAPE)
    x[:, 0] = y.unflatten(1, SHAPE[1:])
    return x


BAD_MAPS = {
    "wrong adjoint": (first, lambda y: into_first(y).roll(1, -1), "dot-product test"),
    "adjoint of another sign": (first, lambda y: -into_first(y), "dot-product test"),
    "adjoint of another size": (first, lambda y: 1.01 * into_first(y), "dot-product test"),
    "not linear": (lambda x: first(x) ** 2, into_first, "not linear"),
    "with a constant": (lambda x: first(x) + 1, into_first, "not linear"),
    "blind": (lambda x: 0 * first(x), lambda y: 0 * into_first(y), "sees nothing"),
    "values of another shape": (lambda x: x[:, 0], lambda y: y, "expected"),
    "adjoint into another shape": (first, lambda y: y, "expected"),
    "broken": (lambda x: x @ torch.ones(3, 3), into_first, "cannot be applied"),
}


@pytest.mark.parametrize("case", BAD_MAPS)
def test_bad_maps_are_refused(case, refuses):
    forward, adjoint, told = BAD_MAPS[case]
    with refuses(told, "expected"):
        Linear(forward, adjoint, SHAPE)


BAD_VALUES = {
    "missing": ([0.1, np.nan], 0.1, ("1 of 2", "missing", "expected")),
    "no error": ([0.1, 0.2], 0.0, ("errors must be positive", "0")),
    "errors of another shape": ([0.1, 0.2], np.ones(3), ("(3,)", "(2,)")),
    "none": ([], 0.1, ("(0,)", "expected")),
}


@pytest.mark.parametrize("case", BAD_VALUES)
def test_bad_linear_observations(case, refuses):
    value, error, words = BAD_VALUES[case]
    with refuses(*words):
        LinearObservations(first, into_first, value, error)


def test_linear_observations_count_their_values(standardizer, refuses):
    table = some_points(10)
    with refuses("320 values", "the 5 observed"):
        Likelihood(table, GRID, standardizer, DATE, [LinearObservations(first, into_first, np.zeros(5), 0.1)])


def some_points(count: int, smoothing: float = 0.0) -> Observations:
    rng = np.random.default_rng(1)
    latitude, longitude = (rng.uniform(v[0], v[-1], count) for v in (GRID.latitude, GRID.longitude))
    value, error, time = rng.normal(15, 2, count), np.full(count, 0.3), np.datetime64("NaT")
    return Observations._table("thetao", latitude, longitude, value, error, time, None, "points", smoothing)


def test_linear_map_is_bound_like_the_table(standardizer):
    """The same points, told as a linear map in physical units, have the same y, H and R but for the common factor."""
    table = some_points(10)
    points = Points(GRID, np.full(10, 1), table.latitude, table.longitude, len(CHANNELS))
    linear = LinearObservations(points, points.adjoint, table.value, table.error)
    bound = Likelihood(table, GRID, standardizer, DATE, [linear])
    x = torch.randn(3, *SHAPE, generator=torch.Generator().manual_seed(0))
    values = bound.operator(x)
    gain = (bound.variance[10:] / bound.variance[:10]).sqrt()
    torch.testing.assert_close(values[:, 10:], gain * values[:, :10], atol=1e-4, rtol=0)
    # The table reads the climatology at the point, a map on the grid: they agree as far as it is linear between cells.
    torch.testing.assert_close(bound.value[10:], gain * bound.value[:10], atol=2e-3, rtol=0)
    y = torch.randn(2, 20, generator=torch.Generator().manual_seed(1))
    left, right = (bound.operator(x[:2]) * y).sum(1), (x[:2] * bound.operator.adjoint(y)).flatten(1).sum(1)
    torch.testing.assert_close(left, right, atol=1e-4, rtol=1e-5)


def test_smooth_observations_see_a_smooth_climatology(standardizer):
    """The climatology itself, seen by the smooth map, is no anomaly; by the points it would be one."""
    smooth = some_points(40, smoothing=60.0)
    climatology = standardizer.climatology(GRID.latitude, DATE)
    field = torch.from_numpy(climatology[None, :, :, None].repeat(20, -1) / standardizer.scale[:, None, None]).float()
    points = Points(GRID, np.full(40, 1), smooth.latitude, smooth.longitude, len(CHANNELS))
    seen = Blurred(points, GRID, 60.0)(field)[0].double().numpy() * standardizer.scale[1]
    told = Observations(**{**smooth.__dict__, "value": seen})
    assert abs(Likelihood(told, GRID, standardizer, DATE).value).max() < 1e-4
    sharp = Observations(**{**told.__dict__, "smoothing": np.zeros(40)})
    assert abs(Likelihood(sharp, GRID, standardizer, DATE).value).max() > 0.02


def test_precision_inverts_the_error_covariance():
    generator = torch.Generator().manual_seed(0)
    shared = torch.randn(2, 30, generator=generator)
    likelihood = LinearGaussian(scattered(), torch.zeros(30), torch.rand(30, generator=generator) + 0.1, shared)
    v = torch.randn(3, 30, generator=generator)
    torch.testing.assert_close(likelihood.precision(likelihood.covariance(v)), v, atol=1e-3, rtol=0)
    more = likelihood.covariance(v) + 0.5 * v
    torch.testing.assert_close(likelihood.precision(more, extra=0.5), v, atol=1e-3, rtol=0)


def test_negative_smoothing_is_refused(refuses):
    with refuses("smoothing", "-1"):
        Observations._table("zos", *np.zeros((3, 1)), np.ones(1), np.datetime64("NaT"), None, "map", smoothing=-1.0)


def test_stacked_tables_are_summed(standardizer):
    """Points and smooth values in one table: H is that of each, in the table's order."""
    table = some_points(6) + some_points(6, smoothing=30.0)
    bound = Likelihood(table, GRID, standardizer, DATE)
    x = torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(0))
    sharp, smooth = bound.operator(x)[0, :6], bound.operator(x)[0, 6:]
    points = Points(GRID, np.full(6, 1), table.latitude[:6], table.longitude[:6], len(CHANNELS))
    torch.testing.assert_close(sharp, points(x)[0])
    torch.testing.assert_close(smooth, Blurred(points, GRID, 30.0)(x)[0])
    assert bound.observed_channels == [1]
    torch.testing.assert_close(bound.observed_operator(x[:, [1]]), bound.operator(x))


