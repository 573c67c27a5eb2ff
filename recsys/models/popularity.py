"""Popularity: the same ranking for all users, the baseline of the other models."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from scipy.sparse import csr_matrix

from recsys.models.base import Arrays, Model
from recsys.schema import FloatArray, IntArray


class PopularityModel(Model):
    """Score of an item = log(1 + sum over users of 2 log(1 + w)), with w the positive weight of the user's events.

    The inner logarithm makes it a measure of users instead of events: a second event of a user adds less than the first
    one of another, and a thousand views count as much as ten users with one view each. The factor 2 keeps the contrast
    between popular and rare items near that of a sum of weights. Dislikes do not count. For recent popularity, decay
    the weights of the matrix by age. The items similar to any item are the popular ones.
    """

    name = "popularity"

    def __init__(self) -> None:
        super().__init__()
        self._popularity: FloatArray = np.empty(0, dtype=np.float32)

    def _fit(self, matrix: csr_matrix) -> None:
        self._popularity = log_popularity(matrix)

    def _partial_fit(
        self,
        matrix: csr_matrix,
        before: csr_matrix,  # noqa: ARG002
        item_vectors: FloatArray | None,  # noqa: ARG002
    ) -> None:
        """Count again, which is exact."""
        self._fit(matrix)

    def _add_items(self, matrix: csr_matrix, item_vectors: FloatArray) -> None:  # noqa: ARG002
        self._fit(matrix)

    def _scores(self, user_rows: IntArray) -> FloatArray:
        return np.tile(self._popularity, (len(user_rows), 1))

    def _fold_in_scores(self, matrix: csr_matrix) -> FloatArray:
        return np.tile(self._popularity, (matrix.shape[0], 1))

    def _similarities(self, item_row: int) -> FloatArray:  # noqa: ARG002
        return self._popularity

    def _arrays(self) -> Arrays:
        return {"popularity": self._popularity}

    def _settings(self) -> dict[str, Any]:
        return {}

    @classmethod
    def _from_saved(cls, settings: dict[str, Any], arrays: Arrays) -> Self:
        model = cls(**settings)
        model._popularity = arrays["popularity"]
        return model


def log_popularity(matrix: csr_matrix) -> FloatArray:
    """Return log(1 + sum of 2 log(1 + w)) over the positive weights w of each column, (U, I) to (I,) float32."""
    positive = 2.0 * np.log1p(np.maximum(matrix.data, 0.0).astype(np.float64))
    totals = np.bincount(matrix.indices, weights=positive, minlength=matrix.shape[1])
    return np.log1p(totals).astype(np.float32)


def unit_peak(values: FloatArray) -> FloatArray:
    """Divide non-negative values by their largest; zeros stay zeros."""
    return np.asarray(values / np.maximum(values.max(initial=0.0), np.finfo(np.float32).tiny))
