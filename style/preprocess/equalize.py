"""Lightness spread evenly: histogram equalization over the product, and with limited contrast from place to place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from style.color_space import srgb_to_lab
from style.images import Pixels
from style.mask import product_mask
from style.preprocess.base import with_lightness, within
from style.vision import exposure, opencv

_LEVELS = 65_535.0


@dataclass(frozen=True, slots=True)
class Equalize:
    """L* mapped by its own distribution over the product, so that each lightness is as frequent; colors stay.

    `amount`: 1 in full, below that mixed with what was. The histogram is the product's alone: white backdrops would
    leave no room for anything else.
    """

    name: ClassVar[str] = "equalize"
    amount: float = 1.0

    def __post_init__(self) -> None:
        within(self.name, "amount", self.amount, 0.0, 1.0)

    def __call__(self, pixels: Pixels) -> Pixels:
        lab = srgb_to_lab(pixels)
        product = product_mask(pixels) > 0.5
        flat = exposure().equalize_hist(lab[..., 0], nbins=256, mask=product) * 100.0
        return with_lightness(pixels, (1 - self.amount) * lab[..., 0] + self.amount * flat, lab)


@dataclass(frozen=True, slots=True)
class Clahe:
    """Contrast-limited adaptive histogram equalization (Zuiderveld 1994) of L*; colors stay.

    `clip`: how many times the even share of pixels one lightness may have before what is above is given to all.
    `tiles`: regions a side, each equalized by itself and blended with its neighbors.
    """

    name: ClassVar[str] = "clahe"
    clip: float = 2.0
    tiles: int = 4

    def __post_init__(self) -> None:
        within(self.name, "clip", self.clip, 1.0, 40.0)
        within(self.name, "tiles", self.tiles, 1, 16)

    def __call__(self, pixels: Pixels) -> Pixels:
        lab = srgb_to_lab(pixels)
        tiles = max(1, min(self.tiles, *(side // 8 for side in pixels.shape[:2])))
        levels = np.rint(np.clip(lab[..., 0], 0.0, 100.0) / 100.0 * _LEVELS).astype(np.uint16)
        spread = opencv().createCLAHE(clipLimit=self.clip, tileGridSize=(tiles, tiles)).apply(levels)
        return with_lightness(pixels, spread.astype(np.float64) / _LEVELS * 100.0, lab)
