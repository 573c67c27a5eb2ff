"""Sparse items x items matrices with the largest entries of each row, and models that score by them."""

from __future__ import annotations

from abc import abstractmethod
from itertools import pairwise
from typing import Any, ClassVar, Self

import numpy as np
from scipy.sparse import csr_matrix, vstack

from recsys.models.base import Arrays, matrix_arrays, matrix_of, resize
from recsys.models.item_item import ItemItemModel
from recsys.models.settings import NeighborSettings
from recsys.schema import FloatArray, IntArray

BLOCK = 512
"""Rows of an items x items product that are in memory at a time."""


class NeighborModel(ItemItemModel):
    """Item-item model whose S is sparse: row j holds the neighbors of item j.

    Row j holds the largest entries of row j of a product left @ right, which subclasses define. `partial_fit` computes
    the rows again that new events can have changed; the result equals `fit` on all events, bit for bit.
    """

    settings: NeighborSettings
    settings_type: ClassVar[type[NeighborSettings]]

    def __init__(self) -> None:
        super().__init__()
        self._similarity = empty_matrix(0, 0)

    @abstractmethod
    def _factors(self, likes: csr_matrix) -> tuple[csr_matrix, csr_matrix]:
        """Return left (I, U) and right (U, I), whose product holds the similarities."""

    @abstractmethod
    def _changed_items(self, likes: csr_matrix, before: csr_matrix) -> IntArray:
        """Return the items whose row in left or column in right differs."""

    def _learn(self, likes: csr_matrix) -> None:
        self._similarity = nearest(*self._factors(likes), np.arange(likes.shape[1]), self.settings.neighbors)

    def _relearn(
        self,
        likes: csr_matrix,
        before: csr_matrix,
        item_vectors: FloatArray | None,  # noqa: ARG002
    ) -> None:
        rows = co_liked_items(self._changed_items(likes, before), likes, before)
        replacement = nearest(*self._factors(likes), rows, self.settings.neighbors)
        self._similarity = with_rows(resize(self._similarity, (likes.shape[1],) * 2), rows, replacement)

    def _make_room(self, items: int, item_vectors: FloatArray) -> None:  # noqa: ARG002
        self._similarity = resize(self._similarity, (items, items))

    def _spread(self, likes: csr_matrix) -> FloatArray:
        return spread(likes, self._similarity)

    def _pairs(self, rows: IntArray, item_row: int) -> FloatArray:
        return entries(self._similarity, rows, item_row)

    def _largest_similarity(self) -> float:
        return float(self._similarity.data.max(initial=0.0))

    def _similarities(self, item_row: int) -> FloatArray:
        return np.asarray(self._similarity[[item_row]].toarray()[0] + self._bias)

    def _arrays(self) -> Arrays:
        parts = matrix_arrays("similarity", self._similarity)
        return {"bias": self._bias, "largest": np.float64(self._largest), **parts}

    def _matrices(self) -> dict[str, csr_matrix]:
        return {"similarity": self._similarity}

    def _settings(self) -> dict[str, Any]:
        return self.settings.model_dump(mode="json")

    @classmethod
    def _from_saved(cls, settings: dict[str, Any], arrays: Arrays) -> Self:
        model = cls(cls.settings_type.model_validate(settings))  # type: ignore[call-arg]
        model._bias, model._largest = arrays["bias"], float(arrays["largest"])
        model._similarity = matrix_of(arrays, "similarity", (len(model._bias),) * 2)
        return model


def spread(likes: csr_matrix, similarity: csr_matrix) -> FloatArray:
    """Return the dense product (Q, I) of likes (Q, I) and a sparse matrix (I, I).

    One row is summed item by item, in SciPy's order and to the same bits: SciPy's product allocates for the whole
    catalog, which would take most of the time of a request.
    """
    if likes.shape[0] != 1:
        return np.asarray((likes @ similarity).toarray())
    starts = similarity.indptr[likes.indices]
    lengths = similarity.indptr[likes.indices + 1] - starts
    # Positions of all entries of the liked rows, one row after another: start of the row plus offset within it.
    before = np.cumsum(lengths) - lengths
    places = np.repeat(starts - before, lengths) + np.arange(int(lengths.sum()))
    found = np.zeros((1, similarity.shape[1]), dtype=np.result_type(likes.dtype, similarity.dtype))
    np.add.at(found[0], similarity.indices[places], np.repeat(likes.data, lengths) * similarity.data[places])
    return found


def nearest(left: csr_matrix, right: csr_matrix, rows: IntArray, k: int) -> csr_matrix:
    """Return the k largest positive entries off the diagonal of `rows` (R,) of left (I, U) @ right (U, I): (R, I)."""
    parts = [empty_matrix(0, right.shape[1])]
    for start in range(0, len(rows), BLOCK):
        part = rows[start : start + BLOCK]
        product = csr_matrix(left[part] @ right, dtype=np.float32)
        product.sort_indices()
        # The row number of each entry: equal to its column on the diagonal.
        owners = np.repeat(part, np.diff(product.indptr))
        product.data[product.indices == owners] = 0.0
        parts.append(largest(product, k))
    return csr_matrix(vstack(parts, format="csr"))


def largest(matrix: csr_matrix, k: int) -> csr_matrix:
    """Return the k largest positive entries of each row of a matrix with sorted columns; of equal ones the first."""
    bounds, data = matrix.indptr, matrix.data
    rows = [start + _largest(data[start:end], k) for start, end in pairwise(bounds)]
    chosen = np.concatenate([np.empty(0, dtype=np.int64), *rows])
    indptr = np.cumsum([0, *map(len, rows)])
    return csr_matrix((data[chosen], matrix.indices[chosen], indptr), shape=matrix.shape)


def _largest(values: FloatArray, k: int) -> IntArray:
    places = np.flatnonzero(values > 0)
    if len(places) > k:
        places = np.sort(places[np.argsort(-values[places], kind="stable")[:k]])
    return places


def co_liked_items(items: IntArray, likes: csr_matrix, before: csr_matrix) -> IntArray:
    """Return `items` and all items that a user likes or liked together with one of them, sorted."""
    chosen = np.zeros(likes.shape[1], dtype=np.float32)
    chosen[items] = 1.0
    reached = chosen > 0
    # Two steps along the pattern of likes: from items to their users, and on to all items of these.
    for matrix in (likes, before):
        pattern = csr_matrix((np.ones_like(matrix.data), matrix.indices, matrix.indptr), shape=matrix.shape)
        reached |= np.asarray(pattern.T @ (pattern @ chosen)) > 0
    return np.flatnonzero(reached)


def entries(matrix: csr_matrix, rows: IntArray, column: int) -> FloatArray:
    """Return matrix[rows, column], (n,); for short rows this is faster than SciPy's indexing."""
    found = np.zeros(len(rows), dtype=np.float32)
    for index, row in enumerate(rows):
        start, end = matrix.indptr[row], matrix.indptr[row + 1]
        here = matrix.indices[start:end] == column
        if here.any():
            found[index] = matrix.data[start:end][here].sum()
    return found


def empty_matrix(rows: int, columns: int) -> csr_matrix:
    """Return a float32 matrix without entries."""
    return csr_matrix(np.empty((rows, columns), dtype=np.float32))


def with_rows(matrix: csr_matrix, rows: IntArray, replacement: csr_matrix) -> csr_matrix:
    """Return `matrix` (N, M) with `rows` (R,) replaced by those of `replacement` (R, M)."""
    # Stack both and pick each row from the matrix or from the replacement.
    sources = np.arange(matrix.shape[0])
    sources[rows] = matrix.shape[0] + np.arange(len(rows))
    return csr_matrix(vstack([matrix, replacement], format="csr")[sources])
