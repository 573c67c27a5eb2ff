"""What a comparison of two arms says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with the bounds of its interval; a bound is infinite where the data do not give one."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Effect:
    """Treatment against control.

    `control`, `treatment`: means of the arms (after CUPED, if adjusted). `absolute`: treatment - control, in the
    metric's unit. `relative`: treatment / control - 1, None where the control's mean is not above 0, as a share of it
    means nothing there. `p_value`: two-sided, of no difference, in [0, 1]. `level`: of the intervals, e.g. 0.95.
    `method`: what was computed, in words.
    """

    control: float
    treatment: float
    absolute: Estimate
    relative: Estimate | None
    p_value: float
    level: float
    method: str
