"""DiffDA's own way with observations (Huang et al. 2024, arXiv 2401.05932): interpolate, mask softly, and repaint.

Observed values, as departures from the forecast or the climatology, are **kriged** to a full map. A **soft mask** says
how much the map is trusted, one at an observation and less around it. **RePaint** (Lugmayr et al. 2022, arXiv
2201.09865) samples the prior, and at every noise paints over what is known: with the map's noised values where the mask
is one, the sample's own where it is zero. What is painted does not fit what is sampled beside it, and so RePaint goes
back up to more noise and down again, many times (**jumps** and **resampling**): from each of 30 levels ten times in
DiffDA's 300 steps, 2,910 calls of the network.

No likelihood is asked: the method cannot be told an error R. `error` noises the known part to its own error, and leaves
it to the sample below that noise: at an observed point the value then is y plus what the prior makes of an error of
that size. It knows nothing of how far neighbours, or the error itself, should move the value.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from ..errors import InputError
from ..prior.base import Prior
from ..prior.samplers import MemberNoise

STEPS, LENGTH, SAMPLES = 300, 10, 10  # DiffDA's: 2,910 calls
RANGE, NEIGHBOURS, WIDTH = 600.0, 9, 1.5  # of its kriging (km), and of its mask (cells)


def kriged(
    values: Tensor,
    between: Tensor,
    apart: Tensor,
    range_: float = RANGE,
    neighbours: int = NEIGHBOURS,
    simple: bool = False,
) -> Tensor:
    """Kriging from the nearest observations: the weights of least error where correlations are exp(-d / range),
    Matern's of order 1/2 (Cressie 1993, sections 3.2 and 3.4). Ordinary, where the mean is unknown, and simple, where
    it is zero,

        [C 1; 1' 0] [w; l] = [c; 1],    C w = c

    DiffDA krigs anomalies by the simple weights (what pyinterp calls universal kriging has no drift either). One small
    system for each point of the grid, all at once.

    Args:
        values: (B, m). between: distances from points to observations (points, m). apart: among observations (m, m), in
            the units of `range_`. neighbours: how many observations serve a point; all, if there are fewer.
        simple: the mean is zero.

    Returns:
        (B, points).

    Raises:
        InputError: no observations, or two in one place.
    """
    points, m = between.shape
    if not m or values.shape[-1] != m or apart.shape != (m, m):
        raise InputError(f"{values.shape[-1]} values at {m} places, expected one each, at least one")
    if float((apart + torch.eye(m).to(apart)).min()) <= 0:
        raise InputError("two observations in one place, expected their mean: kriging weights would be undefined")
    near = between.topk(min(neighbours, m), largest=False).indices  # (points, k)
    k = near.shape[1]
    system = between.new_ones(points, k + 1, k + 1)
    system[:, :k, :k] = torch.exp(-apart[near[:, :, None], near[:, None, :]] / range_)
    system[:, k, k] = 0
    right = between.new_ones(points, k + 1)
    right[:, :k] = torch.exp(-between.gather(1, near) / range_)
    if simple:
        system, right = system[:, :k, :k], right[:, :k]
    weights = torch.linalg.solve(system, right)[:, :k]
    return (values[:, near].to(weights) * weights).sum(-1)


def soft_mask(between: Tensor, width: float = WIDTH) -> Tensor:
    """How much the interpolated map is trusted: at each point the greatest of Gaussians about the observations.

    Args:
        between: distances from points to observations (points, m), in cells. width: standard deviation, cells; zero is
            a hard mask, one at observed points and zero elsewhere.

    Returns:
        (points,), between zero and one.
    """
    nearest = between.min(1).values
    return (nearest < 1e-6).to(between) if width == 0 else torch.exp(-0.5 * (nearest / width) ** 2)


def ddpm_levels(steps: int = STEPS, first: float = 1e-4, last: float = 0.02, full: int = 1000) -> Tensor:
    """Noise levels sigma of DDPM's linear schedule (Ho et al. 2020), as many of its 1000 evenly, falling, then zero:

    sigma^2 = (1 - a) / a,    a = product of 1 - beta
    """
    a = torch.cumprod(1 - torch.linspace(first, last, full, dtype=torch.float64), 0)
    chosen = torch.linspace(full - 1, 0, steps).round().long()
    return torch.cat([((1 - a) / a).sqrt()[chosen], torch.zeros(1)]).float()


def jumps(steps: int = STEPS, length: int = LENGTH, samples: int = SAMPLES) -> Iterator[tuple[int, int]]:
    """RePaint's way through the noise levels (its algorithm 1 with the jumps of appendix B): pairs of levels from, to.

    Levels are counted down from `steps` to zero. Each time one arrives at a multiple of `length` below the top one goes
    back up by `length`, until the stretch has been sampled `samples` times.

    Raises:
        InputError: fewer than one step, a jump or a number of samples below one.
    """
    if min(steps, length, samples) < 1:
        raise InputError(f"steps {steps}, length {length}, samples {samples}: expected one or more of each")
    left = dict.fromkeys(range(0, steps - length, length), samples - 1)
    level = steps
    while level:
        yield level, level - 1
        level -= 1
        if left.get(level):
            left[level] -= 1
            yield level, level + length
            level += length


def calls(steps: int = STEPS, length: int = LENGTH, samples: int = SAMPLES) -> int:
    """How often the denoiser is called."""
    return sum(to < now for now, to in jumps(steps, length, samples))


@torch.no_grad()
def repaint(
    prior: Prior,
    known: Tensor,
    mask: Tensor,
    members: int,
    context: Tensor | None = None,
    seed: int = 0,
    steps: int = STEPS,
    length: int = LENGTH,
    samples: int = SAMPLES,
    eta: float = 0.0,
    fresh: bool = True,
    error: float = 0.0,
    noise: MemberNoise | None = None,
) -> Tensor:
    """Draws (members, C, ny, nx) from a prior, repainted with what is known.

    Written for x = x0 + sigma n. Down, the sample takes a step of DDIM; then x <- m (known + sigma n) + (1 - m) x. Up,
    noise is added, x <- x + (sigma'^2 - sigma^2)^1/2 n.

    Args:
        known: the interpolated map (C, ny, nx), or (members, C, ny, nx), standardized. mask: m (C or 1, ny, nx).
        eta: fresh noise of the steps down, zero is DDIM, one DDPM.
        fresh: new noise at every jump up; if not, each visit to a level adds the same, as in the published code.
        error: of the observations, standard deviation: the known part is noised to sigma from its own error up, and
            not painted below it.
        noise: in place of that of the seed.

    Raises:
        InputError: a map or a mask of another shape than the prior's states, or a mask not between zero and one.
    """
    shape = tuple(prior.shape)
    if tuple(known.shape[-3:]) != shape or (known.ndim == 4 and len(known) not in (1, members)):
        raise InputError(f"a known map of shape {tuple(known.shape)}, expected {shape}, or {members} of them")
    if mask.shape[-2:] != known.shape[-2:] or not bool(((mask >= 0) & (mask <= 1)).all()):
        raise InputError(f"a mask of shape {tuple(mask.shape)}, expected {shape} between 0 and 1")
    sigmas = ddpm_levels(steps).flip(0)  # by level: zero first
    noise, spectrum = noise or MemberNoise(seed, range(members), shape, known.device), prior.spectrum
    x = spectrum.from_modes(spectrum.variance.sqrt() * noise()) + sigmas[-1] * noise()
    added: dict[int, Tensor] = {}
    for now, to in jumps(steps, length, samples):
        sigma, following = sigmas[now], sigmas[to]
        if to > now:
            white = noise() if fresh else added.setdefault(now, noise())
            x = x + (following**2 - sigma**2).sqrt() * white
            continue
        estimate = prior.denoise(x, sigma, context)
        new = eta * following * (1 - (following / sigma) ** 2).sqrt()
        x = estimate + (following**2 - new**2).sqrt() / sigma * (x - estimate)
        if eta:
            x = x + new * noise()
        if following >= error:
            painted = known + (following**2 - error**2).sqrt() * noise()
            x = mask * painted + (1 - mask) * x
    return x
