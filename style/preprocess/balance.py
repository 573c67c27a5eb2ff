"""White balance: removes the color of the light."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from style.images import Pixels
from style.preprocess.base import check_choice

ORDERS = {"gray-world": 1.0, "shades": 6.0}


@dataclass(frozen=True, slots=True)
class Balance:
    """Scale each channel of linear light so that its Minkowski mean over the image equals the brightest channel's.

    - `gray-world`: the mean itself (Buchsbaum 1980); also accepted as `grey-world`. An image that is mostly product
      loses the product's own color.
    - `shades`: order 6, shades of gray (Finlayson and Trezzi 2004), which weights bright pixels and thus a white
      backdrop.
    """

    name: ClassVar[str] = "balance"
    method: str = "shades"

    def __post_init__(self) -> None:
        if self.method == "grey-world":
            object.__setattr__(self, "method", "gray-world")
        check_choice(self.name, "method", self.method, ORDERS)

    def __call__(self, pixels: Pixels) -> Pixels:
        """Apply the step."""
        linear = np.clip(pixels, 0.0, 1.0).astype(np.float64) ** 2.2
        light = np.maximum(linear.reshape(-1, 3), 1e-6)  # (H*W, 3)
        means = (light ** ORDERS[self.method]).mean(axis=0) ** (1 / ORDERS[self.method])
        gains = means.max() / means
        # Dim the whole image if pixels would exceed white: clipping them would change their hue.
        balanced = linear * (gains / max(1.0, float(np.percentile((linear * gains).max(axis=-1), 99.5))))
        return np.asarray(np.clip(balanced, 0.0, 1.0) ** (1 / 2.2), dtype=np.float32)
