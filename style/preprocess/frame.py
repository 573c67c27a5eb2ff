"""Framing: cropping to the product, and rotating it upright."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from style.images import Pixels
from style.mask import Mask
from style.preprocess.base import check_choice, check_range, to_bytes
from style.preprocess.segment import SEGMENTERS, segment
from style.vision import opencv

LEAST_SIDE = 16
_ELONGATED = 1.15


@dataclass(frozen=True, slots=True)
class Crop:
    """Crop to the product's bounding box with `margin` of its longer side around it; `mask` names a segmentation.

    An image without a detected product stays whole, and the result has at least 16 pixels per side.
    """

    name: ClassVar[str] = "crop"
    margin: float = 0.08
    mask: str = "border"

    def __post_init__(self) -> None:
        check_range(self.name, "margin", self.margin, 0.0, 1.0)
        check_choice(self.name, "mask", self.mask, SEGMENTERS)

    def __call__(self, pixels: Pixels) -> Pixels:
        """Apply the step."""
        product = segment(pixels, self.mask) > 0.5
        rows, columns = (_span(np.asarray(product.any(axis=axis))) for axis in (1, 0))
        margin = round(self.margin * max(rows[1] - rows[0], columns[1] - columns[0]))
        box = tuple(
            slice(max(0, first - margin), min(side, last + margin))
            for (first, last), side in zip((rows, columns), pixels.shape[:2], strict=True)
        )
        cut = pixels[box]
        return pixels if min(cut.shape[:2]) < LEAST_SIDE else np.ascontiguousarray(cut)


@dataclass(frozen=True, slots=True)
class Straighten:
    """Rotate the image so that a tilted product stands upright, by at most `most` degrees.

    - `axis`: the principal axis of the product's mask, if the product is longer than wide.
    - `lines`: the direction, modulo 90 degrees, of the longest straight edges (probabilistic Hough transform, Matas,
      Galambos and Kittler 2000). Edges are those of the product's outline, or of the whole image if no product is
      detected.

    If the method finds no clear angle, or one beyond `most`, the image stays unchanged: the tilt may be intended.
    """

    name: ClassVar[str] = "straighten"
    method: str = "axis"
    most: float = 15.0

    def __post_init__(self) -> None:
        check_choice(self.name, "method", self.method, ("axis", "lines"))
        check_range(self.name, "most", self.most, 0.1, 44.0)

    def __call__(self, pixels: Pixels) -> Pixels:
        """Apply the step."""
        angle = skew(pixels, self.method, self.most)
        if abs(angle) < 0.1:
            return pixels
        return rotate(pixels, angle)


def skew(pixels: Pixels, method: str = "axis", most: float = 15.0) -> float:
    """Return the counter-clockwise rotation in degrees that makes an image upright; 0 if it is unclear."""
    angle = _line_angle(pixels, most) if method == "lines" else _axis_angle(segment(pixels, "border"))
    return angle if abs(angle) <= most else 0.0


def rotate(pixels: Pixels, degrees: float) -> Pixels:
    """Rotate the image counter-clockwise about its center, at the same size; border pixels are repeated outward."""
    cv2, (height, width) = opencv(), pixels.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    moved = cv2.warpAffine(
        np.ascontiguousarray(pixels), matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return np.clip(np.asarray(moved, dtype=np.float32), 0.0, 1.0)


def _span(occupied: NDArray[np.bool_]) -> tuple[int, int]:
    indices = np.flatnonzero(occupied)
    return (int(indices[0]), int(indices[-1]) + 1) if len(indices) else (0, len(occupied))


def _axis_angle(mask: Mask) -> float:
    """Return the rotation in degrees that aligns the mask's principal axis with the nearest frame side.

    0 if the mask has no clear axis.
    """
    if mask.min() == 1:
        return 0.0
    moments = opencv().moments(mask)
    xx, yy, xy = (moments[name] for name in ("mu20", "mu02", "mu11"))
    spread = np.hypot(xx - yy, 2 * xy)
    # Lengths of the two axes are proportional to the roots of (xx + yy +- spread) / 2.
    if (xx + yy + spread) < _ELONGATED**2 * (xx + yy - spread):
        return 0.0
    return float(_from_upright(np.degrees(0.5 * np.arctan2([2 * xy], [xx - yy])))[0])


def _line_angle(pixels: Pixels, most: float) -> float:
    cv2, mask = opencv(), segment(pixels, "border")
    edges = np.max([cv2.Canny(channel, 50, 150) for channel in np.moveaxis(to_bytes(pixels), 2, 0)], axis=0)
    if mask.min() < 1:
        # An outline is usually straight, prints on a product need not be. The mask's outline is a staircase; the
        # photo's own edges next to it are straight.
        around = cv2.morphologyEx((mask > 0.5).astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((9, 9), dtype=np.uint8))
        edges = edges * around
    shortest = 0.12 * min(pixels.shape[:2])
    lines = cv2.HoughLinesP(edges, 1, np.pi / 720, 20, minLineLength=shortest, maxLineGap=4)
    if lines is None:
        return 0.0
    ends = np.asarray(lines, dtype=np.float64).reshape(-1, 4)  # x and y of both ends
    runs = ends[:, 2:] - ends[:, :2]
    lengths, angles = np.hypot(*runs.T), _from_upright(np.degrees(np.arctan2(runs[:, 1], runs[:, 0])))
    near = np.abs(angles) <= most
    if lengths[near].sum() < 0.25 * lengths.sum():
        return 0.0
    # Fullest histogram bin, then the weighted mean of angles within 1.5 degrees of its center.
    counts, bounds = np.histogram(angles[near], bins=np.arange(-most, most + 1.0, 1.0), weights=lengths[near])
    peak = (bounds[:-1] + 0.5)[int(np.argmax(counts))]
    close = near & (np.abs(angles - peak) <= 1.5)
    return float(np.average(angles[close], weights=lengths[close]))


def _from_upright(degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return angles of lines as differences from the nearest frame side, in [-45, 45)."""
    return np.asarray((degrees + 45.0) % 90.0 - 45.0)
