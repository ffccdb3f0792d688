"""The test on a map of the real sea level: its figures, and what learned priors have more or less than the Gaussian."""

import numpy as np
import pytest
import xarray as xr

from genda_lite.state import Grid
from genda_lite.verify.engine import GAUSSIAN, OURS, Case
from genda_lite.verify.real import UNSEEN, rows_of
from genda_lite.verify.table import number, tidy


@pytest.fixture
def table() -> xr.Dataset:
    """Three boxes; the learned prior's error of sea level is 0.1, 0.2, 0.3 m, the Gaussian's up to 0.05 less."""
    error = np.array([[0.1, 0.2, 0.3], [0.08, 0.18, 0.25], [0.5, 0.5, 0.5]])
    fields = {"zos": error, "ug": error, "vg": np.zeros_like(error)}
    mse = np.stack([fields[name] ** 2 for name in ("zos", "ug", "vg")], -1)[..., None]
    variance = np.where(np.arange(3)[:, None, None, None] < 2, mse, np.nan)
    dims = ("experiment", "case", "channel", "zone")
    coords = {"experiment": [OURS, GAUSSIAN, "climatology"], "channel": ["zos", "ug", "vg"], "zone": [UNSEEN]}
    scores = {"mse": mse, "crps": np.sqrt(mse) / 2, "variance": variance}
    return xr.Dataset({name: (dims, values) for name, values in scores.items()}, coords, {"members": 9})


@pytest.fixture
def boxes() -> list[Case]:
    grid = Grid.around(-60.0, 38.0, (10, 10))
    unseen = [np.arange(100).reshape(10, 10) >= seen for seen in (4, 6, 8)]
    return [Case(grid, np.datetime64("2019-02-23"), None, zones={UNSEEN: zone}) for zone in unseen]


def test_figures_are_those_of_all_boxes(table, boxes):
    rows = rows_of(table, boxes)
    frame = tidy(rows)
    rmse = number(frame, method=OURS, channel="zos", metric="rmse")
    assert rmse == pytest.approx(np.sqrt((0.01 + 0.04 + 0.09) / 3))
    assert number(frame, method=OURS, channel="zos", metric="spread_skill") == pytest.approx(np.sqrt(10 / 9))
    assert not ((frame["method"] == "climatology") & (frame["metric"] == "spread_skill")).any()  # it has no ensemble
    assert number(frame, metric="observed share") == pytest.approx(0.06)
    assert {"diffusion prior: sea level RMSE (m)", "climatology: CRPS (m)"} < {row["name"] for row in rows}


def test_learned_priors_are_compared_with_the_gaussian_box_by_box(table, boxes):
    frame = tidy(rows_of(table, boxes))
    difference = np.array([0.02, 0.02, 0.05])
    for metric, expected in (
        (f"rmse less {GAUSSIAN}", difference.mean()),
        ("its standard error", difference.std(ddof=1) / np.sqrt(3)),
    ):
        for channel in ("zos", "current"):
            assert number(frame, method=OURS, channel=channel, metric=metric) == pytest.approx(expected)
    alone = tidy(rows_of(table.sel(experiment=[OURS, "climatology"]), boxes))
    assert not alone["metric"].str.contains("less").any()
