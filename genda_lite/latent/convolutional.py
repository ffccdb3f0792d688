"""A convolutional autoencoder: 7 x 64 x 64 numbers of a window in 8 x 16 x 16 latents, and windows of any other size in
as many in proportion.

It is a linear map of patches at the start of its training, and learns what is not linear about fronts and rings. Three
choices make its latents a space for a diffusion model, and for guidance through the decoder:

*Standardized.* A normalization without weights of its own ends the encoder, so that each channel of the latents has
mean zero and variance one, whatever the weights.

*Regularized by noise.* The decoder is trained on z = E(x) + 0.1 n, n ~ N(0, I) (as Andry et al. 2025, arXiv
2504.18720): near latents draw near states, and what the decoder needs must stand above the noise. As latents have
variance one, the encoder cannot escape by making them larger.

*Local.* Features are normalized point by point, over channels (Zhang & Sennrich 2019, arXiv 1910.07467), not over the
window: a latent draws what lies near it and nothing else, and a window of another size draws the same inside.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from ..errors import InputError
from ..prior.base import Domain
from ..prior.spectral import Basis, Spectrum
from ..state import CHANNELS, Standardizer, StateVector
from .autoencoder import Differentiable, residual_spectrum

COARSER = 4  # cells of a latent, along y and along x
LEAST = 1e-4  # of a latent's variance that counts as one


@dataclass(frozen=True)
class AutoencoderConfig:
    """Size and training of the network.

    Args:
        latents: channels of the latents. width: channels of the features at half the resolution, twice as many at a
            quarter. blocks: residual blocks of the decoder at a quarter of the resolution.
        noise: on latents in training, standard deviations.
        slope: weight of the error of sea level's slope, whose geostrophic current is asked for, beside that of values.
    """

    latents: int = 8
    width: int = 32
    blocks: int = 2
    noise: float = 0.1
    slope: float = 0.3

    def as_dict(self) -> dict:
        """Plain values, to record in a checkpoint."""
        return asdict(self)


class PointNorm(nn.Module):
    """Features of each point over their root mean square, times a learned gain for each channel."""

    def __init__(self, channels: int):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x * (x.square().mean(1, keepdim=True) + 1e-6).rsqrt() * self.gain


class Block(nn.Module):
    """Two 3 x 3 convolutions beside the identity, which it is at the start."""

    def __init__(self, channels: int):
        super().__init__()
        self.layers = nn.Sequential(
            PointNorm(channels),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
        )
        nn.init.zeros_(self.layers[-1].weight)
        nn.init.zeros_(self.layers[-1].bias)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class Encoder(nn.Sequential):
    """Maps (B, inputs, ny, nx) -> features (B, outputs, ny / 4, nx / 4)."""

    def __init__(self, inputs: int, outputs: int, width: int):
        super().__init__(
            nn.PixelUnshuffle(2),
            nn.Conv2d(4 * inputs, width, 3, padding=1),
            Block(width),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            Block(2 * width),
            nn.Conv2d(2 * width, outputs, 3, padding=1),
        )


class Decoder(nn.Sequential):
    """Latents (B, c, h, w) -> states (B, C, 4 h, 4 w)."""

    def __init__(self, latents: int, outputs: int, width: int, blocks: int):
        super().__init__(
            nn.Conv2d(latents, 2 * width, 3, padding=1),
            *(Block(2 * width) for _ in range(blocks)),
            nn.Conv2d(2 * width, 4 * width, 1),
            nn.PixelShuffle(2),
            Block(width),
            nn.Conv2d(width, 4 * outputs, 3, padding=1),
            nn.PixelShuffle(2),
        )


class Reconstruction(nn.Module):
    """Encoder, standardization and decoder.

    Args:
        spectrum: univariate spectrum of the states.
    """

    def __init__(self, spectrum: Spectrum, config: AutoencoderConfig):
        super().__init__()
        channels, self.config, self.spectrum = spectrum.shape[0], config, spectrum
        self.network = nn.ModuleDict(
            {
                "encoder": Encoder(channels, config.latents, config.width),
                "standard": nn.BatchNorm2d(config.latents, LEAST, affine=False),
                "decoder": Decoder(config.latents, channels, config.width, config.blocks),
            }
        )

    def encode(self, x: Tensor) -> Tensor:
        """States (B, C, ny, nx) -> latents."""
        return self.network["standard"](self.network["encoder"](x))

    def decode(self, z: Tensor) -> Tensor:
        """Latents -> states."""
        return self.network["decoder"](z)

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        """What is drawn of states through noisy latents; noise (B, c, h, w)."""
        return self.decode(self.encode(x) + self.config.noise * noise)

    @torch.no_grad()
    def settle(self, fields: Iterable[Tensor]) -> None:
        """Take mean and variance of the latents from fields in batches; in training they are those of each batch."""
        standard = self.network["standard"]
        standard.reset_running_stats()
        standard.momentum = None  # the mean of all batches
        standard.train()
        for x in fields:
            self.encode(x)
        standard.momentum = 0.1
        self.eval()


def slopes(z: Tensor) -> tuple[Tensor, Tensor]:
    """Differences of neighbouring values (B, ny, nx), along y and along x."""
    return z.diff(dim=-2), z.diff(dim=-1)


def reconstruction_loss(network: nn.Module, spectrum: Spectrum, config: AutoencoderConfig, zos: int, x: Tensor,
                        noise: Tensor) -> Tensor:  # fmt: skip
    """The share of each channel's variance that is lost, (B, C), and for sea level that of its slope besides.

    Args:
        network: (x, noise) -> what is drawn, see `Reconstruction`. spectrum: of the states. zos: place of sea level.
        noise: white, of the latents' shape.
    """
    variance = spectrum.pointwise_variance().mean((-1, -2)).to(x)
    error = network(x, noise) - x
    loss = error.square().mean((-1, -2)) / variance
    if config.slope:
        lost, there = (sum(part.square().mean((-1, -2)) for part in slopes(field[:, zos])) for field in (error, x))
        extra = torch.zeros_like(loss)
        extra[:, zos] = config.slope * lost / there.mean().clamp(min=1e-12)
        loss = loss + extra
    return loss


class ModeMap:
    """A linear map from latents to states, mode by mode: of the cosine modes that both have, the matrix that predicts
    best. It stands in for a decoder where a common and cheap one will do, which is in a preconditioner.

    Args:
        matrix: (h, w, C, c). shape: of the states.
    """

    def __init__(self, matrix: Tensor, shape: tuple[int, int, int]):
        self.matrix, self.shape = matrix, tuple(shape)
        rows, columns = matrix.shape[:2]
        self.coarse, whole = Basis.cosines(rows, columns), Basis.cosines(*shape[1:])
        self.fine = Basis(whole.rows[:, :rows], whole.columns[:, :columns])

    @classmethod
    def fit(cls, latents: Tensor, states: Tensor) -> "ModeMap":
        """The regression of states (n, C, ny, nx) on their latents (n, c, h, w)."""
        new = cls(latents.new_zeros(*latents.shape[2:], states.shape[1], latents.shape[1]), states.shape[1:])
        a, b = new.coarse(latents).double(), new.fine(states).double()
        own, other = torch.einsum("ncyx,ndyx->yxcd", a, a), torch.einsum("nkyx,ncyx->yxkc", b, a)
        ridge = 1e-3 * len(a) * torch.eye(a.shape[1], dtype=a.dtype)
        new.matrix = torch.linalg.solve(own + ridge, other.mT).mT.float()
        return new

    def to(self, like: Tensor) -> "ModeMap":
        """Move to the device and precision of a tensor."""
        self.matrix = self.matrix.to(like)
        self.coarse.to(like.device)
        self.fine.to(like.device)
        return self

    def __call__(self, z: Tensor) -> Tensor:
        """Latents (B, c, h, w) -> states (B, C, ny, nx)."""
        return self.fine.inverse(torch.einsum("yxkc,bcyx->bkyx", self.matrix, self.coarse(z)))

    def adjoint(self, x: Tensor) -> Tensor:
        """The transpose."""
        return self.coarse.inverse(torch.einsum("yxkc,bkyx->bcyx", self.matrix, self.fine(x)))


class ConvAutoencoder(Differentiable):
    """See the module. It has the protocol of `latent.autoencoder.Autoencoder`.

    Args:
        spectrum: univariate, of the states. standardizer, domain, state: of the states.

    Attributes:
        residual: S_r, None until `measure` has found it. stand_in: see `ModeMap`.
        training: how it was trained. protocol: which data served for what, in words.

    Raises:
        InputError: sides that are no multiples of four.
    """

    def __init__(
        self,
        spectrum: Spectrum,
        standardizer: Standardizer | None = None,
        domain: Domain | None = None,
        config: AutoencoderConfig | None = None,
        state: StateVector | None = None,
    ):
        config = config or AutoencoderConfig()
        self.state_shape = tuple(spectrum.shape)
        _, ny, nx = self.state_shape
        if ny % COARSER or nx % COARSER:
            raise InputError(f"an autoencoder of windows of {ny} x {nx}, expected multiples of {COARSER} a side")
        self.shape = config.latents, ny // COARSER, nx // COARSER
        self.config, self.module = config, Reconstruction(spectrum, config)
        self.standardizer, self.domain, self.state = standardizer, domain, state or StateVector.today()
        self.residual: Spectrum | None = None
        self.stand_in: ModeMap | None = None
        self.training: dict = {}
        self.protocol: dict[str, str] = {}

    @property
    def compression(self) -> float:
        """How many numbers of a state there are to one of its latents."""
        return math.prod(self.state_shape) / math.prod(self.shape)

    def encode(self, x: Tensor) -> Tensor:
        """States (B, C, ny, nx) -> latents (B, c, ny / 4, nx / 4), of any such size."""
        self._check(x, self.state_shape[0], "a state")
        return self.module.encode(x)

    def decode(self, z: Tensor) -> Tensor:
        """Latents -> states, of any size."""
        self._check(z, self.shape[0], "latents")
        return self.module.decode(z)

    def _check(self, x: Tensor, channels: int, what: str) -> None:
        if x.ndim != 4 or x.shape[1] != channels:
            raise InputError(f"an autoencoder was given {what} of shape {tuple(x.shape[1:])}, expected {channels} maps")

    @torch.no_grad()
    def measure(self, fields: Sequence[Tensor]) -> None:
        """Find the covariance of the residual, and the map that stands in for the decoder, of fields in batches
        (B, C, ny, nx) that it was not trained on.

        Raises:
            InputError: see `residual_spectrum`.
        """
        self.residual = residual_spectrum(self, fields)
        z = torch.cat([self.encode(x) for x in fields])
        self.stand_in = ModeMap.fit(z, torch.cat([self.decode(part) for part in z.split(64)]))

    def to(self, device) -> "ConvAutoencoder":
        """Move to a device."""
        self.module.to(device)
        if self.residual is not None:
            self.residual.to(device)
        return self

    def errors(self, x: Tensor) -> dict[str, float]:
        """Root-mean-square error of the reconstruction of states (n, C, ny, nx), standardized units, by channel; that
        of the slope of sea level over the slope itself; and the standard deviation of latents."""
        with torch.no_grad():
            z = torch.cat([self.encode(part) for part in x.split(64)])
            left = torch.cat([self.decode(part) for part in z.split(64)]) - x
        names = self.state.channels if len(self.state) == len(x[0]) else range(len(x[0]))
        found = {f"rmse {name}": float(e) for name, e in zip(names, left.square().mean((0, 2, 3)).sqrt(), strict=True)}
        zos = place_of_sea_level(self.state, len(x[0]))
        lost, there = (sum(part.square().mean() for part in slopes(field[:, zos])) for field in (left, x))
        return found | {"slope": float((lost / there).sqrt()), "latents": float(z.std())}


def place_of_sea_level(state: StateVector, channels: int) -> int:
    """Where sea level is among so many channels; the first of others than the state's."""
    return state.index("zos") if len(state) == channels and "zos" in CHANNELS else 0
