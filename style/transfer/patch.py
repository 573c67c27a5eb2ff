"""The engine `patch`: the photo put together from patches of the style picture, found by features.

Each patch of the photo's features finds the style's most alike one by normalized cross-correlation, as in style swap
(Chen and Schmidt 2016, "Fast patch-based style transfer of arbitrary style", eq. 3) and CNN-MRF (Li and Wand 2016).
Such a picture is made of the style's own strokes, where statistics (Gatys, AdaIN) know only how much there is of each.

Departs from both papers in the way back from features to pixels, for which they optimize or train a network: the
style's *pixels* at the place that was found are laid down, in overlapping windows that fade out, as in image analogies
(Hertzmann et al. 2001). Optimized pixels of a slim VGG's swapped features were grainy, and took ten times as long.
Features are normalized channel by channel before they are compared, so that it is shapes that are compared and not
how the two pictures differ as a whole; colors, moved to the style's first, are compared with them, as features alone
take a plain backdrop for whatever is plain in the style. What several style pictures give is blended by weight. A
painting is made at `WORKING_SIDE` pixels at most and enlarged, so that the time has a bound; the photo's own fine
detail stays.
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
from style.transfer.style_images import StylePictures
from style.vector import StyleVector

TAP = "relu3_1"
CELL = 4
"""Pixels a side of one place of the tap."""
PATCH = 3
"""Places a side that are compared."""
COLOR_WEIGHT = 3.0
"""What a place's color weighs beside a channel of features."""
WINDOW = 16
"""Pixels a side that are laid down for a place."""
WORKING_SIDE = 256
"""The longest side in pixels at which patches are compared and laid down."""
CHUNK = 1024
"""Places that are compared at once: 16 MB of correlations with a style picture of 256 pixels a side."""


class PatchStylizer(Stylizer):
    """Repaints with patches of the style pictures; about a second a picture, so rather ahead than on the fly."""

    name: ClassVar[str] = "patch"
    model_sha256 = BACKBONES["vgg-slim"].sha256

    def __init__(self, pictures: StylePictures, network: Vgg, threads: int | None = None) -> None:
        """`threads`: see `style.runtime.compile_network`."""
        self.pictures = pictures
        self.colors = ReinhardStylizer(pictures)
        self.features = compile_network(_Features(network).eval(), (torch.rand(1, 3, 32, 32),), threads=threads)
        self.version = f"{self.name}-{self.model_sha256[:8]}-{pictures.fingerprint}"

    @classmethod
    def load(cls, pictures: StylePictures, threads: int | None = None) -> PatchStylizer:
        """The engine with the backbone that ships. Raises WeightsError where that is missing or changed."""
        return cls(pictures, load_backbone("vgg-slim"), threads)

    def paint(
        self, images: Sequence[Pixels], style: StyleVector, masks: Sequence[Mask] | None = None
    ) -> list[Painting]:
        colored = self.colors.paint(images, style, masks)
        return [self._paint_one(image, style, part.color) for image, part in zip(images, colored, strict=True)]

    @torch.inference_mode()
    def _paint_one(self, image: Pixels, style: StyleVector, color: Pixels) -> Painting:
        moved = _batch(image + color)
        photo = _working_size(moved)
        found = self.features(photo)[0]
        texture = torch.zeros_like(photo)
        for picture, weight in self.pictures.mixture(style):
            target = _working_size(_batch(picture.pixels))
            texture += weight * (laid(alike(found, self.features(target)[0]), target, found.shape[2:]) - photo)
        full = F.interpolate(texture, size=moved.shape[2:], mode="bicubic", align_corners=False, antialias=True)
        return Painting(full[0].permute(1, 2, 0).contiguous().numpy(), color)


class _Features(nn.Module):
    """Pictures `(B, 3, H, W)` to the tap's features `(B, C + 3, H / 4, W / 4)`: each channel of mean 0 and deviation 1.

    The last three are colors, at `COLOR_WEIGHT`.
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


def alike(photo: Tensor, style: Tensor) -> Tensor:
    """For each place of the photo's features `(1, C, h, w)` the most alike of the style's `(1, C, H, W)`: `(h*w,)`.

    Places are counted row by row; what is compared are patches of `PATCH` by `PATCH` places, by their cosine.
    """
    asked, known = _patches(photo), F.normalize(_patches(style), dim=1)
    return torch.cat([(part @ known.T).argmax(dim=1) for part in torch.split(asked, CHUNK)])


def laid(places: Tensor, style: Tensor, shape: Sequence[int]) -> Tensor:
    """The picture `(1, 3, 4 h, 4 w)` of the windows of `style` `(1, 3, H, W)` at `places` `(h*w,)`; `shape` is (h, w).

    Where windows overlap they are averaged, by weights that fade out toward their rims.
    """
    margin = (WINDOW - CELL) // 2
    windows = F.unfold(F.pad(style, (margin,) * 4, mode="replicate"), WINDOW, stride=CELL)  # (1, 3*16*16, H*W/16)
    fade = torch.hann_window(WINDOW + 2, periodic=False)[1:-1]
    weights = (fade[:, None] * fade).reshape(1, -1, 1).repeat(1, 3, 1)
    size = tuple(CELL * side + 2 * margin for side in shape)
    total = F.fold(windows[:, :, places] * weights, size, WINDOW, stride=CELL)
    share = F.fold(weights.expand(-1, -1, len(places)).contiguous(), size, WINDOW, stride=CELL)
    return (total / share)[:, :, margin:-margin, margin:-margin]


def _patches(features: Tensor) -> Tensor:
    """Patches around each place, `(h*w, C * PATCH^2)`."""
    padded = F.pad(features, (PATCH // 2,) * 4, mode="replicate")
    return F.unfold(padded, PATCH)[0].T.contiguous()


def _batch(pixels: Pixels) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None].contiguous()


def _working_size(batch: Tensor) -> Tensor:
    """`(1, 3, H, W)` at `WORKING_SIDE` at most, sides multiples of `CELL` and at least 16."""
    scale = min(1.0, WORKING_SIDE / max(batch.shape[2:]))
    size = [max(16, round(side * scale / CELL) * CELL) for side in batch.shape[2:]]
    if size == list(batch.shape[2:]):
        return batch
    return F.interpolate(batch, size=size, mode="bilinear", align_corners=False, antialias=True).clamp(0.0, 1.0)
