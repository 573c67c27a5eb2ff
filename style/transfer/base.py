"""The noun that renders: one small interface for every engine, and how a painting is laid on a photo."""

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
    """What an engine adds to a photo `(H, W, 3)` at full strength, in two parts that add up; either may be zero.

    `color` is a function of each pixel's color alone; `texture` is all the rest.
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
        """`image + mask * (texture * t + color * c)`, clipped to [0, 1]; `mask` `(H, W)` in [0, 1], or everywhere.

        `keep_color` changes lightness alone: what is added is replaced by its luma, so the photo's hues stay.
        """
        added = np.float32(texture) * self.texture + np.float32(color) * self.color
        if keep_color:
            added = np.broadcast_to(luma(added)[:, :, None], added.shape)
        if mask is not None:
            added = mask[:, :, None] * added
        return np.clip(image + added, 0.0, 1.0).astype(np.float32)


class Follows(StrEnum):
    """Whose style an engine paints: `all`: that of the style vector it is given; `own`: always its own."""

    ALL = "all"
    OWN = "own"


class Stylizer(ABC):
    """Repaints images toward a style. Engines implement `paint`; what strength and mask mean is the same for all."""

    name: ClassVar[str]
    follows: Follows = Follows.ALL
    """An engine with a style of its own takes a style vector as the others do, and paints the same for each."""
    credit: StyleCredit | None = None
    """Whose work an engine's own style is; None for an engine that follows all, as the style asked for says it."""
    version: str
    model_sha256: str = ""
    """SHA-256 of the engine's weights; "" for an engine without any."""

    @abstractmethod
    def paint(
        self, images: Sequence[Pixels], style: StyleVector, masks: Sequence[Mask] | None = None
    ) -> list[Painting]:
        """What each image `(H, W, 3)` in [0, 1] needs to be in the style, in the same sizes.

        `masks` `(H, W)` say where the product is whose colors count (default: the whole picture).
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
        """The image restyled inside `mask`; strength 0 is the input bit for bit, whatever the engine.

        `strength` in [0, 1] is that of texture, and of color too unless `color` says otherwise. Raises VectorError
        for a strength outside its range.
        """
        color = strength if color is None else color
        for value in (strength, color):
            check_strength(value)
        if strength == 0 and color == 0:
            return image.copy()
        painting = self.paint([image], style, None if mask is None else [mask])[0]
        return painting.on(image, texture=strength, color=color, mask=mask)
