"""The background as a prior: what a forecast and the prior say together, before the observations of the day.

A forecast b with error covariance B makes N(b, B) of the prior. All priors here are those of the departure x0 - b, so
that guidance and samplers, which know of a mean of zero and a covariance, serve as they are: `BackgroundPrior.centred`
gives the likelihood of the departure, and b is added to its draws. For a Gaussian, guidance then is 3D-Var:

    x_a = b + B H' (H B H' + R)^-1 (y - H b)
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import InputError
from ..observe.likelihood import LinearGaussian
from ..prior.base import Prior
from ..prior.spectral import ALL, Basis, Spectrum
from .forecast import inverse, moments

LIMIT = 20.0  # standard deviations of the prior that a background may lie from its climatology: beyond, units are wrong


@dataclass(frozen=True)
class Background:
    """A forecast and what is believed of its error: x0 ~ N(b, B).

    Args:
        mean: b, standardized anomalies (C, ny, nx), or (B, C, ny, nx) to give each row of a batch its own.
        error: B, of the states' shape.

    Raises:
        InputError: a mean of another shape, or with values missing.
    """

    mean: Tensor
    error: Spectrum

    def __post_init__(self):
        mean = self.mean if self.mean.ndim == 4 else self.mean[None]
        if tuple(mean.shape[1:]) != tuple(self.error.shape):
            expected = tuple(self.error.shape)
            raise InputError(f"a background of shape {tuple(mean.shape[1:])}, expected that of its error, {expected}")
        if not torch.isfinite(mean).all():
            raise InputError(f"a background with {int((~mean.isfinite()).sum())} values missing, expected numbers")
        object.__setattr__(self, "mean", mean)


class BackgroundPrior:
    """x0 ~ N(b, B) as a `Prior` of x0 - b: the exact denoiser conditioned on a forecast where ocean, forecast and
    observations are linear and Gaussian, preconditioned by B. What a network learns is to be added to it:

        E[x0 - b | z] = B (B + sigma^2)^-1 z,    z = x0 - b + sigma n

    Args:
        background: of the forecast. like: a prior whose state, units and domain are meant; none where there are none.
    """

    name = "background"
    crossover, inflation = math.inf, 1.0

    def __init__(self, background: Background, like: Prior | None = None):
        self.background, self.spectrum, self.shape = background, background.error, tuple(background.error.shape)
        self.state, self.standardizer, self.domain = (
            getattr(like, what, None) for what in ("state", "standardizer", "domain")
        )
        self.between = dict(getattr(like, "between", {}))

    def denoise(self, z: Tensor, sigma: Tensor, context: Tensor | None = None) -> Tensor:
        """E[x0 - b | z], (B, C, ny, nx)."""
        return self.spectrum.wiener_filter(z, sigma)

    def covariance(self, sigma: Tensor, channels=ALL) -> Callable[[Tensor], Tensor]:
        """v -> B sigma^2 / (B + sigma^2) v."""
        return self.spectrum.posterior_covariance(sigma, channels)

    def centred(self, likelihood: LinearGaussian) -> LinearGaussian:
        """The likelihood of x0 - b: y - H b = H (x0 - b) + e."""
        value = torch.atleast_2d(likelihood.value) - likelihood.operator(self.background.mean.to(likelihood.value))
        found = LinearGaussian(likelihood.operator, value, likelihood.variance, likelihood.shared)
        found.observed_channels = likelihood.observed_channels
        found.observed_operator = likelihood.observed_operator
        found.observations = likelihood.observations
        return found


class ProductPrior(BackgroundPrior):
    """A product of the prior and N(b, B), the prior's own N(0, S) divided out, see `with_background`."""

    name = "prior with background"

    def __init__(self, prior: Prior, background: Background):
        super().__init__(background, prior)
        self.prior = prior
        self.crossover, self.inflation = prior.crossover, prior.inflation
        self._s, self._b = matrices(prior.spectrum), matrices(background.error)

    def denoise(self, z: Tensor, sigma: Tensor, context: Tensor | None = None) -> Tensor:
        """E[x0 - b | z], see `with_background`."""
        x, spectrum = z + self.background.mean.to(z), self.prior.spectrum
        further = self.prior.denoise(x, sigma, context) - spectrum.wiener_filter(x, sigma)
        damped = torch.einsum("byxcd,bdyx->bcyx", self.damping(sigma).to(z), spectrum.basis(further))
        return self.spectrum.wiener_filter(z, sigma) + spectrum.basis.inverse(damped)

    def damping(self, sigma: Tensor) -> Tensor:
        """B (B + sigma^2)^-1 (S + sigma^2) S^-1 mode by mode, (1 or B, ny, nx, C, C); one at no noise."""
        noise = torch.as_tensor(sigma, dtype=torch.float64).view(-1, 1, 1, 1, 1) ** 2
        noise = noise * torch.eye(len(self._s[0, 0]), dtype=torch.float64)
        return self._b @ torch.linalg.inv(self._b + noise) @ (self._s + noise) @ torch.linalg.inv(self._s)


def with_background(prior: Prior, background: Background) -> ProductPrior:
    """Tell any prior a forecast, without training: a product of Gaussians at every noise.

    Let D be the prior's denoiser and x0 | x ~ N(D, P), P^-1 = S^-1 + sigma^-2. The prior's own N(0, S) goes, N(b, B)
    comes, and with P~^-1 = P^-1 + B^-1 - S^-1 = B^-1 + sigma^-2

        D~ = P~ (P^-1 D + B^-1 b) = b + W_B (x - b) + G (D - W_S x),    G = B (B + sigma^2)^-1 (S + sigma^2) S^-1

    W_B and W_S being Wiener filters: the filter about the forecast, and what the prior knows beyond its covariance,
    damped where the forecast is sharper. For a Gaussian prior D = W_S x: D~ is exactly the denoiser of N(b, B), and the
    analysis 3D-Var.

    B is limited to S: a forecast is never believed to be worse than climatology, and where it is, tells nothing.

    Raises:
        InputError: B in another basis or of another shape than S; a background that lies more than `LIMIT` standard
            deviations from the prior's climatology.
    """
    spectrum, error = prior.spectrum, background.error
    same = tuple(error.shape) == tuple(spectrum.shape) and all(
        torch.equal(getattr(error.basis, part), getattr(spectrum.basis, part)) for part in ("rows", "columns")
    )
    if not same:
        raise InputError(
            f"a background error of shape {tuple(error.shape)} in functions of its own, expected the prior's "
            f"{tuple(spectrum.shape)} in its functions: see error_of(pairs, prior.spectrum)"
        )
    far = float((background.mean.double() / spectrum.pointwise_variance().sqrt()).abs().max())
    if far > LIMIT:
        raise InputError(
            f"the background lies {far:.0f} standard deviations from the prior's climatology, expected at most "
            f"{LIMIT:g}: look at its units"
        )
    return ProductPrior(prior, Background(background.mean, limited(error, spectrum)))


class Conditional:
    """A Gaussian ocean given a forecast, learned from pairs of both, mode by mode, as a network learns it:

        x0 | b ~ N(A b, B),    A = E[x0 b'] E[b b']^-1,    B = E[x0 x0'] - A E[b x0']

    Without observations A b is a forecast post-processed. Of forecasts from perfect states it learns the model's own
    error B = Q; of those from analyses of its own cycle B = M P M' + Q, in the mean over the days.

    In a cycle A feeds back: forecasts of a filter that lags behind the ocean are too weak, A > 1 mends that, and the
    next cycle, whose model is then A M, may grow without bound where little is observed. There `corrected=False` keeps
    A = 1.

    Args:
        regression: A (ny, nx, C, C). error: B, in whose basis A acts.
    """

    def __init__(self, regression: Tensor, error: Spectrum):
        self.regression, self.error = regression, error

    @classmethod
    def fit(cls, pairs: Iterable[tuple[Tensor, Tensor]], spectrum: Spectrum, corrected: bool = True) -> "Conditional":
        """Of pairs (b, x0) in batches (B, C, ny, nx), in the basis of a spectrum.

        Args:
            corrected: whether forecasts are corrected; if not, A = 1, and B is that of `error_of`.

        Raises:
            InputError: no more pairs than channels.
        """
        bb, xb, xx, count = moments(pairs, spectrum.basis)
        if count <= spectrum.shape[0]:
            raise InputError(
                f"{count} pairs of forecast and truth, expected more than the {spectrum.shape[0]} channels"
            )
        regression = xb @ inverse(bb) if corrected else torch.eye(len(xb[0, 0]), dtype=xb.dtype).expand(xb.shape)
        error = xx - regression @ xb.mT - xb @ regression.mT + regression @ bb @ regression.mT
        return cls(regression, Spectrum(0.5 * (error + error.mT), basis=spectrum.basis))

    def given(self, forecast: Tensor, like: Prior | None = None) -> BackgroundPrior:
        """The prior given forecasts b (C, ny, nx), or (B, C, ny, nx), one for each row of a batch."""
        basis = self.error.basis
        c = basis(forecast if forecast.ndim == 4 else forecast[None])
        mean = basis.inverse(torch.einsum("yxcd,bdyx->bcyx", self.regression.to(c), c))
        return BackgroundPrior(Background(mean, self.error), like)


def error_of(pairs: Iterable[tuple[Tensor, Tensor]], spectrum: Spectrum) -> Spectrum:
    """B in the basis of a spectrum, of pairs (b, x0) in batches (B, C, ny, nx): the covariance of x0 - b."""
    return Spectrum(Spectrum.estimate((x - b for b, x in pairs), spectrum.basis), basis=spectrum.basis)


def matrices(spectrum: Spectrum) -> Tensor:
    """The covariance of each function of the basis, (ny, nx, C, C), double precision."""
    variance = spectrum.variance.double().permute(1, 2, 0)
    if spectrum.univariate:
        return torch.diag_embed(variance)
    vectors = spectrum.vectors.double()
    return vectors * variance[..., None, :] @ vectors.mT


def limited(error: Spectrum, spectrum: Spectrum) -> Spectrum:
    """B, in no direction larger than S: the eigenvalues of S^-1/2 B S^-1/2 are at most one."""
    s, b = matrices(spectrum), matrices(error)
    values, vectors = torch.linalg.eigh(s)
    half, back = ((vectors * values[..., None, :] ** power) @ vectors.mT for power in (0.5, -0.5))
    share, directions = torch.linalg.eigh(back @ b @ back)
    if float(share.max()) <= 1 + 1e-6:
        return error
    found = half @ directions * share.clamp(max=1)[..., None, :] @ directions.mT @ half
    return Spectrum(0.5 * (found + found.mT), basis=spectrum.basis)


def kept_spectrum(name: str, spectrum: Spectrum) -> dict[str, Tensor]:
    """A covariance and its functions, as a checkpoint keeps them."""
    basis = spectrum.basis
    return {
        f"{name}.covariance": matrices(spectrum).float(),
        f"{name}.rows": basis.rows,
        f"{name}.columns": basis.columns,
    }


def spectrum_of(name: str, tensors: dict[str, Tensor]) -> Spectrum | None:
    """What `kept_spectrum` has kept; none where there is nothing."""
    if f"{name}.covariance" not in tensors:
        return None
    basis = Basis(tensors[f"{name}.rows"], tensors[f"{name}.columns"])
    return Spectrum(tensors[f"{name}.covariance"], basis=basis)
