"""Modes of painting and strengths."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from style.errors import BackdropError, VectorError
from style.mask import Mask


class PaintMode(StrEnum):
    """Part of a photo that is painted.

    - `product`: the product; a plain backdrop stays.
    - `full`: the whole image.
    - `background`: everything except the product, which stays bit for bit.
    - `tone`: the product's colors only, without texture.
    """

    PRODUCT = "product"
    FULL = "full"
    BACKGROUND = "background"
    TONE = "tone"


@dataclass(frozen=True, slots=True)
class Strength:
    """Strength of a painting's two parts, each in [0, 1]. Raises VectorError outside."""

    texture: float
    color: float

    def __post_init__(self) -> None:
        for value in (self.texture, self.color):
            check_strength(value)

    @classmethod
    def from_number(cls, strength: float, mode: PaintMode) -> Strength:
        """Use one number for both parts; texture is 0 in the mode `tone`."""
        return cls(0.0 if mode is PaintMode.TONE else strength, strength)

    @property
    def largest(self) -> float:
        """Larger of both strengths."""
        return max(self.texture, self.color)

    def with_largest(self, largest: float) -> Strength:
        """Return the same proportion of both parts with `largest` as the larger one."""
        if self.largest == 0:
            return self
        share = largest / self.largest
        return Strength(self.texture * share, self.color * share)


def paint_mask(mode: PaintMode, product: Mask) -> Mask:
    """Return the painted area `(H, W)` of a mode, given the product's mask.

    Raises:
        BackdropError: If the mode is `background` and the product's mask leaves no backdrop.
    """
    if mode is PaintMode.FULL:
        return np.ones_like(product)
    if mode is not PaintMode.BACKGROUND:
        return product
    # The mask's soft edge belongs half to the product: none of its inner half is painted.
    backdrop: Mask = np.clip(1 - 2 * product, 0.0, 1.0)
    if not backdrop.any():
        others = ", ".join(other for other in PaintMode if other is not mode)
        raise BackdropError(
            f"mode {mode} has nothing to paint: no plain backdrop was found, so the whole image counts as product; "
            f"use {others}"
        )
    return backdrop


def check_strength(strength: float) -> None:
    """Raise VectorError unless strength lies in [0, 1]."""
    if not 0.0 <= strength <= 1.0:
        raise VectorError(f"strength must lie in [0, 1], got {strength}")
