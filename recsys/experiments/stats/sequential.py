"""Sequential monitoring, valid at any time: asymptotic confidence sequences and the p-values that go with them.

Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2024), Time-uniform central limit theory and asymptotic confidence
sequences, Annals of Statistics 52(6), theorem 2.2. With Normal data of known variance it is the mixture sequential
probability ratio test of Johari, Koomen, Pekelis & Walsh (2022), eq. 12.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from recsys.errors import ConfigError
from recsys.experiments.stats.checks import check_arms, check_between_0_and_1
from recsys.experiments.stats.effect import Effect, Estimate
from recsys.experiments.stats.moments import Moments, Values
from recsys.experiments.stats.relative import Lift, relative_lift, unknown_lift

FEWEST = 100
"""Fewest units in the smaller arm; below it no interval is given, because the theory is asymptotic."""


def boundary(units: ArrayLike, *, tightest_at: float, level: float = 0.95) -> Values:
    """Return the half-width of the interval in standard errors, at any number of `units` (of both arms; any shape).

    sqrt((x + 1) / x * ln((x + 1) / alpha²)), x = units rho². The probability that a true mean is outside at any look is
    at most alpha = 1 - level as units grow. `tightest_at`: number of units at which the interval is narrowest, the
    planned size; rho follows in closed form by Lambert's W. There the interval is about 1.5 times as wide as for one
    look, and wider before and after.
    """
    x = np.asarray(units, dtype=np.float64) * _rho_squared(tightest_at, level)
    return np.asarray(np.sqrt((x + 1.0) / x * (np.log1p(x) - 2.0 * math.log1p(-level))))


def p_values(z: ArrayLike, units: ArrayLike, *, tightest_at: float, level: float = 0.95) -> Values:
    """Return always-valid p-values of estimates `z` standard errors from 0, at `units`, at most 1.

    p <= 1 - level exactly if the interval of that level leaves out 0. Without an effect, the probability that p is at
    most alpha at any look is at most alpha. `level` only tunes, together with `tightest_at`.
    """
    x = np.asarray(units, dtype=np.float64) * _rho_squared(tightest_at, level)
    squared = np.square(np.asarray(z, dtype=np.float64))
    return np.asarray(np.exp(np.minimum(0.5 * (np.log1p(x) - squared * x / (x + 1.0)), 0.0)))


def running_p_values(looks: ArrayLike) -> Values:
    """Return the smallest p-value so far at each look (T,): also valid, and a finding stays a finding."""
    return np.minimum.accumulate(np.asarray(looks, dtype=np.float64))


def always_valid(
    treatment: Moments,
    control: Moments,
    *,
    tightest_at: float,
    level: float = 0.95,
    shared: float = 0.0,
    lift: Lift = "auto",
) -> Effect:
    """Compare two means, with intervals and a p-value that hold at all looks together, for any stopping rule.

    Assumes that units come in at random, in constant shares (a changed split starts a new experiment). Also assumes
    that a unit's value does not grow after it came in, or grows equally in all arms. Then each look estimates the same
    effect. Below `FEWEST` units in an arm, or without any spread, the intervals are infinite and p is 1. For few large
    values (revenue) winsorize.

    Raises:
        DataError: for an arm of fewer than 2 units.
        ConfigError: for a level outside (0, 1) or a `tightest_at` that is not above 0.
    """
    check_arms(treatment=treatment, control=control)
    units = treatment.n + control.n
    difference = treatment.mean - control.mean
    error = math.sqrt(treatment.variance_of_mean + control.variance_of_mean)
    critical = float(boundary(units, tightest_at=tightest_at, level=level))
    if min(treatment.n, control.n) < FEWEST or error == 0.0:
        margin, p_value = math.inf, 1.0
        relative = unknown_lift(treatment, control)
    else:
        margin = critical * error
        p_value = float(p_values(difference / error, units, tightest_at=tightest_at, level=level))
        relative = relative_lift(treatment, control, critical, shared=shared, method=lift)
    absolute = Estimate(difference, difference - margin, difference + margin)
    return Effect(
        control.mean, treatment.mean, absolute, relative, p_value, level, "asymptotic confidence sequence, any look"
    )


def _rho_squared(tightest_at: float, level: float) -> float:
    """Return rho² that minimizes the boundary at `tightest_at`.

    Sources: Waudby-Smith et al. 2024, appendix; Howard et al. 2021.

    The minimum over x of (x + 1) / x * ln((x + 1) / alpha²) is at x = ln((x + 1) / alpha²), so
    x = -W(-alpha² / e) - 1 on W's lower branch.
    """
    check_between_0_and_1("level", level)
    if not tightest_at > 0.0:
        raise ConfigError(f"tightest_at is {tightest_at}: give the planned number of units, above 0")
    lambert = special.lambertw(-((1.0 - level) ** 2) / math.e, -1).real
    return (-float(lambert) - 1.0) / tightest_at
