"""The sensors: what each must do, and which there are.

Each sensor has a file in this folder. A sensor recognises its own files, reads them, states their errors, and measures
a true ocean as it would measure the real one. `read_observations` and `kind_of` use only the table `SENSORS`.
`ObservingSystem` takes any sensor in its `more`. To add a sensor, write one file, and one line here.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import xarray as xr

from ..errors import InputError
from ..sources import open_product
from ..sources.drifters import TABLES
from ..sources.files import Box, held
from ..sources.reanalysis import OCEAN
from ..sources.report import Report
from .instruments import InstrumentErrors
from .nadir import Nadir
from .radiometer import Radiometer, RadiometerSwath
from .smooth_maps import LEVEL_4, WINDS
from .swath import Swath
from .table import Observations


class Sensor(Protocol):
    """What `files` and `systems` ask of a sensor. A sensor that is not simulated, or has no files yet, lacks that half.

    Attributes:
        kind: what its files hold, in a word or two, as `kind_of` says.
        apart: whether each file is read by itself, and is a source; else all files of a day are read together.
        channels: what it needs of a truth.
    """

    kind: str
    apart: bool
    channels: tuple[str, ...]

    def recognises(self, product: xr.Dataset) -> bool:
        """Whether an open file is of this sensor."""

    def read(self, paths: Sequence, date: np.datetime64 | None, box: Box | None) -> xr.Dataset:
        """What files hold in a box, tidy. Its attributes have the report of what was left out (`Report.of`). Of several
        maps, that of the date is read, or the first.

        Raises:
            NothingValid: nothing in them is valid. InputError: they cannot be read.
        """

    def observations(
        self, ds: xr.Dataset, date: np.datetime64 | None, window: float, errors: InstrumentErrors
    ) -> tuple[list[Observations], Report]:
        """What was read, as observations of the state of a date, with their errors; and the report.

        Args:
            ds: of `read`. date: None: all is as if simultaneous. window: days before, and after, the date.
        """

    def simulate(
        self, truth: xr.Dataset, date: np.datetime64, window: float, errors: InstrumentErrors, seed: int
    ) -> dict[str, Observations | None]:
        """What the sensor measures of a true ocean, by name; None for a part that sees nothing.

        Args:
            truth: dims (time, latitude, longitude), all of `channels`. window: days before, and after, the date.
            seed: of everything random, see `instruments.generator`.
        """


class NoSensor(NamedTuple):
    """Files that hold no observations of the state: how to recognise them, and the sentence that says so."""

    recognises: Callable[[xr.Dataset], bool]
    sentence: str


DRIFTERS = NoSensor(
    lambda product: not {"ewct", "nsct", "ve", "vn"}.isdisjoint(str(name).lower() for name in product.variables),
    "drifters verify analyses and are no observations: read them by read_drifters",
)
REANALYSIS = NoSensor(
    lambda product: not set(sum(OCEAN.values(), ())).isdisjoint(product.variables) and "adt" not in product.variables,
    "an ocean model or reanalysis is no observation: read it by read_glorys",
)
CURRENTS = NoSensor(
    lambda product: not {"u", "ugos", "u_current"}.isdisjoint(product.variables) and "adt" not in product.variables,
    "maps of the current (OSCAR) judge an analysis, `genda evaluate real --current`, and are no observation: single "
    "vectors are, by observe.currents",
)

# The first that recognises a file takes it. Those that go by the shape of a file come last, a new one comes first.
SENSORS: tuple[Sensor | NoSensor, ...] = (
    DRIFTERS,
    WINDS,
    LEVEL_4["thetao"],
    RadiometerSwath(),
    Radiometer(),
    LEVEL_4["so"],
    REANALYSIS,
    CURRENTS,
    Swath(),
    Nadir(),
    LEVEL_4["zos"],
)


def sensor_of(path) -> Sensor:
    """The sensor that a file is of.

    Raises:
        InputError: it is unreadable, of no sensor here, or no observation of the state: the message says which.
    """
    if str(path).lower().endswith(TABLES):
        raise InputError(f"{path}: tables are drifters, which verify analyses and are no observations: read_drifters")
    with open_product(path) as product:
        for sensor in SENSORS:
            if sensor.recognises(product):
                if isinstance(sensor, NoSensor):
                    raise InputError(f"{path}: {sensor.sentence}")
                return sensor
        kinds = ", ".join(sensor.kind for sensor in SENSORS if not isinstance(sensor, NoSensor))
        raise InputError(
            f"{path}: of no sensor that is known, expected one of {kinds}; {held(product)}; a map of sea level, "
            "temperature or salinity is read once it is named so: `ncrename -v OLD,adt` (or analysed_sst, sos)"
        )
