"""Generative data assimilation of the surface ocean.

    import genda_lite as gl
    prior = gl.load_prior()
    obs = gl.Observations.from_points(points, channel="zos", error=0.03)
    analysis = gl.assimilate(prior, obs, members=16, seed=0)
"""

from . import moved  # noqa: F401, before all others: old paths are found
from .errors import InputError
from .observe.table import Observations
from .posterior import assimilate
from .prior import load_prior
from .state import CHANNELS, VARIABLES, Grid
from .version import __version__

__all__ = ["CHANNELS", "VARIABLES", "Grid", "InputError", "Observations", "__version__", "assimilate", "load_prior"]
