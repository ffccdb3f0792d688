"""A random climate for each training window: a prior has to be wider than any one ocean.

A family of simulated oceans shares one climatology, and its anomalies are those about it. The real ocean is displaced:
its water is warmer and saltier by more than a family's anomalies, or its front is sharper. So each window x (in
standard deviations) becomes one of another climate,

    x_c  <-  a_c x_c + s_c (n_0 + n_1 X + n_2 Y) + [c is salinity] r (m_0 + m_1 X + m_2 Y)

with X and Y from -1 to 1 across the window, n and m standard normal: temperature and salinity are displaced together,
along the water masses, and salinity by itself a little. The factor a_c of the anomalies is log-normal, common to all of
the ocean, with one more of temperature and salinity. Network, covariance and regression see the same windows.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..state import OCEAN, StateVector


@dataclass(frozen=True)
class Climate:
    """How much climates differ: standard deviations, in those of the training data's channels; by default not at all.

    Args:
        temperature, salinity: s_c, of the common displacement.
        salinity_alone: r, of salinity by itself.
        slope: of n_1, n_2, m_1 and m_2, in those of n_0 and m_0.
        amplitude: of the logarithm of the factor on all anomalies of the ocean.
        contrast: of one more factor, on temperature and salinity.
    """

    temperature: float = 0.0
    salinity: float = 0.0
    salinity_alone: float = 0.0
    slope: float = 0.0
    amplitude: float = 0.0
    contrast: float = 0.0

    def draw(self, state: StateVector, shape: tuple[int, int], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """A climate: the factor (K, 1, 1) and the displacement (K, ny, nx) of each channel of a state."""
        amplitude, contrast = np.exp([self.amplitude, self.contrast] * rng.standard_normal(2))
        together, alone = rng.standard_normal((2, 3)) * [1, self.slope, self.slope]
        y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
        plane = np.stack([np.ones(shape), x, y])
        together, alone = (np.tensordot(weights, plane, 1) for weights in (together, alone))
        displaced = {
            "thetao": self.temperature * together,
            "so": self.salinity * together + self.salinity_alone * alone,
        }
        factor = [(amplitude if c in OCEAN else 1) * (contrast if c in displaced else 1) for c in state.channels]
        displacement = np.stack([displaced.get(c, np.zeros(shape)) for c in state.channels])
        return torch.tensor(factor, dtype=torch.float32)[:, None, None], torch.from_numpy(displacement).float()


ONE = Climate()  # that of the training data, in all windows
# In degrees and salinity 1.8 and 0.5, as a real field of the Gulf Stream asks for; in units of the wide family, whose
# anomalies are larger, that is less. Half as much again only adds spread (`benchmarks/width.py`, "all, larger").
WIDE = Climate(temperature=0.7, salinity=0.8, salinity_alone=0.28, slope=1.0, amplitude=0.2, contrast=0.2)
