"""Photos made ready for networks that halve their sides, and their paintings cut back."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from style.images import Pixels
from style.mask import Mask


def network_input(image: Pixels, mask: Mask | None, fold: int) -> tuple[Tensor, Tensor]:
    """A photo `(H, W, 3)` as `(1, 3, H', W')` and its mask (default: ones) as `(1, 1, H', W')`.

    Sides are padded to multiples of `fold`: the photo by its edge, the mask by 0.
    """
    height, width = image.shape[:2]
    more = ((0, -height % fold), (0, -width % fold))
    photo = np.pad(image, (*more, (0, 0)), mode="edge").transpose(2, 0, 1)[None]
    where = np.pad(np.ones((height, width), dtype=np.float32) if mask is None else mask, more)[None, None]
    # NumPy, not torch, makes ready: torch's threads would wait for more work in the runtime's way.
    return torch.from_numpy(np.ascontiguousarray(photo)), torch.from_numpy(np.ascontiguousarray(where))


def network_output(painted: Tensor, height: int, width: int) -> Pixels:
    """The part `(height, width, 3)` of a network's `(1, 3, H', W')` that belongs to the photo."""
    return np.ascontiguousarray(painted.numpy()[0, :, :height, :width].transpose(1, 2, 0))
