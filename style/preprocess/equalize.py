"""Equalization of lightness: by histogram over the product, and with limited contrast by region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from style.color_space import srgb_to_lab
from style.images import Pixels
from style.mask import product_mask
from style.preprocess.base import check_range, replace_lightness
from style.vision import exposure, opencv

_LEVELS = 65_535.0


@dataclass(frozen=True, slots=True)
class Equalize:
    """Map L* by its own distribution over the product, so that all lightnesses are equally frequent; colors stay.

    `amount`: 1 applies the full map, below that it is mixed with the input. The histogram covers the product only:
    white backdrops would use up the range.
    """

    name: ClassVar[str] = "equalize"
    amount: float = 1.0

    def __post_init__(self) -> None:
        check_range(self.name, "amount", self.amount, 0.0, 1.0)

    def __call__(self, pixels: Pixels) -> Pixels:
        """Apply the step."""
        lab = srgb_to_lab(pixels)
        product = product_mask(pixels) > 0.5
        flat = exposure().equalize_hist(lab[..., 0], nbins=256, mask=product) * 100.0
        return replace_lightness(pixels, (1 - self.amount) * lab[..., 0] + self.amount * flat, lab)


@dataclass(frozen=True, slots=True)
class Clahe:
    """Contrast-limited adaptive histogram equalization (Zuiderveld 1994) of L*; colors stay.

    `clip`: limit on a lightness's share of pixels, as a multiple of the even share; the excess is spread over all.
    `tiles`: regions per side, each equalized separately and blended with its neighbors.
    """

    name: ClassVar[str] = "clahe"
    clip: float = 2.0
    tiles: int = 4

    def __post_init__(self) -> None:
        check_range(self.name, "clip", self.clip, 1.0, 40.0)
        check_range(self.name, "tiles", self.tiles, 1, 16)

    def __call__(self, pixels: Pixels) -> Pixels:
        """Apply the step."""
        lab = srgb_to_lab(pixels)
        tiles = max(1, min(self.tiles, *(side // 8 for side in pixels.shape[:2])))
        levels = np.rint(np.clip(lab[..., 0], 0.0, 100.0) / 100.0 * _LEVELS).astype(np.uint16)
        spread = opencv().createCLAHE(clipLimit=self.clip, tileGridSize=(tiles, tiles)).apply(levels)
        return replace_lightness(pixels, spread.astype(np.float64) / _LEVELS * 100.0, lab)
