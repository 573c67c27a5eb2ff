"""What every step of preprocessing is: pixels to pixels, with settings that were checked when it was made."""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from style.color_space import lab_to_srgb, srgb_to_lab
from style.errors import RecipeError
from style.images import Pixels


class Step(Protocol):
    """A frozen dataclass whose fields are its settings; the first one may be given without its name.

    Calling it takes `(H, W, 3)` float32 sRGB in [0, 1] and gives the like, of another size where it crops. The same
    pixels always give the same answer. Raises ExtraError where OpenCV or scikit-image is needed and missing.
    """

    name: ClassVar[str]

    def __call__(self, pixels: Pixels) -> Pixels: ...


def one_of(step: str, field: str, value: str, known: Collection[str]) -> None:
    """Raises RecipeError that lists the known values."""
    if value not in known:
        raise RecipeError(f"step {step!r}: {field} {value!r} is unknown; known ones: {', '.join(known)}")


def within(step: str, field: str, value: float, low: float, high: float) -> None:
    """Raises RecipeError unless the value lies in [low, high]; NaN does not."""
    if not low <= value <= high:
        raise RecipeError(f"step {step!r}: {field} must lie in {low:g} .. {high:g}, got {value:g}")


def with_lightness(pixels: Pixels, lightness: NDArray[np.float64], lab: NDArray[np.float64] | None = None) -> Pixels:
    """The picture with another L* `(H, W)` in [0, 100]; a* and b* stay, as far as the gamut allows. `lab`: the
    picture's, where it is known already."""
    lab = (srgb_to_lab(pixels) if lab is None else lab).copy()
    lab[..., 0] = lightness
    return lab_to_srgb(lab)


def to_bytes(pixels: Pixels) -> NDArray[np.uint8]:
    """8 bits a channel, as OpenCV's filters want them."""
    return (np.clip(pixels, 0.0, 1.0) * np.float32(255.0) + np.float32(0.5)).astype(np.uint8)
