"""Fields as modes: an orthonormal basis, and covariances that are diagonal in it.

A stationary field without edges has sines and cosines for its modes. A window of the ocean is neither: its empirical
orthogonal functions (EOFs) look like cosines, but fit its edges and its trend from south to north, where a cosine would
leak large scales into small ones. The covariance of the channels with themselves and each other is kept mode by mode.
"""

import math
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn


def cosine_matrix(n: int) -> Tensor:
    """Orthonormal DCT-II matrix (n, n): row k is the k-th cosine."""
    j = torch.arange(n, dtype=torch.float64)
    rows = torch.cos(math.pi * (j + 0.5) * j[:, None] / n)
    return (rows / rows.norm(dim=1, keepdim=True)).float()


def signed(vectors: Tensor) -> Tensor:
    """Eigenvectors (..., C, E) in columns, each with its largest component positive.

    A solver leaves the sign open, and another machine's may choose the other: a seed would mean other draws there. Of
    components that are equally large, but for rounding, the first counts.
    """
    if not vectors.numel():
        return vectors
    size = vectors.abs()
    largest = (size >= (1 - 1e-4) * size.amax(-2, keepdim=True)).int().argmax(-2, keepdim=True)
    return vectors * vectors.gather(-2, largest).sign()


ALL = slice(None)
INFINITE_NOISE = torch.tensor(float("inf"))  # at which nothing is known but the prior: Cov[x0 | x] is S itself


class Basis(nn.Module):
    """Orthonormal functions of y times orthonormal functions of x, for each channel or the same for all.

    Args:
        rows: (C or 1, ny, ny), a function of y in each row. columns: (C or 1, nx, nx), functions of x.
    """

    def __init__(self, rows: Tensor, columns: Tensor):
        super().__init__()
        self.register_buffer("rows", rows, persistent=False)
        self.register_buffer("columns", columns, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Fields (B, C, ny, nx) -> coefficients."""
        return self.rows @ x @ self.columns.mT

    def inverse(self, c: Tensor) -> Tensor:
        """Coefficients -> fields."""
        return self.rows.mT @ c @ self.columns

    def of(self, channels: slice | Sequence[int]) -> "Basis":
        """The basis of some channels."""
        return self if len(self.rows) == 1 else Basis(self.rows[channels], self.columns[channels])

    @classmethod
    def cosines(cls, ny: int, nx: int) -> "Basis":
        """The two-dimensional discrete cosine transform."""
        return cls(cosine_matrix(ny)[None], cosine_matrix(nx)[None])

    @classmethod
    def periodic(cls, ny: int, nx: int) -> "Basis":
        """The two-dimensional discrete Hartley transform (Bracewell 1983), cos + sin of y times the same of x: for
        periodic fields, diagonal where their covariance is as wide in every direction."""
        angles = [2 * math.pi * torch.arange(n, dtype=torch.float64).outer(torch.arange(n)) / n for n in (ny, nx)]
        rows, columns = (((a.cos() + a.sin()) / math.sqrt(len(a))).float()[None] for a in angles)
        return cls(rows, columns)

    @classmethod
    def eofs(cls, fields: Iterable[Tensor], shared: Sequence[Sequence[int]] = ()) -> "Basis":
        """Separable empirical orthogonal functions of fields given in batches (B, C, ny, nx), most variance first: the
        eigenvectors of each channel's mean covariance within columns, and within rows.

        Args:
            shared: groups of channels that are to share theirs, so that covariances between them are kept whole.
        """
        along_y, along_x = 0.0, 0.0
        for x in fields:
            along_y = along_y + torch.einsum("bcyx,bczx->cyz", x, x)
            along_x = along_x + torch.einsum("bcyx,bcyz->cxz", x, x)
        functions = []
        for covariance in (along_y.double(), along_x.double()):
            covariance = covariance / torch.diagonal(covariance, dim1=1, dim2=2).mean(1)[:, None, None]
            for group in map(list, shared):
                covariance[group] = covariance[group].mean(0)
            vectors = torch.linalg.eigh(covariance).eigenvectors.flip(-1).mT
            functions.append((vectors * vectors[..., :1].sign()).float().contiguous())
        return cls(*functions)


class Spectrum(nn.Module):
    """A zero-mean Gaussian with covariance S, diagonal in a basis: a C x C matrix for each of its functions.

    Args:
        covariance: (ny, nx, C, C), symmetric and positive for each function, in standardized units.
        univariate: keep each channel's variance only and drop what ties the channels together.
        basis: cosines where not given.
    """

    FLOOR = 1e-8  # of the variance of a mode, in standardized units
    FEW = 16  # channels, of which a matrix for each function of the basis is quick to make and to apply

    def __init__(self, covariance: Tensor, univariate: bool = False, basis: Basis | None = None):
        super().__init__()
        ny, nx, channels, _ = covariance.shape
        self.shape = (channels, ny, nx)
        self.univariate = univariate or channels == 1
        self.basis = basis or Basis.cosines(ny, nx)
        if self.univariate:
            variance = torch.diagonal(covariance, dim1=-2, dim2=-1)
        else:
            variance, vectors = torch.linalg.eigh(covariance.double())
            self.register_buffer("vectors", signed(vectors).float(), persistent=False)
        variance = variance.clamp(min=self.FLOOR).permute(2, 0, 1).float().contiguous()
        self.register_buffer("variance", variance, persistent=False)  # (C, ny, nx), of the modes

    def rotate(self, c: Tensor) -> Tensor:
        """Coefficients in the basis (B, C, ny, nx) -> uncorrelated modes."""
        return c if self.univariate else torch.einsum("yxce,bcyx->beyx", self.vectors, c)

    def rotate_back(self, z: Tensor) -> Tensor:
        """Modes -> coefficients in the basis."""
        return z if self.univariate else torch.einsum("yxce,beyx->bcyx", self.vectors, z)

    def to_modes(self, x: Tensor) -> Tensor:
        """Fields (B, C, ny, nx) -> uncorrelated modes."""
        return self.rotate(self.basis(x))

    def from_modes(self, z: Tensor) -> Tensor:
        """Modes -> fields."""
        return self.basis.inverse(self.rotate_back(z))

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
        variance, basis = self.posterior_variance(sigma), self.basis.of(channels)
        if self.univariate:
            variance = variance[channels]
            return lambda v: basis.inverse(variance * basis(v))
        vectors = self.vectors[:, :, channels]
        if vectors.shape[2] > self.FEW:

            def through_modes(v: Tensor) -> Tensor:
                z = variance * torch.einsum("yxce,bcyx->beyx", vectors, basis(v))
                return basis.inverse(torch.einsum("yxce,beyx->bcyx", vectors, z))

            return through_modes
        matrix = torch.einsum("yxce,eyx,yxde->cdyx", vectors, variance, vectors).contiguous()  # each a map

        def product(v: Tensor) -> Tensor:
            c = basis(v)
            total = matrix[:, 0] * c[:, :1]
            for d in range(1, len(matrix)):  # a sum over a fifth dimension would take three times as long
                total.addcmul_(matrix[:, d], c[:, d : d + 1])
            return basis.inverse(total)

        return product

    def posterior_variance(self, sigma: Tensor) -> Tensor:
        """The modes' variance once x = x0 + sigma n is known, S / (1 + S / sigma^2)."""
        return self.variance / (1 + self.variance / _per_sample(sigma) ** 2)

    def pointwise_variance(self) -> Tensor:
        """Variance of N(0, S) at every point, (C, ny, nx), double precision: the basis squared, weighted by S."""
        rows, columns = self.basis.rows.double() ** 2, self.basis.columns.double() ** 2
        variance = self.variance.double()
        if not self.univariate:  # from the modes' variance to the channels'
            variance = torch.einsum("yxce,eyx->cyx", self.vectors.double() ** 2, variance)
        return rows.mT @ variance @ columns

    def loss_weight(self, sigma: Tensor) -> Tensor:
        """One over the filter's mean squared error at noise sigma (B,), (B, C or 1, 1, 1)."""
        return 1 / self.posterior_variance(sigma).mean((-1, -2), keepdim=True)

    def sample(self, count: int, sigma: float = 0.0, generator: torch.Generator | None = None) -> Tensor:
        """Draws of x0 + sigma n, (count, C, ny, nx)."""
        white = torch.randn((count, *self.shape), generator=generator).to(self.variance)
        return self.from_modes((self.variance + sigma**2).sqrt() * white)

    @staticmethod
    def estimate(fields: Iterable[Tensor], basis: Basis | None = None) -> Tensor:
        """Covariance (ny, nx, C, C) of each function's coefficients, of fields given in batches (B, C, ny, nx)."""
        total, count = 0.0, 0
        for batch in fields:
            basis = basis or Basis.cosines(*batch.shape[-2:])
            c = basis(batch)
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
