"""Engine `histogram`: moves the whole distribution of colors to that of the style images.

Optimal transport along one line is sorting. Repeated along the axes of many rotations, it moves a cloud of colors onto
another in three dimensions: Pitié, Kokaram and Dahyot 2007, "Automated color grading using color distribution
transfer", algorithm 1, here in CIE L*a*b*. Matching each channel by itself, as `skimage.exposure.match_histograms`
does, is its first step and would leave mixtures of channels unmatched.

Departs from the paper in four things. Quantile functions of several style images are averaged by weight (the sliced
Wasserstein barycenter, Rabin et al. 2011). A step stretches colors at most `MOST_GAIN`-fold, so that a plain product
does not show its noise. Each step is stored as a function of color, fitted on a sample of the product's colors; colors
outside it move like the nearest color of the sample. In place of regraining, a guided filter smooths the change of
color where the photo is smooth; the difference is the painting's texture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ortho_group

from style.color_space import lab_to_srgb, luma, srgb_to_lab
from style.images import Pixels
from style.mask import Mask, guided_filter, product_mask
from style.transfer.base import Painting, Stylizer
from style.transfer.style_images import StyleImages
from style.vector import StyleVector

MOST_GAIN = 1.5
STEPS = 8
KNOTS = 64
"""Quantiles at which a step stores its shift; between them it is linear."""
SAMPLE = 8192
"""Colors of the product, and of each style image, on which a map is fitted."""
SMOOTHING = 1 / 64
"""Radius of the filter that smooths the change of color, as a fraction of the image's shorter side."""

Colors = NDArray[np.float64]
"""`(N, 3)` CIE L*a*b*."""


@dataclass(frozen=True, slots=True, eq=False)
class ColorMap:
    """Function of color in steps: `axes` `(S, 3, 3)`, and shifts of the colors at `knots`, `(S, 3, K)` each."""

    axes: NDArray[np.float64]
    knots: NDArray[np.float64]
    shifts: NDArray[np.float64]

    def __call__(self, colors: Colors) -> Colors:
        """Move colors."""
        for axes, knots, shifts in zip(self.axes, self.knots, self.shifts, strict=True):
            colors = _step(colors, axes, knots, shifts)
        return colors


def fit_transport(colors: Colors, targets: Sequence[tuple[Colors, float]]) -> ColorMap:
    """Fit the map that moves the distribution of `colors` to the barycenter of the targets.

    Axes are always the same: those of the space first, then `STEPS - 1` rotations drawn with a fixed seed.

    Args:
        colors: Colors of the product.
        targets: Colors of style images with weights that sum to 1.
    """
    levels = (np.arange(KNOTS) + 0.5) / KNOTS
    random = np.random.default_rng((0, STEPS))
    axes = np.stack([np.eye(3), *ortho_group.rvs(3, size=STEPS - 1, random_state=random)])  # (STEPS, 3, 3)
    all_knots, all_shifts = [], []
    for frame in axes:
        knots = np.quantile(colors @ frame, levels, axis=0).T  # (3, K)
        aim = np.sum([weight * np.quantile(target @ frame, levels, axis=0).T for target, weight in targets], axis=0)
        # Limit the targets: the same mean, and steps at most MOST_GAIN times those of the knots.
        steps = np.minimum(np.diff(aim, axis=1), MOST_GAIN * np.diff(knots, axis=1))
        limited = np.concatenate([np.zeros((3, 1)), np.cumsum(steps, axis=1)], axis=1)
        shifts = np.asarray(limited + (aim - limited).mean(axis=1, keepdims=True)) - knots
        colors = _step(colors, frame, knots, shifts)
        all_knots.append(knots)
        all_shifts.append(shifts)
    return ColorMap(axes, np.stack(all_knots), np.stack(all_shifts))


class HistogramStylizer(Stylizer):
    """Engine that gives the product's colors the distribution of the style images' colors."""

    name: ClassVar[str] = "histogram"

    def __init__(self, styles: StyleImages) -> None:
        self.styles = styles
        self.version = f"{self.name}-{styles.fingerprint}"
        self._colors = {
            reference.name: sample_colors(reference.pixels, product_mask(reference.pixels))
            for reference in styles.images
        }

    @classmethod
    def load(cls, styles: StyleImages, threads: int | None = None) -> HistogramStylizer:  # noqa: ARG003
        """Load the engine that paints from `styles`; one thread is enough."""
        return cls(styles)

    def paint(
        self, images: Sequence[Pixels], style: StyleVector, masks: Sequence[Mask] | None = None
    ) -> list[Painting]:
        """Compute the change of each image; see `Stylizer.paint`."""
        targets = [(self._colors[reference.name], weight) for reference, weight in self.styles.mixture(style)]
        where = [product_mask(image) for image in images] if masks is None else masks
        return [self._paint_one(image, mask, targets) for image, mask in zip(images, where, strict=True)]

    @staticmethod
    def _paint_one(image: Pixels, mask: Mask, targets: Sequence[tuple[Colors, float]]) -> Painting:
        transport = fit_transport(sample_colors(image, mask), targets)
        color = lab_to_srgb(transport(srgb_to_lab(image).reshape(-1, 3)).reshape(image.shape)) - image
        radius = max(1, round(min(image.shape[:2]) * SMOOTHING))
        guide = luma(image)
        smooth = np.stack([guided_filter(color[:, :, channel], guide, 2 * radius + 1) for channel in range(3)], axis=2)
        return Painting(smooth - color, color)


def sample_colors(pixels: Pixels, mask: Mask) -> Colors:
    """Sample at most `SAMPLE` colors of an image `(H, W, 3)`, evenly spread over pixels with a mask above a half."""
    inside = pixels[mask > 0.5] if (mask > 0.5).any() else pixels.reshape(-1, 3)
    places = np.linspace(0, len(inside) - 1, min(SAMPLE, len(inside))).astype(int)
    return srgb_to_lab(inside[places])


def _step(colors: Colors, axes: NDArray[np.float64], knots: NDArray[np.float64], shifts: NDArray[np.float64]) -> Colors:
    along = colors @ axes  # (N, 3), coordinates along the rotated axes
    # Interpolate shifts, not positions: colors beyond the last knot then shift by the same amount.
    moves = np.stack([np.interp(along[:, i], knots[i], shifts[i]) for i in range(3)], axis=1)
    return np.asarray(colors + moves @ axes.T)
