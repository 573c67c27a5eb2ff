"""An index, the few rows that came after it, and those that changed, so that a new item need not wait for a new
index."""

from __future__ import annotations

from typing import Self

import numpy as np

from recsys.index.base import VectorIndex, checked_allowed
from recsys.index.exact import ExactIndex
from recsys.ranked import NO_ROW, Ranked, padded
from recsys.schema import BoolArray, FloatArray, IntArray

_NONE: IntArray = np.zeros(0, dtype=np.int64)


class GrownIndex:
    """Searches `base`, an index of the first `size` rows, without those that were replaced, and all other rows
    exactly; gives the best of both.

    The base is not changed, and may be searched by others meanwhile.
    """

    def __init__(self, base: VectorIndex, size: int, vectors: FloatArray, replaced: IntArray = _NONE) -> None:
        """`vectors` (R + M, D): new ones of the rows `replaced` (R,), ascending, and of the M rows that came after.

        A base that has grown itself gives its own base instead.
        """
        rows = np.concatenate([replaced, size + np.arange(len(vectors) - len(replaced))])
        self._base: VectorIndex = base
        self._size = size
        if isinstance(base, GrownIndex):
            self._base, self._size = base._base, base._size
            stay = ~np.isin(base._rows, replaced)
            rows = np.concatenate([base._rows[stay], rows])
            vectors = np.concatenate([base._vectors[stay], vectors])
        # Equal scores go to the lower row.
        order = np.argsort(rows)
        self._rows: IntArray = rows[order]
        self._vectors: FloatArray = vectors[order]
        self._tail = ExactIndex().build(self._vectors)

    def build(self, vectors: FloatArray) -> Self:
        """Index `vectors` (N, D) anew, as the base does."""
        self._base, self._size = self._base.build(vectors), len(vectors)
        self._rows, self._vectors = _NONE, vectors[:0]
        self._tail = ExactIndex().build(self._vectors)
        return self

    def search(self, queries: FloatArray, k: int, allowed: BoolArray | None = None) -> Ranked:
        """The k best rows of each query (Q, D), see `base.VectorIndex.search`."""
        count = self._size + int((self._rows >= self._size).sum())
        allowed = np.ones(count, dtype=np.bool_) if allowed is None else checked_allowed(allowed, count)
        kept = allowed[: self._size].copy()
        kept[self._rows[self._rows < self._size]] = False
        first = self._base.search(queries, k, kept)
        last = self._tail.search(queries, k, allowed[self._rows])
        there = last.rows != NO_ROW
        moved = np.full_like(last.rows, NO_ROW)
        moved[there] = self._rows[last.rows[there]]
        found, scores = np.hstack([first.rows, moved]), np.hstack([first.scores, last.scores])
        # Missing rows come last by their score of -inf; equal scores go to the lower row, as everywhere.
        order = np.lexsort((found, -scores), axis=1)[:, :k]
        return padded(np.take_along_axis(found, order, axis=1), np.take_along_axis(scores, order, axis=1), k)
