"""Readable learned ranker: the score is a sum of curves, two for each feature.

A feature counts once as it is and once relative to the other candidates, each by a piecewise linear curve: a
generalized additive model (Hastie and Tibshirani 1986) of the probability that a candidate is liked next. The
contribution of each feature to a score is exact, and a request costs a few interpolations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recsys.schema import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """Curves of F features as they are, then of the same features relative to the other candidates.

    Curves are linear between knots and constant outside. A feature that never varied has a curve of 0.

    Attributes:
        knots: (2 F, K) ascending along a row.
        values: (2 F, K) value of the curve at each knot.
    """

    knots: FloatArray
    values: FloatArray

    def contributions(self, table: FloatArray) -> FloatArray:
        """Return the part of each feature in the score, (n, F), from the features of all candidates (n, F)."""
        columns = np.hstack([table, standardize(table)]).T
        parts = [np.interp(*each) for each in zip(columns, self.knots, self.values, strict=True)]
        own, compared = np.split(np.array(parts, dtype=np.float32), 2)
        return np.asarray((own + compared).T)


def standardize(table: FloatArray) -> FloatArray:
    """Return features (n, F) less their mean over the candidates, in standard deviations; 0 if all are equal."""
    deviation = table.std(axis=0)
    # Division by infinity gives 0 for a feature without spread.
    return np.asarray((table - table.mean(axis=0)) / np.where(deviation > 1e-6, deviation, np.inf), dtype=np.float32)
