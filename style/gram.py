"""Statistics of feature maps: mean and standard deviation, Gram matrices, and their vectorization.

A feature map is `(B, C, H, W)`. All statistics are averages over positions, so they do not depend on image size. An
optional weight map `(B, 1, H, W)` of non-negative numbers weights the positions.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def mean_std(features: Tensor, weights: Tensor | None = None, eps: float = 1e-5) -> tuple[Tensor, Tensor]:
    """Compute channel means and standard deviations, each `(B, C)` (Huang and Belongie 2017, eq. 5-6)."""
    flat, share = _flatten(features, weights)
    mean = (flat * share).sum(dim=2)
    variance = ((flat - mean.unsqueeze(2)).square() * share).sum(dim=2)
    return mean, (variance + eps).sqrt()


def gram(features: Tensor, weights: Tensor | None = None) -> Tensor:
    """Compute Gram matrices `(B, C, C)`: average products of channels over positions (Gatys et al. 2016, eq. 3).

    Departs from the paper by dividing by the number of positions, so that images of any size can be compared.
    """
    flat, share = _flatten(features, weights)
    return (flat * share) @ flat.transpose(1, 2)


def upper_triangle(matrices: Tensor) -> Tensor:
    """Return the upper triangle of symmetric `(B, C, C)` as `(B, C(C+1)/2)`, off-diagonals times sqrt 2.

    The factor preserves lengths: the vector's Euclidean norm is the matrix's Frobenius norm.
    """
    size = int(matrices.shape[1])
    # NumPy arrays become constants in a traced network.
    rows, columns = np.triu_indices(size)
    scale = torch.from_numpy(np.where(rows == columns, 1.0, 2.0**0.5)).to(matrices)
    indices = torch.from_numpy(rows * size + columns).to(matrices.device)
    return matrices.flatten(1)[:, indices] * scale  # flattened: (B, C*C)


def signed_sqrt(values: Tensor) -> Tensor:
    """Return sign(x) sqrt(|x|): reduces the few large products that dominate a Gram matrix (Perronnin et al. 2010)."""
    return values.sign() * values.abs().sqrt()


def _flatten(features: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor]:
    flat = features.flatten(2)  # (B, C, H*W)
    if weights is None:
        return flat, flat.new_full((1, 1, 1), 1.0 / flat.shape[2])
    share = weights.flatten(2).clamp_min(0.0)  # (B, 1, H*W)
    return flat, share / share.sum(dim=2, keepdim=True).clamp_min(1e-8)
