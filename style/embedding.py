"""StyleEmbedder: images to style vectors.

The vector of an image: at two scales and per VGG tap the channel means and standard deviations, at the first three
taps of the larger scale also the Gram matrix; signed square root; standardized, projected and whitened to 128
numbers; length one. Statistics are averaged over the product alone where the photo has a plain backdrop
(`style.mask`), so that a white studio does not make all products alike. The whitening is fitted by
`style.training.recipes.embedding` on many images and ships.
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
"""Pictures are brought to about this many pixels squared, keeping their proportions."""

STATISTICS = 4
"""Counts up with every change of mask or statistics: vectors made before belong to another space."""

EMBEDDING_SHA256 = {"vgg-slim": "4a9ae392aab82d4f1e33be9f446315f87dfebbce647699f22849f71acf474f1e"}


class StyleEmbedder:
    """Turns images into style vectors with one backbone and its whitening.

    `recipe`: what photos go through first. `version` names all three, so that vectors of different spaces are never
    mixed.
    """

    def __init__(self, network: Vgg, whitening: dict[str, Tensor], recipe: Recipe = NO_RECIPE) -> None:
        self.network = network
        self.recipe = recipe
        example = (torch.rand(1, 3, 64, 64), torch.ones(1, 1, 64, 64))
        self.describe = compile_network(StyleStatistics(network).eval(), example)
        self.center = whitening["center"]  # (S,)
        self.projection = whitening["projection"]  # (S, 128)
        weights = EMBEDDING_SHA256.get(network.record.name, "")[:8]
        self.version = f"{network.record.name}-{DIMENSIONS}-{weights}-{STATISTICS}"
        self.version += f"-{recipe.identity}" if recipe.identity else ""

    @classmethod
    def load(cls, backbone: str = "vgg-slim", recipe: Recipe = NO_RECIPE) -> StyleEmbedder:
        """The embedder of a backbone, with its shipped whitening. Raises WeightsError where either is missing."""
        network = load_backbone(backbone)
        if backbone not in EMBEDDING_SHA256:
            raise WeightsError(
                f"{backbone}: no whitening ships for it; fit one with `python -m style.training embedding`"
            )
        file = Path(str(WEIGHTS / f"{backbone}-embedding.safetensors"))
        return cls(network, read_weights(file, EMBEDDING_SHA256[backbone]), recipe)

    def embed(self, pixels: Pixels, mask: Mask | None = None) -> StyleVector:
        """The style vector of one image `(H, W, 3)`, averaged over `mask` (default: its product mask).

        The recipe comes first, unless there is a mask: that fits the picture as it is.
        """
        if mask is None:
            pixels = self.recipe(pixels)
        return StyleVector.of(self.project(self.statistics(pixels, mask)[None])[0].numpy())

    def embed_bytes(self, data: bytes) -> StyleVector:
        """The style vector of an image file's bytes, as `embed_files` gives it of the file. Raises ImageError."""
        return self.embed(to_pixels(decode_image(data, short_side=WORKING_SIDE)))

    def embed_files(
        self, paths: Sequence[Path], progress: Callable[[int], object] | None = None
    ) -> NDArray[np.float32]:
        """`(N, 128)` float32 unit vectors of image files, one file decoded while another is in the network.

        `progress` is called with 1 after each file. Raises ImageError that names the first file that cannot be read.
        """
        vectors = np.empty((len(paths), DIMENSIONS), dtype=np.float32)
        with ThreadPoolExecutor(torch.get_num_threads() + 1) as pool:
            for row, vector in enumerate(pool.map(self._embed_file, paths)):
                vectors[row] = vector.values
                if progress is not None:
                    progress(1)
        return vectors

    def statistics(self, pixels: Pixels, mask: Mask | None = None) -> Tensor:
        """The statistics `(S,)` before whitening; see `StyleStatistics`."""
        pixels = _working_size(pixels)
        mask = product_mask(pixels) if mask is None else _resized(mask, pixels.shape[0], pixels.shape[1])
        image = torch.from_numpy(pixels).permute(2, 0, 1)[None]
        (found,) = self.describe(image, torch.from_numpy(mask)[None, None])
        return found[0]

    def project(self, statistics: Tensor) -> Tensor:
        """Statistics `(B, S)` to unit vectors `(B, 128)`."""
        return F.normalize((statistics - self.center) @ self.projection, dim=1)

    def _embed_file(self, path: Path) -> StyleVector:
        return self.embed(read_image(path, short_side=WORKING_SIDE))


class StyleStatistics(nn.Module):
    """Images `(B, 3, H, W)` and weights `(B, 1, H, W)` to the statistics of their feature maps `(B, S)`.

    The second scale is half the first: coarse structure at the one is texture at the other, and one scale alone
    tells styles apart less well. `is_gram` `(S,)` marks the entries of Gram matrices.
    """

    def __init__(self, network: Vgg) -> None:
        super().__init__()
        self.network = network
        channels_last(network)

    def forward(self, images: Tensor, weights: Tensor) -> Tensor:
        halves = F.avg_pool2d(images, 2)
        large = _statistics(self.network(images), weights, GRAM_TAPS)
        small = _statistics(self.network(halves), F.avg_pool2d(weights, 2), ())
        return signed_sqrt(torch.cat([*large, *small], dim=1))

    @property
    def is_gram(self) -> Tensor:
        """Which of the statistics are entries of Gram matrices, bool `(S,)`."""
        widths = dict(zip(TAPS, self.network.record.widths, strict=True))
        marks: list[bool] = []
        for gram_taps in (GRAM_TAPS, ()):
            for tap in self.network.taps:
                marks += [False] * 2 * widths[tap]
                marks += [True] * (widths[tap] * (widths[tap] + 1) // 2 if tap in gram_taps else 0)
        return torch.tensor(marks)


def _statistics(features: dict[str, Tensor], weights: Tensor, gram_taps: Sequence[str]) -> list[Tensor]:
    """Per tap means and deviations, and Gram matrices where asked, `(B, ...)` each; `weights` say what counts."""
    parts: list[Tensor] = []
    for tap, maps in features.items():
        parts += list(mean_std(maps, weights))
        if tap in gram_taps:
            parts.append(upper_triangle(gram(maps, weights)))
        weights = F.avg_pool2d(weights, 2)  # as the network pools, from one tap to the next
    return parts


def _resized(mask: Mask, height: int, width: int) -> Mask:
    if mask.shape == (height, width):
        return mask
    batch = torch.from_numpy(np.ascontiguousarray(mask))[None, None]
    return F.interpolate(batch, size=(height, width), mode="bilinear", antialias=True)[0, 0].numpy()


def _working_size(pixels: Pixels) -> Pixels:
    """The picture at about WORKING_SIDE squared pixels, sides multiples of 16, proportions kept within that.

    At least 64 a side: at half size the deepest tap then still has more than one place.
    """
    height, width = pixels.shape[:2]
    scale = WORKING_SIDE / (height * width) ** 0.5
    size = tuple(int(np.clip(round(side * scale / 16), 4, 40)) * 16 for side in (height, width))
    if size == (height, width):
        return pixels
    image = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    resized = F.interpolate(image, size=size, mode="bilinear", antialias=True, align_corners=False)
    return np.ascontiguousarray(resized[0].permute(1, 2, 0).numpy())
