"""Commands that get data: `genda simulate`, `genda prepare`, `genda download`."""

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError
from .common import NETCDF, SEEDS, Box, check_places, counted
from .results import print_table

Source = Annotated[str, typer.Option(help="copernicus (a free account) or open (servers without accounts).")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask before it starts.")]


def simulate(
    days: Annotated[int, typer.Option(help="Days to keep after the spin-up.")],
    out: Annotated[Path, typer.Option(help="NetCDF file to write.")],
    seed: Annotated[int, typer.Option(max=SEEDS, help="Seed of physics, initial state and weather.")] = 0,
    members: Annotated[int, typer.Option(help="Independent oceans, integrated together.")] = 1,
    every: Annotated[int, typer.Option(help="Keep one of so many daily means.")] = 1,
    spin_up: Annotated[int, typer.Option(help="Days to discard first.")] = 150,
    twin: Annotated[str, typer.Option(help="old, tuning or sealed: one ocean, unlike any member.")] = "none",
    alike: Annotated[bool, typer.Option(help="The same physics for every member.")] = False,
    wide: Annotated[bool, typer.Option(help="Draw physics from the wide ranges.")] = False,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    compile: Annotated[bool, typer.Option(help="Fuse the time step (needs a C++ compiler; twice as fast).")] = False,
) -> None:
    """Simulate Gulf-Stream-like oceans and write their surface as a GLORYS-like data set.

    Interrupted, the same command goes on where it stopped.
    """
    from ..nature import Simulation, Twin, simulate_to_file
    from ..processors import chosen_device

    check_places(out, suffixes=NETCDF)
    device = chosen_device(device)
    simulation = Simulation(days, seed, members, every, spin_up, Twin.named(twin), alike, wide)
    simulate_to_file(out, simulation, device, compile)
    size = out.stat().st_size / 1e6
    made = f"{counted(simulation.frames, 'daily mean')} of {counted(members, 'ocean')}"
    typer.echo(f"{out}: {made}, seed {seed}, {size:.1f} MB")


def prepare(
    inputs: Annotated[list[Path], typer.Argument(help="A simulated ocean, or an ocean and its wind: files, folders.")],
    out: Annotated[Path, typer.Argument(help="State to write: Zarr, or NetCDF if it ends in .nc.")],
    like: Annotated[
        Path | None, typer.Option(help="Take climatology and Ekman response of this prepared state (for validation).")
    ] = None,
    per_point: Annotated[bool, typer.Option(help="One Ekman response for each point, not for each latitude.")] = False,
    scheduler: Annotated[str | None, typer.Option(help="Address of a dask.distributed scheduler.")] = None,
) -> None:
    """Turn years of ocean and wind into the state that priors are trained on, in blocks of days."""
    from ..prepare import prepare as run
    from ..prepare import stored_response, stored_standardizer, write_state
    from ..sources import open_product, read_reanalysis
    from ..sources.files import ZARR_FILES, listed
    from ..verify.protocol import refuse_test

    older = () if out.suffix == ".nc" else ZARR_FILES
    check_places(out, read=[*inputs, like], suffixes=("", ".zarr", ".nc"), older=older)
    inputs = listed(inputs)
    refuse_test(inputs)
    with ExitStack() as stack:
        if scheduler is not None:
            from distributed import Client

            stack.enter_context(Client(scheduler))
        standardizer, ekman = None, "point" if per_point else "latitude"
        if like is not None:
            model = stack.enter_context(open_product(like))
            standardizer, ekman = stored_standardizer(model), stored_response(model) if per_point else "latitude"
        ds = read_reanalysis(inputs)
        state, standardizer = run(ds, standardizer, ekman)
        write_state(state, standardizer, out)
    typer.echo(f"{out}: {ds.sizes['time']} days on {ds.sizes['latitude']} x {ds.sizes['longitude']} points")
    for name in ("depth_m", "missing_days", "missing_from", "days_without_wind"):
        if ds.attrs.get(name):
            typer.echo(f"{name}: {ds.attrs[name]}")


def download_ose(
    year: Annotated[int, typer.Option(help="The year to fetch.")],
    folder: Annotated[Path, typer.Option(help="Folder to write to; what is there already is kept.")] = Path("ose"),
    box: Box = (-67.0, -53.0, 31.0, 45.0),
    source: Source = "copernicus",
    yes: Yes = False,
) -> None:
    """Fetch all for an experiment against drifters: tracks, maps, temperature, salinity, winds, drifters, SWOT.

    Log in first: `copernicusmarine login`, and for SWOT (from 2023) with an Earthdata account. Or take `--source open`:
    it needs no account, and has maps of sea level, temperature and salinity, winds and drifters, but no tracks.
    Interrupted, the same command goes on.
    """
    from ..sources.download import plan_ose, tables

    tables(source)
    folder.mkdir(parents=True, exist_ok=True)
    fetch_pieces(folder, plan_ose(folder, year, source), box, yes)


def download_training(
    start: Annotated[str, typer.Option(help="The first day, such as 2010-01-01.")],
    end: Annotated[str, typer.Option(help="The last day.")],
    folder: Annotated[Path, typer.Option(help="Folder to write to; what is there already is kept.")] = Path("training"),
    box: Box = (-70.0, -40.0, 25.0, 45.0),
    source: Source = "copernicus",
    yes: Yes = False,
) -> None:
    """Fetch a reanalysis of the ocean and its winds, for `genda prepare`: GLORYS12, or HYCOM by `--source open`.

    For GLORYS12 log in first: `copernicusmarine login`. HYCOM (1994 to 2015) and its winds (CCMP) need no account.
    Interrupted, the same command goes on.
    """
    from ..sources.download import plan_training

    pieces = plan_training(folder, start, end, box, source)
    folder.mkdir(parents=True, exist_ok=True)
    fetch_pieces(folder, pieces, box, yes)


def fetch_pieces(folder: Path, pieces: list, box: tuple[float, float, float, float], yes: bool) -> None:
    """Say how much is still to be fetched, ask, and fetch it."""
    from ..sources.download import fetch, sizes

    left = sizes(pieces, box)
    if not left:
        typer.echo(f"{folder}: all {len(pieces)} pieces are there")
        return
    table = {piece.name: piece.subset for piece in pieces}
    print_table(
        [
            {
                "what": name,
                "dataset": table[name].dataset,
                "variables": ", ".join(table[name].variables),
                "pieces": str(count),
                "MB, about": "unknown" if size is None else f"{size:,.0f}",
            }
            for name, (count, size) in left.items()
        ]
    )
    total = sum(size for _, size in left.values() if size is not None)
    typer.echo(f"{total:,.0f} MB or more to {folder}, box {box}; {sum(p.is_there for p in pieces)} pieces are there")
    if not yes:
        typer.confirm("Fetch them?", abort=True)
    try:
        for piece, found in fetch(pieces, box):
            typer.echo(f"{piece.path}" if found else f"{piece.name}, {piece.begin:%B %Y}: the service has none")
    except InputError:
        raise
    except Exception as error:  # clients fail in ways of their own: no connection, no account
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"the download stopped ({reason}); the same command goes on from here") from error
