"""The twin observed: instruments that err as they say, maps that know how well they know, files that readers read."""

import gzip
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from genda_lite.baselines.mapping import ALONG_TRACK_ERROR, MAPPED, SIGNAL, Mapping
from genda_lite.nature.run import FIELDS
from genda_lite.observe.files import kind_of, read_observations
from genda_lite.observe.instruments import ALONG_TRACK, InstrumentErrors
from genda_lite.observe.smooth_maps import MAPS
from genda_lite.ocean.currents import geostrophic_current
from genda_lite.sources import Archive, Report, read_salinity, read_temperature, read_tracks, read_winds
from genda_lite.sources.samples import FOLDER
from genda_lite.state import KM_PER_DEGREE
from genda_lite.verify.protocol import part_of

DAY = np.timedelta64(1, "D")
START = np.datetime64("2000-06-01T12", "ns")
SMALL = (38.0, 40.0, 37), (-60.0, -58.0, 37)  # 2 x 2 degrees, 1/18 apart
WIDE = (33.0, 43.0, 21), (-65.0, -55.0, 21)


def ocean(zos, box=SMALL, days: int = 16, **fields) -> xr.Dataset:
    """Sea level, a function of time (days), latitude and longitude, and whatever else, uniform unless told."""
    coords = {"time": START + np.arange(days) * DAY}
    coords |= {name: np.linspace(*axis) for name, axis in zip(("latitude", "longitude"), box, strict=True)}
    place = np.meshgrid(np.arange(days), coords["latitude"], coords["longitude"], indexing="ij")
    fields = {"zos": zos(*place), "thetao": 20.0, "so": 36.0, "uo": 0.2, "vo": 0.1, "uas": 5.0, "vas": -3.0} | fields
    ds = xr.Dataset({name: (tuple(coords), np.broadcast_to(v, place[0].shape)) for name, v in fields.items()}, coords)
    for name in ("uas", "vas", "uo", "vo"):
        ds[name].attrs = {"units": "m s-1"}
    return ds


def sloping(day, latitude, longitude):
    """A sea level that interpolation finds exactly (m): a slope, and a rise of 4 mm a day."""
    return 0.4 - 0.1 * (latitude - 38) + 0.03 * (longitude + 60) + 0.004 * day


@pytest.fixture(scope="module")
def twin() -> SimpleNamespace:
    """The parts of the program."""
    return SimpleNamespace(**runpy.run_path(str(FOLDER / "make_twin.py")))


# --- Tracks ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def truth() -> xr.Dataset:
    return ocean(sloping, WIDE, 30)


@pytest.fixture(scope="module")
def track(twin, truth) -> xr.Dataset:
    return twin.track(truth, "j3", 0)


def true_at(track: xr.Dataset) -> np.ndarray:
    days = (track["time"].values - START) / DAY
    return sloping(days, track["latitude"].values, track["longitude"].values - 360)


def test_tracks_carry_truth_and_reference_and_noise_of_the_stated_size(twin, track):
    noise = (track["sla_unfiltered"] + track["mdt"]).values - true_at(track) - twin.REFERENCE
    n, sigma = noise.size, InstrumentErrors().nadir
    assert n > 3000
    assert abs(noise.mean()) < 5 * sigma / np.sqrt(n)
    assert noise.std() == pytest.approx(sigma, rel=5 / np.sqrt(2 * n))
    assert abs(np.corrcoef(noise[1:], noise[:-1])[0, 1]) < 5 / np.sqrt(n)  # white


def test_the_mean_topography_is_that_of_all_days_and_longitudes(twin, track):
    """Of the slope only that to the north is left, of the rise its mean, 4 mm x 14.5 days."""
    expected = 0.4 - 0.1 * (track["latitude"].values - 38) + 0.004 * 14.5 + twin.REFERENCE
    np.testing.assert_allclose(track["mdt"], expected, atol=1e-12)


def test_filtered_tracks_are_quieter_and_no_less_right(twin, track):
    """White noise under a Gaussian of width s (in points) keeps 1 / (2 sqrt(pi) s) of its variance."""
    noise = (track["sla_filtered"] + track["mdt"]).values - true_at(track) - twin.REFERENCE
    number = track["track"].values
    inner = np.ones(noise.size, bool)
    inner[:10] = inner[-10:] = False
    inner[10:-10] = number[20:] == number[:-20]  # away from where passes begin and end
    expected = InstrumentErrors().nadir / np.sqrt(2 * np.sqrt(np.pi) * 15.0 / ALONG_TRACK)
    # Neighbours are alike over 2 sqrt(pi) s points: so many times fewer are independent.
    independent = inner.sum() * ALONG_TRACK / (2 * np.sqrt(np.pi) * 15.0)
    assert noise[inner].std() == pytest.approx(expected, rel=5 / np.sqrt(2 * independent))
    assert abs(noise[inner].mean()) < 5 * expected / np.sqrt(independent)


def test_tracks_are_the_same_again_and_others_with_another_seed_or_orbit(twin, truth, track):
    again, other = (twin.track(truth, "j3", seed) for seed in (0, 1))
    assert again.identical(track)
    np.testing.assert_array_equal(other["latitude"], track["latitude"])
    noise = [(one["sla_unfiltered"] + one["mdt"]).values - true_at(track) for one in (other, track)]
    assert abs(np.corrcoef(*noise)[0, 1]) < 5 / np.sqrt(noise[0].size)
    elsewhere = twin.track(truth, "c2", 0)
    assert elsewhere.attrs["platform"] == "c2" and not set(elsewhere["time"].values) & set(track["time"].values)
    assert set(twin.FLEET) == {"j3", "s3a", "alg", "h2b", twin.WITHHELD} and twin.WITHHELD == "c2"


# --- Mapping ---------------------------------------------------------------------------------------------------------


def seen(latitude, longitude, value, day=0.0) -> dict[str, xr.Dataset]:
    """Filtered anomalies at places, of which a map takes every fourth: each stands there four times."""
    latitude, longitude, value, day = np.broadcast_arrays(*map(np.atleast_1d, (latitude, longitude, value, day)))
    time = START + (np.asarray(day, float) * 86400e9).astype("m8[ns]")
    four = [("time", np.repeat(one, 4)) for one in (value, time, latitude, longitude % 360)]
    return {
        "one": xr.Dataset(
            {"sla_filtered": four[0]}, dict(zip(("time", "latitude", "longitude"), four[1:], strict=True))
        )
    }


def place(mapping, latitude, longitude) -> np.ndarray:
    latitude, longitude = np.broadcast_arrays(*map(np.atleast_1d, (latitude, longitude)))
    return mapping.place_of(xr.Dataset({"latitude": ("n", latitude), "longitude": ("n", longitude)}))


def correlation(kilometres, zero):
    r = 3.337 * kilometres / zero
    return (1 + r + r**2 / 6 - r**3 / 6) * np.exp(-r)


@pytest.mark.parametrize(("degrees", "age"), [(0.0, 0.0), (0.5, 0.0), (1.0, 3.0), (0.0, 10.0), (3.0, 0.0)])
def test_one_observation_is_mapped_by_hand(twin, degrees, age):
    """The gain is the covariance over the variance of what was measured."""
    mapping = Mapping(seen(38.0, -60.0, 0.2, age), zero=200.0, decorrelation=8.0)
    level, error = mapping.at(place(mapping, 38.0 + degrees, -60.0), START)
    alike = correlation(KM_PER_DEGREE * degrees, 200.0) * np.exp(-((age / 8.0) ** 2))
    s2, e2 = SIGNAL**2, ALONG_TRACK_ERROR**2
    assert level[0] == pytest.approx(0.2 * s2 * alike / (s2 + e2), abs=1e-12)
    assert error[0] == pytest.approx(np.sqrt(s2 - s2**2 * alike**2 / (s2 + e2)))


def test_the_covariance_has_its_zero_where_it_says(twin):
    mapping = Mapping(seen(38.0, -60.0, 0.2), zero=200.0)
    level, error = mapping.at(place(mapping, 38.0 + 200.0 / KM_PER_DEGREE, -60.0), START)
    assert level[0] == pytest.approx(0, abs=1e-5) and error[0] == pytest.approx(SIGNAL, abs=1e-6)
    inside, outside = (mapping.at(place(mapping, 38.0 + km / KM_PER_DEGREE, -60.0), START)[0][0] for km in (150, 250))
    assert inside > 0 > outside


def test_distances_are_those_of_the_sphere_wherever_longitudes_begin(twin):
    """A degree of longitude is cos(38) of one of latitude; 300 E is 60 W."""
    mapping = Mapping(seen(38.0, -60.0, 0.2), zero=200.0)
    east = 0.5 / np.cos(np.radians(38.0))
    north, west, same = (
        mapping.at(place(mapping, *where), START)[0][0] for where in ((38.5, -60), (38, -60 - east), (38, 300 + east))
    )
    assert west == pytest.approx(north) and same == pytest.approx(north)


def test_a_map_forgets_what_is_older_than_its_window(twin):
    now, old = seen(38.0, -60.0, 0.2), seen(38.3, -60.0, -0.4, MAPPED + 0.1)
    both = Mapping({"now": now["one"], "old": old["one"]}, 200.0, 15.0)
    alone = Mapping(now, 200.0, 15.0)
    for one, other in zip(
        both.at(place(both, 38.2, -60.0), START), alone.at(place(alone, 38.2, -60.0), START), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_a_map_interpolates_a_constant_and_goes_back_to_the_mean_far_away(twin):
    rows, columns = np.meshgrid(np.arange(37.0, 39.1, 0.25), np.arange(-61.0, -58.9, 0.25))
    mapping = Mapping(seen(rows.ravel(), columns.ravel(), 0.2), zero=200.0)
    level, error = mapping.at(place(mapping, [38.0, 38.1, 37.6], [-60.0, -60.1, -59.4]), START)
    assert (abs(level - 0.2) < error).all() and (error < ALONG_TRACK_ERROR).all()
    far, unknown = mapping.at(place(mapping, 60.0, -20.0), START)
    assert far[0] == pytest.approx(0, abs=1e-6) and unknown[0] == pytest.approx(SIGNAL)


@pytest.fixture(scope="module")
def crossing(twin):
    """Two passes that cross, and places: on the passes, between, and far away."""
    latitude = np.tile(np.linspace(36, 40, 25), 2)
    longitude = np.concatenate([np.linspace(-62, -58, 25), np.linspace(-58, -62, 25)])
    mapping = Mapping(seen(latitude, longitude, np.zeros(50)), zero=200.0)
    to = [place(mapping, *where) for where in ((latitude, longitude), ([38.0, 38.0], [-61.0, -59.0]), (46.0, -60.0))]
    return mapping, to


def test_the_formal_error_is_least_on_tracks_and_most_far_away(twin, crossing):
    mapping, to = crossing
    on, between, far = (mapping.at(where, START)[1] for where in to)
    assert on.max() < ALONG_TRACK_ERROR < between.min() and between.max() < far.min() <= SIGNAL + 1e-12


def test_maps_are_as_wrong_as_they_say_of_an_ocean_with_their_covariance(twin, crossing):
    """Sea levels drawn with the covariance, measured without error and with the stated one, and mapped."""
    mapping, to = crossing
    where, draws, rng = np.concatenate(to[:2], 1), 300, np.random.default_rng(0)
    n = where.shape[1]
    covariance = mapping.covariance(where, where, np.zeros((n, n)))
    values = np.linalg.cholesky(covariance + 1e-9 * np.eye(n)) @ rng.standard_normal((n, draws))
    filtered = mapping.seen["sla_filtered"].copy(deep=True)
    for noise in (0.0, ALONG_TRACK_ERROR):
        misses = []
        for one in values.T:
            mapping.seen["sla_filtered"] = filtered.copy(data=one[:50] + noise * rng.standard_normal(50))
            level, error = mapping.at(where, START)
            misses.append(level - one)
        rms = np.sqrt(np.mean(np.square(misses), 0))
        mapping.seen["sla_filtered"] = filtered
        if noise:
            # Of each place sqrt(2 draws) tells a standard deviation to 4 %; the worst of 52 lies within four of that.
            np.testing.assert_allclose(rms, error, rtol=4 / np.sqrt(2 * draws))
        else:
            assert (rms[:50] < error[:50]).all()  # what is exact is found to the error that is allowed for


def wavy(day, latitude, longitude):
    """Eddies of 110 km that drift half a degree in 16 days, on a slope (m)."""
    phase = 2 * np.pi * (longitude + 0.03 * day) / 2.5
    return 0.5 - 0.1 * (latitude - 39) + 0.25 * np.sin(phase) * np.sin(np.pi * (latitude - 38))


@pytest.fixture(scope="module")
def small() -> xr.Dataset:
    return ocean(wavy)


@pytest.fixture(scope="module")
def tracks(twin, small) -> dict[str, xr.Dataset]:
    return {mission: twin.track(small, mission, 0) for mission in twin.FLEET if mission != twin.WITHHELD}


@pytest.fixture(scope="module")
def mapped(twin, small, tracks) -> xr.Dataset:
    return twin.mapped_sea_level(small, tracks)


def test_mapped_sea_level_is_nearer_to_the_truth_than_the_mean(twin, small, mapped):
    assert mapped["adt"].shape == (16, 13, 13)
    error = (mapped["adt"] - twin.REFERENCE - small["zos"]).isel(time=slice(4, -4))
    anomaly = (small["zos"] - small["zos"].mean(("time", "longitude"))).isel(time=slice(4, -4))
    assert error.sizes == {"time": 8, "latitude": 13, "longitude": 13}
    assert float(error.std()) < 0.6 * float(anomaly.std())
    assert (mapped["err_sla"] <= SIGNAL + 1e-12).all() and float(mapped["err_sla"].min()) > 0.005


def test_the_current_of_a_map_is_in_balance_with_it(mapped):
    for name, current in zip(("ugos", "vgos"), geostrophic_current(mapped["adt"]), strict=True):
        xr.testing.assert_allclose(mapped[name], current.rename(name))


def test_the_topography_that_tracks_are_freed_of_is_put_back_on_maps(twin, small, tracks):
    """Of tracks without any anomaly, the map is the tracks' own mean dynamic topography."""
    noisy = small.assign(zos=small["zos"] + xr.DataArray(0.05 * (np.arange(37) % 3 == 0), dims="longitude"))
    flat = {mission: one.assign(sla_filtered=0 * one["sla_filtered"]) for mission, one in tracks.items()}
    found = twin.mapped_sea_level(noisy.isel(time=slice(2)), flat)["adt"]
    expected = twin.mean_topography(noisy.isel(time=slice(2))).isel(latitude=slice(None, None, 3))
    np.testing.assert_allclose(found, expected.broadcast_like(found).transpose(*found.dims), atol=1e-9)


def test_scales_are_tried_at_the_withheld_altimeter(twin, capsys):
    """Where it measures what was mapped, every scale is as good as the tracks are."""
    days = np.repeat(np.arange(0.0, 24.0), 3)
    rng = np.random.default_rng(0)
    north, east = rng.uniform(37, 39, days.size), rng.uniform(-61, -59, days.size)
    used = seen(north, east, np.full(days.size, 0.1), days)
    withheld = used["one"].isel(time=slice(None, None, 4))
    twin.tuned(used, withheld.rename(sla_filtered="sla_unfiltered"))
    lines = capsys.readouterr().out.splitlines()
    assert len(set(lines)) == len(lines) >= 9
    for line in lines:
        assert line.startswith("L = ") and " km, T = " in line
        assert float(line.split()[-2]) < 1.5 * ALONG_TRACK_ERROR


# --- Maps of temperature, salinity and wind --------------------------------------------------------------------------


def test_clouds_hide_what_the_quality_says(twin):
    truth = ocean(sloping, days=60, thetao=21.5)
    found = twin.clouded(truth, 0)
    quality, kelvin = found["quality_level"].values, found["adjusted_sea_surface_temperature"].values
    assert set(np.unique(quality)) == {0, 5}
    np.testing.assert_array_equal(np.isnan(kelvin), quality == 0)
    noise = (kelvin - 21.5 - 273.15)[quality == 5]
    assert noise.std() == pytest.approx(InstrumentErrors().temperature, rel=5 / np.sqrt(2 * noise.size))
    assert abs(noise.mean()) < 5 * InstrumentErrors().temperature / np.sqrt(noise.size)
    cloud = (quality == 0).mean((1, 2))
    # Shares are drawn with a standard deviation of 0.15, and cut at 0.3 and 0.97.
    assert (
        cloud.min() >= 0.29
        and cloud.max() <= 0.98
        and cloud.mean() == pytest.approx(twin.CLOUD, abs=5 * 0.15 / 60**0.5)
    )
    assert 0.08 < cloud.std() < 0.2
    # Clouds are broken but no noise: of neighbours most are alike.
    assert ((quality[:, 1:] == 5) == (quality[:, :-1] == 5)).mean() > 0.85
    assert twin.clouded(truth, 0).identical(found) and not twin.clouded(truth, 1).identical(found)


def test_smooth_maps_err_as_they_say(twin):
    """Of a uniform temperature the blur leaves everything, and only the smooth error is left."""
    truth = ocean(sloping, ((33.0, 43.0, 61), (-65.0, -55.0, 61)), 40)
    found = twin.blurred(truth, "thetao", 2, 0)
    assert found.shape == (40, 30, 30) and found["latitude"].values[0] == pytest.approx(33 + 10 / 60)
    error, product = found.values - 20.0, MAPS["thetao"]
    area = (10 * KM_PER_DEGREE) ** 2 * np.cos(np.radians(38.0))
    independent = 40 * area / (4 * np.pi * product.width**2)
    assert error.std() == pytest.approx(product.error, rel=5 / np.sqrt(2 * independent))
    # Correlated as exp(-d^2 / 4 w^2), d two cells of a sixth of a degree.
    d = KM_PER_DEGREE / 3
    lagged = np.mean(error[:, 1:] * error[:, :-1]) / np.mean(error**2)
    assert lagged == pytest.approx(np.exp(-(d**2) / (4 * product.width**2)), abs=0.05)


def test_smooth_maps_lose_small_waves(twin):
    """A wave of 5.3 widths loses half its amplitude (`smooth_maps.SmoothMap`)."""
    product = MAPS["so"]
    degrees = 5.336 * product.width / KM_PER_DEGREE
    box = ((33.0, 43.0, 121), (-65.0, -55.0, 13))
    wave = np.sin(2 * np.pi * (np.linspace(*box[0]) - 33) / degrees)[:, None]
    with_wave, without = (twin.blurred(ocean(sloping, box, 1, so=36 + a * wave), "so", 1, 0) for a in (1.0, 0.0))
    left = (with_wave - without).values[0, 30:-30, 6]  # away from the edges; the error is the same in both
    np.testing.assert_allclose(left, 0.5 * wave[30:-30, 0], atol=0.01)


# --- Files -----------------------------------------------------------------------------------------------------------

FILES = {
    *(f"tracks_{mission}_2000.nc" for mission in ("j3", "s3a", "alg", "h2b", "c2")),
    *(f"{name}_2000.nc" for name in ("sea_level", "temperature_L3", "temperature_L4", "salinity", "winds")),
    "drifters_2000.csv.gz",
}


@pytest.fixture(scope="module")
def made(twin, small, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "twin"
    twin.make(folder, small, 3, 0)
    return folder


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_everything_is_written_and_known_for_what_it_is(made):
    assert names(made) == FILES
    kinds = {path.name.rsplit("_", 1)[0]: kind_of(path) for path in made.glob("*.nc")}
    assert {kinds.pop(f"tracks_{mission}") for mission in ("j3", "s3a", "alg", "h2b", "c2")} == {"tracks"}
    assert kinds == {
        "sea_level": "sea level",
        "temperature_L3": "temperature L3",
        "temperature_L4": "temperature L4",
        "salinity": "salinity",
        "winds": "wind",
    }


def test_the_readers_of_real_files_read_them_to_their_steps(twin, small, tracks, mapped, made):
    archive, date = Archive(made), small["time"].values[8]
    assert archive.missions == ["alg", "h2b", "j3", "s3a"] and len(archive.days()) == 16
    for mission, one in tracks.items():
        read = read_tracks(made / f"tracks_{mission}_2000.nc")
        np.testing.assert_allclose(read["zos"], one["sla_unfiltered"] + one["mdt"], atol=1.1e-3)  # two halves of 1 mm
        np.testing.assert_allclose(read["latitude"], one["latitude"], atol=1e-4)
        assert set(read["mission"].values) == {mission} and not Report.of(read).dropped
        assert abs(read["time"].values - one["time"].values).max() < np.timedelta64(1, "us")
    assert archive.withheld_track().sizes["point"] > 20
    found = archive.sea_level(date)
    for ours, theirs in (("zos", "adt"), ("ugos", "ugos"), ("vgos", "vgos"), ("error", "err_sla")):
        np.testing.assert_allclose(found[ours], mapped[theirs].sel(time=date), atol=0.6e-3)
    warm, smooth = (read_temperature(made / f"temperature_{level}_2000.nc", date) for level in ("L3", "L4"))
    assert warm["thetao"].shape == (37, 37) and smooth["thetao"].shape == (18, 18)
    clear = int(warm["thetao"].notnull().sum())
    assert abs(float(warm["thetao"].mean()) - 20) < 5 * InstrumentErrors().temperature / np.sqrt(clear)
    assert abs(float(smooth["thetao"].mean()) - 20) < 0.6  # smooth errors of 0.3 degrees do not average out in 200 km
    salt, winds = read_salinity(made / "salinity_2000.nc", date), read_winds(made / "winds_2000.nc")
    assert salt["so"].shape == (12, 12) and abs(float(salt["so"].mean()) - 36) < 0.6
    assert winds["uas"].shape == (16, 12, 12) and abs(float(winds["vas"].mean()) + 3) < 0.5


def test_readers_see_no_more_than_the_clouds_let_through(made, small):
    path, date = made / "temperature_L3_2000.nc", small["time"].values[3]
    with xr.open_dataset(path, engine="h5netcdf") as raw:
        clear = raw["quality_level"].sel(time=date).values == 5
    np.testing.assert_array_equal(read_temperature(path, date)["thetao"].notnull(), clear)


def test_an_analysis_can_be_made_of_them(made, small):
    archive, date = Archive(made), small["time"].values[8]
    files = [path for name in ("temperature L3", "salinity", "winds") for path in archive.files(name, date)]
    table, reports = read_observations(archive.tracks(date, 5.0) + files, date)
    assert set(table.channel) == {"zos", "thetao", "so", "uas", "vas"} and len(reports) == 4


def test_drifters_are_released_in_the_same_ocean(made):
    found = Archive(made).drifters()
    assert 1 <= found.sizes["traj"] <= 3 and float(found["latitude"].min()) >= 38
    assert float(found["u"].mean()) == pytest.approx(0.2, abs=0.15)  # and inertial motion of 0.15 m/s
    assert gzip.decompress((made / "drifters_2000.csv.gz").read_bytes()).startswith(b"variable,platform_id")


def test_files_are_the_same_when_they_are_made_again(twin, small, made, tmp_path):
    twin.make(tmp_path, small, 3, 0)
    for name in sorted(FILES):
        assert (tmp_path / name).read_bytes() == (made / name).read_bytes(), name


def test_nothing_is_left_half_written(twin, small, tmp_path, monkeypatch):
    real, written = xr.Dataset.to_netcdf, []

    def full(self, path, **more):
        if len(written) == 2:
            Path(path).write_bytes(b"half a file")
            raise OSError("no space left on device")
        written.append(path)
        return real(self, path, **more)

    monkeypatch.setattr(xr.Dataset, "to_netcdf", full)
    with pytest.raises(OSError, match="no space left"):
        twin.make(tmp_path / "twin", small, 1, 0)
    assert len(names(tmp_path / "twin")) == 2 < len(FILES)
    for path in (tmp_path / "twin").iterdir():
        assert read_tracks(path).sizes["point"]


def test_a_record_is_observed_season_by_season(twin, tmp_path, monkeypatch):
    """Three seasons of two days, four days apart, of which one is there already; each says which it is."""
    days = np.arange(14) * np.timedelta64(1, "D") + np.datetime64("2000-12-28T12", "ns")
    field = np.arange(14.0)[:, None, None] * np.ones((1, 141, 141))
    places = {"latitude": 32.5 + np.arange(141) / 12, "longitude": -65.5 + np.arange(141) / 12}
    dims = ("member", "time", "latitude", "longitude")
    record = xr.Dataset({name: (dims, field[None].astype("f4")) for name in FIELDS}, {"time": days} | places)
    path = tmp_path / "sealed.nc"
    record.assign_attrs(seed=9, twin=3).to_netcdf(path, engine="h5netcdf")
    scope, calls = twin.make_seasons.__globals__, []
    monkeypatch.setitem(scope, "SEASON", 2)
    monkeypatch.setitem(scope, "APART", 4)

    def make(folder, truth, drifters, seed):
        calls.append((truth.attrs["season"], float(truth["zos"][0, 0, 0]), seed))
        folder.mkdir(parents=True)
        if len(calls) == 2:
            raise KeyboardInterrupt

    monkeypatch.setitem(scope, "make", make)
    with pytest.raises(KeyboardInterrupt):
        twin.make_seasons(path, 3, 0)
    assert [found.name for found in twin.make_seasons(path, 3, 0)] == ["1", "2", "3"]
    assert calls == [(1, 0.0, 1), (2, 6.0, 2), (2, 6.0, 2), (3, 12.0, 3)]
    names = sorted(str(found.relative_to(tmp_path)) for found in tmp_path.glob("sealed/*/*"))
    assert names == ["sealed/1/truth_2000.nc", "sealed/2/truth_2001.nc", "sealed/3/truth_2001.nc"]
    with xr.open_dataset(tmp_path / names[1], engine="h5netcdf") as ds:
        assert ds.attrs["season"] == 2 and part_of(ds).name == "sealed twin, season 2"
        assert ds.sizes == {"time": 2, "latitude": 121, "longitude": 121}
        np.testing.assert_allclose(ds["thetao"], np.broadcast_to([[[6.0]], [[7.0]]], ds["thetao"].shape), atol=0.01)


def test_files_of_a_season_say_so(twin, small, tmp_path):
    marks = {"seed": 9, "twin": 3, "season": 2}
    two_days = small.isel(time=slice(2)).assign_attrs(marks | {"title": "kept to itself"})
    twin.make(tmp_path, two_days, 1, 0)
    files = sorted(tmp_path.glob("*.nc"))
    assert len(files) > 8
    for path in files:
        with xr.open_dataset(path, engine="h5netcdf") as ds:
            assert marks.items() <= ds.attrs.items() and ds.attrs["title"] != "kept to itself", path.name


def test_the_command_makes_them_of_the_twins_truth(twin, small, tmp_path, monkeypatch, capsys):
    calls = []
    monkeypatch.setitem(twin.main.__globals__, "load_sample", lambda name: {"twin_truth": small}[name])
    monkeypatch.setitem(
        twin.main.__globals__, "make", lambda folder, *how: calls.append(how) or (folder / "a.nc").touch()
    )
    monkeypatch.setitem(twin.main.__globals__, "write_checksums", lambda folder: calls.append(folder))
    twin.main(tmp_path, drifters=2, seed=1)
    assert capsys.readouterr().out == "a.nc: 0.00 MB\n"
    ((truth, drifters, seed),) = calls  # checksums are of the embedded files alone
    assert truth is small and (drifters, seed) == (2, 1)
    assert twin.FOLDER == FOLDER / "twin" and twin.main.__defaults__[:2] == (twin.FOLDER, 80)
