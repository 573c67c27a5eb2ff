"""The engine `adain`: features of the photo take the style's means and deviations, and a decoder paints them.

Adaptive instance normalization (Huang and Belongie 2017). The photo is encoded by `vgg-slim` up to TAP; each channel
is brought to the mean and deviation of the style's pictures there (eq. 8); features of both are fused,
`w * style + (1 - w) * content` (eq. 14); a trained decoder turns them into a picture.

Departs from the paper in three things. TAP is relu3_1 where the paper has relu4_1: a quarter of the picture's size
keeps what is printed on a product legible, an eighth does not. Statistics are over the product where a mask says so.
Deviations have a floor (`SPREAD`): else noise in a flat photo would be enlarged until it is the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from style.backbone import WEIGHTS, Vgg, load_backbone, read_weights
from style.gram import mean_std
from style.images import Pixels
from style.mask import Mask, product_mask
from style.runtime import compile_network
from style.transfer.base import Painting, Stylizer
from style.transfer.decompose import painting_of
from style.transfer.style_images import StylePictures
from style.vector import StyleVector

ADAIN_SHA256 = "6c3420ce9181ded630960a27a7b291b8175ffe8ea42eb669742fb75fe62df3cb"
TAP = "relu3_1"
FOLD = 4
"""TAP's features are at this fraction of the picture's size; sides are padded to multiples of it."""
SPREAD = 0.01
"""Added to variances of features, whose mean square is about 1 per channel."""


def adain(features: Tensor, target: Tensor, weights: Tensor | None = None, spread: float = SPREAD) -> Tensor:
    """Feature maps `(B, C, H, W)` with the channel means and deviations `target` `(B, 2C)` (eq. 8).

    Their own statistics are over `weights` `(B, 1, H, W)`, by default over all places; `spread` is added to variances.
    """
    mean, std = (part[:, :, None, None] for part in mean_std(features, weights, spread))
    asked_mean, asked_std = target[:, :, None, None].chunk(2, dim=1)
    return asked_std * (features - mean) / std + asked_mean


def fused(style: Tensor, content: Tensor, amount: Tensor) -> Tensor:
    """`w * style + (1 - w) * content` of feature maps `(B, C, H, W)`, with w = `amount` `(B,)` in [0, 1] (eq. 14)."""
    w = amount[:, None, None, None]
    return w * style + (1 - w) * content


class AdaInNet(nn.Module):
    """Photos `(B, 3, H, W)` in [0, 1] to pictures of the same size in a style, whose statistics at TAP are given.

    H and W are multiples of 4. The encoder is frozen; what is trained is the decoder.
    """

    def __init__(self, encoder: Vgg) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = Decoder(encoder.record.widths)

    def forward(self, photos: Tensor, weights: Tensor, target: Tensor, amount: Tensor) -> Tensor:
        """`weights` `(B, 1, H, W)` of pixels that count, `target` `(B, 2C)`, `amount` `(B,)` of the style."""
        content = self.encode(photos)
        style = adain(content, target, F.avg_pool2d(weights, FOLD))
        painted: Tensor = self.decoder(fused(style, content, amount))
        return painted

    def encode(self, images: Tensor) -> Tensor:
        """Features at TAP, `(B, C, H / 4, W / 4)`."""
        maps = self.encoder.prepare(images)
        for tap in self.encoder.taps:
            maps = self.encoder.block(tap, maps)
            if tap == TAP:
                break
        return maps

    def statistics(self, images: Tensor, weights: Tensor) -> Tensor:
        """Channel means and deviations at TAP over `weights` `(B, 1, H, W)`: `(B, 2C)`."""
        return torch.cat(mean_std(self.encode(images), F.avg_pool2d(weights, FOLD), SPREAD), dim=1)


class Decoder(nn.Module):
    """Features at TAP `(B, C, H, W)` back to pixels `(B, 3, 4H, 4W)`.

    A linear map gives colors at the features' size, which are enlarged smoothly; the encoder's mirror, with
    reflection padding, nearest-neighbor upsampling and no norms, adds all that is finer.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        fine, half, quarter = widths[:3]
        self.colors = _conv(quarter, 3)
        self.detail = nn.Sequential(
            *(layer for _ in range(3) for layer in (_conv(quarter, quarter), nn.ReLU())),
            _conv(quarter, half),
            nn.ReLU(),
            nn.Upsample(scale_factor=2, mode="nearest"),
            _conv(half, half),
            nn.ReLU(),
            _conv(half, fine),
            nn.ReLU(),
            nn.Upsample(scale_factor=2, mode="nearest"),
            _conv(fine, fine),
            nn.ReLU(),
            _conv(fine, 3),
        )

    def forward(self, features: Tensor) -> Tensor:
        colors = F.interpolate(self.colors(features), scale_factor=FOLD, mode="bilinear", align_corners=False)
        painted: Tensor = colors + self.detail(features)
        return painted


class AdaInStylizer(Stylizer):
    """The engine `adain`: one forward pass of `AdaInNet`.

    Of a mixture of pictures the statistics are mixed, which is the same as to mix their stylised features.
    """

    name: ClassVar[str] = "adain"
    model_sha256 = ADAIN_SHA256

    def __init__(self, network: AdaInNet, pictures: StylePictures, version: str, threads: int | None = None) -> None:
        """`threads`: see `style.runtime.compile_network`."""
        network.eval().requires_grad_(False)
        self.pictures = pictures
        self.targets = {one.name: self._statistics(network, one.pixels) for one in pictures.pictures}
        example = (torch.rand(1, 3, 32, 32), torch.rand(1, 1, 32, 32), next(iter(self.targets.values())), torch.ones(1))
        self.network = compile_network(network, example, threads=threads)
        self.version = version

    @classmethod
    def load(cls, pictures: StylePictures, threads: int | None = None) -> AdaInStylizer:
        """The engine with the weights that ship. Raises WeightsError where they are missing or changed."""
        network = AdaInNet(load_backbone("vgg-slim"))
        network.decoder.load_state_dict(read_weights(Path(str(WEIGHTS / "adain.safetensors")), ADAIN_SHA256))
        return cls(network, pictures, f"adain-{ADAIN_SHA256[:8]}", threads)

    def paint(
        self, images: Sequence[Pixels], style: StyleVector, masks: Sequence[Mask] | None = None
    ) -> list[Painting]:
        where = [np.ones(image.shape[:2], dtype=np.float32) for image in images] if masks is None else masks
        return [
            painting_of(image, self.fuse(image, style, 1.0, mask), mask)
            for image, mask in zip(images, where, strict=True)
        ]

    def fuse(self, image: Pixels, style: StyleVector, amount: float = 1.0, mask: Mask | None = None) -> Pixels:
        """The picture `(H, W, 3)` that the decoder makes of fused features; not clipped to [0, 1].

        `amount` in [0, 1] fuses in feature space, where `restyle`'s strength fuses pixels: at 0 the decoder's own
        copy of the photo is left, which is softer than the photo.
        """
        height, width = image.shape[:2]
        more = ((0, -height % FOLD), (0, -width % FOLD))
        photo = np.pad(image, (*more, (0, 0)), mode="edge").transpose(2, 0, 1)[None]
        where = np.pad(np.ones((height, width), dtype=np.float32) if mask is None else mask, more)[None, None]
        target = torch.stack(
            [weight * self.targets[picture.name] for picture, weight in self.pictures.mixture(style)]
        ).sum(dim=0)
        # NumPy, not torch, makes ready: torch's threads would wait for more work in the runtime's way.
        batch, weights = (torch.from_numpy(np.ascontiguousarray(part)) for part in (photo, where))
        (painted,) = self.network(batch, weights, target, torch.tensor([amount], dtype=torch.float32))
        return np.ascontiguousarray(painted.numpy()[0, :, :height, :width].transpose(1, 2, 0))

    @staticmethod
    def _statistics(network: AdaInNet, pixels: Pixels) -> Tensor:
        """Of a style's picture `(H, W, 3)`, over what is not backdrop."""
        image, mask = (torch.from_numpy(part) for part in (pixels, product_mask(pixels)))
        return network.statistics(image.permute(2, 0, 1)[None], mask[None, None])


def _conv(entering: int, leaving: int) -> nn.Conv2d:
    return nn.Conv2d(entering, leaving, 3, padding=1, padding_mode="reflect")
