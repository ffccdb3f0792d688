"""The explorer of observing systems for a running kernel: every move of a control is a new assimilation.

The kernel computes, the page's own program draws (`explorer.js`, with `notebook.js` in the place of `packs.js`).
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import anywidget
import numpy as np
import torch
import traitlets
import xarray as xr

from ..errors import InputError
from ..observe.systems import NADIR
from ..observe.table import Observations
from ..posterior import assimilate
from ..prior import Prior
from ..state import Grid
from ..verify.osse.sweep import TITLES, frame_of, observe, southwest, with_speed
from . import pack
from .assets import module
from .static import STYLES, colour_scale, control, difference, north_up, numbers, quantise

RESTS = 0.15  # seconds that a control must rest: moves that come meanwhile, or while an ensemble is made, are one move
START = pack.START | {"altimeters": 3}  # fewer observations, which a kernel assimilates sooner
KEPT = 64  # ensembles to come back to without making them again
ERRORS = [0.5, 1.0, 2.0, 4.0, 8.0]
SCORES = ("mean_spread", "rmse", "crps", "spread_skill", "number")
AGAINST = "sparsity"
PANELS = pack.PANELS
SYSTEM = ("method", "altimeters", "swot", "cloud", "error")  # the dials that take a new ensemble
KINDS = {panel: "spread" if panel == "spread" else "field" for panel in PANELS}


class OsseExplorer(anywidget.AnyWidget):
    """The controls of an observing system; the ensemble is made anew when one is moved.

    The controls are traits: `altimeters`, `swot`, `cloud` (%), `error`, `method`, `member`, `channel` and `view`. One
    that is set in a cell moves on the screen, too.

    Args:
        prior: from `load_prior`, or several with their names.
        truth: one state, dims (latitude, longitude), with a scalar coordinate `time`.
        members: size of the ensembles; few answer faster.
        options: passed to `assimilate`; by default it is fast.
    """

    _esm = module("notebook")
    contents = traitlets.Dict().tag(sync=True)  # what there is, as `static_explorer` tells it to a page
    frame = traitlets.Dict().tag(sync=True)  # the maps of one setting
    tried = traitlets.List().tag(sync=True)  # the scores of every setting that was tried
    progress = traitlets.Float().tag(sync=True)  # 0 to 1
    status = traitlets.Unicode().tag(sync=True)
    failed = traitlets.Bool().tag(sync=True)

    def __init__(
        self,
        prior: Prior | Mapping[str, Prior],
        truth: xr.Dataset,
        members: int = 8,
        seed: int = 0,
        **options,
    ):
        self.priors = prior if isinstance(prior, Mapping) else {prior.name: prior}
        self.members, self.seed = members, seed
        self.options = {"fast": True} | options
        self.truth = with_speed(truth.drop_vars("member", errors="ignore"))  # of several oceans; ensembles have members
        self.grid = Grid(truth["latitude"].values, truth["longitude"].values)
        self.channels = [name for name in pack.CHANNELS if name in self.truth]
        self.ensembles: dict[tuple, tuple[Observations, xr.Dataset, dict]] = {}  # and the maps as the page reads them
        self.scores: dict[tuple, dict[str, dict[str, float | None]]] = {}  # of a setting: channel -> score -> value
        self.waiting: asyncio.TimerHandle | None = None
        self.contents = self._contents()
        choices = {dial["name"]: (dial["settings"], dial["start"]) for dial in self.contents["dials"]}
        choices |= {"channel": (self.channels, 0), "view": (list(pack.VIEWS), 0)}
        self.add_traits(**{name: traitlets.Enum(some, some[i]).tag(sync=True) for name, (some, i) in choices.items()})
        super().__init__()
        self.observe(lambda change: self.move(), SYSTEM)
        self.on_msg(lambda widget, message, buffers: self.complete())
        self.draw()
        self.move()

    def _contents(self) -> dict[str, Any]:
        """What the page is to know before there is an ensemble."""
        settings = {
            "altimeters": list(range(1, 1 + len(NADIR))),
            "swot": [False, True],
            "cloud": list(range(0, 101, 10)),
            "error": ERRORS,
            "method": list(self.priors),
            "member": list(range(1, 1 + self.members)),
        }
        start = {name: first for name, first in START.items() if first in settings[name]}
        dials = [xr.DataArray(some, dims=name, name=name, attrs=TITLES[name]) for name, some in settings.items()]
        ocean = north_up(self.truth)
        about = {name: {"name": name, "title": attrs["long_name"]} for name, attrs in TITLES.items()}
        units = {name: {"units": attrs.get("units")} for name, attrs in TITLES.items()}
        return {
            "title": pack.TITLE,
            "latitude": ocean["latitude"].values[[0, -1]].tolist(),
            "longitude": ocean["longitude"].values[[0, -1]].tolist(),
            "shape": list(self.grid.shape),
            "dials": [control(dial, pack.WORDS[dial.name], start) | {"own": dial.name == "member"} for dial in dials],
            "panels": [
                about[name]
                | {"dials": ["member"] * (name == "member_map"), "kind": KINDS[name], "smooth": name != "observations"}
                for name in PANELS
            ]
            + [difference(name, *about, "spread") for name, about in pack.DIFFERENCES.items()],
            "views": [{"title": title, "panels": list(shown)} for title, shown in pack.VIEWS.items()],
            "scores": [about[name] | units[name] | {"dials": list(SYSTEM)} for name in SCORES],
            "against": about[AGAINST] | units[AGAINST] | {"dials": ["altimeters", "swot"]},
            "channels": [
                {"name": name, "title": STYLES[name].long_name, "units": STYLES[name].units} for name in self.channels
            ],
        }

    @property
    def setting(self) -> tuple:
        """Method, altimeters, SWOT, cloud cover (%), observation error."""
        return tuple(getattr(self, name) for name in SYSTEM)

    @property
    def analysis(self) -> xr.Dataset:
        """The ensemble for what the controls say."""
        return self.assimilate(self.setting)[1]

    @property
    def observations(self) -> Observations:
        """What the observing system of the controls sees."""
        return self.assimilate(self.setting)[0]

    def move(self) -> None:
        """Follow the controls: at once in a script, in a notebook as soon as they rest. So the widget stays on the
        screen while it works, and a hand that slides over five settings does not wait for five ensembles."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.follow()
            return
        if self.waiting:
            self.waiting.cancel()
        self.waiting = loop.call_later(RESTS, self.follow)

    def follow(self) -> None:
        """Make the ensemble for what the controls say, and show it."""
        self.waiting = None
        self._try(self.setting)

    def complete(self) -> None:
        """Assimilate for every number of altimeters, all else being as the controls say."""
        method, _, *others = self.setting
        for number in range(1, 1 + len(NADIR)):
            self._try((method, number, *others))

    def _try(self, setting: tuple) -> None:
        """Assimilate, and show what there is then; or say why it cannot be done."""
        try:
            self.assimilate(setting)
            self.status, self.failed = "", False
        except InputError as error:  # nothing to see from there, under clouds
            self.status, self.failed = str(error), True
        self.draw()

    def assimilate(self, setting: tuple) -> tuple[Observations, xr.Dataset, dict]:
        """Observe the truth with the system of a setting and assimilate; or remember what that gave."""
        if setting in self.ensembles:
            return self.ensembles[setting]
        method, altimeters, swot, cloud, error = setting
        self.progress, self.status, self.failed = 0.0, "Assimilating …", False
        seen = observe(self.truth, altimeters, cloud / 100, self.seed, swot, error)
        analysis = assimilate(
            self.priors[method],
            seen,
            self.members,
            self.seed,
            region=southwest(self.grid),
            date=self.truth["time"].values,
            progress=self._progress,
            **self.options,
        ).assign_coords(latitude=self.truth["latitude"], longitude=self.truth["longitude"])
        self.progress = 1.0
        if len(self.ensembles) == KEPT:
            del self.ensembles[next(iter(self.ensembles))]
        frame = frame_of(analysis, seen, self.truth, self.grid, self.channels, self.members)
        self.scores[setting] = {name: _scores(frame.sel(channel=name)) for name in self.channels}
        self.ensembles[setting] = seen, with_speed(analysis), self._maps(frame)
        return self.ensembles[setting]

    def _progress(self, step: int, steps: int) -> None:
        self.progress = step / steps

    def draw(self) -> None:
        """Show the ensemble for what the controls say, the truth alone as long as there is none, and all scores."""
        if self.setting in self.ensembles:
            channels = self.ensembles[self.setting][2]
        else:
            channels = self._maps(self.truth[self.channels].to_dataarray("channel").to_dataset(name="truth"))
        with self.hold_sync():  # both in one message
            self.tried = [
                {"setting": dict(zip(SYSTEM, setting, strict=True)), "scores": scores}
                for setting, scores in self.scores.items()
            ]
            self.frame = {"setting": dict(zip(SYSTEM, self.setting, strict=True)), "channels": channels}

    def _maps(self, frame: xr.Dataset) -> dict[str, dict[str, dict]]:
        """The maps of each channel, in one byte a value, and the scales that they are to be read by. The colours of
        fields are those of the truth, and keep their meaning from one setting to the next."""
        found = {}
        for name in self.channels:
            here = north_up(frame.sel(channel=name))
            scales = {
                kind: colour_scale(name, [here[panel].values for panel in panels], STYLES[name], kind, like)
                for kind, like in (("field", here["truth"].values), ("spread", None))
                if (panels := [panel for panel in PANELS if panel in here and KINDS[panel] == kind])
            }
            ends = {kind: (scale["low"], scale["high"]) for kind, scale in scales.items()}
            maps = {panel: quantise(here[panel].values, *ends[KINDS[panel]]) for panel in PANELS if panel in here}
            found[name] = {"scales": scales, "maps": {panel: codes.tobytes() for panel, codes in maps.items()}}
        return found


def _scores(frame: xr.Dataset) -> dict[str, float | None]:
    """The scores of one channel, as the page reads them."""
    names = (*SCORES, AGAINST)
    return dict(zip(names, numbers(np.array([frame[name].item() for name in names])), strict=True))


def live_explorer(
    prior: Prior | Mapping[str, Prior] | None = None,
    truth: xr.Dataset | None = None,
    device: str | None = None,
    **options,
) -> OsseExplorer:
    """`show.explorer`."""
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    priors = pack.sample_priors(device) if prior is None else prior
    first = next(iter(priors.values())) if isinstance(priors, Mapping) else priors
    truth = pack.sample_truth(first) if truth is None else truth
    on_card = first.spectrum.variance.device.type == "cuda"
    full = {"members": 32, "batch": 32, "fast": False} if on_card else {}
    return OsseExplorer(priors, truth, **full | options)
