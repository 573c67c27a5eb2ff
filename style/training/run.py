"""Training runs: the interface that the training loop drives, and a run with averaged weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from style.backbone import channels_last
from style.training.checkpoint import to_half
from style.training.optim import descend, learning_rate

Network = TypeVar("Network", bound=nn.Module)


class Training(ABC):
    """Run in progress. Everything that must survive a kill is in `state` and `optimizers`.

    `step` must depend only on these and on its number. It draws random numbers from generators seeded by
    (seed, purpose, step): a run that was stopped and resumed then ends the same as an uninterrupted one. Memory of a
    step (a replay buffer, multipliers, averaged weights) is a buffer of `state` with a fixed size.

    Attributes:
        state: Networks, averages and buffers, as a checkpoint holds them.
        optimizers: Optimizers by name. Their initial learning rates are the peaks that `rate` scales.
    """

    state: nn.Module
    optimizers: Mapping[str, torch.optim.Optimizer]

    @abstractmethod
    def step(self, step: int) -> Mapping[str, Tensor]:
        """Update weights once and return the losses by name, for the log."""

    @abstractmethod
    def weights(self) -> dict[str, Tensor]:
        """Return the current tensors of the network that the run is for."""

    def rate(self, step: int, steps: int, warm_up: int) -> float:
        """Return the share of the peak learning rate for a step: warm-up, then cosine decay."""
        return learning_rate(step, steps, warm_up)

    def validate(self) -> Mapping[str, float]:
        """Return metric values on validation images; the lowest `loss` decides which weights are best and when to stop.

        Empty, as here: the latest weights are the best, and the run does all its steps.
        """
        return {}

    def samples(self) -> Tensor | None:
        """Return a few images beside their paintings `(N, 3, H, kW)` in [0, 1], the same images each time.

        None, as here: no sample sheets.
        """
        return None


class AveragedTraining(Training, Generic[Network]):
    """Run of Adam on one network, of which a running average of the weights is the result.

    Args:
        network: Network to train; parameters that need no gradient stay fixed.
        update: Update of the running average, as `AveragedModel` uses it.
        learning_rate: Peak of the learning rate.
        buffers: Other modules that belong to the state, by name.
    """

    def __init__(
        self, network: Network, update: Callable[..., Any], learning_rate: float, **buffers: nn.Module
    ) -> None:
        channels_last(network)
        self.network = network
        self.average = AveragedModel(network, multi_avg_fn=update)
        self.state = nn.ModuleDict({"network": network, "average": self.average, **buffers})
        trainable = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.Adam(trainable, lr=learning_rate, betas=(0.9, 0.99))
        self.optimizers = {"network": self.optimizer}

    def descend(self, losses: Mapping[str, Tensor]) -> None:
        """Update the weights once, and their running average."""
        descend(self.optimizer, losses)
        self.average.update_parameters(self.network)

    def weights(self) -> dict[str, Tensor]:
        """Return the averaged weights in half precision."""
        return to_half(self.average.module.state_dict())

    def load_average(self) -> Network:
        """Copy the averaged weights into the network and return it."""
        self.network.load_state_dict(self.average.module.state_dict())
        return self.network
