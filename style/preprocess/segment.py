"""Segmentation of the product by name: plain border, threshold, edges, or GrabCut.

Results are masks of `style.mask`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from style.color_space import srgb_to_lab
from style.errors import RecipeError
from style.images import Pixels
from style.mask import Mask, product_mask
from style.preprocess.base import check_choice, to_bytes
from style.vision import opencv

_LONGEST_SIDE = 256
_LEAST, _MOST = 0.02, 0.98
_ROUNDS = 5

_Area = NDArray[np.bool_]


def segment(pixels: Pixels, method: str = "border") -> Mask:
    """Return the product's mask `(H, W)` by one of `SEGMENTERS`; all ones if the method finds none.

    - `border`: `style.mask.product_mask`, needs a plain backdrop and no extra.
    - `threshold`: Otsu's (1979) on the difference from the border's median color.
    - `edges`: areas enclosed by Canny's (1986) edges.
    - `grabcut`: Rother, Kolmogorov and Blake 2004, started with the border's mask or, without one, with the middle of
      the image. Only this one finds products on busy backdrops.

    Raises:
        RecipeError: If the method is unknown.
        ExtraError: If OpenCV is needed and missing.
    """
    if method not in SEGMENTERS:
        raise RecipeError(f"segmentation {method!r} is unknown; known ones: {', '.join(SEGMENTERS)}")
    return SEGMENTERS[method](pixels)


@dataclass(frozen=True, slots=True)
class Isolate:
    """Put the product on white: pixels outside the mask of `method` (see `segment`) become white."""

    name: ClassVar[str] = "isolate"
    method: str = "border"

    def __post_init__(self) -> None:
        check_choice(self.name, "method", self.method, SEGMENTERS)

    def __call__(self, pixels: Pixels) -> Pixels:
        """Apply the step."""
        mask = segment(pixels, self.method)[..., None]
        return np.asarray(mask * pixels + (1 - mask), dtype=np.float32)


def _by_threshold(pixels: Pixels) -> Mask:
    small = _downscale(pixels)
    lab = srgb_to_lab(small)
    depth = max(1, round(0.04 * min(lab.shape[:2])))
    rim = np.ones(lab.shape[:2], dtype=bool)
    rim[depth:-depth, depth:-depth] = False
    distance = np.sqrt(((lab - np.median(lab[rim], axis=0)) ** 2).sum(axis=-1))
    levels = np.clip(np.rint(distance * 2), 0, 255).astype(np.uint8)
    cv2 = opencv()
    _, found = cv2.threshold(cv2.GaussianBlur(levels, (3, 3), 0), 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    return _mask(found > 0, pixels)


def _by_edges(pixels: Pixels) -> Mask:
    cv2 = opencv()
    blurred = cv2.GaussianBlur(to_bytes(_downscale(pixels)), (3, 3), 0)
    edges = np.max([cv2.Canny(blurred[..., channel], 40, 100) for channel in range(3)], axis=0)
    closed = cv2.morphologyEx(edges, cv2.MORPH_CLOSE, np.ones((7, 7), dtype=np.uint8))
    area = ndimage.binary_fill_holes(closed > 0)
    # Closed lines surround the product; parts thinner than the lines do not belong to it.
    return _mask(ndimage.binary_opening(area, iterations=2), pixels)


def _by_grabcut(pixels: Pixels) -> Mask:
    cv2 = opencv()
    small = _downscale(pixels)
    known = product_mask(small)
    height, width = small.shape[:2]
    labels = np.full((height, width), cv2.GC_PR_BGD, dtype=np.uint8)
    if known.min() < 1:
        labels[known > 0.5] = cv2.GC_PR_FGD
        labels[ndimage.maximum_filter(known, 9) < 0.1] = cv2.GC_BGD
        labels[ndimage.minimum_filter(known, 9) > 0.9] = cv2.GC_FGD
    else:
        # Without a mask, the middle is probable product and the border is backdrop.
        y, x = (max(1, round(0.06 * side)) for side in (height, width))
        labels[y:-y, x:-x] = cv2.GC_PR_FGD
        rim = max(1, round(0.03 * min(height, width)))
        for edge in (labels[:rim], labels[-rim:], labels[:, :rim], labels[:, -rim:]):
            edge[...] = cv2.GC_BGD
    background, foreground = np.zeros((1, 65)), np.zeros((1, 65))
    try:
        cv2.grabCut(
            to_bytes(small), labels, None, background, foreground, _ROUNDS, cv2.GC_INIT_WITH_MASK
        )  # labels change in place
    except cv2.error:
        # Product or backdrop has no pixel left to model: there is nothing to separate.
        return np.ones(pixels.shape[:2], dtype=np.float32)
    return _mask((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD), pixels)


def _mask(area: _Area, pixels: Pixels) -> Mask:
    """Drop small parts, fill holes and soften the outline, at the image's own size."""
    labels, count = ndimage.label(ndimage.binary_fill_holes(area))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    area = (sizes >= 0.1 * sizes.max())[labels] & (labels > 0)
    if not _LEAST < area.mean() < _MOST:
        return np.ones(pixels.shape[:2], dtype=np.float32)
    soft = ndimage.gaussian_filter(area.astype(np.float32), sigma=0.75)
    cv2, (height, width) = opencv(), pixels.shape[:2]
    enlarged = cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.clip(enlarged, 0.0, 1.0), dtype=np.float32)


def _downscale(pixels: Pixels) -> Pixels:
    cv2, (height, width) = opencv(), pixels.shape[:2]
    scale = _LONGEST_SIDE / max(height, width)
    if scale >= 1:
        return np.ascontiguousarray(pixels)
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    return np.asarray(cv2.resize(np.ascontiguousarray(pixels), size, interpolation=cv2.INTER_AREA))


SEGMENTERS: dict[str, Callable[[Pixels], Mask]] = {
    "border": product_mask,
    "threshold": _by_threshold,
    "edges": _by_edges,
    "grabcut": _by_grabcut,
}
