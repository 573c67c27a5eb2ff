"""The engine `looks`: contrast, saturation, brightness and warmth, as a photographer's sliders.

The other color engines move each photo to the style, so that two photos change in different ways. A look is the same
adjustment for every photo, mild by construction, and it says in four numbers what it does. Those of a style are how
its colors, as a linear map reads them from z (the one of the engine `color`), differ from an average style's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from style.color_space import lab_to_srgb, srgb_to_lab
from style.errors import VectorError
from style.images import Pixels
from style.mask import Mask
from style.transfer.base import Painting, Stylizer
from style.transfer.color import COLOR_SHA256, ColorStylizer
from style.vector import StyleVector

MIDDLE = 50.0
"""The L* about which contrast turns."""
SHARE = 0.6
"""How much of the difference between a style and the average one a look takes over."""
LOWEST = (-15.0, 0.7, 0.0, -18.0)
HIGHEST = (15.0, 1.5, 1.8, 18.0)
"""Bounds of a style's look: brightness, contrast, saturation, warmth."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is done to every color; the defaults do nothing. All in CIE L*a*b*.

    `brightness`: added to L* at mid-grey, in [-45, 45]; black and white stay. `contrast`: stretches L* about mid-grey.
    `saturation`: stretches a* and b*; 0 is black and white. `warmth`: added to b*, blue below 0 and yellow above.
    Raises VectorError for a number out of its range.
    """

    brightness: float = 0.0
    contrast: float = 1.0
    saturation: float = 1.0
    warmth: float = 0.0

    def __post_init__(self) -> None:
        if not (abs(self.brightness) <= 45 and self.contrast >= 0 and self.saturation >= 0 and abs(self.warmth) <= 100):
            raise VectorError(
                f"brightness lies in [-45, 45], warmth in [-100, 100], contrast and saturation are at least 0: {self}"
            )

    def on(self, pixels: Pixels) -> Pixels:
        """The picture `(H, W, 3)` in [0, 1] with this look."""
        lab = srgb_to_lab(pixels)
        # A power keeps black and white where they are, and takes mid-grey where brightness says.
        power = np.log((MIDDLE + self.brightness) / 100) / np.log(MIDDLE / 100)
        light = 100 * np.clip(lab[..., 0] / 100, 0, 1) ** power
        lab[..., 0] = np.clip(MIDDLE + self.contrast * (light - MIDDLE), 0, 100)
        lab[..., 1:] *= self.saturation
        lab[..., 2] += self.warmth
        return lab_to_srgb(lab)


LOOKS: Mapping[str, Look] = {
    "vivid": Look(contrast=1.15, saturation=1.4),
    "muted": Look(brightness=4, contrast=0.85, saturation=0.55),
    "bright": Look(brightness=12),
    "moody": Look(brightness=-12, contrast=1.25, saturation=0.8),
    "warm": Look(brightness=2, warmth=14),
    "cool": Look(brightness=2, warmth=-14),
    "faded": Look(brightness=8, contrast=0.7, saturation=0.75, warmth=6),
    "mono": Look(contrast=1.15, saturation=0),
}
"""Looks by name, as photo applications have them."""


class LooksStylizer(Stylizer):
    """Gives photos the look of a style, or, with `look`, that look whatever the style."""

    name: ClassVar[str] = "looks"
    model_sha256 = COLOR_SHA256

    def __init__(self, colors: ColorStylizer, look: Look | None = None) -> None:
        self._weight, self._neutral = colors.weight, colors.bias  # (6, 128), (6,)
        self.fixed = look
        self.version = f"looks-{COLOR_SHA256[:8]}"

    @classmethod
    def load(cls, threads: int | None = None) -> LooksStylizer:
        """The engine with the map that ships; one thread is enough. Raises WeightsError where that is wrong."""
        return cls(ColorStylizer.load(threads))

    def look(self, style: StyleVector) -> Look:
        """The look of a style."""
        if self.fixed is not None:
            return self.fixed
        difference = SHARE * (self._weight @ style.values)
        shown = self._neutral + difference
        found = (
            difference[0],
            shown[3] / self._neutral[3],
            _chroma(shown) / _chroma(self._neutral),
            difference[2],
        )
        return Look(*(float(value) for value in np.clip(found, LOWEST, HIGHEST)))

    def paint(
        self,
        images: Sequence[Pixels],
        style: StyleVector,
        masks: Sequence[Mask] | None = None,  # noqa: ARG002  a look does not ask what is in the photo
    ) -> list[Painting]:
        look = self.look(style)
        return [Painting(np.zeros_like(image), look.on(image) - image) for image in images]


def _chroma(statistics: NDArray[np.float64]) -> float:
    """The root mean square of a* and b*, from their means and deviations in `(6,)`."""
    return float(np.sqrt(np.square(statistics[[1, 2, 4, 5]]).sum()))
