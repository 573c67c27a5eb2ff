"""Index with few added or changed rows, so that a new item need not wait for a new index."""

from __future__ import annotations

from typing import Self

import numpy as np

from recsys.index.base import VectorIndex, check_allowed
from recsys.index.exact import ExactIndex
from recsys.ranked import NO_ROW, Ranked, pad_ranked
from recsys.schema import BoolArray, FloatArray, IntArray

_NONE: IntArray = np.zeros(0, dtype=np.int64)


class GrownIndex:
    """Index that searches a base index without its replaced rows, and all other rows exactly, and merges the results.

    The base is not changed, and other threads may search it meanwhile.
    """

    def __init__(self, base: VectorIndex, size: int, vectors: FloatArray, replaced: IntArray = _NONE) -> None:
        """Add and replace rows of an index; if `base` is a GrownIndex itself, its own base is used.

        Args:
            base: Index of the first `size` rows.
            size: Number of rows of the base.
            vectors: (R + M, D) vectors of the replaced rows, then of the M rows after the base.
            replaced: (R,) rows of the base with other vectors, ascending.
        """
        rows = np.concatenate([replaced, size + np.arange(len(vectors) - len(replaced))])
        self._base: VectorIndex = base
        self._size = size
        if isinstance(base, GrownIndex):
            self._base, self._size = base._base, base._size
            # Rows that were added or replaced before stay, unless they are replaced again.
            stay = ~np.isin(base._rows, replaced)
            rows = np.concatenate([base._rows[stay], rows])
            vectors = np.concatenate([base._vectors[stay], vectors])
        # In ascending order, so that equal scores go to the lower row.
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
        """Rank the k best rows of each query (Q, D), see `base.VectorIndex.search`."""
        count = self._size + int((self._rows >= self._size).sum())
        allowed = np.ones(count, dtype=np.bool_) if allowed is None else check_allowed(allowed, count)
        in_base = allowed[: self._size].copy()
        in_base[self._rows[self._rows < self._size]] = False
        first = self._base.search(queries, k, in_base)
        last = self._tail.search(queries, k, allowed[self._rows])
        # The tail numbers its own vectors from 0: translate these to rows of the whole index.
        present = last.rows != NO_ROW
        tail_rows = np.full_like(last.rows, NO_ROW)
        tail_rows[present] = self._rows[last.rows[present]]
        found, scores = np.hstack([first.rows, tail_rows]), np.hstack([first.scores, last.scores])
        # Missing rows come last by their score of -inf; equal scores go to the lower row.
        order = np.lexsort((found, -scores), axis=1)[:, :k]
        return pad_ranked(np.take_along_axis(found, order, axis=1), np.take_along_axis(scores, order, axis=1), k)
