"""The explorer of observing systems for a running kernel: every move of a control is a new assimilation."""

import asyncio
import html
import io
from collections.abc import Mapping, Sequence

import ipywidgets
import numpy as np
import torch
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, MultipleLocator

from ..errors import InputError
from ..observe.systems import NADIR, sparsity
from ..observe.table import Observations
from ..posterior import assimilate
from ..prior import Prior
from ..state import Grid
from ..verify.osse.sweep import TITLES, gridded, observe, score_table, southwest, with_speed
from . import maps, pack
from .static import STYLES

RESTS = 0.15  # seconds that a control must rest: moves that come meanwhile, or while an ensemble is made, are one move
KEPT = 64  # ensembles to come back to without making them again
COLOURS = ("#0b63b8", "#c2410c", "#15803d")
# Set by hand: a layout that is found anew for each picture takes longer than the picture.
MARGINS = {"left": 0.06, "right": 0.94, "top": 0.95, "bottom": 0.11, "wspace": 0.4, "hspace": 0.22}
SCORES = ("mean_spread", "rmse", "crps")


class OsseExplorer(ipywidgets.VBox):
    """The controls of an observing system; the ensemble is made anew when one is moved.

    Args:
        prior: from `load_prior`, or several with their names.
        truth: one state, dims (latitude, longitude), with a scalar coordinate `time`.
        members: size of the ensembles; few answer faster.
        options: passed to `assimilate`, which is to be fast unless told otherwise.
    """

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
        self.ensembles: dict[tuple, tuple[Observations, xr.Dataset]] = {}
        self.scores: dict[tuple[tuple, str], dict[str, float]] = {}  # of a setting and a channel
        self.waiting: asyncio.TimerHandle | None = None
        self._make_controls()
        super().__init__([self.controls, self.bar, self.status, self.picture])
        self.draw()
        self.move()

    def _make_controls(self) -> None:
        wide = {"style": {"description_width": "10.5em"}, "layout": {"width": "24em", "max_width": "100%"}}
        slow = wide | {"continuous_update": False}
        factors = [(pack.error_in_words(f), f) for f in (0.5, 1.0, 2.0, 4.0, 8.0)]
        named = [(pack.PRIOR_TITLES.get(name, name), name) for name in self.priors]
        channels = [(STYLES[name].long_name, name) for name in pack.CHANNELS if name in self.truth]
        self.altimeters = ipywidgets.IntSlider(3, 1, len(NADIR), description="Altimeters", **slow)
        self.swot = ipywidgets.Checkbox(False, description="SWOT", indent=True, **wide)
        self.cloud = ipywidgets.IntSlider(70, 0, 100, 10, description="Cloud cover (%)", **slow)
        self.error = ipywidgets.SelectionSlider(options=factors, value=1.0, description="Observation error", **slow)
        self.method = ipywidgets.Dropdown(options=named, description="Method", **wide)
        self.channel = ipywidgets.Dropdown(options=channels, description="Variable", **wide)
        self.view = ipywidgets.Dropdown(options=list(pack.VIEWS), description="Show", **wide)
        self.member = ipywidgets.IntSlider(1, 1, self.members, description="Member", **slow)
        self.curve = ipywidgets.Button(
            description="Draw the whole curve", tooltip="Assimilate for 1 to 7 altimeters", layout={"width": "auto"}
        )
        self.bar = ipywidgets.FloatProgress(0.0, min=0.0, max=1.0, layout={"width": "100%"})
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
        try:
            self.assimilate(self.setting)
        except InputError as error:  # nothing to see from there, under clouds
            self.bar.bar_style = "danger"
            self.status.value = f'<div role="status">{html.escape(str(error))}</div>'
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
        shown = pack.VIEWS[self.view.value]
        self.member.disabled = "member_map" not in shown
        if self.setting in self.ensembles:
            self.status.value = self._told(name)
        columns = 3 if len(shown) > 3 else 2
        figure = Figure((3.0 * columns, 5.6))
        FigureCanvasAgg(figure)
        axes = figure.subplots(2, columns, gridspec_kw=MARGINS).ravel()
        self._draw_maps(axes[:-1], name, shown)
        self._draw_curve(axes[-1], name)
        buffer = io.BytesIO()
        figure.savefig(buffer, dpi=100)
        self.picture.value = buffer.getvalue()

    def _told(self, name: str) -> str:
        """The scores in words, which a screen reader reads out when they change."""
        table, units = self._scores(self.setting, name), STYLES[name].units
        told = ", ".join(f"{TITLES[s]['long_name']} <b>{table[s]:.3f} {units}</b>" for s in SCORES)
        return (
            f'<div role="status">{STYLES[name].long_name}, {len(self.observations)} observations. {told}, '
            f"{TITLES['spread_skill']['long_name']} <b>{table['spread_skill']:.2f}</b></div>"
        )

    def _scores(self, setting: tuple, name: str) -> dict[str, float]:
        if (setting, name) not in self.scores:
            seen, analysis = self.ensembles[setting]
            row = score_table({"": analysis}, self.truth, [name]).squeeze()
            spread = float(np.sqrt(analysis[name].var("member", ddof=1).mean()))
            table = {score: float(row[score]) for score in ("rmse", "crps", "spread_skill")}
            self.scores[setting, name] = table | {"mean_spread": spread, "sparsity": sparsity(seen, self.grid)}
        return self.scores[setting, name]

    def _draw_maps(self, axes: Sequence[Axes], name: str, shown: Sequence[str]) -> None:
        style, true = STYLES[name], self.truth[name]
        fields = {"truth": true.values}
        if self.setting in self.ensembles:
            seen, analysis = self.ensembles[self.setting]
            ensemble = analysis[name]
            fields |= {
                "observations": gridded(seen, self.grid, name, true).values,
                "mean": ensemble.mean("member").values,
                "member_map": ensemble.isel(member=self.member.value - 1).values,
                "spread": ensemble.std("member", ddof=1).values,
            }
        low, high = maps.color_limits(true, maps.STYLES[name])
        looks = {
            "field": {"cmap": style.colormap, "vmin": low, "vmax": high},
            "spread": {"cmap": maps.STYLES["spread"].colormap, "vmin": 0},
        }
        extent = [edge for v in (self.grid.longitude, self.grid.latitude)
                  for edge in (1.5 * v[0] - 0.5 * v[1], 1.5 * v[-1] - 0.5 * v[-2])]  # fmt: skip
        stretch = 1 / np.cos(np.radians(self.grid.latitude.mean()))
        drawn = {}
        for ax, panel in zip(axes, shown, strict=True):
            title = f"Member {self.member.value}" if panel == "member_map" else TITLES[panel]["long_name"]
            ax.set_title(title, fontsize=10)
            ax.tick_params(labelsize=8)
            ax.set(xlim=extent[:2], ylim=extent[2:], aspect=stretch, facecolor="0.92")
            ax.xaxis.set_major_locator(MultipleLocator(2))
            ax.xaxis.set_major_formatter(lambda x, _: f"{abs(x):g}°{'W' if x < 0 else 'E'}")
            ax.yaxis.set_major_locator(MultipleLocator(2))
            ax.yaxis.set_major_formatter(lambda y, _: f"{abs(y):g}°{'S' if y < 0 else 'N'}")
            if panel in fields:
                kind = "spread" if panel == "spread" else "field"
                drawn[kind] = ax.imshow(fields[panel], origin="lower", extent=extent, aspect=stretch, **looks[kind])
        for image in drawn.values():
            beside = image.axes.inset_axes([1.04, 0.1, 0.05, 0.8])
            beside.tick_params(labelsize=8)
            image.axes.figure.colorbar(image, cax=beside)
            beside.set_title(style.units, fontsize=8, loc="left")

    def _draw_curve(self, ax: Axes, name: str) -> None:
        """Scores against sparsity: every number of altimeters that was tried, all else being as the controls say."""
        ax.set_title(f"Scores ({STYLES[name].units}) against sparsity", fontsize=10)
        ax.set_xlabel("Mean distance to the nearest\nobservation of sea level (km)", fontsize=8)
        ax.tick_params(labelsize=8)
        ax.yaxis.tick_right()  # on the left stands the bar of the spread's colours
        method, _, *others = self.setting
        tried = [s for s in self.ensembles if (s[0], *s[2:]) == (method, *others)]
        points = sorted((self._scores(s, name) for s in tried), key=lambda table: table["sparsity"])
        points = [table for table in points if np.isfinite(table["sparsity"])]
        if not points:
            ax.set(xticks=[], yticks=[])
            return
        here = self._scores(self.setting, name) if self.setting in self.ensembles else None
        for score, colour, dash in zip(SCORES, COLOURS, ("-", "--", ":"), strict=True):
            x, y = ([table[what] for table in points] for what in ("sparsity", score))
            ax.plot(x, y, dash, color=colour, marker=".", label=TITLES[score]["long_name"])
            if here:
                ax.plot(here["sparsity"], here[score], "o", color=colour, ms=8)
        if here:
            ax.axvline(here["sparsity"], color="0.5", lw=1, ls=":")
        ax.set_xscale("log")
        ax.set_xlim(points[0]["sparsity"] / 1.3, points[-1]["sparsity"] * 1.3)
        ax.xaxis.set_major_locator(MaxNLocator(4))
        ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_formatter("")
        ax.set_ylim(0, 1.6 * max(table[score] for table in points for score in SCORES))  # room for the legend
        ax.legend(fontsize=7, loc="upper left", framealpha=0.9)


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
