"""Groups of items by style, for calibration: clusters of their style vectors."""

from __future__ import annotations

import numpy as np
from sklearn.cluster import KMeans

from recsys.errors import DataError
from recsys.rng import derive_seed
from recsys.schema import FloatArray

STYLE_GROUPS = 20


def style_groups(vectors: FloatArray, groups: int = STYLE_GROUPS, *, seed: int) -> FloatArray:
    """Return (I, G): 1 for the cluster of each item's style vector (I, D), by k-means.

    Items without a vector have zeros only.

    G is `groups`, or the number of different vectors where that is smaller. Raises DataError where no item has one.
    """
    pictured = vectors.any(axis=1)
    different = len(np.unique(vectors[pictured], axis=0))
    if not different:
        raise DataError("no item has a style vector: there are no groups of style")
    count = min(groups, different)
    means = KMeans(count, n_init=4, random_state=derive_seed(seed, "style groups") % 2**32)
    labels = means.fit_predict(vectors[pictured].astype(np.float64))
    shares = np.zeros((len(vectors), count), dtype=np.float32)
    shares[np.flatnonzero(pictured), labels] = 1.0
    return shares
