"""One latent space: fields written in fewer numbers, a prior of these, and guidance through the decoder."""

from .autoencoder import Autoencoder, LinearAutoencoder
from .convolutional import ConvAutoencoder
from .guidance import sample_states
from .prior import LatentPrior, linear_latents
from .representation import latent_likelihood

__all__ = [
    "Autoencoder",
    "ConvAutoencoder",
    "LatentPrior",
    "LinearAutoencoder",
    "latent_likelihood",
    "linear_latents",
    "sample_states",
]
