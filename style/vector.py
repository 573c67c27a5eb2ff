"""Style vector: a unit vector of style, used for retrieval and for rendering."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from style.errors import VectorError

DIMENSIONS = 128


@dataclass(frozen=True, slots=True, eq=False)
class StyleVector:
    """Style as a float32 array `values` `(128,)`, finite, of unit length. Build it with `StyleVector.from_values`."""

    values: NDArray[np.float32]

    @classmethod
    def from_values(cls, values: ArrayLike) -> StyleVector:
        """Check and normalize values.

        Raises VectorError for a wrong size, a number that is not finite, or all zeros.
        """
        array = np.asarray(values, dtype=np.float64)
        if array.shape != (DIMENSIONS,):
            raise VectorError(f"a style vector has shape ({DIMENSIONS},), got {array.shape}")
        if not np.isfinite(array).all():
            raise VectorError("a style vector must be finite; it has NaN or infinity")
        length = float(np.linalg.norm(array))
        if length < 1e-8:
            raise VectorError("a style vector cannot be all zeros: it has no direction")
        return cls((array / length).astype(np.float32))

    @classmethod
    def blend(cls, vectors: Sequence[StyleVector], weights: Sequence[float]) -> StyleVector:
        """Return the weighted mean of styles, normalized to unit length."""
        if len(vectors) != len(weights) or not vectors:
            raise VectorError(f"blend needs as many weights as vectors, got {len(weights)} and {len(vectors)}")
        mixed = sum(w * v.values.astype(np.float64) for v, w in zip(vectors, weights, strict=True))
        return cls.from_values(mixed)

    def similarity(self, other: StyleVector) -> float:
        """Return the cosine with another style, in [-1, 1]."""
        return float(self.values @ other.values)
