"""Significance: intervals of means over users, paired tests, Holm's correction.

A value of NaN says that a metric is not defined for that user (the variety of a list of one); means, intervals and
tests are over the users for whom it is.

Metrics of users are skewed and often 0. An interval is the hull of two: Student's t, and t corrected for skewness
(Hall 1992). It never leaves the exact interval that knows only the range of values (Clopper & Pearson 1934), and is
that one if fewer than FEWEST_DIFFERENT users differ from the most frequent value. A p-value is the smallest alpha whose
interval leaves out 0, so the two always agree.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from recsys.errors import DataError
from recsys.rng import generator

Values = NDArray[np.float64]

RESAMPLES = 2_000
FEWEST_DIFFERENT = 6
"""Fewest users with another value than the most frequent one, for an interval by t: with fewer, such intervals contain
the mean in 65 to 90 % of samples instead of 95 %."""
_SMALLEST_P = 1e-15
_CELLS = 4_000_000
"""Numbers held at once while resampling: 32 MB."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Mean with the bounds of its confidence interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Mean difference a - b over the same users, its interval, and the two-sided p-value of no difference."""

    difference: Interval
    p_value: float


def mean_interval(values: Values, *, signed: bool = False, level: float = 0.95) -> Interval:
    """Return the mean of `values` (Q,) with its interval over users.

    Args:
        values: one value of each user, NaN if not defined. Values lie in [0, 1], or up to the largest one if that is
            above 1.
        signed: values are differences, and lie in the same range on both sides of 0.
        level: level of the interval, in (0, 1).

    Raises:
        DataError: for no values, or none that is defined.
    """
    return mean_intervals(values[:, None], signed=signed, level=level)[0]


def mean_intervals(values: Values, *, signed: bool = False, level: float = 0.95) -> list[Interval]:
    """Do the same as `mean_interval` for each column of `values` (Q, M)."""
    return [_Sample.from_column(column, signed).interval(level) for column in values.T]


def compare(a: Values, b: Values) -> Comparison:
    """Test if two models differ, from their values (Q,) for the same users in the same order.

    Raises:
        DataError: if the lengths differ or are 0, or no user has both values.
    """
    if a.shape != b.shape:
        raise DataError(f"a paired test takes values of the same users, not {a.shape} and {b.shape}")
    sample = _Sample.from_column(a - b, signed=True)
    return Comparison(sample.interval(0.95), sample.p_value())


def paired_p_values(differences: Values) -> Values:
    """Return two-sided p-values (M,) of no difference, from paired `differences` (Q, M).

    Raises:
        DataError: for no values, or none that is defined.
    """
    return np.array([_Sample.from_column(column, signed=True).p_value() for column in differences.T])


@dataclass(frozen=True, slots=True)
class _Sample:
    """What intervals and tests need of n defined values.

    `different`: users with another value than the most frequent one; `error`: standard error of the mean; `skewness` of
    the values; `gained` and `lost`: sums of values above and below 0, in units of `scale`, the largest possible value.
    """

    n: int
    mean: float
    error: float
    skewness: float
    different: int
    scale: float
    gained: float
    lost: float
    signed: bool

    @classmethod
    def from_column(cls, column: Values, signed: bool) -> Self:
        values = column[~np.isnan(column)]
        n = len(values)
        if n == 0:
            raise DataError("there are no values to take a mean of")
        mean, deviation = float(values.mean()), float(values.std(ddof=min(1, n - 1)))
        # Equal values that were computed in different orders differ by rounding.
        counts = np.unique(values.round(12), return_counts=True)[1]
        skewness = 0.0 if deviation == 0.0 else float(((values - mean) ** 3).mean()) / deviation**3
        scale = max(1.0, float(np.abs(values).max()))
        gained, lost = (float(np.clip(sign * values, 0.0, None).sum()) / scale for sign in (1.0, -1.0))
        error = deviation / math.sqrt(n)
        return cls(n, mean, error, skewness, n - int(counts.max()), scale, gained, lost, signed or lost > 0.0)

    def interval(self, level: float) -> Interval:
        low, high = (self.scale * bound for bound in self._range_bounds(1.0 - level))
        if self.different >= FEWEST_DIFFERENT:
            critical = float(special.stdtrit(self.n - 1, (1.0 + level) / 2.0))
            # Both pivots (mean - truth) / error at their quantiles; the hull takes the wider one of each side.
            above = max(critical, self._uncorrected(critical))
            below = min(-critical, self._uncorrected(-critical))
            low, high = max(low, self.mean - above * self.error), min(high, self.mean - below * self.error)
        return Interval(self.mean, min(low, self.mean), max(high, self.mean))

    def p_value(self) -> float:
        exact = self._range_p_value()
        if self.different < FEWEST_DIFFERENT:
            return exact
        t = self.mean / self.error
        nearest = min(abs(t), abs(self._corrected(t)))
        return max(min(exact, 2.0 * float(special.stdtr(self.n - 1, -nearest))), _SMALLEST_P)

    def _corrected(self, t: float) -> float:
        """Correct t for skewness: t + a t² + a² t³ / 3 + a / 2, a = skewness / (3 sqrt(n)) (Hall 1992, eq. 2.4)."""
        a = self.skewness / (3.0 * math.sqrt(self.n))
        return t + a * t**2 + a**2 * t**3 / 3.0 + a / 2.0

    def _uncorrected(self, corrected: float) -> float:
        """Invert `_corrected`, which is monotone."""
        a = self.skewness / (3.0 * math.sqrt(self.n))
        if abs(a) < 1e-9:
            return corrected
        return float(np.cbrt(1.0 + 3.0 * a * (corrected - a / 2.0)) - 1.0) / a

    def _range_bounds(self, alpha: float) -> tuple[float, float]:
        """Return bounds of the mean, in units of scale, from the range of values alone.

        Of all values in [0, 1] with one mean, those that are 0 or 1 vary most. So the interval of a proportion with as
        many successes as the sum of values is wide enough. For differences, gains and losses have one each.
        """
        low, high = _proportion_bounds(self.gained, self.n, alpha)
        if not self.signed:
            return low, high
        least, most = _proportion_bounds(self.lost, self.n, alpha)
        return low - most, high - least

    def _range_p_value(self) -> float:
        sign = 1.0 if self.mean >= 0.0 else -1.0

        def margin(log_alpha: float) -> float:
            low, high = self._range_bounds(math.exp(log_alpha))
            return low if sign > 0.0 else -high

        least = math.log(_SMALLEST_P)
        if margin(0.0) <= 0.0:
            return 1.0
        return _SMALLEST_P if margin(least) > 0.0 else math.exp(float(optimize.brentq(margin, least, 0.0)))


def _proportion_bounds(successes: float, n: int, alpha: float) -> tuple[float, float]:
    """Return the bounds of Clopper & Pearson (1934); `successes` in [0, n] need not be whole."""
    low = float(special.betaincinv(successes, n - successes + 1.0, alpha / 2.0)) if successes > 0.0 else 0.0
    high = float(special.betainccinv(successes + 1.0, n - successes, alpha / 2.0)) if successes < n else 1.0
    return low, high


def resamples(users: int, *, seed: int, times: int = RESAMPLES) -> Iterator[Values]:
    """Draw `times` resamples of `users` with replacement, as counts per user, (c, users) at a time.

    The same seed and number of users give the same resamples, so that whatever is measured on them is paired.
    """
    random = generator(seed, "bootstrap")
    chunk = max(1, _CELLS // max(users, 1))
    for start in range(0, times, chunk):
        size = min(chunk, times - start)
        drawn = random.integers(users, size=(size, users)) + users * np.arange(size)[:, None]
        yield np.bincount(drawn.ravel(), minlength=size * users).reshape(size, users).astype(np.float64)


def holm(p_values: Values) -> Values:
    """Correct p-values (M,) for being M tests of one question (Holm 1979), in the same order, at most 1.

    The i-th smallest is multiplied by M - i + 1 and is never below a smaller one's. It holds whatever the tests'
    dependence, and never rejects less than Bonferroni's.
    """
    order = np.argsort(p_values, kind="stable")
    scaled = p_values[order] * np.arange(len(p_values), 0, -1)
    corrected = np.empty_like(scaled)
    corrected[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return corrected
