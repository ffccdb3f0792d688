"""Assimilation anywhere: climatologies read, a prior carried to another sea, the south as a mirror of the north."""

from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from typer.testing import CliRunner

import genda_lite as gl
from genda_lite.baselines.regression import parts_of
from genda_lite.cli import app
from genda_lite.observe.likelihood import Likelihood, LinearObservations
from genda_lite.observe.operators import check_adjoint
from genda_lite.ocean.currents import coriolis
from genda_lite.posterior.problem import relocated
from genda_lite.prepare.local import ekman_elsewhere, local_standardizer
from genda_lite.prior.base import grid_context
from genda_lite.sources import read_climatology
from genda_lite.state import CHANNELS, TABLE, Grid, harmonics, mirrored

REAL = Path(__file__).parents[2] / "shared" / "real"
DATE = np.datetime64("2019-02-23")
SOUTH = Grid.around(20.0, -38.0, (16, 16))
MONTHS = np.arange(12) + 0.5  # their middles
LATITUDE, LONGITUDE = np.arange(-60.0, 61.0, 2), np.arange(-179.0, 180.0, 2)


def temperature(latitude, longitude, month):
    """Of the surface (degC): warmest in the middle of February in the south, of August in the north."""
    season = np.cos(2 * np.pi * (month - 1.5) / 12) * np.where(latitude < 0, 4.0, -4.0)
    return 25 - 0.2 * abs(latitude) + 0.05 * longitude * np.cos(np.radians(latitude)) + season


def world(months=MONTHS, span: float = 0.0) -> xr.Dataset:
    """A climatology as of a reanalysis, in memory: means over `span` months about some times of the year."""
    lat, lon = LATITUDE[:, None], LONGITUDE
    around = (np.arange(12) - 5.5) / 12 * span
    thetao = [np.mean([temperature(lat, lon, m + a) for a in around], 0) for m in months]
    so = [35 + 0.01 * lat + 0 * lon] * len(months)
    dims = ("time", "latitude", "longitude")
    time = np.datetime64("2001-01-01", "ns") + (np.asarray(months) / 12 * 365.25 * 1440).astype("timedelta64[m]")
    return xr.Dataset(
        {
            "thetao": (dims, np.array(thetao), {"units": "degC"}),
            "so": (dims, np.array(so), {"units": "1e-3"}),
            "zos": (dims, np.broadcast_to(0.01 * lat + 0 * lon, np.shape(so)), {"units": "m"}),
        },
        {"time": time, "latitude": LATITUDE, "longitude": LONGITUDE},
        {"source": "made up", "months_averaged": round(span)},
    )


def atlas(folder: Path, spans=((1, 12),), variables=("t_an", "s_an")) -> Path:
    """Files as the World Ocean Atlas has them: one for each variable and month, or season, or year.

    Args:
        spans: months averaged, and how many such means there are.
    """
    folder.mkdir(exist_ok=True)
    units = {"t_an": "degrees_celsius", "s_an": "1"}
    for span, count in spans:
        for k in range(count):
            middle = span * (k + 0.5)
            model = world([middle], span)
            for name, ours in zip(variables, ("thetao", "so"), strict=True):
                surface = model[ours].values
                field = np.stack([surface, surface - 5], 1).astype("f4")
                ds = xr.Dataset(
                    {
                        name: (("time", "depth", "lat", "lon"), field, {"units": units.get(name, "1")}),
                        "climatology_bounds": (("time", "nbounds"), [[0, 804 + span]]),
                    },
                    {
                        "time": ("time", [396 + middle], {"units": "months since 1955-01-01 00:00:00"}),
                        "depth": ("depth", [0.0, 5.0], {"units": "meters"}),
                        "lat": ("lat", LATITUDE, {"units": "degrees_north"}),
                        "lon": ("lon", LONGITUDE, {"units": "degrees_east"}),
                    },
                )
                ds["time"].attrs["climatology"] = "climatology_bounds"
                ds.to_netcdf(folder / f"woa_{name[0]}_{span:02d}_{k + 1:02d}.nc", engine="h5netcdf")
    return folder


def points(values, latitude, longitude, channel="zos", error=0.03, **options) -> gl.Observations:
    place = {"latitude": ("point", latitude), "longitude": ("point", longitude)}
    table = xr.Dataset({channel: ("point", values)}, place)
    return gl.Observations.from_points(table, channel, error, **options)


# --- Reading ---------------------------------------------------------------------------------------------------------


def test_the_atlas_is_read_month_by_month(tmp_path):
    """Times that count months from 1955, a file for each month and variable, the uppermost level."""
    found = read_climatology(atlas(tmp_path / "woa"))
    assert dict(found.sizes) == {"time": 12, "latitude": 61, "longitude": 180} and set(found) == {"thetao", "so"}
    assert found["time"].dt.month.values.tolist() == list(range(1, 13)) and found.attrs["months_averaged"] == 1
    np.testing.assert_allclose(found["thetao"], world(span=1)["thetao"], atol=1e-4)
    assert found["thetao"].attrs["units"] == "degC" and found["so"].attrs["units"] == "1e-3"
    again = read_climatology(found)
    xr.testing.assert_equal(again, found)
    assert again.attrs["source"] == found.attrs["source"] and again.attrs["months_averaged"] == 1


@pytest.mark.parametrize("kind", ["dates", "month", "month without values", "mean", "one file"])
def test_means_of_a_reanalysis_are_read(tmp_path, kind):
    ds = world()
    if kind.startswith("month"):
        ds = ds.assign_coords(time=np.arange(1, 13)).rename(time="month")
        ds = ds.drop_vars("month") if "without" in kind else ds
    if kind == "mean":
        ds = ds.mean("time", keep_attrs=True)
    if kind == "one file":
        ds = ds.assign(thetao=(ds["thetao"] + 273.15).assign_attrs(units="K"), zos=ds["zos"].isel(time=0, drop=True))
        ds.to_netcdf(tmp_path / "means.nc", engine="h5netcdf")
    found = read_climatology(tmp_path / "means.nc" if kind == "one file" else ds)
    expected = world().mean("time").expand_dims("time") if kind == "mean" else world()
    for name in ("zos", "thetao", "so"):
        np.testing.assert_allclose(found[name], expected[name], atol=1e-3)
    assert found.sizes["time"] == (1 if kind == "mean" else 12)
    if kind != "mean":
        assert found["time"].dt.month.values.tolist() == list(range(1, 13))


def test_what_is_no_climatology_is_told_in_one_sentence(tmp_path, refuses):
    ds = world()
    with refuses("'thetao' or 't_an'", "so, zos"):
        read_climatology(ds.drop_vars("thetao"))
    with refuses("'so' or 's_an'", "the file has"):
        read_climatology(ds[["thetao"]])
    with refuses("units 'K'", "277.7", "expected -2.5 to 45"):  # kelvin that claim to be more than they are
        read_climatology(ds.assign(thetao=(ds["thetao"] + 546.3).assign_attrs(units="K")))
    with refuses("stated units 'degC'", "expected -2.5 to 45"):
        read_climatology(ds.assign(thetao=(ds["thetao"] + 273.15).assign_attrs(units="degC")))
    with refuses("no units attribute", "expected degC"):
        read_climatology(ds.assign(thetao=ds["thetao"].assign_attrs(units=None).drop_attrs()))
    with refuses("months from 0 to 11", "expected 1 to 12"):
        read_climatology(ds.assign_coords(time=np.arange(12)).rename(time="month"))
    with refuses("holds means over 1 month(s)", "over 12", "expected one kind"):
        read_climatology(atlas(tmp_path / "both", [(1, 1), (12, 1)]))
    with refuses("no such file"):
        read_climatology(tmp_path / "nothing.nc")
    with refuses("no valid value"):
        read_climatology(ds.where(ds["latitude"] > 90))
    with refuses("occurs twice"):
        read_climatology(xr.concat([ds, ds.isel(time=[0])], "time"))


# --- Fitting ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("span", "count", "order"), [(1, 12, 2), (3, 4, 1), (12, 1, 0)])
def test_the_season_is_as_fine_as_the_dates(standardizer, span, count, order):
    """Means over a season understate it by a tenth: the harmonics are fitted as averaged, too."""
    months = span * (np.arange(count) + 0.5)
    if order:
        here = local_standardizer(standardizer, world(months, span), SOUTH)
    else:
        with pytest.warns(UserWarning, match=r"made up\) holds 1 date\(s\), too few"):
            here = local_standardizer(standardizer, world(months, span), SOUTH)
    assert len(here.harmonics) == 1 + 2 * order
    for day, month in (("2019-02-15", 1.5), ("2019-08-16", 7.5)):
        found = here.climatology(SOUTH.latitude[:, None], np.datetime64(day), SOUTH.longitude)[1]
        of_months = month if order else MONTHS[:, None, None]
        expected = temperature(SOUTH.latitude[:, None], SOUTH.longitude, of_months)
        expected = expected if order else expected.mean(0)
        np.testing.assert_allclose(found, expected, atol=0.03)


def test_months_too_close_together_are_no_season(standardizer):
    with pytest.warns(UserWarning, match="too close for a season"):
        here = local_standardizer(standardizer, world(np.arange(3) + 0.5), SOUTH)
    assert len(here.harmonics) == 1


def test_what_a_climatology_lacks_has_a_mean_of_zero_and_the_scale_is_the_priors(standardizer):
    here = local_standardizer(standardizer, world().drop_vars("zos"), SOUTH)
    usual = here.climatology(SOUTH.latitude[:, None], DATE, SOUTH.longitude)
    for name, field in zip(CHANNELS, usual, strict=True):
        assert (abs(field).max() == 0) == (name not in ("thetao", "so"))
    np.testing.assert_array_equal(here.scale, standardizer.scale)
    level = local_standardizer(standardizer, world(), SOUTH).climatology(-38.0, DATE, 20.0)[0]
    assert level == pytest.approx(-0.38, abs=1e-3)  # it has no season, as in a prior


def test_boxes_across_the_date_line_and_in_other_longitudes(standardizer):
    """Longitudes run on beyond 180, or from 0 to 360: the place is the same."""
    east, west = Grid.around(180.0, 40.0, (16, 16)), Grid.around(-180.0, 40.0, (16, 16))
    usual = [local_standardizer(standardizer, world(), g).climatology(40.0, DATE, g.longitude) for g in (east, west)]
    np.testing.assert_allclose(*usual, atol=1e-6)
    turned = world().assign_coords(longitude=LONGITUDE % 360).sortby("longitude")
    here = local_standardizer(standardizer, read_climatology(turned), SOUTH).harmonics
    np.testing.assert_allclose(here, local_standardizer(standardizer, world(), SOUTH).harmonics, atol=1e-4)


def test_a_place_without_climatology_is_told_in_one_sentence(standardizer, refuses):
    north = world().sel(latitude=slice(30, 50))
    with refuses("made up", "covers latitudes 30 to 50", "expected those of the grid, -38.6"):
        local_standardizer(standardizer, north, SOUTH)
    with refuses("covers longitudes -19 to 19", "20.5833"):
        local_standardizer(standardizer, world().sel(longitude=slice(-20, 20)), SOUTH)
    land = world()
    land["so"][3] = land["so"][3].where(land["longitude"] > 20)
    with refuses("lacks so at", "of 256 points", "expected open ocean"):
        local_standardizer(standardizer, land, SOUTH)
    for latitude in (0.0, 4.0, -5.5):
        with refuses("within 5 degrees of the equator", "expected one farther away"):
            local_standardizer(standardizer, world(), Grid.around(20.0, latitude, (16, 16)))


def test_land_beside_the_box_is_no_gap_in_it(standardizer):
    beside = world().where(world()["longitude"] > 18)  # the first sea is at 19, the box begins there
    grid = Grid(SOUTH.latitude, 19 + np.arange(16) / 12)
    assert np.isfinite(local_standardizer(standardizer, beside, grid).harmonics).all()


def test_ekman_response_elsewhere(standardizer, domain):
    """That of a slab is continued exactly, whatever part of it is known; in the south it is the complex conjugate."""
    from dataclasses import replace

    def slab(latitude):
        return 1 / (30.0 * (4e-5 + 1j * coriolis(latitude)))

    known = replace(standardizer, ekman=slab(standardizer.latitude))
    latitude = np.array([6.0, 20.0, 38.0, 60.0])
    np.testing.assert_allclose(ekman_elsewhere(known, latitude), slab(latitude), rtol=1e-3)
    np.testing.assert_allclose(ekman_elsewhere(known, -latitude), slab(-latitude), rtol=1e-3)
    assert (np.angle(ekman_elsewhere(known, latitude)) < 0).all()  # to the right of the wind
    inside = np.array([34.0, 38.0])
    np.testing.assert_allclose(ekman_elsewhere(standardizer, inside), standardizer.ekman_at(inside))
    south = replace(standardizer, latitude=-known.latitude[::-1], ekman=slab(-known.latitude[::-1]))
    np.testing.assert_allclose(ekman_elsewhere(south, latitude), slab(latitude), rtol=1e-3)


# --- The mirror ------------------------------------------------------------------------------------------------------


def test_a_mirror_turns_rows_and_northward_channels():
    assert [name for name, channel in TABLE.items() if channel.northward] == ["v_ageo_eddy", "vas", "vo"]
    x = torch.randn(2, len(CHANNELS), 5, 4)
    seen = mirrored(x, CHANNELS)
    v = CHANNELS.index("vas")
    torch.testing.assert_close(seen[:, v], -x[:, v].flip(1))
    torch.testing.assert_close(seen[:, 0], x[:, 0].flip(1))
    torch.testing.assert_close(mirrored(seen, CHANNELS), x)


def test_seasons_of_the_south_are_half_a_year_apart(domain):
    north, half = Grid.around(20.0, 38.0, (16, 16)), DATE + np.timedelta64(182, "D")
    context = grid_context(domain, SOUTH, DATE, False)
    np.testing.assert_allclose(context, -grid_context(domain, north, DATE, False))
    np.testing.assert_allclose(context, grid_context(domain, north, half, False), atol=0.03)


def reflected(ds: xr.Dataset) -> xr.Dataset:
    """A data set in a mirror at the equator."""
    turned = ds.assign_coords(latitude=-ds["latitude"]).sortby("latitude")
    return turned.assign({n: -turned[n] for n in turned.data_vars if TABLE.get(n) and TABLE[n].northward})


@pytest.mark.parametrize("smoothing", [0.0, 25.0])
def test_the_south_is_the_mirror_image_of_the_north(gaussian_prior, smoothing):
    """Observations, climatology and box reflected: the analysis is the reflected one, current and wind drift, too."""
    north = Grid(-SOUTH.latitude[::-1], SOUTH.longitude)
    sea = world().assign(vas=world()["zos"].assign_attrs(units="m s-1"), uas=world()["zos"].assign_attrs(units="m s-1"))
    rng = np.random.default_rng(0)
    latitude, longitude = rng.uniform(37.5, 38.5, 30), rng.uniform(19.5, 20.5, 30)

    def run(sign: int, climatology: xr.Dataset, grid: Grid) -> xr.Dataset:
        place = (sign * latitude, longitude)
        draws = np.random.default_rng(1)
        seen = points(draws.normal(0.3, 0.2, 30), *place, reference_error=0.0)
        seen += points(draws.normal(17, 1, 30), *place, "thetao", 0.3)
        seen += points(sign * draws.normal(2, 3, 30), *place, "vas", 1.0)
        field = xr.DataArray(np.full(grid.shape, 17.0), {"latitude": grid.latitude, "longitude": grid.longitude},
                             ("latitude", "longitude"))
        if smoothing:
            seen += gl.Observations.from_grid(field, "thetao", 0.5, smoothing=smoothing)
        rows = slice(0, 4) if sign > 0 else slice(12, 16)
        v = CHANNELS.index("vas")

        def back(y):
            x = y.new_zeros(len(y), len(CHANNELS), 16, 16)
            x[:, v, rows] = sign * y[:, :, None] / 64
            return x

        mean = LinearObservations(lambda x: sign * x[:, v, rows].mean((1, 2))[:, None], back, np.array([1.0]), 0.5)
        options = {"members": 4, "guidance": "oi", "steps": 6, "date": DATE}
        return gl.assimilate(gaussian_prior, seen, grid=grid, climatology=climatology, linear=[mean], **options)

    above, below = run(1, reflected(sea), north), run(-1, sea, SOUTH)
    seen = reflected(above)
    for name in (*CHANNELS, "uo", "vo", "thetao_climatology"):
        np.testing.assert_allclose(below[name], seen[name], atol=1e-2 * float(abs(seen[name]).max()), err_msg=name)
    assert float(abs(below["vo"]).max()) > 0.1


def test_southern_states_go_through_the_door_and_back(gaussian_prior):
    """To tensors and back; and an operator sees of a state what lies at its points."""
    there = relocated(gaussian_prior, world(), SOUTH)
    x = torch.randn(1, *gaussian_prior.shape)
    state = there.standardizer.to_dataset(x, SOUTH, DATE)
    torch.testing.assert_close(there.standardizer.to_tensor(state.isel(member=0)), x[0], atol=1e-4, rtol=0)
    for name in ("zos", "thetao", "vas"):
        seen = points(state[name][0, 3, [2, 5]].values, SOUTH.latitude[[3, 3]], SOUTH.longitude[[2, 5]], name, 0.1)
        likelihood = Likelihood(seen, SOUTH, there.standardizer, DATE)
        torch.testing.assert_close(likelihood.operator(x)[0], likelihood.value, atol=1e-4, rtol=0)
        some = x[:, likelihood.observed_channels]
        torch.testing.assert_close(likelihood.observed_operator(some), likelihood.operator(x))
        check_adjoint(likelihood.operator)
        if name != "vas":
            found = [part for part in parts_of(seen, SOUTH, there.standardizer, DATE) if part is not None]
            i = CHANNELS.index(name)
            torch.testing.assert_close(found[0].operator(x[:, i : i + 1])[0], found[0].error, atol=1e-4, rtol=0)
    assert gaussian_prior.standardizer.longitude is None  # the prior itself stays where it is


# --- Analyses --------------------------------------------------------------------------------------------------------


def test_an_analysis_elsewhere_says_what_it_stands_on(gaussian_prior, tmp_path, refuses):
    seen = points([0.9, 0.1], [-38.0, -38.2], [20.0, 20.3], reference_error=0.0)
    folder = atlas(tmp_path / "woa", [(3, 4)])
    options = {"grid": SOUTH, "members": 64, "date": "2019-02-15", "fast": True}
    analysis = gl.assimilate(gaussian_prior, seen, climatology=folder, **options)
    assert analysis.attrs["climatology"].startswith("woa_s_") and analysis.attrs["position_used"] == "False"
    assert analysis["thetao_climatology"].dims == ("latitude", "longitude")
    np.testing.assert_allclose(
        analysis["thetao_climatology"], temperature(SOUTH.latitude[:, None], SOUTH.longitude, 1.5), atol=0.1
    )
    here = analysis["zos"].interp(latitude=-38.0, longitude=20.0)
    assert abs(float(here.mean()) - 0.9) < 0.1 and float(here.std()) < 0.1
    with refuses("outside the prior's latitudes", "or give climatology="):
        gl.assimilate(gaussian_prior, seen, **options)
    with refuses("climatology= goes with grid="):
        gl.assimilate(gaussian_prior, seen, climatology=folder)


def test_a_season_is_that_of_the_hemisphere(gaussian_prior):
    """On one day it is summer in the one and winter in the other."""
    north = Grid.around(20.0, 38.0, (16, 16))
    means = []
    for grid, latitude in ((north, 38.0), (SOUTH, -38.0)):
        seen = points([0.0], [latitude], [20.0])
        options = {"grid": grid, "members": 1, "date": "2019-02-15", "fast": True, "climatology": world()}
        means.append(float(gl.assimilate(gaussian_prior, seen, **options)["thetao_climatology"].mean()))
    assert means[1] - means[0] == pytest.approx(8.0, abs=0.2)


def test_currents_turn_round_a_high_as_the_hemisphere_has_it(gaussian_prior):
    """Sea level that is high in the middle: west of it the current runs northward in the north, else southward."""
    for latitude, sign in ((38.0, 1), (-38.0, -1)):
        grid = Grid.around(20.0, latitude, (16, 16))
        where = np.meshgrid(grid.latitude, grid.longitude, indexing="ij")
        hill = 0.5 * np.exp(-((where[0] - latitude) ** 2 + (where[1] - 20) ** 2) / 0.2**2)
        seen = points(hill.ravel(), where[0].ravel(), where[1].ravel(), reference_error=0.0)
        flat = world().drop_vars("zos")
        analysis = gl.assimilate(gaussian_prior, seen, members=8, grid=grid, date=DATE, fast=True, climatology=flat)
        assert sign * float(analysis["vo"].mean("member").interp(latitude=latitude, longitude=19.85)) > 0.3


def test_the_command_maps_another_sea(tmp_path, monkeypatch, gaussian_prior):
    monkeypatch.setattr("genda_lite.latent.checkpoint.load_any", lambda name: gaussian_prior)
    n = 40
    time = np.datetime64("2019-02-15", "ns") + np.arange(n) * np.timedelta64(1, "s")
    place = {
        "latitude": ("time", np.linspace(-38.5, -37.5, n), {"units": "degrees_north"}),
        "longitude": ("time", np.linspace(19.6, 20.4, n), {"units": "degrees_east"}),
    }
    xr.Dataset({"adt_unfiltered": ("time", np.linspace(0, 0.5, n), {"units": "m"})}, {"time": time} | place).to_netcdf(
        tmp_path / "tracks.nc", engine="h5netcdf"
    )
    options = ["assimilate", str(tmp_path / "tracks.nc"), "--out", str(tmp_path / "out.nc"), "--fast", "--members", "2"]
    options += ["--centre", "20", "-38", "--climatology", str(atlas(tmp_path / "woa", [(12, 1)]))]
    with pytest.warns(UserWarning, match="their mean is taken"):
        result = CliRunner().invoke(app, options, catch_exceptions=False)
    assert result.exit_code == 0
    with xr.open_dataset(tmp_path / "out.nc", engine="h5netcdf") as analysis:
        assert float(analysis["latitude"].max()) < -37 and "woa" in analysis.attrs["climatology"]


def test_harmonics_of_higher_order():
    day = np.datetime64("2001-04-02T07:30")  # a quarter of a year
    np.testing.assert_allclose(harmonics(day, 2), [1, 0, 1, -1, 0], atol=1e-3)
    assert harmonics(day, 0).tolist() == [1.0] and harmonics(np.datetime64("NaT"), 2).tolist() == [1, 0, 0, 0, 0]


def test_a_reanalysis_of_the_real_ocean_is_read():
    if not REAL.is_dir():
        pytest.skip(f"real products are not on this machine ({REAL})")
    found = read_climatology(REAL / "GLORYS_NA_2012.nc")
    assert {"zos", "thetao", "so"} == set(found.data_vars) and found.sizes["time"] == 2
    assert 0 < float(found["thetao"].mean()) < 20 and float(found["so"].max()) < 36.5
