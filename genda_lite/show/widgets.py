"""Live explorers for a running kernel: every move of a slider is a new assimilation."""

import io

import ipywidgets
import matplotlib.pyplot as plt
import xarray as xr

from ..posterior import assimilate
from ..prior import Prior
from ..state import Grid
from ..systems import NADIR
from ..verify.osse import observe, score_table, southwest
from .maps import plot_analysis


class OsseExplorer(ipywidgets.VBox):
    """Sliders for the number of altimeters and the cloud cover; the ensemble is made anew at each move.

    Args:
        prior: from `load_prior`.
        truth: one state, dims (latitude, longitude), with a scalar coordinate `time`.
        members: size of the ensembles; few answer faster.
        options: passed to `assimilate`, which is to be fast unless told otherwise.
    """

    def __init__(self, prior: Prior, truth: xr.Dataset, members: int = 8, seed: int = 0, **options):
        self.prior, self.members, self.seed = prior, members, seed
        self.options = {"fast": True} | options
        self.truth = truth.drop_vars("member", errors="ignore")  # which of several oceans it is; ensembles have members
        wide = {"style": {"description_width": "8em"}, "continuous_update": False}
        self.altimeters = ipywidgets.IntSlider(3, 1, len(NADIR), description="Altimeters", **wide)
        self.cloud = ipywidgets.IntSlider(70, 0, 100, 10, description="Cloud cover (%)", **wide)
        self.channel = ipywidgets.Dropdown(
            options=[("Sea level", "zos"), ("Temperature", "thetao"), ("Salinity", "so")],
            description="Variable",
            style={"description_width": "8em"},
        )
        self.status = ipywidgets.HTML()
        self.picture = ipywidgets.Image(format="png", layout={"max_width": "100%"})
        super().__init__([self.altimeters, self.cloud, self.channel, self.status, self.picture])
        for slider in (self.altimeters, self.cloud):
            slider.observe(lambda change: self.assimilate(), "value")
        self.channel.observe(lambda change: self.draw(), "value")
        self.assimilate()

    def assimilate(self) -> None:
        """Observe the truth with the system the sliders describe, assimilate, and draw."""
        self.status.value = "Assimilating …"
        self.observations = observe(self.truth, self.altimeters.value, self.cloud.value / 100, self.seed)
        grid = Grid(self.truth["latitude"].values, self.truth["longitude"].values)
        self.analysis = assimilate(
            self.prior,
            self.observations,
            self.members,
            self.seed,
            region=southwest(grid),
            date=self.truth["time"].values,
            **self.options,
        ).assign_coords(latitude=self.truth["latitude"], longitude=self.truth["longitude"])
        self.draw()

    def draw(self) -> None:
        """Show the chosen variable of the last analysis, with its scores."""
        name = self.channel.value
        units = self.truth[name].attrs.get("units", "")
        row = score_table({"": self.analysis}, self.truth, [name]).squeeze()
        self.status.value = (
            f"{len(self.observations)} observations. Error of the mean (RMSE) <b>{float(row.rmse):.3f} {units}</b>, "
            f"CRPS {float(row.crps):.3f} {units}, spread/error {float(row.spread_skill):.2f}"
        )
        figure = plot_analysis(self.analysis, self.observations.to_dataset(), name, members=3)
        buffer = io.BytesIO()
        figure.savefig(buffer, dpi=100)
        plt.close(figure)
        self.picture.value = buffer.getvalue()
