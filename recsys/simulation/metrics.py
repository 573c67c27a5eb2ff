"""Metrics of an experiment over a whole population, computed from the trace without logs."""

from __future__ import annotations

import numpy as np

from recsys.experiments.analysis.style_diversity import StyleVariety
from recsys.experiments.design.metric_names import MetricName
from recsys.schema import BoolArray, IntArray
from recsys.simulation.activity import Values
from recsys.simulation.simulator import Trace


def metric_sums(
    trace: Trace, mask: BoolArray, users: int, diversity: Values | None = None
) -> dict[MetricName, tuple[Values, Values]]:
    """Return numerator and denominator of each metric for each user, (P,) both.

    Args:
        trace: Visits and responses.
        mask: Visits that count (V,). Users without any have 0 in both sums.
        users: Number of users P.
        diversity: Style diversity of each list (V,), if that metric is wanted.
    """
    user, responses = trace.visits.user[mask], trace.responses

    def total(values: Values | BoolArray) -> Values:
        own = values[mask]
        weights = own if own.ndim == 1 else own.sum(axis=1)
        return np.bincount(user, weights=weights, minlength=users).astype(np.float64)

    visited = np.minimum(np.bincount(user, minlength=users), 1).astype(np.float64)
    impressions = total(trace.rows >= 0)
    ratings = total(responses.rated)
    found = {
        MetricName.CTR: (total(responses.clicked), impressions),
        MetricName.ADD_TO_CART: (total(responses.carted), impressions),
        MetricName.CONVERSION: (np.minimum(total(responses.bought), 1.0), visited),
        MetricName.REVENUE_PER_USER: (total(responses.amount), visited),
        MetricName.DWELL: (total(responses.dwell), total(responses.clicked)),
        MetricName.SATISFACTION: (total(responses.rated & responses.satisfied), ratings),
    }
    if diversity is not None:
        known = np.isfinite(diversity)
        found[MetricName.STYLE_DIVERSITY] = (total(np.where(known, diversity, 0.0)), total(known))
    return found


def metric_mean(sums: tuple[Values, Values]) -> float:
    """Return the metric of the whole population; NaN if the denominator is 0."""
    numerator, denominator = (float(part.sum()) for part in sums)
    return numerator / denominator if denominator else float("nan")


def style_diversity(rows: IntArray, vectors: np.ndarray) -> Values:
    """Return the style diversity of each list (V,) of item rows (V, K), as the analysis defines it."""
    import pyarrow as pa

    names = [str(row) for row in range(len(vectors))]
    # Many visits have equal lists: each is computed once.
    unique, back = np.unique(rows, axis=0, return_inverse=True)
    lists = pa.array([[str(row) for row in own if row >= 0] for own in unique.tolist()], pa.list_(pa.string()))
    return np.asarray(StyleVariety.from_vectors(names, vectors)(lists), dtype=np.float64)[back.reshape(-1)]
