"""One latent space: fields written in fewer numbers, a prior of these, and guidance through the decoder."""

from .autoencoder import Autoencoder, LinearAutoencoder
from .guidance import latent_likelihood, sample_states
from .prior import LatentPrior, linear_latents

__all__ = ["Autoencoder", "LatentPrior", "LinearAutoencoder", "latent_likelihood", "linear_latents", "sample_states"]
