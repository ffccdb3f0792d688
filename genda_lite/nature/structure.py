"""How a simulated ocean is built: its sea floor, its numerical schemes, and its laws of wind stress and mixed layer.

The training oceans differ in numbers (`physics`) and share one structure, the default here. A prior that has met no
other may have learned that structure, flat bottom and all. The twins that judge it (`twins`) are built otherwise.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from ..ocean.currents import AIR_DENSITY, SEA_DENSITY, wind_stress


class Hill(NamedTuple):
    """A Gaussian hill on the sea floor; a ridge is a long one.

    Args:
        x, y: of its summit: from the channel's western edge, and north of mid-channel (m).
        height: above the flat floor (m).
        length, width: standard deviations along and across its crest (m).
        angle: of the crest, anticlockwise from east (degrees).
    """

    x: float
    y: float
    height: float
    length: float
    width: float
    angle: float = 0.0


@dataclass(frozen=True)
class Structure:
    """The choices that make a family of oceans; the defaults are those of the training oceans.

    Args:
        hills: on the sea floor; none: flat. They act on the lower layer, whose thickness they take away.
        momentum: "upwind": vorticity and thickness by fifth-order upwind reconstruction, whose error damps the grid
            scale. "enstrophy": Sadourny's scheme (`dynamics.TwoLayerModel.enstrophy_flux`), third-order upwind
            thickness, and `viscosity`.
        viscosity: biharmonic, of the second scheme (m4 s-1).
        tracers: "slopes": limited slopes, second order, both directions at once (`surface.advect`). "cubic": limited
            third-order fluxes, one direction after the other (`surface.advect_cubic`).
        stress: a key of `STRESS`. mixed_layer: a key of `MIXED_LAYER`.
    """

    hills: tuple[Hill, ...] = ()
    momentum: Literal["upwind", "enstrophy"] = "upwind"
    viscosity: float = 0.0
    tracers: Literal["slopes", "cubic"] = "slopes"
    stress: Literal["garratt", "large-yeager"] = "garratt"
    mixed_layer: Literal["wind", "stratified"] = "wind"

    def elevation(self, x: Tensor, y: Tensor, period: float) -> Tensor:
        """Height of the sea floor above its flat part (m), (ny, nx), in a channel of so long a period (m) in x."""
        total = torch.zeros(len(y), len(x), dtype=x.dtype)
        for hill in self.hills:
            angle = math.radians(hill.angle)
            east = (x - hill.x + period / 2) % period - period / 2
            north = (y - hill.y)[:, None]
            along = east * math.cos(angle) + north * math.sin(angle)
            across = north * math.cos(angle) - east * math.sin(angle)
            total = total + hill.height * torch.exp(-0.5 * ((along / hill.length) ** 2 + (across / hill.width) ** 2))
        return total

    def differences(self) -> dict[str, Any]:
        """The choices in which it differs from the training oceans'."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}


TRAINING = Structure()


def large_yeager_stress(wind: Tensor) -> Tensor:
    """Kinematic wind stress (m2 s-2) of a complex wind (m s-1), with the neutral drag coefficient of Large & Yeager
    (2009), eq. 11, s the speed in m/s:

        1000 C_d = 2.70 / s + 0.142 + s / 13.09 - 3.14807e-10 s^6,   2.34 from 33 m/s on

    Above light winds it is less than Garratt's, which `wind_stress` has, by 10 to 20 %, and it levels off in storms.

    Large, W. G. & Yeager, S. G. (2009), The global climatology of an interannually varying air-sea flux data set,
    doi:10.1007/s00382-008-0441-3.
    """
    speed = wind.abs()
    slope = 2.70 + speed * (0.142 + speed / 13.09 - 3.14807e-10 * speed**6)  # 1000 C_d s: finite in a calm
    return AIR_DENSITY / SEA_DENSITY * 1e-3 * torch.where(speed < 33.0, slope, 2.34 * speed) * wind


def wind_depth(wind: Tensor, stress: Tensor, f: Tensor, season: float) -> Tensor:
    """Depth of the Ekman layer (m) that grows with the wind's speed alone: 2.2 s, from 10 to 45 m."""
    return (2.2 * wind.abs()).clamp(10.0, 45.0)


def stratified_depth(wind: Tensor, stress: Tensor, f: Tensor, season: float) -> Tensor:
    """Depth of the mixed layer (m) that the wind stirs against stratification (Pollard, Rhines & Thompson 1973):

        2^(3/4) u_* / sqrt(N f),   N = 0.0055 s-1 exp(season),   from 10 to 150 m

    u_* is the friction velocity in the water. The buoyancy frequency N follows the year, 0.002 s-1 in late winter and
    0.015 s-1 in summer: 10 m/s of wind then mix 50 m and 18 m, as climatology has it south of the Gulf Stream's deepest
    mixed layers (de Boyer Montegut et al. 2004).

    Pollard, R. T., Rhines, P. B. & Thompson, R. O. R. Y. (1973), The deepening of the wind-mixed layer,
    doi:10.1080/03091927208236105.
    de Boyer Montegut, C. et al. (2004), Mixed layer depth over the global ocean, doi:10.1029/2004JC002378.

    Args:
        wind: complex (m s-1). stress: of it, complex and kinematic (m2 s-2). f: planetary vorticity (s-1).
        season: -1 on the coldest day of the year, 1 half a year later.
    """
    frequency = 0.0055 * math.exp(season)
    return (2**0.75 * stress.abs().sqrt() / (frequency * f).sqrt()).clamp(10.0, 150.0)


STRESS: dict[str, Callable[[Tensor], Tensor]] = {"garratt": wind_stress, "large-yeager": large_yeager_stress}
MIXED_LAYER: dict[str, Callable[[Tensor, Tensor, Tensor, float], Tensor]] = {
    "wind": wind_depth,
    "stratified": stratified_depth,
}
