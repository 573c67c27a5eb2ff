"""Where the product is: a soft mask for photos on a plain backdrop."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from style.images import Pixels, from_pixels

Mask = NDArray[np.float32]
"""`(H, W)` float32 in [0, 1]: 1 on the product, 0 on the backdrop."""

_WORKING_SIDE = 160
_SHADOW_SLOPE = 0.013
_DISC = ndimage.generate_binary_structure(2, 1)


def product_mask(pixels: Pixels, *, tolerance: float = 0.07, plain_share: float = 0.6) -> Mask:
    """The product's mask, or all ones where the photo has no plain backdrop.

    A backdrop is a smooth sheet of colour: a quadratic surface is fitted to the frame's border. What lies within
    `tolerance` (in sRGB, the largest channel) of it, or is that colour in a soft shadow, and can be reached from the
    border without crossing an edge, is backdrop. At least `plain_share` of the border has to be so, else the picture
    is taken whole.
    """
    small = _reduced(pixels)
    height, width = small.shape[:2]
    border = _border(height, width)
    whole = np.ones(pixels.shape[:2], dtype=np.float32)
    # Edges are walls: a white product on white paper differs from it by little more than its outline. They also
    # tell paper from a painted ground.
    plain = _like_backdrop(small, tolerance) & ~_edges(small)
    if plain[border].mean() < plain_share:
        return whole
    labels, _ = ndimage.label(plain)
    reached = np.unique(labels[border & (labels > 0)])
    backdrop = np.isin(labels, reached)
    product = ndimage.binary_fill_holes(ndimage.binary_closing(~backdrop, _DISC, iterations=2))
    product = ndimage.binary_opening(product, _DISC, iterations=3)
    # The outline of a soft shadow is ragged; a blurred half-plane test rounds it and draws it in a little.
    product = ndimage.gaussian_filter(product.astype(np.float32), sigma=2.5) > 0.6
    if not 0.02 < product.mean() < 0.98:
        return whole
    soft = ndimage.gaussian_filter(product.astype(np.float32), sigma=1.0)
    return _enlarged(soft, pixels.shape[1], pixels.shape[0])


def _reduced(pixels: Pixels) -> Pixels:
    image = from_pixels(pixels)
    image.thumbnail((_WORKING_SIDE, _WORKING_SIDE), Image.Resampling.BOX)
    return np.asarray(image, dtype=np.float32) / np.float32(255.0)


def _enlarged(mask: NDArray[np.float32], width: int, height: int) -> Mask:
    resized = Image.fromarray(mask, "F").resize((width, height), Image.Resampling.BILINEAR)
    return np.clip(np.asarray(resized, dtype=np.float32), 0.0, 1.0)


def _border(height: int, width: int, share: float = 0.04) -> NDArray[np.bool_]:
    depth = max(1, round(share * min(height, width)))
    border = np.ones((height, width), dtype=bool)
    border[depth:-depth, depth:-depth] = False
    return border


def _like_backdrop(small: Pixels, tolerance: float) -> NDArray[np.bool_]:
    """Where a pixel has the backdrop's colour, or that colour in shadow: times 0.5 to 1."""
    backdrop = _backdrop(small)
    distance = ndimage.uniform_filter(np.abs(small - backdrop).max(axis=2), size=3)
    share = (small * backdrop).sum(axis=2) / np.maximum((backdrop * backdrop).sum(axis=2), 1e-6)
    tint = np.abs(small - share[:, :, None] * backdrop).max(axis=2)
    return np.asarray((distance < tolerance) | ((share > 0.5) & (share < 1.02) & (tint < 0.03)))


def _edges(small: Pixels) -> NDArray[np.bool_]:
    """Where any channel changes by more than a soft shadow does from pixel to pixel."""
    slopes = [ndimage.gaussian_gradient_magnitude(small[:, :, channel], sigma=0.7) for channel in range(3)]
    return np.asarray(np.max(slopes, axis=0) > _SHADOW_SLOPE)


def _backdrop(small: Pixels) -> Pixels:
    """The quadratic surface through the border's colours, fitted twice: the second time without outliers."""
    height, width = small.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    terms = np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], axis=2)
    border = _border(height, width)
    design, colours = terms[border], small[border]
    middle = np.median(colours, axis=0)
    keep = np.abs(colours - middle).max(axis=1) < 0.2
    for _ in range(2):
        if keep.sum() < 12:
            keep[:] = True
        solution = np.linalg.lstsq(design[keep], colours[keep], rcond=None)[0]
        keep = np.abs(colours - design @ solution).max(axis=1) < 0.08
    surface: Pixels = (terms @ solution).astype(np.float32)
    return surface
