"""Frames to train on: standardized, read when they are asked for, the same from memory and from files."""

import pickle

import numpy as np
import pytest
import torch
import xarray as xr
from test_prepare import ocean

from genda_lite.prepare import fit_standardizer, prepare, write_state
from genda_lite.prepare.frames import Frames, training_set
from genda_lite.sources import open_product
from genda_lite.state import CHANNELS


def all_of(data) -> torch.Tensor:
    return torch.stack(list(data.frames))


def test_training_set_has_zero_mean_and_unit_scale():
    data = training_set(ocean())
    frames = all_of(data)
    assert frames.shape == (12, len(CHANNELS), 14, 16) and frames.dtype == torch.float32
    np.testing.assert_allclose(frames.mean((0, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose((frames**2).mean((0, 2, 3)), 1, atol=1e-5)
    assert data.harmonics.shape == (12, 3)


def test_climatology_takes_latitude_and_season_out():
    data = training_set(ocean())
    frames = all_of(data)
    np.testing.assert_allclose(frames[:, 0].mean((0, 2)), 0, atol=1e-5)  # each latitude has its own mean
    # Temperature loses its 5 degC cycle; what is left of it is the noise of the fit.
    np.testing.assert_allclose(torch.einsum("ny,nh->yh", frames[:, 1].mean(-1), data.harmonics), 0, atol=1e-4)
    assert data.standardizer.scale[1] == pytest.approx(2.0, rel=0.05)
    # Sea level and the residual current have a mean, but no season.
    seasonal = np.abs(data.standardizer.harmonics[1:]).max((0, 2)) > 0
    assert dict(zip(CHANNELS, seasonal, strict=True)) == {
        "zos": False, "thetao": True, "so": True, "u_ageo_eddy": False, "v_ageo_eddy": False, "uas": True, "vas": True
    }  # fmt: skip


def test_validation_data_take_the_training_climatology():
    standardizer = fit_standardizer([ocean()])
    other = ocean(seed=1)
    data = training_set(other, standardizer)
    assert data.standardizer is standardizer
    warmer = training_set(other.assign(thetao=other["thetao"] + 1), standardizer)
    shift = all_of(warmer)[:, 1] - all_of(data)[:, 1]
    np.testing.assert_allclose(shift, 1 / standardizer.scale[1], atol=1e-5)


def test_members_and_the_order_of_dims_do_not_matter():
    a, b = ocean(seed=2), ocean(seed=3)
    listed = training_set([a, b])
    joined = training_set(xr.concat([a, b], "member").transpose("longitude", "time", "member", "latitude"))
    torch.testing.assert_close(all_of(joined), all_of(listed))
    np.testing.assert_allclose(joined.standardizer.ekman, listed.standardizer.ekman)


@pytest.mark.parametrize("name", ["state.nc", "state.zarr"])
def test_prepared_states_give_the_same_frames(name, tmp_path):
    if name.endswith(".zarr"):
        pytest.importorskip("zarr")
    write_state(*prepare(ocean()), tmp_path / name)
    with open_product(tmp_path / name) as stored:
        data = training_set(stored)
        torch.testing.assert_close(all_of(data), all_of(training_set(ocean())), atol=1e-4, rtol=1e-4)
        again = pickle.loads(pickle.dumps(data.frames))  # as it goes to a worker process
        assert not again.kept and torch.equal(again[3], data.frames[3])


def test_validation_state_of_another_response_is_refused(tmp_path, refuses):
    training, validation = ocean(), ocean(seed=1)
    _, standardizer = prepare(training)
    write_state(*prepare(validation), tmp_path / "own.nc")
    write_state(*prepare(validation, standardizer), tmp_path / "like.nc")
    with open_product(tmp_path / "own.nc") as own, refuses("another Ekman response", "--like"):
        training_set(own, standardizer)
    with open_product(tmp_path / "like.nc") as like:
        expected = all_of(training_set(validation, standardizer))
        torch.testing.assert_close(all_of(training_set(like, standardizer)), expected, atol=1e-4, rtol=1e-4)
    with refuses("no climatology", "genda prepare"):
        training_set(prepare(training)[0])


def test_frames_are_read_once_while_there_is_room(monkeypatch):
    read, reads = Frames.read, []
    monkeypatch.setattr(Frames, "read", lambda self, i: reads.append(i) or read(self, i))
    frames = Frames([ocean(), ocean(seed=1)], fit_standardizer([ocean()]), held=3)
    assert len(frames) == 24 and reads == [0]
    for i in (5, 6, 7, 5, 8, 5, 7):  # 6 and then 7 give way
        frames[i]
    assert reads == [0, 5, 6, 7, 8] and list(frames.kept) == [8, 5, 7]
    assert torch.equal(frames[-1], frames[23])
    with pytest.raises(IndexError):
        frames[24]


def test_land_is_what_the_first_frame_lacks(refuses):
    ds = ocean()
    standardizer = fit_standardizer([ds])
    coast = ds["longitude"] > -59.5
    frames = training_set(ds.assign(so=ds["so"].where(~coast)), standardizer).frames
    assert torch.equal(torch.isnan(frames[4][2]), torch.from_numpy(np.broadcast_to(coast, (14, 16)).copy()))
    gap = ds["so"].where((ds["time"] != ds["time"][4]) | (ds["latitude"] < 36.5))
    frames = training_set(ds.assign(so=gap), standardizer).frames
    frames[3]
    with refuses("so", "missing values", "2001-09-11"):
        frames[4]


def test_bad_training_data(refuses):
    ds = ocean()
    with refuses("lacks uo, vas", "expected zos"):
        training_set(ds.drop_vars(["uo", "vas"]))
    with refuses("zos", "time, latitude and longitude"):
        training_set(ds.isel(time=0))
    with refuses("different grids", "latitude"):
        training_set([ds, ds.assign_coords(latitude=ds["latitude"] + 1)])
    with refuses("latitude", "ascending"):
        training_set(ds.sortby("latitude", ascending=False))
    with refuses("2 date(s)", "at least 3"):
        training_set(ds.isel(time=slice(2)))
