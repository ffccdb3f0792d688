"""Which data sets training and an experiment against drifters need: identifiers, variables, depths and readers.

Identifiers are those of the Copernicus Marine Data Store and, for SWOT, of NASA Earthdata, which both want an account
(free); or of open servers, which want none. SWOT's L3, which `read_swath` reads as well, is not there: AVISO
distributes it, with a client and an account of its own.
"""

from typing import NamedTuple


class Subset(NamedTuple):
    """What is fetched of a dataset.

    Args:
        dataset: its identifier. variables: those wanted. depths: the least and greatest (m).
        margin: how far beyond the box (degrees).
        kind: how. Of Copernicus: "subset" (a NetCDF file cut to the box), "table" (a CSV file cut to the box), "files"
            (the provider's global files); of NASA: "granules" (files that touch the box, of which `variables` names the
            kind); of open servers: "griddap" and "tabledap" (ERDDAP's), and "opendap".
        years: the first and the last that it covers, None for to this day.
        reader: the function of `genda_lite.sources` that reads it.
        server: the address of an open one; in it, and in `dataset`, `{year}` stands for the year.
        spacing: degrees between cells. stride: of these every so many are fetched.
        hours: of the first value of a day, and between two.
    """

    dataset: str
    variables: tuple[str, ...]
    depths: tuple[float, float] | None = None
    margin: float = 0.0
    kind: str = "subset"
    years: tuple[int, int | None] = (1993, None)
    reader: str = "read_reanalysis"
    server: str = ""
    spacing: float = 0.25
    stride: int = 1
    hours: tuple[int, int] = (0, 24)


# GLORYS12V1 (GLOBAL_MULTIYEAR_PHY_001_030): 1/12 degree, daily means from 1993; its levels include 0.49 and 15.81 m.
# The wind (WIND_GLO_PHY_L4_MY_012_006): 1/8 degree, hourly from January 2007, ERA5 corrected by scatterometers.
_WINDS = Subset(
    "cmems_obs-wind_glo_phy_my_l4_0.125deg_PT1H",
    ("eastward_wind", "northward_wind"),
    margin=0.5,
    years=(2007, None),
    reader="read_winds",
)
SUBSETS = {
    "surface": Subset("cmems_mod_glo_phy_my_0.083deg_P1D-m", ("zos", "thetao", "so"), (0.0, 1.0)),
    "currents": Subset("cmems_mod_glo_phy_my_0.083deg_P1D-m", ("uo", "vo"), (15.0, 16.0)),
    "winds": _WINDS,
}

# Altimeters and the years in which they flew, each orbit under a name of its own (g: geodetic or drifting, n: new).
MISSIONS: dict[str, tuple[int, int | None]] = {
    "j1n": (2009, 2012),
    "j1g": (2012, 2013),
    "enn": (2010, 2012),
    "j2": (2008, 2016),
    "j2n": (2016, 2017),
    "j2g": (2017, 2019),
    "c2": (2010, 2020),
    "c2n": (2020, None),
    "al": (2013, 2016),
    "alg": (2016, None),
    "h2a": (2014, 2016),
    "h2ag": (2016, 2020),
    "h2b": (2019, None),
    "j3": (2016, 2022),
    "j3n": (2022, None),
    "s3a": (2016, None),
    "s3b": (2018, None),
    "s6a-lr": (2020, None),
    "swon": (2023, None),
}

# Tracks: SEALEVEL_GLO_PHY_L3_MY_008_062, 1 Hz. Sea level: SEALEVEL_GLO_PHY_L4_MY_008_047. Temperature between clouds:
# SST_GLO_PHY_L3S_MY_010_039; analysed: OSTIA, SST_GLO_SST_L4_REP_OBSERVATIONS_010_011. Salinity:
# MULTIOBS_GLO_PHY_S_SURFACE_MYNRT_015_013. Drifters, hourly: INSITU_GLO_PHY_UV_DISCRETE_MY_013_044.
OSE = {
    **{
        f"tracks {mission}": Subset(
            f"cmems_obs-sl_glo_phy-ssh_my_{mission}-l3-duacs_PT1S",
            ("sla_unfiltered", "sla_filtered", "mdt"),
            kind="files",
            years=years,
            reader="read_tracks",
        )
        for mission, years in MISSIONS.items()
    },
    "sea level": Subset(
        "cmems_obs-sl_glo_phy-ssh_my_allsat-l4-duacs-0.125deg_P1D",
        ("adt", "ugos", "vgos", "err_sla"),
        margin=0.5,
        reader="read_sea_level_map",
    ),
    "temperature L3": Subset(
        "cmems_obs-sst_glo_phy_my_l3s_P1D-m",
        ("adjusted_sea_surface_temperature", "quality_level"),
        reader="read_temperature",
    ),
    "temperature L4": Subset(
        "METOFFICE-GLO-SST-L4-REP-OBS-SST",
        ("analysed_sst", "analysis_error", "mask"),
        margin=0.5,
        reader="read_temperature",
    ),
    "salinity": Subset(
        "cmems_obs-mob_glo_phy-sss_my_multi_P1D", ("sos", "sos_error"), margin=0.5, reader="read_salinity"
    ),
    "winds": _WINDS,
    "drifters": Subset(
        "cmems_obs-ins_glo_phy-cur_my_drifter_PT1H", ("EWCT", "NSCT"), kind="table", reader="read_drifters"
    ),
    "swath": Subset("SWOT_L2_LR_SSH_D", ("Expert",), kind="granules", years=(2023, None), reader="read_swath"),
}

# The same without an account. What servers have, and under which names, was taken from their pages and from programs
# that read them; of the sea level's datasets, one a year, only that of 2019 has been seen.
_PFEG, _AOML = "https://coastwatch.pfeg.noaa.gov/erddap", "https://erddap.aoml.noaa.gov"
_HYCOM = Subset(  # GOFS 3.1 reanalysis, 1/12 degree, every three hours; levels at 0 and 15 m
    "GLBv0.08/expt_53.X/data/{year}",
    ("surf_el", "water_temp", "salinity", "water_u", "water_v"),
    kind="opendap",
    years=(1994, 2015),
    server="https://tds.hycom.org/thredds/dodsC",
    spacing=0.08,
)
_CCMP = Subset(  # version 3.1: ERA5 corrected by satellites
    "ccmp_31_LonPM180",
    ("uwnd", "vwnd"),
    margin=0.5,
    kind="griddap",
    years=(1993, 2023),
    reader="read_winds",
    server=_PFEG,
    hours=(0, 6),
)
OPEN_SUBSETS = {"hycom": _HYCOM, "winds": _CCMP}
OPEN_OSE = {
    "sea level": Subset(  # DUACS, as Copernicus has it
        "SEA_SURFACE_HEIGHT_{year}_v3",
        ("adt", "ugos", "vgos"),
        margin=0.5,
        kind="griddap",
        reader="read_sea_level_map",
        server=f"{_AOML}/hdb/erddap",
    ),
    "temperature L4": Subset(  # MUR, thinned to 1/20 degree
        "jplMURSST41",
        ("analysed_sst", "analysis_error", "mask"),
        margin=0.5,
        kind="griddap",
        years=(2002, None),
        reader="read_temperature",
        server=_PFEG,
        spacing=0.01,
        stride=5,
        hours=(9, 24),
    ),
    "salinity": Subset(  # SMOS, BEC's L4, thinned to 1/4 degree
        "SMOS_SSS_L4_V2020",
        ("sss",),
        margin=0.5,
        kind="griddap",
        years=(2011, 2021),
        reader="read_salinity",
        server="https://erddap.emodnet-physics.eu/erddap",
        spacing=0.05,
        stride=5,
    ),
    "winds": _CCMP,
    "drifters": Subset(  # the Global Drifter Program's, hourly
        "drifter_hourly_qc",
        ("ID", "time", "latitude", "longitude", "ve", "vn", "drogue_lost_date"),
        kind="tabledap",
        years=(1987, 2022),
        reader="read_drifters",
        server=f"{_AOML}/gdp/erddap",
    ),
}
SOURCES = {"copernicus": (SUBSETS, OSE), "open": (OPEN_SUBSETS, OPEN_OSE)}  # for training, for experiments


def of_year(year: int, table: dict[str, Subset] = OSE) -> dict[str, Subset]:
    """The data sets of a table that cover a year, or part of it."""
    return {name: one for name, one in table.items() if one.years[0] <= year <= (one.years[1] or year)}
