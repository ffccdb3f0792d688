"""Oceans of another kind than those a prior is trained on: they stand for the real one.

The *old* twin differs from the training oceans in numbers. The *tuning* and the *sealed* twin differ in structure, too:
a sea floor with ridge and seamounts, other numerical schemes, other laws of stress and mixed layer, another grid. What
is chosen on the one is judged on the other, whose sea floor, grid and numbers are its own.

Why hills, and not a third layer: what a flat two-layer ocean lacks most is a reason to meander here rather than there.
Potential vorticity f/H makes the deep flow follow the contours of the sea floor, and the deep flow steers the jet and
its eddies. In the layer model that is one more term. A third layer would shift vertical modes that the surface hardly
shows.
"""

from enum import IntEnum
from typing import NamedTuple, Self

from ..errors import InputError
from .dynamics import Channel
from .physics import Physics
from .structure import TRAINING, Hill, Structure


class Twin(IntEnum):
    """Which twin a simulation is of, if any; the number is what its file says in the attribute `twin`."""

    NONE = 0
    OLD = 1
    TUNING = 2
    SEALED = 3

    @classmethod
    def named(cls, name: str) -> Self:
        """The twin of a name, in small letters.

        Raises:
            InputError: there is none.
        """
        if name.upper() not in cls.__members__:
            raise InputError(f"there is no twin {name!r}, expected {', '.join(twin.name.lower() for twin in cls)}")
        return cls[name.upper()]


class Design(NamedTuple):
    """All that makes a twin, but for the seed of its weather."""

    physics: Physics
    channel: Channel
    structure: Structure


# A ridge across the jet's path and a seamount upstream of it.
RIDGE = (
    Hill(x=1350e3, y=-30e3, height=1200.0, length=320e3, width=70e3, angle=65.0),
    Hill(x=860e3, y=120e3, height=1000.0, length=50e3, width=50e3),
)
# A chain of seamounts from northwest to southeast, as the New England Seamounts are, on the foot of a continental rise.
CHAIN = (
    Hill(x=760e3, y=240e3, height=1300.0, length=45e3, width=35e3, angle=-40.0),
    Hill(x=890e3, y=130e3, height=1700.0, length=40e3, width=40e3),
    Hill(x=1040e3, y=20e3, height=1500.0, length=50e3, width=35e3, angle=-30.0),
    Hill(x=1210e3, y=-70e3, height=1800.0, length=40e3, width=40e3),
    Hill(x=1400e3, y=-190e3, height=1300.0, length=45e3, width=35e3, angle=-40.0),
    Hill(x=1050e3, y=620e3, height=1400.0, length=420e3, width=150e3),
)


def other_family(hills: tuple[Hill, ...], viscosity: float) -> Structure:
    """The structure that the training oceans lack, over some hills."""
    return Structure(hills, "enstrophy", viscosity, "cubic", "large-yeager", "stratified")


DESIGNS = {
    Twin.OLD: Design(Physics.twin(), Channel.twin(), TRAINING),
    Twin.TUNING: Design(
        Physics.of(
            depth_step=480.0,
            jet_width=28e3,
            jet_centre=20e3,
            mean_depth=430.0,
            deep_fraction=0.03,
            recirculation=0.65,
            inflow_wander=28e3,
            inflow_pulse=0.05,
            reduced_gravity=0.0195,
            bottom_drag=0.7e-7,
            wind_mean=5.8,
            wind_std=8.6,
            wind_sst_coupling=0.050,
            sst_north=11.8,
            sst_south=24.2,
            sst_range_north=4.6,
            sst_range_south=2.6,
            salinity_north=33.7,
            salinity_south=36.6,
            heat_time=45.0,
            salt_time=140.0,
        ),
        Channel(nx=292, ny=192, dx=7e3, dt=1200.0, depth=4000.0),
        other_family(RIDGE, viscosity=5e9),
    ),
    Twin.SEALED: Design(
        Physics.of(
            depth_step=510.0,
            jet_width=29e3,
            jet_centre=-50e3,
            mean_depth=450.0,
            deep_fraction=0.05,
            recirculation=0.60,
            inflow_wander=32e3,
            inflow_pulse=0.04,
            reduced_gravity=0.0185,
            bottom_drag=0.5e-7,
            wind_mean=5.2,
            wind_std=8.9,
            wind_sst_coupling=0.042,
            sst_north=12.4,
            sst_south=23.3,
            sst_range_north=5.0,
            sst_range_south=3.0,
            salinity_north=34.2,
            salinity_south=36.45,
            heat_time=55.0,
            salt_time=180.0,
        ),
        Channel(nx=410, ny=270, dx=5e3, dt=900.0, depth=4200.0),
        other_family(CHAIN, viscosity=2e9),
    ),
}
