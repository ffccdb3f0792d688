"""Pass 1 of preparation: sums over time, and from them the Ekman response, the climatology and the scales.

All that is needed to standardize a series can be computed from sums over time. So one pass over the data is enough,
however long they are. They are read block by block; the blocks of dask arrays are summed where they lie, on threads or
on a cluster.
"""

from collections.abc import Callable
from functools import reduce
from operator import add

import numpy as np
import xarray as xr

from ..errors import InputError
from ..ocean.currents import EQUATOR, ageostrophic_current, stress_of
from ..sources.files import days_per_block
from ..state import CHANNELS, INPUTS, TABLE, Standardizer, channels, harmonics

CURRENT_INPUTS = ["zos", *channels("current", "wind")]
RESIDUAL = channels("residual")
_FIELDS = tuple(name for name in CHANNELS if name not in RESIDUAL)
_PARTS = ("current_x", "current_y", "stress_x", "stress_y")


def blocks_of(ds: xr.Dataset) -> list[xr.Dataset]:
    """A series cut along time: at the chunks of dask arrays, else into blocks of a size that is easy on the memory."""
    if ds.chunks:
        lengths = ds.unify_chunks().chunks["time"]
    else:
        days = days_per_block(ds.sizes["latitude"] * ds.sizes["longitude"] * ds.sizes.get("member", 1))
        lengths = [days] * -(-ds.sizes["time"] // days)
    ends = np.cumsum(lengths)
    return [ds.isel(time=slice(int(end - n), int(end))) for end, n in zip(ends, lengths, strict=True)]


def total(function: Callable[[xr.Dataset], xr.Dataset], series: list[xr.Dataset]) -> list[xr.Dataset]:
    """The sum of a function over the blocks of each series: dask-backed ones together, in one pass."""
    if not any(ds.chunks for ds in series):
        return [_add([function(block.compute()) for block in blocks_of(ds)]) for ds in series]
    import dask

    sums = []
    for ds in series:
        parts = [dask.delayed(_apply)(function, *block) for block in _delayed_blocks(ds)]
        while len(parts) > 1:  # a tree, so that partial sums do not pile up
            parts = [dask.delayed(_add)(parts[i : i + 8]) for i in range(0, len(parts), 8)]
        sums.append(parts[0])
    return list(dask.compute(*sums))


def _delayed_blocks(ds: xr.Dataset) -> list[tuple[dict, xr.Dataset]]:
    """The blocks of a series as delayed arrays by name, each with the coordinates it belongs to."""
    import dask

    ds = ds.chunk().unify_chunks().chunk({dim: -1 for dim in ds.dims if dim != "time"})
    (ds,) = dask.optimize(ds)  # all variables together, so that what they share is read once
    fields = {name: ds[name].data.to_delayed(optimize_graph=False).ravel() for name in ds.data_vars}
    return [
        ({name: (ds[name].dims, chunks[i]) for name, chunks in fields.items()}, block.coords.to_dataset())
        for i, block in enumerate(blocks_of(ds))
    ]


def _apply(function: Callable[[xr.Dataset], xr.Dataset], fields: dict, coordinates: xr.Dataset) -> xr.Dataset:
    return function(coordinates.assign(fields))


def _add(parts: list[xr.Dataset]) -> xr.Dataset:
    return reduce(add, parts)


def current_sums(ds: xr.Dataset) -> xr.Dataset:
    """`response_sums` of the ageostrophic current and the wind stress of a series."""
    return response_sums(ageostrophic_current(ds), stress_of(ds))


def response_sums(current: xr.DataArray, stress: xr.DataArray) -> xr.Dataset:
    """Sums over time at each point of x = (current, wind stress), both as eastward and northward parts.

    Args:
        current, stress: complex, on one grid.

    Returns:
        `days` (...,) where both are known, `first` = sum x (part, ...), `second` = sum x x' (part, other, ...), with
        the dims of the series less time.
    """
    x = xr.concat([current.real, current.imag, stress.real, stress.imag], "part", coords="minimal", compat="override")
    x = x.astype(float).assign_coords(part=list(_PARTS))
    known = x.notnull().all("part")
    x = x.where(known, 0.0)
    second = xr.dot(x, x.rename(part="other"), dim="time")
    return xr.Dataset({"days": known.sum("time"), "first": x.sum("time"), "second": second})


def field_sums(ds: xr.Dataset) -> xr.Dataset:
    """Sums over time and longitude of the other channels x, with the harmonics b of the year.

    Returns:
        `normal` = sum b b' (harmonic, other_harmonic, channel, latitude), `moment` = sum b x (harmonic, channel,
        latitude), `square` = sum x^2 (channel, latitude), over the points where x is known.
    """
    basis = xr.DataArray(harmonics(ds["time"].values), dims=("time", "harmonic"))
    along = [dim for dim in ds["zos"].dims if dim not in ("time", "latitude")]
    parts = []
    for name in _FIELDS:
        x = ds[name].astype(float)
        count, level = x.notnull().sum(along), x.sum(along)
        parts.append(
            xr.Dataset(
                {
                    "normal": xr.dot(basis, basis.rename(harmonic="other_harmonic"), count, dim="time"),
                    "moment": xr.dot(basis, level, dim="time"),
                    "square": (x**2).sum([*along, "time"]),
                }
            ).drop_vars("member", errors="ignore")
        )
    joined = xr.concat(parts, "channel", coords="minimal", compat="override")
    return joined.assign_coords(channel=list(_FIELDS))


def _all_sums(ds: xr.Dataset) -> xr.Dataset:
    return xr.merge([current_sums(ds), field_sums(ds)], compat="override", join="exact")


def _centred(sums: xr.Dataset) -> xr.DataArray:
    """sum (x - mean x)(x - mean x)' over time: what does not vary must not count as a response."""
    mean = sums["first"] / sums["days"].where(sums["days"] > 0)
    return (sums["second"] - mean * sums["first"].rename(part="other")).fillna(0.0)


def _response(centred: xr.DataArray) -> xr.DataArray:
    """Complex least squares, sum conj(stress) current / sum |stress|^2, from centred sums."""

    def of(part: str, other: str) -> xr.DataArray:
        return centred.sel(part=part, other=other, drop=True)

    along = of("stress_x", "current_x") + of("stress_y", "current_y")
    across = of("stress_x", "current_y") - of("stress_y", "current_x")
    power = of("stress_x", "stress_x") + of("stress_y", "stress_y")
    response = (along + 1j * across) / power.where(power > 0)
    response.attrs = {"long_name": "Ekman response to kinematic wind stress", "units": "s m-1"}
    return response


def _over_oceans(parts: list[xr.DataArray]) -> xr.DataArray:
    """Sum over the oceans and the members in each."""
    with xr.set_options(arithmetic_join="exact"):
        return reduce(add, (part.sum("member") if "member" in part.dims else part for part in parts))


def ekman_response(oceans: xr.Dataset | list[xr.Dataset]) -> xr.DataArray:
    """Ekman response of each point to the wind stress there, by linear regression over time as in GenDA.

    The ageostrophic current c = u + iv is explained by the kinematic wind stress t (`wind_stress`, Garratt 1977) up to
    a constant: c = a t + b. Its complex least-squares solution

        a = sum conj(t - mean t) (c - mean c) / sum |t - mean t|^2

    has the ratio of speed to stress as modulus, and as phase the angle from wind to drift, negative to the right.

    Args:
        oceans: `zos uo vo uas vas` on one grid; the sums run over time, over members and over oceans.

    Returns:
        (latitude, longitude), complex (s m-1), in memory; NaN where the current or the wind is never known.
    """
    oceans = oceans if isinstance(oceans, list) else [oceans]
    sums = total(current_sums, [ocean[CURRENT_INPUTS] for ocean in oceans])
    return _response(_over_oceans([_centred(part) for part in sums]))


def fit_ekman(oceans: list[xr.Dataset]) -> np.ndarray:
    """Ekman response of each latitude, (ny,) complex (s m-1): `ekman_response` regressed over all longitudes."""
    sums = total(current_sums, [ocean[CURRENT_INPUTS] for ocean in oceans])
    return _response(_over_oceans([_centred(part).sum("longitude") for part in sums])).values


def without_wind(current: xr.DataArray, stress: xr.DataArray) -> xr.DataArray:
    """A current without its linear response to the stress, fitted at each latitude as by `fit_ekman`.

    Args:
        current, stress: complex (m s-1, m2 s-2), dims time, latitude, longitude, in memory.
    """
    series = xr.Dataset({"current": current, "stress": stress})
    (sums,) = total(lambda block: response_sums(block["current"], block["stress"]), [series])
    return current - _response(_centred(sums).sum("longitude")) * stress


def fit_standardizer(
    oceans: xr.Dataset | list[xr.Dataset], ekman: str | xr.DataArray | np.ndarray = "latitude"
) -> Standardizer:
    """Climatology, scale and Ekman response of one or more oceans, from one pass over them; see `fit`."""
    return fit(oceans, ekman)[0]


def fit(
    oceans: xr.Dataset | list[xr.Dataset], ekman: str | xr.DataArray | np.ndarray = "latitude"
) -> tuple[Standardizer, xr.DataArray]:
    """Climatology, scale and Ekman response of one or more oceans, from one pass over them.

    At each latitude, the climatology of sea level and of the residual currents is a time mean. That of temperature,
    salinity and wind has an annual cosine and sine, too (after GenDA). Both are fitted by least squares over all points
    and times. The scale of a channel is the root mean square of its anomalies from it.

    Args:
        oceans: `zos thetao so uo vo uas vas` (m, degC, 1e-3, m s-1) on one grid, dims [member,] time, latitude,
            longitude. Missing values, such as land, are left out.
        ekman: the response that the residual current is free of: "latitude" (one for each latitude), "point" (one for
            each point), or a response given, (ny,) or (latitude, longitude).

    Returns:
        The standardizer, whose `ekman` is always of each latitude, and the response chosen by `ekman`, (latitude,) or
        (latitude, longitude).

    Raises:
        InputError: too few dates for a climatology, or a channel without values or variation.
    """
    oceans = oceans if isinstance(oceans, list) else [oceans]
    dates = len(np.unique(np.concatenate([ocean["time"].values for ocean in oceans])))
    if dates < 3:
        raise InputError(f"the data hold {dates} date(s), expected at least 3 to fit a mean and an annual cycle")
    sums = total(_all_sums, [ocean[list(INPUTS)] for ocean in oceans])
    latitude = oceans[0]["latitude"].values.astype(float)

    centred = _over_oceans([_centred(part) for part in sums])
    of_latitude = _response(centred.sum("longitude"))
    if not of_latitude.notnull().any():
        raise InputError(
            "no Ekman response can be fitted: at no latitude are there currents and a wind that varies "
            f"(the geostrophic current is undefined within {EQUATOR:g} degrees of the equator)"
        )
    of_latitude = of_latitude.copy(data=_continued(latitude, of_latitude.values))
    if isinstance(ekman, str):
        response = {"latitude": of_latitude, "point": _response(centred)}[ekman]
    else:
        response = as_response(ekman, oceans[0])
    coefficients, scale = _climatology(*_channel_sums(sums, response), latitude)
    return Standardizer(latitude, coefficients, scale, of_latitude.values), response


def _channel_sums(sums: list[xr.Dataset], response: xr.DataArray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Normal matrices (C, ny, 3, 3), moments (C, ny, 3) and squares (C, ny) of all channels; those without a season
    have zeros in its place."""
    ny = response.sizes["latitude"]
    normal, moment, square = (np.zeros((len(CHANNELS), ny, *shape)) for shape in ((3, 3), (3,), ()))
    fields = [CHANNELS.index(name) for name in _FIELDS]
    for part in sums:
        normal[fields] += part["normal"].transpose("channel", "latitude", "harmonic", "other_harmonic").values
        moment[fields] += part["moment"].transpose("channel", "latitude", "harmonic").values
        square[fields] += part["square"].transpose("channel", "latitude").values
    residual = [CHANNELS.index(name) for name in RESIDUAL]
    days, mean, squares = _residual_sums(sums, response)
    normal[residual, :, 0, 0], moment[residual, :, 0], square[residual] = days, mean, squares
    for channel, name in enumerate(CHANNELS):
        if not TABLE[name].seasonal:
            normal[channel, :, 1:], normal[channel, :, :, 1:], moment[channel, :, 1:] = 0.0, 0.0, 0.0
    return normal, moment, square


def _residual_sums(sums: list[xr.Dataset], response: xr.DataArray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Days (ny,), and the sums of the residual current r = c - a t and of its square (2, ny), over all longitudes.

    r = L x is linear in x = (c, t), so that sum r = L sum x and sum r r' = L (sum x x') L'.
    """
    known = response.notnull()
    names = ("days", "first", "second")
    days, first, second = (_over_oceans([part[name] for part in sums]).where(known, 0) for name in names)
    a = response.fillna(0.0)
    one, nothing = xr.ones_like(a.real), xr.zeros_like(a.real)
    rows = [[one, nothing, -a.real, a.imag], [nothing, one, -a.imag, -a.real]]
    matrix = xr.concat([xr.concat(row, "part") for row in rows], "channel").assign_coords(part=list(_PARTS))
    mean = (matrix * first).sum(["part", "longitude"])
    square = (matrix * second * matrix.rename(part="other")).sum(["part", "other", "longitude"])
    dims = ("channel", "latitude")
    return days.sum("longitude").values, mean.transpose(*dims).values, square.transpose(*dims).values


def _climatology(normal: np.ndarray, moment: np.ndarray, square: np.ndarray, latitude: np.ndarray):
    """Coefficients (3, C, ny) by least squares and scale (C,), from the sums of each channel and latitude.

    The sum of squared anomalies follows from the same sums, sum (x - b k)^2 = sum x^2 - k (2 m - N k).
    """
    coefficients = np.einsum("cyhk,cyk->cyh", np.linalg.pinv(normal, hermitian=True), moment)
    fitted = np.einsum("cyhk,cyk->cyh", normal, coefficients)
    count = normal[:, :, 0, 0]
    if not count.any(1).all():
        raise InputError(f"{CHANNELS[int(np.argmin(count.any(1)))]} has no valid value, expected fields of the sea")
    variance = (square - (coefficients * (2 * moment - fitted)).sum(-1)).sum(1) / count.sum(1)
    still = variance <= 1e-12 * square.sum(1) / count.sum(1)
    if still.any():
        raise InputError(f"{CHANNELS[int(np.argmax(still))]} does not vary, expected fields to take a scale from")
    coefficients = np.where(count[..., None] > 0, coefficients, np.nan)
    continued = [[_continued(latitude, values) for values in channel.T] for channel in coefficients]
    return np.array(continued).transpose(1, 0, 2).copy(), np.sqrt(variance)


def _continued(latitude: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values of each latitude, the unknown ones interpolated, or continued by the last known."""
    known = ~np.isnan(values)
    return values if known.all() else np.interp(latitude, latitude[known], values[known])


def as_response(ekman: Standardizer | xr.DataArray | np.ndarray, ds: xr.Dataset) -> xr.DataArray:
    """An Ekman response on the grid of a data set: (latitude,) or (latitude, longitude), complex (s m-1).

    Raises:
        InputError: a response of another grid.
    """
    latitude = ds["latitude"]
    if isinstance(ekman, Standardizer):
        return xr.DataArray(ekman.ekman_at(latitude.values), {"latitude": latitude}, ("latitude",))
    shape = tuple(ds.sizes[dim] for dim in ("latitude", "longitude"))
    if isinstance(ekman, xr.DataArray):
        dims = [dim for dim in ("latitude", "longitude") if dim in ekman.dims]
        same = all(dim not in ekman.coords or np.array_equal(ekman[dim], ds[dim]) for dim in dims)
        values = ekman.transpose(*dims).values
    else:
        values = np.asarray(ekman)
        dims, same = ["latitude", "longitude"][: values.ndim], True
    if values.shape not in (shape[:1], shape) or not same:
        raise InputError(f"the Ekman response {values.shape} is of another grid, expected {shape[:1]} or {shape}")
    return xr.DataArray(values, {dim: ds[dim] for dim in dims}, dims)
