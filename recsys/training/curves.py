"""Fit the curves of the learned ranker: logistic regression on piecewise linear functions of the features."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from recsys.models.curves import Curves
from recsys.schema import BoolArray, FloatArray

KNOTS = 8
"""Of a curve, at evenly spaced quantiles."""
INVERSE_PENALTY = 0.1
"""scikit-learn's C."""


def fit_curves(columns: FloatArray, relevant: BoolArray) -> Curves:
    """Curves from candidates of many people: columns (N, 2 F), raw and relative features, and what was liked (N,).

    Each curve is 0 on average, so that a score is 0 for a usual candidate. Deterministic.
    """
    knots = np.quantile(columns, np.linspace(0, 1, KNOTS), axis=0).T
    bases = [_hats(column, own) for column, own in zip(columns.T, knots, strict=True)]
    widths = [basis.shape[1] for basis in bases]
    # With several threads sums are split, and the last digits depend on how many there are.
    with threadpool_limits(1):
        model = LogisticRegression(C=INVERSE_PENALTY, max_iter=1000).fit(np.hstack(bases), relevant)
    slopes = np.split(model.coef_[0], np.cumsum(widths)[:-1])
    values = np.zeros((len(knots), KNOTS))
    for row, (own, heights, basis) in enumerate(zip(knots, slopes, bases, strict=True)):
        if len(heights):
            values[row] = np.interp(own, np.unique(own), np.append(0.0, heights)) - basis.mean(axis=0) @ heights
    return Curves(knots.astype(np.float32), values.astype(np.float32))


def _hats(column: FloatArray, knots: FloatArray) -> FloatArray:
    """Functions that are 1 at one knot, 0 at the others and straight between, but for the first: (N, knots - 1)."""
    places = np.unique(knots)
    if len(places) < 2:
        return np.zeros((len(column), 0), dtype=np.float32)
    hats = [np.interp(column, places, peak) for peak in np.eye(len(places))[1:]]
    return np.array(hats, dtype=np.float32).T
