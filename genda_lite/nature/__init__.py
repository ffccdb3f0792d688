"""The simulated ocean: our default 'reanalysis', with a truth that is known."""

from .dataset import Simulation, simulate, simulate_to_file
from .grid import GlorysGrid
from .physics import Physics
from .run import NatureRun

__all__ = ["GlorysGrid", "NatureRun", "Physics", "Simulation", "simulate", "simulate_to_file"]
