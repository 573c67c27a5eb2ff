"""Style-kNN: items similar in style to the items the user liked. Needs no events of the item."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from scipy.sparse import csr_matrix

from recsys.errors import DataError
from recsys.models.base import Arrays
from recsys.models.features import append_vectors, check_vectors
from recsys.models.item_item import ItemItemModel
from recsys.schema import FloatArray, IntArray


class StyleKnnModel(ItemItemModel):
    """S_ji = cosine of the style vectors of j and i; 0 if either has none.

    All likes count as neighbors: only the nearest ones, or powers of the cosine, ranked better on some data and worse
    on other, by little, and the sum over all is x Z Z', which needs no items x items matrix. It is content-based
    ranking by a profile (Lops, de Gemmis and Semeraro, "Content-based recommender systems", 2011).

    `partial_fit` is exact.
    """

    name = "style_knn"

    def __init__(self, item_vectors: FloatArray) -> None:
        """Prepare an unfitted model for `item_vectors` (I, D), finite, zeros for items without a photo.

        Raises DataError for other vectors.
        """
        super().__init__()
        self.item_vectors = check_vectors(item_vectors)
        self._directions = directions(self.item_vectors)

    def _learn(self, likes: csr_matrix) -> None:
        if len(self.item_vectors) != likes.shape[1]:
            raise DataError(f"{len(self.item_vectors)} item vectors cannot describe {likes.shape[1]} items")

    def _relearn(
        self,
        likes: csr_matrix,
        before: csr_matrix,  # noqa: ARG002
        item_vectors: FloatArray | None,
    ) -> None:
        self.item_vectors = append_vectors(self.item_vectors, item_vectors, likes.shape[1])
        self._directions = directions(self.item_vectors)

    def _make_room(self, items: int, item_vectors: FloatArray) -> None:
        self.item_vectors = append_vectors(self.item_vectors, item_vectors, items)
        self._directions = directions(self.item_vectors)

    def _spread(self, likes: csr_matrix) -> FloatArray:
        # The diagonal of S is 0: each liked item's product with itself is taken off again.
        own = csr_matrix((likes.data * self._lengths[likes.indices], likes.indices, likes.indptr), likes.shape)
        return np.asarray((likes @ self._directions) @ self._directions.T - own.toarray())

    @property
    def _lengths(self) -> FloatArray:
        """Squared lengths of the directions (I,): 1 for items with a photo, 0 for those without."""
        return np.asarray(np.square(self._directions).sum(axis=1))

    def _pairs(self, rows: IntArray, item_row: int) -> FloatArray:
        return np.where(rows == item_row, 0.0, self._directions[rows] @ self._directions[item_row])

    def _similarities(self, item_row: int) -> FloatArray:
        return np.asarray(self._directions @ self._directions[item_row] + self._bias)

    def _largest_similarity(self) -> float:
        return 1.0

    def _arrays(self) -> Arrays:
        return {"item_vectors": self.item_vectors, "bias": self._bias}

    def _settings(self) -> dict[str, Any]:
        return {}

    @classmethod
    def _from_saved(cls, settings: dict[str, Any], arrays: Arrays) -> Self:
        model = cls(arrays["item_vectors"], **settings)
        model._bias = arrays["bias"]
        return model


def directions(vectors: FloatArray) -> FloatArray:
    """Scale rows (N, D) to unit length; zeros stay zeros."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, np.finfo(np.float32).tiny), dtype=np.float32)
