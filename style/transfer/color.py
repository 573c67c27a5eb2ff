"""Engine `color`: Lab statistics (Reinhard et al. 2001), with the target predicted from z.

Departs from the paper in one thing: the target means and deviations do not come from a style image. A linear map,
fitted on many images (`style.training.recipes.embedding`), computes them from the style vector, so this engine needs
only z.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from style.backbone import WEIGHTS, read_weights
from style.color_space import with_lab_statistics
from style.images import Pixels
from style.mask import Mask, product_mask
from style.transfer.base import Painting, Stylizer
from style.vector import StyleVector

COLOR_SHA256 = "3c68e8a2f541aa947e2502816c201a0f32adf6b1c4eb2a9b97ad3ebf435d1af6"
MOST_GAIN = 4.0
"""Limit on the scaling of colors: a flat image has no spread to scale, and its noise would be enlarged."""


class ColorStylizer(Stylizer):
    """Engine that shifts and scales L*, a* and b* to the means and deviations that belong to z."""

    name: ClassVar[str] = "color"
    model_sha256 = COLOR_SHA256

    def __init__(self, weight: NDArray[np.float64], bias: NDArray[np.float64], version: str) -> None:
        self.weight = weight  # (6, 128)
        self.bias = bias  # (6,)
        self.version = version

    @classmethod
    def load(cls, threads: int | None = None) -> ColorStylizer:  # noqa: ARG003  other engines take it
        """Load the engine with the packaged map; one thread is enough. Raises WeightsError if the file is wrong."""
        tensors = read_weights(Path(str(WEIGHTS / "color.safetensors")), COLOR_SHA256)
        weight, bias = (tensors[key].double().numpy() for key in ("weight", "bias"))
        return cls(weight, bias, f"color-{COLOR_SHA256[:8]}")

    def paint(
        self, images: Sequence[Pixels], style: StyleVector, masks: Sequence[Mask] | None = None
    ) -> list[Painting]:
        """Compute the change of each image; see `Stylizer.paint`."""
        target = self.weight @ style.values + self.bias
        mean, deviation = target[:3], np.maximum(target[3:], 1.0)
        where = [product_mask(image) for image in images] if masks is None else masks
        changes = [
            with_lab_statistics(image, mask, mean, deviation, MOST_GAIN) - image
            for image, mask in zip(images, where, strict=True)
        ]
        return [Painting(np.zeros_like(change), change) for change in changes]
