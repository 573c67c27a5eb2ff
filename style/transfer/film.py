"""The default engine: a small network whose features are scaled and shifted by numbers computed from z.

The picture is folded to a quarter of its size (pixel-unshuffle), passes residual blocks whose normalised features
are modulated by FiLM (Perez et al. 2018), and is enlarged by bilinear steps each followed by a convolution: no
transposed convolution or bare pixel-shuffle, which leave a grid. A colour head adds a quadratic polynomial of the
pixel's colour with coefficients from z. Conditioning is z alone: no style image is needed at request time, and a
blend of tastes is a blend of z's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from style.backbone import WEIGHTS, channels_last, read_weights
from style.images import Pixels
from style.transfer.base import Stylizer
from style.vector import DIMENSIONS, StyleVector

FILM_SHA256 = "9d8692fb8f0545a314cc5854d4a15ffbd0d906893012592df32633173c5ee7a7"
FOLD = 4
"""Sides are padded to multiples of this."""


@dataclass(frozen=True, slots=True)
class FilmShape:
    """Channels of the body, residual blocks, channels of the last stage, width of the conditioning MLP."""

    width: int = 48
    blocks: int = 4
    fine: int = 16
    hidden: int = 192


class FilmNet(nn.Module):
    """`(B, 3, H, W)` in [0, 1] and z `(B, 128)` to the painting `(B, 3, H, W)`; H and W multiples of 4.

    Before training it is the identity: the output layers start at zero.
    """

    def __init__(self, shape: FilmShape | None = None) -> None:
        super().__init__()
        shape = shape or FilmShape()
        half = shape.width // 2
        self.enter = nn.Conv2d(3 * FOLD * FOLD, shape.width, 3, padding=1, padding_mode="reflect")
        self.blocks = nn.ModuleList(FilmBlock(shape.width) for _ in range(shape.blocks))
        self.widen = nn.Conv2d(shape.width, half, 3, padding=1, padding_mode="reflect")
        self.refine = nn.Conv2d(half, shape.fine, 3, padding=1, padding_mode="reflect")
        self.leave = nn.Conv2d(shape.fine + 3, 3, 3, padding=1, padding_mode="reflect")
        self.sizes = [*(2 * shape.width,) * (2 * shape.blocks), 2 * half, COLOUR_TERMS * 3]
        self.condition = nn.Sequential(
            nn.Linear(DIMENSIONS, shape.hidden), nn.SiLU(), nn.Linear(shape.hidden, sum(self.sizes))
        )
        nn.init.zeros_(self.leave.weight)
        _zero_bias(self.leave)
        last = self.condition[2]
        assert isinstance(last, nn.Linear)  # noqa: S101
        with torch.no_grad():
            last.weight.mul_(0.1)
            last.weight[-COLOUR_TERMS * 3 :] = 0
            last.bias.zero_()

    def forward(self, images: Tensor, z: Tensor) -> Tensor:
        *films, widened, colour = self.condition(z).split(self.sizes, dim=1)
        x = F.relu(self.enter(F.pixel_unshuffle(images, FOLD) - 0.5))
        for index, block in enumerate(self.blocks):
            x = block(x, films[2 * index], films[2 * index + 1])
        x = F.relu(film(self.widen(_doubled(x)), widened))
        x = F.relu(self.refine(_doubled(x)))
        residual = self.leave(torch.cat([x, images - 0.5], dim=1))
        painting: Tensor = images + residual + recolour(images, colour)
        return painting


class FilmBlock(nn.Module):
    """A residual block: two convolutions, each instance-normalised and modulated."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1, padding_mode="reflect")
        self.second = nn.Conv2d(width, width, 3, padding=1, padding_mode="reflect")

    def forward(self, x: Tensor, first: Tensor, second: Tensor) -> Tensor:
        y = F.relu(film(self.first(x), first))
        return x + film(self.second(y), second)


def film(features: Tensor, modulation: Tensor) -> Tensor:
    """`(1 + gamma) * normalised features + beta`, with gamma and beta the halves of `modulation` `(B, 2C)`."""
    gamma, beta = modulation[:, :, None, None].chunk(2, dim=1)
    return (1 + gamma) * F.instance_norm(features) + beta


COLOUR_TERMS = 10


def recolour(images: Tensor, coefficients: Tensor) -> Tensor:
    """The change of colour: a quadratic polynomial of (r, g, b) with coefficients `(B, 30)`, pixel by pixel."""
    r, g, b = (images - 0.5).unbind(dim=1)
    terms = torch.stack([torch.ones_like(r), r, g, b, r * r, g * g, b * b, r * g, g * b, b * r], dim=1)
    matrix = coefficients.view(-1, 3, COLOUR_TERMS)
    return torch.einsum("bkhw,bck->bchw", terms, matrix)


class FilmStylizer(Stylizer):
    """The engine `film`: one forward pass of `FilmNet`."""

    name: ClassVar[str] = "film"

    def __init__(self, network: FilmNet, version: str) -> None:
        self.network = network.eval().requires_grad_(False)
        channels_last(network)
        self.version = version

    @classmethod
    def load(cls) -> FilmStylizer:
        """The engine with the weights that ship. Raises WeightsError where they are missing or changed."""
        network = FilmNet()
        network.load_state_dict(read_weights(Path(str(WEIGHTS / "film.safetensors")), FILM_SHA256))
        return cls(network, f"film-{FILM_SHA256[:8]}")

    @torch.inference_mode()
    def paint(self, images: Sequence[Pixels], style: StyleVector) -> list[Pixels]:
        z = torch.from_numpy(style.values)[None]
        return [self._paint_one(image, z) for image in images]

    def _paint_one(self, image: Pixels, z: Tensor) -> Pixels:
        height, width = image.shape[:2]
        batch = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None]
        padded = F.pad(batch, (0, -width % FOLD, 0, -height % FOLD), mode="replicate")
        painted = self.network(padded, z)[0, :, :height, :width]
        pixels: Pixels = painted.permute(1, 2, 0).contiguous().numpy()
        return pixels


def _doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def _zero_bias(layer: nn.Conv2d) -> None:
    assert layer.bias is not None  # noqa: S101
    nn.init.zeros_(layer.bias)
