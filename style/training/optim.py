"""Learning rate schedule, running average of weights and one step of gradient descent, for all recipes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

WARM_UP = 200
"""Steps over which the learning rate rises to its peak."""


def learning_rate(step: int, steps: int, warm_up: int = WARM_UP) -> float:
    """Return the share of the peak learning rate in (0, 1] for `step` of `steps`.

    Linear warm-up, then cosine decay to 0.01 (Loshchilov and Hutter 2017).
    """
    progress = max(0, step - warm_up) / max(1, steps - warm_up)
    return min(1.0, (step + 1) / warm_up) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))


def warm_up_steps(steps: int) -> int:
    """Return the steps over which the learning rate rises: a tenth of a short run."""
    return max(1, min(WARM_UP, steps // 10))


def warming_average(keep: float) -> Callable[[Sequence[Tensor], Sequence[Tensor], Tensor | int], None]:
    """Return the update that `AveragedModel` uses for a running average that keeps the share `keep` in each step.

    It keeps less over the first steps, (1 + n) / (10 + n). Otherwise a short run ends with its initial weights.
    """

    def update(averaged: Sequence[Tensor], current: Sequence[Tensor], count: Tensor | int) -> None:
        share = 1 - min(keep, (1 + int(count)) / (10 + int(count)))
        for average, value in zip(averaged, current, strict=True):
            if average.is_floating_point():
                average.lerp_(value, share)
            else:
                average.copy_(value)

    return update


def descend(optimizer: torch.optim.Optimizer, losses: Mapping[str, Tensor]) -> None:
    """Update weights by the gradient of the sum of the losses, clipped to length 1."""
    optimizer.zero_grad(set_to_none=True)
    total = torch.stack(list(losses.values())).sum()
    total.backward()  # type: ignore[no-untyped-call]
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
