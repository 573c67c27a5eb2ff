"""Metrics for Prometheus. Labels are route patterns, codes and words of a fixed list, so their number is bounded.

Several workers write their metrics into files of `PROMETHEUS_MULTIPROC_DIR`, which must be set before prometheus_client
is imported. Any worker can report the metrics of all.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Iterable
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
    """Metrics of one process. Each object has its own registry, so that one process may hold several services.

    Attributes:
        in_flight: Number of requests being answered.
    """

    def __init__(self, version: Callable[[], str], directory: str | None = None) -> None:
        """Create empty metrics.

        Args:
            version: Function that returns the version of the served model.
            directory: Directory that several workers share, None for a single process.
        """
        self.in_flight = 0
        self._directory = directory
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "recsys_http_requests", "Answers.", ["method", "route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "recsys_http_request_seconds",
            "Time from the first byte of a request's head to the last byte of its answer.",
            ["route"],
            buckets=BUCKETS_S,
            registry=self._registry,
        )
        self._rejections = Counter(
            "recsys_rejections", "Requests rejected before their route.", ["reason"], registry=self._registry
        )
        self._images = Counter("recsys_images", "Images by Restyle-Status.", ["status"], registry=self._registry)
        self._fallbacks = Counter(
            "recsys_deadline_fallbacks",
            "Originals served because the restyled image was not ready in time.",
            registry=self._registry,
        )
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._watched: list[_Watched] = []
        self._version = _Version(version)
        self._registry.register(self._version)
        self.watch_gauge("recsys_requests_in_flight", "Requests being answered.", lambda: self.in_flight)

    def count_answer(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answer and its duration by the pattern of its route."""
        labels = (method, route, status)
        children = self._children.get(labels)
        if children is None:
            # A caller may send any text as a method, so unknown ones share a label and are not cached.
            known = method if method in _METHODS else "other"
            children = self._requests.labels(known, route, str(status)), self._seconds.labels(route)
            if known == method:
                self._children[labels] = children
        children[0].inc()
        children[1].observe(seconds)

    def count_rejection(self, reason: str) -> None:
        """Count one request that was rejected before its route; `reason` is the slug of a problem."""
        self._rejections.labels(reason).inc()

    def count_image(self, status: RestyleStatus, *, settled: bool) -> None:
        """Count one image; not `settled`: an original replaced an image that was not ready."""
        self._images.labels(status.value).inc()
        if not settled:
            self._fallbacks.inc()

    def watch_gauge(self, name: str, text: str, read: Read) -> None:
        """Report a number that another object keeps, such as the length of a queue; workers are summed."""
        gauge = Gauge(name, text, registry=self._registry, multiprocess_mode="livesum")
        self._watched.append(_Watched(read, gauge.set))

    def watch_counter(self, name: str, text: str, read: Read) -> None:
        """Report a count that another object keeps and only increases, such as swaps of a model host."""
        counter = Counter(name, text, registry=self._registry)
        last = 0.0

        def write(value: float) -> None:
            nonlocal last
            counter.inc(max(0.0, value - last))
            last = value

        self._watched.append(_Watched(read, write))

    def sample(self) -> None:
        """Read all watched numbers."""
        for watched in self._watched:
            watched.write(watched.read())

    async def keep_sampling(self) -> None:
        """Sample until cancelled, because another worker may report the metrics."""
        while self._directory is not None:
            self.sample()
            await asyncio.sleep(SAMPLE_EVERY_S)

    def exposition(self) -> bytes:
        """Return the metrics of all workers in the text format of Prometheus.

        `recsys_model_info` is that of the process that answers.
        """
        self.sample()
        if self._directory is None:
            return generate_latest(self._registry)
        # Remove the gauges of dead workers from the sums.
        directory = Path(self._directory)
        for file in directory.glob("gauge_live*.db"):
            number = re.search(r"_(\d+)\.db$", file.name)
            if number is None:
                continue
            try:
                os.kill(int(number[1]), 0)
            except ProcessLookupError:
                mark_process_dead(int(number[1]), str(directory))  # type: ignore[no-untyped-call]
            except PermissionError:
                continue
        registry = CollectorRegistry()
        MultiProcessCollector(registry, self._directory)  # type: ignore[no-untyped-call]
        registry.register(self._version)
        return generate_latest(registry)


def metrics_directory() -> str | None:
    """Return the directory that the workers share, None for a single process."""
    return os.environ.get(DIRECTORY_VARIABLE)


@dataclass(frozen=True, slots=True)
class _Watched:
    read: Read
    write: Callable[[float], None]


class _Version(Collector):
    """Version of the served model, read on request: a label per version would accumulate."""

    def __init__(self, version: Callable[[], str]) -> None:
        self._read = version

    def collect(self) -> Iterable[Metric]:
        yield InfoMetricFamily("recsys_model", "The served model.", {"version": self._read()})
