"""Significance: bootstrap intervals over users, paired permutation tests, Holm's correction.

A value of NaN says that a metric is not defined for that user (the variety of a list of one); means, intervals and
tests are over the users for whom it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.errors import DataError
from recsys.rng import generator

Values = NDArray[np.float64]

RESAMPLES = 2_000
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


def bootstrap_mean(values: Values, *, seed: int, level: float = 0.95) -> Interval:
    """Return the mean of `values` (Q,) with its percentile bootstrap interval over users (Efron 1979).

    Raises DataError for no values, or none that is defined.
    """
    return bootstrap_means(values[:, None], seed=seed, level=level)[0]


def bootstrap_means(values: Values, *, seed: int, level: float = 0.95) -> list[Interval]:
    """Do the same as `bootstrap_mean` for each column of `values` (Q, M), on the same resamples of users."""
    defined = ~np.isnan(values)
    _check_some(defined)
    filled = np.where(defined, values, 0.0)
    # One product with sums and counts side by side: (c, Q) @ (Q, 2 M).
    both = np.hstack([filled, defined])
    totals = np.vstack([counts @ both for counts in resamples(len(values), seed=seed)])
    sums, sizes = np.hsplit(totals, 2)
    # A resample may miss the few users for whom a metric is defined; it then says nothing about its mean.
    means = np.divide(sums, sizes, out=np.full_like(sums, np.nan), where=sizes > 0)
    low, high = np.nanquantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    center = filled.sum(axis=0) / defined.sum(axis=0)
    return [Interval(*map(float, bounds)) for bounds in zip(center, low, high, strict=True)]


def resamples(users: int, *, seed: int, times: int = RESAMPLES) -> Iterator[Values]:
    """Draw `times` resamples of `users` with replacement, as counts per user, (c, users) at a time.

    The same seed and number of users give the same resamples, so that whatever is measured on them is paired.
    """
    random = generator(seed, "bootstrap")
    for size in _chunks(users, times):
        drawn = random.integers(users, size=(size, users)) + users * np.arange(size)[:, None]
        yield np.bincount(drawn.ravel(), minlength=size * users).reshape(size, users).astype(np.float64)


def compare(a: Values, b: Values, *, seed: int) -> Comparison:
    """Test if two models differ, from their values (Q,) for the same users in the same order.

    The interval is a paired bootstrap; for the p-value see `permutation_p_values`. Raises DataError if the lengths
    differ or are 0.
    """
    if a.shape != b.shape:
        raise DataError(f"a paired test takes values of the same users, not {a.shape} and {b.shape}")
    differences = a - b
    p_value = float(permutation_p_values(differences[:, None], seed=seed)[0])
    return Comparison(bootstrap_mean(differences, seed=seed), p_value)


def permutation_p_values(differences: Values, *, seed: int) -> Values:
    """Return two-sided p-values (M,) of no difference, from paired `differences` (Q, M).

    Signs are flipped at random (Fisher 1935; Smucker et al. 2007). The smallest value is 1 / (1 + RESAMPLES).
    Raises DataError for no values, or none that is defined.
    """
    defined = ~np.isnan(differences)
    _check_some(defined)
    # Where it is not defined there is no difference, whatever its sign; sums are compared, so sizes do not matter.
    filled = np.where(defined, differences, 0.0)
    random = generator(seed, "permutation")
    observed = np.abs(filled.sum(axis=0))
    # Sums in another order differ by rounding: an equally extreme permutation must still count as one.
    slack = 1e-12 * np.maximum(np.abs(filled).sum(axis=0), 1.0)
    extreme = np.zeros(filled.shape[1], dtype=np.int64)
    for size in _chunks(len(filled), RESAMPLES):
        signs = np.where(random.random((size, len(filled))) < 0.5, -1.0, 1.0)
        extreme += np.count_nonzero(np.abs(signs @ filled) >= observed - slack, axis=0)
    return np.asarray((1 + extreme) / (1 + RESAMPLES))


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


def _chunks(users: int, times: int) -> Iterator[int]:
    size = max(1, _CELLS // max(users, 1))
    for start in range(0, times, size):
        yield min(size, times - start)


def _check_some(defined: NDArray[np.bool_]) -> None:
    if not len(defined) or not defined.any(axis=0).all():
        raise DataError("there are no values to take a mean of")
