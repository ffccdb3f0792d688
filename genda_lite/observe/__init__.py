"""Observations as a table and as y = H x + e, and the sensors that make them."""

from .instruments import altimeter_tracks, clear_sky, sample_points
from .likelihood import Likelihood, LinearGaussian, LinearObservations
from .table import Observations

__all__ = [
    "Likelihood",
    "LinearGaussian",
    "LinearObservations",
    "Observations",
    "altimeter_tracks",
    "clear_sky",
    "sample_points",
]
