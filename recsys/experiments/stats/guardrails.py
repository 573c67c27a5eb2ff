"""Guardrails: tests that an arm is not worse than the control by more than an agreed margin."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from scipy import special

from recsys.errors import ConfigError, DataError
from recsys.experiments.stats.checks import check_arms
from recsys.experiments.stats.effect import Effect, Estimate
from recsys.experiments.stats.fixed import satterthwaite
from recsys.experiments.stats.moments import Moments

Verdict = Literal["safe", "harmed", "unclear"]


@dataclass(frozen=True, slots=True)
class Guardrail:
    """Result of a guardrail.

    `harm`: loss of the arm (above 0 is worse), with its interval, on the margin's scale. `verdict`: "safe" if the whole
    interval is below `margin`, "harmed" if it is not safe and is wholly above 0, "unclear" otherwise. Then the data do
    not rule out harm of `margin`, which does not mean that the arm is safe.
    """

    harm: Estimate
    margin: float
    verdict: Verdict


def guardrail(effect: Effect, margin: float, *, relative: bool = True, higher_is_better: bool = True) -> Guardrail:
    """Test non-inferiority by an effect's interval; it is valid whenever the interval is (one look, or any).

    `margin`: the largest harm that is accepted, above 0: a share of the control's mean (0.01 is 1 %), or in the
    metric's unit with `relative=False`. A two-sided 95 % interval makes it a one-sided test at 2.5 % (ICH E9, 3.3.2).

    Raises:
        ConfigError: for a margin that is not above 0.
        DataError: for a relative margin if there is no lift.
    """
    _check_margin(margin)
    estimate = effect.relative if relative else effect.absolute
    if estimate is None:
        raise DataError(
            f"the control's mean is {effect.control:g}, so there is no relative harm: give an absolute margin"
        )
    harm = Estimate(-estimate.value, -estimate.high, -estimate.low) if higher_is_better else estimate
    verdict: Verdict = "safe" if harm.high < margin else "harmed" if harm.low > 0.0 else "unclear"
    return Guardrail(harm, margin, verdict)


def non_inferiority_p_value(
    treatment: Moments, control: Moments, margin: float, *, relative: bool = True, higher_is_better: bool = True
) -> float:
    """Return the one-sided p-value of harm of at least `margin`, for one look; a small p-value rules out such harm.

    A relative margin m tests treatment - (1 - m) control (Laster & Johnson 2003), which needs no delta method; with
    lower-is-better metrics treatment - (1 + m) control. 1 if there is no variance.

    Raises:
        ConfigError: for a margin that is not above 0.
        DataError: for an arm of fewer than 2 units.
    """
    _check_margin(margin)
    check_arms(treatment=treatment, control=control)
    sign = 1.0 if higher_is_better else -1.0
    factor = 1.0 - sign * margin if relative else 1.0
    shift = 0.0 if relative else sign * margin
    own, other = treatment.variance_of_mean, factor**2 * control.variance_of_mean
    if own + other == 0.0:
        return 1.0
    statistic = sign * (treatment.mean - factor * control.mean + shift) / math.sqrt(own + other)
    freedom = satterthwaite(own, treatment.n, other, control.n)
    return float(special.stdtr(freedom, -statistic))


def _check_margin(margin: float) -> None:
    if not 0.0 < margin < math.inf:
        raise ConfigError(f"margin is {margin}: give the largest harm that is accepted, above 0 such as 0.01")
