"""Statistics of feature maps: mean and standard deviation, Gram matrices, and their vectorization.

A feature map is `(B, C, H, W)`. All statistics are averages over places, so they do not depend on image size.
An optional weight map `(B, 1, H, W)` of non-negative numbers says how much each place counts.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def mean_std(features: Tensor, weights: Tensor | None = None, eps: float = 1e-5) -> tuple[Tensor, Tensor]:
    """Channel means and standard deviations, each `(B, C)` (Huang and Belongie 2017, eq. 5-6)."""
    flat, share = _flatten(features, weights)
    mean = (flat * share).sum(dim=2)
    variance = ((flat - mean.unsqueeze(2)).square() * share).sum(dim=2)
    return mean, (variance + eps).sqrt()


def gram(features: Tensor, weights: Tensor | None = None) -> Tensor:
    """Gram matrices `(B, C, C)`: average products of channels over places (Gatys et al. 2016, eq. 3).

    Departs from the paper in dividing by the number of places, so that images of any size compare.
    """
    flat, share = _flatten(features, weights)
    return (flat * share) @ flat.transpose(1, 2)


def upper_triangle(matrices: Tensor) -> Tensor:
    """The upper triangle of symmetric `(B, C, C)` as `(B, C(C+1)/2)`, off-diagonals times sqrt 2.

    The factor keeps lengths: the vector's Euclidean norm is the matrix's Frobenius norm.
    """
    size = int(matrices.shape[1])
    # Made by NumPy, so that a traced network holds them as constants.
    rows, columns = np.triu_indices(size)
    scale = torch.from_numpy(np.where(rows == columns, 1.0, 2.0**0.5)).to(matrices)
    places = torch.from_numpy(rows * size + columns).to(matrices.device)
    return matrices.flatten(1)[:, places] * scale


def signed_sqrt(values: Tensor) -> Tensor:
    """sign(x) sqrt(|x|): tames the few large products that otherwise rule a Gram matrix (Perronnin et al. 2010)."""
    return values.sign() * values.abs().sqrt()


def _flatten(features: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor]:
    flat = features.flatten(2)  # (B, C, H*W)
    if weights is None:
        return flat, flat.new_full((1, 1, 1), 1.0 / flat.shape[2])
    share = weights.flatten(2).clamp_min(0.0)  # (B, 1, H*W)
    return flat, share / share.sum(dim=2, keepdim=True).clamp_min(1e-8)
