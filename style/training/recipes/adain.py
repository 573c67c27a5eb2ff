"""Train the decoder of `adain` on products (contents) and on paintings and products (styles).

A step paints a batch of product crops with fused features and asks that (Huang and Belongie 2017, eq. 11-13)
- a loss network's deepest features are those of the photo with the style's statistics there (content),
- channel means, deviations and Gram matrices at relu1_1 .. relu4_1 are the style's, as far as it was fused in,
- colors are the style's as far as it was fused in (sliced Wasserstein distance),
- where nothing of a style was fused in, the picture is the photo (reconstruction),
- neighboring pixels differ little (total variation), and values stay in [0, 1].
The decoder's colors begin where least squares puts them, which descent would take thousands of steps to find. For the
first `copies` share of the steps it does nothing but copy photos, for which no loss network is needed.

Departs from the paper, besides, in losses: distances are relative to the style's size, as `style.metrics` judges them;
Gram matrices, colors and reconstruction are added; w is drawn anew for every sample. Some styles are blends.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import trange

from style.backbone import Vgg, channels_last, load_backbone
from style.embedding import StyleEmbedder
from style.training.checkpoint import load_checkpoint, save_checkpoint, save_tensors
from style.training.crops import Crops, find_images, not_held_out, sample_evenly
from style.training.log import TrainingLog
from style.training.optim import descend, set_learning_rate
from style.training.recipes.film import relative_distance
from style.training.targets import TAPS, FeatureStatistics, Palettes, Statistics, Styles, read_styles
from style.training.teachers import load_teacher
from style.transfer.adain import FOLD, AdaInNet, adain, fused

ENCODED = "encoded"
"""Where the encoder's own statistics stand among the moments of styles."""


@dataclass(frozen=True, slots=True)
class AdaInSettings:
    """Steps of Adam over `batch` crops of `side` pixels, the share of them that only copy, and weights of the losses.

    `average` is how much of the running average of weights a step leaves; `views` are squares of each style picture.
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
    """Statistics through the loss network, and those that the encoder's features are brought to."""

    def __init__(self, network: Vgg, painter: AdaInNet) -> None:
        super().__init__(network)
        self.painter = painter

    def __call__(self, images: Tensor, weights: Tensor | None = None) -> tuple[Statistics, Tensor]:
        found, last = super().__call__(images, weights)
        where = torch.ones_like(images[:, :1]) if weights is None else weights
        found.moments[ENCODED] = self.painter.statistics(images, where)
        return found, last


def train_adain(
    contents: Sequence[Path],
    styles: Sequence[Path],
    loss_network: Vgg,
    out: Path,
    settings: AdaInSettings,
) -> AdaInNet:
    """Train, or go on training; writes `checkpoint.safetensors` and `adain.safetensors` (the decoder) in `out`.

    A run that was stopped continues from its last checkpoint, the same as an unbroken one.
    """
    torch.manual_seed(settings.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    crops = Crops(contents, side=settings.side, keep=192, seed=settings.seed)
    network = AdaInNet(load_backbone("vgg-slim"))
    network.to(device)
    initialize(network, crops, device)
    channels_last(network)
    channels_last(loss_network.to(device))
    describe = FeatureStatistics(loss_network)
    targets = read_styles(
        styles,
        StyleEmbedder.load(),
        EncodedStatistics(loss_network, network),
        device,
        views=settings.views,
        seed=settings.seed,
    )
    average = AveragedModel(network.decoder, multi_avg_fn=get_ema_multi_avg_fn(settings.average))  # type: ignore[no-untyped-call]
    trained = nn.ModuleDict({"decoder": network.decoder, "average": average})
    optimizer = torch.optim.Adam(network.decoder.parameters(), lr=settings.learning_rate, betas=(0.9, 0.99))
    checkpoint = out / "checkpoint.safetensors"
    done = load_checkpoint(checkpoint, trained, optimizer)
    log = TrainingLog(out)
    for step in trange(done, settings.steps, initial=done, total=settings.steps, desc="adain", disable=None):
        set_learning_rate(optimizer, step, settings.steps, settings.learning_rate)
        random = np.random.default_rng((settings.seed, 7, step))
        images = crops.batch(step, settings.batch).to(device, memory_format=torch.channels_last)
        if step < settings.copies * settings.steps:
            losses = copying_losses(network, images)
        else:
            style = targets.draw(random, settings.batch, settings.blend_share)
            # A fifth of the samples are copied, two fifths painted at full strength, the others lie between.
            amount = torch.from_numpy(np.clip(random.uniform(-0.5, 2.0, settings.batch), 0, 1)).float().to(device)
            losses = adain_losses(network, describe, images, style, amount, settings)
        descend(optimizer, losses)
        average.update_parameters(network.decoder)
        log.write(step, losses)
        if (step + 1) % settings.save_every == 0 or step + 1 == settings.steps:
            save_checkpoint(checkpoint, trained, optimizer, step + 1)
            save_tensors(out / "adain.safetensors", {k: v.half().cpu() for k, v in average.module.state_dict().items()})
    network.decoder.load_state_dict(average.module.state_dict())
    return network


def copying_losses(network: AdaInNet, images: Tensor) -> dict[str, Tensor]:
    """How far what is decoded from the photos' own features is from them."""
    return {"reconstruction": (network.decoder(network.encode(images)) - images).abs().mean()}


def adain_losses(
    network: AdaInNet,
    describe: FeatureStatistics,
    images: Tensor,
    style: Styles,
    amount: Tensor,
    settings: AdaInSettings,
) -> dict[str, Tensor]:
    """The losses of one batch; see the module's text."""
    deepest = TAPS[-1]
    with torch.no_grad():
        before, content = describe(images)
        target = before.toward(style.statistics, amount)
        styled = adain(content, style.statistics.moments[deepest], spread=1e-5)
        asked = {deepest: fused(styled, content, amount)}
    painted = network(images, torch.ones_like(images[:, :1]), style.statistics.moments[ENCODED], amount)
    after, kept = describe(painted)
    copied = (amount == 0).float()
    colors = torch.lerp(Palettes.of(images), style.palettes, amount[:, None, None])
    return {
        "content": settings.content * relative_distance({deepest: kept}, asked),
        "moments": relative_distance(after.moments, target.moments),
        "gram": settings.gram * relative_distance(after.gram, target.gram),
        "palette": settings.palette * (Palettes.of(painted) - colors).abs().mean(),
        "reconstruction": settings.reconstruction * (copied * (painted - images).abs().mean(dim=(1, 2, 3))).mean(),
        "variation": settings.variation * total_variation(painted),
        "outside": settings.outside * (painted - painted.clamp(0, 1)).square().mean(),
    }


def total_variation(images: Tensor) -> Tensor:
    """Mean absolute difference of neighboring pixels of `(B, 3, H, W)`, down and across."""
    return images.diff(dim=2).abs().mean() + images.diff(dim=3).abs().mean()


@torch.no_grad()
def initialize(network: AdaInNet, crops: Crops, device: torch.device, batches: int = 30, ridge: float = 1.0) -> None:
    """Colors by least squares from features of 3 x 3 places; He's initialization of all else, with little output."""
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
        patches = F.unfold(F.pad(network.encode(images), (1, 1, 1, 1), mode="reflect"), 3)  # (B, 9C, H*W)
        known = torch.cat([patches, torch.ones_like(patches[:, :1])], dim=1).transpose(1, 2).flatten(0, 1).double()
        asked = F.avg_pool2d(images, FOLD).flatten(2).transpose(1, 2).flatten(0, 1).double()  # (B*H*W, 3)
        inner += known.T @ known
        outer += known.T @ asked
    solution = torch.linalg.solve(inner + ridge * torch.eye(size).to(inner), outer).T.float()  # (3, 9C + 1)
    layer.weight.copy_(solution[:, :-1].view_as(layer.weight))
    _set_bias(layer, solution[:, -1])


def _set_bias(conv: nn.Conv2d, value: Tensor | float) -> None:
    assert conv.bias is not None  # noqa: S101
    conv.bias.copy_(torch.as_tensor(value).expand_as(conv.bias))


def main() -> None:
    """Command line of the recipe."""
    default = AdaInSettings()
    parser = argparse.ArgumentParser(description=train_adain.__doc__)
    parser.add_argument("--products", type=Path, nargs="+", required=True, help="folders of content images")
    parser.add_argument("--styles", type=Path, nargs="+", required=True, help="folders of which each fifth is held out")
    parser.add_argument("--contents", type=int, default=1000, help="how many products of a folder are contents")
    parser.add_argument("--per-folder", type=int, default=50, help="how many products of a folder are styles, too")
    parser.add_argument("--teacher", type=Path, required=True, help="safetensors of the loss network")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoint, log and weights")
    for name in ("steps", "batch", "side", "views", "seed"):
        parser.add_argument(f"--{name}", type=int, default=getattr(default, name))
    for name in ("learning_rate", "copies", "content", "gram", "palette", "reconstruction", "variation"):
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=getattr(default, name))
    given = vars(parser.parse_args())
    products, styles, contents, per_folder, teacher, out = (
        given.pop(k) for k in ("products", "styles", "contents", "per_folder", "teacher", "out")
    )
    chosen = not_held_out(find_images(styles)) + sample_evenly(products, per_folder)
    train_adain(sample_evenly(products, contents), chosen, load_teacher(teacher), out, AdaInSettings(**given))


if __name__ == "__main__":
    main()
