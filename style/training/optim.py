"""One step of gradient descent, and the schedule of its size; every recipe uses both."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

WARM_UP = 200
"""Steps over which the learning rate rises to its peak."""


def learning_rate(step: int, steps: int, warm_up: int = WARM_UP) -> float:
    """The share of the peak in (0, 1]: linear warm-up, then cosine decay to 0.01 (Loshchilov and Hutter 2017)."""
    progress = max(0, step - warm_up) / max(1, steps - warm_up)
    return min(1.0, (step + 1) / warm_up) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))


def set_learning_rate(optimizer: torch.optim.Optimizer, step: int, steps: int, peak: float) -> None:
    """Set the rate of a step to its share of the peak."""
    rate = peak * learning_rate(step, steps)
    for group in optimizer.param_groups:
        group["lr"] = rate


def warming_average(keep: float) -> Callable[[Sequence[Tensor], Sequence[Tensor], Tensor | int], None]:
    """What `AveragedModel` takes for a running average of which a step leaves the share `keep`.

    Over the first steps it leaves less, (1 + n) / (10 + n): a short run would else end with the weights it began with.
    """

    def update(averaged: Sequence[Tensor], current: Sequence[Tensor], count: Tensor | int) -> None:
        share = 1 - min(keep, (1 + int(count)) / (10 + int(count)))
        for ours, theirs in zip(averaged, current, strict=True):
            if ours.is_floating_point():
                ours.lerp_(theirs, share)
            else:
                ours.copy_(theirs)

    return update


def descend(optimizer: torch.optim.Optimizer, losses: Mapping[str, Tensor]) -> None:
    """Step down the sum of the losses; gradients longer than 1 are shortened to it."""
    optimizer.zero_grad(set_to_none=True)
    total = torch.stack(list(losses.values())).sum()
    total.backward()  # type: ignore[no-untyped-call]
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
