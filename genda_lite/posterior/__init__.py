"""What is known afterwards: guided sampling."""

from .assimilate import assimilate, sample_posterior

__all__ = ["assimilate", "sample_posterior"]
