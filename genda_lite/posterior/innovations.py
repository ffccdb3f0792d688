"""Whether observations can be what the prior and their errors say of them: two checks of every value, as weather
services make them before an analysis.

Innovations from the climatology, d = y, should have the covariance A = H S H' + R. The **background check** asks how far
a value lies from the climatology, d_i / A_ii^1/2: values in other units lie far. Many of them agree with each other, and
values that contradict each other may both lie near. The **buddy check** therefore asks how far a value lies from what
all others let one expect. With w = A^-1 d, without leaving any out in turn (Dubrule 1983, doi:10.1007/BF01033232),

    y_i - E[y_i | the others] = w_i / (A^-1)_ii,    with the variance 1 / (A^-1)_ii

so that it is w_i / (A^-1)_ii^1/2. Both are of unit variance where S and R are right, and a sum of d_i w_i is chi-square.
A_ii and (A^-1)_ii are the variances of d and w over innovations that are drawn from S and R: so the checks cost no
factor of A that the analysis does not need, and H may be any linear map.
"""

import warnings

import torch
from torch import Tensor

from ..observe.table import Observations
from ..prior.spectral import INFINITE_NOISE
from ..state import VARIABLES
from .solve import InnovationSolver

DRAWS = 32
LIMIT = 20.0  # standard deviations
ADVICE = (
    ("the climatology", "its units (kelvin as degC, centimetres as metres)"),
    ("what the others let one expect", "errors that are too small, and values nearby that contradict each other"),
)


def checks(solve: InnovationSolver, draws: int = DRAWS) -> Tensor:
    """How far each value lies from the climatology, and from what the others let one expect, in standard deviations,
    (2, m)."""
    likelihood, generator = solve.likelihood, torch.Generator().manual_seed(0)
    white = [torch.randn(draws, n, generator=generator) for n in (len(likelihood.value), len(likelihood.shared))]
    errors = likelihood.draw_errors(*(noise.to(likelihood.value) for noise in white))
    drawn = likelihood.operator(solve.prior.spectrum.sample(draws, generator=generator)) + errors
    innovations = torch.cat([likelihood.value[None], drawn])
    found = torch.stack([innovations, solve(INFINITE_NOISE, innovations)])
    return found[:, 0].abs() / found[:, 1:].square().mean(1).sqrt()


def check_innovations(solve: InnovationSolver, observations: Observations) -> None:
    """Warn, in one sentence, of values that cannot be reconciled with the prior, the others and their errors.

    Args:
        solve: of a likelihood whose first values are those of the table. observations: the table.
    """
    far = checks(solve)
    suspect = (far > LIMIT).sum(1).tolist()
    if not any(suspect):
        return
    kind = 0 if suspect[0] else 1
    (than, first), place = ADVICE[kind], int(far[kind].argmax())
    worst = f"value {place - len(observations)} of the linear observations"
    if place < len(observations):
        channel, row = observations.channel[place], observations.select([place])
        units = VARIABLES[channel]["units"]
        worst = (
            f"{channel} of source {row.source[0]} at {row.latitude[0]:.2f} N {row.longitude[0]:.2f} E, "
            f"{row.value[0]:.4g} {units} with an error of {row.error[0]:.2g} {units}"
        )
    warnings.warn(
        f"{suspect[kind]} of {far.shape[1]} observations lie more than {LIMIT:g} standard deviations from {than}, the "
        f"farthest {far[kind, place]:.0f} ({worst}): the analysis will not be sensible; look first at {first}",
        stacklevel=3,
    )
