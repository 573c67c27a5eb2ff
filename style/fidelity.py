"""Keeps the product truthful: how far a painting may go until the product is no longer the one on sale.

Four measures compare photo and composite inside the product's mask, each with a limit. A painting is linear in its
strength, so the engine runs once, and the largest strength that keeps all limits is found by bisection.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from style.ciede2000 import ciede2000
from style.color_space import luma, srgb_to_lab
from style.errors import VectorError
from style.images import Pixels
from style.mask import Mask
from style.modes import Strength
from style.transfer.base import Painting

MEASURING_SIDE = 160
"""Pictures are measured at this many pixels a side at most."""

STEPS = 1000
"""Strength is found to one part in this many."""

SAMPLE = 2500
"""Color differences are taken at about this many pixels, evenly spread over the product."""

_STRONG_EDGE = 0.06
_RIM = 3
_DISC = ndimage.generate_binary_structure(2, 1)


class Limit(StrEnum):
    """What can hold a painting back: the four limits, or that what a mode paints is not in the photo."""

    MEAN_DIFFERENCE = "mean-difference"
    HIGH_DIFFERENCE = "high-difference"
    STRUCTURE = "structure"
    EDGES = "edges"
    NO_BACKDROP = "no-backdrop"
    NO_PRODUCT = "no-product"


@dataclass(frozen=True, slots=True)
class Measures:
    """A composite against its photo, inside the product.

    `mean_difference`, `high_difference`: CIEDE2000 color difference, mean and 95th percentile. `structure`: SSIM of
    luma (Wang et al. 2004), at most 1. `edges`: the share in [0, 1] of the photo's strong edges that are still there.
    """

    mean_difference: float = 0.0
    high_difference: float = 0.0
    structure: float = 1.0
    edges: float = 1.0


@dataclass(frozen=True, slots=True)
class FidelityLimits:
    """How far a composite may be from its photo: `Measures` with the first two as upper, the others as lower bounds.

    The defaults were chosen by eye, on products of the sample and of two shops: beyond a mean difference of 25 a
    black garment is sold as a beige one, beyond 35 for the 95th percentile parts look dyed (faces, for one), and
    below a structure of 0.5 a plain product carries a pattern that it does not have. Raises VectorError for a bound
    that not even the photo itself keeps.
    """

    mean_difference: float = 25.0
    high_difference: float = 35.0
    structure: float = 0.5
    edges: float = 0.75

    def __post_init__(self) -> None:
        if not (self.mean_difference >= 0 and self.high_difference >= 0 and self.structure <= 1 and self.edges <= 1):
            raise VectorError(f"color differences are limited to at least 0, structure and edges to at most 1: {self}")

    def broken(self, measures: Measures) -> tuple[Limit, ...]:
        """The limits that the measures do not keep."""
        kept = {
            Limit.MEAN_DIFFERENCE: measures.mean_difference <= self.mean_difference,
            Limit.HIGH_DIFFERENCE: measures.high_difference <= self.high_difference,
            Limit.STRUCTURE: measures.structure >= self.structure,
            Limit.EDGES: measures.edges >= self.edges,
        }
        return tuple(limit for limit, holds in kept.items() if not holds)


DEFAULT_LIMITS = FidelityLimits()


@dataclass(frozen=True, slots=True)
class FidelityReport:
    """What was asked, what was used, and why. `limited_by` is empty where all that was asked was used.

    `measures` are those at the strength used, None where nothing was measured: the limits were off.
    """

    asked: Strength
    used: Strength
    measures: Measures | None
    limited_by: tuple[Limit, ...]


def untouched(asked: Strength, reason: Limit) -> FidelityReport:
    """The report of a photo in which there was nothing to paint."""
    return FidelityReport(asked, asked.lowered(0.0), None, (reason,))


@dataclass(frozen=True, slots=True, eq=False)
class Composite:
    """A painting to be laid on a photo `(H, W, 3)` where `where` `(H, W)` says; `product` is the product's mask."""

    photo: Pixels
    painting: Painting
    product: Mask
    where: Mask
    keep_color: bool = False

    def at(self, strength: Strength) -> Pixels:
        """The picture at a strength; at strength 0 the photo, bit for bit."""
        return self.painting.on(
            self.photo,
            texture=strength.texture,
            color=strength.color,
            mask=self.where,
            keep_color=self.keep_color,
        )

    def reduced(self) -> Composite:
        """The same, averaged down to at most `MEASURING_SIDE` pixels a side; sides are divided by a whole number."""
        factor = math.ceil(max(self.product.shape) / MEASURING_SIDE)
        if factor == 1:
            return self
        photo, texture, color, product, where = (
            _reduced(part, factor)
            for part in (self.photo, self.painting.texture, self.painting.color, self.product, self.where)
        )
        return Composite(photo, Painting(texture, color), product, where, self.keep_color)


class Ruler:
    """Measures one composite at any strength. What depends on the photo alone is computed once."""

    def __init__(self, composite: Composite) -> None:
        self._small = composite.reduced()
        self._inside = self._small.product > 0.5
        # The rim moves with the backdrop, and it is kept by any mask: it says nothing of the product.
        core = ndimage.binary_erosion(self._inside, _DISC, iterations=_RIM, border_value=1)
        self._core = core if core.any() else self._inside
        places = np.flatnonzero(self._inside)
        self._sample = places[:: math.ceil(len(places) / SAMPLE) or 1]
        self._lab = self._sampled(self._small.photo)
        before = luma(self._small.photo)
        self._structure = _Structure(before)
        self._edges = (_slopes(before) > _STRONG_EDGE) & self._core

    def measures(self, strength: Strength) -> Measures:
        """Of the composite at a strength; an empty product has changed in nothing."""
        if not self._inside.any():
            return Measures()
        after = self._small.at(strength)
        lightness = luma(after)
        difference = ciede2000(self._lab, self._sampled(after))
        return Measures(
            mean_difference=float(difference.mean()),
            high_difference=float(np.percentile(difference, 95)),
            structure=float(self._structure.similarity(lightness)[self._core].mean()),
            edges=self._edges_left(lightness),
        )

    def _sampled(self, pixels: Pixels) -> NDArray[np.float64]:
        return srgb_to_lab(pixels.reshape(-1, 3)[self._sample])

    def _edges_left(self, lightness: NDArray[np.float32]) -> float:
        if not self._edges.any():
            return 1.0
        # As in Canny's hysteresis, an edge that is there already may be weaker; and it may move by a pixel.
        slopes = ndimage.maximum_filter(_slopes(lightness), size=3)
        return float((slopes[self._edges] > _STRONG_EDGE / 2).mean())


def faithful(composite: Composite, asked: Strength, limits: FidelityLimits | None = DEFAULT_LIMITS) -> FidelityReport:
    """The largest strength, at most the one asked, whose composite keeps the limits; None: no limits.

    Texture and color are lowered in proportion. What is used always keeps the limits, and is at most 1/1000 below
    the largest that does as long as the measures worsen with strength; asking for more then never gives less.
    """
    if limits is None:
        return FidelityReport(asked, asked, None, ())
    ruler = Ruler(composite)
    measures = ruler.measures(asked)
    broken = limits.broken(measures)
    if not broken:
        return FidelityReport(asked, asked, measures, ())
    used, broken = _bisected(lambda strength: limits.broken(ruler.measures(strength)), asked, broken)
    return FidelityReport(asked, used, ruler.measures(used), broken)


def _bisected(
    broken_at: Callable[[Strength], tuple[Limit, ...]], asked: Strength, broken: tuple[Limit, ...]
) -> tuple[Strength, tuple[Limit, ...]]:
    """The last step that breaks no limit, and the limits that the next one breaks; `broken` are those of `asked`."""
    low, high = 0, math.ceil(round(asked.largest * STEPS, 6))
    while high - low > 1:
        middle = (low + high) // 2
        found = broken_at(asked.lowered(middle / STEPS))
        if found:
            high, broken = middle, found
        else:
            low = middle
    return asked.lowered(low / STEPS), broken


class _Structure:
    """SSIM of pictures with one luma `(H, W)`, pixel by pixel: Gaussian windows of sigma 1.5."""

    def __init__(self, lightness: NDArray[np.float32]) -> None:
        self._luma = lightness
        self._mean = _blurred(lightness)
        self._variance = _blurred(lightness * lightness) - self._mean**2

    def similarity(self, other: NDArray[np.float32]) -> NDArray[np.float32]:
        mean = _blurred(other)
        variance = _blurred(other * other) - mean**2
        covariance = _blurred(self._luma * other) - self._mean * mean
        c1, c2 = 0.01**2, 0.03**2
        lightness = (2 * self._mean * mean + c1) / (self._mean**2 + mean**2 + c1)
        return np.asarray(lightness * (2 * covariance + c2) / (self._variance + variance + c2))


def _blurred(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(ndimage.gaussian_filter(values, sigma=1.5, radius=5))


def _slopes(lightness: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(ndimage.gaussian_gradient_magnitude(lightness, sigma=1.0))


def _reduced(values: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """`(H, W)` or `(H, W, C)`, averaged over blocks of `factor` pixels a side."""
    if values.ndim == 2:
        return np.asarray(Image.fromarray(values, "F").reduce(factor), dtype=np.float32)
    return np.stack([_reduced(values[:, :, channel], factor) for channel in range(values.shape[2])], axis=2)
