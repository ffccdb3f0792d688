"""Small files of each product, spoilt in ways that happen to files, and what readers make of them.

Run as a program it reads what it is asked to and judges it: by one process that lives long (`Judge` has it), so that a
file that hangs or kills it is known. Every value that is read must be the truth at the place and time it claims; no
more may be missing than was spoilt.
"""

import json
import queue
import subprocess
import sys
import threading
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import small
import xarray as xr

FILLS = (9.96921e36, 1e20, -9999.0, 2147483647.0, -1e34, np.inf)
OUTCOMES = RIGHT, REFUSED, WRONG, TRACEBACK, HANG = "read right", "refused", "silently wrong", "traceback", "hang"
GOOD = (RIGHT, REFUSED)
SOON = 10.0  # s of the processor that a reader may take
SILENCE = 300.0  # s without an answer, after which the process is taken to hang: the machine may be busy


@dataclass
class Mutant:
    """A data set on its way to a file. `lost`: how many numbers were spoilt, or None if any may be missing."""

    ds: xr.Dataset
    product: small.Product
    random: np.random.Generator
    lost: int | None = 0
    group: str = "/"
    netcdf3: bool = False

    def named(self, kind: str) -> str:
        """A coordinate's name in the file."""
        short = {"latitude": "lat", "longitude": "lon", "time": "time"}[kind]
        return next(str(name) for name in self.ds.variables if str(name).lower().startswith(short))

    @property
    def value(self) -> str:
        """The name of some channel's variable."""
        return str(self.random.choice(list(self.product.channels.values())))

    def put(self, name: str, values, dims=None, **attrs) -> None:
        """Replace a variable, its attributes kept."""
        old = self.ds[name].variable
        new = xr.Variable(old.dims if dims is None else dims, values, old.attrs | attrs, old.encoding)
        self.ds = self.ds.drop_vars(name).assign({name: new})

    def spoil(self, name: str, value: float, count: int = 2) -> None:
        """Put a value into a variable in a few places."""
        if "scale_factor" in self.ds[name].attrs:
            raise ValueError("it is packed")
        values = self.ds[name].values.astype("f8").copy()
        some = self.random.choice(values.size, min(count, values.size), replace=False)
        values.ravel()[some] = value
        self.put(name, values)
        axis = values.ndim == 1 and set(self.ds.dims) - {name} and any(name in v.dims for v in self.ds.values())
        self.lost = None if axis or self.lost is None else self.lost + len(some)

    def pack(self, name: str, step: float, fill: int | None, **attrs) -> None:
        """Values as 16-bit integers."""
        values = self.ds[name].values
        if "scale_factor" in self.ds[name].attrs:
            raise ValueError("it is packed")
        good = np.abs(values) < 1e3
        middle = float(values[good].mean())
        if np.abs(values[good] - middle).max() > 32000 * step:
            raise ValueError("16 bits do not hold them")
        packed = np.where(good, np.rint((np.where(good, values, middle) - middle) / step), fill or -32768).astype("i2")
        self.put(name, packed, scale_factor=step, add_offset=middle, **attrs)
        self.ds[name].encoding["_FillValue"] = fill if fill is None else np.int16(fill)


def reversed_along(mutant: Mutant, kind: str) -> None:
    dims = mutant.ds[mutant.named(kind)].dims
    mutant.ds = mutant.ds.isel({dims[0 if kind != "longitude" else -1]: slice(None, None, -1)})


def repeated(mutant: Mutant) -> None:
    dim = mutant.ds[mutant.named("latitude")].dims[0]
    mutant.ds = mutant.ds.isel({dim: [*range(mutant.ds.sizes[dim]), mutant.ds.sizes[dim] - 1]})
    mutant.lost = None


def another_calendar(mutant: Mutant) -> None:
    name = mutant.named("time")
    mutant.put(name, mutant.ds[name].values, calendar=str(mutant.random.choice(["noleap", "360_day", "julian?"])))


def other_time_units(mutant: Mutant) -> None:
    name = mutant.named("time")
    seconds = (mutant.ds[name].values - 20000.0) * 86400.0  # since 2004-10-04
    units = "seconds since 2004-10-04 00:00:00"
    mutant.put(name, np.rint(seconds * 10) / 10, units=units, calendar="gregorian")


def scalar_time(mutant: Mutant) -> None:
    name = mutant.named("time")
    dim = mutant.ds[name].dims[0]
    if len(mutant.ds[mutant.value].dims) > 2 and mutant.ds.sizes[dim] == 1:
        mutant.ds = mutant.ds.isel({dim: 0})


def rescaled(mutant: Mutant) -> None:
    for name in mutant.product.channels.values():
        if {"scale_factor", "valid_min"} & {*mutant.ds[name].attrs}:
            raise ValueError("its numbers are in other units already, or its range")
        units = mutant.ds[name].attrs["units"]
        other = {"m": ("cm", 100.0), "kelvin": ("celsius", 1.0), "m s-1": ("cm/s", 100.0), "m/s": ("cm s-1", 100.0)}
        if units in other:
            shift = -273.15 if units == "kelvin" else 0.0
            mutant.put(name, (mutant.ds[name].values + shift) * other[units][1], units=other[units][0])


def other_longitudes(mutant: Mutant) -> None:
    name = mutant.named("longitude")
    values = mutant.ds[name].values
    mutant.put(name, np.where(np.abs(values) < 720, values % 360, values))  # a fill value stays one


def stated_range(mutant: Mutant) -> None:
    name = mutant.value
    values = mutant.ds[name].values
    low, high = float(values.min()) - 1.0, float(values.max()) + 1.0
    if mutant.random.random() < 0.5:
        ends = [("valid_min", np.int16(-20000)), ("valid_max", np.int16(20000))]
        mutant.pack(name, 0.001, -32767, **dict(ends[slice(*[(0, 2), (0, 1), (1, 2)][mutant.random.integers(3)])]))
    else:
        mutant.put(name, values, valid_min=low, valid_max=high)
        mutant.spoil(name, high + 0.5)


def bare_integers(mutant: Mutant) -> None:
    """No fill value is declared, and the least integer is there all the same."""
    name = mutant.value
    mutant.pack(name, 1e-4, None)
    values = mutant.ds[name].values.copy()
    values.ravel()[mutant.random.integers(values.size)] = -32768
    mutant.put(name, values)
    mutant.lost = None if mutant.lost is None else mutant.lost + 1


def no_flags(mutant: Mutant) -> None:
    for name in ("mask", "quality_flag", "EWCT_QC"):
        if name in mutant.ds:
            mutant.put(name, np.full(mutant.ds[name].shape, 127, np.int8))
            mutant.ds[name].encoding["_FillValue"] = np.int8(127)


def odd_attribute(mutant: Mutant) -> None:
    key, value = [
        ("scale_factor", "one"), ("_FillValue", "none"), ("coordinates", "nowhere"), ("valid_range", "wide"),
        ("missing_value", np.array([1e20, -999.0])), ("units", 7), ("valid_min", np.nan), ("add_offset", np.inf),
        ("scale_factor", 0.0), ("units", ""), ("standard_name", np.arange(3)), ("_Unsigned", "maybe"),
    ][mutant.random.integers(12)]  # fmt: skip
    name = str(mutant.random.choice(list(mutant.ds.variables)))
    if key != "_FillValue":  # the writer's own
        mutant.ds[name].attrs[key] = value
    mutant.lost = None


def extra_dimension(mutant: Mutant) -> None:
    name = mutant.value
    mutant.put(name, mutant.ds[name].values[..., None], (*mutant.ds[name].dims, "one"))


def cut_short(mutant: Mutant, size: int) -> None:
    dim = mutant.ds[mutant.named("latitude")].dims[0]
    mutant.ds, mutant.lost = mutant.ds.isel({dim: slice(0, size)}), None


def without(mutant: Mutant, name: str) -> None:
    mutant.ds = mutant.ds.drop_vars(name, errors="ignore")


def in_single_precision(mutant: Mutant) -> None:
    for name in [*mutant.product.channels.values(), mutant.named("latitude"), mutant.named("longitude")]:
        mutant.put(name, mutant.ds[name].values.astype("f4"))


def transposed(mutant: Mutant) -> None:
    name = mutant.value
    mutant.put(name, mutant.ds[name].values.T, mutant.ds[name].dims[::-1])


def renamed(mutant: Mutant, kind: str, name: str) -> None:
    mutant.ds = mutant.ds.rename({mutant.named(kind): name})


def unneeded(mutant: Mutant, units: str) -> None:
    mutant.ds["tau"] = ((), 0.0, {"units": units})


def attribute(mutant: Mutant, value) -> None:
    mutant.ds.attrs["title"] = value


def in_group(mutant: Mutant) -> None:
    mutant.group = "data_01"


def older_format(mutant: Mutant) -> None:
    mutant.netcdf3 = True


MUTATIONS: dict[str, Callable[[Mutant], None]] = {
    "nothing": lambda m: None,
    "NaN among values": lambda m: m.spoil(m.value, np.nan),
    "fill values among values": lambda m: m.spoil(m.value, m.random.choice(FILLS)),
    "fill values among latitudes": lambda m: m.spoil(m.named("latitude"), m.random.choice([*FILLS, 999.0, np.nan])),
    "fill values among longitudes": lambda m: m.spoil(m.named("longitude"), m.random.choice([*FILLS, 999.0, np.nan])),
    "fill values among times": lambda m: m.spoil(m.named("time"), m.random.choice([*FILLS, np.nan])),
    "a range is stated": stated_range,
    "packed": lambda m: m.pack(m.value, 1e-4, -32767),
    "packed, no fill value declared": bare_integers,
    "single precision": in_single_precision,
    "other units": rescaled,
    "units missing": lambda m: m.put(n := m.value, m.ds[n].values) or m.ds[n].attrs.pop("units", None),
    "other longitudes": other_longitudes,
    "latitudes reversed": lambda m: reversed_along(m, "latitude"),
    "longitudes reversed": lambda m: reversed_along(m, "longitude"),
    "a row twice": repeated,
    "one row": lambda m: cut_short(m, 1),
    "no row": lambda m: cut_short(m, 0),
    "transposed": transposed,
    "a dimension of size one": extra_dimension,
    "latitude renamed": lambda m: renamed(m, "latitude", "Lat"),
    "longitude renamed": lambda m: renamed(m, "longitude", "position_x"),
    "time renamed": lambda m: renamed(m, "time", "JULD"),
    "other units of time": other_time_units,
    "another calendar": another_calendar,
    "scalar time": scalar_time,
    "no time": lambda m: without(m, m.named("time")),
    "no latitude": lambda m: without(m, m.named("latitude")),
    "a channel missing": lambda m: without(m, m.value),
    "an unneeded time": lambda m: unneeded(m, "hours since analysis"),
    "flags missing": no_flags,
    "an odd attribute": odd_attribute,
    "Latin-1": lambda m: attribute(m, np.bytes_(b"\xe9t\xe9")),
    "in a group": in_group,
    "NetCDF-3": older_format,
}
DAMAGES: dict[str, Callable[[bytearray, np.random.Generator], bytes]] = {
    "whole": lambda b, r: bytes(b),
    "truncated": lambda b, r: bytes(b[: r.integers(len(b))]),
    "bytes flipped": lambda b, r: _flipped(b, r, 1 + r.integers(8)),
    "a block of zeros": lambda b, r: _block(b, r, 64, bytes),
    "a block of noise": lambda b, r: _block(b, r, 32, r.bytes),
    "bytes inserted": lambda b, r: bytes(b[: (at := r.integers(len(b)))]) + r.bytes(7) + bytes(b[at:]),
    "bytes appended": lambda b, r: bytes(b) + r.bytes(100),
}


def _flipped(content: bytearray, random: np.random.Generator, count: int) -> bytes:
    for at in random.integers(len(content), size=count):
        content[at] ^= 1 << random.integers(8)
    return bytes(content)


def _block(content: bytearray, random: np.random.Generator, size: int, filling: Callable) -> bytes:
    at = int(random.integers(len(content)))
    content[at : at + size] = filling(len(content[at : at + size]))
    return bytes(content)


def drawn(number: int) -> tuple[str, list[str], str, int]:
    """The mutant of a number: product, one or two ways, damage to the bytes of every other one, seed."""
    random = np.random.default_rng(number)
    ways = random.choice(sorted(MUTATIONS), 1 + random.integers(2), replace=False)
    damage = random.choice(sorted(DAMAGES)) if random.random() < 0.5 else "whole"
    return str(random.choice(sorted(small.PRODUCTS))), ways.tolist(), str(damage), int(random.integers(2**32))


def make(path: Path, name: str, mutations: list[str], damage: str, seed: int) -> int | None:
    """Write a mutant; returns how many values may be missing, None for any number."""
    random = np.random.default_rng(seed)
    product = small.PRODUCTS[name]
    west = float(random.choice([small.WEST, 298.0, 179.3, -0.4, 10.0]))
    mutant = Mutant(product.make(west=west), product, random)
    for mutation in mutations:
        try:
            MUTATIONS[mutation](mutant)
        except (KeyError, StopIteration, ValueError, TypeError, IndexError):
            mutant.lost = None  # what it would spoil is gone already
    if mutant.netcdf3:
        for variable in mutant.ds.variables.values():
            variable.encoding = {"_FillValue": variable.encoding.get("_FillValue")}
        mutant.ds.attrs = {key: str(value) for key, value in mutant.ds.attrs.items()}
        mutant.ds.drop_vars([n for n in mutant.ds.variables if mutant.ds[n].dtype == np.uint8]).to_netcdf(
            path, engine="scipy"
        )
    else:
        small.write(mutant.ds, path, mutant.group)
    if damage != "whole":
        path.write_bytes(DAMAGES[damage](bytearray(path.read_bytes()), random))
        if mutant.netcdf3:  # without a checksum a flipped bit is another value
            return -1
        return None
    return mutant.lost


def judge(path: Path, name: str, lost: int | None) -> tuple[str, str]:
    """Read a mutant, and say what came out: one of the outcomes, and the details."""
    from genda_lite.errors import InputError

    product = small.PRODUCTS[name]
    before, start = sorted(path.parent.iterdir()), time.process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = product.read(path).compute()
    except InputError as error:
        told = str(error)
        return (REFUSED, told) if "\n" not in told and sorted(path.parent.iterdir()) == before else (WRONG, told)
    except Exception:
        return TRACEBACK, traceback.format_exc()
    if (used := time.process_time() - start) > SOON:
        return HANG, f"{used:.0f} s of the processor"
    if lost == -1:
        return RIGHT, "no checksum"
    if found.sizes.get("point", found.sizes.get("obs", 1)) and (fault := _fault(found, product, lost)):
        return WRONG, fault
    found.to_netcdf(path.with_name("again.nc"), engine="h5netcdf")  # what was read can be written
    path.with_name("again.nc").unlink()
    return RIGHT, ""


def _fault(found: xr.Dataset, product: small.Product, lost: int | None) -> str:
    latitude, longitude = found["latitude"], found["longitude"]
    if latitude.min() < 35.9 or latitude.max() > 40.1 or longitude.min() < -180 or longitude.max() >= 180:
        return f"places from {float(latitude.min())} N to {float(latitude.max())} N"
    if "time" in found.coords and product.dated:
        times = found["time"].values.ravel()
        away = np.abs(times[~np.isnat(times)] - small.NOON)
        if (away > np.timedelta64(3, "D")).any():
            return f"times up to {away.max()} from the day"
    for channel in [channel for channel in product.channels if channel in found]:
        names = {"u": "uo", "v": "vo", "ugos": "uo", "vgos": "vo"}
        off = np.abs(found[channel] - small.sea(names.get(channel, channel), latitude, longitude))
        if float(off.max()) > 2e-3:
            return f"{channel} is off by {float(off.max()):.4g}"
        if lost is not None:
            shape = product.make()[product.channels[channel]].size
            missing = shape - int(found[channel].notnull().sum())
            if missing > lost:
                return f"{missing} of {shape} values of {channel} are missing, where {lost} were spoilt"
    return ""


def serve() -> None:
    """Judge each mutant that is asked for, line by line."""
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        path, name, mutations, damage, seed = json.loads(line)
        try:
            answer = judge(Path(path), name, make(Path(path), name, mutations, damage, seed))
        except Exception:
            answer = "unmade", traceback.format_exc()
        print(json.dumps(answer), flush=True)


class Judge:
    """A process that makes, reads and judges mutants; a new one in the place of one that hangs or dies.

    Args:
        folder: an empty one, where each mutant is written and removed again.
    """

    def __init__(self, folder: Path):
        self.folder, self.outcomes, self.process = folder, Counter(), None

    def _start(self) -> None:
        options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
        self.process, self.said = subprocess.Popen([sys.executable, __file__], **options), queue.SimpleQueue()

        def listen(process, said):
            for line in process.stdout:
                said.put(json.loads(line))
            said.put((TRACEBACK, "the process died"))

        threading.Thread(target=listen, args=(self.process, self.said), daemon=True).start()
        assert self.said.get(timeout=SILENCE) == "ready"

    def __call__(self, name: str, mutations: list[str], damage: str, seed: int) -> tuple[str, str]:
        """One of the outcomes, and the details."""
        if self.process is None or self.process.poll() is not None:
            self._start()
        path = self.folder / "mutant.nc"
        self.process.stdin.write(json.dumps([str(path), name, mutations, damage, seed]) + "\n")
        self.process.stdin.flush()
        try:
            outcome, told = self.said.get(timeout=SILENCE)
        except queue.Empty:
            outcome, told = HANG, f"nothing after {SILENCE:g} s"
            self.process.kill()
        left = sorted(file.name for file in self.folder.iterdir())
        if left not in ([], [path.name]):
            outcome, told = WRONG, f"{', '.join(left)} left behind"
        path.unlink(missing_ok=True)
        self.outcomes[outcome] += 1
        return outcome, told

    def end(self) -> None:
        if self.process is not None:
            self.process.kill()


if __name__ == "__main__":
    serve()
