"""Generative data assimilation of the surface ocean.

    import genda_lite as gl
    prior = gl.load_prior()
    obs = gl.Observations.from_points(points, channel="zos", error=0.03)
    analysis = gl.assimilate(prior, obs, members=16, seed=0)

A name is loaded when it is first used, and torch with it: the import alone is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from . import moved, processors  # old paths are found from here on
from .version import __version__

processors.sleep_while_waiting()  # before anything loads torch
processors.bound_threads()  # where it is loaded already; `state` does so for later

if TYPE_CHECKING:  # what _NAMES and _ROOMS say, for editors and type checkers
    from . import (
        baselines,
        cycle,
        latent,
        nature,
        observe,
        ocean,
        posterior,
        prepare,
        prior,
        products,
        show,
        sources,
        state,
        teaching,
        verify,
    )
    from .errors import InputError
    from .observe.table import Observations
    from .posterior import assimilate
    from .prior import load_prior
    from .state import CHANNELS, VARIABLES, Grid

_NAMES = {
    "CHANNELS": "state",
    "VARIABLES": "state",
    "Grid": "state",
    "InputError": "errors",
    "Observations": "observe.table",
    "assimilate": "posterior",
    "load_prior": "prior",
}
_ROOMS = (
    "baselines",
    "cycle",
    "latent",
    "nature",
    "observe",
    "ocean",
    "posterior",
    "prepare",
    "prior",
    "products",
    "show",
    "sources",
    "state",
    "teaching",
    "verify",
)

__all__ = ["CHANNELS", "VARIABLES", "Grid", "InputError", "Observations", "__version__", "assimilate", "load_prior"]


def __getattr__(name: str):
    """A public name or a room, on first use (PEP 562)."""
    if name in _ROOMS:
        return import_module(f".{name}", __name__)
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f".{_NAMES[name]}", __name__), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_NAMES, *_ROOMS})
