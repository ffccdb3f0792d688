"""The explorer: what Python packs is what the browser draws."""

import base64
import zlib

import numpy as np
import pytest
import xarray as xr

from genda_lite.errors import InputError
from genda_lite.show.explorer import LEVELS, ChannelStyle, explorer, pack, quantise

DIALS = {"tracks": lambda n: f"{n} track" + "s" * (n != 1), "cloud": "cloud {:g} %"}
TRACKS, CLOUD, CHANNELS = [0, 2, 8], [0, 50, 100], ["zos", "thetao"]


@pytest.fixture
def frames() -> xr.Dataset:
    """Smooth random fields on 12x16 points, spread and error shrinking with the tracks; south to north."""
    random = np.random.default_rng(0)
    dims = {"tracks": TRACKS, "cloud": CLOUD, "channel": CHANNELS}
    grid = {"latitude": 36 + np.arange(12) / 12, "longitude": -60 + np.arange(16) / 12}

    def field(*names):
        coords = {name: (dims | grid)[name] for name in (*names, *grid)}
        return xr.DataArray(random.normal(size=[len(c) for c in coords.values()]).cumsum(-1), coords)

    some = xr.DataArray([1.0, 0.6, 0.1], {"tracks": TRACKS})
    frames = xr.Dataset({"truth": field("channel"), "mean": field("cloud", "tracks", "channel")})
    frames["observations"] = frames.truth.where(field("tracks") > 0)
    frames["spread"] = abs(field("tracks", "cloud", "channel")) * some
    frames["rmse"] = frames.spread.mean(("latitude", "longitude"))
    frames["spread_skill"] = (frames.rmse * 0 + 0.9).assign_attrs(long_name="Spread/skill", units="1")
    return frames


def unpack(text: str, shape: tuple[int, ...]) -> np.ndarray:
    differences = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8)
    return differences.cumsum(dtype=np.uint8).reshape(shape)


def test_quantised_values_return_within_half_a_step_and_missing_ones_as_missing():
    values = np.random.default_rng(1).normal(3, 20, (5, 64, 64))
    low, high = values.min(), values.max()
    values[0, :3] = np.nan
    values[1, 0, 0] = np.inf
    codes = unpack(pack(quantise(values, low, high)), values.shape)
    missing = ~np.isfinite(values)
    assert (codes[missing] == 0).all() and (codes[~missing] > 0).all()
    back = low + (codes[~missing] - 1.0) / LEVELS * (high - low)
    assert abs(back - values[~missing]).max() <= (high - low) / LEVELS / 2 * (1 + 1e-9)


def test_values_beyond_the_range_are_drawn_as_its_ends():
    assert quantise(np.array([-9.0, 0.0, 1.0, 9.0]), 0, 1).tolist() == [1, 1, 255, 255]


def test_fields_lie_in_the_order_of_the_dials_north_first(frames):
    payload = explorer(frames, DIALS).payload
    scale = payload["channels"][1]["scales"]["field"]
    codes = unpack(payload["channels"][1]["fields"]["mean"], (3, 3, 12, 16))
    mean = frames["mean"].sel(channel="thetao", tracks=2, cloud=100).values[::-1]
    back = scale["low"] + (codes[1, 2] - 1.0) / LEVELS * (scale["high"] - scale["low"])
    assert abs(back - mean).max() <= (scale["high"] - scale["low"]) / LEVELS / 2 * (1 + 1e-9)
    assert payload["latitude"][0] > payload["latitude"][1]


def test_a_panel_is_stored_once_for_the_dials_it_has(frames):
    panels = {panel["name"]: panel["dials"] for panel in explorer(frames, DIALS).payload["panels"]}
    assert panels == {"truth": [], "mean": ["tracks", "cloud"], "observations": ["tracks"],
                      "spread": ["tracks", "cloud"]}  # fmt: skip


def test_magnitudes_of_a_group_share_their_colours(frames):
    wider = frames.assign(exact=2 * frames.spread)
    payload = explorer(wider, DIALS, magnitudes={"spread": "width", "exact": "width"}).payload
    assert {panel["name"]: panel["kind"] for panel in payload["panels"]}["exact"] == "width"
    for channel in payload["channels"]:
        scale = channel["scales"]["width"]
        assert scale["low"] == 0 and scale["high"] == wider.exact.sel(channel=channel["name"]).max()
        codes = [unpack(channel["fields"][name], (3, 3, 12, 16)) for name in ("spread", "exact")]
        np.testing.assert_allclose(2.0 * (codes[0] - 1.0), codes[1] - 1.0, atol=1.5)


def test_colours_are_shared_by_the_fields_and_start_from_zero_for_the_spread(frames):
    for channel in explorer(frames, DIALS).payload["channels"]:
        here, scales = frames.sel(channel=channel["name"]), channel["scales"]
        assert scales["field"]["low"] <= min(here.truth.min(), here["mean"].min())
        assert scales["field"]["high"] >= max(here.truth.max(), here["mean"].max())
        assert scales["spread"]["low"] == 0 and scales["spread"]["high"] == here.spread.max()


def test_one_channel_needs_no_channel_dimension(frames):
    payload = explorer(frames.sel(channel="zos"), DIALS).payload
    assert [channel["title"] for channel in payload["channels"]] == ["Sea level"]


def test_text_cannot_leave_its_script(frames):
    frames.truth.attrs["long_name"] = "</script><b>bold"
    assert "<b>" not in explorer(frames, DIALS)._repr_html_()


@pytest.mark.parametrize(
    ("change", "dials", "told"),
    [
        (lambda f: f, {}, "at least one dial"),
        (lambda f: f, {"wind": "{}"}, "'wind' is not a dimension"),
        (lambda f: f, {"tracks": "{}"}, "dimension cloud"),
        (lambda f: f.drop_vars("latitude"), DIALS, "no coordinate 'latitude'"),
        (lambda f: f.drop_vars("cloud"), DIALS, "no coordinate 'cloud'"),
        (lambda f: f[["rmse"]].assign_coords(f.coords), DIALS, "no map"),
        (lambda f: f.assign(truth=f.truth.expand_dims(time=2)), DIALS, "dimension time"),
        (lambda f: f.assign(rmse=f.spread.mean("latitude")), DIALS, "expected both or neither"),
        (lambda f: f.where(f.channel == "zos"), DIALS, "'thetao' has no value"),
    ],
)
def test_bad_frames_are_refused_in_one_sentence(frames, change, dials, told):
    with pytest.raises(InputError, match=told) as refusal:
        explorer(change(frames), dials)
    assert "\n" not in str(refusal.value)


def test_bad_start_and_colour_map_are_refused(frames):
    with pytest.raises(InputError, match="cannot start at 3"):
        explorer(frames, DIALS, start={"tracks": 3})
    with pytest.raises(InputError, match="'mud' is unknown"):
        explorer(frames, DIALS, {"zos": ChannelStyle("Sea level", "m", "mud")})


# --- in a browser -----------------------------------------------------------------------------------------


@pytest.fixture
def shown(page, frames, tmp_path):
    """The page with the explorer drawn, opened from the disk, at 2 tracks and cloud 50 %."""
    explorer(frames, DIALS).save(tmp_path / "explorer.html")
    page.goto((tmp_path / "explorer.html").as_uri())
    page.wait_for_selector("[data-genda-explorer=ready]")
    yield page
    assert page.faults == []


def pixels(page, panel: str) -> str:
    return page.locator(f"canvas[data-panel={panel}]").evaluate("canvas => canvas.toDataURL()")


def test_the_keyboard_moves_the_slider_the_picture_and_the_readout(shown, frames):
    host = shown.locator("[data-genda-explorer]")
    before = {panel: pixels(shown, panel) for panel in ("truth", "mean", "spread")}
    assert host.get_attribute("data-dial-tracks") == "2"

    slider = shown.get_by_role("slider", name="tracks")
    slider.focus()
    slider.press("ArrowRight")
    assert host.get_attribute("data-dial-tracks") == "8"
    assert slider.get_attribute("aria-valuetext") == "8 tracks"
    assert pixels(shown, "truth") == before["truth"]
    assert pixels(shown, "mean") != before["mean"] and pixels(shown, "spread") != before["spread"]
    rmse = float(frames.rmse.sel(channel="zos", tracks=8, cloud=50))
    assert float(shown.locator("[data-score=rmse]").inner_text().split()[0]) == pytest.approx(rmse, rel=5e-3)

    slider.press("ArrowLeft")
    assert pixels(shown, "mean") == before["mean"]


def test_another_channel_is_drawn_when_chosen(shown):
    before = pixels(shown, "truth")
    shown.get_by_label("Variable").select_option("Surface temperature")
    shown.wait_for_selector("[data-channel=thetao][data-genda-explorer=ready]")
    assert pixels(shown, "truth") != before


def test_pointing_at_a_cell_tells_its_value(shown, frames):
    canvas = shown.locator("canvas[data-panel=truth]")
    box = canvas.bounding_box()
    canvas.hover(position={"x": box["width"] * 4.5 / 16, "y": box["height"] * 2.5 / 12})
    told = float(shown.locator("figcaption output").first.inner_text().replace("\u2212", "-"))
    truth = frames.truth.sel(channel="zos").values[::-1][2, 4]
    span = float(max(abs(frames.truth).max(), abs(frames["mean"]).max())) * 2
    assert told == pytest.approx(truth, abs=span / LEVELS)


def test_two_explorers_share_a_page(page, frames, tmp_path):
    path = tmp_path / "two.html"
    path.write_text("<!doctype html>" + 2 * explorer(frames, DIALS)._repr_html_())
    page.goto(path.as_uri())
    page.wait_for_function("document.querySelectorAll('[data-genda-explorer=ready]').length == 2")
    second = page.get_by_role("slider", name="cloud").nth(1)
    second.press("End")
    dials = page.locator("[data-genda-explorer]").evaluate_all("all => all.map(one => one.dataset.dialCloud)")
    assert dials == ["50", "100"] and page.faults == []


def test_dark_mode_follows_the_page_then_the_system(shown):
    shown.emulate_media(color_scheme="dark")
    shown.wait_for_selector("[data-mode=dark]")
    shown.evaluate("document.documentElement.dataset.theme = 'light'")
    shown.wait_for_selector("[data-mode=light]")
