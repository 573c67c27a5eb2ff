"""Fit the map from statistics of feature maps to style vectors, on many images and without labels.

The space is the teacher's. Its statistics are standardized; entries of Gram matrices are scaled to count little beside
means and deviations. Then they are whitened by their principal components with shrinkage: variances move toward their
mean, so that the smallest are not scaled up too much. The student's statistics are mapped into that space by the
teacher's projection plus a ridge regression of the student's error. So errors of the student that whitening would
enlarge become small. Without a teacher the network's own statistics are whitened.
The same pass fits the linear map from style vectors to Lab statistics that the engine `color` uses.
"""

from __future__ import annotations

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
from style.training.checkpoint import save_tensors, to_half
from style.training.teachers import load_teacher
from style.training.whitening import fit_whitening


def fit_embedding(paths: Sequence[Path], out: Path, backbone: str = "vgg-slim", teacher: Path | None = None) -> None:
    """Fit the embedding and the color map on images.

    Args:
        paths: Images of many kinds, more than 128.
        out: Folder that receives `BACKBONE-embedding.safetensors` and `color.safetensors`.
        backbone: Network whose features are embedded.
        teacher: Weights of the network that the backbone was distilled from.
    """
    network = load_backbone(backbone)
    networks = [network] if teacher is None else [network, load_teacher(teacher)]
    (own, *teachers), colors = describe_images(networks, paths)
    is_gram = StyleStatistics(network).is_gram
    whitening = fit_whitening(teachers[0] if teachers else own, is_gram)
    if teachers:
        whitening = fit_student(own, teachers[0], whitening)
    save_tensors(out / f"{backbone}-embedding.safetensors", to_half(whitening))
    vectors = StyleEmbedder(network, whitening).project(own)
    save_tensors(out / "color.safetensors", fit_color_map(vectors, colors))


def fit_color_map(vectors: Tensor, statistics: Tensor, *, ridge: float = 1e-3) -> dict[str, Tensor]:
    """Fit the linear map from style vectors to Lab statistics.

    Args:
        vectors: Style vectors `(N, 128)`.
        statistics: Lab statistics `(N, 6)`.
        ridge: Penalty of squared weights.

    Returns:
        `weight` `(6, 128)` and `bias` `(6,)`.
    """
    center, target_center = vectors.mean(dim=0).double(), statistics.mean(dim=0).double()
    x, y = vectors.double() - center, statistics.double() - target_center
    normal = x.T @ x / len(x) + ridge * torch.eye(x.shape[1], dtype=torch.float64)
    weight = torch.linalg.solve(normal, x.T @ y / len(x)).T
    return {"weight": weight.float(), "bias": (target_center - weight @ center).float()}


def fit_student(
    student: Tensor, teacher: Tensor, whitening: dict[str, Tensor], *, ridge: float = 0.04
) -> dict[str, Tensor]:
    """Fit the map from the student's statistics to the teacher's whitened ones.

    Args:
        student: Statistics `(N, S)` of the student.
        teacher: Statistics `(N, S)` of the teacher on the same images.
        whitening: `center` and `projection` of the teacher.
        ridge: Penalty of the correction.

    Returns:
        `center` `(S,)` and `projection` `(S, 128)`.
    """
    target = (teacher - whitening["center"]) @ whitening["projection"]
    # Both are standardized: the student's features have units of their own.
    teacher_scale, scale = (_deviations(rows) for rows in (teacher, student))
    center = student.mean(dim=0)
    projection = whitening["projection"] * (teacher_scale / scale)[:, None]
    standard = ((student - center) / scale).double()
    error = (target - (student - center) @ projection).double()
    # There are as many unknowns as statistics but only N rows: solve in the space of rows.
    inner = standard @ standard.T
    inner.diagonal().add_(ridge * len(student))
    correction = standard.T @ torch.linalg.solve(inner, error)
    return {"center": center, "projection": projection + (correction / scale[:, None]).float()}


def describe_images(networks: Sequence[Vgg], paths: Sequence[Path]) -> tuple[list[Tensor], Tensor]:
    """Compute statistics of the product in each image.

    Returns:
        For each network the statistics `(N, S)` before whitening; Lab statistics `(N, 6)`.
    """
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


def _deviations(rows: Tensor) -> Tensor:
    """Return standard deviations with a floor, for statistics that are almost constant."""
    deviations = rows.std(dim=0)
    return deviations.clamp_min(0.05 * float(deviations.mean()))
