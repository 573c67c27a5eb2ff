"""Engine `feedforward`: one small network for one style, after Johnson et al. (2016).

The architecture is the paper's at half its width or less: a wide convolution, two halvings, residual blocks, two
enlargements, a wide convolution. It uses instance normalization (Ulyanov et al. 2016). It enlarges by nearest-neighbor
upsampling before a convolution, which leaves no grid (Odena et al. 2016).

Two departures. The photo's colors are first moved to the mean and spread of the style's colors, which is exact and
needs no training. The network paints a difference to that image, so a few hundred thousand parameters need not learn to
copy photos. Both parts are small if the photo is already in the style.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from style.credit import StyleCredit
from style.images import Pixels
from style.mask import Mask
from style.runtime import compile_network
from style.transfer.base import Follows, Painting, Stylizer
from style.transfer.film import color_moments, move_colors
from style.transfer.padding import network_input, network_output
from style.vector import StyleVector

FOLD = 4
"""The blocks work at this fraction of the image size; sides are padded to multiples of it."""


@dataclass(frozen=True, slots=True)
class FeedforwardShape:
    """Channels at full size, doubled by each of two halvings; residual blocks; side of the outer convolutions."""

    width: int = 16
    blocks: int = 4
    reach: int = 9


class FeedforwardNet(nn.Module):
    """Network from photos `(B, 3, H, W)` in [0, 1] to texture and color, `(B, 3, H, W)` each.

    Weights `(B, 1, H, W)` mark the pixels of the product, whose colors count. H and W are multiples of 4. The painting
    is the photo plus both. Before training texture is zero: the last layer starts at zero.
    """

    palette: Tensor
    """Mean and logarithm of the deviation of the style's colors along the opponent axes, `(6,)`."""

    def __init__(self, shape: FeedforwardShape | None = None) -> None:
        super().__init__()
        shape = shape or FeedforwardShape()
        widths = [shape.width, 2 * shape.width, 4 * shape.width]
        self.register_buffer("palette", torch.zeros(6))
        self.enter = Normalized(3, widths[0], shape.reach)
        self.down = nn.ModuleList(Normalized(widths[i], widths[i + 1], 3, stride=2) for i in (0, 1))
        self.blocks = nn.ModuleList(ResidualBlock(widths[2]) for _ in range(shape.blocks))
        self.up = nn.ModuleList(Normalized(widths[i + 1], widths[i], 3) for i in (1, 0))
        self.leave = _conv(widths[0], 3, shape.reach)
        for parameter in self.leave.parameters():
            nn.init.zeros_(parameter)

    def forward(self, images: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Compute texture and color."""
        centered = images - 0.5
        color = move_colors(centered, color_moments(images, weights), self.palette[None])
        x = F.relu(self.enter(centered + color))
        for layer in self.down:
            x = F.relu(layer(x))
        for block in self.blocks:
            x = block(x)
        for layer in self.up:
            x = F.relu(layer(F.interpolate(x, scale_factor=2.0, mode="nearest")))
        return torch.tanh(self.leave(x)), color


class Normalized(nn.Module):
    """Convolution over reflected borders, then instance normalization with a learned scale and shift."""

    def __init__(self, entering: int, leaving: int, side: int, stride: int = 1) -> None:
        super().__init__()
        self.convolution = _conv(entering, leaving, side, stride)
        self.norm = nn.InstanceNorm2d(leaving, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve and normalize."""
        normalized: Tensor = self.norm(self.convolution(x))
        return normalized


class ResidualBlock(nn.Module):
    """Two normalized convolutions added to the input, without a final ReLU (Gross and Wilber 2016)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = Normalized(width, width, 3)
        self.second = Normalized(width, width, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Add the change to the input."""
        changed: Tensor = self.second(F.relu(self.first(x)))
        return x + changed


class FeedforwardStylizer(Stylizer):
    """Engine of one pass of `FeedforwardNet`; it paints the network's own style for any z."""

    name: ClassVar[str] = "feedforward"
    follows = Follows.OWN

    def __init__(
        self,
        network: nn.Module,
        version: str,
        sha256: str = "",
        threads: int | None = None,
        credit: StyleCredit | None = None,
    ) -> None:
        """Compile the network.

        Args:
            network: Trained `FeedforwardNet`.
            version: Version of the engine.
            sha256: Hash of the weights.
            threads: See `style.runtime.compile_network`.
            credit: Credit for the network's style.
        """
        network.eval().requires_grad_(False)
        example = (torch.rand(1, 3, 32, 32), torch.rand(1, 1, 32, 32))
        self.network = compile_network(network, example, threads=threads)
        self.model_sha256 = sha256
        self.version = version
        self.credit = credit

    def paint(
        self,
        images: Sequence[Pixels],
        style: StyleVector,  # noqa: ARG002  its own style is in the net
        masks: Sequence[Mask] | None = None,
    ) -> list[Painting]:
        """Compute the change of each image; see `Stylizer.paint`."""
        return [self._paint_one(image, None if masks is None else masks[i]) for i, image in enumerate(images)]

    def _paint_one(self, image: Pixels, mask: Mask | None) -> Painting:
        texture, color = self.network(*network_input(image, mask, FOLD))
        height, width = image.shape[:2]
        return Painting(network_output(texture, height, width), network_output(color, height, width))


def _conv(entering: int, leaving: int, side: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(entering, leaving, side, stride=stride, padding=side // 2, padding_mode="reflect")
