"""Train the decoder of `adain` on products (contents) and on paintings and products (styles).

One step paints a batch of product crops with fused features. Its losses (Huang and Belongie 2017, eq. 11-13) are:
- Content: a loss network's deepest features are those of the photo with the style's statistics.
- Style: channel means, deviations and Gram matrices at relu1_1 .. relu4_1 are the style's, in the fused amount.
- Colors: they are the style's, in the fused amount (sliced Wasserstein distance).
- Reconstruction: if no style was fused in, the result is the photo.
- Total variation: neighboring pixels differ little. Values stay in [0, 1].

The decoder's colors start from least squares; gradient descent would take thousands of steps to find them. During the
first `copies` share of the steps the decoder only copies photos, which needs no loss network.

Further departures from the paper: Distances are relative to the style's size, as in `style.metrics`. Losses of Gram
matrices, colors and reconstruction are added. The amount is drawn anew for each sample. Some styles are blends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import get_ema_multi_avg_fn

from style.backbone import Vgg, channels_last, load_backbone
from style.embedding import StyleEmbedder
from style.training.crops import Crops
from style.training.loop import LoopOptions, learn
from style.training.recipes.film import relative_distance
from style.training.run import AveragedTraining
from style.training.targets import TAPS, FeatureStatistics, Palettes, Statistics, Styles, read_styles
from style.transfer.adain import FOLD, AdaInNet, adain, fuse_features

ENCODED = "encoded"
"""Key of the encoder's own statistics among the moments of styles."""


@dataclass(frozen=True, slots=True)
class AdaInSettings:
    """Settings of the recipe.

    Attributes:
        steps: Steps of Adam.
        batch: Crops in a step.
        side: Side of a crop, in pixels.
        learning_rate: Peak of the learning rate.
        copies: Share of the steps that only copy photos.
        average: Share of the running average of weights that a step keeps.
        content: Weight of content.
        gram: Weight of Gram matrices.
        palette: Weight of colors.
        reconstruction: Weight of reconstruction.
        variation: Weight of total variation.
        outside: Weight of pixel values outside [0, 1].
        blend_share: Share of styles that are blends.
        views: Squares of each style reference.
        seed: Seed of all random numbers.
        save_every: Steps between two checkpoints.
    """

    steps: int = 2_500
    batch: int = 4
    side: int = 128
    learning_rate: float = 1e-3
    copies: float = 0.2
    average: float = 0.995
    content: float = 2.0
    gram: float = 0.3
    palette: float = 3.0
    reconstruction: float = 20.0
    variation: float = 0.3
    outside: float = 5.0
    blend_share: float = 0.2
    views: int = 1
    seed: int = 0
    save_every: int = 100


class EncodedStatistics(FeatureStatistics):
    """Statistics through the loss network, and the encoder's statistics to which features are normalized."""

    def __init__(self, network: Vgg, painter: AdaInNet) -> None:
        super().__init__(network)
        self.painter = painter

    def __call__(self, images: Tensor, weights: Tensor | None = None) -> tuple[Statistics, Tensor]:
        """Compute the statistics of both networks, and the loss network's last features."""
        statistics, last = super().__call__(images, weights)
        everywhere = torch.ones_like(images[:, :1])
        statistics.moments[ENCODED] = self.painter.statistics(images, everywhere if weights is None else weights)
        return statistics, last


def train_adain(
    contents: Sequence[Path], styles: Sequence[Path], loss_network: Vgg, out: Path, settings: AdaInSettings
) -> AdaInNet:
    """Train the decoder, or continue a stopped run.

    Args:
        contents: Product photos.
        styles: Style references.
        loss_network: Frozen network with taps relu1_1 .. relu4_1.
        out: Folder that receives `checkpoint.safetensors`, `log.jsonl` and `adain.safetensors`.
        settings: Settings of the recipe.

    Returns:
        Network whose decoder has averaged weights.
    """
    torch.manual_seed(settings.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    crops = Crops(contents, side=settings.side, keep=192, seed=settings.seed)
    network = AdaInNet(load_backbone("vgg-slim"))
    network.to(device)
    initialize(network, crops, device)
    for each in (network, loss_network.to(device)):
        channels_last(each)
    targets = read_styles(
        styles,
        StyleEmbedder.load(),
        EncodedStatistics(loss_network, network),
        device,
        views=settings.views,
        seed=settings.seed,
    )
    training = AdaInTraining(network, crops, targets, FeatureStatistics(loss_network), settings)
    options = LoopOptions(settings.steps, settings.save_every, weights_file="adain.safetensors")
    learn(training, options, out, title="adain")
    training.load_average()
    return network


class AdaInTraining(AveragedTraining[nn.Module]):
    """Run of the decoder of an `AdaInNet`."""

    def __init__(
        self, network: AdaInNet, crops: Crops, targets: Styles, describe: FeatureStatistics, settings: AdaInSettings
    ) -> None:
        self.painter, self.crops, self.targets = network, crops, targets
        self.describe, self.settings = describe, settings
        average = get_ema_multi_avg_fn(settings.average)  # type: ignore[no-untyped-call]
        super().__init__(network.decoder, average, settings.learning_rate)

    def step(self, step: int) -> dict[str, Tensor]:
        """Update weights once, with crops, styles and amounts drawn by the step's number."""
        settings, device = self.settings, self.targets.z.device
        random = np.random.default_rng((settings.seed, 7, step))
        images = self.crops.batch(step, settings.batch).to(device, memory_format=torch.channels_last)
        if step < settings.copies * settings.steps:
            decoded = self.painter.decoder(self.painter.encode(images))
            losses = {"reconstruction": (decoded - images).abs().mean()}
        else:
            style = self.targets.draw(random, settings.batch, settings.blend_share)
            # A fifth of the samples are copied, two fifths painted at full strength, the others are in between.
            amount = torch.from_numpy(np.clip(random.uniform(-0.5, 2.0, settings.batch), 0, 1)).float().to(device)
            losses = adain_losses(self.painter, self.describe, images, style, amount, settings)
        self.descend(losses)
        return losses


def adain_losses(
    network: AdaInNet,
    describe: FeatureStatistics,
    images: Tensor,
    style: Styles,
    amount: Tensor,
    settings: AdaInSettings,
) -> dict[str, Tensor]:
    """Compute the losses of one batch; the module's text explains them.

    Args:
        network: Network to train.
        describe: Statistics through the loss network.
        images: Product crops `(B, 3, H, W)` in [0, 1].
        style: B styles.
        amount: Share of the style in the fused features of each sample, `(B,)`.
        settings: Weights of the losses.
    """
    deepest = TAPS[-1]
    with torch.no_grad():
        before, content = describe(images)
        target = before.interpolate(style.statistics, amount)
        styled = adain(content, style.statistics.moments[deepest], spread=1e-5)
        target_content = {deepest: fuse_features(styled, content, amount)}
    painted = network(images, torch.ones_like(images[:, :1]), style.statistics.moments[ENCODED], amount)
    after, painted_content = describe(painted)
    copied = (amount == 0).float()
    colors = torch.lerp(Palettes.from_images(images), style.palettes, amount[:, None, None])
    return {
        "content": settings.content * relative_distance({deepest: painted_content}, target_content),
        "moments": relative_distance(after.moments, target.moments),
        "gram": settings.gram * relative_distance(after.gram, target.gram),
        "palette": settings.palette * (Palettes.from_images(painted) - colors).abs().mean(),
        "reconstruction": settings.reconstruction * (copied * (painted - images).abs().mean(dim=(1, 2, 3))).mean(),
        # Total variation: mean absolute difference of neighboring pixels, down and across.
        "variation": settings.variation * (painted.diff(dim=2).abs().mean() + painted.diff(dim=3).abs().mean()),
        "outside": settings.outside * (painted - painted.clamp(0, 1)).square().mean(),
    }


@torch.no_grad()
def initialize(network: AdaInNet, crops: Crops, device: torch.device, batches: int = 30, ridge: float = 1.0) -> None:
    """Initialize the decoder: colors by least squares, the other layers as He et al. 2015, with little output.

    Args:
        network: Network to initialize in place.
        crops: Product crops to fit colors on.
        device: Device of the network.
        batches: Batches of 4 crops to fit on.
        ridge: Penalty of squared weights.
    """
    convs = [layer for layer in network.decoder.detail if isinstance(layer, nn.Conv2d)]
    for conv in convs:
        nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
        _set_bias(conv, 0.0)
    convs[-1].weight.mul_(0.1)
    layer = network.decoder.colors
    size = layer.weight[0].numel() + 1
    inner, outer = torch.zeros(size, size).double().to(device), torch.zeros(size, 3).double().to(device)
    for step in range(batches):
        images = crops.batch(step, 4, stream=1).to(device)
        # A pixel of the color layer sees the features of 3 x 3 positions.
        patches = F.unfold(F.pad(network.encode(images), (1, 1, 1, 1), mode="reflect"), 3)  # (B, 9C, H*W)
        inputs = torch.cat([patches, torch.ones_like(patches[:, :1])], dim=1).transpose(1, 2).flatten(0, 1).double()
        target = F.avg_pool2d(images, FOLD).flatten(2).transpose(1, 2).flatten(0, 1).double()  # (B*H*W, 3)
        inner += inputs.T @ inputs
        outer += inputs.T @ target
    solution = torch.linalg.solve(inner + ridge * torch.eye(size).to(inner), outer).T.float()  # (3, 9C + 1)
    layer.weight.copy_(solution[:, :-1].view_as(layer.weight))
    _set_bias(layer, solution[:, -1])


def _set_bias(conv: nn.Conv2d, value: Tensor | float) -> None:
    assert conv.bias is not None  # noqa: S101
    conv.bias.copy_(torch.as_tensor(value).expand_as(conv.bias))
