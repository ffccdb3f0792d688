"""Ensemble Kalman filters with localization: the classical peers of a generative cycle.

A few members know the covariance of a forecast's error roughly: what they say of places far apart is chance.
Localization lets an observation act only near its place, by Gaspari & Cohn's (1999) function of compact support.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from ..errors import InputError


def gaspari_cohn(distance: Tensor, radius: float) -> Tensor:
    """The fifth-order function of Gaspari & Cohn (1999, eq. 4.10): one at no distance, zero beyond twice the radius."""
    z = distance / radius
    near = 1 - 5 / 3 * z**2 + 5 / 8 * z**3 + 1 / 2 * z**4 - 1 / 4 * z**5
    z = z.clamp(1, 2)
    far = 4 - 5 * z + 5 / 3 * z**2 + 5 / 8 * z**3 - 1 / 2 * z**4 + 1 / 12 * z**5 - 2 / (3 * z)
    return torch.where(distance < radius, near, torch.where(distance < 2 * radius, far, 0.0))


def letkf(ensemble: Tensor, observed: Tensor, values: Tensor, variance: Tensor, taper: Tensor) -> Tensor:
    """The local ensemble transform Kalman filter (Hunt, Kostelich & Szunyogh 2007): at each point

        A = ((N - 1) I + Y' R^-1 Y)^-1,    w = A Y' R^-1 (y - y_mean),    W = ((N - 1) A)^1/2

    and the members are x_mean + X (w + W), with 1 / R of an observation multiplied by its taper at the point. All
    points at once.

    Args:
        ensemble: (N, points). observed: H of it, (N, m). values: y (m,). variance: of its errors (m,).
        taper: (m, points), between zero and one.

    Returns:
        (N, points).

    Raises:
        InputError: fewer than two members, or another number of them observed.
    """
    mean, departures = ensemble.mean(0), ensemble - ensemble.mean(0)
    return mean + torch.einsum("jp,pji->ip", departures, transforms(ensemble, observed, values, variance, taper))


def transforms(ensemble: Tensor, observed: Tensor, values: Tensor, variance: Tensor, taper: Tensor) -> Tensor:
    """w + W of `letkf` for each point, (points, N, N)."""
    members = len(ensemble)
    if members < 2 or len(observed) != members:
        raise InputError(f"{members} members and {len(observed)} of them observed, expected the same, at least two")
    y = observed - observed.mean(0)
    weighted = y[:, None] * (taper.T / variance)  # (N, points, m)
    matrix = torch.einsum("ipm,jm->pij", weighted, y)
    matrix = matrix + (members - 1) * torch.eye(members, dtype=y.dtype, device=y.device)
    eigen, vectors = torch.linalg.eigh(matrix)
    pulled = torch.einsum("ipm,m->pi", weighted, values - observed.mean(0))[..., None]
    weights = vectors @ ((vectors.mT @ pulled) / eigen[..., None])
    return weights + vectors * ((members - 1) / eigen).sqrt()[:, None] @ vectors.mT


def letkf_of_fields(
    ensemble: Tensor,
    observed: Tensor,
    values: Tensor,
    variance: Tensor,
    distance: Callable[[slice, slice], Tensor],
    radius: float,
    block: int = 16,
) -> Tensor:
    """The `letkf` of fields, all channels of a cell by the same weights; blocks of cells one after the other, each with
    the observations that reach it.

    Args:
        ensemble: (N, C, ny, nx). observed: (N, m).
        distance: rows and columns -> distances of their cells from all observations (m, rows, columns).
        radius: of `gaspari_cohn`, in the units of the distance. block: cells a side.

    Returns:
        (N, C, ny, nx).

    Raises:
        InputError: see `letkf`.
    """
    out, mean = ensemble.clone(), ensemble.mean(0)
    ny, nx = ensemble.shape[-2:]
    for south in range(0, ny, block):
        for west in range(0, nx, block):
            here = slice(south, min(south + block, ny)), slice(west, min(west + block, nx))
            taper = gaspari_cohn(distance(*here).flatten(1), radius)
            near = taper.amax(1) > 0
            if not near.any():
                continue
            part = ensemble[..., here[0], here[1]]
            found = transforms(part, observed[:, near], values[near], variance[near], taper[near].to(observed))
            centre = mean[:, here[0], here[1]]
            moved = torch.einsum("jcp,pji->icp", (part - centre).flatten(2), found.to(part))
            out[..., here[0], here[1]] = centre + moved.view(part.shape)
    return out


def enkf(
    ensemble: Tensor,
    observed: Tensor,
    values: Tensor,
    variance: Tensor,
    taper: Tensor,
    among: Tensor,
    generator: torch.Generator | None = None,
) -> Tensor:
    """The ensemble Kalman filter with perturbed observations (Burgers, van Leeuwen & Evensen 1998), its covariances
    tapered (Houtekamer & Mitchell 2001).

    Args:
        taper, among: of observations with points (m, points), and with each other (m, m). Others as in `letkf`.

    Returns:
        (N, points).
    """
    x, y = ensemble - ensemble.mean(0), observed - observed.mean(0)
    scale = 1 / (len(ensemble) - 1)
    cross, own = taper.T * (x.T @ y) * scale, among * (y.T @ y) * scale
    noise = torch.randn(observed.shape, generator=generator, dtype=values.dtype) * variance.sqrt()
    noise = noise - noise.mean(0)
    weights = torch.linalg.solve(own + torch.diag(variance), (values + noise - observed).T)
    return ensemble + (cross @ weights).T
