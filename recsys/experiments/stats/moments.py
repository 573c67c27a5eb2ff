"""Sufficient statistics of one arm: numbers, means and covariances over units, which merge without the data.

Variances are unbiased (divided by n - 1). Parts are merged by the pairwise update of Chan, Golub & LeVeque (1983,
eq. 2.1), which loses no digits if means are large beside deviations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsys.errors import DataError

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sum of the absolute values of a column, and sum of their squares; they add over parts and arms."""

    total: float
    squares: float

    @property
    def effective(self) -> float:
        """Effective number of values, total² / squares (Kish 1965): of zeros and ones, the number of ones.

        Equal values count 1 each; values that are small beside the largest ones count little.
        """
        return self.total**2 / self.squares if self.squares > 0.0 else 0.0

    def __add__(self, other: Sizes) -> Sizes:
        return Sizes(self.total + other.total, self.squares + other.squares)


@dataclass(frozen=True, slots=True)
class Moments:
    """Units `n`, `mean` in the metric's unit and `variance` in its square, of one arm; 0 if n is too small.

    `sizes`: of the values before CUPED; for a ratio of its numerator and its denominator. Empty if they are not known.
    """

    n: int
    mean: float
    variance: float
    sizes: tuple[Sizes, ...] = ()

    @classmethod
    def from_values(cls, values: ArrayLike) -> Moments:
        """Compute moments of values (n,), one per unit; raise DataError for values that are not finite."""
        return JointMoments.from_columns(values).marginal()

    @property
    def variance_of_mean(self) -> float:
        """Variance / n: the squared standard error of the mean."""
        return self.variance / self.n

    def __add__(self, other: Moments) -> Moments:
        return (self._joint() + other._joint()).marginal()

    def _joint(self) -> JointMoments:
        return JointMoments(self.n, np.array([self.mean]), np.array([[self.variance]]), self.sizes)


@dataclass(frozen=True, slots=True, eq=False)
class JointMoments:
    """Units `n`, `means` (d,) and `covariance` (d, d) of several values of the same units of one arm.

    The order of columns is the metric's (its value; or its numerator and its denominator), then covariates. `sizes`: of
    the first column; after `ratio` of numerator and denominator.
    """

    n: int
    means: Values
    covariance: Values
    sizes: tuple[Sizes, ...] = ()

    @classmethod
    def from_columns(cls, *columns: ArrayLike) -> JointMoments:
        """Compute moments of columns (n,) or (n, k), side by side; raise DataError for unequal lengths, NaN, inf."""
        parts = [np.asarray(column, dtype=np.float64) for column in columns]
        lengths = {len(part) for part in parts}
        if len(lengths) != 1:
            raise DataError(f"columns of one arm have lengths {sorted(lengths)}: give one value a unit in each")
        table = np.column_stack(parts)
        wrong = int(np.count_nonzero(~np.isfinite(table)))
        if wrong:
            raise DataError(f"{wrong} values are not finite: fill or drop these units (covariates: `fill_missing`)")
        n, first = len(table), table[:, 0]
        sizes = (Sizes(float(np.abs(first).sum()), float(first @ first)),)
        if n == 0:
            return cls(0, np.zeros(table.shape[1]), np.zeros((table.shape[1],) * 2), sizes)
        means = table.mean(axis=0)
        centered = table - means
        return cls(n, means, centered.T @ centered / max(n - 1, 1), sizes)

    def marginal(self, column: int = 0) -> Moments:
        """Return the moments of one column; only the first has sizes."""
        sizes = self.sizes if column == 0 else ()
        return Moments(self.n, float(self.means[column]), float(self.covariance[column, column]), sizes)

    def ratio(self) -> JointMoments:
        """Return moments of the linearized ratio of the first two columns, and of the covariates.

        Unit i becomes r + (N_i - r D_i) / mean(D) with r = mean(N) / mean(D), whose mean is r and whose variance / n is
        the delta method's variance of r (Deng, Knoblich & Lu 2018, eq. 5). Units are independent; the parts of a unit
        (requests of a user) need not be. The approximation needs a mean denominator many standard errors from 0.

        Raises:
            DataError: if the mean denominator is 0.
        """
        numerator, denominator = self.means[:2]
        if denominator == 0.0:
            raise DataError("the denominator of a ratio is 0 for every unit of an arm: there is no ratio to compare")
        ratio = numerator / denominator
        d = len(self.means)
        linear = np.zeros((d - 1, d))
        linear[0, :2] = 1.0 / denominator, -ratio / denominator
        linear[1:, 2:] = np.eye(d - 2)
        # Denominators are counts, so their absolute values are the values.
        squares = max(self.n - 1, 0) * self.covariance[1, 1] + self.n * denominator**2
        sizes = (*self.sizes, Sizes(float(self.n * denominator), float(squares)))
        return JointMoments(self.n, np.array([ratio, *self.means[2:]]), linear @ self.covariance @ linear.T, sizes)

    def __add__(self, other: JointMoments) -> JointMoments:
        n = self.n + other.n
        if self.n == 0 or other.n == 0:
            return self if other.n == 0 else other
        step = other.means - self.means
        squares = max(self.n - 1, 0) * self.covariance + max(other.n - 1, 0) * other.covariance
        squares = squares + np.outer(step, step) * (self.n * other.n / n)
        sizes = tuple(own + more for own, more in zip(self.sizes, other.sizes, strict=False))
        return JointMoments(n, self.means + step * (other.n / n), squares / (n - 1), sizes)


def expected_values(arm: Moments, other: Moments) -> float:
    """Return the effective number of values that the smaller of two arms would have if both were alike.

    It is taken from both arms together: an arm without a single purchase beside a control with many says a lot.
    Infinite if the arms do not know their sizes.
    """
    both = [own + more for own, more in zip(arm.sizes, other.sizes, strict=False)]
    share = min(arm.n, other.n) / (arm.n + other.n)
    return min((sizes.effective * share for sizes in both), default=float("inf"))


def jackknife_variance(numerator: Values, denominator: Values) -> float:
    """Compute the delete-one jackknife variance of sum(numerator) / sum(denominator), units (n,) of one arm.

    (n - 1) / n times the sum of squared deviations of the n ratios without one unit (Efron & Stein 1981, eq. 1.2). It
    is much above the delta method's variance if one unit holds much of the denominator, so the delta method fails.
    Infinite if one unit holds the whole denominator.

    Raises:
        DataError: for fewer than 2 units.
    """
    n = len(numerator)
    if n < 2:
        raise DataError(f"{n} units: the jackknife leaves one out, so it needs 2")
    rest = denominator.sum() - denominator
    if not (rest > 0.0).all():
        return float("inf")
    without = (numerator.sum() - numerator) / rest
    return float((n - 1) / n * np.sum(np.square(without - without.mean())))
