"""What a stylizer is asked to reach: z, feature statistics and colors of style pictures, and blends of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from style.backbone import Vgg
from style.embedding import StyleEmbedder
from style.gram import gram, mean_std
from style.images import open_image, to_pixels
from style.mask import product_mask
from style.transfer.film import color_moments

TAPS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")


@dataclass(frozen=True, slots=True)
class Statistics:
    """Per tap: channel means and deviations `(B, 2C)`, and Gram matrices `(B, C, C)`."""

    moments: dict[str, Tensor]
    gram: dict[str, Tensor]

    def mix(self, weights: Tensor) -> Statistics:
        """Rows mixed by `weights` `(B', B)`."""
        return Statistics(
            {tap: weights @ value for tap, value in self.moments.items()},
            {tap: torch.einsum("ab,bij->aij", weights, value) for tap, value in self.gram.items()},
        )

    def toward(self, other: Statistics, strength: Tensor) -> Statistics:
        """The point that lies `strength` `(B,)` of the way to `other`."""
        return Statistics(
            {tap: torch.lerp(value, other.moments[tap], strength[:, None]) for tap, value in self.moments.items()},
            {tap: torch.lerp(value, other.gram[tap], strength[:, None, None]) for tap, value in self.gram.items()},
        )

    def rows(self, chosen: Tensor) -> Statistics:
        """The rows `chosen` `(B',)`."""
        return Statistics(
            {tap: value[chosen] for tap, value in self.moments.items()},
            {tap: value[chosen] for tap, value in self.gram.items()},
        )

    @staticmethod
    def joined(parts: Sequence[Statistics]) -> Statistics:
        """All rows of all parts."""
        return Statistics(
            {tap: torch.cat([part.moments[tap] for part in parts]) for tap in parts[0].moments},
            {tap: torch.cat([part.gram[tap] for part in parts]) for tap in parts[0].gram},
        )


class FeatureStatistics:
    """Statistics of images, seen through a loss network."""

    def __init__(self, network: Vgg) -> None:
        self.network = network

    def __call__(self, images: Tensor, weights: Tensor | None = None) -> tuple[Statistics, Tensor]:
        """Statistics at TAPS, over `weights` `(B, 1, H, W)`, and the features of the last one `(B, C, H, W)`."""
        moments: dict[str, Tensor] = {}
        grams: dict[str, Tensor] = {}
        maps = self.network.prepare(images)
        for tap in TAPS:
            maps = self.network.block(tap, maps)
            moments[tap] = torch.cat(mean_std(maps, weights), dim=1)
            grams[tap] = gram(maps, weights)
            weights = None if weights is None else F.avg_pool2d(weights, 2)
        return Statistics(moments, grams), maps


class Palettes:
    """Colors as quantiles along directions of RGB space: their L1 distance is a sliced Wasserstein distance.

    Quantiles, unlike histograms, can be averaged: the mean of two palettes is the palette half-way.
    """

    DIRECTIONS = F.normalize(torch.randn(12, 3, generator=torch.Generator().manual_seed(0)), dim=1)
    QUANTILES = 32

    @classmethod
    def of(cls, images: Tensor) -> Tensor:
        """`(B, 12, 32)` from images `(B, 3, H, W)` with at least 32 pixels; every fourth pixel counts."""
        colors = images[:, :, ::2, ::2].flatten(2)  # (B, 3, N)
        return cls.of_colors(colors)

    @classmethod
    def of_colors(cls, colors: Tensor) -> Tensor:
        """`(B, 12, 32)` from colors `(B, 3, N)`."""
        along = (cls.DIRECTIONS.to(colors) @ colors).sort(dim=2).values
        quantiles: Tensor = F.interpolate(along, size=cls.QUANTILES, mode="area")
        return quantiles


@dataclass(frozen=True, slots=True)
class Styles:
    """N styles: z `(N, 128)`, feature statistics, palettes `(N, 12, 32)` and color moments `(N, 9)`."""

    z: Tensor
    statistics: Statistics
    palettes: Tensor
    moments: Tensor

    def draw(self, random: np.random.Generator, batch: int, blend_share: float) -> Styles:
        """`batch` styles, a share of them blends of two or three."""
        weights = torch.zeros(batch, 3)
        chosen = torch.from_numpy(random.integers(len(self.z), size=(batch, 3)))
        for row in range(batch):
            parts = random.integers(2, 4) if random.random() < blend_share else 1
            weights[row, :parts] = torch.from_numpy(random.dirichlet(np.full(parts, 2.0))).float()
        flat = chosen.flatten().to(self.z.device)
        mixing = torch.zeros(batch, flat.numel())
        mixing[torch.arange(batch).repeat_interleave(3), torch.arange(flat.numel())] = weights.flatten()
        mixing = mixing.to(self.z.device)
        return Styles(
            F.normalize(mixing @ self.z[flat], dim=1),
            self.statistics.rows(flat).mix(mixing),
            torch.einsum("ab,bij->aij", mixing, self.palettes[flat]),
            mixing @ self.moments[flat],
        )


@torch.no_grad()
def read_styles(
    paths: Sequence[Path],
    embedder: StyleEmbedder,
    describe: FeatureStatistics,
    device: torch.device,
    *,
    side: int = 224,
    views: int = 2,
    seed: int = 0,
) -> Styles:
    """What each style picture asks for; of each, `views` squares: the middle, then random parts of it.

    A square's backdrop does not count, as it does not where products are embedded.
    """
    vectors: list[Tensor] = []
    statistics: list[Statistics] = []
    palettes: list[Tensor] = []
    moments: list[Tensor] = []
    for row, path in enumerate(tqdm(paths, desc="styles", unit="image", disable=None)):
        picture = to_pixels(open_image(path, short_side=round(side * 1.4)))
        random = np.random.default_rng((seed, row))
        for view in range(views):
            pixels = np.ascontiguousarray(_square(picture, random, side, whole=view == 0))
            mask = product_mask(pixels)
            image, weights = torch.from_numpy(pixels).permute(2, 0, 1)[None], torch.from_numpy(mask)[None, None]
            vectors.append(torch.from_numpy(embedder.embed(pixels, mask).values))
            statistics.append(describe(image.to(device), weights.to(device))[0])
            palettes.append(Palettes.of_colors(image[:, :, weights[0, 0] > 0.5]))
            moments.append(color_moments(image, weights))
    joined = Statistics.joined(statistics)
    return Styles(
        torch.stack(vectors).to(device), joined, torch.cat(palettes).to(device), torch.cat(moments).to(device)
    )


def _square(picture: np.ndarray, random: np.random.Generator, side: int, *, whole: bool) -> np.ndarray:
    height, width = picture.shape[:2]
    reach = min(height, width) if whole else round(min(height, width) * random.uniform(0.55, 0.9))
    top, left = (height - reach) // 2, (width - reach) // 2
    if not whole:
        top, left = random.integers(height - reach + 1), random.integers(width - reach + 1)
    crop = torch.from_numpy(picture[top : top + reach, left : left + reach]).permute(2, 0, 1)[None]
    shrunk = F.interpolate(crop, size=(side, side), mode="bilinear", antialias=True, align_corners=False)
    return shrunk[0].permute(1, 2, 0).clamp(0, 1).numpy()
