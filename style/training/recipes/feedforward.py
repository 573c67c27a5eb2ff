"""The recipe of `feedforward`: one style, painted by one small network (Johnson et al. 2016).

A step paints a batch of product crops and asks that
- channel means, deviations and Gram matrices of a loss network's features become those of the style, which are averages
  over the style's pictures; distances are relative to the style's size, as `style.metrics` judges them,
- neighboring pixels differ little (total variation), and no pixel leaves [0, 1],
- the product stays recognizable: cosine of instance-normalized deep features, and SSIM of luma. As in `film`, these two
  have floors in place of the paper's weight of content, so that nobody has to tune it for their own style.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from style.backbone import channels_last
from style.embedding import StyleEmbedder
from style.training.crops import Crops
from style.training.optim import descend, warming_average
from style.training.recipe import SHOWN, VALIDATION_BATCH, Material, RunSettings
from style.training.recipes.film import Floors, cosine, luma, relative_distance, similarity
from style.training.targets import FeatureStatistics, Statistics, read_styles
from style.transfer.feedforward import FeedforwardNet, FeedforwardShape


@dataclass(frozen=True, slots=True)
class FeedforwardSettings:
    """Weights of the losses, the floors of likeness, how far colors are jittered, and how much an average keeps.

    `content` and `similarity`: what deep cosine and SSIM must not fall below, on average. `average`: how much of the
    running average of weights, which is what ships, a step leaves.
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
        return asdict(self.own)

    def shape(self) -> Mapping[str, int]:
        return asdict(self.network)

    def begin(self, material: Material, settings: RunSettings) -> FeedforwardTraining:
        """A run with new weights, drawn from the seed."""
        return FeedforwardTraining(material, settings, self.own, self.network)


class FeedforwardTraining:
    """`style.training.recipe.Training` of one network."""

    def __init__(
        self, material: Material, settings: RunSettings, own: FeedforwardSettings, shape: FeedforwardShape
    ) -> None:
        self.settings, self.own = settings, own
        self.crops, self.others = (
            Crops(paths, side=settings.side, keep=settings.keep, seed=settings.seed, jitter=jitter)
            for paths, jitter in ((material.products.train, own.jitter), (material.products.validation, 0.0))
        )
        channels_last(material.loss_network)
        self.describe = FeatureStatistics(material.loss_network)
        self.network = FeedforwardNet(shape)
        channels_last(self.network)
        self.floors = Floors({"content": own.content, "similarity": own.similarity})
        self._look_at(material)
        self.average = AveragedModel(self.network, multi_avg_fn=warming_average(own.average))
        self.state = nn.ModuleDict({"network": self.network, "floors": self.floors, "average": self.average})
        self.optimizers = {
            "network": torch.optim.Adam(self.network.parameters(), lr=settings.learning_rate, betas=(0.9, 0.99))
        }

    def _look_at(self, material: Material) -> None:
        """Take up what the style's pictures ask for: colors into the network, statistics into the targets."""
        embedder, device = StyleEmbedder.load(), torch.device("cpu")
        seen = [
            read_styles(paths, embedder, self.describe, device, seed=self.settings.seed)
            for paths in (material.styles.train, material.styles.validation)
        ]
        self.target, self.other_target = (mean_statistics(styles.statistics) for styles in seen)
        moments = seen[0].moments.mean(dim=0)
        self.network.palette.copy_(torch.cat([moments[:3] / 4, (moments[3:6] / 4).log()]))

    def step(self, step: int) -> Mapping[str, Tensor]:
        images = self.crops.batch(step, self.settings.batch).to(memory_format=torch.channels_last)
        losses = self._losses(self.network, images, self.target)
        likeness = {name: losses.pop(name) for name in ("content", "similarity")}
        losses |= self.floors.losses(likeness, torch.ones(len(images)))
        descend(self.optimizers["network"], losses)
        self.average.update_parameters(self.network)
        return losses

    @torch.no_grad()
    def validate(self) -> Mapping[str, float]:
        images = self.others.batch(0, VALIDATION_BATCH)
        losses = self._losses(self.average.module, images, self.other_target)
        likeness = {name: float(losses.pop(name).mean()) for name in ("content", "similarity")}
        return {"loss": sum(map(float, losses.values())) + self.floors.shortfall(likeness), **likeness}

    def weights(self) -> dict[str, Tensor]:
        return dict(self.average.module.state_dict())

    @torch.no_grad()
    def samples(self) -> Tensor:
        images = self.others.batch(0, VALIDATION_BATCH)[:SHOWN]
        texture, color = self.average.module(images, torch.ones_like(images[:, :1]))
        return torch.cat([images, (images + texture + color).clamp(0, 1)], dim=3)

    def _losses(self, network: nn.Module, images: Tensor, target: Statistics) -> dict[str, Tensor]:
        """The losses of a batch, and its likenesses `content` and `similarity`, `(B,)` each."""
        with torch.no_grad():
            _, content = self.describe(images)
        texture, color = network(images, torch.ones_like(images[:, :1]))
        painted = images + texture + color
        after, kept = self.describe(painted)
        return {
            "moments": relative_distance(after.moments, target.moments),
            "gram": self.own.gram * relative_distance(after.gram, target.gram),
            "variation": self.own.variation * total_variation(texture),
            "outside": self.own.outside * (painted - painted.clamp(0, 1)).square().mean(),
            "content": cosine(content, kept),
            "similarity": similarity(luma(images), luma(painted)),
        }


def total_variation(images: Tensor) -> Tensor:
    """Mean square of the differences of neighboring pixels, both ways."""
    down, across = images.diff(dim=2), images.diff(dim=3)
    return down.square().mean() + across.square().mean()


def mean_statistics(statistics: Statistics) -> Statistics:
    """The average of all rows, as one row `(1, ...)`."""
    count = len(next(iter(statistics.gram.values())))
    return statistics.mix(torch.full((1, count), 1 / count))
