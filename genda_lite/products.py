"""The public face of `observe.files`: from the files of real products to observations.

    observations, reports = read_observations(["tracks.nc", "sst.nc", "swot.nc"], "2017-04-02", box=(-66, -54, 32, 44))
"""

from .observe.files import kind_of, read_observations

__all__ = ["kind_of", "read_observations"]
