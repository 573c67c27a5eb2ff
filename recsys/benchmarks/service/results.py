"""Input and output of a measurement: shops and effort, and rows of results."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from recsys.benchmarks.service.shops import Shops

NO_ROUTE = "not there"
"""Result of a promise whose route this service does not have."""


@dataclass(frozen=True, slots=True)
class ResultRow:
    """One row: promise, aim, measured result, and the baseline of the same run."""

    promise: str
    aim: str
    measured: str
    baseline: str = ""

    def __str__(self) -> str:
        return f"| {self.promise} | {self.aim} | {self.measured} | {self.baseline} |"


@dataclass(frozen=True, slots=True)
class Effort:
    """Sizes of the measurements; the defaults are those of published results.

    Attributes:
        seconds: duration of each load.
        repeats: number of loads; the median is reported.
        rate: requests per second of an open loop.
        connections: connections of a closed loop.
        swaps: swaps of the sample's model.
        slow_swaps: swaps of the large shop's model.
        in_flight: requests in flight when the server drains.
        late: answers to wait for at each deadline.
        batches: batches of 100 events.
        mixed: requests while memory is measured.
        new_items: items to add.
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
    """Input of a measurement: shops, a folder for logs, effort, and the seed of all draws."""

    shops: Shops
    folder: Path
    effort: Effort = field(default_factory=Effort)
    seed: int = 0


Measure = Callable[[Bench], Iterator[ResultRow]]
