"""Fetching the reanalysis that priors of the real ocean are trained on, from the Copernicus Marine Service.

The service is free and wants an account: `copernicusmarine login` once, after which its client finds the account by
itself. Nothing here sees a name or a password.
"""

import os
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from ..errors import InputError, atomic_path


class Subset(NamedTuple):
    """What is fetched of a dataset: variables, depths (m), and how far beyond the box (degrees)."""

    dataset: str
    variables: tuple[str, ...]
    depths: tuple[float, float] | None = None
    margin: float = 0.0


# GLORYS12V1 (GLOBAL_MULTIYEAR_PHY_001_030): 1/12 degree, daily means from 1993; its levels include 0.49 and 15.81 m.
# The wind (WIND_GLO_PHY_L4_MY_012_006): 1/8 degree, hourly from January 2007, ERA5 corrected by scatterometers.
SUBSETS = {
    "surface": Subset("cmems_mod_glo_phy_my_0.083deg_P1D-m", ("zos", "thetao", "so"), (0.0, 1.0)),
    "currents": Subset("cmems_mod_glo_phy_my_0.083deg_P1D-m", ("uo", "vo"), (15.0, 16.0)),
    "winds": Subset("cmems_obs-wind_glo_phy_my_l4_0.125deg_PT1H", ("eastward_wind", "northward_wind"), margin=0.5),
}


def download_glorys(
    folder: str | os.PathLike, start, end, box: tuple[float, float, float, float] = (-70.0, -40.0, 25.0, 45.0)
) -> list[Path]:
    """Fetch ocean and wind of some days, a file for each year and each of `SUBSETS`; those that are there are kept.

    Args:
        folder: to write to. start, end: first and last day, such as "2010-01-01".
        box: west, east, south, north (degrees).

    Returns:
        The files, as `read_reanalysis` takes them.

    Raises:
        InputError: the folder, the days or the box cannot be, or `copernicusmarine` is not installed.
    """
    folder = Path(folder)
    try:
        first, last = pd.Timestamp(start).normalize(), pd.Timestamp(end).normalize()
    except ValueError:
        raise InputError(f"{start!r} and {end!r} must be days, expected a form like 2010-01-01") from None
    west, east, south, north = box
    if not (first <= last and west < east and south < north):
        raise InputError(f"days {start} to {end} and box {box}: expected each to ascend (west, east, south, north)")
    try:
        import copernicusmarine
    except ImportError:
        raise InputError("downloading needs the package copernicusmarine: `pip install genda_lite[data]`") from None
    files = []
    for year in range(first.year, last.year + 1):
        begin, until = max(first, pd.Timestamp(year, 1, 1)), min(last, pd.Timestamp(year, 12, 31))
        for name, subset in SUBSETS.items():
            path = folder / f"{name}_{begin:%Y%m%d}-{until:%Y%m%d}_{west:g}_{east:g}_{south:g}_{north:g}.nc"
            files.append(path)
            if path.exists():
                continue
            depths = dict(zip(("minimum_depth", "maximum_depth"), subset.depths or (), strict=False))
            with atomic_path(path) as temporary:
                copernicusmarine.subset(
                    dataset_id=subset.dataset,
                    variables=list(subset.variables),
                    minimum_longitude=west - subset.margin,
                    maximum_longitude=east + subset.margin,
                    minimum_latitude=south - subset.margin,
                    maximum_latitude=north + subset.margin,
                    start_datetime=begin.isoformat(),
                    end_datetime=(until + pd.Timedelta("23h")).isoformat(),  # the last hour of the wind
                    output_directory=str(temporary.parent),
                    output_filename=temporary.name,
                    overwrite=True,
                    **depths,
                )
    return files
