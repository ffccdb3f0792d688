"""Maps of the surface ocean: one field, an ensemble beside its observations, one state at a glance.

Figures are 9 inches wide, so that at 100 dots an inch they fill a page 900 pixels wide with legible type.
"""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import cartopy.crs as ccrs
import cmocean.cm as cmo
import matplotlib.pyplot as plt
import numpy as np
import shapely
import xarray as xr
from cartopy.mpl.geoaxes import GeoAxes
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..errors import InputError
from ..ocean.currents import relative_vorticity
from ..state import TABLE, VARIABLES

WIDTH = 9.0  # inches
FONT = {"font.size": 9, "axes.titlesize": 10, "axes.titlepad": 5, "figure.titlesize": 12}
TICKS = 8  # points
_LAND, _MISSING = "0.72", "0.92"
_PLATE = ccrs.PlateCarree()
_UNITS = {"degC": "°C", "1e-3": "psu", "m s-1": "m s$^{-1}$", "1": ""}


class Style(NamedTuple):
    """How a variable is coloured; `centre` is the neutral value of a diverging map: a number, or "median"."""

    colormap: Colormap
    centre: float | str | None = None


STYLES = {name: Style(getattr(cmo, channel.colours), channel.neutral) for name, channel in TABLE.items()} | {
    "speed": Style(cmo.speed),
    "vorticity": Style(cmo.curl, 0.0),
    "wind_speed": Style(cmo.tempo),
    "spread": Style(cmo.amp),
}
_DEFAULT = Style(cmo.dense)


def plot_map(
    field: xr.DataArray,
    ax: GeoAxes | None = None,
    colormap: str | Colormap | None = None,
    vmin: float | None = None,
    vmax: float | None = None,
    title: str | None = None,
    label: str | None = None,
    colorbar: bool = True,
    degrees: tuple[str, ...] = ("left", "bottom"),
) -> GeoAxes:
    """Draw a field on a map with land, degrees and a colour bar with units.

    A degree of longitude is drawn as long as it is, against one of latitude, at the map's middle. Nothing is
    downloaded: the land is Natural Earth's, kept with the package.

    Args:
        field: dims (latitude, longitude), in degrees, ascending; NaN (land, clouds) is drawn light grey. Its
            name, and the attributes `long_name` and `units`, choose the colours and write the labels.
        ax: axes with a PlateCarree projection, by default in a new figure.
        colormap: in place of the variable's own.
        vmin, vmax: limits of the colours, by default those of `color_limits`.
        title: by default `long_name`.
        label: of the colour bar; by default the units.
        colorbar: whether to draw one.
        degrees: the sides at which degrees are written.
    Returns:
        the axes.
    Raises:
        InputError: the field has other dimensions or no value at all, or the axes no projection.
    """
    if set(field.dims) != {"latitude", "longitude"}:
        raise InputError(f"a map needs dimensions (latitude, longitude), the field has {field.dims}")
    if ax is not None and not isinstance(ax, GeoAxes):
        raise InputError(
            "a map needs axes with a projection, as from plt.axes(projection=ccrs.PlateCarree())"
        )
    field = field.transpose("latitude", "longitude")
    style = STYLES.get(field.name, _DEFAULT)
    low, high = color_limits(field, style)
    mesh = {
        "vmin": low if vmin is None else vmin,
        "vmax": high if vmax is None else vmax,
        "cmap": style.colormap if colormap is None else colormap,
    }
    with plt.rc_context(FONT):
        if ax is None:
            ax = _map_figure(field, 1, 1)[1][0]
        drawn = ax.pcolormesh(
            field.longitude, field.latitude, field, shading="nearest", transform=_PLATE, **mesh
        )
        _furnish(ax, field, title if title is not None else _name(field), degrees)
        if colorbar:
            add_colorbar(drawn, ax, _units(field) if label is None else label, field.values)
    return ax


def plot_maps(
    fields: Sequence[xr.DataArray],
    titles: Sequence[str],
    columns: int = 2,
    contours: Sequence[xr.DataArray] | None = None,
    heading: str | None = None,
    **options,
) -> Figure:
    """Several fields on one grid side by side.

    Args:
        fields: each with dims (latitude, longitude), see `plot_map`.
        titles: one for each field.
        columns: how many stand in a row.
        contours: one for each field, sea level (m) to draw over it as lines every 20 cm.
        heading: over all panels.
        options: of `plot_map`, the same for all; with `vmin` and `vmax` the fields share their colours.
    Raises:
        InputError: another number of titles or contours than of fields, or see `plot_map`.
    """
    if len(titles) != len(fields) or (contours is not None and len(contours) != len(fields)):
        raise InputError(f"{len(fields)} fields need as many titles and contours, got {len(titles)} titles")
    with plt.rc_context(FONT):
        figure, axes = _map_figure(fields[0], len(fields), columns, heading)
        for index, (field, title, ax) in enumerate(zip(fields, titles, axes, strict=True)):
            degrees = _outer_sides(index, len(fields), columns)
            plot_map(field, ax, title=title, degrees=degrees, **options)
            if contours is not None:
                _plot_contours(ax, contours[index])
    return figure


def plot_analysis(
    analysis: xr.Dataset,
    observations: xr.Dataset | None = None,
    channel: str = "zos",
    members: int = 2,
) -> Figure:
    """One channel of an ensemble analysis: what was observed, the mean, the spread, and some of the members.

    Observations, mean and members share their colours; the spread starts at zero.

    Args:
        analysis: dims (member, latitude, longitude), at least two members, with the variable `channel`.
        observations: dims (point,): `value`, and coordinates `latitude`, `longitude`, `channel` (names); the
            points of this channel are drawn. None leaves the panel out.
        channel: which variable.
        members: how many members to show.
    Raises:
        InputError: the channel or the members are missing.
    """
    if channel not in analysis:
        raise InputError(f"the analysis has no variable '{channel}', it has {list(analysis.data_vars)}")
    ensemble = analysis[channel]
    if ensemble.sizes.get("member", 0) < 2:
        raise InputError(f"'{channel}' has dimensions {dict(ensemble.sizes)}, expected two or more members")
    with xr.set_options(keep_attrs=True):
        mean, deviation = ensemble.mean("member"), ensemble.std("member", ddof=1).rename("spread")
    low, high = color_limits(ensemble, STYLES.get(channel, _DEFAULT))
    shared = {"vmin": low, "vmax": high}

    shown = ensemble.isel(member=slice(members))
    panels = 2 + shown.sizes["member"] + (observations is not None)
    columns = panels if panels <= 3 else 2 if panels == 4 else 3
    with plt.rc_context(FONT):
        figure, axes = _map_figure(mean, panels, columns, heading=_name(ensemble))
        if observations is not None:
            points = observations.isel(point=np.flatnonzero(observations.channel.values == channel))
            _plot_points(axes[0], points, mean, degrees=_outer_sides(0, panels, columns), **shared)
        maps = [(mean, "Ensemble mean", shared), (deviation, "Ensemble spread", {"vmin": 0.0})]
        maps += [
            (member, f"Member {n}", shared) for n, member in enumerate(shown.transpose("member", ...), 1)
        ]
        for index, (field, title, limits) in enumerate(maps, panels - len(maps)):
            plot_map(field, axes[index], title=title, degrees=_outer_sides(index, panels, columns), **limits)
    return figure


def plot_state(frame: xr.Dataset) -> Figure:
    """One surface state at a glance: a panel for each of the quantities it holds.

    Sea level; temperature with contours of sea level every 20 cm; salinity; with the currents `uo`, `vo`,
    their speed and their relative vorticity over f; with the wind `uas`, `vas`, its speed and direction.

    Args:
        frame: dims (latitude, longitude), any of the variables `zos` (m), `thetao` (degC), `so` (1e-3), `uo`,
            `vo`, `uas`, `vas` (m s-1).
    Raises:
        InputError: none of the variables is there.
    """
    fields = [frame[name] for name in ("zos", "thetao", "so") if name in frame]
    if "uo" in frame and "vo" in frame:
        fields.append(_named(np.hypot(frame.uo, frame.vo), "speed", "Surface current speed", "m s-1"))
        fields.append(relative_vorticity(frame.uo, frame.vo))
    if "uas" in frame and "vas" in frame:
        fields.append(_named(np.hypot(frame.uas, frame.vas), "wind_speed", "Wind at 10 m", "m s-1"))
    if not fields:
        raise InputError(f"nothing to show: the state has variables {', '.join(map(str, frame.data_vars))}")
    columns = min(len(fields), 2 if len(fields) == 4 else 3)
    with plt.rc_context(FONT):
        figure, axes = _map_figure(fields[0], len(fields), columns)
        for index, (field, ax) in enumerate(zip(fields, axes, strict=True)):
            low = 0.0 if field.name in ("speed", "wind_speed") else None
            plot_map(field, ax, vmin=low, degrees=_outer_sides(index, len(fields), columns))
            if field.name == "thetao" and "zos" in frame:
                _plot_contours(ax, frame.zos)
            if field.name == "wind_speed":
                _plot_arrows(ax, frame.uas, frame.vas)
    return figure


def color_limits(field: xr.DataArray, style: Style) -> tuple[float, float]:
    """Limits that leave out the outer 1 % at each end, symmetric about the centre of a diverging map.

    Raises:
        InputError: the field has no finite value.
    """
    values = field.values[np.isfinite(field.values)]
    if not values.size:
        raise InputError(f"nothing to draw: '{field.name}' has no finite value")
    low, high = np.percentile(values, (1, 99))
    if style.centre is not None:
        centre = np.median(values) if style.centre == "median" else style.centre
        reach = max(high - centre, centre - low)
        low, high = centre - reach, centre + reach
    return (float(low), float(high)) if high > low else (float(low) - 0.5, float(low) + 0.5)


def add_colorbar(drawn: ScalarMappable, ax: Axes, label: str, values: np.ndarray) -> None:
    """A colour bar exactly as high as the axes, pointed where values lie beyond its limits."""
    low, high = drawn.get_clim()
    extend = {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}
    below, above = bool((values < low).any()), bool((values > high).any())
    cax = ax.inset_axes([1.03, 0.0, 0.045, 1.0])
    bar = ax.figure.colorbar(drawn, cax=cax, extend=extend[below, above], extendfrac=0.04)
    bar.locator = MaxNLocator(6)
    bar.update_ticks()
    bar.outline.set_linewidth(0.6)
    # Units above the bar leave the width to the map.
    cax.set_title(label, fontsize=TICKS, loc="left", pad=4)
    cax.tick_params(labelsize=TICKS, width=0.6, length=2.5)


@cache
def land() -> shapely.Geometry:
    """Land of the North Atlantic and its shores (100W-40E, 0-70N): Natural Earth 1:50m, public domain."""
    collection = shapely.from_geojson((files("genda_lite.show") / "land.geojson").read_text())
    shapely.prepare(collection)
    return collection


def _map_figure(
    field: xr.DataArray, panels: int, columns: int, heading: str | None = None
) -> tuple[Figure, list[GeoAxes]]:
    """A figure of so many panels, as high as maps of this shape need."""
    rows = -(-panels // columns)
    height, width = (np.ptp(field[name].values) for name in ("latitude", "longitude"))
    aspect = height / (width * np.cos(np.deg2rad(float(field.latitude.mean()))))
    width = WIDTH if columns > 1 else 0.7 * WIDTH
    panel = 0.77 * width / columns * aspect  # the rest of the width goes to colour bars and degrees
    # Inches for titles, degrees below the last row, those below a row that is longer than the next, and the
    # heading.
    text = 0.3 * rows + 0.3 + 0.2 * (panels % columns > 0) + 0.3 * (heading is not None)
    figure = plt.figure(figsize=(width, rows * panel + text), layout="compressed")
    figure.get_layout_engine().set(w_pad=0.06, h_pad=0.06, wspace=0.02, hspace=0.02)
    if heading is not None:
        figure.suptitle(heading)
    grid = figure.add_gridspec(rows, columns)
    axes = [figure.add_subplot(grid[divmod(i, columns)], projection=_PLATE) for i in range(panels)]
    return figure, axes


def _furnish(ax: GeoAxes, field: xr.DataArray, title: str, degrees: tuple[str, ...]) -> None:
    """Extent, aspect, land, graticule and title."""
    latitude, longitude = field.latitude.values, field.longitude.values
    half = [np.abs(np.diff(axis)).mean() / 2 if axis.size > 1 else 0.5 for axis in (longitude, latitude)]
    extent = [
        longitude.min() - half[0],
        longitude.max() + half[0],
        latitude.min() - half[1],
        latitude.max() + half[1],
    ]
    ax.set_extent(extent, crs=_PLATE)
    ax.set_aspect(1.0 / np.cos(np.deg2rad(latitude.mean())))
    ax.set_facecolor(_MISSING)
    ax.add_geometries(
        [shapely.intersection(land(), shapely.box(extent[0], extent[2], extent[1], extent[3]).buffer(1.0))],
        crs=_PLATE,
        facecolor=_LAND,
        edgecolor="0.35",
        linewidth=0.6,
        zorder=2,
    )
    lines = ax.gridlines(draw_labels=list(degrees), linewidth=0.4, color="0.2", alpha=0.35, zorder=3)
    lines.xlocator = lines.ylocator = MaxNLocator(5, steps=[1, 2, 5, 10])
    lines.xlabel_style = lines.ylabel_style = {"size": TICKS}
    ax.spines["geo"].set_linewidth(0.6)
    ax.set_title(title)


def _outer_sides(index: int, panels: int, columns: int) -> tuple[str, ...]:
    """The sides of a panel at which no neighbour writes the degrees for it."""
    left, lowest = index % columns == 0, index + columns >= panels
    return ("left",) * left + ("bottom",) * lowest


def _plot_points(
    ax: GeoAxes, points: xr.Dataset, field: xr.DataArray, degrees: tuple[str, ...], **limits
) -> None:
    """Observed values as dots in the colours of the field, on its extent."""
    _furnish(ax, field, f"Observations ({points.sizes['point']})", degrees)
    colormap = STYLES.get(field.name, _DEFAULT).colormap
    # Thousands of swath pixels want small dots, a few track points larger ones.
    size = np.clip(6000.0 / max(points.sizes["point"], 1), 2.0, 14.0)
    drawn = ax.scatter(
        points.longitude,
        points.latitude,
        size,
        points.value,
        cmap=colormap,
        transform=_PLATE,
        linewidths=0,
        **limits,
    )
    add_colorbar(drawn, ax, _units(field), points.value.values)


def _plot_contours(ax: GeoAxes, zos: xr.DataArray) -> None:
    """Lines of sea level, every 20 cm."""
    zos = zos.transpose("latitude", "longitude")
    levels = np.arange(np.floor(zos.min() / 0.2), np.ceil(zos.max() / 0.2) + 1) * 0.2
    line = {"colors": "w", "linewidths": 0.6, "linestyles": "solid"}
    ax.contour(zos.longitude, zos.latitude, zos, levels, transform=_PLATE, **line)


def _plot_arrows(ax: GeoAxes, u: xr.DataArray, v: xr.DataArray, across: int = 10) -> None:
    """Arrows of a vector field on every so many points."""
    step = max(1, u.sizes["longitude"] // across)
    thin = {"latitude": slice(step // 2, None, step), "longitude": slice(step // 2, None, step)}
    u, v = (w.transpose("latitude", "longitude").isel(thin) for w in (u, v))
    # White with a dark edge shows on any colour.
    arrows = {"color": "w", "edgecolor": "0.1", "linewidth": 0.5, "width": 0.007, "pivot": "mid", "zorder": 4}
    ax.quiver(u.longitude.values, u.latitude.values, u.values, v.values, transform=_PLATE, **arrows)


def _named(field: xr.DataArray, name: str, long_name: str, units: str) -> xr.DataArray:
    field = field.rename(name)
    field.attrs = {"long_name": long_name, "units": units}
    return field


def _name(field: xr.DataArray) -> str:
    return (
        field.attrs.get("long_name")
        or VARIABLES.get(field.name, {}).get("long_name")
        or str(field.name or "")
    )


def _units(field: xr.DataArray) -> str:
    units = field.attrs.get("units") or VARIABLES.get(field.name, {}).get("units", "")
    return _UNITS.get(units, units)
