"""The parameters in which simulated oceans differ, and the ranges they are drawn from.

A prior trained on one ocean is overconfident about every other. Each member is therefore an ocean of its own, drawn
from ranges around what is known of the Gulf Stream extension, so that the real one may lie inside.
"""

from dataclasses import fields, make_dataclass
from typing import NamedTuple, Self

import torch
from torch import Tensor


class Parameter(NamedTuple):
    """Members draw it uniformly from low..high; the fraternal twin, which stands for the real ocean, has `twin`."""

    low: float
    high: float
    twin: float
    units: str
    meaning: str


# The middle is a plausible Gulf Stream east of 72 W: a sea-level step near 1 m across the front, a jet of 1.6 m/s, a
# mean wind speed of 8 m/s, an annual SST range of 9 degC north and 5 degC south. The twin lies outside every range,
# inside what real seas do.
PARAMETERS: dict[str, Parameter] = {
    # the inflowing jet, see dynamics.jet
    "depth_step": Parameter(455.0, 545.0, 440.0, "m", "drop of the interface across the inflowing front"),
    "jet_width": Parameter(22e3, 30e3, 32e3, "m", "half-width of that front"),
    "jet_centre": Parameter(-90e3, 90e3, 110e3, "m", "its mean distance north of mid-channel"),
    "mean_depth": Parameter(390.0, 450.0, 465.0, "m", "depth of the interface at the front"),
    "deep_fraction": Parameter(-0.03, 0.08, 0.10, "1", "flow of the lower layer over the shear"),
    "recirculation": Parameter(0.55, 0.85, 0.50, "1", "part of the front's step that the flanks take back"),
    "inflow_wander": Parameter(15e3, 35e3, 40e3, "m", "standard deviation of the inflow's latitude"),
    "inflow_pulse": Parameter(0.02, 0.06, 0.08, "1", "standard deviation of its relative strength"),
    # the water
    "reduced_gravity": Parameter(0.0170, 0.0200, 0.0210, "m s-2", "reduced gravity between the layers"),
    "bottom_drag": Parameter(0.2e-7, 0.9e-7, 1.1e-7, "s-1", "drag rate of the lower layer"),
    # the air
    "wind_mean": Parameter(3.0, 6.0, 6.5, "m s-1", "mean westerly wind"),
    "wind_std": Parameter(7.1, 8.7, 9.0, "m s-1", "standard deviation of each wind component"),
    "wind_sst_coupling": Parameter(0.035, 0.060, 0.066, "degC-1", "relative change of wind with mesoscale SST"),
    # temperature and salinity on both sides of the inflowing front
    "sst_north": Parameter(10.5, 13.5, 13.8, "degC", "annual-mean SST north of the front"),
    "sst_south": Parameter(22.0, 24.5, 24.8, "degC", "annual-mean SST south of it"),
    "sst_range_north": Parameter(3.6, 5.2, 5.5, "degC", "amplitude of the annual cycle in the north"),
    "sst_range_south": Parameter(2.2, 3.2, 3.5, "degC", "amplitude of the annual cycle in the south"),
    "salinity_north": Parameter(33.5, 34.6, 34.8, "1e-3", "salinity north of the front"),
    "salinity_south": Parameter(36.3, 36.7, 36.75, "1e-3", "salinity south of it"),
    "heat_time": Parameter(30.0, 60.0, 65.0, "d", "restoring time of temperature"),
    "salt_time": Parameter(100.0, 200.0, 220.0, "d", "restoring time of salinity"),
}


class Physics(make_dataclass("_Physics", [(name, Tensor) for name in PARAMETERS], frozen=True)):
    """Physical parameters of B oceans, named as in PARAMETERS; every field is a float64 tensor of shape (B,)."""

    @classmethod
    def draw(cls, members: int, seed: int) -> Self:
        """Draw each parameter of each member uniformly from its range."""
        generator = torch.Generator().manual_seed(seed)
        even = (torch.rand(members, generator=generator, dtype=torch.float64) for _ in PARAMETERS)
        return cls(*(p.low + (p.high - p.low) * part for p, part in zip(PARAMETERS.values(), even, strict=True)))

    @classmethod
    def middle(cls, members: int) -> Self:
        """The same for each member: the middle of every range."""
        both = ((p.low + p.high) / 2 for p in PARAMETERS.values())
        return cls(*(torch.full((members,), value, dtype=torch.float64) for value in both))

    @classmethod
    def twin(cls) -> Self:
        """The fraternal twin, one ocean."""
        return cls.of(**{name: p.twin for name, p in PARAMETERS.items()})

    @classmethod
    def of(cls, **values: float) -> Self:
        """One ocean with given values of all parameters."""
        return cls(**{name: torch.tensor([value], dtype=torch.float64) for name, value in values.items()})

    def as_dict(self) -> dict[str, list[float]]:
        """Plain numbers, to record in a file."""
        return {f.name: getattr(self, f.name).tolist() for f in fields(self)}
