"""How good style vectors and restyled pictures are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from style.color_space import luma
from style.gram import gram, mean_std
from style.images import Pixels


@dataclass(frozen=True, slots=True)
class RetrievalScore:
    """Leave-one-out retrieval: the share of nearest neighbours of the same label, and mean average precision."""

    recall_at_1: float
    map_at_10: float


def retrieval_score(
    vectors: NDArray[np.float32], labels: Sequence[str], asks: NDArray[np.bool_] | None = None
) -> RetrievalScore:
    """Score unit vectors `(N, D)` against labels (N) by cosine: each image, or each that `asks`, asks all others."""
    names = np.asarray(labels)
    similarity = vectors @ vectors.T
    np.fill_diagonal(similarity, -np.inf)
    order = np.argsort(-similarity, axis=1, kind="stable")[:, : min(10, len(names) - 1)]
    relevant = names[order] == names[:, None]
    precision = np.cumsum(relevant, axis=1) / np.arange(1, order.shape[1] + 1)
    possible = np.minimum((names[None] == names[:, None]).sum(axis=1) - 1, order.shape[1])
    average = (precision * relevant).sum(axis=1) / np.maximum(1, possible)
    asks = np.ones(len(names), dtype=bool) if asks is None else asks
    return RetrievalScore(float(relevant[asks, 0].mean()), float(average[asks].mean()))


def identification(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """The share of rows of `first` `(N, D)` whose nearest row of `second` is their own, by cosine of unit vectors.

    With parts of one picture: high where vectors tell single pictures apart, which is not the same as style.
    """
    return float(((first @ second.T).argmax(axis=1) == np.arange(len(first))).mean())


@dataclass(frozen=True, slots=True)
class TransferScore:
    """One restyled picture against its product and its style, seen through a judge network.

    `style_gain` and `gram_gain`: 1 - distance to the style after / before, for means and deviations and for Gram
    matrices (1: all the way, 0: not moved, negative: further off). `content`: cosine of deep features, centred
    per channel. `ssim`: structural similarity of luma with the product.
    """

    style_gain: float
    gram_gain: float
    content: float
    ssim: float


@torch.inference_mode()
def transfer_score(judge: nn.Module, product: Pixels, style: Pixels, restyled: Pixels) -> TransferScore:
    """Judge a restyled `(H, W, 3)` picture by a network that gives taps, e.g. VGG-19 to relu4_1."""
    before, target, after = (judge(_batch(image)) for image in (product, style, restyled))
    last = list(after)[-1]
    return TransferScore(
        style_gain=1 - _moment_distance(after, target) / max(_moment_distance(before, target), 1e-9),
        gram_gain=1 - _gram_distance(after, target) / max(_gram_distance(before, target), 1e-9),
        content=_content_cosine(before[last], after[last]),
        ssim=ssim(luma(product), luma(restyled)),
    )


def ssim(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Mean structural similarity of two pictures `(H, W)` in [0, 1] (Wang et al. 2004: Gaussian window, sigma 1.5)."""
    window = _gaussian(11, 1.5)
    x, y = (torch.from_numpy(np.ascontiguousarray(v))[None, None].double() for v in (a, b))

    def blurred(v: Tensor) -> Tensor:
        return F.conv2d(v, window)

    return float(structural_similarity(x, y, blurred).mean())


def structural_similarity(x: Tensor, y: Tensor, blurred: Callable[[Tensor], Tensor]) -> Tensor:
    """SSIM place by place of pictures `(B, 1, H, W)` in [0, 1], given what averages a window (Wang et al. 2004)."""
    mx, my = blurred(x), blurred(y)
    vx, vy, cov = blurred(x * x) - mx * mx, blurred(y * y) - my * my, blurred(x * y) - mx * my
    c1, c2 = 0.01**2, 0.03**2
    return ((2 * mx * my + c1) * (2 * cov + c2)) / ((mx * mx + my * my + c1) * (vx + vy + c2))


def _gaussian(size: int, sigma: float) -> Tensor:
    x = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    line = torch.exp(-x.square() / (2 * sigma**2))
    line = line / line.sum()
    return (line[:, None] * line[None, :])[None, None]


def _batch(pixels: Pixels) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None]


def _moment_distance(a: dict[str, Tensor], b: dict[str, Tensor]) -> float:
    """Sum over taps of the distance of means and deviations, in units of the style's own size."""
    total = 0.0
    for tap in a:
        x, y = torch.cat(mean_std(a[tap]), dim=1), torch.cat(mean_std(b[tap]), dim=1)
        total += float((x - y).norm() / y.norm())
    return total


def _gram_distance(a: dict[str, Tensor], b: dict[str, Tensor]) -> float:
    total = 0.0
    for tap in a:
        x, y = gram(a[tap]), gram(b[tap])
        total += float((x - y).norm() / y.norm())
    return total


def _content_cosine(a: Tensor, b: Tensor) -> float:
    x, y = (F.instance_norm(v).flatten() for v in (a, b))
    return float(F.cosine_similarity(x, y, dim=0))
