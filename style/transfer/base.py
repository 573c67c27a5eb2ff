"""The noun that renders: one small interface for every engine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from style.errors import VectorError
from style.images import Pixels
from style.mask import Mask
from style.vector import StyleVector


class Stylizer(ABC):
    """Repaints images toward a style.

    Engines implement `paint`, the picture at full strength. `restyle` is the same for all: it mixes the painting
    with the original by strength and mask, hence strength 0 is the input bit for bit, whatever the engine.
    """

    name: ClassVar[str]
    version: str

    @abstractmethod
    def paint(self, images: Sequence[Pixels], style: StyleVector) -> list[Pixels]:
        """Each image `(H, W, 3)` in [0, 1] at full strength, same sizes; values may leave [0, 1]."""

    def restyle(self, image: Pixels, style: StyleVector, strength: float = 1.0, mask: Mask | None = None) -> Pixels:
        """`image + strength * mask * (painting - image)`, clipped to [0, 1].

        `strength` in [0, 1]; `mask` `(H, W)` in [0, 1] says where (default: everywhere). Raises VectorError for a
        strength outside its range.
        """
        check_strength(strength)
        if strength == 0:
            return image.copy()
        amount = np.float32(strength) if mask is None else np.float32(strength) * mask[:, :, None]
        painting = self.paint([image], style)[0]
        return np.clip(image + amount * (painting - image), 0.0, 1.0).astype(np.float32)


def check_strength(strength: float) -> None:
    """Raise VectorError unless strength lies in [0, 1]."""
    if not 0.0 <= strength <= 1.0:
        raise VectorError(f"strength must lie in [0, 1], got {strength}")
