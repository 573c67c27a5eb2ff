"""Engine `reinhard`: moves Lab statistics to those of the style images (Reinhard et al. 2001).

The engine `color` does the same with statistics predicted from z; here they are measured on the style images.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from style.color_space import lab_statistics, with_lab_statistics
from style.images import Pixels
from style.mask import Mask, product_mask
from style.transfer.base import Painting, Stylizer
from style.transfer.style_images import StyleImages
from style.vector import StyleVector

MOST_GAIN = 4.0
"""Limit on the scaling of colors: a flat image has no spread to scale, and its noise would be enlarged."""


class ReinhardStylizer(Stylizer):
    """Engine that shifts and scales L*, a* and b* to the means and deviations of the style images.

    Means and deviations of several images are averaged by weight: the Wasserstein barycenter of Gaussians along each
    channel.
    """

    name: ClassVar[str] = "reinhard"

    def __init__(self, styles: StyleImages) -> None:
        self.styles = styles
        self.version = f"{self.name}-{styles.fingerprint}"
        self._statistics = {
            reference.name: lab_statistics(reference.pixels, product_mask(reference.pixels))
            for reference in styles.images
        }

    @classmethod
    def load(cls, styles: StyleImages, threads: int | None = None) -> ReinhardStylizer:  # noqa: ARG003
        """Load the engine that paints from `styles`; one thread is enough."""
        return cls(styles)

    def target(self, style: StyleVector) -> NDArray[np.float64]:
        """Return means, then deviations, of L*, a*, b* of a style: `(6,)`."""
        mixture = self.styles.mixture(style)
        return np.asarray(np.sum([weight * self._statistics[reference.name] for reference, weight in mixture], axis=0))

    def paint(
        self, images: Sequence[Pixels], style: StyleVector, masks: Sequence[Mask] | None = None
    ) -> list[Painting]:
        """Compute the change of each image; see `Stylizer.paint`."""
        target = self.target(style)
        where = [product_mask(image) for image in images] if masks is None else masks
        changes = [match_lab_statistics(image, mask, target) - image for image, mask in zip(images, where, strict=True)]
        return [Painting(np.zeros_like(change), change) for change in changes]


def match_lab_statistics(photo: Pixels, mask: Mask, target: NDArray[np.float64], most: float = MOST_GAIN) -> Pixels:
    """Return the photo `(H, W, 3)` with Lab means and deviations `target` `(6,)` over `mask`."""
    mean, deviation = np.split(target, 2)
    return with_lab_statistics(photo, mask, mean, deviation, most)


def lab_transfer(product: Pixels, style: Pixels) -> Pixels:
    """Return the product with the Lab means and deviations of a style image, both whole, without a limit."""
    whole, style_whole = (np.ones(image.shape[:2], dtype=np.float32) for image in (product, style))
    return match_lab_statistics(product, whole, lab_statistics(style, style_whole), most=np.inf)
