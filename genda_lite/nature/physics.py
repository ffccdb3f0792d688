"""The parameters in which simulated oceans differ, and the ranges they are drawn from.

A prior trained on one ocean is overconfident about every other. Each member is therefore an ocean of its own, drawn
from ranges around what is known of the Gulf Stream extension, so that the real one may lie inside.
"""

from dataclasses import dataclass, fields
from typing import Self

import torch
from torch import Tensor

# Range of each parameter; units in Physics. The middle is a plausible Gulf Stream east of 72 W: a sea-level step near
# 1.1 m, a jet of 1.5 m/s, a mean wind speed of 8 m/s, an annual SST range of 9 degC north and 5 degC south of it.
RANGES: dict[str, tuple[float, float]] = {
    "depth_step": (430.0, 560.0),
    "jet_width": (32e3, 44e3),
    "jet_centre": (-90e3, 90e3),
    "mean_depth": (500.0, 560.0),
    "deep_fraction": (0.05, 0.20),
    "recirculation": (0.25, 0.55),
    "reduced_gravity": (0.0165, 0.0210),
    "bottom_drag": (0.5e-7, 2.0e-7),
    "inflow_wander": (30e3, 55e3),
    "inflow_pulse": (0.04, 0.10),
    "wind_mean": (2.5, 5.5),
    "wind_std": (5.8, 7.4),
    "wind_sst_coupling": (0.025, 0.045),
    "sst_north": (11.0, 14.0),
    "sst_south": (21.5, 24.0),
    "sst_range_north": (3.6, 5.2),
    "sst_range_south": (2.2, 3.2),
    "salinity_north": (33.5, 34.6),
    "salinity_south": (36.2, 36.65),
    "heat_time": (30.0, 60.0),
    "salt_time": (100.0, 200.0),
}

# The fraternal twin: stratification, drag, winds and surface properties that no member has.
TWIN: dict[str, float] = {
    "depth_step": 415.0,
    "jet_width": 48e3,
    "jet_centre": 30e3,
    "mean_depth": 590.0,
    "deep_fraction": 0.22,
    "recirculation": 0.60,
    "reduced_gravity": 0.0225,
    "bottom_drag": 2.5e-7,
    "inflow_wander": 60e3,
    "inflow_pulse": 0.08,
    "wind_mean": 4.0,
    "wind_std": 7.6,
    "wind_sst_coupling": 0.035,
    "sst_north": 14.4,
    "sst_south": 24.2,
    "sst_range_north": 4.5,
    "sst_range_south": 2.8,
    "salinity_north": 34.7,
    "salinity_south": 36.7,
    "heat_time": 65.0,
    "salt_time": 150.0,
}


@dataclass(frozen=True)
class Physics:
    """Physical parameters of B oceans; every field is a float64 tensor of shape (B,).

    Args:
        depth_step, jet_width, jet_centre, mean_depth, deep_fraction, recirculation: the inflowing jet (m; the
            last two are ratios), see `dynamics.JetProfile`.
        reduced_gravity: g' between the layers (m s-2).
        bottom_drag: drag rate of the lower layer (s-1).
        inflow_wander, inflow_pulse: standard deviation of the inflow's latitude (m) and relative strength.
        wind_mean, wind_std: mean westerly and standard deviation of each wind component (m s-1).
        wind_sst_coupling: relative change of wind speed per degC of mesoscale SST anomaly.
        sst_north, sst_south: annual-mean SST on the two sides of the inflowing front (degC).
        sst_range_north, sst_range_south: amplitude of their annual cycle (degC).
        salinity_north, salinity_south: salinity on the two sides (psu).
        heat_time, salt_time: restoring times of temperature and salinity (d).
    """

    depth_step: Tensor
    jet_width: Tensor
    jet_centre: Tensor
    mean_depth: Tensor
    deep_fraction: Tensor
    recirculation: Tensor
    reduced_gravity: Tensor
    bottom_drag: Tensor
    inflow_wander: Tensor
    inflow_pulse: Tensor
    wind_mean: Tensor
    wind_std: Tensor
    wind_sst_coupling: Tensor
    sst_north: Tensor
    sst_south: Tensor
    sst_range_north: Tensor
    sst_range_south: Tensor
    salinity_north: Tensor
    salinity_south: Tensor
    heat_time: Tensor
    salt_time: Tensor

    @classmethod
    def draw(cls, members: int, seed: int) -> Self:
        """Draw each parameter of each member uniformly from its range."""
        generator = torch.Generator().manual_seed(seed)
        values = {}
        for name, (low, high) in RANGES.items():
            values[name] = low + (high - low) * torch.rand(members, generator=generator, dtype=torch.float64)
        return cls(**values)

    @classmethod
    def twin(cls) -> Self:
        """The fraternal twin: an ocean that stands for the real one, outside the ranges and inside what seas do."""
        return cls(**{name: torch.tensor([value], dtype=torch.float64) for name, value in TWIN.items()})

    def as_dict(self) -> dict[str, list[float]]:
        """Plain numbers, to record in a file."""
        return {f.name: getattr(self, f.name).tolist() for f in fields(self)}
