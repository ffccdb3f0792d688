"""The network: a small U-Net of convolutions, group norms and SiLU, told the noise level.

Only operators that export to other runtimes are used: convolution, GroupNorm, SiLU, nearest upsampling, pixel
(un)shuffle, linear.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class NoiseEmbedding(nn.Module):
    """Sines and cosines of the logarithmic noise level, through two linear layers."""

    def __init__(self, width: int):
        super().__init__()
        self.register_buffer(
            "frequencies", torch.exp(torch.linspace(math.log(0.5), math.log(50.0), width // 4)), persistent=False
        )
        self.layers = nn.Sequential(nn.Linear(2 * (width // 4), width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, level: Tensor) -> Tensor:
        """(B,) -> (B, width)."""
        angle = level[:, None] * self.frequencies
        return F.silu(self.layers(torch.cat([angle.sin(), angle.cos()], 1)))


class InTime(nn.Module):
    """A convolution over three frames, one before and one after, zero beyond the ends; starts as the identity.

    Frames lie one after the other in the batch, (B T, width, ny, nx).
    """

    def __init__(self, width: int, frames: int):
        super().__init__()
        self.frames, self.mix = frames, nn.Conv2d(3 * width, width, 1)
        nn.init.zeros_(self.mix.weight)
        nn.init.zeros_(self.mix.bias)

    def forward(self, x: Tensor) -> Tensor:
        now = x.unflatten(0, (-1, self.frames))
        none = torch.zeros_like(now[:, :1])
        around = torch.cat([none, now[:, :-1]], 1), now, torch.cat([now[:, 1:], none], 1)
        return x + self.mix(torch.cat(around, 2).flatten(0, 1))


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with the noise level scaling and shifting in between, and where there are several frames one
    in time; starts as the identity."""

    def __init__(
        self, inputs: int, outputs: int, embedding: int, dropout: float = 0.0, groups: int = 8, frames: int = 1
    ):
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.modulation = nn.Linear(embedding, 2 * outputs)
        self.norm2 = nn.GroupNorm(groups, outputs)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        self.in_time = InTime(outputs, frames) if frames > 1 else nn.Identity()
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        scale, shift = self.modulation(embedding)[:, :, None, None].chunk(2, 1)
        h = self.norm2(h) * (1 + scale) + shift
        return self.in_time(self.skip(x) + self.conv2(self.dropout(F.silu(h))))


class UNet(nn.Module):
    """(B, inputs, ny, nx) and a noise level (B,) -> (B, outputs, ny, nx).

    Args:
        inputs, outputs: channels in and out. width: channels of the first level.
        multipliers: channels of each level, in widths; each level halves the resolution.
        blocks: residual blocks a level. patch: side of the squares that pixel-unshuffle folds into channels.
        dropout: share of features left out while training.
        frames: of which the batch holds as many one after the other, and which are convolved in time.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        width: int = 32,
        multipliers: tuple[int, ...] = (1, 2, 3, 2),
        blocks: int = 1,
        patch: int = 2,
        dropout: float = 0.0,
        frames: int = 1,
    ):
        super().__init__()
        embedding = 4 * width

        def block(channels: int, w: int) -> ResidualBlock:
            return ResidualBlock(channels, w, embedding, dropout, frames=frames)

        widths = [width * m for m in multipliers]
        self.patch = patch
        self.embedding = NoiseEmbedding(embedding)
        self.first = nn.Conv2d(inputs * patch**2, widths[0], 3, padding=1)
        self.down, self.downsample = nn.ModuleList(), nn.ModuleList()
        channels = widths[0]
        for level, w in enumerate(widths):
            self.down.append(nn.ModuleList([block(channels if b == 0 else w, w) for b in range(blocks)]))
            last = level == len(widths) - 1
            self.downsample.append(nn.Identity() if last else nn.Conv2d(w, w, 3, stride=2, padding=1))
            channels = w
        self.middle = nn.ModuleList([block(channels, channels) for _ in range(2)])
        self.up = nn.ModuleList()
        for w in reversed(widths):
            self.up.append(nn.ModuleList([block(channels + w if b == 0 else w, w) for b in range(blocks)]))
            channels = w
        self.last = nn.Sequential(
            nn.GroupNorm(8, channels), nn.SiLU(), nn.Conv2d(channels, outputs * patch**2, 3, padding=1)
        )
        nn.init.zeros_(self.last[-1].weight)
        nn.init.zeros_(self.last[-1].bias)

    def _first(self, x: Tensor) -> Tensor:
        """`first` of the pixels folded into channels. As one convolution of the fields, stepping from square to square,
        the same sums need no folded copy; only the gradient of the fields is sooner found with one."""
        p, kernel = self.patch, self.first.weight
        if x.requires_grad:
            return self.first(F.pixel_unshuffle(x.contiguous(memory_format=torch.channels_last), p))
        kernel = kernel.unflatten(1, (-1, p, p)).permute(0, 1, 4, 2, 5, 3).flatten(4).flatten(2, 3)
        x = F.conv2d(x, kernel.contiguous(), self.first.bias, stride=p, padding=p)
        return x.contiguous(memory_format=torch.channels_last)

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        embedding = self.embedding(level)
        x = self._first(x)
        skips = []
        for blocks, downsample in zip(self.down, self.downsample, strict=True):
            for block in blocks:
                x = block(x, embedding)
            skips.append(x)
            x = downsample(x)
        for block in self.middle:
            x = block(x, embedding)
        for level_up, blocks in enumerate(self.up):
            if level_up:
                x = F.interpolate(x, scale_factor=2, mode="nearest")
            x = torch.cat([x, skips.pop()], 1)
            for block in blocks:
                x = block(x, embedding)
        return F.pixel_shuffle(self.last(x), self.patch)
