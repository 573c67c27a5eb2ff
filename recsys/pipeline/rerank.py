"""Rerank: maximal marginal relevance in style space, so that a list is not ten of the same look."""

from __future__ import annotations

import numpy as np

from recsys.schema import FloatArray, IntArray

POOL = 5
"""The list is chosen from the best POOL * limit candidates, at least 50: variety must not fetch what does not fit."""


def diversify(scores: FloatArray, directions: FloatArray, limit: int, diversity: float) -> IntArray:
    """Positions (min(limit, n),) of the chosen candidates, in order, from scores (n,) and directions (n, 128).

    Each pick maximises (1 - diversity) * relevance - diversity * (largest cosine to what is already chosen),
    with relevance scaled to [0, 1] within the pool (Carbonell and Goldstein 1998). Equal ones: the earlier.
    """
    pool = np.argsort(-scores, kind="stable")[: max(POOL * limit, 50)]
    limit = min(limit, len(pool))
    if diversity == 0 or limit <= 1:
        return pool[:limit].astype(np.int64)
    relevance = _unit_range(scores[pool])
    likeness = directions[pool] @ directions[pool].T
    closest = np.zeros(len(pool), dtype=np.float32)
    open_ = np.ones(len(pool), dtype=bool)
    chosen: list[int] = []
    for _ in range(limit):
        value = np.where(open_, (1 - diversity) * relevance - diversity * closest, -np.inf)
        pick = int(value.argmax())
        chosen.append(pick)
        open_[pick] = False
        closest = np.maximum(closest, likeness[pick])
    return pool[chosen].astype(np.int64)


def _unit_range(values: FloatArray) -> FloatArray:
    low, high = float(values.min()), float(values.max())
    return (values - low) / max(high - low, 1e-9)
