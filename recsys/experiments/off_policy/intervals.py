"""Intervals of estimates, from the influence function and the tails of rewards. Users are the independent units.

Decisions of one user share a taste, and a bandit chooses by earlier ones, so errors are summed by user first. With one
decision per user nothing changes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from recsys.errors import DataError
from recsys.experiments.off_policy.estimators import Terms
from recsys.experiments.off_policy.log import Values
from recsys.experiments.stats.effect import Estimate
from recsys.rng import generator
from recsys.schema import BoolArray, IntArray

FEWEST = 2
"""Fewest users: an interval needs the variance between users."""
RESAMPLES = 2_000
MAX_DEVIATION = 5.0
"""Largest deviation of logarithms of a tail; that of money is 1 to 2. Larger ones would pass what floats can hold."""
ROUNDING = 1e-9
"""Share of the largest value below which a value counts as 0."""
FEWEST_IN_TAIL = 5
MOST_IN_TAIL = 100
"""Largest number of users in a tail that is drawn anew; the others are the body, which is near Normal."""


def standard_error(influence: Values, units: IntArray) -> float:
    """Compute the standard error of the mean of `influence` (n,), of mean 0, over users `units` (n,).

    sqrt(G / (G - 1) sum over users of (sum of their influence)²) / n with G users (Liang & Zeger 1986; for one decision
    per user, the usual one).

    Raises:
        DataError: for fewer than FEWEST users.
    """
    return _error_of(per_unit(influence[:, None], units)[:, 0], len(influence))


def by_influence(
    terms: Terms,
    units: IntArray,
    level: float = 0.95,
    *,
    bias: float = 0.0,
    rewards: Values | None = None,
    seed: int = 0,
) -> Estimate:
    """Return the value with its interval, from its influence function and its possible `bias` (0 or more).

    Without bias the interval is V ± c standard errors, c being the quantile of Student's t with (users - 1) degrees of
    freedom. With bias, c is multiplied by the quantile of |N(bias / standard error, 1)| over that of |N(0, 1)|, which
    covers both signs of the bias (Armstrong & Kolesár 2020, eq. 4).

    Money has heavy tails, so that t reaches 80 to 90 % instead of 95 %. Given the `rewards` (n,), each side of the
    interval is the wider one of t and of a bootstrap-t whose tails are drawn from a fitted law (`_studentized`). The
    value does not change.
    """
    influence = terms.influence
    sums = per_unit(influence[:, None], units)[:, 0]
    error = _error_of(sums, len(influence))
    critical = -float(special.stdtrit(len(sums) - 1, (1.0 - level) / 2.0))
    below, above = -critical, critical
    if rewards is not None and error > 0.0:
        rewarded = per_unit((rewards != 0.0).astype(np.float64)[:, None], units)[:, 0] > 0.0
        studentized = _studentized(sums, rewarded, seed)
        low, high = np.quantile(studentized, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
        below, above = min(below, float(low)), max(above, float(high))
    if bias > 0.0 and error > 0.0:
        square = special.chndtrix(level, 1.0, (bias / error) ** 2) / special.chndtrix(level, 1.0, 0.0)
        below, above = (side * math.sqrt(float(square)) for side in (below, above))
    return Estimate(terms.value, terms.value - above * error, terms.value - below * error)


@dataclass(frozen=True, slots=True, eq=False)
class _Tail:
    """Tail of one side: users `members` (j,) above `threshold`.

    Their law is the upper part of a lognormal one: threshold exp(deviation (Z - start)), Z standard Normal beyond
    `start`.
    """

    members: IntArray
    threshold: float
    start: float
    deviation: float

    def draw(self, random: np.random.Generator, users: int) -> tuple[Values, Values, Values]:
        """Draw sums, sums of squares and expected sums of the tail of RESAMPLES samples of `users` users.

        The deviation is uncertain, too: that of each sample is drawn from its posterior, an inverse chi-square law.
        """
        j = len(self.members)
        deviations = np.minimum(self.deviation * np.sqrt(j / random.chisquare(j, RESAMPLES)), MAX_DEVIATION)
        counts = random.binomial(users, j / users, RESAMPLES)
        sample = np.repeat(np.arange(RESAMPLES), counts)
        share = float(special.ndtr(-self.start))
        beyond = -special.ndtri(share * (1.0 - random.random(len(sample))))
        values = self.threshold * np.exp(deviations[sample] * (beyond - self.start))
        # E[exp(d Z) | Z > start] = exp(d² / 2) Phi(d - start) / Phi(-start)
        shifted = special.log_ndtr(deviations - self.start) - math.log(share)
        means = self.threshold * np.exp(deviations**2 / 2.0 - deviations * self.start + shifted)
        sums, squares = (np.bincount(sample, power, RESAMPLES).astype(np.float64) for power in (values, values**2))
        return sums, squares, means * j


def _studentized(sums: Values, rewarded: BoolArray, seed: int) -> Values:
    """Draw RESAMPLES values of (mean - truth) / standard error as the sums (G,) of users would vary.

    Resamples of the data never contain a larger reward than the log, so a plain bootstrap has too light tails. Here
    users in the tails are drawn from a law that was fitted to them (the semi-parametric bootstrap of Davidson &
    Flachaire 2007, with a lognormal instead of a Pareto tail); sums and squares of all others are Normal.
    """
    random = generator(seed, "tails of rewards")
    users, body = len(sums), np.ones(len(sums), dtype=np.bool_)
    totals, squares, expected = np.zeros((3, RESAMPLES))
    for sign in (1.0, -1.0):
        tail = _fit_tail(sign * sums, rewarded)
        if tail is not None:
            body[tail.members] = False
            drawn = tail.draw(random, users)
            totals, squares, expected = totals + sign * drawn[0], squares + drawn[1], expected + sign * drawn[2]
    inside = np.where(body, sums, 0.0)
    both = np.vstack([inside, inside**2])
    center = both.mean(axis=1)
    rest = random.multivariate_normal(center * users, np.cov(both) * users, RESAMPLES, method="eigh")
    means = (rest[:, 0] + totals) / users
    variances = (np.maximum(rest[:, 1], 0.0) + squares) / users - means**2
    # A resample without spread says nothing; it counts as infinitely far on its side.
    errors = np.sqrt(np.maximum(variances, np.finfo(np.float64).tiny) / (users - 1))
    return np.asarray((means - center[0] - expected / users) / errors)


def _fit_tail(values: Values, rewarded: BoolArray) -> _Tail | None:
    """Fit the upper tail of `values` (G,) of users with a reward: the upper half of them, at most MOST_IN_TAIL.

    The deviation of logarithms comes from the mean square of log(value / threshold), which of a Normal variable beyond
    `start` is 1 + start² - start phi(start) / Phi(-start). None if there are fewer than FEWEST_IN_TAIL, or all equal.
    """
    # What is left of 0 after rounding is no value: its logarithm would be far below all others.
    candidates = np.flatnonzero(rewarded & (values > ROUNDING * np.max(values, initial=0.0)))
    size = min(len(candidates) // 2, MOST_IN_TAIL)
    if size < FEWEST_IN_TAIL:
        return None
    order = candidates[np.argsort(-values[candidates], kind="stable")]
    # The threshold is the first value below the tail, so that no member lies on it.
    members, threshold = order[:size], float(values[order[size]])
    share = size / len(candidates)
    start = -float(special.ndtri(share))
    hazard = math.exp(-0.5 * start**2) / math.sqrt(2.0 * math.pi) / share
    expected = 1.0 + start**2 - start * hazard
    deviation = math.sqrt(float(np.mean(np.log(values[members] / threshold) ** 2)) / expected)
    return None if deviation == 0.0 else _Tail(members, threshold, start, min(deviation, MAX_DEVIATION))


def _error_of(sums: Values, rows: int) -> float:
    users = len(sums)
    if users < FEWEST:
        raise DataError(f"the log has decisions of {users} users: at least {FEWEST} are needed for an interval")
    return math.sqrt(users / (users - 1) * float(sums @ sums)) / rows


def per_unit(columns: Values, units: IntArray) -> Values:
    """Sum `columns` (n, c) over the rows of each user, (G, c)."""
    codes = recode_units(units)
    return np.column_stack([np.bincount(codes, weights=column) for column in columns.T])


def recode_units(units: IntArray) -> IntArray:
    """Return codes (n,) without gaps, from 0 to the number of users minus one."""
    return np.asarray(np.unique(units, return_inverse=True)[1], dtype=np.int64)
