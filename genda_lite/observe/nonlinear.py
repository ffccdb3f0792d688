"""Observations that are no linear map of a state, y = f(x) + e: linearized about each estimate of the state.

    y ~ f(a) + G (x - a) + e,    G = df/dx at a

This is again a linear likelihood of x, with values y - f(a) + G a. A guidance asks for it `at` its estimate in each
step, as the extended Kalman filter does at each forecast (Jazwinski 1970). Each iteration costs one product with G and
one with G', and no further call of the prior.
"""

from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor

from .likelihood import LinearGaussian
from .operators import Operator


class Tangent:
    """G = df/dx at states, one for each row of a batch. Products from the left use the chain rule backwards (VJP),
    products from the right its transpose (JVP). Neither calls f again.

    Args:
        function: f, states (B, C, ny, nx) -> values (B, m), differentiable, of each row by itself.
        at: a, states (B, C, ny, nx).

    Attributes:
        value: f(a), (B, m).
    """

    def __init__(self, function: Callable[[Tensor], Tensor], at: Tensor):
        with torch.enable_grad():
            self.at = at.detach().requires_grad_()
            self.seen = function(self.at)
            self.weights = torch.zeros_like(self.seen, requires_grad=True)
            # G' w is linear in w, and so its derivative by w is G', whatever w.
            self.pulled = torch.autograd.grad(self.seen, self.at, self.weights, create_graph=True)[0]
        self.shape, self.value = tuple(at.shape[1:]), self.seen.detach()

    def to(self, like: Tensor) -> "Tangent":
        """It stays where the states are."""
        return self

    def __call__(self, x: Tensor) -> Tensor:
        """G x: (B, C, ny, nx) -> (B, m)."""
        return torch.autograd.grad(self.pulled, self.weights, x, retain_graph=True)[0]

    def adjoint(self, y: Tensor) -> Tensor:
        """G' y: (B, m) -> (B, C, ny, nx)."""
        return torch.autograd.grad(self.seen, self.at, y, retain_graph=True)[0]


class Function:
    """f in the place of an operator. It has no adjoint; `Nonlinear.at` has one."""

    def __init__(self, function: Callable[[Tensor], Tensor]):
        self.function = function

    def to(self, like: Tensor) -> "Function":
        """The function is taken to work on any device."""
        return self

    def __call__(self, x: Tensor) -> Tensor:
        """f(x): states (B, C, ny, nx) -> values (B, m)."""
        return self.function(x)


class Nonlinear(LinearGaussian):
    """A likelihood y = f(x) + e, e ~ N(0, R), in standardized units; see `LinearGaussian` for value and R.

    Args:
        function: f, states (B, C, ny, nx) -> values (B, m), differentiable, of each row by itself.
        near: a linear operator that comes near f, for all states the same. Systems of innovations are then
            preconditioned by it, and few iterations solve them (see `posterior.solve`).
    """

    common = False

    def __init__(
        self,
        function: Callable[[Tensor], Tensor],
        value: Tensor,
        variance: Tensor,
        shared: Tensor | None = None,
        near: Operator | None = None,
    ):
        self.near = None if near is None else LinearGaussian(near, value, variance, shared)
        super().__init__(Function(function), value, variance, shared)

    def to(self, device: str | torch.device) -> Self:
        """Move to a device."""
        super().to(device)
        if self.near is not None:
            self.near.to(device)
        return self

    def at(self, x: Tensor) -> LinearGaussian:
        """Linearized about states x (B, C, ny, nx), one for each row."""
        tangent = Tangent(self.operator, x)
        value = self.value - tangent.value + tangent(x)
        linear = LinearGaussian(tangent, value, self.variance, self.shared)
        linear.common, linear.near = False, self.near
        return linear
