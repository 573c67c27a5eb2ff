"""Engine `film`, the default: a small network whose features are scaled and shifted by numbers computed from z.

The image is folded to a quarter of its size (pixel-unshuffle) and passes residual blocks. Their normalized features are
modulated by FiLM (Perez et al. 2018). The result is enlarged twice: bilinearly, then by a pixel-shuffle whose grid a
binomial filter removes. That gives texture.

A color head first moves the photo's colors to the mean and spread that a linear map computes from z (Reinhard et al.
2001, whose target is a style image). It then corrects them by a mixture of learned functions of color; a 3-D lookup
table would be such a function, sampled. Both parts depend on z and on the photo's own color moments, and on no style
image: a blend of tastes is a blend of z's.

The cost of a full-size map is its bytes, not its arithmetic. The last convolution therefore works at half size, and the
color head uses matrix products.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from style.backbone import WEIGHTS, read_weights
from style.gram import gram, mean_std
from style.images import Pixels
from style.mask import Mask
from style.runtime import RunnableNetwork, compile_network
from style.transfer.base import Painting, Stylizer
from style.transfer.network_spec import NetworkInput, NetworkSpec
from style.transfer.padding import network_input, network_output
from style.vector import DIMENSIONS, StyleVector

FILM_SHA256 = "0ee1eee0d9abbe69506da00f9b24d7acb3308e36ca488278e2fe8a38e84ead33"
FOLD = 4
"""The body works at this fraction of the image size; sides are padded to multiples of it."""
HALF = 2


@dataclass(frozen=True, slots=True)
class FilmShape:
    """Channels of the body, residual blocks, channels after the body, functions of color, width of the MLP."""

    width: int = 48
    blocks: int = 4
    fine: int = 24
    colors: int = 16
    hidden: int = 256


class FilmNet(nn.Module):
    """Network from photos `(B, 3, H, W)` in [0, 1], z `(B, 128)` and weights to texture and color, `(B, 3, H, W)` each.

    Weights `(B, 1, H, W)` mark the pixels of the product, whose colors count. H and W are multiples of 4. The painting
    is the photo plus both. Before training texture is zero: the output layer starts at zero.
    """

    def __init__(self, shape: FilmShape | None = None) -> None:
        super().__init__()
        shape = shape or FilmShape()
        self.enter = _conv(3 * FOLD * FOLD, shape.width)
        self.blocks = nn.ModuleList(FilmBlock(shape.width) for _ in range(shape.blocks))
        self.widen = _conv(shape.width, shape.fine)
        self.leave = _conv(shape.fine + 3 * HALF * HALF, 3 * HALF * HALF)
        self.palette = nn.Linear(DIMENSIONS, 6)
        self.recolor = ColorHead(shape.colors)
        self.sizes = [*(2 * shape.width,) * (2 * shape.blocks), 2 * shape.fine, self.recolor.coefficients]
        self.condition = nn.Sequential(
            nn.Linear(DIMENSIONS + MOMENTS, shape.hidden),
            nn.SiLU(),
            nn.Linear(shape.hidden, shape.hidden),
            nn.SiLU(),
            nn.Linear(shape.hidden, sum(self.sizes)),
        )
        for parameter in self.leave.parameters():
            nn.init.zeros_(parameter)
        last = self.condition[-1]
        assert isinstance(last, nn.Linear)  # noqa: S101
        with torch.no_grad():
            last.weight.mul_(0.1)
            last.weight[-self.recolor.coefficients :] = 0
            last.bias.zero_()

    def forward(self, images: Tensor, z: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Compute texture and color."""
        moments = color_moments(images, weights)
        # z has unit length: times sqrt(128) its numbers have mean square 1, as layers expect.
        z = z * DIMENSIONS**0.5
        conditions = self.condition(torch.cat([z, moments], dim=1))
        *films, widened, colors = torch.split(conditions, self.sizes, dim=1)
        centered = images - 0.5
        x = F.relu(self.enter(F.pixel_unshuffle(centered, FOLD)))  # (B, width, H/4, W/4)
        for index, block in enumerate(self.blocks):
            x = block(x, films[2 * index], films[2 * index + 1])
        x = F.relu(film(self.widen(x), widened))
        x = F.interpolate(x, scale_factor=FOLD // HALF, mode="bilinear", align_corners=False)  # (B, fine, H/2, W/2)
        x = self.leave(torch.cat([x, F.pixel_unshuffle(centered, HALF)], dim=1))
        moved = move_colors(centered, moments, self.palette(z))
        return smooth(F.pixel_shuffle(x, HALF)), moved + self.recolor(centered, colors)


class FilmBlock(nn.Module):
    """Residual block: two convolutions, each instance-normalized and modulated."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = _conv(width, width)
        self.second = _conv(width, width)

    def forward(self, x: Tensor, first: Tensor, second: Tensor) -> Tensor:
        """Add the modulated change to `x`; `first` and `second` are modulations `(B, 2C)`."""
        y = F.relu(film(self.first(x), first))
        return x + film(self.second(y), second)


def film(features: Tensor, modulation: Tensor) -> Tensor:
    """Return `(1 + gamma) * normalized features + beta`, with gamma and beta the halves of `modulation` `(B, 2C)`."""
    gamma, beta = modulation[:, :, None, None].chunk(2, dim=1)
    return (1 + gamma) * F.instance_norm(features) + beta


def smooth(images: Tensor) -> Tensor:
    """Filter each channel by (1 2 1) / 4 both ways, which removes a period of two pixels: the grid of a shuffle."""
    kernel = torch.tensor([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]) / 16
    weight = kernel.expand(3, 1, 3, 3).to(images)
    return F.conv2d(F.pad(images, (1, 1, 1, 1), mode="reflect"), weight, groups=3)


class ColorHead(nn.Module):
    """Color change pixel by pixel: a mixture of learned functions of (r, g, b), of r, g, b and of 1.

    The functions are the same for all styles; `coefficients` numbers from z mix them.
    """

    def __init__(self, functions: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(functions, 3))
        self.bias = nn.Parameter(torch.randn(functions, 1) * 0.5)
        self.sizes = [3 * functions, 9, 3]
        self.coefficients = sum(self.sizes)

    def forward(self, centered: Tensor, coefficients: Tensor) -> Tensor:
        """Return the change of colors, `(B, 3, H, W)`."""
        # A tenth: colors are the output itself, and the step size of earlier layers would be too coarse for them.
        mixture, matrix, constant = torch.split(0.1 * coefficients, self.sizes, dim=1)
        colors = centered.flatten(2)  # (B, 3, H*W)
        functions = F.relu(self.weight @ colors + self.bias)  # (B, functions, H*W)
        changed: Tensor = mixture.view(-1, 3, len(self.weight)) @ functions + matrix.view(-1, 3, 3) @ colors
        return (changed + constant[:, :, None]).view_as(centered)


MOMENTS = 9
OPPONENT = (
    torch.tensor([[1.0, 1.0, 1.0], [1.0, -1.0, 0.0], [1.0, 1.0, -2.0]]) / torch.tensor([[3.0], [2.0], [6.0]]).sqrt()
)
"""Orthonormal color axes along which colors of photos are nearly uncorrelated (Ruderman et al. 1998)."""
FROM_OPPONENT = OPPONENT.T.contiguous()


def color_moments(images: Tensor, weights: Tensor | None = None) -> Tensor:
    """Compute means, deviations and correlations along the opponent axes over `weights` `(B, 1, H, W)`: `(B, 9)`.

    Means are of colors minus mid-gray; means and deviations are times four, to have a size of about one.
    """
    # With channels last, a matrix product may add all pixels one by one, which rounds a hundred times more.
    centered = (images - 0.5).contiguous()
    mean, std = mean_std(centered, weights, eps=0.0)
    covariance = gram(centered, weights) - mean[:, :, None] * mean[:, None, :]  # (B, 3, 3), of r, g, b
    axes = OPPONENT.to(images)
    covariance = axes @ covariance @ FROM_OPPONENT.to(images)
    std = (torch.stack([covariance[:, i, i] for i in range(3)], dim=1).clamp_min(0) + 1e-4).sqrt()
    pairs = [covariance[:, i, j] / (std[:, i] * std[:, j]) for i, j in ((0, 1), (0, 2), (1, 2))]
    return torch.cat([4 * mean @ FROM_OPPONENT.to(images), 4 * std, torch.stack(pairs, dim=1)], dim=1)


def move_colors(centered: Tensor, moments: Tensor, palette: Tensor) -> Tensor:
    """Compute the change that moves colors from the photo's `moments` to `palette` `(B, 6)`.

    Args:
        centered: Photos minus mid-gray, `(B, 3, H, W)`.
        moments: Result of `color_moments` for these photos.
        palette: Means and logarithms of deviations along the opponent axes.
    """
    mean, std = moments[:, :3] / 4, moments[:, 3:6] / 4
    target, spread = palette[:, :3], palette[:, 3:]
    # A flat photo has no spread to scale: beyond fourfold its noise would dominate.
    gain = (spread.exp() / std).clamp(0.1, 4.0)
    axes, back = OPPONENT.to(centered), FROM_OPPONENT.to(centered)
    colors = centered.flatten(2)  # (B, 3, H*W)
    along = gain[:, :, None] * (axes @ colors) + (target - gain * mean)[:, :, None]  # (B, 3, H*W)
    return (back @ along - colors).view_as(centered)


class FilmStylizer(Stylizer):
    """Engine `film`: one forward pass of `FilmNet`."""

    name: ClassVar[str] = "film"
    model_sha256 = FILM_SHA256

    def __init__(
        self, network: FilmNet, version: str, threads: int | None = None, runnable: RunnableNetwork | None = None
    ) -> None:
        """Compile the network.

        Args:
            network: Trained `FilmNet`.
            version: Version of the engine.
            threads: See `style.runtime.compile_network`.
            runnable: Runs instead of the compiled network, if given.
        """
        self.module = network.eval().requires_grad_(False)
        self.network = runnable or compile_network(network, self.network_spec().example, threads=threads)
        self.version = version

    @classmethod
    def load(cls, threads: int | None = None) -> FilmStylizer:
        """Load the engine with the packaged weights. Raises WeightsError if they are missing or changed."""
        network = FilmNet()
        network.load_state_dict(read_weights(Path(str(WEIGHTS / "film.safetensors")), FILM_SHA256))
        return cls(network, f"film-{FILM_SHA256[:8]}", threads)

    def network_spec(self) -> NetworkSpec:
        """Describe the network for export (`style.export`)."""
        side = 8 * FOLD
        inputs = (
            NetworkInput("images", torch.rand(1, 3, side, side), 0, 1, "the photo, sRGB"),
            NetworkInput("z", torch.zeros(1, DIMENSIONS), -1, 1, "the style vector, of length one"),
            NetworkInput("weights", torch.rand(1, 1, side, side), 0, 1, "1 for pixels of the product, else 0"),
        )
        return NetworkSpec(self.module, inputs, ("texture", "color"), FOLD, "MIT")

    def paint(
        self, images: Sequence[Pixels], style: StyleVector, masks: Sequence[Mask] | None = None
    ) -> list[Painting]:
        """Compute the change of each image; see `Stylizer.paint`."""
        z = torch.from_numpy(style.values)[None]
        return [self._paint_one(image, z, None if masks is None else masks[i]) for i, image in enumerate(images)]

    def _paint_one(self, image: Pixels, z: Tensor, mask: Mask | None) -> Painting:
        photo, weights = network_input(image, mask, FOLD)
        texture, color = self.network(photo, z, weights)
        height, width = image.shape[:2]
        return Painting(network_output(texture, height, width), network_output(color, height, width))


def _conv(entering: int, leaving: int) -> nn.Conv2d:
    return nn.Conv2d(entering, leaving, 3, padding=1, padding_mode="reflect")
