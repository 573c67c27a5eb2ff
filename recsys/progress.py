"""Progress of long work: stages with counts, shown as bars, written as lines, or passed to a callback.

Library code marks its stages with `stage(...)` and knows nothing of who listens. A caller listens with
`report_progress(...)`; the command line does so for every command that may take longer than two seconds:

    with report_progress(print) as timings:
        build(project)
    print(timings.table())

Without a caller that listens, stages are shown as bars on a terminal and in Jupyter, and are silent elsewhere. The
environment variable `RECSYS_PROGRESS` overrides that: `bars`, `lines` or `off`.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, TextIO

from tqdm import tqdm

from recsys.errors import ConfigError

VARIABLE = "RECSYS_PROGRESS"
SHORTEST_S = 0.1
"""Stages below this time are left out of tables and lines."""


class ProgressStyle(StrEnum):
    """Ways to show progress."""

    BARS = "bars"
    LINES = "lines"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class StageEvent:
    """State of one stage: at its start, after each advance, and at its end.

    Attributes:
        name: Name of the stage, such as "style vectors".
        depth: Number of stages around it.
        done: Units done so far.
        total: Units in all; None if unknown.
        unit: Name of one unit, such as "image"; "" if the stage counts nothing.
        seconds: Time since the stage began.
        finished: True for the last event of the stage.
    """

    name: str
    depth: int
    done: int
    total: int | None
    unit: str
    seconds: float
    finished: bool


class Listener(Protocol):
    """Receives events of stages. Any function of one `StageEvent` is a listener."""

    def __call__(self, event: StageEvent, /) -> Any:
        """Take note of an event; the result is ignored."""
        ...


class Stage:
    """Running stage: `advance` counts units that are done."""

    def __init__(self, name: str, depth: int, total: int | None, unit: str, listener: Listener | None) -> None:
        self.name, self.depth, self.total, self.unit = name, depth, total, unit
        self._listener = listener
        self._started = time.perf_counter()
        self._done = 0
        self._tell(finished=False)

    def advance(self, units: int = 1) -> None:
        """Count further units as done."""
        self._done += units
        self._tell(finished=False)

    def finish(self) -> None:
        """Tell the listener that the stage is over."""
        self._tell(finished=True)

    def _tell(self, *, finished: bool) -> None:
        if self._listener is not None:
            seconds = time.perf_counter() - self._started
            self._listener(StageEvent(self.name, self.depth, self._done, self.total, self.unit, seconds, finished))


@dataclass(slots=True)
class Timings:
    """Times of reported stages, in the order of their start."""

    events: list[StageEvent] = field(default_factory=list)
    _open: list[int] = field(default_factory=list)

    def add(self, event: StageEvent) -> None:
        """Take note of an event of a stage, the first or the last one."""
        if event.finished:
            self.events[self._open.pop()] = event
        elif len(self._open) == event.depth:
            self._open.append(len(self.events))
            self.events.append(event)

    @property
    def seconds(self) -> float:
        """Time of all stages together."""
        return sum(event.seconds for event in self.events if event.depth == 0)

    def table(self) -> str:
        """Return one line per stage: seconds, name, count and rate; nested stages are indented, short ones left out."""
        rows = [event for event in self.events if event.seconds >= SHORTEST_S]
        lines = [f"{event.seconds:8.1f} s  {'  ' * event.depth}{describe(event)}" for event in rows]
        return "\n".join([*lines, f"{self.seconds:8.1f} s  in all"])


def describe(event: StageEvent) -> str:
    """Return a stage as text: its name, and if it counts, how many units and how many a second."""
    if not event.unit or not event.done:
        return event.name
    rate = event.done / max(event.seconds, 1e-9)
    plural = event.unit if event.done == 1 else f"{event.unit}s"
    return (
        f"{event.name}: {event.done:,} {plural}, {rate:,.0f}/s"
        if rate >= 10
        else f"{event.name}: {event.done:,} {plural}"
    )


class Bars:
    """Show each stage as a bar with count, rate and remaining time, gone when the stage is over."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._bars: list[tqdm[Any]] = []

    def __call__(self, event: StageEvent) -> None:
        """Open, move or close the bar of the event's stage."""
        if len(self._bars) == event.depth and not event.finished:
            form = None if event.unit else "{desc} [{elapsed}]"
            bar = tqdm(
                desc=event.name,
                total=event.total,
                unit=f" {event.unit}",
                leave=False,
                file=self._stream,
                bar_format=form,
                position=event.depth,
                dynamic_ncols=True,
            )
            self._bars.append(bar)
        bar = self._bars[event.depth]
        bar.update(event.done - bar.n)
        if event.finished:
            self._bars.pop().close()


class Lines:
    """Write one line per finished stage, for logs and pipes."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr

    def __call__(self, event: StageEvent) -> None:
        """Write a line if the stage is over and took long enough to matter."""
        if event.finished and event.seconds >= SHORTEST_S:
            self._stream.write(f"{'  ' * event.depth}{describe(event)} ({event.seconds:.1f} s)\n")
            self._stream.flush()


@dataclass(frozen=True, slots=True)
class _Reporting:
    """Listener of the current context, the number of stages around the next one, and the stage that runs."""

    listener: Listener | None
    depth: int = 0
    running: Stage | None = None


_reporting: ContextVar[_Reporting | None] = ContextVar("recsys_progress", default=None)


@contextmanager
def report_progress(listener: Listener | None) -> Iterator[Timings]:
    """Report the stages of the block to a listener.

    Args:
        listener: Called with each event in the thread that runs the stage; None for silence.

    Yields:
        The timings of the stages, complete at the end of the block.
    """
    timings = Timings()

    def tell(event: StageEvent) -> None:
        timings.add(event)
        if listener is not None:
            listener(event)

    token = _reporting.set(_Reporting(tell))
    try:
        yield timings
    finally:
        _reporting.reset(token)


@contextmanager
def stage(name: str, total: int | None = None, unit: str = "") -> Iterator[Stage]:
    """Mark the block as one stage of long work.

    Args:
        name: Name in plain words, such as "style vectors".
        total: Units in all, if known.
        unit: Name of one unit, such as "image"; "" for a stage that counts nothing.

    Yields:
        The stage, whose `advance` counts what is done.
    """
    # Stages within this one share its listener, so that their bars stand below each other.
    around = _reporting.get() or _Reporting(make_listener(chosen_style()))
    running = Stage(name, around.depth, total, unit, around.listener)
    token = _reporting.set(_Reporting(around.listener, around.depth + 1, running))
    try:
        yield running
    finally:
        running.finish()
        _reporting.reset(token)


def advance(units: int = 1) -> None:
    """Count units of the innermost stage as done; outside of any stage, do nothing."""
    reporting = _reporting.get()
    if reporting is not None and reporting.running is not None:
        reporting.running.advance(units)


def chosen_style() -> ProgressStyle:
    """Return how progress is shown if no caller listens.

    Raises:
        ConfigError: If `RECSYS_PROGRESS` names no style.
    """
    text = os.environ.get(VARIABLE, "")
    if text:
        if text not in list(ProgressStyle):
            raise ConfigError(f"{VARIABLE}={text!r}: use one of {', '.join(ProgressStyle)}")
        return ProgressStyle(text)
    in_jupyter = "ipykernel" in sys.modules
    return ProgressStyle.BARS if in_jupyter or sys.stderr.isatty() else ProgressStyle.OFF


def make_listener(style: ProgressStyle) -> Listener | None:
    """Return a listener that shows progress in a style; None for `off`."""
    match style:
        case ProgressStyle.BARS:
            return Bars()
        case ProgressStyle.LINES:
            return Lines()
        case ProgressStyle.OFF:
            return None
