"""Engine `gan`: one style, learned from unpaired images of products and paintings (CycleGAN, Zhu et al. 2017).

The generator is the paper's, made small from parts of `feedforward`, with three departures. It computes a change that
is added to the photo, so an untrained generator changes almost nothing. It enlarges by nearest-neighbor upsampling and
a convolution, because transposed convolutions leave a checkerboard (Odena et al. 2016). Its photos have the backdrop
filled with the product's mean color: instance normalization over a white studio would make every product pale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from style.credit import StyleCredit
from style.images import Pixels
from style.mask import Mask, product_mask
from style.runtime import compile_network
from style.transfer.base import Follows, Painting, Stylizer
from style.transfer.decompose import decompose_painting
from style.transfer.feedforward import FOLD, Normalized, ResidualBlock
from style.transfer.padding import network_input, network_output
from style.vector import StyleVector

COLOR_GAIN = 3.0
"""Limit on the scaling of a channel by the color part; the rest of a spread is texture."""


@dataclass(frozen=True, slots=True)
class GeneratorShape:
    """Channels at full size (twice as many at each halving) and residual blocks at a quarter of it."""

    width: int = 16
    blocks: int = 4


class Generator(nn.Module):
    """Network from photos `(B, 3, H, W)` in [0, 1] to photos of the other kind, about in [0, 1].

    H and W are multiples of 4.
    """

    def __init__(self, shape: GeneratorShape | None = None) -> None:
        super().__init__()
        shape = shape or GeneratorShape()
        width = shape.width
        self.enter = Normalized(3, width, 7)
        self.down = nn.ModuleList((Normalized(width, 2 * width, 3, 2), Normalized(2 * width, 4 * width, 3, 2)))
        self.blocks = nn.Sequential(*(ResidualBlock(4 * width) for _ in range(shape.blocks)))
        self.up = nn.ModuleList((Normalized(4 * width, 2 * width, 3), Normalized(2 * width, width, 3)))
        self.leave = nn.Conv2d(width, 3, 7, padding=3, padding_mode="reflect")
        with torch.no_grad():
            self.leave.weight.mul_(0.1)

    def forward(self, images: Tensor) -> Tensor:
        """Paint photos."""
        x = F.relu(self.enter(2 * images - 1))
        for layer in self.down:
            x = F.relu(layer(x))
        x = self.blocks(x)
        for layer in self.up:
            x = F.relu(layer(F.interpolate(x, scale_factor=2.0, mode="nearest")))
        painted: Tensor = images + self.leave(x) / 2
        return painted


class GanStylizer(Stylizer):
    """Engine of one pass of a trained generator. It paints its trained style for any z."""

    name: ClassVar[str] = "gan"
    follows = Follows.OWN

    def __init__(
        self,
        network: Generator,
        version: str,
        sha256: str = "",
        threads: int | None = None,
        credit: StyleCredit | None = None,
    ) -> None:
        """Compile the network.

        Args:
            network: Trained generator.
            version: Version of the engine.
            sha256: Hash of the weights.
            threads: See `style.runtime.compile_network`.
            credit: Credit for the generator's style.
        """
        network.eval().requires_grad_(False)
        self.network = compile_network(network, (torch.rand(1, 3, 32, 32),), threads=threads)
        self.model_sha256 = sha256
        self.version = version
        self.credit = credit

    def paint(
        self,
        images: Sequence[Pixels],
        style: StyleVector,  # noqa: ARG002  one network, one style
        masks: Sequence[Mask] | None = None,
    ) -> list[Painting]:
        """Compute the change of each image; see `Stylizer.paint`."""
        where = [product_mask(image) for image in images] if masks is None else masks
        return [self._paint_one(image, mask) for image, mask in zip(images, where, strict=True)]

    def _paint_one(self, image: Pixels, mask: Mask) -> Painting:
        height, width = image.shape[:2]
        photo, _ = network_input(without_backdrop(image, mask), None, FOLD)
        (output,) = self.network(photo)
        painted = np.clip(network_output(output, height, width), 0.0, 1.0)
        return split_color(image, painted, mask)


def without_backdrop(image: Pixels, mask: Mask) -> Pixels:
    """Fill the pixels of a photo `(H, W, 3)` outside `mask` with the mean color of those inside."""
    share = mask[:, :, None]
    mean = (image * share).sum(axis=(0, 1)) / max(float(mask.sum()), 1e-6)
    return np.asarray(share * image + (1 - share) * mean, dtype=np.float32)


def split_color(image: Pixels, painted: Pixels, mask: Mask) -> Painting:
    """Return the painting that turns the photo into the painted image, `(H, W, 3)` each.

    Color is the move of Lab statistics over `mask`, texture the rest. An empty mask has no colors to move: then all is
    texture.
    """
    if mask.sum() < 1:
        return Painting(painted - image, np.zeros_like(image))
    return decompose_painting(image, painted, mask, COLOR_GAIN)
