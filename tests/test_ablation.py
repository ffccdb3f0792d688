"""The ablation on oceans: what is observed, the ways, a folder that goes on, and rows that say what is claimed."""

import json

import numpy as np
import pytest
import torch
import xarray as xr
from conftest import red_covariance
from test_latent import flow

from genda_lite.latent.convolutional import AutoencoderConfig, ConvAutoencoder
from genda_lite.latent.modalities import DRIFTERS, INFRARED, TRACER, JointEncoders
from genda_lite.latent.prior import LatentPrior
from genda_lite.observe.operators import Linear, check_adjoint
from genda_lite.prior import Domain, GaussianPrior
from genda_lite.prior.spectral import Spectrum
from genda_lite.state import CHANNELS
from genda_lite.verify.osse import ablation as ab
from genda_lite.verify.osse.scoreboard import paired

N = 16


@pytest.fixture(scope="module")
def gaussian(standardizer) -> GaussianPrior:
    return GaussianPrior(red_covariance(N, N, len(CHANNELS)), standardizer, Domain((33.0, 43.0), (-72.0, -54.0)))


@pytest.fixture(scope="module")
def models(gaussian) -> ab.Models:
    """Networks with weights at random: nothing is learned, everything runs."""
    torch.manual_seed(0)
    spectrum = Spectrum(torch.eye(len(CHANNELS)).expand(N, N, -1, -1), univariate=True)
    autoencoder = ConvAutoencoder(
        spectrum, gaussian.standardizer, gaussian.domain, AutoencoderConfig(latents=3, width=8, blocks=1)
    )
    fields = [gaussian.spectrum.sample(40, generator=torch.Generator().manual_seed(i)) for i in (0, 1)]
    autoencoder.module.settle(fields)
    autoencoder.module.requires_grad_(False)
    autoencoder.measure(fields)
    encoders = JointEncoders(autoencoder.shape, width=8)
    encoders.network.requires_grad_(False)
    encoders.measure([(torch.randn(80, 6, N, N), autoencoder.encode(fields[0]).repeat(2, 1, 1, 1))])
    latent = LatentPrior.gaussian(autoencoder, torch.eye(3).expand(4, 4, 3, 3))
    return ab.Models(gaussian, gaussian, latent, encoders)


@pytest.fixture(scope="module")
def series(standardizer) -> xr.Dataset:
    """Two oceans of thirty days: a wave that moves."""
    made = flow(lambda y, x: 0.2 + 0.1 * np.sin(3 * y), lambda y, x: 0.1 * np.cos(4 * x))
    latitude, day = made["latitude"], xr.DataArray(np.arange(made.sizes["time"]), dims="time")
    wave = np.sin(2 * made["longitude"] + 0.1 * day) * np.cos(2 * latitude)
    fields = {"zos": 0.4 + 0.2 * wave}
    fields |= {"thetao": 18 + 2 * wave, "so": 35.5 + 0.3 * wave, "uas": 5 + wave, "vas": 1 - wave}
    one = made.assign({k: v.transpose("time", "latitude", "longitude") for k, v in fields.items()})
    other = one.assign({k: one[k] + 0.01 for k in fields})
    return xr.concat([one, other], "member")


@pytest.fixture(scope="module")
def cases(series, gaussian) -> ab.OceanCases:
    return ab.OceanCases([series], gaussian, 2)


@pytest.mark.parametrize("setting", [ab.MIDDLE, ab.MIDDLE._replace(coarsen=1, every=4, temperature=True)])
def test_what_is_observed_is_means_or_single_cells(cases, setting):
    case = cases[0]
    told = case.observed(setting)
    zos = case.x[CHANNELS.index("zos")]
    expected = zos.unfold(0, 4, 4).unfold(1, 4, 4).mean((-1, -2)) if setting.coarsen > 1 else zos[2::4, 2::4]
    assert len(told.value) == 16 * (1 + setting.temperature)
    torch.testing.assert_close(told.operator(case.x[None])[0, :16], expected.flatten())
    assert check_adjoint(Linear(told.operator, told.operator.adjoint, case.x.shape)) > 0
    errors = torch.stack([ab.OceanCases([*cases.series], cases.model, 2)[0].observed(setting).value - told.value])
    assert errors.abs().max() == 0  # of a case, always the same


def test_a_case_has_its_day_another_and_what_instruments_saw(cases):
    case, other = cases[0], cases[1]
    assert case.ocean != other.ocean and (case.x - case.another).abs().max() > 0.1
    shapes = {INFRARED: 1, TRACER: 2, DRIFTERS: 3}
    assert {kind: tuple(case.maps(kind).shape) for kind in shapes} == {k: (n, N, N) for k, n in shapes.items()}
    for kind in (INFRARED, DRIFTERS):
        told = ab.TOLD[kind](case)
        assert len(told.value) and torch.isfinite(told.value).all() and check_adjoint(told.operator) > 0


def test_a_pixel_method_is_told_currents_by_drifters(cases):
    """A box whose current is known: innovations of the truth have the size that is stated."""
    case = cases[0]
    told = ab.TOLD[DRIFTERS](case)
    assert float((told.innovation(case.x[None]) / told.variance.sqrt()).abs().max()) < 20


@pytest.fixture(scope="module")
def found(cases, models, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ablation")
    settings = (ab.MIDDLE, ab.ALL_KINDS)
    chosen = ab.ways(models, settings)
    few = {name: one for name, one in chosen.items() if one[1] != ab.MIDDLE}
    ab.run(cases, few, 2, folder)
    return chosen, folder, ab.run(cases, chosen, 2, folder)


def test_every_way_runs_and_a_folder_goes_on(found, cases, monkeypatch, refuses):
    chosen, folder, table = found
    names = {name.split(ab.SEPARATOR)[0] for name in chosen}
    assert names == {ab.PIXEL, ab.PIXEL_GAUSSIAN, ab.LINEAR, ab.CONVOLUTIONAL, ab.WITHOUT, ab.ORACLE, ab.PIXEL_TOLD,
                     ab.JOINT, ab.CLIMATOLOGY, ab.ANOTHER}  # fmt: skip
    assert table.sizes["case"] == 2 and list(table["experiment"].values) == list(chosen)
    crps = table["crps"].sel(channel="zos", zone="all")
    assert np.isfinite(crps).all()
    again = lambda case, setting, members: pytest.fail("computed again")  # noqa: E731
    xr.testing.assert_allclose(ab.run(cases, {n: (again, s) for n, (_, s) in chosen.items()}, 2, folder)["crps"],
                               table["crps"])  # fmt: skip
    with refuses("of a run with other settings", "delete it"):
        ab.run(cases, chosen, 3, folder)


def test_pooled_values_do_not_see_where_things_are(found):
    _, _, table = found
    middle = lambda way: f"{way}{ab.SEPARATOR}{ab.MIDDLE.name}"  # noqa: E731
    w1 = table["wasserstein"].sel(state="zos").mean("case")
    mse = table["mse"].sel(channel="zos", zone="all").mean("case")
    assert w1.sel(experiment=middle(ab.ANOTHER)) < w1.sel(experiment=middle(ab.CLIMATOLOGY))
    assert mse.sel(experiment=middle(ab.ANOTHER)) > mse.sel(experiment=middle(ab.PIXEL))


def test_rows_say_what_is_claimed(found):
    _, _, table = found
    rows = {row["name"]: row for row in ab.rows_of_ablation(table)}
    assert json.dumps(list(rows.values()))
    cost = rows["latent convolutional: CPU / pixel"]
    assert cost["target"] == "at most 0.5" and cost["value"] > 0
    spread = rows[f"latent linear, {ab.MIDDLE.name}: spread_skill, zos"]
    assert spread["target"] == "0.9 to 1.1"
    claims = [row for row in rows.values() if row.get("method", "").startswith(ab.JOINT) and row["target"]]
    assert any("infrared" in row["name"] for row in claims)
    one, other = (f"{way}{ab.SEPARATOR}{ab.MIDDLE.name}" for way in (ab.LINEAR, ab.PIXEL))
    crps = table["crps"].sel(channel="zos", zone="all").mean("case")
    expected = crps.sel(experiment=one) / crps.sel(experiment=other) - 1
    assert paired(table, one, other, "zos").value == pytest.approx(float(expected))


def test_what_the_ablation_cannot_take_is_told_in_a_sentence(series, gaussian, refuses):
    with refuses("expected at least 16 x 16"):
        ab.OceanCases([series.isel(latitude=slice(0, 10))], gaussian, 2)[0]
    with refuses("need daily fields", "or more"):
        ab.OceanCases([series.isel(time=slice(0, 12))], gaussian, 2)[0]
    with refuses("need daily fields"):
        ab.OceanCases([series.isel(time=slice(None, None, 3))], gaussian, 2)[0]


REFUSED = {
    "latent, nothing to ablate": (["evaluate", "latent", "--folder", "x"], "--folder goes with --truth"),
    "encoders alone": (["evaluate", "latent", "--truth", "a.nc", "--encoders", "e"], "--encoders goes with --latent"),
    "no autoencoder": (
        ["train", "--config", "latent", "--data", "a.nc", "--out", "o.safetensors"],
        "needs --autoencoder",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_commands_say_what_goes_with_what(case, monkeypatch, capsys, tmp_path, series):
    from genda_lite import cli

    monkeypatch.chdir(tmp_path)
    for name in ("a.nc", "e"):
        (tmp_path / name).write_bytes(b"")
    command, sentence = REFUSED[case]
    monkeypatch.setattr("genda_lite.sources.open_product", lambda path: series)
    monkeypatch.setattr("genda_lite.verify.protocol.refuse_test", lambda paths: None)
    monkeypatch.setattr("sys.argv", ["genda", *command])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code and sentence in " ".join(capsys.readouterr().err.split())
