"""Old paths, for one version more: a module or a name that has moved is still found where it was, with a warning.

The tables say where each went. They, and this module, go with the next version.
"""

import importlib
import sys
import warnings
from collections.abc import Callable
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

MODULES = {
    "climatology": "prepare.climatology",
    "drifters": "nature.drifters",
    "frames": "prepare.frames",
    "geostrophy": "ocean.currents",
    "instruments": "observe.instruments",
    "operators": "observe.operators",
    "orbits": "observe.orbits",
    "regression": "baselines.regression",
    "stored": "prepare.store",
    "systems": "observe.systems",
    "trajectories": "ocean.trajectories",
    "verify.drifters": "verify.ose.drifters",
    "verify.experiment": "verify.ose.experiment",
    "verify.posterior": "verify.closed_form",
    "verify.scoreboard": "verify.osse.scoreboard",
    "verify.tracks": "verify.ose.tracks",
}
NAMES = {  # module -> where its former names are now
    "baselines": {
        **dict.fromkeys(("Conditioned", "Marginals", "condition", "prior_variance"), "baselines.closed_form"),
        "Interpolation": "baselines.interpolation",
    },
    "errors": dict.fromkeys(("atomic_path", "atomic_folder"), "files"),
    "observe": {"table_operator": "observe.likelihood"},
    "observe.files": {"SWATH_CELL": "observe.swath"},
    "observe.instruments": {
        "Errors": "observe.instruments",
        "KM_PER_DEGREE": "state",
        "nadir_errors": "observe.nadir",
        "swath_errors": "observe.swath",
        **dict.fromkeys(("broken_clouds", "radiometer"), "observe.radiometer"),
        **dict.fromkeys(("MAPS", "SmoothMap", "smooth_map"), "observe.smooth_maps"),
    },
    "posterior.assimilate": dict.fromkeys(
        ("Problem", "best_observed_grid", "choose_date", "choose_grid", "pose"), "posterior.problem"
    ),
    "posterior.guidance": dict.fromkeys(("cholesky", "interpolated", "perturbations"), "posterior.solve")
    | {"METHODS": "posterior.guidance"},
    "prepare": dict.fromkeys(("METRES_PER_DEGREE", "REQUIRED"), "state"),
    "prepare.decompose": {"METRES_PER_DEGREE": "state"},
    "sources": {"repeat_tracks": "observe.orbits"},
    "state": {
        **dict.fromkeys(("packed", "write_dataset"), "files"),
        **dict.fromkeys(("GRAVITY", "ROTATION_RATE", "coriolis", "wind_stress"), "ocean.currents"),
    },
    "show.pack": {"METHODS": "show.pack"},
    "verify.closed_form": dict.fromkeys(("Case", "METHODS", "Method"), "verify.closed_form"),
    "verify.ose": "verify.ose.judge",
    "verify.ose.experiment": {"FAST": "verify.engine"},
    "verify.ose.tracks": {"effective_resolution": "verify.ose.tracks"},
    "verify.osse.scoreboard": {"effective_resolution": "verify.osse.scoreboard"}
    | dict.fromkeys(
        ("Task", "interpolated", "methods", "regressed", "sampled", "shipped_regression"), "verify.engine"
    ),
    "verify.osse": "verify.osse.sweep",
}
RENAMED = {  # new path of a module and former name -> new name
    "observe.instruments.Errors": "InstrumentErrors",
    "posterior.guidance.METHODS": "GUIDANCES",
    "posterior.problem.pose": "build_problem",
    "show.pack.METHODS": "PRIOR_TITLES",
    "state.REQUIRED": "INPUTS",
    "verify.closed_form.Case": "ExactCase",
    "verify.closed_form.METHODS": "SAMPLED",
    "verify.closed_form.Method": "Sampler",
    "verify.engine.FAST": "OURS_FAST",
    "verify.ose.tracks.effective_resolution": "along_track_resolution",
    "verify.osse.scoreboard.effective_resolution": "isotropic_resolution",
}
PACKAGE = __name__.rpartition(".")[0] + "."


def warn(old: str, new: str) -> None:
    """Say once where to look in future, at the line that asked."""
    warnings.warn(f"{PACKAGE}{old} is now {PACKAGE}{new}, and will be found there alone", DeprecationWarning, 3)


def former_names(place: str) -> Callable[[str], object]:
    """A `__getattr__` that finds the names that have left a module."""
    table = NAMES[place]

    def getattribute(name: str):
        found = table if isinstance(table, str) else table.get(name)
        module = importlib.import_module(PACKAGE + found) if found else None
        new = RENAMED.get(f"{found}.{name}", name)
        if module is None or name.startswith("__") or not hasattr(module, new):
            raise AttributeError(f"module {PACKAGE + place!r} has no attribute {name!r}")
        warn(f"{place}.{name}", f"{found}.{new}")
        return getattr(module, new)

    return getattribute


class Finder(MetaPathFinder, Loader):
    """Finds modules under their old paths, and gives those that have lost names their `former_names`."""

    def find_spec(self, fullname: str, path=None, target=None) -> ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder`."""
        place = fullname.removeprefix(PACKAGE)
        if place == fullname:
            return None
        if place in MODULES:
            return ModuleSpec(fullname, self)
        spec = PathFinder.find_spec(fullname, path) if place in NAMES else None
        if spec is not None:
            execute = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                module.__getattr__ = former_names(place)

            spec.loader.exec_module = exec_module
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The module itself, from its new path."""
        old = spec.name.removeprefix(PACKAGE)
        warn(old, MODULES[old])
        module = importlib.import_module(PACKAGE + MODULES[old])
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """The module has been run; it keeps its own name."""
        module.__spec__ = module.__spec__.loader_state


if not any(type(finder).__name__ == Finder.__name__ for finder in sys.meta_path):
    sys.meta_path.insert(0, Finder())
