"""From a simulated ocean to a data set: in memory, or streamed to a file by a run that may be interrupted."""

import json
import math
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import h5py
import numpy as np
import xarray as xr
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from tqdm.auto import tqdm

from ..errors import InputError
from ..files import atomic_path, check_folder, packed
from ..state import QUANTUM, TIME, VARIABLES, Grid
from ..version import __version__
from .dynamics import DAY
from .grid import GlorysGrid
from .physics import PARAMETERS, Physics
from .run import FIELDS, NatureRun
from .twins import DESIGNS, Twin

SPIN_UP_DAYS = 150
PART_DAYS = 30  # simulated days held in memory, and between two restart points
EPOCH = np.datetime64("2000-01-01", "ns")  # day zero
# Middle of each variable's 16-bit integers, the same in every part of a file; the others' is zero.
MIDDLE = {"thetao": 15.0, "so": 35.0}


@dataclass(frozen=True)
class Simulation:
    """All that determines a simulated data set.

    Args:
        days: length after the spin-up (d).
        seed: of physics, initial state and weather; the same seed gives the same ocean.
        members: number of independent oceans, integrated together, each with physics drawn from `physics.PARAMETERS`.
        every: keep every so many daily means.
        spin_up: days to discard first.
        twin: simulate one of the twins instead: a single ocean of another kind, see `twins`; True is the old one.
        alike: give every member the same physics, the middle of those ranges, to see what their variety is worth.
        wide: draw from the wide ranges.

    Raises:
        InputError: a length, count or interval below one, a negative spin-up, several members of the twin, or wide
            oceans that are to be a twin or alike.
    """

    days: int
    seed: int = 0
    members: int = 1
    every: int = 1
    spin_up: int = SPIN_UP_DAYS
    twin: Twin | bool = Twin.NONE
    alike: bool = False
    wide: bool = False

    def __post_init__(self):
        for name in ("days", "members", "every"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.spin_up < 0:
            raise InputError(f"spin_up must be at least 0, got {self.spin_up}")
        if self.twin and self.members > 1:
            raise InputError(f"the twin is one ocean, expected members = 1, got {self.members}")
        if self.wide and (self.twin or self.alike):
            raise InputError("wide oceans have physics of their own, expected neither a twin nor oceans alike")

    @property
    def frames(self) -> int:
        return math.ceil(self.days / self.every)

    def run(self, device: str = "cpu", compile: bool = False) -> NatureRun:
        """The oceans on day zero."""
        if self.twin:
            physics, channel, structure = DESIGNS[Twin(self.twin)]
            return NatureRun(physics, self.seed + 1, channel, device, compile=compile, structure=structure)
        if self.alike:
            physics = Physics.middle(self.members)
        else:
            physics = Physics.draw(self.members, self.seed, self.wide)
        return NatureRun(physics, self.seed + 1, device=device, compile=compile)


def advance(run: NatureRun, simulation: Simulation, days: int, bar: tqdm) -> xr.Dataset:
    """Integrate some days; returns the daily means among them that the simulation keeps, float32."""
    grid = GlorysGrid(run.channel)
    shape = (len(run.physics.depth_step), len(FIELDS), *Grid(grid.latitude, grid.longitude).shape)
    stamps, frames = [], []
    for _ in range(days):
        day, means = run.day, run.advance_day()
        since = round(day) - simulation.spin_up
        if since >= 0 and since % simulation.every == 0:
            stamps.append(EPOCH + np.timedelta64(round((day + 0.5) * DAY), "s"))
            frames.append(grid(means).cpu().float().numpy())
        bar.update()
    data = np.stack(frames, 1) if frames else np.empty((shape[0], 0, *shape[1:]), "f4")
    dims = ("member", "time", "latitude", "longitude")
    ds = xr.Dataset(
        {name: (dims, data[:, :, i], dict(VARIABLES[name])) for i, name in enumerate(FIELDS)},
        coords={"member": np.arange(shape[0]), "time": np.array(stamps, "datetime64[ns]")}
        | Grid(grid.latitude, grid.longitude).coordinates(),
    )
    ds["time"].attrs = dict(TIME)
    ds["member"].attrs = {"standard_name": "realization", "units": "1", "long_name": "Simulated ocean"}
    for name, values in run.physics.as_dict().items():
        attrs = {"long_name": PARAMETERS[name].meaning, "units": PARAMETERS[name].units}
        ds[f"physics_{name}"] = ("member", values, attrs)
    ds.attrs = {
        "Conventions": "CF-1.11",
        "title": "Simulated surface ocean like the Gulf Stream extension (daily means)",
        "source": f"genda_lite {__version__} two-layer nature run",
        "history": "simulated by `genda simulate` with the settings below",
        **{name: int(value) for name, value in asdict(simulation).items()},
    }
    if differences := run.model.structure.differences():
        ds.attrs["structure"] = json.dumps(differences)
    return ds


def simulate(
    days: int,
    seed: int = 0,
    members: int = 1,
    every: int = 1,
    spin_up: int = SPIN_UP_DAYS,
    twin: Twin | bool = Twin.NONE,
    alike: bool = False,
    device: str = "cpu",
    compile: bool = False,
    progress: bool = True,
    wide: bool = False,
) -> xr.Dataset:
    """Simulate the surface of Gulf-Stream-like oceans, in memory; arguments and errors as in `Simulation`.

    Returns:
        Daily means, dims (member, time, latitude, longitude), variables `zos` (m), `thetao` (degC), `so` (1e-3),
        `uo`, `vo` (total current of the upper layer and the Ekman layer, m s-1), `uas`, `vas` (m s-1), float32; and
        the physics of each member, `physics_...` (member).
    """
    simulation = Simulation(days, seed, members, every, spin_up, twin, alike, wide)
    total = spin_up + days
    with tqdm(total=total, unit="day", disable=not progress, desc="simulated ocean") as bar:
        return advance(simulation.run(device, compile), simulation, total, bar)


def simulate_to_file(
    path: str | Path, simulation: Simulation, device: str = "cpu", compile: bool = False, progress: bool = True
) -> None:
    """Simulate to a NetCDF file of packed integers, part by part; an interrupted run goes on where it stopped.

    Until it is complete the data lie in the folder `path`.part, with a restart point after every 30 days; memory holds
    one part. The progress bar tells the time left and the file's expected size.

    Raises:
        InputError: the file exists, its folder does not, or the unfinished run was started with other settings.
    """
    path = Path(path)
    if path.exists():
        raise InputError(f"{path}: already exists, remove it to simulate it again")
    check_folder(path)
    folder = path.with_name(path.name + ".part")
    folder.mkdir(exist_ok=True)
    run = simulation.run(device, compile)
    resume(run, folder, simulation)
    total = simulation.spin_up + simulation.days
    with tqdm(total=total, initial=round(run.day), unit="day", disable=not progress, desc=path.name) as bar:
        while (day := round(run.day)) < total:
            part = advance(run, simulation, min(PART_DAYS, total - day), bar)
            if part.sizes["time"]:
                write_part(part, folder / f"{day:06d}.nc")
            save_restart(run, folder, simulation)
            bar.set_postfix_str(forecast(folder, simulation))
    concatenate(sorted(folder.glob("[0-9]*.nc")), path)
    shutil.rmtree(folder)


def settings_of(run: NatureRun, simulation: Simulation) -> dict[str, str]:
    """What an unfinished file and the run that finishes it must have in common: settings, physics, channel,
    structure and fields."""
    return {
        "simulation": json.dumps(asdict(simulation)),
        "physics": json.dumps(run.physics.as_dict()),
        "channel": json.dumps(asdict(run.channel)),
        "structure": json.dumps(run.model.structure.differences()),
        "fields": json.dumps({"fields": " ".join(FIELDS)}),
    }


def save_restart(run: NatureRun, folder: Path, simulation: Simulation) -> None:
    with atomic_path(folder / "restart.safetensors") as temporary:
        save_file(run.state(), temporary, metadata=settings_of(run, simulation))


def resume(run: NatureRun, folder: Path, simulation: Simulation) -> None:
    """Set a run to the restart point of an unfinished file, if there is one."""
    path = folder / "restart.safetensors"
    if not path.exists():
        return
    try:
        with safe_open(path, "pt") as file:
            started = {name: json.loads(text) for name, text in file.metadata().items()}
            state = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, AttributeError, ValueError) as error:
        raise InputError(f"{path}: not a restart file ({error}), remove {folder} to begin anew") from error
    for part, text in settings_of(run, simulation).items():
        for name, value in json.loads(text).items():
            if (before := started.get(part, {}).get(name)) != value:
                raise InputError(
                    f"{folder} holds an unfinished run with {name} = {before}, not {value}; "
                    "finish it with the same settings and version, or remove the folder to begin anew"
                )
    run.restore(state)


def write_part(part: xr.Dataset, path: Path) -> None:
    frame = (1, 1, part.sizes["latitude"], part.sizes["longitude"])  # each frame can be read alone
    encoding = {
        name: packed(QUANTUM[name], MIDDLE.get(name, 0.0), effort=4) | {"chunksizes": frame} for name in FIELDS
    }
    encoding["time"] = {"units": "days since 2000-01-01", "dtype": "f8"}
    with atomic_path(path) as temporary:
        part.to_netcdf(temporary, engine="h5netcdf", encoding=encoding, unlimited_dims=["time"])


def forecast(folder: Path, simulation: Simulation) -> str:
    """Size of the complete file, from the parts that are there."""
    parts = sorted(folder.glob("[0-9]*.nc"))
    if not parts:
        return "spin-up"
    frames = 0
    for part in parts:
        with h5py.File(part) as file:
            frames += len(file["time"])
    size = sum(part.stat().st_size for part in parts) / 1e6
    return f"{size:.0f} of {size * simulation.frames / frames:.0f} MB"


def concatenate(parts: list[Path], path: Path) -> None:
    """Join files along time, one part in memory at a time."""
    with atomic_path(path) as temporary:
        shutil.copyfile(parts[0], temporary)
        with h5py.File(temporary, "r+") as whole:
            for part in parts[1:]:
                with h5py.File(part) as file:
                    more = len(file["time"])
                    for name in ("time", *FIELDS):
                        axis = 0 if name == "time" else 1
                        whole[name].resize(whole[name].shape[axis] + more, axis)
                        whole[name][(slice(None),) * axis + (slice(-more, None),)] = file[name][:]
