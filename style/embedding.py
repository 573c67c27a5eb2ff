"""StyleEmbedder: images to style vectors.

The vector of an image: per VGG tap the channel means and standard deviations, at the first three taps also the
Gram matrix; signed square root; standardised, projected and whitened to 128 numbers; length one. Statistics are
averaged over the product alone where the photo has a plain backdrop (`style.mask`), so that a white studio does
not make all products alike. The whitening is fitted by `style.training.embedding` on many images and ships.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from style.backbone import TAPS, WEIGHTS, Vgg, channels_last, load_backbone, read_weights
from style.errors import WeightsError
from style.gram import gram, mean_std, signed_sqrt, upper_triangle
from style.images import Pixels, read_image
from style.mask import Mask, product_mask
from style.vector import DIMENSIONS, StyleVector

GRAM_TAPS = TAPS[:3]
WORKING_SIDE = 224
"""Pictures are brought to about this many pixels squared, keeping their proportions."""

STATISTICS = 3
"""Counts up with every change of mask or statistics: vectors made before belong to another space."""

EMBEDDING_SHA256 = {"vgg-slim": "780b2dfa82ebe154f0dea79e946c75edaa43d561a53c87d269bce7a64d6a2f92"}


class StyleEmbedder:
    """Turns images into style vectors with one backbone and its whitening.

    `version` names both, so that vectors of different spaces are never mixed.
    """

    def __init__(self, network: Vgg, whitening: dict[str, Tensor]) -> None:
        self.network = network
        channels_last(network)
        self.center = whitening["center"]  # (S,)
        self.projection = whitening["projection"]  # (S, 128)
        weights = EMBEDDING_SHA256.get(network.record.name, "")[:8]
        self.version = f"{network.record.name}-{DIMENSIONS}-{weights}-{STATISTICS}"

    @classmethod
    def load(cls, backbone: str = "vgg-slim") -> StyleEmbedder:
        """The embedder of a backbone, with its shipped whitening. Raises WeightsError where either is missing."""
        network = load_backbone(backbone)
        if backbone not in EMBEDDING_SHA256:
            raise WeightsError(
                f"{backbone}: no whitening ships for it; fit one with `python -m style.training.embedding`"
            )
        file = Path(str(WEIGHTS / f"{backbone}-embedding.safetensors"))
        return cls(network, read_weights(file, EMBEDDING_SHA256[backbone]))

    def embed(self, pixels: Pixels, mask: Mask | None = None) -> StyleVector:
        """The style vector of one image `(H, W, 3)`, averaged over `mask` (default: its product mask)."""
        return StyleVector.of(self.project(self.statistics(pixels, mask)[None])[0].numpy())

    def embed_files(self, paths: Sequence[Path]) -> NDArray[np.float32]:
        """`(N, 128)` float32 unit vectors of image files, decoded in parallel with the network.

        Raises ImageError that names the first file that cannot be read.
        """
        vectors = np.empty((len(paths), DIMENSIONS), dtype=np.float32)
        for row, (pixels, mask) in enumerate(self._decoded(paths)):
            vectors[row] = self.embed(pixels, mask).values
        return vectors

    @torch.inference_mode()
    def statistics(self, pixels: Pixels, mask: Mask | None = None) -> Tensor:
        """The statistics `(S,)` before whitening; see `style_statistics`."""
        pixels = _working_size(pixels)
        mask = product_mask(pixels) if mask is None else mask
        image = torch.from_numpy(pixels).permute(2, 0, 1)[None].contiguous(memory_format=torch.channels_last)
        weights = torch.from_numpy(mask)[None, None]
        return style_statistics(self.network(image), weights)[0]

    def project(self, statistics: Tensor) -> Tensor:
        """Statistics `(B, S)` to unit vectors `(B, 128)`."""
        return F.normalize((statistics - self.center) @ self.projection, dim=1)

    def _decoded(self, paths: Sequence[Path], ahead: int = 16) -> Iterator[tuple[Pixels, Mask]]:
        with ThreadPoolExecutor(max_workers=2) as pool:
            waiting: list[Future[tuple[Pixels, Mask]]] = []
            for path in paths:
                waiting.append(pool.submit(_read_masked, path))
                if len(waiting) > ahead:
                    yield waiting.pop(0).result()
            for future in waiting:
                yield future.result()


def style_statistics(features: dict[str, Tensor], weights: Tensor | None = None) -> Tensor:
    """Signed roots of means, deviations and Gram matrices of feature maps, `(B, S)`.

    `weights` `(B, 1, H, W)` says how much each pixel counts. Blocks are scaled to the same total size whatever
    their length: a Gram matrix has many more numbers than a mean, and would otherwise drown it.
    """
    parts: list[Tensor] = []
    for tap, maps in features.items():
        here = None if weights is None else F.adaptive_avg_pool2d(weights, (maps.shape[2], maps.shape[3]))
        parts += list(mean_std(maps, here))
        if tap in GRAM_TAPS:
            parts.append(upper_triangle(gram(maps, here)))
    return signed_sqrt(torch.cat(parts, dim=1))


def _read_masked(path: Path) -> tuple[Pixels, Mask]:
    pixels = _working_size(read_image(path, short_side=WORKING_SIDE))
    return pixels, product_mask(pixels)


def _working_size(pixels: Pixels) -> Pixels:
    """The picture at about WORKING_SIDE squared pixels, sides multiples of 16, proportions kept within that."""
    height, width = pixels.shape[:2]
    scale = WORKING_SIDE / (height * width) ** 0.5
    size = tuple(int(np.clip(round(side * scale / 16), 2, 40)) * 16 for side in (height, width))
    if size == (height, width):
        return pixels
    image = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    resized = F.interpolate(image, size=size, mode="bilinear", antialias=True, align_corners=False)
    return np.ascontiguousarray(resized[0].permute(1, 2, 0).numpy())
