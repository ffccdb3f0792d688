"""Priors: what is known of the ocean before anything is observed."""

from .base import Domain, Prior
from .checkpoint import load_prior, save_prior
from .diffusion import DiffusionPrior, NetworkConfig
from .gaussian import GaussianPrior
from .samplers import sample_prior

__all__ = [
    "DiffusionPrior",
    "Domain",
    "GaussianPrior",
    "NetworkConfig",
    "Prior",
    "load_prior",
    "sample_prior",
    "save_prior",
]
