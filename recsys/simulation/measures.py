"""Metrics of an experiment as means over a whole population, computed from the trace without logs."""

from __future__ import annotations

import numpy as np

from recsys.experiments.analysis.style_diversity import StyleVariety
from recsys.experiments.design.metric_names import MetricName
from recsys.schema import BoolArray, IntArray
from recsys.simulation.tastes import Values
from recsys.simulation.world import Trace


def sums_of(
    story: Trace, where: BoolArray, people: int, variety: Values | None = None
) -> dict[MetricName, tuple[Values, Values]]:
    """Return numerator and denominator of each metric for each person, (P,) both, over the visits `where` (V,).

    `variety` (V,): of the looks in each list. People without any such visit have 0 in both of all metrics.
    """
    person, acts = story.visits.person[where], story.acts

    def total(values: Values | BoolArray) -> Values:
        own = values[where]
        weights = own if own.ndim == 1 else own.sum(axis=1)
        return np.bincount(person, weights=weights, minlength=people).astype(np.float64)

    came = np.minimum(np.bincount(person, minlength=people), 1).astype(np.float64)
    shown = total(story.rows >= 0)
    judged = total(acts.asked)
    found = {
        MetricName.CTR: (total(acts.clicked), shown),
        MetricName.ADD_TO_CART: (total(acts.carted), shown),
        MetricName.CONVERSION: (np.minimum(total(acts.bought), 1.0), came),
        MetricName.REVENUE_PER_USER: (total(acts.amount), came),
        MetricName.DWELL: (total(acts.dwell), total(acts.clicked)),
        MetricName.SATISFACTION: (total(acts.asked & acts.satisfied), judged),
    }
    if variety is not None:
        known = np.isfinite(variety)
        found[MetricName.STYLE_DIVERSITY] = (total(np.where(known, variety, 0.0)), total(known))
    return found


def mean_of(sums: tuple[Values, Values]) -> float:
    """Return the metric of the whole population; NaN if the denominator is 0."""
    numerator, denominator = (float(part.sum()) for part in sums)
    return numerator / denominator if denominator else float("nan")


def variety_of(rows: IntArray, vectors: np.ndarray) -> Values:
    """Return the style diversity of each list (V,) of item rows (V, K), as the analysis defines it."""
    import pyarrow as pa

    names = [str(row) for row in range(len(vectors))]
    unique, back = np.unique(rows, axis=0, return_inverse=True)
    lists = pa.array([[str(row) for row in own if row >= 0] for own in unique.tolist()], pa.list_(pa.string()))
    return np.asarray(StyleVariety.from_vectors(names, vectors)(lists), dtype=np.float64)[back.reshape(-1)]
