"""From products to the state: currents split, climatology, scales, frames."""

from ..ocean.currents import (
    EQUATOR,
    SMOOTHING,
    ageostrophic_current,
    geostrophic_current,
    smooth,
    wind_stress,
)
from .climatology import ekman_response, fit_ekman, fit_standardizer
from .decompose import prepare, require, standardized, to_state, total_current
from .store import stored_response, stored_standardizer, write_state

__all__ = [
    "EQUATOR",
    "SMOOTHING",
    "ageostrophic_current",
    "ekman_response",
    "fit_ekman",
    "fit_standardizer",
    "geostrophic_current",
    "prepare",
    "require",
    "smooth",
    "standardized",
    "stored_response",
    "stored_standardizer",
    "to_state",
    "total_current",
    "wind_stress",
    "write_state",
]
