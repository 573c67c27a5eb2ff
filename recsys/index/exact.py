"""The oracle: every inner product, in NumPy."""

from __future__ import annotations

from typing import Self

from recsys.errors import NotFittedError
from recsys.index.base import checked_allowed, checked_queries, checked_vectors
from recsys.ranked import Ranked, top_k
from recsys.schema import BoolArray, FloatArray


class ExactIndex:
    """Exhaustive search, O(N D) a query; ties go to the lower row."""

    def __init__(self) -> None:
        self._vectors: FloatArray | None = None

    def build(self, vectors: FloatArray) -> Self:
        """Keep `vectors` (N, D). Raises DataError on another shape or non-finite values."""
        self._vectors = checked_vectors(vectors)
        return self

    def search(self, queries: FloatArray, k: int, allowed: BoolArray | None = None) -> Ranked:
        """The k best rows of each query (Q, D), see `base.VectorIndex.search`."""
        if self._vectors is None:
            raise NotFittedError("the exact index")
        size, dimensions = self._vectors.shape
        if allowed is not None:
            checked_allowed(allowed, size)
        return top_k(checked_queries(queries, dimensions) @ self._vectors.T, k, allowed)
