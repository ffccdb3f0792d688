"""Live figures: the mathematics of a page is that of the package, and each is moved by mouse, finger and keyboard.

The pages are opened from the disk, where files cannot be fetched.
"""

import json
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

import genda_lite as gl
from genda_lite.baselines.closed_form import condition, exact_posterior
from genda_lite.observe.likelihood import LinearGaussian
from genda_lite.observe.operators import Linear
from genda_lite.observe.orbits import MISSIONS, SECOND, ground_track
from genda_lite.observe.systems import density
from genda_lite.ocean import trajectories
from genda_lite.posterior import guidance
from genda_lite.prior import samplers
from genda_lite.prior.base import grid_context
from genda_lite.prior.mixture import MixturePrior
from genda_lite.prior.spectral import Basis, Spectrum
from genda_lite.show import assets, figures, scene
from genda_lite.show.pack import sample_truth
from genda_lite.sources.samples import sample_path
from genda_lite.state import CHANNELS, Grid
from genda_lite.verify.osse import sweep

DATE = np.datetime64("2000-06-20T12:00", "ns")
BOX = {"latitude": (33.0, 43.0), "longitude": (-65.0, -55.0)}
SHADOW = "document.querySelector('[data-genda-figure]').shadowRoot"
READY = "[...document.querySelectorAll('[data-genda-figure]')].every((host) => host.dataset.state === 'ready')"


class Shown:
    """A page with one figure."""

    def __init__(self, page, folder: Path):
        self.page, self.folder = page, folder

    def open(self, figure: figures.Figure, width: int = 800):
        head = '<!doctype html><html lang="en"><meta charset="utf-8"><title>A figure</title>'
        (self.folder / "page.html").write_text(f"{head}<body style='margin: 8px'>{figure._repr_html_()}")
        self.page.set_viewport_size({"width": width, "height": 900})
        self.page.goto((self.folder / "page.html").as_uri())
        self.page.wait_for_function(READY)
        self.page.wait_for_timeout(100)  # a first picture
        return self.page

    def told(self) -> str:
        return self.page.locator(".told").inner_text().replace("\u2212", "-").replace("\u00a0", " ")

    def numbers(self) -> list[float]:
        return [float(number.replace(",", "")) for number in re.findall(r"-?\d[\d,]*\.?\d*", self.told())]

    def work(self, program: str, expression: str, argument=None):
        """What an expression of a figure's own functions gives."""
        return self.page.evaluate(f"(argument) => {{ {assets.module(program)}; return {expression}; }}", argument)


@pytest.fixture
def shown(page, tmp_path):
    page.goto("about:blank")
    yield Shown(page, tmp_path)
    assert page.faults == []


# --- 01: optimal interpolation ----------------------------------------------------------------------------------------


def shape(d, length):
    """As chapter 01 has it."""
    r = 3.34 * d / length
    return (1 + r + r**2 / 6 - r**3 / 6) * np.exp(-r)


def test_interpolation_is_the_closed_form_of_the_package(shown):
    """The covariance of the line as a spectrum of its own EOFs, conditioned as `baselines` does."""
    to, at = np.linspace(0, 600, 61), [12, 26, 48]
    values, errors, length, s = np.array([5.0, 9.0, -7.0]), np.array([2.0, 4.0, 3.0]), 180.0, 10.0
    covariance = s**2 * shape(abs(to[:, None] - to), length)
    size, functions = np.linalg.eigh(covariance)
    basis = Basis(torch.tensor(functions.T.copy())[None].float(), torch.ones(1, 1, 1))
    spectrum = Spectrum(torch.tensor(size.clip(0)).view(-1, 1, 1, 1).float(), basis=basis)

    def back(y):
        x = torch.zeros(len(y), 1, len(to), 1, dtype=y.dtype)
        x[:, 0, at, 0] = y
        return x

    points = Linear(lambda x: x[:, 0, at, 0], back, (1, len(to), 1))
    gain = float(points.gain)
    seen = LinearGaussian(points, torch.tensor(values * gain).float(), torch.tensor((errors * gain) ** 2).float())
    found = condition(spectrum, seen, seen.value[None])
    covariance_of = "(d) => argument.s ** 2 * shape(d, argument.length)"
    expression = f"interpolate(argument.errors, argument.at, argument.to, {covariance_of})"
    given = {"errors": errors.tolist(), "at": to[at].tolist(), "to": to.tolist(), "s": s, "length": length}
    told = shown.work("interpolation", expression, given)
    mean = np.array(told["weights"]) @ values
    assert abs(mean - found.mean[0, 0, :, 0].numpy()).max() < 5e-3
    assert abs(np.array(told["error"]) - found.variance[0, :, 0].clamp(min=0).sqrt().numpy()).max() < 1e-2


def test_the_interpolation_shown_is_that_of_the_numbers_shown(shown):
    figure = figures.interpolation(0.25, 200.0)
    shown.open(figure)
    at, y, e = (np.array(figure.data[name]) for name in ("at", "values", "errors"))
    matrix = 25**2 * shape(abs(at[:, None] - at), 200.0) + np.diag((100 * e) ** 2)
    across = 25**2 * shape(abs(at - figure.data["target"]), 200.0)
    weights = np.linalg.solve(matrix, across)
    mean, error = weights @ (100 * y), np.sqrt(25**2 - weights @ across)
    assert shown.numbers()[1:3] == pytest.approx([mean, error], abs=0.06)


# --- 01: orbits -------------------------------------------------------------------------------------------------------


@pytest.fixture
def orbits():
    return figures.orbits(DATE, **BOX)


@pytest.mark.parametrize("name", ["Sentinel-6", "SARAL", "CryoSat-2"])
def test_tracks_of_the_page_are_those_of_python(shown, orbits, name):
    orbit = next(each for each in orbits.data["missions"] if each["name"] == name)
    days = 6
    given = {"orbit": orbit, "length": days * 86400, **{k: list(v) for k, v in BOX.items()}}
    told = shown.work(
        "orbits", "groundTrack(argument.orbit, argument.length, argument.latitude, argument.longitude, 3)", given
    )
    end = DATE + days * np.timedelta64(1, "D")
    track = ground_track(MISSIONS[name], DATE, end, BOX["latitude"], BOX["longitude"], 3.0)
    assert len(told) == track.sizes["point"] > 100
    for coordinate in ("latitude", "longitude"):
        assert abs(np.array([point[coordinate] for point in told]) - track[coordinate].values).max() < 1e-5
    seconds = (track.time.values - DATE) / SECOND
    assert abs(np.array([point["time"] for point in told]) - seconds).max() < 1e-2

    grid = Grid(np.linspace(*BOX["latitude"], 41), np.linspace(*BOX["longitude"], 41))
    near = shown.work(
        "orbits",
        "firstSeen(argument.points, argument.latitude, argument.longitude).filter(Number.isFinite).length",
        {"points": told, "latitude": grid.latitude.tolist(), "longitude": grid.longitude.tolist()},
    )
    points = track.assign(zos=("point", np.zeros(len(told))))
    share = density(gl.Observations.from_points(points, "zos", 0.03), grid)["near"]
    assert near == round(share * 41**2)


# --- 03 and 04: two water masses --------------------------------------------------------------------------------------

SIDES, WIDTH, VALUE, ERROR = [-1.0, 1.0], 0.3, 0.3, 0.5
OCEAN = {"sides": SIDES, "width": WIDTH, "value": VALUE, "error": ERROR}


@pytest.fixture(scope="module")
def two_sided():
    spread = [torch.full((1, 1, 1, 1), WIDTH**2)] * 2
    return MixturePrior(torch.full((2,), 0.5), torch.tensor(SIDES).view(2, 1, 1, 1), spread)


@pytest.fixture(scope="module")
def thermometer():
    one_point = Linear(lambda x: x.flatten(1), lambda y: y[..., None, None], (1, 1, 1))
    return LinearGaussian(one_point, torch.tensor([VALUE]), torch.tensor([ERROR**2]))


@pytest.mark.parametrize("sigma", [0.1, 0.5, 3.0])
def test_the_denoiser_of_two_water_masses_is_that_of_the_mixture(shown, two_sided, sigma):
    x = torch.linspace(-2.5, 2.5, 41)
    estimate, covariance = guidance.linearized(two_sided, x.view(-1, 1, 1, 1), torch.tensor(sigma), None)
    expected = torch.stack([estimate.flatten(), covariance(torch.ones_like(estimate)).flatten()], 1)
    expression = "argument.x.map((x) => new MixturePrior(argument.ocean).linearized(x, argument.sigma))"
    told = shown.work("water_masses", expression, {"ocean": OCEAN, "x": x.tolist(), "sigma": sigma})
    assert abs(np.array(told) - expected.detach().numpy()).max() < 1e-4


def test_the_posterior_of_the_page_is_the_exact_one(shown, two_sided, thermometer):
    exact = exact_posterior(two_sided, thermometer, thermometer.value[None])
    expression = "exactPosterior(new MixturePrior(argument), argument.value, argument.error)"
    told = shown.work("bayes", expression, OCEAN)
    assert told["weights"] == pytest.approx(exact.weights[0].tolist(), abs=1e-5)
    assert told["means"] == pytest.approx(exact.means[0].flatten().tolist(), abs=1e-5)
    assert told["variance"] == pytest.approx(exact.variances[0].item(), abs=1e-5)


@pytest.mark.parametrize(("guide", "call"), [
    (partial(guidance.sda, gamma=0.1), "sda(prior, argument.value, argument.error, 0.1)"),
    (partial(guidance.mmps, iterations=1), "mmps(prior, argument.value, argument.error)"),
])  # fmt: skip
def test_draws_of_the_page_are_those_of_the_package(shown, two_sided, thermometer, guide, call):
    """From the same starts, by the same steps."""
    expression = f"""(() => {{
      const prior = new MixturePrior(argument);
      const draws = samplePosterior(prior, argument.value, argument.error, {call});
      const gain = prior.spectrum / (prior.spectrum + argument.error ** 2);
      const spread = Math.sqrt(prior.spectrum * (1 - gain) + SIGMAS[0] ** 2);
      return {{ sigmas: SIGMAS, starts: WHITE.map((white) => gain * argument.value + spread * white), draws }};
    }})()"""
    told = shown.work("bayes", expression, OCEAN)
    levels = samplers.cosine_levels(256)
    assert told["sigmas"] == pytest.approx(levels.tolist(), rel=1e-4)
    start = torch.tensor(told["starts"]).view(-1, 1, 1, 1)
    draws = samplers.euler(guide(two_sided, thermometer, None), start, levels, None).flatten()
    # Where two starts are parted by rounding, at the saddle between the sides, a draw may be of either.
    apart = np.sort(abs(draws.numpy() - np.array(told["draws"])))
    assert apart[-4] < 5e-3 and float(start.std()) == pytest.approx(float(levels[0]), rel=0.05)


# --- 03: noise --------------------------------------------------------------------------------------------------------


@pytest.fixture
def ocean(gaussian_prior, grid):
    context = grid_context(gaussian_prior.domain, grid, DATE, True)
    state = samplers.sample_prior(gaussian_prior, context, 1, seed=4)
    return {"prior": gaussian_prior, "context": context, "latitude": grid.latitude, "longitude": grid.longitude}, state


def test_the_error_of_the_denoiser_is_told_at_every_noise(shown, ocean):
    about, state = ocean
    figure = figures.noise(**about, state=state, levels=7)
    shown.open(figure)
    i = CHANNELS.index("thetao")
    white = torch.randn(state.shape, generator=torch.Generator().manual_seed(0))
    for step in (0, 3, 6):
        shown.page.get_by_role("slider", name="Noise σ").fill(str(step))
        sigma = figure.data["levels"][step]
        estimate = about["prior"].denoise(state + sigma * white, torch.tensor(sigma), about["context"])
        error = float((estimate - state)[:, i].square().mean().sqrt())
        assert shown.numbers()[-1] == pytest.approx(error, abs=0.02)


def test_the_states_of_a_draw_follow_from_its_estimates(shown, ocean):
    about, _ = ocean
    passed, estimates = [], []

    def denoise(x, sigma):
        passed.append(x.flatten().tolist())
        estimates.append(about["prior"].denoise(x, sigma, about["context"]).flatten().tolist())
        return torch.tensor(estimates[-1]).view(x.shape)

    sigmas = samplers.noise_levels(9, low=samplers.PRIOR_SIGMA_MIN)
    start = 80 * torch.randn(1, *about["prior"].shape, generator=torch.Generator().manual_seed(1))
    last = samplers.sde_2m(denoise, start, sigmas, lambda: torch.zeros_like(start), eta=0.0)
    given = {"start": passed[0], "estimates": estimates, "sigmas": sigmas.tolist()}
    told = shown.work("draw", "states(argument.start, argument.estimates, argument.sigmas)", given)
    assert len(told) == 10
    assert abs(np.array(told[:-1]) - np.array(passed)).max() < 1e-3
    assert abs(np.array(told[-1]) - last.flatten().numpy()).max() < 1e-4


def test_a_draw_plays_to_its_end_and_stands_still_for_those_who_ask(shown, ocean):
    about, _ = ocean
    figure = figures.draw(**about, steps=6)
    page = shown.open(figure)
    assert "80 standard deviations" in shown.told()
    page.clock.install()
    page.get_by_role("button", name="Play").click()
    page.clock.run_for(9000)
    assert "never was" in shown.told() and page.get_by_role("button", name="Play").count() == 1
    page.emulate_media(reduced_motion="reduce")
    shown.open(figure)
    assert "never was" in shown.told()


# --- 06: trails -------------------------------------------------------------------------------------------------------


@pytest.fixture
def current() -> xr.Dataset:
    """An eddy that drifts, and a jet."""
    time = DATE + np.arange(6) * np.timedelta64(1, "D")
    latitude, longitude = np.linspace(34.0, 38.0, 17), np.linspace(-64.0, -60.0, 17)
    t, y, x = np.meshgrid(np.arange(6.0), latitude - 36, longitude + 62, indexing="ij")
    inside = np.exp(-((x - 0.1 * t) ** 2 + y**2))
    coords = {"time": time, "latitude": latitude, "longitude": longitude}
    dims = tuple(coords)
    return xr.Dataset({"uo": (dims, 0.2 - 0.8 * y * inside), "vo": (dims, 0.8 * (x - 0.1 * t) * inside)}, coords)


@pytest.fixture
def drifters(current) -> xr.Dataset:
    """One in the eddy, one that leaves, one that comes too late."""
    hours = DATE + np.arange(-5, 115) * np.timedelta64(1, "h")
    place = {"latitude": [36.3, 37.9, 36.0], "longitude": [-62.2, -60.2, -61.0]}
    drift = {"latitude": 0.0, "longitude": 0.01}
    columns = {k: np.concatenate([v + drift[k] * np.arange(120) for v in values]) for k, values in place.items()}
    time = np.concatenate([hours, hours, hours + np.timedelta64(1, "D")])
    about = {name: ("obs", np.zeros(360)) for name in ("u", "v")} | {"rowsize": ("traj", [120] * 3)}
    return xr.Dataset(about, {"time": ("obs", time)} | {k: ("obs", v) for k, v in columns.items()})


def test_particles_of_the_page_go_where_those_of_python_go(shown, current):
    begin = np.array([[36.4, -62.3], [35.0, -62.0], [36.0, -60.1]])
    steps = 96
    expected = trajectories.advect(trajectories.Interpolator(current), 0.0, *begin.T, steps)
    given = {
        "fields": [current[name].values.ravel().tolist() for name in ("uo", "vo")], "shape": list(current.uo.shape),
        "box": {d: current[d].values[[0, -1]].tolist() for d in ("latitude", "longitude")}, "begin": begin.tolist(),
    }  # fmt: skip
    told = shown.work(
        "trails",
        f"argument.begin.map((at) => advect(interpolator(argument.fields, argument.shape, argument.box), at, {steps})"
        ".map((at) => at.map((v) => (Number.isFinite(v) ? v : null))))",
        given,
    )
    found = np.array(told, float).swapaxes(0, 1)
    assert (np.isnan(found) == np.isnan(expected)).all() and np.isnan(found[-1, 2]).all()
    assert np.nanmax(abs(found - expected)) < 1e-9
    apart = shown.work("trails", "distance([36, -62], [37, -60])")
    assert apart == pytest.approx(float(trajectories.distance(36.0, -62.0, 37.0, -60.0)), rel=1e-9)


def test_drifters_and_their_particles_part_as_told(shown, current, drifters):
    figure = figures.trails(current, drifters, DATE, days=4)
    assert len(figure.data["drifters"]) == 2 and len(figure.data["drifters"][1]) < len(figure.data["drifters"][0])
    page = shown.open(figure)
    page.get_by_role("slider", name="Date").fill("48")
    path = np.array(figure.data["drifters"][0])
    carried = trajectories.advect(trajectories.Interpolator(current), 0.0, *path[:1].T, 48)
    apart = float(trajectories.distance(*path[16], *carried[-1, 0])) / 1e3
    days, number, told = shown.numbers()
    assert (days, number) == (2.0, 1) and told == pytest.approx(apart, abs=3)  # the other one has left


def test_trails_need_the_days_and_a_drifter(current, drifters, refuses):
    with refuses("6 dates", "expected 8, a day apart"):
        figures.trails(current, drifters, DATE, days=7)
    with refuses("no drifter"):
        figures.trails(current, drifters.isel(obs=slice(240, None), traj=[2]), DATE, days=4)


# --- 05: observing systems of one's own -------------------------------------------------------------------------------


def test_the_score_of_tracks_of_ones_own_is_that_of_python(shown):
    """The page draws members from the shipped checkpoint; Python draws them of the same observations."""
    prior = gl.load_prior()
    truth = sample_truth(prior)
    figure = figures.observing(prior, truth, members=3, steps=6, folder="live")
    live = shown.folder / "live"
    assets.write_engine(live, sample_path("prior_lite.safetensors"))
    scene.write(live / "scene.js", "scene", scene.scene(truth))
    page = shown.open(figure)
    page.get_by_role("slider", name="Track 2, second end").press("ArrowUp")
    page.get_by_role("button", name="Assimilate").click()
    page.wait_for_selector('.told[data-step="7/7"]', timeout=540_000)
    told = re.search(r"CRPS ([\d.]+) cm, \d+ % \w+; error of the mean ([\d.]+) cm", shown.told())

    data, tracks = figure.data, np.array(figure.data["tracks"])
    tracks[1, 1, 0] += 0.1
    points = np.concatenate([_along(track, data["spacing"]) for track in tracks])
    grid = Grid(truth.latitude.values, truth.longitude.values)
    zos = truth.zos.interp(latitude=("point", points[:, 0]), longitude=("point", points[:, 1])).values
    seen = gl.Observations(
        np.full(len(points), "zos"), *points.T, zos + data["noise"] * np.array(data["white"])[: len(points)],
        np.full(len(points), data["error"]), np.full(len(points), truth.time.values), np.zeros(len(points), int),
        np.zeros(len(points)), np.zeros(len(points)),
    )  # fmt: skip
    there = {"region": sweep.southwest(grid), "date": truth.time.values}
    analysis = gl.assimilate(prior, seen, 3, 0, fast=True, steps=6, **there)
    table = sweep.score_table({"mine": analysis}, truth, ["zos"])
    expected = [100 * table[name].item() for name in ("crps", "rmse")]
    assert [float(v) for v in told.groups()] == pytest.approx(expected, abs=0.06)


def _along(track: np.ndarray, spacing: float) -> np.ndarray:
    """Places every so many km along a track, (n, 2)."""
    north, east = track[1] - track[0]
    length = 6371 * np.pi / 180 * np.hypot(north, east * np.cos(np.radians(track[:, 0].mean())))
    return np.linspace(*track, int(length / spacing) + 1)


def test_a_track_ends_where_the_kilometres_end(shown, tmp_path):
    figure = figures.observing(gl.load_prior("gaussian"), sample_truth(gl.load_prior("gaussian")), 2, 2, folder="none")
    page = shown.open(figure)
    end = page.get_by_role("slider", name="Track 1, second end")
    for _ in range(60):
        end.press("ArrowRight")
    used, budget = shown.numbers()[:2]
    assert used <= budget + 1
    page.get_by_role("button", name="One less").click()
    assert page.get_by_role("slider", name="Track 2").count() == 0 and shown.numbers()[0] < used
    assert page.get_by_role("button", name="One less").is_disabled()
    page.get_by_role("button", name="One track more").click()
    assert page.get_by_role("slider", name="Track 2").count() == 2
    page.get_by_role("button", name="Assimilate").click()  # nothing is there to do it with
    page.wait_for_function(f"{SHADOW}.textContent.includes('not be computed')")
    assert len(page.faults) == 2 and all("none/scene.js" in fault or "ERR_FILE" in fault for fault in page.faults)
    page.faults.clear()


# --- By mouse, finger and keyboard; light, dark, narrow, printed ------------------------------------------------------


def small_figures(current, drifters, ocean) -> dict[str, figures.Figure]:
    about, state = ocean
    return {
        "interpolation": figures.interpolation(0.25, 200.0),
        "orbits": figures.orbits(DATE, **BOX, days=3),
        "noise": figures.noise(**about, state=state, levels=5),
        "draw": figures.draw(**about, steps=5),
        "water_masses": figures.water_masses(),
        "bayes": figures.bayes(),
        "trails": figures.trails(current, drifters, DATE, days=4),
    }


@pytest.fixture
def every(current, drifters, ocean):
    return small_figures(current, drifters, ocean)


HANDLES = {
    "interpolation": ("Observation 2", "Error of observation 2", "Where to estimate"),
    "water_masses": ("Noisy value",),
    "bayes": ("Measurement", "Error of the measurement"),
}


@pytest.mark.parametrize("name", HANDLES)
def test_a_handle_is_dragged_by_mouse_finger_and_keyboard(shown, every, name):
    page = shown.open(every[name])
    devtools = page.context.new_cdp_session(page)
    devtools.send("Emulation.setTouchEmulationEnabled", {"enabled": True})
    for label in HANDLES[name]:
        handle = page.get_by_role("slider", name=label, exact=True)
        assert handle.get_attribute("aria-valuetext")

        def place(handle=handle):
            return handle.evaluate("(e) => [e.getBoundingClientRect().x, e.getBoundingClientRect().y]")

        x, y = place()
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + 30, y - 20, steps=3)
        page.mouse.up()
        page.wait_for_timeout(100)
        dragged = place()
        assert np.hypot(dragged[0] - x, dragged[1] - y) > 10, label
        before = handle.get_attribute("aria-valuetext")
        [x, y] = dragged
        for kind, to in (("touchStart", [x, y]), ("touchMove", [x - 25, y + 18]), ("touchEnd", None)):
            points = [] if to is None else [{"x": to[0], "y": to[1]}]
            devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        page.wait_for_timeout(100)
        touched = handle.get_attribute("aria-valuetext")
        assert touched != before, label
        handle.press("ArrowRight")
        page.wait_for_timeout(100)
        pressed = handle.get_attribute("aria-valuetext")
        assert pressed != touched, label
        handle.press("Shift+ArrowLeft")
        page.wait_for_timeout(100)
        assert handle.get_attribute("aria-valuetext") != touched, label  # a fine step does not take it all back
    spoken = f"{SHADOW}.querySelector('[role=status]').textContent"
    page.wait_for_function(f"{spoken}.length > 20")


def test_figures_fit_a_narrow_screen_follow_the_theme_and_print_light(shown, every):
    page = shown.page
    for name, figure in every.items():
        shown.open(figure, width=380)
        width, room = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert width <= room, name
        beyond = "(part) => [...part.querySelectorAll('*')].filter((e) => e.getBoundingClientRect().right > innerWidth)"
        assert page.locator("section").evaluate(f"{beyond}.length") == 0, name
        picture = f"{SHADOW}.querySelector('canvas').toDataURL()"
        light = page.evaluate(picture)
        page.evaluate("document.documentElement.dataset.theme = 'dark'")
        page.wait_for_selector("[data-mode=dark]")
        page.wait_for_timeout(100)
        if name not in ("noise", "draw"):  # maps alone
            assert page.evaluate(picture) != light, name
        page.emulate_media(media="print")
        page.wait_for_selector("[data-mode=light]")
        page.wait_for_timeout(100)
        assert page.evaluate(picture) == light, name
        page.emulate_media(media="screen")


def test_every_control_has_a_name_and_the_pictures_words(shown, every):
    page = shown.page
    for name, figure in every.items():
        shown.open(figure)
        nameless = page.locator("section").evaluate("""(section) => {
          const named = (element) => element.getAttribute("aria-label") || element.textContent ||
            section.querySelector(`label[for="${element.id}"]`) || element.closest("fieldset");
          return [...section.querySelectorAll("input, button, [role=slider], canvas:not([role=presentation])")]
            .filter((element) => !named(element)).length;
        }""")
        assert nameless == 0, name
        assert page.locator("section").get_attribute("aria-label") == figure.data["title"]


def test_two_figures_of_a_kind_live_on_one_page(shown):
    class Two(figures.Figure):
        def _repr_html_(self):
            return 2 * super()._repr_html_()

    page = shown.open(Two("water_masses", "Two", sides=SIDES, width=WIDTH))
    first, second = page.locator(".told").all()
    page.get_by_role("slider", name="Noisy value").first.press("ArrowLeft")
    page.wait_for_timeout(100)
    assert first.inner_text() != second.inner_text()


def test_text_cannot_leave_its_script():
    html = figures.Figure("bayes", "</script><b>bold")._repr_html_()
    assert "<b>" not in html
    assert json.loads(re.search(r'json">(.*?)</script>', html)[1])["title"] == "</script><b>bold"


def test_a_figure_asks_for_nothing_from_elsewhere(every):
    for figure in every.values():
        assert not re.search(r"https?://(?!www\.w3\.org)", figure._repr_html_())
