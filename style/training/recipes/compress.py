"""Compress `film`: prune its channels, then teach what is left to paint like the whole (Hinton et al. 2015).

A step paints a batch of crops by both networks, with the same style vectors, and asks that texture and color are
those of the whole (mean absolute difference) and that what is painted has its structure (SSIM of luma). Unlike in the
paper no labels are mixed in: the whole network is all the truth there is, so no loss network and no style targets
are needed, and a step takes a tenth of what training takes. Half of the samples count colors in a random box alone,
as the product's mask does where photos are served.
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

from style.backbone import channels_last
from style.embedding import StyleEmbedder
from style.training.checkpoint import load_checkpoint, save_checkpoint, save_tensors
from style.training.crops import Crops, find_images, not_held_out, sample_evenly
from style.training.log import TrainingLog
from style.training.optim import descend, set_learning_rate
from style.training.recipes.film import luma, similarity
from style.training.recipes.prune import prune_film
from style.transfer.film import FilmNet, FilmShape, FilmStylizer


@dataclass(frozen=True, slots=True)
class CompressSettings:
    """Steps of Adam over `batch` crops of `side` pixels; `average` is how much of the running average a step leaves."""

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
    """A network of `shape` that paints like `teacher`; `z` `(N, 128)` are the styles whose blends it learns from.

    Writes `checkpoint.safetensors` and `film.safetensors` in `out`; a run that was stopped continues from its last
    checkpoint, the same as an unbroken one. Raises ShapeError where `shape` is no part of the teacher's.
    """
    torch.manual_seed(settings.seed)
    crops = Crops(contents, side=settings.side, keep=192, seed=settings.seed)
    network = prune_film(teacher, shape)
    for each in (teacher.eval().requires_grad_(requires_grad=False), network):
        channels_last(each)
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(settings.average))  # type: ignore[no-untyped-call]
    trained = nn.ModuleDict({"network": network, "average": average})
    learned = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(learned, lr=settings.learning_rate, betas=(0.9, 0.99))
    checkpoint = out / "checkpoint.safetensors"
    done = load_checkpoint(checkpoint, trained, optimizer)
    log = TrainingLog(out)
    for step in trange(done, settings.steps, initial=done, total=settings.steps, desc="compress", disable=None):
        set_learning_rate(optimizer, step, settings.steps, settings.learning_rate)
        random = np.random.default_rng((settings.seed, 11, step))
        images = crops.batch(step, settings.batch).to(memory_format=torch.channels_last)
        styles, counted = _drawn(z, random, settings.batch), _boxes(random, images)
        losses = distillation_losses(network, teacher, (images, styles, counted), settings.similarity)
        descend(optimizer, losses)
        average.update_parameters(network)
        log.write(step, losses)
        if (step + 1) % settings.save_every == 0 or step + 1 == settings.steps:
            save_checkpoint(checkpoint, trained, optimizer, step + 1)
            save_tensors(out / "film.safetensors", {k: v.half() for k, v in average.module.state_dict().items()})
    network.load_state_dict(average.module.state_dict())
    return network.eval().requires_grad_(requires_grad=False)


def distillation_losses(
    network: FilmNet, teacher: FilmNet, batch: tuple[Tensor, Tensor, Tensor], weight: float
) -> dict[str, Tensor]:
    """How far the network is from the teacher on images `(B, 3, H, W)`, z `(B, 128)` and weights `(B, 1, H, W)`."""
    images = batch[0]
    with torch.no_grad():
        asked_texture, asked_color = teacher(*batch)
    texture, color = network(*batch)
    asked, found = luma(images + asked_texture + asked_color), luma(images + texture + color)
    return {
        "texture": (texture - asked_texture).abs().mean(),
        "color": (color - asked_color).abs().mean(),
        "similarity": weight * (1 - similarity(asked, found)).mean(),
    }


def read_z(paths: Sequence[Path], embedder: StyleEmbedder) -> Tensor:
    """The style vectors of pictures, `(N, 128)`."""
    return torch.from_numpy(embedder.embed_files(paths))


def _drawn(z: Tensor, random: np.random.Generator, batch: int) -> Tensor:
    """`(B, 128)`: every second one a style as it is, the others blends of up to three."""
    shares = random.dirichlet(np.full(3, 1.0), size=batch)
    shares[::2] = (1.0, 0.0, 0.0)
    chosen = z[torch.from_numpy(random.integers(len(z), size=(batch, 3)))]  # (B, 3, 128)
    return F.normalize(torch.einsum("bk,bkd->bd", torch.from_numpy(shares).float(), chosen), dim=1)


def _boxes(random: np.random.Generator, images: Tensor) -> Tensor:
    """Weights `(B, 1, H, W)`: everywhere 1 in the first half of the batch, in a random box of the others."""
    batch, _, height, width = images.shape
    weights = torch.ones(batch, 1, height, width)
    for row in range(batch // 2, batch):
        top, left = random.integers(height // 2), random.integers(width // 2)
        inside = torch.zeros(height, width)
        inside[top : top + height // 2, left : left + width // 2] = 1
        weights[row, 0] = inside
    return weights


def main() -> None:
    """Command line of the recipe."""
    default, shape = CompressSettings(), FilmShape()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=Path, nargs="+", required=True, help="folders of content images")
    parser.add_argument("--styles", type=Path, nargs="+", required=True, help="folders of which each fifth is held out")
    parser.add_argument("--per-folder", type=int, default=600, help="how many products of a folder are shown")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoint, log and weights")
    for name in ("steps", "batch", "side", "seed"):
        parser.add_argument(f"--{name}", type=int, default=getattr(default, name))
    parser.add_argument("--learning-rate", type=float, default=default.learning_rate)
    for name in ("width", "fine", "colors", "hidden"):
        parser.add_argument(f"--{name}", type=int, default=getattr(shape, name) // 2)
    given = vars(parser.parse_args())
    products, styles, per_folder, out = (given.pop(name) for name in ("products", "styles", "per_folder", "out"))
    small = FilmShape(**{name: given.pop(name) for name in ("width", "fine", "colors", "hidden")})
    z = read_z(not_held_out(find_images(styles)), StyleEmbedder.load())
    contents = sample_evenly(products, per_folder)
    compress(FilmStylizer.load().module, small, contents, z, out, CompressSettings(**given))


if __name__ == "__main__":
    main()
