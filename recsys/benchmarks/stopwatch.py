"""Seconds of the steps of a function, taken where it calls them, so that what is timed is what runs."""

from __future__ import annotations

import functools
import resource
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from inspect import getattr_static
from typing import Any
from unittest.mock import patch


@dataclass(frozen=True, slots=True)
class Lap:
    """One run of a step: seconds on the clock, seconds of processor time (all threads), and the largest memory that
    the process had held until its end, in GiB."""

    wall: float
    cpu: float
    peak: float


@dataclass(frozen=True, slots=True)
class Stopwatch:
    """Laps by step, in the order in which steps first ended."""

    laps: dict[str, list[Lap]] = field(default_factory=lambda: defaultdict(list))

    @contextmanager
    def lap(self, step: str) -> Iterator[None]:
        """Time the block as one lap."""
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.laps[step].append(Lap(time.perf_counter() - wall, time.process_time() - cpu, peak_gib()))

    @contextmanager
    def watching(self, places: Mapping[tuple[Any, str], str]) -> Iterator[None]:
        """Within the block, each call of `owner.name` is a lap of its step: {(owner, name): step}.

        An owner is a module or a class. Raises AttributeError where it has no such function.
        """
        with ExitStack() as patches:
            for (owner, name), step in places.items():
                patches.enter_context(patch.object(owner, name, self._timed(getattr_static(owner, name), step)))
            yield

    def _timed(self, original: Any, step: str) -> Any:
        if isinstance(original, classmethod):
            return classmethod(self._wrapped(original.__func__, step))
        return self._wrapped(original, step)

    def _wrapped(self, function: Callable[..., Any], step: str) -> Callable[..., Any]:
        @functools.wraps(function)
        def timed(*arguments: Any, **named: Any) -> Any:
            with self.lap(step):
                return function(*arguments, **named)

        return timed


def peak_gib() -> float:
    """The largest resident memory this process has had, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
