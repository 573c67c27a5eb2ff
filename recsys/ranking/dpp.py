"""Variety as volume: greedy choice of the most probable list of a determinantal point process in style space.

A list Y has probability in proportion to det(L_Y), L = diag(q) S diag(q): q says how well items fit, S how alike they
look. Two of a look span hardly any volume. Source: Chen, Zhang and Zhou 2018 (NeurIPS), algorithm 1 and section 4.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recsys.schema import FloatArray

LEAST_VOLUME = 1e-10
"""Below it, what an item adds to the volume is rounding error (the paper's epsilon): its look is there already."""


class Determinant:
    """The gain of each candidate, theta * relevance + (1 - theta) * log d^2, with theta = 1 - diversity.

    d^2 (n,) is by what factor a candidate multiplies det(S) of the list, kept up by one row of a Cholesky
    factorization a pick: O(n) for each earlier pick, O(k^2 n) for a list of k. It is 1 - theta times what the candidate
    adds to log det(L) with q = exp(alpha * relevance), alpha = theta / (2 (1 - theta)) (the paper's equation 19), and
    so the same choice; written so, it neither overflows near theta = 1 nor is undefined there.
    """

    def __init__(self, relevance: FloatArray, directions: FloatArray, limit: int, diversity: float) -> None:
        """For relevance (n,) in [0, 1], directions (n, D) unit or zero, `limit` picks, diversity in [0, 1]."""
        self._relevance = (1.0 - diversity) * relevance.astype(np.float64)
        self._diversity = diversity
        self._likeness = look_likeness(directions)
        self._volume = np.ones(len(relevance))
        self._rows = np.zeros((limit, len(relevance)))
        self._taken = 0

    def values(self) -> FloatArray:
        """(n,)"""
        return np.asarray(self._relevance + self._diversity * np.log(np.maximum(self._volume, LEAST_VOLUME)))

    def take(self, pick: int) -> None:
        """Add a candidate. One that lies in the span of the list changes nothing for the others."""
        volume = self._volume[pick]
        if volume <= LEAST_VOLUME:
            return
        earlier = self._rows[: self._taken]
        row = (self._likeness[pick] - earlier[:, pick] @ earlier) / np.sqrt(volume)
        self._rows[self._taken] = row
        self._taken += 1
        self._volume -= row**2


def look_likeness(directions: FloatArray) -> NDArray[np.float64]:
    """S (n, n): (1 + cosine) / 2 of directions (n, D) unit or zero, 1 on the diagonal; positive semidefinite.

    Not the plain cosine: a determinant sees its square, so opposite looks would count as the same. (1 + cosine) / 2 is
    half the sum of two Gram matrices, hence positive semidefinite, and 0 for opposites. An item without a picture
    counts as at right angles to all others; its diagonal is raised from 1/2 to 1, which keeps S so.
    """
    likeness = (1.0 + (directions @ directions.T).astype(np.float64)) / 2
    np.fill_diagonal(likeness, 1.0)
    return likeness
