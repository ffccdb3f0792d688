"""Observations: H and its transpose, the unknown constant in R, simulated instruments, and input to be refused."""

from itertools import pairwise

import numpy as np
import pytest
import torch
import xarray as xr

from genda_lite.errors import InputError
from genda_lite.observe.instruments import altimeter_tracks, clear_sky, sample_points
from genda_lite.observe.likelihood import Likelihood
from genda_lite.observe.table import Observations
from genda_lite.prior import GaussianPrior
from genda_lite.state import CHANNELS, VARIABLES, Grid, channel_index

DATE = np.datetime64("2010-03-01")


def field(grid: Grid, values=None, channel: str = "thetao", **attrs) -> xr.DataArray:
    values = np.random.default_rng(0).normal(15, 2, grid.shape) if values is None else values
    coords = {"latitude": grid.latitude, "longitude": grid.longitude}
    attrs = {"units": VARIABLES[channel]["units"]} | attrs
    return xr.DataArray(values, coords, ("latitude", "longitude"), channel, attrs)


def scattered(grid: Grid, number: int = 40, name: str = "zos", seed: int = 1) -> xr.Dataset:
    """Random values at random points of a grid."""
    rng = np.random.default_rng(seed)
    points = xr.Dataset({name: ("point", rng.normal(0, 0.3, number), {"units": VARIABLES[name]["units"]})})
    for axis in ("latitude", "longitude"):
        values = getattr(grid, axis)
        points[axis] = ("point", rng.uniform(values[0], values[-1], number))
    return points


def two_sources(grid: Grid) -> Observations:
    """Two altimeters of different quality, and a cloudy temperature map."""
    clear = clear_sky(grid, 0.6, seed=2)
    return (
        Observations.from_points(scattered(grid, 30), "zos", 0.03)
        + Observations.from_points(scattered(grid, 20, seed=3), "zos", 0.05, reference_error=0.4)
        + Observations.from_grid(field(grid), "thetao", 0.5, clear)
    )


SETS = {
    "points": lambda grid: Observations.from_points(scattered(grid), "zos", 0.03),
    "map": lambda grid: Observations.from_grid(field(grid), "thetao", 0.5, clear_sky(grid, 0.5)),
    "mixed": two_sources,
}


# --- The operator ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", SETS)
def test_adjoint(kind, grid, standardizer):
    observations = SETS[kind](grid)
    observe = Likelihood(observations, grid, standardizer, DATE).operator
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(3, len(CHANNELS), *grid.shape, generator=generator)
    y = torch.randn(3, len(observations), generator=generator)
    hx, hty = observe(x), observe.adjoint(y)
    assert hx.shape == y.shape and hty.shape == x.shape
    left, right = (hx * y).flatten(1).sum(1), (x * hty).flatten(1).sum(1)
    size = hx.norm(dim=1) * y.norm(dim=1)
    assert ((left - right).abs() / size).max() < 1e-5


def test_linear_fields_are_observed_exactly(grid, standardizer):
    points = scattered(grid, 200)
    observe = Likelihood(Observations.from_points(points, "zos", 0.1), grid, standardizer, DATE).operator

    def plane(latitude, longitude):
        return 2.0 + 3.0 * (latitude - 38) - 5.0 * (longitude + 60)

    x = torch.zeros(1, len(CHANNELS), *grid.shape)
    x[0, 0] = torch.from_numpy(plane(grid.latitude[:, None], grid.longitude))
    x[0, 1] = 99.0  # another channel must not leak in
    np.testing.assert_allclose(observe(x)[0], plane(points["latitude"], points["longitude"]), atol=2e-5)


def test_grid_nodes_are_observed_exactly(grid, standardizer):
    """Every node, edges and corners too, in the order of the map."""
    observations = Observations.from_grid(field(grid, channel="vas"), "vas", 0.1)  # the last channel: nothing beyond it
    observe = Likelihood(observations, grid, standardizer, DATE).operator
    x = torch.randn(2, len(CHANNELS), *grid.shape, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(observe(x), x[:, channel_index("vas")].flatten(1), atol=1e-5, rtol=0)


def test_observing_a_state_gives_back_its_values(grid, standardizer):
    """Values, climatology and scale agree with the standardizer's own way from physical units."""
    members = torch.randn(1, len(CHANNELS), *grid.shape, generator=torch.Generator().manual_seed(4))
    truth = standardizer.to_dataset(members, grid, DATE).isel(member=0)
    for channel in ("zos", "thetao"):
        likelihood = Likelihood(Observations.from_grid(truth[channel], channel, 0.1), grid, standardizer, DATE)
        torch.testing.assert_close(likelihood.value, likelihood.operator(members)[0], atol=1e-4, rtol=0)
        scale = standardizer.scale[channel_index(channel)]
        np.testing.assert_allclose(likelihood.variance, (0.1 / scale) ** 2, rtol=1e-5)


def test_map_of_any_orientation(grid):
    upright = Observations.from_grid(field(grid), "thetao", 0.5, clear_sky(grid, 0.5))
    turned = Observations.from_grid(field(grid).T, "thetao", 0.5, clear_sky(grid, 0.5))
    a, b = (o.to_dataset().to_dataframe().sort_values(["latitude", "longitude"]) for o in (upright, turned))
    np.testing.assert_array_equal(a[["value", "latitude", "longitude"]], b[["value", "latitude", "longitude"]])


# --- The unknown constant --------------------------------------------------------------------------------------------


def test_error_covariance_is_the_dense_one(grid, standardizer):
    """R = diag(error^2) + s^2 1 1' within each source, in units of the channel's scale."""
    observations = two_sources(grid)
    likelihood = Likelihood(observations, grid, standardizer, DATE)
    scale = standardizer.scale[[channel_index(c) for c in observations.channel]]
    dense = np.diag((observations.error / scale) ** 2)
    for first, last, s in ((0, 30, 1.0), (30, 50, 0.4)):  # a metre by default; temperature has no unknown reference
        dense[first:last, first:last] += (s / standardizer.scale[0]) ** 2
    np.testing.assert_allclose(likelihood.covariance(torch.eye(len(observations))), dense, rtol=1e-5, atol=1e-7)


def analysis(observations: Observations, prior: GaussianPrior, grid: Grid, standardizer) -> np.ndarray:
    """P H' (H P H' + R)^-1 y with dense matrices in double precision."""
    likelihood = Likelihood(observations, grid, standardizer, DATE)
    h = likelihood.operator(torch.eye(int(np.prod(prior.shape))).unflatten(1, prior.shape)).double().T
    everything_unknown = prior.covariance(torch.tensor(torch.inf))
    spread = everything_unknown(likelihood.operator.adjoint(torch.eye(len(h)))).flatten(1).double().T  # P H'
    r = torch.diag(likelihood.variance.double()) + likelihood.shared.double().T @ likelihood.shared.double()
    return (spread @ torch.linalg.solve(h @ spread + r, likelihood.value.double())).numpy()


def test_unknown_reference_does_not_pass_for_signal(grid, gaussian_prior, standardizer):
    def change(reference_error: float) -> float:
        points = scattered(grid, 60)
        raised = points.assign(zos=(points["zos"] + 2.0).assign_attrs(points["zos"].attrs))
        a, b = (
            analysis(
                Observations.from_points(p, "zos", 0.03, reference_error=reference_error),
                gaussian_prior, grid, standardizer,
            )
            for p in (points, raised)
        )  # fmt: skip
        return abs(a - b).max() / a.std()

    assert change(1e3) < 1e-3
    assert change(0.0) > 1.0  # with a known reference, two metres are two metres


def test_adding_keeps_sources_apart(grid):
    a, b = (Observations.from_points(scattered(grid, n), "zos", 0.03) for n in (3, 2))
    total = (a + b) + (b + a)
    assert total.source.tolist() == [0] * 3 + [1] * 2 + [2] * 2 + [3] * 3
    np.testing.assert_array_equal(total.value, np.concatenate([a.value, b.value, b.value, a.value]))
    assert a.source.tolist() == [0] * 3  # the parts are unchanged
    with pytest.raises(TypeError):
        a + 1


def test_selecting_points_inside(grid):
    points = scattered(grid, 20)
    points["latitude"][:5] += 10
    observations = Observations.from_points(points, "zos", 0.03)
    inside = observations.inside(grid)
    assert len(observations) == 20 and len(inside) == 15
    np.testing.assert_array_equal(inside.value, observations.value[5:])


def test_missing_values_are_dropped(grid):
    points = scattered(grid, 10)
    points["error"] = ("point", np.full(10, 0.02))
    points["zos"][3] = points["latitude"][4] = np.nan
    points["error"][3] = np.nan  # an error is asked for only where there is a value
    points["time"] = ("point", DATE + np.arange(10) * np.timedelta64(1, "D"))
    observations = Observations.from_points(points, "zos", "error")
    keep = [0, 1, 2, 5, 6, 7, 8, 9]
    np.testing.assert_array_equal(observations.value, points["zos"][keep])
    np.testing.assert_array_equal(observations.time, points["time"][keep])


# --- Simulated observing systems -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_tracks_are_nested_and_inside(grid, seed):
    box = Grid.around(-60, 38, (64, 64))
    many = altimeter_tracks(box, 6, seed)
    assert box.holds(many["latitude"], many["longitude"]).all()
    assert np.unique(many["track"]).tolist() == list(range(6))
    for number in (0, 1, 4):
        few = altimeter_tracks(box, number, seed)
        xr.testing.assert_identical(few, many.isel(point=many["track"].values < number))
    one = many.isel(point=many["track"].values == 0)
    np.testing.assert_allclose(np.diff(one["latitude"]), 1 / 16)
    assert not altimeter_tracks(box, 6, seed + 1).equals(many)


def test_clear_sky_is_nested_and_of_the_stated_fraction(grid):
    masks = [clear_sky(grid, fraction, seed=1) for fraction in (0.0, 0.25, 0.5, 0.9, 1.0)]
    np.testing.assert_allclose([1 - m.values.mean() for m in masks], [0, 0.25, 0.5, 0.9, 1.0], atol=1 / 256)
    for clearer, cloudier in pairwise(masks):
        assert (clearer | ~cloudier).all()  # more cloud hides more and uncovers nothing


def test_bad_observing_systems(grid, refuses):
    with refuses("tracks", "-1"):
        altimeter_tracks(grid, -1)
    for fraction in (-0.1, 1.1, np.nan):
        with refuses("cloud fraction", "0..1"):
            clear_sky(grid, fraction)


def test_sampling_adds_the_stated_noise(grid):
    lat, lon = np.meshgrid(grid.latitude, grid.longitude, indexing="ij")
    sea = field(grid, 0.2 * (lat - 38) + 0.1 * (lon + 60), "zos")
    points = scattered(grid, 4000).drop_vars("zos")
    noise = sample_points(sea, points, 0.05)["zos"] - 0.2 * (points["latitude"] - 38) - 0.1 * (points["longitude"] + 60)
    assert float(noise.std()) == pytest.approx(0.05, rel=0.05) and abs(float(noise.mean())) < 0.003
    assert len(Observations.from_points(sample_points(sea, points, 0.05), "zos", 0.05)) == 4000
    del sea.attrs["units"]  # a field without units is taken at its word
    assert len(Observations.from_points(sample_points(sea, points, 0.05), "zos", 0.05)) == 4000


@pytest.mark.parametrize("channel, units", [("so", "g kg-1"), ("so", "PSS-78"), ("thetao", "degreesC"), ("vas", "m/s")])
def test_units_are_known_by_the_spellings_of_the_readers(grid, channel, units):
    sea = field(grid, 1.0 + 0 * grid.latitude[:, None] + 0 * grid.longitude, channel).assign_attrs(units=units)
    assert len(Observations.from_grid(sea, channel, error=0.1)) == sea.size


# --- Refused: every message names what is wrong and what was expected ------------------------------------------------


def no_values(points):
    return points.isel(point=slice(0))


BAD_POINTS = {
    "unknown channel": (lambda p: p, {"channel": "ssh"}, ("ssh", "expected one of zos")),
    "not a data set": (lambda p: p["zos"], {}, ("xarray.Dataset", "DataArray")),
    "ambiguous": (lambda p: p.rename(zos="adt").assign(sla=p["zos"]), {}, ("zos", "adt", "sla", "variable=")),
    "no such variable": (lambda p: p, {"variable": "adt"}, ("zos", "variable=")),
    "no latitude": (lambda p: p.drop_vars("latitude"), {}, ("latitude", "expected")),
    "two-dimensional": (lambda p: p.assign(zos=p["zos"].expand_dims(cycle=2)), {}, ("zos", "one dimension")),
    "other length": (
        lambda p: p.assign(latitude=("other", np.zeros(3))), {}, ("latitude", "(3,)", "expected (40,)")
    ),
    "wrong units": (lambda p: p.assign(zos=p["zos"].assign_attrs(units="cm")), {}, ("zos", "'cm'", "expected 'm'")),
    "empty": (no_values, {}, ("zos", "expected at least one")),
    "all missing": (lambda p: p.assign(zos=p["zos"] * np.nan), {}, ("40", "zos", "missing", "expected")),
    "zero error": (lambda p: p, {"error": 0.0}, ("errors of zos", "must be positive", "0 at 40 of 40")),
    "negative error": (lambda p: p, {"error": -0.1}, ("errors of zos", "must be positive", "-0.1")),
    "missing error": (lambda p: p, {"error": np.nan}, ("errors of zos", "must be positive", "nan")),
    "errors of another shape": (lambda p: p, {"error": np.ones(3)}, ("errors", "(3,)", "(40,)")),
    "no error variable": (lambda p: p, {"error": "sigma"}, ("'sigma'", "expected")),
    "negative reference": (lambda p: p, {"reference_error": -1.0}, ("reference_error of zos", "positive", "-1")),
    "infinite reference": (lambda p: p, {"reference_error": np.inf}, ("reference_error of zos", "inf")),
    "unreadable time": (lambda p: p.assign(time=("point", ["noon"] * 40)), {}, ("time", "zos", "date")),
    "times of another length": (
        lambda p: p.assign(time=("day", np.full(3, DATE, "datetime64[ns]"))), {}, ("time", "zos", "date")
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_POINTS)
def test_bad_points(case, grid, refuses):
    spoil, arguments, words = BAD_POINTS[case]
    with refuses(*words):
        Observations.from_points(spoil(scattered(grid)), **({"channel": "zos", "error": 0.03} | arguments))


BAD_MAPS = {
    "unknown channel": (lambda f: f, {"channel": "sst"}, ("sst", "expected one of")),
    "a data set": (lambda f: f.to_dataset(), {}, ("thetao", "Dataset", "(latitude, longitude)")),
    "third dimension": (lambda f: f.expand_dims("time"), {}, ("thetao", "time", "expected")),
    "no coordinates": (lambda f: f.drop_vars("latitude"), {}, ("latitude", "expected")),
    "kelvin": (lambda f: f.assign_attrs(units="K"), {}, ("thetao", "'K'", "expected 'degC'")),
    "all missing": (lambda f: f * np.nan, {}, ("256", "thetao", "missing", "expected")),
    "all cloud": (lambda f: f, {"mask": np.zeros((16, 16), bool)}, ("thetao", "missing", "expected")),
    "mask of another shape": (lambda f: f, {"mask": np.ones((4, 4), bool)}, ("mask", "(4, 4)", "expected (16, 16)")),
    "errors of another shape": (lambda f: f, {"error": np.ones(16)}, ("error", "(16,)", "expected (16, 16)")),
    "zero error": (lambda f: f, {"error": 0.0}, ("errors of thetao", "must be positive")),
}


@pytest.mark.parametrize("case", BAD_MAPS)
def test_bad_maps(case, grid, refuses):
    spoil, arguments, words = BAD_MAPS[case]
    with refuses(*words):
        Observations.from_grid(spoil(field(grid)), **({"channel": "thetao", "error": 0.5} | arguments))


def test_points_outside_the_grid(grid, standardizer, refuses):
    points = scattered(grid)
    points["longitude"][:2] += 360  # the same places
    Likelihood(Observations.from_points(points, "zos", 0.03), grid, standardizer, DATE)
    points["longitude"][:2] += 90
    with refuses("2 of 40", "outside the grid", "E", "observations.inside(grid)"):
        Likelihood(Observations.from_points(points, "zos", 0.03), grid, standardizer, DATE)


def test_mask_of_another_grid_is_refused_and_missing_mask_values_hide(grid):
    field = xr.DataArray(np.full(grid.shape, 20.0), {"latitude": grid.latitude, "longitude": grid.longitude})
    shifted = xr.ones_like(field).assign_coords(latitude=grid.latitude + 1)
    with pytest.raises(InputError, match="another latitude"):
        Observations.from_grid(field, "thetao", 0.3, mask=shifted)
    mask = xr.ones_like(field)
    mask[0, :] = np.nan
    assert len(Observations.from_grid(field, "thetao", 0.3, mask=mask)) == field.size - grid.shape[1]
