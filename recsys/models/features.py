"""Checks of the style vectors that models take, and the constant beside them."""

from __future__ import annotations

import numpy as np

from recsys.errors import DataError
from recsys.schema import FloatArray


def check_vectors(vectors: FloatArray, dimensions: int | None = None) -> FloatArray:
    """Return a float32 copy of `vectors` (N, D). Raises DataError if not finite, not a table, or of another D."""
    vectors = np.array(vectors, dtype=np.float32)
    if vectors.ndim != 2:
        raise DataError(f"item vectors are a table (N, D), not of shape {vectors.shape}")
    if dimensions is not None and vectors.shape[1] != dimensions:
        raise DataError(f"item vectors have {vectors.shape[1]} numbers, those fitted have {dimensions}")
    if not np.isfinite(vectors).all():
        raise DataError("item vectors hold numbers that are not finite; use zeros for items without a photo")
    return vectors


def append_vectors(known: FloatArray, new: FloatArray | None, items: int) -> FloatArray:
    """Return `known` (I, D) and `new` (items - I, D) in one table. Raises DataError if their number is wrong."""
    missing = items - len(known)
    if new is None:
        if missing:
            raise DataError(f"{missing} new items have no vectors: give item_vectors, zeros for items without a photo")
        return known
    new = check_vectors(new, known.shape[1])
    if len(new) != missing:
        raise DataError(f"{len(new)} item vectors were given for {missing} new items")
    return np.concatenate([known, new])


def style_features(vectors: FloatArray) -> FloatArray:
    """Append a constant 1 to vectors (N, D): (N, D + 1) float32."""
    return np.pad(vectors, ((0, 0), (0, 1)), constant_values=1.0)
