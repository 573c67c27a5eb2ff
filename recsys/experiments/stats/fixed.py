"""One look at a time fixed beforehand: two means, by the larger of the pooled and the arms' own standard errors."""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy import special

from recsys.experiments.stats.checks import check_arms, check_between_0_and_1
from recsys.experiments.stats.effect import Effect, Estimate
from recsys.experiments.stats.moments import Moments, expected_values
from recsys.experiments.stats.relative import QuotientVariance, find_lift, unknown_lift

MOST_ERRORS = 1e6
"""Standard errors from which on an interval is given as infinite."""
FEWEST_VALUES = 20
"""Fewest effective values in the smaller arm; below it no statement is made, because intervals cover too seldom."""


def two_means(treatment: Moments, control: Moments, *, level: float = 0.95, shared: float = 0.0) -> Effect:
    """Compare two means at one look, with intervals of the difference and of the lift that agree with the p-value.

    Both Student's t-test with pooled variance and Welch's (1947) must find the difference: the p-value is the larger of
    both, and the intervals are the wider of both. If arms are unequal and values skewed, Welch's test finds losses of
    the smaller arm too often, because few large values make its mean and its error small together; the pooled one finds
    gains too often, because its error does not see them. Neither errs on the side of the other, so that each direction
    is found falsely in at most half of 1 - level. With equal arms both are the same test.

    With the moments of ratios and CUPED it is the delta method's test. Valid for one look only; for a look every day
    use `sequential.always_valid`. Below `FEWEST_VALUES`, or if all values are constant, nothing is stated: intervals
    are infinite, p is 1, and `Effect.needed_units` tells what is missing.

    Raises:
        DataError: for an arm of fewer than 2 units.
        ConfigError: for a level outside (0, 1).
    """
    check_between_0_and_1("level", level)
    return bound_effect(treatment, control, (1.0 - level) / 2.0, level=level, shared=shared, method="one look")


def bound_effect(
    treatment: Moments,
    control: Moments,
    tail: float,
    *,
    level: float,
    shared: float,
    method: str,
    correct: Callable[[float], float] = float,
) -> Effect:
    """Compute the effect whose interval ends where both tests have a one-sided p-value of `tail`.

    `correct`: turns the two-sided p-value of one look into the reported one, at most 1 - level for 2 tail and below.

    Raises:
        DataError: for an arm of fewer than 2 units.
    """
    check_arms(treatment=treatment, control=control)
    n, m, difference = treatment.n, control.n, treatment.mean - control.mean
    own = treatment.variance_of_mean + control.variance_of_mean
    values = expected_values(treatment, control)
    critical, p_value = math.inf, 1.0
    if values >= FEWEST_VALUES and own > 0.0:
        pooled = ((n - 1) * treatment.variance + (m - 1) * control.variance) / (n + m - 2) * (1.0 / n + 1.0 / m)
        own_freedom = satterthwaite(treatment.variance_of_mean, n, control.variance_of_mean, m)
        tests = ((math.sqrt(pooled), n + m - 2.0), (math.sqrt(own), own_freedom))
        p_value = correct(
            max(2.0 * float(special.stdtr(freedom, -abs(difference) / error)) for error, freedom in tests)
        )
        pooled_critical, critical = (-float(special.stdtrit(freedom, tail)) for _, freedom in tests)
    if tail == 0.0 or not critical < MOST_ERRORS:
        absolute, relative = Estimate(difference, -math.inf, math.inf), unknown_lift(treatment, control)
    else:
        margin = max(pooled_critical * tests[0][0], critical * tests[1][0])
        absolute = Estimate(difference, difference - margin, difference + margin)
        relative = None
        if control.mean > 0.0:
            lifts = (
                find_lift(
                    treatment, control, QuotientVariance.from_pooled(treatment, control, shared), pooled_critical
                ),
                find_lift(treatment, control, QuotientVariance.from_own(treatment, control, shared), critical),
            )
            relative = Estimate(lifts[0].value, min(one.low for one in lifts), max(one.high for one in lifts))
    needed = None
    if values < FEWEST_VALUES:
        # Without a single value so far, one more may be the first: as many units again at least.
        needed = math.ceil((n + m) * FEWEST_VALUES / max(values, 1.0))
    return Effect(control.mean, treatment.mean, absolute, relative, p_value, level, method, values, needed)


def satterthwaite(own: float, n: int, other: float, m: int) -> float:
    """Return the degrees of freedom of the sum of two variances of means, of n and m units.

    Source: Satterthwaite 1946, eq. 17.

    From shares of the sum, so that no square under- or overflows; the sum is above 0.
    """
    share = own / (own + other)
    return 1.0 / (share**2 / (n - 1) + (1.0 - share) ** 2 / (m - 1))
