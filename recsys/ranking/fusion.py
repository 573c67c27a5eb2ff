"""Two kinds of likeness in one score, where each may be unknown.

Cosines of looks and of factors have different scales and spreads, so that a plain sum is mostly the wider one. Each is
counted in standard deviations above its mean over the catalog (z-scores, then a convex combination: Bruch, Gai and
Ingber 2023, ACM TOIS, "An analysis of fusion functions for hybrid retrieval"). What is unknown of an item counts as
average: it is neither held against it nor for it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recsys.schema import BoolArray, FloatArray


def fused(likenesses: Sequence[tuple[FloatArray, BoolArray]]) -> FloatArray:
    """What each of K likenesses adds to the score of each item, (K, I): z / K, and 0 where it is unknown.

    A likeness is values (I,) and where they are known (I,); one that is known nowhere adds nothing anywhere.
    """
    return np.stack([_z_scores(*likeness) for likeness in likenesses]) / np.float32(len(likenesses))


def _z_scores(values: FloatArray, known: BoolArray) -> FloatArray:
    if not known.any():
        return np.zeros(len(values), dtype=np.float32)
    mean, deviation = float(values[known].mean()), float(values[known].std())
    return np.where(known, (values - mean) / max(deviation, 1e-6), 0.0).astype(np.float32)
