"""Contrast and brightness: lightness stretched to its full range, and a power law."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from style.color_space import srgb_to_lab
from style.errors import RecipeError
from style.images import Pixels
from style.preprocess.base import check_range, replace_lightness

_LEAST_RANGE = 5.0


@dataclass(frozen=True, slots=True)
class Stretch:
    """Scale L* so that its percentiles `low` and `high` become 0 and 100; colors stay.

    An image whose lightness spans less than 5 stays unchanged: stretching would only enlarge noise.
    """

    name: ClassVar[str] = "stretch"
    low: float = 0.5
    high: float = 99.5

    def __post_init__(self) -> None:
        check_range(self.name, "low", self.low, 0.0, 100.0)
        check_range(self.name, "high", self.high, 0.0, 100.0)
        if self.low >= self.high:
            raise RecipeError(f"step {self.name!r}: low {self.low:g} must be below high {self.high:g}")

    def __call__(self, pixels: Pixels) -> Pixels:
        """Apply the step."""
        lab = srgb_to_lab(pixels)
        low, high = np.percentile(lab[..., 0], [self.low, self.high])
        if high - low < _LEAST_RANGE:
            return pixels
        return replace_lightness(pixels, np.clip((lab[..., 0] - low) / (high - low) * 100.0, 0.0, 100.0), lab)


@dataclass(frozen=True, slots=True)
class Gamma:
    """Raise each channel to the power `gamma`: below 1 brighter, above 1 darker; black and white stay."""

    name: ClassVar[str] = "gamma"
    gamma: float = 0.8

    def __post_init__(self) -> None:
        check_range(self.name, "gamma", self.gamma, 0.1, 10.0)

    def __call__(self, pixels: Pixels) -> Pixels:
        """Apply the step."""
        return np.asarray(np.clip(pixels, 0.0, 1.0) ** np.float32(self.gamma), dtype=np.float32)
