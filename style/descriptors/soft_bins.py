"""Soft histograms: a value counts for both bins around it, so a small change causes no jump."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from style.descriptors.base import Vector


def soft_histogram(values: NDArray[np.float64], bounds: Sequence[tuple[float, float]], bins: Sequence[int]) -> Vector:
    """Compute the distribution of values over a grid of bin centers, flattened, with sum 1.

    Each value is shared among the 2^K centers around it (multilinear); values beyond a bound count as the bound.

    Args:
        values: `(N, K)`.
        bounds: Lowest and highest center per dimension.
        bins: Number of centers per dimension.
    """
    low, high = np.array(bounds).T
    counts = np.array(bins)
    position = np.clip((values - low) / (high - low), 0.0, 1.0) * (counts - 1)  # (N, K), in units of bins
    first = np.minimum(position.astype(np.int64), counts - 2)
    share = position - first
    strides = np.append(np.cumprod(counts[::-1])[::-1][1:], 1)
    total = np.zeros(int(np.prod(counts)))
    for corner in product((0, 1), repeat=len(bins)):
        up = np.array(corner)
        weights = np.prod(np.where(up, share, 1 - share), axis=1)
        total += np.bincount((first + up) @ strides, weights, minlength=len(total))
    return np.asarray(total / total.sum(), dtype=np.float32)
