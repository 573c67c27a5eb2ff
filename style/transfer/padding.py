"""Padding of photos for networks that halve their sides, and cropping of their outputs."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from style.images import Pixels
from style.mask import Mask


def network_input(image: Pixels, mask: Mask | None, fold: int) -> tuple[Tensor, Tensor]:
    """Return a photo `(H, W, 3)` as `(1, 3, H', W')` and its mask as `(1, 1, H', W')`.

    Args:
        image: Photo, padded by its edge.
        mask: `(H, W)`, padded by 0; default: ones.
        fold: Sides are padded to multiples of this number.
    """
    height, width = image.shape[:2]
    more = ((0, -height % fold), (0, -width % fold))
    photo = np.pad(image, (*more, (0, 0)), mode="edge").transpose(2, 0, 1)[None]
    where = np.pad(np.ones((height, width), dtype=np.float32) if mask is None else mask, more)[None, None]
    # NumPy, not torch, prepares the input: torch's threads would compete with the runtime's.
    return torch.from_numpy(np.ascontiguousarray(photo)), torch.from_numpy(np.ascontiguousarray(where))


def network_output(painted: Tensor, height: int, width: int) -> Pixels:
    """Crop a network's output `(1, 3, H', W')` to the photo's part `(height, width, 3)`."""
    return np.ascontiguousarray(painted.numpy()[0, :, :height, :width].transpose(1, 2, 0))
