"""Color spaces: sRGB in [0, 1], its luma, and CIE L*a*b*."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from style.images import Pixels

LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
"""Weights of red, green and blue in luma (Rec. 601)."""

_RGB_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_WHITE = np.array([0.95047, 1.0, 1.08883])
_XYZ_TO_RGB = np.linalg.inv(_RGB_TO_XYZ)


def luma(pixels: Pixels) -> NDArray[np.float32]:
    """Compute luma `(H, W)` in [0, 1] of `(H, W, 3)`."""
    return np.asarray(pixels @ LUMA, dtype=np.float32)


def srgb_to_lab(pixels: Pixels) -> NDArray[np.float64]:
    """Convert `(H, W, 3)` sRGB in [0, 1] to CIE L*a*b* (D65): L* in [0, 100]."""
    values = pixels.astype(np.float64)
    linear = np.where(values <= 0.04045, values / 12.92, ((np.maximum(values, 0) + 0.055) / 1.055) ** 2.4)
    scaled = linear @ _RGB_TO_XYZ.T / _WHITE
    f = np.where(scaled > 216 / 24389, np.cbrt(scaled), (24389 / 27 * scaled + 16) / 116)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)


def lab_to_srgb(lab: NDArray[np.float64]) -> Pixels:
    """Convert CIE L*a*b* (D65) to sRGB in [0, 1]; colors outside the gamut are clipped."""
    y = (lab[..., 0] + 16) / 116
    f = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], axis=-1)
    scaled = np.where(f > 6 / 29, f**3, (116 * f - 16) * 27 / 24389)
    linear = np.clip(scaled * _WHITE @ _XYZ_TO_RGB.T, 0.0, 1.0)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.asarray(encoded, dtype=np.float32)


def with_lab_statistics(
    pixels: Pixels,
    mask: NDArray[np.float32],
    mean: NDArray[np.float64],
    deviation: NDArray[np.float64],
    most: float = np.inf,
) -> Pixels:
    """Shift and scale `(H, W, 3)` so that L*, a*, b* over `mask` have the given mean and deviation.

    Reinhard et al. 2001, "Color transfer between images", eq. 10-11, in CIE L*a*b*, as is usual today; the paper uses
    l-alpha-beta. Colors outside the gamut are clipped.

    Args:
        pixels: Image in [0, 1].
        mask: `(H, W)` over which statistics are taken.
        mean: Target means `(3,)`.
        deviation: Target deviations `(3,)`.
        most: Limit on the scaling of a channel.
    """
    lab = srgb_to_lab(pixels)
    here, spread = np.split(lab_statistics(pixels, mask), 2)
    gain = np.minimum(deviation / np.maximum(spread, 1e-3), most)
    return lab_to_srgb((lab - here) * gain + mean)


def lab_statistics(pixels: Pixels, mask: NDArray[np.float32]) -> NDArray[np.float64]:
    """Compute means, then standard deviations, of L*, a*, b* over a mask `(H, W)`: `(6,)`."""
    lab, share = srgb_to_lab(pixels).reshape(-1, 3), mask.reshape(-1, 1) / mask.sum()
    mean = (share * lab).sum(axis=0)
    return np.concatenate([mean, np.sqrt((share * (lab - mean) ** 2).sum(axis=0))])
