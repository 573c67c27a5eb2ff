"""What every descriptor is: a photo's product as a short vector, and how far two of these are apart."""

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
    """What of a product is described."""

    COLOR = "color"
    TEXTURE = "texture"
    SHAPE = "shape"


class Invariance(StrEnum):
    """What may change in a photo while its descriptor (nearly) stays.

    SCALE: the picture's size. ROTATION: turned by quarters. LIGHT: brighter or darker light. CAST: light of another
    color. Nothing outside the mask counts in any descriptor.
    """

    SCALE = "scale"
    ROTATION = "rotation"
    LIGHT = "light"
    CAST = "cast"


class Descriptor(Protocol):
    """`dimensions` numbers of a `family`. `version` counts up with every change of what they mean.

    No vector is all zeros: that stands for a product without a photo.
    """

    name: str
    family: Family
    dimensions: int
    version: int
    invariant_to: frozenset[Invariance]

    def describe(self, pixels: Pixels, mask: Mask) -> Vector:
        """`(D,)` float32, finite, of the product where `mask` `(H, W)` is, in a picture `(H, W, 3)` of any size.

        The same pixels always give the same numbers. Raises ExtraError where it needs OpenCV or scikit-image.
        """
        ...

    def distances(self, one: Vector, many: Vector) -> NDArray[np.float32]:
        """How far `(D,)` is from each of `(N, D)`: `(N,)`, at least 0, and 0 for the same vector."""
        ...


def inside(mask: Mask) -> NDArray[np.bool_]:
    """The pixels `(H, W)` that count: those of the product, or all where the mask leaves none."""
    chosen = mask > _HALF
    return chosen if chosen.any() else np.ones_like(chosen)


def hellinger(one: Vector, many: Vector) -> NDArray[np.float32]:
    """sqrt(1 - Bhattacharyya coefficient) of distributions that sum to 1: 0 for equal ones, 1 for disjoint ones."""
    # As the length of a difference: 1 - coefficient of equal ones is rounding, and its root is not small.
    return np.asarray(np.linalg.norm(np.sqrt(many) - np.sqrt(one), axis=1) / np.sqrt(2.0), dtype=np.float32)


def mean_difference(one: Vector, many: Vector, scale: Vector) -> NDArray[np.float32]:
    """The mean over the dimensions of absolute differences in units of `scale` `(D,)`."""
    return np.asarray((np.abs(many - one) / scale).mean(axis=1), dtype=np.float32)
