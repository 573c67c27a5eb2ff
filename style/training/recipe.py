"""What a recipe is: the part of a training run that differs from engine to engine.

`style.training.workflow.train` owns all the rest: splits, the learning rate, checkpoints, early stopping, logs, sample
pictures, the engine's file and its card. A recipe says how one step is made and how good the net is by now.

A new engine needs
1. an engine class in `style/transfer/`, made from tensors, and its line in `style.transfer.trained.KINDS`,
2. a class with the shape of `Recipe`, whose `begin` gives an object with the shape of `Training`,
3. a line in `style.training.registry.RECIPES`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from style.backbone import Vgg
from style.training.splits import Parts

VALIDATION_BATCH = 16
"""Crops of validation products, always the same, that recipes judge themselves by."""
SHOWN = 6
"""How many of them are on a sheet of samples."""


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What every run has: `steps` over `batch` crops of `side` pixels, the peak of the learning rate, the seed.

    Every `validate_every` steps the loss on the validation pictures is taken; the run stops early once `patience` of
    them in a row brought no new least loss. `keep` is the short side in pixels to which pictures are brought in memory.
    """

    steps: int = 4000
    batch: int = 4
    side: int = 128
    keep: int = 160
    learning_rate: float = 1e-3
    seed: int = 0
    validate_every: int = 200
    patience: int = 6


@dataclass(frozen=True, slots=True)
class Material:
    """What a run learns from: the pictures, and a frozen loss network that gives relu1_1 .. relu4_1 at least."""

    products: Parts
    styles: Parts
    loss_network: Vgg


class Training(Protocol):
    """A run in progress. All that must outlive a kill is in `state` and `optimizers`.

    `step` must depend on nothing but these and on its number, and draw what it draws from generators seeded by
    (seed, purpose, step): a run that was stopped then ends the same as an unbroken one. What a step remembers (a replay
    buffer, multipliers, averaged weights) is a buffer of `state`, of a size that never changes.
    """

    @property
    def state(self) -> nn.Module:
        """Networks, averages and buffers: what a checkpoint holds."""
        ...

    @property
    def optimizers(self) -> Mapping[str, torch.optim.Optimizer]:
        """By name. Before each step the workflow sets their rates to one share of those that they were made with."""
        ...

    def step(self, step: int) -> Mapping[str, Tensor]:
        """Descend once. Returns the losses by name, for the log."""
        ...

    def validate(self) -> Mapping[str, float]:
        """Figures on the validation pictures; lower `loss` is better, and decides when to stop and what is kept."""
        ...

    def weights(self) -> dict[str, Tensor]:
        """The tensors that the engine is made of, as they are now: what `style.transfer.trained.KINDS` takes."""
        ...

    def samples(self) -> Tensor:
        """A few validation products and their paintings `(N, 3, H, 2W)` in [0, 1], side by side, for a person to see.

        The same products each time.
        """
        ...


class Recipe(Protocol):
    """How engines of one kind are trained."""

    @property
    def kind(self) -> str:
        """The engine's kind, a key of `style.transfer.trained.KINDS`."""
        ...

    @property
    def defaults(self) -> RunSettings:
        """What a run takes where its user says nothing else."""
        ...

    def settings(self) -> Mapping[str, object]:
        """The settings that this recipe alone has, as plain JSON values, for the card."""
        ...

    def shape(self) -> Mapping[str, int]:
        """The sizes by which the network is built again before its tensors are read."""
        ...

    def begin(self, material: Material, settings: RunSettings) -> Training:
        """A run that has done no step. Raises ImageError that names pictures that cannot be read."""
        ...
