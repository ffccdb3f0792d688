"""Observe the fraternal twin as satellites and drifters observe the real ocean: the files of the default experiment.

    python data_samples/make_twin.py
    python data_samples/make_twin.py --record runs/sealed_twin.nc --drifters 160    # another twin, season by season

The files have the providers' formats and the names that `genda download ose` gives, so that an experiment on the real
ocean differs from the default one in nothing but the folder it is pointed at. The twin's truth is read to make them,
and by nothing that analyses.
"""

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
import xarray as xr
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from genda_lite.baselines.mapping import Mapping
from genda_lite.files import atomic_path, packed, write_dataset
from genda_lite.nature.drifters import DrifterProgramme, write_insitu_csv
from genda_lite.nature.run import FIELDS
from genda_lite.observe.instruments import ALONG_TRACK, InstrumentErrors, generator
from genda_lite.observe.nadir import nadir_errors
from genda_lite.observe.orbits import MISSIONS, ground_track
from genda_lite.observe.radiometer import broken_clouds
from genda_lite.observe.smooth_maps import MAPS
from genda_lite.ocean.currents import geostrophic_current
from genda_lite.ocean.trajectories import at_points
from genda_lite.sources import load_sample, open_product
from genda_lite.sources.files import LATITUDE, LONGITUDE
from genda_lite.sources.samples import write_checksums
from genda_lite.state import KM_PER_DEGREE, QUANTUM, Grid
from genda_lite.verify.realism import BOX

FOLDER = Path(__file__).resolve().parent / "twin"

# The catalogue's names of missions, and whose orbits they fly: the reference track was Jason-3's until 2022.
FLEET = {"j3": "Sentinel-6", "s3a": "Sentinel-3A", "alg": "SARAL", "h2b": "HY-2B", "c2": "CryoSat-2"}
WITHHELD = "c2"
REFERENCE = 0.31  # m, between the products' reference of sea level and the model's: a constant nobody is told
CLOUD = 0.7  # mean share of the sea that infrared radiometers do not see; it varies from day to day
KELVIN = 273.15
SEASON, APART = 75, 200  # days of a season, and from the end of one to the next


def mean_topography(truth: xr.Dataset) -> xr.DataArray:
    """The mean dynamic topography, (latitude,): of all days and longitudes, for 75 days do not average out an eddy."""
    return truth["zos"].mean(("time", "longitude")) + REFERENCE


def track(truth: xr.Dataset, mission: str, seed: int) -> xr.Dataset:
    """What an altimeter measures in the whole record, as a file of DUACS L3 has it."""
    time, box = truth["time"].values, [truth[dim].values[[0, -1]] for dim in ("latitude", "longitude")]
    points = ground_track(MISSIONS[FLEET[mission]], time[0], time[-1], *box)
    mdt = np.interp(points["latitude"], truth["latitude"], mean_topography(truth))
    level = at_points(truth[["zos"]], points, ("zos",))["zos"].values + REFERENCE
    noisy = level + nadir_errors(points, InstrumentErrors(), FLEET[mission], seed) - mdt
    filtered = noisy.copy()
    for one in np.unique(points["track"]):  # noise below 40 km or so is taken out along each pass
        here = points["track"].values == one
        filtered[here] = gaussian_filter1d(noisy[here], 15.0 / ALONG_TRACK, mode="nearest")
    metres = {"units": "m"}
    named = {
        "sla_unfiltered": noisy,
        "sla_filtered": filtered,
        "mdt": mdt,
    }
    fields = {name: ("time", values, {"long_name": name} | metres) for name, values in named.items()}
    fields["track"] = ("time", points["track"].values.astype("i4"), {"long_name": "Pass number"})
    coords = {
        "time": ("time", points["time"].values, {"standard_name": "time"}),
        "latitude": ("time", points["latitude"].values, LATITUDE),
        "longitude": ("time", points["longitude"].values % 360, LONGITUDE),
    }
    attrs = {"title": "Simulated along-track sea level", "platform": mission, "product_version": "twin"}
    return xr.Dataset(fields, coords, attrs)


def mapped_sea_level(truth: xr.Dataset, tracks: dict[str, xr.Dataset]) -> xr.Dataset:
    """Sea level mapped from tracks day by day, 1/4 degree, with its geostrophic current."""
    grid = truth.isel(latitude=slice(None, None, 3), longitude=slice(None, None, 3))
    mapping, points = Mapping(tracks), grid[["latitude", "longitude"]].stack(point=("latitude", "longitude"))
    days = [mapping.at(mapping.place_of(points), date) for date in truth["time"].values]
    dims, shape = ("time", "latitude", "longitude"), (-1, grid.sizes["latitude"], grid.sizes["longitude"])
    level, error = (np.reshape(part, shape) for part in zip(*days, strict=True))
    adt = level + mean_topography(truth).values[::3, None]
    ds = xr.Dataset(coords={dim: grid[dim] for dim in dims})
    ds["adt"] = (dims, adt, {"standard_name": "sea_surface_height_above_geoid", "units": "m"})
    ds["err_sla"] = (dims, error, {"long_name": "Formal mapping error", "units": "m"})
    for name, part in zip(("ugos", "vgos"), geostrophic_current(ds["adt"]), strict=True):
        ds[name] = part
    return ds


def tuned(tracks: dict[str, xr.Dataset], withheld: xr.Dataset) -> None:
    """Print the error of mapped sea level at the withheld altimeter for several scales, on every tenth day."""
    days = np.unique(withheld["time"].values.astype("datetime64[D]"))[5:-5:10]
    for zero in (150.0, 200.0, 250.0):
        for decorrelation in (4.0, 5.0, 7.0, 10.0):
            mapping, errors = Mapping(tracks, zero, decorrelation), []
            for day in days:
                here = withheld.isel(time=withheld["time"].values.astype("datetime64[D]") == day)
                level, _ = mapping.at(mapping.place_of(here), day + np.timedelta64(12, "h"))
                errors.append(level - here["sla_unfiltered"].values)
            rms = np.sqrt(np.mean(np.concatenate(errors) ** 2))
            typer.echo(f"L = {zero:g} km, T = {decorrelation:g} d: {rms:.4f} m")


def blurred(truth: xr.Dataset, channel: str, every: int, seed: int) -> xr.DataArray:
    """A smooth map of each day: the truth under a Gaussian, with a smooth error (`smooth_maps.MAPS`)."""
    product, field = MAPS[channel], truth[channel]
    step = KM_PER_DEGREE * float(field["latitude"][1] - field["latitude"][0])
    cells = np.array([product.width / step, product.width / step / np.cos(np.radians(38.0))])
    days = []
    for number, day in enumerate(field.values):
        white = generator(f"map of {channel}", number, seed).standard_normal(day.shape)
        error = np.sqrt(4 * np.pi * cells.prod()) * gaussian_filter(white, cells, mode="wrap")
        days.append(gaussian_filter(day, cells, mode="nearest") + product.error * error)
    return field.copy(data=np.array(days))[:, every // 2 :: every, every // 2 :: every]


def clouded(truth: xr.Dataset, seed: int) -> xr.Dataset:
    """Temperature that infrared radiometers see of each day between the clouds, as a GHRSST L3S file has it (K)."""
    grid = truth["thetao"]
    where = {dim: grid[dim].values for dim in ("latitude", "longitude")}
    seen, quality = [], []
    for number, day in enumerate(grid.values):
        rng = generator("clouds", number, seed)
        sky = broken_clouds(Grid(**where), float(np.clip(rng.normal(CLOUD, 0.15), 0.3, 0.97)), rng)
        noise = InstrumentErrors().temperature * rng.standard_normal(day.shape)
        seen.append(np.where(sky, day + noise + KELVIN, np.nan))
        quality.append(np.where(sky, 5, 0).astype("i1"))
    ds = xr.Dataset(coords=grid.coords)
    name = {"standard_name": "sea_surface_skin_temperature", "units": "kelvin"}
    ds["adjusted_sea_surface_temperature"] = (grid.dims, np.array(seen), name)
    ds["quality_level"] = (grid.dims, np.array(quality), {"long_name": "Quality level", "units": "1"})
    return ds


STEPS = {  # of the integers in files
    **dict.fromkeys(("sla_unfiltered", "sla_filtered", "mdt", "adt", "err_sla", "ugos", "vgos"), 1e-3),
    **dict.fromkeys(("adjusted_sea_surface_temperature", "analysed_sst"), 0.01),
    **dict.fromkeys(("eastward_wind", "northward_wind"), 0.02),
    "sos": 2e-3,
}


def write(ds: xr.Dataset, path: Path, title: str, marks: dict[str, int] | None = None) -> None:
    """Write a product as compressed integers; `marks` are attributes that say which data it is of."""
    about = {"Conventions": "CF-1.11", "title": title, "institution": "genda_lite (simulated)"}
    ds = ds.assign_attrs(ds.attrs | (marks or {}) | about | {"history": "written by data_samples/make_twin.py"})
    ds["time"].attrs["units_metadata"] = "leap_seconds: none"
    for name in {"analysed_sst", "adjusted_sea_surface_temperature"} & set(ds):
        ds[name].attrs["units_metadata"] = "temperature: on_scale"
    encoding = {}
    for name, variable in ds.variables.items():
        variable.encoding = {}
        if name in STEPS:
            encoding[name] = packed(STEPS[name], float(np.round(variable.mean(), 2)), effort=9)
        elif variable.dtype.kind == "i":
            encoding[name] = {"compression": "gzip", "compression_opts": 9, "shuffle": True}
        elif name == "time":
            encoding[name] = {"units": "seconds since 2000-01-01", "dtype": "float64", "_FillValue": None}
        else:
            encoding[name] = {"_FillValue": None}
        if variable.size > 1000 and name in ("time", "latitude", "longitude"):
            encoding[name] |= {"compression": "gzip", "compression_opts": 9, "shuffle": True}
    with atomic_path(path) as temporary:
        ds.to_netcdf(temporary, engine="h5netcdf", encoding=encoding)


def make(folder: Path, truth: xr.Dataset, drifters: int, seed: int) -> None:
    """Write all files of the experiment; those of a season say which, so that `verify.protocol` knows them."""
    folder.mkdir(parents=True, exist_ok=True)
    marks = {name: truth.attrs[name] for name in ("seed", "twin", "season") if "season" in truth.attrs}
    save = partial(write, marks=marks)
    year = str(truth["time"].dt.year.values[0])
    tracks = {mission: track(truth, mission, seed) for mission in FLEET}
    for mission, one in tracks.items():
        one = one.assign_coords(latitude=one["latitude"].round(4), longitude=one["longitude"].round(4))
        save(one, folder / f"tracks_{mission}_{year}.nc", f"Simulated along-track sea level of {mission}")
    used = {mission: one for mission, one in tracks.items() if mission != WITHHELD}
    save(mapped_sea_level(truth, used), folder / f"sea_level_{year}.nc", "Sea level mapped from simulated tracks")
    save(clouded(truth, seed), folder / f"temperature_L3_{year}.nc", "Simulated infrared temperature under clouds")
    kelvin = {"standard_name": "sea_surface_foundation_temperature", "units": "kelvin"}
    sst = (blurred(truth, "thetao", 2, seed) + KELVIN).assign_attrs(kelvin)
    save(sst.to_dataset(name="analysed_sst"), folder / f"temperature_L4_{year}.nc", "Simulated smooth temperature")
    sss = blurred(truth, "so", 3, seed).assign_attrs(standard_name="sea_surface_salinity", units="1e-3")
    save(sss.to_dataset(name="sos"), folder / f"salinity_{year}.nc", "Simulated smooth salinity")
    names = {"uas": "eastward_wind", "vas": "northward_wind"}
    wind = {ours: blurred(truth, channel, 3, seed) for channel, ours in names.items()}
    wind = {name: field.assign_attrs(standard_name=name, units="m s-1") for name, field in wind.items()}
    save(xr.Dataset(wind), folder / f"winds_{year}.nc", "Simulated smooth wind")
    write_insitu_csv(DrifterProgramme(drifters, seed).follow(truth), folder / f"drifters_{year}.csv.gz")


def seasons(record: xr.Dataset) -> Iterator[xr.Dataset]:
    """The seasons of a simulated twin, 65-55 W, in memory: `SEASON` days each, `APART` days between."""
    west, east, south, north = BOX
    box = {"latitude": slice(south - 0.01, north + 0.01), "longitude": slice(west - 0.01, east + 0.01)}
    whole = record[list(FIELDS)].isel(member=0).sel(box).reset_coords(drop=True)
    for number, start in enumerate(range(0, whole.sizes["time"] - SEASON + 1, SEASON + APART), 1):
        season = whole.isel(time=slice(start, start + SEASON)).load()
        for variable in season.variables.values():
            variable.encoding = {}
        yield season.assign_attrs(season=number)


def make_seasons(record: Path, drifters: int, seed: int) -> list[Path]:
    """Observe each season of a twin in a folder of its own, beside its truth; one that is there stays as it is."""
    made = []
    with open_product(record) as ds:
        for truth in seasons(ds):
            number = truth.attrs["season"]
            folder = record.with_suffix("") / str(number)
            if not folder.exists():
                unfinished = folder.with_name(f"{number}.part")
                shutil.rmtree(unfinished, ignore_errors=True)
                make(unfinished, truth, drifters, seed + number)
                write_dataset(truth, unfinished / f"truth_{truth['time'].dt.year.values[0]}.nc", QUANTUM)
                unfinished.rename(folder)
            made.append(folder)
    return made


def main(
    folder: Annotated[Path, typer.Option(help="Folder to write.")] = FOLDER,
    drifters: Annotated[int, typer.Option(help="How many; more only add to those there are.")] = 80,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    record: Annotated[
        Path | None, typer.Option(help="Another twin, of `genda simulate --twin`: observe its seasons beside it.")
    ] = None,
    tune: Annotated[bool, typer.Option(help="Try scales of the mapping at the withheld altimeter.")] = False,
) -> None:
    if record is not None:
        for path in make_seasons(record, drifters, seed):
            typer.echo(path)
        return
    truth = load_sample("twin_truth")
    if tune:
        tracks = {mission: track(truth, mission, seed) for mission in FLEET}
        tuned({m: one for m, one in tracks.items() if m != WITHHELD}, tracks[WITHHELD])
        return
    make(folder, truth, drifters, seed)
    if folder == FOLDER:
        write_checksums(FOLDER.parent)
    for path in sorted(folder.iterdir()):
        typer.echo(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    typer.run(main)
