"""What models have in common that score an item by the user's events at other items."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from recsys.models.base import Model, kept, resized
from recsys.models.popularity import log_popularity
from recsys.models.validation import Expected
from recsys.schema import FloatArray, IntArray

TIE_BREAK = 1e-4
"""The most popular item's bonus, as a share of the largest similarity: it orders what no event speaks for."""


class ItemItemModel(Model):
    """Score of user u for item i = sum_j max(x_uj, 0) S_ji + L min(x_ui, 0) + b_i, with

    - x = sign(w) log(1 + |w|): what the user's event at an item says;
    - S (I, I): what a like of item j adds to item i, with a diagonal of 0: an item is no evidence for itself;
    - L the largest |S|: a disliked item loses by its own dislike, and nothing else does;
    - b_i = 1e-4 L times log-popularity scaled to [0, 1], for items of which the events say nothing.

    S is learned from likes alone, and only likes are passed on by it. People dislike what they chose to try, which is
    near what they like: on MovieLens 100k, taking dislikes off at their neighbors costs up to a third of NDCG@20.

    Users have no state of their own, so that known and folded-in users are the same thing, and `explain` is exact: the
    contribution of a like of j is x_uj S_ji.
    """

    def __init__(self) -> None:
        super().__init__()
        self._bias: FloatArray = np.empty(0, dtype=np.float32)
        self._largest = 1.0

    def evidence(self, events: csr_matrix) -> FloatArray:
        """What users' likes alone say for each item, (Q, I) events to (Q, I): 0 where nothing does.

        Raises NotFittedError, or DataError if the columns are not the fitted items.
        """
        return np.asarray(self._spread(likes(self._checked_events(events))), dtype=np.float32)

    @abstractmethod
    def _learn(self, likes: csr_matrix) -> None:
        """Learn S from signals of likes (U, I), all positive."""

    @abstractmethod
    def _relearn(self, likes: csr_matrix, before: csr_matrix, item_vectors: FloatArray | None) -> None:
        """Bring S up to date with likes (U', I'), having learned `before`, in the same shape."""

    @abstractmethod
    def _make_room(self, items: int, item_vectors: FloatArray) -> None:
        """Enlarge S to (items, items) by new items without events, described by `item_vectors`."""

    @abstractmethod
    def _spread(self, likes: csr_matrix) -> FloatArray:
        """x S: (Q, I) signals of likes to (Q, I)."""

    @abstractmethod
    def _pairs(self, rows: IntArray, item_row: int) -> FloatArray:
        """S[rows, item_row], (n,)."""

    @abstractmethod
    def _largest_similarity(self) -> float:
        """max |S|."""

    def _fit(self, matrix: csr_matrix) -> None:
        with threadpool_limits(1, "blas"):
            self._learn(likes(matrix))
        self._set_bias(matrix)

    def _partial_fit(self, matrix: csr_matrix, before: csr_matrix, item_vectors: FloatArray | None) -> None:
        with threadpool_limits(1, "blas"):
            self._relearn(likes(matrix), likes(resized(before, matrix.shape)), item_vectors)
        self._set_bias(matrix)

    def _add_items(self, matrix: csr_matrix, item_vectors: FloatArray) -> None:
        self._make_room(matrix.shape[1], item_vectors)
        self._bias = np.pad(self._bias, (0, matrix.shape[1] - len(self._bias)))

    def _expected(self) -> dict[str, Expected]:
        return {"bias": Expected((self.shape[1],), low=0.0), "largest": Expected((), np.float64, low=0.0)}

    def _set_bias(self, matrix: csr_matrix) -> None:
        popularity = log_popularity(matrix)
        self._largest = self._largest_similarity() or 1.0
        self._bias = (TIE_BREAK * self._largest * popularity / max(float(popularity.max()), 1e-9)).astype(np.float32)

    def _scores(self, user_rows: IntArray) -> FloatArray:
        return self._fold_in_scores(self.viewed[user_rows])

    def _fold_in_scores(self, matrix: csr_matrix) -> FloatArray:
        dislikes = self._largest * signals(matrix).minimum(0)
        return np.asarray(self._spread(likes(matrix)) + dislikes.toarray() + self._bias, dtype=np.float32)

    def _contributions(self, events: csr_matrix, item_row: int) -> FloatArray:
        said, rows = _signal(events.data), events.indices.astype(np.int64)
        own = np.where(rows == item_row, self._largest * np.minimum(said, 0.0), 0.0)
        passed_on = np.maximum(said, 0.0) * self._pairs(rows, item_row)
        return np.asarray(passed_on + own, dtype=np.float32)


def signals(matrix: csr_matrix) -> csr_matrix:
    """sign(w) log(1 + |w|) of each entry, in a matrix with the same entries."""
    return csr_matrix((_signal(matrix.data), matrix.indices, matrix.indptr), shape=matrix.shape)


def _signal(weights: FloatArray) -> FloatArray:
    return np.asarray(np.sign(weights) * np.log1p(np.abs(weights)))


def likes(matrix: csr_matrix) -> csr_matrix:
    """The signals of positive weights alone."""
    liked = kept(matrix, matrix.data > 0)
    liked.data = _signal(liked.data)
    return liked
