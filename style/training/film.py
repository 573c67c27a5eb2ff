"""Train the z-conditioned stylizer `film` on products (contents) and on paintings and textures (styles).

A step paints a batch of product crops with style vectors and asks of the loss network's features that
- channel means, deviations and Gram matrices move to those of the style (Gatys et al. 2016, Li et al. 2017),
- instance-normalised deep features stay those of the product (content, whatever the colours),
- neighbouring pixels change smoothly and values stay in [0, 1].
Two departures make the net serve a recommender. Strength is drawn anew for every sample and the target statistics
lie that far between product and style, so that the slider is real. A share of the styles are blends of two or three
style vectors, with blended statistics as target: a user's taste is a blend, and must lie where the net was trained.
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
from tqdm import tqdm, trange

from style.backbone import channels_last
from style.embedding import StyleEmbedder
from style.gram import gram, mean_std
from style.images import Pixels, center_square, open_image, to_pixels
from style.training.checkpoint import load_checkpoint, save_checkpoint, save_tensors
from style.training.crops import Crops, find_images
from style.training.descent import descend, set_learning_rate
from style.training.distill import channel_rms
from style.training.log import TrainingLog
from style.training.teachers import load_teacher
from style.transfer.film import FilmNet

GRAM_TAPS = ("relu1_1", "relu2_1", "relu3_1")
CONTENT_TAP = "relu4_1"


@dataclass(frozen=True, slots=True)
class FilmSettings:
    """Steps of Adam over `batch` crops of `side` pixels, and the weights of the losses."""

    steps: int = 8_000
    batch: int = 8
    side: int = 128
    learning_rate: float = 1.5e-3
    content: float = 1.0
    gram: float = 1.0
    variation: float = 0.5
    outside: float = 5.0
    blend_share: float = 0.35
    seed: int = 0
    save_every: int = 200


@dataclass(frozen=True, slots=True)
class Statistics:
    """Per tap: channel means and deviations `(B, C)`, and Gram matrices `(B, C, C)` at GRAM_TAPS."""

    mean: dict[str, Tensor]
    std: dict[str, Tensor]
    gram: dict[str, Tensor]

    def mix(self, weights: Tensor) -> Statistics:
        """Rows mixed by `weights` `(B', B)`."""
        return Statistics(
            {tap: weights @ value for tap, value in self.mean.items()},
            {tap: weights @ value for tap, value in self.std.items()},
            {tap: torch.einsum("ab,bij->aij", weights, value) for tap, value in self.gram.items()},
        )

    def toward(self, other: Statistics, strength: Tensor) -> Statistics:
        """The point that lies `strength` `(B,)` of the way to `other`."""
        s, s2 = strength[:, None], strength[:, None, None]
        return Statistics(
            {tap: torch.lerp(value, other.mean[tap], s) for tap, value in self.mean.items()},
            {tap: torch.lerp(value, other.std[tap], s) for tap, value in self.std.items()},
            {tap: torch.lerp(value, other.gram[tap], s2) for tap, value in self.gram.items()},
        )


@dataclass(frozen=True, slots=True)
class Styles:
    """The training styles: z `(N, 128)` and the statistics of the whole style pictures, N rows."""

    z: Tensor
    statistics: Statistics

    def draw(self, random: np.random.Generator, batch: int, blend_share: float) -> tuple[Tensor, Statistics]:
        """`batch` styles, a share of them blends of two or three: their z `(batch, 128)` and statistics."""
        weights = torch.zeros(batch, 3)
        chosen = torch.from_numpy(random.integers(len(self.z), size=(batch, 3)))
        for row in range(batch):
            parts = random.integers(2, 4) if random.random() < blend_share else 1
            weights[row, :parts] = torch.from_numpy(random.dirichlet(np.full(parts, 2.0))).float()
        flat = chosen.flatten()
        mixing = torch.zeros(batch, flat.numel())
        mixing[torch.arange(batch).repeat_interleave(3), torch.arange(flat.numel())] = weights.flatten()
        mixing = mixing.to(self.z.device)
        rows = Statistics(*({tap: value[flat] for tap, value in part.items()} for part in _parts(self.statistics)))
        return F.normalize(mixing @ self.z[flat], dim=1), rows.mix(mixing)


def train_film(
    contents: Sequence[Path],
    styles: Sequence[Path],
    loss_network: nn.Module,
    out: Path,
    settings: FilmSettings,
) -> FilmNet:
    """Train, or go on training; writes `checkpoint.safetensors` and `film.safetensors` in `out`.

    A run that was stopped continues from its last checkpoint, the same as an unbroken one.
    """
    torch.manual_seed(settings.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    crops = Crops(contents, side=settings.side, keep=192, seed=settings.seed)
    loss_network = loss_network.to(device)
    channels_last(loss_network)
    units = channel_rms(loss_network, crops, device)
    describe = FeatureStatistics(loss_network, units)
    targets = read_styles(styles, describe, device)
    network = FilmNet().to(device)
    channels_last(network)
    optimizer = torch.optim.Adam(network.parameters(), lr=settings.learning_rate, betas=(0.9, 0.99))
    checkpoint = out / "checkpoint.safetensors"
    done = load_checkpoint(checkpoint, network, optimizer)
    log = TrainingLog(out)
    for step in trange(done, settings.steps, initial=done, total=settings.steps, desc="film", disable=None):
        set_learning_rate(optimizer, step, settings.steps, settings.learning_rate)
        random = np.random.default_rng((settings.seed, 7, step))
        images = crops.batch(step, settings.batch).to(device, memory_format=torch.channels_last)
        z, style = targets.draw(random, settings.batch, settings.blend_share)
        # Half of the samples at full strength: that is what the catalogue shows most.
        strength = torch.from_numpy(np.minimum(1.0, random.uniform(0.0, 2.0, settings.batch))).float().to(device)
        losses = film_losses(network, describe, images, z, style, strength, settings)
        descend(optimizer, losses)
        log.write(step, losses)
        if (step + 1) % settings.save_every == 0 or step + 1 == settings.steps:
            save_checkpoint(checkpoint, network, optimizer, step + 1)
            save_tensors(out / "film.safetensors", {k: v.half().cpu() for k, v in network.state_dict().items()})
    return network


class FeatureStatistics:
    """Features and statistics of images in units of the loss network's channel RMS."""

    def __init__(self, network: nn.Module, units: dict[str, Tensor]) -> None:
        self.network = network
        self.units = units

    def __call__(self, images: Tensor) -> tuple[Statistics, Tensor]:
        """Statistics at all taps, and the features of the content tap `(B, C, H, W)`."""
        features = {tap: maps / self.units[tap] for tap, maps in self.network(images).items()}
        moments = {tap: mean_std(maps) for tap, maps in features.items()}
        statistics = Statistics(
            {tap: mean for tap, (mean, _) in moments.items()},
            {tap: std for tap, (_, std) in moments.items()},
            {tap: gram(features[tap]) for tap in GRAM_TAPS},
        )
        return statistics, features[CONTENT_TAP]


def film_losses(
    network: FilmNet,
    describe: FeatureStatistics,
    images: Tensor,
    z: Tensor,
    style: Statistics,
    strength: Tensor,
    settings: FilmSettings,
) -> dict[str, Tensor]:
    """The losses of one batch; see the module's text."""
    with torch.no_grad():
        before, content = describe(images)
        target = before.toward(style, strength)
    amount = strength[:, None, None, None]
    painted = images + amount * (network(images, z) - images)
    after, kept = describe(painted)
    return {
        "mean": sum_of(after.mean, target.mean),
        "std": sum_of(after.std, target.std),
        "gram": settings.gram * sum_of(after.gram, target.gram),
        "content": settings.content * (F.instance_norm(kept) - F.instance_norm(content)).square().mean(),
        "variation": settings.variation * total_variation(painted - images),
        "outside": settings.outside * (painted - painted.clamp(0, 1)).square().mean(),
    }


def sum_of(found: dict[str, Tensor], asked: dict[str, Tensor]) -> Tensor:
    """Mean squared differences summed over taps."""
    return torch.stack([(found[tap] - asked[tap]).square().mean() for tap in found]).sum()


def total_variation(images: Tensor) -> Tensor:
    """Mean squared difference of neighbouring pixels."""
    return images.diff(dim=2).square().mean() + images.diff(dim=3).square().mean()


@torch.no_grad()
def read_styles(paths: Sequence[Path], describe: FeatureStatistics, device: torch.device, side: int = 224) -> Styles:
    """z and statistics of whole style pictures, each as a centred square of `side` pixels."""
    embedder = StyleEmbedder.load()
    vectors: list[Tensor] = []
    statistics: list[Statistics] = []
    for path in tqdm(paths, desc="styles", unit="image", disable=None):
        pixels: Pixels = to_pixels(center_square(open_image(path, short_side=side), side))
        whole = np.ones(pixels.shape[:2], dtype=np.float32)
        vectors.append(torch.from_numpy(embedder.embed(pixels, whole).values))
        statistics.append(describe(torch.from_numpy(pixels).permute(2, 0, 1)[None].to(device))[0])
    joined = [
        {tap: torch.cat([part[tap] for part in parts]) for tap in parts[0]}
        for parts in zip(*map(_parts, statistics), strict=True)
    ]
    return Styles(torch.stack(vectors).to(device), Statistics(*joined))


def _parts(statistics: Statistics) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]:
    return statistics.mean, statistics.std, statistics.gram


def main() -> None:
    """Command line of the recipe."""
    default = FilmSettings()
    parser = argparse.ArgumentParser(description=train_film.__doc__)
    parser.add_argument("--products", type=Path, nargs="+", required=True, help="folders of content images")
    parser.add_argument("--styles", type=Path, nargs="+", required=True, help="folders of style images")
    parser.add_argument("--teacher", type=Path, required=True, help="safetensors of the loss network")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoint, log and weights")
    parser.add_argument("--held-out", type=int, default=5, help="every so-many-th style is left for validation")
    for name in ("steps", "batch", "side", "seed"):
        parser.add_argument(f"--{name}", type=int, default=getattr(default, name))
    for name in ("content", "gram", "variation"):
        parser.add_argument(f"--{name}", type=float, default=getattr(default, name))
    given = vars(parser.parse_args())
    products, styles, teacher, out, held_out = (
        given.pop(k) for k in ("products", "styles", "teacher", "out", "held_out")
    )
    training = [path for index, path in enumerate(find_images(styles)) if index % held_out]
    train_film(find_images(products), training, load_teacher(teacher), out, FilmSettings(**given))


if __name__ == "__main__":
    main()
