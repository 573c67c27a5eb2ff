"""Color descriptors: histograms, moments, and the dominant color."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from style.ciede2000 import ciede2000
from style.color_space import srgb_to_lab
from style.descriptors.base import Family, Invariance, Vector, hellinger, inside, mean_difference
from style.descriptors.soft_bins import soft_histogram
from style.images import Pixels
from style.mask import Mask
from style.preprocess.balance import Balance

_LAB_BOUNDS = ((0.0, 100.0), (-80.0, 80.0), (-80.0, 80.0))
_LAB_BINS = (5, 9, 9)
_NEAR = 18.0
_ROUNDS = 4


class ColorHistogram:
    """CIE L*a*b* over the product, softly binned 5 x 9 x 9; Hellinger distance.

    `balanced`: shades of gray (`style.preprocess.balance`) over the whole image first removes the light's color, so
    that a warm lamp does not change the description. Histograms: Swain and Ballard 1991.
    """

    family = Family.COLOR
    dimensions = int(np.prod(_LAB_BINS))
    version = 1

    def __init__(self, *, balanced: bool = False) -> None:
        self.balance = Balance() if balanced else None
        self.name = "color-balanced" if balanced else "color-histogram"
        invariant = {Invariance.SCALE, Invariance.ROTATION}
        self.invariant_to = frozenset(invariant | {Invariance.CAST} if balanced else invariant)

    def describe(self, pixels: Pixels, mask: Mask) -> Vector:
        """Describe the product; see `Descriptor.describe`."""
        balanced = pixels if self.balance is None else self.balance(pixels)
        return soft_histogram(_lab_inside(balanced, mask), _LAB_BOUNDS, _LAB_BINS)

    def distances(self, one: Vector, many: Vector) -> NDArray[np.float32]:
        """Compute distances; see `Descriptor.distances`."""
        return hellinger(one, many)


class ColorMoments:
    """Mean, standard deviation and cube root of the third central moment of L*, a*, b* (Stricker and Orengo 1995).

    The mean of L* counts from 1, because a black product's moments would all be 0. The distance is the mean difference
    in units of the variation within catalogs.
    """

    name = "color-moments"
    family = Family.COLOR
    dimensions = 9
    version = 1
    invariant_to = frozenset({Invariance.SCALE, Invariance.ROTATION})
    _SCALE = np.array([25, 20, 20, 10, 8, 8, 12, 10, 10], dtype=np.float32)

    def describe(self, pixels: Pixels, mask: Mask) -> Vector:
        """Describe the product; see `Descriptor.describe`."""
        lab = _lab_inside(pixels, mask)
        mean = lab.mean(axis=0)
        off = lab - mean
        mean[0] += 1
        return np.concatenate([mean, np.sqrt((off**2).mean(axis=0)), np.cbrt((off**3).mean(axis=0))]).astype(np.float32)

    def distances(self, one: Vector, many: Vector) -> NDArray[np.float32]:
        """Compute distances; see `Descriptor.distances`."""
        return mean_difference(one, many, self._SCALE)


class Chromaticity:
    """Opponent chromaticities of linear light, softly binned 13 x 13; Hellinger distance.

    (R - G) / (R + G + B) and (R + G - 2 B) / (R + G + B): brightness of the light and shading cancel out (van de Sande,
    Gevers and Snoek 2010). Near black the hue is undefined, so a little gray is added.
    """

    name = "chromaticity"
    family = Family.COLOR
    dimensions = 169
    version = 1
    invariant_to = frozenset({Invariance.SCALE, Invariance.ROTATION, Invariance.LIGHT})
    _DARK = 0.002

    def describe(self, pixels: Pixels, mask: Mask) -> Vector:
        """Describe the product; see `Descriptor.describe`."""
        red, green, blue = (np.clip(pixels[inside(mask)], 0.0, 1.0).astype(np.float64) ** 2.2).T
        total = red + green + blue + self._DARK
        opponents = np.stack([(red - green) / total, (red + green - 2 * blue) / total], axis=1)
        return soft_histogram(opponents, ((-1.0, 1.0), (-2.0, 1.0)), (13, 13))

    def distances(self, one: Vector, many: Vector) -> NDArray[np.float32]:
        """Compute distances; see `Descriptor.distances`."""
        return hellinger(one, many)


class DominantColor:
    """Color that most of the product is near to: L*, a*, b*, and the share of the product near it, in (0, 1].

    It starts at the fullest bin of the histogram and moves a few times to the mean of all pixels within 18 of it in
    L*a*b*. The distance is CIEDE2000, in which 1 is just visible.
    """

    name = "dominant-color"
    family = Family.COLOR
    dimensions = 4
    version = 1
    invariant_to = frozenset({Invariance.SCALE, Invariance.ROTATION})

    def describe(self, pixels: Pixels, mask: Mask) -> Vector:
        """Describe the product; see `Descriptor.describe`."""
        lab = _lab_inside(pixels, mask)
        bins = np.array(_LAB_BINS)
        fullest = np.unravel_index(int(np.argmax(soft_histogram(lab, _LAB_BOUNDS, _LAB_BINS))), bins)
        low, high = np.array(_LAB_BOUNDS).T
        center = low + np.array(fullest) / (bins - 1) * (high - low)
        for _ in range(_ROUNDS):
            distance = ((lab - center) ** 2).sum(axis=1)
            near = distance <= max(_NEAR**2, float(distance.min()))
            center = lab[near].mean(axis=0)
        return np.append(center, near.mean()).astype(np.float32)

    def distances(self, one: Vector, many: Vector) -> NDArray[np.float32]:
        """Compute distances; see `Descriptor.distances`."""
        return ciede2000(one[:3], many[:, :3]).astype(np.float32)


def _lab_inside(pixels: Pixels, mask: Mask) -> NDArray[np.float64]:
    """Return L*a*b* `(N, 3)` of the product's pixels."""
    return srgb_to_lab(pixels[inside(mask)])
