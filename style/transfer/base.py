"""Interface of all engines, and how a painting is laid on a photo."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from style.color_space import luma
from style.images import Pixels
from style.mask import Mask
from style.modes import check_strength
from style.vector import StyleVector

if TYPE_CHECKING:
    from style.credit import StyleCredit


@dataclass(frozen=True, slots=True)
class Painting:
    """Change that an engine adds to a photo `(H, W, 3)` at full strength, as the sum of two parts.

    `color` is a function of each pixel's color only; `texture` is the rest. Either may be zero.
    """

    texture: Pixels
    color: Pixels

    def on(
        self,
        image: Pixels,
        *,
        texture: float = 1.0,
        color: float = 1.0,
        mask: Mask | None = None,
        keep_color: bool = False,
    ) -> Pixels:
        """Return `image + mask * (texture * t + color * c)`, clipped to [0, 1].

        Args:
            image: Photo `(H, W, 3)` in [0, 1].
            texture: Strength of the texture.
            color: Strength of the color.
            mask: `(H, W)` in [0, 1]; default: everywhere.
            keep_color: Change lightness only: the added change is replaced by its luma, so the photo's hues stay.
        """
        added = np.float32(texture) * self.texture + np.float32(color) * self.color
        if keep_color:
            added = np.broadcast_to(luma(added)[:, :, None], added.shape)
        if mask is not None:
            added = mask[:, :, None] * added
        return np.clip(image + added, 0.0, 1.0).astype(np.float32)


class Follows(StrEnum):
    """Style that an engine paints: `all`: that of the given style vector; `own`: always its own."""

    ALL = "all"
    OWN = "own"


class Stylizer(ABC):
    """Engine that paints images toward a style.

    Subclasses implement `paint`; strength and mask mean the same for all.
    """

    name: ClassVar[str]
    follows: Follows = Follows.ALL
    """Style that is painted. An engine with its own style accepts any style vector and ignores it."""
    credit: StyleCredit | None = None
    """Credit for an engine's own style; None for an engine that follows all: the requested style carries its credit."""
    version: str
    model_sha256: str = ""
    """SHA-256 of the engine's weights; "" for an engine without weights."""

    @abstractmethod
    def paint(
        self, images: Sequence[Pixels], style: StyleVector, masks: Sequence[Mask] | None = None
    ) -> list[Painting]:
        """Compute the change of each image `(H, W, 3)` in [0, 1] toward the style, in the same sizes.

        Args:
            images: Photos, of any sizes.
            style: Style vector to follow.
            masks: `(H, W)` each: the product whose colors are judged; default: the whole image.
        """

    def restyle(
        self,
        image: Pixels,
        style: StyleVector,
        strength: float = 1.0,
        mask: Mask | None = None,
        *,
        color: float | None = None,
    ) -> Pixels:
        """Restyle the image inside `mask`; strength 0 returns the input bit for bit, for any engine.

        Args:
            image: Photo `(H, W, 3)` in [0, 1].
            style: Style vector to follow.
            strength: Strength of texture in [0, 1], and of color unless `color` is given.
            mask: `(H, W)` in [0, 1]; default: everywhere.
            color: Strength of color in [0, 1].

        Raises:
            VectorError: If a strength is outside its range.
        """
        color = strength if color is None else color
        for value in (strength, color):
            check_strength(value)
        if strength == 0 and color == 0:
            return image.copy()
        painting = self.paint([image], style, None if mask is None else [mask])[0]
        return painting.on(image, texture=strength, color=color, mask=mask)
