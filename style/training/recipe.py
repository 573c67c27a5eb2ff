"""Recipe interface: the part of training that differs from engine to engine.

`style.training.workflow.train` does all the rest: splits, learning rate, checkpoints, early stopping, logs, sample
sheets, the engine's files and its card. A recipe defines one step and how good the network is so far.

A new engine needs
1. an engine class in `style/transfer/` that is built from tensors, and its line in `style.transfer.trained.KINDS`,
2. a class with the methods of `Recipe`; its `begin` returns a `style.training.run.Training`,
3. a line in `style.training.registry.RECIPES`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from style.backbone import Vgg
from style.training.loop import LoopOptions
from style.training.optim import warm_up_steps
from style.training.run import Training
from style.training.splits import Splits

VALIDATION_BATCH = 16
"""Crops of validation products, always the same, on which recipes validate."""
SHEET_ROWS = 6
"""Products on a sample sheet."""


@dataclass(frozen=True, slots=True)
class RunSettings:
    """Settings of every run.

    Attributes:
        steps: Steps at most.
        batch: Crops in a step.
        side: Side of a crop, in pixels.
        keep: Short side of images in memory, in pixels.
        learning_rate: Peak of the learning rate.
        seed: Seed of all random numbers.
        validate_every: Steps between two validations.
        patience: Validations in a row without a new least loss after which the run stops.
    """

    steps: int = 4000
    batch: int = 4
    side: int = 128
    keep: int = 160
    learning_rate: float = 1e-3
    seed: int = 0
    validate_every: int = 200
    patience: int = 6

    def loop_options(self) -> LoopOptions:
        """Return the options of the training loop for a run with these settings."""
        return LoopOptions(self.steps, self.validate_every, warm_up_steps(self.steps), self.patience)


@dataclass(frozen=True, slots=True)
class Material:
    """Images to train on, and a frozen loss network with taps relu1_1 .. relu4_1 at least."""

    products: Splits
    styles: Splits
    loss_network: Vgg


class Recipe(Protocol):
    """Training procedure for engines of one kind."""

    @property
    def kind(self) -> str:
        """Return the engine's kind, a key of `style.transfer.trained.KINDS`."""
        ...

    @property
    def defaults(self) -> RunSettings:
        """Return the settings of a run unless its user gives others."""
        ...

    def settings(self) -> Mapping[str, object]:
        """Return the settings that only this recipe has, as plain JSON values, for the card."""
        ...

    def shape(self) -> Mapping[str, int]:
        """Return the sizes from which the network is built before its tensors are loaded."""
        ...

    def begin(self, material: Material, settings: RunSettings) -> Training:
        """Return a run that has done no step. Raises ImageError that names images that cannot be read."""
        ...
