"""Style images, for engines that paint from images and not only from z.

Callers of such an engine still pass only z. The engine decomposes z into the style images that it knows
(`StyleImages.mixture`), so a learned taste, which is a blend, is painted as a blend.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import nnls

from style.errors import LibraryError
from style.images import Pixels, read_image
from style.library import StyleReference, read_library
from style.vector import StyleVector

if TYPE_CHECKING:
    from pathlib import Path

    from style.embedding import StyleEmbedder

STYLE_IMAGE_SIDE = 256
"""Short side in pixels to which style images are resized."""
LEAST_SHARE = 0.01
"""Share of the weights below which a style image is left out."""


@dataclass(frozen=True, slots=True, eq=False)
class StyleImage:
    """Image `(H, W, 3)` in [0, 1] of one style, and its style vector."""

    name: str
    vector: StyleVector
    pixels: Pixels


class StyleImages:
    """One or more style images with unique names. Immutable. Raises LibraryError."""

    def __init__(self, images: Sequence[StyleImage]) -> None:
        if not images:
            raise LibraryError("no style images: give at least one, such as those of a project's styles.csv")
        names = [image.name for image in images]
        repeated = next((name for name in names if names.count(name) > 1), None)
        if repeated is not None:
            raise LibraryError(f"two style images are called {repeated!r}; names must be unique")
        self.images = tuple(images)
        self._vectors = np.stack([image.vector.values for image in images]).astype(np.float64)  # (N, 128)

    @classmethod
    def from_pixels(cls, images: Sequence[tuple[str, Pixels]], embedder: StyleEmbedder) -> StyleImages:
        """Build named style images with vectors computed by `embedder`."""
        return cls([StyleImage(name, embedder.embed(pixels), pixels) for name, pixels in images])

    @classmethod
    def from_library(
        cls, folder: Path, embedder: StyleEmbedder, usable: Callable[[StyleReference], bool] = lambda _: True
    ) -> StyleImages:
        """Read the references of a library folder (`style.library`) that are `usable`, for example by license.

        Raises:
            LibraryError: If the library is wrong or no reference is left.
        """
        references = [one for one in read_library(folder) if usable(one)]
        if not references:
            raise LibraryError(f"{folder}: has no style references that may be painted from; add some to styles.csv")
        images = [(one.style_id, read_image(one.image, short_side=STYLE_IMAGE_SIDE)) for one in references]
        return cls.from_pixels(images, embedder)

    def __len__(self) -> int:
        return len(self.images)

    @cached_property
    def fingerprint(self) -> str:
        """Eight hexadecimal digits for engine versions; they change with any name, vector or pixel."""
        digest = hashlib.sha256()
        for image in self.images:
            digest.update(f"{image.name}{image.pixels.shape}".encode())
            digest.update(image.vector.values.tobytes() + image.pixels.tobytes())
        return digest.hexdigest()[:8]

    def mixture(self, style: StyleVector, most: int = 3) -> list[tuple[StyleImage, float]]:
        """Decompose z into at most `most` style images with weights above 0 that sum to 1, largest first.

        Weights come from non-negative least squares, z ~ sum w_i z_i: an image's own vector gives that image with
        weight 1. If no mixture is nearer to z than the zero vector, the nearest image is returned.
        """
        target = style.values.astype(np.float64)
        weights, _ = nnls(self._vectors.T, target)
        kept = [
            int(index)
            for index in np.argsort(-weights, kind="stable")[:most]
            if weights[index] > LEAST_SHARE * weights.sum()
        ]
        if not kept:
            return [(self.images[int(np.argmax(self._vectors @ target))], 1.0)]
        # Refit without the small ones: the others take over their part.
        refitted, _ = nnls(self._vectors[kept].T, target)
        total = float(refitted.sum())
        pairs = [(self.images[index], float(weight) / total) for index, weight in zip(kept, refitted, strict=True)]
        return sorted((pair for pair in pairs if pair[1] > 0), key=lambda pair: -pair[1])
