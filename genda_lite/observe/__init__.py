"""What sensors saw, as a table and as y = H x + e, and how they come to see it."""

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
