"""The peers of the training benchmark: networks of PhysicsNeMo with the preconditioning of EDM.

Source: `SongUNet` (the DDPM++ U-Net of EDM), `DiT` and `EDMPreconditioner` of NVIDIA PhysicsNeMo 2.2.2
(https://github.com/NVIDIA/physicsnemo), after Karras et al. (2022), doi:10.48550/arXiv.2206.00364. In an environment
of its own (6 GB, as it brings PyTorch for graphics cards; it runs without one), beside this package:

    pip install nvidia-physicsnemo==2.2.2
"""

from collections.abc import Callable, Iterable

import torch
from physicsnemo.diffusion.preconditioners import EDMPreconditioner
from physicsnemo.diffusion.utils import ConcatConditionWrapper
from physicsnemo.models.diffusion_unets import SongUNet
from physicsnemo.models.dit import DiT
from torch import Tensor, nn

TOLERANCE = 0.05  # of the number of parameters
UNET_WIDTHS = (*range(8, 32, 4), *range(32, 257, 32))  # those that its group norms can divide
TRANSFORMER_WIDTHS = range(32, 513, 4)  # four heads


class Peer(nn.Module):
    """An EDM denoiser called like `genda_lite.prior.diffusion.Denoiser`.

    Args:
        network: (B, channels + context, ny, nx) and a noise level (B,) -> (B, channels, ny, nx).
        mixed: run the network in bfloat16.
    """

    def __init__(self, network: SongUNet | DiT, mixed: bool = False):
        super().__init__()
        self.network, self.mixed = EDMPreconditioner(ConcatConditionWrapper(network), sigma_data=1.0), mixed
        # Whichever trains faster on a CPU: group norms of channels_last are slow in bfloat16.
        self.layout = torch.contiguous_format if mixed else torch.channels_last
        self.to(memory_format=self.layout)

    def forward(self, x: Tensor, sigma: Tensor, context: Tensor) -> Tensor:
        """E[x0 | x]: x (B, C, ny, nx), sigma (B,), context (B or 1, 5, ny, nx)."""
        context = context.expand(len(x), -1, -1, -1).contiguous(memory_format=self.layout)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.mixed):
            return self.network(x.contiguous(memory_format=self.layout), sigma, context).float()

    def loss_weight(self, sigma: Tensor) -> Tensor:
        """EDM's 1 / c_out^2, (B, 1, 1, 1)."""
        return (1 + 1 / sigma**2).view(-1, 1, 1, 1)


def peer(
    parameters: int, channels: int, context: int, size: int, mixed: bool = False, transformer: bool = False
) -> Peer:
    """A peer of about as many parameters.

    The U-Net has three levels with channels in ratios 1, 2, 2, and attention at a side of 16 and in the middle, as
    PhysicsNeMo has it; the fewest blocks a level that allow the number of parameters (its default, 4, is slower); no
    dropout (its default, 0.1, is slower). The transformer has patches of 4 x 4 and at least four blocks.

    Args:
        parameters: to match within 5 %.
        channels, context: of the state and of what is known beside it. size: side of the windows (cells).
        mixed: run the network in bfloat16.
        transformer: take `DiT`, not `SongUNet`.

    Raises:
        ValueError: no width gives that number.
    """

    def unet(width: int, blocks: int) -> SongUNet:
        return SongUNet(
            size,
            channels + context,
            channels,
            model_channels=width,
            channel_mult=[1, 2, 2],
            num_blocks=blocks,
            dropout=0.0,
            amp_mode=mixed,
        )

    def dit(width: int, blocks: int) -> DiT:
        return DiT(
            size, channels + context, patch_size=4, out_channels=channels, hidden_size=width, depth=blocks, num_heads=4
        )

    if transformer:
        return Peer(_fit(dit, parameters, TRANSFORMER_WIDTHS, (4, 5, 6, 8, 12)), mixed)
    return Peer(_fit(unet, parameters, UNET_WIDTHS, (1, 2, 3, 4)), mixed)


def _fit(
    network: Callable[[int, int], nn.Module], parameters: int, widths: Iterable[int], depths: Iterable[int]
) -> nn.Module:
    """The network of the first depth for which a width gives the number of parameters."""
    for blocks in depths:
        with torch.device("meta"):
            counts = {w: sum(p.numel() for p in network(w, blocks).parameters()) for w in widths}
        width = min(counts, key=lambda w: abs(counts[w] - parameters))
        if abs(counts[width] - parameters) <= TOLERANCE * parameters:
            return network(width, blocks)
    raise ValueError(f"no width gives {parameters} parameters within {TOLERANCE:.0%}")
