"""The embedded data are what their card says they are."""

import hashlib

import numpy as np

import genda_lite as gl
from genda_lite.prior.checkpoint import SHIPPED
from genda_lite.sources import load_sample

FOLDER = SHIPPED.parent


def test_checksums():
    for line in (FOLDER / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split()
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == digest, name


def test_every_file_has_a_checksum_and_a_line_on_the_card():
    card = (FOLDER / "README.md").read_text()
    summed = {line.split()[1] for line in (FOLDER / "SHA256SUMS").read_text().splitlines()}
    files = {path.name for path in FOLDER.iterdir()} - {"README.md", "SHA256SUMS"}
    assert files == summed
    assert all(name in card for name in files)


def test_shipped_prior_is_small_trained_and_better_than_gaussian():
    assert SHIPPED.stat().st_size <= 6e6
    training = gl.load_prior().training
    assert training["cpu_seconds"] >= 30 * 60
    assert training["frames"] * 3 >= 3 * 365  # daily means, every third day kept
    assert training["validation_loss"] < 1.0  # in units of the Wiener filter's loss


def test_sample_looks_like_the_gulf_stream():
    ocean = load_sample()
    assert set(ocean.data_vars) == {"zos", "thetao", "so", "uo", "vo", "uas", "vas"}
    speed = np.hypot(ocean["uo"], ocean["vo"])
    assert 1.2 < float(speed.max()) < 2.5
    assert 0.3 < float(ocean["zos"].std()) < 0.65
    assert 33.0 < float(ocean["so"].quantile(0.01)) < float(ocean["so"].quantile(0.99)) < 36.9
