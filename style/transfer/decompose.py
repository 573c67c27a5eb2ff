"""Decomposition of a fully painted image into a change of colors and texture."""

from __future__ import annotations

import numpy as np

from style.color_space import lab_statistics, with_lab_statistics
from style.images import Pixels
from style.mask import Mask
from style.transfer.base import Painting

MOST_GAIN = 4.0
"""As in the engine `color`: a flat photo has no spread to scale."""


def decompose_painting(
    image: Pixels, painted: Pixels, mask: Mask | None = None, most_gain: float = MOST_GAIN
) -> Painting:
    """Return the painting that turns `image` into `painted`, both `(H, W, 3)`.

    Color is the photo moved to the Lab statistics of the painted image (Reinhard et al. 2001). Texture is the rest.

    Args:
        image: Photo in [0, 1].
        painted: Painted image; clipped to [0, 1].
        mask: `(H, W)` over which statistics are taken; default: everywhere.
        most_gain: Limit on the scaling of colors.
    """
    if mask is None or not mask.any():
        mask = np.ones(image.shape[:2], dtype=np.float32)
    painted = np.clip(painted, 0.0, 1.0)
    mean, deviation = np.split(lab_statistics(painted, mask), 2)
    color = with_lab_statistics(image, mask, mean, deviation, most_gain) - image
    return Painting(painted - image - color, color)
