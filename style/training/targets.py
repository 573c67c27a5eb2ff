"""Targets of training: style vectors, feature statistics and colors of style references, and blends of them."""

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
    """Statistics of B images per tap: channel means and deviations `(B, 2C)`, and Gram matrices `(B, C, C)`."""

    moments: dict[str, Tensor]
    gram: dict[str, Tensor]

    def mix(self, weights: Tensor) -> Statistics:
        """Return rows mixed by `weights` `(B', B)`."""
        return Statistics(
            {tap: weights @ value for tap, value in self.moments.items()},
            {tap: torch.einsum("ab,bij->aij", weights, value) for tap, value in self.gram.items()},
        )

    def interpolate(self, other: Statistics, strength: Tensor) -> Statistics:
        """Return the point that lies `strength` `(B,)` of the way to `other`."""
        return Statistics(
            {tap: torch.lerp(value, other.moments[tap], strength[:, None]) for tap, value in self.moments.items()},
            {tap: torch.lerp(value, other.gram[tap], strength[:, None, None]) for tap, value in self.gram.items()},
        )

    def select(self, rows: Tensor) -> Statistics:
        """Return the rows with numbers `rows` `(B',)`."""
        return Statistics(
            {tap: value[rows] for tap, value in self.moments.items()},
            {tap: value[rows] for tap, value in self.gram.items()},
        )


class FeatureStatistics:
    """Statistics of images through a loss network."""

    def __init__(self, network: Vgg) -> None:
        self.network = network

    def __call__(self, images: Tensor, weights: Tensor | None = None) -> tuple[Statistics, Tensor]:
        """Compute statistics at TAPS.

        Args:
            images: Images `(B, 3, H, W)` in [0, 1].
            weights: Pixel weights `(B, 1, H, W)`; None: all 1.

        Returns:
            Statistics, and the features of the last tap `(B, C, H, W)`.
        """
        moments: dict[str, Tensor] = {}
        grams: dict[str, Tensor] = {}
        maps = self.network.prepare(images)
        for tap in TAPS:
            maps = self.network.block(tap, maps)
            moments[tap] = torch.cat(mean_std(maps, weights), dim=1)
            grams[tap] = gram(maps, weights)
            # The network halves its maps between two taps, so the weights are halved too.
            weights = None if weights is None else F.avg_pool2d(weights, 2)
        return Statistics(moments, grams), maps


class Palettes:
    """Colors as quantiles along directions of RGB space: their L1 distance is a sliced Wasserstein distance.

    Quantiles, unlike histograms, can be averaged: the mean of two palettes is the palette half-way.
    """

    DIRECTIONS = F.normalize(torch.randn(12, 3, generator=torch.Generator().manual_seed(0)), dim=1)
    QUANTILES = 32

    @classmethod
    def from_images(cls, images: Tensor) -> Tensor:
        """Return palettes `(B, 12, 32)` of images `(B, 3, H, W)` with at least 32 pixels; every fourth pixel counts."""
        return cls.from_colors(images[:, :, ::2, ::2].flatten(2))

    @classmethod
    def from_colors(cls, colors: Tensor) -> Tensor:
        """Return palettes `(B, 12, 32)` of colors `(B, 3, N)`."""
        along = (cls.DIRECTIONS.to(colors) @ colors).sort(dim=2).values  # (B, 12, N)
        quantiles: Tensor = F.interpolate(along, size=cls.QUANTILES, mode="area")
        return quantiles


@dataclass(frozen=True, slots=True)
class Styles:
    """Targets of N styles.

    Attributes:
        z: Style vectors `(N, 128)`.
        statistics: Feature statistics of N rows.
        palettes: Palettes `(N, 12, 32)`.
        moments: Color moments `(N, 9)`.
    """

    z: Tensor
    statistics: Statistics
    palettes: Tensor
    moments: Tensor

    def draw(self, random: np.random.Generator, batch: int, blend_share: float) -> Styles:
        """Draw `batch` styles, a share of them blends of two or three."""
        weights = torch.zeros(batch, 3)
        rows = torch.from_numpy(random.integers(len(self.z), size=(batch, 3)))
        for row in range(batch):
            count = random.integers(2, 4) if random.random() < blend_share else 1
            weights[row, :count] = torch.from_numpy(random.dirichlet(np.full(count, 2.0))).float()
        flat = rows.flatten().to(self.z.device)
        # Row b of `mixing` (B, 3B) mixes the three styles that were drawn for sample b.
        mixing = torch.zeros(batch, flat.numel())
        mixing[torch.arange(batch).repeat_interleave(3), torch.arange(flat.numel())] = weights.flatten()
        mixing = mixing.to(self.z.device)
        return Styles(
            F.normalize(mixing @ self.z[flat], dim=1),
            self.statistics.select(flat).mix(mixing),
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
    """Compute the targets of style references.

    A square's backdrop does not count, as for products that are embedded.

    Args:
        paths: Style references.
        embedder: Embedder of style vectors.
        describe: Statistics through the loss network.
        device: Device of the results.
        side: Side of a square, in pixels.
        views: Squares of each reference: the middle, then random parts of it.
        seed: Seed of the random parts.
    """
    vectors: list[Tensor] = []
    statistics: list[Statistics] = []
    palettes: list[Tensor] = []
    moments: list[Tensor] = []
    for row, path in enumerate(tqdm(paths, desc="styles", unit="image", disable=None)):
        reference = to_pixels(open_image(path, short_side=round(side * 1.4)))
        random = np.random.default_rng((seed, row))
        for view in range(views):
            pixels = np.ascontiguousarray(_cut_square(reference, random, side, whole=view == 0))
            mask = product_mask(pixels)
            image, weights = torch.from_numpy(pixels).permute(2, 0, 1)[None], torch.from_numpy(mask)[None, None]
            vectors.append(torch.from_numpy(embedder.embed(pixels, mask).values))
            statistics.append(describe(image.to(device), weights.to(device))[0])
            palettes.append(Palettes.from_colors(image[:, :, weights[0, 0] > 0.5]))
            moments.append(color_moments(image, weights))
    first = statistics[0]
    return Styles(
        torch.stack(vectors).to(device),
        Statistics(
            {tap: torch.cat([each.moments[tap] for each in statistics]) for tap in first.moments},
            {tap: torch.cat([each.gram[tap] for each in statistics]) for tap in first.gram},
        ),
        torch.cat(palettes).to(device),
        torch.cat(moments).to(device),
    )


def _cut_square(pixels: np.ndarray, random: np.random.Generator, side: int, *, whole: bool) -> np.ndarray:
    """Return the largest square in the middle, or a random smaller one, as `(side, side, 3)`."""
    height, width = pixels.shape[:2]
    reach = min(height, width) if whole else round(min(height, width) * random.uniform(0.55, 0.9))
    top, left = (height - reach) // 2, (width - reach) // 2
    if not whole:
        top, left = random.integers(height - reach + 1), random.integers(width - reach + 1)
    crop = torch.from_numpy(pixels[top : top + reach, left : left + reach]).permute(2, 0, 1)[None]
    shrunk = F.interpolate(crop, size=(side, side), mode="bilinear", antialias=True, align_corners=False)
    return shrunk[0].permute(1, 2, 0).clamp(0, 1).numpy()
