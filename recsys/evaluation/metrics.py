"""Ranking metrics, one value a user, and how sure their means are.

Everywhere `rows` (Q, k) are ranked item rows, best first, padded with -1 (as in `Ranked.rows`), and `relevant`
(Q, I) is a CSR whose positive entries are the user's relevant items. Metrics give (Q,) float64 in [0, 1]; the k
of "@k" is the width of `rows`. They raise DataError for a user without a relevant item, for whom none is defined.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys.errors import DataError
from recsys.rng import generator
from recsys.schema import BoolArray, IntArray

Values = NDArray[np.float64]

RESAMPLES = 2_000


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and the bounds of its confidence interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """The mean difference a - b over the same users, its interval, and the two-sided p-value of none."""

    difference: Interval
    p_value: float


def recall(rows: IntArray, relevant: csr_matrix) -> Values:
    """Hits among the k, divided by the number of relevant items.

    This is the convention of LightGCN (He et al. 2020). The other one in use divides by min(k, relevant items),
    so that 1 can always be reached; its values are never lower.
    """
    return np.asarray(hits(rows, relevant).sum(axis=1) / _relevant_counts(relevant))


def hit_rate(rows: IntArray, relevant: csr_matrix) -> Values:
    """1 if any of the k is relevant, else 0."""
    _relevant_counts(relevant)
    return np.asarray(hits(rows, relevant).any(axis=1), dtype=np.float64)


def ndcg(rows: IntArray, relevant: csr_matrix) -> Values:
    """Normalised discounted cumulative gain (Järvelin and Kekäläinen 2002).

    Gains are 0 or 1, the discount is 1 / log2(rank + 1), the ideal has min(k, relevant items) hits on top.
    """
    k = rows.shape[1]
    discounts = 1.0 / np.log2(np.arange(2, k + 2))
    ideal = np.cumsum(discounts)[np.minimum(_relevant_counts(relevant), k) - 1]
    # summed in rank order like the ideal, so that an ideal ranking gets 1 to the last bit
    gains = np.cumsum(hits(rows, relevant) * discounts, axis=1)[:, -1]
    return np.asarray(gains / ideal)


def reciprocal_rank(rows: IntArray, relevant: csr_matrix) -> Values:
    """1 / rank of the first relevant item, 0 if none is among the k. Its mean is MRR@k."""
    _relevant_counts(relevant)
    found = hits(rows, relevant)
    return np.where(found.any(axis=1), 1.0 / (found.argmax(axis=1) + 1), 0.0)


def average_precision(rows: IntArray, relevant: csr_matrix) -> Values:
    """Precision at the rank of each hit, summed, divided by min(k, relevant items). Its mean is MAP@k."""
    k = rows.shape[1]
    found = hits(rows, relevant)
    precisions = np.cumsum(found, axis=1) / np.arange(1, k + 1)
    return np.asarray((precisions * found).sum(axis=1) / np.minimum(_relevant_counts(relevant), k))


def coverage(rows: IntArray, items: int) -> float:
    """The share of the `items` of the catalogue that anybody is shown, in [0, 1]."""
    return len(np.unique(rows[rows >= 0])) / items


def hits(rows: IntArray, relevant: csr_matrix) -> BoolArray:
    """Whether each ranked item is relevant: (Q, k)."""
    users, items = relevant.shape
    if len(rows) != users:
        raise DataError(f"{len(rows)} rankings cannot be measured against {users} rows of relevant items")
    offsets = np.arange(users)[:, None] * items
    owners = np.repeat(np.arange(users), np.diff(relevant.indptr))
    keys = (owners * items + relevant.indices)[relevant.data > 0]
    return np.isin(rows + offsets, keys) & (rows >= 0)


def bootstrap_mean(values: Values, *, seed: int, level: float = 0.95) -> Interval:
    """The mean of `values` (Q,) with its percentile bootstrap interval over users (Efron 1979).

    Raises DataError for no values.
    """
    if len(values) == 0:
        raise DataError("there are no values to take a mean of")
    random = generator(seed, "bootstrap")
    means = [values[random.integers(len(values), size=len(values))].mean() for _ in range(RESAMPLES)]
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(values.mean()), float(low), float(high))


def compare(a: Values, b: Values, *, seed: int) -> Comparison:
    """Whether two models differ, from their values (Q,) for the same users in the same order.

    The interval is a paired bootstrap; the p-value is a paired permutation test that flips the signs of the
    differences at random (Fisher 1935; Smucker et al. 2007), its smallest value being 1 / (1 + resamples).
    Raises DataError if the lengths differ or are 0.
    """
    if a.shape != b.shape:
        raise DataError(f"a paired test takes values of the same users, not {a.shape} and {b.shape}")
    differences = a - b
    interval = bootstrap_mean(differences, seed=seed)
    random = generator(seed, "permutation")
    flips = (random.choice((-1.0, 1.0), size=len(differences)) for _ in range(RESAMPLES))
    nulls = np.array([abs(float(np.mean(signs * differences))) for signs in flips])
    # sums in another order differ by rounding: an equally extreme permutation must still count as one
    extreme = int(np.count_nonzero(nulls >= abs(interval.mean) - 1e-12))
    return Comparison(interval, (1 + extreme) / (1 + RESAMPLES))


def _relevant_counts(relevant: csr_matrix) -> NDArray[np.int64]:
    """(Q,) relevant items of each user. Raises DataError if a user has none."""
    owners = np.repeat(np.arange(relevant.shape[0]), np.diff(relevant.indptr))
    counts = np.bincount(owners[relevant.data > 0], minlength=relevant.shape[0])
    if not counts.all():
        raise DataError(f"user {int(counts.argmin())} has no relevant item: leave such users out and count them")
    return counts
