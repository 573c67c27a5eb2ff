"""CIEDE2000 color difference, which agrees with human vision: about 1 is just visible, above 10 is another color."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def ciede2000(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """Compute differences `(...)` of CIE L*a*b* colors `(..., 3)`, at least 0; kL = kC = kH = 1.

    Sharma, Wu and Dalal 2005, "The CIEDE2000 color-difference formula: implementation notes", equations 2 to 22.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    chroma = (np.hypot(a[..., 1], a[..., 2]) + np.hypot(b[..., 1], b[..., 2])) / 2
    stretch = 1.5 - 0.5 * _saturation(chroma)
    c1, h1 = _chroma_and_hue(a, stretch)
    c2, h2 = _chroma_and_hue(b, stretch)
    # Equations 8 to 14: a gray has no hue and takes that of the other color.
    both = c1 * c2 > 0
    turn = np.where(both, (h2 - h1 + 180) % 360 - 180, 0.0)
    # Hues exactly opposite: the paper's turn is +180, not -180.
    turn = np.where(h2 - h1 == 180, 180.0, turn)
    hue = np.where(both, (h1 + h2) / 2 + np.where(np.abs(h1 - h2) > 180, 180, 0), h1 + h2) % 360
    lightness, chroma = (a[..., 0] + b[..., 0]) / 2, (c1 + c2) / 2
    # S_L, equation 18.
    off = (lightness - 50) ** 2
    lightness_weight = 1 + 0.015 * off / np.sqrt(20 + off)
    # R_T, equations 16, 17 and 21: ellipses of equal difference are tilted for blues.
    angle = 30 * np.exp(-(((hue - 275) / 25) ** 2))
    rotation = -2 * _saturation(chroma) * np.sin(np.radians(2 * angle))
    l_part = (b[..., 0] - a[..., 0]) / lightness_weight
    c_part = (c2 - c1) / (1 + 0.045 * chroma)
    # T, equation 15.
    h = np.radians(hue)
    hue_weight = (
        1
        - 0.17 * np.cos(h - np.radians(30))
        + 0.24 * np.cos(2 * h)
        + 0.32 * np.cos(3 * h + np.radians(6))
        - 0.20 * np.cos(4 * h - np.radians(63))
    )
    h_part = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2)) / (1 + 0.015 * chroma * hue_weight)
    square = l_part**2 + c_part**2 + h_part**2 + rotation * c_part * h_part
    return np.asarray(np.sqrt(np.maximum(square, 0.0)))


def _chroma_and_hue(lab: NDArray[np.float64], stretch: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Return C' and h' in degrees, equations 5 to 7."""
    x, y = stretch * lab[..., 1], lab[..., 2]
    return np.hypot(x, y), np.degrees(np.arctan2(y, x)) % 360


def _saturation(chroma: NDArray[np.float64]) -> NDArray[np.float64]:
    power = chroma**7
    return np.asarray(np.sqrt(power / (power + 25.0**7)))
