"""Measuring a prior: right on Gaussian oceans, where the answer is known, and not to be fooled by one that copies."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
import xarray as xr

from genda_lite import cli
from genda_lite.ocean.currents import GRAVITY, coriolis, geostrophic_current, smooth
from genda_lite.prior import DiffusionPrior, GaussianPrior, NetworkConfig, save_prior
from genda_lite.prior.samplers import PRIOR_SIGMA_MIN
from genda_lite.prior.spectral import Spectrum
from genda_lite.state import CHANNELS, EARTH_RADIUS, Grid
from genda_lite.verify import prior as v
from genda_lite.verify.spectra import isotropic_spectrum
from genda_lite.verify.table import read_table, tidy

SMALL = (16, 16)
RNG = np.random.default_rng
NEIGHBOUR = "distance to the nearest training window / truth"


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def oceans(frames: torch.Tensor, count: int = 2, centre=(-60.0, 38.0)) -> v.Oceans:
    """So many oceans of equally many frames, five days apart."""
    each = len(frames) // count
    days = np.datetime64("2000-01-01", "ns") + 5 * np.arange(each) * np.timedelta64(1, "D")
    grid = Grid.around(*centre, tuple(frames.shape[-2:]))
    return v.Oceans(frames, np.tile(days, count), np.repeat(np.arange(count), each), grid)


def of(spectrum: Spectrum, frames: int, seed: int, count: int = 2) -> v.Oceans:
    return oceans(spectrum.sample(frames, generator=seeded(seed)), count)


def by_name(rows: list[dict]) -> dict[str, dict]:
    assert len({row["name"] for row in rows}) == len(rows)
    return {row["name"]: row for row in rows}


class Memory(GaussianPrior):
    """The best denoiser of its training windows, and of nothing else: the mean of what they leave possible."""

    windows: torch.Tensor

    def denoise(self, x, sigma, context=None):
        apart = torch.cdist(x.flatten(1), self.windows.flatten(1)) ** 2
        weight = torch.softmax(-apart / (2 * torch.as_tensor(sigma).view(-1, 1) ** 2), 1)
        return (weight @ self.windows.flatten(1)).view_as(x)


# --- On oceans that are known ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def truth(gaussian_prior) -> v.Oceans:
    return of(gaussian_prior.spectrum, 400, seed=1)


@pytest.fixture(scope="module")
def training(gaussian_prior) -> v.Oceans:
    return of(gaussian_prior.spectrum, 300, seed=2, count=3)


@pytest.fixture(scope="module")
def gaussian(gaussian_prior, truth, training) -> dict[str, dict]:
    return by_name(v.evaluate_prior(gaussian_prior, truth, training, samples=400))


def test_a_gaussian_prior_is_perfect_on_gaussian_oceans(gaussian):
    for level in v.LEVELS:
        row = gaussian[f"denoising RMSE / Wiener filter, sigma {level:g}"]
        assert row["value"] == pytest.approx(1, abs=1e-6) and row["met"] is False
        assert gaussian[row["name"] + ", so"]["detail"] and not row["detail"]
    for channel in CHANNELS:
        assert gaussian[f"std / truth, {channel}"]["value"] == pytest.approx(1, abs=0.06)
        assert gaussian[f"validation loss / per-channel Wiener loss, {channel}"]["value"] < 1
    for channel in CHANNELS[:5]:
        assert gaussian[f"spectrum, largest departure (decades), {channel}"]["value"] < 0.08
    assert gaussian["channel correlations, largest difference"]["met"]
    assert gaussian["gradient-wind residual / truth"]["value"] == pytest.approx(1, abs=0.06)
    assert gaussian[NEIGHBOUR]["value"] == pytest.approx(1, abs=0.05) and gaussian[NEIGHBOUR]["met"]
    for name in ("SSH anomaly", "SST", "SSS", "vorticity/f", "ageostrophic current speed"):
        row = gaussian[f"PDF distance, {name}"]
        assert row["target"] is None and row["met"] is None
        assert row["value"] < min(0.08, 1.5 * row["beside"][v.HALVES])


def test_wavelengths_that_a_window_does_not_hold_are_not_judged(gaussian):
    """150 km of wind in a window of 117 km."""
    for channel in ("uas", "vas"):
        row = gaussian[f"spectrum, largest departure (decades), {channel}"]
        assert np.isnan(row["value"]) and row["met"] is None and row["beside"] == {}


def test_the_same_seed_gives_the_same_rows(gaussian_prior, truth, training):
    first, again, other = (
        [row["value"] for row in v.evaluate_prior(gaussian_prior, truth, training, 16, seed, 4)] for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first, again)
    assert first != other


def test_an_untrained_network_has_a_loss_of_one_and_knows_less_than_the_wiener_filter(
    covariance, standardizer, domain, truth
):
    torch.manual_seed(0)
    prior = DiffusionPrior(covariance, standardizer, domain, NetworkConfig(width=8, multipliers=(1, 2), blocks=1))
    windows = truth.draw(SMALL, 400, RNG(0))
    rows = by_name(v.denoising(prior, windows.take(slice(64)), seeded()) + v.validation_loss(prior, windows, seeded()))
    for level in v.LEVELS:
        row = rows[f"denoising RMSE / Wiener filter, sigma {level:g}"]
        assert row["value"] > 1.0002 and row["met"] is False
    assert rows["validation loss / per-channel Wiener loss"]["value"] == pytest.approx(1, abs=0.05)
    sigma = torch.tensor([0.05, 1.0, 20.0])
    expected = prior.denoiser.spectrum.posterior_variance(sigma).mean((-1, -2))  # the univariate filter's
    for spectrum in (prior.spectrum, prior.denoiser.spectrum):
        torch.testing.assert_close(v.univariate_error(spectrum, sigma), expected, rtol=1e-4, atol=1e-7)


def test_half_the_error_is_a_ratio_of_one_half(covariance, standardizer, domain, truth):
    windows = truth.draw(SMALL, 16, RNG(0))

    class Better(GaussianPrior):
        def denoise(self, x, sigma, context=None):
            return (super().denoise(x, sigma) + windows.x) / 2

    rows = by_name(v.denoising(Better(covariance, standardizer, domain), windows, seeded()))
    for level in v.LEVELS:
        row = rows[f"denoising RMSE / Wiener filter, sigma {level:g}"]
        assert row["value"] == pytest.approx(0.5, abs=1e-5) and row["met"]
        assert row["target"] == ("at most 0.75" if level in (0.3, 1, 3) else "below 1")


def test_a_prior_that_remembers_its_training_is_found_out(covariance, standardizer, domain, truth, training):
    prior = Memory(covariance, standardizer, domain)
    prior.windows = training.frames
    rows = by_name(v.evaluate_prior(prior, truth, training, samples=64, steps=20))
    assert rows[NEIGHBOUR]["value"] < 0.1 and rows[NEIGHBOUR]["met"] is False
    assert rows[NEIGHBOUR]["beside"][v.MEMORY] < 0.01
    # Its draws look right; on unseen oceans it denoises worse than the Wiener filter.
    assert rows["std / truth, zos"]["value"] == pytest.approx(rows["std / truth, zos"]["beside"][v.MEMORY], abs=0.15)
    assert rows["denoising RMSE / Wiener filter, sigma 1"]["value"] > 1.2


def test_a_channel_that_is_too_strong_misses_its_targets_and_no_other_does(gaussian_prior, truth):
    windows = truth.draw(SMALL, 64, RNG(0))
    strong = windows.x.clone()
    strong[:, CHANNELS.index("so")] *= 1.2
    rows = by_name(v.statistics(windows._replace(x=strong), windows, windows, gaussian_prior.standardizer))
    for channel in CHANNELS:
        row = rows[f"std / truth, {channel}"]
        assert row["value"] == pytest.approx(1.2 if channel == "so" else 1, abs=1e-5)
        assert row["met"] is (channel != "so") and row["beside"][v.MEMORY] == pytest.approx(1)
    spectrum = rows["spectrum, largest departure (decades), so"]
    assert spectrum["value"] == pytest.approx(2 * np.log10(1.2), abs=1e-5) and spectrum["met"] is False
    assert rows["spectrum, largest departure (decades), zos"]["value"] == pytest.approx(0, abs=1e-6)
    assert rows["channel correlations, largest difference"]["value"] == pytest.approx(0, abs=1e-5)
    assert rows["PDF distance, SSS"]["value"] > 0.03 > rows["PDF distance, SST"]["value"]


def test_statistics_are_those_of_numpy(gaussian_prior, truth):
    windows = truth.draw(SMALL, 32, RNG(0))
    told = v.describe(windows, gaussian_prior.standardizer, latitude=40.0)
    flat = windows.x.double().numpy().swapaxes(0, 1).reshape(len(CHANNELS), -1)
    np.testing.assert_allclose(told.std, flat.std(1), rtol=1e-5)
    np.testing.assert_allclose(told.correlation, np.corrcoef(flat), atol=1e-5)
    step = np.radians(1 / 12) * EARTH_RADIUS
    expected = isotropic_spectrum(windows.x[:, 2].numpy(), step, step * np.cos(np.radians(40)))
    np.testing.assert_allclose(told.spectra[2], expected)


def test_halves_of_the_truth_may_lie_at_different_latitudes(gaussian_prior, truth):
    """Their spectra have as many wavenumbers all the same."""
    windows = truth.draw(SMALL, 64, RNG(0))
    apart = windows._replace(latitude=windows.latitude + np.where(windows.ocean % 2, -9, 9)[:, None])
    rows = by_name(v.statistics(apart, apart, apart, gaussian_prior.standardizer))
    assert 0 < rows["spectrum, largest departure (decades), zos"]["beside"][v.HALVES] < 0.3


def test_pdf_distance_by_hand():
    truth = np.repeat([0.0, 1.0], 100)
    assert v.pdf_distance(truth, truth) == 0
    # All in one of two bins: H(3/4, 1/4) - (H(1, 0) + H(1/2, 1/2)) / 2 = 0.811278 - 0.5 bits.
    assert v.pdf_distance(np.zeros(50), truth) == pytest.approx(np.sqrt(0.311278), abs=1e-6)
    assert v.pdf_distance(np.full(50, -9.0), truth) == pytest.approx(np.sqrt(0.311278), abs=1e-6)  # beyond the truth
    assert v.pdf_distance(np.full(50, 0.5), truth) == pytest.approx(1)  # nothing in common


# --- Sea level and current -------------------------------------------------------------------------------------------


def vortices(standardizer, extra: complex = 0) -> v.Windows:
    """A cyclone at 37 N and an anticyclone at 39 N of 0.3 m and 70 km, with their currents in exact balance."""
    states, rows, columns = [], [], []
    for sign, latitude in ((-1, 37.0), (1, 39.0)):
        grid = Grid.around(-60.0, latitude, (64, 64))
        lat, lon = (xr.DataArray(grid.coordinates()[dim][1], dims=dim) for dim in ("latitude", "longitude"))
        y = np.radians(lat - float(lat.mean())) * EARTH_RADIUS
        x = np.radians(lon - float(lon.mean())) * EARTH_RADIUS * np.cos(np.radians(lat))
        distance, f = np.hypot(x, y), coriolis(lat)
        zos = (sign * 0.3 * np.exp(-((distance / 70e3) ** 2) / 2)).transpose("latitude", "longitude")
        zos = zos.assign_coords(latitude=lat, longitude=lon)
        # V^2 / R + f V = g dz/dR, V positive to the left of outward.
        slope = -GRAVITY * zos * distance / 70e3**2
        speed = 2 * slope / f / (1 + np.sqrt(1 + 4 * slope / f**2 / distance))
        total = speed * (-y + 1j * x) / distance
        smoothed = [smooth(part) for part in geostrophic_current(zos)]
        residual = (total - (smoothed[0] + 1j * smoothed[1])).transpose("latitude", "longitude").values + extra
        state = np.zeros((len(CHANNELS), 64, 64))
        state[0], state[3], state[4] = zos, residual.real, residual.imag
        climatology = standardizer.climatology(grid.latitude, np.datetime64("2000-03-01"))[:, :, None]
        # Sea level and currents are anomalies about the same climatology that will be added again.
        states.append((state - climatology) / standardizer.scale[:, None, None])
        rows.append(grid.latitude)
        columns.append(grid.longitude)
    x, time = torch.tensor(np.array(states), dtype=torch.float32), np.full(2, np.datetime64("2000-03-01", "ns"))
    return v.Windows(x, np.array(rows), np.array(columns), time, np.arange(2))


def test_a_vortex_in_gradient_wind_balance_leaves_next_to_nothing(standardizer):
    balanced = v.describe(vortices(standardizer), standardizer, 38.0)
    assert balanced.explained > 0.95 and balanced.residual < 0.002
    drifting = v.describe(vortices(standardizer, extra=0.06 + 0.08j), standardizer, 38.0)
    assert drifting.residual == pytest.approx(0.1, rel=0.05)
    assert drifting.explained < 0.1


def test_physical_fields_of_a_vortex(standardizer):
    fields, current, _ = v.dynamics(vortices(standardizer), standardizer)
    cyclone, anticyclone = fields["vorticity/f"][:, 24:28, 24:28].mean((1, 2))
    # Geostrophic vorticity in the middle is 2 g h / f R^2, of sea level h exp(-(r/R)^2 / 2).
    for found, latitude, height in ((cyclone, 37, 0.3), (anticyclone, 39, -0.3)):
        assert found == pytest.approx(2 * GRAVITY * height / (coriolis(latitude) * 70e3) ** 2, rel=0.05)
    windows = vortices(standardizer)
    season = np.stack([standardizer.climatology(rows, windows.time[0]) for rows in windows.latitude])[..., None]
    np.testing.assert_allclose(fields["SST"], np.zeros((2, 64, 64)), atol=1e-4)
    mean = season[:, 0] + fields["SSH anomaly"]
    np.testing.assert_allclose(mean[:, 31:33, 31:33].mean((1, 2)), (-0.3, 0.3), atol=0.01)
    np.testing.assert_allclose(fields["ageostrophic current speed"], abs(current))
    assert current.shape == (2, 52, 52)


# --- Windows ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wide() -> v.Oceans:
    """Frames of 24 x 40 cells that tell where and when they are."""
    frame, row, column = torch.meshgrid(torch.arange(12.0), torch.arange(24.0), torch.arange(40.0), indexing="ij")
    fields = torch.stack([frame, row, column, *torch.zeros(4, *frame.shape)], 1)
    return oceans(fields, count=3)


def test_windows_are_what_and_where_they_say(wide, domain):
    windows = wide.draw(SMALL, 60, RNG(0))
    frame, south, west = windows.x[:, :3, 0, 0].numpy().astype(int).T
    np.testing.assert_array_equal(np.bincount(frame), 5)  # every frame alike
    np.testing.assert_array_equal(windows.time, wide.time[frame])
    np.testing.assert_array_equal(windows.ocean, frame // 4)
    np.testing.assert_array_equal(windows.latitude, wide.grid.latitude[south[:, None] + np.arange(16)])
    np.testing.assert_array_equal(windows.longitude, wide.grid.longitude[west[:, None] + np.arange(16)])
    assert (south.min(), south.max()) == (0, 8) and west.min() <= 1 and west.max() >= 23
    context = windows.context(domain)
    assert context.shape == (60, 5, *SMALL) and (context[:, 0] == 1).all()
    torch.testing.assert_close(context[:, 3:, 0, 0].norm(dim=1), torch.ones(60))
    hidden = windows.context(domain, position=torch.zeros(60), season=torch.zeros(60))
    assert (hidden == 0).all()


def test_each_draw_is_for_the_place_and_date_of_a_window(wide, covariance, standardizer, domain, monkeypatch):
    class Place(GaussianPrior):
        def denoise(self, x, sigma, context=None):
            return torch.cat([context, context[:, :2]], 1)

    caught = []
    monkeypatch.setattr(v, "statistics", lambda drawn, truth, *rest: caught.append((drawn.x, truth)) or [])
    prior = Place(covariance, standardizer, domain)
    v.evaluate_prior(prior, wide, wide, samples=40, steps=2)
    (drawn, truth), *_ = caught
    places = truth.context(domain)
    apart = (drawn[:, :5] - places).abs().max()  # what is unknown at the lowest noise
    assert apart < 8 * PRIOR_SIGMA_MIN and len(drawn) == 40
    assert len(places[:, 1, 0, 0].unique()) > 4 and (places[:, 0] == 1).all()


def test_training_windows_are_taken_at_the_same_place_and_season(wide):
    year = np.datetime64("2001-01-01", "ns") + 20 * np.arange(12) * np.timedelta64(1, "D")
    truth = v.Oceans(wide.frames, year, wide.ocean, wide.grid)
    training = v.Oceans(wide.frames, year[::-1], wide.ocean, wide.grid)
    windows = truth.draw(SMALL, 60, RNG(0))
    alike = training.like(windows, RNG(1))
    np.testing.assert_array_equal(alike.latitude, windows.latitude)
    np.testing.assert_array_equal(alike.longitude, windows.longitude)
    apart = np.abs((alike.time - windows.time) / np.timedelta64(1, "D"))
    assert apart.max() < 30 and (apart > 0).any() and (apart == 0).any()


def test_windows_keep_clear_of_land(wide, refuses):
    frames = wide.frames.clone()
    frames[:, :, :, :10] = torch.nan
    coast = v.Oceans(frames, wide.time, wide.ocean, wide.grid)
    windows = coast.draw(SMALL, 40, RNG(0))
    assert torch.isfinite(windows.x).all() and windows.longitude.min() >= wide.grid.longitude[10]
    assert torch.isfinite(v.nearest_training(windows.x, coast)).all()
    with refuses("land"):
        coast.like(wide.draw(SMALL, 40, RNG(0)), RNG(0))


def test_nearest_training_window_by_brute_force(wide):
    frames = torch.randn(3, 7, 24, 28, generator=seeded())
    x = torch.randn(5, 7, *SMALL, generator=seeded(1))
    x[4] = frames[2, :, 8:24, 4:20]
    x[4, 3:] += 100  # currents and winds do not count
    expected = []
    for window in F.avg_pool2d(x[:, :3], 4):
        distances = [
            ((window - F.avg_pool2d(frame[:3, j : j + 16, i : i + 16], 4)) ** 2).mean().sqrt().item()
            for frame in frames
            for j in range(0, 9, 4)
            for i in range(0, 13, 4)
        ]
        expected.append(min(distances))
    found = v.nearest_training(x, oceans(frames, 1))
    np.testing.assert_allclose(found, expected, atol=2e-4)
    assert found[4] < 1e-3 < found[3]


# --- Data and command ------------------------------------------------------------------------------------------------


def fields(shape=(20, 24), days: int = 6, seed: int = 0, centre=(-60.0, 38.0), step: float = 1 / 12) -> xr.Dataset:
    """Two oceans as a simulation writes them."""
    grid, rng = Grid.around(*centre, shape, step), RNG(seed)
    time = np.datetime64("2000-01-01", "ns") + 40 * np.arange(days) * np.timedelta64(1, "D")
    dims = ("member", "time", "latitude", "longitude")
    scale = {"zos": 0.05, "thetao": 2, "so": 0.4, "uo": 0.3, "vo": 0.3, "uas": 6, "vas": 5}
    mean = {"thetao": 18, "so": 35.5, "uas": 3}
    ds = {name: (dims, mean.get(name, 0) + s * rng.normal(size=(2, days, *shape))) for name, s in scale.items()}
    return xr.Dataset(ds, {"time": time} | grid.coordinates())


@pytest.fixture
def checkpoint(covariance, standardizer, domain, tmp_path):
    torch.manual_seed(0)
    prior = DiffusionPrior(covariance, standardizer, domain, NetworkConfig(width=8, multipliers=(1, 2), blocks=1))
    save_prior(prior, tmp_path / "prior.safetensors")
    return tmp_path / "prior.safetensors"


def test_oceans_are_read_with_the_climatology_of_the_prior(gaussian_prior):
    ds = fields()
    found = v.read_oceans([ds, fields(seed=1)], gaussian_prior, "truth", dates=3)
    assert str(found) == "4 ocean(s), 12 frames" and found.ocean.tolist() == sorted([0, 1, 2, 3] * 3)
    np.testing.assert_array_equal(found.time[:3], ds["time"].values[::2])
    day = ds.isel(member=1, time=2)
    expected = gaussian_prior.standardizer.climatology(ds["latitude"].values, day["time"].values)[1][:, None]
    expected = (day["thetao"].values - expected) / gaussian_prior.standardizer.scale[1]
    np.testing.assert_allclose(found.frames[4][1], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("ds", "words"),
    [
        (fields((12, 24)), ("the truth has", "12 x 24 points", "16 x 16")),
        (fields(step=0.1), ("0.1000 x 0.1000 degrees", "expected 1/12")),
        (fields(centre=(-30.0, 38.0)), ("the truth has", "domain")),
        (fields().drop_vars("so"), ("lacks so",)),
    ],
    ids="small coarse elsewhere incomplete".split(),
)
def test_oceans_that_do_not_fit_the_prior(gaussian_prior, ds, words, refuses):
    with refuses(*words):
        v.read_oceans(ds, gaussian_prior, "truth")


def test_too_few_samples(gaussian_prior, truth, refuses):
    with refuses("at least 16", "got 3"):
        v.evaluate_prior(gaussian_prior, truth, truth, samples=3)


def genda(monkeypatch, *arguments) -> int:
    """Run `genda ARGUMENTS` in this process; returns its exit status."""
    monkeypatch.setattr("sys.argv", ["genda", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return stop.value.code or 0


def test_evaluate_prior_prints_a_table_and_writes_rows(monkeypatch, tmp_path, capsys, checkpoint):
    truth, training, table = tmp_path / "truth.nc", tmp_path / "training.nc", tmp_path / "rows.json"
    fields(seed=1).to_netcdf(truth, engine="h5netcdf")
    fields(seed=2).to_netcdf(training, engine="h5netcdf")
    data = ["--truth", truth, "--truth", truth, "--training", training]
    wanted = ["--samples", 16, "--json", table, "--table", tmp_path / "prior.csv"]
    assert genda(monkeypatch, "evaluate", "prior", checkpoint, *data, *wanted) == 0
    told = capsys.readouterr().out
    assert told.startswith("16 states") and "4 ocean(s), 24 frames; training data: 2 ocean(s), 12 frames" in told
    rows = json.loads(table.read_text())
    keys = {"name", "value", "target", "goal", "met", "beside", "detail", "metric"}
    assert all(row.keys() in (keys, keys | {"channel"}) for row in rows)
    assert all(row["name"] == ", ".join(filter(None, (row["metric"], row.get("channel")))) for row in rows)
    assert all(row["met"] is None for row in rows if row["target"] is None or row["value"] is None)
    written = read_table(tmp_path / "prior.csv")
    pd.testing.assert_frame_equal(written, tidy(rows), rtol=1e-5)
    assert written.attrs["command"].endswith("evaluate prior") and written.attrs["seed"] == "0"
    assert "samples 16" in written.attrs["settings"]
    lines = told.splitlines()[3:]
    assert len(lines) == sum(not row["detail"] for row in rows)
    assert all(line.count("|") == 6 for line in lines) and "nan" not in told


def test_quick_takes_the_samples_in_the_box(monkeypatch, capsys, checkpoint):
    samples = {"nature_heldout": fields(days=30), "nature_training": fields(seed=1)}
    monkeypatch.setattr("genda_lite.sources.load_sample", samples.__getitem__)
    assert genda(monkeypatch, "evaluate", "prior", checkpoint, "--quick") == 0
    told = capsys.readouterr().out
    assert told.startswith("quick: 64 states drawn in 20 steps, 64 windows of 2 ocean(s), 20 frames; training data:")


def test_bad_arguments_are_told_in_one_line(monkeypatch, tmp_path, capsys, checkpoint):
    data = fields(centre=(-30.0, 38.0))
    data.to_netcdf(tmp_path / "far.nc", engine="h5netcdf")
    for arguments, told in (
        ([tmp_path / "missing.safetensors"], "no such file"),
        ([checkpoint, "--truth", tmp_path / "missing.nc"], "no such file"),
        ([checkpoint, "--truth", tmp_path / "far.nc", "--training", tmp_path / "far.nc"], "the truth has"),
    ):
        assert genda(monkeypatch, "evaluate", "prior", *arguments, "--json", tmp_path / "rows.json") == 2
        error = capsys.readouterr().err
        assert told in error and len(error.splitlines()) == 1
    assert not (tmp_path / "rows.json").exists()
