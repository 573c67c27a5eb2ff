"""Interface of preprocessing steps: pixels to pixels, with settings that are checked when the step is built."""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from style.color_space import lab_to_srgb, srgb_to_lab
from style.errors import RecipeError
from style.images import Pixels


class Step(Protocol):
    """Frozen dataclass whose fields are its settings; in a text, the first one may be given without its name.

    Calling it takes `(H, W, 3)` float32 sRGB in [0, 1] and returns the same, in another size if it crops. The same
    pixels always give the same result. Raises ExtraError if OpenCV or scikit-image is needed and missing.
    """

    name: ClassVar[str]

    def __call__(self, pixels: Pixels) -> Pixels:
        """Apply the step."""
        ...


def check_choice(step: str, field: str, value: str, known: Collection[str]) -> None:
    """Raise RecipeError, which lists the known values, unless the value is one of them."""
    if value not in known:
        raise RecipeError(f"step {step!r}: {field} {value!r} is unknown; known ones: {', '.join(known)}")


def check_range(step: str, field: str, value: float, low: float, high: float) -> None:
    """Raise RecipeError unless the value lies in [low, high]; NaN does not."""
    if not low <= value <= high:
        raise RecipeError(f"step {step!r}: {field} must lie in {low:g} .. {high:g}, got {value:g}")


def replace_lightness(pixels: Pixels, lightness: NDArray[np.float64], lab: NDArray[np.float64] | None = None) -> Pixels:
    """Replace L* `(H, W)`, in [0, 100], and keep a* and b* as far as the gamut allows.

    Args:
        pixels: Image `(H, W, 3)`.
        lightness: New L*.
        lab: The image in L*a*b*, if it is known already.
    """
    lab = (srgb_to_lab(pixels) if lab is None else lab).copy()
    lab[..., 0] = lightness
    return lab_to_srgb(lab)


def to_bytes(pixels: Pixels) -> NDArray[np.uint8]:
    """Convert to 8 bits per channel, as OpenCV's filters need."""
    return (np.clip(pixels, 0.0, 1.0) * np.float32(255.0) + np.float32(0.5)).astype(np.uint8)
