"""From the files of real products to observations: what each file is, how well it measures, how smooth it is.

observations, reports = read_observations(["tracks.nc", "sst.nc", "swot.nc"], "2017-04-02", box=(-66, -54, 32, 44))
"""

import os
from functools import reduce
from operator import add

from ..errors import InputError
from ..sources.files import Box, Paths, as_date, as_day, listed
from ..sources.report import NothingValid, Report
from .instruments import InstrumentErrors
from .sensors import Sensor, sensor_of
from .table import Observations


def kind_of(path) -> str:
    """What a file holds: the `kind` of a sensor, such as "tracks", "swath", "sea level" or "temperature L3".

    Raises:
        InputError: the file is unreadable, or holds no observations of the state. Drifters and reanalyses are named as
            such.
    """
    return sensor_of(path).kind


def read_observations(
    paths: Paths,
    date=None,
    box: Box | None = None,
    window: float = 5.0,
    errors: InstrumentErrors | None = None,
) -> tuple[Observations, list[Report]]:
    """Read the files of real products as observations of one day's state.

    Errors are those of `instruments`. Tracks and swaths have three: of the instrument, of representativity, and of the
    sea's change between observation and date. Maps (L4) are Gaussian means with the width and the error of
    `smooth_maps.MAPS`, thinned to two widths. Their error counts pi times in variance because it is smooth (see
    `smooth_maps.smooth_map`). Satellites' temperature (L3) has its stated errors, at least the sensor's, and an error
    of representativity.

    Args:
        paths: files of the kinds that `kind_of` knows, in any order. Of each kind of map, that of the date is taken.
        date: of the analysis (UTC). None takes the first map of each file, and all altimetry as if simultaneous.
        box: west, east, south, north; only what lies inside is read.
        window: days of altimetry before, and after, the date.
        errors: of the instruments.

    Returns:
        the observations, with one source for each product; and for each kind a report of what was read and left out.

    Raises:
        InputError: a file cannot be read or recognised, none holds the date, or nothing is left.
    """
    errors = errors or InstrumentErrors()
    date = None if date is None else as_date(date)
    files: dict[Sensor, list] = {}
    for path in {os.path.realpath(path): path for path in listed(paths)}.values():  # each once, or it counts double
        files.setdefault(sensor_of(path), []).append(path)
    tables, reports, refused = [], [], []
    for sensor, group in files.items():
        for together in [[path] for path in group] if sensor.apart else [group]:
            try:
                table, report = sensor.observations(sensor.read(together, date, box), date, window, errors)
            except NothingValid as nothing:  # one file without a valid value does not spoil the others
                table, report = [], nothing.report
                refused.append(str(nothing))
            tables += table
            reports.append(report)
    if not tables:
        told = "; ".join(refused or map(str, reports))
        raise InputError(told if refused else f"no observation within {window:g} days of {as_day(date)}: {told}")
    return reduce(add, tables), reports
