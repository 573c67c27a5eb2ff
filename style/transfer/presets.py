"""Engine `looks`: contrast, saturation, brightness and warmth, as sliders of photo editors.

The other color engines move each photo to the style, so two photos change in different ways. A preset is the same
adjustment for every photo, mild by construction, and four numbers describe it. A linear map, that of the engine
`color`, predicts a style's colors from z. The style's preset is how they differ from the colors of an average style.
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
"""L* about which contrast turns."""
SHARE = 0.6
"""Share of the difference between a style and the average style that a preset applies."""
LOWEST = (-15.0, 0.7, 0.0, -18.0)
HIGHEST = (15.0, 1.5, 1.8, 18.0)
"""Bounds of a style's preset: brightness, contrast, saturation, warmth."""


@dataclass(frozen=True, slots=True)
class Preset:
    """Adjustment of every color in CIE L*a*b*; the defaults change nothing.

    Raises VectorError for a number out of range.

    `brightness`: added to L* at mid-gray, in [-45, 45]; black and white stay. `contrast`: stretches L* about mid-gray.
    `saturation`: stretches a* and b*; 0 is black and white. `warmth`: added to b*, blue below 0 and yellow above.
    """

    brightness: float = 0.0
    contrast: float = 1.0
    saturation: float = 1.0
    warmth: float = 0.0

    def __post_init__(self) -> None:
        if not (abs(self.brightness) <= 45 and self.contrast >= 0 and self.saturation >= 0 and abs(self.warmth) <= 100):
            raise VectorError(
                f"brightness must lie in [-45, 45], warmth in [-100, 100], contrast and saturation at least 0: {self}"
            )

    def on(self, pixels: Pixels) -> Pixels:
        """Apply the preset to an image `(H, W, 3)` in [0, 1]."""
        lab = srgb_to_lab(pixels)
        # A power keeps black and white in place and moves mid-gray by `brightness`.
        power = np.log((MIDDLE + self.brightness) / 100) / np.log(MIDDLE / 100)
        light = 100 * np.clip(lab[..., 0] / 100, 0, 1) ** power
        lab[..., 0] = np.clip(MIDDLE + self.contrast * (light - MIDDLE), 0, 100)
        lab[..., 1:] *= self.saturation
        lab[..., 2] += self.warmth
        return lab_to_srgb(lab)


PRESETS: Mapping[str, Preset] = {
    "vivid": Preset(contrast=1.15, saturation=1.4),
    "muted": Preset(brightness=4, contrast=0.85, saturation=0.55),
    "bright": Preset(brightness=12),
    "moody": Preset(brightness=-12, contrast=1.25, saturation=0.8),
    "warm": Preset(brightness=2, warmth=14),
    "cool": Preset(brightness=2, warmth=-14),
    "faded": Preset(brightness=8, contrast=0.7, saturation=0.75, warmth=6),
    "mono": Preset(contrast=1.15, saturation=0),
}
"""Presets by name, as in photo applications."""


class PresetStylizer(Stylizer):
    """Engine that gives photos the preset of a style, or a fixed `preset` for any style."""

    name: ClassVar[str] = "looks"
    model_sha256 = COLOR_SHA256

    def __init__(self, colors: ColorStylizer, preset: Preset | None = None) -> None:
        self._weight, self._neutral = colors.weight, colors.bias  # (6, 128), (6,)
        self.fixed = preset
        self.version = f"looks-{COLOR_SHA256[:8]}"

    @classmethod
    def load(cls, threads: int | None = None) -> PresetStylizer:
        """Load the engine with the packaged map; one thread is enough. Raises WeightsError if the file is wrong."""
        return cls(ColorStylizer.load(threads))

    def preset_for(self, style: StyleVector) -> Preset:
        """Compute the preset of a style."""
        if self.fixed is not None:
            return self.fixed
        difference = SHARE * (self._weight @ style.values)
        target = self._neutral + difference  # (6,), means and deviations of L*, a*, b*
        numbers = (
            difference[0],
            target[3] / self._neutral[3],
            _chroma(target) / _chroma(self._neutral),
            difference[2],
        )
        return Preset(*(float(value) for value in np.clip(numbers, LOWEST, HIGHEST)))

    def paint(
        self,
        images: Sequence[Pixels],
        style: StyleVector,
        masks: Sequence[Mask] | None = None,  # noqa: ARG002  a preset does not depend on the photo
    ) -> list[Painting]:
        """Compute the change of each image; see `Stylizer.paint`."""
        preset = self.preset_for(style)
        return [Painting(np.zeros_like(image), preset.on(image) - image) for image in images]


def _chroma(statistics: NDArray[np.float64]) -> float:
    """Return the root mean square of a* and b*, from their means and deviations in `(6,)`."""
    return float(np.sqrt(np.square(statistics[[1, 2, 4, 5]]).sum()))
