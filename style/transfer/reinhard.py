"""The engine `reinhard`: Lab statistics moved to those of the style pictures (Reinhard et al. 2001).

The engine `color` does the same toward statistics that are predicted from z; here they are the pictures' own.
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
from style.transfer.style_images import StylePictures
from style.vector import StyleVector

MOST_GAIN = 4.0
"""A flat picture has no spread to scale: enlarge it at most so much, or noise becomes the picture."""


class ReinhardStylizer(Stylizer):
    """Shifts and scales L*, a* and b* to the means and deviations of the style pictures.

    Of several pictures, means and deviations are averaged by weight: the Wasserstein barycenter of Gaussians along
    each channel.
    """

    name: ClassVar[str] = "reinhard"

    def __init__(self, pictures: StylePictures) -> None:
        self.pictures = pictures
        self.version = f"{self.name}-{pictures.fingerprint}"
        self._statistics = {
            picture.name: lab_statistics(picture.pixels, product_mask(picture.pixels)) for picture in pictures.pictures
        }

    @classmethod
    def load(cls, pictures: StylePictures, threads: int | None = None) -> ReinhardStylizer:  # noqa: ARG003
        """The engine that paints from `pictures`; one thread is enough."""
        return cls(pictures)

    def target(self, style: StyleVector) -> NDArray[np.float64]:
        """Means, then deviations, of L*, a*, b* that a style asks for: `(6,)`."""
        mixture = self.pictures.mixture(style)
        return np.asarray(np.sum([weight * self._statistics[picture.name] for picture, weight in mixture], axis=0))

    def paint(
        self, images: Sequence[Pixels], style: StyleVector, masks: Sequence[Mask] | None = None
    ) -> list[Painting]:
        target = self.target(style)
        where = [product_mask(image) for image in images] if masks is None else masks
        changes = [moved(image, mask, target) - image for image, mask in zip(images, where, strict=True)]
        return [Painting(np.zeros_like(change), change) for change in changes]


def moved(photo: Pixels, mask: Mask, target: NDArray[np.float64], most: float = MOST_GAIN) -> Pixels:
    """The photo `(H, W, 3)` with the Lab means and deviations `target` `(6,)` over `mask`; see `lab_statistics`."""
    mean, deviation = np.split(target, 2)
    return with_lab_statistics(photo, mask, mean, deviation, most)


def lab_transfer(product: Pixels, style: Pixels) -> Pixels:
    """The product with the means and deviations of L*, a*, b* of a picture, both taken whole, without any limit."""
    shown, asked = (np.ones(picture.shape[:2], dtype=np.float32) for picture in (product, style))
    return moved(product, shown, lab_statistics(style, asked), most=np.inf)
