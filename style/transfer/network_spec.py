"""Description of an engine's network, so that it can be exported and run elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor, nn


@dataclass(frozen=True, slots=True, eq=False)
class NetworkInput:
    """One input: name, example whose first side is the batch, range of its numbers, meaning.

    Inputs of four sides `(B, C, H, W)` have free heights and widths; all others have the shape of the example.
    """

    name: str
    example: Tensor
    low: float
    high: float
    meaning: str

    @property
    def is_map(self) -> bool:
        """True if the input has a height and a width."""
        return self.example.ndim == 4


@dataclass(frozen=True, slots=True, eq=False)
class NetworkSpec:
    """Frozen network in eval mode, its inputs, the names of its outputs, and the multiple that H and W must have.

    The first input is the photo `(B, 3, H, W)` in [0, 1]; the second z `(B, 128)`.
    """

    module: nn.Module
    inputs: tuple[NetworkInput, ...]
    outputs: tuple[str, ...]
    multiple: int
    license: str

    @property
    def example(self) -> tuple[Tensor, ...]:
        """Examples of all inputs, in the order of the network's arguments."""
        return tuple(one.example for one in self.inputs)


@runtime_checkable
class NetworkEngine(Protocol):
    """Engine whose painting is one pass of one network."""

    def network_spec(self) -> NetworkSpec:
        """Describe the network."""
        ...
