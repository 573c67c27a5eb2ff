"""The color of the light taken out, by what the colors of a whole picture should come to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from style.images import Pixels
from style.preprocess.base import one_of

ORDERS = {"grey-world": 1.0, "shades": 6.0}


@dataclass(frozen=True, slots=True)
class Balance:
    """Each channel of linear light scaled so that its Minkowski mean over the picture is the brightest channel's.

    grey-world: the mean itself (Buchsbaum 1980). shades: of order 6, shades of grey (Finlayson and Trezzi 2004), which
    leans on bright pixels, hence on a white backdrop where there is one. Grey-world makes a picture that is mostly
    product lose the product's own color.
    """

    name: ClassVar[str] = "balance"
    method: str = "shades"

    def __post_init__(self) -> None:
        one_of(self.name, "method", self.method, ORDERS)

    def __call__(self, pixels: Pixels) -> Pixels:
        linear = np.clip(pixels, 0.0, 1.0).astype(np.float64) ** 2.2
        light = np.maximum(linear.reshape(-1, 3), 1e-6)
        means = (light ** ORDERS[self.method]).mean(axis=0) ** (1 / ORDERS[self.method])
        gains = means.max() / means
        # What would be brighter than white is dimmed with everything else: clipped, it would change its hue.
        balanced = linear * (gains / max(1.0, float(np.percentile((linear * gains).max(axis=-1), 99.5))))
        return np.asarray(np.clip(balanced, 0.0, 1.0) ** (1 / 2.2), dtype=np.float32)
