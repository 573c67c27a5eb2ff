"""A picture that an engine painted whole, taken apart into what changes colors and what is texture."""

from __future__ import annotations

import numpy as np

from style.color_space import lab_statistics, with_lab_statistics
from style.images import Pixels
from style.mask import Mask
from style.transfer.base import Painting

MOST_GAIN = 4.0
"""As in the engine `color`: a flat photo has no spread to scale."""


def painting_of(image: Pixels, painted: Pixels, mask: Mask | None = None, most_gain: float = MOST_GAIN) -> Painting:
    """What turns `image` into `painted`, both `(H, W, 3)`.

    Color is the photo moved to the painted picture's Lab statistics over `mask` `(H, W)` (default: everywhere;
    Reinhard et al. 2001), spread at most `most_gain`-fold; texture is what is left.
    """
    if mask is None or not mask.any():
        mask = np.ones(image.shape[:2], dtype=np.float32)
    painted = np.clip(painted, 0.0, 1.0)
    mean, deviation = np.split(lab_statistics(painted, mask), 2)
    color = with_lab_statistics(image, mask, mean, deviation, most_gain) - image
    return Painting(painted - image - color, color)
