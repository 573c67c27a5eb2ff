"""Engine `adain`: photo features take the style's channel statistics, and a decoder paints the result.

Adaptive instance normalization (Huang and Belongie 2017). `vgg-slim` encodes the photo up to TAP. Each channel is moved
to the mean and deviation of the style images there (eq. 8). Features of both are fused, `w * style + (1 - w) * content`
(eq. 14). A trained decoder turns them into an image.

Departs from the paper in three things. TAP is relu3_1 where the paper has relu4_1: prints on a product stay legible at
a quarter of the image size, but not at an eighth. Statistics are taken over the product if there is a mask. Deviations
have a floor (`SPREAD`): otherwise noise in a flat photo would be enlarged until it dominates.
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
from style.transfer.decompose import decompose_painting
from style.transfer.style_images import StyleImages
from style.vector import StyleVector

ADAIN_SHA256 = "6c3420ce9181ded630960a27a7b291b8175ffe8ea42eb669742fb75fe62df3cb"
TAP = "relu3_1"
FOLD = 4
"""TAP's features are at this fraction of the image size; sides are padded to multiples of it."""
SPREAD = 0.01
"""Added to variances of features, whose mean square is about 1 per channel."""


def adain(features: Tensor, target: Tensor, weights: Tensor | None = None, spread: float = SPREAD) -> Tensor:
    """Move feature maps `(B, C, H, W)` to the channel means and deviations `target` `(B, 2C)` (eq. 8).

    Args:
        features: Feature maps of the photo.
        target: Means, then deviations, of the style.
        weights: `(B, 1, H, W)`, pixels over which the photo's own statistics are taken; default: all.
        spread: Added to variances.
    """
    mean, std = (part[:, :, None, None] for part in mean_std(features, weights, spread))
    style_mean, style_std = target[:, :, None, None].chunk(2, dim=1)  # (B, C, 1, 1) each
    return style_std * (features - mean) / std + style_mean


def fuse_features(style: Tensor, content: Tensor, amount: Tensor) -> Tensor:
    """Return `w * style + (1 - w) * content` of feature maps `(B, C, H, W)`, w = `amount` `(B,)` in [0, 1] (eq. 14)."""
    w = amount[:, None, None, None]
    return w * style + (1 - w) * content


class AdaInNet(nn.Module):
    """Network from photos `(B, 3, H, W)` in [0, 1] to images of the same size in a style, given its statistics at TAP.

    H and W are multiples of 4. The encoder is frozen; only the decoder is trained.
    """

    def __init__(self, encoder: Vgg) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = Decoder(encoder.record.widths)

    def forward(self, photos: Tensor, weights: Tensor, target: Tensor, amount: Tensor) -> Tensor:
        """Paint photos in a style.

        Args:
            photos: `(B, 3, H, W)` in [0, 1].
            weights: `(B, 1, H, W)`, pixels whose statistics count.
            target: `(B, 2C)`, statistics of the style.
            amount: `(B,)` in [0, 1], the share of the style in the fused features.
        """
        content = self.encode(photos)
        style = adain(content, target, F.avg_pool2d(weights, FOLD))
        painted: Tensor = self.decoder(fuse_features(style, content, amount))
        return painted

    def encode(self, images: Tensor) -> Tensor:
        """Compute features at TAP, `(B, C, H / 4, W / 4)`."""
        maps = self.encoder.prepare(images)
        for tap in self.encoder.taps:
            maps = self.encoder.block(tap, maps)
            if tap == TAP:
                break
        return maps

    def statistics(self, images: Tensor, weights: Tensor) -> Tensor:
        """Compute channel means and deviations at TAP over `weights` `(B, 1, H, W)`: `(B, 2C)`."""
        return torch.cat(mean_std(self.encode(images), F.avg_pool2d(weights, FOLD), SPREAD), dim=1)


class Decoder(nn.Module):
    """Decoder from features at TAP `(B, C, H, W)` to pixels `(B, 3, 4H, 4W)`.

    A linear map gives colors at the size of the features, enlarged bilinearly. The encoder's mirror, with reflection
    padding, nearest-neighbor upsampling and no norms, adds all finer detail.
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
        """Decode features."""
        colors = F.interpolate(self.colors(features), scale_factor=FOLD, mode="bilinear", align_corners=False)
        painted: Tensor = colors + self.detail(features)
        return painted


class AdaInStylizer(Stylizer):
    """Engine `adain`: one forward pass of `AdaInNet`.

    For a mixture of style images the statistics are mixed, which equals a mix of their stylized features.
    """

    name: ClassVar[str] = "adain"
    model_sha256 = ADAIN_SHA256

    def __init__(self, network: AdaInNet, styles: StyleImages, version: str, threads: int | None = None) -> None:
        """Compute the statistics of all style images and compile the network.

        Args:
            network: Encoder and trained decoder.
            styles: Images to paint from.
            version: Version of the engine.
            threads: See `style.runtime.compile_network`.
        """
        network.eval().requires_grad_(False)
        self.styles = styles
        self.targets = {one.name: self._statistics(network, one.pixels) for one in styles.images}
        example = (torch.rand(1, 3, 32, 32), torch.rand(1, 1, 32, 32), next(iter(self.targets.values())), torch.ones(1))
        self.network = compile_network(network, example, threads=threads)
        self.version = version

    @classmethod
    def load(cls, styles: StyleImages, threads: int | None = None) -> AdaInStylizer:
        """Load the engine with the packaged weights. Raises WeightsError if they are missing or changed."""
        network = AdaInNet(load_backbone("vgg-slim"))
        network.decoder.load_state_dict(read_weights(Path(str(WEIGHTS / "adain.safetensors")), ADAIN_SHA256))
        return cls(network, styles, f"adain-{ADAIN_SHA256[:8]}", threads)

    def paint(
        self, images: Sequence[Pixels], style: StyleVector, masks: Sequence[Mask] | None = None
    ) -> list[Painting]:
        """Compute the change of each image; see `Stylizer.paint`."""
        where = [np.ones(image.shape[:2], dtype=np.float32) for image in images] if masks is None else masks
        return [
            decompose_painting(image, self.fuse(image, style, 1.0, mask), mask)
            for image, mask in zip(images, where, strict=True)
        ]

    def fuse(self, image: Pixels, style: StyleVector, amount: float = 1.0, mask: Mask | None = None) -> Pixels:
        """Return the decoded image `(H, W, 3)` of fused features; not clipped to [0, 1].

        `amount` in [0, 1] fuses in feature space, while `restyle`'s strength fuses pixels. At 0 the result is the
        decoder's own copy of the photo, which is softer than the photo.

        Args:
            image: Photo `(H, W, 3)` in [0, 1].
            style: Style to paint.
            amount: Share of the style in the fused features.
            mask: Pixels of the photo whose statistics count; default: all.
        """
        height, width = image.shape[:2]
        more = ((0, -height % FOLD), (0, -width % FOLD))
        photo = np.pad(image, (*more, (0, 0)), mode="edge").transpose(2, 0, 1)[None]
        where = np.pad(np.ones((height, width), dtype=np.float32) if mask is None else mask, more)[None, None]
        target = torch.stack(
            [weight * self.targets[reference.name] for reference, weight in self.styles.mixture(style)]
        ).sum(dim=0)  # (1, 2C)
        # NumPy, not torch, prepares the input: torch's threads would compete with the runtime's.
        batch, weights = (torch.from_numpy(np.ascontiguousarray(part)) for part in (photo, where))
        (painted,) = self.network(batch, weights, target, torch.tensor([amount], dtype=torch.float32))
        return np.ascontiguousarray(painted.numpy()[0, :, :height, :width].transpose(1, 2, 0))

    @staticmethod
    def _statistics(network: AdaInNet, pixels: Pixels) -> Tensor:
        """Compute statistics of a style image `(H, W, 3)` without its backdrop."""
        image, mask = (torch.from_numpy(part) for part in (pixels, product_mask(pixels)))
        return network.statistics(image.permute(2, 0, 1)[None], mask[None, None])


def _conv(entering: int, leaving: int) -> nn.Conv2d:
    return nn.Conv2d(entering, leaving, 3, padding=1, padding_mode="reflect")
