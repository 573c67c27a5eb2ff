"""Metrics for Prometheus. Labels are route patterns, codes and words of a fixed list, so their number is bounded.

With several workers each writes its numbers into files of `PROMETHEUS_MULTIPROC_DIR`, which must be set before
prometheus_client is imported, and any of them answers for all.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import InfoMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from recsys.restyling.render_result import RestyleStatus

DIRECTORY_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
MEDIA_TYPE = CONTENT_TYPE_LATEST
SAMPLE_EVERY_S = 1.0
BUCKETS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})

Read = Callable[[], float]


class Metrics:
    """The numbers of one process; `version` tells which model it serves.

    `in_flight` is how many requests are being answered. `directory` is where several workers put their numbers, None
    for a single process. Own registry each, so that one process may hold several services.
    """

    def __init__(self, version: Callable[[], str], directory: str | None = None) -> None:
        self.in_flight = 0
        self._directory = directory
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "recsys_http_requests", "Answers.", ["method", "route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "recsys_http_request_seconds",
            "From the first byte of a request's head to the last of its answer.",
            ["route"],
            buckets=BUCKETS_S,
            registry=self._registry,
        )
        self._refusals = Counter(
            "recsys_rejections", "Requests refused before their route.", ["reason"], registry=self._registry
        )
        self._pictures = Counter("recsys_images", "Pictures by Restyle-Status.", ["status"], registry=self._registry)
        self._fallbacks = Counter(
            "recsys_deadline_fallbacks",
            "Originals served because the restyled picture was not ready in time.",
            registry=self._registry,
        )
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._watched: list[_Watched] = []
        self._version = _Version(version)
        self._registry.register(self._version)
        self.watch_gauge("recsys_requests_in_flight", "Requests being answered.", lambda: self.in_flight)

    def count_answer(self, method: str, route: str, status: int, seconds: float) -> None:
        """One answer, by the pattern of its route."""
        place = (method, route, status)
        children = self._children.get(place)
        if children is None:
            # Any text may come as a method; the key of this dictionary is bounded as the labels are.
            known = method if method in _METHODS else "other"
            children = self._requests.labels(known, route, str(status)), self._seconds.labels(route)
            if known == method:
                self._children[place] = children
        children[0].inc()
        children[1].observe(seconds)

    def count_rejection(self, reason: str) -> None:
        """A request refused before its route; `reason` is the slug of a problem."""
        self._refusals.labels(reason).inc()

    def picture(self, status: RestyleStatus, *, settled: bool) -> None:
        """A picture went out; not `settled`: an original in place of one that was not ready."""
        self._pictures.labels(status.value).inc()
        if not settled:
            self._fallbacks.inc()

    def watch_gauge(self, name: str, text: str, read: Read) -> None:
        """A number that something else keeps, such as the length of a queue; workers are added up."""
        gauge = Gauge(name, text, registry=self._registry, multiprocess_mode="livesum")
        self._watched.append(_Watched(read, gauge.set))

    def watch_counter(self, name: str, text: str, read: Read) -> None:
        """A count that something else keeps and only raises, such as a model host's swaps."""
        counter = Counter(name, text, registry=self._registry)
        self._watched.append(_Watched(read, _raising(counter)))

    def sample(self) -> None:
        """Read all that is watched."""
        for watched in self._watched:
            watched.write(watched.read())

    async def keep_sampling(self) -> None:
        """Sample for ever, for the other workers that may be asked."""
        while self._directory is not None:
            self.sample()
            await asyncio.sleep(SAMPLE_EVERY_S)

    def exposition(self) -> bytes:
        """All numbers in Prometheus's text format; with several workers, of all of them.

        `recsys_model_info` is that of the process that answers.
        """
        self.sample()
        if self._directory is None:
            return generate_latest(self._registry)
        _bury(Path(self._directory))
        registry = CollectorRegistry()
        MultiProcessCollector(registry, self._directory)  # type: ignore[no-untyped-call]
        registry.register(self._version)
        return generate_latest(registry)


def metrics_directory() -> str | None:
    """Where the workers of this service put their numbers; None where it is one process."""
    return os.environ.get(DIRECTORY_VARIABLE)


@dataclass(frozen=True, slots=True)
class _Watched:
    read: Read
    write: Callable[[float], None]


def _raising(counter: Counter) -> Callable[[float], None]:
    last = 0.0

    def write(value: float) -> None:
        nonlocal last
        counter.inc(max(0.0, value - last))
        last = value

    return write


class _Version(Collector):
    """The version of the model, read when asked: a label for each version that ever served would only pile up."""

    def __init__(self, version: Callable[[], str]) -> None:
        self._read = version

    def collect(self) -> Iterable[Metric]:
        yield InfoMetricFamily("recsys_model", "The model that serves.", {"version": self._read()})


def _bury(directory: Path) -> None:
    """Take the gauges of workers that died out of the sums."""
    for process in _processes(directory):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            mark_process_dead(process, str(directory))  # type: ignore[no-untyped-call]
        except PermissionError:
            continue


def _processes(directory: Path) -> Iterator[int]:
    for file in directory.glob("gauge_live*.db"):
        number = re.search(r"_(\d+)\.db$", file.name)
        if number:
            yield int(number[1])
