"""Train the z-conditioned stylizer `film` on products (contents) and on paintings and products (styles).

A step paints a batch of product crops with style vectors and asks that
- channel means, deviations and Gram matrices of a loss network's features move to those of the style (Gatys et al.
  2016, Li et al. 2017): distances relative to the style's size, as `style.metrics` judges them,
- colors alone (the color head without texture) move to the style's colors: sliced Wasserstein distance,
- the product stays recognizable: cosine of instance-normalized deep features, and SSIM of luma. These two have
  floors, not weights: a multiplier of each rises while the batch lies under its floor and falls while above.
Two departures make the net serve a recommender. Strength is drawn anew for every sample and the target statistics
lie that far between product and style, so that the slider is real. A share of the styles are blends of two or three
style vectors, with blended statistics as target: a user's taste is a blend, and must lie where the net was trained.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import trange

from style.backbone import Vgg, channels_last
from style.color_space import LUMA
from style.embedding import StyleEmbedder
from style.metrics import structural_similarity
from style.training.checkpoint import load_checkpoint, save_checkpoint, save_tensors
from style.training.crops import Crops, find_images, not_held_out, sample_evenly
from style.training.log import TrainingLog
from style.training.optim import descend, set_learning_rate
from style.training.targets import FeatureStatistics, Palettes, Styles, read_styles
from style.training.teachers import load_teacher
from style.transfer.film import FilmNet
from style.vector import DIMENSIONS


@dataclass(frozen=True, slots=True)
class FilmSettings:
    """Steps of Adam over `batch` crops of `side` pixels, the weights of the losses, and the floors of likeness.

    `average` is how much of the running average of weights a step leaves.
    `content` and `similarity` are what deep cosine and SSIM must not fall below at full strength, on average.
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
        """One loss per likeness `(B,)`, where `strength` `(B,)` says how far the floor of each sample has sunk."""
        found: dict[str, Tensor] = {}
        for index, (name, floor) in enumerate(self.floors.items()):
            found[name] = self.logs[index].exp() * (1 - likeness[name]).mean()
            # The floor sinks faster than strength: little of it must cost very little.
            short = (1 - (1 - floor) * strength**1.5 - likeness[name].detach()).mean()
            self.logs[index] = (self.logs[index] + self.pace * short).clamp(-2.0, 3.0)
        return found

    def shortfall(self, likeness: Mapping[str, float]) -> float:
        """Ten times what likenesses at full strength lack of their floors.

        This judges a validation: multipliers move, so that a loss with them in it compares with no earlier one.
        """
        return 10 * sum(max(0.0, floor - likeness[name]) for name, floor in self.floors.items())


def train_film(
    contents: Sequence[Path],
    styles: Sequence[Path],
    loss_network: Vgg,
    out: Path,
    settings: FilmSettings,
) -> FilmNet:
    """Train, or go on training; writes `checkpoint.safetensors` and `film.safetensors` in `out`.

    A run that was stopped continues from its last checkpoint, the same as an unbroken one.
    """
    torch.manual_seed(settings.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    crops = Crops(contents, side=settings.side, keep=192, seed=settings.seed)
    channels_last(loss_network)
    describe = FeatureStatistics(loss_network.to(device))
    targets = read_styles(styles, StyleEmbedder.load(), describe, device, seed=settings.seed)
    network = FilmNet().to(device)
    fit_palette(network.palette, targets)
    run = FilmRun(network, crops, targets, describe, settings)
    checkpoint = out / "checkpoint.safetensors"
    done = load_checkpoint(checkpoint, run.state, run.optimizer)
    log = TrainingLog(out, done=done)
    for step in trange(done, settings.steps, initial=done, total=settings.steps, desc="film", disable=None):
        set_learning_rate(run.optimizer, step, settings.steps, settings.learning_rate)
        log.write(step, run.step(step))
        if (step + 1) % settings.save_every == 0 or step + 1 == settings.steps:
            save_checkpoint(checkpoint, run.state, run.optimizer, step + 1)
            save_tensors(out / "film.safetensors", {k: v.half().cpu() for k, v in run.weights().items()})
    network.load_state_dict(run.weights())
    return network


class FilmRun:
    """A network that learns, with all that must outlive a kill in `state` and `optimizer`."""

    def __init__(
        self, network: FilmNet, crops: Crops, targets: Styles, describe: FeatureStatistics, settings: FilmSettings
    ) -> None:
        self.network, self.crops, self.targets = network, crops, targets
        self.describe, self.settings = describe, settings
        self.device = targets.z.device
        channels_last(network)
        self.floors = Floors({"content": settings.content, "similarity": settings.similarity}).to(self.device)
        # Colors are sensitive to the numbers that make them: what ships is the average over the last steps.
        self.average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(settings.average))  # type: ignore[no-untyped-call]
        self.state = nn.ModuleDict({"network": network, "floors": self.floors, "average": self.average})
        learned = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.Adam(learned, lr=settings.learning_rate, betas=(0.9, 0.99))

    def step(self, step: int) -> dict[str, Tensor]:
        """Descend once, by what the step's number draws. Returns the losses."""
        batch = self.settings.batch
        random = np.random.default_rng((self.settings.seed, 7, step))
        images = self.crops.batch(step, batch).to(self.device, memory_format=torch.channels_last)
        style = self.targets.draw(random, batch, self.settings.blend_share)
        # Half of the samples at full strength: that is what the catalog shows most.
        strength = torch.from_numpy(np.minimum(1.0, random.uniform(0.0, 2.0, batch))).float().to(self.device)
        losses, likeness = film_losses(self.network, self.describe, images, style, strength, self.settings)
        losses |= self.floors.losses(likeness, strength)
        descend(self.optimizer, losses)
        self.average.update_parameters(self.network)
        return losses

    def weights(self) -> dict[str, Tensor]:
        """The averaged weights, as they are now."""
        return dict(self.average.module.state_dict())


@torch.no_grad()
def fit_palette(layer: nn.Linear, styles: Styles, ridge: float = 10.0, *, afresh: bool = True) -> None:
    """The map from z to colors by least squares. It stays so: descent is too rough for numbers as exact as these.

    `afresh` False: of all maps that fit, the one nearest to what the layer is, which keeps what it knows of others.
    """
    if afresh:
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    z = torch.cat([styles.z * DIMENSIONS**0.5, torch.ones_like(styles.z[:, :1])], dim=1).double()
    asked = torch.cat([styles.moments[:, :3] / 4, (styles.moments[:, 3:6] / 4).log()], dim=1).double()
    held = torch.cat([layer.weight, layer.bias[:, None]], dim=1).double()
    inner = z.T @ z + ridge * torch.eye(z.shape[1]).to(z)
    solution = (held + torch.linalg.solve(inner, z.T @ (asked - z @ held.T)).T).float()
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
    """The losses of one batch, and its likenesses `content` and `similarity` `(B,)`; see the module's text."""
    with torch.no_grad():
        before, content = describe(images)
        target = before.toward(style.statistics, strength)
    texture, color = network(images, style.z, torch.ones_like(images[:, :1]))
    painted = images + strength[:, None, None, None] * (texture + color)
    after, kept = describe(painted)
    likeness = {"content": cosine(content, kept), "similarity": similarity(luma(images), luma(painted))}
    losses = {
        "moments": relative_distance(after.moments, target.moments),
        "gram": settings.gram * relative_distance(after.gram, target.gram),
        "palette": settings.palette * (Palettes.of(images + color) - style.palettes).abs().mean(),
        "outside": settings.outside * (painted - painted.clamp(0, 1)).square().mean(),
    }
    return losses, likeness


def relative_distance(found: dict[str, Tensor], asked: dict[str, Tensor]) -> Tensor:
    """Distance over the length of what is asked, summed over taps, averaged over samples."""
    each = [(found[tap] - asked[tap]).flatten(1).norm(dim=1) / asked[tap].flatten(1).norm(dim=1) for tap in asked]
    return torch.stack(each).sum(dim=0).mean()


def cosine(a: Tensor, b: Tensor) -> Tensor:
    """Cosine of instance-normalized feature maps, `(B,)`."""
    return F.cosine_similarity(F.instance_norm(a).flatten(1), F.instance_norm(b).flatten(1), dim=1)


def luma(images: Tensor) -> Tensor:
    """Rec. 601 luma `(B, 1, H, W)`."""
    return torch.einsum("bchw,c->bhw", images, torch.from_numpy(LUMA).to(images)).unsqueeze(1)


def similarity(x: Tensor, y: Tensor) -> Tensor:
    """Structural similarity of luma maps `(B, 1, H, W)`, `(B,)`; see `style.metrics.ssim`, here with a box of 8."""

    def blurred(v: Tensor) -> Tensor:
        return F.avg_pool2d(v, 8, stride=2)

    return structural_similarity(x, y, blurred).flatten(1).mean(dim=1)


def main() -> None:
    """Command line of the recipe."""
    default = FilmSettings()
    parser = argparse.ArgumentParser(description=train_film.__doc__)
    parser.add_argument("--products", type=Path, nargs="+", required=True, help="folders of content images")
    parser.add_argument("--styles", type=Path, nargs="+", required=True, help="folders of which each fifth is held out")
    parser.add_argument("--per-folder", type=int, default=150, help="how many products of a folder are styles, too")
    parser.add_argument("--teacher", type=Path, required=True, help="safetensors of the loss network")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoint, log and weights")
    for name in ("steps", "batch", "side", "seed"):
        parser.add_argument(f"--{name}", type=int, default=getattr(default, name))
    for name in ("learning_rate", "content", "similarity", "gram", "palette"):
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=getattr(default, name))
    given = vars(parser.parse_args())
    products, styles, per_folder, teacher, out = (
        given.pop(k) for k in ("products", "styles", "per_folder", "teacher", "out")
    )
    chosen = not_held_out(find_images(styles)) + sample_evenly(products, per_folder)
    train_film(find_images(products), chosen, load_teacher(teacher), out, FilmSettings(**given))


if __name__ == "__main__":
    main()
