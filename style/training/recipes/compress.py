"""Compress `film`: prune its channels, then train the small network to paint like the whole one (Hinton et al. 2015).

One step paints a batch of crops by both networks with the same style vectors. Losses are the mean absolute difference
of texture and of color, and SSIM of luma between the two paintings. Unlike in the paper no labels are mixed in: the
whole network is the only reference. So no loss network and no style statistics are needed, and a step takes a tenth of
the time of a training step of `film`. Half of the samples weight colors inside a random box only, as the product's
mask does in the service.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim.swa_utils import get_ema_multi_avg_fn

from style.backbone import channels_last
from style.embedding import StyleEmbedder
from style.training.crops import Crops
from style.training.loop import LoopOptions, learn
from style.training.recipes.film import luma, similarity
from style.training.recipes.prune import prune_film
from style.training.run import AveragedTraining
from style.transfer.film import FilmNet, FilmShape


@dataclass(frozen=True, slots=True)
class CompressSettings:
    """Settings of the recipe.

    Attributes:
        steps: Steps of Adam.
        batch: Crops in a step.
        side: Side of a crop, in pixels.
        learning_rate: Peak of the learning rate.
        average: Share of the running average of weights that a step keeps.
        similarity: Weight of SSIM.
        seed: Seed of all random numbers.
        save_every: Steps between two checkpoints.
    """

    steps: int = 6_000
    batch: int = 8
    side: int = 128
    learning_rate: float = 2e-3
    average: float = 0.995
    similarity: float = 0.2
    seed: int = 0
    save_every: int = 200


def compress(
    teacher: FilmNet, shape: FilmShape, contents: Sequence[Path], z: Tensor, out: Path, settings: CompressSettings
) -> FilmNet:
    """Train a network of `shape` to paint like `teacher`, or continue a stopped run.

    Args:
        teacher: Whole network.
        shape: Shape of the small network.
        contents: Product photos.
        z: Style vectors `(N, 128)` whose blends it is trained on.
        out: Folder that receives `checkpoint.safetensors`, `log.jsonl` and `film.safetensors`.
        settings: Settings of the recipe.

    Returns:
        Small network with averaged weights, frozen.

    Raises:
        ShapeError: `shape` is not smaller than the teacher's.
    """
    torch.manual_seed(settings.seed)
    crops = Crops(contents, side=settings.side, keep=192, seed=settings.seed)
    training = CompressTraining(teacher, prune_film(teacher, shape), crops, z, settings)
    options = LoopOptions(settings.steps, settings.save_every, weights_file="film.safetensors")
    learn(training, options, out, title="compress")
    return training.load_average().eval().requires_grad_(requires_grad=False)


class CompressTraining(AveragedTraining[FilmNet]):
    """Run of a small network beside the whole one."""

    def __init__(self, teacher: FilmNet, network: FilmNet, crops: Crops, z: Tensor, settings: CompressSettings) -> None:
        self.teacher = teacher.eval().requires_grad_(requires_grad=False)
        channels_last(self.teacher)
        self.crops, self.z, self.settings = crops, z, settings
        average = get_ema_multi_avg_fn(settings.average)  # type: ignore[no-untyped-call]
        super().__init__(network, average, settings.learning_rate)

    def step(self, step: int) -> dict[str, Tensor]:
        """Update weights once, with crops, styles and boxes drawn by the step's number."""
        random = np.random.default_rng((self.settings.seed, 11, step))
        images = self.crops.batch(step, self.settings.batch).to(memory_format=torch.channels_last)
        # The order of the draws is part of the recipe.
        # Style vectors (B, 128): every second one a single style, the others blends of up to three.
        batch = self.settings.batch
        shares = random.dirichlet(np.full(3, 1.0), size=batch)
        shares[::2] = (1.0, 0.0, 0.0)
        styles = self.z[torch.from_numpy(random.integers(len(self.z), size=(batch, 3)))]  # (B, 3, 128)
        styles = F.normalize(torch.einsum("bk,bkd->bd", torch.from_numpy(shares).float(), styles), dim=1)
        # Weights (B, 1, H, W): 1 everywhere in the first half of the batch, in a random box in the second.
        batch, _, height, width = images.shape
        weights = torch.ones(batch, 1, height, width)
        for row in range(batch // 2, batch):
            top, left = random.integers(height // 2), random.integers(width // 2)
            inside = torch.zeros(height, width)
            inside[top : top + height // 2, left : left + width // 2] = 1
            weights[row, 0] = inside
        losses = distillation_losses(self.network, self.teacher, (images, styles, weights), self.settings.similarity)
        self.descend(losses)
        return losses


def distillation_losses(
    network: FilmNet, teacher: FilmNet, batch: tuple[Tensor, Tensor, Tensor], weight: float
) -> dict[str, Tensor]:
    """Compute the differences between network and teacher.

    Args:
        network: Small network.
        teacher: Whole network.
        batch: Images `(B, 3, H, W)`, style vectors `(B, 128)` and pixel weights `(B, 1, H, W)`.
        weight: Weight of SSIM.
    """
    images = batch[0]
    with torch.no_grad():
        target_texture, target_color = teacher(*batch)
    texture, color = network(*batch)
    target, painted = luma(images + target_texture + target_color), luma(images + texture + color)
    return {
        "texture": (texture - target_texture).abs().mean(),
        "color": (color - target_color).abs().mean(),
        "similarity": weight * (1 - similarity(target, painted)).mean(),
    }


def read_z(paths: Sequence[Path], embedder: StyleEmbedder) -> Tensor:
    """Return the style vectors of images, `(N, 128)`."""
    return torch.from_numpy(embedder.embed_files(paths))
