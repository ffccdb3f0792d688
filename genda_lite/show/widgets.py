"""The explorer of observing systems for a running kernel: every move of a control is a new assimilation."""

import asyncio
import io
from collections.abc import Mapping

import ipywidgets
import numpy as np
import torch
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..observe import Observations
from ..posterior import assimilate
from ..prior import Prior
from ..state import Grid
from ..systems import NADIR, sparsity
from ..verify.osse import TITLES, gridded, observe, score_table, southwest, with_speed
from . import maps, pack
from .static import STYLES, ChannelStyle

RESTS = 0.15  # seconds that a control must rest: moves that come meanwhile, or while an ensemble is made, are one move
KEPT = 64  # ensembles to come back to without making them again
COLOURS = ("#0b63b8", "#c2410c", "#15803d")
SCORES = ("mean_spread", "rmse", "crps")


class OsseExplorer(ipywidgets.VBox):
    """The controls of an observing system; the ensemble is made anew when one is moved.

    Args:
        prior: from `load_prior`, or several with their names.
        truth: one state, dims (latitude, longitude), with a scalar coordinate `time`.
        members: size of the ensembles; few answer faster.
        block: width in cells of the squares that temperature is averaged over; fewer observations answer faster.
        options: passed to `assimilate`, which is to be fast unless told otherwise.
    """

    def __init__(
        self,
        prior: Prior | Mapping[str, Prior],
        truth: xr.Dataset,
        members: int = 8,
        seed: int = 0,
        block: int = 2,
        **options,
    ):
        self.priors = prior if isinstance(prior, Mapping) else {prior.name: prior}
        self.members, self.seed, self.block = members, seed, block
        self.options = {"fast": True} | options
        self.truth = with_speed(truth.drop_vars("member", errors="ignore"))  # of several oceans; ensembles have members
        self.grid = Grid(truth["latitude"].values, truth["longitude"].values)
        self.ensembles: dict[tuple, tuple[Observations, xr.Dataset]] = {}
        self.waiting: asyncio.TimerHandle | None = None
        self._make_controls()
        super().__init__([self.controls, self.bar, self.status, self.picture])
        self.draw()
        self.move()

    def _make_controls(self) -> None:
        wide = {"style": {"description_width": "8em"}, "layout": {"width": "22em"}}
        slow = wide | {"continuous_update": False}
        factors = [(pack.error_in_words(f), f) for f in (0.5, 1.0, 2.0, 4.0, 8.0)]
        named = [(pack.METHODS.get(name, name), name) for name in self.priors]
        channels = [(STYLES[name].long_name, name) for name in pack.CHANNELS if name in self.truth]
        self.altimeters = ipywidgets.IntSlider(3, 1, len(NADIR), description="Altimeters", **slow)
        self.swot = ipywidgets.Checkbox(False, description="SWOT", indent=True, **wide)
        self.cloud = ipywidgets.IntSlider(70, 0, 100, 10, description="Cloud cover (%)", **slow)
        self.error = ipywidgets.SelectionSlider(options=factors, value=1.0, description="Observation error", **slow)
        self.method = ipywidgets.Dropdown(options=named, description="Method", **wide)
        self.channel = ipywidgets.Dropdown(options=channels, description="Variable", **wide)
        self.view = ipywidgets.Dropdown(options=list(pack.VIEWS), description="Show", **wide)
        self.member = ipywidgets.IntSlider(1, 1, self.members, description="Member", **slow)
        self.curve = ipywidgets.Button(description="Draw the whole curve", tooltip="Assimilate for 1 to 7 altimeters")
        self.bar = ipywidgets.FloatProgress(0.0, min=0.0, max=1.0, layout={"width": "100%", "height": "0.6em"})
        self.status = ipywidgets.HTML()
        self.picture = ipywidgets.Image(format="png", layout={"max_width": "100%", "object_fit": "contain"})
        moved = (self.altimeters, self.swot, self.cloud, self.error, self.method)
        shown = (self.channel, self.view, self.member)
        for control in moved:
            control.observe(lambda change: self.move(), "value")
        for control in shown:
            control.observe(lambda change: self.draw(), "value")
        self.curve.on_click(lambda button: self.complete())
        self.controls = ipywidgets.Box([*moved, *shown, self.curve], layout={"flex_flow": "row wrap"})

    @property
    def setting(self) -> tuple:
        """Method, altimeters, SWOT, cloud cover (%), observation error."""
        return self.method.value, self.altimeters.value, self.swot.value, self.cloud.value, self.error.value

    @property
    def analysis(self) -> xr.Dataset:
        """The ensemble for what the controls say."""
        return self.assimilate(self.setting)[1]

    @property
    def observations(self) -> Observations:
        """What the observing system of the controls sees."""
        return self.assimilate(self.setting)[0]

    def move(self) -> None:
        """Follow the controls: at once in a script; in a notebook as soon as they rest, so that the widget is on the
        screen while it works and a hand that slides over five settings does not wait for five ensembles."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.follow()
            return
        self.bar.value, self.bar.bar_style = 0.0, "info"
        if self.waiting:
            self.waiting.cancel()
        self.waiting = loop.call_later(RESTS, self.follow)

    def follow(self) -> None:
        """Make the ensemble for what the controls say, and draw it."""
        self.waiting = None
        self.assimilate(self.setting)
        self.draw()

    def complete(self) -> None:
        """Assimilate for every number of altimeters, all else being as the controls say."""
        method, _, *others = self.setting
        for number in range(1, 1 + len(NADIR)):
            self.assimilate((method, number, *others))
            self.draw()

    def assimilate(self, setting: tuple) -> tuple[Observations, xr.Dataset]:
        """Observe the truth with the system of a setting and assimilate; or remember what that gave."""
        if setting in self.ensembles:
            return self.ensembles[setting]
        method, altimeters, swot, cloud, error = setting
        self.status.value = "Assimilating …"
        seen = observe(self.truth, altimeters, cloud / 100, self.seed, swot, error, self.block)
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
        self.bar.value, self.bar.bar_style = 1.0, "success"
        if len(self.ensembles) == KEPT:
            del self.ensembles[next(iter(self.ensembles))]
        self.ensembles[setting] = seen, with_speed(analysis)
        return self.ensembles[setting]

    def _progress(self, step: int, steps: int) -> None:
        self.bar.value = step / steps

    def draw(self) -> None:
        """Show the chosen variable of the ensemble for what the controls say, with its scores; the truth alone as long
        as there is none."""
        name = self.channel.value
        seen, analysis = self.ensembles.get(self.setting, (None, None))
        if analysis is not None:
            table, units = self._scores(self.setting, name), STYLES[name].units
            told = ", ".join(f"{TITLES[s]['long_name']} <b>{table[s]:.3f} {units}</b>" for s in SCORES)
            self.status.value = (
                f'<div role="status">{len(seen)} observations. {told}, '
                f"{TITLES['spread_skill']['long_name']} <b>{table['spread_skill']:.2f}</b></div>"
            )
        figure = Figure((9.0, 5.6), layout="constrained")
        FigureCanvasAgg(figure)
        shown = pack.VIEWS[self.view.value]
        axes = figure.subplots(2, 3 if len(shown) > 3 else 2).ravel()
        self._draw_maps(figure, axes[:-1], shown, seen, analysis)
        self._draw_curve(axes[-1], name)
        buffer = io.BytesIO()
        figure.savefig(buffer, dpi=100)
        self.picture.value = buffer.getvalue()

    def _scores(self, setting: tuple, name: str) -> dict[str, float]:
        seen, analysis = self.ensembles[setting]
        row = score_table({"": analysis}, self.truth, [name]).squeeze()
        spread = float(np.sqrt(analysis[name].var("member", ddof=1).mean()))
        table = {score: float(row[score]) for score in ("rmse", "crps", "spread_skill")}
        return table | {"mean_spread": spread, "sparsity": sparsity(seen, self.grid)}

    def _draw_maps(self, figure, axes, shown, seen, analysis) -> None:
        name = self.channel.value
        style: ChannelStyle = STYLES[name]
        true = self.truth[name]
        fields = {"truth": true.values}
        if analysis is not None:
            ensemble = analysis[name]
            fields |= {
                "observations": gridded(seen, self.grid, name, true).values,
                "mean": ensemble.mean("member").values,
                "member_map": ensemble.isel(member=self.member.value - 1).values,
                "spread": ensemble.std("member", ddof=1).values,
            }
        low, high = maps.color_limits(true, maps.STYLES[name])
        extent = [*self.grid.longitude[[0, -1]], *self.grid.latitude[[0, -1]]]
        stretch = 1 / np.cos(np.radians(self.grid.latitude.mean()))
        drawn = {}
        for ax, panel in zip(axes, shown, strict=True):
            title = f"Member {self.member.value}" if panel == "member_map" else TITLES[panel]["long_name"]
            ax.set_title(title, fontsize=10)
            ax.tick_params(labelsize=8)
            ax.set_aspect(stretch)
            ax.set_facecolor("0.92")
            if panel not in fields:
                continue
            kind = "spread" if panel == "spread" else "field"
            colours = {"cmap": maps.STYLES["spread"].colormap, "vmin": 0} if kind == "spread" else {
                "cmap": style.colormap, "vmin": low, "vmax": high}  # fmt: skip
            drawn[kind] = ax.imshow(fields[panel], origin="lower", extent=extent, aspect=stretch, **colours), ax
        for image, ax in drawn.values():
            bar = figure.colorbar(image, ax=ax, shrink=0.8, pad=0.02)
            bar.set_label(style.units, fontsize=8)
            bar.ax.tick_params(labelsize=8)

    def _draw_curve(self, ax: Axes, name: str) -> None:
        """Scores against sparsity: every number of altimeters that was tried, all else being as the controls say."""
        ax.set_xscale("log")
        ax.set_xlabel("Mean distance to nearest sea-level obs. (km)", fontsize=8)
        ax.set_ylabel(STYLES[name].units, fontsize=8)
        ax.tick_params(labelsize=8, which="both")
        method, _, *others = self.setting
        tried = [s for s in self.ensembles if (s[0], *s[2:]) == (method, *others)]
        points = sorted((self._scores(s, name) for s in tried), key=lambda table: table["sparsity"])
        for score, colour, dash in zip(SCORES, COLOURS, ("-", "--", ":"), strict=True):
            x, y = ([table[what] for table in points] for what in ("sparsity", score))
            ax.plot(x, y, dash, color=colour, marker=".", label=TITLES[score]["long_name"])
            if self.setting in self.ensembles:
                here = self._scores(self.setting, name)
                ax.plot(here["sparsity"], here[score], "o", color=colour, ms=8)
        ax.set_ylim(bottom=0)
        ax.legend(fontsize=7, loc="best")


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
    full = {"members": 32, "batch": 32, "block": 1, "fast": False} if on_card else {}
    return OsseExplorer(priors, truth, **full | options)
