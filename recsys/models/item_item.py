"""Base of models that score an item by the user's events at other items."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from recsys.models.base import Model, keep_entries, resize
from recsys.models.popularity import log_popularity
from recsys.models.validation import Expected
from recsys.schema import FloatArray, IntArray

TIE_BREAK = 1e-4
"""Bonus of the most popular item, as a share of the largest similarity: it orders items without any evidence."""


class ItemItemModel(Model):
    """Item-item model: an item is scored by its similarity to the items of a user.

    The score of user u for item i is sum_j max(x_uj, 0) S_ji + L min(x_ui, 0) + b_i, with

    - x = sign(w) log(1 + |w|), the signal of the user's event at an item;
    - S (I, I), the addition of a like of item j to the score of item i, with a diagonal of 0, since an item is no
      evidence for itself;
    - L the largest |S|, so that a dislike lowers the score of its own item only;
    - b_i = 1e-4 L times log-popularity scaled to [0, 1], for items without evidence.

    S is learned from likes only, and only likes are passed on by it. Users dislike items that they chose to try, which
    are near the items they like: on MovieLens 100k, subtracting dislikes at their neighbors costs up to a third of
    NDCG@20.

    Users have no state of their own, so that known and folded-in users get the same scores, and `explain` is exact: the
    contribution of a like of j is x_uj S_ji.
    """

    def __init__(self) -> None:
        super().__init__()
        self._bias: FloatArray = np.empty(0, dtype=np.float32)
        self._largest = 1.0

    def evidence(self, events: csr_matrix) -> FloatArray:
        """Return the evidence of users' likes for each item, (Q, I) events to (Q, I), 0 without evidence.

        Raises NotFittedError, or DataError if the columns are not the fitted items.
        """
        return np.asarray(self._spread(likes(self._canonical_events(events))), dtype=np.float32)

    @abstractmethod
    def _learn(self, likes: csr_matrix) -> None:
        """Learn S from signals of likes (U, I), all positive."""

    @abstractmethod
    def _relearn(self, likes: csr_matrix, before: csr_matrix, item_vectors: FloatArray | None) -> None:
        """Update S to the likes (U', I'), after it was learned from `before`, of the same shape."""

    @abstractmethod
    def _make_room(self, items: int, item_vectors: FloatArray) -> None:
        """Enlarge S to (items, items) by new items without events, described by `item_vectors`."""

    @abstractmethod
    def _spread(self, likes: csr_matrix) -> FloatArray:
        """Return x S, (Q, I) signals of likes to (Q, I)."""

    @abstractmethod
    def _pairs(self, rows: IntArray, item_row: int) -> FloatArray:
        """Return S[rows, item_row], (n,)."""

    @abstractmethod
    def _largest_similarity(self) -> float:
        """Return max |S|."""

    def _fit(self, matrix: csr_matrix) -> None:
        with threadpool_limits(1, "blas"):
            self._learn(likes(matrix))
        self._set_bias(matrix)

    def _partial_fit(self, matrix: csr_matrix, before: csr_matrix, item_vectors: FloatArray | None) -> None:
        with threadpool_limits(1, "blas"):
            self._relearn(likes(matrix), likes(resize(before, matrix.shape)), item_vectors)
        self._set_bias(matrix)

    def _add_items(self, matrix: csr_matrix, item_vectors: FloatArray) -> None:
        self._make_room(matrix.shape[1], item_vectors)
        self._bias = np.pad(self._bias, (0, matrix.shape[1] - len(self._bias)))

    def _array_specs(self) -> dict[str, Expected]:
        return {"bias": Expected((self.shape[1],), low=0.0), "largest": Expected((), np.float64, low=0.0)}

    def _set_bias(self, matrix: csr_matrix) -> None:
        popularity = log_popularity(matrix)
        self._largest = self._largest_similarity() or 1.0
        self._bias = (TIE_BREAK * self._largest * popularity / max(float(popularity.max()), 1e-9)).astype(np.float32)

    def _scores(self, user_rows: IntArray) -> FloatArray:
        return self._fold_in_scores(self.history[user_rows])

    def _fold_in_scores(self, matrix: csr_matrix) -> FloatArray:
        dislikes = self._largest * signals(matrix).minimum(0)
        return np.asarray(self._spread(likes(matrix)) + dislikes.toarray() + self._bias, dtype=np.float32)

    def _contributions(self, events: csr_matrix, item_row: int) -> FloatArray:
        signal, rows = _signal(events.data), events.indices.astype(np.int64)
        from_dislikes = np.where(rows == item_row, self._largest * np.minimum(signal, 0.0), 0.0)
        from_likes = np.maximum(signal, 0.0) * self._pairs(rows, item_row)
        return np.asarray(from_likes + from_dislikes, dtype=np.float32)


def signals(matrix: csr_matrix) -> csr_matrix:
    """Return sign(w) log(1 + |w|) of each entry, in a matrix with the same entries."""
    return csr_matrix((_signal(matrix.data), matrix.indices, matrix.indptr), shape=matrix.shape)


def _signal(weights: FloatArray) -> FloatArray:
    return np.asarray(np.sign(weights) * np.log1p(np.abs(weights)))


def likes(matrix: csr_matrix) -> csr_matrix:
    """Return the signals of positive weights only."""
    liked = keep_entries(matrix, matrix.data > 0)
    liked.data = _signal(liked.data)
    return liked
