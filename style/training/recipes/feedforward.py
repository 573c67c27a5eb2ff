"""Recipe `feedforward` for custom engines: one style, painted by one small network (Johnson et al. 2016).

One step paints a batch of product crops. Its losses and constraints are:
- Channel means, deviations and Gram matrices of a loss network's features become those of the style, which are averages
  over the style's references. Distances are relative to the style's size, as in `style.metrics`.
- Neighboring pixels differ little (total variation), and no pixel leaves [0, 1].
- The product stays recognizable: cosine of instance-normalized deep features, and SSIM of luma. As in `film`, both have
  floors instead of the paper's weight of content, which would need tuning for each style.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import torch
from torch import Tensor, nn

from style.backbone import channels_last
from style.embedding import StyleEmbedder
from style.training.crops import Crops
from style.training.optim import warming_average
from style.training.recipe import SHEET_ROWS, VALIDATION_BATCH, Material, RunSettings
from style.training.recipes.film import Floors, cosine, luma, relative_distance, similarity
from style.training.run import AveragedTraining
from style.training.targets import FeatureStatistics, Statistics, read_styles
from style.transfer.feedforward import FeedforwardNet, FeedforwardShape


@dataclass(frozen=True, slots=True)
class FeedforwardSettings:
    """Settings that only this recipe has.

    Attributes:
        gram: Weight of Gram matrices.
        variation: Weight of total variation.
        outside: Weight of pixel values outside [0, 1].
        content: Floor of deep cosine, on average.
        similarity: Floor of SSIM, on average.
        jitter: Largest change of colors, as a share.
        average: Share of the running average of weights that a step keeps.
    """

    gram: float = 0.5
    variation: float = 0.5
    outside: float = 5.0
    content: float = 0.75
    similarity: float = 0.5
    jitter: float = 0.1
    average: float = 0.995


@dataclass(frozen=True, slots=True)
class FeedforwardRecipe:
    """`style.training.recipe.Recipe` of the engine `feedforward`."""

    own: FeedforwardSettings = field(default_factory=FeedforwardSettings)
    network: FeedforwardShape = field(default_factory=FeedforwardShape)
    kind: str = "feedforward"
    defaults: RunSettings = field(default_factory=RunSettings)

    def settings(self) -> Mapping[str, object]:
        """Return the settings that only this recipe has."""
        return asdict(self.own)

    def shape(self) -> Mapping[str, int]:
        """Return the values of `FeedforwardShape`."""
        return asdict(self.network)

    def begin(self, material: Material, settings: RunSettings) -> FeedforwardTraining:
        """Return a run with new weights, drawn by the seed."""
        return FeedforwardTraining(material, settings, self.own, self.network)


class FeedforwardTraining(AveragedTraining[FeedforwardNet]):
    """Run of one network."""

    def __init__(
        self, material: Material, settings: RunSettings, own: FeedforwardSettings, shape: FeedforwardShape
    ) -> None:
        self.settings, self.own = settings, own
        self.crops, self.validation_crops = (
            Crops(paths, side=settings.side, keep=settings.keep, seed=settings.seed, jitter=jitter)
            for paths, jitter in ((material.products.train, own.jitter), (material.products.validation, 0.0))
        )
        channels_last(material.loss_network)
        self.describe = FeatureStatistics(material.loss_network)
        self.floors = Floors({"content": own.content, "similarity": own.similarity})
        network = FeedforwardNet(shape)
        embedder, device = StyleEmbedder.load(), torch.device("cpu")
        styles, validation_styles = (
            read_styles(paths, embedder, self.describe, device, seed=settings.seed)
            for paths in (material.styles.train, material.styles.validation)
        )
        self.target = mean_statistics(styles.statistics)
        self.validation_target = mean_statistics(validation_styles.statistics)
        # The palette, color means and log deviations of the style, is set and not trained.
        moments = styles.moments.mean(dim=0)
        network.palette.copy_(torch.cat([moments[:3] / 4, (moments[3:6] / 4).log()]))
        super().__init__(network, warming_average(own.average), settings.learning_rate, floors=self.floors)

    def step(self, step: int) -> Mapping[str, Tensor]:
        """Update weights once, on crops drawn by the step's number."""
        images = self.crops.batch(step, self.settings.batch).to(memory_format=torch.channels_last)
        losses, likeness = self._losses(self.network, images, self.target)
        losses |= self.floors.losses(likeness, torch.ones(len(images)))
        self.descend(losses)
        return losses

    @torch.no_grad()
    def validate(self) -> Mapping[str, float]:
        """Return the likenesses, and the loss: losses plus what likenesses lack of their floors."""
        images = self.validation_crops.batch(0, VALIDATION_BATCH)
        losses, likeness = self._losses(self.average.module, images, self.validation_target)
        means = {name: float(value.mean()) for name, value in likeness.items()}
        return {"loss": sum(map(float, losses.values())) + self.floors.shortfall(means), **means}

    @torch.no_grad()
    def samples(self) -> Tensor:
        """Return validation products and their paintings, side by side, `(N, 3, side, 2 * side)` in [0, 1]."""
        images = self.validation_crops.batch(0, VALIDATION_BATCH)[:SHEET_ROWS]
        texture, color = self.average.module(images, torch.ones_like(images[:, :1]))
        return torch.cat([images, (images + texture + color).clamp(0, 1)], dim=3)

    def _losses(
        self, network: nn.Module, images: Tensor, target: Statistics
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return the losses of a batch, and its likenesses `content` and `similarity`, `(B,)` each."""
        with torch.no_grad():
            _, content = self.describe(images)
        texture, color = network(images, torch.ones_like(images[:, :1]))
        painted = images + texture + color
        after, painted_content = self.describe(painted)
        losses = {
            "moments": relative_distance(after.moments, target.moments),
            "gram": self.own.gram * relative_distance(after.gram, target.gram),
            "variation": self.own.variation * total_variation(texture),
            "outside": self.own.outside * (painted - painted.clamp(0, 1)).square().mean(),
        }
        likeness = {"content": cosine(content, painted_content), "similarity": similarity(luma(images), luma(painted))}
        return losses, likeness


def total_variation(images: Tensor) -> Tensor:
    """Return the mean square of the differences of neighboring pixels, down plus across."""
    down, across = images.diff(dim=2), images.diff(dim=3)
    return down.square().mean() + across.square().mean()


def mean_statistics(statistics: Statistics) -> Statistics:
    """Return the average of all rows, as one row `(1, ...)`."""
    count = len(next(iter(statistics.gram.values())))
    return statistics.mix(torch.full((1, count), 1 / count))
