"""Result of a comparison of two arms."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Estimate:
    """Value with the bounds of its interval; a bound is infinite if the data do not give one."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Effect:
    """Treatment against control.

    `control`, `treatment`: means of the arms (after CUPED, if adjusted). `absolute`: treatment - control, in the
    metric's unit. `relative`: treatment / control - 1, None if the control's mean is not above 0, because a share of it
    has no meaning then. `p_value`: two-sided, of no difference, in [0, 1]. `level`: of the intervals, e.g. 0.95.
    `method`: name of the computation, in words.

    `values`: effective number of values of the smaller arm, from which the effect is computed (`expected_values`).
    `needed_units`: units of both arms at which there would be enough of them for a statement; None if there are. Until
    then the bounds are infinite and the p-value is 1.
    """

    control: float
    treatment: float
    absolute: Estimate
    relative: Estimate | None
    p_value: float
    level: float
    method: str
    values: float = math.inf
    needed_units: int | None = None
