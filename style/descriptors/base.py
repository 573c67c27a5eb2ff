"""Interface of descriptors: a photo's product as a short vector, and the distance of two vectors."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from style.images import Pixels
from style.mask import Mask

Vector = NDArray[np.float32]
"""`(D,)` float32, or `(N, D)` of N products."""

_HALF = 0.5


class Family(StrEnum):
    """Described property of a product."""

    COLOR = "color"
    TEXTURE = "texture"
    SHAPE = "shape"


class Invariance(StrEnum):
    """Change of a photo that leaves its descriptor (nearly) unchanged. No descriptor uses pixels outside the mask.

    - SCALE: the image's size.
    - ROTATION: rotation by quarter turns.
    - LIGHT: brighter or darker light.
    - CAST: light of another color.
    """

    SCALE = "scale"
    ROTATION = "rotation"
    LIGHT = "light"
    CAST = "cast"


class Descriptor(Protocol):
    """Descriptor of `dimensions` numbers of a `family`. `version` counts up with every change of their meaning.

    No vector is all zeros: zeros stand for a product without a photo.
    """

    name: str
    family: Family
    dimensions: int
    version: int
    invariant_to: frozenset[Invariance]

    def describe(self, pixels: Pixels, mask: Mask) -> Vector:
        """Describe the product as `(D,)` float32, finite, the same for the same pixels.

        Args:
            pixels: Image `(H, W, 3)` of any size.
            mask: `(H, W)`, the product.

        Raises:
            ExtraError: If OpenCV or scikit-image is needed and missing.
        """
        ...

    def distances(self, one: Vector, many: Vector) -> NDArray[np.float32]:
        """Compute distances of `(D,)` to each of `(N, D)`: `(N,)`, at least 0, and 0 for the same vector."""
        ...


def inside(mask: Mask) -> NDArray[np.bool_]:
    """Return the pixels `(H, W)` of the product, or all if the mask is empty."""
    chosen = mask > _HALF
    return chosen if chosen.any() else np.ones_like(chosen)


def hellinger(one: Vector, many: Vector) -> NDArray[np.float32]:
    """Return sqrt(1 - Bhattacharyya coefficient) of distributions that sum to 1: 0 for equal, 1 for disjoint ones."""
    # Computed as the length of a difference: for equal ones, 1 - coefficient is rounding error with a large root.
    return np.asarray(np.linalg.norm(np.sqrt(many) - np.sqrt(one), axis=1) / np.sqrt(2.0), dtype=np.float32)


def mean_difference(one: Vector, many: Vector, scale: Vector) -> NDArray[np.float32]:
    """Return the mean over dimensions of absolute differences in units of `scale` `(D,)`."""
    return np.asarray((np.abs(many - one) / scale).mean(axis=1), dtype=np.float32)
