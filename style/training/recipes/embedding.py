"""Fit what turns statistics of feature maps into style vectors, on many images and without labels.

The space is the teacher's: its statistics are standardized, Gram entries scaled to weigh little beside means and
deviations, and whitened by their principal components with shrinkage: the variances are drawn towards their mean, so
that the least of them are not blown up. The student's statistics are then mapped into that space: the teacher's own
projection, plus a ridge regression of what the student misses. Errors of the student that whitening would enlarge
are so made small instead. Without a teacher the network's own statistics are whitened.
The same pass fits the linear map from style vectors to Lab statistics that the engine `color` stands on.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from style.backbone import Vgg, load_backbone
from style.color_space import lab_statistics
from style.embedding import WORKING_SIDE, StyleEmbedder, StyleStatistics
from style.images import read_image
from style.mask import product_mask
from style.training.checkpoint import save_tensors
from style.training.crops import find_images, not_held_out, sample_evenly
from style.training.teachers import load_teacher
from style.training.whitening import fit_whitening


def fit_color_map(vectors: Tensor, statistics: Tensor, *, ridge: float = 1e-3) -> dict[str, Tensor]:
    """`weight` `(6, 128)` and `bias` `(6,)` that predict Lab statistics `(N, 6)` from style vectors `(N, 128)`."""
    center, target = vectors.mean(dim=0).double(), statistics.mean(dim=0).double()
    x, y = vectors.double() - center, statistics.double() - target
    normal = x.T @ x / len(x) + ridge * torch.eye(x.shape[1], dtype=torch.float64)
    weight = torch.linalg.solve(normal, x.T @ y / len(x)).T
    return {"weight": weight.float(), "bias": (target - weight @ center).float()}


def fit_student(
    student: Tensor, teacher: Tensor, whitening: dict[str, Tensor], *, ridge: float = 0.04
) -> dict[str, Tensor]:
    """`center` and `projection` that take the student's statistics `(N, S)` to the teacher's whitened ones."""
    asked = (teacher - whitening["center"]) @ whitening["projection"]
    # Both standardized: the student's features have units of their own.
    teacher_scale, scale = (_deviations(rows) for rows in (teacher, student))
    center = student.mean(dim=0)
    projection = whitening["projection"] * (teacher_scale / scale)[:, None]
    standard = ((student - center) / scale).double()
    missing = (asked - (student - center) @ projection).double()
    # As many unknowns as statistics but only N rows: solve in the space of rows.
    inner = standard @ standard.T
    inner.diagonal().add_(ridge * len(student))
    correction = standard.T @ torch.linalg.solve(inner, missing)
    return {"center": center, "projection": projection + (correction / scale[:, None]).float()}


def _deviations(rows: Tensor) -> Tensor:
    found = rows.std(dim=0)
    return found.clamp_min(0.05 * float(found.mean()))


def describe_images(networks: Sequence[Vgg], paths: Sequence[Path]) -> tuple[list[Tensor], Tensor]:
    """Per network the statistics `(N, S)` before whitening, and Lab statistics `(N, 6)`, all over the product."""
    embedders = [
        StyleEmbedder(network, {"center": torch.empty(0), "projection": torch.empty(0)}) for network in networks
    ]
    statistics: list[list[Tensor]] = [[] for _ in networks]
    colors: list[Tensor] = []
    for path in tqdm(paths, unit="image", disable=None):
        pixels = read_image(path, short_side=WORKING_SIDE)
        mask = product_mask(pixels)
        colors.append(torch.from_numpy(lab_statistics(pixels, mask)))
        for rows, embedder in zip(statistics, embedders, strict=True):
            rows.append(embedder.statistics(pixels, mask))
    return [torch.stack(rows) for rows in statistics], torch.stack(colors)


def main() -> None:
    """Command line of the recipe."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, nargs="+", required=True, help="folders of images of many kinds")
    parser.add_argument("--styles", type=Path, nargs="*", default=[], help="folders of which each fifth is held out")
    parser.add_argument("--per-folder", type=int, default=500)
    parser.add_argument("--backbone", default="vgg-slim")
    parser.add_argument("--teacher", type=Path, help="safetensors of the network the backbone was distilled from")
    parser.add_argument("--out", type=Path, required=True, help="folder for the two safetensors files")
    arguments = parser.parse_args()
    network = load_backbone(arguments.backbone)
    networks = [network] if arguments.teacher is None else [network, load_teacher(arguments.teacher)]
    paths = sample_evenly(arguments.images, arguments.per_folder) + not_held_out(find_images(arguments.styles))
    (own, *teachers), colors = describe_images(networks, paths)
    is_gram = StyleStatistics(network).is_gram
    whitening = fit_whitening(teachers[0] if teachers else own, is_gram)
    if teachers:
        whitening = fit_student(own, teachers[0], whitening)
    name = f"{arguments.backbone}-embedding.safetensors"
    save_tensors(arguments.out / name, {key: value.half() for key, value in whitening.items()})
    vectors = StyleEmbedder(network, whitening).project(own)
    save_tensors(arguments.out / "color.safetensors", fit_color_map(vectors, colors))


if __name__ == "__main__":
    main()
