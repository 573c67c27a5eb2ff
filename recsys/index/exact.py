"""Exact index: all inner products, in NumPy."""

from __future__ import annotations

from typing import Self

from recsys.errors import NotFittedError
from recsys.index.base import check_allowed, check_queries, check_vectors
from recsys.ranked import Ranked, top_k
from recsys.schema import BoolArray, FloatArray


class ExactIndex:
    """Exhaustive search, O(N D) per query; ties go to the lower row."""

    def __init__(self) -> None:
        self._vectors: FloatArray | None = None

    def build(self, vectors: FloatArray) -> Self:
        """Store `vectors` (N, D). Raises DataError on another shape or non-finite values."""
        self._vectors = check_vectors(vectors)
        return self

    def search(self, queries: FloatArray, k: int, allowed: BoolArray | None = None) -> Ranked:
        """Rank the k best rows of each query (Q, D), see `base.VectorIndex.search`."""
        if self._vectors is None:
            raise NotFittedError("the exact index")
        size, dimensions = self._vectors.shape
        if allowed is not None:
            check_allowed(allowed, size)
        return top_k(check_queries(queries, dimensions) @ self._vectors.T, k, allowed)
