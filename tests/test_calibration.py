"""Calibration beside the map: the diagrams show what the ensemble is."""

import numpy as np
import pytest
import xarray as xr

from genda_lite.show.calibration import plot_calibration


def case(factor: float) -> tuple[xr.Dataset, xr.Dataset]:
    """A truth and 40 members from one distribution, whose width grows eastward; the members' is `factor` of it."""
    rng = np.random.default_rng(0)
    grid = {"latitude": 36 + np.arange(60) / 12, "longitude": -60 + np.arange(60) / 12}
    width = np.linspace(0.02, 0.4, 60)
    truth = xr.DataArray(width * rng.normal(size=(60, 60)), grid, attrs={"units": "m"})
    draws = factor * width * rng.normal(size=(40, 60, 60))
    return xr.Dataset({"zos": (("member", *grid), draws, {"units": "m"})}, grid), truth.to_dataset(name="zos")


@pytest.mark.parametrize("factor", [1.0, 0.5])
def test_diagrams_of_an_ensemble_of_known_width(factor):
    figure = plot_calibration(*case(factor), "zos")
    ranks, diagram = [ax for ax in figure.axes if ax.get_xlabel()]
    heights = np.array([bar.get_height() for bar in ranks.patches])
    assert len(heights) == 41 and heights.mean() == pytest.approx(1)
    line = diagram.lines[1].get_xydata()
    assert diagram.get_xlabel() == "spread (m)" and len(line) == 8
    if factor == 1:
        assert abs(heights - 1).max() < 0.4  # four standard deviations of 3600 / 41 counts
        np.testing.assert_allclose(line[2:, 1], line[2:, 0], rtol=0.2)
        assert line[-1, 1] > 2 * line[0, 1]
    else:
        assert heights[[0, -1]].min() > 3 > 1 > heights[20]
        assert (line[:, 1] > 1.4 * line[:, 0]).all()
    assert float(diagram.get_title().split()[-1]) == pytest.approx(factor, abs=0.06 if factor == 1 else 0.1)


def test_another_grid_is_refused(refuses):
    analysis, truth = case(1.0)
    with refuses("grids"):
        plot_calibration(analysis, truth.isel(latitude=slice(1, None)), "zos")
