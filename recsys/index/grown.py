"""An index and the few rows that came after it, so that a new item need not wait for a new index."""

from __future__ import annotations

from typing import Self

import numpy as np

from recsys.index.base import VectorIndex, checked_allowed
from recsys.index.exact import ExactIndex
from recsys.ranked import NO_ROW, Ranked, padded
from recsys.schema import BoolArray, FloatArray


class GrownIndex:
    """Searches `base`, an index of the first `size` rows, and the rows after these exactly; gives the best of both.

    The base is not changed, and may be searched by others meanwhile.
    """

    def __init__(self, base: VectorIndex, size: int, after: FloatArray) -> None:
        """`after` (M, D): the rows that came after. A base that has grown itself gives its own base instead."""
        self._base: VectorIndex = base
        self._size, self._after = size, after
        if isinstance(base, GrownIndex):
            self._base, self._size = base._base, base._size
            self._after = np.concatenate([base._after, after])
        self._tail = ExactIndex().build(self._after)

    def build(self, vectors: FloatArray) -> Self:
        """Index `vectors` (N, D) anew, as the base does."""
        self._base, self._size = self._base.build(vectors), len(vectors)
        self._after = vectors[:0]
        self._tail = ExactIndex().build(self._after)
        return self

    def search(self, queries: FloatArray, k: int, allowed: BoolArray | None = None) -> Ranked:
        """The k best rows of each query (Q, D), see `base.VectorIndex.search`."""
        rows = self._size + len(self._after)
        allowed = np.ones(rows, dtype=np.bool_) if allowed is None else checked_allowed(allowed, rows)
        first = self._base.search(queries, k, allowed[: self._size])
        last = self._tail.search(queries, k, allowed[self._size :])
        moved = np.where(last.rows == NO_ROW, NO_ROW, last.rows + self._size)
        found, scores = np.hstack([first.rows, moved]), np.hstack([first.scores, last.scores])
        # Missing rows come last by their score of -inf; equal scores go to the lower row, as everywhere.
        order = np.lexsort((found, -scores), axis=1)[:, :k]
        return padded(np.take_along_axis(found, order, axis=1), np.take_along_axis(scores, order, axis=1), k)
