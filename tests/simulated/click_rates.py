"""Click rates of items from simulated logs: naive ones, and unbiased ones by inverse propensities."""

from __future__ import annotations

import numpy as np

from recsys.schema import BoolArray
from recsys.simulation.activity import Values


def naive_rates(items: np.ndarray, clicked: BoolArray, count: int) -> Values:
    """Return clicks per impression of each item (count,), NaN without impressions; items near the top are overrated.

    Args:
        items: Rows of items (V, K).
        clicked: Clicks (V, K).
        count: Number of items.
    """
    return weighted_rates(items, clicked, np.ones(items.shape[1]), count)


def unbiased_rates(items: np.ndarray, clicked: BoolArray, examination: Values, count: int) -> Values:
    """Estimate the attraction of each item (count,) by inverse propensities: the mean of click / E_k over impressions.

    Joachims, Swaminathan & Schnabel (2017, "Unbiased learning-to-rank with biased feedback"), for clicks per item.
    Unbiased under the position-based model with these probabilities `examination` (K,); biased if they are wrong, and
    under a cascade.
    """
    return weighted_rates(items, clicked, 1.0 / examination, count)


def weighted_rates(items: np.ndarray, clicked: BoolArray, weights: Values, count: int) -> Values:
    """Return the mean of weight x click over the impressions of each item (count,); `weights` (K,) by position."""
    impressions = np.bincount(items.ravel(), minlength=count).astype(np.float64)
    sums = np.bincount(items.ravel(), weights=(clicked * weights).ravel(), minlength=count)
    return np.asarray(np.divide(sums, impressions, out=np.full(count, np.nan), where=impressions > 0))
