"""Metrics of style vectors and restyled images."""

from __future__ import annotations

import math
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
    """Leave-one-out retrieval: the share of nearest neighbors with the same label, and mean average precision."""

    recall_at_1: float
    map_at_10: float


def retrieval_score(
    vectors: NDArray[np.float32], labels: Sequence[str], queries: NDArray[np.bool_] | None = None
) -> RetrievalScore:
    """Score unit vectors against labels by cosine: each query is compared with all other images.

    Args:
        vectors: `(N, D)`, of unit length.
        labels: N labels.
        queries: `(N,)`, images used as queries; default: all.
    """
    names = np.asarray(labels)
    similarity = vectors @ vectors.T
    np.fill_diagonal(similarity, -np.inf)
    order = np.argsort(-similarity, axis=1, kind="stable")[:, : min(10, len(names) - 1)]  # (N, 10)
    relevant = names[order] == names[:, None]
    precision = np.cumsum(relevant, axis=1) / np.arange(1, order.shape[1] + 1)
    # Number of relevant images that a query can have among its first 10.
    possible = np.minimum((names[None] == names[:, None]).sum(axis=1) - 1, order.shape[1])
    average = (precision * relevant).sum(axis=1) / np.maximum(1, possible)
    queries = np.ones(len(names), dtype=bool) if queries is None else queries
    return RetrievalScore(float(relevant[queries, 0].mean()), float(average[queries].mean()))


def identification(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Return the share of rows of `first` whose nearest row of `second` is their own, by cosine.

    Both are `(N, D)` of unit length. With parts of one image: high if vectors separate single images, which is not the
    same as style.
    """
    return float(((first @ second.T).argmax(axis=1) == np.arange(len(first))).mean())


def kernel_distance(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Return the distance of two sets of unit vectors `(M, D)` and `(N, D)` as distributions; about 0 for equal ones.

    Squared maximum mean discrepancy, unbiased, so it may be negative (Gretton et al. 2012, lemma 6): mean k(x, x') +
    mean k(y, y') - 2 mean k(x, y) over pairs of different vectors. The kernel is k(x, y) = (x . y + 1)^3, that of KID
    (Binkowski et al. 2018) for vectors of length sqrt(D). Style vectors take the place of KID's Inception features.
    Sets need two or more vectors.
    """

    def mean_kernel(a: NDArray[np.float32], b: NDArray[np.float32], *, same: bool) -> float:
        values = (a.astype(np.float64) @ b.T.astype(np.float64) + 1) ** 3
        pairs = len(a) * (len(a) - 1) if same else values.size
        return float((values.sum() - (np.trace(values) if same else 0.0)) / pairs)

    return (
        mean_kernel(first, first, same=True)
        + mean_kernel(second, second, same=True)
        - 2 * mean_kernel(first, second, same=False)
    )


@dataclass(frozen=True, slots=True)
class TransferScore:
    """Scores of one restyled image against its product and its style, from features of a judge network.

    With statistics s_t of tap t, and d_t(x) = |s_t(x) - s_t(style)| / |s_t(style)|:

    - `style_gain`: 1 - sum_t d_t(restyled) / sum_t d_t(product), where s_t are channel means and deviations (1: style
      reached, 0: not moved, negative: further away); `gram_gain`: the same of Gram matrices.
    - `style_gain_squared`, `gram_gain_squared`: the same with d_t^2 for d_t, which is how style losses are written.
      Half the way is 0.5 in lengths and 0.75 in squares, so the two kinds cannot be compared.
    - `content`: cosine of the last tap's features, product and restyled, after each channel's mean and deviation over
      positions are removed (instance normalization), so that style by itself does not count as content.
    - `content_plain`: cosine of the same features without normalization. It is higher, because features are never
      negative: two unrelated images are far above 0.
    - `ssim`: structural similarity of luma with the product.
    """

    style_gain: float
    style_gain_squared: float
    gram_gain: float
    gram_gain_squared: float
    content: float
    content_plain: float
    ssim: float


@torch.inference_mode()
def transfer_score(judge: nn.Module, product: Pixels, style: Pixels, restyled: Pixels) -> TransferScore:
    """Score a restyled image `(H, W, 3)` by a network that returns taps, e.g. VGG-19 to relu4_1.

    Args:
        judge: Network.
        product: Photo before restyling.
        style: Style image.
        restyled: Photo after restyling.
    """
    before, target, after = (
        judge(torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None])
        for image in (product, style, restyled)
    )
    last = list(after)[-1]
    moments = [_distances(lambda maps: torch.cat(mean_std(maps), dim=1), taps, target) for taps in (before, after)]
    grams = [_distances(gram, taps, target) for taps in (before, after)]
    return TransferScore(
        style_gain=_gain(*moments),
        style_gain_squared=_gain(*(distances.square() for distances in moments)),
        gram_gain=_gain(*grams),
        gram_gain_squared=_gain(*(distances.square() for distances in grams)),
        content=_cosine(F.instance_norm(before[last]), F.instance_norm(after[last])),
        content_plain=_cosine(before[last], after[last]),
        ssim=ssim(luma(product), luma(restyled)),
    )


def psnr(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Return the peak signal-to-noise ratio in dB of two images of one shape in [0, 1]; infinite if equal."""
    error = float(np.mean(np.square(a.astype(np.float64) - b)))
    return float("inf") if error == 0 else -10 * math.log10(error)


def ssim(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Return the mean structural similarity of two images `(H, W)` in [0, 1].

    Wang et al. 2004: Gaussian window, sigma 1.5.
    """
    offsets = torch.arange(11, dtype=torch.float64) - 5
    line = torch.exp(-offsets.square() / (2 * 1.5**2))
    line = line / line.sum()
    window = (line[:, None] * line[None, :])[None, None]  # (1, 1, 11, 11)
    x, y = (torch.from_numpy(np.ascontiguousarray(v))[None, None].double() for v in (a, b))

    def blurred(v: Tensor) -> Tensor:
        return F.conv2d(v, window)

    return float(structural_similarity(x, y, blurred).mean())


def structural_similarity(x: Tensor, y: Tensor, blurred: Callable[[Tensor], Tensor]) -> Tensor:
    """Compute SSIM per position of images `(B, 1, H, W)` in [0, 1]; `blurred` averages a window (Wang et al. 2004)."""
    mx, my = blurred(x), blurred(y)
    vx, vy, cov = blurred(x * x) - mx * mx, blurred(y * y) - my * my, blurred(x * y) - mx * my
    c1, c2 = 0.01**2, 0.03**2
    return ((2 * mx * my + c1) * (2 * cov + c2)) / ((mx * mx + my * my + c1) * (vx + vy + c2))


def _distances(statistics: Callable[[Tensor], Tensor], a: dict[str, Tensor], b: dict[str, Tensor]) -> Tensor:
    """Return the distance of statistics at each tap, relative to the size of those of `b`: `(taps,)`."""
    pairs = ((statistics(a[tap]), statistics(b[tap])) for tap in a)
    return torch.stack([(x - y).norm() / y.norm() for x, y in pairs]).double()


def _gain(before: Tensor, after: Tensor) -> float:
    return 1 - float(after.sum()) / max(float(before.sum()), 1e-9)


def _cosine(a: Tensor, b: Tensor) -> float:
    return float(F.cosine_similarity(a.flatten(), b.flatten(), dim=0))
