"""Soft mask of the product for photos on a plain backdrop.

It is computed for every image that is embedded or restyled, on a small copy of the image. Channels are stored as planes
`(3, h, w)`: NumPy and SciPy are several times faster on planes than on pixels.
"""

from __future__ import annotations

from functools import lru_cache, reduce
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from style.color_space import luma
from style.images import Pixels

Mask = NDArray[np.float32]
"""`(H, W)` float32 in [0, 1]: 1 on the product, 0 on the backdrop."""

_Planes = NDArray[np.float32]
_Area = NDArray[np.bool_]

_LONGEST_SIDE = 160
_SHADOW_SLOPE = 0.015
_DISC = ndimage.generate_binary_structure(2, 1)


def product_mask(pixels: Pixels, *, tolerance: float = 0.07, plain_share: float = 0.6) -> Mask:
    """Compute the product's mask, or all ones if the photo has no plain backdrop.

    A backdrop is a smooth sheet of color: a quadratic surface is fitted to the border. A pixel is backdrop if it has
    the sheet's color, or that color in a soft shadow, and can be reached from the border without crossing an edge. The
    same pixels always give the same mask.

    Args:
        pixels: Photo `(H, W, 3)`.
        tolerance: Allowed distance from the surface, in sRGB, of the channel with the largest one.
        plain_share: Minimum share of the border that must be backdrop; below it the whole image counts as product.
    """
    factor = -(-max(pixels.shape[:2]) // _LONGEST_SIDE)
    small = _downscale(pixels, factor)
    frame = _frame(*small.shape[1:])
    whole = np.ones(pixels.shape[:2], dtype=np.float32)
    # Edges: pixels at which any channel changes more steeply than in a soft shadow (Sobel's operator).
    wide = np.pad(small, ((0, 0), (1, 1), (1, 1)), mode="edge")
    down, across = wide[:, 2:] - wide[:, :-2], wide[:, :, 2:] - wide[:, :, :-2]
    down = down[:, :, :-2] + 2 * down[:, :, 1:-1] + down[:, :, 2:]
    across = across[:, :-2] + 2 * across[:, 1:-1] + across[:, 2:]
    edges = (down * down + across * across).max(axis=0) > (8 * _SHADOW_SLOPE) ** 2
    # Edges stop the fill: a white product on white paper differs from it by little more than its outline. Edges also
    # separate paper from a painted ground.
    plain = _like_backdrop(small, frame, tolerance) & ~edges
    if plain[frame.border].mean() < plain_share:
        return whole
    product = ndimage.binary_closing(~_connected_to(plain, frame.border), _DISC, iterations=2)
    without_holes = ~_connected_to(~product, frame.outline)
    product = ndimage.binary_opening(without_holes, _DISC, iterations=2)
    # The outline of a soft shadow is ragged; blurring and a threshold above 0.5 smooth and shrink it a little.
    product = ndimage.gaussian_filter(product.astype(np.float32), sigma=2.0) > 0.6
    if not 0.02 < product.mean() < 0.98:
        return whole
    soft = ndimage.gaussian_filter(product.astype(np.float32), sigma=0.75)
    if factor > 1:
        height, width = pixels.shape[:2]
        # The part of the small mask that the image covers; the rest is padding.
        covered = (0.0, 0.0, width / factor, height / factor)
        resized = Image.fromarray(soft, "F").resize((width, height), Image.Resampling.BILINEAR, covered)
        soft = np.asarray(resized)
    return np.clip(soft, 0.0, 1.0)


def matte(mask: Mask, pixels: Pixels) -> Mask:
    """Shrink the mask to the product's outline in the photo `(H, W, 3)`, so that paint leaves no rim around it.

    A mask is too large by a few pixels. It is shrunk by about as many; a guided filter on luma (He, Sun and Tang 2013)
    then extends it to the photo's edges, but not beyond the original mask. A mask of ones stays unchanged.
    """
    side = min(mask.shape)
    if mask.min() == 1 or side < 16:
        return mask
    radius = max(1, round(side / 64))
    shrunk = ndimage.minimum_filter(mask, size=2 * radius + 1)
    guide = np.ascontiguousarray(luma(pixels))
    return np.clip(np.minimum(mask, guided_filter(shrunk, guide, 2 * 2 * radius - 1)), 0.0, 1.0)


def guided_filter(mask: Mask, guide: NDArray[np.float32], size: int, eps: float = 1e-3) -> Mask:
    """Fit local linear functions of the guide to the mask, in windows of `size` pixels per side.

    He, Sun and Tang 2013, "Guided image filtering".
    """

    def mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(ndimage.uniform_filter(values, size, mode="nearest"))

    guide_mean, mask_mean = mean(guide), mean(mask)
    slope = (mean(guide * mask) - guide_mean * mask_mean) / (mean(guide * guide) - guide_mean**2 + eps)
    return np.asarray(mean(slope) * guide + mean(mask_mean - slope * guide_mean), dtype=np.float32)


def _downscale(pixels: Pixels, factor: int) -> _Planes:
    """Average squares of `factor` pixels per side, `(3, h, w)`; an incomplete last square is padded by its edge."""
    height, width = pixels.shape[:2]
    if height % factor or width % factor:
        pixels = np.pad(pixels, ((0, -height % factor), (0, -width % factor), (0, 0)), mode="edge")
    # Sums of slices are ten times faster than a mean over two axes.
    rows = reduce(np.add, [pixels[i::factor] for i in range(factor)])
    sums = reduce(np.add, [rows[:, i::factor] for i in range(factor)])
    return np.ascontiguousarray(np.moveaxis(sums, 2, 0)) / np.float32(factor * factor)


class _Frame(NamedTuple):
    """Arrays that depend only on the size: `border` and `outline` (one pixel deep), and the terms of the surface."""

    border: _Area
    outline: _Area
    terms: NDArray[np.float32]
    border_terms: NDArray[np.float64]


@lru_cache(maxsize=16)
def _frame(height: int, width: int) -> _Frame:
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    terms = np.stack([np.ones_like(x), x, y, x * y, x * x, y * y])  # (6, h, w)
    border = _rim(height, width, max(1, round(0.04 * min(height, width))))
    return _Frame(border, _rim(height, width, 1), terms.reshape(6, -1).astype(np.float32), terms[:, border])


def _rim(height: int, width: int, depth: int) -> _Area:
    rim = np.ones((height, width), dtype=bool)
    rim[depth:-depth, depth:-depth] = False
    return rim


def _connected_to(area: _Area, start: _Area) -> _Area:
    """Return the connected parts of `area` that touch `start`."""
    labels, count = ndimage.label(area)
    touching = np.zeros(count + 1, dtype=bool)  # by label; 0 is outside `area`
    touching[labels[start]] = True
    touching[0] = False
    return touching[labels]


def _like_backdrop(small: _Planes, frame: _Frame, tolerance: float) -> _Area:
    """Return the pixels with the backdrop's color, or that color in shadow: times 0.5 to 1."""
    # Fit the quadratic surface through the border's colors twice, the second time without outliers.
    terms, colors = frame.border_terms, small[:, frame.border]
    middle = np.median(colors, axis=1, keepdims=True)
    inliers = np.abs(colors - middle).max(axis=0) < 0.2
    for _ in range(2):
        if inliers.sum() < 12:
            inliers[:] = True
        weighted = terms * inliers  # (6, border pixels)
        # Normal equations, 6 x 6: least squares over all border pixels would take longer than the rest of the fit.
        solution = np.linalg.lstsq(weighted @ terms.T, weighted @ colors.T, rcond=1e-9)[0].T  # (3, 6)
        inliers = np.abs(colors - solution @ terms).max(axis=0) < 0.08
    backdrop: _Planes = (solution.astype(np.float32) @ frame.terms).reshape(small.shape)
    distance = ndimage.uniform_filter(np.abs(small - backdrop).max(axis=0), size=3)
    share = (small * backdrop).sum(axis=0) / np.maximum((backdrop * backdrop).sum(axis=0), 1e-6)
    tint = np.abs(small - share * backdrop).max(axis=0)
    return np.asarray((distance < tolerance) | ((share > 0.5) & (share < 1.02) & (tint < 0.03)))
