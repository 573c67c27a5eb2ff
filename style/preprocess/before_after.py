"""Two images beside each other, for viewing."""

from __future__ import annotations

import numpy as np

from style.images import Pixels

_GAP = 8


def side_by_side(before: Pixels, after: Pixels) -> Pixels:
    """Place both images on white with a gap of 8 pixels, the smaller one centered vertically."""
    height = max(before.shape[0], after.shape[0])
    gap = np.ones((height, _GAP, 3), dtype=np.float32)
    return np.concatenate([_at_height(before, height), gap, _at_height(after, height)], axis=1)


def _at_height(pixels: Pixels, height: int) -> Pixels:
    above = (height - pixels.shape[0]) // 2
    below = height - pixels.shape[0] - above
    return np.pad(pixels, ((above, below), (0, 0), (0, 0)), constant_values=1.0)
