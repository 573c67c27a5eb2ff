"""Engine `patch`: composes the photo from patches of the style image, found by features.

Each patch of the photo's features is matched to the style's most similar patch by normalized cross-correlation, as in
style swap (Chen and Schmidt 2016, "Fast patch-based style transfer of arbitrary style", eq. 3) and CNN-MRF (Li and Wand
2016). The result consists of the style's own strokes, while statistics (Gatys, AdaIN) only say how much there is of
each.

Departs from both papers in the way back from features to pixels, for which they optimize or train a network. Here the
*pixels* of the matched style patches are laid down, in overlapping windows that fade out, as in image analogies
(Hertzmann et al. 2001). Optimized pixels of a slim VGG's swapped features were grainy, and took ten times as long.

Features are normalized per channel before the comparison, so that shapes are compared and not global differences of the
two images. Colors, moved to the style's first, are compared as well: with features only, a plain backdrop matches any
plain part of the style. Results of several style images are blended by weight. A painting is made at `WORKING_SIDE`
pixels at most and enlarged, which bounds the time; the photo's own fine detail stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from style.backbone import BACKBONES, Vgg, load_backbone
from style.images import Pixels
from style.mask import Mask
from style.runtime import compile_network
from style.transfer.base import Painting, Stylizer
from style.transfer.reinhard import ReinhardStylizer
from style.transfer.style_images import StyleImages
from style.vector import StyleVector

TAP = "relu3_1"
CELL = 4
"""Pixels per side of one position of the tap."""
PATCH = 3
"""Positions per side of a compared patch."""
COLOR_WEIGHT = 3.0
"""Weight of a position's color relative to a channel of features."""
WINDOW = 16
"""Pixels per side that are laid down for a position."""
WORKING_SIDE = 256
"""Longest side in pixels at which patches are compared and laid down."""
CHUNK = 1024
"""Positions compared at once: 16 MB of correlations with a style image of 256 pixels per side."""


class PatchStylizer(Stylizer):
    """Engine that paints with patches of the style images.

    It takes about a second per image, so it suits rendering ahead better than on the fly.
    """

    name: ClassVar[str] = "patch"
    model_sha256 = BACKBONES["vgg-slim"].sha256

    def __init__(self, styles: StyleImages, network: Vgg, threads: int | None = None) -> None:
        """Compile the network.

        Args:
            styles: Images to paint from.
            network: Network whose features are compared.
            threads: See `style.runtime.compile_network`.
        """
        self.styles = styles
        self.colors = ReinhardStylizer(styles)
        self.features = compile_network(_Features(network).eval(), (torch.rand(1, 3, 32, 32),), threads=threads)
        self.version = f"{self.name}-{self.model_sha256[:8]}-{styles.fingerprint}"

    @classmethod
    def load(cls, styles: StyleImages, threads: int | None = None) -> PatchStylizer:
        """Load the engine with the packaged backbone. Raises WeightsError if it is missing or changed."""
        return cls(styles, load_backbone("vgg-slim"), threads)

    def paint(
        self, images: Sequence[Pixels], style: StyleVector, masks: Sequence[Mask] | None = None
    ) -> list[Painting]:
        """Compute the change of each image; see `Stylizer.paint`."""
        colored = self.colors.paint(images, style, masks)
        return [self._paint_one(image, style, part.color) for image, part in zip(images, colored, strict=True)]

    @torch.inference_mode()
    def _paint_one(self, image: Pixels, style: StyleVector, color: Pixels) -> Painting:
        moved = _batch(image + color)
        photo = _working_size(moved)
        features = self.features(photo)[0]  # (1, C + 3, h, w)
        texture = torch.zeros_like(photo)
        for reference, weight in self.styles.mixture(style):
            target = _working_size(_batch(reference.pixels))
            positions = nearest_patches(features, self.features(target)[0])
            texture += weight * (lay_patches(positions, target, features.shape[2:]) - photo)
        full = F.interpolate(texture, size=moved.shape[2:], mode="bicubic", align_corners=False, antialias=True)
        return Painting(full[0].permute(1, 2, 0).contiguous().numpy(), color)


class _Features(nn.Module):
    """Network from images `(B, 3, H, W)` to the tap's features `(B, C + 3, H / 4, W / 4)`.

    Each channel has mean 0 and deviation 1. The last three are colors, times `COLOR_WEIGHT`.
    """

    def __init__(self, network: Vgg) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        x = self.network.prepare(images)
        for tap in self.network.taps[: self.network.taps.index(TAP) + 1]:
            x = self.network.block(tap, x)
        colors = F.instance_norm(F.avg_pool2d(images, CELL))
        return torch.cat([F.instance_norm(x), COLOR_WEIGHT * colors], dim=1)


def nearest_patches(photo: Tensor, style: Tensor) -> Tensor:
    """Find the most similar style position for each position of the photo, by cosine.

    Patches of `PATCH` x `PATCH` positions are compared.

    Args:
        photo: Features `(1, C, h, w)`.
        style: Features `(1, C, H, W)`.

    Returns:
        Indices `(h*w,)` of style positions; positions are counted row by row.
    """
    queries, known = _patches(photo), F.normalize(_patches(style), dim=1)
    # Queries need no normalization: their length does not change which cosine is largest.
    return torch.cat([(part @ known.T).argmax(dim=1) for part in torch.split(queries, CHUNK)])


def lay_patches(positions: Tensor, style: Tensor, shape: Sequence[int]) -> Tensor:
    """Compose an image `(1, 3, 4 h, 4 w)` from windows of the style image.

    Overlapping windows are averaged, with weights that fade out toward their borders.

    Args:
        positions: Style positions `(h*w,)`, one for each position of the result.
        style: Style image `(1, 3, H, W)`.
        shape: (h, w).
    """
    margin = (WINDOW - CELL) // 2
    windows = F.unfold(F.pad(style, (margin,) * 4, mode="replicate"), WINDOW, stride=CELL)  # (1, 3*16*16, H*W/16)
    fade = torch.hann_window(WINDOW + 2, periodic=False)[1:-1]
    weights = (fade[:, None] * fade).reshape(1, -1, 1).repeat(1, 3, 1)
    size = tuple(CELL * side + 2 * margin for side in shape)
    total = F.fold(windows[:, :, positions] * weights, size, WINDOW, stride=CELL)
    share = F.fold(weights.expand(-1, -1, len(positions)).contiguous(), size, WINDOW, stride=CELL)
    return (total / share)[:, :, margin:-margin, margin:-margin]


def _patches(features: Tensor) -> Tensor:
    """Return the patches around each position, `(h*w, C * PATCH^2)`."""
    padded = F.pad(features, (PATCH // 2,) * 4, mode="replicate")
    return F.unfold(padded, PATCH)[0].T.contiguous()


def _batch(pixels: Pixels) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None].contiguous()


def _working_size(batch: Tensor) -> Tensor:
    """Resize `(1, 3, H, W)` to `WORKING_SIDE` at most, sides multiples of `CELL` and at least 16."""
    scale = min(1.0, WORKING_SIDE / max(batch.shape[2:]))
    size = [max(16, round(side * scale / CELL) * CELL) for side in batch.shape[2:]]
    if size == list(batch.shape[2:]):
        return batch
    return F.interpolate(batch, size=size, mode="bilinear", align_corners=False, antialias=True).clamp(0.0, 1.0)
