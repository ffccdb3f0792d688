"""Figures: they are made without a network, they carry units, and nothing in them overlaps."""

import socket

import matplotlib

matplotlib.use("Agg")

import cartopy.crs as ccrs
import matplotlib.pyplot as plt
import numpy as np
import pytest
import shapely
import xarray as xr
from cartopy.mpl.gridliner import Gridliner

from genda_lite.errors import InputError
from genda_lite.ocean.currents import relative_vorticity
from genda_lite.show.maps import land, plot_analysis, plot_map, plot_maps, plot_state
from genda_lite.state import VARIABLES

GRID = ("latitude", "longitude")


@pytest.fixture(autouse=True)
def no_network_no_figures_left(monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("a figure asked for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    yield
    plt.close("all")


def surface(*names: str, members: int = 0, west: float = -72.0) -> xr.Dataset:
    """Smooth variables of no meaning on a 20 x 30 grid off the American coast."""
    rng = np.random.default_rng(0)
    latitude, longitude = 38.0 + np.arange(20) / 6, west + np.arange(30) / 6
    lead = (members,) * (members > 0)
    wave = np.sin(latitude)[:, None] * np.cos(longitude) + 0.1 * rng.normal(size=(*lead, 20, 30))
    dims = ("member",) * len(lead) + GRID
    coords = {"latitude": latitude, "longitude": longitude}
    return xr.Dataset({name: (dims, wave, dict(VARIABLES[name])) for name in names}, coords=coords)


def texts(figure) -> set[str]:
    figure.canvas.draw()
    degrees = [label for lines in figure.findobj(Gridliner) for label in lines.label_artists]
    written = [*degrees, *figure.findobj(matplotlib.text.Text)]
    return {text.get_text() for text in written if text.get_visible()}


def panels(figure) -> list:
    return [ax for ax in figure.axes if hasattr(ax, "projection")]


def test_map_has_units_degrees_land_and_a_true_aspect():
    ax = plot_map(surface("thetao", west=-77.0).thetao)  # New Jersey
    written = texts(ax.figure)
    assert {"Surface temperature", "°C", "40°N", "75°W"} <= written
    assert ax.get_aspect() == pytest.approx(1 / np.cos(np.deg2rad(38 + 19 / 12)))
    ax.figure.canvas.draw()
    pixels = np.asarray(ax.figure.canvas.buffer_rgba())[..., :3]
    assert (abs(pixels - 0.72 * 255.0) < 1).all(-1).sum() > 10_000, "no land in its grey"


def test_colour_bar_is_as_high_as_the_map():
    ax = plot_map(surface("thetao").thetao, vmin=-10.0, vmax=10.0)
    ax.figure.canvas.draw()
    map_box, bar_box = (a.get_window_extent() for a in (ax, *ax.child_axes))
    assert bar_box.y0 == pytest.approx(map_box.y0, abs=1.0) and bar_box.y1 == pytest.approx(
        map_box.y1, abs=1.0
    )


def test_land_is_where_it_should_be():
    assert shapely.contains_xy(land(), -75.0, 42.0) and not shapely.contains_xy(land(), -60.0, 38.0)


def test_map_obeys_limits_and_centres_diverging_colours():
    field = surface("zos").zos + 0.3
    drawn = plot_map(field, vmin=-1.0, vmax=2.0).collections[0]
    assert drawn.get_clim() == (-1.0, 2.0)
    centred = plot_map(field.rename("zos")).collections[0]
    assert np.mean(centred.get_clim()) == pytest.approx(float(field.median()))
    assert np.mean(plot_map(field.rename("uas")).collections[0].get_clim()) == pytest.approx(0.0)
    assert plot_map(field * 0 + 1.0, colormap="viridis").collections[0].get_cmap().name == "viridis"


def test_map_draws_on_given_axes_whatever_the_order_of_dimensions():
    ax = plt.figure().add_subplot(projection=ccrs.PlateCarree())
    assert plot_map(surface("so").so.transpose(), ax, title="Mine", label="g/kg", colorbar=True) is ax
    assert {"Mine", "g/kg"} <= texts(ax.figure)


def test_map_refuses_what_is_no_map():
    field = surface("zos").zos
    with pytest.raises(InputError, match="dimensions"):
        plot_map(field.isel(latitude=0))
    with pytest.raises(InputError, match="no finite value"):
        plot_map(field * np.nan)
    with pytest.raises(InputError, match="projection"):
        plot_map(field, plt.figure().add_subplot())


@pytest.mark.parametrize(("members", "with_observations"), [(0, True), (2, True), (2, False), (3, True)])
def test_analysis_shows_its_panels_without_overlap(members, with_observations):
    analysis = surface("zos", "thetao", members=4)
    observations = xr.Dataset(
        {"value": ("point", [0.1, 0.2, 15.0])},
        coords={
            "latitude": ("point", [39.0, 40.0, 41.0]),
            "longitude": ("point", [-70.0, -69.0, -68.0]),
            "channel": ("point", ["zos", "zos", "thetao"]),
        },
    )
    figure = plot_analysis(analysis, observations if with_observations else None, members=members)
    written = texts(figure)
    assert {"Sea level", "Ensemble mean", "Ensemble spread", "m"} <= written
    assert ("Observations (2)" in written) == with_observations
    assert sum(text.startswith("Member") for text in written) == members
    axes = panels(figure)
    assert len(axes) == 2 + members + with_observations
    boxes = [ax.get_tightbbox() for ax in axes]
    for i, box in enumerate(boxes):
        assert all(box.shrunk(0.98, 0.98).count_overlaps([other]) == 0 for other in boxes[:i])
        assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1
    spread = axes[1 + with_observations].collections[0]
    assert spread.get_clim()[0] == 0.0


def test_several_maps_share_what_they_are_given():
    frame = surface("zos", "thetao")
    figure = plot_maps([frame.thetao] * 3, ["one", "two", "three"], contours=[frame.zos] * 3, vmin=-0.5, vmax=0.5)
    assert {"one", "two", "three"} <= texts(figure)
    limits = {mesh.get_clim() for mesh in figure.findobj(matplotlib.collections.QuadMesh)}
    assert (-0.5, 0.5) in limits and len(panels(figure)) == 3


def test_several_maps_refuse_another_number_of_titles():
    frame = surface("zos")
    with pytest.raises(InputError, match="titles"):
        plot_maps([frame.zos], ["one", "two"])


def test_analysis_of_a_channel_that_was_not_observed():
    nowhere = {"latitude": ("point", []), "longitude": ("point", []), "channel": ("point", np.array([], str))}
    figure = plot_analysis(surface("so", members=3), xr.Dataset({"value": ("point", [])}, nowhere), "so")
    assert "Observations (0)" in texts(figure)


def test_analysis_refuses_other_channels_and_single_members():
    with pytest.raises(InputError, match="no variable 'so'"):
        plot_analysis(surface("zos", members=4), channel="so")
    for single in (surface("zos"), surface("zos", members=1)):
        with pytest.raises(InputError, match="two or more members"):
            plot_analysis(single)


def test_state_shows_what_it_has():
    figure = plot_state(surface("zos", "thetao", "so", "uo", "vo", "uas", "vas"))
    assert {"Sea level", "Surface salinity", "psu", "Relative vorticity / f", "Wind at 10 m"} <= texts(figure)
    assert len(panels(figure)) == 6
    assert len(panels(plot_state(surface("zos", "thetao")))) == 2
    with pytest.raises(InputError, match="nothing to show"):
        plot_state(surface("uas"))


def test_vorticity_of_solid_rotation():
    """A rotation of the sphere about the pole: vorticity 2 w sin(latitude), so w /
    Omega over f."""
    frame = surface("uo", "vo")
    rotation = 7.2921e-7  # a hundredth of the Earth's
    eastward = rotation * 6.371e6 * np.cos(np.deg2rad(frame.latitude)) + 0 * frame.uo
    vorticity = relative_vorticity(eastward, 0 * frame.vo).isel(latitude=slice(1, -1))
    np.testing.assert_allclose(vorticity, 0.01, rtol=1e-3)
    assert vorticity.dims == GRID
