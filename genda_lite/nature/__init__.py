"""The simulated ocean: our default 'reanalysis', with a truth that is known."""

from .dataset import Simulation, simulate, simulate_to_file
from .grid import GlorysGrid
from .physics import Physics
from .run import NatureRun
from .twins import Twin

__all__ = ["GlorysGrid", "NatureRun", "Physics", "Simulation", "Twin", "simulate", "simulate_to_file"]
