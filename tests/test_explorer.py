"""The explorer: what Python packs is what the browser draws."""

import base64
import zlib

import numpy as np
import pytest
import xarray as xr
from scipy.fft import idctn

from genda_lite.errors import InputError
from genda_lite.show.assets import script
from genda_lite.show.static import LEVELS, ChannelStyle, pack, pack_smooth, packed, quantise, static_explorer

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
    payload = static_explorer(frames, DIALS).payload
    scale = payload["channels"][1]["scales"]["field"]
    assert payload["channels"][1]["fields"]["mean"]["dials"] == ["tracks", "cloud"]
    codes = unpack(payload["chunks"]["thetao"]["mean"], (3, 3, 12, 16))
    mean = frames["mean"].sel(channel="thetao", tracks=2, cloud=100).values[::-1]
    back = scale["low"] + (codes[1, 2] - 1.0) / LEVELS * (scale["high"] - scale["low"])
    assert abs(back - mean).max() <= (scale["high"] - scale["low"]) / LEVELS / 2 * (1 + 1e-9)
    assert payload["latitude"][0] > payload["latitude"][1]


def unpack_smooth(text: str, how: dict, shape: tuple[int, int]) -> np.ndarray:
    """The maps (count, rows, columns) of `pack_smooth`."""
    planes = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8).reshape(2, -1).astype(int)
    folded = planes[0] + 256 * planes[1]
    steps = np.where(folded % 2, -(folded + 1) // 2, folded // 2).reshape(-1, how["count"])
    y, x = np.indices(shape)
    order = np.argsort((y**2 + x**2).ravel(), kind="stable")
    amplitudes = np.zeros((how["count"], shape[0] * shape[1]))
    amplitudes[:, order[: len(steps)]] = how["step"] * steps.T
    return idctn(amplitudes.reshape(-1, *shape), axes=(1, 2), norm="ortho")


def test_a_panel_is_stored_once_for_what_it_depends_on(frames):
    """Whatever dimensions it has: an instrument's measurements change with that instrument's settings only."""
    frames["observations"] = frames["observations"].broadcast_like(frames["mean"])
    fields = static_explorer(frames, DIALS).payload["channels"][0]["fields"]
    assert {name: how["dials"] for name, how in fields.items()} == {
        "truth": [], "mean": ["tracks", "cloud"], "observations": ["tracks"], "spread": ["tracks", "cloud"]
    }  # fmt: skip


def test_smooth_maps_return_within_their_rounding_and_take_less_room():
    wave = np.hypot(*np.indices((48, 64)))
    amplitude = np.random.default_rng(2).normal(size=(6, 48, 64)) * (1 + wave) ** -2.5
    maps = 0.5 + 10 * idctn(amplitude, axes=(1, 2), norm="ortho")
    text = pack_smooth(maps, 0.01)
    error = unpack_smooth(text, {"step": 0.01, "count": 6}, (48, 64)) - maps
    assert error.std() < 0.01 / np.sqrt(12) and abs(error).max() < 0.02
    assert len(text) < len(pack(quantise(maps, 0, 1))) / 3


def test_incomplete_maps_are_kept_byte_by_byte(frames):
    fields = static_explorer(frames, DIALS, smooth=0.01).payload["channels"][0]["fields"]
    assert {name for name, how in fields.items() if "step" in how} == {"truth", "mean", "spread"}


def test_a_dial_that_splits_a_pack_has_files_of_its_own(frames, tmp_path):
    explorer = static_explorer(frames, DIALS, split=["tracks"])
    explorer.write(tmp_path / "pack")
    names = {path.name for path in (tmp_path / "pack").iterdir()}
    assert {"contents.js", "explorer.js", "zos.js", "zos-0.js", "thetao-8.js"} < names
    part = explorer.payload["chunks"]["zos-8"]
    assert set(part) == {"mean", "observations", "spread"} and set(explorer.payload["chunks"]["zos"]) == {"truth"}
    scale = explorer.payload["channels"][0]["scales"]["field"]
    codes = unpack(part["mean"], (3, 12, 16))
    mean = frames["mean"].sel(channel="zos", tracks=8, cloud=50).values[::-1]
    assert (codes[1] == quantise(mean, scale["low"], scale["high"])).all()
    explorer.write(tmp_path / "pack")  # replaces the older one
    (tmp_path / "other").mkdir()
    with pytest.raises(InputError, match="in the way"):
        explorer.write(tmp_path / "other")


def test_words_become_buttons_and_truth_values_a_switch(frames):
    several = stacked(frames, frames + 0.1, "method", ["new", "old"])
    both = stacked(several, several, "swot", [False, True])
    payload = static_explorer(both, DIALS | {"method": "{}", "swot": "{}"}).payload
    assert {dial["name"]: dial["kind"] for dial in payload["dials"]} == {
        "tracks": "slider", "cloud": "slider", "method": "choice", "swot": "switch"
    }  # fmt: skip


def test_magnitudes_of_a_group_share_their_colours(frames):
    wider = frames.assign(exact=2 * frames.spread)
    payload = static_explorer(wider, DIALS, magnitudes={"spread": "width", "exact": "width"}).payload
    assert {panel["name"]: panel["kind"] for panel in payload["panels"]}["exact"] == "width"
    for channel in payload["channels"]:
        scale = channel["scales"]["width"]
        assert scale["low"] == 0 and scale["high"] == wider.exact.sel(channel=channel["name"]).max()
        packed_maps = payload["chunks"][channel["name"]]
        codes = [unpack(packed_maps[name], (3, 3, 12, 16)) for name in ("spread", "exact")]
        np.testing.assert_allclose(2.0 * (codes[0] - 1.0), codes[1] - 1.0, atol=1.5)


def test_colours_are_shared_by_the_fields_and_start_from_zero_for_the_spread(frames):
    for channel in static_explorer(frames, DIALS).payload["channels"]:
        here, scales = frames.sel(channel=channel["name"]), channel["scales"]
        assert scales["field"]["low"] <= min(here.truth.min(), here["mean"].min())
        assert scales["field"]["high"] >= max(here.truth.max(), here["mean"].max())
        assert scales["spread"]["low"] == 0 and scales["spread"]["high"] == here.spread.max()


def test_a_few_outliers_leave_the_colours_to_the_others_and_their_values_to_themselves(frames):
    """Colours change between the limits of all maps of the book; what lies beyond has the colour of the end."""
    wild = frames.copy(deep=True)
    wild["mean"][..., 0, 0] = 100.0
    scale = static_explorer(wild, DIALS).payload["channels"][0]["scales"]["field"]
    first, last = scale["drawn"]
    assert scale["high"] == 100.0 and last < 10
    colours = np.frombuffer(base64.b64decode(scale["colours"]), np.uint8).reshape(256, 4)[1:]
    values = np.linspace(scale["low"], scale["high"], 255)
    assert (colours[values >= last] == colours[-1]).all()
    inside = (values > first) & (values < last)
    assert len(np.unique(colours[inside], axis=0)) == inside.sum()


def test_one_channel_needs_no_channel_dimension(frames):
    payload = static_explorer(frames.sel(channel="zos"), DIALS).payload
    assert [channel["title"] for channel in payload["channels"]] == ["Sea level"]


def test_text_cannot_leave_its_script(frames):
    frames.truth.attrs["long_name"] = "</script><b>bold"
    assert "<b>" not in static_explorer(frames, DIALS)._repr_html_()


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
        static_explorer(change(frames), dials)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"views": {"Some": ["truth", "mud"]}}, "view 'mud' is unknown"),
        ({"against": "truth"}, "score 'truth' is unknown"),
        ({"split": ["wind"]}, "split dial 'wind' is unknown"),
    ],
)
def test_unknown_views_axes_and_parts_are_refused(frames, options, told):
    with pytest.raises(InputError, match=told):
        static_explorer(frames, DIALS, **options)


def test_bad_start_and_colour_map_are_refused(frames):
    with pytest.raises(InputError, match="cannot start at 3"):
        static_explorer(frames, DIALS, start={"tracks": 3})
    with pytest.raises(InputError, match="'mud' is unknown"):
        static_explorer(frames, DIALS, {"zos": ChannelStyle("Sea level", "m", "mud")})


# --- in a browser -----------------------------------------------------------------------------------------


@pytest.fixture
def shown(page, frames, tmp_path):
    """The page with the explorer drawn, opened from the disk, at 2 tracks and cloud 50 %."""
    static_explorer(frames, DIALS).save(tmp_path / "explorer.html")
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


def test_the_keyboard_reads_the_maps_and_what_is_read_is_spoken(shown, frames):
    shown.locator("canvas[data-panel=truth]").evaluate("canvas => canvas.closest('.maps').focus()")
    shown.keyboard.press("Shift+ArrowUp")  # from the middle, row 6 and column 8
    shown.keyboard.press("ArrowLeft")
    told = float(shown.locator("figcaption output").first.inner_text().replace("\u2212", "-"))
    fields = frames.sel(channel="zos").truth.values[::-1]
    span = float(max(abs(frames.truth).max(), abs(frames["mean"]).max())) * 2
    assert told == pytest.approx(fields[5, 4], abs=span / LEVELS)
    spoken = "document.querySelector('[data-genda-explorer]').shadowRoot.querySelector('[role=status]').textContent"
    shown.wait_for_function(f"{spoken}.includes('Values at') && {spoken}.includes('truth')")
    shown.keyboard.press("Escape")
    assert shown.locator("figcaption output").first.inner_text() == ""
    low, high = (float(text) for text in shown.locator("canvas[data-panel=truth]").get_attribute("aria-label")
                 .replace("\u2212", "-").replace("\u00a0m", "").split(", ")[1].split(" to "))  # fmt: skip
    assert [low, high] == pytest.approx([fields.min(), fields.max()], abs=span / LEVELS)


def test_fields_that_lie_nowhere_on_earth_have_no_degrees(page, frames, tmp_path):
    for abstract in (False, True):
        static_explorer(frames, DIALS, abstract=abstract).save(tmp_path / "explorer.html")
        page.goto((tmp_path / "explorer.html").as_uri())
        page.wait_for_selector("[data-genda-explorer=ready]")
        assert (page.locator(".tick.latitude, .tick.longitude").count() == 0) == abstract
        page.locator("canvas[data-panel=truth]").evaluate("canvas => canvas.closest('.maps').focus()")
        page.keyboard.press("Shift+ArrowUp")  # from the middle
        told = page.get_by_text("Values at").first.inner_text()
        assert ("°" in told) != abstract and ("row 6, column 9" in told) == abstract


def stacked(one: xr.Dataset, other: xr.Dataset, name: str, settings: list) -> xr.Dataset:
    return xr.concat([one, other], xr.Variable(name, settings), data_vars="all")


@pytest.fixture
def packs(page, frames, tmp_path):
    """A page with a pack beside it, opened from the disk: every kind of control, views, a chart against a score."""
    frames["gap"] = xr.DataArray([90.0, 40.0, 15.0], {"tracks": TRACKS}, attrs={"long_name": "Gap", "units": "km"})
    only = ["mean", "spread", "rmse"]  # change with the method; and with SWOT, as the gap does
    frames = stacked(frames, frames.assign(frames[only] * 0.8), "method", ["new", "old"])
    frames = stacked(frames, frames.assign(frames[[*only, "gap"]] / 2), "swot", [False, True])
    frames["member_map"] = xr.concat([frames["mean"] - 1, frames["mean"] - 2], xr.Variable("member", [1, 2]))
    dials = DIALS | {"swot": str, "method": "{} method", "member": "Member {}"}
    options = {"views": {"All": ["truth", "mean", "member_map", "spread"], "Mean": ["truth", "mean"]}}
    options["start"] = {"member": 1}
    made = static_explorer(frames, dials, against="gap", split=["method"], smooth=0.002, title="A test", **options)
    made.write(tmp_path / "pack")
    html = "<!doctype html><html lang=en><title>t</title><p style='height: 3000px'>far above</p>"
    (tmp_path / "page.html").write_text(html + packed("pack")._repr_html_())
    page.goto((tmp_path / "page.html").as_uri())
    yield page, frames
    assert page.faults == []


def test_a_pack_is_loaded_from_the_disk_when_it_is_looked_at(packs):
    page, _ = packs
    host = page.locator("[data-genda-explorer]")
    loaded = "document.head.querySelectorAll('script[src]').length"
    assert host.get_attribute("data-genda-explorer") == "loading" and page.evaluate(loaded) == 0
    page.evaluate("scrollTo(0, 3000)")
    page.wait_for_selector("[data-genda-explorer=ready]")
    assert page.evaluate(loaded) == 3  # contents, what the method does not change, and what it does
    page.get_by_role("radio", name="old method").check()
    page.wait_for_selector("[data-dial-method=old][data-genda-explorer=ready]")
    assert page.evaluate(loaded) == 4


def test_smooth_maps_are_drawn_as_python_keeps_them(packs):
    page, frames = packs
    page.evaluate("scrollTo(0, 3000)")
    page.wait_for_selector("[data-genda-explorer=ready]")
    canvas = page.locator("canvas[data-panel=mean]")
    box = canvas.bounding_box()
    setting = {"channel": "zos", "tracks": 2, "cloud": 50, "swot": False, "method": "new"}
    mean = frames["mean"].sel(setting).values[::-1]
    fields = frames.sel(channel="zos")[["truth", "mean", "member_map", "observations"]].to_dataarray()
    span = 2 * float(abs(fields).max())
    for row, column in ((0, 0), (5, 9), (11, 15)):
        canvas.hover(position={"x": box["width"] * (column + 0.5) / 16, "y": box["height"] * (row + 0.5) / 12})
        told = page.locator("figure:has(canvas[data-panel=mean]) output").inner_text().replace("\u2212", "-")
        assert float(told) == pytest.approx(mean[row, column], abs=span * 0.01)


def test_every_control_changes_the_figure_by_keyboard_alone(packs):
    page, _ = packs
    page.evaluate("scrollTo(0, 3000)")
    page.wait_for_selector("[data-genda-explorer=ready]")
    seen, reached = [state(page)], set()
    for _ in range(30):
        page.keyboard.press("Tab")
        inside = "document.activeElement.shadowRoot?.activeElement"
        name = page.evaluate(f"{inside}?.name || {inside}?.id || ''")  # buttons of one choice share their name
        if not name or name in reached:
            continue
        reached.add(name)
        kind = page.evaluate("document.activeElement.shadowRoot.activeElement.getAttribute('type')")
        page.keyboard.press("Space" if kind == "checkbox" else "ArrowDown" if name == "channel" else "ArrowRight")
        page.wait_for_function("seen => JSON.stringify([...document.querySelector('[data-genda-explorer]').shadowRoot"
                               ".querySelectorAll('figure:not([hidden]) canvas')].map(c => c.toDataURL())) != seen",
                               arg=seen[-1])  # fmt: skip
        page.wait_for_selector("[data-genda-explorer=ready]")
        seen.append(state(page))
    assert reached == {"channel", "dial-0", "dial-1", "dial-2", "dial-3", "dial-4", "view"}
    page.wait_for_function("document.querySelector('[data-genda-explorer]').shadowRoot"
                           ".querySelector('[role=status]').textContent.includes('old method')")  # fmt: skip


def state(page) -> str:
    """The maps that are shown."""
    return page.evaluate(
        "JSON.stringify([...document.querySelector('[data-genda-explorer]').shadowRoot"
        ".querySelectorAll('figure:not([hidden]) canvas')].map(c => c.toDataURL()))"
    )


def test_a_pack_that_is_not_there_is_told(page, tmp_path):
    (tmp_path / "page.html").write_text("<!doctype html>" + packed("none")._repr_html_().replace("none/", "pack/"))
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "explorer.js").write_text(script("explorer"))
    page.goto((tmp_path / "page.html").as_uri())
    page.wait_for_selector("[data-genda-explorer=failed]")
    assert "contents.js did not arrive" in page.locator("[data-genda-explorer]").inner_text()


def test_two_explorers_share_a_page(page, frames, tmp_path):
    path = tmp_path / "two.html"
    path.write_text("<!doctype html>" + 2 * static_explorer(frames, DIALS)._repr_html_())
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
