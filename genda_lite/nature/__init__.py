"""The simulated ocean: our default 'reanalysis', with a truth that is known."""

from .grid import GlorysGrid
from .physics import Physics
from .run import NatureRun
from .simulate import Simulation, simulate, simulate_to_file

__all__ = ["GlorysGrid", "NatureRun", "Physics", "Simulation", "simulate", "simulate_to_file"]
