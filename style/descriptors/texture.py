"""Texture descriptors, independent of color: local binary patterns, and gray-level co-occurrence."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from style.color_space import luma
from style.descriptors.base import Family, Invariance, Vector, hellinger, inside, mean_difference
from style.images import Pixels
from style.mask import Mask
from style.vision import texture

_RINGS = ((8, 1), (16, 2))
_STEPS = (1, 2, 4)
_ANGLES = (0.0, np.pi / 4, np.pi / 2, 3 * np.pi / 4)
_LEVELS = 32
_PROPERTIES = ("energy", "contrast", "homogeneity", "correlation")


class LocalBinaryPatterns:
    """Frequency of each uniform, rotation-invariant pattern on rings of 8 at 1 and of 16 at 2 pixels.

    Ojala, Pietikäinen and Mäenpää 2002; both histograms have half the weight, Hellinger distance. Only the order of
    brightness counts, so monotone changes of lightness change nothing but rounding.
    """

    name = "lbp"
    family = Family.TEXTURE
    dimensions = sum(points + 2 for points, _ in _RINGS)
    version = 1
    invariant_to = frozenset({Invariance.ROTATION, Invariance.LIGHT})

    def describe(self, pixels: Pixels, mask: Mask) -> Vector:
        """Describe the product; see `Descriptor.describe`."""
        # Integers: noise in the last bits would create patterns in flat areas.
        gray, product = _levels(pixels, 256), inside(mask)
        # The outline is no texture: leave it out, unless nothing else is left.
        inner = ndimage.binary_erosion(product, iterations=max(_RINGS)[1], border_value=1)
        surface = inner if inner.any() else product
        parts = []
        for points, radius in _RINGS:
            codes = texture().local_binary_pattern(gray, points, radius, method="uniform")
            parts.append(np.bincount(codes[surface].astype(np.int64), minlength=points + 2) / surface.sum())
        return (np.concatenate(parts) / len(_RINGS)).astype(np.float32)

    def distances(self, one: Vector, many: Vector) -> NDArray[np.float32]:
        """Compute distances; see `Descriptor.distances`."""
        return hellinger(one, many)


class CoOccurrence:
    """Energy, contrast (log), homogeneity and correlation of gray levels 1, 2 and 4 pixels apart, over four directions.

    Haralick, Shanmugam and Dinstein 1973, in 32 gray levels; pairs with a pixel outside the product do not count.
    """

    name = "glcm"
    family = Family.TEXTURE
    dimensions = len(_PROPERTIES) * len(_STEPS)
    version = 1
    invariant_to = frozenset({Invariance.ROTATION})
    _SCALE = np.repeat(np.array([0.1, 0.8, 0.12, 0.1], dtype=np.float32), len(_STEPS))

    def describe(self, pixels: Pixels, mask: Mask) -> Vector:
        """Describe the product; see `Descriptor.describe`."""
        library = texture()
        # Level 0 is the backdrop; its row and column are removed.
        gray = np.where(inside(mask), _levels(pixels, _LEVELS) + 1, 0).astype(np.uint8)
        counts = library.graycomatrix(gray, _STEPS, _ANGLES, levels=_LEVELS + 1, symmetric=True)[1:, 1:].astype(float)
        counts = counts.sum(axis=3, keepdims=True)  # (levels, levels, steps, 1), summed over directions
        # A product without any pair counts as perfectly flat.
        counts[0, 0, counts.sum(axis=(0, 1)) == 0] = 1.0
        pairs = counts / counts.sum(axis=(0, 1))
        values = {name: library.graycoprops(pairs, name)[:, 0] for name in _PROPERTIES}
        values["contrast"] = np.log1p(values["contrast"])
        return np.concatenate([values[name] for name in _PROPERTIES]).astype(np.float32)

    def distances(self, one: Vector, many: Vector) -> NDArray[np.float32]:
        """Compute distances; see `Descriptor.distances`."""
        return mean_difference(one, many, self._SCALE)


def _levels(pixels: Pixels, count: int) -> NDArray[np.uint8]:
    """Return luma in `count` integer levels from 0."""
    return np.clip(luma(pixels) * count, 0, count - 1).astype(np.uint8)
