"""StyleEmbedder: style vectors of images.

Two scales of an image pass the network. Per VGG tap the vector has channel means and standard deviations; the first
three taps of the larger scale add the Gram matrix. All numbers pass a signed square root, are standardized, projected
and whitened to 128 numbers, and get unit length. If the photo has a plain backdrop, statistics are averaged over the
product only (`style.mask`), because a white studio would otherwise make all products similar. The whitening is fitted
by `style.training.recipes.embedding` on many images and is part of the package.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from style.backbone import TAPS, WEIGHTS, Vgg, channels_last, load_backbone, read_weights
from style.errors import WeightsError
from style.gram import gram, mean_std, signed_sqrt, upper_triangle
from style.images import Pixels, decode_image, read_image, to_pixels
from style.mask import Mask, product_mask
from style.preprocess.recipe import NO_RECIPE, Recipe
from style.runtime import compile_network
from style.vector import DIMENSIONS, StyleVector

GRAM_TAPS = TAPS[:3]
WORKING_SIDE = 224
"""Images are resized to about this many pixels squared, keeping their proportions."""

STATISTICS = 4
"""Counts up with every change of mask or statistics: earlier vectors belong to another space."""

EMBEDDING_SHA256 = {"vgg-slim": "4a9ae392aab82d4f1e33be9f446315f87dfebbce647699f22849f71acf474f1e"}


class StyleEmbedder:
    """Model from images to style vectors: one backbone and its whitening.

    `recipe`: preprocessing of photos. `version` names all three, so that vectors of different spaces are never mixed.
    """

    def __init__(self, network: Vgg, whitening: dict[str, Tensor], recipe: Recipe = NO_RECIPE) -> None:
        self.network = network
        self.recipe = recipe
        example = (torch.rand(1, 3, 64, 64), torch.ones(1, 1, 64, 64))
        self.network_statistics = compile_network(StyleStatistics(network).eval(), example)
        self.center = whitening["center"]  # (S,)
        self.projection = whitening["projection"]  # (S, 128)
        weights = EMBEDDING_SHA256.get(network.record.name, "")[:8]
        self.version = f"{network.record.name}-{DIMENSIONS}-{weights}-{STATISTICS}"
        self.version += f"-{recipe.identity}" if recipe.identity else ""

    @classmethod
    def load(cls, backbone: str = "vgg-slim", recipe: Recipe = NO_RECIPE) -> StyleEmbedder:
        """Load a backbone with its packaged whitening. Raises WeightsError if either is missing."""
        network = load_backbone(backbone)
        if backbone not in EMBEDDING_SHA256:
            raise WeightsError(
                f"{backbone}: has no packaged whitening; fit one with `python -m style.training embedding`"
            )
        file = Path(str(WEIGHTS / f"{backbone}-embedding.safetensors"))
        return cls(network, read_weights(file, EMBEDDING_SHA256[backbone]), recipe)

    def embed(self, pixels: Pixels, mask: Mask | None = None) -> StyleVector:
        """Compute the style vector of one image `(H, W, 3)`, averaged over `mask` (default: its product mask).

        The recipe is applied first, but not if there is a mask: a mask fits the image as it is.
        """
        if mask is None:
            pixels = self.recipe(pixels)
        return StyleVector.from_values(self.project(self.statistics(pixels, mask)[None])[0].numpy())

    def embed_bytes(self, data: bytes) -> StyleVector:
        """Compute the style vector of an image file's bytes, the same as by `embed_files`. Raises ImageError."""
        return self.embed(to_pixels(decode_image(data, short_side=WORKING_SIDE)))

    def embed_files(
        self, paths: Sequence[Path], progress: Callable[[int], object] | None = None
    ) -> NDArray[np.float32]:
        """Compute `(N, 128)` float32 unit vectors of image files; decoding and network run in parallel.

        Args:
            paths: Image files.
            progress: Called with 1 after each file.

        Raises:
            ImageError: If a file cannot be read; names the first one.
        """
        vectors = np.empty((len(paths), DIMENSIONS), dtype=np.float32)
        with ThreadPoolExecutor(torch.get_num_threads() + 1) as pool:
            for row, vector in enumerate(pool.map(self._embed_file, paths)):
                vectors[row] = vector.values
                if progress is not None:
                    progress(1)
        return vectors

    def statistics(self, pixels: Pixels, mask: Mask | None = None) -> Tensor:
        """Compute the statistics `(S,)` before whitening; see `StyleStatistics`."""
        # Resize to about WORKING_SIDE squared pixels, sides multiples of 16, proportions kept within that. Sides have
        # at least 64 pixels: at half size the deepest tap then still has more than one position.
        height, width = pixels.shape[:2]
        scale = WORKING_SIDE / (height * width) ** 0.5
        working = tuple(int(np.clip(round(side * scale / 16), 4, 40)) * 16 for side in (height, width))
        if working != (height, width):
            photo = torch.from_numpy(pixels).permute(2, 0, 1)[None]
            resized = F.interpolate(photo, size=working, mode="bilinear", antialias=True, align_corners=False)
            pixels = np.ascontiguousarray(resized[0].permute(1, 2, 0).numpy())
        weights = torch.from_numpy(np.ascontiguousarray(product_mask(pixels) if mask is None else mask))[None, None]
        if weights.shape[2:] != pixels.shape[:2]:
            size = (pixels.shape[0], pixels.shape[1])
            weights = F.interpolate(weights, size=size, mode="bilinear", antialias=True)
        image = torch.from_numpy(pixels).permute(2, 0, 1)[None]
        (statistics,) = self.network_statistics(image, weights)
        return statistics[0]

    def project(self, statistics: Tensor) -> Tensor:
        """Project statistics `(B, S)` to unit vectors `(B, 128)`."""
        return F.normalize((statistics - self.center) @ self.projection, dim=1)

    def _embed_file(self, path: Path) -> StyleVector:
        return self.embed(read_image(path, short_side=WORKING_SIDE))


class StyleStatistics(nn.Module):
    """Network from images `(B, 3, H, W)` and weights `(B, 1, H, W)` to statistics of their feature maps `(B, S)`.

    The second scale is half the first: coarse structure at one is texture at the other, and a single scale separates
    styles less well. `is_gram` `(S,)` marks the entries of Gram matrices.
    """

    def __init__(self, network: Vgg) -> None:
        super().__init__()
        self.network = network
        channels_last(network)

    def forward(self, images: Tensor, weights: Tensor) -> Tensor:
        """Compute the statistics, `(B, S)`."""
        halves = F.avg_pool2d(images, 2)
        large = _statistics(self.network(images), weights, GRAM_TAPS)
        small = _statistics(self.network(halves), F.avg_pool2d(weights, 2), ())
        return signed_sqrt(torch.cat([*large, *small], dim=1))

    @property
    def is_gram(self) -> Tensor:
        """Mask of the statistics that are entries of Gram matrices, bool `(S,)`."""
        widths = dict(zip(TAPS, self.network.record.widths, strict=True))
        marks: list[bool] = []
        for gram_taps in (GRAM_TAPS, ()):
            for tap in self.network.taps:
                marks += [False] * 2 * widths[tap]
                marks += [True] * (widths[tap] * (widths[tap] + 1) // 2 if tap in gram_taps else 0)
        return torch.tensor(marks)


def _statistics(features: dict[str, Tensor], weights: Tensor, gram_taps: Sequence[str]) -> list[Tensor]:
    """Compute means and deviations per tap, and Gram matrices at `gram_taps`, `(B, ...)` each, over `weights`."""
    parts: list[Tensor] = []
    for tap, maps in features.items():
        parts += list(mean_std(maps, weights))
        if tap in gram_taps:
            parts.append(upper_triangle(gram(maps, weights)))
        weights = F.avg_pool2d(weights, 2)  # as the network pools, from one tap to the next
    return parts
