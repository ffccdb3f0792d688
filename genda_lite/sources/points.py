"""Values at points, one by one along tracks or in the pixels of swaths."""

import numpy as np
import xarray as xr

from ..errors import InputError
from .files import LATITUDE, LONGITUDE, places, source_of
from .report import Report


def pixel_places(product: xr.Dataset) -> tuple[xr.DataArray, xr.DataArray]:
    """Latitude and longitude of the pixels of a swath (see `files.places`), along two dimensions.

    Raises:
        InputError: they have others, or different ones.
    """
    latitude, longitude = (
        place.squeeze("time") if place.ndim > 2 and place.sizes.get("time") == 1 else place for place in places(product)
    )
    if latitude.ndim != 2 or set(longitude.dims) != set(latitude.dims):
        raise InputError(
            f"{source_of(product)}: latitude and longitude have dimensions {latitude.dims} and {longitude.dims}, "
            f"expected two in common, along and across the swath"
        )
    return latitude, longitude.transpose(*latitude.dims)


def at_pixels(product: xr.Dataset, found: xr.DataArray, pixels: xr.DataArray) -> np.ndarray:
    """Values at each pixel, be they given of each, of each line or of each column.

    Raises:
        InputError: they have other dimensions.
    """
    if not {*found.dims} <= {*pixels.dims}:
        raise InputError(f"{source_of(product)}: '{found.name}' has dimensions {found.dims}, expected {pixels.dims}")
    return found.variable.set_dims(pixels.sizes).values


def point_set(
    fields: dict[str, tuple[np.ndarray, dict]],
    latitude: np.ndarray,
    longitude: np.ndarray,
    time: np.ndarray,
    attrs: dict,
    report: Report | None = None,
    **more: np.ndarray,
) -> xr.Dataset:
    """A data set of points, dims (point,).

    Args:
        fields: of each its values and attributes. attrs: of the whole. report: what was left out, told in attributes.
        more: coordinates.
    """
    coords = {
        "latitude": ("point", latitude, LATITUDE),
        "longitude": ("point", longitude, LONGITUDE),
        "time": ("point", time, {"standard_name": "time"}),
    }
    told = {"dropped_points": report.read - report.kept} | report.attributes() if report else {}
    return xr.Dataset(
        {name: ("point", *field) for name, field in fields.items()},
        coords | {name: ("point", values) for name, values in more.items()},
        attrs | told,
    )
