"""Fidelity: limits on a painting that keep the product recognizable as the one on sale.

Four measures compare photo and composite inside the product's mask, each with a limit. A painting is linear in its
strength, so the engine runs once, and bisection finds the largest strength within all limits.
"""

from __future__ import annotations

import math
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
"""Longest side in pixels at which images are measured."""

STEPS = 1000
"""Resolution of the strength: 1 / STEPS."""

SAMPLE = 2500
"""Approximate number of pixels, evenly spread over the product, at which color differences are taken."""

_STRONG_EDGE = 0.06
_RIM = 3
_DISC = ndimage.generate_binary_structure(2, 1)


class Limit(StrEnum):
    """Reason for a lower strength: one of the four limits, or a photo without the part that a mode paints.

    `too-narrow`: a side of the photo has fewer pixels than engines can paint.
    """

    MEAN_DIFFERENCE = "mean-difference"
    HIGH_DIFFERENCE = "high-difference"
    STRUCTURE = "structure"
    EDGES = "edges"
    NO_BACKDROP = "no-backdrop"
    NO_PRODUCT = "no-product"
    TOO_NARROW = "too-narrow"


@dataclass(frozen=True, slots=True)
class Measures:
    """Differences of a composite from its photo, inside the product.

    `mean_difference`, `high_difference`: CIEDE2000 color difference, mean and 95th percentile. `structure`: SSIM of
    luma (Wang et al. 2004), at most 1. `edges`: the share in [0, 1] of the photo's strong edges that remain.
    """

    mean_difference: float = 0.0
    high_difference: float = 0.0
    structure: float = 1.0
    edges: float = 1.0


@dataclass(frozen=True, slots=True)
class FidelityLimits:
    """Bounds on `Measures`: upper bounds for the first two, lower bounds for the others.

    The defaults were chosen by eye, on products of the sample and of two shops. Beyond a mean difference of 25 a black
    garment is sold as a beige one. Beyond 35 for the 95th percentile parts look dyed, for example faces. Below a
    structure of 0.5 a plain product shows a pattern that it does not have. Raises VectorError for a bound that the
    photo itself cannot keep.
    """

    mean_difference: float = 25.0
    high_difference: float = 35.0
    structure: float = 0.5
    edges: float = 0.75

    def __post_init__(self) -> None:
        if not (self.mean_difference >= 0 and self.high_difference >= 0 and self.structure <= 1 and self.edges <= 1):
            raise VectorError(
                f"limits on color differences must be at least 0, those on structure and edges at most 1: {self}"
            )

    def violations(self, measures: Measures) -> tuple[Limit, ...]:
        """List the limits that the measures exceed."""
        within = {
            Limit.MEAN_DIFFERENCE: measures.mean_difference <= self.mean_difference,
            Limit.HIGH_DIFFERENCE: measures.high_difference <= self.high_difference,
            Limit.STRUCTURE: measures.structure >= self.structure,
            Limit.EDGES: measures.edges >= self.edges,
        }
        return tuple(limit for limit, holds in within.items() if not holds)


DEFAULT_LIMITS = FidelityLimits()


@dataclass(frozen=True, slots=True)
class FidelityReport:
    """Requested strength, used strength, and the reasons for a difference.

    `limited_by` is empty if the used strength is the requested one. `measures` are those at the used strength; None if
    nothing was measured because limits were off.
    """

    requested: Strength
    used: Strength
    measures: Measures | None
    limited_by: tuple[Limit, ...]


def unpainted_report(requested: Strength, reason: Limit) -> FidelityReport:
    """Report a photo in which there was nothing to paint."""
    return FidelityReport(requested, requested.with_largest(0.0), None, (reason,))


@dataclass(frozen=True, slots=True, eq=False)
class Composite:
    """Painting on a photo `(H, W, 3)`, laid on the area `where` `(H, W)`; `product` is the product's mask."""

    photo: Pixels
    painting: Painting
    product: Mask
    where: Mask
    keep_color: bool = False

    def at(self, strength: Strength) -> Pixels:
        """Return the image at a strength; at strength 0 the photo, bit for bit."""
        return self.painting.on(
            self.photo,
            texture=strength.texture,
            color=strength.color,
            mask=self.where,
            keep_color=self.keep_color,
        )

    def downscale(self) -> Composite:
        """Average the composite down to at most `MEASURING_SIDE` pixels per side; sides are divided by an integer."""
        factor = math.ceil(max(self.product.shape) / MEASURING_SIDE)
        if factor == 1:
            return self
        photo, texture, color, product, where = (
            _downscale(part, factor)
            for part in (self.photo, self.painting.texture, self.painting.color, self.product, self.where)
        )
        return Composite(photo, Painting(texture, color), product, where, self.keep_color)


class FidelityMeter:
    """Measures of one composite at any strength. Values that depend only on the photo are computed once."""

    def __init__(self, composite: Composite) -> None:
        self._small = composite.downscale()
        self._inside = self._small.product > 0.5
        # Any mask preserves the product's rim, and it changes with the backdrop: leave it out.
        core = ndimage.binary_erosion(self._inside, _DISC, iterations=_RIM, border_value=1)
        self._core = core if core.any() else self._inside
        indices = np.flatnonzero(self._inside)
        self._sample = indices[:: math.ceil(len(indices) / SAMPLE) or 1]
        self._lab = self._sample_lab(self._small.photo)
        before = luma(self._small.photo)
        self._structure = _Structure(before)
        self._edges = (_slopes(before) > _STRONG_EDGE) & self._core

    def measure(self, strength: Strength) -> Measures:
        """Measure the composite at a strength; an empty product has not changed."""
        if not self._inside.any():
            return Measures()
        after = self._small.at(strength)
        lightness = luma(after)
        difference = ciede2000(self._lab, self._sample_lab(after))
        return Measures(
            mean_difference=float(difference.mean()),
            high_difference=float(np.percentile(difference, 95)),
            structure=float(self._structure.similarity(lightness)[self._core].mean()),
            edges=self._share_of_edges(lightness),
        )

    def _sample_lab(self, pixels: Pixels) -> NDArray[np.float64]:
        return srgb_to_lab(pixels.reshape(-1, 3)[self._sample])

    def _share_of_edges(self, lightness: NDArray[np.float32]) -> float:
        if not self._edges.any():
            return 1.0
        # As in Canny's hysteresis, a known edge may be weaker; it may also move by a pixel.
        slopes = ndimage.maximum_filter(_slopes(lightness), size=3)
        return float((slopes[self._edges] > _STRONG_EDGE / 2).mean())


def limit_strength(
    composite: Composite, requested: Strength, limits: FidelityLimits | None = DEFAULT_LIMITS
) -> FidelityReport:
    """Find the largest strength, at most the requested one, whose composite keeps the limits.

    Texture and color are lowered in proportion. The used strength always keeps the limits. If the measures worsen with
    strength, it is at most 1/1000 below the largest possible one, and a higher request never gives less.

    Args:
        composite: Painting on its photo.
        requested: Strength to use if the limits allow it.
        limits: Bounds on the measures; None: no limits.
    """
    if limits is None:
        return FidelityReport(requested, requested, None, ())
    meter = FidelityMeter(composite)
    measures = meter.measure(requested)
    violations = limits.violations(measures)
    if not violations:
        return FidelityReport(requested, requested, measures, ())
    # Bisection: no limit is exceeded at `low`, and `violations` are those at `high`.
    low, high = 0, math.ceil(round(requested.largest * STEPS, 6))
    while high - low > 1:
        middle = (low + high) // 2
        exceeded = limits.violations(meter.measure(requested.with_largest(middle / STEPS)))
        if exceeded:
            high, violations = middle, exceeded
        else:
            low = middle
    used = requested.with_largest(low / STEPS)
    return FidelityReport(requested, used, meter.measure(used), violations)


class _Structure:
    """SSIM of images with one luma `(H, W)`, pixel by pixel: Gaussian windows of sigma 1.5."""

    def __init__(self, lightness: NDArray[np.float32]) -> None:
        self._luma = lightness
        self._mean = _blur(lightness)
        self._variance = _blur(lightness * lightness) - self._mean**2

    def similarity(self, other: NDArray[np.float32]) -> NDArray[np.float32]:
        mean = _blur(other)
        variance = _blur(other * other) - mean**2
        covariance = _blur(self._luma * other) - self._mean * mean
        c1, c2 = 0.01**2, 0.03**2
        lightness = (2 * self._mean * mean + c1) / (self._mean**2 + mean**2 + c1)
        return np.asarray(lightness * (2 * covariance + c2) / (self._variance + variance + c2))


def _blur(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(ndimage.gaussian_filter(values, sigma=1.5, radius=5))


def _slopes(lightness: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(ndimage.gaussian_gradient_magnitude(lightness, sigma=1.0))


def _downscale(values: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Average `(H, W)` or `(H, W, C)` over blocks of `factor` pixels per side."""
    if values.ndim == 2:
        return np.asarray(Image.fromarray(values, "F").reduce(factor), dtype=np.float32)
    return np.stack([_downscale(values[:, :, channel], factor) for channel in range(values.shape[2])], axis=2)
