"""Train the z-conditioned stylizer `film` on products (contents) and on paintings and products (styles).

One step paints a batch of product crops with style vectors. Its losses and constraints are:
- Channel means, deviations and Gram matrices of a loss network's features move to those of the style (Gatys et al.
  2016, Li et al. 2017). Distances are relative to the style's size, as in `style.metrics`.
- Colors without texture (the color head) move to the style's colors: sliced Wasserstein distance.
- The product stays recognizable: cosine of instance-normalized deep features, and SSIM of luma. Both have floors
  instead of weights: the multiplier of each rises while the batch is under its floor and falls while it is above.

Two departures make the network fit a recommender. First, strength is drawn anew for each sample, and the target
statistics lie that far between product and style, so the slider is realistic. Second, a share of the styles are blends
of two or three style vectors, with blended statistics as target. A user's taste is such a blend, so the network must
be trained on blends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import get_ema_multi_avg_fn

from style.backbone import Vgg, channels_last
from style.color_space import LUMA
from style.embedding import StyleEmbedder
from style.metrics import structural_similarity
from style.training.crops import Crops
from style.training.loop import LoopOptions, learn
from style.training.run import AveragedTraining
from style.training.targets import FeatureStatistics, Palettes, Styles, read_styles
from style.transfer.film import FilmNet
from style.vector import DIMENSIONS


@dataclass(frozen=True, slots=True)
class FilmSettings:
    """Settings of the recipe.

    Attributes:
        steps: Steps of Adam.
        batch: Crops in a step.
        side: Side of a crop, in pixels.
        learning_rate: Peak of the learning rate.
        average: Share of the running average of weights that a step keeps.
        gram: Weight of Gram matrices.
        palette: Weight of colors.
        outside: Weight of pixel values outside [0, 1].
        content: Floor of deep cosine at full strength, on average.
        similarity: Floor of SSIM at full strength, on average.
        blend_share: Share of styles that are blends.
        seed: Seed of all random numbers.
        save_every: Steps between two checkpoints.
    """

    steps: int = 12_000
    batch: int = 8
    side: int = 128
    learning_rate: float = 6e-4
    average: float = 0.998
    gram: float = 0.5
    palette: float = 2.0
    outside: float = 5.0
    content: float = 0.82
    similarity: float = 0.62
    blend_share: float = 0.3
    seed: int = 0
    save_every: int = 200


class Floors(nn.Module):
    """Multipliers that keep likenesses above their floors (dual ascent on the logarithm of each)."""

    def __init__(self, floors: dict[str, float], pace: float = 0.05) -> None:
        super().__init__()
        self.floors = floors
        self.pace = pace
        self.logs: Tensor
        self.register_buffer("logs", torch.zeros(len(floors)))

    def losses(self, likeness: dict[str, Tensor], strength: Tensor) -> dict[str, Tensor]:
        """Return one loss per likeness and update its multiplier.

        Args:
            likeness: Likenesses by name, `(B,)` each.
            strength: Strength of each sample, `(B,)`; the floor of a sample falls with it.
        """
        losses: dict[str, Tensor] = {}
        for index, (name, floor) in enumerate(self.floors.items()):
            losses[name] = self.logs[index].exp() * (1 - likeness[name]).mean()
            # The floor falls faster than strength: a little strength must cost very little likeness.
            short = (1 - (1 - floor) * strength**1.5 - likeness[name].detach()).mean()
            self.logs[index] = (self.logs[index] + self.pace * short).clamp(-2.0, 3.0)
        return losses

    def shortfall(self, likeness: Mapping[str, float]) -> float:
        """Return ten times the total by which likenesses at full strength are below their floors.

        Validation uses it in place of `losses`: multipliers change, so losses of different steps cannot be compared.
        """
        return 10 * sum(max(0.0, floor - likeness[name]) for name, floor in self.floors.items())


def train_film(
    contents: Sequence[Path], styles: Sequence[Path], loss_network: Vgg, out: Path, settings: FilmSettings
) -> FilmNet:
    """Train the network, or continue a stopped run.

    Args:
        contents: Product photos.
        styles: Style references.
        loss_network: Frozen network with taps relu1_1 .. relu4_1.
        out: Folder that receives `checkpoint.safetensors`, `log.jsonl` and `film.safetensors`.
        settings: Settings of the recipe.

    Returns:
        Network with averaged weights.
    """
    torch.manual_seed(settings.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    crops = Crops(contents, side=settings.side, keep=192, seed=settings.seed)
    channels_last(loss_network)
    describe = FeatureStatistics(loss_network.to(device))
    targets = read_styles(styles, StyleEmbedder.load(), describe, device, seed=settings.seed)
    network = FilmNet().to(device)
    fit_palette(network.palette, targets)
    training = FilmTraining(network, crops, targets, describe, settings)
    learn(
        training, LoopOptions(settings.steps, settings.save_every, weights_file="film.safetensors"), out, title="film"
    )
    return training.load_average()


class FilmTraining(AveragedTraining[FilmNet]):
    """Run of a `FilmNet`. Its result is a running average, as colors react strongly to small changes of weights."""

    def __init__(
        self, network: FilmNet, crops: Crops, targets: Styles, describe: FeatureStatistics, settings: FilmSettings
    ) -> None:
        self.crops, self.targets, self.describe, self.settings = crops, targets, describe, settings
        self.floors = Floors({"content": settings.content, "similarity": settings.similarity}).to(targets.z.device)
        average = get_ema_multi_avg_fn(settings.average)  # type: ignore[no-untyped-call]
        super().__init__(network, average, settings.learning_rate, floors=self.floors)

    def step(self, step: int) -> dict[str, Tensor]:
        """Update weights once, with crops, styles and strengths drawn by the step's number."""
        batch, device = self.settings.batch, self.targets.z.device
        random = np.random.default_rng((self.settings.seed, 7, step))
        images = self.crops.batch(step, batch).to(device, memory_format=torch.channels_last)
        style = self.targets.draw(random, batch, self.settings.blend_share)
        # Half of the samples have full strength, which is what the catalog shows most.
        strength = torch.from_numpy(np.minimum(1.0, random.uniform(0.0, 2.0, batch))).float().to(device)
        losses, likeness = film_losses(self.network, self.describe, images, style, strength, self.settings)
        losses |= self.floors.losses(likeness, strength)
        self.descend(losses)
        return losses


@torch.no_grad()
def fit_palette(layer: nn.Linear, styles: Styles, ridge: float = 10.0, *, from_zero: bool = True) -> None:
    """Fit the map from z to color means and log deviations by least squares, in place, and freeze it.

    Gradient descent is too rough for values that must be as exact as colors.

    Args:
        layer: Linear map from z, scaled to unit variance, to 6 numbers.
        styles: Styles to fit.
        ridge: Penalty of the squared distance from the start.
        from_zero: Whether the map starts from zero. If not, the result is the fitting map that is nearest to the
            present one, so that it keeps what it knows of other styles.
    """
    if from_zero:
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    z = torch.cat([styles.z * DIMENSIONS**0.5, torch.ones_like(styles.z[:, :1])], dim=1).double()  # (N, 129)
    target = torch.cat([styles.moments[:, :3] / 4, (styles.moments[:, 3:6] / 4).log()], dim=1).double()  # (N, 6)
    start = torch.cat([layer.weight, layer.bias[:, None]], dim=1).double()  # (6, 129)
    inner = z.T @ z + ridge * torch.eye(z.shape[1]).to(z)
    solution = (start + torch.linalg.solve(inner, z.T @ (target - z @ start.T)).T).float()
    layer.weight.copy_(solution[:, :-1])
    layer.bias.copy_(solution[:, -1])
    layer.requires_grad_(requires_grad=False)


def film_losses(
    network: nn.Module,
    describe: FeatureStatistics,
    images: Tensor,
    style: Styles,
    strength: Tensor,
    settings: FilmSettings,
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Compute losses and likenesses of one batch; the module's text explains them.

    Args:
        network: `FilmNet`, or its average.
        describe: Statistics through the loss network.
        images: Product crops `(B, 3, H, W)` in [0, 1].
        style: B styles.
        strength: Strength of each sample, `(B,)`.
        settings: Weights of the losses.

    Returns:
        Losses by name, and the likenesses `content` and `similarity`, `(B,)` each.
    """
    with torch.no_grad():
        before, content = describe(images)
        target = before.interpolate(style.statistics, strength)
    texture, color = network(images, style.z, torch.ones_like(images[:, :1]))
    painted = images + strength[:, None, None, None] * (texture + color)
    after, painted_content = describe(painted)
    likeness = {"content": cosine(content, painted_content), "similarity": similarity(luma(images), luma(painted))}
    losses = {
        "moments": relative_distance(after.moments, target.moments),
        "gram": settings.gram * relative_distance(after.gram, target.gram),
        "palette": settings.palette * (Palettes.from_images(images + color) - style.palettes).abs().mean(),
        "outside": settings.outside * (painted - painted.clamp(0, 1)).square().mean(),
    }
    return losses, likeness


def relative_distance(values: dict[str, Tensor], target: dict[str, Tensor]) -> Tensor:
    """Return the distance divided by the target's length, summed over taps and averaged over samples."""
    distances = [
        (values[tap] - target[tap]).flatten(1).norm(dim=1) / target[tap].flatten(1).norm(dim=1) for tap in target
    ]
    return torch.stack(distances).sum(dim=0).mean()


def cosine(a: Tensor, b: Tensor) -> Tensor:
    """Return the cosine of instance-normalized feature maps, `(B,)`."""
    return F.cosine_similarity(F.instance_norm(a).flatten(1), F.instance_norm(b).flatten(1), dim=1)


def luma(images: Tensor) -> Tensor:
    """Return Rec. 601 luma `(B, 1, H, W)`."""
    return torch.einsum("bchw,c->bhw", images, torch.from_numpy(LUMA).to(images)).unsqueeze(1)


def similarity(x: Tensor, y: Tensor) -> Tensor:
    """Return the structural similarity of luma maps `(B, 1, H, W)`, `(B,)`; `style.metrics.ssim` with a box of 8."""

    def blur(v: Tensor) -> Tensor:
        return F.avg_pool2d(v, 8, stride=2)

    return structural_similarity(x, y, blur).flatten(1).mean(dim=1)
