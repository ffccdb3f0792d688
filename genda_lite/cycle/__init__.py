"""Day after day: forecasts, backgrounds, analyses, and the cycle of them."""

from .background import Background, BackgroundPrior, Conditional, with_background
from .conditioned import ConditionedPrior, load_conditioned
from .cycle import Day, cycle
from .emulator import Emulator
from .forecast import Forecast, LinearInverseModel, Persistence
from .stored import load_forecast

__all__ = [
    "Background",
    "BackgroundPrior",
    "Conditional",
    "ConditionedPrior",
    "Day",
    "Emulator",
    "Forecast",
    "LinearInverseModel",
    "Persistence",
    "cycle",
    "load_conditioned",
    "load_forecast",
    "with_background",
]
