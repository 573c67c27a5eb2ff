"""Accuracy metrics of rankings, one value per user; `beyond_accuracy` has the others.

Everywhere `rows` (Q, k) are ranked item rows, best first, padded with -1 (as in `Ranked.rows`), and `relevant`
(Q, I) is a CSR whose positive entries are the user's relevant items. Metrics give (Q,) float64 in [0, 1]; the k
of "@k" is the width of `rows`. They raise DataError for a user without a relevant item, for whom none is defined.

The same names stand for different formulas elsewhere, so before comparing with a published table, see which it uses.
n is a user's number of relevant items; frameworks as read in their sources:

- recall: hits / n, as in LightGCN, UltraGCN, NGCF, RecBole and LensKit. Mult-VAE and its followers divide by
  min(k, n), which is never lower: `capped_recall`.
- precision: hits / k, as in LightGCN, NGCF and RecBole. LensKit divides by the length of the list, implicit by
  min(k, n).
- NDCG: gains 0 or 1, and an ideal of min(k, n) hits, as in LightGCN, UltraGCN, Mult-VAE, RecBole and implicit. NGCF's
  ideal is of the hits that were found, so its tables are higher; RecTools' is of k hits, so its are lower; LensKit's
  (0.x) is of n hits, with a discount of log2(rank) that counts ranks 1 and 2 alike; Elliot's gains are exponential in
  the rating.
- MAP: sum of precisions at hits / min(k, n), as in RecBole, implicit and H&M's competition. TREC and RecTools divide
  by n (RecTools with `divide_by_k` by k), NGCF by min(k, hits).

Users without a relevant item do not count, here and there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys.errors import DataError
from recsys.evaluation.significance import Values
from recsys.schema import BoolArray, IntArray


def recall(rows: IntArray, relevant: csr_matrix) -> Values:
    """Hits among the k / n: the share of what is relevant that is shown. Source: LightGCN (He et al. 2020)."""
    return np.asarray(hits(rows, relevant).sum(axis=1) / relevant_counts(relevant))


def capped_recall(rows: IntArray, relevant: csr_matrix) -> Values:
    """Hits among the k / min(k, n), so that 1 can always be reached. Source: Mult-VAE (Liang et al. 2018)."""
    return np.asarray(hits(rows, relevant).sum(axis=1) / np.minimum(relevant_counts(relevant), rows.shape[1]))


def precision(rows: IntArray, relevant: csr_matrix) -> Values:
    """Hits among the k / k; empty positions of a list count as misses."""
    relevant_counts(relevant)
    return np.asarray(hits(rows, relevant).mean(axis=1))


def hit_rate(rows: IntArray, relevant: csr_matrix) -> Values:
    """1 if any of the k is relevant, else 0."""
    relevant_counts(relevant)
    return np.asarray(hits(rows, relevant).any(axis=1), dtype=np.float64)


def ndcg(rows: IntArray, relevant: csr_matrix) -> Values:
    """Normalized discounted cumulative gain (Järvelin and Kekäläinen 2002).

    sum over hits of 1 / log2(rank + 1), divided by the same sum for min(k, n) hits on top. Gains are 0 or 1.
    """
    k = rows.shape[1]
    discounts = 1.0 / np.log2(np.arange(2, k + 2))
    ideal = np.cumsum(discounts)[np.minimum(relevant_counts(relevant), k) - 1]
    # summed in rank order like the ideal, so that an ideal ranking gets 1 to the last bit
    gains = np.cumsum(hits(rows, relevant) * discounts, axis=1)[:, -1]
    return np.asarray(gains / ideal)


def reciprocal_rank(rows: IntArray, relevant: csr_matrix) -> Values:
    """1 / rank of the first relevant item, 0 if none is among the k. Its mean is MRR@k."""
    relevant_counts(relevant)
    found = hits(rows, relevant)
    return np.where(found.any(axis=1), 1.0 / (found.argmax(axis=1) + 1), 0.0)


def average_precision(rows: IntArray, relevant: csr_matrix) -> Values:
    """Precision at the rank of each hit, summed, divided by min(k, n). Its mean is MAP@k."""
    k = rows.shape[1]
    found = hits(rows, relevant)
    precisions = np.cumsum(found, axis=1) / np.arange(1, k + 1)
    return np.asarray((precisions * found).sum(axis=1) / np.minimum(relevant_counts(relevant), k))


ACCURACY = {
    "recall": recall,
    "ndcg": ndcg,
    "hit_rate": hit_rate,
    "mrr": reciprocal_rank,
    "map": average_precision,
    "precision": precision,
    "capped_recall": capped_recall,
}


def hits(rows: IntArray, relevant: csr_matrix) -> BoolArray:
    """Return if each ranked item is relevant, (Q, k)."""
    users, items = relevant.shape
    if len(rows) != users:
        raise DataError(f"{len(rows)} rankings cannot be measured against {users} rows of relevant items")
    offsets = np.arange(users)[:, None] * items
    owners = np.repeat(np.arange(users), np.diff(relevant.indptr))
    keys = (owners * items + relevant.indices)[relevant.data > 0]
    return np.isin(rows + offsets, keys) & (rows >= 0)


def relevant_counts(relevant: csr_matrix) -> NDArray[np.int64]:
    """Count each user's relevant items, (Q,). Raises DataError if a user has none."""
    owners = np.repeat(np.arange(relevant.shape[0]), np.diff(relevant.indptr))
    counts = np.bincount(owners[relevant.data > 0], minlength=relevant.shape[0])
    if not counts.all():
        raise DataError(f"user {int(counts.argmin())} has no relevant item: leave such users out and count them")
    return counts
