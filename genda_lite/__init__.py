"""Generative data assimilation of the surface ocean.

    import genda_lite as gl
    prior = gl.load_prior()
    obs = gl.Observations.from_points(points, channel="zos", error=0.03)
    analysis = gl.assimilate(prior, obs, members=16, seed=0)
"""

from . import moved, processors  # noqa: F401, old paths are found from here on

processors.sleep_while_waiting()  # before the modules below load torch

from .errors import InputError
from .observe.table import Observations
from .posterior import assimilate
from .prior import load_prior
from .state import CHANNELS, VARIABLES, Grid
from .version import __version__

processors.bound_threads()

__all__ = ["CHANNELS", "VARIABLES", "Grid", "InputError", "Observations", "__version__", "assimilate", "load_prior"]
