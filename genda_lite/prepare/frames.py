"""What priors are trained on: standardized frames of many oceans, read when they are needed."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from ..errors import InputError
from ..state import CHANNELS, INPUTS, Grid, Standardizer, harmonics
from .climatology import fit_standardizer
from .decompose import require, to_state
from .store import stored_standardizer

HELD = 5120  # frames kept in memory: 3.7 GB on the grid of the nature run


class Frames(Sequence):
    """Standardized anomalies of one or more oceans, one frame after the other.

    A frame is read, and prepared if need be, when it is asked for; the frames asked for last are kept in memory.

    Args:
        oceans: dims (time, latitude, longitude); the inputs of a state, or prepared states. Lazy or in memory.
        standardizer: of the training data.
        held: frames to keep in memory.
    """

    def __init__(self, oceans: list[xr.Dataset], standardizer: Standardizer, held: int = HELD):
        self.oceans, self.standardizer, self.held = oceans, standardizer, held
        self.ekman = standardizer.ekman_at(oceans[0]["latitude"])
        self.ends = np.cumsum([ocean.sizes["time"] for ocean in oceans])
        self.kept: OrderedDict[int, Tensor] = OrderedDict()
        self.land = ~torch.isfinite(self.read(0)).all(0)

    def __len__(self) -> int:
        return int(self.ends[-1])

    def __getitem__(self, i: int) -> Tensor:
        """(C, ny, nx), float32; NaN where the first frame has land.

        Raises:
            IndexError: beyond the last frame.
            InputError: a value is missing elsewhere.
        """
        if not -len(self) <= i < len(self):
            raise IndexError(f"frame {i} of {len(self)}")
        i %= len(self)
        if i not in self.kept:
            self.kept[i] = self.read(i)
            if len(self.kept) > self.held:
                self.kept.popitem(last=False)
        self.kept.move_to_end(i)
        return self.kept[i]

    def series(self, lags: Sequence[float]) -> np.ndarray:
        """Frames of one ocean as many days apart as the lags are, each row with those of one date: (n, L) numbers.

        Raises:
            InputError: a series has gaps, or no date has a frame at all lags.
        """
        found, first = [], 0
        for ocean in self.oceans:
            time = ocean["time"].values.astype("datetime64[s]")
            steps = np.diff(time)
            if len(steps) and (steps != steps.min()).any():
                hole = int(np.argmax(steps != steps.min()))
                days = steps.min() / np.timedelta64(1, "D")
                raise InputError(
                    f"a series has a gap after {np.datetime_as_string(time[hole], 'D')}, expected a frame every "
                    f"{days:g} day(s) throughout: cut it there into two"
                )
            wanted = time[:, None] + np.array([np.timedelta64(round(86400 * lag), "s") for lag in lags])
            place = np.searchsorted(time, wanted).clip(max=len(time) - 1)
            there = (abs(time[place] - wanted) <= np.timedelta64(1, "h")).all(1)
            found.append(first + place[there])
            first += len(time)
        rows = np.concatenate(found)
        if not len(rows):
            asked = ", ".join(f"{lag:g}" for lag in sorted({*lags}))
            raise InputError(f"no date of the series has frames at {asked} days from it, expected such series")
        return rows

    def __getstate__(self) -> dict:
        return self.__dict__ | {"kept": OrderedDict()}  # a worker process reads its own

    def read(self, i: int) -> Tensor:
        """A frame from its source."""
        which = int(np.searchsorted(self.ends, i, side="right"))
        day = self.oceans[which].isel(time=[i - int(self.ends[which])])
        names = list(CHANNELS if is_prepared(day) else INPUTS)
        day = day[names].transpose("time", "latitude", "longitude").compute()
        state = day if is_prepared(day) else to_state(day, self.ekman)
        frame = self.standardizer.to_tensor(state.isel(time=0))
        if i and (missing := ~torch.isfinite(frame) & ~self.land).any():
            channel = int(missing.flatten(1).any(1).int().argmax())
            date = np.datetime_as_string(day["time"].values[0], "D")
            raise InputError(f"{CHANNELS[channel]} has missing values on {date} where the first date has none")
        return frame


class TrainingSet(NamedTuple):
    """Frames, each (C, ny, nx), with their harmonics of the year (n, 3), where they lie, and how they were made."""

    frames: Sequence[Tensor]
    harmonics: Tensor
    latitude: np.ndarray
    longitude: np.ndarray
    standardizer: Standardizer


def training_set(
    ds: xr.Dataset | list[xr.Dataset], standardizer: Standardizer | None = None, held: int = HELD
) -> TrainingSet:
    """The frames of all oceans in one or more data sets (dims [member,] time, latitude, longitude).

    Args:
        ds: `zos thetao so uo vo uas vas`, or states written by `write_state`, in memory or lazy.
        standardizer: use this climatology and scale (for validation data) instead of fitting them; by default that of
            the first prepared state, if there is one.
        held: frames to keep in memory.

    Raises:
        InputError: a variable is missing, the grids differ or do not ascend, too few dates, or a state was prepared
            with another Ekman response.
    """
    sets = ds if isinstance(ds, list) else [ds]
    prepared = [one for one in sets if is_prepared(one)]
    for one in sets:
        require(one, CHANNELS if is_prepared(one) else INPUTS)
        for dim in ("latitude", "longitude"):
            if not np.array_equal(one[dim], sets[0][dim]):
                raise InputError(f"the data sets lie on different grids ({dim}); expected one grid")
    latitude, longitude = (sets[0][dim].values for dim in ("latitude", "longitude"))
    Grid(latitude, longitude)  # the climatology needs ascending latitudes
    oceans = [ocean for one in sets for ocean in members_of(one)]
    if standardizer is None:
        standardizer = stored_standardizer(prepared[0]) if prepared else fit_standardizer(oceans)
    ekman = standardizer.ekman_at(latitude)
    for one in prepared:
        stored = stored_standardizer(one).ekman_at(latitude)
        if "ekman_real" not in one and not np.allclose(stored, ekman, rtol=1e-6):
            raise InputError(
                "a data set was prepared with another Ekman response than that of the training data; "
                "prepare it with theirs (`genda prepare --like`)"
            )
    basis = np.concatenate([harmonics(ocean["time"].values) for ocean in oceans])
    frames = Frames(oceans, standardizer, held)
    return TrainingSet(frames, torch.from_numpy(basis.astype("f4")), latitude, longitude, standardizer)


def members_of(ds: xr.Dataset) -> list[xr.Dataset]:
    """The oceans in a data set, one by one; a data set without a `member` dimension is one ocean."""
    if "member" not in ds["zos"].dims:
        return [ds.transpose("time", "latitude", "longitude", ...)]
    return [ds.isel(member=m).transpose("time", "latitude", "longitude", ...) for m in range(ds.sizes["member"])]


def is_prepared(ds: xr.Dataset) -> bool:
    """Whether a data set is a state already, and not what it is made from."""
    return "u_ageo_eddy" in ds and "uo" not in ds
