"""One look at a time fixed beforehand: Welch's test of two means."""

from __future__ import annotations

import math

from scipy import special

from recsys.experiments.stats.checks import check_arms, check_between_0_and_1
from recsys.experiments.stats.effect import Effect, Estimate
from recsys.experiments.stats.moments import Moments
from recsys.experiments.stats.relative import Lift, relative_lift, unknown_lift


def welch(
    treatment: Moments, control: Moments, *, level: float = 0.95, shared: float = 0.0, lift: Lift = "auto"
) -> Effect:
    """Run Welch's t-test (Welch 1947) with the interval of the difference and of the lift.

    t = (t - c) / sqrt(v_t / n_t + v_c / n_c), Satterthwaite's degrees of freedom. Assumes independent units and means
    that are near Normal; a mean of very skewed values needs more units (about 355 skewness² per arm, Kohavi et al.
    2014, rule 7), or `winsorize`. With the moments of ratios and CUPED it is the delta method's z-test with the
    slightly wider quantiles of t. Valid for one look only; for a look every day use `sequential.always_valid`.
    If all values of both arms are constant, the variance is not known: the interval is infinite and p is 1.

    Raises:
        DataError: for an arm of fewer than 2 units.
        ConfigError: for a level outside (0, 1).
    """
    check_between_0_and_1("level", level)
    check_arms(treatment=treatment, control=control)
    difference = treatment.mean - control.mean
    error = math.sqrt(treatment.variance_of_mean + control.variance_of_mean)
    if error == 0.0:
        margin, p_value = math.inf, 1.0
        relative = unknown_lift(treatment, control)
    else:
        freedom = satterthwaite(treatment.variance_of_mean, treatment.n, control.variance_of_mean, control.n)
        critical = -float(special.stdtrit(freedom, (1.0 - level) / 2.0))
        margin = critical * error
        p_value = 2.0 * float(special.stdtr(freedom, -abs(difference) / error))
        relative = relative_lift(treatment, control, critical, shared=shared, method=lift)
    absolute = Estimate(difference, difference - margin, difference + margin)
    return Effect(control.mean, treatment.mean, absolute, relative, p_value, level, "Welch's t-test, one look")


def satterthwaite(own: float, n: int, other: float, m: int) -> float:
    """Return the degrees of freedom of the sum of two variances of means, of n and m units.

    Source: Satterthwaite 1946, eq. 17.

    From shares of the sum, so that no square under- or overflows; the sum is above 0.
    """
    share = own / (own + other)
    return 1.0 / (share**2 / (n - 1) + (1.0 - share) ** 2 / (m - 1))
