"""Noise removal: median and bilateral filters, wavelets, and non-local means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from style.images import Pixels
from style.preprocess.base import check_choice, check_range, to_bytes
from style.vision import opencv, restoration, wavelets

CLEAN = 0.004
"""Standard deviation, one level of 8 bits, below which an image counts as free of noise."""


@dataclass(frozen=True, slots=True)
class Denoise:
    """Remove noise by `method`; `strength` scales the image's own noise level.

    - `nlm`: non-local means (Buades, Coll and Morel 2005) on color and lightness.
    - `wavelet`: BayesShrink (Chang, Yu and Vetterli 2000) in YCbCr.
    - `bilateral`: Tomasi and Manduchi 1998.
    - `median`: 3 x 3, for salt and pepper noise; it has no strength and ignores the noise level.

    All but `median` estimate the level from the finest wavelets (Donoho and Johnstone 1994) and leave a clean image
    unchanged.
    """

    name: ClassVar[str] = "denoise"
    method: str = "nlm"
    strength: float = 1.0

    def __post_init__(self) -> None:
        check_choice(self.name, "method", self.method, METHODS)
        check_range(self.name, "strength", self.strength, 0.1, 4.0)

    def __call__(self, pixels: Pixels) -> Pixels:
        """Apply the step."""
        return METHODS[self.method](pixels, self.strength)


def noise_level(pixels: Pixels) -> float:
    """Estimate the standard deviation of the noise in `(H, W, 3)`, in sRGB units: the mean over channels.

    Fine texture counts as noise in part, so the result is an upper bound. Raises ExtraError.
    """
    return float(np.mean([_level(pixels[..., channel]) for channel in range(3)]))


def _level(channel: NDArray[np.float32]) -> float:
    """Return the median magnitude of the finest diagonal wavelets over that of the standard normal distribution."""
    details = np.abs(wavelets().dwt2(channel, "db2")[1][2])
    # Coefficients of exactly 0 come from flat areas, such as a blank backdrop, and carry no noise.
    details = details[details > 0]
    return float(np.median(details) / 0.6745) if len(details) else 0.0


def _median(pixels: Pixels, _: float) -> Pixels:
    return np.asarray(opencv().medianBlur(np.ascontiguousarray(pixels), 3))


def _bilateral(pixels: Pixels, strength: float) -> Pixels:
    noise = noise_level(pixels)
    if noise < CLEAN:
        return pixels
    # A difference of two values has sqrt(2) times the noise of one; twice that covers most of the noise.
    return np.asarray(opencv().bilateralFilter(np.ascontiguousarray(pixels), 7, 2.8 * strength * noise, 2.0))


def _wavelet(pixels: Pixels, strength: float) -> Pixels:
    noise = noise_level(pixels)
    if noise < CLEAN or min(pixels.shape[:2]) < 16:
        return pixels
    clean = restoration().denoise_wavelet(
        pixels,
        sigma=strength * noise,
        method="BayesShrink",
        mode="soft",
        wavelet="sym4",
        convert2ycbcr=True,
        rescale_sigma=True,
        channel_axis=-1,
    )
    return np.asarray(np.clip(clean, 0.0, 1.0), dtype=np.float32)


def _nlm(pixels: Pixels, strength: float) -> Pixels:
    noise = noise_level(pixels)
    if noise < CLEAN:
        return pixels
    # Half the noise: OpenCV's kernel sums squares over channels, and a larger h blurs the product.
    h = 127.5 * strength * noise
    clean = opencv().fastNlMeansDenoisingColored(to_bytes(pixels), None, h, h, 5, 15)
    return np.asarray(clean, dtype=np.float32) / np.float32(255.0)


METHODS: dict[str, Callable[[Pixels, float], Pixels]] = {
    "nlm": _nlm,
    "wavelet": _wavelet,
    "bilateral": _bilateral,
    "median": _median,
}
