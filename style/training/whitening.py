"""Whitening: from many correlated statistics to few numbers that vary equally and independently."""

from __future__ import annotations

import torch
from torch import Tensor

from style.vector import DIMENSIONS


def fit_whitening(
    statistics: Tensor, is_gram: Tensor, *, shrinkage: float = 0.05, gram_weight: float = 0.15
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
