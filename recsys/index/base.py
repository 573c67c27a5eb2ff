"""Protocol of vector indexes, and the checks that they share."""

from __future__ import annotations

from typing import Protocol, Self

import numpy as np

from recsys.errors import DataError, RequestError
from recsys.ranked import Ranked
from recsys.schema import BoolArray, FloatArray


class VectorIndex(Protocol):
    """Index that finds the rows with the largest inner product to a query."""

    def build(self, vectors: FloatArray) -> Self:
        """Index `vectors` (N, D), in place of any others.

        Raises DataError on another shape or non-finite values.
        """
        ...

    def search(self, queries: FloatArray, k: int, allowed: BoolArray | None = None) -> Ranked:
        """Rank the k best rows of each query; scores are inner products.

        There are always min(k, allowed rows) results; the rest is padded.

        Args:
            queries: (Q, D).
            k: Number of rows per query, at least 1.
            allowed: (N,) mask of the rows to rank; all by default.

        Returns:
            Ranked (Q, k).

        Raises:
            NotFittedError: Before `build`.
            RequestError: For a wrong shape or k < 1.
        """
        ...


def check_vectors(vectors: FloatArray) -> FloatArray:
    """Return `vectors` (N, D) as contiguous float32. Raises DataError on another shape or non-finite values."""
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    if vectors.ndim != 2 or vectors.shape[1] == 0:
        raise DataError(f"an index takes vectors of shape (N, D), D > 0, not {vectors.shape}")
    if not np.isfinite(vectors).all():
        raise DataError("an index takes finite vectors; some values are NaN or infinite")
    return vectors


def check_queries(queries: FloatArray, dimensions: int) -> FloatArray:
    """Return `queries` (Q, D) as contiguous float32. Raises RequestError on another D or non-finite values."""
    queries = np.ascontiguousarray(queries, dtype=np.float32)
    if queries.ndim != 2 or queries.shape[1] != dimensions:
        raise RequestError("queries", f"must have shape (Q, {dimensions}) like the index, not {queries.shape}")
    if not np.isfinite(queries).all():
        raise RequestError("queries", "must be finite; some values are NaN or infinite")
    return queries


def check_allowed(allowed: BoolArray, size: int) -> BoolArray:
    """Return `allowed` unchanged. Raises RequestError if it is not a boolean mask of shape (N,)."""
    if allowed.shape != (size,) or allowed.dtype != np.bool_:
        raise RequestError("allowed", f"must be a boolean mask ({size},), not {allowed.dtype} {allowed.shape}")
    return allowed
