"""A prior's climatology put in place of that of another sea: what it needs to assimilate anywhere.

Mean and season come from a climatology that is given; see `sources.read_climatology`. What a climatology cannot tell is
the prior's own: the scale of each channel's anomalies and all that is learned of them. The response of the current to
the wind is carried on by theory, and across the equator the anomalies are seen in a mirror (`state.mirrored`).
"""

import warnings
from dataclasses import replace

import numpy as np
import xarray as xr

from ..errors import InputError
from ..ocean.currents import EQUATOR, coriolis
from ..state import TABLE, Grid, Standardizer, harmonics

SLACK = 1e-3  # degrees by which a climatology may fall short of a grid: single precision
CONDITION = 5.0  # of harmonics at the dates of a climatology, above which they cannot be told apart


def local_standardizer(standardizer: Standardizer, climatology: xr.Dataset, grid: Grid) -> Standardizer:
    """The standardizer of a prior, with the climatology of a place and its Ekman response there.

    At each point the mean of all dates is fitted. Channels with a season also get as many harmonics of the year as the
    dates can tell apart: the annual and semi-annual cycle from twelve months, the annual one from four seasons, none
    from fewer than three dates. Months and seasons are means: the harmonics are fitted as averaged over them, too.

    Channels that the climatology lacks have a mean of zero: sea level is then flat and the wind calm. Observations of
    sea level then need an unknown reference (the default), which sets the level. The residual current has a mean of
    zero, too, because a mean current is balanced to a few centimetres a second. The scale is the prior's, because a
    climatology has no anomalies.

    Args:
        standardizer: of the prior. climatology: from `read_climatology`; without channels, a flat calm.
        grid: of the analysis.

    Raises:
        InputError: the grid comes near the equator, or the climatology does not cover it or has gaps there.
    """
    if np.abs(grid.latitude).min() < EQUATOR or grid.latitude[0] * grid.latitude[-1] < 0:
        raise InputError(
            f"the grid ({grid}) comes within {EQUATOR:g} degrees of the equator, where no current is in balance with "
            f"sea level, expected one farther away"
        )
    fields = _on_grid(climatology, grid) if climatology.data_vars else xr.Dataset(coords={"time": []})
    basis = _basis(fields["time"].values, climatology.attrs.get("months_averaged", 0))
    if len(fields["time"]) and basis.shape[1] == 1:
        warnings.warn(
            f"the climatology ({climatology.attrs.get('source', 'dataset')}) holds {len(fields['time'])} date(s), too "
            f"few or too close for a season: their mean is taken for the whole year",
            stacklevel=4,
        )
    coefficients = np.zeros((basis.shape[1], len(standardizer.channels), *grid.shape))
    for i, name in enumerate(standardizer.channels):
        if name in fields:
            order = basis.shape[1] if TABLE[name].seasonal else 1
            fit = np.linalg.pinv(basis[:, :order])
            coefficients[:order, i] = np.einsum("ht,tyx->hyx", fit, fields[name].values)
    return replace(
        standardizer,
        latitude=grid.latitude,
        longitude=grid.longitude,
        harmonics=coefficients,
        ekman=ekman_elsewhere(standardizer, grid.latitude),
        mirrored=_across(standardizer, grid.latitude),
    )


def ekman_elsewhere(standardizer: Standardizer, latitude: np.ndarray) -> np.ndarray:
    """Ekman response at any latitudes (n,), complex (s m-1): at those that the prior knows its own.

    Beyond them it changes as that of a slab of depth h whose current is damped at a rate r (Pollard & Millard 1970,
    doi:10.1016/0011-7471(70)90043-4), steady under a steady kinematic stress,

        a = 1 / (h (r + i f)),

    with h and r fitted to the prior's. Across the equator f has the other sign, and a is the complex conjugate: the
    drift turns to the left of the wind.
    """
    known, f = standardizer.latitude, coriolis(standardizer.latitude)
    inverse = 1 / standardizer.ekman  # h r + i h f
    depth, damping = (inverse.imag * f).sum() / (f**2).sum(), inverse.real.mean()
    across = _across(standardizer, latitude)
    latitude = -latitude if across else latitude
    nearest = np.clip(latitude, known[0], known[-1])
    slab = [damping + 1j * depth * coriolis(degrees) for degrees in (nearest, latitude)]
    response = standardizer.ekman_at(nearest) * slab[0] / slab[1]
    return response.conj() if across else response


def _across(standardizer: Standardizer, latitude: np.ndarray) -> bool:
    """Whether latitudes lie in the other hemisphere."""
    return bool(standardizer.latitude.mean() * latitude.mean() < 0)


def _basis(time: np.ndarray, months_averaged: float) -> np.ndarray:
    """Harmonics of the year at dates (n, 1 + 2 order), as many as can be told apart, and as means over months are."""
    for order in (2, 1):
        basis = harmonics(time, order)
        if len(time) >= basis.shape[1] and np.linalg.cond(basis) < CONDITION:
            return basis * np.sinc(months_averaged / 12 * np.repeat([0, *range(1, order + 1)], [1] + [2] * order))
    return harmonics(time, 0)


def _on_grid(climatology: xr.Dataset, grid: Grid) -> xr.Dataset:
    """The climatology at the grid's points, by linear interpolation in latitude and longitude."""
    source = f"the climatology ({climatology.attrs.get('source', 'dataset')})"
    middle = grid.longitude.mean()
    around = (climatology["longitude"] - middle + 180) % 360 - 180 + middle
    found, on = climatology.assign_coords(longitude=around).sortby("longitude"), {}
    for dim in ("latitude", "longitude"):
        points, known = getattr(grid, dim), found[dim].values
        if points[0] < known[0] - SLACK or points[-1] > known[-1] + SLACK:
            raise InputError(
                f"{source} covers {dim}s {known[0]:g} to {known[-1]:g}, expected those of the grid, {points[0]:g} to "
                f"{points[-1]:g}"
            )
        points = np.clip(points, known[0], known[-1])
        first = np.searchsorted(known, points[0] + 1e-9, side="right") - 1
        found = found.isel({dim: slice(first, np.searchsorted(known, points[-1] - 1e-9) + 1)})
        on[dim] = points
    found = found.astype(float).compute().interp(on)
    for name, field in found.data_vars.items():
        gaps = int(field.isnull().any("time").sum())
        if gaps:
            raise InputError(
                f"{source} lacks {name} at {gaps} of {grid.latitude.size * grid.longitude.size} points of the grid "
                f"({grid}), on land or in a gap, expected open ocean"
            )
    return found
