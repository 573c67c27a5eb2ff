"""EASE: a linear item-item model in closed form, exact if the dense matrix fits in memory, else item by item.

Source: Steck, "Embarrassingly Shallow Autoencoders for Sparse Data" (WWW 2019).
"""

from __future__ import annotations

import logging
from typing import Any, Self

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.linalg.lapack import spotrf, spotri
from scipy.sparse import csr_matrix

from recsys.errors import RequestError
from recsys.models.base import Arrays, matrix_arrays, matrix_of, resize
from recsys.models.item_item import ItemItemModel
from recsys.models.neighbors import entries, spread
from recsys.models.settings import EaseSettings
from recsys.models.validation import Expected, parse_penalty
from recsys.ranked import top_k
from recsys.schema import FloatArray, IntArray

logger = logging.getLogger(__name__)

BLOCK = 512
"""Rows or columns processed at a time."""


class EaseModel(ItemItemModel):
    """S minimizes |X - X S|^2 + λ |S|^2 with a diagonal of 0, X being the signals of likes (Steck, eq. 1 to 4).

    λ is `settings.regularization` times the mean square of the signals, so that its unit is likes at any scale of the
    weights. With G = X'X and P = (G + λI)^-1, S_ji = -P_ji / P_ii off the diagonal (Steck, eq. 8). The inverse is
    computed in the only dense matrix that is stored, of `dense_bytes(items)`. If that is above `settings.memory_limit`,
    a warning is logged, and each column is solved separately, over the K = `settings.neighbors` items N that are
    liked together with item i most often (of equal ones, the most popular):

        S_Ni = (G_NN + λI)^-1 G_Ni,    0 elsewhere

    This is Steck's problem for column i with all other coefficients held at 0. With K = all other items it is
    Steck's solution, since the constraint on the diagonal makes each column a ridge regression on the others.

    `partial_fit` of the dense form is exact up to rounding, with the same λ: P changes by the rows of the users with
    new events (Woodbury identity). It holds the matrix twice meanwhile. The sparse form raises RequestError, since one
    event can change all columns.
    """

    name = "ease"

    def __init__(self, settings: EaseSettings | None = None) -> None:
        super().__init__()
        self.settings = settings or EaseSettings()
        self._dense: FloatArray = np.empty((0, 0), dtype=np.float32)
        self._sparse: csr_matrix | None = None
        self._diagonal: FloatArray = np.empty(0, dtype=np.float32)
        self._penalty = 1.0

    def _learn(self, likes: csr_matrix) -> None:
        self._penalty = self.settings.regularization * mean_square(likes)
        self._solve(likes)

    def _solve(self, likes: csr_matrix) -> None:
        items = likes.shape[1]
        needed, limit = dense_bytes(items), self.settings.memory_limit
        if needed > limit and items > 1:
            k = min(self.settings.neighbors, items - 1)
            logger.warning(
                "ease: %d items need %d bytes, the limit is %d: using %d neighbors each", items, needed, limit, k
            )
            self._sparse = neighbor_regressions(likes, k, self._penalty)
            self._dense = np.empty((0, 0), dtype=np.float32)
        else:
            self._sparse = None
            self._keep(inverse_gram(likes, self._penalty))

    def _keep(self, inverse: FloatArray) -> None:
        """Turn P into S in place, and store P's diagonal, from which `_inverse` computes P again."""
        self._diagonal = np.diagonal(inverse).copy()
        inverse /= -self._diagonal
        np.fill_diagonal(inverse, 0.0)
        self._dense = inverse

    def _inverse(self, items: int) -> FloatArray:
        """Return P (items, items), also for items without events so far: their part is I / λ."""
        known = len(self._diagonal)
        inverse = np.zeros((items, items), dtype=np.float32)
        np.multiply(self._dense, -self._diagonal, out=inverse[:known, :known])
        np.fill_diagonal(inverse, np.pad(self._diagonal, (0, items - known), constant_values=1.0 / self._penalty))
        return inverse

    def _relearn(
        self,
        likes: csr_matrix,
        before: csr_matrix,
        item_vectors: FloatArray | None,  # noqa: ARG002
    ) -> None:
        items = likes.shape[1]
        needed, limit = dense_bytes(items), self.settings.memory_limit
        if self._sparse is not None or needed > limit:
            raise RequestError(
                "partial_fit", f"ease needs {needed} bytes for it, the limit is {limit}; fit it on all events"
            )
        users = np.unique((likes - before).nonzero()[0])
        # Each changed user is two rows of the update, whose system must be smaller than P to pay off.
        if 2 * len(users) >= items:
            self._solve(likes)
        elif len(users) or items > len(self._diagonal):
            inverse = self._inverse(items)
            if len(users):
                exchange_rows(inverse, likes[users], before[users])
            self._keep(inverse)

    def _make_room(self, items: int, item_vectors: FloatArray) -> None:  # noqa: ARG002
        if self._sparse is not None:
            self._sparse = resize(self._sparse, (items, items))
            return
        new = items - len(self._diagonal)
        self._dense = np.pad(self._dense, ((0, new), (0, new)))
        self._diagonal = np.pad(self._diagonal, (0, new), constant_values=1.0 / self._penalty)

    def _spread(self, likes: csr_matrix) -> FloatArray:
        if self._sparse is not None:
            return spread(likes, self._sparse)
        return np.asarray(likes @ self._dense)

    def _pairs(self, rows: IntArray, item_row: int) -> FloatArray:
        if self._sparse is not None:
            return entries(self._sparse, rows, item_row)
        return np.asarray(self._dense[rows, item_row])

    def _similarities(self, item_row: int) -> FloatArray:
        row = self._dense[item_row] if self._sparse is None else self._sparse[[item_row]].toarray()[0]
        return np.asarray(row + self._bias)

    def _largest_similarity(self) -> float:
        if self._sparse is not None:
            return float(np.abs(self._sparse.data).max(initial=0.0))
        return float(max(self._dense.max(), -self._dense.min()))

    def _arrays(self) -> Arrays:
        arrays: dict[str, Any] = {"bias": self._bias, "largest": np.float64(self._largest)}
        if self._sparse is None:
            return {**arrays, "dense": self._dense, "diagonal": self._diagonal}
        return {**arrays, **matrix_arrays("sparse", self._sparse)}

    def _array_specs(self) -> dict[str, Expected]:
        items = self.shape[1]
        dense = {"dense": Expected((items, items)), "diagonal": Expected((items,))}
        return {**super()._array_specs(), **({} if self._sparse is not None else dense)}

    def _matrices(self) -> dict[str, csr_matrix]:
        return {} if self._sparse is None else {"sparse": self._sparse}

    def _settings(self) -> dict[str, Any]:
        return {"ease": self.settings.model_dump(), "penalty": self._penalty}

    @classmethod
    def _from_saved(cls, settings: dict[str, Any], arrays: Arrays) -> Self:
        model = cls(EaseSettings.model_validate(settings["ease"]))
        model._penalty = parse_penalty(settings["penalty"])
        model._bias, model._largest = arrays["bias"], float(arrays["largest"])
        if "dense" in arrays:
            model._dense, model._diagonal = arrays["dense"], arrays["diagonal"]
        else:
            model._sparse = matrix_of(arrays, "sparse", (len(model._bias),) * 2)
        return model


def dense_bytes(items: int) -> int:
    """Return the bytes of a dense float32 items x items matrix, the memory that exact EASE needs, also during `fit`."""
    return 4 * items * items


def mean_square(matrix: csr_matrix) -> float:
    """Return the mean square of the stored entries; 1 if there are none."""
    return float(np.mean(np.square(matrix.data))) if matrix.nnz else 1.0


def inverse_gram(matrix: csr_matrix, penalty: float) -> FloatArray:
    """Compute (X'X + penalty I)^-1 (I, I) float32 of a sparse X (U, I), in place by LAPACK's Cholesky routines."""
    items = matrix.shape[1]
    columns = csr_matrix(matrix.T)
    gram = np.empty((items, items), dtype=np.float32, order="F")
    for start in range(0, items, BLOCK):
        # The Gram matrix is symmetric: filling columns with rows gives the same, in the memory order of Fortran arrays.
        gram[:, start : start + BLOCK] = (columns[start : start + BLOCK] @ matrix).toarray().T
    gram[np.diag_indices(items)] += penalty
    factor, _ = spotrf(gram, lower=1, overwrite_a=1)
    inverse, _ = spotri(factor, lower=1, overwrite_c=1)
    # spotri fills one triangle. Transposed, the array is in C order and its upper triangle is filled.
    inverse = inverse.T
    for start in range(0, items, BLOCK):
        end = start + BLOCK
        corner = inverse[start:end, start:end]
        corner[:] = np.triu(corner) + np.triu(corner, 1).T
        inverse[end:, start:end] = inverse[start:end, end:].T
    return np.asarray(inverse)


def exchange_rows(inverse: FloatArray, new: csr_matrix, old: csr_matrix) -> None:
    """Update P = (X'X + λI)^-1 in place when rows `old` (n, I) of X become `new` (n, I).

    Woodbury: P - P R' (C + R P R')^-1 R P with R = [new; old] and C = diag(1, -1).
    """
    projected = np.vstack([new @ inverse, old @ inverse])  # (2n, I): R P
    middle = np.vstack([new @ projected.T, old @ projected.T])  # R P R'
    signs = np.repeat([1.0, -1.0], len(projected) // 2).astype(np.float32)
    weights = np.linalg.solve(middle + np.diag(signs), projected)
    for start in range(0, len(inverse), BLOCK):
        inverse[start : start + BLOCK] -= projected[:, start : start + BLOCK].T @ weights


def neighbor_regressions(likes: csr_matrix, k: int, penalty: float) -> csr_matrix:
    """Compute S (I, I), whose column i is the ridge regression of item i on the k items most often liked with it."""
    order = np.argsort(-np.bincount(likes.indices, minlength=likes.shape[1]), kind="stable")
    # In order of popularity, since of equal neighbors top_k takes the first.
    columns = csr_matrix(likes[:, order].T)
    neighbors = np.vstack([_most_liked_with(columns, start, k) for start in range(0, len(order), BLOCK)])
    weights = np.empty(neighbors.shape, dtype=np.float32)
    for item, chosen in enumerate(neighbors):
        # One Gram matrix holds the system of the neighbors and, in its last column, their products with the item.
        part = columns[np.append(chosen, item)]
        gram = (part @ part.T).toarray()
        system = gram[:-1, :-1]
        system[np.diag_indices(k)] += penalty
        weights[item] = cho_solve(cho_factor(system, check_finite=False), gram[:-1, -1], check_finite=False)
    entries_at = (order[neighbors].ravel(), np.repeat(order, k))
    return csr_matrix((weights.ravel(), entries_at), shape=(len(order), len(order)))


def _most_liked_with(columns: csr_matrix, start: int, k: int) -> IntArray:
    """Return the k items (B, k) most often liked together with each item of the block that begins at `start`."""
    liked = csr_matrix((np.ones_like(columns.data), columns.indices, columns.indptr), shape=columns.shape)
    counts = (liked[start : start + BLOCK] @ liked.T).toarray()
    # An item is no neighbor of itself.
    rows = np.arange(len(counts))
    counts[rows, start + rows] = -1.0
    return top_k(counts, k).rows
