"""Whitening: map many correlated statistics to few numbers of equal variance without correlation."""

from __future__ import annotations

import torch
from torch import Tensor

from style.vector import DIMENSIONS


def fit_whitening(
    statistics: Tensor, is_gram: Tensor, *, shrinkage: float = 0.05, gram_weight: float = 0.15
) -> dict[str, Tensor]:
    """Fit a whitening projection by principal components.

    Args:
        statistics: Rows `(N, S)`, with N > 128.
        is_gram: Mask `(S,)` of the entries of Gram matrices.
        shrinkage: Share by which variances move toward their mean.
        gram_weight: Weight of all Gram entries together beside the others.

    Returns:
        `center` `(S,)` and `projection` `(S, 128)`.
    """
    center = statistics.mean(dim=0)
    balance = gram_weight * ((~is_gram).sum() / is_gram.sum()).sqrt()
    deviation = statistics.std(dim=0)
    # A channel that is almost always 0 would be scaled up to the size of the others, so its deviation has a floor.
    scale = torch.where(is_gram, balance, 1.0) / deviation.clamp_min(0.05 * float(deviation.mean()))
    standard = ((statistics - center) * scale).double()
    _, singular, directions = torch.linalg.svd(standard, full_matrices=False)
    variance = singular[:DIMENSIONS].square() / len(statistics)
    variance = (1 - shrinkage) * variance + shrinkage * variance.mean()
    # The sign of a component is arbitrary: fix it, so that the same data gives the same space on all machines.
    components = directions[:DIMENSIONS]
    largest = components.abs().argmax(dim=1, keepdim=True)
    components = components * components.gather(1, largest).sign()
    projection = scale[:, None] * (components / variance.sqrt()[:, None]).T
    return {"center": center.float(), "projection": projection.float()}
