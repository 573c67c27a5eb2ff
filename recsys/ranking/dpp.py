"""Diversity as volume: greedy choice of the most probable list of a determinantal point process in style space.

A list Y has probability in proportion to det(L_Y), L = diag(q) S diag(q): q is relevance and S similarity in style. Two
items of one style span hardly any volume. Source: Chen, Zhang and Zhou 2018 (NeurIPS), algorithm 1 and section 4.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recsys.schema import FloatArray

LEAST_VOLUME = 1e-10
"""Least factor of volume that is no rounding error (the paper's epsilon): below it, the list has that style already."""


class Determinant:
    """Gain of each candidate, theta * relevance + (1 - theta) * log d^2, with theta = 1 - diversity.

    d^2 (n,) is the factor by which a candidate multiplies det(S) of the list. It is updated by one row of a Cholesky
    factorization per pick: O(n) for each earlier pick, O(k^2 n) for a list of k. The gain is 1 - theta times the
    candidate's addition to log det(L) with q = exp(alpha * relevance), alpha = theta / (2 (1 - theta)) (the paper's
    equation 19), hence the same choice. In this form it neither overflows near theta = 1 nor is undefined there.
    """

    def __init__(self, relevance: FloatArray, directions: FloatArray, limit: int, diversity: float) -> None:
        """Start with an empty list.

        Args:
            relevance: (n,) in [0, 1].
            directions: (n, D) unit vectors or zeros.
            limit: Largest number of picks.
            diversity: In [0, 1].
        """
        self._relevance = (1.0 - diversity) * relevance.astype(np.float64)
        self._diversity = diversity
        self._similarity = style_similarity(directions)
        self._volume = np.ones(len(relevance))
        self._rows = np.zeros((limit, len(relevance)))
        self._taken = 0

    def values(self) -> FloatArray:
        """Return the gain of each candidate, (n,)."""
        return np.asarray(self._relevance + self._diversity * np.log(np.maximum(self._volume, LEAST_VOLUME)))

    def take(self, pick: int) -> None:
        """Add a candidate to the list; one in the span of the list changes nothing for the others."""
        volume = self._volume[pick]
        if volume <= LEAST_VOLUME:
            return
        # The next row of the Cholesky factor: similarity to the pick, less the part that earlier picks span.
        earlier = self._rows[: self._taken]
        row = (self._similarity[pick] - earlier[:, pick] @ earlier) / np.sqrt(volume)
        self._rows[self._taken] = row
        self._taken += 1
        self._volume -= row**2


def style_similarity(directions: FloatArray) -> NDArray[np.float64]:
    """Return S (n, n): (1 + cosine) / 2 of directions (n, D), unit or zero, with 1 on the diagonal.

    S is not the plain cosine: a determinant depends on its square, so opposite styles would count as the same.
    (1 + cosine) / 2 is half the sum of two Gram matrices, hence positive semidefinite, and 0 for opposites. An item
    without a photo counts as orthogonal to all others; its diagonal is raised from 1/2 to 1, which keeps S positive
    semidefinite.
    """
    similarity = (1.0 + (directions @ directions.T).astype(np.float64)) / 2
    np.fill_diagonal(similarity, 1.0)
    return similarity
