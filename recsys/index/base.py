"""What a vector index does, and the checks that every one shares."""

from __future__ import annotations

from typing import Protocol, Self

import numpy as np

from recsys.errors import DataError, RequestError
from recsys.ranked import Ranked
from recsys.schema import BoolArray, FloatArray


class VectorIndex(Protocol):
    """The rows with the largest inner product to a query."""

    def build(self, vectors: FloatArray) -> Self:
        """Index `vectors` (N, D), replacing what was there.

        Raises DataError on another shape or non-finite values.
        """
        ...

    def search(self, queries: FloatArray, k: int, allowed: BoolArray | None = None) -> Ranked:
        """The k best rows of each query (Q, D) as Ranked (Q, k), scores being inner products.

        `allowed` (N,) keeps the rows where it is True; min(k, allowed rows) results always come back, the rest
        is padded. Raises NotFittedError before `build`, RequestError for a wrong shape or k < 1.
        """
        ...


def checked_vectors(vectors: FloatArray) -> FloatArray:
    """`vectors` (N, D) as contiguous float32. Raises DataError on another shape or non-finite values."""
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    if vectors.ndim != 2 or vectors.shape[1] == 0:
        raise DataError(f"an index takes vectors of shape (N, D), D > 0, not {vectors.shape}")
    if not np.isfinite(vectors).all():
        raise DataError("an index takes finite vectors; some values are NaN or infinite")
    return vectors


def checked_queries(queries: FloatArray, dimensions: int) -> FloatArray:
    """`queries` (Q, D) as contiguous float32. Raises RequestError on another D or non-finite values."""
    queries = np.ascontiguousarray(queries, dtype=np.float32)
    if queries.ndim != 2 or queries.shape[1] != dimensions:
        raise RequestError("queries", f"must have shape (Q, {dimensions}) like the index, not {queries.shape}")
    if not np.isfinite(queries).all():
        raise RequestError("queries", "must be finite; some values are NaN or infinite")
    return queries


def checked_allowed(allowed: BoolArray, size: int) -> BoolArray:
    """`allowed` as it is. Raises RequestError if it is not a boolean mask of shape (N,)."""
    if allowed.shape != (size,) or allowed.dtype != np.bool_:
        raise RequestError("allowed", f"must be a boolean mask ({size},), not {allowed.dtype} {allowed.shape}")
    return allowed
