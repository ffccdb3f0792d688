"""Muon: gradient descent with momentum whose steps have singular values near one, for the kernels of convolutions."""

import torch
from torch import Tensor

COEFFICIENTS = 3.4445, -4.7750, 2.0315  # of the quintic that draws singular values towards one (Jordan et al. 2024)


def orthogonalized(matrix: Tensor, iterations: int = 5) -> Tensor:
    """A matrix (m, n) with the same singular vectors and singular values near one.

    Each Newton-Schulz iteration is X <- p(X X') X with p(G) = a + b G + c G^2. Polynomials of one matrix commute, so
    all of them can be worked out on the smaller Gram matrix and applied to X once.
    """
    a, b, c = COEFFICIENTS
    x = matrix / (matrix.norm() + 1e-7)
    wide = x.shape[0] <= x.shape[1]
    gram = x @ x.T if wide else x.T @ x
    total = identity = torch.eye(len(gram), dtype=x.dtype, device=x.device)
    for _ in range(iterations):
        p = a * identity + b * gram + c * gram @ gram
        total, gram = p @ total, p @ gram @ p
    return total @ x if wide else x @ total


class Muon(torch.optim.Optimizer):
    """Muon for kernels (out, in, ...), each taken as a matrix with `out` rows.

    K. Jordan et al. (2024), https://kellerjordan.github.io/posts/muon/

    Args:
        lr: length of a step, in units of a matrix with singular values one. momentum: of the gradient (Nesterov's).
        weight_decay: share of the weights that a step of length one takes away.
    """

    def __init__(self, params, lr: float = 0.02, momentum: float = 0.95, weight_decay: float = 0.01):
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:
        """Move every kernel that has a gradient."""
        for group in self.param_groups:
            for kernel in group["params"]:
                if kernel.grad is None:
                    continue
                state = self.state[kernel]
                if not state:
                    state["momentum"] = torch.zeros_like(kernel)
                mean = state["momentum"].lerp_(kernel.grad, 1 - group["momentum"])
                update = kernel.grad.lerp(mean, group["momentum"]).flatten(1)
                rows, columns = update.shape
                scale = max(1.0, rows / columns) ** 0.5
                kernel.mul_(1 - group["lr"] * group["weight_decay"])
                kernel.add_(orthogonalized(update).view_as(kernel), alpha=-group["lr"] * scale)
