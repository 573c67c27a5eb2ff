"""Descriptors in words: names of colors, shapes and textures."""

from __future__ import annotations

import numpy as np

from style.ciede2000 import ciede2000
from style.color_space import srgb_to_lab
from style.descriptors.base import Vector

_NAMED = {
    "white": "#fafafa", "light grey": "#c8c8c8", "grey": "#8c8c8c", "dark grey": "#505050", "black": "#161616",
    "red": "#d62020", "deep red": "#8c1018", "pink": "#f08cb4", "pale pink": "#f6d0d8", "bright pink": "#e8308c",
    "orange": "#f08020", "peach": "#f8c8a0", "rust": "#a84c1c", "brown": "#704020", "dark brown": "#3c2414",
    "tan": "#b88c5c", "beige": "#dcccb0", "cream": "#f6f0dc", "yellow": "#f4d820", "pale yellow": "#f8eca0",
    "gold": "#c89c30", "olive": "#74742c", "lime green": "#a0d830", "green": "#30963c", "deep green": "#144c28",
    "pale green": "#b8dcb4", "sage green": "#90a484", "teal": "#187878", "turquoise": "#38c0c0",
    "pale blue": "#b8d8ec", "sky blue": "#60b0e8", "blue": "#2860c8", "deep blue": "#182c80", "navy": "#141c3c",
    "slate blue": "#607490", "lavender": "#c4b4e4", "purple": "#7c3ca0", "deep purple": "#401c54", "plum": "#803460",
}  # fmt: skip


def lab_of_hex(color: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Convert "#rrggbb" to L*, a*, b* (3,). Raises ValueError for any other text."""
    digits = color.removeprefix("#")
    if len(color) != 7 or len(digits) != 6 or not digits.isalnum():
        raise ValueError(f"a color must be written like #c83232, got {color!r}")
    try:
        channels = bytes.fromhex(digits)
    except ValueError:
        raise ValueError(f"a color must be written like #c83232, got {color!r}") from None
    return np.asarray(srgb_to_lab(np.array([[list(channels)]], dtype=np.float32) / np.float32(255.0))[0, 0])


_LABS = np.array([lab_of_hex(color) for color in _NAMED.values()])


def color_name(lab: Vector) -> str:
    """Name the nearest (CIEDE2000) of 39 colors to L*, a*, b* (3,), such as "deep blue"."""
    return list(_NAMED)[int(np.argmin(ciede2000(lab[:3].astype(np.float64), _LABS)))]


def shape_name(contour: Vector) -> str | None:
    """Name the shape of a `Contour` vector: round, square, long, branched; None if no word fits."""
    solidity, aspect, circularity, extent = map(float, contour[:4])
    if solidity < 0.75:
        return "branched"
    if aspect < 0.45:
        return "long"
    if circularity > 0.93 and aspect > 0.85:
        return "round"
    if extent > 0.88:
        return "square" if aspect > 0.85 else "rectangular"
    return None


def texture_name(glcm: Vector) -> str | None:
    """Name the surface of a `CoOccurrence` vector: plain, fine or bold; None in between.

    The rule uses contrasts 1 and 4 pixels apart, of 32 gray levels.

    - plain: both are low.
    - fine: adjacent pixels differ nearly as much as those further apart.
    - bold: pixels further apart differ much, adjacent ones far less.

    Three quarters of photos of clothes lie in between.
    """
    near, _, far = np.expm1(glcm[3:6].astype(np.float64))
    if far < 15:
        return "plain"
    if near > 0.37 * far:
        return "fine"
    return "bold" if far > 60 and near < 0.33 * far else None
