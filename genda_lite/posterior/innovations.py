"""Whether observations can be what the prior and their errors say of them: two checks of every value, as weather
services make them before an analysis.

Innovations from the climatology, d, should have the covariance A = H S H' + R. The **background check** asks how far a
value lies from the climatology, d_i / A_ii^1/2: those in other units lie far, though they agree with each other. Values
that contradict each other may lie near. The **buddy check** asks how far a value lies from what all others let one
expect, which follows from the weights w = A^-1 d without leaving each out in turn (Dubrule 1983,
doi:10.1007/BF01033232):

    d_i - E[d_i | the others] = w_i / (A^-1)_ii,    of variance 1 / (A^-1)_ii

so that it is w_i / (A^-1)_ii^1/2. Both have unit variance where S and R are right. A_ii and (A^-1)_ii are the variances
of d and w over innovations drawn from S and R: no factor of A is needed but that of the analysis, and H may be any map.

Chi-square, the mean of d_i w_i, is one number for all, and cannot tell an ocean that is wider than the prior's from two
values among thousands that contradict each other. The farthest value, in standard deviations (held-out oceans seen by
all sensors, or by one in two cells of five; the first two rows are the worst of eight days):

                                                   chi-square   climatology   others
    as wide as the prior expects                    1.0              5.9      6.2
    three times, with an offset of two              3.7             14.1     17.2
    all errors a tenth of what they are             6.1              3.5     38.9
    two neighbours 2 m apart, error 1 cm, alone  1334                0.9     60.1
    and among 2,669 others                          4.1              1.7    101.1
    kelvin as degC                                 41              208.8     18.5
    metres as centimetres                         288              306.1    176.8
"""

import warnings

import torch
from torch import Tensor

from ..observe.table import Observations
from ..prior.spectral import INFINITE_NOISE
from ..state import VARIABLES
from .solve import InnovationSolver

DRAWS = 32
LIMIT = 20.0  # standard deviations: real fields in a box of five degrees are 2 to 3 times as wide as the prior's
ADVICE = (
    ("the climatology", "its units (kelvin as degC, centimetres as metres)"),
    ("what the others let one expect", "errors that are too small, and values nearby that contradict each other"),
)


def checks(solve: InnovationSolver, draws: int = DRAWS) -> Tensor:
    """How far each value lies from the climatology, and from what the others let one expect, in standard deviations,
    (2, m)."""
    generator = torch.Generator().manual_seed(0)
    mean = solve.prior.spectrum.variance.new_zeros(1 + draws, *solve.prior.shape)
    solve = solve.at(mean)  # where it is not linear
    likelihood = solve.likelihood
    value = torch.atleast_2d(likelihood.value)[:1]
    white = [torch.randn(draws, n, generator=generator) for n in (value.shape[1], len(likelihood.shared))]
    errors = likelihood.draw_errors(*(noise.to(value) for noise in white))
    drawn = solve.prior.spectrum.sample(draws, generator=generator)
    drawn = likelihood.operator(torch.cat([mean[:1], drawn]))[1:] + errors
    innovations = torch.cat([value, drawn])
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
