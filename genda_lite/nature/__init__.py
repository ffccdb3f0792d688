"""The simulated ocean: our default 'reanalysis', with a truth that is known."""

from .physics import Physics
from .run import GlorysGrid, NatureRun, simulate

__all__ = ["GlorysGrid", "NatureRun", "Physics", "simulate"]
