"""Climatologies: the World Ocean Atlas, or the mean of a reanalysis, as months, seasons or one mean of all years."""

import re

import numpy as np
import xarray as xr

from ..errors import InputError
from .files import NO_RANGE, Paths, find_coordinate, listed, open_product, require, source_of, states_time
from .reanalysis import SURFACE, WIND, series

# Of each channel its names in files; the World Ocean Atlas calls the objectively analysed means t_an and s_an.
NAMES = {"zos": ("zos", "mdt"), "thetao": ("thetao", "t_an"), "so": ("so", "s_an")} | WIND
NEEDED = ("thetao", "so")
LONGEST = 12 * 400  # months from the year that they are counted from; what claims to be more is a fill value


def read_climatology(climatology: Paths | xr.Dataset) -> xr.Dataset:
    """Read what the sea is like at each time of the year: the World Ocean Atlas, or a reanalysis' means.

    The atlas comes as a file for each variable and each month, season or year: `woa23_decav_t01_04.nc` and so on (NOAA,
    doi:10.25921/va26-hv25). Its times count months from a year in the past; what is left of them is the month.

    Args:
        climatology: NetCDF files or Zarr stores, a folder of such, or a data set. With `t_an`, `s_an`, or `thetao`,
            `so`, and, if there are any, `zos` or `mdt` (mean dynamic topography), and a mean wind, named as in
            `read_winds`; all on one regular grid. Times along `time`, dates or months since one, or along `month`, 1
            to 12; or none. What has no time is the same at all times.

    Returns:
        dims (time, latitude, longitude), float32, `thetao` (degC), `so` (1e-3) of the uppermost level, and those of
        `zos` (m), `uas`, `vas` (m s-1) that are there; NaN on land. Months without a year are given 2001. Attributes:
        `source`, `months_averaged` (1, 3 or 12; 0 if it is not stated). Reading it again gives the same fields.

    Raises:
        InputError: temperature or salinity is missing, months and annual means are mixed; or as `read_glorys`.
    """
    given = isinstance(climatology, xr.Dataset)
    products = [climatology] if given else [open_product(path) for path in listed(climatology)]
    averaged = {_months_averaged(product): source_of(product) for product in products}
    if len(averaged) > 1:
        (one, here), (other, there) = list(averaged.items())[:2]
        raise InputError(f"{here} holds means over {one} month(s), {there} over {other}, expected one kind of them")
    found = series([_dated(product) for product in products], NAMES, {"thetao": SURFACE, "so": SURFACE}, NEEDED)
    source = climatology.attrs.get("source", "dataset") if given else found.attrs["source"]
    return found.assign_attrs(source=source, months_averaged=next(iter(averaged)))


def _months_averaged(product: xr.Dataset) -> int:
    """Over how many months of the year each value is a mean; 0 if it is not stated.

    The atlas' bounds go from the first month of the first year to the last of the last.
    """
    if "month" in product.dims:
        return 1
    if "climatology_bounds" in product.variables:
        months = require(product, "climatology_bounds", bounds=NO_RANGE).values.ravel()[:2].astype(float)
        if len(months) == 2 and np.isfinite(months).all():
            return round(months[1] - months[0]) % 12 or 12
    stated = str(product.attrs.get("months_averaged", 0))
    return int(stated) if stated.isdigit() else 0


def _dated(product: xr.Dataset) -> xr.Dataset:
    """With dates along `time`, and the units of practical salinity spelled as everywhere else."""
    source = source_of(product)
    if "month" in product.dims:
        months = 1 + np.arange(product.sizes["month"])
        if "month" in product.variables:
            months = require(product, "month", ["month"], bounds=NO_RANGE).values
        if not np.isin(months, np.arange(1, 13)).all():
            raise InputError(f"{source}: months from {months.min()} to {months.max()}, expected 1 to 12")
        product = product.drop_vars(["month", "time"], errors="ignore").rename(month="time")
        product = product.assign_coords(time=_date(months - 0.5))
    else:
        try:
            name = find_coordinate(product, "time")
        except InputError:
            if states_time(product) or product.sizes.get("time", 1) > 1:
                raise
            product, name = product.squeeze(["time"] if "time" in product.dims else []), "time"
            product = product.assign_coords(time=_date(6.0))
        if since := re.match(r"months since \d+-(\d+)", str(product[name].attrs.get("units", ""))):
            # No calendar has dates for them, and readers leave them as they are.
            months = require(product, name, bounds=(-LONGEST, LONGEST))
            months = months.copy(data=_date((months.values + float(since[1]) - 1) % 12))
            product = product.assign_coords({name: months.variable})
        product = product.rename({name: "time"} if name != "time" else {}).set_coords("time")
        product = product if "time" in product.dims else product.expand_dims("time")
    for alias in [alias for aliases in NAMES.values() for alias in aliases if alias in product]:
        if "time" not in product[alias].dims:
            product[alias] = product[alias].expand_dims(time=product["time"])
        if alias == "s_an" and product[alias].attrs.get("units") == "1":
            product[alias] = product[alias].assign_attrs(units="1e-3")
    return product


def _date(month: np.ndarray | float) -> np.ndarray:
    """A date of 2001, so many months after New Year."""
    days = np.asarray(month, float) / 12 * 365.25
    return np.datetime64("2001-01-01", "ns") + (days * 24 * 60).astype("timedelta64[m]")
