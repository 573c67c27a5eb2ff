"""Sequential monitoring, valid at any time: boundaries of standardized estimates, and the p-values that go with them.

Without a declared end the boundary is that of an asymptotic confidence sequence,
Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2024), Time-uniform central limit theory and asymptotic confidence
sequences, Annals of Statistics 52(6), theorem 2.2. With Normal data of known variance it is the mixture sequential
probability ratio test of Johari, Koomen, Pekelis & Walsh (2022), eq. 12.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import ArrayLike
from scipy import special
from scipy.optimize import brentq

from recsys.errors import ConfigError
from recsys.experiments.stats.checks import check_between_0_and_1
from recsys.experiments.stats.effect import Effect
from recsys.experiments.stats.fixed import bound_effect
from recsys.experiments.stats.moments import Moments, Values

EARLY = 0.7
"""Share of the planned boundary at the end that stays at its begin, on the scale of B. At 1 (O'Brien & Fleming) early
looks find nothing and a wrong plan costs much; at 0.5 it needs 10 % more units. 0.7 needs 1.32 times those of one look.
"""
PLANNED_LOOKS = 20
"""Daily looks of a planned experiment, about three weeks; power is computed for them."""


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


def planned_boundary(progress: ArrayLike, level: float = 0.95) -> Values:
    """Return the half-width of the interval in standard errors, if the end of the experiment was declared.

    `progress`: share s of the planned run that is over, above 0 (any shape); 1 at the declared end. The estimate in
    standard errors times the square root of s is a Brownian motion if there is no effect. Its boundary is two lines:
    a + (c - a) s up to s = 1, and a s + (c - a) from there on, with a = `EARLY` c. At the end that is 2.51 standard
    errors for 95 %; `boundary` needs 3.04, because it is not tuned to an end. It holds at all times, later ones
    included. At half and at twice the planned size it is as wide as `boundary`.
    """
    check_between_0_and_1("level", level)
    s = _check_progress(progress)
    return np.asarray(_at_end(level) * _lines(s) / np.sqrt(s))


def planned_p_values(z: ArrayLike, progress: ArrayLike) -> Values:
    """Return p-values that are valid at all times of an experiment of declared end; see `planned_boundary`.

    p <= 1 - level exactly if the interval of that level leaves out 0: it is the probability that the boundary, moved to
    the estimate, is ever crossed without an effect.
    """
    s = _check_progress(progress)
    at_end = np.abs(np.asarray(z, dtype=np.float64)) * np.sqrt(s) / _lines(s)
    return np.minimum(2.0 * _crossing(at_end), 1.0)


def planned_power(errors: float, level: float = 0.95) -> float:
    """Return the probability that an effect is found in its direction at one of `PLANNED_LOOKS` up to the declared end.

    `errors`: the true effect in standard errors at the end. It is the probability that a Brownian motion of drift
    `errors` is above the first line of `planned_boundary` at some time up to 1 (Siegmund 1985, eq. 3.15). The line is
    raised by 0.583 standard deviations of the motion between two looks, because they miss peaks (ibid., eq. 10.20).
    """
    c = _at_end(level)
    start, drift = EARLY * c + 0.583 / math.sqrt(PLANNED_LOOKS), errors - (1.0 - EARLY) * c
    later = math.exp(2.0 * start * drift + float(special.log_ndtr(-start - drift)))
    return float(special.ndtr(drift - start)) + later


def always_valid(
    treatment: Moments,
    control: Moments,
    *,
    tightest_at: float,
    progress: float | None = None,
    level: float = 0.95,
    shared: float = 0.0,
) -> Effect:
    """Compare two means, with intervals and a p-value that hold at all looks together, for any stopping rule.

    The p-value of one look (`fixed.two_means`) is turned into standard errors of a Normal, and these into the p-value
    of any look; so it is never below that of one look. Assumes that units come in at random, in constant shares (a
    changed split starts a new experiment). Also assumes that a unit's value does not grow after it came in, or grows
    equally in all arms. Then each look estimates the same effect. For few large values (revenue) winsorize.

    `progress`: share of the planned run that is over, if the end was declared before the first look: then
    `planned_boundary` is used, else `boundary` with `tightest_at`.

    Raises:
        DataError: for an arm of fewer than 2 units.
        ConfigError: for a level outside (0, 1), or a `tightest_at` or `progress` that is not above 0.
    """
    units = treatment.n + control.n
    if progress is None:
        critical = float(boundary(units, tightest_at=tightest_at, level=level))
        method = "any look"
    else:
        critical = float(planned_boundary(progress, level))
        method = "any look until a declared end"

    def correct(p_value: float) -> float:
        if p_value == 0.0:
            return 0.0
        z = -special.ndtri(p_value / 2.0)
        if progress is None:
            return float(p_values(z, units, tightest_at=tightest_at, level=level))
        return float(planned_p_values(z, progress))

    return bound_effect(
        treatment,
        control,
        float(special.ndtr(-critical)),
        level=level,
        shared=shared,
        method=method,
        correct=correct,
    )


def _check_progress(progress: ArrayLike) -> Values:
    s = np.asarray(progress, dtype=np.float64)
    if not (s > 0.0).all():
        raise ConfigError(f"progress is {s}: give the share of the planned run that is over, above 0")
    return s


def _lines(s: Values) -> Values:
    return np.asarray(EARLY * np.maximum(s, 1.0) + (1.0 - EARLY) * np.minimum(s, 1.0))


def _crossing(c: Values) -> Values:
    """Return the probability that a Brownian motion ever crosses the two lines that meet at (1, c).

    From b at time 1, it has crossed the first line with probability exp(-2 a (c - b)) and will cross the second with
    the same, independently (Siegmund 1985, eq. 3.12, and time inversion). The mean over b ~ N(0, 1), with
    E[exp(-k (c - b)); b < c] = exp(k²/2 - k c) Phi(c - k).
    """

    def mean(k: float) -> Values:
        # k is a multiple of c; in logarithms, because the exponential alone overflows.
        return np.asarray(np.exp(c * c * (k * k / 2.0 - k) + special.log_ndtr(c * (1.0 - k))))

    return np.asarray(special.ndtr(-c) + 2.0 * mean(2.0 * EARLY) - mean(4.0 * EARLY))


@cache
def _at_end(level: float) -> float:
    """Return the standard errors at the declared end for which either boundary is ever crossed in 1 - level."""
    alpha = 1.0 - level
    return float(brentq(lambda c: 2.0 * float(_crossing(np.asarray(c))) - alpha, 0.1, 40.0, xtol=1e-12))


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
