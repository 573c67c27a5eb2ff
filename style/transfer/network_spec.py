"""What an engine that is a network says of it, so that it can be exported and run elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor, nn


@dataclass(frozen=True, slots=True, eq=False)
class NetworkInput:
    """One input: its name, an example whose first side is the batch, the range of its numbers, what it means.

    Inputs of four sides `(B, C, H, W)` have heights and widths of their own choosing; all others are as in the example.
    """

    name: str
    example: Tensor
    low: float
    high: float
    meaning: str

    @property
    def is_map(self) -> bool:
        """Whether it has a height and a width."""
        return self.example.ndim == 4


@dataclass(frozen=True, slots=True, eq=False)
class NetworkForm:
    """A frozen network in eval mode, its inputs, the names of its outputs, and the multiple that H and W are of.

    The first input is the photo `(B, 3, H, W)` in [0, 1]; the second z `(B, 128)`.
    """

    module: nn.Module
    inputs: tuple[NetworkInput, ...]
    outputs: tuple[str, ...]
    multiple: int
    license: str

    @property
    def example(self) -> tuple[Tensor, ...]:
        """The examples of all inputs, as the network takes them."""
        return tuple(one.example for one in self.inputs)


@runtime_checkable
class NetworkEngine(Protocol):
    """An engine whose painting is one pass of one network."""

    def form(self) -> NetworkForm: ...
