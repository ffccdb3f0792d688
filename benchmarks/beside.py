"""Draws of the shipped priors beside real maps: do they vary as much, and are they as sharp?

    python benchmarks/beside.py ../shared/real --table data_samples/results/beside.csv --figure beside.png
    python benchmarks/beside.py ../shared/real --quick      # four draws: does it work?

Boxes of 64 x 64 points of temperature (OSTIA), sea level (DUACS) and surface current (Mercator), one day each, in the
Gulf Stream and in the eight seas of `verify.real.REGIONS`; and as many points of draws of either prior at any place of
its domain, in the season of the map. Maps are smoothed as much as the products are, so that only what both resolve is
compared. Figures are quantiles over boxes: the middle one, and in `low` and `high` the first and the last decile. The
figure has real maps in it, and is for the eye only. Five minutes of one core.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
import xarray as xr
from scipy.ndimage import gaussian_filter

from genda_lite import load_prior
from genda_lite.errors import InputError
from genda_lite.ocean.currents import geostrophic_current
from genda_lite.prepare.decompose import total_current
from genda_lite.prior import Prior, sample_prior
from genda_lite.prior.base import grid_context
from genda_lite.show.maps import plot_maps
from genda_lite.sources import read_sea_level_map
from genda_lite.state import DEGREES_PER_CELL, Grid
from genda_lite.verify import real, real_maps
from genda_lite.verify.table import pivot, tidy, write_table

CREDIT = "generated using E.U. Copernicus Marine Service Information"
PRIORS = {"lite": "draws, lite", "wide": "draws, wide"}
SMOOTHED = {"thetao": 100.0, "zos": 200.0, "uo": 0.0}  # wavelength (km) of which a map keeps half the amplitude
CELL = 9.27  # km, a twelfth of a degree of latitude
HERE, EVERYWHERE = "real, Gulf Stream", "real, eight seas"


def smoothed(field: xr.DataArray, wavelength: float) -> xr.DataArray:
    """A map of which waves of a length (km) keep half their amplitude."""
    cells = wavelength * np.sqrt(2 * np.log(2)) / (2 * np.pi) / CELL
    return field.copy(data=gaussian_filter(field.values, cells, mode="nearest")) if cells else field


def gradient(field: xr.DataArray) -> np.ndarray:
    """Its size, per 100 km."""
    north, east = np.gradient(field.values, CELL)
    return 100 * np.hypot(north, east / np.cos(np.radians(field["latitude"].values))[:, None])


def described(fields: xr.Dataset) -> dict[tuple[str, str], float]:
    """Figures of one box, by channel and metric, of those channels that there are."""
    found = {}
    for name in ("thetao", "zos"):
        if name in fields:
            field = smoothed(fields[name], SMOOTHED[name])
            found[name, "deviation"] = float(field.std())
            if name == "thetao":
                found[name, "steep"] = float(np.percentile(gradient(field), 95))
            else:
                speed = np.hypot(*(part.values for part in geostrophic_current(field)))
                found[name, "fast"] = float(np.nanpercentile(speed, 95))
    if "uo" in fields:
        speed = np.hypot(fields["uo"].values, fields["vo"].values)
        found["current", "rms"] = float(np.sqrt((speed**2).mean()))
        found["current", "fast"] = float(np.percentile(speed, 95))
    return found


def real_boxes(folder: Path, prior: Prior) -> Iterator[tuple[str, np.datetime64, list[tuple[str, xr.Dataset]]]]:
    """What each product maps, its date, and its boxes with their regions.

    Raises:
        InputError: the folder lacks one of them.
    """
    regions = list(real.REGIONS)[:8]

    def only(pattern: str) -> Path:
        found = sorted(folder.glob(pattern))
        if not found:
            raise InputError(f"{folder}: no file {pattern}, expected one")
        return found[0]

    for what, (name, wanted) in {
        "thetao": ("*OSTIA*.nc", real_maps.temperature_cases),
        "uo": ("cmems_mod_glo_phy-cur*.nc", real_maps.current_cases),
    }.items():
        cases = list(wanted(only(name), prior, regions))
        yield what, cases[0].case.date, [(one.region, one.case.truth) for one in cases]
    product = read_sea_level_map(only("nrt_global_allsat_phy_l4*.nc"))
    field = product["zos"]
    field = field.assign_coords(longitude=(field["longitude"] + 180) % 360 - 180).sortby("longitude")
    grids = real_maps.boxes_of(prior.shape[1:], regions, field)
    boxes = [(region, real_maps.on_grid(field, grid, "sea level").to_dataset(name="zos")) for region, grid in grids]
    yield "zos", product["time"].values, boxes


def drawn(prior: Prior, date: np.datetime64, count: int, seed: int) -> Iterator[xr.Dataset]:
    """Fields of draws at random places of the domain, with the total current."""
    rng, domain = np.random.default_rng(seed), prior.domain
    size = [(n - 1) * DEGREES_PER_CELL for n in prior.shape[1:]]
    grids = []
    for _ in range(count):
        south, west = (rng.uniform(low, high - side) for (low, high), side in
                       zip((domain.latitude, domain.longitude), size, strict=True))
        grids.append(Grid.around(west + size[1] / 2, south + size[0] / 2, prior.shape[1:]))
    contexts = torch.cat([grid_context(domain, grid, date, True) for grid in grids])
    for grid, x in zip(grids, sample_prior(prior, contexts, count, seed, batch=8), strict=True):
        fields = prior.standardizer.to_dataset(x[None], grid, date, prior.state)
        yield total_current(fields, prior.standardizer).isel(member=0)


def rows_of(what: str, method: str, boxes: list[xr.Dataset]) -> Iterator[dict]:
    """Quantiles over boxes."""
    each = [described(box) for box in boxes]
    for channel, metric in each[0]:
        low, middle, high = np.quantile([one[channel, metric] for one in each], [0.1, 0.5, 0.9])
        labels = {"case": what, "method": method, "channel": channel, "metric": metric}
        yield labels | {"value": middle, "low": low, "high": high}
    yield {"case": what, "method": method, "metric": "boxes", "value": len(boxes)}


def draw(shown: dict[str, dict[str, list[xr.Dataset]]], path: Path) -> None:
    """Some boxes of each product above draws, for the eye."""
    for what, sets in shown.items():
        pick: Callable = (lambda ds: np.hypot(ds["uo"], ds["vo"])) if what == "uo" else lambda ds, what=what: ds[what]
        fields, titles = [], []
        for name, boxes in sets.items():
            for box in boxes[:4]:
                field = smoothed(pick(box), SMOOTHED[what]).transpose("latitude", "longitude")
                fields.append(field - float(field.mean()) if what != "uo" else field)
                titles.append(name)
        fields = [f.assign_coords(latitude=fields[0].latitude, longitude=fields[0].longitude) for f in fields]
        figure = plot_maps(fields, titles, columns=4)
        figure.savefig(path.with_stem(f"{path.stem}_{what}"), dpi=80)
        plt.close(figure)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Compare draws of the shipped priors with real maps.")
    parser.add_argument("folder", type=Path, help="with products of OSTIA, DUACS (L4) and Mercator")
    parser.add_argument("--draws", type=int, default=32, help="of each prior for each product")
    parser.add_argument("--table", type=Path, help="write all figures as a tidy table (CSV)")
    parser.add_argument("--figure", type=Path, help="draw maps to files of this name, one a product")
    parser.add_argument("--quick", action="store_true", help="four draws")
    arguments = parser.parse_args()
    count = 4 if arguments.quick else arguments.draws
    torch.set_num_threads(1)
    priors = {words: load_prior(name) for name, words in PRIORS.items()}
    rows, shown = [], {}
    for what, date, boxes in real_boxes(arguments.folder, priors["draws, lite"]):
        sets = {HERE: [box for region, box in boxes if region == real.HOME]}
        if len({region for region, _ in boxes}) == 8:
            sets[EVERYWHERE] = [box for _, box in boxes]
        for words, prior in priors.items():
            names = ["uo", "vo"] if what == "uo" else [what]
            sets[words] = [fields[names] for fields in drawn(prior, date, count, 0)]
        for name, some in sets.items():
            rows += rows_of(what, name, some)
        shown[what] = sets
    frame = tidy(rows)
    for bound in ("low", "value", "high"):
        here = frame[frame["metric"] != "boxes"].assign(figure=lambda f: f["channel"] + " " + f["metric"])
        print(bound, pivot(here, columns="figure", bound=bound).map("{:.3f}".format).to_string(), sep="\n")
    if arguments.table:
        settings = f"{count} draws of each prior for each product, 40 steps; medians over boxes, and deciles beside"
        about = {"command": "python benchmarks/beside.py PRODUCTS", "settings": settings, "seed": 0, "data": CREDIT}
        write_table(frame, arguments.table, **about)
    if arguments.figure:
        draw(shown, arguments.figure)


if __name__ == "__main__":
    main()
