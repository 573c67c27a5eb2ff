"""Shape descriptors: moments and contour of a product's mask, independent of its size and rotation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from style.descriptors.base import Family, Invariance, Vector, inside, mean_difference
from style.images import Pixels
from style.mask import Mask
from style.vision import opencv

_SMALLEST = 1e-12
_POINTS = 128
_HARMONICS = 8


class HuMoments:
    """Base-10 logarithms of the magnitudes of the seven invariants of Hu 1962.

    The sign of the seventh, which separates mirror images, is dropped. The distance weights the first ones most: the
    higher ones are mostly noise of the outline.
    """

    name = "hu"
    family = Family.SHAPE
    dimensions = 7
    version = 1
    invariant_to = frozenset({Invariance.SCALE, Invariance.ROTATION, Invariance.LIGHT, Invariance.CAST})
    _SCALE = np.array([0.1, 1.0, 2.0, 2.0, 8.0, 8.0, 8.0], dtype=np.float32)

    def describe(self, pixels: Pixels, mask: Mask) -> Vector:  # noqa: ARG002
        """Describe the product; see `Descriptor.describe`."""
        cv2 = opencv()
        moments = cv2.HuMoments(cv2.moments(inside(mask).astype(np.uint8), binaryImage=True)).ravel()
        return np.asarray(np.log10(np.maximum(np.abs(moments), _SMALLEST)), dtype=np.float32)

    def distances(self, one: Vector, many: Vector) -> NDArray[np.float32]:
        """Compute distances; see `Descriptor.distances`."""
        return mean_difference(one, many, self._SCALE)


class Contour:
    """Largest outline: solidity, aspect, circularity, extent, then eight Fourier descriptors.

    - solidity: area over the area of its convex hull.
    - aspect: short over long side of the narrowest enclosing rectangle.
    - circularity: 4 pi area over squared perimeter, that of the hull if it is longer.
    - extent: area over the area of that rectangle.
    - Fourier descriptors (Granlund 1972): magnitudes of the harmonics 2 .. 5 and -1 .. -4 of the outline as complex
      numbers, divided by that of the first one, which is the size.

    The first four lie in (0, 1].
    """

    name = "contour"
    family = Family.SHAPE
    dimensions = 4 + _HARMONICS
    version = 1
    invariant_to = frozenset({Invariance.SCALE, Invariance.ROTATION, Invariance.LIGHT, Invariance.CAST})
    _SCALE = np.array([0.1, 0.2, 0.15, 0.15, *([0.08] * _HARMONICS)], dtype=np.float32)

    def describe(self, pixels: Pixels, mask: Mask) -> Vector:  # noqa: ARG002
        """Describe the product; see `Descriptor.describe`."""
        cv2 = opencv()
        # Padding gives a product that touches the frame an outline there, too.
        area = np.pad(inside(mask).astype(np.uint8), 1)
        outlines, _ = cv2.findContours(area, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        outline = max(outlines, key=lambda each: (cv2.contourArea(each), len(each)))
        # Outlines run through pixel centers: half a pixel of product lies outside of them.
        size = cv2.contourArea(outline) + cv2.arcLength(outline, True) / 2 + 1
        hull = cv2.convexHull(outline)
        around = cv2.arcLength(hull, True) + np.pi
        hull_size = cv2.contourArea(hull) + cv2.arcLength(hull, True) / 2 + 1
        short, long = (side + 1 for side in sorted(cv2.minAreaRect(outline)[1]))
        ratios = (size / hull_size, short / long, 4 * np.pi * size / around**2, size / (short * long))
        return np.concatenate([np.clip(ratios, 0.0, 1.0), _harmonics(outline.reshape(-1, 2))]).astype(np.float32)

    def distances(self, one: Vector, many: Vector) -> NDArray[np.float32]:
        """Compute distances; see `Descriptor.distances`."""
        return mean_difference(one, many, self._SCALE)


def _harmonics(outline: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return magnitudes (8,) relative to the first harmonic's, sampled evenly along the outline; zeros for a dot."""
    closed = np.vstack([outline, outline[:1]]).astype(np.float64)
    walked = np.append(0.0, np.cumsum(np.hypot(*np.diff(closed, axis=0).T)))
    if not walked[-1]:
        return np.zeros(_HARMONICS)
    steps = np.linspace(0.0, walked[-1], _POINTS, endpoint=False)
    x, y = (np.interp(steps, walked, closed[:, axis]) for axis in (0, 1))
    waves = np.abs(np.fft.fft(x + 1j * y))
    # The direction of the outline decides the sign of the first harmonic.
    first, other = max((waves[1], waves[-1]), (waves[-1], waves[1]))
    forwards = first == waves[1]
    same, against = (waves[2:6], waves[-2:-5:-1]) if forwards else (waves[-2:-6:-1], waves[2:5])
    return np.asarray(np.concatenate([same, [other], against]) / max(first, 1e-9))
