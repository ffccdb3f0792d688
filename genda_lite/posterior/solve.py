"""Systems of innovations, (H P H' + R) v = d, and the draws that their solutions give."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..observe.likelihood import LinearGaussian
from ..prior.base import Prior
from ..prior.spectral import INFINITE_NOISE

DIRECT = 2000  # observations; for more, a factor takes much memory, and soon longer than iterations without it
REUSE = 30.0  # a factor serves until the noise has fallen by this much; with 3 a third more time for the same result
MAX_ITERATIONS, TOLERANCE = 100, 1e-3
FEW = 3  # iterations, where H is another for each row and something near it is known


def conjugate_gradients(
    matrix: Callable[[Tensor], tuple[Tensor, Tensor]],
    rhs: Tensor,
    precondition: Callable[[Tensor, int], Tensor],
    max_iterations: int,
    tolerance: float = 0.0,
) -> Tensor:
    """Solve A v = b for a symmetric positive A, each row of b (B, m) on its own (Hestenes & Stiefel 1952), and return
    L v for a linear L. A row also ends where A is not positive along its direction.

    Args:
        matrix: p -> (A p, L p); L p = p gives v itself, and what was computed on the way to A p costs nothing more.
        precondition: (r, iteration) -> an approximation of A^-1 r, which may change from one iteration to the next, or
            itself be iterative (Notay 2000).
        tolerance: a row is solved when its residual has fallen below this fraction of its start; it then stays as it
            is, so that the result does not depend on the rows beside it.
    """
    residual, total = rhs, 0.0
    z = precondition(residual, 0)
    direction, power = z, (residual * z).sum(-1, keepdim=True)
    rounding = 10 * torch.finfo(rhs.dtype).eps  # of what is left below it no direction can be told
    goal = max(tolerance, rounding) ** 2 * power
    for iteration in range(max_iterations):
        unsolved = power > goal
        if iteration and not unsolved.any():
            break
        image, companion = matrix(direction)
        curvature = (direction * image).sum(-1, keepdim=True)
        step = torch.where(unsolved & (curvature > 0), power / curvature, 0.0)
        total = total + step.view(-1, *[1] * (companion.ndim - 1)) * companion
        if iteration + 1 == max_iterations:
            break
        change = step * image
        residual = residual - change
        z = precondition(residual, iteration + 1)
        previous, power = power, (residual * z).sum(-1, keepdim=True)
        direction = z - (z * change).sum(-1, keepdim=True) / previous.clamp(min=1e-30) * direction
    return total


class InnovationSolver:
    """Solves (H P H' + R) v = d, P = S sigma^2 (S + sigma^2)^-1: how much each observation still pulls at noise sigma.

    By conjugate gradients. Up to `DIRECT` observations they are preconditioned by a Cholesky factor of the matrix at
    the noise s at which it was last needed. As P grows with sigma, and P / sigma^2 falls, for s >= sigma

        (sigma / s)^2 A(s) <= A(sigma) <= A(s),    A(sigma) = H P H' + R

    so that few iterations are needed until the noise has fallen by `REUSE`, however many the observations and small
    their errors. All members share the factor.

    More observations are preconditioned by R and the mean variance of what is unknown, or by R alone where nothing is
    known, which there takes a third fewer iterations. Where errors are small and observations dense the iterations may
    end early; the finest differences between neighbouring observations then wait for a later step, at less noise, where
    they converge. What must be right at once, optimal interpolation itself, is given more of them.

    Where H differs from row to row, as that of a decoder does, there is no common factor. A likelihood that names one
    `near` it is preconditioned by the system of that, and ends after `FEW` iterations, each of which costs a product
    with H and one with H'.

    Args:
        max_iterations: of conjugate gradients. tolerance: residual at which a row is solved, relative to its start.
    """

    def __init__(
        self,
        prior: Prior,
        likelihood: LinearGaussian,
        max_iterations: int = MAX_ITERATIONS,
        tolerance: float = TOLERANCE,
    ):
        self.prior, self.likelihood = prior, likelihood
        self.max_iterations, self.tolerance = max_iterations, tolerance
        self.direct = likelihood.common and likelihood.value.shape[-1] <= DIRECT
        self.factor, self.factored_at = None, torch.tensor(0.0)
        self.near = None if likelihood.near is None else InnovationSolver(prior, likelihood.near)

    def at(self, x: Tensor) -> "InnovationSolver":
        """With H as it is near states x; itself for observations that are linear."""
        here = self.likelihood.at(x)
        if here is self.likelihood:
            return self
        iterations = self.max_iterations if self.near is None else min(FEW, self.max_iterations)
        solve = InnovationSolver(self.prior, here, iterations, self.tolerance)
        solve.near = self.near  # with its factor
        return solve

    def __call__(self, sigma: Tensor, innovation: Tensor) -> Tensor:
        """v for each row of d, (B, m)."""
        likelihood, observe = self.likelihood, self.likelihood.observed_operator
        covariance = self.prior.covariance(sigma, likelihood.observed_channels)

        def matrix(v: Tensor) -> tuple[Tensor, Tensor]:
            return observe(covariance(observe.adjoint(v))) + likelihood.covariance(v), v

        if self.direct and not self.factored_at / REUSE <= sigma <= self.factored_at:
            self.factor = None  # makes room
            self.factor, self.factored_at = cholesky(lambda v: matrix(v)[0], innovation), sigma

        def precondition(residual: Tensor, _: int) -> Tensor:
            if self.near is not None:
                return self.near(sigma, residual)
            if self.factor is not None:
                return torch.cholesky_solve(residual.mT, self.factor).mT
            unknown = self.prior.spectrum.posterior_variance(sigma).mean() if sigma.isfinite() else 0.0
            return likelihood.precision(residual, extra=unknown)

        return conjugate_gradients(matrix, innovation, precondition, self.max_iterations, self.tolerance)


def cholesky(matrix: Callable[[Tensor], Tensor], like: Tensor, batch: int = 64) -> Tensor | None:
    """The factor of a symmetric m x m matrix that is given as a function of rows (B, m), found in double precision;
    none where rounding has left the matrix short of positive, as tiny errors may."""
    m = like.shape[-1]
    dense = like.new_empty(m, m, dtype=torch.float64)
    for some in torch.arange(m, device=like.device).split(batch):
        dense[some] = matrix(torch.nn.functional.one_hot(some, m).to(like)).double()
    factor, failed = torch.linalg.cholesky_ex(dense)
    return None if failed else factor.to(like)


def perturbations(solve: InnovationSolver, sigma: Tensor, draws: Tensor, errors: Tensor) -> Tensor:
    """Draws of what remains unknown of N(0, P) once it is observed, P = S sigma^2 (S + sigma^2)^-1:

        p - P H' (H P H' + R)^-1 (H p + e),    p ~ N(0, P), e ~ N(0, R)

    (Matheron's rule, e.g. Journel & Huijbregts 1978). Their covariance is P - P H' (H P H' + R)^-1 H P. Infinite sigma
    leaves P = S.

    Args:
        draws: p (B, C, ny, nx). errors: e (B, m).
    """
    operator = solve.likelihood.operator
    weights = solve(sigma, operator(draws) + errors)
    return draws - solve.prior.covariance(sigma)(operator.adjoint(weights))


def interpolated(solve: InnovationSolver) -> Tensor:
    """The mean of optimal interpolation, S H' (H S H' + R)^-1 y, (1 or B, C, ny, nx)."""
    weights = solve(INFINITE_NOISE, torch.atleast_2d(solve.likelihood.value))
    return solve.prior.covariance(INFINITE_NOISE)(solve.likelihood.operator.adjoint(weights))
