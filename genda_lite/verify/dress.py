"""A Gaussian spread for a product that has no ensemble, so that it is compared with ensembles on equal terms.

    fitted = fit(estimate - truth, {"near": near, "gradient": gradient})     # of other cases than those that are scored
    sigma = fitted(near=near, gradient=gradient)
    observed_crps(estimate, truth, sigma)                                    # of N(estimate, sigma^2), closed form
    Dressing({"zos": fitted}).write("dressing.csv", oceans="seed 2")

The CRPS of a single estimate is its mean absolute error: it is scored as if it were sure of itself. Errors are larger
where little is observed and where fields are steep; who uses a product can know both, and how large its errors were on
other cases. So points are sorted into classes by such features, and each class has the deviation

    sigma = argmin mean CRPS(N(0, s^2), error),    that is    mean exp(-error^2 / (2 s^2)) = 1 / sqrt(2)

It is not the root mean square, which a few large errors widen, and which scores worse. Nothing should count as ahead of
a product that is dressed badly. For Gaussian errors both are the same.

Gneiting, T. et al. (2005), Calibrated probabilistic forecasting using ensemble model output statistics and minimum CRPS
estimation, doi:10.1175/MWR2904.1. Roulston, M. S. & Smith, L. A. (2003), Combining dynamical and statistical ensembles,
doi:10.1034/j.1600-0870.2003.201378.x: forecasts dressed with the errors of others.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import pairwise
from typing import Self

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from ..errors import InputError
from .table import read_commented, write_commented

NUMBER = 4  # of classes of each feature


@dataclass(frozen=True)
class Classes:
    """Deviations by classes of features.

    `table`: a row for each class: of each feature the ends of its interval, `NAME above` and `NAME to`, which belongs
    to it; `sigma`, in the units of the errors; `points` that it was fitted on.
    """

    table: pd.DataFrame

    @property
    def features(self) -> list[str]:
        """Their names."""
        return [name.removesuffix(" to") for name in self.table if name.endswith(" to")]

    def __call__(self, **features: np.ndarray) -> np.ndarray:
        """sigma of points, in the shape of the features; NaN where one is missing.

        Raises:
            InputError: other features than those of the fit.
        """
        if set(features) != set(self.features):
            raise InputError(f"classes of {', '.join(self.features)} were fitted, got {', '.join(features)}")
        arrays = dict(zip(features, np.broadcast_arrays(*features.values()), strict=True))
        out = np.full(next(iter(arrays.values())).shape, np.nan)
        for _, one in self.table.iterrows():
            here = [(values > one[f"{name} above"]) & (values <= one[f"{name} to"]) for name, values in arrays.items()]
            out[np.logical_and.reduce(here)] = one["sigma"]
        return out


def fit(
    error: np.ndarray, features: Mapping[str, np.ndarray], observation_error: float = 0.0, number: int = NUMBER
) -> Classes:
    """Deviations of an estimate, fitted on its errors.

    Classes hold about as many points each: quantiles of the first feature, within each of them of the second, and so
    on. Points of which something is missing do not count.

    Args:
        error: estimate less truth, or less what was observed. features: by name, of the same shape; infinite where it
            means something. observation_error: standard deviation of what was observed, which belongs to the errors and
            not to the estimate. number: of classes of each feature.

    Raises:
        InputError: shapes differ, or no point is left.

    Examples:
        An estimate that errs by 0.1 where there are observations, and by 0.4 where there are none:

        >>> import numpy as np
        >>> from genda_lite.verify.dress import fit
        >>> near = np.repeat([0, 9], 5000)
        >>> error = np.where(near > 0, 0.1, 0.4) * np.random.default_rng(0).standard_normal(10000)
        >>> fitted = fit(error, {"near": near})
        >>> fitted(near=np.array([0, 9])).round(2)
        array([0.4, 0.1])
    """
    given = {name: np.asarray(values, float) for name, values in features.items()}
    error = np.asarray(error, float)
    if strangers := [name for name, values in given.items() if values.shape != error.shape]:
        raise InputError(f"{strangers[0]} has shape {given[strangers[0]].shape}, the errors have {error.shape}")
    known = np.logical_and.reduce([np.isfinite(error), *(~np.isnan(values) for values in given.values())])
    if not known.any():
        raise InputError("there is no error to fit a spread on, expected at least one point")
    error, given = error[known], {name: values[known] for name, values in given.items()}
    boxes = [({}, np.ones(error.shape, bool))]
    for name, values in given.items():
        boxes = [
            (limits | {f"{name} above": low, f"{name} to": high}, here & (values > low) & (values <= high))
            for limits, here in boxes
            for low, high in pairwise(_edges(values[here], number))
        ]
    rows = [limits | {"sigma": best_sigma(error[i], observation_error), "points": i.sum()} for limits, i in boxes]
    return Classes(pd.DataFrame(rows))


@dataclass(frozen=True)
class Dressing:
    """Classes of several channels, and what is to be known of them: what was dressed, and what it was fitted on."""

    classes: Mapping[str, Classes]
    about: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Another one for any other number."""
        return sha256("".join(one.table.to_csv() for one in self.classes.values()).encode()).hexdigest()[:16]

    def write(self, path: str | os.PathLike, **about) -> None:
        """Write a CSV after lines that say what it is; the file appears whole or not at all."""
        parts = [one.table.assign(channel=channel) for channel, one in self.classes.items()]
        frame = pd.concat(parts).set_index("channel").reset_index()
        write_commented(frame, path, **(dict(self.about) | about))

    @classmethod
    def read(cls, path: str | os.PathLike) -> Self:
        """What `write` wrote.

        Raises:
            InputError: no such file, or it is none of these.
        """
        about, rows = read_commented(path)
        frame = pd.DataFrame(rows)
        if not {"channel", "sigma", "points"} < set(frame):
            raise InputError(f"{path}: is no table of classes, expected the columns channel, sigma and points")
        words = frame.drop(columns="channel")
        numbers = words.apply(pd.to_numeric, errors="coerce")
        if (numbers.isna() & words.notna() & (words != "")).any(axis=None) or not (numbers["sigma"] >= 0).all():
            raise InputError(f"{path}: has classes that cannot be read, expected numbers, and no sigma below zero")
        parts = numbers.groupby(frame["channel"], sort=False)
        return cls({str(name): Classes(part.reset_index(drop=True)) for name, part in parts}, about)


def _edges(values: np.ndarray, number: int) -> np.ndarray:
    """Ends of quantile classes; of values that are often the same, fewer."""
    inner = np.unique(np.quantile(values, np.arange(1, number) / number, method="lower"))
    return np.concatenate([[-np.inf], inner[inner < values.max()], [np.inf]])


def best_sigma(error: np.ndarray, observation_error: float = 0.0) -> float:
    """The deviation about an estimate that minimizes its mean CRPS, given its errors; see the head of this module.

    Args:
        observation_error: standard deviation of what it is compared with; without it, the deviation is this much less.
    """
    largest = float(np.abs(error).max())
    if largest == 0:
        return 0.0

    def excess(log_s: float) -> float:
        return float(np.exp(-0.5 * (error * np.exp(-log_s)) ** 2).mean()) - np.sqrt(0.5)

    low, high = np.log(largest) + np.array([-20.0, 2.0])
    total = np.exp(low if excess(low) > 0 else brentq(excess, low, high, xtol=1e-6))
    return float(np.sqrt(max(total**2 - observation_error**2, 0.0)))
