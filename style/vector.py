"""The noun that retrieves and renders: a unit vector of style."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from style.errors import VectorError

DIMENSIONS = 128


@dataclass(frozen=True, slots=True, eq=False)
class StyleVector:
    """A style: `values` is float32 `(128,)`, finite, of length one. Build it with `StyleVector.of`."""

    values: NDArray[np.float32]

    @classmethod
    def of(cls, values: ArrayLike) -> StyleVector:
        """Check and normalize. Raises VectorError for a wrong size, a number that is not finite, or all zeros."""
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
        """The weighted mean of styles, of length one again."""
        if len(vectors) != len(weights) or not vectors:
            raise VectorError(f"blend needs as many weights as vectors, got {len(weights)} and {len(vectors)}")
        mixed = sum(w * v.values.astype(np.float64) for v, w in zip(vectors, weights, strict=True))
        return cls.of(mixed)

    def similarity(self, other: StyleVector) -> float:
        """Cosine in [-1, 1]."""
        return float(self.values @ other.values)
