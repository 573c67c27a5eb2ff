"""A learned ranker that can be read: the score is a sum of curves, two for each feature.

A feature counts once as it is and once relative to the other candidates, each by a piecewise linear curve: a
generalized additive model (Hastie and Tibshirani 1986) of whether a candidate is what the person likes next. What each
feature adds to a score is exact, and a request costs a few interpolations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recsys.schema import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """The curves of F features as they are, then of the same relative to the other candidates.

    `knots` (2 F, K) ascend along a row, `values` (2 F, K) are the curve's at these; it is straight between and level
    outside. A feature that was always the same has a curve of 0.
    """

    knots: FloatArray
    values: FloatArray

    def contributions(self, table: FloatArray) -> FloatArray:
        """What each feature adds to the score, from a table of all candidates (n, F): (n, F)."""
        columns = np.hstack([table, relative(table)]).T
        parts = [np.interp(*each) for each in zip(columns, self.knots, self.values, strict=True)]
        own, compared = np.split(np.array(parts, dtype=np.float32), 2)
        return np.asarray((own + compared).T)


def relative(table: FloatArray) -> FloatArray:
    """Features (n, F) less their mean over the candidates, in units of their deviation; 0 where all are alike."""
    deviation = table.std(axis=0)
    return np.asarray((table - table.mean(axis=0)) / np.where(deviation > 1e-6, deviation, np.inf), dtype=np.float32)
