"""Pictures of styles: what engines paint from that know a style by what it looks like, not by z alone.

Such an engine is still asked for nothing but z. It takes z apart into the pictures that it knows
(`StylePictures.mixture`), so that a learned taste, which is a blend, is painted as a blend.
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

PICTURE_SIDE = 256
"""Short side in pixels to which pictures of styles are brought."""
LEAST_SHARE = 0.01
"""A picture with less of the weights than that is not worth its work."""


@dataclass(frozen=True, slots=True, eq=False)
class StylePicture:
    """A picture `(H, W, 3)` in [0, 1] of one style, and its style vector."""

    name: str
    vector: StyleVector
    pixels: Pixels


class StylePictures:
    """At least one picture, each name once. Immutable. Raises LibraryError."""

    def __init__(self, pictures: Sequence[StylePicture]) -> None:
        if not pictures:
            raise LibraryError("no pictures of styles: give at least one, such as a project's styles.csv")
        names = [picture.name for picture in pictures]
        repeated = next((name for name in names if names.count(name) > 1), None)
        if repeated is not None:
            raise LibraryError(f"two pictures of styles are called {repeated!r}; names must be unique")
        self.pictures = tuple(pictures)
        self._vectors = np.stack([picture.vector.values for picture in pictures]).astype(np.float64)  # (N, 128)

    @classmethod
    def of(cls, pictures: Sequence[tuple[str, Pixels]], embedder: StyleEmbedder) -> StylePictures:
        """Named pictures with the vectors that `embedder` gives them."""
        return cls([StylePicture(name, embedder.embed(pixels), pixels) for name, pixels in pictures])

    @classmethod
    def of_library(
        cls, folder: Path, embedder: StyleEmbedder, usable: Callable[[StyleReference], bool] = lambda _: True
    ) -> StylePictures:
        """The references of a library folder (`style.library`) that are `usable`, such as by their licenses.

        Raises LibraryError, also where there are none.
        """
        references = [one for one in read_library(folder) if usable(one)]
        if not references:
            raise LibraryError(f"{folder}: has no style references that may be painted from; styles.csv names them")
        return cls.of([(one.style_id, read_image(one.image, short_side=PICTURE_SIDE)) for one in references], embedder)

    def __len__(self) -> int:
        return len(self.pictures)

    @cached_property
    def fingerprint(self) -> str:
        """Eight hexadecimal digits that change with any name, vector or pixel: of engines' versions."""
        found = hashlib.sha256()
        for picture in self.pictures:
            found.update(f"{picture.name}{picture.pixels.shape}".encode())
            found.update(picture.vector.values.tobytes() + picture.pixels.tobytes())
        return found.hexdigest()[:8]

    def mixture(self, style: StyleVector, most: int = 3) -> list[tuple[StylePicture, float]]:
        """The pictures whose styles make up z, at most `most`, with weights above 0 that sum to 1, largest first.

        Weights by non-negative least squares, z ~ sum w_i z_i: a picture's own vector gives that picture alone. The
        nearest picture where no mixture is nearer to z than nothing.
        """
        target = style.values.astype(np.float64)
        weights, _ = nnls(self._vectors.T, target)
        kept = [
            int(index)
            for index in np.argsort(-weights, kind="stable")[:most]
            if weights[index] > LEAST_SHARE * weights.sum()
        ]
        if not kept:
            return [(self.pictures[int(np.argmax(self._vectors @ target))], 1.0)]
        # Once more without the small ones, whose part the others take over as well as they can.
        refitted, _ = nnls(self._vectors[kept].T, target)
        total = float(refitted.sum())
        found = [(self.pictures[index], float(weight) / total) for index, weight in zip(kept, refitted, strict=True)]
        return sorted((pair for pair in found if pair[1] > 0), key=lambda pair: -pair[1])
