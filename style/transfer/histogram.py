"""The engine `histogram`: all of the colors' distribution moved to that of the style pictures.

Optimal transport along one line is sorting. Repeated along the axes of many rotations it moves a cloud of colors
onto another in three dimensions: Pitié, Kokaram and Dahyot 2007, "Automated color grading using color distribution
transfer", algorithm 1, here in CIE L*a*b*. Matching each channel alone, as `skimage.exposure.match_histograms` does,
is its first step and would leave mixtures of channels unmatched.

Departs from the paper in four things. Of several style pictures the quantile functions are averaged by weight (the
sliced Wasserstein barycenter, Rabin et al. 2011). A step stretches colors `MOST_GAIN`-fold at most, so that a plain
product does not show its noise. Each step is kept as a function of color, fitted on a sample of the product's
colors, and what lies outside of it moves like its nearest color. In place of regraining, the change of color is
smoothed where the photo is smooth, by a guided filter; the difference is the painting's texture.
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
from style.mask import Mask, guided, product_mask
from style.transfer.base import Painting, Stylizer
from style.transfer.style_images import StylePictures
from style.vector import StyleVector

MOST_GAIN = 1.5
STEPS = 8
KNOTS = 64
"""Quantiles of which a step knows the way; between them it is linear."""
SAMPLE = 8192
"""Colors of the product, and of each style picture, that a map is fitted on."""
SMOOTHING = 1 / 64
"""Reach of the filter that smooths the change of color, as a part of the picture's shorter side."""

Colors = NDArray[np.float64]
"""`(N, 3)` CIE L*a*b*."""


@dataclass(frozen=True, slots=True, eq=False)
class ColorMap:
    """A function of color, step by step: `axes` `(S, 3, 3)`, and how far colors at `knots` go, `(S, 3, K)` each."""

    axes: NDArray[np.float64]
    knots: NDArray[np.float64]
    shifts: NDArray[np.float64]

    def __call__(self, colors: Colors) -> Colors:
        """Where colors go."""
        for axes, knots, shifts in zip(self.axes, self.knots, self.shifts, strict=True):
            colors = _step(colors, axes, knots, shifts)
        return colors


def fit_transport(colors: Colors, targets: Sequence[tuple[Colors, float]]) -> ColorMap:
    """What moves the distribution of `colors` to the barycenter of the targets, given with weights that sum to 1.

    Always along the same axes: those of the space first, then `STEPS - 1` rotations drawn once.
    """
    levels = (np.arange(KNOTS) + 0.5) / KNOTS
    axes, all_knots, all_shifts = _axes(), [], []
    for frame in axes:
        knots = np.quantile(colors @ frame, levels, axis=0).T  # (3, K)
        asked = np.sum([weight * np.quantile(target @ frame, levels, axis=0).T for target, weight in targets], axis=0)
        shifts = _limited(knots, asked) - knots
        colors = _step(colors, frame, knots, shifts)
        all_knots.append(knots)
        all_shifts.append(shifts)
    return ColorMap(axes, np.stack(all_knots), np.stack(all_shifts))


class HistogramStylizer(Stylizer):
    """Moves the product's colors to have the distribution of the style pictures' colors."""

    name: ClassVar[str] = "histogram"

    def __init__(self, pictures: StylePictures) -> None:
        self.pictures = pictures
        self.version = f"{self.name}-{pictures.fingerprint}"
        self._colors = {
            picture.name: sampled_colors(picture.pixels, product_mask(picture.pixels)) for picture in pictures.pictures
        }

    @classmethod
    def load(cls, pictures: StylePictures, threads: int | None = None) -> HistogramStylizer:  # noqa: ARG003
        """The engine that paints from `pictures`; one thread is enough."""
        return cls(pictures)

    def paint(
        self, images: Sequence[Pixels], style: StyleVector, masks: Sequence[Mask] | None = None
    ) -> list[Painting]:
        targets = [(self._colors[picture.name], weight) for picture, weight in self.pictures.mixture(style)]
        where = [product_mask(image) for image in images] if masks is None else masks
        return [_painting(image, mask, targets) for image, mask in zip(images, where, strict=True)]


def sampled_colors(pixels: Pixels, mask: Mask) -> Colors:
    """At most `SAMPLE` colors of a picture `(H, W, 3)`, evenly spread over where the mask is above a half."""
    inside = pixels[mask > 0.5] if (mask > 0.5).any() else pixels.reshape(-1, 3)
    places = np.linspace(0, len(inside) - 1, min(SAMPLE, len(inside))).astype(int)
    return srgb_to_lab(inside[places])


def _painting(image: Pixels, mask: Mask, targets: Sequence[tuple[Colors, float]]) -> Painting:
    transport = fit_transport(sampled_colors(image, mask), targets)
    color = lab_to_srgb(transport(srgb_to_lab(image).reshape(-1, 3)).reshape(image.shape)) - image
    reach = max(1, round(min(image.shape[:2]) * SMOOTHING))
    guide = luma(image)
    smooth = np.stack([guided(color[:, :, channel], guide, 2 * reach + 1) for channel in range(3)], axis=2)
    return Painting(smooth - color, color)


def _axes() -> NDArray[np.float64]:
    random = np.random.default_rng((0, STEPS))
    return np.stack([np.eye(3), *ortho_group.rvs(3, size=STEPS - 1, random_state=random)])


def _step(colors: Colors, axes: NDArray[np.float64], knots: NDArray[np.float64], shifts: NDArray[np.float64]) -> Colors:
    along = colors @ axes
    # Of shifts, not of places: beyond the last knot colors then move on by the same way.
    moves = np.stack([np.interp(along[:, i], knots[i], shifts[i]) for i in range(3)], axis=1)
    return np.asarray(colors + moves @ axes.T)


def _limited(knots: NDArray[np.float64], asked: NDArray[np.float64]) -> NDArray[np.float64]:
    """The quantiles `(3, K)` asked for, about the same mean, nowhere further apart than `MOST_GAIN` times the knots."""
    steps = np.minimum(np.diff(asked, axis=1), MOST_GAIN * np.diff(knots, axis=1))
    limited = np.concatenate([np.zeros((3, 1)), np.cumsum(steps, axis=1)], axis=1)
    return np.asarray(limited + (asked - limited).mean(axis=1, keepdims=True))
