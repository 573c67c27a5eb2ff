"""Full-ranking evaluation: every user's test items against the whole catalogue, no sampled negatives.

Sampled negatives can turn the order of models around (Krichene and Rendle 2020), so there are none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from recsys.errors import DataError
from recsys.evaluation.metrics import (
    Values,
    average_precision,
    coverage,
    hit_rate,
    ndcg,
    recall,
    reciprocal_rank,
)
from recsys.models.base import Model, canonical, mask_viewed
from recsys.ranked import Ranked, check_k, top_k
from recsys.schema import FloatArray, IntArray

ScoreFunction = Callable[[IntArray], FloatArray]
"""Scores of all items for user rows: (Q,) to (Q, I)."""

METRICS = {
    "recall": recall,
    "ndcg": ndcg,
    "hit_rate": hit_rate,
    "mrr": reciprocal_rank,
    "map": average_precision,
}


@dataclass(frozen=True, slots=True)
class Result:
    """What an evaluation found.

    k: length of the rankings. users: (Q,) the rows measured, in the order given. skipped: how many were left out
    because nothing in the test is relevant to them. rows: (Q, k) what each was shown. per_user: (Q,) values by
    metric name. coverage: share of the catalogue shown to anybody.
    """

    k: int
    users: IntArray
    skipped: int
    rows: IntArray
    per_user: Mapping[str, Values]
    coverage: float

    @property
    def summary(self) -> dict[str, float]:
        """Means over users, named like "ndcg@10", and "coverage@10"."""
        means = {f"{name}@{self.k}": float(values.mean()) for name, values in self.per_user.items()}
        return {**means, f"coverage@{self.k}": self.coverage}


def evaluate(
    model: Model | ScoreFunction,
    train: csr_matrix,
    test: csr_matrix,
    users: IntArray | None = None,
    *,
    k: int = 10,
    filter_viewed: bool = True,
    batch: int = 512,
) -> Result:
    """Rank all items for each of `users` (Q,) (default: all rows) and compare with their test events.

    `train` and `test` are (U, I) signed event weights. Relevant items are the positive test entries. With
    `filter_viewed`, items stored in `train` are neither shown nor relevant: what may not be shown cannot be
    missed.
    `batch` users are scored at once. Raises DataError if the shapes differ or no user has a relevant item.
    """
    check_k(k)
    if train.shape != test.shape:
        raise DataError(f"train {train.shape} and test {test.shape} must have the same users and items")
    asked = np.arange(train.shape[0]) if users is None else np.asarray(users, dtype=np.int64)
    viewed = canonical(train)
    relevant = _relevant(canonical(test), viewed if filter_viewed else None)
    measured = asked[np.diff(relevant.indptr)[asked] > 0]
    if len(measured) == 0:
        raise DataError(f"none of {len(asked)} users has a relevant item in the test: nothing can be measured")
    score = model.scores if isinstance(model, Model) else model
    parts = np.split(measured, range(batch, len(measured), batch))
    rows = np.vstack([_rank(score, part, k, viewed if filter_viewed else None).rows for part in parts])
    return Result(
        k=k,
        users=measured,
        skipped=len(asked) - len(measured),
        rows=rows,
        per_user={name: metric(rows, relevant[measured]) for name, metric in METRICS.items()},
        coverage=coverage(rows, train.shape[1]),
    )


def _relevant(test: csr_matrix, viewed: csr_matrix | None) -> csr_matrix:
    """1 where the test is positive and, if `viewed` is given, nothing is stored there."""
    relevant = csr_matrix(test > 0, dtype=np.float32)
    if viewed is not None:
        stored = csr_matrix((np.ones_like(viewed.data), viewed.indices, viewed.indptr), shape=viewed.shape)
        relevant = csr_matrix(relevant - relevant.multiply(stored))
    relevant.eliminate_zeros()
    return relevant


def _rank(score: ScoreFunction, users: IntArray, k: int, viewed: csr_matrix | None) -> Ranked:
    scores = np.array(score(users), dtype=np.float32)
    if viewed is not None:
        mask_viewed(scores, viewed[users])
    return top_k(scores, k)
