"""Fields in cosine space: the transform, and covariances that are diagonal in wavenumber.

The discrete cosine transform is orthonormal and needs no periodicity; the covariance of a field with itself and of the
channels with each other is kept wavenumber by wavenumber.
"""

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn


def cosine_matrix(n: int) -> Tensor:
    """Orthonormal DCT-II matrix (n, n): row k is the k-th cosine."""
    j = torch.arange(n, dtype=torch.float64)
    rows = torch.cos(math.pi * (j + 0.5) * j[:, None] / n)
    return (rows / rows.norm(dim=1, keepdim=True)).float()


class CosineTransform(nn.Module):
    """Orthonormal two-dimensional DCT of the last two dimensions, as two matrix products (fast at these sizes)."""

    def __init__(self, ny: int, nx: int):
        super().__init__()
        self.register_buffer("rows", cosine_matrix(ny), persistent=False)
        self.register_buffer("columns", cosine_matrix(nx), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Fields -> coefficients."""
        return self.rows @ x @ self.columns.mT

    def inverse(self, c: Tensor) -> Tensor:
        """Coefficients -> fields."""
        return self.rows.mT @ c @ self.columns


ALL = slice(None)


class Spectrum(nn.Module):
    """A zero-mean Gaussian with covariance S, diagonal in cosine wavenumber: a C x C matrix at each.

    Args:
        covariance: (ny, nx, C, C), symmetric and positive at each wavenumber, in standardized units.
        univariate: keep each channel's variance only and drop what ties the channels together.
    """

    FLOOR = 1e-6  # of the variance at a wavenumber, in standardized units

    def __init__(self, covariance: Tensor, univariate: bool = False):
        super().__init__()
        ny, nx, channels, _ = covariance.shape
        self.shape = (channels, ny, nx)
        self.univariate = univariate
        self.transform = CosineTransform(ny, nx)
        if univariate:
            variance = torch.diagonal(covariance, dim1=-2, dim2=-1)
        else:
            variance, vectors = torch.linalg.eigh(covariance.double())
            self.register_buffer("vectors", vectors.float(), persistent=False)
        variance = variance.clamp(min=self.FLOOR).permute(2, 0, 1).float().contiguous()
        self.register_buffer("variance", variance, persistent=False)  # (C, ny, nx), of the modes

    def to_modes(self, x: Tensor) -> Tensor:
        """Fields (B, C, ny, nx) -> uncorrelated modes."""
        c = self.transform(x)
        return c if self.univariate else torch.einsum("yxce,bcyx->beyx", self.vectors, c)

    def from_modes(self, z: Tensor) -> Tensor:
        """Modes -> fields."""
        return self.transform.inverse(z if self.univariate else torch.einsum("yxce,beyx->bcyx", self.vectors, z))

    def wiener_filter(self, x: Tensor, sigma: Tensor) -> Tensor:
        """E[x0 | x] = S (S + sigma^2)^-1 x, for x = x0 + sigma n; sigma is a scalar or (B,)."""
        noise = _per_sample(sigma) ** 2
        return self.from_modes(self.to_modes(x) * (self.variance / (self.variance + noise)))

    def posterior_covariance(self, sigma: Tensor, channels: slice | list[int] = ALL) -> Callable[[Tensor], Tensor]:
        """The function v -> Cov[x0 | x] v = S sigma^2 (S + sigma^2)^-1 v; with infinite sigma, v -> S v.

        Args:
            sigma: scalar.
            channels: among these only: v is (B, len(channels), ny, nx), the other channels being zero.
        """
        variance = self.posterior_variance(sigma)
        if self.univariate:
            variance = variance[channels]
            return lambda v: self.transform.inverse(variance * self.transform(v))
        vectors = self.vectors[:, :, channels]
        matrix = torch.einsum("yxce,eyx,yxde->cdyx", vectors, variance, vectors)
        return lambda v: self.transform.inverse((matrix * self.transform(v)[:, None]).sum(2))

    def posterior_variance(self, sigma: Tensor) -> Tensor:
        """The modes' variance once x = x0 + sigma n is known, S / (1 + S / sigma^2)."""
        return self.variance / (1 + self.variance / _per_sample(sigma) ** 2)

    def loss_weight(self, sigma: Tensor) -> Tensor:
        """One over the filter's mean squared error at noise sigma (B,), (B, C or 1, 1, 1)."""
        return 1 / self.posterior_variance(sigma).mean((-1, -2), keepdim=True)

    def sample(self, count: int, sigma: float = 0.0, generator: torch.Generator | None = None) -> Tensor:
        """Draws of x0 + sigma n, (count, C, ny, nx)."""
        white = torch.randn((count, *self.shape), generator=generator).to(self.variance)
        return self.from_modes((self.variance + sigma**2).sqrt() * white)

    @staticmethod
    def estimate(fields: Iterable[Tensor]) -> Tensor:
        """Covariance (ny, nx, C, C) at each cosine wavenumber of fields given in batches (B, C, ny, nx)."""
        total, count, transform = 0.0, 0, None
        for batch in fields:
            transform = transform or CosineTransform(*batch.shape[-2:])
            c = transform(batch)
            total, count = total + torch.einsum("bcyx,bdyx->yxcd", c, c), count + len(c)
        return total / count


class White(Spectrum):
    """Independent values of unit variance: what EDM takes standardized data for. Fields are their own modes."""

    def __init__(self, shape: tuple[int, int, int]):
        nn.Module.__init__(self)
        self.shape, self.univariate = shape, True
        self.register_buffer("variance", torch.ones(1, 1, 1), persistent=False)

    def to_modes(self, x: Tensor) -> Tensor:
        """The field itself."""
        return x

    from_modes = to_modes


def _per_sample(sigma: Tensor | float) -> Tensor:
    """A scalar or (B,) as something that multiplies (B, C, ny, nx)."""
    sigma = torch.as_tensor(sigma)
    return sigma.view(-1, 1, 1, 1) if sigma.ndim else sigma
