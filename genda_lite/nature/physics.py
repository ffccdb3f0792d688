"""The parameters in which simulated oceans differ, and the ranges they are drawn from.

A prior trained on one ocean is overconfident about every other. Each member is therefore an ocean of its own. The
*old* ranges lie around what is known of the Gulf Stream extension. The *wide* ones (`Physics.draw(wide=True)`) hold
what western boundary currents do in other places, seasons and years. Each says on which real figure it rests. Where we
found none it says that it is chosen, and where a real figure lies outside, by how much. What single parameters may be,
all of them together may not: a draw that breaks one of `LIMITS` is drawn again.

Sources, by the names in `PARAMETERS`:

Tai, C.-K. (1990), Estimating the surface transport of meandering oceanic jet streams from satellite altimetry,
J. Phys. Oceanogr. 20, 860-879.

Hallock, Z. R. & Teague, W. J. (1995), On the meridional surface profile of the Gulf Stream at 55 W,
J. Geophys. Res. 100(C7), 13615-13624.

Boebel, O. et al. (2003), Path and variability of the Agulhas Return Current, Deep-Sea Res. II 50, 35-56.

Tracey, K. L. & Watts, D. R. (1986), On Gulf Stream meander characteristics near Cape Hatteras, J. Geophys. Res.
91(C6), 7587-7602, doi:10.1029/JC091iC06p07587.

Kelly, K. A., Singh, S. & Huang, R. X. (1999), Seasonal variations of sea surface height in the Gulf Stream region,
doi:10.1175/1520-0485(1999)029<0313:SVOSSH>2.0.CO;2.

Schmitz, W. J. (1980), Weakly depth-dependent segments of the North Atlantic circulation, J. Mar. Res. 38, 111-133.

Richardson, P. L. & Knauss, J. A. (1971), Gulf Stream and Western Boundary Undercurrent observations at Cape Hatteras,
Deep-Sea Res. 18, 1089-1109.

Pickart, R. S. & Watts, D. R. (1993), Gulf Stream meanders over steep topography, J. Geophys. Res. 98(C4), 6895-6905.

Belkin, I. M. & Gordon, A. L. (1996), Southern Ocean fronts from the Greenwich meridian to Tasmania, J. Geophys. Res.
101(C2), 3675-3696.

Mizuno, K. & White, W. B. (1983), Annual and interannual variability in the Kuroshio Current System, J. Phys. Oceanogr.
13, 1847-1867.

Seidov, D. et al. (2019), Resilience of the Gulf Stream path on decadal and longer timescales,
doi:10.1038/s41598-019-48011-9.

O'Neill, L. W., Chelton, D. B. & Esbensen, S. K. (2010), The effects of SST-induced surface wind speed and direction
gradients on midlatitude surface vorticity and divergence, J. Climate 23, 255-281.

Linder, C. A. & Gawarkiewicz, G. (1998), A climatology of the shelfbreak front in the Middle Atlantic Bight,
J. Geophys. Res. 103, 18405-18423.

Wright, W. R. & Parker, C. E. (1976), A volumetric temperature/salinity census for the Middle Atlantic Bight, Limnol.
Oceanogr. 21, 563-571.

Park, S., Deser, C. & Alexander, M. A. (2005), Estimation of the surface heat flux response to sea surface temperature
anomalies over the global oceans, J. Climate 18, 4582-4599.

Hausmann, U., Czaja, A. & Marshall, J. (2017), Mechanisms controlling the SST air-sea heat flux feedback and its
dependence on spatial scale, doi:10.1007/s00382-016-3142-3.

Grodsky, S. A., Bentamy, A., Carton, J. A. & Pinker, R. T. (2009), Intraseasonal latent heat flux based on satellite
observations, doi:10.1175/2009JCLI2901.1.

Tsujino, H. et al. (2020), Evaluation of global ocean-sea-ice model simulations based on the experimental protocols of
the Ocean Model Intercomparison Project phase 2 (OMIP-2), doi:10.5194/gmd-13-3643-2020.

Leetmaa, A. (1977), Effects of the winter of 1976-1977 on the northwestern Sargasso Sea,
doi:10.1126/science.198.4313.188.

Chen, S. (2008), The Kuroshio Extension front from satellite sea surface temperature measurements,
doi:10.1007/s10872-008-0073-6.

DUACS, OSTIA, ERA5: measured by us in a map of sea level (23 February 2019), one of temperature (5 June 2017; Gulf
Stream, Kuroshio, Agulhas, Brazil-Malvinas) and two fields of the air over the sea (0 h on 1 January 2012 and 2013,
33-50 N, 50-0 W).
"""

from collections.abc import Callable, Mapping
from dataclasses import fields, make_dataclass
from typing import NamedTuple, Self

import torch
from torch import Tensor

from ..ocean.currents import GRAVITY


class Parameter(NamedTuple):
    """Members draw it uniformly from low..high, or, if they are to be wide, from `wide`; the old twin has `twin`.

    Where low and high are the same, only wide oceans differ in it. `source`: the real figure that `wide` rests on.
    """

    low: float
    high: float
    twin: float
    units: str
    meaning: str
    wide: tuple[float, float]
    source: str


# The middle is a plausible Gulf Stream east of 72 W: a sea-level step near 1 m across the front, a jet of 1.6 m/s, a
# mean wind speed of 8 m/s, an annual SST range of 9 degC north and 5 degC south. The old twin lies outside every old
# range in which old oceans differ, inside what real seas do: and so inside the wide ranges.
PARAMETERS: dict[str, Parameter] = {
    # the inflowing jet, see dynamics.jet
    "depth_step": Parameter(
        455.0, 545.0, 440.0, "m", "drop of the interface across the inflowing front",
        (400.0, 660.0), "the 12 degC isotherm drops by 657 m at 55 W (Hallock & Teague 1995)",
    ),
    "jet_width": Parameter(
        22e3, 30e3, 32e3, "m", "half-width of that front",
        (20e3, 42e3), "a core of 70 km (Boebel et al. 2003); 190 km between zeros (Hallock & Teague 1995)",
    ),
    "jet_centre": Parameter(
        -90e3, 90e3, 110e3, "m", "its mean distance north of mid-channel",
        (-150e3, 150e3), "the fastest current of a day is at 37.6 to 41.1 N between 72 and 50 W (DUACS)",
    ),
    "mean_depth": Parameter(
        390.0, 450.0, 465.0, "m", "depth of the interface at the front",
        (380.0, 540.0), "half of the drop below what the north keeps, see `LIMITS`. Across the Agulhas Front 10 degC "
        "sinks from 300 to 800 m, farther east from 400 to 650 m (Belkin & Gordon 1996): 550 and 525 m midway. 12 "
        "degC at 300 m marks the Kuroshio (Mizuno & White 1983), 80 m above the range",
    ),
    "deep_fraction": Parameter(
        -0.03, 0.08, 0.10, "1", "flow of the lower layer over the shear",
        (-0.05, 0.12), "deep means of 0.06 to 0.10 m/s of either sign (Schmitz 1980) under 0.84 m/s",
    ),
    "recirculation": Parameter(
        0.55, 0.85, 0.50, "1", "part of the front's step that the flanks take back",
        (0.45, 0.90), "63 Sv at Cape Hatteras (Richardson & Knauss 1971), 150 Sv near 60 W (Pickart & Watts 1993)",
    ),
    "inflow_wander": Parameter(
        15e3, 35e3, 40e3, "m", "standard deviation of the inflow's latitude",
        (10e3, 45e3), "the path's range grows from 10 to 145 km over 375 km (Tracey & Watts 1986)",
    ),
    "inflow_pulse": Parameter(
        0.02, 0.06, 0.08, "1", "standard deviation of its relative strength",
        (0.02, 0.10), "the step has a seasonal range of 0.14 m (Kelly et al. 1999), and others besides",
    ),
    # the water
    "reduced_gravity": Parameter(
        0.0170, 0.0200, 0.0210, "m s-2", "reduced gravity between the layers",
        (0.0130, 0.0230), "0.87 m of sea level for 657 m of thermocline (Hallock & Teague 1995) make 0.0130",
    ),
    "bottom_drag": Parameter(
        0.2e-7, 0.9e-7, 1.1e-7, "s-1", "drag rate of the lower layer",
        (0.2e-7, 1.3e-7), "a drag coefficient of 1 to 3e-3 times 0.06 to 0.13 m/s over 3,000 m",
    ),
    # the air
    "wind_mean": Parameter(
        3.0, 6.0, 6.5, "m s-1", "mean westerly wind",
        (2.0, 7.0), "6.0 m/s in winter (ERA5); summers are calmer, the Southern Ocean windier",
    ),
    "wind_std": Parameter(
        7.1, 8.7, 9.0, "m s-1", "standard deviation of each wind component",
        (6.3, 9.5), "chosen: daily winds then have 6 to 10 m/s on average, real ones in winter 9.2 m/s (ERA5); "
        "a component varies over their box by 4 to 7 m/s only, over a simulated one in winter by 7 to 12",
    ),
    "wind_sst_coupling": Parameter(
        0.035, 0.060, 0.066, "degC-1", "relative change of wind with mesoscale SST",
        (0.025, 0.070), "1 to 2 m/s for 2 to 4 degC (O'Neill et al. 2010), in 8 m/s",
    ),
    # temperature and salinity on both sides of the inflowing front
    "sst_north": Parameter(
        10.5, 13.5, 13.8, "degC", "annual-mean SST north of the front",
        (8.0, 15.5), "5.6 to 17.7 degC on the cold side in June (OSTIA)",
    ),
    "sst_south": Parameter(
        22.0, 24.5, 24.8, "degC", "annual-mean SST south of it",
        (20.0, 25.5), "20.2 to 24.5 degC on the warm side of the Gulf Stream in June (OSTIA)",
    ),
    "sst_range_north": Parameter(
        3.6, 5.2, 5.5, "degC", "amplitude of the annual cycle in the north",
        (2.8, 6.8), "a contrast of shelf and slope of 2 to 6 degC with the season (Linder & Gawarkiewicz 1998)",
    ),
    "sst_range_south": Parameter(
        2.2, 3.2, 3.5, "degC", "amplitude of the annual cycle in the south",
        (1.8, 4.2), "chosen, in most draws less than the north's, for real fronts are strongest in winter (Chen 2008); "
        "with the north's, 6 to 11 degC from winter to summer, the range of `verify.realism`",
    ),
    "salinity_north": Parameter(
        33.5, 34.6, 34.8, "1e-3", "salinity north of the front",
        (32.8, 35.3), "33.6 divides coastal from shelf water, 35 shelf from slope water (Wright & Parker 1976)",
    ),
    "salinity_south": Parameter(
        36.3, 36.7, 36.75, "1e-3", "salinity south of it",
        (36.0, 36.85), "1.5 to 2 from shelf to slope (Linder & Gawarkiewicz 1998), and the Sargasso Sea beyond",
    ),
    "heat_time": Parameter(
        30.0, 60.0, 65.0, "d", "restoring time of temperature",
        (20.0, 150.0), "feedbacks of 40 W/m2/K (Hausmann et al. 2017), half to 1.3 of it, over 20 to 125 m",
    ),
    "salt_time": Parameter(
        100.0, 200.0, 220.0, "d", "restoring time of salinity",
        (60.0, 400.0), "chosen, for the air does not damp salinity. A model of OMIP restores 50 m in 300 d (BLOM; "
        "Tsujino et al. 2020): 10 to 67 m in 60 to 400 d, but the 20 to 125 m of `heat_time` in 120 to 750 d",
    ),
    # what oceans of the old width have in common
    "front_width": Parameter(
        30e3, 30e3, 30e3, "m", "half-width of the inflowing front in temperature and salinity",
        (12e3, 45e3), "above 10 degC in 100 km (Chen 2008); half-widths of 39 to 84 km on a map of 1/4 degree (OSTIA)",
    ),
    "core_warmth": Parameter(
        2.2, 2.2, 2.2, "degC", "warmth of the jet's core over the water south of it",
        (0.5, 3.2), "up to 2.7 degC above the water 2 to 3 degrees equatorward (OSTIA)",
    ),
    "heat_weather": Parameter(
        2.0, 2.0, 2.0, "degC", "standard deviation, over 400 km, of the temperature that the air restores to",
        (1.0, 3.0), "30 to 50 W/m2 of latent heat within 3 months (Grodsky et al. 2009) over 20 to 40 W/m2/K make 0.8 "
        "to 2.5 degC, and sensible heat adds; air less sea, smoothed alike, varies by 1.1 and 1.7 degC (ERA5)",
    ),
    "salt_weather": Parameter(
        0.5, 0.5, 0.5, "1e-3", "the same of salinity, over 250 km",
        (0.25, 0.9), "half to twice: shelf water, fresher by 1.5 to 2, is drawn off the shelf (Linder & Gawarkiewicz)",
    ),
    "winter_mixing": Parameter(
        0.0, 0.0, 0.0, "1", "logarithm by which temperature is restored more slowly in late winter than on average",
        (-0.25, 0.60), "33 and 9 W/m2/K in winter and summer (Park et al. 2005) over 60 to 300 m and 25 m of "
        "mixed layer, which has reached 550 m (Leetmaa 1977)",
    ),
}  # fmt: skip
NEUTRAL = {name: p.low for name, p in PARAMETERS.items() if p.low == p.high}
CORIOLIS = 9.0e-5  # s-1, at mid-channel


class Limit(NamedTuple):
    """What a wide ocean's parameters may make together: `of` them, from low to high."""

    low: float
    high: float
    units: str
    of: Callable[[Mapping[str, float]], float]
    source: str


LIMITS: dict[str, Limit] = {
    # Corners of 1.28 m with 2.5 m/s, and of 1.30 m with a drag of 0.27e-7 s-1, were stable, but no sea: sea level
    # varied by 0.64 m in both, where real boxes have up to 0.44 m (DUACS). Hence the upper ends of step and speed.
    "sea-level step": Limit(
        0.65, 1.2, "m",
        lambda p: p["reduced_gravity"] * p["depth_step"] / GRAVITY,
        "0.68 to 1.30 m along Gulf Stream and Kuroshio Extension (Tai 1990)",
    ),
    # Inflows of 1.0 to 1.2 m/s were stable, but weaker seas than real ones: vorticity of 0.09 to 0.10 f rms, where real
    # boxes have 0.14 to 0.16 (DUACS, Mercator). Hence the lower end.
    "speed of the inflow": Limit(
        1.2, 2.2, "m s-1",
        lambda p: p["reduced_gravity"] * p["depth_step"] / (2 * p["jet_width"] * CORIOLIS),
        "1.1 to 2.1 m/s (Boebel et al. 2003); a jet widens as soon as it meanders",
    ),
    "upper layer in the north": Limit(
        100.0, 320.0, "m",
        lambda p: p["mean_depth"] - 0.5 * p["depth_step"] * (1 + p["inflow_pulse"]),
        "15 degC lies at 200 m at the Gulf Stream's north wall (Seidov et al. 2019), 10 degC at 300 to 400 m on the "
        "shallow side of the Agulhas Front (Belkin & Gordon 1996), up to 80 m below the range. 100 m is chosen: with "
        "less, meanders would lay the lower layer bare",
    ),
    "contrast of temperature": Limit(
        5.5, 14.5, "degC",
        lambda p: p["sst_south"] - p["sst_north"],
        "4.6 to 14.5 degC within 3 degrees across the Gulf Stream and the Agulhas (OSTIA)",
    ),
    "contrast of salinity": Limit(
        0.9, 3.6, "1e-3",
        lambda p: p["salinity_south"] - p["salinity_north"],
        "1.5 to 2 at the shelf break alone (Linder & Gawarkiewicz 1998)",
    ),
}  # fmt: skip


class Physics(make_dataclass("_Physics", [(name, Tensor) for name in PARAMETERS], frozen=True)):
    """Physical parameters of B oceans, named as in PARAMETERS; every field is a float64 tensor of shape (B,)."""

    @classmethod
    def draw(cls, members: int, seed: int, wide: bool = False) -> Self:
        """Draw each parameter of each member uniformly from its range, or its wide one, within `LIMITS`."""
        generator = torch.Generator().manual_seed(seed)
        if wide:
            kept = []
            while len(kept) < members:
                even = torch.rand(len(PARAMETERS), generator=generator, dtype=torch.float64).tolist()
                ranges = zip(PARAMETERS.items(), even, strict=True)
                one = {name: p.wide[0] + (p.wide[1] - p.wide[0]) * part for (name, p), part in ranges}
                if within_limits(one):
                    kept.append(one)
            return cls(**{name: torch.tensor([o[name] for o in kept], dtype=torch.float64) for name in PARAMETERS})
        even = (torch.rand(members, generator=generator, dtype=torch.float64) for _ in PARAMETERS)
        return cls(*(p.low + (p.high - p.low) * part for p, part in zip(PARAMETERS.values(), even, strict=True)))

    @classmethod
    def middle(cls, members: int) -> Self:
        """The same for each member: the middle of every range."""
        both = ((p.low + p.high) / 2 for p in PARAMETERS.values())
        return cls(*(torch.full((members,), value, dtype=torch.float64) for value in both))

    @classmethod
    def twin(cls) -> Self:
        """The old twin, one ocean."""
        return cls.of(**{name: p.twin for name, p in PARAMETERS.items()})

    @classmethod
    def of(cls, **values: float) -> Self:
        """One ocean with given values of all parameters, but for those that oceans of the old width have in common."""
        return cls(**{k: torch.tensor([v], dtype=torch.float64) for k, v in (NEUTRAL | values).items()})

    def as_dict(self) -> dict[str, list[float]]:
        """Plain numbers, to record in a file."""
        return {f.name: getattr(self, f.name).tolist() for f in fields(self)}


def within_limits(values: Mapping[str, float]) -> bool:
    """Whether the parameters of one ocean keep to all of `LIMITS`."""
    return all(limit.low <= limit.of(values) <= limit.high for limit in LIMITS.values())
