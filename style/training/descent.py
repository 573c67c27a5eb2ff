"""One step of gradient descent, and the schedule of its size; every recipe uses both."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

WARM_UP = 200
"""Steps over which the learning rate rises to its peak."""


def set_learning_rate(optimizer: torch.optim.Optimizer, step: int, steps: int, peak: float) -> None:
    """Linear warm-up, then cosine decay to a hundredth of the peak."""
    progress = max(0, step - WARM_UP) / max(1, steps - WARM_UP)
    rate = peak * min(1.0, (step + 1) / WARM_UP) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))
    for group in optimizer.param_groups:
        group["lr"] = rate


def descend(optimizer: torch.optim.Optimizer, losses: Mapping[str, Tensor]) -> None:
    """Step down the sum of the losses; gradients longer than 1 are shortened to it."""
    optimizer.zero_grad(set_to_none=True)
    total = torch.stack(list(losses.values())).sum()
    total.backward()  # type: ignore[no-untyped-call]
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
