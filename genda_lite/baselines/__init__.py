"""Baselines: what careful classical methods make of the same observations."""

from .closed_form import exact_posterior, gaussian_posterior
from .interpolation import (
    Ensemble,
    chi_square,
    climatological_ensemble,
    interpolated_ensemble,
    optimal_interpolation,
)
from .regression import Regression

__all__ = [
    "Ensemble",
    "Regression",
    "chi_square",
    "climatological_ensemble",
    "exact_posterior",
    "gaussian_posterior",
    "interpolated_ensemble",
    "optimal_interpolation",
]
