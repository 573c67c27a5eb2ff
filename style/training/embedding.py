"""Fit the whitening that turns statistics of feature maps into style vectors.

Standardise each statistic, scale Gram entries so that all Gram matrices together weigh `gram_weight` squared of
the means and deviations, then whiten by the principal components of many images, with shrinkage: the variances
are drawn towards their mean, so that the least of them are not blown up. No labels are used.
The same pass fits the linear map from style vectors to Lab statistics that the engine `color` stands on.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from style.backbone import TAPS, Vgg, load_backbone
from style.embedding import GRAM_TAPS, WORKING_SIDE, StyleEmbedder
from style.images import read_image
from style.mask import product_mask
from style.training.checkpoint import save_tensors
from style.training.crops import find_images
from style.transfer.color import lab_statistics
from style.vector import DIMENSIONS


def fit_whitening(
    statistics: Tensor, is_gram: Tensor, *, shrinkage: float = 0.1, gram_weight: float = 0.5
) -> dict[str, Tensor]:
    """`center` `(S,)` and `projection` `(S, 128)` from statistics `(N, S)`, with N > 128.

    `is_gram` `(S,)` marks the entries of Gram matrices.
    """
    center = statistics.mean(dim=0)
    balance = gram_weight * ((~is_gram).sum() / is_gram.sum()).sqrt()
    deviation = statistics.std(dim=0)
    # A channel that hardly ever fires would be blown up to the size of the others: floor its deviation.
    scale = torch.where(is_gram, balance, 1.0) / deviation.clamp_min(0.05 * float(deviation.mean()))
    standard = ((statistics - center) * scale).double()
    _, singular, directions = torch.linalg.svd(standard, full_matrices=False)
    variance = singular[:DIMENSIONS].square() / len(statistics)
    variance = (1 - shrinkage) * variance + shrinkage * variance.mean()
    # The sign of a component is arbitrary: fix it, so that the same data gives the same space everywhere.
    components = directions[:DIMENSIONS]
    largest = components.abs().argmax(dim=1, keepdim=True)
    components = components * components.gather(1, largest).sign()
    projection = scale[:, None] * (components / variance.sqrt()[:, None]).T
    return {"center": center.float(), "projection": projection.float()}


def gram_entries(network: Vgg) -> Tensor:
    """Which of the statistics of this network `(S,)` are entries of Gram matrices."""
    marks: list[bool] = []
    for tap in network.taps:
        width = network.record.widths[TAPS.index(tap)]
        marks += [False] * 2 * width
        if tap in GRAM_TAPS:
            marks += [True] * (width * (width + 1) // 2)
    return torch.tensor(marks)


def sample_evenly(folders: Sequence[Path], per_folder: int, seed: int = 0) -> list[Path]:
    """Up to so many images of each folder, so that a large folder does not rule the space."""
    chosen: list[Path] = []
    for folder in folders:
        paths = find_images([folder])
        order = np.random.default_rng(seed).permutation(len(paths))[:per_folder]
        chosen += [paths[i] for i in sorted(order)]
    return chosen


def fit_color_map(vectors: Tensor, statistics: Tensor, *, ridge: float = 1e-3) -> dict[str, Tensor]:
    """`weight` `(6, 128)` and `bias` `(6,)` that predict Lab statistics `(N, 6)` from style vectors `(N, 128)`."""
    center, target = vectors.mean(dim=0).double(), statistics.mean(dim=0).double()
    x, y = vectors.double() - center, statistics.double() - target
    normal = x.T @ x / len(x) + ridge * torch.eye(x.shape[1], dtype=torch.float64)
    weight = torch.linalg.solve(normal, x.T @ y / len(x)).T
    return {"weight": weight.float(), "bias": (target - weight @ center).float()}


def describe_image(embedder: StyleEmbedder, path: Path) -> tuple[Tensor, Tensor]:
    """The statistics `(S,)` of one image before whitening, and its Lab statistics `(6,)`, both over the product."""
    pixels = read_image(path, short_side=WORKING_SIDE)
    mask = product_mask(pixels)
    return embedder.statistics(pixels, mask), torch.from_numpy(lab_statistics(pixels, mask))


def main() -> None:
    """Command line of the recipe."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, nargs="+", required=True, help="folders of images of many kinds")
    parser.add_argument("--per-folder", type=int, default=900)
    parser.add_argument("--backbone", default="vgg-slim")
    parser.add_argument("--out", type=Path, required=True, help="folder for the two safetensors files")
    arguments = parser.parse_args()
    network = load_backbone(arguments.backbone)
    embedder = StyleEmbedder(network, {"center": torch.empty(0), "projection": torch.empty(0)})
    paths = sample_evenly(arguments.images, arguments.per_folder)
    rows = [describe_image(embedder, path) for path in tqdm(paths, unit="image", disable=None)]
    statistics, colours = (torch.stack(part) for part in zip(*rows, strict=True))
    whitening = fit_whitening(statistics, gram_entries(network))
    name = f"{arguments.backbone}-embedding.safetensors"
    save_tensors(arguments.out / name, {key: value.half() for key, value in whitening.items()})
    vectors = StyleEmbedder(network, whitening).project(statistics)
    save_tensors(arguments.out / "color.safetensors", fit_color_map(vectors, colours))


if __name__ == "__main__":
    main()
