"""Timing of a function's steps where they are called, so that the code that is measured is the code that runs."""

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
    """One run of a step: wall seconds, processor seconds of all threads, and peak memory of the process in GiB."""

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
        """Time each call of `owner.name` within the block as a lap of its step: {(owner, name): step}.

        An owner is a module or a class. Raises AttributeError if it has no such function.
        """
        with ExitStack() as patches:
            for (owner, name), step in places.items():
                original = getattr_static(owner, name)
                timed: Any = (
                    classmethod(self._wrap(original.__func__, step))
                    if isinstance(original, classmethod)
                    else self._wrap(original, step)
                )
                patches.enter_context(patch.object(owner, name, timed))
            yield

    def _wrap(self, function: Callable[..., Any], step: str) -> Callable[..., Any]:
        @functools.wraps(function)
        def timed(*arguments: Any, **named: Any) -> Any:
            with self.lap(step):
                return function(*arguments, **named)

        return timed


def peak_gib() -> float:
    """Return the largest resident memory that this process has had, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
