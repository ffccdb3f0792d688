"""Day after day: forecasts, backgrounds, analyses, and the cycle of them."""

from .background import Background, BackgroundPrior, Conditional, with_background
from .cycle import Day, cycle
from .forecast import Forecast, LinearInverseModel, Persistence

__all__ = [
    "Background",
    "BackgroundPrior",
    "Conditional",
    "Day",
    "Forecast",
    "LinearInverseModel",
    "Persistence",
    "cycle",
    "with_background",
]
