"""What a measure says, how much effort it takes, and what it works on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from recsys.benchmarks.service.shops import Shops

NOT_THERE = "not there"
"""What is printed of a promise whose route this service does not have."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One row: what is promised, how much of it, what was measured, and the baseline of the same run."""

    promise: str
    aim: str
    measured: str
    baseline: str = ""

    def __str__(self) -> str:
        return f"| {self.promise} | {self.aim} | {self.measured} | {self.baseline} |"


@dataclass(frozen=True, slots=True)
class Effort:
    """How long and how often; the defaults are those of published figures.

    `seconds` of each load, `repeats` of it (the median counts), `rate` in requests/s; `swaps` of the sample's model,
    `slow_swaps` of the large shop's; `late`: answers to wait for at each deadline; `batches` of 100 events; `mixed`:
    requests of the memory's measure; `new_items`.
    """

    seconds: float = 10.0
    repeats: int = 3
    rate: float = 100.0
    connections: int = 8
    swaps: int = 100
    slow_swaps: int = 10
    in_flight: int = 50
    late: int = 40
    batches: int = 200
    mixed: int = 50_000
    new_items: int = 10


@dataclass(frozen=True, slots=True)
class Bench:
    """What a measure works with: shops, a folder for logs, effort, and the seed of all draws."""

    shops: Shops
    folder: Path
    effort: Effort = field(default_factory=Effort)
    seed: int = 0


Measure = Callable[[Bench], Iterator[Figure]]
