"""Priors in a latent space: for a sampler and a guidance they are priors like all others.

A latent prior is a prior of latents (any of `prior`: Gaussian, mixture, network) and the autoencoder whose latents they
are. Its denoiser is preconditioned by the spectrum of the latents, as that of states is by theirs.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from ..errors import InputError
from ..observe.likelihood import LinearGaussian
from ..prior.base import Prior
from ..prior.diffusion import DiffusionPrior, NetworkConfig, Tuned
from ..prior.gaussian import GaussianPrior
from ..prior.mixture import MixturePrior
from ..prior.samplers import MemberNoise
from ..prior.spectral import ALL, Basis, Spectrum
from .autoencoder import Autoencoder, LinearAutoencoder
from .representation import draw_residual, latent_likelihood

OWN_NOISE = 500_009  # added to a seed whose noise the sampler has spent


class LatentPrior:
    """A distribution of latents (see `Prior` for the attributes), with the way to states.

    Args:
        autoencoder: whose latents they are.
        prior: of the latents, a `Prior` whose state is theirs.
        standardizer, domain, state: of the states; where not given, those of the prior.

    Raises:
        InputError: a prior of latents of another shape.
    """

    def __init__(self, autoencoder: Autoencoder, prior: Prior, standardizer=None, domain=None, state=None):
        if tuple(prior.shape) != tuple(autoencoder.shape):
            raise InputError(
                f"a prior of latents has shape {tuple(prior.shape)}, and those of the autoencoder have "
                f"{tuple(autoencoder.shape)}: expected a prior of this autoencoder's latents"
            )
        self.autoencoder, self.prior = autoencoder, prior
        self.state_shape = tuple(autoencoder.state_shape)
        self.name = f"latent {prior.name}"
        self.shape, self.spectrum = prior.shape, prior.spectrum
        self.crossover, self.inflation = prior.crossover, prior.inflation
        self.standardizer = standardizer if standardizer is not None else prior.standardizer
        self.domain = domain if domain is not None else prior.domain
        self.state = state if state is not None else getattr(prior, "state", None)
        self.between: dict[str, float] = {}

    @classmethod
    def gaussian(cls, autoencoder: Autoencoder, covariance: Tensor) -> "LatentPrior":
        """The Gaussian prior of latents that are maps, of the covariance (h, w, c, c) of their cosine modes."""
        latents = GaussianPrior(covariance, autoencoder.standardizer, autoencoder.domain, state=autoencoder.state)
        return cls(autoencoder, latents)

    def denoise(self, x: Tensor, sigma: Tensor, context: Tensor | None = None) -> Tensor:
        """E[z0 | z] for z = z0 + sigma n: (B, c, h, w) -> the same."""
        if context is not None and context.shape[-2:] != x.shape[-2:]:
            context = adaptive_avg_pool2d(context, x.shape[-2:])  # of the states' grid
        return self.prior.denoise(x, sigma, context)

    def covariance(self, sigma: Tensor, channels=ALL) -> Callable[[Tensor], Tensor]:
        """v -> Cov[z0 | z] v, that of the prior of latents."""
        return self.prior.covariance(sigma, channels)

    def to(self, device) -> "LatentPrior":
        """Move the prior of latents to a device."""
        self.prior.to(device)
        if hasattr(self.autoencoder, "to"):
            self.autoencoder.to(device)
        return self

    def told(self, likelihood: LinearGaussian) -> LinearGaussian:
        """What observations of states say about latents, the error of representation among their errors."""
        return latent_likelihood(self.autoencoder, likelihood)

    @torch.no_grad()
    def completed(self, z: Tensor, likelihood: LinearGaussian | None = None, seed: int = 0, batch: int = 8) -> Tensor:
        """Complete states (M, C, ny, nx) of latents: decoded, and the residual drawn, given them and the observations
        where there are any."""
        states = torch.cat([self.autoencoder.decode(part) for part in z.split(batch)])
        residual, seed = self.autoencoder.residual, seed + OWN_NOISE
        if residual is None:
            return states
        if likelihood is not None:
            return states + draw_residual(residual, likelihood, states, seed, batch)
        noise = MemberNoise(seed, range(len(states)), self.state_shape, states.device)
        return states + residual.from_modes(residual.variance.sqrt() * noise())


class LatentDiffusion(DiffusionPrior):
    """A trained denoiser of the latents of an autoencoder.

    Args:
        covariance: of the cosine modes of latents (h, w, c, c). config: of the network; latents are small, so that its
            patches are single points.
    """

    def __init__(
        self, covariance: Tensor, autoencoder: Autoencoder, config: NetworkConfig | None = None, mixed: bool = False
    ):
        told = autoencoder.standardizer, autoencoder.domain, config or LATENT_NETWORK, mixed
        super().__init__(covariance, *told, state=autoencoder.state, tuned=Tuned(UNTUNED, {}))
        self.inflation = 1.0


LATENT_NETWORK = NetworkConfig(patch=1)
UNTUNED = 20.0  # the crossover of the shipped prior of states, until one is chosen on validation oceans


def unit_basis(rows: int, columns: int) -> Basis:
    """Of latents that are modes already."""
    return Basis(torch.eye(rows)[None], torch.eye(columns)[None])


def latent_spectrum(autoencoder: Autoencoder, fields: Iterable[Tensor]) -> Tensor:
    """Covariance (h, w, c, c) of the cosine modes of latents, of fields given in batches (B, C, ny, nx): what
    `prior.diffusion.DiffusionPrior` is preconditioned by, where latents are maps."""
    with torch.no_grad():
        return Spectrum.estimate(autoencoder.encode(x) for x in fields)


def linear_latents(prior: GaussianPrior | MixturePrior, keep: tuple[int, int]) -> LatentPrior:
    """The exact prior of the latents of a linear autoencoder, made of a prior of states that is known.

    Those of a Gaussian are white. Those of a mixture are a mixture; its residual is not Gaussian, and S_r is its
    second moment.

    Args:
        keep: see `LinearAutoencoder`.

    Raises:
        InputError: a prior that is neither, or a mixture of several channels.
    """
    if not isinstance(prior, GaussianPrior | MixturePrior):
        raise InputError(f"the latents of a {prior.name} prior are not known, expected a Gaussian or a mixture")
    autoencoder = LinearAutoencoder(prior.spectrum, keep)
    channels, rows, columns = autoencoder.shape
    basis = unit_basis(rows, columns)
    if isinstance(prior, GaussianPrior):
        white = torch.eye(channels).expand(rows, columns, channels, channels)
        latent = GaussianPrior(white, prior.standardizer, prior.domain, basis=basis, state=prior.state)
        return LatentPrior(autoencoder, latent)
    if channels > 1:
        raise InputError(f"the latents of a mixture of {channels} channels are not known, expected one channel")
    # Modes of one channel are those of all components, in units of their own deviation.
    covariances = [
        (component.variance[0, :rows, :columns] / autoencoder.kept.variance[0])[..., None, None]
        for component in prior.components
    ]
    means = autoencoder.encode(prior.means)
    latent = MixturePrior(prior.weights, means, covariances, prior.standardizer, prior.domain, basis)
    return LatentPrior(autoencoder, latent)
