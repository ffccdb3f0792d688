"""Which numbers of a file are values: those in the range that it states, and no fill values by custom."""

import warnings
from collections.abc import Sequence

import numpy as np
import xarray as xr

NO_RANGE = (-np.inf, np.inf)
FILLS = np.array(  # fill values that files do not declare
    [
        *(sign * n for n in (999, 9999, 99999, 32767, 2147483647, 1e15, 1e20, 1e30) for sign in (1, -1)),
        *(-32768, -2147483648, -1e34, 1e35, 1e36, 9.969209968386869e36),
    ]
)


def in_range(values: np.ndarray, variable: xr.DataArray, plausible: Sequence[float] = NO_RANGE) -> np.ndarray:
    """Which decoded values lie in the range that a variable states by `valid_min`, `valid_max` or `valid_range`, and
    are no fill values by custom: where integers are packed and none is declared, the extremes of their type.

    The range of packed integers is stated in these if it is whole (CF 2.5.1), unless it holds no more than half of what
    a byte does, else as unpacked, unless it is a hundred times as wide as what is plausible. It is taken the other way
    round where it would leave nothing plausible, and ignored where either way would.

    Args:
        plausible: in the variable's units.
    """
    code = variable.encoding
    scale, add = (np.float64(code.get(key, usual)) for key, usual in (("scale_factor", 1.0), ("add_offset", 0.0)))
    packed, kind = {"scale_factor", "add_offset"} & {*code}, np.dtype(code.get("dtype", "f8"))
    good = np.ones(np.shape(values), bool)
    fills = [np.asarray(code[key]) for key in ("_FillValue", "missing_value") if key in code]
    declared = any(fill.dtype.kind != "f" or np.isfinite(fill).any() for fill in fills)
    unsigned = code.get("_Unsigned") == "true"
    kind = np.dtype(f"u{kind.itemsize}") if unsigned else kind
    if packed and np.size(values) and not declared:
        with np.errstate(invalid="ignore"), warnings.catch_warnings(action="ignore"):  # where all are missing
            codes = (values - add) / scale
            whole = np.rint(codes)
            short = np.nanmax(abs(whole)) <= 32768 and np.nanmax(abs(codes - whole)) < 0.1
            kind = np.dtype("i2") if kind.kind == "f" and short else kind  # of 16 bits, kept as floats
            good = ~is_extreme(whole.astype("i8").astype(kind))
    pair = variable.attrs.get("valid_range", [variable.attrs.get(f"valid_{end}", np.nan) for end in ("min", "max")])
    try:
        low, high = map(float, pair)
        whole = [np.asarray(end).dtype.kind in "iu" for end in pair if not np.isnan(float(end))]
    except (TypeError, ValueError):  # no pair of numbers
        return good
    if not whole:
        return good
    if unsigned:
        low, high = (end % 2 ** (8 * kind.itemsize) for end in (low, high))
    width, readings = plausible[1] - plausible[0], [(low, high)]
    if packed:
        codes = not high - low <= 128 if all(whole) else high - low > 100 * width
        readings.insert(not codes, (low * scale + add, high * scale + add)[:: 1 if scale > 0 else -1])
    # Longitudes may have been wrapped since; half a step of integers, or single precision, is no difference.
    turns = (0, 360, -360) if str(variable.attrs.get("units", "")).startswith(("degrees_e", "degree_e")) else (0,)
    for low, high in readings:
        low, high = (usual if np.isnan(end) else end for end, usual in ((low, -np.inf), (high, np.inf)))
        ends = [abs(end) for end in (low, high) if np.isfinite(end)]
        slack = abs(scale) / 2 if packed else 1e-6 * max(ends, default=0.0)
        inside = np.any([(values + t >= low - slack) & (values + t <= high + slack) for t in turns], 0)
        if min(high, plausible[1]) > max(low, plausible[0]) if np.isfinite(width) else inside.any():
            return good & inside
    return good


def is_extreme(numbers: np.ndarray) -> np.ndarray:
    """Which integers are the least or greatest of their type, or the next to it: fill values by NetCDF's custom. Of the
    few signed bytes, the greatest is none."""
    if numbers.dtype.kind not in "iu":
        return np.zeros(numbers.shape, bool)
    limits, byte = np.iinfo(numbers.dtype), numbers.dtype == np.int8
    greatest, least = limits.max + byte, limits.min + 2 - byte
    return (numbers == greatest) | ((numbers <= least) & (limits.min < 0))
